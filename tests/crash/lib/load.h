/*
 * load.h - a mixed load over several clients that nothing but a definite answer can satisfy.
 *
 * Some dozens of actors each play a small story again and again: CLAIM one or several slots, all
 * or none, then PAUSE, RESUME or RELEASE one of them; TOPUP a wallet; ROUTE a call, CONNECT,
 * QUALIFY, END. An actor has one request out at a time. Whatever comes back that is no definite
 * answer (the connection died, the outcome is unknown, the server is busy) makes it send the same
 * request under the same key again; so every request ends as done or refused, exactly once, and
 * is then told to `on_ack`. Most of that the client library does by itself; one of the clients
 * has it switched off and leaves it to the actors. Nobody else is in this market: what `on_ack`
 * was told is all that can have happened to its claims, wallets and calls.
 */
#ifndef ZR_CRASH_LOAD_H
#define ZR_CRASH_LOAD_H

#include "tests/lib/world.h"

enum { LOAD_SLOTS_MAX = 4, LOAD_CONTRACTORS = 24, LOAD_CATEGORIES = 6, LOAD_ACTORS_MAX = 256 };

/* A slot of a CLAIM, and the claim that it became: 0 = refused. */
struct load_slot {
    uint64_t claim_id;
    uint32_t zip;
    uint16_t category;
    uint16_t status;
};

/* One operation that was answered: what was asked, and what was promised. Also stands in logs. */
struct load_ack {
    uint16_t op; /* enum zr_op */
    uint16_t status;
    uint32_t contractor;
    uint64_t commit_seq;  /* Position in the log; 0 = the reply names none. */
    struct zr_id key;     /* op_id of a KEYED operation. */
    struct zr_id call_id; /* Of calls. */
    struct zr_id call_ref;
    uint64_t claim_id;    /* Of RELEASE, PAUSE, RESUME. */
    uint64_t transfer_id; /* Of TOPUP. */
    uint64_t topup;       /* Of TOPUP: load_provider_ref()'s number. */
    int64_t amount_cents; /* Credited or charged. */
    uint8_t settlement;   /* enum zr_settlement, of QUALIFY and END. */
    uint8_t claim_state;  /* enum zr_claim_state */
    uint8_t all_or_none;
    uint8_t slots_count; /* Of CLAIM. */
    uint32_t reserved;
    struct load_slot slots[LOAD_SLOTS_MAX];
};

typedef void (*load_ack_fn)(void *context, const struct load_ack *ack);

struct load_options {
    struct world *world;
    uint64_t seed;
    uint32_t actors_count;
    load_ack_fn on_ack;
    void *context;
};

struct load;

/* Make categories and contractors in the world; nothing is sent by actors yet. */
struct load *load_open(const struct load_options *options);
void load_close(struct load *load);

/* The contractors that it made: LOAD_CONTRACTORS numbers. */
const uint32_t *load_contractors(const struct load *load);

/* Let actors begin new stories, or only end those that they play. */
void load_set_running(struct load *load, bool running);

/* Send, receive, acknowledge; waits up to timeout_ms for something to do. */
void load_step(struct load *load, int timeout_ms);

/* Actors that are in a story. */
uint32_t load_busy(const struct load *load);

/* Requests that were sent again because their answer was lost or not definite. */
uint64_t load_resent(const struct load *load);

/* "crash-NUMBER", the payment of that TOPUP. */
void load_provider_ref(char text[65], uint64_t number);

#endif
