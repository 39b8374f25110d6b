/*
 * declines.c - see declines.h.
 */
#include "server/handlers/declines.h"

#include "protocol/check.h"
#include "server/handlers/dispatch.h"

#include <string.h>

enum { RETRY_AFTER_MS = 20 };

static struct remembered_decline *
decline_find(struct remembered_call *call, uint32_t contractor)
{
    for (uint8_t i = 0; i < call->declines_count; i++) {
        if (call->declines[i].contractor == contractor) {
            return &call->declines[i];
        }
    }
    return NULL;
}

static void
decline_remove(struct remembered_call *call, struct remembered_decline *decline)
{
    *decline = call->declines[--call->declines_count];
}

/* Who has the call's lease is the first candidate of its newest ticket, and rings. */
static bool
contractor_rings(const struct service *service, const struct remembered_call *call,
                 uint32_t contractor, struct ticket *ticket)
{
    return call->state == REMEMBERED_RINGING && call->lease_contractor == contractor &&
           clock_now_ms(service->options.clock) < call->lease_expires_ms &&
           ticket_decode(ticket, call->ticket, call->ticket_length) &&
           ticket->candidates[0].contractor == contractor && call->declines_count < CALL_LEGS_MAX;
}

/*
 * Is it the asker's contractor, and did it decline already, or does its phone ring? Then the
 * request is filled with what the rule needs.
 */
static uint16_t
decline_judge(struct service *service, const struct session *session,
              struct zr_decline_request *request, struct remembered_call **call)
{
    const struct command asker = {
        .tenant = session->tenant, .contractor = session->contractor, .role = session->role};
    struct contractor_row contractor;
    struct ticket ticket;

    if (!state_contractor_get(service_snapshot(service), request->contractor, &contractor) ||
        !command_owns(&asker, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    *call = calls_find_ref(service->calls, &request->call_ref);
    if (*call == NULL) {
        return ZR_STATUS_NOT_RINGING;
    }
    if (decline_find(*call, request->contractor) != NULL) {
        return ZR_STATUS_OK;
    }
    if (!contractor_rings(service, *call, request->contractor, &ticket)) {
        return ZR_STATUS_NOT_RINGING;
    }
    request->tenant = (*call)->tenant;
    request->zip = ticket.zip;
    request->category = ticket.category;
    request->index = ticket.attempt;
    return ZR_STATUS_OK;
}

/* Said before: the same answer, once there is one. */
static enum frame_verdict
decline_repeat(struct service *service, const struct request *request,
               const struct remembered_decline *decline, struct zr_builder *reply)
{
    struct zr_decline_reply *answer = &service->reply.decline_reply;
    struct zr_header header;

    if (decline->commit_seq == 0) {
        return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
    }
    *answer = (struct zr_decline_reply){.call_ref = service->request.decline_request.call_ref,
                                        .commit_seq = decline->commit_seq,
                                        .contractor = decline->contractor};
    (void)dispatch_reply(request, reply, ZR_STATUS_OK, 0, answer);
    zr_header_decode(&header, reply->bytes);
    header.flags |= ZR_FLAG_DUPLICATE;
    zr_header_encode(reply->bytes, &header);
    return FRAME_REPLIED;
}

enum frame_verdict
decline_handle(struct service *service, const struct request *request,
               const struct zr_operation *operation, struct zr_builder *reply)
{
    struct zr_decline_request *decline = &service->request.decline_request;
    struct remembered_call *call = NULL;
    const struct remembered_decline *before;
    struct job *job;
    const uint16_t status = decline_judge(service, request->session, decline, &call);

    if (status != ZR_STATUS_OK) {
        memset(&service->reply, 0, operation->reply->struct_bytes);
        return dispatch_reply(request, reply, status, 0, &service->reply);
    }
    before = decline_find(call, decline->contractor);
    if (before != NULL) {
        return decline_repeat(service, request, before, reply);
    }
    job = service_take_job(service, request, operation);
    if (job == NULL) {
        service->overloads++;
        return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
    }
    dispatch_encode_request(job, decline);
    job->call_id = decline->call_ref;
    calls_hand_over_lease(call, &job->lease_contractor, &job->lease_cents);
    call->declines[call->declines_count++] =
        (struct remembered_decline){.contractor = decline->contractor};
    return dispatch_submit(service, job, request, reply);
}

/* Whose decline the job carries, and in *call of which call; NULL when that is forgotten. */
static struct remembered_decline *
job_decline(struct service *service, const struct job *job, struct remembered_call **call)
{
    struct zr_decline_request request;
    uint16_t invalid_at;

    *call = calls_find_ref(service->calls, &job->call_id);
    if (*call == NULL || zr_message_decode(&request, &invalid_at, job->operation->request,
                                           &job->header, job->frame) != ZR_DECODE_OK) {
        return NULL;
    }
    return decline_find(*call, request.contractor);
}

void
decline_take_back(struct service *service, const struct job *job)
{
    struct remembered_call *call;
    struct remembered_decline *decline = job_decline(service, job, &call);

    if (decline != NULL) {
        decline_remove(call, decline);
    }
    if (job->lease_contractor != 0) {
        calls_take_back_lease(service->calls, call, job, clock_now_ms(service->options.clock));
    }
}

void
decline_done(struct service *service, const struct job *job)
{
    struct remembered_call *call;
    struct remembered_decline *decline;
    struct zr_header header;
    uint16_t invalid_at;

    zr_header_decode(&header, job->reply);
    if (job->status != ZR_STATUS_OK ||
        zr_message_decode(&service->reply, &invalid_at, job->operation->reply, &header,
                          job->reply) != ZR_DECODE_OK) {
        decline_take_back(service, job);
        return;
    }
    decline = job_decline(service, job, &call);
    if (decline != NULL) {
        decline->commit_seq = service->reply.decline_reply.commit_seq;
    }
}
