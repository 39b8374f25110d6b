/*
 * slot.h - one (ZIP, category) as a packed cascade: its live claims in seq order.
 *
 * Rank 1 belongs to the PRIMARY only; backups are 2, 3, ... in seq order, dense, also while the
 * title is vacant (M2, R48, I3). At most one claim carries the title (R4, I1).
 */
#ifndef ZR_SLOT_H
#define ZR_SLOT_H

#include "server/domain/state.h"

enum { SLOT_NO_CLAIM = -1 };

/* Rate fields are u32 on the wire, so no rate may pass this. */
#define RATE_CENTS_MAX INT64_C(1000000)

/* Index of the claim, or SLOT_NO_CLAIM. */
int slot_find_primary(const struct slot_row *slot);
int slot_find_contractor(const struct slot_row *slot, uint32_t contractor);
int slot_find_claim(const struct slot_row *slot, uint64_t claim_id);

/* Title rank of the claim at `index`. */
uint16_t slot_rank(const struct slot_row *slot, int index);

/* Index of the claim that stands `place`-th in the cascade (0 = first to ring). */
int slot_in_order(const struct slot_row *slot, int place);

/* Append a claim at the tail; the caller has judged that there is room. */
void slot_append(struct slot_row *slot, uint64_t claim_id, uint32_t contractor, uint8_t title);

/* Take the claim out; the others keep their order. */
void slot_remove(struct slot_row *slot, int index);

/* True when the two would ring the same contractors under the same conditions (R41). */
bool slot_same_cascade(const struct slot_row *left, const struct slot_row *right);

/* "Taken" on the map: an outsider's CLAIM would not yield PRIMARY, because the title is held or
 * offered, or a reservation stands (R42). */
bool slot_is_taken(const struct slot_row *slot);

/* No position is free for an outsider: all are used, or somebody waits for the next one (M2). */
bool slot_is_full(const struct slot_row *slot, uint8_t max_positions);

/* Where the title goes when nobody is left to be asked: OPEN to the live backups, or VACANT. */
void slot_end_chain(struct slot_row *slot);

/*
 * Abort when the row breaks I1, I2 or its own bounds, or when title_state, offer and reservation
 * contradict its claims. On write and after read.
 */
void slot_check(const struct slot_row *slot);

#endif
