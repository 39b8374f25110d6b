/*
 * request.h - the two directions between the network and everything above it.
 *
 * `net` knows sockets, TLS and frames; it does not know what a frame means. `handlers` know
 * what it means; they do not know sockets. Neither includes the other: both see this file,
 * and main.c, the only one that includes both, ties them together.
 *
 *   up    request_port.on_frame        one whole frame, judged by the cutter, to dispatch
 *   down  net_port.reply               a reply that was not ready when on_frame returned
 *   down  net_port.push                a frame that no request awaits, as far as push_room allows
 *
 * Everything here runs on the worker that owns the connection, except net_port.wake, which
 * any thread may call.
 */
#ifndef ZR_REQUEST_H
#define ZR_REQUEST_H

#include "protocol/builder.h"
#include "protocol/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_HASH_BYTES = 32, PEER_SAN_BYTES_MAX = 128, FRAMES_AHEAD_MAX = 16 };

/* Names one connection of one worker for as long as that connection lives, and never another. */
struct conn_ref {
    uint32_t slot;       /* Index in the worker's connection pool. */
    uint32_t generation; /* Raised at each reuse of the slot: a late reply finds nobody. */
};

/* What the handshake proved about the peer. */
struct peer_identity {
    uint8_t key_hash[KEY_HASH_BYTES]; /* SHA-256 of the certificate's SubjectPublicKeyInfo. */
    char san[PEER_SAN_BYTES_MAX];     /* Its one URI SAN, NUL-terminated; empty when it has none. */
};

/*
 * State of one connection that both sides see. net owns the memory (inside its connection);
 * dispatch fills what HELLO settles. Zeroed when the connection is accepted.
 */
struct session {
    struct peer_identity peer; /* net: before the first frame is handed up. */
    bool ready;                /* dispatch: HELLO succeeded. Until then net allows HELLO only. */
    bool keepalive;            /* dispatch: ZR_FEATURE_KEEPALIVE is in force. */
    uint8_t role;              /* dispatch: enum zr_role. */
    uint16_t credit;           /* dispatch: requests that may be in flight; net enforces it. */
    uint32_t frame_bytes_max;  /* dispatch: negotiated at HELLO; net cuts with it. */
    uint32_t tenant;           /* dispatch: from the principal, never from a frame. */
    uint32_t contractor;       /* dispatch: of a CONTRACTOR principal, else 0. */
    uint64_t auth_epoch;       /* dispatch: epoch in which the principal was last looked up. */
    uint64_t last_id;          /* net: highest request id seen; ids strictly increase. */
};

/* One frame on its way up. Valid during on_frame only. */
struct request {
    struct conn_ref conn;
    struct session *session;
    struct zr_header header;
    const uint8_t *frame; /* header.size bytes, header included: error offsets count from here. */
    uint64_t received_ns; /* Monotonic: start of the loop turn that took it up. */
};

enum frame_verdict {
    FRAME_REPLIED,  /* `reply` holds one whole frame: append it. */
    FRAME_DEFERRED, /* The reply comes later through net_port.reply; it counts against credit. */
    FRAME_CLOSE,    /* `reply` holds a last frame (class 50 or 60): send it, then close. */
};

/*
 * Judge and execute one frame. `reply` has at least ZR_FRAME_BYTES_LIMIT bytes of room and is
 * empty. The header's credit is written by net when the frame is sealed; everything else of
 * the reply is dispatch's.
 */
typedef enum frame_verdict (*frame_fn)(void *context, const struct request *request,
                                       struct zr_builder *reply);

/* What net calls. */
struct request_port {
    void *context;
    frame_fn on_frame;
    /*
     * Optional. These whole frames, at most FRAMES_AHEAD_MAX, stand before on_frame in this order:
     * start to fetch what they will read. A hint: nothing is judged or changed by it, and on_frame
     * may be given fewer of them.
     */
    void (*on_frames_ahead)(void *context, const uint8_t *const *frames, size_t frames_count);
    /* A loop turn begins: completions are booked, so that push_room is as of now, and no
     * connection has run yet. Take posted replies, push. */
    void (*on_turn_begin)(void *context, uint64_t now_ns);
    /* The turn's frames are done; what it opened (a read snapshot) must not outlive it. */
    void (*on_turn_end)(void *context);
    /* At least every 250 ms for every ready connection: false closes it (revoked: class 50). */
    bool (*on_session_check)(void *context, struct session *session);
};

enum { PUSH_GONE = -1 };

/* What net offers. */
struct net_port {
    void *context;
    /* Append a whole frame to its connection; dropped when the connection is gone. Worker only. */
    void (*reply)(void *context, struct conn_ref conn, const uint8_t *frame, size_t bytes);
    /*
     * Bytes of push that the connection may be given now, down to what is left below its low-water
     * mark; the last frame may go over it. 0: its peer has to read first, and a turn begins once it
     * has. PUSH_GONE: it is no ready session any more and never will be again. Worker only.
     */
    int64_t (*push_room)(void *context, struct conn_ref conn);
    /* Append a whole frame to a connection that has room: no request is answered by it, so neither
     * credit nor the idle time change. Worker only. */
    void (*push)(void *context, struct conn_ref conn, const uint8_t *frame, size_t bytes);
    /* Make the worker run a turn soon. Any thread; async-signal-safe. */
    void (*wake)(void *context);
};

#endif
