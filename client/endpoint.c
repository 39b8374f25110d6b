/*
 * endpoint.c - see endpoint.h.
 */
#include "client/endpoint.h"

#include "protocol/check.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const char scheme[] = "zipring://";
static const char port_default[] = "7464";

enum { SCHEME_BYTES = sizeof scheme - 1, DOUBLINGS_MAX = 16, PORT_MAX = 65535 };

/* ---- parsing --------------------------------------------------------------------------------- */

/* A piece of text that is not NUL-terminated. */
struct piece {
    const char *text;
    size_t bytes;
};

/* Copy into a zeroed array; false when it is empty or does not fit with its NUL. */
static bool
piece_copy(char *to, size_t to_bytes, struct piece piece)
{
    if (piece.bytes == 0 || piece.bytes >= to_bytes) {
        return false;
    }
    memcpy(to, piece.text, piece.bytes);
    to[piece.bytes] = '\0';
    return true;
}

static bool
port_is_valid(const char *port)
{
    uint32_t number = 0;

    for (const char *digit = port; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9') {
            return false;
        }
        number = number * 10 + (uint32_t)(*digit - '0');
    }
    return number > 0 && number <= PORT_MAX;
}

/* Letters, digits, hyphens and dots of names; colons and percent of IPv6. */
static bool
host_is_valid(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_:%";

    return host[strspn(host, allowed)] == '\0';
}

/* Where the host ends and the port begins; "[::1]:7464" too. False: it is no endpoint. */
static bool
endpoint_split(struct piece *host, struct piece *port, struct piece piece)
{
    const char *const end = piece.text + piece.bytes;
    const char *at;

    *port = (struct piece){port_default, sizeof port_default - 1};
    if (piece.bytes > 0 && piece.text[0] == '[') {
        at = memchr(piece.text, ']', piece.bytes);
        if (at == NULL) {
            return false;
        }
        *host = (struct piece){piece.text + 1, (size_t)(at - piece.text - 1)};
        at++;
    } else {
        at = memchr(piece.text, ':', piece.bytes);
        at = at == NULL ? end : at;
        *host = (struct piece){piece.text, (size_t)(at - piece.text)};
    }
    if (at == end) {
        return true;
    }
    *port = (struct piece){at + 1, (size_t)(end - at - 1)};
    return *at == ':';
}

static bool
endpoint_parse(struct zrc_endpoint *endpoint, struct piece piece)
{
    struct piece host;
    struct piece port;

    *endpoint = (struct zrc_endpoint){0};
    return endpoint_split(&host, &port, piece) &&
           piece_copy(endpoint->host, sizeof endpoint->host, host) &&
           piece_copy(endpoint->port, sizeof endpoint->port, port) &&
           host_is_valid(endpoint->host) && port_is_valid(endpoint->port);
}

/* Cut the next piece off a list with commas; false at its end. */
static bool
piece_next(struct piece *piece, struct piece *rest)
{
    const char *comma;

    if (rest->text == NULL) {
        return false;
    }
    comma = memchr(rest->text, ',', rest->bytes);
    *piece = *rest;
    if (comma == NULL) {
        *rest = (struct piece){0};
    } else {
        piece->bytes = (size_t)(comma - rest->text);
        *rest = (struct piece){comma + 1, rest->bytes - piece->bytes - 1};
    }
    return true;
}

bool
zrc_endpoints_init(struct zrc_endpoints *endpoints, const char *uri)
{
    struct piece rest;
    struct piece piece;

    CHECK(endpoints != NULL);
    CHECK(uri != NULL);

    *endpoints = (struct zrc_endpoints){0};
    if (strncmp(uri, scheme, SCHEME_BYTES) != 0) {
        return false;
    }
    rest = (struct piece){uri + SCHEME_BYTES, strlen(uri + SCHEME_BYTES)};
    if (rest.bytes > 0 && rest.text[rest.bytes - 1] == '/') {
        rest.bytes--;
    }
    while (piece_next(&piece, &rest)) {
        if (endpoints->count == ZRC_ENDPOINTS_CONFIGURED_MAX ||
            !endpoint_parse(&endpoints->of[endpoints->count], piece)) {
            return false;
        }
        endpoints->count++;
    }
    endpoints->configured_count = endpoints->count;
    return endpoints->count > 0;
}

static bool
endpoint_is_known(const struct zrc_endpoints *endpoints, const struct zrc_endpoint *endpoint)
{
    for (uint32_t i = 0; i < endpoints->count; i++) {
        if (strcmp(endpoints->of[i].host, endpoint->host) == 0 &&
            strcmp(endpoints->of[i].port, endpoint->port) == 0) {
            return true;
        }
    }
    return false;
}

void
zrc_endpoints_learn(struct zrc_endpoints *endpoints, const uint8_t *peers, size_t peers_bytes)
{
    struct piece rest = {(const char *)peers, peers_bytes};
    struct piece piece;
    struct zrc_endpoint endpoint;

    CHECK(peers != NULL);
    while (endpoints->count < ZRC_ENDPOINTS_MAX && piece_next(&piece, &rest)) {
        if (endpoint_parse(&endpoint, piece) && !endpoint_is_known(endpoints, &endpoint)) {
            endpoints->of[endpoints->count++] = endpoint;
        }
    }
}

/* ---- which one ------------------------------------------------------------------------------- */

struct zrc_endpoint *
zrc_endpoints_current(struct zrc_endpoints *endpoints)
{
    CHECK(endpoints->endpoint < endpoints->count);
    return &endpoints->of[endpoints->endpoint];
}

static void
endpoint_resolve(struct zrc_endpoint *endpoint)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;

    if (getaddrinfo(endpoint->host, endpoint->port, &hints, &list) != 0) {
        return;
    }
    for (const struct addrinfo *one = list;
         one != NULL && endpoint->addresses_count < ZRC_ENDPOINT_ADDRESSES_MAX;
         one = one->ai_next) {
        struct zrc_address *const address = &endpoint->addresses[endpoint->addresses_count];

        if (one->ai_addrlen > sizeof address->socket_address) {
            continue;
        }
        memcpy(&address->socket_address, one->ai_addr, one->ai_addrlen);
        address->bytes = one->ai_addrlen;
        endpoint->addresses_count++;
    }
    freeaddrinfo(list);
}

const struct zrc_address *
zrc_endpoints_address(struct zrc_endpoints *endpoints)
{
    struct zrc_endpoint *const endpoint = zrc_endpoints_current(endpoints);

    if (endpoint->addresses_count == 0) {
        endpoint_resolve(endpoint);
    }
    if (endpoints->address >= endpoint->addresses_count) {
        return NULL;
    }
    return &endpoint->addresses[endpoints->address];
}

void
zrc_endpoint_name(const struct zrc_endpoint *endpoint, char *name, size_t name_bytes)
{
    const bool v6 = strchr(endpoint->host, ':') != NULL;

    (void)snprintf(name, name_bytes, "%s%.*s%s:%s", v6 ? "[" : "", ZRC_ENDPOINT_NAME_BYTES - 10,
                   endpoint->host, v6 ? "]" : "", endpoint->port);
}

static void
endpoints_advance(struct zrc_endpoints *endpoints)
{
    endpoints->endpoint = (endpoints->endpoint + 1) % endpoints->count;
    endpoints->address = 0;
}

uint32_t
zrc_endpoints_fail(struct zrc_endpoints *endpoints, uint64_t random)
{
    struct zrc_endpoint *const endpoint = zrc_endpoints_current(endpoints);
    uint64_t bound_ms;

    CHECK(endpoints->wait_ms_min > 0);
    CHECK(endpoints->wait_ms_min <= endpoints->wait_ms_max);

    if (endpoints->address + 1 < endpoint->addresses_count) {
        endpoints->address++;
        return 0;
    }
    endpoint->addresses_count = 0; /* A name may have moved. */
    endpoints_advance(endpoints);
    endpoints->failed++;
    if (endpoints->failed < endpoints->count) {
        return 0;
    }
    endpoints->failed = 0;
    bound_ms = (uint64_t)endpoints->wait_ms_min << endpoints->rounds;
    if (bound_ms > endpoints->wait_ms_max) {
        bound_ms = endpoints->wait_ms_max;
    }
    if (endpoints->rounds < DOUBLINGS_MAX) {
        endpoints->rounds++;
    }
    return (uint32_t)(random % (bound_ms + 1));
}

uint32_t
zrc_endpoints_leave(struct zrc_endpoints *endpoints, uint64_t random)
{
    CHECK(endpoints->wait_ms_min > 0);

    endpoints->failed = 0;
    endpoints->rounds = 0;
    endpoints_advance(endpoints);
    return (uint32_t)(random % (endpoints->wait_ms_min + 1));
}

bool
zrc_endpoints_all_barred(const struct zrc_endpoints *endpoints)
{
    for (uint32_t i = 0; i < endpoints->configured_count; i++) {
        if (!endpoints->of[i].barred) {
            return false;
        }
    }
    return true;
}
