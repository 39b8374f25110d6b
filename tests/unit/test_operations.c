/*
 * test_operations.c - the table of operations: found, ordered, keyed, and as small as promised.
 */
#include "tests/lib/test.h"
#include "tests/lib/wire.h"

#include <string.h>

static void
test_operations_ascend_and_are_found(void **state)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);

    (void)state;
    for (size_t i = 0; i < operations_count; i++) {
        const unsigned op = operations[i].op;

        assert_true(i == 0 || op > (unsigned)operations[i - 1].op);
        assert_true(op >= 1 && op < 0x7F00); /* From there on it is grease. */
        assert_true(operations[i].version >= 1);
        assert_true((operations[i].roles == 0) == (operations[i].kind == ZR_OP_KIND_PUSH ||
                                                   operations[i].kind == ZR_OP_KIND_SYSTEM));
        assert_ptr_equal(zr_operation_find((uint16_t)op), &operations[i]);
    }
    expect_assert_failure((void)zr_operations(NULL));
}

/* R30: the contractor bills the job by itself. No account of the ledger could hold its money: each
 * is a wallet's, or one that M5's table of events names. */
static void
test_no_account_holds_job_money(void **state)
{
    static const char *const accounts[] = {
        "MAIN",  "CREDIT",     "REVENUE_CALLS", "REVENUE_SUBS",      "CLEARING", "REFUNDS",
        "PROMO", "RECEIVABLE", "WRITE_OFF",     "MARKETING_EXPENSE", "POOL"};
    enum { ACCOUNTS = sizeof accounts / sizeof accounts[0] };

    (void)state;
    for (uint8_t account = 1; account <= ACCOUNTS; account++) {
        assert_string_equal(zr_account_name(account), accounts[account - 1]);
    }
    assert_null(zr_account_name(ACCOUNTS + 1));
}

static void
test_unknown_and_grease_operations_are_not_found(void **state)
{
    size_t operations_count;
    size_t found = 0;

    (void)state;
    (void)zr_operations(&operations_count);
    for (unsigned op = 0; op <= UINT16_MAX; op++) {
        found += zr_operation_find((uint16_t)op) != NULL;
    }
    assert_int_equal(found, operations_count);
}

/* Every KEYED body begins with its key, and no other body has one (PROTOCOL.md "Keys"). */
static void
test_keyed_operations_begin_with_op_id(void **state)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);

    (void)state;
    for (size_t i = 0; i < operations_count; i++) {
        const struct zr_shape *request = operations[i].request;

        for (uint16_t row = 0; row < request->fields_count; row++) {
            const char *name = request->fields[row].name;
            const bool is_key = name != NULL && strcmp(name, "op_id") == 0;

            assert_int_equal(is_key, operations[i].kind == ZR_OP_KIND_KEYED && row == 0);
        }
    }
}

/* Default deny: only these may do it, and a role is one bit (reliability.md "Identity"). */
static void
test_operations_name_their_roles(void **state)
{
    const unsigned all = 0x1FE;

    (void)state;
    assert_int_equal(zr_operation_find(ZR_OP_PING)->roles, all);
    assert_int_equal(zr_operation_find(ZR_OP_TOPUP)->roles, 1u << ZR_ROLE_PAYMENTS);
    assert_int_equal(zr_operation_find(ZR_OP_PRINCIPAL_PUT)->roles, 1u << ZR_ROLE_ADMIN);
    assert_int_equal(zr_operation_find(ZR_OP_ROUTE)->roles,
                     1u << ZR_ROLE_SWITCH | 1u << ZR_ROLE_CALLCENTER);
}

static uint32_t
frame_bytes(uint16_t op, const struct zr_shape *shape, const union zr_any_message *message)
{
    static uint8_t frame[ZR_FRAME_BYTES_LIMIT];

    return wire_encode(frame, op, shape, message).size;
}

/* protocol.md "Size goal"; and HELLO must fit before anything is negotiated. */
static void
test_messages_meet_their_size_goals(void **state)
{
    static union zr_any_message message;

    (void)state;
    wire_fill(&message, &zr_hello_request_shape, 1, 0);
    assert_true(frame_bytes(ZR_OP_HELLO, &zr_hello_request_shape, &message) <= ZR_HELLO_BYTES_MAX);
    wire_fill(&message, &zr_route_request_shape, 1, 0);
    assert_true(frame_bytes(ZR_OP_ROUTE, &zr_route_request_shape, &message) <= 80);
    wire_fill(&message, &zr_route_reply_shape, 1, 4);
    message.route_reply.ticket_length = sizeof message.route_reply.ticket;
    message.route_reply.skipped_count = 0;
    assert_int_equal(message.route_reply.candidates_count, 4);
    assert_true(frame_bytes(ZR_OP_ROUTE, &zr_route_reply_shape, &message) <= 384);
}

/* However many elements: a request fits the largest frame, a reply even the default one. */
static void
test_messages_fit_their_frames(void **state)
{
    size_t operations_count;
    const struct zr_operation *operations = zr_operations(&operations_count);
    static union zr_any_message message;

    (void)state;
    for (size_t i = 0; i < operations_count; i++) {
        wire_fill(&message, operations[i].request, i, UINT16_MAX);
        assert_true(wire_walk(operations[i].request, &message, NULL, NULL) <= ZR_FRAME_BYTES_LIMIT);
        wire_fill(&message, operations[i].reply, i, UINT16_MAX);
        assert_true(wire_walk(operations[i].reply, &message, NULL, NULL) <= ZR_FRAME_BYTES_DEFAULT);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations_ascend_and_are_found),
        cmocka_unit_test(test_no_account_holds_job_money),
        cmocka_unit_test(test_unknown_and_grease_operations_are_not_found),
        cmocka_unit_test(test_keyed_operations_begin_with_op_id),
        cmocka_unit_test(test_operations_name_their_roles),
        cmocka_unit_test(test_messages_meet_their_size_goals),
        cmocka_unit_test(test_messages_fit_their_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
