/*
 * test_reopen.c - a folder that was closed well opens again, and one that was cut off does not.
 *
 * The one idea: what a file looks like after a clean close is LMDB's business, and it is not
 * always what one expects. It does not write pages at the end of the file that a transaction took
 * and gave back, so that a sound database may be shorter than its last page; and the same length
 * may be that of a file whose end is lost. Random transactions over small and large rows, each
 * followed by a close and an open, meet the first; cutting pages off the result meets the second:
 * then the store is refused each time, or it opens because nothing that counts was cut off.
 */
#include "protocol/check.h"
#include "server/base/log.h"
#include "server/store/store.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SEQUENCES = 40,
    COMMITS = 40,
    ROWS = 60,
    CHANGES_MAX = 40,
    SMALL_BYTES = 900,
    LARGE_BYTES = 15000, /* On pages of their own. */
    KEY_BYTES = 16,
    PAGE_BYTES = 4096,
    CUTS = 24,
    PATH_BYTES = 128,
};
#define MAP_BYTES (UINT64_C(1) << 28)

static uint64_t random_state;

static uint32_t
draw(uint32_t below)
{
    return (uint32_t)test_random_below(&random_state, below);
}

static enum status
open_again(struct store **store, const char *folder, bool create)
{
    return store_open(
        store, &(struct store_options){
                   .folder = folder, .map_bytes = MAP_BYTES, .readers_max = 1, .create = create});
}

static void
change(struct store_view *view, uint32_t row, bool put)
{
    static const uint8_t bytes[LARGE_BYTES];
    char key[KEY_BYTES + 1];

    (void)snprintf(key, sizeof key, "row-%012u", row);
    if (put) {
        store_put(view, TABLE_IMPORT, key, KEY_BYTES,
                  (struct store_value){bytes, draw(draw(4) == 0 ? LARGE_BYTES : SMALL_BYTES)});
    } else {
        store_del(view, TABLE_IMPORT, key, KEY_BYTES);
    }
}

/* One transaction; often it takes out again what it brought. */
static void
commit_some(struct store *store)
{
    const uint32_t changes = draw(CHANGES_MAX);
    struct store_head head = *store_head(store);
    struct store_view view;

    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    for (uint32_t i = 0; i < changes; i++) {
        change(&view, draw(ROWS), draw(3) != 0);
    }
    for (uint32_t i = 0; draw(2) == 0 && i < ROWS; i++) {
        change(&view, i, false);
    }
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
}

static void
path_of(char path[PATH_BYTES], const char *folder)
{
    (void)snprintf(path, PATH_BYTES, "%s/zipring.mdb", folder);
}

static off_t
length_of(const char *path)
{
    struct stat file;

    assert_int_equal(stat(path, &file), 0);
    return file.st_size;
}

static bool
count_row(void *context, struct store_value key, struct store_value row)
{
    uint64_t *rows = context;

    (void)key;
    (void)row;
    (*rows)++;
    return true;
}

/* Every row of the store, each with a right checksum. */
static uint64_t
rows_of(struct store *store)
{
    struct store_view view = {0};
    uint64_t rows = 0;

    assert_int_equal(store_read_begin(store, &view), STATUS_OK);
    for (unsigned table = 0; table < STORE_TABLES; table++) {
        store_scan(&view, (enum store_table)table, count_row, &rows);
    }
    assert_int_equal(view.failure, STATUS_OK);
    store_read_close(&view);
    return rows;
}

static void
test_store_opens_after_every_clean_close(void **state)
{
    (void)state;
    for (int sequence = 0; sequence < SEQUENCES; sequence++) {
        char folder[64];
        struct store *store = NULL;

        test_make_dir(folder, sizeof folder);
        assert_int_equal(open_again(&store, folder, true), STATUS_OK);
        for (int i = 0; i < COMMITS; i++) {
            commit_some(store);
            store_close(store);
            assert_int_equal(open_again(&store, folder, false), STATUS_OK);
        }
        (void)rows_of(store);
        store_close(store);
        test_remove_dir(folder);
    }
}

/* Cut pages off: refused, at the second try too, and the file left as it was; or all is there. */
static void
cut_and_open(const char *folder, off_t length, uint64_t rows)
{
    char path[PATH_BYTES];
    struct store *store = NULL;
    enum status status;

    path_of(path, folder);
    assert_int_equal(truncate(path, length), 0);
    status = open_again(&store, folder, false);
    if (status == STATUS_OK) {
        assert_int_equal(rows_of(store), rows);
        store_close(store);
        return;
    }
    assert_int_equal(status, STATUS_CORRUPT);
    assert_int_equal(length_of(path), length);
    assert_int_equal(open_again(&store, folder, false), STATUS_CORRUPT);
}

static void
test_store_refuses_a_file_that_was_cut_off(void **state)
{
    char folder[64];
    char path[PATH_BYTES];
    struct store *store = NULL;
    uint64_t rows;
    off_t length;

    (void)state;
    test_make_dir(folder, sizeof folder);
    path_of(path, folder);
    assert_int_equal(open_again(&store, folder, true), STATUS_OK);
    for (int i = 0; i < COMMITS; i++) {
        commit_some(store);
    }
    rows = rows_of(store);
    store_close(store);
    length = length_of(path);
    assert_true(length > (off_t)CUTS * PAGE_BYTES);
    for (int i = 1; i <= CUTS; i++) { /* Each shorter than the one before. */
        cut_and_open(folder, length - (off_t)i * PAGE_BYTES, rows);
    }
    test_remove_dir(folder);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_opens_after_every_clean_close),
        cmocka_unit_test(test_store_refuses_a_file_that_was_cut_off),
    };

    random_state = test_seed();
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
