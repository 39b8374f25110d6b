/*
 * tail.c - see tail.h. A chained hash table over a fixed pool, plus a queue in fold order.
 *
 * Folding only marks: a folded row stays readable until its commit is durable, and a touch after
 * the mark, in the same batch or a later one, must find it where it was.
 */
#include "server/store/tail.h"

#include "protocol/check.h"

#include <stddef.h>
#include <string.h>
#include <xxhash.h>

struct undo {
    uint32_t index;
    bool added; /* The batch brought the row: take it out again. */
    struct tail_row before;
};

struct tail {
    struct tail_row *rows;
    uint32_t *chains; /* Index + 1 of each chain's first row. */
    uint32_t chains_mask;
    uint32_t rows_max;
    uint32_t count;
    uint32_t free;   /* Index + 1 of the first free row. */
    uint32_t oldest; /* Fold order, index + 1. */
    uint32_t newest;
    uint32_t folded; /* Rows at the front of the order that this batch folded. */
    uint64_t secret; /* Keys hold peers' data: chains must not be theirs to choose. */
    struct undo *undo;
    uint32_t undo_count;
    uint32_t *sorted; /* Indexes, by tail_sort(). */
    uint32_t sorted_count;
};

struct tail *
tail_open(struct arena *arena, uint32_t rows_max)
{
    struct tail *tail = arena_take(arena, sizeof *tail, "tail: head of the unfolded rows");
    uint32_t chains = 1;

    CHECK(rows_max > 0);
    while (chains < rows_max) {
        chains *= 2;
    }
    tail->rows = arena_take(arena, (size_t)rows_max * sizeof *tail->rows,
                            "tail: rows newer than their tables (unfolded_rows_max)");
    tail->chains = arena_take(arena, (size_t)chains * sizeof *tail->chains, "tail: hash chains");
    tail->undo =
        arena_take(arena, (size_t)TAIL_UNDO_MAX * sizeof *tail->undo, "tail: undo of one batch");
    tail->sorted = arena_take(arena, (size_t)rows_max * sizeof *tail->sorted,
                              "tail: rows of a table in the order of its keys");
    tail->chains_mask = chains - 1;
    tail->rows_max = rows_max;
    for (uint32_t i = rows_max; i > 0; i--) {
        tail->rows[i - 1].next = tail->free;
        tail->free = i;
    }
    random_fill(&tail->secret, sizeof tail->secret);
    return tail;
}

static uint32_t *
chain_of(const struct tail *tail, enum store_table table, const void *key, size_t key_bytes)
{
    const XXH64_hash_t hash = XXH3_64bits_withSeed(key, key_bytes, tail->secret ^ table);

    return &tail->chains[hash & tail->chains_mask];
}

static uint32_t
find_index(const struct tail *tail, enum store_table table, const void *key, size_t key_bytes)
{
    uint32_t at = *chain_of(tail, table, key, key_bytes);

    while (at != 0) {
        const struct tail_row *row = &tail->rows[at - 1];

        if (row->table == table && row->key_bytes == key_bytes &&
            memcmp(row->key, key, key_bytes) == 0) {
            return at;
        }
        at = row->next;
    }
    return 0;
}

const struct tail_row *
tail_find(const struct tail *tail, enum store_table table, const void *key, size_t key_bytes)
{
    const uint32_t at = find_index(tail, table, key, key_bytes);

    CHECK(key_bytes <= TAIL_KEY_BYTES_MAX);
    return at == 0 ? NULL : &tail->rows[at - 1];
}

static void
chain_remove(struct tail *tail, uint32_t at)
{
    struct tail_row *row = &tail->rows[at - 1];
    uint32_t *link = chain_of(tail, row->table, row->key, row->key_bytes);

    while (*link != at) {
        CHECK(*link != 0);
        link = &tail->rows[*link - 1].next;
    }
    *link = row->next;
    row->next = tail->free;
    tail->free = at;
    CHECK(tail->count > 0);
    tail->count--;
}

/* Most rows are far shorter than the longest: what is behind their end is left, on lines of
 * memory that nobody needs. */
static void
row_copy(struct tail_row *to, const struct tail_row *from)
{
    memcpy(to, from, offsetof(struct tail_row, row) + from->row_bytes);
}

static uint32_t
row_add(struct tail *tail, uint64_t seq, const struct tail_row *image)
{
    const uint32_t at = tail->free;
    uint32_t *chain = chain_of(tail, image->table, image->key, image->key_bytes);
    struct tail_row *row = &tail->rows[at - 1];

    tail->free = row->next;
    row_copy(row, image);
    row->first_seq = seq;
    row->next = *chain;
    row->older = 0;
    *chain = at;
    if (tail->newest != 0) {
        tail->rows[tail->newest - 1].older = at;
    } else {
        tail->oldest = at;
    }
    tail->newest = at;
    tail->count++;
    return at;
}

bool
tail_put(struct tail *tail, uint64_t seq, const struct tail_row *image)
{
    uint32_t at = find_index(tail, image->table, image->key, image->key_bytes);
    struct undo *undo = &tail->undo[tail->undo_count];

    CHECK(image->key_bytes <= TAIL_KEY_BYTES_MAX);
    CHECK(image->row_bytes <= TAIL_ROW_BYTES_MAX);
    /* Folds come last in a batch, or a touched row could leave with its older image. */
    CHECK(tail->folded == 0);
    if (tail->undo_count == TAIL_UNDO_MAX || (at == 0 && tail->free == 0)) {
        return false;
    }
    if (at == 0) {
        at = row_add(tail, seq, image);
        undo->added = true;
    } else {
        undo->added = false;
        row_copy(&undo->before, &tail->rows[at - 1]);
        memcpy(tail->rows[at - 1].row, image->row, image->row_bytes);
        tail->rows[at - 1].row_bytes = image->row_bytes;
    }
    undo->index = at;
    tail->undo_count++;
    return true;
}

uint32_t
tail_count(const struct tail *tail)
{
    return tail->count;
}

uint32_t
tail_room(const struct tail *tail)
{
    const uint32_t undo = TAIL_UNDO_MAX - tail->undo_count;
    const uint32_t rows = tail->rows_max - tail->count;

    return undo < rows ? undo : rows;
}

uint32_t
tail_fold(struct tail *tail, struct store_view *view, uint32_t rows_count)
{
    uint32_t at = tail->oldest;

    CHECK(tail->folded == 0);
    while (at != 0 && tail->folded < rows_count) {
        const struct tail_row *row = &tail->rows[at - 1];

        if (row->row_bytes == 0) {
            store_del(view, row->table, row->key, row->key_bytes);
        } else {
            store_put(view, row->table, row->key, row->key_bytes,
                      (struct store_value){row->row, row->row_bytes});
        }
        at = row->older;
        tail->folded++;
    }
    return tail->folded;
}

uint64_t
tail_folded_to(const struct tail *tail, uint64_t seq)
{
    uint32_t at = tail->oldest;

    for (uint32_t i = 0; i < tail->folded; i++) {
        at = tail->rows[at - 1].older;
    }
    return at == 0 ? seq : tail->rows[at - 1].first_seq - 1;
}

void
tail_batch_done(struct tail *tail)
{
    for (; tail->folded > 0; tail->folded--) {
        const uint32_t at = tail->oldest;

        tail->oldest = tail->rows[at - 1].older;
        if (tail->oldest == 0) {
            tail->newest = 0;
        }
        chain_remove(tail, at);
    }
    tail->undo_count = 0;
}

/* Added rows are the newest of the order, so taking them back is from its end; the order is
 * singly linked, so the new end is found once. */
void
tail_batch_undo(struct tail *tail)
{
    uint32_t last = 0;
    uint32_t added = 0;
    uint32_t at = tail->oldest;

    tail->folded = 0;
    for (uint32_t i = tail->undo_count; i > 0; i--) {
        const struct undo *undo = &tail->undo[i - 1];

        if (undo->added) {
            added++;
        } else {
            const uint32_t next = tail->rows[undo->index - 1].next;
            const uint32_t older = tail->rows[undo->index - 1].older;

            row_copy(&tail->rows[undo->index - 1], &undo->before);
            tail->rows[undo->index - 1].next = next;
            tail->rows[undo->index - 1].older = older;
        }
    }
    for (uint32_t keep = tail->count - added; keep > 0; keep--) {
        last = at;
        at = tail->rows[at - 1].older;
    }
    while (at != 0) {
        const uint32_t older = tail->rows[at - 1].older;

        chain_remove(tail, at);
        at = older;
    }
    if (last == 0) {
        tail->oldest = 0;
    } else {
        tail->rows[last - 1].older = 0;
    }
    tail->newest = last;
    tail->undo_count = 0;
}

void
tail_clear(struct tail *tail)
{
    tail->folded = tail->count;
    tail_batch_done(tail);
}

/* ---- order of keys --------------------------------------------------------------------------- */

static bool
sorted_before(const struct tail *tail, struct store_view *view, uint32_t left, uint32_t right)
{
    const struct tail_row *a = &tail->rows[left];
    const struct tail_row *b = &tail->rows[right];

    return store_compare(view, a->table, (struct store_value){a->key, a->key_bytes},
                         (struct store_value){b->key, b->key_bytes}) < 0;
}

/* Let the row at `root` sink to its place in the heap of the first `count`. */
static void
sorted_sink(struct tail *tail, struct store_view *view, uint32_t root, uint32_t count)
{
    uint32_t *sorted = tail->sorted;

    while (2 * root + 1 < count) {
        uint32_t child = 2 * root + 1;
        const uint32_t sinking = sorted[root];

        if (child + 1 < count && sorted_before(tail, view, sorted[child], sorted[child + 1])) {
            child++;
        }
        if (!sorted_before(tail, view, sinking, sorted[child])) {
            return;
        }
        sorted[root] = sorted[child];
        sorted[child] = sinking;
        root = child;
    }
}

/* A heap sort: it takes no memory, which the library's may. */
uint32_t
tail_sort(struct tail *tail, struct store_view *view, enum store_table table)
{
    uint32_t count = 0;

    for (uint32_t at = tail->oldest; at != 0; at = tail->rows[at - 1].older) {
        if (tail->rows[at - 1].table == table) {
            tail->sorted[count++] = at - 1;
        }
    }
    tail->sorted_count = count;
    for (uint32_t root = count / 2; root > 0; root--) {
        sorted_sink(tail, view, root - 1, count);
    }
    for (uint32_t last = count; last > 1; last--) {
        const uint32_t greatest = tail->sorted[0];

        tail->sorted[0] = tail->sorted[last - 1];
        tail->sorted[last - 1] = greatest;
        sorted_sink(tail, view, 0, last - 1);
    }
    return count;
}

const struct tail_row *
tail_sorted(const struct tail *tail, uint32_t index)
{
    CHECK(index < tail->sorted_count);
    return &tail->rows[tail->sorted[index]];
}
