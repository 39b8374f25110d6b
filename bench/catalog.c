/*
 * catalog.c - see catalog.h.
 */
#include "bench/catalog.h"

#include "bench/pipeline.h"
#include "protocol/check.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES_COUNT = 1 << 17, PROBES_WINDOW = 32 };

static void
catalog_add(struct catalog *catalog, const struct zr_category_list_reply *page)
{
    for (uint32_t i = 0; i < page->categories_count && catalog->count < SLOTS_CATEGORIES_MAX; i++) {
        catalog->rows[catalog->count++] = page->categories[i];
    }
}

bool
catalog_read(struct catalog *catalog, struct zr_client *client, struct fault *fault)
{
    static struct zr_category_list_reply reply;
    struct zr_category_list_request request = {0};

    CHECK(catalog != NULL);
    catalog->count = 0;
    do {
        const int rc = zr_category_list(client, &request, &reply);

        if (rc != 0) {
            return fault_set(fault, BENCH_EXIT_TRANSPORT, "CATEGORY_LIST: %s", zr_result_text(rc));
        }
        catalog_add(catalog, &reply);
        request.after = reply.next;
    } while (reply.next != 0);
    return true;
}

const struct zr_category_row *
catalog_find(const struct catalog *catalog, const char *name)
{
    CHECK(name != NULL);
    for (uint32_t i = 0; i < catalog->count; i++) {
        if (strcmp(catalog->rows[i].name, name) == 0) {
            return &catalog->rows[i];
        }
    }
    return NULL;
}

struct cover {
    struct slot_pick *picks;
    uint8_t *covered;
};

static void
probe_fill(void *context, uint32_t index, void *request)
{
    const struct cover *cover = context;
    struct zr_route_request *route = request;

    route->zips[0] = cover->picks[index].zip;
    route->zips_count = 1;
    route->category = cover->picks[index].category;
    route->caller_kind = ZR_CALLER_WITHHELD;
    route->want = 1;
}

static bool
probe_take(void *context, uint32_t index, const struct zr_completion *completion)
{
    struct cover *cover = context;

    cover->covered[index] = completion->result == 0;
    return completion->result >= 0 &&
           (completion->result == 0 ||
            zr_status_class((uint16_t)completion->result) == ZR_CLASS_REFUSED);
}

static bool
cover_probe(struct cover *cover, struct slots *slots, struct zr_client *client, struct fault *fault)
{
    const struct pipeline pipeline = {
        .op = ZR_OP_ROUTE,
        .count = PROBES_COUNT,
        .window = PROBES_WINDOW,
        .fill = probe_fill,
        .take = probe_take,
        .context = cover,
    };
    uint32_t kept = 0;

    if (!pipeline_run(client, &pipeline, fault)) {
        return false;
    }
    for (uint32_t i = 0; i < PROBES_COUNT; i++) {
        if (cover->covered[i]) {
            cover->picks[kept++] = cover->picks[i];
        }
    }
    if (kept == 0) {
        return fault_set(fault, BENCH_EXIT_USAGE,
                         "no slot is covered: load data first (zipring-bench demo --setup-only)");
    }
    slots->list = cover->picks;
    slots->list_count = kept;
    cover->picks = NULL;
    return true;
}

bool
catalog_cover_slots(struct slots *slots, struct zr_client *client, uint64_t seed,
                    struct fault *fault)
{
    struct cover cover = {.picks = calloc(PROBES_COUNT, sizeof *cover.picks)};
    struct prng prng;
    bool done;

    CHECK(slots->list == NULL);
    cover.covered = calloc(PROBES_COUNT, sizeof *cover.covered);
    if (cover.picks == NULL || cover.covered == NULL) {
        free(cover.picks);
        free(cover.covered);
        return fault_set(fault, BENCH_EXIT_USAGE, "no memory for the probes");
    }
    prng_init(&prng, seed);
    for (uint32_t i = 0; i < PROBES_COUNT; i++) {
        cover.picks[i] = slots_draw(slots, &prng);
    }
    done = cover_probe(&cover, slots, client, fault);
    free(cover.picks);
    free(cover.covered);
    return done;
}
