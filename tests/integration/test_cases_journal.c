/*
 * test_cases_journal.c - E64: the journal alone gives the same state again, and nobody can take
 * anything out of it or change it without that being told.
 *
 * The tampering goes through the store itself, so that checksums of rows and transaction ids are
 * right: only the chain of hashes is left to find it.
 */
#include "server/store/store.h"
#include "tests/integration/cases.h"

enum { CALLS = 20 };

static int
replay(const struct server *server, const char *into)
{
    char data[SERVER_PATH_MAX];
    char target[SERVER_PATH_MAX];
    char output[4096];
    int code;

    server_path(data, server, "data");
    server_path(target, server, into);
    code =
        server_run("zipringd", (const char *[]){"replay", "--data", data, "--into", target, NULL},
                   output, sizeof output);
    if (code != 0) {
        (void)printf("%s: exit %d: %s", into, code, output);
    }
    test_remove_dir(target);
    return code;
}

/* A day in the life of a network. */
static void
work(void)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 9, 50000);
    struct zr_route_reply routed;
    struct zr_id call_id;

    (void)world_claim(&world, contractor, slot);
    (void)world_claim(&world, world_contractor(&world, 9, 50000), slot);
    for (uint32_t i = 0; i < CALLS; i++) {
        routed = world_call(&world, slot, &call_id);
        (void)world_connect(&world, &routed);
        (void)world_end(&world, &call_id, i % 2 == 0 ? 30000 : 1000);
    }
}

struct row {
    uint64_t seq;
    size_t bytes_count;
    uint8_t bytes[32768];
};

static struct store *
open_store(const struct server *server)
{
    char data[SERVER_PATH_MAX];
    struct store *store = NULL;

    server_path(data, server, "data");
    assert_int_equal(store_open(&store, &(struct store_options){.folder = data,
                                                                .map_bytes = UINT64_C(1) << 30,
                                                                .readers_max = 2}),
                     STATUS_OK);
    return store;
}

/* Take journal row `seq` out (NULL), or put it in; `kept` receives what was there before. */
static void
journal_change(const struct server *server, uint64_t seq, struct row *kept, const struct row *put)
{
    struct store *store = open_store(server);
    struct store_head head = *store_head(store);
    struct store_view view = {0};
    struct store_value value;

    assert_int_equal(store_write_begin(store, &view), STATUS_OK);
    if (kept != NULL) {
        assert_true(store_get_number(&view, TABLE_JOURNAL, seq, &value));
        kept->seq = seq;
        kept->bytes_count = value.bytes_count;
        memcpy(kept->bytes, value.bytes, value.bytes_count);
    }
    if (put != NULL) {
        store_put_number(&view, TABLE_JOURNAL, seq, put->bytes, put->bytes_count);
    } else {
        store_del(&view, TABLE_JOURNAL, &seq, sizeof seq);
    }
    assert_int_equal(view.failure, STATUS_OK);
    assert_int_equal(store_commit(&view, &head), STATUS_OK);
    store_close(store);
}

static uint64_t
last_seq(const struct server *server)
{
    struct store *store = open_store(server);
    const uint64_t seq = store_head(store)->commit_seq;

    store_close(store);
    return seq;
}

static void
test_e64_a_replay_gives_the_same_state_and_tampering_shows(void **state)
{
    static struct row kept;
    static struct row changed;
    struct server *server = &world.server;
    uint64_t seed = test_seed();
    uint64_t last;
    size_t at;

    (void)state;
    world_open(&world, NULL);
    work();
    server_kill(server); /* What a crash leaves must replay as well, once it was recovered. */
    server_restart(server);
    assert_int_equal(server_stop(server), 0);
    assert_int_equal(replay(server, "recovered"), 0);
    last = last_seq(server);
    /* Any row altered in any byte. */
    for (int round = 0; round < 8; round++) {
        const uint64_t seq = 1 + test_random_below(&seed, last);

        journal_change(server, seq, &kept, NULL);
        assert_int_not_equal(replay(server, "a row is missing"), 0);
        changed = kept;
        at = test_random_below(&seed, kept.bytes_count);
        changed.bytes[at] ^= 1;
        journal_change(server, seq, NULL, &changed);
        if (replay(server, "a row is altered") == 0) {
            fail_msg("byte %zu of row %llu of %llu was altered, and replay says all is well", at,
                     (unsigned long long)seq, (unsigned long long)last);
        }
        journal_change(server, seq, NULL, &kept);
    }
    assert_int_equal(replay(server, "as it was"), 0);
    /* Cut: the last row is gone. */
    journal_change(server, last, &kept, NULL);
    assert_int_not_equal(replay(server, "cut"), 0);
    journal_change(server, last, NULL, &kept);
    server_restart(server);
    assert_int_equal(world_close(&world), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_e64_a_replay_gives_the_same_state_and_tampering_shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
