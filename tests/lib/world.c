/*
 * world.c - see world.h.
 */
#include "tests/lib/world.h"

#include "protocol/check.h"
#include "tests/lib/test.h"

#include <openssl/sha.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CATEGORY_NAME_BYTES = 33 };

/* Every helper goes through here: an unexpected answer ends the test and says which it was. */
static void
expect_ok(int result, const char *what)
{
    if (result != 0) {
        const char *name = zr_result_name(result);

        fail_msg("world: %s: %s (0x%04X)", what, name != NULL ? name : "?", (unsigned)result);
    }
}

/* ---- catalogue --------------------------------------------------------------------------- */

/* The digest is over the rows as they stand on the wire: encode the part, and cut its tail out. */
static struct zr_hash
rows_digest(const struct zr_zip_put_request *request)
{
    static uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    const struct zr_header header = {.op = ZR_OP_ZIP_PUT, .version = 1, .id = 1};
    const size_t tail = ZR_HEADER_BYTES + zr_zip_put_request_shape.block_bytes;
    struct zr_builder builder;
    struct zr_hash hash;

    zr_builder_init(&builder, frame, sizeof frame);
    zr_zip_put_request_encode(&builder, &header, request);
    CHECK(!builder.failed);
    (void)SHA256(frame + tail, (size_t)request->rows_count * zr_zip_row_shape.block_bytes,
                 hash.bytes);
    return hash;
}

void
world_import_zips(struct world *world, uint32_t zip)
{
    static struct zr_zip_put_request request;
    struct zr_zip_put_reply reply;

    memset(&request, 0, sizeof request);
    for (size_t i = 0; i < WORLD_ZIPS; i++) {
        if (zip != 0 && zip < world_zips[i].zip && (i == 0 || zip > world_zips[i - 1].zip)) {
            request.rows[request.rows_count] = world_zips[i];
            request.rows[request.rows_count++].zip = zip;
        }
        request.rows[request.rows_count++] = world_zips[i];
    }
    request.import_id = world_id(world);
    request.rows_total = request.rows_count;
    request.parts = 1;
    request.digest = rows_digest(&request);
    expect_ok(zr_zip_put(world->admin, &request, &reply), "ZIP_PUT");
    CHECK(reply.flipped);
    CHECK(reply.zips == request.rows_count);
}

uint16_t
world_category(struct world *world, int64_t rate_cents)
{
    static struct zr_category_put_request request;
    struct zr_category_put_reply reply;

    memset(&request, 0, sizeof request);
    request.rate_cents = rate_cents;
    request.offered = true;
    request.zips_action = ZR_ZIPS_EVERYWHERE;
    (void)snprintf(request.name, CATEGORY_NAME_BYTES, "trade-%" PRIu64, ++world->serial);
    expect_ok(zr_category_put(world->admin, &request, &reply), "CATEGORY_PUT");
    return reply.category;
}

struct world_slot
world_slot(struct world *world)
{
    return (struct world_slot){WORLD_ADJUNTAS, world_category(world, WORLD_RATE)};
}

static struct zr_policy_get_reply
policy_get(struct world *world, struct world_slot slot)
{
    const struct zr_policy_get_request request = {
        .zip = slot.zip, .category = slot.category, .scope = ZR_SCOPE_SLOT};
    struct zr_policy_get_reply reply;

    expect_ok(zr_policy_get(world->admin, &request, &reply), "POLICY_GET");
    CHECK(reply.policy_count == 1);
    return reply;
}

struct zr_policy
world_policy(struct world *world, struct world_slot slot)
{
    return policy_get(world, slot).policy[0];
}

void
world_policy_put(struct world *world, struct world_slot slot, const struct zr_policy *policy)
{
    struct zr_policy_put_request request = {.zip = slot.zip,
                                            .category = slot.category,
                                            .scope = ZR_SCOPE_SLOT,
                                            .expected_version = policy_get(world, slot).own_version,
                                            .policy_count = 1};
    struct zr_policy_put_reply reply;

    request.policy[0] = *policy;
    expect_ok(zr_policy_put(world->admin, &request, &reply), "POLICY_PUT");
}

/* ---- open and close ---------------------------------------------------------------------- */

static void
clients_open(struct world *world)
{
    world->admin = server_client_ready(&world->server, "admin");
    world->portal = server_client_ready(&world->server, "portal");
    world->carrier = server_client_ready(&world->server, "switch");
    world->callcenter = server_client_ready(&world->server, "callcenter");
    world->payments = server_client_ready(&world->server, "payments");
    world->auditor = server_client_ready(&world->server, "auditor");
}

static void
clients_close(struct world *world)
{
    struct zr_client *const clients[] = {world->admin,      world->portal,   world->carrier,
                                         world->callcenter, world->payments, world->auditor};

    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        zr_client_close(clients[i]);
    }
}

void
world_open(struct world *world, const char *const *settings)
{
    memset(world, 0, sizeof *world);
    server_start(&world->server, settings);
    clients_open(world);
    world_import_zips(world, 0);
    world->plumbing = world_category(world, WORLD_RATE);
    world->roofing = world_category(world, WORLD_RATE);
}

void
world_reconnect(struct world *world)
{
    clients_close(world);
    clients_open(world);
}

uint64_t
world_advance(struct world *world, uint64_t advance_ms)
{
    struct zr_client *const clients[] = {world->admin,      world->portal,   world->carrier,
                                         world->callcenter, world->payments, world->auditor};
    const struct zr_empty request = {0};
    const uint64_t now_ms = server_advance(&world->server, advance_ms);
    struct zr_ping_reply reply;

    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        expect_ok(zr_ping(clients[i], &request, &reply), "PING");
    }
    return now_ms;
}

static int
audit_judge(const struct zr_audit_reply *audit)
{
    if (audit->balanced && audit->violations == 0 && audit->decisions_skipped_primary == 0) {
        return 0;
    }
    (void)fprintf(
        stderr, "AUDIT: %" PRIu64 " violations, %" PRIu64 " primaries skipped, %sbalanced\n",
        audit->violations, audit->decisions_skipped_primary, audit->balanced ? "" : "not ");
    return 1;
}

int
world_close(struct world *world)
{
    char data[SERVER_PATH_MAX];
    char into[SERVER_PATH_MAX];
    char output[4096];
    const struct zr_audit_reply audit = world_audit(world);
    int broken = audit_judge(&audit);
    int code;

    clients_close(world);
    code = server_stop(&world->server);
    if (code != 0) {
        (void)fprintf(stderr, "zipringd ended with %d\n", code);
        broken = 1;
    }
    server_path(data, &world->server, "data");
    server_path(into, &world->server, "replayed");
    code = server_run("zipringd", (const char *[]){"replay", "--data", data, "--into", into, NULL},
                      output, sizeof output);
    if (code != 0) {
        (void)fprintf(stderr, "replay ended with %d: %s\n", code, output);
        broken = 1;
    }
    server_end(&world->server);
    return broken;
}

struct world_slot
world_slot_promoting(struct world *world)
{
    const struct world_slot slot = world_slot(world);
    struct zr_policy policy = world_policy(world, slot);

    policy.offer_window_s = 0;
    world_policy_put(world, slot, &policy);
    return slot;
}

/* ---- contractors ------------------------------------------------------------------------- */

struct zr_id
world_id(struct world *world)
{
    struct zr_id id = {{0xCA}};
    const uint64_t serial = ++world->serial;

    for (size_t i = 0; i < sizeof serial; i++) {
        id.bytes[15 - i] = (uint8_t)(serial >> (8 * i));
    }
    return id;
}

uint32_t
world_contractor_pending(struct world *world, uint16_t concurrency)
{
    struct zr_contractor_put_request request = {.contractor_id = world_id(world),
                                                .office_zip = WORLD_PEARLAND,
                                                .max_concurrency = concurrency,
                                                .size_class = ZR_SIZE_SINGLE,
                                                .phones_count = 1};
    struct zr_contractor_put_reply reply;

    (void)snprintf(request.name, sizeof request.name, "contractor %" PRIu64, world->serial);
    request.phones[0].phone = UINT64_C(12810000000) + world->serial;
    expect_ok(zr_contractor_put(world->portal, &request, &reply), "CONTRACTOR_PUT");
    CHECK(reply.contractor != 0);
    return reply.contractor;
}

uint32_t
world_contractor(struct world *world, uint16_t concurrency, int64_t funds_cents)
{
    const uint32_t contractor = world_contractor_pending(world, concurrency);

    world_status(world, contractor, ZR_CONTRACTOR_APPROVED);
    if (funds_cents > 0) {
        world_topup(world, contractor, funds_cents);
    }
    return contractor;
}

void
world_status(struct world *world, uint32_t contractor, uint8_t status)
{
    const struct zr_contractor_status_request request = {.contractor = contractor,
                                                         .contractor_status = status};
    struct zr_contractor_put_reply reply;

    expect_ok(zr_contractor_status(world->admin, &request, &reply), "CONTRACTOR_STATUS");
}

void
world_topup(struct world *world, uint32_t contractor, int64_t amount_cents)
{
    struct zr_topup_request request = {.amount_cents = amount_cents, .contractor = contractor};
    struct zr_topup_reply reply;

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "payment-%" PRIu64,
                   ++world->serial);
    expect_ok(zr_topup(world->payments, &request, &reply), "TOPUP");
}

struct zr_wallet_get_reply
world_wallet(struct world *world, uint32_t contractor)
{
    const struct zr_wallet_get_request request = {.contractor = contractor};
    struct zr_wallet_get_reply reply;

    expect_ok(zr_wallet_get(world->portal, &request, &reply), "WALLET_GET");
    return reply;
}

/* ---- claims ------------------------------------------------------------------------------ */

struct zr_claim_result
world_claim_result(struct world *world, uint32_t contractor, struct world_slot slot)
{
    static struct zr_claim_request request;
    static struct zr_claim_reply reply;
    int result;

    memset(&request, 0, sizeof request);
    memset(&reply, 0, sizeof reply);
    request.contractor = contractor;
    request.accept_backup = true;
    request.slots_count = 1;
    request.slots[0] = (struct zr_slot_key){.zip = slot.zip, .category = slot.category};
    result = zr_claim(world->portal, &request, &reply);
    if (result < 0 || reply.results_count != 1) {
        expect_ok(result != 0 ? result : -1, "CLAIM");
    }
    return reply.results[0];
}

uint64_t
world_claim(struct world *world, uint32_t contractor, struct world_slot slot)
{
    const struct zr_claim_result claimed = world_claim_result(world, contractor, slot);

    expect_ok(claimed.status, "CLAIM of a slot");
    return claimed.claim_id;
}

struct zr_claim_state_reply
world_release(struct world *world, uint64_t claim_id)
{
    const struct zr_release_request request = {.claim_id = claim_id, .when = ZR_RELEASE_NOW};
    struct zr_claim_state_reply reply;

    expect_ok(zr_release(world->portal, &request, &reply), "RELEASE");
    return reply;
}

struct zr_claim_state_reply
world_pause(struct world *world, uint64_t claim_id)
{
    const struct zr_pause_request request = {.claim_id = claim_id, .reason = "vacation"};
    struct zr_claim_state_reply reply;

    expect_ok(zr_pause(world->portal, &request, &reply), "PAUSE");
    return reply;
}

struct zr_claim_state_reply
world_resume(struct world *world, uint64_t claim_id)
{
    const struct zr_resume_request request = {.claim_id = claim_id};
    struct zr_claim_state_reply reply;

    expect_ok(zr_resume(world->portal, &request, &reply), "RESUME");
    return reply;
}

/* ---- calls ------------------------------------------------------------------------------- */

struct zr_route_request
world_route_request(struct world *world, struct world_slot slot)
{
    return (struct zr_route_request){
        .call_id = world_id(world),
        .zips = {slot.zip},
        .zips_count = 1,
        .category = slot.category,
        .caller = UINT64_C(14090000000) + world->serial,
        .caller_kind = ZR_CALLER_PLAIN,
        .want = 1,
        .flags = 2 | 4, /* hold, explain */
    };
}

int
world_route(struct world *world, const struct zr_route_request *request,
            struct zr_route_reply *reply)
{
    memset(reply, 0, sizeof *reply);
    return zr_route(world->carrier, request, reply);
}

struct zr_route_reply
world_call(struct world *world, struct world_slot slot, struct zr_id *call_id)
{
    const struct zr_route_request request = world_route_request(world, slot);
    struct zr_route_reply reply;

    expect_ok(world_route(world, &request, &reply), "ROUTE");
    CHECK(reply.candidates_count >= 1);
    if (call_id != NULL) {
        *call_id = request.call_id;
    }
    return reply;
}

struct zr_route_next_request
world_next_request(const struct zr_route_reply *routed, uint8_t outcome)
{
    struct zr_route_next_request request = {.ring_ms = 30000,
                                            .index = routed->attempt,
                                            .outcome = outcome,
                                            .explain = true,
                                            .ticket_length = routed->ticket_length};

    memcpy(request.ticket, routed->ticket, sizeof request.ticket);
    return request;
}

struct zr_connect_request
world_connect_request(const struct zr_route_reply *routed)
{
    struct zr_connect_request request = {.index = routed->attempt,
                                         .ticket_length = routed->ticket_length};

    memcpy(request.ticket, routed->ticket, sizeof request.ticket);
    return request;
}

struct zr_end_request
world_end_request(const struct zr_id *call_id, uint32_t talk_ms)
{
    return (struct zr_end_request){
        .call_id = *call_id, .talk_ms = talk_ms, .index = 255, .who_hung_up = ZR_HUNG_UP_CALLER};
}

struct zr_connect_reply
world_connect(struct world *world, const struct zr_route_reply *routed)
{
    const struct zr_connect_request request = world_connect_request(routed);
    struct zr_connect_reply reply;

    expect_ok(zr_connect(world->carrier, &request, &reply), "CONNECT");
    return reply;
}

struct zr_settlement_reply
world_end(struct world *world, const struct zr_id *call_id, uint32_t talk_ms)
{
    const struct zr_end_request request = world_end_request(call_id, talk_ms);
    struct zr_settlement_reply reply;

    (void)server_advance(&world->server, talk_ms);
    expect_ok(zr_end(world->carrier, &request, &reply), "END");
    return reply;
}

struct zr_call_get_reply
world_call_get(struct world *world, const struct zr_id *call_id)
{
    const struct zr_call_get_request request = {.call_id = *call_id};
    struct zr_call_get_reply reply;

    expect_ok(zr_call_get(world->carrier, &request, &reply), "CALL_GET");
    return reply;
}

/* ---- proofs ------------------------------------------------------------------------------ */

struct zr_audit_reply
world_audit(struct world *world)
{
    const struct zr_audit_request request = {0};
    struct zr_audit_reply reply;

    expect_ok(zr_audit(world->auditor, &request, &reply), "AUDIT");
    return reply;
}
