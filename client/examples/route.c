/* route.c - one call, blocking: route it, the contractor answers, the caller hangs up.
 * cc route.c $(pkg-config --cflags --libs zipring) && ./a.out 77002 1   (ZIP, category number) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zipring.h>

static bool
step(const char *name, int result)
{
    (void)printf("%-8s %d: %s\n", name, result, zr_result_text(result));
    return result == 0;
}

static void
call(struct zr_client *client, struct zr_route_request *route)
{
    struct zr_connect_request connect = {.answered_at_ms = 0}; /* 0: right now. */
    struct zr_end_request end = {.talk_ms = 95000, .who_hung_up = ZR_HUNG_UP_CALLER};
    struct zr_route_reply routed;
    struct zr_connect_reply connected;
    struct zr_settlement_reply settled;
    if (zr_client_make_key(client, &route->call_id) != 0 ||
        !step("route", zr_route(client, route, &routed)) || routed.candidates_count == 0) {
        return;
    }
    (void)printf("ring     +%llu\n", (unsigned long long)routed.candidates[0].phone);
    connect.index = end.index = routed.candidates[0].index;
    connect.ticket_length = routed.ticket_length;
    memcpy(connect.ticket, routed.ticket, routed.ticket_length);
    end.call_id = route->call_id;
    if (step("connect", zr_connect(client, &connect, &connected))) {
        (void)step("end", zr_end(client, &end, &settled));
    }
}

int
main(int argc, char **argv)
{
    struct zr_options options = ZR_OPTIONS_INIT;
    struct zr_client *client;
    struct zr_route_request route = {.caller = 17135550100, .caller_kind = ZR_CALLER_PLAIN};
    options.uri = getenv("ZIPRING_URI");
    options.cert_file = getenv("ZIPRING_CERT");
    options.key_file = getenv("ZIPRING_KEY");
    options.ca_file = getenv("ZIPRING_CA");
    if (argc != 3 || !step("open", zr_client_open(&client, &options, NULL))) {
        return 2;
    }
    route.want = route.zips_count = 1;
    route.screening = 7; /* Location, service and readiness were asked. */
    route.flags = 3;     /* The address is confirmed; it is a call, not a query. */
    route.zips[0] = (uint32_t)strtoul(argv[1], NULL, 10);
    route.category = (uint16_t)strtoul(argv[2], NULL, 10);
    if (step("ready", zr_client_wait_ready(client, 5000))) {
        call(client, &route);
    }
    zr_client_close(client);
    return 0;
}
