/*
 * test_map.c - colours of ZIPs through both lenses, pages of the map, and its deltas (R11, R42).
 */
#include "server/domain/event.h"
#include "server/handlers/map.h"
#include "tests/unit/test_following.h"

enum { READER = 0, PLUMBING = 1, ROOFING = 255, PEARLAND = 77581, ALVIN = 77511, PO_BOX = 77588 };

static void
category_put(uint16_t category, bool offered, bool everywhere)
{
    const struct category_row row = {
        .rate_cents = RIG_RATE, .version = 1, .offered = offered, .everywhere = everywhere};

    state_category_put(following_begin(), category, &row);
    (void)state_counter_next(&following_state, COUNTER_CATALOGUE);
    following_commit();
}

static void
zip_put(uint32_t zip, bool claimable)
{
    const struct zip_row row = {.claimable = claimable, .state = "TX"};

    state_zip_put(following_begin(), zip, &row);
    (void)state_counter_next(&following_state, COUNTER_CATALOGUE);
    following_commit();
}

/* The event of a slot that changed, as slot_change_commit() makes it. */
static void
slot_event_put(uint32_t zip, uint16_t category, bool taken, bool full)
{
    following_put_event((struct event_row){
        .type = ZR_EVENT_MAP_DELTA,
        .audience = AUDIENCE_MAP,
        .zip = zip,
        .category = category,
        .code = (uint8_t)((taken ? MAP_CODE_TAKEN : 0) | (full ? MAP_CODE_FULL : 0))});
}

static void
slot_publish(uint32_t zip, uint16_t category, bool taken, bool full)
{
    const struct slot_row slot = {.version = 1, .taken = taken, .full = full};

    cascades_publish(rig.cascades, zip, category, &slot);
}

/* A slot changed: as the committer does it. */
static void
slot_put(uint32_t zip, uint16_t category, bool taken, bool full)
{
    (void)following_begin();
    slot_event_put(zip, category, taken, full);
    following_make_durable();
    slot_publish(zip, category, taken, full);
    following_publish();
}

static int
map_setup(void **state)
{
    if (following_setup(state) != 0) {
        return -1;
    }
    following_connect(READER, ZR_ROLE_BENCH, 1, 0);
    zip_put(PEARLAND, true);
    zip_put(ALVIN, true);
    zip_put(PO_BOX, false);
    category_put(PLUMBING, true, true);
    category_put(ROOFING, true, true);
    return 0;
}

/* AVAILABILITY of one ZIP. */
static struct zr_zip_availability
look(uint32_t zip, uint16_t category)
{
    const struct zr_availability_request request = {
        .category = category, .zips = {{zip}}, .zips_count = 1};

    assert_int_equal(following_ask(READER, ZR_OP_AVAILABILITY, &request), ZR_STATUS_OK);
    assert_int_equal(following.reply.availability_reply.zips_count, 1);
    assert_int_equal(following.reply.availability_reply.zips[0].zip, zip);
    return following.reply.availability_reply.zips[0];
}

static bool
mask_has(const struct zr_hash *mask, uint16_t category)
{
    return (mask->bytes[category / 8] >> category % 8 & 1) != 0;
}

/* R42 as a table: two categories, what is taken and full of each, and the two colours. */
static void
test_r42_colours_of_both_lenses(void **state)
{
    static const struct {
        bool taken[2];
        bool full[2];
        uint8_t primary;
        uint8_t any;
    } rows[] = {
        {{false, false}, {false, false}, ZR_MAP_COLOUR_GREEN, ZR_MAP_COLOUR_GREEN},
        {{true, false}, {false, false}, ZR_MAP_COLOUR_YELLOW, ZR_MAP_COLOUR_GREEN},
        {{true, true}, {false, false}, ZR_MAP_COLOUR_RED, ZR_MAP_COLOUR_GREEN},
        {{true, true}, {true, false}, ZR_MAP_COLOUR_RED, ZR_MAP_COLOUR_YELLOW},
        {{true, true}, {true, true}, ZR_MAP_COLOUR_RED, ZR_MAP_COLOUR_RED},
        {{false, true}, {false, true}, ZR_MAP_COLOUR_YELLOW, ZR_MAP_COLOUR_YELLOW},
        {{false, false}, {true, false}, ZR_MAP_COLOUR_GREEN, ZR_MAP_COLOUR_YELLOW},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zr_zip_availability seen;

        slot_put(PEARLAND, PLUMBING, rows[i].taken[0], rows[i].full[0]);
        slot_put(PEARLAND, ROOFING, rows[i].taken[1], rows[i].full[1]);
        seen = look(PEARLAND, 0);
        assert_int_equal(seen.colour_primary, rows[i].primary);
        assert_int_equal(seen.colour_any, rows[i].any);
        assert_true(mask_has(&seen.offered, PLUMBING));
        assert_true(mask_has(&seen.offered, ROOFING));
        assert_int_equal(mask_has(&seen.taken, PLUMBING), rows[i].taken[0]);
        assert_int_equal(mask_has(&seen.taken, ROOFING), rows[i].taken[1]);
        assert_int_equal(mask_has(&seen.full, PLUMBING), rows[i].full[0]);
        assert_int_equal(mask_has(&seen.full, ROOFING), rows[i].full[1]);
    }
}

/* A slot with more claims than its line holds shows what it is, all the same. */
static void
test_slot_with_many_claims_is_shown(void **state)
{
    const struct slot_row slot = {
        .version = 1, .taken = 1, .full = 1, .claims_count = SLOT_CLAIMS_MAX};

    (void)state;
    cascades_publish(rig.cascades, PEARLAND, PLUMBING, &slot);
    assert_int_equal(look(PEARLAND, 0).colour_any, ZR_MAP_COLOUR_YELLOW);
    assert_int_equal(look(PEARLAND, PLUMBING).colour_any, ZR_MAP_COLOUR_RED);
    assert_int_equal(look(PEARLAND, ROOFING).colour_any, ZR_MAP_COLOUR_GREEN);
}

/* E20: a category that is withdrawn is not counted any more, one that nobody offers is GREY. */
static void
test_e20_withdrawn_category_changes_the_denominator(void **state)
{
    (void)state;
    slot_put(PEARLAND, PLUMBING, true, true);
    assert_int_equal(look(PEARLAND, 0).colour_primary, ZR_MAP_COLOUR_YELLOW);
    category_put(ROOFING, false, true);
    assert_int_equal(look(PEARLAND, 0).colour_primary, ZR_MAP_COLOUR_RED);
    assert_false(mask_has(&following.reply.availability_reply.zips[0].offered, ROOFING));
    assert_int_equal(look(ALVIN, 0).colour_primary, ZR_MAP_COLOUR_GREEN);
    assert_int_equal(look(PO_BOX, 0).colour_primary, ZR_MAP_COLOUR_GREY);
    category_put(PLUMBING, false, true);
    assert_int_equal(look(PEARLAND, 0).colour_primary, ZR_MAP_COLOUR_GREY);
}

static void
test_unknown_zips_and_prefixes_are_refused(void **state)
{
    struct zr_availability_request request = {.zips = {{PEARLAND}, {99999}}, .zips_count = 2};

    (void)state;
    assert_int_equal(following_ask(READER, ZR_OP_AVAILABILITY, &request), ZR_STATUS_UNKNOWN_ZIP);
    request = (struct zr_availability_request){.zip3 = 1000};
    assert_int_equal(following_ask(READER, ZR_OP_AVAILABILITY, &request), ZR_STATUS_INVALID_FIELD);
}

/* Pages of a range, by prefix and of the whole table: every ZIP once, ascending. */
static void
test_range_is_read_page_by_page(void **state)
{
    struct zr_availability_request request = {.zip3 = UINT16_MAX};
    uint32_t seen = 0;

    (void)state;
    (void)following_begin();
    for (uint32_t zip = 90000; zip < 90100; zip++) {
        const struct zip_row row = {.claimable = 1};

        state_zip_put(&following_state, zip, &row);
    }
    (void)state_counter_next(&following_state, COUNTER_CATALOGUE);
    following_commit();
    do {
        const struct zr_availability_reply *reply = &following.reply.availability_reply;

        assert_int_equal(following_ask(READER, ZR_OP_AVAILABILITY, &request), ZR_STATUS_OK);
        for (uint16_t i = 0; i < reply->zips_count; i++) {
            assert_true(reply->zips[i].zip > request.after);
            request.after = reply->zips[i].zip;
            seen++;
        }
        assert_true(reply->next == 0 || reply->next == request.after);
    } while (following.reply.availability_reply.next != 0);
    assert_int_equal(seen, 103);
    request = (struct zr_availability_request){.zip3 = 775};
    assert_int_equal(following_ask(READER, ZR_OP_AVAILABILITY, &request), ZR_STATUS_OK);
    assert_int_equal(following.reply.availability_reply.zips_count, 3);
    assert_int_equal(following.reply.availability_reply.zips[0].zip, ALVIN);
    assert_int_equal(following.reply.availability_reply.next, 0);
    request = (struct zr_availability_request){.zip3 = 774};
    assert_int_equal(following_ask(READER, ZR_OP_AVAILABILITY, &request), ZR_STATUS_OK);
    assert_int_equal(following.reply.availability_reply.zips_count, 0);
}

/* All pages of the snapshot, by ZIP number. */
static void
snapshot_read(uint8_t colours[ZIPS_COUNT], uint8_t lens)
{
    struct zr_map_snapshot_request request = {.lens = lens};
    const struct zr_map_snapshot_reply *reply = &following.reply.map_snapshot_reply;
    uint32_t filled = 0;

    do {
        assert_int_equal(following_ask(READER, ZR_OP_MAP_SNAPSHOT, &request), ZR_STATUS_OK);
        assert_int_equal(reply->from, filled);
        for (uint32_t i = 0; i < reply->colours_length * 4u; i++) {
            colours[filled++] = reply->colours[i / 4] >> i % 4 * 2 & 3;
        }
        request.from = reply->next;
    } while (reply->next != 0);
    assert_int_equal(filled, ZIPS_COUNT);
}

/* Two bits per number, and the same colours as AVAILABILITY. */
static void
test_snapshot_has_every_zip_number(void **state)
{
    static uint8_t colours[ZIPS_COUNT];

    (void)state;
    slot_put(PEARLAND, PLUMBING, true, false);
    slot_put(ALVIN, PLUMBING, true, true);
    slot_put(ALVIN, ROOFING, true, true);
    snapshot_read(colours, ZR_MAP_LENS_PRIMARY);
    assert_int_equal(following.reply.map_snapshot_reply.version, 3);
    for (uint32_t zip = 0; zip < ZIPS_COUNT; zip++) {
        const uint8_t expected = zip == PEARLAND ? 2 : zip == ALVIN ? 3 : 0;

        assert_int_equal(colours[zip], expected);
    }
    snapshot_read(colours, ZR_MAP_LENS_ANY);
    assert_int_equal(colours[PEARLAND], 1);
    assert_int_equal(colours[ALVIN], 3);
}

/* As many categories as there can be. */
static void
categories_put(void)
{
    const struct category_row row = {
        .rate_cents = RIG_RATE, .version = 1, .offered = true, .everywhere = true};

    (void)following_begin();
    for (unsigned category = 1; category < CATEGORIES_MAX; category++) {
        state_category_put(&following_state, (uint16_t)category, &row);
    }
    (void)state_counter_next(&following_state, COUNTER_CATALOGUE);
    following_commit();
}

/* However many categories there are: one page looks at so many slots, and all pages at all. */
static void
test_page_is_short_where_there_are_many_categories(void **state)
{
    static uint8_t colours[ZIPS_COUNT];
    const struct zr_map_snapshot_request request = {.lens = ZR_MAP_LENS_PRIMARY};

    (void)state;
    categories_put();
    assert_int_equal(following_ask(READER, ZR_OP_MAP_SNAPSHOT, &request), ZR_STATUS_OK);
    assert_in_range(following.reply.map_snapshot_reply.next, 1, 40000 / (CATEGORIES_MAX - 1));
    slot_put(PEARLAND, PLUMBING, true, false);
    snapshot_read(colours, ZR_MAP_LENS_PRIMARY);
    assert_int_equal(colours[PEARLAND], 2);
    assert_int_equal(colours[ALVIN], 1);
}

static void
follow(uint64_t version)
{
    const struct zr_map_subscribe_request request = {.version = version};

    assert_int_equal(following_ask(READER, ZR_OP_MAP_SUBSCRIBE, &request), ZR_STATUS_OK);
}

/* E21: exactly the deltas after that version, in order; other events are none of the map's. */
static void
test_e21_deltas_after_the_version(void **state)
{
    (void)state;
    slot_put(PEARLAND, PLUMBING, true, false);
    (void)following_events(5, RIG_TENANT);
    slot_put(PEARLAND, ROOFING, true, true);
    slot_put(PEARLAND, PLUMBING, false, false);
    follow(1);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 2);
    assert_int_equal(following.pushed[0].change.version, 7);
    assert_int_equal(following.pushed[0].change.category, ROOFING);
    assert_true(following.pushed[0].change.taken);
    assert_true(following.pushed[0].change.full);
    assert_int_equal(following.pushed[1].change.version, 8);
    assert_int_equal(following.pushed[1].change.zip, PEARLAND);
    assert_false(following.pushed[1].change.taken);
    assert_int_equal(following.pushed[1].change.colour_primary, ZR_MAP_COLOUR_YELLOW);
    assert_int_equal(following.pushed[1].change.colour_any, ZR_MAP_COLOUR_YELLOW);
    slot_put(PEARLAND, PLUMBING, true, true);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 3);
    assert_int_equal(following.pushed[2].change.colour_primary, ZR_MAP_COLOUR_RED);
}

/* E21: a snapshot may have a commit whose slots are not published yet. Its deltas wait for them:
 * nothing comes behind that would tell the right colours. */
static void
test_e21_delta_waits_for_its_slots(void **state)
{
    (void)state;
    follow(0);
    slot_put(ALVIN, PLUMBING, true, false);
    (void)following_begin();
    slot_event_put(PEARLAND, PLUMBING, true, false);
    following_make_durable();
    (void)following_settle();
    slot_publish(PEARLAND, PLUMBING, true, false);
    following_publish();
    (void)following_settle();
    assert_int_equal(following.pushed_count, 2);
    assert_int_equal(following.pushed[0].change.zip, ALVIN);
    assert_int_equal(following.pushed[1].change.zip, PEARLAND);
    assert_int_equal(following.pushed[1].change.colour_primary, ZR_MAP_COLOUR_YELLOW);
}

/* A turn looks at a bounded number of slots, too, and leaves the rest of the deltas to the next. */
static void
test_deltas_of_many_categories_take_turns(void **state)
{
    (void)state;
    categories_put();
    follow(0);
    (void)following_begin();
    for (uint32_t i = 0; i < LAG_MAX; i++) {
        slot_event_put(PEARLAND, PLUMBING, i % 2 == 0, false);
    }
    following_make_durable();
    following_publish();
    following_turn();
    assert_in_range(following.pushed_count, 1, 4);
    (void)following_settle();
    assert_int_equal(following.pushed_count, LAG_MAX);
}

/* What concerns many ZIPs, and a gap: "take a snapshot", zip 0. */
static void
test_change_of_an_offer_and_a_gap_ask_for_a_snapshot(void **state)
{
    (void)state;
    follow(0);
    slot_put(0, ROOFING, false, false);
    (void)following_settle();
    assert_int_equal(following.pushed_count, 1);
    assert_int_equal(following.pushed[0].change.zip, 0);
    assert_int_equal(following.pushed[0].change.category, ROOFING);
    assert_int_equal(following.pushed[0].change.colour_any, ZR_MAP_COLOUR_GREY);
    following.conns[READER].room = 0;
    (void)following_events(LAG_MAX + 1, RIG_TENANT);
    following.conns[READER].room = -1;
    (void)following_settle();
    assert_int_equal(following.pushed_count, 2);
    assert_int_equal(following.pushed[1].change.zip, 0);
    assert_int_equal(following.pushed[1].change.version, LAG_MAX + 2);
}

int
main(void)
{
#define MAP_TEST(test) cmocka_unit_test_setup_teardown(test, map_setup, following_teardown)
    const struct CMUnitTest tests[] = {
        MAP_TEST(test_r42_colours_of_both_lenses),
        MAP_TEST(test_slot_with_many_claims_is_shown),
        MAP_TEST(test_e20_withdrawn_category_changes_the_denominator),
        MAP_TEST(test_unknown_zips_and_prefixes_are_refused),
        MAP_TEST(test_range_is_read_page_by_page),
        MAP_TEST(test_snapshot_has_every_zip_number),
        MAP_TEST(test_page_is_short_where_there_are_many_categories),
        MAP_TEST(test_e21_deltas_after_the_version),
        MAP_TEST(test_e21_delta_waits_for_its_slots),
        MAP_TEST(test_deltas_of_many_categories_take_turns),
        MAP_TEST(test_change_of_an_offer_and_a_gap_ask_for_a_snapshot),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
