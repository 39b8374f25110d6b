/*
 * test_cases_titles.c - what becomes of a claim: ranks and rates, RELEASE and promotion, PAUSE and
 * RESUME; and the rules of keys and versions that every mutation obeys.
 */
#include "tests/integration/cases.h"

enum { GRACE_DAYS = 14, HORIZON_HOURS = 72 };

/* A slot held by `count` contractors with money for everything. */
struct held {
    struct world_slot slot;
    uint32_t contractors[8];
    uint64_t claims[8];
    uint64_t seqs[8];
};

static void
held_make(struct held *held, int count)
{
    held->slot = world_slot_promoting(&world);
    for (int i = 0; i < count; i++) {
        struct zr_claim_result result;

        held->contractors[i] = world_contractor(&world, 3, 50000);
        result = world_claim_result(&world, held->contractors[i], held->slot);
        assert_int_equal(result.status, 0);
        assert_int_equal(result.rank, i + 1);
        held->claims[i] = result.claim_id;
        held->seqs[i] = result.seq;
    }
}

/* ---- ranks and rates ---------------------------------------------------------------------- */

static void
test_r53_rates_fall_with_the_rank(void **state)
{
    static const int64_t rates[] = {WORLD_RATE, WORLD_RATE_2, WORLD_RATE_3, WORLD_RATE_3};
    const struct world_slot slot = world_slot(&world);

    (void)state;
    for (int i = 0; i < 4; i++) {
        const struct zr_claim_result result =
            world_claim_result(&world, world_contractor(&world, 1, 50000), slot);

        assert_int_equal(result.rank, i + 1);
        assert_int_equal(result.rate_cents, rates[i]);
    }
}

/* R53: a backup that rings first, because the primary is skipped, still pays a backup's rate. */
static void
test_r53_the_rate_is_the_titles_not_the_ring_orders(void **state)
{
    struct held held;
    struct zr_route_request request;
    struct zr_route_reply reply;

    (void)state;
    held_make(&held, 4);
    (void)world_pause(&world, held.claims[0]);
    request = world_route_request(&world, held.slot);
    request.want = 4;
    assert_int_equal(world_route(&world, &request, &reply), 0);
    assert_int_equal(reply.candidates_count, 3);
    assert_int_equal(reply.candidates[0].contractor, held.contractors[1]);
    assert_int_equal(reply.candidates[0].rank, 2);
    assert_int_equal(reply.candidates[0].rate_cents, WORLD_RATE_2);
    assert_int_equal(reply.candidates[1].rate_cents, WORLD_RATE_3);
    assert_int_equal(reply.candidates[2].rate_cents, WORLD_RATE_3);
    assert_int_equal(reasons_of(&reply, held.contractors[0]), REASON_PAUSED);
}

static void
test_r7_more_claims_change_nothing_of_those_held(void **state)
{
    struct held held;
    struct zr_claims_list_request list = {0};
    struct zr_claims_list_reply before;
    struct zr_claims_list_reply after;

    (void)state;
    held_make(&held, 2);
    list.contractor = held.contractors[1];
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    assert_int_equal(zr_claims_list(world.portal, &list, &before), 0);
    for (int i = 0; i < 3; i++) {
        (void)world_claim(&world, held.contractors[1], world_slot(&world));
        (void)world_claim(&world, world_contractor(&world, 1, 5000), held.slot);
    }
    assert_int_equal(zr_claims_list(world.portal, &list, &after), 0);
    assert_int_equal(before.claims_count, 1);
    assert_int_equal(after.claims_count, 4);
    assert_memory_equal(&after.claims[0], &before.claims[0], sizeof before.claims[0]);
}

/* E16, R48: ranks have no gap, and a seq never changes. */
static void
test_e16_a_leaving_backup_moves_the_next_up_for_new_calls(void **state)
{
    struct held held;
    struct zr_route_request request;
    struct zr_route_reply old_call;
    struct zr_route_reply new_call;
    struct zr_connect_request connect;
    struct zr_connect_reply connected;
    struct zr_settlement_reply settled;

    (void)state;
    held_make(&held, 3);
    (void)world_pause(&world, held.claims[0]);
    request = world_route_request(&world, held.slot);
    request.want = 4;
    assert_int_equal(world_route(&world, &request, &old_call), 0);
    assert_int_equal(old_call.candidates[1].contractor, held.contractors[2]);
    (void)world_release(&world, held.claims[1]);
    assert_int_equal(slot_get(held.slot).claims[1].claim_id, held.claims[2]);
    assert_int_equal(slot_get(held.slot).claims[1].rank, 2);
    assert_int_equal(slot_get(held.slot).claims[1].seq, held.seqs[2]);
    new_call = world_call(&world, held.slot, NULL);
    assert_int_equal(new_call.candidates[0].contractor, held.contractors[2]);
    assert_int_equal(new_call.candidates[0].rate_cents, WORLD_RATE_2);
    /* The old ticket keeps the old rate. */
    connect = world_connect_request(&old_call);
    connect.index = 1;
    assert_int_equal(zr_connect(world.carrier, &connect, &connected), 0);
    assert_int_equal(connected.hold_cents, WORLD_RATE_3);
    settled = world_end(&world, &request.call_id, 30000);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(settled.amount_cents, WORLD_RATE_3);
}

/* ---- release and promotion ------------------------------------------------------------------ */

static void
test_e11_a_released_primary_still_gets_the_call_that_rings(void **state)
{
    struct held held;
    struct zr_route_reply ringing;
    struct zr_route_reply next;
    struct zr_id call_id;

    (void)state;
    held_make(&held, 2);
    ringing = world_call(&world, held.slot, &call_id);
    assert_int_equal(ringing.candidates[0].contractor, held.contractors[0]);
    (void)world_release(&world, held.claims[0]);
    next = world_call(&world, held.slot, NULL);
    assert_int_equal(next.candidates[0].contractor, held.contractors[1]);
    assert_int_equal(next.candidates[0].rank, 1);
    assert_int_equal(world_connect(&world, &ringing).contractor, held.contractors[0]);
    assert_int_equal(world_end(&world, &call_id, 60000).amount_cents, WORLD_RATE);
}

static void
test_e12_a_primary_released_while_talking_settles_at_the_tickets_rate(void **state)
{
    struct held held;
    struct zr_route_reply routed;
    struct zr_settlement_reply settled;
    struct zr_id call_id;

    (void)state;
    held_make(&held, 1);
    routed = world_call(&world, held.slot, &call_id);
    (void)world_connect(&world, &routed);
    (void)world_release(&world, held.claims[0]);
    settled = world_end(&world, &call_id, 30000);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(settled.amount_cents, WORLD_RATE);
    assert_int_equal(world_wallet(&world, held.contractors[0]).posted_cents, 50000 - WORLD_RATE);
}

static void
test_r64_the_first_backup_that_may_takes_the_title(void **state)
{
    struct held held;
    struct zr_claim_state_reply released;
    struct zr_slot_get_reply slot;

    (void)state;
    held_make(&held, 4);
    (void)world_pause(&world, held.claims[1]);                          /* Passed over: paused. */
    world_status(&world, held.contractors[2], ZR_CONTRACTOR_SUSPENDED); /* And suspended. */
    released = world_release(&world, held.claims[0]);
    assert_int_equal(released.state, ZR_CLAIM_RELEASED);
    assert_int_equal(released.promoted_claim_id, held.claims[3]);
    slot = slot_get(held.slot);
    assert_int_equal(slot.claims_count, 3);
    /* Rank 1 is the primary's; backups follow by seq, dense; nobody's seq changed. */
    assert_int_equal(slot.claims[0].claim_id, held.claims[3]);
    assert_int_equal(slot.claims[0].title, ZR_TITLE_PRIMARY);
    assert_int_equal(slot.claims[0].seq, held.seqs[3]);
    assert_int_equal(slot.claims[1].claim_id, held.claims[1]);
    assert_int_equal(slot.claims[1].rank, 2);
    assert_int_equal(slot.claims[2].claim_id, held.claims[2]);
    assert_int_equal(slot.claims[2].rank, 3);
    world_status(&world, held.contractors[2], ZR_CONTRACTOR_APPROVED);
}

/* M2: accept requires MAIN + CREDIT - holds >= the primary rate; concurrency does not matter. */
static void
test_m2_promotion_looks_at_money_less_holds(void **state)
{
    const struct world_slot slot = world_slot_promoting(&world);
    const struct world_slot busy = world_slot(&world);
    const uint32_t primary = world_contractor(&world, 1, 5000);
    const uint32_t talker = world_contractor(&world, 1, WORLD_RATE + WORLD_RATE - 1);
    const uint32_t exact = world_contractor(&world, 1, 2 * WORLD_RATE);
    const uint64_t claim = world_claim(&world, primary, slot);
    struct zr_route_reply routed;
    uint64_t exact_claim;

    (void)state;
    (void)world_claim(&world, talker, slot);
    exact_claim = world_claim(&world, exact, slot);
    (void)world_claim(&world, talker, busy);
    routed = world_call(&world, busy, NULL);
    (void)world_connect(&world, &routed); /* The talker has rate - 1 left. */
    (void)world_release(&world, world_claim(&world, primary, world_slot(&world)));
    {
        const struct world_slot busy_too = world_slot(&world);

        (void)world_claim(&world, exact, busy_too);
        routed = world_call(&world, busy_too, NULL);
        (void)world_connect(&world, &routed); /* Exactly the rate left, and at his concurrency. */
    }
    assert_int_equal(world_release(&world, claim).promoted_claim_id, exact_claim);
}

static void
test_e6_m2_an_open_slot_goes_to_whoever_claims_first(void **state)
{
    struct held held;
    struct zr_claim_result result;

    (void)state;
    /* A backup takes it: his claim and seq stay. */
    held_make(&held, 3);
    (void)world_pause(&world, held.claims[1]);
    (void)world_pause(&world, held.claims[2]);
    assert_int_equal(world_release(&world, held.claims[0]).promoted_claim_id, 0);
    assert_true(slot_get(held.slot).open);
    assert_int_equal(slot_get(held.slot).claims[0].rank, 2);
    (void)world_resume(&world, held.claims[2]);
    result = world_claim_result(&world, held.contractors[2], held.slot);
    assert_int_equal(result.status, 0);
    assert_int_equal(result.rank, 1);
    assert_int_equal(result.title, ZR_TITLE_PRIMARY);
    assert_int_equal(result.claim_id, held.claims[2]);
    assert_int_equal(result.seq, held.seqs[2]);
    assert_false(slot_get(held.slot).open);
    /* An outsider takes it: a new seq, and the backups keep their order. */
    held_make(&held, 2);
    (void)world_pause(&world, held.claims[1]);
    (void)world_release(&world, held.claims[0]);
    result = world_claim_result(&world, held.contractors[0], held.slot);
    assert_int_equal(result.rank, 1);
    assert_true(result.seq > held.seqs[1]);
    assert_int_equal(slot_get(held.slot).claims[1].claim_id, held.claims[1]);
}

/* Meanwhile calls ring the backups at their own ranks' rates. */
static void
test_m2_a_vacant_title_rings_the_backups_at_their_rates(void **state)
{
    struct held held;
    struct zr_route_reply routed;

    (void)state;
    held_make(&held, 3);
    (void)world_pause(&world, held.claims[1]);
    (void)world_pause(&world, held.claims[2]);
    (void)world_release(&world, held.claims[0]);
    (void)world_resume(&world, held.claims[2]);
    routed = world_call(&world, held.slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, held.contractors[2]);
    assert_int_equal(routed.candidates[0].rank, 3);
    assert_int_equal(routed.candidates[0].rate_cents, WORLD_RATE_3);
}

static void
test_m2_a_former_primary_comes_back_at_the_tail(void **state)
{
    struct held held;
    struct zr_claim_result again;

    (void)state;
    held_make(&held, 3);
    assert_int_equal(world_release(&world, held.claims[0]).promoted_claim_id, held.claims[1]);
    again = world_claim_result(&world, held.contractors[0], held.slot);
    assert_int_equal(again.rank, 3);
    assert_true(again.seq > held.seqs[2]);
    assert_int_not_equal(again.claim_id, held.claims[0]);
}

/* An operation on what is final: OK and DUPLICATE where the wish is true, else a refusal. */
static void
test_release_of_an_ended_claim_is_final(void **state)
{
    struct held held;
    struct zr_release_request release = {.when = ZR_RELEASE_NOW};
    struct zr_pause_request pause = {.reason = "late"};
    struct zr_resume_request resume = {0};
    struct zr_claim_state_reply reply;
    struct zr_call_info info;

    (void)state;
    held_make(&held, 1);
    release.claim_id = pause.claim_id = resume.claim_id = held.claims[0];
    assert_int_equal(zr_release(world.portal, &release, &reply), 0);
    assert_int_equal(zr_call(world.portal, ZR_OP_RELEASE, &release, &reply, 0, &info), 0);
    assert_int_equal(reply.state, ZR_CLAIM_RELEASED);
    assert_true(info.duplicate);
    assert_int_equal(zr_pause(world.portal, &pause, &reply), ZR_STATUS_CLAIM_ENDED);
    assert_int_equal(zr_resume(world.portal, &resume, &reply), ZR_STATUS_CLAIM_ENDED);
}

/* ---- pause ---------------------------------------------------------------------------------- */

static void
test_e13_a_pause_skips_keeps_the_title_and_names_its_deadline(void **state)
{
    struct held held;
    struct zr_claim_state_reply paused;
    uint64_t now_ms;

    (void)state;
    held_make(&held, 2);
    now_ms = world_advance(&world, 0);
    paused = world_pause(&world, held.claims[0]);
    assert_int_equal(paused.state, ZR_CLAIM_PAUSED);
    assert_int_equal(paused.grace_deadline_ms, now_ms + GRACE_DAYS * WORLD_DAY_MS);
    assert_int_equal(world_call(&world, held.slot, NULL).candidates[0].contractor,
                     held.contractors[1]);
    (void)world_advance(&world, 13 * WORLD_DAY_MS + 23 * WORLD_HOUR_MS);
    assert_int_equal(world_resume(&world, held.claims[0]).state, ZR_CLAIM_LIVE);
    assert_int_equal(slot_get(held.slot).claims[0].claim_id, held.claims[0]);
    assert_int_equal(world_call(&world, held.slot, NULL).candidates[0].contractor,
                     held.contractors[0]);
}

/* M2: resuming for < 7 d continues the old clock. */
static void
test_m2_a_short_resume_continues_the_old_clock(void **state)
{
    struct held held;
    uint64_t deadline_ms;
    uint64_t now_ms;

    (void)state;
    held_make(&held, 1);
    deadline_ms = world_pause(&world, held.claims[0]).grace_deadline_ms;
    (void)world_advance(&world, WORLD_DAY_MS);
    (void)world_resume(&world, held.claims[0]);
    (void)world_advance(&world, 7 * WORLD_DAY_MS - 1);
    assert_int_equal(world_pause(&world, held.claims[0]).grace_deadline_ms, deadline_ms);
    (void)world_resume(&world, held.claims[0]);
    now_ms = world_advance(&world, 7 * WORLD_DAY_MS);
    assert_int_equal(world_pause(&world, held.claims[0]).grace_deadline_ms,
                     now_ms + GRACE_DAYS * WORLD_DAY_MS);
}

static void
test_r55_a_pause_of_the_contractor_covers_all_his_claims(void **state)
{
    struct held held;
    const struct world_slot other = world_slot(&world);
    struct zr_pause_request pause = {.reason = "vacation"};
    struct zr_resume_request resume = {0};
    struct zr_claim_state_reply reply;
    struct zr_route_request request;
    struct zr_route_reply routed;

    (void)state;
    held_make(&held, 1);
    (void)world_claim(&world, held.contractors[0], other);
    pause.contractor = resume.contractor = held.contractors[0];
    assert_int_equal(zr_pause(world.portal, &pause, &reply), 0);
    assert_int_equal(reply.claim_id, 0);
    request = world_route_request(&world, other);
    assert_int_equal(world_route(&world, &request, &routed), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(reasons_of(&routed, held.contractors[0]), REASON_PAUSED);
    request = world_route_request(&world, held.slot);
    assert_int_equal(world_route(&world, &request, &routed), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(zr_resume(world.portal, &resume, &reply), 0);
    (void)world_call(&world, held.slot, NULL);
    (void)world_call(&world, other, NULL);
}

/* Two pauses are two conditions: lifting one leaves the other. */
static void
test_m2_a_paused_claim_of_a_paused_contractor_needs_both_lifted(void **state)
{
    struct held held;
    struct zr_pause_request pause = {.reason = "vacation"};
    struct zr_resume_request resume = {0};
    struct zr_claim_state_reply reply;
    struct zr_route_request request;
    struct zr_route_reply routed;

    (void)state;
    held_make(&held, 1);
    pause.contractor = resume.contractor = held.contractors[0];
    (void)world_pause(&world, held.claims[0]);
    assert_int_equal(zr_pause(world.portal, &pause, &reply), 0);
    assert_int_equal(zr_resume(world.portal, &resume, &reply), 0);
    request = world_route_request(&world, held.slot);
    assert_int_equal(world_route(&world, &request, &routed), ZR_STATUS_NO_COVERAGE);
    (void)world_resume(&world, held.claims[0]);
    (void)world_call(&world, held.slot, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_r53_rates_fall_with_the_rank),
        cmocka_unit_test(test_r53_the_rate_is_the_titles_not_the_ring_orders),
        cmocka_unit_test(test_r7_more_claims_change_nothing_of_those_held),
        cmocka_unit_test(test_e16_a_leaving_backup_moves_the_next_up_for_new_calls),
        cmocka_unit_test(test_e11_a_released_primary_still_gets_the_call_that_rings),
        cmocka_unit_test(test_e12_a_primary_released_while_talking_settles_at_the_tickets_rate),
        cmocka_unit_test(test_r64_the_first_backup_that_may_takes_the_title),
        cmocka_unit_test(test_m2_promotion_looks_at_money_less_holds),
        cmocka_unit_test(test_e6_m2_an_open_slot_goes_to_whoever_claims_first),
        cmocka_unit_test(test_m2_a_vacant_title_rings_the_backups_at_their_rates),
        cmocka_unit_test(test_m2_a_former_primary_comes_back_at_the_tail),
        cmocka_unit_test(test_release_of_an_ended_claim_is_final),
        cmocka_unit_test(test_e13_a_pause_skips_keeps_the_title_and_names_its_deadline),
        cmocka_unit_test(test_m2_a_short_resume_continues_the_old_clock),
        cmocka_unit_test(test_r55_a_pause_of_the_contractor_covers_all_his_claims),
        cmocka_unit_test(test_m2_a_paused_claim_of_a_paused_contractor_needs_both_lifted),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
