/*
 * dispute.c - see dispute.h.
 */
#include "server/domain/dispute.h"

#include "protocol/check.h"
#include "server/domain/call.h"
#include "server/domain/event.h"
#include "server/domain/ledger.h"
#include "server/domain/payout.h"
#include "server/domain/policy.h"
#include "server/domain/settlement.h"

#include <string.h>

enum { DISPUTE_DAYS_DEFAULT = 30 };

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

/* A charge under judgement. */
struct charge {
    struct state *state;
    const struct command *command;
    uint32_t contractor;
    struct contractor_row owner;
    struct call_view call;
    struct call_leg_row *leg; /* Of the call. */
    struct policy_row policy;
    struct dispute_row dispute;
    bool disputed;
};

/* The leg of that contractor in that call, for those who may act for him. */
static uint16_t
charge_find(struct charge *charge, const struct zr_id *call_ref, uint32_t contractor)
{
    struct state *state = charge->state;

    charge->contractor = contractor;
    if (!state_contractor_get(state, contractor, &charge->owner) ||
        !command_owns(charge->command, contractor, &charge->owner) ||
        !call_open(state, call_ref, &charge->call)) {
        return ZR_STATUS_NOT_FOUND;
    }
    charge->leg = call_leg_find(&charge->call.row, contractor);
    if (charge->leg == NULL) {
        return ZR_STATUS_NOT_FOUND;
    }
    (void)policy_for_slot(state, charge->call.row.zip, charge->call.row.category, &charge->policy);
    charge->disputed = state_dispute_get(state, call_ref, contractor, &charge->dispute);
    return ZR_STATUS_OK;
}

static void
dispute_to_wire(struct zr_dispute_reply *reply, const struct zr_id *call_ref,
                const struct dispute_row *dispute)
{
    *reply = (struct zr_dispute_reply){
        .call_ref = *call_ref,
        .commit_seq = dispute->commit_seq,
        .opened_ms = dispute->opened_ms,
        .resolved_ms = dispute->resolved_ms,
        .charge_cents = dispute->charge_cents,
        .credited_cents = dispute->credited_cents,
        .contractor = dispute->contractor,
        .state = dispute->state,
        .reason = dispute->reason,
    };
}

static void
charge_tell(const struct charge *charge, enum zr_event_type type, int64_t amount_cents,
            uint8_t code)
{
    event_emit(charge->state, charge->command,
               &(struct event_row){.amount_cents = amount_cents,
                                   .call_ref = charge->call.call_ref,
                                   .contractor = charge->contractor,
                                   .tenant = charge->owner.tenant,
                                   .zip = charge->call.row.zip,
                                   .category = charge->call.row.category,
                                   .type = (uint8_t)type,
                                   .code = code});
}

/* ---- what the record proves ------------------------------------------------------------------ */

/* The charge of that call to this contractor stands, or a part of it. */
static bool
charge_stands(struct state *state, const struct zr_id *call_ref, uint32_t contractor)
{
    struct call_view call;
    const struct call_leg_row *leg;

    if (!call_open(state, call_ref, &call)) {
        return false;
    }
    leg = call_leg_find(&call.row, contractor);
    return leg != NULL && leg->settlement == ZR_SETTLEMENT_CHARGED;
}

/*
 * Only the newest charge of a caller has its forerunner remembered; of an older one nothing is
 * proved, and somebody has to look.
 */
static bool
charge_is_duplicate(const struct charge *charge)
{
    const struct call_row *call = &charge->call.row;
    const struct duplicate_key key = {call->caller_hash, charge->contractor, call->category};
    struct duplicate_row row;

    if (call->caller_hash == 0 || !state_duplicate_get(charge->state, key, &row) ||
        memcmp(&row.call_ref, &charge->call.call_ref, sizeof row.call_ref) != 0 ||
        row.previous_ms == 0) {
        return false;
    }
    return row.charged_ms <= row.previous_ms + charge->policy.dup_days * DAY_MS &&
           charge->policy.dup_days > 0 &&
           charge_stands(charge->state, &row.previous_ref, charge->contractor);
}

static bool
charge_is_provably_wrong(const struct charge *charge, uint8_t reason)
{
    switch ((enum zr_dispute_reason)reason) {
    case ZR_DISPUTE_DUPLICATE:
        return charge_is_duplicate(charge);
    case ZR_DISPUTE_VOICEMAIL:
        return (charge->leg->flags & LEG_VOICEMAIL) != 0;
    case ZR_DISPUTE_SHORT:
        return (charge->leg->flags & LEG_SHORT_END) != 0;
    case ZR_DISPUTE_WRONG_AREA:
    case ZR_DISPUTE_WRONG_SERVICE:
    case ZR_DISPUTE_SPAM:
    case ZR_DISPUTE_OTHER:
        break;
    }
    return false;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* May this charge be disputed now? Day 30 is the last whole day (E59). */
static uint16_t
charge_judge(const struct charge *charge)
{
    const uint64_t days = charge->policy.dispute_days != 0 ? charge->policy.dispute_days
                                                           : (uint64_t)DISPUTE_DAYS_DEFAULT;
    uint64_t charged_ms;

    if (charge->disputed) {
        return ZR_STATUS_ALREADY_DISPUTED;
    }
    if (charge->leg->settlement == ZR_SETTLEMENT_CREDITED) {
        return ZR_STATUS_AMOUNT; /* E73: nothing is left to credit. */
    }
    if (charge->leg->settlement != ZR_SETTLEMENT_CHARGED) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (charge->leg->amount_cents == 0) {
        return ZR_STATUS_AMOUNT;
    }
    charged_ms = ledger_charged_ms(charge->state, charge->leg->settled_seq, &charge->call.call_ref);
    if (charge->command->time_ms >= charged_ms + (days + 1) * DAY_MS) {
        return ZR_STATUS_DISPUTE_WINDOW;
    }
    /* Paid out and gone: there is no wallet left to credit. */
    return charge->owner.paid_out ? ZR_STATUS_ACCOUNT_CLOSED : ZR_STATUS_OK;
}

/* Give it back, and close the dispute; nothing = the charge is upheld. The caller puts it. */
static void
dispute_close(struct charge *charge, int64_t credit_cents)
{
    struct dispute_row *dispute = &charge->dispute;

    CHECK(dispute->state == ZR_DISPUTE_STATE_OPEN);
    CHECK(credit_cents >= 0);
    CHECK(credit_cents <= charge->leg->amount_cents); /* I12 */
    if (credit_cents > 0) {
        settlement_credit(charge->state, charge->command, &charge->call, charge->leg, credit_cents);
        call_put(charge->state, &charge->call);
    }
    dispute->state = credit_cents > 0 ? ZR_DISPUTE_STATE_CREDITED : ZR_DISPUTE_STATE_UPHELD;
    dispute->credited_cents = credit_cents;
    dispute->resolved_ms = charge->command->time_ms;
    dispute->commit_seq = charge->command->seq;
    charge_tell(charge, ZR_EVENT_DISPUTE_RESOLVED, credit_cents, dispute->state);
}

static void
dispute_write(struct charge *charge, const struct zr_dispute_open_request *request)
{
    struct dispute_row *dispute = &charge->dispute;

    *dispute = (struct dispute_row){
        .opened_ms = charge->command->time_ms,
        .commit_seq = charge->command->seq,
        .charge_cents = charge->leg->rate_cents,
        .contractor = charge->contractor,
        .state = ZR_DISPUTE_STATE_OPEN,
        .reason = request->reason,
    };
    memcpy(dispute->note, request->note, sizeof dispute->note);
    charge_tell(charge, ZR_EVENT_DISPUTE_OPENED, charge->leg->amount_cents, request->reason);
    if (charge_is_provably_wrong(charge, request->reason)) {
        dispute_close(charge, charge->leg->amount_cents); /* E60 */
    } else {
        charge->owner.disputes_open++;
        state_contractor_put(charge->state, charge->contractor, &charge->owner);
    }
    state_dispute_put(charge->state, &charge->call.call_ref, charge->contractor, dispute);
}

uint16_t
dispute_open_apply(struct state *state, const struct command *command,
                   const struct zr_dispute_open_request *request, struct zr_dispute_reply *reply,
                   struct effects *effects)
{
    struct charge charge = {.state = state, .command = command};
    uint16_t status;

    (void)effects;
    status = charge_find(&charge, &request->call_ref, request->contractor);
    if (status == ZR_STATUS_OK) {
        status = charge_judge(&charge);
    }
    if (status == ZR_STATUS_OK) {
        dispute_write(&charge, request);
    }
    if (status == ZR_STATUS_OK || status == ZR_STATUS_ALREADY_DISPUTED) {
        dispute_to_wire(reply, &request->call_ref, &charge.dispute);
    }
    return status;
}

/* ---- resolving ------------------------------------------------------------------------------- */

uint16_t
dispute_resolve_apply(struct state *state, const struct command *command,
                      const struct zr_dispute_resolve_request *request,
                      struct zr_dispute_reply *reply, struct effects *effects)
{
    struct charge charge = {.state = state, .command = command};

    if (request->credit_cents < 0) {
        return command_invalid(effects, &zr_dispute_resolve_request_shape, "credit_cents");
    }
    if (charge_find(&charge, &request->call_ref, request->contractor) != ZR_STATUS_OK ||
        !charge.disputed) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (charge.dispute.resolved_ms != 0) {
        dispute_to_wire(reply, &request->call_ref, &charge.dispute);
        effects->duplicate = charge.dispute.credited_cents == request->credit_cents;
        return effects->duplicate ? ZR_STATUS_OK : ZR_STATUS_ALREADY_DISPUTED;
    }
    if (request->credit_cents > charge.leg->amount_cents) {
        dispute_to_wire(reply, &request->call_ref, &charge.dispute);
        return ZR_STATUS_AMOUNT;
    }
    dispute_close(&charge, request->credit_cents);
    state_dispute_put(state, &request->call_ref, request->contractor, &charge.dispute);
    CHECK(charge.owner.disputes_open > 0);
    charge.owner.disputes_open--;
    state_contractor_put(state, request->contractor, &charge.owner);
    payout_dispute_resolved(state, command, request->contractor, &charge.owner);
    dispute_to_wire(reply, &request->call_ref, &charge.dispute);
    return ZR_STATUS_OK;
}

uint16_t
dispute_get(struct state *state, const struct command *command,
            const struct zr_dispute_get_request *request, struct zr_dispute_reply *reply)
{
    struct charge charge = {.state = state, .command = command};

    if (charge_find(&charge, &request->call_ref, request->contractor) != ZR_STATUS_OK ||
        !charge.disputed) {
        return ZR_STATUS_NOT_FOUND;
    }
    dispute_to_wire(reply, &request->call_ref, &charge.dispute);
    return ZR_STATUS_OK;
}
