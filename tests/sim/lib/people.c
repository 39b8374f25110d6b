/*
 * people.c - what contractors do by themselves, and how they answer what they are asked.
 */
#include "protocol/check.h"
#include "tests/sim/lib/sim.h"

/* Entries: `who` = index of the contractor. */
enum people_kind {
    PEOPLE_HABIT = SIM_PEOPLE, /* detail = index of the habit. */
    PEOPLE_RESUME,             /* number = claim_id, or 0. */
    PEOPLE_OFFER,              /* number = offer_id. */
    PEOPLE_RESERVATION,        /* number = zip, detail = category. */
};

/* One of the contractor's live claims, 0 = it has none. */
static uint64_t
claim_draw(struct sim *sim, const struct sim_contractor *contractor)
{
    uint64_t claims[SIM_CLAIMS_MAX];
    uint64_t claim_id = 0;
    uint32_t count = 0;
    struct claim_row row;

    while ((claim_id = state_claim_next(sim_state(sim), contractor->number, claim_id)) != 0) {
        if (count < SIM_CLAIMS_MAX && state_claim_get(sim_state(sim), claim_id, &row) &&
            row.ended_ms == 0) {
            claims[count++] = claim_id;
        }
    }
    return count == 0 ? 0 : claims[sim_below(sim, count)];
}

/* ---- habits ---------------------------------------------------------------------------------- */

static void
habit_pause(struct sim *sim, struct sim_contractor *contractor)
{
    const uint64_t claim_id = sim_chance(sim, 500) ? claim_draw(sim, contractor) : 0;
    const struct zr_pause_request request = {.op_id = engine_key(&sim->engine),
                                             .claim_id = claim_id,
                                             .contractor = claim_id == 0 ? contractor->number : 0,
                                             .reason = "a job that takes long"};

    if (sim_send(sim, &sim_portal, ZR_OP_PAUSE, &request) == ZR_STATUS_OK) {
        sim->counts.pauses++;
        sim_plan(sim, sim_between(sim, SIM_HOUR_MS, 20 * SIM_DAY_MS),
                 (struct agenda_entry){.kind = PEOPLE_RESUME,
                                       .who = sim->index_of[contractor->number],
                                       .number = claim_id});
    }
}

static void
habit_release(struct sim *sim, struct sim_contractor *contractor)
{
    const struct zr_release_request request = {
        .op_id = engine_key(&sim->engine),
        .claim_id = claim_draw(sim, contractor),
        .when = sim_chance(sim, 500) ? ZR_RELEASE_NOW : ZR_RELEASE_PERIOD_END,
    };

    if (request.claim_id != 0) {
        sim_require_ok(sim, sim_send(sim, &sim_portal, ZR_OP_RELEASE, &request), "RELEASE");
        sim->counts.releases++;
    }
}

static void
habit_claim(struct sim *sim, struct sim_contractor *contractor)
{
    struct contractor_row row;

    if (state_contractor_get(sim_state(sim), contractor->number, &row) &&
        row.claims < contractor->wants) {
        market_claim(sim, contractor, (uint32_t)sim_between(sim, 1, 2));
    }
}

static void
habit_vacation(struct sim *sim, struct sim_contractor *contractor)
{
    struct hours *hours = &contractor->hours;
    struct hours_vacation *vacation;
    struct tm local;

    hours_prune(hours, sim_now(sim));
    if (hours->vacations_count == HOURS_VACATIONS_MAX) {
        return;
    }
    vacation = &hours->vacations[hours->vacations_count];
    hours_local(&local, hours_zone(hours, sim_now(sim)), sim_now(sim));
    vacation->first = hours_date_add(hours_date(&local), (int)sim_below(sim, 30));
    vacation->last = hours_date_add(vacation->first, (int)sim_below(sim, 21));
    hours->vacations_count++;
    hours->always |= !hours->is_sent;
    sim->counts.vacations++;
    market_send_hours(sim, contractor);
}

/* A dated exception: closed, or open for an hour or two; dates ascend and are different. */
static void
habit_exception(struct sim *sim, struct sim_contractor *contractor)
{
    struct hours *hours = &contractor->hours;
    const uint8_t open = (uint8_t)sim_below(sim, 90);
    uint32_t date;
    struct tm local;

    hours_prune(hours, sim_now(sim));
    if (hours->exceptions_count == HOURS_EXCEPTIONS_MAX) {
        return;
    }
    hours_local(&local, hours_zone(hours, sim_now(sim)), sim_now(sim));
    date = hours_date(&local);
    if (hours->exceptions_count > 0 &&
        hours->exceptions[hours->exceptions_count - 1].date >= date) {
        date = hours->exceptions[hours->exceptions_count - 1].date;
    }
    hours->exceptions[hours->exceptions_count++] = (struct hours_exception){
        .date = hours_date_add(date, (int)sim_between(sim, 1, 4)),
        .interval = {open, sim_chance(sim, 400) ? open : (uint8_t)(open + 6)},
    };
    hours->always |= !hours->is_sent;
    market_send_hours(sim, contractor);
}

static void
habit_unavailable(struct sim *sim, struct sim_contractor *contractor)
{
    contractor->hours.unavailable_until_ms =
        sim_now(sim) + sim_between(sim, 10 * SIM_MINUTE_MS, 3 * SIM_DAY_MS);
    contractor->hours.always |= !contractor->hours.is_sent;
    market_send_hours(sim, contractor);
}

/* The shop moves to another zone, once: from its old zone's next midnight. */
static void
habit_move(struct sim *sim, struct sim_contractor *contractor)
{
    struct hours *hours = &contractor->hours;
    struct tm local;

    if (!hours->is_sent || hours->zone_next != NULL) {
        return;
    }
    hours_local(&local, hours->zone, sim_now(sim));
    hours->zone_next = sim->zips[sim_below(sim, sim->zips_count)].zone;
    hours->zone_date = hours_date(&local);
    market_send_hours(sim, contractor);
}

static void
habit_caps(struct sim *sim, struct sim_contractor *contractor)
{
    market_send_caps(sim, contractor);
}

/* A phone breaks or is mended; some take calls in the app as well, or only there. */
static void
habit_destination(struct sim *sim, struct sim_contractor *contractor)
{
    static const uint8_t modes[] = {MODE_PHONE, MODE_PHONE | MODE_APP, MODE_APP,
                                    MODE_PHONE | MODE_SMS};
    struct zr_dest_put_request request = {.op_id = engine_key(&sim->engine),
                                          .contractor = contractor->number,
                                          .modes = modes[sim_below(sim, sizeof modes)],
                                          .phones_down = (uint8_t)sim_below(sim, 3)};
    struct contractor_row row;

    if (!state_contractor_get(sim_state(sim), contractor->number, &row)) {
        return;
    }
    request.expected_version = row.version;
    request.phones_count = row.phones_count;
    for (uint8_t i = 0; i < row.phones_count; i++) {
        request.phones[i].phone = row.phones[i];
    }
    request.phones_down &= (uint8_t)((1u << row.phones_count) - 1);
    sim_require_ok(sim, sim_send(sim, &sim_portal, ZR_OP_DEST_PUT, &request), "DEST_PUT");
}

/* How often, in days of one contractor, and what. */
static const struct habit {
    uint32_t days;
    void (*act)(struct sim *sim, struct sim_contractor *contractor);
} habits[] = {
    {150, habit_pause},    {200, habit_release},     {60, habit_claim},
    {150, habit_vacation}, {120, habit_exception},   {300, habit_unavailable},
    {400, habit_caps},     {250, habit_destination}, {4000, habit_move},
};
enum { HABITS = sizeof habits / sizeof habits[0] };

void
people_plan_day(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_CONTRACTORS; i++) {
        for (uint16_t habit = 0; habit < HABITS; habit++) {
            if (!sim->contractors[i].closing && sim_below(sim, habits[habit].days) == 0) {
                sim_plan(sim, sim_below(sim, SIM_DAY_MS),
                         (struct agenda_entry){.kind = PEOPLE_HABIT, .who = i, .detail = habit});
            }
        }
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

void
people_plan_offer(struct sim *sim, uint32_t index, uint64_t offer_id)
{
    if (sim_chance(sim, sim->contractors[index].care_permille)) {
        sim_plan(sim, sim_between(sim, SIM_MINUTE_MS, 30 * SIM_HOUR_MS),
                 (struct agenda_entry){.kind = PEOPLE_OFFER, .who = index, .number = offer_id});
    }
}

void
people_plan_reservation(struct sim *sim, uint32_t index, uint32_t zip, uint16_t category)
{
    if (sim_chance(sim, sim->contractors[index].care_permille)) {
        sim_plan(sim, sim_between(sim, SIM_MINUTE_MS, 30 * SIM_HOUR_MS),
                 (struct agenda_entry){
                     .kind = PEOPLE_RESERVATION, .who = index, .number = zip, .detail = category});
    }
}

static void
offer_answer(struct sim *sim, uint64_t offer_id)
{
    const struct zr_offer_reply_request request = {
        .op_id = engine_key(&sim->engine), .offer_id = offer_id, .accept = sim_chance(sim, 750)};
    struct offer_row offer = {0};
    uint16_t status;
    bool was_open;

    /* E8: the deadline is exclusive, and what it ends is ended. */
    sim_require(sim, state_offer_get(sim_state(sim), offer_id, &offer), "an offer stays", offer_id);
    was_open = offer.state == ZR_OFFER_PENDING && sim_now(sim) < offer.deadline_ms;
    status = sim_send(sim, &sim_portal, ZR_OP_OFFER_REPLY, &request);
    sim_require(sim, was_open ? status != ZR_STATUS_OFFER_CLOSED : status == ZR_STATUS_OFFER_CLOSED,
                "E8: an offer is answered before its deadline or not at all", offer_id);
    if (status == ZR_STATUS_OK && request.accept) {
        sim_require(sim, sim->engine.reply.offer_reply_reply.rank == 1, "who accepts is primary",
                    offer_id);
    }
}

static void
reservation_take(struct sim *sim, const struct sim_contractor *contractor, uint32_t zip,
                 uint16_t category)
{
    const struct zr_claim_request claim = {.op_id = engine_key(&sim->engine),
                                           .contractor = contractor->number,
                                           .accept_backup = true,
                                           .slots = {{.zip = zip, .category = category}},
                                           .slots_count = 1};
    const struct zr_waitlist_request leave = {.op_id = engine_key(&sim->engine),
                                              .contractor = contractor->number,
                                              .zip = zip,
                                              .category = category};
    struct slot_row slot;
    bool reserved;

    if (sim_chance(sim, 150)) {
        (void)sim_send(sim, &sim_portal, ZR_OP_WAITLIST_LEAVE, &leave);
        return;
    }
    state_slot_get(sim_state(sim), zip, category, &slot);
    reserved = slot.reserved_contractor == contractor->number && !contractor->suspended;
    if (sim_send(sim, &sim_portal, ZR_OP_CLAIM, &claim) == ZR_STATUS_OK) {
        sim->counts.claims++;
    } else {
        sim_require(sim, !reserved, "a reserved position is its holder's", zip);
    }
}

static void
resume(struct sim *sim, const struct sim_contractor *contractor, uint64_t claim_id)
{
    const struct zr_resume_request request = {.op_id = engine_key(&sim->engine),
                                              .claim_id = claim_id,
                                              .contractor = claim_id == 0 ? contractor->number : 0};

    (void)sim_send(sim, &sim_portal, ZR_OP_RESUME,
                   &request); /* The claim may have been forfeited. */
}

void
people_do(struct sim *sim, const struct agenda_entry *entry)
{
    struct sim_contractor *contractor = &sim->contractors[entry->who];

    if (contractor->closing) {
        return;
    }
    switch (entry->kind) {
    case PEOPLE_HABIT:
        CHECK(entry->detail < HABITS);
        habits[entry->detail].act(sim, contractor);
        break;
    case PEOPLE_RESUME:
        resume(sim, contractor, entry->number);
        break;
    case PEOPLE_OFFER:
        offer_answer(sim, entry->number);
        break;
    case PEOPLE_RESERVATION:
        reservation_take(sim, contractor, (uint32_t)entry->number, entry->detail);
        break;
    default:
        CHECK(false);
    }
}
