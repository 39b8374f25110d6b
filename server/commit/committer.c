/*
 * committer.c - the thread: when a batch runs, and how it begins and ends. See committer.h.
 */
#include "server/commit/committer.h"

#include "protocol/check.h"
#include "server/base/log.h"
#include "server/commit/batch.h"
#include "server/commit/recover.h"
#include "server/domain/timer.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    IDLE_MS = 50, /* Without work, look for folds and expired units this often. */
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

/* ---- the thread ------------------------------------------------------------------------------ */

static void
committer_sleep(struct committer *committer, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = committer->wake_fd, .events = POLLIN};
    uint64_t drained;

    /* Exchanges of one flag have an order: either committer_submit's comes later and finds us
     * asleep, or ours does, and sees what was pushed before it. */
    (void)atomic_exchange(&committer->sleeping, true);
    if (ring_count(&committer->submitted) == 0 && !auditor_is_done(committer->auditor) &&
        !atomic_load(&committer->stopping)) {
        (void)poll(&poll_fd, 1, timeout_ms);
    }
    atomic_store(&committer->sleeping, false);
    (void)!read(committer->wake_fd, &drained, sizeof drained);
}

/* Somebody has brought something: go on. Any thread. */
static void
committer_rouse(void *context)
{
    struct committer *committer = context;
    const uint64_t one = 1;

    if (atomic_exchange(&committer->sleeping, false)) {
        CHECK(write(committer->wake_fd, &one, sizeof one) == (ssize_t)sizeof one);
    }
}

/* Until something has to be done, at most; what comes in wakes us. */
static int
idle_ms(const struct committer *committer)
{
    const struct state *state = &committer->executor.state;
    const uint64_t now_ms = batch_log_now_ms(committer);

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
            batch_refuse_all(committer);
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
    auditor_stop(committer->auditor);
    batch_reply_walk(committer);
    return NULL;
}

bool
committer_submit(struct committer *committer, struct job *job)
{
    if (!ring_push(&committer->submitted, job)) {
        return false;
    }
    committer_rouse(committer);
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
    };
    opened->auditor = auditor_open(&(struct auditor_options){
        .arena = options->arena,
        .store = options->store,
        .cascades = options->cascades,
        .published_seq = &opened->published.commit_seq,
        .tail_rows_max = options->tail_rows_max,
        .wake = committer_rouse,
        .context = opened,
    });
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
    enum status status = auditor_start(committer->auditor);

    committer->wake = wake;
    committer->wake_context = wake_context;
    if (status == STATUS_OK &&
        pthread_create(&committer->thread, NULL, committer_main, committer) != 0) {
        auditor_stop(committer->auditor);
        status = STATUS_UNSUPPORTED;
    }
    return status;
}

void
committer_drain(struct committer *committer)
{
    auditor_drain(committer->auditor);
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
    auditor_close(committer->auditor);
    mac_close(committer->executor.mac);
    (void)close(committer->wake_fd);
}
