/*
 * play_time.c - the clock, requests that are sent again, and restarts.
 *
 * The hard idea: the interesting moments are one millisecond before a deadline, at it, and one
 * after. The model knows the deadlines ahead; the server is only told how far to go.
 */
#include "tests/model/lib/session.h"

#include <string.h>

enum {
    HORIZON_HOURS = 72,
    DOUBT_MS = 100,
    BUSY_SPAN_MS = 9000,
    RUSH_SPAN_MS = 300000, /* In a rush time goes no further, but for one step in 256. */
};

/* Both clocks move. Leases are given back in steps of 100 ms: never stop inside such a step. */
static void
clock_move(struct session *session, uint64_t to_ms)
{
    struct model *model = session->model;
    uint64_t now_ms;

    if (to_ms > model->now_ms + 20 * MODEL_DAY_MS) {
        to_ms = model->now_ms + 20 * MODEL_DAY_MS;
    }
    now_ms = server_advance(&session->world.server, to_ms - model->now_ms);
    model_advance(model, to_ms);
    (void)session_same(session, "clock", (int64_t)to_ms, (int64_t)now_ms);
    while (!session->differs && model_in_doubt(model)) {
        now_ms = server_advance(&session->world.server, DOUBT_MS);
        model_advance(model, model->now_ms + DOUBT_MS);
        (void)session_same(session, "clock", (int64_t)model->now_ms, (int64_t)now_ms);
    }
}

/* While calls are young time mostly goes by in seconds, or none would get far. */
static bool
is_busy(const struct session *session)
{
    for (int line = 0; line < SESSION_LINES; line++) {
        const int call = session->lines[line];

        if (call >= 0 && session_is_young(session, &session->model->calls[call])) {
            return true;
        }
    }
    return false;
}

static void
play_advance(struct session *session, const struct operation *operation)
{
    uint32_t span_ms = operation->n;

    if (operation->a % 8 != 0 && is_busy(session)) {
        span_ms = operation->n % BUSY_SPAN_MS + 1;
    } else if (operation->d != 0 && operations_rush(session->seed)) {
        span_ms = operation->n % RUSH_SPAN_MS + 1;
    }
    clock_move(session, session->model->now_ms + span_ms);
}

static void
play_jump(struct session *session, const struct operation *operation)
{
    const uint64_t due_ms = model_deadline(session->model, operation->a);

    if ((operation->c % 4 != 0 && is_busy(session)) ||
        (operation->d != 0 && operations_rush(session->seed) &&
         due_ms > session->model->now_ms + RUSH_SPAN_MS)) {
        play_advance(session, operation);
        return;
    }
    if (due_ms <= session->model->now_ms) {
        session_skip(session);
        return;
    }
    clock_move(session, due_ms - 1 + operation->b % 3);
}

/* The same key again: the stored reply, byte for byte; with another body nothing happens. */
static void
play_retry(struct session *session, const struct operation *operation)
{
    static union zr_any_message request;
    static union zr_any_message reply;
    const uint32_t kept =
        session->keyed_count < SESSION_KEYED ? session->keyed_count : SESSION_KEYED;
    const struct session_keyed *keyed;
    const struct zr_operation *op;
    struct zr_call_info info = {0};
    bool is_old;
    bool is_other;
    int result;

    if (kept == 0) {
        session_skip(session);
        return;
    }
    keyed = &session->keyed[(session->keyed_count - 1 - operation->a % kept) % SESSION_KEYED];
    op = zr_operation_find(keyed->op);
    is_old = session->model->now_ms > keyed->key_ms + HORIZON_HOURS * MODEL_HOUR_MS;
    is_other = operation->b % 3 == 0 && keyed->op == ZR_OP_CLAIM;
    if (zr_status_class((uint16_t)keyed->result) != ZR_CLASS_DONE &&
        zr_status_class((uint16_t)keyed->result) != ZR_CLASS_REFUSED) {
        session_skip(session); /* Nothing was stored: it would be executed. */
        return;
    }
    memcpy(&request, &keyed->request, sizeof request);
    memset(&reply, 0, sizeof reply);
    if (is_other) {
        request.claim_request.accept_backup = !request.claim_request.accept_backup;
    }
    result = zr_call(keyed->client, keyed->op, &request, &reply, 0, &info);
    if (is_old || is_other) {
        (void)session_same(session, "status of a retry",
                           is_old ? ZR_STATUS_KEY_EXPIRED : ZR_STATUS_IDEMPOTENCY_MISMATCH, result);
        return;
    }
    (void)session_same(session, "status of a retry", keyed->result, result);
    (void)session_same(session, "DUPLICATE of a retry", 1, info.duplicate);
    (void)session_same(session, "reply of a retry", 0,
                       memcmp(&reply, &keyed->reply, op->reply->struct_bytes));
}

/* One more operation on that line, as if it stood in the list. again: ROUTE of the line's call once
 * more, CONNECT by its newest ticket but one. */
static void
play_on_line(struct session *session, uint8_t kind, int line, bool again)
{
    struct operation made = *session->operation;

    made.kind = kind;
    made.a = (uint8_t)(16 * line);
    made.b = 67;   /* By the newest ticket and its first candidate, with its index ... */
    made.c = 7;    /* ... and talk that qualifies. */
    made.d = 73;   /* ROUTE: of a new call, where somebody can ring. CONNECT: answered now. */
    made.n = 2116; /* One ZIP, a call and no query, attested. */
    if (again) {
        made.b = kind == PLAY_CONNECT ? 65 : made.b;
        made.d = kind == PLAY_ROUTE ? 65 : made.d;
    }
    play_calls(session, &made);
}

/*
 * E71: the server dies right behind a ROUTE, whose record nobody waited for, or right behind the
 * CONNECT, which takes the record along. What died, a late CONNECT or END brings back in part, also
 * when the call was routed anew meanwhile.
 */
static void
play_crash(struct session *session, const struct operation *operation)
{
    struct zr_wallet_get_request request = {.contractor = session->model->contractors[0].number};
    const int line = operation->b / 4 % SESSION_LINES;
    const int first = session->model->decisions.count;
    struct zr_wallet_get_reply reply;

    (void)session_ask(session, session->world.admin, ZR_OP_WALLET_GET, &request, &reply);
    compare_readers(session);
    play_on_line(session, PLAY_ROUTE, line, false);
    if (session->model->events_count > 0) { /* A ring that counts: let it come to the log. */
        (void)session_ask(session, session->world.admin, ZR_OP_WALLET_GET, &request, &reply);
    }
    if (operation->b % 4 == 0) {
        play_on_line(session, PLAY_CONNECT, line, false);
    }
    session_crash(session);
    compare_explain_lost(session, first);
    if (operation->b % 4 >= 2 && !session->differs) {
        play_on_line(session, PLAY_ROUTE, line, true);
    }
    if (operation->b % 4 != 0 && !session->differs) {
        play_on_line(session, operation->b % 4 == 3 ? PLAY_END : PLAY_CONNECT, line,
                     operation->b % 4 == 2);
    }
    for (int i = first; i < session->model->decisions.count && !session->differs; i++) {
        compare_explain_at(session, i);
    }
}

void
play_time(struct session *session, const struct operation *operation)
{
    switch (operation->kind) {
    case PLAY_ADVANCE:
        play_advance(session, operation);
        break;
    case PLAY_JUMP:
        play_jump(session, operation);
        break;
    case PLAY_RETRY:
        play_retry(session, operation);
        break;
    default:
        if (operation->a % 2 == 0) {
            play_crash(session, operation);
        } else {
            session_restart(session, operation->a % 4 == 1);
        }
        break;
    }
}
