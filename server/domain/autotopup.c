/*
 * autotopup.c - see autotopup.h.
 */
#include "server/domain/autotopup.h"

#include "protocol/check.h"
#include "server/domain/event.h"
#include "server/domain/funds.h"
#include "server/domain/localtime.h"
#include "server/domain/people.h"
#include "server/domain/timer.h"
#include "server/domain/topup.h"

#include <string.h>

enum { ROUNDS_MAX = 3, ATTEMPT_SHIFT = 32 };

#define HOUR_MS UINT64_C(3600000)

/* ---- the month ------------------------------------------------------------------------------- */

/* The owner's local month; *end_ms is when it is over. */
static int32_t
month_now(struct state *state, const struct command *command, uint32_t contractor,
          const struct contractor_row *row, uint64_t *end_ms)
{
    const uint8_t zone = contractor_zone(state, contractor, row, command->time_ms);
    struct local_time local;

    localtime_at(&local, zone, command->time_ms);
    *end_ms = localtime_month_start_ms(zone, local.month + 1);
    return local.month;
}

/* A new month begins with nothing used but what is outstanding, for it may still be credited. */
static void
month_turn(struct autotopup_row *row, int32_t month)
{
    /* Never back, which a move to another zone could do: the month would count anew (I13). */
    if (row->month < month) {
        row->month = month;
        row->month_cents = row->state == ZR_TOPUP_STATE_PENDING ? row->attempt_cents : 0;
        row->limit_told = 0;
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void
event_about(struct state *state, const struct command *command, const struct autotopup_row *row,
            struct event_row event)
{
    event.number = row->attempt_id;
    event.amount_cents = row->attempt_cents;
    event_emit(state, command, &event);
}

static void
retry_set(struct state *state, uint32_t contractor, struct autotopup_row *row, uint64_t retry_ms)
{
    row->retry_ms = retry_ms;
    timer_set(state, retry_ms,
              &(struct timer_row){
                  .deadline_ms = retry_ms, .contractor = contractor, .kind = TIMER_TOPUP});
}

static void
attempt_begin(struct state *state, const struct command *command, uint32_t contractor,
              struct autotopup_row *row)
{
    const uint64_t first = (uint64_t)contractor << ATTEMPT_SHIFT;
    const struct topup_row attempt = {.amount_cents = row->amount_cents,
                                      .asked_ms = command->time_ms};

    CHECK(row->state != ZR_TOPUP_STATE_PENDING); /* I13 */
    CHECK(row->method < row->methods_count);
    row->attempt_id = (row->attempt_id == 0 ? first : row->attempt_id) + 1;
    CHECK(row->attempt_id >> ATTEMPT_SHIFT == contractor);
    row->attempt_ms = command->time_ms;
    row->attempt_cents = row->amount_cents;
    row->retry_ms = 0;
    row->month_cents += row->amount_cents;
    row->state = ZR_TOPUP_STATE_PENDING;
    state_topup_put(state, row->attempt_id, &attempt);
    event_about(state, command, row,
                (struct event_row){.contractor = contractor,
                                   .type = ZR_EVENT_TOPUP_REQUESTED,
                                   .code = row->method});
}

void
autotopup_request(struct state *state, const struct command *command, uint32_t contractor,
                  struct wallet_row *wallet)
{
    struct contractor_row owner;
    struct autotopup_row row;
    uint64_t month_end_ms;
    int32_t month;

    wallet->topup_below_cents = INT64_MIN;
    if (!state_autotopup_get(state, contractor, &row) || !row.enabled ||
        row.state != ZR_TOPUP_STATE_IDLE || !state_contractor_get(state, contractor, &owner) ||
        owner.status == ZR_CONTRACTOR_CLOSING || owner.status == ZR_CONTRACTOR_CLOSED) {
        return;
    }
    month = month_now(state, command, contractor, &owner, &month_end_ms);
    month_turn(&row, month);
    if (row.monthly_max_cents == 0 || row.month_cents + row.amount_cents <= row.monthly_max_cents) {
        attempt_begin(state, command, contractor, &row);
    } else {
        retry_set(state, contractor, &row, month_end_ms); /* E58 */
        if (!row.limit_told) {
            row.limit_told = 1;
            event_emit(state, command,
                       &(struct event_row){.contractor = contractor,
                                           .amount_cents = row.monthly_max_cents,
                                           .deadline_ms = month_end_ms,
                                           .type = ZR_EVENT_TOPUP_LIMIT});
        }
    }
    state_autotopup_put(state, contractor, &row);
}

bool
autotopup_is_pending(struct state *state, uint32_t contractor)
{
    struct autotopup_row row;

    return state_autotopup_get(state, contractor, &row) && row.state == ZR_TOPUP_STATE_PENDING;
}

/*
 * Put a row that may have become IDLE, and have the wallet judge whether it is needed right now:
 * that it is put is what asks. The row goes first, for it is read from there.
 */
static void
autotopup_write(struct state *state, const struct command *command, uint32_t contractor,
                const struct autotopup_row *row, struct wallet_row *wallet)
{
    const bool may_ask = row->enabled && row->state == ZR_TOPUP_STATE_IDLE;

    state_autotopup_put(state, contractor, row);
    funds_wallet_watch(wallet, may_ask ? row->threshold_cents : INT64_MIN);
    funds_wallet_put(state, command, contractor, wallet);
}

bool
autotopup_timer(struct state *state, const struct command *command, const struct timer_row *timer)
{
    struct autotopup_row row;
    struct wallet_row wallet;

    CHECK(timer->kind == TIMER_TOPUP);
    if (!state_autotopup_get(state, timer->contractor, &row) ||
        row.retry_ms != timer->deadline_ms) {
        return false;
    }
    CHECK(row.state == ZR_TOPUP_STATE_FAILED || row.state == ZR_TOPUP_STATE_IDLE);
    row.retry_ms = 0;
    row.state = ZR_TOPUP_STATE_IDLE;
    state_wallet_get(state, timer->contractor, &wallet);
    autotopup_write(state, command, timer->contractor, &row, &wallet);
    return true;
}

/* ---- the owner's wishes ---------------------------------------------------------------------- */

/* The first wrong field, or NULL. */
static const char *
autotopup_wrong_field(const struct zr_autotopup_put_request *request)
{
    if (request->threshold_cents < 0 || request->threshold_cents > TOPUP_MAX_CENTS) {
        return "threshold_cents";
    }
    if (request->amount_cents > TOPUP_MAX_CENTS) {
        return "amount_cents";
    }
    if (request->monthly_max_cents < 0) {
        return "monthly_max_cents";
    }
    for (uint16_t i = 0; i < request->methods_count; i++) {
        if (request->methods[i].method[0] == '\0') {
            return "methods";
        }
    }
    return request->enabled && request->methods_count == 0 ? "methods" : NULL;
}

/* It starts afresh, but for an attempt that is outstanding: its money may be on the way (I13). */
static void
autotopup_fill(struct autotopup_row *row, const struct zr_autotopup_put_request *request)
{
    row->threshold_cents = request->threshold_cents;
    row->amount_cents = request->amount_cents;
    row->monthly_max_cents = request->monthly_max_cents;
    row->enabled = request->enabled;
    row->failures = 0;
    row->method = 0;
    row->retry_ms = 0;
    row->methods_count = (uint8_t)request->methods_count;
    memset(row->methods, 0, sizeof row->methods);
    for (uint16_t i = 0; i < request->methods_count; i++) {
        memcpy(row->methods[i], request->methods[i].method, sizeof row->methods[i]);
    }
    if (row->state != ZR_TOPUP_STATE_PENDING) {
        row->state = row->enabled ? ZR_TOPUP_STATE_IDLE : ZR_TOPUP_STATE_DISABLED;
    }
    row->version++;
}

uint16_t
autotopup_put_apply(struct state *state, const struct command *command,
                    const struct zr_autotopup_put_request *request, struct zr_put_reply *reply,
                    struct effects *effects)
{
    const char *wrong = autotopup_wrong_field(request);
    struct contractor_row contractor;
    struct autotopup_row row = {0};
    struct wallet_row wallet;

    if (wrong != NULL) {
        return command_invalid(effects, &zr_autotopup_put_request_shape, wrong);
    }
    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    (void)state_autotopup_get(state, request->contractor, &row);
    reply->version = row.version;
    if (row.version != request->expected_version) {
        return ZR_STATUS_VERSION_CONFLICT;
    }
    if (contractor.status == ZR_CONTRACTOR_CLOSING || contractor.status == ZR_CONTRACTOR_CLOSED) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    if (request->amount_cents < TOPUP_MIN_CENTS) {
        return ZR_STATUS_MIN_AMOUNT;
    }
    autotopup_fill(&row, request);
    state_wallet_get(state, request->contractor, &wallet);
    autotopup_write(state, command, request->contractor, &row, &wallet);
    reply->version = row.version;
    reply->commit_seq = command->seq;
    return ZR_STATUS_OK;
}

uint16_t
autotopup_get(struct state *state, const struct command *command,
              const struct zr_profile_get_request *request, struct zr_autotopup_get_reply *reply)
{
    struct autotopup_row row = {.state = ZR_TOPUP_STATE_DISABLED};
    struct contractor_row contractor;
    uint64_t month_end_ms;

    if (!state_contractor_get(state, request->contractor, &contractor) ||
        !command_owns(command, request->contractor, &contractor)) {
        return ZR_STATUS_NOT_FOUND;
    }
    if (state_autotopup_get(state, request->contractor, &row)) {
        month_turn(&row,
                   month_now(state, command, request->contractor, &contractor, &month_end_ms));
    }
    *reply = (struct zr_autotopup_get_reply){
        .threshold_cents = row.threshold_cents,
        .amount_cents = row.amount_cents,
        .monthly_max_cents = row.monthly_max_cents,
        .month_cents = row.month_cents,
        .attempt_id = row.attempt_id,
        .retry_ms = row.retry_ms,
        .contractor = request->contractor,
        .version = row.version,
        .state = row.state,
        .failures = row.failures,
        .method = row.method,
        .methods_count = row.methods_count,
    };
    for (uint8_t i = 0; i < row.methods_count; i++) {
        memcpy(reply->methods[i].method, row.methods[i], sizeof row.methods[i]);
    }
    return ZR_STATUS_OK;
}

/* ---- the verdict ----------------------------------------------------------------------------- */

/* A TOPUP_RESULT under judgement. */
struct verdict {
    struct state *state;
    const struct command *command;
    const struct zr_topup_result_request *request;
    struct zr_topup_reply *reply;
    uint32_t contractor;
    struct contractor_row owner;
    struct autotopup_row row;
    struct topup_row attempt;
};

static void
verdict_reply(struct verdict *verdict, const struct wallet_row *wallet)
{
    *verdict->reply = (struct zr_topup_reply){
        .commit_seq = verdict->attempt.commit_seq,
        .transfer_id = verdict->attempt.transfer_id,
        .contractor = verdict->contractor,
        .posted_cents = wallet_posted_cents(wallet),
    };
}

/* Everything that the attempt names; the month is turned. NOT_FOUND: nobody asked for it. */
static uint16_t
verdict_find(struct verdict *verdict)
{
    struct state *state = verdict->state;
    const uint64_t attempt_id = verdict->request->attempt_id;
    uint64_t month_end_ms;

    verdict->contractor = (uint32_t)(attempt_id >> ATTEMPT_SHIFT);
    if (attempt_id == 0 || !state_topup_get(state, attempt_id, &verdict->attempt) ||
        !state_autotopup_get(state, verdict->contractor, &verdict->row) ||
        !state_contractor_get(state, verdict->contractor, &verdict->owner)) {
        return ZR_STATUS_NOT_FOUND;
    }
    month_turn(&verdict->row, month_now(state, verdict->command, verdict->contractor,
                                        &verdict->owner, &month_end_ms));
    return ZR_STATUS_OK;
}

/* The attempt's own verdict, unless a newer attempt stands in the row by now. */
static bool
verdict_is_current(const struct verdict *verdict)
{
    return verdict->row.attempt_id == verdict->request->attempt_id;
}

/*
 * Failed: the next method at once; after the last one 1 h, then 24 h, from the first method on;
 * after the third round it is given up (R65).
 */
static void
verdict_fail(struct verdict *verdict)
{
    struct autotopup_row *row = &verdict->row;
    struct wallet_row wallet;
    int rounds;

    CHECK(row->state == ZR_TOPUP_STATE_PENDING);
    CHECK(verdict_is_current(verdict));
    row->month_cents -= row->attempt_cents;
    row->failures++;
    row->state = ZR_TOPUP_STATE_DISABLED;
    if (row->enabled) {
        CHECK(row->methods_count > 0);
        rounds = row->failures / row->methods_count;
        row->method = row->failures % row->methods_count;
        if (row->method != 0) {
            row->state = ZR_TOPUP_STATE_IDLE;
        } else if (rounds < ROUNDS_MAX) {
            row->state = ZR_TOPUP_STATE_FAILED;
            retry_set(verdict->state, verdict->contractor, row,
                      verdict->command->time_ms + (rounds == 1 ? HOUR_MS : 24 * HOUR_MS));
        } else {
            row->enabled = 0;
            event_about(verdict->state, verdict->command, row,
                        (struct event_row){.contractor = verdict->contractor,
                                           .type = ZR_EVENT_TOPUP_FAILED,
                                           .code = row->failures});
        }
    }
    verdict->attempt.commit_seq = verdict->command->seq;
    state_topup_put(verdict->state, verdict->request->attempt_id, &verdict->attempt);
    state_wallet_get(verdict->state, verdict->contractor, &wallet);
    autotopup_write(verdict->state, verdict->command, verdict->contractor, row, &wallet);
    verdict_reply(verdict, &wallet);
}

/* The row after a credit. One that is outstanding beside it stays so: it has its own verdict. */
static void
row_succeed(struct verdict *verdict)
{
    struct autotopup_row *row = &verdict->row;
    const bool pending = row->state == ZR_TOPUP_STATE_PENDING;

    if (!verdict_is_current(verdict) || !pending) {
        row->month_cents += verdict->attempt.amount_cents; /* It had been taken for failed. */
    }
    if (pending && !verdict_is_current(verdict)) {
        return;
    }
    row->state = row->enabled ? ZR_TOPUP_STATE_IDLE : ZR_TOPUP_STATE_DISABLED;
    row->failures = 0;
    row->method = 0;
    row->retry_ms = 0;
}

static uint16_t
verdict_succeed(struct verdict *verdict)
{
    struct zr_topup_request topup = {.amount_cents = verdict->attempt.amount_cents,
                                     .contractor = verdict->contractor};
    struct event_row event = {.number = verdict->request->attempt_id,
                              .amount_cents = verdict->attempt.amount_cents,
                              .contractor = verdict->contractor,
                              .type = ZR_EVENT_TOPUP_DONE};
    struct wallet_row wallet;
    uint16_t status;

    _Static_assert(sizeof topup.provider_ref == sizeof verdict->request->provider_ref,
                   "one reference");
    memcpy(topup.provider_ref, verdict->request->provider_ref, sizeof topup.provider_ref);
    status = topup_judge_ref(verdict->state, &topup, verdict->reply);
    if (status != ZR_STATUS_NOT_FOUND && status != ZR_STATUS_OK) {
        return status;
    }
    if (verdict->owner.status == ZR_CONTRACTOR_CLOSING ||
        verdict->owner.status == ZR_CONTRACTOR_CLOSED) {
        return ZR_STATUS_ACCOUNT_CLOSED;
    }
    row_succeed(verdict);
    state_wallet_get(verdict->state, verdict->contractor, &wallet);
    /* I14: the payment may have come by TOPUP already; then the attempt is done by that. */
    verdict->attempt.transfer_id =
        status == ZR_STATUS_OK ? verdict->reply->transfer_id
                               : topup_post(verdict->state, verdict->command, &wallet, &topup);
    verdict->attempt.commit_seq = verdict->command->seq;
    state_topup_put(verdict->state, verdict->request->attempt_id, &verdict->attempt);
    event_emit(verdict->state, verdict->command, &event);
    autotopup_write(verdict->state, verdict->command, verdict->contractor, &verdict->row, &wallet);
    verdict_reply(verdict, &wallet);
    return ZR_STATUS_OK;
}

/* Told before: "ok" after "ok" of another payment is none of this attempt's. */
static uint16_t
verdict_repeat(struct verdict *verdict, struct effects *effects)
{
    const struct zr_topup_result_request *request = verdict->request;
    struct wallet_row wallet;
    uint64_t transfer_id;

    state_wallet_get(verdict->state, verdict->contractor, &wallet);
    verdict_reply(verdict, &wallet);
    if (request->ok &&
        (!state_provider_ref_get(verdict->state, request->provider_ref, &transfer_id) ||
         transfer_id != verdict->attempt.transfer_id)) {
        return ZR_STATUS_DUPLICATE_REF;
    }
    effects->duplicate = true;
    return ZR_STATUS_OK;
}

uint16_t
autotopup_result_apply(struct state *state, const struct command *command,
                       const struct zr_topup_result_request *request, struct zr_topup_reply *reply,
                       struct effects *effects)
{
    struct verdict verdict = {
        .state = state, .command = command, .request = request, .reply = reply};
    uint16_t status;

    if (request->ok && request->provider_ref[0] == '\0') {
        return command_invalid(effects, &zr_topup_result_request_shape, "provider_ref");
    }
    status = verdict_find(&verdict);
    if (status != ZR_STATUS_OK) {
        return status;
    }
    if (verdict.attempt.transfer_id != 0 || (verdict.attempt.commit_seq != 0 && !request->ok)) {
        return verdict_repeat(&verdict, effects);
    }
    if (request->ok) {
        return verdict_succeed(&verdict);
    }
    verdict_fail(&verdict);
    return ZR_STATUS_OK;
}
