/*
 * test_domain_funds.c - LOW, DRY and when they begin and end (M5, R63, E14, E15).
 */
#include "server/domain/funds.h"
#include "tests/unit/test_money.h"

enum { GRACE_HOURS = 72, ZIPS_FIRST = 1000 };

static struct claim_row
claim_row(struct domain_world *world, uint64_t claim_id)
{
    struct claim_row claim;

    assert_true(state_claim_get(&world->state, claim_id, &claim));
    return claim;
}

static uint64_t
claim(struct domain_world *world, uint32_t contractor, uint32_t zip, uint16_t category)
{
    const struct zr_claim_request request = {
        .contractor = contractor,
        .accept_backup = true,
        .slots = {{zip, category}},
        .slots_count = 1,
    };

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    return world->reply.claim_reply.results[0].claim_id;
}

/* Put the wallet with these balances through the rules' own way, out of thin air. */
static void
set_money(struct domain_world *world, uint32_t contractor, int64_t main_cents, int64_t held_cents)
{
    const struct command command = {.seq = ++world->seq, .time_ms = world->now_ms};
    struct wallet_row wallet = dw_wallet(world, contractor);

    world->made_money = true;
    state_begin(&world->state, command.seq);
    wallet.main_cents = main_cents;
    wallet.held_cents = held_cents;
    funds_wallet_put(&world->state, &command, contractor, &wallet);
    dw_tick(world);
}

/* ---- the two neighbours ---------------------------------------------------------------------- */

/* Each claim has its own DRY; the wallet stands between the two rates next to its balance. */
static void
test_each_claim_is_dry_by_its_own_rate(void **state)
{
    struct domain_world *world = *state;
    const uint32_t other = dw_contractor(world, 5000);
    const uint32_t contractor = dw_contractor(world, 0);
    uint64_t dear;
    uint64_t cheap;
    struct wallet_row wallet;

    set_money(world, contractor, 1700, 0);
    (void)claim(world, other, DW_ZIP_2, DW_CATEGORY);
    dear = claim(world, contractor, DW_ZIP, DW_CATEGORY);
    cheap = claim(world, contractor, DW_ZIP_2, DW_CATEGORY);
    wallet = dw_wallet(world, contractor);
    assert_int_equal(wallet.rate_max_cents, DW_RATE);
    assert_int_equal(wallet.rate_min_cents, DW_RATE_2);
    assert_int_equal(wallet.floor_cents, DW_RATE_2);
    assert_int_equal(wallet.ceiling_cents, DW_RATE);
    assert_int_equal(claim_row(world, dear).dry_deadline_ms,
                     DW_START_MS + GRACE_HOURS * MONEY_HOUR_MS);
    assert_int_equal(claim_row(world, cheap).dry_deadline_ms, 0);
    /* A cent below the cheap one's rate, and back to it. */
    set_money(world, contractor, DW_RATE_2 - 1, 0);
    assert_int_not_equal(claim_row(world, cheap).dry_deadline_ms, 0);
    set_money(world, contractor, DW_RATE_2, 0);
    assert_int_equal(claim_row(world, cheap).dry_deadline_ms, 0);
    assert_int_not_equal(claim_row(world, dear).dry_deadline_ms, 0);
    set_money(world, contractor, DW_RATE, 0);
    assert_int_equal(claim_row(world, dear).dry_deadline_ms, 0);
    assert_int_equal(dw_wallet(world, contractor).ceiling_cents, INT64_MAX);
}

/* Every boundary of every balance: dry is posted < rate, whatever way the balance came. */
static void
test_dry_is_right_after_any_move(void **state)
{
    struct domain_world *world = *state;
    const uint32_t first = dw_contractor(world, 0);
    const uint32_t contractor = dw_contractor(world, 0);
    uint64_t seed = test_seed();
    uint64_t claims[3];
    static const int64_t rates[3] = {DW_RATE, DW_RATE_2, DW_RATE_2};

    (void)claim(world, first, DW_ZIP, DW_CATEGORY_2);
    (void)claim(world, first, DW_ZIP_2, DW_CATEGORY_2);
    claims[0] = claim(world, contractor, DW_ZIP, DW_CATEGORY);
    claims[1] = claim(world, contractor, DW_ZIP, DW_CATEGORY_2);
    claims[2] = claim(world, contractor, DW_ZIP_2, DW_CATEGORY_2);
    for (int round = 0; round < 300; round++) {
        const int64_t base = rates[test_random_below(&seed, 2)];
        const int64_t posted = base - 2 + (int64_t)test_random_below(&seed, 4);

        world->now_ms += 1;
        set_money(world, contractor, posted, 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(claim_row(world, claims[i]).dry_deadline_ms != 0, posted < rates[i]);
        }
    }
}

/* The hot path: between its neighbours a balance moves, and nobody looks at anything. */
static void
test_a_move_between_the_neighbours_sets_no_work(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 10000);
    uint64_t timers;
    uint64_t events;

    (void)dw_claim(world, contractor);
    timers = state_counter_now(&world->state, COUNTER_TIMER);
    events = state_counter_now(&world->state, COUNTER_EVENT);
    for (int64_t cents = DW_RATE; cents < 9000; cents += 500) {
        set_money(world, contractor, cents, 0);
    }
    assert_int_equal(state_counter_now(&world->state, COUNTER_TIMER), timers);
    assert_int_equal(state_counter_now(&world->state, COUNTER_EVENT), events);
    /* A wallet without a claim crosses nothing at all. */
    set_money(world, dw_contractor(world, 0), -5, 0);
    assert_int_equal(state_counter_now(&world->state, COUNTER_TIMER), timers);
}

/* Many changes in one instant are looked at once. */
static void
test_asking_twice_looks_once(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct command command = {.seq = ++world->seq, .time_ms = world->now_ms};
    uint64_t timers;

    timers = state_counter_now(&world->state, COUNTER_TIMER);
    for (int i = 0; i < 5; i++) {
        funds_rates_changed(&world->state, &command, contractor);
    }
    assert_int_equal(state_counter_now(&world->state, COUNTER_TIMER), timers + 1);
    dw_tick(world);
    funds_rates_changed(&world->state, &command, contractor);
    assert_int_equal(state_counter_now(&world->state, COUNTER_TIMER), timers + 2);
    dw_tick(world);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* M5: OK -> LOW once per crossing, DRY, and FUNDED when it is OK again. */
static void
test_each_crossing_is_told_once(void **state)
{
    static const struct {
        int64_t main_cents;
        int64_t held_cents;
        uint8_t event; /* 0 = silence. */
    } rows[] = {
        {5000, 2000, 0},
        {5000, 4000, ZR_EVENT_LOW_BALANCE}, /* Holds count for LOW ... */
        {5000, 4500, 0},
        {5000, 5000, 0}, /* ... and never for DRY. */
        {5000, 0, ZR_EVENT_FUNDED},
        {1400, 0, ZR_EVENT_LOW_BALANCE},
        {1399, 0, ZR_EVENT_DRY},
        {-10, 0, 0},
        {1400, 0, 0}, /* Better, not well. */
        {1000, 0, ZR_EVENT_DRY},
        {2000, 0, ZR_EVENT_FUNDED},
        {0, 0, ZR_EVENT_DRY}, /* Straight through LOW: one event. */
        {2500, 0, ZR_EVENT_FUNDED},
        {2500, 501, ZR_EVENT_LOW_BALANCE},
    };
    static const uint8_t types[] = {ZR_EVENT_LOW_BALANCE, ZR_EVENT_DRY, ZR_EVENT_FUNDED};
    struct domain_world *world = *state;
    const uint32_t other = dw_contractor(world, 5000);
    const uint32_t contractor = dw_contractor(world, 0);
    int expected[3] = {0};

    set_money(world, contractor, 5000, 0);
    (void)claim(world, other, DW_ZIP_2, DW_CATEGORY);
    (void)claim(world, contractor, DW_ZIP, DW_CATEGORY);
    (void)claim(world, contractor, DW_ZIP_2, DW_CATEGORY);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_money(world, contractor, rows[i].main_cents, rows[i].held_cents);
        for (int j = 0; j < 3; j++) {
            expected[j] += types[j] == rows[i].event;
            assert_int_equal(money_events(world, contractor, types[j]), expected[j]);
        }
    }
}

/* A wallet without a claim is neither low nor dry to anybody. */
static void
test_without_a_claim_nothing_is_told(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_release_request release = {.when = ZR_RELEASE_NOW};

    set_money(world, contractor, -2500, 0);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_DRY), 0);
    release.claim_id = claim(world, contractor, DW_ZIP, DW_CATEGORY);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_DRY), 1);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_RELEASE, &release), ZR_STATUS_OK);
    set_money(world, contractor, 9000, 0);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_FUNDED), 0);
    assert_int_equal(dw_wallet(world, contractor).rate_min_cents, 0);
    assert_int_equal(dw_wallet(world, contractor).rate_max_cents, 0);
}

/* ---- graces ---------------------------------------------------------------------------------- */

/* A primary with a backup behind it, dry since now. */
struct dry_scene {
    struct domain_world *world;
    uint32_t primary;
    uint32_t backup;
    uint64_t claim_id;
};

static struct dry_scene
dry_setup(struct domain_world *world)
{
    struct dry_scene scene = {.world = world,
                              .primary = dw_contractor(world, 2500),
                              .backup = dw_contractor(world, 9000)};

    scene.claim_id = dw_claim(world, scene.primary)->claim_id;
    (void)dw_claim(world, scene.backup);
    (void)money_charge(world, scene.primary); /* 500 is left. */
    return scene;
}

/* E14, R63: dry for 71 h, then a top-up: the rank is untouched, and nothing is left of the clock.
 */
static void
test_e14_a_top_up_after_71_hours_keeps_the_title(void **state)
{
    struct dry_scene scene = dry_setup(*state);
    struct domain_world *world = scene.world;

    assert_int_equal(money_events(world, scene.primary, ZR_EVENT_DRY), 1);
    dw_advance(world, 71 * MONEY_HOUR_MS);
    assert_int_equal(claim_row(world, scene.claim_id).title, ZR_TITLE_PRIMARY);
    money_topup(world, scene.primary, 2500);
    assert_int_equal(claim_row(world, scene.claim_id).dry_deadline_ms, 0);
    assert_int_equal(money_events(world, scene.primary, ZR_EVENT_FUNDED), 1);
    dw_advance(world, 100 * DW_DAY_MS);
    assert_int_equal(claim_row(world, scene.claim_id).ended_ms, 0);
    assert_int_equal(dw_slot(world).claims[0].title, ZR_TITLE_PRIMARY);
}

/* E14: looking again, for another claim or another price, gives a dry one no new grace. */
static void
test_e14_a_clock_that_runs_is_not_set_again(void **state)
{
    struct dry_scene scene = dry_setup(*state);
    struct domain_world *world = scene.world;
    const uint64_t deadline_ms = claim_row(world, scene.claim_id).dry_deadline_ms;
    uint64_t later;

    dw_advance(world, 71 * MONEY_HOUR_MS);
    later = claim(world, scene.primary, DW_ZIP_2, DW_CATEGORY);
    assert_int_equal(claim_row(world, later).dry_deadline_ms,
                     world->now_ms + GRACE_HOURS * MONEY_HOUR_MS);
    assert_int_equal(claim_row(world, scene.claim_id).dry_deadline_ms, deadline_ms);
    dw_advance(world, MONEY_HOUR_MS);
    assert_int_equal(claim_row(world, scene.claim_id).state, ZR_CLAIM_FORFEITED);
    assert_int_equal(claim_row(world, later).ended_ms, 0);
}

/* E14, R63: at 72 h it is forfeited, and the opening is told once, to rank 2. */
static void
test_e14_after_72_hours_it_is_forfeited(void **state)
{
    struct dry_scene scene = dry_setup(*state);
    struct domain_world *world = scene.world;
    const uint64_t dry_ms = world->now_ms;

    dw_advance(world, GRACE_HOURS * MONEY_HOUR_MS - 1);
    assert_int_equal(claim_row(world, scene.claim_id).ended_ms, 0);
    dw_advance(world, 1);
    assert_int_equal(claim_row(world, scene.claim_id).state, ZR_CLAIM_FORFEITED);
    assert_int_equal(claim_row(world, scene.claim_id).ended_ms,
                     dry_ms + GRACE_HOURS * MONEY_HOUR_MS);
    assert_int_equal(money_event(world, scene.primary, ZR_EVENT_FORFEITED).code, CONDITION_DRY);
    assert_int_equal(money_events(world, scene.backup, ZR_EVENT_SLOT_OPENED), 1);
    assert_int_equal(money_events(world, scene.primary, ZR_EVENT_SLOT_OPENED), 0);
}

/* R63: a backup that is dry is skipped, and stays. */
static void
test_a_dry_backup_stays(void **state)
{
    struct domain_world *world = *state;
    const uint32_t primary = dw_contractor(world, 9000);
    const uint32_t backup = dw_contractor(world, 0);
    uint64_t claim_id;

    (void)dw_claim(world, primary);
    claim_id = dw_claim(world, backup)->claim_id;
    assert_int_not_equal(claim_row(world, claim_id).dry_deadline_ms, 0);
    dw_advance(world, 30 * DW_DAY_MS);
    assert_int_equal(claim_row(world, claim_id).ended_ms, 0);
    assert_int_not_equal(claim_row(world, claim_id).dry_deadline_ms, 0);
    money_topup(world, backup, 2500);
    assert_int_equal(claim_row(world, claim_id).dry_deadline_ms, 0);
}

/* E15: dry and paused have a clock each; clearing one leaves the other. */
static void
test_e15_dry_and_paused_are_two_clocks(void **state)
{
    struct dry_scene scene = dry_setup(*state);
    struct domain_world *world = scene.world;
    const struct zr_pause_request pause = {.contractor = scene.primary, .claim_id = scene.claim_id};
    const struct zr_resume_request resume = {.contractor = scene.primary,
                                             .claim_id = scene.claim_id};
    const uint64_t dry_ms = claim_row(world, scene.claim_id).dry_deadline_ms;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_PAUSE, &pause), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_RESUME, &resume), ZR_STATUS_OK);
    assert_int_equal(claim_row(world, scene.claim_id).dry_deadline_ms, dry_ms);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_PAUSE, &pause), ZR_STATUS_OK);
    money_topup(world, scene.primary, 2500);
    dw_advance(world, 13 * DW_DAY_MS);
    assert_int_equal(claim_row(world, scene.claim_id).ended_ms, 0);
    dw_advance(world, DW_DAY_MS);
    assert_int_equal(claim_row(world, scene.claim_id).state, ZR_CLAIM_FORFEITED);
    assert_int_equal(money_event(world, scene.primary, ZR_EVENT_FORFEITED).code, CONDITION_PAUSED);
}

/* M2: 0 as a grace means at once. */
static void
test_no_grace_forfeits_at_once(void **state)
{
    struct domain_world *world = *state;
    struct zr_policy policy = dw_policy_default();
    const uint32_t contractor = dw_contractor(world, 2500);
    uint64_t claim_id;

    policy.funds_grace_s = 0;
    dw_policy(world, &policy);
    claim_id = dw_claim(world, contractor)->claim_id;
    (void)money_charge(world, contractor);
    assert_int_equal(claim_row(world, claim_id).state, ZR_CLAIM_FORFEITED);
}

/* ---- prices change --------------------------------------------------------------------------- */

/* A new price or multiplier reaches every claim that it is for, and only those (E17, R53). */
static void
test_a_new_price_reaches_everybody(void **state)
{
    enum { CONTRACTORS = 40 };
    struct domain_world *world = *state;
    struct zr_policy policy = dw_policy_default();
    uint64_t claims[CONTRACTORS];

    policy.max_positions = 20;
    dw_policy(world, &policy);
    for (int i = 0; i < CONTRACTORS; i++) {
        const uint32_t contractor = dw_contractor(world, 2500);

        claims[i] = claim(world, contractor, i < 20 ? DW_ZIP : DW_ZIP_2, DW_CATEGORY);
    }
    dw_category(world, 3600, true); /* 3600, 2520, 1800 ...: the first two of each slot are dry. */
    for (int i = 0; i < CONTRACTORS; i++) {
        assert_int_equal(claim_row(world, claims[i]).dry_deadline_ms != 0, i % 20 < 2);
    }
    policy.multiplier_2_bp = 6900; /* 2484 */
    dw_policy(world, &policy);
    for (int i = 0; i < CONTRACTORS; i++) {
        assert_int_equal(claim_row(world, claims[i]).dry_deadline_ms != 0, i % 20 < 1);
    }
    dw_category(world, 2000, true);
    for (int i = 0; i < CONTRACTORS; i++) {
        assert_int_equal(claim_row(world, claims[i]).dry_deadline_ms, 0);
    }
}

/* A slot's own policy is looked at in that slot. */
static void
test_a_slots_own_multiplier_reaches_its_claims(void **state)
{
    struct domain_world *world = *state;
    const uint32_t primary = dw_contractor(world, 9000);
    const uint32_t backup = dw_contractor(world, 0);
    struct zr_policy_put_request put = {.scope = ZR_SCOPE_SLOT,
                                        .category = DW_CATEGORY,
                                        .zip = DW_ZIP,
                                        .policy_count = 1,
                                        .policy = {dw_policy_default()}};
    uint64_t claim_id;

    set_money(world, backup, 1500, 0);
    (void)dw_claim(world, primary);
    claim_id = dw_claim(world, backup)->claim_id;
    assert_int_equal(claim_row(world, claim_id).dry_deadline_ms, 0);
    put.policy[0].multiplier_2_bp = 9000;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_POLICY_PUT, &put), ZR_STATUS_OK);
    assert_int_not_equal(claim_row(world, claim_id).dry_deadline_ms, 0);
    assert_int_equal(dw_wallet(world, backup).rate_max_cents, 1800);
}

/* Long passes are cut into steps, and are right however they are cut. */
static void
test_a_contractor_with_hundreds_of_claims(void **state)
{
    enum { CLAIMS = 300, BATCH = 20 };
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct zip_row zip = {.claimable = true, .state = "TX", .timezone = "US/Central"};
    struct zr_claim_request request = {.contractor = contractor, .accept_backup = true};
    int dry = 0;

    for (uint32_t i = 0; i < CLAIMS; i++) {
        state_zip_put(&world->state, ZIPS_FIRST + i, &zip);
        request.slots[request.slots_count].zip = ZIPS_FIRST + i;
        request.slots[request.slots_count++].category = DW_CATEGORY;
        if (request.slots_count == BATCH) {
            assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
            request.slots_count = 0;
        }
    }
    assert_int_equal(dw_wallet(world, contractor).funds_state, ZR_FUNDS_STATE_DRY);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_DRY), 1);
    for (uint64_t id = 0; (id = state_claim_next(&world->state, contractor, id)) != 0;) {
        dry += claim_row(world, id).dry_deadline_ms != 0;
    }
    assert_int_equal(dry, CLAIMS);
    dw_category(world, 1000, true);
    assert_int_equal(dw_wallet(world, contractor).rate_max_cents, 1000);
    money_topup(world, contractor, 2500);
    for (uint64_t id = 0; (id = state_claim_next(&world->state, contractor, id)) != 0;) {
        assert_int_equal(claim_row(world, id).dry_deadline_ms, 0);
    }
    assert_int_equal(money_events(world, contractor, ZR_EVENT_FUNDED), 1);
    assert_int_equal(dw_wallet(world, contractor).floor_cents, 1000);
}

/* Steps of a pass that a newer one replaced are nobody's. */
static void
test_a_newer_pass_replaces_the_older(void **state)
{
    struct domain_world *world = *state;
    const struct command command = {.seq = ++world->seq, .time_ms = world->now_ms};
    const uint32_t contractor = dw_contractor(world, 0);
    struct timer_row step = {.contractor = contractor, .kind = TIMER_FUNDS};

    funds_rates_changed(&world->state, &command, contractor);
    step.code = dw_wallet(world, contractor).funds_pass;
    step.number = 1; /* As if some claims had been looked at. */
    assert_true(funds_timer(&world->state, &command, &step));
    funds_rates_changed(&world->state, &command, contractor);
    assert_int_not_equal(dw_wallet(world, contractor).funds_pass, step.code);
    assert_false(funds_timer(&world->state, &command, &step));
    dw_tick(world);
}

/* What a claim costs to look after is a matter of live ones: those that ended are not looked at for
 * ever, or who claims and releases would make each CLAIM of its dearer for everybody. */
static void
test_ended_claims_cost_nothing(void **state)
{
    enum { ROUNDS = 300 };
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    struct zr_release_request release = {.when = ZR_RELEASE_NOW};
    uint64_t before = 0;
    uint64_t first = 0;

    for (int i = 0; i < ROUNDS; i++) {
        before = world->seq;
        release.claim_id = dw_claim(world, contractor)->claim_id;
        assert_int_equal(dw_run(world, dw_portal, ZR_OP_RELEASE, &release), ZR_STATUS_OK);
        first = i == 0 ? world->seq - before : first;
    }
    assert_true(world->seq - before == first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_each_claim_is_dry_by_its_own_rate),
        DW_TEST(test_dry_is_right_after_any_move),
        DW_TEST(test_a_move_between_the_neighbours_sets_no_work),
        DW_TEST(test_asking_twice_looks_once),
        DW_TEST(test_each_crossing_is_told_once),
        DW_TEST(test_without_a_claim_nothing_is_told),
        DW_TEST(test_e14_a_top_up_after_71_hours_keeps_the_title),
        DW_TEST(test_e14_a_clock_that_runs_is_not_set_again),
        DW_TEST(test_e14_after_72_hours_it_is_forfeited),
        DW_TEST(test_a_dry_backup_stays),
        DW_TEST(test_e15_dry_and_paused_are_two_clocks),
        DW_TEST(test_no_grace_forfeits_at_once),
        DW_TEST(test_a_new_price_reaches_everybody),
        DW_TEST(test_a_slots_own_multiplier_reaches_its_claims),
        DW_TEST(test_a_contractor_with_hundreds_of_claims),
        DW_TEST(test_a_newer_pass_replaces_the_older),
        DW_TEST(test_ended_claims_cost_nothing),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
