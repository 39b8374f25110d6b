/*
 * test_online_audit.c - calls go on while the whole state is looked at (issue "online audit").
 *
 * Not by time, but by order: a CONNECT whose place in the log is behind the AUDIT's, and whose
 * reply is here before the AUDIT's, was committed while the walk was under way. The database is
 * made so large that a walk takes several commits; should one be quicker, the next round asks.
 */
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <stdio.h>
#include <string.h>

enum { FILL = 20000, ROUNDS = 20, CONNECTS_MAX = 12, FUND = 1000000 };

static struct world world;
static uint32_t contractor;
static struct world_slot slot;

struct answer {
    bool came;
    int result;
    struct zr_audit_reply audit;
    struct zr_state_hash_reply hash;
};

static void
on_answer(void *context, const struct zr_completion *completion)
{
    struct answer *answer = context;

    answer->came = true;
    answer->result = completion->result;
    if (completion->reply != NULL && completion->op == ZR_OP_AUDIT) {
        memcpy(&answer->audit, completion->reply, sizeof answer->audit);
    } else if (completion->reply != NULL) {
        memcpy(&answer->hash, completion->reply, sizeof answer->hash);
    }
}

static void
ask(struct zr_client *client, uint16_t op, struct answer *answer)
{
    static const struct zr_audit_request request;

    *answer = (struct answer){0};
    assert_int_equal(
        zr_submit(client, &(struct zr_submission){.size = sizeof(struct zr_submission),
                                                  .op = op,
                                                  .request = op == ZR_OP_AUDIT ? &request : NULL,
                                                  .timeout_ms = 60000,
                                                  .done = on_answer,
                                                  .context = answer}),
        0);
    assert_true(zr_client_process(client, 0) >= 0);
}

static void
on_topup(void *context, const struct zr_completion *completion)
{
    uint32_t *done = context;

    assert_int_equal(completion->result, 0);
    ++*done;
}

/* Postings, their chain and their references: each is looked at by an AUDIT. */
static void
fill(void)
{
    uint32_t done = 0;
    struct zr_topup_request request = {.amount_cents = 2500, .contractor = contractor};
    const struct zr_submission submission = {.size = sizeof submission,
                                             .op = ZR_OP_TOPUP,
                                             .request = &request,
                                             .timeout_ms = 60000,
                                             .done = on_topup,
                                             .context = &done};

    for (uint32_t i = 0; i < FILL; i++) {
        int result;

        (void)snprintf(request.provider_ref, sizeof request.provider_ref, "fill-%u", i);
        while ((result = zr_submit(world.payments, &submission)) == ZR_EFULL) {
            assert_true(zr_client_process(world.payments, -1) >= 0);
        }
        assert_int_equal(result, 0);
    }
    assert_int_equal(zr_client_flush(world.payments, 60000), 0);
    assert_int_equal(done, FILL);
}

static int
open_world(void **state)
{
    (void)state;
    world_open(&world, NULL);
    slot = world_slot(&world);
    contractor = world_contractor(&world, 200, FUND);
    (void)world_claim(&world, contractor, slot);
    fill();
    return 0;
}

static int
close_world(void **state)
{
    (void)state;
    return world_close(&world);
}

/* How many of these calls CONNECTed behind the walk's place in the log and before its reply. */
static int
connect_beside(struct answer *answer, uint16_t op, const struct zr_route_reply *calls)
{
    uint64_t seqs[CONNECTS_MAX] = {0};
    uint64_t walk_seq;
    int connected = 0;
    int beside = 0;

    ask(world.auditor, op, answer);
    while (connected < CONNECTS_MAX && !answer->came) {
        seqs[connected] = world_connect(&world, &calls[connected]).commit_seq;
        connected++;
        assert_true(zr_client_process(world.auditor, 0) >= 0);
    }
    if (answer->came) {
        connected--; /* The last reply and the walk's: nobody knows which one came first. */
    }
    while (!answer->came) {
        assert_true(zr_client_process(world.auditor, -1) >= 0);
    }
    assert_int_equal(answer->result, 0);
    walk_seq = op == ZR_OP_AUDIT ? answer->audit.commit_seq : answer->hash.commit_seq;
    for (int i = 0; i < connected; i++) {
        beside += seqs[i] > walk_seq;
    }
    return beside;
}

static int
round_of(struct answer *answer, uint16_t op)
{
    struct zr_route_reply calls[CONNECTS_MAX];
    struct zr_id call_ids[CONNECTS_MAX];
    int beside;

    for (int i = 0; i < CONNECTS_MAX; i++) {
        calls[i] = world_call(&world, slot, &call_ids[i]);
    }
    beside = connect_beside(answer, op, calls);
    for (int i = 0; i < CONNECTS_MAX; i++) {
        const struct zr_end_request end = world_end_request(&call_ids[i], 1000);
        struct zr_settlement_reply ended;

        (void)zr_end(world.carrier, &end, &ended); /* One that was not connected: refused. */
    }
    return beside;
}

static void
test_calls_connect_while_an_audit_walks(void **state)
{
    struct answer answer;
    int beside = 0;

    (void)state;
    for (int i = 0; i < ROUNDS && beside == 0; i++) {
        beside = round_of(&answer, ZR_OP_AUDIT);
        assert_int_equal(answer.audit.violations, 0);
        assert_true(answer.audit.balanced);
        assert_true(answer.audit.postings > FILL);
    }
    print_message("%d CONNECTs beside one AUDIT\n", beside);
    assert_true(beside > 0);
}

static void
test_calls_connect_while_the_state_is_hashed(void **state)
{
    struct answer answer;
    int beside = 0;

    (void)state;
    for (int i = 0; i < ROUNDS && beside == 0; i++) {
        beside = round_of(&answer, ZR_OP_STATE_HASH);
        assert_true(answer.hash.rows > FILL);
    }
    assert_true(beside > 0);
}

/* Two at once: one is walked, the other is told to wait, and the library asks again. */
static void
test_two_audits_at_once_are_both_answered(void **state)
{
    struct answer first;
    struct answer second;

    (void)state;
    ask(world.auditor, ZR_OP_AUDIT, &first);
    ask(world.admin, ZR_OP_AUDIT, &second);
    assert_int_equal(zr_client_flush(world.admin, 60000), 0);
    assert_int_equal(zr_client_flush(world.auditor, 60000), 0);
    assert_true(first.came && second.came);
    assert_int_equal(first.result, 0);
    assert_int_equal(second.result, 0);
    assert_int_equal(first.audit.postings, second.audit.postings);
}

/* SIGTERM in the middle of a walk: a clean end, and nothing is lost. */
static void
test_server_stops_cleanly_while_an_audit_walks(void **state)
{
    struct answer answer;

    (void)state;
    ask(world.auditor, ZR_OP_AUDIT, &answer);
    assert_int_equal(server_stop(&world.server), 0);
    server_restart(&world.server);
    world_reconnect(&world); /* Closes the client: the answer has come, or is "unknown". */
    assert_true(answer.came);
    assert_int_equal(world_audit(&world).violations, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_connect_while_an_audit_walks),
        cmocka_unit_test(test_calls_connect_while_the_state_is_hashed),
        cmocka_unit_test(test_two_audits_at_once_are_both_answered),
        cmocka_unit_test(test_server_stops_cleanly_while_an_audit_walks),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
