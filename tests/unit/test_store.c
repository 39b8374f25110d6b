/*
 * test_store.c - the environment: what it refuses to open, what it detects, how it fails.
 */
#include "protocol/bytes.h"
#include "server/base/log.h"
#include "server/store/store.h"
#include "tests/unit/test_faults.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    PATH_BYTES = 128,
    MAP_MIB = 16,
    PAGE_BYTES = 4096,
    META_BYTES = PAGE_BYTES,
    META_TXN_AT = 16 + 128, /* Page header, then mm_txnid of LMDB's MDB_meta. */
    CHECKSUM_BYTES = 8,
};

static char folder[64];
static char file_path[PATH_BYTES];

static int
setup(void **state)
{
    (void)state;
    test_make_dir(folder, sizeof folder);
    (void)snprintf(file_path, sizeof file_path, "%s/zipring.mdb", folder);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fault_disarm();
    test_remove_dir(folder);
    return 0;
}

static enum status
try_open(struct store **store, bool create, uint64_t map_mib)
{
    return store_open(store, &(struct store_options){.folder = folder,
                                                     .map_bytes = map_mib << 20,
                                                     .readers_max = 4,
                                                     .create = create});
}

static struct store *
open_store(bool create)
{
    struct store *store = NULL;

    assert_int_equal(try_open(&store, create, MAP_MIB), STATUS_OK);
    return store;
}

static void
assert_open_says(enum status expected)
{
    struct store *store = NULL;

    assert_int_equal(try_open(&store, false, MAP_MIB), expected);
    assert_null(store);
}

/* Put one number-keyed row in a commit of its own. */
static void
commit_row(struct store *store, enum store_table table, uint64_t key, const void *row, size_t bytes)
{
    struct store_head head = *store_head(store);
    struct store_view view;

    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    store_put_number(&view, table, key, row, bytes);
    head.commit_seq++;
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
}

static uint8_t *
file_read(size_t *bytes)
{
    FILE *file = fopen(file_path, "re");
    struct stat info;
    uint8_t *content;

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    *bytes = (size_t)info.st_size;
    content = malloc(*bytes);
    assert_non_null(content);
    assert_int_equal(fread(content, 1, *bytes, file), *bytes);
    assert_int_equal(fclose(file), 0);
    return content;
}

static void
file_write(size_t offset, const void *bytes, size_t count)
{
    FILE *file = fopen(file_path, "r+e");

    assert_non_null(file);
    assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

/* ---- opening ----------------------------------------------------------------------------- */

static void
test_store_made_once_is_opened_with_its_identity(void **state)
{
    struct store *store = open_store(true);
    const struct store_identity made = *store_identity(store);

    (void)state;
    store_close(store);
    store = open_store(false);
    assert_memory_equal(store_identity(store), &made, sizeof made);
    assert_int_equal(made.schema, STORE_SCHEMA);
    assert_int_equal(made.ticket_keys_count, 1);
    store_close(store);
}

static void
test_store_refuses_to_be_made_twice_or_opened_unmade(void **state)
{
    struct store *store = NULL;

    (void)state;
    assert_open_says(STATUS_NOT_FOUND);
    store_close(open_store(true));
    assert_int_equal(try_open(&store, true, MAP_MIB), STATUS_FOREIGN);
    assert_null(store);
}

static void
test_store_is_opened_by_one_at_a_time(void **state)
{
    struct store *store = open_store(true);

    (void)state;
    assert_open_says(STATUS_IN_USE);
    store_close(store);
    store_close(open_store(false));
}

static void
test_store_refuses_a_file_that_is_not_its_own(void **state)
{
    uint8_t garbage[4 * PAGE_BYTES];

    (void)state;
    memset(garbage, 0xC5, sizeof garbage);
    store_close(open_store(true));
    file_write(0, garbage, sizeof garbage);
    assert_open_says(STATUS_FOREIGN);
}

static void
test_store_refuses_a_newer_schema(void **state)
{
    struct store *store = open_store(true);
    struct store_identity newer = *store_identity(store);
    struct store_head head = *store_head(store);
    struct store_view view;

    (void)state;
    newer.schema = STORE_SCHEMA + 1;
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    store_put(&view, TABLE_META, "identity", 8,
              (struct store_value){(const uint8_t *)&newer, sizeof newer});
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
    store_close(store);
    assert_open_says(STATUS_FOREIGN);
}

/* ---- damage (P14) ------------------------------------------------------------------------ */

/* How a snapshot and the writer find row 7 of the table, in the file as it is now. */
static void
assert_row_is_corrupt(enum store_table table)
{
    struct store *store = open_store(false);
    struct store_view view = {0};
    struct store_value value;

    assert_int_equal(store_read_begin(store, &view), STATUS_OK);
    assert_false(store_get_number(&view, table, 7, &value));
    assert_int_equal(view.failure, STATUS_CORRUPT);
    store_read_close(&view);
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    assert_false(store_get_number(&view, table, 7, &value));
    assert_int_equal(view.failure, STATUS_CORRUPT);
    store_abort(&view);
    store_close(store);
}

/* Goal: no bit of a wallet can flip unseen. Method: flip each, in the row and in its checksum. */
static void
test_store_sees_each_flipped_bit_of_a_money_row(void **state)
{
    uint8_t row[16];
    struct store *store = open_store(true);
    uint8_t *content;
    uint8_t *found;
    size_t bytes;

    (void)state;
    memset(row, 0xB7, sizeof row);
    commit_row(store, TABLE_WALLET, 7, row, sizeof row);
    store_close(store);
    content = file_read(&bytes);
    found = memmem(content, bytes, row, sizeof row);
    assert_non_null(found);
    for (size_t bit = 0; bit < 8 * (sizeof row + CHECKSUM_BYTES); bit++) {
        uint8_t flipped = found[bit / 8] ^ (uint8_t)(1u << bit % 8);

        file_write((size_t)(found - content) + bit / 8, &flipped, 1);
        assert_row_is_corrupt(TABLE_WALLET);
        file_write((size_t)(found - content) + bit / 8, &found[bit / 8], 1);
    }
    free(content);
    store_close(open_store(false));
}

/* The head holds the counters and where recovery starts: it is judged like money. */
static void
test_store_sees_a_flipped_bit_of_its_head(void **state)
{
    struct store *store = open_store(true);
    const uint64_t marker = UINT64_C(0xB7B7B7B7B7B7B7B7);
    struct store_head head = {.commit_seq = marker, .fold_seq = 5};
    struct store_view view;
    uint8_t *content;
    uint8_t *found;
    size_t bytes;

    (void)state;
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
    store_close(store);
    content = file_read(&bytes);
    found = memmem(content, bytes, &marker, sizeof marker);
    assert_non_null(found);
    *found ^= 0x10;
    file_write((size_t)(found - content), found, 1);
    free(content);
    assert_open_says(STATUS_CORRUPT);
}

/* A meta page has no checksum of LMDB's own: half of it new and half of it old is one, too. */
static void
test_store_sees_a_torn_meta_page(void **state)
{
    struct store *store = open_store(true);
    uint8_t old[META_BYTES];
    uint8_t *content;
    size_t bytes;
    size_t page;

    (void)state;
    commit_row(store, TABLE_ZIP, 1, "a", 1);
    content = file_read(&bytes);
    page = zr_load_u64(content + META_TXN_AT) > zr_load_u64(content + META_BYTES + META_TXN_AT)
               ? 0
               : META_BYTES;
    memcpy(old, content + page, sizeof old);
    free(content);
    commit_row(store, TABLE_ZIP, 2, "b", 1);
    commit_row(store, TABLE_ZIP, 3, "c", 1);
    store_close(store);
    content = file_read(&bytes);
    /* The roots of two commits ago under the number of the last. */
    memcpy(old + META_TXN_AT, content + page + META_TXN_AT, sizeof(uint64_t));
    file_write(page, old, sizeof old);
    free(content);
    assert_open_says(STATUS_CORRUPT);
}

/* A file that lost its end would be read behind it: SIGBUS. */
static void
test_store_sees_that_its_file_was_cut(void **state)
{
    struct store *store = open_store(true);
    static uint8_t row[3000];
    uint8_t *content;
    size_t bytes;

    (void)state;
    for (uint64_t key = 1; key <= 200; key++) {
        commit_row(store, TABLE_ZIP, key, row, sizeof row);
    }
    store_close(store);
    content = file_read(&bytes);
    free(content);
    for (size_t kept = 2 * PAGE_BYTES; kept < bytes; kept += 16 * PAGE_BYTES) {
        assert_int_equal(truncate(file_path, (off_t)kept), 0);
        assert_open_says(STATUS_CORRUPT);
    }
}

/* ---- space (P15) ------------------------------------------------------------------------- */

/* Rows 1.. until the map is full; nothing is committed. Returns the failure. */
static enum status
fill_view(struct store_view *view)
{
    static uint8_t row[3000];

    for (uint64_t key = 1; view->failure == STATUS_OK; key++) {
        store_put_number(view, TABLE_ZIP, key, row, sizeof row);
    }
    return view->failure;
}

static void
test_store_full_map_undoes_the_whole_batch(void **state)
{
    struct store *store = NULL;
    struct store_head head;
    struct store_value value;
    struct store_view view;

    (void)state;
    assert_int_equal(try_open(&store, true, 1), STATUS_OK);
    commit_row(store, TABLE_WALLET, 7, "seven", 5);
    head = *store_head(store);
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    store_put_number(&view, TABLE_WALLET, 7, "other", 5);
    assert_int_equal(fill_view(&view), STATUS_NO_SPACE);
    /* What rules still ask of the failed view is answered, whatever the answer. */
    (void)store_get_number(&view, TABLE_WALLET, 7, &value);
    (void)store_count(&view, TABLE_ZIP);
    store_del(&view, TABLE_WALLET, &(uint64_t){7}, sizeof(uint64_t));
    head.commit_seq++;
    assert_int_equal(store_commit(&view, &head), STATUS_NO_SPACE);
    assert_int_equal(store_head(store)->commit_seq, 1);

    view = (struct store_view){0};
    assert_int_equal(store_read_begin(store, &view), STATUS_OK);
    assert_true(store_get_number(&view, TABLE_WALLET, 7, &value));
    assert_memory_equal(value.bytes, "seven", 5);
    assert_int_equal(store_count(&view, TABLE_ZIP), 0);
    store_read_close(&view);
    commit_row(store, TABLE_WALLET, 8, "eight", 5);
    store_close(store);
}

static void
test_store_full_map_heals_with_a_larger_one(void **state)
{
    struct store *store = NULL;
    struct store_head head;
    struct store_view view;

    (void)state;
    assert_int_equal(try_open(&store, true, 1), STATUS_OK);
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    assert_int_equal(fill_view(&view), STATUS_NO_SPACE);
    store_abort(&view);
    store_close(store);
    store = open_store(false);
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    for (uint64_t key = 1; key < 1000; key++) {
        store_put_number(&view, TABLE_ZIP, key, "row", 3);
    }
    head = *store_head(store);
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
    store_close(store);
}

/* A commit whose system call fails: what it says, and whether the next one works. */
static void
commit_with_fault(enum fault_kind kind, int nth, enum status expected)
{
    struct store *store = open_store(true);
    struct store_head head;
    struct store_value value;
    struct store_view view;

    commit_row(store, TABLE_WALLET, 7, "seven", 5);
    head = *store_head(store);
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    store_put_number(&view, TABLE_WALLET, 7, "other", 5);
    head.commit_seq++;
    fault_arm(kind, nth);
    assert_int_equal(store_commit(&view, &head), expected);
    fault_disarm();
    assert_int_equal(store_head(store)->commit_seq, 1);
    if (expected == STATUS_NO_SPACE) {
        commit_row(store, TABLE_WALLET, 8, "eight", 5);
        view = (struct store_view){0};
        assert_int_equal(store_read_begin(store, &view), STATUS_OK);
        assert_true(store_get_number(&view, TABLE_WALLET, 7, &value));
        assert_memory_equal(value.bytes, "seven", 5);
        store_read_close(&view);
    }
    store_close(store);
}

/* pitfalls.md 29: LMDB tells a short write as EIO. It is a full disk when the disk is full. */
static void
test_store_full_disk_is_no_space_and_nothing_happened(void **state)
{
    (void)state;
    commit_with_fault(FAULT_NO_SPACE, 1, STATUS_NO_SPACE);
    test_remove_dir(folder);
    (void)setup(NULL);
    commit_with_fault(FAULT_SHORT_WRITE, 1, STATUS_NO_SPACE);
}

/* P16: whatever else fails, nobody knows, and the server must stop. */
static void
test_store_failed_write_or_sync_is_io(void **state)
{
    (void)state;
    commit_with_fault(FAULT_WRITE, 1, STATUS_IO);
    test_remove_dir(folder);
    (void)setup(NULL);
    commit_with_fault(FAULT_SYNC, 1, STATUS_IO);
}

/* The last write of a commit is its meta page: LMDB refuses everything after that one failed. */
static void
test_store_failed_meta_page_is_io_even_on_a_full_disk(void **state)
{
    (void)state;
    commit_with_fault(FAULT_NO_SPACE, 2, STATUS_IO);
    test_remove_dir(folder);
    (void)setup(NULL);
    commit_with_fault(FAULT_SHORT_WRITE, 2, STATUS_IO);
}

/* ---- rows -------------------------------------------------------------------------------- */

static bool
sum_keys(void *context, struct store_value key, struct store_value row)
{
    uint64_t number;

    (void)row;
    memcpy(&number, key.bytes, sizeof number);
    *(uint64_t *)context = *(uint64_t *)context * 10 + number;
    return number != 3;
}

static void
test_store_walks_in_key_order_until_it_is_told_to_stop(void **state)
{
    struct store *store = open_store(true);
    struct store_view view;
    struct store_value found;
    struct store_value value;
    uint64_t seen = 0;
    uint64_t key = 3;

    (void)state;
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    for (uint64_t i = 4; i > 0; i--) {
        store_put_number(&view, TABLE_ZIP, i, &i, sizeof i);
    }
    store_scan(&view, TABLE_ZIP, sum_keys, &seen);
    assert_int_equal(seen, 123);
    assert_int_equal(store_count(&view, TABLE_ZIP), 4);
    store_del(&view, TABLE_ZIP, &key, sizeof key);
    store_del(&view, TABLE_ZIP, &key, sizeof key);
    assert_true(store_seek(
        &view, TABLE_ZIP, (struct store_value){(const uint8_t *)&key, sizeof key}, &found, &value));
    memcpy(&key, found.bytes, sizeof key);
    assert_int_equal(key, 4);
    key = 5;
    assert_false(store_seek(
        &view, TABLE_ZIP, (struct store_value){(const uint8_t *)&key, sizeof key}, &found, &value));
    assert_int_equal(view.failure, STATUS_OK);
    store_abort(&view);
    store_close(store);
}

static void
test_store_snapshot_sees_one_commit_until_it_is_renewed(void **state)
{
    struct store *store = open_store(true);
    struct store_view view = {0};
    struct store_value value;

    (void)state;
    commit_row(store, TABLE_ZIP, 1, "a", 1);
    assert_int_equal(store_read_begin(store, &view), STATUS_OK);
    commit_row(store, TABLE_ZIP, 2, "b", 1);
    assert_false(store_get_number(&view, TABLE_ZIP, 2, &value));
    store_read_end(&view);
    assert_int_equal(store_read_begin(store, &view), STATUS_OK);
    assert_true(store_get_number(&view, TABLE_ZIP, 2, &value));
    expect_assert_failure(store_put_number(&view, TABLE_ZIP, 3, "c", 1));
    store_read_close(&view);
    store_close(store);
}

int
main(void)
{
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_store_made_once_is_opened_with_its_identity),
        STORE_TEST(test_store_refuses_to_be_made_twice_or_opened_unmade),
        STORE_TEST(test_store_is_opened_by_one_at_a_time),
        STORE_TEST(test_store_refuses_a_file_that_is_not_its_own),
        STORE_TEST(test_store_refuses_a_newer_schema),
        STORE_TEST(test_store_sees_each_flipped_bit_of_a_money_row),
        STORE_TEST(test_store_sees_a_flipped_bit_of_its_head),
        STORE_TEST(test_store_sees_a_torn_meta_page),
        STORE_TEST(test_store_sees_that_its_file_was_cut),
        STORE_TEST(test_store_full_map_undoes_the_whole_batch),
        STORE_TEST(test_store_full_map_heals_with_a_larger_one),
        STORE_TEST(test_store_full_disk_is_no_space_and_nothing_happened),
        STORE_TEST(test_store_failed_write_or_sync_is_io),
        STORE_TEST(test_store_failed_meta_page_is_io_even_on_a_full_disk),
        STORE_TEST(test_store_walks_in_key_order_until_it_is_told_to_stop),
        STORE_TEST(test_store_snapshot_sees_one_commit_until_it_is_renewed),
    };

    log_set_level(LOG_LEVEL_ERROR);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
