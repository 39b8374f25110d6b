/*
 * compare_explain.c - EXPLAIN of some earlier call, held against the judgement of then (E65, R68).
 *
 * The hard idea: the model writes a decision down when it makes it and never looks at it again, so
 * whatever changed since (policies, prices, ranks, people, the server process) cannot leak into
 * what is expected. Which decision is asked for, and by whom, is drawn from the step: newest ones
 * as often as those of months ago.
 */
#include "tests/lib/test.h"
#include "tests/model/lib/session.h"

#include <string.h>

enum {
    EXPLAIN_EVERY = 3, /* Steps. */
    NEWEST = 12,       /* Decisions that are asked for as often as all others together. */
};

/* Who asks, and what is told to it (R69). */
struct explain_asker {
    struct zr_client *client;
    uint32_t tenant, contractor; /* Whose own; 0 = everybody's. */
    bool is_of_calls;            /* SWITCH, CALLCENTER: its tenant's calls, with their call_id. */
    bool is_refused;             /* Of another tenant than the call. */
};

static struct explain_asker
asker_draw(const struct session *session, uint32_t tenant, uint64_t draw)
{
    const struct world *world = &session->world;

    switch (draw) {
    case 0:
        return (struct explain_asker){.client = session_carrier(session, 3 - tenant),
                                      .is_of_calls = true,
                                      .is_refused = true};
    case 1:
        return (struct explain_asker){.client = world->portal, .tenant = 1};
    case 2:
        return (struct explain_asker){.client = session->portal2, .tenant = 2};
    case 3:
        return (struct explain_asker){.client = session->contractor,
                                      .tenant = session->model->contractors[0].tenant,
                                      .contractor = session->model->contractors[0].number};
    case 4:
    case 5:
        return (struct explain_asker){.client = world->auditor};
    case 6:
        return (struct explain_asker){.client = tenant == 1 ? world->callcenter
                                                            : session_carrier(session, tenant),
                                      .is_of_calls = true};
    case 7:
    case 8:
        return (struct explain_asker){.client = session_carrier(session, tenant),
                                      .is_of_calls = true};
    default:
        return (struct explain_asker){.client = world->admin};
    }
}

/* ---- what must come back ------------------------------------------------------------------------
 */

static bool
is_shown(const struct session *session, const struct explain_asker *asker,
         const struct zr_judged *judged)
{
    const struct model *model = session->model;
    const int contractor = model_contractor_at(model, judged->contractor);

    return asker->tenant == 0 ||
           (model->contractors[contractor].tenant == asker->tenant &&
            (asker->contractor == 0 || asker->contractor == judged->contractor));
}

/* A PORTAL or CONTRACTOR is told of decisions in which somebody of its own was judged; nobody is
 * of one that a crash took. */
static bool
is_told(const struct session *session, const struct explain_asker *asker,
        const struct model_decision *decision)
{
    if (decision->is_lost) {
        return false;
    }
    for (int i = 0; i < decision->judged_count; i++) {
        if (is_shown(session, asker, &decision->judged[i])) {
            return true;
        }
    }
    return asker->tenant == 0;
}

/* Decisions of a call come by revision, by attempt, and then as they were made. */
static bool
is_before(const struct model_decision *a, const struct model_decision *b)
{
    if (a->revision != b->revision) {
        return a->revision < b->revision;
    }
    return a->attempt != b->attempt ? a->attempt < b->attempt : a < b;
}

static void
expected_fill(const struct session *session, const struct explain_asker *asker,
              const struct model_decision *decision, struct zr_explain_reply *reply)
{
    const struct model *model = session->model;
    const struct model_slot *slot = &model->slots[decision->slot];

    *reply = (struct zr_explain_reply){
        .call_ref = decision->call_ref,
        .time_ms = decision->time_ms,
        .snapshot_seq = decision->snapshot_seq,
        .policy_version = decision->policy_version,
        .price_version = decision->price_version,
        .zip = slot->zip,
        .category = slot->category,
        .outcome = (uint16_t)decision->outcome,
        .revision = decision->revision,
        .attempt = decision->attempt,
        .cut = decision->is_cut,
    };
    if (asker->tenant == 0) {
        reply->call_id = model->calls[decision->call].call_id;
    }
    for (int i = 0; i < decision->judged_count; i++) {
        if (is_shown(session, asker, &decision->judged[i])) {
            reply->judged[reply->judged_count++] = decision->judged[i];
        }
    }
    for (int i = 0; i < model->decisions.count; i++) {
        const struct model_decision *other = &model->decisions.rows[i];

        if (memcmp(&other->call_ref, &decision->call_ref, sizeof other->call_ref) == 0 &&
            is_told(session, asker, other)) {
            reply->decisions++;
            reply->place = (uint16_t)(reply->place + is_before(other, decision));
        }
    }
}

/* ---- comparing ----------------------------------------------------------------------------------
 */

static void
reply_print(FILE *output, const char *whose, const struct zr_explain_reply *reply)
{
    (void)fprintf(output, "  %s: decision %u of %u, revision %u attempt %u\n", whose, reply->place,
                  reply->decisions, reply->revision, reply->attempt);
    for (int i = 0; i < reply->judged_count; i++) {
        const struct zr_judged *judged = &reply->judged[i];

        (void)fprintf(output, "    contractor %u rank %u rate %u place %u reasons 0x%x\n",
                      judged->contractor, judged->rank, judged->rate_cents, judged->place,
                      judged->reasons);
    }
}

static void
judged_compare(struct session *session, const struct zr_explain_reply *expected,
               const struct zr_explain_reply *got)
{
    (void)session_same(session, "EXPLAIN judged", expected->judged_count, got->judged_count);
    for (int i = 0; i < got->judged_count && !session->differs; i++) {
        const struct zr_judged *want = &expected->judged[i];
        const struct zr_judged *have = &got->judged[i];

        (void)session_same(session, "EXPLAIN contractor", want->contractor, have->contractor);
        (void)session_same(session, "EXPLAIN reasons", want->reasons, have->reasons);
        (void)session_same(session, "EXPLAIN rate", want->rate_cents, have->rate_cents);
        (void)session_same(session, "EXPLAIN rank", want->rank, have->rank);
        (void)session_same(session, "EXPLAIN place", want->place, have->place);
    }
}

static void
reply_compare(struct session *session, const struct zr_explain_reply *expected,
              const struct zr_explain_reply *got)
{
    (void)session_same(session, "EXPLAIN call_id", 0,
                       memcmp(&expected->call_id, &got->call_id, sizeof got->call_id));
    (void)session_same(session, "EXPLAIN call_ref", 0,
                       memcmp(&expected->call_ref, &got->call_ref, sizeof got->call_ref));
    (void)session_same(session, "EXPLAIN decisions", expected->decisions, got->decisions);
    (void)session_same(session, "EXPLAIN place of", expected->place, got->place);
    (void)session_same(session, "EXPLAIN time", (int64_t)expected->time_ms, (int64_t)got->time_ms);
    (void)session_same(session, "EXPLAIN snapshot", (int64_t)expected->snapshot_seq,
                       (int64_t)got->snapshot_seq);
    (void)session_same(session, "EXPLAIN policy", expected->policy_version, got->policy_version);
    (void)session_same(session, "EXPLAIN price", expected->price_version, got->price_version);
    (void)session_same(session, "EXPLAIN zip", expected->zip, got->zip);
    (void)session_same(session, "EXPLAIN category", expected->category, got->category);
    (void)session_same(session, "EXPLAIN outcome", expected->outcome, got->outcome);
    (void)session_same(session, "EXPLAIN revision", expected->revision, got->revision);
    (void)session_same(session, "EXPLAIN attempt", expected->attempt, got->attempt);
    (void)session_same(session, "EXPLAIN cut", expected->cut, got->cut);
    judged_compare(session, expected, got);
}

static void
decision_compare(struct session *session, const struct explain_asker *asker,
                 const struct model_decision *decision, bool by_call_id)
{
    static struct zr_explain_request request;
    static struct zr_explain_reply expected;
    static struct zr_explain_reply reply;
    int status;

    memset(&request, 0, sizeof request);
    if (by_call_id) {
        request.call_id = session->model->calls[decision->call].call_id;
    } else {
        request.call_ref = decision->call_ref;
    }
    expected_fill(session, asker, decision, &expected);
    status = asker->is_refused || !is_told(session, asker, decision) ? ZR_STATUS_NOT_FOUND : 0;
    /* Of one that is not told to it: another one stands in its place, or none. */
    request.place = status == 0 ? expected.place : expected.decisions;
    if (session_expect(session,
                       &(struct session_question){asker->client, ZR_OP_EXPLAIN, &request, &reply},
                       (struct session_expected){.status = status}) &&
        status == 0) {
        reply_compare(session, &expected, &reply);
    }
    if (session->differs && session->output != NULL) {
        (void)fprintf(session->output,
                      "  of call %d, by its %s, asked by a reader of tenant %u contractor %u\n",
                      decision->call, by_call_id ? "call_id" : "call_ref", asker->tenant,
                      asker->contractor);
        reply_print(session->output, "expected", &expected);
        reply_print(session->output, "got", &reply);
    }
}

/* By its call_id a call is found while it rings, and once it was connected or ended. */
static bool
is_found_by_call_id(const struct model *model, const struct model_decision *decision)
{
    const struct model_call *call = &model->calls[decision->call];

    if (call->durable) {
        return memcmp(&call->call_ref, &decision->call_ref, sizeof call->call_ref) == 0;
    }
    return model_remembers(model, call) &&
           memcmp(&model_decision_newest(model, decision->call)->call_ref, &decision->call_ref,
                  sizeof call->call_ref) == 0;
}

void
compare_explain(struct session *session)
{
    const uint32_t step = session->operation->step;
    const struct model *model = session->model;
    const int count = model->decisions.count;
    uint64_t state = session->seed ^ ((uint64_t)step << 32);
    const struct model_decision *decision;
    struct explain_asker asker;
    int back;

    if (step % EXPLAIN_EVERY != 0 || count == 0) {
        return;
    }
    back = test_random_below(&state, 2) == 0 && count > NEWEST
               ? (int)test_random_below(&state, NEWEST)
               : (int)test_random_below(&state, (uint64_t)count);
    decision = &model->decisions.rows[count - 1 - back];
    asker = asker_draw(session, model->calls[decision->call].tenant, test_random_below(&state, 16));
    decision_compare(session, &asker, decision,
                     asker.is_of_calls && !asker.is_refused && test_random_below(&state, 2) == 0 &&
                         is_found_by_call_id(model, decision));
}

void
compare_explain_at(struct session *session, int row)
{
    const struct explain_asker asker = {.client = session->world.admin};

    const struct model_decision *decision = &session->model->decisions.rows[row];
    const struct explain_asker carrier = {
        .client = session_carrier(session, session->model->calls[decision->call].tenant),
        .is_of_calls = true};

    decision_compare(session, &asker, decision, false);
    if (!session->differs && is_found_by_call_id(session->model, decision)) {
        decision_compare(session, &carrier, decision, true);
    }
}

void
compare_explain_lost(struct session *session, int first)
{
    struct model_decisions *decisions = &session->model->decisions;

    for (int i = first; i < decisions->count && !session->differs; i++) {
        struct model_decision *decision = &decisions->rows[i];
        struct zr_explain_request request = {.call_ref = decision->call_ref};
        static struct zr_explain_reply reply;

        decision->is_lost = !session->model->calls[decision->call].durable &&
                            session_ask(session, session->world.admin, ZR_OP_EXPLAIN, &request,
                                        &reply) == ZR_STATUS_NOT_FOUND;
        compare_explain_at(session, i);
    }
}
