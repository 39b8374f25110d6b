/*
 * net.c - see net.h: opening a worker, running it, and what other threads may ask of it.
 *
 * Other threads reach the worker through three things only: a number that asks for a drain,
 * a pointer to keys that wait to be taken, and the loop's wake.
 */
#include "server/net/net.h"

#include "protocol/check.h"
#include "server/base/log.h"
#include "server/net/worker.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { KILL_WAIT_MS = 1000, BUFFER_ALIGN = 1024, BUFFER_BYTES_MAX = 65536 };

struct net {
    struct worker worker;
    bool started; /* The ring exists. */
    bool ran;
    _Atomic uint64_t drain_asked; /* drain_ms + 1; 0: nobody asked. */
    uint64_t drain_taken;         /* The last value of it that the worker acted on. */
    _Atomic(SSL_CTX *) tls_next;  /* Keys that wait for the worker; it owns what it takes. */
};

void
net_config_defaults(struct net_config *config)
{
    CHECK(config != NULL);

    *config = (struct net_config){
        .connections_max = 10000,
        .handshakes_max = 64,
        .handshakes_per_turn = 2,
        .accepts_per_s = 400,
        .accepts_burst = 2000,
        .prefix_accepts_per_s = 100,
        .prefix_accepts_burst = 1000,
        .handshake_ms = 3000,
        .hello_ms = 2000,
        .frame_ms = 5000,
        .write_ms = 10000,
        .idle_ms = 120000,
        .linger_ms = 1000,
        .session_check_ms = 200,
        .age_ms = UINT64_C(24) * 3600 * 1000,
        .age_jitter_ms = UINT64_C(3600) * 1000,
        .out_bytes_high = 64 * 1024,
        .out_bytes_low = 16 * 1024,
        .out_bytes_max = 512 * 1024,
        .records_per_turn = 32,
        .requests_per_turn = 64,
        .buffers_count = 1024,
        .buffer_bytes = 8192,
    };
}

/* The name of the first limit that makes no sense; NULL when all do. */
static const char *
config_wrong(const struct net_config *config)
{
    const struct {
        const char *name;
        bool right;
    } rules[] = {
        {"listen", config->listen != NULL},
        {"tls", config->tls.certificate != NULL && config->tls.key != NULL &&
                    config->tls.clients_ca != NULL},
        {"connections_max",
         config->connections_max > 0 && config->connections_max < LOOP_SLOTS_MAX - 1},
        {"handshakes_max", config->handshakes_max > 0},
        {"handshakes_per_turn", config->handshakes_per_turn > 0},
        {"accepts_per_s", config->accepts_per_s <= TOKEN_RATE_MAX &&
                              (config->accepts_per_s == 0 || config->accepts_burst > 0)},
        {"prefix_accepts_per_s",
         config->prefix_accepts_per_s <= TOKEN_RATE_MAX &&
             (config->prefix_accepts_per_s == 0 || config->prefix_accepts_burst > 0)},
        {"handshake_ms", config->handshake_ms > 0},
        {"hello_ms", config->hello_ms > 0},
        {"frame_ms", config->frame_ms > 0},
        {"write_ms", config->write_ms > 0},
        {"idle_ms", config->idle_ms > 0},
        {"linger_ms", config->linger_ms > 0},
        {"session_check_ms", config->session_check_ms > 0 && config->session_check_ms <= 4000},
        {"age_ms", config->age_ms < UINT32_MAX && config->age_jitter_ms < UINT32_MAX},
        {"out_bytes_low", config->out_bytes_low < config->out_bytes_high},
        {"out_bytes_max",
         config->out_bytes_max >= config->out_bytes_high + 2 * ZR_FRAME_BYTES_LIMIT},
        {"records_per_turn", config->records_per_turn > 0},
        {"requests_per_turn", config->requests_per_turn > 0},
        {"buffers_count", config->buffers_count > 0 && config->buffers_count <= LOOP_BUFFERS_MAX &&
                              (config->buffers_count & (config->buffers_count - 1)) == 0},
        {"buffer_bytes", config->buffer_bytes > 0 && config->buffer_bytes % BUFFER_ALIGN == 0 &&
                             config->buffer_bytes <= BUFFER_BYTES_MAX},
        {"blocks_count",
         config->blocks_count == 0 || config->blocks_count >= 2 * WORKER_BLOCKS_RESERVE},
    };

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!rules[i].right) {
            return rules[i].name;
        }
    }
    return NULL;
}

/* Everything of the worker that may fail for reasons of its own. */
static enum status
worker_open(struct worker *worker, const struct net_config *config)
{
    const struct loop_config loop = {
        .slots_count = config->connections_max,
        .buffers_count = config->buffers_count,
        .buffer_bytes = config->buffer_bytes,
    };
    enum status status;

    status = loop_open(&worker->loop, &loop);
    if (status != STATUS_OK) {
        return status;
    }
    if (!tls_library_open(&worker->tls_library)) {
        log_line(LOG_LEVEL_ERROR, "tls_failed", "error=\"%s\"", tls_error());
        return STATUS_IO;
    }
    status = tls_context_open(&worker->tls, &worker->tls_library, config->tls.certificate,
                              config->tls.key, config->tls.clients_ca);
    if (status != STATUS_OK) {
        return status;
    }
    return listener_open(&worker->listener, config->listen);
}

enum status
net_open(struct net **out, const struct net_config *config, const struct request_port *port)
{
    const char *wrong;
    struct net *net;
    enum status status;

    CHECK(out != NULL);
    CHECK(config != NULL);
    CHECK(port != NULL);

    wrong = config_wrong(config);
    if (wrong != NULL) {
        log_line(LOG_LEVEL_ERROR, "net_config_invalid", "option=%s", wrong);
        return STATUS_INVALID;
    }
    net = calloc(1, sizeof *net);
    if (net == NULL) {
        return STATUS_IO;
    }
    status = worker_init(&net->worker, config, port);
    if (status == STATUS_OK) {
        status = worker_open(&net->worker, config);
    }
    if (status != STATUS_OK) {
        net_close(net);
        return status;
    }
    /* The caller's strings are its own again. */
    net->worker.config.listen = NULL;
    net->worker.config.tls = (struct net_tls_files){0};
    *out = net;
    return STATUS_OK;
}

void
net_close(struct net *net)
{
    CHECK(net != NULL);

    SSL_CTX_free(atomic_exchange(&net->tls_next, NULL));
    worker_deinit(&net->worker);
    free(net);
}

uint16_t
net_listen_port(const struct net *net)
{
    return net->worker.listener.port;
}

size_t
net_memory_bytes(const struct net *net)
{
    return worker_memory_bytes(&net->worker);
}

/* ---- what handlers call ----------------------------------------------------------------- */

static void
port_reply(void *context, struct conn_ref ref, const uint8_t *frame, size_t bytes)
{
    struct worker *const worker = &((struct net *)context)->worker;
    struct conn *const conn = worker_find(worker, ref);
    struct zr_header header;

    CHECK(bytes >= ZR_HEADER_BYTES);
    zr_header_decode(&header, frame);
    CHECK((header.op & ZR_OP_RESPONSE) != 0);

    if (conn == NULL || conn->state < CONN_HELLO || conn->state > CONN_DRAINING) {
        worker_count(worker, NET_REPLIES_DROPPED, 1);
        return;
    }
    /* A notice has id 0; of several frames with one id the last answers the request. */
    if (header.id != 0 && (header.flags & ZR_FLAG_MORE) == 0) {
        CHECK(conn->in_flight > 0);
        conn->in_flight--;
        conn->deadlines.idle_ns = worker_in_ms(worker, worker->config.idle_ms);
    }
    conn_check_ready(worker, conn);
    (void)conn_append(worker, conn, frame, bytes);
    worker_queue(worker, conn);
}

static int64_t
port_push_room(void *context, struct conn_ref ref)
{
    struct worker *const worker = &((struct net *)context)->worker;
    const struct conn *const conn = worker_find(worker, ref);
    uint32_t backlog;

    if (conn == NULL || conn->state != CONN_READY) {
        return PUSH_GONE; /* Behind a GOAWAY only what is in flight is finished. */
    }
    backlog = conn_backlog(conn);
    /* Pushes can wait, replies cannot: they leave the last blocks to them. */
    if (backlog >= worker->config.out_bytes_low ||
        worker->blocks.free_count < WORKER_BLOCKS_RESERVE) {
        return 0;
    }
    return (int64_t)(worker->config.out_bytes_low - backlog);
}

static void
port_push(void *context, struct conn_ref ref, const uint8_t *frame, size_t bytes)
{
    struct worker *const worker = &((struct net *)context)->worker;
    struct conn *const conn = worker_find(worker, ref);

    CHECK(conn != NULL);
    CHECK(conn->state == CONN_READY);
    CHECK(bytes <= conn->session.frame_bytes_max);
    worker_count(worker, NET_PUSHES, 1);
    (void)conn_append(worker, conn, frame, bytes);
    worker_queue(worker, conn);
}

static void
port_wake(void *context)
{
    loop_wake(((struct net *)context)->worker.loop);
}

struct net_port
net_port(struct net *net)
{
    CHECK(net != NULL);
    return (struct net_port){
        .context = net,
        .reply = port_reply,
        .push_room = port_push_room,
        .push = port_push,
        .wake = port_wake,
    };
}

/* ---- running ---------------------------------------------------------------------------- */

enum status
net_start(struct net *net)
{
    enum status status;

    CHECK(!net->started);
    status = loop_start(net->worker.loop);
    net->started = status == STATUS_OK;
    return status;
}

/* Take what other threads have left for the worker. */
static void
take_requests(struct net *net)
{
    const uint64_t drain = atomic_load_explicit(&net->drain_asked, memory_order_acquire);
    SSL_CTX *keys;

    if (drain != net->drain_taken) {
        net->drain_taken = drain;
        worker_drain(&net->worker, (uint32_t)(drain - 1));
    }
    if (atomic_load_explicit(&net->tls_next, memory_order_relaxed) == NULL) {
        return;
    }
    keys = atomic_exchange_explicit(&net->tls_next, NULL, memory_order_acquire);
    if (keys != NULL) {
        SSL_CTX_free(net->worker.tls.ssl_context);
        net->worker.tls.ssl_context = keys;
        worker_count(&net->worker, NET_TLS_RELOADS, 1);
    }
}

static bool
is_drained(const struct net *net)
{
    return net->worker.draining && counters_level(&net->worker.counters.connections) == 0;
}

/* The time is up: end everything and wait a little for the kernel to let go. */
static enum status
run_out(struct net *net)
{
    struct worker *const worker = &net->worker;
    enum status status = STATUS_OK;

    worker_kill_all(worker);
    worker->now_ns = loop_now_ns(worker->loop);
    worker->drain_end_ns = worker_in_ms(worker, KILL_WAIT_MS);
    while (status == STATUS_OK && !is_drained(net) && worker->now_ns < worker->drain_end_ns) {
        status = worker_turn(worker);
    }
    return status;
}

enum status
net_run(struct net *net)
{
    struct worker *const worker = &net->worker;
    enum status status = STATUS_OK;

    CHECK(!net->ran);
    net->ran = true;
    if (!net->started) {
        status = net_start(net);
        if (status != STATUS_OK) {
            return status;
        }
    }
    worker_accept(worker);
    for (;;) {
        take_requests(net);
        if (status != STATUS_OK || is_drained(net)) {
            break;
        }
        if (worker->draining && worker->now_ns >= worker->drain_end_ns) {
            status = run_out(net);
            break;
        }
        status = worker_turn(worker);
    }
    tls_thread_stop();
    return status;
}

/* ---- from other threads ----------------------------------------------------------------- */

void
net_drain(struct net *net, uint32_t drain_ms)
{
    /* Pairs with the acquire in take_requests; the wake makes the worker look. */
    atomic_store_explicit(&net->drain_asked, (uint64_t)drain_ms + 1, memory_order_release);
    loop_wake(net->worker.loop);
}

void
net_stats(const struct net *net, struct net_stats *out)
{
    counters_read(out, &net->worker.counters);
}

enum status
net_reload_tls(struct net *net, const struct net_tls_files *files)
{
    struct tls_context made;
    enum status status;

    CHECK(net != NULL);
    CHECK(files != NULL);

    status = tls_context_open(&made, &net->worker.tls_library, files->certificate, files->key,
                              files->clients_ca);
    if (status != STATUS_OK) {
        return status;
    }
    /* Release: the worker sees a context that is complete. One not yet taken is replaced. */
    SSL_CTX_free(atomic_exchange_explicit(&net->tls_next, made.ssl_context, memory_order_acq_rel));
    loop_wake(net->worker.loop);
    return STATUS_OK;
}
