/*
 * deciding.h - one decision under way: what ROUTE and ROUTE_NEXT do alike.
 */
#ifndef ZR_DECIDING_H
#define ZR_DECIDING_H

#include "server/domain/cascade.h"
#include "server/handlers/service.h"

struct deciding {
    const struct request *request;
    uint64_t now_ms;
    bool hold;    /* A call, not a query. */
    bool explain; /* List who was passed over. */
    uint8_t want;
    struct ticket ticket; /* Call, slot, tried and attempt are set; the decision fills the rest. */
    struct slot_row slot;
    struct policy_row policy;
    struct cascade_decision decision;
};

/*
 * Judge the cascade, lease the first candidate, sign the ticket, fill service->reply.route_reply.
 * OK, NO_COVERAGE (or `none` when nothing was eligible).
 */
uint16_t deciding_run(struct service *service, struct deciding *deciding, uint16_t none,
                      struct remembered_call *call);

/* True when the call has had its time: no new candidate for it (R49, M4 "budgets", E37). */
bool deciding_budget_is_over(const struct deciding *deciding);

/* Tell the log that the contractor's phone began to ring (outcome 0), or how that ended. */
bool deciding_ring(struct service *service, const struct ticket *ticket,
                   const struct ticket_candidate *candidate, uint8_t outcome);

/* Keep the reply for repeats, and leave a record. */
void deciding_remember(struct service *service, const struct deciding *deciding,
                       struct remembered_call *call, uint16_t status,
                       const struct zr_builder *reply);

/* A fresh name for a call: log time, boot, count. */
struct zr_id deciding_call_ref(struct service *service, uint64_t now_ms);

#endif
