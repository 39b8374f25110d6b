/*
 * fleet.c - see fleet.h.
 */
#include "bench/fleet.h"

#include "bench/clock.h"
#include "protocol/check.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    READY_TIMEOUT_MS = 10000,
    EVENTS_PER_TURN = 256,
    FDS_PER_LINK = 4, /* Socket, epoll, timer, spare. */
    FDS_OF_OURS = 64,
};

bool
client_open(struct zr_client **client, const struct endpoint *endpoint, uint32_t inflight_max,
            uint32_t request_timeout_ms, struct fault *fault)
{
    struct zr_options options = ZR_OPTIONS_INIT;
    struct zr_error error = ZR_ERROR_INIT;
    int rc;

    CHECK(client != NULL);
    CHECK(inflight_max > 0);
    options.uri = endpoint->uri;
    options.cert_file = endpoint->cert;
    options.key_file = endpoint->key;
    options.ca_file = endpoint->ca;
    options.build = "zipring-bench " ZR_VERSION_TEXT;
    options.inflight_max = inflight_max;
    options.request_timeout_ms = request_timeout_ms;
    options.client_kind = ZR_CLIENT_BENCH;
    *client = NULL;
    rc = zr_client_open(client, &options, &error);
    if (rc != 0) {
        return fault_set(fault, BENCH_EXIT_TRANSPORT, "%s as %s: %s", endpoint->uri, endpoint->role,
                         error.text[0] != '\0' ? error.text : zr_result_text(rc));
    }
    rc = zr_client_wait_ready(*client, READY_TIMEOUT_MS);
    if (rc != 0) {
        zr_client_last_error(*client, &error);
        zr_client_close(*client);
        *client = NULL;
        return fault_set(fault, BENCH_EXIT_TRANSPORT, "%s as %s: %s %s", endpoint->uri,
                         endpoint->role, zr_result_text(rc), error.text);
    }
    return true;
}

/* N clients need more files than the usual soft limit of 1,024 allows. */
static bool
files_reserve(uint32_t links_count, struct fault *fault)
{
    const rlim_t wanted = (rlim_t)links_count * FDS_PER_LINK + FDS_OF_OURS;
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= wanted) {
        return true;
    }
    limit.rlim_cur = limit.rlim_max;
    /* The estimate is generous: try with what the hard limit gives, opening tells the truth. */
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return fault_set(fault, BENCH_EXIT_USAGE, "cannot raise the limit of open files");
    }
    return true;
}

static bool
link_open(struct fleet *fleet, struct link *link, const struct fleet_options *options,
          struct fault *fault)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};

    if (!client_open(&link->client, options->endpoint, options->inflight_max,
                     options->request_timeout_ms, fault)) {
        return false;
    }
    if (epoll_ctl(fleet->epoll_fd, EPOLL_CTL_ADD, zr_client_fd(link->client), &event) != 0) {
        return fault_set(fault, BENCH_EXIT_TRANSPORT, "epoll takes no more connections");
    }
    return true;
}

bool
fleet_open(struct fleet *fleet, const struct fleet_options *options, struct fault *fault)
{
    CHECK(fleet != NULL);
    CHECK(options->links_count > 0);
    CHECK(options->links_count <= FLEET_LINKS_MAX);
    *fleet = (struct fleet){.epoll_fd = -1};
    if (!files_reserve(options->links_count, fault)) {
        return false;
    }
    fleet->links = calloc(options->links_count, sizeof *fleet->links);
    fleet->dirty = calloc(options->links_count, sizeof(struct link *));
    fleet->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (fleet->links == NULL || fleet->dirty == NULL || fleet->epoll_fd < 0) {
        (void)fault_set(fault, BENCH_EXIT_USAGE, "no memory for the connections");
        goto close_fleet;
    }
    while (fleet->links_count < options->links_count) {
        struct link *link = &fleet->links[fleet->links_count];

        if (!link_open(fleet, link, options, fault)) {
            zr_client_close(link->client);
            goto close_fleet;
        }
        fleet->links_count++;
    }
    return true;

close_fleet:
    fleet_close(fleet);
    return false;
}

void
fleet_close(struct fleet *fleet)
{
    CHECK(fleet != NULL);
    for (uint32_t i = 0; fleet->links != NULL && i < fleet->links_count; i++) {
        zr_client_close(fleet->links[i].client);
    }
    if (fleet->epoll_fd >= 0) {
        (void)close(fleet->epoll_fd);
    }
    free(fleet->links);
    free(fleet->dirty);
    *fleet = (struct fleet){.epoll_fd = -1};
}

void
fleet_mark_dirty(struct fleet *fleet, struct link *link)
{
    if (!link->dirty) {
        CHECK(fleet->dirty_count < fleet->links_count);
        link->dirty = true;
        fleet->dirty[fleet->dirty_count++] = link;
    }
}

/* Send what was submitted outside of callbacks; their own a pass sends by itself. */
static void
dirty_flush(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->dirty_count; i++) {
        fleet->dirty[i]->dirty = false;
        (void)zr_client_process(fleet->dirty[i]->client, 0);
    }
    fleet->dirty_count = 0;
}

void
fleet_turn(struct fleet *fleet, uint64_t wait_ns)
{
    struct epoll_event events[EVENTS_PER_TURN];
    struct timespec wait;
    int count;

    CHECK(fleet != NULL);
    CHECK(fleet->links_count > 0);
    dirty_flush(fleet);
    wait.tv_sec = (time_t)(wait_ns / NS_PER_S);
    wait.tv_nsec = (long)(wait_ns % NS_PER_S);
    count = epoll_pwait2(fleet->epoll_fd, events, EVENTS_PER_TURN, &wait, NULL);
    CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        struct link *link = events[i].data.ptr;

        (void)zr_client_process(link->client, 0);
    }
}
