/*
 * admission.c - see admission.h.
 */
#include "server/net/admission.h"

#include "protocol/check.h"

#include <string.h>
#include <xxhash.h>

enum { TOKEN_MILLI = 1000 };

static const uint64_t second_ns = 1000000000U;

/* What the bucket holds now. */
static uint64_t
bucket_level(const struct token_bucket *bucket, struct token_rate rate, uint64_t now_ns)
{
    const uint64_t full = (uint64_t)rate.burst * TOKEN_MILLI;
    uint64_t passed_ns = now_ns - bucket->filled_ns;
    uint64_t level;

    CHECK(now_ns >= bucket->filled_ns);
    /* An hour fills any bucket that a configuration can ask for, and cannot overflow. */
    if (passed_ns > 3600 * second_ns) {
        return full;
    }
    level = bucket->milli + passed_ns / 1000 * rate.per_s * TOKEN_MILLI / 1000000U;
    return level < full ? level : full;
}

static bool
bucket_take(struct token_bucket *bucket, struct token_rate rate, uint64_t now_ns)
{
    const uint64_t level = bucket_level(bucket, rate, now_ns);

    if (level < TOKEN_MILLI) {
        return false; /* filled_ns stays: many refusals must not lose the fractions. */
    }
    bucket->milli = level - TOKEN_MILLI;
    bucket->filled_ns = now_ns;
    return true;
}

void
admission_init(struct admission *admission, struct token_rate rate, struct token_rate prefix_rate,
               uint64_t secret)
{
    CHECK(admission != NULL);
    CHECK(rate.per_s == 0 || rate.burst > 0);
    CHECK(prefix_rate.per_s == 0 || prefix_rate.burst > 0);
    CHECK(rate.per_s <= TOKEN_RATE_MAX);
    CHECK(prefix_rate.per_s <= TOKEN_RATE_MAX);

    memset(admission, 0, sizeof *admission);
    admission->rate = rate;
    admission->prefix_rate = prefix_rate;
    admission->bucket.milli = (uint64_t)rate.burst * TOKEN_MILLI;
    admission->secret = secret;
}

bool
admission_take(struct admission *admission, uint64_t now_ns)
{
    return admission->rate.per_s == 0 || bucket_take(&admission->bucket, admission->rate, now_ns);
}

/* The prefix's place: its own, else a free one, else the fullest of its set. */
static struct admission_place *
place_find(struct admission *admission, const struct source_prefix *prefix, uint64_t now_ns)
{
    const uint64_t hash =
        XXH3_64bits_withSeed(prefix->bytes, sizeof prefix->bytes, admission->secret);
    struct admission_place *const set = admission->places[hash % ADMISSION_SETS];
    struct admission_place *victim = &set[0];
    uint64_t victim_level = 0;

    for (uint32_t i = 0; i < ADMISSION_WAYS; i++) {
        const uint64_t level =
            set[i].used ? bucket_level(&set[i].bucket, admission->prefix_rate, now_ns) : UINT64_MAX;

        if (set[i].used && memcmp(&set[i].prefix, prefix, sizeof *prefix) == 0) {
            return &set[i];
        }
        if (level >= victim_level) {
            victim_level = level;
            victim = &set[i];
        }
    }
    *victim = (struct admission_place){
        .prefix = *prefix,
        .bucket = {.filled_ns = now_ns,
                   .milli = (uint64_t)admission->prefix_rate.burst * TOKEN_MILLI},
        .used = true,
    };
    return victim;
}

bool
admission_take_prefix(struct admission *admission, const struct source_prefix *prefix,
                      uint64_t now_ns)
{
    CHECK(prefix != NULL);

    return admission->prefix_rate.per_s == 0 ||
           bucket_take(&place_find(admission, prefix, now_ns)->bucket, admission->prefix_rate,
                       now_ns);
}
