/*
 * settings.h - the options that every command takes, and where the connection's values come from.
 */
#ifndef ZR_CLI_SETTINGS_H
#define ZR_CLI_SETTINGS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

enum { SETTINGS_PATH_MAX = 1024 };

/* As given on the command line; NULL and 0 mean not given. The strings are argv's. */
struct settings {
    const char *uri;
    const char *cert;
    const char *key_file;
    const char *ca;
    const char *role;   /* --as */
    const char *op_key; /* --key */
    uint32_t timeout_ms;
    bool json;
    bool dry_run;
};

/* Resolved: what the client library is opened with. */
struct endpoint_settings {
    char uri[SETTINGS_PATH_MAX];
    char cert[SETTINGS_PATH_MAX];
    char key_file[SETTINGS_PATH_MAX];
    char ca[SETTINGS_PATH_MAX];
};

/* argp of these options; its input is a struct settings. */
extern const struct argp settings_argp;

/* argp_error() of a formatted message: does not return. */
__attribute__((format(printf, 2, 3))) void settings_misused(struct argp_state *state,
                                                            const char *format, ...);

/*
 * Options first, then the dev folder ($ZIPRING_DEV), then ZIPRING_URI, _CERT, _KEY, _CA, then
 * ~/.config/zipring. Of the dev folder it takes --as, else ADMIN when `prefer_admin`, else the
 * first role of `roles` whose certificate is there. False: *why (static or in `why_buffer`) tells.
 */
bool settings_resolve(struct endpoint_settings *endpoint, const struct settings *settings,
                      uint16_t roles, bool prefer_admin, char why[256]);

#endif
