/*
 * route_next.c - ROUTE_NEXT: the one that rang did not take the call; who is next? See route.h.
 *
 * The ticket carries who was tried, so this works on any node; the memory of this one only adds
 * that a repeat gets the same answer and that an older ticket is told so.
 */
#include "protocol/check.h"
#include "server/handlers/attempts.h"
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
    return ticket_verify(next->ticket, next->ticket_length, service_keys(service),
                         clock_now_ms(service->options.clock), service->mac) &&
           ticket_decode(ticket, next->ticket, next->ticket_length) &&
           ticket->tenant == request->session->tenant && ticket->mode != TICKET_QUERY &&
           ticket_candidate_at(ticket, next->index) != NULL;
}

/* Does the ticket say that this contractor had his turn, up to that attempt of it? */
static bool
ticket_knows(const struct ticket *ticket, uint8_t index, uint32_t contractor)
{
    for (uint8_t i = 0; i < ticket->tried_count; i++) {
        if (ticket->tried[i] == contractor) {
            return true;
        }
    }
    for (uint8_t i = ticket->attempt; i <= index; i++) {
        const struct ticket_candidate *candidate = ticket_candidate_at(ticket, i);

        if (candidate != NULL && candidate->contractor == contractor) {
            return true;
        }
    }
    return false;
}

/* The call's row: by a name that the call may have, since the index by call id lags by its fold; by
 * that index where it got its name from another ticket. */
static bool
next_find_row(struct service *service, const struct ticket *ticket, const struct zr_id *name,
              struct call_row *row)
{
    struct state *snapshot = service_snapshot(service);
    struct zr_id call_ref;

    return state_call_get(snapshot, name, row) ||
           (state_call_find(snapshot, ticket->tenant, &ticket->call_id, &call_ref) &&
            state_call_get(snapshot, &call_ref, row));
}

/* A leg of a later ticket that this one knows nothing of: who has talked to the caller is not
 * offered again (R35, E33). */
static bool
row_has_later_leg(const struct call_row *row, const struct ticket *ticket, uint8_t index)
{
    for (uint8_t i = 0; i < row->legs_count; i++) {
        const struct call_leg_row *leg = &row->legs[i];

        if (leg->issued_ms >= ticket->issued_ms && !ticket_knows(ticket, index, leg->contractor)) {
            return true;
        }
    }
    return false;
}

/* Memory does not know the call: the table may, and arbitrates (M6). */
static uint16_t
next_judge_row(struct service *service, const struct ticket *ticket, uint8_t index)
{
    struct call_row row;

    if (!next_find_row(service, ticket, &ticket->call_ref, &row)) {
        return ZR_STATUS_OK;
    }
    if (row.revision > ticket->revision) {
        return ZR_STATUS_TICKET_SUPERSEDED;
    }
    if (row.state == ZR_CALL_RINGING && row_has_later_leg(&row, ticket, index)) {
        return ZR_STATUS_TICKET_SUPERSEDED;
    }
    if (row.state == ZR_CALL_ABANDONED) {
        return ZR_STATUS_ABANDONED;
    }
    return row.state == ZR_CALL_RINGING ? ZR_STATUS_OK : ZR_STATUS_CALL_CONNECTED;
}

/* Has somebody talked to the caller? Its row knows, while memory is about to begin anew. */
static bool
call_had_leg(struct service *service, const struct ticket *ticket)
{
    struct call_row row;

    return next_find_row(service, ticket, &ticket->call_ref, &row) && row.legs_count > 0;
}

/* A ticket of before a restart has attempts of its own: what memory says of legs counts in those of
 * another. The row tells who it was. */
static bool
call_had_other_leg(struct service *service, const struct ticket *ticket, uint8_t index,
                   const struct remembered_call *call)
{
    struct call_row row;

    if (!call->connected_once ||
        memcmp(&ticket->call_ref, &call->call_ref, sizeof call->call_ref) == 0) {
        return false;
    }
    return (next_find_row(service, ticket, &call->call_ref, &row) ||
            state_call_get(service_snapshot(service), &ticket->call_ref, &row)) &&
           row_has_later_leg(&row, ticket, index);
}

/* Is the ticket good, and its call still there to be routed? In the order of outcomes.def. */
static uint16_t
next_judge(struct service *service, const struct ticket *ticket, uint8_t index,
           const struct remembered_call *call)
{
    if (clock_now_ms(service->options.clock) >= ticket->expires_ms) {
        return ZR_STATUS_TICKET_EXPIRED;
    }
    if (call == NULL) {
        return next_judge_row(service, ticket, index);
    }
    if (call->revision > ticket->revision || call->attempt > index + 1 ||
        (call->state == REMEMBERED_RINGING &&
         (call->legs_end > index + 1 || call_had_other_leg(service, ticket, index, call)))) {
        return ZR_STATUS_TICKET_SUPERSEDED;
    }
    switch ((enum remembered_state)call->state) {
    case REMEMBERED_CONNECTED:
    case REMEMBERED_ENDED:
        return ZR_STATUS_CALL_CONNECTED;
    case REMEMBERED_ABANDONED:
        return ZR_STATUS_ABANDONED;
    case REMEMBERED_RINGING:
        break;
    }
    return ZR_STATUS_OK;
}

/* A repeat of the question that the newest ticket answered, which lives, and nobody of it has
 * answered yet. */
static bool
next_is_repeat(const struct service *service, const struct ticket *ticket, uint8_t index,
               const struct remembered_call *call)
{
    return call->reply_bytes > 0 && call->state == REMEMBERED_RINGING &&
           call->revision == ticket->revision && call->attempt == index + 1 &&
           call->legs_end <= index + 1 && clock_now_ms(service->options.clock) < call->expires_ms;
}

/* Everyone up to the attempt that ended has had his turn. */
static void
deciding_follow(struct service *service, struct deciding *deciding,
                const struct zr_route_next_request *next, const struct ticket *before)
{
    struct ticket *ticket = &deciding->ticket;

    attempts_end(ticket, before, next->index);
    deciding->now_ms = clock_now_ms(service->options.clock);
    deciding->hold = true;
    deciding->explain = next->explain;
    service_policy(service, ticket->zip, ticket->category, &deciding->policy);
    deciding->want = before->mode == TICKET_STEP ? 1 : TICKET_CANDIDATES_MAX;
    if (ticket->attempt >= deciding->policy.max_attempts || deciding_budget_is_over(deciding)) {
        deciding->want = 0; /* E37: no attempt, or no time, is left. */
    } else if (deciding->want > deciding->policy.max_attempts - ticket->attempt) {
        deciding->want = (uint8_t)(deciding->policy.max_attempts - ticket->attempt);
    }
}

/* Tell the log that the contractor missed the call: its answer rate counts every miss (R62), and
 * cool-down and a destination that fails some (M3). Once: a repeat finds the call at its next
 * attempt. */
static void
next_tell_outcome(struct service *service, const struct ticket *before,
                  const struct remembered_call *call)
{
    const struct zr_route_next_request *next = &service->request.route_next_request;
    const struct ticket_candidate *candidate = ticket_candidate_at(before, next->index);

    CHECK(candidate != NULL);
    if (call->attempt <= next->index) {
        (void)deciding_ring(service, before, candidate, next->outcome);
    }
}

static void
next_fill(struct zr_route_reply *answer, const struct ticket *ticket)
{
    memset(answer, 0, sizeof *answer);
    answer->call_ref = ticket->call_ref;
    answer->zips[0] = ticket->zip;
    answer->revision = ticket->revision;
    answer->attempt = ticket->attempt;
}

static enum frame_verdict
next_refuse(struct service *service, const struct request *request, const struct ticket *ticket,
            uint16_t status, struct zr_builder *reply)
{
    static const struct ticket none = {.candidates_count = 0};
    struct zr_route_reply *answer = &service->reply.route_reply;

    next_fill(answer, ticket == NULL ? &none : ticket);
    return dispatch_reply(request, reply, status, 0, answer);
}

/* Nobody is asked any more. The call's memory goes on: a repeat gets the same list (E37). */
static enum frame_verdict
next_exhausted(struct service *service, const struct deciding *deciding,
               struct remembered_call *call, struct zr_builder *reply)
{
    struct zr_route_reply *answer = &service->reply.route_reply;

    calls_set_lease(service->calls, call, 0, 0, 0);
    calls_name(service->calls, call, &deciding->ticket.call_ref);
    attempts_remember(call, &deciding->ticket);
    call->state = REMEMBERED_RINGING;
    call->expires_ms = deciding->ticket.expires_ms;
    call->reply_bytes = 0;
    next_fill(answer, &deciding->ticket);
    attempts_list(answer, &deciding->ticket);
    return dispatch_reply(deciding->request, reply, ZR_STATUS_EXHAUSTED, 0, answer);
}

static enum frame_verdict
next_decide(struct service *service, const struct request *request, const struct ticket *before,
            struct remembered_call *call, struct zr_builder *reply)
{
    struct deciding deciding = {.request = request};
    enum frame_verdict verdict;
    uint16_t status;

    deciding_follow(service, &deciding, &service->request.route_next_request, before);
    next_tell_outcome(service, before, call);
    if (deciding.want == 0) {
        return next_exhausted(service, &deciding, call, reply);
    }
    status = deciding_run(service, &deciding, ZR_STATUS_EXHAUSTED, call);
    verdict = dispatch_reply(request, reply, status, 0, &service->reply);
    deciding_remember(service, &deciding, call, status, reply);
    return verdict;
}

/* A call that this process hears of by its ROUTE_NEXT; NULL when no more can be remembered. */
static struct remembered_call *
call_learn(struct service *service, const struct ticket *ticket)
{
    struct remembered_call *call = calls_add(service->calls, ticket->tenant, &ticket->call_id,
                                             clock_now_ms(service->options.clock));

    if (call != NULL) {
        calls_name(service->calls, call, &ticket->call_ref);
        call->connected_once = call_had_leg(service, ticket); /* E32 */
    }
    return call;
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
    call = calls_find(service->calls, ticket.tenant, &ticket.call_id);
    if (call != NULL && next_is_repeat(service, &ticket, next->index, call)) {
        return dispatch_repeat(request, call, reply);
    }
    status = next_judge(service, &ticket, next->index, call);
    if (status == ZR_STATUS_OK && call == NULL) {
        call = call_learn(service, &ticket);
        if (call == NULL) {
            service->overloads++;
            return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
        }
    }
    if (status == ZR_STATUS_OK && (call->ticket_length == 0 || call->revision < ticket.revision)) {
        call->revision = ticket.revision; /* The newest that is known (M6). */
        call->ticket_length = (uint8_t)next->ticket_length;
        memcpy(call->ticket, next->ticket, next->ticket_length);
    }
    if (status == ZR_STATUS_OK && next->outcome == ZR_OUTCOME_CALLER_CANCELLED) {
        calls_set_lease(service->calls, call, 0, 0, 0);
        call->state = REMEMBERED_ABANDONED; /* E34 */
        call->expires_ms = ticket.expires_ms;
        status = ZR_STATUS_ABANDONED;
    }
    if (status != ZR_STATUS_OK) {
        return next_refuse(service, request, &ticket, status, reply);
    }
    return next_decide(service, request, &ticket, call, reply);
}
