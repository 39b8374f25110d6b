/*
 * status.c - names and texts of outcomes.def.
 */
#include "protocol/status.h"

#include <stddef.h>

const char *
zr_status_code_name(uint16_t status)
{
    switch (status) {
#define OUTCOME(name, code, text) \
    case (code):                  \
        return #name;
#include "protocol/outcomes.def"
#undef OUTCOME
    default:
        return NULL;
    }
}

const char *
zr_status_code_text(uint16_t status)
{
    switch (status) {
#define OUTCOME(name, code, text) \
    case (code):                  \
        return (text);
#include "protocol/outcomes.def"
#undef OUTCOME
    default:
        return "a status that this build does not know: act on its class";
    }
}

const char *
zr_status_class_name(uint8_t status_class)
{
    switch (status_class) {
    case ZR_CLASS_DONE:
        return "done";
    case ZR_CLASS_BAD_REQUEST:
        return "bad_request";
    case ZR_CLASS_REFUSED:
        return "refused";
    case ZR_CLASS_NOT_EXECUTED:
        return "not_executed";
    case ZR_CLASS_UNKNOWN:
        return "unknown";
    case ZR_CLASS_DENIED:
        return "denied";
    default:
        return "protocol";
    }
}
