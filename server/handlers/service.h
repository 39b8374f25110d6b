/*
 * service.h - what one worker's handlers share: its snapshot, its memory, its way to the committer.
 *
 * Nothing of a worker is global; what workers share sits behind hot, lease and the committer.
 */
#ifndef ZR_SERVICE_H
#define ZR_SERVICE_H

#include "server/base/clock.h"
#include "server/base/request.h"
#include "server/commit/committer.h"
#include "server/handlers/cache.h"
#include "server/handlers/calls.h"
#include "server/handlers/names.h"
#include "server/store/state.h"

/* Counters of the layers below that SERVER_STATS shows; main.c fills them from net. */
typedef void (*service_stats_fn)(void *context, struct zr_server_stats_reply *reply);

struct service_options {
    struct arena *arena;
    struct store *store;
    struct committer *committer;
    struct hot *hot;
    struct cascades *cascades;
    struct clock *clock;
    uint32_t jobs_max;
    uint32_t calls_max;
    uint32_t subscribers_max; /* Subscriptions of all connections. */
    uint64_t events_lag_max;  /* Events that a reader may fall behind (E67). */
    uint32_t frame_bytes_max;
    uint16_t credit_default;
    uint16_t credit_max;
    uint32_t timeout_us_default;
    const char *peers; /* Other endpoints, told at HELLO. */
    bool bench;
    service_stats_fn stats;
    void *stats_context;
};

struct service {
    struct service_options options;
    struct net_port net;
    struct committer_published *published;
    struct decision_ring *decisions;
    struct ring_facts *rings;
    struct calls *calls;
    struct names *names;
    struct subscriptions *subscriptions; /* subscriptions.h */
    struct cache *cache;
    struct mac *mac;
    struct ticket_key first_key; /* Of `init`: the others are made from it (keys.h). */
    struct ticket_keys keys;     /* As of the catalogue's version; service_keys() brings it up. */
    uint8_t caller_key[MAC_KEY_BYTES];
    uint16_t route_zips_at; /* Of a ROUTE's frame: see lookahead.h. */
    uint16_t route_category_at;
    uint64_t environment;
    uint64_t started_ns;

    /* The snapshot of this loop turn, opened by the first who needs it. */
    struct store_view view;
    struct state snapshot;
    struct store_head head; /* As of the snapshot. */
    bool view_open;

    struct job *jobs_free;
    uint32_t boot;            /* Part of each call_ref: no two boots issue the same. */
    uint32_t call_refs_count; /* Issued since start. */
    uint64_t requests;
    uint64_t overloads;
    uint64_t calls_routed;
    uint64_t calls_blocked; /* ROUTEs answered BLOCKED (E40). */
    uint64_t steps_stale;   /* CONNECTs of list mode whose contractor was not eligible (E66a). */
    union zr_any_message request; /* Scratch of the frame under way. */
    union zr_any_message reply;
};

struct service *service_open(const struct service_options *options);
void service_close(struct service *service);

/* Bind the network that this worker answers through. */
void service_bind(struct service *service, const struct net_port *net);

/* What net calls (base/request.h). */
struct request_port service_port(struct service *service);

/* The snapshot of this turn. A store that cannot give one has failed: the process ends, with the
 * exit code of damage. */
struct state *service_snapshot(struct service *service);

/* To be called before anything leaves that was read of the snapshot. A row that is damaged reads as
 * one that is not there, so what would leave may be wrong: the process ends then as well
 * (reliability.md P14). */
void service_judge_snapshot(const struct service *service);

/* Close it, if it is open: at the end of a turn, or of what needed it between two. */
void service_snapshot_end(struct service *service);

/* The territory and the policies as of the newest commit. */
const struct cache *service_catalogue(struct service *service);

/* The ticket keys as of the newest commit. */
const struct ticket_keys *service_keys(struct service *service);

/* The policy in force for a slot. */
void service_policy(struct service *service, uint32_t zip, uint16_t category,
                    struct policy_row *policy);

/* A slot as of the newest commit: from its line, or the snapshot when it has too many claims. */
void service_slot(struct service *service, uint32_t zip, uint16_t category, struct slot_row *slot);

/* Take a job for this frame, or NULL: all are under way. */
struct job *service_take_job(struct service *service, const struct request *request,
                             const struct zr_operation *operation);
void service_give_job(struct service *service, struct job *job);

#endif
