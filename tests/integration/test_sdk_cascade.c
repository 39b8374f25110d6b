/*
 * test_sdk_cascade.c - the SDK's cascade helper (zr_call_*) against the real server: what a carrier
 * sees of a whole call, and what the wallets say of it afterwards.
 *
 * The switch here does what the case says when it is called back: `plan` holds one SIP code per
 * leg, 200 = answer, 0 = nothing (the case reports by itself).
 */
#include "tests/integration/calls.h"

enum { PLAN_MAX = 4, TOLD_MAX = 128 };

static struct {
    struct zr_cascade *call;
    int plan[PLAN_MAX];
    uint32_t contractors[PLAN_MAX]; /* Who rang, by leg. */
    char told[TOLD_MAX];            /* "r0 h0 r1 b1 d": ring, hangup, ring, bridge, done. */
    unsigned ringing;               /* At once: never more than one (R49). */
    struct zr_cascade_story story;
    struct zr_cascade_leg legs[ZR_CASCADE_LEGS_MAX];
    uint16_t skipped_count;
    struct zr_end_request unanswered;
} sip;

static void
sip_tell(char what, const struct zr_cascade_leg *leg)
{
    const size_t told = strlen(sip.told);

    if (leg == NULL) {
        (void)snprintf(sip.told + told, sizeof sip.told - told, "%c", what);
    } else {
        (void)snprintf(sip.told + told, sizeof sip.told - told, "%c%u ", what, leg->number);
    }
}

static void
sip_ring(void *context, const struct zr_cascade_leg *leg)
{
    const int code = leg->number < PLAN_MAX ? sip.plan[leg->number] : 0;

    (void)context;
    sip_tell('r', leg);
    sip.contractors[leg->number] = leg->contractor;
    assert_int_equal(leg->ring_timeout_ms, RING_MS);
    assert_int_equal(++sip.ringing, 1);
    if (code == 0) {
        return;
    }
    sip.ringing--;
    if (code == 200) {
        assert_int_equal(zr_call_answered(sip.call, leg->number, 0), 0);
    } else {
        assert_int_equal(zr_call_failed(sip.call, leg->number, code), 0);
    }
}

static void
sip_bridge(void *context, const struct zr_cascade_leg *leg)
{
    (void)context;
    sip_tell('b', leg);
}

static void
sip_hangup(void *context, const struct zr_cascade_leg *leg)
{
    (void)context;
    sip_tell('h', leg);
    sip.ringing -= sip.ringing > 0;
}

static void
sip_done(void *context, const struct zr_cascade_story *story)
{
    (void)context;
    sip_tell('d', NULL);
    sip.story = *story;
    for (uint8_t i = 0; i < story->legs_count; i++) {
        sip.legs[i] = *story->legs[i];
    }
    sip.skipped_count = story->refusal != NULL ? story->refusal->skipped_count : 0;
    if (story->unanswered != NULL) {
        sip.unanswered = *story->unanswered; /* What a switch would spool. */
    }
    zr_call_free(sip.call);
    sip.call = NULL;
}

/* Begin a call to that slot and let it go as far as the plan says. Returns its id. */
static struct zr_id
sip_call(struct world_slot slot, const int plan[PLAN_MAX])
{
    const struct zr_route_request route = world_route_request(&world, slot);
    const struct zr_cascade_options options = {.size = sizeof options,
                                               .route = &route,
                                               .ring = sip_ring,
                                               .bridge = sip_bridge,
                                               .hangup = sip_hangup,
                                               .done = sip_done};

    memset(&sip, 0, sizeof sip);
    memcpy(sip.plan, plan, sizeof sip.plan);
    assert_int_equal(zr_call_begin(world.carrier, &options, &sip.call), 0);
    drive_one(world.carrier);
    return route.call_id;
}

/* The talk takes its time, then the leg ends. */
static void
sip_hang_up(uint8_t leg, uint8_t who, uint32_t talk_ms, int caller_stays)
{
    (void)server_advance(&world.server, talk_ms);
    assert_int_equal(zr_call_hangup(sip.call, leg, who, talk_ms, caller_stays), 0);
    drive_one(world.carrier);
}

static void
test_r49_r51_no_answer_rings_the_backup_who_pays_once(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct zr_id call_id = sip_call(pair.slot, (int[PLAN_MAX]){0, 200});

    (void)state;
    assert_string_equal(sip.told, "r0 ");
    assert_int_equal(sip.contractors[0], pair.primary);
    assert_int_equal(zr_call_progress(sip.call, 0, 180), 0);
    (void)server_advance(&world.server, RING_MS);
    assert_int_equal(zr_call_timeout(sip.call, 0), 0);
    drive_one(world.carrier);
    assert_string_equal(sip.told, "r0 h0 r1 b1 ");
    assert_int_equal(sip.contractors[1], pair.backup);
    assert_wallet(pair.backup, FUNDS, WORLD_RATE_2);
    (void)server_advance(&world.server, RING_MS);
    assert_int_equal(zr_call_talk(sip.call, 1, RING_MS), 0);
    drive_one(world.carrier);
    assert_charged_once(pair.backup, WORLD_RATE_2);
    (void)server_advance(&world.server, RING_MS);
    assert_int_equal(zr_call_hangup(sip.call, 1, ZR_HUNG_UP_CALLER, MINUTE_MS, 0), 0);
    drive_one(world.carrier);
    assert_string_equal(sip.told, "r0 h0 r1 b1 d");
    assert_int_equal(sip.story.result, 0);
    assert_int_equal(sip.story.amount_cents, WORLD_RATE_2);
    assert_int_equal(sip.story.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(sip.story.legs_count, 2);
    assert_int_equal(sip.legs[0].outcome, ZR_OUTCOME_NO_ANSWER);
    assert_int_equal(sip.legs[1].rank, 2);
    assert_int_equal(sip.legs[1].rate_cents, WORLD_RATE_2);
    assert_int_equal(sip.legs[1].talk_ms, MINUTE_MS);
    assert_leg(&call_id, pair.backup, ZR_SETTLEMENT_CHARGED, WORLD_RATE_2);
    assert_charged_never(pair.primary);
    assert_charged_once(pair.backup, WORLD_RATE_2);
}

static void
test_r50_e34_e37_decline_and_busy_exhaust_the_cascade(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct zr_id call_id = sip_call(pair.slot, (int[PLAN_MAX]){603, 486});

    (void)state;
    assert_string_equal(sip.told, "r0 r1 d");
    assert_int_equal(sip.story.result, ZR_STATUS_EXHAUSTED);
    assert_int_equal(sip.contractors[0], pair.primary);
    assert_int_equal(sip.contractors[1], pair.backup);
    assert_int_equal(sip.legs[0].outcome, ZR_OUTCOME_DECLINED);
    assert_int_equal(sip.legs[1].outcome, ZR_OUTCOME_BUSY);
    assert_int_equal(sip.story.amount_cents, 0);
    assert_call_unknown(&call_id); /* R51: nobody answered, nothing was committed. */
    assert_charged_never(pair.primary);
    assert_charged_never(pair.backup);
}

static void
test_e34_the_callers_cancel_abandons_the_call(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct zr_id call_id = sip_call(pair.slot, (int[PLAN_MAX]){0});
    struct zr_route_reply other;

    (void)state;
    assert_int_equal(zr_call_cancel(sip.call), 0);
    assert_string_equal(sip.told, "r0 h0 ");
    drive_one(world.carrier);
    assert_string_equal(sip.told, "r0 h0 d");
    assert_int_equal(sip.story.result, ZR_STATUS_ABANDONED);
    assert_int_equal(sip.story.state, ZR_CALL_ABANDONED);
    assert_int_equal(world_call_get(&world, &call_id).state, ZR_CALL_ABANDONED);
    /* His lease ended with the call. */
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.primary);
    assert_charged_never(pair.primary);
}

static void
test_e47_after_a_short_answer_only_the_second_pays(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct zr_id call_id = sip_call(pair.slot, (int[PLAN_MAX]){200, 200});

    (void)state;
    assert_string_equal(sip.told, "r0 b0 ");
    sip_hang_up(0, ZR_HUNG_UP_CONTRACTOR, TALK_SHORT_MS, 1);
    assert_string_equal(sip.told, "r0 b0 r1 b1 ");
    sip_hang_up(1, ZR_HUNG_UP_CALLER, MINUTE_MS, 0);
    assert_string_equal(sip.told, "r0 b0 r1 b1 d");
    assert_int_equal(sip.story.result, 0);
    assert_int_equal(sip.story.amount_cents, WORLD_RATE_2);
    assert_int_equal(sip.legs[0].settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(sip.legs[0].outcome, ZR_OUTCOME_DECLINED);
    assert_int_equal(sip.legs[1].settlement, ZR_SETTLEMENT_CHARGED);
    assert_leg(&call_id, pair.primary, ZR_SETTLEMENT_FREE_SHORT, 0);
    assert_leg(&call_id, pair.backup, ZR_SETTLEMENT_CHARGED, WORLD_RATE_2);
    assert_charged_never(pair.primary);
    assert_charged_once(pair.backup, WORLD_RATE_2);
}

static void
test_e36_a_machine_after_connect_is_free_and_the_backup_rings(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct zr_id call_id = sip_call(pair.slot, (int[PLAN_MAX]){200, 200});

    (void)state;
    (void)server_advance(&world.server, TALK_SHORT_MS);
    assert_int_equal(zr_call_voicemail(sip.call, 0), 0);
    drive_one(world.carrier);
    assert_string_equal(sip.told, "r0 b0 h0 r1 b1 ");
    sip_hang_up(1, ZR_HUNG_UP_CONTRACTOR, MINUTE_MS, 1); /* After a whole talk nobody is rung. */
    assert_string_equal(sip.told, "r0 b0 h0 r1 b1 d");
    assert_int_equal(sip.legs[0].settlement, ZR_SETTLEMENT_FREE_VOICEMAIL);
    assert_leg(&call_id, pair.primary, ZR_SETTLEMENT_FREE_VOICEMAIL, 0);
    assert_charged_never(pair.primary);
    assert_charged_once(pair.backup, WORLD_RATE_2);
}

/* The contractor is suspended while his phone rings: CONNECT refuses him, the backup is rung. */
static void
test_a_refused_connect_is_hung_up_and_the_backup_rings(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct zr_id call_id = sip_call(pair.slot, (int[PLAN_MAX]){0, 200});

    (void)state;
    world_status(&world, pair.primary, ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(zr_call_answered(sip.call, 0, 0), 0);
    drive_one(world.carrier);
    assert_string_equal(sip.told, "r0 h0 r1 b1 ");
    sip_hang_up(1, ZR_HUNG_UP_CALLER, MINUTE_MS, 0);
    assert_int_equal(sip.story.result, 0);
    assert_int_equal(sip.legs[0].result, ZR_STATUS_NOT_APPROVED);
    assert_leg(&call_id, pair.backup, ZR_SETTLEMENT_CHARGED, WORLD_RATE_2);
    assert_charged_never(pair.primary);
}

static void
test_e28_no_coverage_is_told_with_its_reasons(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);

    (void)state;
    (void)world_pause(&world, pair.primary_claim);
    (void)world_pause(&world, pair.backup_claim);
    (void)sip_call(pair.slot, (int[PLAN_MAX]){0});
    assert_string_equal(sip.told, "d");
    assert_int_equal(sip.story.result, ZR_STATUS_NO_COVERAGE);
    assert_int_equal(sip.skipped_count, 2);
}

/* E72: the switch's client is closed before END went out; what it spooled settles the call. */
static void
test_e72_an_end_that_was_handed_over_settles_later(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    const struct zr_id call_id = sip_call(pair.slot, (int[PLAN_MAX]){200});
    struct zr_settlement_reply ended;

    (void)state;
    (void)server_advance(&world.server, MINUTE_MS);
    assert_int_equal(zr_call_hangup(sip.call, 0, ZR_HUNG_UP_CALLER, MINUTE_MS, 0), 0);
    zr_client_close(world.carrier);
    world.carrier = server_client_ready(&world.server, "switch");
    assert_string_equal(sip.told, "r0 b0 d");
    assert_true(sip.story.result < 0);
    assert_non_null(sip.story.unanswered);
    assert_int_equal(zr_end(world.carrier, &sip.unanswered, &ended), 0);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    assert_leg(&call_id, pair.primary, ZR_SETTLEMENT_CHARGED, WORLD_RATE);
    assert_charged_once(pair.primary, WORLD_RATE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_r49_r51_no_answer_rings_the_backup_who_pays_once),
        CASE(test_r50_e34_e37_decline_and_busy_exhaust_the_cascade),
        CASE(test_e34_the_callers_cancel_abandons_the_call),
        CASE(test_e47_after_a_short_answer_only_the_second_pays),
        CASE(test_e36_a_machine_after_connect_is_free_and_the_backup_rings),
        CASE(test_a_refused_connect_is_hung_up_and_the_backup_rings),
        CASE(test_e28_no_coverage_is_told_with_its_reasons),
        CASE(test_e72_an_end_that_was_handed_over_settles_later),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
