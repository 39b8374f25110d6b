/*
 * loop.h - the event loop: the only place that knows io_uring.
 *
 * It starts operations and hands out what completed; it knows no connection, no TLS, no
 * frame. loop_wait() collects completions into the caller's array and returns: nothing is
 * called back, so nothing can re-enter the loop. A simulated loop has these same calls.
 *
 * Every operation carries a key, {slot, generation}; its event carries it back. The rules
 * that the caller keeps, each one a bug met elsewhere (pitfalls.md "io_uring"):
 *
 *   - one recv and one send in flight on a socket, never two;
 *   - bytes given to loop_send stay untouched until the LOOP_SEND event;
 *   - a socket is closed only when its recv, send and cancel have all had their last event;
 *     loop_shutdown and loop_cancel bring those about;
 *   - a buffer that a LOOP_RECV event names is given back exactly once.
 *
 * The ring belongs to the thread that calls loop_start. Only loop_wake may be called from
 * elsewhere.
 */
#ifndef ZR_LOOP_H
#define ZR_LOOP_H

#include "server/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOOP_SLOTS_MAX = 1 << 24,      /* A slot must fit 24 bits of user_data. */
    LOOP_BUFFERS_MAX = 1 << 15,    /* The kernel's limit for a ring of buffers. */
    LOOP_EVENTS_MAX = 1024,        /* Most that one loop_wait returns. */
    LOOP_BUFFER_NONE = UINT16_MAX, /* An event without a buffer. */
};

#define LOOP_WAIT_FOREVER UINT64_MAX

enum loop_event_kind {
    LOOP_ACCEPT, /* result: a new socket, or -errno. */
    LOOP_RECV,   /* result: bytes in `bytes`, 0 at the end of the stream, or -errno. */
    LOOP_SEND,   /* result: bytes taken, possibly fewer than asked, or -errno. */
    LOOP_CANCEL, /* result: operations found, or -errno; none found is normal. */
    LOOP_WAKE,   /* loop_wake was called; key and result are 0. */
};

struct loop_key {
    uint32_t slot;
    uint32_t generation;
};

struct loop_event {
    enum loop_event_kind kind;
    struct loop_key key;
    int32_t result;
    bool ended;      /* The operation is over: accept and recv must be started again. */
    uint16_t buffer; /* LOOP_RECV with result > 0: give it back; else LOOP_BUFFER_NONE. */
    uint8_t *bytes;  /* `result` bytes of that buffer; the caller's until it is given back. */
};

struct loop_config {
    uint32_t slots_count;   /* Sizes the completion queue. */
    uint32_t buffers_count; /* A power of two. */
    uint32_t buffer_bytes;
};

struct loop;

/*
 * Take memory and probe the kernel; any thread. UNSUPPORTED: something is missing, and the
 * log says what. IO: the system refused memory or a descriptor.
 */
MUST_USE enum status loop_open(struct loop **out, const struct loop_config *config);

/* Make the ring on this thread, which from now on is the loop's. */
MUST_USE enum status loop_start(struct loop *loop);

/* Frees everything. The kernel drops what is still in flight before this returns. */
void loop_close(struct loop *loop);

size_t loop_memory_bytes(const struct loop *loop);

/* Monotonic nanoseconds. The one clock of the network layer. */
uint64_t loop_now_ns(const struct loop *loop);

/*
 * Submit what was started, wait until something completes or wait_ns have passed (0 only
 * looks), and fill at most LOOP_EVENTS_MAX events in the order of completion. *count is 0
 * on a timeout or a signal. IO: the ring is broken.
 */
MUST_USE enum status loop_wait(struct loop *loop, struct loop_event *events, uint32_t *count,
                               uint64_t wait_ns);

/* Times, since the last call, that completions had to wait because the queue was full: 0. */
uint64_t loop_overflows(struct loop *loop);

/* Accept until an event says `ended`. */
void loop_accept(struct loop *loop, int listen_fd, struct loop_key key);

/* Receive into shared buffers until an event says `ended`. -ENOBUFS: none was free. */
void loop_recv(struct loop *loop, int fd, struct loop_key key);

void loop_send(struct loop *loop, int fd, struct loop_key key, const uint8_t *bytes,
               size_t bytes_count);

/* Cancel all that is in flight on the socket. Those end with events of their own. */
void loop_cancel(struct loop *loop, int fd, struct loop_key key);

/* shutdown(2), at once: no event. `how` is SHUT_WR or SHUT_RDWR. */
void loop_shutdown(struct loop *loop, int fd, int how);

/* close(2), at once: no event. Nothing may be in flight on it. */
void loop_close_fd(struct loop *loop, int fd);

/* Give a receive buffer back to the kernel. */
void loop_buffer_give(struct loop *loop, uint16_t buffer);

/* Receive buffers that are not the caller's now. */
uint32_t loop_buffers_free(const struct loop *loop);

/* Make loop_wait return. Any thread, async-signal-safe; calls before it returns collapse. */
void loop_wake(struct loop *loop);

#endif
