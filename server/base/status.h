/*
 * status.h - operating failures: the second of the three kinds of error (style.md "Errors").
 *
 * A bug is a CHECK. A business refusal is an enum zr_status_code and normal data. What is
 * left, a disk that is full, a file that is foreign, a kernel that lacks a call, is one of
 * these. Functions that return it are MUST_USE: the compiler makes the caller look at it.
 */
#ifndef ZR_STATUS_H
#define ZR_STATUS_H

#define MUST_USE __attribute__((warn_unused_result))

enum status {
    STATUS_OK = 0,
    STATUS_NOT_FOUND,   /* No such row. */
    STATUS_FULL,        /* A bounded thing is full: pool, queue, map. Nothing happened. */
    STATUS_NO_SPACE,    /* The disk or the map is full. Nothing happened. */
    STATUS_IO,          /* The system refused; durability of the last write is unknown: stop. */
    STATUS_CORRUPT,     /* What was read does not carry its checksum or breaks its layout. */
    STATUS_FOREIGN,     /* Not our database, or a newer one. */
    STATUS_IN_USE,      /* Another process has it. */
    STATUS_UNSUPPORTED, /* The kernel or a library lacks something that is needed. */
    STATUS_INVALID,     /* A file or option that a person wrote is wrong. */
};

/* Lower-case English name, for logs. */
const char *status_name(enum status status);

#endif
