/*
 * server.c - see server.h.
 */
#include "tests/lib/server.h"

#include "protocol/check.h"
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 40, READY_FD = 3, EXIT_CANNOT_START = 127 };

/* ---- programs ---------------------------------------------------------------------------- */

static void
program_path(char path[SERVER_PATH_MAX], const char *program)
{
    const char *folder = getenv("ZIPRING_BIN");

    if (folder == NULL) {
        folder = getenv("BUILD");
    }
    (void)snprintf(path, SERVER_PATH_MAX, "%s/%s", folder != NULL ? folder : "build/release",
                   program);
    if (access(path, X_OK) != 0) {
        (void)fprintf(stderr, "%s: %s (set ZIPRING_BIN to the build folder)\n", path,
                      strerror(errno));
        abort();
    }
}

static int
child_reap(pid_t pid)
{
    int wait_status = 0;

    while (waitpid(pid, &wait_status, 0) < 0) {
        CHECK(errno == EINTR);
    }
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -WTERMSIG(wait_status);
}

/*
 * Start a program with `output_fd` as its output and, when it is not -1, `ready_fd` as its
 * descriptor 3. The parent's death is the child's.
 */
static pid_t
child_start(const char *program, const char *const *arguments, int output_fd, int ready_fd)
{
    const pid_t parent = getpid();
    char path[SERVER_PATH_MAX];
    const char *argv[ARGUMENTS_MAX] = {program};
    size_t count = 1;
    pid_t pid;

    program_path(path, program);
    for (; arguments[count - 1] != NULL; count++) {
        CHECK(count < ARGUMENTS_MAX - 1);
        argv[count] = arguments[count - 1];
    }
    (void)fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid > 0) {
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(output_fd, STDOUT_FILENO) < 0 ||
        dup2(output_fd, STDERR_FILENO) < 0) {
        _exit(EXIT_CANNOT_START);
    }
    /* dup2() onto itself would keep close-on-exec. */
    if (ready_fd == READY_FD) {
        (void)fcntl(ready_fd, F_SETFD, 0);
    } else if (ready_fd >= 0 && dup2(ready_fd, READY_FD) < 0) {
        _exit(EXIT_CANNOT_START);
    }
    (void)execv(path, (char *const *)(uintptr_t)argv);
    _exit(EXIT_CANNOT_START);
}

/* Read to the end; keeps what fits, with a NUL. */
static void
read_all(int fd, char *text, size_t text_bytes)
{
    char rest[512];
    size_t length = 0;
    ssize_t got;

    do {
        const bool fits = text != NULL && length + 1 < text_bytes;

        got = fits ? read(fd, text + length, text_bytes - 1 - length) : read(fd, rest, sizeof rest);
        CHECK(got >= 0 || errno == EINTR);
        length += fits && got > 0 ? (size_t)got : 0;
    } while (got != 0);
    if (text != NULL) {
        text[length] = '\0';
    }
}

int
server_run(const char *program, const char *const *arguments, char *output, size_t output_bytes)
{
    int ends[2];
    pid_t pid;

    CHECK(output == NULL || output_bytes > 0);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pid = child_start(program, arguments, ends[1], -1);
    (void)close(ends[1]);
    read_all(ends[0], output, output_bytes);
    (void)close(ends[0]);
    return child_reap(pid);
}

/* The same, and it must end with 0. */
static void
run_well(const char *program, const char *const *arguments, char *output, size_t output_bytes)
{
    const int code = server_run(program, arguments, output, output_bytes);

    if (code != 0) {
        (void)fprintf(stderr, "%s %s ended with %d:\n%s\n", program, arguments[0], code, output);
        abort();
    }
}

void
server_path(char path[SERVER_PATH_MAX], const struct server *server, const char *name)
{
    const int length = snprintf(path, SERVER_PATH_MAX, "%s/%s", server->folder, name);

    CHECK(length > 0);
    CHECK(length < SERVER_PATH_MAX);
}

/* ---- start and stop ---------------------------------------------------------------------- */

/* Show what the server logged last: it did not do what the test needs. */
_Noreturn static void
show_log_and_abort(const struct server *server, const char *what)
{
    char path[SERVER_PATH_MAX];
    char line[512];
    FILE *file;

    server_path(path, server, "log");
    (void)fprintf(stderr, "zipringd: %s; %s says:\n", what, path);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strstr(line, "event=memory") == NULL) {
            (void)fputs(line, stderr);
        }
    }
    abort();
}

/* "name=FOLDER/file" */
struct setting {
    char text[SERVER_PATH_MAX + 16];
};

static const char *
setting_of_file(struct setting *setting, const struct server *server, const char *name,
                const char *file)
{
    (void)snprintf(setting->text, sizeof setting->text, "%s=%s/%s", name, server->folder, file);
    return setting->text;
}

/*
 * Take a free port, and keep it while the server is down: bound and not listening, a socket with
 * SO_REUSEADDR lets zipringd bind the same address, as that one sets it too, and keeps the kernel
 * from giving the port to whoever asks for a free one. A connection to it is refused meanwhile.
 */
static void
port_reserve(struct server *server)
{
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof address;

    server->port_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server->port_fd >= 0);
    CHECK(setsockopt(server->port_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    CHECK(bind(server->port_fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(server->port_fd, (struct sockaddr *)&address, &address_bytes) == 0);
    (void)snprintf(server->address, sizeof server->address, "127.0.0.1:%u",
                   ntohs(address.sin_port));
    (void)snprintf(server->uri, sizeof server->uri, "zipring://%s", server->address);
}

static void
spawn(struct server *server)
{
    struct setting data;
    struct setting certificate;
    struct setting key;
    struct setting ca;
    struct setting address;
    char log_path[SERVER_PATH_MAX];
    char ready[sizeof server->address + 1];
    int ends[2];
    int log_fd;
    const char *arguments[ARGUMENTS_MAX] = {
        "serve", "--bench", "--clock=manual", "--ready-fd=3",
        setting_of_file(&data, server, "data", "data"),
        setting_of_file(&certificate, server, "cert", "server.pem"),
        setting_of_file(&key, server, "key", "server.key"),
        setting_of_file(&ca, server, "ca", "ca.pem"), address.text,
        /* Small, so that starting is quick; large enough for every test. */
        "contractors_max=16384", "ringing_calls_max=16384", "connected_calls_max=16384",
        "drain_ms=200"};
    size_t count = 13;

    CHECK(server->pid == 0);
    (void)snprintf(address.text, sizeof address.text, "listen=%s", server->address);
    for (size_t i = 0; server->settings[i] != NULL; i++) {
        arguments[count++] = server->settings[i];
    }
    server_path(log_path, server, "log");
    log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CHECK(log_fd >= 0);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    server->pid = child_start("zipringd", arguments, log_fd, ends[1]);
    (void)close(ends[1]);
    (void)close(log_fd);
    read_all(ends[0], ready, sizeof ready);
    (void)close(ends[0]);
    ready[strcspn(ready, "\n")] = '\0';
    if (ready[0] == '\0') {
        show_log_and_abort(server, "it ended before it served");
    }
    CHECK(strcmp(ready, server->address) == 0);
}

/* Every role that needs no more than its certificate; init put the administrator. */
static void
principals_put(struct server *server)
{
    static const struct server_identity identities[] = {
        {"switch", SERVER_TENANT, ZR_ROLE_SWITCH, 0},
        {"callcenter", SERVER_TENANT, ZR_ROLE_CALLCENTER, 0},
        {"portal", SERVER_TENANT, ZR_ROLE_PORTAL, 0},
        {"payments", SERVER_TENANT, ZR_ROLE_PAYMENTS, 0},
        {"auditor", SERVER_TENANT, ZR_ROLE_AUDITOR, 0},
        {"bench", SERVER_TENANT, ZR_ROLE_BENCH, 0},
    };

    for (size_t i = 0; i < sizeof identities / sizeof identities[0]; i++) {
        (void)server_principal(server, &identities[i]);
    }
}

void
server_start(struct server *server, const char *const *settings)
{
    const char *folder = getenv("TMPDIR");
    char output[1024];
    char data[SERVER_PATH_MAX];
    char admin[SERVER_PATH_MAX];

    memset(server, 0, sizeof *server);
    (void)snprintf(server->folder, sizeof server->folder, "%.80s/zipring-test.XXXXXX",
                   folder != NULL ? folder : "/tmp");
    CHECK(mkdtemp(server->folder) != NULL);
    for (size_t i = 0; settings != NULL && settings[i] != NULL; i++) {
        CHECK(i < SERVER_SETTINGS_MAX - 1);
        server->settings[i] = settings[i];
    }
    run_well("zipring", (const char *[]){"dev", "--dir", server->folder, "--pki-only", NULL},
             output, sizeof output);
    server_path(data, server, "data");
    server_path(admin, server, "admin.pem");
    run_well("zipringd", (const char *[]){"init", "--data", data, "--admin-cert", admin, NULL},
             output, sizeof output);
    port_reserve(server);
    spawn(server);
    principals_put(server);
}

void
server_restart(struct server *server)
{
    spawn(server);
}

/* Does nobody listen on the server's port? Then another socket can be bound beside port_fd. */
static bool
port_is_silent(const struct server *server)
{
    const int on = 1;
    struct sockaddr_in address;
    socklen_t address_bytes = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool silent;

    CHECK(fd >= 0);
    CHECK(getsockname(server->port_fd, (struct sockaddr *)&address, &address_bytes) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    silent = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return silent;
}

void
server_kill(struct server *server)
{
    CHECK(server->pid > 0);
    CHECK(kill(server->pid, SIGKILL) == 0);
    CHECK(child_reap(server->pid) == SERVER_EXIT_KILLED);
    server->pid = 0;
    /* The kernel takes an io_uring's sockets away a moment after the process is gone. */
    while (!port_is_silent(server)) {
        (void)sched_yield();
    }
}

int
server_stop(struct server *server)
{
    int code;

    CHECK(server->pid > 0);
    if (server->bench != NULL) {
        zr_client_close(server->bench);
        server->bench = NULL;
    }
    CHECK(kill(server->pid, SIGTERM) == 0);
    code = child_reap(server->pid);
    server->pid = 0;
    return code;
}

void
server_end(struct server *server)
{
    const int code = server->pid != 0 ? server_stop(server) : 0;

    if (code != 0) {
        (void)fprintf(stderr, "zipringd ended with %d\n", code);
        show_log_and_abort(server, "it did not end well");
    }
    if (server->bench != NULL) {
        zr_client_close(server->bench);
        server->bench = NULL;
    }
    (void)close(server->port_fd);
    test_remove_dir(server->folder);
}

/* ---- identities and clients -------------------------------------------------------------- */

/* 64 hex digits behind "key_hash":" in what `zipring dev cert --json` printed. */
static struct zr_hash
key_hash_read(const char *output)
{
    static const char label[] = "\"key_hash\":\"";
    const char *text = strstr(output, label);
    struct zr_hash hash;

    CHECK(text != NULL);
    text += sizeof label - 1;
    for (size_t i = 0; i < sizeof hash.bytes; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        char *end;

        hash.bytes[i] = (uint8_t)strtoul(pair, &end, 16);
        CHECK(*end == '\0');
    }
    return hash;
}

struct zr_hash
server_certificate(const struct server *server, const struct server_identity *identity)
{
    char output[1024];
    char role[24];
    char tenant[16];
    const char *const arguments[] = {"dev",      "cert", "--dir",  server->folder, "--role", role,
                                     "--tenant", tenant, "--name", identity->name, "--json", NULL};

    (void)snprintf(role, sizeof role, "%s", zr_role_name(identity->role));
    for (char *letter = role; *letter != '\0'; letter++) {
        *letter = (char)(*letter | 0x20);
    }
    (void)snprintf(tenant, sizeof tenant, "%u", identity->tenant);
    run_well("zipring", arguments, output, sizeof output);
    return key_hash_read(output);
}

struct zr_hash
server_principal(struct server *server, const struct server_identity *identity)
{
    struct zr_principal_put_request request = {
        .tenant = identity->tenant, .role = identity->role, .contractor = identity->contractor};
    struct zr_put_reply reply;
    struct zr_client *admin = server_client(server, "admin");
    int result;

    request.key_hash = server_certificate(server, identity);
    (void)snprintf(request.name, sizeof request.name, "%s", identity->name);
    result = zr_principal_put(admin, &request, &reply);
    zr_client_close(admin);
    if (result != 0) {
        (void)fprintf(stderr, "PRINCIPAL_PUT %s: 0x%04X (%d)\n", identity->name, (unsigned)result,
                      result);
        show_log_and_abort(server, "it refused a principal");
    }
    return request.key_hash;
}

struct zr_options
server_options(const struct server *server, const char *name)
{
    static char paths[3][SERVER_PATH_MAX];
    char file[64];
    struct zr_options options = ZR_OPTIONS_INIT;

    (void)snprintf(file, sizeof file, "%s.pem", name);
    server_path(paths[0], server, file);
    (void)snprintf(file, sizeof file, "%s.key", name);
    server_path(paths[1], server, file);
    server_path(paths[2], server, "ca.pem");
    options.uri = server->uri;
    options.cert_file = paths[0];
    options.key_file = paths[1];
    options.ca_file = paths[2];
    options.build = "test";
    /* A restarted server is there before the client asks: no reason to wait long for it. */
    options.reconnect_min_ms = 1;
    options.reconnect_max_ms = 20;
    options.request_timeout_ms = 20000;
    return options;
}

struct zr_client *
server_client(const struct server *server, const char *name)
{
    const struct zr_options options = server_options(server, name);
    struct zr_error error = ZR_ERROR_INIT;
    struct zr_client *client = NULL;

    if (zr_client_open(&client, &options, &error) != 0) {
        (void)fprintf(stderr, "client %s: %s\n", name, error.text);
        abort();
    }
    return client;
}

struct zr_client *
server_client_ready(const struct server *server, const char *name)
{
    struct zr_client *client = server_client(server, name);

    CHECK(zr_client_wait_ready(client, 10000) == 0);
    return client;
}

uint64_t
server_advance(struct server *server, uint64_t advance_ms)
{
    const struct zr_clock_advance_request request = {.advance_ms = advance_ms};
    struct zr_clock_advance_reply reply;

    if (server->bench == NULL) {
        server->bench = server_client(server, "bench");
    }
    CHECK(zr_clock_advance(server->bench, &request, &reply) == 0);
    return reply.now_ms;
}
