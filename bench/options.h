/*
 * options.h - the two calls into argp, wrapped once.
 */
#ifndef ZR_BENCH_OPTIONS_H
#define ZR_BENCH_OPTIONS_H

#include "bench/fault.h"

#include <argp.h>
#include <stdbool.h>

/* Parse argv into `input`. A usage error prints itself and ends the program with 2. */
bool options_parse(const struct argp *argp, int argc, char **argv, void *input,
                   struct fault *fault);

/* In a parser: say what is wrong with the command line, and end the program with 2. */
error_t options_refuse(struct argp_state *state, const char *argument, const char *expected);

#endif
