/*
 * test_domain_waitlist.c - WAITLIST_JOIN and _LEAVE, and the reservation of a freed position for
 * the head (M2, R43, R64, I4).
 */
#include "server/domain/waitlist.h"
#include "tests/lib/domain_titles.h"

#define WINDOW_MS (24 * DT_HOUR_MS)

enum { WAITING_MAX = 3 };

static void
set_policy(struct domain_world *world, uint8_t positions, uint32_t window_s)
{
    struct zr_policy policy = dw_policy_default();

    policy.max_positions = positions;
    policy.offer_window_s = window_s;
    dw_policy(world, &policy);
}

/* An exclusive slot, or one of two positions, that is full, and contractors that wait for it. */
struct queue {
    struct dt_cascade cascade;
    uint32_t waiting[WAITING_MAX];
};

static struct queue
queue_make(struct domain_world *world, uint8_t positions)
{
    struct queue queue;

    set_policy(world, positions, 24 * 3600);
    queue.cascade = dt_cascade(world, positions);
    for (int i = 0; i < WAITING_MAX; i++) {
        queue.waiting[i] = dw_contractor(world, DT_MONEY);
        assert_int_equal(dt_join(world, queue.waiting[i]), ZR_STATUS_OK);
        assert_int_equal(world->reply.waitlist_reply.place, i + 1);
        assert_int_equal(world->reply.waitlist_reply.deadline_ms, 0);
    }
    return queue;
}

static uint16_t
claim_status(struct domain_world *world, uint32_t contractor, bool accept_backup)
{
    const struct zr_claim_request request = {.contractor = contractor,
                                             .accept_backup = accept_backup,
                                             .slots = {{DW_ZIP, DW_CATEGORY}},
                                             .slots_count = 1};

    return dw_run(world, dw_portal, ZR_OP_CLAIM, &request);
}

/* ---- joining ------------------------------------------------------------------------------ */

/* R43: a taken exclusive slot refuses, and offers a place to wait. Joining again keeps it. */
static void
test_waiting_for_an_exclusive_slot(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);

    assert_int_equal(claim_status(world, queue.waiting[0], true), ZR_STATUS_SLOT_TAKEN);
    assert_int_equal(dt_join(world, queue.waiting[1]), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_false(world->state.changed);
    assert_int_equal(world->reply.waitlist_reply.place, 2);
    assert_int_equal(dw_slot(world).waiting, WAITING_MAX);
}

/* In precedence order: whose it is, the ZIP, the offer, the status, the claim, the room. */
static void
test_refusals_of_a_place(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 1);
    const struct dw_actor foreign = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};
    struct zr_waitlist_request request = {
        .contractor = dw_contractor(world, 0), .zip = DW_ZIP_UNKNOWN, .category = 77};

    assert_int_equal(dw_run(world, foreign, ZR_OP_WAITLIST_JOIN, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, foreign, ZR_OP_WAITLIST_LEAVE, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_WAITLIST_JOIN, &request),
                     ZR_STATUS_UNKNOWN_ZIP);
    request.zip = DW_ZIP;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_WAITLIST_JOIN, &request),
                     ZR_STATUS_NOT_OFFERED);
    request.contractor = 999;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_WAITLIST_JOIN, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_WAITLIST_LEAVE, &request), ZR_STATUS_NOT_FOUND);
    request.contractor = dw_contractor(world, 0);
    dw_set_status(world, request.contractor, ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(dt_join(world, request.contractor), ZR_STATUS_NOT_APPROVED);
    assert_int_equal(dt_join(world, cascade.contractors[0]), ZR_STATUS_ALREADY_CLAIMED);
    /* A CLAIM as a backup would be taken: there is nothing to wait for. */
    assert_int_equal(dt_join(world, dw_contractor(world, 0)), ZR_STATUS_HAS_ROOM);
    set_policy(world, 1, 0);
    assert_int_equal(dt_join(world, dw_contractor(world, 0)), ZR_STATUS_OK);
    assert_int_equal(dt_leave(world, cascade.contractors[0]), ZR_STATUS_OK);
    assert_true(world->effects.duplicate); /* It did not wait. */
    assert_false(world->state.changed);
}

/* A list has a bound. */
static void
test_a_list_is_bounded(void **state)
{
    struct domain_world *world = *state;

    set_policy(world, 1, 0);
    (void)dt_cascade(world, 1);
    for (int i = 0; i < WAITLIST_MAX; i++) {
        assert_int_equal(dt_join(world, dw_contractor(world, 0)), ZR_STATUS_OK);
    }
    assert_int_equal(dt_join(world, dw_contractor(world, 0)), ZR_STATUS_LIMIT);
}

/* ---- the reservation ----------------------------------------------------------------------- */

/* M2: a position comes free: the head alone may take it, within its time. */
static void
test_a_free_position_waits_for_the_head(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 2);
    const uint64_t mark = dt_mark(world);
    struct event_row event;

    assert_int_equal(dt_release(world, queue.cascade.claims[1], ZR_RELEASE_NOW), ZR_STATUS_OK);
    event = dt_last(world, mark, ZR_EVENT_WAITLIST_OPEN);
    assert_int_equal(event.contractor, queue.waiting[0]);
    assert_int_equal(event.zip, DW_ZIP);
    assert_true(event.deadline_ms == world->now_ms + WINDOW_MS);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
    assert_int_equal(dw_slot(world).full, 1);
    assert_int_equal(claim_status(world, dw_contractor(world, 0), true), ZR_STATUS_SLOT_FULL);
    assert_int_equal(claim_status(world, queue.waiting[1], true), ZR_STATUS_SLOT_FULL);
    assert_int_equal(dt_join(world, queue.waiting[0]), ZR_STATUS_OK);
    assert_true(world->reply.waitlist_reply.deadline_ms == event.deadline_ms);
    /* As a backup it has to say so (R43). */
    assert_int_equal(claim_status(world, queue.waiting[0], false), ZR_STATUS_SLOT_TAKEN);
    assert_int_equal(claim_status(world, queue.waiting[0], true), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_reply.results[0].rank, 2);
    assert_int_equal(dw_slot(world).waiting, WAITING_MAX - 1);
    assert_int_equal(dw_slot(world).reserved_contractor, 0);
    assert_int_equal(dt_join(world, queue.waiting[1]), ZR_STATUS_OK);
    assert_int_equal(world->reply.waitlist_reply.place, 1);
    dw_advance(world, 2 * WINDOW_MS); /* The reservation's timer has nothing to do. */
    assert_int_equal(dw_slot(world).waiting, WAITING_MAX - 1);
}

/* M2: nobody loses his place by not claiming what cannot be claimed. Withdrawn for a week, the
 * category comes back to the list that was there, and the head is told anew each day. */
static void
test_a_withdrawn_category_costs_no_place(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);
    const uint64_t mark = dt_mark(world);

    set_policy(world, 1, 60); /* A window of a minute asks no oftener for that. */
    dw_category(world, DW_RATE, false);
    assert_int_equal(dt_release(world, queue.cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(claim_status(world, queue.waiting[0], true), ZR_STATUS_NOT_OFFERED);
    dw_advance(world, 7 * WINDOW_MS);
    assert_int_equal(dw_slot(world).waiting, WAITING_MAX);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_WAITLIST_OPEN), 8);
    dw_category(world, DW_RATE, true);
    dw_advance(world, WINDOW_MS - 1);
    assert_int_equal(claim_status(world, queue.waiting[1], true), ZR_STATUS_SLOT_TAKEN);
    assert_int_equal(claim_status(world, queue.waiting[0], true), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).waiting, WAITING_MAX - 1);
}

/* At the deadline the head is off the list, and the next one has its time; then the public. */
static void
test_a_reservation_passes_on(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);
    const uint32_t outsider = dw_contractor(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_release(world, queue.cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_VACANT);
    assert_int_equal(dw_slot(world).taken, 1); /* Reserved is taken (R42). */
    dw_advance(world, WINDOW_MS - 1);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
    dw_advance(world, 1);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[1]);
    assert_int_equal(dw_slot(world).waiting, 2);
    assert_int_equal(claim_status(world, queue.waiting[0], true), ZR_STATUS_SLOT_TAKEN);
    assert_int_equal(dt_leave(world, queue.waiting[1]), ZR_STATUS_OK);
    assert_int_equal(world->reply.waitlist_reply.place, 0);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[2]);
    assert_true(dw_slot(world).reserved_deadline_ms == world->now_ms + WINDOW_MS);
    assert_int_equal(claim_status(world, outsider, false), ZR_STATUS_SLOT_TAKEN);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_WAITLIST_OPEN), 3);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_MAP_DELTA), 0);
    dw_advance(world, WINDOW_MS);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_MAP_DELTA).code, 0);
    assert_int_equal(claim_status(world, outsider, false), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_reply.results[0].rank, 1);
}

/* The head of a vacant slot becomes PRIMARY, without asking for a backup's place. */
static void
test_the_head_takes_a_vacant_title(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);

    assert_int_equal(dt_release(world, queue.cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(claim_status(world, queue.waiting[0], false), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_reply.results[0].title, ZR_TITLE_PRIMARY);
    assert_int_equal(dw_slot(world).waiting, 2);
}

/* M2: while the title is offered the backups come first; OPEN, the waitlist before anybody. */
static void
test_the_waitlist_comes_after_the_chain(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 2);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_release(world, queue.cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dt_offered_to(world), queue.cascade.contractors[1]);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_WAITLIST_OPEN), 0);
    assert_int_equal(claim_status(world, queue.waiting[0], true), ZR_STATUS_SLOT_FULL);
    assert_int_equal(dt_answer(world, 1, false), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_OPEN);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
    assert_int_equal(dw_claim(world, queue.cascade.contractors[1])->status,
                     ZR_STATUS_ALREADY_CLAIMED);
    assert_int_equal(claim_status(world, queue.waiting[0], false), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_reply.results[0].rank, 1);
    assert_int_equal(dt_rank(world, queue.cascade.claims[1]), 2);
}

/* After an acceptance the freed position is the head's, too. */
static void
test_the_waitlist_gets_what_a_promotion_leaves(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 2);

    assert_int_equal(dt_release(world, queue.cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dt_answer(world, 1, true), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
    /* The new primary leaves in its turn: the reservation stands, of the title there is no heir. */
    assert_int_equal(dt_release(world, queue.cascade.claims[1], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_VACANT);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
}

/* Where offers have no window the head has 24 h: somebody has to come. */
static void
test_the_head_has_a_day_without_offers(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);

    set_policy(world, 1, 0);
    assert_int_equal(dt_release(world, queue.cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_true(dw_slot(world).reserved_deadline_ms == world->now_ms + WINDOW_MS);
}

/* A holder who is not APPROVED keeps its reservation until the deadline, and cannot use it. */
static void
test_a_suspended_head_keeps_its_time(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);

    dw_set_status(world, queue.waiting[0], ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(dt_release(world, queue.cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
    assert_int_equal(claim_status(world, queue.waiting[0], true), ZR_STATUS_NOT_APPROVED);
    dw_advance(world, WINDOW_MS);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[1]);
}

/* M4 "CLOSING": places and reservations are given up, in every slot. */
static void
test_a_closing_account_waits_no_more(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);
    const struct zr_claim_request other_slot = {.contractor = queue.cascade.contractors[0],
                                                .slots = {{DW_ZIP_2, DW_CATEGORY_2}},
                                                .slots_count = 1};
    const struct zr_waitlist_request elsewhere = {
        .contractor = queue.waiting[0], .zip = DW_ZIP_2, .category = DW_CATEGORY_2};
    struct slot_row slot;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &other_slot), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_WAITLIST_JOIN, &elsewhere), ZR_STATUS_OK);
    assert_int_equal(dt_release(world, queue.cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
    dw_set_status(world, queue.waiting[0], ZR_CONTRACTOR_CLOSING);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[1]);
    assert_int_equal(dw_slot(world).waiting, 2);
    state_slot_get(&world->state, DW_ZIP_2, DW_CATEGORY_2, &slot);
    assert_int_equal(slot.waiting, 0);
    dw_set_status(world, queue.waiting[2], ZR_CONTRACTOR_CLOSED);
    assert_int_equal(dw_slot(world).waiting, 1);
}

/* M2, R42: positions that a policy adds, of the network or of the slot, are the head's at once. */
static void
test_a_policy_adds_positions(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);
    struct zr_policy_put_request put = {.scope = ZR_SCOPE_SLOT,
                                        .category = DW_CATEGORY,
                                        .zip = DW_ZIP,
                                        .policy = {dw_policy_default()},
                                        .policy_count = 1};

    set_policy(world, 2, 24 * 3600);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
    assert_int_equal(claim_status(world, queue.waiting[1], true), ZR_STATUS_SLOT_FULL);
    assert_int_equal(claim_status(world, queue.waiting[0], true), ZR_STATUS_OK);
    put.policy[0].max_positions = 3;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_POLICY_PUT, &put), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[1]);
    /* I4: lowered again, not even the head gets in; its reservation went with the position. */
    put.expected_version = world->reply.policy_put_reply.version;
    put.policy[0].max_positions = 2;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_POLICY_PUT, &put), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).reserved_contractor, 0);
    assert_int_equal(claim_status(world, queue.waiting[1], true), ZR_STATUS_SLOT_FULL);
    assert_int_equal(dw_slot(world).claims_count, 2);
}

/* M2: a reservation's deadline in an outage moves to an hour after the restart. */
static void
test_an_outage_keeps_the_reservation(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);

    assert_int_equal(dt_release(world, queue.cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    dw_outage(world, 2 * WINDOW_MS);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[0]);
    assert_true(dw_slot(world).reserved_deadline_ms == world->now_ms + DT_HOUR_MS);
    dw_advance(world, DT_HOUR_MS);
    assert_int_equal(dw_slot(world).reserved_contractor, queue.waiting[1]);
    assert_int_equal(claim_status(world, queue.waiting[1], true), ZR_STATUS_OK);
    dw_outage(world, 2 * WINDOW_MS);
    assert_int_equal(dw_slot(world).waiting, 1);
}

/* The places of a contractor stand in the table of the slots' lists, under its number and category
 * 0. No request may reach them by naming that as a slot. */
static void
test_category_0_is_nobodys_list(void **state)
{
    struct domain_world *world = *state;
    const struct queue queue = queue_make(world, 1);
    /* What such a place holds is a packed slot: here it is somebody's number, too. */
    const uint32_t packed = DW_ZIP << 8 | DW_CATEGORY;
    const struct contractor_row row = dt_contractor_row(world, queue.waiting[0]);
    const struct zr_waitlist_request request = {.contractor = packed, .zip = queue.waiting[0]};

    state_contractor_put(&world->state, packed, &row);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_WAITLIST_LEAVE, &request), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(dw_slot(world).waiting, WAITING_MAX);
    assert_int_equal(dt_leave(world, queue.waiting[0]), ZR_STATUS_OK);
    assert_false(world->effects.duplicate);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_waiting_for_an_exclusive_slot),
        DW_TEST(test_refusals_of_a_place),
        DW_TEST(test_a_list_is_bounded),
        DW_TEST(test_a_free_position_waits_for_the_head),
        DW_TEST(test_a_withdrawn_category_costs_no_place),
        DW_TEST(test_a_reservation_passes_on),
        DW_TEST(test_the_head_takes_a_vacant_title),
        DW_TEST(test_the_waitlist_comes_after_the_chain),
        DW_TEST(test_the_waitlist_gets_what_a_promotion_leaves),
        DW_TEST(test_the_head_has_a_day_without_offers),
        DW_TEST(test_a_suspended_head_keeps_its_time),
        DW_TEST(test_a_closing_account_waits_no_more),
        DW_TEST(test_a_policy_adds_positions),
        DW_TEST(test_an_outage_keeps_the_reservation),
        DW_TEST(test_category_0_is_nobodys_list),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
