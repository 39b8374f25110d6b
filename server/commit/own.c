/*
 * own.c - see own.h.
 */
#include "server/commit/own.h"

#include "protocol/check.h"
#include "server/domain/timer.h"

void
own_init(struct own *own, struct arena *arena, struct executor *executor, struct publish *publish,
         struct ring_facts *rings)
{
    *own = (struct own){
        .executor = executor,
        .publish = publish,
        .rings = rings,
        .job = arena_take(arena, sizeof *own->job, "committer: its own command"),
    };
}

void
own_set_outage(struct own *own, uint64_t from_ms, uint64_t to_ms)
{
    CHECK(from_ms != 0);
    CHECK(to_ms >= from_ms);
    own->outage = (struct outage){.from_ms = from_ms, .to_ms = to_ms, .at_ms = from_ms};
    own->committed = own->outage;
}

bool
own_has_outage(const struct own *own)
{
    return own->outage.to_ms != 0;
}

/* Encoded like a client's, since that is what the journal keeps; from nobody. */
static void
job_fill(struct job *job, uint16_t op, const void *request)
{
    const struct zr_header header = {.op = op, .version = 1, .id = 1};
    struct zr_builder builder;

    job->operation = zr_operation_find(op);
    CHECK(job->operation != NULL);
    zr_builder_init(&builder, job->frame, sizeof job->frame);
    zr_message_encode(&builder, &header, job->operation->request, request);
    CHECK(!builder.failed);
    zr_header_decode(&job->header, job->frame);
    job->deadline_us = UINT64_MAX;
    job->lease_contractor = 0;
}

static void
own_execute(struct own *own, uint16_t op, const void *request, uint64_t now_ms)
{
    struct effects effects;

    job_fill(own->job, op, request);
    execute_job(own->executor, own->job, now_ms, &effects);
    publish_note(own->publish, &own->executor->state, own->job, &effects, now_ms);
    own->commands_count++;
}

static void
own_tick(struct own *own, const struct zr_tick_request *request, uint64_t now_ms)
{
    own_execute(own, ZR_OP_TICK, request, now_ms);
    CHECK(own->job->status == ZR_STATUS_OK);
    own->ticks++;
}

/* Log time stands at the timer's own due time, or where it is when that is later. */
static void
own_fire(struct own *own, uint64_t due_ms)
{
    const uint64_t log_ms = own->executor->head.log_ms;

    own_tick(own, &(struct zr_tick_request){0}, due_ms > log_ms ? due_ms : log_ms);
}

/* One step of the outage. The first TICK is given even when nothing is to be moved: from there
 * on log time has passed the outage, and what else fell due in it is done late. */
static void
own_move(struct own *own, uint64_t now_ms)
{
    struct outage *outage = &own->outage;
    const uint64_t at_ms =
        outage->begun ? timer_outage_next(&own->executor->state, outage->at_ms, outage->to_ms)
                      : outage->from_ms;

    if (at_ms == 0) {
        *outage = (struct outage){0};
        return;
    }
    outage->begun = true;
    outage->at_ms = at_ms;
    own_tick(own, &(struct zr_tick_request){.outage_from_ms = at_ms, .outage_to_ms = outage->to_ms},
             now_ms);
}

static void
own_ring(struct own *own, uint64_t now_ms)
{
    struct zr_rings_request request;

    ring_facts_copy(own->rings, own->rings_taken, &request);
    own->rings_taken += request.rings_count;
    own_execute(own, ZR_OP_RINGS, &request, now_ms);
    publish_note_rings(own->publish, &request);
}

static bool
own_has_room(const struct own *own)
{
    const struct state *state = &own->executor->state;

    return own->commands_count < OWN_COMMANDS_MAX && state_failure(state) == STATUS_OK &&
           tail_room(state->tail) > 2 * STATE_IMAGES_MAX && publish_has_room(own->publish);
}

bool
own_run(struct own *own, uint64_t now_ms)
{
    struct state *state = &own->executor->state;

    while (own_has_room(own)) {
        const uint64_t due_ms = state_timer_due_ms(state);

        if (own_has_outage(own)) {
            own_move(own, now_ms);
        } else if (due_ms <= now_ms) {
            own_fire(own, due_ms);
        } else if (ring_facts_count(own->rings) > own->rings_taken) {
            own_ring(own, now_ms);
        } else {
            return state_failure(state) == STATUS_OK;
        }
    }
    return false;
}

void
own_batch_done(struct own *own)
{
    ring_facts_forget(own->rings, own->rings_taken);
    own->committed = own->outage;
    own->rings_taken = 0;
    own->commands_count = 0;
}

void
own_batch_undo(struct own *own)
{
    own->outage = own->committed;
    own->rings_taken = 0;
    own->commands_count = 0;
}
