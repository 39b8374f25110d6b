/*
 * policy.h - the settings that rules read, by scope: the narrowest one that has a row wins.
 *
 * Policies are versioned network-wide: each change raises one counter, and decisions record it.
 */
#ifndef ZR_POLICY_H
#define ZR_POLICY_H

#include "server/domain/command.h"

/* domain.md "Defaults". */
extern const struct policy_row policy_default;

/* The policy in force for a slot, and the scope that it comes from (never fails). */
uint8_t policy_for_slot(struct state *state, uint32_t zip, uint16_t category,
                        struct policy_row *row);

/* First wrong field of a policy as its row name, or NULL when it can be put. */
const char *policy_wrong_field(const struct zr_policy *policy);

void policy_to_wire(struct zr_policy *wire, const struct policy_row *row);

uint16_t policy_put_apply(struct state *state, const struct command *command,
                          const struct zr_policy_put_request *request,
                          struct zr_policy_put_reply *reply, struct effects *effects);

#endif
