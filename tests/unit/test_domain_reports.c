/*
 * test_domain_reports.c - what CONNECT, QUALIFY, KEEPALIVE and END of one call have to agree in
 * (M4, M6, E35, E46): the same fields say the same, the same talk is cut the same way, and of two
 * broken rules the upper row of outcomes.def is the answer.
 */
#include "server/domain/call.h"
#include "tests/lib/domain_world.h"

/* Talk that qualifies, in ms; unsigned, since it is added to times. */
#define QUALIFY UINT32_C(30000)

static uint16_t
keepalive(struct domain_world *world, const struct ticket *ticket, uint32_t talk_ms)
{
    const struct zr_qualify_request request = {.call_id = ticket->call_id, .talk_ms = talk_ms};

    return dw_run(world, dw_switch, ZR_OP_KEEPALIVE, &request);
}

/* ---- dry ------------------------------------------------------------------------------------ */

/* E52: `dry` says whether the wallet covers another call at this rate, holds and all, as it stands
 * after the command: QUALIFY, KEEPALIVE, END and every repeat of them say the same. */
static void
test_every_report_says_whether_the_wallet_is_dry(void **state)
{
    static const struct {
        int64_t funds_cents;
        bool dry;
    } rows[] = {{2500, true}, {2 * DW_RATE - 1, true}, {2 * DW_RATE, false}};
    struct domain_world *world = *state;
    const struct zr_settlement_reply *reply = &world->reply.settlement_reply;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t contractor = dw_contractor(world, rows[i].funds_cents);
        const struct ticket ticket = dw_ticket(world, &contractor, 1);

        assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
        world->now_ms += 2 * UINT64_C(30000);
        assert_int_equal(dw_qualify(world, &ticket, 1000), ZR_STATUS_OK);
        assert_int_equal(reply->dry, rows[i].dry);
        assert_int_equal(keepalive(world, &ticket, 2000), ZR_STATUS_OK);
        assert_int_equal(reply->dry, rows[i].dry);
        assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
        assert_int_equal(reply->settlement, ZR_SETTLEMENT_CHARGED);
        assert_int_equal(reply->dry, rows[i].dry);
        assert_int_equal(keepalive(world, &ticket, QUALIFY), ZR_STATUS_OK);
        assert_int_equal(reply->dry, rows[i].dry);
        assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.talk_ms = QUALIFY}),
                         ZR_STATUS_OK);
        assert_int_equal(reply->dry, rows[i].dry);
        assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK); /* After END. */
        assert_true(world->effects.duplicate);
        assert_int_equal(reply->dry, rows[i].dry);
    }
}

/* E52: a hold counts, and what is given back by a free END does no more. */
static void
test_a_free_call_leaves_nobody_dry(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dw_qualify(world, &ticket, 1000), ZR_STATUS_OK);
    assert_true(world->reply.settlement_reply.dry);
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.talk_ms = 1000}),
                     ZR_STATUS_OK);
    assert_false(world->reply.settlement_reply.dry);
    assert_int_equal(dw_qualify(world, &ticket, 1000), ZR_STATUS_OK);
    assert_false(world->reply.settlement_reply.dry);
}

/* ---- repeats (E46) --------------------------------------------------------------------------- */

/* E46, M4 "Talk time": the new facts alone are judged as an END of now would be: cut by the
 * ticket's age under CLIP. What was cut when the leg ended is cut there again, however late it
 * comes. */
static void
test_a_repeat_with_other_seconds_is_cut_too(void **state)
{
    static const struct {
        uint64_t age_ms; /* Of the ticket, when the leg ended. */
        uint32_t first_ms;
        uint64_t later_ms; /* Then the repeat comes. */
        uint32_t again_ms;
        uint8_t duration_check;
        uint16_t status;
    } rows[] = {
        {0, 0, 0, QUALIFY, ZR_DURATION_CLIP, ZR_STATUS_OK}, /* Cut to 5,000: short as well. */
        {0, 0, 0, QUALIFY, ZR_DURATION_FLAG, ZR_STATUS_SETTLEMENT_FINAL},
        {0, 0, 24999, QUALIFY, ZR_DURATION_CLIP, ZR_STATUS_OK},
        {0, 0, 25000, QUALIFY, ZR_DURATION_CLIP, ZR_STATUS_SETTLEMENT_FINAL},
        {10000, 1000, 14999, 90000, ZR_DURATION_CLIP, ZR_STATUS_OK},
        {10000, 90000, DW_DAY_MS, 90000, ZR_DURATION_CLIP, ZR_STATUS_OK}, /* 15,000 of both. */
        {25000, QUALIFY, 0, 90000, ZR_DURATION_CLIP, ZR_STATUS_OK},       /* Charged either way. */
        {25000, QUALIFY, 0, QUALIFY - 1, ZR_DURATION_CLIP, ZR_STATUS_SETTLEMENT_FINAL},
    };
    struct domain_world *world = *state;
    struct zr_policy policy = dw_policy_default();

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint32_t contractor = dw_contractor(world, 5000);
        const struct ticket ticket = dw_ticket(world, &contractor, 1);
        struct zr_settlement_reply first;

        policy.duration_check = rows[i].duration_check;
        dw_policy(world, &policy);
        assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
        world->now_ms += rows[i].age_ms;
        assert_int_equal(
            dw_end(world, &ticket, NULL, (struct zr_end_request){.talk_ms = rows[i].first_ms}),
            ZR_STATUS_OK);
        first = world->reply.settlement_reply;
        world->now_ms += rows[i].later_ms;
        assert_int_equal(
            dw_end(world, &ticket, NULL, (struct zr_end_request){.talk_ms = rows[i].again_ms}),
            rows[i].status);
        assert_int_equal(world->effects.duplicate, rows[i].status == ZR_STATUS_OK);
        assert_memory_equal(&world->reply.settlement_reply, &first, sizeof first);
        world->now_ms += 31 * DW_DAY_MS; /* The same caller again, and no duplicate. */
    }
}

/* ---- the decision of a leg (E71) --------------------------------------------------------------
 */

/* A newer ticket of the same call, for that contractor. */
static struct ticket
ticket_anew(struct domain_world *world, const struct ticket *older, uint32_t contractor)
{
    struct ticket ticket = dw_ticket(world, &contractor, 1);

    ticket.call_id = older->call_id;
    ticket.call_ref = older->call_ref;
    ticket.revision = (uint8_t)(older->revision + 1);
    return ticket;
}

/* E32, E49, E71: the category, the ZIP and the caller of a leg are those of its own ticket, also
 * when an older one's END made the call's row: what it is charged for is what repeats. */
static void
test_a_leg_has_the_place_of_its_own_ticket(void **state)
{
    struct domain_world *world = *state;
    const struct zr_end_request no_talk = {.talk_ms = 1000, .caller_stays = true};
    const uint32_t first = dw_contractor(world, 5000);
    const uint32_t second = dw_contractor(world, 50000);
    const struct ticket older = dw_ticket(world, &first, 1);
    struct ticket newer = ticket_anew(world, &older, second);
    struct ticket repeated;

    newer.zip = DW_ZIP_2;
    newer.category = DW_CATEGORY_2;
    newer.caller_hash = older.caller_hash + 1;
    assert_int_equal(dw_end(world, &older, &older, no_talk), ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &newer, 0), ZR_STATUS_OK);
    assert_int_equal(dw_call(world, &newer).zip, DW_ZIP_2);
    assert_int_equal(dw_call(world, &newer).category, DW_CATEGORY_2);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &newer, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    for (int same = 0; same <= 1; same++) {
        repeated = dw_ticket(world, &second, 1);
        repeated.category = same ? newer.category : older.category;
        repeated.caller_hash = newer.caller_hash;
        assert_int_equal(dw_connect(world, &repeated, 0), ZR_STATUS_OK);
        world->now_ms += QUALIFY;
        assert_int_equal(dw_qualify(world, &repeated, QUALIFY), ZR_STATUS_OK);
        assert_int_equal(world->reply.settlement_reply.settlement,
                         same ? ZR_SETTLEMENT_FREE_DUPLICATE : ZR_SETTLEMENT_CHARGED);
    }
}

/* E61: a charge is credited where it was made, whatever leg came to the call after it. */
static void
test_a_charge_keeps_its_place(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 50000);
    const struct ticket charged = dw_ticket(world, &contractor, 1);
    struct ticket spooled = ticket_anew(world, &charged, dw_contractor(world, 5000));
    struct ticket again = dw_ticket(world, &contractor, 1);

    spooled.category = DW_CATEGORY_2;
    assert_int_equal(dw_connect(world, &charged, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &charged, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &spooled, &spooled, (struct zr_end_request){.talk_ms = 1000}),
                     ZR_STATUS_OK);
    assert_int_equal(dw_call(world, &charged).category, DW_CATEGORY);
    assert_int_equal(dw_end(world, &charged, &charged,
                            (struct zr_end_request){.talk_ms = QUALIFY, .voicemail = true}),
                     ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CREDITED);
    assert_int_equal(dw_connect(world, &again, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &again, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
}

/* M4: the leg behind a charge holds nothing, so no overdraft is in its way (E52). */
static void
test_a_leg_that_holds_nothing_meets_no_overdraft(void **state)
{
    struct domain_world *world = *state;
    const struct zr_end_request stays = {.talk_ms = QUALIFY, .caller_stays = true};
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 2500)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);
    struct zr_policy policy = dw_policy_default();
    struct ticket other = dw_ticket(world, &contractors[1], 1);

    policy.overdraft_cents = DW_RATE;
    dw_policy(world, &policy);
    for (int i = 0; i < 2; i++) { /* 2,500 carry two holds of 2,000 only by the overdraft. */
        assert_int_equal(dw_connect(world, &other, 0), ZR_STATUS_OK);
        other = dw_ticket(world, &contractors[1], 1);
    }
    policy.overdraft_cents = 0;
    dw_policy(world, &policy);
    assert_int_equal(dw_connect(world, &other, 0), ZR_STATUS_OVERDRAFT_LIMIT);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_end(world, &ticket, NULL, stays), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(dw_connect(world, &ticket, 1), ZR_STATUS_OK);
    assert_int_equal(world->reply.connect_reply.hold_cents, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_every_report_says_whether_the_wallet_is_dry),
        DW_TEST(test_a_free_call_leaves_nobody_dry),
        DW_TEST(test_a_repeat_with_other_seconds_is_cut_too),
        DW_TEST(test_a_leg_has_the_place_of_its_own_ticket),
        DW_TEST(test_a_charge_keeps_its_place),
        DW_TEST(test_a_leg_that_holds_nothing_meets_no_overdraft),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
