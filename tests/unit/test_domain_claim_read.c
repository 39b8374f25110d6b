/*
 * test_domain_claim_read.c - CLAIMS_LIST and SLOT_GET: what may be seen of claims (R54, R69).
 */
#include "tests/lib/domain_world.h"

#include <string.h>

enum { PAGE = 64, SCAN = 1024 };

static const struct dw_actor foreign = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};

static void
release(struct domain_world *world, uint64_t claim_id)
{
    const struct zr_release_request request = {.claim_id = claim_id, .when = ZR_RELEASE_NOW};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_RELEASE, &request), ZR_STATUS_OK);
}

static uint16_t
list_as(struct domain_world *world, struct dw_actor actor, struct zr_claims_list_request request)
{
    return dw_run(world, actor, ZR_OP_CLAIMS_LIST, &request);
}

/* A claim as it stands today: its rank and its rate move, its seq does not (E16). */
static void
test_claims_show_todays_rank(void **state)
{
    struct domain_world *world = *state;
    const struct zr_claims_list_reply *reply = &world->reply.claims_list_reply;
    const uint64_t first = dw_claim(world, dw_contractor(world, 0))->claim_id;
    const uint32_t second = dw_contractor(world, 5000);
    const struct zr_claims_list_request request = {.contractor = second};

    dw_policy_without_offers(world);
    (void)dw_claim(world, second);
    assert_int_equal(list_as(world, dw_portal, request), ZR_STATUS_OK);
    assert_int_equal(reply->claims_count, 1);
    assert_int_equal(reply->claims[0].rank, 2);
    assert_int_equal(reply->claims[0].rate_cents, DW_RATE_2);
    release(world, first);
    assert_int_equal(list_as(world, dw_portal, request), ZR_STATUS_OK);
    assert_int_equal(reply->claims[0].rank, 1);
    assert_int_equal(reply->claims[0].title, ZR_TITLE_PRIMARY);
    assert_int_equal(reply->claims[0].rate_cents, DW_RATE);
    assert_int_equal(reply->claims[0].seq, 2);
    assert_int_equal(reply->next, 0);
}

/* Ended claims only where asked for; they have no rank. */
static void
test_ended_claims_are_listed_on_demand(void **state)
{
    struct domain_world *world = *state;
    const struct zr_claims_list_reply *reply = &world->reply.claims_list_reply;
    const uint32_t contractor = dw_contractor(world, 0);

    release(world, dw_claim(world, contractor)->claim_id);
    assert_int_equal(
        list_as(world, dw_portal, (struct zr_claims_list_request){.contractor = contractor}),
        ZR_STATUS_OK);
    assert_int_equal(reply->claims_count, 0);
    assert_int_equal(list_as(world, dw_admin, (struct zr_claims_list_request){.ended = true}),
                     ZR_STATUS_OK);
    assert_int_equal(reply->claims_count, 1);
    assert_int_equal(reply->claims[0].rank, 0);
    assert_int_equal(reply->claims[0].state, ZR_CLAIM_RELEASED);
    assert_true(reply->claims[0].ended_ms != 0);
}

/* R69: one's own; everyone's for ADMIN and AUDITOR only. */
static void
test_who_may_list_claims(void **state)
{
    static const struct {
        struct dw_actor actor;
        uint32_t contractor;
        uint16_t expected;
    } rows[] = {
        {{ZR_ROLE_PORTAL, DW_PORTAL_TENANT, 0}, 1, ZR_STATUS_OK},
        {{ZR_ROLE_PORTAL, DW_PORTAL_TENANT, 0}, 0, ZR_STATUS_NOT_FOUND},
        {{ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0}, 1, ZR_STATUS_NOT_FOUND},
        {{ZR_ROLE_PORTAL, DW_PORTAL_TENANT, 0}, 999, ZR_STATUS_NOT_FOUND},
        {{ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, 1}, 1, ZR_STATUS_OK},
        {{ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, 2}, 1, ZR_STATUS_NOT_FOUND},
        {{ZR_ROLE_ADMIN, 1, 0}, 0, ZR_STATUS_OK},
        {{ZR_ROLE_AUDITOR, 1, 0}, 0, ZR_STATUS_OK},
    };
    struct domain_world *world = *state;

    assert_int_equal(dw_contractor(world, 0), 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(list_as(world, rows[i].actor,
                                 (struct zr_claims_list_request){.contractor = rows[i].contractor}),
                         rows[i].expected);
    }
}

/* Claims written straight: what a thousand ended ones leave behind. */
static void
put_claims(struct domain_world *world, uint32_t contractor, int count, uint64_t ended_ms)
{
    for (int i = 0; i < count; i++) {
        const struct claim_row row = {.ended_ms = ended_ms,
                                      .zip = DW_ZIP,
                                      .contractor = contractor,
                                      .category = DW_CATEGORY,
                                      .state = ended_ms != 0 ? ZR_CLAIM_RELEASED : ZR_CLAIM_LIVE,
                                      .title = ZR_TITLE_BACKUP};

        state_claim_put(&world->state, state_counter_next(&world->state, COUNTER_CLAIM_SEQ), &row);
    }
}

/* Pages ascend and end; one may come short behind a long run of ended claims. */
static void
test_the_list_pages(void **state)
{
    struct domain_world *world = *state;
    const struct zr_claims_list_reply *reply = &world->reply.claims_list_reply;
    const uint32_t contractor = dw_contractor(world, 0);

    put_claims(world, contractor, SCAN + 5, 1);
    put_claims(world, contractor, PAGE + 1, 0);
    for (uint32_t who = 0; who <= contractor; who++) { /* Everyone's, then his. */
        struct zr_claims_list_request request = {.contractor = who};
        unsigned seen = 0;
        unsigned pages = 0;

        do {
            assert_int_equal(list_as(world, dw_admin, request), ZR_STATUS_OK);
            for (uint16_t i = 0; i < reply->claims_count; i++) {
                assert_int_equal(reply->claims[i].claim_id, SCAN + 6 + seen++);
                assert_int_equal(reply->claims[i].rank, 0); /* In no slot: a row of no rule. */
            }
            request.after = reply->next;
            pages++;
        } while (request.after != 0);
        assert_int_equal(seen, PAGE + 1);
        assert_int_equal(pages, 3);
    }
}

/* R54: the facts of a slot are everybody's, its holders only their own. */
static void
test_a_slot_is_anonymous(void **state)
{
    struct domain_world *world = *state;
    const struct zr_slot_get_reply *reply = &world->reply.slot_get_reply;
    const struct zr_slot_get_request request = {.zip = DW_ZIP, .category = DW_CATEGORY};
    const uint32_t first = dw_contractor(world, 0);
    const uint32_t second = dw_contractor(world, 0);
    const struct dw_actor self = {ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, second};
    const struct zr_pause_request pausing = {.claim_id = 2};

    (void)dw_claim(world, first);
    (void)dw_claim(world, second);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_PAUSE, &pausing), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, self, ZR_OP_SLOT_GET, &request), ZR_STATUS_OK);
    assert_int_equal(reply->claims_count, 2);
    assert_int_equal(reply->positions, 8);
    assert_int_equal(reply->rate_cents, DW_RATE);
    assert_false(reply->open);
    assert_int_equal(reply->claims[0].rank, 1);
    assert_int_equal(reply->claims[0].contractor, 0);
    assert_int_equal(reply->claims[0].claim_id, 0);
    assert_int_equal(reply->claims[1].contractor, second);
    assert_int_equal(reply->claims[1].claim_id, 2);
    assert_int_equal(reply->claims[1].state, ZR_CLAIM_PAUSED);
    assert_int_equal(dw_run(world, foreign, ZR_OP_SLOT_GET, &request), ZR_STATUS_OK);
    assert_int_equal(reply->claims[1].contractor, 0);
    dw_policy_without_offers(world);
    release(world, 1);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_SLOT_GET, &request), ZR_STATUS_OK);
    assert_true(reply->open);
    assert_int_equal(reply->title_state, ZR_TITLE_STATE_OPEN);
    assert_int_equal(reply->claims[0].rank, 2);
    assert_int_equal(reply->claims[0].contractor, second);
}

/* R54: that a title is offered or a position reserved is everybody's to know, to whom is not. */
static void
test_a_slot_shows_what_is_pending(void **state)
{
    struct domain_world *world = *state;
    const struct zr_slot_get_reply *reply = &world->reply.slot_get_reply;
    const struct zr_slot_get_request request = {.zip = DW_ZIP, .category = DW_CATEGORY};
    const uint32_t heir = dw_contractor(world, 0);
    const uint64_t primary = dw_claim(world, dw_contractor(world, 0))->claim_id;
    const uint64_t backup = dw_claim(world, heir)->claim_id;
    struct zr_policy policy = dw_policy_default();
    struct zr_waitlist_request join = {.zip = DW_ZIP, .category = DW_CATEGORY};

    policy.max_positions = 2;
    dw_policy(world, &policy);
    join.contractor = dw_contractor(world, 0);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_WAITLIST_JOIN, &join), ZR_STATUS_OK);
    release(world, primary);
    assert_int_equal(dw_run(world, foreign, ZR_OP_SLOT_GET, &request), ZR_STATUS_OK);
    assert_int_equal(reply->title_state, ZR_TITLE_STATE_OFFERED);
    assert_false(reply->open);
    assert_int_equal(reply->offer_id, 0);
    assert_true(reply->offer_seq == backup);
    assert_true(reply->offer_deadline_ms == world->now_ms + DW_DAY_MS);
    assert_int_equal(reply->waiting, 1);
    assert_false(reply->reserved);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SLOT_GET, &request), ZR_STATUS_OK);
    assert_int_equal(reply->offer_id, 1);
    release(world, backup);
    assert_int_equal(dw_run(world, foreign, ZR_OP_SLOT_GET, &request), ZR_STATUS_OK);
    assert_int_equal(reply->title_state, ZR_TITLE_STATE_VACANT);
    assert_true(reply->reserved);
    assert_true(reply->offer_deadline_ms == world->now_ms + DW_DAY_MS);
    assert_int_equal(reply->offer_seq, 0);
}

static const struct zr_claim_get_reply *
get_claim(struct domain_world *world, struct dw_actor actor, uint64_t claim_id)
{
    const struct zr_claim_get_request request = {.claim_id = claim_id};

    assert_int_equal(dw_run(world, actor, ZR_OP_CLAIM_GET, &request), ZR_STATUS_OK);
    return &world->reply.claim_get_reply;
}

/* CLAIM_GET: one's own claim with all that stands against it (M2, R69). */
static void
test_a_claim_shows_its_conditions(void **state)
{
    struct domain_world *world = *state;
    const uint32_t holder = dw_contractor(world, 5000);
    const uint64_t claim_id = dw_claim(world, holder)->claim_id;
    const struct zr_pause_request whole = {.contractor = holder};
    const struct zr_pause_request one = {.claim_id = claim_id};
    const struct zr_release_request later = {.claim_id = claim_id, .when = ZR_RELEASE_PERIOD_END};
    const struct zr_claim_get_request request = {.claim_id = claim_id};
    const struct zr_claim_get_reply *reply = get_claim(world, dw_portal, claim_id);

    assert_int_equal(reply->conditions, 0);
    assert_int_equal(reply->deadline_ms, 0);
    assert_int_equal(reply->rank, 1);
    assert_int_equal(reply->rate_cents, DW_RATE);
    assert_int_equal(reply->state, ZR_CLAIM_LIVE);
    assert_int_equal(reply->contractor, holder);
    assert_int_equal(reply->zip, DW_ZIP);
    assert_int_equal(dw_run(world, foreign, ZR_OP_CLAIM_GET, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_PAUSE, &whole), ZR_STATUS_OK);
    reply = get_claim(world, dw_portal, claim_id);
    assert_int_equal(reply->conditions, CONDITION_PAUSED);
    assert_int_equal(reply->paused_deadline_ms, 0); /* Not its own. */
    assert_true(reply->deadline_ms == world->now_ms + 14 * DW_DAY_MS);
    world->now_ms += DW_DAY_MS;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_PAUSE, &one), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_RELEASE, &later), ZR_STATUS_OK);
    reply = get_claim(world, dw_portal, claim_id);
    assert_int_equal(reply->conditions, CONDITION_PAUSED | CONDITION_LAPSING);
    assert_true(reply->paused_deadline_ms == world->now_ms + 14 * DW_DAY_MS);
    assert_true(reply->deadline_ms == world->now_ms + 13 * DW_DAY_MS); /* The earliest. */
    assert_int_equal(reply->state, ZR_CLAIM_LAPSING);                  /* Wins over PAUSED. */
    assert_true(reply->period_end_ms > world->now_ms);
    release(world, claim_id);
    reply = get_claim(world, dw_admin, claim_id);
    assert_int_equal(reply->state, ZR_CLAIM_RELEASED);
    assert_int_equal(reply->rank, 0);
    assert_int_equal(reply->conditions, 0);
    assert_true(reply->ended_ms == world->now_ms);
}

/* E29 */
static void
test_slots_that_are_not_there(void **state)
{
    struct domain_world *world = *state;
    struct zr_slot_get_request request = {.zip = DW_ZIP_UNKNOWN, .category = DW_CATEGORY};

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_SLOT_GET, &request), ZR_STATUS_UNKNOWN_ZIP);
    request.zip = DW_ZIP;
    request.category = 77;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_SLOT_GET, &request), ZR_STATUS_NOT_OFFERED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_claims_show_todays_rank),      DW_TEST(test_ended_claims_are_listed_on_demand),
        DW_TEST(test_who_may_list_claims),          DW_TEST(test_the_list_pages),
        DW_TEST(test_a_slot_is_anonymous),          DW_TEST(test_slots_that_are_not_there),
        DW_TEST(test_a_slot_shows_what_is_pending), DW_TEST(test_a_claim_shows_its_conditions),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
