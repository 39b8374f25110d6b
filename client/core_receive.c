/*
 * core_receive.c - see core.h: every frame of the server, judged.
 *
 * A server may be newer than this build (longer blocks, unknown statuses: taken as far as they
 * are known), or it may be hostile (then the connection breaks). Nothing that arrives is
 * CHECKed: a CHECK is for our own bugs.
 */
#include "client/core.h"
#include "protocol/check.h"

static enum zrc_step
broken(struct zrc_core *core, const char *text)
{
    zrc_core_fail(core, (struct zrc_failure){.result = ZR_EPROTO, .text = text});
    return ZRC_STEP_BROKEN;
}

/* What a status of the session itself, in an ERROR or a refused HELLO, means for the client. */
static struct zrc_failure
failure_of_status(uint16_t status)
{
    struct zrc_failure failure = {
        .result = ZR_EPROTO, .status = status, .text = zr_status_code_text(status)};

    if (status == ZR_STATUS_VERSION) {
        failure.result = ZR_EVERSION;
    } else if (zr_status_class(status) == ZR_CLASS_DENIED) {
        failure.result = ZR_EAUTH;
        failure.final = true;
    } else if (zr_status_class(status) == ZR_CLASS_NOT_EXECUTED || status == ZR_STATUS_TOO_MANY ||
               status == ZR_STATUS_GOING_AWAY || status == ZR_STATUS_TIMED_OUT) {
        failure.result = ZR_EDISCONNECTED;
    }
    return failure;
}

/* ---- session --------------------------------------------------------------------------------- */

/* A feature in force that was not offered would bind this client to what it does not do. */
static bool
hello_is_valid(const struct zrc_core *core, const struct zr_hello_reply *hello)
{
    return hello->protocol == ZRC_PROTOCOL_VERSION &&
           (hello->features & ~zrc_core_features(core)) == 0 &&
           hello->frame_bytes_max >= ZR_FRAME_BYTES_DEFAULT &&
           hello->frame_bytes_max <= ZR_FRAME_BYTES_LIMIT;
}

static void
window_set(struct zrc_core *core, uint16_t credit)
{
    /* A window of 0 could never be raised again: nothing would be answered. */
    core->window = credit == 0 ? 1 : credit;
}

static enum zrc_step
receive_hello(struct zrc_core *core, const struct zr_header *header, const uint8_t *frame,
              uint64_t now_ns)
{
    struct zr_hello_reply *const hello = &core->reply.hello_reply;
    uint16_t invalid_at;

    if (core->greeting.id == 0 || header->id != core->greeting.id ||
        header->op != (ZR_OP_HELLO | ZR_OP_RESPONSE)) {
        return broken(core, "the first reply is not that to HELLO");
    }
    if (header->status != ZR_STATUS_OK) {
        zrc_core_fail(core, failure_of_status(header->status));
        return ZRC_STEP_BROKEN;
    }
    if (zr_hello_reply_decode(hello, &invalid_at, header, frame) != ZR_DECODE_OK ||
        !hello_is_valid(core, hello)) {
        return broken(core, "HELLO_OK makes no sense");
    }
    core->hello = *hello;
    core->hello_known = true;
    core->frame_bytes_max = hello->frame_bytes_max;
    core->clock.manual = hello->manual_clock;
    zrc_clock_learn(&core->clock, hello->server_time_ms, now_ns);
    window_set(core, hello->credit);
    core->greeting = (struct zrc_internal){0};
    core->in_flight--;
    core->grease.due = (core->options.flags & ZR_OPTION_GREASE) != 0;
    zrc_core_move(core, ZRC_SESSION_READY);
    return ZRC_STEP_TAKEN;
}

/* Those above last_id were surely not executed: they go back to the head of the queue. */
static void
goaway_apply(struct zrc_core *core, uint64_t last_id)
{
    struct zrc_slot *slot;

    while ((slot = zrc_slots_last(&core->slots, ZRC_SLOT_SENT)) != NULL && slot->id > last_id) {
        zrc_slot_move_first(&core->slots, slot);
        core->in_flight--;
    }
}

static enum zrc_step
receive_goaway(struct zrc_core *core, const struct zr_header *header, const uint8_t *frame,
               uint64_t now_ns)
{
    struct zr_goaway *const goaway = &core->reply.goaway;
    uint16_t invalid_at;
    uint32_t drain_ms;

    if (zr_goaway_decode(goaway, &invalid_at, header, frame) != ZR_DECODE_OK) {
        return broken(core, "GOAWAY makes no sense");
    }
    if (core->session == ZRC_SESSION_GREETING) {
        zrc_core_fail(core, failure_of_status(ZR_STATUS_GOING_AWAY));
        return ZRC_STEP_BROKEN;
    }
    drain_ms = goaway->drain_ms < ZRC_DRAIN_MS_MAX ? goaway->drain_ms : ZRC_DRAIN_MS_MAX;
    if (core->session == ZRC_SESSION_READY) {
        zrc_core_move(core, ZRC_SESSION_DRAINING);
        core->drain_until_ns = now_ns + drain_ms * ZRC_NS_PER_MS;
    } else if (now_ns + drain_ms * ZRC_NS_PER_MS < core->drain_until_ns) {
        core->drain_until_ns = now_ns + drain_ms * ZRC_NS_PER_MS; /* A second one: only sooner. */
    }
    goaway_apply(core, goaway->last_id);
    return ZRC_STEP_TAKEN;
}

/* ---- replies --------------------------------------------------------------------------------- */

/* The request that a reply belongs to, or NULL. */
static struct zrc_slot *
slot_of_id(struct zrc_core *core, uint64_t id)
{
    const uint64_t index = id & ((UINT64_C(1) << core->index_bits) - 1);
    struct zrc_slot *slot;

    if (index >= core->slots.count) {
        return NULL;
    }
    slot = &core->slots.of[index];
    return slot->state == ZRC_SLOT_SENT && slot->id == id ? slot : NULL;
}

/* Its answer is here: nothing is awaited for it any more. */
static void
slot_free(struct zrc_core *core, struct zrc_slot *slot)
{
    zrc_deadlines_del(&core->slots.deadlines, zrc_slot_index(&core->slots, slot));
    zrc_slot_move(&core->slots, slot, ZRC_SLOT_FREE);
}

/* Log time travels in these replies: what is stamped next should know it. */
static void
learn_time(struct zrc_core *core, uint16_t op, uint64_t now_ns)
{
    if (op == ZR_OP_PING) {
        zrc_clock_learn(&core->clock, core->reply.ping_reply.server_time_ms, now_ns);
    } else if (op == ZR_OP_CLOCK_ADVANCE) {
        zrc_clock_learn(&core->clock, core->reply.clock_advance_reply.now_ms, now_ns);
    }
}

/* ERROR ends the connection; when it names a request, that one was refused and is not resent. */
static enum zrc_step
receive_error(struct zrc_core *core, const struct zr_header *header, struct zrc_ended *ended)
{
    struct zrc_slot *slot = slot_of_id(core, header->id);

    if (header->status == ZR_STATUS_OK) {
        return broken(core, "ERROR without a status");
    }
    zrc_core_fail(core, failure_of_status(header->status));
    if (slot == NULL || core->session == ZRC_SESSION_GREETING) {
        return ZRC_STEP_BROKEN;
    }
    slot->detail = header->detail;
    zrc_core_end(slot, ended, slot->lost ? ZR_EUNKNOWN : header->status);
    ended->completion.answered_ns = core->heard_ns;
    slot_free(core, slot);
    core->in_flight--;
    return ZRC_STEP_ENDED;
}

/* A frame that answers nothing that anyone still waits for. */
static enum zrc_step
receive_unmatched(struct zrc_core *core, const struct zr_header *header, const uint8_t *frame,
                  uint64_t now_ns)
{
    uint16_t invalid_at;

    if (header->id != 0 && header->id == core->ping.id) {
        core->ping = (struct zrc_internal){0};
        if (header->status == ZR_STATUS_OK &&
            zr_ping_reply_decode(&core->reply.ping_reply, &invalid_at, header, frame) ==
                ZR_DECODE_OK) {
            learn_time(core, ZR_OP_PING, now_ns);
        }
    } else if (header->id != 0 && header->id == core->grease.id) {
        core->grease = (struct zrc_internal){0};
    } else if (core->abandoned > 0 && header->id >> core->index_bits <= core->sequence) {
        core->abandoned--;
    } else {
        return broken(core, "a reply to nothing that was asked");
    }
    core->in_flight--;
    return ZRC_STEP_TAKEN;
}

/* Class 00 and 20 carry the operation's reply. */
static bool
status_has_body(uint16_t status)
{
    return zr_status_class(status) == ZR_CLASS_DONE || zr_status_class(status) == ZR_CLASS_REFUSED;
}

/* What the caller is told. Classes that this build does not know are told as they are. */
static int
result_of_status(const struct zrc_slot *slot, uint16_t status)
{
    const enum zr_op_kind kind = slot->operation->kind;

    if (zr_status_class(status) == ZR_CLASS_DONE) {
        return 0;
    }
    if (zr_status_class(status) == ZR_CLASS_NOT_EXECUTED && slot->lost &&
        (kind == ZR_OP_KIND_KEYED || kind == ZR_OP_KIND_NATURAL)) {
        return ZR_EUNKNOWN; /* This attempt was not executed; the one that was lost may be. */
    }
    return status;
}

/* Which pushes a subscribing operation asks for; ZRC_PUSHES = none. */
static enum zrc_push
push_of_subscribe(enum zr_op op)
{
    if (op == ZR_OP_EVENTS_SUBSCRIBE) {
        return ZRC_PUSH_EVENTS;
    }
    return op == ZR_OP_MAP_SUBSCRIBE ? ZRC_PUSH_MAP : ZRC_PUSHES;
}

/* A subscribe takes the place of the one before it, also when it is refused. */
static void
learn_subscription(struct zrc_core *core, const struct zrc_slot *slot, uint16_t status)
{
    const enum zrc_push push = push_of_subscribe((enum zr_op)slot->operation->op);

    if (push != ZRC_PUSHES && status_has_body(status)) {
        core->push_ids[push] = zr_status_class(status) == ZR_CLASS_DONE ? slot->id : 0;
    }
}

/* Only of what this connection granted, and under its id. */
static enum zrc_step
receive_push(struct zrc_core *core, const struct zr_header *header, const uint8_t *frame)
{
    const struct zr_operation *const operation =
        zr_operation_find(header->op & (uint16_t)~ZR_OP_RESPONSE);
    uint16_t invalid_at;

    core->pushed = operation->op == ZR_OP_EVENTS ? ZRC_PUSH_EVENTS : ZRC_PUSH_MAP;
    if (header->id == 0 || header->id != core->push_ids[core->pushed]) {
        return broken(core, "a push that nobody subscribed to");
    }
    if (header->version != operation->version || header->status != ZR_STATUS_OK ||
        zr_message_decode(&core->reply, &invalid_at, operation->reply, header, frame) !=
            ZR_DECODE_OK) {
        return broken(core, "a push makes no sense");
    }
    return ZRC_STEP_PUSHED;
}

static enum zrc_step
receive_answer(struct zrc_core *core, struct zrc_slot *slot, const struct zr_header *header,
               const struct zrc_input *input, struct zrc_ended *ended)
{
    const uint8_t *const frame = input->next - header->size;
    const bool body = status_has_body(header->status);
    uint16_t invalid_at;

    if (body && zr_message_decode(&core->reply, &invalid_at, slot->operation->reply, header,
                                  frame) != ZR_DECODE_OK) {
        return broken(core, "a reply makes no sense");
    }
    core->in_flight--;
    core->answered++;
    core->answered_here++;
    slot->detail = header->detail;
    learn_subscription(core, slot, header->status);
    if (zr_status_class(header->status) == ZR_CLASS_NOT_EXECUTED) {
        slot->status = header->status;
        if (zrc_core_retry(core, slot, input->now_ns)) {
            return ZRC_STEP_TAKEN;
        }
    }
    if (zr_status_class(header->status) == ZR_CLASS_PROTOCOL) {
        zrc_core_fail(core, failure_of_status(header->status)); /* After this callback. */
    }
    if (zr_status_class(header->status) == ZR_CLASS_DONE) {
        learn_time(core, (uint16_t)slot->operation->op, input->now_ns);
    }
    zrc_core_end(slot, ended, result_of_status(slot, header->status));
    ended->completion.answered_ns = input->now_ns;
    ended->completion.duplicate = (header->flags & ZR_FLAG_DUPLICATE) != 0;
    ended->completion.reply = body ? &core->reply : NULL;
    slot_free(core, slot);
    return ZRC_STEP_ENDED;
}

static enum zrc_step
receive_reply(struct zrc_core *core, const struct zr_header *header, const struct zrc_input *input,
              struct zrc_ended *ended)
{
    const uint8_t *const frame = input->next - header->size;
    struct zrc_slot *slot;

    if (core->session == ZRC_SESSION_GREETING) {
        return receive_hello(core, header, frame, input->now_ns);
    }
    window_set(core, header->credit);
    if (header->op == (ZR_OP_EVENTS | ZR_OP_RESPONSE) ||
        header->op == (ZR_OP_MAP_DELTA | ZR_OP_RESPONSE)) {
        return receive_push(core, header, frame);
    }
    slot = slot_of_id(core, header->id);
    if (slot == NULL) {
        return receive_unmatched(core, header, frame, input->now_ns);
    }
    if (header->op != (slot->operation->op | ZR_OP_RESPONSE) ||
        header->version != slot->operation->version) {
        return broken(core, "a reply names another operation than its request");
    }
    return receive_answer(core, slot, header, input, ended);
}

enum zrc_step
zrc_core_receive(struct zrc_core *core, struct zrc_input *input, struct zrc_ended *ended)
{
    const size_t bytes_count = (size_t)(input->end - input->next);
    struct zr_header header;

    CHECK(core->session != ZRC_SESSION_DOWN);
    CHECK(ended != NULL);

    if (core->failure.result != 0) {
        return ZRC_STEP_BROKEN;
    }
    switch (zr_frame_cut(&header, input->next, bytes_count, core->frame_bytes_max)) {
    case ZR_CUT_INCOMPLETE:
        return ZRC_STEP_INCOMPLETE;
    case ZR_CUT_BAD:
        return broken(core, "not a frame");
    case ZR_CUT_FRAME:
        break;
    }
    input->next += header.size;
    core->heard_ns = input->now_ns;
    /* MORE is refused with the rest: no operation of this version answers in parts. */
    if ((header.op & ZR_OP_RESPONSE) == 0 ||
        (header.flags & ZR_FLAGS_CRITICAL & ~ZR_FLAG_DUPLICATE) != 0) {
        return broken(core, "a frame that a server does not send");
    }
    if (header.op == (ZR_OP_ERROR | ZR_OP_RESPONSE)) {
        return receive_error(core, &header, ended);
    }
    if (header.op == (ZR_OP_GOAWAY | ZR_OP_RESPONSE)) {
        return receive_goaway(core, &header, input->next - header.size, input->now_ns);
    }
    return receive_reply(core, &header, input, ended);
}
