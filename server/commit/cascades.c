/*
 * cascades.c - see cascades.h.
 */
#include "server/commit/cascades.h"

#include "protocol/check.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

enum {
    LINE_BYTES = 128,
    CACHE_LINE_BYTES = 64,
    CLAIMS_TOO_MANY = 0xFF,
    FLAG_PAUSED = 1,
    FLAG_LAPSING = 2,
    FLAGS_TITLE = 4, /* enum zr_title, from here on up. */
};

/* Two cache lines: who stands in the slot in the first, by which claims in the second. */
struct line {
    alignas(LINE_BYTES) atomic_flag lock;
    uint8_t claims_count; /* Or CLAIMS_TOO_MANY. */
    uint8_t title_state;  /* enum zr_title_state, 0 = VACANT. */
    /* Read without the lock by cascades_look(). */
    _Atomic uint8_t taken;
    _Atomic uint8_t full;
    uint8_t reserved[3];
    uint64_t version;
    uint32_t contractors[CASCADE_LINE_CLAIMS];
    uint8_t flags[CASCADE_LINE_CLAIMS];
    uint64_t claim_ids[CASCADE_LINE_CLAIMS];
};
_Static_assert(sizeof(struct line) == LINE_BYTES, "two cache lines");

struct cascades {
    struct line *lines; /* By category, then by ZIP. */
};

struct cascades *
cascades_open(struct arena *arena)
{
    const size_t bytes = (size_t)CATEGORIES_MAX * ZIPS_COUNT * sizeof(struct line);
    struct cascades *cascades = arena_take(arena, sizeof *cascades, "cascades: head of the slots");

    cascades->lines =
        arena_take(arena, bytes, "cascades: one line per slot, touched as slots are claimed");
    /* Calls come from all over the country: with small pages each would miss the TLB too. A
     * kernel without huge pages says no, and is only slower. */
    (void)madvise(cascades->lines, bytes, MADV_HUGEPAGE);
    return cascades;
}

static struct line *
line_of(const struct cascades *cascades, uint32_t zip, uint16_t category)
{
    CHECK(zip < ZIPS_COUNT);
    CHECK(category < CATEGORIES_MAX);
    return &cascades->lines[(size_t)category * ZIPS_COUNT + zip];
}

void
cascades_prefetch(const struct cascades *cascades, uint32_t zip, uint16_t category)
{
    const struct line *line = line_of(cascades, zip, category);

    __builtin_prefetch(line, 1);
    __builtin_prefetch((const char *)line + CACHE_LINE_BYTES, 1);
}

/* Acquire pairs with the release in line_unlock: what the last holder wrote is seen. */
static struct line *
line_lock(struct cascades *cascades, uint32_t zip, uint16_t category)
{
    struct line *line = line_of(cascades, zip, category);

    while (atomic_flag_test_and_set_explicit(&line->lock, memory_order_acquire)) {
        /* Held for nanoseconds by the one other thread: not worth a wait. */
    }
    return line;
}

static void
line_unlock(struct line *line)
{
    atomic_flag_clear_explicit(&line->lock, memory_order_release);
}

static void
claim_unpack(const struct line *line, uint8_t at, struct slot_claim_row *claim)
{
    const uint8_t flags = line->flags[at];

    *claim = (struct slot_claim_row){.claim_id = line->claim_ids[at],
                                     .contractor = line->contractors[at],
                                     .title = (uint8_t)(flags / FLAGS_TITLE),
                                     .paused = (flags & FLAG_PAUSED) != 0,
                                     .lapsing = (flags & FLAG_LAPSING) != 0};
}

static void
claim_pack(struct line *line, uint8_t at, const struct slot_claim_row *claim)
{
    CHECK(claim->title < UINT8_MAX / FLAGS_TITLE);
    line->claim_ids[at] = claim->claim_id;
    line->contractors[at] = claim->contractor;
    line->flags[at] =
        (uint8_t)(claim->title * FLAGS_TITLE | (claim->paused != 0 ? FLAG_PAUSED : 0) |
                  (claim->lapsing != 0 ? FLAG_LAPSING : 0));
}

bool
cascades_get(struct cascades *cascades, uint32_t zip, uint16_t category, struct slot_row *slot)
{
    struct line *line = line_lock(cascades, zip, category);
    const bool whole = line->claims_count <= CASCADE_LINE_CLAIMS;

    if (whole) {
        memset(slot, 0, offsetof(struct slot_row, claims));
        slot->version = line->version;
        slot->claims_count = line->claims_count;
        /* A line that nobody has touched is a slot without a row. */
        slot->title_state = line->title_state == 0 ? ZR_TITLE_STATE_VACANT : line->title_state;
        slot->taken = atomic_load_explicit(&line->taken, memory_order_relaxed);
        slot->full = atomic_load_explicit(&line->full, memory_order_relaxed);
        for (uint8_t i = 0; i < line->claims_count; i++) {
            claim_unpack(line, i, &slot->claims[i]);
        }
    }
    line_unlock(line);
    return whole;
}

bool
cascades_same(const struct slot_row *line, const struct slot_row *slot)
{
    return line->version == slot->version && line->title_state == slot->title_state &&
           line->taken == slot->taken && line->full == slot->full &&
           line->claims_count == slot->claims_count &&
           memcmp(line->claims, slot->claims, slot->claims_count * sizeof slot->claims[0]) == 0;
}

void
cascades_look(const struct cascades *cascades, uint32_t zip, uint16_t category, bool *taken,
              bool *full)
{
    struct line *line = line_of(cascades, zip, category);

    *taken = atomic_load_explicit(&line->taken, memory_order_relaxed) != 0;
    *full = atomic_load_explicit(&line->full, memory_order_relaxed) != 0;
}

void
cascades_publish(struct cascades *cascades, uint32_t zip, uint16_t category,
                 const struct slot_row *slot)
{
    struct line *line = line_lock(cascades, zip, category);
    const bool fits = slot->claims_count <= CASCADE_LINE_CLAIMS;

    line->claims_count = fits ? (uint8_t)slot->claims_count : CLAIMS_TOO_MANY;
    line->title_state = slot->title_state;
    atomic_store_explicit(&line->taken, slot->taken, memory_order_relaxed);
    atomic_store_explicit(&line->full, slot->full, memory_order_relaxed);
    line->version = slot->version;
    for (uint8_t i = 0; fits && i < slot->claims_count; i++) {
        claim_pack(line, i, &slot->claims[i]);
    }
    line_unlock(line);
}
