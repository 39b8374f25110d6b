/*
 * committer.c - the thread and its batch. See committer.h.
 */
#include "server/commit/committer.h"

#include "protocol/check.h"
#include "server/base/log.h"
#include "server/commit/execute.h"
#include "server/commit/own.h"
#include "server/commit/publish.h"
#include "server/commit/recover.h"
#include "server/domain/timer.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    IDLE_MS = 50, /* Without work, look for folds and expired units this often. */
    IDLE_FOLD_ROWS = 512,
    TRIM_ROWS = 16,
    /* Rows that one command may touch at most: room that must be free before it starts. */
    ROOM_PER_JOB = STATE_IMAGES_MAX,
    RETRY_AFTER_MS = 50,
    FOLD_BATCH_ROWS = 8192,
};

/* Say at least this often that we are here (M2: 60 s of silence are an outage). */
#define ALIVE_EVERY_NS (UINT64_C(20) * 1000000000)

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
    struct committer_published published;
    struct job **batch;
    uint32_t batch_count;
    uint32_t owed_count;   /* Of it: durable, but work that they set is not done yet. */
    bool behind;           /* Something is due and did not fit into the batch. */
    struct job *held_back; /* Taken from the queue, for the next batch ... */
    uint64_t held_ms;      /* ... at this log time, or time could run away from it. */
    uint64_t committed_ns; /* Monotonic: when the last commit was. */
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

struct ring_facts *
committer_rings(struct committer *committer)
{
    return &committer->rings;
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

/* Its log time is read after it was taken: never before the time at which a worker read the
 * clock for what it says. */
static struct job *
job_next(struct committer *committer, uint64_t *now_ms)
{
    struct job *job = committer->held_back;

    committer->held_back = NULL;
    if (job == NULL) {
        job = ring_take(&committer->submitted);
        *now_ms = log_now_ms(committer);
    } else {
        const uint64_t log_ms = committer->executor.head.log_ms;

        *now_ms = committer->held_ms > log_ms ? committer->held_ms : log_ms;
    }
    return job;
}

static void
job_execute(struct committer *committer, struct job *job, uint64_t now_ms)
{
    struct effects effects;

    execute_job(&committer->executor, job, now_ms, &effects);
    publish_note(committer->publish, &committer->executor.state, job, &effects, now_ms);
}

/* A read on a disk that is full: what is due cannot be written, and must not stand in its way. */
static bool
job_goes_alone(const struct committer *committer, const struct job *job)
{
    return committer->full && job->operation->kind == ZR_OP_KIND_ORDERED;
}

/* True when the job was executed; else it is held back for the next batch. */
static bool
batch_take(struct committer *committer, struct job *job, uint64_t now_ms)
{
    const uint64_t durable_seq = store_head(committer->options.store)->commit_seq;
    const bool alone = job_stands_alone(job);

    committer->held_ms = now_ms;
    if (!job_goes_alone(committer, job) && !own_run(&committer->own, now_ms, !alone)) {
        committer->behind = true;
        committer->held_back = job;
        return false;
    }
    if (alone && (committer->batch_count > 0 || tail_count(committer->tail) > 0 ||
                  committer->executor.head.commit_seq != durable_seq)) {
        committer->held_back = job;
        return false;
    }
    if (job->header.op == ZR_OP_EXPLAIN && !committer->full) {
        /* It asks for records that may wait in their ring; the upkeep adds them again. */
        (void)decision_drain(&committer->decisions, &committer->view);
    }
    committer->batch[committer->batch_count++] = job;
    job_execute(committer, job, now_ms);
    return true;
}

static void
batch_execute(struct committer *committer)
{
    struct job *job;
    uint64_t now_ms;

    committer->behind = false;
    while (batch_has_room(committer) && (job = job_next(committer, &now_ms)) != NULL) {
        if (!batch_take(committer, job, now_ms)) {
            return;
        }
        if (job_stands_alone(job) || job_goes_alone(committer, job)) {
            return;
        }
    }
    /* What those jobs set, and what time brought: before anybody is told. */
    committer->behind = !own_run(&committer->own, log_now_ms(committer), true);
}

/* How many rows to fold now: a slice, more when the tail grows faster than slices take from it. */
static uint32_t
fold_rows(const struct committer *committer)
{
    const uint32_t count = tail_count(committer->tail);

    if (committer->held_back != NULL && job_stands_alone(committer->held_back)) {
        return FOLD_BATCH_ROWS; /* It waits for an empty tail. */
    }
    if (committer->batch_count == 0) {
        return IDLE_FOLD_ROWS;
    }
    if (count > committer->options.tail_rows_max / 2) {
        return 4 * committer->batch_count + committer->options.fold_slice;
    }
    return committer->options.fold_slice;
}

/* The clock of a manual server stands still: then nobody is to be told. */
static bool
alive_is_old(const struct committer *committer)
{
    return !committer->options.clock->manual &&
           clock_monotonic_ns() - committer->committed_ns > ALIVE_EVERY_NS;
}

/* Everything but the commands that this commit carries. `journaled`: it carries some. Returns
 * whether there is anything to commit. */
static bool
batch_add_upkeep(struct committer *committer, bool journaled)
{
    struct executor *executor = &committer->executor;
    const uint64_t now_ms = log_now_ms(committer);
    uint32_t done;

    if (committer->full && committer->batch_count > 0 && !journaled) {
        return false; /* It wants space; the job may not. An idle batch tries again. */
    }
    done = decision_drain(&committer->decisions, &committer->view);
    committer->decisions_drained = done;
    done += execute_trim_keys(executor, now_ms, TRIM_ROWS);
    done += execute_trim_events(executor, now_ms, TRIM_ROWS);
    done += tail_fold(committer->tail, &committer->view, fold_rows(committer));
    executor->head.fold_seq = tail_folded_to(committer->tail, executor->head.commit_seq);
    return done > 0 || journaled || alive_is_old(committer);
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
    own_batch_undo(&committer->own);
    committer->behind = false; /* Not at once: the next batch tries it again. */
    committer->executor.head = *store_head(committer->options.store);
    state_forget(&committer->executor.state, committer->executor.head.counters);
    for (uint32_t i = committer->owed_count; i < committer->batch_count; i++) {
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
    own_batch_done(&committer->own);
    publish_units(committer->publish);
    if (committer->full && store_head(committer->options.store)->txn_id > committer->full_txn_id) {
        committer->full = false;
        log_line(LOG_LEVEL_INFO, "storage_healed", "commit_seq=%llu",
                 (unsigned long long)committer->executor.head.commit_seq);
    }
}

/* Returns whether subscribers have something to read. */
static bool
batch_publish(struct committer *committer)
{
    struct committer_published *published = &committer->published;
    const struct executor *executor = &committer->executor;
    const uint64_t events_seq = executor->state.counters[COUNTER_EVENT];
    const uint64_t timer_next_ms =
        executor->state.timer_next_ms == STATE_TIMER_NEVER ? 0 : executor->state.timer_next_ms;
    const bool events_moved =
        atomic_load_explicit(&published->events_seq, memory_order_relaxed) != events_seq;

    publish_now(committer->publish, log_now_ms(committer));
    /* Release: who sees a number sees what was published before it. */
    atomic_store_explicit(&published->commit_seq, executor->head.commit_seq, memory_order_release);
    atomic_store_explicit(&published->catalogue, executor->state.counters[COUNTER_CATALOGUE],
                          memory_order_release);
    atomic_store_explicit(&published->auth_epoch, executor->state.counters[COUNTER_AUTH_EPOCH],
                          memory_order_release);
    atomic_store_explicit(&published->events_seq, events_seq, memory_order_release);
    if (executor->state.timer_next_known) {
        atomic_store_explicit(&published->timer_next_ms, timer_next_ms, memory_order_relaxed);
    }
    atomic_store_explicit(&published->ticks, committer->own.ticks, memory_order_relaxed);
    atomic_store_explicit(&published->unfolded_rows, tail_count(committer->tail),
                          memory_order_relaxed);
    return events_moved;
}

/* A reply waits until the work that its command set is done, too; events do not (R42). */
static void
batch_reply(struct committer *committer, bool events_moved)
{
    const uint32_t replies_count = committer->behind ? 0 : committer->batch_count;

    for (uint32_t i = 0; i < replies_count; i++) {
        /* The ring holds every job that exists, so it cannot be full. */
        CHECK(ring_push(&committer->done, committer->batch[i]));
    }
    committer->batch_count -= replies_count;
    committer->owed_count = committer->batch_count;
    /* A failure that no job met must be heard of, too: the server ends with it. */
    if (replies_count > 0 || events_moved || !committer_serves(committer)) {
        committer->wake(committer->wake_context);
    }
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
    if (!own_has_outage(&committer->own)) {
        /* Until all deadlines have moved, the outage is not over: not even over a crash. */
        executor->head.alive_ms = clock_now_ms(committer->options.clock);
    }
    status = store_commit(&committer->view, &executor->head);
    committer->committed_ns = clock_monotonic_ns();
    (void)atomic_fetch_add_explicit(&committer->published.commits, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&committer->published.commit_us_total,
                                    (committer->committed_ns - started_ns) / 1000,
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
    bool anything;

    committer->decisions_drained = 0;
    if (status == STATUS_OK) {
        batch_execute(committer);
        publish_read_rows(committer->publish, &executor->state);
        anything = batch_add_upkeep(committer, executor->head.commit_seq != seq_before);
        status = batch_commit(committer, anything);
    }
    if (status == STATUS_OK) {
        batch_done(committer);
    } else {
        batch_refuse(committer, status);
    }
    batch_reply(committer, batch_publish(committer));
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
    uint64_t now_ms;

    while (committer->batch_count < committer->options.batch_max &&
           (job = job_next(committer, &now_ms)) != NULL) {
        execute_refuse(job, ZR_STATUS_READ_ONLY, RETRY_AFTER_MS);
        committer->batch[committer->batch_count++] = job;
    }
    batch_reply(committer, false);
}

/* Until something has to be done, at most; what comes in wakes us. */
static int
idle_ms(const struct committer *committer)
{
    const struct state *state = &committer->executor.state;
    const uint64_t now_ms = log_now_ms(committer);

    if (!state->timer_next_known || state->timer_next_ms >= now_ms + IDLE_MS) {
        return IDLE_MS;
    }
    return state->timer_next_ms > now_ms ? (int)(state->timer_next_ms - now_ms) : 0;
}

static bool
committer_has_work(const struct committer *committer)
{
    return ring_count(&committer->submitted) > 0 || committer->held_back != NULL ||
           committer->behind;
}

static void *
committer_main(void *context)
{
    struct committer *committer = context;
    enum status status = STATUS_OK;

    while (!atomic_load(&committer->stopping) || committer_has_work(committer)) {
        if (!committer_serves(committer)) {
            committer_refuse_all(committer);
            committer_sleep(committer, IDLE_MS);
            continue;
        }
        if (!committer_has_work(committer)) {
            committer_sleep(committer, idle_ms(committer));
        }
        (void)batch_run(committer);
    }
    /* What does not fit now stands in the journal: the next start has it. */
    while (committer_serves(committer) && status == STATUS_OK &&
           (tail_count(committer->tail) > 0 || decision_count(&committer->decisions) > 0 ||
            ring_facts_count(&committer->rings) > 0)) {
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

/* How long was nobody here? (M2) */
static void
outage_judge(struct committer *committer)
{
    const uint64_t alive_ms = committer->executor.head.alive_ms;
    const uint64_t now_ms = clock_now_ms(committer->options.clock);

    if (alive_ms != 0 && now_ms > alive_ms + TIMER_OUTAGE_MS) {
        log_line(LOG_LEVEL_INFO, "outage", "from_ms=%llu to_ms=%llu", (unsigned long long)alive_ms,
                 (unsigned long long)now_ms);
        own_set_outage(&committer->own, alive_ms, now_ms);
        committer->behind = true; /* At once, and even when we are to stop at once. */
    }
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
    ring_facts_init(&opened->rings, options->arena, options->rings_max);
    opened->batch = arena_take(options->arena, options->batch_max * sizeof(struct job *),
                               "committer: the batch");
    opened->executor = (struct executor){
        .state = {.view = &opened->view, .tail = opened->tail},
        .mac = mac_open(),
        .clock = options->clock,
        .contractors_max = hot_contractors_max(options->hot),
        .cascades = options->cascades,
    };
    opened->publish = publish_open(&(struct publish_options){
        .arena = options->arena,
        .hot = options->hot,
        .cascades = options->cascades,
        .units = opened->units,
        .profiles = {opened->executor.mac, store_identity(options->store)->caller_key},
        .jobs_max = (uint32_t)options->batch_max,
        .commands_max = (uint32_t)options->batch_max + OWN_COMMANDS_MAX,
    });
    own_init(&opened->own, options->arena, &opened->executor, opened->publish, &opened->rings);
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
    outage_judge(opened);
    (void)batch_publish(opened); /* No worker runs yet: whoever subscribes reads from here on. */
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
