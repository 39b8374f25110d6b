/*
 * test_model.c - random operations against the real server, each step held against a model of
 * domain.md (issue 3, point 1).
 *
 *     build/release/tests/model/test_model [--seed S] [--runs N] [--steps N] [--groups a,b,...]
 *                                          [--keep step,step,...] [--jobs N] [--no-shrink]
 *
 * Compared are replies, rows that can be read, every event that a step causes, with all its fields
 * (compare_events.c), the map and what its followers hold (compare_map.c), every transfer
 * (compare_ledger.c), and what EXPLAIN tells of decisions of some time ago (compare_explain.c). A
 * run is one fresh server and `steps` operations made from its seed. What differs is printed with
 * the seed and the shortest list of operations that still fails; `--keep` plays such a list again.
 * MODEL_VOLUME=ci (the default) plays 200,000 steps, nightly 5,000,000.
 *
 * It may take longer than other tests do, under a sanitizer above all.
 */
#include "protocol/check.h"
#include "tests/lib/test.h"
#include "tests/model/lib/session.h"
#include "tests/model/lib/shrink.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* For tests/run.sh, which finds it in the program. */
static const char time_bound[] __attribute__((used)) = "run.sh: timeout 900";

enum {
    STEPS = 5000,
    RUNS_CI = 40,
    RUNS_NIGHTLY = 1000,
    SEED_CI = 20261122,
    SHRINK_RUNS = 250,
    KEEP_MAX = 4096,
    JOBS = 2, /* Each with a server of its own. */
    JOBS_MAX = 8,
};

struct options {
    uint64_t seed;
    uint32_t runs, steps, jobs;
    unsigned groups;
    bool shrinks;
    uint32_t keep[KEEP_MAX];
    uint32_t keep_count;
};

static unsigned
groups_parse(char *text)
{
    unsigned groups = 0;
    char *rest = text;

    for (char *name = strtok_r(text, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        const unsigned group =
            name[0] == '0' ? (unsigned)strtoul(name, NULL, 16) : operation_group_of(name);

        if (group == 0) {
            (void)fprintf(stderr, "no such group: %s\n", name);
            exit(2);
        }
        groups |= group;
    }
    return groups;
}

static void
keep_parse(struct options *options, char *text)
{
    char *rest = text;

    for (char *step = strtok_r(text, ",", &rest); step != NULL; step = strtok_r(NULL, ",", &rest)) {
        CHECK(options->keep_count < KEEP_MAX);
        options->keep[options->keep_count++] = (uint32_t)strtoul(step, NULL, 10);
    }
}

static void
options_read(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 's'},  {"runs", required_argument, NULL, 'r'},
        {"steps", required_argument, NULL, 'n'}, {"groups", required_argument, NULL, 'g'},
        {"keep", required_argument, NULL, 'k'},  {"jobs", required_argument, NULL, 'j'},
        {"no-shrink", no_argument, NULL, 'x'},   {NULL, 0, NULL, 0}};
    int letter;

    while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (letter) {
        case 's':
            options->seed = strtoull(optarg, NULL, 0);
            break;
        case 'r':
            options->runs = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'n':
            options->steps = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'g':
            options->groups = groups_parse(optarg);
            break;
        case 'k':
            keep_parse(options, optarg);
            break;
        case 'j':
            options->jobs = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'x':
            options->shrinks = false;
            break;
        default:
            exit(2);
        }
    }
}

/* Only the operations of --keep, in their order. */
static uint32_t
keep_only(const struct options *options, struct operation *operations)
{
    uint32_t kept = 0;

    if (options->keep_count == 0) {
        return options->steps;
    }
    for (uint32_t i = 0; i < options->keep_count; i++) {
        CHECK(options->keep[i] < options->steps);
        operations[kept++] = operations[options->keep[i]];
    }
    return kept;
}

static void
failure_print(const struct operation *operations, uint32_t count, uint64_t seed,
              const struct options *options)
{
    (void)printf("shortest failing list found:\n");
    for (uint32_t i = 0; i < count; i++) {
        operation_print(stdout, &operations[i]);
    }
    (void)run_play(operations, count, seed, stdout, NULL);
    (void)printf("again: test_model --runs 1 --seed %" PRIu64 " --steps %u --groups 0x%x --keep ",
                 seed, options->steps, options->groups);
    for (uint32_t i = 0; i < count; i++) {
        (void)printf("%s%u", i == 0 ? "" : ",", operations[i].step);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

static void
run_one(const struct options *options, uint64_t seed, struct run_totals *totals)
{
    struct operation *operations = malloc(options->steps * sizeof *operations);
    uint32_t count;
    uint32_t failed_at;

    CHECK(operations != NULL);
    operations_make(operations, options->steps, seed, options->groups);
    count = keep_only(options, operations);
    failed_at = run_play(operations, count, seed, stdout, totals);
    totals->runs++;
    if (failed_at < count) {
        totals->failed++;
        (void)fflush(stdout);
        count = failed_at + 1;
        if (options->shrinks && options->keep_count == 0) {
            count = shrink(operations, count, seed, SHRINK_RUNS);
            failure_print(operations, count, seed, options);
        }
    }
    free(operations);
}

static int
work(const struct options *options, uint32_t job, struct run_totals *totals)
{
    for (uint32_t i = job; i < options->runs && totals->failed == 0; i += options->jobs) {
        run_one(options, options->seed + i, totals);
    }
    return totals->failed != 0;
}

/* How often each type of event was told and compared; one that never was proves nothing. */
static void
events_print(const struct options *options, const struct run_totals *totals)
{
    (void)printf("events:");
    for (int type = 1; zr_event_type_name((uint8_t)type) != NULL; type++) {
        uint64_t events = 0;

        for (uint32_t job = 0; job < options->jobs; job++) {
            events += totals[job].events[type];
        }
        if (type != ZR_EVENT_MAP_DELTA && type != ZR_EVENT_EVENTS_GAP) {
            (void)printf(" %s %" PRIu64, zr_event_type_name((uint8_t)type), events);
        }
    }
    (void)printf("\n");
}

static void
totals_print(const struct options *options, const struct run_totals *totals)
{
    uint64_t steps = 0;
    uint64_t skipped = 0;
    uint64_t runs = 0;
    uint64_t failed = 0;

    for (uint32_t job = 0; job < options->jobs; job++) {
        steps += totals[job].steps;
        skipped += totals[job].skipped;
        runs += totals[job].runs;
        failed += totals[job].failed;
    }
    for (int kind = 0; kind < PLAY_KINDS; kind++) {
        uint64_t played = 0;

        for (uint32_t job = 0; job < options->jobs; job++) {
            played += totals[job].played[kind];
        }
        (void)printf("%s %" PRIu64 "%s", operation_name((uint8_t)kind), played,
                     kind + 1 < PLAY_KINDS ? ", " : "\n");
    }
    events_print(options, totals);
    (void)printf("model: seed %" PRIu64 ", %" PRIu64 " steps, %" PRIu64
                 " found nothing to act on\n",
                 options->seed, steps, skipped);
    (void)printf("%" PRIu64 " passed, %" PRIu64 " failed\n", runs - failed, failed);
}

int
main(int argc, char **argv)
{
    const char *volume = getenv("MODEL_VOLUME");
    static struct options options = {
        .steps = STEPS, .jobs = JOBS, .groups = GROUP_ALL, .shrinks = true};
    struct run_totals *totals;
    int failed = 0;

    options.runs = volume != NULL && strcmp(volume, "nightly") == 0 ? RUNS_NIGHTLY : RUNS_CI;
    /* The same steps in every `make test`: red is a change of the tree. Nights draw their own. */
    options.seed = options.runs == RUNS_NIGHTLY ? test_seed() : SEED_CI;
    options_read(&options, argc, argv);
    CHECK(options.jobs >= 1 && options.jobs <= JOBS_MAX);
    /* Commits to memory: what is on trial here are the rules, not the disk. */
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 0);
    }
    totals = mmap(NULL, JOBS_MAX * sizeof *totals, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(totals != MAP_FAILED);
    (void)fflush(stdout);
    for (uint32_t job = 1; job < options.jobs; job++) {
        if (fork() == 0) {
            _exit(work(&options, job, &totals[job]));
        }
    }
    failed = work(&options, 0, &totals[0]);
    for (uint32_t job = 1; job < options.jobs; job++) {
        int status = 0;

        CHECK(wait(&status) > 0);
        failed |= status;
    }
    totals_print(&options, totals);
    return failed != 0;
}
