/*
 * conn.h - one connection: its states, what it holds, and what may be asked of it.
 *
 *            accept                handshake          HELLO accepted
 *   FREE ------------> HANDSHAKE ------------> HELLO ---------------> READY
 *                          |                     |                      |  GOAWAY, or the
 *                          |                     |                      v  peer's close_notify
 *                          |                     |        +--------- DRAINING
 *                          |                     |        |  last reply |
 *                          v                     v        v             |
 *                       +---------------------------------------+       |
 *                       | CLOSING: send what waits, an ERROR    | <-----+
 *                       | frame, close_notify                   |
 *                       +---------------------------------------+
 *                                          | all sent: shutdown(SHUT_WR)
 *                                          v
 *                       LINGER: read and drop until the peer hangs up
 *                                          |
 *            any state: reset, deadline    v    every operation has completed
 *           --------------------------->  DEAD ------------------------------> FREE
 *
 * LINGER is there because closing a socket that holds unread bytes sends a reset, and a reset
 * destroys the ERROR frame that the peer has not read yet. DEAD is there because the kernel
 * still writes to our buffers until it has said that it is done.
 *
 * A connection holds blocks and receive buffers only while it has something in them. Its
 * functions never free it: the turn does, after the run, when it is DEAD and nothing is in
 * flight.
 */
#ifndef ZR_CONN_H
#define ZR_CONN_H

#include "server/base/request.h"
#include "server/net/inbox.h"
#include "server/net/loop.h"
#include "server/net/outbox.h"
#include "server/net/stats.h"
#include "server/net/tls.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

enum conn_state {
    CONN_FREE,
    CONN_HANDSHAKE,
    CONN_HELLO,
    CONN_READY,
    CONN_DRAINING,
    CONN_CLOSING,
    CONN_LINGER,
    CONN_DEAD,
    CONN_STATES_COUNT,
};

/* Loop operations of the connection that have not ended. */
struct conn_flight {
    bool recv;
    bool send;
    uint8_t cancels;
};

/* Monotonic nanoseconds; 0 = not set. */
struct conn_deadlines {
    uint64_t state_ns; /* Of HANDSHAKE, HELLO, DRAINING, CLOSING and LINGER. */
    uint64_t frame_ns; /* Of a frame or record that has begun. */
    uint64_t write_ns; /* Of the send in flight. */
    uint64_t idle_ns;  /* READY without a frame. */
    uint64_t age_ns;   /* READY for too long. */
};

struct conn {
    enum conn_state state;
    uint32_t slot;
    uint32_t generation;
    int fd;
    enum net_stat reason; /* NET_CLOSED_*: the first one given; see `ended`. */
    bool ended;           /* `reason` is set. */
    bool eof;             /* The socket will give no more bytes. */
    bool paused;          /* Above the high-water mark: nothing is read. */
    bool finished;        /* close_notify is in the outbox. */
    struct conn_flight flight;

    uint32_t in_flight; /* Requests deferred, replies awaited. */
    uint32_t replied;   /* Requests answered in turn `replied_turn`, not yet sent. */
    uint64_t replied_turn;
    uint32_t handshake_in;    /* Bytes heard before authentication. */
    uint32_t handshake_out;   /* Bytes said before it. */
    uint32_t send_bytes;      /* Asked of the send in flight. */
    uint32_t updates_counted; /* tls.key_updates when the window began. */
    uint64_t updates_ns;      /* Its begin. */

    uint32_t plain_in; /* Block with opened bytes that are not a whole frame, or BLOCK_NONE. */
    uint32_t plain_in_length;
    uint32_t plain_out; /* Block with replies not sealed, or BLOCK_NONE. */
    uint32_t plain_out_length;
    struct inbox inbox;
    struct outbox outbox;
    struct tls tls;
    struct conn_deadlines deadlines;
    struct session session;
};

/* ---- life (conn.c) ---------------------------------------------------------------------- */

/* Begin a handshake on an accepted socket in a free slot. Takes `fd`; false closes it. */
bool conn_open(struct worker *worker, struct conn *conn, int fd);

/* The one place where the state changes; a move that the table does not know is a bug. */
void conn_move(struct worker *worker, struct conn *conn, enum conn_state to);

/* Send what waits, then close_notify, then hang up. Does nothing when it is already over. */
void conn_end(struct worker *worker, struct conn *conn, enum net_stat reason);

/* The same behind an ERROR frame, when the peer can read one. `id` of the request, or 0. */
void conn_fail(struct worker *worker, struct conn *conn, enum net_stat reason, uint16_t status,
               uint64_t id);

/* Hang up now: the peer is gone, or must not be waited for. */
void conn_kill(struct worker *worker, struct conn *conn, enum net_stat reason);

/* GOAWAY, then only what is in flight is finished. READY only. `reason`: zr_goaway_reason. */
void conn_go_away(struct worker *worker, struct conn *conn, uint8_t reason, uint32_t drain_ms);

/* The server drains: the right one of the above for its state. */
void conn_drain(struct worker *worker, struct conn *conn, uint32_t drain_ms);

/* Free the slot when it is DEAD and nothing is in flight. */
void conn_reap(struct worker *worker, struct conn *conn);

/* Act on what is due, then set the next deadline. */
void conn_check_deadlines(struct worker *worker, struct conn *conn);

/* Set the slot's next deadline from the connection's. */
void conn_set_deadline(struct worker *worker, const struct conn *conn);

static inline struct loop_key
conn_key(const struct conn *conn)
{
    return (struct loop_key){.slot = conn->slot, .generation = conn->generation};
}

/* ---- in (conn_in.c) --------------------------------------------------------------------- */

/* A LOOP_RECV event: keep its bytes; they are looked at when the connection runs. */
void conn_received(struct worker *worker, struct conn *conn, const struct loop_event *event);

/* Open, cut and hand up what is there, within the turn's budget; seal and send replies. */
void conn_run(struct worker *worker, struct conn *conn);

/* HELLO_OK was said, now or in a deferred reply: the session is open. */
void conn_check_ready(struct worker *worker, struct conn *conn);

/* Receive again, when it should and does not. */
void conn_arm_recv(struct worker *worker, struct conn *conn);

/* ---- out (conn_out.c) ------------------------------------------------------------------- */

/* Append a whole frame; its credit field is written here. False: the connection was killed. */
bool conn_append(struct worker *worker, struct conn *conn, const uint8_t *frame, size_t bytes);

/* Append bytes that are sealed already. False: the connection was killed. */
bool conn_append_sealed(struct worker *worker, struct conn *conn, const uint8_t *bytes,
                        size_t bytes_count);

/* Seal what was appended and send it, unless a send is in flight; finish a CLOSING one. */
void conn_flush(struct worker *worker, struct conn *conn);

/* A LOOP_SEND event. */
void conn_sent(struct worker *worker, struct conn *conn, const struct loop_event *event);

/* Bytes that wait for the peer, sealed or not. */
uint32_t conn_backlog(const struct conn *conn);

#endif
