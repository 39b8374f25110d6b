/*
 * committer.h - the one thread that writes: group commit, and nothing acknowledged before it.
 *
 * It takes all jobs that wait (up to a batch), executes them in order against one transaction, and
 * before each what time and the workers want done first (own.h); adds the decision records that are
 * due, folds a slice of the tail, commits with LMDB's default durability, publishes what changed
 * into the hot array, and only then hands the replies to the workers. A refused job never aborts
 * its batch; a storage failure aborts all of it, and every job in it is answered "not executed"
 * (or, when the commit itself failed, "unknown", and the server stops: after a failed sync nothing
 * on this disk may be believed). AUDIT and STATE_HASH are walked beside it (auditor.h).
 */
#ifndef ZR_COMMITTER_H
#define ZR_COMMITTER_H

#include "server/base/clock.h"
#include "server/base/ring.h"
#include "server/commit/cascades.h"
#include "server/commit/decisions.h"
#include "server/commit/hot.h"
#include "server/commit/job.h"
#include "server/commit/rings.h"
#include "server/commit/units.h"
#include "server/store/tail.h"

struct committer;

struct committer_options {
    struct arena *arena;
    struct store *store;
    struct clock *clock;
    struct hot *hot;
    struct cascades *cascades;
    uint32_t jobs_max;      /* Jobs that can be under way. */
    uint32_t batch_max;     /* Jobs in one commit. */
    uint32_t tail_rows_max; /* Unfolded rows. */
    uint32_t fold_slice;    /* Rows folded with each commit. */
    uint32_t decisions_max; /* Decision records waiting. */
    uint32_t rings_max;     /* Ring facts waiting. */
    uint32_t units_max;     /* Connected calls. */
};

/* What workers may read of the newest commit. */
struct committer_published {
    _Atomic uint64_t commit_seq;
    _Atomic uint64_t catalogue;  /* Version of what workers cache of territory and policies. */
    _Atomic uint64_t auth_epoch; /* Raised when a principal changes. */
    _Atomic uint64_t commits;
    _Atomic uint64_t commit_us_total;
    _Atomic uint64_t unfolded_rows;
    _Atomic uint64_t events_seq;    /* Newest event: subscribers have something to read. */
    _Atomic uint64_t timer_next_ms; /* When the next timer is due, 0 = none waits. */
    _Atomic uint64_t ticks;         /* TICK commands since start. */
};

/* Rebuild memory from tables and journal; no thread yet. */
MUST_USE enum status committer_open(struct committer **committer,
                                    const struct committer_options *options);

/* Start the thread. `wake` is called from it: there are replies, or events, or it has failed. */
MUST_USE enum status committer_start(struct committer *committer, void (*wake)(void *context),
                                     void *wake_context);

/* The server is about to stop: walks are given up (DRAINING), all else goes on. Any thread, and a
 * signal's handler. */
void committer_drain(struct committer *committer);

/* Finish what was submitted, fold everything, stop the thread. A walk under way is given up. */
void committer_stop(struct committer *committer);
void committer_close(struct committer *committer);

/* Why it stopped by itself; STATUS_OK while it serves. */
enum status committer_failure(const struct committer *committer);

/* Hand a job over; false when the queue is full. Worker. */
bool committer_submit(struct committer *committer, struct job *job);

/* An answered job, or NULL. Worker. */
struct job *committer_take_done(struct committer *committer);

struct committer_published *committer_published(struct committer *committer);
struct decision_ring *committer_decisions(struct committer *committer);
struct ring_facts *committer_rings(struct committer *committer);

#endif
