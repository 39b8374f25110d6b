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

struct mac {
    EVP_MAC *siphash;
    EVP_MAC_CTX *siphash_ctx;
    EVP_MD *sha256;
    EVP_MD_CTX *sha256_ctx;
    uint8_t key[MAC_KEY_BYTES]; /* Key that siphash_ctx is set up with. */
    bool keyed;
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
    mac->siphash_ctx = EVP_MAC_CTX_new(mac->siphash);
    CHECK(mac->siphash_ctx != NULL);
    CHECK(EVP_MAC_CTX_set_params(mac->siphash_ctx, params) == 1);
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
    EVP_MAC_CTX_free(mac->siphash_ctx);
    EVP_MAC_free(mac->siphash);
    OPENSSL_cleanse(mac, sizeof *mac);
    free(mac);
}

void
mac_sign(struct mac *mac, uint8_t out[MAC_BYTES], const uint8_t key[MAC_KEY_BYTES],
         const uint8_t *bytes, size_t bytes_count)
{
    size_t written = 0;
    const bool same_key = mac->keyed && memcmp(mac->key, key, MAC_KEY_BYTES) == 0;

    CHECK(bytes != NULL);
    /* Without a key the context starts over with the one that it has: half the cost. */
    CHECK(EVP_MAC_init(mac->siphash_ctx, same_key ? NULL : key, same_key ? 0 : MAC_KEY_BYTES,
                       NULL) == 1);
    memcpy(mac->key, key, MAC_KEY_BYTES);
    mac->keyed = true;
    CHECK(EVP_MAC_update(mac->siphash_ctx, bytes, bytes_count) == 1);
    CHECK(EVP_MAC_final(mac->siphash_ctx, out, &written, MAC_BYTES) == 1);
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
