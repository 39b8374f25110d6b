/*
 * test_domain_standing.c - conditions of a whole contractor, SUSPENDED, LICENCE_LAPSED and
 * UNAVAILABLE, and titles that are taken under a condition (M2, R1, R55).
 */
#include "server/domain/condition.h"
#include "server/domain/timer.h"
#include "tests/lib/domain_titles.h"

#define PAUSE_MS (14 * DW_DAY_MS)

/* ---- SUSPENDED, LICENCE_LAPSED, UNAVAILABLE ---------------------------------------------------
 */

/* SUSPENDED: 14 d, lifted by APPROVED; told again it goes on with its clock. */
static void
test_a_suspension_has_fourteen_days(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);

    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_SUSPENDED);
    dw_advance(world, CONDITION_SUSPENDED_MS - 1);
    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_APPROVED);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
    dw_advance(world, DW_DAY_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_SUSPENDED);
    dw_advance(world, DW_DAY_MS);
    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_SUSPENDED);
    dw_advance(world, CONDITION_SUSPENDED_MS - DW_DAY_MS - 1);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_SUSPENDED);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_SUSPENDED);
}

/* LICENCE_LAPSED: 30 d from the expiry; a new expiry lifts it (R1: ineligible, not unclaimed). */
static void
test_a_lapsed_licence_has_thirty_days(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t expires_ms = world->now_ms + DW_DAY_MS;
    const uint64_t mark = dt_mark(world);

    dt_set_licence(world, cascade.contractors[0], expires_ms);
    dw_advance(world, DW_DAY_MS - 1);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
    dw_advance(world, 1); /* Exclusive: at the expiry it has lapsed. */
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_LICENCE_LAPSED);
    assert_true(dt_contractor_row(world, cascade.contractors[0]).licence_deadline_ms ==
                expires_ms + CONDITION_LICENCE_MS);
    dt_set_licence(world, cascade.contractors[0], expires_ms); /* No new one: the clock goes on. */
    dw_advance(world, CONDITION_LICENCE_MS - 1);
    dt_set_licence(world, cascade.contractors[0], world->now_ms + 5);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
    dw_advance(world, 5 + CONDITION_LICENCE_MS - 1);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_LICENCE_LAPSED);
    /* An expiry long ago has no days left. */
    assert_int_equal(dt_answer(world, dw_slot(world).offer_id, true), ZR_STATUS_OK);
    dt_set_licence(world, cascade.contractors[1], DW_START_MS - 40 * DW_DAY_MS);
    assert_int_equal(dt_state(world, cascade.claims[1]), ZR_CLAIM_FORFEITED);
}

static void
put_schedule(struct domain_world *world, struct zr_schedule_put_request request)
{
    const struct zr_profile_get_request get = {.contractor = request.contractor};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_GET, &get), ZR_STATUS_OK);
    request.expected_version = world->reply.schedule_get_reply.version;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &request), ZR_STATUS_OK);
}

/* UNAVAILABLE: empty hours or a vacation without a break are a pause by another name. */
static void
test_empty_hours_are_no_free_pause(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const struct zr_schedule_put_request shut = {.contractor = cascade.contractors[0],
                                                 .hours_length = SCHEDULE_HOURS_BYTES};
    const struct zr_schedule_put_request open = {.contractor = cascade.contractors[0]};
    const uint64_t mark = dt_mark(world);

    put_schedule(world, shut);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_UNAVAILABLE);
    dw_advance(world, CONDITION_UNAVAILABLE_MS - 1);
    put_schedule(world, open);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
    put_schedule(world, shut); /* A break: a new clock. */
    dw_advance(world, CONDITION_UNAVAILABLE_MS - 1);
    put_schedule(world, shut); /* None. */
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_UNAVAILABLE);
}

/* A vacation begins and ends by itself: the schedule's edges are timers (R55). */
static void
test_a_long_vacation_costs_the_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint32_t today = (uint32_t)(world->now_ms / DW_DAY_MS);
    struct zr_schedule_put_request request = {
        .contractor = cascade.contractors[0],
        .vacations = {{today + 1, today + 10}, {today + 20, today + 40}},
        .vacations_count = 2,
    };
    const uint64_t mark = dt_mark(world);

    put_schedule(world, request);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
    dw_advance(world, 2 * DW_DAY_MS);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_UNAVAILABLE);
    dw_advance(world, 10 * DW_DAY_MS);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_FORFEITED), 0);
    dw_advance(world, 25 * DW_DAY_MS);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_UNAVAILABLE);
}

/* A cap of 0 takes no calls at all: the same clock; hours do not lift it. */
static void
test_a_cap_of_zero_is_unavailable(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    struct zr_caps_put_request caps = {
        .contractor = cascade.contractors[0],
        .caps = {{.window = ZR_CAP_WINDOW_MONTH, .measure = ZR_CAP_MEASURE_SPEND}},
        .caps_count = 1,
    };

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &caps), ZR_STATUS_OK);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_UNAVAILABLE);
    put_schedule(world, (struct zr_schedule_put_request){.contractor = cascade.contractors[0]});
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_UNAVAILABLE);
    caps.caps[0].limit = 1;
    caps.expected_version = 1;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &caps), ZR_STATUS_OK);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
}

/* ---- backups, and titles taken under a condition ------------------------------------------------
 */

/* E70, M2: the licence ran out while nobody was here, and so did its 30 days: the deadline that
 * nobody could set in time has its hour after the restart, too. */
static void
test_an_outage_of_the_licences_days_leaves_an_hour(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t expires_ms = world->now_ms + DW_DAY_MS;
    const uint64_t mark = dt_mark(world);

    dt_set_licence(world, cascade.contractors[0], expires_ms);
    dw_outage(world, DW_DAY_MS + CONDITION_LICENCE_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_LICENCE_LAPSED);
    assert_true(dt_contractor_row(world, cascade.contractors[0]).licence_deadline_ms ==
                world->now_ms + TIMER_OUTAGE_GRACE_MS);
    dw_advance(world, TIMER_OUTAGE_GRACE_MS - 1);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_LICENCE_LAPSED);
}

/* A deadline that lies behind the outage is none of its business. */
static void
test_a_shorter_outage_takes_no_day_from_the_licence(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t expires_ms = world->now_ms + DW_DAY_MS;

    dt_set_licence(world, cascade.contractors[0], expires_ms);
    dw_outage(world, DW_DAY_MS + CONDITION_LICENCE_MS - 1);
    assert_true(dt_contractor_row(world, cascade.contractors[0]).licence_deadline_ms ==
                expires_ms + CONDITION_LICENCE_MS);
}

/* A backup whose deadline passed stays; taking the title it begins a new grace. */
static void
test_a_passed_deadline_starts_anew_with_the_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t licence_ms = world->now_ms + DW_DAY_MS;
    uint64_t mark;

    dt_set_licence(world, cascade.contractors[1], licence_ms);
    assert_int_equal(dt_pause(world, cascade.claims[1], 0), ZR_STATUS_OK);
    dw_advance(world, 40 * DW_DAY_MS);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 2);
    dw_policy_without_offers(world);
    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_OPEN); /* Paused: passed over. */
    mark = dt_mark(world);
    assert_int_equal(dw_claim(world, cascade.contractors[1])->rank, 1);
    assert_true(dt_claim_row(world, cascade.claims[1]).pause.deadline_ms ==
                world->now_ms + PAUSE_MS);
    assert_true(dt_contractor_row(world, cascade.contractors[1]).licence_deadline_ms ==
                world->now_ms + CONDITION_LICENCE_MS);
    dw_advance(world, PAUSE_MS - 1);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 2);
    assert_int_equal(dt_resume(world, cascade.claims[1], 0), ZR_STATUS_OK);
    dw_advance(world, CONDITION_LICENCE_MS - PAUSE_MS);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[1], CONDITION_LICENCE_LAPSED);
}

/* A deadline that is still ahead is kept through a promotion. */
static void
test_a_running_clock_goes_on_with_the_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    uint64_t mark;

    dt_set_licence(world, cascade.contractors[1], world->now_ms);
    dw_advance(world, 10 * DW_DAY_MS);
    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dt_answer(world, 1, true), ZR_STATUS_OK);
    mark = dt_mark(world);
    dw_advance(world, CONDITION_LICENCE_MS - 10 * DW_DAY_MS);
    dt_assert_forfeited(world, mark, cascade.claims[1], CONDITION_LICENCE_LAPSED);
}

/* A licence may be said to end when no calendar does: no clock waits for that. */
static void
test_a_licence_may_outlast_the_calendar(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);

    dt_set_licence(world, cascade.contractors[0], UINT64_MAX);
    dt_set_licence(world, cascade.contractors[0], UINT64_MAX - 1);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
    dw_advance(world, CONDITION_LICENCE_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_a_suspension_has_fourteen_days),
        DW_TEST(test_a_lapsed_licence_has_thirty_days),
        DW_TEST(test_an_outage_of_the_licences_days_leaves_an_hour),
        DW_TEST(test_a_shorter_outage_takes_no_day_from_the_licence),
        DW_TEST(test_empty_hours_are_no_free_pause),
        DW_TEST(test_a_long_vacation_costs_the_title),
        DW_TEST(test_a_cap_of_zero_is_unavailable),
        DW_TEST(test_a_passed_deadline_starts_anew_with_the_title),
        DW_TEST(test_a_running_clock_goes_on_with_the_title),
        DW_TEST(test_a_licence_may_outlast_the_calendar),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
