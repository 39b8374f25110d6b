/*
 * test_time_dispute.c - what undoes a charge and what ends a wallet: disputes and their window,
 * evidence, credits by two administrators, the closing of an account (M4, M5): E59, E60, E61, E73,
 * I9, I12, through the real server and the real client.
 */
#include "tests/integration/accounts.h"

enum { PAYOUT_DAYS = 30, PROMOTION = 700 };

#define DAYS(count) ((uint64_t)(count)*WORLD_DAY_MS)

/* One contractor for several calls at once, funded, and his slot. */
struct shop {
    struct world_slot slot;
    uint32_t contractor;
    uint64_t claim_id;
};

static struct shop
shop_make(void)
{
    struct shop shop = {.slot = world_slot(&world)};

    shop.contractor = world_contractor(&world, 3, FUNDS);
    shop.claim_id = world_claim(&world, shop.contractor, shop.slot);
    return shop;
}

static int
dispute_ask(const struct zr_id *call_ref, uint32_t contractor, uint8_t reason,
            struct zr_dispute_reply *reply)
{
    const struct zr_dispute_open_request request = {.call_ref = *call_ref,
                                                    .contractor = contractor,
                                                    .reason = reason,
                                                    .note = "see the recording"};

    memset(reply, 0, sizeof *reply);
    return zr_dispute_open(world.portal, &request, reply);
}

/* It is opened and waits for an administrator. */
static void
dispute(const struct zr_id *call_ref, uint32_t contractor)
{
    struct zr_dispute_reply reply;

    assert_int_equal(dispute_ask(call_ref, contractor, ZR_DISPUTE_SPAM, &reply), 0);
    assert_int_equal(reply.state, ZR_DISPUTE_STATE_OPEN);
    assert_int_equal(reply.credited_cents, 0);
}

static int
resolve_ask(const struct zr_id *call_ref, uint32_t contractor, int64_t credit_cents,
            struct zr_dispute_reply *reply)
{
    const struct zr_dispute_resolve_request request = {
        .call_ref = *call_ref, .credit_cents = credit_cents, .contractor = contractor};

    memset(reply, 0, sizeof *reply);
    return zr_dispute_resolve(world.admin, &request, reply);
}

static void
resolve(const struct zr_id *call_ref, uint32_t contractor, int64_t credit_cents)
{
    struct zr_dispute_reply reply;

    assert_int_equal(resolve_ask(call_ref, contractor, credit_cents, &reply), 0);
    assert_int_equal(reply.state,
                     credit_cents > 0 ? ZR_DISPUTE_STATE_CREDITED : ZR_DISPUTE_STATE_UPHELD);
    assert_true(reply.credited_cents == credit_cents);
}

/* ---- E59: the window ------------------------------------------------------------------------- */

/* Day 30 is taken to its last millisecond, day 31 is not. */
static void
test_e59_day_thirty_is_the_last(void **state)
{
    const struct shop shop = shop_make();
    const struct zr_id in_time = charge(shop.slot, shop.contractor);
    const struct zr_id too_late = charge(shop.slot, shop.contractor);
    const uint64_t charged_ms = now_ms();
    struct zr_dispute_reply reply;

    (void)state;
    move_to(charged_ms - MINUTE_MS + DAYS(31) - 1); /* Of the first, a minute earlier. */
    dispute(&in_time, shop.contractor);
    move_to(charged_ms + DAYS(31));
    assert_int_equal(dispute_ask(&too_late, shop.contractor, ZR_DISPUTE_SPAM, &reply),
                     ZR_STATUS_DISPUTE_WINDOW);
    /* Proof opens no window either. */
    assert_int_equal(dispute_ask(&too_late, shop.contractor, ZR_DISPUTE_DUPLICATE, &reply),
                     ZR_STATUS_DISPUTE_WINDOW);
    assert_wallet(shop.contractor, FUNDS - 2 * WORLD_RATE, 0);
}

/* One dispute for each charge, ever; the second says what became of the first. */
static void
test_e59_a_charge_is_disputed_once(void **state)
{
    const struct shop shop = shop_make();
    const struct zr_id charged = charge(shop.slot, shop.contractor);
    struct zr_dispute_reply reply;

    (void)state;
    dispute(&charged, shop.contractor);
    assert_int_equal(dispute_ask(&charged, shop.contractor, ZR_DISPUTE_OTHER, &reply),
                     ZR_STATUS_ALREADY_DISPUTED);
    assert_int_equal(reply.state, ZR_DISPUTE_STATE_OPEN);
    assert_int_equal(reply.reason, ZR_DISPUTE_SPAM);
    crash();
    resolve(&charged, shop.contractor, 0);
    assert_int_equal(dispute_ask(&charged, shop.contractor, ZR_DISPUTE_OTHER, &reply),
                     ZR_STATUS_ALREADY_DISPUTED);
    assert_int_equal(reply.state, ZR_DISPUTE_STATE_UPHELD);
    assert_int_equal(resolve_ask(&charged, shop.contractor, 0, &reply), 0); /* Safe to repeat, */
    assert_int_equal(resolve_ask(&charged, shop.contractor, 1, &reply),
                     ZR_STATUS_ALREADY_DISPUTED); /* not to change. */
    assert_charged_once(shop.contractor, WORLD_RATE);
}

/* Nobody else's charge, no free call, no call that is not there. */
static void
test_e59_only_a_charge_can_be_disputed(void **state)
{
    const struct shop shop = shop_make();
    const struct shop other = shop_make();
    const struct zr_id charged = charge(shop.slot, shop.contractor);
    struct zr_settlement_reply free_call;
    struct zr_dispute_reply reply;
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, shop.slot, &call_id);

    (void)state;
    free_call = talk(&routed, &call_id, TALK_SHORT_MS);
    assert_int_equal(dispute_ask(&charged, other.contractor, ZR_DISPUTE_SPAM, &reply),
                     ZR_STATUS_NOT_FOUND);
    assert_int_equal(dispute_ask(&free_call.call_ref, shop.contractor, ZR_DISPUTE_SPAM, &reply),
                     ZR_STATUS_NOT_FOUND);
    call_id = world_id(&world);
    assert_int_equal(dispute_ask(&call_id, shop.contractor, ZR_DISPUTE_SPAM, &reply),
                     ZR_STATUS_NOT_FOUND);
    assert_int_equal(resolve_ask(&charged, shop.contractor, 1, &reply), ZR_STATUS_NOT_FOUND);
}

/* ---- I12: how much comes back, and where to ---------------------------------------------------
 */

static void
test_i12_credits_are_at_most_the_charge(void **state)
{
    const struct shop shop = shop_make();
    const struct zr_id charged = charge(shop.slot, shop.contractor);
    struct zr_dispute_reply reply;
    struct zr_event event = {0};

    (void)state;
    accounts_listen();
    dispute(&charged, shop.contractor);
    assert_int_equal(resolve_ask(&charged, shop.contractor, WORLD_RATE + 1, &reply),
                     ZR_STATUS_AMOUNT);
    assert_int_equal(reply.charge_cents, WORLD_RATE);
    assert_int_equal(resolve_ask(&charged, shop.contractor, -1, &reply), ZR_STATUS_INVALID_FIELD);
    assert_wallet(shop.contractor, FUNDS - WORLD_RATE, 0);
    resolve(&charged, shop.contractor, WORLD_RATE);
    assert_wallet(shop.contractor, FUNDS, 0);
    assert_int_equal(events_of(shop.contractor, ZR_EVENT_DISPUTE_OPENED, &event), 1);
    assert_int_equal(event.code, ZR_DISPUTE_SPAM);
    assert_int_equal(events_of(shop.contractor, ZR_EVENT_DISPUTE_RESOLVED, &event), 1);
    assert_int_equal(event.amount_cents, WORLD_RATE);
    assert_memory_equal(&event.call_ref, &charged, sizeof charged);
    accounts_listen_no_more();
}

/* ---- E60: what the record proves --------------------------------------------------------------
 */

/* Two charges of one caller under a policy without a window; then the policy has one, and the
 * newer of the two is a duplicate by the record. */
static void
test_e60_a_provable_duplicate_is_credited_in_the_reply(void **state)
{
    const struct shop shop = shop_make();
    struct zr_policy policy = world_policy(&world, shop.slot);
    const uint32_t dup_days = policy.dup_days;
    const uint64_t caller = UINT64_C(17130000001);
    struct zr_settlement_reply calls[2];
    struct zr_dispute_reply reply;

    (void)state;
    policy.dup_days = 0;
    world_policy_put(&world, shop.slot, &policy);
    for (int i = 0; i < 2; i++) {
        calls[i] = talk_from(shop.slot, caller, shop.contractor);
        assert_int_equal(calls[i].settlement, ZR_SETTLEMENT_CHARGED);
    }
    policy.dup_days = dup_days;
    world_policy_put(&world, shop.slot, &policy);
    assert_int_equal(dispute_ask(&calls[1].call_ref, shop.contractor, ZR_DISPUTE_DUPLICATE, &reply),
                     0);
    assert_int_equal(reply.state, ZR_DISPUTE_STATE_CREDITED);
    assert_int_equal(reply.credited_cents, WORLD_RATE);
    assert_wallet(shop.contractor, FUNDS - WORLD_RATE, 0);
    /* The first is no duplicate of anything: somebody has to look. */
    assert_int_equal(dispute_ask(&calls[0].call_ref, shop.contractor, ZR_DISPUTE_DUPLICATE, &reply),
                     0);
    assert_int_equal(reply.state, ZR_DISPUTE_STATE_OPEN);
    assert_wallet(shop.contractor, FUNDS - WORLD_RATE, 0);
}

/* QUALIFY, then an END that says less: the charge stays, flagged, until he disputes it (M4). */
static void
test_e60_a_shorter_end_proves_a_short_call(void **state)
{
    const struct shop shop = shop_make();
    struct zr_qualify_request qualify = {.talk_ms = RING_MS};
    struct zr_settlement_reply settled;
    struct zr_dispute_reply reply;
    struct zr_end_request end;
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, shop.slot, &call_id);

    (void)state;
    (void)world_connect(&world, &routed);
    (void)world_advance(&world, RING_MS);
    qualify.call_id = call_id;
    assert_int_equal(zr_qualify(world.carrier, &qualify, &settled), 0);
    end = world_end_request(&call_id, RING_MS - 1);
    assert_int_equal(zr_end(world.carrier, &end, &settled), 0);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_CHARGED);
    assert_true(settled.flagged);
    assert_int_equal(dispute_ask(&settled.call_ref, shop.contractor, ZR_DISPUTE_SHORT, &reply), 0);
    assert_int_equal(reply.state, ZR_DISPUTE_STATE_CREDITED);
    assert_wallet(shop.contractor, FUNDS, 0);
}

/* ---- E61: a credited call and the duplicate window ---------------------------------------------
 */

/* A full credit takes the charge out of the window, a partial one does not; an upheld one neither.
 */
static void
test_e61_only_a_full_credit_leaves_the_window(void **state)
{
    static const struct {
        int64_t credit_cents;
        uint8_t next;
    } rows[] = {
        {WORLD_RATE, ZR_SETTLEMENT_CHARGED},
        {WORLD_RATE - 1, ZR_SETTLEMENT_FREE_DUPLICATE},
        {0, ZR_SETTLEMENT_FREE_DUPLICATE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct shop shop = shop_make();
        const uint64_t caller = UINT64_C(17130000100) + i;
        const struct zr_settlement_reply first = talk_from(shop.slot, caller, shop.contractor);

        assert_int_equal(first.settlement, ZR_SETTLEMENT_CHARGED);
        (void)world_advance(&world, WORLD_DAY_MS);
        dispute(&first.call_ref, shop.contractor);
        resolve(&first.call_ref, shop.contractor, rows[i].credit_cents);
        assert_int_equal(talk_from(shop.slot, caller, shop.contractor).settlement, rows[i].next);
    }
}

/* ---- E73: evidence reverses a charge -----------------------------------------------------------
 */

static void
assert_split(uint32_t contractor, int64_t main_cents, int64_t credit_cents)
{
    const struct zr_wallet_get_reply wallet = world_wallet(&world, contractor);

    assert_int_equal(wallet.main_cents, main_cents);
    assert_int_equal(wallet.credit_cents, credit_cents);
    assert_int_equal(wallet.held_cents, 0);
}

/* ROUTE_NEXT after the machine: the backup talks for a minute, and that is free (I7). */
static void
backup_talks(const struct zr_route_reply *routed, const struct zr_id *call_id, uint32_t backup)
{
    const struct zr_route_reply second = next_rings(routed, ZR_OUTCOME_VOICEMAIL, backup);
    const struct zr_settlement_reply ended = talk(&second, call_id, MINUTE_MS);

    assert_int_equal(ended.settlement, ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED);
    assert_int_equal(ended.amount_cents, 0);
    assert_charged_never(backup);
}

/*
 * QUALIFY at 30 s charges, CREDIT first; END says 12 s and a machine: credited in the same commit,
 * each account gets back what it gave. One charge per call, ever: the backup is free.
 */
static void
test_e73_a_machine_after_qualify_is_credited(void **state)
{
    const struct shop shop = shop_make();
    const uint32_t backup = world_contractor(&world, 1, FUNDS);
    const uint64_t caller = UINT64_C(17130000200);
    const struct zr_route_request request = route_from_caller(shop.slot, caller);
    struct zr_qualify_request qualify = {.call_id = request.call_id, .talk_ms = RING_MS};
    struct zr_end_request end = world_end_request(&request.call_id, 12000);
    struct zr_settlement_reply first;
    struct zr_settlement_reply again;
    struct zr_dispute_reply disputed;
    struct zr_route_reply routed;
    bool duplicate;

    (void)state;
    (void)world_claim(&world, backup, shop.slot);
    adjust(adjust_request(shop.contractor, ZR_ACCOUNT_PROMO, ZR_ACCOUNT_CREDIT, PROMOTION));
    assert_split(shop.contractor, FUNDS, PROMOTION);
    assert_int_equal(world_route(&world, &request, &routed), 0);
    (void)world_connect(&world, &routed);
    (void)world_advance(&world, RING_MS);
    assert_int_equal(zr_qualify(world.carrier, &qualify, &first), 0);
    assert_int_equal(first.settlement, ZR_SETTLEMENT_CHARGED);
    assert_split(shop.contractor, FUNDS - (WORLD_RATE - PROMOTION), 0);
    end.voicemail = true;
    end.caller_stays = true;
    end.index = 0;
    assert_int_equal(end_again(&end, &first, &duplicate), 0);
    assert_false(duplicate);
    assert_int_equal(first.settlement, ZR_SETTLEMENT_CREDITED);
    assert_split(shop.contractor, FUNDS, PROMOTION);
    assert_int_equal(end_again(&end, &again, &duplicate), 0);
    assert_true(duplicate);
    assert_memory_equal(&again, &first, sizeof first);
    backup_talks(&routed, &request.call_id, backup);
    assert_int_equal(dispute_ask(&first.call_ref, shop.contractor, ZR_DISPUTE_VOICEMAIL, &disputed),
                     ZR_STATUS_AMOUNT); /* Nothing is left to credit (I9, I12). */
    (void)world_advance(&world, WORLD_DAY_MS);
    assert_int_equal(talk_from(shop.slot, caller, shop.contractor).settlement,
                     ZR_SETTLEMENT_CHARGED);
}

/* ---- ADJUST: two principals -------------------------------------------------------------------
 */

/* Nothing moves by one hand; what waits for the second survives a crash; it posts once. */
static void
test_m5_adjust_takes_two_principals(void **state)
{
    const uint32_t contractor = world_contractor(&world, 1, FUNDS);
    struct zr_adjust_request request =
        adjust_request(contractor, ZR_ACCOUNT_MAIN, ZR_ACCOUNT_REFUNDS, 300);
    struct zr_client *other;
    struct zr_adjust_reply first;
    struct zr_adjust_reply reply;

    (void)state;
    assert_int_equal(zr_adjust(world.admin, &request, &first), 0);
    assert_int_equal(first.state, ZR_ADJUST_PENDING);
    assert_memory_equal(&first.adjust_id, &request.op_id, sizeof request.op_id);
    request.approves = request.op_id;
    request.op_id = key_at(now_ms());
    assert_int_equal(zr_adjust(world.admin, &request, &reply), ZR_STATUS_SAME_PRINCIPAL);
    assert_wallet(contractor, FUNDS, 0);
    crash();
    other = second_admin();
    request.op_id = key_at(now_ms());
    request.amount_cents++;
    assert_int_equal(zr_adjust(other, &request, &reply), ZR_STATUS_INVALID_FIELD);
    request.op_id = key_at(now_ms());
    request.amount_cents--;
    assert_int_equal(zr_adjust(other, &request, &reply), 0);
    assert_int_equal(reply.state, ZR_ADJUST_POSTED);
    assert_int_not_equal(reply.transfer_id, 0);
    first = reply;
    request.op_id = key_at(now_ms());
    assert_int_equal(zr_adjust(other, &request, &reply), 0); /* Posted already: the same. */
    assert_true(reply.transfer_id == first.transfer_id);
    assert_int_equal(world_wallet(&world, contractor).main_cents, FUNDS - 300);
    request.op_id = key_at(now_ms());
    request.approves = world_id(&world);
    assert_int_equal(zr_adjust(other, &request, &reply), ZR_STATUS_NOT_FOUND);
    zr_client_close(other);
}

/* ---- closing an account -----------------------------------------------------------------------
 */

/* Claims end at once, the wallet 30 days later: paid out, promotion money expired, 0. */
static void
test_m4_a_closing_account_ends_and_is_paid_out(void **state)
{
    const struct shop shop = shop_make();
    struct zr_topup_request topup = {
        .amount_cents = FUNDS, .contractor = shop.contractor, .provider_ref = "too late"};
    struct zr_topup_reply topped;
    struct zr_event event = {0};
    uint64_t closing_ms;

    (void)state;
    accounts_listen();
    adjust(adjust_request(shop.contractor, ZR_ACCOUNT_PROMO, ZR_ACCOUNT_CREDIT, PROMOTION));
    (void)charge(shop.slot, shop.contractor);
    closing_ms = now_ms();
    world_status(&world, shop.contractor, ZR_CONTRACTOR_CLOSING);
    assert_int_equal(claim_now(shop.claim_id).state, ZR_CLAIM_RELEASED);
    assert_int_equal(slot_get(shop.slot).title_state, ZR_TITLE_STATE_VACANT);
    assert_int_equal(zr_topup(world.payments, &topup, &topped), ZR_STATUS_ACCOUNT_CLOSED);
    move_to(closing_ms + DAYS(PAYOUT_DAYS) - 1);
    crash();
    assert_int_equal(contractor_now(shop.contractor).contractor_status, ZR_CONTRACTOR_CLOSING);
    assert_split(shop.contractor, FUNDS + PROMOTION - WORLD_RATE, 0);
    (void)world_advance(&world, 1);
    assert_int_equal(contractor_now(shop.contractor).contractor_status, ZR_CONTRACTOR_CLOSED);
    assert_split(shop.contractor, 0, 0);
    assert_int_equal(events_of(shop.contractor, ZR_EVENT_ACCOUNT_CLOSED, &event), 1);
    assert_int_equal(event.amount_cents, FUNDS + PROMOTION - WORLD_RATE);
    accounts_listen_no_more();
}

/* A call that talks when the account closes is settled as any; the payout waits for disputes. */
static void
test_m4_closing_waits_for_calls_and_disputes(void **state)
{
    const struct shop shop = shop_make();
    struct zr_settlement_reply ended;
    struct zr_route_reply ringing;
    struct zr_connect_reply refused;
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, shop.slot, &call_id);
    uint64_t closing_ms;

    (void)state;
    ringing = world_call(&world, shop.slot, NULL);
    (void)world_connect(&world, &routed);
    world_status(&world, shop.contractor, ZR_CONTRACTOR_CLOSING);
    closing_ms = now_ms();
    assert_int_equal(connect_ask(&ringing, &refused), ZR_STATUS_ACCOUNT_CLOSED);
    ended = world_end(&world, &call_id, MINUTE_MS);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    move_to(closing_ms + DAYS(PAYOUT_DAYS) - 1);
    dispute(&ended.call_ref, shop.contractor);
    (void)world_advance(&world, DAYS(20));
    assert_int_equal(contractor_now(shop.contractor).contractor_status, ZR_CONTRACTOR_CLOSING);
    assert_wallet(shop.contractor, FUNDS - WORLD_RATE, 0);
    resolve(&ended.call_ref, shop.contractor, WORLD_RATE); /* Comes back, and goes with the rest. */
    assert_int_equal(contractor_now(shop.contractor).contractor_status, ZR_CONTRACTOR_CLOSED);
    assert_split(shop.contractor, 0, 0);
}

/* Who owes when he goes: written off, 0. What the provider takes back later is, too. */
static void
test_m5_a_negative_account_is_written_off(void **state)
{
    const struct shop shop = shop_make();
    struct zr_topup_request topup = {.amount_cents = 2500, .contractor = shop.contractor};
    struct zr_topup_reversed_request reversed = {.amount_cents = 2500,
                                                 .contractor = shop.contractor};
    struct zr_topup_reply reply;

    (void)state;
    for (int i = 0; i < 2; i++) {
        (void)snprintf(topup.provider_ref, sizeof topup.provider_ref, "cheque-%d", i);
        assert_int_equal(zr_topup(world.payments, &topup, &reply), 0);
    }
    adjust(adjust_request(shop.contractor, ZR_ACCOUNT_MAIN, ZR_ACCOUNT_REFUNDS, FUNDS + 4000));
    (void)snprintf(reversed.provider_ref, sizeof reversed.provider_ref, "cheque-0");
    assert_int_equal(zr_topup_reversed(world.payments, &reversed, &reply), 0);
    assert_split(shop.contractor, -1500, 0);
    world_status(&world, shop.contractor, ZR_CONTRACTOR_CLOSING);
    (void)world_advance(&world, DAYS(PAYOUT_DAYS));
    assert_int_equal(contractor_now(shop.contractor).contractor_status, ZR_CONTRACTOR_CLOSED);
    assert_split(shop.contractor, 0, 0);
    (void)snprintf(reversed.provider_ref, sizeof reversed.provider_ref, "cheque-1");
    assert_int_equal(zr_topup_reversed(world.payments, &reversed, &reply), 0);
    assert_split(shop.contractor, 0, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_e59_day_thirty_is_the_last),
        CASE(test_e59_a_charge_is_disputed_once),
        CASE(test_e59_only_a_charge_can_be_disputed),
        CASE(test_i12_credits_are_at_most_the_charge),
        CASE(test_e60_a_provable_duplicate_is_credited_in_the_reply),
        CASE(test_e60_a_shorter_end_proves_a_short_call),
        CASE(test_e61_only_a_full_credit_leaves_the_window),
        CASE(test_e73_a_machine_after_qualify_is_credited),
        CASE(test_m5_adjust_takes_two_principals),
        CASE(test_m4_a_closing_account_ends_and_is_paid_out),
        CASE(test_m4_closing_waits_for_calls_and_disputes),
        CASE(test_m5_a_negative_account_is_written_off),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
