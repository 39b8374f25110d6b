/*
 * main.c - `zipring`: find the command, parse its options, run it, exit with its code.
 *
 * Options that every command takes may stand before the command as well as after it.
 */
#include "client/cli/cli.h"
#include "protocol/check.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "zipring " ZR_VERSION_TEXT;

/* What stands before the command, and where the command begins. */
struct front {
    struct settings settings;
    int command_at; /* Index in argv, 0 = there is none. */
};

static error_t
// NOLINTNEXTLINE(readability-non-const-parameter): the type is argp's.
front_parse(int key, char *text, struct argp_state *state)
{
    struct front *front = state->input;

    (void)text;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &front->settings;
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        front->command_at = state->next - 1;
        state->next = state->argc; /* The rest belongs to the command. */
        return 0;
    }
    if (key == ARGP_KEY_NO_ARGS) {
        settings_misused(state, "a command is missing");
    }
    return ARGP_ERR_UNKNOWN;
}

/* The list of commands, under the options of --help. */
static char *
front_help(int key, const char *text, void *input)
{
    size_t commands_count;
    const struct command *commands = commands_table(&commands_count);
    char *help = NULL;
    size_t help_bytes = 0;
    FILE *stream;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)(uintptr_t)text; // NOLINT(performance-no-int-to-ptr): argp's type.
    }
    stream = open_memstream(&help, &help_bytes);
    if (stream == NULL) {
        return NULL;
    }
    (void)fputs("Commands (each takes --help):\n", stream);
    for (size_t i = 0; i < commands_count; i++) {
        const char *subcommand = commands[i].subcommand != NULL ? commands[i].subcommand : "";

        (void)fprintf(stream, "  %-10s %-12s %s\n", commands[i].name, subcommand, commands[i].help);
    }
    /* argp breaks lines of 80 by itself, wherever they are. */
    (void)fputs("\nExit: 0 done, 1 business refusal, 2 bad request or usage,\n"
                "3 not executed or no connection, 4 outcome unknown, 5 denied. See zipring(1).",
                stream);
    (void)fclose(stream);
    return help;
}

static void
front_run(struct front *front, int argc, char **argv)
{
    const struct argp_child children[] = {{&settings_argp, 0, NULL, 0}, {NULL, 0, NULL, 0}};
    const struct argp argp = {
        NULL,          front_parse,
        "COMMAND ...", "Claim, route and connect: the command line of a Zipring network.\v",
        children,      front_help,
        NULL};

    // NOLINTNEXTLINE(concurrency-mt-unsafe): before anything else runs.
    (void)argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, front);
}

static void
cli_release(struct cli *cli)
{
    session_close(cli);
    for (size_t i = 0; i < PARAMS_MAX; i++) {
        free(cli->values[i]);
    }
    free(cli->catalog.categories);
    json_decref(cli->extras);
    json_decref(cli->pages);
}

/* Output that did not reach its reader is no success: a full disk must not look like "done". */
static enum cli_exit
stdout_close(enum cli_exit exit_code)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        perror("zipring: standard output");
        return exit_code == CLI_DONE ? CLI_NOT_EXECUTED : exit_code;
    }
    return exit_code;
}

int
main(int argc, char **argv)
{
    struct front front = {0};
    struct cli cli = {0};
    enum cli_exit exit_code;
    int words = 0;

    argp_err_exit_status = CLI_BAD_REQUEST;
    front_run(&front, argc, argv);
    CHECK(front.command_at > 0);
    argc -= front.command_at;
    argv += front.command_at;
    cli.settings = front.settings;
    cli.command = command_find(argc, argv, &words);
    if (cli.command == NULL) {
        (void)fprintf(stderr, "zipring: no command \"%s%s%s\"\nTry `zipring --help'.\n", argv[0],
                      argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
        return CLI_BAD_REQUEST;
    }
    cli.operation = zr_operation_find(cli.command->op);
    cli.roles = cli.operation != NULL ? cli.operation->roles : 0;
    cli.extras = json_object();
    options_parse(&cli, argc - words + 1, argv + words - 1);
    exit_code = cli.command->run(&cli);
    cli_release(&cli);
    return (int)stdout_close(exit_code);
}
