/*
 * domain_world.h - the rules of server/domain/ over a real store, without a server around them.
 *
 * One store in a temporary folder for a whole program; each test runs in one write transaction
 * that is thrown away at its end, so tests are fast and cannot see each other. Commands go
 * through command_apply() exactly as the committer sends them. After each one the world proves
 * what the committer relies on: a refusal without a body changed nothing, no storage failure.
 * At the end of a test it proves that all balances sum to 0 (I10).
 *
 * It plays no time by itself: `now_ms` moves when a test moves it. Timers that are due fire before
 * and after each command, by TICKs like the committer's.
 */
#ifndef ZR_TEST_DOMAIN_WORLD_H
#define ZR_TEST_DOMAIN_WORLD_H

#include "protocol/message.h"
#include "server/base/mac.h"
#include "server/domain/command.h"
#include "server/domain/ledger.h"
#include "server/domain/policy.h"
#include "server/domain/slot.h"
#include "server/domain/ticket.h"
#include "server/store/state.h"
#include "tests/lib/test.h"

enum {
    DW_ZIP = 77581,
    DW_ZIP_2 = 77584,
    DW_ZIP_BOX = 77588,     /* In the table, not claimable (R8). */
    DW_ZIP_UNKNOWN = 99999, /* Not in the table. */
    DW_CATEGORY = 1,
    DW_CATEGORY_2 = 2,
    DW_RATE = 2000, /* At rank 1, of both categories. */
    DW_RATE_2 = 1400,
    DW_RATE_3 = 1000,
    DW_PORTAL_TENANT = 2, /* Owns the contractors. */
    DW_SWITCH_TENANT = 3, /* Owns the calls. */
};

#define DW_START_MS  UINT64_C(1700000000000)
#define DW_SECOND_MS UINT64_C(1000)
#define DW_DAY_MS    (UINT64_C(24) * 3600 * 1000)

/* Who sends a command. */
struct dw_actor {
    uint8_t role;
    uint32_t tenant;
    uint32_t contractor;
};

extern const struct dw_actor dw_admin;
extern const struct dw_actor dw_portal;
extern const struct dw_actor dw_switch;
extern const struct dw_actor dw_payments;

struct domain_world {
    char folder[64];
    struct store *store;
    struct store_view view;
    struct arena arena;
    struct state state;
    struct mac *mac;
    struct ticket_keys keys;
    uint64_t seq; /* Of the last command that changed something. */
    uint64_t now_ms;
    uint64_t log_ms;      /* Of the last command, TICKs among them. */
    uint64_t command_seq; /* The position that dw_run() gave its command, before its work. */
    uint64_t serial;      /* Makes ids differ. */
    /* What the last command gave. */
    union zr_any_message reply;
    struct effects effects;
    bool keepalive;  /* Sessions have negotiated KEEPALIVE. */
    bool made_money; /* The test made wallets from nothing: no I10 to prove. */
};

/* cmocka group fixtures: open and remove the store. *state becomes the world. */
int dw_group_setup(void **state);
int dw_group_teardown(void **state);

/* cmocka test fixtures: a fresh market (two ZIPs, two categories, default policy), and its end. */
int dw_setup(void **state);
int dw_teardown(void **state);

#define DW_TEST(test) cmocka_unit_test_setup_teardown(test, dw_setup, dw_teardown)

/* Fire what is due by now: for a test that moved time and looks, without a command. */
void dw_tick(struct domain_world *world);

/* Let that much time pass; every timer on the way fires at its own time. */
void dw_advance(struct domain_world *world, uint64_t ms);

/* The server is away that long: deadlines that fall into it move to 1 h after, the rest is late. */
void dw_outage(struct domain_world *world, uint64_t ms);

/* Execute one command; its reply stands in world->reply. */
uint16_t dw_run(struct domain_world *world, struct dw_actor actor, uint16_t op,
                const void *request);

/* A new id, never zero. */
struct zr_id dw_id(struct domain_world *world);

/* An APPROVED contractor of DW_PORTAL_TENANT, with `cents` on MAIN (0 = none). */
uint32_t dw_contractor(struct domain_world *world, int64_t cents);

/* CONTRACTOR_STATUS; must be granted. */
void dw_set_status(struct domain_world *world, uint32_t contractor, uint8_t status);

/* Post a promotion to CREDIT, balanced by PROMO. */
void dw_give_credit(struct domain_world *world, uint32_t contractor, int64_t cents);

/* TOPUP; must be granted. */
void dw_topup(struct domain_world *world, uint32_t contractor, int64_t cents);

struct wallet_row dw_wallet(struct domain_world *world, uint32_t contractor);
struct slot_row dw_slot(struct domain_world *world);

/* CATEGORY_PUT of DW_CATEGORY: at that rate, offered everywhere or not at all. */
void dw_category(struct domain_world *world, int64_t rate_cents, bool offered);

/* CLAIM of DW_ZIP, DW_CATEGORY, as a backup too. Returns the slot's result. */
const struct zr_claim_result *dw_claim(struct domain_world *world, uint32_t contractor);

/* Put the default policy with changes at NETWORK scope; must be granted. */
void dw_policy(struct domain_world *world, const struct zr_policy *policy);
struct zr_policy dw_policy_default(void);

/* offer_window_s 0: the next in line inherits without being asked. */
void dw_policy_without_offers(struct domain_world *world);

/* ---- calls ------------------------------------------------------------------------------ */

/*
 * A ticket as a ROUTE of dw_switch would sign it now: a new call in DW_ZIP, DW_CATEGORY, these
 * contractors in ring order at ranks 1, 2 ..., default policy, caller 4711.
 */
struct ticket dw_ticket(struct domain_world *world, const uint32_t *contractors, uint8_t count);

/* CONNECT of the attempt, answered now. */
uint16_t dw_connect(struct domain_world *world, const struct ticket *ticket, uint8_t index);
uint16_t dw_qualify(struct domain_world *world, const struct ticket *ticket, uint32_t talk_ms);

/* END as the switch sends it; `end` holds the facts, call and ticket (NULL: none) are added. */
uint16_t dw_end(struct domain_world *world, const struct ticket *call, const struct ticket *ticket,
                struct zr_end_request end);

/* The stored call. */
struct call_row dw_call(struct domain_world *world, const struct ticket *ticket);

#endif
