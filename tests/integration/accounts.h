/*
 * accounts.h - what the cases of money over time share: one wallet's events, and the second of two
 * administrators.
 *
 * Events are counted through a reader that hears everything (AUDITOR). Events come in order, so
 * accounts_hear() causes one more and waits for it: "it did not happen" is known, not guessed.
 */
#ifndef ZR_TEST_ACCOUNTS_H
#define ZR_TEST_ACCOUNTS_H

#include "tests/integration/calls.h"
#include "tests/integration/clocks.h"
#include "tests/integration/following.h"

static struct heard everything;
static uint32_t bell; /* A contractor who does nothing but to be paused and resumed. */

/* kill -9, serve again, and go on with fresh connections. */
static inline void
crash(void)
{
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
}

/* Stop, and serve again as if the server had been away so long. */
static inline void
be_away(const char *skip)
{
    size_t count = 0;

    while (world.server.settings[count] != NULL) {
        count++;
    }
    assert_in_range(count, 0, SERVER_SETTINGS_MAX - 2);
    assert_int_equal(server_stop(&world.server), 0);
    world.server.settings[count] = skip;
    server_restart(&world.server);
    world.server.settings[count] = NULL; /* Of this start only. */
    world_reconnect(&world);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* Begin to listen: what happened before is not heard. */
static inline void
accounts_listen(void)
{
    follow_events(&everything, server_client_ready(&world.server, "auditor"),
                  events_newest(world.admin), "");
    bell = world_contractor_pending(&world, 1);
}

/* Whether the bell was heard that rang at this place in the log. */
static inline bool
bell_is_heard(uint64_t commit_seq)
{
    for (uint32_t i = everything.count; i > 0; i--) {
        if (everything.events[i - 1].contractor == bell &&
            everything.events[i - 1].commit_seq >= commit_seq) {
            return true;
        }
    }
    return false;
}

/* Ring the bell, and listen until it is heard. */
static inline void
accounts_hear(void)
{
    const struct zr_pause_request pause = {.contractor = bell, .reason = "bell"};
    const struct zr_resume_request resume = {.contractor = bell};
    struct zr_claim_state_reply reply;

    assert_int_equal(zr_pause(world.portal, &pause, &reply), 0);
    assert_int_equal(zr_resume(world.portal, &resume, &reply), 0);
    while (!bell_is_heard(reply.commit_seq)) {
        hear(&everything, everything.total + 1);
    }
    assert_in_range(everything.total, 0, HEARD_MAX); /* All of them are kept. */
}

static inline void
accounts_listen_no_more(void)
{
    zr_client_close(everything.client);
}

/* How many of that type this contractor had; the last of them in *last, which may be NULL. */
static inline int
events_of(uint32_t contractor, uint8_t type, struct zr_event *last)
{
    int found = 0;

    accounts_hear();
    for (uint32_t i = 0; i < everything.count; i++) {
        const struct zr_event *event = &everything.events[i];

        if (event->contractor == contractor && event->type == type) {
            found++;
            if (last != NULL) {
                *last = *event;
            }
        }
    }
    return found;
}

/* ---- people and claims ----------------------------------------------------------------------- */

static inline struct zr_contractor_get_reply
contractor_now(uint32_t contractor)
{
    const struct zr_contractor_get_request request = {.contractor = contractor};
    struct zr_contractor_get_reply reply;

    assert_int_equal(zr_contractor_get(world.portal, &request, &reply), 0);
    return reply;
}

static inline struct zr_claim_get_reply
claim_now(uint64_t claim_id)
{
    const struct zr_claim_get_request request = {.claim_id = claim_id};
    struct zr_claim_get_reply reply;

    assert_int_equal(zr_claim_get(world.admin, &request, &reply), 0);
    return reply;
}

static inline void
put_overdraft(struct world_slot slot, int32_t overdraft_cents)
{
    struct zr_policy policy = world_policy(&world, slot);

    policy.overdraft_cents = overdraft_cents;
    world_policy_put(&world, slot, &policy);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* A call of this caller that talks for a minute; the contractor must be the one that is rung.
 * Returns its END's reply. */
static inline struct zr_settlement_reply
talk_from(struct world_slot slot, uint64_t caller, uint32_t contractor)
{
    const struct zr_route_request request = route_from_caller(slot, caller);
    struct zr_route_reply routed;

    assert_int_equal(world_route(&world, &request, &routed), 0);
    assert_int_equal(routed.candidates[0].contractor, contractor);
    return talk(&routed, &request.call_id, MINUTE_MS);
}

/* The same of a caller who never called before: it is charged. Returns the call's reference. */
static inline struct zr_id
charge(struct world_slot slot, uint32_t contractor)
{
    struct zr_settlement_reply ended;
    struct zr_id call_id;
    const struct zr_route_reply routed = world_call(&world, slot, &call_id);

    assert_int_equal(routed.candidates[0].contractor, contractor);
    ended = talk(&routed, &call_id, MINUTE_MS);
    assert_int_equal(ended.settlement, ZR_SETTLEMENT_CHARGED);
    return ended.call_ref;
}

/* END of a leg as a switch spools it: by the ticket, with the time of the answer. */
static inline struct zr_end_request
end_by_ticket(const struct zr_id *call_id, const struct zr_route_reply *routed,
              uint64_t answered_at_ms)
{
    struct zr_end_request end = world_end_request(call_id, MINUTE_MS);

    end.index = routed->attempt;
    end.answered_at_ms = answered_at_ms;
    end.ticket_length = routed->ticket_length;
    memcpy(end.ticket, routed->ticket, sizeof end.ticket);
    return end;
}

/* ---- two administrators ---------------------------------------------------------------------- */

static inline struct zr_client *
second_admin(void)
{
    const struct server_identity identity = {"admin-two", SERVER_TENANT, ZR_ROLE_ADMIN, 0};
    static bool known;

    if (!known) {
        (void)server_principal(&world.server, &identity);
        known = true;
    }
    return server_client_ready(&world.server, "admin-two");
}

static inline struct zr_adjust_request
adjust_request(uint32_t contractor, uint8_t debit, uint8_t credit, int64_t amount_cents)
{
    return (struct zr_adjust_request){.op_id = key_at(now_ms()),
                                      .amount_cents = amount_cents,
                                      .contractor = contractor,
                                      .debit = debit,
                                      .credit = credit,
                                      .reason = "as agreed by telephone"};
}

/* Both of them: it is posted. */
static inline void
adjust(struct zr_adjust_request request)
{
    struct zr_client *const other = second_admin();
    struct zr_adjust_reply reply;

    assert_int_equal(zr_adjust(world.admin, &request, &reply), 0);
    assert_int_equal(reply.state, ZR_ADJUST_PENDING);
    request.approves = request.op_id;
    request.op_id = key_at(now_ms());
    assert_int_equal(zr_adjust(other, &request, &reply), 0);
    assert_int_equal(reply.state, ZR_ADJUST_POSTED);
    zr_client_close(other);
}

#endif
