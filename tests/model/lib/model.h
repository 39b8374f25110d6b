/*
 * model.h - the rules of domain.md once more, as plainly as they can be written.
 *
 * The model stands beside the real server: it gets the same requests at the same virtual time and
 * says what must come back. It was written from the rules and never from the server's code. The
 * one idea is to have none: arrays, searches from end to end, nothing cached, nothing derived that
 * could be computed again. Where the server keeps a counter, the model counts.
 *
 * Requests and replies are the structs of the wire, so that model_claim() and zr_claim() can be
 * held side by side. Numbers that only the server can choose (claim ids, call refs, tickets) are
 * learned by the driver from the server's reply and put into the model's rows.
 *
 * Indexes are ints into the arrays below, -1 = none. All times are Unix ms of the log clock.
 */
#ifndef ZR_TEST_MODEL_H
#define ZR_TEST_MODEL_H

#include "protocol/message.h"
#include "protocol/status.h"
#include "tests/model/lib/model_books.h"
#include "tests/model/lib/model_decisions.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MODEL_CONTRACTORS = 12,
    MODEL_ZIPS = 4,
    MODEL_CATEGORIES = 3,
    MODEL_SLOTS = MODEL_ZIPS * MODEL_CATEGORIES,
    MODEL_CLAIMS = 4096,
    MODEL_CALLS = 4096,
    MODEL_LEGS = 4,
    MODEL_TICKETS = 6,
    MODEL_EVENTS = 2048, /* Of one step. */
    MODEL_CHARGES = 8192,
    MODEL_CALLERS = 6,
    MODEL_TENANTS = 2,
};

/* Claim numbers of the model's own making lie above this until the server's is known. */
#define MODEL_PROVISIONAL (UINT64_C(1) << 48)

#define MODEL_SECOND_MS   UINT64_C(1000)
#define MODEL_MINUTE_MS   (60 * MODEL_SECOND_MS)
#define MODEL_HOUR_MS     (60 * MODEL_MINUTE_MS)
#define MODEL_DAY_MS      (24 * MODEL_HOUR_MS)

/* ---- conditions (M2) ------------------------------------------------------------------------ */

enum model_condition_bit {
    MODEL_PAUSED = 1,
    MODEL_DRY = 2,
    MODEL_SUSPENDED = 4,
    MODEL_LICENCE = 8,
    MODEL_UNAVAILABLE = 16,
    MODEL_LAPSING = 32,
};

/* One condition with its clock. A contractor's holds for all its claims. */
struct model_condition {
    bool on;
    bool passed;          /* Its deadline came; it forfeits nothing any more. */
    bool deferred;        /* DRY: a pending top-up moved it once. */
    uint8_t warned;       /* GRACE_WARNINGs that are behind: 0, 1 (50 %), 2 (10 %). */
    uint64_t grace_ms;    /* Whole length of the clock. */
    uint64_t deadline_ms; /* Kept after PAUSED is lifted: the old clock. */
    uint64_t lifted_ms;   /* PAUSED: when it was lifted; 0 = never. */
    uint64_t stamp;       /* Order among equal deadlines. */
};

/* ---- rows ------------------------------------------------------------------------------------ */

struct model_schedule {
    uint32_t version;
    uint64_t unavailable_until_ms;
    uint16_t hours_length; /* 0 = always open. */
    uint8_t hours[84];
    uint16_t exceptions_count, vacations_count;
    struct zr_schedule_exception exceptions[16];
    struct zr_schedule_vacation vacations[8];
};

/* What happened in a cap's window: facts with their time, summed when asked. */
struct model_usage {
    uint64_t time_ms;
    int64_t amount;
    uint8_t measure; /* enum zr_cap_measure */
    int call, leg;   /* SPEND: the leg whose hold or charge it is. */
};
enum { MODEL_USAGES = 4096 };

/* A phone rang and was answered or not (R62). */
struct model_ring {
    uint64_t time_ms;
    bool answered;
};
enum { MODEL_RINGS = 8192 }; /* More than a run has steps. */

/* One request for money: its amount stays what it was asked for. */
struct model_attempt {
    uint64_t id;
    int64_t amount;
    bool answered, ok;
};
enum { MODEL_ATTEMPTS = 256 };

struct model_autotopup {
    uint32_t version;
    bool enabled;
    int64_t threshold, amount, monthly_max;
    uint16_t methods_count;
    uint8_t state; /* enum zr_topup_state */
    uint8_t failures, method, round;
    uint64_t retry_ms, stamp;
    bool retry_due;
    uint64_t attempt; /* Serial of the newest, from 1; the server's id is learned. */
    struct model_attempt attempts[MODEL_ATTEMPTS]; /* By serial. */
    int64_t pending;
    uint64_t limit_month; /* TOPUP_LIMIT was said for this local month. */
    struct {
        uint64_t time_ms;
        int64_t amount;
    } credited[64];
    uint16_t credited_count;
};

struct model_contractor {
    uint32_t number, tenant, version;
    int zone;
    uint64_t licence_ms, licence_stamp, closing_ms, closing_stamp;
    uint64_t edge_ms, edge_stamp; /* The next begin or end of a vacation, 0 = none. */
    struct model_condition paused, suspended, licence, unavailable;
    struct model_schedule schedule;
    struct zr_caps_put_request caps;
    uint64_t last_ring_ms, cooldown_until_ms, down_until_ms;
    uint64_t phones[4];
    int64_t main, credit, charged;
    struct zr_filters_put_request filters;
    uint64_t funds_asked_ms, funds_stamp; /* A look at all claims is due; 0 = it is not. */
    struct model_autotopup autotopup;
    uint64_t cap_window[12];
    struct model_usage usages[MODEL_USAGES];
    int usages_count;
    struct model_ring rings[MODEL_RINGS];
    int rings_count;
    uint32_t caps_version, filters_version;
    uint8_t cap_said[12]; /* Highest of 75, 90, 100 that was reached when it was judged last. */
    uint16_t max_concurrency, phones_count;
    uint8_t status, misses, failed_row, modes, phones_down, funds_state;
    bool rate_told; /* ANSWER_RATE_LOW was, and nothing was better since. */
};

struct model_claim {
    uint64_t id, seq;
    int contractor, slot;
    bool live;
    uint8_t ended_state;
    uint64_t claimed_ms, ended_ms;
    struct model_condition paused, dry;
    uint64_t period_end_ms, period_stamp; /* LAPSING when not 0. */
};

struct model_slot {
    uint32_t zip;
    uint16_t category;
    int zip_index, category_index;
    int primary;     /* Claim. */
    int offer_claim; /* Claim that the title is offered to. */
    uint64_t offer_id, offer_deadline_ms, offer_stamp;
    uint64_t chain_seq; /* The chain has come this far. */
    int waitlist[MODEL_CONTRACTORS];
    int waiting;
    uint64_t reserved_until_ms, reserved_stamp; /* For waitlist[0]; 0 = no reservation. */
    uint64_t rates_asked_ms, rates_stamp;       /* Ranks moved, and rates with them; 0 = no. */
};

/* An offer that was once made: its reply after the fact is OFFER_CLOSED. */
struct model_offer {
    uint64_t id;
    int claim;
    uint64_t deadline_ms;
};

struct model_ticket {
    bool query;
    uint8_t length;
    uint8_t bytes[192];
    uint64_t issued_ms, expires_ms;
    uint64_t first_ms; /* Of the call's first ROUTE, by its call_ref. */
    uint8_t revision, attempt, want;
    uint8_t tried_count, candidates_count;
    int tried[8];
    struct {
        int contractor;
        uint8_t rank;
        int64_t rate;
        uint64_t phone;
    } candidates[4];
    int slot;
    uint64_t caller;
    bool screened;
    uint8_t attestation;
    uint32_t qualify_ms;
    uint16_t ring_timeout_s;
    struct zr_route_reply reply; /* As the server gave it. */
    int decision_count;          /* 1 + its row in `decisions`; 0 = none. */
};

struct model_leg {
    int contractor;
    uint8_t index, rank, settlement;
    bool unit, voicemail, ended, flagged, short_end, swept, late_told;
    bool in_newest; /* When it ended, its contractor stood in the call's newest ticket. */
    int64_t rate, hold, amount, credited;
    int64_t from_credit, from_main, from_write_off; /* How the charge was paid. */
    bool end_voicemail, end_short;                  /* Of its END. */
    uint32_t qualify_ms;                            /* Of its ticket. */
    uint32_t talk_ms;
    uint64_t connected_ms, answered_ms, ended_ms, alive_ms, settled_ms;
    uint64_t issued_ms, ttl_ms, sweep_ms, stamp;
    struct {
        bool open;
        uint8_t state, reason;
        uint64_t opened_ms, resolved_ms;
        int64_t resolved_cents;
    } dispute;
};

struct model_call {
    uint32_t tenant;
    struct zr_id call_id, call_ref;
    struct zr_route_request request; /* The newest ROUTE's inputs. */
    struct zr_route_request granted; /* Of the newest that got a ticket. */
    bool exhausted;                  /* The newest decision found nobody: it has no ticket. */
    int slot;
    uint64_t caller; /* 0 = withheld. */
    int charge_slot; /* Of the ticket of the newest leg, until the call was charged. */
    uint64_t charge_caller;
    bool screened_leg;       /* Of the ticket of the newest leg. */
    uint8_t charge_revision; /* The newest that came to a leg. */
    bool remembered;         /* This server process saw its ROUTE. */
    bool cancelled;          /* CALLER_CANCELLED was told to this process. */
    bool durable;            /* A CONNECT or END was committed. */
    uint8_t state;           /* enum zr_call_state, once durable. */
    uint8_t revision;
    uint64_t first_ms;       /* Of the first ROUTE; what the budget counts from. */
    uint64_t known_until_ms; /* The server process may remember it until then. */
    bool repeats; /* The newest question asked again gets its answer again: no CONNECT since. */
    uint8_t screening; /* Bits that a CALLCENTER set, while the server process knows the call. */
    bool screened;     /* Of the decision that is being made. */
    uint8_t attestation;
    uint8_t attempt, tried_count; /* Attempts that ended, and whose they were. */
    int tried[8];
    int tickets_count;
    struct model_ticket tickets[MODEL_TICKETS];
    int legs_count;
    struct model_leg legs[MODEL_LEGS];
    int connected; /* Leg. */
    int lease_contractor;
    int64_t lease_rate;
    uint64_t lease_until_ms;
    int decliners[MODEL_LEGS]; /* Had their turn, whatever is routed anew (R35). */
    uint8_t decliners_count;
};

struct model_charge {
    int call, leg, contractor, category_index;
    uint64_t caller, time_ms; /* caller: 0 = withheld. */
};

/* Charges of one caller: 1 + place in `charges`, 0 = none. */
struct model_recent {
    int newest, before;
};

/*
 * Fields as in protocol/messages.def. What only the server can number is named by the model's own
 * count in `serial`: an offer by its stamp, an attempt of a top-up by its place among those of its
 * contractor; compare_events.c knows the numbers.
 */
struct model_event {
    uint64_t time_ms, deadline_ms, claim_id, number, serial;
    int64_t amount;
    int contractor;        /* -1 = none. */
    int call_count;        /* 1 + the call it is about; 0 = none. */
    struct zr_id call_ref; /* Of the ticket by which the phone rang; zero = the call's. */
    uint32_t tenant, zip;
    uint16_t category;
    uint8_t type, code;
};

/* A policy with what POLICY_PUT carries behind it. */
struct model_policy {
    struct zr_policy rules;
    uint32_t cooldown_s, dispute_days;
    uint8_t cooldown_misses, attestation_min;
    uint32_t version;
};

struct model {
    uint64_t now_ms;
    uint64_t stamp;
    struct model_policy network, category[MODEL_CATEGORIES];
    int64_t rate[MODEL_CATEGORIES];
    uint32_t rate_version[MODEL_CATEGORIES];
    struct model_contractor contractors[MODEL_CONTRACTORS];
    struct model_slot slots[MODEL_SLOTS];
    struct model_claim claims[MODEL_CLAIMS];
    int claims_count;
    int live[MODEL_CLAIMS]; /* Those that have not ended, by seq. */
    int live_count;
    uint64_t seq;      /* Of the model's own making: for claims whose number is not known yet. */
    uint64_t seq_seen; /* The server's last. */
    struct model_offer offers[MODEL_CLAIMS];
    int offers_count;
    struct model_call calls[MODEL_CALLS];
    int calls_count;
    int active[MODEL_CALLS]; /* Calls with a lease or a leg that has not ended. */
    int active_count;
    struct model_ref refs[MODEL_REFS];
    int refs_count;
    struct model_charge charges[MODEL_CHARGES];
    int charges_count;
    struct model_recent recent[MODEL_CALLERS][MODEL_CATEGORIES][MODEL_CONTRACTORS + 1];
    struct model_adjust adjusts[MODEL_ADJUSTS];
    int adjusts_count;
    bool suppressed[MODEL_CALLERS];
    struct model_event events[MODEL_EVENTS];
    int events_count;
    uint64_t events_lost;
    int64_t network_accounts[ZR_ACCOUNT_POOL + 1]; /* Of the network; the wallets are apart. */
    struct model_books books;
    struct model_decisions decisions;
};

/* ---- model_time.c ---------------------------------------------------------------------------- */

enum { MODEL_NEW_YORK, MODEL_CHICAGO, MODEL_LOS_ANGELES, MODEL_PUERTO_RICO };

/* Wall clock of a zone as if it were UTC: its days and quarter hours can be divided out. */
uint64_t model_local_ms(int zone, uint64_t time_ms);

/* The instant at which local day `day` (days since 1970-01-01) begins. */
uint64_t model_midnight_ms(int zone, uint64_t day);

/* Year, month 1..12 and day of a count of days, and back. */
void model_date(uint64_t day, int *year, int *month, int *month_day);
uint64_t model_day(int year, int month, int month_day);

/* Next instant > after_ms that is the anchor day's 00:00 local (M2 LAPSING). */
uint64_t model_period_end(int zone, uint64_t claimed_ms, uint64_t after_ms);

/* A vacation, or before "unavailable until". */
bool model_on_vacation(const struct model_contractor *who, uint64_t time_ms);
/* Bits OUT_OF_HOURS and VACATION of this moment. */
uint32_t model_schedule_reasons(const struct model *model, int contractor);

/* Start of the window of a cap that holds this moment; end is exclusive. */
void model_window(int zone, uint8_t window, uint64_t time_ms, uint64_t *start, uint64_t *end);

/* Let everything happen that falls due until `to_ms`, each at its own time; then it is to_ms. */
void model_advance(struct model *model, uint64_t to_ms);

/* Work of this instant: what is due now already. */
void model_settle(struct model *model);

/* The k-th of the deadlines ahead, by time; 0 = there are none. Leases are among them. */
uint64_t model_deadline(const struct model *model, uint32_t k);

/* Clocks that the server gives back in steps of 100 ms: true while one of them is in doubt. */
bool model_in_doubt(const struct model *model);

void model_condition_set(struct model *model, struct model_condition *condition,
                         uint64_t deadline_ms, uint64_t grace_ms);
void model_condition_clear(struct model_condition *condition);
void model_pause(struct model *model, struct model_condition *condition, uint64_t grace_ms);
/* Another schedule, or an edge of it has come: wait for the next one. */
void model_edge_arm(struct model *model, int contractor);
void model_unavailable_judge(struct model *model, int contractor);
/* A claim became PRIMARY: what had passed while it was a backup starts anew. */
void model_conditions_restart(struct model *model, int claim);

/* ---- model_claims.c -------------------------------------------------------------------------- */

bool model_claim_live(const struct model *model, int slot, int claim);
uint8_t model_rank(const struct model *model, int claim);
int64_t model_rate_at(const struct model *model, int slot, uint8_t rank);
int64_t model_claim_rate(const struct model *model, int claim);
uint8_t model_claim_state(const struct model *model, int claim);
uint8_t model_conditions(const struct model *model, int claim);
uint8_t model_title_state(const struct model *model, int slot);
int model_live_count(const struct model *model, int slot);
int model_live_of(const struct model *model, int slot, int contractor);
int model_slot_at(const struct model *model, uint32_t zip, uint16_t category);
int model_contractor_at(const struct model *model, uint32_t number);
const struct model_policy *model_policy_of(const struct model *model, int slot);
/* The map's two lenses (R42): would the title, would any position be an outsider's? */
bool model_is_taken(const struct model *model, int slot);
bool model_is_full(const struct model *model, int slot);

void model_claim_end(struct model *model, int claim, uint8_t state, uint8_t code);
void model_forfeit(struct model *model, int claim, uint8_t bit);
/* The offer's holder cannot have it any more: CANCELLED, and the chain goes on. */
void model_offers_cancel(struct model *model, int contractor);
void model_offers_cancel_of(struct model *model, int slot);
void model_offer_expire(struct model *model, int slot);
void model_reservation_end(struct model *model, int slot);
void model_reserve(struct model *model, int slot);
void model_close(struct model *model, int contractor);

int model_claim(struct model *model, const struct zr_claim_request *request,
                struct zr_claim_reply *reply);
int model_release(struct model *model, uint32_t tenant, const struct zr_release_request *request,
                  struct zr_claim_state_reply *reply, bool *duplicate);
int model_pause_claim(struct model *model, uint32_t tenant, const struct zr_pause_request *request,
                      struct zr_claim_state_reply *reply, bool *duplicate);
int model_resume_claim(struct model *model, uint32_t tenant,
                       const struct zr_resume_request *request, struct zr_claim_state_reply *reply,
                       bool *duplicate);
int model_offer_reply(struct model *model, uint32_t tenant,
                      const struct zr_offer_reply_request *request,
                      struct zr_offer_reply_reply *reply, bool *duplicate);
int model_waitlist_join(struct model *model, const struct zr_waitlist_request *request,
                        struct zr_waitlist_reply *reply, bool *duplicate);
int model_waitlist_leave(struct model *model, const struct zr_waitlist_request *request,
                         struct zr_waitlist_reply *reply, bool *duplicate);
int model_status(struct model *model, const struct zr_contractor_status_request *request);

/* ---- model_duplicates.c ---------------------------------------------------------------------- */

void model_duplicates_charged(struct model *model, int charge);
/* The leg's charge was given back in full: it counts no more (E61). */
void model_duplicates_credited(struct model *model, int call, int leg);
/* Would this leg be free, for its caller was charged within dup_days before? */
bool model_is_duplicate(const struct model *model, int call, int leg);
/* A charge of that caller to that contractor in that category stands within dup_days. */
bool model_was_charged(const struct model *model, int slot, int contractor, uint64_t caller);
/* E60: the charge before this one, of the same caller, stands within dup_days. */
bool model_is_provable_duplicate(const struct model *model, int call, int contractor);

/* ---- model_money.c, model_caps.c ------------------------------------------------------------- */

int64_t model_holds(const struct model *model, int contractor);
int64_t model_posted(const struct model *model, int contractor);
int64_t model_available(const struct model *model, int contractor);
int64_t model_dearest(const struct model *model, int contractor);
int64_t model_cheapest(const struct model *model, int contractor);
int64_t model_overdraft(const struct model *model, int slot, int contractor, int64_t rate);
uint8_t model_funds_state(const struct model *model, int contractor);

/* Posted money, holds or rates of a contractor changed: DRY, LOW, automatic top-up. */
void model_wallet_touched(struct model *model, int contractor);
/* Only rates or claims changed: work of this instant looks at DRY and the wallet's state. */
void model_rates_touched(struct model *model, int contractor);
void model_funds_pass(struct model *model, int contractor);
/* Ranks in that slot moved: everybody there has another rate. */
void model_slot_rates(struct model *model, int slot);

void model_charge(struct model *model, int call, int leg);
void model_credit_back(struct model *model, int call, int leg, int64_t amount);
/* NULL = nobody ever sent it. */
struct model_ref *model_ref_at(struct model *model, const char *text);
struct model_adjust *model_adjust_at(struct model *model, const struct zr_id *id);
void model_topup_credit(struct model *model, int contractor, const char *text, int64_t amount);
void model_topup_try(struct model *model, int contractor);
void model_payout(struct model *model, int contractor);
/* A dispute is resolved: if the account waited for it, it closes now. */
void model_payout_ask(struct model *model, int contractor);
int64_t model_month_cents(const struct model *model, int contractor);
uint64_t model_cap_used(const struct model *model, int contractor, const struct zr_cap *cap);
void model_use(struct model *model, int contractor, const struct model_usage *usage);
/* R62: count it, and warn; what was counted in the 30 days that end today. */
void model_ring_ended(struct model *model, int contractor, bool answered);
int model_rings(const struct model *model, int contractor);
int model_answers(const struct model *model, int contractor);
void model_caps_judge(struct model *model, int contractor);
void model_caps_put(struct model *model, int contractor);

int model_topup(struct model *model, const struct zr_topup_request *request,
                struct zr_topup_reply *reply, bool *duplicate);
int model_topup_reversed(struct model *model, const struct zr_topup_reversed_request *request,
                         struct zr_topup_reply *reply, bool *duplicate);
int model_autotopup_put(struct model *model, const struct zr_autotopup_put_request *request);
int model_topup_result(struct model *model, int contractor, uint64_t attempt,
                       const struct zr_topup_result_request *request, bool *duplicate);
int model_adjust(struct model *model, int principal, const struct zr_adjust_request *request,
                 struct zr_adjust_reply *reply, bool *duplicate);
int model_dispute_open(struct model *model, const struct zr_dispute_open_request *request,
                       struct zr_dispute_reply *reply);
int model_dispute_resolve(struct model *model, const struct zr_dispute_resolve_request *request,
                          struct zr_dispute_reply *reply, bool *duplicate);

/* ---- model_route.c, model_calls.c, model_end.c, model_settlement.c --------------------------- */

/* ROUTE and ROUTE_NEXT: the server must repeat the reply it gave before, byte for byte. */
enum { MODEL_REPEATED = -1000 };

/* The k-th caller's number. */
uint64_t model_caller(int caller);

/* Who asks: a SWITCH or CALLCENTER of a tenant. */
struct model_asker {
    uint32_t tenant;
    bool callcenter;
};

/* The server process knows the call: until its newest ticket ends. */
bool model_remembers(const struct model *model, const struct model_call *call);
/* The newest ticket of the newest revision, -1 = nobody was found by it. */
int model_newest(const struct model_call *call);
/* The server process knows the call, and its newest revision has a ticket. */
bool model_has_newest(const struct model *model, const struct model_call *call);
/* The call has a lease or a leg now. */
void model_activate(struct model *model, int call);
uint32_t model_reasons(const struct model *model, int call, int claim);
/* Nothing but what a call itself may bring stands against it now. */
bool model_may_ring(const struct model *model, int claim);
int model_units(const struct model *model, int contractor);
int64_t model_leased(const struct model *model, int contractor, int except_call);
int model_leases(const struct model *model, int contractor, int except_call);

/* call: the model's row for this call id (made by the driver). */
int model_route(struct model *model, const struct model_asker *asker, int call,
                const struct zr_route_request *request, struct zr_route_reply *reply);
int model_route_next(struct model *model, int call, int ticket,
                     const struct zr_route_next_request *request, struct zr_route_reply *reply);
/* What a report of a switch is about. */
struct model_report {
    int call;
    int ticket;     /* -1 = none. */
    bool keepalive; /* KEEPALIVE, not QUALIFY; a CONNECT on a session that promised it. */
};
int model_connect(struct model *model, struct model_report report,
                  const struct zr_connect_request *request, struct zr_connect_reply *reply,
                  bool *duplicate);
int model_qualify(struct model *model, struct model_report report,
                  const struct zr_qualify_request *request, struct zr_settlement_reply *reply,
                  bool *duplicate);
int model_end(struct model *model, struct model_report report, const struct zr_end_request *request,
              struct zr_settlement_reply *reply, bool *duplicate);
int model_decline(struct model *model, int call, const struct zr_decline_request *request,
                  bool *duplicate);
void model_sweep(struct model *model, int call, int leg);

/* Of one another only. A report was answered with that state; ended_leg: END's leg, else -1. */
void model_report_done(struct model_call *call, uint8_t state, int ended_leg);
/* Nobody's phone rings for that call any more, and its lease is over. */
void model_silence(struct model_call *call);
int model_ticket_judge(const struct model *model, const struct model_ticket *ticket, uint8_t index,
                       uint64_t answered_at_ms);
int model_leg_of(const struct model_call *call, int contractor);
/* The first CONNECT or END of a call gives it its row, by that ticket. */
void model_call_begin(struct model_call *call, const struct model_ticket *ticket);
int model_leg_add(struct model *model, int call, const struct model_ticket *ticket, uint8_t index);
void model_settlement_fill(const struct model *model, int call, int leg,
                           struct zr_settlement_reply *reply);
bool model_call_is_charged(const struct model_call *call);
void model_leg_settle(struct model *model, int call, int leg, bool voicemail);
uint32_t model_talk_cut(const struct model *model, int call, const struct model_leg *leg,
                        uint32_t talk_ms, uint64_t at_ms);
void model_talk_report(const struct model *model, int call, struct model_leg *leg,
                       uint32_t talk_ms);

/* The server process is gone: what only its memory held is lost. */
void model_restarted(struct model *model);

/* ---- model_rings.c --------------------------------------------------------------------------- */

/* The first candidate's phone rings from now on. */
void model_ring_begin(struct model *model, int call_index, const struct model_ticket *ticket);
/* Somebody did not pick up: noted behind the decision about who rings next. */
void model_ring_missed(struct model *model, int call_index, int contractor,
                       const struct zr_id *call_ref, uint8_t outcome);

/* ---- model_events.c -------------------------------------------------------------------------- */

void model_event(struct model *model, uint8_t type, const struct model_event *event);
void model_claim_event(struct model *model, uint8_t type, int claim, uint8_t code,
                       uint64_t deadline_ms);
/* About the offer that is pending in that slot. */
void model_offer_event(struct model *model, uint8_t type, int slot);
/* About a call; its place is that of `slot`. */
void model_call_event(struct model *model, uint8_t type, int call, int slot,
                      const struct model_event *event);
/* About an attempt of its contractor's automatic top-up, by its serial. */
void model_attempt_event(struct model *model, uint8_t type, int contractor, uint64_t serial,
                         uint8_t code);

/* Count what breaks I1-I14 in the model itself; prints each. */
int model_invariants(const struct model *model);

#endif
