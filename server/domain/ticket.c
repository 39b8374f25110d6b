/*
 * ticket.c - see ticket.h.
 */
#include "server/domain/ticket.h"

#include "protocol/builder.h"
#include "protocol/check.h"
#include "protocol/reader.h"

#include <string.h>

enum { TICKET_VERSION = 1, TICKET_HEAD_BYTES = 86, CANDIDATE_BYTES = 18 };

/* Sums of the layout below: four candidates, four tried and the MAC must fit the promise of M6. */
_Static_assert(TICKET_HEAD_BYTES + 4 * CANDIDATE_BYTES + MAC_BYTES <= TICKET_BYTES_MAX,
               "a LIST ticket of a first attempt");
_Static_assert(TICKET_HEAD_BYTES + 3 * 4 + 1 * CANDIDATE_BYTES + MAC_BYTES <= TICKET_BYTES_MAX,
               "attempts and candidates together never pass four");

static void
put_head(struct zr_builder *builder, const struct ticket *ticket, uint8_t key_id)
{
    zr_builder_put_u8(builder, TICKET_VERSION);
    zr_builder_put_u8(builder, key_id);
    zr_builder_put_u8(builder, ticket->mode);
    zr_builder_put_u8(builder, ticket->revision);
    zr_builder_put_u8(builder, ticket->attempt);
    zr_builder_put_u8(builder, ticket->screened);
    zr_builder_put_u8(builder, ticket->tried_count);
    zr_builder_put_u8(builder, ticket->candidates_count);
    zr_builder_put_bytes(builder, ticket->call_id.bytes, sizeof ticket->call_id.bytes);
    zr_builder_put_bytes(builder, ticket->call_ref.bytes, sizeof ticket->call_ref.bytes);
    zr_builder_put_u64(builder, ticket->issued_ms);
    zr_builder_put_u32(builder, (uint32_t)(ticket->expires_ms - ticket->issued_ms));
    zr_builder_put_u64(builder, ticket->snapshot_seq);
    zr_builder_put_u64(builder, ticket->caller_hash);
    zr_builder_put_u32(builder, ticket->tenant);
    /* 20 bits hold a ZIP, 6 a ring timeout, and the last 2 an attestation. */
    zr_builder_put_u32(builder, ticket->zip | (uint32_t)ticket->ring_timeout_s << 20 |
                                    (uint32_t)ticket->attestation << 30);
    zr_builder_put_u32(builder, ticket->policy_version);
    zr_builder_put_u32(builder, ticket->qualify_ms);
    zr_builder_put_u16(builder, ticket->category);
}

uint16_t
ticket_encode(uint8_t bytes[TICKET_BYTES_MAX], const struct ticket *ticket,
              const struct ticket_keys *keys, struct mac *mac)
{
    struct zr_builder builder;
    uint8_t *signature;

    CHECK(keys->count > 0);
    CHECK(ticket->tried_count <= TICKET_TRIED_MAX);
    CHECK(ticket->candidates_count <= TICKET_CANDIDATES_MAX);
    CHECK(ticket->tried_count + ticket->candidates_count <= TICKET_CANDIDATES_MAX);
    CHECK(ticket->ring_timeout_s <= 60);
    CHECK(ticket->attestation <= 3);
    CHECK(ticket->expires_ms - ticket->issued_ms <= UINT32_MAX);

    zr_builder_init(&builder, bytes, TICKET_BYTES_MAX);
    put_head(&builder, ticket, keys->keys[0].id);
    CHECK(builder.length == TICKET_HEAD_BYTES);
    for (uint8_t i = 0; i < ticket->tried_count; i++) {
        zr_builder_put_u32(&builder, ticket->tried[i]);
    }
    for (uint8_t i = 0; i < ticket->candidates_count; i++) {
        const struct ticket_candidate *candidate = &ticket->candidates[i];

        zr_builder_put_u32(&builder, candidate->contractor);
        zr_builder_put_u64(&builder, candidate->claim_seq);
        zr_builder_put_u32(&builder, candidate->rate_cents);
        zr_builder_put_u8(&builder, candidate->rank);
        zr_builder_put_u8(&builder, candidate->destination);
    }
    signature = zr_builder_reserve(&builder, MAC_BYTES);
    CHECK(signature != NULL);
    mac_sign(mac, signature, keys->keys[0].key, bytes, builder.length - MAC_BYTES);
    return (uint16_t)builder.length;
}

static void
take_head(struct zr_reader *reader, struct ticket *ticket)
{
    const uint8_t *id;
    uint32_t zip_and_ring;

    ticket->mode = zr_reader_take_u8(reader);
    ticket->revision = zr_reader_take_u8(reader);
    ticket->attempt = zr_reader_take_u8(reader);
    ticket->screened = zr_reader_take_u8(reader);
    ticket->tried_count = zr_reader_take_u8(reader);
    ticket->candidates_count = zr_reader_take_u8(reader);
    id = zr_reader_take_bytes(reader, 2 * sizeof ticket->call_id);
    if (id != NULL) {
        memcpy(&ticket->call_id, id, sizeof ticket->call_id);
        memcpy(&ticket->call_ref, id + sizeof ticket->call_id, sizeof ticket->call_ref);
    }
    ticket->issued_ms = zr_reader_take_u64(reader);
    ticket->expires_ms = ticket->issued_ms + zr_reader_take_u32(reader);
    ticket->snapshot_seq = zr_reader_take_u64(reader);
    ticket->caller_hash = zr_reader_take_u64(reader);
    ticket->tenant = zr_reader_take_u32(reader);
    zip_and_ring = zr_reader_take_u32(reader);
    ticket->zip = zip_and_ring & 0xFFFFF;
    ticket->ring_timeout_s = (uint16_t)(zip_and_ring >> 20 & 0x3FF);
    ticket->attestation = (uint8_t)(zip_and_ring >> 30);
    ticket->policy_version = zr_reader_take_u32(reader);
    ticket->qualify_ms = zr_reader_take_u32(reader);
    ticket->category = zr_reader_take_u16(reader);
}

bool
ticket_decode(struct ticket *ticket, const uint8_t *bytes, size_t bytes_count)
{
    struct ticket decoded = {0};
    struct zr_reader reader;

    zr_reader_init(&reader, bytes, bytes_count);
    if (zr_reader_take_u8(&reader) != TICKET_VERSION) {
        return false;
    }
    (void)zr_reader_take_u8(&reader); /* Key id: ticket_verify's. */
    take_head(&reader, &decoded);
    if (decoded.tried_count > TICKET_TRIED_MAX ||
        decoded.candidates_count > TICKET_CANDIDATES_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < decoded.tried_count; i++) {
        decoded.tried[i] = zr_reader_take_u32(&reader);
    }
    for (uint8_t i = 0; i < decoded.candidates_count; i++) {
        struct ticket_candidate *candidate = &decoded.candidates[i];

        candidate->contractor = zr_reader_take_u32(&reader);
        candidate->claim_seq = zr_reader_take_u64(&reader);
        candidate->rate_cents = zr_reader_take_u32(&reader);
        candidate->rank = zr_reader_take_u8(&reader);
        candidate->destination = zr_reader_take_u8(&reader);
    }
    (void)zr_reader_take_bytes(&reader, MAC_BYTES);
    if (!zr_reader_done(&reader)) {
        return false;
    }
    *ticket = decoded;
    return true;
}

bool
ticket_verify(const uint8_t *bytes, size_t bytes_count, const struct ticket_keys *keys,
              uint64_t now_ms, struct mac *mac)
{
    uint8_t expected[MAC_BYTES];

    if (bytes_count < TICKET_HEAD_BYTES + MAC_BYTES || bytes_count > TICKET_BYTES_MAX) {
        return false;
    }
    for (uint8_t i = 0; i < keys->count; i++) {
        const struct ticket_key *key = &keys->keys[i];

        if (key->id == bytes[1]) {
            mac_sign(mac, expected, key->key, bytes, bytes_count - MAC_BYTES);
            return (key->until_ms == 0 || now_ms < key->until_ms) &&
                   mac_equal(expected, bytes + bytes_count - MAC_BYTES);
        }
    }
    return false;
}

const struct ticket_candidate *
ticket_candidate_at(const struct ticket *ticket, uint8_t index)
{
    if (index < ticket->attempt || index - ticket->attempt >= ticket->candidates_count) {
        return NULL;
    }
    return &ticket->candidates[index - ticket->attempt];
}
