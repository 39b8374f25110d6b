/*
 * autotopup.h - the wallet fills itself, so that nobody loses a title by forgetting it (R65, I13).
 *
 * The server moves no money: it asks, by a TOPUP_REQUESTED event to the payments client, and is
 * told by TOPUP_RESULT. Each request is an attempt with an id of its own, of one payment method:
 *
 *     IDLE --available < threshold--> PENDING --ok--> IDLE
 *     PENDING --failed--> IDLE, and at once the next method
 *     PENDING --failed, it was the last method--> FAILED --1 h, then 24 h--> IDLE, the first method
 *     PENDING --failed, last method of the third round--> DISABLED (TOPUP_FAILED)
 *
 * There is one outstanding attempt per wallet (I13). IDLE asks as soon as it is needed; all
 * other states do not, and say so in the wallet (topup_below_cents = never), so that no call has
 * to look here. The same holds for a month whose maximum is reached, until the next one begins.
 *
 * An attempt's row stays for ever: a verdict that comes twice, or late, or first "failed" and then
 * "ok", credits once (E57).
 */
#ifndef ZR_AUTOTOPUP_H
#define ZR_AUTOTOPUP_H

#include "server/domain/command.h"

/*
 * Available fell below the wallet's topup_below_cents: ask, or see why not. Changes *wallet, which
 * the caller puts; for funds.c only.
 */
void autotopup_request(struct state *state, const struct command *command, uint32_t contractor,
                       struct wallet_row *wallet);

/* An attempt is outstanding: a DRY deadline waits for it, once (M2). */
bool autotopup_is_pending(struct state *state, uint32_t contractor);

/* TIMER_TOPUP: the retry is due, or the month is over. Returns whether anything changed. */
bool autotopup_timer(struct state *state, const struct command *command,
                     const struct timer_row *timer);

uint16_t autotopup_put_apply(struct state *state, const struct command *command,
                             const struct zr_autotopup_put_request *request,
                             struct zr_put_reply *reply, struct effects *effects);

uint16_t autotopup_get(struct state *state, const struct command *command,
                       const struct zr_profile_get_request *request,
                       struct zr_autotopup_get_reply *reply);

uint16_t autotopup_result_apply(struct state *state, const struct command *command,
                                const struct zr_topup_result_request *request,
                                struct zr_topup_reply *reply, struct effects *effects);

#endif
