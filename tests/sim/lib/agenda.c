/*
 * agenda.c - see agenda.h.
 */
#include "tests/sim/lib/agenda.h"

#include "protocol/check.h"

#include <stdlib.h>

void
agenda_deinit(struct agenda *agenda)
{
    free(agenda->entries);
    *agenda = (struct agenda){0};
}

static bool
entry_is_before(const struct agenda_entry *left, const struct agenda_entry *right)
{
    return left->at_ms < right->at_ms ||
           (left->at_ms == right->at_ms && left->order < right->order);
}

static void
entries_swap(struct agenda_entry *entries, uint32_t left, uint32_t right)
{
    const struct agenda_entry kept = entries[left];

    entries[left] = entries[right];
    entries[right] = kept;
}

void
agenda_add(struct agenda *agenda, struct agenda_entry entry)
{
    uint32_t at = agenda->count++;

    if (agenda->count > agenda->capacity) {
        agenda->capacity = agenda->capacity == 0 ? 1024 : 2 * agenda->capacity;
        agenda->entries = realloc(agenda->entries, agenda->capacity * sizeof *agenda->entries);
        CHECK(agenda->entries != NULL);
    }
    entry.order = ++agenda->added;
    agenda->entries[at] = entry;
    while (at > 0 && entry_is_before(&agenda->entries[at], &agenda->entries[(at - 1) / 2])) {
        entries_swap(agenda->entries, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void
sift_down(struct agenda *agenda)
{
    uint32_t at = 0;
    uint32_t child;

    while ((child = 2 * at + 1) < agenda->count) {
        if (child + 1 < agenda->count &&
            entry_is_before(&agenda->entries[child + 1], &agenda->entries[child])) {
            child++;
        }
        if (!entry_is_before(&agenda->entries[child], &agenda->entries[at])) {
            return;
        }
        entries_swap(agenda->entries, at, child);
        at = child;
    }
}

bool
agenda_take(struct agenda *agenda, uint64_t before_ms, struct agenda_entry *entry)
{
    if (agenda->count == 0 || agenda->entries[0].at_ms >= before_ms) {
        return false;
    }
    *entry = agenda->entries[0];
    agenda->entries[0] = agenda->entries[--agenda->count];
    sift_down(agenda);
    return true;
}
