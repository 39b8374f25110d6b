/*
 * test_domain_offer.c - the opening of a title, the chain of offers and OFFER_REPLY (M2, R48, R56,
 * R64, E7-E10, E16, E69).
 */
#include "tests/lib/domain_titles.h"

/* The window of domain.md "Defaults". */
#define WINDOW_MS (24 * DT_HOUR_MS)

/* The claims CASCADE[1] ... of a slot whose primary has just released. */
static struct dt_cascade
opened(struct domain_world *world, int count)
{
    const struct dt_cascade cascade = dt_cascade(world, count);

    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    return cascade;
}

static uint64_t
offer_id(struct domain_world *world)
{
    return dw_slot(world).offer_id;
}

/* ---- the opening -------------------------------------------------------------------------- */

/* R64: SLOT_OPENED once, to the holder of rank 2; the offer is the same one's, for 24 h. */
static void
test_an_opening_is_told_once_and_offered_to_rank_2(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 3);
    const uint64_t mark = dt_mark(world);
    struct event_row event;

    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(world->reply.claim_state_reply.promoted_claim_id, 0);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 1);
    event = dt_last(world, mark, ZR_EVENT_SLOT_OPENED);
    assert_int_equal(event.contractor, cascade.contractors[1]);
    assert_int_equal(event.claim_id, cascade.claims[1]);
    assert_int_equal(event.tenant, DW_PORTAL_TENANT);
    assert_int_equal(event.zip, DW_ZIP);
    assert_int_equal(event.category, DW_CATEGORY);
    event = dt_last(world, mark, ZR_EVENT_OFFER_MADE);
    assert_int_equal(event.contractor, cascade.contractors[1]);
    assert_int_equal(event.number, offer_id(world));
    assert_true(event.deadline_ms == world->now_ms + WINDOW_MS);
    event = dt_last(world, mark, ZR_EVENT_CLAIM_ENDED);
    assert_int_equal(event.contractor, cascade.contractors[0]);
    assert_int_equal(event.code, ZR_CLAIM_RELEASED);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_OFFERED);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_RANK_CHANGED), 0); /* Rank 1 stays free (I3). */
    assert_int_equal(dt_count(world, mark, ZR_EVENT_MAP_DELTA), 0);    /* Taken as before. */
}

/* R64: nobody is behind the primary: told all the same, to nobody in particular. */
static void
test_an_opening_without_heirs(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 1);
    const uint64_t mark = dt_mark(world);
    struct event_row event;

    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    event = dt_last(world, mark, ZR_EVENT_SLOT_OPENED);
    assert_int_equal(event.contractor, 0);
    assert_int_equal(event.tenant, 0);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_VACANT);
    event = dt_last(world, mark, ZR_EVENT_MAP_DELTA);
    assert_int_equal(event.code, 0);
    assert_int_equal(event.audience, AUDIENCE_MAP);
    assert_int_equal(event.contractor, 0);
    assert_int_equal(dw_claim(world, cascade.contractors[0])->rank, 1);
}

/* R64, R56: accepting makes it PRIMARY; its claim and seq stay, the ranks behind move up. */
static void
test_accepting_takes_the_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 3);
    const uint64_t mark = dt_mark(world);
    const struct zr_offer_reply_reply *reply = &world->reply.offer_reply_reply;

    assert_int_equal(dt_answer(world, offer_id(world), true), ZR_STATUS_OK);
    assert_int_equal(reply->claim_id, cascade.claims[1]);
    assert_int_equal(reply->contractor, cascade.contractors[1]);
    assert_int_equal(reply->rank, 1);
    assert_int_equal(reply->title, ZR_TITLE_PRIMARY);
    assert_int_equal(reply->state, ZR_OFFER_ACCEPTED);
    assert_int_equal(reply->commit_seq, world->command_seq);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_HELD);
    assert_int_equal(dt_claim_row(world, cascade.claims[1]).title, ZR_TITLE_PRIMARY);
    assert_int_equal(dt_rank(world, cascade.claims[2]), 2);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_OFFER_ACCEPTED).number, 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_RANK_CHANGED), 2);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_RANK_CHANGED).claim_id, cascade.claims[2]);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_RANK_CHANGED).code, 2);
    assert_int_equal(dw_wallet(world, cascade.contractors[1]).rate_max_cents, DW_RATE);
    assert_int_equal(dw_wallet(world, cascade.contractors[2]).rate_max_cents, DW_RATE_2);
    assert_int_equal(dt_answer(world, 1, true), ZR_STATUS_OFFER_CLOSED); /* Once. */
    assert_int_equal(reply->state, ZR_OFFER_ACCEPTED);
    dw_advance(world, 2 * WINDOW_MS);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_OFFER_EXPIRED), 0);
}

/* ---- answers ------------------------------------------------------------------------------ */

/* E8: at the last instant before the deadline it is accepted ... */
static void
test_an_offer_is_accepted_until_its_deadline(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 3);

    world->now_ms += WINDOW_MS - 1;
    assert_int_equal(dt_answer(world, 1, true), ZR_STATUS_OK);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 1);
}

/* ... and at the deadline never: the next one has it already (E8). */
static void
test_an_offer_is_closed_at_its_deadline(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 3);
    const uint64_t mark = dt_mark(world);

    world->now_ms += WINDOW_MS;
    assert_int_equal(dt_answer(world, 1, true), ZR_STATUS_OFFER_CLOSED);
    assert_int_equal(world->reply.offer_reply_reply.state, ZR_OFFER_EXPIRED);
    assert_int_equal(world->reply.offer_reply_reply.rank, 2);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_OFFER_EXPIRED).contractor,
                     cascade.contractors[1]);
    assert_int_equal(dt_offered_to(world), cascade.contractors[2]);
    assert_true(dw_slot(world).offer_deadline_ms == world->now_ms + WINDOW_MS);
}

/* E9: who declines keeps its place and seq; the next one is asked. */
static void
test_declining_keeps_the_place(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 4);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_answer(world, 1, false), ZR_STATUS_OK);
    assert_int_equal(world->reply.offer_reply_reply.state, ZR_OFFER_DECLINED);
    assert_int_equal(world->reply.offer_reply_reply.rank, 2);
    assert_int_equal(world->reply.offer_reply_reply.title, ZR_TITLE_BACKUP);
    assert_int_equal(dt_offered_to(world), cascade.contractors[2]);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 2);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_OFFER_DECLINED), 1);
    assert_int_equal(dt_answer(world, 1, true), ZR_STATUS_OFFER_CLOSED);
    /* The third accepts: the second is behind it, before the fourth (R48). */
    assert_int_equal(dt_answer(world, offer_id(world), true), ZR_STATUS_OK);
    assert_int_equal(dt_rank(world, cascade.claims[2]), 1);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 2);
    assert_int_equal(dt_rank(world, cascade.claims[3]), 3);
}

static void
spoil_claim(struct domain_world *world, const struct dt_cascade *cascade)
{
    assert_int_equal(dt_pause(world, cascade->claims[1], 0), ZR_STATUS_OK);
}

static void
mend_claim(struct domain_world *world, const struct dt_cascade *cascade)
{
    assert_int_equal(dt_resume(world, cascade->claims[1], 0), ZR_STATUS_OK);
}

static void
spoil_contractor(struct domain_world *world, const struct dt_cascade *cascade)
{
    assert_int_equal(dt_pause(world, 0, cascade->contractors[1]), ZR_STATUS_OK);
}

static void
mend_contractor(struct domain_world *world, const struct dt_cascade *cascade)
{
    assert_int_equal(dt_resume(world, 0, cascade->contractors[1]), ZR_STATUS_OK);
}

/* Holds count: MAIN + CREDIT - holds is a cent short of the title's rate. */
static void
spoil_money(struct domain_world *world, const struct dt_cascade *cascade)
{
    struct wallet_row wallet = dw_wallet(world, cascade->contractors[1]);

    wallet.held_cents = wallet.main_cents - DW_RATE + 1;
    state_wallet_put(&world->state, cascade->contractors[1], &wallet);
}

static void
mend_money(struct domain_world *world, const struct dt_cascade *cascade)
{
    struct wallet_row wallet = dw_wallet(world, cascade->contractors[1]);

    wallet.held_cents--;
    state_wallet_put(&world->state, cascade->contractors[1], &wallet);
}

static void
spoil_status(struct domain_world *world, const struct dt_cascade *cascade)
{
    dw_set_status(world, cascade->contractors[1], ZR_CONTRACTOR_PENDING);
}

static void
mend_status(struct domain_world *world, const struct dt_cascade *cascade)
{
    dw_set_status(world, cascade->contractors[1], ZR_CONTRACTOR_APPROVED);
}

/* E10: paused, short of money, not approved: NOT_ELIGIBLE, and the offer stays open. */
static void
test_who_may_not_accept_yet(void **state)
{
    static const struct {
        void (*spoil)(struct domain_world *, const struct dt_cascade *);
        void (*mend)(struct domain_world *, const struct dt_cascade *);
    } rows[] = {
        {spoil_claim, mend_claim},
        {spoil_contractor, mend_contractor},
        {spoil_money, mend_money},
        {spoil_status, mend_status},
    };
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct dt_cascade cascade = opened(world, 2);

        rows[i].spoil(world, &cascade);
        assert_int_equal(dt_answer(world, offer_id(world), true), ZR_STATUS_NOT_ELIGIBLE);
        assert_false(world->state.changed);
        assert_int_equal(world->reply.offer_reply_reply.state, ZR_OFFER_PENDING);
        assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
        rows[i].mend(world, &cascade);
        assert_int_equal(dt_answer(world, offer_id(world), true), ZR_STATUS_OK);
        assert_int_equal(dt_release(world, cascade.claims[1], ZR_RELEASE_NOW), ZR_STATUS_OK);
    }
    world->made_money = true;
}

/* E10: out of hours, capped and out of reach: none of it matters for a title. */
static void
test_hours_do_not_matter_for_a_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 2);
    struct zr_schedule_put_request schedule = {.contractor = cascade.contractors[1],
                                               .hours_length = SCHEDULE_HOURS_BYTES};

    schedule.hours[0] = 1; /* Monday 00:00 to 00:15. */
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &schedule), ZR_STATUS_OK);
    assert_int_equal(dt_answer(world, offer_id(world), true), ZR_STATUS_OK);
}

/* E39, R69: an offer to another is not there. */
static void
test_whose_offer_it_is(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 3);
    const struct dw_actor foreign = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};
    const struct dw_actor other = {ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, cascade.contractors[2]};
    const struct dw_actor self = {ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, cascade.contractors[1]};
    struct zr_offer_reply_request request = {.offer_id = 1, .accept = true};

    assert_int_equal(dw_run(world, foreign, ZR_OP_OFFER_REPLY, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, other, ZR_OP_OFFER_REPLY, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(world->reply.offer_reply_reply.offer_id, 0);
    request.offer_id = 99;
    assert_int_equal(dw_run(world, self, ZR_OP_OFFER_REPLY, &request), ZR_STATUS_NOT_FOUND);
    request.offer_id = 1;
    assert_int_equal(dw_run(world, self, ZR_OP_OFFER_REPLY, &request), ZR_STATUS_OK);
}

/* ---- the chain ---------------------------------------------------------------------------- */

/* E7: an outsider joins the tail while an offer is pending, and the chain may reach him. */
static void
test_an_outsider_joins_the_tail_of_the_chain(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 2);
    const uint32_t outsider = dw_contractor(world, DT_MONEY);
    struct zr_claim_request request = {
        .contractor = outsider, .slots = {{DW_ZIP, DW_CATEGORY}}, .slots_count = 1};
    uint64_t claim_id;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_SLOT_TAKEN);
    claim_id = dt_claim(world, outsider);
    assert_int_equal(dt_rank(world, claim_id), 3);
    assert_int_equal(dt_claim_row(world, claim_id).title, ZR_TITLE_BACKUP);
    assert_int_equal(dw_claim(world, cascade.contractors[1])->status,
                     ZR_STATUS_ALREADY_CLAIMED); /* E6 */
    assert_int_equal(dt_answer(world, offer_id(world), false), ZR_STATUS_OK);
    assert_int_equal(dt_offered_to(world), outsider);
    assert_int_equal(dt_answer(world, offer_id(world), true), ZR_STATUS_OK);
    assert_int_equal(dt_rank(world, claim_id), 1);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 2);
}

/* M2 "Opening": the chain passes over LAPSING, SUSPENDED and CLOSING ones. */
static void
test_the_chain_passes_over(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 5);

    assert_int_equal(dt_release(world, cascade.claims[1], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
    dw_set_status(world, cascade.contractors[2], ZR_CONTRACTOR_SUSPENDED);
    assert_int_equal(dt_pause(world, cascade.claims[3], 0), ZR_STATUS_OK); /* This one is asked. */
    assert_int_equal(dt_release(world, cascade.claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dt_offered_to(world), cascade.contractors[3]);
    assert_int_equal(dt_answer(world, offer_id(world), false), ZR_STATUS_OK);
    assert_int_equal(dt_offered_to(world), cascade.contractors[4]);
    assert_int_equal(dt_answer(world, offer_id(world), false), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_OPEN);
    /* Whom the chain passed over may still CLAIM the OPEN title. */
    assert_int_equal(dw_claim(world, cascade.contractors[1])->rank, 1);
    assert_int_equal(dt_claim_row(world, cascade.claims[1]).title, ZR_TITLE_PRIMARY);
}

static void
lose_by_release(struct domain_world *world, const struct dt_cascade *cascade)
{
    assert_int_equal(dt_release(world, cascade->claims[1], ZR_RELEASE_NOW), ZR_STATUS_OK);
}

static void
lose_by_lapsing(struct domain_world *world, const struct dt_cascade *cascade)
{
    assert_int_equal(dt_release(world, cascade->claims[1], ZR_RELEASE_PERIOD_END), ZR_STATUS_OK);
}

static void
lose_by_suspension(struct domain_world *world, const struct dt_cascade *cascade)
{
    dw_set_status(world, cascade->contractors[1], ZR_CONTRACTOR_SUSPENDED);
}

static void
lose_by_closing(struct domain_world *world, const struct dt_cascade *cascade)
{
    dw_set_status(world, cascade->contractors[1], ZR_CONTRACTOR_CLOSING);
}

/* M2: an offer whose holder may not inherit any more is CANCELLED, the next one is asked. */
static void
test_offers_are_cancelled(void **state)
{
    static void (*const rows[])(struct domain_world *, const struct dt_cascade *) = {
        lose_by_release, lose_by_lapsing, lose_by_suspension, lose_by_closing};
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct dt_cascade cascade = opened(world, 3);
        const uint64_t offer = offer_id(world);
        const uint64_t mark = dt_mark(world);

        rows[i](world, &cascade);
        assert_int_equal(dt_offer_row(world, offer).state, ZR_OFFER_CANCELLED);
        assert_int_equal(dt_last(world, mark, ZR_EVENT_OFFER_CANCELLED).number, offer);
        assert_int_equal(dt_offered_to(world), cascade.contractors[2]);
        assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 0); /* The same opening. */
        assert_int_equal(dt_answer(world, offer, true), ZR_STATUS_OFFER_CLOSED);
        assert_int_equal(dt_release(world, cascade.claims[2], ZR_RELEASE_NOW), ZR_STATUS_OK);
        assert_int_equal(dt_release(world, cascade.claims[1], ZR_RELEASE_NOW), ZR_STATUS_OK);
        assert_int_equal(dw_slot(world).claims_count, 0);
        assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_VACANT);
    }
}

/* A new window acts on new offers only; with 0 the chain goes on at once where it stood. */
static void
test_a_window_of_zero_finishes_the_chain(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 4);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_pause(world, 0, cascade.contractors[2]), ZR_STATUS_OK);
    dw_policy_without_offers(world);
    assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
    assert_int_equal(dt_answer(world, offer_id(world), false), ZR_STATUS_OK);
    assert_int_equal(dt_rank(world, cascade.claims[3]), 1); /* Paused is passed over. */
    assert_int_equal(dt_count(world, mark, ZR_EVENT_OFFER_MADE), 0);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_RANK_CHANGED).claim_id, cascade.claims[3]);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_RANK_CHANGED).code, 1);
}

/* E16, R48: rank 2 leaves, rank 3 becomes 2 and hears of it; the others are left alone. */
static void
test_a_leaver_moves_up_those_behind(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = dt_cascade(world, 4);
    const uint64_t mark = dt_mark(world);
    struct event_row event;

    assert_int_equal(dw_wallet(world, cascade.contractors[2]).rate_max_cents, DW_RATE_3);
    assert_int_equal(dt_release(world, cascade.claims[1], ZR_RELEASE_NOW), ZR_STATUS_OK);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_RANK_CHANGED), 2);
    event = dt_last(world, mark, ZR_EVENT_RANK_CHANGED);
    assert_int_equal(event.contractor, cascade.contractors[3]);
    assert_int_equal(event.code, 3);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 0);
    assert_int_equal(dw_wallet(world, cascade.contractors[2]).rate_max_cents, DW_RATE_2);
    assert_int_equal(dw_wallet(world, cascade.contractors[1]).rate_max_cents, 0);
}

/* ---- the whole story ----------------------------------------------------------------------- */

/* The last MAP_DELTA said so: bit 0 taken. */
static bool
map_says_taken(struct domain_world *world, uint64_t mark)
{
    return (dt_last(world, mark, ZR_EVENT_MAP_DELTA).code & 1) != 0;
}

/* P(1), B, C; P forfeits, X joins; B declines, C lets it expire, X declines: OPEN. */
static struct dt_cascade
story_until_open(struct domain_world *world)
{
    struct dt_cascade cascade = dt_cascade(world, 3);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dt_pause(world, cascade.claims[0], 0), ZR_STATUS_OK);
    dw_advance(world, 14 * DW_DAY_MS);
    assert_int_equal(dt_claim_row(world, cascade.claims[0]).state, ZR_CLAIM_FORFEITED);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_FORFEITED).code, CONDITION_PAUSED);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 2); /* 70 % */
    assert_int_equal(dt_rank(world, cascade.claims[2]), 3); /* 50 % */
    assert_int_equal(dw_wallet(world, cascade.contractors[1]).rate_max_cents, DW_RATE_2);
    cascade.contractors[3] = dw_contractor(world, DT_MONEY);
    cascade.claims[3] = dt_claim(world, cascade.contractors[3]);
    assert_int_equal(dt_rank(world, cascade.claims[3]), 4);
    assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
    assert_int_equal(dt_answer(world, offer_id(world), false), ZR_STATUS_OK);
    assert_int_equal(dt_offered_to(world), cascade.contractors[2]);
    dw_advance(world, WINDOW_MS);
    assert_int_equal(dt_offered_to(world), cascade.contractors[3]);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_MAP_DELTA), 0); /* Taken all the while. */
    assert_int_equal(dt_answer(world, offer_id(world), false), ZR_STATUS_OK);
    assert_int_equal(dw_slot(world).title_state, ZR_TITLE_STATE_OPEN);
    assert_false(map_says_taken(world, mark));
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 1);
    return cascade;
}

/* E69: B and Y CLAIM the OPEN slot at once; B is first: its seq stays, Y is a backup. */
static void
test_a_live_backup_is_first_at_an_open_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = story_until_open(world);
    const uint32_t outsider = dw_contractor(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);
    const struct zr_claim_result *result = dw_claim(world, cascade.contractors[1]);

    assert_int_equal(result->rank, 1);
    assert_true(result->seq == cascade.claims[1]);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_CLAIMED), 0); /* The same claim. */
    assert_true(map_says_taken(world, mark));
    result = dw_claim(world, outsider);
    assert_int_equal(result->rank, 4);
    assert_int_equal(result->title, ZR_TITLE_BACKUP);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_CLAIMED).code, 4);
    assert_int_equal(dt_count(world, 0, ZR_EVENT_SLOT_OPENED), 1);
}

/* E69, M2 (c): Y is first: PRIMARY at the tail; B is where it was, and has a claim already. */
static void
test_an_outsider_is_first_at_an_open_title(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = story_until_open(world);
    const uint32_t outsider = dw_contractor(world, DT_MONEY);
    const uint64_t mark = dt_mark(world);

    assert_int_equal(dw_claim(world, outsider)->rank, 1);
    assert_int_equal(dw_claim(world, cascade.contractors[1])->status, ZR_STATUS_ALREADY_CLAIMED);
    assert_int_equal(dt_rank(world, cascade.claims[1]), 2);
    assert_true(map_says_taken(world, mark));
    assert_int_equal(dt_count(world, 0, ZR_EVENT_SLOT_OPENED), 1);
}

/* M2, R48: a former primary comes back only as a new claim at the tail. */
static void
test_a_former_primary_is_last(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 3);
    const struct zr_claim_result *result = dw_claim(world, cascade.contractors[0]);

    assert_int_equal(result->rank, 4);
    assert_true(result->seq > cascade.claims[2]);
    assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
}

/* M2: the offer's deadline fell into an outage: an hour after the restart it is still open. */
static void
test_an_outage_keeps_the_offer_open(void **state)
{
    struct domain_world *world = *state;
    const struct dt_cascade cascade = opened(world, 3);

    dw_advance(world, WINDOW_MS - DT_HOUR_MS);
    dw_outage(world, 2 * DT_HOUR_MS);
    assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
    assert_true(dw_slot(world).offer_deadline_ms == world->now_ms + DT_HOUR_MS);
    assert_true(dt_offer_row(world, 1).deadline_ms == world->now_ms + DT_HOUR_MS);
    dw_advance(world, DT_HOUR_MS - 1);
    assert_int_equal(dt_offered_to(world), cascade.contractors[1]);
    dw_advance(world, 1);
    assert_int_equal(dt_offered_to(world), cascade.contractors[2]);
    assert_int_equal(dt_answer(world, offer_id(world), true), ZR_STATUS_OK);
    dw_outage(world, 2 * WINDOW_MS); /* An offer that is closed has no deadline to move. */
    assert_int_equal(dt_rank(world, cascade.claims[2]), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_an_opening_is_told_once_and_offered_to_rank_2),
        DW_TEST(test_an_opening_without_heirs),
        DW_TEST(test_accepting_takes_the_title),
        DW_TEST(test_an_offer_is_accepted_until_its_deadline),
        DW_TEST(test_an_offer_is_closed_at_its_deadline),
        DW_TEST(test_declining_keeps_the_place),
        DW_TEST(test_who_may_not_accept_yet),
        DW_TEST(test_hours_do_not_matter_for_a_title),
        DW_TEST(test_whose_offer_it_is),
        DW_TEST(test_an_outsider_joins_the_tail_of_the_chain),
        DW_TEST(test_the_chain_passes_over),
        DW_TEST(test_offers_are_cancelled),
        DW_TEST(test_a_window_of_zero_finishes_the_chain),
        DW_TEST(test_a_leaver_moves_up_those_behind),
        DW_TEST(test_a_live_backup_is_first_at_an_open_title),
        DW_TEST(test_an_outsider_is_first_at_an_open_title),
        DW_TEST(test_a_former_primary_is_last),
        DW_TEST(test_an_outage_keeps_the_offer_open),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
