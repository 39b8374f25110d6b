/*
 * batch.c - one batch: what it takes, in which order, and what becomes of it. See batch.h.
 */
#include "server/commit/batch.h"

#include "protocol/check.h"
#include "server/base/log.h"
#include "server/domain/timer.h"

#include <string.h>

enum {
    IDLE_FOLD_ROWS = 512,
    TRIM_ROWS = 16,
    TRIM_ROWS_PER_COMMAND = 4, /* More than one adds: what is trimmed must not fall behind. */
    /* Rows that one command may touch at most: room that must be free before it starts. */
    ROOM_PER_JOB = STATE_IMAGES_MAX,
    RETRY_AFTER_MS = 50,
    WALK_RETRY_AFTER_MS = 1000, /* It takes seconds: who asks for another one waits. */
};

/* Say at least this often that we are here (M2: 60 s of silence are an outage). */
#define ALIVE_EVERY_NS (UINT64_C(20) * 1000000000)

bool
committer_serves(const struct committer *committer)
{
    return committer_failure(committer) == STATUS_OK;
}

uint64_t
batch_log_now_ms(const struct committer *committer)
{
    const uint64_t now_ms = clock_now_ms(committer->options.clock);

    return now_ms > committer->executor.head.log_ms ? now_ms : committer->executor.head.log_ms;
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
        *now_ms = batch_log_now_ms(committer);
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

/* A job for the auditor: it walks what this batch makes durable, so the batch ends with it. */
static void
walk_take(struct committer *committer, struct job *job, uint64_t now_ms)
{
    if (clock_now_us(committer->options.clock) >= job->deadline_us) {
        execute_refuse(job, ZR_STATUS_DEADLINE_EXCEEDED, RETRY_AFTER_MS); /* E38 */
        committer->batch[committer->batch_count++] = job;
    } else if (!auditor_is_idle(committer->auditor)) {
        execute_refuse(job, ZR_STATUS_OVERLOADED, WALK_RETRY_AFTER_MS);
        committer->batch[committer->batch_count++] = job;
    } else {
        committer->walk = job;
        committer->walk_ms = now_ms;
    }
}

/* For records that may wait in their ring: EXPLAIN, and once some were lost each job that would put
 * its ticket's in the place of one (execute.c). */
static bool
job_asks_for_decisions(const struct committer *committer, const struct job *job)
{
    const uint16_t op = job->header.op;

    return (op == ZR_OP_EXPLAIN && !committer->full) ||
           ((op == ZR_OP_CONNECT || op == ZR_OP_END) && committer->executor.decisions_lost);
}

/* True when the job was executed; else it is held back for the next batch. */
static bool
batch_take(struct committer *committer, struct job *job, uint64_t now_ms)
{
    committer->held_ms = now_ms;
    if (!job_goes_alone(committer, job) && !own_run(&committer->own, now_ms)) {
        committer->behind = true;
        committer->held_back = job;
        return false;
    }
    if (auditor_wants(job)) {
        walk_take(committer, job, now_ms);
        return true;
    }
    committer->executor.decisions_lost = decision_was_lost(&committer->decisions);
    if (job_asks_for_decisions(committer, job)) {
        committer->decisions_drained =
            decision_drain(&committer->decisions, &committer->view, committer->decisions_drained);
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
        if (committer->walk != NULL || job_goes_alone(committer, job)) {
            return;
        }
    }
    /* What those jobs set, and what time brought: before anybody is told. */
    committer->behind = !own_run(&committer->own, batch_log_now_ms(committer));
}

/* How many rows to fold now: a slice, more when the tail grows faster than slices take from it. */
static uint32_t
fold_rows(const struct committer *committer)
{
    const uint32_t count = tail_count(committer->tail);

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

/* Everything but the commands that this commit carries, of which so many are journaled. Returns
 * whether there is anything to commit. */
static bool
batch_add_upkeep(struct committer *committer, uint64_t journaled)
{
    struct executor *executor = &committer->executor;
    const uint64_t now_ms = batch_log_now_ms(committer);
    const uint32_t trim_rows = TRIM_ROWS + TRIM_ROWS_PER_COMMAND * (uint32_t)journaled;
    uint32_t done;

    if (committer->full && (committer->batch_count > 0 || committer->walk != NULL) &&
        journaled == 0) {
        return false; /* It wants space; the job may not. An idle batch tries again. */
    }
    done = decision_drain(&committer->decisions, &committer->view, committer->decisions_drained);
    committer->decisions_drained = done;
    done += execute_trim_keys(executor, now_ms, trim_rows);
    done += execute_trim_events(executor, now_ms, trim_rows);
    done += tail_fold(committer->tail, &committer->view, fold_rows(committer));
    executor->head.fold_seq = tail_folded_to(committer->tail, executor->head.commit_seq);
    return done > 0 || journaled > 0 || alive_is_old(committer);
}

static void
committer_fail(struct committer *committer, enum status failure)
{
    log_line(LOG_LEVEL_ERROR, "committer_stops", "status=\"%s\" do=\"check the disk\"",
             status_name(failure));
    committer->behind = false; /* What is due stays so: nobody waits for it any more. */
    atomic_store_explicit(&committer->failure, (int)failure, memory_order_release);
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
    if (committer->walk != NULL) {
        committer->batch[committer->batch_count++] = committer->walk;
        committer->walk = NULL;
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
        committer_fail(committer, failure);
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

bool
batch_publish(struct committer *committer)
{
    struct committer_published *published = &committer->published;
    const struct executor *executor = &committer->executor;
    const uint64_t events_seq = executor->state.counters[COUNTER_EVENT];
    const uint64_t timer_next_ms =
        executor->state.timer_next_ms == STATE_TIMER_NEVER ? 0 : executor->state.timer_next_ms;
    const bool events_moved =
        atomic_load_explicit(&published->events_seq, memory_order_relaxed) != events_seq;

    publish_now(committer->publish, batch_log_now_ms(committer));
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

/* The batch is durable and published: its walk begins, and others go on beside it. */
static void
walk_begin(struct committer *committer)
{
    if (committer->walk != NULL) {
        auditor_begin(committer->auditor, committer->walk, committer->walk_ms);
        committer->walk = NULL;
    }
}

void
batch_reply_walk(struct committer *committer)
{
    enum status failure;
    struct job *job = auditor_take(committer->auditor, &failure);

    if (job == NULL) {
        return;
    }
    if (failure != STATUS_OK && committer_serves(committer)) {
        committer_fail(committer, failure);
    }
    CHECK(ring_push(&committer->done, job));
    committer->wake(committer->wake_context);
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

/* For as long as nothing could be written nobody could keep a deadline: it is as if the server had
 * been away (M2). Until it heals, the end of that time is now. */
static void
batch_judge_outage(struct committer *committer)
{
    const uint64_t alive_ms = committer->executor.head.alive_ms;
    const uint64_t now_ms = clock_now_ms(committer->options.clock);

    if (committer->full && alive_ms != 0 && now_ms > alive_ms + TIMER_OUTAGE_MS) {
        own_set_outage(&committer->own, alive_ms, now_ms);
    }
}

enum status
batch_run(struct committer *committer)
{
    struct executor *executor = &committer->executor;
    const uint64_t seq_before = executor->head.commit_seq;
    enum status status = store_write_begin(committer->options.store, &committer->view);
    bool anything;

    committer->decisions_drained = 0;
    batch_judge_outage(committer);
    if (status == STATUS_OK) {
        batch_execute(committer);
        publish_read_rows(committer->publish, &executor->state);
        anything = batch_add_upkeep(committer, executor->head.commit_seq - seq_before);
        status = batch_commit(committer, anything);
    }
    if (status == STATUS_OK) {
        batch_done(committer);
    } else {
        batch_refuse(committer, status);
    }
    batch_reply(committer, batch_publish(committer));
    batch_reply_walk(committer);
    walk_begin(committer); /* Last: until the next batch's end nobody else walks. */
    return status;
}

void
batch_refuse_all(struct committer *committer)
{
    struct job *job;
    uint64_t now_ms;

    while (committer->batch_count < committer->options.batch_max &&
           (job = job_next(committer, &now_ms)) != NULL) {
        execute_refuse(job, ZR_STATUS_READ_ONLY, RETRY_AFTER_MS);
        committer->batch[committer->batch_count++] = job;
    }
    batch_reply(committer, false);
    batch_reply_walk(committer);
}
