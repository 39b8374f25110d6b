/*
 * record.h - the log of a recorded run: what the database file was told, and what was promised.
 *
 * preload/record.c, loaded into zipringd, appends a record after each write and sync of the
 * database file. The test's client appends an ACK after each reply that it has read. Both append
 * with one write() to a file opened O_APPEND, so the order of the log is an order that happened:
 * the server wrote and synced before it replied, and the client logged after it had the reply.
 * An ACK may stand later in the log than the reply was sent, never earlier; so whatever is
 * acknowledged before a cut of the log was durable before it, or the server has broken its word.
 */
#ifndef ZR_CRASH_RECORD_H
#define ZR_CRASH_RECORD_H

#include <stdint.h>

enum record_kind {
    RECORD_WRITE = 1, /* `bytes` bytes of data follow, written at `offset`. */
    RECORD_SYNC,      /* Every write before it is durable. */
    RECORD_TRUNCATE,  /* To the length `offset`. */
    RECORD_ACK,       /* A struct load_ack follows. */
};

/* The write went through an O_DSYNC or O_SYNC descriptor: durable when it returned. */
enum { RECORD_DURABLE = 1 };

struct record {
    uint32_t kind; /* enum record_kind */
    uint32_t flags;
    int64_t offset;
    int64_t bytes;
};

/* Environment of the recorder: the log, and how the path of the recorded file ends. */
#define RECORD_LOG_VARIABLE  "ZR_RECORD_LOG"
#define RECORD_FILE_VARIABLE "ZR_RECORD_FILE"

#endif
