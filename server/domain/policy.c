/*
 * policy.c - see policy.h.
 */
#include "server/domain/policy.h"

#include "protocol/check.h"
#include "server/domain/funds.h"
#include "server/domain/slot_change.h"
#include "server/domain/ticket.h"

#include <string.h>

enum { HOURS_S = 3600, DAYS_S = 24 * HOURS_S, RING_SLACK_S = 5, DISPUTE_DAYS = 30 };
enum { ATTESTATION_MAX = 3 };

const struct policy_row policy_default = {
    .version = 0,
    .qualify_ms = 30000,
    .dup_days = 30,
    .funds_grace_s = 72 * HOURS_S,
    .pause_grace_s = 14 * DAYS_S,
    .offer_window_s = DAYS_S,
    .max_call_s = 4 * HOURS_S,
    .overdraft_cents = -1,
    .ring_timeout_s = 30,
    .cascade_budget_s = 150,
    .multiplier_2_bp = 7000,
    .multiplier_3_bp = 5000,
    .max_positions = 8,
    .max_attempts = 4,
    .screening_required = 0,
    .dup_scope = ZR_DUP_PER_CONTRACTOR,
    .funds_rule = ZR_FUNDS_SLOT_RATE,
    .duration_check = ZR_DURATION_CLIP,
    .attestation_min = 0,
    .cooldown_misses = 0,
    .cooldown_s = 0,
    .dispute_days = DISPUTE_DAYS,
};

uint8_t
policy_for_slot(struct state *state, uint32_t zip, uint16_t category, struct policy_row *row)
{
    if (zip != 0 &&
        state_policy_get(state, (struct policy_key){ZR_SCOPE_SLOT, category, zip}, row)) {
        return ZR_SCOPE_SLOT;
    }
    if (category != 0 &&
        state_policy_get(state, (struct policy_key){ZR_SCOPE_CATEGORY, category, 0}, row)) {
        return ZR_SCOPE_CATEGORY;
    }
    if (!state_policy_get(state, (struct policy_key){ZR_SCOPE_NETWORK, 0, 0}, row)) {
        *row = policy_default;
    }
    return ZR_SCOPE_NETWORK;
}

const char *
policy_wrong_field(const struct zr_policy *policy)
{
    const uint32_t attempt_s = (uint32_t)policy->ring_timeout_s + RING_SLACK_S;

    if (policy->overdraft_cents < -1) {
        return "overdraft_cents";
    }
    if (policy->ring_timeout_s < 10 || policy->ring_timeout_s > 60) {
        return "ring_timeout_s";
    }
    if (policy->max_attempts < 1 || policy->max_attempts > CALL_LEGS_MAX) {
        return "max_attempts";
    }
    if (policy->cascade_budget_s < policy->max_attempts * attempt_s ||
        policy->cascade_budget_s > 900) {
        return "cascade_budget_s";
    }
    /* Shorter, and a call is swept before it was talked; longer, and its END is TOO_LATE anyway. */
    if (policy->max_call_s < 60 || policy->max_call_s > TICKET_SETTLE_DAYS * DAYS_S) {
        return "max_call_s";
    }
    if (policy->multiplier_2_bp > 10000) {
        return "multiplier_2_bp";
    }
    if (policy->multiplier_3_bp > policy->multiplier_2_bp) {
        return "multiplier_3_bp"; /* R53: non-increasing. */
    }
    if (policy->max_positions < 1 || policy->max_positions > SLOT_CLAIMS_MAX) {
        return "max_positions";
    }
    return NULL;
}

void
policy_to_wire(struct zr_policy *wire, const struct policy_row *row)
{
    *wire = (struct zr_policy){
        .qualify_ms = row->qualify_ms,
        .dup_days = row->dup_days,
        .funds_grace_s = row->funds_grace_s,
        .pause_grace_s = row->pause_grace_s,
        .offer_window_s = row->offer_window_s,
        .max_call_s = row->max_call_s,
        .overdraft_cents = row->overdraft_cents,
        .ring_timeout_s = row->ring_timeout_s,
        .cascade_budget_s = row->cascade_budget_s,
        .multiplier_2_bp = row->multiplier_2_bp,
        .multiplier_3_bp = row->multiplier_3_bp,
        .max_positions = row->max_positions,
        .max_attempts = row->max_attempts,
        .screening_required = row->screening_required != 0,
        .dup_scope = row->dup_scope,
        .funds_rule = row->funds_rule,
        .duration_check = row->duration_check,
    };
}

static void
policy_from_wire(struct policy_row *row, const struct zr_policy_put_request *request)
{
    const struct zr_policy *wire = &request->policy[0];

    *row = (struct policy_row){
        .qualify_ms = wire->qualify_ms,
        .dup_days = wire->dup_days,
        .funds_grace_s = wire->funds_grace_s,
        .pause_grace_s = wire->pause_grace_s,
        .offer_window_s = wire->offer_window_s,
        .max_call_s = wire->max_call_s,
        .overdraft_cents = wire->overdraft_cents,
        .ring_timeout_s = wire->ring_timeout_s,
        .cascade_budget_s = wire->cascade_budget_s,
        .multiplier_2_bp = wire->multiplier_2_bp,
        .multiplier_3_bp = wire->multiplier_3_bp,
        .max_positions = wire->max_positions,
        .max_attempts = wire->max_attempts,
        .screening_required = wire->screening_required,
        .dup_scope = wire->dup_scope,
        .funds_rule = wire->funds_rule,
        .duration_check = wire->duration_check,
        .attestation_min = request->attestation_min,
        .cooldown_misses = request->cooldown_misses,
        .cooldown_s = request->cooldown_s,
        /* 0 is what a client says that does not know of it. */
        .dispute_days = request->dispute_days != 0 ? request->dispute_days : DISPUTE_DAYS,
    };
}

/* A policy may have added a position, and somebody may wait for one. */
static void
policy_tell_slots(struct state *state, const struct command *command, const struct policy_key *key,
                  const struct policy_row *before, const struct policy_row *after)
{
    const struct zr_slot_key slot_key = {key->zip, key->category};
    struct slot_change change;

    if (before->max_positions == after->max_positions) {
        return;
    }
    if (key->scope != ZR_SCOPE_SLOT) {
        slot_change_positions(state, command, key->category);
        return;
    }
    slot_change_begin(&change, state, command, &slot_key);
    if (change.slot.claims_count > 0 || change.slot.waiting > 0) {
        slot_change_commit(&change);
    }
}

/* A scope names exactly the parts of the key that it has. */
static bool
scope_key_is_valid(const struct zr_policy_put_request *request)
{
    const bool with_category = request->scope != ZR_SCOPE_NETWORK;

    if ((request->category != 0) != with_category || request->category >= CATEGORIES_MAX) {
        return false;
    }
    return request->scope == ZR_SCOPE_SLOT || request->zip == 0;
}

/* A multiplier is a price: whoever it reaches may be dry, or not any more (R53, R63). */
static void
policy_tell_prices(struct state *state, const struct command *command, const struct policy_key *key,
                   const struct policy_row *before, const struct policy_row *after)
{
    if (before->multiplier_2_bp == after->multiplier_2_bp &&
        before->multiplier_3_bp == after->multiplier_3_bp) {
        return;
    }
    if (key->scope == ZR_SCOPE_SLOT) {
        funds_slot_changed(state, command, key->zip, key->category);
    } else {
        funds_prices_changed(state, command);
    }
}

static void
policy_write(struct state *state, const struct command *command, const struct policy_key *key,
             struct policy_row *row)
{
    struct policy_row before;

    (void)policy_for_slot(state, key->zip, key->category, &before);
    row->version = (uint32_t)state_counter_next(state, COUNTER_POLICY_VERSION);
    (void)state_counter_next(state, COUNTER_CATALOGUE);
    state_policy_put(state, *key, row);
    policy_tell_slots(state, command, key, &before, row);
    policy_tell_prices(state, command, key, &before, row);
}

uint16_t
policy_put_apply(struct state *state, const struct command *command,
                 const struct zr_policy_put_request *request, struct zr_policy_put_reply *reply,
                 struct effects *effects)
{
    const struct policy_key key = {request->scope, request->category, request->zip};
    struct policy_row row;
    struct category_row category;
    struct zip_row zip;
    const char *wrong;
    uint32_t version = 0;

    if (!scope_key_is_valid(request)) {
        return command_invalid(effects, &zr_policy_put_request_shape, "scope");
    }
    if (request->policy_count != 1) {
        return command_invalid(effects, &zr_policy_put_request_shape, "policy");
    }
    wrong = policy_wrong_field(&request->policy[0]);
    if (wrong != NULL) {
        (void)command_invalid(effects, &zr_policy_shape, wrong);
        effects->detail = (uint16_t)(effects->detail + zr_policy_put_request_shape.block_bytes);
        return ZR_STATUS_INVALID_FIELD;
    }
    if (request->attestation_min > ATTESTATION_MAX) {
        return command_invalid(effects, &zr_policy_put_request_shape, "attestation_min");
    }
    if (key.category != 0 && !state_category_get(state, key.category, &category)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (key.scope == ZR_SCOPE_SLOT && !state_zip_get(state, key.zip, &zip)) {
        return ZR_STATUS_UNKNOWN_ZIP;
    }
    if (state_policy_get(state, key, &row)) {
        version = row.version;
    }
    if (version != request->expected_version) {
        reply->version = version;
        return ZR_STATUS_VERSION_CONFLICT;
    }
    policy_from_wire(&row, request);
    policy_write(state, command, &key, &row);
    reply->version = row.version;
    reply->commit_seq = command->seq;
    return ZR_STATUS_OK;
}
