/*
 * units.h - concurrency units: the set of (call, contractor) that talk right now (M3).
 *
 * A set, never a counter that is lowered: a repeated END cannot free a truck twice. A unit ends
 * at END or `unit_ttl` after its CONNECT, so that a lost END does not mute a one-truck shop for
 * hours. All have the same ttl, so they expire in the order in which they came.
 */
#ifndef ZR_UNITS_H
#define ZR_UNITS_H

#include "protocol/types.h"
#include "server/base/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum { UNIT_TTL_MS = 30 * 60 * 1000 };

struct units;

struct units *units_open(struct arena *arena, uint32_t units_max);

/* Add a member that ends at expires_ms. False when it is one already, or the set is full. */
bool units_add(struct units *units, const struct zr_id *call_ref, uint32_t contractor,
               uint64_t expires_ms);

/* Take a member out; false when it is none. */
bool units_remove(struct units *units, const struct zr_id *call_ref, uint32_t contractor);

/* Take out one member that expired by `now_ms`; its contractor, or 0 when there is none. */
uint32_t units_expire(struct units *units, uint64_t now_ms);

#endif
