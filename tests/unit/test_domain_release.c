/*
 * test_domain_release.c - RELEASE and who inherits, PAUSE and RESUME (R16, R48, R63, R64, M2).
 */
#include "tests/lib/domain_world.h"

#include <string.h>

enum { CLAIMS = 4 };

/* A slot with a primary and three backups, each with money for the title. */
struct scene {
    struct domain_world *world;
    uint32_t contractors[CLAIMS];
    uint64_t claims[CLAIMS];
};

static struct scene
scene_make(struct domain_world *world, int64_t cents)
{
    struct scene scene = {.world = world};

    dw_policy_without_offers(world);
    for (int i = 0; i < CLAIMS; i++) {
        scene.contractors[i] = dw_contractor(world, cents);
        scene.claims[i] = dw_claim(world, scene.contractors[i])->claim_id;
    }
    return scene;
}

static uint16_t
release_as(struct domain_world *world, struct dw_actor actor, uint64_t claim_id)
{
    const struct zr_release_request request = {.claim_id = claim_id, .when = ZR_RELEASE_NOW};

    return dw_run(world, actor, ZR_OP_RELEASE, &request);
}

/* Release; must be granted. Returns the claim that got the title, 0 = none. */
static uint64_t
release(struct domain_world *world, uint64_t claim_id)
{
    assert_int_equal(release_as(world, dw_portal, claim_id), ZR_STATUS_OK);
    return world->reply.claim_state_reply.promoted_claim_id;
}

static uint16_t
pause_it(struct domain_world *world, uint64_t claim_id, uint32_t contractor)
{
    const struct zr_pause_request request = {
        .claim_id = claim_id, .contractor = contractor, .until_ms = DW_START_MS + 5};

    return dw_run(world, dw_portal, ZR_OP_PAUSE, &request);
}

static uint16_t
resume_it(struct domain_world *world, uint64_t claim_id, uint32_t contractor)
{
    const struct zr_resume_request request = {.claim_id = claim_id, .contractor = contractor};

    return dw_run(world, dw_portal, ZR_OP_RESUME, &request);
}

/* ---- release ------------------------------------------------------------------------------ */

/* R48, E16: a backup leaves; those behind it move up, the title stays. */
static void
test_a_backup_leaves_no_gap(void **state)
{
    struct scene scene = scene_make(*state, 5000);
    struct slot_row slot;
    struct contractor_row row;
    struct claim_row claim;

    scene.world->now_ms += 7;
    assert_int_equal(release(scene.world, scene.claims[1]), 0);
    assert_int_equal(scene.world->reply.claim_state_reply.state, ZR_CLAIM_RELEASED);
    assert_int_equal(scene.world->reply.claim_state_reply.contractor, scene.contractors[1]);
    slot = dw_slot(scene.world);
    assert_int_equal(slot.claims_count, CLAIMS - 1);
    assert_int_equal(slot.claims[1].contractor, scene.contractors[2]);
    assert_int_equal(slot_rank(&slot, 1), 2);
    assert_int_equal(slot_rank(&slot, 2), 3);
    assert_true(state_contractor_get(&scene.world->state, scene.contractors[1], &row));
    assert_int_equal(row.claims, 0);
    assert_true(state_claim_get(&scene.world->state, scene.claims[1], &claim));
    assert_int_equal(claim.state, ZR_CLAIM_RELEASED);
    assert_true(claim.ended_ms == DW_START_MS + 7);
    assert_int_equal(dw_wallet(scene.world, scene.contractors[1]).rate_max_cents, 0);
}

/* offer_window 0: the next in line is promoted at once, by seq (R64, R56); relative order stays. */
static void
test_the_first_backup_inherits_the_title(void **state)
{
    struct scene scene = scene_make(*state, 5000);
    struct claim_row claim;
    struct slot_row slot;

    assert_int_equal(release(scene.world, scene.claims[0]), scene.claims[1]);
    slot = dw_slot(scene.world);
    assert_int_equal(slot_find_primary(&slot), 0);
    assert_int_equal(slot.claims[0].contractor, scene.contractors[1]);
    assert_int_equal(slot_rank(&slot, 1), 2);
    assert_int_equal(slot.title_state, ZR_TITLE_STATE_HELD);
    assert_true(state_claim_get(&scene.world->state, scene.claims[1], &claim));
    assert_int_equal(claim.title, ZR_TITLE_PRIMARY);
    assert_int_equal(dw_wallet(scene.world, scene.contractors[1]).rate_max_cents, DW_RATE);
    assert_int_equal(dw_wallet(scene.world, scene.contractors[1]).rate_min_cents, DW_RATE);
}

static void
spoil_nothing(struct scene *scene)
{
    (void)scene;
}

static void
spoil_status(struct scene *scene)
{
    dw_set_status(scene->world, scene->contractors[1], ZR_CONTRACTOR_SUSPENDED);
}

static void
spoil_contractor_paused(struct scene *scene)
{
    assert_int_equal(pause_it(scene->world, 0, scene->contractors[1]), ZR_STATUS_OK);
}

static void
spoil_claim_paused(struct scene *scene)
{
    assert_int_equal(pause_it(scene->world, scene->claims[1], 0), ZR_STATUS_OK);
}

/* One cent short of the title's rate, though it covers the backup's. */
static void
spoil_money(struct scene *scene)
{
    struct wallet_row wallet = dw_wallet(scene->world, scene->contractors[1]);

    wallet.held_cents = wallet.main_cents - DW_RATE + 1;
    state_wallet_put(&scene->world->state, scene->contractors[1], &wallet);
}

/* M2 "Opening", E10: who may not accept is passed over and keeps his place and seq. */
static void
test_who_may_not_accept_is_passed_over(void **state)
{
    static const struct {
        void (*spoil)(struct scene *);
        int heir;
    } rows[] = {
        {spoil_nothing, 1},      {spoil_status, 2}, {spoil_contractor_paused, 2},
        {spoil_claim_paused, 2}, {spoil_money, 2},
    };
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene = scene_make(world, DW_RATE + 500);
        struct slot_row slot;

        rows[i].spoil(&scene);
        assert_int_equal(release(world, scene.claims[0]), scene.claims[rows[i].heir]);
        slot = dw_slot(world);
        assert_int_equal(slot.claims[0].contractor, scene.contractors[1]);
        assert_int_equal(slot_rank(&slot, 0), rows[i].heir == 1 ? 1 : 2);
        for (int j = CLAIMS - 1; j > 0; j--) {
            (void)release(world, scene.claims[j]);
        }
        assert_int_equal(dw_slot(world).claims_count, 0);
    }
}

/* CREDIT counts as money, and hours, caps, concurrency do not matter (E10). */
static void
test_promotional_credit_pays_for_a_title(void **state)
{
    struct scene scene = scene_make(*state, 0);

    dw_give_credit(scene.world, scene.contractors[2], DW_RATE - 1);
    dw_give_credit(scene.world, scene.contractors[3], DW_RATE);
    assert_int_equal(release(scene.world, scene.claims[0]), scene.claims[3]);
}

/* E69: nobody may: the slot is OPEN, ranks stay 2, 3 ...; it stays so while backups leave. */
static void
test_nobody_may_inherit(void **state)
{
    struct scene scene = scene_make(*state, 0);
    struct slot_row slot;

    assert_int_equal(release(scene.world, scene.claims[0]), 0);
    slot = dw_slot(scene.world);
    assert_int_equal(slot.title_state, ZR_TITLE_STATE_OPEN);
    assert_int_equal(slot_find_primary(&slot), SLOT_NO_CLAIM);
    assert_int_equal(slot_rank(&slot, 0), 2);
    assert_int_equal(release(scene.world, scene.claims[1]), 0);
    assert_int_equal(dw_slot(scene.world).title_state, ZR_TITLE_STATE_OPEN);
    assert_int_equal(release(scene.world, scene.claims[2]), 0);
    assert_int_equal(release(scene.world, scene.claims[3]), 0);
    assert_int_equal(dw_slot(scene.world).title_state, ZR_TITLE_STATE_VACANT);
    assert_int_equal(dw_claim(scene.world, scene.contractors[0])->rank, 1);
}

/* M2: a former primary comes back as a new claim at the tail (R48). */
static void
test_a_former_primary_comes_back_at_the_tail(void **state)
{
    struct scene scene = scene_make(*state, 5000);
    const struct zr_claim_result *again;

    (void)release(scene.world, scene.claims[0]);
    again = dw_claim(scene.world, scene.contractors[0]);
    assert_int_equal(again->rank, CLAIMS);
    assert_true(again->seq > scene.claims[CLAIMS - 1]);
}

/* The last one leaves: the slot is empty, and the price of a withdrawn category does not matter. */
static void
test_a_lone_primary_leaves_an_empty_slot(void **state)
{
    struct domain_world *world = *state;
    const uint64_t claim_id = dw_claim(world, dw_contractor(world, 0))->claim_id;
    const uint64_t version = dw_slot(world).version;

    assert_int_equal(release(world, claim_id), 0);
    assert_int_equal(dw_slot(world).claims_count, 0);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_VACANT);
    assert_true(dw_slot(world).version > version);
}

/* protocol.md "Status": RELEASE of a released claim is a wish that is true already; anything else
 * that is asked of it is CLAIM_ENDED. Nothing changes. */
static void
test_an_ended_claim_stays_ended(void **state)
{
    struct scene scene = scene_make(*state, 5000);

    (void)release(scene.world, scene.claims[2]);
    assert_int_equal(release_as(scene.world, dw_portal, scene.claims[2]), ZR_STATUS_OK);
    assert_true(scene.world->effects.duplicate);
    assert_int_equal(scene.world->reply.claim_state_reply.state, ZR_CLAIM_RELEASED);
    assert_false(scene.world->state.changed);
    assert_int_equal(pause_it(scene.world, scene.claims[2], 0), ZR_STATUS_CLAIM_ENDED);
    assert_int_equal(scene.world->reply.claim_state_reply.state, ZR_CLAIM_RELEASED);
    assert_int_equal(resume_it(scene.world, scene.claims[2], 0), ZR_STATUS_CLAIM_ENDED);
    assert_false(scene.world->state.changed);
}

/* R69, E39: another's claim is not there; ADMIN may end any. */
static void
test_who_may_release(void **state)
{
    struct scene scene = scene_make(*state, 5000);
    const struct dw_actor foreign = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};
    const struct dw_actor other = {ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, scene.contractors[1]};
    const struct dw_actor self = {ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, scene.contractors[0]};

    assert_int_equal(release_as(scene.world, foreign, scene.claims[0]), ZR_STATUS_NOT_FOUND);
    assert_int_equal(release_as(scene.world, other, scene.claims[0]), ZR_STATUS_NOT_FOUND);
    assert_int_equal(release_as(scene.world, self, 999), ZR_STATUS_NOT_FOUND);
    assert_int_equal(release_as(scene.world, self, scene.claims[0]), ZR_STATUS_OK);
    assert_int_equal(release_as(scene.world, dw_admin, scene.claims[1]), ZR_STATUS_OK);
}

/* M5: after a claim is gone the wallet's rates are those of what is left. */
static void
test_rates_are_counted_anew(void **state)
{
    struct domain_world *world = *state;
    const uint32_t first = dw_contractor(world, 5000);
    const uint32_t second = dw_contractor(world, 5000);
    struct zr_claim_request request = {.contractor = second,
                                       .slots = {{DW_ZIP_2, DW_CATEGORY}, {DW_ZIP, DW_CATEGORY_2}},
                                       .slots_count = 2};
    uint64_t cheap;

    (void)dw_claim(world, first);
    cheap = dw_claim(world, second)->claim_id;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, second).rate_min_cents, DW_RATE_2);
    (void)release(world, cheap);
    assert_int_equal(dw_wallet(world, second).rate_min_cents, DW_RATE);
    assert_int_equal(dw_wallet(world, second).rate_max_cents, DW_RATE);
    (void)release(world, dw_claim(world, second)->claim_id);
    assert_int_equal(dw_wallet(world, second).rate_min_cents, DW_RATE);
}

/* The cheapest of what is left, in whatever order it was claimed; a free slot asks for nothing. */
static void
test_the_cheapest_claim_counts(void **state)
{
    struct domain_world *world = *state;
    const uint32_t first = dw_contractor(world, 0);
    const uint32_t second = dw_contractor(world, 0);
    struct zr_claim_request request = {
        .contractor = second, .slots = {{DW_ZIP_2, DW_CATEGORY}}, .slots_count = 1};
    struct zr_category_put_request free_of_charge = {
        .offered = true, .zips_action = ZR_ZIPS_EVERYWHERE, .name = "advice"};
    uint64_t gone;

    (void)dw_claim(world, first);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    (void)dw_claim(world, second);
    request.slots[0] = (struct zr_slot_key){DW_ZIP_2, DW_CATEGORY_2};
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    gone = world->reply.claim_reply.results[0].claim_id;
    assert_int_equal(release_as(world, dw_portal, gone), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, second).rate_max_cents, DW_RATE);
    assert_int_equal(dw_wallet(world, second).rate_min_cents, DW_RATE_2);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_CATEGORY_PUT, &free_of_charge), ZR_STATUS_OK);
    request.contractor = dw_contractor(world, 0);
    request.slots[0].category = 3;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, request.contractor).rate_max_cents, 0);
}

/* ---- pause and resume ---------------------------------------------------------------------- */

/* R63: the claim is skipped and keeps its place; the deadline is the grace, and pausing again does
 * not move it. */
static void
test_a_paused_claim_keeps_its_place(void **state)
{
    struct scene scene = scene_make(*state, 5000);
    const uint64_t deadline = DW_START_MS + 14 * DW_DAY_MS;
    struct claim_row claim;

    assert_int_equal(pause_it(scene.world, scene.claims[0], 0), ZR_STATUS_OK);
    assert_int_equal(scene.world->reply.claim_state_reply.state, ZR_CLAIM_PAUSED);
    assert_int_equal(scene.world->reply.claim_state_reply.contractor, scene.contractors[0]);
    assert_true(scene.world->reply.claim_state_reply.grace_deadline_ms == deadline);
    assert_int_equal(dw_slot(scene.world).claims[0].paused, 1);
    assert_int_equal(dw_slot(scene.world).claims[0].title, ZR_TITLE_PRIMARY);
    scene.world->now_ms += DW_DAY_MS;
    assert_int_equal(pause_it(scene.world, scene.claims[0], 0), ZR_STATUS_OK);
    assert_true(scene.world->reply.claim_state_reply.grace_deadline_ms == deadline);
    assert_true(state_claim_get(&scene.world->state, scene.claims[0], &claim));
    assert_true(claim.pause.until_ms == DW_START_MS + 5);
    assert_int_equal(resume_it(scene.world, scene.claims[0], 0), ZR_STATUS_OK);
    assert_int_equal(scene.world->reply.claim_state_reply.state, ZR_CLAIM_LIVE);
    assert_int_equal(dw_slot(scene.world).claims[0].paused, 0);
    assert_true(state_claim_get(&scene.world->state, scene.claims[0], &claim));
    assert_int_equal(claim.state, ZR_CLAIM_LIVE);
    assert_int_equal(resume_it(scene.world, scene.claims[0], 0), ZR_STATUS_OK); /* Set-state. */
    /* M2: paused again less than 7 d after it resumed, the old clock goes on; at 7 d a new one. */
    scene.world->now_ms += 7 * DW_DAY_MS - 1;
    assert_int_equal(pause_it(scene.world, scene.claims[0], 0), ZR_STATUS_OK);
    assert_true(scene.world->reply.claim_state_reply.grace_deadline_ms == deadline);
    assert_int_equal(resume_it(scene.world, scene.claims[0], 0), ZR_STATUS_OK);
    scene.world->now_ms += 7 * DW_DAY_MS;
    assert_int_equal(pause_it(scene.world, scene.claims[0], 0), ZR_STATUS_OK);
    assert_true(scene.world->reply.claim_state_reply.grace_deadline_ms ==
                scene.world->now_ms + 14 * DW_DAY_MS);
}

/* R55: a vacation of the whole contractor spans all his claims and touches none of them. */
static void
test_a_contractor_pauses_as_a_whole(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint64_t deadline = DW_START_MS + 14 * DW_DAY_MS;
    struct contractor_row row;

    (void)dw_claim(world, contractor);
    assert_int_equal(pause_it(world, 0, contractor), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_state_reply.contractor, contractor);
    assert_true(world->reply.claim_state_reply.grace_deadline_ms == deadline);
    world->now_ms += DW_DAY_MS;
    assert_int_equal(pause_it(world, 0, contractor), ZR_STATUS_OK);
    assert_true(world->reply.claim_state_reply.grace_deadline_ms == deadline);
    assert_true(state_contractor_get(&world->state, contractor, &row));
    assert_int_equal(row.paused, 1);
    assert_int_equal(dw_slot(world).claims[0].paused, 0);
    assert_int_equal(resume_it(world, 0, contractor), ZR_STATUS_OK);
    assert_true(state_contractor_get(&world->state, contractor, &row));
    assert_int_equal(row.paused, 0);
    assert_int_equal(pause_it(world, 0, contractor), ZR_STATUS_OK);
    assert_true(world->reply.claim_state_reply.grace_deadline_ms == deadline);
}

static void
test_who_may_pause(void **state)
{
    struct domain_world *world = *state;
    const struct dw_actor foreign = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_pause_request pausing = {.contractor = contractor};
    struct zr_resume_request resuming = {.contractor = contractor};

    assert_int_equal(dw_run(world, foreign, ZR_OP_PAUSE, &pausing), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, foreign, ZR_OP_RESUME, &resuming), ZR_STATUS_NOT_FOUND);
    pausing.claim_id = dw_claim(world, contractor)->claim_id;
    resuming.claim_id = pausing.claim_id;
    assert_int_equal(dw_run(world, foreign, ZR_OP_PAUSE, &pausing), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, foreign, ZR_OP_RESUME, &resuming), ZR_STATUS_NOT_FOUND);
    assert_int_equal(pause_it(world, 0, 999), ZR_STATUS_NOT_FOUND);
    assert_int_equal(resume_it(world, 0, 999), ZR_STATUS_NOT_FOUND);
    assert_int_equal(pause_it(world, 999, 0), ZR_STATUS_NOT_FOUND);
    assert_int_equal(resume_it(world, 999, 0), ZR_STATUS_NOT_FOUND);
}

/* A paused claim can be released, and may take an OPEN title while it is paused. */
static void
test_a_paused_claim_can_end_and_rise(void **state)
{
    struct scene scene = scene_make(*state, 0);

    assert_int_equal(pause_it(scene.world, scene.claims[1], 0), ZR_STATUS_OK);
    (void)release(scene.world, scene.claims[0]);
    assert_int_equal(dw_claim(scene.world, scene.contractors[1])->rank, 1);
    assert_int_equal(dw_slot(scene.world).claims[0].paused, 1);
    assert_int_equal(release(scene.world, scene.claims[1]), 0);
    assert_int_equal(dw_slot(scene.world).title_state, ZR_TITLE_STATE_OPEN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_a_backup_leaves_no_gap),
        DW_TEST(test_the_first_backup_inherits_the_title),
        DW_TEST(test_who_may_not_accept_is_passed_over),
        DW_TEST(test_promotional_credit_pays_for_a_title),
        DW_TEST(test_nobody_may_inherit),
        DW_TEST(test_a_former_primary_comes_back_at_the_tail),
        DW_TEST(test_a_lone_primary_leaves_an_empty_slot),
        DW_TEST(test_an_ended_claim_stays_ended),
        DW_TEST(test_who_may_release),
        DW_TEST(test_rates_are_counted_anew),
        DW_TEST(test_the_cheapest_claim_counts),
        DW_TEST(test_a_paused_claim_keeps_its_place),
        DW_TEST(test_a_contractor_pauses_as_a_whole),
        DW_TEST(test_who_may_pause),
        DW_TEST(test_a_paused_claim_can_end_and_rise),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
