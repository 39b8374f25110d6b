/*
 * test_events.c - following events over the real client: who hears what, and that nothing is lost
 * over restarts, reconnects and readers that do not read.
 */
#include "tests/integration/following.h"

enum { OTHER_TENANT = 2, LAG_MAX = 1000, SLOTS = 4, POSITIONS = 32, SLOW_ROUNDS_MAX = 2000 };

static struct heard heard;

static int
events_setup(void **state)
{
    /* Small, so that a gap is near; a reader that does not read for long is kept, not cut. */
    static const char *const settings[] = {"events_lag_max=1000", "write_ms=600000", NULL};

    (void)state;
    world_open(&world, settings);
    return 0;
}

static const struct zr_event *
heard_of(uint8_t type, uint64_t claim_id)
{
    for (uint32_t i = 0; i < heard.count; i++) {
        if (heard.events[i].type == type && heard.events[i].claim_id == claim_id) {
            return &heard.events[i];
        }
    }
    return NULL;
}

/* What a claim goes through, in order and with what belongs to it. */
static void
test_portal_hears_of_its_claims_in_order(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    struct zr_client *reader = server_client_ready(&world.server, "portal");
    uint64_t claim_id;

    (void)state;
    follow_events(&heard, reader, events_newest(world.portal), "");
    claim_id = world_claim(&world, contractor, slot);
    (void)world_pause(&world, claim_id);
    (void)world_resume(&world, claim_id);
    (void)world_release(&world, claim_id);
    while (heard_of(ZR_EVENT_CLAIM_ENDED, claim_id) == NULL) {
        hear(&heard, heard.total + 1);
    }
    assert_ptr_equal(heard_of(ZR_EVENT_CLAIMED, claim_id), &heard.events[0]);
    assert_int_equal(heard.events[0].contractor, contractor);
    assert_int_equal(heard.events[0].zip, slot.zip);
    assert_int_equal(heard.events[0].category, slot.category);
    assert_true(heard_of(ZR_EVENT_PAUSED, claim_id) < heard_of(ZR_EVENT_RESUMED, claim_id));
    for (uint32_t i = 1; i < heard.count; i++) {
        assert_true(heard.events[i].event_seq > heard.events[i - 1].event_seq);
        assert_true(heard.events[i].commit_seq >= heard.events[i - 1].commit_seq);
    }
    zr_client_close(reader);
    assert_int_equal(heard.over, ZR_ECANCELED);
}

/* A claim by a contractor of that portal's own. Returns the contractor. */
static uint32_t
stranger_claims(struct zr_client *portal, struct world_slot slot)
{
    struct zr_contractor_put_request put = {.contractor_id = world_id(&world),
                                            .office_zip = WORLD_PEARLAND,
                                            .size_class = ZR_SIZE_SINGLE,
                                            .name = "a stranger",
                                            .phones = {{12815559999}},
                                            .phones_count = 1};
    struct zr_claim_request claim = {.accept_backup = true,
                                     .slots = {{.zip = slot.zip, .category = slot.category}},
                                     .slots_count = 1};
    static struct zr_claim_reply claimed;
    struct zr_contractor_put_reply made;

    assert_int_equal(zr_contractor_put(portal, &put, &made), 0);
    world_status(&world, made.contractor, ZR_CONTRACTOR_APPROVED);
    claim.contractor = made.contractor;
    assert_int_equal(zr_claim(portal, &claim, &claimed), 0);
    assert_int_equal(claimed.results[0].status, ZR_STATUS_OK);
    return made.contractor;
}

/* R69: a portal of another tenant hears its own and nothing else, a contractor only of itself. */
static void
test_r69_others_hear_nothing(void **state)
{
    static struct heard contractor_heard;
    const struct world_slot slot = world_slot(&world);
    const uint32_t one = world_contractor(&world, 2, 100000);
    const uint32_t two = world_contractor(&world, 2, 100000);
    const struct server_identity other = {"portal2", OTHER_TENANT, ZR_ROLE_PORTAL, 0};
    const struct server_identity self = {"contractor-two", SERVER_TENANT, ZR_ROLE_CONTRACTOR, two};
    const uint64_t before = events_newest(world.portal);
    struct zr_client *stranger;
    struct zr_client *contractor;
    uint64_t claim_id;
    uint32_t stranger_own;

    (void)state;
    (void)server_principal(&world.server, &other);
    (void)server_principal(&world.server, &self);
    stranger = server_client_ready(&world.server, "portal2");
    contractor = server_client_ready(&world.server, "contractor-two");
    follow_events(&heard, stranger, before, "");
    follow_events(&contractor_heard, contractor, before, "");
    (void)world_claim(&world, one, slot);
    claim_id = world_claim(&world, two, slot);
    stranger_own = stranger_claims(stranger, slot);
    hear(&contractor_heard, 1);
    assert_int_equal(contractor_heard.events[0].contractor, two);
    assert_int_equal(contractor_heard.events[0].claim_id, claim_id);
    hear(&heard, 1);
    for (uint32_t i = 0; i < heard.count; i++) {
        assert_int_equal(heard.events[i].contractor, stranger_own);
        assert_int_equal(heard.events[i].tenant, OTHER_TENANT);
    }
    zr_client_close(stranger);
    zr_client_close(contractor);
}

/* At least once, in order, over kill -9 and a restart: nothing that was acknowledged is missing. */
static void
test_events_survive_a_kill(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    struct zr_client *reader = server_client_ready(&world.server, "portal");
    uint64_t claims[12];
    size_t claimed = 0;

    (void)state;
    follow_events(&heard, reader, events_newest(world.portal), "");
    for (int life = 0; life < 3; life++) {
        for (int i = 0; i < 4; i++) {
            claims[claimed] = world_claim(&world, contractor, slot);
            (void)world_release(&world, claims[claimed++]);
        }
        if (life != 1) {
            hear(&heard, heard.total + 1); /* Once it has not heard of anything yet. */
        }
        server_kill(&world.server);
        server_restart(&world.server);
        world_reconnect(&world);
    }
    while (heard_of(ZR_EVENT_CLAIM_ENDED, claims[claimed - 1]) == NULL) {
        hear(&heard, heard.total + 1);
    }
    for (size_t i = 0; i < claimed; i++) {
        assert_non_null(heard_of(ZR_EVENT_CLAIMED, claims[i]));
        assert_non_null(heard_of(ZR_EVENT_CLAIM_ENDED, claims[i]));
    }
    for (uint32_t i = 1; i < heard.count; i++) {
        assert_true(heard.events[i].event_seq > heard.events[i - 1].event_seq);
    }
    zr_client_close(reader);
}

/* A new process goes on behind what the old one acknowledged, also after a restart. */
static void
test_acknowledged_cursor_is_where_it_goes_on(void **state)
{
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    struct zr_events_ack_request ack = {.name = "billing"};
    struct zr_events_ack_reply acked;
    struct zr_client *reader;
    uint64_t claim_id;

    (void)state;
    ack.cursor = events_newest(world.portal);
    claim_id = world_claim(&world, contractor, slot);
    assert_int_equal(zr_events_ack(world.portal, &ack, &acked), 0);
    assert_int_equal(acked.cursor, ack.cursor);
    ack.cursor--;
    assert_int_equal(zr_events_ack(world.portal, &ack, &acked), 0);
    assert_int_equal(acked.cursor, ack.cursor + 1); /* Never back. */
    server_kill(&world.server);
    server_restart(&world.server);
    world_reconnect(&world);
    reader = server_client_ready(&world.server, "portal");
    follow_events(&heard, reader, UINT64_MAX, "billing");
    hear(&heard, 1);
    assert_true(heard.events[0].event_seq > acked.cursor);
    assert_int_equal(heard.events[0].claim_id, claim_id);
    zr_client_close(reader);
}

/* Cursors that lie ahead end the subscription with the reason; then another may be made. */
static void
test_cursor_ahead_is_told_and_final(void **state)
{
    (void)state;
    follow_events(&heard, world.auditor, events_newest(world.auditor) + 1000000, "");
    assert_int_equal(hear_over(&heard), ZR_STATUS_CURSOR_TOO_OLD);
    follow_events(&heard, world.auditor, 0, "");
    hear(&heard, 1);
    assert_int_equal(zr_unsubscribe(world.auditor, ZR_OP_EVENTS_SUBSCRIBE), 0);
    assert_int_equal(zr_unsubscribe(world.auditor, ZR_OP_EVENTS_SUBSCRIBE), ZR_EINVAL);
    assert_int_equal(zr_client_flush(world.auditor, 10000), 0);
}

/* P13: events end with the principal. */
static void
test_revoked_reader_is_cut_off(void **state)
{
    const struct server_identity watcher = {"watcher", SERVER_TENANT, ZR_ROLE_PORTAL, 0};
    const struct world_slot slot = world_slot(&world);
    const uint32_t contractor = world_contractor(&world, 2, 100000);
    struct zr_principal_revoke_request revoke = {.key_hash =
                                                     server_principal(&world.server, &watcher)};
    struct zr_put_reply reply;
    struct zr_client *reader = server_client_ready(&world.server, "watcher");

    (void)state;
    follow_events(&heard, reader, events_newest(world.portal), "");
    (void)world_claim(&world, contractor, slot);
    hear(&heard, 1);
    assert_int_equal(zr_principal_revoke(world.admin, &revoke, &reply), 0);
    (void)world_claim(&world, contractor, world_slot(&world));
    assert_int_equal(hear_over(&heard), ZR_EAUTH);
    assert_int_equal(heard.total, 1);
    zr_client_close(reader);
}

/* ---- E67 ----------------------------------------------------------------------------------- */

/* Contractors that stand in each of the slots, and the claims at rank 2. */
struct crowd {
    struct world_slot slots[SLOTS];
    uint32_t contractors[POSITIONS];
    uint64_t claims[POSITIONS][SLOTS];
};

static void
crowd_claim(struct crowd *crowd, unsigned who)
{
    struct zr_claim_request request = {
        .contractor = crowd->contractors[who], .accept_backup = true, .slots_count = SLOTS};
    static struct zr_claim_reply reply;

    for (unsigned i = 0; i < SLOTS; i++) {
        request.slots[i] =
            (struct zr_slot_key){.zip = crowd->slots[i].zip, .category = crowd->slots[i].category};
    }
    assert_int_equal(zr_claim(world.portal, &request, &reply), 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        assert_int_equal(reply.results[i].status, ZR_STATUS_OK);
        crowd->claims[who][i] = reply.results[i].claim_id;
    }
}

static void
crowd_gather(struct crowd *crowd)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        struct zr_policy policy;

        crowd->slots[i] = world_slot(&world);
        policy = world_policy(&world, crowd->slots[i]);
        policy.max_positions = POSITIONS;
        world_policy_put(&world, crowd->slots[i], &policy);
    }
    for (unsigned who = 0; who < POSITIONS; who++) {
        crowd->contractors[who] = world_contractor(&world, 2, 100000);
        crowd_claim(crowd, who);
    }
}

/* Rank 2 goes to the tail: everybody behind it moves up and hears of it. */
static void
crowd_move(struct crowd *crowd, unsigned who)
{
    struct answer answers[SLOTS];

    for (unsigned i = 0; i < SLOTS; i++) {
        const struct zr_release_request release = {.claim_id = crowd->claims[who][i],
                                                   .when = ZR_RELEASE_NOW};

        answers[i] = (struct answer){0};
        submit(world.portal, ZR_OP_RELEASE, &release, &answers[i]);
    }
    drive_one(world.portal);
    for (unsigned i = 0; i < SLOTS; i++) {
        assert_int_equal(answers[i].result, 0);
    }
    crowd_claim(crowd, who);
}

/*
 * A reader that stops reading while the market moves: its socket fills, the server goes on without
 * it, and calls are routed as ever. When it reads again it gets what was on its way, one gap that
 * says what is missing, and the events behind it.
 */
static void
test_e67_reader_that_stops_reading_gets_a_gap(void **state)
{
    static struct crowd crowd;
    struct zr_client *reader = server_client_ready(&world.server, "portal");
    const struct zr_event *gap = NULL;
    uint64_t begin;
    uint64_t lag = 0;

    (void)state;
    crowd_gather(&crowd);
    begin = events_newest(world.portal);
    follow_events(&heard, reader, begin, "");
    assert_int_equal(zr_client_flush(reader, 10000), 0);
    for (unsigned round = 0; lag <= 2 * LAG_MAX; round++) {
        const uint64_t sent_before = stats_now().events_sent;

        assert_in_range(round, 0, SLOW_ROUNDS_MAX);
        for (unsigned i = 0; i < 10; i++) {
            crowd_move(&crowd, 1 + (round * 10 + i) % (POSITIONS - 1));
        }
        /* What was written while nothing was sent is what it lags behind. */
        lag = stats_now().events_sent == sent_before ? lag + 10 * SLOTS * POSITIONS : 0;
        (void)world_call(&world, crowd.slots[0], NULL);
    }
    while (gap == NULL) {
        const uint64_t seen = heard.total;

        heard.count = 0;
        hear(&heard, seen + 1);
        for (uint32_t i = 0; i < heard.count && gap == NULL; i++) {
            gap = heard.events[i].type == ZR_EVENT_EVENTS_GAP ? &heard.events[i] : NULL;
        }
    }
    assert_true(gap->event_seq > begin);
    assert_true(gap->number >= gap->event_seq + LAG_MAX - 1);
    assert_true(gap->number <= events_newest(world.portal));
    assert_true(stats_now().events_gaps >= 1);
    begin = gap->number;
    heard.count = 0;
    crowd_move(&crowd, 5);
    hear(&heard, heard.total + 1);
    assert_true(heard.events[0].event_seq > begin);
    zr_client_close(reader);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_portal_hears_of_its_claims_in_order),
        cmocka_unit_test(test_r69_others_hear_nothing),
        cmocka_unit_test(test_events_survive_a_kill),
        cmocka_unit_test(test_acknowledged_cursor_is_where_it_goes_on),
        cmocka_unit_test(test_cursor_ahead_is_told_and_final),
        cmocka_unit_test(test_revoked_reader_is_cut_off),
        cmocka_unit_test(test_e67_reader_that_stops_reading_gets_a_gap),
    };

    return cmocka_run_group_tests(tests, events_setup, world_teardown);
}
