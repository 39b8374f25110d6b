/*
 * test_calls_connect.c - CONNECT and END: who wins a call, once, and what is too late.
 *
 * Holds E34, E35, E43, E44, E45, E46, E47, E48 of domain.md M7. The clock moves by
 * CLOCK_ADVANCE only. E38 is in test_calls_late.c.
 */
#include "tests/integration/calls.h"

/* ---- E34: how an attempt may end ------------------------------------------------------------ */

static void
test_e34_every_outcome_but_the_callers_cancel_rings_the_next(void **state)
{
    /* 603, 486, 408 or 480 or the 487 of our own CANCEL, 3xx, a machine, 500-504. */
    static const uint8_t outcomes[] = {ZR_OUTCOME_DECLINED,  ZR_OUTCOME_BUSY,
                                       ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_FORWARDED,
                                       ZR_OUTCOME_VOICEMAIL, ZR_OUTCOME_FAILED};
    const struct pair pair = pair_make(1, FUNDS);

    (void)state;
    for (size_t i = 0; i < sizeof outcomes; i++) {
        struct zr_id call_id;
        const struct zr_route_reply first = world_call(&world, pair.slot, &call_id);
        struct zr_route_reply second;
        struct zr_route_reply none;

        assert_int_equal(first.candidates[0].contractor, pair.primary);
        second = next_rings(&first, outcomes[i], pair.backup);
        assert_int_equal(second.attempt, 1);
        assert_int_equal(second.candidates[0].index, 1);
        assert_int_equal(second.candidates[0].rank, 2);
        assert_int_equal(second.candidates[0].rate_cents, WORLD_RATE_2);
        assert_int_equal(reasons_of(&second, pair.primary), REASON_ALREADY_TRIED);
        assert_int_equal(next(&second, outcomes[i], &none), ZR_STATUS_EXHAUSTED);
        assert_int_equal(none.candidates_count, 0);
        assert_call_unknown(&call_id); /* Nothing was committed: nobody answered. */
    }
    assert_charged_never(pair.primary);
    assert_charged_never(pair.backup);
}

static void
test_e34_the_callers_cancel_stops_the_cascade(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply routed;
    struct zr_route_reply reply;

    (void)state;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    assert_int_equal(next(&routed, ZR_OUTCOME_CALLER_CANCELLED, &reply), ZR_STATUS_ABANDONED);
    assert_int_equal(reply.candidates_count, 0);
    assert_int_equal(next(&routed, ZR_OUTCOME_NO_ANSWER, &reply), ZR_STATUS_ABANDONED);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_ABANDONED);
    /* His lease ended with the call: the next caller rings him at once. */
    reply = world_call(&world, pair.slot, NULL);
    assert_int_equal(reply.candidates[0].contractor, pair.primary);
    assert_charged_never(pair.primary);
    assert_charged_never(pair.backup);
}

/* The durable way: END without an index while it rings (M4). */
static void
test_e34_an_end_without_index_abandons_the_call_for_good(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_end_request end = world_end_request(&request.call_id, 0);
    struct zr_route_reply routed;
    struct zr_settlement_reply ended;
    struct zr_settlement_reply again;
    struct zr_connect_reply connected;
    struct zr_route_reply reply;
    struct zr_call_get_reply call;
    bool duplicate;

    (void)state;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    end.ticket_length = routed.ticket_length;
    memcpy(end.ticket, routed.ticket, sizeof end.ticket);
    assert_int_equal(end_again(&end, &ended, &duplicate), 0);
    assert_false(duplicate);
    assert_int_equal(ended.state, ZR_CALL_ABANDONED);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_NONE);
    assert_int_equal(ended.contractor, 0);
    assert_int_equal(ended.amount_cents, 0);
    assert_int_equal(ended.commit_seq, log_position());
    (void)world_contractor(&world, 1, FUNDS); /* The log goes on. */
    assert_int_equal(end_again(&end, &again, &duplicate), 0);
    assert_true(duplicate);
    assert_memory_equal(&again, &ended, sizeof again);
    assert_int_equal(connect_ask(&routed, &connected), ZR_STATUS_ABANDONED);
    assert_int_equal(next(&routed, ZR_OUTCOME_NO_ANSWER, &reply), ZR_STATUS_ABANDONED);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_ABANDONED);
    server_kill(&world.server); /* Without memory the row says the same. */
    server_restart(&world.server);
    world_reconnect(&world);
    assert_int_equal(next(&routed, ZR_OUTCOME_NO_ANSWER, &reply), ZR_STATUS_ABANDONED);
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_ABANDONED);
    call = world_call_get(&world, &request.call_id);
    assert_int_equal(call.state, ZR_CALL_ABANDONED);
    assert_int_equal(call.legs_count, 0);
    reply = world_call(&world, pair.slot, NULL);
    assert_int_equal(reply.candidates[0].contractor, pair.primary);
    assert_charged_never(pair.primary);
}

/* ---- E35: two answers ------------------------------------------------------------------------ */

/* The primary rang out after 30 s, the backup rings, and two seconds later both have answered. */
struct race {
    struct pair pair;
    struct zr_id call_id;
    struct zr_route_reply tickets[2]; /* Of the primary, of the backup. */
    uint32_t contractors[2];
};

static struct race
race_make(void)
{
    struct race race = {.pair = pair_make(1, FUNDS)};

    race.contractors[0] = race.pair.primary;
    race.contractors[1] = race.pair.backup;
    race.tickets[0] = world_call(&world, race.pair.slot, &race.call_id);
    (void)server_advance(&world.server, RING_MS);
    race.tickets[1] = next_rings(&race.tickets[0], ZR_OUTCOME_NO_ANSWER, race.pair.backup);
    (void)server_advance(&world.server, 2000);
    return race;
}

/* One hold while it lasts; END 60 s charges the winner at his own ticket's rate. */
static void
race_judge(const struct race *race, int winner)
{
    static const int64_t rates[2] = {WORLD_RATE, WORLD_RATE_2};
    const uint32_t winner_number = race->contractors[winner];
    struct zr_call_get_reply call = world_call_get(&world, &race->call_id);
    struct zr_settlement_reply ended;

    assert_int_equal(call.state, ZR_CALL_CONNECTED);
    assert_int_equal(call.legs_count, 1);
    assert_int_equal(call.legs[0].contractor, winner_number);
    assert_int_equal(call.legs[0].index, winner);
    assert_wallet(winner_number, FUNDS, rates[winner]);
    assert_charged_never(race->contractors[1 - winner]);
    ended = world_end(&world, &race->call_id, MINUTE_MS);
    assert_int_equal(ended.contractor, winner_number);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(ended.amount_cents, rates[winner]);
    assert_charged_once(winner_number, rates[winner]);
    assert_charged_never(race->contractors[1 - winner]);
    call = world_call_get(&world, &race->call_id);
    assert_int_equal(call.legs_count, 1);
}

static void
test_e35_the_first_connect_wins_whoever_it_is(void **state)
{
    (void)state;
    for (int winner = 0; winner < 2; winner++) {
        const struct race race = race_make();
        struct zr_connect_reply reply;

        assert_int_equal(connect_ask(&race.tickets[winner], &reply), 0);
        assert_int_equal(reply.contractor, race.contractors[winner]);
        assert_int_equal(connect_ask(&race.tickets[1 - winner], &reply),
                         ZR_STATUS_ALREADY_CONNECTED);
        assert_int_equal(reply.contractor, race.contractors[winner]);
        race_judge(&race, winner);
        /* After the end the winner is still named. */
        assert_int_equal(connect_ask(&race.tickets[1 - winner], &reply),
                         ZR_STATUS_ALREADY_CONNECTED);
        assert_int_equal(reply.contractor, race.contractors[winner]);
    }
}

static void
test_e35_two_connects_at_once_have_one_winner(void **state)
{
    struct zr_client *switches[2] = {server_client_ready(&world.server, "switch"),
                                     server_client_ready(&world.server, "switch")};

    (void)state;
    for (int round = 0; round < 8; round++) {
        const struct race race = race_make();
        struct zr_connect_reply replies[2] = {{.hold_cents = 0}};
        struct answer answers[2] = {{.reply = &replies[0]}, {.reply = &replies[1]}};
        int winner;

        for (int i = 0; i < 2; i++) {
            const int first = round & 1; /* Which of them is handed over first. */
            const struct zr_connect_request request =
                world_connect_request(&race.tickets[i ^ first]);

            submit(switches[i ^ first], ZR_OP_CONNECT, &request, &answers[i ^ first]);
        }
        drive(switches, 2);
        winner = answers[0].result == 0 ? 0 : 1;
        assert_int_equal(answers[winner].result, 0);
        assert_int_equal(answers[1 - winner].result, ZR_STATUS_ALREADY_CONNECTED);
        assert_int_equal(replies[1 - winner].contractor, race.contractors[winner]);
        race_judge(&race, winner);
    }
    zr_client_close(switches[0]);
    zr_client_close(switches[1]);
}

/* ---- E43, E44: repeated and reordered -------------------------------------------------------- */

static void
test_e43_five_connects_from_three_nodes_are_one(void **state)
{
    enum { TIMES = 5, NODES = 3 };
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, pair.slot, &call_id);
    const struct zr_connect_request request = world_connect_request(&routed);
    struct zr_client *nodes[NODES];
    struct zr_connect_reply replies[TIMES];
    struct answer answers[TIMES];
    struct zr_route_reply other;
    int duplicates = 0;

    (void)state;
    memset(replies, 0, sizeof replies);
    for (int i = 0; i < NODES; i++) {
        nodes[i] = server_client_ready(&world.server, i == 0 ? "callcenter" : "switch");
    }
    for (int i = 0; i < TIMES; i++) {
        answers[i].reply = &replies[i];
        submit(nodes[i % NODES], ZR_OP_CONNECT, &request, &answers[i]);
    }
    drive(nodes, NODES);
    for (int i = 0; i < TIMES; i++) {
        assert_int_equal(answers[i].result, 0);
        assert_memory_equal(&replies[i], &replies[0], sizeof replies[0]);
        duplicates += answers[i].duplicate;
    }
    assert_int_equal(duplicates, TIMES - 1);
    assert_int_equal(replies[0].hold_cents, WORLD_RATE);
    assert_int_equal(replies[0].state, ZR_CALL_CONNECTED);
    assert_int_equal(replies[0].settlement, ZR_SETTLEMENT_OPEN);
    assert_wallet(pair.primary, FUNDS, WORLD_RATE);
    assert_leg(&call_id, pair.primary, ZR_SETTLEMENT_OPEN, 0);
    /* One concurrency unit: the one truck is out, and one END brings it back. */
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.backup);
    assert_int_equal(reasons_of(&other, pair.primary), REASON_AT_CONCURRENCY);
    (void)world_end(&world, &call_id, MINUTE_MS);
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.primary);
    assert_charged_once(pair.primary, WORLD_RATE);
    for (int i = 0; i < NODES; i++) {
        zr_client_close(nodes[i]);
    }
}

/* With room for two, five CONNECTs of one call leave room for one more. */
static void
test_e43_a_repeated_connect_takes_one_unit_of_two(void **state)
{
    const struct pair pair = pair_make(2, FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, pair.slot, &call_id);
    struct zr_connect_reply reply;
    struct zr_route_reply other;

    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(connect_ask(&routed, &reply), 0);
    }
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.primary);
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.backup);
    assert_int_equal(reasons_of(&other, pair.primary), REASON_AT_CONCURRENCY);
    assert_wallet(pair.primary, FUNDS, WORLD_RATE);
    (void)world_end(&world, &call_id, TALK_SHORT_MS);
    /* A CONNECT after END: the final state, and nothing is held again. */
    assert_int_equal(connect_ask(&routed, &reply), 0);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(reply.state, ZR_CALL_ENDED);
    assert_int_equal(reply.hold_cents, 0);
    assert_charged_never(pair.primary);
}

static void
test_e44_an_end_before_its_connect_settles_once(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, pair.slot, &call_id);
    const uint64_t answered_at_ms = server_advance(&world.server, TALK_SHORT_MS);
    struct zr_end_request end = world_end_request(&call_id, MINUTE_MS);
    struct zr_settlement_reply ended;
    struct zr_settlement_reply again;
    struct zr_connect_reply connected;
    struct zr_route_reply other;
    struct zr_call_get_reply call;
    bool duplicate;

    (void)state;
    (void)server_advance(&world.server, MINUTE_MS);
    end.index = routed.attempt;
    end.answered_at_ms = answered_at_ms;
    end.ticket_length = routed.ticket_length;
    memcpy(end.ticket, routed.ticket, sizeof end.ticket);
    memset(&ended, 0, sizeof ended);
    assert_int_equal(zr_end(world.carrier, &end, &ended), 0);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(ended.state, ZR_CALL_ENDED);
    assert_int_equal(ended.amount_cents, WORLD_RATE);
    assert_int_equal(ended.contractor, pair.primary);
    assert_int_equal(ended.talk_ms, MINUTE_MS);
    assert_charged_once(pair.primary, WORLD_RATE);

    assert_int_equal(connect_ask(&routed, &connected), 0);
    assert_int_equal(connected.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(connected.state, ZR_CALL_ENDED);
    assert_int_equal(connected.amount_cents, WORLD_RATE);
    assert_int_equal(connected.hold_cents, 0);
    assert_int_equal(end_again(&end, &again, &duplicate), 0);
    assert_true(duplicate);
    assert_memory_equal(&again, &ended, sizeof ended);
    assert_charged_once(pair.primary, WORLD_RATE);

    call = world_call_get(&world, &call_id);
    assert_int_equal(call.legs_count, 1);
    assert_int_equal(call.legs[0].connected_ms, 0);
    assert_int_equal(call.legs[0].answered_at_ms, answered_at_ms);
    assert_int_not_equal(call.legs[0].ended_ms, 0);
    /* Neither took a unit. */
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.primary);
}

/* ---- E45, E46: seconds ------------------------------------------------------------------------
 */

static void
test_e45_thirty_seconds_are_charged_and_not_a_millisecond_less(void **state)
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

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct pair pair = pair_make(1, FUNDS);
        struct zr_id call_id;
        const struct zr_route_reply routed = world_call(&world, pair.slot, &call_id);
        struct zr_settlement_reply ended;

        (void)world_connect(&world, &routed);
        assert_wallet(pair.primary, FUNDS, WORLD_RATE);
        ended = world_end(&world, &call_id, rows[i].talk_ms);
        assert_int_equal(ended.settlement, rows[i].settlement);
        assert_int_equal(ended.talk_ms, rows[i].talk_ms);
        assert_int_equal(ended.amount_cents, rows[i].cents);
        assert_false(ended.flagged);
        assert_leg(&call_id, pair.primary, rows[i].settlement, rows[i].cents);
        assert_wallet(pair.primary, FUNDS - rows[i].cents, 0);
        assert_charges(pair.primary, &rows[i].cents, rows[i].cents != 0 ? 1 : 0);
    }
}

static void
test_e46_a_repeated_end_gets_the_stored_settlement(void **state)
{
    static const struct {
        uint32_t first_ms; /* What settled it. */
        uint32_t again_ms; /* What the repeat says. */
        bool voicemail;    /* Only the repeat. */
        bool contradicts;
    } rows[] = {
        {60000, 60000, false, false}, {60000, 45000, false, false}, {60000, 90000, false, false},
        {60000, 30000, false, false}, {60000, 29999, false, true},  {60000, 60000, true, true},
        {5000, 5000, false, false},   {5000, 29999, false, false},  {5000, 30000, false, true},
        {5000, 5000, true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct pair pair = pair_make(1, FUNDS);
        struct zr_id call_id;
        const struct zr_route_reply routed = world_call(&world, pair.slot, &call_id);
        struct zr_end_request request = world_end_request(&call_id, rows[i].first_ms);
        struct zr_settlement_reply ended;
        struct zr_settlement_reply again;
        uint64_t position;
        bool duplicate;
        int result;

        /* A minute passed, whatever the switch says of it: no report is cut to less (M4). */
        (void)world_connect(&world, &routed);
        (void)server_advance(&world.server, MINUTE_MS);
        assert_int_equal(end_again(&request, &ended, &duplicate), 0);
        position = log_position();
        request.talk_ms = rows[i].again_ms;
        request.voicemail = rows[i].voicemail;
        result = end_again(&request, &again, &duplicate);
        assert_int_equal(result, rows[i].contradicts ? ZR_STATUS_SETTLEMENT_FINAL : 0);
        assert_int_equal(duplicate, !rows[i].contradicts);
        assert_int_equal(again.settlement, ended.settlement);
        assert_int_equal(again.amount_cents, ended.amount_cents);
        assert_int_equal(again.talk_ms, rows[i].first_ms);
        assert_int_equal(again.commit_seq, ended.commit_seq);
        assert_int_equal(again.state, ZR_CALL_ENDED);
        /* The mismatch is journaled; a plain repeat is not. */
        assert_int_equal(log_position() - position, rows[i].contradicts);
        if (rows[i].first_ms >= RING_MS) {
            assert_charged_once(pair.primary, WORLD_RATE);
        } else {
            assert_charged_never(pair.primary);
        }
    }
}

/* ---- E47, E48: the caller stays ------------------------------------------------------------- */

static void
test_e47_after_a_short_answer_the_cascade_goes_on(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply first = world_call(&world, pair.slot, &call_id);
    struct zr_settlement_reply ended;
    struct zr_route_reply second;
    struct zr_call_get_reply call;

    (void)state;
    (void)world_connect(&world, &first);
    ended = end_caller_stays(&call_id, TALK_SHORT_MS);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(ended.state, ZR_CALL_RINGING);
    assert_charged_never(pair.primary);
    second = next_rings(&first, ZR_OUTCOME_FAILED, pair.backup);
    assert_int_equal(reasons_of(&second, pair.primary), REASON_ALREADY_TRIED);
    (void)world_connect(&world, &second);
    assert_wallet(pair.backup, FUNDS, WORLD_RATE_2);
    ended = world_end(&world, &call_id, MINUTE_MS);
    assert_int_equal(ended.contractor, pair.backup);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(ended.state, ZR_CALL_ENDED);
    call = world_call_get(&world, &call_id);
    assert_int_equal(call.legs_count, 2);
    assert_leg(&call_id, pair.primary, ZR_SETTLEMENT_FREE_SHORT, 0);
    assert_leg(&call_id, pair.backup, ZR_SETTLEMENT_CHARGED, WORLD_RATE_2);
    assert_charged_never(pair.primary);
    assert_charged_once(pair.backup, WORLD_RATE_2);
}

static void
test_e48_a_transferred_call_is_charged_to_the_first_that_qualified(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply first = world_call(&world, pair.slot, &call_id);
    struct zr_settlement_reply ended;
    struct zr_connect_reply connected;
    struct zr_route_reply second;

    (void)state;
    (void)world_connect(&world, &first);
    ended = end_caller_stays(&call_id, 40000);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(ended.state, ZR_CALL_RINGING);
    second = next_rings(&first, ZR_OUTCOME_FAILED, pair.backup);
    connected = world_connect(&world, &second);
    /* Already charged: the next leg holds nothing and is free (M4). */
    assert_int_equal(connected.hold_cents, 0);
    assert_charged_never(pair.backup);
    ended = world_end(&world, &call_id, MINUTE_MS);
    assert_int_equal(ended.contractor, pair.backup);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED);
    assert_int_equal(ended.amount_cents, 0);
    assert_leg(&call_id, pair.primary, ZR_SETTLEMENT_CHARGED, WORLD_RATE);
    assert_leg(&call_id, pair.backup, ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED, 0);
    assert_charged_once(pair.primary, WORLD_RATE);
    assert_charged_never(pair.backup);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_e34_every_outcome_but_the_callers_cancel_rings_the_next),
        CASE(test_e34_the_callers_cancel_stops_the_cascade),
        CASE(test_e34_an_end_without_index_abandons_the_call_for_good),
        CASE(test_e35_the_first_connect_wins_whoever_it_is),
        CASE(test_e35_two_connects_at_once_have_one_winner),
        CASE(test_e43_five_connects_from_three_nodes_are_one),
        CASE(test_e43_a_repeated_connect_takes_one_unit_of_two),
        CASE(test_e44_an_end_before_its_connect_settles_once),
        CASE(test_e45_thirty_seconds_are_charged_and_not_a_millisecond_less),
        CASE(test_e46_a_repeated_end_gets_the_stored_settlement),
        CASE(test_e47_after_a_short_answer_the_cascade_goes_on),
        CASE(test_e48_a_transferred_call_is_charged_to_the_first_that_qualified),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
