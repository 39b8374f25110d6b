/*
 * own.h - the commands that the committer gives itself: TICK and RINGS.
 *
 * They go the way of every command (executed, journaled, published), so a replay meets them
 * where they stood. What has to be done is asked before each client's command and once more at
 * the end of a batch: timers that are due at its log time, in (due, seq) order, each at its own
 * due time; then what workers saw ring. So no rule ever meets a deadline that has passed, and a
 * reply goes out when the work that its command set is durable too.
 */
#ifndef ZR_OWN_H
#define ZR_OWN_H

#include "server/commit/execute.h"
#include "server/commit/publish.h"
#include "server/commit/rings.h"

enum { OWN_COMMANDS_MAX = 4096 }; /* In one batch. */

/* The server was away, or its disk was full: deadlines that fell into it move, before anything else
 * (M2). */
struct outage {
    uint64_t from_ms;
    uint64_t to_ms; /* 0 = there was none, or it is dealt with. */
    uint64_t at_ms; /* Deadlines before this one have moved. */
    bool begun;
};

struct own {
    struct executor *executor;
    struct publish *publish;
    struct ring_facts *rings;
    struct job *job;      /* The one under way. */
    struct outage outage; /* As this batch has it, and as of the last commit. */
    struct outage committed;
    uint32_t rings_taken;    /* Into this batch: they leave their queue when it is durable. */
    uint32_t commands_count; /* Of this batch. */
    uint64_t ticks;          /* Since start. */
};

/* `arena` gives the memory of its job. */
void own_init(struct own *own, struct arena *arena, struct executor *executor,
              struct publish *publish, struct ring_facts *rings);

/* The server was away between the two: move deadlines first. */
void own_set_outage(struct own *own, uint64_t from_ms, uint64_t to_ms);

/* Deadlines are still to be moved. */
bool own_has_outage(const struct own *own);

/* Do everything that comes before a command at log time `now_ms`. False: the batch has no room
 * for all of it, go on in the next one. */
bool own_run(struct own *own, uint64_t now_ms);

/* What the batch did is durable, or thrown away: the next one begins. */
void own_batch_done(struct own *own);
void own_batch_undo(struct own *own);

#endif
