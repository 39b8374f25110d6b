/*
 * test_rings.c - what workers saw ring comes into the log, whole and in order, or is counted.
 */
#include "tests/unit/test_commit.h"
#include "tests/unit/test_faults.h"

#include <pthread.h>
#include <sched.h>

enum { FACTS_MAX = 8, PUSHED_MAX = 20000, RUNG = 50, FUND = 100000 };

static struct zr_ring_fact
fact_of(uint32_t contractor, uint64_t number)
{
    struct zr_ring_fact fact = {
        .time_ms = number, .contractor = contractor, .zip = RIG_ZIP, .category = 1, .rank = 1};

    memcpy(fact.call_ref.bytes, &number, sizeof number);
    return fact;
}

/* ---- the queue ----------------------------------------------------------------------------- */

static struct ring_facts queue;

static bool
push(uint64_t number)
{
    const struct zr_ring_fact fact = fact_of(1, number);

    return ring_facts_push(&queue, &fact);
}

static void
test_ring_facts_stay_until_they_are_durable(void **state)
{
    struct zr_rings_request request;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    ring_facts_init(&queue, &arena, FACTS_MAX);
    for (uint64_t i = 0; i < FACTS_MAX; i++) {
        assert_true(push(i));
    }
    assert_false(push(99));
    assert_int_equal(atomic_load(&queue.backlog.lost), 1);
    ring_facts_copy(&queue, 0, &request);
    assert_int_equal(request.rings_count, FACTS_MAX);
    ring_facts_copy(&queue, 5, &request);
    assert_int_equal(request.rings_count, FACTS_MAX - 5);
    assert_int_equal(request.rings[0].time_ms, 5);
    assert_int_equal(ring_facts_count(&queue), FACTS_MAX);
    ring_facts_forget(&queue, 5);
    assert_int_equal(ring_facts_count(&queue), FACTS_MAX - 5);
    assert_true(push(8));
    ring_facts_copy(&queue, 0, &request);
    assert_int_equal(request.rings[0].time_ms, 5);
    assert_int_equal(request.rings[request.rings_count - 1].time_ms, 8);
    arena_deinit(&arena);
}

static void *
push_all(void *context)
{
    (void)context;
    for (uint64_t i = 0; i < PUSHED_MAX; i++) {
        while (!push(i)) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void
test_ring_facts_come_whole_and_in_order_between_two_threads(void **state)
{
    struct zr_rings_request request;
    struct arena arena;
    pthread_t worker;
    uint64_t next = 0;

    (void)state;
    arena_init(&arena);
    ring_facts_init(&queue, &arena, FACTS_MAX);
    assert_int_equal(pthread_create(&worker, NULL, push_all, NULL), 0);
    while (next < PUSHED_MAX) {
        ring_facts_copy(&queue, 0, &request);
        for (uint16_t i = 0; i < request.rings_count; i++) {
            const struct zr_ring_fact expected = fact_of(1, next++);

            /* Up to its last field: behind it nobody says what is there. */
            assert_memory_equal(&request.rings[i], &expected,
                                offsetof(struct zr_ring_fact, rank) + sizeof expected.rank);
        }
        ring_facts_forget(&queue, request.rings_count);
    }
    assert_int_equal(pthread_join(worker, NULL), 0);
    arena_deinit(&arena);
}

/* ---- into the log -------------------------------------------------------------------------- */

static uint32_t
events_count(uint32_t contractor, uint8_t type)
{
    struct store_view view = {0};
    struct state state = {.view = &view};
    struct event_row event;
    uint32_t count = 0;

    assert_int_equal(store_read_begin(rig.store, &view), STATUS_OK);
    for (uint64_t seq = 1; state_event_get(&state, seq, &event); seq++) {
        count += event.type == type && event.contractor == contractor;
    }
    store_read_close(&view);
    return count;
}

/* As a worker does: take the lease, tell the ring that it counts, give the lease back. */
static void
ring(uint32_t contractor, uint32_t count)
{
    const struct eligibility_call call = {.now_ms = clock_now_ms(&rig.clock),
                                          .rate_cents = RIG_RATE};
    uint32_t reasons;

    for (uint32_t i = 0; i < count; i++) {
        const struct zr_ring_fact fact = fact_of(contractor, call.now_ms);

        assert_int_equal(hot_lease_take(rig.hot, contractor, &call, &reasons), HOT_LEASE_COUNTED);
        hot_lease_give(rig.hot, contractor, RIG_RATE);
        assert_true(ring_facts_push(committer_rings(rig.committer), &fact));
    }
}

/* One whose rings count from the begin where it has a cap on them. */
static uint32_t
serve_with_contractor(bool capped)
{
    struct zr_caps_put_request caps = {
        .caps_count = 1,
        .caps = {{.limit = 1000, .window = ZR_CAP_WINDOW_DAY, .measure = ZR_CAP_MEASURE_CALLS}}};

    rig_import_zip();
    assert_int_equal(rig_category(rig_key(), "plumbing"), ZR_STATUS_OK);
    caps.contractor = rig_contractor(FUND);
    if (capped) {
        caps.op_id = rig_key();
        assert_int_equal(rig_send(rig_portal, ZR_OP_CAPS_PUT, &caps), ZR_STATUS_OK);
    }
    rig_commit(0);
    rig_crash();
    rig_serve();
    return caps.contractor;
}

/* Who asks afterwards is told with them: they come before the next command. */
static void
test_rings_stand_in_the_log_before_the_next_command(void **state)
{
    const uint32_t contractor = serve_with_contractor(true);

    (void)state;
    ring(contractor, RUNG);
    assert_int_equal(rig_posted(contractor), FUND);
    assert_int_equal(ring_facts_count(committer_rings(rig.committer)), 0);
    assert_int_equal(events_count(contractor, ZR_EVENT_CALL_OFFERED), RUNG);
    rig_stop();
    assert_int_equal(rig_replay(), STATUS_OK);
}

/* R62: misses of somebody whose begins do not count, more than one command holds; the warning is
 * the same in a replay. */
static void
test_misses_of_anybody_stand_in_the_log(void **state)
{
    const uint32_t contractor = serve_with_contractor(false);

    (void)state;
    for (uint32_t i = 0; i < RUNG; i++) {
        struct zr_ring_fact fact = fact_of(contractor, clock_now_ms(&rig.clock));

        fact.outcome = ZR_OUTCOME_NO_ANSWER;
        assert_true(ring_facts_push(committer_rings(rig.committer), &fact));
    }
    assert_int_equal(rig_posted(contractor), FUND);
    assert_int_equal(events_count(contractor, ZR_EVENT_CALL_MISSED), RUNG);
    assert_int_equal(events_count(contractor, ZR_EVENT_ANSWER_RATE_LOW), 1);
    rig_stop();
    assert_int_equal(rig_replay(), STATUS_OK);
}

/* A batch that did not happen took none of them. */
static void
test_rings_of_a_failed_batch_go_with_the_next(void **state)
{
    const uint32_t contractor = serve_with_contractor(true);

    (void)state;
    fault_arm(FAULT_NO_SPACE, 1);
    ring(contractor, RUNG);
    assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_STORAGE_FULL);
    assert_int_equal(ring_facts_count(committer_rings(rig.committer)), RUNG);
    fault_disarm();
    assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_OK);
    assert_int_equal(events_count(contractor, ZR_EVENT_CALL_OFFERED), RUNG);
    rig_stop();
}

/* What rang when the server was told to stop is not forgotten. */
static void
test_rings_are_drained_at_the_stop(void **state)
{
    const uint32_t contractor = serve_with_contractor(true);

    (void)state;
    ring(contractor, 3);
    rig_stop();
    rig_serve();
    assert_int_equal(events_count(contractor, ZR_EVENT_CALL_OFFERED), 3);
    rig_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_facts_stay_until_they_are_durable),
        cmocka_unit_test(test_ring_facts_come_whole_and_in_order_between_two_threads),
        RIG_TEST(test_rings_stand_in_the_log_before_the_next_command),
        RIG_TEST(test_misses_of_anybody_stand_in_the_log),
        RIG_TEST(test_rings_of_a_failed_batch_go_with_the_next),
        RIG_TEST(test_rings_are_drained_at_the_stop),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
