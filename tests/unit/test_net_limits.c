/*
 * test_net_limits.c - server/net whole: who gets in, scarce buffers, draining, new keys.
 */
#include "tests/unit/test_net.h"

#include <dirent.h>
#include <stdlib.h>

enum { CROWD = 8, CONNECTS = 2000 };

static struct client crowd[CROWD];

/* Descriptors that this process has open. */
static uint32_t
descriptors_count(void)
{
    DIR *const folder = opendir("/proc/self/fd");
    uint32_t count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL) { // NOLINT(concurrency-mt-unsafe): one thread reads it.
        count++;
    }
    assert_int_equal(closedir(folder), 0);
    return count;
}

/* ---- who gets in ------------------------------------------------------------------------ */

static void
test_connections_are_bounded(void **state)
{
    (void)state;
    config_fresh()->connections_max = 2;
    net_up();
    client_ready(&crowd[0]);
    client_ready(&crowd[1]);
    expect_hang_up(tcp_connect());
    assert_int_equal(stat_of(NET_REFUSED_FULL), 1);
    client_close(&crowd[0]); /* A freed slot is used again. */
    wait_for(NET_CLOSED_CUT, 1);
    client_ready(&crowd[0]);
    client_close(&crowd[0]);
    client_close(&crowd[1]);
    net_down(1000);
}

static void
test_handshakes_are_bounded(void **state)
{
    int idle[2];

    (void)state;
    config_fresh()->handshakes_max = 2;
    net_up();
    idle[0] = tcp_connect();
    idle[1] = tcp_connect();
    wait_for(NET_ACCEPTED, 2);
    expect_hang_up(tcp_connect());
    assert_int_equal(stat_of(NET_REFUSED_HANDSHAKES), 1);
    (void)close(idle[0]);
    wait_for(NET_HANDSHAKES_FAILED, 1);
    client_ready(&one); /* Done handshakes do not count. */
    client_close(&one);
    (void)close(idle[1]);
    net_down(1000);
}

static void
test_accepts_are_rationed(void **state)
{
    struct net_config *const config = config_fresh();

    (void)state;
    config->prefix_accepts_per_s = 1;
    config->prefix_accepts_burst = 2;
    net_up();
    client_ready(&crowd[0]);
    client_ready(&crowd[1]);
    expect_hang_up(tcp_connect());
    assert_int_equal(stat_of(NET_REFUSED_RATE), 1);
    client_close(&crowd[0]);
    client_close(&crowd[1]);
    net_down(1000);
}

/* Before authentication at most 16 KiB are heard, whatever they are. */
static void
test_strangers_may_not_talk_long(void **state)
{
    uint8_t record[16384 + 5] = {0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0x00, 0x3F, 0xFC, 0x03, 0x03};
    int fd;

    (void)state;
    (void)config_fresh();
    net_up();
    fd = tcp_connect();
    (void)send(fd, record, sizeof record, MSG_NOSIGNAL);
    wait_for(NET_CLOSED_HANDSHAKE_FAILED, 1);
    (void)close(fd);
    fd = tcp_connect();
    assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
    wait_for(NET_CLOSED_HANDSHAKE_FAILED, 2);
    (void)close(fd);
    net_down(1000);
}

/* P8: thousands of connections, one after the other, leave no slot and no descriptor behind. */
static void
test_connects_leak_nothing(void **state)
{
    uint32_t before;

    (void)state;
    config_fresh()->connections_max = 4;
    net_up();
    client_ready(&one);
    client_close(&one);
    wait_for(NET_CLOSED_CUT, 1);
    before = descriptors_count();
    for (uint64_t i = 1; i < CONNECTS; i++) {
        const int fd = i % 16 == 0 ? -1 : tcp_connect();

        if (fd < 0) {
            client_ready(&one);
            client_close(&one);
        } else {
            (void)close(fd);
        }
        wait_for(NET_ACCEPTED, i + 1);
        while (stat_of(NET_CLOSED_CUT) + stat_of(NET_HANDSHAKES_FAILED) < i + 1) {
            (void)sched_yield();
        }
    }
    client_ready(&one); /* By now every slot but one is free for certain. */
    client_close(&one);
    wait_for(NET_CLOSED_CUT, 2 + (CONNECTS - 1) / 16);
    assert_int_equal(stat_of(NET_REFUSED_FULL), 0);
    net_down(1000);
    assert_true(descriptors_count() <= before);
}

/* ---- scarce things ---------------------------------------------------------------------- */

/* Two receive buffers of 1 KiB for eight peers that all send 48 KiB at once. */
static void
test_starved_receivers_go_on(void **state)
{
    struct net_config *const config = config_fresh();

    (void)state;
    config->buffers_count = 2;
    config->buffer_bytes = 1024;
    net_up();
    for (uint32_t i = 0; i < CROWD; i++) {
        client_ready(&crowd[i]);
    }
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < CROWD; i++) {
            uint8_t bytes[12 * 1024];

            for (uint32_t frame = 0; frame < 12; frame++) {
                encode_request(&crowd[i], bytes + 1024 * (size_t)frame, OP_ECHO, 1024);
            }
            client_write(&crowd[i], bytes, sizeof bytes);
        }
        for (uint32_t i = 0; i < CROWD; i++) {
            for (uint32_t frame = 0; frame < 12; frame++) {
                expect_reply(&crowd[i], OP_ECHO, crowd[i].id - 11 + frame);
            }
        }
    }
    assert_true(stat_of(NET_NOBUFS) > 0);
    for (uint32_t i = 0; i < CROWD; i++) {
        client_close(&crowd[i]);
    }
    net_down(1000);
}

/* Few blocks: connections wait for each other, none is closed for it. */
static void
test_scarce_blocks_make_connections_wait(void **state)
{
    struct net_config *const config = config_fresh();

    (void)state;
    config->blocks_count = 16;
    config->out_bytes_high = 8 * 1024;
    config->out_bytes_low = 1024;
    app.credit = 1024;
    net_up();
    for (uint32_t i = 0; i < CROWD; i++) {
        client_ready(&crowd[i]);
        for (uint32_t asked = 0; asked < 40; asked++) {
            client_ask(&crowd[i], OP_BIG, ZR_HEADER_BYTES);
        }
    }
    for (uint32_t i = 0; i < CROWD; i++) {
        for (uint32_t heard = 0; heard < 40; heard++) {
            expect_reply(&crowd[i], OP_BIG, 2 + heard);
        }
        client_close(&crowd[i]);
    }
    assert_int_equal(stat_of(NET_CLOSED_MEMORY), 0);
    net_down(1000);
}

static void
test_key_updates_are_bounded(void **state)
{
    (void)state;
    (void)config_fresh();
    net_up();
    client_ready(&one);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(SSL_key_update(one.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        client_ask(&one, OP_ECHO, ZR_HEADER_BYTES);
        expect_reply(&one, OP_ECHO, one.id);
    }
    assert_int_equal(SSL_key_update(one.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    client_ask(&one, OP_ECHO, ZR_HEADER_BYTES);
    expect_error(&one, ZR_STATUS_BAD_FRAME);
    client_close(&one);
    net_down(1000);
}

/* ---- draining --------------------------------------------------------------------------- */

/* P11: GOAWAY says what was executed; what was deferred is still answered. */
static void
test_drain_loses_no_reply(void **state)
{
    (void)state;
    (void)config_fresh();
    net_up();
    for (uint32_t i = 0; i < CROWD; i++) {
        client_ready(&crowd[i]);
        client_ask(&crowd[i], OP_DEFER, ZR_HEADER_BYTES);
        client_ask(&crowd[i], OP_DEFER, ZR_HEADER_BYTES);
    }
    client_open(&one); /* No HELLO yet: it is told, not kept. */
    wait_for(NET_FRAMES_IN, UINT64_C(3) * CROWD);
    wait_for(NET_HANDSHAKES_DONE, CROWD + 1); /* The client is done before the server is. */
    net_drain(app.net, 10000);
    for (uint32_t i = 0; i < CROWD; i++) {
        expect_reply(&crowd[i], ZR_OP_GOAWAY, 0);
        assert_int_equal(crowd[i].header.size, ZR_HEADER_BYTES + 16);
        assert_int_equal(crowd[i].header.block, 16);
        assert_int_equal(zr_load_u64(crowd[i].frame + ZR_HEADER_BYTES), 3);
        assert_int_equal(zr_load_u32(crowd[i].frame + ZR_HEADER_BYTES + 8), 10000);
        assert_int_equal(crowd[i].frame[ZR_HEADER_BYTES + 12], ZR_GOAWAY_DRAINING);
        client_ask(&crowd[i], OP_ECHO, ZR_HEADER_BYTES); /* Too late: never executed. */
    }
    expect_error(&one, ZR_STATUS_GOING_AWAY);
    client_close(&one);
    release_deferred();
    for (uint32_t i = 0; i < CROWD; i++) {
        expect_reply(&crowd[i], OP_DEFER, 2);
        expect_reply(&crowd[i], OP_DEFER, 3);
        assert_int_equal(client_hear(&crowd[i]), CLOSED);
        client_close(&crowd[i]);
    }
    assert_int_equal(stat_of(NET_FRAMES_IN), 3 * CROWD);
    assert_int_equal(stat_of(NET_REPLIES_DROPPED), 0);
    net_down(10000);
}

static void
test_drain_ends_in_time_without_replies(void **state)
{
    (void)state;
    (void)config_fresh();
    net_up();
    client_ready(&one);
    client_ask(&one, OP_DEFER, ZR_HEADER_BYTES);
    wait_for(NET_FRAMES_IN, 2);
    net_drain(app.net, 60000);
    expect_reply(&one, ZR_OP_GOAWAY, 0);
    net_down(100); /* Asked again, it comes sooner. */
    client_close(&one);
}

static void
test_drain_before_run_is_not_lost(void **state)
{
    const struct request_port port = port_up();

    (void)state;
    (void)config_fresh();
    assert_int_equal(net_open(&app.net, &app.config, &port), STATUS_OK);
    net_drain(app.net, 0);
    assert_int_equal(pthread_create(&app.worker, NULL, worker_main, NULL), 0);
    assert_int_equal(pthread_join(app.worker, NULL), 0);
    assert_int_equal(app.result, STATUS_OK);
    net_close(app.net);
}

/* ---- keys and limits -------------------------------------------------------------------- */

static void
test_reload_serves_new_keys_or_keeps_the_old(void **state)
{
    struct net_tls_files files = {pki.certificate, pki.key, pki.ca};
    X509 *seen;

    (void)state;
    (void)config_fresh();
    net_up();
    client_ready(&crowd[0]);
    files.key = "/nowhere";
    assert_int_equal(net_reload_tls(app.net, &files), STATUS_INVALID);
    files.key = pki.key;
    issued_free(&pki.server);
    pki.server = issue(&pki.authority, EVP_EC_gen("P-256"), "serverAuth", NULL);
    write_pem(pki.certificate, pki.server.certificate, NULL);
    write_pem(pki.key, NULL, pki.server.key);
    assert_int_equal(net_reload_tls(app.net, &files), STATUS_OK);
    wait_for(NET_TLS_RELOADS, 1);
    client_ready(&one);
    seen = SSL_get1_peer_certificate(one.ssl);
    assert_int_equal(X509_cmp(seen, pki.server.certificate), 0);
    X509_free(seen);
    client_ask(&crowd[0], OP_ECHO, ZR_HEADER_BYTES); /* A live one keeps its own. */
    expect_reply(&crowd[0], OP_ECHO, 2);
    client_close(&crowd[0]);
    client_close(&one);
    net_down(1000);
}

static void
test_open_refuses_wrong_limits(void **state)
{
    static const char *const addresses[] = {"127.0.0.1",       "localhost:1",  "[::1:7",
                                            "127.0.0.1:65536", "127.0.0.1:7x", ":7"};
    const struct request_port port = port_up();

    (void)state;
    config_fresh()->buffers_count = 48;
    assert_int_equal(net_open(&app.net, &app.config, &port), STATUS_INVALID);
    config_fresh()->out_bytes_low = app.config.out_bytes_high;
    assert_int_equal(net_open(&app.net, &app.config, &port), STATUS_INVALID);
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        config_fresh()->listen = addresses[i];
        assert_int_equal(net_open(&app.net, &app.config, &port), STATUS_INVALID);
    }
    expect_assert_failure(assert_int_equal(net_open(&app.net, &app.config, NULL), STATUS_OK));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_are_bounded),
        cmocka_unit_test(test_handshakes_are_bounded),
        cmocka_unit_test(test_accepts_are_rationed),
        cmocka_unit_test(test_strangers_may_not_talk_long),
        cmocka_unit_test(test_connects_leak_nothing),
        cmocka_unit_test(test_starved_receivers_go_on),
        cmocka_unit_test(test_scarce_blocks_make_connections_wait),
        cmocka_unit_test(test_key_updates_are_bounded),
        cmocka_unit_test(test_drain_loses_no_reply),
        cmocka_unit_test(test_drain_ends_in_time_without_replies),
        cmocka_unit_test(test_drain_before_run_is_not_lost),
        cmocka_unit_test(test_reload_serves_new_keys_or_keeps_the_old),
        cmocka_unit_test(test_open_refuses_wrong_limits),
    };

    return cmocka_run_group_tests(tests, pki_setup, pki_teardown);
}
