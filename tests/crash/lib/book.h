/*
 * book.h - the test's own record of what was acknowledged, and its comparison with the server.
 *
 * The comparison is in both directions and over everything: each acknowledged claim, transfer and
 * call must be there as it was acknowledged, and nothing else may be there. It is meant for an
 * idle load: every request has had its definite answer, so the two sides must be equal.
 */
#ifndef ZR_CRASH_BOOK_H
#define ZR_CRASH_BOOK_H

#include "tests/crash/lib/load.h"

struct book;

struct book *book_open(void);
void book_close(struct book *book);

/* Note one answer. What contradicts itself or an earlier answer is printed and counted. */
void book_note(struct book *book, const struct load_ack *ack);

/* Differences found by book_note() so far. */
uint32_t book_contradictions(const struct book *book);

struct book_totals {
    uint64_t claims, topups, charges, calls;
};
struct book_totals book_totals(const struct book *book);

/*
 * Compare with the server behind the world's clients: CLAIMS_LIST, LEDGER_LIST, WALLET_GET,
 * CALL_GET of calls since the last time, AUDIT. Prints what differs (not all of a flood) and
 * returns how many differences there are.
 */
uint32_t book_compare(struct book *book, struct world *world, const struct load *load);

#endif
