/*
 * endpoint.h - where the server is and as whom the load tester speaks to it.
 *
 * The same options and environment as zipring(1). Three sources, the first that says something
 * wins, each field by itself: the options (--uri, --cert, --key-file, --ca); the folder of
 * `zipring dev` (--dev or ZIPRING_DEV), whose certificate is picked by role; ZIPRING_URI,
 * ZIPRING_CERT, ZIPRING_KEY and ZIPRING_CA. ZIPRING_URI alone goes before ZIPRING_DEV.
 */
#ifndef ZR_BENCH_ENDPOINT_H
#define ZR_BENCH_ENDPOINT_H

#include "bench/fault.h"

#include <argp.h>
#include <limits.h>
#include <stdbool.h>

/* As the options gave them; NULL = not given. */
struct endpoint_options {
    const char *uri;
    const char *cert;
    const char *key;
    const char *ca;
    const char *dev;  /* Folder of `zipring dev`. */
    const char *role; /* --as. */
};

/* Child parser of a command's argp; its input is a struct endpoint_options. */
extern const struct argp endpoint_argp;

struct endpoint {
    char uri[1024];
    char cert[PATH_MAX];
    char key[PATH_MAX];
    char ca[PATH_MAX];
    const char *role; /* Asked for: "switch". */
};

/* Resolve for `role` ("switch", "bench", "admin" ...); --as overrides it. */
bool endpoint_resolve(struct endpoint *endpoint, const struct endpoint_options *options,
                      const char *role, struct fault *fault);

#endif
