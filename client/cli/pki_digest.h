/*
 * pki_digest.h - SHA-256, at once or over pieces.
 */
#ifndef ZR_CLI_PKI_DIGEST_H
#define ZR_CLI_PKI_DIGEST_H

#include "protocol/types.h"

#include <stdbool.h>
#include <stddef.h>

struct pki_digest;

/* Begin; NULL when there is no memory. */
struct pki_digest *pki_digest_open(void);

/* Add bytes. A failure is kept and said at the end. */
void pki_digest_add(struct pki_digest *digest, const void *bytes, size_t bytes_count);

/* End and free. False: the hash could not be made. */
bool pki_digest_close(struct zr_hash *hash, struct pki_digest *digest);

/* Of one piece. */
void pki_sha256(struct zr_hash *hash, const void *bytes, size_t bytes_count);

#endif
