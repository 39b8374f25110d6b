/*
 * engine.h - the real server without its threads and its network: store, rules, log and memory.
 *
 * It does what the committer does, in its order: what is due is fired by TICK commands before a
 * client's command, then the command, and at the end of a batch the rest; a batch is durable before
 * its events are read and before decisions see what it did (hot.h, cascades.h). Only the sockets,
 * the rings between the threads and the wall clock are left out: time is `now_ms`, and moves when
 * engine_advance() moves it.
 *
 * The hard idea is that nothing here knows a rule. Whatever a year does to the data has been done
 * by code of server/, through encoded frames, so all of it stands in the journal and is replayed at
 * the end.
 */
#ifndef ZR_SIM_ENGINE_H
#define ZR_SIM_ENGINE_H

#include "server/commit/decisions.h"
#include "server/commit/own.h"
#include "server/commit/recover.h"
#include "server/domain/ticket.h"

enum {
    ENGINE_BATCH_MAX = 16, /* Commands of one commit. */
    ENGINE_CONTRACTORS_MAX = 1024,
};

/* Who sends a command. `number` tells two principals of one role and tenant apart. */
struct engine_actor {
    uint32_t tenant;
    uint32_t contractor;
    uint8_t role; /* enum zr_role */
    uint8_t number;
    bool keepalive; /* Its session negotiated KEEPALIVE. */
};

/* A lease that a CONNECT takes along: it ends when its hold is published. */
struct engine_lease {
    int64_t cents;
    uint32_t contractor; /* 0 = none. */
    uint32_t boot;       /* Leases of an earlier one are lost. */
};

struct engine {
    char folder[64];
    char copy_folder[64]; /* Of the replay. */
    uint64_t map_bytes;
    struct store *store;
    struct store_view view;
    struct arena arena;
    struct tail *tail;
    struct units *units;
    struct hot *hot;
    struct cascades *cascades;
    struct publish *publish;
    struct ring_facts rings;
    struct decision_ring decisions;
    struct own own;
    struct executor executor;
    struct mac *mac;         /* For tickets and caller hashes. */
    struct ticket_keys keys; /* As after the last commit. */
    uint64_t keys_newest;    /* COUNTER_TICKET_KEY of them. */
    uint64_t now_ms;
    uint64_t batch_ms; /* When the open batch began. */
    uint64_t serial;
    uint64_t commits;
    uint64_t commands; /* Of clients. */
    uint64_t ticks;    /* Of boots before this one. */
    uint32_t boot;
    uint32_t batch_count;
    struct job jobs[ENGINE_BATCH_MAX];
    union zr_any_message reply; /* Of the last command that was sent. */
};

/* A new database in memory-backed storage if there is some, else in /tmp; time stands at now_ms. */
void engine_open(struct engine *engine, uint64_t now_ms);

/* Close and remove it. */
void engine_close(struct engine *engine);

/* Time goes on to now_ms: timers in between have fired and their doings are durable. */
void engine_advance(struct engine *engine, uint64_t now_ms);

/* Send one command and decode its reply into engine->reply. `lease` may be NULL. */
uint16_t engine_send(struct engine *engine, const struct engine_actor *actor, uint16_t op,
                     const void *request, const struct engine_lease *lease);

/* The open batch becomes durable and is published, and everything due by now has been done. */
void engine_commit(struct engine *engine);

/* The same, and every folded row stands in its table: what AUDIT and STATE_HASH want. */
void engine_fold(struct engine *engine);

/* The server ends and starts again `away_ms` later. `clean`: it had folded everything. */
void engine_restart(struct engine *engine, uint64_t away_ms, bool clean);

/* Replay the whole journal into an empty store and compare (E64). The engine is closed by it. */
MUST_USE enum status engine_replay(struct engine *engine);

/* TICK commands of all boots. */
uint64_t engine_ticks(const struct engine *engine);

/* A new id, and a new idempotency key (UUIDv7) of now. */
struct zr_id engine_id(struct engine *engine);
struct zr_id engine_key(struct engine *engine);

#endif
