/*
 * test_domain_storage.c - storage fails under a rule: nothing is answered as if it had not.
 *
 * A rule does not look for failures (domain/state.h): a row that cannot be read looks to it as if
 * it were not there, and the batch is thrown away afterwards. So every command is run with its
 * first, second, third ... access to LMDB failing, over a market in which all of them have much to
 * do. Each time the batch must be known as failed, and no CHECK may have stopped the rule: a full
 * disk is refused and heals (P15), and what a timer met would stop the next start as well. No row
 * may have moved: the same command runs as before when the disk is well.
 */
#include "server/domain/condition.h"
#include "tests/lib/domain_titles.h"
#include "tests/unit/test_money.h"

#include <lmdb.h>

#include <dlfcn.h>

enum { FIRST_ZIP = 77600, TICKS_MAX = 4000, ACCESSES_MAX = 20000, SCENES_MAX = 48 };

/* ---- LMDB that fails when a test says so ------------------------------------------------------
 */

enum fault { FAULT_NONE, FAULT_READ, FAULT_FULL };

static enum fault fault;
static int fault_countdown;
static bool fault_hit;

/* The library's own, behind this program's of the same name. */
#define REAL(function, name)                          \
    do {                                              \
        void *symbol = dlsym(RTLD_NEXT, name);        \
                                                      \
        memcpy(&(function), &symbol, sizeof(symbol)); \
    } while (0)

static bool
fault_counts_down(void)
{
    if (--fault_countdown > 0) {
        return false;
    }
    fault_hit = true;
    return true;
}

/* A read: the n-th alone is unreadable; after a put that failed, LMDB gives nothing any more. */
static int
fault_of_read(void)
{
    if (fault == FAULT_FULL && fault_hit) {
        return MDB_BAD_TXN;
    }
    return fault == FAULT_READ && !fault_hit && fault_counts_down() ? MDB_CORRUPTED : MDB_SUCCESS;
}

int
mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data)
{
    static int (*real)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *);
    const int rc = fault_of_read();

    if (real == NULL) {
        REAL(real, "mdb_get");
    }
    return rc != MDB_SUCCESS ? rc : real(txn, dbi, key, data);
}

int
mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op)
{
    static int (*real)(MDB_cursor *, MDB_val *, MDB_val *, MDB_cursor_op);
    const int rc = fault_of_read();

    if (real == NULL) {
        REAL(real, "mdb_cursor_get");
    }
    return rc != MDB_SUCCESS ? rc : real(cursor, key, data, op);
}

int
mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned int flags)
{
    static int (*real)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *, unsigned int);

    if (real == NULL) {
        REAL(real, "mdb_put");
    }
    if (fault == FAULT_FULL && (fault_hit || fault_counts_down())) {
        return MDB_MAP_FULL;
    }
    return real(txn, dbi, key, data, flags);
}

/* ---- a market on disk -------------------------------------------------------------------------
 */

/* One command, or (op TICK) all that falls due within `ms`. */
struct scene {
    const char *name;
    uint64_t ms;
    struct dw_actor actor;
    uint16_t op;
    union zr_any_message request;
};

static struct scene scenes[SCENES_MAX];
static int scenes_count;
static struct store_head head;
static uint64_t saved_seq;

static union zr_any_message *
scene_add(const char *name, struct dw_actor actor, uint16_t op)
{
    struct scene *scene = &scenes[scenes_count++];

    assert_true(scenes_count <= SCENES_MAX);
    *scene = (struct scene){.name = name, .actor = actor, .op = op};
    return &scene->request;
}

static uint64_t
claim(struct domain_world *world, uint32_t contractor, uint32_t zip)
{
    const struct zr_claim_request request = {.contractor = contractor,
                                             .accept_backup = true,
                                             .slots = {{zip, DW_CATEGORY}},
                                             .slots_count = 1};

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CLAIM, &request), ZR_STATUS_OK);
    return world->reply.claim_reply.results[0].claim_id;
}

/* A slot of its own with a primary and two backups who have money. */
static void
market_slot(struct domain_world *world, uint32_t zip, uint32_t contractors[3], uint64_t claims[3])
{
    const struct zip_row row = {.claimable = true, .state = "TX", .timezone = "US/Central"};

    state_zip_put(&world->state, zip, &row);
    for (int i = 0; i < 3; i++) {
        contractors[i] = dw_contractor(world, DT_MONEY);
        claims[i] = claim(world, contractors[i], zip);
    }
}

/* How titles end: by hand, at the period's end, and by their owner's account. */
static void
market_endings(struct domain_world *world)
{
    uint32_t contractors[3];
    uint64_t claims[3];
    union zr_any_message *request;

    market_slot(world, FIRST_ZIP, contractors, claims);
    request = scene_add("release", dw_portal, ZR_OP_RELEASE);
    request->release_request.claim_id = claims[0];
    request->release_request.when = ZR_RELEASE_NOW;
    request = scene_add("release of a backup", dw_portal, ZR_OP_RELEASE);
    request->release_request.claim_id = claims[1];
    request->release_request.when = ZR_RELEASE_NOW;
    request = scene_add("release later", dw_portal, ZR_OP_RELEASE);
    request->release_request.claim_id = claims[0];
    request->release_request.when = ZR_RELEASE_PERIOD_END;
    for (uint8_t status = ZR_CONTRACTOR_SUSPENDED; status <= ZR_CONTRACTOR_CLOSED; status++) {
        request = scene_add("status", dw_admin, ZR_OP_CONTRACTOR_STATUS);
        request->contractor_status_request.contractor = contractors[0];
        request->contractor_status_request.contractor_status = status;
    }
    request = scene_add("pause of all", dw_portal, ZR_OP_PAUSE);
    request->pause_request.contractor = contractors[0];
    request = scene_add("pause of one", dw_portal, ZR_OP_PAUSE);
    request->pause_request.claim_id = claims[0];
    request = scene_add("claim", dw_portal, ZR_OP_CLAIM);
    request->claim_request = (struct zr_claim_request){.contractor = contractors[1],
                                                       .accept_backup = true,
                                                       .slots = {{DW_ZIP, DW_CATEGORY}},
                                                       .slots_count = 1};
}

/* A title that is offered, and one whose list is asked. */
static void
market_offers(struct domain_world *world)
{
    uint32_t contractors[3];
    uint64_t claims[3];
    struct slot_row slot;
    union zr_any_message *request;

    market_slot(world, FIRST_ZIP + 1, contractors, claims);
    assert_int_equal(dt_release(world, claims[0], ZR_RELEASE_NOW), ZR_STATUS_OK);
    state_slot_get(&world->state, FIRST_ZIP + 1, DW_CATEGORY, &slot);
    for (int accept = 0; accept < 2; accept++) {
        request = scene_add("offer reply", dw_portal, ZR_OP_OFFER_REPLY);
        request->offer_reply_request.offer_id = slot.offer_id;
        request->offer_reply_request.accept = accept != 0;
    }
    request = scene_add("release of the offered", dw_portal, ZR_OP_RELEASE);
    request->release_request.claim_id = claims[1];
    request->release_request.when = ZR_RELEASE_NOW;
    request = scene_add("suspended while offered", dw_admin, ZR_OP_CONTRACTOR_STATUS);
    request->contractor_status_request.contractor = contractors[1];
    request->contractor_status_request.contractor_status = ZR_CONTRACTOR_SUSPENDED;
}

/* Calls: one that talks, one that was charged, one that is disputed. */
static void
market_calls(struct domain_world *world)
{
    const uint32_t contractor = dw_contractor(world, DT_MONEY);
    const struct ticket charged = money_charge(world, contractor);
    const struct ticket disputed = money_charge(world, contractor);
    const struct ticket talking = dw_ticket(world, &contractor, 1);
    const struct zr_dispute_open_request open = {
        .call_ref = disputed.call_ref, .contractor = contractor, .reason = ZR_DISPUTE_SPAM};
    struct ticket next = dw_ticket(world, &contractor, 1);
    union zr_any_message *request;

    assert_int_equal(dw_run(world, dw_portal, ZR_OP_DISPUTE_OPEN, &open), ZR_STATUS_OK);
    assert_int_equal(dw_connect(world, &talking, 0), ZR_STATUS_OK);
    request = scene_add("dispute", dw_portal, ZR_OP_DISPUTE_OPEN);
    request->dispute_open_request = open;
    request->dispute_open_request.call_ref = charged.call_ref;
    request->dispute_open_request.reason = ZR_DISPUTE_DUPLICATE;
    request = scene_add("resolve", dw_admin, ZR_OP_DISPUTE_RESOLVE);
    request->dispute_resolve_request = (struct zr_dispute_resolve_request){
        .call_ref = disputed.call_ref, .contractor = contractor, .credit_cents = DW_RATE};
    request = scene_add("qualify", dw_switch, ZR_OP_QUALIFY);
    request->qualify_request.call_id = talking.call_id;
    request->qualify_request.talk_ms = 60000;
    request = scene_add("end", dw_switch, ZR_OP_END);
    request->end_request.call_id = talking.call_id;
    request->end_request.talk_ms = 1000;
    request->end_request.who_hung_up = ZR_HUNG_UP_CALLER;
    next.caller_hash++;
    request = scene_add("connect", dw_switch, ZR_OP_CONNECT);
    request->connect_request.ticket_length =
        ticket_encode(request->connect_request.ticket, &next, &world->keys, world->mac);
}

/* A full slot that one waits for and another would. */
static void
market_waitlist(struct domain_world *world, uint32_t zip, uint64_t last_claim)
{
    const uint32_t waiting = dw_contractor(world, 0);
    union zr_any_message *request = scene_add("leave", dw_portal, ZR_OP_WAITLIST_LEAVE);

    request->waitlist_request =
        (struct zr_waitlist_request){.contractor = waiting, .zip = zip, .category = DW_CATEGORY};
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_WAITLIST_JOIN, request), ZR_STATUS_OK);
    request = scene_add("account closed while waiting", dw_admin, ZR_OP_CONTRACTOR_STATUS);
    request->contractor_status_request.contractor = waiting;
    request->contractor_status_request.contractor_status = ZR_CONTRACTOR_CLOSING;
    request = scene_add("join", dw_portal, ZR_OP_WAITLIST_JOIN);
    request->waitlist_request = (struct zr_waitlist_request){
        .contractor = dw_contractor(world, 0), .zip = zip, .category = DW_CATEGORY};
    request = scene_add("room for who waits", dw_portal, ZR_OP_RELEASE);
    request->release_request.claim_id = last_claim;
    request->release_request.when = ZR_RELEASE_NOW;
}

/* What a contractor says of itself, and what the switch saw of it. */
static void
market_profiles(struct domain_world *world)
{
    uint32_t contractors[3];
    uint64_t claims[3];
    union zr_any_message *request;

    market_slot(world, FIRST_ZIP + 2, contractors, claims);
    market_waitlist(world, FIRST_ZIP + 2, claims[2]);
    request = scene_add("caps", dw_portal, ZR_OP_CAPS_PUT);
    request->caps_put_request.contractor = contractors[0];
    request->caps_put_request.caps[0] =
        (struct zr_cap){.limit = 0, .window = ZR_CAP_WINDOW_DAY, .measure = ZR_CAP_MEASURE_CALLS};
    request->caps_put_request.caps_count = 1;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_CAPS_PUT, request), ZR_STATUS_OK);
    request->caps_put_request.expected_version = 1;
    request = scene_add("schedule", dw_portal, ZR_OP_SCHEDULE_PUT);
    request->schedule_put_request.contractor = contractors[0];
    request->schedule_put_request.vacations[0] =
        (struct zr_schedule_vacation){.first_day = 19690, .last_day = 19700};
    request->schedule_put_request.vacations_count = 1;
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_SCHEDULE_PUT, request), ZR_STATUS_OK);
    request->schedule_put_request.expected_version = 1;
    request = scene_add("rings", dw_admin, ZR_OP_RINGS);
    for (uint8_t i = 0; i < 4; i++) {
        request->rings_request.rings[i] =
            (struct zr_ring_fact){.time_ms = world->now_ms,
                                  .contractor = contractors[0],
                                  .zip = FIRST_ZIP + 2,
                                  .category = DW_CATEGORY,
                                  .rank = 1,
                                  .outcome = i == 0 ? 0 : ZR_OUTCOME_FAILED};
    }
    request->rings_request.rings_count = 4;
    dt_set_licence(world, contractors[1], world->now_ms + DW_DAY_MS);
    request = scene_add("resume", dw_portal, ZR_OP_RESUME);
    request->resume_request.contractor = contractors[2];
    assert_int_equal(dt_pause(world, 0, contractors[2]), ZR_STATUS_OK);
    request = scene_add("key", dw_admin, ZR_OP_KEY_ROTATE);
    request->key_rotate_request.op_id = dw_id(world);
}

/* Money that comes, goes and stays away. */
static void
market_money(struct domain_world *world)
{
    struct zr_autotopup_put_request wish = {.threshold_cents = DT_MONEY,
                                            .amount_cents = 2500,
                                            .enabled = true,
                                            .methods = {{"card"}},
                                            .methods_count = 1};
    uint32_t contractors[3];
    uint64_t claims[3];
    union zr_any_message *request;

    market_slot(world, FIRST_ZIP + 3, contractors, claims);
    wish.contractor = dw_contractor(world, 0);
    (void)claim(world, wish.contractor, DW_ZIP_2);
    assert_int_equal(dw_run(world, dw_portal, ZR_OP_AUTOTOPUP_PUT, &wish), ZR_STATUS_OK);
    for (int ok = 0; ok < 2; ok++) {
        request = scene_add("result", dw_payments, ZR_OP_TOPUP_RESULT);
        request->topup_result_request.attempt_id = (uint64_t)wish.contractor << 32 | 1;
        request->topup_result_request.ok = ok != 0;
        (void)snprintf(request->topup_result_request.provider_ref, 8, "r");
    }
    request = scene_add("topup", dw_payments, ZR_OP_TOPUP);
    request->topup_request.contractor = wish.contractor;
    request->topup_request.amount_cents = 2500;
    (void)snprintf(request->topup_request.provider_ref, 8, "t");
    request = scene_add("automatic topup", dw_portal, ZR_OP_AUTOTOPUP_PUT);
    request->autotopup_put_request = wish;
    request->autotopup_put_request.contractor = contractors[0];
    dw_set_status(world, contractors[1], ZR_CONTRACTOR_CLOSING);
    (void)claim(world, dw_contractor(world, 0), DW_ZIP); /* Dry from the beginning. */
    request = scene_add("policy", dw_admin, ZR_OP_POLICY_PUT);
    request->policy_put_request.scope = ZR_SCOPE_NETWORK;
    request->policy_put_request.policy_count = 1;
    request->policy_put_request.expected_version = 1;
    request->policy_put_request.policy[0] = dw_policy_default();
    request->policy_put_request.policy[0].multiplier_3_bp++;
}

static int
market_setup(void **state)
{
    struct domain_world *world;
    struct zr_policy policy;

    if (dw_group_setup(state) != 0 || dw_setup(state) != 0) {
        return -1;
    }
    world = *state;
    policy = dw_policy_default();
    policy.max_positions = 3;
    dw_policy(world, &policy);
    market_endings(world);
    market_offers(world);
    market_calls(world);
    market_profiles(world);
    market_money(world);
    (void)scene_add("an hour", dw_admin, ZR_OP_TICK);
    scenes[scenes_count - 1].ms = DT_HOUR_MS;
    (void)scene_add("forty days", dw_admin, ZR_OP_TICK);
    scenes[scenes_count - 1].ms = 40 * DW_DAY_MS;
    (void)tail_fold(world->state.tail, &world->view, UINT32_MAX);
    memcpy(head.counters, world->state.counters, sizeof world->state.counters);
    saved_seq = world->seq;
    if (store_commit(&world->view, &head) != STATUS_OK) {
        return -1;
    }
    tail_batch_done(world->state.tail);
    return 0;
}

/* ---- one try ----------------------------------------------------------------------------------
 */

static void
run(struct domain_world *world, const struct scene *scene, const void *request, uint64_t time_ms)
{
    struct command command = {.seq = ++world->seq,
                              .time_ms = time_ms,
                              .tenant = scene->actor.tenant,
                              .role = scene->actor.role,
                              .op = scene->op};

    memset(&world->reply, 0, sizeof world->reply);
    world->effects = (struct effects){0};
    state_begin(&world->state, command.seq);
    (void)command_apply(&world->state, &command, request, &world->reply, &world->effects);
}

/* The command and the work that it leaves, as the committer does: until something fails. */
static void
play(struct domain_world *world, const struct scene *scene)
{
    static const struct zr_tick_request tick_request;
    const struct scene tick = {.op = ZR_OP_TICK};
    const uint64_t until_ms = world->now_ms + scene->ms;
    uint64_t log_ms = world->now_ms;

    if (scene->op != ZR_OP_TICK) {
        run(world, scene, &scene->request, log_ms);
    }
    for (int i = 0; i < TICKS_MAX && state_failure(&world->state) == STATUS_OK; i++) {
        const uint64_t due_ms = state_timer_due_ms(&world->state);

        if (due_ms > until_ms || state_failure(&world->state) != STATUS_OK) {
            return;
        }
        log_ms = due_ms > log_ms ? due_ms : log_ms;
        run(world, &tick, &tick_request, log_ms);
    }
}

/* From the commit, with that fault; false when a CHECK stopped it. */
static bool
try(struct domain_world *world, const struct scene *scene, enum fault kind, int nth)
{
    bool finished = false;

    assert_int_equal(store_write_begin(world->store, &world->view), STATUS_OK);
    world->state = (struct state){.view = &world->view, .tail = world->state.tail};
    state_forget(&world->state, head.counters);
    world->seq = saved_seq;
    fault_countdown = nth;
    fault_hit = false;
    fault = kind;
    if (setjmp(test_check_jump) == 0) {
        test_check_expected = true;
        play(world, scene);
        finished = true;
    }
    test_check_expected = false;
    fault = FAULT_NONE;
    return finished;
}

static void
undo(struct domain_world *world)
{
    tail_batch_undo(world->state.tail);
    store_abort(&world->view);
}

static void
assert_each_fault_is_known(struct domain_world *world, const struct scene *scene, enum fault kind)
{
    for (int nth = 1; nth < ACCESSES_MAX; nth++) {
        const bool finished = try(world, scene, kind, nth);
        const enum status failure = state_failure(&world->state);

        undo(world);
        if (!fault_hit) {
            return;
        }
        if (!finished || failure == STATUS_OK) {
            fail_msg("%s: fault %d at access %d %s", scene->name, kind, nth,
                     finished ? "is not known" : "stopped at a CHECK");
        }
    }
    fail_msg("%s never ends", scene->name);
}

static void
test_a_row_that_cannot_be_read_fails_the_batch(void **state)
{
    for (int i = 0; i < scenes_count; i++) {
        assert_each_fault_is_known(*state, &scenes[i], FAULT_READ);
    }
}

static void
test_a_full_map_fails_the_batch(void **state)
{
    for (int i = 0; i < scenes_count; i++) {
        assert_each_fault_is_known(*state, &scenes[i], FAULT_FULL);
    }
}

/* After all that the market is as it was: each command is granted. */
static void
test_what_failed_can_be_done_again(void **state)
{
    struct domain_world *world = *state;

    for (int i = 0; i < scenes_count; i++) {
        const bool finished = try(world, &scenes[i], FAULT_NONE, 0);
        const bool changed = world->state.changed || scenes[i].ms > 0;
        const enum status failure = state_failure(&world->state);

        undo(world);
        if (!finished || !changed || failure != STATUS_OK) {
            fail_msg("%s: finished %d, changed %d, failure %d", scenes[i].name, finished, changed,
                     failure);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_failed_can_be_done_again),
        cmocka_unit_test(test_a_row_that_cannot_be_read_fails_the_batch),
        cmocka_unit_test(test_a_full_map_fails_the_batch),
    };

    return cmocka_run_group_tests(tests, market_setup, dw_group_teardown);
}
