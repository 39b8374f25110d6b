/*
 * test_client_core.c - what becomes of a request: deadlines, resends, replies, credit.
 * Rules: ecosystem.md "Client library", protocol.md "Status" and "Rules of evolution".
 */
#include "tests/unit/test_client.h"

/* ---- deadlines ------------------------------------------------------------------------------- */

static void
test_deadline_before_a_connection_is_not_executed(void **state)
{
    struct fixture *const f = fixture_open(4, 0);

    (void)state;
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 0), 0);
    pump(f, 4999);
    assert_int_equal(f->results[0], NOT_ENDED);
    assert_int_equal(zrc_core_due_ns(&f->core), NOW_START + TIMEOUT);
    pump(f, 1);
    assert_int_equal(f->results[0], ZR_EDISCONNECTED);
    assert_int_equal(zrc_core_due_ns(&f->core), UINT64_MAX);
    fixture_close(f);
}

static void
test_deadline_tells_never_sent_from_sent(void **state)
{
    struct fixture *const f = fixture_open(4, 0);
    struct zr_header first;

    (void)state;
    connect_with(f, 1, false);
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 0), 0);
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 1), 0);
    pump(f, 1000);
    assert_int_equal(f->sent_count, 1); /* The credit is 1. */
    first = f->sent[0];
    assert_int_equal(first.timeout_us, 4000000); /* What is left of it travels in the frame. */
    pump(f, 4000);
    assert_int_equal(f->results[0], ZR_EUNKNOWN);
    assert_int_equal(f->results[1], ZR_ETIMEDOUT);
    assert_int_equal(zrc_core_pending(&f->core), 0);

    /* The server still counts the first one: the credit is free once it has answered. */
    assert_int_equal(submit(f, ZR_OP_PING, NULL, 2), 0);
    pump(f, 0);
    assert_int_equal(f->sent_count, 0);
    assert_true(answer(f, &first, ZR_STATUS_OK, 0));
    pump(f, 0);
    assert_int_equal(f->sent_count, 1);
    assert_int_equal(f->ends[0], 1);
    fixture_close(f);
}

/* ---- again, or not --------------------------------------------------------------------------- */

/* Goal: what is sent again is the same request. Method: lose the connection, compare frames. */
static void
test_resend_has_the_same_bytes_under_a_new_id(void **state)
{
    struct fixture *const f = fixture_open(4, 0);
    uint8_t body[256];
    struct zr_header first;

    (void)state;
    connect_with(f, 8, false);
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 0), 0);
    pump(f, 10);
    first = f->sent[0];
    assert_int_equal(first.flags, 0);
    memcpy(body, f->frames[0] + ZR_HEADER_BYTES, first.size - ZR_HEADER_BYTES);
    assert_int_equal(body[6] >> 4, 7); /* A UUIDv7 of the server's time. */
    assert_int_equal(body[8] >> 6, 2);
    assert_int_equal(be32toh(zr_load_u32(body + 2)), SERVER_MS + 10);

    zrc_core_lose(&f->core);
    f->now_ns += 100 * ZRC_NS_PER_MS;
    connect_with(f, 8, false);
    pump(f, 0);
    assert_int_equal(f->sent_count, 1);
    assert_int_equal(f->sent[0].size, first.size);
    assert_int_equal(f->sent[0].flags, ZR_FLAG_RETRY);
    assert_int_equal(f->sent[0].timeout_us, first.timeout_us - 100000);
    assert_memory_equal(f->frames[0] + ZR_HEADER_BYTES, body, first.size - ZR_HEADER_BYTES);
    assert_true(answer(f, &f->sent[0], ZR_STATUS_OK, 0));
    assert_int_equal(f->results[0], 0);
    assert_memory_equal(f->last.key.bytes, body, 16);
    assert_int_equal(f->core.retried, 1);
    fixture_close(f);
}

static void
test_loss_resends_by_operation(void **state)
{
    static const struct zr_echo_request echo = {.reply_bytes = 1};
    static const struct zr_clock_advance_request advance = {.advance_ms = 1};
    static const struct zr_route_request route = {.zips_count = 1};
    static const struct {
        const void *request;
        uint16_t op;
        bool again;
    } rows[] = {
        {&echo, ZR_OP_ECHO, false},
        {NULL, ZR_OP_NOOP_COMMIT, false},
        {&advance, ZR_OP_CLOCK_ADVANCE, false},
        {NULL, ZR_OP_PING, true},
        {NULL, ZR_OP_STATE_HASH, true},
        {&route, ZR_OP_ROUTE, true},
        {&qualify, ZR_OP_QUALIFY, true},
        {&release, ZR_OP_RELEASE, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned no_retry = 0; no_retry < 2; no_retry++) {
            struct fixture *const f = fixture_open(4, no_retry ? ZR_OPTION_NO_RETRY : 0);
            const bool again = rows[i].again && no_retry == 0;

            connect_with(f, 8, false);
            assert_int_equal(submit(f, rows[i].op, rows[i].request, 0), 0);
            pump(f, 0);
            assert_int_equal(f->sent_count, 1);
            zrc_core_lose(&f->core);
            run_ended(f);
            assert_int_equal(f->results[0], again ? NOT_ENDED : ZR_EUNKNOWN);
            fixture_close(f);
        }
    }
}

/* Protocol.md "Status": one row per class, known status or not. */
static void
test_status_decides_by_its_class(void **state)
{
    static const struct {
        int result;
        uint16_t status;
        bool again;
        bool body;
    } rows[] = {
        {0, ZR_STATUS_OK, false, true},
        {0, 0x00FE, false, true},
        {ZR_STATUS_INVALID_FIELD, ZR_STATUS_INVALID_FIELD, false, false},
        {0x10FE, 0x10FE, false, false},
        {ZR_STATUS_NO_FUNDS, ZR_STATUS_NO_FUNDS, false, true},
        {0x20FE, 0x20FE, false, true},
        {ZR_STATUS_OVERLOADED, ZR_STATUS_OVERLOADED, true, false},
        {0x30FE, 0x30FE, true, false},
        {ZR_STATUS_INTERNAL, ZR_STATUS_INTERNAL, false, false},
        {0x40FE, 0x40FE, false, false},
        {ZR_STATUS_FORBIDDEN, ZR_STATUS_FORBIDDEN, false, false},
        {0x70FE, 0x70FE, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *const f = fixture_open(4, 0);

        connect_with(f, 8, false);
        assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 0), 0);
        pump(f, 0);
        assert_true(answer(f, &f->sent[0], rows[i].status, 40));
        if (rows[i].again) {
            assert_int_equal(f->results[0], NOT_ENDED);
            pump(f, 39); /* Never sooner than the server asked. */
            assert_int_equal(f->sent_count, 0);
            pump(f, 11); /* At most a quarter later. */
            assert_int_equal(f->sent_count, 1);
            assert_int_equal(f->sent[0].flags, ZR_FLAG_RETRY);
            assert_true(answer(f, &f->sent[0], rows[i].status, UINT16_MAX)); /* Too late. */
        }
        assert_int_equal(f->results[0], rows[i].result);
        assert_int_equal(f->last.reply != NULL, rows[i].body);
        assert_int_equal(f->ends[0], 1);
        fixture_close(f);
    }
}

/* A refusal after a loss says nothing about the attempt that was lost. */
static void
test_lost_attempt_stays_unknown_when_a_later_one_is_refused(void **state)
{
    struct fixture *const f = fixture_open(4, 0);

    (void)state;
    connect_with(f, 8, false);
    assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 0), 0);
    assert_int_equal(submit(f, ZR_OP_STATE_HASH, NULL, 1), 0);
    pump(f, 0);
    zrc_core_lose(&f->core);
    connect_with(f, 8, false);
    pump(f, 0);
    assert_int_equal(f->sent_count, 2);
    assert_true(answer(f, &f->sent[0], ZR_STATUS_DRAINING, UINT16_MAX));
    assert_true(answer(f, &f->sent[1], ZR_STATUS_DRAINING, UINT16_MAX));
    assert_int_equal(f->results[0], ZR_EUNKNOWN);
    assert_int_equal(f->results[1], ZR_STATUS_DRAINING); /* A read executes nothing. */
    fixture_close(f);
}

static void
test_budget_bounds_resends_to_a_tenth(void **state)
{
    struct fixture *const f = fixture_open(1, 0);
    unsigned resent = 0;

    (void)state;
    connect_with(f, 8, false);
    for (unsigned i = 0; i < 100; i++) {
        f->results[0] = NOT_ENDED;
        assert_int_equal(submit(f, ZR_OP_RELEASE, &release, 0), 0);
        pump(f, 0);
        assert_true(answer(f, &f->sent[0], ZR_STATUS_OVERLOADED, 1));
        if (f->results[0] == NOT_ENDED) {
            resent++;
            pump(f, 2);
            assert_true(answer(f, &f->sent[0], ZR_STATUS_OK, 0));
        }
    }
    assert_in_range(resent, 10, 11); /* The slots_count of a fresh client, and 10 %. */
    fixture_close(f);
}

/* ---- replies --------------------------------------------------------------------------------- */

static void
test_replies_match_in_any_order(void **state)
{
    struct fixture *const f = fixture_open(8, 0);
    struct zr_header sent[8];

    (void)state;
    connect_with(f, 8, false);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(submit(f, i % 2 == 0 ? ZR_OP_PING : ZR_OP_STATE_HASH, NULL, i), 0);
    }
    assert_int_equal(submit(f, ZR_OP_PING, NULL, 8), ZR_EFULL);
    pump(f, 0);
    assert_int_equal(f->sent_count, 8);
    memcpy(sent, f->sent, sizeof sent);
    for (size_t i = 1; i < 8; i++) {
        assert_true(sent[i].id > sent[i - 1].id);
    }
    for (size_t i = 0; i < 8; i++) {
        const size_t at = (i * 5 + 3) % 8;

        assert_true(answer(f, &sent[at], ZR_STATUS_OK, 0));
        assert_int_equal(f->ends[at], 1);
        assert_int_equal(f->last.op, sent[at].op);
    }
    assert_false(answer(f, &sent[0], ZR_STATUS_OK, 0)); /* Nobody asked twice. */
    assert_int_equal(f->core.failure.result, ZR_EPROTO);
    fixture_close(f);
}

static void
test_credit_is_obeyed_as_it_moves(void **state)
{
    struct fixture *const f = fixture_open(8, 0);
    struct zr_header first;

    (void)state;
    connect_with(f, 2, false);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(submit(f, ZR_OP_PING, NULL, i), 0);
    }
    pump(f, 0);
    assert_int_equal(f->sent_count, 2);
    assert_false(zrc_core_wants_send(&f->core));
    first = f->sent[0];
    f->core.window = 5; /* What the reply will grant. */
    assert_true(answer(f, &first, ZR_STATUS_OK, 0));
    pump(f, 0);
    assert_int_equal(f->sent_count, 4);
    first = f->sent[0];
    f->core.window = 0;
    assert_true(answer(f, &first, ZR_STATUS_OK, 0));
    assert_int_equal(f->core.window, 1); /* 0 could never be raised again. */
    fixture_close(f);
}

static void
test_full_client_takes_one_from_a_callback(void **state)
{
    struct fixture *const f = fixture_open(1, 0);

    (void)state;
    connect_with(f, 8, false);
    assert_int_equal(submit(f, ZR_OP_PING, NULL, 0), 0);
    assert_int_equal(submit(f, ZR_OP_PING, NULL, 1), ZR_EFULL);
    pump(f, 0);
    f->resubmit = true;
    assert_true(answer(f, &f->sent[0], ZR_STATUS_OK, 0));
    pump(f, 0);
    assert_int_equal(f->sent_count, 1);
    assert_true(answer(f, &f->sent[0], ZR_STATUS_OK, 0));
    assert_int_equal(f->ends[DONE_MAX - 1], 1);
    fixture_close(f);
}

static void
test_submit_refuses_what_cannot_be_sent(void **state)
{
    static struct zr_claim_request claim = {.slots_count = 65};
    struct fixture *const f = fixture_open(1, 0);

    (void)state;
    assert_int_equal(submit(f, ZR_OP_HELLO, &release, 0), ZR_EINVAL);
    assert_int_equal(submit(f, ZR_OP_GOAWAY, NULL, 0), ZR_EINVAL);
    assert_int_equal(submit(f, 0x7F01, NULL, 0), ZR_EINVAL);
    assert_int_equal(submit(f, ZR_OP_RELEASE, NULL, 0), ZR_EINVAL);
    assert_int_equal(submit(f, ZR_OP_CLAIM, &claim, 0), ZR_EINVAL);
    claim.slots_count = 64;
    assert_int_equal(submit(f, ZR_OP_CLAIM, &claim, 0), 0);
    assert_int_equal(zrc_core_pending(&f->core), 1);
    fixture_close(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadline_before_a_connection_is_not_executed),
        cmocka_unit_test(test_deadline_tells_never_sent_from_sent),
        cmocka_unit_test(test_resend_has_the_same_bytes_under_a_new_id),
        cmocka_unit_test(test_loss_resends_by_operation),
        cmocka_unit_test(test_status_decides_by_its_class),
        cmocka_unit_test(test_lost_attempt_stays_unknown_when_a_later_one_is_refused),
        cmocka_unit_test(test_budget_bounds_resends_to_a_tenth),
        cmocka_unit_test(test_replies_match_in_any_order),
        cmocka_unit_test(test_credit_is_obeyed_as_it_moves),
        cmocka_unit_test(test_full_client_takes_one_from_a_callback),
        cmocka_unit_test(test_submit_refuses_what_cannot_be_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
