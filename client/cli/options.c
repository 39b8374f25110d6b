/*
 * options.c - a command's options: argp made from its table of params.
 *
 * The table is the only place where an option is named; argp's own tables are built from it for
 * one run. Values stay text here. What they mean is judged later (fields.c, the handlers), so that
 * usage is complained about before anything is read or sent.
 */
#include "client/cli/cli.h"
#include "protocol/check.h"

#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_PARAM = 0x1000 };

static size_t
params_count(const struct param *params)
{
    size_t count = 0;

    while (params[count].option != NULL) {
        count++;
    }
    CHECK(count <= PARAMS_MAX);
    return count;
}

static size_t
param_index(const struct cli *cli, const char *option)
{
    const struct param *params = cli->command->params;
    size_t i = 0;

    while (params[i].option != NULL && strcmp(params[i].option, option) != 0) {
        i++;
    }
    CHECK(params[i].option != NULL); /* A handler asks for options of its own command only. */
    return i;
}

const char *
cli_value(const struct cli *cli, const char *option)
{
    const size_t index = param_index(cli, option);

    return cli->values[index] != NULL ? cli->values[index] : cli->command->params[index].fallback;
}

bool
cli_given(const struct cli *cli, const char *option)
{
    return cli->values[param_index(cli, option)] != NULL;
}

/* ---- argp -------------------------------------------------------------------------------- */

/* Keep a value: a list grows, anything else is given once. */
static void
value_keep(struct cli *cli, size_t index, const char *text, struct argp_state *state)
{
    const struct param *param = &cli->command->params[index];
    char *joined = NULL;

    if (cli->values[index] == NULL) {
        joined = strdup(text);
    } else if ((param->flags & PARAM_LIST) == 0) {
        settings_misused(state, "--%s is given twice", param->option);
        return;
    } else if (asprintf(&joined, "%s,%s", cli->values[index], text) < 0) {
        joined = NULL;
    }
    if (joined == NULL) {
        argp_failure(state, CLI_NOT_EXECUTED, 0, "out of memory");
        return;
    }
    free(cli->values[index]);
    cli->values[index] = joined;
}

/* A word without an option name: the first positional param that has no value, or a list. */
static void
positional_keep(struct cli *cli, const char *text, struct argp_state *state)
{
    const struct param *params = cli->command->params;

    for (size_t i = 0; params[i].option != NULL; i++) {
        const bool open = cli->values[i] == NULL || (params[i].flags & PARAM_LIST) != 0;

        if ((params[i].flags & PARAM_POSITIONAL) != 0 && open) {
            value_keep(cli, i, text, state);
            return;
        }
    }
    settings_misused(state, "\"%s\" is one word too many", text);
}

static void
required_check(const struct cli *cli, struct argp_state *state)
{
    const struct param *params = cli->command->params;

    for (size_t i = 0; params[i].option != NULL; i++) {
        if ((params[i].flags & PARAM_REQUIRED) != 0 && cli->values[i] == NULL) {
            settings_misused(state, "--%s %s is missing", params[i].option, params[i].argument);
        }
    }
}

static error_t
command_parse(int key, char *text, struct argp_state *state)
{
    struct cli *cli = state->input;

    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &cli->settings;
        return 0;
    }
    if (key >= KEY_PARAM && key < KEY_PARAM + PARAMS_MAX) {
        value_keep(cli, (size_t)(key - KEY_PARAM), text != NULL ? text : "yes", state);
        return 0;
    }
    if (key == ARGP_KEY_ARG) {
        positional_keep(cli, text, state);
        return 0;
    }
    if (key == ARGP_KEY_END) {
        required_check(cli, state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* What the request's field is for, in the words of messages.def. */
static const char *
field_help(const struct cli *cli, const char *name)
{
    const struct zr_shape *shape = cli->operation != NULL ? cli->operation->request : NULL;

    for (uint16_t i = 0; shape != NULL && name != NULL && i < shape->fields_count; i++) {
        if (shape->fields[i].name != NULL && strcmp(shape->fields[i].name, name) == 0) {
            return *shape->fields[i].doc != '\0' ? shape->fields[i].doc : name;
        }
    }
    return name;
}

static void
argp_options_fill(struct argp_option options[2 * PARAMS_MAX + 1], const struct cli *cli)
{
    const struct param *params = cli->command->params;
    const size_t count = params_count(params);
    size_t filled = 0;

    for (size_t i = 0; i < count; i++) {
        const char *help =
            params[i].help != NULL ? params[i].help : field_help(cli, params[i].field);

        options[filled++] = (struct argp_option){
            params[i].option, KEY_PARAM + (int)i, params[i].argument, 0, help, 1};
        if (params[i].alias != NULL) {
            options[filled++] =
                (struct argp_option){params[i].alias, 0, NULL, OPTION_ALIAS, NULL, 1};
        }
    }
    options[filled] = (struct argp_option){NULL, 0, NULL, 0, NULL, 0};
}

/* "[CONTRACTOR [STATUS]]": the positional params, for the usage line. */
static void
positional_usage(char *usage, size_t usage_bytes, const struct param *params)
{
    size_t length = 0;

    *usage = '\0';
    for (size_t i = 0; params[i].option != NULL; i++) {
        if ((params[i].flags & PARAM_POSITIONAL) != 0) {
            const char *dots = (params[i].flags & PARAM_LIST) != 0 ? "..." : "";

            length += (size_t)snprintf(usage + length, usage_bytes - length, "%s[%s%s]",
                                       length > 0 ? " " : "", params[i].argument, dots);
            CHECK(length < usage_bytes);
        }
    }
}

void
options_parse(struct cli *cli, int argc, char **argv)
{
    const struct argp_child children[] = {{&settings_argp, 0, NULL, 0}, {NULL, 0, NULL, 0}};
    struct argp_option options[2 * PARAMS_MAX + 1];
    char usage[128];
    char name[64];
    const struct argp argp = {options,  command_parse, usage, cli->command->help,
                              children, NULL,          NULL};

    CHECK(cli->command != NULL);
    CHECK(argc >= 1);
    argp_options_fill(options, cli);
    positional_usage(usage, sizeof usage, cli->command->params);
    (void)snprintf(name, sizeof name, "zipring %s%s%s", cli->command->name,
                   cli->command->subcommand != NULL ? " " : "",
                   cli->command->subcommand != NULL ? cli->command->subcommand : "");
    argv[0] = name;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before anything else runs.
    (void)argp_parse(&argp, argc, argv, 0, NULL, cli);
    argv[0] = NULL; /* `name` ends here. */
}

/* ---- what handlers say ------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void
say(const struct cli *cli, const char *format, va_list arguments)
{
    const struct command *command = cli->command;

    (void)fflush(stdout);
    (void)fprintf(stderr, "zipring %s%s%s: ", command->name, command->subcommand != NULL ? " " : "",
                  command->subcommand != NULL ? command->subcommand : "");
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
}

enum cli_exit
cli_misused(const struct cli *cli, const char *format, ...)
{
    const struct command *command = cli->command;
    va_list arguments;

    va_start(arguments, format);
    say(cli, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "Try `zipring %s%s%s --help'.\n", command->name,
                  command->subcommand != NULL ? " " : "",
                  command->subcommand != NULL ? command->subcommand : "");
    return CLI_BAD_REQUEST;
}

void
cli_note(const struct cli *cli, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(cli, format, arguments);
    va_end(arguments);
}
