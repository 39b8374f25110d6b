/*
 * test_worker_leases.c - when a lease ends: with the ringing, never before (M3, M4, R35, R49, E27,
 * E32, E35, E44).
 */
#include "tests/unit/test_worker_scene.h"

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

int
main(void)
{
#define WORKER_TEST(test) cmocka_unit_test_setup_teardown(test, worker_setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_bad_connect_leaves_the_lease),
        WORKER_TEST(test_a_refused_connect_ends_the_ringing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
