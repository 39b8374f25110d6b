/*
 * endpoint.c - see endpoint.h.
 */
#include "bench/endpoint.h"

#include "protocol/check.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_URI = 0x200, KEY_CERT, KEY_KEY, KEY_CA, KEY_DEV, KEY_AS };

static const struct argp_option endpoint_argp_options[] = {
    {"uri", KEY_URI, "URI", 0, "Server: zipring://host:port[,host:port...]", 0},
    {"cert", KEY_CERT, "FILE", 0, "Client certificate, PEM", 0},
    {"key-file", KEY_KEY, "FILE", 0, "Its private key, PEM", 0},
    {"ca", KEY_CA, "FILE", 0, "CA of the network, PEM", 0},
    {"dev", KEY_DEV, "DIR", 0, "Folder of `zipring dev` (default: $ZIPRING_DEV)", 0},
    {"as", KEY_AS, "ROLE", 0, "Which certificate of the dev folder", 0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t
// NOLINTNEXTLINE(readability-non-const-parameter): the type is argp's.
endpoint_option(int key, char *argument, struct argp_state *state)
{
    struct endpoint_options *options = state->input;

    switch (key) {
    case KEY_URI:
        options->uri = argument;
        return 0;
    case KEY_CERT:
        options->cert = argument;
        return 0;
    case KEY_KEY:
        options->key = argument;
        return 0;
    case KEY_CA:
        options->ca = argument;
        return 0;
    case KEY_DEV:
        options->dev = argument;
        return 0;
    case KEY_AS:
        options->role = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp endpoint_argp = {.options = endpoint_argp_options, .parser = endpoint_option};

static const char *
environment_get(const char *name)
{
    const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe): one thread, nothing sets it.

    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* Option, else DIR/file of the dev folder, else the environment. */
static bool
path_resolve(char *path, const char *option, const char *dev, const char *file, const char *name)
{
    const char *variable = environment_get(name);
    int length;

    if (option != NULL) {
        length = snprintf(path, PATH_MAX, "%s", option);
    } else if (dev != NULL) {
        length = snprintf(path, PATH_MAX, "%s/%s", dev, file);
    } else if (variable != NULL) {
        length = snprintf(path, PATH_MAX, "%s", variable);
    } else {
        return false;
    }
    return length > 0 && length < PATH_MAX;
}

/* The first line of DIR/uri. */
static bool
dev_uri_read(char *uri, size_t uri_bytes, const char *dev)
{
    char path[PATH_MAX];
    FILE *file;
    bool got;

    if (snprintf(path, sizeof path, "%s/uri", dev) >= PATH_MAX) {
        return false;
    }
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    got = fgets(uri, (int)uri_bytes, file) != NULL;
    (void)fclose(file);
    if (got) {
        uri[strcspn(uri, "\r\n")] = '\0';
    }
    return got && uri[0] != '\0';
}

/* --uri, else the folder of --dev, else ZIPRING_URI, else the folder of ZIPRING_DEV. */
static bool
uri_resolve(struct endpoint *endpoint, const struct endpoint_options *options, const char *dev,
            struct fault *fault)
{
    const char *uri = options->uri;

    if (uri == NULL && options->dev == NULL) {
        uri = environment_get("ZIPRING_URI");
    }
    if (uri != NULL) {
        const int length = snprintf(endpoint->uri, sizeof endpoint->uri, "%s", uri);

        return (length > 0 && (size_t)length < sizeof endpoint->uri) ||
               fault_set(fault, BENCH_EXIT_USAGE, "the URI is too long");
    }
    if (dev == NULL) {
        return fault_set(fault, BENCH_EXIT_USAGE,
                         "no server given: --uri, --dev DIR, ZIPRING_DEV or ZIPRING_URI");
    }
    return dev_uri_read(endpoint->uri, sizeof endpoint->uri, dev) ||
           fault_set(fault, BENCH_EXIT_USAGE,
                     "%s/uri cannot be read: is `zipring dev --dir %s` running?", dev, dev);
}

bool
endpoint_resolve(struct endpoint *endpoint, const struct endpoint_options *options,
                 const char *role, struct fault *fault)
{
    const char *dev = options->dev != NULL ? options->dev : environment_get("ZIPRING_DEV");
    char cert_file[64];
    char key_file[64];

    CHECK(endpoint != NULL);
    CHECK(role != NULL);
    endpoint->role = options->role != NULL ? options->role : role;
    (void)snprintf(cert_file, sizeof cert_file, "%s.pem", endpoint->role);
    (void)snprintf(key_file, sizeof key_file, "%s.key", endpoint->role);
    if (!uri_resolve(endpoint, options, dev, fault)) {
        return false;
    }
    if (!path_resolve(endpoint->cert, options->cert, dev, cert_file, "ZIPRING_CERT")) {
        return fault_set(fault, BENCH_EXIT_USAGE, "no certificate: --cert, --dev or ZIPRING_CERT");
    }
    if (!path_resolve(endpoint->key, options->key, dev, key_file, "ZIPRING_KEY")) {
        return fault_set(fault, BENCH_EXIT_USAGE,
                         "no private key: --key-file, --dev or ZIPRING_KEY");
    }
    if (!path_resolve(endpoint->ca, options->ca, dev, "ca.pem", "ZIPRING_CA")) {
        return fault_set(fault, BENCH_EXIT_USAGE, "no CA: --ca, --dev or ZIPRING_CA");
    }
    return true;
}
