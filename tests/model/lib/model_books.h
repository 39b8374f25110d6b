/*
 * model_books.h - what was posted, one row per movement, in order (M5): what LEDGER_LIST tells.
 *
 * The hard idea: a row is written once and never changed. A balance is what its rows add up to,
 * though the model keeps it beside them; compare_ledger.c holds all three against each other.
 */
#ifndef ZR_TEST_MODEL_BOOKS_H
#define ZR_TEST_MODEL_BOOKS_H

#include "protocol/message.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MODEL_TRANSFERS = 16384, /* A step posts three at most, and mostly none. */
    MODEL_REFS = 4096,
    MODEL_ADJUSTS = 512,
};

/* Money went from `debit` to `credit`, by one account of enum zr_account or the other. */
struct model_transfer {
    uint64_t id; /* The server's; 0 = not told yet. */
    uint64_t time_ms;
    int64_t amount;
    int contractor; /* Whose MAIN and CREDIT are meant, -1 = nobody's. */
    int call_count; /* 1 + the call that was charged, or is credited; 0 = none. */
    uint8_t debit, credit;
    uint8_t kind; /* enum zr_transfer_kind */
};

struct model_books {
    struct model_transfer rows[MODEL_TRANSFERS];
    int count;
};

/* A payment, by the name that its provider gave it. */
struct model_ref {
    char text[65];
    int contractor;
    int transfer, reversal; /* Places in the books. */
    int64_t amount;
    bool reversed;
};

struct model_adjust {
    struct zr_adjust_request request;
    int principal, transfer; /* transfer: its place in the books, once posted. */
    bool posted;
};

#endif
