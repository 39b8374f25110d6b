/*
 * test_client.h - for test_client_core.c and test_client_session.c: a client core, and a server
 * that is typed in by hand.
 *
 * There is no socket and no clock: the test hands over time and bytes, and looks at what comes
 * out.
 */
#ifndef ZR_TEST_CLIENT_H
#define ZR_TEST_CLIENT_H

#include "client/core.h"
#include "protocol/bytes.h"
#include "protocol/message.h"
#include "tests/lib/test.h"

#include <string.h>

enum { WIRE_BYTES = 65536, DONE_MAX = 64, SERVER_MS = 1700000000 };

#define NOW_START (1000 * ZRC_NS_PER_MS)
#define TIMEOUT   (5000 * ZRC_NS_PER_MS)

/* One client core, its server's view of the wire, and what the callbacks saw. */
struct fixture {
    struct zrc_core core;
    uint64_t now_ns;
    uint64_t seed;
    uint8_t wire[WIRE_BYTES]; /* What the last pump sent. */
    size_t wire_bytes;
    struct zr_header sent[DONE_MAX]; /* Its frames. */
    const uint8_t *frames[DONE_MAX];
    size_t sent_count;
    int results[DONE_MAX]; /* By the number of the request; 1 = has not ended. */
    int ends[DONE_MAX];
    struct zr_completion last;
    unsigned pushes[ZRC_PUSHES]; /* Taken, by kind. */
    bool resubmit;               /* Callbacks submit one more PING. */
};

enum { NOT_ENDED = 1 };

static struct fixture fixture;

static inline void
deterministic_random(void *context, uint8_t *bytes, size_t bytes_count)
{
    struct fixture *const f = context;

    for (size_t i = 0; i < bytes_count; i++) {
        bytes[i] = (uint8_t)test_random(&f->seed);
    }
}

static inline struct fixture *
fixture_open(uint32_t slots, uint32_t flags)
{
    struct fixture *const f = &fixture;
    const struct zrc_core_options options = {
        .slots_count = slots,
        .frame_bytes_max = ZR_FRAME_BYTES_LIMIT,
        .timeout_ns = TIMEOUT,
        .flags = flags,
        .client_kind = ZR_CLIENT_SDK,
        .build = "test",
        .random = deterministic_random,
        .random_context = f,
    };

    memset(f, 0, sizeof *f);
    f->now_ns = NOW_START;
    f->seed = 1;
    for (size_t i = 0; i < DONE_MAX; i++) {
        f->results[i] = NOT_ENDED;
    }
    assert_true(zrc_core_init(&f->core, &options));
    return f;
}

static inline void
fixture_close(struct fixture *f)
{
    zrc_core_deinit(&f->core);
}

static inline int submit(struct fixture *f, uint16_t op, const void *request, size_t number);

static inline void
on_done(void *context, const struct zr_completion *completion)
{
    const size_t number = (size_t)((int *)context - fixture.results);

    fixture.results[number] = completion->result;
    fixture.ends[number]++;
    fixture.last = *completion;
    if (fixture.resubmit) {
        fixture.resubmit = false;
        assert_int_equal(submit(&fixture, ZR_OP_PING, NULL, DONE_MAX - 1), 0);
    }
}

static inline int
submit(struct fixture *f, uint16_t op, const void *request, size_t number)
{
    const struct zr_submission submission = {.size = sizeof submission,
                                             .op = op,
                                             .request = request,
                                             .done = on_done,
                                             .context = &f->results[number]};

    return zrc_core_submit(&f->core, &submission, f->now_ns);
}

static inline void
run_ended(struct fixture *f)
{
    struct zrc_ended ended;

    while (zrc_core_take(&f->core, &ended)) {
        ended.done(ended.context, &ended.completion);
    }
}

/* Let time pass and send; the frames are in f->sent. */
static inline void
pump(struct fixture *f, uint64_t ms)
{
    size_t at = 0;

    f->now_ns += ms * ZRC_NS_PER_MS;
    zrc_core_tick(&f->core, f->now_ns);
    run_ended(f);
    f->wire_bytes = zrc_core_send(&f->core, f->wire, sizeof f->wire, f->now_ns);
    run_ended(f);
    for (f->sent_count = 0; at < f->wire_bytes; f->sent_count++) {
        assert_in_range(f->sent_count, 0, DONE_MAX - 1);
        assert_int_equal(zr_frame_cut(&f->sent[f->sent_count], f->wire + at, f->wire_bytes - at,
                                      ZR_FRAME_BYTES_LIMIT),
                         ZR_CUT_FRAME);
        f->frames[f->sent_count] = f->wire + at;
        at += f->sent[f->sent_count].size;
    }
}

static inline bool
feed(struct fixture *f, const uint8_t *bytes, size_t bytes_count)
{
    struct zrc_input input = {.next = bytes, .end = bytes + bytes_count, .now_ns = f->now_ns};
    struct zrc_ended ended;

    for (;;) {
        switch (zrc_core_receive(&f->core, &input, &ended)) {
        case ZRC_STEP_INCOMPLETE:
            return true;
        case ZRC_STEP_TAKEN:
            break;
        case ZRC_STEP_ENDED:
            ended.done(ended.context, &ended.completion);
            break;
        case ZRC_STEP_PUSHED:
            f->pushes[f->core.pushed]++;
            break;
        case ZRC_STEP_BROKEN:
            return false;
        }
    }
}

/* Answer a frame with a status and a zeroed body where the class has one. */
static inline size_t
reply_encode(uint8_t *bytes, const struct zr_header *request, uint16_t status, uint16_t detail)
{
    static const union zr_any_message zero;
    const struct zr_operation *const operation = zr_operation_find(request->op);
    const struct zr_header header = {.op = request->op | ZR_OP_RESPONSE,
                                     .version = request->version,
                                     .id = request->id,
                                     .status = status,
                                     .detail = detail,
                                     .credit = (uint16_t)fixture.core.window};
    const bool body = status < 0x1000 || status >> 8 == ZR_CLASS_REFUSED;
    struct zr_builder builder;

    zr_builder_init(&builder, bytes, ZR_FRAME_BYTES_LIMIT);
    zr_message_encode(&builder, &header, operation == NULL ? &zr_empty_shape : operation->reply,
                      body ? &zero : NULL);
    assert_false(builder.failed);
    return builder.length;
}

static inline bool
answer(struct fixture *f, const struct zr_header *request, uint16_t status, uint16_t detail)
{
    uint8_t bytes[ZR_FRAME_BYTES_LIMIT];

    return feed(f, bytes, reply_encode(bytes, request, status, detail));
}

static inline size_t
hello_encode(uint8_t *bytes, uint64_t id, uint16_t credit, bool manual)
{
    const struct zr_hello_reply hello = {.server_time_ms = SERVER_MS,
                                         .frame_bytes_max = ZR_FRAME_BYTES_LIMIT,
                                         .protocol = 1,
                                         .credit = credit,
                                         .role = ZR_ROLE_SWITCH,
                                         .manual_clock = manual};
    const struct zr_header header = {
        .op = ZR_OP_HELLO | ZR_OP_RESPONSE, .version = 1, .id = id, .credit = credit};
    struct zr_builder builder;

    zr_builder_init(&builder, bytes, ZR_FRAME_BYTES_LIMIT);
    zr_hello_reply_encode(&builder, &header, &hello);
    return builder.length;
}

static inline void
connect_with(struct fixture *f, uint16_t credit, bool manual)
{
    uint8_t bytes[ZR_FRAME_BYTES_LIMIT];

    zrc_core_connect(&f->core, f->now_ns);
    pump(f, 0);
    assert_int_equal(f->sent_count, 1);
    assert_int_equal(f->sent[0].op, ZR_OP_HELLO);
    assert_in_range(f->sent[0].size, ZR_HEADER_BYTES, ZR_HELLO_BYTES_MAX);
    assert_true(feed(f, bytes, hello_encode(bytes, f->sent[0].id, credit, manual)));
    assert_int_equal(f->core.session, ZRC_SESSION_READY);
}

static inline void
goaway(struct fixture *f, uint64_t last_id, uint32_t drain_ms)
{
    const struct zr_goaway message = {
        .last_id = last_id, .drain_ms = drain_ms, .reason = ZR_GOAWAY_DRAINING};
    const struct zr_header header = {.op = ZR_OP_GOAWAY | ZR_OP_RESPONSE, .version = 1};
    uint8_t bytes[64];
    struct zr_builder builder;

    zr_builder_init(&builder, bytes, sizeof bytes);
    zr_goaway_encode(&builder, &header, &message);
    assert_true(feed(f, bytes, builder.length));
}

static const struct zr_release_request release = {.claim_id = 7, .when = ZR_RELEASE_NOW};
static const struct zr_qualify_request qualify = {.talk_ms = 1000};

#endif
