/*
 * publish.c - see publish.h.
 */
#include "server/commit/publish.h"

#include "protocol/check.h"

enum {
    CHANGES_MAX = 4096, /* Contractors that one batch may touch. */
    SLOTS_MAX = 4096,   /* Slots that it may change. */
    RINGS_MAX = 32,     /* Contractors in one RINGS command. */
};

struct slot_change {
    uint64_t number;
    struct slot_row row; /* As it is after the commit. */
};

/* A unit that a command opened, saw or closed: true once the batch is durable, and not before. */
struct unit_change {
    struct effects effects;
    uint64_t now_ms;
};

struct publish {
    struct publish_options options;
    struct hot_change *changes;
    uint32_t changes_count;
    uint32_t *change_index; /* By contractor: index + 1 in changes, of this batch only. */
    struct slot_change *slots;
    uint32_t slots_count;
    struct unit_change *units; /* At most one for each command of the batch, in order. */
    uint32_t units_count;
    struct job **leases; /* Jobs of the batch that brought a lease along. */
    uint32_t leases_count;
};

struct publish *
publish_open(const struct publish_options *options)
{
    struct arena *arena = options->arena;
    struct publish *publish = arena_take(arena, sizeof *publish, "publish: its head");

    publish->options = *options;
    publish->changes = arena_take(arena, CHANGES_MAX * sizeof *publish->changes,
                                  "publish: contractors of a batch");
    publish->change_index =
        arena_take(arena, hot_contractors_max(options->hot) * sizeof *publish->change_index,
                   "publish: contractors of a batch, by number");
    publish->slots =
        arena_take(arena, SLOTS_MAX * sizeof *publish->slots, "publish: slots of a batch");
    publish->units = arena_take(arena, options->commands_max * sizeof *publish->units,
                                "publish: units that a batch opens and closes");
    publish->leases = arena_take(arena, options->jobs_max * sizeof(struct job *),
                                 "publish: jobs of a batch that bring a lease");
    return publish;
}

bool
publish_has_room(const struct publish *publish)
{
    /* Those of a unit, a lease and the rings come on top of those that the rules touch. */
    return publish->changes_count + STATE_CONTRACTORS_MAX + 2 + RINGS_MAX < CHANGES_MAX &&
           publish->slots_count + STATE_SLOTS_MAX < SLOTS_MAX &&
           publish->units_count < publish->options.commands_max;
}

static struct hot_change *
change_of(struct publish *publish, uint32_t contractor)
{
    uint32_t *index = &publish->change_index[contractor];

    CHECK(contractor < hot_contractors_max(publish->options.hot));
    if (*index == 0) {
        CHECK(publish->changes_count < CHANGES_MAX);
        publish->changes[publish->changes_count++] = (struct hot_change){.contractor = contractor};
        *index = publish->changes_count;
    }
    return &publish->changes[*index - 1];
}

/*
 * A lease ends with its job, unless nothing happened: not executed (E38), or refused as a bad
 * request, while the phone rings on (E27). Then its call gets it back. Known only now, since a
 * whole batch may have been thrown away.
 */
static bool
lease_outlives(const struct job *job)
{
    const uint8_t outcome = zr_status_class(job->status);

    return outcome == ZR_CLASS_NOT_EXECUTED || outcome == ZR_CLASS_BAD_REQUEST;
}

static void
leases_end(struct publish *publish)
{
    for (uint32_t i = 0; i < publish->leases_count; i++) {
        struct job *job = publish->leases[i];

        if (!lease_outlives(job)) {
            struct hot_change *change = change_of(publish, job->lease_contractor);

            change->leases++;
            change->lease_cents += job->lease_cents;
            job->lease_contractor = 0;
        }
    }
    publish->leases_count = 0;
}

void
publish_note(struct publish *publish, const struct state *state, struct job *job,
             const struct effects *effects, uint64_t now_ms)
{
    for (uint32_t i = 0; i < state->contractors_count; i++) {
        change_of(publish, state->contractors[i])->with_rows = true;
    }
    for (uint32_t i = 0; i < state->slots_count; i++) {
        CHECK(publish->slots_count < SLOTS_MAX);
        publish->slots[publish->slots_count++].number = state->slots[i];
    }
    if (job->lease_contractor != 0) {
        CHECK(publish->leases_count < publish->options.jobs_max);
        (void)change_of(publish, job->lease_contractor); /* Room for it, before the commit. */
        publish->leases[publish->leases_count++] = job;
    }
    if (effects->unit_opened || effects->unit_closed || effects->unit_seen) {
        CHECK(publish->units_count < publish->options.commands_max);
        (void)change_of(publish, effects->unit_contractor);
        publish->units[publish->units_count++] = (struct unit_change){*effects, now_ms};
    }
}

void
publish_note_rings(struct publish *publish, const struct zr_rings_request *request)
{
    _Static_assert(sizeof request->rings / sizeof request->rings[0] == RINGS_MAX, "has room");
    for (uint16_t i = 0; i < request->rings_count; i++) {
        if (request->rings[i].outcome == 0) {
            change_of(publish, request->rings[i].contractor)->rings++;
        }
    }
}

void
publish_read_rows(struct publish *publish, struct state *state)
{
    struct contractor_row contractor;
    struct wallet_row wallet;

    for (uint32_t i = 0; i < publish->changes_count; i++) {
        struct hot_change *change = &publish->changes[i];

        if (change->with_rows && state_contractor_get(state, change->contractor, &contractor)) {
            state_wallet_get(state, change->contractor, &wallet);
            hot_rows_of(&change->rows, &contractor, &wallet);
            change->with_profile = true;
            profile_read(&change->profile, &publish->options.profiles, state, change->contractor,
                         &contractor);
        } else {
            change->with_rows = false;
        }
    }
    for (uint32_t i = 0; i < publish->slots_count; i++) {
        struct slot_change *slot = &publish->slots[i];

        state_slot_get(state, (uint32_t)(slot->number >> 16), (uint16_t)slot->number, &slot->row);
    }
}

void
publish_forget(struct publish *publish)
{
    for (uint32_t i = 0; i < publish->changes_count; i++) {
        publish->changes[i].with_rows = false;
        publish->changes[i].with_profile = false;
        publish->changes[i].rings = 0;
    }
    publish->slots_count = 0;
    publish->units_count = 0;
}

void
publish_units(struct publish *publish)
{
    for (uint32_t i = 0; i < publish->units_count; i++) {
        const struct unit_change *unit = &publish->units[i];
        const struct zr_id *call_ref = &unit->effects.call_ref;
        const uint32_t contractor = unit->effects.unit_contractor;
        const enum unit_ttl ttl = unit->effects.unit_keepalive ? UNIT_TTL_SHORT : UNIT_TTL_LONG;

        /* One that was silent for longer than its ttl, and is seen after all, counts again. */
        if ((unit->effects.unit_opened || unit->effects.unit_seen) &&
            units_add(publish->options.units, call_ref, contractor, ttl, unit->now_ms)) {
            change_of(publish, contractor)->units++;
        } else if (unit->effects.unit_seen) {
            units_seen(publish->options.units, call_ref, contractor, unit->now_ms);
        }
        if (unit->effects.unit_closed &&
            units_remove(publish->options.units, call_ref, contractor)) {
            change_of(publish, contractor)->units--;
        }
    }
    publish->units_count = 0;
}

/* Time is over whatever became of the batch. */
static void
units_expire_due(struct publish *publish, uint64_t now_ms)
{
    uint32_t contractor;

    while (publish->changes_count < CHANGES_MAX &&
           (contractor = units_expire(publish->options.units, now_ms)) != 0) {
        change_of(publish, contractor)->units--;
    }
}

void
publish_now(struct publish *publish, uint64_t now_ms)
{
    leases_end(publish);
    units_expire_due(publish, now_ms);
    for (uint32_t i = 0; i < publish->changes_count; i++) {
        hot_publish(publish->options.hot, &publish->changes[i]);
        publish->change_index[publish->changes[i].contractor] = 0;
    }
    for (uint32_t i = 0; i < publish->slots_count; i++) {
        const struct slot_change *slot = &publish->slots[i];

        cascades_publish(publish->options.cascades, (uint32_t)(slot->number >> 16),
                         (uint16_t)slot->number, &slot->row);
    }
    publish->changes_count = 0;
    publish->slots_count = 0;
}
