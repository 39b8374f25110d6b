/*
 * test_domain_connect.c - CONNECT (M4, M6, E35, E37, E43, E52, E71, I6-I8, I11).
 */
#include "server/domain/call.h"
#include "tests/lib/domain_world.h"

#include <string.h>

/* Talk that qualifies, in ms; unsigned, since it is added to times. */
#define QUALIFY UINT32_C(30000)

/* ---- the first CONNECT --------------------------------------------------------------------- */

/* M4: the hold is the ticket's rate; the call is CONNECTED and its unit open. */
static void
test_connect_holds_the_rate(void **state)
{
    struct domain_world *world = *state;
    const struct zr_connect_reply *reply = &world->reply.connect_reply;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);
    struct call_row row;

    assert_int_equal(dw_connect(world, &ticket, 1), ZR_STATUS_OK);
    assert_int_equal(reply->contractor, contractors[1]);
    assert_int_equal(reply->hold_cents, DW_RATE_2); /* R53, I8 */
    assert_int_equal(reply->state, ZR_CALL_CONNECTED);
    assert_int_equal(reply->settlement, ZR_SETTLEMENT_OPEN);
    assert_int_equal(reply->qualify_ms, QUALIFY);
    assert_int_equal(reply->commit_seq, world->seq);
    assert_memory_equal(&reply->call_ref, &ticket.call_ref, sizeof ticket.call_ref);
    assert_true(world->effects.unit_opened);
    assert_int_equal(world->effects.unit_contractor, contractors[1]);
    assert_int_equal(dw_wallet(world, contractors[1]).held_cents, DW_RATE_2);
    row = dw_call(world, &ticket);
    assert_int_equal(row.legs_count, 1);
    assert_int_equal(row.legs[0].index, 1);
    assert_int_equal(row.legs[0].rank, 2);
    assert_true(row.legs[0].answered_at_ms == world->now_ms);
}

/* E43: five times, one hold, one reply. */
static void
test_connect_repeated_is_one_hold(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    struct zr_connect_reply first;

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    first = world->reply.connect_reply;
    for (int i = 0; i < 4; i++) {
        world->now_ms += DW_SECOND_MS;
        assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
        assert_true(world->effects.duplicate);
        assert_false(world->effects.unit_opened);
        assert_false(world->state.changed);
        assert_int_equal(world->reply.connect_reply.commit_seq, first.commit_seq);
        assert_int_equal(world->reply.connect_reply.hold_cents, first.hold_cents);
        assert_int_equal(world->reply.connect_reply.contractor, first.contractor);
        assert_int_equal(world->reply.connect_reply.state, first.state);
    }
    assert_int_equal(dw_wallet(world, contractor).held_cents, DW_RATE);
    /* Idempotency comes before the ticket's age. */
    world->now_ms += 30 * DW_DAY_MS;
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
}

/* E35, I6: the first committed CONNECT wins; the other is told who. */
static void
test_another_contractors_connect_names_the_winner(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);

    assert_int_equal(dw_connect(world, &ticket, 1), ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_ALREADY_CONNECTED);
    assert_int_equal(world->reply.connect_reply.contractor, contractors[1]);
    assert_int_equal(dw_wallet(world, contractors[0]).held_cents, 0);
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.index = 1}),
                     ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_ALREADY_CONNECTED); /* Also ended. */
    assert_int_equal(world->reply.connect_reply.contractor, contractors[1]);
}

/* qualify_ms = 0 charges at CONNECT (domain.md "When money moves"). */
static void
test_qualify_0_charges_at_connect(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    struct ticket ticket = dw_ticket(world, &contractor, 1);

    ticket.qualify_ms = 0;
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(world->reply.connect_reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(world->reply.connect_reply.amount_cents, DW_RATE);
    assert_int_equal(world->reply.connect_reply.hold_cents, 0);
    assert_int_equal(world->reply.connect_reply.state, ZR_CALL_QUALIFIED);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 3000);
    assert_int_equal(dw_wallet(world, contractor).held_cents, 0);
}

/* A leg that is free at its CONNECT holds nothing on the way: no alarm, no top-up (R65, M5). */
static void
test_qualify_0_of_a_free_leg_touches_no_money(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2 * DW_RATE);
    struct ticket charged = dw_ticket(world, &contractor, 1);
    struct ticket again = dw_ticket(world, &contractor, 1);
    uint64_t events;

    (void)dw_claim(world, contractor);
    charged.qualify_ms = 0;
    again.qualify_ms = 0;
    assert_int_equal(dw_connect(world, &charged, 0), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).main_cents, DW_RATE);
    events = state_counter_now(&world->state, COUNTER_EVENT);
    assert_int_equal(dw_connect(world, &again, 0), ZR_STATUS_OK);
    assert_int_equal(world->reply.connect_reply.settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
    /* CALL_CONNECTED and CALL_SETTLED, and neither LOW_BALANCE nor FUNDED. */
    assert_int_equal(state_counter_now(&world->state, COUNTER_EVENT), events + 2);
}

/* ---- refusals ------------------------------------------------------------------------------ */

/* Spoil a good CONNECT. */
struct scene {
    struct domain_world *world;
    struct ticket ticket;
    struct zr_connect_request request;
    uint32_t contractor;
};

static void
bad_bytes(struct scene *scene)
{
    scene->request.ticket_length--;
}

static void
bad_tenant(struct scene *scene)
{
    scene->ticket.tenant++;
}

/* R27: what a query answered is not a call. */
static void
bad_query(struct scene *scene)
{
    scene->ticket.mode = TICKET_QUERY;
}

static void
bad_index(struct scene *scene)
{
    scene->request.index = 1;
}

static void
bad_contractor(struct scene *scene)
{
    scene->ticket.candidates[0].contractor = 999;
}

static void
answered_before_issue(struct scene *scene)
{
    scene->request.answered_at_ms = scene->ticket.issued_ms - 1;
}

static void
answered_ahead(struct scene *scene)
{
    scene->request.answered_at_ms = scene->world->now_ms + 5001;
}

static void
answered_5_s_ahead(struct scene *scene)
{
    scene->request.answered_at_ms = scene->world->now_ms + 5000;
}

/* The ticket is over at expires_ms, exclusively; the commit may come later. */
static void
answered_at_expiry(struct scene *scene)
{
    scene->world->now_ms = scene->ticket.expires_ms;
}

static void
answered_before_expiry(struct scene *scene)
{
    scene->request.answered_at_ms = scene->ticket.expires_ms - 1;
    scene->world->now_ms = scene->ticket.issued_ms + 7 * DW_DAY_MS;
}

static void
sent_after_7_days(struct scene *scene)
{
    scene->request.answered_at_ms = scene->ticket.expires_ms - 1;
    scene->world->now_ms = scene->ticket.issued_ms + 7 * DW_DAY_MS + 1;
}

/* protocol/outcomes.def: TICKET_EXPIRED stands above TOO_LATE. */
static void
both_too_late(struct scene *scene)
{
    scene->world->now_ms = scene->ticket.issued_ms + 7 * DW_DAY_MS + 1;
}

static void
suspended(struct scene *scene)
{
    dw_set_status(scene->world, scene->contractor, ZR_CONTRACTOR_SUSPENDED);
}

static void
closing(struct scene *scene)
{
    dw_set_status(scene->world, scene->contractor, ZR_CONTRACTOR_CLOSING);
}

static void
closed(struct scene *scene)
{
    dw_set_status(scene->world, scene->contractor, ZR_CONTRACTOR_CLOSED);
}

static void
no_money(struct scene *scene)
{
    scene->ticket.candidates[0].rate_cents = 5001; /* 5000 on MAIN, overdraft 0. */
}

static void
just_money(struct scene *scene)
{
    scene->ticket.candidates[0].rate_cents = 5000;
}

static void
test_connect_refusals(void **state)
{
    static const struct {
        void (*spoil)(struct scene *);
        uint16_t expected;
    } rows[] = {
        {bad_tenant, ZR_STATUS_BAD_TICKET},
        {bad_query, ZR_STATUS_BAD_TICKET},
        {bad_index, ZR_STATUS_BAD_TICKET},
        {bad_contractor, ZR_STATUS_BAD_TICKET},
        {answered_before_issue, ZR_STATUS_INVALID_FIELD},
        {answered_ahead, ZR_STATUS_INVALID_FIELD},
        {answered_5_s_ahead, ZR_STATUS_OK},
        {answered_at_expiry, ZR_STATUS_TICKET_EXPIRED},
        {answered_before_expiry, ZR_STATUS_OK},
        {sent_after_7_days, ZR_STATUS_TOO_LATE},
        {both_too_late, ZR_STATUS_TICKET_EXPIRED},
        {suspended, ZR_STATUS_NOT_APPROVED},
        {closing, ZR_STATUS_ACCOUNT_CLOSED},
        {closed, ZR_STATUS_ACCOUNT_CLOSED},
        {no_money, ZR_STATUS_OVERDRAFT_LIMIT},
        {just_money, ZR_STATUS_OK},
    };
    struct domain_world *world = *state;
    struct zr_policy policy = dw_policy_default();

    policy.overdraft_cents = 0;
    dw_policy(world, &policy);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene = {.world = world, .contractor = dw_contractor(world, 5000)};

        scene.ticket = dw_ticket(world, &scene.contractor, 1);
        rows[i].spoil(&scene);
        scene.request.ticket_length =
            ticket_encode(scene.request.ticket, &scene.ticket, &world->keys, world->mac);
        assert_int_equal(dw_run(world, dw_switch, ZR_OP_CONNECT, &scene.request), rows[i].expected);
        assert_int_equal(world->state.changed, rows[i].expected == ZR_STATUS_OK);
        if (rows[i].expected == ZR_STATUS_INVALID_FIELD) {
            assert_int_equal(world->effects.detail, 24); /* answered_at_ms */
        }
    }
}

static void
test_connect_wants_a_whole_ticket(void **state)
{
    struct scene scene = {.world = *state, .contractor = dw_contractor(*state, 5000)};

    scene.ticket = dw_ticket(scene.world, &scene.contractor, 1);
    scene.request.ticket_length =
        ticket_encode(scene.request.ticket, &scene.ticket, &scene.world->keys, scene.world->mac);
    bad_bytes(&scene);
    assert_int_equal(dw_run(scene.world, dw_switch, ZR_OP_CONNECT, &scene.request),
                     ZR_STATUS_BAD_TICKET);
}

/* E52, I11: two calls at once go into the overdraft, a third is refused. */
static void
test_holds_stop_at_the_overdraft(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    struct ticket tickets[3];

    for (int i = 0; i < 3; i++) {
        tickets[i] = dw_ticket(world, &contractor, 1);
    }
    assert_int_equal(dw_connect(world, &tickets[0], 0), ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &tickets[1], 0), ZR_STATUS_OK); /* 2500 - 4000 >= -2000 */
    assert_int_equal(dw_connect(world, &tickets[2], 0), ZR_STATUS_OVERDRAFT_LIMIT);
    assert_int_equal(dw_wallet(world, contractor).held_cents, 4000);
}

/* E34: the caller hung up while it rang; nobody connects to that any more. */
static void
test_an_abandoned_call_takes_no_connect(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(dw_end(world, &ticket, &ticket, (struct zr_end_request){.index = 255}),
                     ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_ABANDONED);
    assert_int_equal(world->reply.connect_reply.state, ZR_CALL_ABANDONED);
}

/* M6: memory lost, the row arbitrates: a leg of a newer decision was there, so an older ticket is
 * superseded; at the same revision both are good (E71). */
static void
test_the_row_knows_of_newer_tickets(void **state)
{
    struct domain_world *world = *state;
    const uint32_t first = dw_contractor(world, 5000);
    const uint32_t second = dw_contractor(world, 5000);
    const struct ticket older = dw_ticket(world, &first, 1);
    struct ticket newer = dw_ticket(world, &second, 1);
    struct ticket same = older;

    newer.call_id = older.call_id;
    newer.call_ref = older.call_ref;
    newer.revision = 1;
    same.revision = 1;
    assert_int_equal(dw_connect(world, &newer, 0), ZR_STATUS_OK);
    /* outcomes.def: the ticket is judged before the call's state. */
    assert_int_equal(dw_connect(world, &older, 0), ZR_STATUS_TICKET_SUPERSEDED);
    assert_int_equal(dw_connect(world, &same, 0), ZR_STATUS_ALREADY_CONNECTED); /* E35 */
    assert_int_equal(
        dw_end(world, &newer, NULL, (struct zr_end_request){.talk_ms = 5000, .caller_stays = true}),
        ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &older, 0), ZR_STATUS_TICKET_SUPERSEDED);
    assert_int_equal(dw_wallet(world, first).held_cents, 0);
    assert_int_equal(dw_connect(world, &same, 0), ZR_STATUS_OK);
}

/* E71: two tickets of one call, the worker's memory lost between: one hold, one winner, one charge
 * at the winner's rate; the row says by which decision. */
static void
test_two_tickets_of_one_call(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket first = dw_ticket(world, &contractors[0], 1);
    struct ticket second = dw_ticket(world, &contractors[1], 1);

    second.call_id = first.call_id; /* Another call_ref: it was decided anew. */
    second.candidates[0].rate_cents = DW_RATE_2;
    world->now_ms += DW_SECOND_MS;
    assert_int_equal(dw_connect(world, &second, 0), ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &first, 0), ZR_STATUS_ALREADY_CONNECTED);
    assert_int_equal(world->reply.connect_reply.contractor, contractors[1]);
    assert_int_equal(dw_wallet(world, contractors[0]).held_cents, 0);
    assert_int_equal(dw_wallet(world, contractors[1]).held_cents, DW_RATE_2);
    world->now_ms += UINT64_C(2) * QUALIFY;
    assert_int_equal(dw_end(world, &first, NULL,
                            (struct zr_end_request){.index = CALL_INDEX_NONE, .talk_ms = 60000}),
                     ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.amount_cents, DW_RATE_2); /* I8 */
    assert_memory_equal(&world->reply.settlement_reply.call_ref, &second.call_ref,
                        sizeof second.call_ref);
    assert_true(dw_call(world, &second).snapshot_seq == second.snapshot_seq);
}

/* E37: four legs, each 5 s with the caller staying; a fifth contractor is one too many. */
static void
test_a_call_has_four_legs(void **state)
{
    struct domain_world *world = *state;
    struct ticket ticket;
    struct ticket first = {0};

    for (int i = 0; i < CALL_LEGS_MAX; i++) {
        const uint8_t index = (uint8_t)i;
        const uint32_t contractor = dw_contractor(world, 5000);
        struct ticket next = dw_ticket(world, &contractor, 1);

        first = i == 0 ? next : first;
        next.call_id = first.call_id;
        next.attempt = index;
        assert_int_equal(dw_connect(world, &next, index), ZR_STATUS_OK);
        assert_int_equal(
            dw_end(world, &next, &next,
                   (struct zr_end_request){.index = index, .talk_ms = 5000, .caller_stays = true}),
            ZR_STATUS_OK);
        assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_FREE_SHORT);
        assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_RINGING);
    }
    ticket = dw_ticket(world, (uint32_t[]){dw_contractor(world, 5000)}, 1);
    ticket.call_id = first.call_id;
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_EXHAUSTED);
    assert_int_equal(dw_end(world, &ticket, &ticket, (struct zr_end_request){.index = 0}),
                     ZR_STATUS_EXHAUSTED);
}

/* M4: charged already, caller stays: the next leg holds nothing and is free (I7, R66). */
static void
test_the_leg_after_a_charge_is_free(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(
        dw_end(world, &ticket, NULL,
               (struct zr_end_request){.index = 0, .talk_ms = QUALIFY, .caller_stays = true}),
        ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &ticket, 1), ZR_STATUS_OK);
    assert_int_equal(world->reply.connect_reply.hold_cents, 0);
    world->now_ms += UINT64_C(2) * QUALIFY;
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement,
                     ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED);
    assert_int_equal(dw_wallet(world, contractors[1]).main_cents, 5000);
    assert_int_equal(dw_wallet(world, contractors[0]).main_cents, 3000);
}

/* ---- the table of moves --------------------------------------------------------------------- */

static void
test_the_moves_of_a_call(void **state)
{
    static const char *const allowed[] = {
        [ZR_CALL_RINGING] = "RCQEA", [ZR_CALL_CONNECTED] = "CQER", [ZR_CALL_QUALIFIED] = "QER",
        [ZR_CALL_ENDED] = "E",       [ZR_CALL_ABANDONED] = "AE",
    };
    static const char letters[] = " RCQEA";

    (void)state;
    for (int from = ZR_CALL_RINGING; from <= ZR_CALL_ABANDONED; from++) {
        for (int to = ZR_CALL_RINGING; to <= ZR_CALL_ABANDONED; to++) {
            struct call_row row = {.state = (uint8_t)from};

            if (strchr(allowed[from], letters[to]) != NULL) {
                call_move(&row, (enum zr_call_state)to);
                assert_int_equal(row.state, to);
            } else {
                expect_assert_failure(call_move(&row, (enum zr_call_state)to));
            }
        }
    }
}

/* States that no enum has, and legs that cannot be. */
static void
test_broken_calls_are_bugs(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = 1;
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    struct call_view call;

    call_begin(&call, &ticket);
    assert_int_equal(call.row.state, ZR_CALL_RINGING);
    assert_non_null(call_leg_begin(&call.row, &ticket, &ticket.candidates[0]));
    expect_assert_failure((void)call_leg_begin(&call.row, &ticket, &ticket.candidates[0]));
    call.row.legs_count = CALL_LEGS_MAX + 1;
    expect_assert_failure(call_put(&world->state, &call));
    call.row.state = 0;
    expect_assert_failure(call_move(&call.row, ZR_CALL_ENDED));
    call.row.state = ZR_CALL_ABANDONED + 1;
    expect_assert_failure(call_move(&call.row, ZR_CALL_ENDED));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_connect_holds_the_rate),
        DW_TEST(test_connect_repeated_is_one_hold),
        DW_TEST(test_another_contractors_connect_names_the_winner),
        DW_TEST(test_qualify_0_charges_at_connect),
        DW_TEST(test_qualify_0_of_a_free_leg_touches_no_money),
        DW_TEST(test_connect_refusals),
        DW_TEST(test_connect_wants_a_whole_ticket),
        DW_TEST(test_holds_stop_at_the_overdraft),
        DW_TEST(test_an_abandoned_call_takes_no_connect),
        DW_TEST(test_the_row_knows_of_newer_tickets),
        DW_TEST(test_two_tickets_of_one_call),
        DW_TEST(test_a_call_has_four_legs),
        DW_TEST(test_the_leg_after_a_charge_is_free),
        cmocka_unit_test(test_the_moves_of_a_call),
        DW_TEST(test_broken_calls_are_bugs),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
