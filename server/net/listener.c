/*
 * listener.c - see listener.h.
 */
#include "server/net/listener.h"

#include "protocol/check.h"
#include "server/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER_BACKLOG = 4096, LISTENER_HOST_BYTES_MAX = 64, PREFIX_V4_BYTES = 3 };
enum { PREFIX_V6_BYTES = 6, PREFIX_KIND_V4 = 4, PREFIX_KIND_V6 = 6, ADDRESS_V4_MAPPED_AT = 12 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Split "host:port" or "[host]:port". False: no such shape. */
static bool
text_split(const char *text, char *host, uint16_t *port)
{
    const char *const colon = strrchr(text, ':');
    const bool bracketed = text[0] == '[';
    const char *const start = bracketed ? text + 1 : text;
    const char *end = colon;
    char *rest = NULL;
    unsigned long number;

    if (colon == NULL || colon[1] < '0' || colon[1] > '9') {
        return false;
    }
    if (bracketed) {
        end = colon - 1;
        if (end <= start || *end != ']') {
            return false;
        }
    }
    if (end <= start || end - start >= LISTENER_HOST_BYTES_MAX) {
        return false;
    }
    number = strtoul(colon + 1, &rest, 10);
    if (*rest != '\0' || number > UINT16_MAX) {
        return false;
    }
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    *port = (uint16_t)number;
    return true;
}

static bool
address_parse(union address *address, const char *text)
{
    char host[LISTENER_HOST_BYTES_MAX];
    uint16_t port;

    memset(address, 0, sizeof *address);
    if (!text_split(text, host, &port)) {
        return false;
    }
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        return true;
    }
    if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        return true;
    }
    return false;
}

static bool
socket_prepare(int fd, int family)
{
    const int on = 1;

    /* Not REUSEPORT: a second server would share the port of the first, and its clients.
     * NODELAY is inherited by what is accepted: one system call fewer per connection. */
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
           (family == AF_INET || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0);
}

static uint16_t
socket_port(int fd)
{
    union address bound;
    socklen_t bytes = sizeof bound;

    memset(&bound, 0, sizeof bound);
    CHECK(getsockname(fd, &bound.any, &bytes) == 0);
    return ntohs(bound.any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
}

enum status
listener_open(struct listener *out, const char *address)
{
    union address wanted;
    socklen_t bytes;
    int error;
    int fd;

    CHECK(out != NULL);
    CHECK(address != NULL);

    if (!address_parse(&wanted, address)) {
        log_line(LOG_LEVEL_ERROR, "listen_invalid", "address=\"%s\" expected=\"ADDR:PORT\"",
                 address);
        return STATUS_INVALID;
    }
    bytes = wanted.any.sa_family == AF_INET ? sizeof wanted.v4 : sizeof wanted.v6;
    fd = socket(wanted.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        goto say_why;
    }
    if (!socket_prepare(fd, wanted.any.sa_family) || bind(fd, &wanted.any, bytes) != 0 ||
        listen(fd, LISTENER_BACKLOG) != 0) {
        goto say_why;
    }
    *out = (struct listener){.fd = fd, .port = socket_port(fd)};
    return STATUS_OK;

say_why:
    error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    log_line(LOG_LEVEL_ERROR, "listen_failed", "address=\"%s\" error=\"%s\"", address,
             strerrordesc_np(error));
    return error == EADDRINUSE ? STATUS_IN_USE : STATUS_IO;
}

void
listener_close(struct listener *listener)
{
    CHECK(listener != NULL);

    if (listener->fd >= 0) {
        (void)close(listener->fd);
        listener->fd = -1;
    }
}

struct source_prefix
listener_prefix(int fd)
{
    struct source_prefix prefix = {{0}};
    union address peer;
    socklen_t bytes = sizeof peer;
    const uint8_t *host;

    memset(&peer, 0, sizeof peer);
    if (getpeername(fd, &peer.any, &bytes) != 0) {
        return prefix;
    }
    if (peer.any.sa_family == AF_INET) {
        prefix.bytes[0] = PREFIX_KIND_V4;
        memcpy(prefix.bytes + 1, &peer.v4.sin_addr, PREFIX_V4_BYTES);
        return prefix;
    }
    host = peer.v6.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr)) {
        prefix.bytes[0] = PREFIX_KIND_V4;
        memcpy(prefix.bytes + 1, host + ADDRESS_V4_MAPPED_AT, PREFIX_V4_BYTES);
    } else {
        prefix.bytes[0] = PREFIX_KIND_V6;
        memcpy(prefix.bytes + 1, host, PREFIX_V6_BYTES);
    }
    return prefix;
}
