/*
 * test_client_cascade_ends.c - the cascade helper of libzipring: answers, talk, the caller's
 * cancel, what is lost on the way, and closing in the middle. See test_client_cascade.h.
 */
#include "tests/unit/test_client_cascade.h"

/* ---- answer and talk ------------------------------------------------------------------------- */

static void
test_r51_a_call_that_is_answered_and_ended(void **state)
{
    (void)state;
    scene_answer();
    assert_int_equal(scene.request.connect_request.answered_at_ms, SERVER_MS + 7);
    assert_int_equal(scene.request.connect_request.index, 0);
    assert_int_equal(scene.request.connect_request.ticket_length, TICKET_LENGTH);
    assert_told("ring0"); /* CONNECT comes before bridging. */
    answer_connected();
    assert_told("ring0 bridge0");
    assert_int_equal(zr_call_answered(scene.call, 0, 0), ZR_ECANCELED); /* A 200 sent again. */
    assert_int_equal(zr_call_timeout(scene.call, 0), ZR_ECANCELED);
    assert_int_equal(zr_call_failed(scene.call, 0, 486), ZR_ECANCELED);
    assert_int_equal(zr_call_talk(scene.call, 0, QUALIFY_MS), 0);
    assert_asked(ZR_OP_QUALIFY);
    assert_int_equal(scene.request.qualify_request.talk_ms, QUALIFY_MS);
    assert_int_equal(zr_call_talk(scene.call, 0, 50000), 0); /* Remembered, not sent. */
    assert_quiet();
    answer_settled(ZR_CALL_QUALIFIED, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(zr_call_talk(scene.call, 0, 40000), 0);
    assert_asked(ZR_OP_KEEPALIVE);
    answer_settled(ZR_CALL_QUALIFIED, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 45000, 0), 0);
    assert_asked(ZR_OP_END);
    assert_int_equal(scene.request.end_request.talk_ms, 50000); /* The largest of the reports. */
    assert_int_equal(scene.request.end_request.index, 0);
    assert_int_equal(scene.request.end_request.who_hung_up, ZR_HUNG_UP_CALLER);
    assert_int_equal(scene.request.end_request.answered_at_ms, SERVER_MS + 7);
    assert_int_equal(scene.request.end_request.ticket_length, TICKET_LENGTH);
    assert_false(scene.request.end_request.caller_stays);
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CONTRACTOR, 1, 0), ZR_ECANCELED);
    answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_CHARGED);
    assert_told("ring0 bridge0 done");
    assert_int_equal(scene.story.amount_cents, RATE_CENTS);
    assert_int_equal(scene.story.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(scene.story.state, ZR_CALL_ENDED);
    assert_int_equal(scene.story.call_ref.bytes[0], 0xEF);
    assert_int_equal(scene.legs[0].talk_ms, 50000);
    assert_int_equal(scene.legs[0].outcome, 0);
    assert_int_equal(scene.legs[0].answered_at_ms, SERVER_MS + 7);
    assert_null(scene.story.unanswered);
    scene_close(0);
}

/* What is his own sends the switch on to the next; what is the call's ends it (M4, E35, E52). */
static void
test_e35_e52_a_refused_connect_is_hung_up(void **state)
{
    static const struct {
        uint16_t status;
        bool goes_on;
    } rows[] = {
        {ZR_STATUS_OVERDRAFT_LIMIT, true},    {ZR_STATUS_NOT_APPROVED, true},
        {ZR_STATUS_ACCOUNT_CLOSED, true},     {ZR_STATUS_ALREADY_CONNECTED, false},
        {ZR_STATUS_ABANDONED, false},         {ZR_STATUS_EXHAUSTED, false},
        {ZR_STATUS_TICKET_SUPERSEDED, false}, {ZR_STATUS_TICKET_EXPIRED, false},
        {ZR_STATUS_BAD_TICKET, false},
    };
    static const struct zr_connect_reply refused;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scene_answer();
        answer(rows[i].status, &refused);
        if (rows[i].goes_on) {
            assert_told("ring0 hangup0");
            assert_asked(ZR_OP_ROUTE_NEXT);
            assert_int_equal(scene.request.route_next_request.outcome, ZR_OUTCOME_FAILED);
            answer_candidate(1);
            assert_int_equal(scene.dones, 0);
            assert_int_equal(zr_call_failed(scene.call, 1, 486), 0);
            assert_asked(ZR_OP_ROUTE_NEXT);
            answer_refused(ZR_STATUS_EXHAUSTED);
            assert_told("ring0 hangup0 ring1 done");
        } else {
            assert_told("ring0 hangup0 done");
        }
        assert_int_equal(scene.legs[0].result, rows[i].status);
        assert_null(scene.story.unanswered);
        scene_close(rows[i].goes_on ? ZR_STATUS_EXHAUSTED : rows[i].status);
    }
}

/* E47: the cascade goes on while the caller stays and nobody has earned the call. */
static void
test_e47_a_caller_who_stays_is_rung_on(void **state)
{
    static const struct {
        uint8_t who;
        uint32_t talk_ms;
        uint8_t outcome; /* 0 = the call is over. */
    } rows[] = {
        {ZR_HUNG_UP_CONTRACTOR, 5000, ZR_OUTCOME_DECLINED},
        {ZR_HUNG_UP_NETWORK, 0, ZR_OUTCOME_FAILED},
        {ZR_HUNG_UP_UNKNOWN, QUALIFY_MS - 1, ZR_OUTCOME_FAILED},
        {ZR_HUNG_UP_CONTRACTOR, QUALIFY_MS, 0},
        {ZR_HUNG_UP_CONTRACTOR, 600000, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scene_talk();
        assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 1, 1), ZR_EINVAL);
        assert_int_equal(zr_call_hangup(scene.call, 0, 0, 1, 0), ZR_EINVAL);
        assert_int_equal(zr_call_hangup(scene.call, 0, ZR_MAX_hung_up + 1, 1, 0), ZR_EINVAL);
        assert_int_equal(zr_call_hangup(scene.call, 0, rows[i].who, rows[i].talk_ms, 1), 0);
        assert_asked(ZR_OP_END);
        assert_int_equal(scene.request.end_request.caller_stays, rows[i].outcome != 0);
        if (rows[i].outcome == 0) {
            answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_CHARGED);
            assert_told("ring0 bridge0 done");
            scene_close(0);
            continue;
        }
        answer_settled(ZR_CALL_RINGING, ZR_SETTLEMENT_FREE_SHORT);
        assert_asked(ZR_OP_ROUTE_NEXT);
        assert_int_equal(scene.request.route_next_request.outcome, rows[i].outcome);
        answer_candidate(1);
        assert_int_equal(zr_call_answered(scene.call, 1, 0), 0);
        assert_asked(ZR_OP_CONNECT);
        assert_int_equal(scene.request.connect_request.ticket[0], 2);
        answer_connected();
        assert_int_equal(zr_call_hangup(scene.call, 1, ZR_HUNG_UP_CALLER, 60000, 0), 0);
        assert_asked(ZR_OP_END);
        assert_int_equal(scene.request.end_request.index, 1);
        answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_CHARGED);
        assert_told("ring0 bridge0 ring1 bridge1 done");
        assert_int_equal(scene.legs[0].settlement, ZR_SETTLEMENT_FREE_SHORT);
        assert_int_equal(scene.legs[0].outcome, rows[i].outcome);
        assert_int_equal(scene.legs[1].settlement, ZR_SETTLEMENT_CHARGED);
        assert_int_equal(scene.story.settlement, ZR_SETTLEMENT_CHARGED);
        assert_int_equal(scene.story.amount_cents, RATE_CENTS);
        scene_close(0);
    }
}

/* A server that calls it over is believed, whoever stays. */
static void
test_an_ended_call_does_not_go_on(void **state)
{
    (void)state;
    scene_talk();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CONTRACTOR, 5, 1), 0);
    assert_asked(ZR_OP_END);
    answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_FREE_SHORT);
    assert_told("ring0 bridge0 done");
    scene_close(0);
}

/* E36: before CONNECT an outcome; after it an END, and the cascade goes on. */
static void
test_e36_a_machine_is_not_a_contractor(void **state)
{
    (void)state;
    scene_ring();
    assert_int_equal(zr_call_voicemail(scene.call, 0), 0);
    assert_told("ring0 hangup0");
    assert_asked(ZR_OP_ROUTE_NEXT);
    assert_int_equal(scene.request.route_next_request.outcome, ZR_OUTCOME_VOICEMAIL);
    answer_candidate(1);
    assert_int_equal(zr_call_answered(scene.call, 1, 0), 0);
    assert_asked(ZR_OP_CONNECT);
    answer_connected();
    assert_int_equal(zr_call_talk(scene.call, 1, 31000), 0);
    assert_asked(ZR_OP_QUALIFY);
    answer_settled(ZR_CALL_QUALIFIED, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(zr_call_voicemail(scene.call, 1), 0);
    assert_told("ring0 hangup0 ring1 bridge1 hangup1");
    assert_asked(ZR_OP_END);
    assert_true(scene.request.end_request.voicemail);
    assert_true(scene.request.end_request.caller_stays);
    assert_int_equal(scene.request.end_request.talk_ms, 31000);
    answer_settled(ZR_CALL_RINGING, ZR_SETTLEMENT_CREDITED);
    assert_asked(ZR_OP_ROUTE_NEXT);
    assert_int_equal(scene.request.route_next_request.outcome, ZR_OUTCOME_VOICEMAIL);
    answer_refused(ZR_STATUS_EXHAUSTED);
    assert_int_equal(scene.story.amount_cents, 0);
    assert_int_equal(scene.story.settlement, ZR_SETTLEMENT_CREDITED);
    scene_close(ZR_STATUS_EXHAUSTED);
}

/* What happens while CONNECT is in flight waits for its answer, whatever that is. */
static void
test_what_comes_during_connect_waits_for_it(void **state)
{
    static const struct zr_connect_reply refused;

    (void)state;
    for (int i = 0; i < 4; i++) {
        const bool accepted = i % 2 == 0;
        const bool voicemail = i < 2;

        scene_answer();
        if (voicemail) {
            assert_int_equal(zr_call_voicemail(scene.call, 0), 0);
        } else {
            assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CONTRACTOR, 0, 1), 0);
        }
        assert_int_equal(zr_call_voicemail(scene.call, 0), ZR_ECANCELED);
        assert_quiet();
        if (accepted) {
            answer_connected();
            assert_asked(ZR_OP_END);
            assert_int_equal(scene.request.end_request.voicemail, voicemail);
            answer_settled(ZR_CALL_RINGING, ZR_SETTLEMENT_FREE_SHORT);
        } else {
            answer(ZR_STATUS_OVERDRAFT_LIMIT, &refused);
        }
        assert_asked(ZR_OP_ROUTE_NEXT);
        if (voicemail) {
            assert_int_equal(scene.request.route_next_request.outcome, ZR_OUTCOME_VOICEMAIL);
        }
        assert_told(voicemail ? "ring0 hangup0" : "ring0"); /* Never bridged. */
        answer_refused(ZR_STATUS_EXHAUSTED);
        scene_close(ZR_STATUS_EXHAUSTED);
    }
    /* Nobody stays: the refusal is the end of it, told to the server as such. */
    scene_answer();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_NETWORK, 0, 0), 0);
    answer(ZR_STATUS_OVERDRAFT_LIMIT, &refused);
    assert_asked(ZR_OP_END);
    assert_int_equal(scene.request.end_request.index, 255);
    answer_settled(ZR_CALL_ABANDONED, ZR_SETTLEMENT_NONE);
    assert_told("ring0 done");
    scene_close(ZR_STATUS_ABANDONED);
}

/* ---- the caller's cancel (E34) --------------------------------------------------------------- */

static void
assert_abandoned(uint8_t ticket, const char *told)
{
    assert_asked(ZR_OP_END);
    assert_int_equal(scene.request.end_request.index, 255);
    assert_int_equal(scene.request.end_request.who_hung_up, ZR_HUNG_UP_CALLER);
    assert_int_equal(scene.request.end_request.ticket[0], ticket);
    assert_int_equal(zr_call_cancel(scene.call), 0); /* Once more is no more. */
    assert_quiet();
    answer_settled(ZR_CALL_ABANDONED, ZR_SETTLEMENT_NONE);
    assert_told(told);
    assert_int_equal(scene.story.state, ZR_CALL_ABANDONED);
    assert_null(scene.story.unanswered);
    scene_close(ZR_STATUS_ABANDONED);
}

static void
test_e34_cancel_while_nobody_is_connected(void **state)
{
    (void)state;
    scene_begin(); /* ROUTE is in flight: nobody is rung by its answer. */
    assert_int_equal(zr_call_cancel(scene.call), 0);
    assert_quiet();
    answer_candidate(0);
    assert_abandoned(1, "done");

    scene_begin();
    assert_int_equal(zr_call_cancel(scene.call), 0);
    answer_refused(ZR_STATUS_NO_COVERAGE); /* Nothing was begun that could be abandoned. */
    scene_close(ZR_STATUS_NO_COVERAGE);

    scene_ring();
    assert_int_equal(zr_call_cancel(scene.call), 0);
    assert_told("ring0 hangup0");
    assert_int_equal(zr_call_failed(scene.call, 0, 487), ZR_ECANCELED); /* Of our own CANCEL. */
    assert_abandoned(1, "ring0 hangup0 done");
    assert_int_equal(scene.legs[0].outcome, ZR_OUTCOME_CALLER_CANCELLED);

    scene_ring();
    assert_int_equal(zr_call_failed(scene.call, 0, 486), 0);
    assert_asked(ZR_OP_ROUTE_NEXT);
    assert_int_equal(zr_call_cancel(scene.call), 0);
    answer_candidate(1);
    assert_abandoned(2, "ring0 done");

    scene_ring();
    assert_int_equal(zr_call_failed(scene.call, 0, 486), 0);
    assert_asked(ZR_OP_ROUTE_NEXT);
    assert_int_equal(zr_call_cancel(scene.call), 0);
    answer_refused(ZR_STATUS_EXHAUSTED);
    assert_abandoned(1, "ring0 done");
}

/* An answer crosses the caller's CANCEL: the leg is hung up, its END says who went. */
static void
test_e34_cancel_of_an_answered_leg(void **state)
{
    static const struct zr_connect_reply refused;

    (void)state;
    for (int i = 0; i < 3; i++) {
        scene_answer();
        if (i == 1) {
            answer_connected();
        } else if (i == 2) {
            answer_connected();
            assert_int_equal(zr_call_talk(scene.call, 0, 9), 0);
            assert_asked(ZR_OP_QUALIFY);
        }
        assert_int_equal(zr_call_cancel(scene.call), 0);
        assert_told(i == 0 ? "ring0 hangup0" : "ring0 bridge0 hangup0");
        assert_int_equal(zr_call_cancel(scene.call), 0);
        if (i == 0) {
            assert_quiet();
            answer_connected();
        } else if (i == 2) {
            assert_quiet();
            answer_settled(ZR_CALL_CONNECTED, ZR_SETTLEMENT_OPEN);
        }
        assert_asked(ZR_OP_END);
        assert_int_equal(scene.request.end_request.index, 0);
        assert_int_equal(scene.request.end_request.who_hung_up, ZR_HUNG_UP_CALLER);
        assert_int_equal(scene.request.end_request.talk_ms, i == 2 ? 9 : 0);
        assert_false(scene.request.end_request.caller_stays);
        answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_FREE_SHORT);
        assert_told(i == 0 ? "ring0 hangup0 done" : "ring0 bridge0 hangup0 done");
        scene_close(0);
    }
    scene_answer();
    assert_int_equal(zr_call_cancel(scene.call), 0);
    answer(ZR_STATUS_OVERDRAFT_LIMIT, &refused);
    assert_abandoned(1, "ring0 hangup0 done");
}

/* He stayed, and then did not: while his END is in flight, or before it could be sent. */
static void
test_e34_cancel_between_two_legs(void **state)
{
    (void)state;
    scene_talk();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CONTRACTOR, 5000, 1), 0);
    assert_asked(ZR_OP_END);
    assert_int_equal(zr_call_cancel(scene.call), 0);
    answer_settled(ZR_CALL_RINGING, ZR_SETTLEMENT_FREE_SHORT);
    assert_abandoned(1, "ring0 bridge0 done");
    assert_int_equal(scene.story.settlement, ZR_SETTLEMENT_FREE_SHORT);

    scene_answer();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CONTRACTOR, 0, 1), 0);
    assert_int_equal(zr_call_cancel(scene.call), 0);
    answer_connected();
    assert_asked(ZR_OP_END);
    assert_false(scene.request.end_request.caller_stays);
    assert_int_equal(scene.request.end_request.who_hung_up, ZR_HUNG_UP_CONTRACTOR);
    answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_FREE_SHORT);
    assert_told("ring0 done");
    scene_close(0);
}

/* ---- what is lost ---------------------------------------------------------------------------- */

/* E44: nobody knows what became of CONNECT. The ticket is proof enough: they talk, END settles. */
static void
test_e44_a_lost_connect_is_bridged_on_its_ticket(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        scene_answer();
        if (i == 0) {
            server_lose();
        } else {
            answer(ZR_STATUS_STORAGE_FULL, NULL); /* Class 30: surely not executed. */
        }
        assert_told("ring0 bridge0");
        assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 60000, 0), 0);
        assert_asked(ZR_OP_END);
        assert_int_equal(scene.request.end_request.index, 0);
        assert_int_equal(scene.request.end_request.answered_at_ms, SERVER_MS + 7);
        assert_int_equal(scene.request.end_request.ticket_length, TICKET_LENGTH);
        answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_CHARGED);
        assert_int_equal(scene.story.amount_cents, RATE_CENTS);
        scene_close(0);
    }
}

/* An answer without a time is "now": in CONNECT the server's, in END the clock learnt from it. */
static void
test_an_answer_now_has_a_time_in_its_end(void **state)
{
    (void)state;
    scene_ring();
    assert_int_equal(zr_call_answered(scene.call, 0, 0), 0);
    assert_asked(ZR_OP_CONNECT);
    assert_int_equal(scene.request.connect_request.answered_at_ms, 0);
    server_lose();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 60000, 0), 0);
    assert_asked(ZR_OP_END);
    assert_int_equal(scene.request.end_request.answered_at_ms, SERVER_MS);
    answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_CHARGED);
    scene_close(0);
}

/* E72: an END without an answer is handed over, and nobody else is rung after it. */
static void
test_e72_an_unanswered_end_is_handed_over(void **state)
{
    (void)state;
    scene_talk();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CONTRACTOR, 5000, 1), 0);
    assert_asked(ZR_OP_END);
    server_lose();
    assert_told("ring0 bridge0 done");
    assert_non_null(scene.story.unanswered);
    assert_int_equal(scene.unanswered.index, 0);
    assert_int_equal(scene.unanswered.talk_ms, 5000);
    assert_int_equal(scene.unanswered.answered_at_ms, SERVER_MS + 7);
    assert_int_equal(scene.unanswered.ticket_length, TICKET_LENGTH);
    assert_int_equal(scene.unanswered.who_hung_up, ZR_HUNG_UP_CONTRACTOR);
    assert_false(scene.unanswered.caller_stays);
    scene_close(ZR_EUNKNOWN);

    scene_ring();
    assert_int_equal(zr_call_cancel(scene.call), 0);
    assert_asked(ZR_OP_END);
    server_lose();
    assert_int_equal(scene.unanswered.index, 255);
    scene_close(ZR_EUNKNOWN);

    /* A refusal is an answer: to ask again would not help. */
    scene_talk();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 5000, 0), 0);
    assert_asked(ZR_OP_END);
    answer(ZR_STATUS_TOO_LATE, &(struct zr_settlement_reply){0});
    assert_null(scene.story.unanswered);
    assert_int_equal(scene.legs[0].result, ZR_STATUS_TOO_LATE);
    scene_close(ZR_STATUS_TOO_LATE);
}

/* E46: settled otherwise is settled. */
static void
test_e46_a_final_settlement_is_the_storys(void **state)
{
    static const struct zr_settlement_reply stored = {.amount_cents = RATE_CENTS,
                                                      .talk_ms = 60000,
                                                      .state = ZR_CALL_ENDED,
                                                      .settlement = ZR_SETTLEMENT_CHARGED};

    (void)state;
    scene_talk();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 5000, 0), 0);
    assert_asked(ZR_OP_END);
    answer(ZR_STATUS_SETTLEMENT_FINAL, &stored);
    assert_int_equal(scene.legs[0].result, ZR_STATUS_SETTLEMENT_FINAL);
    assert_int_equal(scene.legs[0].talk_ms, 60000);
    assert_int_equal(scene.story.amount_cents, RATE_CENTS);
    scene_close(0);
}

/* QUALIFY only proves early; without its answer the talk goes on. */
static void
test_a_lost_qualify_changes_nothing(void **state)
{
    (void)state;
    scene_talk();
    assert_int_equal(zr_call_talk(scene.call, 0, 30000), 0);
    assert_asked(ZR_OP_QUALIFY);
    server_lose();
    assert_told("ring0 bridge0");
    assert_int_equal(zr_call_talk(scene.call, 0, 31000), 0);
    assert_asked(ZR_OP_QUALIFY);
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 31500, 0), 0);
    assert_quiet();
    answer(ZR_STATUS_NOT_CONNECTED, &(struct zr_settlement_reply){0});
    assert_asked(ZR_OP_END);
    assert_int_equal(scene.request.end_request.talk_ms, 31500);
    answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_CHARGED);
    scene_close(0);
}

static void
test_a_lost_route_ends_the_call(void **state)
{
    (void)state;
    scene_begin();
    server_lose();
    assert_told("done");
    scene_close(ZR_EUNKNOWN);
    scene_ring();
    assert_int_equal(zr_call_failed(scene.call, 0, 486), 0);
    assert_asked(ZR_OP_ROUTE_NEXT);
    server_lose();
    assert_told("ring0 done");
    assert_null(scene.story.unanswered);
    scene_close(ZR_EUNKNOWN);
}

/* ---- closing in the middle ------------------------------------------------------------------- */

static void
close_routing(void)
{
    scene_begin();
}

static void
close_asking(void)
{
    scene_ring();
    assert_int_equal(zr_call_failed(scene.call, 0, 486), 0);
}

static void
close_qualifying(void)
{
    scene_talk();
    assert_int_equal(zr_call_talk(scene.call, 0, 12000), 0);
}

static void
close_ending(void)
{
    scene_talk();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CONTRACTOR, 100, 1), 0);
}

static void
close_ending_later(void)
{
    scene_answer();
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CONTRACTOR, 0, 1), 0);
}

static void
close_abandoning(void)
{
    scene_ring();
    assert_int_equal(zr_call_cancel(scene.call), 0);
}

/* In every state: done() once; who rings is hung up, who talks is not; an END is not forgotten. */
static void
test_close_ends_every_call_once(void **state)
{
    static const struct {
        void (*reach)(void);
        const char *told;
        bool unanswered;
    } rows[] = {
        {close_routing, "done", false},
        {scene_ring, "ring0 hangup0 done", false},
        {close_asking, "ring0 done", false},
        {scene_answer, "ring0 hangup0 done", true},
        {scene_talk, "ring0 bridge0 done", true},
        {close_qualifying, "ring0 bridge0 done", true},
        {close_ending, "ring0 bridge0 done", true},
        {close_ending_later, "ring0 done", true},
        {close_abandoning, "ring0 hangup0 done", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rows[i].reach();
        scene.free_in_done = i % 2 == 0;
        zr_client_close(scene.client);
        assert_told(rows[i].told);
        assert_int_equal(scene.dones, 1);
        assert_true(scene.story.result == ZR_ECANCELED || scene.story.result == ZR_EUNKNOWN);
        assert_int_equal(scene.story.unanswered != NULL, rows[i].unanswered);
        assert_false(scene.unanswered.caller_stays);
        if (rows[i].reach == close_qualifying) {
            assert_int_equal(scene.unanswered.talk_ms, 12000);
        }
        zr_call_free(scene.call);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_r51_a_call_that_is_answered_and_ended),
        cmocka_unit_test(test_e35_e52_a_refused_connect_is_hung_up),
        cmocka_unit_test(test_e47_a_caller_who_stays_is_rung_on),
        cmocka_unit_test(test_an_ended_call_does_not_go_on),
        cmocka_unit_test(test_e36_a_machine_is_not_a_contractor),
        cmocka_unit_test(test_what_comes_during_connect_waits_for_it),
        cmocka_unit_test(test_e34_cancel_while_nobody_is_connected),
        cmocka_unit_test(test_e34_cancel_of_an_answered_leg),
        cmocka_unit_test(test_e34_cancel_between_two_legs),
        cmocka_unit_test(test_e44_a_lost_connect_is_bridged_on_its_ticket),
        cmocka_unit_test(test_an_answer_now_has_a_time_in_its_end),
        cmocka_unit_test(test_e72_an_unanswered_end_is_handed_over),
        cmocka_unit_test(test_e46_a_final_settlement_is_the_storys),
        cmocka_unit_test(test_a_lost_qualify_changes_nothing),
        cmocka_unit_test(test_a_lost_route_ends_the_call),
        cmocka_unit_test(test_close_ends_every_call_once),
    };

    return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
