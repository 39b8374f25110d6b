/*
 * flight.c - what one flight does: a single request, or the steps of a call.
 *
 *            ROUTE --no candidate--------------------------------> landed (uncovered)
 *              |
 *              v          no answer            none left
 *   .--> the phone rings ----------> ROUTE_NEXT --------------> landed (exhausted)
 *   |          |    \                  |
 *   `----------|-----\-----------------'
 *              |      `-- caller gives up --> END ------------> landed (abandoned)
 *              v
 *           CONNECT --refused for this contractor--> ROUTE_NEXT
 *              |
 *              v
 *             END ----------------------------------------------> landed (ended)
 *
 * The step after an answer is meant for the time of that answer, so that what the generator
 * itself wastes in between is in the latency from the intended time. Nobody waits out the talk:
 * its length is only told in END.
 */
#include "bench/clock.h"
#include "bench/driver.h"
#include "protocol/check.h"
#include "protocol/status.h"

#include <stddef.h>
#include <string.h>

enum {
    ECHO_REQUEST_PAYLOAD = 48, /* Makes ECHO's request 80 bytes, as long as ROUTE's. */
    ROUTE_FLAG_HOLD = 2,
    INDEX_NONE = 255,
    CAUSE_NORMAL = 16, /* Q.850 normal call clearing. */
    RING_MS = 20000,
    TALK_SHORT_MS_MAX = 29999,
    TALK_MS_MIN = 30000,
    TALK_MS_MAX = 600000,
    ATTESTATION_A = 1,
};

static void flight_done(void *context, const struct zr_completion *completion);

/* ---- sending ------------------------------------------------------------------------------ */

static bool
step_submit(struct flight *flight, enum step step, uint16_t op, const void *request)
{
    const struct zr_submission submission = {
        .size = sizeof submission,
        .op = op,
        .request = request,
        .done = flight_done,
        .context = flight,
    };

    flight->step = step;
    return zr_submit(flight->link->client, &submission) == 0;
}

static bool
echo_send(struct flight *flight)
{
    static const struct zr_echo_request template = {.payload_length = ECHO_REQUEST_PAYLOAD};
    struct zr_echo_request request;

    memcpy(&request, &template, offsetof(struct zr_echo_request, payload) + ECHO_REQUEST_PAYLOAD);
    request.reply_bytes = flight->driver->load->echo_bytes;
    return step_submit(flight, STEP_ECHO, ZR_OP_ECHO, &request);
}

static bool
noop_commit_send(struct flight *flight)
{
    const struct zr_empty request = {0};

    return step_submit(flight, STEP_NOOP_COMMIT, ZR_OP_NOOP_COMMIT, &request);
}

/* A number of the North American plan: area and exchange codes begin with 2..9. */
static uint64_t
caller_draw(struct prng *prng)
{
    const uint64_t area = 200 + prng_below(prng, 800);
    const uint64_t exchange = 200 + prng_below(prng, 800);

    return UINT64_C(10000000000) + (area * 1000 + exchange) * 10000 + prng_below(prng, 10000);
}

/* Who calls, for what: a new caller, or now and then one that called before. */
static void
caller_choose(struct flight *flight)
{
    struct driver *driver = flight->driver;
    const uint64_t known =
        driver->recent_count < RECENT_COUNT ? driver->recent_count : RECENT_COUNT;
    struct recent_call *recent;

    if (known > 0 && driver->load->habits.repeat_bp > 0 &&
        prng_chance(&driver->prng, driver->load->habits.repeat_bp)) {
        recent = &driver->recent[prng_below(&driver->prng, (uint32_t)known)];
        flight->caller = recent->caller;
        flight->slot = recent->slot;
        return;
    }
    flight->caller = caller_draw(&driver->callers);
    flight->slot = slots_draw(driver->load->slots, &driver->prng);
}

static bool
route_send(struct flight *flight)
{
    struct driver *driver = flight->driver;
    const struct load *load = driver->load;
    const bool hold = flight->kind == LOAD_CALL || load->hold;
    struct zr_route_request request = {0};

    caller_choose(flight);
    flight->call_id = run_ids_take(&driver->ids);
    request.call_id = flight->call_id;
    request.zips[0] = flight->slot.zip;
    request.zips_count = 1;
    request.category = flight->slot.category;
    request.caller = flight->caller;
    request.caller_kind = ZR_CALLER_PLAIN;
    request.attestation = ATTESTATION_A;
    request.want = load->want;
    if (load->want == 0) {
        request.want = prng_chance(&driver->prng, 5000) ? 1 : 4;
    }
    request.flags = hold ? ROUTE_FLAG_HOLD : 0;
    if (flight->kind == LOAD_CALL) {
        driver->tally.calls++;
    }
    return step_submit(flight, STEP_ROUTE, ZR_OP_ROUTE, &request);
}

static bool
next_send(struct flight *flight, uint8_t outcome)
{
    struct zr_route_next_request request = {0};

    request.index = flight->attempt;
    request.outcome = outcome;
    request.ring_ms = RING_MS;
    request.ticket_length = flight->ticket_length;
    memcpy(request.ticket, flight->ticket, flight->ticket_length);
    return step_submit(flight, STEP_ROUTE_NEXT, ZR_OP_ROUTE_NEXT, &request);
}

static bool
connect_send(struct flight *flight)
{
    struct zr_connect_request request = {0};

    request.index = flight->attempt;
    request.ticket_length = flight->ticket_length;
    memcpy(request.ticket, flight->ticket, flight->ticket_length);
    return step_submit(flight, STEP_CONNECT, ZR_OP_CONNECT, &request);
}

/* The connected leg ends. */
static bool
end_send(struct flight *flight)
{
    const struct habits *habits = &flight->driver->load->habits;
    struct prng *prng = &flight->driver->prng;
    struct zr_end_request request = {0};

    request.call_id = flight->call_id;
    request.index = INDEX_NONE;
    request.cause = CAUSE_NORMAL;
    request.who_hung_up = ZR_HUNG_UP_CALLER;
    request.talk_ms = TALK_MS_MIN + prng_below(prng, TALK_MS_MAX - TALK_MS_MIN);
    if (habits->voicemail_bp > 0 && prng_chance(prng, habits->voicemail_bp)) {
        request.voicemail = true;
        request.talk_ms = 1000 + prng_below(prng, 10000);
    } else if (habits->short_bp > 0 && prng_chance(prng, habits->short_bp)) {
        request.talk_ms = 1000 + prng_below(prng, TALK_SHORT_MS_MAX - 1000);
    }
    return step_submit(flight, STEP_END, ZR_OP_END, &request);
}

/* The caller hangs up while it rings. */
static bool
abandon_send(struct flight *flight)
{
    struct zr_end_request request = {0};

    flight->abandoned = true;
    request.call_id = flight->call_id;
    request.index = INDEX_NONE;
    request.cause = CAUSE_NORMAL;
    request.who_hung_up = ZR_HUNG_UP_CALLER;
    request.ticket_length = flight->ticket_length;
    memcpy(request.ticket, flight->ticket, flight->ticket_length);
    return step_submit(flight, STEP_END, ZR_OP_END, &request);
}

/* ---- after an answer ------------------------------------------------------------------------- */

/* How a step left the call: another request is in the air, or the call is over. */
enum onward { ONWARD_FLYING, ONWARD_LANDED, ONWARD_BROKEN };

static enum onward
onward_if(bool submitted)
{
    return submitted ? ONWARD_FLYING : ONWARD_BROKEN;
}

/* The phone of the ticket's first candidate rings. */
static enum onward
call_ring(struct flight *flight, const struct zr_route_reply *reply)
{
    const struct habits *habits = &flight->driver->load->habits;
    struct prng *prng = &flight->driver->prng;

    if (reply->candidates_count == 0 || reply->ticket_length > TICKET_BYTES_MAX) {
        return ONWARD_BROKEN;
    }
    flight->attempt = reply->attempt;
    flight->ticket_length = reply->ticket_length;
    memcpy(flight->ticket, reply->ticket, reply->ticket_length);
    if (habits->abandon_bp > 0 && prng_chance(prng, habits->abandon_bp)) {
        return onward_if(abandon_send(flight));
    }
    if (habits->no_answer_bp > 0 && prng_chance(prng, habits->no_answer_bp)) {
        return onward_if(next_send(flight, ZR_OUTCOME_NO_ANSWER));
    }
    return onward_if(connect_send(flight));
}

static enum onward
after_route(struct flight *flight, const struct zr_completion *completion)
{
    struct tally *tally = &flight->driver->tally;

    if (flight->kind != LOAD_CALL) {
        return ONWARD_LANDED;
    }
    if (completion->result != 0) {
        tally->uncovered++;
        return ONWARD_LANDED;
    }
    tally->routes++;
    return call_ring(flight, completion->reply);
}

static enum onward
after_next(struct flight *flight, const struct zr_completion *completion)
{
    struct tally *tally = &flight->driver->tally;

    if (completion->result == 0) {
        tally->nexts++;
        return call_ring(flight, completion->reply);
    }
    if (completion->result == ZR_STATUS_EXHAUSTED) {
        tally->exhausted++;
        return ONWARD_LANDED;
    }
    return ONWARD_BROKEN;
}

static enum onward
after_connect(struct flight *flight, const struct zr_completion *completion)
{
    switch (completion->result) {
    case 0:
        flight->driver->tally.connects++;
        return onward_if(end_send(flight));
    case ZR_STATUS_OVERDRAFT_LIMIT:
    case ZR_STATUS_NOT_APPROVED:
    case ZR_STATUS_ACCOUNT_CLOSED:
        return onward_if(next_send(flight, ZR_OUTCOME_FAILED));
    default:
        return ONWARD_BROKEN;
    }
}

static enum onward
after_end(struct flight *flight, const struct zr_completion *completion)
{
    struct driver *driver = flight->driver;

    if (flight->abandoned) {
        driver->tally.abandoned++;
        return ONWARD_LANDED;
    }
    if (completion->result != 0) {
        return ONWARD_BROKEN;
    }
    tally_take_settlement(&driver->tally, completion->reply);
    driver->tally.ended++;
    driver->recent[driver->recent_count++ % RECENT_COUNT] =
        (struct recent_call){flight->caller, flight->slot};
    return ONWARD_LANDED;
}

static enum onward
after_step(struct flight *flight, const struct zr_completion *completion)
{
    if (result_is_error(completion->result)) {
        return ONWARD_BROKEN;
    }
    switch (flight->step) {
    case STEP_ROUTE:
        return after_route(flight, completion);
    case STEP_ROUTE_NEXT:
        return after_next(flight, completion);
    case STEP_CONNECT:
        return after_connect(flight, completion);
    case STEP_END:
        return after_end(flight, completion);
    case STEP_ECHO:
    case STEP_NOOP_COMMIT:
        return ONWARD_LANDED;
    case STEP_CALL:
    case STEPS_COUNT:
        break;
    }
    CHECK(flight->step < STEP_CALL);
    return ONWARD_BROKEN;
}

/* ---- taking off and landing ------------------------------------------------------------------ */

static enum load_kind
kind_draw(struct driver *driver)
{
    const uint32_t *weights = driver->load->weights;
    uint32_t sum = 0;
    uint32_t drawn;

    for (uint32_t i = 0; i < LOAD_KINDS; i++) {
        sum += weights[i];
    }
    for (uint32_t i = 0; i < LOAD_KINDS; i++) {
        if (weights[i] == sum) {
            return (enum load_kind)i;
        }
    }
    drawn = prng_below(&driver->prng, sum);
    for (uint32_t i = 0; i < LOAD_KINDS; i++) {
        if (drawn < weights[i]) {
            return (enum load_kind)i;
        }
        drawn -= weights[i];
    }
    return LOAD_ROUTE;
}

/* Send the first step. */
static bool
flight_take_off(struct flight *flight, uint64_t intended_ns)
{
    flight->intended_ns = intended_ns;
    flight->call_intended_ns = intended_ns;
    flight->call_sent_ns = 0;
    flight->abandoned = false;
    flight->kind = kind_draw(flight->driver);
    switch (flight->kind) {
    case LOAD_ECHO:
        return echo_send(flight);
    case LOAD_NOOP_COMMIT:
        return noop_commit_send(flight);
    case LOAD_ROUTE:
    case LOAD_CALL:
        return route_send(flight);
    case LOAD_KINDS:
        break;
    }
    CHECK(flight->kind < LOAD_KINDS);
    return false;
}

static void
flight_give(struct flight *flight)
{
    struct driver *driver = flight->driver;

    CHECK(driver->flights_busy > 0);
    CHECK(flight->link->busy > 0);
    driver->flights_busy--;
    flight->link->busy--;
    flight->next_free = driver->free;
    driver->free = flight;
}

bool
flight_start(struct driver *driver, struct link *link, uint64_t intended_ns)
{
    struct flight *flight = driver->free;

    CHECK(link != NULL);
    if (flight == NULL) {
        return false;
    }
    driver->free = flight->next_free;
    driver->flights_busy++;
    flight->link = link;
    link->busy++;
    if (!flight_take_off(flight, intended_ns)) {
        flight_give(flight);
        return false;
    }
    recorder_take_lag(&driver->recorder, intended_ns, clock_now_ns());
    fleet_mark_dirty(driver->fleet, link);
    return true;
}

/* How a whole call ended, as a result: 0 = connected and ended. */
static int
call_result(const struct flight *flight, const struct zr_completion *completion, enum onward onward)
{
    if (onward == ONWARD_BROKEN) {
        return completion->result != 0 ? completion->result : ZR_EPROTO;
    }
    return flight->abandoned ? ZR_STATUS_ABANDONED : completion->result;
}

/* The flight is over: measure the whole call, and in a closed loop start the next one. */
static void
flight_land(struct flight *flight, const struct zr_completion *completion, enum onward onward)
{
    struct driver *driver = flight->driver;

    if (flight->kind == LOAD_CALL) {
        const struct sample sample = {
            .step = STEP_CALL,
            .result = call_result(flight, completion, onward),
            .intended_ns = flight->call_intended_ns,
            .sent_ns = flight->call_sent_ns,
            .answered_ns = completion->answered_ns,
        };

        driver->tally.broken += onward == ONWARD_BROKEN ? 1 : 0;
        recorder_take(&driver->recorder, &sample);
    }
    recorder_take_landing(&driver->recorder, completion->answered_ns);
    if (!driver->refill || !flight_take_off(flight, clock_now_ns())) {
        flight_give(flight);
    }
}

static void
flight_done(void *context, const struct zr_completion *completion)
{
    struct flight *flight = context;
    struct driver *driver = flight->driver;
    struct zr_completion done = *completion;
    enum onward onward;

    if (done.answered_ns == 0) {
        done.answered_ns = clock_now_ns(); /* It never was: the time of giving up. */
    }
    if (flight->step == STEP_ROUTE) {
        flight->call_sent_ns = done.sent_ns;
    }
    recorder_take(&driver->recorder, &(struct sample){.step = flight->step,
                                                      .result = done.result,
                                                      .intended_ns = flight->intended_ns,
                                                      .sent_ns = done.sent_ns,
                                                      .answered_ns = done.answered_ns});
    driver->errors_in_row = result_is_error(done.result) ? driver->errors_in_row + 1 : 0;
    flight->intended_ns = done.answered_ns;
    onward = after_step(flight, &done);
    if (onward != ONWARD_FLYING) {
        flight_land(flight, &done, onward);
    }
}
