/*
 * rings.h - what workers saw ring, on its way into the log.
 *
 * A ring is a fact that only a worker knows: no reply waits for the disk when a phone starts to
 * ring. Its begin where that counts (caps, spacing, an app that shows it), and every miss, which
 * the answer rate counts (R62), the worker puts into this bounded queue, and the committer makes
 * RINGS commands of it, which apply like any other: so usage and its events are durable, in order,
 * and the same in a replay. A crash loses at most the queue; a full one refuses the fact and counts
 * it.
 *
 * A fact does not wake the committer: with nothing else to do it finds it within 50 ms. Nobody
 * waits for that. The ring itself counts at once, in hot.h, and whatever command comes first finds
 * the fact in the log before it; only events to an app and a rest after misses come that much
 * later. Woken, an idle server would sync its disk twice for each phone that rings.
 */
#ifndef ZR_RINGS_H
#define ZR_RINGS_H

#include "protocol/message.h"
#include "server/base/arena.h"
#include "server/base/backlog.h"

struct ring_facts {
    struct backlog backlog; /* From the worker to the committer. */
    struct zr_ring_fact *facts;
};

void ring_facts_init(struct ring_facts *rings, struct arena *arena, uint32_t facts_max);

/* Append a fact; false when the queue is full: the log will never hear of it. Worker. */
bool ring_facts_push(struct ring_facts *rings, const struct zr_ring_fact *fact);

/* Facts waiting. */
uint32_t ring_facts_count(const struct ring_facts *rings);

/* Copy the oldest facts behind the first `skip` into a request, as many as it holds. They stay in
 * the queue until ring_facts_forget(): a batch that fails loses none. Committer. */
void ring_facts_copy(const struct ring_facts *rings, uint32_t skip,
                     struct zr_rings_request *request);

/* The batch is durable: its facts leave the queue. Committer. */
void ring_facts_forget(struct ring_facts *rings, uint32_t facts_count);

#endif
