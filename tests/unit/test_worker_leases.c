/*
 * test_worker_leases.c - when a lease ends: with the ringing, never before (M3, M4, R35, R49, E27,
 * E32, E35, E44).
 */
#include "tests/unit/test_worker_scene.h"

static struct zr_end_request
end_of(const struct scene *scene, uint8_t index)
{
    struct zr_end_request end = {.call_id = scene->route.call_id,
                                 .index = index,
                                 .answered_at_ms = clock_now_ms(&rig.clock),
                                 .talk_ms = 5000,
                                 .who_hung_up = ZR_HUNG_UP_CONTRACTOR,
                                 .caller_stays = true};

    end.ticket_length = scene->answer.ticket_length;
    memcpy(end.ticket, scene->answer.ticket, end.ticket_length);
    return end;
}

/* Who has leases, as bits by place in the cascade; none has two of one call. */
static unsigned
leased(const struct scene *scene)
{
    unsigned bits = 0;

    for (int i = 0; i < CANDIDATES; i++) {
        const uint32_t leases = leases_of(scene->contractors[i]);

        assert_in_range(leases, 0, 1);
        bits |= leases << i;
    }
    return bits;
}

/* ---- CONNECT that is refused (E27) ----------------------------------------------------------- */

/* E27: class 10 means that nothing happened: his phone rings on, and no other call may ring it. */
static void
test_a_bad_connect_leaves_the_lease(void **state)
{
    struct scene scene;
    struct zr_connect_request request = {.index = 0};

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    request.ticket_length = scene.answer.ticket_length;
    memcpy(request.ticket, scene.answer.ticket, request.ticket_length);
    request.answered_at_ms = clock_now_ms(&rig.clock) + SLACK_MS + 1000;
    assert_int_equal(ask(&scene.line, ZR_OP_CONNECT, &request), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(leased(&scene), 1);
    request.answered_at_ms = 1; /* Before issue. */
    assert_int_equal(ask(&scene.line, ZR_OP_CONNECT, &request), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(leased(&scene), 1);
    request.index = 1; /* Not in the ticket. */
    assert_int_equal(ask(&scene.line, ZR_OP_CONNECT, &request), ZR_STATUS_BAD_TICKET);
    assert_int_equal(leased(&scene), 1);
    clock_advance_ms(&rig.clock, RING_MS + SLACK_MS - 1);
    turn_begin();
    turn_end();
    assert_int_equal(leased(&scene), 1);
    request = (struct zr_connect_request){.index = 0};
    request.ticket_length = scene.answer.ticket_length;
    memcpy(request.ticket, scene.answer.ticket, request.ticket_length);
    assert_int_equal(ask(&scene.line, ZR_OP_CONNECT, &request), ZR_STATUS_OK);
    assert_int_equal(leased(&scene), 0);
    assert_int_equal(hot_now().units, 1);
}

/* M4: refused for what he is, or because another was first: "do not bridge" - he rings no more. */
static void
test_a_refused_connect_ends_the_ringing(void **state)
{
    struct zr_contractor_status_request suspend = {.contractor_status = ZR_CONTRACTOR_SUSPENDED};
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    suspend.op_id = rig_key();
    suspend.contractor = scene.contractors[0];
    assert_int_equal(rig_send(rig_admin, ZR_OP_CONTRACTOR_STATUS, &suspend), ZR_STATUS_OK);
    assert_int_equal(connect(&scene, 0), ZR_STATUS_NOT_APPROVED);
    assert_int_equal(leased(&scene), 0);
}

/* ---- CONNECT of another (R49) ---------------------------------------------------------------- */

/* R49, M3: in list mode the first of the ticket has the lease; whoever of it answers, the call is
 * connected and nobody rings for it. */
static void
test_a_connect_ends_every_lease_of_its_call(void **state)
{
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    for (uint8_t index = 0; index < CANDIDATES; index++) {
        scene.route = route_request();
        scene.route.want = CANDIDATES;
        assert_int_equal(route(&scene), ZR_STATUS_OK);
        assert_int_equal(leased(&scene), 1);
        assert_int_equal(connect(&scene, index), ZR_STATUS_OK);
        assert_int_equal(leased(&scene), 0);
    }
}

/* E35: the one before answered while the next rang already. */
static void
test_a_late_answer_ends_the_next_ones_lease(void **state)
{
    struct scene scene;
    struct scene first;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    first = scene;
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    assert_int_equal(leased(&scene), 2);
    assert_int_equal(connect(&first, 0), ZR_STATUS_OK);
    assert_int_equal(leased(&scene), 0);
    assert_int_equal(connect(&scene, 1), ZR_STATUS_ALREADY_CONNECTED);
    assert_int_equal(leased(&scene), 0);
}

/* E35, E47: he talked only a moment. The question that made the next one ring is asked again: that
 * one rings again, and no other call may ring him meanwhile (E27). */
static void
test_who_rings_after_a_late_leg_has_a_lease(void **state)
{
    struct scene scene;
    struct scene first;
    struct zr_end_request end;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    first = scene;
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    assert_int_equal(connect(&first, 0), ZR_STATUS_OK);
    assert_int_equal(leased(&scene), 0);
    end = end_of(&first, 0);
    assert_int_equal(ask(&first.line, ZR_OP_END, &end), ZR_STATUS_OK);
    for (int i = 0; i < 2; i++) { /* The second time it is a repeat. */
        scene = first;
        assert_int_equal(next(&scene, 0, ZR_OUTCOME_FAILED), ZR_STATUS_OK);
        assert_int_equal(scene.answer.candidates[0].contractor, scene.contractors[1]);
        assert_int_equal(leased(&scene), 2);
    }
}

/* M6: a ticket of an older revision goes on as the newest one: with the lease of that. */
static void
test_an_older_ticket_takes_the_newest_ones_lease(void **state)
{
    struct zr_contractor_status_request suspend = {.contractor_status = ZR_CONTRACTOR_SUSPENDED};
    struct zr_pause_request pause = {.claim_id = 0};
    struct scene scene;
    struct scene first;

    (void)state;
    scene_fill(&scene);
    scene.route.want = CANDIDATES;
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    first = scene;
    pause.op_id = rig_key();
    pause.contractor = scene.contractors[0];
    assert_int_equal(rig_send(rig_portal, ZR_OP_PAUSE, &pause), ZR_STATUS_OK);
    scene.route.caller++;
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(scene.answer.revision, 1);
    assert_int_equal(leased(&scene), 2);
    suspend.op_id = rig_key();
    suspend.contractor = scene.contractors[1];
    assert_int_equal(rig_send(rig_admin, ZR_OP_CONTRACTOR_STATUS, &suspend), ZR_STATUS_OK);
    assert_int_equal(connect(&first, 1), ZR_STATUS_NOT_APPROVED);
    assert_int_equal(leased(&scene), 0);
}

/* ---- ROUTE_NEXT ------------------------------------------------------------------------------ */

/* M3, E37: nobody is left to ring, so nobody is kept from other calls. */
static void
test_an_exhausted_call_has_no_lease(void **state)
{
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    for (uint8_t index = 0; index < CANDIDATES - 1; index++) {
        assert_int_equal(index == 0 ? route(&scene) : ZR_STATUS_OK, ZR_STATUS_OK);
        assert_int_equal(next(&scene, index, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    }
    assert_int_equal(leased(&scene), 1 << (CANDIDATES - 1));
    assert_int_equal(next(&scene, CANDIDATES - 1, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_EXHAUSTED);
    assert_int_equal(leased(&scene), 0);
}

/* ---- END without a CONNECT (E44) ------------------------------------------------------------- */

/* R35, E32: that leg was connected: the same ROUTE does not ring him again, and he is free. */
static void
test_an_end_by_ticket_ends_the_ringing(void **state)
{
    struct scene scene;
    struct zr_end_request end;

    (void)state;
    scene_fill(&scene);
    for (uint8_t index = 0; index < CANDIDATES; index++) {
        scene.route = route_request();
        scene.route.want = CANDIDATES;
        assert_int_equal(route(&scene), ZR_STATUS_OK);
        end = end_of(&scene, index);
        assert_int_equal(ask(&scene.line, ZR_OP_END, &end), ZR_STATUS_OK);
        assert_int_equal(rig.reply.settlement_reply.state, ZR_CALL_RINGING);
        assert_int_equal(leased(&scene), 0);
        assert_int_equal(route(&scene), ZR_STATUS_CALL_CONNECTED);
        assert_int_equal(leased(&scene), 0);
    }
}

/* The cascade went on before that END was sent: who rings now keeps his lease. */
static void
test_a_spooled_end_leaves_the_next_ones_lease(void **state)
{
    struct scene scene;
    struct scene ringing;
    struct zr_end_request end;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    end = end_of(&scene, 0);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_FAILED), ZR_STATUS_OK);
    for (int i = 0; i < 2; i++) { /* Also when it is repeated. */
        assert_int_equal(ask(&scene.line, ZR_OP_END, &end), ZR_STATUS_OK);
        assert_int_equal(leased(&scene), 2);
    }
    ringing = scene;
    assert_int_equal(route(&scene), ZR_STATUS_CALL_CONNECTED); /* E32 */
    assert_int_equal(connect(&ringing, 1), ZR_STATUS_OK);
    assert_int_equal(leased(&scene), 0);
}

/* E34: the caller hung up after that leg; its END, said again, revives nothing. */
static void
test_a_repeated_end_revives_no_cancelled_call(void **state)
{
    struct scene scene;
    struct zr_end_request end;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    end = end_of(&scene, 0);
    assert_int_equal(ask(&scene.line, ZR_OP_END, &end), ZR_STATUS_OK);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_CALLER_CANCELLED), ZR_STATUS_ABANDONED);
    assert_int_equal(ask(&scene.line, ZR_OP_END, &end), ZR_STATUS_OK);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_FAILED), ZR_STATUS_ABANDONED);
    assert_int_equal(leased(&scene), 0);
}

/* M4: a call that was cancelled and answered after all rings on; who is next has a lease for as
 * long as he rings, and no longer. */
static void
test_a_cancelled_call_that_rings_again_gives_its_lease_back(void **state)
{
    struct scene scene;
    struct zr_end_request end;

    (void)state;
    scene_fill(&scene);
    assert_int_equal(route(&scene), ZR_STATUS_OK);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_CALLER_CANCELLED), ZR_STATUS_ABANDONED);
    clock_advance_ms(&rig.clock, SLACK_MS);
    turn_begin();
    turn_end();
    end = end_of(&scene, 0);
    assert_int_equal(connect(&scene, 0), ZR_STATUS_OK);
    assert_int_equal(ask(&scene.line, ZR_OP_END, &end), ZR_STATUS_OK);
    assert_int_equal(next(&scene, 0, ZR_OUTCOME_NO_ANSWER), ZR_STATUS_OK);
    assert_int_equal(leased(&scene), 2);
    clock_advance_ms(&rig.clock, RING_MS + SLACK_MS + 200);
    turn_begin();
    turn_end();
    assert_int_equal(leased(&scene), 0);
}

int
main(void)
{
#define WORKER_TEST(test) cmocka_unit_test_setup_teardown(test, worker_setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_bad_connect_leaves_the_lease),
        WORKER_TEST(test_a_refused_connect_ends_the_ringing),
        WORKER_TEST(test_a_connect_ends_every_lease_of_its_call),
        WORKER_TEST(test_a_late_answer_ends_the_next_ones_lease),
        WORKER_TEST(test_who_rings_after_a_late_leg_has_a_lease),
        WORKER_TEST(test_an_older_ticket_takes_the_newest_ones_lease),
        WORKER_TEST(test_an_exhausted_call_has_no_lease),
        WORKER_TEST(test_an_end_by_ticket_ends_the_ringing),
        WORKER_TEST(test_a_spooled_end_leaves_the_next_ones_lease),
        WORKER_TEST(test_a_repeated_end_revives_no_cancelled_call),
        WORKER_TEST(test_a_cancelled_call_that_rings_again_gives_its_lease_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
