/*
 * test_calls_order.c - a request of the call path that breaks two rules gets the upper row of
 * outcomes.def, and a repeat its own answer before any of them.
 *
 * That order is contract (PROTOCOL.md "Statuses"). The clock moves by CLOCK_ADVANCE only.
 */
#include "tests/integration/calls.h"

static void
suppress(uint64_t caller)
{
    const struct zr_suppress_put_request request = {.caller = caller, .blocked = true};
    struct zr_put_reply reply;

    assert_int_equal(zr_suppress_put(world.admin, &request, &reply), 0);
}

/* ---- ROUTE: places, BLOCKED, the call, coverage -----------------------------------------------
 */

/* E40: whom the network refuses is BLOCKED, whatever became of his call; nobody covers him either.
 */
static void
test_blocked_stands_behind_the_places_and_before_the_rest(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct world_slot nobody = world_slot(&world);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply reply;

    (void)state;
    assert_int_equal(world_route(&world, &request, &reply), 0);
    (void)world_connect(&world, &reply);
    suppress(request.caller);
    /* The call talks: still it is his caller whom the network refuses, and nothing is ended. */
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_BLOCKED);
    assert_int_equal(world_end(&world, &request.call_id, MINUTE_MS).amount_cents, WORLD_RATE);

    request.call_id = world_id(&world);
    request.category = nobody.category;
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_BLOCKED);
    request.category = pair.slot.category;
    request.zips[1] = WORLD_BOSTON;
    request.zips_count = 2;
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NEED_ADDRESS);
    request.zips[1] = WORLD_UNKNOWN;
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_UNKNOWN_ZIP);
}

/* The same ROUTE again gets that ticket, flagged DUPLICATE. */
static void
assert_repeats(struct zr_client *client, const struct zr_route_request *request,
               const struct zr_route_reply *routed)
{
    struct zr_route_reply again = {0};
    struct zr_call_info info = {0};

    assert_int_equal(zr_call(client, ZR_OP_ROUTE, request, &again, 0, &info), 0);
    assert_true(info.duplicate);
    assert_int_equal(again.ticket_length, routed->ticket_length);
    assert_memory_equal(again.ticket, routed->ticket, routed->ticket_length);
}

/* E31: a repeat is answered before any rule: what changed since then is of other calls. After a
 * ROUTE_NEXT it is the newest ticket, for who was rung is not offered again (R35). */
static void
test_e31_a_repeat_comes_before_every_rule(void **state)
{
    const uint32_t primary = world_contractor(&world, 1, FUNDS);
    const uint32_t backup = world_contractor(&world, 1, FUNDS);
    struct world_slot slot = world_slot(&world);
    struct zr_route_request request = world_route_request(&world, slot);
    struct zr_route_reply first;
    struct zr_route_reply second;
    struct zr_route_reply reply;

    (void)state;
    (void)world_claim(&world, primary, slot);
    (void)world_claim(&world, backup, slot);
    slot.zip = slot.zip == WORLD_BOSTON ? WORLD_CHICAGO : WORLD_BOSTON;
    (void)world_claim(&world, primary, slot);
    (void)world_claim(&world, backup, slot);
    request.zips[1] = slot.zip;
    request.zips_count = 2;
    /* R41: both ZIPs lead to the same contractors. */
    assert_int_equal(world_route(&world, &request, &first), 0);
    (void)world_claim(&world, world_contractor(&world, 1, FUNDS), slot);
    assert_repeats(world.carrier, &request, &first);
    suppress(request.caller);
    assert_repeats(world.carrier, &request, &first);
    second = next_rings(&first, ZR_OUTCOME_BUSY, backup);
    assert_repeats(world.carrier, &request, &second);
    request.want = 2; /* Another question. */
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NEED_ADDRESS);
    request.zips[1] = 0;
    request.zips_count = 1;
    assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_BLOCKED);
}

/* R18: what a CALLCENTER says of its screening is news, though a SWITCH had said it word for word.
 */
static void
test_r18_a_callcenters_screening_is_no_repeat(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_policy policy = world_policy(&world, pair.slot);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply bare;
    struct zr_route_reply screened;
    struct zr_settlement_reply ended;

    (void)state;
    request.screening = 7;
    assert_int_equal(world_route(&world, &request, &bare), 0);
    assert_repeats(world.carrier, &request, &bare);
    assert_int_equal(zr_route(world.callcenter, &request, &screened), 0);
    assert_int_equal(screened.revision, bare.revision + 1);
    assert_repeats(world.callcenter, &request, &screened);
    assert_repeats(world.carrier, &request, &screened);
    policy.screening_required = 1;
    world_policy_put(&world, pair.slot, &policy);
    ended = talk(&screened, &request.call_id, MINUTE_MS);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
}

/* ---- CONNECT, ROUTE_NEXT: the ticket, then the call -------------------------------------------
 */

/* A call whose address was corrected while it rang: two tickets of two revisions (E32, M6). */
struct corrected {
    struct zr_route_request request; /* Of the newer. */
    struct zr_route_reply older;
    struct zr_route_reply newer;
    uint32_t contractors[2]; /* Of the older, of the newer. */
};

static struct corrected
corrected_make(uint64_t between_ms)
{
    struct corrected corrected = {
        .contractors = {world_contractor(&world, 1, FUNDS), world_contractor(&world, 1, FUNDS)}};
    struct world_slot slot = world_slot(&world);

    (void)world_claim(&world, corrected.contractors[0], slot);
    corrected.request = world_route_request(&world, slot);
    slot.zip = slot.zip == WORLD_BOSTON ? WORLD_CHICAGO : WORLD_BOSTON;
    (void)world_claim(&world, corrected.contractors[1], slot);
    assert_int_equal(world_route(&world, &corrected.request, &corrected.older), 0);
    (void)server_advance(&world.server, between_ms);
    corrected.request.zips[0] = slot.zip;
    assert_int_equal(world_route(&world, &corrected.request, &corrected.newer), 0);
    assert_int_equal(corrected.newer.revision, 1);
    assert_int_equal(corrected.newer.candidates[0].contractor, corrected.contractors[1]);
    return corrected;
}

static int
connect_at(const struct zr_route_reply *routed, uint64_t answered_at_ms,
           struct zr_connect_reply *reply)
{
    struct zr_connect_request request = world_connect_request(routed);

    request.answered_at_ms = answered_at_ms;
    memset(reply, 0, sizeof *reply);
    return zr_connect(world.carrier, &request, reply);
}

/* M6: fields, the ticket's life, then that a newer one replaced it; then who has the call (E35). */
static void
test_a_superseded_ticket_may_be_expired_too(void **state)
{
    const struct corrected corrected = corrected_make(MINUTE_MS);
    const uint64_t rung_ms = corrected.older.expires_ms - 2 * UINT64_C(60000);
    const uint64_t now_ms = server_advance(&world.server, 2 * MINUTE_MS + 1000);
    struct zr_connect_reply reply;
    struct zr_route_reply none;

    (void)state;
    assert_true(now_ms >= corrected.older.expires_ms);
    assert_true(now_ms < corrected.newer.expires_ms);
    for (int connected = 0; connected <= 1; connected++) {
        assert_int_equal(connect_at(&corrected.older, now_ms + 60000, &reply),
                         ZR_STATUS_INVALID_FIELD);
        assert_int_equal(connect_at(&corrected.older, 0, &reply), ZR_STATUS_TICKET_EXPIRED);
        assert_int_equal(connect_at(&corrected.older, rung_ms, &reply),
                         ZR_STATUS_TICKET_SUPERSEDED);
        assert_int_equal(next(&corrected.older, ZR_OUTCOME_BUSY, &none), ZR_STATUS_TICKET_EXPIRED);
        if (connected == 0) {
            (void)world_connect(&world, &corrected.newer);
        }
    }
    assert_charged_never(corrected.contractors[0]);
    (void)world_end(&world, &corrected.request.call_id, 1000);
}

/* M6: the memory says so, and after a restart the call's row. */
static void
test_a_superseded_ticket_comes_before_the_calls_state(void **state)
{
    const struct corrected corrected = corrected_make(1000);
    struct zr_connect_reply reply;
    struct zr_route_reply none;

    (void)state;
    (void)world_connect(&world, &corrected.newer);
    for (int restarted = 0; restarted <= 1; restarted++) {
        assert_int_equal(connect_ask(&corrected.older, &reply), ZR_STATUS_TICKET_SUPERSEDED);
        assert_int_equal(next(&corrected.older, ZR_OUTCOME_BUSY, &none),
                         ZR_STATUS_TICKET_SUPERSEDED);
        assert_int_equal(next(&corrected.newer, ZR_OUTCOME_BUSY, &none), ZR_STATUS_CALL_CONNECTED);
        if (restarted == 0) {
            server_kill(&world.server);
            server_restart(&world.server);
            world_reconnect(&world);
        }
    }
    (void)world_end(&world, &corrected.request.call_id, 1000);
}

/* E43, E44: the leg's row answers a repeat before its ticket is judged at all. */
static void
test_a_leg_that_is_there_answers_before_the_ticket(void **state)
{
    const struct corrected corrected = corrected_make(1000);
    struct zr_end_request end = world_end_request(&corrected.request.call_id, TALK_SHORT_MS);
    struct zr_settlement_reply ended;
    struct zr_connect_reply reply;

    (void)state;
    /* The older ticket's contractor had answered: another node sends its END. */
    end.index = 0;
    end.answered_at_ms = corrected.newer.expires_ms - 180000;
    end.caller_stays = true;
    end.ticket_length = corrected.older.ticket_length;
    memcpy(end.ticket, corrected.older.ticket, sizeof end.ticket);
    assert_int_equal(zr_end(world.carrier, &end, &ended), 0);
    assert_int_equal(ended.contractor, corrected.contractors[0]);
    assert_int_equal(connect_ask(&corrected.older, &reply), 0);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(reply.contractor, corrected.contractors[0]);
    assert_int_equal(reply.hold_cents, 0);
}

/* M6: his contractor is in the newest ticket too: the older one is good, and an answer from before
 * the newest was made is his all the same. */
static void
test_an_answer_to_the_older_ticket_of_the_same_contractor(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply older;
    struct zr_route_reply newer;
    struct zr_connect_reply reply;
    uint64_t answered_at_ms;

    (void)state;
    assert_int_equal(world_route(&world, &request, &older), 0);
    answered_at_ms = server_advance(&world.server, 1000);
    (void)server_advance(&world.server, 1000);
    request.caller++;
    assert_int_equal(world_route(&world, &request, &newer), 0);
    assert_int_equal(newer.revision, older.revision + 1);
    assert_int_equal(newer.candidates[0].contractor, pair.primary);
    assert_int_equal(connect_at(&older, answered_at_ms, &reply), 0);
    assert_int_equal(reply.contractor, pair.primary);
    assert_int_equal(reply.hold_cents, WORLD_RATE);
    (void)world_end(&world, &request.call_id, 1000);
}

/* R35, E33: who has talked to the caller is not offered to him again: not by a repeat of the
 * question that he was the answer to, nor by an earlier place of a list. The row knows it too. */
static void
test_e33_a_question_from_before_a_leg_is_superseded(void **state)
{
    (void)state;
    for (uint8_t want = 1; want <= 3; want++) {
        const struct pair pair = pair_make(1, FUNDS);
        const uint32_t third = world_contractor(&world, 1, FUNDS);
        struct zr_route_request request = world_route_request(&world, pair.slot);
        struct zr_route_reply first;
        struct zr_route_reply second;
        struct zr_route_reply reply;

        (void)world_claim(&world, third, pair.slot);
        request.want = want;
        assert_int_equal(world_route(&world, &request, &first), 0);
        second = first;
        if (want == 1) {
            second = next_rings(&first, ZR_OUTCOME_BUSY, pair.backup);
        }
        second.attempt = 1; /* The backup answers. */
        (void)world_connect(&world, &second);
        (void)end_caller_stays(&request.call_id, TALK_SHORT_MS);
        assert_int_equal(next_of(&first, 0, &reply), ZR_STATUS_TICKET_SUPERSEDED);
        if (want == 3) {
            server_kill(&world.server);
            server_restart(&world.server);
            world_reconnect(&world);
            assert_int_equal(next_of(&first, 0, &reply), ZR_STATUS_TICKET_SUPERSEDED);
        }
        assert_int_equal(next_of(&second, 1, &reply), 0);
        assert_int_equal(reply.candidates_count, 1);
        assert_int_equal(reply.candidates[0].contractor, third);
    }
}

/* R35, E33: of a list the second talked, and then a leg of the first is told of late: the question
 * of the first stays behind both. */
static void
test_e33_a_late_leg_of_an_earlier_place_moves_nothing_back(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply routed;
    struct zr_route_reply reply;
    struct zr_end_request end;
    struct zr_settlement_reply ended;

    (void)state;
    (void)world_claim(&world, world_contractor(&world, 1, FUNDS), pair.slot);
    request.want = 2;
    assert_int_equal(world_route(&world, &request, &routed), 0);
    routed.attempt = 1; /* The second of the list answers. */
    (void)world_connect(&world, &routed);
    (void)end_caller_stays(&request.call_id, TALK_SHORT_MS);
    end = world_end_request(&request.call_id, TALK_SHORT_MS);
    end.answered_at_ms = server_advance(&world.server, 1000);
    end.index = 0;
    end.caller_stays = true;
    end.ticket_length = routed.ticket_length;
    memcpy(end.ticket, routed.ticket, sizeof end.ticket);
    assert_int_equal(zr_end(world.carrier, &end, &ended), 0);
    assert_int_equal(ended.contractor, pair.primary);
    assert_int_equal(next_of(&routed, 0, &reply), ZR_STATUS_TICKET_SUPERSEDED);
    assert_int_equal(next_of(&routed, 1, &reply), 0);
}

/* END without an index: the caller hung up. */
static int
give_up(const struct zr_id *call_id)
{
    const struct zr_end_request request = world_end_request(call_id, 0);
    struct zr_settlement_reply reply;

    return zr_end(world.carrier, &request, &reply);
}

/* E34: once the caller gave up, that is the answer, with the memory of a leg as without (M6). */
static void
test_e34_a_question_from_before_a_leg_of_an_abandoned_call(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_route_reply first;
    struct zr_route_reply second;
    struct zr_route_reply reply;

    (void)state;
    request.want = 2;
    assert_int_equal(world_route(&world, &request, &first), 0);
    second = first;
    second.attempt = 1; /* The backup answers. */
    (void)world_connect(&world, &second);
    (void)end_caller_stays(&request.call_id, TALK_SHORT_MS);
    assert_int_equal(give_up(&request.call_id), 0);
    for (int restarted = 0; restarted <= 1; restarted++) {
        assert_int_equal(next_of(&first, 0, &reply), ZR_STATUS_ABANDONED);
        if (restarted == 0) {
            server_kill(&world.server);
            server_restart(&world.server);
            world_reconnect(&world);
        }
    }
}

/* M6: who is in the newest ticket connects by an older one at the newest rate, also when ROUTE_NEXT
 * has found nobody since: that gave no newer ticket. */
static void
test_m6_the_newest_ticket_stays_when_nobody_is_left(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_route_request request = world_route_request(&world, pair.slot);
    struct zr_connect_reply connected;
    struct zr_route_reply older;
    struct zr_route_reply newer;
    struct zr_route_reply reply;

    (void)state;
    world_status(&world, pair.backup, ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(world_route(&world, &request, &older), 0);
    request.attestation = 2;
    assert_int_equal(world_route(&world, &request, &newer), 0);
    assert_int_equal(newer.revision, older.revision + 1);
    assert_int_equal(next(&newer, ZR_OUTCOME_NO_ANSWER, &reply), ZR_STATUS_EXHAUSTED);
    assert_int_equal(connect_ask(&older, &connected), 0);
    assert_int_equal(connected.contractor, pair.primary);
}

/* E46, E47: an END whose reply was lost is sent again, to the byte: it tells of the same leg, and
 * the caller, who stays, is not given up for it. */
static void
test_e46_a_repeated_end_leaves_the_caller_who_stays(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply first = world_call(&world, pair.slot, &call_id);
    struct zr_end_request end = world_end_request(&call_id, TALK_SHORT_MS);
    struct zr_settlement_reply ended;
    struct zr_route_reply second = first;
    bool duplicate;

    (void)state;
    end.caller_stays = true;
    (void)world_connect(&world, &first);
    (void)server_advance(&world.server, TALK_SHORT_MS);
    for (int i = 0; i < 3; i++) { /* Said once; again; and again while the next one rings. */
        if (i == 2) {
            second = next_rings(&first, ZR_OUTCOME_NO_ANSWER, pair.backup);
        }
        assert_int_equal(end_again(&end, &ended, &duplicate), 0);
        assert_int_equal(duplicate, i > 0);
        assert_int_equal(ended.contractor, pair.primary);
        assert_int_equal(ended.settlement, ZR_SETTLEMENT_FREE_SHORT);
        assert_int_equal(ended.state, ZR_CALL_RINGING);
    }
    (void)world_connect(&world, &second);
    (void)world_end(&world, &call_id, MINUTE_MS);
    assert_charged_never(pair.primary);
    assert_int_equal(world_wallet(&world, pair.backup).held_cents, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_blocked_stands_behind_the_places_and_before_the_rest),
        CASE(test_e31_a_repeat_comes_before_every_rule),
        CASE(test_r18_a_callcenters_screening_is_no_repeat),
        CASE(test_a_superseded_ticket_may_be_expired_too),
        CASE(test_a_superseded_ticket_comes_before_the_calls_state),
        CASE(test_a_leg_that_is_there_answers_before_the_ticket),
        CASE(test_an_answer_to_the_older_ticket_of_the_same_contractor),
        CASE(test_e33_a_question_from_before_a_leg_is_superseded),
        CASE(test_e33_a_late_leg_of_an_earlier_place_moves_nothing_back),
        CASE(test_e34_a_question_from_before_a_leg_of_an_abandoned_call),
        CASE(test_m6_the_newest_ticket_stays_when_nobody_is_left),
        CASE(test_e46_a_repeated_end_leaves_the_caller_who_stays),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
