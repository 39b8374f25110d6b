/*
 * run_options.h - the options of `zipring-bench run`, parsed and judged.
 */
#ifndef ZR_BENCH_RUN_OPTIONS_H
#define ZR_BENCH_RUN_OPTIONS_H

#include "bench/condition.h"
#include "bench/driver.h"
#include "bench/endpoint.h"

#include <stdbool.h>
#include <stdint.h>

struct run_options {
    struct endpoint_options endpoint;
    struct drive drive;
    struct conditions fail_if;
    uint32_t weights[LOAD_KINDS];
    uint32_t connections;
    uint32_t pipeline;   /* -P, 0 = not given. */
    uint32_t inflight;   /* --inflight, 0 = not given. */
    uint32_t categories; /* How many of the server's are used. */
    uint32_t echo_bytes; /* Of the whole reply frame. */
    uint32_t want;
    const char *zips;
    const char *json; /* NULL = none. */
    bool closed;
    bool seed_given;
    bool hold;
    bool by_population;
    bool covered;
};

/* Parse argv; a usage error prints itself and exits with 2, as argp does. */
bool run_options_parse(struct run_options *options, int argc, char **argv, struct fault *fault);

/* The role that the load needs: "bench" or "switch". */
const char *run_options_role(const struct run_options *options);

#endif
