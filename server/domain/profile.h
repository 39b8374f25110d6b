/*
 * profile.h - when, how much and from whom a contractor wants calls: SCHEDULE_PUT, CAPS_PUT,
 * DEST_PUT, FILTERS_PUT and their reads; SUPPRESS_PUT for the whole network (R13, R34, M3).
 *
 * Each is a record of its own with a version, put whole. A change acts on the next decision. What
 * can be judged from the record alone is refused here; what depends on the call is judged for
 * every candidate (eligibility.h).
 *
 * CAPS_GET tells what was used of them, and how the contractor answers its calls (R62).
 */
#ifndef ZR_PROFILE_H
#define ZR_PROFILE_H

#include "server/domain/command.h"

uint16_t profile_schedule_put_apply(struct state *state, const struct command *command,
                                    const struct zr_schedule_put_request *request,
                                    struct zr_put_reply *reply, struct effects *effects);
uint16_t profile_schedule_get(struct state *state, const struct command *command,
                              const struct zr_profile_get_request *request,
                              struct zr_schedule_get_reply *reply);

/*
 * Have somebody look at the next edge of the schedule, when a vacation begins or ends, unless
 * that timer waits already: UNAVAILABLE may begin or end there (M2). The caller puts the row. A
 * TIMER_SCHEDULE whose deadline_ms is not row->armed_ms is of an older schedule.
 */
void profile_schedule_arm(struct state *state, const struct command *command, uint32_t contractor,
                          struct schedule_row *row);

uint16_t profile_caps_put_apply(struct state *state, const struct command *command,
                                const struct zr_caps_put_request *request,
                                struct zr_put_reply *reply, struct effects *effects);
uint16_t profile_caps_get(struct state *state, const struct command *command,
                          const struct zr_profile_get_request *request,
                          struct zr_caps_get_reply *reply);

uint16_t profile_dest_put_apply(struct state *state, const struct command *command,
                                const struct zr_dest_put_request *request,
                                struct zr_put_reply *reply, struct effects *effects);

uint16_t profile_filters_put_apply(struct state *state, const struct command *command,
                                   const struct zr_filters_put_request *request,
                                   struct zr_put_reply *reply, struct effects *effects);
uint16_t profile_filters_get(struct state *state, const struct command *command,
                             const struct zr_profile_get_request *request,
                             struct zr_filters_get_reply *reply);

uint16_t profile_suppress_put_apply(struct state *state, const struct command *command,
                                    const struct zr_suppress_put_request *request,
                                    struct zr_put_reply *reply, struct effects *effects);

#endif
