/*
 * text.h - scalars as people and scripts write them: ids, hashes, tickets, money, time.
 *
 * Every parser is strict: the whole text has to be the value, nothing is guessed, and *value is
 * written only on success. Every writer makes what its parser takes.
 */
#ifndef ZR_CLI_TEXT_H
#define ZR_CLI_TEXT_H

#include "protocol/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TEXT_ID_BYTES = 37,    /* "0190a5e4-....", with its NUL. */
    TEXT_HASH_BYTES = 65,  /* 64 hex digits, with the NUL. */
    TEXT_TIME_BYTES = 32,  /* "2024-05-01T12:00:00.000Z", with the NUL. */
    TEXT_BASE64_MAX = 260, /* Of 192 bytes, with the NUL. */
};

/* Decimal digits only, at most `max`. */
bool text_to_unsigned(uint64_t *value, const char *text, uint64_t max);

/* Decimal digits with an optional minus. */
bool text_to_signed(int64_t *value, const char *text, int64_t min, int64_t max);

/*
 * A decimal fraction times 10^digits, rounded half away from zero: ("-66.75266", 5) is -6675266.
 * Integer arithmetic: a coordinate has one value on every machine.
 */
bool text_to_scaled(int64_t *value, const char *text, unsigned digits);

/* Canonical UUID text, 8-4-4-4-12 hex digits of either case. */
bool text_to_id(struct zr_id *id, const char *text);
void text_from_id(char text[TEXT_ID_BYTES], const struct zr_id *id);
bool text_id_is_zero(const struct zr_id *id);

/* A call id (protocol.md "Ids"): a UUID as it is, else the first 16 bytes of the text's SHA-256. */
void text_to_call_id(struct zr_id *id, const char *text);

/* A random UUID (version 4). False when the system gives no random bytes. */
bool text_random_id(struct zr_id *id);

/* 64 hex digits; colons between pairs are taken too, as openssl prints them. */
bool text_to_hash(struct zr_hash *hash, const char *text);
void text_from_hash(char text[TEXT_HASH_BYTES], const struct zr_hash *hash);

/* base64url without padding (RFC 4648 section 5). `text` holds TEXT_BASE64_MAX bytes. */
void text_from_bytes(char *text, const uint8_t *bytes, size_t bytes_count);
bool text_to_bytes(uint8_t *bytes, uint16_t *bytes_count, uint16_t bytes_max, const char *text);

/* Five digits. */
bool text_to_zip(uint32_t *zip, const char *text);

/* "+17135550100", the plus may be left out. */
bool text_to_e164(uint64_t *number, const char *text);

/* A STIR/SHAKEN level: A is 1, B 2, C 3; any or unknown 0. */
bool text_to_attestation(uint8_t *level, const char *text);

/* "72h", "1h30m", "500ms", "3d", "0". A number without a unit is refused unless it is 0. */
bool text_to_duration(uint64_t *duration_ms, const char *text);

/* Unix ms, "2024-05-01T12:00:00Z" (UTC), "2024-05-01" or "now" (0). */
bool text_to_time(uint64_t *time_ms, const char *text);
void text_from_time(char text[TEXT_TIME_BYTES], uint64_t time_ms);

/* The number of an enumeration's value by its name; case, '-' and '_' make no difference. */
bool text_to_enum(uint8_t *value, const char *text, const struct zr_enum_value *values);

/* The name of a role in lower case, as files of the dev folder are called. */
void text_role_file(char *name, size_t name_bytes, uint8_t role);

#endif
