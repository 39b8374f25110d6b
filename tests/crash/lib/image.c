/*
 * image.c - see image.h.
 */
#include "tests/crash/lib/image.h"

#include "protocol/check.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR_BYTES = 512, FILE_BYTES_MAX = 512 << 20 };

/* A file in memory. */
struct content {
    uint8_t *bytes;
    size_t length;
    size_t room;
};

struct image_log {
    uint8_t *bytes;      /* The log as it was read. */
    size_t *offsets;     /* Of each record in it. */
    size_t *acks_before; /* Acknowledgements before each record, and before the end. */
    struct load_ack *acks;
    struct image_counts counts;
    struct content durable; /* Everything up to the last completed sync before `synced`. */
    size_t synced;          /* Records that `durable` holds. */
    struct content scratch;
};

static void
content_read(struct content *content, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    size_t got = 0;

    CHECK(fd >= 0);
    CHECK(fstat(fd, &stat) == 0);
    content->length = (size_t)stat.st_size;
    content->room = content->length + 1;
    content->bytes = malloc(content->room);
    CHECK(content->bytes != NULL);
    while (got < content->length) {
        const ssize_t step = read(fd, content->bytes + got, content->length - got);

        CHECK(step > 0);
        got += (size_t)step;
    }
    (void)close(fd);
}

static void
content_put(struct content *content, size_t offset, const uint8_t *bytes, size_t count)
{
    const size_t end = offset + count;

    CHECK(end <= FILE_BYTES_MAX);
    if (end > content->room) {
        content->room = 2 * end;
        content->bytes = realloc(content->bytes, content->room);
        CHECK(content->bytes != NULL);
    }
    if (end > content->length) {
        memset(content->bytes + content->length, 0, end - content->length);
        content->length = end;
    }
    memcpy(content->bytes + offset, bytes, count);
}

/* ---- the log --------------------------------------------------------------------------------- */

static struct record
record_at(const struct image_log *log, size_t index)
{
    struct record record;

    CHECK(index < log->counts.records);
    memcpy(&record, log->bytes + log->offsets[index], sizeof record);
    return record;
}

static const uint8_t *
data_at(const struct image_log *log, size_t index)
{
    return log->bytes + log->offsets[index] + sizeof(struct record);
}

static void
count_record(struct image_log *log, const struct record *record, const uint8_t *data)
{
    struct image_counts *counts = &log->counts;

    log->acks_before[counts->records] = counts->acks;
    switch ((enum record_kind)record->kind) {
    case RECORD_WRITE:
        counts->writes++;
        counts->durable_writes += (record->flags & RECORD_DURABLE) != 0;
        break;
    case RECORD_SYNC:
        counts->syncs++;
        break;
    case RECORD_ACK:
        CHECK(record->bytes == sizeof(struct load_ack));
        memcpy(&log->acks[counts->acks++], data, sizeof(struct load_ack));
        break;
    case RECORD_TRUNCATE: /* A shorter file would lose data: nothing here does that. */
        break;
    }
    counts->records++;
}

struct image_log *
image_log_open(const char *base_path, const char *log_path)
{
    struct image_log *log = calloc(1, sizeof *log);
    struct content file;
    size_t records_max;

    CHECK(log != NULL);
    content_read(&log->durable, base_path);
    content_read(&file, log_path);
    log->bytes = file.bytes;
    records_max = file.length / sizeof(struct record) + 1;
    log->offsets = calloc(records_max, sizeof *log->offsets);
    log->acks_before = calloc(records_max, sizeof *log->acks_before);
    log->acks = calloc(file.length / sizeof(struct load_ack) + 1, sizeof *log->acks);
    CHECK(log->offsets != NULL);
    CHECK(log->acks_before != NULL);
    CHECK(log->acks != NULL);
    for (size_t at = 0; at < file.length;) {
        struct record record;

        CHECK(file.length - at >= sizeof record);
        memcpy(&record, file.bytes + at, sizeof record);
        CHECK(record.kind >= RECORD_WRITE);
        CHECK(record.kind <= RECORD_ACK);
        CHECK(record.bytes >= 0);
        CHECK((uint64_t)record.bytes <= file.length - at - sizeof record);
        log->offsets[log->counts.records] = at;
        count_record(log, &record, file.bytes + at + sizeof record);
        at += sizeof record + (size_t)record.bytes;
    }
    log->acks_before[log->counts.records] = log->counts.acks;
    return log;
}

void
image_log_close(struct image_log *log)
{
    free(log->bytes);
    free(log->offsets);
    free(log->acks_before);
    free(log->acks);
    free(log->durable.bytes);
    free(log->scratch.bytes);
    free(log);
}

struct image_counts
image_log_counts(const struct image_log *log)
{
    return log->counts;
}

enum record_kind
image_record_kind(const struct image_log *log, size_t index)
{
    return (enum record_kind)record_at(log, index).kind;
}

bool
image_record_is_durable(const struct image_log *log, size_t index)
{
    const struct record record = record_at(log, index);

    return record.kind == RECORD_WRITE && (record.flags & RECORD_DURABLE) != 0;
}

const struct load_ack *
image_acks(const struct image_log *log)
{
    return log->acks;
}

size_t
image_acks_before(const struct image_log *log, size_t cut)
{
    CHECK(cut <= log->counts.records);
    return log->acks_before[cut];
}

/* ---- images ---------------------------------------------------------------------------------- */

/* Carry the durable part on to the last sync that completed before the cut. */
static void
durable_advance(struct image_log *log, size_t cut)
{
    size_t synced = log->synced;

    CHECK(cut > 0);
    for (size_t i = log->synced; i + 1 < cut; i++) {
        synced = record_at(log, i).kind == RECORD_SYNC ? i + 1 : synced;
    }
    for (; log->synced < synced; log->synced++) {
        const struct record record = record_at(log, log->synced);

        if (record.kind == RECORD_WRITE) {
            content_put(&log->durable, (size_t)record.offset, data_at(log, log->synced),
                        (size_t)record.bytes);
        }
    }
}

/* Some sectors of a write that nothing made durable. */
static void
put_sectors(struct content *content, const struct record *record, const uint8_t *data,
            unsigned percent, uint64_t *random)
{
    size_t done = 0;

    while (done < (size_t)record->bytes) {
        const size_t offset = (size_t)record->offset + done;
        const size_t left = (size_t)record->bytes - done;
        const size_t sector = SECTOR_BYTES - offset % SECTOR_BYTES;
        const size_t count = sector < left ? sector : left;

        if (test_random_below(random, 100) < percent) {
            content_put(content, offset, data + done, count);
        }
        done += count;
    }
}

/* The first or the last bytes of a write. */
static void
put_torn(struct content *content, const struct record *record, const uint8_t *data,
         uint64_t *random)
{
    const size_t bytes = (size_t)record->bytes;
    const size_t tear = (size_t)test_random_below(random, bytes + 1);

    if (test_random_below(random, 2) == 0) {
        content_put(content, (size_t)record->offset, data, tear);
    } else {
        content_put(content, (size_t)record->offset + tear, data + tear, bytes - tear);
    }
}

static void
content_write(const struct content *content, const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t done = 0;

    CHECK(fd >= 0);
    while (done < content->length) {
        const ssize_t step = write(fd, content->bytes + done, content->length - done);

        CHECK(step > 0);
        done += (size_t)step;
    }
    (void)close(fd);
}

void
image_write(struct image_log *log, const struct image *image, uint64_t *random, const char *path)
{
    struct content *scratch = &log->scratch;

    CHECK(image->cut <= log->counts.records);
    durable_advance(log, image->cut);
    CHECK(log->synced < image->cut);
    scratch->length = 0;
    content_put(scratch, 0, log->durable.bytes, log->durable.length);
    for (size_t i = log->synced; i < image->cut; i++) {
        const struct record record = record_at(log, i);
        const bool under_way = i + 1 == image->cut;

        if (record.kind != RECORD_WRITE) {
            continue;
        }
        if ((record.flags & RECORD_DURABLE) != 0 && !under_way) {
            content_put(scratch, (size_t)record.offset, data_at(log, i), (size_t)record.bytes);
        } else if (under_way && image->inside) {
            put_torn(scratch, &record, data_at(log, i), random);
        } else {
            put_sectors(scratch, &record, data_at(log, i), image->percent, random);
        }
    }
    content_write(scratch, path);
}
