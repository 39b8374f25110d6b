/*
 * admin.c - ping, suppress, and the options of admin and clock commands, which need no more than
 * the table.
 */
#include "client/cli/families.h"
#include "client/cli/fields.h"

#include <string.h>

const struct param no_params[] = {{NULL, NULL, NULL, NULL, 0, NULL, NULL}};

const struct param clock_params[] = {{"by", "advance_ms", "DURATION",
                                      "How far: 72h, 1h30m, 500ms; 0 only reads the clock",
                                      PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
                                     {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

const struct param audit_params[] = {
    {"from", "from_ms", "TIME", "Decisions from then on (the first)", 0, NULL, NULL},
    {"to", "to_ms", "TIME", "Decisions before it (the last)", 0, NULL, NULL},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

const struct param suppress_params[] = {{"caller", "caller", "+NUMBER", "Whose calls are BLOCKED",
                                         PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
                                        {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

/* suppress add and remove are one operation. */
enum cli_exit
suppress_run(struct cli *cli)
{
    struct zr_suppress_put_request request = {.blocked =
                                                  strcmp(cli->command->subcommand, "add") == 0};
    const enum cli_exit exit_code = fields_fill(cli, &request);

    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}

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
