/*
 * admission.h - who may begin a handshake: the checks that cost nanoseconds, before the one
 * that costs a millisecond.
 *
 * A token bucket for the worker and one per source prefix. The prefixes share a fixed table:
 * four places per bucket of a keyed hash, where the one that has the most tokens makes room.
 * Forgetting that one is the least unjust, for a full bucket is the same as none.
 */
#ifndef ZR_ADMISSION_H
#define ZR_ADMISSION_H

#include "server/net/listener.h"

#include <stdbool.h>
#include <stdint.h>

enum { ADMISSION_SETS = 1024, ADMISSION_WAYS = 4, TOKEN_RATE_MAX = 1000000 };

/* Tokens are counted in thousandths, so that a slow rate refills a fast clock exactly. */
struct token_bucket {
    uint64_t filled_ns; /* When `milli` was right. */
    uint64_t milli;
};

struct token_rate {
    uint32_t per_s; /* 0: no limit. */
    uint32_t burst;
};

struct admission_place {
    struct source_prefix prefix;
    struct token_bucket bucket;
    bool used;
};

struct admission {
    struct token_rate rate;
    struct token_rate prefix_rate;
    struct token_bucket bucket;
    uint64_t secret; /* Of the hash: a peer cannot choose whom it collides with. */
    struct admission_place places[ADMISSION_SETS][ADMISSION_WAYS];
};

void admission_init(struct admission *admission, struct token_rate rate,
                    struct token_rate prefix_rate, uint64_t secret);

/* One accept of the worker's rate. Asked first, because it needs no system call. */
bool admission_take(struct admission *admission, uint64_t now_ns);

/* One accept of the prefix's rate. */
bool admission_take_prefix(struct admission *admission, const struct source_prefix *prefix,
                           uint64_t now_ns);

#endif
