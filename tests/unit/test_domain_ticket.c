/*
 * test_domain_ticket.c - the route ticket: one meaning, one signer (M6, E63).
 */
#include "server/domain/ticket.h"
#include "tests/lib/domain_world.h"

#include <string.h>

static struct ticket_keys
keys_of(uint8_t first_id, uint8_t second_id)
{
    struct ticket_keys keys = {.count = second_id == 0 ? 1 : 2};

    keys.keys[0].id = first_id;
    memset(keys.keys[0].key, first_id, MAC_KEY_BYTES);
    keys.keys[1].id = second_id;
    memset(keys.keys[1].key, second_id, MAC_KEY_BYTES);
    return keys;
}

/* A ticket whose every field is another number, at the far end of its range where it has one. */
static struct ticket
ticket_of(uint8_t tried_count, uint8_t candidates_count)
{
    struct ticket ticket = {
        .call_id = {{1, 2, 3}},
        .call_ref = {{4, 5, 6}},
        .issued_ms = DW_START_MS,
        .expires_ms = DW_START_MS + 930000, /* Budget 900 s at most, plus 30. */
        .snapshot_seq = UINT64_MAX - 1,
        .caller_hash = UINT64_C(0x0123456789ABCDEF),
        .tenant = UINT32_MAX - 2,
        .zip = ZR_ZIP_MAX,
        .policy_version = 77,
        .qualify_ms = 30000,
        .category = 255,
        .ring_timeout_s = 60,
        .mode = TICKET_LIST,
        .revision = 200,
        .attempt = tried_count,
        .screened = 7,
        .tried_count = tried_count,
        .candidates_count = candidates_count,
    };

    for (uint8_t i = 0; i < tried_count; i++) {
        ticket.tried[i] = 1000u + i;
    }
    for (uint8_t i = 0; i < candidates_count; i++) {
        ticket.candidates[i] = (struct ticket_candidate){
            UINT64_C(1) << 60 | i, 2000u + i, 3000u + i, (uint8_t)(i + 1), (uint8_t)(i + 4)};
    }
    return ticket;
}

static void
assert_same_ticket(const struct ticket *left, const struct ticket *right)
{
    assert_memory_equal(&left->call_id, &right->call_id, sizeof left->call_id);
    assert_memory_equal(&left->call_ref, &right->call_ref, sizeof left->call_ref);
    assert_true(left->issued_ms == right->issued_ms);
    assert_true(left->expires_ms == right->expires_ms);
    assert_true(left->snapshot_seq == right->snapshot_seq);
    assert_true(left->caller_hash == right->caller_hash);
    assert_int_equal(left->tenant, right->tenant);
    assert_int_equal(left->zip, right->zip);
    assert_int_equal(left->policy_version, right->policy_version);
    assert_int_equal(left->qualify_ms, right->qualify_ms);
    assert_int_equal(left->category, right->category);
    assert_int_equal(left->ring_timeout_s, right->ring_timeout_s);
    assert_int_equal(left->mode, right->mode);
    assert_int_equal(left->revision, right->revision);
    assert_int_equal(left->attempt, right->attempt);
    assert_int_equal(left->screened, right->screened);
    assert_int_equal(left->tried_count, right->tried_count);
    assert_int_equal(left->candidates_count, right->candidates_count);
    assert_memory_equal(left->tried, right->tried, sizeof left->tried);
    for (int i = 0; i < TICKET_CANDIDATES_MAX; i++) {
        const struct ticket_candidate *one = &left->candidates[i];
        const struct ticket_candidate *other = &right->candidates[i];

        assert_true(one->claim_seq == other->claim_seq);
        assert_int_equal(one->contractor, other->contractor);
        assert_int_equal(one->rate_cents, other->rate_cents);
        assert_int_equal(one->rank, other->rank);
        assert_int_equal(one->destination, other->destination);
    }
}

/* M6: at every count the same ticket comes back, within 192 bytes. */
static void
test_round_trip_at_every_count(void **state)
{
    const struct ticket_keys keys = keys_of(1, 0);
    struct mac *mac = mac_open();
    uint8_t bytes[TICKET_BYTES_MAX];

    (void)state;
    for (int tried = 0; tried <= TICKET_TRIED_MAX; tried++) {
        for (int count = 0; tried + count <= TICKET_CANDIDATES_MAX; count++) {
            const struct ticket ticket = ticket_of((uint8_t)tried, (uint8_t)count);
            const uint16_t length = ticket_encode(bytes, &ticket, &keys, mac);
            struct ticket decoded;

            assert_in_range(length, 1, TICKET_BYTES_MAX);
            assert_true(ticket_verify(bytes, length, &keys, DW_START_MS, mac));
            memset(&decoded, 0xEE, sizeof decoded);
            assert_true(ticket_decode(&decoded, bytes, length));
            assert_same_ticket(&decoded, &ticket);
        }
    }
    mac_close(mac);
}

/* E63: one flipped bit, wherever it is, and nobody signed it. */
static void
test_one_flipped_bit_anywhere_is_not_ours(void **state)
{
    const struct ticket_keys keys = keys_of(1, 2);
    const struct ticket ticket = ticket_of(1, 3);
    struct mac *mac = mac_open();
    uint8_t bytes[TICKET_BYTES_MAX];
    const uint16_t length = ticket_encode(bytes, &ticket, &keys, mac);

    (void)state;
    for (size_t bit = 0; bit < (size_t)8 * length; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(ticket_verify(bytes, length, &keys, DW_START_MS, mac));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(ticket_verify(bytes, length, &keys, DW_START_MS, mac));
    mac_close(mac);
}

/* Every truncation, and bytes too many: neither verified nor decoded. */
static void
test_only_the_exact_length_passes(void **state)
{
    const struct ticket_keys keys = keys_of(1, 0);
    const struct ticket ticket = ticket_of(2, 2);
    const struct ticket untouched = ticket_of(0, 1);
    struct mac *mac = mac_open();
    uint8_t bytes[TICKET_BYTES_MAX + 8] = {0};
    const uint16_t length = ticket_encode(bytes, &ticket, &keys, mac);

    (void)state;
    for (size_t count = 0; count <= sizeof bytes; count++) {
        struct ticket decoded = untouched;

        assert_int_equal(ticket_verify(bytes, count, &keys, DW_START_MS, mac), count == length);
        assert_int_equal(ticket_decode(&decoded, bytes, count), count == length);
        if (count != length) {
            assert_memory_equal(&decoded, &untouched, sizeof decoded);
        }
    }
    mac_close(mac);
}

/* E63: rotated. The old key, now second, still verifies; a key that is gone does not. */
static void
test_keys_rotate(void **state)
{
    const struct ticket_keys old = keys_of(1, 0);
    const struct ticket_keys both = keys_of(2, 1);
    const struct ticket_keys gone = keys_of(3, 2);
    const struct ticket_keys none = {0};
    const struct ticket ticket = ticket_of(0, 1);
    struct mac *mac = mac_open();
    uint8_t bytes[TICKET_BYTES_MAX];
    uint16_t length = ticket_encode(bytes, &ticket, &old, mac);

    (void)state;
    assert_true(ticket_verify(bytes, length, &both, DW_START_MS, mac));
    assert_false(ticket_verify(bytes, length, &gone, DW_START_MS, mac));
    assert_false(ticket_verify(bytes, length, &none, DW_START_MS, mac));
    length = ticket_encode(bytes, &ticket, &both, mac); /* keys[0] signs. */
    assert_false(ticket_verify(bytes, length, &old, DW_START_MS, mac));
    assert_true(ticket_verify(bytes, length, &gone, DW_START_MS, mac));
    expect_assert_failure((void)ticket_encode(bytes, &ticket, &none, mac));
    mac_close(mac);
}

/* E63: a key that is verify-only ends at its instant, exclusively; the bytes are the same. */
static void
test_a_retired_key_ends(void **state)
{
    struct ticket_keys keys = keys_of(1, 2);
    const struct ticket_keys retired = keys_of(2, 0);
    const struct ticket ticket = ticket_of(0, 1);
    struct mac *mac = mac_open();
    uint8_t bytes[TICKET_BYTES_MAX];
    const uint16_t length = ticket_encode(bytes, &ticket, &retired, mac);

    (void)state;
    assert_true(ticket_verify(bytes, length, &keys, UINT64_MAX, mac)); /* No end is set. */
    keys.keys[1].until_ms = DW_START_MS;
    assert_true(ticket_verify(bytes, length, &keys, DW_START_MS - 1, mac));
    assert_false(ticket_verify(bytes, length, &keys, DW_START_MS, mac));
    mac_close(mac);
}

/* A version or counts that this build does not know are no ticket. */
static void
test_unknown_layouts_are_refused(void **state)
{
    enum { TRIED_AT = 6, CANDIDATES_AT = 7 };
    const struct ticket_keys keys = keys_of(1, 0);
    const struct ticket ticket = ticket_of(1, 1);
    struct mac *mac = mac_open();
    uint8_t bytes[TICKET_BYTES_MAX];
    struct ticket decoded;
    const uint16_t length = ticket_encode(bytes, &ticket, &keys, mac);

    (void)state;
    bytes[0]++;
    assert_false(ticket_decode(&decoded, bytes, length));
    bytes[0]--;
    bytes[TRIED_AT] = TICKET_TRIED_MAX + 1;
    assert_false(ticket_decode(&decoded, bytes, length));
    bytes[TRIED_AT] = 1;
    bytes[CANDIDATES_AT] = TICKET_CANDIDATES_MAX + 1;
    assert_false(ticket_decode(&decoded, bytes, length));
    bytes[CANDIDATES_AT] = 1;
    assert_true(ticket_decode(&decoded, bytes, length));
    mac_close(mac);
}

/* M6: a ticket's first candidate has index `attempt`. */
static void
test_candidates_are_named_by_attempt(void **state)
{
    const struct ticket ticket = ticket_of(2, 2);

    (void)state;
    for (unsigned index = 0; index <= UINT8_MAX; index++) {
        const struct ticket_candidate *candidate = ticket_candidate_at(&ticket, (uint8_t)index);

        if (index == 2 || index == 3) {
            assert_ptr_equal(candidate, &ticket.candidates[index - 2]);
        } else {
            assert_null(candidate);
        }
    }
}

/* A ticket that breaks its own bounds was made by a bug. */
static void
test_encode_checks_what_it_signs(void **state)
{
    const struct ticket_keys keys = keys_of(1, 0);
    struct mac *mac = mac_open();
    uint8_t bytes[TICKET_BYTES_MAX];
    struct ticket ticket = ticket_of(0, 4);

    (void)state;
    ticket.tried_count = TICKET_TRIED_MAX + 1;
    expect_assert_failure((void)ticket_encode(bytes, &ticket, &keys, mac));
    ticket.tried_count = 1;
    expect_assert_failure((void)ticket_encode(bytes, &ticket, &keys, mac));
    ticket = ticket_of(0, 1);
    ticket.candidates_count = TICKET_CANDIDATES_MAX + 1;
    expect_assert_failure((void)ticket_encode(bytes, &ticket, &keys, mac));
    ticket = ticket_of(0, 1);
    ticket.ring_timeout_s = 61;
    expect_assert_failure((void)ticket_encode(bytes, &ticket, &keys, mac));
    ticket = ticket_of(0, 1);
    ticket.expires_ms = ticket.issued_ms - 1;
    expect_assert_failure((void)ticket_encode(bytes, &ticket, &keys, mac));
    mac_close(mac);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_at_every_count),
        cmocka_unit_test(test_one_flipped_bit_anywhere_is_not_ours),
        cmocka_unit_test(test_only_the_exact_length_passes),
        cmocka_unit_test(test_keys_rotate),
        cmocka_unit_test(test_a_retired_key_ends),
        cmocka_unit_test(test_unknown_layouts_are_refused),
        cmocka_unit_test(test_candidates_are_named_by_attempt),
        cmocka_unit_test(test_encode_checks_what_it_signs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
