/*
 * test_domain_bounds.c - one command does bounded work, however much there is: the committer has
 * everybody else's CONNECT waiting behind it.
 *
 * Reads cannot be counted from here. So a test either looks at how many TICKs the work took, or
 * takes away what only an unbounded walk would need.
 */
#include "server/domain/condition.h"
#include "server/domain/event.h"
#include "tests/lib/domain_titles.h"

#include <stdio.h>
#include <string.h>

/* More backups than two steps look at. */
enum { BACKUPS = 1200, STEPS_MIN = 3 };

/* ---- GRACE_WARNING --------------------------------------------------------------------------- */

/* A claim of no slot: enough for what only looks at claims. */
static uint64_t
put_claim(struct domain_world *world, uint32_t contractor, uint8_t title)
{
    const uint64_t claim_id = state_counter_next(&world->state, COUNTER_CLAIM_SEQ);
    const struct claim_row claim = {.claimed_ms = world->now_ms,
                                    .zip = DW_ZIP,
                                    .contractor = contractor,
                                    .category = DW_CATEGORY,
                                    .state = ZR_CLAIM_LIVE,
                                    .title = title};

    state_claim_put(&world->state, claim_id, &claim);
    return claim_id;
}

/* Pause a contractor of many backups until half of its grace is left. Returns the TICKs of that. */
static uint64_t
warn_of_pause(struct domain_world *world, uint32_t contractor)
{
    uint64_t seq;

    for (int i = 0; i < BACKUPS; i++) {
        (void)put_claim(world, contractor, ZR_TITLE_BACKUP);
    }
    assert_int_equal(dt_pause(world, 0, contractor), ZR_STATUS_OK);
    seq = world->seq;
    dw_advance(world, 7 * DW_DAY_MS);
    return world->seq - seq;
}

/* M2: the one title behind 1200 backups is found, in steps, and told once for all. */
static void
test_a_title_behind_many_backups_is_warned(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint64_t mark = dt_mark(world);
    struct event_row event;
    uint64_t seq;

    assert_true(warn_of_pause(world, contractor) >= STEPS_MIN);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 0);
    (void)put_claim(world, contractor, ZR_TITLE_PRIMARY);
    seq = world->seq;
    dw_advance(world, 7 * DW_DAY_MS - 7 * DW_DAY_MS / 5); /* A tenth of 14 d is left. */
    assert_int_equal(world->seq - seq, STEPS_MIN);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 1);
    event = dt_last(world, mark, ZR_EVENT_GRACE_WARNING);
    assert_int_equal(event.contractor, contractor);
    assert_int_equal(event.claim_id, 0);
    assert_int_equal(event.code, CONDITION_PAUSED);
}

/* Work that goes on is dropped like any other when its cause has gone. */
static void
test_no_title_is_no_warning(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint64_t mark = dt_mark(world);

    (void)warn_of_pause(world, contractor);
    assert_int_equal(dt_resume(world, 0, contractor), ZR_STATUS_OK);
    dw_advance(world, 7 * DW_DAY_MS);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_GRACE_WARNING), 0);
}

/* ---- a credit -------------------------------------------------------------------------------- */

/* E73, M5: the first credit goes to its charge by its place in the log, not along the ledger. */
static void
test_a_first_credit_walks_no_ledger(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    struct wallet_row wallet;

    dw_give_credit(world, contractor, 700);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 40 * DW_SECOND_MS;
    assert_int_equal(dw_qualify(world, &ticket, 30000), ZR_STATUS_OK);
    wallet = dw_wallet(world, contractor);
    assert_int_equal(wallet.main_cents, 1200);
    wallet.last_transfer = 0;
    state_wallet_put(&world->state, contractor, &wallet);
    assert_int_equal(dw_end(world, &ticket, &ticket,
                            (struct zr_end_request){.talk_ms = 12000, .voicemail = true}),
                     ZR_STATUS_OK);
    wallet = dw_wallet(world, contractor);
    assert_int_equal(wallet.main_cents, 2500);
    assert_int_equal(wallet.credit_cents, 700);
    assert_int_equal(wallet.charged_cents, 0);
}

/* ---- cursors --------------------------------------------------------------------------------- */

static uint16_t
ack(struct domain_world *world, struct dw_actor actor, const char *name, uint64_t cursor)
{
    struct zr_events_ack_request request = {.cursor = cursor};

    (void)snprintf(request.name, sizeof request.name, "%s", name);
    return dw_run(world, actor, ZR_OP_EVENTS_ACK, &request);
}

/* So many names, each the beginning of the next one and the last as long as a name may be. */
static const char *
name_of(int index)
{
    static char name[2 * EVENT_CURSORS_MAX + 1];

    memset(name, 0, sizeof name);
    memset(name, 'a', 2 * ((size_t)index + 1));
    return name;
}

/* A name is a row for ever, so a principal has few; those that it has go on, and others' too. */
static void
test_a_principal_has_few_cursors(void **state)
{
    struct domain_world *world = *state;

    (void)dw_contractor(world, 2500);
    (void)dw_claim(world, 1);
    assert_true(dt_mark(world) > 0);
    for (int i = 0; i < EVENT_CURSORS_MAX; i++) {
        assert_int_equal(ack(world, dw_portal, name_of(i), 0), ZR_STATUS_OK);
    }
    assert_int_equal(strlen(name_of(EVENT_CURSORS_MAX - 1)), 32);
    assert_int_equal(ack(world, dw_portal, "one more", 0), ZR_STATUS_LIMIT);
    assert_false(world->state.changed);
    for (int i = 0; i < EVENT_CURSORS_MAX; i++) {
        assert_int_equal(ack(world, dw_portal, name_of(i), 1), ZR_STATUS_OK);
    }
    assert_int_equal(ack(world, dw_switch, "one more", 0), ZR_STATUS_OK);
    assert_int_equal(ack(world, dw_admin, "one more", 0), ZR_STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_a_title_behind_many_backups_is_warned),
        DW_TEST(test_no_title_is_no_warning),
        DW_TEST(test_a_first_credit_walks_no_ledger),
        DW_TEST(test_a_principal_has_few_cursors),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
