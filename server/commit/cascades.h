/*
 * cascades.h - the slots as decisions read them: two cache lines each, derived from LMDB.
 *
 * A B-tree descent costs a decision some 500 ns, nearly all of it cache misses; a line at a
 * computed address costs one. LMDB stays the truth: the table is rebuilt from it at start, the
 * committer publishes the slots that a commit changed before it replies, and AUDIT compares the
 * two. A slot with more claims than fit its line says so, and is read from the snapshot.
 *
 * The address is (category, ZIP), so there is no hashing, no growth and no collision: 12.8 MB of
 * address space per category, of which only the pages of slots with claims are ever touched.
 * Each line has a lock like those of hot.h, for the same reason.
 */
#ifndef ZR_CASCADES_H
#define ZR_CASCADES_H

#include "server/base/arena.h"
#include "server/domain/state.h"

enum { CASCADE_LINE_CLAIMS = 8 }; /* As many as a slot has by default. */

struct cascades;

struct cascades *cascades_open(struct arena *arena);

/* Start to fetch a slot's line: worth it when something else is to be done before the read. */
void cascades_prefetch(const struct cascades *cascades, uint32_t zip, uint16_t category);

/* Read a slot; false when it has more claims than a line holds. Any thread. */
bool cascades_get(struct cascades *cascades, uint32_t zip, uint16_t category,
                  struct slot_row *slot);

/* Does what was read of a line say what the slot's row says? */
bool cascades_same(const struct slot_row *line, const struct slot_row *slot);

/*
 * What the map shows of a slot (R42), also of one with more claims than a line holds. Takes no
 * lock, so that looking at slots nobody has claimed does not make them take up memory: who has read
 * a published number finds what was published before it. Any thread.
 */
void cascades_look(const struct cascades *cascades, uint32_t zip, uint16_t category, bool *taken,
                   bool *full);

/* Publish a slot as it is after the commit. Committer. */
void cascades_publish(struct cascades *cascades, uint32_t zip, uint16_t category,
                      const struct slot_row *slot);

#endif
