/*
 * test_timers.c - P1, R70: kill -9 in the middle of what timers do.
 *
 * The one idea: a command may set off more than its own transaction holds. One PAUSE without a
 * grace forfeits a contractor's titles in every slot, each opening makes an offer or promotes the
 * next, whose funds are judged, and so on; the server does that as work, step by step, before the
 * next command. Each round sends a burst of such commands and kills the server inside the callback
 * of a drawn one of their replies, so that some of the work is done, some stands in the store, and
 * some commands were never seen. Then it starts again, the clients repeat what was not answered,
 * and no slot may be left half way: a vacant title is offered or the chain ran out, a paused
 * contractor holds none, no timer is overdue, every invariant holds (AUDIT), and at the end a
 * replay from genesis comes to the same state.
 *
 *     test_timers [ROUNDS]       also CRASH_ROUNDS; 15, CRASH_VOLUME=full 150
 */
#include "protocol/check.h"
#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS_CI = 15,
    ROUNDS_FULL = 150,
    CONTRACTORS = 24,
    CATEGORIES = 4, /* Every second one promotes at once instead of making offers. */
    ZIPS = 8,
    SLOTS = CATEGORIES * ZIPS,
    POSITIONS = 32,
    BURST_MAX = CONTRACTORS + SLOTS,
    FUNDS_CENTS = 100000,
    THRESHOLD_CENTS = 10000000, /* Never reached: there is always an attempt outstanding. */
    STEP_MS = 100,
    SILENT_STEPS = 300, /* So long without any answer: it hangs. */
};

static const uint32_t zips[ZIPS] = {WORLD_ADJUNTAS, WORLD_BOSTON,       WORLD_NEW_YORK,
                                    WORLD_CHICAGO,  WORLD_GALVESTON,    77551,
                                    WORLD_PEARLAND, WORLD_PEARLAND_WEST};

static struct world world;
static uint64_t random_state;
static uint32_t contractors[CONTRACTORS];
static struct world_slot slots[SLOTS];
static uint32_t sent;      /* Of this burst. */
static uint32_t answered;  /* Of this burst. */
static uint32_t kill_at;   /* The server dies at this answer, 0 = not now. */
static uint64_t forfeited; /* Titles that the slots lost, as far as they were seen. */
static uint32_t failures;

static uint32_t
draw(uint32_t below)
{
    return (uint32_t)test_random_below(&random_state, below);
}

static void
complain(struct world_slot slot, const char *what)
{
    (void)fprintf(stderr, "slot %05u/%u: %s\n", slot.zip, slot.category, what);
    failures++;
}

/* ---- the market ------------------------------------------------------------------------------ */

/* A contractor's pause has the network's grace: none. Offers, or promotion at once. */
static void
policy_make(uint16_t category, bool promoting)
{
    const struct world_slot slot = {zips[0], category};
    struct zr_policy_put_request request = {.category = category,
                                            .scope = ZR_SCOPE_CATEGORY,
                                            .policy_count = 1,
                                            .policy = {world_policy(&world, slot)}};
    struct zr_policy_put_reply reply;

    request.policy[0].max_positions = POSITIONS;
    request.policy[0].offer_window_s = promoting ? 0 : request.policy[0].offer_window_s;
    CHECK(zr_policy_put(world.admin, &request, &reply) == 0);
}

static void
network_policy_make(void)
{
    struct zr_policy_put_request request = {
        .scope = ZR_SCOPE_NETWORK,
        .policy_count = 1,
        .policy = {world_policy(&world, (struct world_slot){zips[0], world.plumbing})}};
    struct zr_policy_put_reply reply;

    request.policy[0].pause_grace_s = 0;
    CHECK(zr_policy_put(world.admin, &request, &reply) == 0);
}

static void
claim_fill(struct zr_claim_request *request, uint32_t contractor)
{
    memset(request, 0, sizeof *request);
    request->contractor = contractor;
    request->accept_backup = true;
    request->slots_count = SLOTS;
    for (uint32_t i = 0; i < SLOTS; i++) {
        request->slots[i] =
            (struct zr_slot_key){.zip = slots[i].zip, .category = slots[i].category};
    }
}

static void
contractor_make(uint32_t *contractor)
{
    static struct zr_claim_request claim;
    static struct zr_claim_reply claimed;
    struct zr_autotopup_put_request wish = {.threshold_cents = THRESHOLD_CENTS,
                                            .amount_cents = 2500,
                                            .enabled = true,
                                            .methods = {{.method = "one"}, {.method = "two"}},
                                            .methods_count = 2};
    struct zr_put_reply reply;

    *contractor = world_contractor(&world, 2, FUNDS_CENTS);
    claim_fill(&claim, *contractor);
    CHECK(zr_claim(world.portal, &claim, &claimed) == 0);
    wish.contractor = *contractor;
    CHECK(zr_autotopup_put(world.portal, &wish, &reply) == 0);
}

static void
market_make(void)
{
    network_policy_make();
    for (uint32_t i = 0; i < CATEGORIES; i++) {
        const uint16_t category = world_category(&world, WORLD_RATE);

        policy_make(category, i % 2 == 1);
        for (uint32_t j = 0; j < ZIPS; j++) {
            slots[i * ZIPS + j] = (struct world_slot){zips[j], category};
        }
    }
    for (uint32_t i = 0; i < CONTRACTORS; i++) {
        contractor_make(&contractors[i]);
    }
}

/* ---- the burst ------------------------------------------------------------------------------- */

static void
command_done(void *context, const struct zr_completion *completion)
{
    (void)context;
    /* Done, or refused by a rule: the library has repeated what was lost. */
    CHECK(completion->result >= 0);
    CHECK(zr_status_class((uint16_t)completion->result) == ZR_CLASS_DONE ||
          zr_status_class((uint16_t)completion->result) == ZR_CLASS_REFUSED);
    answered++;
    if (answered == kill_at) {
        CHECK(kill(world.server.pid, SIGKILL) == 0);
    }
}

static void
command_send(struct zr_client *client, uint16_t op, const void *request)
{
    const struct zr_submission submission = {
        .size = sizeof submission, .op = op, .request = request, .done = command_done};

    CHECK(zr_submit(client, &submission) == 0);
    sent++;
}

/* The provider's verdict about the contractor's outstanding attempt; failures go on to the next. */
static void
send_verdict(uint32_t contractor)
{
    const struct zr_profile_get_request question = {.contractor = contractor};
    struct zr_topup_result_request request = {.ok = draw(2) == 0};
    struct zr_autotopup_get_reply reply;

    CHECK(zr_autotopup_get(world.portal, &question, &reply) == 0);
    request.attempt_id = reply.attempt_id;
    if (request.ok) {
        (void)snprintf(request.provider_ref, sizeof request.provider_ref, "timers-%" PRIu64,
                       reply.attempt_id);
    }
    command_send(world.payments, ZR_OP_TOPUP_RESULT, &request);
}

/* Something that sets work off in all the slots where this contractor stands. */
static void
send_about(uint32_t contractor)
{
    const struct zr_pause_request pause = {.contractor = contractor, .reason = "crash test"};
    const struct zr_resume_request resume = {.contractor = contractor};
    const struct zr_contractor_status_request status = {
        .contractor = contractor,
        .contractor_status = draw(2) == 0 ? ZR_CONTRACTOR_SUSPENDED : ZR_CONTRACTOR_APPROVED};
    static struct zr_claim_request claim;

    switch (draw(6)) {
    case 0:
    case 1:
        command_send(world.portal, ZR_OP_PAUSE, &pause);
        break;
    case 2:
        command_send(world.portal, ZR_OP_RESUME, &resume);
        break;
    case 3:
        command_send(world.admin, ZR_OP_CONTRACTOR_STATUS, &status);
        break;
    case 4:
        send_verdict(contractor);
        break;
    default:
        claim_fill(&claim, contractor); /* Again at the tail of what he lost. */
        command_send(world.portal, ZR_OP_CLAIM, &claim);
        break;
    }
}

static struct zr_slot_get_reply
slot_now(struct world_slot slot)
{
    const struct zr_slot_get_request request = {.zip = slot.zip, .category = slot.category};
    struct zr_slot_get_reply reply;

    CHECK(zr_slot_get(world.admin, &request, &reply) == 0);
    return reply;
}

/* Titles that are offered are taken, or passed on. */
static void
send_answer(struct world_slot slot)
{
    const struct zr_slot_get_reply now = slot_now(slot);
    const struct zr_offer_reply_request request = {.offer_id = now.offer_id, .accept = draw(3) > 0};

    if (now.offer_id != 0 && draw(4) > 0) {
        command_send(world.portal, ZR_OP_OFFER_REPLY, &request);
    }
}

static void
run_until_answered(void)
{
    struct zr_client *const clients[] = {world.portal, world.admin, world.payments};
    uint32_t before = answered;
    int silent = 0;

    while (answered < sent && (kill_at == 0 || answered < kill_at)) {
        for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
            CHECK(zr_client_process(clients[i], i == 0 ? STEP_MS / 10 : 0) >= 0);
        }
        silent = answered != before ? 0 : silent + 1;
        before = answered;
        if (silent == SILENT_STEPS * 10) {
            (void)fprintf(stderr, "no answer: the clients did not resume\n");
            abort();
        }
    }
}

/* ---- judging --------------------------------------------------------------------------------- */

static bool
is_paused(uint32_t contractor)
{
    const struct zr_contractor_get_request request = {.contractor = contractor};
    struct zr_contractor_get_reply reply;

    CHECK(zr_contractor_get(world.admin, &request, &reply) == 0);
    return reply.paused;
}

/* What the title's state says of who stands there, and the other way round (M2, R48, I1-I3). */
static void
slot_judge(struct world_slot slot)
{
    const struct zr_slot_get_reply now = slot_now(slot);
    const bool held = now.title_state == ZR_TITLE_STATE_HELD;

    for (uint16_t i = 0; i < now.claims_count; i++) {
        if (now.claims[i].rank != i + (held ? 1 : 2)) {
            complain(slot, "its ranks are not dense");
        }
    }
    if ((now.title_state == ZR_TITLE_STATE_VACANT) != (now.claims_count == 0)) {
        complain(slot, "VACANT is not where nobody stands");
    }
    if ((now.title_state == ZR_TITLE_STATE_OFFERED) != (now.offer_id != 0)) {
        complain(slot, "OFFERED is not where an offer is pending");
    }
    if (held && is_paused(now.claims[0].contractor)) {
        complain(slot, "a paused contractor holds it, and there is no grace");
    }
    forfeited += !held;
}

static void
market_judge(uint32_t round)
{
    const struct zr_audit_reply audit = world_audit(&world);

    if (audit.violations != 0 || audit.timers_overdue != 0 || !audit.balanced) {
        (void)fprintf(stderr,
                      "round %u: %" PRIu64 " violations, %" PRIu64 " timers overdue, %sbalanced\n",
                      round, audit.violations, audit.timers_overdue, audit.balanced ? "" : "not ");
        failures++;
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        slot_judge(slots[i]);
    }
}

static void
round_run(uint32_t round)
{
    sent = 0;
    answered = 0;
    kill_at = 0;
    for (uint32_t i = 0; i < SLOTS; i++) {
        send_answer(slots[i]);
    }
    for (uint32_t i = 0; i < CONTRACTORS; i++) {
        send_about(contractors[i]);
    }
    CHECK(sent <= BURST_MAX);
    kill_at = answered + 1 + draw(sent - answered);
    run_until_answered();
    kill_at = 0;
    server_kill(&world.server);
    server_restart(&world.server);
    run_until_answered();
    market_judge(round);
}

static uint32_t
rounds_count_of(int argc, char **argv)
{
    const char *volume = getenv("CRASH_VOLUME");
    const char *text = argc > 1 ? argv[1] : getenv("CRASH_ROUNDS");

    if (text != NULL) {
        return (uint32_t)strtoul(text, NULL, 10);
    }
    return volume != NULL && strcmp(volume, "full") == 0 ? ROUNDS_FULL : ROUNDS_CI;
}

int
main(int argc, char **argv)
{
    const uint32_t count = rounds_count_of(argc, argv);

    random_state = test_seed();
    world_open(&world, NULL);
    market_make();
    for (uint32_t round = 1; round <= count; round++) {
        round_run(round);
    }
    (void)printf("%u kills; %" PRIu64 " times a slot was seen without a holder\n", count,
                 forfeited);
    if (forfeited == 0) {
        (void)fprintf(stderr, "nothing was ever forfeited: this proves nothing\n");
        failures++;
    }
    failures += world_close(&world) != 0; /* AUDIT and replay */
    (void)printf("%u passed, %u failed\n", failures == 0 ? count : 0, failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
