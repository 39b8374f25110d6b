/*
 * serve.c - `zipringd serve`: build everything bottom-up, run, tear down in reverse.
 */
#include "protocol/check.h"
#include "server/base/log.h"
#include "server/commands.h"
#include "server/handlers/service.h"
#include "server/net/net.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { READERS_MAX = 16, TEXT_BYTES_MAX = 128 };

struct server {
    const struct config *config;
    struct arena arena;
    struct clock clock;
    struct store *store;
    struct hot *hot;
    struct cascades *cascades;
    struct committer *committer;
    struct service *service;
    struct net *net;
    bool damaged; /* The storage failed while we served. */
};

/* The one that signal handlers reach: set before they are, cleared after. */
static struct server *serving;

/* Clients get this long to move elsewhere; what may take longer ends now. */
static void
server_drain(struct server *server)
{
    committer_drain(server->committer);
    net_drain(server->net, (uint32_t)server->config->drain_ms);
}

static void
on_terminate(int signal)
{
    (void)signal;
    if (serving != NULL) {
        server_drain(serving);
    }
}

static volatile sig_atomic_t reload_wanted;

static void
on_hangup(int signal)
{
    (void)signal;
    reload_wanted = 1;
    if (serving != NULL) {
        const struct net_port port = net_port(serving->net);

        port.wake(port.context);
    }
}

static void
signals_install(void)
{
    struct sigaction action = {.sa_handler = on_terminate};

    CHECK(sigaction(SIGTERM, &action, NULL) == 0);
    CHECK(sigaction(SIGINT, &action, NULL) == 0);
    action.sa_handler = on_hangup;
    CHECK(sigaction(SIGHUP, &action, NULL) == 0);
    action.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0);
}

static struct net_tls_files
tls_files(const struct config *config)
{
    return (struct net_tls_files){
        .certificate = config->cert, .key = config->key, .clients_ca = config->ca};
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* Between net and the worker: signals and a failed storage are acted on in the loop's own turn. */
static void
turn_begin(void *context, uint64_t now_ns)
{
    struct server *server = context;
    const struct request_port service = service_port(server->service);

    if (reload_wanted) {
        const struct net_tls_files files = tls_files(server->config);

        reload_wanted = 0;
        if (net_reload_tls(server->net, &files) == STATUS_OK) {
            log_line(LOG_LEVEL_INFO, "tls_reloaded", "cert=\"%s\"", files.certificate);
        }
    }
    if (!server->damaged && committer_failure(server->committer) != STATUS_OK) {
        server->damaged = true;
        server_drain(server);
    }
    service.on_turn_begin(service.context, now_ns);
}

static enum frame_verdict
on_frame(void *context, const struct request *request, struct zr_builder *reply)
{
    const struct server *server = context;
    const struct request_port service = service_port(server->service);

    return service.on_frame(service.context, request, reply);
}

static void
on_frames_ahead(void *context, const uint8_t *const *frames, size_t frames_count)
{
    const struct server *server = context;
    const struct request_port service = service_port(server->service);

    service.on_frames_ahead(service.context, frames, frames_count);
}

static void
turn_end(void *context)
{
    const struct server *server = context;
    const struct request_port service = service_port(server->service);

    service.on_turn_end(service.context);
}

static bool
on_session_check(void *context, struct session *session)
{
    const struct server *server = context;
    const struct request_port service = service_port(server->service);

    return service.on_session_check(service.context, session);
}

/* SERVER_STATS shows the network's counters too; handlers do not know net. */
static void
stats_fill(void *context, struct zr_server_stats_reply *reply)
{
    const struct server *server = context;
    struct net_stats stats;

    net_stats(server->net, &stats);
    reply->connections_accepted = stats.value[NET_ACCEPTED];
    reply->connections = stats.connections;
    reply->handshakes_failed = stats.value[NET_HANDSHAKES_FAILED];
    reply->frames_bad = stats.value[NET_FRAMES_BAD];
    reply->bytes_in = stats.value[NET_BYTES_IN];
    reply->bytes_out = stats.value[NET_BYTES_OUT];
    reply->turns = stats.value[NET_TURNS];
    reply->seals = stats.value[NET_RECORDS_OUT];
}

/* ---- building -------------------------------------------------------------------------------- */

/* The clock goes on where the last run's stopped: its log, or its clock where that was later. */
static void
build_clock(struct server *server)
{
    const struct store_head *head = store_head(server->store);
    const uint64_t log_ms = head->log_ms > head->alive_ms ? head->log_ms : head->alive_ms;
    const bool manual = strcmp(server->config->clock, "manual") == 0;

    clock_init(&server->clock, manual, log_ms);
    if (manual) {
        clock_advance_ms(&server->clock, server->config->clock_skip_ms);
    }
}

static enum status
build_storage(struct server *server)
{
    const struct config *config = server->config;
    enum status status = store_open(&server->store, &(struct store_options){
                                                        .folder = config->data,
                                                        .map_bytes = config->map_gib << 30,
                                                        .readers_max = READERS_MAX,
                                                    });

    if (status != STATUS_OK) {
        return status;
    }
    build_clock(server);
    server->hot = hot_open(&server->arena, (uint32_t)config->contractors_max);
    server->cascades = cascades_open(&server->arena);
    return committer_open(&server->committer,
                          &(struct committer_options){
                              .arena = &server->arena,
                              .store = server->store,
                              .clock = &server->clock,
                              .hot = server->hot,
                              .cascades = server->cascades,
                              .jobs_max = (uint32_t)config->jobs_max,
                              .batch_max = (uint32_t)config->batch_max,
                              .tail_rows_max = (uint32_t)config->unfolded_rows_max,
                              .fold_slice = (uint32_t)config->fold_slice,
                              .decisions_max = (uint32_t)config->decisions_max,
                              .rings_max = (uint32_t)config->rings_max,
                              .units_max = (uint32_t)config->connected_calls_max,
                          });
}

static void
build_worker(struct server *server)
{
    const struct config *config = server->config;

    server->service = service_open(&(struct service_options){
        .arena = &server->arena,
        .store = server->store,
        .committer = server->committer,
        .hot = server->hot,
        .cascades = server->cascades,
        .clock = &server->clock,
        .jobs_max = (uint32_t)config->jobs_max,
        .calls_max = (uint32_t)config->ringing_calls_max,
        .subscribers_max = (uint32_t)config->subscribers_max,
        .events_lag_max = config->events_lag_max,
        .frame_bytes_max = (uint32_t)config->frame_bytes_max & ~(uint32_t)(ZR_FRAME_ALIGN - 1),
        .credit_default = (uint16_t)config->credit,
        .credit_max = (uint16_t)config->credit_max,
        .timeout_us_default = (uint32_t)config->request_timeout_ms * 1000,
        .peers = config->peers,
        .bench = config->bench,
        .stats = stats_fill,
        .stats_context = server,
    });
}

static enum status
build_net(struct server *server)
{
    const struct config *config = server->config;
    const struct request_port port = {
        .context = server,
        .on_frame = on_frame,
        .on_frames_ahead = on_frames_ahead,
        .on_turn_begin = turn_begin,
        .on_turn_end = turn_end,
        .on_session_check = on_session_check,
    };
    struct net_config net;
    struct net_port down;
    enum status status;

    net_config_defaults(&net);
    net.listen = config->listen;
    net.tls = tls_files(config);
    net.connections_max = (uint32_t)config->connections_max;
    net.handshakes_max = (uint32_t)config->handshakes_max;
    net.accepts_per_s = (uint32_t)config->accepts_per_s;
    net.prefix_accepts_per_s = (uint32_t)config->prefix_accepts_per_s;
    net.handshake_ms = (uint32_t)config->handshake_ms;
    net.hello_ms = (uint32_t)config->hello_ms;
    net.frame_ms = (uint32_t)config->frame_ms;
    net.write_ms = (uint32_t)config->write_ms;
    net.idle_ms = (uint32_t)config->idle_ms;
    net.age_ms = config->age_h * 3600 * 1000;
    net.spin_us = (uint32_t)config->spin_us;
    status = net_open(&server->net, &net, &port);
    if (status == STATUS_OK) {
        down = net_port(server->net);
        service_bind(server->service, &down);
    }
    return status;
}

/* "host:port\n" to whoever started us: no polling, no fixed ports. */
static void
tell_ready(const struct server *server, int ready_fd)
{
    char text[TEXT_BYTES_MAX];
    const char *listen = server->config->listen;
    const char *colon = strrchr(listen, ':');
    const int host_bytes = colon == NULL ? (int)strlen(listen) : (int)(colon - listen);
    int length = snprintf(text, sizeof text, "%.*s:%u\n", host_bytes, listen,
                          (unsigned)net_listen_port(server->net));

    log_line(LOG_LEVEL_INFO, "serving", "listen=%.*s pid=%d commit_seq=%llu", length - 1, text,
             (int)getpid(),
             (unsigned long long)atomic_load(&committer_published(server->committer)->commit_seq));
    if (ready_fd >= 0) {
        if (write(ready_fd, text, (size_t)length) != length) {
            log_line(LOG_LEVEL_WARN, "ready_fd", "error=\"%s\"", strerrordesc_np(errno));
        }
        (void)close(ready_fd);
    }
}

/* The process as a whole: no core files with keys in them, as many sockets as allowed. */
static void
process_prepare(void)
{
    struct rlimit files;

    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int
serve_run(struct server *server, int ready_fd)
{
    const struct net_port port = net_port(server->net);
    enum status status = committer_start(server->committer, port.wake, port.context);

    if (status != STATUS_OK) {
        return EXIT_UNFIT;
    }
    serving = server;
    signals_install();
    tell_ready(server, ready_fd);
    status = net_run(server->net);
    serving = NULL;
    committer_stop(server->committer);
    log_line(LOG_LEVEL_INFO, "stopped", "status=\"%s\"", status_name(status));
    if (server->damaged || committer_failure(server->committer) != STATUS_OK) {
        return EXIT_DAMAGE;
    }
    return status == STATUS_OK ? EXIT_SUCCESS : EXIT_UNFIT;
}

static int
exit_code_of(enum status status)
{
    return status == STATUS_CORRUPT || status == STATUS_IO ? EXIT_DAMAGE : EXIT_UNFIT;
}

int
command_serve(struct arguments *arguments)
{
    static struct server server;
    enum status status = config_judge(&arguments->config);
    int code;

    if (arguments->print_config) {
        config_print(&arguments->config, stdout);
        return EXIT_SUCCESS;
    }
    if (status != STATUS_OK) {
        log_line(LOG_LEVEL_ERROR, "config", "error=\"%s\"", arguments->config.error);
        return EXIT_UNFIT;
    }
    if (arguments->check_config) {
        return EXIT_SUCCESS;
    }
    process_prepare();
    server.config = &arguments->config;
    arena_init(&server.arena);
    status = build_storage(&server);
    if (status != STATUS_OK) {
        code = exit_code_of(status);
        goto close_storage;
    }
    build_worker(&server);
    status = build_net(&server);
    if (status != STATUS_OK) {
        code = EXIT_UNFIT; /* An address or a file of keys harms no data. */
        goto close_worker;
    }
    arena_seal(&server.arena);
    code = serve_run(&server, arguments->ready_fd);
    net_close(server.net);

close_worker:
    service_close(server.service);
    committer_close(server.committer);
close_storage:
    store_close(server.store);
    arena_deinit(&server.arena);
    return code;
}
