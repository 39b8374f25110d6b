/*
 * call_reports.c - see call_reports.h.
 */
#include "server/handlers/call_reports.h"

#include "protocol/check.h"
#include "server/domain/call.h"
#include "server/domain/cascade.h"
#include "server/handlers/declines.h"
#include "server/handlers/dispatch.h"

#include <string.h>

enum { RETRY_AFTER_MS = 20 };

static enum frame_verdict
report_refuse(struct service *service, const struct request *request,
              const struct zr_operation *operation, uint16_t status, struct zr_builder *reply)
{
    memset(&service->reply, 0, operation->reply->struct_bytes);
    return dispatch_reply(request, reply, status, 0, &service->reply);
}

static bool
report_ticket_is_ours(struct service *service, const uint8_t *bytes, size_t bytes_count)
{
    return ticket_verify(bytes, bytes_count, service_keys(service),
                         clock_now_ms(service->options.clock), service->mac);
}

static struct job *
report_take_job(struct service *service, const struct request *request,
                const struct zr_operation *operation, const struct zr_id *call_id)
{
    struct job *job = service_take_job(service, request, operation);

    if (job == NULL) {
        service->overloads++;
        return NULL;
    }
    job->call_id = *call_id;
    return job;
}

/* The call has a leg of that contractor: its row answers, whatever became of the ticket. */
static bool
connect_is_repeat(struct service *service, const struct remembered_call *call, uint32_t contractor)
{
    struct call_row row;

    return state_call_get(service_snapshot(service), &call->call_ref, &row) &&
           call_leg_find(&row, contractor) != NULL;
}

/* The ticket as it came, judged as the rule judges it, but now. */
static uint16_t
connect_judge_ticket(struct service *service, const struct request *request,
                     const struct ticket *ticket)
{
    const struct zr_connect_request *connect = &service->request.connect_request;
    const struct command asker = {.time_ms = clock_now_ms(service->options.clock),
                                  .tenant = request->session->tenant};
    uint64_t answered_at_ms = connect->answered_at_ms;

    return call_ticket_judge(&asker, ticket, connect->index, &answered_at_ms);
}

/* The request goes on with the newest ticket, as that candidate of it. */
static void
connect_take_newest(struct zr_connect_request *connect, const struct remembered_call *call,
                    const struct ticket *newest, uint8_t place)
{
    connect->index = (uint8_t)(newest->attempt + place);
    connect->ticket_length = call->ticket_length;
    memcpy(connect->ticket, call->ticket, call->ticket_length);
    if (connect->answered_at_ms != 0 && connect->answered_at_ms < newest->issued_ms) {
        connect->answered_at_ms = newest->issued_ms; /* He rang before: it is his all the same. */
    }
}

/*
 * A ticket of an older revision (M6): superseded, unless its contractor stands in the newest one
 * too; then the newest rate counts, and the request goes on with that ticket, which *ticket is
 * then. First of all comes what the leg's row answers (E43), then what the ticket itself is wrong
 * with (outcomes.def).
 */
static uint16_t
connect_follow_revision(struct service *service, const struct request *request,
                        const struct remembered_call *call, struct ticket *ticket)
{
    struct zr_connect_request *connect = &service->request.connect_request;
    const struct ticket_candidate *candidate = ticket_candidate_at(ticket, connect->index);
    struct ticket newest;
    uint16_t status;

    if (call == NULL || candidate == NULL || ticket->revision >= call->revision ||
        connect_is_repeat(service, call, candidate->contractor)) {
        return ZR_STATUS_OK;
    }
    status = connect_judge_ticket(service, request, ticket);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (!ticket_decode(&newest, call->ticket, call->ticket_length)) {
        return ZR_STATUS_TICKET_SUPERSEDED;
    }
    for (uint8_t i = 0; i < newest.candidates_count; i++) {
        if (newest.candidates[i].contractor == candidate->contractor) {
            connect_take_newest(connect, call, &newest, i);
            *ticket = newest;
            return ZR_STATUS_OK;
        }
    }
    return ZR_STATUS_TICKET_SUPERSEDED;
}

/*
 * List mode: the switch rang a later candidate without asking ROUTE_NEXT. The ticket is good
 * whatever happened since, but would that candidate have been offered now (E66a)? Attestation and
 * turns are the call's own, and were judged.
 */
static bool
connect_is_stale_step(struct service *service, const struct ticket *ticket,
                      const struct ticket_candidate *candidate)
{
    struct eligibility_call call = {
        .now_ms = clock_now_ms(service->options.clock),
        .rate_cents = candidate->rate_cents,
        .screened = ticket->screened != 0,
        .attestation = ticket->attestation,
        .tenant = ticket->tenant,
        .caller_hash = ticket->caller_hash,
    };
    struct eligibility_contractor known;
    struct policy_row policy;
    struct slot_row slot;
    bool live = false;

    service_policy(service, ticket->zip, ticket->category, &policy);
    service_slot(service, ticket->zip, ticket->category, &slot);
    call.screening_required = policy.screening_required != 0;
    call.funds_rule = policy.funds_rule;
    for (uint16_t i = 0; i < slot.claims_count; i++) {
        if (slot.claims[i].claim_id == candidate->claim_seq) {
            live = true;
            call.claim_paused = slot.claims[i].paused != 0;
        }
    }
    hot_look_for(service->options.hot, candidate->contractor, &call, &known);
    return !live || eligibility_judge(&known, &call) != 0;
}

/* What the worker's memory adds to a CONNECT: the lease that becomes a hold, or that there is none.
 */
static void
connect_fill_job(struct service *service, struct job *job, const struct ticket *ticket,
                 const struct ticket_candidate *candidate, struct remembered_call *call)
{
    if (candidate == NULL) {
        return;
    }
    if (call != NULL && call->lease_contractor == candidate->contractor) {
        calls_hand_over_lease(call, &job->lease_contractor, &job->lease_cents);
    } else if (candidate != &ticket->candidates[0]) {
        job->stale_step = connect_is_stale_step(service, ticket, candidate);
    }
}

enum frame_verdict
call_connect_handle(struct service *service, const struct request *request,
                    const struct zr_operation *operation, struct zr_builder *reply)
{
    struct zr_connect_request *connect = &service->request.connect_request;
    struct remembered_call *call;
    struct ticket ticket;
    struct job *job;
    uint16_t status;

    /* All of the ticket before the call: only one of this tenant's calls follows its revision. */
    if (!report_ticket_is_ours(service, connect->ticket, connect->ticket_length) ||
        !ticket_decode(&ticket, connect->ticket, connect->ticket_length) ||
        ticket.tenant != request->session->tenant || ticket.mode == TICKET_QUERY) {
        return report_refuse(service, request, operation, ZR_STATUS_BAD_TICKET, reply);
    }
    call = calls_find(service->calls, request->session->tenant, &ticket.call_id);
    status = connect_follow_revision(service, request, call, &ticket);
    if (status == ZR_STATUS_INVALID_FIELD) {
        return dispatch_reply(request, reply, status,
                              zr_shape_offset_of(&zr_connect_request_shape, "answered_at_ms"),
                              NULL);
    }
    if (status != ZR_STATUS_OK) {
        return report_refuse(service, request, operation, status, reply);
    }
    job = report_take_job(service, request, operation, &ticket.call_id);
    if (job == NULL) {
        return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
    }
    dispatch_encode_request(job, connect);
    connect_fill_job(service, job, &ticket, ticket_candidate_at(&ticket, connect->index), call);
    return dispatch_submit(service, job, request, reply);
}

enum frame_verdict
call_qualify_handle(struct service *service, const struct request *request,
                    const struct zr_operation *operation, struct zr_builder *reply)
{
    const struct zr_qualify_request *qualify = &service->request.qualify_request;
    struct job *job = report_take_job(service, request, operation, &qualify->call_id);

    if (job == NULL) {
        return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
    }
    return dispatch_submit(service, job, request, reply);
}

/* An END without a ticket means the newest one, unless it names an attempt that one has not, or the
 * call talks or is over: then it means a leg that is in the table. The attempts of another ticket
 * have the same numbers, and who never answered must not pay for who did. */
static bool
end_is_of_newest_ticket(const struct zr_end_request *end, const struct remembered_call *call)
{
    const bool has_leg = call->state == REMEMBERED_CONNECTED || call->state == REMEMBERED_ENDED;
    struct ticket newest;

    if (has_leg && end->index != CALL_INDEX_NONE) {
        return false;
    }
    return call->ticket_length > 0 && ticket_decode(&newest, call->ticket, call->ticket_length) &&
           (end->index == CALL_INDEX_NONE || ticket_candidate_at(&newest, end->index) != NULL);
}

enum frame_verdict
call_end_handle(struct service *service, const struct request *request,
                const struct zr_operation *operation, struct zr_builder *reply)
{
    struct zr_end_request *end = &service->request.end_request;
    struct remembered_call *call;
    struct job *job;

    if (end->ticket_length > 0 &&
        !report_ticket_is_ours(service, end->ticket, end->ticket_length)) {
        return report_refuse(service, request, operation, ZR_STATUS_BAD_TICKET, reply);
    }
    call = calls_find(service->calls, request->session->tenant, &end->call_id);
    job = report_take_job(service, request, operation, &end->call_id);
    if (job == NULL) {
        return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
    }
    if (end->ticket_length == 0 && call != NULL && end_is_of_newest_ticket(end, call)) {
        end->ticket_length = call->ticket_length;
        memcpy(end->ticket, call->ticket, call->ticket_length);
        dispatch_encode_request(job, end);
    }
    return dispatch_submit(service, job, request, reply);
}

/* The state of the call as a reply of this family says it, 0 = it does not. */
static uint8_t
job_call_state(struct service *service, const struct job *job)
{
    struct zr_header header;
    uint16_t invalid_at;

    if (job->status != ZR_STATUS_OK && job->status != ZR_STATUS_SETTLEMENT_FINAL &&
        job->status != ZR_STATUS_ALREADY_CONNECTED) {
        return 0;
    }
    zr_header_decode(&header, job->reply);
    if (zr_message_decode(&service->reply, &invalid_at, job->operation->reply, &header,
                          job->reply) != ZR_DECODE_OK) {
        return 0;
    }
    return job->header.op == ZR_OP_CONNECT ? service->reply.connect_reply.state
                                           : service->reply.settlement_reply.state;
}

static void
call_is_over(struct service *service, struct remembered_call *call, enum remembered_state state)
{
    call->state = (uint8_t)state;
    call->expires_ms = clock_now_ms(service->options.clock); /* Its row knows the rest. */
    calls_set_lease(service->calls, call, 0, 0, 0);
}

/*
 * A leg is over and the caller stays. Without a CONNECT before (E44) only this END tells that there
 * was one: the same ROUTE again must not ring him (E32, R35). Whoever has the lease was rung before
 * him or is himself, if his is the newest ticket; a later one is of the next in line, who rings.
 */
static void
call_rings_again(struct service *service, struct remembered_call *call, uint16_t op)
{
    const uint32_t contractor = service->reply.settlement_reply.contractor;
    struct ticket newest;

    if (call->state != REMEMBERED_ABANDONED) {
        call->state = REMEMBERED_RINGING;
    }
    call->connected_once = true;
    if (op != ZR_OP_END || !ticket_decode(&newest, call->ticket, call->ticket_length)) {
        return;
    }
    for (uint8_t i = 0; i < newest.candidates_count; i++) {
        const uint8_t end = (uint8_t)(newest.attempt + i + 1);

        if (newest.candidates[i].contractor == contractor) {
            calls_set_lease(service->calls, call, 0, 0, 0);
            call->legs_end = end > call->legs_end ? end : call->legs_end;
        }
    }
}

void
call_report_take_back(struct service *service, const struct job *job)
{
    if (job->header.op == ZR_OP_DECLINE) {
        decline_take_back(service, job);
    } else if (job->lease_contractor != 0) {
        calls_take_back_lease(service->calls,
                              calls_find(service->calls, job->tenant, &job->call_id), job,
                              clock_now_ms(service->options.clock));
    }
}

/* Nobody remembers the call that was connected: its name at least, until the index has it. */
static void
unremembered_done(struct service *service, const struct job *job)
{
    if (job->header.op == ZR_OP_CONNECT && job_call_state(service, job) != 0) {
        names_put(service->names, job->tenant, &job->call_id,
                  &service->reply.connect_reply.call_ref);
    }
}

void
call_report_done(struct service *service, const struct job *job)
{
    struct remembered_call *call;
    const uint16_t op = job->header.op;

    if (op == ZR_OP_DECLINE) {
        decline_done(service, job);
    }
    if (op != ZR_OP_CONNECT && op != ZR_OP_QUALIFY && op != ZR_OP_KEEPALIVE && op != ZR_OP_END) {
        return;
    }
    service->steps_stale += job->stale_step && job->status == ZR_STATUS_OK && !job->duplicate;
    call = calls_find(service->calls, job->tenant, &job->call_id);
    call_report_take_back(service, job);
    if (call == NULL) {
        unremembered_done(service, job);
        return;
    }
    if (job->revision > call->revision) { /* Of before a restart: what came since is older (M6). */
        call->revision = job->revision;
    }
    switch (job_call_state(service, job)) {
    case ZR_CALL_CONNECTED:
    case ZR_CALL_QUALIFIED:
        call->state = REMEMBERED_CONNECTED;
        call->connected_once = true;
        calls_set_lease(service->calls, call, 0, 0, 0); /* Whoever rang for it: no more (R49). */
        call->reply_bytes = 0; /* And is not rung again without a lease, by a repeat. */
        break;
    case ZR_CALL_ENDED:
        call_is_over(service, call, REMEMBERED_ENDED);
        break;
    case ZR_CALL_ABANDONED:
        call_is_over(service, call, REMEMBERED_ABANDONED);
        break;
    case ZR_CALL_RINGING:
        call_rings_again(service, call, op);
        break;
    default:
        break;
    }
}
