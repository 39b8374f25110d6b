/*
 * loop_ring.h - private to loop.c and loop_ring.c: the loop's struct, and making its ring.
 *
 * Making is apart from running because it is a different kind of code: one line after the
 * other, each of which a kernel may refuse.
 */
#ifndef ZR_LOOP_RING_H
#define ZR_LOOP_RING_H

#include "server/net/loop.h"

#include <liburing.h>

#include <stdatomic.h>

enum { LOOP_SQ_ENTRIES = 1024, LOOP_CQ_ENTRIES_MIN = 2048, LOOP_CQ_ENTRIES_MAX = 65536 };
enum { LOOP_BUFFER_GROUP = 1 };

struct loop {
    struct io_uring ring;
    bool started; /* `ring` and the buffer ring in it exist. */
    struct loop_config config;
    struct io_uring_buf_ring *buffer_ring; /* Shared with the kernel. */
    size_t buffer_ring_bytes;
    uint8_t *buffers; /* buffers_count x buffer_bytes. */
    size_t buffers_bytes;
    bool *buffer_out; /* Per buffer: the caller has it. Proves that it comes back once. */
    uint32_t buffers_out;
    int wake_fd;            /* eventfd. */
    atomic_bool wake_asked; /* A wake is on its way: further ones need no system call. */
    uint64_t wake_value;    /* Target of the ring's read of wake_fd. */
    uint64_t overflows;
    bool overflowing;
};

/*
 * Prove on a small throw-away ring that the kernel has all that the loop uses. Logs what is
 * missing, and that Linux >= 6.1 is needed or that io_uring_disabled forbids it.
 */
MUST_USE enum status loop_ring_probe(void);

/* Make `loop->ring` with its buffers, restrict it to the loop's operations, enable it. */
MUST_USE enum status loop_ring_open(struct loop *loop);

#endif
