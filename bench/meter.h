/*
 * meter.h - CPU time of the generator and of the server, read at both ends of the window.
 *
 * The server's comes from /proc: the run time of every thread in schedstat (nanoseconds), and
 * utime + stime of stat (ticks of 10 ms) beside it, since kernels may lack the first.
 */
#ifndef ZR_BENCH_METER_H
#define ZR_BENCH_METER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct meter_sample {
    uint64_t time_ns;          /* When it was taken. */
    uint64_t requests;         /* Answered by then. */
    uint64_t self_ns;          /* CPU of this process. */
    uint64_t server_run_ns;    /* schedstat, 0 = not known. */
    uint64_t server_user_ns;   /* stat. */
    uint64_t server_system_ns; /* stat. */
    bool server_known;         /* The process was there. */
};

/* Take one; server_pid 0 = none. `requests` is the caller's. */
void meter_take(struct meter_sample *sample, pid_t server_pid, uint64_t requests);

struct meter_result {
    double self_cpu;              /* Share of one core, 0 .. 1. */
    double server_cpu;            /* Share of one core, may be above 1. */
    double server_us;             /* CPU microseconds in between. */
    double server_us_per_request; /* 0 = not known. */
    double server_system_share;   /* Of user + system; 0 = not known. */
    uint64_t requests;
    bool server_known;
    bool from_schedstat;
};

/* What lies between two of them. */
void meter_between(struct meter_result *result, const struct meter_sample *begin,
                   const struct meter_sample *end);

#endif
