/*
 * options.c - see options.h.
 */
#include "bench/options.h"

#include "protocol/check.h"

#include <errno.h>
#include <stddef.h>

bool
options_parse(const struct argp *argp, int argc, char **argv, void *input, struct fault *fault)
{
    CHECK(argp != NULL);
    CHECK(input != NULL);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before anything else runs.
    if (argp_parse(argp, argc, argv, 0, NULL, input) != 0) {
        return fault_set(fault, BENCH_EXIT_USAGE, "the options were not understood");
    }
    return true;
}

error_t
options_refuse(struct argp_state *state, const char *argument, const char *expected)
{
    CHECK(expected != NULL);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before anything else runs.
    argp_error(state, "\"%s\": expected %s", argument, expected);
    return EINVAL;
}
