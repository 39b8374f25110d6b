/*
 * test_client_push.c - pushes in the client's core: whose they are, and which break a connection.
 */
#include "tests/unit/test_client.h"

/* A push of the server, with an event in it. */
static bool
push(struct fixture *f, uint16_t op, uint64_t id, uint16_t status)
{
    static const struct zr_events events = {.events = {{.event_seq = 7}}, .events_count = 1};
    static const struct zr_map_delta delta = {.changes = {{.version = 8}}, .changes_count = 1};
    const bool map = op == ZR_OP_MAP_DELTA;
    const struct zr_header header = {.op = op | ZR_OP_RESPONSE,
                                     .version = 1,
                                     .id = id,
                                     .status = status,
                                     .credit = (uint16_t)f->core.window};
    uint8_t bytes[ZR_FRAME_BYTES_LIMIT];
    struct zr_builder builder;

    zr_builder_init(&builder, bytes, sizeof bytes);
    if (map) {
        zr_map_delta_encode(&builder, &header, &delta);
    } else {
        zr_events_encode(&builder, &header, &events);
    }
    return feed(f, bytes, builder.length);
}

/* Subscribe, and have it answered. Returns the subscription's id. */
static uint64_t
subscribe(struct fixture *f, uint16_t op, size_t number, uint16_t status)
{
    static const struct zr_events_subscribe_request events = {.cursor = 6};
    static const struct zr_map_subscribe_request map = {.version = 6};
    uint64_t id;

    assert_int_equal(
        submit(f, op, op == ZR_OP_MAP_SUBSCRIBE ? (const void *)&map : &events, number), 0);
    pump(f, 0);
    assert_int_equal(f->sent_count, 1);
    id = f->sent[0].id;
    assert_true(answer(f, &f->sent[0], status, 0));
    return id;
}

static void
test_pushes_are_taken_under_their_subscription(void **state)
{
    struct fixture *const f = fixture_open(4, 0);
    uint64_t events;
    uint64_t map;

    (void)state;
    connect_with(f, 4, false);
    events = subscribe(f, ZR_OP_EVENTS_SUBSCRIBE, 0, ZR_STATUS_OK);
    map = subscribe(f, ZR_OP_MAP_SUBSCRIBE, 1, ZR_STATUS_OK);
    assert_true(push(f, ZR_OP_EVENTS, events, ZR_STATUS_OK));
    assert_int_equal(f->core.reply.events.events[0].event_seq, 7);
    assert_true(push(f, ZR_OP_MAP_DELTA, map, ZR_STATUS_OK));
    assert_int_equal(f->core.reply.map_delta.changes[0].version, 8);
    assert_true(push(f, ZR_OP_EVENTS, events, ZR_STATUS_OK));
    assert_int_equal(f->pushes[ZRC_PUSH_EVENTS], 2);
    assert_int_equal(f->pushes[ZRC_PUSH_MAP], 1);
    /* They answer nothing: neither credit nor what is in flight changes. */
    assert_int_equal(f->core.in_flight, 0);
    fixture_close(f);
}

/* What nobody subscribed to breaks the connection, as any reply to nothing does. */
static void
test_unknown_pushes_break_the_connection(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 6; wrong++) {
        struct fixture *const f = fixture_open(4, 0);
        uint64_t id = 0;

        connect_with(f, 4, false);
        if (wrong != 0) {
            id = subscribe(f, ZR_OP_EVENTS_SUBSCRIBE, 0,
                           wrong == 1 ? ZR_STATUS_CURSOR_TOO_OLD : ZR_STATUS_OK);
        }
        if (wrong == 5) {
            (void)subscribe(f, ZR_OP_EVENTS_SUBSCRIBE, 1, ZR_STATUS_CURSOR_TOO_OLD);
        }
        assert_false(push(f, wrong == 2 ? ZR_OP_MAP_DELTA : ZR_OP_EVENTS, id + (wrong == 3),
                          wrong == 4 ? ZR_STATUS_NOT_FOUND : ZR_STATUS_OK));
        assert_int_equal(f->core.failure.result, ZR_EPROTO);
        fixture_close(f);
    }
}

/* A new connection knows nothing of the old one's subscriptions. */
static void
test_subscriptions_end_with_their_connection(void **state)
{
    struct fixture *const f = fixture_open(4, 0);
    uint64_t id;

    (void)state;
    connect_with(f, 4, false);
    id = subscribe(f, ZR_OP_EVENTS_SUBSCRIBE, 0, ZR_STATUS_OK);
    zrc_core_lose(&f->core);
    connect_with(f, 4, false);
    assert_false(push(f, ZR_OP_EVENTS, id, ZR_STATUS_OK));
    fixture_close(f);
}

/* Who only listens must say something now and then: the server ends a silent session. */
static void
test_listener_pings_although_it_hears(void **state)
{
    struct fixture *const f = fixture_open(4, 0);
    uint64_t id;
    unsigned pings = 0;

    (void)state;
    connect_with(f, 4, false);
    id = subscribe(f, ZR_OP_EVENTS_SUBSCRIBE, 0, ZR_STATUS_OK);
    for (int second = 0; second < 60; second++) {
        pump(f, 1000);
        assert_true(push(f, ZR_OP_EVENTS, id, ZR_STATUS_OK));
        if (f->sent_count == 1) {
            assert_int_equal(f->sent[0].op, ZR_OP_PING);
            assert_true(answer(f, &f->sent[0], ZR_STATUS_OK, 0));
            pings++;
        }
    }
    assert_int_equal(pings, 60 * 1000 / ZRC_KEEPALIVE_MS);
    fixture_close(f);
}

/* Every truncation of a push is no push, and no harm. */
static void
test_cut_pushes_are_waited_for(void **state)
{
    static const struct zr_events events = {.events = {{.event_seq = 7}}, .events_count = 1};
    struct fixture *const f = fixture_open(4, 0);
    struct zr_header header = {.op = ZR_OP_EVENTS | ZR_OP_RESPONSE, .version = 1, .credit = 4};
    uint8_t bytes[ZR_FRAME_BYTES_LIMIT];
    struct zr_builder builder;

    (void)state;
    connect_with(f, 4, false);
    header.id = subscribe(f, ZR_OP_EVENTS_SUBSCRIBE, 0, ZR_STATUS_OK);
    zr_builder_init(&builder, bytes, sizeof bytes);
    zr_events_encode(&builder, &header, &events);
    for (size_t cut = 0; cut < builder.length; cut++) {
        assert_true(feed(f, bytes, cut));
    }
    assert_int_equal(f->pushes[ZRC_PUSH_EVENTS], 0);
    assert_true(feed(f, bytes, builder.length));
    assert_int_equal(f->pushes[ZRC_PUSH_EVENTS], 1);
    fixture_close(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pushes_are_taken_under_their_subscription),
        cmocka_unit_test(test_unknown_pushes_break_the_connection),
        cmocka_unit_test(test_subscriptions_end_with_their_connection),
        cmocka_unit_test(test_listener_pings_although_it_hears),
        cmocka_unit_test(test_cut_pushes_are_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
