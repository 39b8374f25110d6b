/*
 * journal.h - the log of everything that changed: who, when, what, and with which result.
 *
 * Rows are numbered without gaps and chained: each carries the SHA-256 of the one before it, so
 * a row that was cut out or changed is found. The request stands in it as it came over the wire;
 * replaying the rows into an empty store gives the same state (E64). Behind the request stand
 * the images of the folded rows that it changed (tail.h): recovery needs no rule for them.
 */
#ifndef ZR_JOURNAL_H
#define ZR_JOURNAL_H

#include "server/base/mac.h"
#include "server/domain/command.h"
#include "server/store/state.h"

struct journal_head {
    uint8_t previous[SHA256_BYTES]; /* Hash of the row before, zeros before the first. */
    uint64_t time_ms;               /* Log time. */
    uint64_t reply_digest;          /* XXH3-64 of the reply's body: what replay must get too. */
    uint32_t tenant;
    uint32_t contractor;
    uint16_t status;
    uint16_t frame_bytes;
    uint16_t images_bytes;
    uint8_t role;
    uint8_t flags; /* JOURNAL_* */
    uint8_t principal[8];
};
_Static_assert(sizeof(struct journal_head) == 72, "stored layout");

/* KEEPALIVE: its session had negotiated it, which a CONNECT's rule asks for. */
enum { JOURNAL_KEEPALIVE = 1, JOURNAL_ROW_BYTES_MAX = 36000 };
/* The largest request, and every image that a command may leave behind it. */
_Static_assert(JOURNAL_ROW_BYTES_MAX >=
                   sizeof(struct journal_head) + ZR_FRAME_BYTES_LIMIT +
                       (size_t)STATE_IMAGES_MAX * (3 + TAIL_KEY_BYTES_MAX + TAIL_ROW_BYTES_MAX),
               "a row holds any command");

/* One row, taken apart; borrows the map's bytes. */
struct journal_entry {
    struct journal_head head;
    const uint8_t *frame;
    const uint8_t *images;
};

/*
 * Append the command that `state` has at its position, with the images that `state` gathered;
 * `hash` is the chain's newest hash and becomes this row's.
 */
void journal_append(struct state *state, struct mac *mac, struct journal_head *head,
                    const uint8_t *frame, uint8_t hash[SHA256_BYTES]);

/* Read the row at `seq`. False when it is not there or is no journal row. */
bool journal_read(struct store_view *view, uint64_t seq, struct journal_entry *entry);

/* SHA-256 of a stored row. */
bool journal_hash(struct store_view *view, struct mac *mac, uint64_t seq,
                  uint8_t hash[SHA256_BYTES]);

/* Put the images of a row into the tail, as of `seq`. False when the tail is full. */
bool journal_restore_images(struct tail *tail, uint64_t seq, const struct journal_entry *entry);

#endif
