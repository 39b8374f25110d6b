/*
 * core.c - see core.h: submitting, and what becomes of a request without an answer.
 */
#include "client/core.h"

#include "protocol/check.h"

#include <string.h>

enum {
    RETRY_MS_MIN = 10, /* When the server names no delay: this, doubled with each attempt. */
    RETRY_DOUBLINGS_MAX = 7,
};

#define MOVE_TO(state) (1u << (unsigned)(state))

static const unsigned session_moves[] = {
    [ZRC_SESSION_DOWN] = MOVE_TO(ZRC_SESSION_GREETING),
    [ZRC_SESSION_GREETING] = MOVE_TO(ZRC_SESSION_READY) | MOVE_TO(ZRC_SESSION_DOWN),
    [ZRC_SESSION_READY] = MOVE_TO(ZRC_SESSION_DRAINING) | MOVE_TO(ZRC_SESSION_DOWN),
    [ZRC_SESSION_DRAINING] = MOVE_TO(ZRC_SESSION_DOWN),
};

void
zrc_core_move(struct zrc_core *core, enum zrc_session session)
{
    CHECK(core->session <= ZRC_SESSION_DRAINING);
    CHECK((session_moves[core->session] & MOVE_TO(session)) != 0);
    core->session = session;
}

void
zrc_core_fail(struct zrc_core *core, struct zrc_failure failure)
{
    CHECK(failure.result < 0);
    CHECK(failure.text != NULL);

    if (core->failure.result == 0) {
        core->failure = failure;
    }
}

/* ---- open and close -------------------------------------------------------------------------- */

bool
zrc_core_init(struct zrc_core *core, const struct zrc_core_options *options)
{
    CHECK(core != NULL);
    CHECK(options->slots_count > 0);
    CHECK(options->slots_count <= UINT16_MAX);
    CHECK(options->frame_bytes_max >= ZR_FRAME_BYTES_DEFAULT);
    CHECK(options->random != NULL);

    memset(core, 0, sizeof *core);
    core->options = *options;
    core->frame_bytes_max = options->frame_bytes_max;
    /* A fresh client may send again everything it can have in flight, once. */
    core->budget_tenths = options->slots_count * ZRC_RETRY_TENTHS;
    /* One number above the slots' is left for frames that belong to none. */
    while ((options->slots_count >> core->index_bits) != 0) {
        core->index_bits++;
    }
    return zrc_slots_init(&core->slots, options->slots_count, options->frame_bytes_max);
}

void
zrc_core_deinit(struct zrc_core *core)
{
    CHECK(core != NULL);
    zrc_slots_deinit(&core->slots);
}

/* ---- submit ---------------------------------------------------------------------------------- */

/* Nobody but the core itself says HELLO, and some frames only the server sends. */
static bool
operation_is_callable(const struct zr_operation *operation)
{
    return operation != NULL && operation->kind != ZR_OP_KIND_PUSH &&
           operation->kind != ZR_OP_KIND_SYSTEM && operation->op != ZR_OP_HELLO;
}

static bool
key_is_zero(const uint8_t *key)
{
    static const struct zr_id zero;

    return memcmp(key, zero.bytes, sizeof zero.bytes) == 0;
}

int
zrc_core_submit(struct zrc_core *core, const struct zr_submission *submission, uint64_t now_ns)
{
    const struct zr_operation *operation = zr_operation_find(submission->op);
    const uint64_t timeout_ns = submission->timeout_ms == 0
                                    ? core->options.timeout_ns
                                    : submission->timeout_ms * ZRC_NS_PER_MS;
    struct zrc_slot *slot;

    if (!operation_is_callable(operation) || submission->done == NULL ||
        !zrc_request_is_valid(operation->request, submission->request)) {
        return ZR_EINVAL;
    }
    slot = zrc_slots_peek_free(&core->slots);
    if (slot == NULL) {
        return ZR_EFULL;
    }
    slot->operation = operation;
    if (!zrc_slot_encode(&core->slots, slot, submission->request)) {
        return ZR_EINVAL;
    }
    slot->deadline_ns = now_ns + timeout_ns;
    slot->done = submission->done;
    slot->context = submission->context;
    slot->id = 0;
    slot->sent_ns = 0;
    slot->status = 0;
    slot->detail = 0;
    slot->attempts = 0;
    slot->lost = false;
    slot->unstamped = operation->kind == ZR_OP_KIND_KEYED && key_is_zero(slot->frame + ZRC_KEY_AT);
    zrc_slot_move(&core->slots, slot, ZRC_SLOT_QUEUED);
    zrc_deadlines_put(&core->slots.deadlines, zrc_slot_index(&core->slots, slot),
                      slot->deadline_ns);
    return 0;
}

/* ---- ends ------------------------------------------------------------------------------------ */

void
zrc_core_end(const struct zrc_slot *slot, struct zrc_ended *ended, int result)
{
    *ended = (struct zrc_ended){
        .done = slot->done,
        .context = slot->context,
        .completion =
            {
                .result = result,
                .op = (uint16_t)slot->operation->op,
                .detail = slot->detail,
                .sent_ns = slot->sent_ns,
            },
    };
    if (slot->operation->kind == ZR_OP_KIND_KEYED && !slot->unstamped) {
        memcpy(ended->completion.key.bytes, slot->frame + ZRC_KEY_AT, sizeof(struct zr_id));
    }
}

/* What is known about a request that ends without an answer. */
static int
slot_verdict(const struct zrc_slot *slot, int result_unsent)
{
    if (slot->lost || slot->state == ZRC_SLOT_SENT) {
        return ZR_EUNKNOWN;
    }
    /* Refused before, never executed: the server's word says more than ours. */
    return slot->status != 0 ? slot->status : result_unsent;
}

void
zrc_core_drop(struct zrc_core *core, struct zrc_slot *slot, int result_unsent)
{
    slot->result = slot_verdict(slot, result_unsent);
    zrc_deadlines_del(&core->slots.deadlines, zrc_slot_index(&core->slots, slot));
    if (slot->state == ZRC_SLOT_SENT && core->session != ZRC_SESSION_DOWN) {
        /* The server still owes an answer, and counts it against the credit until then. */
        core->abandoned++;
    }
    zrc_slot_move(&core->slots, slot, ZRC_SLOT_ENDED);
}

bool
zrc_core_take(struct zrc_core *core, struct zrc_ended *ended)
{
    struct zrc_slot *slot = zrc_slots_first(&core->slots, ZRC_SLOT_ENDED);

    CHECK(ended != NULL);
    if (slot == NULL) {
        return false;
    }
    zrc_core_end(slot, ended, slot->result);
    zrc_slot_move(&core->slots, slot, ZRC_SLOT_FREE);
    return true;
}

uint32_t
zrc_core_pending(const struct zrc_core *core)
{
    return core->slots.count - zrc_slots_in(&core->slots, ZRC_SLOT_FREE);
}

/* ---- again, or not --------------------------------------------------------------------------- */

/* Executing it twice is impossible, since a key decides, or harmless. */
static bool
operation_may_resend(const struct zr_operation *operation)
{
    switch (operation->kind) {
    case ZR_OP_KIND_SNAPSHOT:
    case ZR_OP_KIND_ORDERED:
    case ZR_OP_KIND_KEYED:
        return true;
    case ZR_OP_KIND_NATURAL:
        return operation->op != ZR_OP_NOOP_COMMIT && operation->op != ZR_OP_CLOCK_ADVANCE;
    case ZR_OP_KIND_SESSION:
        return operation->op == ZR_OP_PING;
    case ZR_OP_KIND_PUSH:
    case ZR_OP_KIND_SYSTEM:
        return false;
    }
    return false;
}

/* Take one resend from the budget, if the operation and the options allow it at all. */
static bool
retry_take(struct zrc_core *core, const struct zrc_slot *slot)
{
    if (!operation_may_resend(slot->operation) || (core->options.flags & ZR_OPTION_NO_RETRY) != 0 ||
        core->budget_tenths < ZRC_RETRY_TENTHS) {
        return false;
    }
    core->budget_tenths -= ZRC_RETRY_TENTHS;
    return true;
}

static uint64_t
retry_delay_ns(struct zrc_core *core, const struct zrc_slot *slot)
{
    const unsigned doublings =
        slot->attempts < RETRY_DOUBLINGS_MAX ? slot->attempts : RETRY_DOUBLINGS_MAX;
    const uint64_t delay_ms =
        slot->detail != 0 ? slot->detail : (uint64_t)RETRY_MS_MIN << doublings;
    uint8_t random;

    /* Never sooner than asked; up to a quarter later, so that refused clients spread. */
    core->options.random(core->options.random_context, &random, sizeof random);
    return delay_ms * ZRC_NS_PER_MS + delay_ms * ZRC_NS_PER_MS / 4 * random / UINT8_MAX;
}

bool
zrc_core_retry(struct zrc_core *core, struct zrc_slot *slot, uint64_t now_ns)
{
    const uint64_t again_ns = now_ns + retry_delay_ns(core, slot);

    CHECK(slot->state == ZRC_SLOT_SENT);
    CHECK(slot->status != 0);

    if (again_ns >= slot->deadline_ns || !retry_take(core, slot)) {
        return false;
    }
    zrc_slot_move(&core->slots, slot, ZRC_SLOT_WAITING);
    zrc_deadlines_put(&core->slots.deadlines, zrc_slot_index(&core->slots, slot), again_ns);
    return true;
}

void
zrc_core_lose(struct zrc_core *core)
{
    struct zrc_slot *slot;

    core->failure = (struct zrc_failure){0};
    if (core->session == ZRC_SESSION_DOWN) {
        return;
    }
    zrc_core_move(core, ZRC_SESSION_DOWN);
    core->in_flight = 0;
    core->abandoned = 0;
    core->greeting = core->ping = core->grease = (struct zrc_internal){0};
    memset(core->push_ids, 0, sizeof core->push_ids);
    /* From the last to the first, so that the queue keeps their order. */
    while ((slot = zrc_slots_last(&core->slots, ZRC_SLOT_SENT)) != NULL) {
        slot->lost = true;
        if (retry_take(core, slot)) {
            zrc_slot_move_first(&core->slots, slot);
        } else {
            zrc_core_drop(core, slot, ZR_EUNKNOWN);
        }
    }
    CHECK(zrc_slots_in(&core->slots, ZRC_SLOT_SENT) == 0);
}

void
zrc_core_refuse(struct zrc_core *core, int result)
{
    uint32_t index = 0;

    CHECK(result < 0);
    while (zrc_deadlines_next(&core->slots.deadlines, &index) != UINT64_MAX) {
        zrc_core_drop(core, &core->slots.of[index], result);
    }
    CHECK(zrc_slots_pending(&core->slots) == 0);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void
slot_due(struct zrc_core *core, struct zrc_slot *slot, uint64_t now_ns)
{
    const bool connected = core->session == ZRC_SESSION_READY;

    if (slot->deadline_ns <= now_ns) {
        zrc_core_drop(core, slot, connected ? ZR_ETIMEDOUT : ZR_EDISCONNECTED);
        return;
    }
    CHECK(slot->state == ZRC_SLOT_WAITING);
    zrc_slot_move(&core->slots, slot, ZRC_SLOT_QUEUED);
    zrc_deadlines_put(&core->slots.deadlines, zrc_slot_index(&core->slots, slot),
                      slot->deadline_ns);
}

/*
 * When an idle connection is to be asked whether it lives; UINT64_MAX = not now. Who only listens
 * to what is pushed has to speak as well: the server judges by what it hears.
 */
static uint64_t
ping_due_ns(const struct zrc_core *core)
{
    const bool listens = core->push_ids[ZRC_PUSH_EVENTS] != 0 || core->push_ids[ZRC_PUSH_MAP] != 0;
    const uint64_t since_ns =
        listens && core->spoke_ns < core->heard_ns ? core->spoke_ns : core->heard_ns;

    if (core->session != ZRC_SESSION_READY || core->ping.due || core->ping.id != 0) {
        return UINT64_MAX;
    }
    return since_ns + ZRC_KEEPALIVE_MS * ZRC_NS_PER_MS;
}

/* When a server that owes answers and sends nothing at all is given up. */
static uint64_t
silence_due_ns(const struct zrc_core *core)
{
    const uint64_t since_ns = core->asked_ns > core->heard_ns ? core->asked_ns : core->heard_ns;

    if (core->session != ZRC_SESSION_READY || core->in_flight == 0) {
        return UINT64_MAX;
    }
    return since_ns + ZRC_SILENCE_MS * ZRC_NS_PER_MS;
}

void
zrc_core_tick(struct zrc_core *core, uint64_t now_ns)
{
    uint32_t index = 0;

    while (zrc_deadlines_next(&core->slots.deadlines, &index) <= now_ns) {
        slot_due(core, &core->slots.of[index], now_ns);
    }
    if (ping_due_ns(core) <= now_ns) {
        core->ping.due = true;
    }
    if (silence_due_ns(core) <= now_ns) {
        zrc_core_fail(core, (struct zrc_failure){.result = ZR_EDISCONNECTED,
                                                 .text = "the server fell silent"});
    }
}

static uint64_t
earlier(uint64_t one_ns, uint64_t other_ns)
{
    return one_ns < other_ns ? one_ns : other_ns;
}

uint64_t
zrc_core_due_ns(const struct zrc_core *core)
{
    uint32_t index;
    uint64_t due_ns = zrc_deadlines_next(&core->slots.deadlines, &index);

    due_ns = earlier(due_ns, ping_due_ns(core));
    due_ns = earlier(due_ns, silence_due_ns(core));
    if (core->session == ZRC_SESSION_DRAINING) {
        due_ns = earlier(due_ns, core->drain_until_ns);
    }
    return due_ns;
}

bool
zrc_core_drained(const struct zrc_core *core, uint64_t now_ns)
{
    return core->session == ZRC_SESSION_DRAINING &&
           (core->in_flight == core->abandoned || now_ns >= core->drain_until_ns);
}
