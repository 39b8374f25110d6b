/*
 * test_domain_reads.c - what a contractor reads of itself is what the rules work with: use of its
 * caps, rests, hours, the offer that waits; and what routing makes of these rows.
 */
#include "server/domain/eligibility.h"
#include "server/domain/localtime.h"
#include "server/domain/people.h"
#include "server/domain/usage.h"
#include "tests/lib/domain_titles.h"

#include <stdio.h>
#include <string.h>

static const struct dw_actor stranger = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 40, 0};

static const struct zr_caps_get_reply *
caps_get(struct domain_world *world, uint32_t contractor)
{
    const struct zr_profile_get_request get = {.contractor = contractor};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_GET, &get), ZR_STATUS_OK);
    return &world->reply.caps_get_reply;
}

/* ---- caps ------------------------------------------------------------------------------------ */

/* One cap of each measure, of the hour. */
static void
put_caps(struct domain_world *world, uint32_t contractor)
{
    struct zr_caps_put_request request = {.contractor = contractor, .caps_count = CAP_MEASURES};

    for (uint8_t i = 0; i < CAP_MEASURES; i++) {
        request.caps[i] = (struct zr_cap){
            .limit = 100000, .window = ZR_CAP_WINDOW_HOUR, .measure = (uint8_t)(i + 1)};
    }
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_OK);
}

/* R13: what was used in the window that runs, per measure; 0 from its end on. */
static void
test_r13_used_is_told_for_each_measure(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, DT_MONEY);
    const struct usage_row used = {
        .windows[0] = {
            .end_ms = world->now_ms + 1, .calls = 7, .connects = 5, .spend_cents = 3 * DW_RATE}};
    const uint64_t expected[CAP_MEASURES] = {7, 5, 3 * DW_RATE};

    put_caps(world, contractor);
    state_usage_put(&world->state, contractor, &used);
    assert_int_equal(caps_get(world, contractor)->caps_count, CAP_MEASURES);
    for (unsigned i = 0; i < CAP_MEASURES; i++) {
        assert_int_equal(world->reply.caps_get_reply.caps[i].measure, i + 1);
        assert_int_equal(world->reply.caps_get_reply.caps[i].used, expected[i]);
    }
    world->now_ms++;
    (void)caps_get(world, contractor);
    for (unsigned i = 0; i < CAP_MEASURES; i++) {
        assert_int_equal(world->reply.caps_get_reply.caps[i].used, 0);
    }
}

/* What came back from an earlier window never makes a window's use negative. */
static void
test_r13_used_is_never_negative(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct usage_row used = {
        .windows[0] = {.end_ms = world->now_ms + 1, .spend_cents = -DW_RATE}};

    put_caps(world, contractor);
    state_usage_put(&world->state, contractor, &used);
    assert_int_equal(caps_get(world, contractor)->caps[ZR_CAP_MEASURE_SPEND - 1].used, 0);
}

/* M3: a rest is told while it lasts, also to whom has no caps. */
static void
test_a_cooldown_is_told_until_it_ends(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct usage_row used = {.cooldown_until_ms = world->now_ms + 2};

    state_usage_put(&world->state, contractor, &used);
    assert_int_equal(caps_get(world, contractor)->cooldown_until_ms, world->now_ms + 2);
    assert_int_equal(world->reply.caps_get_reply.version, 0);
    assert_int_equal(world->reply.caps_get_reply.caps_count, 0);
    world->now_ms += 2;
    assert_int_equal(caps_get(world, contractor)->cooldown_until_ms, 0);
}

/* R13: use is the server's to say, a limit is a number, and no cap stands twice. */
static void
test_r13_caps_that_are_refused(void **state)
{
    struct domain_world *world = *state;
    struct zr_caps_put_request request = {.contractor = dw_contractor(world, 0), .caps_count = 1};
    struct zr_cap *caps = request.caps;

    caps[0] = (struct zr_cap){
        .limit = UINT64_C(1) << 63, .window = ZR_CAP_WINDOW_DAY, .measure = ZR_CAP_MEASURE_CALLS};
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_INVALID_FIELD);
    caps[0].limit--;
    caps[0].used = 1;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_INVALID_FIELD);
    caps[0].used = 0;
    caps[1] = caps[0];
    request.caps_count = 2;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_INVALID_FIELD);
    caps[1].measure = ZR_CAP_MEASURE_SPEND; /* The same window, counted otherwise. */
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_OK);
}

/* R13: 75 and 90 % are told once each, on the way to 100. */
static void
test_r13_each_level_of_a_cap_is_told(void **state)
{
    static const uint8_t levels[] = {ZR_EVENT_CAP_75, ZR_EVENT_CAP_90, ZR_EVENT_CAP_100};
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_caps_put_request caps = {.contractor = contractor, .caps_count = 1};
    struct zr_rings_request rings = {.rings_count = 1};
    const uint64_t mark = dt_mark(world);

    caps.caps[0] = (struct zr_cap){
        .limit = 20, .window = ZR_CAP_WINDOW_TOTAL, .measure = ZR_CAP_MEASURE_CALLS};
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &caps), ZR_STATUS_OK);
    rings.rings[0] = (struct zr_ring_fact){.time_ms = world->now_ms,
                                           .contractor = contractor,
                                           .zip = DW_ZIP,
                                           .category = DW_CATEGORY,
                                           .rank = 1};
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(dw_run(world, dw_admin, ZR_OP_RINGS, &rings), ZR_STATUS_OK);
        assert_int_equal(dt_count(world, mark, levels[0]), i >= 15);
        assert_int_equal(dt_count(world, mark, levels[1]), i >= 18);
        assert_int_equal(dt_count(world, mark, levels[2]), i >= 20);
    }
}

/* Misses that no policy counts do not run over and begin anew. */
static void
test_misses_stop_at_the_largest_number(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct usage_row used = {.misses = UINT16_MAX};
    const struct zr_rings_request rings = {.rings_count = 1,
                                           .rings = {{.time_ms = world->now_ms,
                                                      .contractor = contractor,
                                                      .zip = DW_ZIP,
                                                      .category = DW_CATEGORY,
                                                      .outcome = ZR_OUTCOME_NO_ANSWER}}};

    state_usage_put(&world->state, contractor, &used);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_RINGS, &rings), ZR_STATUS_OK);
    assert_true(state_usage_get(&world->state, contractor, &used));
    assert_int_equal(used.misses, UINT16_MAX);
}

/* M3: a hold that comes back is taken out of the windows that it was counted in, of no later one.
 */
static void
test_a_hold_leaves_the_window_that_it_was_counted_in(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, DT_MONEY);
    const struct zr_end_request end = {.talk_ms = 1000};
    struct ticket ticket;
    struct usage_row used;

    put_caps(world, contractor);
    ticket = dw_ticket(world, &contractor, 1);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_true(state_usage_get(&world->state, contractor, &used));
    assert_int_equal(used.windows[0].spend_cents, DW_RATE);
    dw_advance(world, DT_HOUR_MS); /* The hour in which it connected is over. */
    assert_int_equal(dw_end(world, &ticket, &ticket, end), ZR_STATUS_OK);
    assert_true(state_usage_get(&world->state, contractor, &used));
    assert_int_equal(used.windows[0].spend_cents, 0);
    assert_int_equal(used.windows[3].spend_cents, 0); /* TOTAL: it was counted there. */
}

/* ---- hours ----------------------------------------------------------------------------------- */

/* R34: the zone of an office whose ZIP names none that is known is UTC, also for its months. */
static void
test_r34_an_office_without_a_zone_lives_by_utc(void **state)
{
    struct domain_world *world = *state;
    const uint8_t utc = localtime_zone_find("UTC");
    struct contractor_row row;
    struct zr_profile_get_request get = {.contractor = dw_contractor(world, 0)};
    struct zr_schedule_put_request put = {.contractor = get.contractor};

    row = dt_contractor_row(world, get.contractor);
    row.zone = 0;
    state_contractor_put(&world->state, get.contractor, &row);
    assert_int_equal(contractor_zone(&world->state, get.contractor, &row, world->now_ms), utc);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_GET, &get), ZR_STATUS_OK);
    assert_string_equal(world->reply.schedule_get_reply.timezone, "UTC");
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &put), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_GET, &get), ZR_STATUS_OK);
    assert_string_equal(world->reply.schedule_get_reply.timezone, "UTC");
}

/* R34: a zone that is to change is read as what it will be. */
static void
test_r34_a_zone_that_will_change_is_read_as_the_new_one(void **state)
{
    struct domain_world *world = *state;
    const struct zr_profile_get_request get = {.contractor = dw_contractor(world, 0)};
    struct zr_schedule_put_request put = {.contractor = get.contractor, .timezone = "US/Central"};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &put), ZR_STATUS_OK);
    put.expected_version = 1;
    (void)snprintf(put.timezone, sizeof put.timezone, "America/New_York");
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &put), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_GET, &get), ZR_STATUS_OK);
    assert_string_equal(world->reply.schedule_get_reply.timezone, "America/New_York");
}

/* Dates beyond the calendar are refused; two exceptions of one day are two times that it is open.
 */
static void
test_dates_beyond_the_calendar_are_refused(void **state)
{
    enum { BEYOND = 2932897 };
    struct domain_world *world = *state;
    struct zr_schedule_put_request put = {.contractor = dw_contractor(world, 0),
                                          .exceptions = {{BEYOND, 0, 4}},
                                          .exceptions_count = 1};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &put), ZR_STATUS_INVALID_FIELD);
    put.exceptions_count = 0;
    put.vacations[0] = (struct zr_schedule_vacation){20000, BEYOND};
    put.vacations_count = 1;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &put), ZR_STATUS_INVALID_FIELD);
    put.vacations_count = 0;
    put.exceptions[0] = (struct zr_schedule_exception){20000, 0, 4};
    put.exceptions[1] = (struct zr_schedule_exception){20000, 8, 12};
    put.exceptions_count = 2;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &put), ZR_STATUS_OK);
}

/* R69: another tenant's contractor is not there, whatever is asked of it. */
static void
test_r69_another_tenants_profile_is_not_there(void **state)
{
    static const uint16_t ops[] = {ZR_OP_SCHEDULE_GET, ZR_OP_CAPS_GET, ZR_OP_FILTERS_GET,
                                   ZR_OP_AUTOTOPUP_GET};
    struct domain_world *world = *state;
    const struct zr_profile_get_request get = {.contractor = dw_contractor(world, 0)};

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        assert_int_equal(dw_run(world, stranger, ops[i], &get), ZR_STATUS_NOT_FOUND);
        assert_int_equal(dw_run(world, dw_portal, ops[i], &get), ZR_STATUS_OK);
    }
}

/* A list of blocked callers that is full is read back whole. */
static void
test_a_full_list_of_callers_is_read_back(void **state)
{
    struct domain_world *world = *state;
    struct zr_filters_put_request put = {.contractor = dw_contractor(world, 0),
                                         .blocked_count = FILTER_CALLERS_MAX};
    const struct zr_profile_get_request get = {.contractor = put.contractor};

    for (unsigned i = 0; i < FILTER_CALLERS_MAX; i++) {
        put.blocked[i].phone = 12815550100 + i;
    }
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_FILTERS_PUT, &put), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_FILTERS_GET, &get), ZR_STATUS_OK);
    assert_int_equal(world->reply.filters_get_reply.blocked_count, FILTER_CALLERS_MAX);
}

/* ---- what routing makes of the rows ---------------------------------------------------------- */

enum { NOW = 1000000 };

static uint32_t
judge(const struct eligibility_profile *profile, const struct eligibility_call *call)
{
    const struct eligibility_load load = {0};
    struct eligibility_digest digest;

    eligibility_digest_make(&digest, profile, call->now_ms);
    return eligibility_judge_profile(&digest, profile, &load, call);
}

/* R69: any place in the list counts, the first as well as the last. */
static void
test_r69_each_partner_of_a_list_counts(void **state)
{
    static const bool allowed[] = {true, true, false};
    struct eligibility_profile profile = {.bits = PROFILE_FILTERS};
    struct eligibility_call call = {.now_ms = NOW};

    (void)state;
    profile.filters.partners_rule = 1;
    profile.filters.partners_count = 2;
    for (uint32_t i = 0; i < 3; i++) {
        profile.filters.partners[0] = 1;
        profile.filters.partners[1] = 2;
        call.tenant = i + 1;
        assert_int_equal(judge(&profile, &call), allowed[i] ? 0 : REASON_PARTNER_NOT_ALLOWED);
    }
    profile.filters.partners_rule = 0; /* Without a rule the list means nothing. */
    assert_int_equal(judge(&profile, &call), 0);
}

/* Each blocked caller is; another one with the same bits in the digest is not. */
static void
test_shared_bits_block_nobody(void **state)
{
    struct eligibility_profile profile = {.bits = PROFILE_FILTERS};
    struct eligibility_call call = {.now_ms = NOW, .caller_hash = 5};

    (void)state;
    profile.filters.blocked[0] = 5;
    profile.filters.blocked[1] = 6;
    assert_int_equal(judge(&profile, &call), REASON_CALLER_BLOCKED);
    call.caller_hash = 5 + (1u << 16);
    assert_int_equal(judge(&profile, &call), 0);
    call.caller_hash = 1u << 16; /* As empty as the places of the list without a caller. */
    assert_int_equal(judge(&profile, &call), 0);
}

/* R34: a closed hour is a reason, and the digest holds until it may be over. */
static void
test_r34_closed_hours_are_in_the_digest(void **state)
{
    struct eligibility_profile profile = {.bits = PROFILE_SCHEDULE};
    const struct eligibility_call call = {.now_ms = DW_START_MS};

    (void)state;
    profile.schedule.zone = localtime_zone_find("UTC");
    assert_true((judge(&profile, &call) & REASON_OUT_OF_HOURS) != 0);
    memset(profile.schedule.hours, 0xFF, sizeof profile.schedule.hours);
    assert_int_equal(judge(&profile, &call), 0);
}

/* R13: of two windows the tighter one rules, whichever comes first; a limit beyond any count is
 * no limit. */
static void
test_r13_the_tighter_window_rules(void **state)
{
    const struct eligibility_call call = {.now_ms = NOW, .rate_cents = 100};

    (void)state;
    for (unsigned tight = 0; tight < 2; tight++) {
        struct eligibility_profile profile = {.bits = PROFILE_CAPS};

        for (unsigned i = 0; i < CAP_WINDOWS * CAP_MEASURES; i++) {
            profile.caps.limits[i / CAP_MEASURES][i % CAP_MEASURES] = -1;
        }
        profile.caps.limits[0][ZR_CAP_MEASURE_CALLS - 1] = INT64_MAX;
        profile.caps.limits[0][ZR_CAP_MEASURE_SPEND - 1] = 200;
        profile.caps.limits[1][ZR_CAP_MEASURE_SPEND - 1] = 200;
        assert_int_equal(judge(&profile, &call), 0);
        profile.caps.limits[tight][ZR_CAP_MEASURE_SPEND - 1] = 99;
        assert_int_equal(judge(&profile, &call), REASON_CAP_REACHED);
    }
}

/* ---- titles ---------------------------------------------------------------------------------- */

/* M2: CLAIM_GET of who is asked names the offer and its deadline; of who is not, none. */
static void
test_r64_an_offer_is_read_by_whom_it_is_made_to(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 3);
    struct zr_claim_get_request get = {.claim_id = cascade.claims[1]};

    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM_GET, &get), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_get_reply.offer_id, dw_slot(world).offer_id);
    assert_int_equal(world->reply.claim_get_reply.offer_deadline_ms,
                     dw_slot(world).offer_deadline_ms);
    get.claim_id = cascade.claims[2];
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM_GET, &get), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_get_reply.offer_id, 0);
}

/* R16: everybody sees that a claim is on its way out; lists leave out what has ended. */
static void
test_r16_a_lapsing_claim_is_seen_as_such(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 2);
    const struct zr_slot_get_request get = {.zip = DW_ZIP, .category = DW_CATEGORY};
    struct zr_claims_list_request list = {.contractor = cascade.contractors[0]};

    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SLOT_GET, &get), ZR_STATUS_OK);
    assert_int_equal(world->reply.slot_get_reply.claims[0].state, ZR_CLAIM_LAPSING);
    assert_int_equal(world->reply.slot_get_reply.claims[1].state, ZR_CLAIM_LIVE);
    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIMS_LIST, &list), ZR_STATUS_OK);
    assert_int_equal(world->reply.claims_list_reply.claims_count, 0);
    list.ended = true;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIMS_LIST, &list), ZR_STATUS_OK);
    assert_int_equal(world->reply.claims_list_reply.claims_count, 1);
}

/* R64: an OPEN title that is kept for the waitlist's head is not open to others. */
static void
test_r64_a_reserved_open_title_is_not_open(void **state)
{
    struct domain_world *world = *state;
    const struct zr_slot_get_request get = {.zip = DW_ZIP, .category = DW_CATEGORY};
    struct zr_policy policy = dw_policy_default();
    struct dt_cascade cascade;

    policy.max_positions = 2;
    dw_policy(world, &policy);
    cascade = dt_cascade(world, 2);
    assert_int_equal(dt_join(world, dw_contractor(world, 0)), ZR_STATUS_OK);
    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dt_answer(world, dw_slot(world).offer_id, false), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SLOT_GET, &get), ZR_STATUS_OK);
    assert_int_equal(world->reply.slot_get_reply.title_state, ZR_TITLE_STATE_OPEN);
    assert_true(world->reply.slot_get_reply.reserved);
    assert_false(world->reply.slot_get_reply.open);
}

/* M2: a contractor's own pause is read with its deadline. */
static void
test_a_contractors_pause_is_read_with_its_deadline(void **state)
{
    struct domain_world *world = *state;
    const struct zr_contractor_get_request get = {.contractor = dw_contractor(world, 0)};
    const struct zr_contractor_get_reply *reply = &world->reply.contractor_get_reply;

    assert_int_equal(dt_pause(world, 0, get.contractor), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_GET, &get), ZR_STATUS_OK);
    assert_true(reply->paused);
    assert_int_equal(reply->paused_deadline_ms,
                     dt_contractor_row(world, get.contractor).pause.deadline_ms);
    assert_true(reply->paused_deadline_ms > world->now_ms);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_r13_used_is_told_for_each_measure),
        DW_TEST(test_r13_used_is_never_negative),
        DW_TEST(test_a_cooldown_is_told_until_it_ends),
        DW_TEST(test_r13_caps_that_are_refused),
        DW_TEST(test_r13_each_level_of_a_cap_is_told),
        DW_TEST(test_misses_stop_at_the_largest_number),
        DW_TEST(test_a_hold_leaves_the_window_that_it_was_counted_in),
        DW_TEST(test_r34_an_office_without_a_zone_lives_by_utc),
        DW_TEST(test_r34_a_zone_that_will_change_is_read_as_the_new_one),
        DW_TEST(test_dates_beyond_the_calendar_are_refused),
        DW_TEST(test_r69_another_tenants_profile_is_not_there),
        DW_TEST(test_a_full_list_of_callers_is_read_back),
        cmocka_unit_test(test_r69_each_partner_of_a_list_counts),
        cmocka_unit_test(test_shared_bits_block_nobody),
        cmocka_unit_test(test_r34_closed_hours_are_in_the_digest),
        cmocka_unit_test(test_r13_the_tighter_window_rules),
        DW_TEST(test_r64_an_offer_is_read_by_whom_it_is_made_to),
        DW_TEST(test_r16_a_lapsing_claim_is_seen_as_such),
        DW_TEST(test_r64_a_reserved_open_title_is_not_open),
        DW_TEST(test_a_contractors_pause_is_read_with_its_deadline),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
