/*
 * endpoint.h - where the servers are, which one is next, and how long to wait before it.
 *
 * The list comes from the uri, in order of preference; what HELLO_OK names as peers is added
 * behind it. A name may stand for several addresses. One pass over all addresses is a round:
 * within a round the next one is tried at once, between rounds there is a pause of random length,
 * with a bound that doubles each time (full jitter), so that the clients of a server that
 * went away do not come back all in the same instant.
 *
 * Names are resolved with getaddrinfo(), which blocks, when they are first connected to and
 * again after a round in which they failed. Addresses never are.
 */
#ifndef ZR_CLIENT_ENDPOINT_H
#define ZR_CLIENT_ENDPOINT_H

#include "client/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ZRC_ENDPOINTS_MAX = 16,           /* All. */
    ZRC_ENDPOINTS_CONFIGURED_MAX = 8, /* Those of the uri. */
    ZRC_ENDPOINT_ADDRESSES_MAX = 4,
    ZRC_ENDPOINT_NAME_BYTES = 64, /* "host:port" for people, cut off. */
};

struct zrc_endpoint {
    char host[ZRC_LINK_HOST_BYTES];
    char port[6];
    struct zrc_address addresses[ZRC_ENDPOINT_ADDRESSES_MAX];
    uint32_t addresses_count; /* 0 = not resolved. */
    bool barred;              /* Failed in a way that waiting does not cure (TLS, version). */
};

struct zrc_endpoints {
    struct zrc_endpoint of[ZRC_ENDPOINTS_MAX];
    uint32_t count;
    uint32_t configured_count;
    uint32_t endpoint; /* The one to try. */
    uint32_t address;  /* Its address to try. */
    uint32_t failed;   /* Endpoints that failed in this round. */
    uint32_t rounds;   /* That failed since a connection was good. */
    uint32_t wait_ms_min;
    uint32_t wait_ms_max;
};

/* Parse "zipring://host:port[,host:port...]". False: it is not one, or too long. */
bool zrc_endpoints_init(struct zrc_endpoints *endpoints, const char *uri);

/* Add "host:port,..." behind the list; what is known or no endpoint is passed over. */
void zrc_endpoints_learn(struct zrc_endpoints *endpoints, const uint8_t *peers, size_t peers_bytes);

/* The one to try. */
struct zrc_endpoint *zrc_endpoints_current(struct zrc_endpoints *endpoints);

/* Its address to try, resolved now if need be. NULL: it cannot be resolved. */
const struct zrc_address *zrc_endpoints_address(struct zrc_endpoints *endpoints);

/* "host:port", cut to fit. */
void zrc_endpoint_name(const struct zrc_endpoint *endpoint, char *name, size_t name_bytes);

/* An attempt failed: move on. Returns ms to wait before the next; `random` is any number. */
uint32_t zrc_endpoints_fail(struct zrc_endpoints *endpoints, uint64_t random);

/* A connection that was good has ended: move on. Returns ms to wait, as above. */
uint32_t zrc_endpoints_leave(struct zrc_endpoints *endpoints, uint64_t random);

/* Every endpoint of the uri is barred. */
bool zrc_endpoints_all_barred(const struct zrc_endpoints *endpoints);

#endif
