/*
 * main.c - zipringd: parse, build bottom-up, seal memory, run, tear down in reverse.
 *
 *   zipringd serve  [--config FILE] [--ready-fd N] [name=value ...]
 *   zipringd init   --data DIR --admin-cert FILE
 *   zipringd replay --data DIR --into DIR
 *
 * The only file that includes both net and what stands on it, and that ties them together.
 */
#include "protocol/check.h"
#include "server/base/config.h"
#include "server/base/log.h"
#include "server/commands.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "zipringd " ZR_VERSION_TEXT;

enum {
    OPTION_CONFIG = 'c',
    OPTION_DATA = 'd',
    OPTION_READY_FD = 1000,
    OPTION_ADMIN_CERT,
    OPTION_INTO,
    OPTION_PRINT,
    OPTION_CHECK,
    OPTION_BENCH,
    OPTION_CLOCK,
};

static const struct argp_option options[] = {
    {"config", OPTION_CONFIG, "FILE", 0, "serve: read settings from FILE", 0},
    {"data", OPTION_DATA, "DIR", 0, "folder of the database", 0},
    {"bench", OPTION_BENCH, NULL, 0, "serve: take BENCH operations (bench = yes)", 0},
    {"clock", OPTION_CLOCK, "real|manual", 0, "serve: which log clock", 0},
    {"ready-fd", OPTION_READY_FD, "N", 0, "serve: write \"host:port\\n\" to fd N once serving", 0},
    {"print-config", OPTION_PRINT, NULL, 0, "serve: print all settings and exit", 0},
    {"check-config", OPTION_CHECK, NULL, 0, "serve: judge the settings and exit", 0},
    {"admin-cert", OPTION_ADMIN_CERT, "FILE", 0, "init: certificate of the first ADMIN, PEM", 0},
    {"into", OPTION_INTO, "DIR", 0, "replay: new folder for the replayed state", 0},
    {0},
};

/* argp ends the program itself on wrong usage, before there is a second thread. */
// NOLINTBEGIN(concurrency-mt-unsafe)

/* A setting from the command line; a wrong one ends the program with usage. */
static void
set(struct argp_state *state, struct arguments *arguments, const char *name, const char *value)
{
    if (config_set(&arguments->config, name, value) != STATUS_OK) {
        argp_error(state, "%s", arguments->config.error);
    }
}

static void
set_pair(struct argp_state *state, struct arguments *arguments, char *pair)
{
    char *equals = strchr(pair, '=');

    if (equals == NULL) {
        argp_error(state, "%s: want a command (serve, init, replay) or name=value", pair);
        return;
    }
    *equals = '\0';
    set(state, arguments, pair, equals + 1);
}

static void
read_config(struct argp_state *state, struct arguments *arguments, const char *path)
{
    if (config_read(&arguments->config, path) != STATUS_OK) {
        argp_error(state, "%s", arguments->config.error);
    }
}

static error_t
parse_option(int option, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;

    switch (option) {
    case OPTION_CONFIG:
        read_config(state, arguments, value);
        break;
    case OPTION_DATA:
        set(state, arguments, "data", value);
        break;
    case OPTION_BENCH:
        set(state, arguments, "bench", "yes");
        break;
    case OPTION_CLOCK:
        set(state, arguments, "clock", value);
        break;
    case OPTION_READY_FD:
        arguments->ready_fd = (int)strtol(value, NULL, 10);
        break;
    case OPTION_PRINT:
        arguments->print_config = true;
        break;
    case OPTION_CHECK:
        arguments->check_config = true;
        break;
    case OPTION_ADMIN_CERT:
        arguments->admin_cert = value;
        break;
    case OPTION_INTO:
        arguments->into = value;
        break;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0) {
            arguments->command = value;
        } else {
            set_pair(state, arguments, value);
        }
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "serve|init|replay [name=value ...]",
        "Zipring server: claim, route and connect for home-service calls.\v"
        "`zipringd init` makes a database and its first administrator; `zipringd serve` serves it; "
        "`zipringd replay` proves that its journal gives the same state again. Settings: "
        "`zipringd serve --print-config`.",
        NULL,
        NULL,
        NULL};
    static struct arguments arguments = {.ready_fd = -1};

    config_init(&arguments.config);
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) {
        return EXIT_USAGE;
    }
    log_set_level((enum log_level)arguments.config.log_level);
    if (arguments.command == NULL || strcmp(arguments.command, "serve") == 0) {
        return command_serve(&arguments);
    }
    if (strcmp(arguments.command, "init") == 0) {
        return command_init(&arguments);
    }
    if (strcmp(arguments.command, "replay") == 0) {
        return command_replay(&arguments);
    }
    log_line(LOG_LEVEL_ERROR, "usage", "command=\"%s\" do=\"serve, init or replay\"",
             arguments.command);
    return EXIT_USAGE;
}
// NOLINTEND(concurrency-mt-unsafe)
