/*
 * fleet.h - N clients of one server in one thread.
 *
 * Each link is one struct zr_client, so one TLS connection. Their fds sit in one epoll set;
 * fleet_turn() waits there and lets those that have something to do process(). Requests are
 * submitted straight to link->client. What a callback submits goes out at the end of the pass
 * that ran it; what is submitted outside of one goes out with the next turn, all of a link
 * together, after fleet_mark_dirty().
 */
#ifndef ZR_BENCH_FLEET_H
#define ZR_BENCH_FLEET_H

#include "bench/endpoint.h"
#include "bench/fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <zipring.h>

enum { FLEET_LINKS_MAX = 10000 };

struct link {
    struct zr_client *client;
    uint32_t busy; /* Flights on it: the owner's count, kept below links' inflight_max. */
    bool dirty;    /* Submitted to outside of a callback, not yet flushed. */
};

struct fleet_options {
    const struct endpoint *endpoint;
    uint32_t links_count;
    uint32_t inflight_max; /* Of each link. */
    uint32_t request_timeout_ms;
};

struct fleet {
    struct link *links;
    uint32_t links_count;
    int epoll_fd;
    uint32_t dirty_count;
    struct link **dirty; /* Those whose `dirty` is set. */
};

/* Connect all of them and wait until each said HELLO. */
bool fleet_open(struct fleet *fleet, const struct fleet_options *options, struct fault *fault);

/* Pending callbacks run here, with ZR_ECANCELED or ZR_EUNKNOWN. */
void fleet_close(struct fleet *fleet);

/* link was submitted to: have it flushed by the next turn. */
void fleet_mark_dirty(struct fleet *fleet, struct link *link);

/* Send what is queued, wait at most wait_ns for an answer, run callbacks. */
void fleet_turn(struct fleet *fleet, uint64_t wait_ns);

/* One connected client, not in a set: for the blocking calls of a set-up. */
bool client_open(struct zr_client **client, const struct endpoint *endpoint, uint32_t inflight_max,
                 uint32_t request_timeout_ms, struct fault *fault);

#endif
