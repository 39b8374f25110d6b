/*
 * model_route.c - who is eligible, and ROUTE and ROUTE_NEXT (M3, M4, M6).
 *
 * The hard idea: a lease belongs to the call that rings, so counting leases is looking at the
 * calls. A call rings one contractor at a time; what it leased before is gone.
 */
#include "tests/model/lib/model.h"

#include <string.h>

enum {
    TICKET_EXTRA_S = 30,
    ADDRESS_CONFIRMED = 1,
    HOLD = 2,
};

/* ---- a decision
 * ------------------------------------------------------------------------------------- */

static bool
is_tried(const struct model_ticket *ticket, int contractor)
{
    for (int i = 0; i < ticket->tried_count; i++) {
        if (ticket->tried[i] == contractor) {
            return true;
        }
    }
    return false;
}

/* The live claim at this rank, or -1. */
static int
claim_of_rank(const struct model *model, int slot, int rank)
{
    for (int i = 0; i < model->live_count; i++) {
        if (model->claims[model->live[i]].slot == slot &&
            model_rank(model, model->live[i]) == rank) {
            return model->live[i];
        }
    }
    return -1;
}

static void
candidate_add(const struct model *model, int claim, struct model_ticket *ticket,
              struct zr_route_reply *reply)
{
    const struct model_contractor *who = &model->contractors[model->claims[claim].contractor];
    struct zr_candidate *candidate = &reply->candidates[reply->candidates_count];
    const uint8_t modes = who->modes == 0 ? 1 : who->modes;
    int phone = 0;

    while (phone < who->phones_count && (who->phones_down >> phone & 1) != 0) {
        phone++;
    }
    candidate->phone = phone < who->phones_count ? who->phones[phone] : 0; /* 0: the app's. */
    candidate->contractor = who->number;
    candidate->rate_cents = (uint32_t)model_claim_rate(model, claim);
    candidate->ring_timeout_s = ticket->ring_timeout_s;
    candidate->index = (uint8_t)(ticket->attempt + reply->candidates_count);
    candidate->rank = model_rank(model, claim);
    candidate->mode = (modes & 1) != 0 ? 0 : 1;
    ticket->candidates[ticket->candidates_count].contractor = model->claims[claim].contractor;
    ticket->candidates[ticket->candidates_count].rank = candidate->rank;
    ticket->candidates[ticket->candidates_count].rate = candidate->rate_cents;
    ticket->candidates_count++;
    reply->candidates_count++;
}

/* Judge every claim by rank; the first `want` that pass are the candidates. */
static void
decide(struct model *model, int call, unsigned want, struct model_ticket *ticket,
       struct zr_route_reply *reply)
{
    const int slot = model->calls[call].slot;

    for (int rank = 1; rank <= 40; rank++) {
        const int claim = claim_of_rank(model, slot, rank);
        uint32_t reasons;
        bool is_candidate;

        if (claim < 0) {
            continue;
        }
        reasons = model_reasons(model, call, claim) |
                  (is_tried(ticket, model->claims[claim].contractor) ? 1U << 10 : 0);
        is_candidate = reasons == 0 && reply->candidates_count < want;
        model_decision_judged(model, claim, reasons,
                              (uint8_t)(is_candidate ? reply->candidates_count + 1 : 0));
        if (is_candidate) {
            candidate_add(model, claim, ticket, reply);
        } else if (reasons != 0) {
            reply->skipped[reply->skipped_count++] = (struct zr_skipped){
                .contractor = model->contractors[model->claims[claim].contractor].number,
                .reasons = reasons};
        }
    }
}

/* Attempts or budget are used up: nobody is judged, the reply lists who was rung (E37). */
static void
attempts_list(const struct model *model, const int *tried, int tried_count,
              struct zr_route_reply *reply)
{
    for (int i = 0; i < tried_count; i++) {
        reply->skipped[reply->skipped_count++] = (struct zr_skipped){
            .contractor = model->contractors[tried[i]].number, .reasons = 1U << 10};
    }
}

/* ---- ROUTE
 * ------------------------------------------------------------------------------------------------
 */

static struct model_ticket *
ticket_new(struct model *model, struct model_call *call)
{
    const struct zr_policy *policy = &model_policy_of(model, call->slot)->rules;
    struct model_ticket *ticket;

    if (call->tickets_count == MODEL_TICKETS) {
        memmove(&call->tickets[0], &call->tickets[1],
                (MODEL_TICKETS - 1) * sizeof call->tickets[0]);
        call->tickets_count--;
    }
    ticket = &call->tickets[call->tickets_count++];
    *ticket = (struct model_ticket){.issued_ms = model->now_ms,
                                    .slot = call->slot,
                                    .first_ms = call->first_ms,
                                    .revision = call->revision,
                                    .caller = call->caller,
                                    .screened = call->screened,
                                    .attestation = call->attestation,
                                    .qualify_ms = policy->qualify_ms,
                                    .ring_timeout_s = policy->ring_timeout_s};
    ticket->expires_ms =
        model->now_ms + (uint64_t)(policy->cascade_budget_s + TICKET_EXTRA_S) * MODEL_SECOND_MS;
    call->repeats = true;
    return ticket;
}

static void
route_fill(const struct model *model, const struct model_ticket *ticket,
           struct zr_route_reply *reply)
{
    reply->zips[0] = model->slots[ticket->slot].zip;
    reply->expires_ms = ticket->expires_ms;
    reply->qualify_ms = ticket->qualify_ms;
    reply->attempt = ticket->attempt;
}

/* The ZIPs' cascades are not the same contractors, each as paused there, in the same order (R41):
 * all else that can stand against them is the same in both. */
static bool
zips_differ(const struct model *model, const struct zr_route_request *request)
{
    const int first = model_slot_at(model, request->zips[0], request->category);

    for (int i = 1; i < request->zips_count; i++) {
        const int other = model_slot_at(model, request->zips[i], request->category);

        for (int rank = 1; rank <= 40; rank++) {
            const int a = claim_of_rank(model, first, rank);
            const int b = claim_of_rank(model, other, rank);

            if ((a < 0) != (b < 0) ||
                (a >= 0 && (model->claims[a].contractor != model->claims[b].contractor ||
                            model->claims[a].paused.on != model->claims[b].paused.on))) {
                return true;
            }
        }
    }
    return false;
}

static bool
is_blocked(const struct model *model, const struct zr_route_request *request)
{
    const int slot = model_slot_at(model, request->zips[0], request->category);
    const uint8_t least = model_policy_of(model, slot)->attestation_min;

    for (int i = 0; i < MODEL_CALLERS; i++) {
        if (model->suppressed[i] && request->caller == model_caller(i)) {
            return true;
        }
    }
    return least > 0 && (request->attestation == 0 || request->attestation > least);
}

static bool
is_same_question(const struct zr_route_request *a, const struct zr_route_request *b)
{
    return memcmp(a->zips, b->zips, sizeof a->zips) == 0 && a->zips_count == b->zips_count &&
           a->category == b->category && a->caller == b->caller &&
           a->caller_kind == b->caller_kind && a->campaign == b->campaign &&
           a->screening == b->screening && a->attestation == b->attestation && a->want == b->want &&
           a->flags == b->flags;
}

/* A repeat of the newest decision's question while its ticket lives. */
static bool
is_repeat(const struct model *model, const struct model_call *call,
          const struct zr_route_request *request)
{
    return model_remembers(model, call) && !call->durable && !call->cancelled && !call->exhausted &&
           is_same_question(&call->granted, request);
}

/* Who was tried for this call stays tried; who declined it had an attempt of it too. */
static void
ticket_carry(struct model_ticket *ticket, const struct model_call *call)
{
    ticket->attempt = call->attempt;
    ticket->tried_count = call->tried_count;
    memcpy(ticket->tried, call->tried, sizeof ticket->tried);
    for (int i = 0; i < call->decliners_count; i++) {
        if (!is_tried(ticket, call->decliners[i])) {
            ticket->tried[ticket->tried_count++] = call->decliners[i];
            ticket->attempt++;
        }
    }
}

/* No attempt is left for the call, or the caller has waited for the cascade's budget. */
static bool
is_used_up(const struct model *model, const struct model_call *call, int slot)
{
    const struct zr_policy *policy = &model_policy_of(model, slot)->rules;
    struct model_ticket next = {0};

    ticket_carry(&next, call);
    return next.attempt >= policy->max_attempts ||
           (call->first_ms != 0 &&
            model->now_ms >= call->first_ms + policy->cascade_budget_s * MODEL_SECOND_MS);
}

/* A SWITCH's screening bits count where a CALLCENTER of its tenant set them before (R18). */
static uint8_t
screening_of(const struct model_asker *asker, struct model_call *call,
             const struct zr_route_request *request)
{
    const bool hold = (request->flags & HOLD) != 0;

    if (asker->callcenter) {
        call->screening = hold ? request->screening : call->screening;
        return request->screening;
    }
    return hold ? call->screening & request->screening : 0;
}

/* What the switch says of the call this time. */
static void
call_take_facts(const struct model *model, const struct model_asker *asker, struct model_call *call,
                const struct zr_route_request *request)
{
    call->caller = request->caller_kind == ZR_CALLER_WITHHELD ? 0 : request->caller;
    call->attestation = request->attestation;
    call->screened = screening_of(asker, call, request) != 0;
    call->lease_contractor = -1;
    call->request = *request;
    call->slot = model_slot_at(model, request->zips[0], request->category);
}

/* The server remembers it from now on, for as long as its ticket may live. */
static void
call_is_known(const struct model *model, struct model_call *call, bool hold)
{
    const uint64_t life_s =
        model_policy_of(model, call->slot)->rules.cascade_budget_s + TICKET_EXTRA_S;

    if (hold) {
        /* Another question about a call that rings is another revision of it. */
        call->revision = (uint8_t)(call->revision + (call->first_ms != 0));
        call->first_ms = call->first_ms == 0 ? model->now_ms : call->first_ms;
        call->known_until_ms = model->now_ms + life_s * MODEL_SECOND_MS;
    }
}

/* Why there is no decision to make, in the order of outcomes.def. */
static int
route_judge(const struct model *model, const struct model_asker *asker,
            const struct model_call *call, const struct zr_route_request *request)
{
    const bool hold = (request->flags & HOLD) != 0;

    if (hold && is_repeat(model, call, request) &&
        (!asker->callcenter || call->screening == request->screening)) {
        return MODEL_REPEATED; /* Before any rule is asked (E31). */
    }
    if (request->zips_count > 1 && (request->flags & ADDRESS_CONFIRMED) == 0 &&
        zips_differ(model, request)) {
        return ZR_STATUS_NEED_ADDRESS;
    }
    if (is_blocked(model, request)) {
        return ZR_STATUS_BLOCKED;
    }
    /* That the caller cancelled a ROUTE_NEXT is in memory only. */
    if (hold && ((call->cancelled && (model_remembers(model, call) || !call->durable)) ||
                 (call->durable && call->state == ZR_CALL_ABANDONED))) {
        return ZR_STATUS_ABANDONED;
    }
    if (hold && call->durable) {
        return ZR_STATUS_CALL_CONNECTED;
    }
    return hold && is_used_up(model, call,
                              model_slot_at(model, request->zips[0], request->category))
               ? ZR_STATUS_EXHAUSTED
               : ZR_STATUS_OK;
}

int
model_route(struct model *model, const struct model_asker *asker, int call_index,
            const struct zr_route_request *request, struct zr_route_reply *reply)
{
    struct model_call *call = &model->calls[call_index];
    const bool hold = (request->flags & HOLD) != 0;
    struct model_ticket *ticket;
    unsigned want;
    bool is_new;
    int status;

    status = route_judge(model, asker, call, request);
    if (status == ZR_STATUS_NEED_ADDRESS) {
        memcpy(reply->zips, request->zips, sizeof reply->zips);
    }
    if (status == ZR_STATUS_EXHAUSTED) {
        struct model_ticket next = {0};

        (void)screening_of(asker, call, request);
        ticket_carry(&next, call);
        attempts_list(model, next.tried, next.tried_count, reply);
    }
    if (status != ZR_STATUS_OK) {
        return status;
    }
    call_take_facts(model, asker, call, request);
    is_new = call->first_ms == 0;
    call_is_known(model, call, hold);
    ticket = ticket_new(model, call);
    ticket->query = !hold;
    if (hold) {
        ticket_carry(ticket, call);
    }
    if (hold && !is_new && model_decision_newest(model, call_index) != NULL) {
        ticket->reply.call_ref = model_decision_newest(model, call_index)->call_ref;
    }
    ticket->want = request->want;
    want = (unsigned)(model_policy_of(model, call->slot)->rules.max_attempts - ticket->attempt);
    model_decision_begin(model, call_index, ticket);
    decide(model, call_index, request->want < want ? request->want : want, ticket, reply);
    route_fill(model, ticket, reply);
    if (hold) { /* A query leaves no record. */
        ticket->decision_count = model_decision_done(
            model, reply->candidates_count == 0 ? ZR_STATUS_NO_COVERAGE : ZR_STATUS_OK);
    }
    if (reply->candidates_count == 0) {
        call->tickets_count--;
        reply->expires_ms = 0;
        call->exhausted = call->exhausted || hold;
        return ZR_STATUS_NO_COVERAGE;
    }
    call->granted = *request;
    call->exhausted = false;
    if (hold) {
        call->remembered = true;
        model_ring_begin(model, call_index, ticket);
    }
    model_settle(model);
    return ZR_STATUS_OK;
}

/* ---- ROUTE_NEXT
 * --------------------------------------------------------------------------------------------- */

/* This server process did not see its ROUTE: what the ticket says is what it knows. */
static void
call_is_learned(struct model_call *call, const struct model_ticket *ticket)
{
    call->remembered = true;
    call->revision = ticket->revision;
    call->first_ms = ticket->first_ms;
    call->known_until_ms = ticket->expires_ms;
    call->slot = ticket->slot;
    call->caller = ticket->caller;
    memset(&call->granted, 0, sizeof call->granted); /* No question is repeated word for word. */
}

/* The attempt that comes behind `index` of the old ticket, or why there is none. */
static int
next_attempt(struct model *model, int call_index, const struct model_ticket *old, uint8_t index,
             struct zr_route_reply *reply)
{
    struct model_call *call = &model->calls[call_index];
    const struct zr_policy *policy = &model_policy_of(model, old->slot)->rules;
    const struct model_ticket before = *old;
    unsigned want;
    struct model_ticket *ticket;

    /* The ticket says what the decision is about: the call may have been asked otherwise since. */
    call->slot = before.slot;
    call->caller = before.caller;
    call->screened = before.screened;
    call->attestation = before.attestation;
    ticket = ticket_new(model, call);
    memcpy(ticket->tried, before.tried, sizeof ticket->tried);
    ticket->tried_count = before.tried_count;
    for (int i = 0; i <= index - before.attempt; i++) {
        ticket->tried[ticket->tried_count++] = before.candidates[i].contractor;
    }
    ticket->attempt = (uint8_t)(index + 1);
    want = policy->max_attempts - ticket->attempt < before.want
               ? (unsigned)(policy->max_attempts - ticket->attempt)
               : before.want;
    call->attempt = ticket->attempt;
    call->tried_count = ticket->tried_count;
    memcpy(call->tried, ticket->tried, sizeof call->tried);
    ticket->revision = before.revision;
    call->revision = before.revision; /* Not below what was known: that would be superseded. */
    ticket->first_ms = before.first_ms;
    ticket->reply.call_ref = before.reply.call_ref;
    if (!model_remembers(model, call)) {
        call_is_learned(call, &before);
    }
    if (ticket->attempt < policy->max_attempts &&
        model->now_ms < before.first_ms + policy->cascade_budget_s * MODEL_SECOND_MS) {
        ticket->want = before.want;
        model_decision_begin(model, call_index, ticket);
        decide(model, call_index, want, ticket, reply);
        ticket->decision_count = model_decision_done(
            model, reply->candidates_count == 0 ? ZR_STATUS_EXHAUSTED : ZR_STATUS_OK);
    } else { /* Nobody is judged: it is no decision. */
        attempts_list(model, ticket->tried, ticket->tried_count, reply);
    }
    route_fill(model, ticket, reply);
    if (reply->candidates_count == 0) {
        call->tickets_count--;
        call->exhausted = true;
        return ZR_STATUS_EXHAUSTED;
    }
    call->exhausted = false;
    model_ring_begin(model, call_index, ticket);
    return ZR_STATUS_OK;
}

/*
 * Who talked to the caller after that attempt: the question is of before (R35, E33). A call that is
 * remembered knows what its newest ticket asked; else, and for a ticket of an earlier process, all
 * count who answered a later ticket and whom this one does not know.
 */
static bool
somebody_talked_since(const struct model *model, const struct model_call *call,
                      const struct model_ticket *ticket, uint8_t index)
{
    const struct model_ticket *last = &call->tickets[call->tickets_count - 1];
    const bool remembers =
        model_remembers(model, call) &&
        memcmp(&ticket->reply.call_ref, &last->reply.call_ref, sizeof last->reply.call_ref) == 0;

    for (int l = 0; l < call->legs_count; l++) {
        const int contractor = call->legs[l].contractor;
        const bool is_later =
            call->legs[l].in_newest || (!remembers && call->legs[l].issued_ms >= ticket->issued_ms);
        bool knows = is_tried(ticket, contractor);

        for (int i = 0; i <= index - ticket->attempt; i++) {
            knows = knows || ticket->candidates[i].contractor == contractor;
        }
        if (!knows && call->legs[l].ended && is_later) {
            return true;
        }
    }
    return false;
}

static bool
next_is_repeat(const struct model *model, const struct model_call *call,
               const struct model_ticket *ticket, uint8_t index)
{
    return model_remembers(model, call) && call->repeats && !call->cancelled && !call->exhausted &&
           (!call->durable || call->state == ZR_CALL_RINGING) &&
           call->revision == ticket->revision && call->attempt == index + 1 &&
           !somebody_talked_since(model, call, ticket, index);
}

/* The ticket first, then the call's state. */
static int
next_judge(const struct model *model, const struct model_call *call,
           const struct model_ticket *ticket, uint8_t index)
{
    const bool remembers = model_remembers(model, call);

    if (model->now_ms >= ticket->expires_ms) {
        return ZR_STATUS_TICKET_EXPIRED;
    }
    if ((remembers && (ticket->revision < call->revision || call->attempt > index + 1)) ||
        ticket->revision < call->charge_revision ||
        (call->state == ZR_CALL_RINGING && !call->cancelled &&
         somebody_talked_since(model, call, ticket, index))) {
        return ZR_STATUS_TICKET_SUPERSEDED;
    }
    if (call->cancelled || (call->durable && call->state == ZR_CALL_ABANDONED)) {
        return ZR_STATUS_ABANDONED;
    }
    return call->durable && call->state != ZR_CALL_RINGING ? ZR_STATUS_CALL_CONNECTED
                                                           : ZR_STATUS_OK;
}

int
model_route_next(struct model *model, int call_index, int ticket_index,
                 const struct zr_route_next_request *request, struct zr_route_reply *reply)
{
    struct model_call *call = &model->calls[call_index];
    struct model_ticket *ticket = &call->tickets[ticket_index];
    const int place = request->index - ticket->attempt;
    /* Asked again when nobody was left: the miss is the one that was told before. */
    const bool is_told = model_remembers(model, call) && call->attempt > request->index;
    const struct zr_id call_ref = ticket->reply.call_ref;
    int contractor;
    int status;

    if (ticket->query || place < 0 || place >= ticket->candidates_count) {
        return ZR_STATUS_BAD_TICKET;
    }
    if (next_is_repeat(model, call, ticket, request->index)) {
        return MODEL_REPEATED;
    }
    status = next_judge(model, call, ticket, request->index);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    contractor = ticket->candidates[place].contractor;
    model_silence(call);
    if (request->outcome == ZR_OUTCOME_CALLER_CANCELLED) {
        if (!model_remembers(model, call)) {
            call_is_learned(call, ticket);
        }
        call->cancelled = true;
        return ZR_STATUS_ABANDONED;
    }
    status = next_attempt(model, call_index, ticket, request->index, reply);
    if (!is_told) {
        model_ring_missed(model, call_index, contractor, &call_ref, request->outcome);
    }
    model_settle(model);
    return status;
}

void
model_restarted(struct model *model)
{
    for (int i = 0; i < model->calls_count; i++) {
        struct model_call *call = &model->calls[i];

        call->remembered = false;
        call->cancelled = false;
        call->exhausted = false;
        call->revision = 0;
        call->first_ms = 0;
        call->known_until_ms = 0;
        call->attempt = 0;
        call->tried_count = 0;
        call->lease_contractor = -1;
        call->decliners_count = 0;
        call->screening = 0;
        for (int l = 0; l < call->legs_count; l++) {
            call->legs[l].in_newest = false;
        }
    }
}
