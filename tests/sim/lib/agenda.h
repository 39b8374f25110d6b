/*
 * agenda.h - what the people and the switches of a simulation mean to do, in order of time.
 *
 * A heap by (instant, order of adding), so that one seed gives one year. What an entry means is
 * its owner's affair: `kind`, `who` and the two numbers are copied and not looked at.
 */
#ifndef ZR_SIM_AGENDA_H
#define ZR_SIM_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

struct agenda_entry {
    uint64_t at_ms;
    uint64_t order; /* Given by agenda_add(). */
    uint64_t number;
    uint32_t who;
    uint16_t kind;
    uint16_t detail;
};

struct agenda {
    struct agenda_entry *entries;
    uint32_t count;
    uint32_t capacity;
    uint64_t added;
};

void agenda_deinit(struct agenda *agenda);

void agenda_add(struct agenda *agenda, struct agenda_entry entry);

/* The earliest entry, which leaves the agenda; false when there is none before `before_ms`. */
bool agenda_take(struct agenda *agenda, uint64_t before_ms, struct agenda_entry *entry);

#endif
