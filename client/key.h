/*
 * key.h - the server's clock as the client knows it, and keys stamped with it.
 *
 * An op_id is a UUIDv7 (RFC 9562 section 5.7): 48 bits of Unix ms, then random. The server keeps
 * keys in time order and refuses those too far from its own clock, so the stamp is the server's
 * time, learnt from HELLO_OK and PING, and never this machine's wall clock, which nobody set.
 */
#ifndef ZR_CLIENT_KEY_H
#define ZR_CLIENT_KEY_H

#include "protocol/types.h"

#include <stdbool.h>
#include <stdint.h>

enum { ZRC_KEY_RANDOM_BYTES = 10 };

struct zrc_clock {
    uint64_t server_ms;  /* What the server said last, Unix ms. */
    uint64_t learned_ns; /* Own monotonic clock at that moment. */
    bool known;          /* It has said something. */
    /* The server's clock only moves when told to. A stamp may be days behind it, but minutes
     * ahead are refused, so nothing is added to what it said. */
    bool manual;
};

/* The server said `server_ms` at `now_ns` of the own monotonic clock. */
void zrc_clock_learn(struct zrc_clock *clock, uint64_t server_ms, uint64_t now_ns);

/* The server's clock at `now_ns`, Unix ms; 0 = not known yet. */
uint64_t zrc_clock_read(const struct zrc_clock *clock, uint64_t now_ns);

/* Make a key of a time and ZRC_KEY_RANDOM_BYTES random bytes. */
void zrc_key_make(struct zr_id *key, uint64_t unix_ms, const uint8_t *random);

#endif
