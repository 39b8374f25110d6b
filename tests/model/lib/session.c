/*
 * session.c - see session.h: opening a market, asking, and telling differences.
 *
 * The hard idea: time and keys are the run's own. The log clock is moved once to a date that
 * depends on the seed alone, and every key is stamped with the model's time, so that the same seed
 * gives the same run on any day.
 */
#include "tests/model/lib/session.h"

#include "protocol/check.h"
#include "tests/lib/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_DAY UINT64_C(25568) /* 2040-01-02: ahead of any clock that runs this test. */

/* ---- differences -------------------------------------------------------------------------------
 */

void
session_differ(struct session *session, const char *what, int64_t expected, int64_t got)
{
    if (!session->differs && session->output != NULL) {
        const char *names[2] = {NULL, NULL};

        if (strstr(what, "status") != NULL) {
            names[0] = zr_result_name((int)expected);
            names[1] = zr_result_name((int)got);
        }
        (void)fprintf(session->output, "difference, seed %" PRIu64 ", at ", session->seed);
        if (session->operation != NULL) {
            operation_print(session->output, session->operation);
        } else {
            (void)fprintf(session->output, "the end\n");
        }
        (void)fprintf(session->output,
                      "  %s: expected %" PRId64 " %s, got %" PRId64 " %s (now %" PRIu64 ")\n", what,
                      expected, names[0] != NULL ? names[0] : "", got,
                      names[1] != NULL ? names[1] : "", session->model->now_ms);
    }
    if (!session->differs) {
        (void)snprintf(session->what, sizeof session->what, "%s %d %d", what,
                       strstr(what, "status") != NULL ? (int)expected : 0,
                       strstr(what, "status") != NULL ? (int)got : 0);
    }
    session->differs = true;
}

bool
session_same(struct session *session, const char *what, int64_t expected, int64_t got)
{
    if (expected != got) {
        session_differ(session, what, expected, got);
    }
    return expected == got;
}

void
session_skip(struct session *session)
{
    session->skipped++;
}

/* ---- asking -------------------------------------------------------------------------------------
 */

struct zr_id
session_id(struct session *session, uint8_t tag)
{
    struct zr_id id = {{0}};
    const uint64_t serial = ++session->serial;

    for (int i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)(session->model->now_ms >> (40 - 8 * i));
    }
    id.bytes[6] = 0x70;
    id.bytes[7] = tag;
    id.bytes[8] = 0x80;
    for (int i = 0; i < 7; i++) {
        id.bytes[15 - i] = (uint8_t)(serial >> (8 * i));
    }
    return id;
}

static bool
is_keyed(uint16_t op)
{
    return zr_operation_find(op)->kind == ZR_OP_KIND_KEYED;
}

/* Every KEYED request begins with its op_id. */
static struct zr_id *
key_of(uint16_t op, void *request)
{
    const struct zr_shape *shape = zr_operation_find(op)->request;

    CHECK(strcmp(shape->fields[0].name, "op_id") == 0);
    return (struct zr_id *)(void *)((char *)request + shape->fields[0].offset);
}

int
session_ask(struct session *session, struct zr_client *client, uint16_t op, void *request,
            void *reply)
{
    const struct zr_operation *operation = zr_operation_find(op);
    struct zr_call_info info = {0};
    const struct zr_id zero = {{0}};
    int result;

    if (is_keyed(op) && memcmp(key_of(op, request), &zero, sizeof zero) == 0) {
        *key_of(op, request) = session_id(session, 1);
    }
    memset(reply, 0, operation->reply->struct_bytes);
    result = zr_call(client, op, request, reply, 0, &info);
    session->duplicate = info.duplicate != 0;
    if (session->traces) {
        (void)fprintf(session->output, "        %s %s%s\n", operation->name, zr_result_name(result),
                      session->duplicate ? " DUPLICATE" : "");
    }
    if (is_keyed(op) && result >= 0) {
        struct session_keyed *keyed = &session->keyed[session->keyed_count++ % SESSION_KEYED];

        keyed->client = client;
        keyed->op = op;
        keyed->result = result;
        keyed->key_ms = session->model->now_ms;
        memcpy(&keyed->request, request, operation->request->struct_bytes);
        memcpy(&keyed->reply, reply, operation->reply->struct_bytes);
    }
    return result;
}

bool
session_expect(struct session *session, const struct session_question *question,
               struct session_expected expected)
{
    const uint16_t op = question->op;
    const int result =
        session_ask(session, question->client, op, question->request, question->reply);
    char what[64];

    (void)snprintf(what, sizeof what, "%s status", zr_operation_find(op)->name);
    if (!session_same(session, what, expected.status, result)) {
        return false;
    }
    if (expected.duplicate != session->duplicate) {
        session_differ(session, "DUPLICATE", expected.duplicate, session->duplicate);
        return false;
    }
    return true;
}

struct zr_client *
session_portal(const struct session *session, uint32_t tenant)
{
    return tenant == 1 ? session->world.portal : session->portal2;
}

struct zr_client *
session_carrier(const struct session *session, uint32_t tenant)
{
    return tenant == 1 ? session->world.carrier : session->carrier2;
}

struct zr_client *
session_payments(const struct session *session, uint32_t tenant)
{
    return tenant == 1 ? session->world.payments : session->payments2;
}

bool
session_is_young(const struct session *session, const struct model_call *call)
{
    return call->connected >= 0 ||
           (call->tickets_count > 0 && model_remembers(session->model, call));
}

int
session_claim_of(const struct session *session, uint8_t slot, uint8_t k)
{
    const struct model *model = session->model;
    const int index = slot % MODEL_SLOTS;
    int count = model_live_count(model, index);
    int left;

    if (count == 0) {
        return -1;
    }
    left = k % count;
    for (int i = 0; i < model->live_count; i++) {
        if (model->claims[model->live[i]].slot == index && left-- == 0) {
            return model->live[i];
        }
    }
    return -1;
}

/* ---- the market
 * ------------------------------------------------------------------------------------ */

static void
expect_granted(int result, const char *what)
{
    if (result != 0) {
        (void)fprintf(stderr, "the market: %s: %d %s\n", what, result,
                      zr_result_name(result) != NULL ? zr_result_name(result) : "?");
        abort();
    }
}

static void
policy_put(struct session *session, uint16_t category, struct model_policy *policy)
{
    struct zr_policy_put_request request = {.scope = category == 0 ? ZR_SCOPE_NETWORK
                                                                   : ZR_SCOPE_CATEGORY,
                                            .category = category,
                                            .policy_count = 1,
                                            .cooldown_s = policy->cooldown_s,
                                            .cooldown_misses = policy->cooldown_misses,
                                            .dispute_days = policy->dispute_days,
                                            .attestation_min = policy->attestation_min,
                                            .expected_version = policy->version};
    struct zr_policy_put_reply reply;

    request.policy[0] = policy->rules;
    expect_granted(zr_policy_put(session->world.admin, &request, &reply), "POLICY_PUT");
    policy->version = reply.version;
}

/* Short graces, so that a run of days sees every deadline often. */
static struct model_policy
policy_make(uint64_t *state, const struct zr_policy *base)
{
    static const uint32_t windows[] = {1800, 0, 600, 7200};
    static const uint32_t graces[] = {7200, 3600, 0, 86400};
    struct model_policy policy = {.rules = *base, .cooldown_s = 300, .dispute_days = 5};

    policy.rules.qualify_ms = test_random_below(state, 5) == 0 ? 0 : 10000;
    policy.rules.dup_days = (uint32_t)test_random_below(state, 4);
    policy.rules.funds_grace_s = graces[test_random_below(state, 4)];
    policy.rules.pause_grace_s = graces[test_random_below(state, 4)];
    policy.rules.offer_window_s = windows[test_random_below(state, 4)];
    policy.rules.max_call_s = 3600;
    policy.rules.overdraft_cents = test_random_below(state, 2) == 0 ? -1 : 1500;
    policy.rules.ring_timeout_s = 20;
    policy.rules.cascade_budget_s = 90;
    policy.rules.max_attempts = 3;
    policy.rules.max_positions = (uint8_t)(1 + test_random_below(state, 4));
    policy.rules.dup_scope =
        test_random_below(state, 2) == 0 ? ZR_DUP_PER_CONTRACTOR : ZR_DUP_PER_NETWORK;
    policy.rules.duration_check =
        test_random_below(state, 2) == 0 ? ZR_DURATION_CLIP : ZR_DURATION_FLAG;
    policy.rules.screening_required = test_random_below(state, 6) == 0;
    policy.rules.funds_rule =
        test_random_below(state, 4) == 0 ? ZR_FUNDS_MAX_RATE : ZR_FUNDS_SLOT_RATE;
    policy.attestation_min = (uint8_t)(test_random_below(state, 8) == 0 ? 2 : 0);
    policy.cooldown_misses = (uint8_t)(test_random_below(state, 2) == 0 ? 3 : 0);
    return policy;
}

/* Withdrawn everywhere: the two that every world has, and that nobody here claims. */
static void
market_withdraw(struct session *session)
{
    const struct zr_category_list_request list = {0};
    static struct zr_category_list_reply known;
    static struct zr_category_put_request request;
    struct zr_category_put_reply reply;

    expect_granted(zr_category_list(session->world.admin, &list, &known), "CATEGORY_LIST");
    for (int i = 0; i < known.categories_count; i++) {
        memset(&request, 0, sizeof request);
        request.rate_cents = known.categories[i].rate_cents;
        request.expected_version = known.categories[i].version;
        request.category = known.categories[i].category;
        request.zips_action = ZR_ZIPS_EVERYWHERE;
        memcpy(request.name, known.categories[i].name, sizeof request.name);
        expect_granted(zr_category_put(session->world.admin, &request, &reply), "CATEGORY_PUT");
    }
}

static void
market_policies(struct session *session, uint64_t *state)
{
    static const int64_t rates[] = {1500, 2001, 777};
    struct model *model = session->model;
    const struct zr_policy_get_request get = {.scope = ZR_SCOPE_NETWORK};
    struct zr_policy_get_reply base;
    uint16_t category;

    expect_granted(zr_policy_get(session->world.admin, &get, &base), "POLICY_GET");
    model->network = policy_make(state, &base.policy[0]);
    model->network.version = base.own_version;
    policy_put(session, 0, &model->network);
    for (int c = 0; c < MODEL_CATEGORIES; c++) {
        category = world_category(&session->world, rates[c]);
        model->rate[c] = rates[c];
        model->rate_version[c] = 1;
        model->category[c] = policy_make(state, &base.policy[0]);
        policy_put(session, category, &model->category[c]);
        for (int z = 0; z < MODEL_ZIPS; z++) {
            static const uint32_t zips[] = {WORLD_NEW_YORK, WORLD_CHICAGO, 90001, WORLD_ADJUNTAS};
            struct model_slot *slot = &model->slots[z * MODEL_CATEGORIES + c];

            *slot = (struct model_slot){.zip = zips[z],
                                        .category = category,
                                        .zip_index = z,
                                        .category_index = c,
                                        .primary = -1,
                                        .offer_claim = -1};
        }
    }
}

static void
market_contractor(struct session *session, int index, uint64_t *state)
{
    static const uint32_t offices[] = {WORLD_NEW_YORK, WORLD_CHICAGO, 90001, WORLD_ADJUNTAS};
    struct model_contractor *who = &session->model->contractors[index];
    struct zr_contractor_put_request request = {.contractor_id = session_id(session, 2),
                                                .size_class = ZR_SIZE_SINGLE};
    struct zr_contractor_status_request status = {.contractor_status = ZR_CONTRACTOR_APPROVED};
    struct zr_contractor_put_reply reply;

    who->tenant = index < 8 ? 1 : 2;
    who->zone = index % MODEL_ZIPS;
    who->max_concurrency = (uint16_t)(1 + test_random_below(state, 3));
    who->phones_count = 2;
    who->modes = 1;
    who->funds_state = ZR_FUNDS_STATE_OK;
    who->autotopup.state = ZR_TOPUP_STATE_IDLE;
    request.office_zip = offices[who->zone];
    request.max_concurrency = who->max_concurrency;
    request.phones_count = 2;
    for (int i = 0; i < 2; i++) {
        who->phones[i] = UINT64_C(12810000000) + (uint64_t)(10 * index + i);
        request.phones[i].phone = who->phones[i];
    }
    (void)snprintf(request.name, sizeof request.name, "contractor %d", index);
    expect_granted(zr_contractor_put(session_portal(session, who->tenant), &request, &reply),
                   "CONTRACTOR_PUT");
    who->number = reply.contractor;
    status.contractor = reply.contractor;
    expect_granted(zr_contractor_status(session->world.admin, &status, &reply),
                   "CONTRACTOR_STATUS");
    who->status = ZR_CONTRACTOR_APPROVED;
    who->version = reply.version;
}

/* The first contractor listens for himself. */
static void
market_contractor_client(struct session *session)
{
    const struct model_contractor *who = &session->model->contractors[0];
    const struct server_identity identity = {"contractor", who->tenant, ZR_ROLE_CONTRACTOR,
                                             who->number};

    (void)server_principal(&session->world.server, &identity);
    session->contractor = server_client_ready(&session->world.server, identity.name);
}

static struct zr_client *
client_open(const struct session *session, const char *name, uint32_t flags)
{
    struct zr_options options = server_options(&session->world.server, name);
    struct zr_error error = ZR_ERROR_INIT;
    struct zr_client *client = NULL;

    options.flags |= flags;
    CHECK(zr_client_open(&client, &options, &error) == 0);
    CHECK(zr_client_wait_ready(client, 10000) == 0);
    return client;
}

/* The second tenant, whose switch promises KEEPALIVE, and a second administrator: an ADJUST needs
 * two. */
static void
market_principals(struct session *session)
{
    static const struct server_identity identities[] = {
        {"portal2", 2, ZR_ROLE_PORTAL, 0},
        {"switch2", 2, ZR_ROLE_SWITCH, 0},
        {"payments2", 2, ZR_ROLE_PAYMENTS, 0},
        {"admin2", 1, ZR_ROLE_ADMIN, 0},
    };
    struct zr_client **const clients[] = {&session->portal2, &session->carrier2,
                                          &session->payments2, &session->admin2};

    for (int i = 0; i < 4; i++) {
        (void)server_principal(&session->world.server, &identities[i]);
        *clients[i] = client_open(session, identities[i].name,
                                  clients[i] == &session->carrier2 ? ZR_OPTION_KEEPALIVE : 0);
    }
}

void
session_open(struct session *session, uint64_t seed, FILE *output)
{
    struct model *model = session->model;
    uint64_t state = seed ^ UINT64_C(0x5EED);
    const uint64_t first_ms = (FIRST_DAY + seed % 365) * MODEL_DAY_MS;
    uint64_t now_ms;

    memset(session, 0, sizeof *session);
    memset(model, 0, sizeof *model);
    session->model = model;
    session->seed = seed;
    session->output = output;
    session->traces = output != NULL && getenv("MODEL_TRACE") != NULL;
    for (int i = 0; i < SESSION_LINES; i++) {
        session->lines[i] = -1;
    }
    world_open(&session->world, NULL);
    market_principals(session);
    market_withdraw(session);
    market_policies(session, &state);
    for (int i = 0; i < MODEL_CONTRACTORS; i++) {
        market_contractor(session, i, &state);
    }
    market_contractor_client(session);
    now_ms = server_advance(&session->world.server, 0);
    while (now_ms < first_ms) { /* A year at a time at most. */
        const uint64_t left_ms = first_ms - now_ms;
        const uint64_t most_ms = 300 * MODEL_DAY_MS;

        now_ms = server_advance(&session->world.server, left_ms < most_ms ? left_ms : most_ms);
    }
    model->now_ms = now_ms;
    compare_events_open(session);
    compare_readers_open(session);
}

static void
own_clients_close(struct session *session)
{
    zr_client_close(session->admin2);
    zr_client_close(session->portal2);
    zr_client_close(session->carrier2);
    zr_client_close(session->payments2);
    zr_client_close(session->contractor);
}

int
session_close(struct session *session)
{
    own_clients_close(session);
    return world_close(&session->world);
}

void
session_discard(struct session *session)
{
    struct zr_client *const clients[] = {session->world.admin,    session->world.portal,
                                         session->world.carrier,  session->world.callcenter,
                                         session->world.payments, session->world.auditor};

    own_clients_close(session);
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        zr_client_close(clients[i]);
    }
    server_kill(&session->world.server);
    server_end(&session->world.server);
}

/* Serve again, from the same data. */
static void
server_again(struct session *session)
{
    server_restart(&session->world.server);
    model_restarted(session->model);

    (void)session_same(session, "clock after a restart", (int64_t)session->model->now_ms,
                       (int64_t)server_advance(&session->world.server, 0));
    compare_readers_again(session);
}

void
session_crash(struct session *session)
{
    server_kill(&session->world.server);
    server_again(session);
}

void
session_restart(struct session *session, bool with_kill)
{
    struct zr_wallet_get_request request = {.contractor = session->model->contractors[0].number};
    struct zr_wallet_get_reply reply;

    /* An answered read in log order: what was noted before it is behind it, and on disk. */
    (void)session_ask(session, session->world.admin, ZR_OP_WALLET_GET, &request, &reply);
    compare_readers(session);
    if (with_kill) {
        server_kill(&session->world.server);
    } else {
        (void)session_same(session, "exit code", 0, server_stop(&session->world.server));
    }
    server_again(session);
}

/* ---- playing
 * ---------------------------------------------------------------------------------------- */

void
session_play(struct session *session, const struct operation *operation)
{
    session->operation = operation;
    if (session->traces) {
        (void)fprintf(session->output, "%" PRIu64 " ", session->model->now_ms);
        operation_print(session->output, operation);
    }
    session->played[operation->kind]++;
    session->model->events_count = 0;
    if (operation->kind <= PLAY_JUMP || operation->kind >= PLAY_RETRY) {
        play_time(session, operation);
    } else if (operation->kind <= PLAY_WAITLIST_LEAVE) {
        play_claims(session, operation);
    } else if (operation->kind <= PLAY_SUPPRESS) {
        play_people(session, operation);
    } else if (operation->kind <= PLAY_RESOLVE) {
        play_money(session, operation);
    } else {
        play_calls(session, operation);
    }
    if (!session->differs) {
        compare_some(session);
    }
    if (!session->differs) {
        compare_explain(session);
    }
    if (!session->differs) {
        compare_events(session);
    }
}
