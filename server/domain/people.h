/*
 * people.h - principals, who may talk to the server, and contractors, whom it rings (M1).
 *
 * A principal is keyed by the hash of its public key; deleting the row revokes it. A contractor
 * has a client-made 128-bit id and a dense number that this server assigns; everything else
 * names it by the number. New ones are PENDING; their status and licence change only by
 * CONTRACTOR_STATUS (R1):
 *
 *     PENDING, APPROVED, SUSPENDED --> each other --> CLOSING --30 d--> CLOSED
 *
 * SUSPENDED starts a clock against the titles and takes back the offers; CLOSING ends the claims
 * and cannot be undone.
 */
#ifndef ZR_PEOPLE_H
#define ZR_PEOPLE_H

#include "server/domain/command.h"

uint16_t people_principal_put_apply(struct state *state, const struct command *command,
                                    const struct zr_principal_put_request *request,
                                    struct zr_put_reply *reply, struct effects *effects);

uint16_t people_principal_revoke_apply(struct state *state, const struct command *command,
                                       const struct zr_principal_revoke_request *request,
                                       struct zr_put_reply *reply);

uint16_t people_contractor_put_apply(struct state *state, const struct command *command,
                                     const struct zr_contractor_put_request *request,
                                     struct zr_contractor_put_reply *reply,
                                     struct effects *effects);

uint16_t people_contractor_status_apply(struct state *state, const struct command *command,
                                        const struct zr_contractor_status_request *request,
                                        struct zr_contractor_put_reply *reply);

/* The zone of the contractor's clock at that instant: its schedule's, else its office ZIP's. */
uint8_t contractor_zone(struct state *state, uint32_t contractor, const struct contractor_row *row,
                        uint64_t now_ms);

uint16_t people_contractor_get(struct state *state, const struct command *command,
                               const struct zr_contractor_get_request *request,
                               struct zr_contractor_get_reply *reply, struct effects *effects);

uint16_t people_contractor_list(struct state *state, const struct command *command,
                                const struct zr_contractor_list_request *request,
                                struct zr_contractor_list_reply *reply);

#endif
