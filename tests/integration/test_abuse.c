/*
 * test_abuse.c - hostile bytes of an authenticated peer end in a typed error or a close, and
 * disturb nobody else (E68). Tickets are in test_abuse_tickets.c.
 *
 * Behind each attack a well-behaved client on the same server must get its right answers.
 */
#include "protocol/bytes.h"
#include "tests/integration/bystander.h"
#include "tests/integration/hostile.h"
#include "tests/lib/wire.h"

enum {
    BURST = 64,
    CREDIT = 4,
    GREASE_FIRST = 0x7F00,
    GREASE_LAST = 0x7FFF,
};

static SSL_CTX *carrier_keys; /* Of the SWITCH that misbehaves. */

/* ---- frames that are none ------------------------------------------------------------------- */

static void
attacker_open(struct raw *raw)
{
    raw_open_ready(raw, &world.server, carrier_keys);
}

/* Said in an open session: an ERROR with this status, and the connection ends. */
static void
expect_violation(const uint8_t *bytes, size_t bytes_count, uint16_t status)
{
    static struct raw raw;

    attacker_open(&raw);
    assert_true(raw_write(&raw, bytes, bytes_count));
    raw_expect_error(&raw, status);
    raw_close(&raw);
}

static void
test_e68_what_is_no_frame_ends_the_connection(void **state)
{
    static const struct {
        uint32_t size;
        uint16_t op;
        uint16_t block;
        uint16_t reserved;
    } rows[] = {
        {0, ZR_OP_PING, 0, 0},
        {16, ZR_OP_PING, 0, 0}, /* Below the header. */
        {23, ZR_OP_PING, 0, 0},
        {25, ZR_OP_PING, 0, 0}, /* No multiple of 8. */
        {ZR_FRAME_BYTES_LIMIT + 8, ZR_OP_PING, 0, 0},
        {UINT32_MAX, ZR_OP_PING, 0, 0},
        {UINT32_MAX - 7, ZR_OP_PING, 0, 0},
        {24, 0, 0, 0},          /* No operation is 0. */
        {24, ZR_OP_PING, 8, 0}, /* The block ends behind the frame. */
        {32, ZR_OP_PING, 16, 0},
        {32, ZR_OP_PING, 65528, 0},
        {32, ZR_OP_PING, 4, 0}, /* No multiple of 8. */
        {24, ZR_OP_PING, 0, 1}, /* Reserved. */
        {24, ZR_OP_PING | ZR_OP_RESPONSE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t frame[32] = {0};

        zr_store_u32(frame, rows[i].size);
        zr_store_u16(frame + 4, rows[i].op);
        frame[6] = 1;
        zr_store_u64(frame + 8, 2);
        zr_store_u16(frame + 20, rows[i].block);
        zr_store_u16(frame + 22, rows[i].reserved);
        expect_violation(frame, sizeof frame, ZR_STATUS_BAD_FRAME);
    }
    bystander_is_well();
}

/* The limit is the one of this connection, not the highest there is. */
static void
test_e68_frame_above_the_negotiated_size_is_refused(void **state)
{
    struct zr_hello_request hello = raw_hello_request();
    uint8_t frame[ZR_HEADER_BYTES] = {0};
    static struct raw raw;

    (void)state;
    hello.frame_bytes_max = ZR_FRAME_BYTES_DEFAULT;
    raw_open(&raw, &world.server, carrier_keys);
    assert_int_equal(raw_ask(&raw, ZR_OP_HELLO, &hello), ZR_STATUS_OK);
    zr_store_u32(frame, ZR_FRAME_BYTES_DEFAULT + 8); /* Refused before its body is awaited. */
    assert_true(raw_write(&raw, frame, sizeof frame));
    raw_expect_error(&raw, ZR_STATUS_BAD_FRAME);
    raw_close(&raw);
}

static void
test_ids_that_do_not_increase_end_the_connection(void **state)
{
    static const uint64_t ids[] = {0, 1, 2};
    static struct raw raw;

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        uint8_t frame[ZR_FRAME_BYTES_LIMIT];
        size_t bytes;

        attacker_open(&raw);
        assert_int_equal(raw_ask(&raw, ZR_OP_PING, NULL), ZR_STATUS_OK); /* Id 2. */
        bytes = raw_encode(&raw, frame, ZR_OP_PING, NULL);
        zr_store_u64(frame + 8, ids[i]);
        assert_true(raw_write(&raw, frame, bytes));
        raw_expect_error(&raw, ZR_STATUS_BAD_ID);
        assert_int_equal(raw.header.id, ids[i]);
        raw_close(&raw);
    }
}

/* ---- HELLO ---------------------------------------------------------------------------------- */

static void
test_hello_comes_first_and_once(void **state)
{
    const struct zr_hello_request hello = raw_hello_request();
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    static struct raw raw;

    (void)state;
    attacker_open(&raw);
    assert_true(raw_write(&raw, frame, raw_encode(&raw, frame, ZR_OP_HELLO, &hello)));
    raw_expect_error(&raw, ZR_STATUS_HELLO_EXPECTED);
    raw_close(&raw);
    for (unsigned op = ZR_OP_PING; op <= ZR_OP_AUDIT; op++) {
        if (zr_operation_find((uint16_t)op) == NULL) {
            continue;
        }
        raw_open(&raw, &world.server, carrier_keys);
        assert_true(raw_write(&raw, frame, raw_encode(&raw, frame, (uint16_t)op, NULL)));
        raw_expect_error(&raw, ZR_STATUS_HELLO_EXPECTED);
        raw_close(&raw);
    }
}

/* Every byte of HELLO but those that may hold anything, set to what it must not be. */
static void
test_wrong_hello_is_refused_and_ends_the_connection(void **state)
{
    static const struct {
        const char *field; /* NULL: the size of the frame. */
        uint64_t value;
        uint16_t bytes;
        uint16_t status;
    } rows[] = {
        {"magic", 0, 8, ZR_STATUS_BAD_FRAME},
        {"features_required", 2, 8, ZR_STATUS_VERSION},
        {"environment", 1, 8, ZR_STATUS_WRONG_ENVIRONMENT},
        {"protocol_min", 2, 2, ZR_STATUS_VERSION},
        {"protocol_max", 0, 2, ZR_STATUS_VERSION},
        {"client_kind", 0, 1, ZR_STATUS_BAD_FRAME},
        {"client_kind", 99, 1, ZR_STATUS_BAD_FRAME},
        {"build", 0xFF, 1, ZR_STATUS_BAD_FRAME},
    };
    struct zr_hello_request hello = raw_hello_request();
    uint8_t frame[ZR_FRAME_BYTES_LIMIT] = {0};
    static struct raw raw;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t bytes;

        raw_open(&raw, &world.server, carrier_keys);
        bytes = raw_encode(&raw, frame, ZR_OP_HELLO, &hello);
        memcpy(frame + zr_shape_offset_of(&zr_hello_request_shape, rows[i].field), &rows[i].value,
               rows[i].bytes);
        assert_true(raw_write(&raw, frame, bytes));
        assert_int_equal(raw_answer(&raw, ZR_OP_HELLO), rows[i].status);
        assert_false(raw_read(&raw));
        raw_close(&raw);
    }
    raw_open(&raw, &world.server, carrier_keys);
    (void)raw_encode(&raw, frame, ZR_OP_HELLO, &hello);
    zr_store_u32(frame, ZR_HELLO_BYTES_MAX + 8);
    assert_true(raw_write(&raw, frame, ZR_HELLO_BYTES_MAX + 8));
    raw_expect_error(&raw, ZR_STATUS_BAD_FRAME);
    raw_close(&raw);
    bystander_is_well();
}

/* Whatever a HELLO is refused for, the connection is over: nothing could be said on it. */
static void
test_hello_of_another_version_ends_the_connection(void **state)
{
    static const struct {
        uint8_t version;
        uint8_t flags;
        uint16_t status;
    } rows[] = {
        {0, 0, ZR_STATUS_UNSUPPORTED_VERSION},
        {2, 0, ZR_STATUS_UNSUPPORTED_VERSION},
        {1, ZR_FLAGS_CRITICAL - ZR_FLAG_RETRY, ZR_STATUS_UNSUPPORTED_FLAG},
    };
    struct zr_hello_request hello = raw_hello_request();
    uint8_t frame[ZR_FRAME_BYTES_LIMIT] = {0};
    static struct raw raw;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t bytes;

        raw_open(&raw, &world.server, carrier_keys);
        bytes = raw_encode(&raw, frame, ZR_OP_HELLO, &hello);
        frame[6] = rows[i].version;
        frame[7] = rows[i].flags;
        assert_true(raw_write(&raw, frame, bytes));
        assert_int_equal(raw_answer(&raw, ZR_OP_HELLO), rows[i].status);
        assert_false(raw_read(&raw)); /* Nor an ERROR for a HELLO that did not come in time. */
        raw_close(&raw);
    }
    bystander_is_well();
}

/* ---- credit --------------------------------------------------------------------------------- */

/* One burst of more requests than were granted: some are answered, then it is over. */
static void
test_more_requests_than_credit_end_the_connection(void **state)
{
    struct zr_hello_request hello = raw_hello_request();
    static uint8_t burst[BURST * ZR_HEADER_BYTES];
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    size_t bytes = 0;
    static struct raw raw;
    unsigned answered = 0;

    (void)state;
    hello.credit = CREDIT;
    raw_open(&raw, &world.server, carrier_keys);
    assert_int_equal(raw_ask(&raw, ZR_OP_HELLO, &hello), ZR_STATUS_OK);
    assert_int_equal(raw.header.credit, CREDIT);
    for (int i = 0; i < BURST; i++) {
        (void)raw_encode(&raw, frame, ZR_OP_PING, NULL);
        memcpy(burst + bytes, frame, ZR_HEADER_BYTES);
        bytes += ZR_HEADER_BYTES;
    }
    assert_true(raw_write(&raw, burst, bytes));
    for (;;) {
        assert_true(raw_read(&raw));
        if (raw.header.op != (ZR_OP_PING | ZR_OP_RESPONSE)) {
            break;
        }
        answered++;
    }
    assert_int_equal(raw.header.op, ZR_OP_ERROR | ZR_OP_RESPONSE);
    assert_int_equal(raw.header.status, ZR_STATUS_CREDIT_EXCEEDED);
    assert_int_equal(answered, CREDIT);
    assert_false(raw_read(&raw));
    raw_close(&raw);
}

/* ---- what fails alone ----------------------------------------------------------------------- */

/* A request with another op, version or flags. Its connection lives on. */
static uint16_t
ask_with(struct raw *raw, uint16_t op, uint8_t version, uint8_t flags)
{
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    const size_t bytes = raw_encode(raw, frame, ZR_OP_PING, NULL);

    zr_store_u16(frame + 4, op);
    frame[6] = version;
    frame[7] = flags;
    assert_true(raw_write(raw, frame, bytes));
    return raw_answer(raw, op);
}

static void
test_e68_unknown_things_fail_alone(void **state)
{
    static struct raw raw;

    (void)state;
    attacker_open(&raw);
    for (unsigned op = ZR_OP_MIN; op <= ZR_OP_AUDIT + 16; op++) {
        if (zr_operation_find((uint16_t)op) == NULL) {
            assert_int_equal(ask_with(&raw, (uint16_t)op, 1, 0), ZR_STATUS_UNKNOWN_OP);
        }
    }
    for (unsigned op = GREASE_FIRST; op <= GREASE_LAST; op++) {
        assert_int_equal(ask_with(&raw, (uint16_t)op, 1, 0), ZR_STATUS_UNKNOWN_OP);
    }
    for (unsigned flags = 0; flags < 256; flags++) {
        const bool critical = (flags & (ZR_FLAGS_CRITICAL - ZR_FLAG_RETRY)) != 0;

        assert_int_equal(ask_with(&raw, ZR_OP_PING, 1, (uint8_t)flags),
                         critical ? ZR_STATUS_UNSUPPORTED_FLAG : ZR_STATUS_OK);
    }
    assert_int_equal(ask_with(&raw, ZR_OP_PING, 0, 0), ZR_STATUS_UNSUPPORTED_VERSION);
    assert_int_equal(ask_with(&raw, ZR_OP_PING, 2, 0), ZR_STATUS_UNSUPPORTED_VERSION);
    assert_int_equal(ask_with(&raw, ZR_OP_PING, 255, 0), ZR_STATUS_UNSUPPORTED_VERSION);
    assert_int_equal(ask_with(&raw, ZR_OP_GOAWAY, 1, 0), ZR_STATUS_UNKNOWN_OP);
    assert_int_equal(raw_ask(&raw, ZR_OP_PING, NULL), ZR_STATUS_OK);
    raw_close(&raw);
}

/* Fields: every place of a valid request, set to what its row forbids. */
struct field_attack {
    struct raw *raw;
    const struct zr_operation *operation;
    const uint8_t *frame; /* Valid. */
    size_t bytes;
    unsigned attacks;
};

/* A value that a place must not hold; false when it may hold any. */
static bool
forbidden_value(const struct wire_place *place, uint8_t bytes[8])
{
    static const uint8_t bad_text[] = {0xC0, 0x80}; /* An overlong NUL. */
    const struct zr_field *field = place->field;
    uint64_t value = 1; /* Where zeros belong. */

    if (place->what == WIRE_BYTES) {
        return false;
    }
    if (place->what == WIRE_COUNT && field != NULL) {
        value = (uint64_t)field->max + 1;
    } else if (place->what == WIRE_VALUE && field != NULL && field->type != NULL) {
        const uint64_t max = wire_type_max(field->type);

        if (field->type->kind == ZR_KIND_TEXT) {
            memcpy(bytes, bad_text, sizeof bad_text);
            return true;
        }
        if (max == 0 ||
            max == UINT64_MAX >> (field->type->bytes < 8 ? 64 - 8 * field->type->bytes : 0)) {
            return false;
        }
        value = max + 1;
    }
    memcpy(bytes, &value, sizeof value);
    return true;
}

static void
attack_place(void *context, const struct wire_place *place)
{
    struct field_attack *attack = context;
    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    uint8_t value[8] = {0};
    const uint16_t bytes = place->bytes < 8 ? place->bytes : 8;
    uint16_t status;

    if (!forbidden_value(place, value)) {
        return;
    }
    memcpy(frame, attack->frame, attack->bytes);
    /* A zips4 is four values: one of them is enough. */
    memcpy(frame + place->offset, value,
           place->field != NULL && place->field->type == &zr_type_zips4 ? 4 : bytes);
    zr_store_u64(frame + 8, ++attack->raw->id);
    assert_true(raw_write(attack->raw, frame, attack->bytes));
    status = raw_answer(attack->raw, (uint16_t)attack->operation->op);
    if (status != ZR_STATUS_INVALID_FIELD || attack->raw->header.detail != place->offset) {
        fail_msg("%s, offset %u (%s): %s, detail %u", attack->operation->name, place->offset,
                 place->field != NULL && place->field->name != NULL ? place->field->name : "zeros",
                 zr_status_code_name(status), attack->raw->header.detail);
    }
    attack->attacks++;
}

static void
test_e68_forbidden_values_are_named_by_their_offset(void **state)
{
    static const char *const names[] = {"switch", "portal", "payments", "admin", "bench"};
    static union zr_any_message request;
    uint64_t seed = test_seed();
    unsigned attacks = 0;
    static struct raw raw;
    size_t count;
    const struct zr_operation *operations = zr_operations(&count);

    (void)state;
    for (size_t who = 0; who < sizeof names / sizeof names[0]; who++) {
        SSL_CTX *keys = raw_context(&world.server, names[who]);

        raw_open_ready(&raw, &world.server, keys);
        for (size_t i = 0; i < count; i++) {
            uint8_t frame[ZR_FRAME_BYTES_LIMIT];
            struct field_attack attack = {&raw, &operations[i], frame, 0, 0};

            if ((operations[i].roles & 1u << raw.hello.role) == 0 ||
                operations[i].op == ZR_OP_HELLO) {
                continue;
            }
            wire_fill(&request, operations[i].request, test_random(&seed), 1);
            raw_stamp(&raw, &operations[i], &request, &seed);
            attack.bytes = raw_encode(&raw, frame, (uint16_t)operations[i].op, &request);
            (void)wire_walk(operations[i].request, &request, attack_place, &attack);
            attacks += attack.attacks;
        }
        raw_close(&raw);
        SSL_CTX_free(keys);
    }
    print_message("%u forbidden values\n", attacks);
    assert_true(attacks > 100);
    bystander_is_well();
}

/* ---- the group ------------------------------------------------------------------------------ */

static int
setup(void **state)
{
    const int result = world_setup(state);

    bystander_make();
    carrier_keys = raw_context(&world.server, "switch");
    return result;
}

static int
teardown(void **state)
{
    bystander_is_well();
    SSL_CTX_free(carrier_keys);
    return world_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e68_what_is_no_frame_ends_the_connection),
        cmocka_unit_test(test_e68_frame_above_the_negotiated_size_is_refused),
        cmocka_unit_test(test_ids_that_do_not_increase_end_the_connection),
        cmocka_unit_test(test_hello_comes_first_and_once),
        cmocka_unit_test(test_wrong_hello_is_refused_and_ends_the_connection),
        cmocka_unit_test(test_hello_of_another_version_ends_the_connection),
        cmocka_unit_test(test_more_requests_than_credit_end_the_connection),
        cmocka_unit_test(test_e68_unknown_things_fail_alone),
        cmocka_unit_test(test_e68_forbidden_values_are_named_by_their_offset),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
