/*
 * cases.h - what the acceptance cases of domain.md M7 share: one world per program, and asking
 * many things at once.
 *
 * Inline, because each program needs only a part.
 */
#ifndef ZR_TEST_CASES_H
#define ZR_TEST_CASES_H

#include "tests/lib/test.h"
#include "tests/lib/world.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* The world of this program: opened by the group's setup, judged by its teardown. */
static struct world world;

static inline int
world_setup(void **state)
{
    (void)state;
    world_open(&world, NULL);
    return 0;
}

static inline int
world_teardown(void **state)
{
    (void)state;
    return world_close(&world);
}

/* ---- many requests at once ---------------------------------------------------------------- */

/* The answer to one submitted request. */
struct answer {
    int result;
    bool done;
    bool duplicate;
    void *reply; /* Where to copy it; may be NULL. */
    size_t reply_bytes;
};

static inline void
answer_done(void *context, const struct zr_completion *completion)
{
    struct answer *answer = context;

    answer->result = completion->result;
    answer->done = true;
    answer->duplicate = completion->duplicate != 0;
    if (completion->reply != NULL && answer->reply != NULL) {
        memcpy(answer->reply, completion->reply, answer->reply_bytes);
    }
}

static inline void
submit(struct zr_client *client, uint16_t op, const void *request, struct answer *answer)
{
    const struct zr_submission submission = {.size = sizeof submission,
                                             .op = op,
                                             .request = request,
                                             .done = answer_done,
                                             .context = answer};

    answer->done = false;
    answer->reply_bytes = zr_operation_find(op)->reply->struct_bytes;
    assert_int_equal(zr_submit(client, &submission), 0);
}

/* Drive all of them until none has anything pending: they send in the same few microseconds. */
static inline void
drive(struct zr_client *const *clients, size_t clients_count)
{
    uint32_t pending;

    do {
        pending = 0;
        for (size_t i = 0; i < clients_count; i++) {
            if (zr_client_pending(clients[i]) > 0) {
                (void)zr_client_process(clients[i], clients_count == 1 ? 100 : 0);
                pending += zr_client_pending(clients[i]);
            }
        }
    } while (pending > 0);
}

static inline void
drive_one(struct zr_client *client)
{
    drive(&client, 1);
}

/* ---- small things --------------------------------------------------------------------------- */

enum {
    REASON_NOT_APPROVED = 1 << 0,
    REASON_CLAIM_NOT_ACTIVE = 1 << 1,
    REASON_PAUSED = 1 << 2,
    REASON_OUT_OF_HOURS = 1 << 3,
    REASON_VACATION = 1 << 4,
    REASON_NO_FUNDS = 1 << 5,
    REASON_AT_CONCURRENCY = 1 << 6,
    REASON_CAP_REACHED = 1 << 7,
    REASON_SPACING = 1 << 8,
    REASON_COOLDOWN = 1 << 9,
    REASON_ALREADY_TRIED = 1 << 10,
    REASON_CALLER_BLOCKED = 1 << 11,
    REASON_DUP_RESTRICTED = 1 << 12,
    REASON_DEST_DOWN = 1 << 13,
    REASON_PARTNER_NOT_ALLOWED = 1 << 14,
    REASON_SCREENING_MISSING = 1 << 15,
};

/* Why this contractor was passed over; 0 = it was not. */
static inline uint32_t
reasons_of(const struct zr_route_reply *reply, uint32_t contractor)
{
    for (uint16_t i = 0; i < reply->skipped_count; i++) {
        if (reply->skipped[i].contractor == contractor) {
            return reply->skipped[i].reasons;
        }
    }
    return 0;
}

static inline struct zr_slot_get_reply
slot_get(struct world_slot slot)
{
    const struct zr_slot_get_request request = {.zip = slot.zip, .category = slot.category};
    struct zr_slot_get_reply reply;

    assert_int_equal(zr_slot_get(world.admin, &request, &reply), 0);
    return reply;
}

static inline struct zr_server_stats_reply
stats_now(void)
{
    const struct zr_empty request = {0};
    struct zr_server_stats_reply reply;

    assert_int_equal(zr_server_stats(world.admin, &request, &reply), 0);
    return reply;
}

/* A key whose first 48 bits are this time. */
static inline struct zr_id
key_at(uint64_t unix_ms)
{
    struct zr_id key = world_id(&world);

    for (int i = 0; i < 6; i++) {
        key.bytes[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
    }
    key.bytes[6] = 0x70;
    key.bytes[8] = 0x80;
    return key;
}

#endif
