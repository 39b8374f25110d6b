/*
 * decline.h - DECLINE: the contractor whose phone rings does not want this call (R35).
 *
 * What rings is known to the worker's memory alone, so the worker judges that, and once only; what
 * this rule needs of it stands in the request then (messages.def "filled in by the server").
 */
#ifndef ZR_DECLINE_H
#define ZR_DECLINE_H

#include "server/domain/command.h"

uint16_t decline_apply(struct state *state, const struct command *command,
                       const struct zr_decline_request *request, struct zr_decline_reply *reply,
                       struct effects *effects);

#endif
