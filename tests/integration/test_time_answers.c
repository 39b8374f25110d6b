/*
 * test_time_answers.c - how often a contractor answers, over days and restarts, and the warning
 * that follows (R62), through the real server.
 */
#include "tests/integration/following.h"
#include "tests/integration/routing.h"

static struct heard heard;

/* A call that rings the primary, whom the switch then reports to have missed it: once or twice. */
static void
miss(const struct pair *pair, uint8_t outcome, int reports)
{
    const struct zr_route_reply routed = world_call(&world, pair->slot, NULL);
    const struct zr_route_next_request next = world_next_request(&routed, outcome);
    struct zr_route_reply reply;

    assert_int_equal(routed.candidates[0].contractor, pair->primary);
    for (int i = 0; i < reports; i++) {
        assert_int_equal(zr_route_next(world.carrier, &next, &reply), 0);
        assert_int_equal(reply.candidates[0].contractor, pair->backup);
    }
}

static void
answer(const struct pair *pair)
{
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, pair->slot, &call_id);

    assert_int_equal(routed.candidates[0].contractor, pair->primary);
    (void)world_connect(&world, &routed);
    (void)world_end(&world, &call_id, 1000);
}

/* CAPS_GET stands in the log behind every miss that a reply came for. */
static void
assert_rate(uint32_t contractor, uint32_t rings, uint32_t answered)
{
    const struct zr_profile_get_request get = {.contractor = contractor};
    struct zr_caps_get_reply reply;

    assert_int_equal(zr_caps_get(world.portal, &get, &reply), 0);
    assert_int_equal(reply.rings_30d, rings);
    assert_int_equal(reply.answered_30d, answered);
}

/* Events of that type that were heard; *newest is the last of them. */
static int
heard_count(uint8_t type, const struct zr_event **newest)
{
    int count = 0;

    for (uint32_t i = 0; i < heard.count; i++) {
        if (heard.events[i].type == type) {
            *newest = &heard.events[i];
            count++;
        }
    }
    return count;
}

/* Hear everything that was written so far: a pause comes behind it. */
static void
hear_all(const struct pair *pair)
{
    const struct zr_event *paused = NULL;
    const int before = heard_count(ZR_EVENT_PAUSED, &paused);

    (void)world_pause(&world, pair->primary_claim);
    (void)world_resume(&world, pair->primary_claim);
    while (heard_count(ZR_EVENT_PAUSED, &paused) == before) {
        hear(&heard, heard.total + 1);
    }
}

/* R62: 20 rings in 30 days of which 11 were missed: told once, kept over a crash, forgotten in
 * time, and the title stays whose it is. */
static void
test_r62_who_misses_half_is_warned(void **state)
{
    struct zr_client *reader = server_client_ready(&world.server, "portal");
    const struct zr_event *told = NULL;
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    follow_events(&heard, reader, events_newest(world.portal), "");
    for (int i = 0; i < 9; i++) {
        answer(&pair);
        miss(&pair, ZR_OUTCOME_NO_ANSWER, 1);
    }
    (void)world_advance(&world, WORLD_DAY_MS);
    miss(&pair, ZR_OUTCOME_BUSY, 2); /* A repeat is the same miss. */
    assert_rate(pair.primary, 19, 9);
    hear_all(&pair);
    assert_int_equal(heard_count(ZR_EVENT_ANSWER_RATE_LOW, &told), 0);
    miss(&pair, ZR_OUTCOME_VOICEMAIL, 1);
    miss(&pair, ZR_OUTCOME_VOICEMAIL, 1);
    assert_rate(pair.primary, 21, 9);
    hear_all(&pair);
    assert_int_equal(heard_count(ZR_EVENT_CALL_MISSED, &told), 12);
    assert_int_equal(heard_count(ZR_EVENT_CALL_OFFERED, &told), 0);
    assert_int_equal(heard_count(ZR_EVENT_ANSWER_RATE_LOW, &told), 1);
    assert_int_equal(told->contractor, pair.primary);
    assert_int_equal(told->number, 20);
    assert_int_equal(told->code, 45);
    zr_client_close(reader);
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    assert_rate(pair.primary, 21, 9);
    (void)world_advance(&world, 28 * WORLD_DAY_MS);
    assert_rate(pair.primary, 21, 9);
    (void)world_advance(&world, WORLD_DAY_MS);
    assert_rate(pair.primary, 3, 0);
    (void)world_advance(&world, WORLD_DAY_MS);
    assert_rate(pair.primary, 0, 0);
    assert_rings_primary(&pair);
}

/* R62: a caller who hangs up while it rings was not missed; who was never rung missed nothing. */
static void
test_r62_the_callers_doing_is_no_miss(void **state)
{
    struct pair pair;

    (void)state;
    pair_make(&pair, 1000);
    for (int i = 0; i < 3; i++) {
        const struct zr_route_reply routed = world_call(&world, pair.slot, NULL);
        const struct zr_route_next_request next =
            world_next_request(&routed, ZR_OUTCOME_CALLER_CANCELLED);
        struct zr_route_reply reply;

        assert_int_equal(zr_route_next(world.carrier, &next, &reply), ZR_STATUS_ABANDONED);
    }
    assert_rate(pair.primary, 0, 0);
    assert_rate(pair.backup, 0, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_r62_who_misses_half_is_warned),
        cmocka_unit_test(test_r62_the_callers_doing_is_no_miss),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
