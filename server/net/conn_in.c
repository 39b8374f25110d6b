/*
 * conn_in.c - see conn.h: from received bytes to whole frames.
 *
 *   inbox ->  TLS ->  worker->plain ->  cutter ->  the session's rules ->  dispatch
 *
 * One run of a connection opens at most records_per_turn records and hands up at most
 * requests_per_turn frames. What is left over is kept and the connection queued again: there
 * will be no completion for bytes that OpenSSL has read already, so forgetting to queue it
 * would stall it for good.
 */
#include "protocol/bytes.h"
#include "protocol/check.h"
#include "protocol/message.h"
#include "protocol/status.h"
#include "server/base/log.h"
#include "server/net/conn.h"
#include "server/net/worker.h"

#include <errno.h>
#include <string.h>

enum { KEY_UPDATES_MAX = 8 };

static const uint64_t key_updates_window_ns = 10ULL * 1000000000U;

/* Whether the run of a connection goes on, or why it stopped. */
enum run_stop {
    RUN_GOES_ON,
    RUN_WANTS_BYTES, /* All that came is used: the peer's move. */
    RUN_BUDGET,      /* Its share of this turn is used: go on in the next. */
    RUN_OVER,        /* Paused, closing or dead. */
};

/* Opened bytes of the running connection: worker->plain[at..length). */
struct run {
    uint32_t at;
    uint32_t length;
    uint32_t ahead; /* Up to there on_frames_ahead was told. */
    uint32_t records_left;
    uint32_t requests_left;
};

/* ---- receiving -------------------------------------------------------------------------- */

void
conn_arm_recv(struct worker *worker, struct conn *conn)
{
    const bool full = conn->inbox.count >= WORKER_INBOX_MAX;

    if (conn->flight.recv || conn->flight.cancels > 0 || conn->eof || conn->paused || full) {
        return;
    }
    if (conn->state == CONN_FREE || conn->state == CONN_DEAD ||
        worker->starved.queued[conn->slot]) {
        return;
    }
    loop_recv(worker->loop, conn->fd, conn_key(conn));
    conn->flight.recv = true;
}

/* Stop receiving when the connection may not or cannot take more. */
static void
throttle(struct worker *worker, struct conn *conn)
{
    const bool full = conn->inbox.count >= WORKER_INBOX_MAX;

    if (conn->flight.recv && conn->flight.cancels == 0 && (conn->paused || full)) {
        loop_cancel(worker->loop, conn->fd, conn_key(conn));
        conn->flight.cancels++;
    }
}

static void
received_bytes(struct worker *worker, struct conn *conn, const struct loop_event *event)
{
    worker_count(worker, NET_BYTES_IN, (uint64_t)event->result);
    if (conn->state >= CONN_DRAINING) {
        loop_buffer_give(worker->loop, event->buffer);
        conn_arm_recv(worker, conn);
        return;
    }
    inbox_put(&conn->inbox, &worker->inbox_links, worker->loop, event);
    if (conn->state == CONN_HANDSHAKE) {
        conn->handshake_in += (uint32_t)event->result;
        if (conn->handshake_in > TLS_HANDSHAKE_IN_MAX) {
            conn_kill(worker, conn, NET_CLOSED_HANDSHAKE_FAILED);
            return;
        }
    }
    throttle(worker, conn);
    worker_queue(worker, conn);
}

void
conn_received(struct worker *worker, struct conn *conn, const struct loop_event *event)
{
    CHECK(event->kind == LOOP_RECV);
    CHECK(conn->flight.recv);

    conn->flight.recv = !event->ended;
    if (event->result > 0) {
        received_bytes(worker, conn, event);
    } else if (conn->state == CONN_DEAD || event->result == -ECANCELED) {
        worker_queue(worker, conn); /* To be reaped, or armed again. */
    } else if (event->result == -ENOBUFS) {
        worker_count(worker, NET_NOBUFS, 1);
        slot_queue_put(&worker->starved, conn->slot);
    } else if (event->result == 0) {
        conn->eof = true;
        worker_queue(worker, conn);
    } else {
        conn_kill(worker, conn, NET_CLOSED_RESET);
    }
}

/* ---- handshake -------------------------------------------------------------------------- */

static void
handshake_failed(struct worker *worker, struct conn *conn)
{
    if (worker_may_log(worker)) {
        log_line(LOG_LEVEL_INFO, "handshake_failed", "error=\"%s\"", tls_error());
    }
    conn_end(worker, conn, NET_CLOSED_HANDSHAKE_FAILED); /* An alert may be on its way. */
}

static void
handshake_done(struct worker *worker, struct conn *conn)
{
    if (!tls_identify(&conn->tls, &worker->tls, &conn->session.peer)) {
        conn_fail(worker, conn, NET_CLOSED_HANDSHAKE_FAILED, ZR_STATUS_UNAUTHENTICATED, 0);
        return;
    }
    worker_count(worker, NET_HANDSHAKES_DONE, 1);
    conn_move(worker, conn, CONN_HELLO);
    conn->deadlines.state_ns = worker_in_ms(worker, worker->config.hello_ms);
}

/* One call into OpenSSL; what it says goes to the outbox, up to the bound for strangers. */
static enum tls_result
handshake_step(struct worker *worker, struct conn *conn)
{
    enum tls_result result;

    CHECK(conn->handshake_out <= TLS_HANDSHAKE_OUT_MAX);
    tls_room(&conn->tls, worker->aside, TLS_HANDSHAKE_OUT_MAX - conn->handshake_out);
    result = tls_accept(&conn->tls);
    if (conn->tls.out_length > 0) {
        conn->handshake_out += (uint32_t)conn->tls.out_length;
        if (!conn_append_sealed(worker, conn, worker->aside, conn->tls.out_length)) {
            return TLS_FAILED;
        }
    }
    return result;
}

static void
handshake(struct worker *worker, struct conn *conn)
{
    struct inbox_link lent;

    while (inbox_next(&conn->inbox, &worker->inbox_links, worker->loop, &lent)) {
        enum tls_result result;

        tls_lend(&conn->tls, lent.bytes, lent.length);
        result = handshake_step(worker, conn);
        if (result == TLS_DONE) {
            handshake_done(worker, conn);
            return;
        }
        if (result != TLS_MORE) {
            handshake_failed(worker, conn);
            return;
        }
    }
    if (conn->eof) {
        conn_kill(worker, conn, NET_CLOSED_HANDSHAKE_FAILED);
    }
}

/* ---- frames ----------------------------------------------------------------------------- */

/* The rules of the session, in the order of outcomes.def. OK: the frame may go up. */
static enum zr_status_code
frame_judge(const struct worker *worker, const struct conn *conn, const struct zr_header *header)
{
    const bool ready = conn->state == CONN_READY;
    const uint32_t credit = ready ? conn->session.credit : 1;
    const uint32_t unsent = conn->replied_turn == worker->turn ? conn->replied : 0;

    if ((header->op & ZR_OP_RESPONSE) != 0) {
        return ZR_STATUS_BAD_FRAME;
    }
    if ((header->op == ZR_OP_HELLO) == ready) {
        return ZR_STATUS_HELLO_EXPECTED;
    }
    if (header->id <= conn->session.last_id) {
        return ZR_STATUS_BAD_ID;
    }
    /* Replies of this turn have not left: a peer that keeps to its credit awaits them too. */
    if (conn->in_flight + unsent >= credit) {
        return ZR_STATUS_CREDIT_EXCEEDED;
    }
    return ZR_STATUS_OK;
}

static void
frame_violates(struct worker *worker, struct conn *conn, enum zr_status_code status, uint64_t id)
{
    worker_count(worker, NET_FRAMES_BAD, 1);
    if (worker_may_log(worker)) {
        log_line(LOG_LEVEL_INFO, "violation", "status=%s san=\"%s\" id=%llu",
                 zr_status_code_name((uint16_t)status), conn->session.peer.san,
                 (unsigned long long)id);
    }
    conn_fail(worker, conn, NET_CLOSED_VIOLATION, (uint16_t)status, id);
}

static void
frame_answered(struct worker *worker, struct conn *conn, const struct zr_builder *reply)
{
    CHECK(!reply->failed);
    if (conn->replied_turn != worker->turn) {
        conn->replied_turn = worker->turn;
        conn->replied = 0;
    }
    conn->replied++;
    (void)conn_append(worker, conn, reply->bytes, reply->length);
}

/* HELLO was accepted, now or in a deferred reply. */
void
conn_check_ready(struct worker *worker, struct conn *conn)
{
    if (conn->state != CONN_HELLO || !conn->session.ready) {
        return;
    }
    CHECK(conn->session.credit > 0);
    CHECK(conn->session.frame_bytes_max >= ZR_HEADER_BYTES);
    CHECK(conn->session.frame_bytes_max <= ZR_FRAME_BYTES_LIMIT);
    conn_move(worker, conn, CONN_READY);
}

static void
frame_up(struct worker *worker, struct conn *conn, const struct zr_header *header,
         const uint8_t *frame)
{
    const struct request request = {
        .conn = {.slot = conn->slot, .generation = conn->generation},
        .session = &conn->session,
        .header = *header,
        .frame = frame,
        .received_ns = worker->now_ns,
    };
    const enum zr_status_code judged = frame_judge(worker, conn, header);
    struct zr_builder reply;

    if (judged != ZR_STATUS_OK) {
        frame_violates(worker, conn, judged, header->id);
        return;
    }
    worker_count(worker, NET_FRAMES_IN, 1);
    conn->session.last_id = header->id;
    conn->deadlines.idle_ns = worker_in_ms(worker, worker->config.idle_ms);
    zr_builder_init(&reply, worker->reply, ZR_FRAME_BYTES_LIMIT);
    switch (worker->port.on_frame(worker->port.context, &request, &reply)) {
    case FRAME_REPLIED:
        conn_check_ready(worker, conn);
        frame_answered(worker, conn, &reply);
        break;
    case FRAME_DEFERRED:
        conn->in_flight++;
        break;
    case FRAME_CLOSE:
        frame_answered(worker, conn, &reply);
        conn_end(worker, conn, NET_CLOSED_REFUSED);
        break;
    }
}

static bool
conn_takes_frames(const struct conn *conn)
{
    return (conn->state == CONN_HELLO || conn->state == CONN_READY) && !conn->paused;
}

/* Tell of the whole frames that stand in worker->plain; of one alone there is nothing to tell. */
static void
run_look_ahead(struct worker *worker, const struct conn *conn, struct run *run)
{
    const uint8_t *frames[FRAMES_AHEAD_MAX];
    struct zr_header header;
    size_t count = 0;

    run->ahead = run->at;
    while (count < FRAMES_AHEAD_MAX &&
           zr_frame_cut(&header, worker->plain + run->ahead, run->length - run->ahead,
                        conn->session.frame_bytes_max) == ZR_CUT_FRAME) {
        frames[count++] = worker->plain + run->ahead;
        run->ahead += header.size;
    }
    if (count > 1) {
        worker->port.on_frames_ahead(worker->port.context, frames, count);
    }
}

/* Hand up the whole frames in worker->plain. WANTS_BYTES: at most a partial one is left. */
static enum run_stop
run_frames(struct worker *worker, struct conn *conn, struct run *run)
{
    while (conn_takes_frames(conn)) {
        const uint8_t *const frame = worker->plain + run->at;
        const uint32_t frame_max = conn->state == CONN_READY ? conn->session.frame_bytes_max
                                                             : (uint32_t)ZR_HELLO_BYTES_MAX;
        struct zr_header header;

        switch (zr_frame_cut(&header, frame, run->length - run->at, frame_max)) {
        case ZR_CUT_INCOMPLETE:
            return RUN_WANTS_BYTES;
        case ZR_CUT_BAD:
            frame_violates(worker, conn, ZR_STATUS_BAD_FRAME, 0);
            return RUN_OVER;
        case ZR_CUT_FRAME:
            break;
        }
        if (run->requests_left == 0) {
            return RUN_BUDGET;
        }
        if (conn_backlog(conn) >= worker->config.out_bytes_high) {
            conn->paused = true;
            worker_count(worker, NET_PAUSES, 1);
            return RUN_OVER;
        }
        run->requests_left--;
        if (run->at >= run->ahead && conn->state == CONN_READY &&
            worker->port.on_frames_ahead != NULL) {
            run_look_ahead(worker, conn, run);
        }
        frame_up(worker, conn, &header, frame);
        run->at += header.size;
    }
    return RUN_OVER;
}

/* ---- records ---------------------------------------------------------------------------- */

/* The peer said close_notify: answer what is in flight, then do the same. */
static void
peer_closed(struct worker *worker, struct conn *conn)
{
    if (conn->state == CONN_READY && conn->in_flight > 0) {
        conn->ended = true;
        conn->reason = NET_CLOSED_PEER;
        worker_count(worker, NET_CLOSED_PEER, 1);
        conn_move(worker, conn, CONN_DRAINING);
        conn->deadlines.state_ns = worker_in_ms(worker, worker->config.write_ms);
        return;
    }
    conn_end(worker, conn, NET_CLOSED_PEER);
}

/* More than eight key updates in ten seconds make us work, and nothing else. */
static bool
key_updates_allowed(struct worker *worker, struct conn *conn)
{
    if (conn->tls.key_updates == conn->updates_counted) {
        return true;
    }
    if (worker->now_ns - conn->updates_ns > key_updates_window_ns) {
        conn->updates_ns = worker->now_ns;
        conn->updates_counted = conn->tls.key_updates - 1;
    }
    return conn->tls.key_updates - conn->updates_counted <= KEY_UPDATES_MAX;
}

/* Nothing more is lent: either the peer has more to say, or it is gone without a goodbye. */
static enum run_stop
run_out_of_bytes(struct worker *worker, struct conn *conn)
{
    if (conn->eof) {
        conn_kill(worker, conn, NET_CLOSED_CUT);
        return RUN_OVER;
    }
    return RUN_WANTS_BYTES;
}

/* What OpenSSL made of one call. */
static enum run_stop
record_judge(struct worker *worker, struct conn *conn, enum tls_result result)
{
    struct inbox_link lent;

    switch (result) {
    case TLS_DONE:
        return RUN_GOES_ON;
    case TLS_MORE:
        if (!inbox_next(&conn->inbox, &worker->inbox_links, worker->loop, &lent)) {
            return run_out_of_bytes(worker, conn);
        }
        tls_lend(&conn->tls, lent.bytes, lent.length);
        return RUN_GOES_ON;
    case TLS_CLOSED:
        peer_closed(worker, conn);
        return RUN_OVER;
    case TLS_FAILED:
        conn_end(worker, conn, NET_CLOSED_TLS_BROKEN);
        return RUN_OVER;
    }
    return RUN_OVER;
}

/* Open one record behind what is left of the last. */
static enum run_stop
run_record(struct worker *worker, struct conn *conn, struct run *run)
{
    enum tls_result result = TLS_MORE;
    size_t opened = 0;

    if (run->at > 0) {
        memmove(worker->plain, worker->plain + run->at, run->length - run->at);
        run->length -= run->at;
        run->at = 0;
        run->ahead = 0;
    }
    if (tls_has_input(&conn->tls)) {
        tls_room(&conn->tls, worker->aside, TLS_HANDSHAKE_OUT_MAX);
        result = tls_open(&conn->tls, worker->plain + run->length, WORKER_PLAIN_BYTES - run->length,
                          &opened);
        if (conn->tls.out_length > 0 &&
            !conn_append_sealed(worker, conn, worker->aside, conn->tls.out_length)) {
            return RUN_OVER;
        }
        if (!key_updates_allowed(worker, conn)) {
            frame_violates(worker, conn, ZR_STATUS_BAD_FRAME, 0);
            return RUN_OVER;
        }
    }
    if (opened > 0) {
        run->length += (uint32_t)opened;
        run->records_left--;
        worker_count(worker, NET_RECORDS_IN, 1);
    }
    return record_judge(worker, conn, result);
}

/* ---- a run ------------------------------------------------------------------------------ */

/* Bytes that an earlier run opened and could not use. */
static void
run_restore(struct worker *worker, struct conn *conn, struct run *run)
{
    *run = (struct run){
        .records_left = worker->config.records_per_turn,
        .requests_left = worker->config.requests_per_turn,
    };
    if (conn->plain_in != BLOCK_NONE) {
        CHECK(conn->plain_in_length > 0);
        memcpy(worker->plain, blocks_bytes(&worker->blocks, conn->plain_in), conn->plain_in_length);
        run->length = conn->plain_in_length;
        blocks_give(&worker->blocks, conn->plain_in);
        conn->plain_in = BLOCK_NONE;
        conn->plain_in_length = 0;
    }
}

static void
run_keep(struct worker *worker, struct conn *conn, const struct run *run)
{
    const uint32_t left = run->length - run->at;

    CHECK(left <= BLOCK_BYTES);
    if (left == 0 || conn->state >= CONN_DRAINING) {
        return;
    }
    conn->plain_in = blocks_take(&worker->blocks);
    if (conn->plain_in == BLOCK_NONE) {
        conn_kill(worker, conn, NET_CLOSED_MEMORY);
        return;
    }
    memcpy(blocks_bytes(&worker->blocks, conn->plain_in), worker->plain + run->at, left);
    conn->plain_in_length = left;
}

/* A frame that has begun must end in time; bytes that we do not want yet need not. */
static void
run_set_frame_deadline(struct worker *worker, struct conn *conn, bool wants_bytes, bool progress)
{
    const bool partial = conn->plain_in_length > 0 || tls_has_partial(&conn->tls);

    if (!wants_bytes || !partial) {
        conn->deadlines.frame_ns = 0;
    } else if (conn->deadlines.frame_ns == 0 || progress) {
        conn->deadlines.frame_ns = worker_in_ms(worker, worker->config.frame_ms);
    }
}

static void
conn_read(struct worker *worker, struct conn *conn)
{
    enum run_stop stop;
    struct run run;

    run_restore(worker, conn, &run);
    do {
        stop = run_frames(worker, conn, &run);
        if (stop != RUN_WANTS_BYTES) {
            break;
        }
        if (run.records_left == 0) {
            stop = RUN_BUDGET;
            break;
        }
        stop = run_record(worker, conn, &run);
    } while (stop == RUN_GOES_ON);
    run_keep(worker, conn, &run);
    if (conn->state >= CONN_DRAINING) {
        return;
    }
    if (stop == RUN_BUDGET) {
        worker_count(worker, NET_REQUEUES, 1);
        worker_queue(worker, conn);
    }
    run_set_frame_deadline(worker, conn, stop == RUN_WANTS_BYTES,
                           run.requests_left < worker->config.requests_per_turn);
}

/* False: blocks are short, and running it might leave it with half a reply. */
static bool
blocks_suffice(struct worker *worker, const struct conn *conn)
{
    if (worker->blocks.free_count >= WORKER_BLOCKS_RESERVE) {
        return true;
    }
    worker_count(worker, NET_BLOCKS_SHORT, 1);
    slot_queue_put(&worker->blockless, conn->slot);
    return false;
}

void
conn_run(struct worker *worker, struct conn *conn)
{
    CHECK(conn->state != CONN_FREE);

    if (conn->state == CONN_HANDSHAKE) {
        handshake(worker, conn);
    }
    if (conn_takes_frames(conn) && blocks_suffice(worker, conn)) {
        conn_read(worker, conn);
    }
    if (conn->state >= CONN_DRAINING) {
        tls_drop(&conn->tls);
        inbox_clear(&conn->inbox, &worker->inbox_links, worker->loop);
    }
    if (conn->state == CONN_LINGER && conn->eof) {
        conn_kill(worker, conn, conn->reason);
    }
    conn_flush(worker, conn);
    if (conn->state != CONN_DEAD) {
        throttle(worker, conn);
        conn_arm_recv(worker, conn);
        conn_set_deadline(worker, conn);
    }
}
