/*
 * domain_titles.h - what tests of titles say over and over: claims, offers, waitlists and events
 * of the slot (DW_ZIP, DW_CATEGORY) in a domain_world.
 */
#ifndef ZR_TEST_DOMAIN_TITLES_H
#define ZR_TEST_DOMAIN_TITLES_H

#include "tests/lib/domain_world.h"

#define DT_HOUR_MS (UINT64_C(3600) * 1000)

enum { DT_CASCADE_MAX = 8, DT_MONEY = 100000 };

/* A slot with a primary and backups, in seq order; each has money for years. */
struct dt_cascade {
    uint32_t contractors[DT_CASCADE_MAX];
    uint64_t claims[DT_CASCADE_MAX];
};

struct dt_cascade dt_cascade(struct domain_world *world, int count);

/* A primary with `cents` and one backup with money. */
struct dt_cascade dt_pair(struct domain_world *world, int64_t cents);

/* CLAIM of the slot as a backup too; must be granted. Returns the claim. */
uint64_t dt_claim(struct domain_world *world, uint32_t contractor);

/* These return the status; the reply stands in world->reply. */
uint16_t dt_release(struct domain_world *world, uint64_t claim_id, uint8_t when);
uint16_t dt_pause(struct domain_world *world, uint64_t claim_id, uint32_t contractor);
uint16_t dt_resume(struct domain_world *world, uint64_t claim_id, uint32_t contractor);
uint16_t dt_answer(struct domain_world *world, uint64_t offer_id, bool accept);
uint16_t dt_join(struct domain_world *world, uint32_t contractor);
uint16_t dt_leave(struct domain_world *world, uint32_t contractor);

/* CONTRACTOR_STATUS APPROVED with that licence; must be granted. */
void dt_set_licence(struct domain_world *world, uint32_t contractor, uint64_t expires_ms);

struct claim_row dt_claim_row(struct domain_world *world, uint64_t claim_id);
struct contractor_row dt_contractor_row(struct domain_world *world, uint32_t contractor);
struct offer_row dt_offer_row(struct domain_world *world, uint64_t offer_id);

/* Rank of the claim today; 0 once it ended. */
uint16_t dt_rank(struct domain_world *world, uint64_t claim_id);

/* enum zr_claim_state of its row. */
uint8_t dt_state(struct domain_world *world, uint64_t claim_id);

/* Bits of enum condition that stand against it. */
uint8_t dt_conditions(struct domain_world *world, uint64_t claim_id);

/* The contractor that the title is offered to, 0 = none. */
uint32_t dt_offered_to(struct domain_world *world);

/* ---- events ------------------------------------------------------------------------------ */

/* The number of the newest event: what comes later is counted from here. */
uint64_t dt_mark(struct domain_world *world);

/* Events of that type after the mark. */
unsigned dt_count(struct domain_world *world, uint64_t mark, uint8_t type);

/* The last of them; there must be one. */
struct event_row dt_last(struct domain_world *world, uint64_t mark, uint8_t type);

/* Since the mark exactly this claim was FORFEITED, for that condition, and one slot opened. */
void dt_assert_forfeited(struct domain_world *world, uint64_t mark, uint64_t claim_id,
                         uint8_t condition);

#endif
