/*
 * test_calls_late.c - what reaches its batch after its deadline did nothing.
 *
 * Holds E38 of domain.md M7. It is a program of its own because its server commits one request
 * at a time, so that a queue can be filled.
 */
#include "tests/integration/calls.h"

enum {
    QUEUE = 60,      /* Commits that stand before the clock in the queue. */
    ROUNDS = 64,     /* Tries to have a request in the queue before the clock moved. */
    LATE_MS = 25000, /* More than server_options() gives a request, less than a lease's life. */
};

/* A SWITCH that reports the first refusal instead of asking again. */
static struct zr_client *
impatient_switch(void)
{
    struct zr_options options = server_options(&world.server, "switch");
    struct zr_client *client = NULL;

    options.flags = ZR_OPTION_NO_RETRY;
    assert_int_equal(zr_client_open(&client, &options, NULL), 0);
    assert_int_equal(zr_client_wait_ready(client, 10000), 0);
    return client;
}

/*
 * Goal: this request is taken up in time, and its time is spent when it enters its batch.
 * Method: fill the committer's queue, one commit each, put a CLOCK_ADVANCE behind, and have an
 * ECHO say that they are queued; then the request, and a PING that tells the clock. Commands run
 * in the order of the queue: when PING still saw the old time, the request was taken up before
 * the clock moved and runs behind it. Returns whether that was so.
 */
static bool
ask_too_late(struct zr_client *client, uint16_t op, const void *request, struct answer *answer)
{
    const uint64_t before_ms = server_advance(&world.server, 0);
    struct zr_client *clients[2] = {server_client_ready(&world.server, "bench"), client};
    const struct zr_clock_advance_request advance = {.advance_ms = LATE_MS};
    const struct zr_empty nothing = {0};
    static struct zr_echo_request echo;
    struct zr_ping_reply ping = {.server_time_ms = 0};
    struct answer commits[QUEUE];
    struct answer answers[3] = {{.reply = NULL}, {.reply = NULL}, {.reply = &ping}};

    for (int i = 0; i < QUEUE; i++) {
        commits[i] = (struct answer){.reply = NULL};
        submit(clients[0], ZR_OP_NOOP_COMMIT, &nothing, &commits[i]);
    }
    submit(clients[0], ZR_OP_CLOCK_ADVANCE, &advance, &answers[0]);
    submit(clients[0], ZR_OP_ECHO, &echo, &answers[1]);
    while (!answers[1].done) {
        (void)zr_client_process(clients[0], 100);
    }
    submit(client, op, request, answer);
    submit(client, ZR_OP_PING, &nothing, &answers[2]);
    drive(clients, 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(answers[i].result, 0);
    }
    assert_int_equal(server_advance(&world.server, 0), before_ms + LATE_MS);
    zr_client_close(clients[0]);
    return ping.server_time_ms == before_ms;
}

/* R2, E38: a request past its deadline is answered so, and had no effect. */
static void
test_e38_a_connect_that_is_too_late_did_nothing(void **state)
{
    struct zr_client *client = impatient_switch();
    struct zr_connect_reply reply;
    struct zr_route_reply other;
    struct zr_route_reply routed;
    struct zr_id call_id;
    struct pair pair;
    bool late = false;

    (void)state;
    for (int round = 0; round < ROUNDS && !late; round++) {
        struct zr_connect_request request;
        struct answer answer = {.reply = NULL};

        pair = pair_make(1, FUNDS);
        routed = world_call(&world, pair.slot, &call_id);
        request = world_connect_request(&routed);
        late = ask_too_late(client, ZR_OP_CONNECT, &request, &answer);
        assert_int_equal(answer.result, late ? ZR_STATUS_DEADLINE_EXCEEDED : 0);
    }
    assert_true(late);
    assert_call_unknown(&call_id);
    assert_charged_never(pair.primary);
    /* Not even his lease is gone: his phone may still ring for this call, for 35 s in all. */
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.backup);
    assert_int_equal(reasons_of(&other, pair.primary), REASON_AT_CONCURRENCY);
    /* Definite: the same request may be sent again, and is the first of its kind. */
    assert_int_equal(connect_ask(&routed, &reply), 0);
    assert_int_equal(reply.hold_cents, WORLD_RATE);
    assert_wallet(pair.primary, FUNDS, WORLD_RATE);
    (void)world_end(&world, &call_id, MINUTE_MS);
    assert_charged_once(pair.primary, WORLD_RATE);
    /* And his one truck is free again. */
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.primary);
    zr_client_close(client);
}

static void
test_e38_an_end_that_is_too_late_did_nothing(void **state)
{
    struct zr_client *client = impatient_switch();
    struct zr_settlement_reply ended;
    struct zr_route_reply routed;
    struct zr_id call_id;
    struct pair pair;
    bool late = false;

    (void)state;
    for (int round = 0; round < ROUNDS && !late; round++) {
        struct zr_end_request request;
        struct answer answer = {.reply = NULL};

        pair = pair_make(1, FUNDS);
        routed = world_call(&world, pair.slot, &call_id);
        (void)world_connect(&world, &routed);
        (void)server_advance(&world.server, MINUTE_MS);
        request = world_end_request(&call_id, MINUTE_MS);
        late = ask_too_late(client, ZR_OP_END, &request, &answer);
        assert_int_equal(answer.result, late ? ZR_STATUS_DEADLINE_EXCEEDED : 0);
    }
    assert_true(late);
    assert_leg(&call_id, pair.primary, ZR_SETTLEMENT_OPEN, 0);
    assert_wallet(pair.primary, FUNDS, WORLD_RATE);
    assert_charges(pair.primary, NULL, 0);
    ended = world_end(&world, &call_id, MINUTE_MS);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    assert_charged_once(pair.primary, WORLD_RATE);
    zr_client_close(client);
}

static int
slow_world_setup(void **state)
{
    static const char *const settings[] = {"batch_max=1", NULL};

    (void)state;
    world_open(&world, settings);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_e38_a_connect_that_is_too_late_did_nothing),
        CASE(test_e38_an_end_that_is_too_late_did_nothing),
    };

    return cmocka_run_group_tests(tests, slow_world_setup, world_teardown);
}
