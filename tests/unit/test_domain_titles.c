/*
 * test_domain_titles.c - a random walk over claims, offers, waitlists, conditions and time.
 *
 * After every step the slots are compared with what must always hold: I1-I5, the waitlist in its
 * table, one SLOT_OPENED per opening, one pending offer per offered title; and with what a reader
 * of the events would believe: every claim's rank, and the map. The seed is printed.
 */
#include "server/domain/condition.h"
#include "tests/lib/domain_titles.h"

#include <string.h>

enum {
    STEPS = 4000,
    CONTRACTORS = 9,
    SLOTS = 2,
    CLAIMS_MAX = 4096,
};

static const struct zr_slot_key slots[SLOTS] = {{DW_ZIP, DW_CATEGORY}, {DW_ZIP_2, DW_CATEGORY_2}};

/* What the events have said so far. */
struct reader {
    uint64_t seen;               /* Events up to this one. */
    uint16_t ranks[CLAIMS_MAX];  /* By claim; 0 = not live. */
    uint32_t owners[CLAIMS_MAX]; /* I5 */
    uint8_t slot_of[CLAIMS_MAX]; /* I5 */
    uint8_t map[SLOTS];
    unsigned opened[SLOTS];
};

struct walk {
    struct domain_world *world;
    uint64_t seed;
    uint32_t contractors[CONTRACTORS];
    struct reader reader;
};

static uint32_t
below(struct walk *walk, uint32_t bound)
{
    return (uint32_t)test_random_below(&walk->seed, bound);
}

/* ---- reading events ----------------------------------------------------------------------------
 */

static int
slot_index(uint32_t zip)
{
    return zip == slots[0].zip ? 0 : 1;
}

static void
reader_take(struct reader *reader, const struct event_row *event)
{
    assert_true(event->claim_id < CLAIMS_MAX);
    switch ((unsigned)event->type) { /* Not the enum: most of them move no rank. */
    case ZR_EVENT_CLAIMED:
        assert_int_equal(reader->owners[event->claim_id], 0);
        reader->owners[event->claim_id] = event->contractor;
        reader->slot_of[event->claim_id] = (uint8_t)slot_index(event->zip);
        reader->ranks[event->claim_id] = event->code;
        break;
    case ZR_EVENT_RANK_CHANGED:
        assert_int_not_equal(reader->ranks[event->claim_id], event->code); /* It did change. */
        reader->ranks[event->claim_id] = event->code;
        break;
    case ZR_EVENT_CLAIM_ENDED:
    case ZR_EVENT_FORFEITED:
        assert_int_not_equal(reader->ranks[event->claim_id], 0); /* Once. */
        reader->ranks[event->claim_id] = 0;
        break;
    case ZR_EVENT_SLOT_OPENED:
        reader->opened[slot_index(event->zip)]++;
        break;
    case ZR_EVENT_MAP_DELTA:
        reader->map[slot_index(event->zip)] = event->code;
        break;
    default:
        break;
    }
}

static void
reader_catch_up(struct walk *walk)
{
    const uint64_t newest = dt_mark(walk->world);
    struct event_row event;

    while (walk->reader.seen < newest) {
        walk->reader.seen++;
        assert_true(state_event_get(&walk->world->state, walk->reader.seen, &event));
        reader_take(&walk->reader, &event);
    }
}

/* ---- what must hold ----------------------------------------------------------------------------
 */

/* Each live claim: in its slot, of its owner, at the rank that was told (I3, I5). */
static void
check_claims(struct walk *walk, int at, const struct slot_row *slot)
{
    uint16_t backup = 2;

    for (int i = 0; i < slot->claims_count; i++) {
        const struct slot_claim_row *held = &slot->claims[i];
        const struct claim_row claim = dt_claim_row(walk->world, held->claim_id);
        const bool primary = held->title == ZR_TITLE_PRIMARY;

        assert_int_equal(claim.ended_ms, 0);
        assert_int_equal(claim.title, held->title);
        assert_int_equal(claim.contractor, held->contractor);
        assert_int_equal(walk->reader.owners[held->claim_id], held->contractor);
        assert_int_equal(walk->reader.slot_of[held->claim_id], at);
        assert_int_equal(claim.zip, slots[at].zip);
        assert_int_equal(held->paused, claim.state == ZR_CLAIM_PAUSED);
        assert_int_equal(held->lapsing, claim.lapse_ms != 0);
        assert_int_equal(slot_rank(slot, i), primary ? 1 : backup);
        assert_int_equal(walk->reader.ranks[held->claim_id], slot_rank(slot, i));
        backup = (uint16_t)(backup + !primary);
    }
}

static void
check_waitlist(struct walk *walk, int at, const struct slot_row *slot)
{
    uint64_t place = 0;
    uint32_t contractor;
    uint16_t waiting = 0;

    while ((place = state_waitlist_next(&walk->world->state, slots[at].zip, slots[at].category,
                                        place, &contractor)) != 0) {
        if (waiting == 0 && slot->reserved_contractor != 0) {
            assert_int_equal(slot->reserved_contractor, contractor);
        }
        assert_int_equal(slot_find_contractor(slot, contractor), SLOT_NO_CLAIM);
        waiting++;
    }
    assert_int_equal(slot->waiting, waiting);
}

/* Ended primaries and openings are the same number (R64). */
static void
check_openings(struct walk *walk)
{
    const uint64_t newest = state_counter_now(&walk->world->state, COUNTER_CLAIM_SEQ);
    unsigned ended[SLOTS] = {0};

    for (uint64_t claim_id = 1; claim_id <= newest; claim_id++) {
        const struct claim_row claim = dt_claim_row(walk->world, claim_id);

        ended[slot_index(claim.zip)] += claim.ended_ms != 0 && claim.title == ZR_TITLE_PRIMARY;
        assert_int_equal(walk->reader.ranks[claim_id] != 0, claim.ended_ms == 0);
    }
    for (int i = 0; i < SLOTS; i++) {
        assert_int_equal(walk->reader.opened[i], ended[i]);
    }
}

static void
check_offers(struct walk *walk)
{
    const uint64_t newest = state_counter_now(&walk->world->state, COUNTER_OFFER);
    unsigned pending = 0;
    unsigned offered = 0;
    struct slot_row slot;

    for (uint64_t offer_id = 1; offer_id <= newest; offer_id++) {
        const struct offer_row offer = dt_offer_row(walk->world, offer_id);

        pending += offer.state == ZR_OFFER_PENDING;
        assert_true(offer.state != ZR_OFFER_PENDING || offer.deadline_ms > walk->world->now_ms);
    }
    for (int i = 0; i < SLOTS; i++) {
        state_slot_get(&walk->world->state, slots[i].zip, slots[i].category, &slot);
        offered += slot.title_state == ZR_TITLE_STATE_OFFERED;
    }
    assert_int_equal(pending, offered);
}

static void
check_all(struct walk *walk)
{
    struct slot_row slot;

    reader_catch_up(walk);
    assert_true(state_timer_due_ms(&walk->world->state) > walk->world->now_ms);
    for (int i = 0; i < SLOTS; i++) {
        state_slot_get(&walk->world->state, slots[i].zip, slots[i].category, &slot);
        slot_check(&slot); /* I1, I2 */
        check_claims(walk, i, &slot);
        check_waitlist(walk, i, &slot);
        assert_int_equal(walk->reader.map[i], slot.taken | slot.full << 1);
        assert_int_equal(slot.taken, slot_is_taken(&slot));
    }
    check_offers(walk);
}

/* ---- steps --------------------------------------------------------------------------------------
 */

static uint32_t
some_contractor(struct walk *walk)
{
    return walk->contractors[below(walk, CONTRACTORS)];
}

/* A live claim of some slot; 0 = it has none. */
static uint64_t
some_claim(struct walk *walk)
{
    const struct zr_slot_key *key = &slots[below(walk, SLOTS)];
    struct slot_row slot;

    state_slot_get(&walk->world->state, key->zip, key->category, &slot);
    return slot.claims_count == 0 ? 0 : slot.claims[below(walk, slot.claims_count)].claim_id;
}

static void
step_claim(struct walk *walk)
{
    const uint64_t newest = state_counter_now(&walk->world->state, COUNTER_CLAIM_SEQ);
    struct zr_claim_request request = {.contractor = some_contractor(walk),
                                       .accept_backup = below(walk, 4) != 0,
                                       .lapse = below(walk, 8) == 0,
                                       .slots = {slots[0], slots[1]},
                                       .slots_count = 2};
    const struct zr_claim_result *result = walk->world->reply.claim_reply.results;
    struct policy_row policy;
    struct slot_row slot;

    if (below(walk, 3) != 0) {
        request.slots[0] = slots[below(walk, SLOTS)];
        request.slots_count = 1;
    }
    (void)dw_run(walk->world, dw_portal, ZR_OP_CLAIM, &request);
    for (uint16_t i = 0; i < request.slots_count; i++) {
        if (result[i].status == ZR_STATUS_OK && result[i].seq > newest) {
            (void)policy_for_slot(&walk->world->state, result[i].zip, result[i].category, &policy);
            state_slot_get(&walk->world->state, result[i].zip, result[i].category, &slot);
            assert_true(slot.claims_count <= policy.max_positions); /* I4 */
        }
    }
}

static void
step_leave(struct walk *walk)
{
    const uint64_t claim_id = some_claim(walk);
    const uint8_t when = below(walk, 3) == 0 ? ZR_RELEASE_PERIOD_END : ZR_RELEASE_NOW;

    if (claim_id != 0) {
        assert_int_equal(dt_release(walk->world, claim_id, when), ZR_STATUS_OK);
    }
}

static void
step_pause(struct walk *walk)
{
    const uint64_t claim_id = below(walk, 2) == 0 ? 0 : some_claim(walk);
    const uint32_t contractor = some_contractor(walk);

    (void)(below(walk, 5) < 2 ? dt_pause(walk->world, claim_id, contractor)
                              : dt_resume(walk->world, claim_id, contractor));
}

static void
step_answer(struct walk *walk)
{
    struct slot_row slot;
    const struct zr_slot_key *key = &slots[below(walk, SLOTS)];

    state_slot_get(&walk->world->state, key->zip, key->category, &slot);
    if (slot.offer_id != 0) {
        (void)dt_answer(walk->world, slot.offer_id, below(walk, 2) == 0);
    }
}

static void
step_wait(struct walk *walk)
{
    const struct zr_waitlist_request request = {.contractor = some_contractor(walk),
                                                .zip = slots[below(walk, SLOTS)].zip,
                                                .category = DW_CATEGORY};
    struct zr_waitlist_request wanted = request;
    const bool join = below(walk, 3) != 0;

    wanted.category = request.zip == DW_ZIP ? DW_CATEGORY : DW_CATEGORY_2;
    (void)dw_run(walk->world, dw_portal, join ? ZR_OP_WAITLIST_JOIN : ZR_OP_WAITLIST_LEAVE,
                 &wanted);
}

/* An account that closes is followed by a new one, so that the walk does not run dry. */
static void
step_status(struct walk *walk)
{
    static const uint8_t statuses[] = {ZR_CONTRACTOR_SUSPENDED, ZR_CONTRACTOR_APPROVED,
                                       ZR_CONTRACTOR_APPROVED, ZR_CONTRACTOR_CLOSING};
    const uint32_t at = below(walk, CONTRACTORS);
    const uint8_t status = statuses[below(walk, sizeof statuses)];

    if (status == ZR_CONTRACTOR_APPROVED && below(walk, 3) == 0) {
        dt_set_licence(walk->world, walk->contractors[at],
                       walk->world->now_ms + below(walk, 40) * DW_DAY_MS);
        return;
    }
    dw_set_status(walk->world, walk->contractors[at], status);
    if (status == ZR_CONTRACTOR_CLOSING) {
        walk->contractors[at] = dw_contractor(walk->world, DT_MONEY * (int64_t)below(walk, 2));
    }
}

static void
step_policy(struct walk *walk)
{
    struct zr_policy policy = dw_policy_default();

    policy.max_positions = (uint8_t)(1 + below(walk, 5));
    policy.offer_window_s = below(walk, 3) * 12 * 3600;
    policy.pause_grace_s = below(walk, 3) * 7 * 24 * 3600;
    dw_policy(walk->world, &policy);
}

static void
step_time(struct walk *walk)
{
    const uint64_t ms =
        below(walk, 4) == 0 ? below(walk, 10) * DW_DAY_MS : below(walk, 12) * DT_HOUR_MS;

    if (below(walk, 10) == 0) {
        dw_outage(walk->world, ms + DT_HOUR_MS);
    } else {
        dw_advance(walk->world, ms);
    }
}

static void
step_fund(struct walk *walk)
{
    const uint32_t contractor = some_contractor(walk);

    dw_topup(walk->world, contractor, 2500);
}

/* R48, R64, I1-I5: whatever happens in whatever order. */
static void
test_a_random_walk_keeps_the_titles(void **state)
{
    static void (*const steps[])(struct walk *) = {
        step_claim, step_claim,  step_claim,  step_claim, step_leave,  step_pause,
        step_pause, step_answer, step_answer, step_wait,  step_wait,   step_status,
        step_time,  step_time,   step_time,   step_fund,  step_policy,
    };
    static struct walk walk;

    walk = (struct walk){.world = *state, .seed = test_seed()};
    for (int i = 0; i < CONTRACTORS; i++) {
        walk.contractors[i] = dw_contractor(walk.world, i % 3 == 0 ? 0 : DT_MONEY);
    }
    for (int step = 0; step < STEPS; step++) {
        steps[below(&walk, sizeof steps / sizeof steps[0])](&walk);
        check_all(&walk);
        if (step % 100 == 0) {
            check_openings(&walk);
        }
    }
    check_openings(&walk);
    assert_true(walk.reader.opened[0] > 10); /* Something happened. */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {DW_TEST(test_a_random_walk_keeps_the_titles)};

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
