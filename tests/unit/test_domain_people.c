/*
 * test_domain_people.c - principals and contractors (M1, R1, R69, E39), and what no rule knows.
 */
#include "tests/lib/domain_world.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 32, SCAN = 1024 };

/* ---- principals ----------------------------------------------------------------------------- */

static struct zr_principal_put_request
principal_of(uint8_t role, uint32_t contractor, uint32_t expected_version)
{
    return (struct zr_principal_put_request){.key_hash = {{9, 9}},
                                             .expected_version = expected_version,
                                             .tenant = DW_PORTAL_TENANT,
                                             .contractor = contractor,
                                             .role = role,
                                             .name = "someone"};
}

static uint16_t
put_principal(struct domain_world *world, const struct zr_principal_put_request *request)
{
    return dw_run(world, dw_admin, ZR_OP_PRINCIPAL_PUT, request);
}

/* Put, change, revoke; each raises the epoch, so that connections are judged anew. */
static void
test_principals_come_change_and_go(void **state)
{
    struct domain_world *world = *state;
    struct zr_principal_put_request request = principal_of(ZR_ROLE_PORTAL, 0, 0);
    const struct zr_principal_revoke_request revoke = {.key_hash = {{9, 9}}};
    const uint64_t epoch = state_counter_now(&world->state, COUNTER_AUTH_EPOCH);
    struct principal_row row;

    assert_int_equal(put_principal(world, &request), ZR_STATUS_OK);
    assert_int_equal(world->reply.put_reply.version, 1);
    assert_int_equal(put_principal(world, &request), ZR_STATUS_VERSION_CONFLICT);
    assert_int_equal(world->reply.put_reply.version, 1);
    request = principal_of(ZR_ROLE_AUDITOR, 0, 1);
    assert_int_equal(put_principal(world, &request), ZR_STATUS_OK);
    assert_true(state_principal_get(&world->state, &request.key_hash, &row));
    assert_int_equal(row.role, ZR_ROLE_AUDITOR);
    assert_int_equal(row.version, 2);
    assert_int_equal(row.tenant, DW_PORTAL_TENANT);
    assert_string_equal(row.name, "someone");
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_PRINCIPAL_REVOKE, &revoke), ZR_STATUS_OK);
    assert_int_equal(world->reply.put_reply.version, 0);
    assert_false(state_principal_get(&world->state, &request.key_hash, &row));
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_PRINCIPAL_REVOKE, &revoke), ZR_STATUS_NOT_FOUND);
    assert_int_equal(state_counter_now(&world->state, COUNTER_AUTH_EPOCH), epoch + 3);
}

/* A CONTRACTOR principal names its contractor, who is of that tenant; nobody else names one. */
static void
test_principals_of_contractors(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0);
    struct zr_principal_put_request request = principal_of(ZR_ROLE_CONTRACTOR, contractor, 0);

    assert_int_equal(put_principal(world, &request), ZR_STATUS_OK);
    request = principal_of(ZR_ROLE_CONTRACTOR, 0, 0);
    assert_int_equal(put_principal(world, &request), ZR_STATUS_INVALID_FIELD);
    request = principal_of(ZR_ROLE_PORTAL, contractor, 0);
    assert_int_equal(put_principal(world, &request), ZR_STATUS_INVALID_FIELD);
    request.tenant = 0;
    assert_int_equal(put_principal(world, &request), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(world->effects.detail, 76); /* tenant */
    request = principal_of(ZR_ROLE_CONTRACTOR, 999, 0);
    assert_int_equal(put_principal(world, &request), ZR_STATUS_NOT_FOUND);
    request = principal_of(ZR_ROLE_CONTRACTOR, contractor, 0);
    request.tenant++;
    assert_int_equal(put_principal(world, &request), ZR_STATUS_NOT_FOUND);
}

/* ---- CONTRACTOR_PUT ---------------------------------------------------------------------------
 */

static struct zr_contractor_put_request
contractor_of(struct zr_id contractor_id, uint32_t expected_version)
{
    return (struct zr_contractor_put_request){.contractor_id = contractor_id,
                                              .expected_version = expected_version,
                                              .office_zip = DW_ZIP,
                                              .size_class = ZR_SIZE_MULTI,
                                              .has_dispatch = true,
                                              .name = "Pearland Plumbing",
                                              .phones = {{12815550101}, {12815550102}},
                                              .phones_count = 2};
}

static uint16_t
put_contractor(struct domain_world *world, struct dw_actor actor,
               const struct zr_contractor_put_request *request)
{
    return dw_run(world, actor, ZR_OP_CONTRACTOR_PUT, request);
}

static const struct zr_contractor_get_reply *
get_contractor(struct domain_world *world, uint32_t contractor)
{
    const struct zr_contractor_get_request request = {.contractor = contractor};

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_CONTRACTOR_GET, &request), ZR_STATUS_OK);
    return &world->reply.contractor_get_reply;
}

/* R1: new ones are PENDING; a later PUT changes the record and not the standing. */
static void
test_a_new_contractor_is_pending(void **state)
{
    struct domain_world *world = *state;
    const struct zr_id id = dw_id(world);
    struct zr_contractor_put_request request = contractor_of(id, 0);
    const struct zr_contractor_get_reply *reply;

    assert_int_equal(put_contractor(world, dw_portal, &request), ZR_STATUS_OK);
    assert_int_equal(world->reply.contractor_put_reply.contractor, 1);
    assert_int_equal(world->reply.contractor_put_reply.version, 1);
    reply = get_contractor(world, 1);
    assert_int_equal(reply->contractor_status, ZR_CONTRACTOR_PENDING);
    assert_int_equal(reply->tenant, DW_PORTAL_TENANT);
    assert_int_equal(reply->max_concurrency, 3); /* M1 "Defaults" */
    assert_int_equal(reply->phones_count, 2);
    assert_true(reply->phones[1].phone == 12815550102);
    assert_true(reply->has_dispatch);
    assert_string_equal(reply->name, "Pearland Plumbing");
    dw_set_status(world, 1, ZR_CONTRACTOR_APPROVED);
    request = contractor_of(id, 2);
    request.phones_count = 1;
    request.max_concurrency = 7;
    assert_int_equal(put_contractor(world, dw_portal, &request), ZR_STATUS_OK);
    assert_int_equal(get_contractor(world, 1)->contractor_status, ZR_CONTRACTOR_APPROVED);
    assert_int_equal(reply->max_concurrency, 7);
    assert_int_equal(reply->phones_count, 1);
}

/* What other operations put stays; a phone that is another one is not down any more. */
static void
test_a_later_put_keeps_what_is_not_its_own(void **state)
{
    struct domain_world *world = *state;
    const struct zr_id id = dw_id(world);
    struct zr_contractor_put_request request = contractor_of(id, 0);
    struct contractor_row row;

    assert_int_equal(put_contractor(world, dw_portal, &request), ZR_STATUS_OK);
    assert_string_equal(get_contractor(world, 1)->timezone, "America/Chicago");
    assert_int_equal(get_contractor(world, 1)->modes, MODE_PHONE); /* 0 = as it always was. */
    assert_true(state_contractor_get(&world->state, 1, &row));
    row.modes = MODE_APP;
    row.phones_down = 3;
    state_contractor_put(&world->state, 1, &row);
    request.expected_version = row.version;
    request.phones[1].phone++;
    assert_int_equal(put_contractor(world, dw_portal, &request), ZR_STATUS_OK);
    assert_int_equal(get_contractor(world, 1)->modes, MODE_APP);
    assert_int_equal(get_contractor(world, 1)->phones_down, 1);
}

/* M1 "Defaults": concurrency 1 SINGLE, 3 MULTI, 10 REGIONAL. */
static void
test_concurrency_follows_the_size(void **state)
{
    static const uint16_t expected[] = {
        [0] = 1, [ZR_SIZE_SINGLE] = 1, [ZR_SIZE_MULTI] = 3, [ZR_SIZE_REGIONAL] = 10};
    struct domain_world *world = *state;

    for (int size = 0; size <= ZR_SIZE_REGIONAL; size++) {
        struct zr_contractor_put_request request = contractor_of(dw_id(world), 0);

        request.size_class = (uint8_t)size;
        assert_int_equal(put_contractor(world, dw_portal, &request), ZR_STATUS_OK);
        assert_int_equal(
            get_contractor(world, world->reply.contractor_put_reply.contractor)->max_concurrency,
            expected[size]);
    }
}

/* In precedence order: fields, whose it is, the ZIP, the version. */
static void
test_contractor_put_refusals(void **state)
{
    struct domain_world *world = *state;
    const struct dw_actor foreign = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};
    const struct dw_actor self = {ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, 1};
    const struct dw_actor other = {ZR_ROLE_CONTRACTOR, DW_PORTAL_TENANT, 2};
    const struct zr_id id = dw_id(world);
    struct zr_contractor_put_request request = contractor_of(id, 0);

    assert_int_equal(put_contractor(world, self, &request), ZR_STATUS_NOT_FOUND); /* Not new. */
    assert_int_equal(put_contractor(world, dw_portal, &request), ZR_STATUS_OK);
    request.office_zip = DW_ZIP_UNKNOWN;
    assert_int_equal(put_contractor(world, foreign, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(world->reply.contractor_put_reply.contractor, 0); /* Nothing leaks. */
    assert_int_equal(put_contractor(world, other, &request), ZR_STATUS_NOT_FOUND);
    assert_int_equal(put_contractor(world, self, &request), ZR_STATUS_UNKNOWN_ZIP);
    request.office_zip = DW_ZIP;
    assert_int_equal(put_contractor(world, self, &request), ZR_STATUS_VERSION_CONFLICT);
    assert_int_equal(world->reply.contractor_put_reply.version, 1);
    request.expected_version = 1;
    assert_int_equal(put_contractor(world, self, &request), ZR_STATUS_OK);
    request.phones_count = 0;
    assert_int_equal(put_contractor(world, foreign, &request), ZR_STATUS_INVALID_FIELD);
    request.phones_count = 2;
    request.phones[1].phone = 0;
    assert_int_equal(put_contractor(world, foreign, &request), ZR_STATUS_INVALID_FIELD);
    request = contractor_of(id, 0);
    request.max_concurrency = 1001;
    assert_int_equal(put_contractor(world, foreign, &request), ZR_STATUS_INVALID_FIELD);
    request = contractor_of((struct zr_id){{0}}, 0);
    assert_int_equal(put_contractor(world, dw_portal, &request), ZR_STATUS_INVALID_FIELD);
    assert_int_equal(world->effects.detail, 40); /* contractor_id */
}

/* ---- CONTRACTOR_STATUS ----------------------------------------------------------------------- */

static uint16_t
set_status(struct domain_world *world, uint32_t contractor, uint8_t status, uint32_t version)
{
    const struct zr_contractor_status_request request = {.licence_expires_ms = 4242,
                                                         .contractor = contractor,
                                                         .expected_version = version,
                                                         .contractor_status = status};

    return dw_run(world, dw_admin, ZR_OP_CONTRACTOR_STATUS, &request);
}

/* CLOSED is final; 0 as a version means any. */
static void
test_the_status_and_its_versions(void **state)
{
    struct domain_world *world = *state;
    const uint32_t contractor = dw_contractor(world, 0); /* Version 2. */

    assert_int_equal(set_status(world, 999, ZR_CONTRACTOR_APPROVED, 0), ZR_STATUS_NOT_FOUND);
    assert_int_equal(set_status(world, contractor, ZR_CONTRACTOR_SUSPENDED, 1),
                     ZR_STATUS_VERSION_CONFLICT);
    assert_int_equal(world->reply.contractor_put_reply.version, 2);
    assert_int_equal(set_status(world, contractor, ZR_CONTRACTOR_SUSPENDED, 2), ZR_STATUS_OK);
    assert_int_equal(world->reply.contractor_put_reply.version, 3);
    assert_true(get_contractor(world, contractor)->licence_expires_ms == 4242);
    assert_int_equal(set_status(world, contractor, ZR_CONTRACTOR_CLOSED, 0), ZR_STATUS_OK);
    assert_int_equal(set_status(world, contractor, ZR_CONTRACTOR_APPROVED, 0),
                     ZR_STATUS_ACCOUNT_CLOSED);
    assert_int_equal(set_status(world, contractor, ZR_CONTRACTOR_CLOSED, 0), ZR_STATUS_OK);
}

/* ---- reads ------------------------------------------------------------------------------------
 */

/* By number or by id; of another tenant: not there (R69). */
static void
test_contractors_are_found_by_their_owners(void **state)
{
    struct domain_world *world = *state;
    const struct dw_actor foreign = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};
    const struct zr_id id = dw_id(world);
    const struct zr_contractor_put_request put = contractor_of(id, 0);
    struct zr_contractor_get_request request = {.contractor_id = id};

    assert_int_equal(put_contractor(world, dw_portal, &put), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_GET, &request), ZR_STATUS_OK);
    assert_int_equal(world->reply.contractor_get_reply.contractor, 1);
    assert_int_equal(dw_run(world, foreign, ZR_OP_CONTRACTOR_GET, &request), ZR_STATUS_NOT_FOUND);
    request.contractor_id = dw_id(world);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_GET, &request), ZR_STATUS_NOT_FOUND);
    request.contractor = 1; /* Both: whom is it about? */
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_GET, &request),
                     ZR_STATUS_INVALID_FIELD);
    assert_int_equal(world->effects.detail,
                     zr_shape_offset_of(&zr_contractor_get_request_shape, "contractor"));
    request = (struct zr_contractor_get_request){.contractor = 999};
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_GET, &request), ZR_STATUS_NOT_FOUND);
}

/* A portal sees its tenant's, in pages that may come short between another's thousands. */
static void
test_the_list_of_contractors(void **state)
{
    enum { OTHERS = SCAN + 10 };
    struct domain_world *world = *state;
    const struct dw_actor foreign = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT + 1, 0};
    struct zr_contractor_list_request list = {0};
    unsigned seen = 0;
    unsigned pages = 0;

    for (int i = 0; i < OTHERS + PAGE + 2; i++) {
        const struct zr_contractor_put_request put = contractor_of(dw_id(world), 0);

        assert_int_equal(put_contractor(world, i < OTHERS ? foreign : dw_portal, &put),
                         ZR_STATUS_OK);
    }
    do {
        const struct zr_contractor_list_reply *page = &world->reply.contractor_list_reply;

        assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_LIST, &list), ZR_STATUS_OK);
        for (uint16_t i = 0; i < page->contractors_count; i++) {
            assert_int_equal(page->contractors[i].tenant, DW_PORTAL_TENANT);
            assert_int_equal(page->contractors[i].contractor, OTHERS + 1 + seen++);
        }
        list.after = page->next;
        pages++;
    } while (list.after != 0);
    assert_int_equal(seen, PAGE + 2);
    assert_int_equal(pages, 3);
    list.after = UINT32_MAX;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_LIST, &list), ZR_STATUS_OK);
    assert_int_equal(world->reply.contractor_list_reply.next, 0);
}

/* ---- command_apply ----------------------------------------------------------------------------
 */

static void
test_operations_that_are_not_for_here(void **state)
{
    struct domain_world *world = *state;
    const struct command command = {.op = ZR_OP_NOOP_COMMIT, .time_ms = 1};
    const struct zr_empty empty = {0};

    assert_int_equal(dw_run(world, dw_admin, 0x7777, &empty), ZR_STATUS_UNKNOWN_OP);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_ROUTE, &empty), ZR_STATUS_UNKNOWN_OP);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_NOOP_COMMIT, &empty), ZR_STATUS_OK);
    assert_true(world->effects.journal);
    assert_int_equal(world->reply.commit_reply.commit_seq, world->seq);
    expect_assert_failure(
        (void)command_apply(&world->state, &command, &empty, &world->reply, &world->effects));
    expect_assert_failure((void)command_apply(&world->state, &(struct command){.seq = 1}, &empty,
                                              NULL, &world->effects));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_principals_come_change_and_go),
        DW_TEST(test_principals_of_contractors),
        DW_TEST(test_a_new_contractor_is_pending),
        DW_TEST(test_a_later_put_keeps_what_is_not_its_own),
        DW_TEST(test_concurrency_follows_the_size),
        DW_TEST(test_contractor_put_refusals),
        DW_TEST(test_the_status_and_its_versions),
        DW_TEST(test_contractors_are_found_by_their_owners),
        DW_TEST(test_the_list_of_contractors),
        DW_TEST(test_operations_that_are_not_for_here),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
