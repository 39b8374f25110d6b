/*
 * notice.c - see notice.h.
 */
#include "server/net/notice.h"

#include "protocol/bytes.h"
#include "protocol/check.h"
#include "protocol/message.h"

#include <string.h>

void
notice_encode_error(uint8_t *bytes, uint64_t id, uint16_t status)
{
    const struct zr_header header = {
        .size = NOTICE_ERROR_BYTES,
        .op = ZR_OP_ERROR | ZR_OP_RESPONSE,
        .version = 1,
        .id = id,
        .status = status,
    };

    CHECK(bytes != NULL);
    CHECK(status != 0);
    zr_header_encode(bytes, &header);
}

void
notice_encode_goaway(uint8_t *bytes, const struct notice_goaway *goaway)
{
    const struct zr_header header = {
        .size = NOTICE_GOAWAY_BYTES,
        .op = ZR_OP_GOAWAY | ZR_OP_RESPONSE,
        .version = 1,
        .block = NOTICE_GOAWAY_BLOCK,
    };

    CHECK(bytes != NULL);
    CHECK(goaway->reason != 0);
    zr_header_encode(bytes, &header);
    memset(bytes + ZR_HEADER_BYTES, 0, NOTICE_GOAWAY_BLOCK);
    zr_store_u64(bytes + ZR_HEADER_BYTES, goaway->last_id);
    zr_store_u32(bytes + ZR_HEADER_BYTES + 8, goaway->drain_ms);
    bytes[ZR_HEADER_BYTES + 12] = goaway->reason;
}
