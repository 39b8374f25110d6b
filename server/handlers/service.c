/*
 * service.c - see service.h.
 */
#include "server/handlers/service.h"

#include "protocol/check.h"
#include "server/base/log.h"
#include "server/domain/keys.h"
#include "server/handlers/call_reports.h"
#include "server/handlers/dispatch.h"
#include "server/handlers/lookahead.h"
#include "server/handlers/session.h"
#include "server/handlers/subscriptions.h"

#include <string.h>
#include <unistd.h>

enum { EXIT_CODE_DAMAGE = 71 }; /* EXIT_DAMAGE of server/commands.h, which is above. */

struct service *
service_open(const struct service_options *options)
{
    struct service *service = arena_take(options->arena, sizeof *service, "service: its head");
    const struct store_identity *identity = store_identity(options->store);
    struct job *jobs = arena_take(options->arena, options->jobs_max * sizeof *jobs,
                                  "service: requests at the committer (jobs_max)");

    CHECK(options->jobs_max > 0);
    CHECK(identity->ticket_keys_count >= 1);
    service->options = *options;
    service->published = committer_published(options->committer);
    service->decisions = committer_decisions(options->committer);
    service->rings = committer_rings(options->committer);
    service->calls = calls_open(options->arena, options->hot, options->calls_max);
    service->names = names_open(options->arena);
    service->subscriptions =
        subscriptions_open(options->arena, options->subscribers_max, options->events_lag_max);
    service->cache = cache_open(options->arena);
    service->mac = mac_open();
    service->route_zips_at = zr_shape_offset_of(&zr_route_request_shape, "zips");
    service->route_category_at = zr_shape_offset_of(&zr_route_request_shape, "category");
    service->first_key.id = identity->ticket_key_ids[0];
    memcpy(service->first_key.key, identity->ticket_keys[0], MAC_KEY_BYTES);
    memcpy(service->caller_key, identity->caller_key, sizeof service->caller_key);
    service->environment = identity->environment;
    service->boot = (uint32_t)store_head(options->store)->boots;
    service->started_ns = clock_monotonic_ns();
    service->snapshot.view = &service->view;
    for (uint32_t i = options->jobs_max; i > 0; i--) {
        service_give_job(service, &jobs[i - 1]);
    }
    return service;
}

void
service_close(struct service *service)
{
    store_read_close(&service->view);
    mac_close(service->mac);
}

void
service_bind(struct service *service, const struct net_port *net)
{
    service->net = *net;
}

struct job *
service_take_job(struct service *service, const struct request *request,
                 const struct zr_operation *operation)
{
    struct job *job = service->jobs_free;
    const struct session *session = request->session;
    uint32_t timeout_us = request->header.timeout_us;

    if (job == NULL) {
        return NULL;
    }
    service->jobs_free = job->next_free;
    if (timeout_us == 0) {
        timeout_us = service->options.timeout_us_default;
    }
    CHECK(request->header.size <= sizeof job->frame);
    job->conn = request->conn;
    job->header = request->header;
    job->operation = operation;
    job->deadline_us = clock_now_us(service->options.clock) + timeout_us;
    job->tenant = session->tenant;
    job->contractor = session->contractor;
    job->role = session->role;
    job->keepalive = session->keepalive;
    job->stale_step = false;
    job->lease_contractor = 0;
    job->lease_cents = 0;
    memcpy(job->principal, session->peer.key_hash, sizeof job->principal);
    memcpy(job->frame, request->frame, request->header.size);
    return job;
}

void
service_give_job(struct service *service, struct job *job)
{
    job->next_free = service->jobs_free;
    service->jobs_free = job;
}

/* Nothing may be answered any more, not even until the server has drained; and a CHECK would end it
 * with a code that has it started again. */
static void
snapshot_end_process(enum status status)
{
    log_line(LOG_LEVEL_ERROR, "snapshot_failed", "status=\"%s\" do=\"check the disk\"",
             status_name(status));
    _exit(EXIT_CODE_DAMAGE);
}

/* LMDB gives no snapshot once its meta page could not be written (pitfalls.md 31). The committer
 * has said so, and the server drains. */
static void
snapshot_begin(struct service *service)
{
    const enum status status = store_read_begin(service->options.store, &service->view);

    if (status != STATUS_OK) {
        snapshot_end_process(status);
    }
}

void
service_judge_snapshot(const struct service *service)
{
    if (service->view_open && state_failed(&service->snapshot)) {
        snapshot_end_process(state_failure(&service->snapshot));
    }
}

/* What a worker keeps between commits, as the snapshot has it. */
static void
catalogue_refresh(struct service *service, uint64_t version)
{
    if (!service->cache->loaded || service->cache->version != version) {
        keys_load(&service->keys, &service->snapshot, &service->first_key, service->mac);
    }
    cache_refresh(service->cache, &service->snapshot, version);
}

struct state *
service_snapshot(struct service *service)
{
    struct store_value value;

    if (!service->view_open) {
        snapshot_begin(service);
        service->view_open = true;
        CHECK(store_get(&service->view, TABLE_META, "head", 4, &value));
        CHECK(value.bytes_count == sizeof service->head);
        memcpy(&service->head, value.bytes, sizeof service->head);
        memcpy(service->snapshot.counters, service->head.counters,
               sizeof service->snapshot.counters);
        catalogue_refresh(service, service->head.counters[COUNTER_CATALOGUE]);
    }
    return &service->snapshot;
}

void
service_snapshot_end(struct service *service)
{
    service_judge_snapshot(service);
    if (service->view_open) {
        store_read_end(&service->view);
        service->view_open = false;
    }
}

const struct cache *
service_catalogue(struct service *service)
{
    const uint64_t version =
        atomic_load_explicit(&service->published->catalogue, memory_order_acquire);

    if (!service->cache->loaded || service->cache->version != version) {
        (void)service_snapshot(service);
    }
    return service->cache;
}

const struct ticket_keys *
service_keys(struct service *service)
{
    (void)service_catalogue(service);
    return &service->keys;
}

void
service_policy(struct service *service, uint32_t zip, uint16_t category, struct policy_row *policy)
{
    const struct cache *cache = service_catalogue(service);
    const struct policy_key key = {ZR_SCOPE_SLOT, category, zip};

    if (!cache->slot_policies || !state_policy_get(service_snapshot(service), key, policy)) {
        cache_policy(cache, category, policy);
    }
}

void
service_slot(struct service *service, uint32_t zip, uint16_t category, struct slot_row *slot)
{
    if (!cascades_get(service->options.cascades, zip, category, slot)) {
        state_slot_get(service_snapshot(service), zip, category, slot);
    }
}

/* Replies that became durable since the last turn, then time. */
static void
turn_begin(void *context, uint64_t now_ns)
{
    struct service *service = context;
    struct job *job;

    (void)now_ns;
    while ((job = committer_take_done(service->options.committer)) != NULL) {
        call_report_done(service, job);
        service->net.reply(service->net.context, job->conn, job->reply, job->reply_bytes);
        service_give_job(service, job);
    }
    calls_tick(service->calls, clock_now_ms(service->options.clock));
    subscriptions_push(service);
}

/* A snapshot that outlives its turn would keep LMDB from reusing pages (pitfalls.md 24). */
static void
turn_end(void *context)
{
    service_snapshot_end(context);
}

struct request_port
service_port(struct service *service)
{
    return (struct request_port){
        .context = service,
        .on_frame = dispatch_frame,
        .on_frames_ahead = lookahead_fetch,
        .on_turn_begin = turn_begin,
        .on_turn_end = turn_end,
        .on_session_check = session_check,
    };
}
