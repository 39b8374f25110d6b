/*
 * funds.h - what a wallet's money means for its owner: LOW, DRY, and when to look (M5, R63).
 *
 * Each claim has its own rate, so each has its own DRY: posted money (MAIN + CREDIT, holds do not
 * count) below its rate. Looking at all claims of a contractor after each charge would make the
 * hot path as slow as its greediest contractor. So the wallet remembers the two neighbouring
 * rates that its balance stands between:
 *
 *     rates of the claims      1000        1400        2000
 *                                |    posted 1700       |
 *                              floor = 1400        ceiling = 2000
 *
 * While floor <= posted < ceiling no claim becomes dry or funded, and putting the wallet reads
 * nothing but the wallet. Only what crosses one of the two, or a change of the rates themselves,
 * has the claims looked at: by work (timer.h), in steps, before the next command.
 *
 *     OK --available < dearest rate--> LOW --posted < cheapest rate--> DRY
 *     LOW, DRY --available >= dearest rate--> OK        (DRY -> LOW and OK -> DRY happen, too)
 *
 * Told are the entries: LOW_BALANCE from OK, DRY, and FUNDED when it is OK again. DRY -> LOW is
 * silent. A wallet without a claim is told nothing.
 */
#ifndef ZR_FUNDS_H
#define ZR_FUNDS_H

#include "server/domain/command.h"

/* MAIN + CREDIT - holds. */
int64_t wallet_available_cents(const struct wallet_row *wallet);

/* MAIN + CREDIT: what was posted. */
int64_t wallet_posted_cents(const struct wallet_row *wallet);

/* DRY: posted money below every claim's rate. LOW: available below the dearest one's (M5). */
uint8_t wallet_funds_state(const struct wallet_row *wallet);

/*
 * The one way by which a rule puts a wallet after its money or its holds moved: it sees what
 * the move crossed, and may change *wallet for it. Asks for an automatic top-up when available
 * fell below the owner's threshold (R65: holds count, so a live call can do it).
 */
void funds_wallet_put(struct state *state, const struct command *command, uint32_t contractor,
                      struct wallet_row *wallet);

/* From now on an automatic top-up is asked for below that; INT64_MIN = never. For autotopup.c,
 * which puts the wallet next: that is when it is judged. */
void funds_wallet_watch(struct wallet_row *wallet, int64_t topup_below_cents);

/* The contractor's claims or their ranks changed: look at all of them. Cheap; asked twice in one
 * instant it looks once. Gets and puts the wallet, so the caller must hold no copy of it. */
void funds_rates_changed(struct state *state, const struct command *command, uint32_t contractor);

/* The same for everybody in the slot. */
void funds_slot_changed(struct state *state, const struct command *command, uint32_t zip,
                        uint16_t category);

/* A price or multiplier changed that many slots have in common: look at everybody (E17). */
void funds_prices_changed(struct state *state, const struct command *command);

/* Work: TIMER_FUNDS and TIMER_RATES. Returns whether anything changed. */
bool funds_timer(struct state *state, const struct command *command, const struct timer_row *timer);

#endif
