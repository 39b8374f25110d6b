/*
 * bits.c - see bits.h.
 */
#include "client/cli/bits.h"

#include "protocol/check.h"
#include "protocol/types.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* domain.md M3: bit i is the i-th name. */
static const char *const reasons[] = {"NOT_APPROVED",
                                      "CLAIM_NOT_ACTIVE",
                                      "PAUSED",
                                      "OUT_OF_HOURS",
                                      "VACATION",
                                      "NO_FUNDS",
                                      "AT_CONCURRENCY",
                                      "CAP_REACHED",
                                      "SPACING",
                                      "COOLDOWN",
                                      "ALREADY_TRIED",
                                      "CALLER_BLOCKED",
                                      "DUP_RESTRICTED",
                                      "DEST_DOWN",
                                      "PARTNER_NOT_ALLOWED",
                                      "SCREENING_MISSING",
                                      "MODE_UNSUPPORTED",
                                      "ATTESTATION",
                                      NULL};
static const char *const conditions[] = {"PAUSED",      "DRY",     "SUSPENDED", "LICENCE_LAPSED",
                                         "UNAVAILABLE", "LAPSING", NULL};
static const char *const modes[] = {"PHONE", "APP", "SMS", NULL};

const char *const *
bits_names(const char *field)
{
    if (strcmp(field, "reasons") == 0) {
        return reasons;
    }
    if (strcmp(field, "conditions") == 0) {
        return conditions;
    }
    return strcmp(field, "modes") == 0 ? modes : NULL;
}

int
bits_find(const char *const *names, const char *text)
{
    for (int bit = 0; names[bit] != NULL; bit++) {
        size_t i = 0;

        while (text[i] != '\0' &&
               (text[i] == '-' ? '_' : toupper((unsigned char)text[i])) == names[bit][i]) {
            i++;
        }
        if (text[i] == '\0' && names[bit][i] == '\0') {
            return bit;
        }
    }
    return -1;
}

json_t *
bits_json(const char *const *names, uint32_t bits)
{
    json_t *array = json_array();
    bool known = true; /* This bit is still within the names. */

    CHECK(names != NULL);
    for (unsigned bit = 0; bit < 32; bit++) {
        char unknown[16];

        known = known && names[bit] != NULL;
        if ((bits >> bit & 1) == 0) {
            continue;
        }
        (void)snprintf(unknown, sizeof unknown, "BIT_%u", bit);
        (void)json_array_append_new(array, json_string(known ? names[bit] : unknown));
    }
    return array;
}

/* ---- events ------------------------------------------------------------------------------ */

static json_t *
condition_json(uint8_t code)
{
    for (unsigned bit = 0; conditions[bit] != NULL; bit++) {
        if (code == 1u << bit) {
            return json_string(conditions[bit]);
        }
    }
    return NULL;
}

/* CAP_75, _90, _100: window and measure in one byte. "DAY:CONNECTS", as --cap takes it. */
static json_t *
cap_json(uint8_t code)
{
    const char *window = zr_cap_window_name(code >> 4);
    const char *measure = zr_cap_measure_name(code & 15);

    return window != NULL && measure != NULL ? json_sprintf("%s:%s", window, measure) : NULL;
}

static json_t *
name_json(const char *name)
{
    return name != NULL ? json_string(name) : NULL;
}

json_t *
bits_event_code(uint8_t type, uint8_t code)
{
    /* Not a switch on the enum: a newer server's types are no values of it. */
    switch ((unsigned)type) {
    case ZR_EVENT_PAUSED:
    case ZR_EVENT_GRACE_WARNING:
    case ZR_EVENT_FORFEITED:
        return condition_json(code);
    case ZR_EVENT_CLAIM_ENDED:
        return name_json(zr_claim_state_name(code));
    case ZR_EVENT_CALL_MISSED:
    case ZR_EVENT_CALL_DECLINED:
        return name_json(zr_leg_outcome_name(code));
    case ZR_EVENT_CALL_SETTLED:
    case ZR_EVENT_RECONCILE:
        return name_json(zr_settlement_name(code));
    case ZR_EVENT_DISPUTE_OPENED:
        return name_json(zr_dispute_reason_name(code));
    case ZR_EVENT_DISPUTE_RESOLVED:
        return name_json(zr_dispute_state_name(code));
    case ZR_EVENT_CAP_75:
    case ZR_EVENT_CAP_90:
    case ZR_EVENT_CAP_100:
        return cap_json(code);
    default:
        return NULL;
    }
}
