/*
 * test_net.c - server/net whole: frames, rules, deadlines, and peers that do not read or go.
 */
#include "tests/unit/test_net.h"

/* ---- frames and rules ------------------------------------------------------------------- */

static void
test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    (void)config_fresh();
    net_up();
    client_ready(&one);
    for (uint64_t round = 0; round < 50; round++) {
        for (uint32_t i = 0; i < 64; i++) {
            client_ask(&one, OP_ECHO, 48 + 8 * (i % 100));
        }
        for (uint32_t i = 0; i < 64; i++) {
            expect_reply(&one, OP_ECHO, 2 + round * 64 + i);
            assert_int_equal(one.header.size, 48 + 8 * (i % 100));
        }
    }
    client_close(&one);
    net_down(1000);
}

/* Frames of one record are told of ahead, in their order; of one alone there is nothing to tell. */
static void
test_frames_that_came_together_are_told_of_ahead(void **state)
{
    enum { FRAMES = FRAMES_AHEAD_MAX + 4, SIZE = 48 };
    uint8_t bytes[FRAMES * SIZE];

    (void)state;
    (void)config_fresh();
    net_up();
    client_ready(&one);
    for (int i = 0; i < FRAMES; i++) {
        encode_request(&one, bytes + i * SIZE, OP_ECHO, SIZE);
    }
    client_write(&one, bytes, sizeof bytes);
    for (uint64_t i = 0; i < FRAMES; i++) {
        expect_reply(&one, OP_ECHO, 2 + i);
    }
    client_ask(&one, OP_ECHO, SIZE);
    expect_reply(&one, OP_ECHO, 2 + FRAMES);
    client_close(&one);
    net_down(1000);
    assert_int_equal(app.ahead_told, FRAMES);
    assert_int_equal(app.ahead_count, 0);
}

static void
test_frames_may_be_cut_at_any_byte(void **state)
{
    uint8_t bytes[96];

    (void)state;
    (void)config_fresh();
    net_up();
    client_ready(&one);
    for (size_t cut = 1; cut < sizeof bytes; cut++) {
        encode_request(&one, bytes, OP_ECHO, 48);
        encode_request(&one, bytes + 48, OP_ECHO, 48);
        client_write(&one, bytes, cut);
        client_write(&one, bytes + cut, sizeof bytes - cut);
        expect_reply(&one, OP_ECHO, one.id - 1);
        expect_reply(&one, OP_ECHO, one.id);
    }
    client_close(&one);
    net_down(1000);
}

/* One row for each rule; the peer hears why, then close_notify. */
static void
test_violations_are_named_before_the_close(void **state)
{
    const struct {
        uint64_t id;
        uint32_t size;
        uint16_t op;
        uint16_t status;
        bool ready;
    } rows[] = {
        {1, 264, ZR_OP_HELLO, ZR_STATUS_BAD_FRAME, false}, /* HELLO is at most 256 bytes. */
        {1, 64, OP_ECHO, ZR_STATUS_HELLO_EXPECTED, false},
        {0, 64, ZR_OP_HELLO, ZR_STATUS_BAD_ID, false}, /* 0 is for pushes. */
        {2, 64, ZR_OP_HELLO, ZR_STATUS_HELLO_EXPECTED, true},
        {2, 4104, OP_ECHO, ZR_STATUS_BAD_FRAME, true}, /* Above the negotiated size. */
        {2, 16, OP_ECHO, ZR_STATUS_BAD_FRAME, true},
        {2, 0xFFFFFFF8, OP_ECHO, ZR_STATUS_BAD_FRAME, true},
        {2, 64, OP_ECHO | ZR_OP_RESPONSE, ZR_STATUS_BAD_FRAME, true},
        {1, 64, OP_ECHO, ZR_STATUS_BAD_ID, true},
    };

    (void)state;
    (void)config_fresh();
    net_up();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[64] = {0};

        (rows[i].ready ? client_ready : client_open)(&one);
        zr_store_u32(bytes, rows[i].size);
        zr_store_u16(bytes + 4, rows[i].op);
        zr_store_u64(bytes + 8, rows[i].id);
        client_write(&one, bytes, sizeof bytes);
        expect_error(&one, rows[i].status);
        client_close(&one);
        wait_for(NET_CLOSED_VIOLATION, i + 1);
    }
    net_down(1000);
}

static void
test_credit_is_enforced(void **state)
{
    (void)state;
    (void)config_fresh();
    app.credit = 4;
    net_up();
    client_ready(&one);
    for (int i = 0; i < 5; i++) {
        client_ask(&one, OP_DEFER, ZR_HEADER_BYTES);
    }
    expect_error(&one, ZR_STATUS_CREDIT_EXCEEDED);
    client_close(&one);
    release_deferred();
    wait_for(NET_REPLIES_DROPPED, 4);
    net_down(1000);
}

static void
test_dispatch_may_close_with_a_last_frame(void **state)
{
    (void)state;
    (void)config_fresh();
    net_up();
    client_ready(&one);
    client_ask(&one, OP_REFUSE, ZR_HEADER_BYTES);
    expect_reply(&one, OP_REFUSE, 2);
    assert_int_equal(client_hear(&one), CLOSED);
    client_close(&one);
    wait_for(NET_CLOSED_REFUSED, 1);
    net_down(1000);
}

static void
test_revoked_session_is_closed(void **state)
{
    (void)state;
    (void)config_fresh();
    net_up();
    client_ready(&one);
    (void)pthread_mutex_lock(&app.lock);
    app.revoked = true;
    (void)pthread_mutex_unlock(&app.lock);
    expect_error(&one, ZR_STATUS_UNAUTHENTICATED);
    client_close(&one);
    net_down(1000);
}

/* ---- deadlines -------------------------------------------------------------------------- */

static void
test_slow_peers_are_closed_by_their_deadline(void **state)
{
    struct net_config *const config = config_fresh();
    int fd;

    (void)state;
    config->handshake_ms = config->hello_ms = config->frame_ms = 150;
    config->idle_ms = 600;
    net_up();
    fd = tcp_connect();
    expect_hang_up(fd); /* P10: a handshake that never begins. */
    wait_for(NET_CLOSED_HANDSHAKE_SLOW, 1);
    client_open(&one);
    expect_error(&one, ZR_STATUS_TIMED_OUT); /* No HELLO. */
    client_close(&one);
    wait_for(NET_CLOSED_HELLO_SLOW, 1);
    client_ready(&one);
    client_write(&one, (const uint8_t *)"\x30\x00", 2); /* The begin of a frame. */
    expect_error(&one, ZR_STATUS_TIMED_OUT);
    client_close(&one);
    wait_for(NET_CLOSED_FRAME_SLOW, 1);
    client_ready(&one); /* The header of a record. */
    assert_int_equal(send(one.fd, "\x17\x03\x03\x00\x40", 5, 0), 5);
    expect_error(&one, ZR_STATUS_TIMED_OUT);
    client_close(&one);
    wait_for(NET_CLOSED_FRAME_SLOW, 2);
    client_ready(&one);
    expect_error(&one, ZR_STATUS_TIMED_OUT);
    client_close(&one);
    wait_for(NET_CLOSED_IDLE, 1);
    net_down(1000);
}

static void
test_old_connections_are_sent_away(void **state)
{
    struct net_config *const config = config_fresh();

    (void)state;
    config->age_ms = 150;
    config->age_jitter_ms = 50;
    net_up();
    client_ready(&one);
    expect_reply(&one, ZR_OP_GOAWAY, 0);
    assert_int_equal(zr_load_u64(one.frame + ZR_HEADER_BYTES), 1);
    assert_int_equal(one.frame[ZR_HEADER_BYTES + 12], ZR_GOAWAY_MAX_AGE);
    assert_int_equal(client_hear(&one), CLOSED);
    client_close(&one);
    net_down(1000);
}

/* ---- peers that do not read, or go ------------------------------------------------------ */

static void
test_slow_reader_is_paused_and_gets_everything(void **state)
{
    (void)state;
    (void)config_fresh();
    app.credit = 4096;
    net_up();
    client_ready(&one);
    for (int i = 0; i < 1000; i++) {
        client_ask(&one, OP_BIG, ZR_HEADER_BYTES);
    }
    wait_for(NET_PAUSES, 1);
    for (uint64_t i = 0; i < 1000; i++) {
        expect_reply(&one, OP_BIG, 2 + i);
        assert_int_equal(one.header.size, BIG_BYTES);
        assert_int_equal(one.frame[BIG_BYTES - 1], 0x5A);
    }
    client_close(&one);
    net_down(1000);
}

static void
test_peer_that_never_reads_is_cut(void **state)
{
    struct net_config *const config = config_fresh();

    (void)state;
    config->write_ms = 200;
    app.credit = 4096;
    net_up();
    client_ready(&one);
    for (int i = 0; i < 1000; i++) {
        client_ask(&one, OP_BIG, ZR_HEADER_BYTES);
    }
    wait_for(NET_CLOSED_WRITE_SLOW, 1);
    client_close(&one);
    net_down(1000);
}

static void
test_gone_peers_leave_nothing(void **state)
{
    const struct linger reset = {.l_onoff = 1};

    (void)state;
    (void)config_fresh();
    net_up();
    client_ready(&one); /* A reset with a request in flight. */
    client_ask(&one, OP_DEFER, ZR_HEADER_BYTES);
    wait_for(NET_FRAMES_IN, 2);
    assert_int_equal(setsockopt(one.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    client_close(&one);
    wait_for(NET_CLOSED_RESET, 1);
    release_deferred();
    wait_for(NET_REPLIES_DROPPED, 1);
    client_ready(&one); /* An end without close_notify. */
    client_close(&one);
    wait_for(NET_CLOSED_CUT, 1);
    client_ready(&one); /* A goodbye: what is in flight is still answered. */
    client_ask(&one, OP_DEFER, ZR_HEADER_BYTES);
    assert_int_equal(SSL_shutdown(one.ssl), 0);
    wait_for(NET_CLOSED_PEER, 1);
    release_deferred();
    expect_reply(&one, OP_DEFER, 2);
    assert_int_equal(client_hear(&one), CLOSED);
    client_close(&one);
    net_down(1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_frames_that_came_together_are_told_of_ahead),
        cmocka_unit_test(test_frames_may_be_cut_at_any_byte),
        cmocka_unit_test(test_violations_are_named_before_the_close),
        cmocka_unit_test(test_credit_is_enforced),
        cmocka_unit_test(test_dispatch_may_close_with_a_last_frame),
        cmocka_unit_test(test_revoked_session_is_closed),
        cmocka_unit_test(test_slow_peers_are_closed_by_their_deadline),
        cmocka_unit_test(test_old_connections_are_sent_away),
        cmocka_unit_test(test_slow_reader_is_paused_and_gets_everything),
        cmocka_unit_test(test_peer_that_never_reads_is_cut),
        cmocka_unit_test(test_gone_peers_leave_nothing),
    };

    return cmocka_run_group_tests(tests, pki_setup, pki_teardown);
}
