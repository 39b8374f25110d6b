/*
 * cascade.h - one call of a switch: its state, for the files that implement zr_call_*().
 *
 *     sip.c  what a response means      cascade_report.c  what the switch says
 *                                       cascade.c         what the server answers
 *
 * The hard idea is that both sides speak at any time, and only one request may be in flight. So a
 * report either fits the state and is sent at once, or it is remembered (`cancelled`, `end_wished`)
 * and sent by the completion of the request that stands in its way. A completion always finds room
 * for the next request: its own slot is free by then. That is why only reports can meet ZR_EFULL,
 * and why they change nothing when they do.
 *
 *     ROUTING --> RINGING --answered--> CONNECTING --bridge--> TALKING <--> QUALIFYING
 *                  |  ^                 |      |                 |              |
 *        not taken |  | the next        |      | over by now     | BYE          |
 *                  v  |                 |      v                 v              v
 *                 ASKING <---refused----+    ENDING <---------------------------+
 *                     ^                        |
 *                     +-----caller stays-------+---> DONE
 *
 *     ROUTING, RINGING, ASKING, CONNECTING, ENDING --the caller gave up--> ABANDONING --> DONE
 *
 * Every state leads to DONE as well: refusals, transport, the client's close.
 */
#ifndef ZR_CLIENT_CASCADE_H
#define ZR_CLIENT_CASCADE_H

#include "client/include/zipring.h"

#include <stdbool.h>
#include <stdint.h>

enum zrc_cascade_state {
    ZRC_CASCADE_ROUTING,    /* ROUTE is in flight. */
    ZRC_CASCADE_RINGING,    /* The last leg rings; nothing is in flight. */
    ZRC_CASCADE_ASKING,     /* ROUTE_NEXT is in flight; nobody rings. */
    ZRC_CASCADE_CONNECTING, /* The last leg answered; CONNECT is in flight. */
    ZRC_CASCADE_TALKING,    /* Bridged; nothing is in flight. */
    ZRC_CASCADE_QUALIFYING, /* Bridged; QUALIFY or KEEPALIVE is in flight. */
    ZRC_CASCADE_ENDING,     /* END of the last leg is in flight. */
    ZRC_CASCADE_ABANDONING, /* END without an index is in flight. */
    ZRC_CASCADE_DONE,       /* done() runs or has run. */
};

enum {
    ZRC_INDEX_NONE = 255, /* END: the caller gave up while nobody was connected. */
    ZRC_TICKET_BYTES = 192,
};

struct zr_cascade {
    struct zr_client *client;
    struct zr_cascade *next; /* In the client's list, until DONE. */
    struct zr_cascade *previous;
    zr_leg_fn ring;
    zr_leg_fn bridge;
    zr_leg_fn hangup;
    zr_story_fn done;
    void *context;
    uint64_t rung_ns; /* Own monotonic clock: since when the last leg rings. */
    uint32_t timeout_ms;
    enum zrc_cascade_state state;
    bool alerted;    /* rung_ns is that of the first 180 or 183. */
    bool leg_lives;  /* The last leg exists in the switch, as far as we know. */
    bool cancelled;  /* The caller gave up: nobody else is rung. */
    bool end_wished; /* `end` is sent as soon as the request in flight is answered. */
    bool told;       /* done() has been called: it may be freed. */
    bool end_owed;   /* The server may hold money until it has answered `end`. */
    uint8_t server_state;
    uint8_t legs_count;
    uint8_t indexes[ZR_CASCADE_LEGS_MAX]; /* Attempt numbers of the legs. */
    struct zr_cascade_leg legs[ZR_CASCADE_LEGS_MAX];
    struct zr_id call_id;
    struct zr_id call_ref;
    struct zr_end_request end; /* Of the answered leg, kept ready; or without an index. */
    uint16_t ticket_length;    /* The newest ticket; 0 = none came yet. */
    uint8_t ticket[ZRC_TICKET_BYTES];
};

/* The last leg; there must be one. */
struct zr_cascade_leg *zrc_cascade_leg(struct zr_cascade *call);

/* hangup() of the last leg, if it lives. */
void zrc_cascade_drop_leg(struct zr_cascade *call);

/*
 * Submit a request and move. 0, or what zr_submit() says: then nothing changed. next: the last leg
 * is over with `outcome`. talk: QUALIFY or KEEPALIVE. end: of the answered leg, with these facts.
 * abandon: of the call.
 */
int zrc_cascade_next(struct zr_cascade *call, uint8_t outcome);
int zrc_cascade_connect(struct zr_cascade *call, uint64_t answered_at_ms);
int zrc_cascade_talk(struct zr_cascade *call, uint16_t op, uint32_t talk_ms);
int zrc_cascade_end(struct zr_cascade *call, const struct zr_end_request *end);
int zrc_cascade_abandon(struct zr_cascade *call);

/* The client is being closed: end every call that still goes on. */
void zrc_cascades_cancel(struct zr_client *client);

#endif
