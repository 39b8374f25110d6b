/*
 * test_client_session.c - HELLO, GOAWAY, ERROR, the server's clock, and servers that lie.
 * Rules: protocol.md "Header" and "Status"; reliability.md P5.
 */
#include "tests/unit/test_client.h"

/* ---- session --------------------------------------------------------------------------------- */

static void
test_goaway_moves_what_was_not_executed(void **state)
{
    struct fixture *const f = fixture_open(8, 0);
    struct zr_header sent[3];

    (void)state;
    connect_with(f, 8, false);
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 0), 0);
    assert_int_equal(submit(f, ZR_OP_NOOP_COMMIT, NULL, 1), 0);
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 2), 0);
    pump(f, 0);
    memcpy(sent, f->sent, sizeof sent);
    goaway(f, sent[0].id, 1000);
    assert_int_equal(submit(f, ZR_OP_PING, NULL, 3), 0);
    pump(f, 0);
    assert_int_equal(f->sent_count, 0); /* Nothing new here. */
    assert_false(zrc_core_drained(&f->core, f->now_ns));
    assert_true(zrc_core_drained(&f->core, f->now_ns + 1000 * ZRC_NS_PER_MS));
    assert_true(answer(f, &sent[0], ZR_STATUS_OK, 0));
    assert_int_equal(f->results[0], 0);
    assert_true(zrc_core_drained(&f->core, f->now_ns));

    zrc_core_lose(&f->core);
    connect_with(f, 8, false);
    pump(f, 0);
    assert_int_equal(f->sent_count, 3); /* In the old order, also what is never resent. */
    assert_int_equal(f->sent[0].op, ZR_OP_NOOP_COMMIT);
    assert_int_equal(f->sent[1].op, ZR_OP_RELEASE);
    assert_int_equal(f->sent[2].op, ZR_OP_PING);
    fixture_close(f);
}

static void
test_hello_refusals(void **state)
{
    static const struct {
        uint16_t status;
        int result;
        bool final;
    } rows[] = {
        {ZR_STATUS_UNAUTHENTICATED, ZR_EAUTH, true},
        {ZR_STATUS_WRONG_ENVIRONMENT, ZR_EAUTH, true},
        {ZR_STATUS_VERSION, ZR_EVERSION, false},
        {ZR_STATUS_TOO_MANY, ZR_EDISCONNECTED, false},
        {ZR_STATUS_OVERLOADED, ZR_EDISCONNECTED, false},
        {ZR_STATUS_BAD_FRAME, ZR_EPROTO, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned as_error = 0; as_error < 2; as_error++) {
            struct fixture *const f = fixture_open(2, 0);
            struct zr_header hello;

            assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 0), 0);
            zrc_core_connect(&f->core, f->now_ns);
            pump(f, 0);
            assert_int_equal(f->sent_count, 1); /* Requests wait for HELLO_OK. */
            hello = f->sent[0];
            hello.op = as_error ? ZR_OP_ERROR : ZR_OP_HELLO;
            assert_false(answer(f, &hello, rows[i].status, 0));
            assert_int_equal(f->core.failure.result, rows[i].result);
            assert_int_equal(f->core.failure.final, rows[i].final);
            zrc_core_lose(&f->core);
            zrc_core_refuse(&f->core, rows[i].result);
            run_ended(f);
            assert_int_equal(f->results[0], rows[i].result);
            fixture_close(f);
        }
    }
}

/* HELLO as it is sent. */
static struct zr_header
hello_sent(struct fixture *f, struct zr_hello_request *hello)
{
    static uint8_t wire[ZR_FRAME_BYTES_LIMIT];
    const size_t bytes = zrc_core_send(&f->core, wire, sizeof wire, f->now_ns);
    struct zr_header header;
    uint16_t invalid_at;

    assert_int_equal(zr_frame_cut(&header, wire, bytes, sizeof wire), ZR_CUT_FRAME);
    assert_int_equal(zr_hello_request_decode(hello, &invalid_at, &header, wire), ZR_DECODE_OK);
    return header;
}

/* KEEPALIVE binds a switch to reports (M3 "unit_ttl"): it is offered to order only, a server may
 * leave it out, and one that puts in force what was not offered is not believed. */
static void
test_features_in_force_are_among_those_offered(void **state)
{
    (void)state;
    for (uint64_t asked = 0; asked <= 1; asked++) {
        for (uint64_t granted = 0; granted <= 3; granted++) {
            struct fixture *const f = fixture_open(2, asked != 0 ? ZR_OPTION_KEEPALIVE : 0);
            uint8_t bytes[ZR_FRAME_BYTES_LIMIT];
            struct zr_hello_request hello;
            struct zr_header header;
            size_t length;

            zrc_core_connect(&f->core, f->now_ns);
            header = hello_sent(f, &hello);
            assert_true(hello.features_optional == asked * ZR_FEATURE_KEEPALIVE);
            assert_true(hello.features_required == 0);
            length = hello_encode(bytes, header.id, 8, false);
            zr_store_u64(bytes + ZR_HEADER_BYTES, granted); /* The reply's first field. */
            assert_int_equal(feed(f, bytes, length), (granted & ~asked) == 0);
            assert_int_equal(f->core.hello_known, (granted & ~asked) == 0);
            if (f->core.hello_known) {
                assert_true(f->core.hello.features == granted);
            } else {
                assert_int_equal(f->core.failure.result, ZR_EPROTO);
            }
            fixture_close(f);
        }
    }
}

static void
test_error_ends_the_request_it_names(void **state)
{
    struct fixture *const f = fixture_open(2, 0);
    struct zr_header named;

    (void)state;
    connect_with(f, 8, false);
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 0), 0);
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 1), 0);
    pump(f, 0);
    named = f->sent[1];
    named.op = ZR_OP_ERROR;
    assert_false(answer(f, &named, ZR_STATUS_BAD_FRAME, 0));
    assert_int_equal(f->results[1], ZR_STATUS_BAD_FRAME);
    assert_int_equal(f->results[0], NOT_ENDED);
    fixture_close(f);
}

static void
test_manual_clock_stands_still_between_its_words(void **state)
{
    struct fixture *const f = fixture_open(2, 0);
    struct zr_id key;

    (void)state;
    assert_false(zrc_core_make_key(&f->core, &key, f->now_ns));
    connect_with(f, 8, true);
    assert_int_equal(zrc_clock_read(&f->core.clock, f->now_ns + TIMEOUT), SERVER_MS);
    f->core.clock.manual = false;
    assert_int_equal(zrc_clock_read(&f->core.clock, f->now_ns + TIMEOUT), SERVER_MS + 5000);
    fixture_close(f);
}

static void
test_silence_is_asked_and_then_given_up(void **state)
{
    struct fixture *const f = fixture_open(2, 0);

    (void)state;
    connect_with(f, 8, false);
    pump(f, ZRC_KEEPALIVE_MS - 1);
    assert_int_equal(f->sent_count, 0);
    pump(f, 1);
    assert_int_equal(f->sent_count, 1);
    assert_int_equal(f->sent[0].op, ZR_OP_PING);
    pump(f, ZRC_SILENCE_MS - 1);
    assert_int_equal(f->core.failure.result, 0);
    pump(f, 1);
    assert_int_equal(f->core.failure.result, ZR_EDISCONNECTED);
    fixture_close(f);
}

static void
test_grease_is_sent_and_its_refusal_is_no_news(void **state)
{
    struct fixture *const f = fixture_open(2, ZR_OPTION_GREASE);

    (void)state;
    connect_with(f, 8, false);
    pump(f, 0);
    assert_int_equal(f->sent_count, 1);
    assert_in_range(f->sent[0].op, 0x7F00, 0x7FFF);
    assert_true(answer(f, &f->sent[0], ZR_STATUS_UNKNOWN_OP, 0));
    assert_int_equal(f->core.in_flight, 0);
    fixture_close(f);
}

/* ---- a hostile server ------------------------------------------------------------------------ */

/* Everything that a server may say after HELLO, in one stream. Returns its bytes. */
static size_t
stream_encode(struct fixture *f, uint8_t *bytes)
{
    static const uint16_t statuses[] = {ZR_STATUS_OK, ZR_STATUS_NO_COVERAGE, ZR_STATUS_FORBIDDEN,
                                        ZR_STATUS_INTERNAL};
    size_t length = 0;

    for (size_t i = 0; i < f->sent_count; i++) {
        length += reply_encode(bytes + length, &f->sent[i], statuses[i % 4], 0);
    }
    return length;
}

/* A session with four requests of different kinds on the wire. */
static struct fixture *
session_open(uint32_t flags)
{
    static const struct zr_route_request route = {.zips_count = 1, .caller_kind = ZR_CALLER_PLAIN};
    struct fixture *const f = fixture_open(8, flags);

    connect_with(f, 8, false);
    assert_int_equal(submit(f, ZR_OP_ROUTE, &route, 0), 0);
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 1), 0);
    assert_int_equal(submit(f, ZR_OP_QUALIFY, &qualify, 2), 0);
    assert_int_equal(submit(f, ZR_OP_CLAIM, &(struct zr_claim_request){.slots_count = 2}, 3), 0);
    pump(f, 0);
    assert_int_equal(f->sent_count, 4);
    return f;
}

/* Whatever happened, every request ends once. */
static void
session_close(struct fixture *f)
{
    zrc_core_refuse(&f->core, ZR_ECANCELED);
    run_ended(f);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(f->ends[i], 1);
    }
    assert_int_equal(zrc_core_pending(&f->core), 0);
    fixture_close(f);
}

/* Goal: a reply counts when it is whole. Method: cut the stream at every byte, then go on. */
static void
test_replies_may_come_in_any_pieces(void **state)
{
    uint8_t bytes[WIRE_BYTES];
    size_t length;

    (void)state;
    for (size_t cut = 0;; cut++) {
        struct fixture *const f = session_open(0);
        struct zrc_input input;
        struct zrc_ended ended;
        enum zrc_step step;

        length = stream_encode(f, bytes);
        input = (struct zrc_input){.next = bytes, .end = bytes + cut, .now_ns = f->now_ns};
        while ((step = zrc_core_receive(&f->core, &input, &ended)) == ZRC_STEP_ENDED) {
            ended.done(ended.context, &ended.completion);
        }
        assert_int_equal(step, ZRC_STEP_INCOMPLETE);
        assert_true(feed(f, input.next, (size_t)(bytes + length - input.next)));
        assert_int_equal(zrc_core_pending(&f->core), 0);
        session_close(f);
        if (cut == length) {
            break;
        }
    }
}

/* Feed a stream with one bit flipped: the session survives or breaks, each request ends once. */
static size_t
damage_stream(size_t bit)
{
    uint8_t bytes[WIRE_BYTES] = {0};
    struct fixture *const f = session_open(ZR_OPTION_NO_RETRY);
    const size_t length = stream_encode(f, bytes);

    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    if (!feed(f, bytes, length)) {
        assert_true(f->core.failure.result < 0);
        zrc_core_lose(&f->core);
    }
    session_close(f);
    return length;
}

/* Goal: no byte of a server harms us. Method: flip each bit of the stream. */
static void
test_damage_at_each_byte_ends_every_request_once(void **state)
{
    size_t length = 1;

    (void)state;
    for (size_t bit = 0; bit < 8 * length; bit++) {
        length = damage_stream(bit);
    }
}

static size_t
damage_hello(size_t bit)
{
    uint8_t bytes[ZR_FRAME_BYTES_LIMIT] = {0};
    struct fixture *const f = fixture_open(2, 0);
    size_t length;

    zrc_core_connect(&f->core, f->now_ns);
    pump(f, 0);
    length = hello_encode(bytes, f->sent[0].id, 8, false);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    if (!feed(f, bytes, length)) {
        assert_int_equal(f->core.session, ZRC_SESSION_GREETING);
        assert_false(f->core.hello_known);
    }
    fixture_close(f);
    return length;
}

static void
test_damaged_hello_is_refused_or_harmless(void **state)
{
    size_t length = 1;

    (void)state;
    for (size_t bit = 0; bit < 8 * length; bit++) {
        length = damage_hello(bit);
    }
}

/* One action of the random session below: the client's, the server's, or the network's. */
static void
random_action(struct fixture *f, uint64_t *seed, size_t *number)
{
    uint8_t bytes[256];

    switch (test_random_below(seed, 8)) {
    case 0:
    case 1:
        if (*number < DONE_MAX - 1 && zrc_slots_peek_free(&f->core.slots) != NULL) {
            assert_int_equal(submit(f, ZR_OP_RELEASE, &release, (*number)++), 0);
        }
        break;
    case 2:
        pump(f, test_random_below(seed, 2000));
        break;
    case 3:
        if (f->core.session == ZRC_SESSION_DOWN) {
            connect_with(f, (uint16_t)test_random_below(seed, 4), false);
        } else {
            zrc_core_lose(&f->core);
        }
        break;
    case 4:
        if (f->core.session != ZRC_SESSION_DOWN) {
            goaway(f, test_random_below(seed, 64), 10);
        }
        break;
    case 5: /* Noise in the shape of a frame. */
        deterministic_random(f, bytes, sizeof bytes);
        zr_store_u32(bytes, 64);
        bytes[5] |= 0x80;
        if (f->core.session != ZRC_SESSION_DOWN && !feed(f, bytes, sizeof bytes)) {
            zrc_core_lose(&f->core);
        }
        break;
    default:
        if (f->core.session == ZRC_SESSION_READY && f->sent_count > 0 &&
            !answer(f, &f->sent[test_random_below(seed, f->sent_count)],
                    (uint16_t)(test_random_below(seed, 8) << 12), 1)) {
            zrc_core_lose(&f->core);
        }
        break;
    }
    run_ended(f);
}

/* Goal: each callback runs exactly once. Method: sessions of random actions, then close. */
static void
test_random_sessions_end_every_request_once(void **state)
{
    uint64_t seed = test_seed();

    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        struct fixture *const f = fixture_open(4, 0);
        size_t number = 0;

        f->seed = seed;
        for (unsigned i = 0; i < 200; i++) {
            random_action(f, &seed, &number);
        }
        zrc_core_refuse(&f->core, ZR_ECANCELED);
        run_ended(f);
        for (size_t i = 0; i < DONE_MAX; i++) {
            assert_int_equal(f->ends[i], i < number);
        }
        fixture_close(f);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goaway_moves_what_was_not_executed),
        cmocka_unit_test(test_hello_refusals),
        cmocka_unit_test(test_features_in_force_are_among_those_offered),
        cmocka_unit_test(test_error_ends_the_request_it_names),
        cmocka_unit_test(test_manual_clock_stands_still_between_its_words),
        cmocka_unit_test(test_silence_is_asked_and_then_given_up),
        cmocka_unit_test(test_grease_is_sent_and_its_refusal_is_no_news),
        cmocka_unit_test(test_replies_may_come_in_any_pieces),
        cmocka_unit_test(test_damage_at_each_byte_ends_every_request_once),
        cmocka_unit_test(test_damaged_hello_is_refused_or_harmless),
        cmocka_unit_test(test_random_sessions_end_every_request_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
