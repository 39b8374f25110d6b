/*
 * catalogue.c - see catalogue.h.
 */
#include "server/domain/catalogue.h"

#include "protocol/check.h"
#include "server/domain/event.h"
#include "server/domain/funds.h"
#include "server/domain/slot.h"

#include <string.h>

enum { PARTS_MAX = 4096, DIGEST_FRAME_BYTES = ZR_FRAME_BYTES_LIMIT };

/* ---- import ---------------------------------------------------------------------------------- */

static bool
part_is_valid(const struct zr_zip_put_request *request)
{
    if (request->parts < 1 || request->parts > PARTS_MAX || request->part >= request->parts) {
        return false;
    }
    for (uint16_t i = 0; i < request->rows_count; i++) {
        const struct zr_zip_row *row = &request->rows[i];

        if ((i > 0 && row->zip <= request->rows[i - 1].zip) || row->timezone[0] == '\0') {
            return false;
        }
    }
    return request->rows_count > 0;
}

/* Staged parts must agree about the whole. */
static bool
parts_agree(const struct zr_zip_put_request *left, const struct zr_zip_put_request *right)
{
    return left->parts == right->parts && left->rows_total == right->rows_total &&
           memcmp(&left->digest, &right->digest, sizeof left->digest) == 0;
}

static void
zip_row_from_wire(struct zip_row *row, const struct zr_zip_row *wire)
{
    *row = (struct zip_row){
        .latitude_e5 = wire->latitude_e5,
        .longitude_e5 = wire->longitude_e5,
        .population = wire->population,
        .density_e1 = wire->density_e1,
        .county_fips = wire->county_fips,
        .claimable = wire->claimable,
    };
    memcpy(row->state, wire->state, sizeof row->state);
    memcpy(row->timezone, wire->timezone, sizeof row->timezone);
    memcpy(row->city, wire->city, sizeof row->city);
}

/* Add a part's rows to the digest as they stand on the wire; false when ZIPs do not ascend. */
static bool
digest_part(struct mac *mac, const struct zr_zip_put_request *part, uint32_t *last_zip,
            uint32_t *rows)
{
    uint8_t bytes[256];
    struct zr_builder builder;

    for (uint16_t i = 0; i < part->rows_count; i++) {
        if (*rows > 0 && part->rows[i].zip <= *last_zip) {
            return false;
        }
        *last_zip = part->rows[i].zip;
        (*rows)++;
        zr_builder_init(&builder, bytes, sizeof bytes);
        zr_zip_row_shape.put_block(&builder, &part->rows[i]);
        CHECK(!builder.failed);
        sha256_add(mac, bytes, builder.length);
    }
    return true;
}

/* Every part is there: does the whole carry its digest? */
static bool
import_is_whole(struct state *state, const struct zr_zip_put_request *request,
                struct zr_zip_put_request *part)
{
    struct mac *mac = mac_open();
    uint8_t digest[SHA256_BYTES];
    uint32_t last_zip = 0;
    uint32_t rows = 0;
    bool whole = true;

    sha256_start(mac);
    for (uint16_t i = 0; i < request->parts && whole; i++) {
        whole = state_import_get(state, &request->import_id, i, part) &&
                parts_agree(request, part) && digest_part(mac, part, &last_zip, &rows);
    }
    sha256_finish(mac, digest);
    mac_close(mac);
    return whole && rows == request->rows_total &&
           memcmp(digest, request->digest.bytes, sizeof digest) == 0;
}

static void
import_flip(struct state *state, const struct command *command,
            const struct zr_zip_put_request *request, struct zr_zip_put_request *part)
{
    struct zip_row row;

    for (uint16_t i = 0; i < request->parts; i++) {
        if (!state_import_get(state, &request->import_id, i, part)) {
            return; /* The storage failed in between: this batch is thrown away. */
        }
        for (uint16_t j = 0; j < part->rows_count; j++) {
            zip_row_from_wire(&row, &part->rows[j]);
            state_zip_put(state, part->rows[j].zip, &row);
        }
    }
    (void)state_counter_next(state, COUNTER_CATALOGUE);
    event_emit(state, command,
               &(struct event_row){.type = ZR_EVENT_MAP_DELTA, .audience = AUDIENCE_MAP});
}

static uint16_t
import_count_parts(struct state *state, const struct zr_zip_put_request *request,
                   struct zr_zip_put_request *part)
{
    uint16_t received = 0;

    for (uint16_t i = 0; i < request->parts; i++) {
        received = (uint16_t)(received + state_import_get(state, &request->import_id, i, part));
    }
    return received;
}

uint16_t
catalogue_zip_put_apply(struct state *state, const struct command *command,
                        const struct zr_zip_put_request *request, struct zr_zip_put_reply *reply,
                        struct effects *effects)
{
    struct zr_zip_put_request part;

    if (!part_is_valid(request)) {
        return command_invalid(effects, &zr_zip_put_request_shape, "rows");
    }
    reply->commit_seq = command->seq;
    state_import_put(state, &request->import_id, request->part, request);
    /* Counting is quadratic over an import, so it waits for the part that is sent last. */
    if (request->part + 1 == request->parts) {
        reply->parts_received = import_count_parts(state, request, &part);
        if (reply->parts_received < request->parts || !import_is_whole(state, request, &part)) {
            state_import_clear(state, &request->import_id);
            reply->zips = state_zips_count(state);
            return ZR_STATUS_IMPORT_INCOMPLETE;
        }
        import_flip(state, command, request, &part);
        state_import_clear(state, &request->import_id);
        reply->flipped = true;
    } else {
        reply->parts_received = (uint16_t)(request->part + 1);
    }
    reply->zips = state_zips_count(state);
    return ZR_STATUS_OK;
}

/* ---- categories ------------------------------------------------------------------------------ */

static bool
category_name_is_valid(const char *name)
{
    if (name[0] == '\0' || (name[0] >= '0' && name[0] <= '9')) {
        return false; /* A name that starts with a digit would be taken for a number by people. */
    }
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

/* The category with that name; 0 = none. */
static uint16_t
category_find(struct state *state, const char *name)
{
    struct category_row row;

    for (unsigned i = 1; i < CATEGORIES_MAX; i++) {
        if (state_category_get(state, (uint16_t)i, &row) &&
            strncmp(row.name, name, sizeof row.name) == 0) {
            return (uint16_t)i;
        }
    }
    return 0;
}

/* The first number without a category; 0 = all are taken. */
static uint16_t
category_find_free(struct state *state)
{
    struct category_row row;

    for (unsigned i = 1; i < CATEGORIES_MAX; i++) {
        if (!state_category_get(state, (uint16_t)i, &row)) {
            return (uint16_t)i;
        }
    }
    return 0;
}

/* Every ZIP of the list must exist before one of them is written. */
static bool
category_zips_exist(struct state *state, const struct zr_category_put_request *request)
{
    struct zip_row zip;

    for (uint16_t i = 0; i < request->zips_count; i++) {
        if (!state_zip_get(state, request->zips[i].zip, &zip)) {
            return false;
        }
    }
    return true;
}

static uint16_t
category_judge(struct state *state, const struct zr_category_put_request *request,
               uint16_t *category, struct category_row *row)
{
    const uint16_t named = category_find(state, request->name);

    *category = request->category;
    if (*category == 0) {
        *category = named != 0 ? named : category_find_free(state);
    }
    if (!category_zips_exist(state, request)) {
        return ZR_STATUS_UNKNOWN_ZIP;
    }
    if (!state_category_get(state, *category, row)) {
        *row = (struct category_row){0};
    }
    if (row->version != request->expected_version || (named != 0 && named != *category)) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    return *category != 0 ? ZR_STATUS_OK : ZR_STATUS_LIMIT;
}

/* R42: the map counts other categories from now on. */
static void
category_tell_map(struct state *state, const struct command *command, uint16_t category)
{
    event_emit(state, command,
               &(struct event_row){
                   .type = ZR_EVENT_MAP_DELTA, .audience = AUDIENCE_MAP, .category = category});
}

static void
category_write(struct state *state, const struct command *command,
               const struct zr_category_put_request *request, uint16_t category,
               struct category_row *row)
{
    const struct category_row before = *row;

    row->rate_cents = request->rate_cents;
    row->offered = request->offered;
    /* ADD takes nothing away: what is offered everywhere stays so. */
    row->everywhere = request->zips_action == ZR_ZIPS_EVERYWHERE ||
                      (request->zips_action == ZR_ZIPS_ADD && row->everywhere);
    row->version++;
    memcpy(row->name, request->name, sizeof row->name);
    if (request->zips_action == ZR_ZIPS_ONLY) {
        state_offered_clear(state, category);
    }
    for (uint16_t i = 0; i < request->zips_count; i++) {
        state_offered_put(state, category, request->zips[i].zip);
    }
    state_category_put(state, category, row);
    (void)state_counter_next(state, COUNTER_CATALOGUE);
    if (row->offered != before.offered || row->everywhere != before.everywhere ||
        request->zips_action == ZR_ZIPS_ONLY || request->zips_count > 0) {
        category_tell_map(state, command, category);
    }
}

uint16_t
catalogue_category_put_apply(struct state *state, const struct command *command,
                             const struct zr_category_put_request *request,
                             struct zr_category_put_reply *reply, struct effects *effects)
{
    struct category_row row = {0};
    uint16_t category;
    uint16_t status;
    bool price_changed;

    if (!category_name_is_valid(request->name)) {
        return command_invalid(effects, &zr_category_put_request_shape, "name");
    }
    if (request->rate_cents < 0 || request->rate_cents > RATE_CENTS_MAX) {
        return command_invalid(effects, &zr_category_put_request_shape, "rate_cents");
    }
    if (request->category >= CATEGORIES_MAX) {
        return command_invalid(effects, &zr_category_put_request_shape, "category");
    }
    status = category_judge(state, request, &category, &row);
    reply->category = category;
    reply->version = row.version;
    if (status != ZR_STATUS_OK) {
        return status;
    }
    price_changed = row.version != 0 && row.rate_cents != request->rate_cents;
    category_write(state, command, request, category, &row);
    if (price_changed) {
        funds_prices_changed(state, command);
    }
    reply->version = row.version;
    reply->commit_seq = command->seq;
    return ZR_STATUS_OK;
}

uint16_t
catalogue_category_list(struct state *state, const struct zr_category_list_request *request,
                        struct zr_category_list_reply *reply)
{
    enum { PAGE = sizeof reply->categories / sizeof reply->categories[0] };
    struct category_row row;

    for (unsigned i = request->after + 1u; i < CATEGORIES_MAX; i++) {
        struct zr_category_row *wire = &reply->categories[reply->categories_count];

        if (!state_category_get(state, (uint16_t)i, &row)) {
            continue;
        }
        *wire = (struct zr_category_row){
            .rate_cents = row.rate_cents,
            .version = row.version,
            .category = (uint16_t)i,
            .offered = row.offered != 0,
            .everywhere = row.everywhere != 0,
        };
        memcpy(wire->name, row.name, sizeof row.name);
        if (++reply->categories_count == PAGE) {
            reply->next = (uint16_t)i;
            break;
        }
    }
    return ZR_STATUS_OK;
}
