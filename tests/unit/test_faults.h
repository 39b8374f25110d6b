/*
 * test_faults.h - system calls of LMDB that fail when a test says so.
 *
 * The program's own pwrite, writev and fdatasync stand before those of libc, for the shared LMDB
 * too. Counting starts with fault_arm(): the n-th call from there on fails, and all after it until
 * fault_disarm(). One .c of a program includes this.
 */
#ifndef ZR_TEST_FAULTS_H
#define ZR_TEST_FAULTS_H

#include "tests/lib/test.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_NO_SPACE,    /* Writes say ENOSPC. */
    FAULT_SHORT_WRITE, /* Writes stop halfway, and statvfs says that the disk is full. */
    FAULT_WRITE,       /* Writes say EIO. */
    FAULT_SYNC,        /* fdatasync says EIO. */
};

static _Atomic int fault_kind;
static _Atomic int fault_countdown;

static inline void
fault_arm(enum fault_kind kind, int nth)
{
    atomic_store(&fault_countdown, nth);
    atomic_store(&fault_kind, (int)kind);
}

static inline void
fault_disarm(void)
{
    atomic_store(&fault_kind, FAULT_NONE);
}

/* One call of that kind: must it fail? */
static inline bool
fault_hits(bool is_sync)
{
    const int kind = atomic_load(&fault_kind);

    if (kind == FAULT_NONE || is_sync != (kind == FAULT_SYNC)) {
        return false;
    }
    return atomic_fetch_sub(&fault_countdown, 1) <= 1;
}

/* What a failing write returns. */
static inline ssize_t
fault_write(size_t bytes)
{
    if (atomic_load(&fault_kind) == FAULT_SHORT_WRITE) {
        return (ssize_t)(bytes / 2);
    }
    errno = atomic_load(&fault_kind) == FAULT_NO_SPACE ? ENOSPC : EIO;
    return -1;
}

ssize_t
pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return fault_hits(false) ? fault_write(count) : syscall(SYS_pwrite64, fd, bytes, count, offset);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
    return fault_hits(false) ? fault_write(parts[0].iov_len)
                             : syscall(SYS_writev, fd, parts, count);
}

int
fdatasync(int fd)
{
    if (fault_hits(true)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

int
fstatvfs(int fd, struct statvfs *out)
{
    (void)fd;
    memset(out, 0, sizeof *out);
    out->f_frsize = 4096;
    out->f_bavail = atomic_load(&fault_kind) == FAULT_SHORT_WRITE ? 0 : 1u << 20;
    return 0;
}

#endif
