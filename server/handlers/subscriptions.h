/*
 * subscriptions.h - who follows the events and the map, and what each of them gets when.
 *
 * A subscription has no queue: what it has not got yet is what stands behind its cursor in the
 * event table, which is there anyway. So a slow reader costs nothing but a row of this table. Once
 * a turn the worker reads on behind each cursor and pushes as long as the connection takes it;
 * what the connection does not take now waits on disk. A reader that falls further and further
 * behind is told so by one EVENTS_GAP and goes on at the newest event (E67): it never holds up
 * routing, and never makes memory grow.
 *
 *     turn: published.events_seq moved, or somebody is behind
 *       each subscription in turn, from where the last turn stopped:
 *         connection gone, principal revoked  -> it ends
 *         no room                             -> passed over; sending its backlog begins a turn
 *         room                                -> rows behind the cursor, the visible ones pushed
 *       budget used, or rows left where there is room -> the worker is woken again
 *
 * One of a kind per connection. A subscribe ends the earlier one, whatever becomes of it: that is
 * how a client unsubscribes, by asking for a cursor that lies ahead.
 */
#ifndef ZR_SUBSCRIPTIONS_H
#define ZR_SUBSCRIPTIONS_H

#include "server/handlers/service.h"

enum {
    /* Rows that one turn looks at, and of them for one subscription: about half a millisecond. */
    SUBSCRIPTIONS_TURN_ROWS = 2048,
    SUBSCRIPTION_TURN_ROWS = 256,
    /* A delta has the colours of its ZIP counted anew: it costs as much as a row for so many
     * categories. */
    SUBSCRIPTION_ROW_CATEGORIES = 3,
};

struct subscriptions;

/* `lag_max`: events that a reader may fall behind before it gets a gap. */
struct subscriptions *subscriptions_open(struct arena *arena, uint32_t subscribers_max,
                                         uint64_t lag_max);

/* EVENTS_SUBSCRIBE and MAP_SUBSCRIBE. CURSOR_TOO_OLD: events behind the cursor were trimmed, or it
 * lies ahead; the reply says where events begin and end. OVERLOADED: subscribers_max. */
enum frame_verdict subscriptions_follow_events(struct service *service,
                                               const struct request *request,
                                               struct zr_builder *reply);
enum frame_verdict subscriptions_follow_map(struct service *service, const struct request *request,
                                            struct zr_builder *reply);

/* A turn begins: push what is new and what connections have room for. */
void subscriptions_push(struct service *service);

/* Fill in what SERVER_STATS says of them. */
void subscriptions_stats(struct service *service, struct zr_server_stats_reply *stats);

#endif
