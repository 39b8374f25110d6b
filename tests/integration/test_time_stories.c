/*
 * test_time_stories.c - titles that are lost and found again, told from the first day to the last
 * with every event and the map beside them (M2): E14, E69, E70, R63, R64.
 */
#include "tests/integration/accounts.h"

enum { DRY_BIT = 2, CLAIMANTS = 2 };

#define DAYS(count) ((uint64_t)(count)*WORLD_DAY_MS)

/* P, B and C of the cases: rank 1, 2 and 3 of one slot. */
struct trio {
    struct world_slot slot;
    uint32_t contractors[3];
    uint64_t claims[3];
};

static struct trio
trio_make(int64_t primary_cents)
{
    struct trio trio = {.slot = world_slot(&world)};

    for (int i = 0; i < 3; i++) {
        trio.contractors[i] = world_contractor(&world, 3, i == 0 ? primary_cents : FUNDS);
        trio.claims[i] = world_claim(&world, trio.contractors[i], trio.slot);
    }
    return trio;
}

/* Events of that type about that slot, whomever they were for. */
static int
slot_events(struct world_slot slot, uint8_t type)
{
    int found = 0;

    accounts_hear();
    for (uint32_t i = 0; i < everything.count; i++) {
        const struct zr_event *event = &everything.events[i];

        found += event->type == type && event->zip == slot.zip && event->category == slot.category;
    }
    return found;
}

/* What the map says of a title, and the slot beside it. */
static bool
map_says_taken(struct world_slot slot)
{
    const struct zr_availability_request request = {.zips = {{.zip = slot.zip}}, .zips_count = 1};
    static struct zr_availability_reply reply;

    assert_int_equal(zr_availability(world.carrier, &request, &reply), 0);
    return (reply.zips[0].taken.bytes[slot.category / 8] >> slot.category % 8 & 1) != 0;
}

static int
answer_offer(uint64_t claim_id, bool accept)
{
    const struct zr_offer_reply_request request = {.offer_id = claim_now(claim_id).offer_id,
                                                   .accept = accept};
    struct zr_offer_reply_reply reply;

    assert_int_not_equal(request.offer_id, 0);
    return zr_offer_reply(world.portal, &request, &reply);
}

/* ---- E14: dry -------------------------------------------------------------------------------- */

static void
test_e14_a_top_up_after_71_hours_keeps_the_title(void **state)
{
    const struct trio trio = trio_make(2500);

    (void)state;
    accounts_listen();
    (void)charge(trio.slot, trio.contractors[0]);
    assert_true(claim_now(trio.claims[0]).dry_deadline_ms == now_ms() + 72 * WORLD_HOUR_MS);
    (void)world_advance(&world, 71 * WORLD_HOUR_MS);
    world_topup(&world, trio.contractors[0], 5000);
    assert_true(claim_now(trio.claims[0]).dry_deadline_ms == 0);
    (void)world_advance(&world, DAYS(3));
    assert_int_equal(claim_now(trio.claims[0]).rank, 1);
    assert_int_equal(slot_events(trio.slot, ZR_EVENT_FORFEITED), 0);
    assert_int_equal(slot_events(trio.slot, ZR_EVENT_SLOT_OPENED), 0);
    accounts_listen_no_more();
}

/* R63, R64: one SLOT_OPENED, to rank 2, once and for ever, whatever happens to the server. */
static void
test_e14_after_72_hours_rank_2_hears_once_that_it_opened(void **state)
{
    const struct trio trio = trio_make(2500);
    struct zr_event event = {0};

    (void)state;
    accounts_listen();
    (void)charge(trio.slot, trio.contractors[0]);
    (void)world_advance(&world, 72 * WORLD_HOUR_MS - 1);
    assert_int_equal(claim_now(trio.claims[0]).rank, 1);
    crash();
    (void)world_advance(&world, 1);
    crash();
    assert_int_equal(claim_now(trio.claims[0]).state, ZR_CLAIM_FORFEITED);
    assert_int_equal(events_of(trio.contractors[0], ZR_EVENT_FORFEITED, &event), 1);
    assert_int_equal(event.code, DRY_BIT);
    assert_int_equal(events_of(trio.contractors[1], ZR_EVENT_SLOT_OPENED, NULL), 1);
    assert_int_equal(slot_events(trio.slot, ZR_EVENT_SLOT_OPENED), 1);
    assert_int_equal(events_of(trio.contractors[1], ZR_EVENT_OFFER_MADE, &event), 1);
    assert_true(event.number == claim_now(trio.claims[1]).offer_id);
    assert_int_equal(slot_events(trio.slot, ZR_EVENT_OFFER_MADE), 1);
    accounts_listen_no_more();
}

/* ---- E69: a vacancy -------------------------------------------------------------------------- */

/* B, who lives on the slot, and Y, who comes from outside, CLAIM in the same few microseconds.
 * Returns whether B has the title now: exactly one of the two must. */
static bool
claim_at_once(const struct trio *trio, uint32_t outsider, int first)
{
    static struct zr_claim_reply replies[CLAIMANTS];
    const uint32_t claimants[CLAIMANTS] = {trio->contractors[1], outsider};
    struct zr_client *portals[CLAIMANTS] = {server_client_ready(&world.server, "portal"),
                                            server_client_ready(&world.server, "portal")};
    struct answer answers[CLAIMANTS] = {{.reply = &replies[0]}, {.reply = &replies[1]}};
    int primaries = 0;

    for (int i = 0; i < CLAIMANTS; i++) {
        const int who = i ^ first;
        const struct zr_claim_request request = {
            .op_id = key_at(now_ms()),
            .contractor = claimants[who],
            .accept_backup = true,
            .slots = {{.zip = trio->slot.zip, .category = trio->slot.category}},
            .slots_count = 1};

        submit(portals[who], ZR_OP_CLAIM, &request, &answers[who]);
    }
    drive(portals, CLAIMANTS);
    for (int i = 0; i < CLAIMANTS; i++) {
        primaries += replies[i].results[0].title == ZR_TITLE_PRIMARY;
        zr_client_close(portals[i]);
    }
    assert_int_equal(primaries, 1);
    return replies[0].results[0].title == ZR_TITLE_PRIMARY;
}

/* Who was promoted keeps his claim and seq; who came too late is what he was, or at the tail. */
static void
vacancy_judge(const struct trio *trio, uint32_t outsider, bool backup_won)
{
    const struct zr_slot_get_reply slot = slot_get(trio->slot);

    assert_int_equal(slot.title_state, ZR_TITLE_STATE_HELD);
    assert_int_equal(slot.claims[0].title, ZR_TITLE_PRIMARY);
    assert_int_equal(slot.claims[0].contractor, backup_won ? trio->contractors[1] : outsider);
    assert_true((slot.claims[0].claim_id == trio->claims[1]) == backup_won);
    for (uint16_t i = 1; i < slot.claims_count; i++) {
        assert_int_equal(slot.claims[i].title, ZR_TITLE_BACKUP);
        assert_int_equal(slot.claims[i].rank, i + 1);
        assert_true(i == 1 || slot.claims[i].seq > slot.claims[i - 1].seq); /* R48 */
    }
}

static void
test_e69_a_vacancy_from_forfeit_to_claim(void **state)
{
    (void)state;
    for (int first = 0; first < CLAIMANTS; first++) {
        const struct trio trio = trio_make(FUNDS);
        const uint32_t latecomer = world_contractor(&world, 1, FUNDS); /* X */
        const uint32_t outsider = world_contractor(&world, 1, FUNDS);  /* Y */
        struct zr_route_request route;
        struct zr_route_reply routed;
        struct zr_claim_result joined;

        accounts_listen();
        (void)world_pause(&world, trio.claims[0]);
        move_to(claim_now(trio.claims[0]).paused_deadline_ms);
        assert_int_equal(claim_now(trio.claims[0]).state, ZR_CLAIM_FORFEITED);
        route = world_route_request(&world, trio.slot);
        route.want = 4;
        assert_int_equal(world_route(&world, &route, &routed), 0);
        assert_int_equal(routed.candidates_count, 2);
        assert_int_equal(routed.candidates[0].contractor, trio.contractors[1]);
        assert_int_equal(routed.candidates[0].rate_cents, WORLD_RATE_2);
        assert_int_equal(routed.candidates[1].contractor, trio.contractors[2]);
        assert_int_equal(routed.candidates[1].rate_cents, WORLD_RATE_3);
        joined = world_claim_result(&world, latecomer, trio.slot);
        assert_int_equal(joined.rank, 4);
        assert_int_equal(answer_offer(trio.claims[1], false), 0);
        move_to(claim_now(trio.claims[2]).offer_deadline_ms); /* C lets it expire. */
        assert_true(map_says_taken(trio.slot));
        assert_int_equal(answer_offer(joined.claim_id, false), 0);
        assert_int_equal(slot_get(trio.slot).title_state, ZR_TITLE_STATE_OPEN);
        assert_false(map_says_taken(trio.slot));
        vacancy_judge(&trio, outsider, claim_at_once(&trio, outsider, first));
        assert_true(map_says_taken(trio.slot));
        assert_int_equal(slot_events(trio.slot, ZR_EVENT_SLOT_OPENED), 1);
        assert_int_equal(slot_events(trio.slot, ZR_EVENT_OFFER_MADE), 3);
        accounts_listen_no_more();
    }
}

/* ---- E70: several conditions ----------------------------------------------------------------- */

/* Paused on day 0, dry on day 1 by a call elsewhere, suspended on day 2. Returns day 0. */
static uint64_t
troubles_begin(const struct trio *trio)
{
    const struct world_slot elsewhere = world_slot(&world);
    const uint64_t begun_ms = now_ms();

    (void)world_claim(&world, trio->contractors[0], elsewhere);
    (void)world_pause(&world, trio->claims[0]);
    move_to(begun_ms + DAYS(1) - MINUTE_MS);
    (void)charge(elsewhere, trio->contractors[0]);
    assert_true(claim_now(trio->claims[0]).dry_deadline_ms == begun_ms + DAYS(4));
    move_to(begun_ms + DAYS(2));
    world_status(&world, trio->contractors[0], ZR_CONTRACTOR_SUSPENDED);
    return begun_ms;
}

/* Suspension lifted on day 5: not rung, still paused; RESUME on day 13: rank 1, and rung. */
static void
troubles_end(const struct trio *trio, uint64_t begun_ms)
{
    struct zr_route_reply routed;

    move_to(begun_ms + DAYS(5));
    world_status(&world, trio->contractors[0], ZR_CONTRACTOR_APPROVED);
    routed = world_call(&world, trio->slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, trio->contractors[1]);
    assert_int_equal(reasons_of(&routed, trio->contractors[0]), REASON_PAUSED);
    move_to(begun_ms + DAYS(13));
    (void)world_resume(&world, trio->claims[0]);
    assert_int_equal(claim_now(trio->claims[0]).rank, 1);
    routed = world_call(&world, trio->slot, NULL);
    assert_int_equal(routed.candidates[0].contractor, trio->contractors[0]);
}

static void
test_e70_conditions_come_and_go(void **state)
{
    const struct trio trio = trio_make(2500);
    const uint64_t begun_ms = troubles_begin(&trio);

    (void)state;
    move_to(begun_ms + DAYS(4) - WORLD_HOUR_MS);
    world_topup(&world, trio.contractors[0], 5000);
    troubles_end(&trio, begun_ms);
}

static void
test_e70_without_the_top_up_day_four_is_the_end(void **state)
{
    const struct trio trio = trio_make(2500);
    const uint64_t begun_ms = troubles_begin(&trio);
    struct zr_event event = {0};

    (void)state;
    accounts_listen();
    move_to(begun_ms + DAYS(4) - 1);
    assert_int_equal(claim_now(trio.claims[0]).rank, 1);
    (void)world_advance(&world, 1);
    assert_int_equal(claim_now(trio.claims[0]).state, ZR_CLAIM_FORFEITED);
    assert_int_equal(events_of(trio.contractors[0], ZR_EVENT_FORFEITED, &event), 2);
    assert_int_equal(event.code, DRY_BIT);
    accounts_listen_no_more();
}

/* The server is away from day 3.9 to day 4.1; half an hour later there is money. */
static void
test_e70_an_outage_over_the_deadline_costs_no_title(void **state)
{
    const struct trio trio = trio_make(2500);
    const uint64_t begun_ms = troubles_begin(&trio);

    (void)state;
    move_to(begun_ms + DAYS(39) / 10);
    be_away("clock_skip_ms=17280000");
    assert_true(now_ms() == begun_ms + DAYS(41) / 10);
    assert_int_equal(claim_now(trio.claims[0]).rank, 1);
    (void)world_advance(&world, WORLD_HOUR_MS / 2);
    world_topup(&world, trio.contractors[0], 5000);
    troubles_end(&trio, begun_ms);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_e14_a_top_up_after_71_hours_keeps_the_title),
        CASE(test_e14_after_72_hours_rank_2_hears_once_that_it_opened),
        CASE(test_e69_a_vacancy_from_forfeit_to_claim),
        CASE(test_e70_conditions_come_and_go),
        CASE(test_e70_without_the_top_up_day_four_is_the_end),
        CASE(test_e70_an_outage_over_the_deadline_costs_no_title),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
