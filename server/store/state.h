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

enum { STATE_IMAGES_MAX = 24, STATE_CONTRACTORS_MAX = 16, STATE_SLOTS_MAX = 64 };

struct state {
    struct store_view *view;
    struct tail *tail; /* NULL: a snapshot. */
    uint64_t seq;      /* Position of the command under way. */
    bool changed;      /* The command under way has put something. */
    bool full;         /* The tail was full: throw the batch away. */
    uint64_t counters[STATE_COUNTERS];
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

/* Number-keyed rows of exactly their size, for the files that implement domain/state.h. */
bool state_number_get(struct state *state, enum store_table table, uint64_t key, void *row,
                      size_t row_bytes);
void state_number_put(struct state *state, enum store_table table, uint64_t key, const void *row,
                      size_t row_bytes);

/* Keys that others of the store need too. */
uint64_t state_slot_number(uint32_t zip, uint16_t category);

#endif
