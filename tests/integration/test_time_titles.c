/*
 * test_time_titles.c - titles over time: offers, graces, outages (M2), through the real server and
 * the real client, on a clock that the test moves. E14, E69 and E70 are in test_time_stories.c.
 */
#include "tests/integration/clocks.h"

enum { HELD_MAX = 8 };

/* A slot held by `count` contractors; the rest is free for latecomers. */
struct held {
    struct world_slot slot;
    uint32_t contractors[HELD_MAX];
    uint64_t claims[HELD_MAX];
    int count;
};

static struct zr_claim_result
held_join(struct held *held, int64_t funds_cents)
{
    struct zr_claim_result result;
    const int at = held->count++;

    held->contractors[at] = world_contractor(&world, 3, funds_cents);
    result = world_claim_result(&world, held->contractors[at], held->slot);
    held->claims[at] = result.claim_id;
    return result;
}

static void
held_make(struct held *held, int count)
{
    memset(held, 0, sizeof *held);
    held->slot = world_slot(&world);
    for (int i = 0; i < count; i++) {
        assert_int_equal(held_join(held, 50000).status, 0);
    }
}

static struct zr_slot_get_reply
slot_now(struct world_slot slot)
{
    const struct zr_slot_get_request request = {.zip = slot.zip, .category = slot.category};
    struct zr_slot_get_reply reply;

    memset(&reply, 0, sizeof reply);
    assert_int_equal(zr_slot_get(world.admin, &request, &reply), 0);
    return reply;
}

static struct zr_claim_get_reply
claim_now(uint64_t claim_id)
{
    const struct zr_claim_get_request request = {.claim_id = claim_id};
    struct zr_claim_get_reply reply;

    memset(&reply, 0, sizeof reply);
    assert_int_equal(zr_claim_get(world.admin, &request, &reply), 0);
    return reply;
}

static int
answer_offer(uint64_t offer_id, bool accept, struct zr_offer_reply_reply *reply)
{
    const struct zr_offer_reply_request request = {.offer_id = offer_id, .accept = accept};

    memset(reply, 0, sizeof *reply);
    return zr_offer_reply(world.portal, &request, reply);
}

/* The offer that this claim must have now. */
static uint64_t
offer_of(uint64_t claim_id)
{
    const struct zr_claim_get_reply claim = claim_now(claim_id);

    assert_int_not_equal(claim.offer_id, 0);
    return claim.offer_id;
}

/* ---- offers ---------------------------------------------------------------------------------- */

/* E7, R56: the tail, not the title; then up, as the chain of offers reaches him. */
static void
test_e7_an_outsider_joins_the_tail_while_an_offer_is_pending(void **state)
{
    struct zr_offer_reply_reply reply;
    struct zr_claim_result outsider;
    struct held held;

    (void)state;
    held_make(&held, 2);
    (void)world_release(&world, held.claims[0]);
    assert_int_equal(slot_now(held.slot).title_state, ZR_TITLE_STATE_OFFERED);
    outsider = held_join(&held, 50000);
    assert_int_equal(outsider.status, 0);
    assert_int_equal(outsider.title, ZR_TITLE_BACKUP);
    assert_int_equal(outsider.rank, 3);
    /* The chain reaches him when the one before him declines. */
    assert_int_equal(answer_offer(offer_of(held.claims[1]), false, &reply), 0);
    assert_int_equal(answer_offer(offer_of(held.claims[2]), true, &reply), 0);
    assert_int_equal(reply.title, ZR_TITLE_PRIMARY);
    assert_int_equal(reply.rank, 1);
    assert_int_equal(slot_now(held.slot).title_state, ZR_TITLE_STATE_HELD);
}

static void
test_e8_an_offer_ends_at_the_very_millisecond(void **state)
{
    struct zr_offer_reply_reply reply;

    (void)state;
    for (int late = 0; late <= 1; late++) {
        struct held held;
        uint64_t offer_id;

        held_make(&held, 2);
        (void)world_release(&world, held.claims[0]);
        offer_id = offer_of(held.claims[1]);
        move_to(claim_now(held.claims[1]).offer_deadline_ms - (late ? 0 : 1));
        assert_int_equal(answer_offer(offer_id, true, &reply), late ? ZR_STATUS_OFFER_CLOSED : 0);
        assert_int_equal(slot_now(held.slot).title_state,
                         late ? ZR_TITLE_STATE_OPEN : ZR_TITLE_STATE_HELD);
    }
}

static void
test_e9_who_declines_keeps_his_place(void **state)
{
    struct zr_offer_reply_reply reply;
    struct zr_claim_get_reply second;
    struct held held;

    (void)state;
    held_make(&held, 3);
    (void)world_release(&world, held.claims[0]);
    assert_int_equal(answer_offer(offer_of(held.claims[1]), false, &reply), 0);
    assert_int_equal(reply.state, ZR_OFFER_DECLINED);
    second = claim_now(held.claims[1]);
    assert_int_equal(second.rank, 2);
    assert_int_equal(second.offer_id, 0);
    assert_int_equal(claim_now(held.claims[2]).rank, 3);
    (void)offer_of(held.claims[2]);
}

static void
test_e10_an_offer_waits_for_who_may_not_take_it(void **state)
{
    struct zr_offer_reply_reply reply;
    struct held held;
    uint64_t offer_id;

    (void)state;
    held_make(&held, 1);
    assert_int_equal(held_join(&held, 0).status, 0); /* Without money. */
    (void)world_release(&world, held.claims[0]);
    offer_id = offer_of(held.claims[1]);
    assert_int_equal(answer_offer(offer_id, true, &reply), ZR_STATUS_NOT_ELIGIBLE);
    world_topup(&world, held.contractors[1], 5000);
    (void)world_pause(&world, held.claims[1]);
    assert_int_equal(answer_offer(offer_id, true, &reply), ZR_STATUS_NOT_ELIGIBLE);
    assert_int_equal(slot_now(held.slot).title_state, ZR_TITLE_STATE_OFFERED);
    (void)world_resume(&world, held.claims[1]);
    assert_int_equal(answer_offer(offer_id, true, &reply), 0);
    assert_int_equal(claim_now(held.claims[1]).rank, 1);
}

/* E10: MAIN + CREDIT less holds must reach the rate of a primary, to the cent. */
static void
test_e10_a_hold_is_no_money_for_an_offer(void **state)
{
    const struct world_slot busy = world_slot(&world);
    struct zr_offer_reply_reply reply;
    struct zr_route_reply routed;
    struct zr_id call_id;
    struct held held;
    uint64_t offer_id;

    (void)state;
    held_make(&held, 1);
    assert_int_equal(held_join(&held, 2 * WORLD_RATE - 1).status, 0);
    (void)world_claim(&world, held.contractors[1], busy);
    (void)world_release(&world, held.claims[0]);
    offer_id = offer_of(held.claims[1]);
    routed = world_call(&world, busy, &call_id);
    (void)world_connect(&world, &routed); /* The rate less one cent is left. */
    assert_int_equal(answer_offer(offer_id, true, &reply), ZR_STATUS_NOT_ELIGIBLE);
    assert_int_equal(offer_of(held.claims[1]), offer_id);
    (void)world_end(&world, &call_id, 5000); /* Free: the hold comes back. */
    assert_int_equal(answer_offer(offer_id, true, &reply), 0);
    assert_int_equal(reply.rank, 1);
}

/* E10: hours do not matter to an offer. */
static void
test_e10_an_offer_may_be_taken_out_of_hours(void **state)
{
    struct zr_schedule_put_request schedule = {.hours_length = 84};
    struct zr_offer_reply_reply reply;
    struct zr_put_reply put;
    struct held held;

    (void)state;
    held_make(&held, 2);
    schedule.contractor = held.contractors[1];
    schedule.exceptions_count = 1; /* Never open but one hour of a day long ago. */
    schedule.exceptions[0] = (struct zr_schedule_exception){10000, 0, 4};
    assert_int_equal(zr_schedule_put(world.portal, &schedule, &put), 0);
    (void)world_release(&world, held.claims[0]);
    assert_int_equal(answer_offer(offer_of(held.claims[1]), true, &reply), 0);
    assert_int_equal(reply.title, ZR_TITLE_PRIMARY);
}

/* ---- graces ---------------------------------------------------------------------------------- */

static void
test_e13_a_pause_is_forgiven_until_its_last_millisecond(void **state)
{
    const struct zr_resume_request none = {0};
    struct zr_resume_request resume = none;
    struct zr_claim_state_reply reply;
    struct held held;

    (void)state;
    for (int late = 0; late <= 1; late++) {
        held_make(&held, 2);
        (void)world_pause(&world, held.claims[0]);
        (void)world_advance(&world, 14 * WORLD_DAY_MS - (late ? 0 : WORLD_HOUR_MS));
        resume = none;
        resume.claim_id = held.claims[0];
        assert_int_equal(zr_resume(world.portal, &resume, &reply),
                         late ? ZR_STATUS_CLAIM_ENDED : 0);
        assert_int_equal(claim_now(held.claims[0]).rank, late ? 0 : 1);
        assert_int_equal(claim_now(held.claims[0]).state,
                         late ? ZR_CLAIM_FORFEITED : ZR_CLAIM_LIVE);
    }
}

/* Spend what the primary has down to `left_cents`, by one call that is charged. */
static void
run_dry(struct held *held)
{
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, held->slot, &call_id);

    assert_int_equal(routed.candidates[0].contractor, held->contractors[0]);
    (void)world_connect(&world, &routed);
    assert_int_equal(world_end(&world, &call_id, 60000).settlement, ZR_SETTLEMENT_CHARGED);
}

/* A primary with money for one call, and a backup. */
static void
held_make_poor(struct held *held)
{
    memset(held, 0, sizeof *held);
    held->slot = world_slot(&world);
    assert_int_equal(held_join(held, 2500).status, 0);
    assert_int_equal(held_join(held, 50000).status, 0);
    run_dry(held);
}

static void
test_e15_two_conditions_have_two_clocks(void **state)
{
    struct held held;

    (void)state;
    held_make_poor(&held);
    (void)world_pause(&world, held.claims[0]);
    /* Funded again: the pause's clock goes on. */
    world_topup(&world, held.contractors[0], 5000);
    assert_int_equal(claim_now(held.claims[0]).dry_deadline_ms, 0);
    assert_int_not_equal(claim_now(held.claims[0]).paused_deadline_ms, 0);
    (void)world_advance(&world, 14 * WORLD_DAY_MS);
    assert_int_equal(claim_now(held.claims[0]).state, ZR_CLAIM_FORFEITED);
    /* Resumed: the wallet's clock goes on, and it is the earlier one. */
    held_make_poor(&held);
    (void)world_pause(&world, held.claims[0]);
    assert_int_equal(claim_now(held.claims[0]).deadline_ms,
                     claim_now(held.claims[0]).dry_deadline_ms);
    (void)world_resume(&world, held.claims[0]);
    (void)world_advance(&world, 72 * WORLD_HOUR_MS);
    assert_int_equal(claim_now(held.claims[0]).state, ZR_CLAIM_FORFEITED);
}

/* R16, R63: RELEASE at the period's end routes on until then. */
static void
test_r16_a_release_at_period_end_routes_on_until_then(void **state)
{
    struct zr_release_request request = {.when = ZR_RELEASE_PERIOD_END};
    struct zr_claim_state_reply reply;
    struct held held;

    (void)state;
    held_make(&held, 2);
    request.claim_id = held.claims[0];
    assert_int_equal(zr_release(world.portal, &request, &reply), 0);
    assert_int_equal(reply.state, ZR_CLAIM_LAPSING);
    assert_true(reply.period_end_ms > now_ms());
    assert_true(reply.period_end_ms <= now_ms() + 32 * WORLD_DAY_MS);
    assert_int_equal(world_call(&world, held.slot, NULL).candidates[0].contractor,
                     held.contractors[0]);
    move_to(reply.period_end_ms - 1);
    assert_int_equal(claim_now(held.claims[0]).rank, 1);
    (void)world_advance(&world, 1);
    assert_int_equal(claim_now(held.claims[0]).state, ZR_CLAIM_EXPIRED);
    (void)offer_of(held.claims[1]);
}

/* ---- waitlist -------------------------------------------------------------------------------- */

/* R4, R43, M2: an exclusive slot has a waitlist; the freed title waits for its head, then the next.
 */
static void
test_r4_a_waitlist_is_served_in_order(void **state)
{
    struct zr_waitlist_request join = {0};
    struct zr_waitlist_reply reply;
    struct zr_policy policy;
    struct zr_claim_result result;
    struct held held;
    uint32_t waiting[2];

    (void)state;
    memset(&held, 0, sizeof held);
    held.slot = world_slot(&world);
    policy = world_policy(&world, held.slot);
    policy.max_positions = 1;
    world_policy_put(&world, held.slot, &policy);
    assert_int_equal(held_join(&held, 50000).status, 0);
    join.zip = held.slot.zip;
    join.category = held.slot.category;
    for (int i = 0; i < 2; i++) {
        waiting[i] = world_contractor(&world, 1, 50000);
        assert_int_equal(world_claim_result(&world, waiting[i], held.slot).status,
                         ZR_STATUS_SLOT_TAKEN);
        join.contractor = waiting[i];
        join.op_id = (struct zr_id){{0}};
        memset(&reply, 0, sizeof reply);
        assert_int_equal(zr_waitlist_join(world.portal, &join, &reply), 0);
        assert_int_equal(reply.place, i + 1);
    }
    (void)world_release(&world, held.claims[0]);
    assert_true(slot_now(held.slot).reserved);
    result = world_claim_result(&world, waiting[1], held.slot); /* Not his turn. */
    assert_int_equal(result.status, ZR_STATUS_SLOT_TAKEN);
    move_to(slot_now(held.slot).offer_deadline_ms); /* The head lets it pass. */
    result = world_claim_result(&world, waiting[0], held.slot);
    assert_int_equal(result.status, ZR_STATUS_SLOT_TAKEN);
    result = world_claim_result(&world, waiting[1], held.slot);
    assert_int_equal(result.status, 0);
    assert_int_equal(result.title, ZR_TITLE_PRIMARY);
    assert_int_equal(slot_now(held.slot).waiting, 0);
}

/* ---- restarts -------------------------------------------------------------------------------- */

/* R70, M2: what is due fires once, after a restart too, and no deadline is lost by one. */
static void
test_r70_deadlines_survive_a_kill(void **state)
{
    struct zr_offer_reply_reply reply;
    struct held held;
    uint64_t offer_id;

    (void)state;
    held_make(&held, 3);
    (void)world_release(&world, held.claims[0]);
    offer_id = offer_of(held.claims[1]);
    (void)world_advance(&world, 23 * WORLD_HOUR_MS);
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    assert_int_equal(offer_of(held.claims[1]), offer_id);
    (void)world_advance(&world, WORLD_HOUR_MS);
    assert_int_equal(answer_offer(offer_id, true, &reply), ZR_STATUS_OFFER_CLOSED);
    assert_int_equal(answer_offer(offer_of(held.claims[2]), true, &reply), 0);
    assert_int_equal(claim_now(held.claims[2]).rank, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e7_an_outsider_joins_the_tail_while_an_offer_is_pending),
        cmocka_unit_test(test_e8_an_offer_ends_at_the_very_millisecond),
        cmocka_unit_test(test_e9_who_declines_keeps_his_place),
        cmocka_unit_test(test_e10_an_offer_waits_for_who_may_not_take_it),
        cmocka_unit_test(test_e10_a_hold_is_no_money_for_an_offer),
        cmocka_unit_test(test_e10_an_offer_may_be_taken_out_of_hours),
        cmocka_unit_test(test_e13_a_pause_is_forgiven_until_its_last_millisecond),
        cmocka_unit_test(test_e15_two_conditions_have_two_clocks),
        cmocka_unit_test(test_r16_a_release_at_period_end_routes_on_until_then),
        cmocka_unit_test(test_r4_a_waitlist_is_served_in_order),
        cmocka_unit_test(test_r70_deadlines_survive_a_kill),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
