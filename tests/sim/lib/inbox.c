/*
 * inbox.c - events, read as their subscribers read them: once they are durable, in order. They make
 * people act, and count what happened.
 */
#include "protocol/check.h"
#include "tests/sim/lib/sim.h"

static void
read_settled(struct sim *sim, const struct event_row *event)
{
    struct sim_counts *counts = &sim->counts;

    /* Not a switch on the enum: a settlement is a number from a row. */
    switch ((unsigned)event->code) {
    case ZR_SETTLEMENT_CHARGED:
        counts->charges++;
        counts->charged_cents += (uint64_t)event->amount_cents;
        money_charged(sim, sim->index_of[event->contractor], &event->call_ref, event->amount_cents);
        break;
    case ZR_SETTLEMENT_CREDITED:
        counts->credited++;
        break;
    case ZR_SETTLEMENT_FREE_SHORT:
        counts->free_short++;
        break;
    case ZR_SETTLEMENT_FREE_DUPLICATE:
        counts->free_duplicate++;
        break;
    case ZR_SETTLEMENT_FREE_VOICEMAIL:
        counts->free_voicemail++;
        break;
    case ZR_SETTLEMENT_STALE_VOID:
        counts->stale++;
        break;
    default:
        break;
    }
}

/* The title's events. */
static void
read_title(struct sim *sim, const struct event_row *event)
{
    struct sim_counts *counts = &sim->counts;

    switch ((unsigned)event->type) {
    case ZR_EVENT_SLOT_OPENED:
        counts->opened++;
        sim->opened[sim_slot_index(sim, event->zip, event->category)]++;
        break;
    case ZR_EVENT_OFFER_MADE:
        counts->offers++;
        people_plan_offer(sim, sim->index_of[event->contractor], event->number);
        break;
    case ZR_EVENT_OFFER_ACCEPTED:
        counts->offers_accepted++;
        break;
    case ZR_EVENT_OFFER_DECLINED:
        counts->offers_declined++;
        break;
    case ZR_EVENT_OFFER_EXPIRED:
        counts->offers_expired++;
        break;
    case ZR_EVENT_WAITLIST_OPEN:
        counts->waits_open++;
        people_plan_reservation(sim, sim->index_of[event->contractor], event->zip, event->category);
        break;
    case ZR_EVENT_FORFEITED:
        counts->forfeits++;
        break;
    case ZR_EVENT_GRACE_WARNING:
        counts->warnings++;
        break;
    default:
        break;
    }
}

/* Who is told that his wallet runs dry does something about it, or does not. */
static void
read_low(struct sim *sim, const struct event_row *event)
{
    const uint32_t index = sim->index_of[event->contractor];

    sim->counts.dry += event->type == ZR_EVENT_DRY;
    sim->counts.low += event->type == ZR_EVENT_LOW_BALANCE;
    if (!sim->contractors[index].with_autotopup &&
        sim_chance(sim, sim->contractors[index].care_permille)) {
        money_plan_topup(sim, index);
    }
}

static void
read_money(struct sim *sim, const struct event_row *event)
{
    struct sim_counts *counts = &sim->counts;

    switch ((unsigned)event->type) {
    case ZR_EVENT_LOW_BALANCE:
    case ZR_EVENT_DRY:
        read_low(sim, event);
        break;
    case ZR_EVENT_TOPUP_REQUESTED:
        counts->topups_asked++;
        judge_topup(sim, event);
        money_plan_attempt(sim, sim->index_of[event->contractor], event->number);
        break;
    case ZR_EVENT_TOPUP_DONE:
        counts->topups_done++;
        judge_topup(sim, event);
        break;
    case ZR_EVENT_TOPUP_FAILED:
        counts->topups_failed++;
        money_plan_autotopup(sim, sim->index_of[event->contractor]);
        break;
    case ZR_EVENT_CAP_100:
        counts->caps_told++;
        break;
    case ZR_EVENT_COOLDOWN:
        counts->cooldowns++;
        break;
    case ZR_EVENT_RECONCILE:
        counts->reconciles++;
        break;
    case ZR_EVENT_ACCOUNT_CLOSED:
        counts->closed++;
        break;
    default:
        break;
    }
}

void
inbox_read(struct sim *sim)
{
    const struct store_head *head = store_head(sim->engine.store);
    struct event_row event;

    /* What is not committed yet has not happened to anybody. */
    while (sim->events_read < head->counters[COUNTER_EVENT]) {
        sim->events_read++;
        sim_require(sim, state_event_get(sim_state(sim), sim->events_read, &event),
                    "events are numbered without gaps", sim->events_read);
        sim->counts.events++;
        if (event.type == ZR_EVENT_CALL_SETTLED) {
            read_settled(sim, &event);
        } else {
            read_title(sim, &event);
            read_money(sim, &event);
        }
    }
}
