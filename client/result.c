/*
 * result.c - names and texts of what a call returns, and the version.
 */
#include "client/include/zipring.h"

#include <stddef.h>

#ifndef ZR_VERSION_TEXT
#define ZR_VERSION_TEXT "1.0"
#endif

/* One row per enum zr_error_code, at its negative. */
static const struct {
    const char *name;
    const char *text;
    int retryable;
} errors[] = {
    [-ZR_ETIMEDOUT] = {"ZR_ETIMEDOUT",
                       "the deadline passed before it was sent; not executed, it may be repeated",
                       1},
    [-ZR_EUNKNOWN] = {"ZR_EUNKNOWN",
                      "it was sent and the answer was lost; ask again with the same key only", 1},
    [-ZR_EDISCONNECTED] = {"ZR_EDISCONNECTED",
                           "no endpoint could be reached in time; not executed, check the "
                           "endpoints and repeat",
                           1},
    [-ZR_EFULL] = {"ZR_EFULL",
                   "inflight_max requests are pending; not executed, process() and repeat", 1},
    [-ZR_ETLS] = {"ZR_ETLS",
                  "the TLS handshake failed; check certificate, key, CA and host of the endpoint",
                  0},
    [-ZR_EAUTH] = {"ZR_EAUTH",
                   "the server knows no live principal for this certificate; have an ADMIN add it",
                   0},
    [-ZR_EPROTO] = {"ZR_EPROTO",
                    "the peer broke the protocol and the connection was closed; is it a "
                    "zipringd?",
                    0},
    [-ZR_EINVAL] = {"ZR_EINVAL", "an argument is wrong; nothing was sent", 0},
    [-ZR_ENOMEM] = {"ZR_ENOMEM", "no memory or no descriptors; lower inflight_max or raise limits",
                    0},
    [-ZR_ECANCELED] = {"ZR_ECANCELED",
                       "the client was closed before it was sent; not executed, it may be repeated",
                       1},
    [-ZR_EVERSION] = {"ZR_EVERSION", "no common protocol version; upgrade the older side", 0},
};

enum { ERRORS_COUNT = sizeof errors / sizeof errors[0] };

static int
result_is_error(int result)
{
    return result < 0 && result > -ERRORS_COUNT;
}

const char *
zr_result_name(int result)
{
    if (result_is_error(result)) {
        return errors[-result].name;
    }
    return result < 0 || result > UINT16_MAX ? NULL : zr_status_code_name((uint16_t)result);
}

const char *
zr_result_text(int result)
{
    if (result_is_error(result)) {
        return errors[-result].text;
    }
    if (result < 0 || result > UINT16_MAX) {
        return "not a result of this library";
    }
    return zr_status_code_text((uint16_t)result);
}

int
zr_result_retryable(int result)
{
    uint8_t status_class;

    if (result_is_error(result)) {
        return errors[-result].retryable;
    }
    if (result < 0 || result > UINT16_MAX) {
        return 0;
    }
    status_class = zr_status_class((uint16_t)result);
    return status_class == ZR_CLASS_NOT_EXECUTED || status_class == ZR_CLASS_UNKNOWN;
}

int
zr_version(void)
{
    return ZR_VERSION_NUMBER;
}

const char *
zr_version_text(void)
{
    return ZR_VERSION_TEXT;
}
