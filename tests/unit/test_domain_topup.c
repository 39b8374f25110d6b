/*
 * test_domain_topup.c - money that a provider brings and takes back: once per reference (M5, I14).
 */
#include "server/domain/ledger.h"
#include "server/domain/topup.h"
#include "tests/lib/domain_world.h"

#include <stdio.h>
#include <string.h>

/* ---- TOPUP ------------------------------------------------------------------------------- */

static uint16_t
topup(struct domain_world *world, uint32_t contractor, int64_t cents, const char *ref)
{
    struct zr_topup_request request = {.amount_cents = cents, .contractor = contractor};

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "%s", ref);
    return dw_run(world, dw_payments, ZR_OP_TOPUP, &request);
}

/* I14, E57: a reference credits once; the second time it says so and moves nothing. */
static void
test_a_reference_credits_once(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    uint64_t transfer;
    uint64_t seq;

    assert_int_equal(topup(world, contractor, 5000, "pay-1"), ZR_STATUS_OK);
    assert_false(world->effects.duplicate);
    transfer = world->reply.topup_reply.transfer_id;
    seq = world->reply.topup_reply.commit_seq;
    assert_int_equal(world->reply.topup_reply.posted_cents, 5000);
    assert_int_equal(topup(world, contractor, 5000, "pay-1"), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_false(world->state.changed);
    assert_int_equal(world->reply.topup_reply.transfer_id, transfer);
    assert_int_equal(world->reply.topup_reply.commit_seq, seq);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 5000);
    assert_int_equal(topup(world, contractor, 5000, "pay-10"), ZR_STATUS_OK); /* Not a prefix. */
    assert_int_equal(dw_wallet(world, contractor).main_cents, 10000);
}

/* DUPLICATE_REF only where amount or contractor differ; a refusal is no stored reply. */
static void
test_a_reference_for_something_else_is_refused(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint32_t other = dw_contractor(world, 0);

    assert_int_equal(topup(world, contractor, 5000, "pay-1"), ZR_STATUS_OK);
    assert_int_equal(topup(world, contractor, 5001, "pay-1"), ZR_STATUS_DUPLICATE_REF);
    assert_false(world->effects.duplicate);
    assert_int_equal(topup(world, other, 5000, "pay-1"), ZR_STATUS_DUPLICATE_REF);
    assert_int_equal(world->reply.topup_reply.contractor, contractor);
    assert_int_equal(topup(world, other, 1, "pay-1"), ZR_STATUS_DUPLICATE_REF);
    assert_int_equal(dw_wallet(world, other).main_cents, 0);
}

/* In precedence order: fields, reference, contractor, standing, amount. */
static void
test_topup_refusals(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint32_t closed = dw_contractor(world, 0);
    const uint32_t closing = dw_contractor(world, 0);

    dw_set_status(world, closed, ZR_CONTRACTOR_CLOSED);
    dw_set_status(world, closing, ZR_CONTRACTOR_CLOSING);
    assert_int_equal(topup(world, 999, 1, ""), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(world->effects.detail, 36); /* provider_ref */
    assert_int_equal(topup(world, 999, INT64_C(100000000001), "r"), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(world->effects.detail, 24); /* amount_cents */
    assert_int_equal(topup(world, 999, 1, "r"), ZR_STATUS_NOT_FOUND);
    assert_int_equal(topup(world, closed, 1, "r"), ZR_STATUS_ACCOUNT_CLOSED);
    assert_int_equal(topup(world, closing, 1, "r"), ZR_STATUS_ACCOUNT_CLOSED);
    assert_int_equal(topup(world, contractor, 2499, "r"), ZR_STATUS_MIN_AMOUNT);
    assert_int_equal(topup(world, contractor, -2500, "r"), ZR_STATUS_MIN_AMOUNT);
    assert_int_equal(topup(world, contractor, 2500, "r"), ZR_STATUS_OK);
    assert_int_equal(topup(world, contractor, INT64_C(100000000000), "r2"), ZR_STATUS_OK);
    /* A suspended one may still pay in. */
    dw_set_status(world, contractor, ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(topup(world, contractor, 2500, "r3"), ZR_STATUS_OK);
}

/* A reference whose transfer is gone: a database that no rule wrote, and no second credit. */
static void
test_a_reference_without_its_transfer_credits_nothing(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);

    state_provider_ref_put(&world->state, "lost", 4242);
    assert_int_equal(topup(world, contractor, 2500, "lost"), ZR_STATUS_INTERNAL);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
}

/* ---- TOPUP_REVERSED ---------------------------------------------------------------------- */

static uint16_t
reverse(struct domain_world *world, uint32_t contractor, int64_t cents, const char *ref)
{
    struct zr_topup_reversed_request request = {.amount_cents = cents, .contractor = contractor};

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "%s", ref);
    return dw_run(world, dw_payments, ZR_OP_TOPUP_REVERSED, &request);
}

/* M5: what the provider takes back leaves MAIN, below 0 if it was spent, and once. */
static void
test_a_top_up_is_reversed_once(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct zr_topup_reply *reply = &world->reply.topup_reply;
    uint64_t transfer;
    struct posting_row posting;

    assert_int_equal(topup(world, contractor, 5000, "pay-1"), ZR_STATUS_OK);
    assert_int_equal(reverse(world, contractor, 5000, "pay-1"), ZR_STATUS_OK);
    transfer = reply->transfer_id;
    assert_int_equal(reply->posted_cents, 0);
    assert_true(state_posting_get(&world->state, transfer, &posting));
    assert_int_equal(posting.debit, ZR_ACCOUNT_MAIN);
    assert_int_equal(posting.credit, ZR_ACCOUNT_CLEARING);
    assert_int_equal(posting.kind, ZR_TRANSFER_TOPUP_REVERSAL);
    assert_int_equal(reverse(world, contractor, 5000, "pay-1"), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(reply->transfer_id, transfer);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
    /* The reference stays used: its top-up does not come back by being told again. */
    assert_int_equal(topup(world, contractor, 5000, "pay-1"), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 0);
}

static void
test_reversal_refusals(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint32_t other = dw_contractor(world, 0);

    assert_int_equal(topup(world, contractor, 5000, "pay-1"), ZR_STATUS_OK);
    assert_int_equal(reverse(world, contractor, 5000, ""), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(reverse(world, contractor, 5000, "pay-2"), ZR_STATUS_NOT_FOUND);
    assert_int_equal(reverse(world, contractor, 4999, "pay-1"), ZR_STATUS_DUPLICATE_REF);
    assert_int_equal(reverse(world, other, 5000, "pay-1"), ZR_STATUS_DUPLICATE_REF);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 5000);
    state_reversal_put(&world->state, "pay-1", 4242); /* Its transfer is gone: no second one. */
    assert_int_equal(reverse(world, contractor, 5000, "pay-1"), ZR_STATUS_INTERNAL);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 5000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_a_reference_credits_once),
        DW_TEST(test_a_reference_for_something_else_is_refused),
        DW_TEST(test_topup_refusals),
        DW_TEST(test_a_reference_without_its_transfer_credits_nothing),
        DW_TEST(test_a_top_up_is_reversed_once),
        DW_TEST(test_reversal_refusals),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
