/*
 * main.c - zipring-bench: the load tester of Zipring.
 *
 * In reading order: histogram, prng, arrivals, alias (the arithmetic), fleet (connections),
 * flight (what a request or a call does), driver (the loop), recorder and report (what came of
 * it); then run, demo, compare and summary, which are made of those. It refuses to be clever
 * about its own limits: when it was the bottleneck it says INVALID and exits with 3.
 */
#include "bench/commands.h"
#include "bench/driver.h"
#include "bench/environment.h"
#include "protocol/check.h"

#include <argp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    enum bench_exit (*run)(int argc, char **argv, struct fault *fault);
    const char *summary;
};

static const struct command commands[] = {
    {"run", command_run, "load a server and measure it"},
    {"demo", command_demo, "set up data, let calls run, audit the books"},
    {"compare", command_compare, "two reports of run: what became slower"},
    {"summary", command_summary, "medians over alternating runs (bench.sh)"},
};

enum { COMMANDS_COUNT = sizeof commands / sizeof commands[0] };

static void
usage_print(FILE *file)
{
    (void)fprintf(file, "Usage: zipring-bench COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        (void)fprintf(file, "  %-9s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fprintf(file, "\nzipring-bench COMMAND --help lists the options of a command.\n"
                        "Exit: 0 done, 1 failed, 2 usage, 3 INVALID (the generator was the\n"
                        "limit), 4 transport. See zipring-bench(1).\n");
}

static void
interrupt_note(int signal)
{
    (void)signal;
    driver_interrupted = 1;
}

/* SIGINT ends a run early with its report, a second one kills; a lost peer is no signal. */
static void
signals_set(void)
{
    struct sigaction interrupt = {.sa_handler = interrupt_note, .sa_flags = (int)SA_RESETHAND};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    CHECK(sigaction(SIGINT, &interrupt, NULL) == 0);
    CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
}

static enum bench_exit
command_execute(const struct command *command, int argc, char **argv)
{
    static char title[64];
    struct fault fault = {.exit_code = BENCH_EXIT_DONE};
    enum bench_exit code;

    (void)snprintf(title, sizeof title, "zipring-bench %s", command->name);
    argv[0] = title;
    code = command->run(argc, argv, &fault);
    if (fault.exit_code != BENCH_EXIT_DONE) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "%s: %s\n", title, fault.text);
    }
    return code;
}

int
main(int argc, char **argv)
{
    argp_err_exit_status = BENCH_EXIT_USAGE;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage_print(argc < 2 ? stderr : stdout);
        return argc < 2 ? BENCH_EXIT_USAGE : BENCH_EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("zipring-bench %s, libzipring %s\n", ZR_VERSION_TEXT, zr_version_text());
        return BENCH_EXIT_DONE;
    }
    environment_note_command(argc, argv);
    signals_set();
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return (int)command_execute(&commands[i], argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "zipring-bench: no command \"%s\"\n\n", argv[1]);
    usage_print(stderr);
    return BENCH_EXIT_USAGE;
}
