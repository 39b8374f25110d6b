/*
 * calls.h - what the cases of calls and money share: wallets, ledgers and legs, each in one line.
 *
 * Every case ends by case_teardown(): the books balance and no invariant is broken.
 */
#ifndef ZR_TEST_CALLS_H
#define ZR_TEST_CALLS_H

#include "tests/integration/cases.h"

enum { FUNDS = 10000, MINUTE_MS = 60000, RING_MS = 30000, TALK_SHORT_MS = 5000 };

/* A primary and a backup on a slot of their own, funded, for one call at a time. */
struct pair {
    struct world_slot slot;
    uint32_t primary;
    uint32_t backup;
    uint64_t primary_claim;
    uint64_t backup_claim;
};

static inline struct pair
pair_make(uint16_t concurrency, int64_t funds_cents)
{
    struct pair pair = {.slot = world_slot_promoting(&world)};

    pair.primary = world_contractor(&world, concurrency, funds_cents);
    pair.backup = world_contractor(&world, concurrency, funds_cents);
    pair.primary_claim = world_claim(&world, pair.primary, pair.slot);
    pair.backup_claim = world_claim(&world, pair.backup, pair.slot);
    return pair;
}

/* MAIN + CREDIT, holds, and what is left of them; nobody here was given CREDIT. */
static inline void
assert_wallet(uint32_t contractor, int64_t posted_cents, int64_t held_cents)
{
    const struct zr_wallet_get_reply wallet = world_wallet(&world, contractor);

    assert_int_equal(wallet.posted_cents, posted_cents);
    assert_int_equal(wallet.held_cents, held_cents);
    assert_int_equal(wallet.available_cents, posted_cents - held_cents);
    assert_int_equal(wallet.main_cents, posted_cents);
    assert_int_equal(wallet.credit_cents, 0);
}

/* The ledger has exactly these charges, newest first; its rows add up to the wallet's balance. */
static inline void
assert_charges(uint32_t contractor, const int64_t *charges_cents, size_t charges_count)
{
    struct zr_ledger_list_request request = {.contractor = contractor};
    struct zr_ledger_list_reply reply;
    int64_t sum_cents = 0;
    size_t found = 0;

    do {
        assert_int_equal(zr_ledger_list(world.portal, &request, &reply), 0);
        for (uint16_t i = 0; i < reply.entries_count; i++) {
            const struct zr_ledger_row *row = &reply.entries[i];

            sum_cents += row->amount_cents;
            assert_true(row->kind == ZR_TRANSFER_TOPUP || row->kind == ZR_TRANSFER_CHARGE);
            if (row->kind == ZR_TRANSFER_CHARGE) {
                assert_in_range(found, 0, charges_count - 1);
                assert_int_equal(row->amount_cents,
                                 charges_cents == NULL ? 0 : -charges_cents[found]);
                assert_int_equal(row->account, ZR_ACCOUNT_MAIN);
                assert_int_equal(row->counter_account, ZR_ACCOUNT_REVENUE_CALLS);
                found++;
            }
        }
        request.before = reply.next;
    } while (reply.next != 0);
    assert_int_equal(found, charges_count);
    assert_int_equal(sum_cents, world_wallet(&world, contractor).posted_cents);
}

/* One charge of that amount, and the wallet began with FUNDS. */
static inline void
assert_charged_once(uint32_t contractor, int64_t cents)
{
    assert_wallet(contractor, FUNDS - cents, 0);
    assert_charges(contractor, &cents, 1);
}

/* Never charged, and the wallet began with FUNDS. */
static inline void
assert_charged_never(uint32_t contractor)
{
    assert_wallet(contractor, FUNDS, 0);
    assert_charges(contractor, NULL, 0);
}

/* The leg of that contractor in what CALL_GET remembers; it must be there, once. */
static inline struct zr_call_leg
leg_of(const struct zr_call_get_reply *call, uint32_t contractor)
{
    struct zr_call_leg leg = {0};
    int found = 0;

    for (uint16_t i = 0; i < call->legs_count; i++) {
        if (call->legs[i].contractor == contractor) {
            leg = call->legs[i];
            found++;
        }
    }
    assert_int_equal(found, 1);
    return leg;
}

static inline void
assert_leg(const struct zr_id *call_id, uint32_t contractor, uint8_t settlement, int64_t cents)
{
    const struct zr_call_get_reply call = world_call_get(&world, call_id);
    const struct zr_call_leg leg = leg_of(&call, contractor);

    assert_int_equal(leg.settlement, settlement);
    assert_int_equal(leg.amount_cents, cents);
    assert_int_equal(leg.hold_cents, settlement == ZR_SETTLEMENT_OPEN ? leg.rate_cents : 0);
    if (cents != 0) {
        assert_int_equal(leg.rate_cents, cents); /* I8 */
    }
}

static inline void
assert_call_unknown(const struct zr_id *call_id)
{
    const struct zr_call_get_request request = {.call_id = *call_id};
    struct zr_call_get_reply reply;

    assert_int_equal(zr_call_get(world.carrier, &request, &reply), ZR_STATUS_NOT_FOUND);
}

/* Position in the log: grows by one for each command that is journaled. */
static inline uint64_t
log_position(void)
{
    return world_wallet(&world, 1).commit_seq;
}

/* A call of a caller who may call again. */
static inline struct zr_route_request
route_from_caller(struct world_slot slot, uint64_t caller)
{
    struct zr_route_request request = world_route_request(&world, slot);

    request.caller = caller;
    return request;
}

/* The ringing attempt ended so. */
static inline int
next(const struct zr_route_reply *routed, uint8_t outcome, struct zr_route_reply *reply)
{
    const struct zr_route_next_request request = world_next_request(routed, outcome);

    memset(reply, 0, sizeof *reply);
    return zr_route_next(world.carrier, &request, reply);
}

/* The same; another contractor must ring now. */
static inline struct zr_route_reply
next_rings(const struct zr_route_reply *routed, uint8_t outcome, uint32_t contractor)
{
    struct zr_route_reply reply;

    assert_int_equal(next(routed, outcome, &reply), 0);
    assert_int_equal(reply.candidates_count, 1);
    assert_int_equal(reply.candidates[0].contractor, contractor);
    return reply;
}

static inline int
connect_ask(const struct zr_route_reply *routed, struct zr_connect_reply *reply)
{
    const struct zr_connect_request request = world_connect_request(routed);

    memset(reply, 0, sizeof *reply);
    return zr_connect(world.carrier, &request, reply);
}

/* CONNECT, then END after that talk. Returns what END said. */
static inline struct zr_settlement_reply
talk(const struct zr_route_reply *routed, const struct zr_id *call_id, uint32_t talk_ms)
{
    (void)world_connect(&world, routed);
    return world_end(&world, call_id, talk_ms);
}

/* END of the connected leg after talk_ms, by the contractor; the caller stays on the line. */
static inline struct zr_settlement_reply
end_caller_stays(const struct zr_id *call_id, uint32_t talk_ms)
{
    struct zr_end_request request = world_end_request(call_id, talk_ms);
    struct zr_settlement_reply reply;

    request.caller_stays = true;
    request.who_hung_up = ZR_HUNG_UP_CONTRACTOR;
    (void)server_advance(&world.server, talk_ms);
    assert_int_equal(zr_end(world.carrier, &request, &reply), 0);
    return reply;
}

/* END of a call that is already known, as a switch resends it. Returns status and duplicate. */
static inline int
end_again(const struct zr_end_request *request, struct zr_settlement_reply *reply, bool *duplicate)
{
    struct zr_call_info info = {0};
    int result;

    memset(reply, 0, sizeof *reply);
    result = zr_call(world.carrier, ZR_OP_END, request, reply, 0, &info);
    *duplicate = info.duplicate != 0;
    return result;
}

static inline int
case_teardown(void **state)
{
    const struct zr_audit_reply audit = world_audit(&world);

    (void)state;
    assert_true(audit.balanced);
    assert_int_equal(audit.postings_sum_cents, 0);
    assert_int_equal(audit.violations, 0);
    assert_int_equal(audit.decisions_skipped_primary, 0);
    return 0;
}

#define CASE(test) cmocka_unit_test_teardown(test, case_teardown)

/* The attempt `index` of that ticket ended so. */
static inline int
next_of(const struct zr_route_reply *routed, uint8_t index, struct zr_route_reply *reply)
{
    struct zr_route_next_request request = world_next_request(routed, ZR_OUTCOME_BUSY);

    request.index = index;
    memset(reply, 0, sizeof *reply);
    return zr_route_next(world.carrier, &request, reply);
}

#endif
