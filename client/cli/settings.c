/*
 * settings.c - see settings.h.
 *
 * The dev folder is asked before ZIPRING_CERT: `zipring dev --print-env` exports both, the one for
 * this tool, which picks a role for each command, the other for programs that know one identity.
 */
#include "client/cli/settings.h"

#include "client/cli/text.h"
#include "protocol/check.h"
#include "protocol/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- options ----------------------------------------------------------------------------- */

enum {
    KEY_URI = 0x2000,
    KEY_CERT,
    KEY_KEY_FILE,
    KEY_CA,
    KEY_AS,
    KEY_OP_KEY,
    KEY_TIMEOUT,
    KEY_JSON,
    KEY_DRY_RUN,
    GROUP_GLOBAL = 10,
};

static const struct argp_option global_options[] = {
    {NULL, 0, NULL, 0, "Everywhere:", GROUP_GLOBAL},
    {"json", KEY_JSON, NULL, 0, "Print JSON lines, one object per reply", GROUP_GLOBAL},
    {"dry-run", KEY_DRY_RUN, NULL, 0, "Print the request as JSON instead of sending it",
     GROUP_GLOBAL},
    {"key", KEY_OP_KEY, "UUID", 0, "Idempotency key, to ask again after an unknown outcome",
     GROUP_GLOBAL},
    {"timeout", KEY_TIMEOUT, "DURATION", 0, "Deadline of each request with its retries (5s)",
     GROUP_GLOBAL},
    {"as", KEY_AS, "ROLE", 0, "Use this role's certificate of the folder $ZIPRING_DEV",
     GROUP_GLOBAL},
    {"uri", KEY_URI, "URI", 0, "zipring://HOST:PORT[,HOST:PORT...] (ZIPRING_URI)", GROUP_GLOBAL},
    {"cert", KEY_CERT, "FILE", 0, "Client certificate, PEM (ZIPRING_CERT)", GROUP_GLOBAL},
    {"key-file", KEY_KEY_FILE, "FILE", 0, "Its private key, PEM (ZIPRING_KEY)", GROUP_GLOBAL},
    {"ca", KEY_CA, "FILE", 0, "The network's CA, PEM (ZIPRING_CA)", GROUP_GLOBAL},
    {NULL, 0, NULL, 0, NULL, 0}};

void
settings_misused(struct argp_state *state, const char *format, ...)
{
    char message[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    argp_error(state, "%s", message); // NOLINT(concurrency-mt-unsafe): before anything else runs.
}

static void
timeout_parse(struct settings *settings, const char *text, struct argp_state *state)
{
    uint64_t timeout_ms;

    if (!text_to_duration(&timeout_ms, text) || timeout_ms == 0 || timeout_ms > 3600000) {
        settings_misused(
            state, "--timeout %s: expected a duration from 1ms to 1h, such as 500ms or 10s", text);
        return;
    }
    settings->timeout_ms = (uint32_t)timeout_ms;
}

/* True: the option was one of the strings. */
static bool
string_parse(struct settings *settings, int key, const char *text)
{
    switch (key) {
    case KEY_URI:
        settings->uri = text;
        return true;
    case KEY_CERT:
        settings->cert = text;
        return true;
    case KEY_KEY_FILE:
        settings->key_file = text;
        return true;
    case KEY_CA:
        settings->ca = text;
        return true;
    case KEY_AS:
        settings->role = text;
        return true;
    case KEY_OP_KEY:
        settings->op_key = text;
        return true;
    default: /* Not one of ours: argp hands every key to every parser. */
        return false;
    }
}

static error_t
global_parse(int key, char *text, struct argp_state *state)
{
    struct settings *settings = state->input;

    if (string_parse(settings, key, text)) {
        return 0;
    }
    if (key == KEY_TIMEOUT) {
        timeout_parse(settings, text, state);
        return 0;
    }
    if (key == KEY_JSON) {
        settings->json = true;
        return 0;
    }
    if (key == KEY_DRY_RUN) {
        settings->dry_run = true;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

const struct argp settings_argp = {global_options, global_parse, NULL, NULL, NULL, NULL, NULL};

/* ---- where values come from -------------------------------------------------------------- */

/* "folder/name" into `path`; false when it does not fit. */
static bool
path_join(char path[SETTINGS_PATH_MAX], const char *folder, const char *name)
{
    const int length = snprintf(path, SETTINGS_PATH_MAX, "%s/%s", folder, name);

    return length > 0 && length < SETTINGS_PATH_MAX;
}

static bool
path_copy(char path[SETTINGS_PATH_MAX], const char *from)
{
    const int length = snprintf(path, SETTINGS_PATH_MAX, "%s", from);

    return length >= 0 && length < SETTINGS_PATH_MAX;
}

static const char *
environment(const char *name)
{
    const char *value = getenv(name); // NOLINT(concurrency-mt-unsafe): one thread.

    return value != NULL && *value != '\0' ? value : NULL;
}

/* The first line of a file; false when there is none. */
static bool
line_read(char line[SETTINGS_PATH_MAX], const char *path)
{
    FILE *file = fopen(path, "re");
    bool read;

    if (file == NULL) {
        return false;
    }
    read = fgets(line, SETTINGS_PATH_MAX, file) != NULL;
    (void)fclose(file);
    if (read) {
        line[strcspn(line, "\r\n")] = '\0';
    }
    return read && *line != '\0';
}

/* ~/.config/zipring, or where XDG_CONFIG_HOME says. */
static bool
config_folder(char folder[SETTINGS_PATH_MAX])
{
    const char *config = environment("XDG_CONFIG_HOME");
    const char *home = environment("HOME");

    if (config != NULL) {
        return path_join(folder, config, "zipring");
    }
    return home != NULL && path_join(folder, home, ".config/zipring");
}

/* The first role of `roles` that has a certificate in the dev folder; 0 = none. */
static uint8_t
role_pick(const char *dev, uint16_t roles, bool prefer_admin)
{
    uint8_t picked = 0;

    for (unsigned role = ZR_ROLE_SWITCH; role <= ZR_ROLE_BENCH; role++) {
        char name[32];
        char file[40];
        char path[SETTINGS_PATH_MAX];

        text_role_file(name, sizeof name, (uint8_t)role);
        (void)snprintf(file, sizeof file, "%s.pem", name);
        if ((roles >> role & 1) == 0 || !path_join(path, dev, file) || access(path, R_OK) != 0) {
            continue;
        }
        if (prefer_admin && role == ZR_ROLE_ADMIN) {
            return ZR_ROLE_ADMIN;
        }
        picked = picked == 0 ? (uint8_t)role : picked;
    }
    return picked;
}

/* Certificate, key and CA out of the dev folder. */
static bool
dev_identity(struct endpoint_settings *endpoint, const char *dev, uint8_t role)
{
    char name[32];
    char file[40];

    text_role_file(name, sizeof name, role);
    (void)snprintf(file, sizeof file, "%s.pem", name);
    if (!path_join(endpoint->cert, dev, file)) {
        return false;
    }
    (void)snprintf(file, sizeof file, "%s.key", name);
    return path_join(endpoint->key_file, dev, file) && path_join(endpoint->ca, dev, "ca.pem");
}

static bool
dev_resolve(struct endpoint_settings *endpoint, const struct settings *settings, uint16_t roles,
            bool prefer_admin, char why[256])
{
    const char *dev = environment("ZIPRING_DEV");
    uint8_t role = 0;

    if (dev == NULL) {
        if (settings->role != NULL) {
            (void)snprintf(why, 256,
                           "--as needs the dev folder: set ZIPRING_DEV, see `zipring dev'");
        }
        return settings->role == NULL;
    }
    if (settings->role != NULL && !text_to_enum(&role, settings->role, zr_type_role.values)) {
        (void)snprintf(why, 256, "--as %s: no such role", settings->role);
        return false;
    }
    if (role == 0) {
        role = role_pick(dev, roles, prefer_admin);
    }
    if (role == 0) {
        (void)snprintf(why, 256, "no certificate in %s may do this; say --as or --cert", dev);
        return false;
    }
    return dev_identity(endpoint, dev, role);
}

/* The URI: environment, dev folder, configuration folder. */
static void
uri_resolve(struct endpoint_settings *endpoint, const char *folder)
{
    const char *dev = environment("ZIPRING_DEV");
    const char *given = environment("ZIPRING_URI");
    char path[SETTINGS_PATH_MAX];

    if (given != NULL) {
        (void)path_copy(endpoint->uri, given);
    } else if (dev != NULL && path_join(path, dev, "uri") && line_read(endpoint->uri, path)) {
        return;
    } else if (folder != NULL && path_join(path, folder, "uri")) {
        (void)line_read(endpoint->uri, path);
    }
}

/* Fill *path when nothing did yet: the environment's value, else the file of the folder. */
static void
path_default(char path[SETTINGS_PATH_MAX], const char *variable, const char *folder,
             const char *name)
{
    const char *given = environment(variable);

    if (*path != '\0') {
        return;
    }
    if (given != NULL) {
        (void)path_copy(path, given);
    } else if (folder != NULL) {
        (void)path_join(path, folder, name);
    }
}

bool
settings_resolve(struct endpoint_settings *endpoint, const struct settings *settings,
                 uint16_t roles, bool prefer_admin, char why[256])
{
    char folder_path[SETTINGS_PATH_MAX];
    const char *folder = config_folder(folder_path) ? folder_path : NULL;

    CHECK(endpoint != NULL);
    CHECK(why != NULL);
    memset(endpoint, 0, sizeof *endpoint);
    if (settings->cert == NULL && !dev_resolve(endpoint, settings, roles, prefer_admin, why)) {
        return false;
    }
    uri_resolve(endpoint, folder);
    path_default(endpoint->cert, "ZIPRING_CERT", folder, "cert.pem");
    path_default(endpoint->key_file, "ZIPRING_KEY", folder, "key.pem");
    path_default(endpoint->ca, "ZIPRING_CA", environment("ZIPRING_DEV"), "ca.pem");
    path_default(endpoint->ca, "ZIPRING_CA", folder, "ca.pem");
    if ((settings->uri != NULL && !path_copy(endpoint->uri, settings->uri)) ||
        (settings->cert != NULL && !path_copy(endpoint->cert, settings->cert)) ||
        (settings->key_file != NULL && !path_copy(endpoint->key_file, settings->key_file)) ||
        (settings->ca != NULL && !path_copy(endpoint->ca, settings->ca))) {
        (void)snprintf(why, 256, "a connection option is longer than %d bytes", SETTINGS_PATH_MAX);
        return false;
    }
    if (*endpoint->uri == '\0') {
        (void)snprintf(why, 256,
                       "no server is named: give --uri, set ZIPRING_URI or ZIPRING_DEV, or start "
                       "one with `zipring dev --dir D'");
        return false;
    }
    return true;
}
