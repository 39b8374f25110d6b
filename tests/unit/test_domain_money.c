/*
 * test_domain_money.c - the invariants of money under random operations (I10-I12, I14): after each
 * of them every balance is what the postings add up to.
 */
#include "tests/unit/test_money.h"

enum { RANDOM_STEPS = 1500, PEOPLE = 5, CALLS_MAX = 400 };

struct random_scene {
    struct domain_world *world;
    uint64_t seed;
    uint32_t people[PEOPLE];
    struct ticket calls[CALLS_MAX];
    int calls_count;
    uint64_t refs;
};

static void
random_topup(struct random_scene *scene, uint32_t contractor)
{
    struct zr_topup_reversed_request reversal = {.amount_cents = 2500, .contractor = contractor};
    char ref[32];

    /* Old references come again, under any name: none credits twice (I14). */
    (void)snprintf(ref, sizeof ref, "any-%llu",
                   (unsigned long long)test_random_below(&scene->seed, ++scene->refs / 2 + 1));
    memcpy(reversal.provider_ref, ref, sizeof ref);
    if (test_random_below(&scene->seed, 6) == 0) {
        (void)dw_run(scene->world, dw_payments, ZR_OP_TOPUP_REVERSED, &reversal);
    } else {
        (void)money_topup_ref(scene->world, contractor, 2500, ref);
    }
}

static void
random_call(struct random_scene *scene, uint32_t contractor)
{
    struct domain_world *world = scene->world;
    struct ticket *ticket = &scene->calls[scene->calls_count % CALLS_MAX];
    const bool credit = test_random_below(&scene->seed, 5) == 0;
    const struct zr_end_request end = {
        .talk_ms = (uint32_t)test_random_below(&scene->seed, 90) * 1000, .voicemail = credit};

    *ticket = dw_ticket(world, &contractor, 1);
    ticket->caller_hash = 1 + test_random_below(&scene->seed, 40);
    scene->calls_count++;
    if (dw_connect(world, ticket, 0) == ZR_STATUS_OK) {
        const struct wallet_row wallet = dw_wallet(world, contractor);

        assert_true(wallet_available_cents(&wallet) >= -DW_RATE); /* I11, concurrency 1. */
    }
    world->now_ms += 90 * DW_SECOND_MS;
    if (test_random_below(&scene->seed, 3) == 0) {
        (void)dw_qualify(world, ticket, 45000);
    }
    (void)dw_end(world, ticket, ticket, end);
}

static void
random_dispute(struct random_scene *scene)
{
    struct domain_world *world = scene->world;
    const int known = scene->calls_count < CALLS_MAX ? scene->calls_count : CALLS_MAX;
    const struct ticket *ticket;
    struct zr_dispute_open_request open = {0};
    struct zr_dispute_resolve_request resolve = {0};

    if (known == 0) {
        return;
    }
    ticket = &scene->calls[test_random_below(&scene->seed, (uint64_t)known)];
    open.call_ref = ticket->call_ref;
    open.contractor = ticket->candidates[0].contractor;
    open.reason = (uint8_t)(1 + test_random_below(&scene->seed, 7));
    resolve.call_ref = open.call_ref;
    resolve.contractor = open.contractor;
    resolve.credit_cents = (int64_t)test_random_below(&scene->seed, 2500);
    (void)dw_run(world, dw_portal, ZR_OP_DISPUTE_OPEN, &open);
    if (test_random_below(&scene->seed, 2) == 0) {
        (void)dw_run(world, dw_admin, ZR_OP_DISPUTE_RESOLVE, &resolve);
    }
}

static void
random_adjust(struct random_scene *scene, uint32_t contractor)
{
    static const struct dw_actor second = {ZR_ROLE_ADMIN, 9, 0};
    struct zr_adjust_request request = {
        .op_id = dw_id(scene->world),
        .amount_cents = 1 + (int64_t)test_random_below(&scene->seed, 3000),
        .contractor = contractor,
        .debit = ZR_ACCOUNT_PROMO,
        .credit = ZR_ACCOUNT_CREDIT,
        .reason = "welcome",
    };

    (void)dw_run(scene->world, dw_admin, ZR_OP_ADJUST, &request);
    request.approves = request.op_id;
    request.op_id = dw_id(scene->world);
    (void)dw_run(scene->world, second, ZR_OP_ADJUST, &request);
}

/* I12, and that a leg's own numbers are those of its postings. */
static void
check_credits(struct random_scene *scene)
{
    const int known = scene->calls_count < CALLS_MAX ? scene->calls_count : CALLS_MAX;
    struct call_row row;

    for (int i = 0; i < known; i++) {
        if (!state_call_get(&scene->world->state, &scene->calls[i].call_ref, &row)) {
            continue;
        }
        for (uint8_t leg = 0; leg < row.legs_count; leg++) {
            const struct call_leg_row *it = &row.legs[leg];
            const bool charged =
                it->settlement == ZR_SETTLEMENT_CHARGED || it->settlement == ZR_SETTLEMENT_CREDITED;

            assert_true(it->credited_cents >= 0 && it->credited_cents <= it->rate_cents);
            assert_int_equal(it->amount_cents + it->credited_cents, charged ? it->rate_cents : 0);
        }
    }
}

/* I10-I12, I14 after each of many random operations; what every balance is, from the postings. */
static void
test_i10_i14_balances_are_their_postings(void **state)
{
    static struct random_scene scene;
    struct domain_world *world = *state;

    scene = (struct random_scene){.world = world, .seed = test_seed()};
    for (int i = 0; i < PEOPLE; i++) {
        scene.people[i] = dw_contractor(world, 0);
        (void)dw_claim(world, scene.people[i]);
    }
    for (int step = 0; step < RANDOM_STEPS; step++) {
        const uint32_t contractor = scene.people[test_random_below(&scene.seed, PEOPLE)];

        switch (test_random_below(&scene.seed, 8)) {
        case 0:
            random_topup(&scene, contractor);
            break;
        case 1:
            random_dispute(&scene);
            break;
        case 2:
            random_adjust(&scene, contractor);
            break;
        case 3:
            dw_advance(world, test_random_below(&scene.seed, 20) * MONEY_HOUR_MS);
            break;
        default:
            random_call(&scene, contractor);
            break;
        }
        if (step % 10 == 0 || step > RANDOM_STEPS - 50) {
            money_recompute(world);
            check_credits(&scene);
        }
    }
    assert_true(state_counter_now(&world->state, COUNTER_TRANSFER) > 300);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_i10_i14_balances_are_their_postings),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
