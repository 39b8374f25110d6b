/*
 * test_map.c - the map over the real client: colours of AVAILABILITY, pages, deltas.
 *
 * Colours count every category, so the ZIPs of a case are looked at through the two of the world
 * and those that the case makes itself: all cases share them, and each leaves its ZIP empty.
 */
#include "tests/integration/following.h"

enum { EVENTS_KEPT_DAYS = 36, TRIM_COMMITS_MAX = 500 };

static struct heard heard;

/* AVAILABILITY of one ZIP, every category. */
static struct zr_zip_availability
look(uint32_t zip)
{
    const struct zr_availability_request request = {.zips = {{.zip = zip}}, .zips_count = 1};
    static struct zr_availability_reply reply;

    assert_int_equal(zr_availability(world.carrier, &request, &reply), 0);
    assert_int_equal(reply.zips_count, 1);
    return reply.zips[0];
}

static uint64_t
map_version(void)
{
    const struct zr_availability_request request = {.zips = {{.zip = WORLD_BOSTON}},
                                                    .zips_count = 1};
    static struct zr_availability_reply reply;

    assert_int_equal(zr_availability(world.carrier, &request, &reply), 0);
    return reply.version;
}

static void
category_offer(uint16_t category, bool offered)
{
    struct zr_category_list_request list = {0};
    static struct zr_category_list_reply listed;
    static struct zr_category_put_request put;
    struct zr_category_put_reply reply;

    assert_int_equal(zr_category_list(world.admin, &list, &listed), 0);
    memset(&put, 0, sizeof put);
    for (uint16_t i = 0; i < listed.categories_count; i++) {
        if (listed.categories[i].category == category) {
            put.expected_version = listed.categories[i].version;
            (void)snprintf(put.name, sizeof put.name, "%s", listed.categories[i].name);
        }
    }
    put.category = category;
    put.rate_cents = WORLD_RATE;
    put.offered = offered;
    put.zips_action = ZR_ZIPS_EVERYWHERE;
    assert_int_equal(zr_category_put(world.admin, &put, &reply), 0);
}

/*
 * E20: the last free category taken turns the very next AVAILABILITY RED; one of them open again
 * YELLOW; all GREEN; a category that is withdrawn is not counted.
 */
static void
test_e20_colours_follow_the_claims(void **state)
{
    const struct world_slot plumbing = {WORLD_BOSTON, world.plumbing};
    const struct world_slot roofing = {WORLD_BOSTON, world.roofing};
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    uint64_t claims[2];

    (void)state;
    assert_int_equal(look(WORLD_BOSTON).colour_primary, ZR_MAP_COLOUR_GREEN);
    claims[0] = world_claim(&world, contractor, plumbing);
    assert_int_equal(look(WORLD_BOSTON).colour_primary, ZR_MAP_COLOUR_YELLOW);
    claims[1] = world_claim(&world, contractor, roofing);
    assert_int_equal(look(WORLD_BOSTON).colour_primary, ZR_MAP_COLOUR_RED);
    assert_int_equal(look(WORLD_BOSTON).colour_any, ZR_MAP_COLOUR_GREEN);
    (void)world_release(&world, claims[0]);
    assert_int_equal(look(WORLD_BOSTON).colour_primary, ZR_MAP_COLOUR_YELLOW);
    category_offer(world.plumbing, false);
    assert_int_equal(look(WORLD_BOSTON).colour_primary, ZR_MAP_COLOUR_RED);
    category_offer(world.plumbing, true);
    assert_int_equal(look(WORLD_BOSTON).colour_primary, ZR_MAP_COLOUR_YELLOW);
    (void)world_release(&world, claims[1]);
    assert_int_equal(look(WORLD_BOSTON).colour_primary, ZR_MAP_COLOUR_GREEN);
    assert_int_equal(look(WORLD_PO_BOX).colour_primary, ZR_MAP_COLOUR_GREY);
}

static bool
has_bit(const struct zr_hash *bits, uint16_t category)
{
    return (bits->bytes[category / 8] >> category % 8 & 1) != 0;
}

/* R11: of each ZIP, which categories are offered and which of them are taken. */
static void
test_r11_offered_and_taken_categories_of_a_zip(void **state)
{
    const struct world_slot roofing = {WORLD_NEW_YORK, world.roofing};
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    const uint64_t claim_id = world_claim(&world, contractor, roofing);
    struct zr_zip_availability seen = look(WORLD_NEW_YORK);

    (void)state;
    assert_true(has_bit(&seen.offered, world.plumbing));
    assert_true(has_bit(&seen.offered, world.roofing));
    assert_false(has_bit(&seen.offered, 200)); /* There is no such category. */
    assert_false(has_bit(&seen.taken, world.plumbing));
    assert_true(has_bit(&seen.taken, world.roofing));
    assert_false(has_bit(&seen.full, world.roofing));
    category_offer(world.plumbing, false);
    seen = look(WORLD_NEW_YORK);
    assert_false(has_bit(&seen.offered, world.plumbing));
    category_offer(world.plumbing, true);
    seen = look(WORLD_PO_BOX);
    assert_false(has_bit(&seen.offered, world.plumbing)); /* R8: not claimable. */
    (void)world_release(&world, claim_id);
}

/* R42, lens ANY: no position left. */
static void
test_r42_full_slots_show_through_the_other_lens(void **state)
{
    const struct world_slot plumbing = {WORLD_CHICAGO, world.plumbing};
    struct zr_policy policy = world_policy(&world, plumbing);
    const uint32_t one = world_contractor(&world, 2, 100000);
    const uint32_t two = world_contractor(&world, 2, 100000);
    struct zr_zip_availability seen;
    uint64_t claims[2];

    (void)state;
    policy.max_positions = 2;
    world_policy_put(&world, plumbing, &policy);
    claims[0] = world_claim(&world, one, plumbing);
    assert_int_equal(look(WORLD_CHICAGO).colour_any, ZR_MAP_COLOUR_GREEN);
    claims[1] = world_claim(&world, two, plumbing);
    seen = look(WORLD_CHICAGO);
    assert_int_equal(seen.colour_any, ZR_MAP_COLOUR_YELLOW);
    assert_int_equal(seen.full.bytes[world.plumbing / 8] >> world.plumbing % 8 & 1, 1);
    (void)world_release(&world, claims[1]);
    assert_int_equal(look(WORLD_CHICAGO).colour_any, ZR_MAP_COLOUR_GREEN);
    (void)world_release(&world, claims[0]);
}

static void
test_unknown_zip_is_refused(void **state)
{
    const struct zr_availability_request request = {
        .zips = {{.zip = WORLD_BOSTON}, {.zip = WORLD_UNKNOWN}}, .zips_count = 2};
    static struct zr_availability_reply reply;

    (void)state;
    assert_int_equal(zr_availability(world.carrier, &request, &reply), ZR_STATUS_UNKNOWN_ZIP);
}

/* The snapshot's two bits are AVAILABILITY's colours, for every ZIP of the country. */
static void
test_snapshot_agrees_with_availability(void **state)
{
    static uint8_t colours[100000];
    struct zr_map_snapshot_request page = {.lens = ZR_MAP_LENS_PRIMARY};
    struct zr_availability_request range = {.zip3 = UINT16_MAX};
    static struct zr_map_snapshot_reply part;
    static struct zr_availability_reply reply;
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    const struct world_slot slot = {WORLD_GALVESTON, world.plumbing};
    const uint64_t claim_id = world_claim(&world, contractor, slot);
    uint32_t zips = 0;

    (void)state;
    do {
        assert_int_equal(zr_map_snapshot(world.portal, &page, &part), 0);
        for (uint32_t i = 0; i < part.colours_length * 4U; i++) {
            colours[part.from + i] = (uint8_t)((part.colours[i / 4] >> i % 4 * 2 & 3) + 1);
        }
        page.from = part.next;
    } while (part.next != 0);
    do {
        assert_int_equal(zr_availability(world.portal, &range, &reply), 0);
        for (uint16_t i = 0; i < reply.zips_count; i++) {
            assert_int_equal(colours[reply.zips[i].zip], reply.zips[i].colour_primary);
            colours[reply.zips[i].zip] = ZR_MAP_COLOUR_GREY;
            zips++;
        }
        range.after = reply.next;
    } while (reply.next != 0);
    assert_int_equal(zips, 13);
    for (uint32_t zip = 0; zip < sizeof colours; zip++) {
        assert_int_equal(colours[zip], ZR_MAP_COLOUR_GREY);
    }
    (void)world_release(&world, claim_id);
}

/* E21: a subscriber that comes back with its version gets exactly what came after it, in order. */
static void
test_e21_deltas_are_resumed_exactly(void **state)
{
    const struct world_slot slot = {WORLD_PEARLAND, world.plumbing};
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    struct zr_client *reader = server_client_ready(&world.server, "callcenter");
    uint64_t claim_id;
    uint64_t version;

    (void)state;
    follow_map(&heard, reader, map_version());
    claim_id = world_claim(&world, contractor, slot);
    hear(&heard, 1);
    assert_int_equal(heard.changes[0].zip, slot.zip);
    assert_int_equal(heard.changes[0].category, slot.category);
    assert_true(heard.changes[0].taken);
    assert_int_equal(heard.changes[0].colour_primary, ZR_MAP_COLOUR_YELLOW);
    version = heard.last;
    zr_client_close(reader);

    (void)world_release(&world, claim_id);
    claim_id = world_claim(&world, contractor, slot);
    (void)world_pause(&world, claim_id); /* Changes nothing on the map. */
    (void)world_release(&world, claim_id);
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    reader = server_client_ready(&world.server, "callcenter");
    follow_map(&heard, reader, version);
    hear(&heard, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(heard.changes[i].version > version);
        assert_int_equal(heard.changes[i].zip, slot.zip);
        assert_int_equal(heard.changes[i].taken, i == 1);
        version = heard.changes[i].version;
    }
    assert_int_equal(heard.changes[2].colour_primary, ZR_MAP_COLOUR_GREEN);
    assert_int_equal(heard.total, 3);
    assert_int_equal(map_version() >= version, 1);
    zr_client_close(reader);
}

/* E21: a version that there is nothing behind: take a snapshot, and go on from its version. */
static void
test_e21_version_out_of_range_wants_a_snapshot(void **state)
{
    const struct zr_map_snapshot_request page = {.lens = ZR_MAP_LENS_ANY};
    static struct zr_map_snapshot_reply part;
    const struct world_slot slot = {WORLD_NEW_YORK, world.roofing};
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    uint64_t claim_id;

    (void)state;
    follow_map(&heard, world.auditor, map_version() + 1000);
    assert_int_equal(hear_over(&heard), ZR_STATUS_CURSOR_TOO_OLD);
    assert_int_equal(zr_map_snapshot(world.auditor, &page, &part), 0);
    follow_map(&heard, world.auditor, part.version);
    claim_id = world_claim(&world, contractor, slot);
    hear(&heard, 1);
    assert_int_equal(heard.changes[0].zip, slot.zip);
    (void)world_release(&world, claim_id);
    assert_int_equal(zr_unsubscribe(world.auditor, ZR_OP_MAP_SUBSCRIBE), 0);
}

/* E21: a version whose deltas are forgotten is too old; a snapshot's is not. Events are trimmed a
 * few at each commit: how many that takes is bounded, not known. */
static void
test_e21_version_too_old_wants_a_snapshot(void **state)
{
    const struct world_slot slot = {WORLD_CHICAGO, world.roofing};
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    const struct zr_map_snapshot_request page = {.lens = ZR_MAP_LENS_PRIMARY};
    const struct zr_map_subscribe_request oldest = {.version = map_version()};
    static struct zr_map_snapshot_reply part;
    struct zr_subscribe_reply reply;
    int result = 0;

    (void)state;
    (void)world_release(&world, world_claim(&world, contractor, slot));
    assert_int_equal(zr_map_subscribe(world.auditor, &oldest, &reply), 0);
    (void)world_advance(&world, EVENTS_KEPT_DAYS * WORLD_DAY_MS);
    for (int commits = 0; result == 0; commits++) {
        assert_in_range(commits, 0, TRIM_COMMITS_MAX);
        (void)server_advance(&world.server, 1);
        result = zr_map_subscribe(world.auditor, &oldest, &reply);
    }
    assert_int_equal(result, ZR_STATUS_CURSOR_TOO_OLD);
    assert_true(reply.cursor > oldest.version);
    assert_int_equal(zr_map_snapshot(world.auditor, &page, &part), 0);
    follow_map(&heard, world.auditor, part.version);
    (void)world_release(&world, world_claim(&world, contractor, slot));
    hear(&heard, 2);
    assert_int_equal(heard.changes[0].zip, slot.zip);
    assert_int_equal(zr_unsubscribe(world.auditor, ZR_OP_MAP_SUBSCRIBE), 0);
}

static void
ask(struct zr_client *client)
{
    const struct zr_empty request = {0};
    struct zr_ping_reply reply;

    assert_int_equal(zr_ping(client, &request, &reply), 0);
}

/*
 * R42, by turns instead of seconds: the server pushes a delta in the turn in which the reply of its
 * command goes out, or in one before. So whoever hears that reply and asks anything afterwards, on
 * whatever connection, gets the delta before the answer.
 */
static void
test_r42_a_delta_comes_before_the_next_answer(void **state)
{
    const struct world_slot slot = {WORLD_ADJUNTAS, world.roofing};
    struct zr_policy policy = world_policy(&world, slot);
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    struct zr_client *const reader = server_client_ready(&world.server, "callcenter");
    uint64_t claim_id;

    (void)state;
    follow_map(&heard, reader, map_version());
    ask(reader); /* It follows by now. */
    claim_id = world_claim(&world, contractor, slot);
    ask(reader);
    assert_int_equal(heard.total, 1);
    assert_true(heard.changes[0].taken);
    policy.pause_grace_s = 3600; /* What time alone brings about, too. */
    world_policy_put(&world, slot, &policy);
    (void)world_pause(&world, claim_id);
    ask(reader);
    assert_int_equal(heard.total, 1);
    (void)server_advance(&world.server, WORLD_HOUR_MS);
    ask(reader);
    assert_int_equal(heard.total, 2);
    assert_false(heard.changes[1].taken);
    zr_client_close(reader);
}

/* E20: a category that is withdrawn everywhere is one delta that asks for a snapshot. */
static void
test_e20_withdrawn_category_is_told(void **state)
{
    (void)state;
    follow_map(&heard, world.payments, map_version());
    category_offer(world.roofing, false);
    category_offer(world.roofing, true);
    hear(&heard, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(heard.changes[i].zip, 0);
        assert_int_equal(heard.changes[i].category, world.roofing);
    }
    assert_int_equal(zr_unsubscribe(world.payments, ZR_OP_MAP_SUBSCRIBE), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e20_colours_follow_the_claims),
        cmocka_unit_test(test_r11_offered_and_taken_categories_of_a_zip),
        cmocka_unit_test(test_r42_full_slots_show_through_the_other_lens),
        cmocka_unit_test(test_unknown_zip_is_refused),
        cmocka_unit_test(test_snapshot_agrees_with_availability),
        cmocka_unit_test(test_e21_deltas_are_resumed_exactly),
        cmocka_unit_test(test_e21_version_out_of_range_wants_a_snapshot),
        cmocka_unit_test(test_e21_version_too_old_wants_a_snapshot),
        cmocka_unit_test(test_r42_a_delta_comes_before_the_next_answer),
        cmocka_unit_test(test_e20_withdrawn_category_is_told),
    };

    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
