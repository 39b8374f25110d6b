/*
 * execute.h - one command against the state: exactly once, then into the journal.
 *
 * The order is contract (protocol.md "Status"): deadline, idempotency, fields, then the rule.
 * Replies of class 00 and 20 to a keyed command are stored under its key with a digest of its
 * body; the same key and body gets them back byte for byte, another body IDEMPOTENCY_MISMATCH.
 */
#ifndef ZR_EXECUTE_H
#define ZR_EXECUTE_H

#include "server/base/clock.h"
#include "server/commit/audit.h"
#include "server/commit/job.h"
#include "server/commit/journal.h"

/* What executing needs besides the state; the committer's, or a replay's. */
struct executor {
    struct state state;
    struct mac *mac;
    struct clock *clock;      /* NULL in a replay. */
    struct store_head head;   /* Position, log time and chain as of the last command. */
    uint32_t contractors_max; /* Numbers below this fit the hot array; 0 = no limit (replay). */
    struct audit_scope audit; /* For AUDIT and STATE_HASH; zero in a replay. */
    bool decisions_lost;      /* Some record of this boot found no place in its ring. */
    union zr_any_message request;
    union zr_any_message reply;
};

/* Idempotency keys live this long (protocol.md "Idempotency"). */
#define IDEMPOTENCY_HORIZON_MS (UINT64_C(72) * 3600 * 1000)

/* Events can be read again for this long: the longest dispute window, and a margin. */
#define EVENTS_HORIZON_MS (UINT64_C(35) * 24 * 3600 * 1000)

/* Execute one job at log time `now_ms`: fills job->status and the encoded reply. */
void execute_job(struct executor *executor, struct job *job, uint64_t now_ms,
                 struct effects *effects);

/* Execute one journaled command again; false when its result differs from the journal's. */
bool execute_replay(struct executor *executor, const struct journal_entry *entry, uint64_t seq);

/* Write a reply without body: classes 10, 30, 40, 50, 60. */
void execute_refuse(struct job *job, uint16_t status, uint16_t detail);

/* Delete up to `rows_max` keys that are older than the horizon. Returns how many. */
uint32_t execute_trim_keys(struct executor *executor, uint64_t now_ms, uint32_t rows_max);

/* The same for events. They are no part of the state's hash, so it need not stand in the log. */
uint32_t execute_trim_events(struct executor *executor, uint64_t now_ms, uint32_t rows_max);

#endif
