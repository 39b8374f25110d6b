/*
 * recover.h - from disk back to memory at start, and the whole log replayed elsewhere.
 */
#ifndef ZR_RECOVER_H
#define ZR_RECOVER_H

#include "server/commit/execute.h"
#include "server/commit/hot.h"
#include "server/commit/units.h"

struct recover {
    struct store *store;
    struct store_view *view; /* The executor's. */
    struct executor *executor;
    struct tail *tail;
    struct units *units;
    struct hot *hot;
    struct cascades *cascades;
};

/*
 * Tail from the journal since the oldest unfolded touch, folded at once; contractors into the
 * hot array; units from the calls that are connected. CORRUPT: a row is damaged, or the journal
 * does not end as the head says. INVALID: more contractors than the hot array has room for.
 */
MUST_USE enum status recover_memory(const struct recover *recover);

/*
 * Execute every journaled command of `from` again in `into`, an empty store, and compare each
 * result, the chain and the final state hash (E64). OK: the same. `log` lines say what differs.
 */
MUST_USE enum status recover_replay(struct store *from, struct store *into, struct arena *arena);

#endif
