/*
 * test_domain_events.c - who may hear of an event, and how far a reader has got (R69, M5).
 *
 * Visibility is one table: a role, an audience, and whose event it is. Each row of it says the
 * answer in letters, so that a wrong cell is seen by its place.
 */
#include "server/domain/event.h"
#include "tests/lib/domain_world.h"

#include <stdio.h>
#include <string.h>

/* The reader is of this tenant and, with role CONTRACTOR, this contractor. */
enum { MY_TENANT = 2, OTHER_TENANT = 5, MY_CONTRACTOR = 7, OTHER_CONTRACTOR = 8 };

/* Whose event it is. The last: that number, but under a tenant that it does not belong to. */
enum { OF_ME, OF_MY_TENANT, OF_NOBODY_HERE, OF_OTHERS, OF_MY_NUMBER_ELSEWHERE, OWNERS };

static const struct {
    uint32_t tenant;
    uint32_t contractor;
} owners[OWNERS] = {
    [OF_ME] = {MY_TENANT, MY_CONTRACTOR},
    [OF_MY_TENANT] = {MY_TENANT, OTHER_CONTRACTOR},
    [OF_NOBODY_HERE] = {MY_TENANT, 0},
    [OF_OTHERS] = {OTHER_TENANT, OTHER_CONTRACTOR},
    [OF_MY_NUMBER_ELSEWHERE] = {OTHER_TENANT, MY_CONTRACTOR},
};

/* 'y' = visible; one letter for each owner, in the order above. */
struct row {
    uint8_t role;
    const char *contractors; /* AUDIENCE_CONTRACTOR */
    const char *calls;       /* AUDIENCE_CALLS */
    const char *map;         /* AUDIENCE_MAP */
};

static bool
sees(uint8_t role, uint32_t contractor, const struct event_row *event)
{
    const struct command reader = {.role = role, .tenant = MY_TENANT, .contractor = contractor};

    return event_is_visible(event, &reader);
}

static void
assert_cells(uint8_t role, uint8_t type, uint8_t audience, const char *cells)
{
    char seen[OWNERS + 1] = {0};

    for (int i = 0; i < OWNERS; i++) {
        const struct event_row event = {.type = type,
                                        .audience = audience,
                                        .tenant = owners[i].tenant,
                                        .contractor = owners[i].contractor};

        seen[i] = sees(role, role == ZR_ROLE_CONTRACTOR ? MY_CONTRACTOR : 0, &event) ? 'y' : '-';
    }
    if (strcmp(seen, cells) != 0) {
        fail_msg("role %u, audience %u, type %u: %s, not %s", role, audience, type, seen, cells);
    }
}

/* R69: a tenant sees its own; ADMIN and AUDITOR all; the map is everybody's. */
static void
test_r69_each_role_hears_what_concerns_it(void **state)
{
    static const struct row rows[] = {
        {ZR_ROLE_SWITCH, "-----", "yyy--", "yyyyy"},
        {ZR_ROLE_CALLCENTER, "-----", "yyy--", "yyyyy"},
        {ZR_ROLE_PORTAL, "yyy--", "-----", "yyyyy"},
        {ZR_ROLE_CONTRACTOR, "y----", "-----", "yyyyy"},
        {ZR_ROLE_PAYMENTS, "-----", "-----", "yyyyy"},
        {ZR_ROLE_ADMIN, "yyyyy", "yyyyy", "yyyyy"},
        {ZR_ROLE_AUDITOR, "yyyyy", "yyyyy", "yyyyy"},
        {ZR_ROLE_BENCH, "-----", "-----", "yyyyy"},
        {200, "-----", "-----", "yyyyy"}, /* A role that nobody knows may least. */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint8_t role = rows[i].role;

        assert_cells(role, ZR_EVENT_SLOT_OPENED, AUDIENCE_CONTRACTOR, rows[i].contractors);
        assert_cells(role, ZR_EVENT_RECONCILE, AUDIENCE_CALLS, rows[i].calls);
        assert_cells(role, ZR_EVENT_MAP_DELTA, AUDIENCE_MAP, rows[i].map);
    }
}

/* M5: PAYMENTS acts on the automatic top-ups of every contractor, and hears of no other money. */
static void
test_r65_payments_hears_of_every_topup(void **state)
{
    static const uint8_t topups[] = {ZR_EVENT_TOPUP_REQUESTED, ZR_EVENT_TOPUP_DONE,
                                     ZR_EVENT_TOPUP_FAILED, ZR_EVENT_TOPUP_LIMIT,
                                     ZR_EVENT_TOPUP_REVERSED};
    static const uint8_t others[] = {ZR_EVENT_LOW_BALANCE, ZR_EVENT_CALL_SETTLED,
                                     ZR_EVENT_DISPUTE_OPENED};

    (void)state;
    for (size_t i = 0; i < sizeof topups; i++) {
        assert_cells(ZR_ROLE_PAYMENTS, topups[i], AUDIENCE_CONTRACTOR, "yyyyy");
        assert_cells(ZR_ROLE_PORTAL, topups[i], AUDIENCE_CONTRACTOR, "yyy--");
        assert_cells(ZR_ROLE_SWITCH, topups[i], AUDIENCE_CONTRACTOR, "-----");
    }
    for (size_t i = 0; i < sizeof others; i++) {
        assert_cells(ZR_ROLE_PAYMENTS, others[i], AUDIENCE_CONTRACTOR, "-----");
    }
}

/* R69: a CONTRACTOR principal without a contractor is nobody: 0 is no number to share. */
static void
test_r69_contractor_0_is_nobody(void **state)
{
    const struct event_row event = {
        .type = ZR_EVENT_SLOT_OPENED, .audience = AUDIENCE_CONTRACTOR, .tenant = MY_TENANT};

    (void)state;
    assert_false(sees(ZR_ROLE_CONTRACTOR, 0, &event));
}

/* ---- what an event is filled in with --------------------------------------------------------- */

static struct event_row
emitted(struct domain_world *world, const struct event_row *event)
{
    const struct command command = {.seq = 77, .time_ms = world->now_ms};
    struct event_row row;

    event_emit(&world->state, &command, event);
    assert_true(
        state_event_get(&world->state, state_counter_now(&world->state, COUNTER_EVENT), &row));
    return row;
}

/* Its owner's tenant, unless the rule names one; none for a contractor that nobody knows. */
static void
test_an_event_belongs_to_its_contractors_tenant(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct event_row row =
        emitted(world, &(struct event_row){.type = ZR_EVENT_PAUSED, .contractor = contractor});

    assert_int_equal(row.tenant, DW_PORTAL_TENANT);
    assert_int_equal(row.audience, AUDIENCE_CONTRACTOR);
    assert_int_equal(row.commit_seq, 77);
    assert_int_equal(row.time_ms, world->now_ms);
    row = emitted(world, &(struct event_row){.type = ZR_EVENT_RECONCILE,
                                             .contractor = contractor,
                                             .tenant = DW_SWITCH_TENANT,
                                             .audience = AUDIENCE_CALLS});
    assert_int_equal(row.tenant, DW_SWITCH_TENANT);
    assert_int_equal(row.audience, AUDIENCE_CALLS);
    row = emitted(world, &(struct event_row){.type = ZR_EVENT_PAUSED, .contractor = 999});
    assert_int_equal(row.tenant, 0);
    row = emitted(world, &(struct event_row){.type = ZR_EVENT_SLOT_OPENED});
    assert_int_equal(row.tenant, 0);
}

/* An event without a type says nothing: a bug. */
static void
test_an_event_without_a_type_is_a_bug(void **state)
{
    struct domain_world *world = *state;

    expect_assert_failure((void)emitted(world, &(struct event_row){.contractor = 1}));
}

/* ---- EVENTS_ACK ------------------------------------------------------------------------------ */

static uint16_t
ack(struct domain_world *world, struct dw_actor actor, const char *name, uint64_t cursor)
{
    struct zr_events_ack_request request = {.cursor = cursor};

    (void)snprintf(request.name, sizeof request.name, "%s", name);
    return dw_run(world, actor, ZR_OP_EVENTS_ACK, &request);
}

static uint64_t
acked(struct domain_world *world)
{
    return world->reply.events_ack_reply.cursor;
}

/* An acknowledged event stays so: told again or out of order, the reply is where it stands. */
static void
test_an_ack_never_goes_back(void **state)
{
    struct domain_world *world = *state;

    for (int i = 0; i < 5; i++) {
        (void)emitted(world, &(struct event_row){.type = ZR_EVENT_PAUSED, .contractor = 1});
    }
    assert_int_equal(ack(world, dw_portal, "mail", 3), ZR_STATUS_OK);
    assert_int_equal(acked(world), 3);
    assert_false(world->effects.duplicate);
    for (uint64_t again = 2; again <= 3; again++) {
        assert_int_equal(ack(world, dw_portal, "mail", again), ZR_STATUS_OK);
        assert_int_equal(acked(world), 3);
        assert_true(world->effects.duplicate);
        assert_false(world->state.changed);
    }
    assert_int_equal(ack(world, dw_portal, "mail", 4), ZR_STATUS_OK);
    assert_int_equal(acked(world), 4);
    assert_int_equal(world->reply.events_ack_reply.commit_seq, world->seq);
}

/* A cursor is one principal's under one name: others' begin at nothing. */
static void
test_cursors_do_not_meet(void **state)
{
    struct domain_world *world = *state;

    for (int i = 0; i < 5; i++) {
        (void)emitted(world, &(struct event_row){.type = ZR_EVENT_PAUSED, .contractor = 1});
    }
    assert_int_equal(ack(world, dw_portal, "mail", 5), ZR_STATUS_OK);
    assert_int_equal(ack(world, dw_portal, "sms", 1), ZR_STATUS_OK);
    assert_int_equal(acked(world), 1);
    assert_int_equal(ack(world, dw_switch, "mail", 2), ZR_STATUS_OK);
    assert_int_equal(acked(world), 2);
}

/* What has no name, and what has not happened yet, cannot be acknowledged. */
static void
test_ack_refusals(void **state)
{
    struct domain_world *world = *state;
    const uint64_t newest = state_counter_now(&world->state, COUNTER_EVENT);

    assert_int_equal(ack(world, dw_portal, "", 0), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(ack(world, dw_portal, "mail", newest + 1), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(ack(world, dw_portal, "mail", newest), ZR_STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_r69_each_role_hears_what_concerns_it),
        cmocka_unit_test(test_r65_payments_hears_of_every_topup),
        cmocka_unit_test(test_r69_contractor_0_is_nobody),
        DW_TEST(test_an_event_belongs_to_its_contractors_tenant),
        DW_TEST(test_an_event_without_a_type_is_a_bug),
        DW_TEST(test_an_ack_never_goes_back),
        DW_TEST(test_cursors_do_not_meet),
        DW_TEST(test_ack_refusals),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
