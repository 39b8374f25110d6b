/*
 * test_time_money.c - calls whose END is late or never comes, a log clock that restarts may not
 * turn, ticket keys that rotate under spooled reports (M4, M6): E53, E54, E63, E72, through the
 * real server and the real client.
 */
#include "tests/integration/accounts.h"

#define DAYS(count) ((uint64_t)(count)*WORLD_DAY_MS)

/* Not each bit of a ticket is flipped, but in the end each position within a byte. */
enum { FLIP_STEP_BITS = 7 };

/* One contractor for two calls at once, and his slot. */
struct shop {
    struct world_slot slot;
    uint32_t contractor;
    uint64_t claim_id;
    uint64_t max_call_ms;
};

static struct shop
shop_make(int64_t funds_cents)
{
    struct shop shop = {.slot = world_slot(&world)};

    shop.contractor = world_contractor(&world, 2, funds_cents);
    shop.claim_id = world_claim(&world, shop.contractor, shop.slot);
    shop.max_call_ms = world_policy(&world, shop.slot).max_call_s * UINT64_C(1000);
    return shop;
}

static int
end_ask(const struct zr_end_request *end, struct zr_settlement_reply *reply)
{
    memset(reply, 0, sizeof *reply);
    return zr_end(world.carrier, end, reply);
}

/* ---- E53: END comes late, or never ----------------------------------------------------------- */

/* The switch itself is told, once; nobody else is (R69). */
static void
test_e53_a_hold_without_proof_is_released_at_max_call(void **state)
{
    static struct heard switch_heard;
    const struct shop shop = shop_make(FUNDS);
    struct zr_client *const reader = server_client_ready(&world.server, "switch");
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, shop.slot, &call_id);

    (void)state;
    accounts_listen();
    follow_events(&switch_heard, reader, events_newest(world.admin), "");
    (void)world_connect(&world, &routed);
    (void)world_advance(&world, shop.max_call_ms - 1);
    assert_wallet(shop.contractor, FUNDS, WORLD_RATE);
    assert_leg(&call_id, shop.contractor, ZR_SETTLEMENT_OPEN, 0);
    (void)world_advance(&world, 1);
    assert_charged_never(shop.contractor);
    assert_leg(&call_id, shop.contractor, ZR_SETTLEMENT_STALE_VOID, 0);
    assert_int_equal(world_call_get(&world, &call_id).state, ZR_CALL_ENDED);
    hear(&switch_heard, 1);
    assert_int_equal(switch_heard.events[0].type, ZR_EVENT_RECONCILE);
    assert_memory_equal(&switch_heard.events[0].call_ref, &routed.call_ref, sizeof routed.call_ref);
    assert_int_equal(switch_heard.events[0].contractor, shop.contractor);
    assert_int_equal(switch_heard.events[0].code, ZR_SETTLEMENT_STALE_VOID);
    assert_int_equal(switch_heard.events[0].tenant, SERVER_TENANT);
    assert_int_equal(events_of(shop.contractor, ZR_EVENT_RECONCILE, NULL), 1);
    zr_client_close(reader);
    accounts_listen_no_more();
}

/* 7 d after the ticket's issue is the last millisecond; what came in time is not told apart. */
static void
test_e53_a_late_end_settles_a_void_once_within_seven_days(void **state)
{
    const struct shop shop = shop_make(FUNDS);
    const uint64_t issued_ms = now_ms();
    struct zr_route_reply routed[2];
    struct zr_settlement_reply reply;
    struct zr_end_request end;
    struct zr_id calls[2];
    bool duplicate;

    (void)state;
    accounts_listen();
    for (int i = 0; i < 2; i++) {
        routed[i] = world_call(&world, shop.slot, &calls[i]);
        (void)world_connect(&world, &routed[i]);
    }
    move_to(issued_ms + DAYS(7));
    assert_charged_never(shop.contractor);
    assert_int_equal(events_of(shop.contractor, ZR_EVENT_RECONCILE, NULL), 2);
    end = world_end_request(&calls[0], MINUTE_MS);
    assert_int_equal(end_again(&end, &reply, &duplicate), 0);
    assert_false(duplicate);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_charged_once(shop.contractor, WORLD_RATE);
    assert_int_equal(end_again(&end, &reply, &duplicate), 0);
    assert_true(duplicate);
    assert_charged_once(shop.contractor, WORLD_RATE);
    /* The other one: too late, for good, and told once more. */
    (void)world_advance(&world, 1);
    end = world_end_request(&calls[1], MINUTE_MS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(end_ask(&end, &reply), ZR_STATUS_TOO_LATE);
        assert_int_equal(events_of(shop.contractor, ZR_EVENT_RECONCILE, NULL), 3);
        crash();
    }
    assert_leg(&calls[1], shop.contractor, ZR_SETTLEMENT_STALE_VOID, 0);
    assert_charged_once(shop.contractor, WORLD_RATE);
    end = world_end_request(&calls[0], MINUTE_MS);
    assert_int_equal(end_ask(&end, &reply), 0); /* The stored settlement has no end (E46). */
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_CHARGED);
    accounts_listen_no_more();
}

/* From what is available then, and the overdraft below it: the hold is gone, the charge is not. */
static void
test_e53_a_late_charge_may_use_the_overdraft(void **state)
{
    const struct shop shop = shop_make(2500);
    struct zr_settlement_reply reply;
    struct zr_end_request end;
    struct zr_id lost;
    struct zr_id second;
    struct zr_route_reply routed = world_call(&world, shop.slot, &lost);

    (void)state;
    (void)world_connect(&world, &routed);
    (void)world_advance(&world, shop.max_call_ms);
    routed = world_call(&world, shop.slot, &second);
    assert_int_equal(talk(&routed, &second, MINUTE_MS).amount_cents, WORLD_RATE);
    assert_wallet(shop.contractor, 500, 0);
    end = world_end_request(&lost, MINUTE_MS);
    assert_int_equal(end_ask(&end, &reply), 0);
    assert_int_equal(reply.amount_cents, WORLD_RATE);
    assert_true(reply.dry);
    assert_wallet(shop.contractor, 500 - WORLD_RATE, 0);
}

/* ---- E72: the whole story of a spooled END --------------------------------------------------- */

/* His wallet is spent to its last cent; returns a ticket that was made before. */
static struct zr_route_reply
spend_all(const struct shop *shop, struct zr_id *call_id)
{
    const struct world_slot small = {WORLD_ADJUNTAS, world_category(&world, 500)};
    const struct zr_route_reply routed = world_call(&world, shop->slot, call_id);

    crash(); /* The lease of that ticket would stand in the way. */
    (void)world_claim(&world, shop->contractor, small);
    (void)charge(small, shop->contractor);
    (void)charge(shop->slot, shop->contractor);
    assert_wallet(shop->contractor, 0, 0);
    return routed;
}

static void
rotate_keys(void)
{
    const struct zr_key_rotate_request request = {.op_id = key_at(now_ms())};
    struct zr_key_rotate_reply reply;

    assert_int_equal(zr_key_rotate(world.admin, &request, &reply), 0);
}

/*
 * CONNECT is lost; the contractor closes his account, the keys rotate twice, his balance is 0. END
 * on day 6 charges once: 1,500 to MAIN, which is the overdraft, and WRITE_OFF bears 500.
 */
static void
test_e72_a_spooled_end_is_charged_through_everything(void **state)
{
    const struct shop shop = shop_make(2500);
    const uint64_t answered_ms = now_ms();
    const struct zr_audit_reply before = world_audit(&world);
    struct zr_settlement_reply reply;
    struct zr_route_reply routed;
    struct zr_end_request end;
    struct zr_end_request other;
    struct zr_id call_id;
    struct zr_id never;
    bool duplicate;

    (void)state;
    put_overdraft(shop.slot, 1500);
    routed = world_call(&world, shop.slot, &never);
    other = end_by_ticket(&never, &routed, answered_ms);
    crash();
    routed = spend_all(&shop, &call_id);
    end = end_by_ticket(&call_id, &routed, routed.expires_ms);
    world_status(&world, shop.contractor, ZR_CONTRACTOR_CLOSING);
    rotate_keys();
    rotate_keys();
    move_to(answered_ms + DAYS(6));
    assert_int_equal(end_ask(&end, &reply), ZR_STATUS_TICKET_EXPIRED);
    end.answered_at_ms = routed.expires_ms - 1;
    assert_int_equal(end_ask(&end, &reply), 0);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(reply.amount_cents, WORLD_RATE);
    assert_wallet(shop.contractor, -1500, 0);
    assert_leg(&call_id, shop.contractor, ZR_SETTLEMENT_CHARGED, WORLD_RATE);
    assert_int_equal(world_audit(&world).charged_cents, before.charged_cents + 2500 + WORLD_RATE);
    assert_true(world_audit(&world).balanced);
    (void)world_advance(&world, DAYS(1) + WORLD_HOUR_MS);
    assert_int_equal(end_again(&end, &reply, &duplicate), 0); /* Resent: what is stored. */
    assert_true(duplicate);
    assert_int_equal(reply.amount_cents, WORLD_RATE);
    assert_int_equal(end_ask(&other, &reply), ZR_STATUS_TOO_LATE); /* First sent after day 7. */
    assert_call_unknown(&never);
    assert_wallet(shop.contractor, -1500, 0);
}

/* ---- E63: keys ------------------------------------------------------------------------------- */

/* One flipped bit, wherever it is: key id, candidates or the MAC. */
static void
assert_no_bit_may_differ(struct zr_end_request end)
{
    struct zr_settlement_reply reply;

    for (size_t bit = 0; bit < 8u * end.ticket_length; bit += FLIP_STEP_BITS) {
        end.ticket[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(end_ask(&end, &reply), ZR_STATUS_BAD_TICKET);
        end.ticket[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Two keys sign; the one before them verifies for 8 d more, over a crash too, then it is unknown.
 */
static void
test_e63_a_ticket_outlives_its_key_by_eight_days(void **state)
{
    const struct shop shop = shop_make(FUNDS);
    const uint64_t issued_ms = now_ms();
    struct zr_settlement_reply reply;
    struct zr_connect_reply connected;
    struct zr_route_reply routed[2];
    struct zr_end_request end;
    struct zr_id calls[2];

    (void)state;
    routed[0] = world_call(&world, shop.slot, &calls[0]);
    routed[1] = world_call(&world, shop.slot, &calls[1]);
    end = end_by_ticket(&calls[1], &routed[1], issued_ms);
    rotate_keys();
    rotate_keys();
    crash();
    /* Verified until it expires, though its key signs no more. */
    assert_int_equal(connect_ask(&routed[0], &connected), 0);
    (void)world_end(&world, &calls[0], MINUTE_MS);
    assert_charged_once(shop.contractor, WORLD_RATE);
    assert_no_bit_may_differ(end);
    move_to(issued_ms + DAYS(8) - 1);
    assert_int_equal(end_ask(&end, &reply), ZR_STATUS_TOO_LATE); /* Known, but of day 8. */
    (void)world_advance(&world, 1);
    assert_int_equal(end_ask(&end, &reply), ZR_STATUS_BAD_TICKET);
    assert_charged_once(shop.contractor, WORLD_RATE);
}

static void
test_e63_an_old_key_settles_a_spooled_end(void **state)
{
    const struct shop shop = shop_make(FUNDS);
    const uint64_t issued_ms = now_ms();
    struct zr_settlement_reply reply;
    struct zr_end_request end;
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, shop.slot, &call_id);

    (void)state;
    rotate_keys();
    rotate_keys();
    move_to(issued_ms + DAYS(7));
    end = end_by_ticket(&call_id, &routed, issued_ms);
    assert_int_equal(end_ask(&end, &reply), 0);
    assert_int_equal(reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_charged_once(shop.contractor, WORLD_RATE);
}

/* ---- E54: the log clock over restarts -------------------------------------------------------- */

/* A start turns no time back and moves none on: talk, holds and the order of claims are as before.
 */
static void
test_e54_a_restart_moves_no_time(void **state)
{
    const struct shop shop = shop_make(FUNDS);
    const uint64_t began_ms = now_ms();
    struct zr_settlement_reply reply;
    struct zr_end_request end;
    struct zr_claim_result behind;
    struct zr_id calls[2];
    struct zr_route_reply routed;

    (void)state;
    for (int i = 0; i < 2; i++) {
        routed = world_call(&world, shop.slot, &calls[i]);
        (void)world_connect(&world, &routed);
    }
    (void)world_advance(&world, RING_MS - 1);
    crash();
    assert_true(now_ms() == began_ms + RING_MS - 1);
    /* Talk that its ticket's age cannot hold is cut to it, plus 5 s: no clock of ours ran on. */
    end = world_end_request(&calls[0], UINT32_MAX);
    assert_int_equal(end_ask(&end, &reply), 0);
    assert_int_equal(reply.talk_ms, RING_MS - 1 + 5000);
    move_to(began_ms + shop.max_call_ms - 1);
    crash();
    assert_wallet(shop.contractor, FUNDS - WORLD_RATE, WORLD_RATE);
    (void)world_advance(&world, 1);
    assert_wallet(shop.contractor, FUNDS - WORLD_RATE, 0);
    behind = world_claim_result(&world, world_contractor(&world, 1, FUNDS), shop.slot);
    assert_int_equal(behind.rank, 2);
    assert_int_equal(claim_now(shop.claim_id).rank, 1);
}

/* Away for 10 s: nothing moves. A day: what would have forfeited meanwhile has one hour more (M2).
 */
static void
test_e54_time_that_passed_without_the_server(void **state)
{
    const struct shop shop = shop_make(FUNDS);
    const uint64_t began_ms = now_ms();
    const uint64_t grace_end_ms = began_ms + DAYS(14);

    (void)state;
    (void)world_pause(&world, shop.claim_id);
    be_away("clock_skip_ms=10000");
    assert_true(now_ms() == began_ms + 10000);
    assert_true(claim_now(shop.claim_id).paused_deadline_ms == grace_end_ms);
    move_to(grace_end_ms - DAYS(1) + 1);
    be_away("clock_skip_ms=86400000");
    assert_true(now_ms() == grace_end_ms + 1);
    assert_int_equal(claim_now(shop.claim_id).rank, 1);
    assert_true(claim_now(shop.claim_id).paused_deadline_ms == grace_end_ms + 1 + WORLD_HOUR_MS);
    (void)world_advance(&world, WORLD_HOUR_MS - 1);
    assert_int_equal(claim_now(shop.claim_id).rank, 1);
    (void)world_advance(&world, 1);
    assert_int_equal(claim_now(shop.claim_id).state, ZR_CLAIM_FORFEITED);
}

/* A call that was up when the server went away for longer than any call: its hold is released at
 * once after the restart, and its END, which was spooled meanwhile, is charged all the same. */
static void
test_e54_holds_end_at_once_after_an_outage(void **state)
{
    const struct shop shop = shop_make(FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, shop.slot, &call_id);
    struct zr_settlement_reply reply;
    struct zr_end_request end;

    (void)state;
    (void)world_connect(&world, &routed);
    be_away("clock_skip_ms=86400000");
    assert_charged_never(shop.contractor);
    assert_leg(&call_id, shop.contractor, ZR_SETTLEMENT_STALE_VOID, 0);
    assert_int_equal(world_audit(&world).timers_overdue, 0);
    end = world_end_request(&call_id, MINUTE_MS);
    assert_int_equal(end_ask(&end, &reply), 0);
    assert_charged_once(shop.contractor, WORLD_RATE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_e53_a_hold_without_proof_is_released_at_max_call),
        CASE(test_e53_a_late_end_settles_a_void_once_within_seven_days),
        CASE(test_e53_a_late_charge_may_use_the_overdraft),
        CASE(test_e72_a_spooled_end_is_charged_through_everything),
        CASE(test_e63_a_ticket_outlives_its_key_by_eight_days),
        CASE(test_e63_an_old_key_settles_a_spooled_end),
        CASE(test_e54_a_restart_moves_no_time),
        CASE(test_e54_time_that_passed_without_the_server),
        CASE(test_e54_holds_end_at_once_after_an_outage),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
