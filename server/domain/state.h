/*
 * state.h - the only way to reach the rows that the rules work on (rows.h).
 *
 * `domain` declares what it needs; `store` implements it. A rule gets a row, decides, puts the
 * changed row. There is no error to handle here: a storage failure sticks inside the state, the
 * whole batch is thrown away and answered as not executed, so that no rule ever sees half a
 * world (which the committer asks once per batch).
 *
 * Everything is deterministic: no clock, no randomness, no order of hashing. Time and position
 * come in with the command, so that replaying the journal gives the same rows.
 */
#ifndef ZR_STATE_H
#define ZR_STATE_H

#include "protocol/status.h"
#include "server/domain/rows.h"

struct state;

/*
 * True once the storage failed in this batch: then rows may look as if they were not there. Most
 * rules need not ask; one whose CHECK joins two rows must not take that for a bug, and returns.
 */
bool state_failed(const struct state *state);

/* ---- the way to them ------------------------------------------------------------------------- */

/* Counters that the rules draw from; kept with every commit. */
enum state_counter {
    COUNTER_CLAIM_SEQ,
    COUNTER_CONTRACTOR,
    COUNTER_TRANSFER,
    COUNTER_POLICY_VERSION,
    COUNTER_CATALOGUE, /* Raised by every change that workers cache. */
    COUNTER_AUTH_EPOCH,
    COUNTER_EVENT,
    COUNTER_OFFER,
    COUNTER_TIMER,
    COUNTER_WAITLIST,
    COUNTER_TICKET_KEY, /* The newest one's number; 0 = that of `init`. */
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

bool state_schedule_get(struct state *state, uint32_t contractor, struct schedule_row *row);
void state_schedule_put(struct state *state, uint32_t contractor, const struct schedule_row *row);
bool state_caps_get(struct state *state, uint32_t contractor, struct caps_row *row);
void state_caps_put(struct state *state, uint32_t contractor, const struct caps_row *row);
bool state_filters_get(struct state *state, uint32_t contractor, struct filters_row *row);
void state_filters_put(struct state *state, uint32_t contractor, const struct filters_row *row);
/* False leaves *row all zero: nothing used. In a snapshot it may be older than its commit. */
bool state_usage_get(struct state *state, uint32_t contractor, struct usage_row *row);
void state_usage_put(struct state *state, uint32_t contractor, const struct usage_row *row);
/* The same: nothing rang. Whoever routes has no use for it, so a put publishes nothing. */
bool state_answer_rate_get(struct state *state, uint32_t contractor, struct answer_rate_row *row);
void state_answer_rate_put(struct state *state, uint32_t contractor,
                           const struct answer_rate_row *row);

/* Callers that nobody is rung for (SUPPRESS_PUT), by E.164 number. */
bool state_suppress_get(struct state *state, uint64_t caller, uint32_t *version);
void state_suppress_put(struct state *state, uint64_t caller, uint32_t version);
void state_suppress_del(struct state *state, uint64_t caller);

bool state_autotopup_get(struct state *state, uint32_t contractor, struct autotopup_row *row);
void state_autotopup_put(struct state *state, uint32_t contractor, const struct autotopup_row *row);

/* Automatic top-ups, by attempt_id. */
bool state_topup_get(struct state *state, uint64_t attempt_id, struct topup_row *row);
void state_topup_put(struct state *state, uint64_t attempt_id, const struct topup_row *row);

/* A contractor without a wallet row has an empty one. */
void state_wallet_get(struct state *state, uint32_t contractor, struct wallet_row *row);
void state_wallet_put(struct state *state, uint32_t contractor, const struct wallet_row *row);

/* A slot without a row is empty, VACANT. */
void state_slot_get(struct state *state, uint32_t zip, uint16_t category, struct slot_row *row);
void state_slot_put(struct state *state, uint32_t zip, uint16_t category,
                    const struct slot_row *row);

/* The first stored slot after the one with that number (zip << 16 | category), 0 = none. */
uint64_t state_slot_next(struct state *state, uint64_t after);

bool state_claim_get(struct state *state, uint64_t claim_id, struct claim_row *row);
void state_claim_put(struct state *state, uint64_t claim_id, const struct claim_row *row);
/* The contractor's claim with the smallest id above `after`; 0 = none. */
uint64_t state_claim_next(struct state *state, uint32_t contractor, uint64_t after);
/* The same of those that have not ended. */
uint64_t state_claim_next_live(struct state *state, uint32_t contractor, uint64_t after);

bool state_offer_get(struct state *state, uint64_t offer_id, struct offer_row *row);
void state_offer_put(struct state *state, uint64_t offer_id, const struct offer_row *row);

/* The waitlist of a slot, in order of `place`: a number from COUNTER_WAITLIST. */
void state_waitlist_put(struct state *state, uint32_t zip, uint16_t category, uint64_t place,
                        uint32_t contractor);
void state_waitlist_del(struct state *state, uint32_t zip, uint16_t category, uint64_t place);
/* The first place above `after`, and who has it; 0 = none. */
uint64_t state_waitlist_next(struct state *state, uint32_t zip, uint16_t category, uint64_t after,
                             uint32_t *contractor);
/* The same places by contractor: kept beside the above by whoever puts and deletes them. */
void state_waiting_put(struct state *state, uint32_t contractor, uint64_t place,
                       const struct zr_slot_key *slot);
void state_waiting_del(struct state *state, uint32_t contractor, uint64_t place);
/* The contractor's first place above `after`, and on which slot's list; 0 = none. */
uint64_t state_waiting_next(struct state *state, uint32_t contractor, uint64_t after,
                            struct zr_slot_key *slot);

/* Timers. `seq` is from COUNTER_TIMER: among equals the older fires first. */
void state_timer_put(struct state *state, uint64_t due_ms, uint64_t seq,
                     const struct timer_row *row);
void state_timer_del(struct state *state, uint64_t due_ms, uint64_t seq);
/* The first timer at or after (*due_ms, *seq), which it replaces by the timer's own. */
bool state_timer_next(struct state *state, uint64_t *due_ms, uint64_t *seq, struct timer_row *row);

/* Events are numbered from 1 and never changed. */
bool state_event_get(struct state *state, uint64_t event_seq, struct event_row *row);
void state_event_put(struct state *state, uint64_t event_seq, const struct event_row *row);
/* Where a principal's subscription of that name has got to; false = nowhere yet. */
bool state_cursor_get(struct state *state, const uint8_t principal[8], const char name[32],
                      uint64_t *event_seq);
void state_cursor_put(struct state *state, const uint8_t principal[8], const char name[32],
                      uint64_t event_seq);
/* How many names the principal has; at `max` it counts no further. */
uint32_t state_cursors_count(struct state *state, const uint8_t principal[8], uint32_t max);

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

bool state_dispute_get(struct state *state, const struct zr_id *call_ref, uint32_t contractor,
                       struct dispute_row *row);
void state_dispute_put(struct state *state, const struct zr_id *call_ref, uint32_t contractor,
                       const struct dispute_row *row);
bool state_adjust_get(struct state *state, const struct zr_id *adjust_id, struct adjust_row *row);
void state_adjust_put(struct state *state, const struct zr_id *adjust_id,
                      const struct adjust_row *row);
bool state_ticket_key_get(struct state *state, uint64_t number, struct ticket_key_row *row);
void state_ticket_key_put(struct state *state, uint64_t number, const struct ticket_key_row *row);
/* A top-up that was taken back: its reversal's transfer. Keyed like provider_ref. */
bool state_reversal_get(struct state *state, const char *provider_ref, uint64_t *transfer_id);
void state_reversal_put(struct state *state, const char *provider_ref, uint64_t transfer_id);

/* A provider reference credits once (I14): the transfer that it made. */
bool state_provider_ref_get(struct state *state, const char *provider_ref, uint64_t *transfer_id);
void state_provider_ref_put(struct state *state, const char *provider_ref, uint64_t transfer_id);

#endif
