/*
 * explain.h - why a call was decided as it was: its decision records, read back (R47, R68, E65).
 *
 * What is told is what was written down when it was decided, never what today's rules would say:
 * a policy or price that changed since changes nothing here. Records are keyed by call_ref. The
 * index from a carrier's call_id to it is made by CONNECT and END, so a call that nobody was
 * connected for is found by its call_ref, which every ROUTE reply carries, also a refusing one;
 * an index of its own would dirty a random page per call.
 */
#ifndef ZR_EXPLAIN_H
#define ZR_EXPLAIN_H

#include "server/domain/command.h"

/*
 * One decision of a call. SWITCH and CALLCENTER see their tenant's calls, ADMIN and AUDITOR all.
 * A PORTAL or CONTRACTOR sees the decisions in which contractors of its own were judged, counted
 * as if there were no others, and of them its own contractors only (R69). The caller has judged
 * that the client named the call once; beside a call_id stands the name that the worker remembers,
 * if it does. NOT_FOUND: no such call, none of yours, or `place` is past the last.
 */
uint16_t explain_run(struct state *state, const struct command *command,
                     const struct zr_explain_request *request, struct zr_explain_reply *reply);

#endif
