/*
 * pki.h - the throw-away CA of `zipring dev`, and the hash that names a principal.
 *
 * P-256 keys, certificates of ten years, files D/NAME.pem and D/NAME.key (0600). Not for
 * production: the CA's key lies beside what it signed.
 */
#ifndef ZR_CLI_PKI_H
#define ZR_CLI_PKI_H

#include "protocol/types.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdint.h>

enum { PKI_ERROR_BYTES = 256, PKI_PATH_MAX = 1024 };

struct pki {
    char folder[PKI_PATH_MAX];
    char error[PKI_ERROR_BYTES]; /* Why the last call said false. */
    EVP_PKEY *key;               /* The CA's. */
    X509 *certificate;
};

/* Load the CA of the folder, or make it when there is none. Free with pki_close(), also on false.
 */
bool pki_open(struct pki *pki, const char *folder);
void pki_close(struct pki *pki);

/* Issue NAME.pem for 127.0.0.1 and localhost, EKU serverAuth. An existing one is kept. */
bool pki_issue_server(struct pki *pki, const char *name);

/*
 * Issue NAME.pem, EKU clientAuth, with the one URI SAN urn:zipring:tenant:T:role:R. An existing one
 * is kept.
 */
bool pki_issue_client(struct pki *pki, const char *name, uint32_t tenant, uint8_t role);

/* SHA-256 of the SubjectPublicKeyInfo of the first certificate in a PEM file. */
bool pki_key_hash(struct zr_hash *hash, const char *file, char error[PKI_ERROR_BYTES]);

#endif
