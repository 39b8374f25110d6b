/*
 * compare_ledger.c - LEDGER_LIST (M5, R67, I10): every movement of a wallet, newest first; and what
 * AUDIT finds in all books at the end.
 *
 * The hard idea: a page may begin behind any transfer that the wallet ever had. Their numbers are
 * the server's: each is learned where it is met first, and must neither change nor fall out of
 * order ever after. What all pages add up to must be the balance.
 */
#include "protocol/check.h"
#include "tests/lib/test.h"
#include "tests/model/lib/session.h"

#include <string.h>

enum { PAGE_ROWS = 64 };

static bool
is_of_wallet(uint8_t account)
{
    return account == ZR_ACCOUNT_MAIN || account == ZR_ACCOUNT_CREDIT;
}

/* The newest transfer of that wallet below a place in the books, -1 = there is none. */
static int
transfer_below(const struct model *model, int contractor, int place)
{
    for (int i = place - 1; i >= 0; i--) {
        const struct model_transfer *row = &model->books.rows[i];

        if (row->contractor == contractor &&
            (is_of_wallet(row->debit) || is_of_wallet(row->credit))) {
            return i;
        }
    }
    return -1;
}

/* Higher than all that were posted before it, lower than all that were posted behind it. */
static bool
is_in_order(const struct model *model, int place, uint64_t id)
{
    const struct model_transfer *rows = model->books.rows;
    int before = place - 1;
    int behind = place + 1;

    while (before >= 0 && rows[before].id == 0) {
        before--;
    }
    while (behind < model->books.count && rows[behind].id == 0) {
        behind++;
    }
    return (before < 0 || rows[before].id < id) &&
           (behind == model->books.count || rows[behind].id > id);
}

void
compare_transfer_id(struct session *session, int place, uint64_t id)
{
    struct model_transfer *row = &session->model->books.rows[place];

    if (row->id == 0) {
        (void)session_same(session, "order of transfer_id", 1,
                           is_in_order(session->model, place, id));
        row->id = id;
    }
    (void)session_same(session, "transfer_id", (int64_t)row->id, (int64_t)id);
}

static void
row_compare(struct session *session, int place, const struct zr_ledger_row *got)
{
    const struct model *model = session->model;
    const struct model_transfer *row = &model->books.rows[place];
    const bool comes_in = !is_of_wallet(row->debit); /* From one to the other: it goes. */
    const struct zr_id none = {{0}};
    const struct zr_id *call_ref =
        row->call_count > 0 ? &model->calls[row->call_count - 1].call_ref : &none;

    (void)compare_row(session, "amount of transfer", place, comes_in ? row->amount : -row->amount,
                      got->amount_cents);
    (void)compare_row(session, "account of transfer", place, comes_in ? row->credit : row->debit,
                      got->account);
    (void)compare_row(session, "other side of transfer", place, comes_in ? row->debit : row->credit,
                      got->counter_account);
    (void)compare_row(session, "kind of transfer", place, row->kind, got->kind);
    (void)compare_row(session, "time of transfer", place, (int64_t)row->time_ms,
                      (int64_t)got->time_ms);
    (void)compare_row(session, "call of transfer", place, 0,
                      memcmp(call_ref, &got->call_ref, sizeof *call_ref));
    compare_transfer_id(session, place, got->transfer_id);
}

/* Of the rows below `place`; returns the place of the last one that the page showed. */
static int
page_compare(struct session *session, int contractor, int place,
             const struct zr_ledger_list_reply *page)
{
    int count = 0;
    int at = transfer_below(session->model, contractor, place);

    while (at >= 0 && count < PAGE_ROWS && !session->differs) {
        if (count == page->entries_count) {
            (void)compare_row(session, "transfer that the ledger lacks, of contractor", contractor,
                              session->model->books.rows[at].amount, 0);
            return at;
        }
        row_compare(session, at, &page->entries[count++]);
        place = at;
        at = transfer_below(session->model, contractor, at);
    }
    (void)compare_row(session, "transfers of contractor", contractor, count, page->entries_count);
    if (at >= 0 || count < PAGE_ROWS) { /* Behind a full page there may be nothing. */
        (void)compare_row(session, "last page of contractor", contractor, at < 0, page->next == 0);
    }
    return place;
}

/* ---- a page ------------------------------------------------------------------------------------
 */

/* index: of a place in the books, and of a contractor. */
static void
page_judge(struct session *session, int index, const void *answer)
{
    (void)page_compare(session, index % MODEL_CONTRACTORS, index / MODEL_CONTRACTORS, answer);
}

static void
page_read(struct session *session, int contractor, int place)
{
    const struct model *model = session->model;
    const struct zr_ledger_list_request request = {
        .before = place < model->books.count ? model->books.rows[place].id : 0,
        .contractor = model->contractors[contractor].number};

    compare_read(session, ZR_OP_LEDGER_LIST, &request, place * MODEL_CONTRACTORS + contractor,
                 page_judge);
}

void
compare_ledger_some(struct session *session, uint32_t k)
{
    const struct model_books *books = &session->model->books;
    const int contractor = (int)(k % MODEL_CONTRACTORS);
    int place = -1;

    if (k / MODEL_CONTRACTORS % 2 == 0 && books->count > 0) {
        place = transfer_below(session->model, contractor, (int)(k * 37 % (uint32_t)books->count));
    }
    /* From the newest, too, where its number was not told yet. */
    page_read(session, contractor, place < 0 || books->rows[place].id == 0 ? books->count : place);
}

/* ---- all pages ---------------------------------------------------------------------------------
 */

static void
ledger_walk(struct session *session, int contractor)
{
    const struct model_contractor *who = &session->model->contractors[contractor];
    struct zr_ledger_list_request request = {.contractor = who->number};
    static struct zr_ledger_list_reply page;
    int64_t sums[ZR_ACCOUNT_POOL + 1] = {0};
    int place = session->model->books.count;

    do {
        (void)session_same(session, "LEDGER_LIST status", 0,
                           zr_ledger_list(session_portal(session, who->tenant), &request, &page));
        place = session->differs ? 0 : page_compare(session, contractor, place, &page);
        for (int i = 0; i < page.entries_count && !session->differs; i++) {
            sums[page.entries[i].account] += page.entries[i].amount_cents;
            sums[page.entries[i].counter_account] -= page.entries[i].amount_cents;
        }
        request.before = page.next;
    } while (page.next != 0 && !session->differs);
    (void)compare_row(session, "MAIN by the ledger of", contractor, who->main,
                      sums[ZR_ACCOUNT_MAIN]);
    (void)compare_row(session, "CREDIT by the ledger of", contractor, who->credit,
                      sums[ZR_ACCOUNT_CREDIT]);
}

void
compare_ledger_all(struct session *session)
{
    for (int i = 0; i < MODEL_CONTRACTORS; i++) {
        page_read(session, i, session->model->books.count);
    }
    compare_reads_finish(session);
    for (int i = (int)(session->model->stamp % 4); i < MODEL_CONTRACTORS; i += 4) {
        if (!session->differs) {
            ledger_walk(session, i);
        }
    }
}

/* ---- AUDIT -------------------------------------------------------------------------------------
 */

/* What all calls cost, and how many of their legs were charged. */
static void
books_of_calls(struct session *session, const struct zr_audit_reply *reply)
{
    const struct model *model = session->model;
    uint64_t calls = 0;
    uint64_t charges = 0;
    int64_t charged = 0;
    uint64_t holds = 0;

    for (int i = 0; i < model->calls_count; i++) {
        const struct model_call *call = &model->calls[i];

        calls += call->durable;
        for (int l = 0; l < call->legs_count; l++) {
            holds += call->legs[l].hold != 0;
            charges += call->legs[l].settlement == ZR_SETTLEMENT_CHARGED;
            charged += call->legs[l].amount - call->legs[l].credited;
        }
    }
    (void)session_same(session, "AUDIT calls", (int64_t)calls, (int64_t)reply->calls);
    (void)session_same(session, "AUDIT holds", (int64_t)holds, (int64_t)reply->holds);
    (void)session_same(session, "AUDIT charges", (int64_t)charges, (int64_t)reply->charges);
    (void)session_same(session, "AUDIT charged", charged, reply->charged_cents);
}

void
compare_books(struct session *session, uint64_t from_ms, uint64_t to_ms)
{
    struct zr_audit_request request = {.from_ms = from_ms, .to_ms = to_ms};
    struct zr_audit_reply reply;
    const int result = session_ask(session, session->world.auditor, ZR_OP_AUDIT, &request, &reply);

    (void)session_same(session, "AUDIT status", 0, result);
    (void)session_same(session, "AUDIT postings sum", 0, reply.postings_sum_cents);
    (void)session_same(session, "AUDIT violations", 0, (int64_t)reply.violations);
    (void)session_same(session, "AUDIT balanced", 1, reply.balanced);
    (void)session_same(session, "AUDIT timers overdue", 0, (int64_t)reply.timers_overdue);
    (void)session_same(session, "AUDIT primaries skipped", 0,
                       (int64_t)reply.decisions_skipped_primary);
    (void)session_same(session, "AUDIT postings", session->model->books.count,
                       (int64_t)reply.postings);
    (void)session_same(session, "AUDIT claims", session->model->live_count, (int64_t)reply.claims);
    (void)session_same(session, "AUDIT decisions",
                       model_decisions_between(session->model, from_ms, to_ms),
                       (int64_t)reply.decisions);
    books_of_calls(session, &reply);
}

void
compare_books_some(struct session *session)
{
    const struct model_decisions *decisions = &session->model->decisions;
    uint64_t state = session->seed ^ session->operation->step;
    uint64_t bounds_ms[2] = {0, 0};

    /* From the begin of one call to that of another, each exactly: from is in it, to is not. */
    for (int i = 0; i < 2 && decisions->count > 0; i++) {
        bounds_ms[i] =
            decisions->rows[test_random_below(&state, (uint64_t)decisions->count)].begun_ms;
    }
    compare_books(session, bounds_ms[0] < bounds_ms[1] ? bounds_ms[0] : bounds_ms[1],
                  bounds_ms[0] < bounds_ms[1] ? bounds_ms[1] : 0);
}
