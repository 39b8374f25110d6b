/*
 * keys.h - the keys that sign route tickets: numbered, made from one secret, retired (E63).
 *
 *     signing (the newest two) --KEY_ROTATE, twice--> verify-only, 8 days --> unknown
 *
 * Number 0 is the secret that `init` drew; key n is the keyed hash of n under that secret. So the
 * log says only that and when a key was made: a copy of the journal signs nothing, and a replay
 * needs no key. A ticket settles for 7 days after its issue (M4), so 8 days of verifying lose
 * none, whichever key signed it.
 */
#ifndef ZR_KEYS_H
#define ZR_KEYS_H

#include "server/domain/command.h"
#include "server/domain/ticket.h"

#define KEY_RETIRED_MS (UINT64_C(8) * 24 * 3600 * 1000)

/* KEY_ROTATE. LIMIT when more keys than TICKET_KEYS_MAX would have to be known at once. */
uint16_t key_rotate_apply(struct state *state, const struct command *command,
                          struct zr_key_rotate_reply *reply);

/*
 * The keys as the state knows them, newest first. `first` is key 0; its until_ms is not read.
 * Keys whose end has passed are still there, and verify nothing (ticket_verify).
 */
void keys_load(struct ticket_keys *keys, struct state *state, const struct ticket_key *first,
               struct mac *mac);

#endif
