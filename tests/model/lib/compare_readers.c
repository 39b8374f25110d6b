/*
 * compare_readers.c - who is told what (R69): portals, switches, payments and a contractor follow
 * events beside the ADMIN, who is told all of them.
 *
 * The hard idea: none of them can know what it was not told. So what the ADMIN heard, which the
 * model agrees with, is cut down to what PROTOCOL.md "Events" gives to each, and must be what that
 * one heard, in the same order. What comes too much is found by the next comparison at the latest.
 */
#include "protocol/check.h"
#include "tests/model/lib/session.h"

#include <string.h>

enum { PASSES_MAX = 300, PASS_MS = 100, KEPT_DAYS = 35 };

static void
reader_heard(void *context, int result, const struct zr_event *event)
{
    struct session_reader *reader = context;

    if (event == NULL) {
        reader->stream.over = result;
        return;
    }
    reader->broken =
        reader->broken || reader->count == SESSION_TOLD || event->event_seq <= reader->stream.last;
    if (!reader->broken) {
        reader->stream.last = event->event_seq;
        reader->stream.last_ms = reader->base_ms;
        reader->events[reader->count++] = *event;
    }
}

/* An answer behind the subscription's: pushes come from now on, whenever they are looked at. */
static void
reader_wait(struct session *session, struct session_reader *reader)
{
    const struct zr_empty request = {0};
    struct zr_ping_reply reply;

    (void)session_same(session, "PING status", 0, zr_ping(reader->client, &request, &reply));
}

static void
reader_follow(struct session *session, struct session_reader *reader)
{
    const struct zr_events_subscribe_request request = {.cursor = reader->base};

    reader->stream = (struct session_stream){reader->base, reader->base_ms, 0};
    reader->count = 0;
    CHECK(zr_subscribe_events(reader->client, &request, reader_heard, reader) == 0);
    reader_wait(session, reader);
}

void
compare_readers_open(struct session *session)
{
    const struct world *world = &session->world;
    const struct session_reader readers[SESSION_READERS] = {
        {.client = world->portal, .tenant = 1, .role = ZR_ROLE_PORTAL},
        {.client = session->portal2, .tenant = 2, .role = ZR_ROLE_PORTAL},
        {.client = world->carrier, .tenant = 1, .role = ZR_ROLE_SWITCH},
        {.client = session->carrier2, .tenant = 2, .role = ZR_ROLE_SWITCH},
        {.client = world->callcenter, .tenant = 1, .role = ZR_ROLE_CALLCENTER},
        {.client = world->payments, .tenant = 1, .role = ZR_ROLE_PAYMENTS},
        {.client = session->payments2, .tenant = 2, .role = ZR_ROLE_PAYMENTS},
        {.client = session->contractor,
         .tenant = session->model->contractors[0].tenant,
         .contractor = session->model->contractors[0].number,
         .role = ZR_ROLE_CONTRACTOR},
    };

    memcpy(session->readers, readers, sizeof readers);
    for (int i = 0; i < SESSION_READERS; i++) {
        session->readers[i].base = session->heard.base;
        session->readers[i].base_ms = session->heard.base_ms;
        reader_follow(session, &session->readers[i]);
    }
}

/* PROTOCOL.md "Events": who hears what. */
static bool
is_for(const struct session_reader *reader, const struct zr_event *event)
{
    const bool is_of_calls =
        event->type == ZR_EVENT_CALL_DECLINED || event->type == ZR_EVENT_RECONCILE;

    switch (reader->role) {
    case ZR_ROLE_PORTAL:
        return !is_of_calls && event->tenant == reader->tenant;
    case ZR_ROLE_CONTRACTOR:
        return !is_of_calls && event->contractor == reader->contractor;
    case ZR_ROLE_PAYMENTS:
        return event->type >= ZR_EVENT_TOPUP_REQUESTED && event->type <= ZR_EVENT_TOPUP_REVERSED;
    default:
        return is_of_calls && event->tenant == reader->tenant;
    }
}

/*
 * A stream goes on behind the last that it told. Of a quiet reader that may be so long ago that
 * what followed, though none of it was for it, is not kept any more: it begins where it was
 * compared last.
 */
void
compare_readers_again(struct session *session)
{
    for (int i = 0; i < SESSION_READERS && !session->differs; i++) {
        struct session_reader *reader = &session->readers[i];

        reader_wait(session, reader);
        if (reader->stream.over == ZR_STATUS_CURSOR_TOO_OLD &&
            session->model->now_ms > reader->stream.last_ms + KEPT_DAYS * MODEL_DAY_MS) {
            reader_follow(session, reader);
        }
    }
}

static void
reader_compare(struct session *session, struct session_reader *reader)
{
    uint32_t expected = 0;
    char what[64];

    (void)snprintf(what, sizeof what, "events of %s %u", zr_role_name(reader->role),
                   reader->tenant);
    for (uint32_t i = 0; i < session->told_count; i++) {
        expected += is_for(reader, &session->told[i]);
    }
    for (int pass = 0; reader->count < expected && pass < PASSES_MAX && !reader->broken; pass++) {
        (void)zr_client_process(reader->client, PASS_MS);
        reader->broken = reader->broken || reader->stream.over != 0;
    }
    (void)session_same(session, what, reader->broken ? -1 : (int64_t)expected, reader->count);
    expected = 0;
    for (uint32_t i = 0; i < session->told_count && !session->differs; i++) {
        const struct zr_event *event = &session->told[i];

        if (is_for(reader, event)) {
            (void)session_same(session, what, (int64_t)event->event_seq,
                               (int64_t)reader->events[expected++].event_seq);
        }
    }
    reader->count = 0;
    reader->base = session->heard.base;
    reader->base_ms = session->heard.base_ms;
}

void
compare_readers(struct session *session)
{
    for (int i = 0; i < SESSION_READERS && !session->differs; i++) {
        reader_compare(session, &session->readers[i]);
    }
    session->told_count = 0;
}
