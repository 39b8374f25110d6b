/*
 * route_next.c - ROUTE_NEXT: the one that rang did not take the call; who is next? See route.h.
 *
 * The ticket carries who was tried, so this works on any node; the memory of this one only adds
 * that a repeat gets the same answer and that an older ticket is told so.
 */
#include "protocol/check.h"
#include "server/handlers/deciding.h"
#include "server/handlers/dispatch.h"
#include "server/handlers/route.h"

#include <string.h>

enum { RETRY_AFTER_MS = 100 };

/* The ticket is ours, of this tenant, a call's, and has that index. */
static bool
next_take_ticket(struct service *service, const struct request *request,
                 const struct zr_route_next_request *next, struct ticket *ticket)
{
    return ticket_verify(next->ticket, next->ticket_length, &service->keys, service->mac) &&
           ticket_decode(ticket, next->ticket, next->ticket_length) &&
           ticket->tenant == request->session->tenant && ticket->mode != TICKET_QUERY &&
           ticket_candidate_at(ticket, next->index) != NULL;
}

/* Is the call still there to be routed? What memory does not know, the table may. */
static uint16_t
next_judge_call(struct service *service, const struct ticket *ticket, uint8_t index,
                struct remembered_call **call)
{
    struct state *snapshot = service_snapshot(service);
    struct zr_id call_ref;
    struct call_row row;

    *call = calls_find(service->calls, ticket->tenant, &ticket->call_id);
    if (*call != NULL) {
        if ((*call)->state == REMEMBERED_ABANDONED) {
            return ZR_STATUS_ABANDONED;
        }
        if ((*call)->state == REMEMBERED_CONNECTED || (*call)->state == REMEMBERED_ENDED) {
            return ZR_STATUS_CALL_CONNECTED;
        }
        if ((*call)->revision > ticket->revision || (*call)->attempt > index + 1) {
            return ZR_STATUS_TICKET_SUPERSEDED;
        }
        return ZR_STATUS_OK;
    }
    if (state_call_find(snapshot, ticket->tenant, &ticket->call_id, &call_ref) &&
        state_call_get(snapshot, &call_ref, &row) && row.state != ZR_CALL_RINGING) {
        return row.state == ZR_CALL_ABANDONED ? ZR_STATUS_ABANDONED : ZR_STATUS_CALL_CONNECTED;
    }
    *call = calls_add(service->calls, ticket->tenant, &ticket->call_id,
                      clock_now_ms(service->options.clock));
    return *call == NULL ? ZR_STATUS_OVERLOADED : ZR_STATUS_OK;
}

/* A repeat of the question that the newest ticket answered. */
static bool
next_is_repeat(const struct ticket *ticket, uint8_t index, const struct remembered_call *call)
{
    return call->reply_bytes > 0 && call->state == REMEMBERED_RINGING &&
           call->revision == ticket->revision && call->attempt == index + 1;
}

/* Everyone up to the attempt that ended has had his turn. */
static void
deciding_follow(struct service *service, struct deciding *deciding,
                const struct zr_route_next_request *next, const struct ticket *before)
{
    struct ticket *ticket = &deciding->ticket;

    *ticket = *before;
    for (uint8_t i = before->attempt; i <= next->index; i++) {
        const struct ticket_candidate *candidate = ticket_candidate_at(before, i);

        CHECK(candidate != NULL);
        CHECK(ticket->tried_count < TICKET_TRIED_MAX);
        ticket->tried[ticket->tried_count++] = candidate->contractor;
    }
    ticket->attempt = (uint8_t)(next->index + 1);
    ticket->candidates_count = 0;
    deciding->now_ms = clock_now_ms(service->options.clock);
    deciding->hold = true;
    deciding->explain = next->explain;
    service_policy(service, ticket->zip, ticket->category, &deciding->policy);
    deciding->want = before->mode == TICKET_STEP ? 1 : TICKET_CANDIDATES_MAX;
    if (deciding->want > deciding->policy.max_attempts - ticket->attempt) {
        deciding->want = (uint8_t)(deciding->policy.max_attempts - ticket->attempt);
    }
}

static enum frame_verdict
next_refuse(struct service *service, const struct request *request, const struct ticket *ticket,
            uint16_t status, struct zr_builder *reply)
{
    struct zr_route_reply *answer = &service->reply.route_reply;

    memset(answer, 0, sizeof *answer);
    if (ticket != NULL) {
        answer->call_ref = ticket->call_ref;
        answer->zips[0] = ticket->zip;
        answer->revision = ticket->revision;
        answer->attempt = ticket->attempt;
    }
    return dispatch_reply(request, reply, status, 0, answer);
}

/* The cascade has had all its attempts (M4, E37). */
static bool
next_is_exhausted(struct service *service, const struct ticket *ticket, uint8_t index)
{
    struct policy_row policy;

    service_policy(service, ticket->zip, ticket->category, &policy);
    return index + 1 >= policy.max_attempts;
}

static enum frame_verdict
next_decide(struct service *service, const struct request *request, const struct ticket *before,
            struct remembered_call *call, struct zr_builder *reply)
{
    struct deciding deciding = {.request = request};
    enum frame_verdict verdict;
    uint16_t status;

    deciding_follow(service, &deciding, &service->request.route_next_request, before);
    status = deciding_run(service, &deciding, ZR_STATUS_EXHAUSTED, call);
    verdict = dispatch_reply(request, reply, status, 0, &service->reply);
    deciding_remember(service, &deciding, call, status, reply);
    return verdict;
}

enum frame_verdict
route_next_handle(struct service *service, const struct request *request, struct zr_builder *reply)
{
    const struct zr_route_next_request *next = &service->request.route_next_request;
    struct remembered_call *call = NULL;
    struct ticket ticket;
    uint16_t status;

    if (!next_take_ticket(service, request, next, &ticket)) {
        return next_refuse(service, request, NULL, ZR_STATUS_BAD_TICKET, reply);
    }
    status = next_judge_call(service, &ticket, next->index, &call);
    if (status == ZR_STATUS_OVERLOADED) {
        service->overloads++;
        return dispatch_reply(request, reply, status, RETRY_AFTER_MS, NULL);
    }
    if (status == ZR_STATUS_OK && next_is_repeat(&ticket, next->index, call)) {
        return dispatch_repeat(request, call, reply);
    }
    if (status == ZR_STATUS_OK && clock_now_ms(service->options.clock) >= ticket.expires_ms) {
        status = ZR_STATUS_TICKET_EXPIRED;
    }
    if (status == ZR_STATUS_OK && next->outcome == ZR_OUTCOME_CALLER_CANCELLED) {
        calls_set_lease(service->calls, call, 0, 0, 0);
        call->state = REMEMBERED_ABANDONED; /* E34 */
        call->expires_ms = ticket.expires_ms;
        status = ZR_STATUS_ABANDONED;
    }
    if (status == ZR_STATUS_OK && next_is_exhausted(service, &ticket, next->index)) {
        calls_set_lease(service->calls, call, 0, 0, 0);
        status = ZR_STATUS_EXHAUSTED;
    }
    if (status != ZR_STATUS_OK) {
        return next_refuse(service, request, &ticket, status, reply);
    }
    return next_decide(service, request, &ticket, call, reply);
}
