/*
 * payout.h - the end of an account: what is left is paid out, 30 days after CLOSING (M4, M5).
 *
 *     CLOSING --30 d, no leg holds money, no dispute is open--> CLOSED
 *
 * The 30 days are for what may still come: legs that settle late, reversals, disputes. Who gives
 * the claims up is condition.h; here is only the money.
 */
#ifndef ZR_PAYOUT_H
#define ZR_PAYOUT_H

#include "server/domain/command.h"

#define PAYOUT_WAIT_MS (UINT64_C(30) * 24 * 3600 * 1000)

/* The account began to close at `closing_ms` (contractor_row.closing_ms): set its timer. */
void payout_arm(struct state *state, const struct command *command, uint32_t contractor,
                uint64_t closing_ms);

/* The contractor's last open dispute was resolved: a payout that waited for it is due now. */
void payout_dispute_resolved(struct state *state, const struct command *command,
                             uint32_t contractor, const struct contractor_row *row);

/* TIMER_PAYOUT. Returns whether anything changed. */
bool payout_timer(struct state *state, const struct command *command,
                  const struct timer_row *timer);

/* Money that moves in an account that was paid out already leaves it at once: nobody comes
 * back for it. The caller puts the wallet. */
void payout_balance_if_closed(struct state *state, const struct command *command,
                              uint32_t contractor, struct wallet_row *wallet);

#endif
