/*
 * decisions.h - the record of each ROUTE and ROUTE_NEXT of a call (R68, R47).
 *
 * No reply waits for it: workers put records into a bounded ring, and the committer appends the
 * ring with its next batch. A crash can lose that ring and nothing else; a full ring drops the
 * record and counts it (SERVER_STATS decisions_lost).
 */
#ifndef ZR_DECISIONS_H
#define ZR_DECISIONS_H

#include "server/base/arena.h"
#include "server/base/backlog.h"
#include "server/domain/cascade.h"
#include "server/store/store.h"

enum {
    DECISION_JUDGED_MAX = SLOT_CLAIMS_MAX,
    /* call_ref, revision, attempt; a last byte from 1 where an attempt was decided again. */
    DECISION_KEY_BYTES = sizeof(struct zr_id) + 2,
    DECISION_KEY_BYTES_MAX = DECISION_KEY_BYTES + 1,
    DECISION_AGAIN_MAX = 31, /* Of one attempt; who asks more often replaces the newest. */
};

enum decision_flag {
    DECISION_SKIPPED_PRIMARY = 1, /* An eligible primary was passed over: never (E23). */
    DECISION_JUDGED_CUT = 2,      /* More claims were judged than fit. */
};

struct decision_judged {
    uint32_t contractor;
    uint32_t reasons;
    uint32_t rate_cents; /* Of the slot at its rank then. */
    uint8_t rank;
    uint8_t reserved[3];
};

struct decision_row {
    struct zr_id call_ref;
    struct zr_id call_id;
    uint8_t principal[8];
    uint64_t time_ms;
    uint64_t snapshot_seq;
    uint32_t policy_version;
    uint32_t tenant;
    uint32_t zip;
    uint16_t category;
    uint16_t status; /* OK, NO_COVERAGE, EXHAUSTED. */
    uint8_t revision;
    uint8_t attempt;
    uint8_t flags; /* enum decision_flag */
    uint8_t judged_count;
    uint8_t candidates_count;
    uint8_t candidates[TICKET_CANDIDATES_MAX]; /* Indexes into judged. */
    uint8_t reserved[3];
    uint32_t price_version;                             /* Of the category's record. */
    struct decision_judged judged[DECISION_JUDGED_MAX]; /* In rank order. */
};
_Static_assert(sizeof(struct decision_row) == 88 + 16 * DECISION_JUDGED_MAX, "stored layout");

struct decision_ring {
    struct backlog backlog; /* From the worker to the committer. */
    struct decision_row *rows;
};

void decision_ring_init(struct decision_ring *ring, struct arena *arena, uint32_t rows_max);

/* Keep what cascade_decide judged. Worker. */
void decision_record(struct decision_row *row, const struct cascade_decision *decision);

/* Append a record; counts it as lost when the ring is full. Worker. */
void decision_push(struct decision_ring *ring, const struct decision_row *row);

/* A key of this table has that length. */
bool decision_key_is_sound(struct store_value key);

/*
 * The key from which to seek for the record behind the one with this key; returns its length. Keys
 * sort by call, revision and attempt, and within an attempt as it was decided.
 */
size_t decision_key_behind(uint8_t key[DECISION_KEY_BYTES_MAX + 1], struct store_value found);

/* Copy every record into the open write transaction: a CONNECT must not be durable before the
 * record of its ROUTE, which was there before it (EXPLAIN is exact for it, domain.md M4). The
 * oldest `drained` are in this transaction already; returns how many are now. They stay in the
 * ring until decision_forget(): a batch that fails loses none. Committer. */
uint32_t decision_drain(const struct decision_ring *ring, struct store_view *view,
                        uint32_t drained);

/* The ticket's own record of its decision, put where a crash took the ring that held the whole
 * one: EXPLAIN shows the winner's decision all the same (E71). The same attempt may have been
 * decided otherwise since: that record stays, too. Committer. */
void decision_carry(struct store_view *view, const struct ticket *ticket);

/* The batch is durable: its records leave the ring. */
void decision_forget(struct decision_ring *ring, uint32_t rows_count);

/* Records waiting. */
uint32_t decision_count(const struct decision_ring *ring);

/* Did any record ever find the ring full? Any thread. */
bool decision_was_lost(const struct decision_ring *ring);

#endif
