/*
 * test_audit.c - what AUDIT finds: each kind of row that breaks a rule is one violation, and what
 * is as it should be is none (domain.md I1-I14, E23).
 */
#include "server/commit/audit.h"
#include "server/domain/ledger.h"
#include "tests/unit/test_commit.h"

#include <endian.h>

enum { FUND = 100000, TALK_MS = 120000 };

/* Fold everything, and look. */
static const struct zr_audit_reply *
audit(struct zr_audit_request request)
{
    rig_commit(10000);
    assert_int_equal(rig_send(rig_admin, ZR_OP_AUDIT, &request), ZR_STATUS_OK);
    return &rig.reply.audit_reply;
}

static uint64_t
violations(void)
{
    return audit((struct zr_audit_request){0})->violations;
}

static void
tick_all(void)
{
    const struct zr_tick_request tick = {0};

    while (state_timer_due_ms(&rig.executor.state) <= clock_now_ms(&rig.clock)) {
        assert_int_equal(rig_send((struct rig_actor){0, 0}, ZR_OP_TICK, &tick), ZR_STATUS_OK);
    }
}

/* A call of a contractor with a claim, charged. */
static struct ticket
make_charged_call(void)
{
    struct zr_claim_request claim = {.slots_count = 1, .slots = {{.zip = RIG_ZIP, .category = 1}}};
    struct ticket ticket;

    assert_int_equal(rig_category(rig_key(), "plumbing"), ZR_STATUS_OK);
    claim.contractor = rig_contractor(FUND);
    claim.op_id = rig_key();
    assert_int_equal(rig_send(rig_portal, ZR_OP_CLAIM, &claim), ZR_STATUS_OK);
    ticket = rig_ticket(claim.contractor);
    assert_int_equal(rig_connect(&ticket), ZR_STATUS_OK);
    clock_advance_ms(&rig.clock, TALK_MS);
    assert_int_equal(rig_end(&ticket, TALK_MS), ZR_STATUS_OK);
    tick_all();
    return ticket;
}

static void
test_audit_of_a_sound_state_finds_nothing(void **state)
{
    const struct zr_audit_reply *reply;

    (void)state;
    (void)make_charged_call();
    reply = audit((struct zr_audit_request){0});
    assert_int_equal(reply->violations, 0);
    assert_true(reply->balanced);
    assert_int_equal(reply->charges, 1);
    assert_int_equal(reply->holds, 0);
    assert_int_equal(reply->timers_overdue, 0);
    assert_true(reply->events > 0);
    rig_crash();
}

static void
test_audit_finds_a_charge_credited_beyond_its_amount(void **state)
{
    const struct ticket ticket = make_charged_call();
    struct call_row call;

    (void)state;
    assert_true(state_call_get(&rig.executor.state, &ticket.call_ref, &call));
    assert_int_equal(violations(), 0);
    call.legs[0].credited_cents++; /* What is left and what went back are the rate (I12). */
    state_call_put(&rig.executor.state, &ticket.call_ref, &call);
    assert_int_equal(violations(), 1);
    rig_crash();
}

/* I7: one charge a call, ever; one that was given back in full was one, too. */
static void
test_audit_finds_a_second_charge_behind_a_credited_one(void **state)
{
    const struct ticket ticket = make_charged_call();
    struct call_row call;

    (void)state;
    assert_true(state_call_get(&rig.executor.state, &ticket.call_ref, &call));
    call.legs[call.legs_count++] = call.legs[0];
    call.legs[0].settlement = ZR_SETTLEMENT_CREDITED;
    call.legs[0].credited_cents = call.legs[0].amount_cents;
    call.legs[0].amount_cents = 0;
    state_call_put(&rig.executor.state, &ticket.call_ref, &call);
    assert_int_equal(violations(), 1);
    rig_crash();
}

/* I10: money between two accounts of the network stands on no wallet's chain, and adds up. */
static void
test_audit_counts_what_no_wallet_took_part_in(void **state)
{
    const struct command command = {.seq = 1, .time_ms = clock_now_ms(&rig.clock)};
    struct wallet_row nobody = {0};

    (void)state;
    (void)make_charged_call();
    (void)ledger_post(&rig.executor.state, &command, &nobody,
                      &(struct ledger_entry){.amount_cents = 17,
                                             .debit = ZR_ACCOUNT_CLEARING,
                                             .credit = ZR_ACCOUNT_REVENUE_CALLS,
                                             .kind = ZR_TRANSFER_ADJUSTMENT});
    assert_int_equal(violations(), 0);
    rig_crash();
}

static void
test_audit_finds_attempts_that_nobody_counted(void **state)
{
    struct autotopup_row row = {.month_cents = 5000, .attempt_cents = 5000};
    const uint32_t contractor = rig_contractor(FUND);

    (void)state;
    row.state = ZR_TOPUP_STATE_PENDING;
    row.attempt_id = (uint64_t)contractor << 32 | 1;
    state_autotopup_put(&rig.executor.state, contractor, &row);
    assert_int_equal(violations(), 0);
    row.month_cents--; /* I13: the month does not hold the attempt. */
    state_autotopup_put(&rig.executor.state, contractor, &row);
    assert_int_equal(violations(), 1);
    row.month_cents++;
    row.attempt_id = (uint64_t)(contractor + 1) << 32 | 1;
    state_autotopup_put(&rig.executor.state, contractor, &row);
    assert_int_equal(violations(), 1);
    rig_crash();
}

static void
test_audit_finds_a_reference_that_credited_nothing(void **state)
{
    (void)state;
    (void)rig_contractor(FUND);
    assert_int_equal(violations(), 0);
    state_provider_ref_put(&rig.executor.state, "nothing", 999);
    assert_int_equal(violations(), 1);
    state_reversal_put(&rig.executor.state, "nothing", 999);
    assert_int_equal(violations(), 2);
    rig_crash();
}

static void
test_audit_finds_timers_that_did_not_fire(void **state)
{
    const uint64_t now_ms = clock_now_ms(&rig.clock);
    const struct timer_row row = {.kind = TIMER_CALL};
    const struct zr_audit_reply *reply;

    (void)state;
    state_timer_put(&rig.executor.state, now_ms + 1, 1, &row);
    state_timer_put(&rig.executor.state, now_ms, 2, &row);
    reply = audit((struct zr_audit_request){0});
    assert_int_equal(reply->timers, 2);
    assert_int_equal(reply->timers_overdue, 1);
    assert_int_equal(reply->violations, 1);
    rig_crash();
}

static void
test_audit_finds_a_title_that_nobody_has(void **state)
{
    struct slot_row slot;

    (void)state;
    (void)make_charged_call();
    state_slot_get(&rig.executor.state, RIG_ZIP, 1, &slot);
    slot.title_state = ZR_TITLE_STATE_OPEN;
    state_slot_put(&rig.executor.state, RIG_ZIP, 1, &slot);
    assert_int_equal(violations(), 1);
    slot.title_state = ZR_TITLE_STATE_HELD;
    slot.waiting = 1;
    state_slot_put(&rig.executor.state, RIG_ZIP, 1, &slot);
    assert_int_equal(violations(), 1);
    rig_crash();
}

/* ---- decisions ----------------------------------------------------------------------------- */

static void
put_decision(uint64_t time_ms, uint8_t flags)
{
    const uint64_t time_be = htobe64(time_ms);
    const struct decision_row row = {.flags = flags};
    uint8_t key[18] = {0};

    memcpy(key, &time_be, sizeof time_be);
    store_put(&rig.view, TABLE_DECISION, key, sizeof key,
              (struct store_value){(const uint8_t *)&row, offsetof(struct decision_row, judged)});
}

/* E23, over all that is recorded or over a range of it: [from, to). */
static void
test_audit_judges_the_decisions_of_a_range(void **state)
{
    const struct zr_audit_reply *reply;

    (void)state;
    for (uint64_t time_ms = 100; time_ms < 110; time_ms++) {
        put_decision(time_ms, time_ms == 105 ? DECISION_SKIPPED_PRIMARY : 0);
    }
    reply = audit((struct zr_audit_request){0});
    assert_int_equal(reply->decisions, 10);
    assert_int_equal(reply->decisions_skipped_primary, 1);
    reply = audit((struct zr_audit_request){.from_ms = 103, .to_ms = 105});
    assert_int_equal(reply->decisions, 2);
    assert_int_equal(reply->decisions_skipped_primary, 0);
    reply = audit((struct zr_audit_request){.from_ms = 105});
    assert_int_equal(reply->decisions, 5);
    assert_int_equal(reply->decisions_skipped_primary, 1);
    rig_crash();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_audit_of_a_sound_state_finds_nothing),
        RIG_TEST(test_audit_finds_a_charge_credited_beyond_its_amount),
        RIG_TEST(test_audit_finds_a_second_charge_behind_a_credited_one),
        RIG_TEST(test_audit_counts_what_no_wallet_took_part_in),
        RIG_TEST(test_audit_finds_attempts_that_nobody_counted),
        RIG_TEST(test_audit_finds_a_reference_that_credited_nothing),
        RIG_TEST(test_audit_finds_timers_that_did_not_fire),
        RIG_TEST(test_audit_finds_a_title_that_nobody_has),
        RIG_TEST(test_audit_judges_the_decisions_of_a_range),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
