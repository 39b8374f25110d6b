/*
 * test_domain_adjust.c - a posting by hand needs two principals (M5 "ADJUST").
 */
#include "server/domain/adjust.h"
#include "tests/unit/test_money.h"

static const struct dw_actor second = {ZR_ROLE_ADMIN, 77, 0};

static struct zr_adjust_request
promotion(struct domain_world *world, uint32_t contractor)
{
    return (struct zr_adjust_request){
        .op_id = dw_id(world),
        .amount_cents = 1500,
        .contractor = contractor,
        .debit = ZR_ACCOUNT_PROMO,
        .credit = ZR_ACCOUNT_CREDIT,
        .reason = "welcome",
    };
}

/* The same, approved under a key of its own. */
static struct zr_adjust_request
approval(struct domain_world *world, const struct zr_adjust_request *first)
{
    struct zr_adjust_request request = *first;

    request.approves = first->op_id;
    request.op_id = dw_id(world);
    return request;
}

/* Nothing moves until another principal says the same. */
static void
test_two_principals_make_it(void **state)
{
    struct domain_world *world = *state;
    const struct zr_adjust_reply *reply = &world->reply.adjust_reply;
    const uint32_t contractor = dw_contractor(world, 2500);
    const struct zr_adjust_request first = promotion(world, contractor);
    const struct zr_adjust_request again = approval(world, &first);
    struct posting_row posting;
    uint64_t transfer;

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &first), ZR_STATUS_OK);
    assert_int_equal(reply->state, ZR_ADJUST_PENDING);
    assert_int_equal(reply->transfer_id, 0);
    assert_memory_equal(&reply->adjust_id, &first.op_id, sizeof first.op_id);
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 0);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &again), ZR_STATUS_SAME_PRINCIPAL);
    assert_false(world->state.changed);
    assert_int_equal(reply->state, ZR_ADJUST_PENDING);
    assert_int_equal(dw_run(world, second, ZR_OP_ADJUST, &again), ZR_STATUS_OK);
    assert_int_equal(reply->state, ZR_ADJUST_POSTED);
    assert_memory_equal(&reply->adjust_id, &first.op_id, sizeof first.op_id);
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 1500);
    transfer = reply->transfer_id;
    assert_true(state_posting_get(&world->state, transfer, &posting));
    assert_int_equal(posting.kind, ZR_TRANSFER_ADJUSTMENT);
    /* Posted once, whoever asks again, and however. */
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &again), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(reply->transfer_id, transfer);
    assert_int_equal(reply->commit_seq, posting.commit_seq);
    assert_int_equal(dw_run(world, second, ZR_OP_ADJUST, &first), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(reply->state, ZR_ADJUST_POSTED);
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 1500);
    money_recompute(world);
}

/* Who approves has read what he approves. */
static void
test_the_approval_repeats_every_field(void **state)
{
    enum { FIELDS = 6 };
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    const struct zr_adjust_request first = promotion(world, contractor);
    const uint32_t other = dw_contractor(world, 0);

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &first), ZR_STATUS_OK);
    for (int i = 0; i < FIELDS; i++) {
        struct zr_adjust_request wrong = approval(world, &first);

        wrong.amount_cents += i == 0;
        wrong.contractor = i == 1 ? other : wrong.contractor;
        wrong.debit = i == 2 ? (uint8_t)ZR_ACCOUNT_REFUNDS : wrong.debit;
        wrong.credit = i == 3 ? (uint8_t)ZR_ACCOUNT_MAIN : wrong.credit;
        wrong.link.bytes[0] = i == 4;
        wrong.reason[0] = (char)(i == 5 ? 'W' : wrong.reason[0]);
        assert_int_equal(dw_run(world, second, ZR_OP_ADJUST, &wrong), ZR_STATUS_INVALID_FIELD);
    }
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 0);
}

/* In precedence order: the fields, the wallet, what is approved. */
static void
test_adjust_refusals(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    struct zr_adjust_request request = promotion(world, contractor);

    request.amount_cents = 0;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_INVALID_FIELD);
    request.amount_cents = TOPUP_MAX_CENTS + 1;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_INVALID_FIELD);
    request = promotion(world, 0); /* CREDIT of nobody. */
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_INVALID_FIELD);
    request = promotion(world, contractor);
    request.credit = ZR_ACCOUNT_CLEARING; /* A wallet, and none of its accounts. */
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_INVALID_FIELD);
    request = promotion(world, contractor);
    request.debit = ZR_ACCOUNT_CREDIT;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_INVALID_FIELD);
    request = promotion(world, contractor);
    request.reason[0] = '\0';
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_INVALID_FIELD);
    request = promotion(world, 999);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_NOT_FOUND);
    request = promotion(world, contractor);
    request.approves = dw_id(world);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_NOT_FOUND);
    /* A key that was used for another one, longer ago than keys are remembered. */
    request = promotion(world, contractor);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    request.amount_cents++;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &request),
                     ZR_STATUS_IDEMPOTENCY_MISMATCH);
}

static void
adjust(struct domain_world *world, struct zr_adjust_request first)
{
    struct zr_adjust_request again;

    first.op_id = dw_id(world);
    (void)snprintf(first.reason, sizeof first.reason, "correction");
    again = approval(world, &first);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ADJUST, &first), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, second, ZR_OP_ADJUST, &again), ZR_STATUS_OK);
}

/* Operators correct: between the network's own accounts, and a wallet below 0; what that means for
 * its claims is seen as after any other posting. */
static void
test_corrections(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    struct account_row account;

    (void)dw_claim(world, contractor);
    adjust(world, (struct zr_adjust_request){.amount_cents = 7,
                                             .debit = ZR_ACCOUNT_RECEIVABLE,
                                             .credit = ZR_ACCOUNT_CLEARING});
    state_account_get(&world->state, ZR_ACCOUNT_RECEIVABLE, &account);
    assert_int_equal(account.balance_cents, -7);
    adjust(world, (struct zr_adjust_request){.amount_cents = 3000,
                                             .contractor = contractor,
                                             .debit = ZR_ACCOUNT_MAIN,
                                             .credit = ZR_ACCOUNT_REFUNDS});
    assert_int_equal(dw_wallet(world, contractor).main_cents, -500);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_DRY), 1);
    adjust(world, (struct zr_adjust_request){.amount_cents = 2500,
                                             .contractor = contractor,
                                             .debit = ZR_ACCOUNT_PROMO,
                                             .credit = ZR_ACCOUNT_CREDIT});
    assert_int_equal(money_events(world, contractor, ZR_EVENT_FUNDED), 1);
    money_recompute(world);
}

/* M4 CLOSING, M5: an account that was paid out keeps nothing, whoever moves money into it. */
static void
test_a_closed_account_keeps_nothing(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);

    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    dw_advance(world, 30 * DW_DAY_MS);
    adjust(world, (struct zr_adjust_request){.amount_cents = 900,
                                             .contractor = contractor,
                                             .debit = ZR_ACCOUNT_REFUNDS,
                                             .credit = ZR_ACCOUNT_MAIN});
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
    adjust(world, (struct zr_adjust_request){.amount_cents = 700,
                                             .contractor = contractor,
                                             .debit = ZR_ACCOUNT_PROMO,
                                             .credit = ZR_ACCOUNT_CREDIT});
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 0);
    money_recompute(world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_two_principals_make_it),
        DW_TEST(test_the_approval_repeats_every_field),
        DW_TEST(test_adjust_refusals),
        DW_TEST(test_corrections),
        DW_TEST(test_a_closed_account_keeps_nothing),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
