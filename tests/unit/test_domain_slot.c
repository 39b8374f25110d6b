/*
 * test_domain_slot.c - ranks in a slot, and what a rank costs (R4, R48, R53, I1-I3).
 */
#include "server/domain/pricing.h"
#include "server/domain/slot.h"
#include "tests/lib/domain_world.h"

#include <string.h>

enum { ROUNDS = 2000 };

/* The title_state of a slot that nobody is offered. */
static void
title_follow(struct slot_row *slot)
{
    if (slot_find_primary(slot) != SLOT_NO_CLAIM) {
        slot->title_state = ZR_TITLE_STATE_HELD;
    } else {
        slot_end_chain(slot);
    }
}

/* Backups of contractors 1..count in seq order; `primary` is an index or SLOT_NO_CLAIM. */
static struct slot_row
slot_of(int count, int primary)
{
    struct slot_row slot = {0};

    for (int i = 0; i < count; i++) {
        slot_append(&slot, (uint64_t)i + 100, (uint32_t)i + 1,
                    i == primary ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP);
    }
    title_follow(&slot);
    return slot;
}

/* ---- ranks ------------------------------------------------------------------------------ */

/* R48, I3: rank 1 is the PRIMARY's only, wherever it stands; backups are 2, 3 ... in seq order. */
static void
test_ranks_are_dense_with_the_primary_anywhere(void **state)
{
    (void)state;

    for (int primary = 0; primary < 5; primary++) {
        const struct slot_row slot = slot_of(5, primary);
        uint16_t backup = 2;

        for (int i = 0; i < 5; i++) {
            assert_int_equal(slot_rank(&slot, i), i == primary ? 1 : backup);
            backup = (uint16_t)(backup + (i != primary));
        }
    }
}

/* M2: also while the title is vacant backups start at 2. */
static void
test_a_vacant_title_keeps_rank_1_free(void **state)
{
    const struct slot_row slot = slot_of(3, SLOT_NO_CLAIM);

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(slot_rank(&slot, i), i + 2);
        assert_int_equal(slot_in_order(&slot, i), i);
    }
}

/* R47: the primary is first in the cascade, the others follow by rank. */
static void
test_the_cascade_is_in_rank_order(void **state)
{
    (void)state;

    for (int primary = -1; primary < 6; primary++) {
        const struct slot_row slot = slot_of(6, primary);

        for (int place = 0; place < 6; place++) {
            const int index = slot_in_order(&slot, place);

            assert_int_equal(slot_rank(&slot, index), place + (primary < 0 ? 2 : 1));
        }
    }
}

/* R48: who leaves leaves no gap, and nobody overtakes. */
static void
test_removal_closes_the_gap_and_keeps_the_order(void **state)
{
    struct slot_row slot = slot_of(4, 0);

    (void)state;
    slot_remove(&slot, 1);
    assert_int_equal(slot.claims_count, 3);
    assert_int_equal(slot.claims[1].contractor, 3);
    assert_int_equal(slot_rank(&slot, 1), 2);
    assert_int_equal(slot_rank(&slot, 2), 3);
    slot_remove(&slot, 2);
    slot_remove(&slot, 0);
    assert_int_equal(slot_rank(&slot, 0), 2);
    slot_remove(&slot, 0);
    assert_int_equal(slot.claims_count, 0);
    title_follow(&slot);
    slot_check(&slot);
}

static void
test_claims_are_found_by_holder_and_id(void **state)
{
    const struct slot_row slot = slot_of(3, 1);
    const struct slot_row empty = {0};

    (void)state;
    assert_int_equal(slot_find_primary(&slot), 1);
    assert_int_equal(slot_find_contractor(&slot, 3), 2);
    assert_int_equal(slot_find_contractor(&slot, 4), SLOT_NO_CLAIM);
    assert_int_equal(slot_find_claim(&slot, 100), 0);
    assert_int_equal(slot_find_claim(&slot, 99), SLOT_NO_CLAIM);
    assert_int_equal(slot_find_primary(&empty), SLOT_NO_CLAIM);
}

/* Random appends and removals against a plain model: order, ranks, I1, I2 stay. */
static void
test_random_walks_keep_the_invariants(void **state)
{
    uint64_t seed = test_seed();
    struct slot_row slot = {0};
    uint64_t next_claim = 1;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const bool vacant = slot_find_primary(&slot) == SLOT_NO_CLAIM;

        if (slot.claims_count < SLOT_CLAIMS_MAX && test_random_below(&seed, 3) != 0) {
            const uint8_t title =
                vacant && test_random_below(&seed, 2) != 0 ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP;

            slot_append(&slot, next_claim, (uint32_t)next_claim, title);
            next_claim++;
        } else if (slot.claims_count > 0) {
            slot_remove(&slot, (int)test_random_below(&seed, slot.claims_count));
        }
        title_follow(&slot);
        slot_check(&slot);
        for (int place = 1; place < slot.claims_count; place++) {
            assert_int_equal(slot_rank(&slot, slot_in_order(&slot, place)),
                             slot_rank(&slot, slot_in_order(&slot, place - 1)) + 1);
        }
    }
}

/* ---- same cascade (R41) ------------------------------------------------------------------ */

static void
test_the_same_cascade_is_who_rings_in_which_order_at_which_rank(void **state)
{
    struct slot_row left = slot_of(3, 0);
    struct slot_row right = slot_of(3, 0);

    (void)state;
    right.claims[0].claim_id = 1; /* Whose claim it is counts, not its number. */
    assert_true(slot_same_cascade(&left, &right));
    right.claims[2].paused = 1;
    assert_false(slot_same_cascade(&left, &right));
    right = slot_of(2, 0);
    assert_false(slot_same_cascade(&left, &right));
    right = slot_of(3, 1);
    assert_false(slot_same_cascade(&left, &right));
    right = slot_of(3, SLOT_NO_CLAIM); /* The same people, but at the ranks of backups. */
    assert_false(slot_same_cascade(&left, &right));
    left = slot_of(0, SLOT_NO_CLAIM);
    right = slot_of(0, SLOT_NO_CLAIM);
    assert_true(slot_same_cascade(&left, &right));
}

/* ---- the negative space ----------------------------------------------------------------- */

static void
test_bad_arguments_are_bugs(void **state)
{
    struct slot_row slot = slot_of(2, 0);
    struct slot_row full = slot_of(SLOT_CLAIMS_MAX, 0);

    (void)state;
    expect_assert_failure((void)slot_rank(&slot, -1));
    expect_assert_failure((void)slot_rank(&slot, 2));
    expect_assert_failure((void)slot_in_order(&slot, -1));
    expect_assert_failure((void)slot_in_order(&slot, 2));
    expect_assert_failure(slot_remove(&slot, -1));
    expect_assert_failure(slot_remove(&slot, 2));
    expect_assert_failure(slot_append(&slot, 200, 2, ZR_TITLE_BACKUP));
    expect_assert_failure(slot_append(&full, 200, 200, ZR_TITLE_BACKUP));
}

/* Rows that no rule may write: a second primary (I1), seqs out of order (I2), nobody's claim. */
static void
test_a_broken_row_does_not_pass(void **state)
{
    struct slot_row slot = slot_of(3, 0);

    (void)state;
    slot.claims[2].title = ZR_TITLE_PRIMARY;
    expect_assert_failure(slot_check(&slot));
    slot = slot_of(3, 0);
    slot.claims[1].claim_id = slot.claims[2].claim_id;
    expect_assert_failure(slot_check(&slot));
    slot = slot_of(3, 0);
    slot.claims[1].contractor = 0;
    expect_assert_failure(slot_check(&slot));
    slot.claims_count = SLOT_CLAIMS_MAX + 1;
    expect_assert_failure(slot_check(&slot));
    slot = slot_of(3, 0);
    slot.claims[2].contractor = slot.claims[1].contractor;
    expect_assert_failure(slot_check(&slot));
}

/* title_state, offer and reservation must agree with the claims (M2). */
static void
test_a_title_state_fits_its_claims(void **state)
{
    /* In the order in which a row reads best.
     * NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
    static const struct {
        int claims;
        int primary;
        uint8_t title_state;
        uint64_t offer_claim_id; /* Of the pending offer, 0 = none. */
        bool reserved;
        uint16_t waiting;
        bool sound;
    } rows[] = {
        {0, -1, ZR_TITLE_STATE_VACANT, 0, false, 0, true},
        {0, -1, ZR_TITLE_STATE_VACANT, 0, true, 1, true},
        {0, -1, ZR_TITLE_STATE_VACANT, 0, true, 0, false},
        {1, -1, ZR_TITLE_STATE_VACANT, 0, false, 0, false},
        {2, 1, ZR_TITLE_STATE_HELD, 0, true, 3, true},
        {2, -1, ZR_TITLE_STATE_HELD, 0, false, 0, false},
        {2, 1, ZR_TITLE_STATE_HELD, 100, false, 0, false},
        {2, -1, ZR_TITLE_STATE_OFFERED, 101, false, 2, true},
        {2, -1, ZR_TITLE_STATE_OFFERED, 0, false, 0, false},
        {2, -1, ZR_TITLE_STATE_OFFERED, 102, false, 0, false}, /* It has left. */
        {2, 0, ZR_TITLE_STATE_OFFERED, 101, false, 0, false},
        {2, -1, ZR_TITLE_STATE_OPEN, 0, false, 0, true},
        {2, -1, ZR_TITLE_STATE_OPEN, 100, false, 0, false},
        {2, 0, ZR_TITLE_STATE_OPEN, 0, false, 0, false},
        {0, -1, ZR_TITLE_STATE_OPEN, 0, false, 0, false},
        {0, -1, 0, 0, false, 0, false},
        {0, -1, ZR_TITLE_STATE_OPEN + 1, 0, false, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slot_row slot = slot_of(rows[i].claims, rows[i].primary);

        slot.title_state = rows[i].title_state;
        slot.waiting = rows[i].waiting;
        if (rows[i].offer_claim_id != 0) {
            slot.offer_id = 1;
            slot.offer_deadline_ms = 1;
            slot.offer_claim_id = rows[i].offer_claim_id;
            slot.chain_claim_id = rows[i].offer_claim_id;
        }
        if (rows[i].reserved) {
            slot.reserved_contractor = 9;
            slot.reserved_deadline_ms = 1;
        }
        if (rows[i].sound) {
            slot_check(&slot);
        } else {
            expect_assert_failure(slot_check(&slot));
        }
    }
}

/* R42: what an outsider's CLAIM would yield. */
static void
test_the_map_sees_taken_and_full(void **state)
{
    struct slot_row slot = slot_of(2, SLOT_NO_CLAIM);

    (void)state;
    assert_false(slot_is_taken(&slot)); /* OPEN */
    assert_false(slot_is_full(&slot, 3));
    assert_true(slot_is_full(&slot, 2));
    slot.waiting = 1;
    assert_true(slot_is_full(&slot, 3));
    assert_false(slot_is_taken(&slot));
    slot.reserved_contractor = 9;
    assert_true(slot_is_taken(&slot));
    slot = slot_of(2, 1);
    assert_true(slot_is_taken(&slot));
    slot = slot_of(0, SLOT_NO_CLAIM);
    assert_false(slot_is_taken(&slot));
    slot.title_state = ZR_TITLE_STATE_OFFERED;
    assert_true(slot_is_taken(&slot));
}

/* ---- pricing (R53) ---------------------------------------------------------------------- */

static void
test_the_default_multipliers(void **state)
{
    (void)state;
    assert_int_equal(pricing_rate_cents(&policy_default, DW_RATE, 1), DW_RATE);
    assert_int_equal(pricing_rate_cents(&policy_default, DW_RATE, 2), DW_RATE_2);
    assert_int_equal(pricing_rate_cents(&policy_default, DW_RATE, 3), DW_RATE_3);
    assert_int_equal(pricing_rate_cents(&policy_default, DW_RATE, 32), DW_RATE_3);
    expect_assert_failure((void)pricing_rate_cents(&policy_default, DW_RATE, 0));
    expect_assert_failure((void)pricing_rate_cents(&policy_default, -1, 1));
}

/* Half a cent goes up, less goes down. */
static void
test_rates_are_rounded_half_up(void **state)
{
    static const struct {
        int64_t rate;
        uint16_t multiplier_bp;
        int64_t expected;
    } rows[] = {
        {1, 5000, 1},    {1, 4999, 0},    {3, 5000, 2},  {101, 7000, 71},
        {107, 7000, 75}, {105, 7000, 74}, {10000, 1, 1}, {4999, 1, 0},
        {5000, 1, 1},    {0, 7000, 0},    {2000, 0, 0},  {RATE_CENTS_MAX, 10000, RATE_CENTS_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct policy_row policy = {.multiplier_2_bp = rows[i].multiplier_bp};

        assert_int_equal(pricing_rate_cents(&policy, rows[i].rate, 2), rows[i].expected);
    }
}

/* R53: under every policy that can be put, a lower rank never costs more. */
static void
test_no_rank_costs_more_than_the_one_before(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct policy_row policy = {0};
        const int64_t rate = (int64_t)test_random_below(&seed, RATE_CENTS_MAX + 1);
        int64_t before = rate;

        policy.multiplier_2_bp = (uint16_t)test_random_below(&seed, 10001);
        policy.multiplier_3_bp = (uint16_t)test_random_below(&seed, policy.multiplier_2_bp + 1u);
        for (int rank = 1; rank <= SLOT_CLAIMS_MAX; rank++) {
            const int64_t now = pricing_rate_cents(&policy, rate, (uint16_t)rank);

            assert_true(now <= before);
            assert_true(now >= 0);
            before = now;
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks_are_dense_with_the_primary_anywhere),
        cmocka_unit_test(test_a_vacant_title_keeps_rank_1_free),
        cmocka_unit_test(test_the_cascade_is_in_rank_order),
        cmocka_unit_test(test_removal_closes_the_gap_and_keeps_the_order),
        cmocka_unit_test(test_claims_are_found_by_holder_and_id),
        cmocka_unit_test(test_random_walks_keep_the_invariants),
        cmocka_unit_test(test_the_same_cascade_is_who_rings_in_which_order_at_which_rank),
        cmocka_unit_test(test_bad_arguments_are_bugs),
        cmocka_unit_test(test_a_broken_row_does_not_pass),
        cmocka_unit_test(test_a_title_state_fits_its_claims),
        cmocka_unit_test(test_the_map_sees_taken_and_full),
        cmocka_unit_test(test_the_default_multipliers),
        cmocka_unit_test(test_rates_are_rounded_half_up),
        cmocka_unit_test(test_no_rank_costs_more_than_the_one_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
