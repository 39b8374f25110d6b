/*
 * test_domain_dispute.c - a charge is disputed, credited or upheld (E59-E61, E73, I9, I12).
 */
#include "server/domain/dispute.h"
#include "tests/unit/test_money.h"

enum { DISPUTE_DAYS = 30 };

static uint16_t
dispute_open(struct domain_world *world, const struct ticket *ticket, uint8_t reason)
{
    const struct zr_dispute_open_request request = {
        .op_id = dw_id(world),
        .call_ref = ticket->call_ref,
        .contractor = ticket->candidates[0].contractor,
        .reason = reason,
        .note = "wrong",
    };

    return dw_run(world, dw_portal, ZR_OP_DISPUTE_OPEN, &request);
}

static uint16_t
dispute_resolve(struct domain_world *world, const struct ticket *ticket, int64_t cents)
{
    const struct zr_dispute_resolve_request request = {
        .op_id = dw_id(world),
        .call_ref = ticket->call_ref,
        .credit_cents = cents,
        .contractor = ticket->candidates[0].contractor,
    };

    return dw_run(world, dw_admin, ZR_OP_DISPUTE_RESOLVE, &request);
}

/* A charged call of that caller. */
static struct ticket
charge_from(struct domain_world *world, uint32_t contractor, uint64_t caller_hash)
{
    struct ticket ticket = dw_ticket(world, &contractor, 1);

    ticket.caller_hash = caller_hash;
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 60 * DW_SECOND_MS;
    assert_int_equal(dw_end(world, &ticket, &ticket, (struct zr_end_request){.talk_ms = 60000}),
                     ZR_STATUS_OK);
    return ticket;
}

static void
set_dup_days(struct domain_world *world, uint32_t days)
{
    struct zr_policy policy = dw_policy_default();

    policy.dup_days = days;
    dw_policy(world, &policy);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* What the record does not prove stays open, and is looked at by somebody. */
static void
test_a_dispute_stays_open(void **state)
{
    struct domain_world *world = *state;
    const struct zr_dispute_reply *reply = &world->reply.dispute_reply;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = money_charge(world, contractor);
    const struct zr_dispute_get_request get = {.call_ref = ticket.call_ref,
                                               .contractor = contractor};
    struct contractor_row row;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_GET, &get), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_SPAM), ZR_STATUS_OK);
    assert_int_equal(reply->state, ZR_DISPUTE_STATE_OPEN);
    assert_int_equal(reply->charge_cents, DW_RATE);
    assert_int_equal(reply->credited_cents, 0);
    assert_int_equal(reply->resolved_ms, 0);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 3000);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_DISPUTE_OPENED), 1);
    assert_true(state_contractor_get(&world->state, contractor, &row));
    assert_int_equal(row.disputes_open, 1);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_GET, &get), ZR_STATUS_OK);
    assert_int_equal(reply->state, ZR_DISPUTE_STATE_OPEN);
    assert_int_equal(reply->reason, ZR_DISPUTE_SPAM);
}

/* E59: the whole of day 30 is in time; day 31 is not. */
static void
test_e59_the_window(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    struct ticket tickets[2];
    uint64_t charged_ms;

    tickets[0] = money_charge(world, contractor);
    charged_ms = world->now_ms;
    tickets[1] = money_charge(world, contractor);
    world->now_ms = charged_ms + (DISPUTE_DAYS + 1) * DW_DAY_MS - 1;
    assert_int_equal(dispute_open(world, &tickets[0], ZR_DISPUTE_SPAM), ZR_STATUS_OK);
    world->now_ms += 60 * DW_SECOND_MS + 1;
    assert_int_equal(dispute_open(world, &tickets[1], ZR_DISPUTE_SPAM), ZR_STATUS_DISPUTE_WINDOW);
    world->now_ms -= 1;
    assert_int_equal(dispute_open(world, &tickets[1], ZR_DISPUTE_SPAM), ZR_STATUS_OK);
}

/* E59: one dispute per charge; the second is told what became of the first. */
static void
test_e59_a_second_dispute(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    const struct ticket ticket = money_charge(world, contractor);

    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_SPAM), ZR_STATUS_OK);
    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_OTHER), ZR_STATUS_ALREADY_DISPUTED);
    assert_int_equal(world->reply.dispute_reply.reason, ZR_DISPUTE_SPAM);
    assert_int_equal(dispute_resolve(world, &ticket, 0), ZR_STATUS_OK);
    dw_advance(world, 90 * DW_DAY_MS); /* Before it is too late, it is known. */
    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_OTHER), ZR_STATUS_ALREADY_DISPUTED);
    assert_int_equal(world->reply.dispute_reply.state, ZR_DISPUTE_STATE_UPHELD);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_DISPUTE_OPENED), 1);
}

/* E46, M4 "Exactly once": a dispute that was credited in full is nothing that END said: the very
 * END again contradicts nothing, and other facts are refused as they were before it. */
static void
test_e46_a_credit_does_not_make_end_contradict_itself(void **state)
{
    static const struct {
        uint32_t talk_ms;
        uint8_t voicemail;
        uint16_t status;
    } rows[] = {{60000, 0, ZR_STATUS_OK},
                {1000, 0, ZR_STATUS_SETTLEMENT_FINAL},
                {60000, 1, ZR_STATUS_SETTLEMENT_FINAL}};
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    const struct ticket ticket = money_charge(world, contractor);

    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_SPAM), ZR_STATUS_OK);
    assert_int_equal(dispute_resolve(world, &ticket, DW_RATE), ZR_STATUS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct zr_end_request end = {.talk_ms = rows[i].talk_ms,
                                           .voicemail = rows[i].voicemail};

        assert_int_equal(dw_end(world, &ticket, &ticket, end), rows[i].status);
        assert_int_equal(world->effects.duplicate, rows[i].status == ZR_STATUS_OK);
        assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CREDITED);
    }
}

/* R69, I9: only a charge, only one's own. */
static void
test_what_cannot_be_disputed(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    const uint32_t other = dw_contractor(world, 9000);
    struct ticket ticket = dw_ticket(world, &contractor, 1);
    struct ticket charged = money_charge(world, contractor);
    const struct dw_actor stranger = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};
    const struct zr_dispute_open_request request = {
        .call_ref = charged.call_ref, .contractor = contractor, .reason = ZR_DISPUTE_SPAM};

    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_SPAM), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_SPAM), ZR_STATUS_NOT_FOUND);
    (void)dw_end(world, &ticket, &ticket, (struct zr_end_request){.talk_ms = 1000});
    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_SPAM), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, stranger, ZR_OP_DISPUTE_OPEN, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dispute_resolve(world, &charged, 0), ZR_STATUS_NOT_FOUND);
    charged.candidates[0].contractor = other;
    assert_int_equal(dispute_open(world, &charged, ZR_DISPUTE_SPAM), ZR_STATUS_NOT_FOUND);
    charged.candidates[0].contractor = 999;
    assert_int_equal(dispute_open(world, &charged, ZR_DISPUTE_SPAM), ZR_STATUS_NOT_FOUND);
}

/* ---- what the record proves ------------------------------------------------------------------ */

/* E60: an earlier charge of the same caller stands: credited in the same reply. */
static void
test_e60_a_provable_duplicate(void **state)
{
    struct domain_world *world = *state;
    const struct zr_dispute_reply *reply = &world->reply.dispute_reply;
    const uint32_t contractor = dw_contractor(world, 9000);
    struct ticket first;
    struct ticket second;
    struct contractor_row row;

    set_dup_days(world, 0); /* Or the second would have been free. */
    first = charge_from(world, contractor, 4242);
    dw_advance(world, DW_DAY_MS);
    second = charge_from(world, contractor, 4242);
    set_dup_days(world, 30);
    assert_int_equal(dispute_open(world, &second, ZR_DISPUTE_DUPLICATE), ZR_STATUS_OK);
    assert_int_equal(reply->state, ZR_DISPUTE_STATE_CREDITED);
    assert_int_equal(reply->credited_cents, DW_RATE);
    assert_int_equal(reply->resolved_ms, world->now_ms);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 7000);
    assert_int_equal(dw_call(world, &second).legs[0].settlement, ZR_SETTLEMENT_CREDITED);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_DISPUTE_RESOLVED).amount_cents,
                     DW_RATE);
    assert_true(state_contractor_get(&world->state, contractor, &row));
    assert_int_equal(row.disputes_open, 0);
    /* The first one is nobody's duplicate. */
    assert_int_equal(dispute_open(world, &first, ZR_DISPUTE_DUPLICATE), ZR_STATUS_OK);
    assert_int_equal(reply->state, ZR_DISPUTE_STATE_OPEN);
}

/* Not proved: another caller, none known, too long ago, or the earlier charge was credited. */
static void
test_what_is_no_duplicate(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 50000);
    struct ticket tickets[8];

    set_dup_days(world, 0);
    tickets[0] = charge_from(world, contractor, 1);
    tickets[1] = charge_from(world, contractor, 2);
    tickets[2] = charge_from(world, contractor, 0);
    tickets[3] = charge_from(world, contractor, 0);
    tickets[4] = charge_from(world, contractor, 3);
    tickets[5] = charge_from(world, contractor, 3);
    assert_int_equal(dispute_open(world, &tickets[4], ZR_DISPUTE_OTHER), ZR_STATUS_OK);
    assert_int_equal(dispute_resolve(world, &tickets[4], DW_RATE), ZR_STATUS_OK);
    tickets[6] = charge_from(world, contractor, 5);
    dw_advance(world, 2 * DW_DAY_MS);
    tickets[7] = charge_from(world, contractor, 5);
    set_dup_days(world, 1);
    for (int i = 1; i < 8; i += 2) {
        assert_int_equal(dispute_open(world, &tickets[i], ZR_DISPUTE_DUPLICATE), ZR_STATUS_OK);
        assert_int_equal(world->reply.dispute_reply.state, ZR_DISPUTE_STATE_OPEN);
    }
}

/* E60: QUALIFY charged it, and the END itself said that it was short; it said nothing of a machine.
 */
static void
test_a_provable_short_call(void **state)
{
    static const struct {
        uint8_t reason;
        uint8_t expected;
    } rows[] = {{ZR_DISPUTE_VOICEMAIL, ZR_DISPUTE_STATE_OPEN},
                {ZR_DISPUTE_SHORT, ZR_DISPUTE_STATE_CREDITED}};
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);

    for (uint64_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ticket ticket = dw_ticket(world, &contractor, 1);

        ticket.caller_hash = 500 + i;
        assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
        world->now_ms += 40 * DW_SECOND_MS;
        assert_int_equal(dw_qualify(world, &ticket, 31000), ZR_STATUS_OK);
        (void)dw_end(world, &ticket, &ticket, (struct zr_end_request){.talk_ms = 12000});
        assert_int_equal(dispute_open(world, &ticket, rows[i].reason), ZR_STATUS_OK);
        assert_int_equal(world->reply.dispute_reply.state, rows[i].expected);
    }
}

/* E73: evidence credited it whole already: there is nothing left to dispute. */
static void
test_e73_nothing_left_to_credit(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    dw_give_credit(world, contractor, 700);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 40 * DW_SECOND_MS;
    assert_int_equal(dw_qualify(world, &ticket, 30000), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 1200);
    (void)dw_end(world, &ticket, &ticket,
                 (struct zr_end_request){.talk_ms = 12000, .voicemail = true});
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 700);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 2500);
    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_VOICEMAIL), ZR_STATUS_AMOUNT);
    assert_false(world->state.changed);
}

/* ---- resolving ------------------------------------------------------------------------------- */

/* E59, I12: at most what is left; part of it is part of it. */
static void
test_e59_a_credit_is_at_most_the_charge(void **state)
{
    struct domain_world *world = *state;
    const struct zr_dispute_reply *reply = &world->reply.dispute_reply;
    const uint32_t contractor = dw_contractor(world, 2500);
    struct ticket ticket;
    struct call_leg_row leg;

    dw_give_credit(world, contractor, 700);
    ticket = money_charge(world, contractor); /* 700 of CREDIT, 1300 of MAIN. */
    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_SPAM), ZR_STATUS_OK);
    assert_int_equal(dispute_resolve(world, &ticket, DW_RATE + 1), ZR_STATUS_AMOUNT);
    assert_int_equal(dispute_resolve(world, &ticket, -1), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(dispute_resolve(world, &ticket, 1500), ZR_STATUS_OK);
    assert_int_equal(reply->state, ZR_DISPUTE_STATE_CREDITED);
    assert_int_equal(reply->credited_cents, 1500);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 2500); /* MAIN's part first. */
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 200);
    leg = dw_call(world, &ticket).legs[0];
    assert_int_equal(leg.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(leg.credited_cents, 1500);
    assert_int_equal(leg.amount_cents, 500);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_DISPUTE_RESOLVED), 1);
    /* It is resolved for ever: the same again is known, another is refused. */
    assert_int_equal(dispute_resolve(world, &ticket, 1500), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(dispute_resolve(world, &ticket, 500), ZR_STATUS_ALREADY_DISPUTED);
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 200);
    money_recompute(world);
}

/* Upheld: nothing moves, and the owner is told. */
static void
test_an_upheld_charge(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    const struct ticket ticket = money_charge(world, contractor);
    const uint64_t transfers = state_counter_now(&world->state, COUNTER_TRANSFER);

    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_WRONG_AREA), ZR_STATUS_OK);
    assert_int_equal(dispute_resolve(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(world->reply.dispute_reply.state, ZR_DISPUTE_STATE_UPHELD);
    assert_int_equal(state_counter_now(&world->state, COUNTER_TRANSFER), transfers);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_DISPUTE_RESOLVED).code,
                     ZR_DISPUTE_STATE_UPHELD);
}

/* E61: a charge that was credited whole is no charge for duplicates; one credited in part is. */
static void
test_e61_only_a_full_credit_leaves_the_window(void **state)
{
    static const struct {
        int64_t cents;
        uint8_t next;
    } rows[] = {{DW_RATE - 1, ZR_SETTLEMENT_FREE_DUPLICATE}, {DW_RATE, ZR_SETTLEMENT_CHARGED}};
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);

    for (uint64_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct ticket first = charge_from(world, contractor, 100 + i);
        struct ticket next;

        assert_int_equal(dispute_open(world, &first, ZR_DISPUTE_SPAM), ZR_STATUS_OK);
        assert_int_equal(dispute_resolve(world, &first, rows[i].cents), ZR_STATUS_OK);
        dw_advance(world, DW_DAY_MS);
        next = charge_from(world, contractor, 100 + i);
        assert_int_equal(dw_call(world, &next).legs[0].settlement, rows[i].next);
    }
}

/* A credit is money: it ends DRY as a top-up does. */
static void
test_a_credit_funds_a_dry_claim(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    const uint64_t claim_id = dw_claim(world, contractor)->claim_id;
    const struct ticket ticket = money_charge(world, contractor);
    struct claim_row claim;

    assert_true(state_claim_get(&world->state, claim_id, &claim));
    assert_int_not_equal(claim.dry_deadline_ms, 0);
    assert_int_equal(dispute_open(world, &ticket, ZR_DISPUTE_SPAM), ZR_STATUS_OK);
    assert_int_equal(dispute_resolve(world, &ticket, DW_RATE), ZR_STATUS_OK);
    assert_true(state_claim_get(&world->state, claim_id, &claim));
    assert_int_equal(claim.dry_deadline_ms, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_a_dispute_stays_open),
        DW_TEST(test_e59_the_window),
        DW_TEST(test_e59_a_second_dispute),
        DW_TEST(test_e46_a_credit_does_not_make_end_contradict_itself),
        DW_TEST(test_what_cannot_be_disputed),
        DW_TEST(test_e60_a_provable_duplicate),
        DW_TEST(test_what_is_no_duplicate),
        DW_TEST(test_a_provable_short_call),
        DW_TEST(test_e73_nothing_left_to_credit),
        DW_TEST(test_e59_a_credit_is_at_most_the_charge),
        DW_TEST(test_an_upheld_charge),
        DW_TEST(test_e61_only_a_full_credit_leaves_the_window),
        DW_TEST(test_a_credit_funds_a_dry_claim),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
