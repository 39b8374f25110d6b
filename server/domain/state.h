/*
 * state.h - the rows that the rules work on, and the only way to reach them.
 *
 * `domain` declares what it needs; `store` implements it. A rule gets a row, decides, puts the
 * changed row. There is no error to handle here: a storage failure sticks inside the state, the
 * whole batch is thrown away and answered as not executed, so that no rule ever sees half a
 * world (state_failed(), asked once per batch by the committer).
 *
 * Everything is deterministic: no clock, no randomness, no order of hashing. Time and position
 * come in with the command, so that replaying the journal gives the same rows.
 *
 * Rows are fixed little-endian layouts, stored as they stand here (sizes asserted below), each
 * followed by a checksum that store adds. Money is integer US cents (R67).
 *
 * Two kinds of table. Rows of *direct* tables are written in the command's own transaction. Rows
 * of *folded* tables (wallet, account, call index, duplicate index) would dirty a random page
 * per call; they change in memory, their new images stand in the journal row, and they are
 * written back a few at a time (architecture.md "State").
 */
#ifndef ZR_STATE_H
#define ZR_STATE_H

#include "protocol/message.h"
#include "protocol/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SLOT_CLAIMS_MAX = 32,
    CALL_LEGS_MAX = 4,
    CONTRACTOR_PHONES_MAX = 4,
    CATEGORIES_MAX = 256, /* Category numbers are 1..255. */
    ZIPS_COUNT = ZR_ZIP_MAX + 1,
    CONTRACTOR_ANY = 0, /* In the duplicate index: judged over the whole network. */
};

struct state;

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
    uint8_t reserved[2];
};
_Static_assert(sizeof(struct policy_row) == 48, "stored layout");

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

struct contractor_row {
    struct zr_id contractor_id;
    uint64_t licence_expires_ms; /* Exclusive; 0 = never. */
    struct pause_clock pause;
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
    uint8_t reserved;
    char name[64];
};
_Static_assert(sizeof(struct contractor_row) == 168, "stored layout");

/* Folded. The contractor's two accounts are liabilities; `held` is a reservation, no posting. */
struct wallet_row {
    int64_t main_cents;
    int64_t credit_cents;
    int64_t held_cents;
    int64_t charged_cents;  /* Of all time. */
    int64_t rate_max_cents; /* Dearest live claim: default overdraft, LOW (M5). */
    int64_t rate_min_cents; /* Cheapest live claim: DRY below it; 0 = no claim. */
    uint64_t last_transfer; /* Newest posting: head of the wallet's ledger, 0 = none. */
};
_Static_assert(sizeof(struct wallet_row) == 56, "stored layout");

/* ---- claims --------------------------------------------------------------------------------- */

/* One claim inside its slot's cascade. Claims stand in seq order; the id is the seq (R46). */
struct slot_claim_row {
    uint64_t claim_id;
    uint32_t contractor;
    uint8_t title; /* enum zr_title */
    uint8_t paused;
    uint8_t reserved[2];
};
_Static_assert(sizeof(struct slot_claim_row) == 16, "stored layout");

/* Stored up to the last claim. */
struct slot_row {
    uint64_t version;
    uint16_t claims_count;
    uint8_t open; /* Nobody took the vacant title: next CLAIM does, live backup or outsider (M2). */
    uint8_t reserved[5];
    struct slot_claim_row claims[SLOT_CLAIMS_MAX];
};
_Static_assert(sizeof(struct slot_row) == 16 + 16 * SLOT_CLAIMS_MAX, "stored layout");

struct claim_row {
    uint64_t claimed_ms;
    uint64_t ended_ms; /* 0 = live. */
    struct pause_clock pause;
    uint32_t zip;
    uint32_t contractor;
    uint16_t category;
    uint8_t state; /* enum zr_claim_state */
    uint8_t title; /* enum zr_title; of an ended claim the last one. */
    uint8_t reserved[4];
};
_Static_assert(sizeof(struct claim_row) == 56, "stored layout");

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
    uint8_t settlement; /* enum zr_settlement */
    uint8_t flags;      /* LEG_* */
};
_Static_assert(sizeof(struct call_leg_row) == 88, "stored layout");

/* SHORT_END: settled by its QUALIFY, then closed by an END that alone would not have charged. */
enum { LEG_FLAGGED = 1, LEG_VOICEMAIL = 2, LEG_SHORT_END = 4 };

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
    uint8_t reserved[5];
    struct call_leg_row legs[CALL_LEGS_MAX];
};
_Static_assert(sizeof(struct call_row) == 64 + 88 * CALL_LEGS_MAX, "stored layout");

/* Folded. The newest charge of this caller in this category, by contractor or by network. */
struct duplicate_key {
    uint64_t caller_hash;
    uint32_t contractor; /* CONTRACTOR_ANY: the network's. */
    uint16_t category;
};

struct duplicate_row {
    struct zr_id call_ref;
    uint64_t charged_ms;
};
_Static_assert(sizeof(struct duplicate_row) == 24, "stored layout");

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

/* Folded. The network's own accounts. */
struct account_row {
    int64_t balance_cents; /* Credits - debits. */
    uint64_t postings;
};
_Static_assert(sizeof(struct account_row) == 16, "stored layout");

/* ---- the way to them ------------------------------------------------------------------------- */

/* Counters that the rules draw from; kept with every commit. */
enum state_counter {
    COUNTER_CLAIM_SEQ,
    COUNTER_CONTRACTOR,
    COUNTER_TRANSFER,
    COUNTER_POLICY_VERSION,
    COUNTER_CATALOGUE, /* Raised by every change that workers cache. */
    COUNTER_AUTH_EPOCH,
    STATE_COUNTERS,
};

/* The next value: 1, 2, 3 ... */
uint64_t state_counter_next(struct state *state, enum state_counter counter);
uint64_t state_counter_now(const struct state *state, enum state_counter counter);

/* Every get returns false when there is no such row and then leaves *row alone. */
bool state_zip_get(struct state *state, uint32_t zip, struct zip_row *row);
void state_zip_put(struct state *state, uint32_t zip, const struct zip_row *row);
uint32_t state_zips_count(struct state *state);

/* Parts of an import that is under way. */
bool state_import_get(struct state *state, const struct zr_id *import_id, uint16_t part,
                      struct zr_zip_put_request *rows);
void state_import_put(struct state *state, const struct zr_id *import_id, uint16_t part,
                      const struct zr_zip_put_request *rows);
void state_import_clear(struct state *state, const struct zr_id *import_id);

bool state_category_get(struct state *state, uint16_t category, struct category_row *row);
void state_category_put(struct state *state, uint16_t category, const struct category_row *row);
/* Where a category that is not offered everywhere is. */
bool state_offered_get(struct state *state, uint16_t category, uint32_t zip);
void state_offered_put(struct state *state, uint16_t category, uint32_t zip);
void state_offered_clear(struct state *state, uint16_t category);

bool state_policy_get(struct state *state, struct policy_key key, struct policy_row *row);
void state_policy_put(struct state *state, struct policy_key key, const struct policy_row *row);

bool state_principal_get(struct state *state, const struct zr_hash *key_hash,
                         struct principal_row *row);
void state_principal_put(struct state *state, const struct zr_hash *key_hash,
                         const struct principal_row *row);
void state_principal_del(struct state *state, const struct zr_hash *key_hash);

bool state_contractor_get(struct state *state, uint32_t contractor, struct contractor_row *row);
void state_contractor_put(struct state *state, uint32_t contractor,
                          const struct contractor_row *row);
bool state_contractor_find(struct state *state, const struct zr_id *contractor_id,
                           uint32_t *contractor);
void state_contractor_bind(struct state *state, const struct zr_id *contractor_id,
                           uint32_t contractor);

/* A contractor without a wallet row has an empty one. */
void state_wallet_get(struct state *state, uint32_t contractor, struct wallet_row *row);
void state_wallet_put(struct state *state, uint32_t contractor, const struct wallet_row *row);

/* A slot without a row is empty. */
void state_slot_get(struct state *state, uint32_t zip, uint16_t category, struct slot_row *row);
void state_slot_put(struct state *state, uint32_t zip, uint16_t category,
                    const struct slot_row *row);

bool state_claim_get(struct state *state, uint64_t claim_id, struct claim_row *row);
void state_claim_put(struct state *state, uint64_t claim_id, const struct claim_row *row);
/* The contractor's claim with the smallest id above `after`; 0 = none. */
uint64_t state_claim_next(struct state *state, uint32_t contractor, uint64_t after);

bool state_call_get(struct state *state, const struct zr_id *call_ref, struct call_row *row);
void state_call_put(struct state *state, const struct zr_id *call_ref, const struct call_row *row);
bool state_call_find(struct state *state, uint32_t tenant, const struct zr_id *call_id,
                     struct zr_id *call_ref);
void state_call_bind(struct state *state, uint32_t tenant, const struct zr_id *call_id,
                     const struct zr_id *call_ref);

bool state_duplicate_get(struct state *state, struct duplicate_key key, struct duplicate_row *row);
void state_duplicate_put(struct state *state, struct duplicate_key key,
                         const struct duplicate_row *row);
void state_duplicate_del(struct state *state, struct duplicate_key key);

bool state_posting_get(struct state *state, uint64_t transfer_id, struct posting_row *row);
void state_posting_put(struct state *state, uint64_t transfer_id, const struct posting_row *row);
void state_account_get(struct state *state, uint8_t account, struct account_row *row);
void state_account_put(struct state *state, uint8_t account, const struct account_row *row);

/* A provider reference credits once (I14): the transfer that it made. */
bool state_provider_ref_get(struct state *state, const char *provider_ref, uint64_t *transfer_id);
void state_provider_ref_put(struct state *state, const char *provider_ref, uint64_t transfer_id);

#endif
