/*
 * decline.c - see decline.h.
 */
#include "server/domain/decline.h"

#include "server/domain/event.h"

uint16_t
decline_apply(struct state *state, const struct command *command,
              const struct zr_decline_request *request, struct zr_decline_reply *reply,
              struct effects *effects)
{
    struct contractor_row contractor;
    const struct event_row event = {
        .call_ref = request->call_ref,
        .number = request->index,
        .contractor = request->contractor,
        .tenant = request->tenant,
        .zip = request->zip,
        .category = request->category,
        .type = ZR_EVENT_CALL_DECLINED,
        .code = ZR_OUTCOME_DECLINED,
        .audience = AUDIENCE_CALLS,
    };

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    event_emit(state, command, &event);
    effects->journal = true;
    *reply = (struct zr_decline_reply){.call_ref = request->call_ref,
                                       .commit_seq = command->seq,
                                       .contractor = request->contractor};
    return ZR_STATUS_OK;
}
