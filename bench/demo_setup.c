/*
 * demo_setup.c - see demo.h: a network with customers, through the same client as everyone's.
 *
 * Everything that exists many times goes through a pipeline, so that the server commits it in
 * groups: 10,000 contractors and 300,000 claims take seconds. Ids are fresh in each run, names
 * of categories are not: on a second run the ones that are there are used.
 */
#include "bench/catalog.h"
#include "bench/clock.h"
#include "bench/demo.h"
#include "bench/pipeline.h"
#include "protocol/check.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum {
    SETUP_WINDOW = 64,
    CLIENT_INFLIGHT_MAX = 128,
    SETUP_TIMEOUT_MS = 30000,
    DEMO_POSITIONS = 8,
};

bool
demo_connect(struct demo *demo, struct fault *fault)
{
    static const char *const roles[DEMO_ROLES] = {"admin", "portal", "payments", "switch",
                                                  "auditor"};

    for (uint32_t i = 0; i < DEMO_ROLES; i++) {
        if (!endpoint_resolve(&demo->endpoint, &demo->options.endpoint, roles[i], fault) ||
            !client_open(&demo->clients[i], &demo->endpoint, CLIENT_INFLIGHT_MAX, SETUP_TIMEOUT_MS,
                         fault)) {
            return false;
        }
    }
    return true;
}

/* Say how far it is, on stderr. */
static void
progress(const char *what, uint64_t count, uint64_t started_ns)
{
    (void)fprintf(stderr, "  %-34s %8" PRIu64 "   %6.2f s\n", what, count,
                  (double)(clock_now_ns() - started_ns) / 1e9);
}

static bool
setup_refused(struct fault *fault, const char *what, int result)
{
    const char *name = zr_result_name(result);

    return fault_set(fault, result < 0 ? BENCH_EXIT_TRANSPORT : BENCH_EXIT_FAILED, "%s: %s, %s",
                     what, name != NULL ? name : "unknown status", zr_result_text(result));
}

/* Talk is told, not waited out: it must be flagged and not cut to the ticket's age. */
static bool
policy_set(struct demo *demo, struct fault *fault)
{
    const struct zr_policy_get_request get = {.scope = ZR_SCOPE_NETWORK};
    struct zr_policy_put_request put = {.scope = ZR_SCOPE_NETWORK, .policy_count = 1};
    struct zr_policy_get_reply found = {0};
    struct zr_policy_put_reply done = {0};
    int rc = zr_policy_get(demo->clients[DEMO_ADMIN], &get, &found);

    if (rc != 0 || found.policy_count != 1) {
        return setup_refused(fault, "POLICY_GET", rc);
    }
    put.expected_version = found.own_version;
    put.policy[0] = found.policy[0];
    put.policy[0].duration_check = ZR_DURATION_FLAG;
    put.policy[0].max_positions = DEMO_POSITIONS;
    rc = zr_policy_put(demo->clients[DEMO_ADMIN], &put, &done);
    return rc == 0 || setup_refused(fault, "POLICY_PUT", rc);
}

static bool
categories_create(struct demo *demo, struct fault *fault)
{
    static struct catalog catalog;
    static struct zr_category_put_request put;
    struct zr_category_put_reply done = {0};

    if (!catalog_read(&catalog, demo->clients[DEMO_ADMIN], fault)) {
        return false;
    }
    for (uint32_t i = 0; i < TRADES_COUNT; i++) {
        const struct zr_category_row *row = catalog_find(&catalog, world_trades[i].name);
        int rc;

        if (row != NULL) {
            demo->world.categories[i] = row->category;
            continue;
        }
        put = (struct zr_category_put_request){.rate_cents = world_trades[i].rate_cents,
                                               .offered = true,
                                               .zips_action = ZR_ZIPS_EVERYWHERE};
        (void)snprintf(put.name, sizeof put.name, "%s", world_trades[i].name);
        rc = zr_category_put(demo->clients[DEMO_ADMIN], &put, &done);
        if (rc != 0) {
            return setup_refused(fault, "CATEGORY_PUT", rc);
        }
        demo->world.categories[i] = done.category;
    }
    demo->categories_count = TRADES_COUNT;
    return true;
}

/* ---- which ZIPs the server knows: a query for each of them --------------------------------- */

static void
zip_fill(void *context, uint32_t index, void *request)
{
    const struct demo *demo = context;
    struct zr_route_request *route = request;

    route->zips[0] = demo->zips.places[index].zip;
    route->zips_count = 1;
    route->category = demo->world.categories[0];
    route->caller_kind = ZR_CALLER_WITHHELD;
    route->want = 1;
}

static bool
zip_take(void *context, uint32_t index, const struct zr_completion *completion)
{
    struct demo *demo = context;
    const int result = completion->result;

    demo->world.known[index] = result == 0 || result == ZR_STATUS_NO_COVERAGE;
    /* In the table but not offered (PO boxes) is known too, though nobody can claim it. */
    demo->zips_known += result != ZR_STATUS_UNKNOWN_ZIP ? 1 : 0;
    return !result_is_error(result);
}

/* ---- contractors ---------------------------------------------------------------------------- */

static void
contractor_fill(void *context, uint32_t index, void *request)
{
    struct demo *demo = context;
    struct world_contractor *contractor = &demo->world.contractors[index];
    const struct zip_place *office = &demo->zips.places[contractor->office];
    struct zr_contractor_put_request *put = request;

    contractor->id = run_ids_take(&demo->ids);
    put->contractor_id = contractor->id;
    put->office_zip = office->zip;
    put->size_class = contractor->size_class;
    put->has_dispatch = contractor->has_dispatch;
    put->max_concurrency = (uint16_t)demo->options.concurrency;
    put->phones_count = 1;
    put->phones[0].phone = contractor->phone;
    (void)snprintf(put->name, sizeof put->name, "%s %s %" PRIu32, office->city,
                   world_trades[contractor->trades[0]].name, index + 1);
}

static bool
contractor_take(void *context, uint32_t index, const struct zr_completion *completion)
{
    struct demo *demo = context;
    const struct zr_contractor_put_reply *reply = completion->reply;

    if (!pipeline_accept_ok(completion)) {
        return false;
    }
    demo->world.contractors[index].number = reply->contractor;
    return true;
}

static void
approval_fill(void *context, uint32_t index, void *request)
{
    const struct demo *demo = context;
    struct zr_contractor_status_request *status = request;

    status->contractor = demo->world.contractors[index].number;
    status->contractor_status = ZR_CONTRACTOR_APPROVED;
}

static void
topup_fill(void *context, uint32_t index, void *request)
{
    const struct demo *demo = context;
    const struct world_contractor *contractor = &demo->world.contractors[index];
    struct zr_topup_request *topup = request;

    topup->amount_cents = contractor->topup_cents;
    topup->contractor = contractor->number;
    (void)snprintf(topup->provider_ref, sizeof topup->provider_ref, "demo-%016" PRIx64 "-%" PRIu32,
                   demo->ids.run, index);
}

static bool
ok_take(void *context, uint32_t index, const struct zr_completion *completion)
{
    (void)context;
    (void)index;
    return pipeline_accept_ok(completion);
}

/* ---- claims --------------------------------------------------------------------------------- */

static void
claim_fill(void *context, uint32_t index, void *request)
{
    const struct demo *demo = context;
    const struct world_batch *batch = &demo->world.batches[index];
    const struct world_contractor *contractor = &demo->world.contractors[batch->contractor];
    struct zr_claim_request *claim = request;

    claim->contractor = contractor->number;
    claim->accept_backup = true;
    claim->slots_count = (uint16_t)batch->slots_count;
    for (uint32_t i = 0; i < batch->slots_count; i++) {
        uint32_t place = 0;
        uint8_t trade = 0;

        world_slot(&demo->world, contractor, batch->slot_first + i, &place, &trade);
        claim->slots[i].zip = demo->zips.places[place].zip;
        claim->slots[i].category = demo->world.categories[trade];
    }
}

static bool
claim_take(void *context, uint32_t index, const struct zr_completion *completion)
{
    struct demo *demo = context;
    const struct world_batch *batch = &demo->world.batches[index];
    const struct world_contractor *contractor = &demo->world.contractors[batch->contractor];
    const struct zr_claim_reply *reply = completion->reply;

    /* A CLAIM whose slots are all full is a refusal too: its results say so one by one. */
    if (result_is_error(completion->result) || reply == NULL ||
        reply->results_count != batch->slots_count) {
        return false;
    }
    for (uint32_t i = 0; i < batch->slots_count; i++) {
        uint32_t place = 0;
        uint8_t trade = 0;

        if (reply->results[i].status != ZR_STATUS_OK) {
            demo->claims_refused++;
            continue;
        }
        world_slot(&demo->world, contractor, batch->slot_first + i, &place, &trade);
        demo->world.covered[(size_t)place * TRADES_COUNT + trade] = true;
        demo->claims++;
    }
    return true;
}

/* ---- in order ---------------------------------------------------------------------------------
 */

/* One pipelined part of the set-up. */
struct part {
    const char *what;
    enum demo_role role;
    struct pipeline pipeline;
};

static bool
part_run(struct demo *demo, struct part part, struct fault *fault)
{
    const uint64_t started_ns = clock_now_ns();

    part.pipeline.window = SETUP_WINDOW;
    part.pipeline.context = demo;
    if (!pipeline_run(demo->clients[part.role], &part.pipeline, fault)) {
        return false;
    }
    progress(part.what, part.pipeline.count, started_ns);
    return true;
}

static bool
zips_probe(struct demo *demo, struct fault *fault)
{
    const struct part part = {"ZIPs asked for",
                              DEMO_SWITCH,
                              {ZR_OP_ROUTE, demo->zips.count, 0, zip_fill, zip_take, NULL}};

    return part_run(demo, part, fault);
}

static bool
contractors_create(struct demo *demo, struct fault *fault)
{
    const uint32_t count = demo->world.contractors_count;
    const struct part created = {
        "contractors",
        DEMO_PORTAL,
        {ZR_OP_CONTRACTOR_PUT, count, 0, contractor_fill, contractor_take, NULL}};
    const struct part approved = {
        "approvals", DEMO_ADMIN, {ZR_OP_CONTRACTOR_STATUS, count, 0, approval_fill, ok_take, NULL}};
    const struct part paid = {
        "wallets topped up", DEMO_PAYMENTS, {ZR_OP_TOPUP, count, 0, topup_fill, ok_take, NULL}};

    return part_run(demo, created, fault) && part_run(demo, approved, fault) &&
           part_run(demo, paid, fault);
}

static bool
claims_create(struct demo *demo, struct fault *fault)
{
    const uint64_t started_ns = clock_now_ns();
    const struct part part = {
        "CLAIM requests",
        DEMO_PORTAL,
        {ZR_OP_CLAIM, demo->world.batches_count, 0, claim_fill, claim_take, NULL}};

    if (!part_run(demo, part, fault)) {
        return false;
    }
    progress("claims accepted", demo->claims, started_ns);
    progress("claims refused (slot full)", demo->claims_refused, started_ns);
    return true;
}

bool
demo_setup(struct demo *demo, struct fault *fault)
{
    const uint64_t started_ns = clock_now_ns();
    const struct world_plan plan = {.seed = demo->options.drive.seed,
                                    .topup_cents = demo->options.topup_cents};

    CHECK(demo->world.contractors_count > 0);
    (void)fprintf(stderr, "set-up, seed %" PRIu64 "\n", demo->options.drive.seed);
    if (!run_ids_init(&demo->ids, fault) || !policy_set(demo, fault) ||
        !categories_create(demo, fault) || !zips_probe(demo, fault) ||
        !world_plan(&demo->world, &plan, fault) || !contractors_create(demo, fault) ||
        !claims_create(demo, fault)) {
        return false;
    }
    demo->setup_s = (double)(clock_now_ns() - started_ns) / 1e9;
    progress("set-up, all of it", demo->world.contractors_count, started_ns);
    return true;
}
