/*
 * live.h - one line a second on stderr while a load runs.
 */
#ifndef ZR_BENCH_LIVE_H
#define ZR_BENCH_LIVE_H

#include <stdint.h>

struct driver;

/* Print what happened since the last line, and begin the next interval. */
void live_print(struct driver *driver, uint64_t now_ns);

#endif
