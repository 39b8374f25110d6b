/*
 * test_lookahead.c - frames that stand before the worker are looked at without being judged: what
 * is wrong with them does no harm, and the answers are those that they get alone.
 */
#include "tests/unit/test_worker_scene.h"

enum { FRAMES = FRAMES_AHEAD_MAX };

/* Frames of requests, as they would stand in a connection's buffer. */
struct waiting {
    struct job jobs[FRAMES];
    const uint8_t *frames[FRAMES];
    size_t count;
};

static void
waiting_add(struct waiting *waiting, uint16_t op, const void *message)
{
    struct job *job = &waiting->jobs[waiting->count];

    rig_fill(job, rig_admin, op, message);
    waiting->frames[waiting->count++] = job->frame;
}

static void
header_change(struct job *job, uint16_t op, uint32_t size)
{
    struct zr_header header = job->header;

    header.op = op;
    header.size = size;
    zr_header_encode(job->frame, &header);
}

/* Every kind of frame that a peer may send. */
static void
waiting_fill(struct waiting *waiting)
{
    const struct zr_route_next_request next_request = {.outcome = ZR_OUTCOME_BUSY};
    struct zr_route_request request = route_request();

    waiting->count = 0;
    waiting_add(waiting, ZR_OP_ROUTE, &request);
    waiting_add(waiting, ZR_OP_ROUTE_NEXT, &next_request);
    request.zips[0] = 99999; /* No such ZIP. */
    waiting_add(waiting, ZR_OP_ROUTE, &request);
    request.zips[0] = UINT32_MAX;
    waiting_add(waiting, ZR_OP_ROUTE, &request);
    request = route_request();
    request.category = UINT16_MAX;
    waiting_add(waiting, ZR_OP_ROUTE, &request);
    request.category = 0;
    waiting_add(waiting, ZR_OP_ROUTE, &request);
    request.category = CATEGORY + 1; /* Not offered. */
    waiting_add(waiting, ZR_OP_ROUTE, &request);
    request = route_request();
    waiting_add(waiting, ZR_OP_ROUTE, &request);
    header_change(&waiting->jobs[waiting->count - 1], ZR_OP_ROUTE, ZR_HEADER_BYTES); /* No body. */
    waiting_add(waiting, ZR_OP_ROUTE, &request);
    header_change(&waiting->jobs[waiting->count - 1], UINT16_MAX, ZR_HEADER_BYTES); /* No such. */
    while (waiting->count < FRAMES) {
        waiting_add(waiting, ZR_OP_ROUTE, &request);
    }
}

static void
test_what_stands_ahead_changes_no_answer(void **state)
{
    static struct waiting waiting;
    struct scene scene;

    (void)state;
    scene_fill(&scene);
    waiting_fill(&waiting);
    for (size_t count = 0; count <= FRAMES; count++) {
        port.on_frames_ahead(port.context, waiting.frames, count);
        scene.route = route_request();
        assert_int_equal(route(&scene), ZR_STATUS_OK);
        assert_int_equal(scene.answer.candidates[0].contractor, scene.contractors[0]);
        assert_int_equal(scene.answer.skipped_count, 0);
        assert_int_equal(next(&scene, 0, ZR_OUTCOME_CALLER_CANCELLED), ZR_STATUS_ABANDONED);
        clock_advance_ms(&rig.clock, 300000);
    }
}

/* Nothing is known before the first frame of all: nothing is looked at. */
static void
test_before_the_first_turn_nothing_is_looked_at(void **state)
{
    static struct waiting waiting;

    (void)state;
    waiting_fill(&waiting);
    assert_false(service->cache->loaded);
    port.on_frames_ahead(port.context, waiting.frames, waiting.count);
    assert_false(service->cache->loaded);
}

int
main(void)
{
#define WORKER_TEST(test) cmocka_unit_test_setup_teardown(test, worker_setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_what_stands_ahead_changes_no_answer),
        WORKER_TEST(test_before_the_first_turn_nothing_is_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
