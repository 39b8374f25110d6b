/*
 * test_timer.c - time in the log: every timer fires once, in order, at its own time, over any
 * restart, and before anybody is told what came after it (M2).
 */
#include "server/domain/timer.h"
#include "tests/unit/test_commit.h"

#define SECOND_MS    UINT64_C(1000)
#define MINUTE_MS    (60 * SECOND_MS)
#define HOUR_MS      (60 * MINUTE_MS)
#define DAY_MS       (24 * HOUR_MS)
#define GRACE_MS     (14 * DAY_MS) /* Of a pause. */
#define FAR_FUTURE_S UINT64_C(4000000000)

enum { FUND = 100000, MANY_CLAIMS = 40, MANY_CONTRACTORS = 90 };
/* Rows for 58 of them in one batch, beside the room that must be free before a command. */
enum { SMALL_TAIL = 2 * STATE_IMAGES_MAX + 58 };

static const struct rig_actor nobody = {0, 0};
static const struct rig_actor bench = {ZR_ROLE_BENCH, 1};

/* ---- the market ---------------------------------------------------------------------------- */

static void
make_categories(int count)
{
    char name[32];

    rig_import_zip();
    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "category-%d", i);
        assert_int_equal(rig_category(rig_key(), name), ZR_STATUS_OK);
    }
}

/* CLAIM of one slot; returns its title. */
static uint8_t
claim(uint32_t contractor, uint16_t category)
{
    const struct zr_claim_request request = {.op_id = rig_key(),
                                             .contractor = contractor,
                                             .accept_backup = true,
                                             .slots_count = 1,
                                             .slots = {{.zip = RIG_ZIP, .category = category}}};

    assert_int_equal(rig_send(rig_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    return rig.reply.claim_reply.results[0].title;
}

static uint32_t
contractor_with_claim(uint16_t category)
{
    const uint32_t contractor = rig_contractor(FUND);

    assert_int_equal(claim(contractor, category), ZR_TITLE_PRIMARY);
    return contractor;
}

static void
pause_contractor(uint32_t contractor)
{
    const struct zr_pause_request request = {
        .op_id = rig_key(), .contractor = contractor, .until_ms = FAR_FUTURE_S * SECOND_MS};

    assert_int_equal(rig_send(rig_portal, ZR_OP_PAUSE, &request), ZR_STATUS_OK);
}

static uint64_t
advance(uint64_t advance_ms)
{
    const struct zr_clock_advance_request request = {.advance_ms = advance_ms};

    assert_int_equal(rig_send(bench, ZR_OP_CLOCK_ADVANCE, &request), ZR_STATUS_OK);
    return rig.reply.clock_advance_reply.now_ms;
}

/* From by hand to the thread, with what was done so far on disk. */
static void
go_on_with_the_thread(void)
{
    rig_commit(0);
    rig_crash();
    rig_serve();
}

static void
restart(uint64_t skip_ms)
{
    rig_stop();
    rig.skip_ms = skip_ms;
    rig_serve();
    rig.skip_ms = 0;
}

/* ---- what is durable ----------------------------------------------------------------------- */

/* A snapshot of the last commit, as a worker reads it. */
struct snapshot {
    struct store_view view;
    struct state state;
};

static void
snapshot_begin(struct snapshot *snapshot)
{
    struct store_value value;
    struct store_head head;

    *snapshot = (struct snapshot){0};
    assert_int_equal(store_read_begin(rig.store, &snapshot->view), STATUS_OK);
    snapshot->state.view = &snapshot->view;
    assert_true(store_get(&snapshot->view, TABLE_META, "head", 4, &value));
    memcpy(&head, value.bytes, sizeof head);
    memcpy(snapshot->state.counters, head.counters, sizeof snapshot->state.counters);
}

/* The `place`-th event of a type; false when there are fewer. */
static bool
event_at(uint8_t type, uint32_t place, struct event_row *event)
{
    struct snapshot snapshot;
    bool found = false;

    snapshot_begin(&snapshot);
    for (uint64_t seq = 1; !found && state_event_get(&snapshot.state, seq, event); seq++) {
        found = event->type == type && place-- == 0;
    }
    store_read_close(&snapshot.view);
    return found;
}

static uint32_t
events_count(uint8_t type)
{
    struct event_row event;
    uint32_t count = 0;

    while (event_at(type, count, &event)) {
        count++;
    }
    return count;
}

static uint32_t
live_claims(uint32_t contractor)
{
    struct snapshot snapshot;
    struct contractor_row row;

    snapshot_begin(&snapshot);
    assert_true(state_contractor_get(&snapshot.state, contractor, &row));
    store_read_close(&snapshot.view);
    return row.claims;
}

static void
assert_event(uint8_t type, uint32_t place, uint32_t contractor, uint64_t time_ms)
{
    struct event_row event;

    assert_true(event_at(type, place, &event));
    assert_int_equal(event.contractor, contractor);
    assert_int_equal(event.time_ms, time_ms);
}

static void
assert_sound(void)
{
    const struct zr_audit_request all = {0};

    assert_int_equal(rig_send(rig_admin, ZR_OP_AUDIT, &all), ZR_STATUS_OK);
    assert_int_equal(rig.reply.audit_reply.violations, 0);
    assert_int_equal(rig.reply.audit_reply.timers_overdue, 0);
}

/* ---- order --------------------------------------------------------------------------------- */

/* One step of the clock over many: each at its own time, equals in the order they were set. */
static void
test_timers_fire_in_order_each_at_its_time(void **state)
{
    uint32_t contractors[3];
    uint64_t paused_ms;

    (void)state;
    make_categories(3);
    for (uint16_t i = 0; i < 3; i++) {
        contractors[i] = contractor_with_claim(i + 1);
    }
    go_on_with_the_thread();
    paused_ms = advance(1);
    pause_contractor(contractors[1]);
    (void)advance(HOUR_MS);
    pause_contractor(contractors[2]);
    pause_contractor(contractors[0]);
    (void)advance(20 * DAY_MS);
    assert_event(ZR_EVENT_FORFEITED, 0, contractors[1], paused_ms + GRACE_MS);
    assert_event(ZR_EVENT_FORFEITED, 1, contractors[2], paused_ms + GRACE_MS + HOUR_MS);
    assert_event(ZR_EVENT_FORFEITED, 2, contractors[0], paused_ms + GRACE_MS + HOUR_MS);
    assert_int_equal(events_count(ZR_EVENT_FORFEITED), 3);
    assert_int_equal(events_count(ZR_EVENT_SLOT_OPENED), 3);
    assert_sound();
    rig_stop();
    assert_int_equal(rig_replay(), STATUS_OK);
}

/* E8, E13: a deadline is exclusive, and what is due at it comes before the command at it. */
static void
test_timer_comes_before_the_command_of_its_instant(void **state)
{
    struct zr_resume_request resume = {0};
    uint32_t contractor;

    (void)state;
    make_categories(1);
    contractor = contractor_with_claim(1);
    go_on_with_the_thread();
    pause_contractor(contractor);
    (void)advance(GRACE_MS - 1);
    assert_int_equal(live_claims(contractor), 1);
    (void)advance(1);
    assert_int_equal(live_claims(contractor), 0);
    resume.op_id = rig_key();
    resume.contractor = contractor;
    assert_int_equal(rig_send(rig_portal, ZR_OP_RESUME, &resume), ZR_STATUS_OK);
    assert_int_equal(events_count(ZR_EVENT_FORFEITED), 1);
    rig_stop();
}

/* What was told of the clock stays so, without a timer or a command in between (E54). */
static void
test_clock_stays_where_it_was_told_over_a_restart(void **state)
{
    uint64_t told_ms;

    (void)state;
    go_on_with_the_thread();
    told_ms = advance(5 * DAY_MS);
    restart(0);
    assert_int_equal(clock_now_ms(&rig.clock), told_ms);
    assert_true(store_head(rig.store)->log_ms < told_ms);
    assert_int_equal(advance(1), told_ms + 1);
    rig_stop();
}

/* ---- restarts ------------------------------------------------------------------------------ */

/* None is lost, none fires twice, wherever the server stopped. */
static void
test_timers_survive_restarts_and_fire_once(void **state)
{
    uint64_t random = test_seed();
    uint64_t paused_ms;
    uint32_t contractor;

    (void)state;
    make_categories(1);
    contractor = contractor_with_claim(1);
    go_on_with_the_thread();
    paused_ms = clock_now_ms(&rig.clock);
    pause_contractor(contractor);
    while (clock_now_ms(&rig.clock) < paused_ms + 2 * GRACE_MS) {
        (void)advance(test_random_below(&random, 3 * DAY_MS));
        restart(0);
        assert_int_equal(live_claims(contractor),
                         clock_now_ms(&rig.clock) < paused_ms + GRACE_MS ? 1 : 0);
    }
    assert_event(ZR_EVENT_FORFEITED, 0, contractor, paused_ms + GRACE_MS);
    assert_int_equal(events_count(ZR_EVENT_FORFEITED), 1);
    assert_sound();
    rig_stop();
    assert_int_equal(rig_replay(), STATUS_OK);
}

static uint32_t
contractor_with_many_claims(void)
{
    uint32_t contractor;

    make_categories(MANY_CLAIMS);
    contractor = rig_contractor(FUND);
    for (uint16_t i = 1; i <= MANY_CLAIMS; i++) {
        assert_int_equal(claim(contractor, i), ZR_TITLE_PRIMARY);
    }
    return contractor;
}

static uint16_t
close_account(uint32_t contractor)
{
    const struct zr_contractor_status_request request = {
        .op_id = rig_key(), .contractor = contractor, .contractor_status = ZR_CONTRACTOR_CLOSING};

    return rig_send(rig_admin, ZR_OP_CONTRACTOR_STATUS, &request);
}

/* Cut off in the middle of a fan-out, the rest comes first after the start. */
static void
test_fan_out_goes_on_after_a_crash_in_the_middle(void **state)
{
    const struct zr_tick_request tick = {0};
    uint32_t contractor;
    uint32_t other;

    (void)state;
    contractor = contractor_with_many_claims();
    other = rig_contractor(FUND);
    assert_int_equal(close_account(contractor), ZR_STATUS_OK);
    rig_commit(0);
    while (live_claims(contractor) == MANY_CLAIMS) {
        assert_int_equal(rig_send(nobody, ZR_OP_TICK, &tick), ZR_STATUS_OK);
        assert_int_equal(rig.reply.tick_reply.fired, 1);
        rig_commit(0);
    }
    assert_in_range(live_claims(contractor), 1, MANY_CLAIMS - 1);
    rig_crash();
    rig_serve();
    assert_int_equal(claim(other, MANY_CLAIMS), ZR_TITLE_PRIMARY);
    assert_int_equal(live_claims(contractor), 0);
    assert_int_equal(events_count(ZR_EVENT_CLAIM_ENDED), MANY_CLAIMS);
    assert_sound();
    rig_stop();
    assert_int_equal(rig_replay(), STATUS_OK);
}

/* The reply says that it is done: so the work that it set is done and durable, too. */
static void
test_reply_waits_for_the_work_that_its_command_set(void **state)
{
    uint32_t contractor;

    (void)state;
    contractor = contractor_with_many_claims();
    go_on_with_the_thread();
    assert_int_equal(close_account(contractor), ZR_STATUS_OK);
    assert_int_equal(live_claims(contractor), 0);
    rig_stop();
}

/* Titles whose graces end in the same instant, more than one batch can hold. Returns when they
 * were paused. */
static uint64_t
pause_more_than_a_batch(uint32_t contractors[MANY_CONTRACTORS])
{
    uint64_t paused_ms;

    make_categories(MANY_CONTRACTORS);
    for (uint16_t i = 0; i < MANY_CONTRACTORS; i++) {
        contractors[i] = contractor_with_claim(i + 1);
        pause_contractor(contractors[i]);
    }
    paused_ms = clock_now_ms(&rig.clock);
    rig.tail_rows = SMALL_TAIL;
    go_on_with_the_thread();
    return paused_ms;
}

static uint64_t
commits_count(void)
{
    return atomic_load(&committer_published(rig.committer)->commits);
}

/* More than one batch can hold: the reply waits for the last of them. */
static void
test_reply_waits_over_several_batches(void **state)
{
    static uint32_t contractors[MANY_CONTRACTORS];
    const uint64_t paused_ms = pause_more_than_a_batch(contractors);
    uint64_t commits;

    (void)state;
    commits = commits_count();
    (void)advance(GRACE_MS);
    assert_true(commits_count() > commits + 1);
    assert_int_equal(events_count(ZR_EVENT_FORFEITED), MANY_CONTRACTORS);
    assert_event(ZR_EVENT_FORFEITED, MANY_CONTRACTORS - 1, contractors[MANY_CONTRACTORS - 1],
                 paused_ms + GRACE_MS);
    assert_sound();
    rig_stop();
    assert_int_equal(rig_replay(), STATUS_OK);
}

/* R42: what one of those batches committed is told then, not with the reply that waits for all:
 * the worker that pushes it is woken for each. */
static void
test_r42_events_are_told_with_their_own_batch(void **state)
{
    static uint32_t contractors[MANY_CONTRACTORS];
    const struct zr_clock_advance_request request = {.advance_ms = GRACE_MS};
    int wakes = 0;
    int wakes_left = 0;

    (void)state;
    (void)pause_more_than_a_batch(contractors);
    rig.last = &rig.jobs[0];
    rig_fill(rig.last, bench, ZR_OP_CLOCK_ADVANCE, &request);
    assert_true(committer_submit(rig.committer, rig.last));
    for (; committer_take_done(rig.committer) == NULL; wakes++) {
        assert_true(rig_wait_wake());
    }
    assert_int_equal(sem_getvalue(&rig.woken, &wakes_left), 0);
    assert_true(wakes + wakes_left > 1);
    rig_stop();
}

/* ---- events -------------------------------------------------------------------------------- */

/* Numbered without gaps from 1, over restarts, in the order of their time and of the log. */
static void
test_events_are_numbered_over_restarts(void **state)
{
    struct event_row before = {0};
    struct event_row event;
    struct snapshot snapshot;
    uint64_t seq;

    (void)state;
    make_categories(3);
    for (uint16_t i = 1; i <= 3; i++) {
        const uint32_t contractor = contractor_with_claim(i);

        go_on_with_the_thread();
        pause_contractor(contractor);
        (void)advance(6 * DAY_MS);
        rig_stop();
        rig_open(false);
    }
    go_on_with_the_thread();
    (void)advance(GRACE_MS);
    assert_int_equal(events_count(ZR_EVENT_FORFEITED), 3);
    snapshot_begin(&snapshot);
    for (seq = 1; state_event_get(&snapshot.state, seq, &event); seq++) {
        assert_true(event.time_ms >= before.time_ms);
        assert_true(event.commit_seq >= before.commit_seq);
        before = event;
    }
    assert_int_equal(seq - 1, state_counter_now(&snapshot.state, COUNTER_EVENT));
    assert_int_equal(state_event_oldest(&snapshot.state), 1);
    store_read_close(&snapshot.view);
    rig_stop();
}

/* ---- outages ------------------------------------------------------------------------------- */

/* Deadlines that fell into an outage move to an hour after the restart, and with them the rows
 * that have them; a RESUME in that hour saves the claim (E70). */
static void
test_outage_moves_deadlines_that_fell_into_it(void **state)
{
    struct zr_resume_request resume = {0};
    uint32_t contractors[2];
    uint64_t restarted_ms;

    (void)state;
    make_categories(2);
    contractors[0] = contractor_with_claim(1);
    contractors[1] = contractor_with_claim(2);
    go_on_with_the_thread();
    pause_contractor(contractors[0]);
    pause_contractor(contractors[1]);
    (void)advance(GRACE_MS - MINUTE_MS);
    restart(10 * MINUTE_MS);
    restarted_ms = clock_now_ms(&rig.clock);
    (void)advance(HOUR_MS - 1);
    assert_int_equal(live_claims(contractors[0]), 1);
    resume.op_id = rig_key();
    resume.contractor = contractors[0];
    assert_int_equal(rig_send(rig_portal, ZR_OP_RESUME, &resume), ZR_STATUS_OK);
    (void)advance(1);
    assert_int_equal(live_claims(contractors[0]), 1);
    assert_int_equal(live_claims(contractors[1]), 0);
    assert_event(ZR_EVENT_FORFEITED, 0, contractors[1], restarted_ms + TIMER_OUTAGE_GRACE_MS);
    (void)advance(2 * GRACE_MS);
    assert_int_equal(live_claims(contractors[0]), 1);
    assert_sound();
    rig_stop();
    assert_int_equal(rig_replay(), STATUS_OK);
}

/* A minute is no outage: the deadline stands, and fires late but at its time. */
static void
test_short_absence_moves_nothing(void **state)
{
    uint64_t paused_ms;
    uint32_t contractor;

    (void)state;
    make_categories(1);
    contractor = contractor_with_claim(1);
    go_on_with_the_thread();
    paused_ms = clock_now_ms(&rig.clock);
    pause_contractor(contractor);
    (void)advance(GRACE_MS - SECOND_MS);
    restart(TIMER_OUTAGE_MS);
    (void)advance(1);
    assert_event(ZR_EVENT_FORFEITED, 0, contractor, paused_ms + GRACE_MS);
    rig_stop();
}

/* A deadline outside of the outage is none of its business, and more than a TICK moves all go. */
static void
test_outage_moves_all_and_only_those(void **state)
{
    enum { PAUSED = 2 * TIMER_MOVES_MAX + 3 };
    static uint32_t contractors[PAUSED];
    uint32_t later;
    uint64_t paused_ms;
    uint64_t restarted_ms;

    (void)state;
    make_categories(PAUSED + 1);
    for (uint16_t i = 0; i < PAUSED; i++) {
        contractors[i] = contractor_with_claim(i + 1);
    }
    later = contractor_with_claim(PAUSED + 1);
    go_on_with_the_thread();
    for (int i = 0; i < PAUSED; i++) {
        pause_contractor(contractors[i]);
    }
    (void)advance(2 * HOUR_MS);
    paused_ms = clock_now_ms(&rig.clock);
    pause_contractor(later);
    (void)advance(GRACE_MS - 2 * HOUR_MS - MINUTE_MS);
    restart(30 * MINUTE_MS);
    restarted_ms = clock_now_ms(&rig.clock);
    restart(0); /* Told once: it is not moved again. */
    (void)advance(DAY_MS);
    assert_int_equal(events_count(ZR_EVENT_FORFEITED), PAUSED + 1);
    for (uint32_t i = 0; i < PAUSED; i++) {
        struct event_row event;

        assert_true(event_at(ZR_EVENT_FORFEITED, i, &event));
        assert_int_equal(event.time_ms, restarted_ms + TIMER_OUTAGE_GRACE_MS);
    }
    assert_event(ZR_EVENT_FORFEITED, PAUSED, later, paused_ms + GRACE_MS);
    rig_stop();
    assert_int_equal(rig_replay(), STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_timers_fire_in_order_each_at_its_time),
        RIG_TEST(test_timer_comes_before_the_command_of_its_instant),
        RIG_TEST(test_clock_stays_where_it_was_told_over_a_restart),
        RIG_TEST(test_timers_survive_restarts_and_fire_once),
        RIG_TEST(test_fan_out_goes_on_after_a_crash_in_the_middle),
        RIG_TEST(test_reply_waits_for_the_work_that_its_command_set),
        RIG_TEST(test_reply_waits_over_several_batches),
        RIG_TEST(test_r42_events_are_told_with_their_own_batch),
        RIG_TEST(test_events_are_numbered_over_restarts),
        RIG_TEST(test_outage_moves_deadlines_that_fell_into_it),
        RIG_TEST(test_short_absence_moves_nothing),
        RIG_TEST(test_outage_moves_all_and_only_those),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
