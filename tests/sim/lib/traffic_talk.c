/*
 * traffic_talk.c - what a switch does with a call that rings: wait, CONNECT, talk, END; and what
 * goes wrong with each: reports that are lost, late by days, repeated, or contradict each other.
 */
#include "protocol/check.h"
#include "server/domain/call.h"
#include "server/domain/policy.h"
#include "tests/sim/lib/sim.h"

#include <string.h>

/* Entries: `who` = index of the call. */
enum talk_kind {
    TALK_RING_ENDS = SIM_TRAFFIC + 1,
    TALK_QUALIFY,
    TALK_KEEPALIVE,
    TALK_END,
    TALK_END_AGAIN,
    TALK_END_LOST,
};

enum { KEEPALIVE_MS = 4 * 60 * 1000 };

static void
plan_at(struct sim *sim, uint64_t at_ms, uint32_t call_index, enum talk_kind kind)
{
    agenda_add(&sim->agenda,
               (struct agenda_entry){.at_ms = at_ms, .who = call_index, .kind = (uint16_t)kind});
}

static const struct engine_actor *
switch_of(const struct sim_call *call)
{
    return &sim_switches[call->tenant];
}

/* Its key may be retired by now; while the ticket may settle it verifies all the same (E63). */
static uint16_t
ticket_attach(struct sim *sim, const struct sim_call *call, uint8_t bytes[TICKET_BYTES_MAX])
{
    sim_require(sim,
                sim_now(sim) > call->ticket.issued_ms + CALL_SETTLE_MS ||
                    ticket_verify(call->ticket_bytes, call->ticket_length, &sim->engine.keys,
                                  sim_now(sim), sim->engine.mac),
                "E63: a ticket verifies while it may settle", call->ticket.issued_ms);
    memcpy(bytes, call->ticket_bytes, call->ticket_length);
    return call->ticket_length;
}

/* ---- ringing --------------------------------------------------------------------------------- */

static uint8_t
outcome_draw(struct sim *sim, const struct sim_contractor *contractor)
{
    static const uint8_t misses[] = {
        ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_NO_ANSWER,
        ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_BUSY,      ZR_OUTCOME_DECLINED,
        ZR_OUTCOME_FORWARDED, ZR_OUTCOME_VOICEMAIL, ZR_OUTCOME_FAILED,
    };

    if (sim_chance(sim, 50)) {
        return ZR_OUTCOME_CALLER_CANCELLED;
    }
    if (sim_chance(sim, contractor->answer_permille)) {
        return 0;
    }
    return misses[sim_below(sim, sizeof misses)];
}

void
talk_plan_ring(struct sim *sim, uint32_t call_index)
{
    struct sim_call *call = &sim->calls[call_index];
    const struct sim_contractor *contractor =
        sim_contractor_of(sim, traffic_candidate(call)->contractor);
    uint64_t ring_ms = sim_between(sim, 2 * SIM_SECOND_MS, 25 * SIM_SECOND_MS);

    call->contractor = sim->index_of[contractor->number];
    call->outcome = outcome_draw(sim, contractor);
    if (call->outcome == ZR_OUTCOME_NO_ANSWER) {
        ring_ms = call->ticket.ring_timeout_s * SIM_SECOND_MS;
    }
    sim->counts.rings++;
    plan_at(sim, sim_now(sim) + ring_ms, call_index, TALK_RING_ENDS);
}

/* The last word of a call that nobody takes: its switch may say so, or forget it. */
static void
give_up(struct sim *sim, uint32_t call_index)
{
    struct sim_call *call = &sim->calls[call_index];
    struct zr_end_request request = {.call_id = call->ticket.call_id,
                                     .index = CALL_INDEX_NONE,
                                     .who_hung_up = ZR_HUNG_UP_CALLER};
    uint16_t status;

    traffic_give_lease(sim, call);
    if (call->ticket.candidates_count > 0 && sim_chance(sim, 700)) {
        request.ticket_length = ticket_attach(sim, call, request.ticket);
        status = engine_send(&sim->engine, switch_of(call), ZR_OP_END, &request, NULL);
        sim_require_ok(sim, status, "END of a call that rang");
        sim->counts.abandoned++;
    }
    traffic_forget(sim, call_index);
}

/* Everyone up to the attempt that ended has had his turn: ROUTE_NEXT. */
static void
route_next(struct sim *sim, uint32_t call_index)
{
    struct sim_call *call = &sim->calls[call_index];
    struct ticket *ticket = &call->ticket;

    traffic_give_lease(sim, call);
    for (uint8_t i = 0; i < ticket->candidates_count && ticket->attempt + i <= call->index; i++) {
        CHECK(ticket->tried_count < TICKET_TRIED_MAX);
        ticket->tried[ticket->tried_count++] = ticket->candidates[i].contractor;
    }
    ticket->attempt = (uint8_t)(call->index + 1);
    call->connected = false;
    call->ended = false;
    call->qualified = false;
    call->hold_cents = 0;
    if (!traffic_route(sim, call_index)) {
        /* Nothing rings: what its newest ticket would say is not asked for any more. */
        ticket->candidates_count = 0;
        give_up(sim, call_index);
    }
}

static void
decline(struct sim *sim, const struct sim_call *call)
{
    const struct zr_decline_request request = {
        .call_ref = call->ticket.call_ref,
        .contractor = traffic_candidate(call)->contractor,
        .tenant = call->ticket.tenant,
        .zip = call->ticket.zip,
        .category = call->ticket.category,
        .index = call->index,
    };

    sim_require_ok(sim, engine_send(&sim->engine, &sim_portal, ZR_OP_DECLINE, &request, NULL),
                   "DECLINE");
    sim->counts.declines++;
}

static void
ring_missed(struct sim *sim, uint32_t call_index)
{
    struct sim_call *call = &sim->calls[call_index];

    if (call->outcome == ZR_OUTCOME_DECLINED) {
        decline(sim, call);
    }
    if (ticket_candidate_at(&call->ticket, (uint8_t)(call->index + 1)) != NULL &&
        sim_chance(sim, 500)) {
        /* List mode: the switch goes on by itself, and without a lease (E66a). */
        traffic_give_lease(sim, call);
        call->index++;
        talk_plan_ring(sim, call_index);
        return;
    }
    (void)traffic_fact(sim, call, call->outcome);
    route_next(sim, call_index);
}

/* ---- connected ------------------------------------------------------------------------------- */

static void
talk_draw(struct sim *sim, struct sim_call *call)
{
    call->voicemail = sim_chance(sim, 30);
    call->caller_stays = false;
    if (call->voicemail || sim_chance(sim, 250)) {
        call->talk_ms = (uint32_t)sim_between(sim, 1000, 45000);
        call->caller_stays = !call->voicemail && sim_chance(sim, 200);
    } else if (sim_chance(sim, 20)) {
        call->talk_ms = call->ticket.qualify_ms - (uint32_t)sim_below(sim, 2); /* E45 */
    } else {
        call->talk_ms = (uint32_t)sim_between(sim, 30000, 900000);
    }
}

/* What will be reported of the talk, and when. True: its END comes in time. */
static bool
talk_plan(struct sim *sim, uint32_t call_index)
{
    const struct sim_call *call = &sim->calls[call_index];
    const uint64_t over_ms = call->answered_ms + call->talk_ms;

    if (call->connected && call->talk_ms > call->ticket.qualify_ms && sim_chance(sim, 250)) {
        plan_at(sim, call->answered_ms + call->ticket.qualify_ms, call_index, TALK_QUALIFY);
    }
    for (uint64_t at_ms = KEEPALIVE_MS;
         call->connected && switch_of(call)->keepalive && at_ms < call->talk_ms;
         at_ms += KEEPALIVE_MS) {
        plan_at(sim, call->answered_ms + at_ms, call_index, TALK_KEEPALIVE);
    }
    if (sim_chance(sim, 10)) {
        plan_at(sim, over_ms, call_index, TALK_END_LOST);
        return false;
    }
    if (sim_chance(sim, 12)) {
        plan_at(sim, over_ms + sim_between(sim, SIM_HOUR_MS, 9 * SIM_DAY_MS), call_index, TALK_END);
        sim->counts.ends_late++;
        return false;
    }
    plan_at(sim, over_ms, call_index, TALK_END);
    return true;
}

static uint16_t
connect_send(struct sim *sim, struct sim_call *call)
{
    struct zr_connect_request request = {
        .answered_at_ms = call->answered_ms == sim_now(sim) ? 0 : call->answered_ms,
        .index = call->index,
    };
    const struct engine_lease lease = call->lease;
    uint16_t status;

    request.ticket_length = ticket_attach(sim, call, request.ticket);
    call->lease = (struct engine_lease){0};
    status = engine_send(&sim->engine, switch_of(call), ZR_OP_CONNECT, &request, &lease);
    call->hold_cents = sim->engine.reply.connect_reply.hold_cents;
    if (status == ZR_STATUS_OK && sim_chance(sim, 30)) {
        /* E43: the same from another node of the switch. */
        sim_require_ok(sim,
                       engine_send(&sim->engine, switch_of(call), ZR_OP_CONNECT, &request, NULL),
                       "a repeated CONNECT");
        sim_require(sim, sim->engine.reply.connect_reply.hold_cents == call->hold_cents,
                    "E43: one hold", (uint64_t)call->hold_cents);
    }
    return status;
}

static void
connect_granted(struct sim *sim, uint32_t call_index, bool leased)
{
    struct sim_call *call = &sim->calls[call_index];
    const int64_t rate_cents = traffic_candidate(call)->rate_cents;

    sim_require(sim, call->hold_cents == rate_cents || call->hold_cents == 0,
                "the hold is the ticket's rate", (uint64_t)call->hold_cents);
    call->connected = true;
    sim->counts.connects++;
    if (talk_plan(sim, call_index) && leased) {
        judge_hold(sim, call);
    }
}

static void
ring_answered(struct sim *sim, uint32_t call_index)
{
    struct sim_call *call = &sim->calls[call_index];
    const bool leased = call->lease.contractor != 0 && call->lease.boot == sim->engine.boot;
    uint16_t status;

    talk_draw(sim, call);
    if (sim_chance(sim, 20)) {
        traffic_give_lease(sim, call); /* Its CONNECT is lost: END brings the ticket (E44). */
        call->caller_stays = false;
        (void)talk_plan(sim, call_index);
        return;
    }
    status = connect_send(sim, call);
    if (status == ZR_STATUS_OK) {
        connect_granted(sim, call_index, leased);
        return;
    }
    sim_require(sim,
                status == ZR_STATUS_OVERDRAFT_LIMIT || status == ZR_STATUS_NOT_APPROVED ||
                    status == ZR_STATUS_ACCOUNT_CLOSED || status == ZR_STATUS_TICKET_EXPIRED,
                "CONNECT", status);
    sim->counts.connects_refused++;
    route_next(sim, call_index);
}

static void
ring_ends(struct sim *sim, const struct agenda_entry *entry)
{
    struct sim_call *call = &sim->calls[entry->who];

    call->answered_ms = entry->at_ms; /* Earlier than now when the server was away. */
    if (call->outcome == 0) {
        ring_answered(sim, entry->who);
    } else if (call->outcome == ZR_OUTCOME_CALLER_CANCELLED) {
        give_up(sim, entry->who);
    } else {
        ring_missed(sim, entry->who);
    }
}

/* ---- reports --------------------------------------------------------------------------------- */

/* The leg is settled from now on; what was free gives its hold back. */
static void
settled(struct sim *sim, struct sim_call *call, const struct zr_settlement_reply *reply)
{
    if (reply->settlement == ZR_SETTLEMENT_OPEN || call->qualified) {
        return;
    }
    call->qualified = true;
    sim_require(
        sim, reply->amount_cents == 0 || reply->amount_cents == traffic_candidate(call)->rate_cents,
        "I8: what is charged is the ticket's rate", (uint64_t)reply->amount_cents);
    if (reply->amount_cents == 0 && reply->settlement != ZR_SETTLEMENT_CREDITED) {
        judge_hold_back(sim, call);
    }
}

static void
report(struct sim *sim, uint32_t call_index, uint16_t op, uint64_t talk_ms)
{
    struct sim_call *call = &sim->calls[call_index];
    const struct zr_qualify_request request = {.call_id = call->ticket.call_id,
                                               .talk_ms = (uint32_t)talk_ms};

    sim_require_ok(sim, engine_send(&sim->engine, switch_of(call), op, &request, NULL),
                   "QUALIFY or KEEPALIVE");
    settled(sim, call, &sim->engine.reply.settlement_reply);
}

static struct zr_end_request
end_request(struct sim *sim, struct sim_call *call)
{
    struct zr_end_request request = {
        .call_id = call->ticket.call_id,
        .talk_ms = call->talk_ms,
        .index = CALL_INDEX_NONE,
        .who_hung_up = ZR_HUNG_UP_CALLER,
        .voicemail = call->voicemail,
        .caller_stays = call->caller_stays,
    };

    if (!call->connected || call->ended || sim_chance(sim, 300)) {
        request.index = call->index;
        request.answered_at_ms = call->answered_ms;
        request.ticket_length = ticket_attach(sim, call, request.ticket);
    }
    return request;
}

/* What a call that ended in time must have come to, by its own facts. */
static void
end_judge(struct sim *sim, const struct sim_call *call, bool was_settled)
{
    const struct zr_settlement_reply *reply = &sim->engine.reply.settlement_reply;
    const bool is_short = call->talk_ms < call->ticket.qualify_ms;

    if (was_settled) {
        return;
    }
    if (call->voicemail) {
        sim_require(sim, reply->settlement == ZR_SETTLEMENT_FREE_VOICEMAIL, "a machine is free",
                    reply->settlement);
    } else {
        sim_require(sim, is_short == (reply->settlement == ZR_SETTLEMENT_FREE_SHORT),
                    "E45: short is free, and only short is FREE_SHORT", call->talk_ms);
    }
}

static void
end_sent(struct sim *sim, uint32_t call_index, bool late)
{
    struct sim_call *call = &sim->calls[call_index];
    const bool was_settled = call->qualified;

    sim->counts.ends++;
    if (!late) {
        end_judge(sim, call, was_settled);
    }
    settled(sim, call, &sim->engine.reply.settlement_reply);
    call->ended = true;
    if (call->caller_stays) {
        route_next(sim, call_index);
    } else if (sim_chance(sim, 40)) {
        plan_at(sim, sim_now(sim) + sim_between(sim, SIM_SECOND_MS, SIM_DAY_MS), call_index,
                TALK_END_AGAIN);
    } else {
        traffic_forget(sim, call_index);
    }
}

static void
end_send(struct sim *sim, const struct agenda_entry *entry)
{
    struct sim_call *call = &sim->calls[entry->who];
    const struct zr_end_request request = end_request(sim, call);
    const uint64_t age_ms = sim_now(sim) - call->ticket.issued_ms;
    const bool late = age_ms > SIM_HOUR_MS;
    const uint16_t status = engine_send(&sim->engine, switch_of(call), ZR_OP_END, &request, NULL);

    if (!late) {
        sim_require_ok(sim, status, "END");
    }
    if (status == ZR_STATUS_OK || status == ZR_STATUS_SETTLEMENT_FINAL) {
        end_sent(sim, entry->who, late);
        return;
    }
    sim_require(sim, status == ZR_STATUS_TOO_LATE && age_ms > CALL_SETTLE_MS,
                "an END is refused after 7 days only", status);
    sim->counts.too_late++;
    traffic_forget(sim, entry->who);
}

/* E46: what was settled stays so, whatever comes later. */
static void
end_again(struct sim *sim, uint32_t call_index)
{
    struct sim_call *call = &sim->calls[call_index];
    struct zr_end_request request = end_request(sim, call);
    const bool contradicts = sim_chance(sim, 300);
    struct call_row before = {.state = 0};
    struct call_row after = {.state = 0};
    uint16_t status;

    if (contradicts) {
        request.talk_ms = (uint32_t)sim_below(sim, 60000);
    }
    (void)state_call_get(sim_state(sim), &call->ticket.call_ref, &before);
    status = engine_send(&sim->engine, switch_of(call), ZR_OP_END, &request, NULL);
    (void)state_call_get(sim_state(sim), &call->ticket.call_ref, &after);
    sim_require(sim,
                status == ZR_STATUS_OK || (contradicts && status == ZR_STATUS_SETTLEMENT_FINAL),
                "E46: a repeated END", status);
    sim_require(sim,
                before.legs[0].amount_cents == after.legs[0].amount_cents &&
                    before.legs[0].settlement == after.legs[0].settlement,
                "E46: the stored settlement stays", call_index);
    sim->counts.ends_again++;
    traffic_forget(sim, call_index);
}

void
talk_do(struct sim *sim, const struct agenda_entry *entry)
{
    CHECK(sim->calls[entry->who].is_used);
    switch (entry->kind) {
    case TALK_RING_ENDS:
        ring_ends(sim, entry);
        break;
    case TALK_QUALIFY:
        report(sim, entry->who, ZR_OP_QUALIFY, sim->calls[entry->who].ticket.qualify_ms);
        sim->counts.qualifies++;
        break;
    case TALK_KEEPALIVE:
        report(sim, entry->who, ZR_OP_KEEPALIVE, entry->at_ms - sim->calls[entry->who].answered_ms);
        sim->counts.keepalives++;
        break;
    case TALK_END:
        end_send(sim, entry);
        break;
    case TALK_END_AGAIN:
        end_again(sim, entry->who);
        break;
    case TALK_END_LOST:
        sim->counts.ends_lost++;
        traffic_forget(sim, entry->who);
        break;
    default:
        CHECK(false);
    }
}
