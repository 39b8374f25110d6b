/*
 * conn.c - see conn.h: how a connection lives and ends.
 */
#include "server/net/conn.h"

#include "protocol/check.h"
#include "protocol/message.h"
#include "protocol/status.h"
#include "server/base/log.h"
#include "server/net/notice.h"
#include "server/net/worker.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOVE_TO(state) (1U << (state))

/* The moves of the diagram in conn.h. */
static const unsigned conn_moves[CONN_STATES_COUNT] = {
    [CONN_FREE] = MOVE_TO(CONN_HANDSHAKE),
    [CONN_HANDSHAKE] = MOVE_TO(CONN_HELLO) | MOVE_TO(CONN_CLOSING) | MOVE_TO(CONN_DEAD),
    [CONN_HELLO] = MOVE_TO(CONN_READY) | MOVE_TO(CONN_CLOSING) | MOVE_TO(CONN_DEAD),
    [CONN_READY] = MOVE_TO(CONN_DRAINING) | MOVE_TO(CONN_CLOSING) | MOVE_TO(CONN_DEAD),
    [CONN_DRAINING] = MOVE_TO(CONN_CLOSING) | MOVE_TO(CONN_DEAD),
    [CONN_CLOSING] = MOVE_TO(CONN_LINGER) | MOVE_TO(CONN_DEAD),
    [CONN_LINGER] = MOVE_TO(CONN_DEAD),
    [CONN_DEAD] = MOVE_TO(CONN_FREE),
};

void
conn_move(struct worker *worker, struct conn *conn, enum conn_state to)
{
    const enum conn_state from = conn->state;

    CHECK(from < CONN_STATES_COUNT);
    CHECK(to < CONN_STATES_COUNT);
    CHECK((conn_moves[from] & MOVE_TO(to)) != 0);

    counters_move(&worker->counters.connections, (from == CONN_FREE ? 1 : 0) - (to == CONN_FREE));
    counters_move(&worker->counters.handshakes,
                  (to == CONN_HANDSHAKE ? 1 : 0) - (from == CONN_HANDSHAKE));
    counters_move(&worker->counters.ready, (to == CONN_READY ? 1 : 0) - (from == CONN_READY));
    conn->state = to;
    conn->deadlines.state_ns = 0;
}

bool
conn_open(struct worker *worker, struct conn *conn, int fd)
{
    const uint32_t slot = conn->slot;
    const uint32_t generation = conn->generation + 1;
    const struct net_config *const config = &worker->config;

    CHECK(conn->state == CONN_FREE);
    CHECK(fd >= 0);

    memset(conn, 0, sizeof *conn);
    conn->slot = slot;
    conn->generation = generation;
    conn->fd = fd;
    conn->plain_in = BLOCK_NONE;
    conn->plain_out = BLOCK_NONE;
    inbox_init(&conn->inbox);
    outbox_init(&conn->outbox);
    if (!tls_init(&conn->tls, &worker->tls)) {
        (void)close(fd);
        return false;
    }
    conn_move(worker, conn, CONN_HANDSHAKE);
    conn->deadlines.state_ns = worker_in_ms(worker, config->handshake_ms);
    if (config->age_ms > 0) {
        conn->deadlines.age_ns = worker_in_ms(
            worker, config->age_ms + worker_random(worker) % (config->age_jitter_ms + 1));
    }
    conn_set_deadline(worker, conn);
    conn_arm_recv(worker, conn);
    return true;
}

/* Keep the first reason: what follows is its consequence. */
static void
conn_give_reason(struct worker *worker, struct conn *conn, enum net_stat reason)
{
    CHECK(reason >= NET_CLOSED_PEER);
    CHECK(reason < NET_STATS_COUNT);

    if (conn->ended) {
        return;
    }
    conn->ended = true;
    conn->reason = reason;
    worker_count(worker, reason, 1);
    if (conn->state == CONN_HANDSHAKE) {
        worker_count(worker, NET_HANDSHAKES_FAILED, 1);
    }
}

void
conn_end(struct worker *worker, struct conn *conn, enum net_stat reason)
{
    if (conn->state >= CONN_CLOSING) {
        return;
    }
    CHECK(conn->state != CONN_FREE);
    conn_give_reason(worker, conn, reason);
    conn_move(worker, conn, CONN_CLOSING);
    conn->deadlines = (struct conn_deadlines){
        .state_ns = worker_in_ms(worker, worker->config.write_ms),
        .write_ns = conn->deadlines.write_ns,
    };
    conn->paused = false; /* What still comes in is read and dropped. */
    worker_queue(worker, conn);
}

void
conn_fail(struct worker *worker, struct conn *conn, enum net_stat reason, uint16_t status,
          uint64_t id)
{
    uint8_t notice[NOTICE_BYTES_MAX];

    if (conn->state >= CONN_CLOSING) {
        return;
    }
    CHECK(conn->state != CONN_FREE);
    CHECK(conn->tls.established);

    notice_encode_error(notice, id, status);
    if (conn_append(worker, conn, notice, NOTICE_ERROR_BYTES)) {
        conn_end(worker, conn, reason);
    }
}

void
conn_kill(struct worker *worker, struct conn *conn, enum net_stat reason)
{
    if (conn->state == CONN_DEAD) {
        return;
    }
    CHECK(conn->state != CONN_FREE);
    conn_give_reason(worker, conn, reason);
    conn_move(worker, conn, CONN_DEAD);
    conn->deadlines = (struct conn_deadlines){0};
    loop_shutdown(worker->loop, conn->fd, SHUT_RDWR);
    if (conn->flight.recv || conn->flight.send) {
        loop_cancel(worker->loop, conn->fd, conn_key(conn));
        conn->flight.cancels++;
    }
    worker_queue(worker, conn); /* To be reaped, if nothing is in flight. */
}

void
conn_go_away(struct worker *worker, struct conn *conn, uint8_t reason, uint32_t drain_ms)
{
    uint8_t notice[NOTICE_BYTES_MAX];
    const struct notice_goaway goaway = {
        .last_id = conn->session.last_id,
        .drain_ms = drain_ms,
        .reason = reason,
    };

    CHECK(conn->state == CONN_READY);
    notice_encode_goaway(notice, &goaway);
    if (!conn_append(worker, conn, notice, NOTICE_GOAWAY_BYTES)) {
        return;
    }
    conn_give_reason(worker, conn, worker->draining ? NET_CLOSED_DRAIN : NET_CLOSED_AGE);
    conn_move(worker, conn, CONN_DRAINING);
    conn->deadlines = (struct conn_deadlines){
        .state_ns = worker_in_ms(worker, drain_ms),
        .write_ns = conn->deadlines.write_ns,
    };
    conn->paused = false;
    worker_queue(worker, conn);
}

void
conn_drain(struct worker *worker, struct conn *conn, uint32_t drain_ms)
{
    switch (conn->state) {
    case CONN_HANDSHAKE:
        conn_kill(worker, conn, NET_CLOSED_DRAIN);
        break;
    case CONN_HELLO:
        conn_fail(worker, conn, NET_CLOSED_DRAIN, ZR_STATUS_GOING_AWAY, 0);
        break;
    case CONN_READY:
        conn_go_away(worker, conn, ZR_GOAWAY_DRAINING, drain_ms);
        break;
    case CONN_FREE:
    case CONN_DRAINING:
    case CONN_CLOSING:
    case CONN_LINGER:
    case CONN_DEAD:
    case CONN_STATES_COUNT:
        break;
    }
}

void
conn_reap(struct worker *worker, struct conn *conn)
{
    if (conn->state != CONN_DEAD || conn->flight.recv || conn->flight.send ||
        conn->flight.cancels > 0) {
        return;
    }
    tls_deinit(&conn->tls);
    inbox_clear(&conn->inbox, &worker->inbox_links, worker->loop);
    outbox_clear(&conn->outbox, &worker->outbox_store);
    if (conn->plain_in != BLOCK_NONE) {
        blocks_give(&worker->blocks, conn->plain_in);
    }
    if (conn->plain_out != BLOCK_NONE) {
        blocks_give(&worker->blocks, conn->plain_out);
    }
    loop_close_fd(worker->loop, conn->fd);
    conn->fd = -1;
    conn_move(worker, conn, CONN_FREE);
    worker->deadlines_ns[conn->slot] = UINT64_MAX;
    CHECK(worker->free_slots_count < worker->config.connections_max);
    worker->free_slots[worker->free_slots_count] = conn->slot;
    worker->free_slots_count++;
}

/* ---- deadlines -------------------------------------------------------------------------- */

static uint64_t
earlier(uint64_t deadline_ns, uint64_t other_ns)
{
    return other_ns != 0 && other_ns < deadline_ns ? other_ns : deadline_ns;
}

void
conn_set_deadline(struct worker *worker, const struct conn *conn)
{
    const struct conn_deadlines *const deadlines = &conn->deadlines;
    uint64_t next_ns = UINT64_MAX;

    next_ns = earlier(next_ns, deadlines->state_ns);
    next_ns = earlier(next_ns, deadlines->frame_ns);
    next_ns = earlier(next_ns, deadlines->write_ns);
    if (conn->state == CONN_READY) {
        next_ns = earlier(next_ns, deadlines->age_ns);
        if (conn->in_flight == 0) {
            next_ns = earlier(next_ns, deadlines->idle_ns);
        }
    }
    worker->deadlines_ns[conn->slot] = next_ns;
    if (next_ns < worker->deadline_next_ns) {
        worker->deadline_next_ns = next_ns;
    }
}

static bool
due(const struct worker *worker, uint64_t deadline_ns)
{
    return deadline_ns != 0 && deadline_ns <= worker->now_ns;
}

static void
state_expired(struct worker *worker, struct conn *conn)
{
    switch (conn->state) {
    case CONN_HANDSHAKE:
        conn_kill(worker, conn, NET_CLOSED_HANDSHAKE_SLOW);
        break;
    case CONN_HELLO:
        conn_fail(worker, conn, NET_CLOSED_HELLO_SLOW, ZR_STATUS_TIMED_OUT, 0);
        break;
    case CONN_DRAINING:
        conn_end(worker, conn, conn->reason); /* Its reason was given when it began. */
        break;
    case CONN_CLOSING:
    case CONN_LINGER:
        conn_kill(worker, conn, conn->reason);
        break;
    case CONN_FREE:
    case CONN_READY:
    case CONN_DEAD:
    case CONN_STATES_COUNT:
        CHECK(false);
        break;
    }
}

/* Cheapest ending last: a peer that does not read cannot be told anything. */
void
conn_check_deadlines(struct worker *worker, struct conn *conn)
{
    const struct conn_deadlines deadlines = conn->deadlines;

    if (due(worker, deadlines.write_ns)) {
        conn_kill(worker, conn, NET_CLOSED_WRITE_SLOW);
    } else if (due(worker, deadlines.state_ns)) {
        state_expired(worker, conn);
    } else if (due(worker, deadlines.frame_ns)) {
        conn_fail(worker, conn, NET_CLOSED_FRAME_SLOW, ZR_STATUS_TIMED_OUT, 0);
    } else if (conn->state == CONN_READY && due(worker, deadlines.age_ns)) {
        conn_go_away(worker, conn, ZR_GOAWAY_MAX_AGE, worker->config.write_ms);
    } else if (conn->state == CONN_READY && conn->in_flight == 0 &&
               due(worker, deadlines.idle_ns)) {
        conn_fail(worker, conn, NET_CLOSED_IDLE, ZR_STATUS_TIMED_OUT, 0);
    }
    if (conn->state != CONN_FREE) {
        conn_set_deadline(worker, conn);
    }
}
