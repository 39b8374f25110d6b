/*
 * test_worker_calls.c - a call on its way through a worker: who is rung next, who declines, which
 * keys sign (M3, M4, M6, R35, E33, E34, E37, E63, E66a, E71, E72).
 */
#include "tests/unit/test_faults.h"
#include "tests/unit/test_worker_scene.h"

enum { BUDGET_MS = 150000 };
#define HOUR_MS UINT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

static uint16_t
decline(struct scene *scene, uint32_t by)
{
    const struct zr_decline_request request = {.call_ref = scene->answer.call_ref,
                                               .contractor = by};

    return ask(&scene->portal, ZR_OP_DECLINE, &request);
}

/* The last answer lists exactly these, as tried. */
static void
assert_tried(const uint32_t *contractors, uint8_t count)
{
    const struct zr_route_reply *reply = &rig.reply.route_reply;

    assert_int_equal(reply->ticket_length, 0);
    assert_int_equal(reply->skipped_count, count);
    for (uint8_t i = 0; i < count; i++) {
        assert_int_equal(reply->skipped[i].contractor, contractors[i]);
        assert_int_equal(reply->skipped[i].reasons, REASON_ALREADY_TRIED);
    }
}

/* ---- ROUTE_NEXT (E33, E34, E37) ------------------------------------------------------------ */

/* E34: every outcome leads to the next in line, each once; then the list of attempts (E37). */
static void
test_every_outcome_goes_on_to_the_next(void **state)
{
    static const uint8_t outcomes[] = {ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_BUSY,
                                       ZR_OUTCOME_DECLINED,  ZR_OUTCOME_FORWARDED,
                                       ZR_OUTCOME_VOICEMAIL, ZR_OUTCOME_FAILED};
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    for (size_t i = 0; i < sizeof outcomes; i++) {
        scene.route = route_request();
        assert_int_equal(route(&scene), ZR_STATUS_OK);
        assert_int_equal(scene.answer.candidates[0].contractor, scene.contractors[0]);
        for (uint8_t index = 0; index + 1 < CANDIDATES; index++) {
            assert_int_equal(next(&scene, index, outcomes[i]), ZR_STATUS_OK);
            assert_int_equal(scene.answer.candidates[0].contractor, scene.contractors[index + 1]);
            assert_int_equal(scene.answer.candidates[0].index, index + 1);
            assert_int_equal(leases_of(scene.contractors[index]), 0);
        }
        assert_int_equal(next(&scene, CANDIDATES - 1, outcomes[i]), ZR_STATUS_EXHAUSTED);
        assert_tried(scene.contractors, CANDIDATES);
        clock_advance_ms(&rig.clock, HOUR_MS); /* Destinations that failed are up again. */
    }
}

/* E34: the caller hung up; nobody is rung any more. */
static void
test_a_cancelled_call_is_abandoned(void **state)
{
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_CALLER_CANCELLED), ZR_STATUS_ABANDONED);
    assert_int_equal(leases_of(scene.contractors[0]), 0);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_ABANDONED);
}

/* E37, M4: no new candidate from the budget's last instant on; before it there is. */
static void
test_the_budget_of_a_cascade(void **state)
{
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    clock_advance_ms(&rig.clock, BUDGET_MS - 1);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    clock_advance_ms(&rig.clock, 1);
    for (int i = 0; i < 2; i++) { /* Asked again it says the same. */
        assert_int_equal(next(&scene, 1, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_EXHAUSTED);
        assert_tried(scene.contractors, 2);
        assert_int_equal(leases_of(scene.contractors[1]), 0);
    }
    scene.route.caller++; /* Another question about the same call, as with a corrected address. */
    assert_int_equal(route(&scene), ZR_STATUS_EXHAUSTED);
    assert_tried(scene.contractors, 2);
}

/* M6: a question asked again gets its answer again while that ticket lives, exclusive; behind it
 * the question's own ticket is over too. */
static void
test_a_repeat_ends_with_its_ticket(void **state)
{
    struct scene scene;
    struct scene first;
    struct scene again;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    first = scene;
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    clock_advance_ms(&rig.clock, scene.answer.expires_ms - clock_now_ms(&rig.clock) - 1);
    again = first;
    assert_int_equal(next(&again, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    assert_memory_equal(again.answer.ticket, scene.answer.ticket, scene.answer.ticket_length);
    clock_advance_ms(&rig.clock, 1);
    assert_int_equal(next(&first, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_TICKET_EXPIRED);
}

/* E32, E33: who had his turn is not offered the call again by a decision made anew, also when the
 * one before found nobody. */
static void
test_a_decision_made_anew_keeps_the_history(void **state)
{
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    scene.route.caller++;
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(scene.answer.revision, 1);
    assert_int_equal(scene.answer.candidates[0].contractor, scene.contractors[1]);
    assert_int_equal(next(&scene, 1, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    assert_int_equal(next(&scene, 2, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_EXHAUSTED);
    scene.route.caller++;
    assert_int_equal(route(&scene), ZR_STATUS_NO_COVERAGE);
    assert_int_equal(rig.reply.route_reply.skipped_count, CANDIDATES);
}

/* M6: the ticket of an older revision is superseded; its contractor stands in the newest: good. */
static void
test_older_tickets_are_superseded(void **state)
{
    struct scene scene;
    struct scene older;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    older = scene;
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    scene.route.caller++;
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(next(&older, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_TICKET_SUPERSEDED);
    assert_int_equal(connect(&older, 0), ZR_STATUS_TICKET_SUPERSEDED);
    assert_int_equal(connect(&scene, 1), ZR_STATUS_OK);
}

/* M6: revisions are one byte of the ticket. A call that is routed anew for ever stays at the last
 * one, since 0 again would make every older ticket the newer. */
static void
test_revisions_do_not_wrap(void **state)
{
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    for (int i = 0; i < UINT8_MAX + 3; i++) {
        scene.route.caller++;
        assert_int_equal(route(&scene), ZR_STATUS_OK);
        assert_int_equal(scene.answer.revision, i < UINT8_MAX ? i : UINT8_MAX);
    }
    assert_int_equal(connect(&scene, 0), ZR_STATUS_OK);
}

/* ---- DECLINE (R35) --------------------------------------------------------------------------- */

/* The one that rings may decline, once; its lease is given back, and the next is offered. */
static void
test_the_rung_contractor_declines(void **state)
{
    struct scene scene;
    uint64_t commit_seq;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(leases_of(scene.contractors[0]), 1);
    assert_int_equal(decline(&scene, scene.contractors[1]), ZR_STATUS_NOT_RINGING);
    assert_int_equal(decline(&scene, scene.contractors[0]), ZR_STATUS_OK);
    assert_int_equal(answer.flags & ZR_FLAG_DUPLICATE, 0);
    assert_int_equal(leases_of(scene.contractors[0]), 0);
    commit_seq = rig.reply.decline_reply.commit_seq;
    assert_true(commit_seq > 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(decline(&scene, scene.contractors[0]), ZR_STATUS_OK);
        assert_int_equal(answer.flags & ZR_FLAG_DUPLICATE, ZR_FLAG_DUPLICATE);
        assert_true(rig.reply.decline_reply.commit_seq == commit_seq);
        assert_int_equal(rig.reply.decline_reply.contractor, scene.contractors[0]);
    }
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_DECLINED), ZR_STATUS_OK);
    assert_int_equal(scene.answer.candidates[0].contractor, scene.contractors[1]);
    assert_int_equal(decline(&scene, scene.contractors[1]), ZR_STATUS_OK);
    assert_int_equal(decline(&scene, scene.contractors[0]), ZR_STATUS_OK); /* As before. */
    assert_true(rig.reply.decline_reply.commit_seq == commit_seq);
    assert_int_equal(next(&scene, 1, ZR_OUTCOME_DECLINED), ZR_STATUS_OK);
    assert_int_equal(connect(&scene, 2), ZR_STATUS_OK);
    assert_int_equal(decline(&scene, scene.contractors[2]), ZR_STATUS_NOT_RINGING); /* Answered. */
}

/* R35: not offered again by a decision that is made anew, before the switch has heard of it. */
static void
test_a_decliner_is_not_offered_again(void **state)
{
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(decline(&scene, scene.contractors[0]), ZR_STATUS_OK);
    scene.route.caller++;
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(scene.answer.candidates[0].contractor, scene.contractors[1]);
    assert_int_equal(scene.answer.candidates[0].index, 1);
}

/* After ring_timeout + 5 s it rings no more; calls of others are not there (R69). */
static void
test_declines_that_are_refused(void **state)
{
    struct scene scene;
    struct zr_decline_request unknown = {.call_ref = {{7}}, .contractor = contractor};
    struct zr_decline_request foreign = {.contractor = 999};
    struct session self;

    (void)state;
    scene_fill(&scene);
    self = session_of(ZR_ROLE_CONTRACTOR);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    foreign.call_ref = scene.answer.call_ref;
    assert_int_equal(ask(&scene.portal, ZR_OP_DECLINE, &unknown), ZR_STATUS_NOT_RINGING);
    assert_int_equal(ask(&scene.portal, ZR_OP_DECLINE, &foreign), ZR_STATUS_NOT_FOUND);
    foreign.contractor = scene.contractors[1];
    assert_int_equal(ask(&self, ZR_OP_DECLINE, &foreign), ZR_STATUS_NOT_FOUND);
    assert_int_equal(leases_of(scene.contractors[0]), 1);
    clock_advance_ms(&rig.clock, RING_MS + SLACK_MS);
    assert_int_equal(decline(&scene, scene.contractors[0]), ZR_STATUS_NOT_RINGING);
}

/* What clients write into the rows that the server fills in is not believed. */
static void
test_the_server_fills_in_whose_call_it_is(void **state)
{
    struct scene scene;
    struct zr_decline_request request = {.contractor = contractor, .tenant = 77, .index = 9};

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    request.call_ref = scene.answer.call_ref;
    assert_int_equal(ask(&scene.portal, ZR_OP_DECLINE, &request), ZR_STATUS_OK);
    turn_begin();
    {
        struct state *snapshot = service_snapshot(service);
        struct event_row event;

        assert_true(state_event_get(snapshot, state_counter_now(snapshot, COUNTER_EVENT), &event));
        assert_int_equal(event.type, ZR_EVENT_CALL_DECLINED);
        assert_int_equal(event.tenant, RIG_TENANT);
        assert_true(event.number == 0);
    }
    turn_end();
}

/* ---- list mode (E66a) -------------------------------------------------------------------------
 */

static uint64_t
steps_stale(void)
{
    struct session admin = session_of(ZR_ROLE_ADMIN);
    const struct zr_empty nothing = {0};

    assert_int_equal(ask(&admin, ZR_OP_SERVER_STATS, &nothing), ZR_STATUS_OK);
    return rig.reply.server_stats_reply.steps_stale;
}

/* Rung without ROUTE_NEXT though it is paused meanwhile: the ticket is good, and it is counted. */
static void
test_a_stale_step_is_accepted_and_counted(void **state)
{
    struct scene scene;
    struct zr_pause_request pause;

    (void)state;
    scene_fill(&scene);
    scene.route.want = 4;
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(scene.answer.candidates_count, CANDIDATES);
    assert_int_equal(connect(&scene, 2), ZR_STATUS_OK); /* Eligible still: no stale step. */
    assert_true(steps_stale() == 0);

    scene.route = route_request();
    scene.route.want = 4;
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    pause = (struct zr_pause_request){.op_id = rig_key(), .contractor = scene.contractors[1]};
    assert_int_equal(rig_send(rig_portal, ZR_OP_PAUSE, &pause), ZR_STATUS_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(connect(&scene, 1), ZR_STATUS_OK);
        assert_true(steps_stale() == 1); /* The repeat is not counted. */
    }
}

/* ---- keys (E63) -------------------------------------------------------------------------------
 */

static void
rotate(void)
{
    struct session admin = session_of(ZR_ROLE_ADMIN);
    const struct zr_key_rotate_request request = {.op_id = rig_key()};

    assert_int_equal(ask(&admin, ZR_OP_KEY_ROTATE, &request), ZR_STATUS_OK);
}

/* E63, E72: routed before two rotations: ROUTE_NEXT and CONNECT at once, END within 8 days; then
 * the key is unknown. */
static void
test_tickets_outlive_rotations(void **state)
{
    struct scene scene;
    struct scene first;
    struct zr_end_request end = {.who_hung_up = ZR_HUNG_UP_CALLER, .talk_ms = 60000};

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    first = scene;
    rotate();
    scene.route = route_request();
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_not_equal(scene.answer.ticket[1], first.answer.ticket[1]); /* The new key signs. */
    rotate();
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_BUSY), ZR_STATUS_OK);
    end.call_id = first.route.call_id;
    end.answered_at_ms = clock_now_ms(&rig.clock);
    end.ticket_length = first.answer.ticket_length;
    memcpy(end.ticket, first.answer.ticket, end.ticket_length);
    clock_advance_ms(&rig.clock, 6 * DAY_MS);
    for (size_t bit = 0; bit < 8u * end.ticket_length; bit += 7) {
        end.ticket[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(ask(&scene.line, ZR_OP_END, &end), ZR_STATUS_BAD_TICKET);
        end.ticket[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(ask(&scene.line, ZR_OP_END, &end), ZR_STATUS_OK);
    assert_int_equal(rig.reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    clock_advance_ms(&rig.clock, 2 * DAY_MS + HOUR_MS);
    assert_int_equal(ask(&scene.line, ZR_OP_END, &end), ZR_STATUS_BAD_TICKET);
}

/* ---- KEEPALIVE (M3 "unit_ttl") ----------------------------------------------------------------
 */

static uint32_t
units_now(void)
{
    const struct zr_empty nothing = {0};

    assert_int_equal(rig_send(rig_admin, ZR_OP_NOOP_COMMIT, &nothing), ZR_STATUS_OK);
    return hot_now().units;
}

/* Negotiated at HELLO: the unit lives 5 min from the last sign of life; else 30. */
static void
test_keepalive_is_negotiated(void **state)
{
    struct zr_hello_request offer = hello;
    struct scene scene;
    struct zr_qualify_request alive = {.talk_ms = 0};

    (void)state;
    scene_fill(&scene);
    assert_false(scene.line.keepalive);
    scene.line = (struct session){.peer = peer_of(ZR_ROLE_SWITCH, RIG_TENANT, ZR_ROLE_SWITCH)};
    offer.features_optional = UINT64_MAX; /* What the server does not know is left out. */
    assert_int_equal(ask(&scene.line, ZR_OP_HELLO, &offer), ZR_STATUS_OK);
    assert_true(rig.reply.hello_reply.features == ZR_FEATURE_KEEPALIVE);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(connect(&scene, 0), ZR_STATUS_OK);
    alive.call_id = scene.route.call_id;
    for (int i = 0; i < 3; i++) {
        clock_advance_ms(&rig.clock, 299000);
        assert_int_equal(ask(&scene.line, ZR_OP_KEEPALIVE, &alive), ZR_STATUS_OK);
        assert_int_equal(units_now(), 1);
    }
    clock_advance_ms(&rig.clock, 301000);
    assert_int_equal(units_now(), 0);
    /* It was silent too long, and talks all the same: as it would after a restart. */
    assert_int_equal(ask(&scene.line, ZR_OP_KEEPALIVE, &alive), ZR_STATUS_OK);
    assert_int_equal(units_now(), 1);
}

/* A feature that the server lacks, required: VERSION. */
static void
test_unknown_features_cannot_be_required(void **state)
{
    struct session session = {.peer = peer_of(ZR_ROLE_SWITCH, RIG_TENANT, ZR_ROLE_SWITCH)};
    struct zr_hello_request wish = hello;

    (void)state;
    wish.features_required = 2;
    assert_int_equal(ask(&session, ZR_OP_HELLO, &wish), ZR_STATUS_VERSION);
    wish.features_required = ZR_FEATURE_KEEPALIVE;
    assert_int_equal(ask(&session, ZR_OP_HELLO, &wish), ZR_STATUS_OK);
    assert_true(session.keepalive);
}

/* ---- what was not executed ------------------------------------------------------------------ */

/* M6: a job that was refused before it was executed tells its call nothing, whatever the call said
 * that used the job before: the ticket stays the newest, and ROUTE_NEXT goes on with it. */
static void
test_a_refused_report_supersedes_no_ticket(void **state)
{
    struct scene scene;
    struct scene before;

    (void)state;
    scene_fill(&scene);
    before = scene;
    assert_int_equal(route(&before), ZR_STATUS_OK);
    before.route.caller++;
    assert_int_equal(route(&before), ZR_STATUS_OK);
    assert_int_equal(before.answer.revision, 1);
    assert_int_equal(connect(&before, 0), ZR_STATUS_OK);
    scene.route = route_request();
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(scene.answer.revision, 0);
    fault_arm(FAULT_SYNC, 1);
    assert_int_equal(rig_topup(contractor, FUND), ZR_STATUS_UNKNOWN_OUTCOME);
    fault_disarm();
    assert_int_equal(connect(&scene, 0), ZR_STATUS_READ_ONLY);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
}

/* ---- what memory does not know --------------------------------------------------------------- */

/* A call that rings before a restart, and connects behind it while indexes are folded slowly. */
static void
scene_connect_behind_restart(struct scene *scene)
{
    scene_fill(scene);
    assert_int_equal(route(scene), ZR_STATUS_OK);
    rig.fold_slice = 1;
    worker_restart();
    scene->line = session_of(ZR_ROLE_SWITCH);
    assert_int_equal(connect(scene, 0), ZR_STATUS_OK);
}

/*
 * Goal: I6, R35: ROUTE_NEXT of a call that connected after a restart rings nobody, at once.
 * Method: hardly anything is folded, so for a moment the index by call id knows nothing of it; its
 * row does, by the name that stands in the ticket.
 */
static void
test_a_call_connected_after_a_restart_is_known_by_its_ticket(void **state)
{
    struct scene scene;

    (void)state;
    scene_connect_behind_restart(&scene);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_CALL_CONNECTED);
    assert_int_equal(leases_of(scene.contractors[1]), 0);
}

/* E32, I6: nor does a ROUTE of it, which has no ticket to find the row by. */
static void
test_a_call_connected_after_a_restart_is_not_routed_again(void **state)
{
    struct scene scene;

    (void)state;
    scene_connect_behind_restart(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_CALL_CONNECTED);
    assert_int_equal(leases_of(scene.contractors[1]), 0);
}

int
main(void)
{
#define WORKER_TEST(test) cmocka_unit_test_setup_teardown(test, worker_setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_every_outcome_goes_on_to_the_next),
        WORKER_TEST(test_a_cancelled_call_is_abandoned),
        WORKER_TEST(test_the_budget_of_a_cascade),
        WORKER_TEST(test_a_repeat_ends_with_its_ticket),
        WORKER_TEST(test_a_decision_made_anew_keeps_the_history),
        WORKER_TEST(test_older_tickets_are_superseded),
        WORKER_TEST(test_revisions_do_not_wrap),
        WORKER_TEST(test_the_rung_contractor_declines),
        WORKER_TEST(test_a_decliner_is_not_offered_again),
        WORKER_TEST(test_declines_that_are_refused),
        WORKER_TEST(test_the_server_fills_in_whose_call_it_is),
        WORKER_TEST(test_a_stale_step_is_accepted_and_counted),
        WORKER_TEST(test_tickets_outlive_rotations),
        WORKER_TEST(test_keepalive_is_negotiated),
        WORKER_TEST(test_unknown_features_cannot_be_required),
        WORKER_TEST(test_a_refused_report_supersedes_no_ticket),
        WORKER_TEST(test_a_call_connected_after_a_restart_is_known_by_its_ticket),
        WORKER_TEST(test_a_call_connected_after_a_restart_is_not_routed_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
