/*
 * dev_server.c - see dev_server.h.
 *
 * The child has a process group of its own: a terminal's ^C reaches this program only, which passes
 * it on once. Should this program be killed, the kernel ends the child (PR_SET_PDEATHSIG).
 */
#include "client/cli/dev_server.h"

#include "protocol/check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_CANNOT_START = 127 };

void
dev_server_path(const struct cli *cli, char path[SETTINGS_PATH_MAX])
{
    const char *given = cli_value(cli, "server");
    char beside[SETTINGS_PATH_MAX - 16];
    const ssize_t length = readlink("/proc/self/exe", beside, sizeof beside - 1);
    char *slash;

    (void)snprintf(path, SETTINGS_PATH_MAX, "%s", given != NULL ? given : "zipringd");
    if (given != NULL || length <= 0) {
        return;
    }
    beside[length] = '\0';
    slash = strrchr(beside, '/');
    if (slash != NULL) {
        *slash = '\0';
        (void)snprintf(path, SETTINGS_PATH_MAX, "%s/zipringd", beside);
        if (access(path, X_OK) != 0) {
            (void)snprintf(path, SETTINGS_PATH_MAX, "zipringd");
        }
    }
}

static int
exit_code_of(int wait_status)
{
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

static int
child_reap(pid_t pid)
{
    int wait_status = 0;

    while (waitpid(pid, &wait_status, 0) < 0) {
        if (errno != EINTR) {
            return EXIT_CANNOT_START;
        }
    }
    return exit_code_of(wait_status);
}

int
dev_server_run(char *const argv[])
{
    const pid_t pid = fork();

    if (pid < 0) {
        perror("zipring dev: fork");
        return -1;
    }
    if (pid == 0) {
        (void)execvp(argv[0], argv);
        (void)fprintf(stderr, "zipring dev: %s: %s\n", argv[0], strerrordesc_np(errno));
        _exit(EXIT_CANNOT_START);
    }
    return child_reap(pid);
}

/* ---- start ------------------------------------------------------------------------------- */

static void
signals_collect(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGCHLD);
}

/* In the child: an environment as if a shell had started it. Only what exec() leaves is undone. */
_Noreturn static void
child_exec(char *path, char *config, int ready_fd, pid_t parent)
{
    char serve[] = "serve";
    char config_option[] = "--config";
    char ready_option[] = "--ready-fd";
    char number[16];
    char *const argv[] = {path, serve, config_option, config, ready_option, number, NULL};
    sigset_t none;

    (void)snprintf(number, sizeof number, "%d", ready_fd);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (getppid() == parent && fcntl(ready_fd, F_SETFD, 0) == 0) {
        (void)execvp(path, argv);
    }
    (void)fprintf(stderr, "zipring dev: %s: %s\n", path, strerrordesc_np(errno));
    _exit(EXIT_CANNOT_START);
}

bool
dev_server_start(struct dev_server *server, char *path, char *config)
{
    const pid_t parent = getpid();
    sigset_t signals;
    int ends[2];

    memset(server, 0, sizeof *server);
    signals_collect(&signals);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0) {
        return false;
    }
    server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (server->signal_fd < 0) {
        return false;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        goto close_signals;
    }
    server->pid = fork();
    if (server->pid < 0) {
        goto close_pipe;
    }
    if (server->pid == 0) {
        child_exec(path, config, ends[1], parent);
    }
    (void)close(ends[1]);
    server->ready_fd = ends[0];
    return true;

close_pipe:
    (void)close(ends[0]);
    (void)close(ends[1]);
close_signals:
    (void)close(server->signal_fd);
    return false;
}

/* ---- wait -------------------------------------------------------------------------------- */

/* Read one signal and pass it on. True when it was the child's end. */
static bool
signal_take(const struct dev_server *server)
{
    struct signalfd_siginfo signal;

    if (read(server->signal_fd, &signal, sizeof signal) != (ssize_t)sizeof signal) {
        return false;
    }
    if (signal.ssi_signo == SIGCHLD) {
        return (pid_t)signal.ssi_pid == server->pid;
    }
    (void)kill(server->pid, signal.ssi_signo == SIGHUP ? SIGTERM : (int)signal.ssi_signo);
    return false;
}

int
dev_server_wait(struct dev_server *server)
{
    int exit_code;

    while (!signal_take(server)) {
    }
    exit_code = child_reap(server->pid);
    (void)close(server->signal_fd);
    return exit_code;
}

int
dev_server_stop(struct dev_server *server)
{
    (void)kill(server->pid, SIGTERM);
    return dev_server_wait(server);
}

/* Add what the pipe holds to the address. True at its newline; *ended at its end. */
static bool
address_read(struct dev_server *server, bool *ended)
{
    const size_t length = strlen(server->address);
    const size_t room = sizeof server->address - 1 - length;
    const ssize_t count = read(server->ready_fd, server->address + length, room);
    char *newline;

    if (count <= 0) {
        *ended = count == 0 || errno != EINTR;
        return false;
    }
    server->address[length + (size_t)count] = '\0';
    newline = strchr(server->address, '\n');
    if (newline == NULL) {
        *ended = room == (size_t)count;
        return false;
    }
    *newline = '\0';
    return true;
}

bool
dev_server_wait_ready(struct dev_server *server, int *exit_code)
{
    bool ready = false;
    bool ended = false;

    while (!ready && !ended) {
        struct pollfd fds[] = {{server->ready_fd, POLLIN, 0}, {server->signal_fd, POLLIN, 0}};

        if (poll(fds, 2, -1) < 0) {
            ended = errno != EINTR;
        } else if (fds[0].revents != 0) {
            ready = address_read(server, &ended);
        } else if (signal_take(server)) {
            ended = true;
        }
    }
    (void)close(server->ready_fd);
    server->ready_fd = -1;
    if (!ready) {
        /* The pipe may have closed while the server lives: it would never say that it serves. */
        (void)kill(server->pid, SIGTERM);
        *exit_code = child_reap(server->pid);
        (void)close(server->signal_fd);
    }
    return ready;
}
