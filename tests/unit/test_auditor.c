/*
 * test_auditor.c - a walk beside the log: what it says is of the commit at which it began, whatever
 * is committed meanwhile and however little of it was folded (domain.md E23, I1-I14).
 *
 * The walk's thread is started only after the test has committed more: so "meanwhile" is an order
 * of events here, and no race. The last tests have the committer's thread as well.
 */
#include "server/commit/auditor.h"
#include "server/commit/own.h"
#include "server/domain/timer.h"
#include "tests/unit/test_commit.h"

#include <stdlib.h>

enum { FUND = 100000, ROWS_FOR_A_LOOK = 600, SMALL_MAP_MIB = 8, COMMITS_MAX = 2000, READERS = 4 };

static struct auditor *auditor;
static _Atomic uint64_t published_seq;
static sem_t ended;

static void
on_end(void *context)
{
    (void)context;
    (void)sem_post(&ended);
}

static void
auditor_of_rig(void)
{
    assert_int_equal(sem_init(&ended, 0, 0), 0);
    rig.cascades = cascades_open(&rig.arena);
    auditor = auditor_open(&(struct auditor_options){
        .arena = &rig.arena,
        .store = rig.store,
        .cascades = rig.cascades,
        .published_seq = &published_seq,
        .tail_rows_max = rig.tail_rows,
        .wake = on_end,
    });
}

static void
leave(void)
{
    auditor_stop(auditor);
    auditor_close(auditor);
    (void)sem_destroy(&ended);
    rig_crash();
}

/* Its turn comes now: what was committed is what it will see. */
static void
begin(uint16_t op)
{
    const struct zr_audit_request request = {0};

    rig.last = &rig.jobs[1];
    rig_fill(rig.last, rig_admin, op, op == ZR_OP_AUDIT ? &request : NULL);
    atomic_store(&published_seq, store_head(rig.store)->commit_seq);
    auditor_begin(auditor, rig.last, 0); /* At no time: nothing fires here, so all is overdue. */
    assert_false(auditor_is_idle(auditor));
}

/* Wait for its end; the reply stands in rig.reply. */
static uint16_t
finish(enum status expected)
{
    struct job *job = &rig.jobs[1];
    enum status failure = STATUS_OK;
    struct zr_header header;
    uint16_t invalid_at;

    while (!auditor_is_done(auditor)) {
        assert_int_equal(sem_wait(&ended), 0);
    }
    assert_ptr_equal(auditor_take(auditor, &failure), job);
    assert_int_equal(failure, expected);
    assert_true(auditor_is_idle(auditor));
    assert_null(auditor_take(auditor, &failure));
    zr_header_decode(&header, job->reply);
    if (rig_has_body(header.status)) {
        assert_int_equal(
            zr_message_decode(&rig.reply, &invalid_at, job->operation->reply, &header, job->reply),
            ZR_DECODE_OK);
    }
    return job->status;
}

static struct zr_state_hash_reply
hash_by_hand(void)
{
    assert_int_equal(rig_send(rig_admin, ZR_OP_STATE_HASH, NULL), ZR_STATUS_OK);
    return rig.reply.state_hash_reply;
}

static void
claim(uint32_t contractor)
{
    const struct zr_claim_request request = {.op_id = rig_key(),
                                             .contractor = contractor,
                                             .accept_backup = true,
                                             .slots_count = 1,
                                             .slots = {{.zip = RIG_ZIP, .category = 1}}};

    assert_int_equal(rig_send(rig_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
}

/* As the committer does after a commit. */
static void
publish_slot(void)
{
    struct slot_row slot;

    state_slot_get(&rig.executor.state, RIG_ZIP, 1, &slot);
    cascades_publish(rig.cascades, RIG_ZIP, 1, &slot);
    atomic_store(&published_seq, store_head(rig.store)->commit_seq);
}

/* ---- what it sees ------------------------------------------------------------------------ */

/* Folded or not: the same rows in the same order. */
static void
test_auditor_hash_does_not_ask_what_is_folded(void **state)
{
    struct zr_state_hash_reply unfolded;
    struct zr_state_hash_reply folded;

    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)rig_contractor(FUND);
        rig_commit((uint32_t)i % 2);
    }
    assert_true(tail_count(rig.tail) > 0);
    unfolded = hash_by_hand();
    rig_commit(10000);
    assert_int_equal(tail_count(rig.tail), 0);
    folded = hash_by_hand();
    assert_int_equal(unfolded.rows, folded.rows);
    assert_memory_equal(&unfolded.hash, &folded.hash, sizeof folded.hash);
    rig_crash();
}

static void
test_auditor_walks_the_commit_at_which_it_began(void **state)
{
    struct zr_state_hash_reply before;
    uint32_t contractor;

    (void)state;
    auditor_of_rig();
    contractor = rig_contractor(FUND);
    rig_commit(1);
    assert_int_equal(rig_topup(contractor, FUND), ZR_STATUS_OK);
    rig_commit(0);
    assert_true(tail_count(rig.tail) > 0);
    before = hash_by_hand();
    begin(ZR_OP_STATE_HASH);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(rig_topup(contractor, FUND), ZR_STATUS_OK);
        (void)rig_contractor(FUND);
        rig_commit(i % 2 == 0 ? 0 : 100); /* Rows of the snapshot's tail get into the tables. */
    }
    assert_int_equal(auditor_start(auditor), STATUS_OK);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_OK);
    assert_int_equal(rig.reply.state_hash_reply.commit_seq, before.commit_seq);
    assert_int_equal(rig.reply.state_hash_reply.rows, before.rows);
    assert_memory_equal(&rig.reply.state_hash_reply.hash, &before.hash, sizeof before.hash);
    /* And again, of now: nothing of the first walk is left. */
    before = hash_by_hand();
    begin(ZR_OP_STATE_HASH);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_OK);
    assert_memory_equal(&rig.reply.state_hash_reply.hash, &before.hash, sizeof before.hash);
    leave();
}

/* What is broken at its commit it finds, also when that was mended since; and only that. */
static void
test_auditor_judges_the_commit_at_which_it_began(void **state)
{
    struct wallet_row wallet;
    uint32_t contractor;

    (void)state;
    auditor_of_rig();
    contractor = rig_contractor(FUND);
    assert_int_equal(rig_topup(contractor, FUND), ZR_STATUS_OK);
    rig_commit(0);
    begin(ZR_OP_AUDIT);
    /* 1 cent out of nothing, by hand: in the next commit. */
    state_wallet_get(&rig.executor.state, contractor, &wallet);
    wallet.main_cents++;
    state_begin(&rig.executor.state, rig.executor.head.commit_seq);
    state_wallet_put(&rig.executor.state, contractor, &wallet);
    rig_commit(100);
    assert_int_equal(auditor_start(auditor), STATUS_OK);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_OK);
    assert_int_equal(rig.reply.audit_reply.violations, 0);
    assert_true(rig.reply.audit_reply.balanced);
    assert_int_equal(rig.reply.audit_reply.postings, 2);
    begin(ZR_OP_AUDIT);
    wallet.main_cents--;
    state_wallet_put(&rig.executor.state, contractor, &wallet);
    rig_commit(100);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_OK);
    assert_true(rig.reply.audit_reply.violations > 0);
    assert_int_equal(rig.reply.audit_reply.postings_sum_cents, 1);
    leave();
}

/* ---- slots that decisions read from memory ------------------------------------------------ */

static uint64_t
violations_after(void (*meanwhile)(void))
{
    begin(ZR_OP_AUDIT);
    meanwhile();
    assert_int_equal(auditor_start(auditor), STATUS_OK);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_OK);
    return rig.reply.audit_reply.violations;
}

static void
slot_changes(void)
{
    claim(rig_contractor(FUND));
    rig_commit(10);
    publish_slot();
}

static void
slot_changes_and_its_line_is_wrong(void)
{
    struct slot_row slot;

    slot_changes();
    state_slot_get(&rig.executor.state, RIG_ZIP, 1, &slot);
    slot.claims[1].contractor++;
    cascades_publish(rig.cascades, RIG_ZIP, 1, &slot);
}

static void
line_runs_ahead(void)
{
    struct slot_row slot;

    state_slot_get(&rig.executor.state, RIG_ZIP, 1, &slot);
    slot.version++;
    cascades_publish(rig.cascades, RIG_ZIP, 1, &slot);
}

static void
nothing(void)
{
}

static void
market(void)
{
    auditor_of_rig();
    assert_int_equal(rig_category(rig_key(), "plumbing"), ZR_STATUS_OK);
    claim(rig_contractor(FUND));
    rig_commit(10);
    publish_slot();
}

static void
test_auditor_takes_a_newer_line_for_what_it_is(void **state)
{
    (void)state;
    market();
    assert_int_equal(violations_after(slot_changes), 0);
    leave();
}

static void
test_auditor_finds_a_newer_line_that_is_wrong(void **state)
{
    (void)state;
    market();
    assert_int_equal(violations_after(slot_changes_and_its_line_is_wrong), 1);
    leave();
}

static void
test_auditor_finds_a_line_that_no_commit_wrote(void **state)
{
    (void)state;
    market();
    assert_int_equal(violations_after(line_runs_ahead), 1);
    leave();
}

static void
test_auditor_finds_a_line_that_was_not_published(void **state)
{
    (void)state;
    market();
    claim(rig_contractor(FUND));
    rig_commit(10);
    assert_int_equal(violations_after(nothing), 1);
    leave();
}

/* Without a second look there is no answer: nobody is accused of what could not be looked at. */
static void
test_auditor_that_cannot_look_again_accuses_nobody(void **state)
{
    struct store_view others[READERS] = {0};

    (void)state;
    market();
    begin(ZR_OP_AUDIT);
    slot_changes();
    for (int i = 0; i < READERS; i++) { /* Its own snapshot has the last place. */
        assert_int_equal(store_read_begin(rig.store, &others[i]), STATUS_OK);
    }
    assert_int_equal(auditor_start(auditor), STATUS_OK);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_OVERLOADED);
    for (int i = 0; i < READERS; i++) {
        store_read_close(&others[i]);
    }
    begin(ZR_OP_AUDIT);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_OK);
    assert_int_equal(rig.reply.audit_reply.violations, 0);
    leave();
}

/* ---- ends -------------------------------------------------------------------------------- */

/* Pages that commits replace are kept for it: half of what was left of the map, and no more. */
static void
test_auditor_gives_up_before_the_map_is_full(void **state)
{
    uint64_t map_bytes;
    uint64_t begun_bytes;
    uint64_t used_bytes;
    uint32_t contractor;
    int commits = 0;

    (void)state;
    rig_crash();
    rig.map_mib = SMALL_MAP_MIB;
    rig_open(false);
    auditor_of_rig();
    contractor = rig_contractor(FUND);
    for (int i = 0; i < ROWS_FOR_A_LOOK; i++) {
        assert_int_equal(rig_topup(contractor, FUND), ZR_STATUS_OK);
    }
    rig_commit(10000);
    begin(ZR_OP_AUDIT);
    store_usage(rig.store, &map_bytes, &begun_bytes);
    do {
        assert_int_equal(rig_topup(contractor, FUND), ZR_STATUS_OK);
        rig_commit(100);
        store_usage(rig.store, &map_bytes, &used_bytes);
        assert_true(++commits < COMMITS_MAX);
    } while (used_bytes <= begun_bytes + (map_bytes - begun_bytes) / 2);
    assert_int_equal(auditor_start(auditor), STATUS_OK);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_STORAGE_FULL);
    /* Now the pages are free again. */
    rig_commit(100);
    begin(ZR_OP_AUDIT);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_OK);
    assert_int_equal(rig.reply.audit_reply.violations, 0);
    leave();
}

/* P11: a server that drains waits for replies, so no walk may keep it: neither one under way nor
 * one that came meanwhile. */
static void
test_auditor_gives_up_when_the_server_drains(void **state)
{
    (void)state;
    auditor_of_rig();
    (void)rig_contractor(FUND);
    rig_commit(0);
    begin(ZR_OP_AUDIT);
    auditor_drain(auditor);
    assert_int_equal(auditor_start(auditor), STATUS_OK);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_DRAINING);
    begin(ZR_OP_STATE_HASH);
    assert_int_equal(finish(STATUS_OK), ZR_STATUS_DRAINING);
    leave();
}

static void
test_auditor_that_is_stopped_answers_its_job(void **state)
{
    enum status failure;

    (void)state;
    auditor_of_rig();
    (void)rig_contractor(FUND);
    rig_commit(0);
    begin(ZR_OP_AUDIT);
    assert_int_equal(auditor_start(auditor), STATUS_OK);
    auditor_stop(auditor);
    assert_ptr_equal(auditor_take(auditor, &failure), &rig.jobs[1]);
    assert_int_equal(failure, STATUS_OK);
    assert_true(rig.jobs[1].status == ZR_STATUS_OK || rig.jobs[1].status == ZR_STATUS_DRAINING);
    auditor_close(auditor);
    (void)sem_destroy(&ended);
    rig_crash();
}

/* What the tables lack stands in the journal; a hole there is damage, and nobody knows the state.
 */
static void
test_auditor_tells_of_a_journal_with_a_hole(void **state)
{
    uint64_t seq;

    (void)state;
    auditor_of_rig();
    (void)rig_contractor(FUND);
    rig_commit(0);
    seq = store_head(rig.store)->fold_seq + 1;
    store_del(&rig.view, TABLE_JOURNAL, &seq, sizeof seq);
    rig_commit(0);
    begin(ZR_OP_AUDIT);
    assert_int_equal(auditor_start(auditor), STATUS_OK);
    assert_int_equal(finish(STATUS_CORRUPT), ZR_STATUS_UNKNOWN_OUTCOME);
    leave();
}

/* ---- with the committer -------------------------------------------------------------------- */

/* Its row gets a size that nobody knows. */
static void
damage_an_offer(void)
{
    const struct slot_row slot = {.title_state = ZR_TITLE_STATE_OFFERED, .offer_id = 1};
    const uint64_t offer_id = slot.offer_id;

    state_slot_put(&rig.executor.state, RIG_ZIP, 1, &slot);
    store_put_number(&rig.view, TABLE_OFFER, offer_id, &offer_id, sizeof offer_id);
}

/* Damage that a walk meets is the end, as it is when a command meets it. */
static void
test_auditor_that_finds_damage_stops_the_committer(void **state)
{
    (void)state;
    (void)rig_contractor(FUND);
    damage_an_offer();
    rig_commit(100);
    rig_crash();
    rig_serve();
    assert_int_equal(rig_send(rig_admin, ZR_OP_AUDIT, &(struct zr_audit_request){0}),
                     ZR_STATUS_UNKNOWN_OUTCOME);
    assert_int_equal(committer_failure(rig.committer), STATUS_CORRUPT);
    rig_stop();
}

/* One bit of those bytes in the file, which nobody has open. */
static void
flip_a_bit(const void *marker, size_t marker_bytes)
{
    char path[sizeof rig.folder + 32];
    FILE *file;
    uint8_t *content;
    uint8_t *found;
    long bytes;

    (void)snprintf(path, sizeof path, "%s/zipring.mdb", rig.folder);
    file = fopen(path, "r+e");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    bytes = ftell(file);
    content = malloc((size_t)bytes);
    assert_non_null(content);
    rewind(file);
    assert_int_equal(fread(content, 1, (size_t)bytes, file), bytes);
    found = memmem(content, (size_t)bytes, marker, marker_bytes);
    assert_non_null(found);
    *found ^= 1;
    assert_int_equal(fseek(file, found - content, SEEK_SET), 0);
    assert_int_equal(fwrite(found, 1, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    free(content);
}

/* P14: of every table that rules write, also those that no invariant looks into. */
static void
test_audit_judges_the_checksum_of_every_rule_row(void **state)
{
    static const enum store_table looked_into_by_none[] = {TABLE_DISPUTE, TABLE_TOPUP,
                                                           TABLE_DUPLICATE};
    uint8_t row[64];

    (void)state;
    for (size_t i = 0; i < sizeof looked_into_by_none / sizeof looked_into_by_none[0]; i++) {
        if (i > 0) {
            rig_open(false);
        }
        for (size_t byte = 0; byte < sizeof row; byte++) {
            row[byte] = (uint8_t)(0xB0 + 7 * i + byte);
        }
        store_put_number(&rig.view, looked_into_by_none[i], 7, row, sizeof row);
        rig_commit(100);
        rig_crash();
        flip_a_bit(row, sizeof row);
        rig_serve();
        assert_int_equal(rig_send(rig_admin, ZR_OP_AUDIT, &(struct zr_audit_request){0}),
                         ZR_STATUS_UNKNOWN_OUTCOME);
        assert_int_equal(committer_failure(rig.committer), STATUS_CORRUPT);
        rig_stop();
        rig_open(false); /* Mended, for the next table. */
        store_del(&rig.view, looked_into_by_none[i], &(uint64_t){7}, sizeof(uint64_t));
        rig_commit(100);
        rig_crash();
    }
}

/* The same while time has brought more than a batch holds: who waits for that is answered, and the
 * thread can be stopped. */
static void
test_auditor_that_finds_damage_stops_a_committer_behind(void **state)
{
    const struct timer_row timer = {.kind = TIMER_POSITIONS, .category = 99}; /* A look. */
    const struct zr_clock_advance_request advance = {.advance_ms = 2000};
    static const struct rig_actor bench = {ZR_ROLE_BENCH, RIG_TENANT};
    struct zr_topup_request topup;

    (void)state;
    topup = rig_topup_request(rig_contractor(FUND), 2500);
    damage_an_offer();
    for (int i = 0; i < 4 * OWN_COMMANDS_MAX; i++) {
        timer_set(&rig.executor.state, clock_now_ms(&rig.clock) + 1000, &timer);
    }
    rig_commit(100);
    rig_crash();
    assert_int_equal(rig_recover(), STATUS_OK);
    rig_fill(&rig.jobs[0], rig_admin, ZR_OP_AUDIT, &(struct zr_audit_request){0});
    rig_fill(&rig.jobs[1], bench, ZR_OP_CLOCK_ADVANCE, &advance);
    rig_fill(&rig.jobs[2], rig_payments, ZR_OP_TOPUP, &topup);
    for (int i = 0; i < 3; i++) {
        assert_true(committer_submit(rig.committer, &rig.jobs[i]));
    }
    rig_start();
    for (int i = 0; i < 3; i++) {
        (void)rig_wait();
    }
    assert_int_equal(rig.jobs[0].status, ZR_STATUS_UNKNOWN_OUTCOME);
    for (int i = 1; i < 3; i++) { /* Mostly OK and READ_ONLY: who was first is a race. */
        assert_true(rig.jobs[i].status == ZR_STATUS_OK ||
                    rig.jobs[i].status == ZR_STATUS_READ_ONLY);
    }
    assert_int_equal(committer_failure(rig.committer), STATUS_CORRUPT);
    rig_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_auditor_hash_does_not_ask_what_is_folded),
        RIG_TEST(test_auditor_walks_the_commit_at_which_it_began),
        RIG_TEST(test_auditor_judges_the_commit_at_which_it_began),
        RIG_TEST(test_auditor_takes_a_newer_line_for_what_it_is),
        RIG_TEST(test_auditor_finds_a_newer_line_that_is_wrong),
        RIG_TEST(test_auditor_finds_a_line_that_no_commit_wrote),
        RIG_TEST(test_auditor_finds_a_line_that_was_not_published),
        RIG_TEST(test_auditor_that_cannot_look_again_accuses_nobody),
        RIG_TEST(test_auditor_gives_up_before_the_map_is_full),
        RIG_TEST(test_auditor_gives_up_when_the_server_drains),
        RIG_TEST(test_auditor_that_is_stopped_answers_its_job),
        RIG_TEST(test_auditor_tells_of_a_journal_with_a_hole),
        RIG_TEST(test_auditor_that_finds_damage_stops_the_committer),
        RIG_TEST(test_audit_judges_the_checksum_of_every_rule_row),
        RIG_TEST(test_auditor_that_finds_damage_stops_a_committer_behind),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
