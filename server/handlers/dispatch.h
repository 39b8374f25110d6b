/*
 * dispatch.h - from a frame to the handler of its operation, and replies on their way back.
 *
 * The order of judgement is contract (protocol.md "Status"): frame, version, role, deadline,
 * then what the committer judges. Default deny: an operation that messages.def does not give to
 * a role is FORBIDDEN for it.
 */
#ifndef ZR_DISPATCH_H
#define ZR_DISPATCH_H

#include "server/handlers/service.h"

/* frame_fn of base/request.h. */
enum frame_verdict dispatch_frame(void *context, const struct request *request,
                                  struct zr_builder *reply);

/* Append a reply: header from the request, `body` NULL for classes without one. */
enum frame_verdict dispatch_reply(const struct request *request, struct zr_builder *reply,
                                  uint16_t status, uint16_t detail, const void *body);

/* The remembered reply of the same question, under this request's op and id. */
enum frame_verdict dispatch_repeat(const struct request *request,
                                   const struct remembered_call *call, struct zr_builder *reply);

/* Write the request into the job again after the worker added to it. */
void dispatch_encode_request(struct job *job, const void *message);

/* Hand the frame to the committer. */
enum frame_verdict dispatch_submit(struct service *service, struct job *job,
                                   const struct request *request, struct zr_builder *reply);

#endif
