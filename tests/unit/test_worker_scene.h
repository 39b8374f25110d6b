/*
 * test_worker_scene.h - a call under way in a worker: a slot with three contractors, a switch that
 * routes and connects, and who has a lease. For test_worker_calls.c and test_worker_leases.c.
 */
#ifndef ZR_TEST_WORKER_SCENE_H
#define ZR_TEST_WORKER_SCENE_H

#include "tests/unit/test_worker.h"

enum { RING_MS = 30000, SLACK_MS = 5000, CANDIDATES = 3 };

/* A call under way: its switch, the contractors of the slot by rank, the newest answer. */
struct scene {
    struct session line;
    struct session portal;
    uint32_t contractors[CANDIDATES];
    struct zr_route_request route;
    struct zr_route_reply answer;
};

static inline void
scene_fill(struct scene *scene)
{
    scene->line = session_of(ZR_ROLE_SWITCH);
    scene->portal = session_of(ZR_ROLE_PORTAL);
    scene->contractors[0] = contractor;
    for (int i = 1; i < CANDIDATES; i++) {
        struct zr_claim_request claim = {.op_id = rig_key(),
                                         .accept_backup = true,
                                         .slots = {{RIG_ZIP, CATEGORY}},
                                         .slots_count = 1};

        scene->contractors[i] = rig_contractor(FUND);
        claim.contractor = scene->contractors[i];
        assert_int_equal(rig_send(rig_portal, ZR_OP_CLAIM, &claim), ZR_STATUS_OK);
    }
    scene->route = route_request();
}

static inline uint16_t
route(struct scene *scene)
{
    const uint16_t status = ask(&scene->line, ZR_OP_ROUTE, &scene->route);

    scene->answer = rig.reply.route_reply;
    return status;
}

static inline uint16_t
next(struct scene *scene, uint8_t index, uint8_t outcome)
{
    struct zr_route_next_request request = {.index = index, .outcome = outcome};
    const uint16_t ticket_length = scene->answer.ticket_length;
    uint16_t status;

    request.ticket_length = ticket_length;
    memcpy(request.ticket, scene->answer.ticket, ticket_length);
    status = ask(&scene->line, ZR_OP_ROUTE_NEXT, &request);
    if (status == ZR_STATUS_OK) {
        scene->answer = rig.reply.route_reply;
    }
    return status;
}

static inline uint16_t
connect(struct scene *scene, uint8_t index)
{
    struct zr_connect_request request = {.index = index};

    request.ticket_length = scene->answer.ticket_length;
    memcpy(request.ticket, scene->answer.ticket, request.ticket_length);
    return ask(&scene->line, ZR_OP_CONNECT, &request);
}

static inline uint32_t
leases_of(uint32_t of_contractor)
{
    struct eligibility_contractor known;

    hot_look(rig.hot, of_contractor, &known);
    return known.leases;
}

#endif
