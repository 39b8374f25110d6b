/*
 * listener.h - the listening socket, and who is at the other end of an accepted one.
 */
#ifndef ZR_LISTENER_H
#define ZR_LISTENER_H

#include "server/base/status.h"

#include <stdint.h>

struct listener {
    int fd;
    uint16_t port; /* Host byte order: the one picked when 0 was asked for. */
};

/* The part of a peer's address that is one customer: IPv4 /24, IPv6 /48, and which it is. */
struct source_prefix {
    uint8_t bytes[8];
};

/*
 * Bind "127.0.0.1:7464", "[::1]:7464" or "[::]:0" and listen. Addresses
 * only, no names: a listener must not depend on DNS. INVALID: the text; IN_USE; IO.
 */
MUST_USE enum status listener_open(struct listener *out, const char *address);

void listener_close(struct listener *listener);

/* Of an accepted socket. A peer that has gone already has the zero prefix. */
struct source_prefix listener_prefix(int fd);

#endif
