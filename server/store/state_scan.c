/*
 * state_scan.c - a whole table as the state has it: LMDB's rows and the tail's newer ones, merged.
 *
 * Both sides come in the order of keys, so the walk is a merge and its order that of the table:
 * who hashes rows finds the same whether they were folded or not. See state.h.
 */
#include "server/store/state.h"

#include <string.h>

struct merge {
    struct state *state;
    store_each_fn each;
    void *context;
    enum store_table table;
    uint32_t at; /* The tail's next row. */
    uint32_t count;
    bool stopped;
};

/* A deleted row (of no bytes) is not there. */
static void
merge_newer(struct merge *merge)
{
    const struct tail_row *row = tail_sorted(merge->state->tail, merge->at++);

    if (row->row_bytes > 0) {
        merge->stopped =
            !merge->each(merge->context, (struct store_value){row->key, row->key_bytes},
                         (struct store_value){row->row, row->row_bytes});
    }
}

/* Where the tail's next row stands to a stored key; above 0 when there is none. */
static int
merge_compare(const struct merge *merge, struct store_value key)
{
    const struct tail_row *row;

    if (merge->at == merge->count) {
        return 1;
    }
    row = tail_sorted(merge->state->tail, merge->at);
    return store_compare(merge->state->view, merge->table,
                         (struct store_value){row->key, row->key_bytes}, key);
}

static bool
merge_stored(void *context, struct store_value key, struct store_value row)
{
    struct merge *merge = context;
    int order;

    while (!merge->stopped && (order = merge_compare(merge, key)) <= 0) {
        merge_newer(merge);
        if (order == 0) {
            return !merge->stopped; /* The stored row is the older image of that one. */
        }
    }
    merge->stopped = merge->stopped || !merge->each(merge->context, key, row);
    return !merge->stopped;
}

void
state_scan(struct state *state, enum store_table table, store_each_fn each, void *context)
{
    struct merge merge = {.state = state, .each = each, .context = context, .table = table};

    if (state->tail != NULL && store_table_kind(table) == STORE_KIND_FOLDED) {
        merge.count = tail_sort(state->tail, state->view, table);
    }
    store_scan(state->view, table, merge_stored, &merge);
    while (!merge.stopped && merge.at < merge.count && state->view->failure == STATUS_OK) {
        merge_newer(&merge);
    }
}
