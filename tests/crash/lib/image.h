/*
 * image.h - what a disk may hold after the power went, made from the log of a run (record.h).
 *
 * The model: a completed sync makes every write before it durable; a completed write through an
 * O_DSYNC descriptor is durable by itself; of everything else any subset of 512-byte sectors may
 * have reached the disk, in any order. The call that was under way at the cut counts as not
 * completed. The length of the file is what the surviving sectors and the synced length make it.
 *
 * A second, harsher model tears *inside* a sector: the write under way stops, or starts, at any
 * byte. Disks promise that this does not happen; the database must notice it all the same.
 *
 * Cuts are asked for in ascending order, so that the durable part of the file is built once.
 */
#ifndef ZR_CRASH_IMAGE_H
#define ZR_CRASH_IMAGE_H

#include "tests/crash/lib/load.h"
#include "tests/crash/lib/record.h"

#include <stddef.h>

struct image_log;

/* The file as it was before the run, and the run's log. */
struct image_log *image_log_open(const char *base_path, const char *log_path);
void image_log_close(struct image_log *log);

/* Records, of them acknowledgements, and writes through O_DSYNC (of meta pages). */
struct image_counts {
    size_t records, acks, writes, durable_writes, syncs;
};
struct image_counts image_log_counts(const struct image_log *log);

/* Kind of record `index`, and whether it is a write through O_DSYNC. */
enum record_kind image_record_kind(const struct image_log *log, size_t index);
bool image_record_is_durable(const struct image_log *log, size_t index);

/* All acknowledgements, and how many of them stand before the cut. */
const struct load_ack *image_acks(const struct image_log *log);
size_t image_acks_before(const struct image_log *log, size_t cut);

struct image {
    size_t cut;       /* Records before it happened; the last of them was under way. */
    unsigned percent; /* A sector that is not durable survives with this chance. */
    bool inside;      /* Tear the write under way inside its sector. */
};

/* Write the image to `path`. `random` is test_random()'s state. Cuts must not descend. */
void image_write(struct image_log *log, const struct image *image, uint64_t *random,
                 const char *path);

#endif
