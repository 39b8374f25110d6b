/*
 * notice.h - the two frames that net itself writes: ERROR and GOAWAY.
 *
 * Everything else that leaves a connection was made by dispatch.
 */
#ifndef ZR_NOTICE_H
#define ZR_NOTICE_H

#include "protocol/frame.h"

#include <stdint.h>

enum {
    NOTICE_ERROR_BYTES = ZR_HEADER_BYTES,
    NOTICE_GOAWAY_BLOCK = 16,
    NOTICE_GOAWAY_BYTES = ZR_HEADER_BYTES + NOTICE_GOAWAY_BLOCK,
    NOTICE_BYTES_MAX = NOTICE_GOAWAY_BYTES,
};

struct notice_goaway {
    uint64_t last_id;  /* Requests above it surely were not executed. */
    uint32_t drain_ms; /* Until then replies to the others may still come. */
    uint8_t reason;    /* enum zr_goaway_reason. */
};

/* Why the connection closes: a header alone. `id` of the request at fault, or 0. */
void notice_encode_error(uint8_t *bytes, uint64_t id, uint16_t status);

void notice_encode_goaway(uint8_t *bytes, const struct notice_goaway *goaway);

#endif
