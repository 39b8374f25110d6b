/*
 * judge.c - what must be true, found out without the code that made it so.
 *
 * Three judges: every offer of a call is looked at as it is made, by the C library's calendar and
 * by tallies of the simulation's own; the whole state once a week, by the server's audit and again
 * by adding everything up in another order; and at the end, that something of everything happened.
 */
#include "protocol/check.h"
#include "server/domain/policy.h"
#include "tests/sim/lib/sim.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- offers ---------------------------------------------------------------------------------- */

void
judge_offer(struct sim *sim, const struct sim_contractor *contractor)
{
    sim_require(sim, hours_are_open(&contractor->hours, sim_now(sim)),
                "R34: nobody is rung out of hours or on vacation", contractor->number);
    sim_require(sim, !contractor->suspended && !contractor->closing,
                "R1: nobody is rung who is not approved", contractor->number);
    sim->counts.offers_judged++;
}

/* The local date; the tallies are of it from now on. */
static uint32_t
tally_turn(struct sim *sim, struct sim_contractor *contractor)
{
    struct tm local;

    hours_local(&local, hours_zone(&contractor->hours, sim_now(sim)), sim_now(sim));
    if (contractor->tally_date != hours_date(&local)) {
        contractor->tally_date = hours_date(&local);
        contractor->tally_calls = 0;
        contractor->tally_spend = 0;
    }
    return contractor->tally_date;
}

/* Days on which a cap was set, or the clock by which they are counted changed, are nobody's. */
static bool
day_is_judged(const struct sim_contractor *contractor, uint32_t date)
{
    const struct hours *hours = &contractor->hours;

    return date != contractor->caps_date &&
           (hours->zone_next == NULL || date > hours_date_add(hours->zone_date, 1));
}

void
judge_ring(struct sim *sim, struct sim_contractor *contractor)
{
    const uint32_t date = tally_turn(sim, contractor);

    contractor->tally_calls++;
    sim_require(sim,
                contractor->day_calls_max < 0 || !day_is_judged(contractor, date) ||
                    contractor->tally_calls <= contractor->day_calls_max,
                "R13: a day's calls are capped by its local date", contractor->number);
}

/*
 * Only calls that rang under a lease: what list mode connects without one, and what a late END
 * charges, may pass a cap, as documented (E26, E53). The rest of it must fit by itself.
 */
void
judge_hold(struct sim *sim, struct sim_call *call)
{
    struct sim_contractor *contractor = &sim->contractors[call->contractor];

    call->hold_date = tally_turn(sim, contractor);
    contractor->tally_spend += call->hold_cents;
    /* A ring before midnight may connect after it, and counts then. */
    sim_require(sim,
                contractor->day_spend_max < 0 || !day_is_judged(contractor, call->hold_date) ||
                    contractor->tally_spend <= contractor->day_spend_max,
                "R13: a day's spend is capped by its local date", contractor->number);
}

void
judge_hold_back(struct sim *sim, struct sim_call *call)
{
    struct sim_contractor *contractor = &sim->contractors[call->contractor];

    if (call->hold_date != 0 && call->hold_date == contractor->tally_date) {
        contractor->tally_spend -= call->hold_cents;
    }
    call->hold_date = 0;
}

void
judge_topup(struct sim *sim, const struct event_row *event)
{
    struct sim_contractor *contractor = sim_contractor_of(sim, event->contractor);
    struct tm local;

    hours_local(&local, hours_zone(&contractor->hours, event->time_ms), event->time_ms);
    if (contractor->topup_month != hours_date(&local) / 100) {
        contractor->topup_month = hours_date(&local) / 100;
        contractor->topup_month_cents = 0;
    }
    if (event->type == ZR_EVENT_TOPUP_DONE) {
        contractor->topup_month_cents += event->amount_cents;
        return;
    }
    sim_require(sim,
                contractor->topup_month_max == 0 ||
                    contractor->topup_month_cents + event->amount_cents <=
                        contractor->topup_month_max,
                "I13: a month's automatic top-ups are within the maximum", contractor->number);
}

/* ---- books ----------------------------------------------------------------------------------- */

static void
books_add(struct sim_books *books, const struct posting_row *posting, uint8_t account,
          int64_t cents)
{
    CHECK(account < sizeof books->accounts / sizeof books->accounts[0]);
    if (account == ZR_ACCOUNT_MAIN) {
        books->main[posting->contractor] += cents;
    } else if (account == ZR_ACCOUNT_CREDIT) {
        books->credit[posting->contractor] += cents;
    } else {
        books->accounts[account] += cents;
    }
}

/* Every balance is the sum of its transfers, and all of them together are 0 (I10). */
static void
judge_books(struct sim *sim)
{
    struct sim_books *books = &sim->books;
    struct posting_row posting;
    struct account_row account;
    struct wallet_row wallet;
    int64_t sum = 0;

    while (books->transfers < state_counter_now(sim_state(sim), COUNTER_TRANSFER)) {
        books->transfers++;
        sim_require(sim, state_posting_get(sim_state(sim), books->transfers, &posting),
                    "transfers are numbered without gaps", books->transfers);
        books_add(books, &posting, posting.debit, -posting.amount_cents);
        books_add(books, &posting, posting.credit, posting.amount_cents);
    }
    for (uint32_t i = 0; i < SIM_CONTRACTORS; i++) {
        const uint32_t number = sim->contractors[i].number;

        state_wallet_get(sim_state(sim), number, &wallet);
        sim_require(sim,
                    wallet.main_cents == books->main[number] &&
                        wallet.credit_cents == books->credit[number],
                    "a wallet is the sum of its transfers", number);
        sim_require(sim, wallet.held_cents >= 0, "no hold is given back twice", number);
        sum += wallet.main_cents + wallet.credit_cents;
    }
    for (uint8_t i = ZR_ACCOUNT_REVENUE_CALLS; i <= ZR_ACCOUNT_POOL; i++) {
        state_account_get(sim_state(sim), i, &account);
        sim_require(sim, account.balance_cents == books->accounts[i],
                    "an account is the sum of its transfers", i);
        sum += account.balance_cents;
    }
    sim_require(sim, sum == 0, "I10: all balances sum to 0", (uint64_t)sum);
}

/* ---- calls ----------------------------------------------------------------------------------- */

struct calls_look {
    struct sim *sim;
    int64_t charged_cents; /* Credits not taken off. */
    int64_t credited_cents;
    uint64_t calls;
    uint64_t holds;
};

static void
look_at_call(struct calls_look *look, const struct call_row *call)
{
    const uint64_t max_call_ms = (uint64_t)policy_default.max_call_s * SIM_SECOND_MS;
    int charges = 0;

    for (int i = 0; i < call->legs_count; i++) {
        const struct call_leg_row *leg = &call->legs[i];

        charges +=
            leg->settlement == ZR_SETTLEMENT_CHARGED || leg->settlement == ZR_SETTLEMENT_CREDITED;
        look->charged_cents += leg->amount_cents + leg->credited_cents;
        look->credited_cents += leg->credited_cents;
        look->holds += leg->hold_cents != 0;
        sim_require(look->sim,
                    leg->hold_cents == 0 || (leg->ended_ms == 0 &&
                                             sim_now(look->sim) < leg->connected_ms + max_call_ms),
                    "no hold outlives its sweep", leg->connected_ms);
    }
    sim_require(look->sim, charges <= 1, "I7: one charge per call", call->routed_ms);
    look->calls++;
}

/* Calls of so long, in the order of their issue. */
static void
judge_calls(struct sim *sim, bool whole)
{
    const uint64_t from_be = whole ? 0 : htobe64(sim_now(sim) - 9 * SIM_DAY_MS);
    struct calls_look look = {.sim = sim};
    struct zr_id call_ref = {{0}};
    struct store_value key;
    struct store_value value;
    struct call_row call;

    memcpy(call_ref.bytes, &from_be, sizeof from_be);
    while (store_seek(&sim->engine.view, TABLE_CALL,
                      (struct store_value){call_ref.bytes, sizeof call_ref.bytes}, &key, &value) &&
           key.bytes_count == sizeof call_ref) {
        memcpy(call_ref.bytes, key.bytes, sizeof call_ref.bytes);
        sim_require(sim, state_call_get(sim_state(sim), &call_ref, &call), "a call is there", 0);
        look_at_call(&look, &call);
        for (int i = sizeof call_ref.bytes - 1; i >= 0 && ++call_ref.bytes[i] == 0; i--) {
        }
    }
    if (whole) {
        sim_require(sim, look.charged_cents == sim->books.accounts[ZR_ACCOUNT_REVENUE_CALLS],
                    "charges are the revenue", (uint64_t)look.charged_cents);
        sim_require(sim, look.credited_cents == -sim->books.accounts[ZR_ACCOUNT_REFUNDS],
                    "credits are the refunds", (uint64_t)look.credited_cents);
        sim_require(sim, look.holds == 0, "no hold is left", look.holds);
    }
}

/* ---- titles and memory ----------------------------------------------------------------------- */

/* Whenever a primary's claim ended its slot opened: that many were told, and no more (R64). */
static void
judge_openings(struct sim *sim)
{
    static uint64_t ended[SIM_SLOTS_MAX];
    const uint64_t newest = state_counter_now(sim_state(sim), COUNTER_CLAIM_SEQ);
    struct claim_row claim;

    memset(ended, 0, sizeof ended);
    for (uint64_t claim_id = 1; claim_id <= newest; claim_id++) {
        sim_require(sim, state_claim_get(sim_state(sim), claim_id, &claim),
                    "claims are numbered without gaps", claim_id);
        if (claim.ended_ms != 0 && claim.title == ZR_TITLE_PRIMARY) {
            ended[sim_slot_index(sim, claim.zip, claim.category)]++;
        }
    }
    for (uint32_t i = 0; i < sim->zips_count * SIM_CATEGORIES; i++) {
        sim_require(sim, ended[i] == sim->opened[i], "exactly one SLOT_OPENED per opening", i);
    }
}

/* A deadline that stands in a row lies ahead, whatever became of the timer that was to look. */
static void
judge_deadline(const struct sim *sim, uint64_t deadline_ms, const char *what, uint64_t number)
{
    sim_require(sim, deadline_ms == 0 || deadline_ms > sim_now(sim), what, number);
}

/* What would take a live claim, or its title, away. */
static void
judge_claim_deadlines(struct sim *sim, const struct slot_claim_row *held)
{
    const bool is_primary = held->title == ZR_TITLE_PRIMARY;
    struct contractor_row owner = {.version = 0};
    struct claim_row claim = {.claimed_ms = 0};

    sim_require(sim,
                state_claim_get(sim_state(sim), held->claim_id, &claim) &&
                    state_contractor_get(sim_state(sim), held->contractor, &owner),
                "a claim has its rows", held->claim_id);
    judge_deadline(sim, claim.lapse_ms, "a LAPSING claim expires", held->claim_id);
    if (!is_primary) {
        return; /* Conditions of a backup outlive their deadlines. */
    }
    judge_deadline(sim, claim.dry_deadline_ms, "a DRY primary is forfeited", held->claim_id);
    if (claim.state == ZR_CLAIM_PAUSED) {
        judge_deadline(sim, claim.pause.deadline_ms, "a PAUSED primary is forfeited",
                       held->claim_id);
    }
    if (owner.paused) {
        judge_deadline(sim, owner.pause.deadline_ms, "a PAUSED contractor's is, too",
                       held->claim_id);
    }
    judge_deadline(sim, owner.suspended_deadline_ms, "a SUSPENDED one's", held->claim_id);
    judge_deadline(sim, owner.licence_deadline_ms, "a LICENCE_LAPSED one's", held->claim_id);
    judge_deadline(sim, owner.unavailable_deadline_ms, "an UNAVAILABLE one's", held->claim_id);
}

static void
judge_slots(struct sim *sim)
{
    struct slot_row slot;

    for (uint32_t i = 0; i < sim->zips_count * SIM_CATEGORIES; i++) {
        state_slot_get(sim_state(sim), sim->zips[i / SIM_CATEGORIES].zip,
                       (uint16_t)(i % SIM_CATEGORIES + 1), &slot);
        judge_deadline(sim, slot.offer_deadline_ms, "an offer expires", i);
        judge_deadline(sim, slot.reserved_deadline_ms, "a reservation ends", i);
        for (uint16_t j = 0; j < slot.claims_count; j++) {
            judge_claim_deadlines(sim, &slot.claims[j]);
        }
    }
}

/* A payment is tried again in time; an account that closes is paid out after 30 days, unless a
 * dispute holds it up (payout.h). */
static void
judge_accounts(struct sim *sim)
{
    struct autotopup_row topup;
    struct contractor_row row;
    struct wallet_row wallet;

    for (uint32_t i = 0; i < SIM_CONTRACTORS; i++) {
        const uint32_t number = sim->contractors[i].number;
        const bool found = state_contractor_get(sim_state(sim), number, &row);

        sim_require(sim, found, "a contractor is there", number);
        if (state_autotopup_get(sim_state(sim), number, &topup)) {
            judge_deadline(sim, topup.retry_ms, "a top-up is tried again", number);
        }
        if (row.closing_ms == 0) {
            continue;
        }
        state_wallet_get(sim_state(sim), number, &wallet);
        sim_require(sim, row.claims == 0, "who closes has no claims", number);
        sim_require(sim,
                    row.status == ZR_CONTRACTOR_CLOSED || row.disputes_open > 0 ||
                        sim_now(sim) < row.closing_ms + 31 * SIM_DAY_MS,
                    "an account closes", number);
        sim_require(
            sim, row.status != ZR_CONTRACTOR_CLOSED || wallet.main_cents + wallet.credit_cents == 0,
            "a closed account is paid out", number);
    }
}

/* What decisions read is what the rows say, and leases are those of calls that ring. */
static void
judge_memory(struct sim *sim, bool whole)
{
    static uint32_t leases[ENGINE_CONTRACTORS_MAX];
    static int64_t leased_cents[ENGINE_CONTRACTORS_MAX];
    struct eligibility_contractor known;
    struct eligibility_contractor rows;
    struct contractor_row row;
    struct wallet_row wallet;

    memset(leases, 0, sizeof leases);
    memset(leased_cents, 0, sizeof leased_cents);
    for (uint32_t i = 0; i < SIM_CALLS_MAX; i++) {
        if (sim->calls[i].is_used && sim->calls[i].lease.boot == sim->engine.boot) {
            leases[sim->calls[i].lease.contractor]++;
            leased_cents[sim->calls[i].lease.contractor] += sim->calls[i].lease.cents;
        }
    }
    for (uint32_t i = 0; i < SIM_CONTRACTORS; i++) {
        const uint32_t number = sim->contractors[i].number;

        sim_require(sim, state_contractor_get(sim_state(sim), number, &row), "a contractor", i);
        state_wallet_get(sim_state(sim), number, &wallet);
        hot_rows_of(&rows, &row, &wallet);
        hot_look(sim->engine.hot, number, &known);
        sim_require(sim,
                    known.available_cents == rows.available_cents && known.status == rows.status &&
                        known.paused == rows.paused && known.dest_down == rows.dest_down &&
                        known.rate_max_cents == rows.rate_max_cents,
                    "memory is what the rows say", number);
        sim_require(sim,
                    known.leases == leases[number] && known.leased_cents == leased_cents[number],
                    "a lease is of a call that rings", number);
        sim_require(sim, !whole || known.units == 0, "no truck is away for ever", number);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void
judge_audit(struct sim *sim, bool whole)
{
    const struct zr_audit_request request = {.from_ms = whole ? 0 : sim->audited_ms};
    const struct zr_audit_reply *reply = &sim->engine.reply.audit_reply;

    sim->audited_ms = sim_now(sim);
    sim_require_ok(sim, engine_send(&sim->engine, &sim_auditor, ZR_OP_AUDIT, &request, NULL),
                   "AUDIT");
    sim_require(sim, reply->violations == 0, "AUDIT: I1-I14 hold", reply->violations);
    sim_require(sim, reply->balanced, "AUDIT: balanced", (uint64_t)reply->postings_sum_cents);
    sim_require(sim, reply->timers_overdue == 0, "AUDIT: no timer is overdue",
                reply->timers_overdue);
    sim_require(sim, reply->decisions_skipped_primary == 0, "AUDIT: E23",
                reply->decisions_skipped_primary);
    sim_require(sim, !whole || reply->holds == 0, "AUDIT: no hold is left", reply->holds);
    sim->counts.audits++;
}

void
judge_state(struct sim *sim, bool whole)
{
    engine_fold(&sim->engine);
    inbox_read(sim);
    judge_audit(sim, whole);
    judge_books(sim);
    judge_calls(sim, whole);
    judge_openings(sim);
    judge_slots(sim);
    judge_accounts(sim);
    judge_memory(sim, whole);
}

void
judge_day(struct sim *sim)
{
    struct tm local;

    for (uint32_t i = 0; i < sim->zips_count; i++) {
        hours_local(&local, sim->zips[i].zone, sim->day_ms + SIM_DAY_MS / 2);
        sim->counts.dst_days += sim->day > 0 && local.tm_gmtoff != sim->zone_offsets[i] &&
                                (i == 0 || strcmp(sim->zips[i].zone, sim->zips[i - 1].zone) != 0);
        sim->zone_offsets[i] = local.tm_gmtoff;
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

bool
judge_counts(const struct sim *sim)
{
    const struct sim_counts *counts = &sim->counts;
    const struct {
        const char *name;
        uint64_t count;
    } must[] = {
        {"calls", counts->calls},
        {"connects", counts->connects},
        {"charged cents", counts->charged_cents},
        {"top-ups", counts->topups},
        {"automatic top-ups", counts->topups_done},
        {"offers", counts->offers},
        {"offers accepted", counts->offers_accepted},
        {"offers expired", counts->offers_expired},
        {"forfeits", counts->forfeits},
        {"openings", counts->opened},
        {"waitlist turns", counts->waits_open},
        {"DST days", counts->dst_days},
        {"ticks", engine_ticks(&sim->engine)},
        {"disputes credited", counts->disputes_credited},
        {"reversals", counts->reversals},
        {"accounts closed", counts->closed},
        {"restarts", counts->restarts},
        {"stale legs", counts->stale},
        {"ENDs too late", counts->too_late},
        {"duplicates", counts->free_duplicate},
        {"caps reached", counts->caps_told},
        {"cool-downs", counts->cooldowns},
        {"vacations", counts->vacations},
        {"suspensions", counts->suspensions},
    };
    bool complete = true;

    for (size_t i = 0; i < sizeof must / sizeof must[0]; i++) {
        if (must[i].count == 0) {
            (void)printf("FAILED: nothing of this happened: %s\n", must[i].name);
            complete = false;
        }
    }
    return complete;
}
