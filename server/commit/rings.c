/*
 * rings.c - see rings.h.
 */
#include "server/commit/rings.h"

#include "protocol/check.h"

void
ring_facts_init(struct ring_facts *rings, struct arena *arena, uint32_t facts_max)
{
    const uint32_t places = backlog_init(&rings->backlog, facts_max);

    rings->facts = arena_take(arena, (size_t)places * sizeof *rings->facts,
                              "rings: facts waiting for the committer (rings_max)");
}

bool
ring_facts_push(struct ring_facts *rings, const struct zr_ring_fact *fact)
{
    uint32_t place;

    if (!backlog_reserve(&rings->backlog, &place)) {
        return false;
    }
    rings->facts[place] = *fact;
    backlog_push(&rings->backlog);
    return true;
}

uint32_t
ring_facts_count(const struct ring_facts *rings)
{
    return backlog_count(&rings->backlog);
}

void
ring_facts_copy(const struct ring_facts *rings, uint32_t skip, struct zr_rings_request *request)
{
    const uint32_t facts_max = sizeof request->rings / sizeof request->rings[0];
    const uint32_t waiting = ring_facts_count(rings);
    uint32_t count;

    CHECK(skip <= waiting);
    count = waiting - skip < facts_max ? waiting - skip : facts_max;
    for (uint32_t i = 0; i < count; i++) {
        request->rings[i] = rings->facts[backlog_place(&rings->backlog, skip + i)];
    }
    request->rings_count = (uint16_t)count;
}

void
ring_facts_forget(struct ring_facts *rings, uint32_t facts_count)
{
    backlog_forget(&rings->backlog, facts_count);
}
