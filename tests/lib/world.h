/*
 * world.h - a server with a small market in it: what an acceptance case of domain.md starts from.
 *
 * Thirteen real ZIPs, two categories that are offered everywhere, a connected client per role.
 * Contractors, claims and money come as the case needs them. Each helper that is named like a
 * wish (world_claim, world_topup ...) CHECKs that it is granted; to see a refusal, ask through
 * zr_claim() and the like, or with the helpers that return a result.
 *
 * Slots are never shared: world_slot() gives every case a fresh category, so that the cases of one
 * program can live in one server and in any order.
 */
#ifndef ZR_TEST_WORLD_H
#define ZR_TEST_WORLD_H

#include "tests/lib/server.h"

enum {
    WORLD_ADJUNTAS = 601, /* 00601 */
    WORLD_BOSTON = 2108,  /* 02108 */
    WORLD_NEW_YORK = 10001,
    WORLD_CHICAGO = 60601,
    WORLD_GALVESTON = 77550,
    WORLD_PEARLAND = 77581,
    WORLD_PEARLAND_WEST = 77584,
    WORLD_PO_BOX = 77588,  /* In the table, not claimable (R8). */
    WORLD_UNKNOWN = 99999, /* Not in the table. */
    WORLD_RATE = 2000,     /* Cents per qualified call at rank 1, of every category here. */
    WORLD_RATE_2 = 1400,   /* 70 % */
    WORLD_RATE_3 = 1000,   /* 50 % */
};

#define WORLD_HOUR_MS (UINT64_C(3600) * 1000)
#define WORLD_DAY_MS  (24 * WORLD_HOUR_MS)

/* The slot, or a category of it, that a case works on. */
struct world_slot {
    uint32_t zip;
    uint16_t category;
};

struct world {
    struct server server;
    struct zr_client *admin;
    struct zr_client *portal;
    struct zr_client *carrier; /* A SWITCH. */
    struct zr_client *callcenter;
    struct zr_client *payments;
    struct zr_client *auditor;
    uint16_t plumbing; /* Two categories, offered everywhere. */
    uint16_t roofing;
    uint64_t serial; /* Makes names, calls and callers of this world differ. */
};

/* Start a server with these settings (NULL = none) and build the market. */
void world_open(struct world *world, const char *const *settings);

/*
 * Close the clients, prove that no rule was broken (AUDIT: I1-I8, I10, I11, E23; then
 * `zipringd replay`: E64) and remove everything. Nonzero: something was broken, and it says what.
 */
int world_close(struct world *world);

/* Close the clients and open them again: after server_restart(), when a case must not wait. */
void world_reconnect(struct world *world);

/*
 * Move the log clock, and let every client learn of it (PING): a library that does not know stamps
 * its keys with the old time, and after 72 h they would be KEY_EXPIRED. Returns the clock.
 */
uint64_t world_advance(struct world *world, uint64_t advance_ms);

/* ---- catalogue --------------------------------------------------------------------------- */

/* The ZIP table of every world, ascending (world_zips.c). */
enum { WORLD_ZIPS = 13 };
extern const struct zr_zip_row world_zips[WORLD_ZIPS];

/* Import it, plus `zip` when it is not 0. */
void world_import_zips(struct world *world, uint32_t zip);

/* A new category, offered everywhere. */
uint16_t world_category(struct world *world, int64_t rate_cents);

/* A slot that nobody has claimed yet. */
struct world_slot world_slot(struct world *world);

/* The same, where a vacant title goes to the next in line at once (offer_window 0, M2). */
struct world_slot world_slot_promoting(struct world *world);

/* The policy in force for a slot; POLICY_PUT it back in the slot's own scope. */
struct zr_policy world_policy(struct world *world, struct world_slot slot);
void world_policy_put(struct world *world, struct world_slot slot, const struct zr_policy *policy);

/* ---- contractors ------------------------------------------------------------------------- */

/* Fresh, different in every call. */
struct zr_id world_id(struct world *world);

/* A new contractor of tenant 1, APPROVED, for `concurrency` calls at once, funded. */
uint32_t world_contractor(struct world *world, uint16_t concurrency, int64_t funds_cents);

/* The same, still PENDING and without money. */
uint32_t world_contractor_pending(struct world *world, uint16_t concurrency);

void world_status(struct world *world, uint32_t contractor, uint8_t status);
void world_topup(struct world *world, uint32_t contractor, int64_t amount_cents);
struct zr_wallet_get_reply world_wallet(struct world *world, uint32_t contractor);

/* ---- claims ------------------------------------------------------------------------------ */

/* CLAIM of one slot; accept_backup. Returns the result of the slot. */
struct zr_claim_result world_claim_result(struct world *world, uint32_t contractor,
                                          struct world_slot slot);

/* The same, which must be OK. Returns the claim. */
uint64_t world_claim(struct world *world, uint32_t contractor, struct world_slot slot);

/* RELEASE, PAUSE and RESUME of one claim. */
struct zr_claim_state_reply world_release(struct world *world, uint64_t claim_id);
struct zr_claim_state_reply world_pause(struct world *world, uint64_t claim_id);
struct zr_claim_state_reply world_resume(struct world *world, uint64_t claim_id);

/* ---- calls ------------------------------------------------------------------------------- */

/* A ROUTE for that slot: new call id, new caller, hold, explain, STEP. */
struct zr_route_request world_route_request(struct world *world, struct world_slot slot);

/* Send it; the result may be any. */
int world_route(struct world *world, const struct zr_route_request *request,
                struct zr_route_reply *reply);

/* A new call to that slot which must be routed. *call_id may be NULL. */
struct zr_route_reply world_call(struct world *world, struct world_slot slot,
                                 struct zr_id *call_id);

/* Requests for the first candidate of a routed call. */
struct zr_route_next_request world_next_request(const struct zr_route_reply *routed,
                                                uint8_t outcome);
struct zr_connect_request world_connect_request(const struct zr_route_reply *routed);
struct zr_end_request world_end_request(const struct zr_id *call_id, uint32_t talk_ms);

/* CONNECT now, which must be OK. */
struct zr_connect_reply world_connect(struct world *world, const struct zr_route_reply *routed);

/* END of the connected leg, which must be OK; the clock is moved by talk_ms before. */
struct zr_settlement_reply world_end(struct world *world, const struct zr_id *call_id,
                                     uint32_t talk_ms);

/* What the server remembers of a call: of the SWITCH's tenant. */
struct zr_call_get_reply world_call_get(struct world *world, const struct zr_id *call_id);

/* ---- proofs ------------------------------------------------------------------------------ */

struct zr_audit_reply world_audit(struct world *world);

#endif
