/*
 * turn.c - see worker.h: one turn of the worker, from completions to sleep.
 *
 * The order inside a turn is what keeps it fair: live connections run before handshakes,
 * of which only a few run in a turn, because one costs as much CPU as a thousand requests;
 * and each connection runs once, within its budget.
 */
#include "protocol/check.h"
#include "protocol/status.h"
#include "server/base/log.h"
#include "server/net/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Session checks are spread over so many slices of session_check_ms. */
enum { SWEEP_SLICES = 8, ACCEPT_RETRY_MS = 100, BUFFERS_LOW_DIVISOR = 4 };

/* ---- accepting -------------------------------------------------------------------------- */

/* The listener's events carry the slot behind the last connection's. */
static struct loop_key
listener_key(const struct worker *worker)
{
    return (struct loop_key){.slot = worker->config.connections_max};
}

/* Cheapest question first; the dearest, the peer's address, costs a system call. */
static bool
admit(struct worker *worker, int fd)
{
    const uint32_t handshakes = counters_level(&worker->counters.handshakes);
    struct source_prefix prefix;

    if (worker->free_slots_count == 0) {
        worker_count(worker, NET_REFUSED_FULL, 1);
        return false;
    }
    if (handshakes >= worker->config.handshakes_max) {
        worker_count(worker, NET_REFUSED_HANDSHAKES, 1);
        return false;
    }
    if (!admission_take(&worker->admission, worker->now_ns)) {
        worker_count(worker, NET_REFUSED_RATE, 1);
        return false;
    }
    if (worker->config.prefix_accepts_per_s > 0) {
        prefix = listener_prefix(fd);
        if (!admission_take_prefix(&worker->admission, &prefix, worker->now_ns)) {
            worker_count(worker, NET_REFUSED_RATE, 1);
            return false;
        }
    }
    return true;
}

static void
accepted_socket(struct worker *worker, int fd)
{
    uint32_t slot;

    if (worker->draining || !admit(worker, fd)) {
        loop_close_fd(worker->loop, fd);
        return;
    }
    slot = worker->free_slots[worker->free_slots_count - 1];
    if (!conn_open(worker, &worker->conns[slot], fd)) {
        worker_count(worker, NET_REFUSED_FULL, 1);
        return;
    }
    worker->free_slots_count--;
    if (slot >= worker->slots_used) {
        worker->slots_used = slot + 1;
    }
    worker_count(worker, NET_ACCEPTED, 1);
}

static void
accept_arm(struct worker *worker)
{
    loop_accept(worker->loop, worker->listener.fd, listener_key(worker));
    worker->accept_retry_ns = 0;
}

static void
accept_failed(struct worker *worker, int error)
{
    worker_count(worker, NET_ACCEPT_ERRORS, 1);
    /* The peer's doing: go on at once, so that resets cannot keep others out. */
    if (error == ECONNABORTED || error == EPROTO || error == EINTR) {
        accept_arm(worker);
        return;
    }
    if (worker_may_log(worker)) {
        log_line(LOG_LEVEL_WARN, "accept_failed", "error=\"%s\"", strerrordesc_np(error));
    }
    worker->accept_retry_ns = worker_in_ms(worker, ACCEPT_RETRY_MS);
}

static void
book_accept(struct worker *worker, const struct loop_event *event)
{
    if (event->result >= 0) {
        accepted_socket(worker, event->result);
    }
    if (!event->ended || worker->draining) {
        return;
    }
    if (event->result >= 0) {
        accept_arm(worker);
    } else {
        accept_failed(worker, -event->result);
    }
}

/* ---- booking completions ---------------------------------------------------------------- */

static void
book_conn(struct worker *worker, const struct loop_event *event)
{
    struct conn *const conn = &worker->conns[event->key.slot];

    CHECK(event->key.slot < worker->config.connections_max);
    /* A slot is freed only after all of its completions: a stale one is our bug. */
    CHECK(conn->generation == event->key.generation);
    CHECK(conn->state != CONN_FREE);

    if (event->kind == LOOP_RECV) {
        conn_received(worker, conn, event);
    } else if (event->kind == LOOP_SEND) {
        conn_sent(worker, conn, event);
    } else {
        CHECK(event->kind == LOOP_CANCEL);
        CHECK(conn->flight.cancels > 0);
        conn->flight.cancels--;
        worker_queue(worker, conn);
    }
    conn_reap(worker, conn);
}

static void
book(struct worker *worker, const struct loop_event *event)
{
    switch (event->kind) {
    case LOOP_WAKE:
        break;
    case LOOP_ACCEPT:
        book_accept(worker, event);
        break;
    case LOOP_RECV:
    case LOOP_SEND:
    case LOOP_CANCEL:
        book_conn(worker, event);
        break;
    }
}

/* ---- running connections ---------------------------------------------------------------- */

/* At most `runs` of those queued now: what they queue again waits for the next turn. */
static void
run_queued(struct worker *worker, struct slot_queue *queue, uint32_t runs)
{
    for (; runs > 0 && queue->count > 0; runs--) {
        struct conn *const conn = &worker->conns[slot_queue_take(queue)];

        if (conn->state != CONN_FREE) {
            conn_run(worker, conn);
            conn_reap(worker, conn);
        }
    }
}

/* Those who waited for receive buffers or blocks, when there are some again. */
static void
requeue_waiting(struct worker *worker)
{
    const uint32_t low = worker->config.buffers_count / BUFFERS_LOW_DIVISOR;
    uint32_t count = worker->starved.count;

    if (loop_buffers_free(worker->loop) > low) {
        for (; count > 0; count--) {
            struct conn *const conn = &worker->conns[slot_queue_take(&worker->starved)];

            conn_arm_recv(worker, conn);
        }
    }
    count = worker->blockless.count;
    if (worker->blocks.free_count >= WORKER_BLOCKS_RESERVE) {
        for (; count > 0; count--) {
            worker_queue(worker, &worker->conns[slot_queue_take(&worker->blockless)]);
        }
    }
}

/* ---- time ------------------------------------------------------------------------------- */

/*
 * Deadlines are an array with one entry a slot: a scan of 10,000 takes microseconds and
 * happens only when one is due, and setting one, which happens all the time, is a store.
 */
static void
check_deadlines(struct worker *worker)
{
    uint64_t next_ns = UINT64_MAX;

    if (worker->deadline_next_ns > worker->now_ns) {
        return;
    }
    for (uint32_t i = 0; i < worker->slots_used; i++) {
        if (worker->deadlines_ns[i] <= worker->now_ns) {
            conn_check_deadlines(worker, &worker->conns[i]);
        }
        if (worker->deadlines_ns[i] < next_ns) {
            next_ns = worker->deadlines_ns[i];
        }
    }
    worker->deadline_next_ns = next_ns;
}

/* Ask of a slice of the ready sessions whether their principals still stand. */
static void
check_sessions(struct worker *worker)
{
    const uint32_t slice = worker->slots_used / SWEEP_SLICES + 1;

    if (worker->now_ns < worker->sweep_ns) {
        return;
    }
    for (uint32_t i = 0; i < slice; i++) {
        struct conn *const conn = &worker->conns[worker->sweep_slot];

        if (conn->state == CONN_READY &&
            !worker->port.on_session_check(worker->port.context, &conn->session)) {
            conn_fail(worker, conn, NET_CLOSED_REVOKED, ZR_STATUS_UNAUTHENTICATED, 0);
        }
        worker->sweep_slot++;
        if (worker->sweep_slot >= worker->slots_used) {
            worker->sweep_slot = 0;
        }
    }
    worker->sweep_ns = worker->now_ns + worker->config.session_check_ms * 1000000U / SWEEP_SLICES;
}

static uint64_t
earliest(uint64_t one_ns, uint64_t other_ns)
{
    return one_ns < other_ns ? one_ns : other_ns;
}

static uint64_t
turn_wait_ns(const struct worker *worker)
{
    uint64_t next_ns = worker->deadline_next_ns;
    uint64_t now_ns;

    if (worker->runnable.count > 0 || worker->handshakes.count > 0) {
        return 0;
    }
    now_ns = loop_now_ns(worker->loop);
    if (now_ns - worker->active_ns < worker->config.spin_us * 1000ULL) {
        return 0;
    }
    if (counters_level(&worker->counters.ready) > 0) {
        next_ns = earliest(next_ns, worker->sweep_ns);
    }
    if (worker->accept_retry_ns != 0) {
        next_ns = earliest(next_ns, worker->accept_retry_ns);
    }
    if (worker->draining) {
        next_ns = earliest(next_ns, worker->drain_end_ns);
    }
    if (next_ns == UINT64_MAX) {
        return LOOP_WAIT_FOREVER;
    }
    return next_ns > now_ns ? next_ns - now_ns : 0;
}

/* ---- the turn --------------------------------------------------------------------------- */

enum status
worker_turn(struct worker *worker)
{
    uint32_t count = 0;
    enum status status;

    status = loop_wait(worker->loop, worker->events, &count, turn_wait_ns(worker));
    if (status != STATUS_OK) {
        return status;
    }
    worker->turn++;
    worker->now_ns = loop_now_ns(worker->loop);
    worker_count(worker, NET_TURNS, 1);
    worker_count(worker, NET_CQ_OVERFLOWS, loop_overflows(worker->loop));
    if (count > 0) {
        worker->active_ns = worker->now_ns;
    }
    for (uint32_t i = 0; i < count; i++) {
        book(worker, &worker->events[i]);
    }
    worker->port.on_turn_begin(worker->port.context, worker->now_ns);
    run_queued(worker, &worker->runnable, worker->runnable.count);
    run_queued(worker, &worker->handshakes, worker->config.handshakes_per_turn);
    worker->port.on_turn_end(worker->port.context);

    check_deadlines(worker);
    if (worker->slots_used > 0) {
        check_sessions(worker);
    }
    if (worker->accept_retry_ns != 0 && worker->accept_retry_ns <= worker->now_ns &&
        !worker->draining) {
        accept_arm(worker);
    }
    requeue_waiting(worker);
    return STATUS_OK;
}

void
worker_accept(struct worker *worker)
{
    CHECK(worker->listener.fd >= 0);
    accept_arm(worker);
    worker->now_ns = loop_now_ns(worker->loop);
}

void
worker_drain(struct worker *worker, uint32_t drain_ms)
{
    const bool began = !worker->draining;
    uint64_t end_ns;

    worker->now_ns = loop_now_ns(worker->loop);
    end_ns = worker_in_ms(worker, drain_ms);
    worker->drain_end_ns = began ? end_ns : earliest(end_ns, worker->drain_end_ns);
    if (!began) {
        return;
    }
    worker->draining = true;
    worker->accept_retry_ns = 0;
    /* Ends the accept too; who is in the backlog is reset and tries another endpoint. */
    loop_shutdown(worker->loop, worker->listener.fd, SHUT_RDWR);
    for (uint32_t i = 0; i < worker->slots_used; i++) {
        conn_drain(worker, &worker->conns[i], drain_ms);
    }
}

void
worker_kill_all(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->slots_used; i++) {
        if (worker->conns[i].state != CONN_FREE) {
            conn_kill(worker, &worker->conns[i], NET_CLOSED_DRAIN);
        }
    }
}
