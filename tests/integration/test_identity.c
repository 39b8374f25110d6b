/*
 * test_identity.c - who may ask what: principals, revocation, the role x operation matrix, and
 * other tenants' objects, against the real server (reliability.md "Identity", P13; E39). The
 * handshake before that is in test_identity_tls.c.
 */
#include "tests/integration/cases.h"
#include "tests/integration/hostile.h"
#include "tests/lib/wire.h"

#include <time.h>

enum { ROLES = ZR_ROLE_BENCH, REVOKED_WITHIN_MS = 2000, OTHER_TENANT = 2 };

/* ---- principals ----------------------------------------------------------------------------- */

/* The HELLO of that certificate is refused, and then the connection ends. */
static void
expect_unauthenticated(const struct server *server, const char *name)
{
    SSL_CTX *context = raw_context(server, name);
    static struct raw raw;

    raw_open(&raw, server, context);
    assert_int_equal(raw_hello(&raw), ZR_STATUS_UNAUTHENTICATED);
    assert_int_equal(raw.header.size, ZR_HEADER_BYTES); /* And tells nothing else. */
    assert_false(raw_read(&raw));
    raw_close(&raw);
    SSL_CTX_free(context);
}

static int
principal_put(struct zr_hash key_hash, uint32_t tenant, uint8_t role, uint32_t expected_version)
{
    struct zr_principal_put_request put = {.key_hash = key_hash,
                                           .tenant = tenant,
                                           .role = role,
                                           .expected_version = expected_version,
                                           .name = "test"};
    struct zr_put_reply reply;

    return zr_principal_put(world.admin, &put, &reply);
}

static void
test_hello_of_a_certificate_without_principal_is_refused(void **state)
{
    const struct server_identity stranger = {"stranger", SERVER_TENANT, ZR_ROLE_SWITCH, 0};
    struct zr_client *client;

    (void)state;
    (void)server_certificate(&world.server, &stranger);
    expect_unauthenticated(&world.server, "stranger");
    client = server_client(&world.server, "stranger"); /* The library says so too, finally. */
    assert_int_equal(zr_client_wait_ready(client, 10000), ZR_EAUTH);
    zr_client_close(client);
}

static void
test_hello_is_refused_when_certificate_and_principal_disagree(void **state)
{
    const struct server_identity role = {"other-role", SERVER_TENANT, ZR_ROLE_PORTAL, 0};
    const struct server_identity tenant = {"other-tenant", OTHER_TENANT, ZR_ROLE_PORTAL, 0};
    struct zr_hash hash;

    (void)state;
    hash = server_certificate(&world.server, &role);
    assert_int_equal(principal_put(hash, SERVER_TENANT, ZR_ROLE_ADMIN, 0), 0);
    expect_unauthenticated(&world.server, "other-role");
    hash = server_certificate(&world.server, &tenant);
    assert_int_equal(principal_put(hash, SERVER_TENANT, ZR_ROLE_PORTAL, 0), 0);
    expect_unauthenticated(&world.server, "other-tenant");
}

static void
test_bench_role_needs_a_server_in_bench_mode(void **state)
{
    static const char *const settings[] = {"bench=no", NULL};
    static struct server plain;

    (void)state;
    server_start(&plain, settings);
    expect_unauthenticated(&plain, "bench");
    server_end(&plain);
}

/* ---- revocation ----------------------------------------------------------------------------- */

static uint64_t
now_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A live connection that says nothing is told and closed in time; new ones are refused. */
static void
expect_ended(struct raw *raw, uint64_t since_ms, const char *name)
{
    raw_expect_error(raw, ZR_STATUS_UNAUTHENTICATED);
    assert_in_range(now_ms() - since_ms, 0, REVOKED_WITHIN_MS - 1);
    raw_close(raw);
    expect_unauthenticated(&world.server, name);
}

static void
test_revoked_principal_loses_its_idle_connection(void **state)
{
    const struct server_identity identity = {"revoked", SERVER_TENANT, ZR_ROLE_SWITCH, 0};
    struct zr_principal_revoke_request revoke = {0};
    struct zr_put_reply reply;
    static struct raw bystander;
    static struct raw raw;
    SSL_CTX *context;
    uint64_t start_ms;

    (void)state;
    revoke.key_hash = server_principal(&world.server, &identity);
    context = raw_context(&world.server, "switch");
    raw_open_ready(&bystander, &world.server, context);
    SSL_CTX_free(context);
    context = raw_context(&world.server, "revoked");
    raw_open_ready(&raw, &world.server, context);
    SSL_CTX_free(context);
    start_ms = now_ms();
    assert_int_equal(zr_principal_revoke(world.admin, &revoke, &reply), 0);
    expect_ended(&raw, start_ms, "revoked");
    assert_int_equal(raw_ask(&bystander, ZR_OP_PING, NULL), ZR_STATUS_OK);
    raw_close(&bystander);
}

static void
test_demoted_principal_loses_its_idle_connection(void **state)
{
    const struct server_identity identity = {"demoted", SERVER_TENANT, ZR_ROLE_ADMIN, 0};
    const struct zr_hash hash = server_principal(&world.server, &identity);
    SSL_CTX *context = raw_context(&world.server, "demoted");
    static struct raw raw;
    uint64_t start_ms;

    (void)state;
    raw_open_ready(&raw, &world.server, context);
    SSL_CTX_free(context);
    start_ms = now_ms();
    assert_int_equal(principal_put(hash, SERVER_TENANT, ZR_ROLE_AUDITOR, 1), 0);
    expect_ended(&raw, start_ms, "demoted");
}

/* It does not wait for the clock either: the request behind the revocation is refused. */
static void
test_revoked_principal_is_refused_its_next_request(void **state)
{
    const struct server_identity identity = {"next", SERVER_TENANT, ZR_ROLE_ADMIN, 0};
    struct zr_principal_revoke_request revoke = {0};
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    struct zr_put_reply reply;
    static struct raw raw;
    SSL_CTX *context;

    (void)state;
    revoke.key_hash = server_principal(&world.server, &identity);
    context = raw_context(&world.server, "next");
    raw_open_ready(&raw, &world.server, context);
    SSL_CTX_free(context);
    assert_int_equal(zr_principal_revoke(world.admin, &revoke, &reply), 0);
    assert_true(raw_write(&raw, frame, raw_encode(&raw, frame, ZR_OP_AUDIT, NULL)));
    assert_true(raw_read(&raw)); /* The reply, or the ERROR that was quicker. */
    assert_int_equal(raw.header.status, ZR_STATUS_UNAUTHENTICATED);
    assert_int_equal(raw.header.size, ZR_HEADER_BYTES);
    assert_false(raw_read(&raw));
    raw_close(&raw);
}

/* ---- the matrix ----------------------------------------------------------------------------- */

/* One connection per role; the CONTRACTOR is a contractor of the world. */
static struct raw by_role[ROLES + 1];

static void
roles_open(void)
{
    static const char *const names[ROLES + 1] = {NULL,     "switch",    "callcenter",
                                                 "portal", "tradesman", "payments",
                                                 "admin",  "auditor",   "bench"};

    for (uint8_t role = 1; role <= ROLES; role++) {
        SSL_CTX *context = raw_context(&world.server, names[role]);

        raw_open_ready(&by_role[role], &world.server, context);
        assert_int_equal(by_role[role].hello.role, role);
        SSL_CTX_free(context);
    }
}

static void
roles_close(void)
{
    for (uint8_t role = 1; role <= ROLES; role++) {
        raw_close(&by_role[role]);
    }
}

/* A valid request of that operation under a key of now, as far as it carries one. */
static void
request_fill(const struct raw *raw, const struct zr_operation *operation, uint64_t seed,
             union zr_any_message *request)
{
    wire_fill(request, operation->request, seed, 1);
    raw_stamp(raw, operation, request, &seed);
}

static void
test_every_role_may_exactly_what_the_table_says(void **state)
{
    static union zr_any_message request;
    uint64_t seed = test_seed();
    size_t count;
    const struct zr_operation *operations = zr_operations(&count);
    unsigned refused = 0;
    unsigned allowed = 0;

    (void)state;
    roles_open();
    for (size_t i = 0; i < count; i++) {
        const struct zr_operation *operation = &operations[i];

        if (operation->op == ZR_OP_HELLO) {
            continue; /* Of all roles: it opened these connections. */
        }
        for (uint8_t role = 1; role <= ROLES; role++) {
            const bool may = (operation->roles & 1u << role) != 0;
            uint16_t status;

            request_fill(&by_role[role], operation, test_random(&seed), &request);
            status = raw_ask(&by_role[role], (uint16_t)operation->op, &request);
            if (operation->kind == ZR_OP_KIND_PUSH) {
                assert_int_equal(status, ZR_STATUS_UNKNOWN_OP);
            } else if ((status == ZR_STATUS_FORBIDDEN) == may) {
                fail_msg("%s as %s: %s", operation->name, zr_role_name(role),
                         zr_status_code_name(status));
            }
            if (status == ZR_STATUS_FORBIDDEN) {
                assert_int_equal(by_role[role].header.size, ZR_HEADER_BYTES);
            }
            refused += status == ZR_STATUS_FORBIDDEN;
            allowed += may;
        }
    }
    roles_close();
    print_message("%u pairs of role and operation allowed, %u forbidden\n", allowed, refused);
    assert_true(refused > 0);
    assert_true(allowed > 0);
}

/* E39, in its own words; and a role is judged before what it sent (status precedence). */
static void
test_e39_wrong_role_is_forbidden_whatever_it_sends(void **state)
{
    static union zr_any_message request;
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    size_t bytes;

    (void)state;
    roles_open();
    memset(&request, 0, sizeof request);
    request.route_request = world_route_request(&world, (struct world_slot){0, 0});
    assert_int_equal(raw_ask(&by_role[ZR_ROLE_CONTRACTOR], ZR_OP_ROUTE, &request),
                     ZR_STATUS_FORBIDDEN);
    memset(&request, 0, sizeof request);
    request.claim_request.slots_count = 1;
    assert_int_equal(raw_ask(&by_role[ZR_ROLE_SWITCH], ZR_OP_CLAIM, &request), ZR_STATUS_FORBIDDEN);
    /* No body at all: malformed, but not theirs to know. */
    bytes = raw_encode(&by_role[ZR_ROLE_SWITCH], frame, ZR_OP_CLAIM, NULL);
    assert_true(raw_write(&by_role[ZR_ROLE_SWITCH], frame, bytes));
    assert_int_equal(raw_answer(&by_role[ZR_ROLE_SWITCH], ZR_OP_CLAIM), ZR_STATUS_FORBIDDEN);
    roles_close();
}

/* ---- other people's objects ----------------------------------------------------------------- */

/* What somebody else owns; or nobody, where such things must look the same. */
struct theirs {
    struct zr_id contractor_id;
    struct zr_id call_id;
    struct zr_id call_ref;
    uint64_t claim_id;
    uint32_t contractor;
    struct world_slot slot;
};

static struct theirs
theirs_make(void)
{
    struct theirs theirs = {.slot = world_slot(&world)};
    struct zr_contractor_get_request get = {0};
    struct zr_contractor_get_reply contractor;
    struct zr_route_reply routed;

    theirs.contractor = world_contractor(&world, 3, 50000);
    get.contractor = theirs.contractor;
    assert_int_equal(zr_contractor_get(world.portal, &get, &contractor), 0);
    theirs.contractor_id = contractor.contractor_id;
    theirs.claim_id = world_claim(&world, theirs.contractor, theirs.slot);
    routed = world_call(&world, theirs.slot, &theirs.call_id);
    theirs.call_ref = routed.call_ref;
    (void)world_connect(&world, &routed);
    return theirs;
}

static struct theirs
nobodys_make(void)
{
    return (struct theirs){.contractor_id = world_id(&world),
                           .call_id = world_id(&world),
                           .call_ref = world_id(&world),
                           .claim_id = 999999,
                           .contractor = 9999,
                           .slot = world_slot(&world)};
}

/* The request of `op` that names them, in the `variant`-th way. False: there is none such. */
static bool
request_about(union zr_any_message *request, uint16_t op, int variant, const struct theirs *theirs)
{
    memset(request, 0, sizeof *request);
    switch (op | variant << 16) {
    case ZR_OP_CONTRACTOR_GET:
        request->contractor_get_request.contractor = theirs->contractor;
        return true;
    case ZR_OP_CONTRACTOR_GET | 1 << 16:
        request->contractor_get_request.contractor_id = theirs->contractor_id;
        return true;
    case ZR_OP_WALLET_GET:
        request->wallet_get_request.contractor = theirs->contractor;
        return true;
    case ZR_OP_LEDGER_LIST:
        request->ledger_list_request.contractor = theirs->contractor;
        return true;
    case ZR_OP_CLAIM:
        request->claim_request.contractor = theirs->contractor;
        request->claim_request.slots_count = 1;
        request->claim_request.slots[0].zip = theirs->slot.zip;
        request->claim_request.slots[0].category = theirs->slot.category;
        return true;
    case ZR_OP_RELEASE:
        request->release_request.claim_id = theirs->claim_id;
        request->release_request.when = ZR_RELEASE_NOW;
        return true;
    case ZR_OP_PAUSE:
        request->pause_request.claim_id = theirs->claim_id;
        return true;
    case ZR_OP_PAUSE | 1 << 16:
        request->pause_request.contractor = theirs->contractor;
        return true;
    case ZR_OP_RESUME:
        request->resume_request.claim_id = theirs->claim_id;
        return true;
    case ZR_OP_RESUME | 1 << 16:
        request->resume_request.contractor = theirs->contractor;
        return true;
    case ZR_OP_CLAIMS_LIST:
        request->claims_list_request.contractor = theirs->contractor;
        request->claims_list_request.ended = true;
        return true;
    case ZR_OP_CALL_GET:
        request->call_get_request.call_ref = theirs->call_ref;
        return true;
    case ZR_OP_CALL_GET | 1 << 16:
        request->call_get_request.call_id = theirs->call_id;
        return true;
    case ZR_OP_QUALIFY:
        request->qualify_request.call_id = theirs->call_id;
        request->qualify_request.talk_ms = 1000;
        return true;
    case ZR_OP_END:
        request->end_request = world_end_request(&theirs->call_id, 1000);
        return true;
    default:
        return false;
    }
}

static void
expect_not_found(struct raw *raw, const struct zr_operation *operation, int variant,
                 const struct theirs *theirs)
{
    static union zr_any_message request;
    uint64_t random = ++world.serial;
    uint16_t status;

    if (!request_about(&request, (uint16_t)operation->op, variant, theirs)) {
        return;
    }
    raw_stamp(raw, operation, &request, &random);
    status = raw_ask(raw, (uint16_t)operation->op, &request);
    if (status != ZR_STATUS_NOT_FOUND) {
        fail_msg("%s (%d) as %s: %s, detail %u", operation->name, variant,
                 zr_role_name(raw->hello.role), zr_status_code_name(status), raw->header.detail);
    }
    assert_int_equal(raw->header.detail, 0);
    assert_int_equal(raw->header.flags, 0);
    for (uint32_t i = ZR_HEADER_BYTES; i < raw->header.size; i++) {
        if (raw->bytes[i] != 0) {
            fail_msg("%s (%d) as %s leaks byte %u", operation->name, variant,
                     zr_role_name(raw->hello.role), i);
        }
    }
}

static void
outsider_asks(const char *name, const struct theirs *theirs, const struct theirs *nobodys)
{
    SSL_CTX *context = raw_context(&world.server, name);
    static struct raw raw;
    size_t count;
    const struct zr_operation *operations = zr_operations(&count);

    raw_open_ready(&raw, &world.server, context);
    SSL_CTX_free(context);
    for (size_t i = 0; i < count; i++) {
        if ((operations[i].roles & 1u << raw.hello.role) == 0) {
            continue;
        }
        for (int variant = 0; variant < 2; variant++) {
            expect_not_found(&raw, &operations[i], variant, theirs);
            expect_not_found(&raw, &operations[i], variant, nobodys);
        }
    }
    raw_close(&raw);
}

/* E39: what is another tenant's, or another contractor's, is not there. */
static void
test_e39_what_is_not_yours_is_not_found_and_nothing_leaks(void **state)
{
    const struct server_identity outsiders[] = {
        {"portal-2", OTHER_TENANT, ZR_ROLE_PORTAL, 0},
        {"switch-2", OTHER_TENANT, ZR_ROLE_SWITCH, 0},
        {"callcenter-2", OTHER_TENANT, ZR_ROLE_CALLCENTER, 0},
        {"rival", SERVER_TENANT, ZR_ROLE_CONTRACTOR, world_contractor(&world, 1, 10000)},
    };
    const struct theirs theirs = theirs_make();
    const struct theirs nobodys = nobodys_make();
    const struct zr_wallet_get_reply before = world_wallet(&world, theirs.contractor);
    struct zr_wallet_get_reply after;

    (void)state;
    for (size_t i = 0; i < sizeof outsiders / sizeof outsiders[0]; i++) {
        (void)server_principal(&world.server, &outsiders[i]);
        outsider_asks(outsiders[i].name, &theirs, &nobodys);
    }
    /* And nothing happened to them: the call talks, the claim is live, the hold is placed. */
    after = world_wallet(&world, theirs.contractor);
    assert_int_equal(after.held_cents, before.held_cents);
    assert_int_equal(world_call_get(&world, &theirs.call_id).state, ZR_CALL_CONNECTED);
    assert_int_equal(slot_get(theirs.slot).claims[0].state, ZR_CLAIM_LIVE);
}

/* One tenant's call ids are no other tenant's; slots and lists do not name its contractors. */
static void
test_e39_tenants_share_the_market_and_nothing_else(void **state)
{
    const struct theirs theirs = theirs_make();
    const struct zr_slot_get_request slot = {.zip = theirs.slot.zip,
                                             .category = theirs.slot.category};
    const struct zr_contractor_list_request from_start = {0};
    struct zr_route_request route = world_route_request(&world, theirs.slot);
    static struct zr_contractor_list_reply list;
    struct zr_client *portal = server_client(&world.server, "portal-2");
    struct zr_client *carrier = server_client(&world.server, "switch-2");
    struct zr_slot_get_reply slot_reply;
    struct zr_route_reply routed;

    (void)state;
    assert_int_equal(zr_slot_get(portal, &slot, &slot_reply), 0);
    assert_int_equal(slot_reply.claims_count, 1);
    assert_int_equal(slot_reply.claims[0].contractor, 0);
    assert_int_equal(slot_reply.claims[0].claim_id, 0);
    assert_int_equal(zr_contractor_list(portal, &from_start, &list), 0);
    assert_int_equal(list.contractors_count, 0);
    route.call_id = theirs.call_id; /* Connected already, but that is another call. */
    assert_int_equal(zr_route(carrier, &route, &routed), 0);
    assert_memory_not_equal(&routed.call_ref, &theirs.call_ref, sizeof routed.call_ref);
    assert_int_equal(world_call_get(&world, &theirs.call_id).state, ZR_CALL_CONNECTED);
    zr_client_close(portal);
    zr_client_close(carrier);
}

static int
setup(void **state)
{
    const int result = world_setup(state);
    const struct server_identity tradesman = {"tradesman", SERVER_TENANT, ZR_ROLE_CONTRACTOR,
                                              world_contractor(&world, 1, 10000)};

    (void)server_principal(&world.server, &tradesman);
    return result;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello_of_a_certificate_without_principal_is_refused),
        cmocka_unit_test(test_hello_is_refused_when_certificate_and_principal_disagree),
        cmocka_unit_test(test_bench_role_needs_a_server_in_bench_mode),
        cmocka_unit_test(test_revoked_principal_loses_its_idle_connection),
        cmocka_unit_test(test_demoted_principal_loses_its_idle_connection),
        cmocka_unit_test(test_revoked_principal_is_refused_its_next_request),
        cmocka_unit_test(test_every_role_may_exactly_what_the_table_says),
        cmocka_unit_test(test_e39_wrong_role_is_forbidden_whatever_it_sends),
        cmocka_unit_test(test_e39_what_is_not_yours_is_not_found_and_nothing_leaks),
        cmocka_unit_test(test_e39_tenants_share_the_market_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, setup, world_teardown);
}
