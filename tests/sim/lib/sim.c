/*
 * sim.c - the small things that all parts of the simulation share. See sim.h.
 */
#include "tests/sim/lib/sim.h"

#include "protocol/check.h"
#include "tests/lib/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const struct engine_actor sim_admin = {.tenant = 1, .role = ZR_ROLE_ADMIN, .number = 1};
const struct engine_actor sim_admin_second = {.tenant = 1, .role = ZR_ROLE_ADMIN, .number = 2};
const struct engine_actor sim_auditor = {.tenant = 1, .role = ZR_ROLE_AUDITOR};
const struct engine_actor sim_portal = {.tenant = 2, .role = ZR_ROLE_PORTAL};
const struct engine_actor sim_payments = {.tenant = 3, .role = ZR_ROLE_PAYMENTS};
const struct engine_actor sim_switches[SIM_TENANTS] = {
    {.tenant = 10, .role = ZR_ROLE_SWITCH, .keepalive = true},
    {.tenant = 11, .role = ZR_ROLE_SWITCH},
};

uint64_t
sim_below(struct sim *sim, uint64_t below)
{
    return test_random_below(&sim->random, below);
}

uint64_t
sim_between(struct sim *sim, uint64_t from, uint64_t to)
{
    CHECK(to >= from);
    return from + sim_below(sim, to - from + 1);
}

bool
sim_chance(struct sim *sim, uint32_t permille)
{
    return sim_below(sim, 1000) < permille;
}

void
sim_require(const struct sim *sim, bool holds, const char *what, uint64_t number)
{
    if (holds) {
        return;
    }
    (void)printf("FAILED: %s (%" PRIu64 ")\n"
                 "  day %u, log time %" PRIu64 ", commit_seq %" PRIu64 ", TEST_SEED=%" PRIu64 "\n"
                 "0 passed, 1 failed\n",
                 what, number, sim->day, sim->engine.now_ms, sim->engine.executor.head.commit_seq,
                 sim->seed);
    if (getenv("SIM_KEEP") == NULL) {
        test_remove_dir(sim->engine.folder);
        test_remove_dir(sim->engine.copy_folder);
    }
    exit(EXIT_FAILURE);
}

void
sim_require_ok(const struct sim *sim, uint16_t status, const char *what)
{
    sim_require(sim, status == ZR_STATUS_OK, what, status);
}

uint64_t
sim_now(const struct sim *sim)
{
    return sim->engine.now_ms;
}

struct state *
sim_state(struct sim *sim)
{
    return &sim->engine.executor.state;
}

void
sim_plan(struct sim *sim, uint64_t after_ms, struct agenda_entry entry)
{
    entry.at_ms = sim_now(sim) + after_ms;
    agenda_add(&sim->agenda, entry);
}

uint16_t
sim_send(struct sim *sim, const struct engine_actor *actor, uint16_t op, const void *request)
{
    const uint16_t status = engine_send(&sim->engine, actor, op, request, NULL);
    const uint8_t class = zr_status_class(status);

    sim_require(sim, class == ZR_CLASS_DONE || class == ZR_CLASS_REFUSED,
                "a request of the simulation itself is wrong", (uint64_t)op << 16 | status);
    engine_commit(&sim->engine);
    return status;
}

struct sim_contractor *
sim_contractor_of(struct sim *sim, uint32_t number)
{
    CHECK(number > 0);
    CHECK(number < ENGINE_CONTRACTORS_MAX);
    CHECK(sim->index_of[number] < SIM_CONTRACTORS);
    return &sim->contractors[sim->index_of[number]];
}

uint32_t
sim_slot_index(const struct sim *sim, uint32_t zip, uint16_t category)
{
    CHECK(category >= 1);
    CHECK(category <= SIM_CATEGORIES);
    for (uint32_t i = 0; i < sim->zips_count; i++) {
        if (sim->zips[i].zip == zip) {
            return i * SIM_CATEGORIES + category - 1;
        }
    }
    CHECK(false);
    return 0;
}
