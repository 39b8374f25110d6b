/*
 * slot_change.c - see slot_change.h.
 */
#include "server/domain/slot_change.h"

#include "protocol/check.h"
#include "server/domain/event.h"
#include "server/domain/funds.h"
#include "server/domain/policy.h"
#include "server/domain/pricing.h"
#include "server/domain/slot.h"
#include "server/domain/timer.h"
#include "server/domain/waitlist.h"

/* One step of TIMER_POSITIONS: slots looked at, and slots changed. */
enum { POSITIONS_LOOKS_MAX = 256, POSITIONS_MAX = 16 };

void
slot_change_begin(struct slot_change *change, struct state *state, const struct command *command,
                  const struct zr_slot_key *key)
{
    *change = (struct slot_change){
        .state = state, .command = command, .zip = key->zip, .category = key->category};
    (void)policy_for_slot(state, key->zip, key->category, &change->policy);
    state_slot_get(state, key->zip, key->category, &change->before);
    slot_check(&change->before);
    change->slot = change->before;
}

void
slot_change_tell(struct slot_change *change, struct event_row event)
{
    event.zip = change->zip;
    event.category = change->category;
    event_emit(change->state, change->command, &event);
}

int64_t
slot_change_rate_cents(struct slot_change *change, uint16_t rank)
{
    struct category_row row;

    if (!state_category_get(change->state, change->category, &row)) {
        return 0;
    }
    return pricing_rate_cents(&change->policy, row.rate_cents, rank);
}

/* R48: who moved up or took the title hears of it. Returns whether anybody's rank moved. */
static bool
tell_ranks(struct slot_change *change)
{
    bool moved = false;

    for (int place = 0; place < change->slot.claims_count; place++) {
        const int index = slot_in_order(&change->slot, place);
        const struct slot_claim_row *claim = &change->slot.claims[index];
        const uint16_t rank = slot_rank(&change->slot, index);
        const int old = slot_find_claim(&change->before, claim->claim_id);

        if (old == SLOT_NO_CLAIM || slot_rank(&change->before, old) == rank) {
            continue;
        }
        moved = true;
        slot_change_tell(change, (struct event_row){.type = ZR_EVENT_RANK_CHANGED,
                                                    .contractor = claim->contractor,
                                                    .claim_id = claim->claim_id,
                                                    .code = (uint8_t)rank});
    }
    return moved;
}

/* R42: everybody who watches the map sees what an outsider's CLAIM would now yield. */
static void
tell_map(struct slot_change *change)
{
    const struct slot_row *slot = &change->slot;
    const unsigned code = (slot->taken ? MAP_CODE_TAKEN : 0u) | (slot->full ? MAP_CODE_FULL : 0u);

    if (slot->taken == change->before.taken && slot->full == change->before.full) {
        return;
    }
    slot_change_tell(change, (struct event_row){.type = ZR_EVENT_MAP_DELTA,
                                                .audience = AUDIENCE_MAP,
                                                .code = (uint8_t)code});
}

void
slot_change_commit(struct slot_change *change)
{
    struct slot_row *slot = &change->slot;

    waitlist_settle(change);
    slot->version++;
    slot->taken = slot_is_taken(slot);
    slot->full = slot_is_full(slot, change->policy.max_positions);
    slot_check(slot);
    state_slot_put(change->state, change->zip, change->category, slot);
    if (tell_ranks(change)) {
        /* R53: their rates moved too. A crowd of wallets is a command of its own. */
        timer_set_work(change->state, change->command,
                       &(struct timer_row){.kind = TIMER_SLOT_RATES,
                                           .zip = change->zip,
                                           .category = change->category});
    }
    tell_map(change);
}

void
slot_change_positions(struct state *state, const struct command *command, uint16_t category)
{
    timer_set_work(state, command,
                   &(struct timer_row){.kind = TIMER_POSITIONS, .category = category});
}

/* Settle one slot if its policy has made another of it; returns whether it did. */
static bool
positions_settle(struct state *state, const struct command *command, uint64_t number)
{
    const struct zr_slot_key key = {.zip = (uint32_t)(number >> 16), .category = (uint16_t)number};
    struct slot_change change;

    slot_change_begin(&change, state, command, &key);
    if (change.slot.waiting == 0 &&
        slot_is_full(&change.slot, change.policy.max_positions) == (change.slot.full != 0)) {
        return false;
    }
    slot_change_commit(&change);
    return true;
}

static bool
positions_timer(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct timer_row rest = *timer;
    uint32_t changed = 0;

    for (uint32_t looked = 0; looked < POSITIONS_LOOKS_MAX && changed < POSITIONS_MAX; looked++) {
        rest.number = state_slot_next(state, rest.number);
        if (rest.number == 0) {
            return changed > 0 || looked > 0;
        }
        if (timer->category == 0 || (uint16_t)rest.number == timer->category) {
            changed += positions_settle(state, command, rest.number);
        }
    }
    timer_set_work(state, command, &rest);
    return true;
}

bool
slot_change_timer(struct state *state, const struct command *command, const struct timer_row *timer)
{
    if (timer->kind == TIMER_POSITIONS) {
        return positions_timer(state, command, timer);
    }
    CHECK(timer->kind == TIMER_SLOT_RATES);
    funds_slot_changed(state, command, timer->zip, timer->category);
    return true;
}
