/*
 * compare_routes.c - the reply of a ROUTE or ROUTE_NEXT, held against the model's decision.
 *
 * The hard idea: tickets and names of calls are the server's own. What it chose is put into the
 * model's rows here, once, and must come back unchanged ever after.
 */
#include "protocol/check.h"
#include "tests/model/lib/session.h"

#include <string.h>

static void
candidates_compare(struct session *session, const struct zr_route_reply *expected,
                   const struct zr_route_reply *got)
{
    (void)session_same(session, "candidates", expected->candidates_count, got->candidates_count);
    for (int i = 0; i < expected->candidates_count && !session->differs; i++) {
        const struct zr_candidate *want = &expected->candidates[i];
        const struct zr_candidate *have = &got->candidates[i];

        (void)session_same(session, "candidate", want->contractor, have->contractor);
        (void)session_same(session, "candidate rate", want->rate_cents, have->rate_cents);
        (void)session_same(session, "candidate rank", want->rank, have->rank);
        (void)session_same(session, "candidate index", want->index, have->index);
        (void)session_same(session, "candidate phone", (int64_t)want->phone, (int64_t)have->phone);
        (void)session_same(session, "candidate mode", want->mode, have->mode);
        (void)session_same(session, "ring timeout", want->ring_timeout_s, have->ring_timeout_s);
    }
}

/* Who was passed over: the model judges everybody, the server at least those it passed. */
static void
skipped_compare(struct session *session, const struct zr_route_reply *expected,
                const struct zr_route_reply *got)
{
    for (int i = 0; i < got->skipped_count && !session->differs; i++) {
        int found = -1;

        for (int j = 0; j < expected->skipped_count; j++) {
            if (expected->skipped[j].contractor == got->skipped[i].contractor) {
                found = j;
            }
        }
        if (found < 0) {
            session_differ(session, "skipped contractor", 0, got->skipped[i].contractor);
        } else {
            (void)session_same(session, "reasons", expected->skipped[found].reasons,
                               got->skipped[i].reasons);
        }
    }
    if (expected->candidates_count == 0) {
        (void)session_same(session, "skipped", expected->skipped_count, got->skipped_count);
    }
}

static void
reply_print(FILE *output, const char *whose, const struct zr_route_reply *reply)
{
    (void)fprintf(output, "  %s:", whose);
    for (int i = 0; i < reply->candidates_count; i++) {
        (void)fprintf(output, " candidate %u rank %u rate %u", reply->candidates[i].contractor,
                      reply->candidates[i].rank, reply->candidates[i].rate_cents);
    }
    for (int i = 0; i < reply->skipped_count; i++) {
        (void)fprintf(output, " skipped %u reasons 0x%x", reply->skipped[i].contractor,
                      reply->skipped[i].reasons);
    }
    (void)fprintf(output, "\n");
}

/* A decision was made: what only the server can say of it, and the names that it must use. */
static void
decision_learn(struct session *session, const struct zr_route_reply *got)
{
    struct model_decisions *decisions = &session->model->decisions;
    const struct zr_id none = {{0}};
    struct model_decision *decision;

    if (decisions->count == 0) {
        return;
    }
    decision = &decisions->rows[decisions->count - 1];
    if (decision->is_answered) {
        return; /* None: a query, or a refusal that judged nobody. */
    }
    if (memcmp(&decision->call_ref, &none, sizeof none) != 0) {
        (void)session_same(session, "call_ref of one call", 0,
                           memcmp(&decision->call_ref, &got->call_ref, sizeof none));
    }
    decision->is_answered = true;
    decision->call_ref = got->call_ref;
    decision->snapshot_seq = got->snapshot_seq;
    (void)session_same(session, "policy_version", decision->policy_version, got->policy_version);
    (void)session_same(session, "decision's revision", decision->revision, got->revision);
    (void)session_same(session, "decision's attempt", decision->attempt, got->attempt);
}

/* The ring that it begins bears the name of its own ticket, whichever the call has in the end. */
static void
ring_name(struct model *model, int call, const struct zr_id *call_ref)
{
    const struct zr_id none = {{0}};

    for (int i = 0; i < model->events_count; i++) {
        struct model_event *event = &model->events[i];

        if (event->type == ZR_EVENT_CALL_OFFERED && event->call_count == call + 1 &&
            memcmp(&event->call_ref, &none, sizeof none) == 0) {
            event->call_ref = *call_ref;
        }
    }
}

void
compare_route(struct session *session, int call_index_of, const struct zr_route_reply *expected,
              const struct zr_route_reply *got)
{
    struct model_call *call = &session->model->calls[call_index_of];
    struct model_ticket *ticket;

    candidates_compare(session, expected, got);
    skipped_compare(session, expected, got);
    if (expected->zips[0] != 0) {
        (void)session_same(session, "zips", 0, memcmp(expected->zips, got->zips, sizeof got->zips));
    }
    decision_learn(session, got);
    if (session->traces) {
        reply_print(session->output, "got", got);
    } else if (session->differs && session->output != NULL) {
        reply_print(session->output, "expected", expected);
        reply_print(session->output, "got", got);
    }
    if (session->differs || expected->candidates_count == 0) {
        return;
    }
    ticket = &call->tickets[call->tickets_count - 1];
    (void)session_same(session, "expires", (int64_t)expected->expires_ms, (int64_t)got->expires_ms);
    (void)session_same(session, "qualify_ms", expected->qualify_ms, got->qualify_ms);
    (void)session_same(session, "attempt", expected->attempt, got->attempt);
    (void)session_same(session, "revision", ticket->revision, got->revision);
    ring_name(session->model, call_index_of, &got->call_ref);
    call->call_ref = call->durable ? call->call_ref : got->call_ref;
    ticket->length = (uint8_t)got->ticket_length;
    memcpy(ticket->bytes, got->ticket, sizeof ticket->bytes);
    ticket->reply = *got;
}

void
compare_repeat(struct session *session, const struct model_call *call,
               const struct zr_route_reply *got)
{
    const struct zr_route_reply *before = &call->tickets[call->tickets_count - 1].reply;

    (void)session_same(session, "repeated ticket", before->ticket_length, got->ticket_length);
    (void)session_same(session, "repeated ticket's bytes", 0,
                       memcmp(before->ticket, got->ticket, sizeof got->ticket));
    (void)session_same(session, "repeated call_ref", 0,
                       memcmp(&before->call_ref, &got->call_ref, sizeof got->call_ref));
    candidates_compare(session, before, got);
}
