/*
 * test_subscriptions.c - who is pushed what and when: order, visibility, budgets, slow readers.
 */
#include "tests/unit/test_following.h"

enum { PORTAL = 0, OTHER = 1, WATCHER = 2 };

static uint16_t
follow(uint32_t conn, uint64_t cursor, const char *name)
{
    struct zr_events_subscribe_request request = {.cursor = cursor};

    (void)snprintf(request.name, sizeof request.name, "%s", name);
    return following_ask(conn, ZR_OP_EVENTS_SUBSCRIBE, &request);
}

static uint16_t
follow_map(uint32_t conn, uint64_t version)
{
    const struct zr_map_subscribe_request request = {.version = version};

    return following_ask(conn, ZR_OP_MAP_SUBSCRIBE, &request);
}

static uint64_t
stat_subscribers(void)
{
    struct zr_server_stats_reply stats = {0};

    subscriptions_stats(following.service, &stats);
    return stats.subscribers;
}

/* Everything behind the cursor in order, then what comes, each under the request's id. */
static void
test_events_are_pushed_in_order_behind_the_cursor(void **state)
{
    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    (void)following_events(40, RIG_TENANT);
    assert_int_equal(follow(PORTAL, 5, ""), ZR_STATUS_OK);
    assert_int_equal(following.reply.subscribe_reply.cursor, 5);
    assert_int_equal(following.reply.subscribe_reply.newest, 40);
    assert_int_equal(following.pushed_count, 0);
    assert_true(following.wakes > 0);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 35);
    (void)following_events(3, RIG_TENANT);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 38);
    for (uint32_t i = 0; i < following.pushed_count; i++) {
        assert_int_equal(following.pushed[i].event.event_seq, 6 + i);
        assert_int_equal(following.pushed[i].id, following.last_id);
    }
}

/* R69: another tenant's portal hears nothing, and the admin hears all. */
static void
test_r69_events_of_others_are_not_pushed(void **state)
{
    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    following_connect(OTHER, ZR_ROLE_PORTAL, OTHER_TENANT, 0);
    following_connect(WATCHER, ZR_ROLE_ADMIN, 1, 0);
    for (uint32_t conn = PORTAL; conn <= WATCHER; conn++) {
        assert_int_equal(follow(conn, 0, ""), ZR_STATUS_OK);
    }
    (void)following_events(10, RIG_TENANT);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 20);
    for (uint32_t i = 0; i < following.pushed_count; i++) {
        assert_int_not_equal(following.pushed[i].conn, OTHER);
    }
}

/* The mask and the contractor narrow what the role may see. MAP_DELTA is for MAP_SUBSCRIBE only. */
static void
test_types_and_contractor_narrow_the_stream(void **state)
{
    struct zr_events_subscribe_request request = {
        .types = UINT64_C(1) << (ZR_EVENT_PAUSED - 1) | UINT64_C(1) << (ZR_EVENT_MAP_DELTA - 1),
        .contractor = 7,
    };

    (void)state;
    following_connect(WATCHER, ZR_ROLE_ADMIN, 1, 0);
    assert_int_equal(following_ask(WATCHER, ZR_OP_EVENTS_SUBSCRIBE, &request), ZR_STATUS_OK);
    (void)following_begin();
    following_put_event((struct event_row){.contractor = 7, .type = ZR_EVENT_CLAIMED});
    following_put_event((struct event_row){.contractor = 8, .type = ZR_EVENT_PAUSED});
    following_put_event((struct event_row){.contractor = 7, .type = ZR_EVENT_PAUSED});
    following_put_event(
        (struct event_row){.contractor = 7, .type = ZR_EVENT_MAP_DELTA, .audience = AUDIENCE_MAP});
    following_commit();
    (void)following_settle();
    assert_int_equal(following.pushed_count, 1);
    assert_int_equal(following.pushed[0].event.event_seq, 3);
}

/* A connection without room gets nothing and asks for no turn; with room it goes on. */
static void
test_full_connection_waits_without_spinning(void **state)
{
    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    assert_int_equal(follow(PORTAL, 0, ""), ZR_STATUS_OK);
    (void)following_settle();
    following.conns[PORTAL].room = 0;
    (void)following_events(50, RIG_TENANT);
    assert_int_equal(following_settle(), 1);
    assert_int_equal(following.pushed_count, 0);
    following.conns[PORTAL].room = 1; /* One frame: it may go over. */
    assert_int_equal(following_settle(), 1);
    assert_int_equal(following.frames, 1);
    assert_int_equal(following.pushed_count, 32);
    following.conns[PORTAL].room = -1;
    (void)following_settle();
    assert_int_equal(following.pushed_count, 50);
}

/* E67: one gap that says what is missing, then the newest; and it costs nobody anything. */
static void
test_e67_slow_reader_gets_one_gap(void **state)
{
    uint64_t newest;

    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    assert_int_equal(follow(PORTAL, 0, ""), ZR_STATUS_OK);
    (void)following_events(10, RIG_TENANT);
    (void)following_settle();
    following.conns[PORTAL].room = 0;
    (void)following_events(LAG_MAX, RIG_TENANT);
    newest = following_events(1, RIG_TENANT);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 10);
    following.conns[PORTAL].room = -1;
    (void)following_settle();
    assert_int_equal(following.pushed_count, 11);
    assert_int_equal(following.pushed[10].event.type, ZR_EVENT_EVENTS_GAP);
    assert_int_equal(following.pushed[10].event.event_seq, 11);
    assert_int_equal(following.pushed[10].event.number, newest);
    assert_int_equal(following_events(1, RIG_TENANT), newest + 1);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 12);
    assert_int_equal(following.pushed[11].event.event_seq, newest + 1);
}

/* As far behind as allowed is not slow. */
static void
test_reader_within_the_lag_gets_everything(void **state)
{
    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    assert_int_equal(follow(PORTAL, 0, ""), ZR_STATUS_OK);
    following.conns[PORTAL].room = 0;
    (void)following_events(LAG_MAX, RIG_TENANT);
    (void)following_settle();
    following.conns[PORTAL].room = -1;
    (void)following_settle();
    assert_int_equal(following.pushed_count, LAG_MAX);
}

/* One that comes back after a long time has far to go, and misses nothing. */
static void
test_returning_reader_is_not_slow(void **state)
{
    (void)state;
    (void)following_events(10 * LAG_MAX, RIG_TENANT);
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    assert_int_equal(follow(PORTAL, 0, ""), ZR_STATUS_OK);
    (void)following_events(LAG_MAX, RIG_TENANT);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 11 * LAG_MAX);
}

/* Rows that are not its are looked at in slices, each in a turn of its own. */
static void
test_turn_looks_at_a_bounded_number_of_rows(void **state)
{
    const unsigned rows = 3 * SUBSCRIPTION_TURN_ROWS;

    (void)state;
    (void)following_events(rows, OTHER_TENANT);
    (void)following_events(1, RIG_TENANT);
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    assert_int_equal(follow(PORTAL, 0, ""), ZR_STATUS_OK);
    assert_int_equal(following_settle(), 4);
    assert_int_equal(following.pushed_count, 1);
    assert_int_equal(following.pushed[0].event.event_seq, rows + 1);
}

/* More readers than one turn has rows for: each gets its share, nobody twice. */
static void
test_turns_are_shared_round_robin(void **state)
{
    (void)state;
    (void)following_events(SUBSCRIPTION_TURN_ROWS, RIG_TENANT);
    for (uint32_t conn = 0; conn < SUBSCRIBERS_MAX; conn++) {
        following_connect(conn, ZR_ROLE_PORTAL, RIG_TENANT, 0);
        following.conns[conn].room = 0;
        assert_int_equal(follow(conn, 0, ""), ZR_STATUS_OK);
    }
    for (uint32_t conn = 0; conn < SUBSCRIBERS_MAX; conn++) {
        following.conns[conn].room = -1;
    }
    following.wakes = 0;
    following_turn();
    assert_int_equal(following.pushed_count, SUBSCRIPTIONS_TURN_ROWS);
    assert_true(following.wakes > 0);
    (void)following_settle();
    assert_int_equal(following.pushed_count, SUBSCRIBERS_MAX * SUBSCRIPTION_TURN_ROWS);
}

/* The table is bounded, and rows of connections that went are used again. */
static void
test_subscriptions_over_the_bound_are_overloaded(void **state)
{
    (void)state;
    for (uint32_t conn = 0; conn <= SUBSCRIBERS_MAX; conn++) {
        following_connect(conn, ZR_ROLE_PORTAL, RIG_TENANT, 0);
        assert_int_equal(follow(conn, 0, ""),
                         conn < SUBSCRIBERS_MAX ? ZR_STATUS_OK : ZR_STATUS_OVERLOADED);
    }
    assert_true(following.answer.detail > 0);
    following.conns[3].gone = true;
    assert_int_equal(follow(SUBSCRIBERS_MAX, 0, ""), ZR_STATUS_OK);
    assert_int_equal(stat_subscribers(), SUBSCRIBERS_MAX);
}

/* One of a kind per connection: another one, and even a refused one, ends the one before. */
static void
test_subscribe_ends_the_earlier_one(void **state)
{
    (void)state;
    following_connect(WATCHER, ZR_ROLE_ADMIN, 1, 0);
    assert_int_equal(follow(WATCHER, 0, ""), ZR_STATUS_OK);
    assert_int_equal(follow_map(WATCHER, 0), ZR_STATUS_OK);
    assert_int_equal(follow(WATCHER, 0, ""), ZR_STATUS_OK);
    assert_int_equal(stat_subscribers(), 2);
    (void)following_events(1, RIG_TENANT);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 1);
    assert_int_equal(following.pushed[0].id, following.last_id);
    assert_int_equal(follow(WATCHER, UINT64_MAX - 1, ""), ZR_STATUS_CURSOR_TOO_OLD);
    assert_int_equal(follow_map(WATCHER, UINT64_MAX), ZR_STATUS_CURSOR_TOO_OLD);
    assert_int_equal(stat_subscribers(), 0);
}

/* A cursor that lies ahead, or behind what was trimmed; the reply says what there is. */
static void
test_cursor_out_of_range_is_too_old(void **state)
{
    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    (void)following_events(20, RIG_TENANT);
    assert_int_equal(follow(PORTAL, 21, ""), ZR_STATUS_CURSOR_TOO_OLD);
    assert_int_equal(following.reply.subscribe_reply.newest, 20);
    assert_int_equal(follow(PORTAL, 20, ""), ZR_STATUS_OK);
    (void)following_begin();
    for (uint64_t event_seq = 1; event_seq <= 9; event_seq++) {
        store_del(&following_view, TABLE_EVENT, &event_seq, sizeof event_seq);
    }
    following_commit();
    assert_int_equal(follow(PORTAL, 8, ""), ZR_STATUS_CURSOR_TOO_OLD);
    assert_int_equal(following.reply.subscribe_reply.cursor, 9);
    assert_int_equal(follow(PORTAL, 9, ""), ZR_STATUS_OK);
    assert_int_equal(follow(PORTAL, UINT64_MAX, "never"), ZR_STATUS_OK);
    assert_int_equal(following.reply.subscribe_reply.cursor, 9);
}

/* Who begins with nothing begins at what is kept; a map of version 0 would lack what went. */
static void
test_cursor_0_is_from_the_oldest_that_is_kept(void **state)
{
    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    (void)following_events(20, RIG_TENANT);
    (void)following_begin();
    for (uint64_t event_seq = 1; event_seq <= 9; event_seq++) {
        store_del(&following_view, TABLE_EVENT, &event_seq, sizeof event_seq);
    }
    following_commit();
    assert_int_equal(follow(PORTAL, 0, ""), ZR_STATUS_OK);
    assert_int_equal(following.reply.subscribe_reply.cursor, 9);
    assert_int_equal(following.reply.subscribe_reply.newest, 20);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 11);
    assert_int_equal(following.pushed[0].event.event_seq, 10);
    assert_int_equal(follow(PORTAL, 1, ""), ZR_STATUS_CURSOR_TOO_OLD);
    assert_int_equal(follow_map(PORTAL, 0), ZR_STATUS_CURSOR_TOO_OLD);
}

/* Events that are trimmed under a reader who is still before them: a gap as well. */
static void
test_events_trimmed_under_a_reader_are_a_gap(void **state)
{
    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    assert_int_equal(follow(PORTAL, 0, ""), ZR_STATUS_OK);
    following.conns[PORTAL].room = 0;
    (void)following_events(20, RIG_TENANT);
    (void)following_begin();
    for (uint64_t event_seq = 1; event_seq <= 9; event_seq++) {
        store_del(&following_view, TABLE_EVENT, &event_seq, sizeof event_seq);
    }
    following_commit();
    following.conns[PORTAL].room = -1;
    (void)following_settle();
    assert_int_equal(following.pushed_count, 1);
    assert_int_equal(following.pushed[0].event.type, ZR_EVENT_EVENTS_GAP);
    assert_int_equal(following.pushed[0].event.number, 20);
}

/* 2^64-1: behind what was acknowledged under the name, of this very principal. */
static void
test_stored_cursor_is_where_it_goes_on(void **state)
{
    const uint8_t principal[8] = {PORTAL + 1};
    const char name[32] = "billing";

    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    following_connect(OTHER, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    (void)following_events(20, RIG_TENANT);
    state_cursor_put(following_begin(), principal, name, 15);
    following_commit();
    assert_int_equal(follow(PORTAL, UINT64_MAX, name), ZR_STATUS_OK);
    assert_int_equal(following.reply.subscribe_reply.cursor, 15);
    assert_int_equal(follow(PORTAL, UINT64_MAX, "other"), ZR_STATUS_OK);
    assert_int_equal(following.reply.subscribe_reply.cursor, 0);
    assert_int_equal(follow(OTHER, UINT64_MAX, name), ZR_STATUS_OK);
    assert_int_equal(following.reply.subscribe_reply.cursor, 0);
}

/* P13: a principal that was revoked hears nothing more, before its connection is closed. */
static void
test_revoked_reader_hears_nothing_more(void **state)
{
    const struct zr_hash key_hash = {{PORTAL + 1}};

    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    assert_int_equal(follow(PORTAL, 0, ""), ZR_STATUS_OK);
    state_principal_del(following_begin(), &key_hash);
    (void)state_counter_next(&following_state, COUNTER_AUTH_EPOCH);
    following_commit();
    (void)following_events(5, RIG_TENANT);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 0);
    assert_int_equal(stat_subscribers(), 0);
}

/* A connection that went takes its subscription along. */
static void
test_gone_reader_is_forgotten(void **state)
{
    (void)state;
    following_connect(PORTAL, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    following_connect(OTHER, ZR_ROLE_PORTAL, RIG_TENANT, 0);
    assert_int_equal(follow(PORTAL, 0, ""), ZR_STATUS_OK);
    assert_int_equal(follow(OTHER, 0, ""), ZR_STATUS_OK);
    following.conns[PORTAL].gone = true;
    (void)following_events(5, RIG_TENANT);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 5);
    assert_int_equal(following.pushed[0].conn, OTHER);
    assert_false(following.service->view_open);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FOLLOWING_TEST(test_events_are_pushed_in_order_behind_the_cursor),
        FOLLOWING_TEST(test_r69_events_of_others_are_not_pushed),
        FOLLOWING_TEST(test_types_and_contractor_narrow_the_stream),
        FOLLOWING_TEST(test_full_connection_waits_without_spinning),
        FOLLOWING_TEST(test_e67_slow_reader_gets_one_gap),
        FOLLOWING_TEST(test_reader_within_the_lag_gets_everything),
        FOLLOWING_TEST(test_returning_reader_is_not_slow),
        FOLLOWING_TEST(test_turn_looks_at_a_bounded_number_of_rows),
        FOLLOWING_TEST(test_turns_are_shared_round_robin),
        FOLLOWING_TEST(test_subscriptions_over_the_bound_are_overloaded),
        FOLLOWING_TEST(test_subscribe_ends_the_earlier_one),
        FOLLOWING_TEST(test_cursor_out_of_range_is_too_old),
        FOLLOWING_TEST(test_cursor_0_is_from_the_oldest_that_is_kept),
        FOLLOWING_TEST(test_events_trimmed_under_a_reader_are_a_gap),
        FOLLOWING_TEST(test_stored_cursor_is_where_it_goes_on),
        FOLLOWING_TEST(test_revoked_reader_hears_nothing_more),
        FOLLOWING_TEST(test_gone_reader_is_forgotten),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
