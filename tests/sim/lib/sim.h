/*
 * sim.h - a year of a metro market: who is in it, what was counted, and what went wrong.
 *
 *     market.c    the territory, the contractors and their wishes, as they are on the first day
 *     people.c    what contractors do by themselves: pause, go on vacation, claim, release ...
 *     money.c     wallets: top-ups of every kind, disputes, promotions
 *     operator.c  what the network's operators do: prices, policies, keys, suspensions, closings
 *     inbox.c     events: what they make people do, and what they count
 *     traffic.c   calls: arrive, are decided; traffic_talk.c: ring, talk and end
 *     judge.c     what must be true at any time, found out without the code that made it so
 *
 * Each of them owns kinds of entries of the agenda; sim_step() takes the next entry to its owner.
 */
#ifndef ZR_SIM_SIM_H
#define ZR_SIM_SIM_H

#include "tests/sim/lib/agenda.h"
#include "tests/sim/lib/engine.h"
#include "tests/sim/lib/hours.h"

enum {
    SIM_CONTRACTORS = 500,
    SIM_CATEGORIES = 6,
    SIM_ZIPS_MAX = 80,
    SIM_SLOTS_MAX = SIM_ZIPS_MAX * SIM_CATEGORIES,
    SIM_CALLS_MAX = 8192,
    SIM_TENANTS = 2, /* That route calls. */
    SIM_CLAIMS_MAX = 12,
    SIM_DISPUTES_MAX = 8192,
};

#define SIM_SECOND_MS UINT64_C(1000)
#define SIM_MINUTE_MS (60 * SIM_SECOND_MS)
#define SIM_HOUR_MS   (60 * SIM_MINUTE_MS)
#define SIM_DAY_MS    (24 * SIM_HOUR_MS)

/* 2027-02-14 00:00 UTC: four weeks before the clocks go forward. */
#define SIM_START_MS UINT64_C(1802563200000)

/* Kinds of agenda entries, by owner: the hundreds. */
enum sim_kind {
    SIM_TRAFFIC = 100,
    SIM_PEOPLE = 200,
    SIM_MONEY = 300,
    SIM_OPERATOR = 400,
    SIM_INBOX = 500,
};

struct sim_zip {
    uint32_t zip;
    uint32_t weight; /* Of its calls. */
    const char *zone;
    const char *state;
    const char *city;
};

/* A contractor as the simulation knows it: its wishes, its habits, and a tally of its own. */
struct sim_contractor {
    struct hours hours;
    uint32_t number; /* The server's. */
    uint32_t home;   /* Index of its ZIP. */
    uint32_t wants;  /* Claims. */
    uint16_t answer_permille;
    uint16_t pay_permille;  /* Payments that go through. */
    uint16_t care_permille; /* Messages that are acted on. */
    bool with_autotopup;
    /* Automatic top-ups as their owner sees them: his maximum, and what came in a local month. */
    int64_t topup_month_max; /* 0 = no bound. */
    int64_t topup_month_cents;
    uint32_t topup_month;
    bool closing;
    bool suspended;
    /* What its caps allow a day, -1 = no cap; as of when, and used on which local date. */
    int64_t day_calls_max;
    int64_t day_spend_max;
    uint32_t caps_date; /* They changed on that date: then it is no date to judge. */
    uint32_t tally_date;
    int64_t tally_calls;
    int64_t tally_spend;
};

/* One call, from its arrival until its switch has no more to say about it. */
struct sim_call {
    struct ticket ticket;                   /* The newest ... */
    uint8_t ticket_bytes[TICKET_BYTES_MAX]; /* ... as it was signed. */
    uint16_t ticket_length;
    struct engine_lease lease;
    uint64_t caller;
    uint64_t answered_ms;
    uint64_t ring_ms; /* When the phone began to ring. */
    int64_t hold_cents;
    uint32_t talk_ms;
    uint32_t hold_date;  /* Local date of its CONNECT, where the hold stands in a tally. */
    uint32_t contractor; /* Index of the one whose leg it is. */
    uint8_t tenant;      /* Index. */
    uint8_t want;
    uint8_t index;   /* Attempt that rings or talks. */
    uint8_t outcome; /* Of the ring, 0 = answered. */
    bool is_used;
    bool connected; /* A CONNECT was sent and taken. */
    bool voicemail;
    bool caller_stays;
    bool qualified;
    bool ended;
};

/* A charge that somebody means to dispute. */
struct sim_dispute {
    struct zr_id call_ref;
    int64_t cents;
};

struct sim_counts {
    uint64_t calls, blocked, unserved, exhausted, abandoned, lost_calls;
    uint64_t decisions, rings, connects, connects_refused, qualifies, keepalives, declines;
    uint64_t ends, ends_late, ends_lost, ends_again, too_late, superseded;
    uint64_t charged_cents, charges, free_short, free_duplicate, free_voicemail, stale, credited;
    uint64_t topups, topups_asked, topups_done, topups_failed, reversals, adjusts;
    uint64_t disputes, disputes_credited;
    uint64_t claims, releases, pauses, vacations, suspensions, closed, waits, waits_open;
    uint64_t offers, offers_accepted, offers_declined, offers_expired, opened, forfeits;
    uint64_t dry, low, caps_told, cooldowns, warnings, reconciles;
    uint64_t dst_days, restarts, rotations, prices, policies, events, offers_judged, audits;
};

/* The ledger once more, added up forwards from its transfers. */
struct sim_books {
    uint64_t transfers;
    int64_t main[ENGINE_CONTRACTORS_MAX];
    int64_t credit[ENGINE_CONTRACTORS_MAX];
    int64_t accounts[16];
};

struct sim {
    struct engine engine;
    struct agenda agenda;
    uint64_t seed;
    uint64_t random;
    uint32_t days;
    uint32_t calls_a_day;
    uint32_t day;
    uint64_t day_ms; /* When it began, UTC. */
    bool is_over;    /* No new calls, nobody does anything new. */
    uint32_t zips_count;
    uint32_t weight_total;
    struct sim_zip zips[SIM_ZIPS_MAX];
    struct sim_contractor contractors[SIM_CONTRACTORS];
    uint32_t index_of[ENGINE_CONTRACTORS_MAX]; /* By number. */
    struct sim_call calls[SIM_CALLS_MAX];
    uint32_t calls_free[SIM_CALLS_MAX];
    uint32_t calls_free_count;
    uint64_t callers[1024]; /* Who called lately, and may again. */
    uint32_t callers_count;
    struct sim_dispute disputes[SIM_DISPUTES_MAX];
    uint32_t disputes_count;
    uint64_t events_read;
    uint64_t opened[SIM_SLOTS_MAX]; /* SLOT_OPENED events. */
    struct sim_books books;
    int64_t zone_offsets[SIM_ZIPS_MAX]; /* Seconds, as of yesterday noon. */
    uint64_t audited_ms;
    struct sim_counts counts;
};

/* ---- chance ---------------------------------------------------------------------------------- */

uint64_t sim_below(struct sim *sim, uint64_t below);
uint64_t sim_between(struct sim *sim, uint64_t from, uint64_t to);
bool sim_chance(struct sim *sim, uint32_t permille);

/* ---- what goes wrong ------------------------------------------------------------------------- */

/* End the program with seed, day and `what`, unless it holds. The number says where. */
void sim_require(const struct sim *sim, bool holds, const char *what, uint64_t number);

/* A command that must be granted. */
void sim_require_ok(const struct sim *sim, uint16_t status, const char *what);

/* ---- doing ----------------------------------------------------------------------------------- */

uint64_t sim_now(const struct sim *sim);
struct state *sim_state(struct sim *sim);

/* Have something done `after_ms` from now. */
void sim_plan(struct sim *sim, uint64_t after_ms, struct agenda_entry entry);

/* Send a command of somebody who is not a switch: it is durable and published when this returns. */
uint16_t sim_send(struct sim *sim, const struct engine_actor *actor, uint16_t op,
                  const void *request);

extern const struct engine_actor sim_admin;
extern const struct engine_actor sim_admin_second;
extern const struct engine_actor sim_auditor;
extern const struct engine_actor sim_portal;
extern const struct engine_actor sim_payments;
extern const struct engine_actor sim_switches[SIM_TENANTS];

/* The contractor that the server gave that number. */
struct sim_contractor *sim_contractor_of(struct sim *sim, uint32_t number);

/* Index of a slot among all of the simulation. */
uint32_t sim_slot_index(const struct sim *sim, uint32_t zip, uint16_t category);

/* ---- the parts ------------------------------------------------------------------------------- */

void market_open(struct sim *sim);
/* Send the contractor's hours as they are now. */
void market_send_hours(struct sim *sim, struct sim_contractor *contractor);
/* Caps drawn anew. */
void market_send_caps(struct sim *sim, struct sim_contractor *contractor);
/* CLAIM up to `count` slots near its home; those that are full are waited for now and then. */
void market_claim(struct sim *sim, struct sim_contractor *contractor, uint32_t count);
void market_send_autotopup(struct sim *sim, struct sim_contractor *contractor);

void people_plan_day(struct sim *sim);
void people_do(struct sim *sim, const struct agenda_entry *entry);
/* Answer an offer, take a reserved position, some time before its deadline or never. */
void people_plan_offer(struct sim *sim, uint32_t index, uint64_t offer_id);
void people_plan_reservation(struct sim *sim, uint32_t index, uint32_t zip, uint16_t category);

void money_plan_day(struct sim *sim);
void money_do(struct sim *sim, const struct agenda_entry *entry);
void money_plan_attempt(struct sim *sim, uint32_t index, uint64_t attempt_id);
void money_plan_topup(struct sim *sim, uint32_t index);
void money_plan_autotopup(struct sim *sim, uint32_t index);
void money_charged(struct sim *sim, uint32_t index, const struct zr_id *call_ref, int64_t cents);

void operator_plan_year(struct sim *sim);
void operator_plan_day(struct sim *sim);
void operator_do(struct sim *sim, const struct agenda_entry *entry);

/* Read every event that is durable and not read yet. */
void inbox_read(struct sim *sim);

void traffic_plan_day(struct sim *sim);
void traffic_do(struct sim *sim, const struct agenda_entry *entry);
/* Decide the call and let the first candidate ring. False: nobody does. */
bool traffic_route(struct sim *sim, uint32_t call_index);
void traffic_forget(struct sim *sim, uint32_t call_index);
void traffic_give_lease(struct sim *sim, struct sim_call *call);
/* Tell the log how a ring began or ended, where that counts. */
bool traffic_fact(struct sim *sim, const struct sim_call *call, uint8_t outcome);
/* Whose phone rings, and its entry in the ticket. */
const struct ticket_candidate *traffic_candidate(const struct sim_call *call);
/* traffic_talk.c: how the ring goes, and what follows. */
void talk_plan_ring(struct sim *sim, uint32_t call_index);
void talk_do(struct sim *sim, const struct agenda_entry *entry);

/* A contractor is being offered a call: was it to be? */
void judge_offer(struct sim *sim, const struct sim_contractor *contractor);
void judge_ring(struct sim *sim, struct sim_contractor *contractor);
/* A hold was placed for a call that rang under a lease; and it was given back (not charged). */
void judge_hold(struct sim *sim, struct sim_call *call);
void judge_hold_back(struct sim *sim, struct sim_call *call);
/* TOPUP_REQUESTED: was there room for it in the owner's month (I13)? TOPUP_DONE takes room. */
void judge_topup(struct sim *sim, const struct event_row *event);
/* Everything that must be true now; `whole` looks at every call of the year. */
void judge_state(struct sim *sim, bool whole);
void judge_day(struct sim *sim);
/* Something of everything has happened. */
bool judge_counts(const struct sim *sim);

#endif
