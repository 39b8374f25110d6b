/*
 * engine.c - see engine.h.
 */
#include "tests/sim/lib/engine.h"

#include "protocol/check.h"
#include "server/domain/keys.h"
#include "server/domain/timer.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum {
    MAP_GIB = 4,
    TAIL_ROWS = 65536,
    FOLD_SLICE = 64,
    FOLD_ALL = 8192,
    TRIM_ROWS = 128,
    UNITS_MAX = 4096,
    FACTS_MAX = 256,
    DECISIONS_MAX = 256,
};

/* Commands of so short a time share a commit, as they would under load. */
#define BATCH_MS UINT64_C(1500)

/* ---- ids ------------------------------------------------------------------------------------- */

struct zr_id
engine_id(struct engine *engine)
{
    struct zr_id id = {{0x51}};

    engine->serial++;
    memcpy(id.bytes + 8, &engine->serial, sizeof engine->serial);
    return id;
}

struct zr_id
engine_key(struct engine *engine)
{
    struct zr_id key = engine_id(engine);

    for (int i = 0; i < 6; i++) {
        key.bytes[i] = (uint8_t)(engine->now_ms >> (40 - 8 * i));
    }
    key.bytes[6] = 0x70;
    return key;
}

/* ---- boots ----------------------------------------------------------------------------------- */

/* Two databases of this size, or real disk, whose syncs cost more than all the rules. */
static void
folder_make(char *folder, size_t folder_bytes)
{
    struct statvfs space;

    CHECK(folder_bytes >= 64);
    if (statvfs("/dev/shm", &space) == 0 &&
        (uint64_t)space.f_bavail * space.f_frsize > (uint64_t)MAP_GIB << 30) {
        (void)snprintf(folder, folder_bytes, "/dev/shm/zipring-year.XXXXXX");
        if (mkdtemp(folder) != NULL) {
            return;
        }
    }
    test_make_dir(folder, folder_bytes);
}

static struct store *
store_open_at(const char *folder, bool create)
{
    const struct store_options options = {
        .folder = folder, .map_bytes = (uint64_t)MAP_GIB << 30, .readers_max = 4, .create = create};
    struct store *store = NULL;
    const enum status status = store_open(&store, &options);

    CHECK(status == STATUS_OK);
    return store;
}

/* Everything that lives in memory only, as committer_open() makes it. */
static void
memory_open(struct engine *engine)
{
    struct arena *arena = &engine->arena;

    arena_init(arena);
    engine->tail = tail_open(arena, TAIL_ROWS);
    engine->units = units_open(arena, UNITS_MAX);
    engine->hot = hot_open(arena, ENGINE_CONTRACTORS_MAX);
    engine->cascades = cascades_open(arena);
    ring_facts_init(&engine->rings, arena, FACTS_MAX);
    decision_ring_init(&engine->decisions, arena, DECISIONS_MAX);
    engine->executor = (struct executor){
        .state = {.view = &engine->view, .tail = engine->tail},
        .mac = mac_open(),
        .contractors_max = ENGINE_CONTRACTORS_MAX,
        .audit = {.cascades = engine->cascades},
    };
    engine->publish = publish_open(&(struct publish_options){
        .arena = arena,
        .hot = engine->hot,
        .cascades = engine->cascades,
        .units = engine->units,
        .profiles = {engine->executor.mac, store_identity(engine->store)->caller_key},
        .jobs_max = ENGINE_BATCH_MAX,
        .commands_max = ENGINE_BATCH_MAX + OWN_COMMANDS_MAX,
    });
    own_init(&engine->own, arena, &engine->executor, engine->publish, &engine->rings);
}

static void
keys_refresh(struct engine *engine)
{
    const struct store_identity *identity = store_identity(engine->store);
    struct ticket_key first = {.id = identity->ticket_key_ids[0]};
    const uint64_t newest = state_counter_now(&engine->executor.state, COUNTER_TICKET_KEY);

    if (engine->keys.count == 0 || newest != engine->keys_newest) {
        memcpy(first.key, identity->ticket_keys[0], sizeof first.key);
        keys_load(&engine->keys, &engine->executor.state, &first, engine->mac);
        engine->keys_newest = newest;
    }
}

static void
boot(struct engine *engine)
{
    enum status status;

    memory_open(engine);
    status = recover_memory(&(struct recover){.store = engine->store,
                                              .view = &engine->view,
                                              .executor = &engine->executor,
                                              .tail = engine->tail,
                                              .units = engine->units,
                                              .hot = engine->hot,
                                              .cascades = engine->cascades});
    CHECK(status == STATUS_OK);
    status = store_write_begin(engine->store, &engine->view);
    CHECK(status == STATUS_OK);
    engine->boot++;
    engine->keys.count = 0;
    keys_refresh(engine);
}

static void
halt(struct engine *engine)
{
    CHECK(engine->batch_count == 0);
    engine->ticks += engine->own.ticks;
    store_abort(&engine->view);
    mac_close(engine->executor.mac);
    store_close(engine->store);
    arena_deinit(&engine->arena);
}

void
engine_open(struct engine *engine, uint64_t now_ms)
{
    *engine = (struct engine){.now_ms = now_ms};
    folder_make(engine->folder, sizeof engine->folder);
    engine->store = store_open_at(engine->folder, true);
    engine->mac = mac_open();
    boot(engine);
}

void
engine_close(struct engine *engine)
{
    mac_close(engine->mac);
    test_remove_dir(engine->folder);
}

void
engine_restart(struct engine *engine, uint64_t away_ms, bool clean)
{
    uint64_t alive_ms;

    engine_commit(engine);
    if (clean) {
        engine_fold(engine);
    }
    halt(engine);
    engine->now_ms += away_ms;
    engine->store = store_open_at(engine->folder, false);
    boot(engine);
    alive_ms = engine->executor.head.alive_ms;
    if (engine->now_ms > alive_ms + TIMER_OUTAGE_MS) {
        own_set_outage(&engine->own, alive_ms, engine->now_ms);
    }
    engine_commit(engine);
}

enum status
engine_replay(struct engine *engine)
{
    enum status status;
    struct store *copy;
    struct arena arena;

    engine_fold(engine);
    folder_make(engine->copy_folder, sizeof engine->copy_folder);
    copy = store_open_at(engine->copy_folder, true);
    store_abort(&engine->view);
    arena_init(&arena);
    status = recover_replay(engine->store, copy, &arena);
    arena_deinit(&arena);
    store_close(copy);
    test_remove_dir(engine->copy_folder);
    halt(engine);
    return status;
}

uint64_t
engine_ticks(const struct engine *engine)
{
    return engine->ticks + engine->own.ticks;
}

/* ---- batches --------------------------------------------------------------------------------- */

/* The open batch as it is, with so many rows folded; the next one begins. */
static void
batch_commit(struct engine *engine, uint32_t fold_rows)
{
    struct executor *executor = &engine->executor;
    uint32_t decisions;
    enum status status;

    publish_read_rows(engine->publish, &executor->state);
    decisions = decision_drain(&engine->decisions, &engine->view, 0);
    (void)execute_trim_keys(executor, engine->now_ms, TRIM_ROWS);
    (void)execute_trim_events(executor, engine->now_ms, TRIM_ROWS);
    (void)tail_fold(engine->tail, &engine->view, fold_rows);
    executor->head.fold_seq = tail_folded_to(engine->tail, executor->head.commit_seq);
    CHECK(state_failure(&executor->state) == STATUS_OK);
    memcpy(executor->head.counters, executor->state.counters, sizeof executor->state.counters);
    if (!own_has_outage(&engine->own)) {
        executor->head.alive_ms = engine->now_ms;
    }
    status = store_commit(&engine->view, &executor->head);
    CHECK(status == STATUS_OK);
    tail_batch_done(engine->tail);
    decision_forget(&engine->decisions, decisions);
    own_batch_done(&engine->own);
    publish_units(engine->publish);
    publish_now(engine->publish, engine->now_ms);
    engine->batch_count = 0;
    engine->commits++;
    status = store_write_begin(engine->store, &engine->view);
    CHECK(status == STATUS_OK);
    keys_refresh(engine);
}

void
engine_commit(struct engine *engine)
{
    bool done;

    do {
        done = own_run(&engine->own, engine->now_ms);
        batch_commit(engine, FOLD_SLICE);
    } while (!done);
}

void
engine_fold(struct engine *engine)
{
    engine_commit(engine);
    while (tail_count(engine->tail) > 0) {
        batch_commit(engine, FOLD_ALL);
    }
}

void
engine_advance(struct engine *engine, uint64_t now_ms)
{
    const bool waits = engine->batch_count > 0 || ring_facts_count(&engine->rings) > 0 ||
                       decision_count(&engine->decisions) > 0;

    CHECK(now_ms >= engine->now_ms);
    if (waits && now_ms > engine->batch_ms + BATCH_MS) {
        engine_commit(engine); /* At the time at which its replies went out. */
    } else if (!waits) {
        engine->batch_ms = now_ms;
    }
    engine->now_ms = now_ms;
    if (state_timer_due_ms(&engine->executor.state) <= now_ms) {
        engine_commit(engine);
    } else if (engine->batch_count == 0) {
        publish_now(engine->publish, now_ms); /* Units that expired. */
    }
}

/* ---- commands -------------------------------------------------------------------------------- */

static void
job_fill(struct engine *engine, struct job *job, const struct engine_actor *actor, uint16_t op,
         const void *request)
{
    const struct zr_operation *operation = zr_operation_find(op);
    struct zr_builder builder;
    struct zr_header header;

    CHECK(operation != NULL);
    header = (struct zr_header){.op = op, .version = operation->version, .id = ++engine->serial};
    zr_builder_init(&builder, job->frame, sizeof job->frame);
    zr_message_encode(&builder, &header, operation->request, request);
    CHECK(!builder.failed);
    zr_header_decode(&job->header, job->frame);
    job->operation = operation;
    job->deadline_us = UINT64_MAX;
    job->tenant = actor->tenant;
    job->contractor = actor->contractor;
    job->role = actor->role;
    job->keepalive = actor->keepalive;
    job->principal[0] = actor->role;
    job->principal[1] = (uint8_t)actor->tenant;
    job->principal[2] = actor->number;
    job->lease_contractor = 0;
    job->lease_cents = 0;
}

/* A lease of an earlier boot is lost already. */
static void
job_take_lease(const struct engine *engine, struct job *job, const struct engine_lease *lease)
{
    if (lease != NULL && lease->contractor != 0 && lease->boot == engine->boot) {
        job->lease_contractor = lease->contractor;
        job->lease_cents = lease->cents;
    }
}

static void
reply_decode(struct engine *engine, const struct job *job)
{
    const uint8_t class = zr_status_class(job->status);
    struct zr_header header;
    uint16_t invalid_at;
    enum zr_decode decoded;

    zr_header_decode(&header, job->reply);
    CHECK(header.status == job->status);
    if (class == ZR_CLASS_DONE || class == ZR_CLASS_REFUSED) {
        decoded = zr_message_decode(&engine->reply, &invalid_at, job->operation->reply, &header,
                                    job->reply);
        CHECK(decoded == ZR_DECODE_OK);
    }
}

/* Room for one more command, and nothing is due before it. */
static void
batch_make_room(struct engine *engine)
{
    if (engine->batch_count == ENGINE_BATCH_MAX || !publish_has_room(engine->publish) ||
        tail_room(engine->tail) <= 4 * STATE_IMAGES_MAX) {
        engine_commit(engine);
    }
    while (!own_run(&engine->own, engine->now_ms)) {
        batch_commit(engine, FOLD_SLICE);
    }
}

uint16_t
engine_send(struct engine *engine, const struct engine_actor *actor, uint16_t op,
            const void *request, const struct engine_lease *lease)
{
    struct effects effects;
    struct job *job;

    batch_make_room(engine);
    job = &engine->jobs[engine->batch_count++];
    job_fill(engine, job, actor, op, request);
    job_take_lease(engine, job, lease);
    execute_job(&engine->executor, job, engine->now_ms, &effects);
    CHECK(state_failure(&engine->executor.state) == STATUS_OK);
    publish_note(engine->publish, &engine->executor.state, job, &effects, engine->now_ms);
    reply_decode(engine, job);
    engine->commands++;
    return job->status;
}
