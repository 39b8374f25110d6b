/*
 * slot.c - see slot.h.
 */
#include "client/slot.h"

#include "protocol/builder.h"
#include "protocol/check.h"

#include <stdlib.h>
#include <string.h>

#define MOVE_TO(state) (1u << (unsigned)(state))

/* Where a slot may go from each state. */
static const unsigned slot_moves[] = {
    [ZRC_SLOT_FREE] = MOVE_TO(ZRC_SLOT_QUEUED),
    [ZRC_SLOT_QUEUED] = MOVE_TO(ZRC_SLOT_SENT) | MOVE_TO(ZRC_SLOT_ENDED),
    [ZRC_SLOT_SENT] = MOVE_TO(ZRC_SLOT_FREE) | MOVE_TO(ZRC_SLOT_QUEUED) |
                      MOVE_TO(ZRC_SLOT_WAITING) | MOVE_TO(ZRC_SLOT_ENDED),
    [ZRC_SLOT_WAITING] = MOVE_TO(ZRC_SLOT_QUEUED) | MOVE_TO(ZRC_SLOT_ENDED),
    [ZRC_SLOT_ENDED] = MOVE_TO(ZRC_SLOT_FREE),
};

/* ---- lists ----------------------------------------------------------------------------------- */

static void
list_del(struct zrc_slots *slots, struct zrc_list *list, struct zrc_slot *slot)
{
    CHECK(list->count > 0);

    if (slot->previous == ZRC_NONE) {
        list->head = slot->next;
    } else {
        slots->of[slot->previous].next = slot->next;
    }
    if (slot->next == ZRC_NONE) {
        list->tail = slot->previous;
    } else {
        slots->of[slot->next].previous = slot->previous;
    }
    list->count--;
    CHECK((list->count == 0) == (list->head == ZRC_NONE));
}

static void
list_put_last(struct zrc_slots *slots, struct zrc_list *list, struct zrc_slot *slot)
{
    const uint32_t index = zrc_slot_index(slots, slot);

    slot->next = ZRC_NONE;
    slot->previous = list->tail;
    if (list->tail == ZRC_NONE) {
        list->head = index;
    } else {
        slots->of[list->tail].next = index;
    }
    list->tail = index;
    list->count++;
}

static void
list_put_first(struct zrc_slots *slots, struct zrc_list *list, struct zrc_slot *slot)
{
    const uint32_t index = zrc_slot_index(slots, slot);

    slot->previous = ZRC_NONE;
    slot->next = list->head;
    if (list->head == ZRC_NONE) {
        list->tail = index;
    } else {
        slots->of[list->head].previous = index;
    }
    list->head = index;
    list->count++;
}

/* ---- the pool -------------------------------------------------------------------------------- */

bool
zrc_slots_init(struct zrc_slots *slots, uint32_t slots_count, uint32_t frame_bytes_max)
{
    CHECK(slots != NULL);
    CHECK(slots_count > 0);
    CHECK(frame_bytes_max >= ZRC_SMALL_FRAME_BYTES);
    CHECK(frame_bytes_max <= ZR_FRAME_BYTES_LIMIT);

    *slots = (struct zrc_slots){.count = slots_count, .frame_bytes_max = frame_bytes_max};
    slots->of = calloc(slots_count, sizeof slots->of[0]);
    slots->small_frames = calloc(slots_count, ZRC_SMALL_FRAME_BYTES);
    slots->large_frames = calloc(slots_count, frame_bytes_max);
    if (slots->of == NULL || slots->small_frames == NULL || slots->large_frames == NULL ||
        !zrc_deadlines_init(&slots->deadlines, slots_count)) {
        zrc_slots_deinit(slots);
        return false;
    }
    for (unsigned i = 0; i <= ZRC_SLOT_ENDED; i++) {
        slots->lists[i] = (struct zrc_list){.head = ZRC_NONE, .tail = ZRC_NONE};
    }
    for (uint32_t i = 0; i < slots_count; i++) {
        list_put_last(slots, &slots->lists[ZRC_SLOT_FREE], &slots->of[i]);
    }
    return true;
}

void
zrc_slots_deinit(struct zrc_slots *slots)
{
    CHECK(slots != NULL);

    free(slots->of);
    free(slots->small_frames);
    free(slots->large_frames);
    zrc_deadlines_deinit(&slots->deadlines);
    *slots = (struct zrc_slots){0};
}

uint32_t
zrc_slot_index(const struct zrc_slots *slots, const struct zrc_slot *slot)
{
    CHECK(slot >= slots->of);
    CHECK(slot < slots->of + slots->count);
    return (uint32_t)(slot - slots->of);
}

struct zrc_slot *
zrc_slots_first(struct zrc_slots *slots, enum zrc_slot_state state)
{
    const uint32_t head = slots->lists[state].head;

    CHECK(state != ZRC_SLOT_WAITING);
    return head == ZRC_NONE ? NULL : &slots->of[head];
}

struct zrc_slot *
zrc_slots_last(struct zrc_slots *slots, enum zrc_slot_state state)
{
    const uint32_t tail = slots->lists[state].tail;

    CHECK(state != ZRC_SLOT_WAITING);
    return tail == ZRC_NONE ? NULL : &slots->of[tail];
}

struct zrc_slot *
zrc_slots_peek_free(struct zrc_slots *slots)
{
    return zrc_slots_first(slots, ZRC_SLOT_FREE);
}

uint32_t
zrc_slots_in(const struct zrc_slots *slots, enum zrc_slot_state state)
{
    CHECK(state != ZRC_SLOT_WAITING);
    return slots->lists[state].count;
}

uint32_t
zrc_slots_pending(const struct zrc_slots *slots)
{
    return slots->count - slots->lists[ZRC_SLOT_FREE].count - slots->lists[ZRC_SLOT_ENDED].count;
}

/* ---- moves ----------------------------------------------------------------------------------- */

static void
slot_leave(struct zrc_slots *slots, struct zrc_slot *slot, enum zrc_slot_state state)
{
    CHECK(slot->state <= ZRC_SLOT_ENDED);
    CHECK((slot_moves[slot->state] & MOVE_TO(state)) != 0);

    if (slot->state != ZRC_SLOT_WAITING) {
        list_del(slots, &slots->lists[slot->state], slot);
    }
    slot->state = (uint8_t)state;
}

void
zrc_slot_move(struct zrc_slots *slots, struct zrc_slot *slot, enum zrc_slot_state state)
{
    slot_leave(slots, slot, state);
    if (state == ZRC_SLOT_FREE) {
        /* The one used last is used next: its memory is still in the cache. */
        list_put_first(slots, &slots->lists[state], slot);
    } else if (state != ZRC_SLOT_WAITING) {
        list_put_last(slots, &slots->lists[state], slot);
    }
}

void
zrc_slot_move_first(struct zrc_slots *slots, struct zrc_slot *slot)
{
    CHECK(slot->state == ZRC_SLOT_SENT);
    slot_leave(slots, slot, ZRC_SLOT_QUEUED);
    list_put_first(slots, &slots->lists[ZRC_SLOT_QUEUED], slot);
}

/* ---- frames ---------------------------------------------------------------------------------- */

bool
zrc_request_is_valid(const struct zr_shape *shape, const void *request)
{
    CHECK(shape != NULL);

    if (request == NULL) {
        return shape->fields_count == 0;
    }
    for (uint16_t i = 0; i < shape->fields_count; i++) {
        const struct zr_field *field = &shape->fields[i];
        uint16_t count;

        if (field->row != ZR_ROW_ARRAY && field->row != ZR_ROW_BYTES) {
            continue;
        }
        memcpy(&count, (const uint8_t *)request + field->count_offset, sizeof count);
        if (count > field->max) {
            return false;
        }
    }
    return true;
}

bool
zrc_slot_encode(struct zrc_slots *slots, struct zrc_slot *slot, const void *request)
{
    const size_t index = zrc_slot_index(slots, slot);
    const struct zr_header header = {.op = (uint16_t)slot->operation->op,
                                     .version = slot->operation->version};
    struct zr_builder builder;

    slot->frame = slots->small_frames + index * ZRC_SMALL_FRAME_BYTES;
    zr_builder_init(&builder, slot->frame, ZRC_SMALL_FRAME_BYTES);
    zr_message_encode(&builder, &header, slot->operation->request, request);
    if (builder.failed) {
        slot->frame = slots->large_frames + index * slots->frame_bytes_max;
        zr_builder_init(&builder, slot->frame, slots->frame_bytes_max);
        zr_message_encode(&builder, &header, slot->operation->request, request);
    }
    if (builder.failed) {
        return false;
    }
    slot->frame_bytes = (uint32_t)builder.length;
    return true;
}
