/*
 * test_client_cascade.h - for test_client_cascade.c and test_client_cascade_ends.c: a switch, its
 * call, and a server that is typed in by hand.
 *
 * The client is a whole one, but nobody processes it: the test takes its frames out of the core and
 * hands replies back, so that there is no socket and nothing runs but what the test says. What the
 * switch is told is written down as text: "ring0 hangup0 ring1 bridge1 done".
 */
#ifndef ZR_TEST_CLIENT_CASCADE_H
#define ZR_TEST_CLIENT_CASCADE_H

#include "client/cascade.h"
#include "client/client.h"
#include "tests/lib/test.h"
#include "tests/unit/test_pki.h"

#include <stdio.h>
#include <string.h>

enum {
    WIRE_BYTES = 65536,
    TICKET_LENGTH = 100,
    QUALIFY_MS = 30000,
    RATE_CENTS = 2000,
    CONTRACTOR = 500, /* Of leg 0, then ascending. */
    SERVER_MS = 1700000000,
};

/* What a ring() does at once, inside the callback. */
enum at_once { NOTHING, FAIL_503, CANCEL };

static struct scene {
    struct zr_client *client;
    struct zr_cascade *call;
    struct zr_cascade_options options;
    struct zr_route_request route;
    enum at_once at_once;
    uint64_t features; /* That the server puts in force: ZR_FEATURE_*. */
    bool free_in_done;
    char told[256]; /* The callbacks, in words. */
    unsigned dones;
    struct zr_cascade_story story; /* What done() was told; the pointers into it are copied too. */
    struct zr_cascade_leg legs[ZR_CASCADE_LEGS_MAX];
    struct zr_route_reply refusal;
    struct zr_end_request unanswered;
    struct zr_header asked; /* The request that was taken last, and what it says. */
    union zr_any_message request;
} scene;

static struct {
    char folder[64];
    char ca[128];
    char certificate[128];
    char key[128];
} files;

static inline int
files_setup(void **state)
{
    struct issued authority = issue(NULL, EVP_EC_gen("P-256"), NULL, NULL);
    struct issued leaf = issue(&authority, EVP_EC_gen("P-256"), "clientAuth", "URI:zipring:switch");

    (void)state;
    test_make_dir(files.folder, sizeof files.folder);
    (void)snprintf(files.ca, sizeof files.ca, "%s/ca.pem", files.folder);
    (void)snprintf(files.certificate, sizeof files.certificate, "%s/cert.pem", files.folder);
    (void)snprintf(files.key, sizeof files.key, "%s/key.pem", files.folder);
    write_pem(files.ca, authority.certificate, NULL);
    write_pem(files.certificate, leaf.certificate, NULL);
    write_pem(files.key, NULL, leaf.key);
    issued_free(&leaf);
    issued_free(&authority);
    return 0;
}

static inline int
files_teardown(void **state)
{
    (void)state;
    test_remove_dir(files.folder);
    return 0;
}

/* ---- the switch ------------------------------------------------------------------------------ */

static inline void
tell(const char *what)
{
    const size_t told = strlen(scene.told);

    (void)snprintf(scene.told + told, sizeof scene.told - told, "%s%s", told > 0 ? " " : "", what);
}

static inline void
tell_leg(const char *what, const struct zr_cascade_leg *leg)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%s%u", what, leg->number);
    tell(text);
}

static inline void
on_ring(void *context, const struct zr_cascade_leg *leg)
{
    assert_ptr_equal(context, &scene);
    tell_leg("ring", leg);
    switch (scene.at_once) {
    case NOTHING:
        break;
    case FAIL_503:
        assert_int_equal(zr_call_failed(scene.call, leg->number, 503), 0);
        break;
    case CANCEL:
        assert_int_equal(zr_call_cancel(scene.call), 0);
        break;
    }
}

static inline void
on_bridge(void *context, const struct zr_cascade_leg *leg)
{
    assert_ptr_equal(context, &scene);
    tell_leg("bridge", leg);
}

/* A leg that is being given up waits for no report of its own. */
static inline void
on_hangup(void *context, const struct zr_cascade_leg *leg)
{
    assert_ptr_equal(context, &scene);
    tell_leg("hangup", leg);
    if (leg == &scene.call->legs[leg->number]) { /* Not of a second call. */
        assert_int_equal(zr_call_failed(scene.call, leg->number, 487), ZR_ECANCELED);
        assert_int_equal(zr_call_answered(scene.call, leg->number, 0), ZR_ECANCELED);
    }
}

static inline void
on_done(void *context, const struct zr_cascade_story *story)
{
    assert_ptr_equal(context, &scene);
    tell("done");
    scene.dones++;
    scene.story = *story;
    for (uint8_t i = 0; i < story->legs_count; i++) {
        scene.legs[i] = *story->legs[i];
    }
    if (story->refusal != NULL) {
        scene.refusal = *story->refusal;
    }
    if (story->unanswered != NULL) {
        scene.unanswered = *story->unanswered;
    }
    assert_int_equal(zr_call_cancel(scene.call), ZR_ECANCELED);
    if (scene.free_in_done) {
        zr_call_free(scene.call);
        scene.call = NULL;
    }
}

/* ---- the server ------------------------------------------------------------------------------ */

/* Take the one frame that the client has to send. */
static inline void
take_frame(void)
{
    static uint8_t wire[WIRE_BYTES];
    struct zrc_core *const core = &scene.client->core;
    const size_t bytes = zrc_core_send(core, wire, sizeof wire, zrc_now_ns());
    uint16_t invalid_at;

    assert_int_equal(zr_frame_cut(&scene.asked, wire, bytes, ZR_FRAME_BYTES_LIMIT), ZR_CUT_FRAME);
    assert_int_equal(scene.asked.size, bytes); /* One request is in flight at a time. */
    assert_int_equal(zr_message_decode(&scene.request, &invalid_at,
                                       zr_operation_find(scene.asked.op)->request, &scene.asked,
                                       wire),
                     ZR_DECODE_OK);
}

/* The client has exactly this to send. */
static inline void
assert_asked(uint16_t op)
{
    take_frame();
    assert_int_equal(scene.asked.op, op);
}

/* The client has nothing to send. */
static inline void
assert_quiet(void)
{
    static uint8_t wire[WIRE_BYTES];

    assert_int_equal(zrc_core_send(&scene.client->core, wire, sizeof wire, zrc_now_ns()), 0);
}

/* Answer what was asked last. reply: of the classes that have one. */
static inline void
answer(uint16_t status, const void *reply)
{
    static uint8_t bytes[WIRE_BYTES];
    const struct zr_header header = {.op = scene.asked.op | ZR_OP_RESPONSE,
                                     .version = scene.asked.version,
                                     .id = scene.asked.id,
                                     .status = status,
                                     .credit = 64};
    struct zrc_input input = {.next = bytes, .now_ns = zrc_now_ns()};
    struct zrc_ended ended;
    struct zr_builder builder;

    zr_builder_init(&builder, bytes, sizeof bytes);
    zr_message_encode(&builder, &header, zr_operation_find(scene.asked.op)->reply, reply);
    input.end = bytes + builder.length;
    if (scene.asked.op == ZR_OP_HELLO) {
        assert_int_equal(zrc_core_receive(&scene.client->core, &input, &ended), ZRC_STEP_TAKEN);
        return;
    }
    assert_int_equal(zrc_core_receive(&scene.client->core, &input, &ended), ZRC_STEP_ENDED);
    ended.done(ended.context, &ended.completion);
}

static inline void
server_connect(void)
{
    const struct zr_hello_reply hello = {.features = scene.features,
                                         .server_time_ms = SERVER_MS,
                                         .frame_bytes_max = ZR_FRAME_BYTES_LIMIT,
                                         .protocol = 1,
                                         .credit = 64,
                                         .role = ZR_ROLE_SWITCH,
                                         .manual_clock = true};

    zrc_core_connect(&scene.client->core, zrc_now_ns());
    assert_asked(ZR_OP_HELLO);
    answer(0, &hello);
}

/* The connection breaks, and nothing is sent again: what was in flight is EUNKNOWN. */
static inline void
server_lose(void)
{
    zrc_core_lose(&scene.client->core);
    (void)zrc_client_run_ended(scene.client);
    server_connect();
}

/* ---- replies --------------------------------------------------------------------------------- */

/* Candidate `number` of the call; its ticket is full of his number. */
static inline void
answer_candidate(uint8_t number)
{
    struct zr_route_reply reply = {
        .call_ref = {{0xEF}},
        .qualify_ms = QUALIFY_MS,
        .attempt = number,
        .ticket_length = TICKET_LENGTH,
        .candidates_count = 1,
        .candidates = {{.phone = UINT64_C(12810000000) + number,
                        .contractor = CONTRACTOR + number,
                        .rate_cents = RATE_CENTS,
                        .ring_timeout_s = 30,
                        .index = number,
                        .rank = (uint8_t)(number + 1)}},
    };

    memset(reply.ticket, number + 1, TICKET_LENGTH);
    answer(0, &reply);
}

static inline void
answer_refused(uint16_t status)
{
    static const struct zr_route_reply reply = {.zips = {77581, 77584}};

    answer(status, &reply);
}

static inline void
answer_connected(void)
{
    static const struct zr_connect_reply reply = {.hold_cents = RATE_CENTS,
                                                  .qualify_ms = QUALIFY_MS,
                                                  .state = ZR_CALL_CONNECTED,
                                                  .settlement = ZR_SETTLEMENT_OPEN};

    answer(0, &reply);
}

/* To QUALIFY, KEEPALIVE and END. */
static inline void
answer_settled(uint8_t state, uint8_t settlement)
{
    const struct zr_settlement_reply reply = {
        .amount_cents = settlement == ZR_SETTLEMENT_CHARGED ? RATE_CENTS : 0,
        .talk_ms = scene.request.end_request.talk_ms,
        .state = state,
        .settlement = settlement,
    };

    answer(0, &reply);
}

/* ---- the call -------------------------------------------------------------------------------- */

static inline void
assert_told(const char *told)
{
    assert_string_equal(scene.told, told);
}

/* A client with room for `inflight_max` requests, connected; nothing is sent twice. These features
 * are offered and in force. */
static inline void
scene_open_with(uint32_t inflight_max, uint64_t features)
{
    struct zr_options options = ZR_OPTIONS_INIT;

    memset(&scene, 0, sizeof scene);
    options.uri = "zipring://127.0.0.1:1";
    options.cert_file = files.certificate;
    options.key_file = files.key;
    options.ca_file = files.ca;
    options.inflight_max = inflight_max;
    options.request_timeout_ms = 600000;
    options.flags = ZR_OPTION_NO_RETRY;
    options.flags |= (features & ZR_FEATURE_KEEPALIVE) != 0 ? ZR_OPTION_KEEPALIVE : 0;
    scene.features = features;
    assert_int_equal(zr_client_open(&scene.client, &options, NULL), 0);
    scene.route = (struct zr_route_request){.call_id = {{0xCA, 0x11}},
                                            .zips = {77581},
                                            .zips_count = 1,
                                            .category = 7,
                                            .caller_kind = ZR_CALLER_WITHHELD,
                                            .want = 4};
    scene.options = (struct zr_cascade_options){.size = sizeof scene.options,
                                                .route = &scene.route,
                                                .ring = on_ring,
                                                .bridge = on_bridge,
                                                .hangup = on_hangup,
                                                .done = on_done,
                                                .context = &scene};
    server_connect();
}

static inline void
scene_open(uint32_t inflight_max)
{
    scene_open_with(inflight_max, 0);
}

/* The call is begun and its ROUTE is on the wire. */
static inline void
scene_begin(void)
{
    scene_open(4);
    assert_int_equal(zr_call_begin(scene.client, &scene.options, &scene.call), 0);
    assert_asked(ZR_OP_ROUTE);
}

/* Leg 0 rings. */
static inline void
scene_ring(void)
{
    scene_begin();
    answer_candidate(0);
    assert_quiet();
}

/* Leg 0 has answered and CONNECT is on the wire. */
static inline void
scene_answer(void)
{
    scene_ring();
    assert_int_equal(zr_call_answered(scene.call, 0, SERVER_MS + 7), 0);
    assert_asked(ZR_OP_CONNECT);
}

/* Leg 0 is bridged. */
static inline void
scene_talk(void)
{
    scene_answer();
    answer_connected();
    assert_quiet();
}

/* done() has run once with this result; close everything, and it does not run again. */
static inline void
scene_close(int result)
{
    assert_int_equal(scene.dones, 1);
    assert_int_equal(scene.story.result, result);
    assert_memory_equal(&scene.story.call_id, &scene.route.call_id, sizeof(struct zr_id));
    assert_null(scene.client->cascades);
    zr_client_close(scene.client);
    assert_int_equal(scene.dones, 1);
    zr_call_free(scene.call);
}

#endif
