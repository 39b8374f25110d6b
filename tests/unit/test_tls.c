/*
 * test_tls.c - server/net/tls against an OpenSSL client in memory.
 *
 * No sockets: what one side says is carried to the other by hand, so that a test decides
 * where it is cut. Every certificate is made here, for this run.
 */
#include "server/base/log.h"
#include "server/net/tls.h"
#include "tests/lib/test.h"
#include "tests/unit/test_pki.h"

#include <openssl/err.h>

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 128, ROOM_BYTES = 40000, STEPS_MAX = 12, SAN_URI_LONG = 200 };

static const unsigned char alpn_ours[] = "\x09zipring/1";
static const unsigned char alpn_other[] = "\x02h2\x08http/1.1";

/* ---- the world of a test ---------------------------------------------------------------- */

struct world {
    char folder[PATH_BYTES];
    char certificate[PATH_BYTES + 16];
    char key[PATH_BYTES + 16];
    char ca_path[PATH_BYTES + 16];
    struct issued ca;
    struct issued server;
    struct issued client;
    struct tls_library library;
    struct tls_context context;
};

static struct world world;

static int
world_setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    test_make_dir(world.folder, sizeof world.folder);
    (void)snprintf(world.certificate, sizeof world.certificate, "%s/cert.pem", world.folder);
    (void)snprintf(world.key, sizeof world.key, "%s/key.pem", world.folder);
    (void)snprintf(world.ca_path, sizeof world.ca_path, "%s/ca.pem", world.folder);
    world.ca = issue(NULL, EVP_EC_gen("P-256"), NULL, NULL);
    world.server = issue(&world.ca, EVP_EC_gen("P-256"), "serverAuth", "DNS:localhost");
    world.client = issue(&world.ca, EVP_EC_gen("P-256"), "clientAuth", "URI:zipring:switch/1");
    write_pem(world.ca_path, world.ca.certificate, NULL);
    write_pem(world.certificate, world.server.certificate, NULL);
    write_pem(world.key, NULL, world.server.key);
    assert_true(tls_library_open(&world.library));
    assert_int_equal(tls_context_open(&world.context, &world.library, world.certificate, world.key,
                                      world.ca_path),
                     STATUS_OK);
    return 0;
}

static int
world_teardown(void **state)
{
    (void)state;
    tls_context_close(&world.context);
    tls_library_close(&world.library);
    issued_free(&world.ca);
    issued_free(&world.server);
    issued_free(&world.client);
    test_remove_dir(world.folder);
    return 0;
}

/* What a client may do differently from an honest one. */
struct client_kind {
    const char *name;
    const struct issued *identity; /* NULL: none. */
    const unsigned char *alpn;     /* NULL: none. */
    unsigned alpn_bytes;
    int version;
    bool accepted;
};

/* Both ends, and the client's outgoing bytes. */
struct pair {
    struct tls server;
    SSL_CTX *client_context;
    SSL *client;
    uint8_t room[ROOM_BYTES];
    uint8_t plain[TLS_RECORD_PLAIN_MAX];
    enum tls_result result; /* Of the server's last step of the handshake. */
};

static struct pair pair;

static void
pair_open(const struct client_kind *kind)
{
    BIO *const in = BIO_new(BIO_s_mem());

    memset(&pair, 0, sizeof pair);
    pair.client_context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set_min_proto_version(pair.client_context, kind->version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(pair.client_context, kind->version), 1);
    pair.client = SSL_new(pair.client_context);
    if (kind->identity != NULL) {
        assert_int_equal(SSL_use_certificate(pair.client, kind->identity->certificate), 1);
        assert_int_equal(SSL_use_PrivateKey(pair.client, kind->identity->key), 1);
    }
    if (kind->alpn != NULL) {
        assert_int_equal(SSL_set_alpn_protos(pair.client, kind->alpn, kind->alpn_bytes), 0);
    }
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(pair.client, in, BIO_new(BIO_s_mem()));
    SSL_set_connect_state(pair.client);
    assert_true(tls_init(&pair.server, &world.context));
    pair.result = TLS_MORE;
}

static void
pair_close(void)
{
    SSL_free(pair.client);
    SSL_CTX_free(pair.client_context);
    tls_deinit(&pair.server);
    ERR_clear_error();
}

/* Take the client's outgoing bytes. */
static size_t
client_take(uint8_t *bytes, size_t capacity)
{
    const int count = BIO_read(SSL_get_wbio(pair.client), bytes, (int)capacity);

    return count > 0 ? (size_t)count : 0;
}

static void
client_give(void)
{
    if (pair.server.out_length > 0) {
        (void)BIO_write(SSL_get_rbio(pair.client), pair.room, (int)pair.server.out_length);
    }
}

/* Shake hands, the client's bytes lent `step` at a time. */
static void
pair_handshake(size_t step)
{
    uint8_t bytes[ROOM_BYTES];

    for (int i = 0; i < STEPS_MAX; i++) {
        size_t count;

        ERR_clear_error();
        (void)SSL_do_handshake(pair.client);
        count = client_take(bytes, sizeof bytes);
        for (size_t at = 0; at < count && pair.result == TLS_MORE; at += step) {
            const size_t part = count - at < step ? count - at : step;

            tls_lend(&pair.server, bytes + at, part);
            tls_room(&pair.server, pair.room, TLS_HANDSHAKE_OUT_MAX);
            pair.result = tls_accept(&pair.server);
            client_give();
        }
    }
}

static struct client_kind
honest(void)
{
    return (struct client_kind){
        .name = "honest",
        .identity = &world.client,
        .alpn = alpn_ours,
        .alpn_bytes = sizeof alpn_ours - 1,
        .version = TLS1_3_VERSION,
        .accepted = true,
    };
}

static void
pair_open_established(void)
{
    const struct client_kind kind = honest();

    pair_open(&kind);
    pair_handshake(ROOM_BYTES);
    assert_int_equal(pair.result, TLS_DONE);
}

/* ---- the handshake ---------------------------------------------------------------------- */

/* Every row but the first is refused, and the refusal happens inside the handshake. */
static void
test_handshake_accepts_only_the_honest_client(void **state)
{
    struct issued foreign_ca = issue(NULL, EVP_EC_gen("P-256"), NULL, NULL);
    struct issued foreign = issue(&foreign_ca, EVP_EC_gen("P-256"), "clientAuth", NULL);
    struct issued server = issue(&world.ca, EVP_EC_gen("P-256"), "serverAuth", NULL);
    struct issued usageless = issue(&world.ca, EVP_EC_gen("P-256"), "", NULL);
    struct issued rsa = issue(&world.ca, EVP_RSA_gen(2048), "clientAuth", NULL);
    struct issued ed25519 =
        issue(&world.ca, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "clientAuth", NULL);
    const unsigned ours = sizeof alpn_ours - 1;
    const struct client_kind kinds[] = {
        {"honest", &world.client, alpn_ours, ours, TLS1_3_VERSION, true},
        {"Ed25519 key", &ed25519, alpn_ours, ours, TLS1_3_VERSION, true},
        {"TLS 1.2", &world.client, alpn_ours, ours, TLS1_2_VERSION, false},
        {"no certificate", NULL, alpn_ours, ours, TLS1_3_VERSION, false},
        {"foreign CA", &foreign, alpn_ours, ours, TLS1_3_VERSION, false},
        {"server's certificate", &server, alpn_ours, ours, TLS1_3_VERSION, false},
        {"no key usage", &usageless, alpn_ours, ours, TLS1_3_VERSION, false},
        {"RSA key", &rsa, alpn_ours, ours, TLS1_3_VERSION, false},
        {"other ALPN", &world.client, alpn_other, sizeof alpn_other - 1, TLS1_3_VERSION, false},
        {"no ALPN", &world.client, NULL, 0, TLS1_3_VERSION, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        pair_open(&kinds[i]);
        pair_handshake(ROOM_BYTES);
        if ((pair.result == TLS_DONE) != kinds[i].accepted) {
            fail_msg("%s: %d %s", kinds[i].name, (int)pair.result, tls_error());
        }
        assert_int_equal(pair.server.failed, !kinds[i].accepted);
        pair_close();
    }
    issued_free(&foreign_ca);
    issued_free(&foreign);
    issued_free(&server);
    issued_free(&usageless);
    issued_free(&rsa);
    issued_free(&ed25519);
}

static void
test_handshake_survives_any_cut(void **state)
{
    const struct client_kind kind = honest();

    (void)state;
    for (size_t step = 1; step < 40; step += 6) {
        pair_open(&kind);
        pair_handshake(step);
        assert_int_equal(pair.result, TLS_DONE);
        assert_int_equal(SSL_version(pair.client), TLS1_3_VERSION);
        assert_string_equal(SSL_get_cipher(pair.client), "TLS_AES_128_GCM_SHA256");
        pair_close();
    }
}

/* A stranger cannot make us say more than the room that is meant for strangers. */
static void
test_handshake_fails_when_the_room_is_too_small(void **state)
{
    const struct client_kind kind = honest();
    uint8_t bytes[ROOM_BYTES];
    size_t count;

    (void)state;
    pair_open(&kind);
    (void)SSL_do_handshake(pair.client);
    count = client_take(bytes, sizeof bytes);
    tls_lend(&pair.server, bytes, count);
    tls_room(&pair.server, pair.room, 100);
    assert_int_equal(tls_accept(&pair.server), TLS_FAILED);
    assert_int_equal(tls_accept(&pair.server), TLS_FAILED);
    pair_close();
}

static void
test_handshake_refuses_garbage(void **state)
{
    const struct client_kind kind = honest();
    uint8_t garbage[512];

    (void)state;
    memset(garbage, 'G', sizeof garbage);
    pair_open(&kind);
    tls_lend(&pair.server, garbage, sizeof garbage);
    tls_room(&pair.server, pair.room, TLS_HANDSHAKE_OUT_MAX);
    assert_int_equal(tls_accept(&pair.server), TLS_FAILED);
    pair_close();
}

/* No ticket is sent and no session kept: nothing can be resumed. */
static void
test_session_cannot_be_resumed(void **state)
{
    (void)state;
    pair_open_established();
    assert_int_equal(SSL_read(pair.client, pair.plain, sizeof pair.plain), -1);
    assert_false(SSL_SESSION_is_resumable(SSL_get0_session(pair.client)));
    pair_close();
}

/* ---- records ---------------------------------------------------------------------------- */

static void
test_records_pass_both_ways(void **state)
{
    uint8_t bytes[ROOM_BYTES];
    size_t opened = 0;

    (void)state;
    pair_open_established();
    assert_int_equal(SSL_write(pair.client, "question", 8), 8);
    tls_lend(&pair.server, bytes, client_take(bytes, sizeof bytes));
    tls_room(&pair.server, pair.room, TLS_ROOM_MIN);
    assert_true(tls_has_input(&pair.server));
    assert_int_equal(tls_open(&pair.server, pair.plain, sizeof pair.plain, &opened), TLS_DONE);
    assert_int_equal(opened, 8);
    assert_memory_equal(pair.plain, "question", 8);
    assert_int_equal(tls_open(&pair.server, pair.plain, sizeof pair.plain, &opened), TLS_MORE);
    assert_false(tls_has_input(&pair.server));

    memset(bytes, 'a', sizeof bytes);
    tls_room(&pair.server, pair.room, sizeof pair.room);
    assert_int_equal(tls_seal(&pair.server, bytes, TLS_RECORD_PLAIN_MAX + 10), TLS_DONE);
    client_give();
    assert_int_equal(SSL_read(pair.client, bytes, sizeof bytes), TLS_RECORD_PLAIN_MAX);
    assert_int_equal(SSL_read(pair.client, bytes, sizeof bytes), 10);
    pair_close();
}

/* At every byte of it, so that a deadline can be put on its end. */
static void
test_partial_record_is_seen(void **state)
{
    uint8_t bytes[ROOM_BYTES];
    size_t opened = 0;
    size_t count;

    (void)state;
    pair_open_established();
    assert_int_equal(SSL_write(pair.client, "question", 8), 8);
    count = client_take(bytes, sizeof bytes);
    for (size_t i = 0; i < count; i++) {
        tls_lend(&pair.server, bytes + i, 1);
        tls_room(&pair.server, pair.room, TLS_ROOM_MIN);
        assert_int_equal(tls_open(&pair.server, pair.plain, sizeof pair.plain, &opened),
                         i + 1 < count ? TLS_MORE : TLS_DONE);
        assert_int_equal(tls_has_partial(&pair.server), i + 1 < count);
    }
    assert_int_equal(opened, 8);
    pair_close();
}

static void
test_changed_record_ends_the_stream(void **state)
{
    uint8_t bytes[ROOM_BYTES];
    size_t opened = 0;
    size_t count;

    (void)state;
    pair_open_established();
    assert_int_equal(SSL_write(pair.client, "question", 8), 8);
    count = client_take(bytes, sizeof bytes);
    bytes[count - 1] ^= 1;
    tls_lend(&pair.server, bytes, count);
    tls_room(&pair.server, pair.room, TLS_ROOM_MIN);
    assert_int_equal(tls_open(&pair.server, pair.plain, sizeof pair.plain, &opened), TLS_FAILED);
    assert_int_equal(tls_open(&pair.server, pair.plain, sizeof pair.plain, &opened), TLS_FAILED);
    tls_finish(&pair.server); /* Must not say goodbye on a stream that is not to be trusted. */
    pair_close();
}

/* An entry of another connection in OpenSSL's queue of errors must not fail this one. */
static void
test_stale_error_harms_nobody(void **state)
{
    size_t opened = 0;

    (void)state;
    pair_open_established();
    ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
    tls_room(&pair.server, pair.room, TLS_ROOM_MIN);
    assert_int_equal(tls_open(&pair.server, pair.plain, sizeof pair.plain, &opened), TLS_MORE);
    assert_false(pair.server.failed);
    pair_close();
}

static void
test_close_notify_passes_both_ways(void **state)
{
    uint8_t bytes[ROOM_BYTES];
    size_t opened = 0;

    (void)state;
    pair_open_established();
    tls_room(&pair.server, pair.room, TLS_ROOM_MIN);
    tls_finish(&pair.server);
    client_give();
    assert_int_equal(SSL_read(pair.client, bytes, sizeof bytes), 0);
    assert_int_equal(SSL_get_error(pair.client, 0), SSL_ERROR_ZERO_RETURN);
    assert_true(SSL_shutdown(pair.client) >= 0);
    tls_lend(&pair.server, bytes, client_take(bytes, sizeof bytes));
    tls_room(&pair.server, pair.room, TLS_ROOM_MIN);
    assert_int_equal(tls_open(&pair.server, pair.plain, sizeof pair.plain, &opened), TLS_CLOSED);
    pair_close();
}

static void
test_key_updates_are_counted(void **state)
{
    uint8_t bytes[ROOM_BYTES];
    size_t opened = 0;

    (void)state;
    pair_open_established();
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(pair.client, "x", 1), 1);
        tls_lend(&pair.server, bytes, client_take(bytes, sizeof bytes));
        do {
            tls_room(&pair.server, pair.room, TLS_ROOM_MIN);
            assert_int_equal(tls_open(&pair.server, pair.plain, sizeof pair.plain, &opened),
                             TLS_DONE);
            client_give();
        } while (opened == 0);
        assert_int_equal(pair.server.key_updates, i);
        tls_room(&pair.server, pair.room, sizeof pair.room);
        assert_int_equal(tls_seal(&pair.server, pair.plain, 1), TLS_DONE);
        client_give();
        assert_int_equal(SSL_read(pair.client, bytes, sizeof bytes), 1);
    }
    pair_close();
}

/* ---- identity --------------------------------------------------------------------------- */

static bool
identify(const char *san, struct peer_identity *peer)
{
    struct issued issued = issue(&world.ca, EVP_EC_gen("P-256"), "clientAuth", san);
    struct client_kind kind = honest();
    bool known;

    kind.identity = &issued;
    pair_open(&kind);
    pair_handshake(ROOM_BYTES);
    assert_int_equal(pair.result, TLS_DONE);
    known = tls_identify(&pair.server, &world.context, peer);
    pair_close();
    issued_free(&issued);
    return known;
}

static void
test_identity_is_the_key_and_one_uri(void **state)
{
    struct peer_identity peer = {0};
    uint8_t expected[KEY_HASH_BYTES];
    unsigned char *der = NULL;
    int der_bytes;

    (void)state;
    pair_open_established();
    assert_true(tls_identify(&pair.server, &world.context, &peer));
    assert_string_equal(peer.san, "zipring:switch/1");
    der_bytes = i2d_PUBKEY(world.client.key, &der);
    assert_true(der_bytes > 0);
    assert_int_equal(EVP_Digest(der, (size_t)der_bytes, expected, NULL, world.library.sha256, NULL),
                     1);
    assert_memory_equal(peer.key_hash, expected, sizeof expected);
    OPENSSL_free(der);
    pair_close();
}

static void
test_identity_refuses_what_is_not_one_uri(void **state)
{
    char longest[SAN_URI_LONG] = "URI:zipring:";
    struct peer_identity peer = {0};

    (void)state;
    assert_true(identify(NULL, &peer));
    assert_string_equal(peer.san, "");
    assert_true(identify("DNS:a.example,URI:zipring:admin/7,DNS:b.example", &peer));
    assert_string_equal(peer.san, "zipring:admin/7");
    assert_false(identify("URI:zipring:admin/7,URI:zipring:switch/1", &peer));
    memset(longest + strlen(longest), 'x', sizeof longest - strlen(longest) - 1);
    assert_false(identify(longest, &peer));
    assert_string_equal(peer.san, "zipring:admin/7"); /* A refusal leaves it alone. */
}

/* ---- keys ------------------------------------------------------------------------------- */

static void
test_context_refuses_keys_that_do_not_fit(void **state)
{
    struct tls_context context = {0};
    char other[PATH_BYTES + 16];

    (void)state;
    (void)snprintf(other, sizeof other, "%s/other.pem", world.folder);
    write_pem(other, NULL, world.client.key);
    assert_int_equal(
        tls_context_open(&context, &world.library, world.certificate, other, world.ca_path),
        STATUS_INVALID);
    assert_int_equal(
        tls_context_open(&context, &world.library, "/nowhere", world.key, world.ca_path),
        STATUS_INVALID);
    assert_int_equal(
        tls_context_open(&context, &world.library, world.certificate, world.key, world.key),
        STATUS_INVALID);
    assert_null(context.ssl_context);
    assert_int_equal(ERR_peek_error(), 0);
}

static void
test_verbs_check_their_order(void **state)
{
    const struct client_kind kind = honest();
    size_t opened;

    (void)state;
    pair_open(&kind);
    expect_assert_failure((void)tls_open(&pair.server, pair.plain, sizeof pair.plain, &opened));
    expect_assert_failure((void)tls_seal(&pair.server, pair.plain, 1));
    tls_lend(&pair.server, pair.plain, 1);
    expect_assert_failure(tls_lend(&pair.server, pair.plain, 1));
    pair_close();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake_accepts_only_the_honest_client),
        cmocka_unit_test(test_handshake_survives_any_cut),
        cmocka_unit_test(test_handshake_fails_when_the_room_is_too_small),
        cmocka_unit_test(test_handshake_refuses_garbage),
        cmocka_unit_test(test_session_cannot_be_resumed),
        cmocka_unit_test(test_records_pass_both_ways),
        cmocka_unit_test(test_partial_record_is_seen),
        cmocka_unit_test(test_changed_record_ends_the_stream),
        cmocka_unit_test(test_stale_error_harms_nobody),
        cmocka_unit_test(test_close_notify_passes_both_ways),
        cmocka_unit_test(test_key_updates_are_counted),
        cmocka_unit_test(test_identity_is_the_key_and_one_uri),
        cmocka_unit_test(test_identity_refuses_what_is_not_one_uri),
        cmocka_unit_test(test_context_refuses_keys_that_do_not_fit),
        cmocka_unit_test(test_verbs_check_their_order),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
