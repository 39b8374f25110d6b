/*
 * dispatch.c - see dispatch.h.
 */
#include "server/handlers/dispatch.h"

#include "protocol/check.h"
#include "server/handlers/call_reports.h"
#include "server/handlers/declines.h"
#include "server/handlers/explain.h"
#include "server/handlers/map.h"
#include "server/handlers/route.h"
#include "server/handlers/session.h"
#include "server/handlers/subscriptions.h"

#include <string.h>

enum { RETRY_AFTER_MS = 20 };

static enum frame_verdict
reply_encode(const struct request *request, struct zr_builder *reply, struct zr_header *header,
             const void *body)
{
    const struct zr_operation *operation =
        zr_operation_find(request->header.op & (uint16_t)~ZR_OP_RESPONSE);
    const struct zr_shape *shape = operation == NULL ? &zr_empty_shape : operation->reply;

    header->op = request->header.op | ZR_OP_RESPONSE;
    header->version = request->header.version;
    header->id = request->header.id;
    zr_message_encode(reply, header, shape, body);
    CHECK(!reply->failed);
    return zr_status_class(header->status) >= ZR_CLASS_PROTOCOL ? FRAME_CLOSE : FRAME_REPLIED;
}

enum frame_verdict
dispatch_reply(const struct request *request, struct zr_builder *reply, uint16_t status,
               uint16_t detail, const void *body)
{
    struct zr_header header = {.status = status, .detail = detail};

    return reply_encode(request, reply, &header, body);
}

enum frame_verdict
dispatch_repeat(const struct request *request, const struct remembered_call *call,
                struct zr_builder *reply)
{
    struct zr_header header;

    CHECK(call->reply_bytes >= ZR_HEADER_BYTES);
    zr_builder_put_bytes(reply, call->reply, call->reply_bytes);
    zr_header_decode(&header, reply->bytes);
    header.op = request->header.op | ZR_OP_RESPONSE;
    header.id = request->header.id;
    header.flags |= ZR_FLAG_DUPLICATE;
    zr_header_encode(reply->bytes, &header);
    return FRAME_REPLIED;
}

void
dispatch_encode_request(struct job *job, const void *message)
{
    struct zr_builder builder;

    zr_builder_init(&builder, job->frame, sizeof job->frame);
    zr_message_encode(&builder, &job->header, job->operation->request, message);
    CHECK(!builder.failed);
    zr_header_decode(&job->header, job->frame);
}

enum frame_verdict
dispatch_submit(struct service *service, struct job *job, const struct request *request,
                struct zr_builder *reply)
{
    if (committer_submit(service->options.committer, job)) {
        return FRAME_DEFERRED;
    }
    call_report_take_back(service, job);
    service_give_job(service, job);
    service->overloads++;
    return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
}

/* Role and mode. BENCH operations exist only where the server was started for them. */
static uint16_t
operation_judge(const struct service *service, const struct session *session,
                const struct zr_operation *operation)
{
    if ((operation->roles & 1u << session->role) == 0) {
        return ZR_STATUS_FORBIDDEN;
    }
    if (operation->op == ZR_OP_CLOCK_ADVANCE && !service->options.clock->manual) {
        return ZR_STATUS_BENCH_ONLY;
    }
    return ZR_STATUS_OK;
}

static enum frame_verdict
dispatch_to_committer(struct service *service, const struct request *request,
                      const struct zr_operation *operation, struct zr_builder *reply)
{
    struct job *job = service_take_job(service, request, operation);

    if (job == NULL) {
        service->overloads++;
        return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
    }
    return dispatch_submit(service, job, request, reply);
}

/* Reads that a rule answers from this turn's snapshot. */
static enum frame_verdict
dispatch_to_snapshot(struct service *service, const struct request *request,
                     const struct zr_operation *operation, struct zr_builder *reply)
{
    struct state *snapshot = service_snapshot(service);
    const struct command command = {
        .seq = service->head.commit_seq + 1,
        .time_ms = clock_now_ms(service->options.clock),
        .tenant = request->session->tenant,
        .contractor = request->session->contractor,
        .role = request->session->role,
        .op = request->header.op,
    };
    struct effects effects = {0};
    uint16_t status;

    memset(&service->reply, 0, operation->reply->struct_bytes);
    status = command_apply(snapshot, &command, &service->request, &service->reply, &effects);
    if (zr_status_class(status) != ZR_CLASS_DONE && zr_status_class(status) != ZR_CLASS_REFUSED) {
        return dispatch_reply(request, reply, status, effects.detail, NULL);
    }
    return dispatch_reply(request, reply, status, 0, &service->reply);
}

/* The request is decoded: to its handler. */
static enum frame_verdict
dispatch_to_handler(struct service *service, const struct request *request,
                    const struct zr_operation *operation, struct zr_builder *reply)
{
    /* Not a switch on the enum: most operations share the way at the end. */
    switch ((unsigned)operation->op) {
    case ZR_OP_PING:
        return session_ping(service, request, reply);
    case ZR_OP_ECHO:
        return session_echo(service, request, reply);
    case ZR_OP_SERVER_STATS:
        return session_stats(service, request, reply);
    case ZR_OP_ROUTE:
        return route_handle(service, request, reply);
    case ZR_OP_ROUTE_NEXT:
        return route_next_handle(service, request, reply);
    case ZR_OP_CONNECT:
        return call_connect_handle(service, request, operation, reply);
    case ZR_OP_QUALIFY:
    case ZR_OP_KEEPALIVE:
        return call_qualify_handle(service, request, operation, reply);
    case ZR_OP_END:
        return call_end_handle(service, request, operation, reply);
    case ZR_OP_DECLINE:
        return decline_handle(service, request, operation, reply);
    case ZR_OP_EXPLAIN:
        return explain_handle(service, request, operation, reply);
    case ZR_OP_AVAILABILITY:
        return map_availability(service, request, reply);
    case ZR_OP_MAP_SNAPSHOT:
        return map_snapshot(service, request, reply);
    case ZR_OP_MAP_SUBSCRIBE:
        return subscriptions_follow_map(service, request, reply);
    case ZR_OP_EVENTS_SUBSCRIBE:
        return subscriptions_follow_events(service, request, reply);
    default:
        break;
    }
    if (operation->kind == ZR_OP_KIND_SNAPSHOT) {
        return dispatch_to_snapshot(service, request, operation, reply);
    }
    return dispatch_to_committer(service, request, operation, reply);
}

static enum frame_verdict
dispatch_decoded(struct service *service, const struct request *request,
                 const struct zr_operation *operation, struct zr_builder *reply)
{
    const enum frame_verdict verdict = dispatch_to_handler(service, request, operation, reply);

    service_judge_snapshot(service);
    return verdict;
}

/* Frame and version. Returns the operation, or NULL with the status. */
static const struct zr_operation *
frame_judge(const struct request *request, uint16_t *status)
{
    const struct zr_header *header = &request->header;
    const struct zr_operation *operation = zr_operation_find(header->op);

    *status = ZR_STATUS_OK;
    if (operation == NULL || operation->kind == ZR_OP_KIND_PUSH ||
        operation->kind == ZR_OP_KIND_SYSTEM) {
        *status = ZR_STATUS_UNKNOWN_OP;
    } else if (header->version == 0 || header->version > operation->version) {
        *status = ZR_STATUS_UNSUPPORTED_VERSION;
    } else if ((header->flags & ZR_FLAGS_CRITICAL & ~ZR_FLAG_RETRY) != 0) {
        *status = ZR_STATUS_UNSUPPORTED_FLAG;
    }
    return *status == ZR_STATUS_OK ? operation : NULL;
}

enum frame_verdict
dispatch_frame(void *context, const struct request *request, struct zr_builder *reply)
{
    struct service *service = context;
    const struct zr_operation *operation;
    uint16_t detail = 0;
    uint16_t status;

    service->requests++;
    operation = frame_judge(request, &status);
    if (operation == NULL) {
        const enum frame_verdict verdict = dispatch_reply(request, reply, status, 0, NULL);

        /* Before HELLO_OK this was the HELLO, and there is no second one. */
        return request->session->ready ? verdict : FRAME_CLOSE;
    }
    if (operation->op == ZR_OP_HELLO) {
        return session_hello(service, request, reply);
    }
    CHECK(request->session->ready);
    if (!session_check(service, request->session)) {
        (void)dispatch_reply(request, reply, ZR_STATUS_UNAUTHENTICATED, 0, NULL);
        return FRAME_CLOSE;
    }
    status = operation_judge(service, request->session, operation);
    if (status != ZR_STATUS_OK) {
        return dispatch_reply(request, reply, status, 0, NULL);
    }
    if (operation->kind == ZR_OP_KIND_KEYED) {
        /* Idempotency is judged before fields, and by the committer: it decodes. */
        return dispatch_to_committer(service, request, operation, reply);
    }
    if (zr_message_decode(&service->request, &detail, operation->request, &request->header,
                          request->frame) != ZR_DECODE_OK) {
        return dispatch_reply(request, reply, ZR_STATUS_INVALID_FIELD, detail, NULL);
    }
    return dispatch_decoded(service, request, operation, reply);
}
