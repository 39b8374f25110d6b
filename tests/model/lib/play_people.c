/*
 * play_people.c - what contractors and administrators put: status, hours, caps, filters, policies.
 *
 * The hard idea: a few shapes of each record are enough, as long as they hit the rules' edges:
 * everything closed, today only, a cap of nothing, a cap that the next call fills.
 */
#include "tests/model/lib/session.h"

#include <string.h>

enum { MORNING = 32, EVENING = 68, QUARTERS = 96 };

static struct model_contractor *
contractor_of(const struct session *session, const struct operation *operation)
{
    return &session->model->contractors[operation->a % MODEL_CONTRACTORS];
}

static int
index_of(const struct operation *operation)
{
    return operation->a % MODEL_CONTRACTORS;
}

/* ---- CONTRACTOR_STATUS
 * ---------------------------------------------------------------------------- */

static void
play_status(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const uint64_t now_ms = model->now_ms;
    const uint64_t licences[] = {0,
                                 0,
                                 0,
                                 now_ms + MODEL_DAY_MS,
                                 now_ms + 20 * MODEL_DAY_MS,
                                 now_ms - 1,
                                 now_ms - 29 * MODEL_DAY_MS,
                                 now_ms};
    struct zr_contractor_status_request request = {.contractor =
                                                       contractor_of(session, operation)->number,
                                                   .licence_expires_ms = licences[operation->c % 8],
                                                   .contractor_status = ZR_CONTRACTOR_APPROVED};
    struct zr_contractor_put_reply reply;
    struct session_expected wanted = {0};

    if (operation->b < 90) {
        request.contractor_status = ZR_CONTRACTOR_SUSPENDED;
    } else if (operation->b == 255) {
        request.contractor_status = ZR_CONTRACTOR_CLOSING;
    }
    wanted.status = model_status(model, &request);
    (void)session_expect(
        session,
        &(struct session_question){session->world.admin, ZR_OP_CONTRACTOR_STATUS, &request, &reply},
        wanted);
}

/* ---- SCHEDULE_PUT
 * ----------------------------------------------------------------------------------- */

static void
hours_set(struct zr_schedule_put_request *request, int from, int to, bool weekend)
{
    request->hours_length = 84;
    for (int day = 0; day < (weekend ? 7 : 5); day++) {
        for (int quarter = from; quarter < to; quarter++) {
            const int bit = day * QUARTERS + quarter;

            request->hours[bit / 8] = (uint8_t)(request->hours[bit / 8] | 1U << (bit % 8));
        }
    }
}

static void
vacation_add(struct zr_schedule_put_request *request, uint64_t first, uint64_t days)
{
    request->vacations[request->vacations_count++] = (struct zr_schedule_vacation){
        .first_day = (uint32_t)first, .last_day = (uint32_t)(first + days - 1)};
}

static void
schedule_shape(struct zr_schedule_put_request *request, const struct operation *operation,
               uint64_t today, uint64_t now_ms)
{
    switch (operation->b % 12) {
    case 0:
        hours_set(request, MORNING, EVENING, false);
        break;
    case 1:
        hours_set(request, 0, 40, true);
        break;
    case 2:
        request->hours_length = 84; /* Never open: a free pause otherwise (M2). */
        break;
    case 3:
        vacation_add(request, today + operation->c % 3, 1 + operation->c % 5);
        break;
    case 4:
        vacation_add(request, today, 20);
        vacation_add(request, today + 20, 3); /* No break between the two. */
        break;
    case 5:
        request->unavailable_until_ms = now_ms + operation->c * MODEL_HOUR_MS + 1;
        break;
    case 6:
        hours_set(request, MORNING, EVENING, true);
        request->exceptions_count = 2;
        request->exceptions[0] = (struct zr_schedule_exception){.day = (uint32_t)today};
        request->exceptions[1] = (struct zr_schedule_exception){
            .day = (uint32_t)today + 1, .open_quarter = 4, .close_quarter = 60};
        break;
    default:
        break; /* Always open. */
    }
}

static void
play_schedule(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    struct model_contractor *who = contractor_of(session, operation);
    const uint64_t today = model_local_ms(who->zone, model->now_ms) / MODEL_DAY_MS;
    struct zr_schedule_put_request request = {.contractor = who->number,
                                              .expected_version = who->schedule.version};
    struct zr_put_reply reply;

    schedule_shape(&request, operation, today, model->now_ms);
    if (!session_expect(session,
                        &(struct session_question){session_portal(session, who->tenant),
                                                   ZR_OP_SCHEDULE_PUT, &request, &reply},
                        (struct session_expected){0})) {
        return;
    }
    who->schedule.version = reply.version;
    who->schedule.unavailable_until_ms = request.unavailable_until_ms;
    who->schedule.hours_length = request.hours_length;
    who->schedule.exceptions_count = request.exceptions_count;
    who->schedule.vacations_count = request.vacations_count;
    memcpy(who->schedule.hours, request.hours, sizeof who->schedule.hours);
    memcpy(who->schedule.exceptions, request.exceptions, sizeof who->schedule.exceptions);
    memcpy(who->schedule.vacations, request.vacations, sizeof who->schedule.vacations);
    model_edge_arm(model, index_of(operation));
    model_unavailable_judge(model, index_of(operation));
    model_settle(model);
}

/* ---- CAPS_PUT, DEST_PUT, FILTERS_PUT
 * --------------------------------------------------------------- */

static void
play_caps(struct session *session, const struct operation *operation)
{
    static const uint8_t windows[] = {ZR_CAP_WINDOW_HOUR, ZR_CAP_WINDOW_DAY, ZR_CAP_WINDOW_MONTH,
                                      ZR_CAP_WINDOW_TOTAL};
    struct model_contractor *who = contractor_of(session, operation);
    struct zr_caps_put_request request = {.contractor = who->number,
                                          .expected_version = who->caps_version};
    struct zr_put_reply reply;
    const int count = operation->b % 4 == 3 ? 2 : operation->b % 2;

    request.spacing_s = operation->d % 8 == 0 ? 60 : 0;
    for (int i = 0; i < count; i++) {
        struct zr_cap *cap = &request.caps[request.caps_count++];

        cap->window = windows[(operation->c + i) % 4];
        cap->measure = (uint8_t)(1 + (operation->c / 4 + i) % 3);
        cap->limit = operation->d % 16 == 1 ? 0 : 1 + operation->d % 5;
        cap->limit *= cap->measure == ZR_CAP_MEASURE_SPEND ? 1500 : 1;
    }
    if (session_expect(session,
                       &(struct session_question){session_portal(session, who->tenant),
                                                  ZR_OP_CAPS_PUT, &request, &reply},
                       (struct session_expected){0})) {
        who->caps = request;
        who->caps_version = reply.version;
        model_caps_put(session->model, index_of(operation));
        model_unavailable_judge(session->model, index_of(operation));
        model_settle(session->model);
    }
}

static void
play_destination(struct session *session, const struct operation *operation)
{
    static const uint8_t modes[] = {1, 1, 1, 2, 3, 4, 5, 1};
    static const uint8_t down[] = {0, 0, 0, 1, 2, 3};
    struct model_contractor *who = contractor_of(session, operation);
    struct zr_dest_put_request request = {.contractor = who->number,
                                          .modes = modes[operation->b % 8],
                                          .phones_down = down[operation->c % 6],
                                          .phones_count = 2};
    struct zr_put_reply reply;

    compare_learn_version(session, index_of(operation)); /* Status and pauses raise it too. */
    request.expected_version = who->version;
    for (int i = 0; i < 2; i++) {
        request.phones[i].phone = who->phones[i];
    }
    if (session_expect(session,
                       &(struct session_question){session_portal(session, who->tenant),
                                                  ZR_OP_DEST_PUT, &request, &reply},
                       (struct session_expected){0})) {
        who->version = reply.version;
        who->modes = request.modes;
        who->phones_down = request.phones_down;
    }
}

static void
play_filters(struct session *session, const struct operation *operation)
{
    struct model_contractor *who = contractor_of(session, operation);
    struct zr_filters_put_request request = {.contractor = who->number,
                                             .expected_version = who->filters_version};
    struct zr_put_reply reply;

    request.attestation_min = operation->b % 8 == 0 ? 2 : 0;
    request.no_duplicates = operation->b % 8 == 1;
    if (operation->b % 8 == 2) {
        request.blocked_count = 2;
        request.blocked[0].phone = model_caller(operation->c % MODEL_CALLERS);
        request.blocked[1].phone = model_caller((operation->c + 1) % MODEL_CALLERS);
    }
    if (operation->b % 8 == 3) {
        request.partners_rule = (uint8_t)(1 + operation->c % 2);
        request.partners_count = 1;
        request.partners[0].tenant = 1 + operation->c / 2 % 2;
    }
    if (session_expect(session,
                       &(struct session_question){session_portal(session, who->tenant),
                                                  ZR_OP_FILTERS_PUT, &request, &reply},
                       (struct session_expected){0})) {
        who->filters = request;
        who->filters_version = reply.version;
    }
}

/* ---- an ADMIN's records
 * ------------------------------------------------------------------------------ */

/* Rates moved: whoever holds a claim there is judged anew. */
static void
category_touched(struct session *session, int category)
{
    struct model *model = session->model;

    for (int i = 0; i < model->live_count; i++) {
        const struct model_claim *claim = &model->claims[model->live[i]];

        if (model->slots[claim->slot].category_index == category) {
            model_rates_touched(model, claim->contractor);
        }
    }
    for (int i = 0; i < MODEL_SLOTS; i++) {
        if (model->slots[i].category_index == category) {
            model_reserve(model, i);
        }
    }
    model_settle(model);
}

static void
play_policy(struct session *session, const struct operation *operation)
{
    struct model *model = session->model;
    const int category = operation->a % MODEL_CATEGORIES;
    struct model_policy policy = model->category[category];
    struct zr_policy_put_request request = {.scope = ZR_SCOPE_CATEGORY,
                                            .category = model->slots[category].category,
                                            .policy_count = 1,
                                            .expected_version = policy.version};
    struct zr_policy_put_reply reply;

    switch (operation->b % 5) {
    case 0:
        policy.rules.multiplier_2_bp = policy.rules.multiplier_2_bp == 7000 ? 8000 : 7000;
        break;
    case 1:
        policy.rules.max_positions = (uint8_t)(1 + operation->c % 4);
        break;
    case 2:
        policy.rules.dup_days = operation->c % 4;
        break;
    case 3:
        policy.rules.offer_window_s = operation->c % 2 == 0 ? 1800 : 0;
        break;
    default:
        policy.rules.overdraft_cents = operation->c % 2 == 0 ? 1500 : -1;
        break;
    }
    request.policy[0] = policy.rules;
    request.cooldown_s = policy.cooldown_s;
    request.cooldown_misses = policy.cooldown_misses;
    request.dispute_days = policy.dispute_days;
    request.attestation_min = policy.attestation_min;
    if (session_expect(
            session,
            &(struct session_question){session->world.admin, ZR_OP_POLICY_PUT, &request, &reply},
            (struct session_expected){0})) {
        policy.version = reply.version;
        model->category[category] = policy;
        category_touched(session, category);
    }
}

static bool
category_find(struct session *session, uint16_t category, struct zr_category_put_request *request)
{
    const struct zr_category_list_request list = {.after = (uint16_t)(category - 1)};
    static struct zr_category_list_reply known;

    memset(request, 0, sizeof *request);
    if (zr_category_list(session->world.admin, &list, &known) != 0) {
        session_differ(session, "CATEGORY_LIST", 0, 1);
        return false;
    }
    request->rate_cents = known.categories[0].rate_cents;
    request->expected_version = known.categories[0].version;
    request->category = known.categories[0].category;
    request->offered = true;
    request->zips_action = ZR_ZIPS_EVERYWHERE;
    memcpy(request->name, known.categories[0].name, sizeof request->name);
    return true;
}

/* The category that nobody claims comes and goes: only the map knows (E20). */
static void
play_offer(struct session *session, const struct operation *operation)
{
    static struct zr_category_put_request request;
    struct zr_category_put_reply reply;
    bool spare[WORLD_ZIPS] = {false};

    if (!category_find(session, session->world.plumbing, &request)) {
        return;
    }
    request.offered = operation->b % 3 != 0;
    request.zips_action = operation->b % 3 == 2 ? ZR_ZIPS_ONLY : ZR_ZIPS_EVERYWHERE;
    for (int i = 0; i < WORLD_ZIPS; i++) {
        spare[i] = request.offered && world_zips[i].claimable;
        if (request.zips_action == ZR_ZIPS_ONLY) {
            spare[i] = spare[i] && (operation->d >> i % 7 & 1) != 0;
        }
        if (request.zips_action == ZR_ZIPS_ONLY && spare[i]) {
            request.zips[request.zips_count++].zip = world_zips[i].zip;
        }
    }
    if (session_expect(
            session,
            &(struct session_question){session->world.admin, ZR_OP_CATEGORY_PUT, &request, &reply},
            (struct session_expected){0})) {
        compare_map_offer(session, spare);
    }
}

static void
play_price(struct session *session, const struct operation *operation)
{
    static const int64_t rates[] = {1500, 2001, 777, 3333};
    static struct zr_category_put_request request;
    struct model *model = session->model;
    const int category = operation->a % MODEL_CATEGORIES;
    struct zr_category_put_reply reply;

    if (operation->c % 3 == 0) {
        play_offer(session, operation);
        return;
    }
    if (!category_find(session, model->slots[category].category, &request)) {
        return;
    }
    request.rate_cents = rates[operation->b % 4];
    if (session_expect(
            session,
            &(struct session_question){session->world.admin, ZR_OP_CATEGORY_PUT, &request, &reply},
            (struct session_expected){0})) {
        model->rate[category] = request.rate_cents;
        model->rate_version[category] = reply.version;
        category_touched(session, category);
    }
}

static void
play_suppress(struct session *session, const struct operation *operation)
{
    const int caller = operation->a % MODEL_CALLERS;
    struct zr_suppress_put_request request = {.caller = model_caller(caller),
                                              .blocked = operation->b % 8 == 0};
    struct zr_put_reply reply;

    const bool already = session->model->suppressed[caller] == request.blocked;

    if (session_expect(
            session,
            &(struct session_question){session->world.admin, ZR_OP_SUPPRESS_PUT, &request, &reply},
            (struct session_expected){.duplicate = already})) {
        session->model->suppressed[caller] = request.blocked;
    }
}

void
play_people(struct session *session, const struct operation *operation)
{
    static void (*const plays[])(struct session *, const struct operation *) = {
        play_status,  play_schedule, play_caps,  play_destination,
        play_filters, play_policy,   play_price, play_suppress};

    if (contractor_of(session, operation)->status == ZR_CONTRACTOR_CLOSED &&
        operation->kind <= PLAY_FILTERS) {
        session_skip(session);
        return;
    }
    plays[operation->kind - PLAY_STATUS](session, operation);
}
