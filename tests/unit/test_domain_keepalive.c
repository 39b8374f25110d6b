/*
 * test_domain_keepalive.c - KEEPALIVE: a sign of life that counts talk too (M3 "unit_ttl", M4).
 */
#include "server/domain/call.h"
#include "tests/lib/domain_world.h"

#define QUALIFY UINT32_C(30000)

static uint16_t
keepalive(struct domain_world *world, const struct ticket *ticket, uint32_t talk_ms)
{
    const struct zr_qualify_request request = {.call_id = ticket->call_id, .talk_ms = talk_ms};

    return dw_run(world, dw_switch, ZR_OP_KEEPALIVE, &request);
}

/* A session that negotiated it CONNECTs: the leg's unit has the short life. */
static void
test_connect_remembers_what_was_negotiated(void **state)
{
    struct domain_world *world = *state;

    for (int negotiated = 0; negotiated <= 1; negotiated++) {
        const uint32_t contractor = dw_contractor(world, 5000);
        const struct ticket ticket = dw_ticket(world, &contractor, 1);
        struct call_leg_row leg;

        world->keepalive = negotiated != 0;
        assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
        assert_int_equal(world->effects.unit_keepalive, negotiated);
        assert_true(world->effects.unit_opened);
        leg = dw_call(world, &ticket).legs[0];
        assert_int_equal(leg.flags, negotiated ? LEG_KEEPALIVE : 0);
        assert_true(leg.seen_ms == world->now_ms);
    }
    world->keepalive = false;
}

/* It is the CONNECT's session that counts: a KEEPALIVE of any other only restarts the clock. */
static void
test_keepalive_starts_the_time_anew(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    for (int i = 0; i < 3; i++) {
        world->now_ms += 240 * DW_SECOND_MS;
        world->keepalive = i == 1;
        assert_int_equal(keepalive(world, &ticket, 0), ZR_STATUS_OK);
        assert_true(world->effects.unit_seen);
        assert_false(world->effects.unit_keepalive);
        assert_false(world->effects.duplicate);
        assert_int_equal(world->effects.unit_contractor, contractor);
        assert_memory_equal(&world->effects.call_ref, &ticket.call_ref, sizeof ticket.call_ref);
        assert_true(world->state.changed);
        assert_true(dw_call(world, &ticket).legs[0].seen_ms == world->now_ms);
        assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_OPEN);
    }
    world->keepalive = false;
}

/* Like QUALIFY: the largest report counts, and enough of it charges, once (I7). */
static void
test_keepalive_settles(void **state)
{
    struct domain_world *world = *state;
    const struct zr_settlement_reply *reply = &world->reply.settlement_reply;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 120 * DW_SECOND_MS;
    assert_int_equal(keepalive(world, &ticket, QUALIFY - 1), ZR_STATUS_OK);
    assert_int_equal(reply->settlement, ZR_SETTLEMENT_OPEN);
    assert_int_equal(keepalive(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(reply->settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(reply->state, ZR_CALL_QUALIFIED);
    assert_int_equal(keepalive(world, &ticket, 60000), ZR_STATUS_OK);
    assert_int_equal(keepalive(world, &ticket, 1000), ZR_STATUS_OK);
    assert_int_equal(reply->talk_ms, 60000);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 3000);
    assert_int_equal(dw_wallet(world, contractor).charged_cents, DW_RATE);
}

/* A QUALIFY with news is a sign of life; one without changes nothing. */
static void
test_qualify_is_a_sign_of_life_when_it_brings_news(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 60 * DW_SECOND_MS;
    assert_int_equal(dw_qualify(world, &ticket, 1000), ZR_STATUS_OK);
    assert_true(world->effects.unit_seen);
    world->now_ms += 60 * DW_SECOND_MS;
    assert_int_equal(dw_qualify(world, &ticket, 1000), ZR_STATUS_OK);
    assert_false(world->effects.unit_seen);
    assert_false(world->state.changed);
}

/* Nobody is connected: there is nothing to keep alive, and nothing wakes up. */
static void
test_keepalive_needs_a_connected_leg(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(keepalive(world, &ticket, 1), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.talk_ms = 1}),
                     ZR_STATUS_OK);
    assert_int_equal(keepalive(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_false(world->effects.unit_seen);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_FREE_SHORT); /* I9 */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_connect_remembers_what_was_negotiated),
        DW_TEST(test_keepalive_starts_the_time_anew),
        DW_TEST(test_keepalive_settles),
        DW_TEST(test_qualify_is_a_sign_of_life_when_it_brings_news),
        DW_TEST(test_keepalive_needs_a_connected_leg),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
