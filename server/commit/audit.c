/*
 * audit.c - see audit.h.
 */
#include "server/commit/audit.h"

#include "protocol/bytes.h"
#include "protocol/check.h"
#include "server/base/log.h"
#include "server/commit/decisions.h"
#include "server/domain/slot.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

/* ---- hash ------------------------------------------------------------------------------------ */

static bool
scope_goes_on(const struct audit_scope *scope)
{
    return scope->goes_on == NULL || scope->goes_on(scope->context);
}

struct hashing {
    const struct audit_scope *scope;
    struct mac *mac;
    uint64_t rows;
    uint8_t table;
};

static bool
hash_row(void *context, struct store_value key, struct store_value row)
{
    struct hashing *hashing = context;
    uint8_t lengths[9];

    lengths[0] = hashing->table;
    zr_store_u32(lengths + 1, (uint32_t)key.bytes_count);
    zr_store_u32(lengths + 5, (uint32_t)row.bytes_count);
    sha256_add(hashing->mac, lengths, sizeof lengths);
    sha256_add(hashing->mac, key.bytes, key.bytes_count);
    sha256_add(hashing->mac, row.bytes, row.bytes_count);
    hashing->rows++;
    return scope_goes_on(hashing->scope);
}

void
audit_state_hash(struct state *state, const struct audit_scope *scope, struct mac *mac,
                 struct zr_state_hash_reply *reply)
{
    struct hashing hashing = {.scope = scope, .mac = mac};

    sha256_start(mac);
    for (unsigned table = 0; table < STORE_TABLES; table++) {
        const enum store_kind kind = store_table_kind((enum store_table)table);

        if (kind == STORE_KIND_RULE || kind == STORE_KIND_FOLDED) {
            hashing.table = (uint8_t)table;
            state_scan(state, (enum store_table)table, hash_row, &hashing);
        }
    }
    sha256_finish(mac, reply->hash.bytes);
    reply->rows = hashing.rows;
    reply->commit_seq = state->seq - 1;
}

/* ---- audit ----------------------------------------------------------------------------------- */

struct audit {
    struct state *state;
    const struct audit_scope *scope;
    struct zr_audit_reply *reply;
    store_each_fn each; /* Of the table under way. */
    uint64_t now_ms;
    int64_t wallets_cents;  /* Sum over wallets of MAIN + CREDIT. */
    int64_t accounts_cents; /* Sum over the network's own accounts. */
    int64_t held_cents;     /* Sum over wallets. */
    int64_t holds_cents;    /* Sum over legs. */
    int64_t charged_cents;  /* Sum over wallets. */
    uint64_t chained;       /* Transfers found on the wallets' chains. */
};

static void
violation(struct audit *audit, const char *rule, uint64_t where)
{
    audit->reply->violations++;
    log_line(LOG_LEVEL_ERROR, "audit_violation", "rule=%s row=%llu", rule,
             (unsigned long long)where);
}

static bool
audit_account(void *context, struct store_value key, struct store_value row)
{
    struct audit *audit = context;
    struct account_row account;

    (void)key;
    CHECK(row.bytes_count == sizeof account);
    memcpy(&account, row.bytes, sizeof account);
    audit->accounts_cents += account.balance_cents;
    audit->reply->accounts++;
    return true;
}

/* What the transfer moved into the account, below 0 = out of it. */
static int64_t
posting_cents_into(const struct posting_row *posting, uint8_t account)
{
    return (posting->credit == account ? posting->amount_cents : 0) -
           (posting->debit == account ? posting->amount_cents : 0);
}

/* Walk the wallet's transfers: they must add up to its balances. */
static void
audit_chain(struct audit *audit, uint64_t contractor, const struct wallet_row *wallet)
{
    int64_t main_cents = 0;
    int64_t credit_cents = 0;
    uint64_t transfer = wallet->last_transfer;
    struct posting_row posting;

    while (transfer != 0) {
        if (!scope_goes_on(audit->scope)) {
            return;
        }
        if (!state_posting_get(audit->state, transfer, &posting) ||
            posting.contractor != contractor || posting.previous >= transfer) {
            violation(audit, "ledger_chain", transfer);
            return;
        }
        main_cents += posting_cents_into(&posting, ZR_ACCOUNT_MAIN);
        credit_cents += posting_cents_into(&posting, ZR_ACCOUNT_CREDIT);
        audit->chained++;
        transfer = posting.previous;
    }
    if (main_cents != wallet->main_cents || credit_cents != wallet->credit_cents) {
        violation(audit, "I10_wallet", contractor);
    }
}

static bool
audit_wallet(void *context, struct store_value key, struct store_value row)
{
    struct audit *audit = context;
    struct wallet_row wallet;
    uint64_t contractor;

    CHECK(key.bytes_count == sizeof contractor);
    CHECK(row.bytes_count == sizeof wallet);
    memcpy(&contractor, key.bytes, sizeof contractor);
    memcpy(&wallet, row.bytes, sizeof wallet);
    audit->wallets_cents += wallet.main_cents + wallet.credit_cents;
    audit->held_cents += wallet.held_cents;
    audit->charged_cents += wallet.charged_cents;
    audit->reply->accounts += 2;
    audit_chain(audit, contractor, &wallet);
    return true;
}

/* One claim of a slot: its own row must say the same. */
static void
audit_slot_claim(struct audit *audit, uint64_t slot_number, const struct slot_claim_row *claim)
{
    struct claim_row row;

    if (!state_claim_get(audit->state, claim->claim_id, &row) || row.ended_ms != 0 ||
        row.contractor != claim->contractor || row.title != claim->title ||
        state_slot_number(row.zip, row.category) != slot_number) {
        violation(audit, "I5_claim", claim->claim_id);
    }
}

/* What decisions read must be what LMDB has; a slot that changed since the snapshot is judged by
 * what LMDB has now. */
static void
audit_line(struct audit *audit, uint64_t number, const struct slot_row *slot)
{
    const struct audit_scope *scope = audit->scope;
    const uint32_t zip = (uint32_t)(number >> 16);
    const uint16_t category = (uint16_t)number;
    struct slot_row line;
    bool same;

    if (scope->cascades == NULL || !cascades_get(scope->cascades, zip, category, &line)) {
        return;
    }
    same = cascades_same(&line, slot);
    if (!same && scope->line_is_newest != NULL && line.version > slot->version) {
        same = scope->line_is_newest(scope->context, zip, category);
    }
    if (!same) {
        violation(audit, "derived_slot", number);
    }
}

/* What the slot says of its offer and its reservation must be what their rows say. */
static void
audit_slot_offer(struct audit *audit, uint64_t slot_number, const struct slot_row *slot)
{
    struct offer_row offer;
    uint32_t head = 0;
    const uint64_t place = state_waitlist_next(audit->state, (uint32_t)(slot_number >> 16),
                                               (uint16_t)slot_number, 0, &head);

    if ((slot->title_state == ZR_TITLE_STATE_OFFERED) != (slot->offer_id != 0)) {
        violation(audit, "title_state", slot_number);
    }
    if (slot->offer_id != 0 &&
        (!state_offer_get(audit->state, slot->offer_id, &offer) ||
         offer.state != ZR_OFFER_PENDING || offer.claim_id != slot->offer_claim_id ||
         offer.deadline_ms != slot->offer_deadline_ms)) {
        violation(audit, "offer", slot->offer_id);
    }
    if ((place != 0) != (slot->waiting > 0) ||
        (slot->reserved_contractor != 0 && slot->reserved_contractor != head)) {
        violation(audit, "waitlist", slot_number);
    }
}

static bool
audit_slot(void *context, struct store_value key, struct store_value row)
{
    struct audit *audit = context;
    struct slot_row slot = {0};
    uint64_t number;
    int primaries = 0;

    CHECK(key.bytes_count == sizeof number);
    CHECK(row.bytes_count <= sizeof slot);
    memcpy(&number, key.bytes, sizeof number);
    memcpy(&slot, row.bytes, row.bytes_count);
    for (int i = 0; i < slot.claims_count && i < SLOT_CLAIMS_MAX; i++) {
        primaries += slot.claims[i].title == ZR_TITLE_PRIMARY;
        if (i > 0 && slot.claims[i].claim_id <= slot.claims[i - 1].claim_id) {
            violation(audit, "I2_order", number);
        }
        audit_slot_claim(audit, number, &slot.claims[i]);
    }
    if (primaries > 1 || (primaries == 1) != (slot.title_state == ZR_TITLE_STATE_HELD)) {
        violation(audit, "I1_primary", number);
    }
    audit_slot_offer(audit, number, &slot);
    audit_line(audit, number, &slot);
    audit->reply->slots++;
    return true;
}

static bool
audit_claim(void *context, struct store_value key, struct store_value row)
{
    struct audit *audit = context;
    struct slot_row slot;
    struct claim_row claim;
    uint64_t claim_id;

    CHECK(row.bytes_count == sizeof claim);
    memcpy(&claim_id, key.bytes, sizeof claim_id);
    memcpy(&claim, row.bytes, sizeof claim);
    if (claim.ended_ms == 0) {
        state_slot_get(audit->state, claim.zip, claim.category, &slot);
        if (slot_find_claim(&slot, claim_id) == SLOT_NO_CLAIM) {
            violation(audit, "I5_claim_without_slot", claim_id);
        }
        audit->reply->claims++;
    }
    return true;
}

static bool
leg_was_charged(const struct call_leg_row *leg)
{
    return leg->settlement == ZR_SETTLEMENT_CHARGED || leg->settlement == ZR_SETTLEMENT_CREDITED;
}

static bool
audit_call(void *context, struct store_value key, struct store_value row)
{
    struct audit *audit = context;
    struct call_row call = {0};
    int charged = 0; /* Ever: also what was given back. */
    int connected = 0;

    CHECK(row.bytes_count <= sizeof call);
    memcpy(&call, row.bytes, row.bytes_count);
    for (int i = 0; i < call.legs_count && i < CALL_LEGS_MAX; i++) {
        const struct call_leg_row *leg = &call.legs[i];

        charged += leg_was_charged(leg);
        audit->reply->charges += leg->settlement == ZR_SETTLEMENT_CHARGED;
        connected += leg->connected_ms != 0 && leg->ended_ms == 0;
        audit->holds_cents += leg->hold_cents;
        audit->reply->holds += leg->hold_cents != 0;
        audit->reply->charged_cents += leg->amount_cents;
        /* What is left of a charge, and what was given back, are the ticket's rate together. */
        if (leg->amount_cents + leg->credited_cents !=
            (leg_was_charged(leg) ? leg->rate_cents : 0)) {
            violation(audit, "I8_amount", zr_load_u64(key.bytes));
        }
        if (leg->credited_cents < 0 || leg->amount_cents < 0) {
            violation(audit, "I12_credited", zr_load_u64(key.bytes));
        }
    }
    if (charged > 1 || connected > 1) {
        violation(audit, charged > 1 ? "I7_one_charge" : "I6_one_connected",
                  zr_load_u64(key.bytes));
    }
    audit->reply->calls++;
    return true;
}

/*
 * I13: an outstanding attempt is the contractor's own, and its month has counted it. Not that the
 * month is within the maximum of today: that may have been lowered since, and a payment that was
 * told "failed" and then "ok" is credited all the same (E57).
 */
static bool
audit_autotopup(void *context, struct store_value key, struct store_value row)
{
    struct audit *audit = context;
    struct autotopup_row topup;
    uint64_t contractor;

    CHECK(key.bytes_count == sizeof contractor);
    CHECK(row.bytes_count == sizeof topup);
    memcpy(&contractor, key.bytes, sizeof contractor);
    memcpy(&topup, row.bytes, sizeof topup);
    if (topup.state != ZR_TOPUP_STATE_PENDING) {
        return true;
    }
    if (topup.month_cents < topup.attempt_cents) {
        violation(audit, "I13_month", contractor);
    }
    if (topup.attempt_id >> 32 != contractor) {
        violation(audit, "I13_attempt", contractor);
    }
    return true;
}

/* I14: what a reference credited, or took back, is there. */
static bool
audit_reference(void *context, struct store_value key, struct store_value row)
{
    struct audit *audit = context;
    struct posting_row posting;
    uint64_t transfer_id;

    (void)key;
    CHECK(row.bytes_count == sizeof transfer_id);
    memcpy(&transfer_id, row.bytes, sizeof transfer_id);
    if (!state_posting_get(audit->state, transfer_id, &posting) ||
        (posting.kind != ZR_TRANSFER_TOPUP && posting.kind != ZR_TRANSFER_TOPUP_REVERSAL)) {
        violation(audit, "I14_reference", transfer_id);
    }
    return true;
}

static bool
audit_timer(void *context, struct store_value key, struct store_value row)
{
    struct audit *audit = context;
    uint64_t due_be;

    (void)row;
    memcpy(&due_be, key.bytes, sizeof due_be);
    if (be64toh(due_be) <= audit->now_ms) {
        audit->reply->timers_overdue++;
        violation(audit, "timer_overdue", be64toh(due_be));
    }
    audit->reply->timers++;
    return true;
}

static void
audit_decision(struct audit *audit, struct store_value row)
{
    struct decision_row decision = {0};

    memcpy(&decision, row.bytes,
           row.bytes_count < sizeof decision ? row.bytes_count : sizeof decision);
    if ((decision.flags & DECISION_SKIPPED_PRIMARY) != 0) {
        audit->reply->decisions_skipped_primary++;
    }
    audit->reply->decisions++;
}

/* Their keys begin with the call_ref, and that with the time of its issue: a range is a part of
 * the table. */
static void
audit_decisions(struct audit *audit, const struct zr_audit_request *request)
{
    const uint64_t to_ms = request->to_ms == 0 ? UINT64_MAX : request->to_ms;
    const uint64_t from_be = htobe64(request->from_ms);
    uint8_t key[DECISION_KEY_BYTES_MAX + 1] = {0};
    size_t key_bytes = sizeof from_be;
    struct store_value found;
    struct store_value row;
    uint64_t time_be;

    memcpy(key, &from_be, sizeof from_be);
    while (store_seek(audit->state->view, TABLE_DECISION, (struct store_value){key, key_bytes},
                      &found, &row) &&
           decision_key_is_sound(found)) {
        memcpy(&time_be, found.bytes, sizeof time_be);
        if (be64toh(time_be) >= to_ms || !scope_goes_on(audit->scope)) {
            return;
        }
        audit_decision(audit, row);
        key_bytes = decision_key_behind(key, found);
    }
}

/* Between two accounts of the network no wallet takes part, so it stands on no chain (ADJUST). */
static bool
audit_posting(void *context, struct store_value key, struct store_value row)
{
    struct audit *audit = context;
    struct posting_row posting;

    (void)key;
    CHECK(row.bytes_count == sizeof posting);
    memcpy(&posting, row.bytes, sizeof posting);
    audit->chained += posting.contractor == 0;
    audit->reply->postings++;
    return true;
}

static void
audit_sums(struct audit *audit)
{
    struct zr_audit_reply *reply = audit->reply;

    reply->postings_sum_cents = audit->accounts_cents + audit->wallets_cents;
    if (reply->postings_sum_cents != 0) {
        violation(audit, "I10_sum", 0);
    }
    if (audit->chained != reply->postings) {
        violation(audit, "ledger_chains", audit->chained);
    }
    if (audit->held_cents != audit->holds_cents) {
        violation(audit, "holds", (uint64_t)audit->held_cents);
    }
    if (audit->charged_cents != reply->charged_cents) {
        violation(audit, "charges", (uint64_t)audit->charged_cents);
    }
    reply->balanced = reply->postings_sum_cents == 0 && reply->violations == 0;
}

static bool
audit_row(void *context, struct store_value key, struct store_value row)
{
    const struct audit *audit = context;

    return scope_goes_on(audit->scope) && audit->each(context, key, row);
}

/* A row that no invariant looks into: its checksum was judged on the way here. */
static bool
audit_checksum(void *context, struct store_value key, struct store_value row)
{
    (void)context;
    (void)key;
    (void)row;
    return true;
}

/* Who judges the rows of a table, where there is more to say of them than that they are whole. */
static const store_each_fn judges[STORE_TABLES] = {
    [TABLE_ACCOUNT] = audit_account,
    [TABLE_WALLET] = audit_wallet,
    [TABLE_SLOT] = audit_slot,
    [TABLE_CLAIM] = audit_claim,
    [TABLE_CALL] = audit_call,
    [TABLE_AUTOTOPUP] = audit_autotopup,
    [TABLE_PROVIDER_REF] = audit_reference,
    [TABLE_REVERSAL] = audit_reference,
    [TABLE_TIMER] = audit_timer,
    [TABLE_POSTING] = audit_posting,
};

/* Every table that rules write. */
static void
audit_tables(struct audit *audit)
{
    for (unsigned table = 0; table < STORE_TABLES; table++) {
        const enum store_kind kind = store_table_kind((enum store_table)table);

        if (kind == STORE_KIND_RULE || kind == STORE_KIND_FOLDED) {
            audit->each = judges[table] != NULL ? judges[table] : audit_checksum;
            state_scan(audit->state, (enum store_table)table, audit_row, audit);
        }
    }
}

void
audit_run(struct state *state, const struct audit_scope *scope, uint64_t now_ms,
          const struct zr_audit_request *request, struct zr_audit_reply *reply)
{
    struct audit audit = {.state = state, .scope = scope, .reply = reply, .now_ms = now_ms};

    *reply = (struct zr_audit_reply){.commit_seq = state->seq - 1};
    audit_tables(&audit);
    audit_decisions(&audit, request);
    reply->events = store_count(state->view, TABLE_EVENT);
    if (scope_goes_on(scope)) { /* Sums of a part would accuse the innocent. */
        audit_sums(&audit);
    }
}
