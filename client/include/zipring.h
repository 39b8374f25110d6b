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
 * Three ways to use it:
 *
 *   blocking      zr_call(), or its typed twins zr_claim(), zr_route(), zr_connect() ...
 *   non-blocking  zr_submit() with a callback, zr_client_fd() in your own loop (it is an epoll
 *                 fd: readable = call zr_client_process()), callbacks run inside process().
 *   a switch      zr_call_begin() on top of it: one call's cascade, SIP in, one callback per leg.
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
    /*
     * A switch that says of each connected leg, at least every 4 min, that it still talks: by
     * zr_call_talk(), or KEEPALIVE itself. Silence then frees the contractor for the next call
     * after 5 min, not 30 (domain.md M3 "unit_ttl"), so one that is not going to report must not
     * ask for it. In force where zr_client_hello() has ZR_FEATURE_KEEPALIVE in its features.
     */
    ZR_OPTION_KEEPALIVE = 1u << 2,
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

/* ---- a call's cascade ---------------------------------------------------------------------- */

/*
 * For a switch: one call from ROUTE to END, over the non-blocking client. Your signalling reports
 * what SIP says; the helper tells the network, and calls back with what to do next:
 *
 *   zr_call_begin --ROUTE--> ring(leg 0) --failed, timeout--ROUTE_NEXT--> ring(leg 1) ... done
 *                               | answered: CONNECT
 *                            bridge(leg) --hangup: END--> done, or ring() while the caller stays
 *
 * Strictly serial (domain.md R49): ring() comes only after the leg before it is over in your switch
 * or hangup() was called for it; each leg gets one ring(). Nothing here blocks. Each report is one
 * request under its natural key, repeated by the library's rules; one is in flight at a time.
 *
 * Reports name their leg, because SIP is late by nature: the 487 of a leg that was cancelled comes
 * while the next one rings. Every report returns 0 when it was taken; ZR_ECANCELED when that leg
 * does not wait for it (any more): an answer that comes so late is acknowledged and hung up;
 * ZR_EINVAL, or what zr_submit() says (ZR_EFULL: process(), report again). < 0 changed nothing.
 *
 * Memory: zr_call_begin() takes it once, about 1 KiB, and nothing is allocated after;
 * zr_call_free() gives it back.
 */
struct zr_cascade;

enum { ZR_CASCADE_LEGS_MAX = 8 }; /* A network's max_attempts is below it. */

/* One contractor's turn. The library's memory: read it in callbacks, until zr_call_free(). */
struct zr_cascade_leg {
    uint64_t phone;           /* E.164 digits as a number: ring this one, follow no redirection. */
    uint64_t answered_at_ms;  /* Log clock, Unix ms; 0 = never answered. */
    int64_t amount_cents;     /* Charged to it so far. */
    uint32_t contractor;      /* The server's number. */
    uint32_t rate_cents;      /* Charged if the call qualifies (R53). */
    uint32_t ring_timeout_ms; /* Yours to measure, from the first 180 or 183 (R49). */
    uint32_t qualify_ms;      /* Talk that makes it chargeable (R51). */
    uint32_t ring_ms;         /* How long it rang, once that is over. */
    uint32_t talk_ms;         /* Largest that was reported, or that END counted. */
    int result;               /* Of CONNECT or END where it was not 0. */
    uint8_t number;           /* 0, 1 ... in this call: what every report names. */
    uint8_t rank;             /* Title rank: 1 = primary. */
    uint8_t mode;             /* 0 ring the phone, 1 the app (R19). */
    uint8_t outcome;          /* enum zr_leg_outcome: why it was passed over; 0 = it was not. */
    uint8_t settlement;       /* enum zr_settlement; 0 = never connected or not known. */
};

/* The whole call, told once. Valid inside done() only, but for the legs. */
struct zr_cascade_story {
    size_t size;          /* sizeof(struct zr_cascade_story) of the library. */
    struct zr_id call_id; /* As given. */
    struct zr_id call_ref;
    /* 0: a leg was connected and ended. > 0: why there is none: EXHAUSTED, NO_COVERAGE,
     * NEED_ADDRESS, ABANDONED (the caller gave up), ALREADY_CONNECTED ... < 0: transport. */
    int result;
    int64_t amount_cents; /* Charged for the call; a leg that was credited counts nothing. */
    uint8_t settlement;   /* Of the leg charged, else of the last that connected; 0 = none. */
    uint8_t state;        /* enum zr_call_state as the server said it last; 0 = never. */
    uint8_t legs_count;
    const struct zr_cascade_leg *legs[ZR_CASCADE_LEGS_MAX]; /* In the order of ringing. */
    /* What refused the call: zips of NEED_ADDRESS, skipped of NO_COVERAGE; else NULL. */
    const struct zr_route_reply *refusal;
    /* An END that the server has not confirmed: copy it, zr_submit() it again until it is answered,
     * up to 7 days; else money stays on hold. NULL = none. Where the client was closed under a
     * talk, set talk_ms and who_hung_up when that ends. */
    const struct zr_end_request *unanswered;
};

/* Callbacks run inside process(), call(), flush(), wait_ready() or close(); hangup() also inside
 * the report that causes it. All may report and submit; none may process, call or close. */
typedef void (*zr_leg_fn)(void *context, const struct zr_cascade_leg *leg);
typedef void (*zr_story_fn)(void *context, const struct zr_cascade_story *story);

/* All but timeout_ms and context are required. */
struct zr_cascade_options {
    size_t size; /* sizeof(struct zr_cascade_options). */
    /* call_id not zero; want becomes 1 and hold is set: each leg is judged when its turn comes. */
    const struct zr_route_request *route;
    uint32_t timeout_ms; /* Of each report with its retries, 0 = the client's. */
    zr_leg_fn ring;      /* Send the INVITE, start the ring timer; report what comes. */
    zr_leg_fn bridge;    /* CONNECT is done: join caller and contractor. */
    zr_leg_fn hangup;    /* Given up while it may live: CANCEL, or BYE once answered. */
    zr_story_fn done;    /* Exactly once, last. */
    void *context;
};

/*
 * ROUTE a call. 0: *call is set and done() will run once, also when the client is closed first.
 * ZR_EINVAL, ZR_ENOMEM or what zr_submit() says: nothing was begun.
 */
ZR_MUST_USE ZR_API int zr_call_begin(struct zr_client *client,
                                     const struct zr_cascade_options *options,
                                     struct zr_cascade **call);

/* Give the memory back: from inside done() on (CHECKed), not earlier. NULL is fine. */
ZR_API void zr_call_free(struct zr_cascade *call);

/* 1xx. The first 180 or 183 starts the ring time; 181 gives the leg up as FORWARDED (R50). */
ZR_API int zr_call_progress(struct zr_cascade *call, uint8_t leg, int sip_code);

/* 200: CONNECT, before bridging. answered_at_ms: log clock, 0 = now. When refused, hangup() and
 * on to the next, or done(). When the network cannot be asked: bridge(), and END's ticket settles
 * it (E44). */
ZR_API int zr_call_answered(struct zr_cascade *call, uint8_t leg, uint64_t answered_at_ms);

/* A final 3xx..6xx of the ringing leg: its outcome by zr_sip_outcome(), then the next (E34). */
ZR_API int zr_call_failed(struct zr_cascade *call, uint8_t leg, int sip_code);

/* It rang for ring_timeout_ms: hangup(), NO_ANSWER, then the next. */
ZR_API int zr_call_timeout(struct zr_cascade *call, uint8_t leg);

/* A machine answered, or nobody pressed 1, before CONNECT or after: hangup(), then the next (E36).
 */
ZR_API int zr_call_voicemail(struct zr_cascade *call, uint8_t leg);

/*
 * Both ends have been up for talk_ms: QUALIFY, and KEEPALIVE once the call is qualified, or from
 * the first one where ZR_OPTION_KEEPALIVE is in force. Best at qualify_ms, so that a switch that
 * dies later has proved the talk, and then every minute or so. While one is in flight a later one
 * is only remembered for END.
 */
ZR_API int zr_call_talk(struct zr_cascade *call, uint8_t leg, uint32_t talk_ms);

/*
 * BYE of an answered leg: END. who: enum zr_hung_up. caller_stays 1: the caller's leg is still up;
 * the cascade then goes on if the talk was shorter than qualify_ms (E47), else the call is over.
 */
ZR_API int zr_call_hangup(struct zr_cascade *call, uint8_t leg, uint8_t who, uint32_t talk_ms,
                          int caller_stays);

/* The caller gave up: CANCEL before the answer, or while nobody is connected. hangup() of what
 * lives, nobody else rings; ABANDONED (E34), or END of a leg that was just answered. */
ZR_API int zr_call_cancel(struct zr_cascade *call);

/*
 * enum zr_leg_outcome of a contractor's SIP response: 408 480 487 NO_ANSWER, 486 600 BUSY, 603
 * DECLINED, 3xx 181 FORWARDED, other 4xx..6xx FAILED; 0 = none of these. Never pass a 6xx on to
 * the caller.
 */
ZR_API uint8_t zr_sip_outcome(int sip_code);

/* ---- events and the map -------------------------------------------------------------------- */

/*
 * Follow what happens. One subscription of each kind per client; its callback runs once per event,
 * inside process(), call(), wait_ready() or flush(), in the order of the server. The library asks
 * again after each reconnect, from behind the last event that it delivered: at least once, in
 * order, however often the connection breaks. Acknowledge (zr_events_ack(), under a name) what you
 * have dealt with, and a new process goes on there.
 *
 * result 0: `event` is set, and valid inside the callback only. Else it is NULL, and the
 * subscription is over, in its last call: CURSOR_TOO_OLD (events behind the cursor are gone, or it
 * lies ahead), FORBIDDEN ... or < 0: the client's final error, ZR_ECANCELED at close. The callback
 * may submit, unsubscribe and, once it is over, subscribe; it must not process, call or close.
 *
 * A reader that is too slow gets one EVENTS_GAP: it has missed the events from its event_seq to
 * its number, and goes on behind them (E67).
 */
typedef void (*zr_event_fn)(void *context, int result, const struct zr_event *event);
typedef void (*zr_map_fn)(void *context, int result, const struct zr_map_change *change);

/*
 * 0: accepted, also while there is no connection; the callback's last call will come unless you
 * unsubscribe. ZR_EINVAL: arguments, or one of this kind is there already. ZR_ECANCELED, or the
 * client's final error. For the map: read MAP_SNAPSHOT or AVAILABILITY first, then follow from the
 * version of its first reply; a change with zip 0 means "read it again", and so does
 * CURSOR_TOO_OLD.
 */
ZR_MUST_USE ZR_API int zr_subscribe_events(struct zr_client *client,
                                           const struct zr_events_subscribe_request *request,
                                           zr_event_fn on_event, void *context);
ZR_MUST_USE ZR_API int zr_subscribe_map(struct zr_client *client,
                                        const struct zr_map_subscribe_request *request,
                                        zr_map_fn on_change, void *context);

/* End the subscription that was made by this op (ZR_OP_EVENTS_SUBSCRIBE, ZR_OP_MAP_SUBSCRIBE): its
 * callback does not run any more. ZR_EINVAL: there is none. */
ZR_API int zr_unsubscribe(struct zr_client *client, uint16_t op);

/* ---- versions ---------------------------------------------------------------------------- */

ZR_API int zr_version(void); /* Of the library at run time: compare with ZR_VERSION_NUMBER. */
ZR_API const char *zr_version_text(void);

#ifdef __cplusplus
}
#endif
#endif
