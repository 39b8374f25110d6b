/*
 * committer.c - the thread and its batch. See committer.h.
 */
#include "server/commit/committer.h"

#include "protocol/check.h"
#include "server/base/log.h"
#include "server/commit/execute.h"
#include "server/commit/publish.h"
#include "server/commit/recover.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    IDLE_MS = 50, /* Without work, look for folds and expired units this often. */
    DECISIONS_SLICE = 4096,
    IDLE_FOLD_ROWS = 512,
    TRIM_ROWS = 16,
    /* Rows that one command may touch at most: room that must be free before it starts. */
    ROOM_PER_JOB = STATE_IMAGES_MAX,
    RETRY_AFTER_MS = 50,
    FOLD_BATCH_ROWS = 8192,
};

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
    struct committer_published published;
    struct job **batch;
    uint32_t batch_count;
    struct job *held_back; /* Taken from the queue, for the next batch. */
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

struct committer_published *
committer_published(struct committer *committer)
{
    return &committer->published;
}

struct decision_ring *
committer_decisions(struct committer *committer)
{
    return &committer->decisions;
}

enum status
committer_failure(const struct committer *committer)
{
    return (enum status)atomic_load_explicit(&committer->failure, memory_order_acquire);
}

static bool
committer_serves(const struct committer *committer)
{
    return committer_failure(committer) == STATUS_OK;
}

static uint64_t
log_now_ms(const struct committer *committer)
{
    const uint64_t now_ms = clock_now_ms(committer->options.clock);

    return now_ms > committer->executor.head.log_ms ? now_ms : committer->executor.head.log_ms;
}

/* ---- one batch ------------------------------------------------------------------------------- */

/* Ops that want nothing unfolded and nobody beside them. */
static bool
job_stands_alone(const struct job *job)
{
    return job->header.op == ZR_OP_STATE_HASH || job->header.op == ZR_OP_AUDIT;
}

/* After a failure what is read is not what is there: no rule may work on it. */
static bool
batch_has_room(const struct committer *committer)
{
    return committer->batch_count < (committer->full ? 1 : committer->options.batch_max) &&
           state_failure(&committer->executor.state) == STATUS_OK &&
           tail_room(committer->tail) > 2 * ROOM_PER_JOB && publish_has_room(committer->publish);
}

static struct job *
job_next(struct committer *committer)
{
    struct job *job = committer->held_back;

    committer->held_back = NULL;
    return job != NULL ? job : ring_take(&committer->submitted);
}

static void
job_execute(struct committer *committer, struct job *job)
{
    const uint64_t now_ms = log_now_ms(committer);
    struct effects effects;

    execute_job(&committer->executor, job, now_ms, &effects);
    publish_note(committer->publish, &committer->executor.state, job, &effects, now_ms);
}

static void
batch_execute(struct committer *committer)
{
    struct job *job;

    while (batch_has_room(committer) && (job = job_next(committer)) != NULL) {
        const bool alone = job_stands_alone(job);

        if (alone && (committer->batch_count > 0 || tail_count(committer->tail) > 0)) {
            committer->held_back = job;
            return;
        }
        committer->batch[committer->batch_count++] = job;
        job_execute(committer, job);
        if (alone) {
            return;
        }
    }
}

/* How many rows to fold now: a slice, more when the tail grows faster than slices take from it. */
static uint32_t
fold_rows(const struct committer *committer)
{
    const uint32_t count = tail_count(committer->tail);

    if (committer->held_back != NULL) {
        return FOLD_BATCH_ROWS; /* Somebody waits for an empty tail. */
    }
    if (committer->batch_count == 0) {
        return IDLE_FOLD_ROWS;
    }
    if (count > committer->options.tail_rows_max / 2) {
        return 4 * committer->batch_count + committer->options.fold_slice;
    }
    return committer->options.fold_slice;
}

/* Everything but the jobs that this commit carries. Returns whether there is any. */
static bool
batch_add_upkeep(struct committer *committer)
{
    struct executor *executor = &committer->executor;
    uint32_t done;

    if (committer->full && committer->batch_count > 0) {
        return false; /* It wants space; the job may not. An idle batch tries again. */
    }
    done = decision_drain(&committer->decisions, &committer->view, DECISIONS_SLICE);
    committer->decisions_drained = done;
    done += execute_trim_keys(executor, log_now_ms(committer), TRIM_ROWS);
    done += tail_fold(committer->tail, &committer->view, fold_rows(committer));
    executor->head.fold_seq = tail_folded_to(committer->tail, executor->head.commit_seq);
    return done > 0;
}

/* Answer the whole batch without a body: nothing of it happened, or nobody knows. */
static void
batch_refuse(struct committer *committer, enum status failure)
{
    const bool unknown = failure != STATUS_NO_SPACE && failure != STATUS_FULL;
    const uint16_t status = unknown ? ZR_STATUS_UNKNOWN_OUTCOME : ZR_STATUS_STORAGE_FULL;

    if (committer->held_back != NULL) {
        /* What it waits for may take for ever. */
        committer->batch[committer->batch_count++] = committer->held_back;
        committer->held_back = NULL;
    }
    tail_batch_undo(committer->tail);
    committer->executor.head = *store_head(committer->options.store);
    memcpy(committer->executor.state.counters, committer->executor.head.counters,
           sizeof committer->executor.state.counters);
    committer->executor.state.full = false;
    for (uint32_t i = 0; i < committer->batch_count; i++) {
        execute_refuse(committer->batch[i], status, unknown ? 0 : RETRY_AFTER_MS);
    }
    publish_forget(committer->publish);
    if (unknown) {
        log_line(LOG_LEVEL_ERROR, "committer_stops", "status=\"%s\" do=\"check the disk\"",
                 status_name(failure));
        atomic_store_explicit(&committer->failure, (int)failure, memory_order_release);
    } else if (!committer->full) {
        committer->full = true;
        committer->full_txn_id = store_head(committer->options.store)->txn_id;
        log_line(LOG_LEVEL_ERROR, "storage_full",
                 "status=\"%s\" do=\"free disk space or raise "
                 "map_gib; mutations are refused until then\"",
                 status_name(failure));
    }
}

/* The batch is on disk: what it did is true. */
static void
batch_done(struct committer *committer)
{
    tail_batch_done(committer->tail);
    decision_forget(&committer->decisions, committer->decisions_drained);
    publish_units(committer->publish);
    if (committer->full && store_head(committer->options.store)->txn_id > committer->full_txn_id) {
        committer->full = false;
        log_line(LOG_LEVEL_INFO, "storage_healed", "commit_seq=%llu",
                 (unsigned long long)committer->executor.head.commit_seq);
    }
}

static void
batch_publish(struct committer *committer)
{
    struct committer_published *published = &committer->published;
    const struct executor *executor = &committer->executor;

    publish_now(committer->publish, log_now_ms(committer));
    /* Release: who sees a number sees what was published before it. */
    atomic_store_explicit(&published->commit_seq, executor->head.commit_seq, memory_order_release);
    atomic_store_explicit(&published->catalogue, executor->state.counters[COUNTER_CATALOGUE],
                          memory_order_release);
    atomic_store_explicit(&published->auth_epoch, executor->state.counters[COUNTER_AUTH_EPOCH],
                          memory_order_release);
    atomic_store_explicit(&published->unfolded_rows, tail_count(committer->tail),
                          memory_order_relaxed);
}

static void
batch_reply(struct committer *committer)
{
    for (uint32_t i = 0; i < committer->batch_count; i++) {
        /* The ring holds every job that exists, so it cannot be full. */
        CHECK(ring_push(&committer->done, committer->batch[i]));
    }
    /* A failure that no job met must be heard of, too: the server ends with it. */
    if (committer->batch_count > 0 || !committer_serves(committer)) {
        committer->wake(committer->wake_context);
    }
    committer->batch_count = 0;
}

static enum status
batch_commit(struct committer *committer, bool anything)
{
    struct executor *executor = &committer->executor;
    const uint64_t started_ns = clock_monotonic_ns();
    enum status status = state_failure(&executor->state);

    if (status != STATUS_OK || !anything) {
        store_abort(&committer->view);
        return status;
    }
    memcpy(executor->head.counters, executor->state.counters, sizeof executor->state.counters);
    status = store_commit(&committer->view, &executor->head);
    (void)atomic_fetch_add_explicit(&committer->published.commits, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&committer->published.commit_us_total,
                                    (clock_monotonic_ns() - started_ns) / 1000,
                                    memory_order_relaxed);
    return status;
}

/* What became of it; OK when there was nothing to do, too. */
static enum status
batch_run(struct committer *committer)
{
    struct executor *executor = &committer->executor;
    const uint64_t seq_before = executor->head.commit_seq;
    enum status status = store_write_begin(committer->options.store, &committer->view);
    bool upkeep;

    committer->decisions_drained = 0;
    if (status == STATUS_OK) {
        batch_execute(committer);
        publish_read_rows(committer->publish, &executor->state);
        upkeep = batch_add_upkeep(committer);
        status = batch_commit(committer, upkeep || executor->head.commit_seq != seq_before);
    }
    if (status == STATUS_OK) {
        batch_done(committer);
    } else {
        batch_refuse(committer, status);
    }
    batch_publish(committer);
    batch_reply(committer);
    return status;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void
committer_sleep(struct committer *committer, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = committer->wake_fd, .events = POLLIN};
    uint64_t drained;

    /* Exchanges of one flag have an order: either committer_submit's comes later and finds us
     * asleep, or ours does, and sees what was pushed before it. */
    (void)atomic_exchange(&committer->sleeping, true);
    if (ring_count(&committer->submitted) == 0 && !atomic_load(&committer->stopping)) {
        (void)poll(&poll_fd, 1, timeout_ms);
    }
    atomic_store(&committer->sleeping, false);
    (void)!read(committer->wake_fd, &drained, sizeof drained);
}

/* After a failed sync: answer what comes, write nothing more. */
static void
committer_refuse_all(struct committer *committer)
{
    struct job *job;

    while (committer->batch_count < committer->options.batch_max &&
           (job = job_next(committer)) != NULL) {
        execute_refuse(job, ZR_STATUS_READ_ONLY, RETRY_AFTER_MS);
        committer->batch[committer->batch_count++] = job;
    }
    batch_reply(committer);
}

static void *
committer_main(void *context)
{
    struct committer *committer = context;
    enum status status = STATUS_OK;

    while (!atomic_load(&committer->stopping) || ring_count(&committer->submitted) > 0 ||
           committer->held_back != NULL) {
        if (!committer_serves(committer)) {
            committer_refuse_all(committer);
            committer_sleep(committer, IDLE_MS);
            continue;
        }
        if (ring_count(&committer->submitted) == 0 && committer->held_back == NULL) {
            committer_sleep(committer, IDLE_MS);
        }
        (void)batch_run(committer);
    }
    /* What does not fit now stands in the journal: the next start has it. */
    while (committer_serves(committer) && status == STATUS_OK &&
           (tail_count(committer->tail) > 0 || decision_count(&committer->decisions) > 0)) {
        status = batch_run(committer);
    }
    return NULL;
}

bool
committer_submit(struct committer *committer, struct job *job)
{
    const uint64_t one = 1;

    if (!ring_push(&committer->submitted, job)) {
        return false;
    }
    if (atomic_exchange(&committer->sleeping, false)) {
        CHECK(write(committer->wake_fd, &one, sizeof one) == (ssize_t)sizeof one);
    }
    return true;
}

struct job *
committer_take_done(struct committer *committer)
{
    return ring_take(&committer->done);
}

enum status
committer_open(struct committer **committer, const struct committer_options *options)
{
    struct committer *opened = arena_take(options->arena, sizeof *opened, "committer: its head");
    enum status status;

    CHECK(options->batch_max > 0);
    CHECK(options->jobs_max >= options->batch_max);
    opened->options = *options;
    opened->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(opened->wake_fd >= 0);
    opened->tail = tail_open(options->arena, options->tail_rows_max);
    opened->units = units_open(options->arena, options->units_max);
    ring_init(&opened->submitted, options->arena, options->jobs_max, "committer: jobs submitted");
    ring_init(&opened->done, options->arena, options->jobs_max, "committer: jobs answered");
    decision_ring_init(&opened->decisions, options->arena, options->decisions_max);
    opened->batch = arena_take(options->arena, options->batch_max * sizeof(struct job *),
                               "committer: the batch");
    opened->publish = publish_open(&(struct publish_options){
        .arena = options->arena,
        .hot = options->hot,
        .cascades = options->cascades,
        .units = opened->units,
        .jobs_max = (uint32_t)options->batch_max,
    });
    opened->executor = (struct executor){
        .state = {.view = &opened->view, .tail = opened->tail},
        .mac = mac_open(),
        .clock = options->clock,
        .contractors_max = hot_contractors_max(options->hot),
        .cascades = options->cascades,
    };
    status = recover_memory(&(struct recover){.store = options->store,
                                              .view = &opened->view,
                                              .executor = &opened->executor,
                                              .tail = opened->tail,
                                              .units = opened->units,
                                              .hot = options->hot,
                                              .cascades = options->cascades});
    if (status != STATUS_OK) {
        committer_close(opened);
        return status;
    }
    batch_publish(opened);
    *committer = opened;
    return STATUS_OK;
}

enum status
committer_start(struct committer *committer, void (*wake)(void *context), void *wake_context)
{
    committer->wake = wake;
    committer->wake_context = wake_context;
    return pthread_create(&committer->thread, NULL, committer_main, committer) == 0
               ? STATUS_OK
               : STATUS_UNSUPPORTED;
}

void
committer_stop(struct committer *committer)
{
    const uint64_t one = 1;

    atomic_store(&committer->stopping, true);
    CHECK(write(committer->wake_fd, &one, sizeof one) == (ssize_t)sizeof one);
    CHECK(pthread_join(committer->thread, NULL) == 0);
}

void
committer_close(struct committer *committer)
{
    mac_close(committer->executor.mac);
    (void)close(committer->wake_fd);
}
