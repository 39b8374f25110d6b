/*
 * test_following.h - for test_subscriptions.c and test_map.c: a worker's handlers whose commits and
 * whose network are the test's own.
 *
 * The committer is opened and never started: following_commit() writes events, slots and categories
 * and publishes them as a batch would. The network is a table of connections with as much room as
 * the test says, and a log of what was pushed. So every turn is exactly what the test made of it.
 */
#ifndef ZR_UNIT_TEST_FOLLOWING_H
#define ZR_UNIT_TEST_FOLLOWING_H

#include "server/handlers/dispatch.h"
#include "server/handlers/session.h"
#include "server/handlers/subscriptions.h"
#include "tests/unit/test_commit.h"

enum {
    CONNS = 16,
    PUSHED_MAX = 4096,
    SUBSCRIBERS_MAX = 12,
    LAG_MAX = 100,
    OTHER_TENANT = 9,
    ROOM = 16384,
};

/* One connection as net shows it. */
struct following_conn {
    bool gone;
    int64_t room; /* -1 here: without bound. Else what pushes take is taken off. */
    struct session session;
};

static struct {
    struct service *service;
    struct request_port port;
    struct tail *tail; /* For the test's own commits. */
    struct following_conn conns[CONNS];
    uint64_t last_id;
    unsigned wakes;
    unsigned frames; /* Pushed. */
    struct zr_header answer;
    union zr_any_message reply;
    /* Everything that was pushed, in order. */
    uint32_t pushed_count;
    struct {
        uint32_t conn;
        uint64_t id;
        struct zr_event event;
        struct zr_map_change change;
    } pushed[PUSHED_MAX];
} following;

/* ---- the network --------------------------------------------------------------------------- */

static inline int64_t
following_room(void *context, struct conn_ref conn)
{
    const struct following_conn *at = &following.conns[conn.slot];

    (void)context;
    if (at->gone) {
        return PUSH_GONE;
    }
    return at->room < 0 ? ROOM : at->room;
}

static inline void
following_keep(uint32_t conn, uint64_t id, const struct zr_event *event,
               const struct zr_map_change *change)
{
    assert_in_range(following.pushed_count, 0, PUSHED_MAX - 1);
    following.pushed[following.pushed_count].conn = conn;
    following.pushed[following.pushed_count].id = id;
    if (event != NULL) {
        following.pushed[following.pushed_count].event = *event;
    }
    if (change != NULL) {
        following.pushed[following.pushed_count].change = *change;
    }
    following.pushed_count++;
}

static inline void
following_push(void *context, struct conn_ref conn, const uint8_t *frame, size_t bytes)
{
    static union zr_any_message message;
    struct following_conn *at = &following.conns[conn.slot];
    struct zr_header header;
    uint16_t invalid_at;
    bool map;

    (void)context;
    assert_false(at->gone);
    assert_true(following_room(NULL, conn) > 0);
    zr_header_decode(&header, frame);
    assert_int_equal(header.size, bytes);
    map = header.op == (ZR_OP_MAP_DELTA | ZR_OP_RESPONSE);
    assert_int_equal(zr_message_decode(&message, &invalid_at,
                                       map ? &zr_map_delta_shape : &zr_events_shape, &header,
                                       frame),
                     ZR_DECODE_OK);
    for (uint16_t i = 0; map && i < message.map_delta.changes_count; i++) {
        following_keep(conn.slot, header.id, NULL, &message.map_delta.changes[i]);
    }
    for (uint16_t i = 0; !map && i < message.events.events_count; i++) {
        following_keep(conn.slot, header.id, &message.events.events[i], NULL);
    }
    if (at->room > 0) {
        at->room = at->room > (int64_t)bytes ? at->room - (int64_t)bytes : 0;
    }
    following.frames++;
}

static inline void
following_wake(void *context)
{
    (void)context;
    following.wakes++;
}

static inline void
following_reply(void *context, struct conn_ref conn, const uint8_t *frame, size_t bytes)
{
    (void)context;
    (void)conn;
    (void)frame;
    (void)bytes;
    fail_msg("nothing is deferred here");
}

static inline void
following_turn(void)
{
    following.port.on_turn_begin(following.port.context, 0);
    following.port.on_turn_end(following.port.context);
}

/* Turns as long as the worker asks for more. Returns how many. */
static inline unsigned
following_settle(void)
{
    unsigned turns = 0;

    do {
        following.wakes = 0;
        following_turn();
        turns++;
        assert_in_range(turns, 0, 1000);
    } while (following.wakes > 0);
    return turns;
}

/* ---- requests ------------------------------------------------------------------------------ */

/* One request on that connection; its reply stands in following.reply. Returns the status. */
static inline uint16_t
following_ask(uint32_t conn, uint16_t op, const void *message)
{
    static struct job frame; /* A place to encode it in. */
    static uint8_t bytes[ZR_FRAME_BYTES_LIMIT];
    struct request request = {.conn = {.slot = conn, .generation = 1},
                              .session = &following.conns[conn].session};
    struct zr_builder builder;
    uint16_t invalid_at;

    rig_fill(&frame, rig_admin, op, message);
    request.header = frame.header;
    request.frame = frame.frame;
    following.last_id = frame.header.id;
    zr_builder_init(&builder, bytes, sizeof bytes);
    following.port.on_turn_begin(following.port.context, 0);
    assert_int_not_equal(following.port.on_frame(following.port.context, &request, &builder),
                         FRAME_DEFERRED);
    following.port.on_turn_end(following.port.context);
    zr_header_decode(&following.answer, bytes);
    if (rig_has_body(following.answer.status)) {
        assert_int_equal(zr_message_decode(&following.reply, &invalid_at, frame.operation->reply,
                                           &following.answer, bytes),
                         ZR_DECODE_OK);
    }
    return following.answer.status;
}

/* ---- commits ------------------------------------------------------------------------------- */

static struct state following_state;
static struct store_view following_view;
static struct store_head following_head;

static inline struct state *
following_begin(void)
{
    following_head = *store_head(rig.store);
    following_state = (struct state){.view = &following_view, .tail = following.tail};
    state_forget(&following_state, following_head.counters);
    assert_int_equal(store_write_begin(rig.store, &following_view), STATUS_OK);
    return &following_state;
}

static inline void
following_make_durable(void)
{
    following_head.commit_seq++;
    memcpy(following_head.counters, following_state.counters, sizeof following_state.counters);
    assert_int_equal(store_commit(&following_view, &following_head), STATUS_OK);
}

static inline void
following_publish(void)
{
    struct committer_published *published = committer_published(rig.committer);

    atomic_store(&published->commit_seq, following_head.commit_seq);
    atomic_store(&published->catalogue, following_head.counters[COUNTER_CATALOGUE]);
    atomic_store(&published->auth_epoch, following_head.counters[COUNTER_AUTH_EPOCH]);
    atomic_store(&published->events_seq, following_head.counters[COUNTER_EVENT]);
}

/* Durable, then published, in the committer's order. */
static inline void
following_commit(void)
{
    following_make_durable();
    following_publish();
}

static inline void
following_put_event(struct event_row event)
{
    event.audience = event.audience == 0 ? (uint8_t)AUDIENCE_CONTRACTOR : event.audience;
    state_event_put(&following_state, state_counter_next(&following_state, COUNTER_EVENT), &event);
}

/* So many events of that tenant, committed together. Returns the newest event_seq. */
static inline uint64_t
following_events(uint32_t count, uint32_t tenant)
{
    (void)following_begin();
    for (uint32_t i = 0; i < count; i++) {
        following_put_event((struct event_row){
            .tenant = tenant, .contractor = tenant, .type = ZR_EVENT_CLAIMED, .claim_id = i + 1});
    }
    following_commit();
    return following_head.counters[COUNTER_EVENT];
}

/* ---- fixtures ------------------------------------------------------------------------------ */

static inline struct peer_identity
following_peer(uint8_t key, uint32_t tenant, uint8_t role)
{
    struct peer_identity peer = {.key_hash = {key}};

    (void)snprintf(peer.san, sizeof peer.san, "urn:zipring:tenant:%u:role:%s", tenant,
                   zr_role_name(role));
    for (char *at = peer.san; *at != '\0'; at++) {
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at);
    }
    return peer;
}

/* A connection of that role, past HELLO. Its principal's key is its number + 1. */
static inline void
following_connect(uint32_t conn, uint8_t role, uint32_t tenant, uint32_t contractor)
{
    struct following_conn *at = &following.conns[conn];
    const uint8_t key = (uint8_t)(conn + 1);
    const struct zr_hash key_hash = {{key}};
    const struct principal_row principal = {
        .version = 1, .tenant = tenant, .contractor = contractor, .role = role, .name = "reader"};

    state_principal_put(following_begin(), &key_hash, &principal);
    following_commit();
    *at = (struct following_conn){.room = -1};
    at->session = (struct session){
        .peer = following_peer(key, tenant, role),
        .ready = true,
        .role = role,
        .credit = 64,
        .frame_bytes_max = ZR_FRAME_BYTES_DEFAULT,
        .tenant = tenant,
        .contractor = contractor,
        .auth_epoch = following_head.counters[COUNTER_AUTH_EPOCH],
    };
}

static inline int
following_setup(void **state)
{
    static const struct net_port net = {
        .reply = following_reply,
        .push_room = following_room,
        .push = following_push,
        .wake = following_wake,
    };

    if (rig_setup(state) != 0) {
        return -1;
    }
    rig_crash();
    memset(&following, 0, sizeof following);
    assert_int_equal(rig_recover(), STATUS_OK);
    following.tail = tail_open(&rig.arena, RIG_TAIL_ROWS);
    following.service = service_open(&(struct service_options){
        .arena = &rig.arena,
        .store = rig.store,
        .committer = rig.committer,
        .hot = rig.hot,
        .cascades = rig.cascades,
        .clock = &rig.clock,
        .jobs_max = 4,
        .calls_max = 8,
        .subscribers_max = SUBSCRIBERS_MAX,
        .events_lag_max = LAG_MAX,
        .frame_bytes_max = ZR_FRAME_BYTES_LIMIT,
        .credit_default = 64,
        .credit_max = 256,
        .timeout_us_default = 5000000,
        .peers = "",
    });
    service_bind(following.service, &net);
    following.port = service_port(following.service);
    return 0;
}

static inline int
following_teardown(void **state)
{
    service_close(following.service);
    rig_leave();
    return rig_teardown(state);
}

#define FOLLOWING_TEST(test) \
    cmocka_unit_test_setup_teardown(test, following_setup, following_teardown)

#endif
