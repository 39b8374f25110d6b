/*
 * operator.c - what the network's operators do over a year, and when.
 */
#include "protocol/check.h"
#include "server/domain/policy.h"
#include "tests/sim/lib/sim.h"

#include <stdio.h>
#include <string.h>

enum operator_kind {
    OPERATOR_POLICY = SIM_OPERATOR, /* detail = index of the change. */
    OPERATOR_PRICE,                 /* detail = category, number = rate. */
    OPERATOR_KEY,
    OPERATOR_SUSPEND, /* who = index of the contractor. */
    OPERATOR_APPROVE,
    OPERATOR_LICENCE,
    OPERATOR_CLOSE,
    OPERATOR_SUPPRESS, /* number = caller, detail = blocked. */
    OPERATOR_RESTART,  /* number = how long, detail = clean. */
};

/* ---- policies -------------------------------------------------------------------------------- */

/* A change of what stands in force for a scope. */
struct policy_change { /* NOLINT(clang-analyzer-optin.performance.Padding): a table's order. */
    uint16_t day;
    uint16_t category;
    uint8_t scope; /* enum zr_policy_scope; a SLOT is that of the first ZIP. */
    uint8_t max_positions;
    uint8_t cooldown_misses;
    uint8_t attestation_min;
    uint16_t multiplier_3_bp;
    uint32_t offer_window_s;
    uint32_t pause_grace_days;
    uint8_t dup_scope;
};

/* The first three stand on the first day, before anybody has claimed. */
static const struct policy_change changes[] = {
    {0, 0, ZR_SCOPE_NETWORK, 4, 4, 0, 5000, 86400, 14, ZR_DUP_PER_CONTRACTOR},
    {0, 6, ZR_SCOPE_CATEGORY, 1, 4, 0, 5000, 86400, 14, ZR_DUP_PER_CONTRACTOR},
    {0, 2, ZR_SCOPE_CATEGORY, 6, 0, 0, 4000, 0, 7, ZR_DUP_PER_NETWORK},
    {50, 3, ZR_SCOPE_CATEGORY, 5, 5, 3, 5000, 43200, 14, ZR_DUP_PER_CONTRACTOR},
    {110, 0, ZR_SCOPE_NETWORK, 5, 3, 0, 5000, 86400, 10, ZR_DUP_PER_NETWORK},
    {170, 4, ZR_SCOPE_SLOT, 8, 0, 0, 2500, 3600, 3, ZR_DUP_PER_CONTRACTOR},
    {230, 6, ZR_SCOPE_CATEGORY, 2, 4, 0, 6000, 86400, 14, ZR_DUP_PER_CONTRACTOR},
    {280, 0, ZR_SCOPE_NETWORK, 4, 4, 0, 4000, 43200, 14, ZR_DUP_PER_CONTRACTOR},
};
enum { CHANGES = sizeof changes / sizeof changes[0] };

static void
policy_put(struct sim *sim, const struct policy_change *change)
{
    const struct policy_key key = {.scope = change->scope,
                                   .category = change->category,
                                   .zip = change->scope == ZR_SCOPE_SLOT ? sim->zips[0].zip : 0};
    struct zr_policy_put_request request = {.op_id = engine_key(&sim->engine),
                                            .zip = key.zip,
                                            .category = key.category,
                                            .scope = key.scope,
                                            .policy_count = 1,
                                            .cooldown_s = 1200,
                                            .cooldown_misses = change->cooldown_misses,
                                            .attestation_min = change->attestation_min};
    struct policy_row row = {.version = 0};

    policy_to_wire(&request.policy[0], &policy_default);
    request.policy[0].max_positions = change->max_positions;
    request.policy[0].multiplier_3_bp = change->multiplier_3_bp;
    request.policy[0].offer_window_s = change->offer_window_s;
    request.policy[0].pause_grace_s = change->pause_grace_days * 86400;
    request.policy[0].dup_scope = change->dup_scope;
    (void)state_policy_get(sim_state(sim), key, &row);
    request.expected_version = row.version;
    sim_require_ok(sim, sim_send(sim, &sim_admin, ZR_OP_POLICY_PUT, &request), "POLICY_PUT");
    sim->counts.policies++;
}

static void
price_put(struct sim *sim, uint16_t category, int64_t rate_cents)
{
    struct zr_category_put_request request = {.op_id = engine_key(&sim->engine),
                                              .rate_cents = rate_cents,
                                              .category = category,
                                              .offered = true,
                                              .zips_action = ZR_ZIPS_EVERYWHERE};
    struct category_row row = {.version = 0};

    (void)state_category_get(sim_state(sim), category, &row);
    request.expected_version = row.version;
    (void)snprintf(request.name, sizeof request.name, "%.32s", row.name);
    sim_require_ok(sim, sim_send(sim, &sim_admin, ZR_OP_CATEGORY_PUT, &request), "CATEGORY_PUT");
    sim->counts.prices++;
}

static void
key_rotate(struct sim *sim)
{
    const struct zr_key_rotate_request request = {.op_id = engine_key(&sim->engine)};

    sim_require_ok(sim, sim_send(sim, &sim_admin, ZR_OP_KEY_ROTATE, &request), "KEY_ROTATE");
    sim->counts.rotations++;
}

/* ---- contractors ----------------------------------------------------------------------------- */

static uint16_t
status_put(struct sim *sim, const struct sim_contractor *contractor, uint8_t status,
           uint64_t licence_expires_ms)
{
    const struct zr_contractor_status_request request = {.op_id = engine_key(&sim->engine),
                                                         .licence_expires_ms = licence_expires_ms,
                                                         .contractor = contractor->number,
                                                         .contractor_status = status};

    return sim_send(sim, &sim_admin, ZR_OP_CONTRACTOR_STATUS, &request);
}

static uint64_t
licence_of(struct sim *sim, const struct sim_contractor *contractor)
{
    struct contractor_row row = {.licence_expires_ms = 0};

    (void)state_contractor_get(sim_state(sim), contractor->number, &row);
    return row.licence_expires_ms;
}

static void
suspend(struct sim *sim, uint32_t index)
{
    struct sim_contractor *contractor = &sim->contractors[index];

    if (contractor->suspended) {
        return;
    }
    sim_require_ok(
        sim, status_put(sim, contractor, ZR_CONTRACTOR_SUSPENDED, licence_of(sim, contractor)),
        "SUSPENDED");
    contractor->suspended = true;
    sim->counts.suspensions++;
    sim_plan(sim, sim_between(sim, SIM_HOUR_MS, 20 * SIM_DAY_MS),
             (struct agenda_entry){.kind = OPERATOR_APPROVE, .who = index});
}

static void
approve(struct sim *sim, uint32_t index, uint64_t licence_expires_ms)
{
    struct sim_contractor *contractor = &sim->contractors[index];

    sim_require_ok(sim, status_put(sim, contractor, ZR_CONTRACTOR_APPROVED, licence_expires_ms),
                   "APPROVED");
    contractor->suspended = false;
}

/* Licences that are about to lapse, or did: most are renewed, some of them late. */
static void
licence_look(struct sim *sim, uint32_t index)
{
    struct sim_contractor *contractor = &sim->contractors[index];
    const uint64_t expires_ms = licence_of(sim, contractor);

    if (expires_ms != 0 && expires_ms < sim_now(sim) + 10 * SIM_DAY_MS && !contractor->suspended &&
        sim_chance(sim, contractor->care_permille / 20)) {
        approve(sim, index, sim_now(sim) + sim_between(sim, 100, 400) * SIM_DAY_MS);
    }
}

static void
account_close(struct sim *sim, uint32_t index)
{
    struct sim_contractor *contractor = &sim->contractors[index];

    sim_require_ok(sim,
                   status_put(sim, contractor, ZR_CONTRACTOR_CLOSING, licence_of(sim, contractor)),
                   "CLOSING");
    contractor->closing = true;
    sim_require(sim,
                status_put(sim, contractor, ZR_CONTRACTOR_APPROVED, 0) == ZR_STATUS_ACCOUNT_CLOSED,
                "nobody comes back from CLOSING", contractor->number);
}

static void
suppress(struct sim *sim, uint64_t caller, bool blocked)
{
    const struct zr_suppress_put_request request = {
        .op_id = engine_key(&sim->engine), .caller = caller, .blocked = blocked};

    sim_require_ok(sim, sim_send(sim, &sim_admin, ZR_OP_SUPPRESS_PUT, &request), "SUPPRESS_PUT");
    if (blocked) {
        sim_plan(sim, sim_between(sim, SIM_DAY_MS, 60 * SIM_DAY_MS),
                 (struct agenda_entry){.kind = OPERATOR_SUPPRESS, .number = caller});
    }
}

/* ---- the calendar ---------------------------------------------------------------------------- */

static void
plan_on(struct sim *sim, uint64_t day, struct agenda_entry entry)
{
    if (day < sim->days) {
        sim_plan(sim, day * SIM_DAY_MS + sim_below(sim, SIM_DAY_MS), entry);
    }
}

/* Outages from the unnoticed to one that swallows a day, at both changes of the clocks too. */
static void
plan_restarts(struct sim *sim)
{
    static const struct {
        uint64_t day;
        uint64_t away_ms;
        uint16_t clean;
    } restarts[] = {
        {9, 4 * SIM_SECOND_MS, 1},    {27, 3 * SIM_HOUR_MS, 0},   {75, 59 * SIM_SECOND_MS, 0},
        {131, 20 * SIM_MINUTE_MS, 1}, {190, 26 * SIM_HOUR_MS, 0}, {265, 2 * SIM_HOUR_MS, 1},
        {266, 61 * SIM_SECOND_MS, 0}, {330, 7 * SIM_HOUR_MS, 0},
    };

    for (size_t i = 0; i < sizeof restarts / sizeof restarts[0]; i++) {
        plan_on(sim, restarts[i].day,
                (struct agenda_entry){.kind = OPERATOR_RESTART,
                                      .number = restarts[i].away_ms,
                                      .detail = restarts[i].clean});
    }
}

void
operator_plan_year(struct sim *sim)
{
    for (uint16_t i = 0; i < CHANGES; i++) {
        if (changes[i].day == 0) {
            policy_put(sim, &changes[i]);
        } else {
            plan_on(sim, changes[i].day,
                    (struct agenda_entry){.kind = OPERATOR_POLICY, .detail = i});
        }
    }
    for (uint64_t day = 20; day < sim->days; day += 45) {
        /* So close to each other that tickets which still settle were signed by a retired one. */
        plan_on(sim, day, (struct agenda_entry){.kind = OPERATOR_KEY});
        plan_on(sim, day + 1, (struct agenda_entry){.kind = OPERATOR_KEY});
        plan_on(sim, day + 3, (struct agenda_entry){.kind = OPERATOR_KEY});
    }
    for (uint64_t day = 60; day < sim->days; day += 45) {
        plan_on(sim, day,
                (struct agenda_entry){.kind = OPERATOR_PRICE,
                                      .detail = (uint16_t)sim_between(sim, 1, SIM_CATEGORIES),
                                      .number = sim_between(sim, 900, 4500)});
    }
    for (uint64_t day = 40; day < sim->days; day += 35) {
        plan_on(sim, day,
                (struct agenda_entry){.kind = OPERATOR_CLOSE,
                                      .who = (uint32_t)sim_below(sim, SIM_CONTRACTORS)});
    }
    plan_restarts(sim);
}

void
operator_plan_day(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_CONTRACTORS; i++) {
        if (sim->contractors[i].closing) {
            continue;
        }
        licence_look(sim, i);
        if (sim_below(sim, 2500) == 0) {
            sim_plan(sim, sim_below(sim, SIM_DAY_MS),
                     (struct agenda_entry){.kind = OPERATOR_SUSPEND, .who = i});
        }
    }
    if (sim->callers_count > 0 && sim_chance(sim, 100)) {
        sim_plan(sim, sim_below(sim, SIM_DAY_MS),
                 (struct agenda_entry){.kind = OPERATOR_SUPPRESS,
                                       .number = sim->callers[sim_below(sim, sim->callers_count)],
                                       .detail = 1});
    }
}

static void
restart(struct sim *sim, const struct agenda_entry *entry)
{
    engine_restart(&sim->engine, entry->number, entry->detail != 0);
    sim->counts.restarts++;
}

static void
contractor_do(struct sim *sim, const struct agenda_entry *entry)
{
    struct sim_contractor *contractor = &sim->contractors[entry->who];

    if (contractor->closing) {
        return;
    }
    if (entry->kind == OPERATOR_SUSPEND) {
        suspend(sim, entry->who);
    } else if (entry->kind == OPERATOR_APPROVE) {
        approve(sim, entry->who, licence_of(sim, contractor));
    } else {
        CHECK(entry->kind == OPERATOR_CLOSE);
        account_close(sim, entry->who);
    }
}

void
operator_do(struct sim *sim, const struct agenda_entry *entry)
{
    switch (entry->kind) {
    case OPERATOR_POLICY:
        policy_put(sim, &changes[entry->detail]);
        break;
    case OPERATOR_PRICE:
        price_put(sim, entry->detail, (int64_t)entry->number);
        break;
    case OPERATOR_KEY:
        key_rotate(sim);
        break;
    case OPERATOR_SUPPRESS:
        suppress(sim, entry->number, entry->detail != 0);
        break;
    case OPERATOR_RESTART:
        restart(sim, entry);
        break;
    default:
        contractor_do(sim, entry);
    }
}
