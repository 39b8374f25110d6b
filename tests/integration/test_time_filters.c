/*
 * test_time_filters.c - whose calls a contractor takes, and whose the network does (M3): callers,
 * partners, attestation, and those who were charged lately; through the real server.
 */
#include "tests/integration/routing.h"

enum { REASON_ATTESTATION = 1 << 17 };

/* E40: the network's policy blocks for everybody; a contractor's filter only skips it. */
static void
test_e40_attestation(void **state)
{
    struct zr_policy_put_request policy = {
        .scope = ZR_SCOPE_SLOT, .policy_count = 1, .attestation_min = 2};
    struct zr_filters_put_request filters = {.attestation_min = 1};
    struct zr_server_stats_reply before;
    struct zr_server_stats_reply after;
    struct zr_policy_put_reply policy_put;
    struct zr_route_request request;
    struct zr_route_reply reply;
    struct zr_put_reply put;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    policy.zip = pair.slot.zip;
    policy.category = pair.slot.category;
    policy.policy[0] = world_policy(&world, pair.slot);
    assert_int_equal(zr_policy_put(world.admin, &policy, &policy_put), 0);
    filters.contractor = pair.primary;
    assert_int_equal(zr_filters_put(world.portal, &filters, &put), 0);
    before = stats_now();
    for (uint8_t attestation = 0; attestation <= 3; attestation++) {
        const bool blocked = attestation == 0 || attestation == 3;

        request = world_route_request(&world, pair.slot);
        request.attestation = attestation;
        assert_int_equal(world_route(&world, &request, &reply), blocked ? ZR_STATUS_BLOCKED : 0);
        if (!blocked) {
            assert_int_equal(reply.candidates[0].contractor,
                             attestation == 1 ? pair.primary : pair.backup);
            assert_int_equal(reasons_of(&reply, pair.primary),
                             attestation == 1 ? 0 : REASON_ATTESTATION);
        }
    }
    after = stats_now(); /* Counted, and no lead: two of the four were decided. */
    assert_int_equal(after.calls_blocked, before.calls_blocked + 2);
    assert_int_equal(after.decisions, before.decisions + 2);
}

/* M3: callers and partners that a contractor does not take; callers that the network does not. */
static void
test_callers_and_partners_are_filtered(void **state)
{
    struct zr_filters_put_request filters = {.blocked_count = 1};
    struct zr_suppress_put_request suppress = {.blocked = true};
    struct zr_route_request request;
    struct zr_route_reply reply;
    struct zr_put_reply put;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    request = world_route_request(&world, pair.slot);
    filters.contractor = pair.primary;
    filters.blocked[0].phone = request.caller;
    assert_int_equal(zr_filters_put(world.portal, &filters, &put), 0);
    assert_int_equal(world_route(&world, &request, &reply), 0);
    assert_int_equal(reasons_of(&reply, pair.primary), REASON_CALLER_BLOCKED);
    assert_rings_primary(&pair); /* Another caller. */
    filters.op_id = (struct zr_id){{0}};
    filters.expected_version = put.version;
    filters.partners_rule = 2;
    filters.partners_count = 1;
    filters.partners[0].tenant = SERVER_TENANT;
    assert_int_equal(zr_filters_put(world.portal, &filters, &put), 0);
    assert_skips_primary(&pair, REASON_PARTNER_NOT_ALLOWED);
    suppress.caller = request.caller;
    assert_int_equal(zr_suppress_put(world.admin, &suppress, &put), 0);
    request.call_id = world_id(&world);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_BLOCKED);
}

/* A call of this caller to that category, a new one: what stands against the primary, who rings
 * first where nothing does. */
static uint32_t
reasons_for(const struct pair *pair, uint64_t caller, uint16_t category)
{
    struct zr_route_request request = world_route_request(&world, pair->slot);
    struct zr_route_reply reply;
    uint32_t reasons;

    request.caller = caller;
    request.category = category;
    assert_int_equal(world_route(&world, &request, &reply), 0);
    reasons = reasons_of(&reply, pair->primary);
    assert_int_equal(reply.candidates[0].contractor == pair->primary, reasons == 0);
    return reasons;
}

/* A minute with this caller, charged to the primary, and visible to decisions. Returns when. */
static uint64_t
charge_from(const struct pair *pair, uint64_t caller)
{
    struct zr_route_request request = world_route_request(&world, pair->slot);
    struct zr_route_reply reply;

    request.caller = caller;
    assert_int_equal(world_route(&world, &request, &reply), 0);
    assert_int_equal(reply.candidates[0].contractor, pair->primary);
    (void)world_connect(&world, &reply);
    assert_int_equal(world_end(&world, &request.call_id, 60000).settlement, ZR_SETTLEMENT_CHARGED);
    (void)world_audit(&world); /* Everything is folded: the index is up to date. */
    return now_ms();
}

/* M3 DUP_RESTRICTED: who was charged for this caller in this category need not take him again as
 * long as a call would be its duplicate (E49), to the millisecond. R52: without that wish the
 * primary is first for a repeated caller, too. */
static void
test_repeated_callers_are_restricted_on_wish(void **state)
{
    const uint64_t caller = 14095550123;
    struct zr_filters_put_request filters = {.no_duplicates = true};
    struct zr_put_reply put;
    uint64_t charged_ms;
    struct pair pair;
    uint16_t other;

    (void)state;
    pair_make(&pair, 1000);
    other = world_category(&world, WORLD_RATE);
    (void)world_claim(&world, pair.primary, (struct world_slot){pair.slot.zip, other});
    charged_ms = charge_from(&pair, caller);
    assert_int_equal(reasons_for(&pair, caller, pair.slot.category), 0);
    filters.contractor = pair.primary;
    assert_int_equal(zr_filters_put(world.portal, &filters, &put), 0);
    assert_int_equal(reasons_for(&pair, caller, pair.slot.category), REASON_DUP_RESTRICTED);
    assert_int_equal(reasons_for(&pair, caller, other), 0);
    assert_rings_primary(&pair); /* Another caller. */
    move_to(charged_ms + 30 * WORLD_DAY_MS);
    assert_int_equal(reasons_for(&pair, caller, pair.slot.category), REASON_DUP_RESTRICTED);
    (void)world_advance(&world, 1);
    assert_int_equal(reasons_for(&pair, caller, pair.slot.category), 0);
    (void)charge_from(&pair, caller); /* E49: charged again, and the window begins anew. */
    assert_int_equal(reasons_for(&pair, caller, pair.slot.category), REASON_DUP_RESTRICTED);
}

/* E61: a charge that was credited in full restricts nothing. */
static void
test_e61_a_credited_charge_restricts_nobody(void **state)
{
    const uint64_t caller = 14095550124;
    struct zr_filters_put_request filters = {.no_duplicates = true};
    struct zr_route_request request;
    struct zr_end_request end;
    struct zr_settlement_reply ended;
    struct zr_route_reply reply;
    struct zr_put_reply put;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    filters.contractor = pair.primary;
    assert_int_equal(zr_filters_put(world.portal, &filters, &put), 0);
    request = world_route_request(&world, pair.slot);
    request.caller = caller;
    assert_int_equal(world_route(&world, &request, &reply), 0);
    (void)world_connect(&world, &reply);
    (void)world_advance(&world, 60000);
    assert_int_equal(
        zr_qualify(world.carrier,
                   &(struct zr_qualify_request){.call_id = request.call_id, .talk_ms = 60000},
                   &ended),
        0);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    (void)world_audit(&world);
    assert_int_equal(reasons_for(&pair, caller, pair.slot.category), REASON_DUP_RESTRICTED);
    end = world_end_request(&request.call_id, 60000);
    end.voicemail = true;
    assert_int_equal(zr_end(world.carrier, &end, &ended), 0);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CREDITED);
    (void)world_audit(&world);
    assert_int_equal(reasons_for(&pair, caller, pair.slot.category), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e40_attestation),
        cmocka_unit_test(test_callers_and_partners_are_filtered),
        cmocka_unit_test(test_repeated_callers_are_restricted_on_wish),
        cmocka_unit_test(test_e61_a_credited_charge_restricts_nobody),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
