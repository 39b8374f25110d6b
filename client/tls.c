/*
 * tls.c - see tls.h.
 */
#include "client/tls.h"

#include "protocol/check.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length-prefixed, as in the extension. */
static const unsigned char alpn[] = "\x09zipring/1";

enum {
    ALPN_BYTES = sizeof alpn - 1,
    /* Any number: nobody looks for ours, and BIO_get_new_index() runs out after 127 clients. */
    BIO_TYPE = BIO_TYPE_SOURCE_SINK | 101,
    SECURITY_LEVEL = 2,
    CHAIN_DEPTH_MAX = 2,
};

/* ---- buffers --------------------------------------------------------------------------------- */

size_t
zrc_fifo_count(const struct zrc_fifo *fifo)
{
    CHECK(fifo->start <= fifo->end);
    CHECK(fifo->end <= fifo->capacity);
    return fifo->end - fifo->start;
}

size_t
zrc_fifo_compact(struct zrc_fifo *fifo)
{
    const size_t count = zrc_fifo_count(fifo);

    if (fifo->start > 0) {
        memmove(fifo->bytes, fifo->bytes + fifo->start, count);
        fifo->start = 0;
        fifo->end = count;
    }
    return fifo->capacity - fifo->end;
}

/* ---- the BIO: fixed buffers instead of a socket ---------------------------------------------- */

static int
bio_write(BIO *bio, const char *bytes, int count)
{
    struct zrc_fifo *const out = &((struct zrc_tls *)BIO_get_data(bio))->out;
    const size_t room = out->capacity - out->end;
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
    memcpy(out->bytes + out->end, bytes, part);
    out->end += part;
    return (int)part;
}

static int
bio_read(BIO *bio, char *bytes, int count)
{
    struct zrc_fifo *const in = &((struct zrc_tls *)BIO_get_data(bio))->in;
    const size_t there = zrc_fifo_count(in);
    size_t part;

    BIO_clear_retry_flags(bio);
    if (count <= 0) {
        return 0;
    }
    if (there == 0) { /* "Not yet", never "the end": only the socket knows that. */
        BIO_set_retry_read(bio);
        return -1;
    }
    part = (size_t)count < there ? (size_t)count : there;
    memcpy(bytes, in->bytes + in->start, part);
    in->start += part;
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
    BIO_METHOD *const method = BIO_meth_new(BIO_TYPE, "zipring");

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

/* ---- context --------------------------------------------------------------------------------- */

/* OpenSSL's reason of the last failure on this thread. */
static const char *
error_reason(void)
{
    const char *const reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason != NULL ? reason : "no reason given";
}

static bool
rules_set(SSL_CTX *context)
{
    char groups[] = "X25519:P-256"; /* An array: OpenSSL's macro casts const away. */

    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    /* The server has the CA: sending it too would cost it 4 KiB a connection. */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, ZRC_TLS_IN_BYTES);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(context, CHAIN_DEPTH_MAX);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:"
                                             "TLS_CHACHA20_POLY1305_SHA256:"
                                             "TLS_AES_256_GCM_SHA384") == 1 &&
           SSL_CTX_set1_groups_list(context, groups) == 1 &&
           SSL_CTX_set_alpn_protos(context, alpn, ALPN_BYTES) == 0; /* 0 is success here. */
}

/* The step at which loading failed; NULL when it did not. */
static const char *
context_load(SSL_CTX *context, const struct zrc_tls_files *files)
{
    if (!rules_set(context)) {
        return "TLS rules";
    }
    if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1) {
        return files->certificate;
    }
    if (SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        return files->key;
    }
    return SSL_CTX_load_verify_file(context, files->ca) == 1 ? NULL : files->ca;
}

bool
zrc_tls_context_open(struct zrc_tls_context *context, char *text, size_t text_bytes,
                     const struct zrc_tls_files *files)
{
    const char *failed_step = "OpenSSL";

    CHECK(context != NULL);
    CHECK(files->certificate != NULL);
    CHECK(files->key != NULL);
    CHECK(files->ca != NULL);

    ERR_clear_error();
    *context = (struct zrc_tls_context){.ssl_context = SSL_CTX_new(TLS_client_method()),
                                        .bio_method = bio_method_make()};
    if (context->ssl_context != NULL && context->bio_method != NULL) {
        failed_step = context_load(context->ssl_context, files);
    }
    if (failed_step != NULL) {
        (void)snprintf(text, text_bytes, "%s: %s", failed_step, error_reason());
        zrc_tls_context_close(context);
    }
    ERR_clear_error();
    return failed_step == NULL;
}

void
zrc_tls_context_close(struct zrc_tls_context *context)
{
    CHECK(context != NULL);

    SSL_CTX_free(context->ssl_context);
    BIO_meth_free(context->bio_method);
    *context = (struct zrc_tls_context){0};
}

/* ---- connection ------------------------------------------------------------------------------ */

bool
zrc_tls_init(struct zrc_tls *tls)
{
    CHECK(tls != NULL);

    *tls = (struct zrc_tls){
        .in = {.bytes = malloc(ZRC_TLS_IN_BYTES), .capacity = ZRC_TLS_IN_BYTES},
        .out = {.bytes = malloc(ZRC_TLS_OUT_BYTES), .capacity = ZRC_TLS_OUT_BYTES},
    };
    if (tls->in.bytes == NULL || tls->out.bytes == NULL) {
        zrc_tls_deinit(tls);
        return false;
    }
    return true;
}

void
zrc_tls_deinit(struct zrc_tls *tls)
{
    CHECK(tls != NULL);

    zrc_tls_stop(tls);
    free(tls->in.bytes);
    free(tls->out.bytes);
    *tls = (struct zrc_tls){0};
}

void
zrc_tls_stop(struct zrc_tls *tls)
{
    SSL_free(tls->ssl);
    tls->ssl = NULL;
    tls->established = false;
    tls->in.start = tls->in.end = 0;
    tls->out.start = tls->out.end = 0;
}

/* The host is an IP address: those are verified otherwise and are no server name. */
static bool
host_is_address(const char *host)
{
    ASN1_OCTET_STRING *const address = a2i_IPADDRESS(host);
    const bool is_address = address != NULL;

    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return is_address;
}

bool
zrc_tls_start(struct zrc_tls *tls, const struct zrc_tls_context *context, char *host)
{
    BIO *bio;

    CHECK(tls->ssl == NULL);
    CHECK(context->ssl_context != NULL);

    ERR_clear_error();
    tls->ssl = SSL_new(context->ssl_context);
    bio = BIO_new(context->bio_method);
    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        zrc_tls_stop(tls);
        return false;
    }
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_connect_state(tls->ssl);
    if (!host_is_address(host) && SSL_set_tlsext_host_name(tls->ssl, host) != 1) {
        zrc_tls_stop(tls);
        return false;
    }
    tls->text[0] = '\0';
    return true;
}

/* What a call that did not succeed means. Right after it, on the same thread. */
static enum zrc_tls_result
result_of_error(struct zrc_tls *tls, int rc)
{
    const int error = SSL_get_error(tls->ssl, rc);
    const long verify = SSL_get_verify_result(tls->ssl);

    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return ZRC_TLS_MORE;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
        return ZRC_TLS_CLOSED;
    }
    (void)snprintf(tls->text, sizeof tls->text, "%s%s%s", error_reason(),
                   verify != X509_V_OK ? ": " : "",
                   verify != X509_V_OK ? X509_verify_cert_error_string(verify) : "");
    ERR_clear_error();
    return ZRC_TLS_FAILED;
}

/*
 * The certificate of another role under the same CA is no server: where it lists alternative
 * names at all, the host must be one of them. OpenSSL has judged its purpose already.
 */
static bool
host_is_certified(const X509 *certificate, const char *host)
{
    X509 *const server = X509_dup(certificate);
    bool certified;

    if (server == NULL) {
        return false;
    }
    certified = X509_get_ext_by_NID(server, NID_subject_alt_name, -1) < 0 ||
                (host_is_address(host) ? X509_check_ip_asc(server, host, 0)
                                       : X509_check_host(server, host, 0, 0, NULL)) == 1;
    X509_free(server);
    return certified;
}

static bool
server_is_right(struct zrc_tls *tls, const char *host)
{
    const unsigned char *name = NULL;
    unsigned name_bytes = 0;
    const X509 *const certificate = SSL_get0_peer_certificate(tls->ssl);

    SSL_get0_alpn_selected(tls->ssl, &name, &name_bytes);
    if (name_bytes != ALPN_BYTES - 1 || memcmp(name, alpn + 1, name_bytes) != 0) {
        (void)snprintf(tls->text, sizeof tls->text, "the server does not speak zipring/1");
        return false;
    }
    if (certificate == NULL || !host_is_certified(certificate, host)) {
        (void)snprintf(tls->text, sizeof tls->text, "the server's certificate is not for %.80s",
                       host);
        return false;
    }
    return true;
}

enum zrc_tls_result
zrc_tls_handshake(struct zrc_tls *tls, const char *host)
{
    int rc;

    CHECK(tls->ssl != NULL);
    CHECK(!tls->established);

    (void)zrc_fifo_compact(&tls->out);
    ERR_clear_error();
    rc = SSL_do_handshake(tls->ssl);
    if (rc != 1) {
        return result_of_error(tls, rc);
    }
    if (!server_is_right(tls, host)) {
        return ZRC_TLS_FAILED;
    }
    tls->established = true;
    return ZRC_TLS_DONE;
}

enum zrc_tls_result
zrc_tls_open(struct zrc_tls *tls, size_t *opened, uint8_t *plain, size_t plain_capacity)
{
    int rc;

    CHECK(tls->established);
    CHECK(plain_capacity > 0);

    ERR_clear_error();
    rc = SSL_read_ex(tls->ssl, plain, plain_capacity, opened);
    if (rc != 1) {
        return result_of_error(tls, rc);
    }
    CHECK(*opened > 0);
    return ZRC_TLS_DONE;
}

bool
zrc_tls_has_room(struct zrc_tls *tls)
{
    return tls->out.capacity - tls->out.end >= ZRC_TLS_RECORD_ROOM ||
           zrc_fifo_compact(&tls->out) >= ZRC_TLS_RECORD_ROOM;
}

enum zrc_tls_result
zrc_tls_seal(struct zrc_tls *tls, const uint8_t *plain, size_t plain_count)
{
    size_t sealed = 0;
    int rc;

    CHECK(tls->established);
    CHECK(plain_count > 0);
    CHECK(plain_count <= ZRC_TLS_PLAIN_MAX);
    CHECK(tls->out.capacity - tls->out.end >= ZRC_TLS_RECORD_ROOM);

    ERR_clear_error();
    rc = SSL_write_ex(tls->ssl, plain, plain_count, &sealed);
    if (rc != 1) {
        return result_of_error(tls, rc);
    }
    /* There was room for the record, so it was not sealed in part. */
    return sealed == plain_count ? ZRC_TLS_DONE : ZRC_TLS_FAILED;
}

void
zrc_tls_finish(struct zrc_tls *tls)
{
    if (tls->ssl == NULL || !tls->established) {
        return;
    }
    (void)zrc_fifo_compact(&tls->out);
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl); /* Once: the peer's answer is not awaited. */
    ERR_clear_error();
}
