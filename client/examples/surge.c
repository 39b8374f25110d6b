/* surge.c - many queries at once from an event loop: one fd, callbacks, 64 in flight.
 * cc surge.c $(pkg-config --cflags --libs zipring) && ./a.out 77002 1 10000   (how many) */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <zipring.h>

struct surge {
    struct zr_client *client;
    struct zr_submission submission;
    unsigned long left, routed, refused, failed;
};

static void
surge_fill(struct surge *surge)
{
    while (surge->left > 0 && zr_client_pending(surge->client) < 64 &&
           zr_submit(surge->client, &surge->submission) == 0) {
        surge->left--;
    }
}

static void
route_done(void *context, const struct zr_completion *completion)
{
    struct surge *const surge = context;
    surge->routed += completion->result == 0;
    surge->refused += completion->result > 0;
    surge->failed += completion->result < 0;
    surge_fill(surge); /* The next one goes out with all others of this turn. */
}

int
main(int argc, char **argv)
{
    struct zr_options options = ZR_OPTIONS_INIT;
    struct zr_route_request route = {.zips_count = 1, .caller_kind = ZR_CALLER_WITHHELD, .want = 1};
    struct surge surge = {
        .submission = {sizeof(struct zr_submission), ZR_OP_ROUTE, &route, 0, route_done, &surge}};
    options.uri = getenv("ZIPRING_URI");
    options.cert_file = getenv("ZIPRING_CERT");
    options.key_file = getenv("ZIPRING_KEY");
    options.ca_file = getenv("ZIPRING_CA");
    if (argc != 4 || zr_client_open(&surge.client, &options, NULL) != 0) {
        return 2;
    }
    route.zips[0] = (uint32_t)strtoul(argv[1], NULL, 10);
    route.category = (uint16_t)strtoul(argv[2], NULL, 10);
    surge.left = strtoul(argv[3], NULL, 10);
    surge_fill(&surge);
    while (zr_client_pending(surge.client) > 0) {
        struct pollfd wait = {.fd = zr_client_fd(surge.client), .events = POLLIN};
        (void)poll(&wait, 1, -1); /* Your loop's other descriptors stand here too. */
        (void)zr_client_process(surge.client, 0);
    }
    (void)printf("routed %lu refused %lu failed %lu\n", surge.routed, surge.refused, surge.failed);
    zr_client_close(surge.client);
    return surge.failed != 0;
}
