/*
 * conn_out.c - see conn.h: from replies to the socket.
 *
 *   conn_append   frames ->  plain_out, one block of plain bytes
 *   seal          plain_out ->  outbox, records of up to 16 KiB
 *   send          outbox ->  socket, one send at a time
 *
 * All replies of a turn go into one seal and one send: at 16 requests in flight, a seal and a
 * send for each reply cost ten times the CPU (performance.md).
 */
#include "protocol/bytes.h"
#include "protocol/check.h"
#include "server/net/conn.h"
#include "server/net/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { CREDIT_AT = 22 }; /* Offset in the header (frame.h). */

uint32_t
conn_backlog(const struct conn *conn)
{
    return conn->outbox.bytes + conn->plain_out_length;
}

/* Seal the first `count` plain bytes. False: the connection was killed. */
static bool
seal_part(struct worker *worker, struct conn *conn, const uint8_t *plain, size_t count)
{
    struct outbox *const outbox = &conn->outbox;
    size_t room;
    uint8_t *const out =
        outbox_room(outbox, &worker->outbox_store, count + TLS_RECORD_OVERHEAD_MAX, &room);

    CHECK(count <= TLS_RECORD_PLAIN_MAX);
    if (out == NULL) {
        conn_kill(worker, conn, NET_CLOSED_MEMORY);
        return false;
    }
    tls_room(&conn->tls, out, room);
    if (tls_seal(&conn->tls, plain, count) != TLS_DONE) {
        outbox_commit(outbox, &worker->outbox_store, 0);
        conn_kill(worker, conn, NET_CLOSED_TLS_BROKEN);
        return false;
    }
    outbox_commit(outbox, &worker->outbox_store, conn->tls.out_length);
    worker_count(worker, NET_RECORDS_OUT, 1);
    return true;
}

/* Seal whole records, and with `all` what is left. False: the connection was killed. */
static bool
seal(struct worker *worker, struct conn *conn, bool all)
{
    uint8_t *plain;
    uint32_t done = 0;

    if (conn->plain_out == BLOCK_NONE) {
        return true;
    }
    plain = blocks_bytes(&worker->blocks, conn->plain_out);
    while (conn->plain_out_length - done >= (all ? 1U : (uint32_t)TLS_RECORD_PLAIN_MAX)) {
        const uint32_t left = conn->plain_out_length - done;
        const uint32_t part = left < TLS_RECORD_PLAIN_MAX ? left : (uint32_t)TLS_RECORD_PLAIN_MAX;

        if (!seal_part(worker, conn, plain + done, part)) {
            return false;
        }
        done += part;
    }
    conn->plain_out_length -= done;
    if (conn->plain_out_length == 0) {
        blocks_give(&worker->blocks, conn->plain_out);
        conn->plain_out = BLOCK_NONE;
    } else if (done > 0) {
        memmove(plain, plain + done, conn->plain_out_length);
    }
    return true;
}

bool
conn_append(struct worker *worker, struct conn *conn, const uint8_t *frame, size_t bytes)
{
    uint8_t *at;

    CHECK(conn->tls.established);
    CHECK(bytes >= ZR_HEADER_BYTES);
    CHECK(bytes <= ZR_FRAME_BYTES_LIMIT);
    CHECK(bytes == zr_load_u32(frame));

    if (conn_backlog(conn) + bytes > worker->config.out_bytes_max) {
        conn_kill(worker, conn, NET_CLOSED_MEMORY);
        return false;
    }
    if (conn->plain_out == BLOCK_NONE) {
        conn->plain_out = blocks_take(&worker->blocks);
        if (conn->plain_out == BLOCK_NONE) {
            conn_kill(worker, conn, NET_CLOSED_MEMORY);
            return false;
        }
    }
    /* There is always room: above one record it is sealed at once. */
    CHECK(conn->plain_out_length + bytes <= BLOCK_BYTES);
    at = blocks_bytes(&worker->blocks, conn->plain_out) + conn->plain_out_length;
    memcpy(at, frame, bytes);
    zr_store_u16(at + CREDIT_AT, conn->session.credit);
    conn->plain_out_length += (uint32_t)bytes;
    worker_count(worker, NET_FRAMES_OUT, 1);
    return conn->plain_out_length < TLS_RECORD_PLAIN_MAX || seal(worker, conn, false);
}

bool
conn_append_sealed(struct worker *worker, struct conn *conn, const uint8_t *bytes,
                   size_t bytes_count)
{
    size_t room;
    uint8_t *out;

    CHECK(bytes_count > 0);
    out = outbox_room(&conn->outbox, &worker->outbox_store, bytes_count, &room);
    if (out == NULL) {
        conn_kill(worker, conn, NET_CLOSED_MEMORY);
        return false;
    }
    memcpy(out, bytes, bytes_count);
    outbox_commit(&conn->outbox, &worker->outbox_store, bytes_count);
    return true;
}

/* ---- sending ---------------------------------------------------------------------------- */

static void
send_next(struct worker *worker, struct conn *conn)
{
    const uint8_t *bytes;
    size_t count;

    CHECK(!conn->flight.send);
    CHECK(conn->state != CONN_DEAD);

    bytes = outbox_front(&conn->outbox, &worker->outbox_store, &count);
    loop_send(worker->loop, conn->fd, conn_key(conn), bytes, count);
    conn->flight.send = true;
    conn->send_bytes = (uint32_t)count;
    worker_count(worker, NET_SENDS, 1);
    if (conn->deadlines.write_ns == 0) {
        conn->deadlines.write_ns = worker_in_ms(worker, worker->config.write_ms);
    }
}

/* All that there was to say is in the outbox: add close_notify, once. */
static void
finish(struct worker *worker, struct conn *conn)
{
    conn->finished = true;
    tls_room(&conn->tls, worker->aside, TLS_HANDSHAKE_OUT_MAX);
    tls_finish(&conn->tls);
    if (conn->tls.out_length > 0) {
        (void)conn_append_sealed(worker, conn, worker->aside, conn->tls.out_length);
    }
}

static void
linger(struct worker *worker, struct conn *conn)
{
    if (conn->eof) {
        conn_kill(worker, conn, conn->reason);
        return;
    }
    loop_shutdown(worker->loop, conn->fd, SHUT_WR);
    conn_move(worker, conn, CONN_LINGER);
    conn->deadlines.state_ns = worker_in_ms(worker, worker->config.linger_ms);
    inbox_clear(&conn->inbox, &worker->inbox_links, worker->loop);
    conn_arm_recv(worker, conn);
}

void
conn_flush(struct worker *worker, struct conn *conn)
{
    CHECK(conn->state != CONN_FREE);

    if (conn->state == CONN_DEAD || !seal(worker, conn, true)) {
        return;
    }
    if (conn->state == CONN_DRAINING && conn->in_flight == 0) {
        conn_end(worker, conn, conn->reason);
    }
    if (conn->state == CONN_CLOSING && !conn->finished) {
        finish(worker, conn);
    }
    if (conn->state == CONN_DEAD || conn->flight.send) {
        return;
    }
    if (conn->outbox.bytes > 0) {
        send_next(worker, conn);
    } else if (conn->state == CONN_CLOSING) {
        linger(worker, conn);
    }
}

/* The socket took `count` bytes of what was asked. */
static void
sent_some(struct worker *worker, struct conn *conn, size_t count)
{
    CHECK(count <= conn->send_bytes);

    outbox_consume(&conn->outbox, &worker->outbox_store, count);
    worker_count(worker, NET_BYTES_OUT, count);
    if (count == conn->send_bytes) {
        conn->deadlines.write_ns = 0; /* The next send has its own time; the rest of one has not. */
    } else {
        worker_count(worker, NET_SENDS_SHORT, 1);
    }
    if (conn->outbox.bytes > 0) {
        send_next(worker, conn);
    }
    if (conn->paused && conn_backlog(conn) <= worker->config.out_bytes_low) {
        conn->paused = false;
        worker_queue(worker, conn);
    }
    if (conn->state == CONN_CLOSING && conn->outbox.bytes == 0) {
        worker_queue(worker, conn);
    }
}

void
conn_sent(struct worker *worker, struct conn *conn, const struct loop_event *event)
{
    CHECK(event->kind == LOOP_SEND);
    CHECK(conn->flight.send);

    conn->flight.send = false;
    if (conn->state == CONN_DEAD) {
        return;
    }
    if (event->result > 0) {
        sent_some(worker, conn, (size_t)event->result);
    } else if (event->result == -ECANCELED || event->result == -EINTR) {
        send_next(worker, conn); /* Cancelled beside a recv: nothing was taken. */
    } else {
        conn_kill(worker, conn, NET_CLOSED_RESET);
    }
    if (conn->state != CONN_DEAD) {
        conn_set_deadline(worker, conn);
    }
}
