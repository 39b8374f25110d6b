/*
 * profiles.c - see profiles.h.
 */
#include "server/commit/profiles.h"

static void
callers_hash(struct filters_row *filters, const struct profile_reader *reader)
{
    for (int i = 0; i < FILTER_CALLERS_MAX; i++) {
        if (filters->blocked[i] != 0) {
            filters->blocked[i] =
                mac_hash_number(reader->mac, reader->caller_key, filters->blocked[i]);
        }
    }
}

void
profile_read(struct eligibility_profile *profile, const struct profile_reader *reader,
             struct state *state, uint32_t contractor, const struct contractor_row *row)
{
    profile->bits = 0;
    if ((row->profile & PROFILE_SCHEDULE) != 0 &&
        state_schedule_get(state, contractor, &profile->schedule)) {
        profile->bits |= PROFILE_SCHEDULE;
    }
    if ((row->profile & PROFILE_CAPS) != 0 && state_caps_get(state, contractor, &profile->caps)) {
        profile->bits |= PROFILE_CAPS;
    }
    if ((row->profile & (PROFILE_USAGE | PROFILE_CAPS)) != 0) {
        /* Caps without a usage row count from 0. */
        profile->usage = (struct usage_row){0};
        (void)state_usage_get(state, contractor, &profile->usage);
        profile->bits |= PROFILE_USAGE;
    }
    if ((row->profile & PROFILE_FILTERS) != 0 &&
        state_filters_get(state, contractor, &profile->filters)) {
        callers_hash(&profile->filters, reader);
        profile->bits |= PROFILE_FILTERS;
    }
}
