/*
 * auditor.c - see auditor.h.
 *
 * `phase` is the only thing that both threads write: the committer hands everything else over by
 * setting WALKING, the auditor hands it back by setting DONE (release; the other side acquires).
 */
#include "server/commit/auditor.h"

#include "protocol/check.h"
#include "server/base/log.h"
#include "server/commit/execute.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>

enum {
    RETRY_AFTER_MS = 1000,
    USAGE_EVERY_ROWS = 256, /* Ask how large the file is. */
    LOOKS_MAX = 64,         /* At a slot that changes under our eyes. */
};

enum phase { PHASE_IDLE, PHASE_WALKING, PHASE_DONE };

struct auditor {
    struct auditor_options options;
    struct executor executor;
    struct store_view view;   /* The snapshot that is walked. */
    struct store_view newest; /* The newest commit, for a second look at a slot. */
    struct tail *tail;
    struct job *job;
    uint64_t now_ms;
    uint64_t used_max; /* Bytes of the map: give up. */
    uint64_t rows;
    uint16_t gave_up; /* Status, 0 = no. */
    enum status failure;
    _Atomic int phase;
    _Atomic bool draining; /* Give up; set once, as is the next. */
    _Atomic bool stopping;
    sem_t work;
    pthread_t thread;
};

static bool
auditor_has_room(const struct auditor *auditor)
{
    uint64_t map_bytes;
    uint64_t used_bytes;

    store_usage(auditor->options.store, &map_bytes, &used_bytes);
    return used_bytes <= auditor->used_max;
}

static bool
auditor_goes_on(void *context)
{
    struct auditor *auditor = context;

    if (auditor->gave_up == 0 && atomic_load(&auditor->draining)) {
        auditor->gave_up = ZR_STATUS_DRAINING;
    }
    if (auditor->gave_up == 0 && ++auditor->rows % USAGE_EVERY_ROWS == 0 &&
        !auditor_has_room(auditor)) {
        auditor->gave_up = ZR_STATUS_STORAGE_FULL;
        log_line(LOG_LEVEL_WARN, "audit_gave_up",
                 "rows=%llu do=\"raise map_gib, or audit when there are fewer calls\"",
                 (unsigned long long)auditor->rows);
    }
    return auditor->gave_up == 0 && auditor->failure == STATUS_OK;
}

/* ---- a slot that changed since --------------------------------------------------------------- */

/* The row as of the newest commit, once that is published; false: there is none, and the walk ends.
 */
static bool
newest_slot(struct auditor *auditor, uint32_t zip, uint16_t category, struct slot_row *slot)
{
    struct state state = {.view = &auditor->newest};
    struct store_head head;
    bool known;

    if (store_read_begin(auditor->options.store, &auditor->newest) != STATUS_OK) {
        auditor->gave_up = ZR_STATUS_OVERLOADED;
        return false;
    }
    known = store_view_head(&auditor->newest, &head);
    if (known) {
        state_slot_get(&state, zip, category, slot);
    }
    store_read_end(&auditor->newest);
    auditor->failure = auditor->newest.failure;
    /* Acquire: who sees the number finds the lines that were published before it. */
    while (known && atomic_load_explicit(auditor->options.published_seq, memory_order_acquire) <
                        head.commit_seq) {
        if (!auditor_goes_on(auditor)) {
            return false;
        }
        (void)sched_yield(); /* The committer is between its commit and its publishing. */
    }
    return known && auditor->failure == STATUS_OK;
}

/* Row first, line after: so the line is never older, and when it is newer the slot has changed in
 * between. Nothing but a wrong line is newer each time. */
static bool
auditor_line_is_newest(void *context, uint32_t zip, uint16_t category)
{
    struct auditor *auditor = context;
    struct slot_row slot;
    struct slot_row line;

    for (int look = 0; look < LOOKS_MAX; look++) {
        if (!newest_slot(auditor, zip, category, &slot)) {
            return true; /* Nobody is accused of what could not be looked at. */
        }
        if (!cascades_get(auditor->options.cascades, zip, category, &line) ||
            cascades_same(&line, &slot)) {
            return true;
        }
        if (line.version <= slot.version) {
            return false;
        }
    }
    return false;
}

/* ---- one walk -------------------------------------------------------------------------------- */

/* What the tables do not have yet: the images of every row since the oldest unfolded touch. */
static enum status
tail_rebuild(struct auditor *auditor)
{
    const struct store_head *head = &auditor->executor.head;
    struct journal_entry entry;

    for (uint64_t seq = head->fold_seq + 1; seq <= head->commit_seq; seq++) {
        if (!auditor_goes_on(auditor)) {
            return STATUS_OK;
        }
        if (!journal_read(&auditor->view, seq, &entry) ||
            !journal_restore_images(auditor->tail, seq, &entry)) {
            log_line(LOG_LEVEL_ERROR, "audit_journal", "seq=%llu do=\"restore a backup\"",
                     (unsigned long long)seq);
            return STATUS_CORRUPT;
        }
        tail_batch_done(auditor->tail); /* There is nothing to undo. */
    }
    return STATUS_OK;
}

static void
auditor_walk(struct auditor *auditor)
{
    struct executor *executor = &auditor->executor;
    struct effects effects;

    auditor->failure = tail_rebuild(auditor);
    if (auditor->failure == STATUS_OK && auditor->gave_up == 0) {
        execute_job(executor, auditor->job, auditor->now_ms, &effects);
    }
    if (auditor->failure == STATUS_OK) {
        auditor->failure = state_failure(&executor->state);
    }
    if (auditor->failure != STATUS_OK) {
        execute_refuse(auditor->job, ZR_STATUS_UNKNOWN_OUTCOME, 0);
    } else if (auditor->gave_up != 0) {
        execute_refuse(auditor->job, auditor->gave_up, RETRY_AFTER_MS);
    }
    tail_clear(auditor->tail);
    store_read_end(&auditor->view);
}

static void
auditor_end(struct auditor *auditor)
{
    atomic_store_explicit(&auditor->phase, PHASE_DONE, memory_order_release);
    auditor->options.wake(auditor->options.context);
}

static void *
auditor_main(void *context)
{
    struct auditor *auditor = context;

    do {
        while (sem_wait(&auditor->work) != 0) {
            CHECK(errno == EINTR);
        }
        if (atomic_load_explicit(&auditor->phase, memory_order_acquire) == PHASE_WALKING) {
            auditor_walk(auditor);
            auditor_end(auditor);
        }
    } while (!atomic_load(&auditor->stopping)); /* After a look: each job is answered. */
    return NULL;
}

/* ---- the committer's side -------------------------------------------------------------------- */

bool
auditor_wants(const struct job *job)
{
    return job->header.op == ZR_OP_STATE_HASH || job->header.op == ZR_OP_AUDIT;
}

bool
auditor_is_idle(const struct auditor *auditor)
{
    return atomic_load_explicit(&auditor->phase, memory_order_relaxed) == PHASE_IDLE;
}

bool
auditor_is_done(const struct auditor *auditor)
{
    return atomic_load_explicit(&auditor->phase, memory_order_acquire) == PHASE_DONE;
}

void
auditor_begin(struct auditor *auditor, struct job *job, uint64_t now_ms)
{
    struct executor *executor = &auditor->executor;
    uint64_t map_bytes;
    uint64_t used_bytes;

    CHECK(auditor_is_idle(auditor));
    auditor->job = job;
    auditor->now_ms = now_ms;
    auditor->rows = 0;
    auditor->gave_up = 0;
    auditor->failure = STATUS_OK;
    store_usage(auditor->options.store, &map_bytes, &used_bytes);
    auditor->used_max = used_bytes + (map_bytes - used_bytes) / 2;
    executor->head = *store_head(auditor->options.store);
    state_forget(&executor->state, executor->head.counters);
    if (store_read_begin(auditor->options.store, &auditor->view) != STATUS_OK) {
        execute_refuse(job, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS);
        auditor_end(auditor);
        return;
    }
    atomic_store_explicit(&auditor->phase, PHASE_WALKING, memory_order_release);
    CHECK(sem_post(&auditor->work) == 0);
}

struct job *
auditor_take(struct auditor *auditor, enum status *failure)
{
    if (!auditor_is_done(auditor)) {
        return NULL;
    }
    *failure = auditor->failure;
    atomic_store_explicit(&auditor->phase, PHASE_IDLE, memory_order_relaxed);
    return auditor->job;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct auditor *
auditor_open(const struct auditor_options *options)
{
    struct auditor *auditor = arena_take(options->arena, sizeof *auditor, "auditor: its head");

    auditor->options = *options;
    auditor->view.careful = true;
    auditor->newest.careful = true;
    /* Besides the committer's rows those that it has folded since the oldest unfolded touch; all of
     * them once stood in its tail together. */
    auditor->tail = tail_open(options->arena, 2 * options->tail_rows_max);
    auditor->executor = (struct executor){
        .state = {.view = &auditor->view, .tail = auditor->tail},
        .mac = mac_open(),
        .audit = {.cascades = options->cascades,
                  .context = auditor,
                  .goes_on = auditor_goes_on,
                  .line_is_newest = auditor_line_is_newest},
    };
    CHECK(sem_init(&auditor->work, 0, 0) == 0);
    return auditor;
}

enum status
auditor_start(struct auditor *auditor)
{
    return pthread_create(&auditor->thread, NULL, auditor_main, auditor) == 0 ? STATUS_OK
                                                                              : STATUS_UNSUPPORTED;
}

void
auditor_drain(struct auditor *auditor)
{
    atomic_store(&auditor->draining, true);
}

void
auditor_stop(struct auditor *auditor)
{
    auditor_drain(auditor);
    atomic_store(&auditor->stopping, true);
    CHECK(sem_post(&auditor->work) == 0);
    CHECK(pthread_join(auditor->thread, NULL) == 0);
}

void
auditor_close(struct auditor *auditor)
{
    store_read_close(&auditor->newest);
    store_read_close(&auditor->view);
    mac_close(auditor->executor.mac);
    CHECK(sem_destroy(&auditor->work) == 0);
}
