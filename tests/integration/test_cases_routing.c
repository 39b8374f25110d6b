/*
 * test_cases_routing.c - the acceptance cases of domain.md M7 about who is rung: ROUTE, ROUTE_NEXT,
 * leases, addresses, deadlines.
 */
#include "tests/integration/cases.h"

/* A slot held by `count` contractors, each for `concurrency` calls at once. */
struct held {
    struct world_slot slot;
    uint32_t contractors[8];
    uint64_t claims[8];
};

static void
held_make(struct held *held, int count, uint16_t concurrency)
{
    held->slot = world_slot(&world);
    for (int i = 0; i < count; i++) {
        held->contractors[i] = world_contractor(&world, concurrency, 50000);
        held->claims[i] = world_claim(&world, held->contractors[i], held->slot);
    }
}

static int
next(const struct zr_route_reply *routed, uint8_t outcome, struct zr_route_reply *reply)
{
    const struct zr_route_next_request request = world_next_request(routed, outcome);

    memset(reply, 0, sizeof *reply);
    return zr_route_next(world.carrier, &request, reply);
}

/* ---- who is eligible ---------------------------------------------------------------------- */

static void
test_e27_the_second_call_does_not_ring_a_busy_phone(void **state)
{
    struct held held;
    struct zr_route_reply first;
    struct zr_route_reply second;

    (void)state;
    held_make(&held, 2, 1);
    first = world_call(&world, held.slot, NULL);
    second = world_call(&world, held.slot, NULL);
    assert_int_equal(first.candidates[0].contractor, held.contractors[0]);
    assert_int_equal(second.candidates[0].contractor, held.contractors[1]);
    assert_int_equal(reasons_of(&second, held.contractors[0]), REASON_AT_CONCURRENCY);
    /* A connected call keeps him busy as well, long after the lease is over. */
    (void)world_connect(&world, &first);
    (void)world_advance(&world, 120000);
    second = world_call(&world, held.slot, NULL);
    assert_int_equal(second.candidates[0].contractor, held.contractors[1]);
    assert_int_equal(reasons_of(&second, held.contractors[0]), REASON_AT_CONCURRENCY);
}

/* M3: a lease lives for ring_timeout + 5 s (calls.h: given back in steps of 100 ms). */
static void
test_m3_a_lease_ends_with_the_ring(void **state)
{
    struct held held;
    struct zr_route_reply routed;

    (void)state;
    held_make(&held, 2, 1);
    (void)world_call(&world, held.slot, NULL);
    (void)server_advance(&world.server, 34999);
    routed = world_call(&world, held.slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, held.contractors[1]);
    (void)server_advance(&world.server, 101);
    routed = world_call(&world, held.slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, held.contractors[0]);
}

static void
test_e28_no_coverage_gives_every_reason(void **state)
{
    struct held held;
    struct zr_route_request request;
    struct zr_route_reply reply;
    uint64_t leases;

    (void)state;
    held_make(&held, 3, 1);
    (void)world_pause(&world, held.claims[0]);
    world_status(&world, held.contractors[0], ZR_CONTRACTOR_SUSPENDED);
    world_status(&world, held.contractors[1], ZR_CONTRACTOR_SUSPENDED);
    (void)world_pause(&world, held.claims[2]);
    leases = stats_now().leases_live;
    request = world_route_request(&world, held.slot);
    request.flags = 2;
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(reply.candidates_count, 0);
    assert_int_equal(reply.ticket_length, 0);
    assert_int_equal(reply.skipped_count, 3);
    assert_int_equal(reasons_of(&reply, held.contractors[0]), REASON_NOT_APPROVED | REASON_PAUSED);
    assert_int_equal(reasons_of(&reply, held.contractors[1]), REASON_NOT_APPROVED);
    assert_int_equal(reasons_of(&reply, held.contractors[2]), REASON_PAUSED);
    assert_int_equal(stats_now().leases_live, leases);
    /* Nobody at all holds it: the same answer, nobody to name. */
    request = world_route_request(&world, world_slot(&world));
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(reply.skipped_count, 0);
}

static void
test_e29_unknown_zip_and_not_offered_are_not_no_coverage(void **state)
{
    struct world_slot slot = world_slot(&world);
    struct zr_route_request request;
    struct zr_route_reply reply;

    (void)state;
    request = world_route_request(&world, (struct world_slot){WORLD_UNKNOWN, slot.category});
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_UNKNOWN_ZIP);
    request = world_route_request(&world, (struct world_slot){WORLD_PO_BOX, slot.category});
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NOT_OFFERED);
    request = world_route_request(&world, (struct world_slot){WORLD_ADJUNTAS, 9999});
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NOT_OFFERED);
}

/* R44: from the commit of CLAIM on. R40: on that very slot, and no other. */
static void
test_r40_r44_a_claim_routes_at_once_and_only_its_slot(void **state)
{
    struct held held;
    struct world_slot neighbour;
    struct zr_route_request request;
    struct zr_route_reply reply;

    (void)state;
    held_make(&held, 1, 1);
    neighbour = (struct world_slot){WORLD_PEARLAND, held.slot.category};
    request = world_route_request(&world, neighbour);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(reply.skipped_count, 0);
    (void)world_call(&world, held.slot, NULL);
}

static void
test_r6_screening_is_needed_where_the_policy_says_so(void **state)
{
    struct held held;
    struct zr_policy policy;
    struct zr_route_request request;
    struct zr_route_reply reply;

    (void)state;
    held_make(&held, 1, 3);
    policy = world_policy(&world, held.slot);
    policy.screening_required = true;
    world_policy_put(&world, held.slot, &policy);
    request = world_route_request(&world, held.slot);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(reasons_of(&reply, held.contractors[0]), REASON_SCREENING_MISSING);
    /* R18: a SWITCH's own bits do not count; a CALLCENTER's do. */
    request = world_route_request(&world, held.slot);
    request.screening = 7;
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NO_COVERAGE);
    request = world_route_request(&world, held.slot);
    request.screening = 7;
    assert_int_equal(zr_route(world.callcenter, &request, &reply), 0);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void
test_e30_r41_two_zips_need_an_address_unless_they_agree(void **state)
{
    const uint32_t a = world_contractor(&world, 9, 50000);
    const uint32_t b = world_contractor(&world, 9, 50000);
    const struct world_slot slot = world_slot(&world);
    const struct world_slot west = {WORLD_PEARLAND_WEST, slot.category};
    const struct world_slot east = {WORLD_PEARLAND, slot.category};
    struct zr_route_request request = world_route_request(&world, east);
    struct zr_route_reply reply;
    uint64_t leases;

    (void)state;
    (void)world_claim(&world, a, east);
    (void)world_claim(&world, a, west);
    request.zips[1] = WORLD_PEARLAND_WEST;
    request.zips_count = 2;
    assert_int_equal(world_route(&world, &request, &reply), 0); /* The same cascade. */
    assert_int_equal(reply.candidates[0].contractor, a);
    (void)world_claim(&world, b, west);
    leases = stats_now().leases_live;
    request.call_id = world_id(&world);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NEED_ADDRESS);
    assert_int_equal(reply.ticket_length, 0);
    assert_int_equal(reply.candidates_count, 0);
    assert_int_equal(reply.zips[0], WORLD_PEARLAND);
    assert_int_equal(reply.zips[1], WORLD_PEARLAND_WEST);
    assert_int_equal(stats_now().leases_live, leases);
    /* Confirmed: the same call, one ZIP only. */
    request.zips[0] = WORLD_PEARLAND_WEST;
    request.zips[1] = 0;
    request.zips_count = 1;
    request.flags |= 1;
    request.want = 4;
    assert_int_equal(world_route(&world, &request, &reply), 0);
    assert_int_equal(reply.zips[0], WORLD_PEARLAND_WEST);
    assert_int_equal(reply.candidates_count, 2);
}

/* ---- repeats --------------------------------------------------------------------------------- */

static void
test_e31_a_repeated_route_is_the_same_ticket_and_lease(void **state)
{
    struct held held;
    struct zr_route_request request;
    struct zr_route_reply first;
    struct zr_route_reply again;
    uint64_t leases;

    (void)state;
    held_make(&held, 2, 1);
    (void)server_advance(&world.server, 60000); /* The leases of other cases end. */
    request = world_route_request(&world, held.slot);
    assert_int_equal(world_route(&world, &request, &first), 0);
    leases = stats_now().leases_live;
    (void)server_advance(&world.server, 5000);
    assert_int_equal(world_route(&world, &request, &again), 0);
    assert_memory_equal(&again.call_ref, &first.call_ref, sizeof first.call_ref);
    assert_int_equal(again.ticket_length, first.ticket_length);
    assert_memory_equal(again.ticket, first.ticket, first.ticket_length);
    assert_int_equal(again.candidates[0].contractor, held.contractors[0]);
    assert_int_equal(again.revision, first.revision);
    assert_int_equal(again.expires_ms, first.expires_ms);
    assert_int_equal(stats_now().leases_live, leases);
}

static void
test_e32_a_corrected_address_is_a_new_decision_until_connected(void **state)
{
    struct held held;
    const uint32_t other = world_contractor(&world, 1, 50000);
    struct zr_route_request request;
    struct zr_route_reply first;
    struct zr_route_reply second;
    struct zr_connect_request connect;
    struct zr_connect_reply connected;

    (void)state;
    held_make(&held, 1, 1);
    (void)world_claim(&world, other, (struct world_slot){WORLD_BOSTON, held.slot.category});
    request = world_route_request(&world, held.slot);
    assert_int_equal(world_route(&world, &request, &first), 0);
    request.zips[0] = WORLD_BOSTON;
    assert_int_equal(world_route(&world, &request, &second), 0);
    assert_int_equal(second.revision, first.revision + 1);
    assert_int_equal(second.candidates[0].contractor, other);
    assert_memory_equal(&second.call_ref, &first.call_ref, sizeof first.call_ref);
    /* The old ticket's contractor is not in the new one: superseded. */
    connect = world_connect_request(&first);
    assert_int_equal(zr_connect(world.carrier, &connect, &connected), ZR_STATUS_TICKET_SUPERSEDED);
    (void)world_connect(&world, &second);
    request.zips[0] = held.slot.zip;
    assert_int_equal(world_route(&world, &request, &first), ZR_STATUS_CALL_CONNECTED);
    (void)world_end(&world, &request.call_id, 1000);
    assert_int_equal(world_route(&world, &request, &first), ZR_STATUS_CALL_CONNECTED);
}

/* E32: who had his turn has had it, at whatever address the call turns out to be. */
static void
test_e32_a_corrected_address_keeps_the_history(void **state)
{
    struct held held;
    struct world_slot corrected;
    const uint32_t other = world_contractor(&world, 1, 50000);
    struct zr_route_request request;
    struct zr_route_reply first;
    struct zr_route_reply second;
    struct zr_route_reply third;

    (void)state;
    held_make(&held, 2, 1);
    corrected = (struct world_slot){WORLD_BOSTON, held.slot.category};
    (void)world_claim(&world, held.contractors[0], corrected);
    (void)world_claim(&world, other, corrected);
    request = world_route_request(&world, held.slot);
    assert_int_equal(world_route(&world, &request, &first), 0);
    assert_int_equal(next(&first, ZR_OUTCOME_NO_ANSWER, &second), 0);
    assert_int_equal(second.candidates[0].contractor, held.contractors[1]);
    request.zips[0] = corrected.zip;
    assert_int_equal(world_route(&world, &request, &third), 0);
    assert_int_equal(third.revision, second.revision + 1);
    assert_memory_equal(&third.call_ref, &first.call_ref, sizeof first.call_ref);
    assert_int_equal(third.candidates[0].contractor, other); /* A backup there. */
    assert_int_equal(third.candidates[0].rank, 2);
    assert_int_equal(third.candidates[0].index, third.attempt);
    assert_int_equal(reasons_of(&third, held.contractors[0]), REASON_ALREADY_TRIED);
}

/* ---- cascade --------------------------------------------------------------------------------- */

static void
test_e33_next_skips_who_became_dry_and_who_was_tried(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t primary = world_contractor(&world, 1, 50000);
    const uint32_t dry = world_contractor(&world, 9, 2500);
    const uint32_t last = world_contractor(&world, 1, 50000);
    const struct world_slot drain = world_slot(&world);
    struct zr_route_reply routed;
    struct zr_route_reply second;
    struct zr_route_reply third;
    struct zr_route_reply busy;

    (void)state;
    (void)world_claim(&world, primary, slot);
    (void)world_claim(&world, dry, slot);
    (void)world_claim(&world, last, slot);
    (void)world_claim(&world, dry, drain);
    routed = world_call(&world, slot, NULL);
    busy = world_call(&world, drain, NULL);
    (void)world_connect(&world, &busy); /* 500 of 2,500 are left. */
    assert_int_equal(next(&routed, ZR_OUTCOME_NO_ANSWER, &second), 0);
    assert_int_equal(second.attempt, 1);
    assert_int_equal(second.candidates[0].contractor, last);
    assert_int_equal(second.candidates[0].index, 1);
    assert_int_equal(reasons_of(&second, dry), REASON_NO_FUNDS);
    assert_true((reasons_of(&second, primary) & REASON_ALREADY_TRIED) != 0);
    /* The dry one is topped up: he was never tried. The primary is eligible again: he was. */
    world_topup(&world, dry, 10000);
    assert_int_equal(next(&second, ZR_OUTCOME_BUSY, &third), 0);
    assert_int_equal(third.candidates[0].contractor, dry);
    assert_int_equal(next(&third, ZR_OUTCOME_NO_ANSWER, &routed), ZR_STATUS_EXHAUSTED);
    assert_true((reasons_of(&routed, primary) & REASON_ALREADY_TRIED) != 0);
    assert_true((reasons_of(&routed, last) & REASON_ALREADY_TRIED) != 0);
}

static void
test_e34_every_outcome_goes_on_but_the_callers_own(void **state)
{
    static const uint8_t outcomes[] = {ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_BUSY,
                                       ZR_OUTCOME_DECLINED,  ZR_OUTCOME_FORWARDED,
                                       ZR_OUTCOME_VOICEMAIL, ZR_OUTCOME_FAILED};
    struct held held;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_route_reply reply;
    struct zr_end_request end;
    struct zr_settlement_reply ended;
    struct zr_connect_request connect;
    struct zr_connect_reply connected;

    (void)state;
    held_make(&held, 2, 20);
    for (size_t i = 0; i < sizeof outcomes; i++) {
        routed = world_call(&world, held.slot, NULL);
        assert_int_equal(next(&routed, outcomes[i], &reply), 0);
        assert_int_equal(reply.candidates[0].contractor, held.contractors[1]);
    }
    routed = world_call(&world, held.slot, &call_id);
    assert_int_equal(next(&routed, ZR_OUTCOME_CALLER_CANCELLED, &reply), ZR_STATUS_ABANDONED);
    /* Stop: nobody can be rung for it any more. */
    assert_int_equal(next(&routed, ZR_OUTCOME_NO_ANSWER, &reply), ZR_STATUS_ABANDONED);
    /* END without an index while it rings is the same. */
    routed = world_call(&world, held.slot, &call_id);
    end = world_end_request(&call_id, 0);
    end.ticket_length = routed.ticket_length;
    memcpy(end.ticket, routed.ticket, sizeof end.ticket);
    assert_int_equal(zr_end(world.carrier, &end, &ended), 0);
    assert_int_equal(ended.state, ZR_CALL_ABANDONED);
    assert_int_equal(ended.amount_cents, 0);
    connect = world_connect_request(&routed);
    assert_int_not_equal(zr_connect(world.carrier, &connect, &connected), 0);
    assert_int_equal(world_wallet(&world, held.contractors[0]).held_cents, 0);
}

static void
test_e37_max_attempts_exhausts(void **state)
{
    struct held held;
    struct zr_policy policy;
    struct zr_route_reply routed;
    struct zr_route_reply reply;

    (void)state;
    held_make(&held, 3, 9);
    policy = world_policy(&world, held.slot);
    policy.max_attempts = 2;
    world_policy_put(&world, held.slot, &policy);
    routed = world_call(&world, held.slot, NULL);
    assert_int_equal(next(&routed, ZR_OUTCOME_NO_ANSWER, &reply), 0);
    assert_int_equal(next(&reply, ZR_OUTCOME_NO_ANSWER, &routed), ZR_STATUS_EXHAUSTED);
    /* With the list of its attempts, in their order, and nobody who had none. */
    assert_int_equal(routed.candidates_count, 0);
    assert_int_equal(routed.ticket_length, 0);
    assert_int_equal(routed.skipped_count, 2);
    for (uint16_t i = 0; i < routed.skipped_count; i++) {
        assert_int_equal(routed.skipped[i].contractor, held.contractors[i]);
        assert_int_equal(routed.skipped[i].reasons, REASON_ALREADY_TRIED);
    }
}

/* (call, attempt) names it: the same question gets the same answer. */
static void
test_route_next_repeated_is_the_same_attempt(void **state)
{
    struct held held;
    struct zr_route_reply routed;
    struct zr_route_reply first;
    struct zr_route_reply again;

    (void)state;
    held_make(&held, 3, 1);
    routed = world_call(&world, held.slot, NULL);
    assert_int_equal(next(&routed, ZR_OUTCOME_NO_ANSWER, &first), 0);
    assert_int_equal(next(&routed, ZR_OUTCOME_NO_ANSWER, &again), 0);
    assert_int_equal(again.attempt, first.attempt);
    assert_int_equal(again.candidates[0].contractor, first.candidates[0].contractor);
    assert_memory_equal(again.ticket, first.ticket, first.ticket_length);
}

/* ---- funds ----------------------------------------------------------------------------------- */

static void
test_e52_a_wallet_for_one_call_rings_for_one_call(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t primary = world_contractor(&world, 9, 2 * WORLD_RATE - 1);
    const uint32_t backup = world_contractor(&world, 9, 50000);
    struct zr_route_reply routed;

    (void)state;
    (void)world_claim(&world, primary, slot);
    (void)world_claim(&world, backup, slot);
    routed = world_call(&world, slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, primary);
    /* His lease counts. */
    routed = world_call(&world, slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, backup);
    assert_int_equal(reasons_of(&routed, primary), REASON_NO_FUNDS);
    /* And exactly the rate is enough: available >= rate. */
    world_topup(&world, primary, 2500);
    (void)server_advance(&world.server, 35000);
    routed = world_call(&world, slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, primary);
}

/* A query (hold = 0) takes no lease, counts nothing, and its ticket connects nothing. */
static void
test_a_query_reserves_nothing(void **state)
{
    struct held held;
    struct zr_route_request request;
    struct zr_route_reply reply;
    struct zr_connect_request connect;
    struct zr_connect_reply connected;
    uint64_t leases;

    (void)state;
    held_make(&held, 1, 1);
    leases = stats_now().leases_live;
    for (int i = 0; i < 3; i++) {
        request = world_route_request(&world, held.slot);
        request.flags = 4;
        assert_int_equal(world_route(&world, &request, &reply), 0);
        assert_int_equal(reply.candidates[0].contractor, held.contractors[0]);
    }
    assert_int_equal(stats_now().leases_live, leases);
    connect = world_connect_request(&reply);
    assert_int_equal(zr_connect(world.carrier, &connect, &connected), ZR_STATUS_BAD_TICKET);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e27_the_second_call_does_not_ring_a_busy_phone),
        cmocka_unit_test(test_m3_a_lease_ends_with_the_ring),
        cmocka_unit_test(test_e28_no_coverage_gives_every_reason),
        cmocka_unit_test(test_e29_unknown_zip_and_not_offered_are_not_no_coverage),
        cmocka_unit_test(test_r40_r44_a_claim_routes_at_once_and_only_its_slot),
        cmocka_unit_test(test_r6_screening_is_needed_where_the_policy_says_so),
        cmocka_unit_test(test_e30_r41_two_zips_need_an_address_unless_they_agree),
        cmocka_unit_test(test_e31_a_repeated_route_is_the_same_ticket_and_lease),
        cmocka_unit_test(test_e32_a_corrected_address_is_a_new_decision_until_connected),
        cmocka_unit_test(test_e32_a_corrected_address_keeps_the_history),
        cmocka_unit_test(test_e33_next_skips_who_became_dry_and_who_was_tried),
        cmocka_unit_test(test_e34_every_outcome_goes_on_but_the_callers_own),
        cmocka_unit_test(test_e37_max_attempts_exhausts),
        cmocka_unit_test(test_route_next_repeated_is_the_same_attempt),
        cmocka_unit_test(test_e52_a_wallet_for_one_call_rings_for_one_call),
        cmocka_unit_test(test_a_query_reserves_nothing),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
