/*
 * play_calls.c - a switch's side of calls: ROUTE, ROUTE_NEXT, CONNECT, QUALIFY, KEEPALIVE, END.
 *
 * The hard idea: a line is a place where one call after another happens. Reports go to the newest
 * call of the line with one of its tickets, which need not be the newest: late, doubled and
 * reordered reports come by themselves.
 */
#include "protocol/check.h"
#include "tests/model/lib/session.h"

#include <string.h>

enum { NO_INDEX = 255, FORGET_MS = 60000 };

/* The line meant: mostly one whose call can still be talked about, the k-th of them. */
static int
line_of(const struct session *session, const struct operation *operation)
{
    int young[SESSION_LINES] = {0};
    int count = 0;

    for (int line = 0; line < SESSION_LINES; line++) {
        const int call = session->lines[line];

        if (call >= 0 && session_is_young(session, &session->model->calls[call])) {
            young[count++] = line;
        }
    }
    return count == 0 || operation->a % 16 == 0 ? operation->a / 16 % SESSION_LINES
                                                : young[operation->a / 16 % count];
}

/* The call of that line, also as session->call; NULL = the line has had none. */
static struct model_call *
call_at(struct session *session, const struct operation *operation)
{
    session->call = session->lines[line_of(session, operation)];
    return session->call < 0 ? NULL : &session->model->calls[session->call];
}

/* The newest ticket, or now and then an older one; -1 = the call has none. */
static int
ticket_pick(const struct model_call *call, uint8_t back)
{
    int at = call->tickets_count - 1;

    if (back % 8 == 1 && at > 0) {
        at--;
    }
    return at;
}

static struct zr_client *
client_of(const struct session *session, const struct model_call *call, uint8_t who)
{
    return call->tenant == 1 && who % 4 == 0 ? session->world.callcenter
                                             : session_carrier(session, call->tenant);
}

/*
 * What only the memory of a server process knows, newer revisions and attempts, it knows
 * best-effort (M6): it may forget a call soon after its last ticket or its end. Then either answer
 * is good.
 */
static bool
is_in_doubt(const struct model *model, const struct model_call *call,
            const struct model_ticket *ticket, uint8_t index)
{
    const bool is_over =
        call->durable && (call->state == ZR_CALL_ENDED || call->state == ZR_CALL_ABANDONED);
    /* A CONNECT may follow the newer ticket; a ROUTE_NEXT has the row's revision against it too. */
    const bool is_newer_known =
        (ticket->revision < call->revision &&
         (index == NO_INDEX || ticket->revision >= call->charge_revision)) ||
        (index != NO_INDEX && call->attempt > index + 1);

    return is_newer_known && (is_over || (!model_remembers(model, call) &&
                                          model->now_ms < call->known_until_ms + FORGET_MS));
}

/* ---- ROUTE, ROUTE_NEXT
 * ------------------------------------------------------------------------------ */

static int
call_new(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const int line = operation->a / 16 % SESSION_LINES;
    struct model_call *call;

    CHECK(model != NULL);
    if (model->calls_count == MODEL_CALLS) {
        return -1;
    }
    call = &model->calls[model->calls_count];
    memset(call, 0, sizeof *call);
    call->tenant = 1 + (uint32_t)line % 2;
    call->call_id = session_id(session, 3);
    call->connected = -1;
    call->lease_contractor = -1;
    session->lines[line] = model->calls_count;
    return model->calls_count++;
}

/* Mostly the k-th slot with somebody who could be rung, else any. */
static int
slot_of(const struct session *session, const struct operation *operation)
{
    const struct model *model = session->model;
    int slots[MODEL_SLOTS] = {0};
    int count = 0;

    for (int i = 0; i < MODEL_SLOTS; i++) {
        bool rings = false;

        for (int l = 0; l < model->live_count; l++) {
            rings = rings || (model->claims[model->live[l]].slot == i &&
                              model_may_ring(model, model->live[l]));
        }
        if (rings) {
            slots[count++] = i;
        }
    }
    return count == 0 || operation->d / 32 % 8 == 0 ? operation->b % MODEL_SLOTS
                                                    : slots[operation->b % count];
}

static void
route_request_fill(const struct session *session, const struct operation *operation,
                   const struct model_call *call, struct zr_route_request *request)
{
    const struct model *model = session->model;
    const int at = slot_of(session, operation);
    const struct model_slot *slot = &model->slots[at];
    const uint8_t flags = operation->d;

    request->call_id = call->call_id;
    request->zips[0] = slot->zip;
    request->zips_count = 1;
    request->category = slot->category;
    request->caller = model_caller(operation->c % MODEL_CALLERS);
    request->caller_kind = ZR_CALLER_PLAIN;
    if (operation->c % 16 == 15) {
        request->caller = 0;
        request->caller_kind = ZR_CALLER_WITHHELD;
    }
    request->want = (uint8_t)(flags % 4 == 0 ? 3 : 1);
    request->flags = 2 | 4;
    request->attestation = (uint8_t)(operation->n / 2048 % 4 == 0 ? operation->n % 4 : 1);
    request->screening = (uint8_t)(operation->n / 8192 % 4 == 0 ? 0 : operation->n / 32768 % 8);
    if (operation->n / 4 % 16 == 0) {
        request->flags = 4;
    }
    if (operation->n / 64 % 16 == 0) {
        const struct model_slot *other = &model->slots[(at + MODEL_CATEGORIES) % MODEL_SLOTS];

        request->zips[1] = other->zip;
        request->zips_count = 2;
    }
}

/* Its tickets are over and nobody answered: whether it is remembered is nobody's promise (M6). */
static bool
is_forgotten(const struct model *model, int index)
{
    const struct model_call *call = &model->calls[index];

    return !call->durable && call->known_until_ms != 0 && model->now_ms >= call->known_until_ms;
}

/* That the caller gave up while it rang is told to memory alone, as is_in_doubt() has it. */
static bool
is_cancel_in_doubt(const struct model *model, const struct model_call *call)
{
    return call->cancelled && !model_remembers(model, call) &&
           model->now_ms < call->known_until_ms + FORGET_MS;
}

static void
play_route(struct session *session, const struct operation *operation)
{
    static struct zr_route_request request;
    static struct zr_route_reply expected;
    static struct zr_route_reply reply;
    struct model *model = session->model;
    const bool is_query = operation->n / 4 % 16 == 0; /* Of a call id that nothing else uses. */
    const bool again = operation->d / 4 % 4 == 0 && !is_query;
    struct model_asker asker;
    struct zr_client *client;
    int call = call_at(session, operation) == NULL ? -1 : session->call;
    int status;

    if (!again || call < 0 || is_forgotten(session->model, call)) {
        call = call_new(session, operation);
    }
    if (call < 0) {
        session_skip(session);
        return;
    }
    session->call = call;
    if (again && is_cancel_in_doubt(session->model, &model->calls[call])) {
        session_skip(session);
        return;
    }
    memset(&request, 0, sizeof request);
    memset(&expected, 0, sizeof expected);
    if (again && operation->d / 16 % 2 == 0 && model->calls[call].tickets_count > 0) {
        request = model->calls[call].request; /* Word for word. */
    } else {
        route_request_fill(session, operation, &model->calls[call], &request);
    }
    client = client_of(session, &model->calls[call], operation->d / 64);
    asker.tenant = model->calls[call].tenant;
    asker.callcenter = client == session->world.callcenter;
    status = model_route(model, &asker, call, &request, &expected);
    if (status == MODEL_REPEATED) {
        if (session_expect(session,
                           &(struct session_question){client, ZR_OP_ROUTE, &request, &reply},
                           (struct session_expected){.duplicate = true})) {
            compare_repeat(session, &model->calls[call], &reply);
        }
        return;
    }
    if (session_expect(session, &(struct session_question){client, ZR_OP_ROUTE, &request, &reply},
                       (struct session_expected){.status = status})) {
        compare_route(session, call, &expected, &reply);
    }
}

static void
play_next(struct session *session, const struct operation *operation)
{
    static const uint8_t outcomes[] = {
        ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_BUSY,   ZR_OUTCOME_DECLINED,
        ZR_OUTCOME_FORWARDED, ZR_OUTCOME_VOICEMAIL, ZR_OUTCOME_FAILED, ZR_OUTCOME_FAILED,
        ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_NO_ANSWER, ZR_OUTCOME_BUSY,   ZR_OUTCOME_DECLINED,
        ZR_OUTCOME_FORWARDED, ZR_OUTCOME_VOICEMAIL, ZR_OUTCOME_FAILED, ZR_OUTCOME_CALLER_CANCELLED};
    static struct zr_route_reply expected;
    static struct zr_route_reply reply;
    struct model_call *call = call_at(session, operation);
    struct zr_route_next_request request = {
        .ring_ms = 1000, .explain = true, .outcome = outcomes[operation->b % 16]};
    const int ticket = call == NULL ? -1 : ticket_pick(call, operation->c);
    int status;

    if (ticket < 0) {
        session_skip(session);
        return;
    }
    request.index = (uint8_t)(call->tickets[ticket].attempt +
                              (operation->c / 8 % 4 == 0 ? operation->d % 3 : 0));
    if (is_in_doubt(session->model, call, &call->tickets[ticket], request.index)) {
        session_skip(session);
        return;
    }
    request.ticket_length = call->tickets[ticket].length;
    memcpy(request.ticket, call->tickets[ticket].bytes, sizeof request.ticket);
    memset(&expected, 0, sizeof expected);
    status = model_route_next(session->model, session->call, ticket, &request, &expected);
    if (status == MODEL_REPEATED) {
        if (session_expect(session,
                           &(struct session_question){client_of(session, call, operation->d),
                                                      ZR_OP_ROUTE_NEXT, &request, &reply},
                           (struct session_expected){.duplicate = true})) {
            compare_repeat(session, call, &reply);
        }
        return;
    }
    if (session_expect(session,
                       &(struct session_question){client_of(session, call, operation->d),
                                                  ZR_OP_ROUTE_NEXT, &request, &reply},
                       (struct session_expected){.status = status}) &&
        (status == ZR_STATUS_OK || status == ZR_STATUS_EXHAUSTED)) {
        compare_route(session, session->call, &expected, &reply);
    }
}

/* ---- CONNECT
 * ------------------------------------------------------------------------------------------ */

static uint64_t
answered_pick(const struct session *session, const struct model_ticket *ticket, uint8_t shape)
{
    switch (shape % 16) {
    case 1:
        return ticket->issued_ms;
    case 2:
        return ticket->expires_ms - 1;
    case 3:
        return ticket->expires_ms;
    case 4:
        return ticket->issued_ms - 1;
    case 5:
        return session->model->now_ms + 5000;
    case 6:
        return session->model->now_ms + 5001;
    case 7:
        return session->model->now_ms;
    default:
        return 0;
    }
}

static void
play_connect(struct session *session, const struct operation *operation)
{
    struct model_call *call = call_at(session, operation);
    struct zr_connect_request request = {0};
    struct zr_connect_reply expected = {0};
    struct zr_connect_reply reply;
    struct session_expected wanted;
    struct zr_client *client;
    const int ticket = call == NULL ? -1 : ticket_pick(call, operation->b);

    if (ticket < 0) {
        session_skip(session);
        return;
    }
    client = client_of(session, call, operation->b / 8);
    request.index = (uint8_t)(call->tickets[ticket].attempt +
                              (operation->c % 3 == 0 ? operation->c / 3 % 3 : 0));
    if (is_in_doubt(session->model, call, &call->tickets[ticket], NO_INDEX)) {
        session_skip(session);
        return;
    }
    request.answered_at_ms = answered_pick(session, &call->tickets[ticket], operation->d);
    request.ticket_length = call->tickets[ticket].length;
    memcpy(request.ticket, call->tickets[ticket].bytes, sizeof request.ticket);
    wanted.status = model_connect(session->model,
                                  (struct model_report){.call = session->call,
                                                        .ticket = ticket,
                                                        .keepalive = client == session->carrier2},
                                  &request, &expected, &wanted.duplicate);
    if (!session_expect(
            session, &(struct session_question){client, ZR_OP_CONNECT, &request, &reply}, wanted)) {
        return;
    }
    if (wanted.status == ZR_STATUS_OK || wanted.status == ZR_STATUS_ALREADY_CONNECTED) {
        (void)session_same(session, "connected contractor", expected.contractor, reply.contractor);
    }
    if (wanted.status == ZR_STATUS_OK) {
        (void)session_same(session, "hold", expected.hold_cents, reply.hold_cents);
        (void)session_same(session, "amount", expected.amount_cents, reply.amount_cents);
        (void)session_same(session, "call state", expected.state, reply.state);
        (void)session_same(session, "settlement", expected.settlement, reply.settlement);
        (void)session_same(session, "qualify_ms", expected.qualify_ms, reply.qualify_ms);
    }
}

/* ---- QUALIFY, KEEPALIVE, END
 * ----------------------------------------------------------------------------- */

static const uint32_t talks[] = {10000, 9999, 0, 30000, 5000, 15000, 60000, 10001, 3600000};

static void
settlement_compare(struct session *session, const struct zr_settlement_reply *expected,
                   const struct zr_settlement_reply *got)
{
    (void)session_same(session, "settlement", expected->settlement, got->settlement);
    (void)session_same(session, "amount", expected->amount_cents, got->amount_cents);
    (void)session_same(session, "contractor", expected->contractor, got->contractor);
    (void)session_same(session, "talk", expected->talk_ms, got->talk_ms);
    (void)session_same(session, "call state", expected->state, got->state);
    (void)session_same(session, "flagged", expected->flagged, got->flagged);
    (void)session_same(session, "dry", expected->dry, got->dry);
}

static void
play_qualify(struct session *session, const struct operation *operation)
{
    struct model_call *call = call_at(session, operation);
    const bool keepalive = operation->kind == PLAY_KEEPALIVE;
    struct zr_qualify_request request = {.talk_ms = talks[operation->b % 9]};
    struct zr_settlement_reply expected = {0};
    struct zr_settlement_reply reply;
    struct session_expected wanted = {0};

    if (call == NULL) {
        session_skip(session);
        return;
    }
    request.call_id = call->call_id;
    wanted.status = model_qualify(
        session->model, (struct model_report){.call = session->call, .keepalive = keepalive},
        &request, &expected, &wanted.duplicate);
    if (session_expect(session,
                       &(struct session_question){client_of(session, call, operation->c),
                                                  keepalive ? ZR_OP_KEEPALIVE : ZR_OP_QUALIFY,
                                                  &request, &reply},
                       wanted) &&
        wanted.status == ZR_STATUS_OK) {
        settlement_compare(session, &expected, &reply);
    }
}

static void
play_end(struct session *session, const struct operation *operation)
{
    struct model_call *call = call_at(session, operation);
    struct zr_end_request request = {.talk_ms = talks[operation->c % 9],
                                     .index = NO_INDEX,
                                     .who_hung_up = ZR_HUNG_UP_CALLER,
                                     .voicemail = operation->d % 8 == 0,
                                     .caller_stays = operation->d / 8 % 3 == 0};
    struct zr_settlement_reply expected = {0};
    struct zr_settlement_reply reply;
    struct session_expected wanted;
    int ticket;

    if (call == NULL) {
        session_skip(session);
        return;
    }
    request.call_id = call->call_id;
    ticket = operation->b % 2 == 0 ? -1 : ticket_pick(call, operation->b / 8);
    if (ticket < 0 && !call->durable && !model_remembers(session->model, call)) {
        ticket = ticket_pick(call, 0); /* Whether it is still remembered is nobody's promise. */
    }
    if (ticket >= 0) {
        request.ticket_length = call->tickets[ticket].length;
        memcpy(request.ticket, call->tickets[ticket].bytes, sizeof request.ticket);
        if (operation->b / 2 % 4 != 0) {
            request.index = call->tickets[ticket].attempt;
            request.answered_at_ms = call->tickets[ticket].issued_ms + 1;
            if (operation->b / 64 == 0) {
                request.answered_at_ms =
                    answered_pick(session, &call->tickets[ticket], operation->d / 16);
            }
        }
    }
    wanted.status =
        model_end(session->model, (struct model_report){.call = session->call, .ticket = ticket},
                  &request, &expected, &wanted.duplicate);
    if (session_expect(session,
                       &(struct session_question){client_of(session, call, operation->d / 64),
                                                  ZR_OP_END, &request, &reply},
                       wanted) &&
        (wanted.status == ZR_STATUS_OK || wanted.status == ZR_STATUS_SETTLEMENT_FINAL)) {
        settlement_compare(session, &expected, &reply);
    }
}

/* The server may forget it at any moment now, and who declined it. */
static bool
is_fading(const struct model *model, const struct model_call *call)
{
    return !model_remembers(model, call) ||
           (call->durable && (call->state == ZR_CALL_ENDED || call->state == ZR_CALL_ABANDONED));
}

static void
play_decline(struct session *session, const struct operation *operation)
{
    struct model_call *call = call_at(session, operation);
    struct model *model = session->model;
    struct zr_decline_request request = {0};
    struct zr_decline_reply reply;
    struct session_expected wanted;
    int contractor = operation->b % MODEL_CONTRACTORS;

    if (call == NULL || call->tickets_count == 0) {
        session_skip(session);
        return;
    }
    if (operation->b % 4 != 0 && call->lease_contractor >= 0) {
        contractor = call->lease_contractor;
    } else if (operation->b % 4 != 0 && call->decliners_count > 0) {
        contractor = call->decliners[0];
    }
    if (call->decliners_count > 0 && is_fading(model, call)) {
        session_skip(session);
        return;
    }
    request.call_ref = call->tickets[call->tickets_count - 1].reply.call_ref;
    request.contractor = model->contractors[contractor].number;
    wanted.status = model_decline(model, session->call, &request, &wanted.duplicate);
    (void)session_expect(
        session,
        &(struct session_question){session_portal(session, model->contractors[contractor].tenant),
                                   ZR_OP_DECLINE, &request, &reply},
        wanted);
}

void
play_calls(struct session *session, const struct operation *operation)
{
    static void (*const plays[])(struct session *, const struct operation *) = {
        play_route, play_next, play_connect, play_qualify, play_qualify, play_end, play_decline};

    plays[operation->kind - PLAY_ROUTE](session, operation);
    if (session->traces) {
        (void)fprintf(session->output, "        call %d\n", session->call);
    }
}
