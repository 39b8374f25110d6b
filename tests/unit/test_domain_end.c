/*
 * test_domain_end.c - END: every shape of it, once (M4, E34, E43-E51, E53, E72-E74, I6-I9).
 */
#include "server/domain/call.h"
#include "tests/lib/domain_world.h"

#include <string.h>

enum { NONE = CALL_INDEX_NONE };
/* Talk that qualifies, in ms; unsigned, since it is added to times. */
#define QUALIFY UINT32_C(30000)

/* A connected call of one contractor. */
struct scene {
    struct domain_world *world;
    const struct zr_settlement_reply *reply;
    struct ticket ticket;
    uint32_t contractor;
};

static struct scene
scene_connect(struct domain_world *world, int64_t cents)
{
    struct scene scene = {.world = world, .reply = &world->reply.settlement_reply};

    scene.contractor = dw_contractor(world, cents);
    scene.ticket = dw_ticket(world, &scene.contractor, 1);
    assert_int_equal(dw_connect(world, &scene.ticket, 0), ZR_STATUS_OK);
    return scene;
}

/* END of attempt 0 without a ticket. */
static uint16_t
end(struct scene *scene, uint32_t talk_ms, bool voicemail)
{
    return dw_end(scene->world, &scene->ticket, NULL,
                  (struct zr_end_request){.talk_ms = talk_ms, .voicemail = voicemail});
}

/* ---- settlement of a connected leg ------------------------------------------------------------
 */

/* E45: 29,999 ms is free, 30,000 is charged; the hold is gone either way. */
static void
test_end_settles(void **state)
{
    static const struct {
        uint32_t talk_ms;
        bool voicemail;
        uint8_t expected;
        int64_t main_cents;
    } rows[] = {
        {29000, false, ZR_SETTLEMENT_FREE_SHORT, 5000},
        {29999, false, ZR_SETTLEMENT_FREE_SHORT, 5000},
        {30000, false, ZR_SETTLEMENT_CHARGED, 3000},
        {60000, true, ZR_SETTLEMENT_FREE_VOICEMAIL, 5000}, /* E36 */
    };
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene = scene_connect(world, 5000);

        world->now_ms += UINT64_C(2) * QUALIFY;
        assert_int_equal(end(&scene, rows[i].talk_ms, rows[i].voicemail), ZR_STATUS_OK);
        assert_int_equal(scene.reply->settlement, rows[i].expected);
        assert_int_equal(scene.reply->state, ZR_CALL_ENDED);
        assert_int_equal(scene.reply->amount_cents, 5000 - rows[i].main_cents);
        assert_int_equal(scene.reply->commit_seq, world->seq);
        assert_true(world->effects.unit_closed);
        assert_int_equal(world->effects.unit_contractor, scene.contractor);
        assert_int_equal(dw_wallet(world, scene.contractor).main_cents, rows[i].main_cents);
        assert_int_equal(dw_wallet(world, scene.contractor).held_cents, 0);
    }
}

/* END without an index settles the connected leg (M4), and says when the wallet is dry. */
static void
test_end_without_index_settles_the_connected_leg(void **state)
{
    struct scene scene = scene_connect(*state, 3000);

    scene.world->now_ms += QUALIFY;
    assert_int_equal(dw_end(scene.world, &scene.ticket, NULL,
                            (struct zr_end_request){.index = NONE, .talk_ms = QUALIFY}),
                     ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
    assert_true(scene.reply->dry); /* 1000 left, 2000 wanted. */
    assert_int_equal(dw_end(scene.world, &scene.ticket, NULL,
                            (struct zr_end_request){.index = NONE, .talk_ms = QUALIFY}),
                     ZR_STATUS_OK);
    assert_true(scene.world->effects.duplicate);
}

/* M4: QUALIFY, then a shorter END: the charge stays, flagged. */
static void
test_a_shorter_end_keeps_the_charge(void **state)
{
    struct scene scene = scene_connect(*state, 5000);

    scene.world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(scene.world, &scene.ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(end(&scene, 12000, false), ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(scene.reply->talk_ms, QUALIFY); /* The largest of the reports. */
    assert_true(scene.reply->flagged);
    /* Its reply was lost: sent again, it is the same END and gets the same answer. */
    assert_int_equal(end(&scene, 12000, false), ZR_STATUS_OK);
    assert_true(scene.world->effects.duplicate);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
    /* Another story is a contradiction. */
    assert_int_equal(end(&scene, QUALIFY, true), ZR_STATUS_SETTLEMENT_FINAL);
}

/* E73, E36, E61: voicemail after QUALIFY: the charge is credited whole, as it was split. */
static void
test_voicemail_after_qualify_is_credited(void **state)
{
    struct scene scene = scene_connect(*state, 5000);
    struct wallet_row wallet;
    struct ticket again;

    dw_give_credit(scene.world, scene.contractor, 600);
    scene.world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(scene.world, &scene.ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(dw_wallet(scene.world, scene.contractor).credit_cents, 0);
    assert_int_equal(end(&scene, 12000, true), ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CREDITED);
    assert_int_equal(scene.reply->amount_cents, 0);
    wallet = dw_wallet(scene.world, scene.contractor);
    assert_int_equal(wallet.main_cents, 5000);
    assert_int_equal(wallet.credit_cents, 600);
    assert_int_equal(wallet.charged_cents, 0);
    assert_int_equal(end(&scene, 12000, true), ZR_STATUS_OK);
    assert_true(scene.world->effects.duplicate);
    /* It counts no more as a charge: the same caller next day is charged. */
    scene.world->now_ms += DW_DAY_MS;
    again = dw_ticket(scene.world, &scene.contractor, 1);
    assert_int_equal(dw_connect(scene.world, &again, 0), ZR_STATUS_OK);
    scene.world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(scene.world, &again, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
}

/* E73: a backup on the same call is free: one CHARGED leg per call, ever, also after a credit. */
static void
test_a_credited_call_is_not_charged_again(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(world, &ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(
        dw_end(world, &ticket, NULL,
               (struct zr_end_request){.talk_ms = 1, .voicemail = true, .caller_stays = true}),
        ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CREDITED);
    assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_RINGING);
    assert_int_equal(dw_connect(world, &ticket, 1), ZR_STATUS_OK);
    world->now_ms += UINT64_C(2) * QUALIFY;
    assert_int_equal(
        dw_end(world, &ticket, NULL, (struct zr_end_request){.index = 1, .talk_ms = 60000}),
        ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement,
                     ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED);
}

/* A leg that was free at QUALIFY stays free with voicemail (I9), also when END is sent again. */
static void
test_voicemail_after_a_free_settlement(void **state)
{
    struct scene first = scene_connect(*state, 9000);
    struct scene scene = first;

    first.world->now_ms += QUALIFY;
    assert_int_equal(end(&first, QUALIFY, false), ZR_STATUS_OK);
    scene.ticket = dw_ticket(scene.world, &scene.contractor, 1);
    assert_int_equal(dw_connect(scene.world, &scene.ticket, 0), ZR_STATUS_OK);
    scene.world->now_ms += QUALIFY;
    assert_int_equal(dw_qualify(scene.world, &scene.ticket, QUALIFY), ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(end(&scene, QUALIFY, true), ZR_STATUS_OK);
        assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
        assert_int_equal(scene.world->effects.duplicate, i == 1);
    }
}

/* ---- repeats (E46) ----------------------------------------------------------------------------
 */

/* Other seconds: the stored settlement, SETTLEMENT_FINAL where it contradicts, and journaled. */
static void
test_a_repeated_end_changes_nothing(void **state)
{
    struct scene scene = scene_connect(*state, 5000);

    scene.world->now_ms += UINT64_C(2) * QUALIFY;
    assert_int_equal(end(&scene, QUALIFY, false), ZR_STATUS_OK);
    assert_int_equal(end(&scene, QUALIFY, false), ZR_STATUS_OK);
    assert_true(scene.world->effects.duplicate);
    assert_false(scene.world->effects.unit_closed);
    assert_int_equal(end(&scene, 45000, false), ZR_STATUS_OK); /* The same verdict. */
    assert_false(scene.world->effects.journal);
    assert_int_equal(end(&scene, QUALIFY - 1, false), ZR_STATUS_SETTLEMENT_FINAL);
    assert_true(scene.world->effects.journal);
    assert_false(scene.world->effects.duplicate);
    assert_false(scene.world->state.changed);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(scene.reply->talk_ms, QUALIFY);
    assert_int_equal(dw_wallet(scene.world, scene.contractor).main_cents, 3000);
}

/* Talk that was cut is cut again when the same END comes once more: no contradiction. */
static void
test_a_clipped_end_repeats(void **state)
{
    struct scene scene = scene_connect(*state, 5000);

    scene.world->now_ms += 10 * DW_SECOND_MS;
    assert_int_equal(end(&scene, 60000, false), ZR_STATUS_OK);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(scene.reply->talk_ms, 15000);
    assert_true(scene.reply->flagged);
    scene.world->now_ms += DW_DAY_MS;
    assert_int_equal(end(&scene, 60000, false), ZR_STATUS_OK);
    assert_true(scene.world->effects.duplicate);
}

/* A leg whose END was not cut: longer talk later is another story, whenever it comes. */
static void
test_longer_talk_later_contradicts(void **state)
{
    struct scene scene = scene_connect(*state, 5000);

    assert_int_equal(end(&scene, 1000, false), ZR_STATUS_OK);
    scene.world->now_ms += 60 * DW_SECOND_MS;
    assert_int_equal(end(&scene, 60000, false), ZR_STATUS_SETTLEMENT_FINAL);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(dw_wallet(scene.world, scene.contractor).main_cents, 5000); /* I9 */
}

/* ---- END without a CONNECT (E44) ---------------------------------------------------------------
 */

/* It settles by its ticket; the CONNECT that comes later gets the final state and no hold. */
static void
test_end_before_connect(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    const struct zr_end_request facts = {.answered_at_ms = world->now_ms, .talk_ms = 60000};

    world->now_ms += 61 * DW_SECOND_MS;
    assert_int_equal(dw_end(world, &ticket, &ticket, facts), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_false(world->effects.unit_closed);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(world->reply.connect_reply.state, ZR_CALL_ENDED);
    assert_int_equal(world->reply.connect_reply.hold_cents, 0);
    assert_int_equal(world->reply.connect_reply.amount_cents, DW_RATE);
    assert_int_equal(dw_end(world, &ticket, &ticket, facts), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(dw_wallet(world, contractor).main_cents, 3000);
}

/* E72: CONNECT lost, contractor CLOSING, day 6, balance 0, overdraft 1500: -1500 and 500 written
 * off, once. Resent after day 7: the stored result. First sent then: TOO_LATE. */
static void
test_a_spooled_end(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    const struct ticket late = dw_ticket(world, &contractor, 1);
    struct zr_end_request facts = {.answered_at_ms = world->now_ms + 1000, .talk_ms = 60000};
    struct zr_policy policy = dw_policy_default();
    struct account_row account;

    policy.overdraft_cents = 1500;
    dw_policy(world, &policy);
    dw_set_status(world, contractor, ZR_CONTRACTOR_CLOSING);
    world->now_ms += 6 * DW_DAY_MS;
    assert_int_equal(dw_end(world, &ticket, &ticket, facts), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(world->reply.settlement_reply.amount_cents, DW_RATE); /* I8 */
    assert_int_equal(dw_wallet(world, contractor).main_cents, -1500);
    state_account_get(&world->state, ZR_ACCOUNT_WRITE_OFF, &account);
    assert_int_equal(account.balance_cents, -500);
    world->now_ms += DW_DAY_MS + 1;
    assert_int_equal(dw_end(world, &ticket, &ticket, facts), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_int_equal(dw_end(world, &late, &late, facts), ZR_STATUS_TOO_LATE);
    facts.answered_at_ms = late.expires_ms;
    assert_int_equal(dw_end(world, &late, &late, facts), ZR_STATUS_TICKET_EXPIRED);
    facts.answered_at_ms = late.issued_ms - 1;
    assert_int_equal(dw_end(world, &late, &late, facts), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(world->effects.detail, 40); /* answered_at_ms */
}

/* E48, I7: answered 40 s, transferred to the backup for 60 s: the first to qualify is charged. */
static void
test_a_transferred_call_is_charged_once(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);
    struct call_row row;

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 120 * DW_SECOND_MS;
    /* The backup's END overtakes: the primary's leg is connected still, and stays so. */
    assert_int_equal(dw_end(world, &ticket, &ticket,
                            (struct zr_end_request){.index = 1,
                                                    .answered_at_ms = ticket.issued_ms + 40000,
                                                    .talk_ms = 60000}),
                     ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_CONNECTED);
    assert_int_equal(
        dw_end(world, &ticket, NULL, (struct zr_end_request){.index = NONE, .talk_ms = 40000}),
        ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement,
                     ZR_SETTLEMENT_FREE_CALL_ALREADY_CHARGED);
    row = dw_call(world, &ticket);
    assert_int_equal(row.state, ZR_CALL_ENDED);
    assert_int_equal(row.charged, 1);
    assert_int_equal(dw_wallet(world, contractors[0]).held_cents, 0);
}

/* E47: 5 s, the contractor hangs up, the caller stays; the second one talks 60 s and pays alone. */
static void
test_caller_stays(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    world->now_ms += 5 * DW_SECOND_MS;
    assert_int_equal(dw_end(world, &ticket, NULL,
                            (struct zr_end_request){.talk_ms = 5000, .caller_stays = true}),
                     ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_RINGING);
    assert_int_equal(dw_connect(world, &ticket, 1), ZR_STATUS_OK);
    world->now_ms += 60 * DW_SECOND_MS;
    assert_int_equal(
        dw_end(world, &ticket, NULL, (struct zr_end_request){.index = 1, .talk_ms = 60000}),
        ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_ENDED);
    assert_int_equal(dw_wallet(world, contractors[0]).main_cents, 5000);
    assert_int_equal(dw_wallet(world, contractors[1]).main_cents, 5000 - DW_RATE_2);
}

/* A call that was routed anew counts its attempts anew: an index means the newest leg of it. */
static void
test_an_index_means_the_newest_leg(void **state)
{
    struct scene scene = scene_connect(*state, 5000);
    const uint32_t second = dw_contractor(scene.world, 5000);
    struct ticket anew = dw_ticket(scene.world, &second, 1);

    anew.call_id = scene.ticket.call_id;
    anew.revision = 1;
    assert_int_equal(dw_end(scene.world, &scene.ticket, NULL,
                            (struct zr_end_request){.talk_ms = 5000, .caller_stays = true}),
                     ZR_STATUS_OK);
    assert_int_equal(dw_connect(scene.world, &anew, 0), ZR_STATUS_OK);
    scene.world->now_ms += QUALIFY;
    assert_int_equal(end(&scene, QUALIFY, false), ZR_STATUS_OK);
    assert_int_equal(scene.reply->contractor, second);
    assert_int_equal(scene.reply->settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(dw_wallet(scene.world, second).held_cents, 0);
}

/* M6, E71: what an older ticket spooled makes its leg, but the newer ones stay seen. */
static void
test_a_spooled_end_does_not_revive_older_tickets(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000),
                                    dw_contractor(world, 5000)};
    const struct ticket older = dw_ticket(world, &contractors[0], 1);
    struct ticket newer = dw_ticket(world, &contractors[1], 1);
    struct ticket old_too = dw_ticket(world, &contractors[2], 1);

    newer.call_id = older.call_id;
    newer.call_ref = older.call_ref;
    newer.revision = 1;
    old_too.call_id = older.call_id;
    old_too.call_ref = older.call_ref;
    assert_int_equal(dw_connect(world, &newer, 0), ZR_STATUS_OK);
    assert_int_equal(
        dw_end(world, &newer, NULL, (struct zr_end_request){.talk_ms = 5000, .caller_stays = true}),
        ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &older, &older,
                            (struct zr_end_request){.talk_ms = 5000, .caller_stays = true}),
                     ZR_STATUS_OK);
    assert_int_equal(dw_call(world, &older).legs_count, 2);
    assert_int_equal(dw_call(world, &older).revision, 1);
    assert_int_equal(dw_connect(world, &old_too, 0), ZR_STATUS_TICKET_SUPERSEDED);
    assert_int_equal(dw_wallet(world, contractors[2]).held_cents, 0);
}

/* ---- the caller gave up (E34) ------------------------------------------------------------------
 */

static void
test_the_caller_hangs_up_while_it_rings(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    const struct zr_end_request nobody = {.index = NONE};
    uint64_t commit_seq;

    assert_int_equal(dw_end(world, &ticket, &ticket, nobody), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_ABANDONED);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_NONE);
    assert_false(world->effects.duplicate);
    commit_seq = world->reply.settlement_reply.commit_seq;
    (void)dw_contractor(world, 5000); /* The log goes on. */
    assert_int_equal(dw_end(world, &ticket, NULL, nobody), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    assert_false(world->state.changed);
    assert_int_equal(world->reply.settlement_reply.commit_seq, commit_seq);
    /* He had answered after all, and the END of his leg says so. */
    world->now_ms += 60 * DW_SECOND_MS;
    assert_int_equal(dw_end(world, &ticket, &ticket,
                            (struct zr_end_request){.answered_at_ms = ticket.issued_ms + 1,
                                                    .talk_ms = QUALIFY,
                                                    .caller_stays = true}),
                     ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_ENDED);
    /* A leg of an ended call: the call stays ended. */
    assert_int_equal(
        dw_end(world, &ticket, NULL, (struct zr_end_request){.index = NONE, .talk_ms = QUALIFY}),
        ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_ENDED);
}

/* After a leg with the caller staying, nobody else answered: the call is abandoned. */
static void
test_the_caller_gives_up_after_a_leg(void **state)
{
    struct scene scene = scene_connect(*state, 5000);

    assert_int_equal(
        dw_end(scene.world, &scene.ticket, NULL, (struct zr_end_request){.caller_stays = true}),
        ZR_STATUS_OK);
    assert_int_equal(
        dw_end(scene.world, &scene.ticket, NULL, (struct zr_end_request){.index = NONE}),
        ZR_STATUS_OK);
    assert_int_equal(scene.reply->state, ZR_CALL_ABANDONED);
}

/* A second leg by ticket on a call that is over: it settles, the call stays ENDED. */
static void
test_a_late_leg_of_an_ended_call(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);
    const struct zr_end_request second = {.index = 1, .talk_ms = 1000, .caller_stays = true};

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){0}), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &ticket, &ticket, second), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_FREE_SHORT);
    assert_int_equal(world->reply.settlement_reply.state, ZR_CALL_ENDED);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static void
test_end_refusals(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    const struct ticket other = dw_ticket(world, &contractor, 1);
    struct ticket bad = ticket;
    struct zr_end_request request = {.call_id = ticket.call_id, .ticket_length = 3};
    const struct zr_end_request first = {0};

    assert_int_equal(dw_run(world, dw_switch, ZR_OP_END, &request), ZR_STATUS_BAD_TICKET);
    assert_int_equal(dw_end(world, &ticket, &other, first), ZR_STATUS_BAD_TICKET);
    bad.tenant++;
    assert_int_equal(dw_end(world, &ticket, &bad, first), ZR_STATUS_BAD_TICKET);
    bad = ticket;
    bad.mode = TICKET_QUERY;
    assert_int_equal(dw_end(world, &ticket, &bad, first), ZR_STATUS_BAD_TICKET);
    assert_int_equal(dw_end(world, &ticket, &ticket, (struct zr_end_request){.index = 1}),
                     ZR_STATUS_BAD_TICKET);
    assert_int_equal(dw_end(world, &ticket, NULL, first), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(dw_end(world, &ticket, NULL, (struct zr_end_request){.index = 3}),
                     ZR_STATUS_NOT_CONNECTED);
    request.ticket_length = 0; /* Another tenant's call is not there (E39). */
    assert_int_equal(dw_run(world, (struct dw_actor){ZR_ROLE_SWITCH, 77, 0}, ZR_OP_END, &request),
                     ZR_STATUS_NOT_FOUND);
}

/* A database that was restored from a backup meets tickets of contractors that it never had. They
 * are signed with its own key, and may not end the server. */
static void
test_a_ticket_of_a_lost_contractor(void **state)
{
    static const uint32_t lost = 77;
    struct domain_world *world = *state;
    const struct ticket ticket = dw_ticket(world, &lost, 1);

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_BAD_TICKET);
    assert_int_equal(
        dw_end(world, &ticket, &ticket, (struct zr_end_request){.talk_ms = 2 * QUALIFY}),
        ZR_STATUS_BAD_TICKET);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_end_settles),
        DW_TEST(test_end_without_index_settles_the_connected_leg),
        DW_TEST(test_a_shorter_end_keeps_the_charge),
        DW_TEST(test_voicemail_after_qualify_is_credited),
        DW_TEST(test_a_credited_call_is_not_charged_again),
        DW_TEST(test_voicemail_after_a_free_settlement),
        DW_TEST(test_a_repeated_end_changes_nothing),
        DW_TEST(test_a_clipped_end_repeats),
        DW_TEST(test_longer_talk_later_contradicts),
        DW_TEST(test_end_before_connect),
        DW_TEST(test_a_spooled_end),
        DW_TEST(test_a_transferred_call_is_charged_once),
        DW_TEST(test_caller_stays),
        DW_TEST(test_an_index_means_the_newest_leg),
        DW_TEST(test_a_spooled_end_does_not_revive_older_tickets),
        DW_TEST(test_the_caller_hangs_up_while_it_rings),
        DW_TEST(test_the_caller_gives_up_after_a_leg),
        DW_TEST(test_a_late_leg_of_an_ended_call),
        DW_TEST(test_end_refusals),
        DW_TEST(test_a_ticket_of_a_lost_contractor),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
