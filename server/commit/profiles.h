/*
 * profiles.h - a contractor's profile as decisions read it, gathered from its rows.
 *
 * Blocked callers stand in the rows as numbers, because people edit them. A ticket carries only
 * the caller's keyed hash, so the numbers become hashes here, under the same key.
 */
#ifndef ZR_PROFILES_H
#define ZR_PROFILES_H

#include "server/base/mac.h"
#include "server/domain/eligibility.h"

struct profile_reader {
    struct mac *mac;
    const uint8_t *caller_key; /* MAC_KEY_BYTES of the network's. */
};

/* Fill *profile with the rows that contractor->profile says there are; the others are left. */
void profile_read(struct eligibility_profile *profile, const struct profile_reader *reader,
                  struct state *state, uint32_t contractor, const struct contractor_row *row);

#endif
