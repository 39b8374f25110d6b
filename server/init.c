/*
 * init.c - `zipringd init` and `zipringd replay`: making a database, and proving one.
 *
 * The first ADMIN cannot be put by an ADMIN. It is command 1 of the journal, executed like any
 * other, so that a replay from genesis has it too.
 */
#include "protocol/check.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/commands.h"
#include "server/commit/recover.h"
#include "server/net/tls_certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INIT_MAP_GIB = 1, REPLAY_MAP_GIB = 64, TAIL_ROWS = 4096, FIRST_TENANT = 1 };

static void
first_key(struct zr_id *key, uint64_t now_ms)
{
    random_fill(key->bytes, sizeof key->bytes);
    for (int i = 0; i < 6; i++) {
        key->bytes[i] = (uint8_t)(now_ms >> (40 - 8 * i));
    }
    key->bytes[6] = (uint8_t)(0x70 | (key->bytes[6] & 0x0F));
    key->bytes[8] = (uint8_t)(0x80 | (key->bytes[8] & 0x3F));
}

/* Encode PRINCIPAL_PUT for the first administrator, as if it had come over the wire. */
static void
first_job(struct job *job, const uint8_t key_hash[KEY_HASH_BYTES], uint64_t now_ms)
{
    const struct zr_header header = {.op = ZR_OP_PRINCIPAL_PUT, .version = 1, .id = 1};
    struct zr_principal_put_request request = {
        .tenant = FIRST_TENANT, .role = ZR_ROLE_ADMIN, .name = "first administrator"};
    struct zr_builder builder;

    first_key(&request.op_id, now_ms);
    memcpy(request.key_hash.bytes, key_hash, sizeof request.key_hash.bytes);
    zr_builder_init(&builder, job->frame, sizeof job->frame);
    zr_principal_put_request_encode(&builder, &header, &request);
    CHECK(!builder.failed);
    zr_header_decode(&job->header, job->frame);
    job->operation = zr_operation_find(ZR_OP_PRINCIPAL_PUT);
    job->deadline_us = UINT64_MAX;
    job->tenant = FIRST_TENANT;
    job->role = ZR_ROLE_ADMIN;
    memcpy(job->principal, key_hash, sizeof job->principal);
}

static enum status
first_commit(struct store *store, struct arena *arena, const uint8_t key_hash[KEY_HASH_BYTES])
{
    struct executor *executor = arena_take(arena, sizeof *executor, "init: executor");
    struct job *job = arena_take(arena, sizeof *job, "init: job");
    struct store_view view;
    struct effects effects;
    struct clock clock;
    enum status status = store_write_begin(store, &view);

    if (status != STATUS_OK) {
        return status;
    }
    clock_init(&clock, false, 0);
    executor->state.view = &view;
    executor->state.tail = tail_open(arena, TAIL_ROWS);
    executor->mac = mac_open();
    executor->head = *store_head(store);
    first_job(job, key_hash, clock_now_ms(&clock));
    execute_job(executor, job, clock_now_ms(&clock), &effects);
    CHECK(job->status == ZR_STATUS_OK);
    executor->head.fold_seq = executor->head.commit_seq;
    memcpy(executor->head.counters, executor->state.counters, sizeof executor->state.counters);
    status = store_commit(&view, &executor->head);
    mac_close(executor->mac);
    return status;
}

int
command_init(struct arguments *arguments)
{
    struct store *store = NULL;
    struct arena arena;
    uint8_t key_hash[KEY_HASH_BYTES];
    enum status status;

    if (arguments->config.data[0] == '\0' || arguments->admin_cert == NULL) {
        log_line(LOG_LEVEL_ERROR, "usage", "do=\"zipringd init --data DIR --admin-cert FILE\"");
        return EXIT_USAGE;
    }
    status = tls_certificate_key_hash(arguments->admin_cert, key_hash);
    if (status != STATUS_OK) {
        log_line(LOG_LEVEL_ERROR, "init", "file=\"%s\" error=\"no certificate in PEM there\"",
                 arguments->admin_cert);
        return EXIT_UNFIT;
    }
    status = store_open(&store, &(struct store_options){.folder = arguments->config.data,
                                                        .map_bytes = (uint64_t)INIT_MAP_GIB << 30,
                                                        .readers_max = 1,
                                                        .create = true});
    if (status != STATUS_OK) {
        return EXIT_UNFIT;
    }
    arena_init(&arena);
    status = first_commit(store, &arena, key_hash);
    store_close(store);
    arena_deinit(&arena);
    if (status != STATUS_OK) {
        return EXIT_DAMAGE;
    }
    log_line(LOG_LEVEL_INFO, "initialised",
             "data=\"%s\" do=\"zipringd serve data=%s cert=... key=... ca=...\"",
             arguments->config.data, arguments->config.data);
    return EXIT_SUCCESS;
}

int
command_replay(struct arguments *arguments)
{
    struct store *from = NULL;
    struct store *into = NULL;
    struct arena arena;
    enum status status;

    if (arguments->config.data[0] == '\0' || arguments->into == NULL) {
        log_line(LOG_LEVEL_ERROR, "usage", "do=\"zipringd replay --data DIR --into NEWDIR\"");
        return EXIT_USAGE;
    }
    arena_init(&arena);
    status = store_open(&from, &(struct store_options){.folder = arguments->config.data,
                                                       .map_bytes = arguments->config.map_gib << 30,
                                                       .readers_max = 1});
    if (status == STATUS_OK) {
        status =
            store_open(&into, &(struct store_options){.folder = arguments->into,
                                                      .map_bytes = (uint64_t)REPLAY_MAP_GIB << 30,
                                                      .readers_max = 1,
                                                      .create = true});
    }
    if (status == STATUS_OK) {
        status = recover_replay(from, into, &arena);
    }
    log_line(status == STATUS_OK ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "replay", "result=\"%s\"",
             status == STATUS_OK ? "the same state" : status_name(status));
    store_close(into);
    store_close(from);
    arena_deinit(&arena);
    return status == STATUS_OK ? EXIT_SUCCESS : EXIT_DAMAGE;
}
