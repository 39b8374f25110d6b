/*
 * test_committer.c - group commit: nothing answered before it is durable, one refused job spares
 * its batch, and a storage that fails is said so, survived, or the end (P2, P15, P16).
 */
#include "server/commit/batch.h"
#include "tests/unit/test_commit.h"
#include "tests/unit/test_faults.h"

enum { ROUNDS = 100, PIPELINED = 3000, WINDOW = 40, FUND = 50 * RIG_RATE };

static struct eligibility_contractor
hot_of(uint32_t contractor)
{
    struct eligibility_contractor known;

    hot_look(rig.hot, contractor, &known);
    return known;
}

/* One contractor with money, made by hand; then the thread takes over. */
static uint32_t
serve_with_contractor(void)
{
    uint32_t contractor;

    assert_int_equal(rig_category(rig_key(), "plumbing"), ZR_STATUS_OK);
    contractor = rig_contractor(FUND);
    rig_commit(100);
    rig_crash();
    rig_serve();
    return contractor;
}

/* What a start from disk finds. */
static int64_t
posted_after_restart(uint32_t contractor)
{
    int64_t posted;

    rig_serve();
    posted = rig_posted(contractor);
    rig_stop();
    return posted;
}

/* ---- batches ----------------------------------------------------------------------------- */

static void
test_committer_answers_after_the_commit(void **state)
{
    const uint32_t contractor = serve_with_contractor();
    struct store_view view = {0};

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct store_value value;

        assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_OK);
        assert_int_equal(store_read_begin(rig.store, &view), STATUS_OK);
        assert_true(
            store_get_number(&view, TABLE_JOURNAL, rig.reply.topup_reply.commit_seq, &value));
        store_read_end(&view);
    }
    store_read_close(&view);
    rig_stop();
    assert_int_equal(posted_after_restart(contractor), FUND + ROUNDS * 2500);
}

/* Jobs in order, all in one batch: the refused ones are refused alone. */
static void
test_committer_refused_job_spares_its_batch(void **state)
{
    struct zr_topup_request request;
    uint64_t last_seq = 0;
    uint32_t contractor;

    (void)state;
    contractor = rig_contractor(FUND);
    rig_commit(100);
    rig_crash();
    assert_int_equal(rig_recover(), STATUS_OK);
    for (int i = 0; i < RIG_JOBS; i++) {
        request = rig_topup_request(i % 4 == 3 ? 99 : contractor, i % 4 == 2 ? 1 : 2500);
        rig_fill(&rig.jobs[i], rig_payments, ZR_OP_TOPUP, &request);
        assert_true(committer_submit(rig.committer, &rig.jobs[i]));
    }
    assert_false(committer_submit(rig.committer, &rig.jobs[0]));
    rig_start();
    for (int i = 0; i < RIG_JOBS; i++) {
        assert_ptr_equal(rig_wait(), &rig.jobs[i]);
        assert_int_equal(rig.jobs[i].status, i % 4 == 3   ? ZR_STATUS_NOT_FOUND
                                             : i % 4 == 2 ? ZR_STATUS_MIN_AMOUNT
                                                          : ZR_STATUS_OK);
    }
    assert_int_equal(rig_posted(contractor), FUND + RIG_JOBS / 2 * 2500);
    last_seq = atomic_load(&committer_published(rig.committer)->commit_seq);
    assert_true(last_seq > RIG_JOBS / 2);
    /* Two full batches, and what idle folding and the read took. */
    assert_true(atomic_load(&committer_published(rig.committer)->commits) < RIG_JOBS / 2);
    rig_stop();
}

/* E38: a deadline that passed is judged before anything else, and nothing happened. */
static void
test_committer_refuses_what_is_too_late(void **state)
{
    const uint32_t contractor = serve_with_contractor();
    const struct zr_topup_request request = rig_topup_request(contractor, 2500);

    (void)state;
    rig.last = &rig.jobs[0];
    rig_fill(rig.last, rig_payments, ZR_OP_TOPUP, &request);
    rig.last->deadline_us = clock_now_us(&rig.clock);
    assert_int_equal(rig_execute(), ZR_STATUS_DEADLINE_EXCEEDED);
    rig.last->deadline_us = clock_now_us(&rig.clock) + 1;
    assert_int_equal(rig_execute(), ZR_STATUS_OK);
    assert_int_equal(rig_posted(contractor), FUND + 2500);
    rig_stop();
}

/* The next answered jobs, so many, in any order. */
static void
wait_for(int jobs)
{
    for (int i = 0; i < jobs; i++) {
        (void)rig_wait();
    }
}

static void
decode_reply(const struct job *job)
{
    struct zr_header header;
    uint16_t invalid_at;

    zr_header_decode(&header, job->reply);
    assert_int_equal(header.status, ZR_STATUS_OK);
    assert_int_equal(
        zr_message_decode(&rig.reply, &invalid_at, job->operation->reply, &header, job->reply),
        ZR_DECODE_OK);
}

/* A walk's turn comes in the order of the log, whatever stands before and behind it in the queue:
 * it sees the one and not the other. */
static void
test_committer_walks_in_the_order_of_the_log(void **state)
{
    enum { JOBS = 9, WALK = 4 };
    struct zr_topup_request request;
    uint64_t before_seq;
    uint32_t contractor;

    (void)state;
    contractor = rig_contractor(FUND);
    rig_commit(0);
    rig_crash();
    assert_int_equal(rig_recover(), STATUS_OK);
    for (int i = 0; i < JOBS; i++) {
        request = rig_topup_request(contractor, 2500);
        rig_fill(&rig.jobs[i], rig_payments, ZR_OP_TOPUP, &request);
        if (i == WALK) {
            rig_fill(&rig.jobs[i], rig_admin, ZR_OP_AUDIT, &(struct zr_audit_request){0});
        }
        assert_true(committer_submit(rig.committer, &rig.jobs[i]));
    }
    rig_start();
    wait_for(JOBS);
    decode_reply(&rig.jobs[WALK - 1]);
    before_seq = rig.reply.topup_reply.commit_seq;
    decode_reply(&rig.jobs[WALK]);
    assert_int_equal(rig.reply.audit_reply.commit_seq, before_seq);
    assert_int_equal(rig.reply.audit_reply.postings, 1 + WALK);
    assert_int_equal(rig.reply.audit_reply.violations, 0);
    assert_int_equal(rig_posted(contractor), FUND + (JOBS - 1) * 2500);
    rig_stop();
}

/* One at a time: the second is not executed, and asked again it is. */
static void
test_committer_refuses_a_second_walk(void **state)
{
    (void)state;
    (void)rig_contractor(FUND);
    rig_commit(0);
    rig_crash();
    assert_int_equal(rig_recover(), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        rig_fill(&rig.jobs[i], rig_admin, ZR_OP_AUDIT, &(struct zr_audit_request){0});
        assert_true(committer_submit(rig.committer, &rig.jobs[i]));
    }
    rig_start();
    wait_for(2);
    assert_int_equal(rig.jobs[0].status, ZR_STATUS_OK);
    assert_int_equal(rig.jobs[1].status, ZR_STATUS_OVERLOADED);
    rig.last = &rig.jobs[1];
    assert_int_equal(rig_execute(), ZR_STATUS_OK);
    rig_stop();
}

static void
test_committer_stop_folds_everything(void **state)
{
    const uint32_t contractor = serve_with_contractor();

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_OK);
    }
    committer_stop(rig.committer);
    assert_int_equal(store_head(rig.store)->fold_seq, store_head(rig.store)->commit_seq);
    assert_int_equal(atomic_load(&committer_published(rig.committer)->unfolded_rows), 0);
    rig_leave();
}

/* Whoever has the reply finds the effect: in the hot line and in the newest snapshot. */
static void
test_committer_publishes_before_it_replies(void **state)
{
    const uint32_t contractor = serve_with_contractor();

    (void)state;
    for (int i = 1; i <= ROUNDS; i++) {
        assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_OK);
        assert_int_equal(hot_of(contractor).available_cents, FUND + i * 2500);
        assert_int_equal(atomic_load(&committer_published(rig.committer)->commit_seq),
                         rig.reply.topup_reply.commit_seq);
    }
    rig_stop();
}

/* Many under way at once: each answered once, in order, and no wake is lost. */
static void
test_committer_keeps_up_with_a_pipeline(void **state)
{
    const uint32_t contractor = serve_with_contractor();
    uint64_t seq = 0;
    int answered = 0;

    (void)state;
    for (int sent = 0; answered < PIPELINED;) {
        while (sent < PIPELINED && sent - answered < WINDOW) {
            struct job *job = &rig.jobs[sent % RIG_JOBS];
            const struct zr_topup_request request = rig_topup_request(contractor, 2500);

            rig_fill(job, rig_payments, ZR_OP_TOPUP, &request);
            assert_true(committer_submit(rig.committer, job));
            sent++;
        }
        assert_ptr_equal(rig_wait(), &rig.jobs[answered % RIG_JOBS]);
        assert_int_equal(rig.jobs[answered % RIG_JOBS].status, ZR_STATUS_OK);
        answered++;
    }
    seq = atomic_load(&committer_published(rig.committer)->commit_seq);
    assert_true(seq >= PIPELINED);
    rig_stop();
    assert_int_equal(posted_after_restart(contractor), FUND + (int64_t)PIPELINED * 2500);
}

static uint64_t
events_count(void)
{
    struct store_view view = {0};
    uint64_t count;

    assert_int_equal(store_read_begin(rig.store, &view), STATUS_OK);
    count = store_count(&view, TABLE_EVENT);
    store_read_close(&view);
    return count;
}

/* Events older than their horizon go at least as fast as commands make new ones: or the table
 * would grow for ever where batches are large. */
static void
test_committer_trims_as_fast_as_it_writes(void **state)
{
    enum { OLD = 10 * RIG_JOBS, JOBS = RIG_JOBS / 2 };
    const struct event_row old = {.type = ZR_EVENT_CLAIMED, .audience = AUDIENCE_MAP, .time_ms = 1};
    struct state *rules = &rig.executor.state;
    uint32_t contractor;
    uint64_t before;

    (void)state;
    for (int i = 0; i < OLD; i++) {
        state_event_put(rules, state_counter_next(rules, COUNTER_EVENT), &old);
    }
    contractor = rig_contractor(FUND);
    rig_commit(100);
    rig_crash();
    assert_int_equal(rig_recover(), STATUS_OK);
    assert_int_equal(sem_init(&rig.woken, 0, 0), 0);
    rig.committer->wake = rig_wake;
    for (int i = 0; i < JOBS; i++) {
        const struct ticket ticket = rig_ticket(contractor);
        const struct zr_connect_request connect = rig_connect_request(&ticket);

        rig_fill(&rig.jobs[i], rig_switch, ZR_OP_CONNECT, &connect);
        assert_true(committer_submit(rig.committer, &rig.jobs[i]));
    }
    before = events_count();
    assert_int_equal(batch_run(rig.committer), STATUS_OK);
    assert_int_equal(rig.jobs[JOBS - 1].status, ZR_STATUS_OK);
    assert_in_range(events_count(), 0, before);
    rig_leave();
    (void)sem_destroy(&rig.woken);
}

/* ---- leases and units --------------------------------------------------------------------- */

static void
test_committer_counts_a_connected_call_until_its_end(void **state)
{
    const uint32_t contractor = serve_with_contractor();
    const struct ticket ticket = rig_ticket(contractor);

    (void)state;
    assert_int_equal(rig_connect(&ticket), ZR_STATUS_OK);
    assert_int_equal(hot_of(contractor).units, 1);
    assert_int_equal(rig_connect(&ticket), ZR_STATUS_OK);
    assert_int_equal(hot_of(contractor).units, 1);
    assert_int_equal(rig_end(&ticket, 1000), ZR_STATUS_OK);
    assert_int_equal(hot_of(contractor).units, 0);
    assert_int_equal(rig_end(&ticket, 1000), ZR_STATUS_OK);
    assert_int_equal(hot_of(contractor).units, 0);
    rig_stop();
}

/* A lost END: the truck is free again after the ttl, without anybody asking. */
static void
test_committer_ends_a_unit_whose_end_was_lost(void **state)
{
    const uint32_t contractor = serve_with_contractor();
    const struct ticket ticket = rig_ticket(contractor);

    (void)state;
    assert_int_equal(rig_connect(&ticket), ZR_STATUS_OK);
    clock_advance_ms(&rig.clock, UNIT_TTL_LONG_MS - 1);
    (void)rig_posted(contractor);
    (void)rig_posted(contractor);
    assert_int_equal(hot_of(contractor).units, 1);
    clock_advance_ms(&rig.clock, 1);
    (void)rig_posted(contractor);
    (void)rig_posted(contractor);
    assert_int_equal(hot_of(contractor).units, 0);
    assert_int_equal(rig_end(&ticket, 1000), ZR_STATUS_OK);
    assert_int_equal(hot_of(contractor).units, 0);
    rig_stop();
}

static void
test_committer_ends_the_lease_with_its_job_whatever_became_of_it(void **state)
{
    const struct eligibility_call call = {.rate_cents = RIG_RATE};
    const uint32_t contractor = serve_with_contractor();
    const struct zr_topup_request refused = rig_topup_request(99, 2500);
    uint32_t reasons;

    (void)state;
    assert_true(hot_lease_take(rig.hot, contractor, &call, &reasons));
    rig.last = &rig.jobs[0];
    rig_fill(rig.last, rig_payments, ZR_OP_TOPUP, &refused);
    rig.last->lease_contractor = contractor;
    rig.last->lease_cents = RIG_RATE;
    assert_int_equal(rig_execute(), ZR_STATUS_NOT_FOUND);
    assert_int_equal(hot_of(contractor).leases, 0);
    assert_int_equal(hot_of(contractor).leased_cents, 0);
    rig_stop();
}

/* E38: what was not executed had no effect: the phone rings on, and its call keeps the lease. */
static void
test_committer_late_job_leaves_the_lease_with_its_call(void **state)
{
    const struct eligibility_call call = {.rate_cents = RIG_RATE};
    const uint32_t contractor = serve_with_contractor();
    const struct zr_topup_request request = rig_topup_request(contractor, 2500);
    uint32_t reasons;

    (void)state;
    assert_true(hot_lease_take(rig.hot, contractor, &call, &reasons));
    rig.last = &rig.jobs[0];
    rig_fill(rig.last, rig_payments, ZR_OP_TOPUP, &request);
    rig.last->lease_contractor = contractor;
    rig.last->lease_cents = RIG_RATE;
    rig.last->deadline_us = clock_now_us(&rig.clock);
    assert_int_equal(rig_execute(), ZR_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(rig.last->lease_contractor, contractor);
    assert_int_equal(hot_of(contractor).leases, 1);
    assert_int_equal(hot_of(contractor).leased_cents, RIG_RATE);
    rig_stop();
}

/* ---- no space (P15) ------------------------------------------------------------------------ */

/* A batch that did not happen opened no unit and closed none: it may be sent again. */
static void
test_committer_full_disk_leaves_the_units_alone(void **state)
{
    const uint32_t contractor = serve_with_contractor();
    const struct ticket ticket = rig_ticket(contractor);

    (void)state;
    fault_arm(FAULT_NO_SPACE, 1);
    assert_int_equal(rig_connect(&ticket), ZR_STATUS_STORAGE_FULL);
    assert_int_equal(hot_of(contractor).units, 0);
    fault_disarm();
    assert_int_equal(rig_connect(&ticket), ZR_STATUS_OK);
    assert_int_equal(hot_of(contractor).units, 1);
    fault_arm(FAULT_NO_SPACE, 1);
    assert_int_equal(rig_end(&ticket, 1000), ZR_STATUS_STORAGE_FULL);
    assert_int_equal(hot_of(contractor).units, 1);
    fault_disarm();
    assert_int_equal(rig_end(&ticket, 1000), ZR_STATUS_OK);
    assert_int_equal(hot_of(contractor).units, 0);
    assert_int_equal(committer_failure(rig.committer), STATUS_OK);
    rig_stop();
}

/* R40: a claim that no disk has is rung by nobody, also when later batches go through. */
static void
test_committer_full_disk_leaves_the_slots_alone(void **state)
{
    const uint32_t contractor = serve_with_contractor();
    const struct zr_claim_request request = {.op_id = rig_key(),
                                             .contractor = contractor,
                                             .slots_count = 1,
                                             .slots = {{.zip = RIG_ZIP, .category = 1}}};
    struct slot_row slot;

    (void)state;
    fault_arm(FAULT_NO_SPACE, 1);
    assert_int_equal(rig_send(rig_portal, ZR_OP_CLAIM, &request), ZR_STATUS_STORAGE_FULL);
    fault_disarm();
    assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_OK);
    assert_true(cascades_get(rig.cascades, RIG_ZIP, 1, &slot));
    assert_int_equal(slot.claims_count, 0);
    assert_int_equal(rig_send(rig_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    assert_true(cascades_get(rig.cascades, RIG_ZIP, 1, &slot));
    assert_int_equal(slot.claims_count, 1);
    rig_stop();
}

/* I2, E67: what a refused batch drew is free again: seqs and events have no holes. */
static void
test_committer_full_disk_uses_up_no_numbers(void **state)
{
    const uint32_t contractor = serve_with_contractor();
    const struct zr_claim_request request = {.op_id = rig_key(),
                                             .contractor = contractor,
                                             .slots_count = 1,
                                             .slots = {{.zip = RIG_ZIP, .category = 1}}};
    struct committer_published *published = committer_published(rig.committer);
    const uint64_t events_seq = atomic_load(&published->events_seq);
    struct slot_row slot;

    (void)state;
    fault_arm(FAULT_NO_SPACE, 1);
    assert_int_equal(rig_send(rig_portal, ZR_OP_CLAIM, &request), ZR_STATUS_STORAGE_FULL);
    assert_int_equal(atomic_load(&published->events_seq), events_seq);
    fault_disarm();
    assert_int_equal(rig_send(rig_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    assert_true(cascades_get(rig.cascades, RIG_ZIP, 1, &slot));
    assert_int_equal(slot.claims[0].claim_id, 1);
    assert_true(atomic_load(&published->events_seq) > events_seq);
    rig_stop();
}

/* Nothing happened, reads go on, and it heals by itself; decisions wait for that. */
static void
test_committer_full_disk_refuses_reads_and_heals(void **state)
{
    const struct decision_row row = {.zip = RIG_ZIP};
    struct store_view view = {0};
    uint32_t contractor;

    (void)state;
    rig.fold_slice = 1;
    contractor = serve_with_contractor();
    assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_OK);
    fault_arm(FAULT_NO_SPACE, 1);
    decision_push(committer_decisions(rig.committer), &row);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_STORAGE_FULL);
        assert_int_equal(rig_posted(contractor), FUND + 2500);
    }
    assert_int_equal(rig_send(rig_admin, ZR_OP_STATE_HASH, NULL), ZR_STATUS_OK);
    fault_disarm();
    assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_OK);
    assert_int_equal(rig_posted(contractor), FUND + 5000);
    assert_int_equal(rig_send(rig_admin, ZR_OP_STATE_HASH, NULL), ZR_STATUS_OK);
    committer_stop(rig.committer);
    assert_int_equal(store_read_begin(rig.store, &view), STATUS_OK);
    assert_int_equal(store_count(&view, TABLE_DECISION), 1);
    assert_int_equal(atomic_load(&committer_decisions(rig.committer)->backlog.lost), 0);
    store_read_close(&view);
    rig_leave();
    assert_int_equal(posted_after_restart(contractor), FUND + 5000);
}

/* A real full map: refused whole, readable, stopped without a loop, whole again in a larger one. */
static void
test_committer_full_map_stops_and_starts_in_a_larger_one(void **state)
{
    uint32_t contractor;
    int64_t posted;

    (void)state;
    contractor = rig_contractor(FUND);
    rig_commit(0);
    rig_crash();
    rig.map_mib = 1;
    rig_serve();
    posted = FUND;
    while (rig_topup(contractor, 2500) == ZR_STATUS_OK) {
        posted += 2500;
    }
    assert_int_equal(rig.last->status, ZR_STATUS_STORAGE_FULL);
    assert_int_equal(rig_posted(contractor), posted);
    rig_stop();
    rig.map_mib = RIG_MAP_MIB;
    assert_int_equal(posted_after_restart(contractor), posted);
}

/* ---- failed syncs (P16) ------------------------------------------------------------------- */

/* No OK, the outcome unknown, then nothing but refusals; the worker is told; stop returns. */
static void
test_committer_failed_sync_is_the_end_of_writing(void **state)
{
    const uint32_t contractor = serve_with_contractor();

    (void)state;
    fault_arm(FAULT_SYNC, 1);
    assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_UNKNOWN_OUTCOME);
    assert_int_equal(committer_failure(rig.committer), STATUS_IO);
    fault_disarm();
    assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_READ_ONLY);
    assert_int_equal(hot_of(contractor).available_cents, FUND);
    rig_stop();
}

/* Nobody asks anything while a fold fails: the worker must hear of it, to end the server. */
static void
test_committer_failed_sync_of_upkeep_wakes_the_worker(void **state)
{
    const uint32_t contractor = serve_with_contractor();
    const struct decision_row row = {.zip = RIG_ZIP};

    (void)state;
    (void)rig_posted(contractor);
    while (sem_trywait(&rig.woken) == 0) {
    }
    fault_arm(FAULT_SYNC, 1);
    decision_push(committer_decisions(rig.committer), &row);
    assert_true(rig_wait_wake());
    assert_int_equal(committer_failure(rig.committer), STATUS_IO);
    fault_disarm();
    rig_stop();
}

static int
setup(void **state)
{
    fault_disarm();
    return rig_setup(state);
}

#define COMMITTER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        COMMITTER_TEST(test_committer_answers_after_the_commit),
        COMMITTER_TEST(test_committer_refused_job_spares_its_batch),
        COMMITTER_TEST(test_committer_refuses_what_is_too_late),
        COMMITTER_TEST(test_committer_walks_in_the_order_of_the_log),
        COMMITTER_TEST(test_committer_refuses_a_second_walk),
        COMMITTER_TEST(test_committer_stop_folds_everything),
        COMMITTER_TEST(test_committer_publishes_before_it_replies),
        COMMITTER_TEST(test_committer_keeps_up_with_a_pipeline),
        COMMITTER_TEST(test_committer_trims_as_fast_as_it_writes),
        COMMITTER_TEST(test_committer_counts_a_connected_call_until_its_end),
        COMMITTER_TEST(test_committer_ends_a_unit_whose_end_was_lost),
        COMMITTER_TEST(test_committer_ends_the_lease_with_its_job_whatever_became_of_it),
        COMMITTER_TEST(test_committer_late_job_leaves_the_lease_with_its_call),
        COMMITTER_TEST(test_committer_full_disk_leaves_the_units_alone),
        COMMITTER_TEST(test_committer_full_disk_leaves_the_slots_alone),
        COMMITTER_TEST(test_committer_full_disk_uses_up_no_numbers),
        COMMITTER_TEST(test_committer_full_disk_refuses_reads_and_heals),
        COMMITTER_TEST(test_committer_full_map_stops_and_starts_in_a_larger_one),
        COMMITTER_TEST(test_committer_failed_sync_is_the_end_of_writing),
        COMMITTER_TEST(test_committer_failed_sync_of_upkeep_wakes_the_worker),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
