/*
 * fault.h - why a command of the load tester could not go on, and its exit code.
 *
 * Functions that can fail return false and leave the reason here; main() prints it, once.
 * The exit codes are those of zipring-bench(1).
 */
#ifndef ZR_BENCH_FAULT_H
#define ZR_BENCH_FAULT_H

#include <stdbool.h>

enum bench_exit {
    BENCH_EXIT_DONE = 0,
    BENCH_EXIT_FAILED = 1,    /* An invariant, a --fail-if or a comparison did not hold. */
    BENCH_EXIT_USAGE = 2,     /* Options or input files. */
    BENCH_EXIT_INVALID = 3,   /* The generator was the limit: the figures say nothing. */
    BENCH_EXIT_TRANSPORT = 4, /* The server could not be reached or did not answer. */
};

struct fault {
    enum bench_exit exit_code;
    char text[512];
};

/* Note what failed. Always false, so that `return fault_set(...)` reads as "fail with". */
bool fault_set(struct fault *fault, enum bench_exit exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
