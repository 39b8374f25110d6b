/*
 * test_domain_policy.c - POLICY_PUT and POLICY_GET: fields, scopes, versions (M1, R53, R68).
 */
#include "tests/lib/domain_world.h"

#include <string.h>

static struct zr_policy_put_request
put_of(uint8_t scope, uint16_t category, uint32_t zip)
{
    return (struct zr_policy_put_request){.scope = scope,
                                          .category = category,
                                          .zip = zip,
                                          .policy = {dw_policy_default()},
                                          .policy_count = 1};
}

static uint16_t
put(struct domain_world *world, const struct zr_policy_put_request *request)
{
    return dw_run(world, dw_admin, ZR_OP_POLICY_PUT, request);
}

static const struct zr_policy_get_reply *
get(struct domain_world *world, uint8_t scope, uint16_t category, uint32_t zip)
{
    const struct zr_policy_get_request request = {.scope = scope, .category = category, .zip = zip};

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_POLICY_GET, &request), ZR_STATUS_OK);
    return &world->reply.policy_get_reply;
}

/* ---- fields ------------------------------------------------------------------------------- */

#define ROW(field, number, wrong)                                                              \
    {                                                                                          \
        offsetof(struct zr_policy, field), sizeof((struct zr_policy *)0)->field, number, wrong \
    }

/* Each field at its bounds: the name of the wrong one, or NULL. */
static void
test_each_field_has_its_bounds(void **state)
{
    static const struct {
        size_t offset;
        size_t bytes;
        int64_t value;
        const char *wrong;
    } rows[] = {
        ROW(offer_window_s, 0, NULL), /* Promoted at once. */
        ROW(offer_window_s, 1, NULL),
        ROW(overdraft_cents, -1, NULL),
        ROW(overdraft_cents, 0, NULL),
        ROW(overdraft_cents, -2, "overdraft_cents"),
        ROW(ring_timeout_s, 9, "ring_timeout_s"), /* R49: 10..60 */
        ROW(ring_timeout_s, 10, NULL),
        ROW(ring_timeout_s, 61, "ring_timeout_s"),
        ROW(max_attempts, 0, "max_attempts"),
        ROW(max_attempts, 5, "max_attempts"),
        ROW(max_attempts, 1, NULL),
        ROW(cascade_budget_s, 139, "cascade_budget_s"), /* 4 x (30 + 5) */
        ROW(cascade_budget_s, 140, NULL),
        ROW(cascade_budget_s, 900, NULL),
        ROW(cascade_budget_s, 901, "cascade_budget_s"),
        ROW(multiplier_2_bp, 10000, NULL),
        ROW(multiplier_2_bp, 10001, "multiplier_2_bp"),
        ROW(multiplier_2_bp, 4999, "multiplier_3_bp"), /* R53: non-increasing. */
        ROW(multiplier_3_bp, 7000, NULL),
        ROW(multiplier_3_bp, 7001, "multiplier_3_bp"),
        ROW(multiplier_3_bp, 0, NULL),
        ROW(max_positions, 0, "max_positions"),
        ROW(max_positions, 1, NULL),
        ROW(max_positions, 32, NULL),
        ROW(max_positions, 33, "max_positions"),
        ROW(max_call_s, 0, "max_call_s"), /* M4: nobody's call is over before it began. */
        ROW(max_call_s, 59, "max_call_s"),
        ROW(max_call_s, 60, NULL),
        ROW(max_call_s, 604800, NULL), /* As long as an END may come at all. */
        ROW(max_call_s, 604801, "max_call_s"),
        ROW(qualify_ms, 0, NULL), /* Charges at CONNECT. */
        ROW(dup_days, 0, NULL),
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zr_policy policy = dw_policy_default();
        const char *wrong;

        memcpy((uint8_t *)&policy + rows[i].offset, &rows[i].value, rows[i].bytes);
        wrong = policy_wrong_field(&policy);
        if (rows[i].wrong == NULL) {
            assert_null(wrong);
        } else {
            assert_string_equal(wrong, rows[i].wrong);
        }
    }
}

/* POLICY_PUT refuses attempts x (ring + 5) above the budget, at 60 s of ringing too. */
static void
test_the_budget_covers_every_attempt(void **state)
{
    struct zr_policy policy = dw_policy_default();

    (void)state;
    policy.ring_timeout_s = 60;
    policy.cascade_budget_s = 259;
    assert_string_equal(policy_wrong_field(&policy), "cascade_budget_s");
    policy.cascade_budget_s = 260;
    assert_null(policy_wrong_field(&policy));
}

/* INVALID_FIELD says where: the field in the entry, or what is wrong with the request. */
static void
test_a_wrong_policy_is_refused(void **state)
{
    struct domain_world *world = *state;
    struct zr_policy_put_request request = put_of(ZR_SCOPE_NETWORK, 0, 0);

    request.policy_count = 0;
    assert_int_equal(put(world, &request), ZR_STATUS_INVALID_FIELD);
    request.policy_count = 1;
    request.policy[0].max_positions = 0;
    assert_int_equal(put(world, &request), ZR_STATUS_INVALID_FIELD);
    assert_true(world->effects.detail > 24 + zr_policy_put_request_shape.block_bytes);
    assert_true(world->effects.detail <
                24 + zr_policy_put_request_shape.block_bytes + zr_policy_shape.block_bytes);
}

/* ---- scopes -------------------------------------------------------------------------------- */

/* A scope names exactly the parts of the key that it has, and they exist. */
static void
test_scopes_name_their_key(void **state)
{
    static const struct {
        uint8_t scope;
        uint16_t category;
        uint32_t zip;
        uint16_t expected;
    } rows[] = {
        {ZR_SCOPE_NETWORK, 0, 0, ZR_STATUS_OK},
        {ZR_SCOPE_NETWORK, DW_CATEGORY, 0, ZR_STATUS_INVALID_FIELD},
        {ZR_SCOPE_NETWORK, 0, DW_ZIP, ZR_STATUS_INVALID_FIELD},
        {ZR_SCOPE_CATEGORY, DW_CATEGORY, 0, ZR_STATUS_OK},
        {ZR_SCOPE_CATEGORY, 0, 0, ZR_STATUS_INVALID_FIELD},
        {ZR_SCOPE_CATEGORY, DW_CATEGORY, DW_ZIP, ZR_STATUS_INVALID_FIELD},
        {ZR_SCOPE_CATEGORY, CATEGORIES_MAX, 0, ZR_STATUS_INVALID_FIELD},
        {ZR_SCOPE_CATEGORY, 77, 0, ZR_STATUS_NOT_FOUND},
        {ZR_SCOPE_SLOT, DW_CATEGORY, DW_ZIP, ZR_STATUS_OK},
        {ZR_SCOPE_SLOT, 0, DW_ZIP, ZR_STATUS_INVALID_FIELD},
        {ZR_SCOPE_SLOT, 77, DW_ZIP_UNKNOWN, ZR_STATUS_NOT_FOUND},
        {ZR_SCOPE_SLOT, DW_CATEGORY, DW_ZIP_UNKNOWN, ZR_STATUS_UNKNOWN_ZIP},
    };
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct zr_policy_put_request request =
            put_of(rows[i].scope, rows[i].category, rows[i].zip);

        assert_int_equal(put(world, &request), rows[i].expected);
    }
}

/* The narrowest scope that has a record wins, whole. */
static void
test_the_narrowest_scope_wins(void **state)
{
    struct domain_world *world = *state;
    struct zr_policy_put_request request = put_of(ZR_SCOPE_SLOT, DW_CATEGORY, DW_ZIP);
    const struct zr_policy_get_reply *reply = get(world, ZR_SCOPE_SLOT, DW_CATEGORY, DW_ZIP);

    assert_int_equal(reply->scope, ZR_SCOPE_NETWORK); /* The defaults, version 0. */
    assert_int_equal(reply->version, 0);
    assert_int_equal(reply->own_version, 0);
    assert_int_equal(reply->policy[0].qualify_ms, 30000);
    request.policy[0].max_positions = 3;
    assert_int_equal(put(world, &request), ZR_STATUS_OK);
    request = put_of(ZR_SCOPE_CATEGORY, DW_CATEGORY, 0);
    request.policy[0].max_positions = 2;
    assert_int_equal(put(world, &request), ZR_STATUS_OK);
    request = put_of(ZR_SCOPE_NETWORK, 0, 0);
    request.policy[0].max_positions = 1;
    assert_int_equal(put(world, &request), ZR_STATUS_OK);
    assert_int_equal(get(world, ZR_SCOPE_SLOT, DW_CATEGORY, DW_ZIP)->policy[0].max_positions, 3);
    assert_int_equal(reply->scope, ZR_SCOPE_SLOT);
    assert_int_equal(get(world, ZR_SCOPE_SLOT, DW_CATEGORY, DW_ZIP_2)->policy[0].max_positions, 2);
    assert_int_equal(reply->scope, ZR_SCOPE_CATEGORY);
    assert_int_equal(get(world, ZR_SCOPE_SLOT, DW_CATEGORY_2, DW_ZIP)->policy[0].max_positions, 1);
    assert_int_equal(reply->scope, ZR_SCOPE_NETWORK);
}

/* R68: versions are network-wide; a PUT against another one is refused and says which it is. */
static void
test_versions(void **state)
{
    struct domain_world *world = *state;
    struct zr_policy_put_request request = put_of(ZR_SCOPE_NETWORK, 0, 0);
    uint32_t version;

    request.expected_version = 1;
    assert_int_equal(put(world, &request), ZR_STATUS_VERSION_CONFLICT);
    assert_int_equal(world->reply.policy_put_reply.version, 0);
    request.expected_version = 0;
    assert_int_equal(put(world, &request), ZR_STATUS_OK);
    version = world->reply.policy_put_reply.version;
    request.expected_version = version - 1;
    assert_int_equal(put(world, &request), ZR_STATUS_VERSION_CONFLICT);
    assert_int_equal(world->reply.policy_put_reply.version, version);
    request = put_of(ZR_SCOPE_CATEGORY, DW_CATEGORY, 0);
    assert_int_equal(put(world, &request), ZR_STATUS_OK);
    assert_int_equal(world->reply.policy_put_reply.version, version + 1);
    assert_int_equal(get(world, ZR_SCOPE_CATEGORY, DW_CATEGORY, 0)->own_version, version + 1);
    assert_int_equal(get(world, ZR_SCOPE_NETWORK, 0, 0)->own_version, version);
}

/* Every field comes back as it was put. */
static void
test_a_policy_comes_back_as_it_was_put(void **state)
{
    struct domain_world *world = *state;
    struct zr_policy_put_request request = put_of(ZR_SCOPE_NETWORK, 0, 0);
    struct zr_policy *policy = &request.policy[0];
    const struct zr_policy *back;

    *policy = (struct zr_policy){.qualify_ms = 1,
                                 .dup_days = 2,
                                 .funds_grace_s = 3,
                                 .pause_grace_s = 4,
                                 .offer_window_s = 13,
                                 .max_call_s = 65,
                                 .overdraft_cents = 6,
                                 .ring_timeout_s = 11,
                                 .cascade_budget_s = 40,
                                 .multiplier_2_bp = 9,
                                 .multiplier_3_bp = 8,
                                 .max_positions = 7,
                                 .max_attempts = 2,
                                 .screening_required = true,
                                 .dup_scope = ZR_DUP_PER_NETWORK,
                                 .funds_rule = ZR_FUNDS_MAX_RATE,
                                 .duration_check = ZR_DURATION_FLAG};
    assert_int_equal(put(world, &request), ZR_STATUS_OK);
    back = &get(world, ZR_SCOPE_NETWORK, 0, 0)->policy[0];
    assert_int_equal(back->qualify_ms, 1);
    assert_int_equal(back->dup_days, 2);
    assert_int_equal(back->funds_grace_s, 3);
    assert_int_equal(back->pause_grace_s, 4);
    assert_int_equal(back->offer_window_s, 13);
    assert_int_equal(back->max_call_s, 65);
    assert_int_equal(back->overdraft_cents, 6);
    assert_int_equal(back->ring_timeout_s, 11);
    assert_int_equal(back->cascade_budget_s, 40);
    assert_int_equal(back->multiplier_2_bp, 9);
    assert_int_equal(back->multiplier_3_bp, 8);
    assert_int_equal(back->max_positions, 7);
    assert_int_equal(back->max_attempts, 2);
    assert_true(back->screening_required);
    assert_int_equal(back->dup_scope, ZR_DUP_PER_NETWORK);
    assert_int_equal(back->funds_rule, ZR_FUNDS_MAX_RATE);
    assert_int_equal(back->duration_check, ZR_DURATION_FLAG);
}

/* The rows behind the entry: as put; a dispute window of 0 is said by who does not know of it. */
static void
test_the_appended_rows_come_back(void **state)
{
    struct domain_world *world = *state;
    const struct zr_policy_get_reply *back = get(world, ZR_SCOPE_NETWORK, 0, 0);
    struct zr_policy_put_request request = {.scope = ZR_SCOPE_NETWORK,
                                            .policy = {dw_policy_default()},
                                            .policy_count = 1,
                                            .attestation_min = 3,
                                            .cooldown_misses = 4,
                                            .cooldown_s = 5};

    assert_int_equal(back->dispute_days, 30);
    assert_int_equal(back->attestation_min, 0);
    assert_int_equal(back->cooldown_misses, 0);
    assert_int_equal(back->policy[0].offer_window_s, 24 * 3600); /* domain.md "Defaults" */
    assert_int_equal(put(world, &request), ZR_STATUS_OK);
    request.expected_version = world->reply.policy_put_reply.version;
    back = get(world, ZR_SCOPE_NETWORK, 0, 0);
    assert_int_equal(back->attestation_min, 3);
    assert_int_equal(back->cooldown_misses, 4);
    assert_int_equal(back->cooldown_s, 5);
    assert_int_equal(back->dispute_days, 30);
    request.dispute_days = 7;
    assert_int_equal(put(world, &request), ZR_STATUS_OK);
    assert_int_equal(get(world, ZR_SCOPE_NETWORK, 0, 0)->dispute_days, 7);
    request.attestation_min = 4;
    assert_int_equal(put(world, &request), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(world->effects.detail,
                     zr_shape_offset_of(&zr_policy_put_request_shape, "attestation_min"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_field_has_its_bounds),
        cmocka_unit_test(test_the_budget_covers_every_attempt),
        DW_TEST(test_a_wrong_policy_is_refused),
        DW_TEST(test_scopes_name_their_key),
        DW_TEST(test_the_narrowest_scope_wins),
        DW_TEST(test_versions),
        DW_TEST(test_a_policy_comes_back_as_it_was_put),
        DW_TEST(test_the_appended_rows_come_back),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
