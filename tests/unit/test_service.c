/*
 * test_service.c - a worker's handlers over a real committer, without a network: who may do what,
 * what a turn sees, and what comes back later.
 */
#include "server/domain/timer.h"
#include "tests/unit/test_faults.h"
#include "tests/unit/test_worker.h"

#include <sys/mman.h>
#include <sys/wait.h>

/* ---- who (P13) ----------------------------------------------------------------------------- */

static void
test_hello_wants_a_live_principal_and_its_name(void **state)
{
    struct session unknown = {.peer = peer_of(200, RIG_TENANT, ZR_ROLE_SWITCH)};
    struct session other_role = {.peer = peer_of(ZR_ROLE_SWITCH, RIG_TENANT, ZR_ROLE_ADMIN)};
    struct session other_tenant = {.peer = peer_of(ZR_ROLE_SWITCH, 9, ZR_ROLE_SWITCH)};
    struct session nameless = {.peer = {.key_hash = {ZR_ROLE_SWITCH}}};
    struct session *const wrong[] = {&unknown, &other_role, &other_tenant, &nameless};
    struct session session;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        turn_begin();
        assert_int_equal(send(wrong[i], ZR_OP_HELLO, &hello), FRAME_CLOSE);
        turn_end();
        assert_int_equal(answer.status, ZR_STATUS_UNAUTHENTICATED);
        assert_false(wrong[i]->ready);
    }
    session = session_of(ZR_ROLE_SWITCH);
    assert_int_equal(session.tenant, RIG_TENANT);
}

/* Default deny: every operation for every role, against the table of messages.def. */
static void
test_operations_are_forbidden_to_roles_that_do_not_have_them(void **state)
{
    static union zr_any_message nothing;
    size_t count;
    const struct zr_operation *operations = zr_operations(&count);

    (void)state;
    for (uint8_t role = ZR_ROLE_SWITCH; zr_role_name(role) != NULL; role++) {
        struct session session = session_of(role);

        for (size_t i = 0; i < count; i++) {
            if (operations[i].kind == ZR_OP_KIND_PUSH || operations[i].kind == ZR_OP_KIND_SYSTEM ||
                operations[i].op == ZR_OP_HELLO) {
                continue;
            }
            if ((operations[i].roles & 1u << role) == 0) {
                assert_int_equal(ask(&session, (uint16_t)operations[i].op, &nothing),
                                 ZR_STATUS_FORBIDDEN);
            }
        }
    }
}

/* P13: the very next frame of a live connection. */
static void
test_revoked_principal_is_out_at_once(void **state)
{
    struct session session = session_of(ZR_ROLE_SWITCH);

    (void)state;
    assert_true(port.on_session_check(port.context, &session));
    revoke_key(ZR_ROLE_SWITCH);
    turn_begin();
    assert_int_equal(send(&session, ZR_OP_PING, NULL), FRAME_CLOSE);
    assert_int_equal(answer.status, ZR_STATUS_UNAUTHENTICATED);
    turn_end();
    assert_false(port.on_session_check(port.context, &session));
}

/*
 * The snapshot of the turn is older than the revocation, the epoch is newer: what the old snapshot
 * says must not count as having looked.
 */
static void
test_revoked_principal_is_not_saved_by_an_older_snapshot(void **state)
{
    struct session session = session_of(ZR_ROLE_SWITCH);
    struct session other = session_of(ZR_ROLE_ADMIN);

    (void)state;
    turn_begin();
    (void)service_snapshot(service);
    revoke_key(ZR_ROLE_SWITCH);
    (void)send(&session, ZR_OP_PING, NULL);
    turn_end();
    assert_false(port.on_session_check(port.context, &session));
    assert_int_equal(ask(&session, ZR_OP_PING, NULL), ZR_STATUS_UNAUTHENTICATED);
    assert_int_equal(ask(&other, ZR_OP_PING, NULL), ZR_STATUS_OK);
}

/* Between turns the worker may sleep for long: no snapshot may be open then (pitfalls.md 24). */
static void
test_session_check_between_turns_leaves_no_snapshot_open(void **state)
{
    struct session session = session_of(ZR_ROLE_SWITCH);

    (void)state;
    put_principal(201, RIG_TENANT, ZR_ROLE_ADMIN, 0);
    assert_true(port.on_session_check(port.context, &session));
    assert_false(service->view_open);
    assert_true(port.on_session_check(port.context, &session));
}

/* ---- turns --------------------------------------------------------------------------------- */

/* Replies of the committer come with a later turn, to the connection that asked. */
static void
test_deferred_reply_is_posted_with_a_later_turn(void **state)
{
    struct session session = session_of(ZR_ROLE_PAYMENTS);
    const struct zr_topup_request request = rig_topup_request(contractor, 2500);

    (void)state;
    turn_begin();
    assert_int_equal(send(&session, ZR_OP_TOPUP, &request), FRAME_DEFERRED);
    assert_int_equal(posted_count, 0);
    turn_end();
    while (posted_count == 0) {
        assert_true(rig_wait_wake());
        turn_begin();
        turn_end();
    }
    take_reply(reply_bytes);
    assert_int_equal(answer.status, ZR_STATUS_OK);
    assert_int_equal(rig.reply.topup_reply.posted_cents, FUND + 2500);
}

/* As many requests at the committer as there are jobs; one more is refused, and room comes back. */
static void
test_requests_over_the_pool_are_overloaded(void **state)
{
    struct session session = session_of(ZR_ROLE_PAYMENTS);
    struct zr_topup_request request;

    (void)state;
    turn_begin();
    for (int i = 0; i < SERVICE_JOBS; i++) {
        request = rig_topup_request(contractor, 2500);
        assert_int_equal(send(&session, ZR_OP_TOPUP, &request), FRAME_DEFERRED);
    }
    assert_int_equal(send(&session, ZR_OP_TOPUP, &request), FRAME_REPLIED);
    assert_int_equal(answer.status, ZR_STATUS_OVERLOADED);
    assert_true(answer.detail > 0);
    turn_end();
    while (posted_count < SERVICE_JOBS) {
        assert_true(rig_wait_wake());
        turn_begin();
        turn_end();
    }
    assert_int_equal(ask(&session, ZR_OP_TOPUP, &request), ZR_STATUS_OK);
}

/* In a child, since it may end: a market and a worker, and then `act`. Returns its exit code. */
static int
exit_code_of(void **state, void (*act)(int nth), int nth)
{
    char *folder =
        mmap(NULL, sizeof rig.folder, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        if (worker_setup(state) == 0) {
            memcpy(folder, rig.folder, sizeof rig.folder);
            act(nth);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    test_remove_dir(folder);
    (void)munmap(folder, sizeof rig.folder);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The n-th write of a TOPUP fails, then a turn wants a snapshot. */
static void
fail_a_write(int nth)
{
    struct session session = session_of(ZR_ROLE_PAYMENTS);
    const struct zr_topup_request request = rig_topup_request(contractor, 2500);

    fault_arm(FAULT_WRITE, nth);
    (void)ask(&session, ZR_OP_TOPUP, &request);
    turn_begin();
    (void)service_snapshot(service);
}

/*
 * The last write of a commit is its meta page. When that one fails, LMDB gives no more snapshots.
 * Goal: the process ends then, with the code that forbids a restart (P16), and only then.
 */
static void
test_store_that_gives_no_snapshot_ends_the_process(void **state)
{
    int nth = 1;

    while (exit_code_of(state, fail_a_write, nth) == 0) {
        assert_true(++nth < 20);
    }
    assert_true(nth > 1);
    assert_int_equal(exit_code_of(state, fail_a_write, nth), 71);
}

/* While nobody serves, the row of the contractor's top-ups gets a size that nobody knows. */
static void
damage_its_autotopup(void)
{
    const uint64_t number = contractor;

    service_close(service);
    rig_stop();
    rig_open(false);
    store_put_number(&rig.view, TABLE_AUTOTOPUP, number, &number, sizeof number);
    rig_commit(0);
    rig_crash();
    worker_serve();
}

/* `what` is the operation: read for the contractor, in a turn that is not over yet. */
static void
read_beside_damage(int what)
{
    const struct zr_profile_get_request of_profile = {.contractor = contractor};
    const struct zr_contractor_get_request of_contractor = {.contractor = contractor};
    struct session session;

    damage_its_autotopup();
    session = session_of(ZR_ROLE_PORTAL);
    turn_begin();
    (void)send(&session, (uint16_t)what,
               what == ZR_OP_AUTOTOPUP_GET ? (const void *)&of_profile : &of_contractor);
}

/*
 * P14: a worker that reads a damaged row gives no answer, as the committer gives none. Goal: the
 * process ends before the reply of that frame, and does not for who reads something else.
 */
static void
test_damage_in_a_snapshot_ends_the_process(void **state)
{
    assert_int_equal(exit_code_of(state, read_beside_damage, ZR_OP_CONTRACTOR_GET), 0);
    assert_int_equal(exit_code_of(state, read_beside_damage, ZR_OP_AUTOTOPUP_GET), 71);
}

/* ---- a call -------------------------------------------------------------------------------- */

/* ROUTE leases, CONNECT turns the lease into a unit, END gives it back. */
static void
test_call_is_leased_connected_and_ended(void **state)
{
    struct session session = session_of(ZR_ROLE_SWITCH);
    const struct zr_route_request route = route_request();
    struct zr_connect_request connect = {0};
    struct zr_end_request end = {
        .call_id = route.call_id, .talk_ms = 1000, .index = 255, .who_hung_up = ZR_HUNG_UP_CALLER};

    (void)state;
    assert_int_equal(ask(&session, ZR_OP_ROUTE, &route), ZR_STATUS_OK);
    assert_int_equal(rig.reply.route_reply.candidates[0].contractor, contractor);
    assert_int_equal(hot_now().leases, 1);
    connect.ticket_length = rig.reply.route_reply.ticket_length;
    memcpy(connect.ticket, rig.reply.route_reply.ticket, connect.ticket_length);
    assert_int_equal(ask(&session, ZR_OP_CONNECT, &connect), ZR_STATUS_OK);
    assert_int_equal(hot_now().leases, 0);
    assert_int_equal(hot_now().units, 1);
    assert_int_equal(ask(&session, ZR_OP_ROUTE, &route), ZR_STATUS_CALL_CONNECTED);
    clock_advance_ms(&rig.clock, 1000);
    assert_int_equal(ask(&session, ZR_OP_END, &end), ZR_STATUS_OK);
    assert_int_equal(hot_now().units, 0);
    assert_int_equal(hot_leases_count(rig.hot), 0);
}

/* E31: the same question again gets the same ticket, and leases nothing more. */
static void
test_repeated_route_gets_the_same_ticket(void **state)
{
    struct session session = session_of(ZR_ROLE_SWITCH);
    const struct zr_route_request route = route_request();
    struct zr_route_reply first;

    (void)state;
    assert_int_equal(ask(&session, ZR_OP_ROUTE, &route), ZR_STATUS_OK);
    first = rig.reply.route_reply;
    assert_int_equal(answer.flags & ZR_FLAG_DUPLICATE, 0);
    clock_advance_ms(&rig.clock, 5000);
    assert_int_equal(ask(&session, ZR_OP_ROUTE, &route), ZR_STATUS_OK);
    assert_int_equal(answer.flags & ZR_FLAG_DUPLICATE, ZR_FLAG_DUPLICATE);
    assert_memory_equal(&rig.reply.route_reply, &first, sizeof first);
    assert_int_equal(hot_leases_count(rig.hot), 1);
}

/* Every byte of a ticket is signed (E63). */
static void
test_changed_ticket_is_bad(void **state)
{
    struct session session = session_of(ZR_ROLE_SWITCH);
    const struct zr_route_request route = route_request();
    struct zr_connect_request connect = {0};

    (void)state;
    assert_int_equal(ask(&session, ZR_OP_ROUTE, &route), ZR_STATUS_OK);
    connect.ticket_length = rig.reply.route_reply.ticket_length;
    memcpy(connect.ticket, rig.reply.route_reply.ticket, connect.ticket_length);
    for (uint16_t i = 0; i < connect.ticket_length; i++) {
        connect.ticket[i] ^= 1;
        assert_int_equal(ask(&session, ZR_OP_CONNECT, &connect), ZR_STATUS_BAD_TICKET);
        connect.ticket[i] ^= 1;
    }
    assert_int_equal(hot_leases_count(rig.hot), 1);
    assert_int_equal(ask(&session, ZR_OP_CONNECT, &connect), ZR_STATUS_OK);
}

/* A query leases nothing, remembers nothing, leaves no record, and connects nobody. */
static void
test_query_leaves_no_trace(void **state)
{
    struct session session = session_of(ZR_ROLE_SWITCH);
    struct zr_route_request route = route_request();
    struct zr_connect_request connect = {0};

    (void)state;
    route.flags = 0;
    assert_int_equal(ask(&session, ZR_OP_ROUTE, &route), ZR_STATUS_OK);
    assert_int_equal(hot_leases_count(rig.hot), 0);
    assert_int_equal(calls_count(service->calls), 0);
    assert_int_equal(decision_count(service->decisions), 0);
    connect.ticket_length = rig.reply.route_reply.ticket_length;
    memcpy(connect.ticket, rig.reply.route_reply.ticket, connect.ticket_length);
    assert_int_equal(ask(&session, ZR_OP_CONNECT, &connect), ZR_STATUS_BAD_TICKET);
}

/* Calls that ring are bounded: full is OVERLOADED, and forgetting makes room. */
static void
test_calls_over_the_bound_are_overloaded(void **state)
{
    struct session session = session_of(ZR_ROLE_SWITCH);
    struct zr_route_request route;

    (void)state;
    for (int i = 0; i < CALLS_MAX; i++) {
        route = route_request();
        (void)ask(&session, ZR_OP_ROUTE, &route);
    }
    route = route_request();
    assert_int_equal(ask(&session, ZR_OP_ROUTE, &route), ZR_STATUS_OVERLOADED);
    clock_advance_ms(&rig.clock, 3600000);
    assert_int_equal(ask(&session, ZR_OP_ROUTE, &route), ZR_STATUS_OK);
    assert_int_equal(hot_leases_count(rig.hot), 1);
}

/*
 * R68, E65: a decision whose record found no place in the ring is known to its ticket alone. Goal:
 * a CONNECT by it puts it where EXPLAIN finds it, as after a crash. Method: a full disk keeps the
 * ring from being emptied while the caller asks again and again.
 */
static void
test_decision_that_found_its_ring_full_is_carried_by_its_ticket(void **state)
{
    struct session session = session_of(ZR_ROLE_SWITCH);
    struct zr_route_request route = route_request();
    struct zr_connect_request connect = {0};
    struct zr_explain_request explain = {0};
    struct zr_route_reply routed;

    (void)state;
    fault_arm(FAULT_NO_SPACE, 1);
    for (int i = 0; i <= RIG_JOBS; i++) {
        route.caller++; /* Another question: decided anew. */
        assert_int_equal(ask(&session, ZR_OP_ROUTE, &route), ZR_STATUS_OK);
        assert_int_equal(rig.reply.route_reply.revision, i);
    }
    routed = rig.reply.route_reply;
    assert_int_equal(atomic_load(&service->decisions->backlog.lost), 1);
    fault_disarm();
    connect.ticket_length = routed.ticket_length;
    memcpy(connect.ticket, routed.ticket, routed.ticket_length);
    assert_int_equal(ask(&session, ZR_OP_CONNECT, &connect), ZR_STATUS_OK);
    explain.call_ref = routed.call_ref;
    explain.place = RIG_JOBS;
    assert_int_equal(ask(&session, ZR_OP_EXPLAIN, &explain), ZR_STATUS_OK);
    assert_int_equal(rig.reply.explain_reply.decisions, RIG_JOBS + 1);
    assert_int_equal(rig.reply.explain_reply.revision, routed.revision);
    assert_int_equal(rig.reply.explain_reply.cut, 1);
    assert_int_equal(rig.reply.explain_reply.judged[0].contractor, contractor);
}

/* RESUME of the one claim, under a key of its own. Returns the status. */
static uint16_t
resume_claim(struct session *session)
{
    const struct zr_resume_request resume = {.op_id = rig_key(), .claim_id = 1};

    return ask(session, ZR_OP_RESUME, &resume);
}

/*
 * M2: on a full disk nobody can keep a deadline. Goal: who was refused in time has an hour once
 * there is space again, as after any other outage, and then no more.
 */
static void
test_deadline_on_a_full_disk_moves_as_in_an_outage(void **state)
{
    const struct zr_pause_request pause = {.op_id = rig_key(), .claim_id = 1};
    const struct zr_claim_get_request get = {.claim_id = 1};
    struct session session = session_of(ZR_ROLE_PORTAL);
    uint64_t left_ms;

    (void)state;
    assert_int_equal(ask(&session, ZR_OP_PAUSE, &pause), ZR_STATUS_OK);
    assert_int_equal(ask(&session, ZR_OP_CLAIM_GET, &get), ZR_STATUS_OK);
    left_ms = rig.reply.claim_get_reply.deadline_ms - clock_now_ms(&rig.clock);
    fault_arm(FAULT_NO_SPACE, 1);
    clock_advance_ms(&rig.clock, left_ms - 1000);
    assert_int_equal(resume_claim(&session), ZR_STATUS_STORAGE_FULL);
    clock_advance_ms(&rig.clock, 60000);
    assert_int_equal(resume_claim(&session), ZR_STATUS_STORAGE_FULL);
    fault_disarm();
    assert_int_equal(rig_topup(contractor, 2500), ZR_STATUS_OK);
    assert_int_equal(ask(&session, ZR_OP_CLAIM_GET, &get), ZR_STATUS_OK);
    assert_int_equal(rig.reply.claim_get_reply.deadline_ms,
                     clock_now_ms(&rig.clock) + TIMER_OUTAGE_GRACE_MS);
    clock_advance_ms(&rig.clock, TIMER_OUTAGE_GRACE_MS - 1);
    assert_int_equal(resume_claim(&session), ZR_STATUS_OK);
}

int
main(void)
{
#define SERVICE_TEST(test) cmocka_unit_test_setup_teardown(test, worker_setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(test_hello_wants_a_live_principal_and_its_name),
        SERVICE_TEST(test_operations_are_forbidden_to_roles_that_do_not_have_them),
        SERVICE_TEST(test_revoked_principal_is_out_at_once),
        SERVICE_TEST(test_revoked_principal_is_not_saved_by_an_older_snapshot),
        SERVICE_TEST(test_session_check_between_turns_leaves_no_snapshot_open),
        SERVICE_TEST(test_deferred_reply_is_posted_with_a_later_turn),
        SERVICE_TEST(test_requests_over_the_pool_are_overloaded),
        cmocka_unit_test(test_store_that_gives_no_snapshot_ends_the_process),
        cmocka_unit_test(test_damage_in_a_snapshot_ends_the_process),
        SERVICE_TEST(test_call_is_leased_connected_and_ended),
        SERVICE_TEST(test_repeated_route_gets_the_same_ticket),
        SERVICE_TEST(test_changed_ticket_is_bad),
        SERVICE_TEST(test_query_leaves_no_trace),
        SERVICE_TEST(test_calls_over_the_bound_are_overloaded),
        SERVICE_TEST(test_deadline_on_a_full_disk_moves_as_in_an_outage),
        SERVICE_TEST(test_decision_that_found_its_ring_full_is_carried_by_its_ticket),
    };

    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
