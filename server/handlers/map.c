/*
 * map.c - see map.h.
 */
#include "server/handlers/map.h"

#include "protocol/check.h"
#include "server/domain/event.h"
#include "server/handlers/dispatch.h"

#include <string.h>

enum {
    ZIP3_ALL = UINT16_MAX,
    ZIP3_MAX = 999,
    ZIPS_OF_ZIP3 = 100,
    BITS_PER_COLOUR = 2,
    COLOURS_PER_BYTE = 4,
    PAGE_BYTES = MAP_PAGE_ZIPS * BITS_PER_COLOUR / 8,
    AVAILABILITY_ZIPS_MAX =
        sizeof((struct zr_availability_reply *)0)->zips / sizeof(struct zr_zip_availability),
};

/* Categories of one ZIP, counted. */
struct zip_count {
    uint8_t offered;
    uint8_t taken;
    uint8_t full;
};

/*
 * Where deltas have to go on behind what is read from here. A snapshot of this turn that is open
 * already may be older than the newest commit, and so is the catalogue then.
 */
static uint64_t
map_version(const struct service *service)
{
    const uint64_t published =
        atomic_load_explicit(&service->published->events_seq, memory_order_acquire);
    const uint64_t snapshot = service->head.counters[COUNTER_EVENT];

    return service->view_open && snapshot < published ? snapshot : published;
}

static uint8_t
colour_of(uint8_t offered, uint8_t taken)
{
    CHECK(taken <= offered);
    if (offered == 0) {
        return ZR_MAP_COLOUR_GREY;
    }
    if (taken == 0) {
        return ZR_MAP_COLOUR_GREEN;
    }
    return taken == offered ? ZR_MAP_COLOUR_RED : ZR_MAP_COLOUR_YELLOW;
}

static uint8_t
colour_through(const struct zip_count *count, uint8_t lens)
{
    return colour_of(count->offered, lens == ZR_MAP_LENS_ANY ? count->full : count->taken);
}

/* Count a slot, if its category is offered there. Returns how it was counted. */
static struct zip_count
slot_count(struct service *service, uint32_t zip, uint16_t category, struct zip_count *count)
{
    bool taken;
    bool full;

    if (!cache_is_offered(service->cache, zip, category)) {
        return (struct zip_count){0};
    }
    cascades_look(service->options.cascades, zip, category, &taken, &full);
    count->offered++;
    count->taken = (uint8_t)(count->taken + taken);
    count->full = (uint8_t)(count->full + full);
    return (struct zip_count){.offered = 1, .taken = taken, .full = full};
}

static void
bit_put(struct zr_hash *mask, uint16_t category, uint8_t bit)
{
    mask->bytes[category / 8] |= (uint8_t)(bit << category % 8);
}

/* One ZIP in full. `only`: this category, 0 = each. */
static void
zip_fill(struct service *service, uint32_t zip, uint16_t only, struct zr_zip_availability *entry)
{
    const uint16_t first = only == 0 ? 1 : only;
    const uint16_t last = only == 0 ? CATEGORIES_MAX - 1 : only;
    struct zip_count count = {0};

    *entry = (struct zr_zip_availability){.zip = zip};
    for (uint16_t category = first; category <= last && category < CATEGORIES_MAX; category++) {
        const struct zip_count slot = slot_count(service, zip, category, &count);

        bit_put(&entry->offered, category, slot.offered);
        bit_put(&entry->taken, category, slot.taken);
        bit_put(&entry->full, category, slot.full);
    }
    entry->colour_primary = colour_through(&count, ZR_MAP_LENS_PRIMARY);
    entry->colour_any = colour_through(&count, ZR_MAP_LENS_ANY);
}

/* ---- AVAILABILITY ---------------------------------------------------------------------------- */

/* The first unknown one of a list, as a status. */
static uint16_t
list_judge(const struct cache *cache, const struct zr_availability_request *question)
{
    for (uint16_t i = 0; i < question->zips_count; i++) {
        if (!cache_zip_is_known(cache, question->zips[i].zip)) {
            return ZR_STATUS_UNKNOWN_ZIP;
        }
    }
    return ZR_STATUS_OK;
}

static void
list_fill(struct service *service, const struct zr_availability_request *question,
          struct zr_availability_reply *answer)
{
    for (uint16_t i = 0; i < question->zips_count; i++) {
        zip_fill(service, question->zips[i].zip, question->category,
                 &answer->zips[answer->zips_count++]);
    }
}

/* A page of the ZIPs that are in the table. */
static void
range_fill(struct service *service, const struct zr_availability_request *question,
           struct zr_availability_reply *answer)
{
    const bool all = question->zip3 == ZIP3_ALL;
    const uint32_t begin = all ? 0 : (uint32_t)question->zip3 * ZIPS_OF_ZIP3;
    const uint32_t end = all ? ZIPS_COUNT : begin + ZIPS_OF_ZIP3;
    /* No ZIP is 00000: 0 means from the first. */
    uint32_t zip = question->after + 1 > begin ? question->after + 1 : begin;

    for (; zip < end; zip++) {
        if (!cache_zip_is_known(service->cache, zip)) {
            continue;
        }
        if (answer->zips_count == AVAILABILITY_ZIPS_MAX) {
            answer->next = answer->zips[AVAILABILITY_ZIPS_MAX - 1].zip;
            return;
        }
        zip_fill(service, zip, question->category, &answer->zips[answer->zips_count++]);
    }
}

enum frame_verdict
map_availability(struct service *service, const struct request *request, struct zr_builder *reply)
{
    const struct zr_availability_request *question = &service->request.availability_request;
    struct zr_availability_reply *answer = &service->reply.availability_reply;
    const uint64_t version = map_version(service);
    const struct cache *cache = service_catalogue(service);
    const uint16_t status = list_judge(cache, question);

    if (question->zips_count == 0 && question->zip3 > ZIP3_MAX && question->zip3 != ZIP3_ALL) {
        return dispatch_reply(request, reply, ZR_STATUS_INVALID_FIELD,
                              zr_shape_offset_of(&zr_availability_request_shape, "zip3"), NULL);
    }
    memset(answer, 0, sizeof *answer);
    answer->version = version;
    if (status != ZR_STATUS_OK) {
        return dispatch_reply(request, reply, status, 0, answer);
    }
    if (question->zips_count > 0) {
        list_fill(service, question, answer);
    } else {
        range_fill(service, question, answer);
    }
    return dispatch_reply(request, reply, ZR_STATUS_OK, 0, answer);
}

/* ---- MAP_SNAPSHOT ---------------------------------------------------------------------------- */

/*
 * Count a page. Category by category, because the slots of one lie side by side in memory in the
 * order of their ZIPs.
 */
static void
page_count(struct service *service, uint32_t from, uint32_t zips,
           struct zip_count counts[MAP_PAGE_ZIPS])
{
    memset(counts, 0, MAP_PAGE_ZIPS * sizeof *counts);
    for (unsigned number = 1; number < CATEGORIES_MAX; number++) {
        const uint16_t category = (uint16_t)number;

        if (!service->cache->category_exists[category]) {
            continue;
        }
        for (uint32_t i = 0; i < zips; i++) {
            (void)slot_count(service, from + i, category, &counts[i]);
        }
    }
}

/* Where there are many categories a page has fewer ZIPs. Whole bytes of colours. */
static uint32_t
page_zips(const struct cache *cache, uint32_t left)
{
    const uint32_t looked = MAP_PAGE_LOOKS / (cache->categories_count + 1u);
    uint32_t zips = looked < MAP_PAGE_ZIPS ? looked : MAP_PAGE_ZIPS;

    zips -= zips % COLOURS_PER_BYTE;
    CHECK(zips > 0);
    return left < zips ? left : zips;
}

enum frame_verdict
map_snapshot(struct service *service, const struct request *request, struct zr_builder *reply)
{
    const struct zr_map_snapshot_request *question = &service->request.map_snapshot_request;
    struct zr_map_snapshot_reply *answer = &service->reply.map_snapshot_reply;
    const uint64_t version = map_version(service);
    const uint32_t left = ZIPS_COUNT - question->from;
    const uint32_t zips = page_zips(service_catalogue(service), left);
    struct zip_count counts[MAP_PAGE_ZIPS];

    _Static_assert(PAGE_BYTES <= sizeof answer->colours, "a page fits its reply");
    CHECK(question->from <= ZR_ZIP_MAX);
    page_count(service, question->from, zips, counts);
    memset(answer, 0, sizeof *answer);
    answer->version = version;
    answer->from = question->from;
    answer->next = zips < left ? question->from + zips : 0;
    answer->colours_length = (uint16_t)((zips * BITS_PER_COLOUR + 7) / 8);
    for (uint32_t i = 0; i < zips; i++) {
        const unsigned bits = colour_through(&counts[i], question->lens) - ZR_MAP_COLOUR_GREY;

        answer->colours[i / 4] |= (uint8_t)(bits << i % 4 * BITS_PER_COLOUR);
    }
    return dispatch_reply(request, reply, ZR_STATUS_OK, 0, answer);
}

/* ---- deltas ---------------------------------------------------------------------------------- */

void
map_change_of(struct service *service, struct zr_map_change *change, uint64_t event_seq,
              const struct event_row *event)
{
    struct zip_count count = {0};

    (void)service_catalogue(service);
    *change = (struct zr_map_change){
        .version = event_seq,
        .zip = event->zip,
        .category = event->category,
        .taken = (event->code & MAP_CODE_TAKEN) != 0,
        .full = (event->code & MAP_CODE_FULL) != 0,
        .colour_primary = ZR_MAP_COLOUR_GREY,
        .colour_any = ZR_MAP_COLOUR_GREY,
    };
    if (event->zip == 0) {
        return; /* Many ZIPs: their colours are in a snapshot. */
    }
    for (unsigned category = 1; category < CATEGORIES_MAX; category++) {
        (void)slot_count(service, event->zip, (uint16_t)category, &count);
    }
    change->colour_primary = colour_through(&count, ZR_MAP_LENS_PRIMARY);
    change->colour_any = colour_through(&count, ZR_MAP_LENS_ANY);
}
