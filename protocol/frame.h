/*
 * frame.h - header v1, 24 bytes, frozen for ever (protocol.md "Header v1"), and the
 * cutter that finds frames in a stream of bytes.
 *
 * The deadline, the status and the credit sit here so that a server can shed, drain
 * and account without decoding a body.
 *
 *   off size  request                             response
 *   0   u32   size of the whole frame             same
 *   4   u16   op 0x0001..0x7FFF                   op | 0x8000
 *   6   u8    ver, body version of this op        echoed
 *   7   u8    flags: bits 0-3 critical, 4-7 ignorable
 *   8   u64   id, strictly increasing             echoed
 *   16  u32   timeout_us, 0 = server default      u16 status, u16 detail
 *   20  u16   block, bytes of the root block      same
 *   22  u16   0                                   credit
 */
#ifndef ZR_FRAME_H
#define ZR_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ZR_HEADER_BYTES = 24,
    ZR_FRAME_ALIGN = 8,
    ZR_FRAME_BYTES_DEFAULT = 4096, /* max_frame before and unless negotiated otherwise. */
    ZR_FRAME_BYTES_LIMIT = 16384,  /* The largest max_frame that may be negotiated. */
    ZR_HELLO_BYTES_MAX = 256,      /* Only HELLO may come first, and it is this small. */
    ZR_OP_RESPONSE = 0x8000,       /* Bit 15 of op: this frame is a response. */
    ZR_OP_MIN = 0x0001,
    ZR_OP_MAX = 0x7FFF,       /* 0x7F00..0x7FFF is grease: always unknown. */
    ZR_FLAG_RETRY = 0x01,     /* Request: a resend under the same key. */
    ZR_FLAG_TRACE = 0x10,     /* Request: ignorable. */
    ZR_FLAG_DUPLICATE = 0x01, /* Response: the stored reply. */
    ZR_FLAG_MORE = 0x02,      /* Response: another frame with this id follows. */
    ZR_FLAGS_CRITICAL = 0x0F, /* An unknown one of these refuses the frame. */
};

struct zr_header {
    uint32_t size;       /* Bytes, whole frame. */
    uint16_t op;         /* With ZR_OP_RESPONSE set in a response. */
    uint8_t version;     /* Body version of this op. */
    uint8_t flags;       /* ZR_FLAG_*. */
    uint64_t id;         /* Matches a reply to its request; 0 on frames the server pushes. */
    uint32_t timeout_us; /* Requests only. */
    uint16_t status;     /* Responses only: enum zr_status_code. */
    uint16_t detail;     /* Responses only: offset of a bad field, or retry-after in ms. */
    uint16_t block;      /* Bytes of the root block; a tail may follow it. */
    uint16_t credit;     /* Responses only: in-flight window now granted. */
};

/* What the cutter found at the front of the stream. */
enum zr_cut {
    ZR_CUT_FRAME,      /* A whole frame of header.size bytes. */
    ZR_CUT_INCOMPLETE, /* The front of a frame: read on. */
    ZR_CUT_BAD,        /* Not a frame; the stream cannot be trusted any further. */
};

/* Write a header at the first ZR_HEADER_BYTES of `bytes`. */
void zr_header_encode(uint8_t *bytes, const struct zr_header *header);

/* Read a header. `bytes` holds at least ZR_HEADER_BYTES. Judges nothing. */
void zr_header_decode(struct zr_header *header, const uint8_t *bytes);

/*
 * Look at the front of a stream. The length is judged first and in unsigned 32-bit, so
 * that an oversized frame is refused before a byte of it is buffered. Fills *header on
 * FRAME only; on FRAME, header->size <= bytes_count and the frame has one meaning: size a
 * multiple of 8, 24..max_frame, block inside the frame and a multiple of 8, op not 0.
 */
enum zr_cut zr_frame_cut(struct zr_header *header, const uint8_t *bytes, size_t bytes_count,
                         uint32_t frame_bytes_max);

#endif
