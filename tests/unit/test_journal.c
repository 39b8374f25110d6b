/*
 * test_journal.c - the log of everything that changed: numbered, chained, with images.
 */
#include "tests/unit/test_commit.h"

#include <stdlib.h>

enum { TOPUPS = 12 };

/* Some commands that touch wallets and accounts. Returns the contractor. */
static uint32_t
make_history(void)
{
    const uint32_t contractor = rig_contractor(0);

    for (int i = 0; i < TOPUPS; i++) {
        assert_int_equal(rig_topup(contractor, 2500 + i), ZR_STATUS_OK);
    }
    rig_commit(0);
    return contractor;
}

/* No gaps; each row carries the hash of the one before it; the newest is the head's. */
static void
test_journal_is_a_chain_without_gaps(void **state)
{
    uint8_t previous[SHA256_BYTES] = {0};
    struct journal_entry entry;

    (void)state;
    (void)make_history();
    for (uint64_t seq = 1; seq <= rig.executor.head.commit_seq; seq++) {
        assert_true(journal_read(&rig.view, seq, &entry));
        assert_memory_equal(entry.head.previous, previous, sizeof previous);
        assert_true(journal_hash(&rig.view, rig.executor.mac, seq, previous));
    }
    assert_false(journal_read(&rig.view, rig.executor.head.commit_seq + 1, &entry));
    assert_memory_equal(rig.executor.head.journal_hash, previous, sizeof previous);
    rig_crash();
}

/* The request as it came over the wire, and who sent it. */
static void
test_journal_keeps_the_request_and_its_sender(void **state)
{
    struct journal_entry entry;

    (void)state;
    (void)make_history();
    assert_true(journal_read(&rig.view, rig.executor.head.commit_seq, &entry));
    assert_int_equal(entry.head.frame_bytes, rig.last->header.size);
    assert_memory_equal(entry.frame, rig.last->frame, rig.last->header.size);
    assert_int_equal(entry.head.tenant, rig_payments.tenant);
    assert_int_equal(entry.head.role, ZR_ROLE_PAYMENTS);
    assert_int_equal(entry.head.status, ZR_STATUS_OK);
    rig_crash();
}

/* The images alone rebuild what the rules had in memory. */
static void
test_journal_images_rebuild_the_tail(void **state)
{
    const uint64_t contractor = make_history();
    struct tail *tail = tail_open(&rig.arena, RIG_TAIL_ROWS);
    struct journal_entry entry;
    const struct tail_row *wallet;
    const struct tail_row *rebuilt;

    (void)state;
    for (uint64_t seq = 1; seq <= rig.executor.head.commit_seq; seq++) {
        assert_true(journal_read(&rig.view, seq, &entry));
        assert_true(journal_restore_images(tail, seq, &entry));
    }
    assert_int_equal(tail_count(tail), tail_count(rig.tail));
    wallet = tail_find(rig.tail, TABLE_WALLET, &contractor, sizeof contractor);
    rebuilt = tail_find(tail, TABLE_WALLET, &contractor, sizeof contractor);
    assert_non_null(wallet);
    assert_non_null(rebuilt);
    assert_int_equal(rebuilt->first_seq, wallet->first_seq);
    assert_int_equal(rebuilt->row_bytes, wallet->row_bytes);
    assert_memory_equal(rebuilt->row, wallet->row, wallet->row_bytes);
    rig_crash();
}

/* Every truncation of the images is refused; nothing is read behind them. */
static void
test_journal_refuses_truncated_images(void **state)
{
    struct journal_entry entry;
    uint16_t whole;

    (void)state;
    (void)make_history();
    assert_true(journal_read(&rig.view, rig.executor.head.commit_seq, &entry));
    whole = entry.head.images_bytes;
    assert_true(whole > 2 * (3 + 8));
    for (uint16_t bytes = 1; bytes < whole; bytes++) {
        struct arena arena;
        struct tail *tail;
        uint8_t *copy = malloc(bytes); /* Exactly as long, so that ASan sees one byte too many. */
        const struct journal_entry cut = {.head = {.images_bytes = bytes}, .images = copy};

        assert_non_null(copy);
        memcpy(copy, entry.images, bytes);
        arena_init(&arena);
        tail = tail_open(&arena, 8);
        /* Whole images fit a shorter row too: then it is only a shorter row. */
        if (journal_restore_images(tail, 1, &cut)) {
            assert_true(tail_count(tail) < 3);
        }
        arena_deinit(&arena);
        free(copy);
    }
    rig_crash();
}

/* Lengths that no row of ours has: a table, a key or a row too long. */
static void
test_journal_refuses_images_that_do_not_fit(void **state)
{
    static const uint8_t wrong[][3] = {
        {STORE_TABLES, 8, 8},
        {TABLE_WALLET, TAIL_KEY_BYTES_MAX + 1, 8},
        {TABLE_WALLET, 8, TAIL_ROW_BYTES_MAX + 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t bytes[3 + 255] = {0};
        const struct journal_entry entry = {.head = {.images_bytes = sizeof bytes},
                                            .images = bytes};

        memcpy(bytes, wrong[i], sizeof wrong[i]);
        assert_false(journal_restore_images(rig.tail, 1, &entry));
    }
    assert_int_equal(tail_count(rig.tail), 0);
    rig_crash();
}

static void
test_journal_says_when_the_tail_is_full(void **state)
{
    struct tail *small = tail_open(&rig.arena, 1);
    struct journal_entry entry;

    (void)state;
    (void)make_history();
    assert_true(journal_read(&rig.view, rig.executor.head.commit_seq, &entry));
    assert_false(journal_restore_images(small, 1, &entry));
    rig_crash();
}

/* Rows of another length than they say are none. */
static void
test_journal_refuses_rows_of_a_wrong_length(void **state)
{
    struct journal_entry entry;
    struct store_value value;
    uint8_t row[JOURNAL_ROW_BYTES_MAX];
    size_t bytes;

    (void)state;
    (void)make_history();
    assert_true(store_get_number(&rig.view, TABLE_JOURNAL, 1, &value));
    bytes = value.bytes_count;
    memcpy(row, value.bytes, bytes);
    for (size_t length = 0; length <= bytes + 1; length++) {
        row[bytes] = 0;
        store_put_number(&rig.view, TABLE_JOURNAL, 1, row, length);
        assert_int_equal(journal_read(&rig.view, 1, &entry), length == bytes);
    }
    rig_crash();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_journal_is_a_chain_without_gaps),
        RIG_TEST(test_journal_keeps_the_request_and_its_sender),
        RIG_TEST(test_journal_images_rebuild_the_tail),
        RIG_TEST(test_journal_refuses_truncated_images),
        RIG_TEST(test_journal_refuses_images_that_do_not_fit),
        RIG_TEST(test_journal_says_when_the_tail_is_full),
        RIG_TEST(test_journal_refuses_rows_of_a_wrong_length),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
