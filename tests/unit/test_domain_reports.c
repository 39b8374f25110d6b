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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_every_report_says_whether_the_wallet_is_dry),
        DW_TEST(test_a_free_call_leaves_nobody_dry),
        DW_TEST(test_a_repeat_with_other_seconds_is_cut_too),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
