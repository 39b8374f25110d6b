/*
 * test_domain_settlement.c - what a leg costs: the decision, the clip, the overdraft, and what a
 * repeated END contradicts; credits whole and in parts (R15, M4, E36, E45, E46, E61, I7-I12).
 */
#include "server/domain/settlement.h"
#include "tests/lib/domain_world.h"

#include <string.h>

enum { QUALIFY = 30000, SLACK = 5000 };

/* ---- the decision ------------------------------------------------------------------------ */

/* In precedence order: each row breaks its own rule and every one below it. */
static void
test_the_first_rule_that_makes_it_free_names_it(void **state)
{
    static const struct {
        struct settlement_facts facts;
        uint8_t expected;
    } rows[] = {
        {{0, QUALIFY, true, true, true, true}, ZR_SETTLEMENT_FREE_VOICEMAIL},
        {{0, QUALIFY, false, true, true, true}, ZR_SETTLEMENT_FREE_SHORT},
        {{QUALIFY, QUALIFY, false, true, true, true}, ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED},
        {{QUALIFY, QUALIFY, false, false, true, true}, ZR_SETTLEMENT_FREE_UNSCREENED},
        {{QUALIFY, QUALIFY, false, false, false, true}, ZR_SETTLEMENT_FREE_DUPLICATE},
        {{QUALIFY, QUALIFY, false, false, false, false}, ZR_SETTLEMENT_CHARGED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(settlement_decide(&rows[i].facts), rows[i].expected);
    }
}

/* E45: 29,999 ms is short of 30,000; nothing is rounded. */
static void
test_the_threshold_is_an_integer_compare(void **state)
{
    static const struct {
        uint32_t talk_ms;
        uint32_t qualify_ms;
        uint8_t expected;
    } rows[] = {
        {29000, QUALIFY, ZR_SETTLEMENT_FREE_SHORT},
        {29999, QUALIFY, ZR_SETTLEMENT_FREE_SHORT},
        {30000, QUALIFY, ZR_SETTLEMENT_CHARGED},
        {30001, QUALIFY, ZR_SETTLEMENT_CHARGED},
        {0, 0, ZR_SETTLEMENT_CHARGED}, /* qualify_ms 0 charges at CONNECT. */
        {0, 1, ZR_SETTLEMENT_FREE_SHORT},
        {UINT32_MAX, UINT32_MAX, ZR_SETTLEMENT_CHARGED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct settlement_facts facts = {.talk_ms = rows[i].talk_ms,
                                               .qualify_ms = rows[i].qualify_ms};

        assert_int_equal(settlement_decide(&facts), rows[i].expected);
    }
}

/* ---- talk that can be true --------------------------------------------------------------- */

/* M4: at most the ticket's age plus 5 s counts; more is flagged, and cut under CLIP. */
static void
test_talk_beyond_the_tickets_age(void **state)
{
    static const struct {
        int64_t age_ms;
        uint32_t talk_ms;
        uint32_t expected;
        uint8_t check;
        bool flagged;
    } rows[] = {
        {10000, 10000 + SLACK, 10000 + SLACK, ZR_DURATION_CLIP, false},
        {10000, 10001 + SLACK, 10000 + SLACK, ZR_DURATION_CLIP, true},
        {10000, 10001 + SLACK, 10001 + SLACK, ZR_DURATION_FLAG, true},
        {0, UINT32_MAX, SLACK, ZR_DURATION_CLIP, true},
        {0, 0, 0, ZR_DURATION_CLIP, false},
        {-60000, SLACK, SLACK, ZR_DURATION_CLIP, false}, /* E54: the clock stepped back. */
        {-60000, SLACK + 1, SLACK, ZR_DURATION_CLIP, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool flagged = false;

        assert_int_equal(settlement_clip_talk(rows[i].talk_ms,
                                              DW_START_MS + (uint64_t)rows[i].age_ms, DW_START_MS,
                                              rows[i].check, &flagged),
                         rows[i].expected);
        assert_int_equal(flagged, rows[i].flagged);
    }
}

/* A flag that stands already is not taken back by a report that is true. */
static void
test_a_flag_stays(void **state)
{
    bool flagged = true;

    (void)state;
    (void)settlement_clip_talk(1, DW_START_MS, DW_START_MS, ZR_DURATION_CLIP, &flagged);
    assert_true(flagged);
}

/* ---- overdraft --------------------------------------------------------------------------- */

/* M5, I11: the policy's number, else concurrency x the dearest rate; never less than this one. */
static void
test_the_overdraft(void **state)
{
    static const struct {
        int32_t policy_cents;
        uint16_t concurrency;
        int64_t rate_max_cents;
        int64_t rate_cents;
        int64_t expected;
    } rows[] = {
        {-1, 1, 2000, 2000, 2000}, {-1, 3, 2000, 1400, 6000}, {-1, 3, 1000, 2000, 6000},
        {-1, 10, 0, 0, 0},         {0, 3, 2000, 2000, 0},     {1500, 3, 2000, 2000, 1500},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct policy_row policy = {.overdraft_cents = rows[i].policy_cents};
        const struct contractor_row contractor = {.max_concurrency = rows[i].concurrency};
        const struct wallet_row wallet = {.rate_max_cents = rows[i].rate_max_cents};

        assert_int_equal(
            settlement_overdraft_cents(&policy, &contractor, &wallet, rows[i].rate_cents),
            rows[i].expected);
    }
}

/* ---- contradictions (E46) ---------------------------------------------------------------- */

enum { SHORT = QUALIFY - 1, LONG = QUALIFY };

/* The settlement that the new facts alone would give; it contradicts when it is not the stored. */
static void
test_what_a_repeated_end_would_give(void **state)
{
    static const struct {
        uint32_t talk_ms;
        bool voicemail;
        uint8_t stored;
        uint8_t expected;
    } rows[] = {
        {LONG, false, ZR_SETTLEMENT_CHARGED, ZR_SETTLEMENT_CHARGED},
        {SHORT, false, ZR_SETTLEMENT_CHARGED, ZR_SETTLEMENT_FREE_SHORT},
        {LONG, true, ZR_SETTLEMENT_CHARGED, ZR_SETTLEMENT_FREE_VOICEMAIL},
        {LONG, false, ZR_SETTLEMENT_FREE_DUPLICATE, ZR_SETTLEMENT_FREE_DUPLICATE},
        {SHORT, false, ZR_SETTLEMENT_FREE_DUPLICATE, ZR_SETTLEMENT_FREE_SHORT},
        {SHORT, true, ZR_SETTLEMENT_FREE_DUPLICATE, ZR_SETTLEMENT_FREE_VOICEMAIL},
        {LONG, false, ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED,
         ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED},
        {SHORT, false, ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED, ZR_SETTLEMENT_FREE_SHORT},
        {LONG, false, ZR_SETTLEMENT_FREE_UNSCREENED, ZR_SETTLEMENT_FREE_UNSCREENED},
        {SHORT, false, ZR_SETTLEMENT_FREE_UNSCREENED, ZR_SETTLEMENT_FREE_SHORT},
        {SHORT, false, ZR_SETTLEMENT_FREE_SHORT, ZR_SETTLEMENT_FREE_SHORT},
        {LONG, false, ZR_SETTLEMENT_FREE_SHORT, ZR_SETTLEMENT_CHARGED},
        {SHORT, true, ZR_SETTLEMENT_FREE_SHORT, ZR_SETTLEMENT_FREE_VOICEMAIL},
        {SHORT, true, ZR_SETTLEMENT_FREE_VOICEMAIL, ZR_SETTLEMENT_FREE_VOICEMAIL},
        {LONG, true, ZR_SETTLEMENT_FREE_VOICEMAIL, ZR_SETTLEMENT_FREE_VOICEMAIL},
        {LONG, false, ZR_SETTLEMENT_FREE_VOICEMAIL, ZR_SETTLEMENT_CHARGED},
        /* By a dispute, that is, for END said of no machine. */
        {SHORT, true, ZR_SETTLEMENT_CREDITED, ZR_SETTLEMENT_FREE_VOICEMAIL},
        {LONG, false, ZR_SETTLEMENT_CREDITED, ZR_SETTLEMENT_CREDITED},
        {SHORT, false, ZR_SETTLEMENT_CREDITED, ZR_SETTLEMENT_FREE_SHORT},
        {LONG, false, ZR_SETTLEMENT_OPEN, ZR_SETTLEMENT_OPEN},
        {LONG, true, ZR_SETTLEMENT_FREE_MISMATCH, ZR_SETTLEMENT_FREE_MISMATCH},
        {SHORT, false, ZR_SETTLEMENT_STALE_VOID, ZR_SETTLEMENT_STALE_VOID},
        {SHORT, true, ZR_SETTLEMENT_NONE, ZR_SETTLEMENT_NONE},
        {LONG, false, 0, 0}, /* No value: a row of a later build. */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct call_leg_row leg = {.settlement = rows[i].stored, .qualify_ms = QUALIFY};

        assert_int_equal(settlement_expected(&leg, rows[i].talk_ms, rows[i].voicemail),
                         rows[i].expected);
    }
}

/*
 * M4 "Exactly once": the very END that closed the leg, sent again, contradicts nothing, also where
 * the leg was settled by a QUALIFY before and that END said less or said voicemail.
 */
static void
test_the_end_that_was_taken_does_not_contradict_itself(void **state)
{
    static const struct {
        uint32_t talk_ms;
        bool voicemail;
        uint8_t stored;
        uint8_t flags;
    } rows[] = {
        {SHORT, false, ZR_SETTLEMENT_CHARGED, LEG_FLAGGED | LEG_SHORT_END},
        {SHORT, false, ZR_SETTLEMENT_FREE_DUPLICATE, LEG_FLAGGED | LEG_SHORT_END},
        {LONG, true, ZR_SETTLEMENT_FREE_DUPLICATE, LEG_VOICEMAIL},
        {SHORT, true, ZR_SETTLEMENT_FREE_DUPLICATE, LEG_VOICEMAIL}, /* With other seconds. */
        {SHORT, true, ZR_SETTLEMENT_FREE_UNSCREENED, LEG_VOICEMAIL | LEG_SHORT_END},
        {SHORT, true, ZR_SETTLEMENT_CREDITED, LEG_VOICEMAIL | LEG_SHORT_END},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct call_leg_row leg = {
            .settlement = rows[i].stored, .flags = rows[i].flags, .qualify_ms = QUALIFY};

        assert_int_equal(settlement_expected(&leg, rows[i].talk_ms, rows[i].voicemail),
                         rows[i].stored);
        if (rows[i].stored == ZR_SETTLEMENT_CREDITED) { /* By its evidence: without it, charged. */
            assert_int_equal(settlement_expected(&leg, LONG, false), ZR_SETTLEMENT_CHARGED);
        }
    }
}

/* ---- the negative space ----------------------------------------------------------------- */

/* FREE_* is final and never re-opened (I9), and only a charge can be credited, up to itself (I12).
 */
static void
test_a_settled_leg_is_not_settled_again(void **state)
{
    struct domain_world *world = *state;
    const struct command command = {.seq = 1, .time_ms = DW_START_MS};
    const struct contractor_row contractor = {.max_concurrency = 1};
    struct call_view call = {.call_ref = dw_id(world),
                             .row = {.zip = DW_ZIP, .category = DW_CATEGORY, .legs_count = 1}};
    struct call_leg_row *leg = &call.row.legs[0];

    *leg = (struct call_leg_row){.settlement = ZR_SETTLEMENT_FREE_SHORT, .contractor = 1};
    expect_assert_failure(settlement_apply(&world->state, &command, &call, leg, &contractor));
    expect_assert_failure(settlement_void(&world->state, &command, &call, leg, &contractor));
    expect_assert_failure(settlement_credit(&world->state, &command, &call, leg, 0));
    leg->settlement = ZR_SETTLEMENT_OPEN;
    expect_assert_failure(settlement_void(&world->state, &command, &call, leg, &contractor));
    leg->hold_cents = 1; /* A hold that the wallet does not know. */
    expect_assert_failure(settlement_apply(&world->state, &command, &call, leg, &contractor));
    leg->hold_cents = 0;
    leg->settlement = ZR_SETTLEMENT_CHARGED;
    leg->amount_cents = 100;
    expect_assert_failure(settlement_credit(&world->state, &command, &call, leg, 101));
    expect_assert_failure(settlement_credit(&world->state, &command, &call, leg, -1));
}

/* ---- credits in parts (I8, I9, I12, E61) --------------------------------------------------- */

/* A charge of DW_RATE, split 600 CREDIT and the rest MAIN. */
static struct ticket
charge(struct domain_world *world, uint32_t contractor)
{
    const struct ticket ticket = dw_ticket(world, &contractor, 1);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.talk_ms = QUALIFY}),
                     ZR_STATUS_OK);
    return ticket;
}

/* Give cents of the call's first leg back, as a dispute's resolution does. */
static struct call_leg_row
give_back(struct domain_world *world, const struct ticket *ticket, int64_t cents)
{
    const struct command command = {.seq = world->seq + 1, .time_ms = world->now_ms};
    struct call_view call;

    state_begin(&world->state, command.seq);
    assert_true(call_open(&world->state, &ticket->call_ref, &call));
    settlement_credit(&world->state, &command, &call, &call.row.legs[0], cents);
    call_put(&world->state, &call);
    world->seq++;
    dw_tick(world);
    return call.row.legs[0];
}

/* Amount and credits together stay the rate; the leg is CREDITED when all of it is back. */
static void
test_credits_in_parts(void **state)
{
    static const int64_t parts[] = {500, 0, 1499, 1};
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    int64_t given = 0;
    struct ticket ticket;

    dw_give_credit(world, contractor, 600);
    ticket = charge(world, contractor);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 3600);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const struct call_leg_row leg = give_back(world, &ticket, parts[i]);

        given += parts[i];
        assert_int_equal(leg.credited_cents, given);
        assert_int_equal(leg.amount_cents + leg.credited_cents, DW_RATE);
        assert_int_equal(leg.settlement,
                         given < DW_RATE ? ZR_SETTLEMENT_CHARGED : ZR_SETTLEMENT_CREDITED);
        assert_int_equal(dw_wallet(world, contractor).charged_cents, DW_RATE - given);
    }
    assert_int_equal(dw_wallet(world, contractor).main_cents, 5000);
    assert_int_equal(dw_wallet(world, contractor).credit_cents, 600);
    assert_int_equal(dw_call(world, &ticket).charged, 1); /* Ever (I7). */
}

/* E61, M4: a part given back leaves the charge in the duplicate window, all of it does not. */
static void
test_only_a_full_credit_leaves_the_window(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 9000);
    const struct ticket ticket = charge(world, contractor);

    (void)give_back(world, &ticket, DW_RATE - 1);
    (void)charge(world, contractor);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
    (void)give_back(world, &ticket, 1);
    (void)charge(world, contractor);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
}

/* E61: the charge before the credited one counts again, where it still lies in the window. */
static void
test_a_credit_restores_the_charge_before_it(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 20000);
    struct zr_policy policy = dw_policy_default();
    struct ticket second;

    (void)charge(world, contractor);
    policy.dup_days = 1;
    dw_policy(world, &policy);
    world->now_ms += 2 * DW_DAY_MS;
    second = charge(world, contractor);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    policy.dup_days = 30;
    dw_policy(world, &policy);
    (void)give_back(world, &second, DW_RATE);
    (void)charge(world, contractor); /* Within 30 days of the first. */
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
    world->now_ms += 28 * DW_DAY_MS + DW_DAY_MS / 2;
    (void)charge(world, contractor); /* Within 30 days of the second, which is no charge now. */
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
}

/* The older of two charges is credited: the newer one stands, and nothing comes back later. */
static void
test_a_credit_of_the_older_charge(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 20000);
    struct zr_policy policy = dw_policy_default();
    const struct ticket first = charge(world, contractor);
    struct ticket second;

    policy.dup_days = 0;
    dw_policy(world, &policy);
    second = charge(world, contractor);
    policy.dup_days = 30;
    dw_policy(world, &policy);
    (void)give_back(world, &first, DW_RATE);
    (void)charge(world, contractor);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
    (void)give_back(world, &second, DW_RATE);
    (void)charge(world, contractor);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
}

/* ---- what the contractor hears ------------------------------------------------------------- */

static struct event_row
newest_event(struct domain_world *world, uint8_t type)
{
    struct event_row event = {0};

    for (uint64_t seq = state_counter_now(&world->state, COUNTER_EVENT); seq > 0; seq--) {
        assert_true(state_event_get(&world->state, seq, &event));
        if (event.type == type) {
            return event;
        }
    }
    fail_msg("no such event");
    return event;
}

/* CALL_CONNECTED with the hold, CALL_SETTLED with the charge; again when evidence reverses it. */
static void
test_the_contractor_hears_of_its_call(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    struct event_row event;

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    event = newest_event(world, ZR_EVENT_CALL_CONNECTED);
    assert_int_equal(event.amount_cents, DW_RATE);
    assert_int_equal(event.contractor, contractor);
    assert_int_equal(event.tenant, DW_PORTAL_TENANT);
    assert_int_equal(event.audience, AUDIENCE_CONTRACTOR);
    assert_memory_equal(&event.call_ref, &ticket.call_ref, sizeof ticket.call_ref);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    event = newest_event(world, ZR_EVENT_CALL_SETTLED);
    assert_int_equal(event.code, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(event.amount_cents, DW_RATE);
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.voicemail = true}),
                     ZR_STATUS_OK);
    event = newest_event(world, ZR_EVENT_CALL_SETTLED);
    assert_int_equal(event.code, ZR_SETTLEMENT_CREDITED); /* E36 */
    assert_int_equal(event.amount_cents, 0);
    assert_true(event.commit_seq == world->seq);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_rule_that_makes_it_free_names_it),
        cmocka_unit_test(test_the_threshold_is_an_integer_compare),
        cmocka_unit_test(test_talk_beyond_the_tickets_age),
        cmocka_unit_test(test_a_flag_stays),
        cmocka_unit_test(test_the_overdraft),
        cmocka_unit_test(test_what_a_repeated_end_would_give),
        cmocka_unit_test(test_the_end_that_was_taken_does_not_contradict_itself),
        DW_TEST(test_a_settled_leg_is_not_settled_again),
        DW_TEST(test_credits_in_parts),
        DW_TEST(test_only_a_full_credit_leaves_the_window),
        DW_TEST(test_a_credit_restores_the_charge_before_it),
        DW_TEST(test_a_credit_of_the_older_charge),
        DW_TEST(test_the_contractor_hears_of_its_call),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
