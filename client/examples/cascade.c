/* cascade.c - a call's cascade by callbacks. Build it like route.c, then ./a.out 77002 1 480 200
 * (ZIP, category number, the final SIP code of each phone in turn) */
#include <stdio.h>
#include <stdlib.h>
#include <zipring.h>

struct my_call {
    struct zr_cascade *call;
    char **codes;
};
static void
ring(void *context, const struct zr_cascade_leg *leg) /* Send your INVITE. Its answer comes ... */
{
    struct my_call *const my = context;
    const int code = *my->codes == NULL ? 480 : (int)strtol(*my->codes++, NULL, 10);
    (void)printf("ring   +%llu: %d\n", (unsigned long long)leg->phone, code);
    (void)(code == 200 ? zr_call_answered(my->call, leg->number, 0) /* ... when it comes. */
                       : zr_call_failed(my->call, leg->number, code));
}
static void
bridge(void *context, const struct zr_cascade_leg *leg) /* Join the two. BYE after 95 s: */
{
    struct my_call *const my = context;
    (void)printf("bridge contractor %u\n", leg->contractor);
    (void)zr_call_hangup(my->call, leg->number, ZR_HUNG_UP_CALLER, 95000, 0);
}
static void
hang_up(void *context, const struct zr_cascade_leg *leg) /* Send your CANCEL or BYE. */
{
    (void)context;
    (void)printf("hangup contractor %u\n", leg->contractor);
}
static void
done(void *context, const struct zr_cascade_story *story) /* An unanswered END: copy it first. */
{
    (void)printf("done   %s, %d cents\n", zr_result_name(story->result), (int)story->amount_cents);
    zr_call_free(((struct my_call *)context)->call);
}

int
main(int argc, char **argv)
{
    struct my_call my = {.codes = argv + 3};
    struct zr_route_request route = {.zips_count = 1, .flags = 1, .caller_kind = 2}; /* Withheld. */
    struct zr_options options = {sizeof options,         getenv("ZIPRING_URI"),
                                 getenv("ZIPRING_CERT"), getenv("ZIPRING_KEY"),
                                 getenv("ZIPRING_CA"),   .flags = 0};
    struct zr_cascade_options steps = {sizeof steps, &route, 0, ring, bridge, hang_up, done, &my};
    struct zr_client *client;
    if (argc < 3 || zr_client_open(&client, &options, NULL) != 0 ||
        zr_client_wait_ready(client, 999) != 0 || zr_client_make_key(client, &route.call_id) != 0) {
        return 2;
    }
    route.zips[0] = (uint32_t)strtoul(argv[1], NULL, 10);
    route.category = (uint16_t)strtoul(argv[2], NULL, 10);
    if (zr_call_begin(client, &steps, &my.call) == 0) {
        (void)zr_client_flush(client, 60000); /* You poll zr_client_fd() with your own fds. */
    }
    zr_client_close(client);
}
