/*
 * tls_context.c - see tls.h: the rules that all connections share, and their self-test.
 *
 * An SSL_CTX is never changed once a connection was made from it: a reload makes a new one.
 */
#include "protocol/check.h"
#include "server/base/log.h"
#include "server/net/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <string.h>

/* Length-prefixed, as in the extension. */
static const unsigned char tls_alpn[] = "\x09" TLS_ALPN;

enum {
    TLS_ALPN_BYTES = sizeof tls_alpn - 1,
    TLS_BIO_TYPE = BIO_TYPE_SOURCE_SINK | 100, /* Any number: nobody looks for ours. */
    TLS_SECURITY_LEVEL = 2,
    SELF_TEST_STEPS_MAX = 8,
};

static const char tls_session_context[] = "zipring";

/* ---- the BIO: fixed buffers lent by the caller ------------------------------------------ */

static int
bio_write(BIO *bio, const char *bytes, int count)
{
    struct tls *const tls = BIO_get_data(bio);
    const size_t room = tls->out_capacity - tls->out_length;
    size_t part;

    BIO_clear_retry_flags(bio);
    if (count <= 0) {
        return 0;
    }
    if (room == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    part = (size_t)count < room ? (size_t)count : room;
    memcpy(tls->out + tls->out_length, bytes, part);
    tls->out_length += part;
    return (int)part;
}

static int
bio_read(BIO *bio, char *bytes, int count)
{
    struct tls *const tls = BIO_get_data(bio);
    size_t part;

    BIO_clear_retry_flags(bio);
    if (count <= 0) {
        return 0;
    }
    if (tls->in_count == 0) { /* "Not yet", never "the end": only the socket knows that. */
        tls->starved = true;
        BIO_set_retry_read(bio);
        return -1;
    }
    part = (size_t)count < tls->in_count ? (size_t)count : tls->in_count;
    memcpy(bytes, tls->in, part);
    tls->in += part;
    tls->in_count -= part;
    return (int)part;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int
bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *
bio_method_make(void)
{
    BIO_METHOD *const method = BIO_meth_new(TLS_BIO_TYPE, "zipring");

    if (method == NULL) {
        return NULL;
    }
    if (BIO_meth_set_write(method, bio_write) != 1 || BIO_meth_set_read(method, bio_read) != 1 ||
        BIO_meth_set_ctrl(method, bio_control) != 1 ||
        BIO_meth_set_create(method, bio_create) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

/* ---- what is refused in the handshake --------------------------------------------------- */

/* OpenSSL asks for a protocol only when the client offers some: a client without is met here. */
static int
client_hello_seen(SSL *ssl, int *alert, void *argument)
{
    const unsigned char *bytes;
    size_t bytes_count;

    (void)argument;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes,
                                  &bytes_count) == 1) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int
// NOLINTNEXTLINE(readability-function-size): OpenSSL dictates the parameters.
alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
            const unsigned char *offered, unsigned offered_bytes, void *argument)
{
    unsigned at = 0;

    (void)ssl;
    (void)argument;
    while (at < offered_bytes) {
        const unsigned name_bytes = offered[at];

        if (name_bytes > offered_bytes - at - 1) {
            break;
        }
        if (name_bytes == TLS_ALPN_BYTES - 1 &&
            memcmp(offered + at + 1, tls_alpn + 1, name_bytes) == 0) {
            *out = tls_alpn + 1;
            *out_bytes = TLS_ALPN_BYTES - 1;
            return SSL_TLSEXT_ERR_OK;
        }
        at += 1 + name_bytes;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/*
 * OpenSSL's own purpose check lets a certificate pass that has no extended key usage at all.
 * Ours must say clientAuth: a server's certificate of the same CA is no client.
 */
static int
certificate_seen(int ok_so_far, X509_STORE_CTX *store)
{
    X509 *const certificate = X509_STORE_CTX_get_current_cert(store);
    bool client;

    if (ok_so_far != 1 || X509_STORE_CTX_get_error_depth(store) != 0 || certificate == NULL) {
        return ok_so_far;
    }
    client = (X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) != 0 &&
             (X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT) != 0;
    if (!client) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE);
    }
    return client ? 1 : 0;
}

static bool
rules_set(SSL_CTX *context)
{
    char groups[] = "X25519:P-256"; /* Arrays: OpenSSL's macros cast const away. */
    char key_kinds[] = "ecdsa_secp256r1_sha256:ed25519";

    SSL_CTX_set_security_level(context, TLS_SECURITY_LEVEL);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(context, TLS_CERTIFICATES_BYTES_MAX);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       certificate_seen);
    SSL_CTX_set_verify_depth(context, TLS_CHAIN_DEPTH_MAX);
    SSL_CTX_set_client_hello_cb(context, client_hello_seen, NULL);
    SSL_CTX_set_alpn_select_cb(context, alpn_choose, NULL);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(context,
                                    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(context, groups) == 1 &&
           SSL_CTX_set1_client_sigalgs_list(context, key_kinds) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_max_early_data(context, 0) == 1 &&
           SSL_CTX_set_recv_max_early_data(context, 0) == 1 &&
           SSL_CTX_set_session_id_context(context, (const unsigned char *)tls_session_context,
                                          sizeof tls_session_context - 1) == 1;
}

/* ---- self-test: a handshake in memory --------------------------------------------------- */

/* Move what a client wrote to its memory BIO into the server, and back. */
static bool
self_test_step(SSL *client, struct tls *server, uint8_t *room)
{
    BIO *const to_client = SSL_get_rbio(client);
    BIO *const from_client = SSL_get_wbio(client);
    char *bytes = NULL;
    long count;

    ERR_clear_error();
    (void)SSL_do_handshake(client);
    count = BIO_get_mem_data(from_client, &bytes);
    if (count > 0) {
        tls_lend(server, (const uint8_t *)bytes, (size_t)count);
        tls_room(server, room, TLS_HANDSHAKE_OUT_MAX);
        (void)tls_accept(server);
        (void)BIO_write(to_client, room, (int)server->out_length);
        server->in_count = 0;
        (void)BIO_reset(from_client);
    }
    return SSL_is_init_finished(client) == 1;
}

/*
 * A client of ours reaches its end of the handshake only when the server's key signed what
 * its certificate says, in a flight that fits. It has no certificate, so the server then
 * refuses it: that is not the question here.
 */
static bool
self_test_run(SSL *client, const struct tls_context *context)
{
    uint8_t room[TLS_HANDSHAKE_OUT_MAX];
    struct tls server;
    bool finished = false;

    if (!tls_init(&server, context)) {
        return false;
    }
    for (int i = 0; i < SELF_TEST_STEPS_MAX && !finished && !server.failed; i++) {
        finished = self_test_step(client, &server, room);
    }
    tls_deinit(&server);
    return finished;
}

static bool
self_test(const struct tls_context *context)
{
    SSL_CTX *const client_context = SSL_CTX_new(TLS_client_method());
    SSL *client = NULL;
    BIO *to_client = BIO_new(BIO_s_mem());
    BIO *from_client = BIO_new(BIO_s_mem());
    bool passed = false;

    if (client_context == NULL || to_client == NULL || from_client == NULL) {
        goto free_bios;
    }
    client = SSL_new(client_context);
    if (client == NULL || SSL_set_alpn_protos(client, tls_alpn, TLS_ALPN_BYTES) != 0) {
        goto free_bios;
    }
    BIO_set_mem_eof_return(to_client, -1);
    SSL_set_bio(client, to_client, from_client);
    SSL_set_connect_state(client);
    to_client = NULL; /* Now the client's. */
    from_client = NULL;
    passed = self_test_run(client, context);

free_bios:
    BIO_free(to_client);
    BIO_free(from_client);
    SSL_free(client);
    SSL_CTX_free(client_context);
    return passed;
}

/* ---- open and close --------------------------------------------------------------------- */

/* The step at which loading failed; NULL when it did not. */
static const char *
context_load(struct tls_context *made, const char *certificate, const char *key,
             const char *clients_ca)
{
    STACK_OF(X509_NAME) * names;

    if (!rules_set(made->ssl_context)) {
        return "rules";
    }
    if (SSL_CTX_use_certificate_chain_file(made->ssl_context, certificate) != 1) {
        return "certificate";
    }
    if (SSL_CTX_use_PrivateKey_file(made->ssl_context, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(made->ssl_context) != 1) {
        return "key";
    }
    names = SSL_load_client_CA_file(clients_ca);
    if (names == NULL || SSL_CTX_load_verify_file(made->ssl_context, clients_ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return "clients_ca";
    }
    SSL_CTX_set_client_CA_list(made->ssl_context, names); /* Takes the list. */
    return self_test(made) ? NULL : "self_test";
}

bool
tls_library_open(struct tls_library *out)
{
    struct tls_library made;

    CHECK(out != NULL);
    made.bio_method = bio_method_make();
    made.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (made.bio_method == NULL || made.sha256 == NULL) {
        tls_library_close(&made);
        return false;
    }
    *out = made;
    return true;
}

void
tls_library_close(struct tls_library *library)
{
    CHECK(library != NULL);

    BIO_meth_free(library->bio_method);
    EVP_MD_free(library->sha256);
    *library = (struct tls_library){0};
}

enum status
tls_context_open(struct tls_context *out, const struct tls_library *library,
                 const char *certificate, const char *key, const char *clients_ca)
{
    struct tls_context made = {.library = library};
    const char *failed_step = "memory";

    CHECK(out != NULL);
    CHECK(library->bio_method != NULL);
    CHECK(certificate != NULL);
    CHECK(key != NULL);
    CHECK(clients_ca != NULL);

    ERR_clear_error();
    made.ssl_context = SSL_CTX_new(TLS_server_method());
    if (made.ssl_context != NULL) {
        failed_step = context_load(&made, certificate, key, clients_ca);
    }
    if (failed_step != NULL) {
        log_line(LOG_LEVEL_ERROR, "tls_load_failed",
                 "step=%s certificate=\"%s\" key=\"%s\" clients_ca=\"%s\" error=\"%s\"",
                 failed_step, certificate, key, clients_ca, tls_error());
        ERR_clear_error();
        tls_context_close(&made);
        return STATUS_INVALID;
    }
    ERR_clear_error();
    *out = made;
    return STATUS_OK;
}

void
tls_context_close(struct tls_context *context)
{
    CHECK(context != NULL);

    SSL_CTX_free(context->ssl_context);
    *context = (struct tls_context){0};
}
