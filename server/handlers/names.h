/*
 * names.h - calls that connected although the worker did not remember them: which name they have.
 *
 * ROUTE knows a call by its id alone, and the index from there to the call's row is folded late
 * (server/store/tail.h), by seconds under load. A worker does without it while it remembers the
 * call (calls.h). After a restart it does not, and a call that rang before and connects now would
 * be routed once more while it talks (E32, I6). So its name is kept here until the index has it.
 *
 * Memory only and lossy: a place holds one name, the newest that fell on it. Few do, since most
 * calls that connect are remembered.
 */
#ifndef ZR_NAMES_H
#define ZR_NAMES_H

#include "protocol/types.h"
#include "server/base/arena.h"

struct names;

struct names *names_open(struct arena *arena);

/* That call of the tenant has that name from now on. */
void names_put(struct names *names, uint32_t tenant, const struct zr_id *call_id,
               const struct zr_id *call_ref);

/* Its name; false, and *call_ref as it was, when it is not known here. */
bool names_find(const struct names *names, uint32_t tenant, const struct zr_id *call_id,
                struct zr_id *call_ref);

#endif
