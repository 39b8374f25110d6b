/*
 * subscription.c - see subscription.h.
 */
#include "client/subscription.h"

#include "client/client.h"
#include "protocol/check.h"

#include <string.h>

enum { ASK_AGAIN_MS = 1000 };

/* It lies ahead of all there is: the server refuses it, and has then ended what this connection
 * followed before. */
static const uint64_t cursor_of_nothing = UINT64_MAX - 1;

static uint16_t
op_of(enum zrc_push kind)
{
    return kind == ZRC_PUSH_EVENTS ? ZR_OP_EVENTS_SUBSCRIBE : ZR_OP_MAP_SUBSCRIBE;
}

static uint64_t *
cursor_of(struct zrc_subscription *subscription)
{
    return subscription->kind == ZRC_PUSH_EVENTS ? &subscription->request.events.cursor
                                                 : &subscription->request.map.version;
}

/* It is over: its last callback says why. */
static void
subscription_end(struct zrc_subscription *subscription, int result)
{
    CHECK(subscription->wanted);
    CHECK(result != 0);
    subscription->wanted = false;
    subscription->granted = false;
    if (subscription->kind == ZRC_PUSH_EVENTS) {
        subscription->on_event(subscription->context, result, NULL);
    } else {
        subscription->on_change(subscription->context, result, NULL);
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void
on_answer(void *context, const struct zr_completion *completion)
{
    struct zrc_subscription *const subscription = context;
    const struct zr_subscribe_reply *const reply = completion->reply;
    struct zr_client *const client = subscription->client;

    CHECK(subscription->in_flight);
    subscription->in_flight = false;
    if (subscription->stale) {
        subscription->stale = false;
    } else if (completion->result == 0) {
        subscription->granted = true;
        *cursor_of(subscription) = reply->cursor;
    } else if (zr_result_retryable(completion->result) && completion->result != ZR_ECANCELED &&
               client->final == 0) {
        subscription->due_ns = client->now_ns + ASK_AGAIN_MS * ZRC_NS_PER_MS;
    } else {
        subscription_end(subscription, completion->result);
    }
}

static void
subscription_ask(struct zrc_subscription *subscription)
{
    struct zr_client *const client = subscription->client;
    const struct zr_submission submission = {
        .size = sizeof submission,
        .op = op_of(subscription->kind),
        .request = &subscription->request,
        .done = on_answer,
        .context = subscription,
    };
    const int result = zr_submit(client, &submission);

    if (result == 0) {
        subscription->in_flight = true;
        subscription->stale = false;
    } else {
        subscription->due_ns = client->now_ns + ASK_AGAIN_MS * ZRC_NS_PER_MS; /* Full. */
    }
}

static bool
subscription_waits(const struct zrc_subscription *subscription)
{
    return subscription->wanted && !subscription->granted && !subscription->in_flight &&
           subscription->client->core.session == ZRC_SESSION_READY;
}

void
zrc_subscriptions_ask(struct zr_client *client)
{
    for (unsigned i = 0; i < ZRC_PUSHES; i++) {
        struct zrc_subscription *const subscription = &client->subscriptions[i];

        if (subscription->wanted && subscription_waits(subscription) &&
            subscription->due_ns <= client->now_ns) {
            subscription_ask(subscription);
        }
    }
}

uint64_t
zrc_subscriptions_due_ns(const struct zr_client *client)
{
    uint64_t due_ns = UINT64_MAX;

    for (unsigned i = 0; i < ZRC_PUSHES; i++) {
        const struct zrc_subscription *const subscription = &client->subscriptions[i];

        if (subscription->wanted && subscription_waits(subscription) &&
            subscription->due_ns < due_ns) {
            due_ns = subscription->due_ns;
        }
    }
    return due_ns;
}

/* ---- what happens to the connection ------------------------------------------------------------
 */

void
zrc_subscriptions_ready(struct zr_client *client)
{
    for (unsigned i = 0; i < ZRC_PUSHES; i++) {
        client->subscriptions[i].due_ns = 0;
    }
}

void
zrc_subscriptions_lose(struct zr_client *client)
{
    for (unsigned i = 0; i < ZRC_PUSHES; i++) {
        client->subscriptions[i].granted = false;
    }
}

int
zrc_subscriptions_end(struct zr_client *client, int result)
{
    int ran = 0;

    for (unsigned i = 0; i < ZRC_PUSHES; i++) {
        if (client->subscriptions[i].wanted) {
            subscription_end(&client->subscriptions[i], result);
            ran++;
        }
    }
    return ran;
}

/* ---- delivering ------------------------------------------------------------------------------ */

/* Callbacks may unsubscribe, and subscribe anew: what is left of the frame is then not theirs. */
static int
deliver_events(struct zrc_subscription *subscription, const struct zr_events *events)
{
    int ran = 0;

    for (uint16_t i = 0; i < events->events_count && subscription->granted; i++) {
        const struct zr_event *const event = &events->events[i];

        /* A gap is got over at its end. */
        subscription->request.events.cursor =
            event->type == ZR_EVENT_EVENTS_GAP ? event->number : event->event_seq;
        subscription->on_event(subscription->context, 0, event);
        ran++;
    }
    return ran;
}

static int
deliver_changes(struct zrc_subscription *subscription, const struct zr_map_delta *delta)
{
    int ran = 0;

    for (uint16_t i = 0; i < delta->changes_count && subscription->granted; i++) {
        subscription->request.map.version = delta->changes[i].version;
        subscription->on_change(subscription->context, 0, &delta->changes[i]);
        ran++;
    }
    return ran;
}

int
zrc_subscriptions_deliver(struct zr_client *client)
{
    const enum zrc_push kind = client->core.pushed;
    struct zrc_subscription *const subscription = &client->subscriptions[kind];

    if (!subscription->granted) {
        return 0; /* Of a subscription that has ended, or that the caller made by itself. */
    }
    return kind == ZRC_PUSH_EVENTS ? deliver_events(subscription, &client->core.reply.events)
                                   : deliver_changes(subscription, &client->core.reply.map_delta);
}

/* ---- what zipring.h promises ----------------------------------------------------------------- */

/* May this client follow something more, of that kind? */
static int
subscribe_judge(const struct zr_client *client, enum zrc_push kind)
{
    if (client == NULL || !zrc_client_is_ours(client) || client->subscriptions[kind].wanted) {
        return ZR_EINVAL;
    }
    return client->closing ? ZR_ECANCELED : client->final;
}

/* The callback and the request are set: want it from now on. */
static void
subscribe(struct zr_client *client, struct zrc_subscription *subscription, void *context)
{
    subscription->client = client;
    subscription->context = context;
    subscription->due_ns = 0;
    subscription->wanted = true;
    subscription->granted = false;
    subscription->stale = subscription->in_flight;
    zrc_subscriptions_ask(client);
}

int
zr_subscribe_events(struct zr_client *client, const struct zr_events_subscribe_request *request,
                    zr_event_fn on_event, void *context)
{
    const int result = subscribe_judge(client, ZRC_PUSH_EVENTS);
    struct zrc_subscription *subscription;

    if (result != 0) {
        return result;
    }
    if (on_event == NULL || !zrc_request_is_valid(&zr_events_subscribe_request_shape, request)) {
        return ZR_EINVAL;
    }
    subscription = &client->subscriptions[ZRC_PUSH_EVENTS];
    subscription->kind = ZRC_PUSH_EVENTS;
    subscription->request.events = *request;
    subscription->on_event = on_event;
    subscribe(client, subscription, context);
    return 0;
}

int
zr_subscribe_map(struct zr_client *client, const struct zr_map_subscribe_request *request,
                 zr_map_fn on_change, void *context)
{
    const int result = subscribe_judge(client, ZRC_PUSH_MAP);
    struct zrc_subscription *subscription;

    if (result != 0) {
        return result;
    }
    if (on_change == NULL || !zrc_request_is_valid(&zr_map_subscribe_request_shape, request)) {
        return ZR_EINVAL;
    }
    subscription = &client->subscriptions[ZRC_PUSH_MAP];
    subscription->kind = ZRC_PUSH_MAP;
    subscription->request.map = *request;
    subscription->on_change = on_change;
    subscribe(client, subscription, context);
    return 0;
}

static void
on_unsubscribed(void *context, const struct zr_completion *completion)
{
    (void)context;
    (void)completion; /* CURSOR_TOO_OLD, or the connection went and the subscription with it. */
}

int
zr_unsubscribe(struct zr_client *client, uint16_t op)
{
    const enum zrc_push kind = op == ZR_OP_EVENTS_SUBSCRIBE ? ZRC_PUSH_EVENTS : ZRC_PUSH_MAP;
    struct zrc_subscription *subscription;
    struct zr_submission submission = {.size = sizeof submission, .done = on_unsubscribed};

    if (client == NULL || !zrc_client_is_ours(client) || op != op_of(kind) ||
        !client->subscriptions[kind].wanted) {
        return ZR_EINVAL;
    }
    subscription = &client->subscriptions[kind];
    subscription->wanted = false;
    subscription->stale = subscription->in_flight;
    if (subscription->granted || subscription->in_flight) {
        *cursor_of(subscription) = cursor_of_nothing;
        submission.op = op;
        submission.request = &subscription->request;
        subscription->granted = false;
        /* Full: what is pushed is dropped until the connection ends, and that is as good. */
        return zr_submit(client, &submission) == ZR_EINVAL ? ZR_EINVAL : 0;
    }
    return 0;
}
