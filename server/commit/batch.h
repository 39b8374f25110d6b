/*
 * batch.h - the committer's inside, and the one batch that it has under way: for committer.c, which
 * says when, and batch.c, which says what.
 *
 * A batch is one LMDB transaction. Nothing of it is told before it is durable: what it did to
 * memory (tail, cascades, units, own commands) is noted, and made true by batch_run() after the
 * commit or thrown away with it.
 */
#ifndef ZR_BATCH_H
#define ZR_BATCH_H

#include "server/commit/auditor.h"
#include "server/commit/committer.h"
#include "server/commit/execute.h"
#include "server/commit/own.h"
#include "server/commit/publish.h"

#include <pthread.h>

/* Padded by its rings. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct committer {
    struct committer_options options;
    struct executor executor;
    struct store_view view;
    struct tail *tail;
    struct units *units;
    struct ring submitted;
    struct ring done;
    struct decision_ring decisions;
    struct ring_facts rings;
    struct own own;
    struct auditor *auditor;
    struct committer_published published;
    struct job **batch;
    uint32_t batch_count;
    uint32_t owed_count;   /* Of it: durable, but work that they set is not done yet. */
    bool behind;           /* Something is due and did not fit into the batch. */
    struct job *held_back; /* Taken from the queue, for the next batch ... */
    uint64_t held_ms;      /* ... at this log time, or time could run away from it. */
    uint64_t committed_ns; /* Monotonic: when the last commit was. */
    struct job *walk;      /* For the auditor, once this batch is durable ... */
    uint64_t walk_ms;      /* ... as of this log time. */
    struct publish *publish;
    bool full;            /* The last batch found no space: jobs one by one, so that reads go on. */
    uint64_t full_txn_id; /* The last that did not, then. */
    uint32_t decisions_drained; /* Into the batch: they leave their ring when it is durable. */
    int wake_fd;
    _Atomic bool sleeping;
    _Atomic bool stopping;
    _Atomic int failure; /* enum status */
    void (*wake)(void *context);
    void *wake_context;
    pthread_t thread;
};

/* False once the storage has failed. */
bool committer_serves(const struct committer *committer);

/* Log time: the clock's, but never back. */
uint64_t batch_log_now_ms(const struct committer *committer);

/* Run one batch: all that waits and all that is due, as far as it fits; reply when it is durable.
 * What became of it; OK when there was nothing to do, too. */
enum status batch_run(struct committer *committer);

/* After a failed sync: answer what comes, write nothing more. */
void batch_refuse_all(struct committer *committer);

/* Make what the last commit changed visible to workers. Returns whether subscribers have something
 * to read. */
bool batch_publish(struct committer *committer);

/* A walk of the auditor's that has ended: its reply goes out. */
void batch_reply_walk(struct committer *committer);

#endif
