/*
 * test_calls_money.c - whose money, and once: tickets, funds and leases while things change.
 *
 * Holds E12, E31, E33, E52, E71, E74 of domain.md M7. The clock moves by CLOCK_ADVANCE only;
 * leases are lost by kill -9.
 */
#include "tests/integration/calls.h"

enum { RATE_LATER = 2600 };

/* kill -9, serve again, and go on with fresh connections: the leases are lost. */
static void
crash(void)
{
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
}

/* ---- E12: the claim changes while the call talks --------------------------------------------- */

static void
test_e12_a_release_during_the_call_leaves_its_ticket_rate(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, pair.slot, &call_id);
    struct zr_settlement_reply ended;
    struct zr_route_reply other;

    (void)state;
    (void)world_connect(&world, &routed);
    assert_int_equal(world_release(&world, pair.primary_claim).promoted_claim_id,
                     pair.backup_claim);
    assert_wallet(pair.primary, FUNDS, WORLD_RATE);
    ended = world_end(&world, &call_id, MINUTE_MS);
    assert_int_equal(ended.contractor, pair.primary);
    assert_int_equal(ended.amount_cents, WORLD_RATE);
    assert_leg(&call_id, pair.primary, ZR_SETTLEMENT_CHARGED, WORLD_RATE);
    assert_charged_once(pair.primary, WORLD_RATE);
    assert_charged_never(pair.backup);
    /* The heir pays the primary's rate from the next decision on. */
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.backup);
    assert_int_equal(other.candidates[0].rate_cents, WORLD_RATE);
}

/* The same rule from the other side: a promotion in mid-call does not make the call dearer. */
static void
test_e12_a_promotion_during_the_call_leaves_its_ticket_rate(void **state)
{
    const struct pair pair = pair_make(1, FUNDS);
    struct zr_id call_id;
    const struct zr_route_reply first = world_call(&world, pair.slot, &call_id);
    const struct zr_route_reply second = next_rings(&first, ZR_OUTCOME_DECLINED, pair.backup);
    struct zr_settlement_reply ended;

    (void)state;
    (void)world_connect(&world, &second);
    (void)world_release(&world, pair.primary_claim);
    ended = world_end(&world, &call_id, MINUTE_MS);
    assert_int_equal(ended.amount_cents, WORLD_RATE_2);
    assert_leg(&call_id, pair.backup, ZR_SETTLEMENT_CHARGED, WORLD_RATE_2);
    assert_charged_once(pair.backup, WORLD_RATE_2);
    assert_charged_never(pair.primary);
}

/* ---- E31, E33: ROUTE again, ROUTE_NEXT after things changed -----------------------------------
 */

static void
test_e31_a_repeated_route_gets_the_same_ticket_and_one_lease(void **state)
{
    const struct pair pair = pair_make(2, FUNDS);
    const struct zr_route_request request = world_route_request(&world, pair.slot);
    const uint64_t decided = stats_now().decisions;
    struct zr_client *node = server_client_ready(&world.server, "switch");
    struct zr_client *clients[2] = {world.carrier, node};
    static struct zr_route_reply first;
    static struct zr_route_reply again;
    struct zr_route_reply other;
    struct zr_call_info info = {0};

    (void)state;
    memset(&first, 0, sizeof first);
    assert_int_equal(zr_call(world.carrier, ZR_OP_ROUTE, &request, &first, 0, &info), 0);
    assert_false(info.duplicate);
    for (int i = 0; i < 4; i++) {
        memset(&again, 0, sizeof again);
        (void)server_advance(&world.server, 1000);
        assert_int_equal(zr_call(clients[i & 1], ZR_OP_ROUTE, &request, &again, 0, &info), 0);
        assert_true(info.duplicate);
        assert_memory_equal(&again, &first, sizeof first);
    }
    assert_int_equal(stats_now().decisions, decided + 1);
    /* One of his two places is leased, not five. */
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(other.candidates[0].contractor, pair.primary);
    other = world_call(&world, pair.slot, NULL);
    assert_int_equal(reasons_of(&other, pair.primary), REASON_AT_CONCURRENCY);
    /* It lives longer than the cascade's budget: at its expiry nobody new is rung (E37). */
    (void)server_advance(&world.server, first.expires_ms - server_advance(&world.server, 0) - 1);
    assert_int_equal(zr_call(world.carrier, ZR_OP_ROUTE, &request, &again, 0, &info), 0);
    assert_true(info.duplicate);
    (void)server_advance(&world.server, 1);
    assert_int_equal(zr_call(world.carrier, ZR_OP_ROUTE, &request, &again, 0, &info),
                     ZR_STATUS_EXHAUSTED);
    assert_false(info.duplicate);
    zr_client_close(node);
}

/* The contractor's wallet falls by a charged call in a slot of his own. */
static void
spend(uint32_t contractor, struct world_slot elsewhere)
{
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, elsewhere, &call_id);

    assert_int_equal(routed.candidates[0].contractor, contractor);
    assert_int_equal(talk(&routed, &call_id, RING_MS).settlement, ZR_SETTLEMENT_CHARGED);
}

static void
test_e33_dry_meanwhile_is_skipped_and_tried_is_never_offered_again(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const struct world_slot elsewhere = world_slot(&world);
    const uint32_t primary = world_contractor(&world, 1, FUNDS);
    const uint32_t dry = world_contractor(&world, 2, 2500);
    const uint32_t third = world_contractor(&world, 1, FUNDS);
    const uint64_t claim = world_claim(&world, primary, slot);
    struct zr_route_reply first;
    struct zr_route_reply second;
    struct zr_route_reply last;
    struct zr_id call_id;

    (void)state;
    (void)world_claim(&world, dry, slot);
    (void)world_claim(&world, third, slot);
    (void)world_claim(&world, dry, elsewhere);
    first = world_call(&world, slot, &call_id);
    assert_int_equal(first.candidates[0].contractor, primary);
    spend(dry, elsewhere);
    (void)world_pause(&world, claim);
    second = next_rings(&first, ZR_OUTCOME_NO_ANSWER, third);
    assert_int_equal(second.candidates[0].rank, 3);
    assert_int_equal(second.candidates[0].rate_cents, WORLD_RATE_3);
    assert_int_equal(second.candidates[0].index, 1);
    assert_int_equal(reasons_of(&second, dry), REASON_NO_FUNDS);
    assert_int_equal(reasons_of(&second, primary), REASON_ALREADY_TRIED | REASON_PAUSED);
    /* Eligible again in every other way, and still not rung twice for one call. */
    (void)world_resume(&world, claim);
    assert_int_equal(next(&second, ZR_OUTCOME_NO_ANSWER, &last), ZR_STATUS_EXHAUSTED);
    assert_int_equal(reasons_of(&last, primary), REASON_ALREADY_TRIED);
    assert_int_equal(reasons_of(&last, third), REASON_ALREADY_TRIED);
    assert_int_equal(reasons_of(&last, dry), REASON_NO_FUNDS);
    assert_charged_never(primary);
    assert_charged_never(third);
    assert_wallet(dry, 2500 - WORLD_RATE, 0);
}

/* ---- E52: one wallet, several calls ------------------------------------------------------------
 */

static void
test_e52_a_wallet_for_one_call_is_offered_one(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t primary = world_contractor(&world, 3, 2500);
    const uint32_t backup = world_contractor(&world, 3, FUNDS);
    struct zr_route_reply first;
    struct zr_route_reply other;
    struct zr_id call_id;

    (void)state;
    (void)world_claim(&world, primary, slot);
    (void)world_claim(&world, backup, slot);
    first = world_call(&world, slot, &call_id);
    assert_int_equal(first.candidates[0].contractor, primary);
    /* His lease is seen ... */
    other = world_call(&world, slot, NULL);
    assert_int_equal(other.candidates[0].contractor, backup);
    assert_int_equal(reasons_of(&other, primary), REASON_NO_FUNDS);
    assert_wallet(primary, 2500, 0);
    /* ... then his hold ... */
    (void)world_connect(&world, &first);
    assert_wallet(primary, 2500, WORLD_RATE);
    other = world_call(&world, slot, NULL);
    assert_int_equal(other.candidates[0].contractor, backup);
    assert_int_equal(reasons_of(&other, primary), REASON_NO_FUNDS);
    /* ... and a void hold gives the money back to decisions at once. */
    (void)world_end(&world, &call_id, TALK_SHORT_MS);
    assert_wallet(primary, 2500, 0);
    assert_charges(primary, NULL, 0);
    other = world_call(&world, slot, NULL);
    assert_int_equal(other.candidates[0].contractor, primary);
}

/* Three tickets of three calls that all name this contractor, and his wallet covers one. */
static void
overdraw(const struct zr_route_reply tickets[3], const struct zr_id call_ids[3],
         uint32_t contractor, int64_t rate_cents)
{
    const int64_t both[2] = {rate_cents, rate_cents};
    const int64_t funds = world_wallet(&world, contractor).posted_cents;
    struct zr_connect_reply reply;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(connect_ask(&tickets[i], &reply), 0);
        assert_int_equal(reply.hold_cents, rate_cents);
        assert_wallet(contractor, funds, (i + 1) * rate_cents);
    }
    assert_true(funds < 2 * rate_cents);
    assert_int_equal(connect_ask(&tickets[2], &reply), ZR_STATUS_OVERDRAFT_LIMIT);
    assert_int_equal(reply.contractor, contractor);
    assert_call_unknown(&call_ids[2]);
    assert_wallet(contractor, funds, 2 * rate_cents);
    /* Both are charged in full; the third stays refused while nothing was paid. */
    for (int i = 0; i < 2; i++) {
        const struct zr_settlement_reply ended = world_end(&world, &call_ids[i], RING_MS);

        assert_int_equal(ended.amount_cents, rate_cents);
        assert_true(ended.dry);
    }
    assert_wallet(contractor, funds - 2 * rate_cents, 0);
    assert_charges(contractor, both, 2);
    assert_int_equal(connect_ask(&tickets[2], &reply), ZR_STATUS_OVERDRAFT_LIMIT);
    assert_int_equal(world_wallet(&world, contractor).funds_state, ZR_FUNDS_STATE_DRY);
}

static void
test_e52_lost_leases_overdraw_by_at_most_the_overdraft(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t primary = world_contractor(&world, 1, 2500);
    const uint32_t backup = world_contractor(&world, 1, FUNDS);
    struct zr_route_reply tickets[3];
    struct zr_route_reply other;
    struct zr_id call_ids[3];

    (void)state;
    (void)world_claim(&world, primary, slot);
    (void)world_claim(&world, backup, slot);
    for (int i = 0; i < 3; i++) {
        tickets[i] = world_call(&world, slot, &call_ids[i]);
        assert_int_equal(tickets[i].candidates[0].contractor, primary);
        crash();
    }
    /* Default overdraft: his concurrency (1) x his dearest rate. */
    overdraw(tickets, call_ids, primary, WORLD_RATE);
    /* The switch of the third call rings the next, who is not concerned. */
    other = next_rings(&tickets[2], ZR_OUTCOME_FAILED, backup);
    assert_int_equal(talk(&other, &call_ids[2], RING_MS).amount_cents, WORLD_RATE_2);
    assert_charged_once(backup, WORLD_RATE_2);
}

/* List mode leases only the first of a ticket: the second may be promised to many calls. */
static void
test_e52_list_mode_overdraws_by_at_most_the_overdraft(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t primary = world_contractor(&world, 3, FUNDS);
    const uint32_t backup = world_contractor(&world, 1, 2500);
    struct zr_route_reply tickets[3];
    struct zr_id call_ids[3];

    (void)state;
    (void)world_claim(&world, primary, slot);
    (void)world_claim(&world, backup, slot);
    for (int i = 0; i < 3; i++) {
        struct zr_route_request request = world_route_request(&world, slot);

        request.want = 2;
        assert_int_equal(world_route(&world, &request, &tickets[i]), 0);
        assert_int_equal(tickets[i].candidates_count, 2);
        assert_int_equal(tickets[i].candidates[1].contractor, backup);
        call_ids[i] = request.call_id;
        tickets[i].attempt = 1; /* connect_ask(): the second one answered. */
    }
    overdraw(tickets, call_ids, backup, WORLD_RATE_2);
    assert_charged_never(primary);
}

/* The bound is a policy too. */
static void
test_e52_without_an_overdraft_the_second_is_refused(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t primary = world_contractor(&world, 1, 2500);
    struct zr_policy policy = world_policy(&world, slot);
    struct zr_route_reply tickets[2];
    struct zr_connect_reply reply;
    struct zr_id call_ids[2];

    (void)state;
    (void)world_claim(&world, primary, slot);
    for (int i = 0; i < 2; i++) {
        tickets[i] = world_call(&world, slot, &call_ids[i]);
        crash();
    }
    policy.overdraft_cents = 1499; /* 2,500 - 2 x 2,000 = -1,500 */
    world_policy_put(&world, slot, &policy);
    assert_int_equal(connect_ask(&tickets[0], &reply), 0);
    assert_int_equal(connect_ask(&tickets[1], &reply), ZR_STATUS_OVERDRAFT_LIMIT);
    assert_wallet(primary, 2500, WORLD_RATE);
    policy.overdraft_cents = 1500;
    world_policy_put(&world, slot, &policy);
    assert_int_equal(connect_ask(&tickets[1], &reply), 0);
    assert_wallet(primary, 2500, 2 * WORLD_RATE);
    for (int i = 0; i < 2; i++) {
        (void)world_end(&world, &call_ids[i], TALK_SHORT_MS);
    }
    assert_wallet(primary, 2500, 0);
    assert_charges(primary, NULL, 0);
}

/* ---- E71: two tickets of one call ---------------------------------------------------------------
 */

struct two_tickets {
    struct pair pair;
    struct zr_id call_id;
    uint32_t contractors[2];
    uint64_t routed_ms[2];
    struct zr_route_reply tickets[2];
};

/* Primaries that are routed from now on pay another rate. */
static void
rate_put(struct world_slot slot, int64_t rate_cents)
{
    static struct zr_category_list_request list;
    static struct zr_category_list_reply known;
    static struct zr_category_put_request request;
    struct zr_category_put_reply reply;

    list.after = (uint16_t)(slot.category - 1);
    assert_int_equal(zr_category_list(world.admin, &list, &known), 0);
    assert_int_equal(known.categories[0].category, slot.category);
    memset(&request, 0, sizeof request);
    request.rate_cents = rate_cents;
    request.expected_version = known.categories[0].version;
    request.category = slot.category;
    request.offered = true;
    request.zips_action = ZR_ZIPS_EVERYWHERE;
    memcpy(request.name, known.categories[0].name, sizeof request.name);
    assert_int_equal(zr_category_put(world.admin, &request, &reply), 0);
}

/* ROUTE -> T1(A), kill -9, A's title goes to B at another rate, ROUTE -> T2(B). */
static struct two_tickets
two_tickets_make(void)
{
    struct two_tickets two = {.pair = pair_make(1, FUNDS)};
    const struct zr_route_request request = world_route_request(&world, two.pair.slot);

    two.call_id = request.call_id;
    two.contractors[0] = two.pair.primary;
    two.contractors[1] = two.pair.backup;
    two.routed_ms[0] = server_advance(&world.server, 0);
    assert_int_equal(world_route(&world, &request, &two.tickets[0]), 0);
    crash();
    assert_int_equal(world_release(&world, two.pair.primary_claim).promoted_claim_id,
                     two.pair.backup_claim);
    rate_put(two.pair.slot, RATE_LATER);
    two.routed_ms[1] = server_advance(&world.server, 3000);
    assert_int_equal(world_route(&world, &request, &two.tickets[1]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(two.tickets[i].candidates[0].contractor, two.contractors[i]);
        assert_int_equal(two.tickets[i].candidates[0].rank, 1);
    }
    assert_int_equal(two.tickets[0].candidates[0].rate_cents, WORLD_RATE);
    assert_int_equal(two.tickets[1].candidates[0].rate_cents, RATE_LATER);
    assert_true(two.tickets[1].snapshot_seq > two.tickets[0].snapshot_seq);
    return two;
}

/* EXPLAIN tells the decision that this ticket is of, although a crash came behind it. */
static void
assert_explained(const struct zr_id *call_id, const struct zr_route_reply *ticket)
{
    const struct zr_candidate *first = &ticket->candidates[0];
    static struct zr_explain_reply told;
    struct zr_explain_request request = {.call_id = *call_id};
    bool found = false;

    memset(&told, 0, sizeof told);
    assert_int_equal(zr_explain(world.carrier, &request, &told), 0);
    assert_memory_equal(&told.call_ref, &ticket->call_ref, sizeof told.call_ref);
    assert_int_equal(told.decisions, 1);
    assert_int_equal(told.outcome, ZR_STATUS_OK);
    assert_int_equal(told.snapshot_seq, ticket->snapshot_seq);
    assert_int_equal(told.policy_version, ticket->policy_version);
    for (uint16_t i = 0; i < told.judged_count; i++) {
        if (told.judged[i].place == 1) {
            found = true;
            assert_int_equal(told.judged[i].contractor, first->contractor);
            assert_int_equal(told.judged[i].rank, first->rank);
            assert_int_equal(told.judged[i].rate_cents, first->rate_cents);
            assert_int_equal(told.judged[i].reasons, 0);
        }
    }
    assert_true(found);
}

/* One hold, one charge at the winner's rate, and CALL_GET and EXPLAIN show the winner's decision.
 */
static void
two_tickets_judge(const struct two_tickets *two, int winner)
{
    const struct zr_route_reply *ticket = &two->tickets[winner];
    struct zr_settlement_reply ended;
    struct zr_call_get_reply call;

    assert_wallet(two->contractors[winner], FUNDS, ticket->candidates[0].rate_cents);
    assert_charged_never(two->contractors[1 - winner]);
    ended = world_end(&world, &two->call_id, MINUTE_MS);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    assert_int_equal(ended.contractor, two->contractors[winner]);
    assert_int_equal(ended.amount_cents, ticket->candidates[0].rate_cents);
    assert_charged_once(two->contractors[winner], ticket->candidates[0].rate_cents);
    assert_charged_never(two->contractors[1 - winner]);
    call = world_call_get(&world, &two->call_id);
    assert_int_equal(call.legs_count, 1);
    assert_int_equal(call.legs[0].contractor, two->contractors[winner]);
    assert_int_equal(call.routed_ms, two->routed_ms[winner]);
    assert_int_equal(call.snapshot_seq, ticket->snapshot_seq);
    assert_int_equal(call.policy_version, ticket->policy_version);
    assert_int_equal(call.revision, ticket->revision);
    assert_memory_equal(&call.call_ref, &ticket->call_ref, sizeof call.call_ref);
    assert_explained(&two->call_id, ticket);
}

static void
test_e71_two_tickets_connect_at_once_and_one_wins(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        const int first = round & 1; /* Handed over first; the server may see it otherwise. */
        const struct two_tickets two = two_tickets_make();
        struct zr_client *switches[2] = {server_client_ready(&world.server, "switch"),
                                         server_client_ready(&world.server, "switch")};
        struct zr_connect_reply replies[2] = {{.hold_cents = 0}};
        struct answer answers[2] = {{.reply = &replies[0]}, {.reply = &replies[1]}};
        int winner;

        for (int i = 0; i < 2; i++) {
            const int at = i ^ first;
            const struct zr_connect_request request = world_connect_request(&two.tickets[at]);

            submit(switches[at], ZR_OP_CONNECT, &request, &answers[at]);
        }
        drive(switches, 2);
        winner = answers[0].result == 0 ? 0 : 1;
        assert_int_equal(answers[winner].result, 0);
        assert_int_equal(answers[1 - winner].result, ZR_STATUS_ALREADY_CONNECTED);
        assert_int_equal(replies[1 - winner].contractor, two.contractors[winner]);
        two_tickets_judge(&two, winner);
        zr_client_close(switches[0]);
        zr_client_close(switches[1]);
    }
}

/* Each of them as the winner, whatever the race above gave. */
static void
test_e71_either_ticket_may_win(void **state)
{
    (void)state;
    for (int winner = 0; winner < 2; winner++) {
        const struct two_tickets two = two_tickets_make();
        struct zr_connect_reply reply;

        assert_int_equal(connect_ask(&two.tickets[winner], &reply), 0);
        assert_int_equal(connect_ask(&two.tickets[1 - winner], &reply),
                         ZR_STATUS_ALREADY_CONNECTED);
        assert_int_equal(reply.contractor, two.contractors[winner]);
        two_tickets_judge(&two, winner);
    }
}

/* ---- E74: one caller on two lines
 * ---------------------------------------------------------------- */

static void
test_e74_the_second_settlement_of_one_caller_is_a_free_duplicate(void **state)
{
    (void)state;
    for (int order = 0; order < 4; order++) {
        const int first = order & 1;              /* Which of the two settles first ... */
        const bool by_qualify = (order & 2) != 0; /* ... and by which operation. */
        const struct pair pair = pair_make(2, FUNDS);
        struct zr_id call_ids[2];
        struct zr_settlement_reply ended;

        for (int i = 0; i < 2; i++) {
            const struct zr_route_request request =
                route_from_caller(pair.slot, UINT64_C(14095550100));
            struct zr_route_reply routed;

            assert_int_equal(world_route(&world, &request, &routed), 0);
            assert_int_equal(routed.candidates[0].contractor, pair.primary);
            (void)world_connect(&world, &routed);
            call_ids[i] = request.call_id;
        }
        assert_wallet(pair.primary, FUNDS, 2 * WORLD_RATE);
        if (by_qualify) {
            const struct zr_qualify_request request = {.call_id = call_ids[first],
                                                       .talk_ms = RING_MS};

            (void)server_advance(&world.server, RING_MS);
            assert_int_equal(zr_qualify(world.carrier, &request, &ended), 0);
        } else {
            ended = world_end(&world, &call_ids[first], RING_MS);
        }
        assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
        assert_wallet(pair.primary, FUNDS - WORLD_RATE, WORLD_RATE);
        ended = world_end(&world, &call_ids[1 - first], MINUTE_MS);
        assert_int_equal(ended.settlement, ZR_SETTLEMENT_FREE_DUPLICATE);
        assert_int_equal(ended.amount_cents, 0);
        if (by_qualify) {
            ended = world_end(&world, &call_ids[first], MINUTE_MS);
            assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
        }
        assert_leg(&call_ids[first], pair.primary, ZR_SETTLEMENT_CHARGED, WORLD_RATE);
        assert_leg(&call_ids[1 - first], pair.primary, ZR_SETTLEMENT_FREE_DUPLICATE, 0);
        assert_charged_once(pair.primary, WORLD_RATE);
        assert_charged_never(pair.backup);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_e12_a_release_during_the_call_leaves_its_ticket_rate),
        CASE(test_e12_a_promotion_during_the_call_leaves_its_ticket_rate),
        CASE(test_e31_a_repeated_route_gets_the_same_ticket_and_one_lease),
        CASE(test_e33_dry_meanwhile_is_skipped_and_tried_is_never_offered_again),
        CASE(test_e52_a_wallet_for_one_call_is_offered_one),
        CASE(test_e52_lost_leases_overdraw_by_at_most_the_overdraft),
        CASE(test_e52_list_mode_overdraws_by_at_most_the_overdraft),
        CASE(test_e52_without_an_overdraft_the_second_is_refused),
        CASE(test_e71_two_tickets_connect_at_once_and_one_wins),
        CASE(test_e71_either_ticket_may_win),
        CASE(test_e74_the_second_settlement_of_one_caller_is_a_free_duplicate),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
