/*
 * link.c - see link.h.
 */
#include "client/link.h"

#include "protocol/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool
zrc_link_init(struct zrc_link *link)
{
    CHECK(link != NULL);

    *link = (struct zrc_link){.fd = -1};
    link->plain =
        (struct zrc_fifo){.bytes = malloc(ZRC_LINK_PLAIN_BYTES), .capacity = ZRC_LINK_PLAIN_BYTES};
    if (link->plain.bytes == NULL || !zrc_tls_init(&link->tls)) {
        zrc_link_deinit(link);
        return false;
    }
    return true;
}

void
zrc_link_deinit(struct zrc_link *link)
{
    CHECK(link != NULL);

    if (link->fd >= 0) {
        (void)close(link->fd);
    }
    zrc_tls_deinit(&link->tls);
    free(link->plain.bytes);
    *link = (struct zrc_link){.fd = -1};
}

static enum zrc_link_result
lost(struct zrc_link *link, int result, int system_errno, const char *text)
{
    CHECK(result < 0);
    link->failure =
        (struct zrc_link_failure){.result = result, .system_errno = system_errno, .text = text};
    return ZRC_LINK_LOST;
}

static void
link_set_options(int fd)
{
    const int on = 1;
    const unsigned unacked_ms = ZRC_LINK_UNACKED_MS;

    /* Wishes: the connection works without them. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
}

enum zrc_link_result
zrc_link_connect(struct zrc_link *link, const struct zrc_tls_context *context,
                 const struct zrc_address *address, const char *host)
{
    const size_t host_bytes = strlen(host);

    CHECK(link->state == ZRC_LINK_DOWN);
    CHECK(link->fd < 0);
    CHECK(host_bytes < sizeof link->host);

    memcpy(link->host, host, host_bytes + 1);
    link->plain.start = link->plain.end = 0;
    link->send_failed = false;
    if (!zrc_tls_start(&link->tls, context, link->host)) {
        return lost(link, ZR_EDISCONNECTED, ENOMEM, "OpenSSL has no memory");
    }
    link->fd = socket(address->socket_address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                      IPPROTO_TCP);
    if (link->fd < 0) {
        zrc_tls_stop(&link->tls);
        return lost(link, ZR_EDISCONNECTED, errno, "socket");
    }
    link_set_options(link->fd);
    link->state = ZRC_LINK_CONNECTING;
    if (connect(link->fd, (const struct sockaddr *)&address->socket_address, address->bytes) != 0 &&
        errno != EINPROGRESS && errno != EINTR) {
        return lost(link, ZR_EDISCONNECTED, errno, "connect");
    }
    return ZRC_LINK_OK;
}

/* The TCP connection: there, under way, or refused. */
static enum zrc_link_result
link_connected(struct zrc_link *link)
{
    struct pollfd wait = {.fd = link->fd, .events = POLLOUT};
    int error = 0;
    socklen_t error_bytes = sizeof error;

    if (poll(&wait, 1, 0) == 0) {
        return ZRC_LINK_BLOCKED;
    }
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes) != 0) {
        error = errno;
    }
    if (error != 0) {
        return lost(link, ZR_EDISCONNECTED, error, "connect");
    }
    link->state = ZRC_LINK_HANDSHAKING;
    return ZRC_LINK_OK;
}

static enum zrc_link_result
link_handshake(struct zrc_link *link)
{
    const enum zrc_link_result received = zrc_link_receive(link);
    const enum zrc_tls_result result = zrc_tls_handshake(&link->tls, link->host);

    /* Also after a failure: it sends the alert that tells the server why. */
    (void)zrc_link_flush(link);
    switch (result) {
    case ZRC_TLS_DONE:
        link->state = ZRC_LINK_UP;
        return ZRC_LINK_OK;
    case ZRC_TLS_MORE:
        return received == ZRC_LINK_LOST ? ZRC_LINK_LOST : ZRC_LINK_BLOCKED;
    case ZRC_TLS_CLOSED:
        return lost(link, ZR_EDISCONNECTED, 0, "the server hung up in the handshake");
    case ZRC_TLS_FAILED:
        break;
    }
    return lost(link, ZR_ETLS, 0, link->tls.text);
}

enum zrc_link_result
zrc_link_establish(struct zrc_link *link)
{
    enum zrc_link_result result = ZRC_LINK_OK;

    CHECK(link->state == ZRC_LINK_CONNECTING || link->state == ZRC_LINK_HANDSHAKING);

    if (link->state == ZRC_LINK_CONNECTING) {
        result = link_connected(link);
    }
    return result == ZRC_LINK_OK ? link_handshake(link) : result;
}

enum zrc_link_result
zrc_link_receive(struct zrc_link *link)
{
    struct zrc_fifo *const in = &link->tls.in;
    const size_t room = zrc_fifo_compact(in);
    ssize_t received;

    CHECK(link->fd >= 0);
    if (room == 0) {
        return ZRC_LINK_OK;
    }
    received = recv(link->fd, in->bytes + in->end, room, 0);
    if (received == 0) {
        return lost(link, ZR_EDISCONNECTED, 0, "the server closed the connection");
    }
    if (received < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            return ZRC_LINK_BLOCKED;
        }
        return lost(link, ZR_EDISCONNECTED, errno, "recv");
    }
    in->end += (size_t)received;
    link->bytes_in += (size_t)received;
    return (size_t)received == room ? ZRC_LINK_OK : ZRC_LINK_BLOCKED;
}

enum zrc_link_result
zrc_link_open(struct zrc_link *link)
{
    const size_t room = zrc_fifo_compact(&link->plain);
    size_t opened = 0;

    CHECK(link->state == ZRC_LINK_UP);
    CHECK(room > 0); /* Whole frames are taken before, and the longest is half the buffer. */

    switch (zrc_tls_open(&link->tls, &opened, link->plain.bytes + link->plain.end, room)) {
    case ZRC_TLS_DONE:
        link->plain.end += opened;
        return ZRC_LINK_OK;
    case ZRC_TLS_MORE:
        return ZRC_LINK_BLOCKED;
    case ZRC_TLS_CLOSED:
        return lost(link, ZR_EDISCONNECTED, 0, "the server closed the connection");
    case ZRC_TLS_FAILED:
        break;
    }
    return lost(link, ZR_ETLS, 0, link->tls.text);
}

bool
zrc_link_has_room(struct zrc_link *link)
{
    return zrc_tls_has_room(&link->tls);
}

enum zrc_link_result
zrc_link_seal(struct zrc_link *link, const uint8_t *plain, size_t plain_count)
{
    CHECK(link->state == ZRC_LINK_UP);

    if (zrc_tls_seal(&link->tls, plain, plain_count) != ZRC_TLS_DONE) {
        return lost(link, ZR_ETLS, 0, link->tls.text);
    }
    return ZRC_LINK_OK;
}

enum zrc_link_result
zrc_link_flush(struct zrc_link *link)
{
    struct zrc_fifo *const out = &link->tls.out;
    ssize_t sent;

    while (zrc_fifo_count(out) > 0 && !link->send_failed) {
        sent = send(link->fd, out->bytes + out->start, zrc_fifo_count(out), MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            return ZRC_LINK_BLOCKED;
        }
        if (sent < 0) {
            link->send_failed = true;
        } else {
            out->start += (size_t)sent;
            link->bytes_out += (size_t)sent;
        }
    }
    out->start = out->end = 0;
    return ZRC_LINK_OK;
}

bool
zrc_link_wants_writable(const struct zrc_link *link)
{
    return link->state == ZRC_LINK_CONNECTING ||
           (link->state != ZRC_LINK_DOWN && !link->send_failed &&
            zrc_fifo_count(&link->tls.out) > 0);
}

void
zrc_link_close(struct zrc_link *link, bool say_goodbye)
{
    if (link->fd < 0) {
        return;
    }
    if (say_goodbye) {
        zrc_tls_finish(&link->tls);
        (void)zrc_link_flush(link);
    }
    (void)close(link->fd);
    link->fd = -1;
    link->state = ZRC_LINK_DOWN;
    zrc_tls_stop(&link->tls);
}
