/*
 * test_cases_decisions.c - E23: an eligible primary is candidate[0] in all of a million decisions.
 *
 * The judge is a model of ten lines that knows nothing of the server: who holds which rank, who is
 * paused, suspended or short of money, kept by this program as it causes it. Every decision must
 * name the first of the model's eligible contractors, and for those before him exactly the model's
 * reasons. Decisions are queries (hold = 0, explain), pipelined; between two rounds something
 * changes at random and the very next decision must know. The calls that drain wallets are real
 * ones: the server's own audit judges those.
 */
#include "tests/integration/cases.h"

#include <inttypes.h>
#include <time.h>

enum {
    SLOTS = 16,
    RANKS = 3,
    ROUNDS = 500,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    PER_ROUND = 100, /* Instrumented: the same rounds, a twentieth of the decisions. */
#else
    PER_ROUND = 2000,
#endif
    SECONDS_MAX = 60,
};

struct holder {
    uint32_t contractor;
    uint64_t claim;
    int64_t cents;
    int64_t rate_cents;
    bool claim_paused;
    bool paused;
    bool suspended;
};

struct market_slot {
    struct world_slot slot;
    struct holder holders[RANKS]; /* By rank. */
};

static struct market_slot market[SLOTS];
static uint64_t judged;
static uint64_t wrong;
static uint64_t led_by_primary;

/* ---- the model ------------------------------------------------------------------------------- */

static uint32_t
model_reasons(const struct holder *holder)
{
    return (holder->suspended ? (uint32_t)REASON_NOT_APPROVED : 0) |
           (holder->claim_paused || holder->paused ? (uint32_t)REASON_PAUSED : 0) |
           (holder->cents < holder->rate_cents ? (uint32_t)REASON_NO_FUNDS : 0);
}

/* The model's reasons for everybody before the first eligible one, whose rank - 1 is returned. */
static int
first_eligible(const struct market_slot *here, const struct zr_route_reply *reply, bool *agrees)
{
    int first = 0;

    while (first < RANKS && model_reasons(&here->holders[first]) != 0) {
        *agrees = *agrees && reasons_of(reply, here->holders[first].contractor) ==
                                 model_reasons(&here->holders[first]);
        first++;
    }
    return first;
}

/* Judge one decision. In a callback of the library, which nothing may jump out of: it counts. */
static void
judge(void *context, const struct zr_completion *completion)
{
    const struct market_slot *here = context;
    const struct zr_route_reply *reply = completion->reply;
    bool agrees = reply != NULL;
    int first = 0;

    if (agrees) {
        first = first_eligible(here, reply, &agrees);
    }
    if (agrees && first == RANKS) {
        agrees = completion->result == ZR_STATUS_NO_COVERAGE;
    } else if (agrees) {
        agrees = completion->result == 0 &&
                 reply->candidates[0].contractor == here->holders[first].contractor &&
                 reply->candidates[0].rank == first + 1 &&
                 reply->candidates[0].rate_cents == here->holders[first].rate_cents;
    }
    if (!agrees && wrong++ == 0) {
        (void)printf("E23: wrong: result 0x%04X, category %u, rank %d should lead\n",
                     (unsigned)completion->result, here->slot.category, first + 1);
    }
    judged++;
    led_by_primary += first == 0;
}

/* ---- what happens ------------------------------------------------------------------------------
 */

static void
market_open(void)
{
    static const int64_t rates[RANKS] = {WORLD_RATE, WORLD_RATE_2, WORLD_RATE_3};

    for (int i = 0; i < SLOTS; i++) {
        market[i].slot = world_slot(&world);
        for (int rank = 0; rank < RANKS; rank++) {
            struct holder *holder = &market[i].holders[rank];

            holder->contractor = world_contractor(&world, 100, 10000);
            holder->claim = world_claim(&world, holder->contractor, market[i].slot);
            holder->cents = 10000;
            holder->rate_cents = rates[rank];
        }
    }
}

/* One real call: whoever the model names gets it, and pays. */
static void
drain_one(struct market_slot *here)
{
    struct zr_route_request request = world_route_request(&world, here->slot);
    struct zr_route_reply reply;
    int first = 0;

    while (first < RANKS && model_reasons(&here->holders[first]) != 0) {
        first++;
    }
    if (first == RANKS) {
        assert_int_equal(world_route(&world, &request, &reply), ZR_STATUS_NO_COVERAGE);
        return;
    }
    assert_int_equal(world_route(&world, &request, &reply), 0);
    assert_int_equal(reply.candidates[0].contractor, here->holders[first].contractor);
    (void)world_connect(&world, &reply);
    assert_int_equal(world_end(&world, &request.call_id, 30000).amount_cents,
                     here->holders[first].rate_cents);
    here->holders[first].cents -= here->holders[first].rate_cents;
}

static void
pause_contractor(struct holder *holder)
{
    const struct zr_pause_request pause = {.contractor = holder->contractor, .reason = "E23"};
    const struct zr_resume_request resume = {.contractor = holder->contractor};
    struct zr_claim_state_reply reply;

    assert_int_equal(holder->paused ? zr_resume(world.portal, &resume, &reply)
                                    : zr_pause(world.portal, &pause, &reply),
                     0);
    holder->paused = !holder->paused;
}

static void
change_something(uint64_t *seed)
{
    struct market_slot *here = &market[test_random_below(seed, SLOTS)];
    struct holder *holder = &here->holders[test_random_below(seed, RANKS)];

    switch (test_random_below(seed, 8)) {
    case 0:
        (void)(holder->claim_paused ? world_resume(&world, holder->claim)
                                    : world_pause(&world, holder->claim));
        holder->claim_paused = !holder->claim_paused;
        break;
    case 1:
        pause_contractor(holder);
        break;
    case 2:
        world_status(&world, holder->contractor,
                     holder->suspended ? ZR_CONTRACTOR_APPROVED : ZR_CONTRACTOR_SUSPENDED);
        holder->suspended = !holder->suspended;
        break;
    case 3:
    case 4:
    case 5:
        world_topup(&world, holder->contractor, 2500);
        holder->cents += 2500;
        break;
    default:
        drain_one(here);
        break;
    }
}

/* ---- E23 ---------------------------------------------------------------------------------------
 */

static void
ask_round(uint64_t *seed, struct zr_client *client)
{
    for (int i = 0; i < PER_ROUND; i++) {
        struct market_slot *here = &market[test_random_below(seed, SLOTS)];
        struct zr_route_request request = world_route_request(&world, here->slot);
        struct zr_submission submission = {.size = sizeof submission,
                                           .op = ZR_OP_ROUTE,
                                           .request = &request,
                                           .done = judge,
                                           .context = here};

        request.flags = 4; /* A query, with reasons. */
        while (zr_submit(client, &submission) == ZR_EFULL) {
            (void)zr_client_process(client, 100);
        }
    }
    drive_one(client);
    assert_int_equal(wrong, 0);
}

/* E23, R47: and where the primary is not eligible, the decision says why. */
static void
test_e23_an_eligible_primary_leads_in_every_decision(void **state)
{
    uint64_t seed = test_seed();
    struct timespec begin;
    struct timespec end;
    struct zr_audit_reply audit;

    (void)state;
    market_open();
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int round = 0; round < ROUNDS; round++) {
        change_something(&seed);
        change_something(&seed);
        ask_round(&seed, world.carrier);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    audit = world_audit(&world);
    (void)printf("E23: %" PRIu64 " decisions, %" PRIu64 " led by the primary, %" PRIu64
                 " recorded, %ld s\n",
                 judged, led_by_primary, audit.decisions, (long)(end.tv_sec - begin.tv_sec));
    assert_int_equal(judged, (uint64_t)ROUNDS * PER_ROUND);
    assert_true(led_by_primary > judged / 10);
    assert_true(led_by_primary < judged);
    assert_true(audit.decisions > 0);
    assert_int_equal(audit.decisions_skipped_primary, 0);
    assert_int_equal(audit.violations, 0);
    assert_true(end.tv_sec - begin.tv_sec < SECONDS_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e23_an_eligible_primary_leads_in_every_decision),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
