/*
 * bits.h - fields whose bits have names: why a contractor is skipped, what stands against a claim,
 * how calls are delivered. The wire has numbers, people and scripts read and write the names.
 */
#ifndef ZR_CLI_BITS_H
#define ZR_CLI_BITS_H

#include <jansson.h>
#include <stdint.h>

/* The names of a field's bits, bit 0 first and ended by NULL; NULL when its bits have none. */
const char *const *bits_names(const char *field);

/* The bit of that name (case, '-' and '_' make no difference), or -1. */
int bits_find(const char *const *names, const char *text);

/* The names of the bits that are set; "BIT_20" for one that this build does not know. */
json_t *bits_json(const char *const *names, uint32_t bits);

/* What an event's `code` says (PROTOCOL.md "Events"), or NULL where it is a number or nothing. */
json_t *bits_event_code(uint8_t type, uint8_t code);

#endif
