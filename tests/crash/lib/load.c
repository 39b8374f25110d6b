/*
 * load.c - see load.h.
 */
#include "tests/crash/lib/load.h"

#include "protocol/check.h"
#include "tests/lib/test.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 5,
    QUALIFY_MS = 1000,
    TALK_SHORT_MS = QUALIFY_MS - 1,
    TALK_LONG_MS = QUALIFY_MS + 500,
    TOPUP_MIN_CENTS = 2500,
    FUNDS_CENTS = 100000,
    CONCURRENCY = 10,
};

static const uint32_t zips[] = {
    WORLD_ADJUNTAS, WORLD_BOSTON,    WORLD_NEW_YORK, WORLD_CHICAGO,
    77551,          WORLD_GALVESTON, WORLD_PEARLAND, WORLD_PEARLAND_WEST};
enum { ZIPS = sizeof zips / sizeof zips[0] };

struct actor {
    struct load *load;
    uint16_t op; /* Out now, enum zr_op; 0 = idle. */
    union zr_any_message request;
    struct zr_client *client;
    uint64_t claim_id; /* That the story goes on with, 0 = none. */
    struct zr_id call_id;
    uint64_t topup;
    uint8_t index; /* Attempt of the call. */
};

struct load {
    struct load_options options;
    struct zr_client *portal;
    struct zr_client *frank; /* A portal that sends nothing again by itself: it says "unknown". */
    struct zr_client *carrier;
    struct zr_client *callcenter;
    struct zr_client *payments;
    uint32_t contractors[LOAD_CONTRACTORS];
    uint16_t categories[LOAD_CATEGORIES];
    struct actor actors[LOAD_ACTORS_MAX];
    uint64_t random;
    uint64_t serial;
    uint64_t resent;
    uint32_t busy;
    bool running;
};

void
load_provider_ref(char text[65], uint64_t number)
{
    (void)snprintf(text, 65, "crash-%" PRIu64, number);
}

static uint32_t
draw(struct load *load, uint32_t below)
{
    return (uint32_t)test_random_below(&load->random, below);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void actor_done(void *context, const struct zr_completion *completion);

static void
actor_send(struct actor *actor)
{
    const struct zr_submission submission = {
        .size = sizeof submission,
        .op = actor->op,
        .request = &actor->request,
        .done = actor_done,
        .context = actor,
    };

    /* Every actor has one request out, and a client has room for all of them. */
    CHECK(zr_submit(actor->client, &submission) == 0);
}

static void
actor_ask(struct actor *actor, uint16_t op, struct zr_client *client)
{
    actor->op = op;
    actor->client = client;
    actor_send(actor);
}

static struct zr_id
key_make(struct zr_client *client)
{
    struct zr_id key;

    CHECK(zr_client_make_key(client, &key) == 0);
    return key;
}

/* ---- stories: claims ------------------------------------------------------------------------- */

static void
claim_ask(struct actor *actor)
{
    struct load *load = actor->load;
    struct zr_claim_request *request = &actor->request.claim_request;

    memset(request, 0, sizeof *request);
    actor->client = draw(load, 2) == 0 ? load->portal : load->frank;
    request->op_id = key_make(actor->client);
    request->contractor = load->contractors[draw(load, LOAD_CONTRACTORS)];
    request->accept_backup = true;
    request->all_or_none = draw(load, 2) == 0;
    request->slots_count = (uint16_t)(1 + draw(load, LOAD_SLOTS_MAX));
    for (uint32_t i = 0; i < request->slots_count; i++) {
        /* Different ZIPs: no slot is named twice. */
        request->slots[i].zip = zips[(load->serial + i) % ZIPS];
        request->slots[i].category = load->categories[draw(load, LOAD_CATEGORIES)];
    }
    load->serial++;
    actor_ask(actor, ZR_OP_CLAIM, actor->client);
}

static void
release_ask(struct actor *actor)
{
    struct zr_release_request *request = &actor->request.release_request;

    *request = (struct zr_release_request){
        .op_id = key_make(actor->client), .claim_id = actor->claim_id, .when = ZR_RELEASE_NOW};
    actor_ask(actor, ZR_OP_RELEASE, actor->client);
}

static void
pause_ask(struct actor *actor)
{
    struct zr_pause_request *request = &actor->request.pause_request;

    *request = (struct zr_pause_request){
        .op_id = key_make(actor->client), .claim_id = actor->claim_id, .reason = "crash test"};
    actor_ask(actor, ZR_OP_PAUSE, actor->client);
}

static void
resume_ask(struct actor *actor)
{
    struct zr_resume_request *request = &actor->request.resume_request;

    *request =
        (struct zr_resume_request){.op_id = key_make(actor->client), .claim_id = actor->claim_id};
    actor_ask(actor, ZR_OP_RESUME, actor->client);
}

/* ---- stories: money and calls ---------------------------------------------------------------- */

static void
topup_ask(struct actor *actor)
{
    struct load *load = actor->load;
    struct zr_topup_request *request = &actor->request.topup_request;

    *request =
        (struct zr_topup_request){.amount_cents = TOPUP_MIN_CENTS + draw(load, TOPUP_MIN_CENTS),
                                  .contractor = load->contractors[draw(load, LOAD_CONTRACTORS)]};
    actor->topup = ++load->serial;
    load_provider_ref(request->provider_ref, actor->topup);
    actor_ask(actor, ZR_OP_TOPUP, load->payments);
}

static void
route_ask(struct actor *actor)
{
    struct load *load = actor->load;
    const struct world_slot slot = {zips[draw(load, ZIPS)],
                                    load->categories[draw(load, LOAD_CATEGORIES)]};

    actor->request.route_request = world_route_request(load->options.world, slot);
    actor->call_id = actor->request.route_request.call_id;
    actor_ask(actor, ZR_OP_ROUTE, draw(load, 2) == 0 ? load->carrier : load->callcenter);
}

static void
connect_ask(struct actor *actor, const struct zr_route_reply *routed)
{
    actor->index = routed->candidates[0].index;
    actor->request.connect_request = world_connect_request(routed);
    actor_ask(actor, ZR_OP_CONNECT, actor->client);
}

static void
qualify_ask(struct actor *actor)
{
    actor->request.qualify_request =
        (struct zr_qualify_request){.call_id = actor->call_id, .talk_ms = TALK_LONG_MS};
    actor_ask(actor, ZR_OP_QUALIFY, actor->client);
}

static void
end_ask(struct actor *actor, uint32_t talk_ms)
{
    actor->request.end_request = (struct zr_end_request){.call_id = actor->call_id,
                                                         .talk_ms = talk_ms,
                                                         .index = actor->index,
                                                         .who_hung_up = ZR_HUNG_UP_CALLER};
    actor_ask(actor, ZR_OP_END, actor->client);
}

/* ---- what comes next ------------------------------------------------------------------------- */

static void
story_begin(struct actor *actor)
{
    const uint32_t dice = draw(actor->load, 10);

    if (dice < 4) {
        claim_ask(actor);
    } else if (dice < 6) {
        topup_ask(actor);
    } else {
        route_ask(actor);
    }
}

static void
story_end(struct actor *actor)
{
    struct load *load = actor->load;

    actor->op = 0;
    if (load->running) {
        story_begin(actor);
    } else {
        CHECK(load->busy > 0);
        load->busy--;
    }
}

/*
 * After CLAIM: leave it, release it, or pause it first. A slot that its contractor held already
 * names that claim, maybe another actor's; to go on with it keeps the slots from filling up.
 */
static void
story_of_claim(struct actor *actor, const struct load_ack *ack)
{
    const uint32_t dice = draw(actor->load, 4);

    actor->claim_id = 0;
    for (uint8_t i = 0; i < ack->slots_count && actor->claim_id == 0; i++) {
        actor->claim_id = ack->slots[i].claim_id;
    }
    if (actor->claim_id == 0 || dice == 0) {
        story_end(actor);
    } else if (dice == 1) {
        pause_ask(actor);
    } else {
        release_ask(actor);
    }
}

static void
story_of_call(struct actor *actor, const struct load_ack *ack)
{
    const uint32_t dice = draw(actor->load, 3);

    if (ack->status != ZR_STATUS_OK || ack->op == ZR_OP_END) {
        story_end(actor);
    } else if (ack->op == ZR_OP_CONNECT && dice == 0) {
        qualify_ask(actor);
    } else {
        end_ask(actor, ack->op == ZR_OP_QUALIFY || dice == 1 ? TALK_LONG_MS : TALK_SHORT_MS);
    }
}

static void
story_go_on(struct actor *actor, const struct load_ack *ack)
{
    switch (ack->op) {
    case ZR_OP_CLAIM:
        story_of_claim(actor, ack);
        break;
    case ZR_OP_PAUSE:
        resume_ask(actor);
        break;
    case ZR_OP_RESUME:
        if (draw(actor->load, 2) == 0) {
            release_ask(actor);
        } else {
            story_end(actor);
        }
        break;
    case ZR_OP_CONNECT:
    case ZR_OP_QUALIFY:
    case ZR_OP_END:
        story_of_call(actor, ack);
        break;
    default:
        story_end(actor);
        break;
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void
ack_of_claim(struct load_ack *ack, const struct zr_claim_request *request,
             const struct zr_claim_reply *reply)
{
    ack->contractor = request->contractor;
    ack->commit_seq = reply->commit_seq;
    ack->all_or_none = request->all_or_none;
    ack->slots_count = (uint8_t)reply->results_count;
    CHECK(reply->results_count == request->slots_count);
    for (uint32_t i = 0; i < reply->results_count; i++) {
        const struct zr_claim_result *result = &reply->results[i];

        CHECK(result->zip == request->slots[i].zip);
        ack->slots[i] = (struct load_slot){.claim_id = result->claim_id,
                                           .zip = result->zip,
                                           .category = result->category,
                                           .status = result->status};
    }
}

static void
ack_of_claim_state(struct load_ack *ack, const struct actor *actor,
                   const struct zr_claim_state_reply *reply)
{
    ack->claim_id = actor->claim_id;
    ack->contractor = reply->contractor;
    ack->commit_seq = reply->commit_seq;
    ack->claim_state = reply->state;
}

static void
ack_of_call(struct load_ack *ack, const struct actor *actor, const void *reply)
{
    ack->call_id = actor->call_id;
    if (ack->op == ZR_OP_CONNECT) {
        const struct zr_connect_reply *connected = reply;

        ack->contractor = connected->contractor;
        ack->call_ref = connected->call_ref;
        ack->commit_seq = connected->commit_seq;
    } else {
        const struct zr_settlement_reply *settled = reply;

        ack->contractor = settled->contractor;
        ack->call_ref = settled->call_ref;
        ack->commit_seq = settled->commit_seq;
        ack->amount_cents = settled->amount_cents;
        ack->settlement = settled->settlement;
    }
}

static void
ack_fill(struct load_ack *ack, const struct actor *actor, const struct zr_completion *completion)
{
    const void *reply = completion->reply;

    CHECK(reply != NULL);
    *ack = (struct load_ack){
        .op = completion->op, .status = (uint16_t)completion->result, .key = completion->key};
    switch (completion->op) {
    case ZR_OP_CLAIM:
        ack_of_claim(ack, &actor->request.claim_request, reply);
        break;
    case ZR_OP_TOPUP: {
        const struct zr_topup_reply *credited = reply;

        ack->topup = actor->topup;
        ack->amount_cents = actor->request.topup_request.amount_cents;
        ack->contractor = actor->request.topup_request.contractor;
        ack->transfer_id = credited->transfer_id;
        ack->commit_seq = credited->commit_seq;
        break;
    }
    case ZR_OP_CONNECT:
    case ZR_OP_QUALIFY:
    case ZR_OP_END:
        ack_of_call(ack, actor, reply);
        break;
    default:
        ack_of_claim_state(ack, actor, reply);
        break;
    }
}

/* Done, or refused by a rule. */
static bool
is_definite(int result)
{
    return result >= 0 && (zr_status_class((uint16_t)result) == ZR_CLASS_DONE ||
                           zr_status_class((uint16_t)result) == ZR_CLASS_REFUSED);
}

static void
actor_done(void *context, const struct zr_completion *completion)
{
    struct actor *actor = context;
    struct load *load = actor->load;
    struct load_ack ack;

    if (!is_definite(completion->result)) {
        if (!zr_result_retryable(completion->result)) {
            (void)fprintf(stderr, "op 0x%04X: %s\n", completion->op,
                          zr_result_text(completion->result));
            abort();
        }
        load->resent++;
        actor_send(actor);
        return;
    }
    if (completion->op == ZR_OP_ROUTE) {
        const struct zr_route_reply *routed = completion->reply;

        if (completion->result == ZR_STATUS_OK && routed->candidates_count > 0) {
            connect_ask(actor, routed);
        } else {
            story_end(actor);
        }
        return;
    }
    ack_fill(&ack, actor, completion);
    load->options.on_ack(load->options.context, &ack);
    story_go_on(actor, &ack);
}

/* ---- the load -------------------------------------------------------------------------------- */

/* Charge after a second of talk, so that a clock that stands still can charge at all. */
static void
policy_make(struct world *world)
{
    const struct world_slot slot = {WORLD_PEARLAND, world->plumbing};
    struct zr_policy_put_request request = {.scope = ZR_SCOPE_NETWORK, .policy_count = 1};
    struct zr_policy_put_reply reply;

    request.policy[0] = world_policy(world, slot);
    request.policy[0].qualify_ms = QUALIFY_MS;
    request.policy[0].dup_days = 0;
    CHECK(zr_policy_put(world->admin, &request, &reply) == 0);
}

static struct zr_client *
frank_open(const struct world *world)
{
    struct zr_options options = server_options(&world->server, "portal");
    struct zr_client *client = NULL;

    options.flags = ZR_OPTION_NO_RETRY;
    CHECK(zr_client_open(&client, &options, NULL) == 0);
    CHECK(zr_client_wait_ready(client, options.request_timeout_ms) == 0);
    return client;
}

struct load *
load_open(const struct load_options *options)
{
    struct world *world = options->world;
    struct load *load = calloc(1, sizeof *load);

    CHECK(load != NULL);
    CHECK(options->actors_count <= LOAD_ACTORS_MAX);
    load->options = *options;
    load->random = options->seed;
    load->portal = world->portal;
    load->carrier = world->carrier;
    load->callcenter = world->callcenter;
    load->payments = world->payments;
    load->frank = frank_open(world);
    policy_make(world);
    for (uint32_t i = 0; i < LOAD_CATEGORIES; i++) {
        load->categories[i] = world_category(world, WORLD_RATE);
    }
    for (uint32_t i = 0; i < LOAD_CONTRACTORS; i++) {
        load->contractors[i] = world_contractor(world, CONCURRENCY, 0);
    }
    for (uint32_t i = 0; i < options->actors_count; i++) {
        load->actors[i].load = load;
    }
    return load;
}

void
load_close(struct load *load)
{
    CHECK(load->busy == 0);
    zr_client_close(load->frank);
    free(load);
}

const uint32_t *
load_contractors(const struct load *load)
{
    return load->contractors;
}

void
load_set_running(struct load *load, bool running)
{
    load->running = running;
    for (uint32_t i = 0; running && i < load->options.actors_count; i++) {
        if (load->actors[i].op == 0) {
            load->busy++;
            story_begin(&load->actors[i]);
        }
    }
}

void
load_step(struct load *load, int timeout_ms)
{
    struct zr_client *const clients[CLIENTS] = {load->portal, load->frank, load->carrier,
                                                load->callcenter, load->payments};
    struct pollfd fds[CLIENTS];
    int ran = 0;

    for (int i = 0; i < CLIENTS; i++) {
        const int done = zr_client_process(clients[i], 0);

        CHECK(done >= 0);
        ran += done;
        fds[i] = (struct pollfd){.fd = zr_client_fd(clients[i]), .events = POLLIN};
    }
    if (ran == 0) {
        (void)poll(fds, CLIENTS, timeout_ms);
    }
}

uint32_t
load_busy(const struct load *load)
{
    return load->busy;
}

uint64_t
load_resent(const struct load *load)
{
    return load->resent;
}
