/*
 * people_status.c - CONTRACTOR_STATUS: an operator's word about a contractor, and what it sets in
 * motion (R1, M2 "SUSPENDED", "LICENCE_LAPSED", M4 "CLOSING"). See people.h.
 *
 * What reaches over all its claims is work (timer.h), so this command stays small.
 */
#include "protocol/check.h"
#include "server/domain/condition.h"
#include "server/domain/payout.h"
#include "server/domain/people.h"
#include "server/domain/timer.h"

static bool
status_is_closing(uint8_t status)
{
    return status == ZR_CONTRACTOR_CLOSING || status == ZR_CONTRACTOR_CLOSED;
}

/* An account that closes stays on its way: CLOSING may only become CLOSED. */
static uint16_t
status_judge(const struct contractor_row *row, uint8_t status)
{
    const bool back = row->status == ZR_CONTRACTOR_CLOSED ? status != ZR_CONTRACTOR_CLOSED
                                                          : !status_is_closing(status);

    return status_is_closing(row->status) && back ? ZR_STATUS_ACCOUNT_CLOSED : ZR_STATUS_OK;
}

/* Its titles have 14 days. The clock goes on until it is APPROVED. */
static void
suspend(struct state *state, const struct command *command, uint32_t contractor,
        struct contractor_row *row)
{
    struct condition_clock clock = {.condition = CONDITION_SUSPENDED,
                                    .grace_ms = CONDITION_SUSPENDED_MS};

    if (row->suspended_deadline_ms == 0) {
        clock.deadline_ms = command->time_ms + clock.grace_ms;
        row->suspended_deadline_ms = clock.deadline_ms;
        condition_arm_contractor(state, command, contractor, &clock);
    }
}

/* Claims, offers and places on waitlists end now, the money in 30 days (payout.h). */
static void
start_closing(struct state *state, const struct command *command, uint32_t contractor,
              struct contractor_row *row)
{
    if (row->closing_ms != 0) {
        return;
    }
    row->closing_ms = command->time_ms;
    timer_set_work(state, command,
                   &(struct timer_row){.kind = TIMER_END_CLAIMS, .contractor = contractor});
    payout_arm(state, command, contractor, row->closing_ms);
}

static void
status_change(struct state *state, const struct command *command, uint32_t contractor,
              struct contractor_row *row)
{
    switch ((enum zr_contractor_status)row->status) {
    case ZR_CONTRACTOR_APPROVED:
        row->suspended_deadline_ms = 0;
        break;
    case ZR_CONTRACTOR_SUSPENDED:
        suspend(state, command, contractor, row);
        /* Offers of a title are taken back. */
        timer_set_work(state, command,
                       &(struct timer_row){.kind = TIMER_CANCEL_OFFERS, .contractor = contractor});
        break;
    case ZR_CONTRACTOR_CLOSING:
    case ZR_CONTRACTOR_CLOSED:
        start_closing(state, command, contractor, row);
        break;
    case ZR_CONTRACTOR_PENDING:
        if (row->claims > 0) { /* Approved no more: a title must not be held by this for ever. */
            suspend(state, command, contractor, row);
        }
        break;
    }
}

uint16_t
people_contractor_status_apply(struct state *state, const struct command *command,
                               const struct zr_contractor_status_request *request,
                               struct zr_contractor_put_reply *reply)
{
    struct contractor_row row;
    uint16_t status;

    if (!state_contractor_get(state, request->contractor, &row)) {
        return ZR_STATUS_NOT_FOUND;
    }
    *reply =
        (struct zr_contractor_put_reply){.contractor = request->contractor, .version = row.version};
    if (request->expected_version != 0 && request->expected_version != row.version) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    status = status_judge(&row, request->contractor_status);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    row.status = request->contractor_status;
    row.version++;
    status_change(state, command, request->contractor, &row);
    if (row.licence_expires_ms != request->licence_expires_ms) {
        row.licence_expires_ms = request->licence_expires_ms;
        condition_licence_judge(state, command, request->contractor, &row);
    }
    state_contractor_put(state, request->contractor, &row);
    reply->version = row.version;
    reply->commit_seq = command->seq;
    return ZR_STATUS_OK;
}
