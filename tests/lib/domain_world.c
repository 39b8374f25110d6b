/*
 * domain_world.c - see domain_world.h.
 */
#include "tests/lib/domain_world.h"

#include "protocol/check.h"
#include "server/domain/timer.h"

#include <stdio.h>
#include <string.h>

enum { TAIL_ROWS = 4096, MAP_MIB = 64, STACK_BYTES = 32768, TICKS_MAX = 100000 };

const struct dw_actor dw_admin = {ZR_ROLE_ADMIN, 1, 0};
const struct dw_actor dw_portal = {ZR_ROLE_PORTAL, DW_PORTAL_TENANT, 0};
const struct dw_actor dw_switch = {ZR_ROLE_SWITCH, DW_SWITCH_TENANT, 0};
const struct dw_actor dw_payments = {ZR_ROLE_PAYMENTS, 4, 0};

int
dw_group_setup(void **state)
{
    static struct domain_world world;

    world = (struct domain_world){0};
    test_make_dir(world.folder, sizeof world.folder);
    arena_init(&world.arena);
    if (store_open(&world.store, &(struct store_options){.folder = world.folder,
                                                         .map_bytes = (uint64_t)MAP_MIB << 20,
                                                         .readers_max = 1,
                                                         .create = true}) != STATUS_OK) {
        return -1;
    }
    world.state.tail = tail_open(&world.arena, TAIL_ROWS);
    world.mac = mac_open();
    world.keys.count = 1;
    world.keys.keys[0].id = 7;
    memset(world.keys.keys[0].key, 0x5A, sizeof world.keys.keys[0].key);
    *state = &world;
    return 0;
}

int
dw_group_teardown(void **state)
{
    struct domain_world *world = *state;

    store_close(world->store);
    arena_deinit(&world->arena);
    mac_close(world->mac);
    test_remove_dir(world->folder);
    return 0;
}

/* What a rule leaves uninitialised must not happen to be zero. */
static void
stack_soil(void)
{
    volatile uint8_t soil[STACK_BYTES];

    for (size_t i = 0; i < sizeof soil; i++) {
        soil[i] = 0xA5;
    }
}

static uint16_t
run_command(struct domain_world *world, struct dw_actor actor, uint16_t op, const void *request)
{
    struct command command = {
        .seq = world->seq + 1,
        .time_ms = world->now_ms,
        .tenant = actor.tenant,
        .contractor = actor.contractor,
        .role = actor.role,
        .keepalive = world->keepalive,
        .op = op,
    };
    uint16_t status;
    uint8_t class;

    /* Another role or tenant is another principal. */
    command.principal[0] = actor.role;
    memcpy(command.principal + 1, &actor.tenant, sizeof actor.tenant);
    memset(&world->reply, 0, sizeof world->reply);
    world->effects = (struct effects){0};
    state_begin(&world->state, command.seq);
    stack_soil();
    status = command_apply(&world->state, &command, request, &world->reply, &world->effects);
    class = zr_status_class(status);
    assert_int_equal(state_failure(&world->state), STATUS_OK);
    if (class != ZR_CLASS_DONE && class != ZR_CLASS_REFUSED) {
        assert_false(world->state.changed);
    }
    world->log_ms = world->now_ms;
    world->command_seq = command.seq;
    world->seq += world->state.changed || world->effects.journal;
    return status;
}

static void
tick(struct domain_world *world, const struct zr_tick_request *request, uint64_t time_ms)
{
    struct zr_tick_reply reply = {0};
    struct effects effects = {0};
    const struct command command = {
        .seq = world->seq + 1,
        .time_ms = time_ms > world->log_ms ? time_ms : world->log_ms,
        .op = ZR_OP_TICK,
    };

    state_begin(&world->state, command.seq);
    stack_soil();
    assert_int_equal(command_apply(&world->state, &command, request, &reply, &effects),
                     ZR_STATUS_OK);
    assert_int_equal(state_failure(&world->state), STATUS_OK);
    world->log_ms = command.time_ms;
    world->seq++;
}

void
dw_tick(struct domain_world *world)
{
    uint64_t due_ms;

    for (int ticks = 0; (due_ms = state_timer_due_ms(&world->state)) <= world->now_ms; ticks++) {
        assert_true(ticks < TICKS_MAX); /* Work that never ends. */
        tick(world, &(struct zr_tick_request){0}, due_ms);
    }
}

void
dw_advance(struct domain_world *world, uint64_t ms)
{
    world->now_ms += ms;
    dw_tick(world);
}

void
dw_outage(struct domain_world *world, uint64_t ms)
{
    struct zr_tick_request request = {.outage_from_ms = world->now_ms};

    dw_tick(world);
    world->now_ms += ms;
    request.outage_to_ms = world->now_ms;
    do {
        tick(world, &request, world->now_ms);
        request.outage_from_ms =
            timer_outage_next(&world->state, request.outage_from_ms, request.outage_to_ms);
    } while (request.outage_from_ms != 0);
    dw_tick(world);
}

uint16_t
dw_run(struct domain_world *world, struct dw_actor actor, uint16_t op, const void *request)
{
    uint16_t status;
    bool changed;

    dw_tick(world);
    status = run_command(world, actor, op, request);
    /* The work that it left is done before it is answered; what it changed itself is asked for. */
    changed = world->state.changed;
    dw_tick(world);
    world->state.changed = changed;
    return status;
}

struct zr_id
dw_id(struct domain_world *world)
{
    struct zr_id id = {{0x01}};

    world->serial++;
    memcpy(id.bytes + 8, &world->serial, sizeof world->serial);
    return id;
}

static void
put_zip(struct domain_world *world, uint32_t zip, bool claimable)
{
    const struct zip_row row = {.claimable = claimable, .state = "TX", .timezone = "US/Central"};

    state_zip_put(&world->state, zip, &row);
}

static void
put_category(struct domain_world *world, const char *name)
{
    struct zr_category_put_request request = {
        .rate_cents = DW_RATE, .offered = true, .zips_action = ZR_ZIPS_EVERYWHERE};

    (void)snprintf(request.name, sizeof request.name, "%s", name);
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_CATEGORY_PUT, &request), ZR_STATUS_OK);
}

void
dw_category(struct domain_world *world, int64_t rate_cents, bool offered)
{
    struct zr_category_put_request request = {.rate_cents = rate_cents,
                                              .category = DW_CATEGORY,
                                              .offered = offered,
                                              .zips_action = ZR_ZIPS_EVERYWHERE,
                                              .name = "plumbing"};
    struct category_row row;

    assert_true(state_category_get(&world->state, DW_CATEGORY, &row));
    request.expected_version = row.version;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_CATEGORY_PUT, &request), ZR_STATUS_OK);
}

int
dw_setup(void **state)
{
    struct domain_world *world = *state;

    if (store_write_begin(world->store, &world->view) != STATUS_OK) {
        return -1;
    }
    world->state = (struct state){.view = &world->view, .tail = world->state.tail};
    world->seq = 0;
    world->now_ms = DW_START_MS;
    world->log_ms = 0;
    world->made_money = false;
    world->keepalive = false;
    put_zip(world, DW_ZIP, true);
    put_zip(world, DW_ZIP_2, true);
    put_zip(world, DW_ZIP_BOX, false);
    put_category(world, "plumbing");
    put_category(world, "roofing");
    return 0;
}

/* Debits equal credits, over the wallets and the network's own accounts (I10). */
static int64_t
balances_sum(struct domain_world *world)
{
    const uint64_t contractors = state_counter_now(&world->state, COUNTER_CONTRACTOR);
    struct account_row account;
    int64_t sum = 0;

    for (int i = ZR_ACCOUNT_MAIN; i <= ZR_ACCOUNT_POOL; i++) {
        state_account_get(&world->state, (uint8_t)i, &account);
        sum += account.balance_cents;
    }
    for (uint32_t i = 1; i <= contractors; i++) {
        const struct wallet_row wallet = dw_wallet(world, i);

        sum += wallet.main_cents + wallet.credit_cents;
    }
    return sum;
}

int
dw_teardown(void **state)
{
    struct domain_world *world = *state;
    const bool balanced = world->made_money || balances_sum(world) == 0;

    if (!balanced) {
        print_error("balances do not sum to 0 (I10)\n");
    }
    tail_batch_undo(world->state.tail);
    store_abort(&world->view);
    return balanced ? 0 : -1;
}

/* ---- people and money ------------------------------------------------------------------- */

void
dw_set_status(struct domain_world *world, uint32_t contractor, uint8_t status)
{
    const struct zr_contractor_status_request request = {.contractor = contractor,
                                                         .contractor_status = status};

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_CONTRACTOR_STATUS, &request), ZR_STATUS_OK);
}

void
dw_topup(struct domain_world *world, uint32_t contractor, int64_t cents)
{
    struct zr_topup_request request = {.amount_cents = cents, .contractor = contractor};

    (void)snprintf(request.provider_ref, sizeof request.provider_ref, "ref-%llu",
                   (unsigned long long)++world->serial);
    assert_int_equal(dw_run(world, dw_payments, ZR_OP_TOPUP, &request), ZR_STATUS_OK);
}

uint32_t
dw_contractor(struct domain_world *world, int64_t cents)
{
    const struct zr_contractor_put_request request = {
        .contractor_id = dw_id(world),
        .office_zip = DW_ZIP,
        .size_class = ZR_SIZE_SINGLE,
        .name = "a contractor",
        .phones = {{12815550100 + world->serial}},
        .phones_count = 1,
    };
    uint32_t contractor;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CONTRACTOR_PUT, &request), ZR_STATUS_OK);
    contractor = world->reply.contractor_put_reply.contractor;
    dw_set_status(world, contractor, ZR_CONTRACTOR_APPROVED);
    if (cents > 0) {
        dw_topup(world, contractor, cents);
    }
    return contractor;
}

void
dw_give_credit(struct domain_world *world, uint32_t contractor, int64_t cents)
{
    const struct command command = {.seq = world->seq + 1, .time_ms = world->now_ms};
    struct wallet_row wallet = dw_wallet(world, contractor);

    state_begin(&world->state, command.seq);
    (void)ledger_post(&world->state, &command, &wallet,
                      &(struct ledger_entry){.amount_cents = cents,
                                             .contractor = contractor,
                                             .debit = ZR_ACCOUNT_PROMO,
                                             .credit = ZR_ACCOUNT_CREDIT,
                                             .kind = ZR_TRANSFER_TOPUP});
    funds_wallet_put(&world->state, &command, contractor, &wallet);
    world->seq++;
    dw_tick(world);
}

struct wallet_row
dw_wallet(struct domain_world *world, uint32_t contractor)
{
    struct wallet_row wallet;

    state_wallet_get(&world->state, contractor, &wallet);
    return wallet;
}

/* ---- slots ------------------------------------------------------------------------------ */

struct slot_row
dw_slot(struct domain_world *world)
{
    struct slot_row slot = {0};

    state_slot_get(&world->state, DW_ZIP, DW_CATEGORY, &slot);
    slot_check(&slot);
    return slot;
}

const struct zr_claim_result *
dw_claim(struct domain_world *world, uint32_t contractor)
{
    const struct zr_claim_request request = {
        .contractor = contractor,
        .accept_backup = true,
        .slots = {{DW_ZIP, DW_CATEGORY}},
        .slots_count = 1,
    };

    (void)dw_run(world, dw_portal, ZR_OP_CLAIM, &request);
    return &world->reply.claim_reply.results[0];
}

/* ---- policy ----------------------------------------------------------------------------- */

struct zr_policy
dw_policy_default(void)
{
    struct zr_policy policy;

    policy_to_wire(&policy, &policy_default);
    return policy;
}

void
dw_policy(struct domain_world *world, const struct zr_policy *policy)
{
    const struct zr_policy_get_request get = {.scope = ZR_SCOPE_NETWORK};
    struct zr_policy_put_request put = {.scope = ZR_SCOPE_NETWORK, .policy_count = 1};

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_POLICY_GET, &get), ZR_STATUS_OK);
    put.expected_version = world->reply.policy_get_reply.own_version;
    put.policy[0] = *policy;
    assert_int_equal(dw_run(world, dw_admin, ZR_OP_POLICY_PUT, &put), ZR_STATUS_OK);
}

void
dw_policy_without_offers(struct domain_world *world)
{
    struct zr_policy policy = dw_policy_default();

    policy.offer_window_s = 0;
    dw_policy(world, &policy);
}

/* ---- calls ------------------------------------------------------------------------------ */

struct ticket
dw_ticket(struct domain_world *world, const uint32_t *contractors, uint8_t count)
{
    static const uint32_t rates[TICKET_CANDIDATES_MAX] = {DW_RATE, DW_RATE_2, DW_RATE_3, DW_RATE_3};
    const uint64_t life_ms =
        ((uint64_t)policy_default.cascade_budget_s + TICKET_SLACK_S) * DW_SECOND_MS;
    struct ticket ticket = {
        .call_id = dw_id(world),
        .call_ref = dw_id(world),
        .issued_ms = world->now_ms,
        .expires_ms = world->now_ms + life_ms,
        .snapshot_seq = world->seq,
        .caller_hash = 4711,
        .tenant = DW_SWITCH_TENANT,
        .zip = DW_ZIP,
        .qualify_ms = policy_default.qualify_ms,
        .category = DW_CATEGORY,
        .ring_timeout_s = policy_default.ring_timeout_s,
        .mode = count == 1 ? TICKET_STEP : TICKET_LIST,
        .candidates_count = count,
    };

    CHECK(count <= TICKET_CANDIDATES_MAX);
    for (uint8_t i = 0; i < count; i++) {
        ticket.candidates[i].contractor = contractors[i];
        ticket.candidates[i].rate_cents = rates[i];
        ticket.candidates[i].rank = (uint8_t)(i + 1);
    }
    return ticket;
}

uint16_t
dw_connect(struct domain_world *world, const struct ticket *ticket, uint8_t index)
{
    struct zr_connect_request request = {.index = index};

    request.ticket_length = ticket_encode(request.ticket, ticket, &world->keys, world->mac);
    return dw_run(world, dw_switch, ZR_OP_CONNECT, &request);
}

uint16_t
dw_qualify(struct domain_world *world, const struct ticket *ticket, uint32_t talk_ms)
{
    const struct zr_qualify_request request = {.call_id = ticket->call_id, .talk_ms = talk_ms};

    return dw_run(world, dw_switch, ZR_OP_QUALIFY, &request);
}

uint16_t
dw_end(struct domain_world *world, const struct ticket *call, const struct ticket *ticket,
       struct zr_end_request end)
{
    end.call_id = call->call_id;
    end.who_hung_up = ZR_HUNG_UP_CALLER;
    if (ticket != NULL) {
        end.ticket_length = ticket_encode(end.ticket, ticket, &world->keys, world->mac);
    }
    return dw_run(world, dw_switch, ZR_OP_END, &end);
}

struct call_row
dw_call(struct domain_world *world, const struct ticket *ticket)
{
    struct call_row row = {0};
    struct zr_id call_ref;

    assert_true(state_call_find(&world->state, ticket->tenant, &ticket->call_id, &call_ref));
    assert_true(state_call_get(&world->state, &call_ref, &row));
    return row;
}
