/*
 * event.c - see event.h.
 */
#include "server/domain/event.h"

#include "protocol/check.h"

#include <string.h>

void
event_emit(struct state *state, const struct command *command, const struct event_row *event)
{
    struct event_row row = *event;
    struct contractor_row contractor;

    CHECK(row.type != 0);
    row.time_ms = command->time_ms;
    row.commit_seq = command->seq;
    if (row.audience == 0) {
        row.audience = AUDIENCE_CONTRACTOR;
    }
    if (row.tenant == 0 && row.contractor != 0 &&
        state_contractor_get(state, row.contractor, &contractor)) {
        row.tenant = contractor.tenant;
    }
    state_event_put(state, state_counter_next(state, COUNTER_EVENT), &row);
}

/* What a payments client acts on (M5): of every contractor. */
static bool
event_is_of_payments(const struct event_row *event)
{
    return event->type == ZR_EVENT_TOPUP_REQUESTED || event->type == ZR_EVENT_TOPUP_DONE ||
           event->type == ZR_EVENT_TOPUP_FAILED || event->type == ZR_EVENT_TOPUP_LIMIT ||
           event->type == ZR_EVENT_TOPUP_REVERSED;
}

bool
event_is_visible(const struct event_row *event, const struct command *reader)
{
    const bool own_tenant = event->tenant == reader->tenant;

    /* Not a switch on the enum: a role is a number from a row. */
    switch ((unsigned)reader->role) {
    case ZR_ROLE_ADMIN:
    case ZR_ROLE_AUDITOR:
        return true;
    case ZR_ROLE_PORTAL:
        return event->audience == AUDIENCE_MAP ||
               (event->audience == AUDIENCE_CONTRACTOR && own_tenant);
    case ZR_ROLE_CONTRACTOR:
        return event->audience == AUDIENCE_MAP ||
               (event->audience == AUDIENCE_CONTRACTOR && own_tenant && event->contractor != 0 &&
                event->contractor == reader->contractor);
    case ZR_ROLE_PAYMENTS:
        return event->audience == AUDIENCE_MAP || event_is_of_payments(event);
    case ZR_ROLE_SWITCH:
    case ZR_ROLE_CALLCENTER:
        return event->audience == AUDIENCE_MAP || (event->audience == AUDIENCE_CALLS && own_tenant);
    default:
        return event->audience == AUDIENCE_MAP;
    }
}

void
event_to_wire(struct zr_event *wire, uint64_t event_seq, const struct event_row *event)
{
    *wire = (struct zr_event){
        .event_seq = event_seq,
        .time_ms = event->time_ms,
        .commit_seq = event->commit_seq,
        .claim_id = event->claim_id,
        .number = event->number,
        .deadline_ms = event->deadline_ms,
        .amount_cents = event->amount_cents,
        .call_ref = event->call_ref,
        .contractor = event->contractor,
        .tenant = event->tenant,
        .zip = event->zip,
        .category = event->category,
        .type = event->type,
        .code = event->code,
    };
}

uint16_t
event_ack_apply(struct state *state, const struct command *command,
                const struct zr_events_ack_request *request, struct zr_events_ack_reply *reply,
                struct effects *effects)
{
    uint64_t stored = 0;
    bool known;

    if (request->name[0] == '\0') {
        return command_invalid(effects, &zr_events_ack_request_shape, "name");
    }
    if (request->cursor > state_counter_now(state, COUNTER_EVENT)) {
        return command_invalid(effects, &zr_events_ack_request_shape, "cursor");
    }
    known = state_cursor_get(state, command->principal, request->name, &stored);
    if (!known &&
        state_cursors_count(state, command->principal, EVENT_CURSORS_MAX) == EVENT_CURSORS_MAX) {
        return ZR_STATUS_LIMIT; /* Names are kept for ever. */
    }
    if (known && stored >= request->cursor) {
        /* Told twice, or out of order: what was dealt with stays so. */
        effects->duplicate = true;
        reply->commit_seq = command->seq - 1;
        reply->cursor = stored;
        return ZR_STATUS_OK;
    }
    state_cursor_put(state, command->principal, request->name, request->cursor);
    reply->commit_seq = command->seq;
    reply->cursor = request->cursor;
    return ZR_STATUS_OK;
}
