/*
 * driver.h - runs a load over a fleet and measures it.
 *
 * Open loop: flights start when the schedule says so, whether or not earlier ones were
 * answered; one that finds every link full is dropped and counted. Closed loop: every link
 * keeps a fixed number of flights in the air, and each starts again when it has landed.
 *
 * A flight is one request or one whole call (call: ROUTE, perhaps ROUTE_NEXT, CONNECT, END). It
 * has at most one request in the air, so a link's flights bound its requests. One thread does
 * it all: callbacks run inside fleet_turn() and start the next step themselves.
 */
#ifndef ZR_BENCH_DRIVER_H
#define ZR_BENCH_DRIVER_H

#include "bench/arrivals.h"
#include "bench/fault.h"
#include "bench/fleet.h"
#include "bench/meter.h"
#include "bench/prng.h"
#include "bench/recorder.h"
#include "bench/slots.h"
#include "bench/tally.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a flight does. */
enum load_kind {
    LOAD_ECHO,        /* ECHO, request and reply of ROUTE's sizes. */
    LOAD_NOOP_COMMIT, /* NOOP_COMMIT: one durable commit and nothing else. */
    LOAD_ROUTE,       /* ROUTE, a query or (hold) a call that goes no further. */
    LOAD_CALL,        /* ROUTE with hold, CONNECT, END. */
    LOAD_KINDS,
};

/* What happens in calls, in 1/10,000 of them; all 0: each is answered and talks. */
struct habits {
    uint32_t no_answer_bp; /* Of the attempts: ROUTE_NEXT. */
    uint32_t abandon_bp;   /* Of the attempts: the caller gives up. */
    uint32_t voicemail_bp; /* Of the connected. */
    uint32_t short_bp;     /* Of the connected: under 30 s of talk. */
    uint32_t repeat_bp;    /* The same caller asks again for the same slot. */
};

struct load {
    uint32_t weights[LOAD_KINDS]; /* Of the mix; their sum is > 0. */
    struct habits habits;
    const struct slots *slots; /* For ROUTE and calls, else NULL. */
    uint16_t echo_bytes;       /* Payload wanted back. */
    uint8_t want;              /* Candidates per ticket 1..4; 0 = 1 or 4, by chance. */
    bool hold;                 /* Of LOAD_ROUTE. */
};

struct drive {
    bool open_loop;
    double rate_per_s; /* Open loop. */
    enum arrival_kind arrivals;
    uint32_t flights_per_link; /* Closed loop: kept in the air; open loop: at most. */
    uint64_t warmup_ns;
    uint64_t duration_ns;
    uint64_t interval_ns; /* Between live lines, 0 = none. */
    uint64_t seed;
    pid_t server_pid; /* 0 = not known. */
};

enum { RECENT_COUNT = 256, TICKET_BYTES_MAX = 192 };

struct driver;

struct flight {
    struct driver *driver;
    struct link *link;
    struct flight *next_free;
    uint64_t intended_ns; /* Of the step in the air. */
    uint64_t call_intended_ns;
    uint64_t call_sent_ns;
    uint64_t caller;
    struct zr_id call_id;
    struct slot_pick slot;
    enum load_kind kind;
    enum step step;
    bool abandoned;  /* The END in the air is the caller giving up. */
    uint8_t attempt; /* Index of the ticket's first candidate. */
    uint16_t ticket_length;
    uint8_t ticket[TICKET_BYTES_MAX];
};

/* A call that may be repeated. */
struct recent_call {
    uint64_t caller;
    struct slot_pick slot;
};

struct driver {
    const struct drive *drive;
    const struct load *load;
    struct fleet *fleet;
    struct recorder recorder;
    struct tally tally; /* Of charged_by_contractor the owner is the caller. */
    struct arrivals arrivals;
    struct prng prng;    /* From the seed. */
    struct prng callers; /* Fresh in each run: who called before is a duplicate, and free. */
    struct run_ids ids;
    struct flight *flights;
    struct flight *free;
    uint32_t flights_busy;
    uint32_t link_next; /* Round robin of an open loop. */
    uint32_t errors_in_row;
    struct recent_call recent[RECENT_COUNT];
    uint64_t recent_count;
    bool refill; /* Closed loop, before its end. */
    struct meter_sample meter_begin;
    struct meter_sample meter_end;
    uint64_t live_next_ns;
    uint64_t start_ns;
};

/* Set by SIGINT: the run ends early, what is in the air still lands. */
extern volatile sig_atomic_t driver_interrupted;

/* The structs given must outlive the driver. The fleet is open. */
bool driver_init(struct driver *driver, const struct drive *drive, const struct load *load,
                 struct fleet *fleet, struct fault *fault);

/* After fleet_close(): callbacks need it. */
void driver_deinit(struct driver *driver);

/* Warm up, measure, let everything land. False: the server stopped answering. */
bool driver_run(struct driver *driver, struct fault *fault);

/* ---- flight.c: the steps ------------------------------------------------------------------ */

/*
 * Take a free flight and start it on `link`, outside of any callback. False when none is free or
 * it cannot be submitted.
 */
bool flight_start(struct driver *driver, struct link *link, uint64_t intended_ns);

#endif
