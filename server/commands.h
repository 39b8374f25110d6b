/*
 * commands.h - what zipringd can be told to do; main.c parses, these files act.
 */
#ifndef ZR_COMMANDS_H
#define ZR_COMMANDS_H

#include "server/base/config.h"

#include <stdbool.h>

enum {
    EXIT_USAGE = 2,
    EXIT_UNFIT = 3,  /* Refused to start: kernel, configuration, database. The log says why. */
    EXIT_DAMAGE = 71 /* Storage failed or is corrupt: do not restart before a look. */
};

struct arguments {
    struct config config;
    const char *command;
    const char *admin_cert;
    const char *into;
    int ready_fd; /* -1 = none. */
    bool print_config;
    bool check_config;
};

int command_serve(struct arguments *arguments);
int command_init(struct arguments *arguments);
int command_replay(struct arguments *arguments);

#endif
