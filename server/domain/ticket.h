/*
 * ticket.h - the route ticket: a decision that travels with the call, signed, not stored (M6).
 *
 * Any node with the key verifies it. It carries all that CONNECT and END need to settle: who may
 * be rung, at which rate and rank, until when. So a switch can finish a call on another node, or
 * after this one restarted, and claim changes after issue do not touch it (E11, E12).
 *
 * Opaque to clients. Layout: fixed head, then one entry per candidate, then the MAC (SipHash
 * 2-4-128 under the key that key_id names). At most 192 bytes with four candidates.
 */
#ifndef ZR_TICKET_H
#define ZR_TICKET_H

#include "protocol/types.h"
#include "server/base/mac.h"
#include "server/domain/state.h"

enum {
    TICKET_BYTES_MAX = 192,
    TICKET_CANDIDATES_MAX = 4,
    TICKET_TRIED_MAX = 4,
    TICKET_SETTLE_DAYS = 7, /* CONNECT and END later than this after issue are TOO_LATE (M4). */
    TICKET_SLACK_S = 30,    /* Life: cascade budget plus this. */
    TICKET_KEYS_MAX = 16,   /* Signing and verify-only ones together. */
};

enum ticket_mode { TICKET_STEP = 1, TICKET_LIST = 2, TICKET_QUERY = 3 };

struct ticket_candidate {
    uint64_t claim_seq;
    uint32_t contractor;
    uint32_t rate_cents;
    uint8_t rank;        /* Title rank at decision time (R53). */
    uint8_t destination; /* Index into the contractor's phones. */
};

struct ticket {
    struct zr_id call_id;
    struct zr_id call_ref;
    uint64_t issued_ms;
    uint64_t expires_ms; /* Exclusive. */
    uint64_t snapshot_seq;
    uint64_t caller_hash; /* 0 = withheld. */
    uint32_t tenant;
    uint32_t zip;
    uint32_t policy_version;
    uint32_t qualify_ms;
    uint16_t category;
    uint16_t ring_timeout_s;
    uint8_t mode; /* enum ticket_mode */
    uint8_t revision;
    uint8_t attempt; /* Index of the first candidate. */
    uint8_t screened;
    uint8_t attestation; /* STIR/SHAKEN: 0 unknown, 1 A, 2 B, 3 C. */
    uint8_t tried_count;
    uint8_t candidates_count;
    uint32_t tried[TICKET_TRIED_MAX]; /* Contractors that had their turn. */
    struct ticket_candidate candidates[TICKET_CANDIDATES_MAX];
};

/* A key that tickets are signed with, while it is young, and verified by (keys.h). */
struct ticket_key {
    uint64_t until_ms; /* Exclusive: unknown from then on; 0 = a signing key, no end is set. */
    uint8_t id;
    uint8_t key[MAC_KEY_BYTES];
};

/* Those that are known, newest first: `keys[0]` signs, all verify. */
struct ticket_keys {
    uint8_t count;
    struct ticket_key keys[TICKET_KEYS_MAX];
};

/* Write and sign. Returns bytes written, <= TICKET_BYTES_MAX. */
uint16_t ticket_encode(uint8_t bytes[TICKET_BYTES_MAX], const struct ticket *ticket,
                       const struct ticket_keys *keys, struct mac *mac);

/* Read without judging the signature: for commands that were verified when they were taken up. */
bool ticket_decode(struct ticket *ticket, const uint8_t *bytes, size_t bytes_count);

/* True when a key that is known at now_ms signed exactly these bytes (E63). */
bool ticket_verify(const uint8_t *bytes, size_t bytes_count, const struct ticket_keys *keys,
                   uint64_t now_ms, struct mac *mac);

/* The candidate with this attempt number, or NULL. */
const struct ticket_candidate *ticket_candidate_at(const struct ticket *ticket, uint8_t index);

#endif
