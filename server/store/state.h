/*
 * state.h - the state that rules work on, over one store view (implements domain/state.h).
 *
 * Two uses. The committer's state is writable: direct rows go into the write transaction, folded
 * rows into the tail. A worker's state is a snapshot: it reads tables only, and a put is a bug.
 */
#ifndef ZR_STORE_STATE_H
#define ZR_STORE_STATE_H

#include "server/domain/state.h"
#include "server/store/store.h"
#include "server/store/tail.h"

/* No timer waits. */
#define STATE_TIMER_NEVER UINT64_MAX

enum { STATE_IMAGES_MAX = 96, STATE_CONTRACTORS_MAX = 64, STATE_SLOTS_MAX = 64 };

struct state {
    struct store_view *view;
    struct tail *tail; /* NULL: a snapshot. */
    uint64_t seq;      /* Position of the command under way. */
    bool changed;      /* The command under way has put something. */
    bool full;         /* The tail was full: throw the batch away. */
    uint64_t counters[STATE_COUNTERS];
    /* When the next timer is due, as far as it is known (state_timer_due_ms). */
    uint64_t timer_next_ms;
    bool timer_next_known;
    /* Folded rows that the command touched; their images go into its journal row. */
    struct tail_row images[STATE_IMAGES_MAX];
    uint32_t images_count;
    /* Contractors whose hot row must be published once the command is durable. */
    uint32_t contractors[STATE_CONTRACTORS_MAX];
    uint32_t contractors_count;
    /* Slots that it changed, by number: they are published too. */
    uint64_t slots[STATE_SLOTS_MAX];
    uint32_t slots_count;
};

/* A command begins at `seq`: forget what the one before it touched. */
void state_begin(struct state *state, uint64_t seq);

/* Why nothing of this batch may be believed; STATUS_OK = it may. */
enum status state_failure(const struct state *state);

/* When the next timer is due, STATE_TIMER_NEVER when none waits. Costs nothing but after a delete
 * or a batch that was thrown away (state_forget). */
uint64_t state_timer_due_ms(struct state *state);

/* The oldest event that is stored, 0 = none: older ones were trimmed. */
uint64_t state_event_oldest(struct state *state);

/* The batch was thrown away: what memory had learnt of it is not true. */
void state_forget(struct state *state, const uint64_t counters[STORE_COUNTERS_MAX]);

/* ---- for the files that implement domain/state.h -----------------------------------------------
 */

/* Copy a row out if it has exactly its size; another size is a layout that we do not know. */
bool state_row_copy(struct state *state, const struct store_value *value, void *row,
                    size_t row_bytes);

/* Number-keyed rows of exactly their size. */
bool state_number_get(struct state *state, enum store_table table, uint64_t key, void *row,
                      size_t row_bytes);
void state_number_put(struct state *state, enum store_table table, uint64_t key, const void *row,
                      size_t row_bytes);

/* Byte-keyed ones. */
bool state_bytes_get(struct state *state, enum store_table table, struct store_value key, void *row,
                     size_t row_bytes);
void state_bytes_put(struct state *state, enum store_table table, struct store_value key,
                     const void *row, size_t row_bytes);
void state_bytes_del(struct state *state, enum store_table table, struct store_value key);
struct store_value state_number_key(const uint64_t *number);
struct store_value state_id_key(const struct zr_id *id);

/* Rows of folded tables: from the tail, else from the table; into the tail and the journal's
 * images. row_bytes 0 deletes. */
bool state_folded_get(struct state *state, enum store_table table, struct store_value key,
                      void *row, size_t row_bytes);
void state_folded_put(struct state *state, enum store_table table, struct store_value key,
                      const void *row, size_t row_bytes);

/* Walk a table as the state has it, in key order: rows that are newer in the tail from there.
 * `each` returns false to stop. Every stored checksum is judged. */
void state_scan(struct state *state, enum store_table table, store_each_fn each, void *context);

/* Have the contractor published after the commit. */
void state_contractor_touched(struct state *state, uint32_t contractor);

/* Keys that others of the store need too. */
uint64_t state_slot_number(uint32_t zip, uint16_t category);

#endif
