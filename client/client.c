/*
 * client.c - opening and closing a client, and what can be asked of it at any time.
 */
#include "client/client.h"

#include "client/cascade.h"
#include "client/subscription.h"
#include "protocol/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    INFLIGHT_DEFAULT = 1024,
    REQUEST_TIMEOUT_MS_DEFAULT = 5000,
    CONNECT_TIMEOUT_MS_DEFAULT = 3000,
    RECONNECT_MS_MIN_DEFAULT = 50,
    RECONNECT_MS_MAX_DEFAULT = 5000,
};

/* ---- time, random, fork ---------------------------------------------------------------------- */

uint64_t
zrc_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 * ZRC_NS_PER_MS + (uint64_t)now.tv_nsec;
}

/* Random bytes by the pool: one system call for many keys. A forked child never gets here. */
static void
client_random(void *context, uint8_t *bytes, size_t bytes_count)
{
    struct zr_client *const client = context;
    ssize_t got;

    CHECK(bytes_count <= ZRC_RANDOM_POOL_BYTES);
    if (client->random_left < bytes_count) {
        do {
            got = getrandom(client->random_pool, ZRC_RANDOM_POOL_BYTES, 0);
        } while (got < 0 && errno == EINTR);
        /* Keys that repeat would make two requests one: rather stop. */
        CHECK(got == ZRC_RANDOM_POOL_BYTES);
        client->random_left = ZRC_RANDOM_POOL_BYTES;
    }
    client->random_left -= (uint32_t)bytes_count;
    memcpy(bytes, client->random_pool + client->random_left, bytes_count);
}

uint64_t
zrc_client_random(struct zr_client *client)
{
    uint64_t random;

    client_random(client, (uint8_t *)&random, sizeof random);
    return random;
}

/*
 * Asked on every call, so it must cost nothing: getpid() is a system call, a page that the
 * kernel wipes in the child is a load.
 */
static bool
client_mark_alive(struct zr_client *client)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *const page =
        mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        return false;
    }
    client->alive = page;
    if (madvise(page, page_bytes, MADV_WIPEONFORK) != 0) {
        return false;
    }
    *client->alive = 1;
    return true;
}

bool
zrc_client_is_ours(const struct zr_client *client)
{
    return *(const volatile uint8_t *)client->alive == 1;
}

/* ---- errors ---------------------------------------------------------------------------------- */

void
zrc_client_set_error(struct zr_client *client, int result, int system_errno, const char *text)
{
    char reason[64] = "";

    client->error = (struct zr_error){
        .size = sizeof client->error, .result = result, .system_errno = system_errno};
    /* At open nothing has happened with an endpoint yet. */
    if (client->endpoints.count > 0 && result != ZR_EINVAL && result != ZR_ENOMEM) {
        zrc_endpoint_name(zrc_endpoints_current(&client->endpoints), client->error.endpoint,
                          sizeof client->error.endpoint);
    }
    if (system_errno != 0) {
        /* The GNU one: it may return a string of its own instead of filling the buffer. */
        char buffer[64];

        (void)snprintf(reason, sizeof reason, ": %s",
                       strerror_r(system_errno, buffer, sizeof buffer));
    }
    (void)snprintf(client->error.text, sizeof client->error.text, "%s%s%s%s",
                   client->error.endpoint, client->error.endpoint[0] != '\0' ? ": " : "",
                   text != NULL ? text : zr_result_text(result), reason);
}

/* Copy what fits the caller's idea of the struct. */
static void
error_copy(struct zr_error *to, const struct zr_error *from)
{
    if (to != NULL && to->size >= sizeof *to) {
        const size_t size = to->size;

        *to = *from;
        to->size = size;
    }
}

void
zr_client_last_error(const struct zr_client *client, struct zr_error *error)
{
    if (client != NULL) {
        error_copy(error, &client->error);
    }
}

/* ---- open ------------------------------------------------------------------------------------ */

static uint32_t
or_default(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

/* What is wrong with the options; NULL when nothing is. */
static const char *
options_fault(const struct zr_options *options)
{
    if (options->size < sizeof *options) {
        return "options.size is not that of this header; start from ZR_OPTIONS_INIT";
    }
    if (options->uri == NULL || options->cert_file == NULL || options->key_file == NULL ||
        options->ca_file == NULL) {
        return "uri, cert_file, key_file and ca_file are required";
    }
    if (options->inflight_max > UINT16_MAX) {
        return "inflight_max is at most 65,535";
    }
    if (options->frame_bytes_max != 0 && (options->frame_bytes_max < ZR_FRAME_BYTES_DEFAULT ||
                                          options->frame_bytes_max > ZR_FRAME_BYTES_LIMIT)) {
        return "frame_bytes_max is 4,096 to 16,384";
    }
    if (options->client_kind > ZR_MAX_client_kind) {
        return "client_kind is none of enum zr_client_kind";
    }
    if (options->build != NULL &&
        (strlen(options->build) > ZR_SIZE_text32 ||
         !zr_text_is_valid((const uint8_t *)options->build, strlen(options->build)))) {
        return "build is at most 32 bytes of UTF-8";
    }
    return NULL;
}

static bool
open_core(struct zr_client *client, const struct zr_options *options)
{
    struct zrc_core_options core = {
        .slots_count = or_default(options->inflight_max, INFLIGHT_DEFAULT),
        .frame_bytes_max = or_default(options->frame_bytes_max, ZR_FRAME_BYTES_LIMIT),
        .timeout_ns =
            or_default(options->request_timeout_ms, REQUEST_TIMEOUT_MS_DEFAULT) * ZRC_NS_PER_MS,
        .environment = options->environment,
        .flags = options->flags,
        .client_kind = options->client_kind != 0 ? options->client_kind : ZR_CLIENT_SDK,
        .random = client_random,
        .random_context = client,
    };

    (void)snprintf(core.build, sizeof core.build, "%s",
                   options->build != NULL ? options->build : "libzipring");
    return zrc_core_init(&client->core, &core);
}

/* Everything that needs memory or descriptors. */
static bool
open_resources(struct zr_client *client, const struct zr_options *options)
{
    return client_mark_alive(client) && open_core(client, options) &&
           zrc_link_init(&client->link) && zrc_client_watch(client);
}

/* Everything that the caller may have got wrong. */
static bool
open_configured(struct zr_client *client, const struct zr_options *options)
{
    const struct zrc_tls_files files = {
        .certificate = options->cert_file, .key = options->key_file, .ca = options->ca_file};
    char text[ZRC_TLS_TEXT_BYTES];

    if (!zrc_endpoints_init(&client->endpoints, options->uri)) {
        client->endpoints.count = 0;
        zrc_client_set_error(client, ZR_EINVAL, 0, "uri is not zipring://host:port[,host:port...]");
        return false;
    }
    client->endpoints.wait_ms_min = or_default(options->reconnect_min_ms, RECONNECT_MS_MIN_DEFAULT);
    client->endpoints.wait_ms_max = or_default(options->reconnect_max_ms, RECONNECT_MS_MAX_DEFAULT);
    if (client->endpoints.wait_ms_max < client->endpoints.wait_ms_min) {
        client->endpoints.wait_ms_max = client->endpoints.wait_ms_min;
    }
    client->connect_timeout_ns =
        or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_MS_DEFAULT) * ZRC_NS_PER_MS;
    if (!zrc_tls_context_open(&client->tls_context, text, sizeof text, &files)) {
        zrc_client_set_error(client, ZR_EINVAL, 0, text);
        return false;
    }
    return true;
}

static void
client_free(struct zr_client *client)
{
    zrc_link_deinit(&client->link);
    zrc_core_deinit(&client->core);
    zrc_tls_context_close(&client->tls_context);
    if (client->timer_fd >= 0) {
        (void)close(client->timer_fd);
    }
    if (client->epoll_fd >= 0) {
        (void)close(client->epoll_fd);
    }
    if (client->alive != NULL) {
        (void)munmap(client->alive, (size_t)sysconf(_SC_PAGESIZE));
    }
    free(client);
}

int
zr_client_open(struct zr_client **client, const struct zr_options *options, struct zr_error *error)
{
    struct zr_error failure = {.size = sizeof failure, .result = ZR_EINVAL};
    struct zr_client *made;
    const char *fault;

    if (client == NULL || options == NULL) {
        return ZR_EINVAL;
    }
    fault = options_fault(options);
    if (fault != NULL) {
        (void)snprintf(failure.text, sizeof failure.text, "%s", fault);
        error_copy(error, &failure);
        return ZR_EINVAL;
    }
    made = calloc(1, sizeof *made);
    if (made == NULL) {
        failure.result = ZR_ENOMEM;
        error_copy(error, &failure);
        return ZR_ENOMEM;
    }
    made->epoll_fd = made->timer_fd = made->link.fd = -1;
    made->error.size = sizeof made->error;
    if (!open_resources(made, options)) {
        zrc_client_set_error(made, ZR_ENOMEM, errno, NULL);
        goto free_made;
    }
    if (!open_configured(made, options)) {
        goto free_made;
    }
    *client = made;
    return 0;

free_made:
    failure = made->error;
    client_free(made);
    error_copy(error, &failure);
    return failure.result;
}

void
zr_client_close(struct zr_client *client)
{
    if (client == NULL) {
        return;
    }
    if (zrc_client_is_ours(client)) {
        CHECK(!client->running); /* Not from a callback. */
        client->closing = true;
        zrc_core_refuse(&client->core, ZR_ECANCELED);
        (void)zrc_client_run_ended(client);
        client->running = true; /* What these call back may not process either. */
        zrc_cascades_cancel(client);
        (void)zrc_subscriptions_end(client, ZR_ECANCELED);
        zrc_link_close(&client->link, client->link.state == ZRC_LINK_UP);
    }
    client_free(client);
}

/* ---- questions ------------------------------------------------------------------------------- */

int
zr_client_fd(const struct zr_client *client)
{
    return client == NULL ? ZR_EINVAL : client->epoll_fd;
}

uint32_t
zr_client_pending(const struct zr_client *client)
{
    return client == NULL ? 0 : zrc_core_pending(&client->core);
}

const struct zr_hello_reply *
zr_client_hello(const struct zr_client *client)
{
    return client == NULL || !client->core.hello_known ? NULL : &client->core.hello;
}

uint64_t
zr_client_server_time_ms(const struct zr_client *client)
{
    return client == NULL ? 0 : zrc_clock_read(&client->core.clock, zrc_now_ns());
}

int
zr_client_make_key(struct zr_client *client, struct zr_id *key)
{
    if (client == NULL || key == NULL || !zrc_client_is_ours(client)) {
        return ZR_EINVAL;
    }
    return zrc_core_make_key(&client->core, key, zrc_now_ns()) ? 0 : ZR_EDISCONNECTED;
}

void
zr_client_get_stats(const struct zr_client *client, struct zr_client_stats *stats)
{
    if (client == NULL || stats == NULL || stats->size < sizeof *stats) {
        return;
    }
    *stats = (struct zr_client_stats){
        .size = stats->size,
        .sent = client->core.sent,
        .answered = client->core.answered,
        .retried = client->core.retried,
        .connects = client->connects,
        .disconnects = client->disconnects,
        .bytes_in = client->link.bytes_in,
        .bytes_out = client->link.bytes_out,
    };
}
