/*
 * test.c - see test.h.
 */
#include "tests/lib/test.h"

#include "protocol/check.h"

#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

jmp_buf test_check_jump;
volatile bool test_check_expected;

/* Stronger than protocol/check.c's, which is weak for this. */
_Noreturn void
zr_check_failed(const char *condition, const char *file, int line)
{
    /* gettid() == getpid() is the main thread: the only stack that the jump may unwind to. */
    if (test_check_expected && gettid() == getpid()) {
        test_check_expected = false;
        longjmp(test_check_jump, 1);
    }
    (void)fprintf(stderr, "CHECK failed: %s at %s:%d\n", condition, file, line);
    abort();
}

void
test_check_missing(const char *call)
{
    test_check_expected = false;
    fail_msg("no CHECK fired in %s", call);
}

uint64_t
test_seed(void)
{
    const char *text = getenv("TEST_SEED");
    uint64_t seed;

    if (text != NULL) {
        seed = strtoull(text, NULL, 0);
    } else if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        abort();
    }
    (void)printf("TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

uint64_t
test_random(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

uint64_t
test_random_below(uint64_t *state, uint64_t below)
{
    CHECK(below > 0);
    return test_random(state) % below;
}

void
test_make_dir(char *path, size_t path_bytes)
{
    CHECK(path_bytes >= 64);
    (void)snprintf(path, path_bytes, "/tmp/zipring-test.XXXXXX");
    CHECK(mkdtemp(path) != NULL);
}

static int
remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
    (void)stat;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void
test_remove_dir(const char *path)
{
    /* Depth first, so that folders are empty when their turn comes. */
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
