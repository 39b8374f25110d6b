/*
 * test_cases_connect.c - the acceptance cases of domain.md M7 about a call that was answered:
 * CONNECT, QUALIFY, END, what it costs, and who wins.
 */
#include "tests/integration/cases.h"

enum { TALK_MS = 30000 };

/* A slot held by two contractors with money and room for everything. */
struct held {
    struct world_slot slot;
    uint32_t contractors[2];
    uint64_t claims[2];
};

static void
held_make(struct held *held)
{
    held->slot = world_slot_promoting(&world);
    for (int i = 0; i < 2; i++) {
        held->contractors[i] = world_contractor(&world, 9, 50000);
        held->claims[i] = world_claim(&world, held->contractors[i], held->slot);
    }
}

static int64_t
posted(uint32_t contractor)
{
    return world_wallet(&world, contractor).posted_cents;
}

static int64_t
spent(uint32_t contractor)
{
    return 50000 - posted(contractor);
}

/* A call routed with both candidates in one ticket (LIST). */
static struct zr_route_reply
call_both(const struct held *held, struct zr_id *call_id)
{
    struct zr_route_request request = world_route_request(&world, held->slot);
    struct zr_route_reply reply;

    request.want = 2;
    assert_int_equal(world_route(&world, &request, &reply), 0);
    assert_int_equal(reply.candidates_count, 2);
    *call_id = request.call_id;
    return reply;
}

static struct zr_end_request
end_with_ticket(const struct zr_id *call_id, const struct zr_route_reply *routed, uint8_t index,
                uint32_t talk_ms)
{
    struct zr_end_request end = world_end_request(call_id, talk_ms);

    end.index = index;
    end.ticket_length = routed->ticket_length;
    memcpy(end.ticket, routed->ticket, sizeof end.ticket);
    return end;
}

/* ---- who wins ------------------------------------------------------------------------------ */

static void
test_e35_the_first_connect_wins(void **state)
{
    struct held held;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_connect_request requests[2];
    struct zr_connect_reply replies[2];
    struct answer answers[2];
    struct zr_client *other = server_client_ready(&world.server, "switch");
    struct zr_client *const clients[2] = {world.carrier, other};
    int winner;

    (void)state;
    held_make(&held);
    routed = call_both(&held, &call_id);
    memset(replies, 0, sizeof replies);
    for (int i = 0; i < 2; i++) {
        requests[i] = world_connect_request(&routed);
        requests[i].index = (uint8_t)i;
        answers[i].reply = &replies[i];
        submit(clients[i], ZR_OP_CONNECT, &requests[i], &answers[i]);
    }
    drive(clients, 2);
    winner = answers[0].result == 0 ? 0 : 1;
    assert_int_equal(answers[winner].result, 0);
    assert_int_equal(answers[1 - winner].result, ZR_STATUS_ALREADY_CONNECTED);
    assert_int_equal(replies[1 - winner].contractor, held.contractors[winner]);
    assert_int_equal(world_wallet(&world, held.contractors[1 - winner]).held_cents, 0);
    assert_true(world_wallet(&world, held.contractors[winner]).held_cents > 0);
    (void)world_end(&world, &call_id, 1000);
    zr_client_close(other);
}

static void
test_e43_five_connects_from_three_nodes_are_one(void **state)
{
    struct held held;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_connect_request request;
    struct zr_connect_reply replies[5];
    struct answer answers[5];
    struct zr_client *clients[3];
    int duplicates = 0;

    (void)state;
    held_make(&held);
    (void)server_principal(&world.server,
                           &(struct server_identity){"node-2", 1, ZR_ROLE_SWITCH, 0});
    (void)server_principal(&world.server,
                           &(struct server_identity){"node-3", 1, ZR_ROLE_SWITCH, 0});
    clients[0] = world.carrier;
    clients[1] = server_client_ready(&world.server, "node-2");
    clients[2] = server_client_ready(&world.server, "node-3");
    routed = world_call(&world, held.slot, &call_id);
    request = world_connect_request(&routed);
    memset(replies, 0, sizeof replies);
    for (int i = 0; i < 5; i++) {
        answers[i].reply = &replies[i];
        submit(clients[i % 3], ZR_OP_CONNECT, &request, &answers[i]);
    }
    drive(clients, 3);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(answers[i].result, 0);
        assert_memory_equal(&replies[i], &replies[0], sizeof replies[0]);
        duplicates += answers[i].duplicate;
    }
    assert_int_equal(duplicates, 4);
    assert_int_equal(world_wallet(&world, held.contractors[0]).held_cents, WORLD_RATE);
    assert_int_equal(world_end(&world, &call_id, TALK_MS).amount_cents, WORLD_RATE);
    assert_int_equal(world_wallet(&world, held.contractors[0]).held_cents, 0);
    zr_client_close(clients[1]);
    zr_client_close(clients[2]);
}

/* One unit of concurrency per (call, contractor): four more calls fit beside five CONNECTs. */
static void
test_e43_a_repeated_connect_takes_one_unit(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 2, 50000);
    struct zr_route_reply first;
    struct zr_route_reply second;
    struct zr_route_request request;
    struct zr_route_reply third;
    struct zr_id call_id;

    (void)state;
    (void)world_claim(&world, contractor, slot);
    first = world_call(&world, slot, &call_id);
    for (int i = 0; i < 5; i++) {
        (void)world_connect(&world, &first);
    }
    second = world_call(&world, slot, NULL);
    (void)world_connect(&world, &second);
    request = world_route_request(&world, slot);
    assert_int_equal(world_route(&world, &request, &third), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(reasons_of(&third, contractor), REASON_AT_CONCURRENCY);
    (void)world_end(&world, &call_id, 1000);
    (void)world_call(&world, slot, NULL);
}

static void
test_e71_a_crash_between_two_tickets_leaves_one_hold(void **state)
{
    struct held held;
    struct zr_route_request request;
    struct zr_route_reply tickets[2];
    struct zr_connect_request connects[2];
    struct zr_connect_reply replies[2];
    struct answer answers[2];
    struct zr_client *clients[2];
    struct zr_call_get_reply call;
    struct zr_settlement_reply settled;
    int winner;

    (void)state;
    held_make(&held);
    request = world_route_request(&world, held.slot);
    assert_int_equal(world_route(&world, &request, &tickets[0]), 0);
    assert_int_equal(tickets[0].candidates[0].contractor, held.contractors[0]);
    server_kill(&world.server);
    server_restart(&world.server);
    assert_int_equal(world_release(&world, held.claims[0]).promoted_claim_id, held.claims[1]);
    assert_int_equal(world_route(&world, &request, &tickets[1]), 0);
    assert_int_equal(tickets[1].candidates[0].contractor, held.contractors[1]);
    clients[0] = world.carrier;
    clients[1] = server_client_ready(&world.server, "switch");
    memset(replies, 0, sizeof replies);
    for (int i = 0; i < 2; i++) {
        connects[i] = world_connect_request(&tickets[i]);
        answers[i].reply = &replies[i];
        submit(clients[i], ZR_OP_CONNECT, &connects[i], &answers[i]);
    }
    drive(clients, 2);
    winner = answers[0].result == 0 ? 0 : 1;
    assert_int_equal(answers[winner].result, 0);
    /* The older ticket is either too late, or known to be superseded. */
    assert_int_equal(answers[1 - winner].result, ZR_STATUS_ALREADY_CONNECTED);
    assert_int_equal(replies[1 - winner].contractor, held.contractors[winner]);
    assert_int_equal(world_wallet(&world, held.contractors[0]).held_cents +
                         world_wallet(&world, held.contractors[1]).held_cents,
                     WORLD_RATE);
    settled = world_end(&world, &request.call_id, 60000);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(settled.contractor, held.contractors[winner]);
    assert_int_equal(settled.amount_cents, WORLD_RATE);
    assert_int_equal(spent(held.contractors[0]) + spent(held.contractors[1]), WORLD_RATE);
    call = world_call_get(&world, &request.call_id);
    assert_int_equal(call.legs_count, 1);
    assert_int_equal(call.snapshot_seq, tickets[winner].snapshot_seq);
    zr_client_close(clients[1]);
}

/* ---- how long -------------------------------------------------------------------------------- */

static void
test_e45_thirty_seconds_and_not_a_millisecond_less(void **state)
{
    static const struct {
        uint32_t talk_ms;
        uint8_t settlement;
        int64_t cents;
    } rows[] = {
        {0, ZR_SETTLEMENT_FREE_SHORT, 0},           {29000, ZR_SETTLEMENT_FREE_SHORT, 0},
        {29999, ZR_SETTLEMENT_FREE_SHORT, 0},       {30000, ZR_SETTLEMENT_CHARGED, WORLD_RATE},
        {30001, ZR_SETTLEMENT_CHARGED, WORLD_RATE},
    };
    struct held held;
    int64_t total = 0;

    (void)state;
    held_make(&held);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zr_id call_id;
        const struct zr_route_reply routed = world_call(&world, held.slot, &call_id);
        const struct zr_connect_reply connected = world_connect(&world, &routed);
        struct zr_settlement_reply settled;

        assert_int_equal(connected.hold_cents, WORLD_RATE);
        assert_int_equal(connected.state, ZR_CALL_CONNECTED);
        settled = world_end(&world, &call_id, rows[i].talk_ms);
        assert_int_equal(settled.settlement, rows[i].settlement);
        assert_int_equal(settled.amount_cents, rows[i].cents);
        assert_int_equal(settled.state, ZR_CALL_ENDED);
        total += rows[i].cents;
        assert_int_equal(spent(held.contractors[0]), total);
        assert_int_equal(world_wallet(&world, held.contractors[0]).held_cents, 0);
    }
}

/* M4: talk above the ticket's age + 5 s is flagged, and under CLIP cut to it. */
static void
test_m4_talk_beyond_the_tickets_age_is_cut(void **state)
{
    struct held held;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_settlement_reply settled;
    struct zr_end_request end;

    (void)state;
    held_make(&held);
    routed = world_call(&world, held.slot, &call_id);
    (void)world_connect(&world, &routed);
    (void)server_advance(&world.server, 24999);
    end = world_end_request(&call_id, 3600000);
    assert_int_equal(zr_end(world.carrier, &end, &settled), 0);
    assert_true(settled.flagged);
    assert_int_equal(settled.talk_ms, 29999);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_FREE_SHORT);
}

static void
test_qualify_charges_when_it_is_due_and_only_once(void **state)
{
    struct held held;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_qualify_request qualify = {.talk_ms = 29999};
    struct zr_settlement_reply reply;

    (void)state;
    held_make(&held);
    routed = world_call(&world, held.slot, &call_id);
    qualify.call_id = call_id;
    /* Nothing is committed of a call that only rings: the same answer as for no call (E39). */
    assert_int_equal(zr_qualify(world.carrier, &qualify, &reply), ZR_STATUS_NOT_FOUND);
    (void)world_connect(&world, &routed);
    (void)server_advance(&world.server, 30000);
    assert_int_equal(zr_qualify(world.carrier, &qualify, &reply), 0);
    assert_int_equal(reply.state, ZR_CALL_CONNECTED);
    assert_int_equal(reply.amount_cents, 0);
    qualify.talk_ms = 30000;
    assert_int_equal(zr_qualify(world.carrier, &qualify, &reply), 0);
    assert_int_equal(reply.state, ZR_CALL_QUALIFIED);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(spent(held.contractors[0]), WORLD_RATE);
    assert_int_equal(zr_qualify(world.carrier, &qualify, &reply), 0);
    /* QUALIFY, then a shorter END: the charge stays. */
    reply = world_end(&world, &call_id, 10000);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(reply.amount_cents, WORLD_RATE);
    assert_int_equal(spent(held.contractors[0]), WORLD_RATE);
}

/* ---- END in all orders ----------------------------------------------------------------------- */

static void
test_e44_end_before_connect_settles_once(void **state)
{
    struct held held;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_end_request end;
    struct zr_settlement_reply settled;
    struct zr_connect_reply connected;
    struct zr_connect_request connect;
    const uint64_t answered_ms = world_advance(&world, 0) + 2000;

    (void)state;
    held_make(&held);
    routed = world_call(&world, held.slot, &call_id);
    (void)server_advance(&world.server, 62000);
    end = end_with_ticket(&call_id, &routed, 0, 60000);
    end.answered_at_ms = answered_ms;
    assert_int_equal(zr_end(world.carrier, &end, &settled), 0);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(settled.amount_cents, WORLD_RATE);
    connect = world_connect_request(&routed);
    connect.answered_at_ms = answered_ms;
    assert_int_equal(zr_connect(world.carrier, &connect, &connected), 0);
    assert_int_equal(connected.state, ZR_CALL_ENDED);
    assert_int_equal(connected.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(connected.hold_cents, 0);
    assert_int_equal(world_wallet(&world, held.contractors[0]).held_cents, 0);
    assert_int_equal(spent(held.contractors[0]), WORLD_RATE);
}

static void
test_e46_an_end_with_other_seconds_gets_the_stored_settlement(void **state)
{
    struct held held;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_end_request end;
    struct zr_settlement_reply first;
    struct zr_settlement_reply again;
    struct zr_call_info info;

    (void)state;
    held_make(&held);
    routed = world_call(&world, held.slot, &call_id);
    (void)world_connect(&world, &routed);
    memset(&first, 0, sizeof first);
    (void)server_advance(&world.server, 60000);
    end = end_with_ticket(&call_id, &routed, 0, 60000);
    assert_int_equal(zr_end(world.carrier, &end, &first), 0);
    /* The same again: byte for byte, and DUPLICATE. */
    memset(&again, 0, sizeof again);
    assert_int_equal(zr_call(world.carrier, ZR_OP_END, &end, &again, 0, &info), 0);
    assert_true(info.duplicate);
    assert_memory_equal(&again, &first, sizeof first);
    /* Other seconds that give the same settlement contradict nothing. */
    end.talk_ms = 45000;
    assert_int_equal(zr_end(world.carrier, &end, &again), 0);
    assert_int_equal(again.amount_cents, first.amount_cents);
    assert_int_equal(again.talk_ms, 60000);
    /* These would have been free. */
    end.talk_ms = 5000;
    assert_int_equal(zr_end(world.carrier, &end, &again), ZR_STATUS_SETTLEMENT_FINAL);
    assert_int_equal(again.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(again.amount_cents, WORLD_RATE);
    assert_int_equal(spent(held.contractors[0]), WORLD_RATE);
}

/* I9: FREE_* is final and never re-opened. */
static void
test_e46_a_free_leg_stays_free(void **state)
{
    struct held held;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_end_request end;
    struct zr_settlement_reply again;

    (void)state;
    held_make(&held);
    routed = world_call(&world, held.slot, &call_id);
    (void)world_connect(&world, &routed);
    (void)server_advance(&world.server, 60000);
    assert_int_equal(world_end(&world, &call_id, 1000).settlement, ZR_SETTLEMENT_FREE_SHORT);
    end = end_with_ticket(&call_id, &routed, 0, 60000);
    assert_int_equal(zr_end(world.carrier, &end, &again), ZR_STATUS_SETTLEMENT_FINAL);
    assert_int_equal(again.settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(spent(held.contractors[0]), 0);
}

/* ---- two legs -------------------------------------------------------------------------------- */

/* End the first leg after `talk_ms`, the caller stays; ring, connect and end the backup at 60 s. */
static void
two_legs(const struct held *held, uint32_t talk_ms, struct zr_settlement_reply legs[2])
{
    struct zr_id call_id;
    struct zr_route_reply routed = world_call(&world, held->slot, &call_id);
    struct zr_end_request end = world_end_request(&call_id, talk_ms);
    struct zr_route_next_request next;
    struct zr_route_reply second;

    (void)world_connect(&world, &routed);
    (void)server_advance(&world.server, talk_ms);
    end.caller_stays = true;
    end.who_hung_up = ZR_HUNG_UP_CONTRACTOR;
    assert_int_equal(zr_end(world.carrier, &end, &legs[0]), 0);
    assert_int_equal(legs[0].state, ZR_CALL_RINGING);
    next = world_next_request(&routed, ZR_OUTCOME_DECLINED);
    assert_int_equal(zr_route_next(world.carrier, &next, &second), 0);
    assert_int_equal(second.candidates[0].contractor, held->contractors[1]);
    (void)world_connect(&world, &second);
    legs[1] = world_end(&world, &call_id, 60000);
}

static void
test_e47_after_a_short_leg_only_the_second_pays(void **state)
{
    struct held held;
    struct zr_settlement_reply legs[2];

    (void)state;
    held_make(&held);
    two_legs(&held, 5000, legs);
    assert_int_equal(legs[0].settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(legs[1].settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(legs[1].amount_cents, WORLD_RATE_2);
    assert_int_equal(spent(held.contractors[0]), 0);
    assert_int_equal(spent(held.contractors[1]), WORLD_RATE_2);
}

static void
test_e48_r66_only_the_first_qualified_leg_is_charged(void **state)
{
    struct held held;
    struct zr_settlement_reply legs[2];

    (void)state;
    held_make(&held);
    two_legs(&held, 40000, legs);
    assert_int_equal(legs[0].settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(legs[1].settlement, ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED);
    assert_int_equal(spent(held.contractors[0]), WORLD_RATE);
    assert_int_equal(spent(held.contractors[1]), 0);
}

static void
test_e74_two_live_calls_of_one_caller_are_charged_once(void **state)
{
    struct held held;
    struct zr_route_request requests[2];
    struct zr_route_reply routed[2];
    struct zr_settlement_reply settled;

    (void)state;
    held_make(&held);
    for (int i = 0; i < 2; i++) {
        requests[i] = world_route_request(&world, held.slot);
        requests[i].caller = requests[0].caller;
        assert_int_equal(world_route(&world, &requests[i], &routed[i]), 0);
        assert_int_equal(routed[i].candidates[0].contractor, held.contractors[0]);
    }
    (void)world_connect(&world, &routed[0]);
    (void)world_connect(&world, &routed[1]);
    settled = world_end(&world, &requests[1].call_id, 40000);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_CHARGED);
    settled = world_end(&world, &requests[0].call_id, 60000);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
    assert_int_equal(settled.amount_cents, 0);
    assert_int_equal(spent(held.contractors[0]), WORLD_RATE);
}

/* ---- voicemail ------------------------------------------------------------------------------- */

static void
test_e36_voicemail_is_free_after_connect_and_credited_after_qualify(void **state)
{
    struct held held;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_end_request end;
    struct zr_settlement_reply settled;
    struct zr_qualify_request qualify = {.talk_ms = 30000};

    (void)state;
    held_make(&held);
    routed = world_call(&world, held.slot, &call_id);
    (void)world_connect(&world, &routed);
    (void)server_advance(&world.server, 60000);
    end = world_end_request(&call_id, 60000);
    end.voicemail = true;
    assert_int_equal(zr_end(world.carrier, &end, &settled), 0);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_FREE_VOICEMAIL);
    assert_int_equal(spent(held.contractors[0]), 0);
    /* After QUALIFY: the charge stays, with a full automatic credit. */
    routed = world_call(&world, held.slot, &call_id);
    (void)world_connect(&world, &routed);
    (void)server_advance(&world.server, 30000);
    qualify.call_id = call_id;
    assert_int_equal(zr_qualify(world.carrier, &qualify, &settled), 0);
    assert_int_equal(spent(held.contractors[0]), WORLD_RATE);
    end = world_end_request(&call_id, 12000);
    end.voicemail = true;
    assert_int_equal(zr_end(world.carrier, &end, &settled), 0);
    assert_int_equal(settled.settlement, ZR_SETTLEMENT_CREDITED);
    assert_int_equal(spent(held.contractors[0]), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e35_the_first_connect_wins),
        cmocka_unit_test(test_e43_five_connects_from_three_nodes_are_one),
        cmocka_unit_test(test_e43_a_repeated_connect_takes_one_unit),
        cmocka_unit_test(test_e71_a_crash_between_two_tickets_leaves_one_hold),
        cmocka_unit_test(test_e45_thirty_seconds_and_not_a_millisecond_less),
        cmocka_unit_test(test_m4_talk_beyond_the_tickets_age_is_cut),
        cmocka_unit_test(test_qualify_charges_when_it_is_due_and_only_once),
        cmocka_unit_test(test_e44_end_before_connect_settles_once),
        cmocka_unit_test(test_e46_an_end_with_other_seconds_gets_the_stored_settlement),
        cmocka_unit_test(test_e46_a_free_leg_stays_free),
        cmocka_unit_test(test_e47_after_a_short_leg_only_the_second_pays),
        cmocka_unit_test(test_e48_r66_only_the_first_qualified_leg_is_charged),
        cmocka_unit_test(test_e74_two_live_calls_of_one_caller_are_charged_once),
        cmocka_unit_test(test_e36_voicemail_is_free_after_connect_and_credited_after_qualify),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
