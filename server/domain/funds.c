/*
 * funds.c - see funds.h.
 *
 * A pass over a contractor's claims is numbered (wallet.funds_pass). A long one is cut into steps
 * that carry its number; when the rates change meanwhile a new pass starts from the first claim,
 * and the steps of the old one find that they are nobody's any more.
 */
#include "server/domain/funds.h"

#include "protocol/check.h"
#include "server/domain/autotopup.h"
#include "server/domain/condition.h"
#include "server/domain/event.h"
#include "server/domain/pricing.h"
#include "server/domain/timer.h"

#include <string.h>

/* wallet.funds_work: nothing is told while the rates are not known to be right. */
enum funds_work { FUNDS_SETTLED, FUNDS_ASKED, FUNDS_LOOKING };

/* Of one step: claims that are read, and claims that change (each writes a row, sets timers). */
enum { STEP_READS_MAX = 128, STEP_CHANGES_MAX = 16, STEP_CONTRACTORS_MAX = 16 };

#define SECOND_MS UINT64_C(1000)

int64_t
wallet_available_cents(const struct wallet_row *wallet)
{
    return wallet->main_cents + wallet->credit_cents - wallet->held_cents;
}

int64_t
wallet_posted_cents(const struct wallet_row *wallet)
{
    return wallet->main_cents + wallet->credit_cents;
}

uint8_t
wallet_funds_state(const struct wallet_row *wallet)
{
    if (wallet_posted_cents(wallet) < wallet->rate_min_cents) {
        return ZR_FUNDS_STATE_DRY;
    }
    return wallet_available_cents(wallet) < wallet->rate_max_cents ? ZR_FUNDS_STATE_LOW
                                                                   : ZR_FUNDS_STATE_OK;
}

/* ---- the wallet alone ------------------------------------------------------------------------ */

/* A balance stands between two neighbours, so equal bounds are those of a row never written. */
static void
wallet_first_bounds(struct wallet_row *wallet)
{
    if (wallet->floor_cents == wallet->ceiling_cents) {
        wallet->floor_cents = INT64_MIN;
        wallet->ceiling_cents = INT64_MAX;
        wallet->topup_below_cents = INT64_MIN;
    }
}

static bool
wallet_has_claims(const struct wallet_row *wallet)
{
    return wallet->floor_cents != INT64_MIN || wallet->ceiling_cents != INT64_MAX;
}

/* Tell the owner what state the wallet entered, once per crossing. */
static void
funds_tell(struct state *state, const struct command *command, uint32_t contractor,
           struct wallet_row *wallet)
{
    const uint8_t before =
        wallet->funds_state == 0 ? (uint8_t)ZR_FUNDS_STATE_OK : wallet->funds_state;
    const uint8_t after = wallet_funds_state(wallet);
    struct event_row event = {.contractor = contractor,
                              .amount_cents = wallet_posted_cents(wallet)};

    if (!wallet_has_claims(wallet)) {
        wallet->funds_state = ZR_FUNDS_STATE_OK;
        return;
    }
    if (after == before) {
        return;
    }
    wallet->funds_state = after;
    if (after == ZR_FUNDS_STATE_DRY) {
        event.type = ZR_EVENT_DRY;
    } else if (after == ZR_FUNDS_STATE_OK) {
        event.type = ZR_EVENT_FUNDED;
    } else if (before == ZR_FUNDS_STATE_OK) {
        event.type = ZR_EVENT_LOW_BALANCE;
        event.amount_cents = wallet_available_cents(wallet);
    } else {
        return; /* DRY -> LOW: better, not well. */
    }
    event_emit(state, command, &event);
}

/* Ask for a pass, unless one is asked for already. */
static void
funds_ask(struct state *state, const struct command *command, uint32_t contractor,
          struct wallet_row *wallet)
{
    if (wallet->funds_work == FUNDS_ASKED) {
        return;
    }
    wallet->funds_work = FUNDS_ASKED;
    wallet->funds_pass++;
    timer_set_work(state, command,
                   &(struct timer_row){
                       .contractor = contractor, .kind = TIMER_FUNDS, .code = wallet->funds_pass});
}

void
funds_wallet_put(struct state *state, const struct command *command, uint32_t contractor,
                 struct wallet_row *wallet)
{
    const int64_t posted = wallet_posted_cents(wallet);

    CHECK(wallet->held_cents >= 0);
    wallet_first_bounds(wallet);
    CHECK(wallet->floor_cents < wallet->ceiling_cents);
    if (posted < wallet->floor_cents || posted >= wallet->ceiling_cents) {
        funds_ask(state, command, contractor, wallet);
    }
    if (wallet_available_cents(wallet) < wallet->topup_below_cents) {
        autotopup_request(state, command, contractor, wallet);
    }
    if (wallet->funds_work == FUNDS_SETTLED) {
        funds_tell(state, command, contractor, wallet);
    }
    state_wallet_put(state, contractor, wallet);
}

void
funds_wallet_watch(struct wallet_row *wallet, int64_t topup_below_cents)
{
    wallet_first_bounds(wallet);
    wallet->topup_below_cents = topup_below_cents;
}

void
funds_rates_changed(struct state *state, const struct command *command, uint32_t contractor)
{
    struct wallet_row wallet;

    state_wallet_get(state, contractor, &wallet);
    wallet_first_bounds(&wallet);
    if (wallet.funds_work != FUNDS_ASKED) {
        funds_ask(state, command, contractor, &wallet);
        state_wallet_put(state, contractor, &wallet);
    }
}

void
funds_slot_changed(struct state *state, const struct command *command, uint32_t zip,
                   uint16_t category)
{
    struct slot_row slot;

    state_slot_get(state, zip, category, &slot);
    for (uint16_t i = 0; i < slot.claims_count; i++) {
        funds_rates_changed(state, command, slot.claims[i].contractor);
    }
}

void
funds_prices_changed(struct state *state, const struct command *command)
{
    timer_set_work(state, command, &(struct timer_row){.kind = TIMER_RATES});
}

/* ---- the pass over the claims ---------------------------------------------------------------- */

/* A pass over one contractor's claims, and what its step may still do. */
struct pass {
    struct state *state;
    const struct command *command;
    uint32_t contractor;
    struct wallet_row wallet;
    uint64_t claim_id; /* Looked at last. */
    int reads_left;
    int changes_left;
};

/* Before the first claim: nothing is known of the rates. */
static void
pass_begin(struct pass *pass)
{
    struct wallet_row *wallet = &pass->wallet;

    wallet->rate_max_cents = 0;
    wallet->rate_min_cents = INT64_MAX;
    wallet->floor_cents = INT64_MIN;
    wallet->ceiling_cents = INT64_MAX;
    wallet->funds_work = FUNDS_LOOKING;
    pass->claim_id = 0;
}

static void
pass_add_rate(struct wallet_row *wallet, int64_t rate_cents)
{
    const int64_t posted = wallet_posted_cents(wallet);

    if (rate_cents > wallet->rate_max_cents) {
        wallet->rate_max_cents = rate_cents;
    }
    if (rate_cents < wallet->rate_min_cents) {
        wallet->rate_min_cents = rate_cents;
    }
    if (rate_cents <= posted && rate_cents > wallet->floor_cents) {
        wallet->floor_cents = rate_cents;
    }
    if (rate_cents > posted && rate_cents < wallet->ceiling_cents) {
        wallet->ceiling_cents = rate_cents;
    }
}

/*
 * DRY begins and ends here. A clock that runs goes on, whatever its grace is by now; the claim
 * that is funded again keeps nothing of it (E14, E15: other conditions have clocks of their own).
 */
static void
pass_look_at(struct pass *pass, struct claim_row *claim)
{
    struct policy_row policy;
    const int64_t rate_cents =
        pricing_claim_rate_cents(pass->state, pass->claim_id, claim, &policy);
    const bool dry = wallet_posted_cents(&pass->wallet) < rate_cents;
    struct condition_clock clock = {.condition = CONDITION_DRY};

    pass_add_rate(&pass->wallet, rate_cents);
    if (dry == (claim->dry_deadline_ms != 0)) {
        return;
    }
    pass->changes_left--;
    claim->dry_deferred = 0;
    if (!dry) {
        claim->dry_deadline_ms = 0;
        state_claim_put(pass->state, pass->claim_id, claim);
        return;
    }
    clock.grace_ms = policy.funds_grace_s * SECOND_MS;
    clock.deadline_ms = pass->command->time_ms + clock.grace_ms;
    claim->dry_deadline_ms = clock.deadline_ms;
    state_claim_put(pass->state, pass->claim_id, claim);
    condition_arm_claim(pass->state, pass->command, pass->claim_id, &clock);
}

/* Go on until the claims or the step's share of work are at an end. Returns whether all were
 * looked at. */
static bool
pass_go_on(struct pass *pass)
{
    struct claim_row claim;

    while (pass->reads_left > 0 && pass->changes_left > 0) {
        const uint64_t next = state_claim_next_live(pass->state, pass->contractor, pass->claim_id);

        if (next == 0) {
            return true;
        }
        pass->reads_left--;
        pass->claim_id = next;
        if (state_claim_get(pass->state, next, &claim) && claim.ended_ms == 0) {
            pass_look_at(pass, &claim);
        }
    }
    return false;
}

/* All claims were looked at: the rates are right, and what they mean can be told. */
static void
pass_end(struct pass *pass)
{
    struct wallet_row *wallet = &pass->wallet;

    if (wallet->rate_min_cents == INT64_MAX) {
        wallet->rate_min_cents = 0; /* No claim. */
    }
    wallet->funds_work = FUNDS_SETTLED;
    funds_tell(pass->state, pass->command, pass->contractor, wallet);
}

/* Come back for the rest. */
static void
pass_set_step(const struct pass *pass)
{
    CHECK(pass->claim_id != 0); /* It would begin anew. */
    timer_set_work(pass->state, pass->command,
                   &(struct timer_row){.contractor = pass->contractor,
                                       .number = pass->claim_id,
                                       .kind = TIMER_FUNDS,
                                       .code = pass->wallet.funds_pass});
}

static bool
funds_step(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct pass pass = {.state = state,
                        .command = command,
                        .contractor = timer->contractor,
                        .claim_id = timer->number,
                        .reads_left = STEP_READS_MAX,
                        .changes_left = STEP_CHANGES_MAX};

    state_wallet_get(state, timer->contractor, &pass.wallet);
    if (timer->code != pass.wallet.funds_pass) {
        return false;
    }
    if (timer->number == 0) {
        pass_begin(&pass);
    }
    if (pass_go_on(&pass)) {
        pass_end(&pass);
    } else {
        pass_set_step(&pass);
    }
    state_wallet_put(state, timer->contractor, &pass.wallet);
    return true;
}

/* ---- everybody ------------------------------------------------------------------------------- */

/*
 * Look at one contractor inside a step that is shared with others. Most are left as they are by a
 * change of prices, and then nothing is written for them.
 */
static void
rates_look_at(struct pass *pass)
{
    struct wallet_row before;

    state_wallet_get(pass->state, pass->contractor, &before);
    pass->wallet = before;
    wallet_first_bounds(&pass->wallet);
    pass_begin(pass);
    if (pass_go_on(pass)) {
        pass_end(pass);
    } else {
        pass->wallet.funds_pass++; /* Steps of an older pass are nobody's now. */
        pass_set_step(pass);
    }
    if (memcmp(&before, &pass->wallet, sizeof before) != 0) {
        state_wallet_put(pass->state, pass->contractor, &pass->wallet);
    }
}

static bool
rates_step(struct state *state, const struct command *command, const struct timer_row *timer)
{
    const uint64_t last = state_counter_now(state, COUNTER_CONTRACTOR);
    struct pass pass = {.state = state,
                        .command = command,
                        .contractor = (uint32_t)timer->number,
                        .reads_left = STEP_READS_MAX,
                        .changes_left = STEP_CHANGES_MAX};
    struct contractor_row row;

    for (int i = 0; i < STEP_CONTRACTORS_MAX && pass.contractor < last; i++) {
        pass.contractor++;
        if (state_contractor_get(state, pass.contractor, &row) && row.claims > 0) {
            rates_look_at(&pass);
        }
        if (pass.reads_left == 0 || pass.changes_left == 0) {
            break;
        }
    }
    if (pass.contractor < last) {
        timer_set_work(state, command,
                       &(struct timer_row){.number = pass.contractor, .kind = TIMER_RATES});
    }
    return true;
}

bool
funds_timer(struct state *state, const struct command *command, const struct timer_row *timer)
{
    CHECK(timer->kind == TIMER_FUNDS || timer->kind == TIMER_RATES);
    return timer->kind == TIMER_FUNDS ? funds_step(state, command, timer)
                                      : rates_step(state, command, timer);
}
