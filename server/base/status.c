/*
 * status.c - names of the operating failures.
 */
#include "server/base/status.h"

const char *
status_name(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return "ok";
    case STATUS_NOT_FOUND:
        return "not found";
    case STATUS_FULL:
        return "full";
    case STATUS_NO_SPACE:
        return "no space left";
    case STATUS_IO:
        return "input/output error";
    case STATUS_CORRUPT:
        return "corrupt";
    case STATUS_FOREIGN:
        return "foreign or newer database";
    case STATUS_IN_USE:
        return "in use by another process";
    case STATUS_UNSUPPORTED:
        return "unsupported";
    case STATUS_INVALID:
        return "invalid";
    }
    return "unknown status";
}
