/*
 * dev_server.h - zipringd as a child of `zipring dev`: started, heard out, waited for.
 *
 * Nothing polls and nothing sleeps: the server writes its address to a pipe when it serves, and
 * signals arrive through a signalfd that is waited on together with it.
 */
#ifndef ZR_CLI_DEV_SERVER_H
#define ZR_CLI_DEV_SERVER_H

#include "client/cli/cli.h"

#include <sys/types.h>

struct dev_server {
    pid_t pid;
    int ready_fd;      /* Read end of its pipe, -1 once closed. */
    int signal_fd;     /* SIGINT, SIGTERM, SIGCHLD. */
    char address[128]; /* "127.0.0.1:41234" once it serves. */
};

/* Path of zipringd: --server, else beside this program, else what PATH finds. */
void dev_server_path(const struct cli *cli, char path[SETTINGS_PATH_MAX]);

/* Run a program to its end; its exit code, 128 + signal, or -1 when it cannot be started. */
int dev_server_run(char *const argv[]);

/* Start `path serve --config config --ready-fd N`. False: *server holds nothing. */
bool dev_server_start(struct dev_server *server, char *path, char *config);

/* Wait until it serves. False: it ended before, or a signal asked to stop; *exit_code says. */
bool dev_server_wait_ready(struct dev_server *server, int *exit_code);

/* Wait for its end, passing SIGINT and SIGTERM on. Its exit code, or 128 + signal. */
int dev_server_wait(struct dev_server *server);

/* Ask it to end, and wait. */
int dev_server_stop(struct dev_server *server);

#endif
