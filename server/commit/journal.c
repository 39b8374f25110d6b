/*
 * journal.c - see journal.h.
 */
#include "server/commit/journal.h"

#include "protocol/check.h"

#include <string.h>

/* Table, key length, row length, key, row. */
static void
put_images(struct zr_builder *builder, const struct state *state)
{
    for (uint32_t i = 0; i < state->images_count; i++) {
        const struct tail_row *image = &state->images[i];

        zr_builder_put_u8(builder, image->table);
        zr_builder_put_u8(builder, image->key_bytes);
        zr_builder_put_u8(builder, image->row_bytes);
        zr_builder_put_bytes(builder, image->key, image->key_bytes);
        zr_builder_put_bytes(builder, image->row, image->row_bytes);
    }
}

void
journal_append(struct state *state, struct mac *mac, struct journal_head *head,
               const uint8_t *frame, uint8_t hash[SHA256_BYTES])
{
    /* Not on the stack: there all of it, 36 kB, would be set to 0 for each command. */
    static _Thread_local uint8_t row[JOURNAL_ROW_BYTES_MAX];
    struct zr_builder builder;
    uint8_t *head_bytes;
    size_t images_start;

    CHECK(state->seq > 0);
    memcpy(head->previous, hash, SHA256_BYTES);
    zr_builder_init(&builder, row, sizeof row);
    head_bytes = zr_builder_reserve(&builder, sizeof *head);
    zr_builder_put_bytes(&builder, frame, head->frame_bytes);
    images_start = builder.length;
    put_images(&builder, state);
    CHECK(!builder.failed);
    head->images_bytes = (uint16_t)(builder.length - images_start);
    memcpy(head_bytes, head, sizeof *head);
    store_put_number(state->view, TABLE_JOURNAL, state->seq, row, builder.length);
    sha256_of(mac, hash, row, builder.length);
}

bool
journal_read(struct store_view *view, uint64_t seq, struct journal_entry *entry)
{
    struct store_value value;

    if (!store_get_number(view, TABLE_JOURNAL, seq, &value) ||
        value.bytes_count < sizeof entry->head) {
        return false;
    }
    memcpy(&entry->head, value.bytes, sizeof entry->head);
    if (value.bytes_count !=
        sizeof entry->head + entry->head.frame_bytes + entry->head.images_bytes) {
        return false;
    }
    entry->frame = value.bytes + sizeof entry->head;
    entry->images = entry->frame + entry->head.frame_bytes;
    return true;
}

bool
journal_hash(struct store_view *view, struct mac *mac, uint64_t seq, uint8_t hash[SHA256_BYTES])
{
    struct store_value value;

    if (!store_get_number(view, TABLE_JOURNAL, seq, &value)) {
        return false;
    }
    sha256_of(mac, hash, value.bytes, value.bytes_count);
    return true;
}

bool
journal_restore_images(struct tail *tail, uint64_t seq, const struct journal_entry *entry)
{
    struct zr_reader reader;

    zr_reader_init(&reader, entry->images, entry->head.images_bytes);
    while (zr_reader_left(&reader) > 0 && !reader.failed) {
        struct tail_row image = {0};
        const uint8_t *key;
        const uint8_t *row;

        image.table = zr_reader_take_u8(&reader);
        image.key_bytes = zr_reader_take_u8(&reader);
        image.row_bytes = zr_reader_take_u8(&reader);
        key = zr_reader_take_bytes(&reader, image.key_bytes);
        row = zr_reader_take_bytes(&reader, image.row_bytes);
        if (reader.failed || image.key_bytes > sizeof image.key ||
            image.row_bytes > sizeof image.row || image.table >= STORE_TABLES) {
            return false;
        }
        memcpy(image.key, key, image.key_bytes);
        if (image.row_bytes > 0) {
            memcpy(image.row, row, image.row_bytes);
        }
        if (!tail_put(tail, seq, &image)) {
            return false;
        }
    }
    return true;
}
