/*
 * play_claims.c - territory: CLAIM, RELEASE, PAUSE, RESUME, offers and waitlists.
 *
 * The hard idea: only the server can number claims and offers, so after each CLAIM its claim_id
 * and seq are put into the model's row; that they rise is checked, what they are is not.
 */
#include "tests/model/lib/session.h"

#include <string.h>

enum { ACCEPT_BACKUP = 1, ALL_OR_NONE = 2, LAPSE = 4 };

/* ---- CLAIM --------------------------------------------------------------------------------------
 */

static void
claim_learn(struct session *session, uint64_t provisional, const struct zr_claim_result *got)
{
    struct model *model = session->model;

    for (int i = model->claims_count - 1; i >= 0; i--) {
        struct model_claim *claim = &model->claims[i];

        if (claim->id == provisional && claim->id >= MODEL_PROVISIONAL) {
            claim->id = got->claim_id;
            claim->seq = got->seq;
            if (got->seq <= model->seq_seen) {
                session_differ(session, "seq must rise", (int64_t)model->seq_seen + 1,
                               (int64_t)got->seq);
            }
            model->seq_seen = got->seq;
            for (int e = 0; e < model->events_count; e++) {
                if (model->events[e].claim_id == provisional) {
                    model->events[e].claim_id = got->claim_id;
                }
            }
            return;
        }
    }
    (void)session_same(session, "claim_id", (int64_t)provisional, (int64_t)got->claim_id);
}

static void
claim_compare(struct session *session, const struct zr_claim_reply *expected,
              const struct zr_claim_reply *got)
{
    (void)session_same(session, "results", expected->results_count, got->results_count);
    for (int i = 0; i < expected->results_count && !session->differs; i++) {
        const struct zr_claim_result *want = &expected->results[i];
        const struct zr_claim_result *have = &got->results[i];

        (void)session_same(session, "slot status", want->status, have->status);
        (void)session_same(session, "rank", want->rank, have->rank);
        (void)session_same(session, "title", want->title, have->title);
        (void)session_same(session, "rate", want->rate_cents, have->rate_cents);
        if (!session->differs) {
            claim_learn(session, want->claim_id, have);
        }
    }
}

static void
play_claim(struct session *session, const struct operation *operation)
{
    static struct zr_claim_request request;
    static struct zr_claim_reply expected;
    static struct zr_claim_reply reply;
    struct model *model = session->model;
    const struct model_contractor *who = &model->contractors[operation->a % MODEL_CONTRACTORS];
    const int more = operation->c % 8 < 5 ? 0 : operation->c % 8 - 4;
    const uint8_t flags = operation->d;

    if (model->claims_count + 4 > MODEL_CLAIMS) {
        session_skip(session);
        return;
    }
    memset(&request, 0, sizeof request);
    memset(&expected, 0, sizeof expected);
    request.contractor = who->number;
    request.accept_backup = flags % 8 != 0;
    request.all_or_none = (flags & 8) != 0;
    request.lapse = (flags & 0x70) == 0x70;
    for (int i = 0; i <= more; i++) {
        const struct model_slot *slot = &model->slots[(operation->b + 5 * i) % MODEL_SLOTS];

        request.slots[request.slots_count++] =
            (struct zr_slot_key){.zip = slot->zip, .category = slot->category};
    }
    if (session_expect(
            session,
            &(struct session_question){session_portal(session, who->tenant), ZR_OP_CLAIM, &request,
                                       &reply},
            (struct session_expected){.status = model_claim(model, &request, &expected)})) {
        claim_compare(session, &expected, &reply);
    }
}

/* ---- RELEASE, PAUSE, RESUME
 * ---------------------------------------------------------------------- */

/* Whoever may: mostly the claim's portal, now and then an ADMIN, rarely the other tenant. */
static struct zr_client *
asker_of(const struct session *session, uint8_t who, uint32_t owner, uint32_t *tenant)
{
    if (who % 8 == 0) {
        *tenant = 0;
        return session->world.admin;
    }
    *tenant = who % 8 == 1 ? 3 - owner : owner;
    return session_portal(session, *tenant);
}

static void
state_compare(struct session *session, const struct zr_claim_state_reply *expected,
              const struct zr_claim_state_reply *got)
{
    (void)session_same(session, "claim_id", (int64_t)expected->claim_id, (int64_t)got->claim_id);
    (void)session_same(session, "contractor", expected->contractor, got->contractor);
    (void)session_same(session, "state", expected->state, got->state);
    (void)session_same(session, "grace_deadline", (int64_t)expected->grace_deadline_ms,
                       (int64_t)got->grace_deadline_ms);
    (void)session_same(session, "promoted", (int64_t)expected->promoted_claim_id,
                       (int64_t)got->promoted_claim_id);
    (void)session_same(session, "period_end", (int64_t)expected->period_end_ms,
                       (int64_t)got->period_end_ms);
}

/* One in eight of these goes to a claim that may have ended long ago. */
static int
claim_pick(const struct session *session, const struct operation *operation)
{
    if (operation->d % 8 == 7 && session->model->claims_count > 0) {
        return (int)(operation->n % (uint32_t)session->model->claims_count);
    }
    return session_claim_of(session, operation->a, operation->b);
}

static void
play_release(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const int claim = claim_pick(session, operation);
    struct zr_release_request request = {.when = operation->c % 3 == 0 ? ZR_RELEASE_PERIOD_END
                                                                       : ZR_RELEASE_NOW};
    struct zr_claim_state_reply expected = {0};
    struct zr_claim_state_reply reply;
    struct session_expected wanted;
    struct zr_client *client;
    uint32_t tenant;

    if (claim < 0) {
        session_skip(session);
        return;
    }
    request.claim_id = model->claims[claim].id;
    client = asker_of(session, operation->d,
                      model->contractors[model->claims[claim].contractor].tenant, &tenant);
    wanted.status = model_release(model, tenant, &request, &expected, &wanted.duplicate);
    if (session_expect(session, &(struct session_question){client, ZR_OP_RELEASE, &request, &reply},
                       wanted)) {
        state_compare(session, &expected, &reply);
    }
}

static void
play_pause_claim(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const int claim = claim_pick(session, operation);
    struct zr_pause_request pause = {.reason = "model"};
    struct zr_resume_request resume = {0};
    struct zr_claim_state_reply expected = {0};
    struct zr_claim_state_reply reply;
    struct session_expected wanted;
    struct zr_client *client;
    uint32_t tenant;
    bool granted;

    if (claim < 0) {
        session_skip(session);
        return;
    }
    pause.claim_id = resume.claim_id = model->claims[claim].id;
    client = asker_of(session, operation->d,
                      model->contractors[model->claims[claim].contractor].tenant, &tenant);
    if (operation->kind == PLAY_PAUSE_CLAIM) {
        wanted.status = model_pause_claim(model, tenant, &pause, &expected, &wanted.duplicate);
        granted = session_expect(
            session, &(struct session_question){client, ZR_OP_PAUSE, &pause, &reply}, wanted);
    } else {
        wanted.status = model_resume_claim(model, tenant, &resume, &expected, &wanted.duplicate);
        granted = session_expect(
            session, &(struct session_question){client, ZR_OP_RESUME, &resume, &reply}, wanted);
    }
    if (granted) {
        state_compare(session, &expected, &reply);
    }
}

static void
play_pause_all(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const struct model_contractor *who = &model->contractors[operation->a % MODEL_CONTRACTORS];
    struct zr_pause_request pause = {.contractor = who->number, .reason = "model"};
    struct zr_resume_request resume = {.contractor = who->number};
    struct zr_claim_state_reply expected = {0};
    struct zr_claim_state_reply reply;
    struct session_expected wanted;
    struct zr_client *client;
    uint32_t tenant;
    bool granted;

    client = asker_of(session, operation->d, who->tenant, &tenant);
    if (operation->kind == PLAY_PAUSE_ALL) {
        wanted.status = model_pause_claim(model, tenant, &pause, &expected, &wanted.duplicate);
        granted = session_expect(
            session, &(struct session_question){client, ZR_OP_PAUSE, &pause, &reply}, wanted);
    } else {
        wanted.status = model_resume_claim(model, tenant, &resume, &expected, &wanted.duplicate);
        granted = session_expect(
            session, &(struct session_question){client, ZR_OP_RESUME, &resume, &reply}, wanted);
    }
    if (granted) {
        state_compare(session, &expected, &reply);
    }
}

/* ---- offers, waitlists
 * ------------------------------------------------------------------------------ */

static void
play_offer_reply(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const int slot = operation->a % MODEL_SLOTS;
    struct zr_offer_reply_request request = {.accept = operation->b % 4 != 0};
    struct zr_offer_reply_reply expected = {0};
    struct zr_offer_reply_reply reply;
    struct session_expected wanted;
    uint32_t tenant = 1 + operation->d % 2;
    int pending = slot;

    for (int i = 0; i < MODEL_SLOTS && model->slots[pending].offer_claim < 0; i++) {
        pending = (slot + i) % MODEL_SLOTS;
    }
    if (operation->c % 8 == 0 && model->offers_count > 0) {
        request.offer_id =
            model->offers[operation->n % (uint32_t)model->offers_count].id; /* An old one. */
    } else if (model->slots[pending].offer_claim >= 0) {
        compare_learn_offer(session, pending);
        request.offer_id = model->slots[pending].offer_id;
        tenant =
            model->contractors[model->claims[model->slots[pending].offer_claim].contractor].tenant;
    } else {
        session_skip(session);
        return;
    }
    if (session->differs) {
        return;
    }
    wanted.status = model_offer_reply(model, tenant, &request, &expected, &wanted.duplicate);
    if (session_expect(session,
                       &(struct session_question){session_portal(session, tenant),
                                                  ZR_OP_OFFER_REPLY, &request, &reply},
                       wanted) &&
        wanted.status == ZR_STATUS_OK) {
        (void)session_same(session, "offer claim", (int64_t)expected.claim_id,
                           (int64_t)reply.claim_id);
        (void)session_same(session, "offer rank", expected.rank, reply.rank);
        (void)session_same(session, "offer title", expected.title, reply.title);
        (void)session_same(session, "offer state", expected.state, reply.state);
        (void)session_same(session, "offer deadline", (int64_t)expected.deadline_ms,
                           (int64_t)reply.deadline_ms);
    }
}

static void
play_waitlist(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const struct model_contractor *who = &model->contractors[operation->a % MODEL_CONTRACTORS];
    const struct model_slot *slot = &model->slots[operation->b % MODEL_SLOTS];
    struct zr_waitlist_request request = {
        .contractor = who->number, .zip = slot->zip, .category = slot->category};
    struct zr_waitlist_reply expected = {0};
    struct zr_waitlist_reply reply;
    struct session_expected wanted;
    uint16_t op = ZR_OP_WAITLIST_JOIN;

    if (operation->kind == PLAY_WAITLIST_JOIN) {
        wanted.status = model_waitlist_join(model, &request, &expected, &wanted.duplicate);
    } else {
        wanted.status = model_waitlist_leave(model, &request, &expected, &wanted.duplicate);
        op = ZR_OP_WAITLIST_LEAVE;
    }
    if (session_expect(
            session,
            &(struct session_question){session_portal(session, who->tenant), op, &request, &reply},
            wanted) &&
        wanted.status == ZR_STATUS_OK) {
        (void)session_same(session, "place", expected.place, reply.place);
        (void)session_same(session, "reserved until", (int64_t)expected.deadline_ms,
                           (int64_t)reply.deadline_ms);
    }
}

void
play_claims(struct session *session, const struct operation *operation)
{
    switch (operation->kind) {
    case PLAY_CLAIM:
        play_claim(session, operation);
        break;
    case PLAY_RELEASE:
        play_release(session, operation);
        break;
    case PLAY_PAUSE_CLAIM:
    case PLAY_RESUME_CLAIM:
        play_pause_claim(session, operation);
        break;
    case PLAY_PAUSE_ALL:
    case PLAY_RESUME_ALL:
        play_pause_all(session, operation);
        break;
    case PLAY_OFFER_REPLY:
        play_offer_reply(session, operation);
        break;
    default:
        play_waitlist(session, operation);
        break;
    }
}
