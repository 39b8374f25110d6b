/*
 * test_abuse_mutations.c - valid frames with random damage, 20,000 of them over many connections
 * and every role: each is answered by a reply with a status of outcomes.def, or ends its
 * connection as the rules of the session say; a bystander is never disturbed (E68, P5).
 *
 * TEST_SEED repeats a run.
 */
#include "protocol/bytes.h"
#include "tests/integration/bystander.h"
#include "tests/integration/hostile.h"
#include "tests/lib/wire.h"

enum {
    MUTATIONS = 20000,
    ON_ONE_CONNECTION = 50, /* At most; most end earlier. */
    BYSTANDER_EVERY = 500,
    NUMBERS_BETWEEN = 300,
    FRAMES_MAX = ZR_FRAME_BYTES_LIMIT / ZR_HEADER_BYTES,
    MUTANT_BYTES = ZR_FRAME_BYTES_LIMIT + 128,
};

/* What the server must make of the bytes sent: the rules of protocol.md, said again. */
struct expected {
    uint64_t ids[FRAMES_MAX]; /* Of the frames that are answered. */
    uint16_t ops[FRAMES_MAX];
    bool answered[FRAMES_MAX];
    unsigned frames;
    bool cut;           /* A frame has begun: the server waits for the rest. */
    uint16_t violation; /* The ERROR behind them; 0 = none. */
};

static struct {
    unsigned done, refused, bad, denied, other; /* Replies, by class. */
    unsigned violations, cuts, connections;
} seen;

/* The objects that the damage is done around, so that much of it is nearly right. */
static struct {
    struct world_slot slot;
    struct zr_id call_id;
    struct zr_route_reply routed;
    uint64_t claim_id;
    uint32_t contractor;
} victim;

static uint64_t seed;

/* ---- frames --------------------------------------------------------------------------------- */

static void
field_set(void *message, const struct zr_field *field)
{
    uint8_t *at = (uint8_t *)message + field->offset;

    if (strcmp(field->name, "contractor") == 0) {
        memcpy(at, &victim.contractor, sizeof victim.contractor);
    } else if (strcmp(field->name, "claim_id") == 0) {
        memcpy(at, &victim.claim_id, sizeof victim.claim_id);
    } else if (strcmp(field->name, "call_id") == 0) {
        memcpy(at, &victim.call_id, sizeof victim.call_id);
    } else if (strcmp(field->name, "category") == 0) {
        memcpy(at, &victim.slot.category, sizeof victim.slot.category);
    } else if (strstr(field->name, "zip") == field->name && field->type->kind == ZR_KIND_ZIP) {
        memcpy(at, &victim.slot.zip, sizeof victim.slot.zip);
    }
}

/* The right objects in half of the messages, by the names of their fields. */
static void
fields_set(void *message, const struct zr_shape *shape)
{
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        const struct zr_field *field = &shape->fields[i];

        if (field->row == ZR_ROW_FIELD) {
            field_set(message, field);
        } else if (field->row == ZR_ROW_BYTES && strcmp(field->name, "ticket") == 0) {
            memcpy((uint8_t *)message + field->count_offset, &victim.routed.ticket_length, 2);
            memcpy((uint8_t *)message + field->offset, victim.routed.ticket,
                   victim.routed.ticket_length);
        }
    }
}

/* A valid frame of an operation that this role may ask. */
static size_t
frame_make(struct raw *raw, uint8_t frame[ZR_FRAME_BYTES_LIMIT])
{
    static union zr_any_message request;
    size_t count;
    const struct zr_operation *operations = zr_operations(&count);
    const struct zr_operation *operation;

    do {
        operation = &operations[test_random_below(&seed, count)];
    } while ((operation->roles & 1u << raw->hello.role) == 0 || operation->op == ZR_OP_HELLO);
    wire_fill(&request, operation->request, test_random(&seed),
              (uint16_t)test_random_below(&seed, 4));
    if (test_random_below(&seed, 2) == 0) {
        fields_set(&request, operation->request);
    }
    if (operation->op == ZR_OP_ROUTE && test_random_below(&seed, 2) == 0) {
        request.route_request = world_route_request(&world, victim.slot);
    }
    raw_stamp(raw, operation, &request, &seed);
    return raw_encode(raw, frame, (uint16_t)operation->op, &request);
}

/* ---- damage --------------------------------------------------------------------------------- */

static void
damage_value(uint8_t *bytes, size_t bytes_count)
{
    static const uint64_t values[] = {0,      1,         2,         127,        128,
                                      255,    256,       32767,     65535,      99999,
                                      100000, INT32_MAX, INT64_MAX, UINT64_MAX, UINT32_MAX};
    const uint64_t value = values[test_random_below(&seed, sizeof values / sizeof values[0])];
    const size_t width = (size_t)1 << test_random_below(&seed, 4);

    memcpy(bytes + test_random_below(&seed, bytes_count - width + 1), &value, width);
}

static size_t
damage_length(uint8_t *bytes, size_t bytes_count)
{
    const size_t to = ZR_HEADER_BYTES + 8 * test_random_below(&seed, bytes_count / 8 + 8);
    const size_t length = to <= ZR_FRAME_BYTES_LIMIT ? to : bytes_count;

    for (size_t i = bytes_count; i < length; i++) {
        bytes[i] = (uint8_t)test_random(&seed);
    }
    zr_store_u32(bytes, (uint32_t)length);
    return length;
}

/* Do one of several kinds of harm. Returns the new length. */
static size_t
damage(uint8_t *bytes, size_t bytes_count)
{
    const size_t body = bytes_count > ZR_HEADER_BYTES ? ZR_HEADER_BYTES : 0;
    const size_t body_bytes = bytes_count - body;

    switch (test_random_below(&seed, 8)) {
    case 0: /* Anywhere, the header too. */
        bytes[test_random_below(&seed, bytes_count)] = (uint8_t)test_random(&seed);
        break;
    case 1:
        damage_value(bytes, bytes_count);
        break;
    case 2:
        return damage_length(bytes, bytes_count);
    case 3: /* Another root block. */
        zr_store_u16(bytes + 20, (uint16_t)(8 * test_random_below(&seed, bytes_count / 8)));
        break;
    case 4: /* Not at all: the control. */
        break;
    case 5:
        damage_value(bytes + body, body_bytes);
        break;
    default:
        for (uint64_t bits = 1 + test_random_below(&seed, 4); bits > 0; bits--) {
            bytes[body + test_random_below(&seed, body_bytes)] ^=
                (uint8_t)(1u << test_random_below(&seed, 8));
        }
        break;
    }
    return bytes_count;
}

/* ---- judgement ------------------------------------------------------------------------------ */

static uint16_t
frame_violation(const struct zr_header *header, uint64_t last_id)
{
    if ((header->op & ZR_OP_RESPONSE) != 0) {
        return ZR_STATUS_BAD_FRAME;
    }
    if (header->op == ZR_OP_HELLO) {
        return ZR_STATUS_HELLO_EXPECTED;
    }
    return header->id <= last_id ? ZR_STATUS_BAD_ID : 0;
}

static void
expect(struct expected *expected, const uint8_t *bytes, size_t bytes_count, uint64_t *last_id)
{
    size_t at = 0;

    expected->frames = 0;
    expected->cut = false;
    expected->violation = 0;
    while (at < bytes_count && expected->violation == 0 && !expected->cut) {
        struct zr_header header;
        const enum zr_cut cut =
            zr_frame_cut(&header, bytes + at, bytes_count - at, ZR_FRAME_BYTES_LIMIT);

        if (cut == ZR_CUT_BAD) {
            expected->violation = ZR_STATUS_BAD_FRAME;
        } else if (cut == ZR_CUT_INCOMPLETE) {
            expected->cut = true;
        } else {
            expected->violation = frame_violation(&header, *last_id);
            at += header.size;
        }
        if (cut == ZR_CUT_FRAME && expected->violation == 0) {
            *last_id = header.id;
            expected->ids[expected->frames] = header.id;
            expected->ops[expected->frames] = header.op;
            expected->answered[expected->frames] = false;
            expected->frames++;
        }
    }
}

static void
count_reply(uint16_t status)
{
    const uint8_t status_class = zr_status_class(status);

    seen.done += status_class == ZR_CLASS_DONE;
    seen.refused += status_class == ZR_CLASS_REFUSED;
    seen.bad += status_class == ZR_CLASS_BAD_REQUEST;
    seen.denied += status_class == ZR_CLASS_DENIED;
    seen.other += status_class == ZR_CLASS_NOT_EXECUTED;
    assert_int_not_equal(status_class, ZR_CLASS_UNKNOWN); /* Its own bug, or its disk. */
    assert_int_not_equal(status_class, ZR_CLASS_PROTOCOL);
}

/* A damaged frame may have become a subscription: then what it follows is pushed under its id. */
static bool
is_push(const struct raw *raw)
{
    const uint16_t op = raw->header.op & (uint16_t)~ZR_OP_RESPONSE;

    /* Asked for, they are UNKNOWN_OP. */
    return raw->header.status == ZR_STATUS_OK && (op == ZR_OP_EVENTS || op == ZR_OP_MAP_DELTA);
}

/* The reply just read is one of those that were awaited, and only once. */
static void
take_reply(const struct raw *raw, struct expected *expected)
{
    for (unsigned i = 0; i < expected->frames; i++) {
        if (expected->ids[i] == raw->header.id && !expected->answered[i]) {
            assert_int_equal(raw->header.op, expected->ops[i] | ZR_OP_RESPONSE);
            assert_non_null(zr_status_code_name(raw->header.status));
            count_reply(raw->header.status);
            expected->answered[i] = true;
            return;
        }
    }
    fail_msg("op 0x%04X, status 0x%04X: a reply to id %llu, which nobody asked", raw->header.op,
             raw->header.status, (unsigned long long)raw->header.id);
}

/* Read what the server makes of it. False when the connection is over. */
static bool
judge(struct raw *raw, struct expected *expected)
{
    bool error = false;

    if (expected->violation == 0 && !expected->cut) {
        for (unsigned i = 0; i < expected->frames; i++) {
            do {
                assert_true(raw_read(raw));
            } while (is_push(raw));
            take_reply(raw, expected);
        }
        return true;
    }
    if (expected->cut) {
        (void)SSL_shutdown(raw->ssl); /* That was all: the server must not wait for the rest. */
    }
    while (raw_read(raw)) {
        assert_false(error); /* Nothing follows an ERROR. */
        error = raw->header.op == (ZR_OP_ERROR | ZR_OP_RESPONSE);
        if (error) {
            assert_int_equal(raw->header.status, expected->violation);
        } else if (!is_push(raw)) {
            take_reply(raw, expected);
        }
    }
    assert_int_equal(error, expected->violation != 0);
    seen.violations += error;
    seen.cuts += expected->cut;
    return false;
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* Damaged frames on one connection until it ends. Returns how many were sent. */
static unsigned
run_connection(SSL_CTX *keys)
{
    static uint8_t mutant[MUTANT_BYTES];
    static struct expected expected;
    static struct raw raw;
    unsigned sent = 0;
    bool open = true;

    seen.connections++;
    raw_open_ready(&raw, &world.server, keys);
    while (open && sent < ON_ONE_CONNECTION && raw.id < UINT64_MAX - 1) {
        const uint64_t before = raw.id;
        size_t bytes = frame_make(&raw, mutant);
        uint64_t last_id = before;

        bytes = damage(mutant, bytes);
        expect(&expected, mutant, bytes, &last_id);
        assert_true(raw_write(&raw, mutant, bytes));
        open = judge(&raw, &expected);
        raw.id = last_id;
        sent++;
    }
    raw_close(&raw);
    return sent;
}

static void
test_e68_twenty_thousand_damaged_frames_disturb_nobody(void **state)
{
    static const char *const names[] = {"switch",   "callcenter", "portal", "tradesman",
                                        "payments", "auditor",    "admin"};
    enum { NAMES = sizeof names / sizeof names[0] };
    SSL_CTX *keys[NAMES];
    unsigned asked = 0;

    (void)state;
    seed = test_seed();
    for (size_t i = 0; i < NAMES; i++) {
        keys[i] = raw_context(&world.server, names[i]);
    }
    for (unsigned sent = 0; sent < MUTATIONS;) {
        sent += run_connection(keys[test_random_below(&seed, NAMES)]);
        if (sent / BYSTANDER_EVERY > asked) {
            asked = sent / BYSTANDER_EVERY;
            bystander_is_well();
        }
    }
    for (size_t i = 0; i < NAMES; i++) {
        SSL_CTX_free(keys[i]);
    }
    print_message("%u connections; replies: %u done, %u refused, %u bad, %u denied, %u other; "
                  "%u violations, %u cut\n",
                  seen.connections, seen.done, seen.refused, seen.bad, seen.denied, seen.other,
                  seen.violations, seen.cuts);
    assert_true(seen.done > 0 && seen.refused > 0 && seen.bad > 0 && seen.denied > 0);
    assert_true(seen.violations > 0 && seen.cuts > 0);
    bystander_is_well();
}

/*
 * A damaged number may be a right one: then an ADMIN suspends, or a PORTAL pauses, whom it names.
 * So the bystander's numbers are more than one byte and four bits away from the victim's.
 */
static void
numbers_use_up(void)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 1, 10000);

    for (int i = 0; i < NUMBERS_BETWEEN; i++) {
        (void)world_contractor_pending(&world, 1);
        (void)world_release(&world, world_claim(&world, contractor, slot));
    }
}

static int
setup(void **state)
{
    const int result = world_setup(state);
    struct server_identity tradesman = {"tradesman", SERVER_TENANT, ZR_ROLE_CONTRACTOR, 0};

    victim.slot = world_slot(&world);
    victim.contractor = world_contractor(&world, 10, 500000);
    victim.claim_id = world_claim(&world, victim.contractor, victim.slot);
    victim.routed = world_call(&world, victim.slot, &victim.call_id);
    tradesman.contractor = victim.contractor;
    (void)server_principal(&world.server, &tradesman);
    numbers_use_up();
    bystander_make();
    return result;
}

/* world_teardown() proves the rest: AUDIT clean, exit code 0, replay gives the same state. */
int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e68_twenty_thousand_damaged_frames_disturb_nobody),
    };

    return cmocka_run_group_tests(tests, setup, world_teardown);
}
