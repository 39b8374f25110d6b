/*
 * cli.h - one run of `zipring`: its command, its options, its connection and its exit code.
 *
 * A command is a row of the table in commands.c. Its options are rows too (struct param), and most
 * of them name the field of the request that they fill: fields.c parses the text as that field's
 * descriptor says. So a family file holds tables and the few lines that its rules need; nothing
 * there parses numbers, prints replies or speaks to a socket.
 *
 *     main.c -> options.c (argp) -> commands.c -> family -> execute.c -> session.c (libzipring)
 *                                                   |            |-> output.c (stdout)
 *                                                   |            '-> report.c (stderr, exit code)
 *                                                   '-> fields.c -> catalog.c (names to numbers)
 */
#ifndef ZR_CLI_CLI_H
#define ZR_CLI_CLI_H

#include "client/cli/settings.h"
#include "client/include/zipring.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Exit codes: contract (ecosystem.md). */
enum cli_exit {
    CLI_DONE = 0,
    CLI_REFUSED = 1,         /* Class 20: a business refusal. */
    CLI_BAD_REQUEST = 2,     /* Usage, an option's value, a file's contents, class 10. */
    CLI_NOT_EXECUTED = 3,    /* Class 30, class 60, transport. */
    CLI_OUTCOME_UNKNOWN = 4, /* Class 40: ask again with the same key only. */
    CLI_DENIED = 5,          /* Class 50. */
};

enum {
    PARAM_REQUIRED = 1u << 0,
    PARAM_POSITIONAL = 1u << 1, /* May be given without its option name too. */
    PARAM_LIST = 1u << 2,       /* Comma-separated; given again, it is appended. */
    PARAMS_MAX = 32,
};

/* One option of a command. A table of them ends with a NULL option. */
struct param {
    const char *option;   /* "talk-ms". */
    const char *field;    /* Field of the request that it fills; NULL: the handler reads it. */
    const char *argument; /* "MS"; NULL: a flag. */
    const char *help;     /* NULL: what messages.def says about the field. */
    unsigned flags;       /* PARAM_*. */
    const char *alias;    /* Another name, or NULL. */
    const char *fallback; /* Text taken when it is not given, or NULL. */
};

struct cli;

typedef enum cli_exit (*command_fn)(struct cli *cli);

enum {
    COMMAND_ADMIN = 1u << 0,   /* Among the roles of the dev folder, ADMIN is taken first. */
    COMMAND_CHANGES = 1u << 1, /* --dry-run keeps it from being sent. */
};

struct command {
    const char *name;
    const char *subcommand; /* NULL: the command has none. */
    uint16_t op;            /* enum zr_op of its main request, 0 = it works without a server. */
    unsigned flags;         /* COMMAND_*. */
    const struct param *params;
    command_fn run;
    const char *help;
};

/* Names that stand for numbers (catalog.c). */
struct catalog_category {
    uint16_t number;
    char name[33];
};
struct catalog {
    struct catalog_category *categories;
    size_t categories_count;
    bool loaded; /* CATEGORY_LIST was read to its end, or cannot be. */
};

/* One request with its end. */
struct answer {
    const struct zr_operation *operation;
    const void *request;
    const void *reply; /* Decoded; meaningful on class 00 and 20. */
    int result;        /* 0, > 0 server status, < 0 transport. */
    uint16_t detail;
    bool duplicate;
    uint64_t rtt_ns;
};

struct cli {
    const struct command *command;
    const struct zr_operation *operation; /* Of command->op, or NULL. */
    struct settings settings;
    char *values[PARAMS_MAX]; /* By index in command->params; NULL = not given. Owned. */
    struct catalog catalog;
    struct zr_client *client; /* NULL before the first request. */
    char failure[320];        /* Why the last request met no server; empty = not known. */
    struct zr_id key;         /* The op_id used; zero = none yet. */
    uint16_t roles;           /* That may do this: operation->roles, or fewer of them. */
    json_t *extras;           /* What the handler adds to the reply. Owned. */
    json_t *pages;            /* Lists without --json: rows so far. Owned. */
};

/* ---- options (options.c) ----------------------------------------------------------------- */

/* Parse what follows the command. Exits 2 on misuse, 0 on --help. */
void options_parse(struct cli *cli, int argc, char **argv);

/* Text of an option, its fallback, or NULL. The command must have that option. */
const char *cli_value(const struct cli *cli, const char *option);

/* True when a flag, or any option, was given. */
bool cli_given(const struct cli *cli, const char *option);

/* Print "zipring COMMAND: ..." and where help is. Returns CLI_BAD_REQUEST. */
__attribute__((format(printf, 2, 3))) enum cli_exit cli_misused(const struct cli *cli,
                                                                const char *format, ...);

/* Print a line of news to stderr. */
__attribute__((format(printf, 2, 3))) void cli_note(const struct cli *cli, const char *format, ...);

/* ---- the table (commands.c) -------------------------------------------------------------- */

/* The command that argv[0] and argv[1] name; *words = how many of them it took. NULL = none. */
const struct command *command_find(int argc, char **argv, int *words);

/* All rows, for help. */
const struct command *commands_table(size_t *commands_count);

/* ---- running (execute.c) ----------------------------------------------------------------- */

/* Fill a request from the options, send it, print the reply: all that most commands do. */
enum cli_exit execute_simple(struct cli *cli);

/* The same over a list, page by page to the end. */
enum cli_exit execute_list(struct cli *cli);

/* Send a filled request of the command's operation (or show it: --dry-run) and print the reply. */
enum cli_exit execute_request(struct cli *cli, void *request);

/*
 * A read on the way. CLI_DONE: *reply is filled. Else it was reported, under --json on stdout too.
 */
enum cli_exit execute_read(struct cli *cli, uint16_t op, const void *request, void *reply);

/* Give op_id its value when the operation has one: --key, or a fresh one. */
enum cli_exit execute_key(struct cli *cli, void *request);

/* Print an end: reply on stdout, refusal on stderr. */
enum cli_exit execute_finish(struct cli *cli, const struct answer *answer);

/* ---- connection (session.c) -------------------------------------------------------------- */

/* Connect unless connected. 0, or why not; cli->failure says more. */
int session_open(struct cli *cli);
void session_close(struct cli *cli);

/* Send answer->request and wait; fills the rest of *answer. `reply` is the reply's struct. */
void session_call(struct cli *cli, struct answer *answer, void *reply);

/* ---- stderr and exit code (report.c) ----------------------------------------------------- */

/* Say what was refused, where and what to do; nothing when it is done. The exit code. */
enum cli_exit report_answer(const struct cli *cli, const struct answer *answer);

/* "refused", "not_executed" ...: also for transport results. */
const char *report_class_name(int result);

#endif
