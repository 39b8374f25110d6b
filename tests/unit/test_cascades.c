/*
 * test_cascades.c - a slot's line says what the slot's row says, as far as decisions ask (M3).
 */
#include "server/commit/cascades.h"
#include "tests/lib/test.h"

#include <string.h>

enum { ZIP = 77002, CATEGORY = 5, ROUNDS = 2000 };

static struct arena arena;
static struct cascades *cascades;

static int
setup(void **state)
{
    (void)state;
    arena_init(&arena);
    cascades = cascades_open(&arena);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

/* A slot with that many claims, each with flags of its own. */
static void
slot_fill(struct slot_row *slot, uint16_t claims_count, uint64_t *seed)
{
    memset(slot, 0, sizeof *slot);
    slot->version = test_random_below(seed, UINT64_MAX);
    slot->claims_count = claims_count;
    slot->title_state = (uint8_t)(1 + test_random_below(seed, 4));
    slot->taken = (uint8_t)test_random_below(seed, 2);
    slot->full = (uint8_t)test_random_below(seed, 2);
    for (uint16_t i = 0; i < claims_count; i++) {
        slot->claims[i] = (struct slot_claim_row){
            .claim_id = test_random_below(seed, UINT64_MAX),
            .contractor = (uint32_t)test_random_below(seed, UINT32_MAX),
            .title = (uint8_t)(i == 0 ? ZR_TITLE_PRIMARY : ZR_TITLE_BACKUP),
            .paused = (uint8_t)test_random_below(seed, 2),
            .lapsing = (uint8_t)test_random_below(seed, 2),
        };
    }
}

/* Every slot that fits comes back as it was published; each takes the place of the one before. */
static void
test_a_line_holds_what_was_published(void **state)
{
    uint64_t seed = test_seed();
    struct slot_row slot;
    struct slot_row line;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const uint16_t count = (uint16_t)test_random_below(&seed, CASCADE_LINE_CLAIMS + 1);

        slot_fill(&slot, count, &seed);
        memset(&line, 0xA5, sizeof line);
        cascades_publish(cascades, ZIP, CATEGORY, &slot);
        assert_true(cascades_get(cascades, ZIP, CATEGORY, &line));
        assert_true(cascades_same(&line, &slot));
        assert_int_equal(line.claims_count, count);
        assert_int_equal(line.offer_id, 0);
    }
}

/* With more claims than a line holds the snapshot has to be asked; the map is shown all the same.
 */
static void
test_a_slot_with_more_claims_says_so(void **state)
{
    uint64_t seed = test_seed();
    struct slot_row slot;
    struct slot_row line;
    bool taken;
    bool full;

    (void)state;
    slot_fill(&slot, CASCADE_LINE_CLAIMS + 1, &seed);
    slot.taken = 1;
    slot.full = 1;
    cascades_publish(cascades, ZIP, CATEGORY, &slot);
    assert_false(cascades_get(cascades, ZIP, CATEGORY, &line));
    cascades_look(cascades, ZIP, CATEGORY, &taken, &full);
    assert_true(taken && full);
    slot_fill(&slot, CASCADE_LINE_CLAIMS, &seed); /* One left: it fits again. */
    cascades_publish(cascades, ZIP, CATEGORY, &slot);
    assert_true(cascades_get(cascades, ZIP, CATEGORY, &line));
    assert_true(cascades_same(&line, &slot));
}

/* Neighbours, by ZIP and by category, keep to themselves; who has none is VACANT. */
static void
test_lines_do_not_meet(void **state)
{
    uint64_t seed = test_seed();
    struct slot_row slot;
    struct slot_row line;

    (void)state;
    slot_fill(&slot, CASCADE_LINE_CLAIMS, &seed);
    cascades_publish(cascades, ZIP, CATEGORY, &slot);
    for (int i = 0; i < 4; i++) {
        const uint32_t zip = i == 0 ? ZIP - 1 : i == 1 ? ZIP + 1 : ZIP;
        const uint16_t category = i == 2 ? CATEGORY - 1 : i == 3 ? CATEGORY + 1 : CATEGORY;

        assert_true(cascades_get(cascades, zip, category, &line));
        assert_int_equal(line.claims_count, 0);
        assert_int_equal(line.title_state, ZR_TITLE_STATE_VACANT);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_line_holds_what_was_published, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_slot_with_more_claims_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_do_not_meet, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
