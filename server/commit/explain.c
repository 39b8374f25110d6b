/*
 * explain.c - see explain.h.
 */
#include "server/commit/explain.h"

#include "protocol/check.h"
#include "server/commit/decisions.h"
#include "server/store/state.h"

#include <stddef.h>
#include <string.h>

enum { DECISIONS_PER_CALL_MAX = 1024 }; /* Revisions times attempts never come near. */

/* A walk over the decisions of one call, oldest first. */
struct walk {
    struct state *state;
    const struct command *reader;
    uint8_t key[DECISION_KEY_BYTES_MAX + 1]; /* The next record is at or behind it. */
    size_t key_bytes;
    struct decision_row row; /* The record that it stands on. */
};

static void
walk_begin(struct walk *walk, struct state *state, const struct command *reader,
           const struct zr_id *call_ref)
{
    *walk = (struct walk){.state = state, .reader = reader, .key_bytes = sizeof call_ref->bytes};
    memcpy(walk->key, call_ref->bytes, sizeof call_ref->bytes);
}

/* A stored record: its head and the judgements that were kept. */
static bool
row_copy(struct decision_row *row, struct store_value value)
{
    const size_t head_bytes = offsetof(struct decision_row, judged);

    if (value.bytes_count < head_bytes || value.bytes_count > sizeof *row) {
        return false;
    }
    memcpy(row, value.bytes, value.bytes_count);
    return row->judged_count <= DECISION_JUDGED_MAX &&
           value.bytes_count == head_bytes + row->judged_count * sizeof row->judged[0];
}

static bool
walk_next(struct walk *walk)
{
    struct store_value key;
    struct store_value value;

    if (!store_seek(walk->state->view, TABLE_DECISION,
                    (struct store_value){walk->key, walk->key_bytes}, &key, &value) ||
        !decision_key_is_sound(key) || memcmp(key.bytes, walk->key, sizeof(struct zr_id)) != 0) {
        return false;
    }
    walk->key_bytes = decision_key_behind(walk->key, key);
    return row_copy(&walk->row, value);
}

/* ---- who may see what ------------------------------------------------------------------------ */

static bool
role_owns_calls(uint8_t role)
{
    return role == ZR_ROLE_SWITCH || role == ZR_ROLE_CALLCENTER;
}

static bool
role_sees_all(uint8_t role)
{
    return role == ZR_ROLE_ADMIN || role == ZR_ROLE_AUDITOR;
}

static bool
judged_is_visible(const struct walk *walk, uint32_t contractor)
{
    const struct command *reader = walk->reader;
    struct contractor_row row;

    return role_owns_calls(reader->role) || role_sees_all(reader->role) ||
           (state_contractor_get(walk->state, contractor, &row) &&
            command_owns(reader, contractor, &row));
}

/* The whole record: of the tenant's call, or with a contractor of the reader's in it. */
static bool
row_is_visible(const struct walk *walk)
{
    if (role_owns_calls(walk->reader->role)) {
        return walk->row.tenant == walk->reader->tenant;
    }
    for (uint8_t i = 0; i < walk->row.judged_count; i++) {
        if (judged_is_visible(walk, walk->row.judged[i].contractor)) {
            return true;
        }
    }
    /* A slot without claims: nobody was judged, and nobody's secret is in it. */
    return role_sees_all(walk->reader->role);
}

/* ---- the reply ------------------------------------------------------------------------------- */

/* In the ticket, from 1; 0 = it was no candidate. */
static uint8_t
place_of(const struct decision_row *row, uint8_t index)
{
    for (uint8_t i = 0; i < row->candidates_count && i < TICKET_CANDIDATES_MAX; i++) {
        if (row->candidates[i] == index) {
            return (uint8_t)(i + 1);
        }
    }
    return 0;
}

static void
reply_fill(const struct walk *walk, struct zr_explain_reply *reply)
{
    const struct decision_row *row = &walk->row;

    *reply = (struct zr_explain_reply){
        .call_ref = row->call_ref,
        .time_ms = row->time_ms,
        .snapshot_seq = row->snapshot_seq,
        .policy_version = row->policy_version,
        .price_version = row->price_version,
        .zip = row->zip,
        .category = row->category,
        .outcome = row->status,
        .revision = row->revision,
        .attempt = row->attempt,
        .cut = (row->flags & DECISION_JUDGED_CUT) != 0,
    };
    if (role_owns_calls(walk->reader->role) || role_sees_all(walk->reader->role)) {
        reply->call_id = row->call_id;
    }
    _Static_assert(sizeof reply->judged / sizeof reply->judged[0] >= DECISION_JUDGED_MAX,
                   "every judgement that is kept can be told");
    for (uint8_t i = 0; i < row->judged_count; i++) {
        const struct decision_judged *judged = &row->judged[i];

        if (judged_is_visible(walk, judged->contractor)) {
            reply->judged[reply->judged_count++] = (struct zr_judged){
                .contractor = judged->contractor,
                .reasons = judged->reasons,
                .rate_cents = judged->rate_cents,
                .rank = judged->rank,
                .place = place_of(row, i),
            };
        }
    }
}

/*
 * The call that is meant; false when there is none of that name. What was committed under a call_id
 * comes before the name that the worker remembers: of two decisions with a crash between them the
 * winner's is told (E71).
 */
static bool
call_ref_of(struct state *state, const struct command *command,
            const struct zr_explain_request *request, struct zr_id *call_ref)
{
    if (role_owns_calls(command->role) && !command_id_is_none(&request->call_id) &&
        state_call_find(state, command->tenant, &request->call_id, call_ref)) {
        return true;
    }
    *call_ref = request->call_ref;
    return !command_id_is_none(call_ref);
}

uint16_t
explain_run(struct state *state, const struct command *command,
            const struct zr_explain_request *request, struct zr_explain_reply *reply)
{
    struct zr_id call_ref;
    struct walk walk;
    uint16_t seen = 0;

    /* Both: the worker added the name that it remembers. */
    CHECK(!command_id_is_none(&request->call_id) || !command_id_is_none(&request->call_ref));
    if (!call_ref_of(state, command, request, &call_ref)) {
        return ZR_STATUS_NOT_FOUND;
    }
    walk_begin(&walk, state, command, &call_ref);
    while (seen < DECISIONS_PER_CALL_MAX && walk_next(&walk)) {
        if (!row_is_visible(&walk)) {
            continue;
        }
        if (seen == request->place) {
            reply_fill(&walk, reply);
        }
        seen++;
    }
    if (request->place >= seen) {
        return ZR_STATUS_NOT_FOUND;
    }
    reply->decisions = seen;
    reply->place = request->place;
    return ZR_STATUS_OK;
}
