/*
 * tail.h - rows of the folded tables that are newer in memory than in LMDB.
 *
 * A call touches a wallet, an account or two and two indexes: random pages, which would be most
 * of the cost of a commit. So the new image of such a row stands in the journal row (durable
 * with the commit) and here (readable by the committer), and is folded into its table a few rows
 * at a time, oldest touch first. After a crash the journal from the oldest unfolded touch on
 * rebuilds the tail: images, not operations, so doing it twice is the same as once.
 *
 * A batch that fails is undone here row by row, since LMDB only undoes its own.
 */
#ifndef ZR_TAIL_H
#define ZR_TAIL_H

#include "server/base/arena.h"
#include "server/store/store.h"

enum { TAIL_KEY_BYTES_MAX = 24, TAIL_ROW_BYTES_MAX = 160, TAIL_UNDO_MAX = 16384 };

/* One touched row. row_bytes 0: deleted. */
struct tail_row {
    uint64_t first_seq; /* Position of the oldest touch that is not folded. */
    uint32_t next;      /* In its hash chain or in the free list; index + 1, 0 = end. */
    uint32_t older;     /* Towards newer touches, in fold order; index + 1. */
    uint8_t table;
    uint8_t key_bytes;
    uint8_t row_bytes;
    uint8_t reserved[5];
    uint8_t key[TAIL_KEY_BYTES_MAX];
    uint8_t row[TAIL_ROW_BYTES_MAX];
};

struct tail;

/* Memory for `rows_max` rows from the arena. */
struct tail *tail_open(struct arena *arena, uint32_t rows_max);

/* The row, or NULL when its table is up to date. */
const struct tail_row *tail_find(const struct tail *tail, enum store_table table, const void *key,
                                 size_t key_bytes);

/* Set the row's image as of `seq`. False when full. */
bool tail_put(struct tail *tail, uint64_t seq, const struct tail_row *image);

/* Rows waiting, and rows that still fit. */
uint32_t tail_count(const struct tail *tail);
uint32_t tail_room(const struct tail *tail);

/* Write up to `rows_count` of the oldest into their tables; they leave the tail at
 * tail_batch_done(). Returns how many. */
uint32_t tail_fold(struct tail *tail, struct store_view *view, uint32_t rows_count);

/* Position before the oldest touch that would be left after the folds of this batch; `seq` when
 * none is. It is store_head.fold_seq. */
uint64_t tail_folded_to(const struct tail *tail, uint64_t seq);

/* The batch is durable: forget what was folded and how to undo it. */
void tail_batch_done(struct tail *tail);

/* The batch was thrown away: back to what was before it. */
void tail_batch_undo(struct tail *tail);

/* Forget every row: a tail that was made for one look at a snapshot. */
void tail_clear(struct tail *tail);

/* The rows of one table in the order of its keys. Returns how many; tail_sorted() gives each,
 * until the next put or sort. */
uint32_t tail_sort(struct tail *tail, struct store_view *view, enum store_table table);
const struct tail_row *tail_sorted(const struct tail *tail, uint32_t index);

#endif
