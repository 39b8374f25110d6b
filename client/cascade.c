/*
 * cascade.c - see cascade.h: beginning and ending a call's cascade, and what the server answers.
 *
 * Each completion ends in one of three ways: the next request is submitted, the switch is called
 * back and has the word, or the call is finished. A callback of the switch always comes last: it
 * may report, which moves the call on, or free it.
 *
 * A contractor who answered is not sent away because the network cannot be asked: the ticket is
 * signed, so the leg is bridged and its END settles it by the ticket, days later if need be (E44,
 * E72). What the server has not confirmed is handed over in done().
 */
#include "client/cascade.h"

#include "client/client.h"
#include "protocol/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    FLAG_HOLD = 1 << 1, /* ROUTE: a call, not a query. */
    WANT_STEP = 1,      /* ROUTE: one candidate at a time, each judged when its turn comes. */
    MS_PER_S = 1000,
};

_Static_assert(sizeof((struct zr_route_reply){0}).ticket == ZRC_TICKET_BYTES, "the same ticket");
_Static_assert(sizeof((struct zr_end_request){0}).ticket == ZRC_TICKET_BYTES, "the same ticket");

/* ---- moves ----------------------------------------------------------------------------------- */

#define MOVE_TO(state) (1u << (unsigned)(state))

static const unsigned cascade_moves[] = {
    [ZRC_CASCADE_ROUTING] =
        MOVE_TO(ZRC_CASCADE_RINGING) | MOVE_TO(ZRC_CASCADE_ABANDONING) | MOVE_TO(ZRC_CASCADE_DONE),
    [ZRC_CASCADE_RINGING] = MOVE_TO(ZRC_CASCADE_ASKING) | MOVE_TO(ZRC_CASCADE_CONNECTING) |
                            MOVE_TO(ZRC_CASCADE_ABANDONING) | MOVE_TO(ZRC_CASCADE_DONE),
    [ZRC_CASCADE_ASKING] =
        MOVE_TO(ZRC_CASCADE_RINGING) | MOVE_TO(ZRC_CASCADE_ABANDONING) | MOVE_TO(ZRC_CASCADE_DONE),
    [ZRC_CASCADE_CONNECTING] = MOVE_TO(ZRC_CASCADE_TALKING) | MOVE_TO(ZRC_CASCADE_ASKING) |
                               MOVE_TO(ZRC_CASCADE_ENDING) | MOVE_TO(ZRC_CASCADE_ABANDONING) |
                               MOVE_TO(ZRC_CASCADE_DONE),
    [ZRC_CASCADE_TALKING] =
        MOVE_TO(ZRC_CASCADE_QUALIFYING) | MOVE_TO(ZRC_CASCADE_ENDING) | MOVE_TO(ZRC_CASCADE_DONE),
    [ZRC_CASCADE_QUALIFYING] =
        MOVE_TO(ZRC_CASCADE_TALKING) | MOVE_TO(ZRC_CASCADE_ENDING) | MOVE_TO(ZRC_CASCADE_DONE),
    [ZRC_CASCADE_ENDING] =
        MOVE_TO(ZRC_CASCADE_ASKING) | MOVE_TO(ZRC_CASCADE_ABANDONING) | MOVE_TO(ZRC_CASCADE_DONE),
    [ZRC_CASCADE_ABANDONING] = MOVE_TO(ZRC_CASCADE_DONE),
    [ZRC_CASCADE_DONE] = 0,
};

/* The one way from state to state. */
static void
cascade_move(struct zr_cascade *call, enum zrc_cascade_state state)
{
    CHECK(call->state <= ZRC_CASCADE_DONE);
    CHECK((cascade_moves[call->state] & MOVE_TO(state)) != 0);
    call->state = state;
}

struct zr_cascade_leg *
zrc_cascade_leg(struct zr_cascade *call)
{
    CHECK(call->legs_count > 0);
    CHECK(call->legs_count <= ZR_CASCADE_LEGS_MAX);
    return &call->legs[call->legs_count - 1];
}

void
zrc_cascade_drop_leg(struct zr_cascade *call)
{
    if (call->leg_lives) {
        call->leg_lives = false;
        call->hangup(call->context, zrc_cascade_leg(call));
    }
}

/* ---- the story ------------------------------------------------------------------------------- */

/* What was charged, and for which leg: at most one per call (I7). */
static void
story_add_money(struct zr_cascade_story *story, const struct zr_cascade_leg *leg)
{
    if (leg->settlement == 0 || story->amount_cents != 0) {
        return;
    }
    story->settlement = leg->settlement;
    if (leg->settlement == ZR_SETTLEMENT_CHARGED) {
        story->amount_cents = leg->amount_cents;
    }
}

static void
client_forget(struct zr_cascade *call)
{
    if (call->previous != NULL) {
        call->previous->next = call->next;
    } else {
        CHECK(call->client->cascades == call);
        call->client->cascades = call->next;
    }
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
}

/* The end of every call. The last thing that a caller of this does: done() may free it. */
static void
cascade_finish(struct zr_cascade *call, int result, const struct zr_route_reply *refusal)
{
    struct zr_cascade_story story = {
        .size = sizeof story,
        .call_id = call->call_id,
        .call_ref = call->call_ref,
        .result = result,
        .state = call->server_state,
        .legs_count = call->legs_count,
        .refusal = refusal,
        .unanswered = call->end_owed ? &call->end : NULL,
    };
    /* Two people who talk are not cut off because a client is closed. */
    const bool talks = call->state == ZRC_CASCADE_TALKING || call->state == ZRC_CASCADE_QUALIFYING;

    cascade_move(call, ZRC_CASCADE_DONE);
    client_forget(call);
    call->end.caller_stays = false; /* Whoever sends it later: nobody else is rung. */
    for (uint8_t i = 0; i < call->legs_count; i++) {
        story.legs[i] = &call->legs[i];
        story_add_money(&story, &call->legs[i]);
    }
    if (!talks) {
        zrc_cascade_drop_leg(call);
    }
    call->told = true;
    call->done(call->context, &story);
}

/* A completion has submitted what comes next, or could not: the client is closed or final. */
static void
cascade_proceed(struct zr_cascade *call, int submitted)
{
    if (submitted != 0) {
        cascade_finish(call, submitted, NULL);
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

static int
cascade_submit(struct zr_cascade *call, uint16_t op, const void *request, zr_done_fn done)
{
    const struct zr_submission submission = {
        .size = sizeof submission,
        .op = op,
        .request = request,
        .timeout_ms = call->timeout_ms,
        .done = done,
        .context = call,
    };

    return zr_submit(call->client, &submission);
}

static void route_done(void *context, const struct zr_completion *completion);
static void connect_done(void *context, const struct zr_completion *completion);
static void qualify_done(void *context, const struct zr_completion *completion);
static void end_done(void *context, const struct zr_completion *completion);
static void abandon_done(void *context, const struct zr_completion *completion);

static uint8_t
cascade_index(const struct zr_cascade *call)
{
    CHECK(call->legs_count > 0);
    return call->indexes[call->legs_count - 1];
}

/* How long the last leg has rung by now. */
static uint32_t
cascade_ring_ms(const struct zr_cascade *call)
{
    const uint64_t rung_ms = (zrc_now_ns() - call->rung_ns) / ZRC_NS_PER_MS;

    return rung_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)rung_ms;
}

int
zrc_cascade_next(struct zr_cascade *call, uint8_t outcome)
{
    struct zr_cascade_leg *const leg = zrc_cascade_leg(call);
    struct zr_route_next_request request = {
        /* One who answered has told already how long he rang. */
        .ring_ms = leg->answered_at_ms != 0 ? leg->ring_ms : cascade_ring_ms(call),
        .index = cascade_index(call),
        .outcome = outcome,
        .ticket_length = call->ticket_length,
    };
    int result;

    CHECK(outcome >= ZR_OUTCOME_NO_ANSWER);
    CHECK(outcome <= ZR_OUTCOME_FAILED);
    memcpy(request.ticket, call->ticket, call->ticket_length);
    result = cascade_submit(call, ZR_OP_ROUTE_NEXT, &request, route_done);
    if (result == 0) {
        leg->outcome = outcome;
        leg->ring_ms = request.ring_ms;
        cascade_move(call, ZRC_CASCADE_ASKING);
    }
    return result;
}

/* END as it will be sent: with the ticket, so that it settles the leg whatever became of CONNECT.
 */
static void
cascade_prepare_end(struct zr_cascade *call, uint8_t index)
{
    call->end = (struct zr_end_request){
        .call_id = call->call_id,
        .index = index,
        .who_hung_up = ZR_HUNG_UP_UNKNOWN,
        .ticket_length = call->ticket_length,
    };
    memcpy(call->end.ticket, call->ticket, call->ticket_length);
    call->end_owed = true;
}

int
zrc_cascade_connect(struct zr_cascade *call, uint64_t answered_at_ms)
{
    struct zr_cascade_leg *const leg = zrc_cascade_leg(call);
    struct zr_connect_request request = {
        .answered_at_ms = answered_at_ms, /* 0: the server's own "now" is better than ours. */
        .index = cascade_index(call),
        .ticket_length = call->ticket_length,
    };
    int result;

    memcpy(request.ticket, call->ticket, call->ticket_length);
    result = cascade_submit(call, ZR_OP_CONNECT, &request, connect_done);
    if (result == 0) {
        leg->ring_ms = cascade_ring_ms(call);
        leg->answered_at_ms =
            answered_at_ms != 0 ? answered_at_ms : zr_client_server_time_ms(call->client);
        cascade_prepare_end(call, request.index);
        call->end.answered_at_ms = leg->answered_at_ms;
        call->end_wished = false;
        cascade_move(call, ZRC_CASCADE_CONNECTING);
    }
    return result;
}

int
zrc_cascade_talk(struct zr_cascade *call, uint16_t op, uint32_t talk_ms)
{
    const struct zr_qualify_request request = {.call_id = call->call_id, .talk_ms = talk_ms};
    const int result = cascade_submit(call, op, &request, qualify_done);

    if (result == 0) {
        cascade_move(call, ZRC_CASCADE_QUALIFYING);
    }
    return result;
}

int
zrc_cascade_end(struct zr_cascade *call, const struct zr_end_request *end)
{
    const int result = cascade_submit(call, ZR_OP_END, end, end_done);

    CHECK(call->end_owed);
    if (result == 0) {
        call->end = *end;
        call->end_wished = false;
        cascade_move(call, ZRC_CASCADE_ENDING);
    }
    return result;
}

int
zrc_cascade_abandon(struct zr_cascade *call)
{
    const struct zr_end_request before = call->end;
    const bool owed = call->end_owed;
    int result;

    CHECK(call->ticket_length > 0);
    cascade_prepare_end(call, ZRC_INDEX_NONE);
    call->end.who_hung_up = ZR_HUNG_UP_CALLER;
    result = cascade_submit(call, ZR_OP_END, &call->end, abandon_done);
    if (result != 0) {
        call->end = before;
        call->end_owed = owed;
        return result;
    }
    if (call->state == ZRC_CASCADE_RINGING) {
        zrc_cascade_leg(call)->ring_ms = cascade_ring_ms(call);
    }
    cascade_move(call, ZRC_CASCADE_ABANDONING);
    return 0;
}

/* ---- what the server answers: who rings ------------------------------------------------------ */

static void
cascade_take_ticket(struct zr_cascade *call, const struct zr_route_reply *reply)
{
    call->call_ref = reply->call_ref;
    call->ticket_length = reply->ticket_length;
    memcpy(call->ticket, reply->ticket, reply->ticket_length);
    call->server_state = ZR_CALL_RINGING;
}

/* The candidate's turn: one ring() and no other leg beside it (R49). */
static void
cascade_ring(struct zr_cascade *call, const struct zr_route_reply *reply)
{
    const struct zr_candidate *const candidate = &reply->candidates[0];
    const uint8_t number = call->legs_count;

    CHECK(!call->leg_lives);
    CHECK(number < ZR_CASCADE_LEGS_MAX);
    call->legs[number] = (struct zr_cascade_leg){
        .phone = candidate->phone,
        .contractor = candidate->contractor,
        .rate_cents = candidate->rate_cents,
        .ring_timeout_ms = (uint32_t)candidate->ring_timeout_s * MS_PER_S,
        .qualify_ms = reply->qualify_ms,
        .number = number,
        .rank = candidate->rank,
        .mode = candidate->mode,
    };
    call->indexes[number] = candidate->index;
    call->legs_count++;
    call->leg_lives = true;
    call->alerted = false;
    call->rung_ns = zrc_now_ns();
    cascade_move(call, ZRC_CASCADE_RINGING);
    call->ring(call->context, &call->legs[number]);
}

/* ROUTE or ROUTE_NEXT. */
static void
route_done(void *context, const struct zr_completion *completion)
{
    struct zr_cascade *const call = context;
    const struct zr_route_reply *const reply = completion->reply;
    const bool routed = completion->result == 0;

    CHECK(!routed || reply != NULL);
    if (routed && (reply->candidates_count == 0 || reply->ticket_length == 0)) {
        cascade_finish(call, ZR_EPROTO, NULL); /* A server that says OK and names nobody. */
        return;
    }
    if (routed) {
        cascade_take_ticket(call, reply);
    }
    if (call->cancelled && call->ticket_length > 0) {
        cascade_proceed(call, zrc_cascade_abandon(call));
    } else if (!routed) {
        cascade_finish(call, completion->result, reply);
    } else if (call->legs_count == ZR_CASCADE_LEGS_MAX) {
        cascade_finish(call, ZR_STATUS_EXHAUSTED, NULL);
    } else {
        cascade_ring(call, reply);
    }
}

/* ---- what the server answers: talk ----------------------------------------------------------- */

/* The leg is out, the caller is there: the next one, unless he has gone. */
static int
cascade_go_on(struct zr_cascade *call, uint8_t outcome)
{
    return call->cancelled ? zrc_cascade_abandon(call) : zrc_cascade_next(call, outcome);
}

/* CONNECT was refused for what this contractor is, not for what the call is (M4). */
static bool
refusal_is_his_own(int result)
{
    return result == ZR_STATUS_OVERDRAFT_LIMIT || result == ZR_STATUS_NOT_APPROVED ||
           result == ZR_STATUS_ACCOUNT_CLOSED;
}

/* Nothing can be reported any more: what is not bridged yet must not be. */
static bool
client_is_over(const struct zr_client *client)
{
    return client->closing || client->final != 0;
}

static void
connect_refused(struct zr_cascade *call, int result)
{
    const bool voicemail = call->end_wished && call->end.voicemail;
    int submitted;

    call->end_owed = false;
    /* It was over before the refusal came, and the caller with it. */
    call->cancelled = call->cancelled || (call->end_wished && !call->end.caller_stays);
    call->end_wished = false;
    if (!refusal_is_his_own(result)) {
        cascade_finish(call, result, NULL);
        return;
    }
    submitted = cascade_go_on(call, voicemail ? ZR_OUTCOME_VOICEMAIL : ZR_OUTCOME_FAILED);
    if (submitted != 0) {
        cascade_finish(call, submitted, NULL);
    } else {
        zrc_cascade_drop_leg(call);
    }
}

static void
connect_done(void *context, const struct zr_completion *completion)
{
    struct zr_cascade *const call = context;
    struct zr_cascade_leg *const leg = zrc_cascade_leg(call);
    const struct zr_connect_reply *const reply = completion->reply;

    leg->result = completion->result;
    if (completion->result == 0) {
        CHECK(reply != NULL);
        call->server_state = reply->state;
        leg->settlement = reply->settlement;
        leg->amount_cents = reply->amount_cents;
        leg->qualify_ms = reply->qualify_ms;
    } else if (!zr_result_retryable(completion->result)) {
        connect_refused(call, completion->result);
        return;
    } else if (client_is_over(call->client)) {
        cascade_finish(call, completion->result, NULL);
        return;
    }
    if (call->end_wished) {
        cascade_proceed(call, zrc_cascade_end(call, &call->end));
        return;
    }
    cascade_move(call, ZRC_CASCADE_TALKING);
    call->bridge(call->context, leg);
}

/* What QUALIFY, KEEPALIVE and END say of the leg. */
static void
cascade_settle(struct zr_cascade *call, const struct zr_settlement_reply *reply)
{
    struct zr_cascade_leg *const leg = zrc_cascade_leg(call);

    call->server_state = reply->state;
    leg->settlement = reply->settlement;
    leg->amount_cents = reply->amount_cents;
}

/* It only proves the talk early: where it failed, END says the same. */
static void
qualify_done(void *context, const struct zr_completion *completion)
{
    struct zr_cascade *const call = context;

    if (completion->result == 0) {
        CHECK(completion->reply != NULL);
        cascade_settle(call, completion->reply);
    }
    if (call->end_wished) {
        cascade_proceed(call, zrc_cascade_end(call, &call->end));
        return;
    }
    cascade_move(call, ZRC_CASCADE_TALKING);
}

/* Why the cascade goes on after a leg that answered (R35, R50). */
static uint8_t
outcome_of_end(const struct zr_end_request *end)
{
    if (end->voicemail) {
        return ZR_OUTCOME_VOICEMAIL;
    }
    return end->who_hung_up == ZR_HUNG_UP_CONTRACTOR ? ZR_OUTCOME_DECLINED : ZR_OUTCOME_FAILED;
}

static void
end_done(void *context, const struct zr_completion *completion)
{
    struct zr_cascade *const call = context;
    struct zr_cascade_leg *const leg = zrc_cascade_leg(call);
    const struct zr_settlement_reply *const reply = completion->reply;
    int result = completion->result;

    leg->result = result;
    call->end_owed = zr_result_retryable(result);
    if (result == 0 || result == ZR_STATUS_SETTLEMENT_FINAL) {
        CHECK(reply != NULL);
        cascade_settle(call, reply);
        leg->talk_ms = reply->talk_ms;
        result = 0; /* Settled is settled: leg->result says that it was otherwise (E46). */
    }
    if (result == 0 && call->end.caller_stays && call->server_state == ZR_CALL_RINGING) {
        cascade_proceed(call, cascade_go_on(call, outcome_of_end(&call->end)));
    } else {
        cascade_finish(call, result, NULL);
    }
}

static void
abandon_done(void *context, const struct zr_completion *completion)
{
    struct zr_cascade *const call = context;
    const struct zr_settlement_reply *const reply = completion->reply;

    call->end_owed = zr_result_retryable(completion->result);
    if (completion->result == 0) {
        CHECK(reply != NULL);
        call->server_state = reply->state;
    }
    cascade_finish(call, completion->result == 0 ? ZR_STATUS_ABANDONED : completion->result, NULL);
}

/* ---- begin, free, close ---------------------------------------------------------------------- */

static bool
options_are_valid(const struct zr_cascade_options *options)
{
    static const struct zr_id none;

    return options != NULL && options->size >= sizeof *options && options->route != NULL &&
           options->ring != NULL && options->bridge != NULL && options->hangup != NULL &&
           options->done != NULL && memcmp(&options->route->call_id, &none, sizeof none) != 0;
}

static void
client_remember(struct zr_cascade *call)
{
    call->next = call->client->cascades;
    if (call->next != NULL) {
        call->next->previous = call;
    }
    call->client->cascades = call;
}

int
zr_call_begin(struct zr_client *client, const struct zr_cascade_options *options,
              struct zr_cascade **call)
{
    struct zr_route_request route;
    struct zr_cascade *made;
    int result;

    if (client == NULL || call == NULL || !options_are_valid(options)) {
        return ZR_EINVAL;
    }
    made = calloc(1, sizeof *made);
    if (made == NULL) {
        return ZR_ENOMEM;
    }
    made->client = client;
    made->ring = options->ring;
    made->bridge = options->bridge;
    made->hangup = options->hangup;
    made->done = options->done;
    made->context = options->context;
    made->timeout_ms = options->timeout_ms;
    made->call_id = options->route->call_id;
    made->state = ZRC_CASCADE_ROUTING;
    route = *options->route;
    route.want = WANT_STEP;
    route.flags |= FLAG_HOLD;
    result = cascade_submit(made, ZR_OP_ROUTE, &route, route_done);
    if (result != 0) {
        free(made);
        return result;
    }
    client_remember(made);
    *call = made;
    return 0;
}

void
zr_call_free(struct zr_cascade *call)
{
    if (call != NULL) {
        CHECK(call->told);
        free(call);
    }
}

void
zrc_cascades_cancel(struct zr_client *client)
{
    CHECK(client->closing);
    /* Their requests have ended already: what is left rings or talks. */
    while (client->cascades != NULL) {
        CHECK(client->cascades->state == ZRC_CASCADE_RINGING ||
              client->cascades->state == ZRC_CASCADE_TALKING);
        cascade_finish(client->cascades, ZR_ECANCELED, NULL);
    }
}
