/*
 * test_domain_call_get.c - CALL_GET: who sees what of a call (M1, R69, E39).
 */
#include "tests/lib/domain_world.h"

#include <string.h>

/* R69: a switch sees its tenant's calls, a contractor and its portal their own legs only. */
static void
test_who_sees_what_of_a_call(void **state)
{
    static const struct {
        struct dw_actor actor;
        uint16_t status;
        uint8_t legs;
        bool call_id;
    } rows[] = {
        {{ZR_ROLE_SWITCH, DW_SWITCH_TENANT, 0}, ZR_STATUS_OK, 2, true},
        {{ZR_ROLE_CALLCENTER, DW_SWITCH_TENANT, 0}, ZR_STATUS_OK, 2, true},
        {{ZR_ROLE_SWITCH, DW_SWITCH_TENANT + 1, 0}, ZR_STATUS_NOT_FOUND, 0, false},
        {{ZR_ROLE_ADMIN, 1, 0}, ZR_STATUS_OK, 2, true},
        {{ZR_ROLE_AUDITOR, 1, 0}, ZR_STATUS_OK, 2, true},
        {{ZR_ROLE_PORTAL, DW_PORTAL_TENANT, 0}, ZR_STATUS_OK, 2, false},
        {{ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0}, ZR_STATUS_NOT_FOUND, 0, false},
        {{ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, 2}, ZR_STATUS_OK, 1, false},
        {{ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, 3}, ZR_STATUS_NOT_FOUND, 0, false},
    };
    struct domain_world *world = *state;
    const uint32_t contractors[] = {dw_contractor(world, 5000), dw_contractor(world, 5000)};
    const struct ticket ticket = dw_ticket(world, contractors, 2);
    const struct zr_id zero = {{0}};

    assert_int_equal(contractors[1], 2);
    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    assert_int_equal(
        dw_end(world, &ticket, NULL, (struct zr_end_request){.index = 0, .caller_stays = true}),
        ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &ticket, 1), ZR_STATUS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct zr_call_get_reply *reply = &world->reply.call_get_reply;
        const bool by_id =
            rows[i].actor.role == ZR_ROLE_SWITCH || rows[i].actor.role == ZR_ROLE_CALLCENTER;
        const struct zr_call_get_request request = {.call_id = by_id ? ticket.call_id : zero,
                                                    .call_ref = by_id ? zero : ticket.call_ref};

        assert_int_equal(dw_run(world, rows[i].actor, ZR_OP_CALL_GET, &request), rows[i].status);
        assert_int_equal(reply->legs_count, rows[i].legs);
        assert_int_equal(memcmp(&reply->call_id, &zero, sizeof zero) != 0, rows[i].call_id);
        assert_int_equal(reply->tenant, rows[i].call_id ? DW_SWITCH_TENANT : 0);
    }
}

static void
test_calls_that_are_not_there(void **state)
{
    struct domain_world *world = *state;
    const struct zr_call_get_request by_id = {.call_id = dw_id(world)};
    const struct zr_call_get_request by_ref = {.call_ref = dw_id(world)};

    assert_int_equal(dw_run(world, dw_switch, ZR_OP_CALL_GET, &by_id), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_CALL_GET, &by_ref), ZR_STATUS_NOT_FOUND);
}

/* Each role has its name for a call; two names could mean two calls. */
static void
test_a_call_has_one_name_in_a_request(void **state)
{
    const struct dw_actor actors[] = {dw_switch, dw_admin, dw_portal};
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct ticket ticket = dw_ticket(world, &contractor, 1);
    const struct zr_call_get_request both = {.call_id = ticket.call_id,
                                             .call_ref = ticket.call_ref};
    const struct zr_call_get_request by_ref = {.call_ref = ticket.call_ref};

    assert_int_equal(dw_connect(world, &ticket, 0), ZR_STATUS_OK);
    for (size_t i = 0; i < sizeof actors / sizeof actors[0]; i++) {
        assert_int_equal(dw_run(world, actors[i], ZR_OP_CALL_GET, &both), ZR_STATUS_INVALID_FIELD);
        assert_int_equal(world->effects.detail,
                         zr_shape_offset_of(&zr_call_get_request_shape, "call_ref"));
    }
    assert_int_equal(dw_run(world, dw_switch, ZR_OP_CALL_GET, &by_ref), ZR_STATUS_NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_who_sees_what_of_a_call),
        DW_TEST(test_calls_that_are_not_there),
        DW_TEST(test_a_call_has_one_name_in_a_request),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
