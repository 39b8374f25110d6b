/*
 * test_time_topup.c - wallets that fill themselves: a payments client that follows TOPUP_REQUESTED
 * events and tells what became of each attempt, over failures, months and crashes (R65, M5).
 */
#include "tests/integration/accounts.h"

#include <time.h>

enum { THRESHOLD = 3000, AMOUNT = 5000, METHODS = 2, ALL_FAILURES = 6 };

#define DAYS(count) ((uint64_t)(count)*WORLD_DAY_MS)

/* One contractor with a title and a wallet that fills itself by two cards. */
struct shop {
    struct world_slot slot;
    uint32_t contractor;
    uint64_t claim_id;
    uint32_t version; /* Of his wishes. */
};

/* The payments client: what it is asked for, in order. */
static struct heard desk;

static void
desk_open(void)
{
    follow_events(&desk, server_client_ready(&world.server, "payments"), events_newest(world.admin),
                  "");
}

/* Its next request, which must be of this contractor; what else it hears it has no use for. */
static struct zr_event
desk_take(uint32_t contractor)
{
    static uint32_t taken;

    for (;;) {
        while (taken < desk.count) {
            const struct zr_event *event = &desk.events[taken++];

            if (event->type == ZR_EVENT_TOPUP_REQUESTED && event->contractor == contractor) {
                return *event;
            }
        }
        hear(&desk, desk.total + 1);
    }
}

static int
settle_ask(uint64_t attempt_id, bool ok, const char *ref, struct zr_topup_reply *reply)
{
    struct zr_topup_result_request request = {.attempt_id = attempt_id, .ok = ok};

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "%s", ok ? ref : "");
    (void)snprintf(request.reason, sizeof request.reason, "%s", ok ? "" : "card declined");
    memset(reply, 0, sizeof *reply);
    return zr_topup_result(world.payments, &request, reply);
}

/* The provider took the money: under a reference of its own. */
static void
settle_ok(uint64_t attempt_id)
{
    struct zr_topup_reply reply;
    char ref[64];

    (void)snprintf(ref, sizeof ref, "auto-%llu-%llu", (unsigned long long)attempt_id,
                   (unsigned long long)++world.serial);
    assert_int_equal(settle_ask(attempt_id, true, ref, &reply), 0);
    assert_int_not_equal(reply.transfer_id, 0);
}

static void
settle_failed(uint64_t attempt_id)
{
    struct zr_topup_reply reply;

    assert_int_equal(settle_ask(attempt_id, false, NULL, &reply), 0);
    assert_int_equal(reply.transfer_id, 0);
}

static struct zr_autotopup_get_reply
wishes(const struct shop *shop)
{
    const struct zr_profile_get_request request = {.contractor = shop->contractor};
    struct zr_autotopup_get_reply reply;

    assert_int_equal(zr_autotopup_get(world.portal, &request, &reply), 0);
    return reply;
}

static void
wish(struct shop *shop, int64_t monthly_max_cents)
{
    const struct zr_autotopup_put_request request = {
        .threshold_cents = THRESHOLD,
        .amount_cents = AMOUNT,
        .monthly_max_cents = monthly_max_cents,
        .contractor = shop->contractor,
        .expected_version = shop->version,
        .enabled = true,
        .methods = {{.method = "card-1"}, {.method = "card-2"}},
        .methods_count = METHODS,
    };
    struct zr_put_reply reply;

    assert_int_equal(zr_autotopup_put(world.portal, &request, &reply), 0);
    shop->version = reply.version;
}

static struct shop
shop_make(int64_t funds_cents, int64_t monthly_max_cents)
{
    struct shop shop = {.slot = world_slot(&world)};

    shop.contractor = world_contractor(&world, 2, funds_cents);
    shop.claim_id = world_claim(&world, shop.contractor, shop.slot);
    wish(&shop, monthly_max_cents);
    return shop;
}

static int
requests_of(const struct shop *shop)
{
    return events_of(shop->contractor, ZR_EVENT_TOPUP_REQUESTED, NULL);
}

static int
topup_setup(void **state)
{
    (void)world_setup(state);
    accounts_listen();
    desk_open();
    return 0;
}

static int
topup_teardown(void **state)
{
    zr_client_close(desk.client);
    accounts_listen_no_more();
    return world_teardown(state);
}

/* ---- R65: asked for by what is available ----------------------------------------------------- */

/* A hold is enough; one attempt is outstanding, whatever else the wallet does meanwhile (I13). */
static void
test_r65_i13_a_live_call_asks_once(void **state)
{
    const struct shop shop = shop_make(4900, 0);
    struct zr_route_reply routed;
    struct zr_event asked;
    struct zr_id call_id;

    (void)state;
    assert_int_equal(requests_of(&shop), 0);
    routed = world_call(&world, shop.slot, &call_id);
    (void)world_connect(&world, &routed);
    asked = desk_take(shop.contractor);
    assert_int_equal(asked.amount_cents, AMOUNT);
    assert_int_equal(asked.code, 0); /* By the first method. */
    assert_true(asked.number == wishes(&shop).attempt_id);
    assert_int_equal(wishes(&shop).state, ZR_TOPUP_STATE_PENDING);
    (void)world_end(&world, &call_id, MINUTE_MS);
    (void)charge(shop.slot, shop.contractor);
    assert_wallet(shop.contractor, 4900 - 2 * WORLD_RATE, 0);
    assert_int_equal(requests_of(&shop), 1);
    settle_ok(asked.number);
    assert_wallet(shop.contractor, 4900 - 2 * WORLD_RATE + AMOUNT, 0);
    assert_int_equal(wishes(&shop).state, ZR_TOPUP_STATE_IDLE);
    assert_int_equal(wishes(&shop).month_cents, AMOUNT);
    assert_int_equal(events_of(shop.contractor, ZR_EVENT_TOPUP_DONE, &asked), 1);
    assert_int_equal(asked.amount_cents, AMOUNT);
    assert_int_equal(requests_of(&shop), 1);
}

/* E52: two calls whose leases a restart forgot overdraw the wallet, a third is refused, and all of
 * it asks for one top-up. */
static void
test_e52_an_overdrawn_wallet_asks_once(void **state)
{
    const struct shop shop = shop_make(4900, 0);
    struct zr_route_reply routed[4];
    struct zr_connect_reply refused;
    struct zr_event asked;

    (void)state;
    for (int i = 0; i < 4; i++) {
        routed[i] = world_call(&world, shop.slot, NULL);
        assert_int_equal(routed[i].candidates[0].contractor, shop.contractor);
        crash();
    }
    assert_int_equal(requests_of(&shop), 0);
    put_overdraft(shop.slot, 3 * WORLD_RATE - 4900);
    for (int i = 0; i < 3; i++) {
        (void)world_connect(&world, &routed[i]);
    }
    assert_wallet(shop.contractor, 4900, 3 * WORLD_RATE);
    assert_int_equal(connect_ask(&routed[3], &refused), ZR_STATUS_OVERDRAFT_LIMIT);
    asked = desk_take(shop.contractor);
    assert_int_equal(asked.amount_cents, AMOUNT);
    assert_int_equal(requests_of(&shop), 1);
}

/* Still below the threshold after a credit: asked for again at once. */
static void
test_r65_one_credit_may_not_be_enough(void **state)
{
    const struct shop shop = shop_make(0, 0);
    const struct zr_event first = desk_take(shop.contractor);
    struct zr_topup_reversed_request reversed = {.amount_cents = AMOUNT,
                                                 .contractor = shop.contractor};
    struct zr_topup_reply reply;

    (void)state;
    (void)snprintf(reversed.provider_ref, sizeof reversed.provider_ref, "bounced-%u",
                   shop.contractor);
    assert_int_equal(settle_ask(first.number, true, reversed.provider_ref, &reply), 0);
    assert_int_equal(requests_of(&shop), 1);
    (void)charge(shop.slot, shop.contractor);
    (void)charge(shop.slot, shop.contractor); /* 1,000 left: a second one is on its way. */
    assert_int_equal(zr_topup_reversed(world.payments, &reversed, &reply), 0);
    assert_wallet(shop.contractor, -2 * WORLD_RATE, 0);
    settle_ok(desk_take(shop.contractor).number); /* 1,000 again. */
    settle_ok(desk_take(shop.contractor).number);
    assert_wallet(shop.contractor, 2 * AMOUNT - 2 * WORLD_RATE, 0);
    assert_int_equal(requests_of(&shop), 3);
}

/* ---- R65: failures --------------------------------------------------------------------------- */

/* The next method at once, again after 1 h and after 24 h, then no more; a crash in between loses
 * none of it and asks nothing twice. */
static void
test_r65_failures_go_round_back_off_and_end(void **state)
{
    static const uint64_t waits_ms[] = {0, WORLD_HOUR_MS, 24 * WORLD_HOUR_MS};
    struct shop shop = shop_make(0, 0);
    struct zr_event failed = {0};
    int asked = 0;

    (void)state;
    for (size_t round = 0; round < sizeof waits_ms / sizeof waits_ms[0]; round++) {
        if (waits_ms[round] > 0) {
            assert_int_equal(wishes(&shop).state, ZR_TOPUP_STATE_FAILED);
            assert_true(wishes(&shop).retry_ms == now_ms() + waits_ms[round]);
            (void)world_advance(&world, waits_ms[round] - 1);
            crash();
            assert_int_equal(requests_of(&shop), asked);
            (void)world_advance(&world, 1);
        }
        for (uint8_t method = 0; method < METHODS; method++) {
            const struct zr_event event = desk_take(shop.contractor);

            assert_int_equal(event.code, method);
            assert_int_equal(requests_of(&shop), ++asked);
            assert_int_equal(events_of(shop.contractor, ZR_EVENT_TOPUP_FAILED, NULL), 0);
            settle_failed(event.number);
        }
    }
    assert_int_equal(wishes(&shop).state, ZR_TOPUP_STATE_DISABLED);
    assert_int_equal(events_of(shop.contractor, ZR_EVENT_TOPUP_FAILED, &failed), 1);
    assert_int_equal(failed.code, ALL_FAILURES);
    (void)world_advance(&world, DAYS(2));
    assert_int_equal(requests_of(&shop), ALL_FAILURES);
    wish(&shop, 0); /* Afresh, from the first method. */
    assert_int_equal(desk_take(shop.contractor).code, 0);
}

/* The grace runs from DRY, and a success inside it leaves the title where it was. */
static void
test_r65_success_inside_the_grace_keeps_the_title(void **state)
{
    const struct shop shop = shop_make(2500, 0);
    const uint32_t backup = world_contractor(&world, 1, FUNDS);
    uint64_t dry_ms;

    (void)state;
    (void)world_claim(&world, backup, shop.slot);
    settle_failed(desk_take(shop.contractor).number);
    settle_failed(desk_take(shop.contractor).number);
    assert_true(claim_now(shop.claim_id).dry_deadline_ms == 0); /* Failures alone are no DRY. */
    (void)charge(shop.slot, shop.contractor);
    dry_ms = now_ms();
    assert_true(claim_now(shop.claim_id).dry_deadline_ms == dry_ms + 72 * WORLD_HOUR_MS);
    (void)world_advance(&world, WORLD_HOUR_MS);
    settle_failed(desk_take(shop.contractor).number);
    settle_failed(desk_take(shop.contractor).number);
    assert_int_equal(world_call(&world, shop.slot, NULL).candidates[0].contractor, backup);
    (void)world_advance(&world, 24 * WORLD_HOUR_MS);
    assert_true(claim_now(shop.claim_id).dry_deadline_ms == dry_ms + 72 * WORLD_HOUR_MS);
    settle_ok(desk_take(shop.contractor).number);
    assert_true(claim_now(shop.claim_id).dry_deadline_ms == 0);
    assert_int_equal(claim_now(shop.claim_id).rank, 1);
    (void)world_advance(&world, DAYS(3));
    assert_int_equal(world_call(&world, shop.slot, NULL).candidates[0].contractor, shop.contractor);
}

/* M2: an attempt that is outstanding at the deadline defers the forfeit by an hour, once. */
static void
test_m2_a_pending_attempt_defers_the_forfeit_by_an_hour(void **state)
{
    (void)state;
    for (int late = 0; late <= 1; late++) {
        const struct shop shop = shop_make(2500, 0);
        const struct zr_event asked = desk_take(shop.contractor);

        (void)charge(shop.slot, shop.contractor);
        (void)world_advance(&world, 73 * WORLD_HOUR_MS - 1);
        assert_int_equal(claim_now(shop.claim_id).rank, 1);
        if (late) {
            (void)world_advance(&world, 1);
            assert_int_equal(claim_now(shop.claim_id).state, ZR_CLAIM_FORFEITED);
        }
        settle_ok(asked.number);
        (void)world_advance(&world, WORLD_HOUR_MS);
        assert_int_equal(claim_now(shop.claim_id).state, late ? ZR_CLAIM_FORFEITED : ZR_CLAIM_LIVE);
    }
}

/* ---- E57, I14: what the provider says twice -------------------------------------------------- */

static void
test_e57_a_result_twice_credits_once(void **state)
{
    const struct shop shop = shop_make(0, 0);
    const uint64_t attempt_id = desk_take(shop.contractor).number;
    struct zr_topup_request topup = {.amount_cents = AMOUNT, .contractor = shop.contractor};
    struct zr_topup_reply first;
    struct zr_topup_reply again;

    (void)state;
    (void)snprintf(topup.provider_ref, sizeof topup.provider_ref, "once-%u", shop.contractor);
    assert_int_equal(settle_ask(attempt_id, true, topup.provider_ref, &first), 0);
    crash();
    assert_int_equal(settle_ask(attempt_id, true, topup.provider_ref, &again), 0);
    assert_memory_equal(&again, &first, sizeof first);
    assert_int_equal(zr_topup(world.payments, &topup, &again), 0); /* By the other way, too. */
    assert_true(again.transfer_id == first.transfer_id);
    assert_int_equal(settle_ask(attempt_id, false, NULL, &again), 0); /* It is settled. */
    assert_true(again.transfer_id == first.transfer_id);
    assert_int_equal(settle_ask(attempt_id, true, "of another payment", &again),
                     ZR_STATUS_DUPLICATE_REF);
    assert_int_equal(settle_ask(attempt_id + 1, true, "never asked", &again), ZR_STATUS_NOT_FOUND);
    assert_wallet(shop.contractor, AMOUNT, 0);
}

static void
test_e57_failed_then_succeeded_is_credited_once(void **state)
{
    const struct shop shop = shop_make(0, 0);
    const uint64_t first = desk_take(shop.contractor).number;
    struct zr_topup_reply reply;
    uint64_t second;

    (void)state;
    settle_failed(first);
    second = desk_take(shop.contractor).number;
    settle_failed(second);
    assert_int_equal(wishes(&shop).state, ZR_TOPUP_STATE_FAILED);
    assert_int_equal(settle_ask(second, true, "late but sure", &reply), 0);
    assert_int_equal(settle_ask(second, true, "late but sure", &reply), 0);
    assert_wallet(shop.contractor, AMOUNT, 0);
    assert_int_equal(wishes(&shop).state, ZR_TOPUP_STATE_IDLE);
    assert_int_equal(wishes(&shop).failures, 0);
    assert_int_equal(world_wallet(&world, shop.contractor).funds_state, ZR_FUNDS_STATE_OK);
    (void)world_advance(&world, DAYS(2)); /* The retry is nobody's any more. */
    assert_int_equal(requests_of(&shop), 2);
}

/* ---- E58, I13: the month --------------------------------------------------------------------- */

/* The next local month's first instant, in the zone of every contractor here (Texas). */
static uint64_t
month_end_of(const struct shop *shop)
{
    struct zr_event limit = {0};

    assert_int_equal(events_of(shop->contractor, ZR_EVENT_TOPUP_LIMIT, &limit), 1);
    assert_true(limit.deadline_ms > now_ms());
    assert_true(limit.deadline_ms <= now_ms() + DAYS(31) + WORLD_HOUR_MS);
    assert_true(limit.deadline_ms % WORLD_DAY_MS == 5 * WORLD_HOUR_MS ||
                limit.deadline_ms % WORLD_DAY_MS == 6 * WORLD_HOUR_MS);
    return limit.deadline_ms;
}

/* Far from both ends of a month, whenever the test began. */
static void
move_to_mid_month(void)
{
    struct tm day = {0};

    while (day.tm_mday != 10) {
        const time_t now_s = (time_t)(world_advance(&world, WORLD_DAY_MS) / 1000);

        assert_non_null(gmtime_r(&now_s, &day));
    }
}

static void
test_e58_the_monthly_maximum_stops_the_asking(void **state)
{
    struct shop shop;
    uint64_t month_end_ms;

    (void)state;
    move_to_mid_month();
    shop = shop_make(4900, AMOUNT + AMOUNT - 1);
    (void)charge(shop.slot, shop.contractor);
    settle_ok(desk_take(shop.contractor).number); /* 7,900 */
    for (int i = 0; i < 3; i++) {
        (void)charge(shop.slot, shop.contractor);
    }
    assert_int_equal(requests_of(&shop), 1);
    month_end_ms = month_end_of(&shop);
    /* LOW and DRY go their way, and so does the grace. */
    assert_wallet(shop.contractor, 1900, 0);
    assert_int_equal(world_wallet(&world, shop.contractor).funds_state, ZR_FUNDS_STATE_DRY);
    assert_int_equal(events_of(shop.contractor, ZR_EVENT_DRY, NULL), 1);
    assert_true(claim_now(shop.claim_id).dry_deadline_ms == now_ms() + 72 * WORLD_HOUR_MS);
    (void)world_claim(&world, shop.contractor, world_slot(&world));
    assert_int_equal(events_of(shop.contractor, ZR_EVENT_TOPUP_LIMIT, NULL), 1);
    assert_int_equal(wishes(&shop).month_cents, AMOUNT);
    move_to(month_end_ms - 1);
    crash();
    assert_int_equal(requests_of(&shop), 1);
    (void)world_advance(&world, 1); /* A new month, a new sum. */
    assert_int_equal(requests_of(&shop), 2);
    settle_ok(desk_take(shop.contractor).number);
    assert_int_equal(wishes(&shop).month_cents, AMOUNT);
}

/* ---- TOPUP_REVERSED -------------------------------------------------------------------------- */

/* Once, the very payment, and below 0 if need be; then he is not rung. */
static void
test_m5_a_payment_that_the_provider_takes_back(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 1, 0);
    const uint32_t other = world_contractor(&world, 1, FUNDS);
    struct zr_topup_request topup = {.amount_cents = AMOUNT, .contractor = contractor};
    struct zr_topup_reversed_request reversed = {.amount_cents = AMOUNT, .contractor = contractor};
    struct zr_topup_reply first;
    struct zr_topup_reply reply;
    struct zr_route_reply routed;
    struct zr_event event = {0};

    (void)state;
    (void)snprintf(topup.provider_ref, sizeof topup.provider_ref, "cheque-%u", contractor);
    (void)snprintf(reversed.provider_ref, sizeof reversed.provider_ref, "cheque-%u", contractor);
    assert_int_equal(zr_topup_reversed(world.payments, &reversed, &reply), ZR_STATUS_NOT_FOUND);
    assert_int_equal(zr_topup(world.payments, &topup, &reply), 0);
    (void)world_claim(&world, contractor, slot);
    (void)world_claim(&world, other, slot);
    (void)charge(slot, contractor);
    reversed.amount_cents--;
    assert_int_equal(zr_topup_reversed(world.payments, &reversed, &reply), ZR_STATUS_DUPLICATE_REF);
    reversed.amount_cents++;
    assert_int_equal(zr_topup_reversed(world.payments, &reversed, &first), 0);
    crash();
    assert_int_equal(zr_topup_reversed(world.payments, &reversed, &reply), 0);
    assert_true(reply.transfer_id == first.transfer_id);
    assert_wallet(contractor, -WORLD_RATE, 0);
    assert_int_equal(events_of(contractor, ZR_EVENT_TOPUP_REVERSED, &event), 1);
    assert_int_equal(event.amount_cents, AMOUNT);
    routed = world_call(&world, slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, other);
    assert_int_equal(reasons_of(&routed, contractor), REASON_NO_FUNDS);
    /* The reference stays used: it credits no second time. */
    assert_int_equal(zr_topup(world.payments, &topup, &reply), 0);
    assert_wallet(contractor, -WORLD_RATE, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_r65_i13_a_live_call_asks_once),
        CASE(test_e52_an_overdrawn_wallet_asks_once),
        CASE(test_r65_one_credit_may_not_be_enough),
        CASE(test_r65_failures_go_round_back_off_and_end),
        CASE(test_r65_success_inside_the_grace_keeps_the_title),
        CASE(test_m2_a_pending_attempt_defers_the_forfeit_by_an_hour),
        CASE(test_e57_a_result_twice_credits_once),
        CASE(test_e57_failed_then_succeeded_is_credited_once),
        CASE(test_e58_the_monthly_maximum_stops_the_asking),
        CASE(test_m5_a_payment_that_the_provider_takes_back),
    };

    return cmocka_run_group_tests(tests, topup_setup, topup_teardown);
}
