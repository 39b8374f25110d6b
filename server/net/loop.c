/*
 * loop.c - see loop.h: submit, wait, translate completions.
 *
 * The hard idea is that DEFER_TASKRUN runs completions only when this thread enters the
 * kernel and asks for events, so loop_wait always enters, even when it does not wait. In
 * return nothing interrupts the turn: all that completes during it is collected next time.
 */
#include "server/net/loop.h"

#include "protocol/check.h"
#include "server/base/log.h"
#include "server/net/loop_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEY_SLOT_SHIFT = 8, KEY_GENERATION_SHIFT = 32, BUFFER_DEAD_FILL = 0xDB };

static void *
map_memory(size_t bytes)
{
    void *const memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

enum status
loop_open(struct loop **out, const struct loop_config *config)
{
    struct loop *loop;
    enum status status;

    CHECK(config->slots_count > 0);
    CHECK(config->slots_count < LOOP_SLOTS_MAX);
    CHECK(config->buffers_count > 0);
    CHECK(config->buffers_count <= LOOP_BUFFERS_MAX);
    CHECK((config->buffers_count & (config->buffers_count - 1)) == 0);

    status = loop_ring_probe();
    if (status != STATUS_OK) {
        return status;
    }
    loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return STATUS_IO;
    }
    loop->config = *config;
    loop->buffer_ring_bytes = config->buffers_count * sizeof(struct io_uring_buf);
    loop->buffers_bytes = (size_t)config->buffers_count * config->buffer_bytes;
    loop->buffer_ring = map_memory(loop->buffer_ring_bytes);
    loop->buffers = map_memory(loop->buffers_bytes);
    loop->buffer_out = calloc(config->buffers_count, sizeof *loop->buffer_out);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (loop->buffer_ring == NULL || loop->buffers == NULL || loop->buffer_out == NULL ||
        loop->wake_fd < 0) {
        log_line(LOG_LEVEL_ERROR, "loop_open_failed", "error=\"%s\"", strerrordesc_np(errno));
        loop_close(loop);
        return STATUS_IO;
    }
    *out = loop;
    return STATUS_OK;
}

void
loop_close(struct loop *loop)
{
    CHECK(loop != NULL);

    /* Leaving the ring cancels what is in flight; only then may its memory go. */
    if (loop->started) {
        io_uring_queue_exit(&loop->ring);
    }
    if (loop->wake_fd >= 0) {
        (void)close(loop->wake_fd);
    }
    if (loop->buffer_ring != NULL) {
        (void)munmap(loop->buffer_ring, loop->buffer_ring_bytes);
    }
    if (loop->buffers != NULL) {
        (void)munmap(loop->buffers, loop->buffers_bytes);
    }
    free(loop->buffer_out);
    free(loop);
}

size_t
loop_memory_bytes(const struct loop *loop)
{
    return sizeof *loop + loop->buffer_ring_bytes + loop->buffers_bytes +
           loop->config.buffers_count * sizeof *loop->buffer_out;
}

uint64_t
loop_now_ns(const struct loop *loop)
{
    struct timespec now;

    (void)loop;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t
loop_overflows(struct loop *loop)
{
    const uint64_t overflows = loop->overflows;

    loop->overflows = 0;
    return overflows;
}

uint32_t
loop_buffers_free(const struct loop *loop)
{
    CHECK(loop->buffers_out <= loop->config.buffers_count);
    return loop->config.buffers_count - loop->buffers_out;
}

/* ---- starting operations --------------------------------------------------------------- */

/* A submission entry. A full queue is emptied into the kernel, which takes it at once. */
static struct io_uring_sqe *
sqe_take(struct loop *loop)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

    for (int tries = 0; sqe == NULL; tries++) {
        CHECK(tries < 1000);
        (void)io_uring_submit(&loop->ring);
        sqe = io_uring_get_sqe(&loop->ring);
    }
    return sqe;
}

static uint64_t
key_pack(enum loop_event_kind kind, struct loop_key key)
{
    CHECK(key.slot < LOOP_SLOTS_MAX);
    return (uint64_t)kind | (uint64_t)key.slot << KEY_SLOT_SHIFT |
           (uint64_t)key.generation << KEY_GENERATION_SHIFT;
}

static struct loop_key
key_unpack(uint64_t user_data)
{
    return (struct loop_key){
        .slot = (uint32_t)(user_data >> KEY_SLOT_SHIFT) & (LOOP_SLOTS_MAX - 1),
        .generation = (uint32_t)(user_data >> KEY_GENERATION_SHIFT),
    };
}

void
loop_accept(struct loop *loop, int listen_fd, struct loop_key key)
{
    struct io_uring_sqe *const sqe = sqe_take(loop);

    CHECK(listen_fd >= 0);
    /* No address: a multishot accept would write them all to one place. */
    io_uring_prep_multishot_accept(sqe, listen_fd, NULL, NULL, SOCK_CLOEXEC);
    sqe->user_data = key_pack(LOOP_ACCEPT, key);
}

void
loop_recv(struct loop *loop, int fd, struct loop_key key)
{
    struct io_uring_sqe *const sqe = sqe_take(loop);

    CHECK(fd >= 0);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = LOOP_BUFFER_GROUP;
    sqe->user_data = key_pack(LOOP_RECV, key);
}

void
loop_send(struct loop *loop, int fd, struct loop_key key, const uint8_t *bytes, size_t bytes_count)
{
    struct io_uring_sqe *const sqe = sqe_take(loop);

    CHECK(fd >= 0);
    CHECK(bytes_count > 0);
    /*
     * No MSG_WAITALL: a send that is cancelled has then either taken nothing or already
     * said how much it took, so the rest can be sent again.
     */
    io_uring_prep_send(sqe, fd, bytes, bytes_count, MSG_NOSIGNAL);
    sqe->user_data = key_pack(LOOP_SEND, key);
}

void
loop_cancel(struct loop *loop, int fd, struct loop_key key)
{
    struct io_uring_sqe *const sqe = sqe_take(loop);

    CHECK(fd >= 0);
    /* By descriptor: by user_data a multishot recv was reported not found while it lived. */
    io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
    sqe->user_data = key_pack(LOOP_CANCEL, key);
}

void
loop_shutdown(struct loop *loop, int fd, int how)
{
    (void)loop;
    CHECK(fd >= 0);
    /*
     * The system call, not the ring's operation: the ring hands that one to a kernel thread
     * for something that never blocks. ENOTCONN, after a reset, is normal.
     */
    (void)shutdown(fd, how);
}

void
loop_close_fd(struct loop *loop, int fd)
{
    (void)loop;
    CHECK(fd >= 0);
    CHECK(close(fd) == 0 || errno != EBADF);
}

static void
wake_arm(struct loop *loop)
{
    struct io_uring_sqe *const sqe = sqe_take(loop);

    io_uring_prep_read(sqe, loop->wake_fd, &loop->wake_value, sizeof loop->wake_value, 0);
    sqe->user_data = key_pack(LOOP_WAKE, (struct loop_key){0});
}

enum status
loop_start(struct loop *loop)
{
    const enum status status = loop_ring_open(loop);

    if (status == STATUS_OK) {
        wake_arm(loop);
    }
    return status;
}

void
loop_wake(struct loop *loop)
{
    const uint64_t one = 1;
    const int error = errno;

    /*
     * Pairs with the exchange in wake_done: whoever finds the flag set knows that a wake is
     * still to be consumed, and that the consumer sees what was written before this call.
     */
    if (!atomic_exchange_explicit(&loop->wake_asked, true, memory_order_acq_rel)) {
        (void)!write(loop->wake_fd, &one, sizeof one);
    }
    errno = error; /* It may run inside a signal handler. */
}

/* ---- buffers --------------------------------------------------------------------------- */

void
loop_buffer_give(struct loop *loop, uint16_t buffer)
{
    uint8_t *const bytes = loop->buffers + (size_t)buffer * loop->config.buffer_bytes;

    CHECK(buffer < loop->config.buffers_count);
    CHECK(loop->buffer_out[buffer]);
    CHECK(loop->buffers_out > 0);

#ifdef ZR_CHECK_SLOW
    memset(bytes, BUFFER_DEAD_FILL, loop->config.buffer_bytes);
#endif
    loop->buffer_out[buffer] = false;
    loop->buffers_out--;
    io_uring_buf_ring_add(loop->buffer_ring, bytes, loop->config.buffer_bytes, buffer,
                          io_uring_buf_ring_mask(loop->config.buffers_count), 0);
    io_uring_buf_ring_advance(loop->buffer_ring, 1);
}

static void
buffer_take(struct loop *loop, struct loop_event *event, uint32_t flags)
{
    const uint16_t buffer = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);

    CHECK(buffer < loop->config.buffers_count);
    CHECK(!loop->buffer_out[buffer]);
    loop->buffer_out[buffer] = true;
    loop->buffers_out++;
    event->buffer = buffer;
    event->bytes = loop->buffers + (size_t)buffer * loop->config.buffer_bytes;
}

/* ---- completions ----------------------------------------------------------------------- */

static void
wake_done(struct loop *loop)
{
    /* Before the caller looks at what was posted: a later post then wakes us again. */
    (void)atomic_exchange_explicit(&loop->wake_asked, false, memory_order_acq_rel);
    wake_arm(loop);
}

static void
event_fill(struct loop *loop, struct loop_event *event, const struct io_uring_cqe *cqe)
{
    *event = (struct loop_event){
        .kind = (enum loop_event_kind)(cqe->user_data & 0xFF),
        .key = key_unpack(cqe->user_data),
        .result = cqe->res,
        .ended = (cqe->flags & IORING_CQE_F_MORE) == 0,
        .buffer = LOOP_BUFFER_NONE,
    };
    CHECK(event->kind <= LOOP_WAKE);

    if ((cqe->flags & IORING_CQE_F_BUFFER) != 0) {
        CHECK(event->kind == LOOP_RECV);
        buffer_take(loop, event, cqe->flags);
        if (event->result <= 0) { /* A buffer without bytes: nothing for the caller. */
            loop_buffer_give(loop, event->buffer);
            event->buffer = LOOP_BUFFER_NONE;
            event->bytes = NULL;
        }
    }
}

static uint32_t
events_collect(struct loop *loop, struct loop_event *events)
{
    struct io_uring_cqe *cqe;
    uint32_t count = 0;
    bool woken = false;
    unsigned head;

    io_uring_for_each_cqe(&loop->ring, head, cqe)
    {
        if (count == LOOP_EVENTS_MAX) {
            break;
        }
        event_fill(loop, &events[count], cqe);
        woken = woken || events[count].kind == LOOP_WAKE;
        count++;
    }
    io_uring_cq_advance(&loop->ring, count);
    if (woken) {
        wake_done(loop);
    }
    return count;
}

/* The kernel kept completions back: the queue is too small. An alarm, not a loss. */
static void
overflow_watch(struct loop *loop)
{
    const bool overflowing =
        (IO_URING_READ_ONCE(*loop->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;

    if (overflowing && !loop->overflowing) {
        loop->overflows++;
        log_line(LOG_LEVEL_WARN, "loop_cq_overflow", "connections_max=%u",
                 loop->config.slots_count);
    }
    loop->overflowing = overflowing;
}

static int
ring_enter(struct loop *loop, uint64_t wait_ns)
{
    struct __kernel_timespec limit = {
        .tv_sec = (long long)(wait_ns / 1000000000U),
        .tv_nsec = (long long)(wait_ns % 1000000000U),
    };
    struct io_uring_cqe *first;

    if (wait_ns == 0) {
        return io_uring_submit_and_get_events(&loop->ring);
    }
    if (wait_ns == LOOP_WAIT_FOREVER) {
        return io_uring_submit_and_wait(&loop->ring, 1);
    }
    return io_uring_submit_and_wait_timeout(&loop->ring, &first, 1, &limit, NULL);
}

enum status
loop_wait(struct loop *loop, struct loop_event *events, uint32_t *count, uint64_t wait_ns)
{
    int rc;

    CHECK(loop->started);
    CHECK(events != NULL);

    rc = ring_enter(loop, wait_ns);
    /* Timed out, a signal, or a full queue that the collection below empties. */
    if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY) {
        log_line(LOG_LEVEL_ERROR, "loop_wait_failed", "error=\"%s\"", strerrordesc_np(-rc));
        return STATUS_IO;
    }
    overflow_watch(loop);
    *count = events_collect(loop, events);
    return STATUS_OK;
}
