/*
 * test_message.c - the codec of every message, in both directions.
 *
 * Goal: a frame has one meaning, a hostile one has none, and an older client reads a newer
 * server. Method: no test names a message. Each walks the rows of every operation (wire.h says
 * where each value must stand), changes one thing, and states the verdict. A message that is
 * added to messages.def is tested from its first line on.
 */
#include "protocol/bytes.h"
#include "tests/lib/test.h"
#include "tests/lib/wire.h"

#include <stdio.h>
#include <string.h>

enum { FEW = 3, MANY = 0xFFFF };

/* One message under test: its values, its frame, and what came out of decoding. */
static struct {
    const struct zr_operation *operation;
    const struct zr_shape *shape;
    bool reply;
    union zr_any_message message;
    union zr_any_message decoded;
    uint8_t frame[ZR_FRAME_BYTES_LIMIT + 64];
    struct zr_header header;
    uint16_t invalid_at;
} now;

/* The frame as it was before a test changed it. */
static uint8_t pristine[ZR_FRAME_BYTES_LIMIT];

static const uint8_t zeros[sizeof(union zr_any_message)];

static enum zr_decode
decode(void)
{
    memset(&now.decoded, 0xA5, sizeof now.decoded);
    return zr_message_decode(&now.decoded, &now.invalid_at, now.shape, &now.header, now.frame);
}

static void
expect(enum zr_decode verdict, uint16_t invalid_at, const char *what, const char *name)
{
    const enum zr_decode got = decode();

    if (got != verdict || (got != ZR_DECODE_OK && now.invalid_at != invalid_at)) {
        fail_msg("%s %s: %s (%s): verdict %d at %u, not %d at %u", now.operation->name,
                 now.reply ? "reply" : "request", what, name == NULL ? "-" : name, (int)got,
                 now.invalid_at, (int)verdict, invalid_at);
    }
    if (got != ZR_DECODE_OK) {
        assert_memory_equal(&now.decoded, zeros, now.shape->struct_bytes);
    }
}

/* What stands behind is read as more of it: it may be refused as such before the frame ends. */
static void
expect_refused(const char *what, const char *name)
{
    const enum zr_decode got = decode();

    expect(got == ZR_DECODE_INVALID ? ZR_DECODE_INVALID : ZR_DECODE_MALFORMED, now.invalid_at, what,
           name);
}

static void
expect_as_filled(const char *what)
{
    expect(ZR_DECODE_OK, 0, what, NULL);
    if (memcmp(&now.decoded, &now.message, now.shape->struct_bytes) != 0) {
        fail_msg("%s %s: %s: decoded values differ", now.operation->name,
                 now.reply ? "reply" : "request", what);
    }
}

static void
prepare(const struct zr_operation *operation, bool reply, uint16_t elements)
{
    now.operation = operation;
    now.reply = reply;
    now.shape = reply ? operation->reply : operation->request;
    wire_fill(&now.message, now.shape, operation->op, elements);
    now.header = wire_encode(now.frame, (uint16_t)(operation->op | (reply ? ZR_OP_RESPONSE : 0)),
                             now.shape, &now.message);
    now.header.version = operation->version;
    memcpy(pristine, now.frame, now.header.size);
}

static void
restore(const struct wire_place *place)
{
    memcpy(now.frame + place->offset, pristine + place->offset, place->bytes);
}

/* Run a check on every message of both directions. */
static void
for_each_message(uint16_t elements, void (*check)(void))
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);

    for (size_t i = 0; i < operations_count; i++) {
        for (int reply = 0; reply < 2; reply++) {
            prepare(&operations[i], reply == 1, elements);
            check();
        }
    }
}

/* Run a check on every place of every message. */
static void
visit_place(void *context, const struct wire_place *place)
{
    void (**check)(const struct wire_place *place) = context;

    (*check)(place);
}

static void (*place_check)(const struct wire_place *place);

static void
walk_places(void)
{
    (void)wire_walk(now.shape, &now.message, visit_place, &place_check);
}

static void
for_each_place(void (*check)(const struct wire_place *place))
{
    place_check = check;
    for_each_message(FEW, walk_places);
}

/* ---- what is decoded is what was encoded ----------------------------------------------------- */

static void
check_round_trip(void)
{
    expect_as_filled("round trip");
    assert_int_equal(now.header.block, now.shape->block_bytes);
    assert_int_equal(now.header.block % ZR_FRAME_ALIGN, 0);
    assert_int_equal(now.header.size, wire_walk(now.shape, &now.message, NULL, NULL));
}

static void
test_message_round_trips_with_no_one_few_and_most_elements(void **state)
{
    (void)state;
    for_each_message(0, check_round_trip);
    for_each_message(1, check_round_trip);
    for_each_message(FEW, check_round_trip);
    for_each_message(MANY, check_round_trip);
}

/* The walk is a second opinion: its bytes must be the codec's. */
static void
check_place_bytes(const struct wire_place *place)
{
    const uint8_t *bytes = now.frame + place->offset;

    if (place->what == WIRE_RESERVED || place->what == WIRE_PADDING) {
        assert_memory_equal(bytes, zeros, place->bytes);
    } else {
        /* Little-endian machines only: memory and wire agree, but a text's NUL is not there. */
        assert_memory_equal(bytes, place->value, place->bytes);
    }
}

static void
test_message_lays_its_rows_out_as_the_rule_says(void **state)
{
    (void)state;
    for_each_place(check_place_bytes);
}

/* ---- length ---------------------------------------------------------------------------------- */

static void
check_truncations(void)
{
    const uint32_t whole = now.header.size;

    for (uint32_t size = ZR_HEADER_BYTES; size < whole; size += ZR_FRAME_ALIGN) {
        now.header.size = size;
        expect(ZR_DECODE_MALFORMED, 0, "truncated", NULL);
    }
    now.header.size = whole;
}

static void
test_message_refuses_every_truncation(void **state)
{
    (void)state;
    for_each_message(0, check_truncations);
    for_each_message(FEW, check_truncations);
    for_each_message(MANY, check_truncations);
}

/* The cutter lets no such size through; the decoder must not rely on it. */
static void
check_crooked_sizes(void)
{
    const uint32_t whole = now.header.size;

    for (uint32_t size = ZR_HEADER_BYTES; size < whole; size++) {
        now.header.size = size;
        (void)decode();
    }
    now.header.size = whole;
}

static void
test_message_survives_every_length(void **state)
{
    (void)state;
    for_each_message(FEW, check_crooked_sizes);
}

/* A request has one meaning; a reply may come from a newer server, whose tail goes on. */
static void
check_bytes_behind_the_tail(void)
{
    for (uint8_t filler = 0; filler < 2; filler++) {
        memset(now.frame + now.header.size, filler, 16);
        for (int i = 0; i < 2; i++) {
            now.header.size += ZR_FRAME_ALIGN;
            if (now.reply) {
                expect_as_filled("longer tail");
            } else {
                expect(ZR_DECODE_MALFORMED, 0, "bytes behind the tail", NULL);
            }
        }
        now.header.size -= 16;
    }
}

static void
test_message_too_long_is_refused_in_a_request_only(void **state)
{
    (void)state;
    for_each_message(0, check_bytes_behind_the_tail);
    for_each_message(FEW, check_bytes_behind_the_tail);
}

/* Evolution rule 4: the block of a newer server has rows that this build does not know. */
static void
check_longer_block(void)
{
    const size_t block_end = ZR_HEADER_BYTES + (size_t)now.header.block;

    for (uint16_t more = 8; more <= 24; more = (uint16_t)(more + 8)) {
        memcpy(now.frame, pristine, block_end);
        memset(now.frame + block_end, 0xC3, more);
        memcpy(now.frame + block_end + more, pristine + block_end, now.header.size - block_end);
        now.header.size += more;
        now.header.block = (uint16_t)(now.header.block + more);
        if (now.reply) {
            expect_as_filled("longer block");
        } else {
            expect(ZR_DECODE_MALFORMED, 0, "longer block", NULL);
        }
        now.header.size -= more;
        now.header.block = (uint16_t)(now.header.block - more);
    }
}

static void
check_shorter_block(void)
{
    const uint16_t block = now.header.block;

    for (uint16_t less = 0; less < block; less = (uint16_t)(less + 8)) {
        now.header.block = less;
        expect(ZR_DECODE_MALFORMED, 0, "shorter block", NULL);
    }
    now.header.block = (uint16_t)now.header.size; /* Longer than all that is there. */
    expect(ZR_DECODE_MALFORMED, 0, "block past the end", NULL);
}

static void
test_message_of_another_block(void **state)
{
    (void)state;
    for_each_message(FEW, check_longer_block);
    for_each_message(FEW, check_shorter_block);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* A request with it is INVALID there; a reply is read all the same. */
static void
expect_invalid_in_request(const struct wire_place *place, uint16_t at, const char *what)
{
    const char *name = place->field == NULL ? "padding" : place->field->name;

    if (now.reply) {
        expect(ZR_DECODE_OK, 0, what, name);
    } else {
        expect(ZR_DECODE_INVALID, at, what, name);
    }
}

static void
check_zero_bits(const struct wire_place *place)
{
    if (place->what != WIRE_RESERVED && place->what != WIRE_PADDING) {
        return;
    }
    for (unsigned bit = 0; bit < 8u * place->bytes; bit++) {
        now.frame[place->offset + bit / 8] = (uint8_t)(1u << bit % 8);
        expect_invalid_in_request(place, place->offset, "reserved bit set");
        now.frame[place->offset + bit / 8] = 0;
    }
}

static void
test_message_refuses_every_reserved_and_padding_bit(void **state)
{
    (void)state;
    for_each_place(check_zero_bits);
}

static void
check_number(const struct wire_place *place, uint16_t at, uint16_t bytes, uint64_t number)
{
    uint8_t little[8];

    zr_store_u64(little, number);
    memcpy(now.frame + at, little, bytes);
    expect_invalid_in_request(place, at, "value outside its type");
    restore(place);
}

/* The bounds of each kind: the largest is taken, one above and the largest that fits are not. */
static void
check_value_bounds(const struct wire_place *place)
{
    const uint16_t parts =
        place->what == WIRE_VALUE && place->field->type->kind == ZR_KIND_ZIPS ? ZR_ZIPS_MAX : 1;
    const uint16_t bytes = (uint16_t)(place->bytes / parts);
    uint64_t max;
    uint64_t limit;

    if (place->what != WIRE_VALUE) {
        return;
    }
    max = wire_type_max(place->field->type);
    limit = bytes > 8 ? 0 : UINT64_MAX >> (64 - 8 * bytes);
    if (max == 0 || max == limit) {
        return;
    }
    for (uint16_t part = 0; part < parts; part++) {
        const uint16_t at = (uint16_t)(place->offset + part * bytes);
        uint8_t little[8];

        check_number(place, at, bytes, max + 1);
        check_number(place, at, bytes, limit);
        if (place->field->type->kind == ZR_KIND_ENUM) {
            check_number(place, at, bytes, 0);
        }
        zr_store_u64(little, max);
        memcpy(now.frame + at, little, bytes);
        expect(ZR_DECODE_OK, 0, "largest value", place->field->name);
        restore(place);
    }
}

static void
test_message_refuses_values_outside_their_type(void **state)
{
    (void)state;
    for_each_place(check_value_bounds);
}

/* What is no text reaches nobody, also from a server: a terminal would obey it. */
static void
expect_no_text(const struct wire_place *place, const char *what)
{
    const size_t offset = (size_t)((const uint8_t *)place->value - (const uint8_t *)&now.message);
    const uint8_t *text = (const uint8_t *)&now.decoded + offset;

    if (memcmp(text, zeros, place->bytes + 1u) != 0) {
        fail_msg("%s reply: %s (%s) was handed out", now.operation->name, what, place->field->name);
    }
}

static void
check_text(const struct wire_place *place, const char *what, const char *text, size_t text_bytes)
{
    if (text_bytes > place->bytes) {
        return;
    }
    memset(now.frame + place->offset, 0, place->bytes);
    memcpy(now.frame + place->offset, text, text_bytes);
    expect_invalid_in_request(place, place->offset, what);
    expect_no_text(place, what);
    restore(place);
}

static void
check_texts(const struct wire_place *place)
{
    if (place->what != WIRE_VALUE || place->field->type->kind != ZR_KIND_TEXT) {
        return;
    }
    check_text(place, "control character", "\n", 1);
    check_text(place, "bad UTF-8", "\xFF", 1);
    check_text(place, "overlong", "\xC0\xAF", 2);
    check_text(place, "text behind its end", "\0x", 2);
    check_text(place, "text behind its end", "a\0\0x", 4);
    /* A sequence that the end of the field cuts; the byte behind it must not complete it. */
    memset(now.frame + place->offset, 'a', place->bytes);
    expect(ZR_DECODE_OK, 0, "text that fills its field", place->field->name);
    now.frame[place->offset + place->bytes - 1] = 0xC3;
    expect_invalid_in_request(place, place->offset, "sequence cut by the field");
    restore(place);
    memset(now.frame + place->offset, 0, place->bytes);
    expect(ZR_DECODE_OK, 0, "empty text", place->field->name);
    restore(place);
}

static void
test_message_refuses_text_that_is_none(void **state)
{
    (void)state;
    for_each_place(check_texts);
}

/* Past its max nobody knows where the next part begins: also a reply is lost then. */
static void
check_counts(const struct wire_place *place)
{
    static const uint16_t above[] = {1, 2, 100};

    if (place->what != WIRE_COUNT) {
        return;
    }
    for (size_t i = 0; i < sizeof above / sizeof above[0]; i++) {
        zr_store_u16(now.frame + place->offset, (uint16_t)(place->field->max + above[i]));
        expect(now.reply ? ZR_DECODE_MALFORMED : ZR_DECODE_INVALID, now.reply ? 0 : place->offset,
               "count past its max", place->field->name);
    }
    zr_store_u16(now.frame + place->offset, UINT16_MAX);
    expect(now.reply ? ZR_DECODE_MALFORMED : ZR_DECODE_INVALID, now.reply ? 0 : place->offset,
           "largest count", place->field->name);
    if (zr_load_u16(pristine + place->offset) < place->field->max) {
        zr_store_u16(now.frame + place->offset, place->field->max);
        expect_refused("count of what is not there", place->field->name);
    }
    restore(place);
}

static void
test_message_refuses_counts_past_their_max(void **state)
{
    (void)state;
    for_each_place(check_counts);
}

/* The first invalid field is the one that is named. */
static void
test_message_names_the_first_invalid_field(void **state)
{
    (void)state;
    prepare(zr_operation_find(ZR_OP_CLAIM), false, FEW);
    now.frame[now.header.size - 1] = 1;  /* RESERVED of the last slot. */
    now.frame[ZR_HEADER_BYTES + 20] = 2; /* accept_backup. */
    now.frame[ZR_HEADER_BYTES + 22] = 1; /* RESERVED. */
    expect(ZR_DECODE_INVALID, ZR_HEADER_BYTES + 20, "three invalid fields", NULL);
    assert_string_equal(zr_shape_field_at(now.shape, now.invalid_at)->name, "accept_backup");
}

/* Undefined behaviour starts at a bool of 2 in memory. */
static void
test_message_reads_a_replys_bool_as_0_or_1(void **state)
{
    const struct zr_zip_put_reply *reply = &now.decoded.zip_put_reply;

    (void)state;
    prepare(zr_operation_find(ZR_OP_ZIP_PUT), true, 0);
    for (unsigned value = 0; value < 256; value++) {
        uint8_t flipped;

        now.frame[ZR_HEADER_BYTES + 14] = (uint8_t)value;
        expect(ZR_DECODE_OK, 0, "bool", NULL);
        memcpy(&flipped, &reply->flipped, sizeof flipped);
        assert_int_equal(flipped, value == 1);
    }
}

static void
test_decode_checks_its_arguments(void **state)
{
    struct zr_claim_request request;
    struct zr_header header = {.op = ZR_OP_CLAIM, .size = ZR_HEADER_BYTES};
    uint16_t at;

    (void)state;
    expect_assert_failure((void)zr_claim_request_decode(NULL, &at, &header, now.frame));
    expect_assert_failure((void)zr_message_decode(&request, &at, NULL, &header, now.frame));
    header.size = ZR_HEADER_BYTES - 8;
    expect_assert_failure((void)zr_claim_request_decode(&request, &at, &header, now.frame));
}

/* ---- names of fields ---------------------------------------------------------------------------
 */

static void
check_field_names(const struct wire_place *place)
{
    for (uint16_t i = 0; i < place->bytes; i++) {
        const struct zr_field *field = zr_shape_field_at(now.shape, (uint16_t)(place->offset + i));
        const bool in_block = place->array == NULL && place->what != WIRE_BYTES;

        assert_ptr_equal(field, in_block ? place->field : NULL);
    }
}

static void
test_field_at_names_the_rows_of_the_block(void **state)
{
    (void)state;
    for_each_place(check_field_names);
    assert_null(zr_shape_field_at(now.shape, 0));
    assert_null(zr_shape_field_at(now.shape, ZR_HEADER_BYTES - 1));
    assert_null(zr_shape_field_at(now.shape, UINT16_MAX));
}

/* ---- random bytes ---------------------------------------------------------------------------- */

/* What the decoder takes as a request must be the only spelling of what it gives back. */
static void
check_request_is_canonical(uint64_t *random)
{
    const uint32_t at = ZR_HEADER_BYTES +
                        (uint32_t)test_random_below(random, now.header.size - ZR_HEADER_BYTES + 1);

    memcpy(now.frame, pristine, now.header.size);
    if (at < now.header.size) {
        now.frame[at] = (uint8_t)test_random(random);
    }
    if (decode() == ZR_DECODE_OK) {
        static uint8_t again[ZR_FRAME_BYTES_LIMIT];
        const struct zr_header header = wire_encode(again, now.header.op, now.shape, &now.decoded);

        assert_int_equal(header.size, now.header.size);
        assert_memory_equal(again + ZR_HEADER_BYTES, now.frame + ZR_HEADER_BYTES,
                            header.size - ZR_HEADER_BYTES);
    }
}

static void
test_message_has_one_spelling(void **state)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);
    uint64_t random = test_seed();

    (void)state;
    for (size_t i = 0; i < operations_count; i++) {
        prepare(&operations[i], false, FEW);
        for (int round = 0; round < 500; round++) {
            check_request_is_canonical(&random);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_round_trips_with_no_one_few_and_most_elements),
        cmocka_unit_test(test_message_lays_its_rows_out_as_the_rule_says),
        cmocka_unit_test(test_message_refuses_every_truncation),
        cmocka_unit_test(test_message_survives_every_length),
        cmocka_unit_test(test_message_too_long_is_refused_in_a_request_only),
        cmocka_unit_test(test_message_of_another_block),
        cmocka_unit_test(test_message_refuses_every_reserved_and_padding_bit),
        cmocka_unit_test(test_message_refuses_values_outside_their_type),
        cmocka_unit_test(test_message_refuses_text_that_is_none),
        cmocka_unit_test(test_message_refuses_counts_past_their_max),
        cmocka_unit_test(test_message_names_the_first_invalid_field),
        cmocka_unit_test(test_message_reads_a_replys_bool_as_0_or_1),
        cmocka_unit_test(test_decode_checks_its_arguments),
        cmocka_unit_test(test_field_at_names_the_rows_of_the_block),
        cmocka_unit_test(test_message_has_one_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
