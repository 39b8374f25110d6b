/*
 * key.c - see key.h.
 */
#include "client/key.h"

#include "protocol/check.h"

#include <string.h>

enum { NS_PER_MS = 1000000, TIME_BYTES = 6 };

void
zrc_clock_learn(struct zrc_clock *clock, uint64_t server_ms, uint64_t now_ns)
{
    CHECK(clock != NULL);

    clock->server_ms = server_ms;
    clock->learned_ns = now_ns;
    clock->known = true;
}

uint64_t
zrc_clock_read(const struct zrc_clock *clock, uint64_t now_ns)
{
    CHECK(clock != NULL);

    if (!clock->known) {
        return 0;
    }
    if (clock->manual || now_ns <= clock->learned_ns) {
        return clock->server_ms;
    }
    return clock->server_ms + (now_ns - clock->learned_ns) / NS_PER_MS;
}

void
zrc_key_make(struct zr_id *key, uint64_t unix_ms, const uint8_t *random)
{
    CHECK(key != NULL);
    CHECK(random != NULL);

    for (unsigned i = 0; i < TIME_BYTES; i++) {
        key->bytes[i] = (uint8_t)(unix_ms >> (8 * (TIME_BYTES - 1 - i)));
    }
    memcpy(key->bytes + TIME_BYTES, random, ZRC_KEY_RANDOM_BYTES);
    key->bytes[6] = (uint8_t)(0x70 | (key->bytes[6] & 0x0F)); /* Version 7. */
    key->bytes[8] = (uint8_t)(0x80 | (key->bytes[8] & 0x3F)); /* Variant 10. */
}
