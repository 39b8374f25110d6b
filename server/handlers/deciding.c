/*
 * deciding.c - see deciding.h.
 */
#include "server/handlers/deciding.h"

#include "protocol/bytes.h"
#include "protocol/check.h"
#include "server/domain/pricing.h"
#include "server/handlers/attempts.h"

#include <endian.h>
#include <string.h>

enum { LEASE_SLACK_MS = 5000, MS_PER_S = 1000 };
#define DAY_MS (UINT64_C(24) * 3600 * MS_PER_S)

struct zr_id
deciding_call_ref(struct service *service, uint64_t now_ms)
{
    /* Time first, so that rows of calls are appended; boot and count make it unique for ever. */
    const uint64_t time_be = htobe64(now_ms);
    const uint32_t boot_be = htobe32(service->boot);
    const uint32_t count_be = htobe32(service->call_refs_count++);
    struct zr_id ref;

    memcpy(ref.bytes, &time_be, sizeof time_be);
    memcpy(ref.bytes + 8, &boot_be, sizeof boot_be);
    memcpy(ref.bytes + 12, &count_be, sizeof count_be);
    return ref;
}

/* Was the caller charged by this contractor lately? The index lags by its fold, so this is a
 * hint: what a repeated call costs is decided at its settlement (M4). */
static bool
caller_is_repeated(struct service *service, const struct deciding *deciding, uint32_t contractor)
{
    const struct duplicate_key key = {deciding->ticket.caller_hash, contractor,
                                      deciding->ticket.category};
    struct duplicate_row row;

    return key.caller_hash != 0 && deciding->policy.dup_days > 0 &&
           state_duplicate_get(service_snapshot(service), key, &row) &&
           deciding->now_ms <= row.charged_ms + deciding->policy.dup_days * DAY_MS;
}

struct looking {
    struct service *service;
    const struct deciding *deciding;
};

static void
look(void *context, uint32_t contractor, const struct eligibility_call *call,
     struct eligibility_contractor *known)
{
    const struct looking *looking = context;

    hot_look_for(looking->service->options.hot, contractor, call, known);
    if (known->no_duplicates &&
        caller_is_repeated(looking->service, looking->deciding, contractor)) {
        known->profile_reasons |= REASON_DUP_RESTRICTED;
    }
}

static void
judge(struct service *service, struct deciding *deciding)
{
    const struct cascade_slot where = {
        .slot = &deciding->slot,
        .policy = &deciding->policy,
        .category_rate_cents = service->cache->categories[deciding->ticket.category].rate_cents,
    };
    const struct cascade_call call = {
        .now_ms = deciding->now_ms,
        .tried = deciding->ticket.tried,
        .tried_count = deciding->ticket.tried_count,
        .want = deciding->want,
        .screened = deciding->ticket.screened != 0,
        .attestation = deciding->ticket.attestation,
        .tenant = deciding->ticket.tenant,
        .caller_hash = deciding->ticket.caller_hash,
    };
    struct looking looking = {service, deciding};

    hot_prefetch(service->options.hot, &deciding->slot);
    cascade_decide(&deciding->decision, &where, &call, look, &looking);
}

bool
deciding_budget_is_over(const struct deciding *deciding)
{
    uint64_t routed_be;

    /* The call's name begins with the time of its first ROUTE. */
    memcpy(&routed_be, deciding->ticket.call_ref.bytes, sizeof routed_be);
    return deciding->now_ms >=
           be64toh(routed_be) + (uint64_t)deciding->policy.cascade_budget_s * MS_PER_S;
}

bool
deciding_ring(struct service *service, const struct ticket *ticket,
              const struct ticket_candidate *candidate, uint8_t outcome)
{
    return ring_facts_push(service->rings,
                           &(struct zr_ring_fact){.call_ref = ticket->call_ref,
                                                  .time_ms = clock_now_ms(service->options.clock),
                                                  .contractor = candidate->contractor,
                                                  .zip = ticket->zip,
                                                  .category = ticket->category,
                                                  .outcome = outcome,
                                                  .rank = candidate->rank});
}

/* The phone of the first candidate rings from now on. */
static void
ring_first(struct service *service, const struct deciding *deciding,
           const struct cascade_judgement *first)
{
    const struct ticket_candidate candidate = {.contractor = first->contractor,
                                               .rank = first->rank};

    if (!deciding_ring(service, &deciding->ticket, &candidate, 0)) {
        hot_ring_lose(service->options.hot, first->contractor);
    }
}

/*
 * Reserve the first candidate. Between judging and here another worker, or a commit, may have
 * changed it: the lease judges again under the contractor's lock, and if that fails the whole
 * cascade is judged anew.
 */
static void
lease_first(struct service *service, struct deciding *deciding, struct remembered_call *call)
{
    const uint64_t lease_ms = (uint64_t)deciding->policy.ring_timeout_s * MS_PER_S + LEASE_SLACK_MS;

    while (deciding->decision.candidates_count > 0) {
        const struct cascade_judgement *first =
            &deciding->decision.judged[deciding->decision.candidates[0]];
        const struct eligibility_call again = {
            .now_ms = deciding->now_ms,
            .rate_cents = first->rate_cents,
            .screened = deciding->ticket.screened != 0,
            .screening_required = deciding->policy.screening_required != 0,
            .funds_rule = deciding->policy.funds_rule,
            .attestation = deciding->ticket.attestation,
            .tenant = deciding->ticket.tenant,
            .caller_hash = deciding->ticket.caller_hash,
        };
        uint32_t reasons;
        const enum hot_lease lease =
            hot_lease_take(service->options.hot, first->contractor, &again, &reasons);

        if (lease == HOT_LEASE_COUNTED) {
            ring_first(service, deciding, first);
        }
        if (lease != HOT_LEASE_REFUSED) {
            calls_set_lease(service->calls, call, first->contractor, first->rate_cents,
                            deciding->now_ms + lease_ms);
            return;
        }
        judge(service, deciding);
    }
}

static void
ticket_fill(struct service *service, struct deciding *deciding)
{
    struct ticket *ticket = &deciding->ticket;
    const uint64_t life_s = (uint64_t)deciding->policy.cascade_budget_s + TICKET_SLACK_S;

    ticket->issued_ms = deciding->now_ms;
    ticket->expires_ms = deciding->now_ms + life_s * MS_PER_S;
    ticket->snapshot_seq =
        atomic_load_explicit(&service->published->commit_seq, memory_order_acquire);
    ticket->policy_version = deciding->policy.version;
    ticket->qualify_ms = deciding->policy.qualify_ms;
    ticket->ring_timeout_s = deciding->policy.ring_timeout_s;
    if (!deciding->hold) {
        ticket->mode = TICKET_QUERY;
    } else {
        ticket->mode = deciding->want == 1 ? TICKET_STEP : TICKET_LIST;
    }
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
}

static void
reply_skipped(const struct cascade_decision *decision, struct zr_route_reply *reply)
{
    for (uint8_t i = 0; i < decision->judged_count; i++) {
        if (decision->judged[i].reasons != 0) {
            reply->skipped[reply->skipped_count++] =
                (struct zr_skipped){decision->judged[i].contractor, decision->judged[i].reasons};
        }
    }
}

static void
reply_fill(struct service *service, const struct deciding *deciding, struct zr_route_reply *reply)
{
    const struct ticket *ticket = &deciding->ticket;

    /* Not the whole struct: its arrays are most of it, and counted. */
    reply->call_ref = ticket->call_ref;
    memset(reply->zips, 0, sizeof reply->zips);
    reply->zips[0] = ticket->zip;
    reply->expires_ms = ticket->expires_ms;
    reply->snapshot_seq = ticket->snapshot_seq;
    reply->qualify_ms = ticket->qualify_ms;
    reply->policy_version = ticket->policy_version;
    reply->revision = ticket->revision;
    reply->attempt = ticket->attempt;
    reply->ticket_length = 0;
    reply->skipped_count = 0;
    reply->candidates_count = ticket->candidates_count;
    for (uint8_t i = 0; i < ticket->candidates_count; i++) {
        reply->candidates[i] = (struct zr_candidate){
            .phone = deciding->decision.judged[deciding->decision.candidates[i]].phone,
            .contractor = ticket->candidates[i].contractor,
            .rate_cents = ticket->candidates[i].rate_cents,
            .ring_timeout_s = ticket->ring_timeout_s,
            .index = (uint8_t)(ticket->attempt + i),
            .rank = ticket->candidates[i].rank,
            .mode = deciding->decision.judged[deciding->decision.candidates[i]].mode,
        };
    }
    if (ticket->candidates_count > 0) {
        reply->ticket_length = ticket_encode(reply->ticket, ticket, &service->keys, service->mac);
    }
    if (deciding->explain || ticket->candidates_count == 0) {
        reply_skipped(&deciding->decision, reply);
    }
}

uint16_t
deciding_run(struct service *service, struct deciding *deciding, uint16_t none,
             struct remembered_call *call)
{
    CHECK(deciding->hold == (call != NULL));
    service_slot(service, deciding->ticket.zip, deciding->ticket.category, &deciding->slot);
    if (call != NULL) {
        /* The call's own lease must not stand in its own way when it is decided anew. */
        calls_set_lease(service->calls, call, 0, 0, 0);
    }
    judge(service, deciding);
    if (call != NULL) {
        lease_first(service, deciding, call);
    }
    ticket_fill(service, deciding);
    reply_fill(service, deciding, &service->reply.route_reply);
    return deciding->decision.candidates_count > 0 ? ZR_STATUS_OK : none;
}

static void
record_push(struct service *service, const struct deciding *deciding, uint16_t status)
{
    const struct ticket *ticket = &deciding->ticket;
    struct decision_row row = {
        .call_ref = ticket->call_ref,
        .call_id = ticket->call_id,
        .time_ms = deciding->now_ms,
        .snapshot_seq = ticket->snapshot_seq,
        .policy_version = ticket->policy_version,
        .price_version = service->cache->categories[ticket->category].version,
        .tenant = ticket->tenant,
        .zip = ticket->zip,
        .category = ticket->category,
        .status = status,
        .revision = ticket->revision,
        .attempt = ticket->attempt,
    };

    memcpy(row.principal, deciding->request->session->peer.key_hash, sizeof row.principal);
    decision_record(&row, &deciding->decision);
    decision_push(service->decisions, &row);
    service->calls_routed++;
}

void
deciding_remember(struct service *service, const struct deciding *deciding,
                  struct remembered_call *call, uint16_t status, const struct zr_builder *reply)
{
    const struct zr_route_reply *route = &service->reply.route_reply;

    calls_name(service->calls, call, &deciding->ticket.call_ref);
    call->expires_ms = deciding->ticket.expires_ms;
    /* Where nobody is left of the same revision, the newest ticket stays the newest (M6). */
    if (route->ticket_length > 0 || deciding->ticket.revision != call->revision) {
        call->ticket_length = (uint8_t)route->ticket_length;
        memcpy(call->ticket, route->ticket, route->ticket_length);
    }
    attempts_remember(call, &deciding->ticket);
    call->reply_bytes = 0;
    call->state = REMEMBERED_RINGING;
    if (status == ZR_STATUS_OK && reply->length <= sizeof call->reply) {
        memcpy(call->reply, reply->bytes, reply->length);
        call->reply_bytes = (uint16_t)reply->length;
    }
    record_push(service, deciding, status);
}
