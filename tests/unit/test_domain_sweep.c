/*
 * test_domain_sweep.c - no END came: what max_call makes of a leg, and what a late END still can
 * (M4 "Without END", E46, E53, E72, E74, I6-I9, I11).
 */
#include "server/domain/call.h"
#include "tests/lib/domain_world.h"

#include <string.h>

enum { NONE = CALL_INDEX_NONE };
/* Talk that qualifies, in ms; unsigned, since it is added to times. */
#define QUALIFY     UINT32_C(30000)
#define MAX_CALL_MS (4 * UINT64_C(3600) * DW_SECOND_MS)

/* A connected call of one contractor. */
struct scene {
    struct domain_world *world;
    const struct zr_settlement_reply *reply;
    struct ticket ticket;
    uint32_t contractor;
    uint64_t events; /* That there were before. */
};

static struct scene
scene_connect(struct domain_world *world, int64_t cents)
{
    struct scene scene = {.world = world, .reply = &world->reply.settlement_reply};

    scene.contractor = dw_contractor(world, cents);
    scene.ticket = dw_ticket(world, &scene.contractor, 1);
    assert_int_equal(dw_connect(world, &scene.ticket, 0), ZR_STATUS_OK);
    scene.events = state_counter_now(&world->state, COUNTER_EVENT);
    return scene;
}

/* One whose END did not come. */
static struct scene
scene_void(struct domain_world *world, int64_t cents)
{
    struct scene scene = scene_connect(world, cents);

    dw_advance(world, MAX_CALL_MS);
    assert_int_equal(dw_call(world, &scene.ticket).legs[0].settlement, ZR_SETTLEMENT_STALE_VOID);
    scene.events = state_counter_now(&world->state, COUNTER_EVENT);
    return scene;
}

static uint16_t
end(struct scene *scene, uint32_t talk_ms, bool voicemail)
{
    return dw_end(scene->world, &scene->ticket, NULL,
                  (struct zr_end_request){.talk_ms = talk_ms, .voicemail = voicemail});
}

static struct call_leg_row
leg_of(struct scene *scene)
{
    return dw_call(scene->world, &scene->ticket).legs[0];
}

/* Events of that type since the scene began; *last is the newest of them. */
static unsigned
events_of(struct scene *scene, uint8_t type, struct event_row *last)
{
    const uint64_t newest = state_counter_now(&scene->world->state, COUNTER_EVENT);
    struct event_row event;
    unsigned count = 0;

    for (uint64_t seq = scene->events + 1; seq <= newest; seq++) {
        assert_true(state_event_get(&scene->world->state, seq, &event));
        if (event.type == type) {
            *last = event;
            count++;
        }
    }
    return count;
}

/* ---- the sweep ------------------------------------------------------------------------------- */

/* E53, M4: nothing proves the talk. At max_call the hold is gone, and the tenant is told. */
static void
test_an_unproven_leg_is_voided(void **state)
{
    struct scene scene = scene_connect(*state, 5000);
    struct event_row event;

    scene.world->now_ms += 20 * DW_SECOND_MS;
    assert_int_equal(dw_qualify(scene.world, &scene.ticket, QUALIFY - 10001), ZR_STATUS_OK);
    dw_advance(scene.world, MAX_CALL_MS - 20 * DW_SECOND_MS - 1);
    assert_int_equal(leg_of(&scene).settlement, ZR_SETTLEMENT_OPEN);
    assert_int_equal(dw_wallet(scene.world, scene.contractor).held_cents, DW_RATE);
    dw_advance(scene.world, 1);
    assert_int_equal(leg_of(&scene).settlement, ZR_SETTLEMENT_STALE_VOID);
    assert_int_equal(leg_of(&scene).flags, LEG_SWEPT);
    assert_true(leg_of(&scene).ended_ms == scene.world->now_ms);
    assert_int_equal(dw_call(scene.world, &scene.ticket).state, ZR_CALL_ENDED);
    assert_int_equal(dw_wallet(scene.world, scene.contractor).held_cents, 0);
    assert_int_equal(dw_wallet(scene.world, scene.contractor).main_cents, 5000);
    assert_int_equal(events_of(&scene, ZR_EVENT_RECONCILE, &event), 1);
    assert_int_equal(event.audience, AUDIENCE_CALLS);
    assert_int_equal(event.tenant, DW_SWITCH_TENANT);
    assert_int_equal(event.contractor, scene.contractor);
    assert_memory_equal(&event.call_ref, &scene.ticket.call_ref, sizeof event.call_ref);
    assert_int_equal(events_of(&scene, ZR_EVENT_CALL_SETTLED, &event), 1);
    assert_int_equal(event.code, ZR_SETTLEMENT_STALE_VOID);
    assert_int_equal(event.audience, AUDIENCE_CONTRACTOR);
    assert_int_equal(event.tenant, DW_PORTAL_TENANT);
}

/* What the unit's memory learns of it (M3): the leg's unit closes. */
static void
test_the_sweep_closes_the_unit(void **state)
{
    struct scene scene = scene_connect(*state, 5000);
    const struct timer_row timer = {
        .call_ref = scene.ticket.call_ref, .contractor = scene.contractor, .kind = TIMER_CALL};
    const struct command command = {.seq = scene.world->seq + 1,
                                    .time_ms = scene.world->now_ms + MAX_CALL_MS};
    struct effects effects = {0};

    state_begin(&scene.world->state, command.seq);
    assert_true(call_timer(&scene.world->state, &command, &timer, &effects));
    assert_true(effects.unit_closed);
    assert_int_equal(effects.unit_contractor, scene.contractor);
    assert_memory_equal(&effects.call_ref, &scene.ticket.call_ref, sizeof effects.call_ref);
    effects = (struct effects){0};
    assert_false(call_timer(&scene.world->state, &command, &timer, &effects)); /* Once. */
    assert_false(effects.unit_closed);
}

/* M4: QUALIFY or KEEPALIVE proved it: charged then; the sweep only ends it. Its END, when it comes,
 * gets what is stored, and so does each after that. */
static void
test_a_proven_leg_stays_charged(void **state)
{
    static const uint16_t ops[] = {ZR_OP_QUALIFY, ZR_OP_KEEPALIVE};
    struct domain_world *world = *state;
    struct event_row event;

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct scene scene = scene_connect(world, 5000);
        const struct zr_qualify_request proof = {.call_id = scene.ticket.call_id,
                                                 .talk_ms = QUALIFY};

        world->now_ms += QUALIFY;
        assert_int_equal(dw_run(world, dw_switch, ops[i], &proof), ZR_STATUS_OK);
        assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
        dw_advance(world, MAX_CALL_MS);
        assert_int_equal(leg_of(&scene).settlement, ZR_SETTLEMENT_CHARGED);
        assert_int_equal(leg_of(&scene).flags, LEG_SWEPT);
        assert_int_equal(dw_call(world, &scene.ticket).state, ZR_CALL_ENDED);
        assert_int_equal(events_of(&scene, ZR_EVENT_RECONCILE, &event), 0);
        for (int again = 0; again <= 1; again++) {
            assert_int_equal(end(&scene, 60000, false), ZR_STATUS_OK);
            assert_int_equal(world->effects.duplicate, again);
            assert_false(world->effects.unit_closed);
            assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
            assert_int_equal(scene.reply->talk_ms, 60000);
        }
        assert_int_equal(end(&scene, QUALIFY - 1, false), ZR_STATUS_SETTLEMENT_FINAL); /* E46 */
        assert_int_equal(dw_wallet(world, scene.contractor).main_cents, 3000);
        world->now_ms += 40 * DW_DAY_MS; /* The next one is no duplicate. */
    }
}

/* E36, M4: a charge that the sweep left standing, and its END says voicemail: credited in full.
 * After the 7 days nothing moves any more. */
static void
test_late_evidence_credits(void **state)
{
    struct domain_world *world = *state;

    for (int late = 0; late <= 1; late++) {
        struct scene scene = scene_connect(world, 5000);

        world->now_ms += QUALIFY;
        assert_int_equal(dw_qualify(world, &scene.ticket, QUALIFY), ZR_STATUS_OK);
        world->now_ms = scene.ticket.issued_ms + 7 * DW_DAY_MS + (uint64_t)late;
        assert_int_equal(end(&scene, 12000, true),
                         late ? ZR_STATUS_SETTLEMENT_FINAL : ZR_STATUS_OK);
        assert_int_equal(scene.reply->settlement,
                         late ? ZR_SETTLEMENT_CHARGED : ZR_SETTLEMENT_CREDITED);
        assert_int_equal(dw_wallet(world, scene.contractor).main_cents, late ? 3000 : 5000);
        if (!late) {
            assert_int_equal(end(&scene, 12000, true), ZR_STATUS_OK);
            assert_true(world->effects.duplicate);
        }
        world->now_ms += 40 * DW_DAY_MS;
    }
}

/* A leg that had its END is over: its timer finds nothing to do. */
static void
test_an_ended_leg_is_not_swept(void **state)
{
    struct scene scene = scene_connect(*state, 5000);
    struct call_row before;
    struct call_row after;
    struct event_row event;

    assert_int_equal(end(&scene, 5000, false), ZR_STATUS_OK);
    before = dw_call(scene.world, &scene.ticket);
    dw_advance(scene.world, 2 * MAX_CALL_MS);
    after = dw_call(scene.world, &scene.ticket);
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(events_of(&scene, ZR_EVENT_RECONCILE, &event), 0);
}

/* max_call is the policy's of the CONNECT; a change of it acts on new calls only. */
static void
test_max_call_is_that_of_the_connect(void **state)
{
    struct domain_world *world = *state;
    struct zr_policy policy = dw_policy_default();
    struct scene scene;

    policy.max_call_s = 600;
    dw_policy(world, &policy);
    scene = scene_connect(world, 5000);
    policy.max_call_s = 60;
    dw_policy(world, &policy);
    dw_advance(world, 599 * DW_SECOND_MS);
    assert_int_equal(leg_of(&scene).settlement, ZR_SETTLEMENT_OPEN);
    dw_advance(world, DW_SECOND_MS);
    assert_int_equal(leg_of(&scene).settlement, ZR_SETTLEMENT_STALE_VOID);
}

/* I6: the call is over for everybody; what comes later says so. */
static void
test_a_swept_call_is_over(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    dw_advance(world, MAX_CALL_MS);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(world->reply.connect_reply.settlement, ZR_SETTLEMENT_STALE_VOID);
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_STALE_VOID);
}

/* ---- the END that comes late ----------------------------------------------------------------- */

/* E53: within 7 days of the ticket it settles the leg, once, from what is available. */
static void
test_a_late_end_charges_once(void **state)
{
    struct scene scene = scene_void(*state, 5000);
    struct event_row event;

    scene.world->now_ms = scene.ticket.issued_ms + 7 * DW_DAY_MS;
    assert_int_equal(end(&scene, 60000, false), ZR_STATUS_OK);
    assert_false(scene.world->effects.duplicate);
    assert_false(scene.world->effects.unit_closed);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(scene.reply->amount_cents, DW_RATE); /* I8 */
    assert_int_equal(scene.reply->talk_ms, 60000);
    assert_int_equal(scene.reply->state, ZR_CALL_ENDED);
    assert_int_equal(events_of(&scene, ZR_EVENT_CALL_SETTLED, &event), 1);
    assert_int_equal(event.amount_cents, DW_RATE);
    assert_int_equal(event.code, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(events_of(&scene, ZR_EVENT_RECONCILE, &event), 0);
    for (int i = 0; i < 2; i++) {
        scene.world->now_ms += DW_DAY_MS; /* Also after the 7 days: it is settled. */
        assert_int_equal(end(&scene, 60000, false), ZR_STATUS_OK);
        assert_true(scene.world->effects.duplicate);
    }
    assert_int_equal(dw_wallet(scene.world, scene.contractor).main_cents, 3000);
    assert_int_equal(dw_wallet(scene.world, scene.contractor).held_cents, 0);
}

/* I9: what it settled is final. */
static void
test_a_late_end_is_final(void **state)
{
    struct scene scene = scene_void(*state, 5000);

    assert_int_equal(end(&scene, QUALIFY - 1, false), ZR_STATUS_OK); /* E45 */
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(end(&scene, QUALIFY, false), ZR_STATUS_SETTLEMENT_FINAL);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(dw_wallet(scene.world, scene.contractor).main_cents, 5000);
}

/* E53: a millisecond after the 7 days: TOO_LATE, and the tenant is told, once. */
static void
test_an_end_after_7_days_is_too_late(void **state)
{
    struct scene scene = scene_void(*state, 5000);
    struct event_row event = {0};

    scene.world->now_ms = scene.ticket.issued_ms + 7 * DW_DAY_MS + 1;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(end(&scene, 60000, false), ZR_STATUS_TOO_LATE);
        assert_int_equal(scene.world->state.changed, i == 0);
        assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_STALE_VOID);
        assert_int_equal(events_of(&scene, ZR_EVENT_RECONCILE, &event), 1);
    }
    assert_int_equal(event.tenant, DW_SWITCH_TENANT);
    assert_int_equal(dw_wallet(scene.world, scene.contractor).main_cents, 5000);
}

/* E53, I11: the hold is long gone; overdraft, then WRITE_OFF, and the postings still sum to 0. */
static void
test_a_late_charge_stops_at_the_overdraft(void **state)
{
    struct domain_world *world = *state;
    struct zr_policy policy = dw_policy_default();
    struct account_row account;
    struct scene other;
    struct scene scene;

    policy.overdraft_cents = 500;
    dw_policy(world, &policy);
    scene = scene_void(world, 2500);
    other = scene;
    other.ticket = dw_ticket(world, &scene.contractor, 1);
    other.ticket.caller_hash++;
    assert_int_equal(dw_connect(world, &other.ticket, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(end(&other, QUALIFY, false), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(world, scene.contractor).main_cents, 500);
    assert_int_equal(end(&scene, 60000, false), ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(scene.reply->amount_cents, DW_RATE);
    assert_int_equal(dw_wallet(world, scene.contractor).main_cents, -500);
    state_account_get(&world->state, ZR_ACCOUNT_WRITE_OFF, &account);
    assert_int_equal(account.balance_cents, -1000);
}

/* E74: the caller's other call was charged meanwhile: this one is its duplicate. */
static void
test_a_late_end_can_be_a_duplicate(void **state)
{
    struct scene scene = scene_void(*state, 9000);
    struct scene other = scene;

    other.ticket = dw_ticket(scene.world, &scene.contractor, 1);
    assert_int_equal(dw_connect(scene.world, &other.ticket, 0), ZR_STATUS_OK);
    scene.world->now_ms += QUALIFY;
    assert_int_equal(end(&other, QUALIFY, false), ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(end(&scene, 60000, false), ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
}

/* Without an index it means the connected leg, as the switch still sees it; so does voicemail. */
static void
test_a_late_end_without_index(void **state)
{
    struct scene scene = scene_void(*state, 5000);

    assert_int_equal(
        dw_end(scene.world, &scene.ticket, NULL,
               (struct zr_end_request){.index = NONE, .talk_ms = 60000, .voicemail = true}),
        ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_FREE_VOICEMAIL);
    assert_int_equal(dw_end(scene.world, &scene.ticket, NULL,
                            (struct zr_end_request){.index = NONE, .talk_ms = 60000}),
                     ZR_STATUS_SETTLEMENT_FINAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_an_unproven_leg_is_voided),
        DW_TEST(test_the_sweep_closes_the_unit),
        DW_TEST(test_a_proven_leg_stays_charged),
        DW_TEST(test_late_evidence_credits),
        DW_TEST(test_an_ended_leg_is_not_swept),
        DW_TEST(test_max_call_is_that_of_the_connect),
        DW_TEST(test_a_swept_call_is_over),
        DW_TEST(test_a_late_end_charges_once),
        DW_TEST(test_a_late_end_is_final),
        DW_TEST(test_an_end_after_7_days_is_too_late),
        DW_TEST(test_a_late_charge_stops_at_the_overdraft),
        DW_TEST(test_a_late_end_can_be_a_duplicate),
        DW_TEST(test_a_late_end_without_index),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
