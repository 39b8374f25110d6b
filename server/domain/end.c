/*
 * end.c - END: the leg is over, settle it once. See call.h.
 *
 * Five shapes: the connected leg ends; a leg that never had a CONNECT ends by its ticket (E44); a
 * leg that the sweep ended has its END after all (E53); a leg that was settled ends again (E46);
 * the caller gave up while it rang (E34).
 */
#include "protocol/check.h"
#include "server/domain/call.h"
#include "server/domain/ledger.h"
#include "server/domain/policy.h"
#include "server/domain/settlement.h"

#include <string.h>

/* The call after this leg: over, or back to the cascade. Another leg may be connected still. */
static void
end_move_call(struct call_row *row, bool caller_stays)
{
    if (call_leg_connected(row) != NULL) {
        return;
    }
    if (row->state == ZR_CALL_ABANDONED || row->state == ZR_CALL_ENDED) {
        call_move(row, ZR_CALL_ENDED);
        return;
    }
    call_move(row, caller_stays ? ZR_CALL_RINGING : ZR_CALL_ENDED);
}

/* The leg is settled by now, or by this; evidence may give its charge back (E36, E73). */
static void
end_settle(struct state *state, const struct command *command, struct call_view *call,
           struct call_leg_row *leg)
{
    const bool credit =
        leg->settlement == ZR_SETTLEMENT_CHARGED && (leg->flags & LEG_VOICEMAIL) != 0;
    struct contractor_row contractor;

    if (leg->settlement != ZR_SETTLEMENT_OPEN && !credit) {
        return;
    }
    if (!state_contractor_get(state, leg->contractor, &contractor)) {
        CHECK(state_failed(state));
        leg->hold_cents = 0; /* So that nothing contradicts: this batch is thrown away. */
        return;
    }
    if (credit) {
        settlement_credit(state, command, call, leg, leg->amount_cents);
        settlement_tell(state, command, call, leg, contractor.tenant);
    } else {
        settlement_apply(state, command, call, leg, &contractor);
    }
}

/* Close a leg that is open, connected or not, with the facts of this END. */
static void
end_leg(struct state *state, const struct command *command, const struct zr_end_request *request,
        struct call_view *call, struct call_leg_row *leg)
{
    struct policy_row policy;
    bool flagged = false;
    uint32_t talk_ms;

    (void)policy_for_slot(state, call->row.zip, call->row.category, &policy);
    talk_ms = settlement_clip_talk(request->talk_ms, command->time_ms, leg->issued_ms,
                                   policy.duration_check, &flagged);
    if (leg->settlement != ZR_SETTLEMENT_OPEN && talk_ms < leg->qualify_ms) {
        flagged = true; /* QUALIFY, then a shorter END: the charge stays (M4). */
        leg->flags |= LEG_SHORT_END;
    }
    leg->talk_ms = talk_ms > leg->talk_ms ? talk_ms : leg->talk_ms; /* Largest of the reports. */
    leg->flags |= flagged ? LEG_FLAGGED : 0;
    leg->flags |= request->voicemail ? LEG_VOICEMAIL : 0;
    leg->ended_ms = command->time_ms;
    end_settle(state, command, call, leg);
    leg->flags &= (uint8_t)~LEG_SWEPT; /* Here its END is. */
    CHECK(leg->hold_cents == 0);
    end_move_call(&call->row, request->caller_stays);
    call_put(state, call);
}

/* One END under judgement. */
struct ending {
    struct state *state;
    const struct command *command;
    const struct zr_end_request *request;
    struct zr_settlement_reply *reply;
    struct effects *effects;
    struct call_view call;
    struct ticket ticket;
    bool with_ticket;
};

/* The stored settlement, whatever the new facts say (E46). */
static uint16_t
end_repeated(struct ending *ending, const struct call_leg_row *leg)
{
    const struct zr_end_request *request = ending->request;
    const struct call_row *row = &ending->call.row;
    struct policy_row policy;
    bool flagged = false;
    bool contradicts;
    uint32_t talk_ms;

    /* The new facts alone, as an END of now: cut by the ticket's age (M4). What was cut when the
     * leg ended is cut there again: the same END must say the same, however late it is repeated. */
    (void)policy_for_slot(ending->state, row->zip, row->category, &policy);
    talk_ms = settlement_clip_talk(request->talk_ms,
                                   (leg->flags & LEG_FLAGGED) != 0 ? leg->ended_ms
                                                                   : ending->command->time_ms,
                                   leg->issued_ms, policy.duration_check, &flagged);
    contradicts = settlement_expected(leg, talk_ms, request->voicemail) != leg->settlement;
    call_fill_settlement(ending->state, ending->reply, &ending->call, leg);
    ending->effects->duplicate = !contradicts;
    ending->effects->journal = contradicts;
    return contradicts ? ZR_STATUS_SETTLEMENT_FINAL : ZR_STATUS_OK;
}

/*
 * The sweep ended it, and here is its END after all. Within 7 days of the ticket it is taken as if
 * it had come in time: what was voided is settled, once, and evidence against a charge counts.
 */
static uint16_t
end_swept(struct ending *ending, struct call_leg_row *leg)
{
    if (leg->settlement == ZR_SETTLEMENT_STALE_VOID) {
        leg->settlement = ZR_SETTLEMENT_OPEN;
    }
    end_leg(ending->state, ending->command, ending->request, &ending->call, leg);
    call_fill_settlement(ending->state, ending->reply, &ending->call, leg);
    return ZR_STATUS_OK;
}

/* After that a void is final: the two sides' books have to be reconciled by hand. Told once (E53).
 */
static uint16_t
end_too_late(struct ending *ending, struct call_leg_row *leg)
{
    if ((leg->flags & LEG_TOO_LATE) == 0) {
        leg->flags |= LEG_TOO_LATE;
        settlement_tell_reconcile(ending->state, ending->command, &ending->call, leg);
        call_put(ending->state, &ending->call);
    }
    call_fill_settlement(ending->state, ending->reply, &ending->call, leg);
    return ZR_STATUS_TOO_LATE;
}

/* END of a leg that is over. */
static uint16_t
end_again(struct ending *ending, struct call_leg_row *leg)
{
    const bool late = ending->command->time_ms > leg->issued_ms + CALL_SETTLE_MS;

    if ((leg->flags & LEG_SWEPT) != 0 && !late) {
        return end_swept(ending, leg);
    }
    if (leg->settlement == ZR_SETTLEMENT_STALE_VOID) {
        return end_too_late(ending, leg);
    }
    return end_repeated(ending, leg);
}

/*
 * END without an index on a call without a connected leg (M4): the caller gave up, unless it says
 * that he stays. Then it is the END of the leg that is over, whose reply was lost (E46).
 */
static uint16_t
end_without_index(struct ending *ending)
{
    struct call_row *row = &ending->call.row;
    const bool stays = row->state == ZR_CALL_RINGING && row->legs_count > 0;

    if (row->state == ZR_CALL_ENDED || (stays && ending->request->caller_stays)) {
        return end_again(ending, &row->legs[row->legs_count - 1]);
    }
    if (row->state == ZR_CALL_ABANDONED) {
        ending->effects->duplicate = true;
    } else {
        call_abandon(row, ending->command->seq);
        call_put(ending->state, &ending->call);
    }
    *ending->reply = (struct zr_settlement_reply){
        .call_ref = ending->call.call_ref,
        .commit_seq = call_abandoned_seq(row),
        .state = ZR_CALL_ABANDONED,
        .settlement = ZR_SETTLEMENT_NONE,
    };
    return ZR_STATUS_OK;
}

/* The newest leg with that attempt number, or NULL. A call that was routed anew counts its
 * attempts anew, so an older leg may have the same one. */
static struct call_leg_row *
leg_find_index(struct call_row *row, uint8_t index)
{
    for (uint8_t i = row->legs_count; i > 0; i--) {
        if (row->legs[i - 1].index == index) {
            return &row->legs[i - 1];
        }
    }
    return NULL;
}

/* The leg that the request's index means, begun from the ticket when there is none yet. */
static uint16_t
end_find_leg(struct ending *ending, struct call_leg_row **leg)
{
    const struct zr_end_request *request = ending->request;
    const struct ticket_candidate *candidate;
    struct contractor_row contractor;
    uint64_t answered_at_ms = request->answered_at_ms;
    uint16_t status;

    if (!ending->with_ticket) {
        *leg = leg_find_index(&ending->call.row, request->index);
        return *leg == NULL ? ZR_STATUS_NOT_CONNECTED : ZR_STATUS_OK;
    }
    status = call_ticket_judge(ending->command, &ending->ticket, request->index, &answered_at_ms);
    if (status == ZR_STATUS_BAD_TICKET) {
        return status;
    }
    candidate = ticket_candidate_at(&ending->ticket, request->index);
    *leg = call_leg_find(&ending->call.row, candidate->contractor);
    if (*leg != NULL) {
        return ZR_STATUS_OK; /* Idempotency comes before the ticket's age. */
    }
    if (status == ZR_STATUS_INVALID_FIELD) {
        return command_invalid(ending->effects, &zr_end_request_shape, "answered_at_ms");
    }
    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (!state_contractor_get(ending->state, candidate->contractor, &contractor)) {
        return ZR_STATUS_BAD_TICKET; /* Of a database that had him. */
    }
    *leg = call_leg_begin(&ending->call.row, &ending->ticket, candidate);
    if (*leg == NULL) {
        return ZR_STATUS_EXHAUSTED;
    }
    (*leg)->answered_at_ms = answered_at_ms;
    return ZR_STATUS_OK;
}

/* Find the call, or begin it from the ticket, which must be this call's. */
static uint16_t
end_find_call(struct ending *ending)
{
    const struct zr_end_request *request = ending->request;
    struct ticket *ticket = &ending->ticket;

    ending->with_ticket = request->ticket_length > 0;
    if (ending->with_ticket &&
        (!ticket_decode(ticket, request->ticket, request->ticket_length) ||
         ticket->tenant != ending->command->tenant || ticket->mode == TICKET_QUERY ||
         memcmp(&ticket->call_id, &request->call_id, sizeof request->call_id) != 0)) {
        return ZR_STATUS_BAD_TICKET;
    }
    if (call_find(ending->state, ending->command->tenant, &request->call_id, &ending->call)) {
        return ZR_STATUS_OK;
    }
    if (!ending->with_ticket) {
        return ZR_STATUS_NOT_FOUND;
    }
    call_begin(&ending->call, ticket);
    return ZR_STATUS_OK;
}

uint16_t
call_end_apply(struct state *state, const struct command *command,
               const struct zr_end_request *request, struct zr_settlement_reply *reply,
               struct effects *effects)
{
    struct ending ending = {
        .state = state, .command = command, .request = request, .reply = reply, .effects = effects};
    struct call_leg_row *leg = NULL;
    uint16_t status = end_find_call(&ending);

    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (request->index != CALL_INDEX_NONE) {
        status = end_find_leg(&ending, &leg);
        if (status != ZR_STATUS_OK) {
            return status;
        }
    } else {
        leg = call_leg_connected(&ending.call.row);
        if (leg == NULL) {
            return end_without_index(&ending);
        }
    }
    CHECK(leg != NULL);
    if (leg->ended_ms != 0) {
        return end_again(&ending, leg);
    }
    effects->unit_closed = leg->connected_ms != 0;
    effects->unit_contractor = leg->contractor;
    effects->call_ref = ending.call.call_ref;
    effects->revision = ending.call.row.revision;
    end_leg(state, command, request, &ending.call, leg);
    call_fill_settlement(state, reply, &ending.call, leg);
    return ZR_STATUS_OK;
}
