/*
 * units.h - concurrency units: the set of (call, contractor) that talk right now (M3).
 *
 * A set, never a counter that is lowered: a repeated END cannot free a truck twice. A unit ends
 * at END or `unit_ttl` after its last sign of life, so that a lost END does not mute a one-truck
 * shop for hours. There are two ttls: where KEEPALIVE was negotiated silence means more. Those
 * of one ttl expire in the order of their last sign, so each has its own list.
 */
#ifndef ZR_UNITS_H
#define ZR_UNITS_H

#include "protocol/types.h"
#include "server/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum unit_ttl { UNIT_TTL_LONG, UNIT_TTL_SHORT, UNIT_TTLS };

/* Milliseconds (M3): 30 min, 5 min where KEEPALIVE was negotiated. */
enum { UNIT_TTL_LONG_MS = 30 * 60 * 1000, UNIT_TTL_SHORT_MS = 5 * 60 * 1000 };

struct units;

struct units *units_open(struct arena *arena, uint32_t units_max);

/* When a member that was seen at seen_ms ends. */
uint64_t units_expiry_ms(enum unit_ttl ttl, uint64_t seen_ms);

/* Add a member, seen now. False when it is one already, or the set is full. Calls come in order
 * of time, or units_sort() follows them. */
bool units_add(struct units *units, const struct zr_id *call_ref, uint32_t contractor,
               enum unit_ttl ttl, uint64_t seen_ms);

/* A sign of life: its ttl starts again. Nothing happens when it is no member. */
void units_seen(struct units *units, const struct zr_id *call_ref, uint32_t contractor,
                uint64_t seen_ms);

/* Order the members by when they end, after additions in another order (recovery). */
void units_sort(struct units *units);

/* Take a member out; false when it is none. */
bool units_remove(struct units *units, const struct zr_id *call_ref, uint32_t contractor);

/* Take out one member that expired by `now_ms`; its contractor, or 0 when there is none. */
uint32_t units_expire(struct units *units, uint64_t now_ms);

#endif
