/*
 * zipring.h - the client library of Zipring: claim, route and connect.
 *
 * Three kinds of answer, never mixed (ecosystem.md "Client library"):
 *
 *   0     done
 *   > 0   what the server said: an enum zr_status_code, 0x2027 = NO_COVERAGE ...
 *   < 0   transport: an enum zr_error_code. ZR_ETIMEDOUT means never sent, so never executed;
 *         ZR_EUNKNOWN means sent and the answer lost: ask again with the same key only.
 *
 * Shape. One struct zr_client talks to one network over a list of endpoints. All its memory is
 * taken at open from max_inflight; nothing is allocated per request; a full client says ZR_EFULL
 * at once. There are no hidden threads, signals or globals. A client belongs to one thread at a
 * time. After fork() only the parent may use it; the child may only zr_client_close() it.
 *
 * Two ways to use it:
 *
 *   blocking      zr_call(), or its typed twins zr_claim(), zr_route(), zr_connect() ...
 *   non-blocking  zr_submit() with a callback, zr_client_fd() in your own loop (it is an epoll
 *                 fd: readable = call zr_client_process()), callbacks run inside process().
 *
 * Keys. KEYED operations (messages.def) carry an op_id. Leave it all zero and the library makes
 * one (UUIDv7, stamped with server time) and keeps it over every retry. A request is sent again
 * by the library only when that is safe: reads, KEYED and natural-key operations.
 *
 * Messages are the structs of protocol/message.h. Ids, units and errors are stated there and in
 * PROTOCOL.md. Compiles as C99..C17 and C++.
 */
#ifndef ZIPRING_H
#define ZIPRING_H

#include "protocol/message.h"
#include "protocol/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ZR_VERSION_MAJOR  1
#define ZR_VERSION_MINOR  0
#define ZR_VERSION_NUMBER (ZR_VERSION_MAJOR * 1000 + ZR_VERSION_MINOR)

#if defined(__GNUC__)
#define ZR_API      __attribute__((visibility("default")))
#define ZR_MUST_USE __attribute__((warn_unused_result))
#else
#define ZR_API
#define ZR_MUST_USE
#endif

/* ---- results ----------------------------------------------------------------------------- */

enum zr_error_code {
    ZR_ETIMEDOUT = -1,     /* The deadline passed before it was sent: not executed. */
    ZR_EUNKNOWN = -2,      /* Sent, answer lost: retry with the same key only. */
    ZR_EDISCONNECTED = -3, /* No endpoint could be reached within the deadline: not executed. */
    ZR_EFULL = -4,         /* max_inflight requests are pending: not executed, process() first. */
    ZR_ETLS = -5,          /* The handshake failed: certificate, CA, ALPN or version. */
    ZR_EAUTH = -6,         /* The server knows no live principal for this certificate. */
    ZR_EPROTO = -7,        /* The peer broke the protocol; the connection was closed. */
    ZR_EINVAL = -8,        /* The caller's argument is wrong: nothing was sent. */
    ZR_ENOMEM = -9,        /* No memory at open. */
    ZR_ECANCELED = -10,    /* The client was closed before it was sent: not executed. */
    ZR_EVERSION = -11,     /* No common protocol version. */
};

/* "ZR_EUNKNOWN", "NO_COVERAGE", "OK"; "STATUS_0x20FF" is never returned: unknown ones are NULL. */
ZR_API const char *zr_result_name(int result);

/* One English sentence: what is wrong and what to do. Never NULL. */
ZR_API const char *zr_result_text(int result);

/* 1 when the same request may be sent again under the same key: class 30, 40, and the transport
 * errors that say so. */
ZR_API int zr_result_retryable(int result);

/* What failed where, copied out; all fields are set. */
struct zr_error {
    size_t size;       /* sizeof(struct zr_error), set by ZR_ERROR_INIT. */
    int result;        /* enum zr_error_code. */
    int system_errno;  /* 0 = none. */
    char endpoint[64]; /* host:port that it happened with; empty = none. */
    char text[192];    /* One line for a log. */
};
#define ZR_ERROR_INIT                         \
    {                                         \
        sizeof(struct zr_error), 0, 0, "", "" \
    }

/* ---- client ------------------------------------------------------------------------------ */

struct zr_client;

/* Zero means the default. Set size through ZR_OPTIONS_INIT; the strings are copied. */
struct zr_options {
    size_t size;
    const char *uri;             /* "zipring://host:port[,host:port...]"; required. */
    const char *cert_file;       /* Client certificate chain, PEM; required. */
    const char *key_file;        /* Its private key, PEM; required. */
    const char *ca_file;         /* The network's CA, PEM; required: no system store is used. */
    const char *build;           /* Shown in the server's connection list. */
    uint64_t environment;        /* Environment meant; 0 = any. */
    uint32_t inflight_max;       /* Requests pending at once, default 1,024. */
    uint32_t request_timeout_ms; /* Total per request with all its retries, default 5,000. */
    uint32_t connect_timeout_ms; /* Per endpoint, default 3,000. */
    uint32_t reconnect_min_ms;   /* Full jitter between these, default 50 and 5,000. */
    uint32_t reconnect_max_ms;
    uint32_t frame_bytes_max; /* Asked for at HELLO, default 16,384. */
    uint32_t flags;           /* ZR_OPTION_*. */
    uint8_t client_kind;      /* enum zr_client_kind, default SDK. */
};
#define ZR_OPTIONS_INIT                                                     \
    {                                                                       \
        sizeof(struct zr_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

enum {
    ZR_OPTION_NO_RETRY = 1u << 0, /* Report the first failure instead of sending again. */
    ZR_OPTION_GREASE = 1u << 1,   /* Test builds: send grease ops and ignorable flags too. */
};

/*
 * Make a client; the first process() or call connects. Returns 0, ZR_EINVAL (uri, files) or
 * ZR_ENOMEM; error (may be NULL) says more. Free with zr_client_close(). Names in the uri are
 * resolved when they are connected to, which blocks: use addresses where that must not be.
 */
ZR_MUST_USE ZR_API int zr_client_open(struct zr_client **client, const struct zr_options *options,
                                      struct zr_error *error);

/*
 * Close and free. Every pending callback runs exactly once: ECANCELED or EUNKNOWN. NULL is fine.
 * In a forked child it only frees: the requests and the connection are the parent's.
 */
ZR_API void zr_client_close(struct zr_client *client);

/*
 * Block until HELLO_OK came or timeout_ms passed. 0, or why not. EAUTH is final: every later call
 * says it. So are ETLS and EVERSION when every endpoint failed so and none ever worked.
 */
ZR_MUST_USE ZR_API int zr_client_wait_ready(struct zr_client *client, uint32_t timeout_ms);

/*
 * Process until nothing is pending, at most timeout_ms; runs callbacks. 0, or ZR_ETIMEDOUT with
 * requests still pending, or the final error of the client. Not from a callback.
 */
ZR_API int zr_client_flush(struct zr_client *client, uint32_t timeout_ms);

/*
 * One fd for all endpoints and timers: poll it for readability, level-triggered. A submit outside
 * a callback makes it readable too, so that many submits go out in one process().
 */
ZR_API int zr_client_fd(const struct zr_client *client);

/*
 * Do what is due: connect, send, receive, run callbacks. Waits up to timeout_ms for something
 * to do; 0 = do not wait, -1 = for ever. Returns callbacks run, or < 0. Not from a callback.
 */
ZR_API int zr_client_process(struct zr_client *client, int timeout_ms);

/* Requests accepted and not yet answered. */
ZR_API uint32_t zr_client_pending(const struct zr_client *client);

/* What HELLO_OK said; NULL before it. Valid until the next process() or call. */
ZR_API const struct zr_hello_reply *zr_client_hello(const struct zr_client *client);

/* Server's log clock now, Unix ms: HELLO_OK and PING plus the own monotonic clock. 0 = not known.
 */
ZR_API uint64_t zr_client_server_time_ms(const struct zr_client *client);

/* The last transport failure. */
ZR_API void zr_client_last_error(const struct zr_client *client, struct zr_error *error);

/*
 * A fresh op_id (UUIDv7). Persist it before sending when a crash of yours must not repeat it.
 * ZR_EDISCONNECTED while the server's time is not known: wait_ready() first.
 */
ZR_API int zr_client_make_key(struct zr_client *client, struct zr_id *key);

struct zr_client_stats {
    size_t size;          /* sizeof(struct zr_client_stats), set by the caller. */
    uint64_t sent;        /* Frames with requests. */
    uint64_t answered;    /* Replies matched. */
    uint64_t retried;     /* Requests sent again. */
    uint64_t connects;    /* Connections that reached HELLO_OK. */
    uint64_t disconnects; /* Of those, lost. */
    uint64_t bytes_in, bytes_out;
};
ZR_API void zr_client_get_stats(const struct zr_client *client, struct zr_client_stats *stats);

/* ---- requests ---------------------------------------------------------------------------- */

/* How a request ended. Valid inside the callback only. */
struct zr_completion {
    int result;           /* 0, > 0 server status, < 0 transport. */
    uint16_t op;          /* enum zr_op. */
    uint16_t detail;      /* Offset of a bad field (class 10), or retry after, ms (class 30). */
    uint8_t duplicate;    /* 1: the stored reply of an earlier send. */
    const void *reply;    /* Decoded reply struct of the op on class 00 and 20, else NULL. */
    uint64_t sent_ns;     /* CLOCK_MONOTONIC when it was first written, 0 = never. */
    uint64_t answered_ns; /* CLOCK_MONOTONIC when its answer was read. */
    struct zr_id key;     /* The op_id it went under, of a KEYED operation; else zero. */
};

/*
 * Runs exactly once per accepted request, inside process(), call(), wait_ready(), flush() or
 * close(). May submit; must not process, call or close. Not in a forked child.
 */
typedef void (*zr_done_fn)(void *context, const struct zr_completion *completion);

struct zr_submission {
    size_t size;         /* sizeof(struct zr_submission). */
    uint16_t op;         /* enum zr_op. */
    const void *request; /* The op's request struct; encoded before submit returns. */
    uint32_t timeout_ms; /* Total, 0 = the client's. */
    zr_done_fn done;
    void *context;
};

/*
 * Queue one request. 0 = accepted, done will run once. ZR_EFULL, ZR_EINVAL (unknown op, an
 * array count past its max, a forked child), ZR_ECANCELED (closing) or the client's final error:
 * not accepted, done never runs. A request longer than the server's max_frame ends with ZR_EINVAL.
 */
ZR_MUST_USE ZR_API int zr_submit(struct zr_client *client, const struct zr_submission *submission);

/* About the reply of a blocking call; may be NULL. */
struct zr_call_info {
    uint16_t detail;
    uint8_t duplicate;
    uint64_t rtt_ns;  /* First write to answer; 0 without an answer. */
    struct zr_id key; /* The op_id it went under, of a KEYED operation: ask again with it. */
};

/*
 * Send one request and wait for its end. `reply` is the op's reply struct, filled on class 00
 * and 20 (result 0 or 0x20xx), untouched else. timeout_ms 0 = the client's. Not from a callback.
 */
ZR_MUST_USE ZR_API int zr_call(struct zr_client *client, uint16_t op, const void *request,
                               void *reply, uint32_t timeout_ms, struct zr_call_info *info);

/* Typed twins: zr_claim(client, &request, &reply), zr_route(), zr_connect(), zr_end() ... */
#define MESSAGE(NAME, name, op, version, kind, roles, request, reply)                          \
    static inline int zr_##name(struct zr_client *client, const struct zr_##request *question, \
                                struct zr_##reply *answer)                                     \
    {                                                                                          \
        return zr_call(client, ZR_OP_##NAME, question, answer, 0, NULL);                       \
    }
#include "protocol/messages.def"

/* ---- versions ---------------------------------------------------------------------------- */

ZR_API int zr_version(void); /* Of the library at run time: compare with ZR_VERSION_NUMBER. */
ZR_API const char *zr_version_text(void);

#ifdef __cplusplus
}
#endif
#endif
