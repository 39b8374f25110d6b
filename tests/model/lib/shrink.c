/*
 * shrink.c - see shrink.h. The hard idea: chunks of the list are left out, largest first; what
 * still fails without a chunk never needed it.
 */
#include "tests/model/lib/shrink.h"

#include "protocol/check.h"
#include "tests/model/lib/session.h"

#include <stdlib.h>
#include <string.h>

enum { COMPARE_EVERY = 200, AUDIT_EVERY = 600, WHAT_BYTES = 64 };

_Static_assert((int)RUN_EVENT_TYPES == (int)SESSION_EVENT_TYPES, "one list of types");

/* What differed in the last run: a shorter list must fail the same way. */
static char last_what[WHAT_BYTES];

uint32_t
run_play(const struct operation *operations, uint32_t count, uint64_t seed, FILE *output,
         struct run_totals *totals)
{
    static struct session session;
    static struct model model;
    uint32_t at = 0;

    session.model = &model;
    session_open(&session, seed, output);
    while (at < count && !session.differs) {
        session_play(&session, &operations[at]);
        if (!session.differs && (at + 1) % COMPARE_EVERY == 0) {
            compare_all(&session);
        }
        if (!session.differs && (at + 1) % AUDIT_EVERY == 0) {
            compare_books_some(&session);
        }
        at += !session.differs;
    }
    if (!session.differs) {
        session.operation = NULL;
        compare_all(&session);
        if (!session.differs) {
            compare_books(&session, 0, 0);
        }
        at -= session.differs && at > 0;
    }
    if (totals != NULL) {
        totals->steps += at;
        totals->skipped += session.skipped;
        for (int i = 0; i < PLAY_KINDS; i++) {
            totals->played[i] += session.played[i];
        }
        for (int i = 0; i < RUN_EVENT_TYPES; i++) {
            totals->events[i] += session.events[i];
        }
    }
    (void)snprintf(last_what, sizeof last_what, "%s", session.differs ? session.what : "");
    if (session.differs) {
        session_discard(&session);
        return at;
    }
    if (session_close(&session) != 0) {
        (void)snprintf(last_what, sizeof last_what, "audit or replay");
        return count > 0 ? count - 1 : 0;
    }
    return count;
}

/* The list without [from, from + length). */
static uint32_t
leave_out(struct operation *into, const struct operation *operations, uint32_t count, uint32_t from,
          uint32_t length)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (i < from || i >= from + length) {
            into[kept++] = operations[i];
        }
    }
    return kept;
}

uint32_t
shrink(struct operation *operations, uint32_t count, uint64_t seed, uint32_t runs_max)
{
    struct operation *trial = malloc(count * sizeof *trial);
    uint32_t chunk = count / 2;
    uint32_t runs = 0;
    char what[WHAT_BYTES];

    memcpy(what, last_what, sizeof what);
    CHECK(trial != NULL);
    while (chunk > 0 && runs < runs_max) {
        uint32_t from = 0;
        bool removed = false;

        while (from < count && runs < runs_max) {
            const uint32_t kept = leave_out(trial, operations, count, from, chunk);
            const uint32_t failed_at = run_play(trial, kept, seed, NULL, NULL);

            runs++;
            if (failed_at < kept && strcmp(what, last_what) == 0) {
                count = failed_at + 1; /* Nothing behind the failure matters. */
                memcpy(operations, trial, count * sizeof *trial);
                removed = true;
            } else {
                from += chunk;
            }
        }
        /* Single operations again and again, until each of them is needed. */
        chunk = removed && chunk == 1 ? 1 : chunk / 2;
    }
    free(trial);
    return count;
}
