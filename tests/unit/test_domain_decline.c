/*
 * test_domain_decline.c - DECLINE as the log sees it: who may, and whom it tells (R35, R69).
 *
 * Whether the phone rings is the worker's to judge: tests/unit/test_declines.c.
 */
#include "tests/lib/domain_world.h"

static struct zr_decline_request
request_of(struct domain_world *world, uint32_t contractor)
{
    return (struct zr_decline_request){.call_ref = dw_id(world),
                                       .contractor = contractor,
                                       .tenant = DW_SWITCH_TENANT,
                                       .zip = DW_ZIP,
                                       .category = DW_CATEGORY,
                                       .index = 2};
}

/* R35: the tenant that routed the call hears of it, and of the attempt that it has to go on from.
 */
static void
test_decline_tells_the_calls_tenant(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct zr_decline_request request = request_of(world, contractor);
    struct event_row event;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DECLINE, &request), ZR_STATUS_OK);
    assert_true(world->effects.journal);
    assert_memory_equal(&world->reply.decline_reply.call_ref, &request.call_ref,
                        sizeof request.call_ref);
    assert_int_equal(world->reply.decline_reply.contractor, contractor);
    assert_int_equal(world->reply.decline_reply.commit_seq, world->seq);
    assert_true(
        state_event_get(&world->state, state_counter_now(&world->state, COUNTER_EVENT), &event));
    assert_int_equal(event.type, ZR_EVENT_CALL_DECLINED);
    assert_int_equal(event.audience, AUDIENCE_CALLS);
    assert_int_equal(event.tenant, DW_SWITCH_TENANT);
    assert_int_equal(event.contractor, contractor);
    assert_int_equal(event.zip, DW_ZIP);
    assert_int_equal(event.category, DW_CATEGORY);
    assert_true(event.number == 2);
    assert_memory_equal(&event.call_ref, &request.call_ref, sizeof request.call_ref);
}

/* R69: another's contractor is not there. */
static void
test_decline_is_for_its_own_contractors(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 5000);
    const struct zr_decline_request request = request_of(world, contractor);
    const struct zr_decline_request nobody = request_of(world, 999);
    const struct dw_actor self = {ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, contractor};
    const struct dw_actor other = {ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, contractor + 1};
    const struct dw_actor foreign = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};

    assert_int_equal(dw_run(world, other, ZR_OP_DECLINE, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, foreign, ZR_OP_DECLINE, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DECLINE, &nobody), ZR_STATUS_NOT_FOUND);
    assert_false(world->state.changed);
    assert_int_equal(dw_run(world, self, ZR_OP_DECLINE, &request), ZR_STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_decline_tells_the_calls_tenant),
        DW_TEST(test_decline_is_for_its_own_contractors),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
