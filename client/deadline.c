/*
 * deadline.c - see deadline.h.
 */
#include "client/deadline.h"

#include "protocol/check.h"

#include <stdlib.h>

bool
zrc_deadlines_init(struct zrc_deadlines *deadlines, uint32_t slots_count)
{
    CHECK(deadlines != NULL);
    CHECK(slots_count > 0);

    *deadlines = (struct zrc_deadlines){.slots_count = slots_count};
    deadlines->heap = calloc(slots_count, sizeof deadlines->heap[0]);
    deadlines->at = calloc(slots_count, sizeof deadlines->at[0]);
    if (deadlines->heap == NULL || deadlines->at == NULL) {
        zrc_deadlines_deinit(deadlines);
        return false;
    }
    for (uint32_t i = 0; i < slots_count; i++) {
        deadlines->at[i] = ZRC_NONE;
    }
    return true;
}

void
zrc_deadlines_deinit(struct zrc_deadlines *deadlines)
{
    CHECK(deadlines != NULL);

    free(deadlines->heap);
    free(deadlines->at);
    *deadlines = (struct zrc_deadlines){0};
}

static void
heap_set(struct zrc_deadlines *deadlines, uint32_t place, struct zrc_deadline entry)
{
    deadlines->heap[place] = entry;
    deadlines->at[entry.slot] = place;
}

/* Move `entry` from the hole at `place` towards the root. */
static void
heap_rise(struct zrc_deadlines *deadlines, uint32_t place, struct zrc_deadline entry)
{
    while (place > 0) {
        const uint32_t parent = (place - 1) / 2;

        if (deadlines->heap[parent].due_ns <= entry.due_ns) {
            break;
        }
        heap_set(deadlines, place, deadlines->heap[parent]);
        place = parent;
    }
    heap_set(deadlines, place, entry);
}

/* Move `entry` from the hole at `place` towards the leaves. */
static void
heap_sink(struct zrc_deadlines *deadlines, uint32_t place, struct zrc_deadline entry)
{
    for (;;) {
        uint32_t child = 2 * place + 1;

        if (child >= deadlines->count) {
            break;
        }
        if (child + 1 < deadlines->count &&
            deadlines->heap[child + 1].due_ns < deadlines->heap[child].due_ns) {
            child++;
        }
        if (entry.due_ns <= deadlines->heap[child].due_ns) {
            break;
        }
        heap_set(deadlines, place, deadlines->heap[child]);
        place = child;
    }
    heap_set(deadlines, place, entry);
}

void
zrc_deadlines_put(struct zrc_deadlines *deadlines, uint32_t slot, uint64_t due_ns)
{
    const struct zrc_deadline entry = {.due_ns = due_ns, .slot = slot};

    CHECK(slot < deadlines->slots_count);

    if (deadlines->at[slot] != ZRC_NONE) {
        zrc_deadlines_del(deadlines, slot);
    }
    CHECK(deadlines->count < deadlines->slots_count);
    heap_rise(deadlines, deadlines->count++, entry);
}

void
zrc_deadlines_del(struct zrc_deadlines *deadlines, uint32_t slot)
{
    uint32_t place;
    struct zrc_deadline last;

    CHECK(slot < deadlines->slots_count);
    place = deadlines->at[slot];
    CHECK(place < deadlines->count);
    CHECK(deadlines->heap[place].slot == slot);

    last = deadlines->heap[--deadlines->count];
    deadlines->at[slot] = ZRC_NONE;
    if (last.slot == slot) {
        return;
    }
    /* The last one fills the hole; it may belong above it or below. */
    if (place > 0 && last.due_ns < deadlines->heap[(place - 1) / 2].due_ns) {
        heap_rise(deadlines, place, last);
    } else {
        heap_sink(deadlines, place, last);
    }
}

uint64_t
zrc_deadlines_next(const struct zrc_deadlines *deadlines, uint32_t *slot)
{
    CHECK(slot != NULL);

    if (deadlines->count == 0) {
        return UINT64_MAX;
    }
    *slot = deadlines->heap[0].slot;
    return deadlines->heap[0].due_ns;
}
