/*
 * test_domain_clocks.c - a random walk over everything that starts and stops a clock (M2).
 *
 * After every step each condition is judged anew, from what causes it: it stands exactly where it
 * should, its deadline is ahead of every title, and a timer waits for it. So no deadline is lost,
 * whatever was paused, priced, moved to another zone, withdrawn or missed in an outage on the way.
 * The seed is printed.
 */
#include "server/domain/condition.h"
#include "server/domain/funds.h"
#include "server/domain/pricing.h"
#include "server/domain/schedule.h"
#include "tests/lib/domain_titles.h"

#include <stdio.h>
#include <string.h>

enum { STEPS = 2500, CONTRACTORS = 12, SLOTS = 2 };

static const struct zr_slot_key slots[SLOTS] = {{DW_ZIP, DW_CATEGORY}, {DW_ZIP_2, DW_CATEGORY_2}};

struct walk {
    struct domain_world *world;
    uint64_t seed;
    uint32_t contractors[CONTRACTORS];
    unsigned forfeited; /* By the clocks of the walk: something happened. */
};

static uint32_t
below(struct walk *walk, uint32_t bound)
{
    return (uint32_t)test_random_below(&walk->seed, bound);
}

static uint32_t
some_contractor(struct walk *walk)
{
    return walk->contractors[below(walk, CONTRACTORS)];
}

/* ---- what must hold ----------------------------------------------------------------------------
 */

/* Does a timer wait for that deadline? `wanted` says whose it is and of which condition. */
static bool
timer_waits(struct walk *walk, const struct timer_row *wanted)
{
    uint64_t due_ms = wanted->deadline_ms;
    uint64_t seq = 0;
    struct timer_row row;

    while (state_timer_next(&walk->world->state, &due_ms, &seq, &row) &&
           due_ms == wanted->deadline_ms) {
        if (memcmp(&row, wanted, sizeof row) == 0) {
            return true;
        }
        seq++;
    }
    return false;
}

/* A clock that stands against a title is ahead; against a backup it may have run out. */
static void
check_clock(struct walk *walk, const struct timer_row *timer, bool primary)
{
    if (timer->deadline_ms > walk->world->now_ms) {
        assert_true(timer_waits(walk, timer));
    } else {
        assert_true(timer->deadline_ms == 0 || !primary);
    }
}

/* The claim's own clocks; returns its rate today. */
static int64_t
check_claim(struct walk *walk, uint64_t claim_id, int64_t posted_cents)
{
    const struct claim_row claim = dt_claim_row(walk->world, claim_id);
    const bool primary = claim.title == ZR_TITLE_PRIMARY;
    struct timer_row timer = {.kind = TIMER_CLAIM, .number = claim_id};
    struct policy_row policy;
    const int64_t rate_cents =
        pricing_claim_rate_cents(&walk->world->state, claim_id, &claim, &policy);

    assert_int_equal(claim.dry_deadline_ms != 0, posted_cents < rate_cents);
    timer.code = CONDITION_DRY;
    timer.deadline_ms = claim.dry_deadline_ms;
    check_clock(walk, &timer, primary);
    timer.code = CONDITION_LAPSING;
    timer.deadline_ms = claim.lapse_ms;
    check_clock(walk, &timer, true); /* That one ends any claim. */
    timer.code = CONDITION_PAUSED;
    timer.deadline_ms = claim.state == ZR_CLAIM_PAUSED ? claim.pause.deadline_ms : 0;
    check_clock(walk, &timer, primary);
    return rate_cents;
}

/* Hours, vacations and caps, as M2 has it. */
static bool
is_unavailable(struct walk *walk, uint32_t contractor)
{
    struct schedule_row schedule;
    struct caps_row caps;
    bool unavailable = false;

    if (state_caps_get(&walk->world->state, contractor, &caps)) {
        for (int i = 0; i < CAP_WINDOWS * CAP_MEASURES; i++) {
            unavailable = unavailable || caps.limits[i / CAP_MEASURES][i % CAP_MEASURES] == 0;
        }
    }
    return unavailable || (state_schedule_get(&walk->world->state, contractor, &schedule) &&
                           schedule_is_unavailable(&schedule, walk->world->now_ms));
}

/* The clocks of the contractor as a whole. */
static void
check_standing(struct walk *walk, uint32_t contractor, bool primary)
{
    const struct contractor_row row = dt_contractor_row(walk->world, contractor);
    const uint64_t now_ms = walk->world->now_ms;
    const struct {
        uint64_t deadline_ms;
        uint8_t code;
    } clocks[] = {
        {row.paused ? row.pause.deadline_ms : 0, CONDITION_PAUSED},
        {row.suspended_deadline_ms, CONDITION_SUSPENDED},
        {row.licence_deadline_ms, CONDITION_LICENCE_LAPSED},
        {row.unavailable_deadline_ms, CONDITION_UNAVAILABLE},
    };

    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        check_clock(walk,
                    &(struct timer_row){.kind = TIMER_CONTRACTOR,
                                        .contractor = contractor,
                                        .code = clocks[i].code,
                                        .deadline_ms = clocks[i].deadline_ms},
                    primary);
    }
    assert_int_equal(row.licence_deadline_ms != 0,
                     row.licence_expires_ms != 0 && row.licence_expires_ms <= now_ms);
    assert_int_equal(row.unavailable_deadline_ms != 0, is_unavailable(walk, contractor));
    assert_true(row.suspended_deadline_ms != 0 || row.claims == 0 ||
                row.status == ZR_CONTRACTOR_APPROVED);
}

static void
check_contractor(struct walk *walk, uint32_t contractor)
{
    const struct wallet_row wallet = dw_wallet(walk->world, contractor);
    struct state *state = &walk->world->state;
    int64_t dearest_cents = 0;
    uint64_t claim_id = 0;
    uint32_t claims = 0;
    bool primary = false;

    while ((claim_id = state_claim_next_live(state, contractor, claim_id)) != 0) {
        const int64_t rate_cents = check_claim(walk, claim_id, wallet_posted_cents(&wallet));

        dearest_cents = rate_cents > dearest_cents ? rate_cents : dearest_cents;
        primary = primary || dt_claim_row(walk->world, claim_id).title == ZR_TITLE_PRIMARY;
        claims++;
    }
    assert_int_equal(dt_contractor_row(walk->world, contractor).claims, claims);
    assert_int_equal(wallet.rate_max_cents, dearest_cents);
    check_standing(walk, contractor, primary);
}

/* ---- steps --------------------------------------------------------------------------------------
 */

static void
step_claim(struct walk *walk)
{
    const struct zr_claim_request request = {.contractor = some_contractor(walk),
                                             .accept_backup = true,
                                             .lapse = below(walk, 8) == 0,
                                             .slots = {slots[below(walk, SLOTS)]},
                                             .slots_count = 1};

    (void)dw_run(walk->world, dw_portal, ZR_OP_CLAIM, &request);
}

/* Half of the titles that are offered are taken. */
static void
step_answer(struct walk *walk)
{
    const struct zr_slot_key *key = &slots[below(walk, SLOTS)];
    struct slot_row slot;

    state_slot_get(&walk->world->state, key->zip, key->category, &slot);
    if (slot.offer_id != 0) {
        (void)dt_answer(walk->world, slot.offer_id, below(walk, 2) == 0);
    }
}

static void
step_pause(struct walk *walk)
{
    const uint32_t contractor = some_contractor(walk);
    const uint64_t claim_id =
        below(walk, 2) == 0 ? 0 : state_claim_next_live(&walk->world->state, contractor, 0);

    (void)(below(walk, 2) == 0 ? dt_pause(walk->world, claim_id, contractor)
                               : dt_resume(walk->world, claim_id, contractor));
}

static void
step_status(struct walk *walk)
{
    static const uint8_t statuses[] = {ZR_CONTRACTOR_SUSPENDED, ZR_CONTRACTOR_PENDING,
                                       ZR_CONTRACTOR_APPROVED, ZR_CONTRACTOR_CLOSING};
    const uint32_t at = below(walk, CONTRACTORS);
    const uint8_t status = statuses[below(walk, below(walk, 4) == 0 ? 4 : 3)];

    if (below(walk, 3) == 0) {
        dt_set_licence(walk->world, walk->contractors[at],
                       walk->world->now_ms + (below(walk, 60) - UINT64_C(10)) * DW_DAY_MS);
    } else {
        dw_set_status(walk->world, walk->contractors[at], status);
    }
    if (status == ZR_CONTRACTOR_CLOSING) {
        walk->contractors[at] = dw_contractor(walk->world, (int64_t)2500 * below(walk, 9));
    }
}

/* Hours, vacations, and another zone. */
static void
step_schedule(struct walk *walk)
{
    static const char *const zones[] = {"America/New_York", "Pacific/Guam", "America/Phoenix",
                                        "America/Adak", ""};
    const uint32_t today = (uint32_t)(walk->world->now_ms / DW_DAY_MS);
    struct zr_schedule_put_request request = {.contractor = some_contractor(walk)};
    struct schedule_row row;

    if (state_schedule_get(&walk->world->state, request.contractor, &row)) {
        request.expected_version = row.version;
    }
    (void)snprintf(request.timezone, sizeof request.timezone, "%s", zones[below(walk, 5)]);
    request.hours_length = below(walk, 6) == 0 ? SCHEDULE_HOURS_BYTES : 0; /* Never open. */
    if (below(walk, 4) == 0) {
        request.unavailable_until_ms = walk->world->now_ms + below(walk, 480) * DT_HOUR_MS;
    }
    request.vacations_count = (uint16_t)below(walk, 4);
    for (uint16_t i = 0; i < request.vacations_count; i++) {
        request.vacations[i].first_day = today - 3 + below(walk, 30);
        request.vacations[i].last_day = request.vacations[i].first_day + below(walk, 18);
    }
    assert_int_equal(dw_run(walk->world, dw_portal, ZR_OP_SCHEDULE_PUT, &request), ZR_STATUS_OK);
}

static void
step_caps(struct walk *walk)
{
    struct zr_caps_put_request request = {.contractor = some_contractor(walk),
                                          .caps_count = 1,
                                          .caps = {{.limit = below(walk, 2),
                                                    .window = (uint8_t)(1 + below(walk, 4)),
                                                    .measure = (uint8_t)(1 + below(walk, 3))}}};
    struct caps_row row;

    if (state_caps_get(&walk->world->state, request.contractor, &row)) {
        request.expected_version = row.version;
    }
    assert_int_equal(dw_run(walk->world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_OK);
}

static void
step_price(struct walk *walk)
{
    struct zr_category_put_request request = {.category = (uint16_t)(1 + below(walk, 2)),
                                              .rate_cents = 500 + 1000 * (int64_t)below(walk, 5),
                                              .offered = below(walk, 4) != 0,
                                              .zips_action = ZR_ZIPS_EVERYWHERE};
    struct category_row row;

    assert_true(state_category_get(&walk->world->state, request.category, &row));
    request.expected_version = row.version;
    memcpy(request.name, row.name, sizeof row.name);
    assert_int_equal(dw_run(walk->world, dw_admin, ZR_OP_CATEGORY_PUT, &request), ZR_STATUS_OK);
}

/* The network's policy, or one of a category or a slot. */
static void
step_policy(struct walk *walk)
{
    const struct zr_slot_key *key = &slots[below(walk, SLOTS)];
    struct zr_policy_put_request request = {.scope = (uint8_t)(ZR_SCOPE_NETWORK + below(walk, 3)),
                                            .policy_count = 1};
    struct policy_key policy_key;
    struct policy_row row;

    request.category = request.scope == ZR_SCOPE_NETWORK ? 0 : key->category;
    request.zip = request.scope == ZR_SCOPE_SLOT ? key->zip : 0;
    request.policy[0] = dw_policy_default();
    request.policy[0].dup_days = 0;
    request.policy[0].max_positions = (uint8_t)(1 + below(walk, SLOT_CLAIMS_MAX));
    request.policy[0].offer_window_s = below(walk, 3) * 3600 * below(walk, 200);
    request.policy[0].funds_grace_s = below(walk, 3) * 24 * 3600;
    request.policy[0].pause_grace_s = below(walk, 3) * 7 * 24 * 3600;
    request.policy[0].multiplier_2_bp = (uint16_t)(5000 + 1000 * below(walk, 5));
    request.policy[0].multiplier_3_bp = (uint16_t)(1000 * below(walk, 6));
    policy_key = (struct policy_key){request.scope, request.category, request.zip};
    if (state_policy_get(&walk->world->state, policy_key, &row)) {
        request.expected_version = row.version;
    }
    assert_int_equal(dw_run(walk->world, dw_admin, ZR_OP_POLICY_PUT, &request), ZR_STATUS_OK);
}

/* A call takes money, as far as there is any; a top-up brings some. */
static void
step_money(struct walk *walk)
{
    const uint32_t contractor = some_contractor(walk);
    const struct ticket ticket = dw_ticket(walk->world, &contractor, 1);

    if (below(walk, 3) == 0 &&
        dt_contractor_row(walk->world, contractor).status != ZR_CONTRACTOR_CLOSING) {
        dw_topup(walk->world, contractor, 2500);
    } else if (dw_connect(walk->world, &ticket, 0) == ZR_STATUS_OK) {
        dw_advance(walk->world, 60 * DW_SECOND_MS);
        assert_int_equal(
            dw_end(walk->world, &ticket, &ticket, (struct zr_end_request){.talk_ms = 60000}),
            ZR_STATUS_OK);
    }
}

static void
step_time(struct walk *walk)
{
    const uint64_t ms =
        below(walk, 3) == 0 ? below(walk, 10) * DW_DAY_MS : below(walk, 24) * DT_HOUR_MS;

    if (below(walk, 10) == 0) {
        dw_outage(walk->world, ms + DT_HOUR_MS);
    } else {
        dw_advance(walk->world, ms);
    }
}

/* M2, E13-E15, E70: every clock runs, and only those that should. */
static void
test_a_random_walk_loses_no_clock(void **state)
{
    static void (*const steps[])(struct walk *) = {
        step_claim,  step_claim, step_claim, step_claim, step_claim,    step_answer,
        step_answer, step_pause, step_pause, step_pause, step_status,   step_status,
        step_time,   step_time,  step_time,  step_price, step_schedule, step_schedule,
        step_money,  step_money, step_money, step_caps,  step_policy,
    };
    struct walk walk = {.world = *state, .seed = test_seed()};

    for (int i = 0; i < CONTRACTORS; i++) {
        walk.contractors[i] = dw_contractor(walk.world, (int64_t)2500 * i);
    }
    for (int step = 0; step < STEPS; step++) {
        const uint64_t mark = dt_mark(walk.world);

        steps[below(&walk, sizeof steps / sizeof steps[0])](&walk);
        walk.forfeited += dt_count(walk.world, mark, ZR_EVENT_FORFEITED);
        assert_true(state_timer_due_ms(&walk.world->state) > walk.world->now_ms);
        for (int i = 0; i < CONTRACTORS; i++) {
            check_contractor(&walk, walk.contractors[i]);
        }
    }
    assert_true(walk.forfeited > 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {DW_TEST(test_a_random_walk_loses_no_clock)};

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
