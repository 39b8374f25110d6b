/*
 * tls.c - see tls.h: one connection.
 *
 * OpenSSL's error queue belongs to the thread, not to the connection: an entry left by one
 * connection makes the next SSL_read on a healthy one fail. So every SSL_* that can fail is
 * preceded by ERR_clear_error and followed by SSL_get_error, in this file only.
 */
#include "server/net/tls.h"

#include "protocol/check.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <string.h>

/* ---- the peer's messages that we count -------------------------------------------------- */

/* The shape is that of SSL_set_msg_callback. */
static void
// NOLINTNEXTLINE(readability-function-size): OpenSSL dictates the parameters.
message_seen(int written, int version, int content_type, const void *bytes, size_t bytes_count,
             SSL *ssl, void *argument)
{
    const uint8_t *const message = bytes;
    struct tls *const tls = argument;

    (void)version;
    (void)ssl;
    if (written == 0 && content_type == SSL3_RT_HANDSHAKE && bytes_count > 0 &&
        message[0] == SSL3_MT_KEY_UPDATE) {
        tls->key_updates++;
    }
}

bool
tls_init(struct tls *tls, const struct tls_context *context)
{
    SSL *ssl;
    BIO *bio;

    CHECK(tls != NULL);
    CHECK(context->ssl_context != NULL);

    ERR_clear_error();
    ssl = SSL_new(context->ssl_context);
    if (ssl == NULL) {
        return false;
    }
    bio = BIO_new(context->library->bio_method);
    if (bio == NULL) {
        SSL_free(ssl);
        return false;
    }
    *tls = (struct tls){.ssl = ssl};
    BIO_set_data(bio, tls);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_msg_callback(ssl, message_seen);
    SSL_set_msg_callback_arg(ssl, tls);
    SSL_set_accept_state(ssl);
    return true;
}

void
tls_deinit(struct tls *tls)
{
    CHECK(tls != NULL);

    SSL_free(tls->ssl);
    *tls = (struct tls){0};
}

void
tls_lend(struct tls *tls, const uint8_t *bytes, size_t bytes_count)
{
    CHECK(tls->ssl != NULL);
    CHECK(tls->in_count == 0);

    tls->in = bytes;
    tls->in_count = bytes_count;
}

void
tls_drop(struct tls *tls)
{
    tls->in = NULL;
    tls->in_count = 0;
}

void
tls_room(struct tls *tls, uint8_t *bytes, size_t capacity)
{
    CHECK(tls->ssl != NULL);
    CHECK(bytes != NULL || capacity == 0);

    tls->out = bytes;
    tls->out_capacity = capacity;
    tls->out_length = 0;
}

/* ---- the four verbs --------------------------------------------------------------------- */

/*
 * Judge the return code of an SSL_* call. WANT_WRITE means that the room was too small,
 * which the caller's arithmetic excludes for honest peers: it ends the connection.
 */
static enum tls_result
result_of(struct tls *tls, int rc)
{
    switch (SSL_get_error(tls->ssl, rc)) {
    case SSL_ERROR_NONE:
        return TLS_DONE;
    case SSL_ERROR_WANT_READ:
        return TLS_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        tls->failed = true;
        return TLS_FAILED;
    }
}

enum tls_result
tls_accept(struct tls *tls)
{
    enum tls_result result;

    CHECK(tls->ssl != NULL);
    CHECK(!tls->established);
    if (tls->failed) {
        return TLS_FAILED;
    }
    tls->starved = false;
    ERR_clear_error();
    result = result_of(tls, SSL_do_handshake(tls->ssl));
    /* Not an end of a handshake: close_notify, or asking for more while there is more. */
    if (result == TLS_CLOSED || (result == TLS_MORE && !tls->starved)) {
        tls->failed = true;
        result = TLS_FAILED;
    }
    tls->established = result == TLS_DONE;
    return result;
}

enum tls_result
tls_open(struct tls *tls, uint8_t *plain, size_t plain_capacity, size_t *opened)
{
    enum tls_result result;
    int rc;

    CHECK(tls->established);
    CHECK(plain_capacity >= TLS_RECORD_PLAIN_MAX);
    CHECK(plain_capacity <= INT_MAX);

    *opened = 0;
    if (tls->failed) {
        return TLS_FAILED;
    }
    tls->starved = false;
    ERR_clear_error();
    rc = SSL_read(tls->ssl, plain, (int)plain_capacity);
    if (rc > 0) {
        *opened = (size_t)rc;
        return TLS_DONE;
    }
    result = result_of(tls, rc);
    /* Without AUTO_RETRY a record that holds no data also ends as "more". */
    return result == TLS_MORE && !tls->starved ? TLS_DONE : result;
}

enum tls_result
tls_seal(struct tls *tls, const uint8_t *plain, size_t plain_count)
{
    CHECK(tls->established);
    CHECK(plain_count > 0);

    while (plain_count > 0 && !tls->failed) {
        const size_t part =
            plain_count < TLS_RECORD_PLAIN_MAX ? plain_count : (size_t)TLS_RECORD_PLAIN_MAX;
        int rc;

        CHECK(tls->out_capacity - tls->out_length >= part + TLS_RECORD_OVERHEAD_MAX);
        ERR_clear_error();
        rc = SSL_write(tls->ssl, plain, (int)part);
        if (rc <= 0) {
            (void)result_of(tls, rc);
            tls->failed = true; /* Also for MORE: a reply cannot wait for a read. */
            break;
        }
        CHECK((size_t)rc == part);
        plain += part;
        plain_count -= part;
    }
    return tls->failed ? TLS_FAILED : TLS_DONE;
}

void
tls_finish(struct tls *tls)
{
    CHECK(tls->ssl != NULL);

    /* Not inside a handshake and not after a failure: OpenSSL forbids both. */
    if (tls->established && !tls->failed) {
        ERR_clear_error();
        (void)SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
}

bool
tls_has_input(const struct tls *tls)
{
    return tls->in_count > 0 || SSL_has_pending(tls->ssl) == 1;
}

bool
tls_has_partial(const struct tls *tls)
{
    /* A header without a byte of its body is not "pending", but OpenSSL then reads a body. */
    return tls_has_input(tls) || strcmp(SSL_rstate_string(tls->ssl), "RB") == 0;
}

void
tls_thread_stop(void)
{
    ERR_clear_error();
    OPENSSL_thread_stop();
}

const char *
tls_error(void)
{
    const char *const reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason == NULL ? "none given" : reason;
}

/* ---- who the peer is -------------------------------------------------------------------- */

/* Copy the URI of a SAN. False: it does not fit, or hides bytes behind a NUL. */
static bool
uri_copy(char *san, const ASN1_IA5STRING *uri)
{
    const int length = ASN1_STRING_length(uri);
    const unsigned char *const bytes = ASN1_STRING_get0_data(uri);

    if (length <= 0 || length >= PEER_SAN_BYTES_MAX) {
        return false;
    }
    if (memchr(bytes, '\0', (size_t)length) != NULL) {
        return false;
    }
    memcpy(san, bytes, (size_t)length);
    san[length] = '\0';
    return true;
}

static bool
identify_san(char *san, const X509 *certificate)
{
    GENERAL_NAMES *names;
    int uris_count = 0;
    bool fits = true;

    names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *const name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_URI) {
            uris_count++;
            fits = fits && uri_copy(san, name->d.uniformResourceIdentifier);
        }
    }
    GENERAL_NAMES_free(names);
    return fits && uris_count <= 1;
}

static bool
identify_key(uint8_t *key_hash, X509 *certificate, const EVP_MD *sha256)
{
    unsigned char *der = NULL;
    unsigned hash_bytes = 0;
    const int der_bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    int rc;

    if (der_bytes <= 0) {
        return false;
    }
    rc = EVP_Digest(der, (size_t)der_bytes, key_hash, &hash_bytes, sha256, NULL);
    OPENSSL_free(der);
    return rc == 1 && hash_bytes == KEY_HASH_BYTES;
}

bool
tls_identify(const struct tls *tls, const struct tls_context *context, struct peer_identity *peer)
{
    struct peer_identity found = {0};
    X509 *certificate;
    bool known;

    CHECK(tls->established);
    CHECK(peer != NULL);

    certificate = SSL_get0_peer_certificate(tls->ssl);
    if (certificate == NULL) {
        return false;
    }
    known = identify_key(found.key_hash, certificate, context->library->sha256) &&
            identify_san(found.san, certificate);
    ERR_clear_error();
    if (known) {
        *peer = found;
    }
    return known;
}
