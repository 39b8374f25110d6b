/*
 * test_recover.c - from disk back to memory: nothing that was committed is lost, whatever was
 * folded, and however often the start itself is cut off (P1, P3, E64).
 */
#include "tests/unit/test_commit.h"

enum { CONTRACTORS = 30, ROUNDS = 12, COMMANDS = 60, FUND = 50 * RIG_RATE };

/* What each contractor's wallet should be. */
static int64_t posted[RIG_CONTRACTORS_MAX];
static uint32_t contractors[CONTRACTORS];

static void
make_contractors(uint32_t count)
{
    memset(posted, 0, sizeof posted);
    for (uint32_t i = 0; i < count; i++) {
        contractors[i] = rig_contractor(0);
    }
    rig_commit(0);
}

static void
topup(uint32_t contractor, int64_t cents)
{
    assert_int_equal(rig_topup(contractor, cents), ZR_STATUS_OK);
    posted[contractor] += cents;
}

static void
assert_wallets(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(rig_posted(contractors[i]), posted[contractors[i]]);
    }
}

/* Recover, look at every wallet through the committer, and leave. */
static void
assert_recovers(uint32_t count)
{
    rig_serve();
    assert_wallets(count);
    assert_int_equal(rig_send(rig_admin, ZR_OP_AUDIT, &(struct zr_audit_request){0}), ZR_STATUS_OK);
    assert_true(rig.reply.audit_reply.balanced);
    rig_stop();
}

/* Random batches with random folds, then a crash; again and again over the same database. */
static void
test_recover_gives_the_same_wallets_after_any_crash(void **state)
{
    uint64_t random = test_seed();

    (void)state;
    make_contractors(CONTRACTORS);
    for (int round = 0; round < ROUNDS; round++) {
        for (uint64_t i = test_random_below(&random, COMMANDS); i > 0; i--) {
            topup(contractors[test_random_below(&random, CONTRACTORS)],
                  2500 + (int64_t)test_random_below(&random, 1000));
            if (test_random_below(&random, 4) == 0) {
                rig_commit((uint32_t)test_random_below(&random, 8));
            }
        }
        rig_commit((uint32_t)test_random_below(&random, 8));
        rig_crash();
        assert_recovers(CONTRACTORS);
        rig_open(false);
    }
    rig_crash();
}

/* What was not committed never was. */
static void
test_recover_forgets_what_was_not_committed(void **state)
{
    (void)state;
    make_contractors(2);
    topup(contractors[0], 2500);
    rig_commit(0);
    assert_int_equal(rig_topup(contractors[1], 9999), ZR_STATUS_OK);
    rig_crash();
    assert_recovers(2);
}

/*
 * A start that is cut off in the middle must leave a database that the next start can take up:
 * fold_seq never passes what was taken from the journal. Method: a small tail, so that recovery
 * commits on its way; then a late journal row is missing, so that it fails there. It must fail
 * again the second time, and with the row back everything must be there.
 */
static void
test_recover_that_was_cut_off_starts_over(void **state)
{
    uint8_t row[JOURNAL_ROW_BYTES_MAX];
    struct store_value value;
    struct store_head head;
    uint64_t missing;
    size_t bytes;

    (void)state;
    make_contractors(CONTRACTORS);
    for (uint32_t i = 0; i < CONTRACTORS; i++) {
        topup(contractors[i], 2500 + i);
    }
    rig_commit(0);
    missing = rig.executor.head.commit_seq - 1;
    assert_true(store_get_number(&rig.view, TABLE_JOURNAL, missing, &value));
    bytes = value.bytes_count;
    memcpy(row, value.bytes, bytes);
    store_del(&rig.view, TABLE_JOURNAL, &missing, sizeof missing);
    rig_commit(0);
    rig_crash();

    rig.tail_rows = STATE_IMAGES_MAX + 8;
    for (int attempt = 0; attempt < 2; attempt++) {
        assert_int_equal(rig_recover(), STATUS_CORRUPT);
        assert_true(store_head(rig.store)->fold_seq < missing);
        rig_leave();
    }
    rig_open_store(false);
    head = *store_head(rig.store);
    assert_int_equal(store_write_begin(rig.store, &rig.view), STATUS_OK);
    store_put_number(&rig.view, TABLE_JOURNAL, missing, row, bytes);
    assert_int_equal(store_commit(&rig.view, &head), STATUS_OK);
    rig_leave();
    rig.tail_rows = RIG_TAIL_ROWS;
    assert_recovers(CONTRACTORS);
}

/* The end of the journal that the head does not know, or a row that was changed. */
static void
test_recover_refuses_a_journal_that_is_not_the_heads(void **state)
{
    struct store_value value;
    uint8_t row[JOURNAL_ROW_BYTES_MAX];
    uint64_t last;

    (void)state;
    make_contractors(2);
    topup(contractors[0], 2500);
    rig_commit(100);
    last = rig.executor.head.commit_seq;
    assert_true(store_get_number(&rig.view, TABLE_JOURNAL, last, &value));
    memcpy(row, value.bytes, value.bytes_count);
    row[sizeof(struct journal_head) + ZR_HEADER_BYTES] ^= 1;
    store_put_number(&rig.view, TABLE_JOURNAL, last, row, value.bytes_count);
    rig_commit(0);
    rig_crash();
    assert_int_equal(rig_recover(), STATUS_CORRUPT);
    rig_leave();
}

/* Serving without some of the contractors would be an outage that nobody ordered. */
static void
test_recover_refuses_more_contractors_than_fit(void **state)
{
    (void)state;
    make_contractors(3);
    rig_crash();
    rig.contractors_max = contractors[2];
    assert_int_equal(rig_recover(), STATUS_INVALID);
    rig_leave();
    rig.contractors_max = contractors[2] + 1;
    assert_int_equal(rig_recover(), STATUS_OK);
    rig_leave();
}

/* Connected calls count, ended ones do not, and neither do those whose time is over. */
static void
test_recover_counts_the_calls_that_talk(void **state)
{
    struct eligibility_contractor known;
    struct ticket tickets[4];
    uint32_t contractor;

    (void)state;
    assert_int_equal(rig_category(rig_key(), "plumbing"), ZR_STATUS_OK);
    contractor = rig_contractor(FUND);
    tickets[0] = rig_ticket(contractor);
    assert_int_equal(rig_connect(&tickets[0]), ZR_STATUS_OK);
    clock_advance_ms(&rig.clock, UNIT_TTL_LONG_MS);
    for (int i = 1; i < 4; i++) {
        tickets[i] = rig_ticket(contractor);
        assert_int_equal(rig_connect(&tickets[i]), ZR_STATUS_OK);
    }
    assert_int_equal(rig_end(&tickets[2], 1000), ZR_STATUS_OK);
    rig_commit(0);
    rig_crash();
    rig_serve();
    hot_look(rig.hot, contractor, &known);
    assert_int_equal(known.units, 2);
    assert_int_equal(known.available_cents, FUND - 3 * RIG_RATE);
    assert_int_equal(rig_end(&tickets[1], 1000), ZR_STATUS_OK);
    assert_int_equal(rig_end(&tickets[3], 1000), ZR_STATUS_OK);
    hot_look(rig.hot, contractor, &known);
    assert_int_equal(known.units, 0);
    rig_stop();
}

/* Each start has a number of its own: it names the calls that it routes. */
static void
test_recover_counts_boots(void **state)
{
    uint64_t boots;

    (void)state;
    rig_crash();
    assert_int_equal(rig_recover(), STATUS_OK);
    boots = store_head(rig.store)->boots;
    rig_leave();
    assert_int_equal(rig_recover(), STATUS_OK);
    assert_int_equal(store_head(rig.store)->boots, boots + 1);
    rig_leave();
}

/* ---- replay (E64) ------------------------------------------------------------------------ */

/* Commands, refusals among them, with time going on. */
static void
make_journaled_history(void)
{
    struct zr_contractor_status_request request = {.contractor = 99,
                                                   .contractor_status = ZR_CONTRACTOR_APPROVED};

    rig_import_zip();
    for (int i = 0; i < 20; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "category-%d", i);
        assert_int_equal(rig_category(rig_key(), name), ZR_STATUS_OK);
        request.op_id = rig_key();
        assert_int_equal(rig_send(rig_admin, ZR_OP_CONTRACTOR_STATUS, &request),
                         ZR_STATUS_NOT_FOUND);
        (void)rig_contractor(FUND);
        clock_advance_ms(&rig.clock, 1000);
    }
}

static void
test_replay_gives_the_same_state(void **state)
{
    (void)state;
    make_journaled_history();
    rig_commit(0);
    rig_crash();
    assert_int_equal(rig_replay(), STATUS_INVALID); /* Unfolded: serve it once. */
    rig_serve();
    rig_stop();
    assert_int_equal(rig_replay(), STATUS_OK);
}

/* One cent in a wallet that no command put there. */
static void
test_replay_finds_a_state_that_the_journal_does_not_give(void **state)
{
    const uint64_t contractor = 1;
    struct wallet_row wallet;
    struct store_value value;

    (void)state;
    make_journaled_history();
    rig_commit(10000);
    assert_true(store_get_number(&rig.view, TABLE_WALLET, contractor, &value));
    memcpy(&wallet, value.bytes, sizeof wallet);
    wallet.main_cents++;
    store_put_number(&rig.view, TABLE_WALLET, contractor, &wallet, sizeof wallet);
    rig_commit(0);
    rig_crash();
    assert_int_equal(rig_replay(), STATUS_CORRUPT);
}

/* A row in the middle whose request was changed: the chain behind it does not fit. */
static void
test_replay_finds_a_changed_request(void **state)
{
    struct store_value value;
    uint8_t row[JOURNAL_ROW_BYTES_MAX];

    (void)state;
    make_journaled_history();
    assert_true(store_get_number(&rig.view, TABLE_JOURNAL, 10, &value));
    memcpy(row, value.bytes, value.bytes_count);
    row[offsetof(struct journal_head, principal)] ^= 1;
    store_put_number(&rig.view, TABLE_JOURNAL, 10, row, value.bytes_count);
    rig_commit(10000);
    rig_crash();
    assert_int_equal(rig_replay(), STATUS_CORRUPT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_recover_gives_the_same_wallets_after_any_crash),
        RIG_TEST(test_recover_forgets_what_was_not_committed),
        RIG_TEST(test_recover_that_was_cut_off_starts_over),
        RIG_TEST(test_recover_refuses_a_journal_that_is_not_the_heads),
        RIG_TEST(test_recover_refuses_more_contractors_than_fit),
        RIG_TEST(test_recover_counts_the_calls_that_talk),
        RIG_TEST(test_recover_counts_boots),
        RIG_TEST(test_replay_gives_the_same_state),
        RIG_TEST(test_replay_finds_a_state_that_the_journal_does_not_give),
        RIG_TEST(test_replay_finds_a_changed_request),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
