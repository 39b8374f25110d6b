/*
 * test_kill.c - P1, P11: kill -9 in the middle of a mixed load, again and again.
 *
 * The one idea: the client objects live through every kill, and nothing that they were told may
 * change by it. Each round lets the load run until a drawn number of operations has been
 * acknowledged, kills the server inside the callback of that very reply (so dozens of requests
 * are in any state between socket and disk), starts it again on the same folder and port, and
 * only waits: the clients reconnect and repeat by themselves. Then the load comes to rest and
 * the server must equal the book (book.h). At the end a replay from genesis gives the same state.
 *
 *     test_kill [ROUNDS]       also CRASH_ROUNDS; 50, CRASH_VOLUME=full 500
 */
#include "protocol/check.h"
#include "server/base/clock.h"
#include "tests/crash/lib/book.h"
#include "tests/lib/test.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS_CI = 50,
    ROUNDS_FULL = 500,
    ACTORS = 64,
    ACKS_MAX = 400,  /* A round is killed after 1..this many operations. */
    ACKS_AFTER = 64, /* Operations that must be done again after each restart. */
    STEP_MS = 100,
    SILENT_STEPS = 300, /* So long without any answer: it hangs. */
};

struct rounds {
    struct world world;
    struct load *load;
    struct book *book;
    uint64_t random;
    uint64_t acks;
    uint64_t kill_at; /* The server dies at this acknowledgement, 0 = not now. */
    uint64_t restart_ms_max;
    uint32_t passed;
    uint32_t failed;
};

static void
on_ack(void *context, const struct load_ack *ack)
{
    struct rounds *rounds = context;

    book_note(rounds->book, ack);
    rounds->acks++;
    if (rounds->acks == rounds->kill_at) {
        CHECK(kill(rounds->world.server.pid, SIGKILL) == 0);
    }
}

/* Step until `acks` operations are acknowledged, or (0) until the load rests. */
static void
run_until(struct rounds *rounds, uint64_t acks)
{
    uint64_t before = rounds->acks;
    int silent = 0;

    while (acks != 0 ? rounds->acks < acks : load_busy(rounds->load) > 0) {
        load_step(rounds->load, STEP_MS);
        silent = rounds->acks != before ? 0 : silent + 1;
        before = rounds->acks;
        if (silent == SILENT_STEPS) {
            (void)fprintf(stderr, "no answer: the clients did not resume\n");
            abort();
        }
    }
}

static void
round_run(struct rounds *rounds, uint32_t number)
{
    const uint64_t after = 1 + test_random_below(&rounds->random, ACKS_MAX);
    const uint32_t contradictions = book_contradictions(rounds->book);
    uint64_t killed_ns;
    uint64_t restart_ms;
    uint32_t differences;

    rounds->kill_at = rounds->acks + after;
    load_set_running(rounds->load, true);
    run_until(rounds, rounds->kill_at);
    rounds->kill_at = 0;
    server_kill(&rounds->world.server);
    killed_ns = clock_monotonic_ns();
    server_restart(&rounds->world.server);
    restart_ms = (clock_monotonic_ns() - killed_ns) / 1000000;
    run_until(rounds, rounds->acks + ACKS_AFTER);
    load_set_running(rounds->load, false);
    run_until(rounds, 0);
    differences = book_compare(rounds->book, &rounds->world, rounds->load) +
                  book_contradictions(rounds->book) - contradictions;
    if (restart_ms > rounds->restart_ms_max) {
        rounds->restart_ms_max = restart_ms;
    }
    if (differences == 0) {
        rounds->passed++;
        return;
    }
    rounds->failed++;
    (void)printf("FAILED: round %u, killed after %" PRIu64 " operations: %u differences\n", number,
                 after, differences);
}

/* The same clients from the first round to the last: one connection more for each kill. */
static void
clients_judge(struct rounds *rounds, uint32_t rounds_count)
{
    struct zr_client *const clients[] = {rounds->world.portal, rounds->world.carrier,
                                         rounds->world.callcenter, rounds->world.payments};
    uint64_t retried = 0;

    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        struct zr_client_stats stats = {.size = sizeof stats};

        zr_client_get_stats(clients[i], &stats);
        retried += stats.retried;
        if (stats.disconnects < rounds_count || stats.connects != stats.disconnects + 1) {
            (void)printf("FAILED: client %zu: %" PRIu64 " connects, %" PRIu64 " losses\n", i,
                         stats.connects, stats.disconnects);
            rounds->failed++;
        }
    }
    (void)printf("sent again: %" PRIu64 " by the library, %" PRIu64 " by the test\n", retried,
                 load_resent(rounds->load));
}

static uint32_t
rounds_count_of(int argc, char **argv)
{
    const char *volume = getenv("CRASH_VOLUME");
    const char *text = argc > 1 ? argv[1] : getenv("CRASH_ROUNDS");

    if (text != NULL) {
        return (uint32_t)strtoul(text, NULL, 10);
    }
    return volume != NULL && strcmp(volume, "full") == 0 ? ROUNDS_FULL : ROUNDS_CI;
}

int
main(int argc, char **argv)
{
    const uint32_t count = rounds_count_of(argc, argv);
    static struct rounds rounds;
    struct book_totals totals;

    rounds.random = test_seed();
    world_open(&rounds.world, NULL);
    rounds.book = book_open();
    rounds.load = load_open(&(struct load_options){.world = &rounds.world,
                                                   .seed = rounds.random,
                                                   .actors_count = ACTORS,
                                                   .on_ack = on_ack,
                                                   .context = &rounds});
    for (uint32_t i = 1; i <= count; i++) {
        round_run(&rounds, i);
    }
    clients_judge(&rounds, count);
    totals = book_totals(rounds.book);
    (void)printf("%u kills, %" PRIu64 " operations acknowledged: %" PRIu64 " claims, %" PRIu64
                 " top-ups, %" PRIu64 " calls, %" PRIu64 " charges; longest restart %" PRIu64
                 " ms\n",
                 count, rounds.acks, totals.claims, totals.topups, totals.calls, totals.charges,
                 rounds.restart_ms_max);
    load_close(rounds.load);
    book_close(rounds.book);
    if (world_close(&rounds.world) == 0) { /* AUDIT and replay */
        rounds.passed++;
    } else {
        rounds.failed++;
    }
    (void)printf("%u passed, %u failed\n", rounds.passed, rounds.failed);
    return rounds.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
