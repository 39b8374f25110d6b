/*
 * traffic.c - calls: when they come, and who is rung for them.
 *
 * What a worker does with ROUTE and ROUTE_NEXT (handlers/route.c, route_next.c), over the same
 * memory and by the same rule, cascade_decide(): so what decisions read is what the engine
 * published, leases and all.
 */
#include "protocol/check.h"
#include "server/domain/cascade.h"
#include "server/domain/policy.h"
#include "tests/sim/lib/sim.h"

#include <endian.h>
#include <string.h>

enum traffic_kind {
    TRAFFIC_ARRIVES = SIM_TRAFFIC, /* who = index of the ZIP, detail = category. */
    TRAFFIC_TALK,                  /* From here on traffic_talk.c. */
};

enum { STORM_CALLS = 60, MS_PER_S = 1000 };

/* ---- when calls come ------------------------------------------------------------------------- */

/* Calls of an hour of the local day, of a thousand of the busiest. */
static const uint16_t curve[24] = {60,  40,  30,  30,  50,  120, 300, 600, 850, 1000, 980, 900,
                                   820, 860, 900, 880, 840, 760, 600, 450, 320, 220,  140, 90};

static uint32_t
zip_draw(struct sim *sim)
{
    uint64_t weight = sim_below(sim, sim->weight_total);
    uint32_t index = 0;

    while (weight >= sim->zips[index].weight) {
        weight -= sim->zips[index].weight;
        index++;
    }
    return index;
}

/* What the clocks show in each ZIP when an hour of the day begins. */
static void
clocks_read(const struct sim *sim, uint8_t local_hours[SIM_ZIPS_MAX][24])
{
    struct tm local;

    for (uint32_t i = 0; i < sim->zips_count; i++) {
        for (uint32_t hour = 0; hour < 24; hour++) {
            hours_local(&local, sim->zips[i].zone, sim->day_ms + hour * SIM_HOUR_MS);
            local_hours[i][hour] = (uint8_t)local.tm_hour;
        }
    }
}

static void
arrival_add(struct sim *sim, uint64_t at_ms, uint32_t zip, uint16_t category)
{
    agenda_add(&sim->agenda,
               (struct agenda_entry){
                   .kind = TRAFFIC_ARRIVES, .at_ms = at_ms, .who = zip, .detail = category});
}

/* A hail storm: everybody in one ZIP wants a roofer, at once. */
static void
storm_add(struct sim *sim)
{
    const uint32_t zip = zip_draw(sim);
    const uint16_t category = (uint16_t)sim_between(sim, 1, SIM_CATEGORIES);
    const uint64_t at_ms = sim->day_ms + sim_between(sim, 14, 22) * SIM_HOUR_MS;

    for (uint32_t i = 0; i < STORM_CALLS; i++) {
        arrival_add(sim, at_ms + sim_below(sim, 4 * SIM_MINUTE_MS), zip, category);
    }
}

void
traffic_plan_day(struct sim *sim)
{
    static uint8_t local_hours[SIM_ZIPS_MAX][24];
    const bool weekend = (sim->day_ms / SIM_DAY_MS + 3) % 7 >= 5;
    uint64_t left = sim_between(sim, sim->calls_a_day * 8 / 10, sim->calls_a_day * 12 / 10);

    left = weekend ? left * 8 / 11 : left * 12 / 11;
    clocks_read(sim, local_hours);
    while (left > 0) {
        const uint32_t zip = zip_draw(sim);
        const uint64_t after_ms = sim_below(sim, SIM_DAY_MS);

        if (sim_chance(sim, curve[local_hours[zip][after_ms / SIM_HOUR_MS]])) {
            arrival_add(sim, sim->day_ms + after_ms, zip,
                        (uint16_t)sim_between(sim, 1, SIM_CATEGORIES));
            left--;
        }
    }
    if (sim_chance(sim, 40)) {
        storm_add(sim);
    }
}

/* ---- the decision ---------------------------------------------------------------------------- */

struct deciding {
    struct sim *sim;
    struct sim_call *call;
    struct policy_row policy;
    struct category_row category;
    struct slot_row slot;
    struct cascade_decision decision;
    uint8_t want;
};

static void
look(void *context, uint32_t contractor, const struct eligibility_call *call,
     struct eligibility_contractor *known)
{
    const struct deciding *deciding = context;
    const struct ticket *ticket = &deciding->call->ticket;
    const struct duplicate_key key = {ticket->caller_hash, contractor, ticket->category};
    struct duplicate_row row;

    hot_look_for(deciding->sim->engine.hot, contractor, call, known);
    if (known->no_duplicates && key.caller_hash != 0 &&
        state_duplicate_get(sim_state(deciding->sim), key, &row) &&
        call->now_ms <= row.charged_ms + deciding->policy.dup_days * SIM_DAY_MS) {
        known->profile_reasons |= REASON_DUP_RESTRICTED;
    }
}

static void
decide(struct deciding *deciding)
{
    const struct ticket *ticket = &deciding->call->ticket;
    const struct cascade_slot where = {.slot = &deciding->slot,
                                       .policy = &deciding->policy,
                                       .category_rate_cents = deciding->category.rate_cents};
    const struct cascade_call call = {
        .now_ms = sim_now(deciding->sim),
        .tried = ticket->tried,
        .tried_count = ticket->tried_count,
        .want = deciding->want,
        .screened = true,
        .attestation = ticket->attestation,
        .tenant = ticket->tenant,
        .caller_hash = ticket->caller_hash,
    };

    cascade_decide(&deciding->decision, &where, &call, look, deciding);
    sim_require(deciding->sim, !cascade_skips_primary(&deciding->decision),
                "E23: an eligible primary is candidate[0]", ticket->zip);
    deciding->sim->counts.decisions++;
}

static void
ticket_fill(struct deciding *deciding)
{
    struct ticket *ticket = &deciding->call->ticket;
    const uint64_t life_s = (uint64_t)deciding->policy.cascade_budget_s + TICKET_SLACK_S;

    ticket->issued_ms = sim_now(deciding->sim);
    ticket->expires_ms = ticket->issued_ms + life_s * MS_PER_S;
    ticket->snapshot_seq = deciding->sim->engine.executor.head.commit_seq;
    ticket->policy_version = deciding->policy.version;
    ticket->qualify_ms = deciding->policy.qualify_ms;
    ticket->ring_timeout_s = deciding->policy.ring_timeout_s;
    ticket->mode = deciding->call->want == 1 ? TICKET_STEP : TICKET_LIST;
    ticket->candidates_count = deciding->decision.candidates_count;
    for (uint8_t i = 0; i < ticket->candidates_count; i++) {
        const struct cascade_judgement *judged =
            &deciding->decision.judged[deciding->decision.candidates[i]];

        ticket->candidates[i] = (struct ticket_candidate){
            .claim_seq = judged->claim_seq,
            .contractor = judged->contractor,
            .rate_cents = judged->rate_cents,
            .rank = judged->rank,
        };
    }
    deciding->call->ticket_length =
        ticket_encode(deciding->call->ticket_bytes, ticket, &deciding->sim->engine.keys,
                      deciding->sim->engine.mac);
}

static void
record_push(struct deciding *deciding)
{
    const struct ticket *ticket = &deciding->call->ticket;
    struct decision_row row = {
        .call_ref = ticket->call_ref,
        .call_id = ticket->call_id,
        .time_ms = ticket->issued_ms,
        .snapshot_seq = ticket->snapshot_seq,
        .policy_version = ticket->policy_version,
        .price_version = deciding->category.version,
        .tenant = ticket->tenant,
        .zip = ticket->zip,
        .category = ticket->category,
        .status = ticket->candidates_count > 0 ? ZR_STATUS_OK : ZR_STATUS_NO_COVERAGE,
        .revision = ticket->revision,
        .attempt = ticket->attempt,
    };

    decision_record(&row, &deciding->decision);
    decision_push(&deciding->sim->engine.decisions, &row);
}

/* Reserve the first candidate, as a worker does. Nothing moved since it was judged. */
static void
lease_first(struct deciding *deciding)
{
    struct sim *sim = deciding->sim;
    struct sim_call *call = deciding->call;
    const struct cascade_judgement *first =
        &deciding->decision.judged[deciding->decision.candidates[0]];
    const struct eligibility_call again = {
        .now_ms = sim_now(sim),
        .rate_cents = first->rate_cents,
        .screened = true,
        .funds_rule = deciding->policy.funds_rule,
        .attestation = call->ticket.attestation,
        .tenant = call->ticket.tenant,
        .caller_hash = call->ticket.caller_hash,
    };
    struct sim_contractor *contractor = sim_contractor_of(sim, first->contractor);
    uint32_t reasons;
    const enum hot_lease lease =
        hot_lease_take(sim->engine.hot, first->contractor, &again, &reasons);

    sim_require(sim, lease != HOT_LEASE_REFUSED, "who was eligible can be reserved", reasons);
    call->lease = (struct engine_lease){first->rate_cents, first->contractor, sim->engine.boot};
    judge_offer(sim, contractor);
    judge_ring(sim, contractor);
    if (lease == HOT_LEASE_COUNTED && !traffic_fact(sim, call, 0)) {
        hot_ring_lose(sim->engine.hot, first->contractor);
    }
}

static bool
budget_is_over(const struct deciding *deciding)
{
    uint64_t routed_be;

    memcpy(&routed_be, deciding->call->ticket.call_ref.bytes, sizeof routed_be);
    return sim_now(deciding->sim) >=
           be64toh(routed_be) + (uint64_t)deciding->policy.cascade_budget_s * MS_PER_S;
}

static void
slot_read(struct deciding *deciding)
{
    const struct ticket *ticket = &deciding->call->ticket;

    if (!cascades_get(deciding->sim->engine.cascades, ticket->zip, ticket->category,
                      &deciding->slot)) {
        state_slot_get(sim_state(deciding->sim), ticket->zip, ticket->category, &deciding->slot);
    }
}

bool
traffic_route(struct sim *sim, uint32_t call_index)
{
    struct sim_call *call = &sim->calls[call_index];
    struct deciding deciding = {.sim = sim, .call = call, .want = call->want};
    const struct ticket *ticket = &call->ticket;

    CHECK(call->lease.contractor == 0);
    (void)policy_for_slot(sim_state(sim), ticket->zip, ticket->category, &deciding.policy);
    (void)state_category_get(sim_state(sim), ticket->category, &deciding.category);
    if (ticket->attempt >= deciding.policy.max_attempts || budget_is_over(&deciding)) {
        sim->counts.exhausted++;
        return false;
    }
    if (deciding.want > deciding.policy.max_attempts - ticket->attempt) {
        deciding.want = (uint8_t)(deciding.policy.max_attempts - ticket->attempt);
    }
    slot_read(&deciding);
    decide(&deciding);
    ticket_fill(&deciding);
    if (ticket->candidates_count > 0) {
        call->index = ticket->attempt;
        lease_first(&deciding);
    }
    record_push(&deciding);
    if (ticket->candidates_count == 0) {
        sim->counts.unserved++;
        return false;
    }
    talk_plan_ring(sim, call_index);
    return true;
}

/* ---- rings ----------------------------------------------------------------------------------- */

const struct ticket_candidate *
traffic_candidate(const struct sim_call *call)
{
    const struct ticket_candidate *candidate = ticket_candidate_at(&call->ticket, call->index);

    CHECK(candidate != NULL);
    return candidate;
}

bool
traffic_fact(struct sim *sim, const struct sim_call *call, uint8_t outcome)
{
    const struct ticket_candidate *candidate = traffic_candidate(call);

    return ring_facts_push(&sim->engine.rings,
                           &(struct zr_ring_fact){.call_ref = call->ticket.call_ref,
                                                  .time_ms = sim_now(sim),
                                                  .contractor = candidate->contractor,
                                                  .zip = call->ticket.zip,
                                                  .category = call->ticket.category,
                                                  .outcome = outcome,
                                                  .rank = candidate->rank});
}

void
traffic_give_lease(struct sim *sim, struct sim_call *call)
{
    if (call->lease.contractor != 0 && call->lease.boot == sim->engine.boot) {
        hot_lease_give(sim->engine.hot, call->lease.contractor, call->lease.cents);
    }
    call->lease = (struct engine_lease){0};
}

void
traffic_forget(struct sim *sim, uint32_t call_index)
{
    struct sim_call *call = &sim->calls[call_index];

    CHECK(call->is_used);
    traffic_give_lease(sim, call);
    call->is_used = false;
    sim->calls_free[sim->calls_free_count++] = call_index;
}

/* ---- arrivals -------------------------------------------------------------------------------- */

/* Some call again, some withhold their number. */
static uint64_t
caller_draw(struct sim *sim)
{
    enum { CALLERS = sizeof sim->callers / sizeof sim->callers[0] };
    const uint64_t caller = 17130000000 + sim_below(sim, 100000000);

    if (sim_chance(sim, 40)) {
        return 0;
    }
    if (sim->callers_count > 0 && sim_chance(sim, 120)) {
        return sim->callers[sim_below(sim, sim->callers_count)];
    }
    if (sim->callers_count < CALLERS) {
        sim->callers[sim->callers_count++] = caller;
    } else {
        sim->callers[sim_below(sim, CALLERS)] = caller;
    }
    return caller;
}

static struct zr_id
call_ref_make(struct sim *sim)
{
    const uint64_t time_be = htobe64(sim_now(sim));
    const uint64_t serial_be = htobe64(++sim->engine.serial);
    struct zr_id ref;

    memcpy(ref.bytes, &time_be, sizeof time_be);
    memcpy(ref.bytes + 8, &serial_be, sizeof serial_be);
    return ref;
}

static uint32_t
call_begin(struct sim *sim, uint32_t zip, uint16_t category)
{
    uint32_t index;
    struct sim_call *call;

    CHECK(sim->calls_free_count > 0);
    index = sim->calls_free[--sim->calls_free_count];
    call = &sim->calls[index];
    *call = (struct sim_call){
        .caller = caller_draw(sim),
        .tenant = (uint8_t)sim_below(sim, SIM_TENANTS),
        .want = sim_chance(sim, 150) ? TICKET_CANDIDATES_MAX : 1,
        .is_used = true,
    };
    call->ticket = (struct ticket){
        .call_id = engine_id(&sim->engine),
        .call_ref = call_ref_make(sim),
        .tenant = sim_switches[call->tenant].tenant,
        .zip = sim->zips[zip].zip,
        .category = category,
        .attestation = (uint8_t)sim_below(sim, 4),
        .screened = 1,
    };
    if (call->caller != 0) {
        call->ticket.caller_hash = mac_hash_number(
            sim->engine.mac, store_identity(sim->engine.store)->caller_key, call->caller);
    }
    return index;
}

static bool
call_is_blocked(struct sim *sim, const struct sim_call *call)
{
    struct policy_row policy;
    uint32_t version;

    (void)policy_for_slot(sim_state(sim), call->ticket.zip, call->ticket.category, &policy);
    return !eligibility_is_attested(call->ticket.attestation, policy.attestation_min) ||
           (call->caller != 0 && state_suppress_get(sim_state(sim), call->caller, &version));
}

static void
arrive(struct sim *sim, const struct agenda_entry *entry)
{
    uint32_t index;

    if (entry->at_ms + SIM_MINUTE_MS < sim_now(sim)) {
        sim->counts.lost_calls++; /* The server was away. */
        return;
    }
    index = call_begin(sim, entry->who, entry->detail);
    sim->counts.calls++;
    if (call_is_blocked(sim, &sim->calls[index])) {
        sim->counts.blocked++;
        traffic_forget(sim, index);
    } else if (!traffic_route(sim, index)) {
        traffic_forget(sim, index);
    }
}

void
traffic_do(struct sim *sim, const struct agenda_entry *entry)
{
    if (entry->kind == TRAFFIC_ARRIVES) {
        arrive(sim, entry);
    } else {
        talk_do(sim, entry);
    }
}
