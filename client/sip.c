/*
 * sip.c - what a contractor's SIP response says about his turn (protocol.md "SIP mapping").
 *
 * Its one idea: a response is an outcome or it is none. Who sent it is for the caller to know: a
 * 487 that answers the caller's own CANCEL is no outcome of the leg, and never gets here.
 */
#include "client/include/zipring.h"

#include <stddef.h>

enum {
    FORWARDED_PROGRESS = 181, /* Call Is Being Forwarded: his phone, but not him (R50). */
    REDIRECTION_MIN = 300,
    FAILURE_MIN = 400,
    CODE_MAX = 699,
};

/* Those that say more than "it failed"; RFC 3261 section 21. */
static const struct {
    uint16_t code;
    uint8_t outcome;
} rows[] = {
    {408, ZR_OUTCOME_NO_ANSWER}, /* Request Timeout */
    {480, ZR_OUTCOME_NO_ANSWER}, /* Temporarily Unavailable */
    {486, ZR_OUTCOME_BUSY},      /* Busy Here */
    {487, ZR_OUTCOME_NO_ANSWER}, /* Request Terminated, by a timer on his side */
    {600, ZR_OUTCOME_BUSY},      /* Busy Everywhere */
    {603, ZR_OUTCOME_DECLINED},  /* Decline */
};

uint8_t
zr_sip_outcome(int sip_code)
{
    if (sip_code == FORWARDED_PROGRESS) {
        return ZR_OUTCOME_FORWARDED;
    }
    if (sip_code < REDIRECTION_MIN || sip_code > CODE_MAX) {
        return 0;
    }
    if (sip_code < FAILURE_MIN) {
        return ZR_OUTCOME_FORWARDED;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == sip_code) {
            return rows[i].outcome;
        }
    }
    return ZR_OUTCOME_FAILED;
}
