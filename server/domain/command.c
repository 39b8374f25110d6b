/*
 * command.c - from an operation to its rule: the one table that the committer and the snapshot
 * reads go through.
 */
#include "server/domain/command.h"

#include "protocol/check.h"
#include "server/domain/adjust.h"
#include "server/domain/autotopup.h"
#include "server/domain/call.h"
#include "server/domain/catalogue.h"
#include "server/domain/claim.h"
#include "server/domain/decline.h"
#include "server/domain/dispute.h"
#include "server/domain/event.h"
#include "server/domain/keys.h"
#include "server/domain/ledger.h"
#include "server/domain/offer.h"
#include "server/domain/people.h"
#include "server/domain/policy.h"
#include "server/domain/profile.h"
#include "server/domain/timer.h"
#include "server/domain/topup.h"
#include "server/domain/usage.h"
#include "server/domain/waitlist.h"

#include <string.h>

static uint16_t
policy_get(struct state *state, const struct zr_policy_get_request *request,
           struct zr_policy_get_reply *reply)
{
    const struct policy_key own = {request->scope, request->category, request->zip};
    struct policy_row row;

    reply->own_version = state_policy_get(state, own, &row) ? row.version : 0;
    reply->scope = policy_for_slot(state, request->zip, request->category, &row);
    reply->version = row.version;
    reply->policy_count = 1;
    policy_to_wire(&reply->policy[0], &row);
    reply->attestation_min = row.attestation_min;
    reply->cooldown_misses = row.cooldown_misses;
    reply->cooldown_s = row.cooldown_s;
    reply->dispute_days = row.dispute_days;
    return ZR_STATUS_OK;
}

static uint16_t
noop_commit(const struct command *command, struct zr_commit_reply *reply, struct effects *effects)
{
    effects->journal = true;
    reply->commit_seq = command->seq;
    return ZR_STATUS_OK;
}

uint16_t
command_invalid(struct effects *effects, const struct zr_shape *shape, const char *field)
{
    effects->detail = zr_shape_offset_of(shape, field);
    return ZR_STATUS_INVALID_FIELD;
}

bool
command_id_is_none(const struct zr_id *id)
{
    static const struct zr_id none;

    return memcmp(id, &none, sizeof none) == 0;
}

/* Operations that change nothing. */
static uint16_t
command_read(struct state *state, const struct command *command, const void *request, void *reply,
             struct effects *effects)
{
    switch ((unsigned)command->op) {
    case ZR_OP_CATEGORY_LIST:
        return catalogue_category_list(state, request, reply);
    case ZR_OP_POLICY_GET:
        return policy_get(state, request, reply);
    case ZR_OP_CONTRACTOR_GET:
        return people_contractor_get(state, command, request, reply, effects);
    case ZR_OP_CONTRACTOR_LIST:
        return people_contractor_list(state, command, request, reply);
    case ZR_OP_WALLET_GET:
        return ledger_wallet_get(state, command, request, reply);
    case ZR_OP_LEDGER_LIST:
        return ledger_list(state, command, request, reply);
    case ZR_OP_AUTOTOPUP_GET:
        return autotopup_get(state, command, request, reply);
    case ZR_OP_DISPUTE_GET:
        return dispute_get(state, command, request, reply);
    case ZR_OP_CLAIMS_LIST:
        return claim_list(state, command, request, reply);
    case ZR_OP_CLAIM_GET:
        return claim_get(state, command, request, reply);
    case ZR_OP_SLOT_GET:
        return claim_slot_get(state, command, request, reply);
    case ZR_OP_SCHEDULE_GET:
        return profile_schedule_get(state, command, request, reply);
    case ZR_OP_CAPS_GET:
        return profile_caps_get(state, command, request, reply);
    case ZR_OP_FILTERS_GET:
        return profile_filters_get(state, command, request, reply);
    case ZR_OP_CALL_GET:
        return call_get(state, command, request, reply, effects);
    default:
        return ZR_STATUS_UNKNOWN_OP;
    }
}

/* Money (M5); what is not of it is a read. */
static uint16_t
command_money(struct state *state, const struct command *command, const void *request, void *reply,
              struct effects *effects)
{
    switch ((unsigned)command->op) {
    case ZR_OP_TOPUP:
        return topup_apply(state, command, request, reply, effects);
    case ZR_OP_TOPUP_REVERSED:
        return topup_reversed_apply(state, command, request, reply, effects);
    case ZR_OP_AUTOTOPUP_PUT:
        return autotopup_put_apply(state, command, request, reply, effects);
    case ZR_OP_TOPUP_RESULT:
        return autotopup_result_apply(state, command, request, reply, effects);
    case ZR_OP_ADJUST:
        return adjust_apply(state, command, request, reply, effects);
    case ZR_OP_DISPUTE_OPEN:
        return dispute_open_apply(state, command, request, reply, effects);
    case ZR_OP_DISPUTE_RESOLVE:
        return dispute_resolve_apply(state, command, request, reply, effects);
    default:
        return command_read(state, command, request, reply, effects);
    }
}

/* Claims and what comes before them (M2); what is not of it may be money. */
static uint16_t
command_titles(struct state *state, const struct command *command, const void *request, void *reply,
               struct effects *effects)
{
    switch ((unsigned)command->op) {
    case ZR_OP_CLAIM:
        return claim_apply(state, command, request, reply, effects);
    case ZR_OP_RELEASE:
        return claim_release_apply(state, command, request, reply, effects);
    case ZR_OP_OFFER_REPLY:
        return offer_reply_apply(state, command, request, reply);
    case ZR_OP_WAITLIST_JOIN:
        return waitlist_join_apply(state, command, request, reply, effects);
    case ZR_OP_WAITLIST_LEAVE:
        return waitlist_leave_apply(state, command, request, reply, effects);
    case ZR_OP_PAUSE:
        return claim_pause_apply(state, command, request, reply);
    case ZR_OP_RESUME:
        return claim_resume_apply(state, command, request, reply);
    default:
        return command_money(state, command, request, reply, effects);
    }
}

/* The rule of the operation; one that is none of those that write is a read. */
static uint16_t
command_rule(struct state *state, const struct command *command, const void *request, void *reply,
             struct effects *effects)
{
    /* Not a switch on the enum: an op is a number from a journal, and most ops are not for here. */
    switch ((unsigned)command->op) {
    case ZR_OP_NOOP_COMMIT:
        return noop_commit(command, reply, effects);
    case ZR_OP_TICK:
        return timer_tick_apply(state, command, request, reply, effects);
    case ZR_OP_EVENTS_ACK:
        return event_ack_apply(state, command, request, reply, effects);
    case ZR_OP_ZIP_PUT:
        return catalogue_zip_put_apply(state, command, request, reply, effects);
    case ZR_OP_CATEGORY_PUT:
        return catalogue_category_put_apply(state, command, request, reply, effects);
    case ZR_OP_POLICY_PUT:
        return policy_put_apply(state, command, request, reply, effects);
    case ZR_OP_PRINCIPAL_PUT:
        return people_principal_put_apply(state, command, request, reply, effects);
    case ZR_OP_PRINCIPAL_REVOKE:
        return people_principal_revoke_apply(state, command, request, reply);
    case ZR_OP_CONTRACTOR_PUT:
        return people_contractor_put_apply(state, command, request, reply, effects);
    case ZR_OP_CONTRACTOR_STATUS:
        return people_contractor_status_apply(state, command, request, reply);
    case ZR_OP_CONNECT:
        return call_connect_apply(state, command, request, reply, effects);
    case ZR_OP_QUALIFY:
    case ZR_OP_KEEPALIVE:
        return call_qualify_apply(state, command, request, reply, effects);
    case ZR_OP_END:
        return call_end_apply(state, command, request, reply, effects);
    case ZR_OP_DECLINE:
        return decline_apply(state, command, request, reply, effects);
    case ZR_OP_KEY_ROTATE:
        return key_rotate_apply(state, command, reply);
    case ZR_OP_SCHEDULE_PUT:
        return profile_schedule_put_apply(state, command, request, reply, effects);
    case ZR_OP_CAPS_PUT:
        return profile_caps_put_apply(state, command, request, reply, effects);
    case ZR_OP_DEST_PUT:
        return profile_dest_put_apply(state, command, request, reply, effects);
    case ZR_OP_FILTERS_PUT:
        return profile_filters_put_apply(state, command, request, reply, effects);
    case ZR_OP_SUPPRESS_PUT:
        return profile_suppress_put_apply(state, command, request, reply, effects);
    case ZR_OP_RINGS:
        return usage_rings_apply(state, command, request, reply, effects);
    default:
        return command_titles(state, command, request, reply, effects);
    }
}

uint16_t
command_apply(struct state *state, const struct command *command, const void *request, void *reply,
              struct effects *effects)
{
    uint16_t status;

    CHECK(command->seq > 0);
    CHECK(reply != NULL);
    status = command_rule(state, command, request, reply, effects);
    if (status == ZR_STATUS_NOT_FOUND) {
        /* What is not yours is not there: whatever a rule had filled in, nothing leaks (E39). */
        memset(reply, 0, zr_operation_find(command->op)->reply->struct_bytes);
    }
    return status;
}
