/*
 * job.h - one request on its way through the committer and back.
 *
 * A worker takes a job from its pool, fills the question, and submits it. The committer fills
 * the answer and posts it back when it is durable. The worker replies and gives the job back.
 * The pool is the bound on what the committer can owe: empty = OVERLOADED.
 */
#ifndef ZR_JOB_H
#define ZR_JOB_H

#include "protocol/message.h"
#include "server/base/request.h"
#include "server/domain/command.h"

struct job {
    /* The question. */
    struct conn_ref conn;
    struct zr_header header;
    const struct zr_operation *operation;
    uint64_t deadline_us; /* Log clock; exclusive. */
    uint32_t tenant;
    uint32_t contractor; /* Of a CONTRACTOR principal. */
    uint8_t role;
    bool keepalive;            /* Its session negotiated KEEPALIVE (M3 "unit_ttl"). */
    uint8_t principal[8];      /* First bytes of the principal's key hash: who (R68). */
    uint32_t lease_contractor; /* A lease that ends with this job, 0 = none (M3). */
    int64_t lease_cents;
    struct zr_id call_id; /* Which remembered call hears of it; of a DECLINE its call_ref. */
    bool stale_step;      /* A CONNECT in list mode of one who would not be offered now (E66a). */
    struct job *next_free;

    /* The answer. */
    uint16_t status;
    bool duplicate;
    uint8_t revision; /* See struct effects. */
    uint32_t reply_bytes;

    uint8_t frame[ZR_FRAME_BYTES_LIMIT];
    uint8_t reply[ZR_FRAME_BYTES_LIMIT];
};

#endif
