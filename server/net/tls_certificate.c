/*
 * tls_certificate.c - see tls_certificate.h.
 */
#include "server/net/tls_certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdio.h>

enum status
tls_certificate_key_hash(const char *path, uint8_t key_hash[KEY_HASH_BYTES])
{
    FILE *file = fopen(path, "re");
    X509 *certificate;
    uint8_t *der = NULL;
    unsigned hash_bytes = 0;
    int der_bytes = -1;
    bool done = false;

    if (file == NULL) {
        return STATUS_INVALID;
    }
    certificate = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file);
    if (certificate != NULL) {
        der_bytes = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    }
    if (der_bytes > 0) {
        done = EVP_Digest(der, (size_t)der_bytes, key_hash, &hash_bytes, EVP_sha256(), NULL) == 1 &&
               hash_bytes == KEY_HASH_BYTES;
    }
    OPENSSL_free(der);
    X509_free(certificate);
    return done ? STATUS_OK : STATUS_INVALID;
}
