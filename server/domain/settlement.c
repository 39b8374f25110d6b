/*
 * settlement.c - see settlement.h.
 */
#include "server/domain/settlement.h"

#include "protocol/check.h"
#include "server/domain/event.h"
#include "server/domain/funds.h"
#include "server/domain/ledger.h"
#include "server/domain/policy.h"
#include "server/domain/usage.h"

#include <string.h>

enum { TALK_SLACK_MS = 5000 };
#define DAY_MS (UINT64_C(24) * 3600 * 1000)

uint8_t
settlement_decide(const struct settlement_facts *facts)
{
    if (facts->voicemail) {
        return ZR_SETTLEMENT_FREE_VOICEMAIL;
    }
    if (facts->talk_ms < facts->qualify_ms) {
        return ZR_SETTLEMENT_FREE_SHORT; /* E45: integer compare, 29,999 is short of 30,000. */
    }
    if (facts->call_charged) {
        return ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED;
    }
    if (facts->unscreened) {
        return ZR_SETTLEMENT_FREE_UNSCREENED;
    }
    return facts->duplicate ? ZR_SETTLEMENT_FREE_DUPLICATE : ZR_SETTLEMENT_CHARGED;
}

uint32_t
settlement_clip_talk(uint32_t talk_ms, uint64_t now_ms, uint64_t issued_ms, uint8_t duration_check,
                     bool *flagged)
{
    const uint64_t age_ms = now_ms > issued_ms ? now_ms - issued_ms : 0;

    if (talk_ms <= age_ms + TALK_SLACK_MS) {
        return talk_ms;
    }
    *flagged = true;
    return duration_check == ZR_DURATION_CLIP ? (uint32_t)(age_ms + TALK_SLACK_MS) : talk_ms;
}

int64_t
settlement_overdraft_cents(const struct policy_row *policy, const struct contractor_row *contractor,
                           const struct wallet_row *wallet, int64_t rate_cents)
{
    const int64_t rate = wallet->rate_max_cents > rate_cents ? wallet->rate_max_cents : rate_cents;

    if (policy->overdraft_cents >= 0) {
        return policy->overdraft_cents;
    }
    return rate * contractor->max_concurrency;
}

/* Where the newest charge that could make this one a duplicate is looked up. */
static struct duplicate_key
duplicate_key_for(const struct call_row *call, const struct call_leg_row *leg, bool network)
{
    return (struct duplicate_key){call->caller_hash, network ? CONTRACTOR_ANY : leg->contractor,
                                  call->category};
}

/*
 * Window: from the earlier charge's commit to this CONNECT's commit, so that a long call cannot
 * talk itself out of it; a leg that never connected counts from now.
 */
static bool
is_duplicate(struct state *state, const struct command *command, const struct policy_row *policy,
             const struct call_row *call, const struct call_leg_row *leg)
{
    const uint64_t from_ms = leg->connected_ms != 0 ? leg->connected_ms : command->time_ms;
    struct duplicate_row row;

    if (call->caller_hash == 0 || policy->dup_days == 0) {
        return false;
    }
    if (!state_duplicate_get(
            state, duplicate_key_for(call, leg, policy->dup_scope == ZR_DUP_PER_NETWORK), &row)) {
        return false;
    }
    return from_ms <= row.charged_ms + policy->dup_days * DAY_MS;
}

/* Both of them: the scope may be another one tomorrow. The charge before it is kept, one deep. */
static void
remember_charge(struct state *state, const struct command *command, const struct call_view *call,
                const struct call_leg_row *leg)
{
    for (int network = 0; call->row.caller_hash != 0 && network <= 1; network++) {
        const struct duplicate_key key = duplicate_key_for(&call->row, leg, network != 0);
        struct duplicate_row row = {{{0}}, 0, {{0}}, 0};
        struct duplicate_row before;

        if (state_duplicate_get(state, key, &before)) {
            row.previous_ref = before.call_ref;
            row.previous_ms = before.charged_ms;
        }
        row.call_ref = call->call_ref;
        row.charged_ms = command->time_ms;
        state_duplicate_put(state, key, &row);
    }
}

static bool
is_same_call(const struct zr_id *left, const struct zr_id *right)
{
    return memcmp(left, right, sizeof *left) == 0;
}

/* Only a full credit takes the charge out of the window; what was before it counts again (M4, E61).
 */
static void
forget_charge(struct state *state, const struct call_view *call, const struct call_leg_row *leg)
{
    struct duplicate_row row;

    for (int network = 0; call->row.caller_hash != 0 && network <= 1; network++) {
        const struct duplicate_key key = duplicate_key_for(&call->row, leg, network != 0);

        if (!state_duplicate_get(state, key, &row)) {
            continue;
        }
        if (row.previous_ms != 0 && is_same_call(&row.previous_ref, &call->call_ref)) {
            row.previous_ref = (struct zr_id){{0}};
            row.previous_ms = 0;
            state_duplicate_put(state, key, &row);
        } else if (is_same_call(&row.call_ref, &call->call_ref) && row.previous_ms != 0) {
            row = (struct duplicate_row){row.previous_ref, row.previous_ms, {{0}}, 0};
            state_duplicate_put(state, key, &row);
        } else if (is_same_call(&row.call_ref, &call->call_ref)) {
            state_duplicate_del(state, key);
        }
    }
}

/*
 * How far below 0 the charge may take the wallet. Its rate may have changed since CONNECT, and with
 * it the overdraft; what is held until now is the contractor's to pay all the same. What comes
 * late, by a ticket alone or after the sweep gave the hold back, finds the plain overdraft.
 */
static int64_t
leg_overdraft_cents(const struct policy_row *policy, const struct contractor_row *contractor,
                    const struct wallet_row *wallet, const struct call_leg_row *leg)
{
    const int64_t held_to_cents = wallet_available_cents(wallet) - leg->rate_cents;
    const int64_t overdraft_cents =
        settlement_overdraft_cents(policy, contractor, wallet, leg->rate_cents);
    const bool held = leg->connected_ms != 0 && (leg->flags & LEG_SWEPT) == 0;

    return held && held_to_cents < -overdraft_cents ? -held_to_cents : overdraft_cents;
}

/* What both ways to settle end with: the hold is released, with or without a charge before. */
static void
settlement_write(struct state *state, const struct command *command, const struct call_view *call,
                 struct call_leg_row *leg, const struct contractor_row *contractor)
{
    settlement_tell(state, command, call, leg, contractor->tenant);
    usage_settle(state, command, leg->contractor, contractor,
                 &(struct usage_settlement){.connected_ms = leg->connected_ms,
                                            .held_cents = leg->hold_cents,
                                            .charged_cents = leg->amount_cents});
    leg->hold_cents = 0;
}

static void
hold_release(const struct state *state, struct wallet_row *wallet, const struct call_leg_row *leg)
{
    if (wallet->held_cents < leg->hold_cents && state_failed(state)) {
        return; /* The wallet was not to be read: this batch is thrown away. */
    }
    CHECK(wallet->held_cents >= leg->hold_cents);
    wallet->held_cents -= leg->hold_cents;
}

void
settlement_apply(struct state *state, const struct command *command, struct call_view *call,
                 struct call_leg_row *leg, const struct contractor_row *contractor)
{
    struct policy_row policy;
    struct wallet_row wallet;
    struct settlement_facts facts;

    CHECK(leg->settlement == ZR_SETTLEMENT_OPEN);
    (void)policy_for_slot(state, call->row.zip, call->row.category, &policy);
    facts = (struct settlement_facts){
        .talk_ms = leg->talk_ms,
        .qualify_ms = leg->qualify_ms,
        .voicemail = (leg->flags & LEG_VOICEMAIL) != 0,
        .call_charged = call->row.charged != 0,
        .unscreened = policy.screening_required && !call->row.screened,
        .duplicate = is_duplicate(state, command, &policy, &call->row, leg),
    };
    leg->settlement = settlement_decide(&facts);
    leg->settled_seq = command->seq;

    state_wallet_get(state, leg->contractor, &wallet);
    hold_release(state, &wallet, leg);
    if (leg->settlement == ZR_SETTLEMENT_CHARGED) {
        CHECK(!call->row.charged);
        call->row.charged = 1;
        leg->amount_cents = leg->rate_cents; /* I8 */
        ledger_charge(state, command, &wallet,
                      &(struct ledger_entry){.amount_cents = leg->rate_cents,
                                             .contractor = leg->contractor,
                                             .call_ref = call->call_ref},
                      leg_overdraft_cents(&policy, contractor, &wallet, leg));
        remember_charge(state, command, call, leg);
    }
    settlement_write(state, command, call, leg, contractor);
    funds_wallet_put(state, command, leg->contractor, &wallet);
}

void
settlement_void(struct state *state, const struct command *command, struct call_view *call,
                struct call_leg_row *leg, const struct contractor_row *contractor)
{
    struct wallet_row wallet;

    CHECK(leg->settlement == ZR_SETTLEMENT_OPEN);
    CHECK(leg->connected_ms != 0);
    leg->settlement = ZR_SETTLEMENT_STALE_VOID;
    leg->settled_seq = command->seq;
    state_wallet_get(state, leg->contractor, &wallet);
    hold_release(state, &wallet, leg);
    settlement_write(state, command, call, leg, contractor);
    settlement_tell_reconcile(state, command, call, leg);
    funds_wallet_put(state, command, leg->contractor, &wallet);
}

void
settlement_credit(struct state *state, const struct command *command, struct call_view *call,
                  struct call_leg_row *leg, int64_t cents)
{
    /* Until the first credit the leg knows the place of its charge. */
    const uint64_t charged_seq = leg->credited_cents == 0 ? leg->settled_seq : 0;
    struct wallet_row wallet;

    CHECK(leg->settlement == ZR_SETTLEMENT_CHARGED);
    CHECK(cents >= 0);
    CHECK(cents <= leg->amount_cents); /* I12 */
    leg->amount_cents -= cents;
    leg->credited_cents += cents;
    leg->settled_seq = command->seq;
    if (leg->amount_cents == 0) {
        leg->settlement = ZR_SETTLEMENT_CREDITED;
        forget_charge(state, call, leg);
    }
    if (cents > 0) {
        state_wallet_get(state, leg->contractor, &wallet);
        ledger_credit_charge(state, command, &wallet,
                             &(struct ledger_entry){.amount_cents = cents,
                                                    .contractor = leg->contractor,
                                                    .call_ref = call->call_ref},
                             charged_seq);
        funds_wallet_put(state, command, leg->contractor, &wallet);
    }
}

/* What every event about a leg says. */
static struct event_row
event_of(const struct call_view *call, const struct call_leg_row *leg, uint8_t type)
{
    return (struct event_row){.call_ref = call->call_ref,
                              .contractor = leg->contractor,
                              .zip = call->row.zip,
                              .category = call->row.category,
                              .type = type,
                              .code = leg->settlement};
}

void
settlement_tell(struct state *state, const struct command *command, const struct call_view *call,
                const struct call_leg_row *leg, uint32_t tenant)
{
    struct event_row event = event_of(call, leg, ZR_EVENT_CALL_SETTLED);

    event.tenant = tenant;
    event.amount_cents = leg->amount_cents;
    event_emit(state, command, &event);
}

void
settlement_tell_reconcile(struct state *state, const struct command *command,
                          const struct call_view *call, const struct call_leg_row *leg)
{
    struct event_row event = event_of(call, leg, ZR_EVENT_RECONCILE);

    event.tenant = call->row.tenant;
    event.audience = AUDIENCE_CALLS;
    event_emit(state, command, &event);
}

/* All but FREE_SHORT say "talked long enough, and then ..."; what came then is not in the new
 * facts. */
static uint8_t
settlement_of_talk(const struct call_leg_row *leg, bool talked, bool machine)
{
    const bool was_short = leg->settlement == ZR_SETTLEMENT_FREE_SHORT;

    if (machine) {
        return ZR_SETTLEMENT_FREE_VOICEMAIL;
    }
    if (!talked) {
        return ZR_SETTLEMENT_FREE_SHORT;
    }
    return was_short ? (uint8_t)ZR_SETTLEMENT_CHARGED : leg->settlement;
}

uint8_t
settlement_expected(const struct call_leg_row *leg, uint32_t talk_ms, bool voicemail)
{
    /* What the END that closed the leg said, it may say again: it was taken as no reason. */
    const bool talked = talk_ms >= leg->qualify_ms || (leg->flags & LEG_SHORT_END) != 0;
    const bool machine_known = (leg->flags & LEG_VOICEMAIL) != 0;

    if (machine_known && voicemail) {
        return leg->settlement; /* Over a machine nobody asks how long it talked. */
    }
    /* Credited by that evidence (E73), or by a dispute, which END knows not. */
    if (machine_known && leg->settlement == ZR_SETTLEMENT_CREDITED) {
        return ZR_SETTLEMENT_CHARGED;
    }
    switch ((enum zr_settlement)leg->settlement) {
    case ZR_SETTLEMENT_CHARGED:
    case ZR_SETTLEMENT_CREDITED:
    case ZR_SETTLEMENT_FREE_DUPLICATE:
    case ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED:
    case ZR_SETTLEMENT_FREE_UNSCREENED:
    case ZR_SETTLEMENT_FREE_SHORT:
        return settlement_of_talk(leg, talked, voicemail);
    case ZR_SETTLEMENT_FREE_VOICEMAIL:
        return voicemail ? leg->settlement : (uint8_t)ZR_SETTLEMENT_CHARGED;
    case ZR_SETTLEMENT_OPEN:
    case ZR_SETTLEMENT_FREE_MISMATCH:
    case ZR_SETTLEMENT_STALE_VOID:
    case ZR_SETTLEMENT_NONE:
        break;
    }
    return leg->settlement;
}
