/*
 * cascade_report.c - see cascade.h: what the switch reports, judged against the call's state.
 *
 * The order inside a report is always: submit, then hangup(). A report that could not be submitted
 * has changed nothing, so that the switch may make it again; and a leg is given up in the same
 * breath in which the next one is asked for, before its answer can be read (R49).
 */
#include "client/cascade.h"
#include "client/client.h"
#include "protocol/check.h"

#include <stddef.h>

enum {
    SIP_PROGRESS_MIN = 100,
    SIP_PROGRESS_MAX = 199,
    SIP_RINGING = 180,
    SIP_SESSION_PROGRESS = 183,
    SIP_FINAL_MIN = 300,
};

#define IN(state) (1u << (unsigned)(state))
#define IN_TALK   (IN(ZRC_CASCADE_TALKING) | IN(ZRC_CASCADE_QUALIFYING))
/* An answered leg; that CONNECT is in flight is not the switch's concern. */
#define IN_ANSWERED (IN_TALK | IN(ZRC_CASCADE_CONNECTING))

/* Does the call wait for a report about this leg, being in one of these states? */
static int
report_judge(const struct zr_cascade *call, uint8_t leg, unsigned states)
{
    if (call == NULL || leg >= call->legs_count) {
        return ZR_EINVAL;
    }
    /* One that is on its way out is told of no more, whatever request is in flight. */
    if (leg + 1 != call->legs_count || !call->leg_lives || (states & IN(call->state)) == 0) {
        return ZR_ECANCELED;
    }
    return 0;
}

/* The ringing leg still lives in the switch: give it up. */
static int
report_give_up(struct zr_cascade *call, uint8_t outcome)
{
    const int result = zrc_cascade_next(call, outcome);

    if (result == 0) {
        zrc_cascade_drop_leg(call);
    }
    return result;
}

/* The answered leg is over: now, or when the request in flight is answered. */
static int
report_end(struct zr_cascade *call, const struct zr_end_request *end)
{
    CHECK(!call->end_wished);
    if (call->state == ZRC_CASCADE_TALKING) {
        return zrc_cascade_end(call, end);
    }
    call->end = *end;
    call->end_wished = true;
    return 0;
}

/* END of the answered leg, to be filled in: talk is the largest that was reported. */
static struct zr_end_request
report_make_end(struct zr_cascade *call, uint8_t who, uint32_t talk_ms)
{
    struct zr_cascade_leg *const leg = zrc_cascade_leg(call);
    struct zr_end_request end = call->end;

    if (talk_ms > leg->talk_ms) {
        leg->talk_ms = talk_ms;
    }
    end.talk_ms = leg->talk_ms;
    end.who_hung_up = who;
    return end;
}

int
zr_call_progress(struct zr_cascade *call, uint8_t leg, int sip_code)
{
    const uint8_t outcome = zr_sip_outcome(sip_code);
    const int result = report_judge(call, leg, IN(ZRC_CASCADE_RINGING));

    if (sip_code < SIP_PROGRESS_MIN || sip_code > SIP_PROGRESS_MAX) {
        return ZR_EINVAL;
    }
    if (result != 0) {
        return result;
    }
    if (outcome != 0) {
        return report_give_up(call, outcome);
    }
    if ((sip_code == SIP_RINGING || sip_code == SIP_SESSION_PROGRESS) && !call->alerted) {
        call->alerted = true;
        call->rung_ns = zrc_now_ns();
    }
    return 0;
}

int
zr_call_answered(struct zr_cascade *call, uint8_t leg, uint64_t answered_at_ms)
{
    const int result = report_judge(call, leg, IN(ZRC_CASCADE_RINGING));

    return result != 0 ? result : zrc_cascade_connect(call, answered_at_ms);
}

int
zr_call_failed(struct zr_cascade *call, uint8_t leg, int sip_code)
{
    const uint8_t outcome = zr_sip_outcome(sip_code);
    int result = report_judge(call, leg, IN(ZRC_CASCADE_RINGING));

    if (sip_code < SIP_FINAL_MIN || outcome == 0) {
        return ZR_EINVAL;
    }
    if (result == 0) {
        result = zrc_cascade_next(call, outcome);
        call->leg_lives = result != 0; /* It ended by itself. */
    }
    return result;
}

int
zr_call_timeout(struct zr_cascade *call, uint8_t leg)
{
    const int result = report_judge(call, leg, IN(ZRC_CASCADE_RINGING));

    return result != 0 ? result : report_give_up(call, ZR_OUTCOME_NO_ANSWER);
}

int
zr_call_voicemail(struct zr_cascade *call, uint8_t leg)
{
    struct zr_end_request end;
    int result = report_judge(call, leg, IN(ZRC_CASCADE_RINGING) | IN_ANSWERED);

    if (result != 0) {
        return result;
    }
    if (call->state == ZRC_CASCADE_RINGING) {
        return report_give_up(call, ZR_OUTCOME_VOICEMAIL);
    }
    end = report_make_end(call, ZR_HUNG_UP_NETWORK, 0);
    end.voicemail = true;
    end.caller_stays = true;
    result = report_end(call, &end);
    if (result == 0) {
        zrc_cascade_drop_leg(call);
    }
    return result;
}

/*
 * KEEPALIVE proves as much as QUALIFY, and restarts the clock of the leg's concurrency unit as
 * well: where it was promised, a report that is no news must do that too (M3 "unit_ttl").
 */
static uint16_t
report_talk_op(const struct zr_cascade *call)
{
    const struct zr_hello_reply *const hello = zr_client_hello(call->client);
    const bool promised = hello != NULL && (hello->features & ZR_FEATURE_KEEPALIVE) != 0;

    return promised || call->server_state == ZR_CALL_QUALIFIED ? ZR_OP_KEEPALIVE : ZR_OP_QUALIFY;
}

int
zr_call_talk(struct zr_cascade *call, uint8_t leg, uint32_t talk_ms)
{
    int result = report_judge(call, leg, IN_ANSWERED);

    if (result != 0) {
        return result;
    }
    if (call->state == ZRC_CASCADE_TALKING) {
        result = zrc_cascade_talk(call, report_talk_op(call), talk_ms);
    }
    if (result == 0 && talk_ms > call->legs[leg].talk_ms) {
        call->legs[leg].talk_ms = talk_ms;
        call->end.talk_ms = talk_ms;
    }
    return result;
}

int
zr_call_hangup(struct zr_cascade *call, uint8_t leg, uint8_t who, uint32_t talk_ms,
               int caller_stays)
{
    struct zr_end_request end;
    int result = report_judge(call, leg, IN_ANSWERED);

    if (who < ZR_HUNG_UP_UNKNOWN || who > ZR_MAX_hung_up ||
        (caller_stays != 0 && who == ZR_HUNG_UP_CALLER)) {
        return ZR_EINVAL;
    }
    if (result != 0) {
        return result;
    }
    end = report_make_end(call, who, talk_ms);
    /* After a whole talk the caller has been served: his line is up a moment longer, that is all.
     */
    end.caller_stays = caller_stays != 0 && end.talk_ms < call->legs[leg].qualify_ms;
    result = report_end(call, &end);
    if (result == 0) {
        call->leg_lives = false;
    }
    return result;
}

/* The caller gave up while a leg is answered: its END says so, and nobody else is rung. */
static int
cancel_answered(struct zr_cascade *call)
{
    struct zr_end_request end;
    int result;

    if (call->end_wished) {
        /* The leg was over before: it is told as it was, but the cascade does not go on. */
        call->end.caller_stays = false;
        call->cancelled = true;
        return 0;
    }
    end = report_make_end(call, ZR_HUNG_UP_CALLER, 0);
    result = report_end(call, &end);
    if (result == 0) {
        call->cancelled = true;
        zrc_cascade_drop_leg(call);
    }
    return result;
}

static int
cancel_ringing(struct zr_cascade *call)
{
    const int result = zrc_cascade_abandon(call);

    if (result == 0) {
        call->cancelled = true;
        zrc_cascade_leg(call)->outcome = ZR_OUTCOME_CALLER_CANCELLED;
        zrc_cascade_drop_leg(call);
    }
    return result;
}

int
zr_call_cancel(struct zr_cascade *call)
{
    if (call == NULL) {
        return ZR_EINVAL;
    }
    switch (call->state) {
    case ZRC_CASCADE_RINGING:
        return cancel_ringing(call);
    case ZRC_CASCADE_CONNECTING:
    case ZRC_CASCADE_TALKING:
    case ZRC_CASCADE_QUALIFYING:
        return cancel_answered(call);
    case ZRC_CASCADE_ROUTING:
    case ZRC_CASCADE_ASKING:
    case ZRC_CASCADE_ENDING:
        call->cancelled = true;
        return 0;
    case ZRC_CASCADE_ABANDONING:
        return 0;
    case ZRC_CASCADE_DONE:
        break;
    }
    return ZR_ECANCELED;
}
