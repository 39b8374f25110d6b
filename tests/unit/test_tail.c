/*
 * test_tail.c - the unfolded rows against a plain model, over a real store.
 *
 * Goal: whatever is put, folded, committed or thrown away, in any order, tail and table together
 * always say the newest durable image, and fold_seq never says that a touch is in its table which
 * is not; and that a walk over both (state_scan) meets each row once, in the order of keys. Method:
 * random batches over few keys, so that the same row is touched, folded and touched again; each
 * ends at random as a commit or as a failure. Then every key is compared.
 */
#include "server/base/log.h"
#include "server/store/state.h"
#include "tests/lib/test.h"

#include <string.h>

enum {
    KEYS = 24,
    ROWS_MAX = 16, /* Fewer than keys: the tail runs full. */
    BATCHES = 4000,
    PUTS_MAX = 12,
    FOLDS_MAX = 8,
    MAP_MIB = 16,
    VALUE_BYTES = 9,
};

/* What a key should be, and its place in the order of first touches. */
struct model_row {
    uint64_t value; /* 0 = no row. */
    uint64_t first_seq;
    uint32_t order; /* 0 = up to date in its table. */
};

struct model {
    struct model_row rows[KEYS];
    uint64_t seq;
    uint32_t orders;
};

static char folder[64];
static struct store *store;
static struct arena arena;
static struct tail *tail;
static struct store_view view;

static int
setup(void **state)
{
    (void)state;
    test_make_dir(folder, sizeof folder);
    arena_init(&arena);
    tail = tail_open(&arena, ROWS_MAX);
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

/* Half of the keys are numbers of wallets, half are 14 bytes of the duplicate index. */
static struct tail_row
image_of(uint32_t key, uint64_t value)
{
    struct tail_row image = {0};

    if (key % 2 == 0) {
        image.table = TABLE_WALLET;
        image.key_bytes = 8;
    } else {
        image.table = TABLE_DUPLICATE;
        image.key_bytes = 14;
    }
    memcpy(image.key, &key, sizeof key);
    if (value != 0) {
        image.row_bytes = VALUE_BYTES;
        memcpy(image.row, &value, sizeof value);
    }
    return image;
}

/* Value of a row of the tail or of the table, 0 = none. */
static uint64_t
value_now(uint32_t key)
{
    const struct tail_row image = image_of(key, 0);
    const struct tail_row *newer = tail_find(tail, image.table, image.key, image.key_bytes);
    struct store_value stored;
    uint64_t value = 0;

    if (newer != NULL) {
        memcpy(&value, newer->row, newer->row_bytes == 0 ? 0 : sizeof value);
    } else if (store_get(&view, image.table, image.key, image.key_bytes, &stored)) {
        assert_int_equal(stored.bytes_count, VALUE_BYTES);
        memcpy(&value, stored.bytes, sizeof value);
    }
    return value;
}

static uint32_t
model_unfolded(const struct model *model)
{
    uint32_t count = 0;

    for (uint32_t key = 0; key < KEYS; key++) {
        count += model->rows[key].order != 0;
    }
    return count;
}

/* Puts at random, several under one position. False when the tail was full. */
static bool
batch_put(struct model *model, uint64_t *random)
{
    for (uint64_t puts = test_random_below(random, PUTS_MAX); puts > 0; puts--) {
        const uint32_t key = (uint32_t)test_random_below(random, KEYS);
        const uint64_t value =
            test_random_below(random, 4) == 0 ? 0 : model->seq * KEYS * 4 + puts * KEYS + key + 1;
        const struct tail_row image = image_of(key, value);
        struct model_row *row = &model->rows[key];

        model->seq += test_random_below(random, 2);
        if (!tail_put(tail, model->seq, &image)) {
            assert_int_equal(model_unfolded(model), ROWS_MAX);
            assert_int_equal(row->order, 0);
            return false;
        }
        row->value = value;
        if (row->order == 0) {
            row->order = ++model->orders;
            row->first_seq = model->seq;
        }
    }
    return true;
}

/* The model's oldest unfolded row, or NULL. */
static struct model_row *
model_oldest(struct model *model)
{
    struct model_row *oldest = NULL;

    for (uint32_t key = 0; key < KEYS; key++) {
        struct model_row *row = &model->rows[key];

        if (row->order != 0 && (oldest == NULL || row->order < oldest->order)) {
            oldest = row;
        }
    }
    return oldest;
}

static void
batch_fold(struct model *model, uint64_t *random)
{
    const uint32_t asked = (uint32_t)test_random_below(random, FOLDS_MAX + 1);
    const uint32_t waiting = model_unfolded(model);
    const uint32_t folded = tail_fold(tail, &view, asked);
    const struct model_row *oldest;

    assert_int_equal(folded, asked < waiting ? asked : waiting);
    for (uint32_t i = 0; i < folded; i++) {
        model_oldest(model)->order = 0;
    }
    oldest = model_oldest(model);
    assert_int_equal(tail_folded_to(tail, model->seq),
                     oldest == NULL ? model->seq : oldest->first_seq - 1);
}

/* A walk over one table: what it met last, and how much. */
struct walk {
    const struct model *model;
    enum store_table table;
    uint8_t key[TAIL_KEY_BYTES_MAX];
    uint32_t rows;
    uint32_t stop_at; /* Walk no further than this many. */
};

static bool
walk_row(void *context, struct store_value key, struct store_value row)
{
    struct walk *walk = context;
    uint64_t value;
    uint32_t number;

    assert_true(walk->rows == 0 ||
                store_compare(&view, walk->table, (struct store_value){walk->key, key.bytes_count},
                              key) < 0);
    memcpy(walk->key, key.bytes, key.bytes_count);
    memcpy(&number, key.bytes, sizeof number);
    memcpy(&value, row.bytes, sizeof value);
    assert_int_equal(row.bytes_count, VALUE_BYTES);
    assert_int_equal(value, walk->model->rows[number].value);
    return ++walk->rows < walk->stop_at;
}

static void
assert_walk_is(const struct model *model, enum store_table table, uint32_t parity)
{
    struct state state = {.view = &view, .tail = tail};
    struct walk walk = {.model = model, .table = table, .stop_at = UINT32_MAX};
    uint32_t rows = 0;

    for (uint32_t key = parity; key < KEYS; key += 2) {
        rows += model->rows[key].value != 0;
    }
    state_scan(&state, table, walk_row, &walk);
    assert_int_equal(walk.rows, rows);
    if (rows > 1) { /* Who has seen enough is not called again. */
        walk = (struct walk){.model = model, .table = table, .stop_at = rows / 2};
        state_scan(&state, table, walk_row, &walk);
        assert_int_equal(walk.rows, rows / 2);
    }
}

static void
assert_tail_is(const struct model *model)
{
    view = (struct store_view){0};
    assert_int_equal(store_read_begin(store, &view), STATUS_OK);
    assert_int_equal(tail_count(tail), model_unfolded(model));
    assert_int_equal(tail_room(tail), ROWS_MAX - model_unfolded(model));
    for (uint32_t key = 0; key < KEYS; key++) {
        const struct tail_row image = image_of(key, 0);
        const struct tail_row *row = tail_find(tail, image.table, image.key, image.key_bytes);

        assert_int_equal(value_now(key), model->rows[key].value);
        assert_int_equal(row != NULL, model->rows[key].order != 0);
        if (row != NULL) {
            assert_int_equal(row->first_seq, model->rows[key].first_seq);
        }
    }
    assert_walk_is(model, TABLE_WALLET, 0);
    assert_walk_is(model, TABLE_DUPLICATE, 1);
    assert_int_equal(view.failure, STATUS_OK);
    store_read_close(&view);
}

static void
run_batch(struct model *model, uint64_t *random)
{
    const struct model before = *model;
    struct store_head head = {0};
    bool fits;

    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    fits = batch_put(model, random);
    if (fits) {
        batch_fold(model, random);
    }
    if (fits && test_random_below(random, 3) != 0) {
        assert_int_equal(store_commit(&view, &head), STATUS_OK);
        tail_batch_done(tail);
    } else {
        store_abort(&view);
        tail_batch_undo(tail);
        *model = before;
    }
    assert_tail_is(model);
}

static void
test_tail_and_table_always_say_what_a_plain_model_says(void **state)
{
    struct model model = {.seq = 1};
    uint64_t random = test_seed();

    (void)state;
    for (int i = 0; i < BATCHES; i++) {
        run_batch(&model, &random);
    }
}

/* Folding takes no row away before its commit is durable. */
static void
test_tail_folded_row_stays_until_the_batch_is_done(void **state)
{
    const struct tail_row image = image_of(2, 7);
    struct store_head head = {0};

    (void)state;
    assert_true(tail_put(tail, 5, &image));
    tail_batch_done(tail);
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    assert_int_equal(tail_fold(tail, &view, 10), 1);
    assert_int_equal(tail_folded_to(tail, 9), 9);
    assert_non_null(tail_find(tail, TABLE_WALLET, image.key, image.key_bytes));
    /* Folds come last: a put behind them could leave with its older image. */
    expect_assert_failure((void)tail_put(tail, 6, &image));
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
    tail_batch_done(tail);
    assert_null(tail_find(tail, TABLE_WALLET, image.key, image.key_bytes));
    assert_int_equal(tail_count(tail), 0);
}

static void
test_tail_can_be_cleared(void **state)
{
    const struct tail_row image = image_of(2, 7);

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(tail_put(tail, 5, &image));
        tail_batch_done(tail);
        tail_clear(tail);
        assert_int_equal(tail_count(tail), 0);
        assert_int_equal(tail_room(tail), ROWS_MAX);
        assert_null(tail_find(tail, TABLE_WALLET, image.key, image.key_bytes));
    }
}

/* One batch can be undone up to TAIL_UNDO_MAX puts; room says when it is near. */
static void
test_tail_bounds_what_one_batch_can_touch(void **state)
{
    struct tail_row image = image_of(2, 1);

    (void)state;
    for (uint64_t i = 1; i <= TAIL_UNDO_MAX; i++) {
        memcpy(image.row, &i, sizeof i);
        assert_int_equal(tail_room(tail), i == 1 ? ROWS_MAX
                                          : TAIL_UNDO_MAX - i + 1 < ROWS_MAX - 1
                                              ? TAIL_UNDO_MAX - i + 1
                                              : ROWS_MAX - 1);
        assert_true(tail_put(tail, i, &image));
    }
    assert_int_equal(tail_room(tail), 0);
    assert_false(tail_put(tail, TAIL_UNDO_MAX + 1, &image));
    tail_batch_undo(tail);
    assert_int_equal(tail_count(tail), 0);
    assert_null(tail_find(tail, TABLE_WALLET, image.key, image.key_bytes));
    assert_true(tail_put(tail, 1, &image));
}

int
main(void)
{
#define TAIL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TAIL_TEST(test_tail_and_table_always_say_what_a_plain_model_says),
        TAIL_TEST(test_tail_folded_row_stays_until_the_batch_is_done),
        TAIL_TEST(test_tail_can_be_cleared),
        TAIL_TEST(test_tail_bounds_what_one_batch_can_touch),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
