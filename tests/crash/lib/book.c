/*
 * book.c - see book.h. Ids of the server are dense, so the records are arrays under them.
 */
#include "tests/crash/lib/book.h"

#include "protocol/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLAIMS_MAX = 1 << 18, TRANSFERS_MAX = 1 << 18, CALLS_MAX = 1 << 19, SHOWN_MAX = 20 };

struct book_claim {
    uint32_t contractor; /* 0 = there is no such claim. */
    uint32_t zip;
    uint16_t category;
    uint8_t state; /* enum zr_claim_state */
    bool seen;
    uint64_t state_seq; /* Position of the answer that `state` is from. */
};

struct book_topup {
    int64_t amount_cents; /* 0 = there is no such transfer. */
    uint32_t contractor;
    bool seen;
};

struct book_call {
    struct zr_id call_id;
    struct zr_id call_ref;
    uint32_t contractor; /* 0 = never connected. */
    uint8_t settlement;
    bool ended;
    bool seen;
    int64_t amount_cents;
};

struct book {
    struct book_claim *claims; /* By claim_id. */
    struct book_topup *topups; /* By transfer_id. */
    struct book_call *calls;   /* By the number in call_id. */
    uint64_t calls_end;        /* Above the highest number. */
    uint64_t calls_compared;   /* CALL_GET was asked for all below. */
    struct book_call **by_ref; /* Charged calls, sorted by call_ref. */
    size_t by_ref_count;
    struct book_totals totals;
    uint32_t contradictions;
};

__attribute__((format(printf, 2, 3))) static void
differ(uint32_t *count, const char *format, ...)
{
    va_list arguments;

    if ((*count)++ < SHOWN_MAX) {
        va_start(arguments, format);
        (void)fputs("DIFFERS: ", stderr);
        (void)vfprintf(stderr, format, arguments);
        (void)fputc('\n', stderr);
        va_end(arguments);
    }
}

struct book *
book_open(void)
{
    struct book *book = calloc(1, sizeof *book);

    CHECK(book != NULL);
    book->claims = calloc(CLAIMS_MAX, sizeof *book->claims);
    book->topups = calloc(TRANSFERS_MAX, sizeof *book->topups);
    book->calls = calloc(CALLS_MAX, sizeof *book->calls);
    book->by_ref = calloc(CALLS_MAX, sizeof(struct book_call *));
    CHECK(book->claims != NULL);
    CHECK(book->topups != NULL);
    CHECK(book->calls != NULL);
    CHECK(book->by_ref != NULL);
    return book;
}

void
book_close(struct book *book)
{
    free(book->claims);
    free(book->topups);
    free(book->calls);
    free(book->by_ref);
    free(book);
}

uint32_t
book_contradictions(const struct book *book)
{
    return book->contradictions;
}

struct book_totals
book_totals(const struct book *book)
{
    return book->totals;
}

/* ---- noting ---------------------------------------------------------------------------------- */

static void
note_slot(struct book *book, const struct load_ack *ack, const struct load_slot *slot)
{
    struct book_claim *claim;

    CHECK(slot->claim_id < CLAIMS_MAX);
    claim = &book->claims[slot->claim_id];
    if (claim->contractor == 0) {
        *claim = (struct book_claim){.contractor = ack->contractor,
                                     .zip = slot->zip,
                                     .category = slot->category,
                                     .state = ZR_CLAIM_LIVE,
                                     .state_seq = ack->commit_seq};
        book->totals.claims++;
        return;
    }
    /* A backup that claims a vacant title keeps its claim: named again, and the same. */
    if (claim->contractor != ack->contractor || claim->zip != slot->zip ||
        claim->category != slot->category) {
        differ(&book->contradictions, "claim %" PRIu64 " was given twice", slot->claim_id);
    }
}

static void
note_claim(struct book *book, const struct load_ack *ack)
{
    uint32_t taken = 0;

    for (uint8_t i = 0; i < ack->slots_count; i++) {
        taken += ack->slots[i].status == ZR_STATUS_OK && ack->slots[i].claim_id != 0;
    }
    if (ack->status != ZR_STATUS_OK && taken > 0) {
        differ(&book->contradictions, "CLAIM at %" PRIu64 " was refused and took %u slots",
               ack->commit_seq, taken);
    }
    if (ack->status == ZR_STATUS_OK && ack->all_or_none && taken != ack->slots_count) {
        differ(&book->contradictions, "CLAIM of all or none at %" PRIu64 " took %u of %u",
               ack->commit_seq, taken, ack->slots_count);
    }
    for (uint8_t i = 0; i < ack->slots_count; i++) {
        if (ack->slots[i].status == ZR_STATUS_OK && ack->slots[i].claim_id != 0) {
            note_slot(book, ack, &ack->slots[i]);
        }
    }
}

/* Answers may be read in another order than the log's: the later position wins. */
static void
note_claim_state(struct book *book, const struct load_ack *ack)
{
    struct book_claim *claim;

    CHECK(ack->claim_id < CLAIMS_MAX);
    claim = &book->claims[ack->claim_id];
    if (ack->status == ZR_STATUS_OK && ack->commit_seq > claim->state_seq) {
        claim->state = ack->claim_state;
        claim->state_seq = ack->commit_seq;
    }
}

static void
note_topup(struct book *book, const struct load_ack *ack)
{
    struct book_topup *topup;

    CHECK(ack->transfer_id < TRANSFERS_MAX);
    topup = &book->topups[ack->transfer_id];
    if (ack->status != ZR_STATUS_OK || topup->amount_cents != 0) {
        differ(&book->contradictions, "TOPUP %" PRIu64 ": status 0x%04X, transfer %" PRIu64,
               ack->topup, ack->status, ack->transfer_id);
        return;
    }
    *topup = (struct book_topup){.amount_cents = ack->amount_cents, .contractor = ack->contractor};
    book->totals.topups++;
}

/* The harness numbers call ids in their last eight bytes. */
static uint64_t
call_number(const struct zr_id *call_id)
{
    uint64_t number = 0;

    for (size_t i = 8; i < sizeof call_id->bytes; i++) {
        number = number << 8 | call_id->bytes[i];
    }
    return number;
}

static void
note_call(struct book *book, const struct load_ack *ack)
{
    const uint64_t number = call_number(&ack->call_id);
    struct book_call *call;

    if (ack->status != ZR_STATUS_OK) {
        if (ack->op != ZR_OP_CONNECT) {
            differ(&book->contradictions, "op 0x%04X of a connected call: 0x%04X", ack->op,
                   ack->status);
        }
        return;
    }
    CHECK(number < CALLS_MAX);
    call = &book->calls[number];
    book->calls_end = number >= book->calls_end ? number + 1 : book->calls_end;
    if (ack->op == ZR_OP_CONNECT) {
        book->totals.calls++;
        *call = (struct book_call){.call_id = ack->call_id,
                                   .call_ref = ack->call_ref,
                                   .contractor = ack->contractor,
                                   .settlement = ZR_SETTLEMENT_OPEN};
        return;
    }
    if (call->contractor != ack->contractor ||
        (call->settlement == ZR_SETTLEMENT_CHARGED &&
         (ack->settlement != call->settlement || ack->amount_cents != call->amount_cents))) {
        differ(&book->contradictions, "call %" PRIu64 " was settled in two ways", number);
    }
    if (ack->settlement == ZR_SETTLEMENT_CHARGED && call->settlement != ZR_SETTLEMENT_CHARGED) {
        book->by_ref[book->by_ref_count++] = call;
        book->totals.charges++;
    }
    call->settlement = ack->settlement;
    call->amount_cents = ack->amount_cents;
    call->ended = ack->op == ZR_OP_END;
}

void
book_note(struct book *book, const struct load_ack *ack)
{
    switch (ack->op) {
    case ZR_OP_CLAIM:
        note_claim(book, ack);
        break;
    case ZR_OP_TOPUP:
        note_topup(book, ack);
        break;
    case ZR_OP_CONNECT:
    case ZR_OP_QUALIFY:
    case ZR_OP_END:
        note_call(book, ack);
        break;
    default:
        note_claim_state(book, ack);
        break;
    }
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* Ask, or count the refusal as a difference. */
static bool
ask(uint32_t *count, struct zr_client *client, uint16_t op, const void *request, void *reply)
{
    const int result = zr_call(client, op, request, reply, 0, NULL);

    if (result != 0) {
        differ(count, "op 0x%04X: %s", op, zr_result_text(result));
    }
    return result == 0;
}

static void
compare_claim(struct book *book, uint32_t *count, const struct zr_claim_row *row)
{
    struct book_claim *claim;

    CHECK(row->claim_id < CLAIMS_MAX);
    claim = &book->claims[row->claim_id];
    if (claim->contractor != row->contractor || claim->zip != row->zip ||
        claim->category != row->category || claim->state != row->state) {
        differ(count, "claim %" PRIu64 ": contractor %u, state %u; acknowledged %u, %u",
               row->claim_id, row->contractor, row->state, claim->contractor, claim->state);
    }
    claim->seen = true;
}

static void
compare_claims(struct book *book, uint32_t *count, struct world *world)
{
    struct zr_claims_list_request request = {.ended = true};
    static struct zr_claims_list_reply reply;
    uint64_t rows = 0;

    do {
        if (!ask(count, world->admin, ZR_OP_CLAIMS_LIST, &request, &reply)) {
            return;
        }
        for (uint32_t i = 0; i < reply.claims_count; i++) {
            compare_claim(book, count, &reply.claims[i]);
        }
        rows += reply.claims_count;
        request.after = reply.next;
    } while (reply.next != 0);
    if (rows != book->totals.claims) {
        differ(count, "%" PRIu64 " claims; acknowledged %" PRIu64, rows, book->totals.claims);
    }
    for (uint64_t id = 0; id < CLAIMS_MAX; id++) {
        if (book->claims[id].contractor != 0 && !book->claims[id].seen) {
            differ(count, "claim %" PRIu64 " was acknowledged and is lost", id);
        }
        book->claims[id].seen = false;
    }
}

static int
by_call_ref(const void *left, const void *right)
{
    const struct book_call *const *a = left;
    const struct book_call *const *b = right;

    return memcmp(&(*a)->call_ref, &(*b)->call_ref, sizeof(struct zr_id));
}

static void
compare_charge(struct book *book, uint32_t *count, uint32_t contractor,
               const struct zr_ledger_row *row)
{
    const struct book_call wanted = {.call_ref = row->call_ref};
    const struct book_call *const key = &wanted;
    struct book_call **found =
        bsearch(&key, book->by_ref, book->by_ref_count, sizeof(struct book_call *), by_call_ref);

    if (found == NULL || (*found)->contractor != contractor ||
        (*found)->amount_cents != -row->amount_cents || (*found)->seen) {
        differ(count, "charge %" PRIu64 " of contractor %u: %s", row->transfer_id, contractor,
               found == NULL    ? "nobody was told of it"
               : (*found)->seen ? "a second time"
                                : "not as acknowledged");
        return;
    }
    (*found)->seen = true;
}

static void
compare_transfer(struct book *book, uint32_t *count, uint32_t contractor,
                 const struct zr_ledger_row *row)
{
    struct book_topup *topup;

    if (row->kind == ZR_TRANSFER_CHARGE) {
        compare_charge(book, count, contractor, row);
        return;
    }
    CHECK(row->transfer_id < TRANSFERS_MAX);
    topup = &book->topups[row->transfer_id];
    if (topup->contractor != contractor || topup->amount_cents != row->amount_cents ||
        topup->seen) {
        differ(count, "transfer %" PRIu64 " of contractor %u is not as acknowledged",
               row->transfer_id, contractor);
    }
    topup->seen = true;
}

/* The contractor's ledger, and a wallet that is its sum. */
static void
compare_wallet(struct book *book, uint32_t *count, struct world *world, uint32_t contractor)
{
    const struct zr_wallet_get_request wallet_request = {.contractor = contractor};
    struct zr_ledger_list_request request = {.contractor = contractor};
    static struct zr_ledger_list_reply reply;
    struct zr_wallet_get_reply wallet = {0};
    int64_t posted_cents = 0;
    int64_t charged_cents = 0;

    do {
        if (!ask(count, world->admin, ZR_OP_LEDGER_LIST, &request, &reply)) {
            return;
        }
        for (uint32_t i = 0; i < reply.entries_count; i++) {
            const struct zr_ledger_row *row = &reply.entries[i];

            compare_transfer(book, count, contractor, row);
            posted_cents += row->amount_cents;
            charged_cents -= row->kind == ZR_TRANSFER_CHARGE ? row->amount_cents : 0;
        }
        request.before = reply.next;
    } while (reply.next != 0);
    if (ask(count, world->admin, ZR_OP_WALLET_GET, &wallet_request, &wallet) &&
        (wallet.posted_cents != posted_cents || wallet.charged_cents != charged_cents ||
         wallet.held_cents != 0)) {
        differ(count,
               "wallet %u: posted %" PRId64 ", charged %" PRId64 ", held %" PRId64
               "; its ledger says %" PRId64 ", %" PRId64 ", and no call is open",
               contractor, wallet.posted_cents, wallet.charged_cents, wallet.held_cents,
               posted_cents, charged_cents);
    }
}

static void
compare_money(struct book *book, uint32_t *count, struct world *world, const struct load *load)
{
    qsort(book->by_ref, book->by_ref_count, sizeof(struct book_call *), by_call_ref);
    for (int i = 0; i < LOAD_CONTRACTORS; i++) {
        compare_wallet(book, count, world, load_contractors(load)[i]);
    }
    for (size_t i = 0; i < book->by_ref_count; i++) {
        if (!book->by_ref[i]->seen) {
            differ(count, "the charge of call %" PRIu64 " is lost",
                   call_number(&book->by_ref[i]->call_id));
        }
        book->by_ref[i]->seen = false;
    }
    for (uint64_t id = 0; id < TRANSFERS_MAX; id++) {
        if (book->topups[id].amount_cents != 0 && !book->topups[id].seen) {
            differ(count, "top-up %" PRIu64 " is lost", id);
        }
        book->topups[id].seen = false;
    }
}

static void
compare_calls(struct book *book, uint32_t *count, struct world *world)
{
    for (; book->calls_compared < book->calls_end; book->calls_compared++) {
        const struct book_call *call = &book->calls[book->calls_compared];
        const struct zr_call_get_request request = {.call_id = call->call_id};
        struct zr_call_get_reply reply = {0};

        if (call->contractor == 0 ||
            !ask(count, world->carrier, ZR_OP_CALL_GET, &request, &reply)) {
            continue;
        }
        if (reply.legs_count != 1 || reply.legs[0].contractor != call->contractor ||
            reply.legs[0].settlement != call->settlement ||
            reply.legs[0].amount_cents != call->amount_cents || reply.legs[0].hold_cents != 0 ||
            !call->ended || reply.state != ZR_CALL_ENDED ||
            memcmp(&reply.call_ref, &call->call_ref, sizeof call->call_ref) != 0) {
            differ(count, "call %" PRIu64 " is not as acknowledged", book->calls_compared);
        }
    }
}

uint32_t
book_compare(struct book *book, struct world *world, const struct load *load)
{
    struct zr_audit_reply audit;
    uint32_t count = 0;

    CHECK(load_busy(load) == 0);
    compare_claims(book, &count, world);
    compare_money(book, &count, world, load);
    compare_calls(book, &count, world);
    audit = world_audit(world);
    if (!audit.balanced || audit.violations != 0 || audit.postings_sum_cents != 0 ||
        audit.decisions_skipped_primary != 0) {
        differ(&count,
               "AUDIT: %" PRIu64 " violations, sum %" PRId64 ", %" PRIu64 " primaries skipped",
               audit.violations, audit.postings_sum_cents, audit.decisions_skipped_primary);
    }
    if (audit.charges != book->totals.charges ||
        audit.postings != book->totals.charges + book->totals.topups) {
        differ(&count,
               "AUDIT: %" PRIu64 " charges, %" PRIu64 " postings; acknowledged %" PRIu64
               ", %" PRIu64,
               audit.charges, audit.postings, book->totals.charges,
               book->totals.charges + book->totals.topups);
    }
    return count;
}
