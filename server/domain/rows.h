/*
 * rows.h - the rows that the rules work on, as they are stored.
 *
 * Fixed little-endian layouts, stored as they stand here (sizes asserted below), each followed
 * by a checksum that store adds. Money is integer US cents (R67); times are Unix ms of the log
 * clock; what is said to be exclusive is over at that very millisecond.
 *
 * Two kinds of table. Rows of *direct* tables are written in the command's own transaction. Rows
 * of *folded* tables (wallet, usage, answer rate, account, call index, duplicate index) would dirty
 * a random page per call; they change in memory, their new images stand in the journal row, and
 * they are written back a few at a time (architecture.md "State").
 */
#ifndef ZR_ROWS_H
#define ZR_ROWS_H

#include "protocol/message.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SLOT_CLAIMS_MAX = 32,
    CALL_LEGS_MAX = 4,
    CONTRACTOR_PHONES_MAX = 4,
    CATEGORIES_MAX = 256, /* Category numbers are 1..255. */
    ZIPS_COUNT = ZR_ZIP_MAX + 1,
    CONTRACTOR_ANY = 0,        /* In the duplicate index: judged over the whole network. */
    SCHEDULE_HOURS_BYTES = 84, /* 672 quarter hours of a week. */
    SCHEDULE_EXCEPTIONS_MAX = 16,
    SCHEDULE_VACATIONS_MAX = 8,
    CAP_WINDOWS = 4,  /* enum zr_cap_window - 1 */
    CAP_MEASURES = 3, /* enum zr_cap_measure - 1 */
    ANSWER_RATE_DAYS = 30,
    FILTER_CALLERS_MAX = 16,
    FILTER_PARTNERS_MAX = 8,
    TOPUP_METHODS_MAX = 4,
};

/* ---- territory ------------------------------------------------------------------------------ */

struct zip_row {
    int32_t latitude_e5;
    int32_t longitude_e5;
    uint32_t population;
    uint32_t density_e1;
    uint32_t county_fips;
    uint8_t claimable;
    char state[2];
    uint8_t reserved;
    char timezone[32];
    char city[32];
};
_Static_assert(sizeof(struct zip_row) == 88, "stored layout");

struct category_row {
    int64_t rate_cents;
    uint32_t version;
    uint8_t offered;
    uint8_t everywhere;
    uint8_t reserved[2];
    char name[32];
};
_Static_assert(sizeof(struct category_row) == 48, "stored layout");

struct policy_row {
    uint32_t version;
    uint32_t qualify_ms;
    uint32_t dup_days;
    uint32_t funds_grace_s;
    uint32_t pause_grace_s;
    uint32_t offer_window_s;
    uint32_t max_call_s;
    int32_t overdraft_cents;
    uint16_t ring_timeout_s;
    uint16_t cascade_budget_s;
    uint16_t multiplier_2_bp;
    uint16_t multiplier_3_bp;
    uint8_t max_positions;
    uint8_t max_attempts;
    uint8_t screening_required;
    uint8_t dup_scope;
    uint8_t funds_rule;
    uint8_t duration_check;
    uint8_t attestation_min; /* 0 any, 1 A, 2 B, 3 C: or better (E40). */
    uint8_t cooldown_misses; /* 0 = off (R36). */
    uint32_t cooldown_s;
    uint32_t dispute_days;
};
_Static_assert(sizeof(struct policy_row) == 56, "stored layout");

/* Where a policy stands. NETWORK has category and zip 0, CATEGORY has zip 0. */
struct policy_key {
    uint8_t scope; /* enum zr_policy_scope */
    uint16_t category;
    uint32_t zip;
};

/* ---- people --------------------------------------------------------------------------------- */

struct principal_row {
    uint32_t version;
    uint32_t tenant;
    uint32_t contractor;
    uint8_t role;
    uint8_t reserved[3];
    char name[32];
};
_Static_assert(sizeof(struct principal_row) == 48, "stored layout");

/* The clock of a pause (M2). */
struct pause_clock {
    uint64_t until_ms;    /* As announced; for people. */
    uint64_t deadline_ms; /* When the grace is over; kept after a RESUME, 0 = never paused. */
    uint64_t resumed_ms;  /* The last RESUME. */
};

/*
 * Conditions of M2, as bits. Those of the contractor hold for all its claims; PAUSED exists on
 * both. A deadline of 0 means that the condition is not there. The deadline in the row is the
 * truth; the timer at that instant only makes somebody look.
 */
enum condition {
    CONDITION_PAUSED = 1,
    CONDITION_DRY = 2,
    CONDITION_SUSPENDED = 4,
    CONDITION_LICENCE_LAPSED = 8,
    CONDITION_UNAVAILABLE = 16,
    CONDITION_LAPSING = 32,
};

/* Ways in which calls may be delivered: bits of contractor_row.modes (R19, R28). */
enum contractor_mode { MODE_PHONE = 1, MODE_APP = 2, MODE_SMS = 4 };

/* Rows that the contractor has beside this one: bits of contractor_row.profile. */
enum contractor_profile {
    PROFILE_SCHEDULE = 1,
    PROFILE_CAPS = 2,
    PROFILE_FILTERS = 4,
    PROFILE_USAGE = 8,
};

struct contractor_row {
    struct zr_id contractor_id;
    uint64_t licence_expires_ms; /* Exclusive; 0 = never. */
    struct pause_clock pause;
    uint64_t suspended_deadline_ms;   /* SUSPENDED: 14 d after it began (M2). */
    uint64_t licence_deadline_ms;     /* LICENCE_LAPSED: 30 d after the expiry. */
    uint64_t unavailable_deadline_ms; /* UNAVAILABLE: 14 d without a break. */
    uint64_t closing_ms;              /* Log time of CLOSING; 0 = not. */
    uint64_t phones[CONTRACTOR_PHONES_MAX];
    uint32_t version;
    uint32_t tenant;
    uint32_t office_zip;
    uint32_t claims; /* Live ones. */
    uint16_t max_concurrency;
    uint8_t status; /* enum zr_contractor_status */
    uint8_t size_class;
    uint8_t has_dispatch;
    uint8_t paused;
    uint8_t phones_count;
    uint8_t modes;       /* enum contractor_mode bits; 0 = PHONE. */
    uint8_t phones_down; /* Bit i: phones[i] is out of order. */
    uint8_t profile;     /* enum contractor_profile bits. */
    uint8_t zone;        /* Of the office ZIP (localtime.h). */
    uint8_t paid_out;    /* The account was closed and its money paid out (payout.h). */
    uint8_t reserved[4];
    uint32_t disputes_open; /* A payout waits for them (M4 "CLOSING"). */
    uint32_t reserved2;
    char name[64];
};
_Static_assert(sizeof(struct contractor_row) == 216, "stored layout");

/*
 * The hours of one local date, in place of the weekly ones: open in [open_quarter,
 * close_quarter), closed all day when they are equal. Several of one date add up.
 */
struct schedule_exception {
    int32_t day;            /* Days since 1970-01-01. */
    uint16_t open_quarter;  /* 0..96 */
    uint16_t close_quarter; /* open_quarter..96 */
};
_Static_assert(sizeof(struct schedule_exception) == 8, "stored layout");

/* Local dates, both of them included. */
struct schedule_vacation {
    int32_t first_day;
    int32_t last_day;
};
_Static_assert(sizeof(struct schedule_vacation) == 8, "stored layout");

/* When a contractor takes calls, by its local clock (schedule.h). */
struct schedule_row {
    uint8_t hours[SCHEDULE_HOURS_BYTES]; /* Bit q of the week = open; bit 0 of byte 0 is Monday
                                            00:00. */
    uint8_t zone;                        /* localtime.h */
    uint8_t next_zone;                   /* 0 = no change is ahead or was. */
    uint8_t exceptions_count;
    uint8_t vacations_count;
    uint32_t version;
    int32_t next_zone_day;         /* From this day of the old zone on, next_zone is the zone. */
    uint64_t armed_ms;             /* The edge that a TIMER_SCHEDULE waits for; 0 = none does. */
    uint64_t unavailable_until_ms; /* Exclusive; 0 = not set. */
    struct schedule_exception exceptions[SCHEDULE_EXCEPTIONS_MAX];
    struct schedule_vacation vacations[SCHEDULE_VACATIONS_MAX];
};
_Static_assert(sizeof(struct schedule_row) == 304, "stored layout");

/* What a contractor wants to be rung for at most (R13). -1 = not capped. */
struct caps_row {
    int64_t limits[CAP_WINDOWS][CAP_MEASURES];
    uint32_t spacing_s;
    uint32_t version;
};
_Static_assert(sizeof(struct caps_row) == 104, "stored layout");

struct usage_window {
    uint64_t start_ms; /* First instant of the window on the local clock. */
    uint64_t end_ms;   /* Exclusive; a reader past it counts from 0. */
    int64_t spend_cents;
    uint32_t calls;
    uint32_t connects;
};

/* Folded. What was used of the caps, and how the phone behaves. */
struct usage_row {
    struct usage_window windows[CAP_WINDOWS];
    uint64_t last_ring_ms; /* Spacing. */
    uint64_t cooldown_until_ms;
    uint64_t down_until_ms; /* The destination failed repeatedly. */
    uint16_t misses;        /* In a row (R36). */
    uint16_t failures;      /* FAILED in a row. */
    uint32_t reserved;
};
_Static_assert(sizeof(struct usage_row) == 160, "stored layout");

struct answer_day {
    uint16_t answered; /* Both stay at UINT16_MAX. */
    uint16_t missed;
};

/* Folded. How a contractor took the calls of the last days (answer_rate.h). */
struct answer_rate_row {
    struct answer_day days[ANSWER_RATE_DAYS]; /* Day d stands at d % ANSWER_RATE_DAYS. */
    uint32_t day;                             /* The newest, in UTC days since 1970-01-01. */
    uint8_t told;                             /* ANSWER_RATE_LOW was, and it is still low. */
    uint8_t reserved[3];
};
_Static_assert(sizeof(struct answer_rate_row) == 128, "stored layout");

/* Whom a contractor takes no calls from. */
struct filters_row {
    uint32_t version;
    uint8_t attestation_min;
    uint8_t no_duplicates;
    uint8_t partners_rule; /* 0 all, 1 only those listed, 2 all but those. */
    uint8_t partners_count;
    uint32_t partners[FILTER_PARTNERS_MAX];
    uint64_t blocked[FILTER_CALLERS_MAX]; /* E.164 digits, 0 = none. */
};
_Static_assert(sizeof(struct filters_row) == 168, "stored layout");

/*
 * Folded. The contractor's two accounts are liabilities; `held` is a reservation, no posting.
 *
 * Every claim has its own rate and so its own DRY. Between two neighbouring rates of its claims
 * a balance may move without any of them becoming dry or funded, so the wallet remembers the
 * two neighbours that it stands between, and only a charge that crosses one has the claims
 * looked at (funds.h).
 */
struct wallet_row {
    int64_t main_cents;
    int64_t credit_cents;
    int64_t held_cents;
    int64_t charged_cents;  /* Of all time. */
    int64_t rate_max_cents; /* Dearest live claim: default overdraft, LOW (M5). */
    int64_t rate_min_cents; /* Cheapest live claim: DRY below it; 0 = no claim. */
    int64_t floor_cents;    /* MAIN + CREDIT below this, or at or above the next: look again. */
    int64_t ceiling_cents;
    int64_t topup_below_cents; /* Automatic top-up when available is below it; INT64_MIN = never. */
    uint64_t last_transfer;    /* Newest posting: head of the wallet's ledger, 0 = none. */
    uint8_t funds_state;       /* enum zr_funds_state as last told by an event; 0 = OK. */
    uint8_t funds_pass;        /* Number of the newest look at the claims (funds.h). */
    uint8_t funds_work;        /* enum funds_work: is that look still to come? */
    uint8_t reserved[5];
};
_Static_assert(sizeof(struct wallet_row) == 88, "stored layout");

/* Automatic top-up (R65, I13). attempt_id = contractor << 32 | count: it names its contractor. */
struct autotopup_row {
    int64_t threshold_cents;
    int64_t amount_cents;
    int64_t monthly_max_cents; /* 0 = no bound. */
    int64_t month_cents;       /* Of local month `month`, credited and pending. */
    uint64_t attempt_id;
    uint64_t attempt_ms;
    uint64_t retry_ms;
    int64_t attempt_cents;
    int32_t month; /* Months since 1970-01. */
    uint32_t version;
    uint8_t state; /* enum zr_topup_state */
    uint8_t enabled;
    uint8_t failures; /* In a row, of all methods. */
    uint8_t method;
    uint8_t methods_count;
    uint8_t limit_told; /* TOPUP_LIMIT was said this month. */
    uint8_t reserved[2];
    char methods[TOPUP_METHODS_MAX][32];
};
_Static_assert(sizeof(struct autotopup_row) == 208, "stored layout");

/* ---- claims --------------------------------------------------------------------------------- */

/* One claim inside its slot's cascade. Claims stand in seq order; the id is the seq (R46). */
struct slot_claim_row {
    uint64_t claim_id;
    uint32_t contractor;
    uint8_t title; /* enum zr_title */
    uint8_t paused;
    uint8_t lapsing;
    uint8_t reserved;
};
_Static_assert(sizeof(struct slot_claim_row) == 16, "stored layout");

/*
 * Stored up to the last claim. title_state (enum zr_title_state):
 *
 *     VACANT --CLAIM--> HELD --primary ends--> OFFERED --accepted--> HELD
 *     OFFERED --nobody accepts--> OPEN --CLAIM--> HELD        (no live claim left: VACANT)
 *
 * A reservation for the head of the waitlist may stand beside VACANT, OPEN and HELD.
 */
struct slot_row {
    uint64_t version;
    uint64_t offer_id;             /* Pending offer; 0 = none. */
    uint64_t offer_claim_id;       /* Who has it. */
    uint64_t offer_deadline_ms;    /* Exclusive. */
    uint64_t chain_claim_id;       /* The chain of offers has passed the claims up to this one. */
    uint64_t reserved_deadline_ms; /* Exclusive. */
    uint32_t reserved_contractor;  /* Whom a free position waits for; 0 = none. */
    uint16_t claims_count;
    uint16_t waiting;    /* Contractors on the waitlist. */
    uint8_t title_state; /* enum zr_title_state */
    uint8_t taken;       /* The title is held, offered or reserved (R42). */
    uint8_t full;        /* Nor any position. Both as of the last change of the slot. */
    uint8_t reserved[5];
    struct slot_claim_row claims[SLOT_CLAIMS_MAX];
};
_Static_assert(sizeof(struct slot_row) == 64 + 16 * SLOT_CLAIMS_MAX, "stored layout");

struct claim_row {
    uint64_t claimed_ms;
    uint64_t ended_ms; /* 0 = live. */
    struct pause_clock pause;
    uint64_t dry_deadline_ms; /* DRY: 0 = not dry. */
    uint64_t lapse_ms;        /* LAPSING: end of its period; 0 = renews. */
    uint32_t zip;
    uint32_t contractor;
    uint16_t category;
    uint8_t state;        /* enum zr_claim_state */
    uint8_t title;        /* enum zr_title; of an ended claim the last one. */
    uint8_t anchor_day;   /* Of the month, local: periods end there (M2). */
    uint8_t dry_deferred; /* The deadline waited for a pending top-up already. */
    uint8_t reserved[2];
};
_Static_assert(sizeof(struct claim_row) == 72, "stored layout");

/* An offer of a vacant title (R64). */
struct offer_row {
    uint64_t claim_id;
    uint64_t made_ms;
    uint64_t deadline_ms; /* Exclusive. */
    uint32_t zip;
    uint32_t contractor;
    uint16_t category;
    uint8_t state; /* enum zr_offer_state */
    uint8_t reserved[5];
};
_Static_assert(sizeof(struct offer_row) == 40, "stored layout");

/* ---- time ------------------------------------------------------------------------------------ */

/* Why somebody has to look at that instant; timer.h says what each does. */
enum timer_kind {
    TIMER_OFFER = 1,      /* number = offer_id */
    TIMER_RESERVATION,    /* zip, category */
    TIMER_CLAIM,          /* number = claim_id; code = condition */
    TIMER_CONTRACTOR,     /* contractor; code = condition */
    TIMER_WARNING,        /* GRACE_WARNING: as one of the two above; contractor: number = work */
    TIMER_LICENCE,        /* contractor: its licence expires */
    TIMER_SCHEDULE,       /* contractor: a vacation begins or ends */
    TIMER_FORFEIT_CLAIMS, /* work: contractor, number = after this claim; code = condition */
    TIMER_END_CLAIMS,     /* work: contractor, number = after this claim */
    TIMER_CANCEL_OFFERS,  /* work: contractor, number = after this claim */
    TIMER_FUNDS,          /* work: contractor, number = after this claim */
    TIMER_RATES,          /* work: number = after this contractor */
    TIMER_CALL,           /* call_ref: max_call is over */
    TIMER_TOPUP,          /* contractor: ask again */
    TIMER_PAYOUT,         /* contractor: 30 d after CLOSING */
    TIMER_SLOT_RATES,     /* work: zip, category: ranks and so rates moved */
    TIMER_POSITIONS,      /* work: category (0 = all), number = after this slot */
};

/* A timer; its key is (due_ms, seq), so that they fire in that order (M2). */
struct timer_row {
    uint64_t deadline_ms; /* The row's deadline that it was set for: another one now = nothing. */
    uint64_t number;
    struct zr_id call_ref;
    uint32_t contractor;
    uint32_t zip;
    uint16_t category;
    uint8_t kind; /* enum timer_kind */
    uint8_t code;
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct timer_row) == 48, "stored layout");

/* ---- events ---------------------------------------------------------------------------------- */

/* Who may hear of it (event.h). */
enum event_audience {
    AUDIENCE_CONTRACTOR = 1, /* The contractor, its tenant's PORTALs; PAYMENTS for TOPUP_*. */
    AUDIENCE_CALLS,          /* SWITCH and CALLCENTER of the tenant. */
    AUDIENCE_MAP,            /* Everybody, through MAP_SUBSCRIBE. */
};

struct event_row {
    uint64_t time_ms;
    uint64_t commit_seq;
    uint64_t claim_id;
    uint64_t number;
    uint64_t deadline_ms;
    int64_t amount_cents;
    struct zr_id call_ref;
    uint32_t contractor;
    uint32_t tenant;
    uint32_t zip;
    uint16_t category;
    uint8_t type; /* enum zr_event_type */
    uint8_t code;
    uint8_t audience; /* enum event_audience */
    uint8_t reserved[7];
};
_Static_assert(sizeof(struct event_row) == 88, "stored layout");

/* ---- calls ---------------------------------------------------------------------------------- */

struct call_leg_row {
    uint64_t connected_ms; /* Log time of its CONNECT, 0 = none. */
    uint64_t connect_seq;  /* Its position in the log. */
    uint64_t answered_at_ms;
    uint64_t ended_ms; /* Log time of its END, 0 = none. */
    uint64_t settled_seq;
    uint64_t issued_ms; /* Of its ticket: bounds the talk that can be true. */
    int64_t hold_cents;
    int64_t rate_cents;
    int64_t amount_cents;
    uint32_t contractor;
    uint32_t talk_ms;
    uint32_t qualify_ms;
    uint8_t index;
    uint8_t rank;
    uint8_t settlement;     /* enum zr_settlement */
    uint8_t flags;          /* LEG_* */
    uint64_t seen_ms;       /* Log time of the last CONNECT, QUALIFY or KEEPALIVE: unit_ttl (M3). */
    int64_t credited_cents; /* Given back of the charge (I12). */
};
_Static_assert(sizeof(struct call_leg_row) == 104, "stored layout");

/*
 * SHORT_END: settled by its QUALIFY, then closed by an END that alone would not have charged.
 * KEEPALIVE: negotiated, so its unit lives 5 min without a sign of life. SWEPT: no END came.
 * TOO_LATE: and then it came after the 7 days, which was told once (E53).
 */
enum {
    LEG_FLAGGED = 1,
    LEG_VOICEMAIL = 2,
    LEG_SHORT_END = 4,
    LEG_KEEPALIVE = 8,
    LEG_SWEPT = 16,
    LEG_TOO_LATE = 32,
};

struct call_row {
    struct zr_id call_id;
    uint64_t routed_ms;
    uint64_t snapshot_seq;
    uint64_t caller_hash; /* 0 = withheld: no duplicate detection. */
    uint32_t tenant;
    uint32_t zip;
    uint32_t policy_version;
    uint16_t category;
    uint8_t state; /* enum zr_call_state */
    uint8_t revision;
    uint8_t legs_count;
    uint8_t charged; /* One CHARGED leg per call, ever (I7). */
    uint8_t screened;
    uint8_t abandoned[5]; /* Where the log abandoned it: call_abandoned_seq(). */
    struct call_leg_row legs[CALL_LEGS_MAX];
};
_Static_assert(sizeof(struct call_row) == 64 + 104 * CALL_LEGS_MAX, "stored layout");

/* Folded. The newest charge of this caller in this category, by contractor or by network. */
struct duplicate_key {
    uint64_t caller_hash;
    uint32_t contractor; /* CONTRACTOR_ANY: the network's. */
    uint16_t category;
};

/* The newest charge and the one before it: what is left when the newest is credited (E61). */
struct duplicate_row {
    struct zr_id call_ref;
    uint64_t charged_ms;
    struct zr_id previous_ref;
    uint64_t previous_ms; /* 0 = none. */
};
_Static_assert(sizeof(struct duplicate_row) == 48, "stored layout");

/* ---- ledger --------------------------------------------------------------------------------- */

/*
 * One transfer of the double-entry ledger, never changed. `previous` chains the transfers of
 * one wallet, newest first: a ledger page is a walk, and no index row has to be written.
 */
struct posting_row {
    int64_t amount_cents; /* > 0 */
    uint64_t time_ms;
    uint64_t commit_seq;
    uint64_t previous; /* The wallet's transfer before this one, 0 = none. */
    struct zr_id call_ref;
    uint32_t contractor; /* The wallet that takes part. */
    uint8_t debit;       /* enum zr_account */
    uint8_t credit;      /* enum zr_account */
    uint8_t kind;        /* enum zr_transfer_kind */
    uint8_t reserved;
};
_Static_assert(sizeof(struct posting_row) == 56, "stored layout");

/* A disputed charge: one per charge, for ever (E59). */
struct dispute_row {
    uint64_t opened_ms;
    uint64_t resolved_ms; /* 0 = open. */
    uint64_t commit_seq;  /* Of the last change. */
    int64_t charge_cents;
    int64_t credited_cents;
    uint32_t contractor;
    uint8_t state;  /* enum zr_dispute_state */
    uint8_t reason; /* enum zr_dispute_reason */
    uint8_t reserved[2];
    char note[64];
};
_Static_assert(sizeof(struct dispute_row) == 112, "stored layout");

/* One automatic top-up that was asked for. Rows stay, so that a verdict which comes late, or twice,
 * finds what it is about (E57). */
struct topup_row {
    int64_t amount_cents;
    uint64_t asked_ms;
    uint64_t commit_seq;  /* Of the verdict; 0 = outstanding. */
    uint64_t transfer_id; /* Of its credit; 0 = none, or failed. */
};
_Static_assert(sizeof(struct topup_row) == 32, "stored layout");

/* An ADJUST that waits for its second principal, or was posted. */
struct adjust_row {
    struct zr_id link;
    uint8_t principal[8]; /* Who asked first. */
    uint64_t asked_ms;
    uint64_t transfer_id; /* 0 = pending. */
    int64_t amount_cents;
    uint32_t contractor;
    uint8_t debit;
    uint8_t credit;
    uint8_t reserved[2];
    char reason[64];
};
_Static_assert(sizeof(struct adjust_row) == 120, "stored layout");

/* A ticket key: made from the network's secret and its number, so the log holds no key (E63). */
struct ticket_key_row {
    uint64_t created_ms;
    uint64_t retired_until_ms; /* Verify-only until then; 0 = a signing key. */
};
_Static_assert(sizeof(struct ticket_key_row) == 16, "stored layout");

/* Folded. The network's own accounts. */
struct account_row {
    int64_t balance_cents; /* Credits - debits. */
    uint64_t postings;
};
_Static_assert(sizeof(struct account_row) == 16, "stored layout");

#endif
