/*
 * subscriptions.c - see subscriptions.h.
 */
#include "server/handlers/subscriptions.h"

#include "protocol/check.h"
#include "server/domain/event.h"
#include "server/handlers/dispatch.h"
#include "server/handlers/map.h"
#include "server/handlers/session.h"

#include <string.h>

enum {
    RETRY_AFTER_MS = 1000,
    EVENTS_MAX = sizeof((struct zr_events *)0)->events / sizeof(struct zr_event),
    CHANGES_MAX = sizeof((struct zr_map_delta *)0)->changes / sizeof(struct zr_map_change),
};

/* EVENTS_SUBSCRIBE: after what was acknowledged under the name. */
static const uint64_t cursor_stored = UINT64_MAX;

enum subscription_kind { SUBSCRIPTION_EVENTS, SUBSCRIPTION_MAP };

struct subscription {
    struct conn_ref conn;
    struct session *session; /* net's: looked at only while the connection is there. */
    struct command reader;   /* Who may see what. */
    uint64_t id;             /* Of the subscribing request, and of each pushed frame. */
    uint64_t cursor;         /* Events up to it were pushed, or are none of its. */
    uint64_t lag_least;      /* How near to the newest it has been. */
    uint64_t types;          /* Bit t-1: wants events of type t. */
    uint32_t contractor;     /* Wants only this one's; 0 = every one's. */
    enum subscription_kind kind;
};

struct subscriptions {
    struct subscription *of;
    uint32_t subscribers_max;
    uint32_t count;
    uint32_t next; /* Who is looked at first. */
    uint64_t lag_max;
    uint64_t seen; /* published.events_seq at the last look. */
    bool behind;   /* Then, somebody had not got all of it. */
    uint64_t events_sent;
    uint64_t gaps_sent;
};

/* What is left of a turn. */
struct push_turn {
    uint32_t rows_left;
    bool more; /* Somebody with room has rows left: the next turn must come by itself. */
};

struct subscriptions *
subscriptions_open(struct arena *arena, uint32_t subscribers_max, uint64_t lag_max)
{
    struct subscriptions *opened = arena_take(arena, sizeof *opened, "subscriptions: their head");

    /* One row at least: an arena gives nothing for nothing. */
    opened->of = arena_take(arena, ((size_t)subscribers_max + 1) * sizeof *opened->of,
                            "subscriptions: readers of events and map (subscribers_max)");
    opened->subscribers_max = subscribers_max;
    opened->lag_max = lag_max;
    return opened;
}

/* ---- the table ------------------------------------------------------------------------------- */

/* The last row takes its place. */
static void
subscription_remove(struct subscriptions *subscriptions, uint32_t index)
{
    CHECK(index < subscriptions->count);
    subscriptions->count--;
    subscriptions->of[index] = subscriptions->of[subscriptions->count];
}

static bool
subscription_is_gone(const struct service *service, const struct subscription *subscription)
{
    return service->net.push_room(service->net.context, subscription->conn) == PUSH_GONE;
}

/* Those whose connections went while there was nothing to push. */
static void
subscriptions_sweep(struct service *service)
{
    struct subscriptions *subscriptions = service->subscriptions;
    uint32_t index = 0;

    while (index < subscriptions->count) {
        if (subscription_is_gone(service, &subscriptions->of[index])) {
            subscription_remove(subscriptions, index);
        } else {
            index++;
        }
    }
}

/* End the connection's subscription of that kind, if it has one. */
static void
subscription_end(struct subscriptions *subscriptions, struct conn_ref conn,
                 enum subscription_kind kind)
{
    for (uint32_t i = 0; i < subscriptions->count; i++) {
        const struct subscription *subscription = &subscriptions->of[i];

        if (subscription->conn.slot == conn.slot &&
            subscription->conn.generation == conn.generation && subscription->kind == kind) {
            subscription_remove(subscriptions, i);
            return;
        }
    }
}

/* ---- subscribing ----------------------------------------------------------------------------- */

static struct command
reader_of(const struct request *request)
{
    const struct session *session = request->session;
    struct command reader = {
        .tenant = session->tenant,
        .contractor = session->contractor,
        .role = session->role,
        .op = request->header.op,
    };

    memcpy(reader.principal, session->peer.key_hash, sizeof reader.principal);
    return reader;
}

/* Take `wish` up behind its cursor. */
static enum frame_verdict
subscribe(struct service *service, const struct request *request, const struct subscription *wish,
          struct zr_builder *reply)
{
    struct subscriptions *subscriptions = service->subscriptions;
    struct state *snapshot = service_snapshot(service);
    struct zr_subscribe_reply *answer = &service->reply.subscribe_reply;
    const uint64_t newest = service->head.counters[COUNTER_EVENT];
    const uint64_t oldest = state_event_oldest(snapshot);
    const uint64_t before_oldest = oldest == 0 ? newest : oldest - 1;
    struct subscription made = *wish;

    if (wish->kind == SUBSCRIPTION_EVENTS && wish->cursor == 0) {
        made.cursor = before_oldest; /* Of a map it would leave out what went. */
    }
    if (wish->cursor == cursor_stored) {
        made.cursor = before_oldest;
        (void)state_cursor_get(snapshot, wish->reader.principal,
                               service->request.events_subscribe_request.name, &made.cursor);
    }
    subscription_end(subscriptions, request->conn, wish->kind);
    *answer = (struct zr_subscribe_reply){.cursor = made.cursor, .newest = newest};
    if (made.cursor > newest || made.cursor < before_oldest) {
        answer->cursor = before_oldest;
        return dispatch_reply(request, reply, ZR_STATUS_CURSOR_TOO_OLD, 0, answer);
    }
    if (subscriptions->count == subscriptions->subscribers_max) {
        subscriptions_sweep(service);
    }
    if (subscriptions->count == subscriptions->subscribers_max) {
        service->overloads++;
        return dispatch_reply(request, reply, ZR_STATUS_OVERLOADED, RETRY_AFTER_MS, NULL);
    }
    made.conn = request->conn;
    made.session = request->session;
    made.id = request->header.id;
    made.lag_least = newest - made.cursor;
    subscriptions->of[subscriptions->count++] = made;
    /* What is there already is pushed behind this reply, in a turn of its own. */
    subscriptions->behind = true;
    service->net.wake(service->net.context);
    return dispatch_reply(request, reply, ZR_STATUS_OK, 0, answer);
}

enum frame_verdict
subscriptions_follow_events(struct service *service, const struct request *request,
                            struct zr_builder *reply)
{
    const struct zr_events_subscribe_request *question = &service->request.events_subscribe_request;
    const struct subscription wish = {
        .reader = reader_of(request),
        .cursor = question->cursor,
        .types = question->types == 0 ? UINT64_MAX : question->types,
        .contractor = question->contractor,
        .kind = SUBSCRIPTION_EVENTS,
    };

    return subscribe(service, request, &wish, reply);
}

enum frame_verdict
subscriptions_follow_map(struct service *service, const struct request *request,
                         struct zr_builder *reply)
{
    const struct subscription wish = {
        .reader = reader_of(request),
        .cursor = service->request.map_subscribe_request.version,
        .kind = SUBSCRIPTION_MAP,
    };

    if (wish.cursor == cursor_stored) {
        /* No version of the map has a name: like any other that lies ahead. */
        struct subscription ahead = wish;

        ahead.cursor--;
        return subscribe(service, request, &ahead, reply);
    }
    return subscribe(service, request, &wish, reply);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void
frame_push(struct service *service, const struct subscription *subscription)
{
    const bool map = subscription->kind == SUBSCRIPTION_MAP;
    const struct zr_operation *operation = zr_operation_find(map ? ZR_OP_MAP_DELTA : ZR_OP_EVENTS);
    const struct zr_header header = {
        .op = (uint16_t)(operation->op | ZR_OP_RESPONSE),
        .version = operation->version,
        .id = subscription->id,
    };
    uint8_t frame[ZR_FRAME_BYTES_DEFAULT]; /* The least that a client negotiates. */
    struct zr_builder builder;

    _Static_assert(ZR_HEADER_BYTES + 64 + sizeof(struct zr_events) < sizeof frame, "always fits");
    _Static_assert(ZR_HEADER_BYTES + 64 + sizeof(struct zr_map_delta) < sizeof frame,
                   "always fits");
    service_judge_snapshot(service);
    zr_builder_init(&builder, frame, sizeof frame);
    zr_message_encode(&builder, &header, operation->reply, &service->reply);
    CHECK(!builder.failed);
    service->net.push(service->net.context, subscription->conn, builder.bytes, builder.length);
}

static bool
event_is_wanted(const struct subscription *subscription, const struct event_row *event)
{
    const bool map = event->type == ZR_EVENT_MAP_DELTA;

    if (map || subscription->kind == SUBSCRIPTION_MAP) {
        return map && subscription->kind == SUBSCRIPTION_MAP;
    }
    CHECK(event->type >= 1);
    return (subscription->types >> (event->type - 1) & 1) != 0 &&
           (subscription->contractor == 0 || subscription->contractor == event->contractor) &&
           event_is_visible(event, &subscription->reader);
}

/* One row to the frame that is being filled. Returns how many stand in it. */
static uint16_t
frame_add(struct service *service, const struct subscription *subscription,
          const struct event_row *event)
{
    if (subscription->kind == SUBSCRIPTION_MAP) {
        struct zr_map_delta *delta = &service->reply.map_delta;

        map_change_of(service, &delta->changes[delta->changes_count++], subscription->cursor,
                      event);
        return delta->changes_count;
    }
    event_to_wire(&service->reply.events.events[service->reply.events.events_count++],
                  subscription->cursor, event);
    return service->reply.events.events_count;
}

static void
frame_begin(struct service *service, const struct subscription *subscription)
{
    if (subscription->kind == SUBSCRIPTION_MAP) {
        service->reply.map_delta.changes_count = 0;
    } else {
        service->reply.events.events_count = 0;
    }
}

/*
 * "You have missed the events from here to `number`": a map is told to be taken anew. The reader
 * goes on behind it.
 */
static void
gap_push(struct service *service, struct subscription *subscription, uint64_t newest)
{
    const struct event_row gap = {
        .time_ms = clock_now_ms(service->options.clock),
        .commit_seq = service->head.commit_seq,
        .number = newest,
        .tenant = subscription->reader.tenant,
        .type = ZR_EVENT_EVENTS_GAP,
    };

    frame_begin(service, subscription);
    /* A gap of the map names its end, since the snapshot that it asks for is no older. */
    subscription->cursor =
        subscription->kind == SUBSCRIPTION_MAP ? newest : subscription->cursor + 1;
    (void)frame_add(service, subscription, &gap);
    frame_push(service, subscription);
    subscription->cursor = newest;
    subscription->lag_least = 0;
    service->subscriptions->gaps_sent++;
}

/* ---- a turn ---------------------------------------------------------------------------------- */

/*
 * The newest event that may be told now. The snapshot may have a commit that is not published yet;
 * but the colours of a delta are read where the committer publishes (map.h), and told once.
 */
static uint64_t
newest_told(const struct service *service)
{
    const uint64_t stored = service->head.counters[COUNTER_EVENT];
    const uint64_t published = service->subscriptions->seen;

    return stored < published ? stored : published;
}

/*
 * A reader is slow when it falls behind by more than it was: one that comes back after a week has
 * a long way to go and is not.
 */
static bool
subscription_is_slow(const struct subscriptions *subscriptions, struct subscription *subscription,
                     uint64_t newest)
{
    const uint64_t lag = newest - subscription->cursor;

    if (lag < subscription->lag_least) {
        subscription->lag_least = lag;
    }
    return lag - subscription->lag_least > subscriptions->lag_max;
}

/*
 * Fill and push one frame from the rows behind the cursor. Returns rows looked at, by their cost.
 * A row that is not there was trimmed since: there is no telling what it was.
 */
static uint32_t
subscription_push_frame(struct service *service, struct subscription *subscription,
                        uint32_t rows_max)
{
    const uint64_t newest = newest_told(service);
    const bool map = subscription->kind == SUBSCRIPTION_MAP;
    const uint16_t full = map ? CHANGES_MAX : EVENTS_MAX;
    uint16_t filled = 0;
    uint32_t rows = 0;

    frame_begin(service, subscription);
    while (subscription->cursor < newest && rows < rows_max && filled < full) {
        struct event_row event;

        if (!state_event_get(&service->snapshot, subscription->cursor + 1, &event)) {
            break;
        }
        subscription->cursor++;
        rows++;
        if (event_is_wanted(subscription, &event)) {
            filled = frame_add(service, subscription, &event);
            rows += map ? service->cache->categories_count / SUBSCRIPTION_ROW_CATEGORIES : 0;
        }
    }
    if (filled > 0) {
        frame_push(service, subscription);
        service->subscriptions->events_sent += filled;
    } else if (rows == 0) {
        gap_push(service, subscription, newest); /* There was one to read, and it is gone. */
    }
    return rows;
}

/* Push to one subscription within its budget. False: it is over. */
static bool
subscription_push(struct service *service, struct subscription *subscription,
                  struct push_turn *turn)
{
    const struct net_port *net = &service->net;
    int64_t room = net->push_room(net->context, subscription->conn);
    uint32_t rows = 0;
    uint64_t newest;

    if (room == PUSH_GONE || !session_check(service, subscription->session)) {
        return false;
    }
    if (room == 0) {
        return true;
    }
    (void)service_snapshot(service);
    newest = newest_told(service);
    if (subscription_is_slow(service->subscriptions, subscription, newest)) {
        gap_push(service, subscription, newest);
    }
    while (room > 0 && subscription->cursor < newest && rows < SUBSCRIPTION_TURN_ROWS) {
        rows += subscription_push_frame(service, subscription, SUBSCRIPTION_TURN_ROWS - rows);
        room = net->push_room(net->context, subscription->conn);
    }
    turn->rows_left -= rows < turn->rows_left ? rows : turn->rows_left;
    turn->more = turn->more || (room > 0 && subscription->cursor < newest);
    return room != PUSH_GONE;
}

void
subscriptions_push(struct service *service)
{
    struct subscriptions *subscriptions = service->subscriptions;
    const uint64_t newest =
        atomic_load_explicit(&service->published->events_seq, memory_order_acquire);
    struct push_turn turn = {.rows_left = SUBSCRIPTIONS_TURN_ROWS};
    uint32_t visits = subscriptions->count;

    if (newest == subscriptions->seen && !subscriptions->behind) {
        return;
    }
    subscriptions->seen = newest;
    subscriptions->behind = false;
    for (; visits > 0 && turn.rows_left > 0; visits--) {
        struct subscription *subscription;

        if (subscriptions->next >= subscriptions->count) {
            subscriptions->next = 0;
        }
        subscription = &subscriptions->of[subscriptions->next];
        if (subscription->cursor < newest && !subscription_push(service, subscription, &turn)) {
            subscription_remove(subscriptions, subscriptions->next);
            continue;
        }
        subscriptions->behind = subscriptions->behind || subscription->cursor < newest;
        subscriptions->next++;
    }
    if (visits > 0 || turn.more) {
        subscriptions->behind = true;
        service->net.wake(service->net.context);
    }
}

void
subscriptions_stats(struct service *service, struct zr_server_stats_reply *stats)
{
    subscriptions_sweep(service);
    stats->subscribers = service->subscriptions->count;
    stats->events_sent = service->subscriptions->events_sent;
    stats->events_gaps = service->subscriptions->gaps_sent;
}
