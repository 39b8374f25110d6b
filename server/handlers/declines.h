/*
 * declines.h - DECLINE: the contractor whose phone rings does not want the call (R35).
 *
 * Who rings is known to this worker's memory only: whoever has the call's lease. So the worker
 * judges, gives the lease back with the job, and writes into the request what the rule needs to
 * tell the switch. The switch then asks ROUTE_NEXT; no later decision offers the call to that
 * contractor again.
 */
#ifndef ZR_DECLINES_H
#define ZR_DECLINES_H

#include "server/handlers/service.h"

enum frame_verdict decline_handle(struct service *service, const struct request *request,
                                  const struct zr_operation *operation, struct zr_builder *reply);

/* The job was not executed: the phone rings on. */
void decline_take_back(struct service *service, const struct job *job);

/* The committer answered. */
void decline_done(struct service *service, const struct job *job);

#endif
