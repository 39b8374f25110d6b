/*
 * tls_certificate.h - what `zipringd init` needs of a certificate file.
 */
#ifndef ZR_TLS_CERTIFICATE_H
#define ZR_TLS_CERTIFICATE_H

#include "server/base/request.h"
#include "server/base/status.h"

/*
 * SHA-256 of the SubjectPublicKeyInfo of the first certificate in a PEM file: the name under
 * which its principal is stored. INVALID when there is none.
 */
MUST_USE enum status tls_certificate_key_hash(const char *path, uint8_t key_hash[KEY_HASH_BYTES]);

#endif
