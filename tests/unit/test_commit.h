/*
 * test_commit.h - a store with a small market, and commands sent into it: for the tests of commit/.
 *
 * A rig works in one of two ways. Opened with rig_open() it executes commands on this thread, and
 * the test says when a batch is committed and how many rows are folded: nothing happens by itself.
 * rig_serve() puts the committer's thread behind it instead; rig_send() then submits and waits.
 * Leaving a rig with rig_crash() drops all memory as a power cut would.
 */
#ifndef ZR_TEST_COMMIT_H
#define ZR_TEST_COMMIT_H

#include "server/base/log.h"
#include "server/commit/committer.h"
#include "server/commit/execute.h"
#include "server/commit/recover.h"
#include "tests/lib/test.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    RIG_ZIP = 77581,
    RIG_TENANT = 2,
    RIG_TAIL_ROWS = 4096,
    RIG_JOBS = 64,
    RIG_CONTRACTORS_MAX = 128,
    RIG_MAP_MIB = 64,
    RIG_WAIT_S = 20,
    RIG_RATE = 2000,
};

struct rig_actor {
    uint8_t role;
    uint32_t tenant;
};

static const struct rig_actor rig_admin = {ZR_ROLE_ADMIN, 1};
static const struct rig_actor rig_portal = {ZR_ROLE_PORTAL, RIG_TENANT};
static const struct rig_actor rig_switch = {ZR_ROLE_SWITCH, RIG_TENANT};
static const struct rig_actor rig_payments = {ZR_ROLE_PAYMENTS, 4};

struct rig {
    char folder[64];
    uint64_t map_mib;
    uint32_t tail_rows;
    uint32_t fold_slice;
    uint32_t contractors_max;
    uint64_t skip_ms; /* The next start is this long after the last stop: an outage. */
    struct store *store;
    struct arena arena;
    struct clock clock;
    uint64_t serial;

    /* By hand. */
    struct tail *tail;
    struct store_view view;
    struct executor executor;
    struct effects effects;

    /* With the thread. */
    struct committer *committer; /* NULL: by hand. */
    struct hot *hot;
    struct cascades *cascades;
    sem_t woken;

    struct job jobs[RIG_JOBS];
    struct job *last; /* What rig_send() sent. */
    union zr_any_message reply;
};

/* Big, and zero at the start of each test. */
static struct rig rig;

/* ---- requests ---------------------------------------------------------------------------- */

static inline struct zr_id
rig_id(void)
{
    struct zr_id id = {{0xC0}};

    rig.serial++;
    memcpy(id.bytes + 8, &rig.serial, sizeof rig.serial);
    return id;
}

/* A UUIDv7 of that time. */
static inline struct zr_id
rig_key_at(uint64_t time_ms)
{
    struct zr_id key = rig_id();

    for (int i = 0; i < 6; i++) {
        key.bytes[i] = (uint8_t)(time_ms >> (40 - 8 * i));
    }
    key.bytes[6] = 0x70;
    key.bytes[7] = 0;
    return key;
}

static inline struct zr_id
rig_key(void)
{
    return rig_key_at(clock_now_ms(&rig.clock));
}

/* Fill a job as dispatch does. */
static inline void
rig_fill(struct job *job, struct rig_actor actor, uint16_t op, const void *request)
{
    const struct zr_operation *operation = zr_operation_find(op);
    struct zr_header header = {.op = op, .id = ++rig.serial};
    struct zr_builder builder;

    assert_non_null(operation);
    header.version = operation->version;
    zr_builder_init(&builder, job->frame, sizeof job->frame);
    zr_message_encode(&builder, &header, operation->request, request);
    assert_false(builder.failed);
    zr_header_decode(&job->header, job->frame);
    job->operation = operation;
    job->deadline_us = clock_now_us(&rig.clock) + 5000000;
    job->tenant = actor.tenant;
    job->role = actor.role;
    job->contractor = 0;
    job->keepalive = false;
    job->lease_contractor = 0;
    job->lease_cents = 0;
}

/* ---- by hand ----------------------------------------------------------------------------- */

static inline void
rig_open_store(bool create)
{
    const struct store_head *head;

    assert_int_equal(store_open(&rig.store, &(struct store_options){.folder = rig.folder,
                                                                    .map_bytes = rig.map_mib << 20,
                                                                    .readers_max = 4,
                                                                    .create = create}),
                     STATUS_OK);
    head = store_head(rig.store);
    arena_init(&rig.arena);
    clock_init(&rig.clock, true, head->log_ms > head->alive_ms ? head->log_ms : head->alive_ms);
}

static inline void
rig_open(bool create)
{
    rig_open_store(create);
    rig.tail = tail_open(&rig.arena, rig.tail_rows);
    rig.executor = (struct executor){
        .state = {.view = &rig.view, .tail = rig.tail},
        .mac = mac_open(),
        .clock = &rig.clock,
        .head = *store_head(rig.store),
    };
    state_forget(&rig.executor.state, rig.executor.head.counters);
    assert_int_equal(store_write_begin(rig.store, &rig.view), STATUS_OK);
}

/* The batch so far becomes durable, after folding up to so many rows; the next one begins. */
static inline void
rig_commit(uint32_t fold_rows)
{
    struct executor *executor = &rig.executor;

    assert_int_equal(state_failure(&executor->state), STATUS_OK);
    (void)tail_fold(rig.tail, &rig.view, fold_rows);
    executor->head.fold_seq = tail_folded_to(rig.tail, executor->head.commit_seq);
    executor->head.alive_ms = clock_now_ms(&rig.clock);
    memcpy(executor->head.counters, executor->state.counters, sizeof executor->state.counters);
    assert_int_equal(store_commit(&rig.view, &executor->head), STATUS_OK);
    tail_batch_done(rig.tail);
    assert_int_equal(store_write_begin(rig.store, &rig.view), STATUS_OK);
}

/* Forget everything that is not on disk. */
static inline void
rig_crash(void)
{
    store_abort(&rig.view);
    mac_close(rig.executor.mac);
    store_close(rig.store);
    arena_deinit(&rig.arena);
}

/* ---- with the thread --------------------------------------------------------------------- */

static inline void
rig_wake(void *context)
{
    (void)context;
    (void)sem_post(&rig.woken);
}

/* Everything that the committer stands on, and the committer; not started. */
static inline enum status
rig_recover(void)
{
    rig_open_store(false);
    clock_advance_ms(&rig.clock, rig.skip_ms);
    rig.hot = hot_open(&rig.arena, rig.contractors_max);
    rig.cascades = cascades_open(&rig.arena);
    return committer_open(&rig.committer, &(struct committer_options){
                                              .arena = &rig.arena,
                                              .store = rig.store,
                                              .clock = &rig.clock,
                                              .hot = rig.hot,
                                              .cascades = rig.cascades,
                                              .jobs_max = RIG_JOBS,
                                              .batch_max = RIG_JOBS / 2,
                                              .tail_rows_max = rig.tail_rows,
                                              .fold_slice = rig.fold_slice,
                                              .decisions_max = RIG_JOBS,
                                              .rings_max = RIG_JOBS,
                                              .units_max = RIG_JOBS,
                                          });
}

static inline void
rig_start(void)
{
    assert_int_equal(sem_init(&rig.woken, 0, 0), 0);
    assert_int_equal(committer_start(rig.committer, rig_wake, NULL), STATUS_OK);
}

static inline void
rig_serve(void)
{
    assert_int_equal(rig_recover(), STATUS_OK);
    rig_start();
}

/* Undo rig_recover(), whatever it said. */
static inline void
rig_leave(void)
{
    if (rig.committer != NULL) {
        committer_close(rig.committer);
    }
    rig.committer = NULL;
    store_close(rig.store);
    arena_deinit(&rig.arena);
}

static inline void
rig_stop(void)
{
    committer_stop(rig.committer);
    rig_leave();
    (void)sem_destroy(&rig.woken);
}

/* Wait for a wake; false when none comes. */
static inline bool
rig_wait_wake(void)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RIG_WAIT_S;
    return sem_timedwait(&rig.woken, &until) == 0;
}

/* The next answered job. */
static inline struct job *
rig_wait(void)
{
    struct job *job;

    while ((job = committer_take_done(rig.committer)) == NULL) {
        assert_true(rig_wait_wake());
    }
    return job;
}

/* ---- sending ----------------------------------------------------------------------------- */

static inline bool
rig_has_body(uint16_t status)
{
    return zr_status_class(status) == ZR_CLASS_DONE || zr_status_class(status) == ZR_CLASS_REFUSED;
}

/* Execute what rig.last asks; its reply stands in rig.reply when it has a body. */
static inline uint16_t
rig_execute(void)
{
    struct zr_header header;
    uint16_t invalid_at;

    if (rig.committer != NULL) {
        assert_true(committer_submit(rig.committer, rig.last));
        assert_ptr_equal(rig_wait(), rig.last);
    } else {
        execute_job(&rig.executor, rig.last, clock_now_ms(&rig.clock), &rig.effects);
    }
    zr_header_decode(&header, rig.last->reply);
    assert_int_equal(header.status, rig.last->status);
    assert_int_equal(header.size, rig.last->reply_bytes);
    if (rig_has_body(header.status)) {
        assert_int_equal(zr_message_decode(&rig.reply, &invalid_at, rig.last->operation->reply,
                                           &header, rig.last->reply),
                         ZR_DECODE_OK);
    }
    return rig.last->status;
}

static inline uint16_t
rig_send(struct rig_actor actor, uint16_t op, const void *request)
{
    rig.last = &rig.jobs[0];
    rig_fill(rig.last, actor, op, request);
    return rig_execute();
}

/* ---- the market -------------------------------------------------------------------------- */

static inline struct zr_topup_request
rig_topup_request(uint32_t contractor, int64_t cents)
{
    struct zr_topup_request request = {.amount_cents = cents, .contractor = contractor};

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "ref-%llu",
                   (unsigned long long)++rig.serial);
    return request;
}

static inline uint16_t
rig_topup(uint32_t contractor, int64_t cents)
{
    const struct zr_topup_request request = rig_topup_request(contractor, cents);

    return rig_send(rig_payments, ZR_OP_TOPUP, &request);
}

static inline struct zr_contractor_put_request
rig_contractor_request(void)
{
    return (struct zr_contractor_put_request){
        .op_id = rig_key(),
        .contractor_id = rig_id(),
        .office_zip = RIG_ZIP,
        .size_class = ZR_SIZE_MULTI,
        .name = "a contractor",
        .phones = {{12815550100 + rig.serial}},
        .phones_count = 1,
    };
}

/* A new one, APPROVED, with so much money. */
static inline uint32_t
rig_contractor(int64_t cents)
{
    const struct zr_contractor_put_request request = rig_contractor_request();
    struct zr_contractor_status_request approve = {.contractor_status = ZR_CONTRACTOR_APPROVED};

    assert_int_equal(rig_send(rig_portal, ZR_OP_CONTRACTOR_PUT, &request), ZR_STATUS_OK);
    approve.contractor = rig.reply.contractor_put_reply.contractor;
    approve.op_id = rig_key();
    assert_int_equal(rig_send(rig_admin, ZR_OP_CONTRACTOR_STATUS, &approve), ZR_STATUS_OK);
    if (cents > 0) {
        assert_int_equal(rig_topup(approve.contractor, cents), ZR_STATUS_OK);
    }
    return approve.contractor;
}

static inline int64_t
rig_posted(uint32_t contractor)
{
    const struct zr_wallet_get_request request = {.contractor = contractor};

    assert_int_equal(rig_send(rig_portal, ZR_OP_WALLET_GET, &request), ZR_STATUS_OK);
    return rig.reply.wallet_get_reply.posted_cents;
}

static inline uint16_t
rig_category(struct zr_id key, const char *name)
{
    struct zr_category_put_request request = {
        .op_id = key, .rate_cents = RIG_RATE, .offered = true, .zips_action = ZR_ZIPS_EVERYWHERE};

    (void)snprintf(request.name, sizeof request.name, "%s", name);
    return rig_send(rig_admin, ZR_OP_CATEGORY_PUT, &request);
}

/* A ticket as ROUTE would sign it; rules trust it, so no signature is looked at here. */
static inline struct ticket
rig_ticket(uint32_t contractor)
{
    const uint64_t now_ms = clock_now_ms(&rig.clock);
    struct ticket ticket = {
        .call_id = rig_id(),
        .call_ref = rig_id(),
        .issued_ms = now_ms,
        .expires_ms = now_ms + 120000,
        .tenant = RIG_TENANT,
        .zip = RIG_ZIP,
        .category = 1,
        .qualify_ms = 90000,
        .ring_timeout_s = 20,
        .mode = TICKET_STEP,
        .candidates_count = 1,
        .candidates =
            {{.claim_seq = 1, .contractor = contractor, .rate_cents = RIG_RATE, .rank = 1}},
    };

    /* Time first, as deciding_call_ref() makes it. */
    for (int i = 0; i < 8; i++) {
        ticket.call_ref.bytes[i] = (uint8_t)(now_ms >> (56 - 8 * i));
    }
    memcpy(ticket.call_ref.bytes + 8, &rig.serial, sizeof rig.serial);
    return ticket;
}

static inline struct zr_connect_request
rig_connect_request(const struct ticket *ticket)
{
    static struct mac *mac;
    static const struct ticket_keys keys = {.count = 1};
    struct zr_connect_request request = {0};

    mac = mac == NULL ? mac_open() : mac;
    request.ticket_length = ticket_encode(request.ticket, ticket, &keys, mac);
    return request;
}

static inline uint16_t
rig_connect(const struct ticket *ticket)
{
    const struct zr_connect_request request = rig_connect_request(ticket);

    return rig_send(rig_switch, ZR_OP_CONNECT, &request);
}

static inline uint16_t
rig_end(const struct ticket *ticket, uint32_t talk_ms)
{
    const struct zr_end_request request = {.call_id = ticket->call_id,
                                           .talk_ms = talk_ms,
                                           .index = 255,
                                           .who_hung_up = ZR_HUNG_UP_CALLER};

    return rig_send(rig_switch, ZR_OP_END, &request);
}

/* ---- replay (E64) ------------------------------------------------------------------------ */

/* Replay the rig's database into a new folder. */
static inline enum status
rig_replay(void)
{
    struct store *into = NULL;
    struct arena arena;
    enum status status;
    char folder[64];

    test_make_dir(folder, sizeof folder);
    arena_init(&arena);
    rig_open_store(false);
    assert_int_equal(store_open(&into, &(struct store_options){.folder = folder,
                                                               .map_bytes = rig.map_mib << 20,
                                                               .readers_max = 1,
                                                               .create = true}),
                     STATUS_OK);
    status = recover_replay(rig.store, into, &arena);
    store_close(into);
    arena_deinit(&arena);
    test_remove_dir(folder);
    rig_leave();
    return status;
}

/* The rig's ZIP did not come through the journal; this one does. */
static inline void
rig_import_zip(void)
{
    const uint64_t zip = RIG_ZIP;
    struct zr_zip_put_request request = {
        .op_id = rig_key(),
        .import_id = rig_id(),
        .rows_total = 1,
        .parts = 1,
        .rows_count = 1,
        .rows = {{.zip = RIG_ZIP, .claimable = true, .state = "TX", .timezone = "US/Central"}},
    };
    uint8_t bytes[256];
    struct zr_builder builder;

    store_del(&rig.view, TABLE_ZIP, &zip, sizeof zip);
    zr_builder_init(&builder, bytes, sizeof bytes);
    zr_zip_row_shape.put_block(&builder, &request.rows[0]);
    sha256_of(rig.executor.mac, request.digest.bytes, bytes, builder.length);
    assert_int_equal(rig_send(rig_admin, ZR_OP_ZIP_PUT, &request), ZR_STATUS_OK);
    assert_true(rig.reply.zip_put_reply.flipped);
}

/* ---- fixtures ---------------------------------------------------------------------------- */

/* A database with one ZIP, by hand and open. */
static inline int
rig_setup(void **state)
{
    const struct zip_row zip = {.claimable = 1, .state = "TX", .timezone = "US/Central"};

    (void)state;
    rig = (struct rig){
        .map_mib = RIG_MAP_MIB,
        .tail_rows = RIG_TAIL_ROWS,
        .fold_slice = 4,
        .contractors_max = RIG_CONTRACTORS_MAX,
    };
    test_make_dir(rig.folder, sizeof rig.folder);
    rig_open(true);
    state_zip_put(&rig.executor.state, RIG_ZIP, &zip);
    rig_commit(0);
    return 0;
}

/* After the test left the rig by rig_crash() or rig_stop(). */
static inline int
rig_teardown(void **state)
{
    (void)state;
    test_remove_dir(rig.folder);
    return 0;
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

#endif
