/*
 * test_explain.c - why a call was decided as it was, told as it was decided (R47, R68, E65, R69).
 */
#include "tests/integration/cases.h"

enum { OTHER_TENANT = 2, MONTH_DAYS = 31 };

/* One decision of a call, as that client is told it. */
static int
explain(struct zr_client *client, const struct zr_id *call_id, const struct zr_id *call_ref,
        uint16_t place, struct zr_explain_reply *reply)
{
    struct zr_explain_request request = {.place = place};

    if (call_id != NULL) {
        request.call_id = *call_id;
    }
    if (call_ref != NULL) {
        request.call_ref = *call_ref;
    }
    memset(reply, 0, sizeof *reply);
    return zr_explain(client, &request, reply);
}

static void
price_raise(uint16_t category, int64_t rate_cents)
{
    const struct zr_category_list_request list = {.after = (uint16_t)(category - 1)};
    static struct zr_category_list_reply listed;
    static struct zr_category_put_request put;
    struct zr_category_put_reply reply;

    assert_int_equal(zr_category_list(world.admin, &list, &listed), 0);
    assert_int_equal(listed.categories[0].category, category);
    memset(&put, 0, sizeof put);
    put.category = category;
    put.rate_cents = rate_cents;
    put.offered = true;
    put.zips_action = ZR_ZIPS_EVERYWHERE;
    put.expected_version = listed.categories[0].version;
    (void)snprintf(put.name, sizeof put.name, "%s", listed.categories[0].name);
    assert_int_equal(zr_category_put(world.admin, &put, &reply), 0);
}

/*
 * E65: candidates, reasons, rates and versions of a month ago, although policy, price and people
 * have changed since, and the server was restarted.
 */
static void
test_e65_decision_is_told_as_it_was_a_month_ago(void **state)
{
    static struct zr_explain_reply then;
    static struct zr_explain_reply now;
    const struct world_slot slot = world_slot(&world);
    const uint32_t paused = world_contractor(&world, 2, 100000);
    const uint32_t second = world_contractor(&world, 2, 100000);
    struct zr_policy policy;
    struct zr_route_reply routed;
    struct zr_id call_id;

    (void)state;
    (void)world_pause(&world, world_claim(&world, paused, slot));
    (void)world_claim(&world, second, slot);
    routed = world_call(&world, slot, &call_id);
    (void)world_connect(&world, &routed);
    (void)world_end(&world, &call_id, 120000);
    assert_int_equal(explain(world.carrier, &call_id, NULL, 0, &then), 0);
    assert_int_equal(then.decisions, 1);
    assert_int_equal(then.outcome, ZR_STATUS_OK);
    assert_int_equal(then.zip, slot.zip);
    assert_int_equal(then.judged_count, 2);
    assert_int_equal(then.judged[0].contractor, paused);
    assert_int_equal(then.judged[0].reasons & REASON_PAUSED, REASON_PAUSED);
    assert_int_equal(then.judged[0].place, 0);
    assert_int_equal(then.judged[1].contractor, second);
    assert_int_equal(then.judged[1].reasons, 0);
    assert_int_equal(then.judged[1].rank, 2);
    assert_int_equal(then.judged[1].rate_cents, WORLD_RATE_2);
    assert_int_equal(then.judged[1].place, 1);
    assert_int_equal(then.snapshot_seq, routed.snapshot_seq);
    assert_int_equal(then.policy_version, routed.policy_version);

    policy = world_policy(&world, slot);
    policy.multiplier_2_bp = 9000;
    policy.max_attempts = 1;
    world_policy_put(&world, slot, &policy);
    price_raise(slot.category, 10 * WORLD_RATE);
    world_status(&world, second, ZR_CONTRACTOR_SUSPENDED);
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    (void)world_advance(&world, MONTH_DAYS * WORLD_DAY_MS);
    assert_int_equal(explain(world.carrier, &call_id, NULL, 0, &now), 0);
    assert_memory_equal(&now, &then, sizeof now);
    assert_int_equal(explain(world.auditor, NULL, &routed.call_ref, 0, &now), 0);
    assert_memory_equal(&now, &then, sizeof now);
}

/* Each ROUTE and ROUTE_NEXT is one; while it rings too, at once. */
static void
test_every_decision_of_a_call_is_told(void **state)
{
    static struct zr_explain_reply reply;
    const struct world_slot slot = world_slot(&world);
    const uint32_t one = world_contractor(&world, 2, 100000);
    const uint32_t two = world_contractor(&world, 2, 100000);
    struct zr_route_reply routed;
    struct zr_route_next_request next;
    struct zr_id call_id;

    (void)state;
    (void)world_claim(&world, one, slot);
    (void)world_claim(&world, two, slot);
    routed = world_call(&world, slot, &call_id);
    assert_int_equal(explain(world.carrier, &call_id, NULL, 0, &reply), 0);
    assert_int_equal(reply.decisions, 1);
    next = world_next_request(&routed, ZR_OUTCOME_NO_ANSWER);
    assert_int_equal(zr_route_next(world.carrier, &next, &routed), 0);
    next = world_next_request(&routed, ZR_OUTCOME_BUSY);
    assert_int_equal(zr_route_next(world.carrier, &next, &routed), ZR_STATUS_EXHAUSTED);
    assert_int_equal(explain(world.carrier, &call_id, NULL, 1, &reply), 0);
    assert_int_equal(reply.decisions, 3);
    assert_int_equal(reply.place, 1);
    assert_int_equal(reply.attempt, 1);
    assert_int_equal(reply.judged[0].contractor, one);
    assert_int_equal(reply.judged[0].reasons, REASON_ALREADY_TRIED);
    assert_int_equal(reply.judged[1].place, 1);
    assert_int_equal(explain(world.carrier, &call_id, NULL, 2, &reply), 0);
    assert_int_equal(reply.outcome, ZR_STATUS_EXHAUSTED);
    assert_int_equal(explain(world.carrier, &call_id, NULL, 3, &reply), ZR_STATUS_NOT_FOUND);
}

/* Decisions of that call whose ticket had this contractor first. */
static int
decisions_for(const struct zr_id *call_id, uint32_t contractor)
{
    static struct zr_explain_reply reply;
    int count = 0;

    for (uint16_t place = 0; explain(world.carrier, call_id, NULL, place, &reply) == 0; place++) {
        for (int i = 0; i < reply.judged_count; i++) {
            count += reply.judged[i].place == 1 && reply.judged[i].contractor == contractor;
        }
    }
    return count;
}

/*
 * R68, E71: an attempt may be decided twice, for a switch that asks again after a restart. Both
 * tickets are good, so both decisions are told, whichever is connected; also when the crash took
 * the record of the first.
 */
static void
test_e71_attempt_decided_twice_is_told_twice(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        const bool is_flushed = round == 0;
        const struct world_slot slot = world_slot(&world);
        uint32_t people[3];
        uint64_t claims[3];
        struct zr_route_next_request next;
        struct zr_route_reply routed;
        struct zr_route_reply again;
        struct zr_id call_id;

        for (int i = 0; i < 3; i++) {
            people[i] = world_contractor(&world, 2, 100000);
            claims[i] = world_claim(&world, people[i], slot);
        }
        routed = world_call(&world, slot, &call_id);
        next = world_next_request(&routed, ZR_OUTCOME_NO_ANSWER);
        assert_int_equal(decisions_for(&call_id, people[0]), 1);
        assert_int_equal(zr_route_next(world.carrier, &next, &routed), 0);
        assert_int_equal(routed.candidates[0].contractor, people[1]);
        if (is_flushed) {
            assert_int_equal(decisions_for(&call_id, people[1]), 1);
        }
        server_kill(&world.server);
        server_restart(&world.server);
        world_reconnect(&world);
        (void)world_pause(&world, claims[1]);
        assert_int_equal(zr_route_next(world.carrier, &next, &again), 0);
        assert_int_equal(again.candidates[0].contractor, people[2]);
        (void)world_connect(&world, &routed);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(decisions_for(&call_id, people[i]), 1);
        }
    }
}

/* A refusal is a decision as well; its call_ref finds it for ever, its call_id while it is new. */
static void
test_refused_call_is_told_by_its_reference(void **state)
{
    static struct zr_explain_reply reply;
    const struct world_slot slot = world_slot(&world);
    const uint32_t broke = world_contractor(&world, 2, 0);
    struct zr_route_request route = world_route_request(&world, slot);
    struct zr_route_reply routed;

    (void)state;
    (void)world_claim(&world, broke, slot);
    assert_int_equal(world_route(&world, &route, &routed), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(explain(world.carrier, &route.call_id, NULL, 0, &reply), 0);
    assert_int_equal(reply.outcome, ZR_STATUS_NO_COVERAGE);
    assert_int_equal(reply.judged[0].reasons, REASON_NO_FUNDS);
    (void)world_advance(&world, WORLD_HOUR_MS);
    assert_int_equal(explain(world.carrier, &route.call_id, NULL, 0, &reply), ZR_STATUS_NOT_FOUND);
    assert_int_equal(explain(world.carrier, NULL, &routed.call_ref, 0, &reply), 0);
    assert_int_equal(reply.judged[0].contractor, broke);
}

/* A process that hears of a call by its ROUTE_NEXT finds it by its call_id from then on, also where
 * that said only that the caller hung up (R68). */
static void
test_call_that_was_given_up_after_a_restart_is_found(void **state)
{
    static struct zr_explain_reply reply;
    const struct world_slot slot = world_slot(&world);
    struct zr_route_next_request next;
    struct zr_route_reply routed;
    struct zr_route_reply ended;
    struct zr_id call_id;

    (void)state;
    (void)world_claim(&world, world_contractor(&world, 2, 100000), slot);
    routed = world_call(&world, slot, &call_id);
    assert_int_equal(explain(world.carrier, &call_id, NULL, 0, &reply), 0);
    assert_int_equal(server_stop(&world.server), 0);
    server_restart(&world.server);
    world_reconnect(&world);
    assert_int_equal(explain(world.carrier, &call_id, NULL, 0, &reply), ZR_STATUS_NOT_FOUND);
    next = world_next_request(&routed, ZR_OUTCOME_CALLER_CANCELLED);
    assert_int_equal(zr_route_next(world.carrier, &next, &ended), ZR_STATUS_ABANDONED);
    assert_int_equal(explain(world.carrier, &call_id, NULL, 0, &reply), 0);
    assert_int_equal(reply.judged[0].contractor, routed.candidates[0].contractor);
}

/* R69: another carrier finds nothing, a portal or contractor sees its own and no call_id. */
static void
test_r69_others_are_told_nothing(void **state)
{
    static struct zr_explain_reply reply;
    static const struct zr_id zero;
    const struct world_slot slot = world_slot(&world);
    const uint32_t one = world_contractor(&world, 2, 100000);
    const uint32_t two = world_contractor(&world, 2, 100000);
    const struct server_identity identities[] = {
        {"switch2", OTHER_TENANT, ZR_ROLE_SWITCH, 0},
        {"portal2", OTHER_TENANT, ZR_ROLE_PORTAL, 0},
        {"second", SERVER_TENANT, ZR_ROLE_CONTRACTOR, two},
    };
    struct zr_client *clients[3];
    struct zr_route_reply routed;
    struct zr_id call_id;

    (void)state;
    (void)world_claim(&world, one, slot);
    (void)world_claim(&world, two, slot);
    routed = world_call(&world, slot, &call_id);
    for (size_t i = 0; i < 3; i++) {
        (void)server_principal(&world.server, &identities[i]);
        clients[i] = server_client_ready(&world.server, identities[i].name);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(explain(clients[i], NULL, &routed.call_ref, 0, &reply),
                         ZR_STATUS_NOT_FOUND);
        assert_int_equal(explain(clients[i], &call_id, NULL, 0, &reply), ZR_STATUS_NOT_FOUND);
    }
    assert_int_equal(explain(clients[2], NULL, &routed.call_ref, 0, &reply), 0);
    assert_int_equal(reply.judged_count, 1);
    assert_int_equal(reply.judged[0].contractor, two);
    assert_memory_equal(&reply.call_id, &zero, sizeof zero);
    assert_int_equal(explain(world.portal, NULL, &routed.call_ref, 0, &reply), 0);
    assert_int_equal(reply.judged_count, 2);
    assert_memory_equal(&reply.call_id, &zero, sizeof zero);
    assert_int_equal(explain(world.portal, &call_id, NULL, 0, &reply), ZR_STATUS_NOT_FOUND);
    assert_int_equal(explain(world.auditor, NULL, &routed.call_ref, 0, &reply), 0);
    assert_memory_equal(&reply.call_id, &call_id, sizeof call_id);
    assert_int_equal(explain(world.auditor, NULL, NULL, 0, &reply), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(explain(world.carrier, &call_id, &routed.call_ref, 0, &reply),
                     ZR_STATUS_INVALID_FIELD);
    assert_int_equal(explain(world.auditor, &call_id, &routed.call_ref, 0, &reply),
                     ZR_STATUS_INVALID_FIELD);
    for (size_t i = 0; i < 3; i++) {
        zr_client_close(clients[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e65_decision_is_told_as_it_was_a_month_ago),
        cmocka_unit_test(test_every_decision_of_a_call_is_told),
        cmocka_unit_test(test_e71_attempt_decided_twice_is_told_twice),
        cmocka_unit_test(test_refused_call_is_told_by_its_reference),
        cmocka_unit_test(test_call_that_was_given_up_after_a_restart_is_found),
        cmocka_unit_test(test_r69_others_are_told_nothing),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
