/*
 * test_cases_claims.c - the acceptance cases of domain.md M7 about who holds a slot, against the
 * real server: claims, ranks, promotion, pauses, keys.
 */
#include "tests/integration/cases.h"

#include <stdlib.h>

enum { CROWD = 1000, POSITIONS = 8, SLOTS_MAX = 64 };

static struct zr_claim_request
claim_of(uint32_t contractor, struct world_slot slot)
{
    struct zr_claim_request request;

    memset(&request, 0, sizeof request);
    request.contractor = contractor;
    request.accept_backup = true;
    request.slots_count = 1;
    request.slots[0] = (struct zr_slot_key){.zip = slot.zip, .category = slot.category};
    return request;
}

/* ---- E1: a crowd ---------------------------------------------------------------------------- */

static struct zr_client *crowd[CROWD];
static uint32_t crowd_contractors[CROWD];
static struct answer crowd_answers[CROWD];
static struct zr_claim_reply crowd_replies[CROWD];
static struct zr_contractor_put_reply crowd_puts[CROWD];

/* A thousand approved contractors, asked for in one go. */
static void
crowd_make_contractors(void)
{
    struct zr_contractor_put_request put = {.office_zip = WORLD_PEARLAND,
                                            .size_class = ZR_SIZE_SINGLE,
                                            .max_concurrency = 1,
                                            .name = "crowd",
                                            .phones_count = 1,
                                            .phones = {{.phone = 12815550100}}};
    struct zr_contractor_status_request status = {.contractor_status = ZR_CONTRACTOR_APPROVED};

    for (int i = 0; i < CROWD; i++) {
        put.contractor_id = world_id(&world);
        crowd_answers[i].reply = &crowd_puts[i];
        submit(world.portal, ZR_OP_CONTRACTOR_PUT, &put, &crowd_answers[i]);
    }
    drive_one(world.portal);
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(crowd_answers[i].result, 0);
        crowd_contractors[i] = crowd_puts[i].contractor;
        status.contractor = crowd_contractors[i];
        crowd_answers[i].reply = NULL;
        submit(world.admin, ZR_OP_CONTRACTOR_STATUS, &status, &crowd_answers[i]);
    }
    drive_one(world.admin);
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(crowd_answers[i].result, 0);
    }
}

/* One connection each; a handshake at a time, so that the limit of 64 is no issue. */
static void
crowd_connect(void)
{
    struct zr_options options = server_options(&world.server, "portal");
    struct zr_error error = ZR_ERROR_INIT;

    options.inflight_max = 2;
    options.frame_bytes_max = 4096;
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(zr_client_open(&crowd[i], &options, &error), 0);
        assert_int_equal(zr_client_wait_ready(crowd[i], 10000), 0);
    }
}

/* All of them claim the slot at once. */
static void
crowd_claim(struct world_slot slot, bool accept_backup)
{
    for (int i = 0; i < CROWD; i++) {
        struct zr_claim_request request = claim_of(crowd_contractors[i], slot);

        request.accept_backup = accept_backup;
        memset(&crowd_replies[i], 0, sizeof crowd_replies[i]);
        crowd_answers[i].reply = &crowd_replies[i];
        submit(crowd[i], ZR_OP_CLAIM, &request, &crowd_answers[i]);
    }
    drive(crowd, CROWD);
}

/* Exactly `positions` got in, ranks follow seq, all others were told `refusal`. */
static void
crowd_judge(int positions, int refusal)
{
    uint64_t seqs[POSITIONS + 1] = {0};
    int granted = 0;

    for (int i = 0; i < CROWD; i++) {
        const struct zr_claim_result *result = &crowd_replies[i].results[0];

        assert_int_equal(crowd_answers[i].result, result->status);
        assert_int_equal(crowd_replies[i].results_count, 1);
        if (result->status != 0) {
            assert_int_equal(result->status, refusal);
            continue;
        }
        granted++;
        assert_in_range(result->rank, 1, positions);
        assert_int_equal(seqs[result->rank], 0);
        seqs[result->rank] = result->seq;
        assert_int_equal(result->title, result->rank == 1 ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP);
    }
    assert_int_equal(granted, positions);
    for (int rank = 2; rank <= positions; rank++) {
        assert_true(seqs[rank] > seqs[rank - 1]);
    }
}

/* E1, R45, R46: one primary, whoever comes at once; the order is that of the commits. */
static void
test_e1_a_thousand_connections_claim_one_slot(void **state)
{
    const struct world_slot cascade = world_slot(&world);
    const struct world_slot alone = world_slot(&world);
    struct zr_slot_get_reply slot;

    (void)state;
    crowd_make_contractors();
    crowd_connect();
    crowd_claim(cascade, true);
    crowd_judge(POSITIONS, ZR_STATUS_SLOT_FULL);
    crowd_claim(alone, false);
    crowd_judge(1, ZR_STATUS_SLOT_TAKEN);
    slot = slot_get(cascade);
    assert_int_equal(slot.claims_count, POSITIONS);
    for (int i = 0; i < POSITIONS; i++) {
        assert_int_equal(slot.claims[i].rank, i + 1);
    }
    for (int i = 0; i < CROWD; i++) {
        zr_client_close(crowd[i]);
    }
}

/* ---- E2..E5: retries and crashes --------------------------------------------------------------
 */

static void
test_e2_one_key_on_three_connections(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 1, 5000);
    struct zr_claim_request request = claim_of(contractor, slot);
    struct zr_client *clients[3];
    struct zr_claim_reply replies[3];
    struct answer answers[3];
    int duplicates = 0;

    (void)state;
    assert_int_equal(zr_client_make_key(world.portal, &request.op_id), 0);
    memset(replies, 0, sizeof replies);
    for (int i = 0; i < 3; i++) {
        clients[i] = server_client_ready(&world.server, "portal");
        answers[i].reply = &replies[i];
    }
    for (int i = 0; i < 3; i++) {
        submit(clients[i], ZR_OP_CLAIM, &request, &answers[i]);
    }
    drive(clients, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(answers[i].result, 0);
        assert_memory_equal(&replies[i], &replies[0], sizeof replies[0]);
        duplicates += answers[i].duplicate;
        zr_client_close(clients[i]);
    }
    assert_int_equal(duplicates, 2);
    assert_int_equal(replies[0].results[0].rank, 1);
    assert_int_equal(slot_get(slot).claims_count, 1);
}

static void
test_e3_same_key_for_another_zip_is_a_mismatch(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const struct world_slot other = {WORLD_BOSTON, slot.category};
    const uint32_t contractor = world_contractor(&world, 1, 5000);
    struct zr_claim_request request = claim_of(contractor, slot);
    struct zr_claim_reply reply;
    struct zr_call_info info;

    (void)state;
    assert_int_equal(zr_client_make_key(world.portal, &request.op_id), 0);
    assert_int_equal(zr_claim(world.portal, &request, &reply), 0);
    request.slots[0].zip = other.zip;
    assert_int_equal(zr_claim(world.portal, &request, &reply), ZR_STATUS_IDEMPOTENCY_MISMATCH);
    assert_int_equal(slot_get(other).claims_count, 0);
    /* The first body is still what the key stands for. */
    request.slots[0].zip = slot.zip;
    assert_int_equal(zr_call(world.portal, ZR_OP_CLAIM, &request, &reply, 0, &info), 0);
    assert_true(info.duplicate);
    /* A key is its tenant's over all operations: another operation is another body. */
    {
        const struct zr_release_request release = {
            .op_id = request.op_id, .claim_id = reply.results[0].claim_id, .when = ZR_RELEASE_NOW};
        struct zr_claim_state_reply released;

        assert_int_equal(zr_release(world.portal, &release, &released),
                         ZR_STATUS_IDEMPOTENCY_MISMATCH);
    }
    assert_int_equal(slot_get(slot).claims_count, 1);
}

static void
test_e4_a_retry_after_a_crash_gets_the_same_rank_and_seq(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t first = world_contractor(&world, 1, 5000);
    const uint32_t contractor = world_contractor(&world, 1, 5000);
    struct zr_claim_request request = claim_of(contractor, slot);
    struct zr_claim_reply before;
    struct zr_claim_reply after;
    struct zr_call_info info = {0};

    (void)state;
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    (void)world_claim(&world, first, slot);
    assert_int_equal(zr_client_make_key(world.portal, &request.op_id), 0);
    assert_int_equal(zr_claim(world.portal, &request, &before), 0);
    server_kill(&world.server);
    server_restart(&world.server);
    /* Somebody else is quicker after the restart; it changes nothing. */
    (void)world_claim(&world, world_contractor(&world, 1, 5000), slot);
    assert_int_equal(zr_call(world.portal, ZR_OP_CLAIM, &request, &after, 0, &info), 0);
    assert_true(info.duplicate);
    assert_memory_equal(&after, &before, sizeof before);
    assert_int_equal(after.results[0].rank, 2);
    assert_int_equal(slot_get(slot).claims_count, 3);
}

/* 64 slots that nobody has claimed: every ZIP of the world in six new categories. */
static void
fill_slots(struct zr_claim_request *request)
{
    static const uint32_t zips[] = {601,   2108,  10001, 10002, 60601, 60602,
                                    77550, 77551, 77581, 77584, 90001, 99501};
    enum { ZIPS = sizeof zips / sizeof zips[0] };
    uint16_t category = 0;

    for (uint16_t i = 0; i < SLOTS_MAX; i++) {
        if (i % ZIPS == 0) {
            category = world_category(&world, WORLD_RATE);
        }
        request->slots[i] = (struct zr_slot_key){.zip = zips[i % ZIPS], .category = category};
    }
    request->slots_count = SLOTS_MAX;
}

static uint16_t
claims_count(uint32_t contractor)
{
    struct zr_claims_list_request request = {.contractor = contractor};
    struct zr_claims_list_reply reply;
    uint16_t count = 0;

    do {
        assert_int_equal(zr_claims_list(world.admin, &request, &reply), 0);
        count = (uint16_t)(count + reply.claims_count);
        request.after = reply.next;
    } while (reply.next != 0);
    return count;
}

/*
 * Goal: a crash leaves all 64 claims or none. Method: send, kill after a random number of looks
 * at the socket, restart, count; the library then resends under the same key by itself.
 */
static void
test_e5_a_crash_leaves_all_slots_or_none(void **state)
{
    uint64_t seed = test_seed();
    int kept = 0;

    (void)state;
    for (int round = 0; round < 16; round++) {
        const uint32_t contractor = world_contractor(&world, 1, 5000);
        struct zr_claim_request request = claim_of(contractor, (struct world_slot){0});
        struct zr_claim_reply reply;
        struct answer answer = {.reply = &reply};
        uint64_t looks = test_random_below(&seed, 400);
        uint16_t count;

        memset(&reply, 0, sizeof reply);
        fill_slots(&request);
        request.all_or_none = true;
        submit(world.portal, ZR_OP_CLAIM, &request, &answer);
        (void)zr_client_process(world.portal, 0);
        for (; looks > 0 && !answer.done; looks--) {
            (void)zr_client_process(world.portal, 0);
        }
        server_kill(&world.server);
        server_restart(&world.server);
        count = claims_count(contractor);
        assert_true(count == 0 || count == SLOTS_MAX);
        /* What was acknowledged is there. */
        assert_true(!answer.done || count == SLOTS_MAX);
        kept += count != 0;
        drive_one(world.portal);
        assert_int_equal(answer.result, 0);
        assert_int_equal(reply.results_count, SLOTS_MAX);
        assert_int_equal(claims_count(contractor), SLOTS_MAX);
    }
    (void)printf("E5: %d of 16 were committed before the crash\n", kept);
}

/* ---- E6, R43: who may join ------------------------------------------------------------------- */

static void
test_e6_a_second_claim_tells_the_rank_held(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t first = world_contractor(&world, 1, 5000);
    const uint32_t second = world_contractor(&world, 1, 5000);
    const uint64_t first_claim = world_claim(&world, first, slot);
    const uint64_t second_claim = world_claim(&world, second, slot);
    struct zr_claim_result again = world_claim_result(&world, second, slot);

    (void)state;
    assert_int_equal(again.status, ZR_STATUS_ALREADY_CLAIMED);
    assert_int_equal(again.rank, 2);
    assert_int_equal(again.claim_id, second_claim);
    again = world_claim_result(&world, first, slot);
    assert_int_equal(again.status, ZR_STATUS_ALREADY_CLAIMED);
    assert_int_equal(again.rank, 1);
    assert_int_equal(again.claim_id, first_claim);
    assert_int_equal(slot_get(slot).claims_count, 2);
}

static void
test_r43_nobody_becomes_a_backup_by_surprise(void **state)
{
    const struct world_slot slot = world_slot(&world);
    struct zr_claim_request request = claim_of(world_contractor(&world, 1, 5000), slot);
    struct zr_claim_reply reply;

    (void)state;
    (void)world_claim(&world, world_contractor(&world, 1, 5000), slot);
    request.accept_backup = false;
    assert_int_equal(zr_claim(world.portal, &request, &reply), ZR_STATUS_SLOT_TAKEN);
    assert_int_equal(reply.results[0].status, ZR_STATUS_SLOT_TAKEN);
    assert_int_equal(reply.results[0].claim_id, 0);
    assert_int_equal(slot_get(slot).claims_count, 1);
}

static void
test_r43_an_exclusive_slot_says_taken_not_full(void **state)
{
    const struct world_slot slot = world_slot(&world);
    struct zr_policy policy = world_policy(&world, slot);

    (void)state;
    policy.max_positions = 1;
    world_policy_put(&world, slot, &policy);
    (void)world_claim(&world, world_contractor(&world, 1, 5000), slot);
    assert_int_equal(world_claim_result(&world, world_contractor(&world, 1, 5000), slot).status,
                     ZR_STATUS_SLOT_TAKEN);
}

static void
test_i4_lower_max_positions_keeps_who_is_there(void **state)
{
    const struct world_slot slot = world_slot(&world);
    struct zr_policy policy = world_policy(&world, slot);

    (void)state;
    for (int i = 0; i < 3; i++) {
        (void)world_claim(&world, world_contractor(&world, 1, 5000), slot);
    }
    policy.max_positions = 2;
    world_policy_put(&world, slot, &policy);
    assert_int_equal(slot_get(slot).claims_count, 3);
    assert_int_equal(world_claim_result(&world, world_contractor(&world, 1, 5000), slot).status,
                     ZR_STATUS_SLOT_FULL);
}

/* The order of refusals is contract: UNKNOWN_ZIP, NOT_OFFERED, NOT_APPROVED, ALREADY_CLAIMED ... */
static void
test_r8_r1_refusals_in_the_order_of_the_contract(void **state)
{
    const uint32_t pending = world_contractor_pending(&world, 1);
    const struct world_slot slot = world_slot(&world);
    const struct world_slot unknown = {WORLD_UNKNOWN, 9999};
    const struct world_slot po_box = {WORLD_PO_BOX, slot.category};
    const struct world_slot no_category = {WORLD_ADJUNTAS, 9999};

    (void)state;
    assert_int_equal(world_claim_result(&world, pending, unknown).status, ZR_STATUS_UNKNOWN_ZIP);
    assert_int_equal(world_claim_result(&world, pending, po_box).status, ZR_STATUS_NOT_OFFERED);
    assert_int_equal(world_claim_result(&world, pending, no_category).status,
                     ZR_STATUS_NOT_OFFERED);
    assert_int_equal(world_claim_result(&world, pending, slot).status, ZR_STATUS_NOT_APPROVED);
    world_status(&world, pending, ZR_CONTRACTOR_APPROVED);
    assert_int_equal(world_claim_result(&world, pending, slot).rank, 1);
    world_status(&world, pending, ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(world_claim_result(&world, pending, slot).status, ZR_STATUS_NOT_APPROVED);
}

static void
test_r3_all_or_none_carries_each_slots_result(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 1, 5000);
    struct zr_claim_request request = claim_of(contractor, slot);
    struct zr_claim_reply reply;

    (void)state;
    request.slots_count = 3;
    request.slots[1] = (struct zr_slot_key){.zip = WORLD_UNKNOWN, .category = slot.category};
    request.slots[2] = (struct zr_slot_key){.zip = WORLD_BOSTON, .category = slot.category};
    request.all_or_none = true;
    assert_int_not_equal(zr_claim(world.portal, &request, &reply), 0);
    assert_int_equal(reply.results_count, 3);
    assert_int_equal(reply.results[0].status, ZR_STATUS_ALL_OR_NONE);
    assert_int_equal(reply.results[1].status, ZR_STATUS_UNKNOWN_ZIP);
    assert_int_equal(reply.results[2].status, ZR_STATUS_ALL_OR_NONE);
    assert_int_equal(claims_count(contractor), 0);
    /* Best effort: what can be had. */
    memset(&request.op_id, 0, sizeof request.op_id);
    request.all_or_none = false;
    assert_int_equal(zr_claim(world.portal, &request, &reply), 0);
    assert_int_equal(reply.results[0].status, ZR_STATUS_OK);
    assert_int_equal(reply.results[1].status, ZR_STATUS_UNKNOWN_ZIP);
    assert_int_equal(reply.results[2].status, ZR_STATUS_OK);
    assert_int_equal(claims_count(contractor), 2);
    /* The same slot twice in one request means nothing. */
    request.slots[1] = request.slots[0];
    assert_int_equal(zr_claim(world.portal, &request, &reply), ZR_STATUS_INVALID_FIELD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e2_one_key_on_three_connections),
        cmocka_unit_test(test_e3_same_key_for_another_zip_is_a_mismatch),
        cmocka_unit_test(test_e4_a_retry_after_a_crash_gets_the_same_rank_and_seq),
        cmocka_unit_test(test_e5_a_crash_leaves_all_slots_or_none),
        cmocka_unit_test(test_e6_a_second_claim_tells_the_rank_held),
        cmocka_unit_test(test_r43_nobody_becomes_a_backup_by_surprise),
        cmocka_unit_test(test_r43_an_exclusive_slot_says_taken_not_full),
        cmocka_unit_test(test_i4_lower_max_positions_keeps_who_is_there),
        cmocka_unit_test(test_r8_r1_refusals_in_the_order_of_the_contract),
        cmocka_unit_test(test_r3_all_or_none_carries_each_slots_result),
        cmocka_unit_test(test_e1_a_thousand_connections_claim_one_slot),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
