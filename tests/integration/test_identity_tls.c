/*
 * test_identity_tls.c - who may shake hands with the real server, asked by `openssl s_client`
 * where that is the clearest proof (reliability.md "TLS", P13). Who may do what behind the
 * handshake is in test_identity.c.
 */
#include "tests/integration/cases.h"
#include "tests/integration/hostile.h"

#include <openssl/pem.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { OUTPUT_BYTES = 65536, ARGUMENTS_MAX = 32 };

/* ---- openssl s_client ----------------------------------------------------------------------- */

/* What one run of it gave: HELLO was said through it, as often as it was let. */
struct s_client {
    char text[OUTPUT_BYTES]; /* Its words and the server's bytes. */
    size_t length;
    int code; /* Exit code. */
};

static bool
output_has(const struct s_client *run, const char *text)
{
    return memmem(run->text, run->length, text, strlen(text)) != NULL;
}

/* HELLO_OK names the build of the server. */
static bool
was_welcomed(const struct s_client *run)
{
    return output_has(run, "zipringd 1");
}

static pid_t
s_client_start(const char *const *arguments, int in_fd, int out_fd)
{
    static const char *const common[] = {"openssl", "s_client", "-nocommands", NULL};
    const char *argv[32];
    const pid_t parent = getpid();
    size_t count = 0;
    pid_t pid;

    for (; common[count] != NULL; count++) {
        argv[count] = common[count];
    }
    for (; *arguments != NULL; arguments++) {
        argv[count++] = *arguments;
    }
    argv[count] = NULL;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent && dup2(in_fd, 0) == 0 && dup2(out_fd, 1) == 1 &&
            dup2(out_fd, 2) == 2) {
            // NOLINTNEXTLINE(performance-no-int-to-ptr): execvp() wants them without const.
            (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
        }
        _exit(127);
    }
    return pid;
}

/* Run it with these arguments behind -connect; HELLO goes through it. */
static void
s_client_run(struct s_client *run, const char *const *options)
{
    const struct zr_hello_request hello = raw_hello_request();
    const char *arguments[24] = {"-connect", world.server.address};
    static struct raw nobody;
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    ssize_t got;
    int in[2];
    int out[2];
    int status;
    pid_t pid;

    for (size_t i = 0; options[i] != NULL; i++) {
        arguments[i + 2] = options[i];
    }
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid = s_client_start(arguments, in[0], out[1]);
    (void)close(in[0]);
    (void)close(out[1]);
    (void)!write(in[1], frame, raw_encode(&nobody, frame, ZR_OP_HELLO, &hello));
    run->length = 0;
    /* To its end; a welcome ends it, for then the input is closed. */
    while ((got = read(out[0], run->text + run->length, OUTPUT_BYTES - run->length)) > 0) {
        run->length += (size_t)got;
        if (in[1] >= 0 && was_welcomed(run)) {
            (void)close(in[1]);
            in[1] = -1;
        }
    }
    if (in[1] >= 0) {
        (void)close(in[1]);
    }
    (void)close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    run->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char path_ca[SERVER_PATH_MAX], path_cert[SERVER_PATH_MAX], path_key[SERVER_PATH_MAX];
static char path_server_cert[SERVER_PATH_MAX], path_server_key[SERVER_PATH_MAX];
static char path_foreign_cert[SERVER_PATH_MAX], path_foreign_key[SERVER_PATH_MAX];
static char path_session[SERVER_PATH_MAX];

static void
paths_make(void)
{
    char folder[SERVER_PATH_MAX];
    char output[512];

    server_path(path_ca, &world.server, "ca.pem");
    server_path(path_cert, &world.server, "switch.pem");
    server_path(path_key, &world.server, "switch.key");
    server_path(path_server_cert, &world.server, "server.pem");
    server_path(path_server_key, &world.server, "server.key");
    server_path(path_session, &world.server, "session");
    server_path(folder, &world.server, "foreign");
    CHECK(server_run("zipring", (const char *[]){"dev", "--dir", folder, "--pki-only", NULL},
                     output, sizeof output) == 0);
    server_path(path_foreign_cert, &world.server, "foreign/switch.pem");
    server_path(path_foreign_key, &world.server, "foreign/switch.key");
}

#define GOOD_ALPN "-alpn", "zipring/1"
#define GOOD_CERT "-cert", path_cert, "-key", path_key
#define GOOD_CA   "-CAfile", path_ca, "-verify_return_error"

static void
test_s_client_that_keeps_the_rules_is_welcome(void **state)
{
    static struct s_client run;

    (void)state;
    s_client_run(&run, (const char *[]){GOOD_ALPN, GOOD_CERT, GOOD_CA, NULL});
    assert_true(was_welcomed(&run));
    assert_int_equal(run.code, 0);
    assert_true(output_has(&run, "New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256"));
    assert_true(output_has(&run, "ALPN protocol: zipring/1"));
    assert_true(output_has(&run, "Verify return code: 0 (ok)"));
}

static void
test_s_client_that_breaks_one_rule_is_refused(void **state)
{
    const struct {
        const char *what;
        const char *says; /* In its output; NULL = anything. */
        const char *options[16];
    } rows[] = {
        {"TLS 1.2", "alert protocol version", {"-tls1_2", GOOD_ALPN, GOOD_CERT, GOOD_CA}},
        {"no certificate", "certificate required", {GOOD_ALPN, GOOD_CA}},
        {"another CA's certificate",
         "alert unknown ca",
         {GOOD_ALPN, "-cert", path_foreign_cert, "-key", path_foreign_key, GOOD_CA}},
        {"a server's certificate",
         "alert",
         {GOOD_ALPN, "-cert", path_server_cert, "-key", path_server_key, GOOD_CA}},
        {"another ALPN", "alert no application protocol", {"-alpn", "h2", GOOD_CERT, GOOD_CA}},
        {"the next major", "alert no application protocol", {"-alpn", "zipring/2", GOOD_CERT}},
        {"no ALPN", "alert no application protocol", {GOOD_CERT, GOOD_CA}},
        {"a cipher that is not ours",
         "alert handshake failure",
         {"-ciphersuites", "TLS_AES_256_GCM_SHA384", GOOD_ALPN, GOOD_CERT, GOOD_CA}},
        {"a group that is not ours", "alert", {"-groups", "P-521", GOOD_ALPN, GOOD_CERT, GOOD_CA}},
    };
    static struct s_client run;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s_client_run(&run, rows[i].options);
        if (was_welcomed(&run) || run.code == 0 || !output_has(&run, rows[i].says)) {
            print_error("%s: exit %d\n%.*s\n", rows[i].what, run.code, (int)run.length, run.text);
        }
        assert_false(was_welcomed(&run));
        assert_int_not_equal(run.code, 0);
        assert_true(output_has(&run, rows[i].says));
    }
}

static void
test_s_client_gets_no_ticket_and_resumes_nothing(void **state)
{
    static struct s_client run;
    SSL_CTX *context = raw_context(&world.server, "switch");
    static struct raw raw;
    SSL_SESSION *session;
    FILE *file;

    (void)state;
    s_client_run(&run, (const char *[]){GOOD_ALPN, GOOD_CERT, "-sess_out", path_session, NULL});
    assert_true(was_welcomed(&run));
    assert_false(output_has(&run, "New Session Ticket arrived"));
    assert_int_equal(access(path_session, F_OK), -1); /* Nothing that could be resumed came. */

    /* What the handshake left, offered all the same. */
    raw_open_ready(&raw, &world.server, context);
    session = SSL_get1_session(raw.ssl);
    assert_false(SSL_SESSION_is_resumable(session));
    raw_close(&raw);
    file = fopen(path_session, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_SSL_SESSION(file, session), 1);
    (void)fclose(file);
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
    s_client_run(&run, (const char *[]){GOOD_ALPN, GOOD_CERT, "-sess_in", path_session, NULL});
    assert_true(was_welcomed(&run));
    assert_true(output_has(&run, "New, TLSv1.3"));
    assert_false(output_has(&run, "Reused, TLSv1.3"));
}

/* ---- early data ----------------------------------------------------------------------------- */

/* A session that we never had, which says that early data is fine. */
static int
// NOLINTNEXTLINE(readability-function-size): OpenSSL dictates the parameters.
psk_use(SSL *ssl, const EVP_MD *digest, const unsigned char **id, size_t *id_bytes,
        SSL_SESSION **session)
{
    static const unsigned char identity[] = "made up";
    static const unsigned char key[32] = {1};
    static const unsigned char suite[] = {0x13, 0x01};

    (void)digest;
    *session = SSL_SESSION_new();
    CHECK(*session != NULL);
    CHECK(SSL_SESSION_set1_master_key(*session, key, sizeof key) == 1);
    CHECK(SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, suite)) == 1);
    CHECK(SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION) == 1);
    CHECK(SSL_SESSION_set_max_early_data(*session, 16384) == 1);
    CHECK(SSL_SESSION_set1_alpn_selected(*session, (const unsigned char *)"zipring/1", 9) == 1);
    *id = identity;
    *id_bytes = sizeof identity;
    return 1;
}

static void
test_early_data_is_never_taken(void **state)
{
    const struct zr_hello_request hello = raw_hello_request();
    SSL_CTX *context = raw_context(&world.server, "switch");
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    static struct raw raw;
    size_t written = 0;
    size_t bytes;

    (void)state;
    SSL_CTX_set_psk_use_session_callback(context, psk_use);
    memset(&raw, 0, sizeof raw);
    raw.fd = raw_socket(&world.server);
    raw.ssl = SSL_new(context);
    assert_non_null(raw.ssl);
    assert_int_equal(SSL_set_fd(raw.ssl, raw.fd), 1);
    bytes = raw_encode(&raw, frame, ZR_OP_HELLO, &hello);
    assert_int_equal(SSL_write_early_data(raw.ssl, frame, bytes, &written), 1);
    assert_int_equal(written, bytes); /* It left; the server must not have heard it. */
    if (SSL_connect(raw.ssl) == 1) {
        assert_int_not_equal(SSL_get_early_data_status(raw.ssl), SSL_EARLY_DATA_ACCEPTED);
        assert_int_equal(SSL_session_reused(raw.ssl), 0);
        if (raw_read(&raw)) {
            assert_int_not_equal(raw.header.status, ZR_STATUS_OK);
        }
    }
    raw_close(&raw);
    SSL_CTX_free(context);
}

/* Bytes that are no TLS at all. */
static void
test_plain_text_is_hung_up_on(void **state)
{
    const struct zr_hello_request hello = raw_hello_request();
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    static struct raw nobody;
    const size_t bytes = raw_encode(&nobody, frame, ZR_OP_HELLO, &hello);
    const int fd = raw_socket(&world.server);
    ssize_t got;

    (void)state;
    assert_int_equal(write(fd, frame, bytes), bytes);
    do {
        got = read(fd, frame, sizeof frame); /* An alert, at most. */
        assert_true(got <= 7);
    } while (got > 0);
    assert_true(got == 0 || errno == ECONNRESET);
    (void)close(fd);
}

static int
setup(void **state)
{
    const int result = world_setup(state);

    paths_make();
    return result;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_s_client_that_keeps_the_rules_is_welcome),
        cmocka_unit_test(test_s_client_that_breaks_one_rule_is_refused),
        cmocka_unit_test(test_s_client_gets_no_ticket_and_resumes_nothing),
        cmocka_unit_test(test_early_data_is_never_taken),
        cmocka_unit_test(test_plain_text_is_hung_up_on),
    };

    return cmocka_run_group_tests(tests, setup, world_teardown);
}
