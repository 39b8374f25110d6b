/*
 * test_domain_claim.c - CLAIM and the reads of claims and slots (R4, R43, R46, R48, M2, I1-I5).
 */
#include "tests/lib/domain_world.h"

#include <string.h>

/* Contractors of a table: who asks. */
enum who { FRESH, HOLDER, PENDING, FOREIGN, NOBODY, WHO };

static struct zr_claim_request
claim_of(uint32_t contractor, uint32_t zip, uint16_t category)
{
    return (struct zr_claim_request){
        .contractor = contractor, .slots = {{zip, category}}, .slots_count = 1};
}

static uint16_t
run_claim(struct domain_world *world, const struct zr_claim_request *request)
{
    return dw_run(world, dw_portal, ZR_OP_CLAIM, request);
}

static const struct zr_claim_result *
result(const struct domain_world *world, int i)
{
    return &world->reply.claim_reply.results[i];
}

/* Network policy with this many positions. */
static void
set_positions(struct domain_world *world, uint8_t positions)
{
    struct zr_policy policy = dw_policy_default();

    policy.max_positions = positions;
    dw_policy(world, &policy);
}

/* ---- the first claim, and the ones behind it ---------------------------------------------- */

/* R46, R48, E1: first come, first primary; then ranks 2, 3 ... with the rates of their ranks. */
static void
test_ranks_follow_commit_order(void **state)
{
    static const int64_t rates[] = {DW_RATE, DW_RATE_2, DW_RATE_3, DW_RATE_3};
    struct domain_world *world = *state;
    uint64_t before = 0;

    for (uint16_t i = 0; i < 4; i++) {
        const uint32_t contractor = dw_contractor(world, 0);
        const struct zr_claim_result *claim = dw_claim(world, contractor);

        assert_int_equal(claim->status, ZR_STATUS_OK);
        assert_int_equal(claim->rank, i + 1);
        assert_int_equal(claim->title, i == 0 ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP);
        assert_int_equal(claim->rate_cents, rates[i]);
        assert_true(claim->seq > before); /* I2 */
        assert_int_equal(claim->claim_id, claim->seq);
        assert_int_equal(world->reply.claim_reply.commit_seq, world->command_seq);
        before = claim->seq;
    }
    assert_int_equal(dw_slot(world).claims_count, 4);
}

/* R3, R7, R23: many slots in one CLAIM, each with its own rank; claims held before do not move. */
static void
test_one_claim_takes_many_slots(void **state)
{
    struct domain_world *world = *state;
    const uint32_t first = dw_contractor(world, 0);
    const uint32_t second = dw_contractor(world, 0);
    struct zr_claim_request request = claim_of(second, DW_ZIP, DW_CATEGORY);
    struct contractor_row row;
    struct claim_row claim;

    assert_int_equal(dw_claim(world, first)->rank, 1);
    request.slots[1] = (struct zr_slot_key){DW_ZIP, DW_CATEGORY_2};
    request.slots[2] = (struct zr_slot_key){DW_ZIP_2, DW_CATEGORY};
    request.slots_count = 3;
    request.accept_backup = true;
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_reply.results_count, 3);
    assert_int_equal(result(world, 0)->rank, 2);
    assert_int_equal(result(world, 1)->rank, 1);
    assert_int_equal(result(world, 2)->rank, 1);
    assert_true(state_contractor_get(&world->state, second, &row));
    assert_int_equal(row.claims, 3);
    assert_true(state_claim_get(&world->state, 1, &claim));
    assert_int_equal(claim.title, ZR_TITLE_PRIMARY);
    assert_int_equal(claim.contractor, first);
    assert_true(claim.claimed_ms == DW_START_MS);
}

/* ---- refusals in precedence order --------------------------------------------------------- */

/*
 * protocol.md "Status": each row breaks its own rule and all those below it that it can. SLOT_FULL
 * where there are positions, SLOT_TAKEN where max_positions is 1 (exclusive, R4) or without
 * accept_backup (R43).
 */
static void
test_refusals_in_precedence_order(void **state)
{
    static const struct {
        enum who who;
        uint32_t zip;
        uint16_t category;
        uint8_t positions;
        bool accept_backup;
        uint16_t expected;
    } rows[] = {
        {NOBODY, DW_ZIP_UNKNOWN, 77, 1, false, ZR_STATUS_NOT_FOUND},
        {FOREIGN, DW_ZIP_UNKNOWN, 77, 1, false, ZR_STATUS_NOT_FOUND},
        {PENDING, DW_ZIP_UNKNOWN, 77, 1, false, ZR_STATUS_UNKNOWN_ZIP},
        {PENDING, DW_ZIP, 77, 1, false, ZR_STATUS_NOT_OFFERED},
        {PENDING, DW_ZIP_BOX, DW_CATEGORY, 1, false, ZR_STATUS_NOT_OFFERED}, /* R8 */
        {PENDING, DW_ZIP, DW_CATEGORY, 1, false, ZR_STATUS_NOT_APPROVED},    /* R1 */
        {HOLDER, DW_ZIP, DW_CATEGORY, 1, false, ZR_STATUS_ALREADY_CLAIMED},  /* E6 */
        {HOLDER, DW_ZIP, DW_CATEGORY, 8, true, ZR_STATUS_ALREADY_CLAIMED},
        {FRESH, DW_ZIP, DW_CATEGORY, 1, false, ZR_STATUS_SLOT_TAKEN},
        {FRESH, DW_ZIP, DW_CATEGORY, 1, true, ZR_STATUS_SLOT_TAKEN},
        {FRESH, DW_ZIP, DW_CATEGORY, 2, false, ZR_STATUS_SLOT_FULL},
        {FRESH, DW_ZIP, DW_CATEGORY, 2, true, ZR_STATUS_SLOT_FULL},
        {FRESH, DW_ZIP, DW_CATEGORY, 3, false, ZR_STATUS_SLOT_TAKEN},
        {FRESH, DW_ZIP, DW_CATEGORY, 3, true, ZR_STATUS_OK},
    };
    struct domain_world *world = *state;
    uint32_t contractors[WHO] = {[NOBODY] = 1000};
    struct contractor_row row;

    for (int who = FRESH; who <= FOREIGN; who++) {
        contractors[who] = dw_contractor(world, 0);
    }
    dw_set_status(world, contractors[PENDING], ZR_CONTRACTOR_PENDING);
    assert_true(state_contractor_get(&world->state, contractors[FOREIGN], &row));
    row.tenant++;
    state_contractor_put(&world->state, contractors[FOREIGN], &row);
    (void)dw_claim(world, dw_contractor(world, 0));
    (void)dw_claim(world, contractors[HOLDER]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zr_claim_request request =
            claim_of(contractors[rows[i].who], rows[i].zip, rows[i].category);

        request.accept_backup = rows[i].accept_backup;
        set_positions(world, rows[i].positions);
        assert_int_equal(run_claim(world, &request), rows[i].expected);
        assert_int_equal(world->state.changed, rows[i].expected == ZR_STATUS_OK);
        if (rows[i].expected != ZR_STATUS_NOT_FOUND) {
            assert_int_equal(result(world, 0)->status, rows[i].expected);
        }
    }
}

/* R43: a primary alone is enough for "taken"; nobody becomes backup #2 by surprise. */
static void
test_nobody_is_a_backup_unasked(void **state)
{
    struct domain_world *world = *state;
    struct zr_claim_request request;

    (void)dw_claim(world, dw_contractor(world, 0));
    request = claim_of(dw_contractor(world, 0), DW_ZIP, DW_CATEGORY);
    assert_int_equal(run_claim(world, &request), ZR_STATUS_SLOT_TAKEN);
    assert_false(world->state.changed);
    request.accept_backup = true;
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    assert_int_equal(result(world, 0)->rank, 2);
}

/* E6: the answer names the claim that is held, with its rank today. */
static void
test_already_claimed_names_the_claim(void **state)
{
    struct domain_world *world = *state;
    const uint32_t holder = dw_contractor(world, 0);

    (void)dw_claim(world, dw_contractor(world, 0));
    (void)dw_claim(world, holder);
    assert_int_equal(dw_claim(world, holder)->status, ZR_STATUS_ALREADY_CLAIMED);
    assert_int_equal(result(world, 0)->claim_id, 2);
    assert_int_equal(result(world, 0)->rank, 2);
    assert_int_equal(result(world, 0)->title, ZR_TITLE_BACKUP);
    assert_int_equal(result(world, 0)->rate_cents, DW_RATE_2);
}

/* I4: lowering max_positions keeps the claims that are there, and lets nobody else in. */
static void
test_lower_positions_keep_the_claims(void **state)
{
    struct domain_world *world = *state;

    for (int i = 0; i < 4; i++) {
        (void)dw_claim(world, dw_contractor(world, 0));
    }
    set_positions(world, 2);
    assert_int_equal(dw_claim(world, dw_contractor(world, 0))->status, ZR_STATUS_SLOT_FULL);
    assert_int_equal(dw_slot(world).claims_count, 4);
}

/* E1: 32 positions take 32 claims, and not one more. */
static void
test_a_slot_holds_its_bound(void **state)
{
    struct domain_world *world = *state;

    set_positions(world, SLOT_CLAIMS_MAX);
    for (int i = 1; i <= SLOT_CLAIMS_MAX; i++) {
        assert_int_equal(dw_claim(world, dw_contractor(world, 0))->rank, i);
    }
    assert_int_equal(dw_claim(world, dw_contractor(world, 0))->status, ZR_STATUS_SLOT_FULL);
}

/* ---- several slots ------------------------------------------------------------------------ */

/* R3: best effort takes what it can; each slot has its own answer, in the order asked. */
static void
test_best_effort_takes_what_it_can(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_claim_request request = claim_of(contractor, DW_ZIP_UNKNOWN, DW_CATEGORY);

    request.slots[1] = (struct zr_slot_key){DW_ZIP, DW_CATEGORY};
    request.slots_count = 2;
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    assert_int_equal(result(world, 0)->status, ZR_STATUS_UNKNOWN_ZIP);
    assert_int_equal(result(world, 0)->claim_id, 0);
    assert_int_equal(result(world, 1)->status, ZR_STATUS_OK);
    /* Nothing left to take: the first refusal is the answer. */
    assert_int_equal(run_claim(world, &request), ZR_STATUS_UNKNOWN_ZIP);
    assert_int_equal(result(world, 1)->status, ZR_STATUS_ALREADY_CLAIMED);
    assert_int_equal(result(world, 1)->rank, 1);
}

/* E5: all or none; what would have been granted says that it was not. */
static void
test_all_or_none(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_claim_request request = claim_of(contractor, DW_ZIP, DW_CATEGORY);

    request.slots[1] = (struct zr_slot_key){DW_ZIP_BOX, DW_CATEGORY};
    request.slots[2] = (struct zr_slot_key){DW_ZIP_UNKNOWN, DW_CATEGORY};
    request.slots_count = 3;
    request.all_or_none = true;
    assert_int_equal(run_claim(world, &request), ZR_STATUS_NOT_OFFERED);
    assert_false(world->state.changed);
    assert_int_equal(result(world, 0)->status, ZR_STATUS_ALL_OR_NONE);
    assert_int_equal(result(world, 0)->claim_id, 0);
    assert_int_equal(result(world, 1)->status, ZR_STATUS_NOT_OFFERED);
    assert_int_equal(result(world, 2)->status, ZR_STATUS_UNKNOWN_ZIP);
    request.slots[1] = (struct zr_slot_key){DW_ZIP_2, DW_CATEGORY};
    request.slots_count = 2;
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    assert_int_equal(result(world, 1)->rank, 1);
}

/* At least one slot, none twice; the same ZIP with another category is another slot. */
static void
test_slots_of_a_request(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_claim_request request = claim_of(contractor, DW_ZIP, DW_CATEGORY);

    request.slots_count = 0;
    assert_int_equal(run_claim(world, &request), ZR_STATUS_INVALID_FIELD);
    assert_int_not_equal(world->effects.detail, 0);
    request.slots[1] = (struct zr_slot_key){DW_ZIP_2, DW_CATEGORY};
    request.slots[2] = (struct zr_slot_key){DW_ZIP, DW_CATEGORY};
    request.slots_count = 3;
    assert_int_equal(run_claim(world, &request), ZR_STATUS_INVALID_FIELD);
    request.slots[2] = (struct zr_slot_key){DW_ZIP, DW_CATEGORY_2};
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    assert_int_equal(dw_claim(world, contractor)->status, ZR_STATUS_ALREADY_CLAIMED);
}

/* ---- the OPEN slot (M2) -------------------------------------------------------------------- */

/* The primary leaves, and no backup can pay for the title: the slot is OPEN. */
static void
make_open_slot(struct domain_world *world, uint32_t backups[2])
{
    const uint32_t primary = dw_contractor(world, 0);
    const uint64_t claim_id = dw_claim(world, primary)->claim_id;
    const struct zr_release_request release = {.claim_id = claim_id, .when = ZR_RELEASE_NOW};

    dw_policy_without_offers(world);
    for (int i = 0; i < 2; i++) {
        backups[i] = dw_contractor(world, 0);
        assert_int_equal(dw_claim(world, backups[i])->status, ZR_STATUS_OK);
    }
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_RELEASE, &release), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_OPEN);
}

/* E6, E69, M2 (c): a live backup takes the title; claim and seq stay, and it asks for no consent.
 */
static void
test_a_live_backup_takes_an_open_title(void **state)
{
    struct domain_world *world = *state;
    uint32_t backups[2];
    struct zr_claim_request request;
    struct contractor_row row;
    struct claim_row claim;

    make_open_slot(world, backups);
    request = claim_of(backups[1], DW_ZIP, DW_CATEGORY);
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    assert_int_equal(result(world, 0)->claim_id, 3);
    assert_int_equal(result(world, 0)->rank, 1);
    assert_int_equal(result(world, 0)->title, ZR_TITLE_PRIMARY);
    assert_int_equal(result(world, 0)->rate_cents, DW_RATE);
    assert_true(state_claim_get(&world->state, 3, &claim));
    assert_int_equal(claim.title, ZR_TITLE_PRIMARY);
    assert_true(state_contractor_get(&world->state, backups[1], &row));
    assert_int_equal(row.claims, 1);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_HELD);
    assert_int_equal(dw_slot(world).claims[0].contractor, backups[0]); /* Seq order stays. */
    assert_int_equal(run_claim(world, &request), ZR_STATUS_ALREADY_CLAIMED);
    request.contractor = backups[0];
    assert_int_equal(run_claim(world, &request), ZR_STATUS_ALREADY_CLAIMED);
}

/* M5: DRY is below the rate of every claim, so the title's rate counts once it is taken. */
static void
test_a_taken_title_counts_at_its_new_rate(void **state)
{
    struct domain_world *world = *state;
    uint32_t backups[2];

    make_open_slot(world, backups);
    assert_int_equal(dw_wallet(world, backups[0]).rate_min_cents, DW_RATE_2);
    assert_int_equal(dw_claim(world, backups[0])->rank, 1);
    assert_int_equal(dw_wallet(world, backups[0]).rate_min_cents, DW_RATE);
    assert_int_equal(dw_wallet(world, backups[0]).rate_max_cents, DW_RATE);
}

/* M2 (c): an outsider may be first; he is primary at the tail, the backups keep their places. */
static void
test_an_outsider_takes_an_open_title(void **state)
{
    struct domain_world *world = *state;
    const uint32_t outsider = dw_contractor(world, 0);
    uint32_t backups[2];
    struct zr_claim_request request = claim_of(outsider, DW_ZIP, DW_CATEGORY);
    struct slot_row slot;

    make_open_slot(world, backups);
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    slot = dw_slot(world);
    assert_int_equal(slot_find_primary(&slot), 2);
    assert_int_equal(slot.title_state, ZR_TITLE_STATE_HELD);
    assert_int_equal(slot_rank(&slot, 0), 2);
    assert_int_equal(slot_rank(&slot, 1), 3);
    request.contractor = backups[0];
    assert_int_equal(run_claim(world, &request), ZR_STATUS_ALREADY_CLAIMED);
}

/* I4 binds the outsider also when the slot is OPEN; a live backup is in already. */
static void
test_an_open_slot_can_be_full(void **state)
{
    struct domain_world *world = *state;
    uint32_t backups[2];

    make_open_slot(world, backups);
    set_positions(world, 2);
    assert_int_equal(dw_claim(world, dw_contractor(world, 0))->status, ZR_STATUS_SLOT_FULL);
    set_positions(world, 1);
    assert_int_equal(dw_claim(world, dw_contractor(world, 0))->status, ZR_STATUS_SLOT_TAKEN);
    assert_int_equal(dw_claim(world, backups[0])->rank, 1);
}

/* ---- rates of the wallet -------------------------------------------------------------------- */

/* M5: the dearest and the cheapest live claim; a claim between them changes neither. */
static void
test_claims_widen_the_rates_of_the_wallet(void **state)
{
    struct domain_world *world = *state;
    const uint32_t holder = dw_contractor(world, 0);
    const uint32_t other = dw_contractor(world, 0);
    struct zr_claim_request request = claim_of(holder, DW_ZIP, DW_CATEGORY);

    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    request = claim_of(other, DW_ZIP_2, DW_CATEGORY_2);
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, other).rate_min_cents, DW_RATE);
    assert_int_equal(dw_claim(world, other)->rank, 2);
    assert_int_equal(dw_wallet(world, other).rate_max_cents, DW_RATE);
    assert_int_equal(dw_wallet(world, other).rate_min_cents, DW_RATE_2);
    request = claim_of(other, DW_ZIP, DW_CATEGORY_2);
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, other).rate_max_cents, DW_RATE);
    assert_int_equal(dw_wallet(world, other).rate_min_cents, DW_RATE_2);
    request = claim_of(holder, DW_ZIP_2, DW_CATEGORY_2);
    request.accept_backup = true;
    assert_int_equal(run_claim(world, &request), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, holder).rate_min_cents, DW_RATE_2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_ranks_follow_commit_order),
        DW_TEST(test_one_claim_takes_many_slots),
        DW_TEST(test_refusals_in_precedence_order),
        DW_TEST(test_nobody_is_a_backup_unasked),
        DW_TEST(test_already_claimed_names_the_claim),
        DW_TEST(test_lower_positions_keep_the_claims),
        DW_TEST(test_a_slot_holds_its_bound),
        DW_TEST(test_best_effort_takes_what_it_can),
        DW_TEST(test_all_or_none),
        DW_TEST(test_slots_of_a_request),
        DW_TEST(test_a_live_backup_takes_an_open_title),
        DW_TEST(test_a_taken_title_counts_at_its_new_rate),
        DW_TEST(test_an_outsider_takes_an_open_title),
        DW_TEST(test_an_open_slot_can_be_full),
        DW_TEST(test_claims_widen_the_rates_of_the_wallet),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
