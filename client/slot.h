/*
 * slot.h - the fixed pool of requests: their memory, the lists that they stand in, their states.
 *
 * All memory is taken once. A slot owns the encoded frame of its request, so that it can be sent
 * again byte for byte: a small buffer that most requests fit, side by side in memory, and a large
 * one that stays untouched (and so costs no RAM) until a frame needs it.
 *
 *            put            staged             answered
 *     FREE ------> QUEUED ----------> SENT ---------------+
 *      ^             ^ |  ^ not executed | | class 30     |
 *      |             | |  +--------------+ v              |
 *      |             | |     retry due   WAITING          |
 *      |             | +--------------------+ |           |
 *      |             +------------------------+           v
 *      +---- callback taken ---- ENDED <---- deadline, loss, close
 *
 * A reply ends its slot at once (SENT to FREE): its callback runs right then. ENDED is for ends
 * without a reply, which are collected and run one by one.
 */
#ifndef ZR_CLIENT_SLOT_H
#define ZR_CLIENT_SLOT_H

#include "client/deadline.h"
#include "client/include/zipring.h"

#include <stdbool.h>
#include <stdint.h>

enum { ZRC_SMALL_FRAME_BYTES = 512 };

enum zrc_slot_state {
    ZRC_SLOT_FREE,
    ZRC_SLOT_QUEUED,  /* To be sent as soon as the connection and the credit allow. */
    ZRC_SLOT_SENT,    /* On the wire of this connection. */
    ZRC_SLOT_WAITING, /* Refused with class 30; queued again at its due time. */
    ZRC_SLOT_ENDED,   /* Its callback has yet to run. */
};

struct zrc_slot {
    uint64_t id; /* SENT: on this connection. */
    uint64_t deadline_ns;
    uint64_t sent_ns; /* First time it was staged, 0 = never. */
    const struct zr_operation *operation;
    zr_done_fn done;
    void *context;
    uint8_t *frame; /* The small buffer or the large one. */
    uint32_t frame_bytes;
    uint32_t next; /* In its list. */
    uint32_t previous;
    int result;       /* ENDED. */
    uint16_t status;  /* The last answer of class 30; 0 = none. */
    uint16_t detail;  /* With it. */
    uint8_t state;    /* enum zrc_slot_state. */
    uint8_t attempts; /* Times staged, saturating. */
    bool lost;        /* An attempt may have been executed: its answer was lost. */
    bool unstamped;   /* Its op_id is to be made when it is first staged. */
};

/* A doubly linked list of slots. */
struct zrc_list {
    uint32_t head;
    uint32_t tail;
    uint32_t count;
};

struct zrc_slots {
    struct zrc_slot *of;
    uint8_t *small_frames; /* slots_count x ZRC_SMALL_FRAME_BYTES. */
    uint8_t *large_frames; /* slots_count x frame_bytes_max. */
    struct zrc_deadlines deadlines;
    struct zrc_list lists[ZRC_SLOT_ENDED + 1]; /* By state; WAITING is only in the heap. */
    uint32_t count;
    uint32_t frame_bytes_max;
};

/* False when memory is short; *slots is then zero. */
bool zrc_slots_init(struct zrc_slots *slots, uint32_t slots_count, uint32_t frame_bytes_max);

/* Also for a zeroed struct. */
void zrc_slots_deinit(struct zrc_slots *slots);

/* The next free slot, still FREE; NULL when all are taken. */
struct zrc_slot *zrc_slots_peek_free(struct zrc_slots *slots);

/* The slot's number. */
uint32_t zrc_slot_index(const struct zrc_slots *slots, const struct zrc_slot *slot);

/* The first slot in `state`, NULL when there is none. */
struct zrc_slot *zrc_slots_first(struct zrc_slots *slots, enum zrc_slot_state state);

/* The last slot in `state`, NULL when there is none. */
struct zrc_slot *zrc_slots_last(struct zrc_slots *slots, enum zrc_slot_state state);

/* Slots in `state`. */
uint32_t zrc_slots_in(const struct zrc_slots *slots, enum zrc_slot_state state);

/* Slots that are neither FREE nor ENDED: they await something. */
uint32_t zrc_slots_pending(const struct zrc_slots *slots);

/* The one way from state to state: checks that it may, and moves it to the end of its list. */
void zrc_slot_move(struct zrc_slots *slots, struct zrc_slot *slot, enum zrc_slot_state state);

/* SENT to QUEUED, before all others: a request that was sent keeps its place in line. */
void zrc_slot_move_first(struct zrc_slots *slots, struct zrc_slot *slot);

/*
 * Encode a request into the slot's frame, id and timeout still 0. False: it does not fit
 * frame_bytes_max. The caller has judged its counts (zrc_request_is_valid).
 */
bool zrc_slot_encode(struct zrc_slots *slots, struct zrc_slot *slot, const void *request);

/* A caller's struct can be encoded: it is there when it has fields, and no count is past its max.
 */
bool zrc_request_is_valid(const struct zr_shape *shape, const void *request);

#endif
