/*
 * lookahead.c - see lookahead.h.
 *
 * The hard idea: nothing here is a decision. What a frame says is read without judging it, what is
 * read of a slot is thrown away again, and a frame that is wrong only costs a fetch.
 */
#include "server/handlers/lookahead.h"

#include "protocol/bytes.h"
#include "protocol/check.h"

/* Where a call is to. */
struct place {
    uint32_t zip;
    uint16_t category;
};

/* The first ZIP and the category of a ROUTE; false for anything else. */
static bool
place_read(const struct service *service, const uint8_t *frame, struct place *place)
{
    struct zr_header header;

    zr_header_decode(&header, frame);
    if (header.op != ZR_OP_ROUTE ||
        header.size < service->route_category_at + sizeof place->category) {
        return false;
    }
    CHECK(service->route_zips_at < service->route_category_at);
    place->zip = zr_load_u32(frame + service->route_zips_at);
    place->category = zr_load_u16(frame + service->route_category_at);
    /* Of a slot that cannot be called no memory is touched. */
    return cache_zip_is_known(service->cache, place->zip) &&
           cache_is_offered(service->cache, place->zip, place->category);
}

void
lookahead_fetch(void *context, const uint8_t *const *frames, size_t frames_count)
{
    struct service *service = context;
    struct place places[FRAMES_AHEAD_MAX];
    struct slot_row slot;
    size_t count = 0;

    CHECK(frames_count <= FRAMES_AHEAD_MAX);
    if (!service->cache->loaded) {
        return;
    }
    for (size_t i = 0; i < frames_count; i++) {
        if (place_read(service, frames[i], &places[count])) {
            cascades_prefetch(service->options.cascades, places[count].zip, places[count].category);
            count++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (cascades_get(service->options.cascades, places[i].zip, places[i].category, &slot)) {
            hot_prefetch(service->options.hot, &slot);
        }
    }
}
