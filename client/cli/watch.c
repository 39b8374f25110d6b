/*
 * watch.c - watch: events, or changes of the map, a line each, until it is told to end.
 *
 * The library follows across reconnects and delivers at least once and in order; here lines are
 * printed and counted. With --name and --ack what was printed is acknowledged after it was flushed,
 * so that the next watch of that name goes on behind it: a line may come twice, none is lost.
 */
#include "client/cli/catalog.h"
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "client/cli/human.h"
#include "client/cli/output.h"
#include "client/cli/profile.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAP_LAST_ZIP = 99999, ITEM_BYTES = 48 };

/* EVENTS_SUBSCRIBE: after the event acknowledged under the name. */
static const uint64_t cursor_stored = UINT64_MAX;

const struct param watch_params[] = {
    {"from", NULL, "SEQ", "Events after this one, 0 = all that are kept (now on)", 0, NULL, NULL},
    {"types", NULL, "TYPE[,TYPE...]", "Only these: OFFER_MADE, CALL_SETTLED ... (all)", PARAM_LIST,
     NULL, NULL},
    {"contractor", "contractor", "CONTRACTOR", "Only of this one", 0, NULL, NULL},
    {"name", "name", "NAME", "Go on behind what was acknowledged under this name", 0, NULL, NULL},
    {"ack", NULL, NULL, "With --name: acknowledge what was printed", 0, NULL, NULL},
    {"map", NULL, NULL, "Changes of the map instead", 0, NULL, NULL},
    {"count", NULL, "N", "End after so many", 0, NULL, NULL},
    {"timeout-ms", NULL, "MS", "End after so long", 0, NULL, NULL},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

struct watch {
    struct cli *cli;
    uint64_t count_max; /* 0 = without end. */
    uint64_t count;
    uint64_t end_ms; /* Monotonic; 0 = never. */
    uint64_t cursor; /* Of the last line. */
    uint64_t acknowledged;
    int result; /* Why it is over. */
    bool over;
};

static uint64_t
now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- lines ------------------------------------------------------------------------------- */

static bool
watch_has_all(const struct watch *watch)
{
    return watch->count_max != 0 && watch->count == watch->count_max;
}

/* More may come with the same frame than were asked for: they are for another time. */
static void
line_print(struct watch *watch, const struct zr_shape *shape, const void *message, uint64_t cursor)
{
    json_t *object;

    if (watch_has_all(watch)) {
        return;
    }
    object = output_message(&watch->cli->catalog, shape, message);
    if (watch->cli->settings.json) {
        output_object(watch->cli, object);
    } else {
        human_print_line(object);
        json_decref(object);
    }
    watch->count++;
    watch->cursor = cursor;
}

static void
event_come(void *context, int result, const struct zr_event *event)
{
    struct watch *watch = context;

    if (event == NULL) {
        watch->over = true;
        watch->result = result;
        return;
    }
    line_print(watch, &zr_event_shape, event,
               event->type == ZR_EVENT_EVENTS_GAP ? event->number : event->event_seq);
}

static void
change_come(void *context, int result, const struct zr_map_change *change)
{
    struct watch *watch = context;

    if (change == NULL) {
        watch->over = true;
        watch->result = result;
        return;
    }
    line_print(watch, &zr_map_change_shape, change, change->version);
}

/* ---- the loop ---------------------------------------------------------------------------- */

/* How long to sleep: -1 = until something comes, 0 = the time is over. */
static int
watch_sleep_ms(const struct watch *watch)
{
    const uint64_t now = now_ms();

    if (watch->end_ms == 0) {
        return -1;
    }
    if (now >= watch->end_ms) {
        return 0;
    }
    return watch->end_ms - now > INT_MAX ? INT_MAX : (int)(watch->end_ms - now);
}

/* What stands on stdout is dealt with. */
static enum cli_exit
watch_acknowledge(struct watch *watch)
{
    struct zr_events_ack_request request = {.cursor = watch->cursor};
    struct zr_events_ack_reply reply;
    struct cli *cli = watch->cli;
    enum cli_exit exit_code;

    if (!cli_given(cli, "ack") || watch->acknowledged == watch->cursor) {
        return CLI_DONE;
    }
    CHECK(strlen(cli_value(cli, "name")) < sizeof request.name);
    memcpy(request.name, cli_value(cli, "name"), strlen(cli_value(cli, "name")) + 1);
    exit_code = execute_read(cli, ZR_OP_EVENTS_ACK, &request, &reply);
    watch->acknowledged = watch->cursor;
    return exit_code;
}

static enum cli_exit
watch_loop(struct watch *watch)
{
    enum cli_exit exit_code = CLI_DONE;
    int sleep_ms = watch_sleep_ms(watch);

    while (exit_code == CLI_DONE && !watch->over && !watch_has_all(watch) && sleep_ms != 0) {
        const int ran = zr_client_process(watch->cli->client, sleep_ms);

        /* A reader that went away needs no more lines, and acknowledges none. */
        if (fflush(stdout) != 0) {
            return CLI_NOT_EXECUTED;
        }
        if (ran < 0) {
            watch->over = true;
            watch->result = ran;
        }
        exit_code = watch_acknowledge(watch);
        sleep_ms = watch_sleep_ms(watch);
    }
    return exit_code;
}

/* How it ended: whatever was asked for, or why not. */
static enum cli_exit
watch_finish(struct watch *watch)
{
    const struct answer answer = {.operation = watch->cli->operation, .result = watch->result};

    if (watch->over && !watch_has_all(watch)) {
        return execute_finish(watch->cli, &answer);
    }
    if (watch->count_max != 0 && !watch_has_all(watch)) {
        cli_note(watch->cli, "the time is over: %llu of %llu came",
                 (unsigned long long)watch->count, (unsigned long long)watch->count_max);
        return CLI_NOT_EXECUTED;
    }
    return CLI_DONE;
}

/* ---- the options ------------------------------------------------------------------------- */

static enum cli_exit
number_fill(const struct cli *cli, const char *option, uint64_t *value, uint64_t max)
{
    if (cli_given(cli, option) && !text_to_unsigned(value, cli_value(cli, option), max)) {
        return cli_misused(cli, "--%s %s: expected a whole number", option, cli_value(cli, option));
    }
    return CLI_DONE;
}

static enum cli_exit
types_fill(const struct cli *cli, uint64_t *types)
{
    const char *list = cli_value(cli, "types");
    char item[ITEM_BYTES];

    while (profile_take_item(item, sizeof item, &list)) {
        uint8_t type;

        if (!text_to_enum(&type, item, zr_type_event_type.values)) {
            return cli_misused(cli, "--types %s: no such event; PROTOCOL.md lists them", item);
        }
        CHECK(type >= 1);
        *types |= UINT64_C(1) << (type - 1);
    }
    return CLI_DONE;
}

static enum cli_exit
options_judge(const struct cli *cli)
{
    if (cli_given(cli, "map") && (cli_given(cli, "types") || cli_given(cli, "contractor") ||
                                  cli_given(cli, "name") || cli_given(cli, "ack"))) {
        return cli_misused(cli, "--map is for everybody: no type, contractor or name goes with it");
    }
    if (cli_given(cli, "ack") && !cli_given(cli, "name")) {
        return cli_misused(cli, "--ack needs --name");
    }
    if (cli_given(cli, "from") && cli_given(cli, "name")) {
        return cli_misused(cli, "--from and --name contradict each other");
    }
    return CLI_DONE;
}

/* "From now on" is the version of the map, the last event there is. */
static enum cli_exit
cursor_fill(struct cli *cli, uint64_t *cursor)
{
    const struct zr_map_snapshot_request request = {.from = MAP_LAST_ZIP,
                                                    .lens = ZR_MAP_LENS_PRIMARY};
    struct zr_map_snapshot_reply reply;
    enum cli_exit exit_code;

    if (cli_given(cli, "from")) {
        return number_fill(cli, "from", cursor, UINT64_MAX);
    }
    if (cli_given(cli, "name")) {
        *cursor = cursor_stored;
        return CLI_DONE;
    }
    exit_code = execute_read(cli, ZR_OP_MAP_SNAPSHOT, &request, &reply);
    if (exit_code == CLI_DONE) {
        *cursor = reply.version;
    }
    return exit_code;
}

static enum cli_exit
watch_begin(struct watch *watch)
{
    struct zr_events_subscribe_request events = {0};
    struct zr_map_subscribe_request map = {0};
    struct answer answer = {.operation = watch->cli->operation};
    struct cli *cli = watch->cli;
    enum cli_exit exit_code = types_fill(cli, &events.types);

    exit_code = exit_code == CLI_DONE ? fields_fill(cli, &events) : exit_code;
    exit_code = exit_code == CLI_DONE ? cursor_fill(cli, &events.cursor) : exit_code;
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    answer.result = session_open(cli);
    if (answer.result == 0) {
        catalog_load(cli);
        map.version = events.cursor;
        answer.result = cli_given(cli, "map")
                            ? zr_subscribe_map(cli->client, &map, change_come, watch)
                            : zr_subscribe_events(cli->client, &events, event_come, watch);
    }
    return answer.result == 0 ? CLI_DONE : execute_finish(cli, &answer);
}

enum cli_exit
watch_run(struct cli *cli)
{
    struct watch watch = {.cli = cli};
    uint64_t timeout_ms = 0;
    enum cli_exit exit_code = options_judge(cli);
    enum cli_exit ended;

    exit_code = exit_code == CLI_DONE ? number_fill(cli, "count", &watch.count_max, UINT64_MAX - 1)
                                      : exit_code;
    exit_code =
        exit_code == CLI_DONE ? number_fill(cli, "timeout-ms", &timeout_ms, INT_MAX) : exit_code;
    exit_code = exit_code == CLI_DONE ? watch_begin(&watch) : exit_code;
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    watch.end_ms = timeout_ms != 0 ? now_ms() + timeout_ms : 0;
    exit_code = watch_loop(&watch);
    ended = watch_finish(&watch);
    (void)zr_unsubscribe(cli->client,
                         cli_given(cli, "map") ? ZR_OP_MAP_SUBSCRIBE : ZR_OP_EVENTS_SUBSCRIBE);
    return exit_code != CLI_DONE ? exit_code : ended;
}
