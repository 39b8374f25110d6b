/*
 * server.h - a throw-away zipringd for one test program, and clients for its roles.
 *
 * The server is the shipped program, started as a child in a temporary folder with a manual clock
 * and the BENCH operations: nothing sleeps, no port is fixed, and the kernel ends the child should
 * the test die. It is only ever signalled by its pid. Every helper CHECKs its own success: a test
 * that could not be set up stops with the place where, and the folder is kept for a look.
 *
 * Programs come from $ZIPRING_BIN, else $BUILD (tests/run.sh sets it), else build/release.
 *
 *     struct server server;
 *     server_start(&server, NULL);
 *     struct zr_client *carrier = server_client(&server, "switch");
 *     ...
 *     zr_client_close(carrier);
 *     server_end(&server);
 *
 * Certificates in the folder: admin, switch, callcenter, portal, payments, auditor and bench, all
 * of tenant 1 and all principals; server_principal() makes more.
 */
#ifndef ZR_TEST_SERVER_H
#define ZR_TEST_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <zipring.h>

enum {
    SERVER_PATH_MAX = 256,
    SERVER_SETTINGS_MAX = 16,
    SERVER_TENANT = 1,       /* Of the principals that every server has. */
    SERVER_EXIT_KILLED = -9, /* server_wait(): what a SIGKILL leaves. */
};

struct server {
    char folder[128];        /* PKI, data and log; removed by server_end(). */
    int port_fd;             /* Keeps the port between a stop and a restart. */
    char address[64];        /* "127.0.0.1:PORT"; the port stays the same over restarts. */
    char uri[96];            /* "zipring://" and the address. */
    pid_t pid;               /* 0 = not running. */
    struct zr_client *bench; /* For server_advance(), NULL until it is needed. */
    const char *settings[SERVER_SETTINGS_MAX]; /* More "name=value" for zipringd, NULL behind. */
};

/*
 * Make the PKI and the database, serve, and put the principals. `settings`: NULL, or "name=value"
 * strings that outlive the server, ended by NULL; they win over the harness's own.
 */
void server_start(struct server *server, const char *const *settings);

/* Serve again what was stopped or killed, on the same port. */
void server_restart(struct server *server);

/* SIGKILL, and wait until the kernel has taken it away. Clients stay open and reconnect. */
void server_kill(struct server *server);

/* SIGTERM, then wait. Returns the exit code, -N when signal N ended it. */
int server_stop(struct server *server);

/* Stop if it runs, close the own client, remove the folder. CHECKs that it ended with 0. */
void server_end(struct server *server);

/*
 * Run zipringd or another program of the build with these arguments (ended by NULL) to its end.
 * Its output goes to `output` (cut to its size; may be NULL). Returns like server_stop().
 */
int server_run(const char *program, const char *const *arguments, char *output,
               size_t output_bytes);

/* "FOLDER/name": of the data folder, of a certificate. */
void server_path(char path[SERVER_PATH_MAX], const struct server *server, const char *name);

/* ---- identities and clients -------------------------------------------------------------- */

struct server_identity {
    const char *name;    /* Of the certificate's files. */
    uint32_t tenant;     /* In its SAN. */
    uint8_t role;        /* In its SAN, enum zr_role. */
    uint32_t contractor; /* Of the stored principal, else 0. */
};

/* Make a certificate NAME.pem, NAME.key in the folder, if it is not there. Returns its key hash. */
struct zr_hash server_certificate(const struct server *server,
                                  const struct server_identity *identity);

/* Make a certificate and its principal. Returns its key hash. */
struct zr_hash server_principal(struct server *server, const struct server_identity *identity);

/* Options for a client with the certificate of this name; the strings are static. */
struct zr_options server_options(const struct server *server, const char *name);

/* A client of that certificate, not yet connected. */
struct zr_client *server_client(const struct server *server, const char *name);

/* The same, connected: HELLO_OK came. */
struct zr_client *server_client_ready(const struct server *server, const char *name);

/* Move the log clock; 0 reads it. Returns the clock, Unix ms. */
uint64_t server_advance(struct server *server, uint64_t advance_ms);

#endif
