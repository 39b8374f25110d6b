/*
 * audit.h - the whole state, looked at: its hash, and whether it keeps the invariants.
 *
 * Both walk every row on the committer's thread, alone in their batch and with nothing unfolded,
 * so what they say is of one position in the log. Mutations wait meanwhile.
 */
#ifndef ZR_AUDIT_H
#define ZR_AUDIT_H

#include "server/base/mac.h"
#include "server/commit/cascades.h"
#include "server/store/state.h"

/* SHA-256 over the rows of the rule tables in table and key order, checksums left out. */
void audit_state_hash(struct state *state, struct mac *mac, struct zr_state_hash_reply *reply);

/*
 * Judge I1-I14, the ledger's chains, the timers and every row's checksum. `violations` counts
 * what is wrong; each is logged once. A checksum that fails also sticks to the view.
 * `cascades`, when it is there, must say the same as the slots' rows. Decisions are those of the
 * request's range. `now_ms`: log time, by which timers are overdue.
 */
void audit_run(struct state *state, struct cascades *cascades, uint64_t now_ms,
               const struct zr_audit_request *request, struct zr_audit_reply *reply);

#endif
