/*
 * explain.c - see explain.h.
 */
#include "server/handlers/explain.h"

#include "protocol/check.h"
#include "server/handlers/dispatch.h"

#include <string.h>

enum { RETRY_AFTER_MS = 20 };

/* The request as the committer gets it: with the call's name, when it is known here. */
static void
question_name(struct service *service, const struct request *request,
              struct zr_explain_request *question)
{
    static const struct zr_id none;
    const struct remembered_call *call;

    if (memcmp(&question->call_ref, &none, sizeof none) != 0 ||
        memcmp(&question->call_id, &none, sizeof none) == 0) {
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
    struct job *job = service_take_job(service, request, operation);
    struct zr_header header = request->header;
    struct zr_builder frame;

    if (job == NULL) {
        service->overloads++;
        return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
    }
    question_name(service, request, &service->request.explain_request);
    zr_builder_init(&frame, job->frame, sizeof job->frame);
    zr_message_encode(&frame, &header, operation->request, &service->request);
    CHECK(!frame.failed);
    zr_header_decode(&job->header, job->frame);
    return dispatch_submit(service, job, request, reply);
}
