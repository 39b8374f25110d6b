/*
 * test_execute.c - exactly once: the order of judgement, and what a used key answers (P1).
 */
#include "tests/unit/test_commit.h"

enum { KEY_AHEAD_MS = 5 * 60 * 1000 };

static uint64_t
seq_now(void)
{
    return rig.executor.head.commit_seq;
}

/* Execute the job of rig.last again as a new request of its own; its reply is the second. */
static struct job *
send_again(void)
{
    struct job *again = &rig.jobs[1];

    *again = *rig.last;
    again->header.id = ++rig.serial;
    zr_header_encode(again->frame, &again->header);
    execute_job(&rig.executor, again, clock_now_ms(&rig.clock), &rig.effects);
    return again;
}

/* All but id and the DUPLICATE flag: byte for byte. */
static void
assert_same_reply(const struct job *first, const struct job *again)
{
    uint8_t rest[ZR_HEADER_BYTES];
    struct zr_header left;
    struct zr_header right;

    assert_int_equal(again->status, first->status);
    assert_int_equal(again->reply_bytes, first->reply_bytes);
    zr_header_decode(&left, first->reply);
    zr_header_decode(&right, again->reply);
    assert_int_equal(right.flags, left.flags | ZR_FLAG_DUPLICATE);
    assert_int_equal(right.id, again->header.id);
    right.flags = left.flags;
    right.id = left.id;
    zr_header_encode(rest, &right); /* As bytes: the struct has padding. */
    assert_memory_equal(rest, first->reply, sizeof rest);
    assert_memory_equal(first->reply + ZR_HEADER_BYTES, again->reply + ZR_HEADER_BYTES,
                        first->reply_bytes - ZR_HEADER_BYTES);
}

static void
test_same_key_and_body_get_the_stored_reply(void **state)
{
    uint64_t seq;

    (void)state;
    assert_int_equal(rig_category(rig_key(), "plumbing"), ZR_STATUS_OK);
    seq = seq_now();
    assert_same_reply(rig.last, send_again());
    rig_commit(100);
    clock_advance_ms(&rig.clock, IDEMPOTENCY_HORIZON_MS / 2);
    rig.last->deadline_us = UINT64_MAX;
    assert_same_reply(rig.last, send_again());
    assert_int_equal(seq_now(), seq);
    rig_crash();
}

/* What was refused stays refused under its key, even where it would be granted now. Its key is
 * stored, so the journal has it, too: a replay must store the same (E64). */
static void
test_refusals_are_stored(void **state)
{
    struct zr_contractor_status_request request = {
        .op_id = rig_key(), .contractor = 1, .contractor_status = ZR_CONTRACTOR_APPROVED};
    uint64_t seq = seq_now();

    (void)state;
    assert_int_equal(rig_send(rig_admin, ZR_OP_CONTRACTOR_STATUS, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(seq_now(), seq + 1);
    rig.jobs[2] = *rig.last;
    assert_int_equal(rig_contractor(0), 1);
    seq = seq_now();
    rig.last = &rig.jobs[2];
    assert_same_reply(rig.last, send_again());
    assert_int_equal(seq_now(), seq);
    request.op_id = rig_key();
    assert_int_equal(rig_send(rig_admin, ZR_OP_CONTRACTOR_STATUS, &request), ZR_STATUS_OK);
    rig_crash();
}

static void
test_used_key_with_another_body_is_a_mismatch(void **state)
{
    const struct zr_id key = rig_key();
    const uint64_t seq = seq_now() + 1;

    (void)state;
    assert_int_equal(rig_category(key, "plumbing"), ZR_STATUS_OK);
    assert_int_equal(rig_category(key, "roofing"), ZR_STATUS_IDEMPOTENCY_MISMATCH);
    assert_int_equal(seq_now(), seq);
    /* Not a body at all: the key is judged before the fields. */
    rig.last->frame[rig.last->header.size - 1] = 0xFF;
    assert_int_equal(rig_execute(), ZR_STATUS_IDEMPOTENCY_MISMATCH);
    assert_int_equal(seq_now(), seq);
    rig_crash();
}

static void
test_used_key_of_another_operation_is_a_mismatch(void **state)
{
    struct zr_contractor_put_request request = rig_contractor_request();

    (void)state;
    assert_int_equal(rig_category(request.op_id, "plumbing"), ZR_STATUS_OK);
    assert_int_equal(rig_send(rig_portal, ZR_OP_CONTRACTOR_PUT, &request), ZR_STATUS_OK);
    request.op_id = rig_key();
    assert_int_equal(rig_send(rig_admin, ZR_OP_CONTRACTOR_PUT, &request),
                     ZR_STATUS_VERSION_CONFLICT);
    request.contractor_id = rig_id();
    rig.last->tenant = rig_admin.tenant;
    assert_int_equal(rig_category(request.op_id, "roofing"), ZR_STATUS_IDEMPOTENCY_MISMATCH);
    rig_crash();
}

/* E3: byte for byte the body that the key was used with, but of an operation that means more. */
static void
test_used_key_and_body_of_another_operation_is_a_mismatch(void **state)
{
    const struct zr_contractor_status_request request = {
        .op_id = rig_key(), .contractor = 1, .contractor_status = ZR_CONTRACTOR_APPROVED};

    (void)state;
    assert_int_equal(rig_send(rig_admin, ZR_OP_CONTRACTOR_STATUS, &request), ZR_STATUS_NOT_FOUND);
    rig.last->header.op = ZR_OP_CATEGORY_PUT;
    rig.last->operation = zr_operation_find(ZR_OP_CATEGORY_PUT);
    assert_int_equal(rig_execute(), ZR_STATUS_IDEMPOTENCY_MISMATCH);
    rig_crash();
}

/* One tenant's keys are no other tenant's. */
static void
test_key_of_another_tenant_is_another_key(void **state)
{
    struct zr_contractor_put_request request = rig_contractor_request();

    (void)state;
    assert_int_equal(rig_send(rig_portal, ZR_OP_CONTRACTOR_PUT, &request), ZR_STATUS_OK);
    request.contractor_id = rig_id();
    assert_int_equal(rig_send((struct rig_actor){ZR_ROLE_PORTAL, RIG_TENANT + 1},
                              ZR_OP_CONTRACTOR_PUT, &request),
                     ZR_STATUS_OK);
    assert_int_equal(rig.reply.contractor_put_reply.contractor, 2);
    rig_crash();
}

/* Exactly at the horizon, one behind it, at the bound ahead, one beyond, and no UUIDv7. */
static void
test_key_must_be_of_now(void **state)
{
    const uint64_t now_ms = clock_now_ms(&rig.clock);
    const uint64_t seq = seq_now();
    struct zr_id key = rig_key();

    (void)state;
    assert_int_equal(rig_category(rig_key_at(now_ms - IDEMPOTENCY_HORIZON_MS - 1), "a"),
                     ZR_STATUS_KEY_EXPIRED);
    assert_int_equal(rig_category(rig_key_at(now_ms + KEY_AHEAD_MS + 1), "a"),
                     ZR_STATUS_INVALID_FIELD);
    key.bytes[6] = 0x40;
    assert_int_equal(rig_category(key, "a"), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(seq_now(), seq);
    assert_int_equal(rig_category(rig_key_at(now_ms - IDEMPOTENCY_HORIZON_MS), "a"), ZR_STATUS_OK);
    assert_int_equal(rig_category(rig_key_at(now_ms + KEY_AHEAD_MS), "b"), ZR_STATUS_OK);
    rig_crash();
}

/* Classes 10 and 30 leave nothing behind: the same key is free for a request that is right. */
static void
test_bad_and_not_executed_requests_are_not_stored(void **state)
{
    struct zr_contractor_put_request request = rig_contractor_request();
    const uint64_t seq = seq_now();

    (void)state;
    request.phones_count = 0;
    assert_int_equal(rig_send(rig_portal, ZR_OP_CONTRACTOR_PUT, &request), ZR_STATUS_INVALID_FIELD);
    request.phones_count = 1;
    rig.executor.contractors_max = 1;
    assert_int_equal(rig_send(rig_portal, ZR_OP_CONTRACTOR_PUT, &request), ZR_STATUS_STORAGE_FULL);
    rig.executor.contractors_max = 2;
    rig.last->deadline_us = clock_now_us(&rig.clock);
    assert_int_equal(rig_execute(), ZR_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(seq_now(), seq);
    rig.last->deadline_us++;
    assert_int_equal(rig_execute(), ZR_STATUS_OK);
    assert_int_equal(seq_now(), seq + 1);
    rig_crash();
}

/* Every truncation of a request, its header saying so: refused, and nothing put. */
static void
test_truncated_body_is_refused_and_changes_nothing(void **state)
{
    const struct zr_contractor_put_request request = rig_contractor_request();
    const uint64_t seq = seq_now();
    struct job *job = &rig.jobs[0];

    (void)state;
    rig_fill(job, rig_portal, ZR_OP_CONTRACTOR_PUT, &request);
    rig.jobs[1] = *job;
    for (uint32_t bytes = ZR_HEADER_BYTES; bytes < rig.jobs[1].header.size; bytes += 8) {
        *job = rig.jobs[1];
        job->header.size = bytes;
        if (job->header.block > bytes - ZR_HEADER_BYTES) {
            job->header.block = (uint16_t)(bytes - ZR_HEADER_BYTES);
        }
        execute_job(&rig.executor, job, clock_now_ms(&rig.clock), &rig.effects);
        assert_int_equal(job->status, ZR_STATUS_INVALID_FIELD);
        assert_false(rig.executor.state.changed);
    }
    assert_int_equal(seq_now(), seq);
    rig_crash();
}

/* A natural key needs no table of replies: the repeat is rebuilt, marked, and not journaled. */
static void
test_natural_key_repeats_are_not_journaled(void **state)
{
    const uint32_t contractor = rig_contractor(0);
    const uint64_t seq = seq_now() + 1;
    uint64_t first_seq;

    (void)state;
    assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_OK);
    first_seq = rig.reply.topup_reply.commit_seq;
    assert_int_equal(send_again()->status, ZR_STATUS_OK);
    assert_true(rig.jobs[1].duplicate);
    assert_int_equal(seq_now(), seq);
    assert_int_equal(first_seq, seq);
    assert_int_equal(rig_posted(contractor), 2500);
    rig_crash();
}

/* Reads take no position in the log. */
static void
test_reads_are_not_journaled(void **state)
{
    const uint32_t contractor = rig_contractor(2500);
    const uint64_t seq = seq_now();

    (void)state;
    assert_int_equal(rig_posted(contractor), 2500);
    assert_int_equal(seq_now(), seq);
    assert_int_equal(rig.reply.wallet_get_reply.commit_seq, seq);
    rig_crash();
}

/* Keys that nobody may use any more are deleted, some at a time; the others stay. */
static void
test_trim_takes_expired_keys_only(void **state)
{
    const uint64_t now_ms = clock_now_ms(&rig.clock);
    char name[32];

    (void)state;
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof name, "c%d", i);
        assert_int_equal(rig_category(rig_key_at(now_ms - (uint64_t)i), name), ZR_STATUS_OK);
    }
    assert_int_equal(execute_trim_keys(&rig.executor, now_ms, 100), 0);
    assert_int_equal(execute_trim_keys(&rig.executor, now_ms + IDEMPOTENCY_HORIZON_MS - 4, 3), 3);
    assert_int_equal(execute_trim_keys(&rig.executor, now_ms + IDEMPOTENCY_HORIZON_MS - 4, 100), 2);
    assert_int_equal(store_count(&rig.view, TABLE_IDEMPOTENCY), 5);
    assert_int_equal(rig_category(rig_key_at(now_ms - 1), "other"), ZR_STATUS_OK);
    rig_crash();
}

/* What can still be read again is kept; the oldest go first, and the counter goes on. */
static void
test_trim_takes_old_events_only(void **state)
{
    struct state *rules = &rig.executor.state;
    const uint64_t now_ms = clock_now_ms(&rig.clock);
    struct event_row event = {.type = ZR_EVENT_CLAIMED};

    (void)state;
    assert_int_equal(state_event_oldest(rules), 0);
    assert_int_equal(execute_trim_events(&rig.executor, now_ms, 100), 0);
    for (uint64_t seq = 1; seq <= 6; seq++) {
        event.time_ms = now_ms + seq;
        state_event_put(rules, seq, &event);
    }
    assert_int_equal(execute_trim_events(&rig.executor, now_ms + EVENTS_HORIZON_MS + 1, 100), 0);
    assert_int_equal(execute_trim_events(&rig.executor, now_ms + EVENTS_HORIZON_MS + 5, 3), 3);
    assert_int_equal(state_event_oldest(rules), 4);
    assert_int_equal(execute_trim_events(&rig.executor, now_ms + EVENTS_HORIZON_MS + 5, 100), 1);
    assert_int_equal(state_event_oldest(rules), 5);
    assert_true(state_event_get(rules, 6, &event));
    rig_crash();
}

/* A manual clock that was moved stays moved over a restart: time never runs back. */
static void
test_advanced_clock_survives_a_restart(void **state)
{
    const struct zr_clock_advance_request request = {.advance_ms = 86400000};
    uint64_t told_ms;

    (void)state;
    assert_int_equal(rig_send((struct rig_actor){ZR_ROLE_BENCH, 1}, ZR_OP_CLOCK_ADVANCE, &request),
                     ZR_STATUS_OK);
    told_ms = rig.reply.clock_advance_reply.now_ms;
    assert_int_equal(clock_now_ms(&rig.clock), told_ms);
    rig_commit(0);
    rig_crash();
    rig_open(false);
    assert_true(clock_now_ms(&rig.clock) >= told_ms);
    rig_crash();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_same_key_and_body_get_the_stored_reply),
        RIG_TEST(test_refusals_are_stored),
        RIG_TEST(test_used_key_with_another_body_is_a_mismatch),
        RIG_TEST(test_used_key_of_another_operation_is_a_mismatch),
        RIG_TEST(test_used_key_and_body_of_another_operation_is_a_mismatch),
        RIG_TEST(test_key_of_another_tenant_is_another_key),
        RIG_TEST(test_key_must_be_of_now),
        RIG_TEST(test_bad_and_not_executed_requests_are_not_stored),
        RIG_TEST(test_truncated_body_is_refused_and_changes_nothing),
        RIG_TEST(test_natural_key_repeats_are_not_journaled),
        RIG_TEST(test_reads_are_not_journaled),
        RIG_TEST(test_trim_takes_expired_keys_only),
        RIG_TEST(test_trim_takes_old_events_only),
        RIG_TEST(test_advanced_clock_survives_a_restart),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
