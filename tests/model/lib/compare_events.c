/*
 * compare_events.c - what the server told since the last step, held against the model.
 *
 * The hard idea: events and changes of the map share one number line, and an ADMIN who follows both
 * hears every number. So after each step it is known how many there are (`newest`), waiting is
 * counting and no guess of a time, and a number that is told twice or never is found at once. The
 * rules do not say in which order one command tells what it does: both lists are sorted by what
 * they say.
 */
#include "protocol/check.h"
#include "tests/model/lib/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES_MAX = 300, PASS_MS = 100, KEPT_DAYS = 35 };

/* ---- hearing ----------------------------------------------------------------------------------
 */

/* The next number of a stream. */
static void
stream_tell(struct session_heard *heard, struct session_stream *stream, uint64_t number)
{
    heard->broken = heard->broken || number <= stream->last;
    stream->last = number;
    stream->last_ms = heard->base_ms;
    heard->told++;
}

static void
heard_event(void *context, int result, const struct zr_event *event)
{
    struct session_heard *heard = context;

    if (event == NULL) {
        heard->event.over = result;
        return;
    }
    heard->broken = heard->broken || event->commit_seq < heard->last_commit ||
                    event->type == ZR_EVENT_EVENTS_GAP || heard->count == MODEL_EVENTS;
    heard->last_commit = event->commit_seq;
    stream_tell(heard, &heard->event, event->event_seq);
    if (!heard->broken) {
        heard->events[heard->count++] = *event;
    }
}

static void
heard_change(void *context, int result, const struct zr_map_change *change)
{
    struct session *session = context;
    struct session_heard *heard = &session->heard;

    if (change == NULL) {
        heard->change.over = result;
        return;
    }
    stream_tell(heard, &heard->change, change->version);
    compare_map_change(session, change);
}

/* The newest event there is, as a subscription from the future is told. */
static uint64_t
events_newest(struct session *session)
{
    struct zr_events_subscribe_request request = {.cursor = UINT64_MAX - 1};
    struct zr_subscribe_reply reply = {0};

    (void)session_same(session, "newest event status", ZR_STATUS_CURSOR_TOO_OLD,
                       zr_events_subscribe(session->world.auditor, &request, &reply));
    return reply.newest;
}

static void
follow_events(struct session *session)
{
    const struct zr_events_subscribe_request request = {.cursor = session->heard.base};

    session->heard.event = (struct session_stream){session->heard.base, session->heard.base_ms, 0};
    CHECK(zr_subscribe_events(session->world.admin, &request, heard_event, &session->heard) == 0);
}

static void
follow_map(struct session *session)
{
    const struct zr_map_subscribe_request request = {.version = session->heard.base};

    session->heard.change = (struct session_stream){session->heard.base, session->heard.base_ms, 0};
    CHECK(zr_subscribe_map(session->world.admin, &request, heard_change, session) == 0);
}

void
compare_events_open(struct session *session)
{
    session->heard.base = events_newest(session);
    session->heard.base_ms = session->model->now_ms;
    follow_events(session);
    compare_map_open(session);
    follow_map(session);
}

/* After a restart a stream goes on behind the last that it told; if that is so long ago that what
 * followed is not kept any more, though none of it was for this stream, it is over. */
static bool
is_too_old(const struct session *session, const struct session_stream *stream)
{
    return stream->over == ZR_STATUS_CURSOR_TOO_OLD &&
           session->model->now_ms > stream->last_ms + KEPT_DAYS * MODEL_DAY_MS;
}

static void
hear_some(struct session *session)
{
    struct session_heard *heard = &session->heard;

    (void)zr_client_process(session->world.admin, PASS_MS);
    if (is_too_old(session, &heard->event)) {
        follow_events(session);
    }
    if (is_too_old(session, &heard->change)) {
        follow_map(session);
    }
    heard->broken = heard->broken || heard->event.over != 0 || heard->change.over != 0;
}

/* Everything up to `newest`: each number once, over one of the two. */
static bool
hear(struct session *session)
{
    struct session_heard *heard = &session->heard;
    const uint64_t newest = events_newest(session);

    for (int pass = 0; heard->told < newest - heard->base && !heard->broken; pass++) {
        if (pass == PASSES_MAX) {
            session_differ(session, "events told", (int64_t)(newest - heard->base),
                           (int64_t)heard->told);
            return false;
        }
        hear_some(session);
    }
    if (heard->broken || heard->told > newest - heard->base) {
        session_differ(session, "order of events", (int64_t)newest, (int64_t)heard->event.last);
        return false;
    }
    heard->base = newest;
    heard->base_ms = session->model->now_ms;
    heard->told = 0;
    return true;
}

/* ---- one form for both -------------------------------------------------------------------------
 */

/* An event of either side. Its number is what `serial` stands for, if that is not 0. */
struct said {
    struct zr_event event;
    uint64_t serial;
};

static void
said_by_model(const struct model *model, const struct model_event *row, struct said *said)
{
    const struct zr_id none = {{0}};

    *said = (struct said){
        .event = {.time_ms = row->time_ms,
                  .claim_id = row->claim_id,
                  .number = row->number,
                  .deadline_ms = row->deadline_ms,
                  .amount_cents = row->amount,
                  .contractor =
                      row->contractor >= 0 ? model->contractors[row->contractor].number : 0,
                  .tenant = row->tenant,
                  .zip = row->zip,
                  .category = row->category,
                  .type = row->type,
                  .code = row->code},
        .serial = row->serial,
    };
    said->event.call_ref = row->call_ref;
    if (row->call_count > 0 && memcmp(&row->call_ref, &none, sizeof none) == 0) {
        said->event.call_ref = model->calls[row->call_count - 1].call_ref;
    }
}

static int
order_of(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static bool
is_numbered_by_server(uint8_t type)
{
    return (type >= ZR_EVENT_OFFER_MADE && type <= ZR_EVENT_OFFER_CANCELLED) ||
           (type >= ZR_EVENT_TOPUP_REQUESTED && type <= ZR_EVENT_TOPUP_FAILED);
}

/* By everything that it says; a number only where both sides know it before. */
static int
said_compare(const void *left, const void *right)
{
    const struct zr_event *a = &((const struct said *)left)->event;
    const struct zr_event *b = &((const struct said *)right)->event;
    const bool numbered = is_numbered_by_server(a->type);
    const int orders[] = {order_of(a->type, b->type),
                          order_of(a->contractor, b->contractor),
                          order_of(a->claim_id, b->claim_id),
                          memcmp(&a->call_ref, &b->call_ref, sizeof a->call_ref),
                          order_of(a->zip, b->zip),
                          order_of(a->category, b->category),
                          order_of(a->time_ms, b->time_ms),
                          order_of(a->code, b->code),
                          order_of((uint64_t)a->amount_cents, (uint64_t)b->amount_cents),
                          order_of(a->deadline_ms, b->deadline_ms),
                          order_of(a->tenant, b->tenant),
                          numbered ? 0 : order_of(a->number, b->number)};

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (orders[i] != 0) {
            return orders[i];
        }
    }
    return 0;
}

/* A stable sort: what says the same stays in the order in which it was told. */
static void
said_sort(struct said *all, int count)
{
    for (int i = 1; i < count; i++) {
        const struct said moved = all[i];
        int at = i;

        for (; at > 0 && said_compare(&all[at - 1], &moved) > 0; at--) {
            all[at] = all[at - 1];
        }
        all[at] = moved;
    }
}

/* ---- numbers that only the server can choose ---------------------------------------------------
 */

/*
 * The number under that name. A new name takes it, if it is no other's and higher than any of the
 * steps before; within one step the order of commands is not this side's to know.
 */
static bool
offer_number_same(struct session *session, uint64_t serial, uint64_t number)
{
    for (uint32_t i = 0; i < session->offers_count && i < SESSION_OFFERS; i++) {
        const struct session_number *known = &session->offers[i];

        if (known->serial == serial || known->number == number) {
            return known->serial == serial && known->number == number;
        }
    }
    if (number <= session->offer_newest) {
        return false;
    }
    session->offers[session->offers_count++ % SESSION_OFFERS] =
        (struct session_number){.serial = serial, .number = number};
    for (int i = 0; i < MODEL_SLOTS; i++) {
        const struct model_slot *slot = &session->model->slots[i];

        if (slot->offer_claim >= 0 && slot->offer_stamp == serial && slot->offer_id != 0) {
            return slot->offer_id == number; /* SLOT_GET said it first. */
        }
    }
    return true;
}

static bool
attempt_number_same(struct session *session, const struct said *wanted, uint64_t number)
{
    const int contractor = model_contractor_at(session->model, wanted->event.contractor);
    struct model_attempt *attempt = &session->model->contractors[contractor]
                                         .autotopup.attempts[wanted->serial % MODEL_ATTEMPTS];

    if (attempt->id == 0) {
        attempt->id = number;
    }
    return attempt->id == number;
}

static bool
number_same(struct session *session, const struct said *wanted, uint64_t number)
{
    if (!is_numbered_by_server(wanted->event.type)) {
        return wanted->event.number == number;
    }
    if (wanted->event.type <= ZR_EVENT_OFFER_CANCELLED) {
        return offer_number_same(session, wanted->serial, number);
    }
    return wanted->serial == 0 ? number == 0 : attempt_number_same(session, wanted, number);
}

void
compare_learn_number(struct session *session, uint8_t type, uint64_t number)
{
    for (int i = 0; i < session->model->events_count; i++) {
        if (session->model->events[i].type == type) {
            session->model->events[i].number = number;
        }
    }
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static void
said_print(FILE *output, const char *side, const struct said *said)
{
    const struct zr_event *event = &said->event;

    if (output == NULL) {
        return;
    }
    (void)fprintf(output,
                  "  %s %s contractor %u tenant %u slot %05u/%u claim %" PRIu64 " number %" PRIu64
                  "\n      amount %" PRId64 " code %u deadline %" PRIu64 " time %" PRIu64 " call ",
                  side, zr_event_type_name(event->type), event->contractor, event->tenant,
                  event->zip, event->category, event->claim_id, event->number, event->amount_cents,
                  event->code, event->deadline_ms, event->time_ms);
    for (size_t i = 0; i < sizeof event->call_ref; i++) {
        (void)fprintf(output, "%02x", event->call_ref.bytes[i]);
    }
    (void)fprintf(output, "\n");
}

/* One that only one side has. The first gives the difference its name. */
static void
said_differ(struct session *session, bool expected, const struct said *said)
{
    char what[64];

    (void)snprintf(what, sizeof what, "event %s", zr_event_type_name(said->event.type));
    session_differ(session, what, expected, !expected);
    said_print(session->output, expected ? "expected" : "got     ", said);
}

/* Both are sorted: what stands on one side only is told, all of it. */
static void
lists_compare(struct session *session, const struct said *wanted, int wanted_count,
              const struct said *got, int got_count)
{
    int w = 0;
    int g = 0;

    while (w < wanted_count || g < got_count) {
        const int order = w == wanted_count ? 1
                          : g == got_count  ? -1
                                            : said_compare(&wanted[w], &got[g]);

        if (order < 0) {
            said_differ(session, true, &wanted[w++]);
        } else if (order > 0) {
            said_differ(session, false, &got[g++]);
        } else if (!number_same(session, &wanted[w++], got[g++].event.number)) {
            said_differ(session, true, &wanted[w - 1]);
            said_differ(session, false, &got[g - 1]);
        }
    }
}

void
compare_events(struct session *session)
{
    static struct said wanted[MODEL_EVENTS];
    static struct said got[MODEL_EVENTS];
    struct session_heard *heard = &session->heard;
    struct model *model = session->model;

    if (session->told_count + MODEL_EVENTS > SESSION_TOLD) {
        compare_readers(session);
    }
    if (session->differs || !hear(session)) {
        return;
    }
    (void)session_same(session, "events without room", 0, (int64_t)model->events_lost);
    for (int i = 0; i < model->events_count; i++) {
        said_by_model(model, &model->events[i], &wanted[i]);
    }
    for (uint32_t i = 0; i < heard->count; i++) {
        got[i] = (struct said){.event = heard->events[i]};
    }
    said_sort(wanted, model->events_count);
    said_sort(got, (int)heard->count);
    lists_compare(session, wanted, model->events_count, got, (int)heard->count);
    compare_map(session);
    for (uint32_t i = 0; i < session->offers_count && i < SESSION_OFFERS; i++) {
        if (session->offers[i].number > session->offer_newest) {
            session->offer_newest = session->offers[i].number;
        }
    }
    for (uint32_t i = 0; i < heard->count; i++) {
        session->events[heard->events[i].type % SESSION_EVENT_TYPES]++;
        session->told[session->told_count++] = heard->events[i];
    }
    heard->count = 0;
}
