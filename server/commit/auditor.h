/*
 * auditor.h - AUDIT and STATE_HASH beside the log: a thread that walks a snapshot.
 *
 * A walk over a year's rows takes seconds, and nobody may wait for it. So the committer opens a
 * snapshot of the commit at which the walk's turn came and goes on. The snapshot is whole without
 * folding anything: what its tables lack stands in its journal, from where the auditor makes a tail
 * of its own, just as a start does.
 *
 * As long as a snapshot is open, LMDB uses no page again that a commit has replaced: the file grows
 * with every commit (46 KB for one of a single TOPUP in a small database, 25 MB/s at 500 a second).
 * So a walk gives up (STORAGE_FULL) once the file has taken half of what the map had left when it
 * began. The file does not shrink afterwards; its pages are used again.
 */
#ifndef ZR_AUDITOR_H
#define ZR_AUDITOR_H

#include "server/base/arena.h"
#include "server/commit/cascades.h"
#include "server/commit/job.h"
#include "server/store/store.h"

#include <stdatomic.h>

struct auditor;

struct auditor_options {
    struct arena *arena;
    struct store *store;
    struct cascades *cascades;
    const _Atomic uint64_t *published_seq; /* Up to where the cascades are published. */
    uint32_t tail_rows_max;                /* Unfolded rows of the committer's. */
    void (*wake)(void *context);           /* A walk has ended. From the auditor's thread. */
    void *context;
};

/* No thread yet. */
struct auditor *auditor_open(const struct auditor_options *options);
MUST_USE enum status auditor_start(struct auditor *auditor);

/* From now on walks give up (DRAINING), also the one under way: who waits for its reply before the
 * server may end waits no longer. Any thread, and a signal's handler. */
void auditor_drain(struct auditor *auditor);

/* The same, and the thread ends. */
void auditor_stop(struct auditor *auditor);
void auditor_close(struct auditor *auditor);

/* The rest is the committer's. One walk at a time: */
bool auditor_is_idle(const struct auditor *auditor);

/* Is this an operation for the auditor? */
bool auditor_wants(const struct job *job);

/* Walk the newest commit for `job`, whose turn came at log time `now_ms`: all that is due then
 * stands in that commit. The cascades are published up to it. */
void auditor_begin(struct auditor *auditor, struct job *job, uint64_t now_ms);

/* Has a walk ended whose job nobody took? */
bool auditor_is_done(const struct auditor *auditor);

/* The answered job of the walk that ended, or NULL. `failure`: OK, or what the storage said, which
 * is the end of this server as it is for a batch. */
struct job *auditor_take(struct auditor *auditor, enum status *failure);

#endif
