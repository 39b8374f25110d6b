/*
 * test_domain_catalogue.c - ZIP imports and categories (R8, R11, E17, E20, E29).
 */
#include "server/domain/claim.h"
#include "tests/lib/domain_titles.h"

#include <stdio.h>
#include <string.h>

/* ---- ZIP_PUT -------------------------------------------------------------------------------- */

/* An import of `parts` parts with two rows each, from ZIP 10000 on. */
struct import {
    struct zr_zip_put_request parts[3];
};

/* SHA-256 over the rows as they stand on the wire. */
static void
import_sign(struct import *import, uint16_t parts)
{
    struct mac *mac = mac_open();
    struct zr_hash digest = {{0}};

    sha256_start(mac);
    for (uint16_t i = 0; i < parts; i++) {
        for (uint16_t j = 0; j < import->parts[i].rows_count; j++) {
            uint8_t bytes[256];
            struct zr_builder builder;

            zr_builder_init(&builder, bytes, sizeof bytes);
            zr_zip_row_shape.put_block(&builder, &import->parts[i].rows[j]);
            sha256_add(mac, bytes, builder.length);
        }
    }
    sha256_finish(mac, digest.bytes);
    mac_close(mac);
    for (uint16_t i = 0; i < parts; i++) {
        import->parts[i].digest = digest;
    }
}

static void
import_make(struct import *import, struct domain_world *world, uint16_t parts)
{
    const struct zr_id import_id = dw_id(world);

    memset(import, 0, sizeof *import);
    for (uint16_t i = 0; i < parts; i++) {
        struct zr_zip_put_request *part = &import->parts[i];

        part->import_id = import_id;
        part->part = i;
        part->parts = parts;
        part->rows_total = 2u * parts;
        part->rows_count = 2;
        for (uint16_t j = 0; j < 2; j++) {
            struct zr_zip_row *row = &part->rows[j];

            row->zip = 10000u + 2u * i + j;
            row->claimable = j == 0;
            row->latitude_e5 = 2955000;
            row->population = 1234;
            (void)snprintf(row->state, sizeof row->state, "TX");
            (void)snprintf(row->timezone, sizeof row->timezone, "America/Chicago");
            (void)snprintf(row->city, sizeof row->city, "PEARLAND");
        }
    }
    import_sign(import, parts);
}

static uint16_t
put_part(struct domain_world *world, const struct zr_zip_put_request *part)
{
    return dw_run(world, dw_admin, ZR_OP_ZIP_PUT, part);
}

static bool
zip_is_known(struct domain_world *world, uint32_t zip)
{
    struct zip_row row;

    return state_zip_get(&world->state, zip, &row);
}

/* All or nothing: nothing is there before the last part, everything after it. */
static void
test_an_import_flips_whole(void **state)
{
    struct domain_world *world = *state;
    const uint64_t catalogue = state_counter_now(&world->state, COUNTER_CATALOGUE);
    static struct import import;
    struct zip_row row;

    import_make(&import, world, 3);
    assert_int_equal(put_part(world, &import.parts[1]), ZR_STATUS_OK); /* In any order ... */
    assert_int_equal(put_part(world, &import.parts[0]), ZR_STATUS_OK);
    assert_int_equal(put_part(world, &import.parts[0]), ZR_STATUS_OK); /* ... and twice. */
    assert_false(world->reply.zip_put_reply.flipped);
    assert_int_equal(world->reply.zip_put_reply.zips, 3);
    assert_false(zip_is_known(world, 10000));
    assert_int_equal(put_part(world, &import.parts[2]), ZR_STATUS_OK); /* The last one last. */
    assert_true(world->reply.zip_put_reply.flipped);
    assert_int_equal(world->reply.zip_put_reply.parts_received, 3);
    assert_int_equal(world->reply.zip_put_reply.zips, 3 + 6);
    assert_true(state_zip_get(&world->state, 10004, &row));
    assert_int_equal(row.claimable, 1);
    assert_int_equal(row.population, 1234);
    assert_memory_equal(row.city, "PEARLAND", 9);
    assert_true(state_counter_now(&world->state, COUNTER_CATALOGUE) > catalogue);
    assert_int_equal(put_part(world, &import.parts[2]), ZR_STATUS_IMPORT_INCOMPLETE); /* Cleared. */
}

/* A second import replaces rows and removes none. */
static void
test_an_import_replaces(void **state)
{
    struct domain_world *world = *state;
    static struct import import;
    struct zip_row row;

    import_make(&import, world, 1);
    import.parts[0].rows[0].zip = DW_ZIP;
    import.parts[0].rows[0].claimable = false;
    import.parts[0].rows[1].zip = DW_ZIP_2;
    import_sign(&import, 1);
    assert_int_equal(put_part(world, &import.parts[0]), ZR_STATUS_OK);
    assert_int_equal(world->reply.zip_put_reply.zips, 3);
    assert_true(state_zip_get(&world->state, DW_ZIP, &row));
    assert_int_equal(row.claimable, 0);
    assert_true(zip_is_known(world, DW_ZIP_BOX));
}

static void
spoil_missing(struct import *import)
{
    import->parts[0].import_id.bytes[1]++; /* Goes into another import. */
}

static void
spoil_digest(struct import *import)
{
    for (int i = 0; i < 2; i++) {
        import->parts[i].digest.bytes[31] ^= 1;
    }
}

static void
spoil_row(struct import *import)
{
    import->parts[0].rows[1].population++;
}

static void
spoil_order(struct import *import)
{
    import->parts[1].rows[0].zip = import->parts[0].rows[1].zip; /* Ascends not over the whole. */
    import_sign(import, 2);
}

static void
spoil_total(struct import *import)
{
    import->parts[0].rows_total = import->parts[1].rows_total = 5;
}

static void
spoil_agreement_total(struct import *import)
{
    import->parts[0].rows_total++;
}

static void
spoil_agreement_parts(struct import *import)
{
    import->parts[0].parts++;
}

static void
spoil_agreement_digest(struct import *import)
{
    import->parts[0].digest.bytes[0] ^= 1;
}

/* A part that is missing, or anything that is not what the digest says: nothing is imported, and
 * what was staged is gone. */
static void
test_an_import_that_is_not_whole(void **state)
{
    static void (*const spoils[])(struct import *) = {
        spoil_missing,
        spoil_digest,
        spoil_row,
        spoil_order,
        spoil_total,
        spoil_agreement_total,
        spoil_agreement_parts,
        spoil_agreement_digest,
    };
    struct domain_world *world = *state;
    static struct import import;
    static struct zr_zip_put_request staged;

    for (size_t i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
        import_make(&import, world, 2);
        spoils[i](&import);
        assert_int_equal(put_part(world, &import.parts[0]), ZR_STATUS_OK);
        assert_int_equal(put_part(world, &import.parts[1]), ZR_STATUS_IMPORT_INCOMPLETE);
        assert_false(world->reply.zip_put_reply.flipped);
        assert_int_equal(world->reply.zip_put_reply.zips, 3);
        assert_false(zip_is_known(world, 10000));
        assert_false(state_import_get(&world->state, &import.parts[1].import_id, 1, &staged));
    }
}

/* Fields of one part: counts, order, and a time zone. */
static void
test_parts_that_cannot_be(void **state)
{
    struct domain_world *world = *state;
    static struct import import;
    struct zr_zip_put_request *part = &import.parts[0];

    import_make(&import, world, 1);
    part->parts = 0;
    assert_int_equal(put_part(world, part), ZR_STATUS_INVALID_FIELD);
    part->parts = 4097;
    assert_int_equal(put_part(world, part), ZR_STATUS_INVALID_FIELD);
    part->parts = 4096;
    part->part = 4096;
    assert_int_equal(put_part(world, part), ZR_STATUS_INVALID_FIELD);
    part->part = 0;
    part->rows_count = 0;
    assert_int_equal(put_part(world, part), ZR_STATUS_INVALID_FIELD);
    part->rows_count = 2;
    part->rows[1].zip = part->rows[0].zip;
    assert_int_equal(put_part(world, part), ZR_STATUS_INVALID_FIELD);
    part->rows[1].zip++;
    part->rows[0].timezone[0] = '\0';
    assert_int_equal(put_part(world, part), ZR_STATUS_INVALID_FIELD);
    assert_int_not_equal(world->effects.detail, 0);
}

/* ---- CATEGORY_PUT --------------------------------------------------------------------------- */

static struct zr_category_put_request
category_of(const char *name, uint32_t expected_version, uint8_t action)
{
    struct zr_category_put_request request = {.rate_cents = DW_RATE,
                                              .expected_version = expected_version,
                                              .offered = true,
                                              .zips_action = action};

    (void)snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

static uint16_t
put_category(struct domain_world *world, const struct zr_category_put_request *request)
{
    return dw_run(world, dw_admin, ZR_OP_CATEGORY_PUT, request);
}

static bool
is_offered(struct domain_world *world, uint32_t zip, uint16_t category)
{
    struct category_row row;

    return claim_is_offered(&world->state, zip, category, &row);
}

/* Put a category at one ZIP (0 = no list). */
static void
offer_at(struct domain_world *world, uint8_t action, uint32_t zip, uint32_t expected_version)
{
    struct zr_category_put_request request = category_of("painting", expected_version, action);

    request.zips[0].zip = zip;
    request.zips_count = zip != 0;
    assert_int_equal(put_category(world, &request), ZR_STATUS_OK);
    assert_int_equal(world->reply.category_put_reply.category, 3);
    assert_int_equal(world->reply.category_put_reply.version, expected_version + 1);
}

/* R11, E20: ONLY replaces the list, ADD extends it, EVERYWHERE needs none; ADD takes nothing away
 * from what is offered everywhere. */
static void
test_where_a_category_is_offered(void **state)
{
    struct domain_world *world = *state;

    offer_at(world, ZR_ZIPS_ADD, DW_ZIP, 0);
    assert_true(is_offered(world, DW_ZIP, 3));
    assert_false(is_offered(world, DW_ZIP_2, 3));
    offer_at(world, ZR_ZIPS_ADD, DW_ZIP_2, 1);
    assert_true(is_offered(world, DW_ZIP, 3));
    assert_true(is_offered(world, DW_ZIP_2, 3));
    offer_at(world, ZR_ZIPS_ONLY, DW_ZIP_2, 2);
    assert_false(is_offered(world, DW_ZIP, 3));
    assert_true(is_offered(world, DW_ZIP_2, 3));
    offer_at(world, ZR_ZIPS_EVERYWHERE, 0, 3);
    assert_true(is_offered(world, DW_ZIP, 3));
    assert_false(is_offered(world, DW_ZIP_BOX, 3)); /* R8 */
    assert_false(is_offered(world, DW_ZIP_UNKNOWN, 3));
    offer_at(world, ZR_ZIPS_ADD, DW_ZIP_2, 4);
    assert_true(is_offered(world, DW_ZIP, 3));
    offer_at(world, ZR_ZIPS_ONLY, DW_ZIP, 5);
    assert_true(is_offered(world, DW_ZIP, 3));
    assert_false(is_offered(world, DW_ZIP_2, 3));
    assert_true(is_offered(world, DW_ZIP_2, DW_CATEGORY)); /* Others' lists are theirs. */
}

/* E20: withdrawn is offered nowhere; its slots stay. */
static void
test_a_withdrawn_category(void **state)
{
    struct domain_world *world = *state;
    struct zr_category_put_request request = category_of("plumbing", 1, ZR_ZIPS_EVERYWHERE);

    (void)dw_claim(world, dw_contractor(world, 0));
    request.offered = false;
    assert_int_equal(put_category(world, &request), ZR_STATUS_OK);
    assert_int_equal(world->reply.category_put_reply.category, DW_CATEGORY); /* Found by name. */
    assert_false(is_offered(world, DW_ZIP, DW_CATEGORY));
    assert_int_equal(dw_slot(world).claims_count, 1);
}

/* R42: the map hears of a category whose offer changed, at ZIP 0, and not of its price. */
static void
test_the_map_hears_of_categories(void **state)
{
    struct domain_world *world = *state;
    struct zr_category_put_request request = category_of("plumbing", 1, ZR_ZIPS_EVERYWHERE);
    const uint64_t mark = dt_mark(world);

    request.rate_cents++;
    assert_int_equal(put_category(world, &request), ZR_STATUS_OK);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_MAP_DELTA), 0);
    request.offered = false;
    request.expected_version++;
    assert_int_equal(put_category(world, &request), ZR_STATUS_OK);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_MAP_DELTA), 1);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_MAP_DELTA).zip, 0);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_MAP_DELTA).category, DW_CATEGORY);
    assert_int_equal(dt_last(world, mark, ZR_EVENT_MAP_DELTA).audience, AUDIENCE_MAP);
    offer_at(world, ZR_ZIPS_ADD, DW_ZIP, 0);
    offer_at(world, ZR_ZIPS_ONLY, 0, 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_MAP_DELTA), 3);
}

/* A name is lower case letters, digits and hyphens, and does not look like a number. */
static void
test_fields_of_a_category(void **state)
{
    static const struct {
        const char *name;
        int64_t rate_cents;
        uint16_t category;
        uint16_t expected;
    } rows[] = {
        {"", 0, 0, ZR_STATUS_INVALID_FIELD},
        {"9lives", 0, 0, ZR_STATUS_INVALID_FIELD},
        {"Painting", 0, 0, ZR_STATUS_INVALID_FIELD},
        {"pain ting", 0, 0, ZR_STATUS_INVALID_FIELD},
        {"painting", -1, 0, ZR_STATUS_INVALID_FIELD},
        {"painting", RATE_CENTS_MAX + 1, 0, ZR_STATUS_INVALID_FIELD},
        {"painting", 0, CATEGORIES_MAX, ZR_STATUS_INVALID_FIELD},
        {"painting", RATE_CENTS_MAX, CATEGORIES_MAX - 1, ZR_STATUS_OK},
        {"air-conditioning-2", 0, 0, ZR_STATUS_OK},
        {":colon", 0, 0, ZR_STATUS_INVALID_FIELD},
        {"-", 0, 0, ZR_STATUS_OK},
    };
    struct domain_world *world = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zr_category_put_request request = category_of(rows[i].name, 0, ZR_ZIPS_EVERYWHERE);

        request.rate_cents = rows[i].rate_cents;
        request.category = rows[i].category;
        assert_int_equal(put_category(world, &request), rows[i].expected);
    }
}

/* In precedence order: a ZIP of the list, the version or another's name, room. */
static void
test_category_refusals(void **state)
{
    struct domain_world *world = *state;
    struct zr_category_put_request request = category_of("painting", 7, ZR_ZIPS_ONLY);

    request.zips[0].zip = DW_ZIP_UNKNOWN;
    request.zips_count = 1;
    assert_int_equal(put_category(world, &request), ZR_STATUS_UNKNOWN_ZIP);
    assert_int_equal(world->reply.category_put_reply.version, 0);
    assert_false(world->state.changed);
    request.zips_count = 0;
    assert_int_equal(put_category(world, &request), ZR_STATUS_VERSION_CONFLICT);
    assert_int_equal(world->reply.category_put_reply.version, 0);
    request = category_of("plumbing", 0, ZR_ZIPS_EVERYWHERE); /* Not new. */
    assert_int_equal(put_category(world, &request), ZR_STATUS_VERSION_CONFLICT);
    assert_int_equal(world->reply.category_put_reply.version, 1);
    request = category_of("plumbing", 1, ZR_ZIPS_EVERYWHERE); /* Category 2's name is not free. */
    request.category = DW_CATEGORY_2;
    assert_int_equal(put_category(world, &request), ZR_STATUS_VERSION_CONFLICT);
    request = category_of("slates", 1, ZR_ZIPS_EVERYWHERE); /* A new name for category 2. */
    request.category = DW_CATEGORY_2;
    assert_int_equal(put_category(world, &request), ZR_STATUS_OK);
}

/* 255 categories: the next one is LIMIT, and a list of them all comes in pages. */
static void
test_categories_are_bounded_and_paged(void **state)
{
    struct domain_world *world = *state;
    struct zr_category_list_request list = {0};
    struct zr_category_put_request request;
    unsigned seen = 0;

    for (unsigned i = 3; i < CATEGORIES_MAX; i++) {
        char name[33];

        (void)snprintf(name, sizeof name, "c%u", i);
        request = category_of(name, 0, ZR_ZIPS_EVERYWHERE);
        assert_int_equal(put_category(world, &request), ZR_STATUS_OK);
        assert_int_equal(world->reply.category_put_reply.category, i);
    }
    request = category_of("one-too-many", 0, ZR_ZIPS_EVERYWHERE);
    assert_int_equal(put_category(world, &request), ZR_STATUS_LIMIT);
    assert_int_equal(world->reply.category_put_reply.version, 0);
    request.expected_version = 1;
    assert_int_equal(put_category(world, &request), ZR_STATUS_VERSION_CONFLICT);
    do {
        const struct zr_category_list_reply *page = &world->reply.category_list_reply;

        assert_int_equal(dw_run(world, dw_admin, ZR_OP_CATEGORY_LIST, &list), ZR_STATUS_OK);
        for (uint16_t i = 0; i < page->categories_count; i++) {
            assert_int_equal(page->categories[i].category, ++seen);
        }
        list.after = page->next;
    } while (list.after != 0);
    assert_int_equal(seen, CATEGORIES_MAX - 1);
}

/* Numbers that nobody took are passed over. */
static void
test_a_list_with_gaps(void **state)
{
    struct domain_world *world = *state;
    const struct zr_category_list_request list = {.after = 1};
    struct zr_category_put_request request = category_of("last", 0, ZR_ZIPS_ONLY);
    const struct zr_category_list_reply *reply = &world->reply.category_list_reply;

    request.category = CATEGORIES_MAX - 1;
    assert_int_equal(put_category(world, &request), ZR_STATUS_OK);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_CATEGORY_LIST, &list), ZR_STATUS_OK);
    assert_int_equal(reply->categories_count, 2);
    assert_int_equal(reply->next, 0);
    assert_string_equal(reply->categories[0].name, "roofing");
    assert_true(reply->categories[0].everywhere);
    assert_int_equal(reply->categories[1].category, CATEGORIES_MAX - 1);
    assert_false(reply->categories[1].everywhere);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DW_TEST(test_an_import_flips_whole),
        DW_TEST(test_an_import_replaces),
        DW_TEST(test_an_import_that_is_not_whole),
        DW_TEST(test_parts_that_cannot_be),
        DW_TEST(test_where_a_category_is_offered),
        DW_TEST(test_a_withdrawn_category),
        DW_TEST(test_the_map_hears_of_categories),
        DW_TEST(test_fields_of_a_category),
        DW_TEST(test_category_refusals),
        DW_TEST(test_categories_are_bounded_and_paged),
        DW_TEST(test_a_list_with_gaps),
    };

    return cmocka_run_group_tests(tests, dw_group_setup, dw_group_teardown);
}
