/*
 * inbox.c - see inbox.h.
 */
#include "server/net/inbox.h"

#include "protocol/check.h"

#include <string.h>

void
inbox_init(struct inbox *inbox)
{
    CHECK(inbox != NULL);
    *inbox = (struct inbox){.head = LOOP_BUFFER_NONE, .tail = LOOP_BUFFER_NONE};
}

void
inbox_put(struct inbox *inbox, struct inbox_links *links, struct loop *loop,
          const struct loop_event *event)
{
    const uint32_t length = (uint32_t)event->result;

    CHECK(event->kind == LOOP_RECV);
    CHECK(event->result > 0);
    CHECK(length <= links->buffer_bytes);

    if (inbox->count > 0 && !(inbox->lent && inbox->count == 1)) {
        struct inbox_link *const last = &links->of[inbox->tail];

        if (last->length + length <= links->buffer_bytes) {
            memcpy(last->bytes + last->length, event->bytes, length);
            last->length += length;
            loop_buffer_give(loop, event->buffer);
            return;
        }
    }
    links->of[event->buffer] =
        (struct inbox_link){.bytes = event->bytes, .length = length, .next = LOOP_BUFFER_NONE};
    if (inbox->count == 0) {
        inbox->head = event->buffer;
    } else {
        links->of[inbox->tail].next = event->buffer;
    }
    inbox->tail = event->buffer;
    inbox->count++;
}

/* Drop the head. */
static void
head_give(struct inbox *inbox, struct inbox_links *links, struct loop *loop)
{
    const uint16_t head = inbox->head;

    CHECK(inbox->count > 0);
    CHECK(head != LOOP_BUFFER_NONE);

    inbox->head = links->of[head].next;
    inbox->count--;
    inbox->lent = false;
    if (inbox->count == 0) {
        inbox->tail = LOOP_BUFFER_NONE;
    }
    loop_buffer_give(loop, head);
}

bool
inbox_next(struct inbox *inbox, struct inbox_links *links, struct loop *loop,
           struct inbox_link *lent)
{
    CHECK(lent != NULL);

    if (inbox->lent) {
        head_give(inbox, links, loop);
    }
    if (inbox->count == 0) {
        return false;
    }
    inbox->lent = true;
    *lent = links->of[inbox->head];
    return true;
}

void
inbox_clear(struct inbox *inbox, struct inbox_links *links, struct loop *loop)
{
    while (inbox->count > 0) {
        head_give(inbox, links, loop);
    }
    CHECK(inbox->head == LOOP_BUFFER_NONE);
}
