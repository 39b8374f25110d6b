/*
 * call.c - the pieces that CONNECT, QUALIFY and END share. See call.h.
 */
#include "server/domain/call.h"

#include "protocol/check.h"
#include "server/domain/funds.h"

#include <endian.h>
#include <string.h>

enum { ANSWER_AHEAD_MS = 5000 };

bool
call_find(struct state *state, uint32_t tenant, const struct zr_id *call_id, struct call_view *call)
{
    call->stored = state_call_find(state, tenant, call_id, &call->call_ref) &&
                   state_call_get(state, &call->call_ref, &call->row);
    return call->stored;
}

bool
call_open(struct state *state, const struct zr_id *call_ref, struct call_view *call)
{
    call->call_ref = *call_ref;
    call->stored = state_call_get(state, call_ref, &call->row);
    return call->stored;
}

void
call_begin(struct call_view *call, const struct ticket *ticket)
{
    *call = (struct call_view){
        .call_ref = ticket->call_ref,
        .stored = false,
        .row = {.call_id = ticket->call_id,
                .routed_ms = ticket->issued_ms,
                .snapshot_seq = ticket->snapshot_seq,
                .caller_hash = ticket->caller_hash,
                .tenant = ticket->tenant,
                .zip = ticket->zip,
                .policy_version = ticket->policy_version,
                .category = ticket->category,
                .state = ZR_CALL_RINGING,
                .revision = ticket->revision,
                .screened = ticket->screened},
    };
}

void
call_put(struct state *state, struct call_view *call)
{
    CHECK(call->row.legs_count <= CALL_LEGS_MAX);
    state_call_put(state, &call->call_ref, &call->row);
    if (!call->stored) {
        state_call_bind(state, call->row.tenant, &call->row.call_id, &call->call_ref);
        call->stored = true;
    }
}

struct call_leg_row *
call_leg_find(struct call_row *row, uint32_t contractor)
{
    for (uint8_t i = 0; i < row->legs_count; i++) {
        if (row->legs[i].contractor == contractor) {
            return &row->legs[i];
        }
    }
    return NULL;
}

struct call_leg_row *
call_leg_connected(struct call_row *row)
{
    for (uint8_t i = 0; i < row->legs_count; i++) {
        if (row->legs[i].connected_ms != 0 && row->legs[i].ended_ms == 0) {
            return &row->legs[i];
        }
    }
    return NULL;
}

struct call_leg_row *
call_leg_begin(struct call_row *row, const struct ticket *ticket,
               const struct ticket_candidate *candidate)
{
    struct call_leg_row *leg;

    CHECK(call_leg_find(row, candidate->contractor) == NULL);
    if (row->legs_count == CALL_LEGS_MAX) {
        return NULL;
    }
    /* The decision that this leg came of is the call's now (E71): its place and caller too, which
     * may have been corrected (E32). Those of a charge stay, since a credit looks for it there. */
    row->routed_ms = ticket->issued_ms;
    row->snapshot_seq = ticket->snapshot_seq;
    row->policy_version = ticket->policy_version;
    if (!row->charged) {
        row->zip = ticket->zip;
        row->category = ticket->category;
        row->caller_hash = ticket->caller_hash;
    }
    if (ticket->revision > row->revision) {
        row->revision = ticket->revision; /* Newer tickets were seen: that stays true (M6). */
    }
    row->screened = ticket->screened;
    leg = &row->legs[row->legs_count++];
    *leg = (struct call_leg_row){
        .issued_ms = ticket->issued_ms,
        .rate_cents = candidate->rate_cents,
        .contractor = candidate->contractor,
        .qualify_ms = ticket->qualify_ms,
        .index = (uint8_t)(ticket->attempt + (candidate - ticket->candidates)),
        .rank = candidate->rank,
        .settlement = ZR_SETTLEMENT_OPEN,
    };
    return leg;
}

void
call_move(struct call_row *row, enum zr_call_state to)
{
    /* From (row) to (bit): the diagram in call.h. */
    static const uint8_t allowed[] = {
        [ZR_CALL_RINGING] = 1u << ZR_CALL_RINGING | 1u << ZR_CALL_CONNECTED | 1u << ZR_CALL_ENDED |
                            1u << ZR_CALL_QUALIFIED | 1u << ZR_CALL_ABANDONED,
        [ZR_CALL_CONNECTED] = 1u << ZR_CALL_CONNECTED | 1u << ZR_CALL_QUALIFIED |
                              1u << ZR_CALL_ENDED | 1u << ZR_CALL_RINGING,
        [ZR_CALL_QUALIFIED] = 1u << ZR_CALL_QUALIFIED | 1u << ZR_CALL_ENDED | 1u << ZR_CALL_RINGING,
        [ZR_CALL_ENDED] = 1u << ZR_CALL_ENDED,
        [ZR_CALL_ABANDONED] = 1u << ZR_CALL_ABANDONED | 1u << ZR_CALL_ENDED,
    };

    CHECK(row->state >= ZR_CALL_RINGING);
    CHECK(row->state <= ZR_CALL_ABANDONED);
    CHECK((allowed[row->state] & 1u << to) != 0);
    row->state = (uint8_t)to;
}

/* Stored in 40 bits, from the call's snapshot on: the log has no 10^12 commands in a call's life.
 */
void
call_abandon(struct call_row *row, uint64_t seq)
{
    const uint64_t since = htole64(seq > row->snapshot_seq ? seq - row->snapshot_seq : 0);

    call_move(row, ZR_CALL_ABANDONED);
    memcpy(row->abandoned, &since, sizeof row->abandoned);
}

uint64_t
call_abandoned_seq(const struct call_row *row)
{
    uint64_t since = 0;

    memcpy(&since, row->abandoned, sizeof row->abandoned);
    return row->snapshot_seq + le64toh(since);
}

uint16_t
call_ticket_judge(const struct command *command, const struct ticket *ticket, uint8_t index,
                  uint64_t *answered_at_ms)
{
    const uint64_t now_ms = command->time_ms;

    if (ticket->tenant != command->tenant || ticket->mode == TICKET_QUERY ||
        ticket_candidate_at(ticket, index) == NULL) {
        return ZR_STATUS_BAD_TICKET;
    }
    if (*answered_at_ms == 0) {
        *answered_at_ms = now_ms;
    } else if (*answered_at_ms < ticket->issued_ms || *answered_at_ms > now_ms + ANSWER_AHEAD_MS) {
        return ZR_STATUS_INVALID_FIELD;
    }
    if (*answered_at_ms >= ticket->expires_ms) {
        return ZR_STATUS_TICKET_EXPIRED;
    }
    return now_ms > ticket->issued_ms + CALL_SETTLE_MS ? ZR_STATUS_TOO_LATE : ZR_STATUS_OK;
}

void
call_fill_settlement(struct state *state, struct zr_settlement_reply *reply,
                     const struct call_view *call, const struct call_leg_row *leg)
{
    struct wallet_row wallet;

    state_wallet_get(state, leg->contractor, &wallet);
    *reply = (struct zr_settlement_reply){
        .call_ref = call->call_ref,
        .commit_seq = leg->settled_seq != 0 ? leg->settled_seq : leg->connect_seq,
        .amount_cents = leg->amount_cents,
        .contractor = leg->contractor,
        .talk_ms = leg->talk_ms,
        .state = call->row.state,
        .settlement = leg->settlement,
        .dry = wallet_available_cents(&wallet) < leg->rate_cents,
        .flagged = (leg->flags & LEG_FLAGGED) != 0,
    };
}

static void
leg_to_wire(struct zr_call_leg *wire, const struct call_leg_row *leg)
{
    *wire = (struct zr_call_leg){
        .connected_ms = leg->connected_ms,
        .answered_at_ms = leg->answered_at_ms,
        .ended_ms = leg->ended_ms,
        .hold_cents = leg->hold_cents,
        .rate_cents = leg->rate_cents,
        .amount_cents = leg->amount_cents,
        .contractor = leg->contractor,
        .talk_ms = leg->talk_ms,
        .index = leg->index,
        .rank = leg->rank,
        .settlement = leg->settlement,
        .flagged = (leg->flags & LEG_FLAGGED) != 0,
    };
}

/* Which legs may the asker see? A switch its tenant's calls, a contractor its own legs (R69). */
static bool
leg_is_visible(struct state *state, const struct command *command, const struct call_row *row,
               const struct call_leg_row *leg)
{
    struct contractor_row contractor;

    if (command->role == ZR_ROLE_SWITCH || command->role == ZR_ROLE_CALLCENTER) {
        return row->tenant == command->tenant;
    }
    return state_contractor_get(state, leg->contractor, &contractor) &&
           command_owns(command, leg->contractor, &contractor);
}

uint16_t
call_get(struct state *state, const struct command *command,
         const struct zr_call_get_request *request, struct zr_call_get_reply *reply,
         struct effects *effects)
{
    const bool by_id = command->role == ZR_ROLE_SWITCH || command->role == ZR_ROLE_CALLCENTER;
    const bool all = command->role == ZR_ROLE_ADMIN || command->role == ZR_ROLE_AUDITOR;
    struct call_view call;

    if (!command_id_is_none(&request->call_id) && !command_id_is_none(&request->call_ref)) {
        return command_invalid(effects, &zr_call_get_request_shape, "call_ref");
    }
    if (by_id ? !call_find(state, command->tenant, &request->call_id, &call)
              : !call_open(state, &request->call_ref, &call)) {
        return ZR_STATUS_NOT_FOUND;
    }
    *reply = (struct zr_call_get_reply){
        .call_ref = call.call_ref,
        .routed_ms = call.row.routed_ms,
        .snapshot_seq = call.row.snapshot_seq,
        .policy_version = call.row.policy_version,
        .zip = call.row.zip,
        .category = call.row.category,
        .state = call.row.state,
        .revision = call.row.revision,
        .withheld = call.row.caller_hash == 0,
    };
    for (uint8_t i = 0; i < call.row.legs_count; i++) {
        if (leg_is_visible(state, command, &call.row, &call.row.legs[i])) {
            leg_to_wire(&reply->legs[reply->legs_count++], &call.row.legs[i]);
        }
    }
    if (by_id || all) {
        reply->call_id = call.row.call_id;
        reply->tenant = call.row.tenant;
        return ZR_STATUS_OK;
    }
    if (reply->legs_count == 0) {
        *reply = (struct zr_call_get_reply){0}; /* Not even that there is such a call (R69). */
        return ZR_STATUS_NOT_FOUND;
    }
    return ZR_STATUS_OK;
}
