/*
 * status.h - what a reply says: enum zr_status_code, made from outcomes.def.
 *
 * The order of the rows there is the order in which rules are tested (protocol.md "Status").
 */
#ifndef ZR_PROTOCOL_STATUS_H
#define ZR_PROTOCOL_STATUS_H

#include <stdint.h>

enum zr_status_code {
#define OUTCOME(name, code, text) ZR_STATUS_##name = (code),
#include "protocol/outcomes.def"
#undef OUTCOME
};

/* The high byte of a status: what a client acts on when it does not know the low one. */
enum zr_status_class {
    ZR_CLASS_DONE = 0x00,
    ZR_CLASS_BAD_REQUEST = 0x10,
    ZR_CLASS_REFUSED = 0x20,
    ZR_CLASS_NOT_EXECUTED = 0x30,
    ZR_CLASS_UNKNOWN = 0x40,
    ZR_CLASS_DENIED = 0x50,
    ZR_CLASS_PROTOCOL = 0x60,
};

/* The class of a status, also of one that this build does not know. */
static inline uint8_t
zr_status_class(uint16_t status)
{
    return (uint8_t)(status >> 8);
}

/* "NO_COVERAGE"; NULL for a status that this build does not know. */
const char *zr_status_code_name(uint16_t status);

/* What is wrong and what to do; never NULL. */
const char *zr_status_code_text(uint16_t status);

/* "done", "bad_request", "refused", "not_executed", "unknown", "denied", "protocol". */
const char *zr_status_class_name(uint8_t status_class);

#endif
