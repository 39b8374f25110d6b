/*
 * pipeline.c - see pipeline.h.
 */
#include "bench/pipeline.h"

#include "protocol/check.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { PROCESS_WAIT_MS = 1000 };

struct pipeline_run;

/* One request in flight: the context of its callback. */
struct place {
    struct pipeline_run *run;
    uint32_t index;
    struct place *next_free;
};

struct pipeline_run {
    struct zr_client *client;
    const struct pipeline *pipeline;
    union zr_any_message *request;
    struct place *free;
    uint32_t started;
    uint32_t ended;
    int refused_result; /* Of the first answer that `take` did not want. */
    int submit_result;  /* Of the first submission that failed. */
    bool stopped;
};

static void
place_done(void *context, const struct zr_completion *completion)
{
    struct place *place = context;
    struct pipeline_run *run = place->run;

    if (!run->pipeline->take(run->pipeline->context, place->index, completion) && !run->stopped) {
        run->stopped = true;
        run->refused_result = completion->result;
    }
    run->ended++;
    place->next_free = run->free;
    run->free = place;
}

/* Submit until the window is full or all was sent. */
static void
window_fill(struct pipeline_run *run)
{
    const struct pipeline *pipeline = run->pipeline;
    const struct zr_operation *operation = zr_operation_find(pipeline->op);
    struct zr_submission submission = {.size = sizeof submission, .op = pipeline->op};

    CHECK(operation != NULL);
    while (!run->stopped && run->free != NULL && run->started < pipeline->count) {
        struct place *place = run->free;
        int rc;

        run->free = place->next_free;
        place->index = run->started++;
        memset(run->request, 0, operation->request->struct_bytes);
        pipeline->fill(pipeline->context, place->index, run->request);
        submission.request = run->request;
        submission.done = place_done;
        submission.context = place;
        rc = zr_submit(run->client, &submission);
        if (rc != 0) {
            run->stopped = true;
            run->submit_result = rc;
            run->ended++;
        }
    }
}

static bool
run_judge(const struct pipeline_run *run, struct fault *fault)
{
    const struct zr_operation *operation = zr_operation_find(run->pipeline->op);
    const int result = run->submit_result != 0 ? run->submit_result : run->refused_result;
    const char *name = zr_result_name(result);

    if (!run->stopped) {
        CHECK(run->ended == run->pipeline->count);
        return true;
    }
    return fault_set(fault, result < 0 ? BENCH_EXIT_TRANSPORT : BENCH_EXIT_FAILED,
                     "%s %u of %u: %s, %s", operation->name, run->ended, run->pipeline->count,
                     name != NULL ? name : "unknown status", zr_result_text(result));
}

bool
pipeline_run(struct zr_client *client, const struct pipeline *pipeline, struct fault *fault)
{
    struct pipeline_run run = {.client = client, .pipeline = pipeline};
    struct place *places = calloc(pipeline->window, sizeof *places);
    bool done;

    CHECK(client != NULL);
    CHECK(pipeline->window > 0);
    CHECK(pipeline->window <= PIPELINE_WINDOW_MAX);
    run.request = malloc(sizeof *run.request);
    if (places == NULL || run.request == NULL) {
        free(places);
        free(run.request);
        return fault_set(fault, BENCH_EXIT_USAGE, "no memory for requests");
    }
    for (uint32_t i = pipeline->window; i-- > 0;) {
        places[i] = (struct place){.run = &run, .next_free = run.free};
        run.free = &places[i];
    }
    window_fill(&run);
    while (run.ended < run.started) {
        (void)zr_client_process(client, PROCESS_WAIT_MS);
        window_fill(&run);
    }
    done = run_judge(&run, fault);
    free(places);
    free(run.request);
    return done;
}

bool
pipeline_accept_ok(const struct zr_completion *completion)
{
    return completion->result == 0;
}
