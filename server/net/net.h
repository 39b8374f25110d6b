/*
 * net.h - the network layer of one worker: sockets, TLS and frames, and nothing of what a
 * frame means.
 *
 * One `struct net` is one worker: its listening socket, its ring, its connections, its
 * counters. Nothing here is global. What net calls and what it offers upward is
 * server/base/request.h.
 *
 *   net_open ............ any thread: memory, TLS, listening socket, a probe of the kernel
 *   net_run ............. the worker: makes the ring, serves, returns when drained
 *   net_drain, net_stats, net_reload_tls, net_port().wake ... any thread meanwhile
 *   net_close ........... after net_run has returned
 *
 * Our own memory is taken in net_open and never grows. OpenSSL allocates inside a
 * connection; connections_max bounds that, and handshakes_max bounds its peak.
 */
#ifndef ZR_NET_H
#define ZR_NET_H

#include "server/base/request.h"
#include "server/base/status.h"
#include "server/net/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net;

/* Where the keys are. PEM files; the CA file is the only root that a client may chain to. */
struct net_tls_files {
    const char *certificate; /* The server's chain, leaf first. */
    const char *key;         /* Its private key. */
    const char *clients_ca;  /* Roots of client certificates. No system store is used. */
};

/* Every limit of the layer. net_config_defaults() fills in what is not a path. */
struct net_config {
    const char *listen; /* "127.0.0.1:7464", "[::1]:7464"; port 0 picks a free one. */
    struct net_tls_files tls;

    uint32_t connections_max;     /* Slots. */
    uint32_t handshakes_max;      /* At once; above it an accepted socket is closed. */
    uint32_t handshakes_per_turn; /* Handshake steps a turn, so that live peers do not wait. */
    uint32_t accepts_per_s;       /* Token bucket of the worker; 0 = off. */
    uint32_t accepts_burst;
    uint32_t prefix_accepts_per_s; /* The same per IPv4 /24 or IPv6 /48; 0 = off. */
    uint32_t prefix_accepts_burst;

    uint32_t handshake_ms;     /* Accept to handshake done. */
    uint32_t hello_ms;         /* Handshake done to HELLO accepted. */
    uint32_t frame_ms;         /* First byte of a frame or record to its last. */
    uint32_t write_ms;         /* For the peer to take one send, at most 36 KiB. */
    uint32_t idle_ms;          /* Without a frame and without a request in flight. */
    uint32_t linger_ms;        /* After a last frame: for the peer to hear it and hang up. */
    uint32_t session_check_ms; /* on_session_check of every ready connection. */
    uint64_t age_ms;           /* Then GOAWAY; 0 = never. */
    uint64_t age_jitter_ms;    /* Random part added to it, so that they do not end at once. */

    uint32_t out_bytes_high; /* Sealed bytes waiting: above, read no more of this peer ... */
    uint32_t out_bytes_low;  /* ... until they have sunk to this. */
    uint32_t out_bytes_max;  /* Hard bound (deferred replies, pushes): above, close. */

    uint32_t records_per_turn;  /* Per connection; the rest waits for the next turn. */
    uint32_t requests_per_turn; /* The same for requests. */

    uint32_t buffers_count; /* Receive buffers shared by all; a power of two, <= 32768. */
    uint32_t buffer_bytes;  /* Of one; a multiple of 1024. */
    uint32_t blocks_count;  /* Of 36 KiB, shared: partial frames, replies. 0 = from slots. */
    uint32_t spin_us;       /* Poll this long before sleeping in the kernel; 0 = off. */
};

/* Production values for everything but `listen` and `tls`, which become NULL. */
void net_config_defaults(struct net_config *config);

/*
 * Take all memory, load the keys, bind and listen. `*out` is set on STATUS_OK only.
 * INVALID: a limit, an address or a key file is wrong; UNSUPPORTED: the kernel lacks
 * something (the log says what); IN_USE: the port is taken; IO: the system refused. Copies
 * *config and *port; the strings of config are used during the call only.
 */
MUST_USE enum status net_open(struct net **out, const struct net_config *config,
                              const struct request_port *port);

/* Only after net_run has returned, or when it was never called. */
void net_close(struct net *net);

/* The port that is listened on, host byte order: the one picked when 0 was asked for. */
uint16_t net_listen_port(const struct net *net);

/* Bytes of our own memory that net_open took, for the sum that main prints. */
size_t net_memory_bytes(const struct net *net);

/* What handlers and committer call. `reply` on the worker only, `wake` anywhere. */
struct net_port net_port(struct net *net);

/*
 * Optional, before net_run and on its thread: make the ring now, so that main can drop the
 * right to make rings before it serves. net_run does it when it has not been done.
 */
MUST_USE enum status net_start(struct net *net);

/* Serve on this thread until drained. STATUS_OK after a drain. Once per net_open. */
MUST_USE enum status net_run(struct net *net);

/*
 * Stop within drain_ms: no more accepts, GOAWAY to every ready session, deferred replies are
 * awaited and sent, close_notify, then net_run returns. Any thread, and async-signal-safe.
 * A second call may only make it sooner; 0 stops at once.
 */
void net_drain(struct net *net, uint32_t drain_ms);

/* Copy the counters. Any thread. */
void net_stats(const struct net *net, struct net_stats *out);

/*
 * Load new keys, prove them with a handshake in memory, then let new connections use them;
 * live ones keep theirs. On failure the old ones stay and the log says why. Any one thread.
 */
MUST_USE enum status net_reload_tls(struct net *net, const struct net_tls_files *files);

#endif
