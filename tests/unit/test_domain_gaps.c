/*
 * test_domain_gaps.c - rows that should be there and are not: what a damaged disk shows a rule.
 *
 * Storage refuses such a batch as a whole (domain/state.h), but a rule runs to its end first: it
 * must not stop the server, ring anybody, move money or walk out of bounds.
 */
#include "server/domain/call.h"
#include "server/domain/settlement.h"
#include "tests/lib/domain_world.h"

#include <string.h>

enum { LOST = 999, LOST_CATEGORY = 77 };

/* A slot of a category that is gone, with a claim of that contractor; returns the claim. */
static uint64_t
put_claim(struct domain_world *world, uint16_t category, uint32_t contractor, uint8_t title)
{
    const uint64_t claim_id = state_counter_next(&world->state, COUNTER_CLAIM_SEQ);
    const struct claim_row claim = {.zip = DW_ZIP,
                                    .contractor = contractor,
                                    .category = category,
                                    .state = ZR_CLAIM_LIVE,
                                    .title = title};
    struct slot_row slot;

    state_slot_get(&world->state, DW_ZIP, category, &slot);
    slot_append(&slot, claim_id, contractor, title);
    if (title == ZR_TITLE_PRIMARY) {
        slot.title_state = ZR_TITLE_STATE_HELD;
    }
    state_slot_put(&world->state, DW_ZIP, category, &slot);
    state_claim_put(&world->state, claim_id, &claim);
    return claim_id;
}

static uint16_t
release(struct domain_world *world, uint64_t claim_id)
{
    const struct zr_release_request request = {.claim_id = claim_id, .when = ZR_RELEASE_NOW};

    return dw_run(world, dw_portal, ZR_OP_RELEASE, &request);
}

/* A claim of nobody cannot be released, and a backup who is gone inherits nothing. */
static void
test_claims_of_a_lost_contractor(void **state)
{
    struct domain_world *world = *state;
    const struct zr_slot_get_request get = {.zip = DW_ZIP, .category = DW_CATEGORY};
    const uint32_t holder = dw_contractor(world, 0);
    const uint64_t primary = dw_claim(world, holder)->claim_id;
    const uint64_t lost = put_claim(world, DW_CATEGORY, LOST, ZR_TITLE_BACKUP);

    assert_int_equal(release(world, lost), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_SLOT_GET, &get), ZR_STATUS_OK);
    assert_int_equal(world->reply.slot_get_reply.claims[1].contractor, 0);
    assert_int_equal(release(world, primary), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_state_reply.promoted_claim_id, 0);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_OPEN);
}

/* A slot whose category is gone has no price: rate 0 in lists, and nothing asked of an heir. */
static void
test_slots_of_a_lost_category(void **state)
{
    struct domain_world *world = *state;
    const struct zr_claims_list_reply *reply = &world->reply.claims_list_reply;
    const uint32_t holder = dw_contractor(world, 0);
    const uint32_t heir = dw_contractor(world, 0);
    const struct zr_claims_list_request list = {.contractor = heir};
    const uint64_t primary = put_claim(world, LOST_CATEGORY, holder, ZR_TITLE_PRIMARY);
    const uint64_t backup = put_claim(world, LOST_CATEGORY, heir, ZR_TITLE_BACKUP);
    struct contractor_row row;

    assert_true(state_contractor_get(&world->state, holder, &row));
    row.claims = 1;
    state_contractor_put(&world->state, holder, &row);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIMS_LIST, &list), ZR_STATUS_OK);
    assert_int_equal(reply->claims[0].rank, 2);
    assert_int_equal(reply->claims[0].rate_cents, 0);
    dw_policy_without_offers(world);
    assert_int_equal(release(world, primary), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_state_reply.promoted_claim_id, backup);
    assert_int_equal(dw_wallet(world, heir).rate_max_cents, 0);
}

/* A claim that its slot does not know cannot end: that is a bug, not a story. */
static void
test_a_claim_outside_its_slot_is_a_bug(void **state)
{
    struct domain_world *world = *state;
    const uint32_t holder = dw_contractor(world, 0);
    const uint64_t claim_id = dw_claim(world, holder)->claim_id;
    const struct zr_pause_request pausing = {.claim_id = claim_id};
    const struct slot_row empty = {.title_state = ZR_TITLE_STATE_VACANT};

    state_slot_put(&world->state, DW_ZIP, DW_CATEGORY, &empty);
    expect_assert_failure((void)dw_run(world, dw_portal, ZR_OP_PAUSE, &pausing));
    expect_assert_failure((void)release(world, claim_id));
}

/* A number that no contractor has is passed over. */
static void
test_a_gap_between_contractors(void **state)
{
    struct domain_world *world = *state;
    const struct zr_contractor_list_request list = {0};

    (void)dw_contractor(world, 0);
    (void)state_counter_next(&world->state, COUNTER_CONTRACTOR);
    (void)dw_contractor(world, 0);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_LIST, &list), ZR_STATUS_OK);
    assert_int_equal(world->reply.contractor_list_reply.contractors_count, 2);
}

/* A chain of transfers that breaks off ends there: no row from nowhere, nothing credited. */
static void
test_a_broken_chain_of_transfers(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct zr_ledger_list_request list = {.contractor = contractor};
    const struct command command = {.seq = 5, .time_ms = DW_START_MS};
    struct wallet_row wallet = {.last_transfer = LOST};
    const struct zr_id call_ref = dw_id(world);

    state_wallet_put(&world->state, contractor, &wallet);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_LEDGER_LIST, &list), ZR_STATUS_OK);
    assert_int_equal(world->reply.ledger_list_reply.entries_count, 0);
    ledger_credit_charge(
        &world->state, &command, &wallet,
        &(struct ledger_entry){.amount_cents = 1, .contractor = contractor, .call_ref = call_ref},
        0);
    assert_int_equal(wallet.main_cents, 0);
}

/* An index entry without its call: there is no such call. */
static void
test_a_lost_call(void **state)
{
    struct domain_world *world = *state;
    const struct zr_id id = dw_id(world);
    const struct zr_id call_ref = dw_id(world);
    const struct zr_call_get_request request = {.call_id = id};

    state_call_bind(&world->state, DW_SWITCH_TENANT, &id, &call_ref);
    assert_int_equal(dw_run(world, dw_switch, ZR_OP_CALL_GET, &request), ZR_STATUS_NOT_FOUND);
}

/* A leg of a contractor who is gone is nobody's to see; the call's own tenant still sees it. */
static void
test_a_leg_of_a_lost_contractor(void **state)
{
    struct domain_world *world = *state;
    const uint32_t lost = LOST;
    const struct ticket ticket = dw_ticket(world, &lost, 1);
    const struct zr_call_get_request by_id = {.call_id = ticket.call_id};
    const struct zr_call_get_request by_ref = {.call_ref = ticket.call_ref};
    struct call_view call;

    call_begin(&call, &ticket);
    assert_non_null(call_leg_begin(&call.row, &ticket, &ticket.candidates[0]));
    call_put(&world->state, &call);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CALL_GET, &by_ref), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, dw_switch, ZR_OP_CALL_GET, &by_id), ZR_STATUS_OK);
    assert_int_equal(world->reply.call_get_reply.legs_count, 1);
}

/* Two charges of one caller, credited newest first: the older one finds its entry gone already. */
static void
test_a_duplicate_entry_that_is_gone(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    const struct zr_end_request machine = {.voicemail = true};
    struct zr_policy policy = dw_policy_default();
    struct ticket tickets[2];

    policy.dup_days = 0;
    policy.duration_check = ZR_DURATION_FLAG;
    dw_policy(world, &policy);
    for (int i = 0; i < 2; i++) {
        tickets[i] = dw_ticket(world, &contractor, 1);
        assert_int_equal(dw_connect(world, &tickets[i], 0), ZR_STATUS_OK);
        assert_int_equal(dw_qualify(world, &tickets[i], 30000), ZR_STATUS_OK);
    }
    for (int i = 1; i >= 0; i--) {
        assert_int_equal(dw_end(world, &tickets[i], NULL, machine), ZR_STATUS_OK);
        assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CREDITED);
    }
    assert_int_equal(dw_wallet(world, contractor).main_cents, 9000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_claims_of_a_lost_contractor),
        DW_TEST(test_slots_of_a_lost_category),
        DW_TEST(test_a_claim_outside_its_slot_is_a_bug),
        DW_TEST(test_a_gap_between_contractors),
        DW_TEST(test_a_broken_chain_of_transfers),
        DW_TEST(test_a_lost_call),
        DW_TEST(test_a_leg_of_a_lost_contractor),
        DW_TEST(test_a_duplicate_entry_that_is_gone),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
