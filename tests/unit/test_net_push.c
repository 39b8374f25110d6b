/*
 * test_net_push.c - frames that no request awaits: room, order, and readers that do not read.
 */
#include "tests/unit/test_net.h"

#include <stdatomic.h>

enum { OP_FOLLOW = 0x0110, PUSH_BYTES = 4096, PUSHES = 2000 };

/* The one that is pushed to; the worker's. */
static struct {
    struct conn_ref conn;
    uint64_t id;
    uint32_t pushed;
    atomic_bool wanted;
    atomic_bool full; /* push_room said 0 while something was left. */
    atomic_bool gone; /* It said PUSH_GONE. */
} follower;

static enum frame_verdict
follow_on_frame(void *context, const struct request *request, struct zr_builder *reply)
{
    if (request->header.op == OP_FOLLOW) {
        follower.conn = request->conn;
        follower.id = request->header.id;
        follower.pushed = 0;
        atomic_store(&follower.wanted, true);
        app.port.wake(app.port.context);
    }
    return on_frame(context, request, reply);
}

static void
follow_on_turn_begin(void *context, uint64_t now_ns)
{
    uint8_t frame[PUSH_BYTES];
    int64_t room = 0;

    on_turn_begin(context, now_ns);
    if (!atomic_load(&follower.wanted) || atomic_load(&follower.gone)) {
        return;
    }
    while ((room = app.port.push_room(app.port.context, follower.conn)) > 0 &&
           follower.pushed < PUSHES) {
        encode_reply(frame, OP_FOLLOW, follower.id, sizeof frame, ZR_STATUS_OK);
        zr_store_u32(frame + ZR_HEADER_BYTES, follower.pushed++);
        app.port.push(app.port.context, follower.conn, frame, sizeof frame);
    }
    if (room == PUSH_GONE) {
        atomic_store(&follower.gone, true);
    } else if (room == 0) {
        atomic_store(&follower.full, true);
    }
}

static void
follow_up(void)
{
    struct request_port port = port_up();

    atomic_store(&follower.wanted, false);
    atomic_store(&follower.full, false);
    atomic_store(&follower.gone, false);
    port.on_frame = follow_on_frame;
    port.on_turn_begin = follow_on_turn_begin;
    assert_int_equal(net_open(&app.net, &app.config, &port), STATUS_OK);
    app.port = net_port(app.net);
    assert_int_equal(pthread_create(&app.worker, NULL, worker_main, NULL), 0);
}

/* Yield until the worker has said so. */
static void
wait_flag(atomic_bool *flag)
{
    const time_t end = time(NULL) + WAIT_S;

    while (!atomic_load(flag)) {
        assert_true(time(NULL) <= end);
        (void)sched_yield();
    }
}

/*
 * A reader that does not read is given what the socket and the low-water mark hold, and then
 * nothing: no memory, no turns. When it reads, all comes, in order, and requests are answered
 * in between as if there were no pushes.
 */
static void
test_pushes_wait_for_the_reader(void **state)
{
    uint32_t expected = 0;
    uint64_t turns;
    bool answered = false;

    (void)state;
    (void)config_fresh();
    follow_up();
    client_ready(&one);
    client_ask(&one, OP_FOLLOW, ZR_HEADER_BYTES);
    wait_flag(&follower.full);
    assert_true(stat_of(NET_PUSHES) < PUSHES);
    turns = stat_of(NET_TURNS);
    client_ask(&one, OP_ECHO, ZR_HEADER_BYTES); /* Its answer waits behind what was pushed. */
    while (expected < PUSHES || !answered) {
        (void)client_hear(&one);
        if (one.header.op == (OP_ECHO | ZR_OP_RESPONSE)) {
            answered = true;
        } else if (one.header.size == PUSH_BYTES) {
            assert_int_equal(one.header.id, follower.id);
            assert_int_equal(zr_load_u32(one.frame + ZR_HEADER_BYTES), expected);
            expected++;
        }
    }
    assert_true(stat_of(NET_TURNS) > turns);
    assert_int_equal(stat_of(NET_PUSHES), PUSHES);
    assert_int_equal(stat_of(NET_CLOSED_MEMORY), 0);
    client_close(&one);
    net_down(1000);
}

/* Nobody is pushed to for longer than its connection lives; nor behind a GOAWAY. */
static void
test_room_ends_with_the_connection(void **state)
{
    (void)state;
    (void)config_fresh();
    follow_up();
    client_ready(&one);
    client_ask(&one, OP_FOLLOW, ZR_HEADER_BYTES);
    wait_flag(&follower.full);
    client_close(&one);
    wait_flag(&follower.gone);
    net_down(1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pushes_wait_for_the_reader),
        cmocka_unit_test(test_room_ends_with_the_connection),
    };

    return cmocka_run_group_tests(tests, pki_setup, pki_teardown);
}
