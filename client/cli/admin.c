/*
 * admin.c - ping, and the options of admin and clock commands, which need no more than the table.
 */
#include "client/cli/families.h"

const struct param no_params[] = {{NULL, NULL, NULL, NULL, 0, NULL, NULL}};

const struct param clock_params[] = {{"by", "advance_ms", "DURATION",
                                      "How far: 72h, 1h30m, 500ms; 0 only reads the clock",
                                      PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
                                     {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

/* A ping is asked for its time too. */
enum cli_exit
ping_run(struct cli *cli)
{
    const struct zr_empty request = {0};
    struct zr_ping_reply reply = {0};
    struct answer answer = {.operation = cli->operation, .request = &request};

    session_call(cli, &answer, &reply);
    if (answer.result == 0) {
        (void)json_object_set_new(cli->extras, "rtt_us",
                                  json_integer((json_int_t)(answer.rtt_ns / 1000)));
    }
    return execute_finish(cli, &answer);
}
