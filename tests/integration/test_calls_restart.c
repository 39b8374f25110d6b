/*
 * test_calls_restart.c - calls that a restart came amid: tickets of before it, whose numbers the
 * process behind it may give again, and what it learns from them (M6, R35, E32, E33, E44).
 */
#include "tests/integration/calls.h"

/* M6: a process that forgot a call numbers its revisions anew. A leg by an older process's ticket
 * says which was the newest: else phones would ring whose CONNECT is refused. */
static void
test_m6_a_leg_says_which_revision_is_the_newest(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply routed;
    struct zr_route_reply newest;
    struct zr_route_reply forgotten;

    (void)state;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    request.caller++;
    assert_int_equal(world_route(&world, &request, &newest), 0);
    assert_int_equal(newest.revision, 1);
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    assert_int_equal(world_route(&world, &request, &forgotten), 0);
    assert_int_equal(forgotten.revision, 0);
    (void)world_connect(&world, &newest);
    assert_int_equal(next_of(&forgotten, 0, &routed), ZR_STATUS_TICKET_SUPERSEDED);
    (void)end_caller_stays(&request.call_id, TALK_SHORT_MS);
    assert_int_equal(next_of(&forgotten, 0, &routed), ZR_STATUS_TICKET_SUPERSEDED);
    newest = next_rings(&newest, ZR_OUTCOME_BUSY, pair.backup);
    (void)world_connect(&world, &newest);
}

/* R35, E44: a leg of an older ticket that is told of late, and without its CONNECT, came before the
 * newer question: that one goes on, with memory of the call and without. */
static void
test_r35_a_late_leg_of_an_older_ticket_stops_nobody(void **state)
{
    (void)state;
    for (int restarts = 0; restarts <= 1; restarts++) {
        const struct pair older = pair_make(1, FUNDS);
        const struct pair newer = pair_make(1, FUNDS);
        struct zr_route_request request = world_route_request(&world, older.slot);
        struct zr_route_reply routed;
        struct zr_route_reply first;
        struct zr_route_reply reply;
        struct zr_end_request end;
        struct zr_settlement_reply ended;

        assert_int_equal(world_route(&world, &request, &routed), 0);
        end = world_end_request(&request.call_id, TALK_SHORT_MS);
        end.answered_at_ms = server_advance(&world.server, 1000);
        request.category = newer.slot.category;
        request.zips[0] = newer.slot.zip;
        assert_int_equal(world_route(&world, &request, &first), 0);
        (void)world_connect(&world, &first);
        (void)end_caller_stays(&request.call_id, TALK_SHORT_MS);
        end.index = 0;
        end.caller_stays = true;
        end.ticket_length = routed.ticket_length;
        memcpy(end.ticket, routed.ticket, sizeof end.ticket);
        assert_int_equal(zr_end(world.carrier, &end, &ended), 0);
        assert_int_equal(ended.contractor, older.primary);
        if (restarts == 1) {
            server_kill(&world.server);
            server_restart(&world.server);
            world_reconnect(&world);
        }
        assert_int_equal(next_of(&first, 0, &reply), 0);
        assert_int_equal(reply.candidates[0].contractor, newer.backup);
    }
}

/* R35, E33: a process that forgot the call gave another ticket the same numbers. Who answered that
 * one is the past of the older one all the same. */
static void
test_e33_a_question_from_before_the_restart_is_superseded(void **state)
{
    const struct pair before = pair_make(1, FUNDS);
    const struct pair after = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, before.slot);
    struct zr_route_reply older;
    struct zr_route_reply newer;
    struct zr_route_reply reply;

    (void)state;
    assert_int_equal(world_route(&world, &request, &older), 0);
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    request.category = after.slot.category;
    request.zips[0] = after.slot.zip;
    assert_int_equal(world_route(&world, &request, &newer), 0);
    assert_int_equal(newer.revision, older.revision);
    (void)world_connect(&world, &newer);
    (void)end_caller_stays(&request.call_id, TALK_SHORT_MS);
    assert_int_equal(next_of(&older, 0, &reply), ZR_STATUS_TICKET_SUPERSEDED);
    assert_int_equal(next_of(&newer, 0, &reply), 0);
    assert_int_equal(reply.candidates[0].contractor, after.backup);
}

/* E32: a call whose leg is over is CALL_CONNECTED to ROUTE, also where this server process learned
 * of it by ROUTE_NEXT only. */
static void
test_e32_a_leg_of_before_the_restart(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply first;
    struct zr_route_reply reply;

    (void)state;
    assert_int_equal(world_route(&world, &request, &first), 0);
    (void)world_connect(&world, &first);
    (void)end_caller_stays(&request.call_id, TALK_SHORT_MS);
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    (void)next_rings(&first, ZR_OUTCOME_BUSY, pair.backup);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_CALL_CONNECTED);
}

/* Two tickets of one call: one of revision 1, and behind a restart one of revision 0 again, for
 * others. */
struct two {
    struct pair before;
    struct zr_route_request request;
    struct zr_route_reply highest;
    struct zr_route_reply newer;
};

static void
two_fill(struct two *two)
{
    const struct pair after = pair_make(1, FUNDS);
    struct zr_route_reply routed;

    two->before = pair_make(1, FUNDS);
    two->request = world_route_request(&world, two->before.slot);
    world_status(&world, two->before.backup, ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(world_route(&world, &two->request, &routed), 0);
    two->request.caller++;
    assert_int_equal(world_route(&world, &two->request, &two->highest), 0);
    assert_int_equal(two->highest.revision, 1);
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    two->request.category = after.slot.category;
    two->request.zips[0] = after.slot.zip;
    assert_int_equal(world_route(&world, &two->request, &two->newer), 0);
    assert_int_equal(two->newer.revision, 0);
}

/* M6: the ticket of the highest revision is the newest once it is heard of, whichever was rung
 * last; also where nobody is left behind it. */
static void
test_m6_the_highest_revision_is_the_newest_once_it_is_heard_of(void **state)
{
    struct two two;
    struct zr_connect_reply connected;
    struct zr_route_reply reply;

    (void)state;
    two_fill(&two);
    assert_int_equal(next_of(&two.highest, 0, &reply), ZR_STATUS_EXHAUSTED);
    assert_int_equal(next_of(&two.newer, 0, &reply), ZR_STATUS_TICKET_SUPERSEDED);
    assert_int_equal(connect_ask(&two.newer, &connected), ZR_STATUS_TICKET_SUPERSEDED);
    assert_int_equal(connect_ask(&two.highest, &connected), 0);
    assert_int_equal(connected.contractor, two.before.primary);
}

/* M4: what END without a ticket means is that one. */
static void
test_m6_the_highest_revision_is_what_end_means(void **state)
{
    struct two two;
    struct zr_settlement_reply ended;
    struct zr_route_reply reply;
    struct zr_end_request end;

    (void)state;
    two_fill(&two);
    assert_int_equal(next_of(&two.highest, 0, &reply), ZR_STATUS_EXHAUSTED);
    end = world_end_request(&two.request.call_id, 0);
    assert_int_equal(zr_end(world.carrier, &end, &ended), 0);
    assert_int_equal(ended.state, ZR_CALL_ABANDONED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_m6_a_leg_says_which_revision_is_the_newest),
        cmocka_unit_test(test_r35_a_late_leg_of_an_older_ticket_stops_nobody),
        cmocka_unit_test(test_e33_a_question_from_before_the_restart_is_superseded),
        cmocka_unit_test(test_e32_a_leg_of_before_the_restart),
        cmocka_unit_test(test_m6_the_highest_revision_is_the_newest_once_it_is_heard_of),
        cmocka_unit_test(test_m6_the_highest_revision_is_what_end_means),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
