/*
 * explain.c - see explain.h.
 */
#include "server/handlers/explain.h"

#include "protocol/check.h"
#include "server/handlers/dispatch.h"

enum { RETRY_AFTER_MS = 20 };

/* The request as the committer gets it: with the call's name, when it is known here. */
static void
question_name(struct service *service, const struct request *request,
              struct zr_explain_request *question)
{
    const struct remembered_call *call;

    if (!command_id_is_none(&question->call_ref)) {
        return;
    }
    /* Other roles do not name calls so: they would reach their tenant's without owning them. */
    if (request->session->role != ZR_ROLE_SWITCH && request->session->role != ZR_ROLE_CALLCENTER) {
        return;
    }
    call = calls_find(service->calls, request->session->tenant, &question->call_id);
    if (call != NULL) {
        question->call_ref = call->call_ref;
    }
}

enum frame_verdict
explain_handle(struct service *service, const struct request *request,
               const struct zr_operation *operation, struct zr_builder *reply)
{
    struct zr_explain_request *question = &service->request.explain_request;
    const bool by_id = !command_id_is_none(&question->call_id);
    struct zr_header header = request->header;
    struct zr_builder frame;
    struct job *job;

    if (by_id != command_id_is_none(&question->call_ref)) {
        return dispatch_reply(
            request, reply, ZR_STATUS_INVALID_FIELD,
            zr_shape_offset_of(&zr_explain_request_shape, by_id ? "call_ref" : "call_id"), NULL);
    }
    job = service_take_job(service, request, operation);
    if (job == NULL) {
        service->overloads++;
        return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
    }
    question_name(service, request, question);
    zr_builder_init(&frame, job->frame, sizeof job->frame);
    zr_message_encode(&frame, &header, operation->request, &service->request);
    CHECK(!frame.failed);
    zr_header_decode(&job->header, job->frame);
    return dispatch_submit(service, job, request, reply);
}
