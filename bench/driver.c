/*
 * driver.c - see driver.h. The loop, its clock and its pools; what a flight does is flight.c's.
 */
#include "bench/driver.h"

#include "bench/clock.h"
#include "bench/live.h"
#include "protocol/check.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum {
    FLIGHTS_MAX = 1 << 17,
    ARRIVALS_PER_TURN = 1024, /* Catching up must not keep answers from being read. */
    LINK_TRIES = 16,          /* Links looked at for a free place before an arrival is dropped. */
    ERRORS_IN_ROW_MAX = 20000,
    TIMER_SLACK_NS = 1,
};

#define WAIT_NS_MAX  (100 * NS_PER_MS)
#define DRAIN_NS_MAX (15 * NS_PER_S)

volatile sig_atomic_t driver_interrupted;

static uint32_t
flights_needed(const struct drive *drive, const struct fleet *fleet)
{
    const uint64_t all = (uint64_t)fleet->links_count * drive->flights_per_link;

    return all < FLIGHTS_MAX ? (uint32_t)all : FLIGHTS_MAX;
}

bool
driver_init(struct driver *driver, const struct drive *drive, const struct load *load,
            struct fleet *fleet, struct fault *fault)
{
    const uint32_t flights_count = flights_needed(drive, fleet);

    CHECK(drive->flights_per_link > 0);
    CHECK(drive->duration_ns > 0);
    memset(driver, 0, sizeof *driver);
    driver->drive = drive;
    driver->load = load;
    driver->fleet = fleet;
    if (!run_ids_init(&driver->ids, fault)) {
        return false;
    }
    prng_init(&driver->prng, drive->seed);
    prng_init(&driver->callers, driver->ids.run);
    if (drive->open_loop) {
        /* Another stream than the keys', so that the schedule is the same for every load. */
        arrivals_init(&driver->arrivals, drive->arrivals, drive->rate_per_s, ~drive->seed);
    }
    driver->flights = calloc(flights_count, sizeof *driver->flights);
    if (driver->flights == NULL) {
        return fault_set(fault, BENCH_EXIT_USAGE, "no memory for %" PRIu32 " requests",
                         flights_count);
    }
    for (uint32_t i = flights_count; i-- > 0;) {
        driver->flights[i] = (struct flight){.driver = driver, .next_free = driver->free};
        driver->free = &driver->flights[i];
    }
    return true;
}

void
driver_deinit(struct driver *driver)
{
    CHECK(driver != NULL);
    free(driver->flights);
    driver->flights = NULL;
    driver->free = NULL;
}

/* Closed loop: put every link's flights into the air. */
static void
links_fill(struct driver *driver)
{
    for (uint32_t i = 0; i < driver->fleet->links_count; i++) {
        for (uint32_t depth = 0; depth < driver->drive->flights_per_link; depth++) {
            (void)flight_start(driver, &driver->fleet->links[i], clock_now_ns());
        }
    }
}

/* The next link, in turn, that has room; NULL when LINK_TRIES of them are full. */
static struct link *
link_choose(struct driver *driver)
{
    for (uint32_t i = 0; i < LINK_TRIES; i++) {
        struct link *link = &driver->fleet->links[driver->link_next];

        driver->link_next = (driver->link_next + 1) % driver->fleet->links_count;
        if (link->busy < driver->drive->flights_per_link) {
            return link;
        }
    }
    return NULL;
}

/* Open loop: start what is due by now. Returns when the next one is. */
static uint64_t
arrivals_start_due(struct driver *driver, uint64_t stop_ns)
{
    const uint64_t now_ns = clock_now_ns();
    uint64_t due_ns = arrivals_next_ns(&driver->arrivals);

    for (uint32_t i = 0; i < ARRIVALS_PER_TURN && due_ns <= now_ns && due_ns < stop_ns; i++) {
        struct link *link = link_choose(driver);
        const bool started = link != NULL && flight_start(driver, link, due_ns);

        recorder_take_arrival(&driver->recorder, due_ns, !started);
        arrivals_advance(&driver->arrivals);
        due_ns = arrivals_next_ns(&driver->arrivals);
    }
    return due_ns;
}

/* Read the meters as the window begins and ends; a line when one is due. */
static void
driver_observe(struct driver *driver, uint64_t now_ns)
{
    const struct drive *drive = driver->drive;
    const uint64_t requests = driver->recorder.requests_answered;

    if (driver->meter_begin.time_ns == 0 && now_ns >= driver->recorder.begin_ns) {
        meter_take(&driver->meter_begin, drive->server_pid, requests);
    }
    if (driver->meter_end.time_ns == 0 && now_ns >= driver->recorder.end_ns) {
        meter_take(&driver->meter_end, drive->server_pid, requests);
    }
    if (drive->interval_ns > 0 && now_ns >= driver->live_next_ns) {
        live_print(driver, now_ns);
        driver->live_next_ns += drive->interval_ns;
    }
}

static uint64_t
wait_until(uint64_t now_ns, uint64_t due_ns)
{
    if (due_ns <= now_ns) {
        return 0;
    }
    return due_ns - now_ns < WAIT_NS_MAX ? due_ns - now_ns : WAIT_NS_MAX;
}

/* Until the window ends, or nothing is left in the air of a closed loop. */
static void
driver_measure(struct driver *driver)
{
    const uint64_t stop_ns = driver->recorder.end_ns;
    uint64_t now_ns = clock_now_ns();

    while (now_ns < stop_ns && !driver_interrupted && driver->errors_in_row < ERRORS_IN_ROW_MAX) {
        uint64_t due_ns = stop_ns;

        driver_observe(driver, now_ns);
        if (driver->drive->open_loop) {
            due_ns = arrivals_start_due(driver, stop_ns);
        } else if (driver->flights_busy == 0) {
            break;
        }
        fleet_turn(driver->fleet, wait_until(clock_now_ns(), due_ns < stop_ns ? due_ns : stop_ns));
        now_ns = clock_now_ns();
    }
    /* Cut short: rates are over what was measured, not over what was meant to be. */
    if (now_ns < stop_ns && now_ns > driver->recorder.begin_ns) {
        driver->recorder.end_ns = now_ns;
    }
}

/* What is in the air lands; whole calls go on to their END, so that no hold stays open. */
static void
driver_drain(struct driver *driver)
{
    const uint64_t give_up_ns = clock_now_ns() + DRAIN_NS_MAX;

    driver->refill = false;
    driver_observe(driver, clock_now_ns());
    while (driver->flights_busy > 0 && clock_now_ns() < give_up_ns) {
        fleet_turn(driver->fleet, 10 * NS_PER_MS);
    }
    if (driver->meter_begin.time_ns == 0) {
        meter_take(&driver->meter_begin, driver->drive->server_pid, 0);
    }
    if (driver->meter_end.time_ns == 0) {
        meter_take(&driver->meter_end, driver->drive->server_pid,
                   driver->recorder.requests_answered);
    }
}

bool
driver_run(struct driver *driver, struct fault *fault)
{
    const struct drive *drive = driver->drive;
    const uint64_t start_ns = clock_now_ns();
    const uint64_t begin_ns = start_ns + drive->warmup_ns;

    /* The default slack of 50 us would be half of what is measured at 20,000 requests/s. */
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    driver->start_ns = start_ns;
    driver->live_next_ns = start_ns + drive->interval_ns;
    recorder_init(&driver->recorder, drive->open_loop, begin_ns, begin_ns + drive->duration_ns);
    if (drive->open_loop) {
        arrivals_start(&driver->arrivals, start_ns);
    } else {
        driver->refill = true;
        links_fill(driver);
    }
    driver_measure(driver);
    driver_drain(driver);
    if (driver->errors_in_row >= ERRORS_IN_ROW_MAX) {
        return fault_set(fault, BENCH_EXIT_TRANSPORT,
                         "%u requests in a row failed: the server is away or refuses them",
                         (unsigned)ERRORS_IN_ROW_MAX);
    }
    return true;
}
