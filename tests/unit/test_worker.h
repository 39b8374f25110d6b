/*
 * test_worker.h - a worker's handlers over a real committer, without a network: frames of a session
 * go in, replies come out at once or with a later turn. For test_service.c and test_worker_calls.c.
 */
#ifndef ZR_TEST_WORKER_H
#define ZR_TEST_WORKER_H

#include "server/handlers/dispatch.h"
#include "server/handlers/session.h"
#include "tests/unit/test_commit.h"

enum { CATEGORY = 1, FUND = 50 * RIG_RATE, SERVICE_JOBS = 4, CALLS_MAX = 8, POSTED_MAX = 16 };

static struct service *service;
static struct request_port port;
static uint32_t contractor;

/* What the last frame got: at once, or posted later. */
static uint8_t reply_bytes[ZR_FRAME_BYTES_LIMIT];
static struct zr_header answer;
static int posted_count;

/* ---- the network that is none -------------------------------------------------------------- */

static inline void
take_reply(const uint8_t *frame)
{
    const struct zr_operation *operation;
    uint16_t invalid_at;

    zr_header_decode(&answer, frame);
    operation = zr_operation_find(answer.op & (uint16_t)~ZR_OP_RESPONSE);
    assert_non_null(operation);
    if (rig_has_body(answer.status)) {
        assert_int_equal(
            zr_message_decode(&rig.reply, &invalid_at, operation->reply, &answer, frame),
            ZR_DECODE_OK);
    }
}

static inline void
net_reply(void *context, struct conn_ref conn, const uint8_t *frame, size_t bytes)
{
    (void)context;
    assert_int_equal(conn.slot, 7);
    memcpy(reply_bytes, frame, bytes);
    posted_count++;
}

static inline void
turn_begin(void)
{
    port.on_turn_begin(port.context, 0);
}

static inline void
turn_end(void)
{
    port.on_turn_end(port.context);
}

/* One frame of that session, within the turn. */
static inline enum frame_verdict
send(struct session *session, uint16_t op, const void *message)
{
    static struct job frame; /* A place to encode it in. */
    struct request request = {.conn = {.slot = 7, .generation = 1}, .session = session};
    struct zr_builder builder;
    enum frame_verdict verdict;

    rig_fill(&frame, rig_admin, op, message);
    request.header = frame.header;
    request.frame = frame.frame;
    zr_builder_init(&builder, reply_bytes, sizeof reply_bytes);
    verdict = port.on_frame(port.context, &request, &builder);
    assert_int_equal(verdict == FRAME_DEFERRED, builder.length == 0);
    if (verdict != FRAME_DEFERRED) {
        take_reply(reply_bytes);
        assert_int_equal(answer.id, frame.header.id);
    }
    return verdict;
}

/* A turn of its own, and as many more until the reply is there. Returns the status. */
static inline uint16_t
ask(struct session *session, uint16_t op, const void *message)
{
    const int before = posted_count;

    turn_begin();
    if (send(session, op, message) != FRAME_DEFERRED) {
        turn_end();
        return answer.status;
    }
    turn_end();
    while (posted_count == before) {
        assert_true(rig_wait_wake());
        turn_begin();
        turn_end();
    }
    take_reply(reply_bytes);
    return answer.status;
}

/* ---- sessions ----------------------------------------------------------------------------- */

static inline struct peer_identity
peer_of(uint8_t key, uint32_t tenant, uint8_t role)
{
    struct peer_identity peer = {.key_hash = {key}};

    (void)snprintf(peer.san, sizeof peer.san, "urn:zipring:tenant:%u:role:%s", tenant,
                   zr_role_name(role));
    for (char *at = peer.san; *at != '\0'; at++) {
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at);
    }
    return peer;
}

static const struct zr_hello_request hello = {
    .magic = UINT64_C(0x31474E495250495A),
    .protocol_min = 1,
    .protocol_max = 1,
    .client_kind = ZR_CLIENT_OTHER,
};

static inline void
put_principal(uint8_t key, uint32_t tenant, uint8_t role, uint32_t of_contractor)
{
    struct zr_principal_put_request request = {
        .op_id = rig_key(), .key_hash = {{key}}, .tenant = tenant, .role = role, .name = "test"};

    request.contractor = of_contractor;
    assert_int_equal(rig_send(rig_admin, ZR_OP_PRINCIPAL_PUT, &request), ZR_STATUS_OK);
}

/* A session after HELLO, of principal `role`: its key is its role. */
static inline struct session
session_of(uint8_t role)
{
    struct session session = {.peer = peer_of(role, RIG_TENANT, role)};

    assert_int_equal(ask(&session, ZR_OP_HELLO, &hello), ZR_STATUS_OK);
    assert_true(session.ready);
    assert_int_equal(session.role, role);
    return session;
}

static inline void
revoke_key(uint8_t key)
{
    struct zr_principal_revoke_request request = {.op_id = rig_key(), .key_hash = {{key}}};

    assert_int_equal(rig_send(rig_admin, ZR_OP_PRINCIPAL_REVOKE, &request), ZR_STATUS_OK);
}

/* ---- fixture ------------------------------------------------------------------------------- */

/* The committer's thread, and a worker over it that remembers nothing. */
static inline void
worker_serve(void)
{
    const struct net_port net = {.reply = net_reply, .wake = rig_wake};

    rig_serve();
    service = service_open(&(struct service_options){
        .arena = &rig.arena,
        .store = rig.store,
        .committer = rig.committer,
        .hot = rig.hot,
        .cascades = rig.cascades,
        .clock = &rig.clock,
        .jobs_max = SERVICE_JOBS,
        .calls_max = CALLS_MAX,
        .frame_bytes_max = ZR_FRAME_BYTES_LIMIT,
        .credit_default = 64,
        .credit_max = 256,
        .timeout_us_default = 5000000,
        .peers = "",
        .bench = true,
    });
    service_bind(service, &net);
    port = service_port(service);
}

/* A market with one claim; a principal of every role; a worker over the committer. */
static inline int
worker_setup(void **state)
{
    struct zr_claim_request claim = {
        .accept_backup = true, .slots = {{RIG_ZIP, CATEGORY}}, .slots_count = 1};

    if (rig_setup(state) != 0) {
        return -1;
    }
    assert_int_equal(rig_category(rig_key(), "plumbing"), ZR_STATUS_OK);
    contractor = rig_contractor(FUND);
    claim.op_id = rig_key();
    claim.contractor = contractor;
    assert_int_equal(rig_send(rig_portal, ZR_OP_CLAIM, &claim), ZR_STATUS_OK);
    for (uint8_t role = ZR_ROLE_SWITCH; zr_role_name(role) != NULL; role++) {
        put_principal(role, RIG_TENANT, role, role == ZR_ROLE_CONTRACTOR ? contractor : 0);
    }
    rig_commit(1000);
    rig_crash();
    worker_serve();
    posted_count = 0;
    return 0;
}

/* A restart: what the worker remembers is lost. */
static inline void
worker_restart(void)
{
    service_close(service);
    rig_stop();
    worker_serve();
}

static inline int
worker_teardown(void **state)
{
    service_close(service);
    rig_stop();
    return rig_teardown(state);
}

/* ---- a call -------------------------------------------------------------------------------- */

static inline struct zr_route_request
route_request(void)
{
    return (struct zr_route_request){
        .call_id = rig_id(),
        .zips = {RIG_ZIP},
        .zips_count = 1,
        .caller = 12815550000 + rig.serial,
        .category = CATEGORY,
        .caller_kind = ZR_CALLER_PLAIN,
        .want = 1,
        .flags = 2, /* hold */
    };
}

static inline struct eligibility_contractor
hot_now(void)
{
    struct eligibility_contractor known;

    hot_look(rig.hot, contractor, &known);
    return known;
}

#endif
