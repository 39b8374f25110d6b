/*
 * test_mac.c - SipHash-2-4-128 and SHA-256 against their published vectors.
 */
#include "server/base/mac.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGES = 4 };

static struct mac *mac;

static int
setup(void **state)
{
    (void)state;
    mac = mac_open();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    mac_close(mac);
    return 0;
}

/*
 * vectors_sip128 of the reference implementation (veorq/SipHash, vectors.h): key 00 01 .. 0f,
 * message 00 01 .. of so many bytes.
 */
static const struct {
    size_t bytes;
    uint8_t expected[MAC_BYTES];
} siphash_vectors[MESSAGES] = {
    {0,
     {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
      0x93}},
    {1,
     {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
      0x45}},
    {2,
     {0x81, 0x77, 0x22, 0x8d, 0xa4, 0xa4, 0x5d, 0xc7, 0xfc, 0xa3, 0x8b, 0xde, 0xf6, 0x0a, 0xff,
      0xe4}},
    {3,
     {0x9c, 0x70, 0xb6, 0x0c, 0x52, 0x67, 0xa9, 0x4e, 0x5f, 0x33, 0xb6, 0xb0, 0x29, 0x85, 0xed,
      0x51}},
};

static void
test_siphash_is_the_published_one(void **state)
{
    uint8_t key[MAC_KEY_BYTES];
    uint8_t message[MESSAGES];
    uint8_t out[MAC_BYTES];

    (void)state;
    for (uint8_t i = 0; i < MAC_KEY_BYTES; i++) {
        key[i] = i;
    }
    for (uint8_t i = 0; i < MESSAGES; i++) {
        message[i] = i;
    }
    for (size_t i = 0; i < MESSAGES; i++) {
        mac_sign(mac, out, key, message, siphash_vectors[i].bytes);
        assert_memory_equal(out, siphash_vectors[i].expected, MAC_BYTES);
    }
}

/* The context keeps its key between calls; another key in between must not leak into it. */
static void
test_siphash_depends_on_the_key_of_its_own_call(void **state)
{
    const uint8_t keys[2][MAC_KEY_BYTES] = {{1}, {2}};
    const uint8_t message[] = "ticket";
    uint8_t first[MAC_BYTES];
    uint8_t other[MAC_BYTES];
    uint8_t again[MAC_BYTES];

    (void)state;
    mac_sign(mac, first, keys[0], message, sizeof message);
    mac_sign(mac, other, keys[1], message, sizeof message);
    mac_sign(mac, again, keys[0], message, sizeof message);
    assert_true(mac_equal(first, again));
    assert_false(mac_equal(first, other));
}

static void
test_mac_equal_sees_each_bit(void **state)
{
    uint8_t left[MAC_BYTES] = {0};
    uint8_t right[MAC_BYTES] = {0};

    (void)state;
    for (unsigned bit = 0; bit < 8 * MAC_BYTES; bit++) {
        right[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(mac_equal(left, right));
        left[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(mac_equal(left, right));
    }
}

static void
assert_hash(const uint8_t hash[SHA256_BYTES], const char *expected)
{
    char text[2 * SHA256_BYTES + 1];

    for (size_t i = 0; i < SHA256_BYTES; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
    assert_string_equal(text, expected);
}

/* FIPS 180-4 examples: "abc", and nothing. */
static void
test_sha256_is_the_published_one(void **state)
{
    uint8_t hash[SHA256_BYTES];

    (void)state;
    sha256_of(mac, hash, "abc", 3);
    assert_hash(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_of(mac, hash, "", 0);
    assert_hash(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
test_sha256_in_steps_is_sha256_at_once(void **state)
{
    uint8_t bytes[300];
    uint8_t at_once[SHA256_BYTES];
    uint8_t in_steps[SHA256_BYTES];

    (void)state;
    memset(bytes, 0xA7, sizeof bytes);
    sha256_of(mac, at_once, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        sha256_start(mac);
        sha256_add(mac, bytes, cut);
        sha256_add(mac, bytes + cut, sizeof bytes - cut);
        sha256_finish(mac, in_steps);
        assert_memory_equal(in_steps, at_once, sizeof at_once);
    }
}

static void
test_random_fill_fills_all_of_it(void **state)
{
    uint8_t bytes[1000] = {0};
    unsigned zeros = 0;

    (void)state;
    random_fill(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        zeros += bytes[i] == 0;
    }
    assert_true(zeros < 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_is_the_published_one),
        cmocka_unit_test(test_siphash_depends_on_the_key_of_its_own_call),
        cmocka_unit_test(test_mac_equal_sees_each_bit),
        cmocka_unit_test(test_sha256_is_the_published_one),
        cmocka_unit_test(test_sha256_in_steps_is_sha256_at_once),
        cmocka_unit_test(test_random_fill_fills_all_of_it),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
