/*
 * test_domain_profile.c - SCHEDULE_PUT, CAPS_PUT, DEST_PUT, FILTERS_PUT, SUPPRESS_PUT and their
 * reads: what is refused, what is kept, who may (R13, R34, R50, R69).
 */
#include "server/domain/localtime.h"
#include "tests/lib/domain_world.h"

#include <string.h>

static const struct dw_actor stranger = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 40, 0};

static struct zr_schedule_put_request
schedule_of(uint32_t contractor, uint32_t expected_version)
{
    struct zr_schedule_put_request request = {.contractor = contractor,
                                              .expected_version = expected_version,
                                              .timezone = "America/Chicago",
                                              .hours_length = SCHEDULE_HOURS_BYTES};

    memset(request.hours, 0xFF, sizeof request.hours);
    return request;
}

/* ---- schedule -------------------------------------------------------------------------------- */

/* R34: what was put is read back, with the zone's name. */
static void
test_schedule_is_kept(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_schedule_put_request request = schedule_of(contractor, 0);
    const struct zr_profile_get_request get = {.contractor = contractor};
    const struct zr_schedule_get_reply *reply = &world->reply.schedule_get_reply;

    request.hours[3] = 0x5A;
    request.unavailable_until_ms = world->now_ms + 1;
    request.exceptions_count = 1;
    request.exceptions[0] = (struct zr_schedule_exception){20000, 32, 68};
    request.vacations_count = 1;
    request.vacations[0] = (struct zr_schedule_vacation){20100, 20107};
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &request), ZR_STATUS_OK);
    assert_int_equal(world->reply.put_reply.version, 1);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_GET, &get), ZR_STATUS_OK);
    assert_int_equal(reply->version, 1);
    assert_string_equal(reply->timezone, "America/Chicago");
    assert_int_equal(reply->hours_length, SCHEDULE_HOURS_BYTES);
    assert_memory_equal(reply->hours, request.hours, SCHEDULE_HOURS_BYTES);
    assert_int_equal(reply->exceptions_count, 1);
    assert_int_equal(reply->exceptions[0].close_quarter, 68);
    assert_int_equal(reply->vacations_count, 1);
    assert_int_equal(reply->vacations[0].last_day, 20107);
    assert_int_not_equal(reply->reasons, 0); /* Unavailable for one more millisecond. */
}

/* No schedule: always open, on the clock of the office ZIP. */
static void
test_schedule_by_default_is_the_office_zip_s(void **state)
{
    struct domain_world *world = *state;
    const struct zr_profile_get_request get = {.contractor = dw_contractor(world, 0)};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_GET, &get), ZR_STATUS_OK);
    assert_int_equal(world->reply.schedule_get_reply.version, 0);
    assert_int_equal(world->reply.schedule_get_reply.reasons, 0);
    assert_int_not_equal(localtime_zone_find(world->reply.schedule_get_reply.timezone), 0);
}

static void
unknown_zone(struct zr_schedule_put_request *request)
{
    memcpy(request->timezone, "America/Nowhere", sizeof "America/Nowhere");
}

static void
half_hours(struct zr_schedule_put_request *request)
{
    request->hours_length = 83;
}

static void
exception_backwards(struct zr_schedule_put_request *request)
{
    request->exceptions_count = 1;
    request->exceptions[0] = (struct zr_schedule_exception){20000, 68, 32};
}

static void
exception_past_midnight(struct zr_schedule_put_request *request)
{
    request->exceptions_count = 1;
    request->exceptions[0] = (struct zr_schedule_exception){20000, 0, 97};
}

static void
exceptions_descending(struct zr_schedule_put_request *request)
{
    request->exceptions_count = 2;
    request->exceptions[0] = (struct zr_schedule_exception){20001, 0, 4};
    request->exceptions[1] = (struct zr_schedule_exception){20000, 0, 4};
}

static void
vacation_backwards(struct zr_schedule_put_request *request)
{
    request->vacations_count = 1;
    request->vacations[0] = (struct zr_schedule_vacation){20001, 20000};
}

static void
test_schedule_refuses_what_no_calendar_has(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    static void (*const spoils[])(struct zr_schedule_put_request *) = {
        unknown_zone,          half_hours,        exception_backwards, exception_past_midnight,
        exceptions_descending, vacation_backwards};

    for (size_t i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
        struct zr_schedule_put_request request = schedule_of(contractor, 0);

        spoils[i](&request);
        assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, &request),
                         ZR_STATUS_INVALID_FIELD);
    }
}

/* ---- versions and owners --------------------------------------------------------------------- */

/* R69: another tenant's contractor is not there; versions are compared before anything changes. */
static void
test_profiles_have_owners_and_versions(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct zr_schedule_put_request schedule = schedule_of(contractor, 3);
    const struct zr_caps_put_request caps = {.contractor = contractor, .expected_version = 3};
    const struct zr_filters_put_request filters = {.contractor = contractor, .expected_version = 3};
    const struct zr_dest_put_request dest = {.contractor = contractor,
                                             .expected_version = 99,
                                             .modes = MODE_PHONE,
                                             .phones_count = 1,
                                             .phones = {{12815550100}}};
    const struct {
        uint16_t op;
        const void *request;
    } puts[] = {{ZR_OP_SCHEDULE_PUT, &schedule},
                {ZR_OP_CAPS_PUT, &caps},
                {ZR_OP_FILTERS_PUT, &filters},
                {ZR_OP_DEST_PUT, &dest}};
    const struct zr_profile_get_request get = {.contractor = contractor};

    for (size_t i = 0; i < sizeof puts / sizeof puts[0]; i++) {
        assert_int_equal(dw_run(world, stranger, puts[i].op, puts[i].request), ZR_STATUS_NOT_FOUND);
        assert_int_equal(dw_run(world, dw_portal, puts[i].op, puts[i].request),
                         ZR_STATUS_VERSION_CONFLICT);
    }
    assert_int_equal(dw_run(world, stranger, ZR_OP_SCHEDULE_GET, &get), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, stranger, ZR_OP_CAPS_GET, &get), ZR_STATUS_NOT_FOUND);
    assert_int_equal(dw_run(world, stranger, ZR_OP_FILTERS_GET, &get), ZR_STATUS_NOT_FOUND);
}

/* ---- caps ------------------------------------------------------------------------------------ */

/* R13: each window and measure once; what is left out is not capped; a put replaces all. */
static void
test_caps_are_put_whole(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct zr_profile_get_request get = {.contractor = contractor};
    struct zr_caps_put_request request = {
        .contractor = contractor,
        .spacing_s = 30,
        .caps_count = 2,
        .caps = {{.limit = 9, .window = ZR_CAP_WINDOW_DAY, .measure = ZR_CAP_MEASURE_CONNECTS},
                 {.limit = 50000, .window = ZR_CAP_WINDOW_TOTAL, .measure = ZR_CAP_MEASURE_SPEND}},
    };
    const struct zr_caps_get_reply *reply = &world->reply.caps_get_reply;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_GET, &get), ZR_STATUS_OK);
    assert_int_equal(reply->version, 1);
    assert_int_equal(reply->spacing_s, 30);
    assert_int_equal(reply->caps_count, 2);
    assert_int_equal(reply->caps[0].limit, 9);
    assert_int_equal(reply->caps[0].window, ZR_CAP_WINDOW_DAY);
    assert_int_equal(reply->caps[1].measure, ZR_CAP_MEASURE_SPEND);
    request.expected_version = 1;
    request.caps[1] = request.caps[0];
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_INVALID_FIELD);
    request.caps_count = 0;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, &request), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_GET, &get), ZR_STATUS_OK);
    assert_int_equal(reply->caps_count, 0);
}

/* ---- destinations ---------------------------------------------------------------------------- */

/* R50: up to four own phones, some of them marked as out of order; R28: modes. */
static void
test_destinations_are_judged(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct contractor_row row;
    struct zr_dest_put_request request = {.contractor = contractor,
                                          .modes = MODE_PHONE | MODE_SMS,
                                          .phones_down = 1,
                                          .phones_count = 2,
                                          .phones = {{12815550101}, {12815550102}}};

    assert_true(state_contractor_get(&world->state, contractor, &row));
    request.expected_version = row.version;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DEST_PUT, &request), ZR_STATUS_OK);
    assert_true(state_contractor_get(&world->state, contractor, &row));
    assert_int_equal(row.modes, MODE_PHONE | MODE_SMS);
    assert_int_equal(row.phones_down, 1);
    assert_int_equal(row.phones[1], 12815550102);
    assert_int_equal(row.phones[2], 0);
    request.modes = 0;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DEST_PUT, &request), ZR_STATUS_INVALID_FIELD);
    request.modes = 8;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DEST_PUT, &request), ZR_STATUS_INVALID_FIELD);
    request.modes = MODE_PHONE;
    request.phones_down = 4; /* There is no third phone. */
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DEST_PUT, &request), ZR_STATUS_INVALID_FIELD);
    request.phones_down = 0;
    request.phones[1].phone = 0;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DEST_PUT, &request), ZR_STATUS_INVALID_FIELD);
    request.phones_count = 0;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DEST_PUT, &request), ZR_STATUS_INVALID_FIELD);
}

/* ---- filters --------------------------------------------------------------------------------- */

static void
test_filters_are_kept(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    const struct zr_profile_get_request get = {.contractor = contractor};
    struct zr_filters_put_request request = {.contractor = contractor,
                                             .attestation_min = 2,
                                             .no_duplicates = true,
                                             .partners_rule = 2,
                                             .blocked_count = 1,
                                             .blocked = {{17135550199}},
                                             .partners_count = 1,
                                             .partners = {{DW_SWITCH_TENANT}}};
    const struct zr_filters_get_reply *reply = &world->reply.filters_get_reply;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_FILTERS_PUT, &request), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_FILTERS_GET, &get), ZR_STATUS_OK);
    assert_int_equal(reply->version, 1);
    assert_int_equal(reply->attestation_min, 2);
    assert_true(reply->no_duplicates);
    assert_int_equal(reply->partners_rule, 2);
    assert_int_equal(reply->blocked_count, 1);
    assert_int_equal(reply->blocked[0].phone, 17135550199);
    assert_int_equal(reply->partners_count, 1);
    assert_int_equal(reply->partners[0].tenant, DW_SWITCH_TENANT);
    request.attestation_min = 4;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_FILTERS_PUT, &request),
                     ZR_STATUS_INVALID_FIELD);
    request.attestation_min = 0;
    request.partners_rule = 3;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_FILTERS_PUT, &request),
                     ZR_STATUS_INVALID_FIELD);
    request.partners_rule = 0;
    request.blocked[0].phone = 0;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_FILTERS_PUT, &request),
                     ZR_STATUS_INVALID_FIELD);
}

/* SUPPRESS_PUT: set, set again, lift; workers hear of it by the catalogue's version. */
static void
test_callers_are_suppressed_and_lifted(void **state)
{
    struct domain_world *world = *state;
    struct zr_suppress_put_request request = {.caller = 17135550199, .blocked = true};
    const uint64_t version = state_counter_now(&world->state, COUNTER_CATALOGUE);
    uint32_t found;

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_SUPPRESS_PUT, &request), ZR_STATUS_OK);
    assert_true(state_suppress_get(&world->state, request.caller, &found));
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_SUPPRESS_PUT, &request), ZR_STATUS_OK);
    assert_true(world->effects.duplicate);
    request.blocked = false;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_SUPPRESS_PUT, &request), ZR_STATUS_OK);
    assert_false(state_suppress_get(&world->state, request.caller, &found));
    assert_int_equal(state_counter_now(&world->state, COUNTER_CATALOGUE), version + 2);
    request.caller = 0;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_SUPPRESS_PUT, &request),
                     ZR_STATUS_INVALID_FIELD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_schedule_is_kept),
        DW_TEST(test_schedule_by_default_is_the_office_zip_s),
        DW_TEST(test_schedule_refuses_what_no_calendar_has),
        DW_TEST(test_profiles_have_owners_and_versions),
        DW_TEST(test_caps_are_put_whole),
        DW_TEST(test_destinations_are_judged),
        DW_TEST(test_filters_are_kept),
        DW_TEST(test_callers_are_suppressed_and_lifted),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
