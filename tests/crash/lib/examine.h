/*
 * examine.h - open a crash image with the server's own code and look whether a promise was broken.
 *
 * In process, with what `zipringd serve` runs before it serves: store_open(), recover_memory().
 * Then each acknowledged operation is looked up in the tables and in the journal, audit_run()
 * judges the invariants, and, when asked for, the whole journal is replayed into a second store,
 * which must come to the same state: then the tables are what the journal says, no more, no less.
 *
 * It may crash, hang or stop in a CHECK on a damaged image: call it in a child process.
 */
#ifndef ZR_CRASH_EXAMINE_H
#define ZR_CRASH_EXAMINE_H

#include "tests/crash/lib/load.h"

#include <stddef.h>

/* Also the exit code of the child. */
enum verdict {
    VERDICT_OK,
    VERDICT_DETECTED, /* store_open() refused: CORRUPT. */
    VERDICT_LOST,     /* An acknowledged operation is missing, or is not as acknowledged. */
    VERDICT_BROKEN,   /* It opened, and an invariant, a checksum or the replay failed. */
    VERDICT_REFUSED,  /* store_open() failed in any other way. */
    VERDICT_CRASHED,  /* A signal: never returned, the parent's word for it. */
    VERDICTS,
};

struct examination {
    const char *folder;          /* Holds zipring.mdb. */
    const char *replay_folder;   /* Where to replay to; NULL: do not. Must not exist. */
    const struct load_ack *acks; /* That were given before the cut. */
    size_t acks_count;
};

/* Says on stderr what is wrong. */
enum verdict examine(const struct examination *examination);

const char *verdict_name(enum verdict verdict);

#endif
