/*
 * test.h - cmocka, and the few things that every test needs.
 *
 * Include it instead of <cmocka.h>, which wants four headers before it in a fixed order.
 * Unit tests end in `return cmocka_run_group_tests(tests, NULL, NULL);`. Plain programs end by
 * printing `N passed, N failed`. tests/run.sh understands both.
 */
#ifndef ZR_TEST_H
#define ZR_TEST_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdbool.h>

/* gcc sees setjmp() and fears for every local; expect_assert_failure() never changes one. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wclobbered"
#endif

/* Private to expect_assert_failure(): where a failing CHECK jumps while one is expected. */
extern jmp_buf test_check_jump;
extern volatile bool test_check_expected;

/*
 * Prove that a CHECK fires in `call`. cmocka's own macro prints a line each time; this one only
 * speaks when none fired. A CHECK that nobody expects prints where, and aborts the program.
 * Only on the thread that runs the test: a CHECK of another thread always aborts.
 */
#undef expect_assert_failure
// NOLINTNEXTLINE(readability-identifier-naming): the name is cmocka's.
#define expect_assert_failure(call)         \
    do {                                    \
        if (setjmp(test_check_jump) == 0) { \
            test_check_expected = true;     \
            call;                           \
            test_check_missing(#call);      \
        }                                   \
    } while (0)

/* Fail the test: no CHECK fired in `call`. */
void test_check_missing(const char *call);

/* The seed of this run: TEST_SEED from the environment, else fresh. Printed, so that it repeats. */
uint64_t test_seed(void);

/* Next number of a splitmix64 sequence; *state is the seed and moves on. */
uint64_t test_random(uint64_t *state);

/* A number of 0..below-1. */
uint64_t test_random_below(uint64_t *state, uint64_t below);

/* Make a new empty folder and copy its path out; path_bytes >= 64. */
void test_make_dir(char *path, size_t path_bytes);

/* Remove a folder that test_make_dir made, with all that is in it. */
void test_remove_dir(const char *path);

#endif
