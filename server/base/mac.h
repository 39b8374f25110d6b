/*
 * mac.h - keyed and unkeyed hashes, from OpenSSL.
 *
 * SipHash-2-4 with 128-bit output signs route tickets (RFC 9018 chose it for the same kind of
 * short-lived token; XXH3 is no MAC, HMAC costs three times as much). SHA-256 chains the
 * journal and hashes the state. Algorithms are fetched once; a context belongs to one thread.
 */
#ifndef ZR_MAC_H
#define ZR_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAC_KEY_BYTES = 16, MAC_BYTES = 16, SHA256_BYTES = 32 };

struct mac;

/* Make a context for one thread. Never NULL: no memory for it at start is the end. */
struct mac *mac_open(void);
void mac_close(struct mac *mac);

/* SipHash-2-4-128 of the bytes under a 16-byte key. */
void mac_sign(struct mac *mac, uint8_t out[MAC_BYTES], const uint8_t key[MAC_KEY_BYTES],
              const uint8_t *bytes, size_t bytes_count);

/* A keyed hash of a number, never 0: how callers are known (M1). */
uint64_t mac_hash_number(struct mac *mac, const uint8_t key[MAC_KEY_BYTES], uint64_t number);

/* Compare in constant time. */
bool mac_equal(const uint8_t left[MAC_BYTES], const uint8_t right[MAC_BYTES]);

/* SHA-256 in three steps, and at once. */
void sha256_start(struct mac *mac);
void sha256_add(struct mac *mac, const void *bytes, size_t bytes_count);
void sha256_finish(struct mac *mac, uint8_t out[SHA256_BYTES]);
void sha256_of(struct mac *mac, uint8_t out[SHA256_BYTES], const void *bytes, size_t bytes_count);

/* Fill with bytes from the kernel's generator. Never on a path that must be deterministic. */
void random_fill(void *bytes, size_t bytes_count);

#endif
