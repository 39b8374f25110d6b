/*
 * test_client_cascade.c - the cascade helper of libzipring: who rings, one after the other, and
 * what SIP means for it. How legs and calls end is in test_client_cascade_ends.c.
 */
#include "tests/unit/test_client_cascade.h"

/* ---- what SIP means (protocol.md "SIP mapping") ---------------------------------------------- */

static const struct {
    int code;
    uint8_t outcome; /* 0 = none. */
} sip_rows[] = {
    {-1, 0},
    {0, 0},
    {100, 0},
    {180, 0},
    {181, ZR_OUTCOME_FORWARDED},
    {182, 0},
    {183, 0},
    {199, 0},
    {200, 0},
    {299, 0},
    {300, ZR_OUTCOME_FORWARDED},
    {301, ZR_OUTCOME_FORWARDED},
    {302, ZR_OUTCOME_FORWARDED},
    {380, ZR_OUTCOME_FORWARDED},
    {399, ZR_OUTCOME_FORWARDED},
    {400, ZR_OUTCOME_FAILED},
    {404, ZR_OUTCOME_FAILED},
    {408, ZR_OUTCOME_NO_ANSWER},
    {480, ZR_OUTCOME_NO_ANSWER},
    {486, ZR_OUTCOME_BUSY},
    {487, ZR_OUTCOME_NO_ANSWER},
    {488, ZR_OUTCOME_FAILED},
    {500, ZR_OUTCOME_FAILED},
    {501, ZR_OUTCOME_FAILED},
    {502, ZR_OUTCOME_FAILED},
    {503, ZR_OUTCOME_FAILED},
    {504, ZR_OUTCOME_FAILED},
    {600, ZR_OUTCOME_BUSY},
    {603, ZR_OUTCOME_DECLINED},
    {604, ZR_OUTCOME_FAILED},
    {606, ZR_OUTCOME_FAILED},
    {699, ZR_OUTCOME_FAILED},
    {700, 0},
};

enum { SIP_ROWS = sizeof sip_rows / sizeof sip_rows[0] };

static void
test_e34_sip_responses_are_outcomes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIP_ROWS; i++) {
        assert_int_equal(zr_sip_outcome(sip_rows[i].code), sip_rows[i].outcome);
    }
}

/* Every final response of the contractor's goes to ROUTE_NEXT, and the next one rings. */
static void
test_e34_r50_every_failure_rings_the_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIP_ROWS; i++) {
        scene_ring();
        if (sip_rows[i].code < 300 || sip_rows[i].outcome == 0) {
            assert_int_equal(zr_call_failed(scene.call, 0, sip_rows[i].code), ZR_EINVAL);
            assert_quiet();
            assert_int_equal(zr_call_failed(scene.call, 0, 486), 0);
        } else {
            assert_int_equal(zr_call_failed(scene.call, 0, sip_rows[i].code), 0);
        }
        assert_asked(ZR_OP_ROUTE_NEXT);
        if (sip_rows[i].code >= 300 && sip_rows[i].outcome != 0) {
            assert_int_equal(scene.request.route_next_request.outcome, sip_rows[i].outcome);
        }
        assert_int_equal(scene.request.route_next_request.index, 0);
        assert_int_equal(scene.request.route_next_request.ticket_length, TICKET_LENGTH);
        assert_int_equal(scene.request.route_next_request.ticket[0], 1);
        answer_candidate(1);
        assert_told("ring0 ring1"); /* It ended by itself: nothing to hang up. */
        zr_client_close(scene.client);
        zr_call_free(scene.call);
    }
}

/* R49: alerting starts the ring time and nothing else; R50: a forwarded call is not followed. */
static void
test_r49_r50_progress_rings_on_but_181_does_not(void **state)
{
    (void)state;
    scene_ring();
    assert_int_equal(zr_call_progress(scene.call, 0, 99), ZR_EINVAL);
    assert_int_equal(zr_call_progress(scene.call, 0, 200), ZR_EINVAL);
    assert_int_equal(zr_call_progress(scene.call, 0, 100), 0);
    assert_false(scene.call->alerted);
    assert_int_equal(zr_call_progress(scene.call, 0, 180), 0);
    assert_true(scene.call->alerted);
    assert_int_equal(zr_call_progress(scene.call, 0, 183), 0);
    assert_quiet();
    assert_told("ring0");
    assert_int_equal(zr_call_progress(scene.call, 0, 181), 0);
    assert_told("ring0 hangup0");
    assert_asked(ZR_OP_ROUTE_NEXT);
    assert_int_equal(scene.request.route_next_request.outcome, ZR_OUTCOME_FORWARDED);
    answer_candidate(1);
    assert_told("ring0 hangup0 ring1");
    zr_client_close(scene.client);
    zr_call_free(scene.call);
}

/* ---- one after the other --------------------------------------------------------------------- */

static void
test_route_is_a_call_in_steps(void **state)
{
    (void)state;
    scene_begin();
    assert_memory_equal(&scene.request.route_request.call_id, &scene.route.call_id, 16);
    assert_int_equal(scene.request.route_request.want, 1);
    assert_int_equal(scene.request.route_request.flags & 2, 2);
    assert_int_equal(scene.route.want, 4); /* The caller's own is not touched. */
    answer_candidate(0);
    assert_int_equal(scene.call->legs[0].phone, UINT64_C(12810000000));
    assert_int_equal(scene.call->legs[0].contractor, CONTRACTOR);
    assert_int_equal(scene.call->legs[0].ring_timeout_ms, 30000);
    assert_int_equal(scene.call->legs[0].rank, 1);
    zr_client_close(scene.client);
    zr_call_free(scene.call);
}

/* R49: the leg is hung up before the next one is known; what it still says is about nobody. */
static void
test_r49_e35_a_leg_that_was_given_up_stays_so(void **state)
{
    (void)state;
    scene_ring();
    assert_int_equal(zr_call_timeout(scene.call, 0), 0);
    assert_told("ring0 hangup0");
    assert_asked(ZR_OP_ROUTE_NEXT);
    assert_int_equal(scene.request.route_next_request.outcome, ZR_OUTCOME_NO_ANSWER);
    for (int i = 0; i < 2; i++) {
        /* First while nobody rings, then while the next one does: the 487 of the CANCEL, a 200
         * that crossed it, a timer that fired twice. */
        assert_int_equal(zr_call_failed(scene.call, 0, 487), ZR_ECANCELED);
        assert_int_equal(zr_call_answered(scene.call, 0, 0), ZR_ECANCELED);
        assert_int_equal(zr_call_timeout(scene.call, 0), ZR_ECANCELED);
        assert_int_equal(zr_call_progress(scene.call, 0, 181), ZR_ECANCELED);
        assert_int_equal(zr_call_voicemail(scene.call, 0), ZR_ECANCELED);
        assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 1, 0), ZR_ECANCELED);
        assert_int_equal(zr_call_talk(scene.call, 0, 1), ZR_ECANCELED);
        assert_quiet();
        if (i == 0) {
            assert_told("ring0 hangup0");
            assert_int_equal(zr_call_failed(scene.call, 1, 486), ZR_EINVAL); /* No such leg yet. */
            answer_candidate(1);
        }
        assert_told("ring0 hangup0 ring1");
    }
    zr_client_close(scene.client);
    zr_call_free(scene.call);
}

/* Each leg rings once, under the newest ticket; EXHAUSTED tells the whole story (E37). */
static void
test_e37_exhausted_lists_every_attempt(void **state)
{
    (void)state;
    scene_ring();
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(zr_call_failed(scene.call, i, i == 1 ? 486 : 603), 0);
        assert_asked(ZR_OP_ROUTE_NEXT);
        assert_int_equal(scene.request.route_next_request.index, i);
        assert_int_equal(scene.request.route_next_request.ticket[0], i + 1);
        if (i < 2) {
            answer_candidate((uint8_t)(i + 1));
        }
    }
    answer_refused(ZR_STATUS_EXHAUSTED);
    assert_told("ring0 ring1 ring2 done");
    assert_int_equal(scene.story.legs_count, 3);
    assert_int_equal(scene.legs[0].outcome, ZR_OUTCOME_DECLINED);
    assert_int_equal(scene.legs[1].outcome, ZR_OUTCOME_BUSY);
    assert_int_equal(scene.legs[2].outcome, ZR_OUTCOME_DECLINED);
    assert_int_equal(scene.legs[2].contractor, CONTRACTOR + 2);
    assert_int_equal(scene.story.amount_cents, 0);
    assert_int_equal(scene.story.settlement, 0);
    assert_null(scene.story.unanswered);
    scene_close(ZR_STATUS_EXHAUSTED);
}

static void
test_a_server_without_end_does_not_ring_without_end(void **state)
{
    (void)state;
    scene_ring();
    for (uint8_t i = 0; i < ZR_CASCADE_LEGS_MAX; i++) {
        assert_int_equal(zr_call_failed(scene.call, i, 480), 0);
        assert_asked(ZR_OP_ROUTE_NEXT);
        answer_candidate((uint8_t)(i + 1));
    }
    assert_int_equal(scene.story.legs_count, ZR_CASCADE_LEGS_MAX);
    assert_told("ring0 ring1 ring2 ring3 ring4 ring5 ring6 ring7 done");
    scene_close(ZR_STATUS_EXHAUSTED);
}

/* A switch without a line says so inside ring(). */
static void
test_a_ring_may_fail_at_once(void **state)
{
    (void)state;
    scene_begin();
    scene.at_once = FAIL_503;
    answer_candidate(0);
    assert_told("ring0");
    assert_asked(ZR_OP_ROUTE_NEXT);
    assert_int_equal(scene.request.route_next_request.outcome, ZR_OUTCOME_FAILED);
    scene.at_once = CANCEL;
    answer_candidate(1);
    assert_told("ring0 ring1 hangup1");
    assert_asked(ZR_OP_END);
    scene.free_in_done = true;
    answer_settled(ZR_CALL_ABANDONED, ZR_SETTLEMENT_NONE);
    assert_told("ring0 ring1 hangup1 done");
    scene_close(ZR_STATUS_ABANDONED);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void
test_a_refused_route_says_why(void **state)
{
    static const uint16_t rows[] = {ZR_STATUS_NO_COVERAGE, ZR_STATUS_NEED_ADDRESS,
                                    ZR_STATUS_UNKNOWN_ZIP, ZR_STATUS_NOT_OFFERED,
                                    ZR_STATUS_BLOCKED,     ZR_STATUS_CALL_CONNECTED};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scene_begin();
        answer_refused(rows[i]);
        assert_told("done");
        assert_non_null(scene.story.refusal);
        assert_int_equal(scene.refusal.zips[1], 77584);
        assert_int_equal(scene.story.legs_count, 0);
        scene_close(rows[i]);
    }
    scene_begin();
    answer(ZR_STATUS_FORBIDDEN, NULL);
    assert_null(scene.story.refusal);
    scene_close(ZR_STATUS_FORBIDDEN);
}

/* A peer is judged, never trusted. */
static void
test_ok_without_a_candidate_is_no_answer(void **state)
{
    static const struct zr_route_reply nobody = {.ticket_length = 1};
    static const struct zr_route_reply no_ticket = {.candidates_count = 1};

    (void)state;
    scene_begin();
    answer(0, &nobody);
    scene_close(ZR_EPROTO);
    scene_begin();
    answer(0, &no_ticket);
    scene_close(ZR_EPROTO);
}

/* A report for which there is no room changes nothing, and may be made again. */
static void
test_a_full_client_changes_nothing(void **state)
{
    struct zr_cascade *other = NULL;

    (void)state;
    scene_open(1);
    assert_int_equal(zr_call_begin(scene.client, &scene.options, &scene.call), 0);
    assert_int_equal(zr_call_begin(scene.client, &scene.options, &other), ZR_EFULL);
    assert_null(other);
    assert_asked(ZR_OP_ROUTE);
    answer_candidate(0);
    /* The other's ROUTE fills the client; its own callbacks are this scene's. */
    assert_int_equal(zr_call_begin(scene.client, &scene.options, &other), 0);
    assert_int_equal(zr_call_timeout(scene.call, 0), ZR_EFULL);
    assert_int_equal(zr_call_failed(scene.call, 0, 486), ZR_EFULL);
    assert_int_equal(zr_call_voicemail(scene.call, 0), ZR_EFULL);
    assert_int_equal(zr_call_answered(scene.call, 0, 0), ZR_EFULL);
    assert_int_equal(zr_call_cancel(scene.call), ZR_EFULL);
    assert_told("ring0");
    assert_asked(ZR_OP_ROUTE);
    answer_candidate(0);
    assert_told("ring0 ring0");
    assert_int_equal(zr_call_failed(other, 0, 486), 0);
    assert_asked(ZR_OP_ROUTE_NEXT);
    answer_candidate(1);
    assert_int_equal(zr_call_answered(scene.call, 0, 0), 0);
    assert_asked(ZR_OP_CONNECT);
    answer_connected();
    assert_int_equal(zr_call_answered(other, 1, 0), 0);
    assert_int_equal(zr_call_talk(scene.call, 0, 30000), ZR_EFULL);
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 9, 0), ZR_EFULL);
    assert_int_equal(zr_call_voicemail(scene.call, 0), ZR_EFULL);
    assert_told("ring0 ring0 ring1 bridge0");
    zr_client_close(scene.client);
    assert_int_equal(scene.dones, 2);
    zr_call_free(other);
    zr_call_free(scene.call);
}

static void
test_arguments_are_judged(void **state)
{
    struct zr_cascade_options options;

    (void)state;
    scene_open(4);
    for (int i = 0; i < 7; i++) {
        options = scene.options;
        options.size -= i == 0;
        options.route = i == 1 ? NULL : options.route;
        options.ring = i == 2 ? NULL : options.ring;
        options.bridge = i == 3 ? NULL : options.bridge;
        options.hangup = i == 4 ? NULL : options.hangup;
        options.done = i == 5 ? NULL : options.done;
        if (i == 6) {
            memset(&scene.route.call_id, 0, sizeof scene.route.call_id);
        }
        assert_int_equal(zr_call_begin(scene.client, &options, &scene.call), ZR_EINVAL);
    }
    assert_int_equal(zr_call_begin(NULL, &scene.options, &scene.call), ZR_EINVAL);
    assert_int_equal(zr_call_begin(scene.client, NULL, &scene.call), ZR_EINVAL);
    assert_int_equal(zr_call_begin(scene.client, &scene.options, NULL), ZR_EINVAL);
    assert_null(scene.call);
    assert_quiet();
    assert_int_equal(zr_call_progress(NULL, 0, 180), ZR_EINVAL);
    assert_int_equal(zr_call_answered(NULL, 0, 0), ZR_EINVAL);
    assert_int_equal(zr_call_failed(NULL, 0, 486), ZR_EINVAL);
    assert_int_equal(zr_call_timeout(NULL, 0), ZR_EINVAL);
    assert_int_equal(zr_call_voicemail(NULL, 0), ZR_EINVAL);
    assert_int_equal(zr_call_talk(NULL, 0, 1), ZR_EINVAL);
    assert_int_equal(zr_call_hangup(NULL, 0, ZR_HUNG_UP_CALLER, 1, 0), ZR_EINVAL);
    assert_int_equal(zr_call_cancel(NULL), ZR_EINVAL);
    zr_call_free(NULL);
    zr_client_close(scene.client);
}

/* The negative space: a call that goes on cannot be freed. */
static void
test_only_a_call_that_is_done_is_freed(void **state)
{
    (void)state;
    scene_ring();
    expect_assert_failure(zr_call_free(scene.call));
    zr_client_close(scene.client);
    zr_call_free(scene.call);
}

/* ---- KEEPALIVE ------------------------------------------------------------------------------- */

/* M3 "unit_ttl": who promised KEEPALIVE sends it from the first report on. */
static void
test_promised_keepalive_is_every_report_of_talk(void **state)
{
    (void)state;
    scene_open_with(4, ZR_FEATURE_KEEPALIVE);
    assert_int_equal(zr_call_begin(scene.client, &scene.options, &scene.call), 0);
    assert_asked(ZR_OP_ROUTE);
    answer_candidate(0);
    assert_int_equal(zr_call_answered(scene.call, 0, SERVER_MS), 0);
    assert_asked(ZR_OP_CONNECT);
    answer_connected();
    for (uint32_t talk_ms = QUALIFY_MS / 2; talk_ms <= 2 * QUALIFY_MS; talk_ms *= 2) {
        const bool qualified = talk_ms >= QUALIFY_MS;

        assert_int_equal(zr_call_talk(scene.call, 0, talk_ms), 0);
        assert_asked(ZR_OP_KEEPALIVE);
        assert_int_equal(scene.request.qualify_request.talk_ms, talk_ms);
        answer_settled(qualified ? ZR_CALL_QUALIFIED : ZR_CALL_CONNECTED,
                       qualified ? ZR_SETTLEMENT_CHARGED : ZR_SETTLEMENT_OPEN);
    }
    assert_int_equal(zr_call_hangup(scene.call, 0, ZR_HUNG_UP_CALLER, 0, 0), 0);
    assert_asked(ZR_OP_END);
    answer_settled(ZR_CALL_ENDED, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(scene.story.amount_cents, RATE_CENTS);
    scene_close(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e34_sip_responses_are_outcomes),
        cmocka_unit_test(test_e34_r50_every_failure_rings_the_next),
        cmocka_unit_test(test_r49_r50_progress_rings_on_but_181_does_not),
        cmocka_unit_test(test_route_is_a_call_in_steps),
        cmocka_unit_test(test_r49_e35_a_leg_that_was_given_up_stays_so),
        cmocka_unit_test(test_e37_exhausted_lists_every_attempt),
        cmocka_unit_test(test_a_server_without_end_does_not_ring_without_end),
        cmocka_unit_test(test_a_ring_may_fail_at_once),
        cmocka_unit_test(test_a_refused_route_says_why),
        cmocka_unit_test(test_ok_without_a_candidate_is_no_answer),
        cmocka_unit_test(test_a_full_client_changes_nothing),
        cmocka_unit_test(test_arguments_are_judged),
        cmocka_unit_test(test_only_a_call_that_is_done_is_freed),
        cmocka_unit_test(test_promised_keepalive_is_every_report_of_talk),
    };

    return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
