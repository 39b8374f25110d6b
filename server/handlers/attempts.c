/*
 * attempts.c - see attempts.h.
 */
#include "server/handlers/attempts.h"

#include "protocol/check.h"

#include <string.h>

static bool
ticket_has_tried(const struct ticket *ticket, uint32_t contractor)
{
    for (uint8_t i = 0; i < ticket->tried_count; i++) {
        if (ticket->tried[i] == contractor) {
            return true;
        }
    }
    return false;
}

void
attempts_end(struct ticket *ticket, const struct ticket *before, uint8_t index)
{
    *ticket = *before;
    for (uint8_t i = before->attempt; i <= index; i++) {
        const struct ticket_candidate *candidate = ticket_candidate_at(before, i);

        CHECK(candidate != NULL);
        CHECK(ticket->tried_count < TICKET_TRIED_MAX);
        ticket->tried[ticket->tried_count++] = candidate->contractor;
    }
    ticket->attempt = (uint8_t)(index + 1);
    ticket->candidates_count = 0;
}

void
attempts_remember(struct remembered_call *call, const struct ticket *ticket)
{
    _Static_assert(sizeof call->tried == sizeof ticket->tried, "the same list");
    call->revision = ticket->revision;
    call->attempt = ticket->attempt;
    call->tried_count = ticket->tried_count;
    memcpy(call->tried, ticket->tried, sizeof call->tried);
}

void
attempts_carry(const struct remembered_call *call, struct ticket *ticket)
{
    ticket->attempt = call->attempt;
    ticket->tried_count = call->tried_count;
    memcpy(ticket->tried, call->tried, sizeof ticket->tried);
    for (uint8_t i = 0; i < call->declines_count; i++) {
        const uint32_t contractor = call->declines[i].contractor;

        if (!ticket_has_tried(ticket, contractor) && ticket->tried_count < TICKET_TRIED_MAX) {
            ticket->tried[ticket->tried_count++] = contractor;
            ticket->attempt++; /* Its phone rang: an attempt of the call. */
        }
    }
}

void
attempts_list(struct zr_route_reply *reply, const struct ticket *ticket)
{
    reply->skipped_count = 0;
    for (uint8_t i = 0; i < ticket->tried_count; i++) {
        reply->skipped[reply->skipped_count++] =
            (struct zr_skipped){ticket->tried[i], REASON_ALREADY_TRIED};
    }
}
