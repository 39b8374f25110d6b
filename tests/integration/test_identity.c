/*
 * test_identity.c - P13: who gets in, what each role may, and that other tenants do not exist.
 *
 * The handshakes are OpenSSL's own, so that the server is asked by somebody else's client. The
 * whole role x operation matrix is asked, and messages.def is only the answer sheet.
 */
#include "server/store/store.h"
#include "tests/integration/cases.h"
#include "tests/integration/raw.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

enum { TENANT_2 = 2, REVOKED_WITHIN_MS = 2000 };

/* ---- TLS ----------------------------------------------------------------------------------- */

/* Nobody gets as far as a HELLO_OK with these. */
static void
expect_shut_out(const char *name, const struct raw_options *options)
{
    struct raw raw;

    /* A TLS 1.3 client is done before its certificate is judged: then HELLO finds the end. */
    if (raw_open(&raw, &world.server, name, options)) {
        assert_int_equal(raw_hello(&raw), -1);
    }
    raw_close(&raw);
}

static void
test_tls_1_2_is_refused(void **state)
{
    (void)state;
    expect_shut_out("switch", &(struct raw_options){.version_max = TLS1_2_VERSION});
}

static void
test_a_client_without_certificate_is_refused(void **state)
{
    (void)state;
    expect_shut_out("switch", &(struct raw_options){.no_certificate = true});
}

static void
test_a_certificate_of_another_ca_is_refused(void **state)
{
    char folder[SERVER_PATH_MAX];
    char stem[SERVER_PATH_MAX + 8];

    (void)state;
    server_path(folder, &world.server, "other-ca");
    assert_int_equal(server_run("zipring",
                                (const char *[]){"dev", "--dir", folder, "--pki-only", NULL}, NULL,
                                0),
                     0);
    (void)snprintf(stem, sizeof stem, "%s/switch", folder);
    expect_shut_out("switch", &(struct raw_options){.certificate = stem});
}

static void
test_a_server_certificate_is_no_client(void **state)
{
    (void)state;
    expect_shut_out("server", NULL); /* Its EKU is serverAuth. */
}

static void
test_alpn_is_mandatory(void **state)
{
    (void)state;
    expect_shut_out("switch", &(struct raw_options){.no_alpn = true});
    expect_shut_out("switch", &(struct raw_options){.alpn = "h2"});
    expect_shut_out("switch", &(struct raw_options){.alpn = "zipring/2"});
    expect_shut_out("switch", &(struct raw_options){.alpn = "zipring/"});
}

static int tickets_seen;

static int
on_new_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    (void)session;
    tickets_seen++;
    return 0;
}

static void
test_nothing_to_resume_and_no_early_data(void **state)
{
    const struct zr_empty empty = {0};
    struct raw raw;
    SSL_SESSION *session;

    (void)state;
    assert_true(raw_open(&raw, &world.server, "switch", NULL));
    (void)SSL_CTX_set_session_cache_mode(raw.context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(raw.context, on_new_session);
    assert_int_equal(raw_hello(&raw), 0);
    assert_int_equal(raw_ask(&raw, ZR_OP_PING, &empty, 0), 0);
    session = SSL_get1_session(raw.ssl);
    assert_non_null(session);
    assert_int_equal(tickets_seen, 0);
    assert_int_equal(SSL_SESSION_has_ticket(session), 0);
    assert_int_equal(SSL_SESSION_is_resumable(session), 0);
    assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
    raw_close(&raw);
    /* Offered all the same, it is not resumed. */
    if (raw_open(&raw, &world.server, "switch", &(struct raw_options){.session = session})) {
        assert_int_equal(SSL_session_reused(raw.ssl), 0);
        assert_int_equal(SSL_get_early_data_status(raw.ssl), SSL_EARLY_DATA_NOT_SENT);
    }
    raw_close(&raw);
    SSL_SESSION_free(session);
}

/* ---- principals ------------------------------------------------------------------------------ */

static int
hello_as(const char *name)
{
    struct raw raw;
    int status;

    assert_true(raw_open(&raw, &world.server, name, NULL));
    status = raw_hello(&raw);
    raw_close(&raw);
    return status;
}

static void
put_principal(const char *name, struct zr_hash key_hash, uint32_t tenant, uint8_t role)
{
    struct zr_principal_put_request request = {
        .key_hash = key_hash, .tenant = tenant, .role = role};
    struct zr_put_reply reply;

    (void)snprintf(request.name, sizeof request.name, "%s", name);
    assert_int_equal(zr_principal_put(world.admin, &request, &reply), 0);
}

static void
test_an_unknown_key_is_unauthenticated(void **state)
{
    (void)state;
    (void)server_certificate(&world.server,
                             &(struct server_identity){"stranger", 1, ZR_ROLE_ADMIN, 0});
    assert_int_equal(hello_as("stranger"), ZR_STATUS_UNAUTHENTICATED);
}

/* The certificate and the stored row must say the same: neither alone gives a role. */
static void
test_the_san_must_be_the_stored_role_and_tenant(void **state)
{
    static const struct {
        const char *name;
        uint32_t san_tenant, stored_tenant;
        uint8_t san_role, stored_role;
    } rows[] = {
        {"climber", 1, 1, ZR_ROLE_SWITCH, ZR_ROLE_ADMIN},
        {"pretender", 1, 1, ZR_ROLE_ADMIN, ZR_ROLE_SWITCH},
        {"emigrant", 1, 2, ZR_ROLE_SWITCH, ZR_ROLE_SWITCH},
        {"immigrant", 2, 1, ZR_ROLE_SWITCH, ZR_ROLE_SWITCH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct zr_hash hash = server_certificate(
            &world.server,
            &(struct server_identity){rows[i].name, rows[i].san_tenant, rows[i].san_role, 0});

        put_principal(rows[i].name, hash, rows[i].stored_tenant, rows[i].stored_role);
        assert_int_equal(hello_as(rows[i].name), ZR_STATUS_UNAUTHENTICATED);
    }
}

static long
milliseconds_until_closed(struct raw *raw)
{
    struct timespec begin;
    struct timespec end;

    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_true(raw_is_closed(raw));
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    return (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
}

static void
test_revocation_ends_a_live_connection(void **state)
{
    struct zr_principal_revoke_request request = {
        .key_hash = server_principal(&world.server,
                                     &(struct server_identity){"leaver", 1, ZR_ROLE_SWITCH, 0})};
    struct zr_put_reply reply;
    struct raw raw;

    (void)state;
    raw_open_ready(&raw, &world.server, "leaver");
    assert_int_equal(zr_principal_revoke(world.admin, &request, &reply), 0);
    assert_in_range(milliseconds_until_closed(&raw), 0, REVOKED_WITHIN_MS);
    raw_close(&raw);
    assert_int_equal(hello_as("leaver"), ZR_STATUS_UNAUTHENTICATED);
}

/* A row that is changed under a connection ends it as well: it is not what the SAN says. */
static void
test_demotion_ends_a_live_connection(void **state)
{
    const struct zr_hash hash =
        server_principal(&world.server, &(struct server_identity){"demoted", 1, ZR_ROLE_ADMIN, 0});
    struct zr_principal_put_request request = {
        .key_hash = hash, .expected_version = 1, .tenant = 1, .role = ZR_ROLE_AUDITOR};
    struct zr_put_reply reply;
    struct raw raw;

    (void)state;
    raw_open_ready(&raw, &world.server, "demoted");
    assert_int_equal(zr_principal_put(world.admin, &request, &reply), 0);
    assert_in_range(milliseconds_until_closed(&raw), 0, REVOKED_WITHIN_MS);
    raw_close(&raw);
}

/* ---- roles ----------------------------------------------------------------------------------- */

/* All operations as one role; every body is zeros, for the role is judged before the fields. */
static void
ask_everything(const char *name, uint8_t role)
{
    static const union zr_any_message zeros;
    const struct zr_operation *operations;
    size_t count;
    struct raw raw;

    operations = zr_operations(&count);
    raw_open_ready(&raw, &world.server, name);
    for (size_t i = 0; i < count; i++) {
        const struct zr_operation *operation = &operations[i];
        const bool allowed = (operation->roles & 1u << role) != 0;
        int status;

        if (operation->kind == ZR_OP_KIND_PUSH || operation->kind == ZR_OP_KIND_SYSTEM ||
            operation->op == ZR_OP_HELLO) {
            continue;
        }
        status = raw_ask(&raw, (uint16_t)operation->op, &zeros, 0);
        if (status < 0 || (status == ZR_STATUS_FORBIDDEN) == allowed) {
            fail_msg("%s as %s: 0x%04X", operation->name, name, (unsigned)status);
        }
    }
    raw_close(&raw);
}

static void
test_p13_e39_every_role_may_what_its_row_says(void **state)
{
    static const struct {
        const char *name;
        uint8_t role;
    } rows[] = {
        {"switch", ZR_ROLE_SWITCH},        {"callcenter", ZR_ROLE_CALLCENTER},
        {"portal", ZR_ROLE_PORTAL},        {"payments", ZR_ROLE_PAYMENTS},
        {"admin", ZR_ROLE_ADMIN},          {"auditor", ZR_ROLE_AUDITOR},
        {"tradesman", ZR_ROLE_CONTRACTOR}, {"bench", ZR_ROLE_BENCH},
    };

    (void)state;
    (void)server_principal(&world.server,
                           &(struct server_identity){"tradesman", 1, ZR_ROLE_CONTRACTOR,
                                                     world_contractor(&world, 1, 5000)});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ask_everything(rows[i].name, rows[i].role);
    }
}

/* ---- tenants ----------------------------------------------------------------------------------
 */

/* What there is to see of tenant 1. */
struct theirs {
    struct world_slot slot;
    uint32_t contractor;
    uint64_t claim;
    struct zr_id call_id;
    struct zr_route_reply routed;
    struct zr_call_get_reply call;
};

static void
theirs_make(struct theirs *theirs)
{
    theirs->slot = world_slot(&world);
    theirs->contractor = world_contractor(&world, 9, 50000);
    theirs->claim = world_claim(&world, theirs->contractor, theirs->slot);
    theirs->routed = world_call(&world, theirs->slot, &theirs->call_id);
    (void)world_connect(&world, &theirs->routed);
    theirs->call = world_call_get(&world, &theirs->call_id);
}

/* A portal or contractor who has no business with them. */
static void
expect_no_sight_of(const struct theirs *theirs, struct zr_client *stranger)
{
    const struct zr_contractor_get_request get = {.contractor = theirs->contractor};
    const struct zr_wallet_get_request wallet = {.contractor = theirs->contractor};
    const struct zr_ledger_list_request ledger = {.contractor = theirs->contractor};
    const struct zr_claims_list_request list = {.contractor = theirs->contractor};
    const struct zr_release_request release = {.claim_id = theirs->claim, .when = ZR_RELEASE_NOW};
    const struct zr_pause_request pause = {.claim_id = theirs->claim};
    const struct zr_pause_request pause_all = {.contractor = theirs->contractor};
    const struct zr_resume_request resume = {.claim_id = theirs->claim};
    const struct zr_call_get_request call = {.call_ref = theirs->call.call_ref};
    struct zr_claim_request claim = {.contractor = theirs->contractor, .slots_count = 1};
    static union zr_any_message reply;

    claim.slots[0] = (struct zr_slot_key){.zip = WORLD_BOSTON, .category = theirs->slot.category};
#define EXPECT_NOT_FOUND(call_of) assert_int_equal(call_of, ZR_STATUS_NOT_FOUND)
    EXPECT_NOT_FOUND(zr_contractor_get(stranger, &get, &reply.contractor_get_reply));
    EXPECT_NOT_FOUND(zr_wallet_get(stranger, &wallet, &reply.wallet_get_reply));
    EXPECT_NOT_FOUND(zr_ledger_list(stranger, &ledger, &reply.ledger_list_reply));
    EXPECT_NOT_FOUND(zr_claims_list(stranger, &list, &reply.claims_list_reply));
    EXPECT_NOT_FOUND(zr_claim(stranger, &claim, &reply.claim_reply));
    EXPECT_NOT_FOUND(zr_release(stranger, &release, &reply.claim_state_reply));
    EXPECT_NOT_FOUND(zr_pause(stranger, &pause, &reply.claim_state_reply));
    EXPECT_NOT_FOUND(zr_pause(stranger, &pause_all, &reply.claim_state_reply));
    EXPECT_NOT_FOUND(zr_resume(stranger, &resume, &reply.claim_state_reply));
    EXPECT_NOT_FOUND(zr_call_get(stranger, &call, &reply.call_get_reply));
#undef EXPECT_NOT_FOUND
}

static void
test_r69_another_tenants_portal_sees_nothing(void **state)
{
    struct theirs theirs;
    struct zr_client *portal;
    const struct zr_contractor_list_request list = {0};
    static struct zr_contractor_list_reply contractors;
    struct zr_slot_get_request slot;
    struct zr_slot_get_reply seen;

    (void)state;
    theirs_make(&theirs);
    (void)server_principal(&world.server,
                           &(struct server_identity){"portal-2", TENANT_2, ZR_ROLE_PORTAL, 0});
    portal = server_client_ready(&world.server, "portal-2");
    expect_no_sight_of(&theirs, portal);
    assert_int_equal(zr_contractor_list(portal, &list, &contractors), 0);
    assert_int_equal(contractors.contractors_count, 0);
    /* R54: the slot is seen, its holder is not. */
    slot = (struct zr_slot_get_request){.zip = theirs.slot.zip, .category = theirs.slot.category};
    assert_int_equal(zr_slot_get(portal, &slot, &seen), 0);
    assert_int_equal(seen.claims_count, 1);
    assert_int_equal(seen.claims[0].contractor, 0);
    assert_int_equal(seen.claims[0].claim_id, 0);
    zr_client_close(portal);
    assert_int_equal(slot_get(theirs.slot).claims[0].state, ZR_CLAIM_LIVE);
    (void)world_end(&world, &theirs.call_id, 1000);
}

static void
test_r69_another_contractor_sees_nothing(void **state)
{
    struct theirs theirs;
    struct zr_client *client;

    (void)state;
    theirs_make(&theirs);
    (void)server_principal(&world.server,
                           &(struct server_identity){"neighbour", 1, ZR_ROLE_CONTRACTOR,
                                                     world_contractor(&world, 1, 5000)});
    client = server_client_ready(&world.server, "neighbour");
    expect_no_sight_of(&theirs, client);
    zr_client_close(client);
    (void)world_end(&world, &theirs.call_id, 1000);
}

static void
test_e39_another_tenants_call_does_not_exist(void **state)
{
    struct theirs theirs;
    struct zr_client *carrier;
    struct zr_call_get_request get;
    struct zr_call_get_reply call;
    struct zr_qualify_request qualify = {.talk_ms = 60000};
    struct zr_end_request end;
    struct zr_settlement_reply settled;
    struct zr_connect_request connect;
    struct zr_connect_reply connected;
    struct zr_route_request route;
    struct zr_route_reply routed;
    int result;

    (void)state;
    theirs_make(&theirs);
    (void)server_principal(&world.server,
                           &(struct server_identity){"switch-2", TENANT_2, ZR_ROLE_SWITCH, 0});
    carrier = server_client_ready(&world.server, "switch-2");
    get = (struct zr_call_get_request){.call_id = theirs.call_id};
    assert_int_equal(zr_call_get(carrier, &get, &call), ZR_STATUS_NOT_FOUND);
    qualify.call_id = theirs.call_id;
    assert_int_equal(zr_qualify(carrier, &qualify, &settled), ZR_STATUS_NOT_FOUND);
    end = world_end_request(&theirs.call_id, 60000);
    assert_int_equal(zr_end(carrier, &end, &settled), ZR_STATUS_NOT_FOUND);
    /* A stolen ticket is worth nothing to them either. */
    connect = world_connect_request(&theirs.routed);
    result = zr_connect(carrier, &connect, &connected);
    assert_true(result == ZR_STATUS_NOT_FOUND || result == ZR_STATUS_BAD_TICKET);
    end.index = 0;
    end.ticket_length = theirs.routed.ticket_length;
    memcpy(end.ticket, theirs.routed.ticket, sizeof end.ticket);
    result = zr_end(carrier, &end, &settled);
    assert_true(result == ZR_STATUS_NOT_FOUND || result == ZR_STATUS_BAD_TICKET);
    /* The same call id is another call there; and ROUTE crosses tenants (M1). */
    route = world_route_request(&world, theirs.slot);
    route.call_id = theirs.call_id;
    assert_int_equal(zr_route(carrier, &route, &routed), 0);
    assert_int_equal(routed.candidates[0].contractor, theirs.contractor);
    assert_memory_not_equal(&routed.call_ref, &theirs.call.call_ref, sizeof routed.call_ref);
    zr_client_close(carrier);
    assert_int_equal(world_end(&world, &theirs.call_id, 1000).settlement, ZR_SETTLEMENT_FREE_SHORT);
}

/* ---- zipringd's own judgement ------------------------------------------------------------------
 */

/* Serve this data folder with the world's PKI; it must refuse, and say this. */
static void
expect_unfit(const char *data_setting, const char *says)
{
    char paths[3][SERVER_PATH_MAX];
    char settings[3][SERVER_PATH_MAX + 8];
    static char output[32768];
    int code;

    server_path(paths[0], &world.server, "server.pem");
    server_path(paths[1], &world.server, "server.key");
    server_path(paths[2], &world.server, "ca.pem");
    (void)snprintf(settings[0], sizeof settings[0], "cert=%s", paths[0]);
    (void)snprintf(settings[1], sizeof settings[1], "key=%s", paths[1]);
    (void)snprintf(settings[2], sizeof settings[2], "ca=%s", paths[2]);
    code = server_run("zipringd",
                      (const char *[]){"serve", "listen=127.0.0.1:0", data_setting, settings[0],
                                       settings[1], settings[2], "contractors_max=1024", NULL},
                      output, sizeof output);
    assert_true(code > 0);
    if (strstr(output, says) == NULL) {
        fail_msg("exit %d without \"%s\": %s", code, says, output);
    }
}

static void
test_a_second_server_on_the_folder_is_refused(void **state)
{
    char data[SERVER_PATH_MAX];
    char setting[SERVER_PATH_MAX + 8];

    (void)state;
    server_path(data, &world.server, "data");
    (void)snprintf(setting, sizeof setting, "data=%s", data);
    expect_unfit(setting, "another zipringd");
}

static void
test_a_foreign_file_is_refused(void **state)
{
    static const char junk[8192] = "SQLite format 3";
    char folder[SERVER_PATH_MAX];
    char path[SERVER_PATH_MAX + 16];
    char setting[SERVER_PATH_MAX + 8];
    int fd;

    (void)state;
    server_path(folder, &world.server, "foreign");
    assert_int_equal(mkdir(folder, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/zipring.mdb", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
    (void)close(fd);
    (void)snprintf(setting, sizeof setting, "data=%s", folder);
    expect_unfit(setting, "Zipring database");
}

static void
test_a_newer_schema_is_refused(void **state)
{
    char data[SERVER_PATH_MAX];
    char admin[SERVER_PATH_MAX];
    char setting[SERVER_PATH_MAX + 8];
    struct store *store = NULL;
    struct store_identity identity;
    struct store_head head;
    struct store_view view = {0};

    (void)state;
    server_path(data, &world.server, "newer");
    server_path(admin, &world.server, "admin.pem");
    assert_int_equal(
        server_run("zipringd",
                   (const char *[]){"init", "--data", data, "--admin-cert", admin, NULL}, NULL, 0),
        0);
    assert_int_equal(store_open(&store, &(struct store_options){.folder = data,
                                                                .map_bytes = UINT64_C(1) << 30,
                                                                .readers_max = 2}),
                     STATUS_OK);
    identity = *store_identity(store);
    head = *store_head(store);
    identity.schema++;
    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    store_put(&view, TABLE_META, "identity", 8,
              (struct store_value){(const uint8_t *)&identity, sizeof identity});
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
    store_close(store);
    (void)snprintf(setting, sizeof setting, "data=%s", data);
    expect_unfit(setting, "newer");
}

static void
test_init_leaves_a_folder_in_use_alone(void **state)
{
    char data[SERVER_PATH_MAX];
    char admin[SERVER_PATH_MAX];
    static char output[4096];

    (void)state;
    server_path(data, &world.server, "data");
    server_path(admin, &world.server, "admin.pem");
    assert_true(server_run("zipringd",
                           (const char *[]){"init", "--data", data, "--admin-cert", admin, NULL},
                           output, sizeof output) > 0);
    assert_int_equal(hello_as("switch"), 0);
}

static void
test_an_unknown_setting_names_the_nearest(void **state)
{
    static const struct {
        const char *setting;
        const char *nearest;
    } rows[] = {{"lisen=127.0.0.1:0", "listen"},
                {"conections_max=5", "connections_max"},
                {"batchmax=5", "batch_max"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static char output[4096];
        char says[64];

        (void)snprintf(says, sizeof says, "did you mean %s?", rows[i].nearest);
        assert_true(server_run("zipringd", (const char *[]){"serve", rows[i].setting, NULL}, output,
                               sizeof output) > 0);
        assert_non_null(strstr(output, says));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls_1_2_is_refused),
        cmocka_unit_test(test_a_client_without_certificate_is_refused),
        cmocka_unit_test(test_a_certificate_of_another_ca_is_refused),
        cmocka_unit_test(test_a_server_certificate_is_no_client),
        cmocka_unit_test(test_alpn_is_mandatory),
        cmocka_unit_test(test_nothing_to_resume_and_no_early_data),
        cmocka_unit_test(test_an_unknown_key_is_unauthenticated),
        cmocka_unit_test(test_the_san_must_be_the_stored_role_and_tenant),
        cmocka_unit_test(test_revocation_ends_a_live_connection),
        cmocka_unit_test(test_demotion_ends_a_live_connection),
        cmocka_unit_test(test_p13_e39_every_role_may_what_its_row_says),
        cmocka_unit_test(test_r69_another_tenants_portal_sees_nothing),
        cmocka_unit_test(test_r69_another_contractor_sees_nothing),
        cmocka_unit_test(test_e39_another_tenants_call_does_not_exist),
        cmocka_unit_test(test_a_second_server_on_the_folder_is_refused),
        cmocka_unit_test(test_a_foreign_file_is_refused),
        cmocka_unit_test(test_a_newer_schema_is_refused),
        cmocka_unit_test(test_init_leaves_a_folder_in_use_alone),
        cmocka_unit_test(test_an_unknown_setting_names_the_nearest),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
