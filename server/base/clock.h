/*
 * clock.h - the log clock: the only time that the rules see.
 *
 * Real: the wall clock once, at start, carried on by the monotonic clock. A wall clock that is
 * set back or forth while the server runs changes nothing. Manual (`--clock=manual`): stands
 * still until CLOCK_ADVANCE moves it, so that tests move time and never sleep.
 *
 * In both modes it starts no earlier than the last log time, so that log time never runs back
 * over a restart. Deadlines of sockets do not use this clock.
 */
#ifndef ZR_CLOCK_H
#define ZR_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct clock {
    bool manual;
    uint64_t base_us;             /* Log time at start, Unix microseconds. */
    uint64_t base_monotonic_ns;   /* Monotonic time at start. */
    _Atomic uint64_t advanced_us; /* Manual only: moved by the committer, read by workers. */
};

/* Start the clock at the wall time, or at `log_ms` (last log time, 0 = none) if that is later. */
void clock_init(struct clock *clock, bool manual, uint64_t log_ms);

/* Log time, Unix microseconds. Any thread. */
uint64_t clock_now_us(const struct clock *clock);

/* Log time, Unix milliseconds. Any thread. */
uint64_t clock_now_ms(const struct clock *clock);

/* Move a manual clock forward. Committer only. */
void clock_advance_ms(struct clock *clock, uint64_t advance_ms);

/* CLOCK_MONOTONIC in nanoseconds: for measuring, never for rules. */
uint64_t clock_monotonic_ns(void);

#endif
