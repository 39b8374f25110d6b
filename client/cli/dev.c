/*
 * dev.c - `zipring dev`: a throw-away network in one folder, from nothing to serving.
 *
 *     D/ca.pem ca.key          the CA
 *     D/server.pem .key        what zipringd shows
 *     D/ROLE.pem ROLE.key      one client certificate per role, tenant 1
 *     D/zipringd.conf  D/data  the server's configuration and state
 *     D/uri                    where it serves, written once it does
 *
 * All steps may be repeated: what exists is kept, so the same folder starts again with its data. It
 * is for development and tests: the CA's key lies beside what it signed.
 */
#include "client/cli/dev_server.h"
#include "client/cli/families.h"
#include "client/cli/output.h"
#include "client/cli/pki.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TENANT = 1 };

#define FOLDER_OPTION                                                                         \
    {                                                                                         \
        "dir", NULL, "D", "The folder; made when it is not there", PARAM_REQUIRED, NULL, NULL \
    }
#define END_OF_OPTIONS                        \
    {                                         \
        NULL, NULL, NULL, NULL, 0, NULL, NULL \
    }

const struct param dev_params[] = {
    FOLDER_OPTION,
    {"listen", NULL, "HOST:PORT", "Where to serve (127.0.0.1:0, any free port)", 0, NULL,
     "127.0.0.1:0"},
    {"bench", NULL, NULL, "Bench mode: echo, noop-commit and clock operations", 0, NULL, NULL},
    {"clock", NULL, "real|manual", "manual: `zipring clock advance' moves it (needs --bench)", 0,
     NULL, "real"},
    {"server", NULL, "PATH", "zipringd (the one beside this program)", 0, NULL, NULL},
    {"contractor", NULL, "N", "Give the contractor certificate this contractor's number", 0, NULL,
     NULL},
    {"foreground", NULL, NULL, "Wait for the server to end; always so", 0, NULL, NULL},
    {"print-env", NULL, NULL, "Only print the exports of a folder that was served", 0, NULL, NULL},
    {"pki-only", NULL, NULL, "Only make the CA and the certificates", 0, NULL, NULL},
    {"ready-fd", NULL, "N", "Write HOST:PORT to this file descriptor once all is ready", 0, NULL,
     NULL},
    END_OF_OPTIONS};

const struct param dev_cert_params[] = {
    FOLDER_OPTION,
    {"role", NULL, "ROLE", "Of the certificate", PARAM_REQUIRED, NULL, NULL},
    {"tenant", NULL, "N", "Of the certificate (1)", 0, NULL, "1"},
    {"name", NULL, "NAME", "File name without .pem", PARAM_REQUIRED, NULL, NULL},
    END_OF_OPTIONS};

struct dev {
    struct cli *cli;
    struct pki pki;
    struct dev_server server;
    char folder[SETTINGS_PATH_MAX - 64]; /* Absolute; file names fit behind it. */
    char program[SETTINGS_PATH_MAX];
    uint32_t contractor; /* 0 = none. */
    int ready_fd;        /* Of this program's caller, -1 = none. */
};

/* ---- folder and PKI ---------------------------------------------------------------------- */

static bool
folder_open(struct dev *dev)
{
    const char *given = cli_value(dev->cli, "dir");
    char *absolute;

    if (mkdir(given, 0700) != 0 && errno != EEXIST) {
        cli_note(dev->cli, "cannot make %s: %s", given, strerrordesc_np(errno));
        return false;
    }
    absolute = realpath(given, NULL);
    if (absolute == NULL || strlen(absolute) >= sizeof dev->folder) {
        cli_note(dev->cli, "cannot use %s: %s", given,
                 absolute != NULL ? "its path is too long" : strerrordesc_np(errno));
        free(absolute);
        return false;
    }
    (void)snprintf(dev->folder, sizeof dev->folder, "%s", absolute);
    free(absolute);
    return true;
}

static void
folder_path(char path[SETTINGS_PATH_MAX], const struct dev *dev, const char *name)
{
    const int length = snprintf(path, SETTINGS_PATH_MAX, "%s/%s", dev->folder, name);

    CHECK(length > 0);
    CHECK(length < SETTINGS_PATH_MAX);
}

/* The CA, the server's certificate and one per role. */
static enum cli_exit
pki_make(struct dev *dev)
{
    bool made = pki_open(&dev->pki, dev->folder) && pki_issue_server(&dev->pki, "server");

    for (uint8_t role = ZR_ROLE_SWITCH; made && role <= ZR_ROLE_BENCH; role++) {
        char name[32];

        text_role_file(name, sizeof name, role);
        made = pki_issue_client(&dev->pki, name, TENANT, role);
    }
    if (!made) {
        cli_note(dev->cli, "%s", dev->pki.error);
    }
    pki_close(&dev->pki);
    return made ? CLI_DONE : CLI_NOT_EXECUTED;
}

/* ---- what is printed --------------------------------------------------------------------- */

/* 'text' for a shell, whatever is in it. */
static void
quoted_print(const char *text)
{
    (void)putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", stdout);
        } else {
            (void)putchar(*text);
        }
    }
    (void)putchar('\'');
}

static void
export_print(const char *name, const char *value)
{
    (void)printf("export %s=", name);
    quoted_print(value);
    (void)putchar('\n');
}

/* ZIPRING_CERT and _KEY are for programs that know one identity: they get the administrator's. */
static void
exports_print(const struct dev *dev, const char *uri)
{
    static const struct {
        const char *variable;
        const char *name;
    } files[] = {
        {"ZIPRING_CERT", "admin.pem"}, {"ZIPRING_KEY", "admin.key"}, {"ZIPRING_CA", "ca.pem"}};
    char path[SETTINGS_PATH_MAX];

    export_print("ZIPRING_DEV", dev->folder);
    export_print("ZIPRING_URI", uri);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        folder_path(path, dev, files[i].name);
        export_print(files[i].variable, path);
    }
}

static json_t *
done_object(const struct dev *dev)
{
    json_t *object = json_object();

    (void)json_object_set_new(object, "status", json_string("OK"));
    (void)json_object_set_new(object, "class", json_string("done"));
    (void)json_object_set_new(object, "duplicate", json_false());
    (void)json_object_set_new(object, "dir", json_string(dev->folder));
    return object;
}

static enum cli_exit
environment_print(const struct dev *dev)
{
    char path[SETTINGS_PATH_MAX];
    char uri[256] = "";
    FILE *file;

    folder_path(path, dev, "uri");
    file = fopen(path, "re");
    if (file == NULL || fgets(uri, sizeof uri, file) == NULL) {
        if (file != NULL) {
            (void)fclose(file);
        }
        return cli_misused(dev->cli, "nothing has been served from %s yet: no file uri in it",
                           dev->folder);
    }
    (void)fclose(file);
    uri[strcspn(uri, "\r\n")] = '\0';
    exports_print(dev, uri);
    return CLI_DONE;
}

static void
serving_print(const struct dev *dev, const char *uri)
{
    if (dev->cli->settings.json) {
        json_t *object = done_object(dev);

        (void)json_object_set_new(object, "uri", json_string(uri));
        (void)json_object_set_new(object, "pid", json_integer(dev->server.pid));
        output_object(dev->cli, object);
        return;
    }
    (void)printf("# zipringd (pid %d) serves %s; ^C ends it\n", (int)dev->server.pid, uri);
    exports_print(dev, uri);
    (void)printf("# Next, in another terminal:\n#   eval \"$(zipring dev --dir ");
    quoted_print(dev->folder);
    (void)printf(" --print-env)\"\n#   zipring import zips bench/data/zips.csv.gz\n");
}

/* ---- server ------------------------------------------------------------------------------ */

static enum cli_exit
config_write(const struct dev *dev)
{
    const bool bench = cli_given(dev->cli, "bench");
    char path[SETTINGS_PATH_MAX];
    FILE *file;
    bool failed;

    folder_path(path, dev, "zipringd.conf");
    file = fopen(path, "we");
    if (file == NULL) {
        cli_note(dev->cli, "%s: %s", path, strerrordesc_np(errno));
        return CLI_NOT_EXECUTED;
    }
    (void)fprintf(file,
                  "; Written by `zipring dev' at every start.\n"
                  "listen = %s\ncert = %s/server.pem\nkey = %s/server.key\nca = %s/ca.pem\n"
                  "data = %s/data\nbench = %s\nclock = %s\n",
                  cli_value(dev->cli, "listen"), dev->folder, dev->folder, dev->folder, dev->folder,
                  bench ? "yes" : "no", cli_value(dev->cli, "clock"));
    failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        cli_note(dev->cli, "cannot write %s", path);
        return CLI_NOT_EXECUTED;
    }
    return CLI_DONE;
}

static enum cli_exit
data_init(struct dev *dev)
{
    char data[SETTINGS_PATH_MAX];
    char certificate[SETTINGS_PATH_MAX];
    char init[] = "init";
    char data_option[] = "--data";
    char certificate_option[] = "--admin-cert";
    char *const argv[] = {dev->program,       init,        data_option, data,
                          certificate_option, certificate, NULL};
    int exit_code;

    folder_path(data, dev, "data");
    folder_path(certificate, dev, "admin.pem");
    if (access(data, F_OK) == 0) {
        return CLI_DONE;
    }
    exit_code = dev_server_run(argv);
    if (exit_code != 0) {
        cli_note(dev->cli, "`%s init' ended with %d: there is no data folder to serve",
                 dev->program, exit_code);
        return CLI_NOT_EXECUTED;
    }
    return CLI_DONE;
}

/* ---- principals -------------------------------------------------------------------------- */

static enum cli_exit
principal_put(struct dev *dev, uint8_t role)
{
    struct zr_principal_put_request request = {.tenant = TENANT, .role = role};
    struct zr_put_reply reply = {0};
    struct answer answer = {.operation = zr_operation_find(ZR_OP_PRINCIPAL_PUT),
                            .request = &request};
    char error[PKI_ERROR_BYTES];
    char path[SETTINGS_PATH_MAX];
    char role_name[32];
    char name[40];

    text_role_file(role_name, sizeof role_name, role);
    (void)snprintf(name, sizeof name, "%s.pem", role_name);
    folder_path(path, dev, name);
    if (!pki_key_hash(&request.key_hash, path, error)) {
        cli_note(dev->cli, "%s", error);
        return CLI_NOT_EXECUTED;
    }
    request.contractor = role == ZR_ROLE_CONTRACTOR ? dev->contractor : 0;
    (void)snprintf(request.name, sizeof request.name, "dev %.24s", role_name);
    session_call(dev->cli, &answer, &reply);
    /* A folder that was served before knows the key: that is what VERSION_CONFLICT says. */
    return answer.result == ZR_STATUS_VERSION_CONFLICT ? CLI_DONE
                                                       : report_answer(dev->cli, &answer);
}

/* Every role whose certificate can act: CONTRACTOR needs a contractor, BENCH a bench server. */
static enum cli_exit
principals_put(struct dev *dev, const char *uri)
{
    struct settings *settings = &dev->cli->settings;
    char paths[3][SETTINGS_PATH_MAX];
    enum cli_exit exit_code = CLI_DONE;

    folder_path(paths[0], dev, "admin.pem");
    folder_path(paths[1], dev, "admin.key");
    folder_path(paths[2], dev, "ca.pem");
    settings->uri = uri;
    settings->cert = paths[0];
    settings->key_file = paths[1];
    settings->ca = paths[2];
    for (uint8_t role = ZR_ROLE_SWITCH; role <= ZR_ROLE_BENCH && exit_code == CLI_DONE; role++) {
        const bool skip = role == ZR_ROLE_ADMIN ||
                          (role == ZR_ROLE_CONTRACTOR && dev->contractor == 0) ||
                          (role == ZR_ROLE_BENCH && !cli_given(dev->cli, "bench"));

        exit_code = skip ? CLI_DONE : principal_put(dev, role);
    }
    session_close(dev->cli);
    settings->uri = settings->cert = settings->key_file = settings->ca = NULL;
    return exit_code;
}

/* ---- run --------------------------------------------------------------------------------- */

static enum cli_exit
uri_write(const struct dev *dev, const char *uri)
{
    char path[SETTINGS_PATH_MAX];
    FILE *file;

    folder_path(path, dev, "uri");
    file = fopen(path, "we");
    if (file == NULL || fprintf(file, "%s\n", uri) < 0) {
        cli_note(dev->cli, "%s: %s", path, strerrordesc_np(errno));
        if (file != NULL) {
            (void)fclose(file);
        }
        return CLI_NOT_EXECUTED;
    }
    return fclose(file) == 0 ? CLI_DONE : CLI_NOT_EXECUTED;
}

/* Tell the caller's file descriptor where it serves. */
static void
ready_tell(const struct dev *dev)
{
    if (dev->ready_fd >= 0) {
        (void)dprintf(dev->ready_fd, "%s\n", dev->server.address);
        (void)close(dev->ready_fd);
    }
}

static enum cli_exit
serve(struct dev *dev)
{
    char config[SETTINGS_PATH_MAX];
    char uri[sizeof dev->server.address + 16];
    enum cli_exit exit_code;
    int ended = 0;

    folder_path(config, dev, "zipringd.conf");
    if (!dev_server_start(&dev->server, dev->program, config)) {
        cli_note(dev->cli, "cannot start %s: %s", dev->program, strerrordesc_np(errno));
        return CLI_NOT_EXECUTED;
    }
    if (!dev_server_wait_ready(&dev->server, &ended)) {
        cli_note(dev->cli, "%s ended with %d before it served", dev->program, ended);
        return ended != 0 ? (enum cli_exit)ended : CLI_NOT_EXECUTED;
    }
    (void)snprintf(uri, sizeof uri, "zipring://%s", dev->server.address);
    exit_code = principals_put(dev, uri);
    exit_code = exit_code == CLI_DONE ? uri_write(dev, uri) : exit_code;
    if (exit_code != CLI_DONE) {
        (void)dev_server_stop(&dev->server);
        return exit_code;
    }
    serving_print(dev, uri);
    (void)fflush(stdout);
    ready_tell(dev);
    return (enum cli_exit)dev_server_wait(&dev->server);
}

/* Options that are numbers; the rest is text for the server to judge. */
static enum cli_exit
options_read(struct dev *dev)
{
    const char *contractor = cli_value(dev->cli, "contractor");
    const char *ready_fd = cli_value(dev->cli, "ready-fd");
    const char *clock = cli_value(dev->cli, "clock");
    uint64_t number = 0;

    if (strcmp(clock, "real") != 0 && strcmp(clock, "manual") != 0) {
        return cli_misused(dev->cli, "--clock %s: expected real or manual", clock);
    }
    if (contractor != NULL && !text_to_unsigned(&number, contractor, UINT32_MAX)) {
        return cli_misused(dev->cli, "--contractor %s: expected the server's number", contractor);
    }
    dev->contractor = (uint32_t)number;
    dev->ready_fd = -1;
    if (ready_fd != NULL) {
        if (!text_to_unsigned(&number, ready_fd, INT32_MAX) ||
            fcntl((int)number, F_SETFD, FD_CLOEXEC) != 0) {
            return cli_misused(dev->cli, "--ready-fd %s: not an open file descriptor", ready_fd);
        }
        dev->ready_fd = (int)number;
    }
    return CLI_DONE;
}

static enum cli_exit
dev_start(struct dev *dev)
{
    enum cli_exit exit_code = pki_make(dev);

    if (exit_code == CLI_DONE && cli_given(dev->cli, "pki-only")) {
        output_object(dev->cli, done_object(dev));
        return CLI_DONE;
    }
    dev_server_path(dev->cli, dev->program);
    exit_code = exit_code == CLI_DONE ? data_init(dev) : exit_code;
    exit_code = exit_code == CLI_DONE ? config_write(dev) : exit_code;
    return exit_code == CLI_DONE ? serve(dev) : exit_code;
}

enum cli_exit
dev_run(struct cli *cli)
{
    struct dev dev = {.cli = cli};
    const enum cli_exit exit_code = options_read(&dev);

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    if (cli->settings.dry_run) {
        return cli_misused(cli, "--dry-run has no meaning here: see --pki-only");
    }
    if (!folder_open(&dev)) {
        return CLI_BAD_REQUEST;
    }
    return cli_given(cli, "print-env") ? environment_print(&dev) : dev_start(&dev);
}

/* ---- dev cert ---------------------------------------------------------------------------- */

static enum cli_exit
certificate_print(const struct dev *dev, const char *name)
{
    char path[SETTINGS_PATH_MAX];
    char hash_text[TEXT_HASH_BYTES];
    char error[PKI_ERROR_BYTES];
    struct zr_hash hash;
    json_t *object;

    (void)snprintf(path, sizeof path, "%s/%.48s.pem", dev->folder, name);
    if (!pki_key_hash(&hash, path, error)) {
        cli_note(dev->cli, "%s", error);
        return CLI_NOT_EXECUTED;
    }
    text_from_hash(hash_text, &hash);
    object = done_object(dev);
    (void)json_object_set_new(object, "cert", json_string(path));
    (void)json_object_set_new(object, "key_hash", json_string(hash_text));
    output_object(dev->cli, object);
    return CLI_DONE;
}

enum cli_exit
dev_cert_run(struct cli *cli)
{
    const char *name = cli_value(cli, "name");
    struct dev dev = {.cli = cli};
    uint64_t tenant;
    uint8_t role;
    bool issued;

    if (!text_to_enum(&role, cli_value(cli, "role"), zr_type_role.values)) {
        return cli_misused(cli, "--role %s: no such role", cli_value(cli, "role"));
    }
    if (!text_to_unsigned(&tenant, cli_value(cli, "tenant"), UINT32_MAX) || tenant == 0) {
        return cli_misused(cli, "--tenant %s: expected a number above 0", cli_value(cli, "tenant"));
    }
    if (strlen(name) > 48 || *name == '\0' || *name == '.' || strchr(name, '/') != NULL) {
        return cli_misused(cli, "--name %s: expected a plain file name of at most 48 bytes", name);
    }
    if (!folder_open(&dev)) {
        return CLI_BAD_REQUEST;
    }
    issued =
        pki_open(&dev.pki, dev.folder) && pki_issue_client(&dev.pki, name, (uint32_t)tenant, role);
    if (!issued) {
        cli_note(cli, "%s", dev.pki.error);
    }
    pki_close(&dev.pki);
    return issued ? certificate_print(&dev, name) : CLI_NOT_EXECUTED;
}
