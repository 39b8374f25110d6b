/*
 * test_cases_money.c - the acceptance cases of domain.md about money: holds, overdraft, top-ups,
 * duplicates of a caller, what a crash leaves, and that the books balance.
 */
#include "tests/integration/cases.h"

enum { TALK_MS = 30000 };

static void
restart(void)
{
    server_kill(&world.server);
    server_restart(&world.server);
}

static int64_t
posted(uint32_t contractor)
{
    return world_wallet(&world, contractor).posted_cents;
}

/* ---- overdraft ------------------------------------------------------------------------------- */

static void
test_e52_lost_leases_overdraw_by_at_most_the_overdraft(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 1, 2500);
    struct zr_route_reply routed[3];
    struct zr_id call_ids[3];
    struct zr_connect_request request;
    struct zr_connect_reply reply;
    struct zr_wallet_get_reply wallet;

    (void)state;
    (void)world_claim(&world, contractor, slot);
    for (int i = 0; i < 3; i++) {
        routed[i] = world_call(&world, slot, &call_ids[i]);
        restart(); /* Its lease is lost. */
    }
    (void)world_connect(&world, &routed[0]);
    (void)world_connect(&world, &routed[1]);
    wallet = world_wallet(&world, contractor);
    assert_int_equal(wallet.held_cents, 2 * WORLD_RATE);
    assert_int_equal(wallet.available_cents, 2500 - 2 * WORLD_RATE);
    /* The default overdraft is 1 x 2,000: a third hold would be 3,500 below nothing. */
    request = world_connect_request(&routed[2]);
    assert_int_equal(zr_connect(world.carrier, &request, &reply), ZR_STATUS_OVERDRAFT_LIMIT);
    assert_int_equal(world_wallet(&world, contractor).held_cents, 2 * WORLD_RATE);
    assert_int_equal(world_end(&world, &call_ids[0], TALK_MS).amount_cents, WORLD_RATE);
    assert_int_equal(world_end(&world, &call_ids[1], TALK_MS).amount_cents, WORLD_RATE);
    assert_int_equal(posted(contractor), 2500 - 2 * WORLD_RATE);
    assert_int_equal(world_wallet(&world, contractor).funds_state, ZR_FUNDS_STATE_DRY);
}

/* M5: a late charge past the overdraft takes what there is; WRITE_OFF bears the remainder. */
static void
test_m5_e72_a_late_charge_writes_off_what_the_overdraft_lacks(void **state)
{
    const struct world_slot slot = {WORLD_ADJUNTAS, world_category(&world, 2500)};
    const uint32_t contractor = world_contractor(&world, 3, 2500);
    struct zr_policy policy = world_policy(&world, slot);
    struct zr_route_reply routed[2];
    struct zr_id call_ids[2];
    struct zr_end_request end;
    struct zr_settlement_reply settled;
    const uint64_t answered_ms = world_advance(&world, 0);

    (void)state;
    policy.overdraft_cents = 1500;
    world_policy_put(&world, slot, &policy);
    (void)world_claim(&world, contractor, slot);
    routed[0] = world_call(&world, slot, &call_ids[0]);
    restart();
    routed[1] = world_call(&world, slot, &call_ids[1]);
    (void)world_connect(&world, &routed[0]);
    (void)world_end(&world, &call_ids[0], TALK_MS);
    assert_int_equal(posted(contractor), 0);
    (void)world_advance(&world, 6 * WORLD_DAY_MS);
    end = world_end_request(&call_ids[1], 60000);
    end.index = 0;
    end.answered_at_ms = answered_ms;
    end.ticket_length = routed[1].ticket_length;
    memcpy(end.ticket, routed[1].ticket, sizeof end.ticket);
    assert_int_equal(zr_end(world.carrier, &end, &settled), 0);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(settled.amount_cents, 2500);
    assert_int_equal(posted(contractor), -1500);
    assert_true(world_audit(&world).balanced);
    /* Resent after day 7: the stored result. First sent after day 7: TOO_LATE. */
    (void)world_advance(&world, 2 * WORLD_DAY_MS);
    assert_int_equal(zr_end(world.carrier, &end, &settled), 0);
    assert_int_equal(settled.amount_cents, 2500);
}

static void
test_e53_e72_late_ends(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 9, 50000);
    struct zr_route_reply routed;
    struct zr_id call_id;
    struct zr_end_request end;
    struct zr_settlement_reply settled;
    const uint64_t now_ms = world_advance(&world, 0);

    (void)state;
    (void)world_claim(&world, contractor, slot);
    routed = world_call(&world, slot, &call_id);
    end = world_end_request(&call_id, 60000);
    end.index = 0;
    end.ticket_length = routed.ticket_length;
    memcpy(end.ticket, routed.ticket, sizeof end.ticket);
    /* Answered past the ticket's expiry (exclusive): the ticket says nothing about that. */
    (void)world_advance(&world, WORLD_HOUR_MS);
    end.answered_at_ms = routed.expires_ms;
    assert_int_equal(zr_end(world.carrier, &end, &settled), ZR_STATUS_TICKET_EXPIRED);
    /* Before issue, or more than 5 s ahead: INVALID_FIELD. */
    end.answered_at_ms = now_ms - 1;
    assert_int_equal(zr_end(world.carrier, &end, &settled), ZR_STATUS_INVALID_FIELD);
    end.answered_at_ms = now_ms + WORLD_HOUR_MS + 5001;
    assert_int_equal(zr_end(world.carrier, &end, &settled), ZR_STATUS_INVALID_FIELD);
    /* More than 7 d after issue: too late, and nothing happens. */
    (void)world_advance(&world, 7 * WORLD_DAY_MS - WORLD_HOUR_MS + 1);
    end.answered_at_ms = now_ms;
    assert_int_equal(zr_end(world.carrier, &end, &settled), ZR_STATUS_TOO_LATE);
    assert_int_equal(posted(contractor), 50000);
}

static void
test_e53_an_end_on_the_last_millisecond_of_day_7_settles(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 9, 50000);
    const uint64_t now_ms = world_advance(&world, 0);
    struct zr_route_reply routed;
    struct zr_id call_id;
    struct zr_end_request end;
    struct zr_settlement_reply settled;

    (void)state;
    (void)world_claim(&world, contractor, slot);
    routed = world_call(&world, slot, &call_id);
    (void)world_advance(&world, 7 * WORLD_DAY_MS);
    end = world_end_request(&call_id, 60000);
    end.index = 0;
    end.answered_at_ms = now_ms;
    end.ticket_length = routed.ticket_length;
    memcpy(end.ticket, routed.ticket, sizeof end.ticket);
    assert_int_equal(zr_end(world.carrier, &end, &settled), 0);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(posted(contractor), 50000 - WORLD_RATE);
}

/* ---- top-ups --------------------------------------------------------------------------------- */

static void
test_i14_e57_a_reference_credits_once(void **state)
{
    const uint32_t contractor = world_contractor(&world, 1, 0);
    const uint32_t other = world_contractor(&world, 1, 0);
    struct zr_topup_request request = {
        .amount_cents = 2500, .contractor = contractor, .provider_ref = "stripe:evt_1"};
    struct zr_topup_reply first;
    struct zr_topup_reply again;
    struct zr_call_info info;

    (void)state;
    memset(&first, 0, sizeof first);
    memset(&again, 0, sizeof again);
    assert_int_equal(zr_topup(world.payments, &request, &first), 0);
    assert_int_equal(first.posted_cents, 2500);
    assert_int_equal(zr_call(world.payments, ZR_OP_TOPUP, &request, &again, 0, &info), 0);
    assert_true(info.duplicate);
    assert_memory_equal(&again, &first, sizeof first);
    restart();
    assert_int_equal(zr_call(world.payments, ZR_OP_TOPUP, &request, &again, 0, &info), 0);
    assert_true(info.duplicate);
    assert_int_equal(again.transfer_id, first.transfer_id);
    request.amount_cents = 2501;
    assert_int_equal(zr_topup(world.payments, &request, &again), ZR_STATUS_DUPLICATE_REF);
    request.amount_cents = 2500;
    request.contractor = other;
    assert_int_equal(zr_topup(world.payments, &request, &again), ZR_STATUS_DUPLICATE_REF);
    assert_int_equal(posted(contractor), 2500);
    assert_int_equal(posted(other), 0);
}

static void
test_topup_has_a_least_amount(void **state)
{
    const uint32_t contractor = world_contractor(&world, 1, 0);
    struct zr_topup_request request = {
        .amount_cents = 2499, .contractor = contractor, .provider_ref = "small"};
    struct zr_topup_reply reply;

    (void)state;
    assert_int_equal(zr_topup(world.payments, &request, &reply), ZR_STATUS_MIN_AMOUNT);
    request.amount_cents = 0;
    assert_int_equal(zr_topup(world.payments, &request, &reply), ZR_STATUS_MIN_AMOUNT);
    request.amount_cents = -2500;
    assert_int_not_equal(zr_topup(world.payments, &request, &reply), 0);
    request.amount_cents = INT64_MAX;
    assert_int_not_equal(zr_topup(world.payments, &request, &reply), 0);
    request.amount_cents = 2500;
    request.provider_ref[0] = '\0';
    assert_int_equal(zr_topup(world.payments, &request, &reply), ZR_STATUS_INVALID_FIELD);
    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "small");
    /* The refused reference is free: nothing was credited under it. */
    assert_int_equal(zr_topup(world.payments, &request, &reply), 0);
    request.contractor = 4000000000U;
    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "nobody");
    assert_int_equal(zr_topup(world.payments, &request, &reply), ZR_STATUS_NOT_FOUND);
    assert_int_equal(posted(contractor), 2500);
}

/* ---- duplicates of a caller ------------------------------------------------------------------ */

static struct zr_settlement_reply
talk(struct world_slot slot, uint64_t caller, uint8_t kind, uint32_t talk_ms)
{
    struct zr_route_request request = world_route_request(&world, slot);
    struct zr_route_reply routed;
    struct zr_settlement_reply settled;

    request.caller = caller;
    request.caller_kind = kind;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    (void)world_connect(&world, &routed);
    settled = world_end(&world, &request.call_id, talk_ms);
    /* E51: a call without a number says so. */
    assert_int_equal(world_call_get(&world, &request.call_id).withheld, caller == 0);
    return settled;
}

static void
test_e49_a_repeat_within_30_days_of_a_charge_is_free(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const struct world_slot other_trade = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 9, 500000);
    const uint64_t caller = 14095550149;

    (void)state;
    (void)world_claim(&world, contractor, slot);
    (void)world_claim(&world, contractor, other_trade);
    assert_int_equal(talk(slot, caller, ZR_CALLER_PLAIN, 1000).settlement,
                     ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(talk(slot, caller, ZR_CALLER_PLAIN, TALK_MS).settlement,
                     ZR_SETTLEMENT_CHARGED);
    assert_int_equal(talk(other_trade, caller, ZR_CALLER_PLAIN, TALK_MS).settlement,
                     ZR_SETTLEMENT_CHARGED);
    (void)world_advance(&world, 29 * WORLD_DAY_MS);
    assert_int_equal(talk(slot, caller, ZR_CALLER_PLAIN, TALK_MS).settlement,
                     ZR_SETTLEMENT_FREE_DUPLICATE);
    /* The window is the charge's, not the last free call's. */
    (void)world_advance(&world, WORLD_DAY_MS + 1000);
    assert_int_equal(talk(slot, caller, ZR_CALLER_PLAIN, TALK_MS).settlement,
                     ZR_SETTLEMENT_CHARGED);
}

static void
test_e50_another_contractor_depends_on_the_scope(void **state)
{
    static const struct {
        uint8_t scope;
        uint8_t settlement;
    } rows[] = {{ZR_DUP_PER_CONTRACTOR, ZR_SETTLEMENT_CHARGED},
                {ZR_DUP_PER_NETWORK, ZR_SETTLEMENT_FREE_DUPLICATE}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct world_slot slot = world_slot(&world);
        const uint64_t caller = 14095550150 + i;
        struct zr_policy policy = world_policy(&world, slot);
        uint64_t claim;

        policy.dup_scope = rows[i].scope;
        world_policy_put(&world, slot, &policy);
        claim = world_claim(&world, world_contractor(&world, 9, 50000), slot);
        (void)world_claim(&world, world_contractor(&world, 9, 50000), slot);
        assert_int_equal(talk(slot, caller, ZR_CALLER_PLAIN, TALK_MS).settlement,
                         ZR_SETTLEMENT_CHARGED);
        (void)world_pause(&world, claim);
        assert_int_equal(talk(slot, caller, ZR_CALLER_PLAIN, TALK_MS).settlement,
                         rows[i].settlement);
    }
}

static void
test_e51_a_withheld_number_is_no_duplicate(void **state)
{
    const struct world_slot slot = world_slot(&world);

    (void)state;
    (void)world_claim(&world, world_contractor(&world, 9, 50000), slot);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(talk(slot, 0, ZR_CALLER_WITHHELD, TALK_MS).settlement,
                         ZR_SETTLEMENT_CHARGED);
    }
}

/* ---- qualify_ms = 0, suspension ----------------------------------------------------------------
 */

static void
test_qualify_ms_0_charges_at_connect(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 9, 50000);
    struct zr_policy policy = world_policy(&world, slot);
    struct zr_route_reply routed;
    struct zr_connect_reply connected;
    struct zr_id call_id;

    (void)state;
    policy.qualify_ms = 0;
    world_policy_put(&world, slot, &policy);
    (void)world_claim(&world, contractor, slot);
    routed = world_call(&world, slot, &call_id);
    connected = world_connect(&world, &routed);
    assert_int_equal(connected.amount_cents, WORLD_RATE);
    assert_int_equal(connected.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(connected.hold_cents, 0);
    assert_int_equal(posted(contractor), 50000 - WORLD_RATE);
    assert_int_equal(world_end(&world, &call_id, 1000).amount_cents, WORLD_RATE);
    assert_int_equal(posted(contractor), 50000 - WORLD_RATE);
}

/* M6: the contractor's status is checked live at CONNECT. */
static void
test_m4_connect_refuses_suspended_and_closing(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 9, 50000);
    struct zr_route_reply routed;
    struct zr_connect_request request;
    struct zr_connect_reply reply;

    (void)state;
    (void)world_claim(&world, contractor, slot);
    routed = world_call(&world, slot, NULL);
    request = world_connect_request(&routed);
    world_status(&world, contractor, ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(zr_connect(world.carrier, &request, &reply), ZR_STATUS_NOT_APPROVED);
    world_status(&world, contractor, ZR_CONTRACTOR_CLOSING);
    assert_int_equal(zr_connect(world.carrier, &request, &reply), ZR_STATUS_ACCOUNT_CLOSED);
    assert_int_equal(world_wallet(&world, contractor).held_cents, 0);
}

/* ---- crash -------------------------------------------------------------------------------------
 */

static void
test_r70_e56_a_crash_loses_nothing_acknowledged(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 3, 50000);
    struct zr_route_reply routed[2];
    struct zr_id call_ids[2];
    struct zr_slot_get_reply slot_before;
    struct zr_slot_get_reply slot_after;
    struct zr_wallet_get_reply before;
    struct zr_wallet_get_reply after;

    (void)state;
    (void)world_claim(&world, contractor, slot);
    for (int i = 0; i < 2; i++) {
        routed[i] = world_call(&world, slot, &call_ids[i]);
        (void)world_connect(&world, &routed[i]);
    }
    (void)world_end(&world, &call_ids[0], TALK_MS);
    before = world_wallet(&world, contractor);
    slot_before = slot_get(slot);
    restart();
    after = world_wallet(&world, contractor);
    slot_after = slot_get(slot);
    assert_int_equal(after.posted_cents, before.posted_cents);
    assert_int_equal(after.held_cents, WORLD_RATE);
    assert_int_equal(slot_after.version, slot_before.version);
    assert_int_equal(slot_after.claims[0].seq, slot_before.claims[0].seq);
    /* The concurrency unit survives as well: two calls of three are taken. */
    (void)world_end(&world, &call_ids[1], TALK_MS);
    assert_int_equal(posted(contractor), 50000 - 2 * WORLD_RATE);
}

/* R67: the ledger tells every change, and its rows sum to the balance. */
static void
test_r67_the_ledger_sums_to_the_balance(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 9, 50000);
    const struct zr_ledger_list_request request = {.contractor = contractor};
    struct zr_ledger_list_reply ledger;
    int64_t sum = 0;

    (void)state;
    (void)world_claim(&world, contractor, slot);
    for (uint64_t i = 0; i < 3; i++) {
        (void)talk(slot, 14095550160 + i, ZR_CALLER_PLAIN, TALK_MS);
    }
    assert_int_equal(zr_ledger_list(world.portal, &request, &ledger), 0);
    assert_int_equal(ledger.entries_count, 4);
    for (uint16_t i = 0; i < ledger.entries_count; i++) {
        sum += ledger.entries[i].amount_cents;
        assert_true(i == 0 || ledger.entries[i].transfer_id < ledger.entries[i - 1].transfer_id);
    }
    assert_int_equal(sum, 50000 - 3 * WORLD_RATE);
    assert_int_equal(sum, posted(contractor));
    assert_int_equal(ledger.entries[0].kind, ZR_TRANSFER_CHARGE);
    assert_int_equal(ledger.entries[3].kind, ZR_TRANSFER_TOPUP);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e52_lost_leases_overdraw_by_at_most_the_overdraft),
        cmocka_unit_test(test_m5_e72_a_late_charge_writes_off_what_the_overdraft_lacks),
        cmocka_unit_test(test_e53_e72_late_ends),
        cmocka_unit_test(test_e53_an_end_on_the_last_millisecond_of_day_7_settles),
        cmocka_unit_test(test_i14_e57_a_reference_credits_once),
        cmocka_unit_test(test_topup_has_a_least_amount),
        cmocka_unit_test(test_e49_a_repeat_within_30_days_of_a_charge_is_free),
        cmocka_unit_test(test_e50_another_contractor_depends_on_the_scope),
        cmocka_unit_test(test_e51_a_withheld_number_is_no_duplicate),
        cmocka_unit_test(test_qualify_ms_0_charges_at_connect),
        cmocka_unit_test(test_m4_connect_refuses_suspended_and_closing),
        cmocka_unit_test(test_r70_e56_a_crash_loses_nothing_acknowledged),
        cmocka_unit_test(test_r67_the_ledger_sums_to_the_balance),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
