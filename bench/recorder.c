/*
 * recorder.c - see recorder.h.
 */
#include "bench/recorder.h"

#include "protocol/check.h"
#include "protocol/status.h"

#include <stddef.h>
#include <string.h>

static const char *const step_names[STEPS_COUNT] = {
    [STEP_ECHO] = "echo",       [STEP_NOOP_COMMIT] = "noop_commit",
    [STEP_ROUTE] = "route",     [STEP_ROUTE_NEXT] = "route_next",
    [STEP_CONNECT] = "connect", [STEP_END] = "end",
    [STEP_CALL] = "call",
};

const char *
step_name(enum step step)
{
    CHECK(step < STEPS_COUNT);
    return step_names[step];
}

enum step
step_find(const char *name)
{
    CHECK(name != NULL);
    for (uint32_t i = 0; i < STEPS_COUNT; i++) {
        if (strcmp(name, step_names[i]) == 0) {
            return (enum step)i;
        }
    }
    return STEPS_COUNT;
}

bool
result_is_error(int result)
{
    return result != 0 && (result < 0 || zr_status_class((uint16_t)result) != ZR_CLASS_REFUSED);
}

void
recorder_init(struct recorder *recorder, bool open_loop, uint64_t begin_ns, uint64_t end_ns)
{
    CHECK(recorder != NULL);
    CHECK(begin_ns < end_ns);
    memset(recorder, 0, sizeof *recorder);
    recorder->open_loop = open_loop;
    recorder->begin_ns = begin_ns;
    recorder->end_ns = end_ns;
}

static bool
window_holds(const struct recorder *recorder, uint64_t stamp_ns)
{
    return stamp_ns >= recorder->begin_ns && stamp_ns < recorder->end_ns;
}

static void
result_take(struct step_record *record, int result)
{
    for (uint32_t i = 0; i < record->results_count; i++) {
        if (record->results[i].result == result) {
            record->results[i].count++;
            return;
        }
    }
    if (record->results_count == RESULTS_MAX) {
        record->results_other++;
        return;
    }
    record->results[record->results_count++] = (struct result_count){result, 1};
}

static uint64_t
elapsed_ns(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

void
recorder_take(struct recorder *recorder, const struct sample *sample)
{
    struct step_record *record = &recorder->steps[sample->step];
    const bool error = result_is_error(sample->result);
    const uint64_t latency_ns = elapsed_ns(sample->intended_ns, sample->answered_ns);

    CHECK(sample->step < STEPS_COUNT);
    if (sample->step != STEP_CALL) {
        recorder->requests_answered++;
        recorder->interval_answered++;
        recorder->interval_errors += error ? 1 : 0;
        histogram_record(&recorder->interval, latency_ns);
    }
    if (window_holds(recorder, sample->answered_ns)) {
        record->answered_in_window++;
        record->ok_in_window += sample->result == 0 ? 1 : 0;
    }
    if (!window_holds(recorder, recorder->open_loop ? sample->intended_ns : sample->answered_ns)) {
        return;
    }
    record->answered++;
    record->errors += error ? 1 : 0;
    result_take(record, sample->result);
    /* An answer that never came has no latency: a timeout would only repeat its own setting. */
    if (!error) {
        histogram_record(&record->intended, latency_ns);
        histogram_record(&record->sent, elapsed_ns(sample->sent_ns, sample->answered_ns));
    }
}

void
recorder_take_lag(struct recorder *recorder, uint64_t intended_ns, uint64_t submitted_ns)
{
    if (window_holds(recorder, intended_ns)) {
        histogram_record(&recorder->lag, elapsed_ns(intended_ns, submitted_ns));
    }
}

void
recorder_take_arrival(struct recorder *recorder, uint64_t intended_ns, bool dropped)
{
    if (window_holds(recorder, intended_ns)) {
        recorder->offered++;
        recorder->dropped += dropped ? 1 : 0;
    }
}

void
recorder_take_landing(struct recorder *recorder, uint64_t answered_ns)
{
    recorder->landed += window_holds(recorder, answered_ns) ? 1 : 0;
}

void
recorder_reset_interval(struct recorder *recorder)
{
    CHECK(recorder != NULL);
    histogram_init(&recorder->interval);
    recorder->interval_answered = 0;
    recorder->interval_errors = 0;
}

uint64_t
recorder_errors(const struct recorder *recorder)
{
    uint64_t errors = 0;

    for (uint32_t i = 0; i < STEP_CALL; i++) {
        errors += recorder->steps[i].errors;
    }
    return errors;
}

uint64_t
recorder_requests(const struct recorder *recorder)
{
    uint64_t requests = 0;

    for (uint32_t i = 0; i < STEP_CALL; i++) {
        requests += recorder->steps[i].answered_in_window;
    }
    return requests;
}

double
recorder_window_s(const struct recorder *recorder)
{
    CHECK(recorder->begin_ns < recorder->end_ns);
    return (double)(recorder->end_ns - recorder->begin_ns) / 1e9;
}
