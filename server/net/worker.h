/*
 * worker.h - private to server/net: all that one worker has.
 *
 * A turn: collect completions; book them (bytes into inboxes, sends off outboxes); run each
 * connection that has something to do once, live ones first and then a few handshakes; look
 * at the deadlines; sleep. Work that a connection's budget leaves over is queued for the next
 * turn, which then does not sleep.
 */
#ifndef ZR_NET_WORKER_H
#define ZR_NET_WORKER_H

#include "server/base/request.h"
#include "server/net/admission.h"
#include "server/net/blocks.h"
#include "server/net/conn.h"
#include "server/net/inbox.h"
#include "server/net/listener.h"
#include "server/net/loop.h"
#include "server/net/net.h"
#include "server/net/outbox.h"
#include "server/net/stats.h"
#include "server/net/tls.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    /* A partial frame, whole frames behind it that had to wait, and one record more. */
    WORKER_PLAIN_BYTES = BLOCK_BYTES + TLS_RECORD_PLAIN_MAX,
    WORKER_BLOCKS_RESERVE = 8, /* A connection is not run with fewer blocks free. */
    WORKER_INBOX_MAX = 8,      /* Receive buffers that a slow one may hold before it is cut. */
};

/* Slots in the order in which they asked to be run. A slot is in it once at most. */
struct slot_queue {
    uint32_t *slots;
    bool *queued; /* Indexed by slot. */
    uint32_t capacity;
    uint32_t head;
    uint32_t count;
};

struct worker {
    struct net_config config;
    struct request_port port;
    struct loop *loop;
    struct listener listener;
    struct tls_library tls_library;
    struct tls_context tls;
    struct admission admission;
    struct counters counters;
    uint64_t random; /* State of worker_random. */

    struct conn *conns;
    uint32_t *free_slots; /* A stack. */
    uint32_t free_slots_count;
    uint32_t slots_used;       /* Highest slot ever used, plus one: scans end there. */
    uint64_t *deadlines_ns;    /* Per slot, dense, so that a scan of 10,000 takes microseconds. */
    uint64_t deadline_next_ns; /* No deadline is before it. */

    struct blocks blocks;
    struct outbox_store outbox_store;
    struct inbox_links inbox_links;
    struct slot_queue runnable;   /* Something to do. */
    struct slot_queue handshakes; /* The same, before authentication. */
    struct slot_queue starved;    /* Recv ended because no buffer was free. */
    struct slot_queue blockless;  /* Could not run because blocks are short. */
    uint8_t *plain;               /* WORKER_PLAIN_BYTES: opened bytes of the running one. */
    uint8_t *reply;               /* ZR_FRAME_BYTES_LIMIT: dispatch writes here. */
    uint8_t *aside;               /* TLS_HANDSHAKE_OUT_MAX: what OpenSSL says unasked. */
    struct loop_event *events;    /* LOOP_EVENTS_MAX. */

    uint64_t turn;
    uint64_t now_ns;          /* Start of the turn. */
    uint64_t active_ns;       /* Last turn that had something to do; for spinning. */
    uint64_t accept_retry_ns; /* After EMFILE and the like; 0 = accepting or over. */
    uint64_t sweep_ns;        /* Next slice of session checks. */
    uint32_t sweep_slot;
    uint64_t log_ns; /* Next line about a stranger may be written. */
    bool draining;
    uint64_t drain_end_ns;
};

/* ---- worker.c --------------------------------------------------------------------------- */

/* All memory of the worker. IO: the system has none. */
MUST_USE enum status worker_init(struct worker *worker, const struct net_config *config,
                                 const struct request_port *port);

/* Also after a worker_init that failed. Connections must be gone. */
void worker_deinit(struct worker *worker);

size_t worker_memory_bytes(const struct worker *worker);

/* Not for secrets: jitter only. */
uint64_t worker_random(struct worker *worker);

/* Ask to be run, in this turn or the next; the right queue for the connection's state. */
void worker_queue(struct worker *worker, const struct conn *conn);

void slot_queue_put(struct slot_queue *queue, uint32_t slot);

/* The first slot. The queue must not be empty. */
uint32_t slot_queue_take(struct slot_queue *queue);

/* One line a second about peers that have proved nothing: logs are not theirs to fill. */
bool worker_may_log(struct worker *worker);

/* The connection of a reference, or NULL when it lives no more. */
struct conn *worker_find(struct worker *worker, struct conn_ref ref);

/* ---- turn.c ----------------------------------------------------------------------------- */

/* Begin to accept. */
void worker_accept(struct worker *worker);

/* One turn. IO: the ring is broken. */
MUST_USE enum status worker_turn(struct worker *worker);

/* Begin to drain, or end an ongoing drain sooner. */
void worker_drain(struct worker *worker, uint32_t drain_ms);

/* Close every connection now. */
void worker_kill_all(struct worker *worker);

static inline void
worker_count(struct worker *worker, enum net_stat stat, uint64_t amount)
{
    counters_add(&worker->counters, stat, amount);
}

static inline uint64_t
worker_in_ms(const struct worker *worker, uint64_t ms)
{
    return worker->now_ns + ms * 1000000U;
}

#endif
