/*
 * test_time_keepalive.c - signs of life: a switch that promised KEEPALIVE, one that did not, and
 * what a leg that nobody ends leaves behind (M3 "unit_ttl", M4 "Without END"), through the real
 * server and the SDK's cascade helper.
 */
#include "tests/integration/accounts.h"

#define MINUTES(count) ((uint64_t)(count)*60 * 1000)

/* One call of a switch by the cascade helper: whoever rings answers. */
static struct {
    struct zr_cascade *call;
    struct zr_id call_id;
    bool talks;
} line;

static void
line_ring(void *context, const struct zr_cascade_leg *leg)
{
    (void)context;
    assert_int_equal(zr_call_answered(line.call, leg->number, 0), 0);
}

static void
line_bridge(void *context, const struct zr_cascade_leg *leg)
{
    (void)context;
    assert_int_equal(leg->number, 0);
    line.talks = true;
}

static void
line_hangup(void *context, const struct zr_cascade_leg *leg)
{
    (void)context;
    fail_msg("leg %u was given up", leg->number);
}

static void
line_done(void *context, const struct zr_cascade_story *story)
{
    (void)context;
    assert_int_equal(story->result, 0);
    zr_call_free(line.call);
    line.call = NULL;
}

/* A switch with or without the promise. It takes the place of the world's; returns that one. */
static struct zr_client *
switch_open(bool keepalive)
{
    struct zr_options options = server_options(&world.server, "switch");
    struct zr_client *const before = world.carrier;

    options.flags |= keepalive ? ZR_OPTION_KEEPALIVE : 0;
    assert_int_equal(zr_client_open(&world.carrier, &options, NULL), 0);
    assert_int_equal(zr_client_wait_ready(world.carrier, 10000), 0);
    assert_true(zr_client_hello(world.carrier)->features ==
                (keepalive ? (uint64_t)ZR_FEATURE_KEEPALIVE : 0));
    return before;
}

static void
switch_close(struct zr_client *before)
{
    zr_client_close(world.carrier);
    world.carrier = before;
}

/* The cascade helper has the caller and this contractor talk. */
static void
line_talk(struct world_slot slot)
{
    const struct zr_route_request route = world_route_request(&world, slot);
    const struct zr_cascade_options options = {.size = sizeof options,
                                               .route = &route,
                                               .ring = line_ring,
                                               .bridge = line_bridge,
                                               .hangup = line_hangup,
                                               .done = line_done};

    line.talks = false;
    line.call_id = route.call_id;
    assert_int_equal(zr_call_begin(world.carrier, &options, &line.call), 0);
    drive_one(world.carrier);
    assert_true(line.talks);
}

static void
line_report(uint32_t talk_ms)
{
    assert_int_equal(zr_call_talk(line.call, 0, talk_ms), 0);
    drive_one(world.carrier);
}

/* A primary with one truck, who talks, and a backup with many. */
struct shop {
    struct world_slot slot;
    uint32_t primary;
};

static struct shop
shop_make(void)
{
    struct shop shop = {.slot = world_slot(&world)};

    shop.primary = world_contractor(&world, 1, FUNDS);
    (void)world_claim(&world, shop.primary, shop.slot);
    (void)world_claim(&world, world_contractor(&world, 1000, 100 * FUNDS), shop.slot);
    return shop;
}

/* Would a call ring him now? The question leaves no lease. */
static bool
is_free(const struct shop *shop)
{
    struct zr_route_request query = world_route_request(&world, shop->slot);
    struct zr_route_reply reply;

    query.flags = 4; /* explain, no hold */
    assert_int_equal(world_route(&world, &query, &reply), 0);
    if (reply.candidates[0].contractor == shop->primary) {
        return true;
    }
    assert_int_equal(reasons_of(&reply, shop->primary), REASON_AT_CONCURRENCY);
    return false;
}

/* After 5 min of silence where it was promised to speak, else after 30, the truck is free. */
static void
test_m3_silence_frees_the_truck(void **state)
{
    (void)state;
    for (int promised = 0; promised <= 1; promised++) {
        struct zr_client *const before = switch_open(promised != 0);
        const struct shop shop = shop_make();
        struct zr_id call_id;
        const struct zr_route_reply routed = world_call(&world, shop.slot, &call_id);

        (void)world_connect(&world, &routed);
        (void)world_advance(&world, MINUTES(promised ? 5 : 30) - 1);
        assert_false(is_free(&shop));
        (void)world_advance(&world, 1);
        assert_true(is_free(&shop));
        /* Only the truck: the call goes on, and its END is charged as ever. */
        assert_wallet(shop.primary, FUNDS, WORLD_RATE);
        (void)world_end(&world, &call_id, MINUTE_MS);
        assert_charged_once(shop.primary, WORLD_RATE);
        switch_close(before);
    }
}

/* Reports keep it, also those that say nothing new; then silence ends it. */
static void
test_m3_keepalive_keeps_the_truck(void **state)
{
    struct zr_client *const before = switch_open(true);
    const struct shop shop = shop_make();

    (void)state;
    line_talk(shop.slot);
    for (int i = 0; i < 6; i++) {
        (void)world_advance(&world, MINUTES(4));
        line_report(MINUTE_MS / 2);
        assert_false(is_free(&shop));
    }
    (void)world_advance(&world, MINUTES(5) - 1);
    assert_false(is_free(&shop));
    (void)world_advance(&world, 1);
    assert_true(is_free(&shop));
    assert_int_equal(zr_call_hangup(line.call, 0, ZR_HUNG_UP_CALLER, MINUTE_MS, 0), 0);
    drive_one(world.carrier);
    assert_charged_once(shop.primary, WORLD_RATE);
    switch_close(before);
}

/* Whose CONNECT came without the promise has 30 min, whoever reports; a restart forgets none of it.
 */
static void
test_m3_the_promise_is_the_connects(void **state)
{
    const struct shop shop = shop_make();
    struct zr_qualify_request alive = {.talk_ms = 1000};
    struct zr_settlement_reply reply;
    struct zr_client *before;
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, shop.slot, &call_id);

    (void)state;
    (void)world_connect(&world, &routed);
    alive.call_id = call_id;
    before = switch_open(true);
    assert_int_equal(zr_keepalive(world.carrier, &alive, &reply), 0);
    switch_close(before);
    (void)world_advance(&world, MINUTES(20));
    crash();
    (void)world_advance(&world, MINUTES(10) - 1);
    assert_false(is_free(&shop));
    (void)world_advance(&world, 1);
    assert_true(is_free(&shop));
    (void)world_end(&world, &call_id, MINUTE_MS);
}

/* A truck that was given away for silence is not given away again by the late END (a set). */
static void
test_m3_a_late_end_frees_no_other_calls_truck(void **state)
{
    struct zr_client *const before = switch_open(true);
    const struct shop shop = shop_make();
    struct zr_id silent;
    struct zr_id second;
    struct zr_route_reply routed = world_call(&world, shop.slot, &silent);

    (void)state;
    (void)world_connect(&world, &routed);
    (void)world_advance(&world, MINUTES(5));
    routed = world_call(&world, shop.slot, &second);
    assert_int_equal(routed.candidates[0].contractor, shop.primary);
    (void)world_connect(&world, &routed);
    assert_false(is_free(&shop));
    (void)world_end(&world, &silent, MINUTE_MS);
    assert_false(is_free(&shop));
    (void)world_end(&world, &second, MINUTE_MS);
    assert_true(is_free(&shop));
    switch_close(before);
}

/* E53: what KEEPALIVE has proved is charged then; the sweep only ends the leg, and an END that
 * comes after all finds nothing left to do. */
static void
test_e53_keepalive_has_proved_the_talk_when_no_end_comes(void **state)
{
    struct zr_client *const before = switch_open(true);
    const struct shop shop = shop_make();
    const uint64_t max_call_ms = world_policy(&world, shop.slot).max_call_s * UINT64_C(1000);
    const uint64_t begun_ms = now_ms();

    (void)state;
    line_talk(shop.slot);
    (void)world_advance(&world, RING_MS - 1);
    line_report(RING_MS - 1);
    assert_leg(&line.call_id, shop.primary, ZR_SETTLEMENT_OPEN, 0);
    (void)world_advance(&world, 1);
    line_report(RING_MS);
    assert_leg(&line.call_id, shop.primary, ZR_SETTLEMENT_CHARGED, WORLD_RATE);
    move_to(begun_ms + max_call_ms - 1);
    assert_int_equal(world_call_get(&world, &line.call_id).state, ZR_CALL_QUALIFIED);
    (void)world_advance(&world, 1);
    assert_int_equal(world_call_get(&world, &line.call_id).state, ZR_CALL_ENDED);
    assert_charged_once(shop.primary, WORLD_RATE);
    assert_int_equal(zr_call_hangup(line.call, 0, ZR_HUNG_UP_CALLER, MINUTE_MS, 0), 0);
    drive_one(world.carrier);
    assert_leg(&line.call_id, shop.primary, ZR_SETTLEMENT_CHARGED, WORLD_RATE);
    assert_charged_once(shop.primary, WORLD_RATE);
    switch_close(before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_m3_silence_frees_the_truck),
        CASE(test_m3_keepalive_keeps_the_truck),
        CASE(test_m3_the_promise_is_the_connects),
        CASE(test_m3_a_late_end_frees_no_other_calls_truck),
        CASE(test_e53_keepalive_has_proved_the_talk_when_no_end_comes),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
