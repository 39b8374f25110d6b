/*
 * names.c - see names.h. A table in which each call has one place, by its id.
 */
#include "server/handlers/names.h"

#include "protocol/check.h"
#include "server/base/mac.h"

#include <string.h>
#include <xxhash.h>

/* A power of two: the calls that may ring at a restart on a busy server, some times over. */
enum { NAMES_MAX = 16384 };

struct name {
    struct zr_id call_id;
    struct zr_id call_ref;
    uint32_t tenant; /* 0 = nobody's. */
};

struct names {
    uint64_t secret; /* Call ids are the peers': which of them meet must not be theirs. */
    struct name places[NAMES_MAX];
};

struct names *
names_open(struct arena *arena)
{
    struct names *names =
        arena_take(arena, sizeof *names, "names: calls that connected unremembered");

    random_fill(&names->secret, sizeof names->secret);
    return names;
}

static uint32_t
place_of(const struct names *names, uint32_t tenant, const struct zr_id *call_id)
{
    return (uint32_t)XXH3_64bits_withSeed(call_id->bytes, sizeof call_id->bytes,
                                          names->secret ^ tenant) %
           NAMES_MAX;
}

void
names_put(struct names *names, uint32_t tenant, const struct zr_id *call_id,
          const struct zr_id *call_ref)
{
    CHECK(tenant != 0);
    names->places[place_of(names, tenant, call_id)] =
        (struct name){.call_id = *call_id, .call_ref = *call_ref, .tenant = tenant};
}

bool
names_find(const struct names *names, uint32_t tenant, const struct zr_id *call_id,
           struct zr_id *call_ref)
{
    const struct name *name = &names->places[place_of(names, tenant, call_id)];

    if (name->tenant != tenant || memcmp(&name->call_id, call_id, sizeof *call_id) != 0) {
        return false;
    }
    *call_ref = name->call_ref;
    return true;
}
