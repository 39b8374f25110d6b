/*
 * pki_digest.c - see pki_digest.h.
 */
#include "client/cli/pki_digest.h"

#include "protocol/check.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <stdlib.h>

struct pki_digest {
    EVP_MD_CTX *context;
    bool failed; /* Sticky. */
};

struct pki_digest *
pki_digest_open(void)
{
    struct pki_digest *digest = calloc(1, sizeof *digest);

    if (digest == NULL) {
        return NULL;
    }
    digest->context = EVP_MD_CTX_new();
    digest->failed =
        digest->context == NULL || EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1;
    return digest;
}

void
pki_digest_add(struct pki_digest *digest, const void *bytes, size_t bytes_count)
{
    CHECK(digest != NULL);
    digest->failed = digest->failed || EVP_DigestUpdate(digest->context, bytes, bytes_count) != 1;
}

bool
pki_digest_close(struct zr_hash *hash, struct pki_digest *digest)
{
    bool made;

    CHECK(digest != NULL);
    CHECK(hash != NULL);
    made = !digest->failed && EVP_DigestFinal_ex(digest->context, hash->bytes, NULL) == 1;
    EVP_MD_CTX_free(digest->context);
    free(digest);
    return made;
}

void
pki_sha256(struct zr_hash *hash, const void *bytes, size_t bytes_count)
{
    _Static_assert(sizeof hash->bytes == SHA256_DIGEST_LENGTH, "a hash is a SHA-256");
    SHA256(bytes, bytes_count, hash->bytes);
}
