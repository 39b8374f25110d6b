/*
 * explain.h - EXPLAIN on its way to the committer.
 *
 * The records of a call are under its call_ref. A switch asks by its own call_id, and until that
 * call is connected only the worker's memory knows which call_ref it has.
 */
#ifndef ZR_HANDLERS_EXPLAIN_H
#define ZR_HANDLERS_EXPLAIN_H

#include "server/handlers/service.h"

enum frame_verdict explain_handle(struct service *service, const struct request *request,
                                  const struct zr_operation *operation, struct zr_builder *reply);

#endif
