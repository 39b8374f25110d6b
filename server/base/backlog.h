/*
 * backlog.h - the places of a bounded queue from one thread to another, whose items stay until
 * what was made of them is durable.
 *
 * It holds numbers, not items: those stand in an array of its owner, whose type it is. The one
 * hard idea is that reading and leaving are two steps. The reader looks at the oldest items as
 * often as it likes, as a batch that fails must lose none; backlog_forget() alone frees places.
 *
 *     writer: backlog_reserve(&place) -> items[place] = ... -> backlog_push()
 *     reader: backlog_place(0 .. backlog_count() - 1) -> ... durable -> backlog_forget()
 *
 * The newest item is the one that is lost when it is full: counted, and nobody waits.
 */
#ifndef ZR_BACKLOG_H
#define ZR_BACKLOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct backlog {
    uint32_t mask;
    _Atomic uint32_t pushed; /* Writer. */
    _Atomic uint32_t taken;  /* Reader. */
    _Atomic uint64_t lost;   /* Items that found no place. */
};

/* Returns how many places its owner's array needs: at least `items_max`, a power of two. */
uint32_t backlog_init(struct backlog *backlog, uint32_t items_max);

/* The place of the next item, the writer's until it is pushed. False: full, counted as lost. */
bool backlog_reserve(struct backlog *backlog, uint32_t *place);

/* What was written at the reserved place is there for the reader. */
void backlog_push(struct backlog *backlog);

/* Items that wait. */
uint32_t backlog_count(const struct backlog *backlog);

/* The place of the nth oldest item, counted from 0; n < backlog_count(). Reader. */
uint32_t backlog_place(const struct backlog *backlog, uint32_t nth);

/* The oldest items leave: their places may be written again. Reader. */
void backlog_forget(struct backlog *backlog, uint32_t items_count);

#endif
