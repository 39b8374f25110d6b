/*
 * test_domain_condition.c - conditions, their clocks and what is forfeited at their deadlines:
 * PAUSED, DRY, and several at once (M2, R36, R55, R63, E13-E15, E70).
 */
#include "server/domain/condition.h"
#include "tests/lib/domain_titles.h"

#include <stdio.h>

#define PAUSE_MS (14 * DW_DAY_MS)
#define FUNDS_MS (72 * DT_HOUR_MS)

/* ---- helpers ------------------------------------------------------------------------------- */

/* The provider takes the contractor's last top-up back. */
static void
reverse_topup(struct domain_world *world, uint32_t contractor, uint64_t serial, int64_t cents)
{
    struct zr_topup_reversed_request request = {.amount_cents = cents, .contractor = contractor};

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "ref-%llu",
                   (unsigned long long)serial);
    assert_int_equal(dw_run(world, dw_payments, ZR_OP_TOPUP_REVERSED, &request), ZR_STATUS_OK);
}

/* ---- PAUSED --------------------------------------------------------------------------------- */

/* E13: 13 d 23 h and resumed: still primary, and no clock is left behind. */
static void
test_a_pause_within_its_grace_keeps_the_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    assert_true(dt_last(world, mark, ZR_EVENT_PAUSED).deadline_ms == world->now_ms + PAUSE_MS);
    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_PAUSED), 1);
    dw_advance(world, PAUSE_MS - DT_HOUR_MS);
    assert_int_equal(dt_resume(world, cascade.claims[0], 0), ZR_STATUS_OK);
    assert_int_equal(dt_resume(world, cascade.claims[0], 0), ZR_STATUS_OK);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_RESUMED), 1);
    dw_advance(world, 30 * DW_DAY_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_FORFEITED), 0);
}

/* E13: at 14 d FORFEITED to the millisecond, RESUME answers CLAIM_ENDED. */
static void
test_a_pause_forfeits_at_its_deadline(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    dw_advance(world, PAUSE_MS - 1);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    world->now_ms++;
    assert_int_equal(dt_resume(world, cascade.claims[0], 0), ZR_STATUS_CLAIM_ENDED);
    assert_int_equal(world->reply.claim_state_reply.state, ZR_CLAIM_FORFEITED);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_PAUSED);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_CLAIM_ENDED), 0); /* FORFEITED says it. */
    assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
    assert_int_equal(dt_contractor_row(world, cascade.contractors[0]).claims, 0);
}

/* M2: how long the pause of a claim is borne says the policy of its slot, not the network's. */
static void
test_a_slots_own_grace_rules_its_pause(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);
    struct zr_policy_put_request put = {.scope = ZR_SCOPE_SLOT,
                                        .category = DW_CATEGORY,
                                        .zip = DW_ZIP,
                                        .policy_count = 1,
                                        .policy = {dw_policy_default()}};

    put.policy[0].pause_grace_s = 3 * 24 * 3600;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_POLICY_PUT, &put), ZR_STATUS_OK);
    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    dw_advance(world, 3 * DW_DAY_MS - 1);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_PAUSED);
}

/* R55, R63: a vacation of the whole contractor is one pause over all slots; its backups stay. */
static void
test_a_contractor_pauses_in_every_slot(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const struct zr_claim_request elsewhere = {
        .contractor = cascade.contractors[1], .slots = {{DW_ZIP_2, DW_CATEGORY}}, .slots_count = 1};
    uint64_t primary;
    uint64_t mark;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &elsewhere), ZR_STATUS_OK);
    primary = world->reply.claim_reply.results[0].claim_id;
    mark = dt_mark(world);
    assert_int_equal(dt_pause(world, 0, cascade.contractors[1]), ZR_STATUS_OK);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_PAUSED).claim_id, 0);
    assert_int_equal(dt_conditions(world, cascade.claims[1]), CONDITION_PAUSED);
    dw_advance(world, PAUSE_MS);
    dt_assert_forfeited(world, mark, primary, CONDITION_PAUSED);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 2);
    assert_int_equal(dt_conditions(world, cascade.claims[1]), CONDITION_PAUSED);
    assert_int_equal(dt_resume(world, 0, cascade.contractors[1]), ZR_STATUS_OK);
    assert_int_equal(dt_conditions(world, cascade.claims[1]), 0);
}

/* M2: resuming for less than 7 d goes on with the old clock; one that ran out forfeits at once. */
static void
test_a_day_of_work_stops_no_clock(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    dw_advance(world, 10 * DW_DAY_MS);
    assert_int_equal(dt_resume(world, cascade.claims[0], 0), ZR_STATUS_OK);
    dw_advance(world, DW_DAY_MS);
    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 1); /* Half of it, once. */
    dw_advance(world, DW_DAY_MS);
    assert_int_equal(dt_resume(world, cascade.claims[0], 0), ZR_STATUS_OK);
    dw_advance(world, 3 * DW_DAY_MS); /* Day 15: the clock ran out while it worked. */
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_PAUSED);
}

/* M2: a backup's clock that ran out while it was paused is over, and takes no title that it got
 * after it came back: its next pause has a grace of its own. The contractor's own clock is alike.
 */
static void
test_a_clock_that_ran_out_is_not_continued(void **state)
{
    for (int whole = 0; whole < 2; whole++) {
        struct domain_world *world = *state;
        const uint32_t primary = dw_contractor(world, DT_MONEY);
        const uint32_t backup = dw_contractor(world, DT_MONEY);
        const struct zr_claim_request elsewhere = {
            .op_id = dw_id(world),
            .contractor = primary,
            .slots_count = 1,
            .slots = {{DW_ZIP_2, whole ? DW_CATEGORY : DW_CATEGORY_2}}};
        struct zr_claim_request behind = elsewhere;
        uint64_t claim_id;

        assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &elsewhere), ZR_STATUS_OK);
        behind.op_id = dw_id(world);
        behind.contractor = backup;
        behind.accept_backup = true;
        assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &behind), ZR_STATUS_OK);
        claim_id = world->reply.claim_reply.results[0].claim_id;
        assert_int_equal(dt_pause(world, whole ? 0 : claim_id, backup), ZR_STATUS_OK);
        dw_advance(world, 20 * DW_DAY_MS);
        assert_int_equal(dt_resume(world, whole ? 0 : claim_id, backup), ZR_STATUS_OK);
        dw_policy_without_offers(world);
        assert_int_equal(dt_release(world, claim_id - 1, ZR_RELEASE_NOW), ZR_STATUS_OK);
        assert_int_equal(dt_claim_row(world, claim_id).title, ZR_TITLE_PRIMARY);
        dw_advance(world, DW_DAY_MS);
        assert_int_equal(dt_pause(world, whole ? 0 : claim_id, backup), ZR_STATUS_OK);
        assert_int_equal(dt_state(world, claim_id), whole ? ZR_CLAIM_LIVE : ZR_CLAIM_PAUSED);
        dw_advance(world, PAUSE_MS - 1);
        assert_int_equal(dt_claim_row(world, claim_id).ended_ms, 0);
        dw_advance(world, 1);
        assert_int_equal(dt_state(world, claim_id), ZR_CLAIM_FORFEITED);
    }
}

/* M2: whoever is approved no more has the clock of one who is suspended, whatever it is called: he
 * is not rung, and a title is not held by that for ever. */
static void
test_taking_an_approval_back_is_a_suspension(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);

    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_PENDING);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_SUSPENDED);
    dw_advance(world, 14 * DW_DAY_MS - 1);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_SUSPENDED);
    dw_set_status(world, cascade.contractors[1], ZR_CONTRACTOR_PENDING);
    dw_set_status(world, cascade.contractors[1], ZR_CONTRACTOR_APPROVED);
    assert_int_equal(dt_conditions(world, cascade.claims[1]), 0);
}

/* "0 as a grace means at once": before the next command. */
static void
test_a_grace_of_zero_forfeits_at_once(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);
    struct zr_policy policy = dw_policy_default();

    policy.pause_grace_s = 0;
    policy.offer_window_s = 0;
    dw_policy(world, &policy);
    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_PAUSED);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 0);
}

/* A primary is warned when half and when a tenth of its grace is left; a backup never. */
static void
test_a_primary_is_warned_twice(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t deadline_ms = world->now_ms + PAUSE_MS;
    const uint64_t mark = dt_mark(world);
    struct event_row event;

    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    assert_int_equal(dt_pause(world, cascade.claims[1], 0), ZR_STATUS_OK);
    assert_int_equal(dt_pause(world, 0, cascade.contractors[1]), ZR_STATUS_OK);
    dw_advance(world, PAUSE_MS / 2 - 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 0);
    dw_advance(world, 1);
    event = dt_last(world, mark, ZR_EVENT_GRACE_WARNING);
    assert_int_equal(event.contractor, cascade.contractors[0]);
    assert_int_equal(event.claim_id, cascade.claims[0]);
    assert_int_equal(event.zip, DW_ZIP);
    assert_int_equal(event.code, CONDITION_PAUSED);
    assert_true(event.deadline_ms == deadline_ms);
    dw_advance(world, PAUSE_MS / 2 - PAUSE_MS / 10);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 2);
    dw_advance(world, PAUSE_MS / 10 - 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 2);
    assert_int_equal(dt_resume(world, cascade.claims[0], 0), ZR_STATUS_OK);
    /* Of a contractor's condition there is one warning, however many titles it holds. */
    assert_int_equal(dt_pause(world, 0, cascade.contractors[0]), ZR_STATUS_OK);
    dw_advance(world, PAUSE_MS / 2);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 3);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_GRACE_WARNING).claim_id, 0);
}

/* ---- DRY ------------------------------------------------------------------------------------ */

/* E14: topped up after 71 h: the rank is untouched, and the clock is gone. */
static void
test_a_topup_in_time_keeps_the_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, 0);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_DRY);
    dw_advance(world, FUNDS_MS - DT_HOUR_MS);
    dw_topup(world, cascade.contractors[0], DT_MONEY);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
    dw_advance(world, 30 * DW_DAY_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 0);
}

/* E14: at 72 h forfeited, exactly one SLOT_OPENED to rank 2. */
static void
test_a_dry_title_is_forfeited(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, 0);
    const uint64_t mark = dt_mark(world);

    dw_advance(world, FUNDS_MS - 1);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_DRY);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_SLOT_OPENED).contractor, cascade.contractors[1]);
    dw_advance(world, 60 * DW_DAY_MS);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 1);
}

/* E15: dry and paused: the earliest deadline applies, and clearing one leaves the other. */
static void
test_dry_and_paused_have_their_own_clocks(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, 0);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_DRY | CONDITION_PAUSED);
    dw_advance(world, FUNDS_MS - 1);
    dw_topup(world, cascade.contractors[0], DT_MONEY);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_PAUSED);
    dw_advance(world, PAUSE_MS - FUNDS_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_PAUSED);
}

/* E15, the other way: resumed, but still dry. */
static void
test_resuming_does_not_fund(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, 0);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_pause(world, 0, cascade.contractors[0]), ZR_STATUS_OK);
    dw_advance(world, DW_DAY_MS);
    assert_int_equal(dt_resume(world, 0, cascade.contractors[0]), ZR_STATUS_OK);
    dw_advance(world, FUNDS_MS - DW_DAY_MS);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_DRY);
}

/* M2, R65: a top-up that is PENDING at the deadline defers it by an hour, once. */
static void
test_a_pending_topup_defers_the_deadline(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, 0);
    const struct zr_autotopup_put_request autotopup = {.threshold_cents = 5000,
                                                       .amount_cents = 10000,
                                                       .contractor = cascade.contractors[0],
                                                       .enabled = true,
                                                       .methods = {{"card"}},
                                                       .methods_count = 1};
    const uint64_t mark = dt_mark(world);

    dw_advance(world, FUNDS_MS - 1);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_AUTOTOPUP_PUT, &autotopup), ZR_STATUS_OK);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_TOPUP_REQUESTED), 1);
    dw_advance(world, DT_HOUR_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    assert_true(dt_claim_row(world, cascade.claims[0]).dry_deadline_ms == world->now_ms + 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_DRY);
}

/* ---- the whole story ----------------------------------------------------------------------------
 */

/* E70 until day 3.9: paused on day 0, dry on day 1, suspended on day 2. */
static struct dt_cascade
story_until_day_three(struct domain_world *world)
{
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t serial = world->serial;

    /* Each contractor took two serials: its id's, its top-up's. */
    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    dw_advance(world, DW_DAY_MS);
    reverse_topup(world, cascade.contractors[0], serial - 2, DT_MONEY);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_PAUSED | CONDITION_DRY);
    dw_advance(world, DW_DAY_MS);
    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(dt_conditions(world, cascade.claims[0]),
                     CONDITION_PAUSED | CONDITION_DRY | CONDITION_SUSPENDED);
    dw_advance(world, DW_DAY_MS + 9 * DW_DAY_MS / 10);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    return cascade;
}

/* E70: topped up after 3 d 23 h, the suspension lifted on day 5: still paused; RESUME on day 13. */
static void
test_three_conditions_are_lifted_one_by_one(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = story_until_day_three(world);

    world->now_ms = DW_START_MS + 4 * DW_DAY_MS - DT_HOUR_MS;
    dw_topup(world, cascade.contractors[0], DT_MONEY);
    assert_int_equal(dt_conditions(world, cascade.claims[0]),
                     CONDITION_PAUSED | CONDITION_SUSPENDED);
    world->now_ms = DW_START_MS + 5 * DW_DAY_MS;
    dw_set_status(world, cascade.contractors[0], ZR_CONTRACTOR_APPROVED);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), CONDITION_PAUSED);
    assert_int_equal(dw_slot(world).claims[0].paused, 1); /* Not rung. */
    world->now_ms = DW_START_MS + 13 * DW_DAY_MS;
    assert_int_equal(dt_resume(world, cascade.claims[0], 0), ZR_STATUS_OK);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    assert_int_equal(dt_conditions(world, cascade.claims[0]), 0);
    dw_advance(world, 60 * DW_DAY_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
}

/* E70 without the top-up: forfeited on day 4, by DRY. */
static void
test_the_earliest_of_three_deadlines_forfeits(void **state)
{
    struct domain_world *world = *state;
    const uint64_t mark = dt_mark(world);
    const struct dt_cascade cascade = story_until_day_three(world);

    dw_advance(world, DW_DAY_MS / 10 - 1);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    dt_assert_forfeited(world, mark, cascade.claims[0], CONDITION_DRY);
}

/* E70: the server is down from day 3.9 to 4.1, the top-up comes 30 min after the restart: kept. */
static void
test_an_outage_takes_no_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = story_until_day_three(world);

    dw_outage(world, DW_DAY_MS / 5);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    assert_true(dt_claim_row(world, cascade.claims[0]).dry_deadline_ms ==
                world->now_ms + DT_HOUR_MS);
    dw_advance(world, DT_HOUR_MS / 2);
    dw_topup(world, cascade.contractors[0], DT_MONEY);
    dw_advance(world, DW_DAY_MS);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    /* Nobody comes to help: an hour after the restart it is over. SUSPENDED ends on day 16. */
    assert_int_equal(dt_resume(world, cascade.claims[0], 0), ZR_STATUS_OK);
    world->now_ms = DW_START_MS + 16 * DW_DAY_MS - 1;
    dw_tick(world);
    dw_outage(world, DW_DAY_MS);
    assert_true(dt_contractor_row(world, cascade.contractors[0]).suspended_deadline_ms ==
                world->now_ms + DT_HOUR_MS);
    dw_advance(world, DT_HOUR_MS - 1);
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    dw_advance(world, 1);
    assert_int_equal(dt_state(world, cascade.claims[0]), ZR_CLAIM_FORFEITED);
}

/* R36: missing calls may rest somebody, and is never a silent forfeit: time alone takes no title.
 */
static void
test_nothing_else_takes_a_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_pair(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);

    for (int misses = 0; misses < 500; misses++) {
        const struct zr_rings_request rings = {
            .rings = {{.contractor = cascade.contractors[0], .outcome = ZR_OUTCOME_NO_ANSWER}},
            .rings_count = 1};

        assert_int_equal(dw_run(world, dw_admin, ZR_OP_RINGS, &rings), ZR_STATUS_OK);
        dw_advance(world, DW_DAY_MS);
    }
    assert_int_equal(dt_rank(world, cascade.claims[0]), 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_FORFEITED), 0);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_a_pause_within_its_grace_keeps_the_title),
        DW_TEST(test_a_pause_forfeits_at_its_deadline),
        DW_TEST(test_a_slots_own_grace_rules_its_pause),
        DW_TEST(test_a_contractor_pauses_in_every_slot),
        DW_TEST(test_a_day_of_work_stops_no_clock),
        DW_TEST(test_a_clock_that_ran_out_is_not_continued),
        DW_TEST(test_taking_an_approval_back_is_a_suspension),
        DW_TEST(test_a_grace_of_zero_forfeits_at_once),
        DW_TEST(test_a_primary_is_warned_twice),
        DW_TEST(test_a_topup_in_time_keeps_the_title),
        DW_TEST(test_a_dry_title_is_forfeited),
        DW_TEST(test_dry_and_paused_have_their_own_clocks),
        DW_TEST(test_resuming_does_not_fund),
        DW_TEST(test_a_pending_topup_defers_the_deadline),
        DW_TEST(test_three_conditions_are_lifted_one_by_one),
        DW_TEST(test_the_earliest_of_three_deadlines_forfeits),
        DW_TEST(test_an_outage_takes_no_title),
        DW_TEST(test_nothing_else_takes_a_title),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
