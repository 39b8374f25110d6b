/*
 * keys.c - see keys.h.
 */
#include "server/domain/keys.h"

#include "protocol/builder.h"
#include "protocol/check.h"

#include <string.h>

enum { SIGNING = 2, KEY_IDS = 255 }; /* Keys that sign; names that they have. */

/* What tickets call the key: 1..255, in a circle that TICKET_KEYS_MAX keys do not close. */
static uint8_t
key_id_of(uint64_t number)
{
    return (uint8_t)(number % KEY_IDS + 1);
}

/* Until when key `number` verifies, 0 = without end. Key 0 has no row before it is retired. */
static uint64_t
key_until_ms(struct state *state, uint64_t number)
{
    struct ticket_key_row row;

    return state_ticket_key_get(state, number, &row) ? row.retired_until_ms : 0;
}

/* Would key `number` be known beside TICKET_KEYS_MAX newer ones? They end in their order. */
static bool
keys_are_full(struct state *state, const struct command *command, uint64_t number)
{
    return number >= TICKET_KEYS_MAX &&
           key_until_ms(state, number - TICKET_KEYS_MAX) > command->time_ms;
}

static void
key_retire(struct state *state, const struct command *command, uint64_t number,
           struct zr_key_rotate_reply *reply)
{
    struct ticket_key_row row = {0};

    (void)state_ticket_key_get(state, number, &row);
    CHECK(row.retired_until_ms == 0);
    row.retired_until_ms = command->time_ms + KEY_RETIRED_MS;
    state_ticket_key_put(state, number, &row);
    reply->retired_key_id = key_id_of(number);
    reply->retired_until_ms = row.retired_until_ms;
}

uint16_t
key_rotate_apply(struct state *state, const struct command *command,
                 struct zr_key_rotate_reply *reply)
{
    const uint64_t number = state_counter_now(state, COUNTER_TICKET_KEY) + 1;
    const struct ticket_key_row row = {.created_ms = command->time_ms};

    if (keys_are_full(state, command, number)) {
        return ZR_STATUS_LIMIT;
    }
    (void)state_counter_next(state, COUNTER_TICKET_KEY);
    (void)state_counter_next(state, COUNTER_CATALOGUE); /* Workers load their keys again. */
    state_ticket_key_put(state, number, &row);
    if (number >= SIGNING) {
        key_retire(state, command, number - SIGNING, reply);
    }
    reply->commit_seq = command->seq;
    reply->key_id = key_id_of(number);
    return ZR_STATUS_OK;
}

/* Derived keys are told from tickets, which the same secret signs, by their first byte. */
static void
key_derive(struct ticket_key *key, const struct ticket_key *first, uint64_t number, struct mac *mac)
{
    static const uint8_t purpose[8] = {'k', 'e', 'y', ' ', 'n', 'o', '.', ' '};
    struct zr_builder builder;
    uint8_t bytes[16];

    if (number == 0) {
        memcpy(key->key, first->key, sizeof key->key);
        return;
    }
    zr_builder_init(&builder, bytes, sizeof bytes);
    zr_builder_put_bytes(&builder, purpose, sizeof purpose);
    zr_builder_put_u64(&builder, number);
    CHECK(!builder.failed);
    mac_sign(mac, key->key, first->key, bytes, builder.length);
}

void
keys_load(struct ticket_keys *keys, struct state *state, const struct ticket_key *first,
          struct mac *mac)
{
    const uint64_t newest = state_counter_now(state, COUNTER_TICKET_KEY);
    uint64_t number = newest + 1;

    CHECK(first->id == key_id_of(0));
    *keys = (struct ticket_keys){.count = 0};
    while (number > 0 && keys->count < TICKET_KEYS_MAX) {
        struct ticket_key *key = &keys->keys[keys->count++];

        number--;
        key->id = key_id_of(number);
        key->until_ms = key_until_ms(state, number);
        key_derive(key, first, number, mac);
    }
}
