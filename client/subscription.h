/*
 * subscription.h - what a client follows: the events, and the map.
 *
 * The wish outlives connections; what the server granted does not. So a subscription is asked for
 * again on each new connection, from behind the last event that was delivered: the caller hears
 * of every event at least once, and of one twice only if the server said it twice.
 *
 *     wanted --asked--> in_flight --OK--> granted --connection lost--> wanted
 *                           | CURSOR_TOO_OLD ...
 *                           v
 *                       told, and no longer wanted
 *
 * A request in flight cannot be called back. When the wish changes meanwhile, its answer is about
 * something that nobody wants any more (`stale`) and only makes room for the next request.
 */
#ifndef ZR_CLIENT_SUBSCRIPTION_H
#define ZR_CLIENT_SUBSCRIPTION_H

#include "client/core.h"
#include "client/include/zipring.h"

#include <stdbool.h>
#include <stdint.h>

/* One kind of subscription of a client. All zero: nothing is wanted. */
struct zrc_subscription {
    struct zr_client *client;
    enum zrc_push kind;
    zr_event_fn on_event; /* Of the one kind ... */
    zr_map_fn on_change;  /* ... and of the other. */
    void *context;
    uint64_t due_ns; /* Not asked for before this. */
    bool wanted;
    bool granted;
    bool in_flight;
    bool stale;
    union {
        struct zr_events_subscribe_request events;
        struct zr_map_subscribe_request map;
    } request; /* Its cursor moves with what is delivered. */
};

/* HELLO_OK came: ask for what is wanted as soon as possible. */
void zrc_subscriptions_ready(struct zr_client *client);

/* The connection is lost, and with it what it granted. */
void zrc_subscriptions_lose(struct zr_client *client);

/* Ask for what is wanted, due and not granted. */
void zrc_subscriptions_ask(struct zr_client *client);

/* When ask has something to do next; UINT64_MAX = never. */
uint64_t zrc_subscriptions_due_ns(const struct zr_client *client);

/* The core took a push (ZRC_STEP_PUSHED): deliver it. Returns callbacks run. */
int zrc_subscriptions_deliver(struct zr_client *client);

/* Nothing can be followed any more: tell those who still wait. Returns callbacks run. */
int zrc_subscriptions_end(struct zr_client *client, int result);

#endif
