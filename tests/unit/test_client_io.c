/*
 * test_client_io.c - libzipring over real sockets and TLS: connections, certificates, failover,
 * fork, and the one fd. The core's rules are tested in test_client_core.c.
 */
#include "tests/unit/test_client_server.h"

#include <sys/wait.h>

/* ---- the client ------------------------------------------------------------------------------ */

static struct zr_client *
client_open(const char *ca, const char *hosts)
{
    char uri[128];
    struct zr_options options = ZR_OPTIONS_INIT;
    struct zr_error error = ZR_ERROR_INIT;
    struct zr_client *client = NULL;

    (void)snprintf(uri, sizeof uri, "zipring://%s:%u", hosts, server.port);
    options.uri = uri;
    options.cert_file = pki.certificate;
    options.key_file = pki.key;
    options.ca_file = ca;
    options.request_timeout_ms = LONG_MS;
    options.reconnect_max_ms = 50;
    assert_int_equal(zr_client_open(&client, &options, &error), 0);
    assert_non_null(client);
    return client;
}

/* How often each of many requests ended, and how the last one did. */
struct tally {
    unsigned ended;
    unsigned done;
    int result;
};

static void
count_done(void *context, const struct zr_completion *completion)
{
    struct tally *const tally = context;

    tally->ended++;
    tally->done += completion->result == 0;
    tally->result = completion->result;
}

static int
submit(struct zr_client *client, uint16_t op, const void *request, struct tally *tally)
{
    const struct zr_submission submission = {.size = sizeof submission,
                                             .op = op,
                                             .request = request,
                                             .done = count_done,
                                             .context = tally};

    return zr_submit(client, &submission);
}

static const struct zr_release_request release = {.claim_id = 7, .when = ZR_RELEASE_NOW};

static void
test_blocking_call_has_its_reply(void **state)
{
    struct zr_client_stats stats = {.size = sizeof stats};
    struct zr_call_info info;
    struct zr_claim_state_reply reply;
    struct zr_client *client;
    struct zr_id key;

    (void)state;
    server_start(&pki.server);
    client = client_open(pki.ca, "127.0.0.1");
    assert_null(zr_client_hello(client));
    assert_int_equal(zr_client_make_key(client, &key), ZR_EDISCONNECTED);
    assert_int_equal(zr_client_wait_ready(client, LONG_MS), 0);
    assert_int_equal(zr_client_hello(client)->role, ZR_ROLE_SWITCH);
    assert_in_range(zr_client_server_time_ms(client), 1700000000000, 1700000000000 + LONG_MS);
    memset(&reply, 0xFF, sizeof reply);
    assert_int_equal(zr_call(client, ZR_OP_RELEASE, &release, &reply, 0, &info), 0);
    assert_int_equal(reply.claim_id, 0);
    assert_true(info.rtt_ns > 0);
    assert_int_equal(info.key.bytes[6] >> 4, 7);
    assert_int_equal(zr_release(client, &release, &reply), 0);
    zr_client_get_stats(client, &stats);
    assert_int_equal(stats.sent, 2);
    assert_int_equal(stats.answered, 2);
    assert_int_equal(stats.connects, 1);
    zr_client_close(client);
    server_stop();
}

/* Submits outside a callback make the fd readable, and go out together. */
static void
test_one_fd_drives_everything(void **state)
{
    struct tally tally = {0};
    struct zr_client *client;

    (void)state;
    server_start(&pki.server);
    client = client_open(pki.ca, "localhost");
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(submit(client, ZR_OP_PING, NULL, &tally), 0);
    }
    while (tally.ended < 1000) {
        struct pollfd wait = {.fd = zr_client_fd(client), .events = POLLIN};

        assert_int_equal(poll(&wait, 1, LONG_MS), 1);
        assert_true(zr_client_process(client, 0) >= 0);
    }
    assert_int_equal(tally.done, 1000);
    assert_in_range(atomic_load(&server.reads), 2, 8); /* HELLO, and 24 kB of frames. */
    assert_int_equal(submit(client, ZR_OP_PING, NULL, &tally), 0);
    assert_int_equal(zr_client_flush(client, LONG_MS), 0);
    assert_int_equal(tally.done, 1001);
    zr_client_close(client);
    server_stop();
}

static void
test_lost_connection_is_replaced_and_resent_on(void **state)
{
    static const struct zr_echo_request echo = {.reply_bytes = 1};
    struct zr_client_stats stats = {.size = sizeof stats};
    struct zr_claim_state_reply reply;
    struct zr_client *client;
    struct zr_error error = ZR_ERROR_INIT;

    (void)state;
    server_start(&pki.server);
    client = client_open(pki.ca, "127.0.0.1");
    atomic_store(&server.hang_up, 1);
    assert_int_equal(zr_call(client, ZR_OP_RELEASE, &release, &reply, 0, NULL), 0);
    zr_client_get_stats(client, &stats);
    assert_int_equal(stats.retried, 1);
    assert_int_equal(stats.connects, 2);
    zr_client_last_error(client, &error);
    assert_int_equal(error.result, ZR_EDISCONNECTED);
    assert_non_null(strstr(error.endpoint, "127.0.0.1:"));
    zr_client_close(client);

    client = client_open(pki.ca, "127.0.0.1");
    atomic_store(&server.hang_up, 1);
    assert_int_equal(zr_call(client, ZR_OP_ECHO, &echo, NULL, 0, NULL), ZR_EUNKNOWN);
    assert_int_equal(zr_call(client, ZR_OP_ECHO, &echo, NULL, 0, NULL), 0);
    zr_client_close(client);
    server_stop();
}

static void
test_goaway_costs_no_request(void **state)
{
    struct tally tally = {0};
    struct zr_client_stats stats = {.size = sizeof stats};
    struct zr_client *client;

    (void)state;
    server_start(&pki.server);
    client = client_open(pki.ca, "127.0.0.1");
    atomic_store(&server.go_away, 2);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(submit(client, i % 2 == 0 ? ZR_OP_NOOP_COMMIT : ZR_OP_PING, NULL, &tally),
                         0);
    }
    assert_int_equal(zr_client_flush(client, LONG_MS), 0);
    assert_int_equal(tally.done, 100);
    zr_client_get_stats(client, &stats);
    assert_int_equal(stats.connects, 3);
    zr_client_close(client);
    server_stop();
}

static void
test_failures_that_waiting_does_not_cure(void **state)
{
    struct tally tally = {0};
    struct zr_client *client;

    (void)state;
    server_start(&pki.server);
    client = client_open(pki.other_ca, "127.0.0.1");
    assert_int_equal(submit(client, ZR_OP_PING, NULL, &tally), 0);
    assert_int_equal(zr_client_wait_ready(client, LONG_MS), ZR_ETLS);
    assert_int_equal(tally.result, ZR_ETLS);
    assert_int_equal(submit(client, ZR_OP_PING, NULL, &tally), ZR_ETLS);
    assert_int_equal(zr_client_process(client, -1), ZR_ETLS);
    zr_client_close(client);

    atomic_store(&server.hello_status, ZR_STATUS_UNAUTHENTICATED);
    client = client_open(pki.ca, "127.0.0.1");
    assert_int_equal(zr_call(client, ZR_OP_PING, NULL, NULL, 0, NULL), ZR_EAUTH);
    assert_int_equal(zr_client_wait_ready(client, LONG_MS), ZR_EAUTH);
    zr_client_close(client);
    atomic_store(&server.hello_status, ZR_STATUS_VERSION);
    client = client_open(pki.ca, "127.0.0.1");
    assert_int_equal(zr_client_wait_ready(client, LONG_MS), ZR_EVERSION);
    zr_client_close(client);
    server_stop();

    server_start(&pki.stranger); /* Of our CA, but for another host. */
    client = client_open(pki.ca, "127.0.0.1");
    assert_int_equal(zr_client_wait_ready(client, LONG_MS), ZR_ETLS);
    zr_client_close(client);
    client = client_open(pki.ca, "localhost");
    assert_int_equal(zr_client_wait_ready(client, LONG_MS), ZR_ETLS);
    zr_client_close(client);
    server_stop();
}

static void
test_dead_endpoint_is_passed_over(void **state)
{
    struct zr_client *client;

    (void)state;
    server_start(&pki.server);
    client = client_open(pki.ca, "127.0.0.1:1,[::1]:1,127.0.0.1");
    assert_int_equal(zr_call(client, ZR_OP_PING, NULL, NULL, 0, NULL), 0);
    zr_client_close(client);
    server_stop();

    client = client_open(pki.ca, "127.0.0.1"); /* Nobody is there any more. */
    assert_int_equal(zr_call(client, ZR_OP_PING, NULL, NULL, 300, NULL), ZR_EDISCONNECTED);
    assert_int_equal(zr_client_wait_ready(client, 10), ZR_EDISCONNECTED);
    zr_client_close(client);
}

static void
test_close_ends_every_request_once(void **state)
{
    struct tally sent = {0};
    struct tally unsent = {0};
    struct zr_client *client;

    (void)state;
    server_start(&pki.server);
    atomic_store(&server.mute, true);
    client = client_open(pki.ca, "127.0.0.1");
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(submit(client, ZR_OP_RELEASE, &release, &sent), 0);
    }
    while (atomic_load(&server.requests) < 100) {
        assert_true(zr_client_process(client, 10) >= 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(submit(client, ZR_OP_RELEASE, &release, &unsent), 0);
    }
    assert_int_equal(zr_client_pending(client), 200);
    zr_client_close(client);
    assert_int_equal(sent.ended, 100);
    assert_int_equal(sent.result, ZR_EUNKNOWN);
    assert_int_equal(unsent.ended, 100);
    assert_int_equal(unsent.result, ZR_ECANCELED);
    server_stop();
}

static void
test_forked_child_leaves_the_connection_alone(void **state)
{
    struct tally tally = {0};
    struct zr_client_stats stats = {.size = sizeof stats};
    struct zr_client *client;
    pid_t child;
    int status = -1;

    (void)state;
    server_start(&pki.server);
    client = client_open(pki.ca, "127.0.0.1");
    assert_int_equal(zr_client_wait_ready(client, LONG_MS), 0);
    assert_int_equal(submit(client, ZR_OP_PING, NULL, &tally), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const bool refused = submit(client, ZR_OP_PING, NULL, &tally) == ZR_EINVAL &&
                             zr_client_process(client, 0) == ZR_EINVAL;

        zr_client_close(client);
        _exit(refused && tally.ended == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(zr_client_flush(client, LONG_MS), 0);
    assert_int_equal(tally.done, 1);
    zr_client_get_stats(client, &stats);
    assert_int_equal(stats.connects, 1);
    zr_client_close(client);
    server_stop();
}

static void
test_open_says_what_is_wrong(void **state)
{
    static const char *const uris[] = {"",
                                       "http://h:1",
                                       "zipring://",
                                       "zipring://h:0",
                                       "zipring://h:65536",
                                       "zipring://h:1,",
                                       "zipring://[::1",
                                       "zipring://a b:1"};
    struct zr_options options = ZR_OPTIONS_INIT;
    struct zr_error error = ZR_ERROR_INIT;
    struct zr_client *client = NULL;

    (void)state;
    assert_int_equal(zr_client_open(&client, &options, &error), ZR_EINVAL);
    options.cert_file = pki.certificate;
    options.key_file = pki.key;
    options.ca_file = pki.ca;
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        options.uri = uris[i];
        assert_int_equal(zr_client_open(&client, &options, &error), ZR_EINVAL);
        assert_non_null(strstr(error.text, "uri"));
    }
    options.uri = "zipring://127.0.0.1";
    options.key_file = pki.ca;
    assert_int_equal(zr_client_open(&client, &options, &error), ZR_EINVAL);
    assert_non_null(strstr(error.text, pki.ca));
    assert_null(client);
    zr_client_close(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocking_call_has_its_reply),
        cmocka_unit_test(test_one_fd_drives_everything),
        cmocka_unit_test(test_lost_connection_is_replaced_and_resent_on),
        cmocka_unit_test(test_goaway_costs_no_request),
        cmocka_unit_test(test_failures_that_waiting_does_not_cure),
        cmocka_unit_test(test_dead_endpoint_is_passed_over),
        cmocka_unit_test(test_close_ends_every_request_once),
        cmocka_unit_test(test_forked_child_leaves_the_connection_alone),
        cmocka_unit_test(test_open_says_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, pki_setup, pki_teardown);
}
