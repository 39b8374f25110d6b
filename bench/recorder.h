/*
 * recorder.h - what was measured, per kind of step.
 *
 * Two latencies stand side by side: from the time a request was meant to be sent and from the
 * time its first byte was written. In an open loop the first is what a caller meets; the
 * difference is the queueing that the second hides.
 *
 * Only what belongs to the window counts. Open loop: requests meant for a time inside it, also
 * when their answer comes later. Closed loop: answers read inside it.
 */
#ifndef ZR_BENCH_RECORDER_H
#define ZR_BENCH_RECORDER_H

#include "bench/histogram.h"

#include <stdbool.h>
#include <stdint.h>

enum step {
    STEP_ECHO,
    STEP_NOOP_COMMIT,
    STEP_ROUTE,
    STEP_ROUTE_NEXT,
    STEP_CONNECT,
    STEP_END,
    STEP_CALL, /* A whole call, from its ROUTE to the answer of its last step. */
    STEPS_COUNT,
};

/* "route_next": as in the reports and in --fail-if. */
const char *step_name(enum step step);

/* The step of that name, or STEPS_COUNT. */
enum step step_find(const char *name);

enum { RESULTS_MAX = 48 };

struct result_count {
    int result; /* As in struct zr_completion. */
    uint64_t count;
};

struct step_record {
    struct histogram intended;
    struct histogram sent;
    uint64_t answered;           /* In the window, whatever the answer. */
    uint64_t errors;             /* Of those: neither done nor a business refusal. */
    uint64_t answered_in_window; /* By the time of the answer: the throughput. */
    uint64_t ok_in_window;       /* Of those: result 0. */
    struct result_count results[RESULTS_MAX];
    uint32_t results_count;
    uint64_t results_other; /* Did not fit. */
};

struct recorder {
    struct step_record steps[STEPS_COUNT];
    struct histogram lag;      /* Of arrivals, intended to submitted: the generator's own delay. */
    struct histogram interval; /* Since the last live line, intended, all steps but CALL. */
    uint64_t interval_answered;
    uint64_t interval_errors;
    uint64_t requests_answered; /* Since the start, all steps but CALL: for CPU per request. */
    uint64_t offered;           /* Arrivals meant for the window. */
    uint64_t dropped;           /* Of those: never submitted, all links were full. */
    uint64_t landed;            /* Flights (requests, or whole calls) that ended in the window. */
    uint64_t begin_ns;          /* The window. */
    uint64_t end_ns;
    bool open_loop;
};

struct sample {
    enum step step;
    int result;
    uint64_t intended_ns;
    uint64_t sent_ns; /* 0 = never sent. */
    uint64_t answered_ns;
};

/* Empty, with the window [begin_ns, end_ns). */
void recorder_init(struct recorder *recorder, bool open_loop, uint64_t begin_ns, uint64_t end_ns);

/* A step came to its end. */
void recorder_take(struct recorder *recorder, const struct sample *sample);

/* A flight was started that was meant for intended_ns. */
void recorder_take_lag(struct recorder *recorder, uint64_t intended_ns, uint64_t submitted_ns);

/* An open loop's arrival was due; dropped: it found no place. */
void recorder_take_arrival(struct recorder *recorder, uint64_t intended_ns, bool dropped);

/* A flight ended: one request, or a whole call. */
void recorder_take_landing(struct recorder *recorder, uint64_t answered_ns);

/* Begin a new live interval. */
void recorder_reset_interval(struct recorder *recorder);

/* Of all steps but CALL. */
uint64_t recorder_errors(const struct recorder *recorder);

/* Answers of all steps but CALL read in the window. */
uint64_t recorder_requests(const struct recorder *recorder);

/* Length of the window in seconds. */
double recorder_window_s(const struct recorder *recorder);

/* True for what is neither done (0) nor a business refusal (class 20). */
bool result_is_error(int result);

#endif
