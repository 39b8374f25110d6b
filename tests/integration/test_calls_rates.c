/*
 * test_calls_rates.c - what a call costs, and which calls cost anything.
 *
 * Holds the rules R15, R51, R53 and R66 of domain.md. The clock moves by CLOCK_ADVANCE only.
 */
#include "tests/integration/calls.h"

/* ---- R15: one fee, for a qualified call only
 * ------------------------------------------------------ */

static void
test_r15_qualify_and_ends_together_cost_one_fee(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, pair.slot, &call_id);
    struct zr_qualify_request qualify = {.call_id = call_id};
    struct zr_settlement_reply reply;

    (void)state;
    (void)world_connect(&world, &routed);
    for (int i = 1; i <= 8; i++) { /* 15 s, 30 s ... 120 s */
        qualify.talk_ms = (uint32_t)i * RING_MS / 2;
        (void)server_advance(&world.server, RING_MS / 2);
        assert_int_equal(zr_qualify(world.carrier, &qualify, &reply), 0);
        assert_int_equal(reply.amount_cents, i < 2 ? 0 : WORLD_RATE);
    }
    assert_charged_once(pair.primary, WORLD_RATE);
    reply = world_end(&world, &call_id, 2 * MINUTE_MS);
    assert_int_equal(reply.amount_cents, WORLD_RATE);
    assert_int_equal(zr_qualify(world.carrier, &qualify, &reply), 0);
    reply = world_end(&world, &call_id, 2 * MINUTE_MS);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_leg(&call_id, pair.primary, ZR_SETTLEMENT_CHARGED, WORLD_RATE);
    assert_charged_once(pair.primary, WORLD_RATE);
}

static void
test_r15_a_machine_or_a_repeated_caller_costs_nothing(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = route_from_caller(pair.slot, UINT64_C(14095550177));
    struct zr_settlement_reply reply;
    struct zr_route_reply routed;
    struct zr_end_request end;
    bool duplicate;

    (void)state;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    (void)world_connect(&world, &routed);
    (void)server_advance(&world.server, MINUTE_MS);
    end = world_end_request(&request.call_id, MINUTE_MS);
    end.voicemail = true;
    assert_int_equal(end_again(&end, &reply, &duplicate), 0);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_FREE_VOICEMAIL);
    assert_leg(&request.call_id, pair.primary, ZR_SETTLEMENT_FREE_VOICEMAIL, 0);
    assert_charged_never(pair.primary);
    /* A free call does not make the next one a duplicate; a charged one does. */
    for (int i = 0; i < 2; i++) {
        request = route_from_caller(pair.slot, UINT64_C(14095550177));
        assert_int_equal(world_route(&world, &request, &routed), 0);
        reply = talk(&routed, &request.call_id, MINUTE_MS);
        assert_int_equal(reply.settlement,
                         i == 0 ? ZR_SETTLEMENT_CHARGED : ZR_SETTLEMENT_FREE_DUPLICATE);
        assert_charged_once(pair.primary, WORLD_RATE);
    }
}

/* Where screening is asked for, only a screened call is qualified (R6, M4). */
static void
test_r15_an_unscreened_call_is_free_where_screening_is_required(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_policy policy = world_policy(&world, pair.slot);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_settlement_reply reply;
    struct zr_route_reply routed;

    (void)state;
    /* Routed while it was not asked for, settled when it was. */
    assert_int_equal(world_route(&world, &request, &routed), 0);
    policy.screening_required = true;
    world_policy_put(&world, pair.slot, &policy);
    reply = talk(&routed, &request.call_id, MINUTE_MS);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_FREE_UNSCREENED);
    assert_charged_never(pair.primary);
    /* The call center screened this one: it issues the ROUTE, the switch takes the ticket. */
    request = world_route_request(&world, pair.slot);
    request.screening = 7;
    memset(&routed, 0, sizeof routed);
    assert_int_equal(zr_route(world.callcenter, &request, &routed), 0);
    reply = talk(&routed, &request.call_id, MINUTE_MS);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_charged_once(pair.primary, WORLD_RATE);
}

/* ---- R51, R53, R66
 * --------------------------------------------------------------------------------- */

static void
test_r51_only_a_connected_and_qualified_call_is_paid(void **state)
{
    static const uint8_t outcomes[] = {ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_DECLINED,
                                       ZR_OUTCOME_FORWARDED};
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_qualify_request qualify = {.talk_ms = 0};
    struct zr_settlement_reply reply;
    struct zr_connect_reply connected;
    struct zr_route_reply second;

    (void)state;
    for (size_t i = 0; i < sizeof outcomes; i++) {
        const struct zr_route_reply first = world_call(&world, pair.slot, &qualify.call_id);

        assert_charged_never(pair.primary); /* Rung. */
        second = next_rings(&first, outcomes[i], pair.backup);
        assert_charged_never(pair.primary); /* Cascaded past. */
        if (i + 1 < sizeof outcomes) {
            assert_int_equal(next(&second, outcomes[i], &second), ZR_STATUS_EXHAUSTED);
        }
    }
    assert_charged_never(pair.backup);
    /* Answered, qualified, charged: three facts, one after another. */
    connected = world_connect(&world, &second);
    assert_int_equal(connected.state, ZR_CALL_CONNECTED);
    assert_int_equal(connected.amount_cents, 0);
    assert_wallet(pair.backup, FUNDS, WORLD_RATE_2);
    (void)server_advance(&world.server, RING_MS);
    qualify.talk_ms = RING_MS - 1;
    assert_int_equal(zr_qualify(world.carrier, &qualify, &reply), 0);
    assert_int_equal(reply.state, ZR_CALL_CONNECTED);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_OPEN);
    assert_wallet(pair.backup, FUNDS, WORLD_RATE_2);
    qualify.talk_ms = RING_MS;
    assert_int_equal(zr_qualify(world.carrier, &qualify, &reply), 0);
    assert_int_equal(reply.state, ZR_CALL_QUALIFIED);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_charged_once(pair.backup, WORLD_RATE_2);
    reply = world_end(&world, &qualify.call_id, RING_MS);
    assert_int_equal(reply.state, ZR_CALL_ENDED);
    assert_charged_once(pair.backup, WORLD_RATE_2);
    assert_charged_never(pair.primary);
}

static void
test_r53_each_rank_pays_its_own_rate(void **state)
{
    static const int64_t rates[4] = {WORLD_RATE, WORLD_RATE_2, WORLD_RATE_3, WORLD_RATE_3};
    const struct world_slot slot = world_slot(&world);
    uint32_t contractors[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        contractors[i] = world_contractor(&world, 1, FUNDS);
        (void)world_claim(&world, contractors[i], slot);
    }
    for (int answers = 0; answers < 4; answers++) {
        struct zr_id call_id;
        struct zr_route_reply routed = world_call(&world, slot, &call_id);

        for (int i = 0; i < answers; i++) {
            routed = next_rings(&routed, ZR_OUTCOME_NO_ANSWER, contractors[i + 1]);
        }
        assert_int_equal(routed.candidates[0].rank, answers + 1);
        assert_int_equal(routed.candidates[0].rate_cents, rates[answers]);
        assert_int_equal(talk(&routed, &call_id, MINUTE_MS).amount_cents, rates[answers]);
        assert_charged_once(contractors[answers], rates[answers]);
    }
}

/* A backup that rings first while the primary is skipped still pays a backup's rate ... */
static void
test_r53_the_title_counts_and_not_who_rings_first(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_policy policy = world_policy(&world, pair.slot);
    struct zr_settlement_reply ended;
    struct zr_route_reply routed;
    struct zr_id call_id;

    (void)state;
    (void)world_pause(&world, pair.primary_claim);
    routed = world_call(&world, pair.slot, &call_id);
    assert_int_equal(routed.candidates[0].contractor, pair.backup);
    assert_int_equal(routed.candidates[0].index, 0);
    assert_int_equal(routed.candidates[0].rank, 2);
    assert_int_equal(routed.candidates[0].rate_cents, WORLD_RATE_2);
    (void)world_connect(&world, &routed);
    /* ... and neither the policy nor the primary's return changes it in mid-call. */
    policy.multiplier_2_bp = 9000;
    world_policy_put(&world, pair.slot, &policy);
    (void)world_resume(&world, pair.primary_claim);
    ended = world_end(&world, &call_id, MINUTE_MS);
    assert_int_equal(ended.amount_cents, WORLD_RATE_2);
    assert_leg(&call_id, pair.backup, ZR_SETTLEMENT_CHARGED, WORLD_RATE_2);
    assert_charged_once(pair.backup, WORLD_RATE_2);
    assert_charged_never(pair.primary);
}

/* Four contractors talk long enough, one after another, with one caller in one call. */
static void
test_r66_a_call_is_charged_to_one_contractor(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint64_t charges = world_audit(&world).charges;
    const int64_t charged_cents = world_audit(&world).charged_cents;
    uint32_t contractors[4];
    struct zr_route_reply routed;
    struct zr_call_get_reply call;
    struct zr_id call_id;

    (void)state;
    for (int i = 0; i < 4; i++) {
        contractors[i] = world_contractor(&world, 1, FUNDS);
        (void)world_claim(&world, contractors[i], slot);
    }
    routed = world_call(&world, slot, &call_id);
    for (int i = 0; i < 4; i++) {
        const struct zr_connect_reply connected = world_connect(&world, &routed);

        assert_int_equal(connected.contractor, contractors[i]);
        /* The first is short; the second qualifies; who comes then is free. */
        (void)end_caller_stays(&call_id, i == 0 ? TALK_SHORT_MS : 40000);
        if (i < 3) {
            routed = next_rings(&routed, ZR_OUTCOME_FAILED, contractors[i + 1]);
        }
    }
    call = world_call_get(&world, &call_id);
    assert_int_equal(call.legs_count, 4);
    assert_leg(&call_id, contractors[0], ZR_SETTLEMENT_FREE_SHORT, 0);
    assert_leg(&call_id, contractors[1], ZR_SETTLEMENT_CHARGED, WORLD_RATE_2);
    for (int i = 2; i < 4; i++) {
        assert_leg(&call_id, contractors[i], ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED, 0);
    }
    for (int i = 0; i < 4; i++) {
        const int64_t cents = WORLD_RATE_2;

        assert_wallet(contractors[i], i == 1 ? FUNDS - cents : FUNDS, 0);
        assert_charges(contractors[i], &cents, i == 1 ? 1 : 0);
    }
    assert_int_equal(world_audit(&world).charges, charges + 1);
    assert_int_equal(world_audit(&world).charged_cents, charged_cents + WORLD_RATE_2);
}

/*
 * Goal: I6, I8: an END that names no ticket settles nobody's leg but one that there is, while a
 * call talks. Method: the backup rings by one ticket, the address is corrected, and in the newest
 * ticket the primary has the backup's number; the backup answers, and its END forgets its ticket.
 */
static void
test_an_end_without_a_ticket_charges_nobody_who_never_answered(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    const struct zr_route_reply busy = world_call(&world, pair.slot, NULL);
    struct zr_settlement_reply ended;
    struct zr_connect_reply connected;
    struct zr_route_reply first;
    struct zr_route_reply second;
    struct zr_end_request end;

    (void)state;
    assert_int_equal(busy.candidates[0].contractor, pair.primary);
    assert_int_equal(world_route(&world, &request, &first), 0);
    assert_int_equal(first.candidates[0].contractor, pair.backup);
    (void)server_advance(&world.server, RING_MS + TALK_SHORT_MS); /* The other call's ring. */
    request.attestation = 2;
    request.want = 2;
    assert_int_equal(world_route(&world, &request, &second), 0);
    assert_int_equal(second.candidates[0].contractor, pair.primary);
    assert_int_equal(second.candidates[0].index, first.candidates[0].index);
    assert_int_equal(connect_ask(&first, &connected), 0);
    assert_int_equal(connected.contractor, pair.backup);
    (void)server_advance(&world.server, MINUTE_MS);
    end = world_end_request(&request.call_id, MINUTE_MS);
    end.index = first.candidates[0].index;
    assert_int_equal(zr_end(world.carrier, &end, &ended), ZR_STATUS_NOT_CONNECTED);
    assert_charged_never(pair.primary);
    end.index = second.candidates[1].index; /* The number of the leg that there is. */
    assert_int_equal(zr_end(world.carrier, &end, &ended), 0);
    assert_int_equal(ended.contractor, pair.backup);
    assert_charged_once(pair.backup, WORLD_RATE_2);
    assert_charged_never(pair.primary);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_r15_qualify_and_ends_together_cost_one_fee),
        CASE(test_r15_a_machine_or_a_repeated_caller_costs_nothing),
        CASE(test_r15_an_unscreened_call_is_free_where_screening_is_required),
        CASE(test_r51_only_a_connected_and_qualified_call_is_paid),
        CASE(test_r53_each_rank_pays_its_own_rate),
        CASE(test_r53_the_title_counts_and_not_who_rings_first),
        CASE(test_r66_a_call_is_charged_to_one_contractor),
        CASE(test_an_end_without_a_ticket_charges_nobody_who_never_answered),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
