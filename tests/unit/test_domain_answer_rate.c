/*
 * test_domain_answer_rate.c - calls answered and missed in 30 days, and the warning (R62).
 */
#include "server/domain/answer_rate.h"
#include "tests/lib/domain_world.h"

#include <string.h>

static const struct dw_actor nobody = {0};

static void
ring(struct domain_world *world, uint32_t contractor, uint8_t outcome, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        const struct zr_rings_request request = {.rings_count = 1,
                                                 .rings = {{.call_ref = dw_id(world),
                                                            .time_ms = world->now_ms,
                                                            .contractor = contractor,
                                                            .zip = DW_ZIP,
                                                            .category = DW_CATEGORY,
                                                            .outcome = outcome,
                                                            .rank = 1}}};

        assert_int_equal(dw_run(world, nobody, ZR_OP_RINGS, &request), ZR_STATUS_OK);
    }
}

static void
miss(struct domain_world *world, uint32_t contractor, unsigned times)
{
    ring(world, contractor, ZR_OUTCOME_NO_ANSWER, times);
}

static void
answer(struct domain_world *world, uint32_t contractor, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        const struct ticket ticket = dw_ticket(world, &contractor, 1);

        assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    }
}

static uint32_t
contractor_make(struct domain_world *world)
{
    const uint32_t contractor = dw_contractor(world, 1000 * DW_RATE);

    (void)dw_claim(world, contractor);
    return contractor;
}

/* What CAPS_GET tells now. */
static void
assert_rate(struct domain_world *world, uint32_t contractor, uint32_t rings, uint32_t answered)
{
    const struct zr_profile_get_request get = {.contractor = contractor};
    const struct zr_caps_get_reply *reply = &world->reply.caps_get_reply;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_GET, &get), ZR_STATUS_OK);
    assert_int_equal(reply->rings_30d, rings);
    assert_int_equal(reply->answered_30d, answered);
}

/* Events of that type so far; the newest one. */
static int
events(struct domain_world *world, uint8_t type, struct event_row *newest)
{
    const uint64_t last = state_counter_now(&world->state, COUNTER_EVENT);
    struct event_row row;
    int count = 0;

    for (uint64_t seq = 1; seq <= last; seq++) {
        if (state_event_get(&world->state, seq, &row) && row.type == type) {
            *newest = row;
            count++;
        }
    }
    return count;
}

static int
warnings(struct domain_world *world)
{
    struct event_row newest;

    return events(world, ZR_EVENT_ANSWER_RATE_LOW, &newest);
}

/* ---- the warning ----------------------------------------------------------------------------- */

/* R62: 19 rings say nothing, however they ended; the 20th does. */
static void
test_r62_from_twenty_rings_on(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);
    struct event_row told;

    miss(world, contractor, ANSWER_RATE_RINGS_MIN - 1);
    assert_int_equal(warnings(world), 0);
    miss(world, contractor, 1);
    assert_int_equal(events(world, ZR_EVENT_ANSWER_RATE_LOW, &told), 1);
    assert_int_equal(told.contractor, contractor);
    assert_int_equal(told.tenant, DW_PORTAL_TENANT);
    assert_int_equal(told.audience, AUDIENCE_CONTRACTOR);
    assert_int_equal(told.number, 20);
    assert_int_equal(told.code, 0);
    assert_rate(world, contractor, 20, 0);
}

/* R62: one half exactly is no less than that; one more miss is. */
static void
test_r62_half_is_enough(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);
    struct event_row told;

    answer(world, contractor, 10);
    miss(world, contractor, 10);
    assert_int_equal(warnings(world), 0);
    assert_rate(world, contractor, 20, 10);
    miss(world, contractor, 1);
    assert_int_equal(events(world, ZR_EVENT_ANSWER_RATE_LOW, &told), 1);
    assert_int_equal(told.number, 21);
    assert_int_equal(told.code, 47); /* 10 of 21, rounded down. */
}

/* The 20th ring may be the one that was answered. */
static void
test_r62_an_answer_can_be_the_twentieth(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);
    struct event_row told;

    answer(world, contractor, 8);
    miss(world, contractor, 11);
    assert_int_equal(warnings(world), 0);
    answer(world, contractor, 1);
    assert_int_equal(events(world, ZR_EVENT_ANSWER_RATE_LOW, &told), 1);
    assert_int_equal(told.code, 45);
}

/* R62: once per crossing, up and down; each contractor by itself. */
static void
test_r62_once_per_crossing(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);
    const uint32_t other = contractor_make(world);

    miss(world, contractor, 25);
    assert_int_equal(warnings(world), 1);
    answer(world, contractor, 24);
    miss(world, contractor, 1);
    assert_int_equal(warnings(world), 1); /* 24 of 50: it was low all the time. */
    answer(world, contractor, 2);
    assert_rate(world, contractor, 52, 26);
    miss(world, contractor, 1);
    assert_int_equal(warnings(world), 2);
    miss(world, contractor, 1);
    assert_int_equal(warnings(world), 2);
    assert_rate(world, other, 0, 0);
}

/* ---- the window ------------------------------------------------------------------------------ */

/* R62: today and the 29 days before, by UTC days. */
static void
test_r62_the_window_is_thirty_days(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);
    uint64_t day_ms = world->now_ms / DW_DAY_MS * DW_DAY_MS;

    miss(world, contractor, 3);
    world->now_ms = day_ms + DW_DAY_MS - 1;
    miss(world, contractor, 1);
    world->now_ms = day_ms + DW_DAY_MS;
    answer(world, contractor, 2);
    assert_rate(world, contractor, 6, 2);
    world->now_ms = day_ms + 30 * DW_DAY_MS - 1;
    assert_rate(world, contractor, 6, 2);
    world->now_ms = day_ms + 30 * DW_DAY_MS;
    assert_rate(world, contractor, 2, 2);
    miss(world, contractor, 1); /* In the place of the day that left. */
    assert_rate(world, contractor, 3, 2);
    world->now_ms = day_ms + 31 * DW_DAY_MS;
    assert_rate(world, contractor, 1, 0);
    world->now_ms = day_ms + 400 * DW_DAY_MS;
    assert_rate(world, contractor, 0, 0);
    answer(world, contractor, 1);
    assert_rate(world, contractor, 1, 1);
}

/* However long nothing was counted: of 30 days with a miss each, those that left are gone. */
static void
test_r62_after_any_gap_what_left_is_gone(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);

    for (unsigned day = 0; day < ANSWER_RATE_DAYS; day++) {
        miss(world, contractor, 1);
        world->now_ms += DW_DAY_MS;
    }
    for (uint32_t left = 1; left <= 4 * ANSWER_RATE_DAYS; left++) {
        assert_rate(world, contractor, left < ANSWER_RATE_DAYS ? ANSWER_RATE_DAYS - left : 0, 0);
        world->now_ms += DW_DAY_MS;
    }
}

/* The window is judged when something is counted: what left it may end a low rate or begin one,
 * and is told then. */
static void
test_r62_what_leaves_the_window_counts(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);

    answer(world, contractor, 20);
    world->now_ms += DW_DAY_MS;
    miss(world, contractor, 20);
    assert_int_equal(warnings(world), 0);
    world->now_ms += 29 * DW_DAY_MS;
    assert_rate(world, contractor, 20, 0);
    assert_int_equal(warnings(world), 0);
    miss(world, contractor, 1);
    assert_int_equal(warnings(world), 1);
    world->now_ms += DW_DAY_MS;
    miss(world, contractor, 18); /* 19 in the window: nobody is judged by so few. */
    assert_int_equal(warnings(world), 1);
    miss(world, contractor, 1);
    assert_int_equal(warnings(world), 2);
}

/* A day's counters stay at their largest value. */
static void
test_r62_counters_saturate(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);
    struct answer_rate_row row;

    answer(world, contractor, 1);
    assert_true(state_answer_rate_get(&world->state, contractor, &row));
    row.days[row.day % ANSWER_RATE_DAYS] =
        (struct answer_day){.answered = UINT16_MAX - 1, .missed = UINT16_MAX - 1};
    state_answer_rate_put(&world->state, contractor, &row);
    for (int i = 0; i < 2; i++) {
        answer(world, contractor, 1);
        miss(world, contractor, 1);
        assert_rate(world, contractor, 2 * UINT16_MAX, UINT16_MAX);
    }
    for (unsigned i = 0; i < ANSWER_RATE_DAYS; i++) {
        row.days[i] = (struct answer_day){.answered = UINT16_MAX, .missed = UINT16_MAX};
    }
    state_answer_rate_put(&world->state, contractor, &row);
    miss(world, contractor, 1);
    assert_rate(world, contractor, 60 * UINT16_MAX, 30 * UINT16_MAX);
    assert_int_equal(warnings(world), 0);
}

/* ---- what is a miss -------------------------------------------------------------------------- */

/* R62, R50: whatever hands the call on is a miss and told as one; a caller who hung up is none. */
static void
test_r62_every_miss_counts(void **state)
{
    static const uint8_t outcomes[] = {ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_BUSY,
                                       ZR_OUTCOME_DECLINED,  ZR_OUTCOME_FORWARDED,
                                       ZR_OUTCOME_VOICEMAIL, ZR_OUTCOME_FAILED};
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);
    struct event_row told;

    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        ring(world, contractor, outcomes[i], 1);
        assert_rate(world, contractor, (uint32_t)i + 1, 0);
        assert_int_equal(events(world, ZR_EVENT_CALL_MISSED, &told), i + 1);
        assert_int_equal(told.code, outcomes[i]);
    }
    ring(world, contractor, ZR_OUTCOME_CALLER_CANCELLED, 1);
    ring(world, contractor, 0, 1); /* It begins to ring. */
    assert_rate(world, contractor, sizeof outcomes / sizeof outcomes[0], 0);
}

/* Where no rule but R62 counts misses, one leaves the contractor off the slower way of ROUTE, and
 * a cool-down (R36) that comes later finds none in the row. */
static void
test_r62_a_plain_miss_slows_nobody(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);
    struct contractor_row row;
    struct usage_row usage;

    miss(world, contractor, 30);
    assert_true(state_contractor_get(&world->state, contractor, &row));
    assert_int_equal(row.profile, 0);
    assert_false(state_usage_get(&world->state, contractor, &usage));
    ring(world, contractor, ZR_OUTCOME_FAILED, 1);
    assert_true(state_contractor_get(&world->state, contractor, &row));
    assert_int_equal(row.profile, PROFILE_USAGE);
    assert_true(state_usage_get(&world->state, contractor, &usage));
    assert_int_equal(usage.misses, 0);
    assert_int_equal(usage.failures, 1);
}

/* R62 "policy may convert title (off by default)": nothing does. */
static void
test_r62_the_title_stays(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = contractor_make(world);

    miss(world, contractor, 100);
    assert_int_equal(warnings(world), 1);
    assert_int_equal(dw_slot(world).claims_count, 1);
    assert_int_equal(dw_slot(world).claims[0].contractor, contractor);
    assert_int_equal(dw_slot(world).claims[0].title, ZR_TITLE_PRIMARY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_r62_from_twenty_rings_on),
        DW_TEST(test_r62_half_is_enough),
        DW_TEST(test_r62_an_answer_can_be_the_twentieth),
        DW_TEST(test_r62_once_per_crossing),
        DW_TEST(test_r62_the_window_is_thirty_days),
        DW_TEST(test_r62_after_any_gap_what_left_is_gone),
        DW_TEST(test_r62_what_leaves_the_window_counts),
        DW_TEST(test_r62_counters_saturate),
        DW_TEST(test_r62_every_miss_counts),
        DW_TEST(test_r62_a_plain_miss_slows_nobody),
        DW_TEST(test_r62_the_title_stays),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
