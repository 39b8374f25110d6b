/*
 * money.c - what contractors and their payment provider do: top-ups by hand and automatic ones,
 * reversals, disputes; and the promotions that two operators give them.
 */
#include "protocol/check.h"
#include "tests/sim/lib/sim.h"

#include <inttypes.h>
#include <stdio.h>

/* Entries: `who` = index of the contractor. */
enum money_kind {
    MONEY_TOPUP = SIM_MONEY,
    MONEY_ATTEMPT,   /* number = attempt_id: the provider has a verdict. */
    MONEY_AUTOTOPUP, /* It is set up again. */
    MONEY_REVERSE,   /* number = serial of the reference, detail = amount in units of 2,500. */
    MONEY_DISPUTE,   /* number = index among the disputes. */
    MONEY_RESOLVE,   /* The same. */
    MONEY_PROMOTE,
};

enum { TOPUP_UNIT = 2500 };

static void
ref_name(char name[65], uint64_t serial)
{
    (void)snprintf(name, 65, "ref-%" PRIu64, serial);
}

/* ---- top-ups by hand ------------------------------------------------------------------------- */

void
money_plan_topup(struct sim *sim, uint32_t index)
{
    sim_plan(sim, sim_between(sim, SIM_MINUTE_MS, 4 * SIM_HOUR_MS),
             (struct agenda_entry){.kind = MONEY_TOPUP, .who = index});
}

/* E57: a callback that comes twice credits once. */
static void
topup_again(struct sim *sim, const struct zr_topup_request *request)
{
    const int64_t posted_cents = sim->engine.reply.topup_reply.posted_cents;

    sim_require_ok(sim, sim_send(sim, &sim_payments, ZR_OP_TOPUP, request), "a repeated TOPUP");
    sim_require(sim, sim->engine.reply.topup_reply.posted_cents == posted_cents,
                "I14: a reference credits once", request->contractor);
}

static void
topup(struct sim *sim, const struct agenda_entry *entry)
{
    const uint16_t units = (uint16_t)sim_between(sim, 1, 12);
    const uint64_t serial = ++sim->engine.serial;
    struct zr_topup_request request = {.amount_cents = (int64_t)units * TOPUP_UNIT,
                                       .contractor = sim->contractors[entry->who].number};
    uint16_t status;

    ref_name(request.provider_ref, serial);
    status = sim_send(sim, &sim_payments, ZR_OP_TOPUP, &request);
    if (status == ZR_STATUS_ACCOUNT_CLOSED) {
        return;
    }
    sim_require_ok(sim, status, "TOPUP");
    sim->counts.topups++;
    if (sim_chance(sim, 50)) {
        topup_again(sim, &request);
    }
    if (sim_chance(sim, 5)) {
        sim_plan(sim, sim_between(sim, SIM_HOUR_MS, 20 * SIM_DAY_MS),
                 (struct agenda_entry){
                     .kind = MONEY_REVERSE, .who = entry->who, .number = serial, .detail = units});
    }
}

static void
reverse(struct sim *sim, const struct agenda_entry *entry)
{
    struct zr_topup_reversed_request request = {
        .amount_cents = (int64_t)entry->detail * TOPUP_UNIT,
        .contractor = sim->contractors[entry->who].number,
    };

    ref_name(request.provider_ref, entry->number);
    sim_require_ok(sim, sim_send(sim, &sim_payments, ZR_OP_TOPUP_REVERSED, &request),
                   "TOPUP_REVERSED");
    sim->counts.reversals++;
}

/* ---- automatic ones -------------------------------------------------------------------------- */

void
money_plan_attempt(struct sim *sim, uint32_t index, uint64_t attempt_id)
{
    sim_plan(sim, sim_between(sim, 3 * SIM_SECOND_MS, 2 * SIM_HOUR_MS),
             (struct agenda_entry){.kind = MONEY_ATTEMPT, .who = index, .number = attempt_id});
}

void
money_plan_autotopup(struct sim *sim, uint32_t index)
{
    sim_plan(sim, sim_between(sim, SIM_HOUR_MS, 15 * SIM_DAY_MS),
             (struct agenda_entry){.kind = MONEY_AUTOTOPUP, .who = index});
}

static void
attempt_tell(struct sim *sim, uint64_t attempt_id, bool ok)
{
    struct zr_topup_result_request request = {.attempt_id = attempt_id, .ok = ok};
    uint16_t status;

    if (ok) {
        (void)snprintf(request.provider_ref, sizeof request.provider_ref, "auto-%" PRIu64,
                       attempt_id);
    } else {
        (void)snprintf(request.reason, sizeof request.reason, "card declined");
    }
    status = sim_send(sim, &sim_payments, ZR_OP_TOPUP_RESULT, &request);
    sim_require(sim, status == ZR_STATUS_OK || status == ZR_STATUS_ACCOUNT_CLOSED, "TOPUP_RESULT",
                attempt_id);
}

/* Verdicts come once, twice, and now and then first "failed" and then "ok" (E57). */
static void
attempt(struct sim *sim, const struct agenda_entry *entry)
{
    const bool ok = sim_chance(sim, sim->contractors[entry->who].pay_permille);

    attempt_tell(sim, entry->number, ok);
    if (sim_chance(sim, 30)) {
        attempt_tell(sim, entry->number, ok || sim_chance(sim, 500));
    }
}

static void
autotopup_again(struct sim *sim, uint32_t index)
{
    struct sim_contractor *contractor = &sim->contractors[index];

    if (!contractor->closing) {
        market_send_autotopup(sim, contractor);
    }
}

/* ---- disputes -------------------------------------------------------------------------------- */

void
money_charged(struct sim *sim, uint32_t index, const struct zr_id *call_ref, int64_t cents)
{
    if (sim->disputes_count == SIM_DISPUTES_MAX || !sim_chance(sim, 25)) {
        return;
    }
    sim->disputes[sim->disputes_count] =
        (struct sim_dispute){.call_ref = *call_ref, .cents = cents};
    sim_plan(
        sim, sim_between(sim, SIM_MINUTE_MS, 33 * SIM_DAY_MS),
        (struct agenda_entry){.kind = MONEY_DISPUTE, .who = index, .number = sim->disputes_count});
    sim->disputes_count++;
}

static void
dispute(struct sim *sim, const struct agenda_entry *entry)
{
    const struct zr_dispute_open_request request = {
        .op_id = engine_key(&sim->engine),
        .call_ref = sim->disputes[entry->number].call_ref,
        .contractor = sim->contractors[entry->who].number,
        .reason = (uint8_t)sim_between(sim, ZR_DISPUTE_DUPLICATE, ZR_DISPUTE_OTHER),
        .note = "that was no customer",
    };
    const uint16_t status = sim_send(sim, &sim_portal, ZR_OP_DISPUTE_OPEN, &request);

    /* AMOUNT: the evidence came first, and gave it all back (E73). */
    sim_require(sim,
                status == ZR_STATUS_OK || status == ZR_STATUS_DISPUTE_WINDOW ||
                    status == ZR_STATUS_AMOUNT,
                "DISPUTE_OPEN", status);
    if (status != ZR_STATUS_OK) {
        return;
    }
    sim->counts.disputes++;
    if (sim->engine.reply.dispute_reply.state == ZR_DISPUTE_STATE_OPEN) {
        sim_plan(sim, sim_between(sim, SIM_HOUR_MS, 20 * SIM_DAY_MS),
                 (struct agenda_entry){
                     .kind = MONEY_RESOLVE, .who = entry->who, .number = entry->number});
    } else {
        sim->counts.disputes_credited++;
    }
}

static void
resolve(struct sim *sim, const struct agenda_entry *entry)
{
    const struct sim_dispute *disputed = &sim->disputes[entry->number];
    struct zr_dispute_resolve_request request = {
        .op_id = engine_key(&sim->engine),
        .call_ref = disputed->call_ref,
        .credit_cents = disputed->cents + 1,
        .contractor = sim->contractors[entry->who].number,
    };

    /* I12: never more than the charge. */
    sim_require(sim, sim_send(sim, &sim_admin, ZR_OP_DISPUTE_RESOLVE, &request) == ZR_STATUS_AMOUNT,
                "I12: a credit above the charge is refused", entry->number);
    request.op_id = engine_key(&sim->engine);
    request.credit_cents = sim_chance(sim, 300) ? 0 : disputed->cents;
    if (sim_chance(sim, 300)) {
        request.credit_cents = (int64_t)sim_below(sim, (uint64_t)disputed->cents + 1);
    }
    if (sim_send(sim, &sim_admin, ZR_OP_DISPUTE_RESOLVE, &request) == ZR_STATUS_AMOUNT) {
        /* A late END told of a machine meanwhile, and gave it all back. */
        request.op_id = engine_key(&sim->engine);
        request.credit_cents = 0;
        sim_require_ok(sim, sim_send(sim, &sim_admin, ZR_OP_DISPUTE_RESOLVE, &request),
                       "DISPUTE_RESOLVE of nothing");
    }
    sim_require(sim, sim->engine.reply.dispute_reply.state != ZR_DISPUTE_STATE_OPEN,
                "a resolved dispute is closed", entry->number);
    sim->counts.disputes_credited += request.credit_cents > 0;
}

/* ---- promotions ------------------------------------------------------------------------------ */

/* Two principals make an ADJUST: PROMO to CREDIT, which is spent first. */
static void
promote(struct sim *sim, const struct agenda_entry *entry)
{
    struct zr_adjust_request request = {.op_id = engine_key(&sim->engine),
                                        .amount_cents = (int64_t)sim_between(sim, 500, 5000),
                                        .contractor = sim->contractors[entry->who].number,
                                        .debit = ZR_ACCOUNT_PROMO,
                                        .credit = ZR_ACCOUNT_CREDIT,
                                        .reason = "a promotion"};

    if (sim->contractors[entry->who].closing) {
        return;
    }
    sim_require_ok(sim, sim_send(sim, &sim_admin, ZR_OP_ADJUST, &request), "ADJUST");
    request.approves = request.op_id;
    request.op_id = engine_key(&sim->engine);
    sim_require(sim, sim_send(sim, &sim_admin, ZR_OP_ADJUST, &request) == ZR_STATUS_SAME_PRINCIPAL,
                "nobody approves his own ADJUST", entry->who);
    request.op_id = engine_key(&sim->engine);
    sim_require_ok(sim, sim_send(sim, &sim_admin_second, ZR_OP_ADJUST, &request),
                   "ADJUST, approved");
    sim->counts.adjusts++;
}

void
money_plan_day(struct sim *sim)
{
    if (sim_chance(sim, 300)) {
        sim_plan(sim, sim_below(sim, SIM_DAY_MS),
                 (struct agenda_entry){.kind = MONEY_PROMOTE,
                                       .who = (uint32_t)sim_below(sim, SIM_CONTRACTORS)});
    }
}

void
money_do(struct sim *sim, const struct agenda_entry *entry)
{
    switch (entry->kind) {
    case MONEY_TOPUP:
        topup(sim, entry);
        break;
    case MONEY_ATTEMPT:
        attempt(sim, entry);
        break;
    case MONEY_AUTOTOPUP:
        autotopup_again(sim, entry->who);
        break;
    case MONEY_REVERSE:
        reverse(sim, entry);
        break;
    case MONEY_DISPUTE:
        dispute(sim, entry);
        break;
    case MONEY_RESOLVE:
        resolve(sim, entry);
        break;
    case MONEY_PROMOTE:
        promote(sim, entry);
        break;
    default:
        CHECK(false);
    }
}
