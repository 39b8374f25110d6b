/*
 * deadline.h - which slot is due next: a binary heap over slot numbers.
 *
 * Every request waits for one moment: its deadline, or the end of a retry delay. Timeouts differ
 * per request, so a plain queue would not do; a timer wheel would make the moments coarse. Most
 * deadlines come in ascending order, and those are put without moving anything. A slot is in
 * the heap at most once, so its memory is settled at open.
 */
#ifndef ZR_CLIENT_DEADLINE_H
#define ZR_CLIENT_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* "No slot", "nowhere in the heap", "no end of a list". */
#define ZRC_NONE UINT32_MAX

struct zrc_deadline {
    uint64_t due_ns;
    uint32_t slot;
};

struct zrc_deadlines {
    struct zrc_deadline *heap; /* heap[0] is due first. */
    uint32_t *at;              /* Per slot: its place in the heap, or ZRC_NONE. */
    uint32_t count;
    uint32_t slots_count;
};

/* False when memory is short; *deadlines is then zero. */
bool zrc_deadlines_init(struct zrc_deadlines *deadlines, uint32_t slots_count);

/* Also for a zeroed struct. */
void zrc_deadlines_deinit(struct zrc_deadlines *deadlines);

/* Wake `slot` at `due_ns`; replaces what was put for it before. */
void zrc_deadlines_put(struct zrc_deadlines *deadlines, uint32_t slot, uint64_t due_ns);

/* Forget `slot`, which is in the heap. */
void zrc_deadlines_del(struct zrc_deadlines *deadlines, uint32_t slot);

/* When the next slot is due; UINT64_MAX = never. *slot is set when there is one. */
uint64_t zrc_deadlines_next(const struct zrc_deadlines *deadlines, uint32_t *slot);

#endif
