/*
 * test_domain_autotopup.c - the wallet that fills itself: when it asks, what a verdict does, and
 * when it gives up (R65, I13, I14, E52, E57, E58).
 */
#include "server/domain/autotopup.h"
#include "server/domain/localtime.h"
#include "tests/unit/test_money.h"

enum { THRESHOLD = 4000, AMOUNT = 2500 };

static struct zr_autotopup_put_request
settings(uint32_t contractor, uint16_t methods)
{
    struct zr_autotopup_put_request request = {.threshold_cents = THRESHOLD,
                                               .amount_cents = AMOUNT,
                                               .contractor = contractor,
                                               .enabled = true,
                                               .methods_count = methods};

    for (uint16_t i = 0; i < methods; i++) {
        (void)snprintf(request.methods[i].method, sizeof request.methods[i].method, "card-%u", i);
    }
    return request;
}

static const struct zr_autotopup_get_reply *
look(struct domain_world *world, uint32_t contractor)
{
    const struct zr_profile_get_request request = {.contractor = contractor};

    assert_int_equal(dw_run(world, dw_payments, ZR_OP_AUTOTOPUP_GET, &request), ZR_STATUS_OK);
    return &world->reply.autotopup_get_reply;
}

/* AUTOTOPUP_PUT over whatever stands there. */
static uint16_t
put(struct domain_world *world, struct zr_autotopup_put_request request)
{
    request.expected_version = look(world, request.contractor)->version;
    return dw_run(world, dw_portal, ZR_OP_AUTOTOPUP_PUT, &request);
}

static uint16_t
result(struct domain_world *world, uint64_t attempt_id, bool ok, const char *ref)
{
    struct zr_topup_result_request request = {.attempt_id = attempt_id, .ok = ok};

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "%s", ref);
    return dw_run(world, dw_payments, ZR_OP_TOPUP_RESULT, &request);
}

static uint64_t
attempt_id(uint32_t contractor, uint64_t number)
{
    return (uint64_t)contractor << 32 | number;
}

static int
requested(struct domain_world *world, uint32_t contractor)
{
    return money_events(world, contractor, ZR_EVENT_TOPUP_REQUESTED);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Below the threshold: one attempt; ok: credited, and asked again while it is still too little. */
static void
test_it_asks_until_it_is_enough(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct event_row event;

    assert_int_equal(put(world, settings(contractor, 2)), ZR_STATUS_OK);
    event = money_event(world, contractor, ZR_EVENT_TOPUP_REQUESTED);
    assert_int_equal(event.number, attempt_id(contractor, 1));
    assert_int_equal(event.amount_cents, AMOUNT);
    assert_int_equal(event.code, 0);
    assert_true(autotopup_is_pending(&world->state, contractor));
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_PENDING);
    assert_int_equal(look(world, contractor)->month_cents, AMOUNT);
    assert_int_equal(result(world, event.number, true, "p1"), ZR_STATUS_OK);
    assert_int_equal(world->reply.topup_reply.posted_cents, AMOUNT);
    assert_int_equal(dw_wallet(world, contractor).main_cents, AMOUNT);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_TOPUP_DONE).number, event.number);
    assert_int_equal(requested(world, contractor), 2); /* 2500 < 4000 */
    assert_int_equal(result(world, attempt_id(contractor, 2), true, "p2"), ZR_STATUS_OK);
    assert_int_equal(requested(world, contractor), 2);
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_IDLE);
    assert_false(autotopup_is_pending(&world->state, contractor));
    assert_int_equal(look(world, contractor)->month_cents, 2 * AMOUNT);
}

/* E52, I13: two calls at once push available below it: one request, and one only. */
static void
test_e52_two_calls_make_one_request(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket first = dw_ticket(world, &contractor, 1);
    const struct ticket second = dw_ticket(world, &contractor, 1);
    const struct ticket third = dw_ticket(world, &contractor, 1);
    struct ticket fourth = dw_ticket(world, &contractor, 1);

    (void)dw_claim(world, contractor);
    assert_int_equal(put(world, settings(contractor, 1)), ZR_STATUS_OK);
    assert_int_equal(requested(world, contractor), 0);
    assert_int_equal(dw_connect(world, &first, 0), ZR_STATUS_OK);
    assert_int_equal(requested(world, contractor), 1); /* Holds count (R65). */
    assert_int_equal(dw_connect(world, &second, 0), ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &third, 0), ZR_STATUS_OK); /* Overdraft 2000. */
    assert_int_equal(dw_connect(world, &fourth, 0), ZR_STATUS_OVERDRAFT_LIMIT);
    assert_int_equal(requested(world, contractor), 1);
}

/* While there is nothing to ask for, no call reads the settings: the wallet says "never". */
static void
test_the_wallet_knows_when_not_to_look(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    struct zr_autotopup_put_request off = settings(contractor, 0);

    assert_int_equal(dw_wallet(world, contractor).topup_below_cents, INT64_MIN);
    assert_int_equal(put(world, settings(contractor, 1)), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).topup_below_cents, THRESHOLD);
    (void)money_charge(world, contractor);
    assert_int_equal(dw_wallet(world, contractor).topup_below_cents, INT64_MIN); /* PENDING */
    off.enabled = false;
    assert_int_equal(put(world, off), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).topup_below_cents, INT64_MIN);
    /* Its money may be on the way: it is still credited, and then it is off. */
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_PENDING);
    assert_int_equal(result(world, attempt_id(contractor, 1), true, "p"), ZR_STATUS_OK);
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_DISABLED);
    (void)money_charge(world, contractor);
    (void)money_charge(world, contractor);
    assert_int_equal(requested(world, contractor), 1);
}

/* ---- the verdict ----------------------------------------------------------------------------- */

/* E57, I14: told twice, one credit; the reply of the first. */
static void
test_e57_a_result_twice_credits_once(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint64_t id = attempt_id(contractor, 1);
    uint64_t transfer;
    uint64_t seq;

    assert_int_equal(put(world, settings(contractor, 1)), ZR_STATUS_OK);
    assert_int_equal(result(world, id, true, "p1"), ZR_STATUS_OK);
    transfer = world->reply.topup_reply.transfer_id;
    seq = world->reply.topup_reply.commit_seq;
    assert_int_equal(result(world, id, true, "p1"), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(world->reply.topup_reply.transfer_id, transfer);
    assert_int_equal(world->reply.topup_reply.commit_seq, seq);
    assert_int_equal(result(world, id, false, ""), ZR_STATUS_OK); /* It is settled: too late. */
    assert_int_equal(world->reply.topup_reply.transfer_id, transfer);
    assert_int_equal(result(world, id, true, "p9"), ZR_STATUS_DUPLICATE_REF);
    assert_int_equal(dw_wallet(world, contractor).main_cents, AMOUNT);
    /* By TOPUP, too, the reference has credited already. */
    assert_int_equal(money_topup_ref(world, contractor, AMOUNT, "p1"), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(dw_wallet(world, contractor).main_cents, AMOUNT);
}

/* E57: failed, then succeeded, of one attempt: credited once, and the state is well again. */
static void
test_e57_failed_then_succeeded_credits_once(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 4500);
    const uint64_t id = attempt_id(contractor, 1);

    (void)money_charge(world, contractor);
    assert_int_equal(put(world, settings(contractor, 1)), ZR_STATUS_OK);
    assert_int_equal(result(world, id, false, ""), ZR_STATUS_OK);
    assert_int_equal(world->reply.topup_reply.transfer_id, 0);
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_FAILED);
    assert_int_equal(look(world, contractor)->month_cents, 0);
    assert_int_equal(result(world, id, false, ""), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(look(world, contractor)->failures, 1);
    assert_int_equal(result(world, id, true, "p1"), ZR_STATUS_OK);
    assert_int_equal(result(world, id, true, "p1"), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 2500 + AMOUNT);
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_IDLE);
    assert_int_equal(look(world, contractor)->failures, 0);
    assert_int_equal(look(world, contractor)->month_cents, AMOUNT);
    dw_advance(world, 2 * DW_DAY_MS); /* Its retry is nobody's any more. */
    assert_int_equal(requested(world, contractor), 1);
}

/* The late "ok" of an attempt that another method has followed: both are what they are. */
static void
test_a_late_ok_stands_beside_the_next_attempt(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);

    assert_int_equal(put(world, settings(contractor, 2)), ZR_STATUS_OK);
    assert_int_equal(result(world, attempt_id(contractor, 1), false, ""), ZR_STATUS_OK);
    assert_int_equal(requested(world, contractor), 2);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_TOPUP_REQUESTED).code, 1);
    assert_int_equal(result(world, attempt_id(contractor, 1), true, "p1"), ZR_STATUS_OK);
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_PENDING);
    assert_int_equal(look(world, contractor)->attempt_id, attempt_id(contractor, 2));
    assert_int_equal(look(world, contractor)->month_cents, 2 * AMOUNT);
    assert_int_equal(result(world, attempt_id(contractor, 2), true, "p2"), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 2 * AMOUNT);
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_IDLE);
}

/* The payment came by TOPUP before its verdict: one credit, and the attempt is done. */
static void
test_a_payment_that_came_by_topup_already(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint32_t other = dw_contractor(world, 0);
    const uint64_t id = attempt_id(contractor, 1);

    assert_int_equal(put(world, settings(contractor, 1)), ZR_STATUS_OK);
    assert_int_equal(money_topup_ref(world, contractor, AMOUNT, "p1"), ZR_STATUS_OK);
    assert_int_equal(money_topup_ref(world, other, AMOUNT, "p2"), ZR_STATUS_OK);
    assert_int_equal(result(world, id, true, "p2"), ZR_STATUS_DUPLICATE_REF);
    assert_int_equal(result(world, id, true, "p1"), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).main_cents, AMOUNT);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_TOPUP_DONE), 1);
}

static void
test_result_refusals(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint64_t id = attempt_id(contractor, 1);

    assert_int_equal(result(world, 0, true, "p"), ZR_STATUS_NOT_FOUND);
    assert_int_equal(result(world, id, true, "p"), ZR_STATUS_NOT_FOUND); /* Nobody asked. */
    assert_int_equal(put(world, settings(contractor, 1)), ZR_STATUS_OK);
    assert_int_equal(result(world, id + 1, true, "p"), ZR_STATUS_NOT_FOUND);
    assert_int_equal(result(world, id, true, ""), ZR_STATUS_INVALID_FIELD);
    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    assert_int_equal(result(world, id, true, "p"), ZR_STATUS_ACCOUNT_CLOSED);
    assert_int_equal(result(world, id, false, ""), ZR_STATUS_OK);
    assert_int_equal(requested(world, contractor), 1); /* Nothing is asked for any more. */
}

/* ---- giving up ------------------------------------------------------------------------------- */

/* R65: next method at once, again after 1 h, after 24 h, then no more. */
static void
test_failures_back_off_and_end(void **state)
{
    static const struct {
        uint64_t wait_ms; /* Before the attempt that fails. */
        uint8_t method;
        uint8_t then;
    } rows[] = {
        {0, 0, ZR_TOPUP_STATE_PENDING},
        {0, 1, ZR_TOPUP_STATE_FAILED},
        {MONEY_HOUR_MS, 0, ZR_TOPUP_STATE_PENDING},
        {0, 1, ZR_TOPUP_STATE_FAILED},
        {24 * MONEY_HOUR_MS, 0, ZR_TOPUP_STATE_PENDING},
        {0, 1, ZR_TOPUP_STATE_DISABLED},
    };
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);

    assert_int_equal(put(world, settings(contractor, 2)), ZR_STATUS_OK);
    for (uint64_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].wait_ms > 0) {
            dw_advance(world, rows[i].wait_ms - 1);
            assert_int_equal(requested(world, contractor), i);
            dw_advance(world, 1);
        }
        assert_int_equal(requested(world, contractor), i + 1);
        assert_int_equal(money_event(world, contractor, ZR_EVENT_TOPUP_REQUESTED).code,
                         rows[i].method);
        assert_int_equal(money_events(world, contractor, ZR_EVENT_TOPUP_FAILED), 0);
        assert_int_equal(result(world, attempt_id(contractor, i + 1), false, ""), ZR_STATUS_OK);
        assert_int_equal(look(world, contractor)->state, rows[i].then);
    }
    assert_int_equal(money_events(world, contractor, ZR_EVENT_TOPUP_FAILED), 1);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_TOPUP_FAILED).code, 6);
    dw_advance(world, 10 * DW_DAY_MS);
    assert_int_equal(requested(world, contractor), 6);
    assert_int_equal(put(world, settings(contractor, 2)), ZR_STATUS_OK); /* Afresh. */
    assert_int_equal(requested(world, contractor), 7);
    assert_int_equal(look(world, contractor)->failures, 0);
}

/* Helped by somebody else meanwhile: the retry finds nothing to ask for. */
static void
test_a_retry_that_is_not_needed(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);

    assert_int_equal(put(world, settings(contractor, 1)), ZR_STATUS_OK);
    assert_int_equal(result(world, attempt_id(contractor, 1), false, ""), ZR_STATUS_OK);
    money_topup(world, contractor, 5000);
    dw_advance(world, MONEY_HOUR_MS);
    assert_int_equal(requested(world, contractor), 1);
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_IDLE);
    (void)money_charge(world, contractor);
    assert_int_equal(requested(world, contractor), 2);
}

/* M2, R65: a top-up that is on its way at the deadline of DRY defers it by an hour, once. */
static void
test_a_pending_attempt_defers_the_forfeit_once(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const uint64_t claim_id = dw_claim(world, contractor)->claim_id;
    const uint64_t deadline_ms = world->now_ms + 72 * MONEY_HOUR_MS;
    struct claim_row claim;

    assert_int_equal(put(world, settings(contractor, 1)), ZR_STATUS_OK);
    dw_advance(world, 73 * MONEY_HOUR_MS - 1);
    assert_true(state_claim_get(&world->state, claim_id, &claim));
    assert_int_equal(claim.ended_ms, 0);
    assert_int_equal(claim.dry_deadline_ms, deadline_ms + MONEY_HOUR_MS);
    dw_advance(world, 1);
    assert_true(state_claim_get(&world->state, claim_id, &claim));
    assert_int_equal(claim.state, ZR_CLAIM_FORFEITED);
    assert_int_equal(claim.ended_ms, deadline_ms + MONEY_HOUR_MS);
}

/* ---- the month ------------------------------------------------------------------------------- */

/* E58, I13: the maximum is reached: told once, nothing is asked, DRY goes on; the next local month
 * begins anew. */
static void
test_e58_the_monthly_maximum(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_autotopup_put_request request = settings(contractor, 1);
    /* 2023-12-01 00:00 in Texas, which is six hours behind. */
    const uint64_t december_ms = UINT64_C(1701410400000);

    request.monthly_max_cents = 2 * AMOUNT - 1;
    (void)dw_claim(world, contractor);
    assert_int_equal(put(world, request), ZR_STATUS_OK);
    assert_int_equal(result(world, attempt_id(contractor, 1), true, "p1"), ZR_STATUS_OK);
    assert_int_equal(requested(world, contractor), 1);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_TOPUP_LIMIT), 1);
    assert_int_equal(money_event(world, contractor, ZR_EVENT_TOPUP_LIMIT).deadline_ms, december_ms);
    (void)money_charge(world, contractor);
    money_topup(world, contractor, 2500);
    (void)money_charge(world, contractor);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_TOPUP_LIMIT), 1);
    assert_int_equal(money_events(world, contractor, ZR_EVENT_DRY), 3); /* At first, and twice. */
    assert_int_equal(put(world, request), ZR_STATUS_OK); /* Nor by saying it again. */
    assert_int_equal(money_events(world, contractor, ZR_EVENT_TOPUP_LIMIT), 1);
    dw_advance(world, december_ms - 1 - world->now_ms);
    assert_int_equal(requested(world, contractor), 1);
    assert_int_equal(look(world, contractor)->month_cents, AMOUNT);
    dw_advance(world, 1);
    assert_int_equal(requested(world, contractor), 2);
    assert_int_equal(look(world, contractor)->month_cents, AMOUNT); /* The new month's first. */
}

/* I13: an attempt that crosses the month's end counts in the month that may credit it. */
static void
test_an_attempt_over_the_end_of_the_month(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_autotopup_put_request request = settings(contractor, 1);

    request.monthly_max_cents = AMOUNT;
    assert_int_equal(put(world, request), ZR_STATUS_OK);
    dw_advance(world, 30 * DW_DAY_MS);
    assert_int_equal(look(world, contractor)->month_cents, AMOUNT);
    assert_int_equal(result(world, attempt_id(contractor, 1), true, "p1"), ZR_STATUS_OK);
    assert_int_equal(requested(world, contractor), 1); /* This month is full by it. */
    assert_int_equal(money_events(world, contractor, ZR_EVENT_TOPUP_LIMIT), 1);
}

/* I13: who moves west in the night of the change is in the month before again; that month had its
 * money, and the new one does not begin twice. */
static void
test_a_move_west_begins_no_month_again(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_autotopup_put_request request = settings(contractor, 1);
    const uint64_t december_ms = UINT64_C(1701410400000); /* In Texas. */
    struct contractor_row row;

    request.monthly_max_cents = AMOUNT;
    assert_int_equal(put(world, request), ZR_STATUS_OK);
    assert_int_equal(result(world, attempt_id(contractor, 1), true, "p1"), ZR_STATUS_OK);
    dw_advance(world, december_ms - world->now_ms);
    assert_int_equal(result(world, attempt_id(contractor, 2), true, "p2"), ZR_STATUS_OK);
    (void)money_charge(world, contractor);
    assert_int_equal(requested(world, contractor), 2); /* December's is spent. */
    assert_true(state_contractor_get(&world->state, contractor, &row));
    row.zone = localtime_zone_find("US/Pacific");
    state_contractor_put(&world->state, contractor, &row);
    for (int hours = 0; hours < 4; hours++) {
        assert_int_equal(put(world, request), ZR_STATUS_OK);
        assert_int_equal(requested(world, contractor), 2);
        dw_advance(world, DW_DAY_MS / 24);
    }
}

/* I13: under random verdicts there is one outstanding attempt, and no month above its maximum. */
static void
test_i13_one_attempt_and_no_month_above_its_maximum(void **state)
{
    enum { STEPS = 800, MAXIMUM = 20000 };
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    struct zr_autotopup_put_request request = settings(contractor, 3);
    uint64_t seed = test_seed();
    char ref[32];

    request.monthly_max_cents = MAXIMUM;
    assert_int_equal(put(world, request), ZR_STATUS_OK);
    for (uint64_t step = 0; step < STEPS; step++) {
        const struct zr_autotopup_get_reply *now = look(world, contractor);
        const uint64_t id = now->attempt_id;
        struct autotopup_row row;

        assert_true(now->month_cents >= 0 && now->month_cents <= MAXIMUM);
        (void)snprintf(ref, sizeof ref, "r-%llu", (unsigned long long)step);
        if (now->state == ZR_TOPUP_STATE_DISABLED) {
            assert_int_equal(put(world, request), ZR_STATUS_OK);
        } else if (now->state == ZR_TOPUP_STATE_PENDING && test_random_below(&seed, 3) > 0) {
            (void)result(world, id, test_random_below(&seed, 2) == 0, ref);
        } else if (test_random_below(&seed, 2) == 0) {
            dw_advance(world, test_random_below(&seed, 40) * MONEY_HOUR_MS);
        } else if (wallet_available_cents(&(struct wallet_row){
                       .main_cents = dw_wallet(world, contractor).main_cents}) >= DW_RATE) {
            (void)money_charge(world, contractor);
        }
        assert_true(state_autotopup_get(&world->state, contractor, &row));
        /* Attempts are numbered, and the one before was judged before the next was made. */
        if (row.attempt_id != id && id != 0) {
            struct topup_row before;

            assert_true(state_topup_get(&world->state, id, &before));
            assert_int_not_equal(before.commit_seq, 0);
        }
        money_recompute(world);
    }
    assert_true(requested(world, contractor) > 20);
}

/* I13: new wishes leave the outstanding attempt as it was asked for, and ask for none beside it. */
static void
test_i13_new_wishes_wait_for_the_outstanding_attempt(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 2500);
    struct zr_autotopup_put_request request = settings(contractor, 1);

    (void)dw_claim(world, contractor);
    assert_int_equal(put(world, request), ZR_STATUS_OK);
    assert_int_equal(requested(world, contractor), 1);
    request.amount_cents = 2 * AMOUNT;
    assert_int_equal(put(world, request), ZR_STATUS_OK);
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_PENDING);
    assert_true(look(world, contractor)->attempt_id == attempt_id(contractor, 1));
    assert_int_equal(requested(world, contractor), 1);
    assert_int_equal(result(world, attempt_id(contractor, 1), true, "r-1"), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 2500 + AMOUNT);
    assert_int_equal(requested(world, contractor), 1);
}

/* ---- settings -------------------------------------------------------------------------------- */

static void
test_put_refusals(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct dw_actor stranger = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};
    const struct zr_profile_get_request get = {.contractor = contractor};
    struct zr_autotopup_put_request request = settings(contractor, 1);

    request.threshold_cents = -1;
    assert_int_equal(put(world, request), ZR_STATUS_INVALID_FIELD);
    request = settings(contractor, 1);
    request.amount_cents = TOPUP_MAX_CENTS + 1;
    assert_int_equal(put(world, request), ZR_STATUS_INVALID_FIELD);
    request = settings(contractor, 1);
    request.monthly_max_cents = -1;
    assert_int_equal(put(world, request), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(put(world, settings(contractor, 0)), ZR_STATUS_INVALID_FIELD);
    request = settings(contractor, 2);
    request.methods[1].method[0] = '\0';
    assert_int_equal(put(world, request), ZR_STATUS_INVALID_FIELD);
    request = settings(contractor, 1);
    request.expected_version = 1;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_AUTOTOPUP_PUT, &request),
                     ZR_STATUS_VERSION_CONFLICT);
    request = settings(contractor, 1);
    request.amount_cents = TOPUP_MIN_CENTS - 1;
    assert_int_equal(put(world, request), ZR_STATUS_MIN_AMOUNT);
    request = settings(contractor, 1);
    assert_int_equal(dw_run(world, stranger, ZR_OP_AUTOTOPUP_PUT, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, stranger, ZR_OP_AUTOTOPUP_GET, &get), ZR_STATUS_NOT_FOUND);
    assert_int_equal(look(world, contractor)->version, 0);
    assert_int_equal(look(world, contractor)->state, ZR_TOPUP_STATE_DISABLED);
    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    assert_int_equal(put(world, settings(contractor, 1)), ZR_STATUS_ACCOUNT_CLOSED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_it_asks_until_it_is_enough),
        DW_TEST(test_e52_two_calls_make_one_request),
        DW_TEST(test_the_wallet_knows_when_not_to_look),
        DW_TEST(test_e57_a_result_twice_credits_once),
        DW_TEST(test_e57_failed_then_succeeded_credits_once),
        DW_TEST(test_a_late_ok_stands_beside_the_next_attempt),
        DW_TEST(test_a_payment_that_came_by_topup_already),
        DW_TEST(test_result_refusals),
        DW_TEST(test_failures_back_off_and_end),
        DW_TEST(test_a_retry_that_is_not_needed),
        DW_TEST(test_a_pending_attempt_defers_the_forfeit_once),
        DW_TEST(test_e58_the_monthly_maximum),
        DW_TEST(test_an_attempt_over_the_end_of_the_month),
        DW_TEST(test_a_move_west_begins_no_month_again),
        DW_TEST(test_i13_one_attempt_and_no_month_above_its_maximum),
        DW_TEST(test_i13_new_wishes_wait_for_the_outstanding_attempt),
        DW_TEST(test_put_refusals),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
