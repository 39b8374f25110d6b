/*
 * record.c - an LD_PRELOAD library that logs every write and sync of one file (lib/record.h).
 *
 * The one idea: a crash image can be any prefix of what the program told the kernel, with any
 * part of what was not synced missing; so log the calls, and let another program make the images.
 *
 * It interposes the calls by which a library can change a file through a descriptor. A record is
 * appended after the call returned and before the caller goes on; two threads that race on the
 * file race in the log in the same way. What it cannot see: writes through a writable mapping
 * (MDB_WRITEMAP, which this project forbids) and through io_uring (which writes no files here).
 */
#include "tests/crash/lib/record.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* Everything else here is hidden by -fvisibility=hidden. */
#define EXPORT __attribute__((visibility("default")))

enum { DESCRIPTORS_MAX = 4096, PARTS_MAX = IOV_MAX };

enum track { TRACK_NO, TRACK_BUFFERED, TRACK_DURABLE };

static _Atomic uint8_t tracks[DESCRIPTORS_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *file_end;
static int log_fd = -1;

/* The C library's own functions. */
static struct {
    int (*open)(const char *path, int flags, ...);
    int (*openat)(int folder, const char *path, int flags, ...);
    int (*close)(int fd);
    ssize_t (*write)(int fd, const void *bytes, size_t count);
    ssize_t (*pwrite)(int fd, const void *bytes, size_t count, off_t offset);
    ssize_t (*writev)(int fd, const struct iovec *parts, int count);
    ssize_t (*pwritev)(int fd, const struct iovec *parts, int count, off_t offset);
    int (*ftruncate)(int fd, off_t length);
    int (*fsync)(int fd);
    int (*fdatasync)(int fd);
    int (*sync_file_range)(int fd, off64_t offset, off64_t count, unsigned flags);
    int (*msync)(void *address, size_t length, int flags);
} real;

/* A data pointer into a function pointer: POSIX allows it, ISO C has no cast for it. */
#define FIND(name)                                                   \
    do {                                                             \
        void *found = dlsym(RTLD_NEXT, #name);                       \
                                                                     \
        _Static_assert(sizeof found == sizeof real.name, "pointer"); \
        memcpy(&real.name, &found, sizeof found);                    \
    } while (0)

static void
start(void)
{
    const char *log = getenv(RECORD_LOG_VARIABLE);

    FIND(open);
    FIND(openat);
    FIND(close);
    FIND(write);
    FIND(pwrite);
    FIND(writev);
    FIND(pwritev);
    FIND(ftruncate);
    FIND(fsync);
    FIND(fdatasync);
    FIND(sync_file_range);
    FIND(msync);
    file_end = getenv(RECORD_FILE_VARIABLE);
    if (log != NULL && file_end != NULL) {
        log_fd = real.open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

static enum track
track_of(int fd)
{
    (void)pthread_once(&once, start);
    return fd >= 0 && fd < DESCRIPTORS_MAX ? (enum track)tracks[fd] : TRACK_NO;
}

/* A recorder that cannot record must not let the test believe in its log. */
static void
append(const struct iovec *parts, int count)
{
    ssize_t wanted = 0;

    for (int i = 0; i < count; i++) {
        wanted += (ssize_t)parts[i].iov_len;
    }
    if (real.writev(log_fd, parts, count) != wanted) {
        abort();
    }
}

static void
append_plain(enum record_kind kind, int64_t offset)
{
    struct record record = {.kind = kind, .offset = offset};

    append(&(struct iovec){&record, sizeof record}, 1);
}

/* One record for the first `written` bytes of `parts`. */
static void
append_write(int fd, const struct iovec *parts, int count, off_t offset, ssize_t written)
{
    struct record record = {.kind = RECORD_WRITE, .offset = offset, .bytes = written};
    struct iovec all[PARTS_MAX];
    size_t left = (size_t)written;
    int used = 1;

    if (written <= 0) {
        return;
    }
    record.flags = track_of(fd) == TRACK_DURABLE ? RECORD_DURABLE : 0;
    all[0] = (struct iovec){&record, sizeof record};
    for (int i = 0; i < count && left > 0; i++) {
        if (used == PARTS_MAX) {
            abort();
        }
        all[used] = parts[i];
        if (all[used].iov_len > left) {
            all[used].iov_len = left;
        }
        left -= all[used++].iov_len;
    }
    append(all, used);
}

/* The C library's headers name these parameters with names that are its own. */
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)

/* ---- opening --------------------------------------------------------------------------------- */

static int
opened(int fd, const char *path, int flags)
{
    const size_t path_bytes = strlen(path);
    const size_t end_bytes = file_end == NULL ? 0 : strlen(file_end);
    const bool match = log_fd >= 0 && end_bytes > 0 && path_bytes >= end_bytes &&
                       strcmp(path + path_bytes - end_bytes, file_end) == 0;

    if (fd >= DESCRIPTORS_MAX && match) {
        abort();
    }
    if (fd >= 0 && fd < DESCRIPTORS_MAX) {
        tracks[fd] = !match ? TRACK_NO : (flags & O_DSYNC) != 0 ? TRACK_DURABLE : TRACK_BUFFERED;
    }
    return fd;
}

#define MODE_OF(flags, mode)                          \
    do {                                              \
        if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
            va_list arguments;                        \
                                                      \
            va_start(arguments, flags);               \
            (mode) = va_arg(arguments, mode_t);       \
            va_end(arguments);                        \
        }                                             \
    } while (0)

EXPORT int
open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode);
    (void)pthread_once(&once, start);
    return opened(real.open(path, flags, mode), path, flags);
}

EXPORT int
open64(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode);
    (void)pthread_once(&once, start);
    return opened(real.open(path, flags | O_LARGEFILE, mode), path, flags);
}

EXPORT int
openat(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode);
    (void)pthread_once(&once, start);
    return opened(real.openat(folder, path, flags, mode), path, flags);
}

EXPORT int
openat64(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode);
    (void)pthread_once(&once, start);
    return opened(real.openat(folder, path, flags | O_LARGEFILE, mode), path, flags);
}

/* What _FORTIFY_SOURCE makes of an open() without a mode. */
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl*,readability-identifier-naming)
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
// NOLINTEND(bugprone-reserved-identifier,cert-dcl*,readability-identifier-naming)

EXPORT int
__open_2(const char *path, int flags)
{
    return open(path, flags);
}

EXPORT int
__open64_2(const char *path, int flags)
{
    return open64(path, flags);
}

EXPORT int
close(int fd)
{
    if (track_of(fd) != TRACK_NO) {
        tracks[fd] = TRACK_NO;
    }
    return real.close(fd);
}

/* ---- writing --------------------------------------------------------------------------------- */

EXPORT ssize_t
pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    const enum track track = track_of(fd);
    const ssize_t written = real.pwrite(fd, bytes, count, offset);

    if (track != TRACK_NO) {
        struct iovec part = {.iov_len = count};

        memcpy(&part.iov_base, &bytes, sizeof bytes); /* iovec has no const; nothing writes. */
        append_write(fd, &part, 1, offset, written);
    }
    return written;
}

EXPORT ssize_t
pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    return pwrite(fd, bytes, count, offset);
}

EXPORT ssize_t
pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    const enum track track = track_of(fd);
    const ssize_t written = real.pwritev(fd, parts, count, offset);

    if (track != TRACK_NO) {
        append_write(fd, parts, count, offset, written);
    }
    return written;
}

EXPORT ssize_t
pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return pwritev(fd, parts, count, offset);
}

EXPORT ssize_t
writev(int fd, const struct iovec *parts, int count)
{
    const enum track track = track_of(fd);
    const off_t offset = track == TRACK_NO ? 0 : lseek(fd, 0, SEEK_CUR);
    const ssize_t written = real.writev(fd, parts, count);

    if (track != TRACK_NO) {
        append_write(fd, parts, count, offset, written);
    }
    return written;
}

EXPORT ssize_t
write(int fd, const void *bytes, size_t count)
{
    if (track_of(fd) == TRACK_NO) {
        return real.write(fd, bytes, count);
    }
    struct iovec part = {.iov_len = count};

    memcpy(&part.iov_base, &bytes, sizeof bytes);
    return writev(fd, &part, 1);
}

EXPORT int
ftruncate(int fd, off_t length)
{
    const enum track track = track_of(fd);
    const int result = real.ftruncate(fd, length);

    if (track != TRACK_NO && result == 0) {
        append_plain(RECORD_TRUNCATE, length);
    }
    return result;
}

EXPORT int
ftruncate64(int fd, off64_t length)
{
    return ftruncate(fd, length);
}

/* ---- syncing --------------------------------------------------------------------------------- */

EXPORT int
fsync(int fd)
{
    const enum track track = track_of(fd);
    const int result = real.fsync(fd);

    if (track != TRACK_NO && result == 0) {
        append_plain(RECORD_SYNC, 0);
    }
    return result;
}

EXPORT int
fdatasync(int fd)
{
    const enum track track = track_of(fd);
    const int result = real.fdatasync(fd);

    if (track != TRACK_NO && result == 0) {
        append_plain(RECORD_SYNC, 0);
    }
    return result;
}

/* It makes no promise after a power loss (its manual says so): done, and not logged. */
EXPORT int
sync_file_range(int fd, off64_t offset, off64_t count, unsigned flags)
{
    (void)track_of(fd);
    return real.sync_file_range(fd, offset, count, flags);
}

/* Only a writable mapping would need it, and its stores would be missing in the log. */
EXPORT int
msync(void *address, size_t length, int flags)
{
    (void)track_of(-1);
    if (log_fd >= 0) {
        (void)fputs("record.so: msync() means writes that were not recorded\n", stderr);
        abort();
    }
    return real.msync(address, length, flags);
}

// NOLINTEND(readability-inconsistent-declaration-parameter-name)
