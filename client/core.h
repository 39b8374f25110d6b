/*
 * core.h - the client's side of the protocol, without I/O: bytes in, replies out.
 *
 * No socket, no clock and no thread is known here: the time comes in with each call (ns of any
 * monotonic clock), random bytes through a function, the transport is whoever calls. So the
 * same code runs in an application, in the simulator and under a fuzzer.
 *
 *     submit ->  slots  -> zrc_core_send ------> bytes to the server
 *     done   <-  slots  <- zrc_core_receive <--- bytes from the server
 *            <-          <- zrc_core_take (ends without a reply: deadlines, losses, close)
 *
 * The hard idea is what is known about a request whose answer is missing. Never staged: surely
 * not executed. Staged and not answered: unknown, for ever, also when a later attempt is refused
 * ("lost" in the slot). Named by GOAWAY as above last_id, or refused with class 30: surely not
 * executed by that attempt. A request is sent again only when executing it twice is impossible
 * (its key decides) or harmless (reads), within the deadline of the first and the retry budget.
 *
 * The peer is judged, never trusted: whatever does not fit breaks the connection, not us.
 */
#ifndef ZR_CLIENT_CORE_H
#define ZR_CLIENT_CORE_H

#include "client/include/zipring.h"
#include "client/key.h"
#include "client/slot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZRC_NS_PER_MS UINT64_C(1000000)

enum {
    ZRC_PROTOCOL_VERSION = 1,
    ZRC_KEY_AT = ZR_HEADER_BYTES, /* op_id is the first field of every KEYED request. */
    ZRC_RETRY_TENTHS = 10,    /* Each request earns one tenth, a resend costs ten: budget 10 %. */
    ZRC_KEEPALIVE_MS = 15000, /* Without a frame from the server: PING. It closes after 120 s. */
    ZRC_SILENCE_MS = 25000,   /* Without a frame while it owes one: it is given up. */
    ZRC_DRAIN_MS_MAX = 60000,
};

typedef void (*zrc_random_fn)(void *context, uint8_t *bytes, size_t bytes_count);

/* Every field is set by the caller; nothing has a default here. */
struct zrc_core_options {
    uint32_t slots_count;     /* 1..65,535 */
    uint32_t frame_bytes_max; /* 4,096..16,384 */
    uint64_t timeout_ns;      /* Of a submission that names none. */
    uint64_t environment;
    uint32_t flags; /* ZR_OPTION_* */
    uint8_t client_kind;
    char build[33];
    zrc_random_fn random;
    void *random_context;
};

/*
 *     DOWN --connect--> GREETING --HELLO_OK--> READY --GOAWAY--> DRAINING
 *      ^                    |                    |                  |
 *      +-------lose---------+---------lose-------+-------lose-------+
 */
enum zrc_session {
    ZRC_SESSION_DOWN,
    ZRC_SESSION_GREETING, /* HELLO is to be sent, or was. */
    ZRC_SESSION_READY,
    ZRC_SESSION_DRAINING, /* GOAWAY came: nothing new, answers are awaited. */
};

/* Why a connection must end. */
struct zrc_failure {
    int result;       /* enum zr_error_code; 0 = none. */
    uint16_t status;  /* What the server said; 0 = nothing. */
    bool final;       /* Reconnecting cannot help. */
    const char *text; /* Static; what was wrong. */
};

/* What a server sends without a request for each frame: by what was subscribed to. */
enum zrc_push { ZRC_PUSH_EVENTS, ZRC_PUSH_MAP, ZRC_PUSHES };

/* One frame of ours that no caller asked for: 0 = none in flight. */
struct zrc_internal {
    uint64_t id;
    bool due;
};

struct zrc_core {
    struct zrc_core_options options;
    struct zrc_slots slots;
    struct zrc_clock clock;
    struct zr_hello_reply hello; /* Of the last session; valid once hello_known. */
    bool hello_known;

    enum zrc_session session;
    struct zrc_failure failure; /* Of this connection: sticky until the next connect. */
    uint64_t sequence;          /* Of the last id given on this connection. */
    uint32_t index_bits;        /* Low bits of an id that are the slot's number. */
    uint32_t frame_bytes_max;   /* Largest frame either side may send now. */
    uint32_t window;            /* Credit granted. */
    uint32_t in_flight;         /* Frames sent that the server has not answered. */
    uint32_t abandoned;         /* Of those, by requests that have ended already. */
    struct zrc_internal greeting, ping, grease;
    uint64_t heard_ns; /* Last frame of the peer. */
    uint64_t spoke_ns; /* Last frame of ours. */
    uint64_t asked_ns; /* Since when it owes an answer, while in_flight > 0. */
    uint64_t drain_until_ns;
    uint64_t answered_here;        /* Replies to requests on this connection. */
    uint64_t push_ids[ZRC_PUSHES]; /* Of subscriptions that this connection granted; 0 = none. */
    enum zrc_push pushed;          /* ZRC_STEP_PUSHED: what kind `reply` is of. */

    uint32_t budget_tenths;
    uint64_t sent, answered, retried; /* As in zr_client_stats. */
    union zr_any_message reply;       /* The one being delivered. */
};

/* One request that has ended: run done(context, &completion) before the next call to the core. */
struct zrc_ended {
    zr_done_fn done;
    void *context;
    struct zr_completion completion;
};

/* Bytes of the peer, decrypted; next moves forward as frames are taken. */
struct zrc_input {
    const uint8_t *next;
    const uint8_t *end;
    uint64_t now_ns;
};

enum zrc_step {
    ZRC_STEP_INCOMPLETE, /* Read on; nothing was taken. */
    ZRC_STEP_TAKEN,      /* A frame was taken; it ends no request. */
    ZRC_STEP_ENDED,      /* A frame was taken; *ended is set. */
    ZRC_STEP_PUSHED,     /* A frame was taken: core->reply, of the kind core->pushed. */
    ZRC_STEP_BROKEN,     /* core->failure says why: drop the transport, then lose. */
};

/* False when memory is short; *core is then zero. */
bool zrc_core_init(struct zrc_core *core, const struct zrc_core_options *options);

/* Also for a zeroed struct. Callbacks that are pending never run: refuse and take them first. */
void zrc_core_deinit(struct zrc_core *core);

/* Accept a request: 0, ZR_EFULL or ZR_EINVAL. */
int zrc_core_submit(struct zrc_core *core, const struct zr_submission *submission, uint64_t now_ns);

/* A transport is there, encrypted and verified: HELLO is due on it. Only when DOWN. */
void zrc_core_connect(struct zrc_core *core, uint64_t now_ns);

/* The transport is gone. What was sent is queued again or ends; a new connect may follow. */
void zrc_core_lose(struct zrc_core *core);

/* End everything that is pending: what may have been executed as EUNKNOWN, the rest as `result`. */
void zrc_core_refuse(struct zrc_core *core, int result);

/* Stage frames into `bytes`, whole ones only, at most `capacity` bytes. Returns bytes staged. */
size_t zrc_core_send(struct zrc_core *core, uint8_t *bytes, size_t capacity, uint64_t now_ns);

/* zrc_core_send would stage something. */
bool zrc_core_wants_send(const struct zrc_core *core);

/* Take one frame from the front of the input. */
enum zrc_step zrc_core_receive(struct zrc_core *core, struct zrc_input *input,
                               struct zrc_ended *ended);

/* Time has passed: deadlines, retries, keepalive. After receive, before send. */
void zrc_core_tick(struct zrc_core *core, uint64_t now_ns);

/* The next request that ended without a reply; false when there is none. */
bool zrc_core_take(struct zrc_core *core, struct zrc_ended *ended);

/* When tick has something to do next; UINT64_MAX = never. */
uint64_t zrc_core_due_ns(const struct zrc_core *core);

/* After GOAWAY: nothing is awaited on this connection any more, or its time is over. */
bool zrc_core_drained(const struct zrc_core *core, uint64_t now_ns);

/* Requests accepted whose callback has not been handed out. */
uint32_t zrc_core_pending(const struct zrc_core *core);

/* A fresh op_id; false while the server's time is not known. */
bool zrc_core_make_key(struct zrc_core *core, struct zr_id *key, uint64_t now_ns);

/* ---- between core.c, core_send.c and core_receive.c ------------------------------------------ */

/* Bits of HELLO's features that this client can keep: offered, and taken when they are granted. */
uint64_t zrc_core_features(const struct zrc_core *core);

/* End a request without an answer: EUNKNOWN if it may have been executed, else `result_unsent`. */
void zrc_core_drop(struct zrc_core *core, struct zrc_slot *slot, int result_unsent);

/* Remember why this connection must end; the first reason wins. */
void zrc_core_fail(struct zrc_core *core, struct zrc_failure failure);

/* The one way from session state to session state. */
void zrc_core_move(struct zrc_core *core, enum zrc_session session);

/*
 * An attempt was refused with class 30; status and detail are in the slot. True: it will be sent
 * again. False: the caller ends it.
 */
bool zrc_core_retry(struct zrc_core *core, struct zrc_slot *slot, uint64_t now_ns);

/* Fill *ended of a slot that is about to be freed. */
void zrc_core_end(const struct zrc_slot *slot, struct zrc_ended *ended, int result);

#endif
