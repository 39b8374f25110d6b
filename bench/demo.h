/*
 * demo.h - the parts of `zipring-bench demo`, shared by its files.
 *
 * demo.c       options, the surge of calls, the summary and the JSON line
 * demo_setup.c policy, categories, contractors, wallets, claims
 * demo_check.c the books: audit, and every wallet against what the client itself added up
 *
 * Each part speaks with the certificate of the role that may do it, as in a real network:
 * ADMIN for rules and approvals, PORTAL for contractors and claims, PAYMENTS for money,
 * SWITCH for calls, AUDITOR for the books.
 */
#ifndef ZR_BENCH_DEMO_H
#define ZR_BENCH_DEMO_H

#include "bench/driver.h"
#include "bench/endpoint.h"
#include "bench/world.h"

#include <stdbool.h>
#include <stdint.h>
#include <zipring.h>

enum demo_role { DEMO_ADMIN, DEMO_PORTAL, DEMO_PAYMENTS, DEMO_SWITCH, DEMO_AUDITOR, DEMO_ROLES };

struct demo_options {
    struct endpoint_options endpoint;
    struct drive drive;
    uint32_t contractors;
    uint32_t connections;
    uint32_t topup_cents; /* 0 = mixed. */
    uint32_t concurrency; /* Calls at once of every contractor, 0 = by size. */
    const char *zips;
    const char *json; /* The report of the surge, NULL = none. */
    bool setup_only;
};

struct demo {
    struct demo_options options;
    struct endpoint endpoint; /* Of the role connected last. */
    struct zr_client *clients[DEMO_ROLES];
    struct zips zips;
    struct world world;
    struct run_ids ids;
    uint32_t categories_count;
    uint32_t zips_known;     /* That the server's table has. */
    uint64_t claims;         /* Accepted. */
    uint64_t claims_refused; /* Slots that were full. */
    double setup_s;
    struct zr_audit_reply audit_before;
    struct zr_audit_reply audit_after;
    uint64_t wallets_wrong;
    struct slots slots;
    struct load load;
    struct fleet fleet;
    struct driver driver;
    int64_t *charged; /* [contractor number], the client's own sums. */
};

/* Connect as each role. */
bool demo_connect(struct demo *demo, struct fault *fault);

/* Make everything that calls need. Takes well under a minute. */
bool demo_setup(struct demo *demo, struct fault *fault);

/* The auditor's view. */
bool demo_audit(struct demo *demo, struct zr_audit_reply *reply, struct fault *fault);

/* Every wallet of this run: posted = topped up - charged, nothing held. */
bool demo_check_wallets(struct demo *demo, struct fault *fault);

#endif
