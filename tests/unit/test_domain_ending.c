/*
 * test_domain_ending.c - claims that end with their period, with their account, or many at once
 * (R16, R63, M2 "LAPSING", M4 "CLOSING"), and CLAIM with lapse.
 */
#include "server/domain/localtime.h"
#include "server/domain/payout.h"
#include "tests/lib/domain_titles.h"

enum { MANY_ZIPS = 40, MANY_FIRST_ZIP = 10000 };

/* Local midnight in DW_ZIP's zone (US/Central, standard time) as an instant. */
static uint64_t
midnight_ms(int32_t year, uint8_t month, uint8_t day)
{
    return (uint64_t)days_from_civil(year, month, day) * DW_DAY_MS + 6 * DT_HOUR_MS;
}

/* ---- LAPSING ----------------------------------------------------------------------------------
 */

/* R16: released at period end it routes on, PRIMARY, until 00:00 local of its anchor day (M2). */
static void
test_a_release_at_period_end(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 2);
    const uint64_t end_ms = midnight_ms(2023, 12, 14); /* Claimed on 14 November, 16:13 local. */
    const uint64_t mark = dt_mark(world);

    dw_advance(world, 10 * DW_DAY_MS);
    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_state_reply.state, ZR_CLAIM_LAPSING);
    assert_true(world->reply.claim_state_reply.period_end_ms == end_ms);
    assert_int_equal(world->reply.claim_state_reply.promoted_claim_id, 0);
    assert_int_equal(dw_slot(world).claims[0].lapsing, 1);
    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_true(world->reply.claim_state_reply.period_end_ms == end_ms);
    dw_advance(world, end_ms - world->now_ms - 1);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    assert_int_equal(dt_state(world, cascade.claims[0]), ZR_CLAIM_EXPIRED);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_CLAIM_ENDED).code, ZR_CLAIM_EXPIRED);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 0);
    assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(world->reply.claim_state_reply.state, ZR_CLAIM_EXPIRED);
}

/* The anchor day of a month that has no such day is its last one; on the day itself the period
 * ends a month later. */
static void
test_the_anchor_day_is_clamped(void **state)
{
    struct domain_world *world = *state;
    struct dt_cascade cascade;

    world->now_ms = midnight_ms(2024, 1, 31) + DT_HOUR_MS;
    cascade = dt_cascade(world, 2);
    assert_int_equal(dt_claim_row(world, cascade.claims[0]).anchor_day, 31);
    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    assert_true(world->reply.claim_state_reply.period_end_ms == midnight_ms(2024, 2, 29));
    world->now_ms = midnight_ms(2024, 2, 29);
    assert_int_equal(dt_release(world, cascade.claims[1], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    /* Central daylight time has begun by then. */
    assert_true(world->reply.claim_state_reply.period_end_ms ==
                midnight_ms(2024, 3, 31) - DT_HOUR_MS);
    assert_int_equal(dt_state(world, cascade.claims[0]), ZR_CLAIM_EXPIRED);
}

/* R16: a LAPSING backup expires, too; released now, any of them is gone at once. */
static void
test_a_lapsing_backup(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 3);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_release(world, cascade.claims[1], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    assert_int_equal(dt_release(world, cascade.claims[2], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    assert_int_equal(dt_pause(world, cascade.claims[2], 0), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_state_reply.state, ZR_CLAIM_LAPSING); /* Wins. */
    assert_int_equal(dt_resume(world, cascade.claims[2], 0), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_state_reply.state, ZR_CLAIM_LAPSING);
    assert_int_equal(dt_release(world, cascade.claims[1], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_state_reply.state, ZR_CLAIM_RELEASED);
    assert_int_equal(world->reply.claim_state_reply.period_end_ms, 0);
    assert_int_equal(dt_rank(world, cascade.claims[2]), 2);
    dw_advance(world, 31 * DW_DAY_MS);
    assert_int_equal(dt_state(world, cascade.claims[2]), ZR_CLAIM_EXPIRED);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_CLAIM_ENDED), 2);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 0);
}

/* R16: who does not want to renew says so in the CLAIM: LAPSING from birth. */
static void
test_a_claim_that_lapses_from_birth(void **state)
{
    struct domain_world *world = *state;
    const struct zr_claim_request request = {.contractor = dw_contractor(world, DT_MONEY),
                                             .slots = {{DW_ZIP, DW_CATEGORY}},
                                             .slots_count = 1,
                                             .lapse = true};
    uint64_t claim_id;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    claim_id = world->reply.claim_reply.results[0].claim_id;
    assert_int_equal(world->reply.claim_reply.results[0].rank, 1);
    assert_int_equal(dw_slot(world).claims[0].lapsing, 1);
    assert_true(dt_claim_row(world, claim_id).lapse_ms == midnight_ms(2023, 12, 14));
    dw_advance(world, midnight_ms(2023, 12, 14) - world->now_ms);
    assert_int_equal(dt_state(world, claim_id), ZR_CLAIM_EXPIRED);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_VACANT);
}

/* M2: the end of a period that fell into an outage moves, like every deadline. */
static void
test_an_outage_moves_the_period_end(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 1);

    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    dw_outage(world, 40 * DW_DAY_MS);
    assert_true(dt_claim_row(world, cascade.claims[0]).lapse_ms == world->now_ms + DT_HOUR_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, DT_HOUR_MS);
    assert_int_equal(dt_state(world, cascade.claims[0]), ZR_CLAIM_EXPIRED);
}

/* The contractor's own clock counts where its schedule says that it stands (M2 "local zone"). */
static void
test_a_period_ends_on_the_contractors_clock(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, DT_MONEY);
    const struct zr_schedule_put_request schedule = {.contractor = contractor,
                                                     .timezone = "Pacific/Guam"};
    const struct zr_contractor_get_request get = {.contractor = contractor};
    uint64_t claim_id;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &schedule), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_GET, &get), ZR_STATUS_OK);
    assert_string_equal(world->reply.contractor_get_reply.timezone, "Pacific/Guam");
    claim_id = dt_claim(world, contractor);
    assert_int_equal(dt_claim_row(world, claim_id).anchor_day, 15); /* It is tomorrow there. */
    assert_int_equal(dt_release(world, claim_id, ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    assert_true(world->reply.claim_state_reply.period_end_ms ==
                (uint64_t)days_from_civil(2023, 12, 15) * DW_DAY_MS - 10 * DT_HOUR_MS);
}

/* ---- an account that closes ---------------------------------------------------------------------
 */

/* M4 "CLOSING": all claims end as RELEASED; there is no way back but to CLOSED. */
static void
test_a_closing_account_gives_up_its_claims(void **state)
{
    static const uint8_t back[] = {ZR_CONTRACTOR_PENDING, ZR_CONTRACTOR_APPROVED,
                                   ZR_CONTRACTOR_SUSPENDED};
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 2);
    const uint64_t mark = dt_mark(world);
    struct zr_contractor_status_request request = {.contractor = cascade.contractors[0]};

    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_CLOSING);
    assert_int_equal(dt_state(world, cascade.claims[0]), ZR_CLAIM_RELEASED);
    assert_int_equal(dt_contractor_row(world, cascade.contractors[0]).claims, 0);
    assert_true(dt_contractor_row(world, cascade.contractors[0]).closing_ms == world->now_ms);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 1);
    assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
    assert_int_equal(dw_claim(world, cascade.contractors[0])->status, ZR_STATUS_NOT_APPROVED);
    for (size_t i = 0; i < sizeof back; i++) {
        request.contractor_status = back[i];
        assert_int_equal(dw_run(world, dw_admin, ZR_OP_CONTRACTOR_STATUS, &request),
                         ZR_STATUS_ACCOUNT_CLOSED);
        assert_false(world->state.changed);
    }
    dw_advance(world, DW_DAY_MS);
    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_CLOSING); /* The same closing. */
    assert_true(dt_contractor_row(world, cascade.contractors[0]).closing_ms == DW_START_MS);
    dw_advance(world, PAYOUT_WAIT_MS - DW_DAY_MS);
    assert_int_equal(dt_contractor_row(world, cascade.contractors[0]).status, ZR_CONTRACTOR_CLOSED);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_ACCOUNT_CLOSED), 1);
    request.contractor_status = ZR_CONTRACTOR_CLOSING;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_CONTRACTOR_STATUS, &request),
                     ZR_STATUS_ACCOUNT_CLOSED);
    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_CLOSED);
}

/* ---- many at once
 * -------------------------------------------------------------------------------- */

/* More ZIPs than one step reaches, each claimed by both: the first is primary. */
static void
claim_many(struct domain_world *world, uint32_t first, uint32_t second)
{
    const struct zip_row zip = {.claimable = true, .state = "TX", .timezone = "US/Central"};
    struct zr_claim_request request = {.accept_backup = true, .slots_count = MANY_ZIPS};

    for (uint32_t i = 0; i < MANY_ZIPS; i++) {
        state_zip_put(&world->state, MANY_FIRST_ZIP + i, &zip);
        request.slots[i] = (struct zr_slot_key){MANY_FIRST_ZIP + i, DW_CATEGORY};
    }
    request.contractor = first;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    request.contractor = second;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
}

/* How many of the slots have that title_state. */
static int
count_titles(struct domain_world *world, uint8_t title_state)
{
    struct slot_row slot;
    int count = 0;

    for (uint32_t i = 0; i < MANY_ZIPS; i++) {
        state_slot_get(&world->state, MANY_FIRST_ZIP + i, DW_CATEGORY, &slot);
        slot_check(&slot);
        count += slot.title_state == title_state;
    }
    return count;
}

/* A contractor's deadline forfeits every primary of it, in steps, before anything else happens. */
static void
test_a_contractor_forfeits_many_titles(void **state)
{
    struct domain_world *world = *state;
    const uint32_t first = dw_contractor(world, DT_MONEY);
    const uint32_t second = dw_contractor(world, DT_MONEY);
    uint64_t mark;

    claim_many(world, first, second);
    assert_int_equal(count_titles(world, ZR_TITLE_STATE_HELD), MANY_ZIPS);
    mark = dt_mark(world);
    dw_set_status(world, first, ZR_CONTRACTOR_SUSPENDED);
    dw_advance(world, 14 * DW_DAY_MS);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_FORFEITED), MANY_ZIPS);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), MANY_ZIPS);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 2); /* Not one per title. */
    assert_int_equal(count_titles(world, ZR_TITLE_STATE_OFFERED), MANY_ZIPS);
    assert_int_equal(dt_contractor_row(world, first).claims, 0);
    /* The heir is suspended: every offer is taken back, and nobody else is there to be asked. */
    dw_set_status(world, second, ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_OFFER_CANCELLED), MANY_ZIPS);
    assert_int_equal(count_titles(world, ZR_TITLE_STATE_OPEN), MANY_ZIPS);
    dw_set_status(world, second, ZR_CONTRACTOR_CLOSING);
    assert_int_equal(count_titles(world, ZR_TITLE_STATE_VACANT), MANY_ZIPS);
    assert_int_equal(dt_contractor_row(world, second).claims, 0);
}

/*
 * A title that is inherited while its heir's own titles are being forfeited, between two steps: the
 * clock that the promotion restarts is the contractor's, so the steps that are left find it ahead.
 */
static void
test_a_clock_restarted_between_two_steps(void **state)
{
    struct domain_world *world = *state;
    const uint32_t many = dw_contractor(world, DT_MONEY);
    const uint32_t other = dw_contractor(world, DT_MONEY);
    const uint64_t expires_ms = world->now_ms + DW_DAY_MS;
    uint64_t inherited;
    uint64_t mark;

    dw_policy_without_offers(world);
    claim_many(world, many, dw_contractor(world, 0));
    (void)dt_claim(world, other);
    inherited = dt_claim(world, many);
    /* Both end in one instant, that of the many titles first. */
    dt_set_licence(world, many, expires_ms);
    dt_set_licence(world, other, expires_ms);
    mark = dt_mark(world);
    dw_advance(world, 31 * DW_DAY_MS);
    assert_int_equal(dt_rank(world, inherited), 1);
    assert_int_equal(dt_state(world, inherited), ZR_CLAIM_LIVE);
    assert_true(dt_contractor_row(world, many).licence_deadline_ms ==
                world->now_ms + 30 * DW_DAY_MS);
    assert_true(dt_count(world, mark, ZR_EVENT_FORFEITED) < MANY_ZIPS);
    /* Nothing is forgiven: the new clock is one for all of them. */
    dw_advance(world, 30 * DW_DAY_MS);
    assert_int_equal(dt_state(world, inherited), ZR_CLAIM_FORFEITED);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_FORFEITED), MANY_ZIPS + 2);
    assert_int_equal(dt_contractor_row(world, many).claims, 0);
}

/* More waitlists than one step leaves. */
static void
test_a_closing_account_leaves_many_waitlists(void **state)
{
    struct domain_world *world = *state;
    const uint32_t first = dw_contractor(world, DT_MONEY);
    const uint32_t waiting = dw_contractor(world, DT_MONEY);
    struct zr_policy policy = dw_policy_default();
    struct zr_waitlist_request join = {.contractor = waiting, .category = DW_CATEGORY};
    struct slot_row slot;

    claim_many(world, first, dw_contractor(world, DT_MONEY));
    policy.max_positions = 2;
    dw_policy(world, &policy);
    for (uint32_t i = 0; i < MANY_ZIPS; i++) {
        join.zip = MANY_FIRST_ZIP + i;
        assert_int_equal(dw_run(world, dw_portal, ZR_OP_WAITLIST_JOIN, &join), ZR_STATUS_OK);
    }
    dw_set_status(world, waiting, ZR_CONTRACTOR_CLOSING);
    for (uint32_t i = 0; i < MANY_ZIPS; i++) {
        state_slot_get(&world->state, MANY_FIRST_ZIP + i, DW_CATEGORY, &slot);
        assert_int_equal(slot.waiting, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_a_release_at_period_end),
        DW_TEST(test_the_anchor_day_is_clamped),
        DW_TEST(test_a_lapsing_backup),
        DW_TEST(test_a_claim_that_lapses_from_birth),
        DW_TEST(test_an_outage_moves_the_period_end),
        DW_TEST(test_a_period_ends_on_the_contractors_clock),
        DW_TEST(test_a_closing_account_gives_up_its_claims),
        DW_TEST(test_a_contractor_forfeits_many_titles),
        DW_TEST(test_a_clock_restarted_between_two_steps),
        DW_TEST(test_a_closing_account_leaves_many_waitlists),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
