/*
 * call.h - CONNECT, QUALIFY, KEEPALIVE, END and what they leave behind (M4).
 *
 *     RINGING --CONNECT--> CONNECTED --talk >= qualify_ms--> QUALIFIED
 *     CONNECTED, QUALIFIED --END, or max_call without one--> ENDED
 *     CONNECTED, QUALIFIED --END, caller stays--> RINGING
 *     RINGING --END without index--> ABANDONED
 *
 * A call row is born with the first of these to be committed, whichever it is: an END may come
 * before its CONNECT (E44), and the ticket carries all that is needed to settle it.
 *
 * Exactly once without an idempotency key: the call is found by (tenant, call id), the leg by
 * its contractor, and a repeat gets the reply rebuilt from the row.
 */
#ifndef ZR_CALL_H
#define ZR_CALL_H

#include "server/domain/command.h"
#include "server/domain/ticket.h"

uint16_t call_connect_apply(struct state *state, const struct command *command,
                            const struct zr_connect_request *request,
                            struct zr_connect_reply *reply, struct effects *effects);

/*
 * QUALIFY, and KEEPALIVE, which is a QUALIFY that is a sign of life too: the leg's concurrency unit
 * starts its time anew (M3 "unit_ttl"). Talk is the largest of the reports.
 */
uint16_t call_qualify_apply(struct state *state, const struct command *command,
                            const struct zr_qualify_request *request,
                            struct zr_settlement_reply *reply, struct effects *effects);

uint16_t call_end_apply(struct state *state, const struct command *command,
                        const struct zr_end_request *request, struct zr_settlement_reply *reply,
                        struct effects *effects);

/*
 * TIMER_CALL: max_call after its CONNECT a leg without END is swept. Proven talk was settled by
 * the QUALIFY or KEEPALIVE that proved it, and stays; else STALE_VOID, which an END may still
 * settle within 7 days of the ticket (M4, E53). False: the leg had its END.
 */
bool call_timer(struct state *state, const struct command *command, const struct timer_row *timer,
                struct effects *effects);

uint16_t call_get(struct state *state, const struct command *command,
                  const struct zr_call_get_request *request, struct zr_call_get_reply *reply,
                  struct effects *effects);

/* ---- shared by the files of this family ------------------------------------------------------ */

/* END without a ticket index: the connected leg, or the caller gave up. */
enum { CALL_INDEX_NONE = 255 };

/* What settles a leg must come within this after its ticket's issue (M4). */
#define CALL_SETTLE_MS (UINT64_C(24) * 3600 * 1000 * TICKET_SETTLE_DAYS)

/* A call under judgement: its row, and whether it is stored yet. */
struct call_view {
    struct zr_id call_ref;
    struct call_row row;
    bool stored;
};

/* Find the call of this tenant; false = none is committed yet. */
bool call_find(struct state *state, uint32_t tenant, const struct zr_id *call_id,
               struct call_view *call);

/* The call with that server-issued name; false = none is committed. */
bool call_open(struct state *state, const struct zr_id *call_ref, struct call_view *call);

/* Begin a call from a ticket, in memory. */
void call_begin(struct call_view *call, const struct ticket *ticket);

/* Put the row, and its index entry when it is new. */
void call_put(struct state *state, struct call_view *call);

/* The contractor's leg, or NULL. */
struct call_leg_row *call_leg_find(struct call_row *row, uint32_t contractor);

/* The leg that is connected now, or NULL (I6: at most one). */
struct call_leg_row *call_leg_connected(struct call_row *row);

/* Append a leg for a ticket's candidate, or NULL when the call has had its attempts. */
struct call_leg_row *call_leg_begin(struct call_row *row, const struct ticket *ticket,
                                    const struct ticket_candidate *candidate);

/* The one checked way to change a call's state. */
void call_move(struct call_row *row, enum zr_call_state to);

/*
 * The caller gave up (E34): ABANDONED, at that position of the log. call_abandoned_seq() tells it
 * again to who repeats that END.
 */
void call_abandon(struct call_row *row, uint64_t seq);
uint64_t call_abandoned_seq(const struct call_row *row);

/*
 * Is the ticket good for CONNECT or END now? OK, BAD_TICKET, INVALID_FIELD (answered_at before
 * issue or > 5 s ahead), TICKET_EXPIRED, TOO_LATE: expiry is judged at answered_at (M4).
 * *answered_at_ms 0 becomes the log time.
 */
uint16_t call_ticket_judge(const struct command *command, const struct ticket *ticket,
                           uint8_t index, uint64_t *answered_at_ms);

/*
 * What QUALIFY, KEEPALIVE and END say of a leg: what is stored, and, as the only thing that is of
 * now, whether the wallet (MAIN + CREDIT - holds) is below the leg's rate (E52).
 */
void call_fill_settlement(struct state *state, struct zr_settlement_reply *reply,
                          const struct call_view *call, const struct call_leg_row *leg);

#endif
