/*
 * demo_report.h - what the demo found: a summary for people, then one line of JSON.
 */
#ifndef ZR_BENCH_DEMO_REPORT_H
#define ZR_BENCH_DEMO_REPORT_H

#include "bench/demo.h"

/* Print it; BENCH_EXIT_DONE only if every invariant holds. */
enum bench_exit demo_report(struct demo *demo, struct fault *fault);

#endif
