/*
 * waitlist.c - see waitlist.h.
 */
#include "server/domain/waitlist.h"

#include "protocol/check.h"
#include "server/domain/claim.h"
#include "server/domain/event.h"
#include "server/domain/slot.h"
#include "server/domain/timer.h"

enum { MS_PER_S = 1000 };

/* How long a position waits for the head where offers have no window (M2). */
#define RESERVATION_MS (UINT64_C(24) * 3600 * 1000)

/* ---- places ---------------------------------------------------------------------------------- */

/* The contractor's place on the list and, counted from 1, its position; 0 = it is not there. */
static uint16_t
place_find(struct state *state, const struct zr_slot_key *key, uint32_t contractor, uint64_t *place)
{
    uint32_t waiting;
    uint16_t position = 0;

    *place = 0;
    while ((*place = state_waitlist_next(state, key->zip, key->category, *place, &waiting)) != 0) {
        position++;
        if (waiting == contractor) {
            return position;
        }
    }
    return 0;
}

static void
reservation_clear(struct slot_row *slot)
{
    slot->reserved_contractor = 0;
    slot->reserved_deadline_ms = 0;
}

bool
waitlist_drop(struct slot_change *change, uint32_t contractor)
{
    const struct zr_slot_key key = {change->zip, change->category};
    uint64_t place;

    CHECK(contractor != 0);
    if (place_find(change->state, &key, contractor, &place) == 0) {
        return false;
    }
    if (change->slot.waiting == 0) {
        CHECK(state_failed(change->state));
        return false;
    }
    state_waitlist_del(change->state, key.zip, key.category, place);
    state_waiting_del(change->state, contractor, place);
    change->slot.waiting--;
    if (change->slot.reserved_contractor == contractor) {
        reservation_clear(&change->slot);
    }
    return true;
}

/* A position is free, and no backup may still be asked to move up (M2). */
static bool
has_room_for_head(const struct slot_row *slot, uint8_t max_positions)
{
    return slot->waiting > 0 && slot->claims_count < max_positions &&
           slot->title_state != ZR_TITLE_STATE_OFFERED;
}

/* Nobody can CLAIM the slot now, its head least of all. */
static bool
is_withdrawn(struct slot_change *change)
{
    struct category_row category;

    return !claim_is_offered(change->state, change->zip, change->category, &category);
}

/* Nobody can take "at once" what he has to CLAIM; and while the slot is withdrawn to ask the head
 * once a day is often enough. */
static uint64_t
reservation_window_ms(struct slot_change *change)
{
    const uint64_t window_ms = (uint64_t)change->policy.offer_window_s * MS_PER_S;
    const bool too_short = window_ms == 0 || (window_ms < RESERVATION_MS && is_withdrawn(change));

    return too_short ? RESERVATION_MS : window_ms;
}

void
waitlist_settle(struct slot_change *change)
{
    struct slot_row *slot = &change->slot;
    uint32_t head;

    if (slot->reserved_contractor != 0 && slot->claims_count >= change->policy.max_positions) {
        /* A policy took the position away: the head waits again, at its place. */
        reservation_clear(slot);
    }
    if (slot->reserved_contractor != 0 || !has_room_for_head(slot, change->policy.max_positions) ||
        state_waitlist_next(change->state, change->zip, change->category, 0, &head) == 0) {
        return;
    }
    slot->reserved_contractor = head;
    slot->reserved_deadline_ms = change->command->time_ms + reservation_window_ms(change);
    timer_set(change->state, slot->reserved_deadline_ms,
              &(struct timer_row){.kind = TIMER_RESERVATION,
                                  .zip = change->zip,
                                  .category = change->category,
                                  .contractor = head,
                                  .deadline_ms = slot->reserved_deadline_ms});
    slot_change_tell(change, (struct event_row){.type = ZR_EVENT_WAITLIST_OPEN,
                                                .contractor = head,
                                                .deadline_ms = slot->reserved_deadline_ms});
}

bool
waitlist_is_turn(const struct slot_row *slot, uint32_t contractor)
{
    CHECK(contractor != 0);
    return slot->reserved_contractor == contractor;
}

bool
waitlist_give_up(struct state *state, const struct command *command, uint32_t contractor,
                 uint32_t places_max)
{
    struct slot_change change;
    struct zr_slot_key key = {0};
    uint64_t place = 0;

    CHECK(places_max > 0);
    for (uint32_t i = 0; (place = state_waiting_next(state, contractor, place, &key)) != 0; i++) {
        if (i == places_max) {
            return true;
        }
        slot_change_begin(&change, state, command, &key);
        (void)waitlist_drop(&change, contractor);
        slot_change_commit(&change);
    }
    return false;
}

/* ---- WAITLIST_JOIN, WAITLIST_LEAVE ------------------------------------------------------------
 */

static void
reply_fill(struct zr_waitlist_reply *reply, const struct slot_row *slot, uint32_t contractor,
           uint16_t position)
{
    reply->contractor = contractor;
    reply->place = position;
    reply->deadline_ms = slot->reserved_contractor == contractor ? slot->reserved_deadline_ms : 0;
}

/* There is something to wait for exactly when a CLAIM, also as a backup, finds no position. */
static uint16_t
join_judge(struct state *state, const struct claim_asker *asker, const struct zr_slot_key *key,
           const struct slot_row *slot)
{
    uint16_t status;

    if (slot_find_contractor(slot, asker->contractor) != SLOT_NO_CLAIM) {
        return ZR_STATUS_ALREADY_CLAIMED;
    }
    status = claim_judge(state, asker, key);
    if (status == ZR_STATUS_OK) {
        return ZR_STATUS_HAS_ROOM;
    }
    if (status != ZR_STATUS_SLOT_FULL && status != ZR_STATUS_SLOT_TAKEN) {
        return status;
    }
    return slot->waiting < WAITLIST_MAX ? ZR_STATUS_OK : ZR_STATUS_LIMIT;
}

static void
join_write(struct slot_change *change, uint32_t contractor)
{
    const struct zr_slot_key key = {change->zip, change->category};
    const uint64_t place = state_counter_next(change->state, COUNTER_WAITLIST);

    state_waitlist_put(change->state, key.zip, key.category, place, contractor);
    state_waiting_put(change->state, contractor, place, &key);
    change->slot.waiting++;
    slot_change_commit(change);
}

uint16_t
waitlist_join_apply(struct state *state, const struct command *command,
                    const struct zr_waitlist_request *request, struct zr_waitlist_reply *reply,
                    struct effects *effects)
{
    const struct zr_slot_key key = {request->zip, request->category};
    struct claim_asker asker = {.contractor = request->contractor, .accept_backup = true};
    struct contractor_row contractor;
    struct slot_change change;
    uint64_t place;
    uint16_t position;
    uint16_t status;

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    asker.status = contractor.status;
    status = claim_judge_asker(state, &asker, &key);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    slot_change_begin(&change, state, command, &key);
    reply->commit_seq = command->seq;
    position = place_find(state, &key, request->contractor, &place);
    if (position != 0) {
        effects->duplicate = true; /* Joining again keeps the place. */
        reply_fill(reply, &change.slot, request->contractor, position);
        return ZR_STATUS_OK;
    }
    status = join_judge(state, &asker, &key, &change.slot);
    if (status == ZR_STATUS_OK) {
        join_write(&change, request->contractor);
        reply_fill(reply, &change.slot, request->contractor, change.slot.waiting);
    }
    return status;
}

uint16_t
waitlist_leave_apply(struct state *state, const struct command *command,
                     const struct zr_waitlist_request *request, struct zr_waitlist_reply *reply,
                     struct effects *effects)
{
    const struct zr_slot_key key = {request->zip, request->category};
    struct contractor_row contractor;
    struct slot_change change;

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    reply->commit_seq = command->seq;
    reply->contractor = request->contractor;
    slot_change_begin(&change, state, command, &key);
    /* Category 0 has no lists: there stand the places by contractor (state_waiting_put). */
    if (change.slot.waiting > 0 && waitlist_drop(&change, request->contractor)) {
        slot_change_commit(&change);
    } else {
        effects->duplicate = true; /* The wish is true already (protocol.md "Status"). */
    }
    return ZR_STATUS_OK;
}

/* ---- time ------------------------------------------------------------------------------------ */

/* The reservation that the timer stands for, if it stands. */
static bool
reservation_find(struct slot_change *change, struct state *state, const struct command *command,
                 const struct timer_row *timer)
{
    slot_change_begin(change, state, command, &(struct zr_slot_key){timer->zip, timer->category});
    return change->slot.reserved_contractor != 0 &&
           change->slot.reserved_deadline_ms == timer->deadline_ms;
}

bool
waitlist_timer(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct slot_change change;

    if (!reservation_find(&change, state, command, timer)) {
        return false;
    }
    if (is_withdrawn(&change)) {
        reservation_clear(&change.slot); /* The commit makes it anew, for the same head. */
    } else {
        /* Whoever let it pass is off the list; the commit makes the next one head. */
        (void)waitlist_drop(&change, change.slot.reserved_contractor);
    }
    slot_change_commit(&change);
    return true;
}

bool
waitlist_deadline_move(struct state *state, const struct command *command,
                       const struct timer_row *timer, uint64_t deadline_ms)
{
    struct slot_change change;

    if (!reservation_find(&change, state, command, timer)) {
        return false;
    }
    change.slot.reserved_deadline_ms = deadline_ms;
    slot_change_commit(&change);
    return true;
}
