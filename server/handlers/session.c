/*
 * session.c - see session.h.
 */
#include "server/handlers/session.h"

#include "protocol/check.h"
#include "server/handlers/dispatch.h"
#include "server/handlers/subscriptions.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define HELLO_MAGIC UINT64_C(0x31474E495250495A)

enum { PROTOCOL_VERSION = 1, SAN_BYTES_MAX = PEER_SAN_BYTES_MAX };

/* "urn:zipring:tenant:7:role:switch" */
static bool
san_matches(const char *san, uint32_t tenant, uint8_t role)
{
    char expected[SAN_BYTES_MAX];
    const char *name = zr_role_name(role);
    int length;

    CHECK(name != NULL);
    length = snprintf(expected, sizeof expected, "urn:zipring:tenant:%u:role:%s", tenant, name);
    CHECK(length > 0);
    for (int i = 0; i < length; i++) {
        expected[i] = (char)tolower((unsigned char)expected[i]);
    }
    return strcmp(expected, san) == 0;
}

/* The live principal behind a peer, if its certificate says the same. */
static bool
principal_find(struct service *service, const struct peer_identity *peer, struct principal_row *row)
{
    struct zr_hash key_hash;

    memcpy(key_hash.bytes, peer->key_hash, sizeof key_hash.bytes);
    return state_principal_get(service_snapshot(service), &key_hash, row) &&
           zr_role_name(row->role) != NULL && san_matches(peer->san, row->tenant, row->role);
}

/* Version, environment, identity: the first that does not fit, or OK with the principal. */
static uint16_t
hello_judge(struct service *service, const struct request *request,
            const struct zr_hello_request *hello, struct principal_row *principal)
{
    if (hello->magic != HELLO_MAGIC) {
        return ZR_STATUS_BAD_FRAME;
    }
    if (!principal_find(service, &request->session->peer, principal) ||
        (principal->role == ZR_ROLE_BENCH && !service->options.bench)) {
        return ZR_STATUS_UNAUTHENTICATED;
    }
    if (hello->environment != 0 && hello->environment != service->environment) {
        return ZR_STATUS_WRONG_ENVIRONMENT;
    }
    if (hello->protocol_min > PROTOCOL_VERSION || hello->protocol_max < PROTOCOL_VERSION ||
        (hello->features_required & ~(uint64_t)FEATURES_KNOWN) != 0) {
        return ZR_STATUS_VERSION;
    }
    return ZR_STATUS_OK;
}

static void
session_begin(const struct service *service, struct session *session,
              const struct zr_hello_request *hello, const struct principal_row *principal)
{
    uint32_t frame_bytes = hello->frame_bytes_max;
    uint16_t credit = hello->credit;

    if (frame_bytes < ZR_FRAME_BYTES_DEFAULT) {
        frame_bytes = ZR_FRAME_BYTES_DEFAULT;
    }
    if (frame_bytes > service->options.frame_bytes_max) {
        frame_bytes = service->options.frame_bytes_max;
    }
    if (credit == 0) {
        credit = service->options.credit_default;
    }
    session->frame_bytes_max = frame_bytes;
    session->credit = credit < service->options.credit_max ? credit : service->options.credit_max;
    session->role = principal->role;
    session->tenant = principal->tenant;
    session->contractor = principal->contractor;
    session->auth_epoch = service->head.counters[COUNTER_AUTH_EPOCH];
    session->keepalive =
        ((hello->features_required | hello->features_optional) & ZR_FEATURE_KEEPALIVE) != 0;
    session->ready = true;
}

/* Of the operations of benches those that this server was started for. */
static bool
operation_is_taken(const struct service *service, const struct zr_operation *operation)
{
    if (operation->kind == ZR_OP_KIND_PUSH || operation->kind == ZR_OP_KIND_SYSTEM) {
        return false;
    }
    if (operation->roles != 1u << (unsigned)ZR_ROLE_BENCH) {
        return true;
    }
    return service->options.bench &&
           (operation->op != ZR_OP_CLOCK_ADVANCE || service->options.clock->manual);
}

static void
hello_list_ops(const struct service *service, struct zr_hello_reply *reply)
{
    size_t count;
    const struct zr_operation *operations = zr_operations(&count);

    for (size_t i = 0; i < count; i++) {
        if (operation_is_taken(service, &operations[i])) {
            reply->ops[reply->ops_count++] = (struct zr_op_range){
                .op = (uint16_t)operations[i].op,
                .version_min = 1,
                .version_max = operations[i].version,
            };
        }
    }
}

static void
hello_reply_fill(const struct service *service, const struct session *session,
                 struct zr_hello_reply *reply)
{
    *reply = (struct zr_hello_reply){
        .environment = service->environment,
        .server_time_ms = clock_now_ms(service->options.clock),
        .frame_bytes_max = session->frame_bytes_max,
        .features = session->keepalive ? ZR_FEATURE_KEEPALIVE : 0,
        .tenant = session->tenant,
        .contractor = session->contractor,
        .protocol = PROTOCOL_VERSION,
        .credit = session->credit,
        .role = session->role,
        .bench = service->options.bench,
        .manual_clock = service->options.clock->manual,
        .build = "zipringd " ZR_VERSION_TEXT,
    };
    reply->peers_length = (uint16_t)strnlen(service->options.peers, sizeof reply->peers);
    memcpy(reply->peers, service->options.peers, reply->peers_length);
    hello_list_ops(service, reply);
}

enum frame_verdict
session_hello(struct service *service, const struct request *request, struct zr_builder *reply)
{
    const struct zr_hello_request *hello = &service->request.hello_request;
    struct principal_row principal;
    uint16_t detail = 0;
    uint16_t status;

    if (request->session->ready) {
        return dispatch_reply(request, reply, ZR_STATUS_HELLO_EXPECTED, 0, NULL);
    }
    if (zr_message_decode(&service->request, &detail, &zr_hello_request_shape, &request->header,
                          request->frame) != ZR_DECODE_OK) {
        (void)dispatch_reply(request, reply, ZR_STATUS_BAD_FRAME, detail, NULL);
        return FRAME_CLOSE;
    }
    (void)service_snapshot(service);
    status = hello_judge(service, request, hello, &principal);
    if (status != ZR_STATUS_OK) {
        (void)dispatch_reply(request, reply, status, 0, NULL);
        return FRAME_CLOSE;
    }
    session_begin(service, request->session, hello, &principal);
    hello_reply_fill(service, request->session, &service->reply.hello_reply);
    return dispatch_reply(request, reply, ZR_STATUS_OK, 0, &service->reply);
}

bool
session_check(void *context, struct session *session)
{
    struct service *service = context;
    struct principal_row principal;
    const bool between_turns = !service->view_open;
    bool stands;

    if (session->auth_epoch ==
        atomic_load_explicit(&service->published->auth_epoch, memory_order_acquire)) {
        return true;
    }
    stands = principal_find(service, &session->peer, &principal) &&
             principal.role == session->role && principal.tenant == session->tenant &&
             principal.contractor == session->contractor;
    if (stands) {
        /* That of the snapshot: when the turn's is older than the change, it is asked again. */
        session->auth_epoch = service->head.counters[COUNTER_AUTH_EPOCH];
    }
    if (between_turns) {
        service_snapshot_end(service);
    }
    return stands;
}

enum frame_verdict
session_ping(struct service *service, const struct request *request, struct zr_builder *reply)
{
    service->reply.ping_reply = (struct zr_ping_reply){
        .server_time_ms = clock_now_ms(service->options.clock),
        .uptime_ms = (clock_monotonic_ns() - service->started_ns) / 1000000,
        .commit_seq = atomic_load_explicit(&service->published->commit_seq, memory_order_acquire),
    };
    return dispatch_reply(request, reply, ZR_STATUS_OK, 0, &service->reply);
}

enum frame_verdict
session_echo(struct service *service, const struct request *request, struct zr_builder *reply)
{
    const struct zr_echo_request *echo = &service->request.echo_request;
    struct zr_echo_reply *answer = &service->reply.echo_reply;
    uint16_t filled = 0;

    if (echo->reply_bytes > sizeof answer->payload) {
        return dispatch_reply(request, reply, ZR_STATUS_INVALID_FIELD, ZR_HEADER_BYTES, NULL);
    }
    answer->payload_length = echo->reply_bytes;
    while (echo->payload_length > 0 && filled < echo->reply_bytes) {
        const uint16_t left = (uint16_t)(echo->reply_bytes - filled);
        const uint16_t part = left < echo->payload_length ? left : echo->payload_length;

        memcpy(answer->payload + filled, echo->payload, part);
        filled = (uint16_t)(filled + part);
    }
    memset(answer->payload + filled, 0, (size_t)(echo->reply_bytes - filled));
    return dispatch_reply(request, reply, ZR_STATUS_OK, 0, answer);
}

/* Resident memory: the second number of /proc/self/statm, in pages. */
static uint64_t
resident_bytes(void)
{
    char line[128];
    char *second = NULL;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file == NULL) {
        return 0;
    }
    if (fgets(line, sizeof line, file) != NULL) {
        second = strchr(line, ' ');
    }
    (void)fclose(file);
    return second == NULL ? 0 : strtoul(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

enum frame_verdict
session_stats(struct service *service, const struct request *request, struct zr_builder *reply)
{
    struct committer_published *published = service->published;
    struct zr_server_stats_reply *stats = &service->reply.server_stats_reply;
    struct rusage usage;

    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    *stats = (struct zr_server_stats_reply){
        .uptime_ms = (clock_monotonic_ns() - service->started_ns) / 1000000,
        .commit_seq = atomic_load_explicit(&published->commit_seq, memory_order_acquire),
        .commits = atomic_load_explicit(&published->commits, memory_order_relaxed),
        .commit_us_total = atomic_load_explicit(&published->commit_us_total, memory_order_relaxed),
        .unfolded_rows = atomic_load_explicit(&published->unfolded_rows, memory_order_relaxed),
        .ticks = atomic_load_explicit(&published->ticks, memory_order_relaxed),
        .timers_next_ms = atomic_load_explicit(&published->timer_next_ms, memory_order_relaxed),
        .decisions = service->calls_routed,
        .steps_stale = service->steps_stale,
        .calls_blocked = service->calls_blocked,
        .decisions_lost =
            atomic_load_explicit(&service->decisions->backlog.lost, memory_order_relaxed),
        .calls_ringing = calls_count(service->calls),
        .leases_live = hot_leases_count(service->options.hot),
        .requests = service->requests,
        .refused_overload = service->overloads,
        .rss_bytes = resident_bytes(),
    };
    stats->commands = stats->commit_seq;
    stats->cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    subscriptions_stats(service, stats);
    store_usage(service->options.store, &stats->map_bytes, &stats->map_used_bytes);
    if (service->options.stats != NULL) {
        service->options.stats(service->options.stats_context, stats);
    }
    return dispatch_reply(request, reply, ZR_STATUS_OK, 0, stats);
}
