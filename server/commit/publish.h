/*
 * publish.h - what one batch makes true in memory: gathered while it runs, published once it is
 * durable, and before its replies.
 *
 * Three things: contractors (hot.h) and slots (cascades.h) as their rows are after the commit,
 * and concurrency units (units.h) that opened and closed. A batch that was thrown away changes
 * none of them. A lease that a job brought along ends with it, or goes back to its call when the
 * job did nothing (class 10, 30).
 */
#ifndef ZR_PUBLISH_H
#define ZR_PUBLISH_H

#include "server/commit/cascades.h"
#include "server/commit/hot.h"
#include "server/commit/job.h"
#include "server/commit/profiles.h"
#include "server/commit/units.h"
#include "server/store/state.h"

struct publish;

struct publish_options {
    struct arena *arena;
    struct hot *hot;
    struct cascades *cascades;
    struct units *units;
    struct profile_reader profiles;
    uint32_t jobs_max;     /* Clients' commands of one batch ... */
    uint32_t commands_max; /* ... and with the committer's own. */
};

struct publish *publish_open(const struct publish_options *options);

/* True when one more job's changes fit, whatever it is. */
bool publish_has_room(const struct publish *publish);

/* The job was executed against `state` at `now_ms`: note what it touched. It must live
 * until publish_now(). */
void publish_note(struct publish *publish, const struct state *state, struct job *job,
                  const struct effects *effects, uint64_t now_ms);

/* The job was a RINGS command: its rings stand in the usage rows from now on. */
void publish_note_rings(struct publish *publish, const struct zr_rings_request *request);

/* Read the noted rows as they are now: last thing before the commit. */
void publish_read_rows(struct publish *publish, struct state *state);

/* The batch was thrown away: rows, slots and units of it are not true. */
void publish_forget(struct publish *publish);

/* The batch is durable: so are its units. */
void publish_units(struct publish *publish);

/* Publish all that is noted, and the units that expired by `now_ms`; then note nothing. */
void publish_now(struct publish *publish, uint64_t now_ms);

#endif
