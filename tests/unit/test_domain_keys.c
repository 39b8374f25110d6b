/*
 * test_domain_keys.c - ticket keys rotate: two sign, older ones verify for 8 days (E63, E72).
 */
#include "server/domain/keys.h"
#include "tests/lib/domain_world.h"

#include <string.h>

static const struct ticket_key first = {.id = 1, .key = {1, 2, 3}};

static const struct zr_key_rotate_reply *
rotate(struct domain_world *world)
{
    const struct zr_key_rotate_request request = {.op_id = dw_id(world)};

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_KEY_ROTATE, &request), ZR_STATUS_OK);
    return &world->reply.key_rotate_reply;
}

static struct ticket_keys
keys_now(struct domain_world *world)
{
    struct ticket_keys keys;

    keys_load(&keys, &world->state, &first, world->mac);
    return keys;
}

/* A ticket as it would be signed now. */
struct signed_ticket {
    uint8_t bytes[TICKET_BYTES_MAX];
    uint16_t length;
};

static struct signed_ticket
sign(struct domain_world *world)
{
    const uint32_t contractor = 1;
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    const struct ticket_keys keys = keys_now(world);
    struct signed_ticket made;

    made.length = ticket_encode(made.bytes, &ticket, &keys, world->mac);
    return made;
}

static bool
verifies(struct domain_world *world, const struct signed_ticket *made)
{
    const struct ticket_keys keys = keys_now(world);

    return ticket_verify(made->bytes, made->length, &keys, world->now_ms, world->mac);
}

/* Before any rotation the key is the one that init made, byte for byte. */
static void
test_the_first_key_is_inits(void **state)
{
    const struct ticket_keys keys = keys_now(*state);

    assert_int_equal(keys.count, 1);
    assert_int_equal(keys.keys[0].id, first.id);
    assert_true(keys.keys[0].until_ms == 0);
    assert_memory_equal(keys.keys[0].key, first.key, MAC_KEY_BYTES);
}

/* E63: the newest two have no end; the one before them verifies until its 8 days are over. */
static void
test_two_keys_sign_and_older_ones_end(void **state)
{
    struct domain_world *world = *state;
    const struct signed_ticket oldest = sign(world);
    const struct zr_key_rotate_reply *reply = rotate(world);
    struct signed_ticket middle;

    assert_int_equal(reply->key_id, 2);
    assert_int_equal(reply->retired_key_id, 0);
    assert_true(reply->retired_until_ms == 0);
    assert_int_equal(reply->commit_seq, world->seq);
    middle = sign(world);
    assert_int_equal(middle.bytes[1], 2);
    world->now_ms += 400 * DW_DAY_MS;
    assert_true(verifies(world, &oldest));
    assert_true(verifies(world, &middle));

    reply = rotate(world);
    assert_int_equal(reply->key_id, 3);
    assert_int_equal(reply->retired_key_id, 1);
    assert_true(reply->retired_until_ms == world->now_ms + 8 * DW_DAY_MS);
    world->now_ms += 8 * DW_DAY_MS - 1;
    assert_true(verifies(world, &oldest));
    world->now_ms += 1;
    assert_false(verifies(world, &oldest)); /* Unknown. */
    assert_true(verifies(world, &middle));
}

/* E63: one flipped bit, also of the key's name, and nobody signed it. */
static void
test_one_flipped_bit_is_not_ours(void **state)
{
    struct domain_world *world = *state;
    struct signed_ticket made;

    (void)rotate(world);
    (void)rotate(world);
    made = sign(world);
    for (size_t bit = 0; bit < made.length * 8u; bit++) {
        made.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(verifies(world, &made));
        made.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(verifies(world, &made));
}

/* Every key is its own, and the same in every process that has the secret. */
static void
test_keys_are_made_from_the_secret_and_their_number(void **state)
{
    struct domain_world *world = *state;
    struct ticket_key other = first;
    struct ticket_keys keys;
    struct ticket_keys again;
    struct ticket_keys foreign;

    for (int i = 0; i < 5; i++) {
        (void)rotate(world);
    }
    keys = keys_now(world);
    again = keys_now(world);
    other.key[MAC_KEY_BYTES - 1] ^= 1;
    keys_load(&foreign, &world->state, &other, world->mac);
    assert_int_equal(keys.count, 6);
    for (uint8_t i = 0; i < keys.count; i++) {
        assert_int_equal(keys.keys[i].id, 6 - i); /* Newest first. */
        assert_int_equal(keys.keys[i].until_ms == 0, i < 2);
        assert_memory_equal(keys.keys[i].key, again.keys[i].key, MAC_KEY_BYTES);
        assert_memory_not_equal(keys.keys[i].key, foreign.keys[i].key, MAC_KEY_BYTES);
        for (uint8_t j = 0; j < i; j++) {
            assert_memory_not_equal(keys.keys[i].key, keys.keys[j].key, MAC_KEY_BYTES);
        }
    }
}

/* What would have to be known at once is bounded; 8 days later there is room again. */
static void
test_rotations_are_bounded(void **state)
{
    struct domain_world *world = *state;
    const struct zr_key_rotate_request request = {.op_id = dw_id(world)};

    for (int i = 1; i < TICKET_KEYS_MAX; i++) {
        (void)rotate(world);
    }
    assert_int_equal(keys_now(world).count, TICKET_KEYS_MAX);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_KEY_ROTATE, &request), ZR_STATUS_LIMIT);
    assert_false(world->state.changed);
    world->now_ms += 8 * DW_DAY_MS - 1;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_KEY_ROTATE, &request), ZR_STATUS_LIMIT);
    world->now_ms += 1;
    for (int i = 0; i < 300; i++) { /* Names go round, and none is there twice. */
        const struct zr_key_rotate_reply *reply = rotate(world);

        assert_int_not_equal(reply->key_id, 0);
        assert_int_not_equal(reply->key_id, reply->retired_key_id);
        world->now_ms += DW_DAY_MS;
    }
    assert_int_equal(keys_now(world).count, TICKET_KEYS_MAX);
}

/* Workers load their keys again because the catalogue's version rises. */
static void
test_a_rotation_is_heard(void **state)
{
    struct domain_world *world = *state;
    const uint64_t before = state_counter_now(&world->state, COUNTER_CATALOGUE);

    (void)rotate(world);
    assert_true(state_counter_now(&world->state, COUNTER_CATALOGUE) > before);
}

/* E72: routed, then the keys rotated twice, END on day 6 by the ticket: verified, and charged. */
static void
test_a_spooled_end_outlives_two_rotations(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    const struct ticket_keys keys = keys_now(world);
    const struct zr_end_request facts = {.answered_at_ms = world->now_ms + 1000, .talk_ms = 60000};
    struct signed_ticket made;

    made.length = ticket_encode(made.bytes, &ticket, &keys, world->mac);
    world->now_ms += 1;
    (void)rotate(world);
    (void)rotate(world);
    world->now_ms = ticket.issued_ms + 6 * DW_DAY_MS;
    assert_true(verifies(world, &made));
    assert_int_equal(dw_end(world, &ticket, &ticket, facts), ZR_STATUS_OK);
    assert_int_equal(world->reply.settlement_reply.settlement, ZR_SETTLEMENT_CHARGED);
    world->now_ms = ticket.issued_ms + 7 * DW_DAY_MS; /* The last moment to settle by it. */
    assert_true(verifies(world, &made));
    world->now_ms += 2 * DW_DAY_MS;
    assert_false(verifies(world, &made));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_the_first_key_is_inits),
        DW_TEST(test_two_keys_sign_and_older_ones_end),
        DW_TEST(test_one_flipped_bit_is_not_ours),
        DW_TEST(test_keys_are_made_from_the_secret_and_their_number),
        DW_TEST(test_rotations_are_bounded),
        DW_TEST(test_a_rotation_is_heard),
        DW_TEST(test_a_spooled_end_outlives_two_rotations),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
