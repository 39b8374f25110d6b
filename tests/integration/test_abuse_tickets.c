/*
 * test_abuse_tickets.c - tickets cannot be forged, cut, lent or misused (E63), by whoever holds
 * them.
 *
 * Behind each case a well-behaved client on the same server must get its right answers.
 */
#include "tests/integration/bystander.h"

enum { OTHER_TENANT = 2 };

/* A slot with a contractor who will answer. */
static struct world_slot
slot_with_one(void)
{
    const struct world_slot slot = world_slot(&world);

    (void)world_claim(&world, world_contractor(&world, 3, 50000), slot);
    return slot;
}

/* One ticket in the three operations that take one. */
static void
expect_bad_ticket(struct zr_client *client, const struct zr_connect_request *connect,
                  const struct zr_id *call_id)
{
    struct zr_route_next_request next = {.index = connect->index,
                                         .outcome = ZR_OUTCOME_NO_ANSWER,
                                         .ticket_length = connect->ticket_length};
    struct zr_end_request end = world_end_request(call_id, 1000);
    struct zr_settlement_reply settled;
    struct zr_connect_reply connected;
    struct zr_route_reply routed;

    memcpy(next.ticket, connect->ticket, sizeof next.ticket);
    memcpy(end.ticket, connect->ticket, sizeof end.ticket);
    end.ticket_length = connect->ticket_length;
    end.index = connect->index;
    assert_int_equal(zr_connect(client, connect, &connected), ZR_STATUS_BAD_TICKET);
    assert_int_equal(connected.contractor, 0);
    assert_int_equal(zr_route_next(client, &next, &routed), ZR_STATUS_BAD_TICKET);
    assert_int_equal(routed.candidates_count, 0);
    if (end.ticket_length > 0) { /* Without one it means the connected leg. */
        assert_int_equal(zr_end(client, &end, &settled), ZR_STATUS_BAD_TICKET);
    }
}

static void
test_e63_forged_ticket_is_refused(void **state)
{
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, slot_with_one(), &call_id);
    const struct zr_connect_request right = world_connect_request(&routed);
    struct zr_connect_request forged;

    (void)state;
    for (uint16_t at = 0; at < right.ticket_length; at++) {
        forged = right;
        forged.ticket[at] ^= (uint8_t)(1u << at % 8);
        expect_bad_ticket(world.carrier, &forged, &call_id);
        forged = right;
        forged.ticket_length = at; /* Cut. */
        expect_bad_ticket(world.carrier, &forged, &call_id);
    }
    forged = right;
    forged.ticket_length++;
    expect_bad_ticket(world.carrier, &forged, &call_id);
    forged.ticket_length = sizeof forged.ticket;
    expect_bad_ticket(world.carrier, &forged, &call_id);
    for (unsigned index = 1; index < 255; index++) { /* It has one candidate, the first. */
        forged = right;
        forged.index = (uint8_t)index;
        expect_bad_ticket(world.carrier, &forged, &call_id);
    }
    assert_int_equal(world_connect(&world, &routed).state, ZR_CALL_CONNECTED);
    (void)world_end(&world, &call_id, 1000);
}

/* A ticket of a call in END of another call. */
static void
test_ticket_of_another_call_is_refused(void **state)
{
    struct zr_id call_id;
    struct zr_id other_id;
    const struct zr_route_reply routed = world_call(&world, slot_with_one(), &call_id);
    struct zr_end_request end;
    struct zr_settlement_reply settled;

    (void)state;
    (void)world_call(&world, slot_with_one(), &other_id);
    end = world_end_request(&other_id, 1000);
    end.index = routed.attempt;
    end.ticket_length = routed.ticket_length;
    memcpy(end.ticket, routed.ticket, sizeof end.ticket);
    assert_int_equal(zr_end(world.carrier, &end, &settled), ZR_STATUS_BAD_TICKET);
}

/* A query promises nothing: not even when the call was routed, and routed anew, meanwhile. */
static void
test_ticket_of_a_query_is_refused(void **state)
{
    struct zr_route_request route = world_route_request(&world, slot_with_one());
    struct zr_route_reply query;
    struct zr_route_reply routed;
    struct zr_connect_request connect;

    (void)state;
    route.flags = 0;
    assert_int_equal(world_route(&world, &route, &query), 0);
    assert_true(query.ticket_length > 0);
    connect = world_connect_request(&query);
    expect_bad_ticket(world.carrier, &connect, &route.call_id);
    route.flags = 2;
    assert_int_equal(world_route(&world, &route, &routed), 0);
    expect_bad_ticket(world.carrier, &connect, &route.call_id);
    route.campaign = 7;
    assert_int_equal(world_route(&world, &route, &routed), 0);
    assert_int_equal(routed.revision, 1);
    expect_bad_ticket(world.carrier, &connect, &route.call_id);
}

static void
test_ticket_of_another_tenant_is_refused(void **state)
{
    const struct server_identity identity = {"switch-2", OTHER_TENANT, ZR_ROLE_SWITCH, 0};
    struct zr_route_request route = world_route_request(&world, slot_with_one());
    struct zr_connect_request connect;
    struct zr_route_reply theirs;
    struct zr_route_reply own;
    struct zr_client *client;

    (void)state;
    (void)server_principal(&world.server, &identity);
    client = server_client(&world.server, "switch-2");
    assert_int_equal(world_route(&world, &route, &theirs), 0);
    connect = world_connect_request(&theirs);
    expect_bad_ticket(client, &connect, &route.call_id);
    /* The same call id is a call of its own here, and may be routed anew: still not its ticket. */
    route.flags = 2;
    assert_int_equal(zr_route(client, &route, &own), 0);
    expect_bad_ticket(client, &connect, &route.call_id);
    route.campaign = 7;
    assert_int_equal(zr_route(client, &route, &own), 0);
    assert_int_equal(own.revision, 1);
    expect_bad_ticket(client, &connect, &route.call_id);
    zr_client_close(client);
}

/* A call that had more attempts than its new slot allows: refused, and nobody falls over it. */
static void
test_call_without_attempts_left_is_not_routed_anew(void **state)
{
    const struct world_slot wide = world_slot(&world);
    const struct world_slot narrow = slot_with_one();
    struct zr_policy policy = world_policy(&world, narrow);
    struct zr_route_request route = world_route_request(&world, wide);
    struct zr_route_next_request next;
    struct zr_route_reply routed;

    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)world_claim(&world, world_contractor(&world, 3, 50000), wide);
    }
    policy.max_attempts = 1;
    world_policy_put(&world, narrow, &policy);
    assert_int_equal(world_route(&world, &route, &routed), 0);
    for (int attempts = 1; attempts <= 2; attempts++) {
        next = world_next_request(&routed, ZR_OUTCOME_NO_ANSWER);
        assert_int_equal(zr_route_next(world.carrier, &next, &routed), 0);
        route.category = narrow.category;
        route.campaign = (uint16_t)attempts;
        {
            struct zr_route_reply refused;

            assert_int_equal(world_route(&world, &route, &refused), ZR_STATUS_EXHAUSTED);
            assert_int_equal(refused.candidates_count, 0);
            assert_int_equal(refused.ticket_length, 0);
        }
    }
    bystander_is_well();
}

static int
setup(void **state)
{
    const int result = world_setup(state);

    bystander_make();
    return result;
}

static int
still_well(void **state)
{
    (void)state;
    bystander_is_well();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_e63_forged_ticket_is_refused, still_well),
        cmocka_unit_test_teardown(test_ticket_of_another_call_is_refused, still_well),
        cmocka_unit_test_teardown(test_ticket_of_a_query_is_refused, still_well),
        cmocka_unit_test_teardown(test_ticket_of_another_tenant_is_refused, still_well),
        cmocka_unit_test_teardown(test_call_without_attempts_left_is_not_routed_anew, still_well),
    };

    return cmocka_run_group_tests(tests, setup, world_teardown);
}
