/*
 * test_decisions.c - the record of each decision: no reply waits for it, a full ring counts.
 */
#include "server/base/log.h"
#include "server/commit/decisions.h"
#include "tests/lib/test.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

enum { ROWS_MAX = 8, MAP_MIB = 64, PUSHED_MAX = 20000 };

static char folder[64];
static struct store *store;
static struct arena arena;
static struct decision_ring ring;
static struct store_view view;

static int
setup(void **state)
{
    (void)state;
    test_make_dir(folder, sizeof folder);
    arena_init(&arena);
    decision_ring_init(&ring, &arena, ROWS_MAX);
    return store_open(&store, &(struct store_options){.folder = folder,
                                                      .map_bytes = (uint64_t)MAP_MIB << 20,
                                                      .readers_max = 1,
                                                      .create = true}) == STATUS_OK
               ? 0
               : -1;
}

static int
teardown(void **state)
{
    (void)state;
    store_close(store);
    arena_deinit(&arena);
    test_remove_dir(folder);
    return 0;
}

static struct decision_row
row_of(uint32_t number)
{
    struct decision_row row = {
        .zip = number, .judged_count = 1, .judged = {{.contractor = number}}};

    memcpy(row.call_ref.bytes, &number, sizeof number);
    return row;
}

static void
push(uint32_t number)
{
    const struct decision_row row = row_of(number);

    decision_push(&ring, &row);
}

static uint64_t
stored_count(void)
{
    uint64_t count;

    view = (struct store_view){0};
    assert_int_equal(store_read_begin(store, &view), STATUS_OK);
    count = store_count(&view, TABLE_DECISION);
    store_read_close(&view);
    return count;
}

static uint32_t
drain_and_commit(void)
{
    struct store_head head = {0};
    uint32_t drained;

    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    drained = decision_drain(&ring, &view, 0);
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
    decision_forget(&ring, drained);
    return drained;
}

static void
test_decisions_are_stored_with_the_next_batch(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        push(i);
    }
    assert_int_equal(decision_count(&ring), 5);
    assert_int_equal(drain_and_commit(), 5);
    assert_int_equal(decision_count(&ring), 0);
    assert_int_equal(drain_and_commit(), 0);
    assert_int_equal(stored_count(), 5);
}

static void
test_decisions_over_a_full_ring_are_counted(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ROWS_MAX + 3; i++) {
        push(i);
    }
    assert_int_equal(decision_count(&ring), ROWS_MAX);
    assert_int_equal(atomic_load(&ring.backlog.lost), 3);
    assert_int_equal(drain_and_commit(), ROWS_MAX);
    push(100);
    assert_int_equal(atomic_load(&ring.backlog.lost), 3);
}

/* A batch that is thrown away takes no record with it. */
static void
test_decisions_of_a_failed_batch_go_with_the_next(void **state)
{
    (void)state;
    push(1);
    push(2);
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    assert_int_equal(decision_drain(&ring, &view, 0), 2);
    store_abort(&view);
    assert_int_equal(stored_count(), 0);
    assert_int_equal(decision_count(&ring), 2);
    assert_int_equal(drain_and_commit(), 2);
    assert_int_equal(stored_count(), 2);
}

/* EXPLAIN drains in the middle of a batch, whose end drains the rest: none is written twice. */
static void
test_decisions_are_drained_once_in_a_batch(void **state)
{
    struct store_head head = {0};
    uint32_t drained;

    (void)state;
    push(1);
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    drained = decision_drain(&ring, &view, 0);
    assert_int_equal(drained, 1);
    push(2);
    drained = decision_drain(&ring, &view, drained);
    assert_int_equal(drained, 2);
    assert_int_equal(decision_drain(&ring, &view, drained), 2);
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
    decision_forget(&ring, drained);
    assert_int_equal(stored_count(), 2);
    assert_int_equal(decision_count(&ring), 0);
}

/* One attempt that was decided again has two records (R68): what was answered was decided. */
static void
test_decisions_of_one_attempt_are_all_kept(void **state)
{
    struct decision_row row = row_of(1);

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        row.time_ms = 1000 + i;
        decision_push(&ring, &row);
        assert_int_equal(drain_and_commit(), 1);
        assert_int_equal(stored_count(), i + 1);
    }
}

/* Who asks without end fills no disk: the newest gives way. */
static void
test_decisions_of_one_attempt_are_bounded(void **state)
{
    struct decision_row row = row_of(1);

    (void)state;
    for (uint32_t i = 0; i < DECISION_AGAIN_MAX + 5; i++) {
        row.time_ms = 1000 + i;
        decision_push(&ring, &row);
        assert_int_equal(drain_and_commit(), 1);
    }
    assert_int_equal(stored_count(), DECISION_AGAIN_MAX + 1);
}

/* E71: carried once, beside what the same attempt was decided since. */
static void
test_decision_is_carried_beside_another_of_its_attempt(void **state)
{
    struct ticket ticket = {.issued_ms = 1000, .snapshot_seq = 7, .candidates_count = 1};
    struct decision_row row = row_of(1);
    struct store_head head = {0};

    (void)state;
    ticket.call_ref = row.call_ref;
    row.time_ms = 2000;
    decision_push(&ring, &row);
    assert_int_equal(drain_and_commit(), 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_write_begin(store, &view), STATUS_OK);
        decision_carry(&view, &ticket);
        assert_int_equal(store_commit(&view, &head), STATUS_OK);
        assert_int_equal(stored_count(), 2);
    }
}

/* Every claim that was judged is kept, as it was judged; a primary that was skipped is marked. */
static void
test_decision_record_keeps_all_that_was_judged(void **state)
{
    struct cascade_decision decision = {.judged_count = SLOT_CLAIMS_MAX};
    struct decision_row row = {0};

    (void)state;
    for (uint8_t i = 0; i < SLOT_CLAIMS_MAX; i++) {
        decision.judged[i].contractor = 100u + i;
        decision.judged[i].rate_cents = 2000u - i;
        decision.judged[i].rank = (uint8_t)(i + 1);
        decision.judged[i].reasons = i < 3 ? REASON_PAUSED : 0;
    }
    decision.candidates_count = 2;
    decision.candidates[0] = 3;
    decision.candidates[1] = 4;
    decision_record(&row, &decision);
    assert_int_equal(row.judged_count, SLOT_CLAIMS_MAX);
    assert_int_equal(row.flags, 0);
    assert_int_equal(row.judged[3].contractor, 103);
    assert_int_equal(row.judged[3].rate_cents, 1997);
    assert_int_equal(row.judged[SLOT_CLAIMS_MAX - 1].rank, SLOT_CLAIMS_MAX);
    assert_int_equal(row.judged[2].reasons, REASON_PAUSED);
    assert_int_equal(row.candidates_count, 2);
    assert_int_equal(row.candidates[1], 4);

    decision.judged[0].reasons = 0;
    decision_record(&row, &decision);
    assert_int_equal(row.flags, DECISION_SKIPPED_PRIMARY);
}

/* ---- two threads ------------------------------------------------------------------------- */

static void *
push_all(void *context)
{
    (void)context;
    for (uint32_t i = 0; i < PUSHED_MAX; i++) {
        push(i);
        if (i % ROWS_MAX == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

/* Whatever the worker's speed: each record is stored whole or counted as lost. */
static void
test_decisions_are_stored_or_counted_between_two_threads(void **state)
{
    struct store_head head = {0};
    pthread_t worker;
    uint64_t drained = 0;

    (void)state;
    assert_int_equal(pthread_create(&worker, NULL, push_all, NULL), 0);
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    while (drained + atomic_load(&ring.backlog.lost) < PUSHED_MAX) {
        const uint32_t some = decision_drain(&ring, &view, 0);

        decision_forget(&ring, some);
        drained += some;
    }
    assert_int_equal(pthread_join(worker, NULL), 0);
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
    assert_int_equal(drained + atomic_load(&ring.backlog.lost), PUSHED_MAX);
    assert_int_equal(stored_count(), drained);
}

int
main(void)
{
#define DECISIONS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        DECISIONS_TEST(test_decisions_are_stored_with_the_next_batch),
        DECISIONS_TEST(test_decisions_over_a_full_ring_are_counted),
        DECISIONS_TEST(test_decisions_of_a_failed_batch_go_with_the_next),
        DECISIONS_TEST(test_decisions_are_drained_once_in_a_batch),
        DECISIONS_TEST(test_decisions_of_one_attempt_are_all_kept),
        DECISIONS_TEST(test_decisions_of_one_attempt_are_bounded),
        DECISIONS_TEST(test_decision_is_carried_beside_another_of_its_attempt),
        DECISIONS_TEST(test_decision_record_keeps_all_that_was_judged),
        DECISIONS_TEST(test_decisions_are_stored_or_counted_between_two_threads),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
