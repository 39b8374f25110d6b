/*
 * route.h - ROUTE and ROUTE_NEXT: decide on the snapshot, lease, sign, answer.
 *
 * Nothing here waits for the disk and nothing is allocated. A query (hold = 0) takes no lease,
 * is not remembered, leaves no record, and its ticket settles nothing. See architecture.md
 * "A ROUTE, as data".
 */
#ifndef ZR_ROUTE_H
#define ZR_ROUTE_H

#include "server/handlers/service.h"

enum { ROUTE_FLAG_CONFIRMED = 1, ROUTE_FLAG_HOLD = 2, ROUTE_FLAG_EXPLAIN = 4, ROUTE_FLAGS = 7 };

enum frame_verdict route_handle(struct service *service, const struct request *request,
                                struct zr_builder *reply);
enum frame_verdict route_next_handle(struct service *service, const struct request *request,
                                     struct zr_builder *reply);

#endif
