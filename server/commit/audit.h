/*
 * audit.h - the whole state, looked at: its hash, and whether it keeps the invariants.
 *
 * Both walk every row that rules wrote, as of one position in the log. In a server that position is
 * a snapshot beside which commands go on (auditor.h); elsewhere the state stands still. Rows that
 * are not folded yet are looked at as they are in the tail.
 */
#ifndef ZR_AUDIT_H
#define ZR_AUDIT_H

#include "server/base/mac.h"
#include "server/commit/cascades.h"
#include "server/store/state.h"

/* What a walk asks of those who started it. All zero: nothing. */
struct audit_scope {
    struct cascades *cascades; /* Must say the same as the slots' rows. NULL: not compared. */

    /* Of a walk beside commands that go on; NULL where the state stands still. */
    void *context;
    /* False: no row more, what is said is not to be believed. Asked at each row. */
    bool (*goes_on)(void *context);
    /* The slot's line is newer than the walk's row: is it that of the newest commit? */
    bool (*line_is_newest)(void *context, uint32_t zip, uint16_t category);
};

/* SHA-256 over the rows of the rule tables in table and key order, checksums left out. */
void audit_state_hash(struct state *state, const struct audit_scope *scope, struct mac *mac,
                      struct zr_state_hash_reply *reply);

/*
 * Judge I1-I14, the ledger's chains, the timers and the checksum of every row that is walked; of
 * the logs only the decisions are. `violations` counts what is wrong; each is logged once. A
 * checksum that fails also sticks to the view. Decisions are those of the request's range.
 * `now_ms`: log time, by which timers are overdue.
 */
void audit_run(struct state *state, const struct audit_scope *scope, uint64_t now_ms,
               const struct zr_audit_request *request, struct zr_audit_reply *reply);

#endif
