/*
 * mac.c - see mac.h. With net/tls the only place in the server that knows OpenSSL.
 *
 * A failing EVP call here is not an operating failure that could be refused: the algorithms
 * were fetched at start and the inputs are ours. So it is a CHECK.
 */
#include "server/base/mac.h"

#include "protocol/check.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A context, and the key that it is set up with: to start over with that one is half the cost. */
struct keyed {
    EVP_MAC_CTX *context;
    uint8_t key[MAC_KEY_BYTES];
    bool set;
};

/* A ROUTE takes two keys in turn, the callers' and that of the tickets; rotation adds others. */
enum { KEYED_COUNT = 4 };

struct mac {
    EVP_MAC *siphash;
    struct keyed keyed[KEYED_COUNT];
    unsigned oldest; /* The next to be given another key. */
    EVP_MD *sha256;
    EVP_MD_CTX *sha256_ctx;
};

struct mac *
mac_open(void)
{
    struct mac *mac = calloc(1, sizeof *mac);
    size_t bytes = MAC_BYTES;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &bytes),
                           OSSL_PARAM_construct_end()};

    CHECK(mac != NULL);
    mac->siphash = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    CHECK(mac->siphash != NULL);
    for (int i = 0; i < KEYED_COUNT; i++) {
        mac->keyed[i].context = EVP_MAC_CTX_new(mac->siphash);
        CHECK(mac->keyed[i].context != NULL);
        CHECK(EVP_MAC_CTX_set_params(mac->keyed[i].context, params) == 1);
    }
    mac->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    CHECK(mac->sha256 != NULL);
    mac->sha256_ctx = EVP_MD_CTX_new();
    CHECK(mac->sha256_ctx != NULL);
    return mac;
}

void
mac_close(struct mac *mac)
{
    if (mac == NULL) {
        return;
    }
    EVP_MD_CTX_free(mac->sha256_ctx);
    EVP_MD_free(mac->sha256);
    for (int i = 0; i < KEYED_COUNT; i++) {
        EVP_MAC_CTX_free(mac->keyed[i].context);
    }
    EVP_MAC_free(mac->siphash);
    OPENSSL_cleanse(mac, sizeof *mac);
    free(mac);
}

/* A context that is ready for a message under that key. */
static EVP_MAC_CTX *
keyed_start(struct mac *mac, const uint8_t key[MAC_KEY_BYTES])
{
    struct keyed *keyed;

    for (int i = 0; i < KEYED_COUNT; i++) {
        keyed = &mac->keyed[i];
        if (keyed->set && memcmp(keyed->key, key, MAC_KEY_BYTES) == 0) {
            CHECK(EVP_MAC_init(keyed->context, NULL, 0, NULL) == 1);
            return keyed->context;
        }
    }
    keyed = &mac->keyed[mac->oldest++ % KEYED_COUNT];
    memcpy(keyed->key, key, MAC_KEY_BYTES);
    keyed->set = true;
    CHECK(EVP_MAC_init(keyed->context, key, MAC_KEY_BYTES, NULL) == 1);
    return keyed->context;
}

void
mac_sign(struct mac *mac, uint8_t out[MAC_BYTES], const uint8_t key[MAC_KEY_BYTES],
         const uint8_t *bytes, size_t bytes_count)
{
    EVP_MAC_CTX *const context = keyed_start(mac, key);
    size_t written = 0;

    CHECK(bytes != NULL);
    CHECK(EVP_MAC_update(context, bytes, bytes_count) == 1);
    CHECK(EVP_MAC_final(context, out, &written, MAC_BYTES) == 1);
    CHECK(written == MAC_BYTES);
}

uint64_t
mac_hash_number(struct mac *mac, const uint8_t key[MAC_KEY_BYTES], uint64_t number)
{
    uint8_t out[MAC_BYTES];
    uint64_t hash;

    mac_sign(mac, out, key, (const uint8_t *)&number, sizeof number);
    memcpy(&hash, out, sizeof hash);
    return hash == 0 ? 1 : hash;
}

bool
mac_equal(const uint8_t left[MAC_BYTES], const uint8_t right[MAC_BYTES])
{
    return CRYPTO_memcmp(left, right, MAC_BYTES) == 0;
}

void
sha256_start(struct mac *mac)
{
    CHECK(EVP_DigestInit_ex2(mac->sha256_ctx, mac->sha256, NULL) == 1);
}

void
sha256_add(struct mac *mac, const void *bytes, size_t bytes_count)
{
    CHECK(EVP_DigestUpdate(mac->sha256_ctx, bytes, bytes_count) == 1);
}

void
sha256_finish(struct mac *mac, uint8_t out[SHA256_BYTES])
{
    unsigned written = 0;

    CHECK(EVP_DigestFinal_ex(mac->sha256_ctx, out, &written) == 1);
    CHECK(written == SHA256_BYTES);
}

void
sha256_of(struct mac *mac, uint8_t out[SHA256_BYTES], const void *bytes, size_t bytes_count)
{
    sha256_start(mac);
    sha256_add(mac, bytes, bytes_count);
    sha256_finish(mac, out);
}

void
random_fill(void *bytes, size_t bytes_count)
{
    uint8_t *next = bytes;

    while (bytes_count > 0) {
        const ssize_t got = getrandom(next, bytes_count, 0);

        CHECK(got > 0);
        next += got;
        bytes_count -= (size_t)got;
    }
}
