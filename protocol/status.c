/*
 * status.c - names and texts of outcomes.def.
 */
#include "protocol/status.h"

#include <stddef.h>

struct outcome {
    uint16_t code;
    const char *name;
    const char *text;
};

static const struct outcome outcomes[] = {
#define OUTCOME(name, code, text) {(code), #name, (text)},
#include "protocol/outcomes.def"
#undef OUTCOME
};

/* For people to read: their number does not ask for more than a walk. */
static const struct outcome *
outcome_find(uint16_t status)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        if (outcomes[i].code == status) {
            return &outcomes[i];
        }
    }
    return NULL;
}

const char *
zr_status_code_name(uint16_t status)
{
    const struct outcome *outcome = outcome_find(status);

    return outcome == NULL ? NULL : outcome->name;
}

const char *
zr_status_code_text(uint16_t status)
{
    const struct outcome *outcome = outcome_find(status);

    return outcome == NULL ? "a status that this build does not know: act on its class"
                           : outcome->text;
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
