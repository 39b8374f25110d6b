/*
 * following.h - a client that follows events or the map, and keeps what it heard.
 *
 * Waiting is bounded by the number of passes, each of which sleeps until the socket has something;
 * nothing here looks at a clock.
 */
#ifndef ZR_TEST_FOLLOWING_H
#define ZR_TEST_FOLLOWING_H

#include "tests/integration/cases.h"

enum { HEARD_MAX = 4096, PASSES_MAX = 200, PASS_MS = 100 };

struct heard {
    struct zr_client *client;
    int over; /* Why it ended, 0 = it has not. */
    uint64_t last;
    uint64_t total;
    uint32_t count; /* Kept; `total` goes on. */
    struct zr_event events[HEARD_MAX];
    struct zr_map_change changes[HEARD_MAX];
};

static inline void
heard_event(void *context, int result, const struct zr_event *event)
{
    struct heard *heard = context;

    if (event == NULL) {
        heard->over = result;
        return;
    }
    assert_int_equal(result, 0);
    heard->total++;
    heard->last = event->type == ZR_EVENT_EVENTS_GAP ? event->number : event->event_seq;
    if (heard->count < HEARD_MAX) {
        heard->events[heard->count++] = *event;
    }
}

static inline void
heard_change(void *context, int result, const struct zr_map_change *change)
{
    struct heard *heard = context;

    if (change == NULL) {
        heard->over = result;
        return;
    }
    assert_int_equal(result, 0);
    heard->total++;
    heard->last = change->version;
    if (heard->count < HEARD_MAX) {
        heard->changes[heard->count++] = *change;
    }
}

/* Begin to follow behind `cursor`; zero what was heard. */
static inline void
follow_events(struct heard *heard, struct zr_client *client, uint64_t cursor, const char *name)
{
    struct zr_events_subscribe_request request = {.cursor = cursor};

    (void)snprintf(request.name, sizeof request.name, "%s", name);
    memset(heard, 0, sizeof *heard);
    heard->client = client;
    assert_int_equal(zr_subscribe_events(client, &request, heard_event, heard), 0);
}

static inline void
follow_map(struct heard *heard, struct zr_client *client, uint64_t version)
{
    const struct zr_map_subscribe_request request = {.version = version};

    memset(heard, 0, sizeof *heard);
    heard->client = client;
    assert_int_equal(zr_subscribe_map(client, &request, heard_change, heard), 0);
}

/* Process until so many were heard in all. */
static inline void
hear(struct heard *heard, uint64_t total)
{
    for (int pass = 0; heard->total < total && heard->over == 0; pass++) {
        if (pass == PASSES_MAX) {
            fail_msg("heard %llu of %llu", (unsigned long long)heard->total,
                     (unsigned long long)total);
        }
        (void)zr_client_process(heard->client, PASS_MS);
    }
}

/* Process until the subscription is over. Returns why. */
static inline int
hear_over(struct heard *heard)
{
    for (int pass = 0; heard->over == 0; pass++) {
        assert_in_range(pass, 0, PASSES_MAX);
        (void)zr_client_process(heard->client, PASS_MS);
    }
    return heard->over;
}

/* The newest event there is, as a subscribe tells it; the subscription is not kept. */
static inline uint64_t
events_newest(struct zr_client *client)
{
    const struct zr_events_subscribe_request request = {.cursor = UINT64_MAX - 1};
    struct zr_subscribe_reply reply;

    assert_int_equal(zr_events_subscribe(client, &request, &reply), ZR_STATUS_CURSOR_TOO_OLD);
    return reply.newest;
}

#endif
