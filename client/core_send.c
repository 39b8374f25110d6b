/*
 * core_send.c - see core.h: frames of the client, staged under the credit of the server.
 */
#include "client/core.h"
#include "protocol/builder.h"
#include "protocol/bytes.h"
#include "protocol/check.h"

#include <string.h>

#define HELLO_MAGIC UINT64_C(0x31474E495250495A)

enum {
    GREASE_OP_MIN = 0x7F00,
    GREASE_OPS = 0x100,
    GREASE_FLAGS = 0xE0, /* Ignorable bits without a meaning yet. */
    NS_PER_US = 1000,
};

void
zrc_core_connect(struct zrc_core *core, uint64_t now_ns)
{
    CHECK(core->in_flight == 0);

    zrc_core_move(core, ZRC_SESSION_GREETING);
    core->failure = (struct zrc_failure){0};
    core->sequence = 0;
    core->window = 1;
    core->frame_bytes_max = core->options.frame_bytes_max;
    core->heard_ns = now_ns;
    core->answered_here = 0;
    core->greeting.due = true;
}

bool
zrc_core_make_key(struct zrc_core *core, struct zr_id *key, uint64_t now_ns)
{
    uint8_t random[ZRC_KEY_RANDOM_BYTES];

    if (!core->clock.known) {
        return false;
    }
    core->options.random(core->options.random_context, random, sizeof random);
    zrc_key_make(key, zrc_clock_read(&core->clock, now_ns), random);
    return true;
}

/* Ids only ever rise on a connection; their low bits say where the answer belongs. */
static uint64_t
id_next(struct zrc_core *core, uint32_t index)
{
    CHECK(index <= core->slots.count);
    return ++core->sequence << core->index_bits | index;
}

static void
in_flight_add(struct zrc_core *core, uint64_t now_ns)
{
    if (core->in_flight == 0) {
        core->asked_ns = now_ns;
    }
    core->in_flight++;
    core->spoke_ns = now_ns;
}

uint64_t
zrc_core_features(const struct zrc_core *core)
{
    return (core->options.flags & ZR_OPTION_KEEPALIVE) != 0 ? ZR_FEATURE_KEEPALIVE : 0;
}

static size_t
send_hello(struct zrc_core *core, struct zr_builder *builder, uint64_t now_ns)
{
    struct zr_hello_request hello = {
        .magic = HELLO_MAGIC,
        .features_optional = zrc_core_features(core),
        .environment = core->options.environment,
        .protocol_min = ZRC_PROTOCOL_VERSION,
        .protocol_max = ZRC_PROTOCOL_VERSION,
        .frame_bytes_max = core->options.frame_bytes_max,
        .credit = (uint16_t)core->options.slots_count,
        .client_kind = core->options.client_kind,
    };
    const struct zr_header header = {
        .op = ZR_OP_HELLO, .version = 1, .id = id_next(core, core->slots.count)};

    memcpy(hello.build, core->options.build, sizeof hello.build);
    zr_hello_request_encode(builder, &header, &hello);
    CHECK(!builder->failed);
    core->greeting = (struct zrc_internal){.id = header.id};
    in_flight_add(core, now_ns);
    return builder->length;
}

static bool
window_is_open(const struct zrc_core *core)
{
    return core->session == ZRC_SESSION_READY && core->in_flight < core->window;
}

/* A frame without a body that no caller asked for. */
static void
send_internal(struct zrc_core *core, struct zr_builder *builder, struct zrc_internal *internal,
              uint16_t op)
{
    const struct zr_header header = {
        .op = op, .version = 1, .id = id_next(core, core->slots.count)};

    zr_message_encode(builder, &header, &zr_empty_shape, NULL);
    CHECK(!builder->failed);
    *internal = (struct zrc_internal){.id = header.id};
}

static void
send_internals(struct zrc_core *core, struct zr_builder *builder, uint64_t now_ns)
{
    uint8_t random;

    if (core->ping.due && window_is_open(core)) {
        send_internal(core, builder, &core->ping, ZR_OP_PING);
        in_flight_add(core, now_ns);
    }
    if (core->grease.due && window_is_open(core)) {
        core->options.random(core->options.random_context, &random, sizeof random);
        send_internal(core, builder, &core->grease,
                      (uint16_t)(GREASE_OP_MIN + random % GREASE_OPS));
        in_flight_add(core, now_ns);
    }
}

static uint8_t
frame_flags(struct zrc_core *core, const struct zrc_slot *slot)
{
    uint8_t flags = slot->attempts > 0 ? ZR_FLAG_RETRY : 0;

    if ((core->options.flags & ZR_OPTION_GREASE) != 0) {
        uint8_t random;

        core->options.random(core->options.random_context, &random, sizeof random);
        flags |= random & GREASE_FLAGS;
    }
    return flags;
}

/* What is left until the deadline. 0 would mean the server's default, not "now". */
static uint32_t
timeout_us(uint64_t deadline_ns, uint64_t now_ns)
{
    uint64_t left_us;

    CHECK(deadline_ns > now_ns);
    left_us = (deadline_ns - now_ns) / NS_PER_US;
    if (left_us == 0) {
        return 1;
    }
    return left_us > UINT32_MAX ? UINT32_MAX : (uint32_t)left_us;
}

/* Give a request its op_id: now, that the server's time is known, and then for ever. */
static void
slot_stamp(struct zrc_core *core, struct zrc_slot *slot, uint64_t now_ns)
{
    struct zr_id key;
    const bool made = zrc_core_make_key(core, &key, now_ns);

    CHECK(made); /* READY: HELLO_OK told the time. */
    memcpy(slot->frame + ZRC_KEY_AT, key.bytes, sizeof key.bytes);
    slot->unstamped = false;
}

/* Finish the header of a queued request, copy the frame out, and call it sent. */
static void
send_slot(struct zrc_core *core, struct zr_builder *builder, struct zrc_slot *slot, uint64_t now_ns)
{
    if (slot->unstamped) {
        slot_stamp(core, slot, now_ns);
    }
    slot->id = id_next(core, zrc_slot_index(&core->slots, slot));
    slot->frame[7] = frame_flags(core, slot);
    zr_store_u64(slot->frame + 8, slot->id);
    zr_store_u32(slot->frame + 16, timeout_us(slot->deadline_ns, now_ns));
    zr_builder_put_bytes(builder, slot->frame, slot->frame_bytes);
    CHECK(!builder->failed);

    if (slot->attempts == 0) {
        slot->sent_ns = now_ns;
        if (core->budget_tenths < core->slots.count * ZRC_RETRY_TENTHS) {
            core->budget_tenths++;
        }
    } else {
        core->retried++;
    }
    if (slot->attempts < UINT8_MAX) {
        slot->attempts++;
    }
    core->sent++;
    in_flight_add(core, now_ns);
    zrc_slot_move(&core->slots, slot, ZRC_SLOT_SENT);
}

bool
zrc_core_wants_send(const struct zrc_core *core)
{
    if (core->greeting.due) {
        return true;
    }
    return window_is_open(core) &&
           (core->ping.due || core->grease.due || zrc_slots_in(&core->slots, ZRC_SLOT_QUEUED) > 0);
}

size_t
zrc_core_send(struct zrc_core *core, uint8_t *bytes, size_t capacity, uint64_t now_ns)
{
    struct zr_builder builder;
    struct zrc_slot *slot;

    CHECK(capacity >= ZR_FRAME_BYTES_LIMIT);
    zr_builder_init(&builder, bytes, capacity);
    if (core->greeting.due) {
        return send_hello(core, &builder, now_ns);
    }
    send_internals(core, &builder, now_ns);
    while (window_is_open(core) &&
           (slot = zrc_slots_first(&core->slots, ZRC_SLOT_QUEUED)) != NULL) {
        if (slot->deadline_ns <= now_ns) {
            zrc_core_drop(core, slot, ZR_ETIMEDOUT);
        } else if (slot->frame_bytes > core->frame_bytes_max) {
            zrc_core_drop(core, slot, ZR_EINVAL); /* This server takes less. */
        } else if (slot->frame_bytes > builder.capacity - builder.length) {
            break;
        } else {
            send_slot(core, &builder, slot, now_ns);
        }
    }
    return builder.length;
}
