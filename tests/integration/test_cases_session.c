/*
 * test_cases_session.c - the acceptance cases of domain.md M7 about the conversation itself:
 * deadlines, keys, versions, frames that are none, and that nobody else notices.
 */
#include "protocol/bytes.h"
#include "tests/integration/cases.h"
#include "tests/integration/raw.h"

enum { HORIZON_HOURS = 72, AHEAD_MS = 5 * 60 * 1000 };

/* Somebody else's connection goes on. */
static void
others_go_on(void)
{
    const struct zr_empty request = {0};
    struct zr_ping_reply reply;

    assert_int_equal(zr_ping(world.carrier, &request, &reply), 0);
}

/* ---- E38: deadlines -------------------------------------------------------------------------- */

/* Keep the committer busy: each of these hashes every row there is, in log order. */
static void
keep_busy(struct answer *answers, int count)
{
    const struct zr_empty request = {0};

    for (int i = 0; i < count; i++) {
        submit(world.admin, ZR_OP_STATE_HASH, &request, &answers[i]);
    }
    (void)zr_client_process(world.admin, 0);
}

/*
 * Goal: a deadline that passes between take-up and the batch refuses, and then nothing happened.
 * Method: behind slow reads stand a step of the clock and, on another connection, a CONNECT of
 * 1 ms. Should it be taken up too late or too early its verdict must be honest all the same.
 */
static void
test_e38_a_spent_deadline_is_definite(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 500, 5000000);
    struct zr_client *bench = server_client_ready(&world.server, "bench");
    const struct zr_clock_advance_request advance = {.advance_ms = 1};
    struct raw raw;
    int refused = 0;

    (void)state;
    (void)world_claim(&world, contractor, slot);
    raw_open_ready(&raw, &world.server, "switch");
    for (int round = 0; round < 200 && refused < 3; round++) {
        const struct zr_route_reply routed = world_call(&world, slot, NULL);
        const struct zr_connect_request connect = world_connect_request(&routed);
        struct answer busy[16] = {{0}};
        struct answer moved = {0};
        uint8_t frame[ZR_FRAME_BYTES_LIMIT];
        const size_t length = raw_encode(&raw, frame, ZR_OP_CONNECT, &connect, 1000);
        const int64_t held = world_wallet(&world, contractor).held_cents;
        const int64_t price = routed.candidates[0].rate_cents;

        keep_busy(busy, 16);
        submit(bench, ZR_OP_CLOCK_ADVANCE, &advance, &moved);
        (void)zr_client_process(bench, 0);
        assert_true(raw_send(&raw, frame, length));
        drive_one(bench);
        drive_one(world.admin);
        assert_true(raw_receive(&raw));
        if (raw.header.status == ZR_STATUS_DEADLINE_EXCEEDED) {
            refused++;
            assert_int_equal(world_wallet(&world, contractor).held_cents, held);
        } else {
            assert_int_equal(raw.header.status, ZR_STATUS_OK);
            assert_int_equal(world_wallet(&world, contractor).held_cents, held + price);
        }
        /* Definite: the same CONNECT without a hurry is granted now, once. */
        (void)world_connect(&world, &routed);
        assert_int_equal(world_wallet(&world, contractor).held_cents, held + price);
    }
    assert_true(refused > 0);
    raw_close(&raw);
    zr_client_close(bench);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static int
put_category(struct zr_id key, const char *name, struct zr_call_info *info)
{
    static struct zr_category_put_request request;
    struct zr_category_put_reply reply;

    memset(&request, 0, sizeof request);
    request.op_id = key;
    request.rate_cents = 1000;
    request.offered = true;
    request.zips_action = ZR_ZIPS_EVERYWHERE;
    (void)snprintf(request.name, sizeof request.name, "%s", name);
    return zr_call(world.admin, ZR_OP_CATEGORY_PUT, &request, &reply, 0, info);
}

static void
test_a_key_older_than_the_horizon_is_never_executed(void **state)
{
    const uint64_t now_ms = world_advance(&world, 0);
    const uint64_t horizon_ms = HORIZON_HOURS * WORLD_HOUR_MS;
    const struct zr_id key = key_at(now_ms);

    (void)state;
    assert_int_equal(put_category(key_at(now_ms - horizon_ms - 1), "too-old", NULL),
                     ZR_STATUS_KEY_EXPIRED);
    assert_int_equal(put_category(key_at(now_ms - horizon_ms + 1), "too-old", NULL), 0);
    /* A key that was used expires too: neither executed again nor answered from memory. */
    assert_int_equal(put_category(key, "once", NULL), 0);
    (void)world_advance(&world, horizon_ms - 1);
    assert_int_equal(put_category(key, "once", NULL), 0);
    assert_int_equal(put_category(key, "other-body", NULL), ZR_STATUS_IDEMPOTENCY_MISMATCH);
    (void)world_advance(&world, 2);
    assert_int_equal(put_category(key, "once", NULL), ZR_STATUS_KEY_EXPIRED);
    assert_int_equal(put_category(key, "other-body", NULL), ZR_STATUS_KEY_EXPIRED);
}

static void
test_a_key_from_the_future_is_refused(void **state)
{
    const uint64_t now_ms = world_advance(&world, 0);
    struct zr_call_info info;

    (void)state;
    assert_int_equal(put_category(key_at(now_ms + AHEAD_MS + 1), "ahead", &info),
                     ZR_STATUS_INVALID_FIELD);
    assert_int_equal(info.detail, ZR_HEADER_BYTES); /* The key is the first field. */
    assert_int_equal(put_category(key_at(now_ms + AHEAD_MS), "ahead", NULL), 0);
}

/* A refusal of class 20 is stored under the key, one of class 10 is not. */
static void
test_a_refusal_is_stored_under_its_key(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor_pending(&world, 1);
    struct zr_claim_request request = {.contractor = contractor, .slots_count = 1};
    struct zr_claim_reply reply;
    struct zr_call_info info;

    (void)state;
    request.slots[0] = (struct zr_slot_key){.zip = slot.zip, .category = slot.category};
    request.op_id = key_at(world_advance(&world, 0));
    assert_int_equal(zr_claim(world.portal, &request, &reply), ZR_STATUS_NOT_APPROVED);
    world_status(&world, contractor, ZR_CONTRACTOR_APPROVED);
    assert_int_equal(zr_call(world.portal, ZR_OP_CLAIM, &request, &reply, 0, &info),
                     ZR_STATUS_NOT_APPROVED);
    assert_true(info.duplicate);
    request.op_id = key_at(world_advance(&world, 0));
    request.slots_count = 0;
    assert_int_equal(zr_claim(world.portal, &request, &reply), ZR_STATUS_INVALID_FIELD);
    request.slots_count = 1;
    assert_int_equal(zr_claim(world.portal, &request, &reply), 0);
}

/* ---- versions -------------------------------------------------------------------------------- */

static void
test_a_policy_is_put_against_the_version_that_was_read(void **state)
{
    const struct world_slot slot = world_slot(&world);
    struct zr_policy_put_request request = {.zip = slot.zip,
                                            .category = slot.category,
                                            .scope = ZR_SCOPE_SLOT,
                                            .expected_version = 7,
                                            .policy_count = 1};
    const struct zr_policy_get_request get = {
        .zip = slot.zip, .category = slot.category, .scope = ZR_SCOPE_SLOT};
    struct zr_policy_get_reply got;
    struct zr_policy_put_reply reply;

    (void)state;
    request.policy[0] = world_policy(&world, slot);
    assert_int_equal(zr_policy_put(world.admin, &request, &reply), ZR_STATUS_VERSION_CONFLICT);
    request.expected_version = 0;
    assert_int_equal(zr_policy_put(world.admin, &request, &reply), 0);
    assert_int_equal(zr_policy_get(world.admin, &get, &got), 0);
    assert_int_equal(got.own_version, reply.version);
    assert_int_equal(got.scope, ZR_SCOPE_SLOT);
    /* 0 = "there is none yet" is wrong now, and so is yesterday's version. */
    assert_int_equal(zr_policy_put(world.admin, &request, &reply), ZR_STATUS_VERSION_CONFLICT);
    request.expected_version = got.own_version;
    request.policy[0].multiplier_3_bp = (uint16_t)(request.policy[0].multiplier_2_bp + 1);
    assert_int_equal(zr_policy_put(world.admin, &request, &reply), ZR_STATUS_INVALID_FIELD);
    request.policy[0].multiplier_3_bp = 0;
    request.policy[0].ring_timeout_s = 9;
    assert_int_equal(zr_policy_put(world.admin, &request, &reply), ZR_STATUS_INVALID_FIELD);
    request.policy[0].ring_timeout_s = 60;
    request.policy[0].cascade_budget_s = 4 * 65 - 1;
    assert_int_equal(zr_policy_put(world.admin, &request, &reply), ZR_STATUS_INVALID_FIELD);
    request.policy[0].cascade_budget_s = 4 * 65;
    assert_int_equal(zr_policy_put(world.admin, &request, &reply), 0);
}

static void
test_a_contractor_is_put_against_the_version_that_was_read(void **state)
{
    struct zr_contractor_put_request request = {.contractor_id = world_id(&world),
                                                .office_zip = WORLD_PEARLAND,
                                                .size_class = ZR_SIZE_MULTI,
                                                .name = "versioned",
                                                .phones_count = 1,
                                                .phones = {{.phone = 12815550101}}};
    struct zr_contractor_put_reply first;
    struct zr_contractor_put_reply reply;

    (void)state;
    request.expected_version = 1;
    assert_int_not_equal(zr_contractor_put(world.portal, &request, &reply), 0);
    request.expected_version = 0;
    assert_int_equal(zr_contractor_put(world.portal, &request, &first), 0);
    assert_int_equal(zr_contractor_put(world.portal, &request, &reply), ZR_STATUS_VERSION_CONFLICT);
    request.expected_version = first.version;
    assert_int_equal(zr_contractor_put(world.portal, &request, &reply), 0);
    assert_int_equal(reply.contractor, first.contractor);
    assert_true(reply.version > first.version);
    request.expected_version = reply.version;
    request.office_zip = WORLD_UNKNOWN;
    assert_int_equal(zr_contractor_put(world.portal, &request, &reply), ZR_STATUS_UNKNOWN_ZIP);
    request.office_zip = WORLD_PEARLAND;
    request.phones_count = 0;
    assert_int_equal(zr_contractor_put(world.portal, &request, &reply), ZR_STATUS_INVALID_FIELD);
}

/* ---- E68: frames that are none -----------------------------------------------------------------
 */

/* Bytes behind a good HELLO that end the connection, and nobody else's. */
static void
test_e68_a_broken_frame_ends_its_connection_only(void **state)
{
    static const struct zr_header bad[] = {
        {.size = 16392, .op = ZR_OP_PING, .version = 1, .id = 99},      /* Oversize. */
        {.size = 0xFFFFFFF8, .op = ZR_OP_PING, .version = 1, .id = 99}, /* And how. */
        {.size = 16, .op = ZR_OP_PING, .version = 1, .id = 99},         /* Below a header. */
        {.size = 0, .op = ZR_OP_PING, .version = 1, .id = 99},
        {.size = 28, .op = ZR_OP_PING, .version = 1, .id = 99},              /* Not aligned. */
        {.size = 24, .op = 0, .version = 1, .id = 99},                       /* No operation. */
        {.size = 24, .op = ZR_OP_PING, .version = 1, .id = 99, .block = 32}, /* Not in there. */
        {.size = 24, .op = ZR_OP_PING, .version = 1, .id = 1},               /* Id falls. */
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[64] = {0};
        struct raw raw;

        raw_open_ready(&raw, &world.server, "switch");
        zr_store_u32(bytes, bad[i].size);
        zr_store_u16(bytes + 4, bad[i].op);
        bytes[6] = bad[i].version;
        zr_store_u64(bytes + 8, bad[i].id);
        zr_store_u16(bytes + 20, bad[i].block);
        assert_true(raw_send(&raw, bytes, 32));
        assert_true(raw_is_closed(&raw));
        raw_close(&raw);
        others_go_on();
    }
}

static void
test_e68_garbage_ends_its_connection_only(void **state)
{
    uint64_t seed = test_seed();
    uint8_t bytes[4096] = {0};

    (void)state;
    for (int round = 0; round < 64; round++) {
        const size_t length = 24 + (size_t)test_random_below(&seed, sizeof bytes - 24);
        struct raw raw;

        for (size_t i = 0; i < length; i++) {
            bytes[i] = (uint8_t)test_random(&seed);
        }
        bytes[3] |= 0x80; /* As a length it is oversize: whole or not, it must be refused. */
        if (round % 2 == 0) {
            raw_open_ready(&raw, &world.server, "switch");
        } else {
            assert_true(raw_open(&raw, &world.server, "switch", NULL)); /* Instead of HELLO. */
        }
        (void)raw_send(&raw, bytes, length);
        assert_true(raw_is_closed(&raw));
        raw_close(&raw);
    }
    others_go_on();
}

/* Well-framed requests that mean nothing fail alone; the connection goes on. */
static void
test_e68_a_bad_request_fails_alone(void **state)
{
    static const struct {
        struct zr_header header;
        uint16_t status;
    } rows[] = {
        {{.size = 24, .op = 0x7F01, .version = 1}, ZR_STATUS_UNKNOWN_OP},
        {{.size = 24, .op = 0x7EFF, .version = 1}, ZR_STATUS_UNKNOWN_OP},
        {{.size = 24, .op = ZR_OP_GOAWAY, .version = 1}, ZR_STATUS_UNKNOWN_OP},
        {{.size = 24, .op = ZR_OP_PING, .version = 2}, ZR_STATUS_UNSUPPORTED_VERSION},
        {{.size = 24, .op = ZR_OP_PING, .version = 0}, ZR_STATUS_UNSUPPORTED_VERSION},
        {{.size = 24, .op = ZR_OP_PING, .version = 1, .flags = 8}, ZR_STATUS_UNSUPPORTED_FLAG},
        {{.size = 24, .op = ZR_OP_PING, .version = 1, .flags = 0x80}, ZR_STATUS_OK},
        {{.size = 32, .op = ZR_OP_PING, .version = 1}, ZR_STATUS_INVALID_FIELD},  /* A tail. */
        {{.size = 24, .op = ZR_OP_ROUTE, .version = 1}, ZR_STATUS_INVALID_FIELD}, /* No body. */
        {{.size = 24, .op = ZR_OP_PING, .version = 1}, ZR_STATUS_OK},
    };
    struct raw raw;

    (void)state;
    raw_open_ready(&raw, &world.server, "switch");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zr_header header = rows[i].header;
        uint8_t bytes[64] = {0};

        header.id = ++raw.id;
        zr_header_encode(bytes, &header);
        assert_true(raw_send(&raw, bytes, header.size));
        assert_true(raw_receive(&raw));
        assert_int_equal(raw.header.id, header.id);
        assert_int_equal(raw.header.op, header.op | ZR_OP_RESPONSE);
        assert_int_equal(raw.header.status, rows[i].status);
    }
    raw_close(&raw);
}

/* One byte of a good CONTRACTOR_PUT replaced: INVALID_FIELD, and detail says where. */
static void
test_e68_bad_utf8_reserved_and_enums_name_their_offset(void **state)
{
    static const struct {
        uint16_t offset; /* In the frame. */
        uint8_t byte;
    } rows[] = {
        {24 + 36 + 4 + 2, 0},    /* size_class: 0 is never a value. */
        {24 + 36 + 4 + 2, 200},  /* size_class: unknown. */
        {24 + 36 + 4 + 3, 2},    /* has_dispatch: a bool is 0 or 1. */
        {24 + 36 + 4 + 4, 1},    /* Reserved. */
        {24 + 36 + 4 + 8, 0xFF}, /* name: no UTF-8. */
        {24 + 36 + 4 + 8, 0xC3}, /* name: half a letter. */
        {24 + 36 + 4 + 8, 0x07}, /* name: a control. */
    };
    struct zr_contractor_put_request request = {.contractor_id = world_id(&world),
                                                .office_zip = WORLD_PEARLAND,
                                                .max_concurrency = 1,
                                                .size_class = ZR_SIZE_SINGLE,
                                                .name = "abc",
                                                .phones_count = 1,
                                                .phones = {{.phone = 12815550101}}};
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    struct raw raw;

    (void)state;
    raw_open_ready(&raw, &world.server, "portal");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t length;

        request.op_id = key_at(server_advance(&world.server, 0));
        length = raw_encode(&raw, frame, ZR_OP_CONTRACTOR_PUT, &request, 0);
        frame[rows[i].offset] = rows[i].byte;
        assert_true(raw_send(&raw, frame, length));
        assert_true(raw_receive(&raw));
        assert_int_equal(raw.header.status, ZR_STATUS_INVALID_FIELD);
        assert_int_equal(raw.header.detail, rows[i].offset);
    }
    assert_int_equal(raw_ask(&raw, ZR_OP_CONTRACTOR_PUT, &request, 0), 0);
    raw_close(&raw);
    others_go_on();
}

static void
test_hello_comes_first_and_only_first(void **state)
{
    const struct zr_empty empty = {0};
    struct raw raw;

    (void)state;
    assert_true(raw_open(&raw, &world.server, "switch", NULL));
    assert_int_not_equal(raw_ask(&raw, ZR_OP_PING, &empty, 0), 0);
    assert_true(raw_is_closed(&raw));
    raw_close(&raw);
    raw_open_ready(&raw, &world.server, "switch");
    assert_int_not_equal(raw_hello(&raw), 0);
    assert_true(raw_is_closed(&raw));
    raw_close(&raw);
    others_go_on();
}

/* A frame one byte at a time is the same frame. */
static void
test_a_frame_in_single_bytes_is_a_frame(void **state)
{
    const struct zr_empty empty = {0};
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    struct raw raw;
    size_t length;

    (void)state;
    raw_open_ready(&raw, &world.server, "switch");
    length = raw_encode(&raw, frame, ZR_OP_PING, &empty, 0);
    for (size_t i = 0; i < length; i++) {
        assert_true(raw_send(&raw, frame + i, 1));
    }
    assert_true(raw_receive(&raw));
    assert_int_equal(raw.header.status, 0);
    raw_close(&raw);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e38_a_spent_deadline_is_definite),
        cmocka_unit_test(test_a_key_older_than_the_horizon_is_never_executed),
        cmocka_unit_test(test_a_key_from_the_future_is_refused),
        cmocka_unit_test(test_a_refusal_is_stored_under_its_key),
        cmocka_unit_test(test_a_policy_is_put_against_the_version_that_was_read),
        cmocka_unit_test(test_a_contractor_is_put_against_the_version_that_was_read),
        cmocka_unit_test(test_e68_a_broken_frame_ends_its_connection_only),
        cmocka_unit_test(test_e68_garbage_ends_its_connection_only),
        cmocka_unit_test(test_e68_a_bad_request_fails_alone),
        cmocka_unit_test(test_e68_bad_utf8_reserved_and_enums_name_their_offset),
        cmocka_unit_test(test_hello_comes_first_and_only_first),
        cmocka_unit_test(test_a_frame_in_single_bytes_is_a_frame),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
