/*
 * route.c - ROUTE: a call comes in. See route.h.
 */
#include "server/handlers/route.h"

#include "protocol/check.h"
#include "server/handlers/attempts.h"
#include "server/handlers/deciding.h"
#include "server/handlers/dispatch.h"

#include <string.h>
#include <xxhash.h>

enum { RETRY_AFTER_MS = 100, SCREENING_BITS = 7, ATTESTATION_MAX = 3 };

/* The first wrong field, or NULL. */
static const char *
route_wrong_field(const struct zr_route_request *route)
{
    if (route->zips_count < 1 || route->zips_count > ZR_ZIPS_MAX) {
        return "zips_count";
    }
    for (int i = route->zips_count; i < ZR_ZIPS_MAX; i++) {
        if (route->zips[i] != 0) {
            return "zips";
        }
    }
    if (route->caller_kind == ZR_CALLER_WITHHELD && route->caller != 0) {
        return "caller";
    }
    if (route->screening > SCREENING_BITS) {
        return "screening";
    }
    if (route->attestation > ATTESTATION_MAX) {
        return "attestation";
    }
    if (route->want < 1 || route->want > TICKET_CANDIDATES_MAX) {
        return "want";
    }
    return route->flags > ROUTE_FLAGS ? "flags" : NULL;
}

/* R8, E29: every ZIP exists, and the category is offered in each. */
static uint16_t
route_judge_places(const struct cache *catalogue, const struct zr_route_request *route)
{
    for (uint8_t i = 0; i < route->zips_count; i++) {
        if (!cache_zip_is_known(catalogue, route->zips[i])) {
            return ZR_STATUS_UNKNOWN_ZIP;
        }
    }
    for (uint8_t i = 0; i < route->zips_count; i++) {
        if (!cache_is_offered(catalogue, route->zips[i], route->category)) {
            return ZR_STATUS_NOT_OFFERED;
        }
    }
    return ZR_STATUS_OK;
}

/* R41: several candidate ZIPs are one only if they ring the same contractors at the same rates. */
static bool
route_needs_address(struct service *service, const struct zr_route_request *route)
{
    struct policy_row first_policy;
    struct policy_row policy;
    struct slot_row first;
    struct slot_row other;

    if (route->zips_count == 1 || (route->flags & ROUTE_FLAG_CONFIRMED) != 0) {
        return false;
    }
    service_slot(service, route->zips[0], route->category, &first);
    service_policy(service, route->zips[0], route->category, &first_policy);
    for (uint8_t i = 1; i < route->zips_count; i++) {
        service_slot(service, route->zips[i], route->category, &other);
        service_policy(service, route->zips[i], route->category, &policy);
        if (!slot_same_cascade(&first, &other) || first_policy.version != policy.version) {
            return true;
        }
    }
    return false;
}

/* What makes two ROUTEs of a call the same question (E31). */
static uint64_t
route_inputs(const struct request *request)
{
    return XXH3_64bits(request->frame + ZR_HEADER_BYTES, request->header.size - ZR_HEADER_BYTES);
}

/* R18: a SWITCH's screening bits count only where a CALLCENTER of its tenant set them before. */
static uint8_t
route_screening(const struct request *request, const struct zr_route_request *route,
                struct remembered_call *call)
{
    if (request->session->role == ZR_ROLE_CALLCENTER) {
        if (call != NULL) {
            call->screening = route->screening;
        }
        return route->screening;
    }
    return call == NULL ? 0 : (uint8_t)(call->screening & route->screening);
}

static uint64_t
caller_hash(struct service *service, const struct zr_route_request *route)
{
    if (route->caller_kind == ZR_CALLER_WITHHELD || route->caller == 0) {
        return 0; /* E51: no duplicate detection without a number. */
    }
    return mac_hash_number(service->mac, service->caller_key, route->caller);
}

/* Policy wants a better attestation (E40), or the operator wants no call of this number. */
static bool
route_is_blocked(struct service *service, const struct zr_route_request *route)
{
    struct policy_row policy;
    uint32_t version;

    service_policy(service, route->zips[0], route->category, &policy);
    if (!eligibility_is_attested(route->attestation, policy.attestation_min)) {
        return true;
    }
    return service_catalogue(service)->suppresses && route->caller != 0 &&
           state_suppress_get(service_snapshot(service), route->caller, &version);
}

/* The name of a call that is not in memory: the index has it, or will soon (names.h). */
static bool
route_find_name(struct service *service, uint32_t tenant, const struct zr_id *call_id,
                struct zr_id *call_ref)
{
    return state_call_find(service_snapshot(service), tenant, call_id, call_ref) ||
           names_find(service->names, tenant, call_id, call_ref);
}

/* What the call's row says; it has one from its first CONNECT or END on, and not before. */
static uint16_t
route_judge_row(struct service *service, const struct request *request,
                const struct zr_route_request *route)
{
    struct zr_id call_ref;
    struct call_row row;

    if (!route_find_name(service, request->session->tenant, &route->call_id, &call_ref) ||
        !state_call_get(service_snapshot(service), &call_ref, &row)) {
        return ZR_STATUS_OK;
    }
    return row.state == ZR_CALL_ABANDONED ? ZR_STATUS_ABANDONED : ZR_STATUS_CALL_CONNECTED;
}

/*
 * The call as memory has it, else the table (NULL: not in memory): ABANDONED once the caller gave
 * up (E34), CALL_CONNECTED once it was connected or is over. Who has talked to the caller is not
 * offered again (E32); only ROUTE_NEXT goes on.
 */
static uint16_t
route_judge_call(struct service *service, const struct request *request,
                 const struct zr_route_request *route, const struct remembered_call *call)
{
    if (call == NULL) {
        return route_judge_row(service, request, route);
    }
    if (call->state == REMEMBERED_ABANDONED) {
        return ZR_STATUS_ABANDONED;
    }
    return call->connected_once || call->state > REMEMBERED_RINGING ? ZR_STATUS_CALL_CONNECTED
                                                                    : ZR_STATUS_OK;
}

/* Remember a new call; OVERLOADED when no more can be. */
static uint16_t
route_add_call(struct service *service, const struct request *request,
               const struct zr_route_request *route, struct remembered_call **call)
{
    *call = calls_add(service->calls, request->session->tenant, &route->call_id,
                      clock_now_ms(service->options.clock));
    return *call == NULL ? ZR_STATUS_OVERLOADED : ZR_STATUS_OK;
}

static void
deciding_begin(struct service *service, struct deciding *deciding, const struct request *request,
               const struct zr_route_request *route, struct remembered_call *call)
{
    const bool known = call != NULL && call->state != 0;
    uint8_t attempts_left;

    deciding->request = request;
    deciding->now_ms = clock_now_ms(service->options.clock);
    deciding->hold = call != NULL;
    deciding->explain = (route->flags & ROUTE_FLAG_EXPLAIN) != 0;
    deciding->want = route->want;
    deciding->ticket = (struct ticket){
        .call_id = route->call_id,
        .call_ref = known ? call->call_ref : deciding_call_ref(service, deciding->now_ms),
        .tenant = request->session->tenant,
        .zip = route->zips[0],
        .category = route->category,
        .caller_hash = caller_hash(service, route),
        .attestation = route->attestation,
        .screened = route_screening(request, route, call),
        .revision = known ? (uint8_t)(call->revision + (call->revision < UINT8_MAX)) : 0,
    };
    if (known) {
        attempts_carry(call, &deciding->ticket); /* E32, E33 */
    }
    service_policy(service, route->zips[0], route->category, &deciding->policy);
    /* Attempts of a call are bounded as a whole: a ticket never offers one too many. The slot may
     * be another one now, or its policy narrower: then the call may have had them all already. */
    attempts_left = deciding->policy.max_attempts > deciding->ticket.attempt
                        ? (uint8_t)(deciding->policy.max_attempts - deciding->ticket.attempt)
                        : 0;
    if (deciding->want > attempts_left) {
        deciding->want = attempts_left;
    }
}

/* A refusal before there was a decision: no candidates, no ticket. */
static enum frame_verdict
route_refuse(struct service *service, const struct request *request, uint16_t status,
             struct zr_builder *reply)
{
    struct zr_route_reply *answer = &service->reply.route_reply;

    memset(answer, 0, sizeof *answer);
    if (status == ZR_STATUS_NEED_ADDRESS) {
        memcpy(answer->zips, service->request.route_request.zips, sizeof answer->zips);
    }
    return dispatch_reply(request, reply, status, 0, answer);
}

/* No attempt or no time is left for this call; those that it had are listed (E37). */
static enum frame_verdict
route_exhausted(struct service *service, const struct request *request,
                const struct deciding *deciding, struct zr_builder *reply)
{
    struct zr_route_reply *answer = &service->reply.route_reply;

    memset(answer, 0, sizeof *answer);
    answer->call_ref = deciding->ticket.call_ref;
    answer->zips[0] = deciding->ticket.zip;
    answer->revision = deciding->ticket.revision;
    answer->attempt = deciding->ticket.attempt;
    attempts_list(answer, &deciding->ticket);
    return dispatch_reply(request, reply, ZR_STATUS_EXHAUSTED, 0, answer);
}

static enum frame_verdict
route_decide(struct service *service, const struct request *request,
             const struct zr_route_request *route, struct remembered_call *call,
             struct zr_builder *reply)
{
    struct deciding deciding;
    enum frame_verdict verdict;
    uint16_t status;

    deciding_begin(service, &deciding, request, route, call);
    if (deciding.want == 0 || deciding_budget_is_over(&deciding)) {
        return route_exhausted(service, request, &deciding, reply);
    }
    status = deciding_run(service, &deciding, ZR_STATUS_NO_COVERAGE, call);
    verdict = dispatch_reply(request, reply, status, 0, &service->reply);
    if (call != NULL) {
        call->inputs = route_inputs(request);
        deciding_remember(service, &deciding, call, status, reply);
    }
    return verdict;
}

/*
 * The same question again, the newest ticket still alive: the same answer, before any rule is asked
 * (E31). Screening that a CALLCENTER adds is news, though a SWITCH had said the same (R18).
 */
static bool
route_is_repeat(const struct service *service, const struct request *request,
                const struct zr_route_request *route, const struct remembered_call *call)
{
    const bool screens = request->session->role == ZR_ROLE_CALLCENTER;

    return call->reply_bytes > 0 && call->state == REMEMBERED_RINGING && !call->connected_once &&
           call->inputs == route_inputs(request) &&
           (!screens || call->screening == route->screening) &&
           clock_now_ms(service->options.clock) < call->expires_ms;
}

enum frame_verdict
route_handle(struct service *service, const struct request *request, struct zr_builder *reply)
{
    const struct zr_route_request *route = &service->request.route_request;
    const bool hold = (route->flags & ROUTE_FLAG_HOLD) != 0;
    struct remembered_call *call = NULL;
    const char *wrong = route_wrong_field(route);
    uint16_t status;

    if (wrong != NULL) {
        return dispatch_reply(request, reply, ZR_STATUS_INVALID_FIELD,
                              zr_shape_offset_of(&zr_route_request_shape, wrong), NULL);
    }
    if (hold) {
        call = calls_find(service->calls, request->session->tenant, &route->call_id);
    }
    if (call != NULL && route_is_repeat(service, request, route, call)) {
        return dispatch_repeat(request, call, reply);
    }
    status = route_judge_places(service_catalogue(service), route);
    if (status == ZR_STATUS_OK) {
        cascades_prefetch(service->options.cascades, route->zips[0], route->category);
    }
    if (status == ZR_STATUS_OK && route_needs_address(service, route)) {
        status = ZR_STATUS_NEED_ADDRESS;
    }
    if (status == ZR_STATUS_OK && route_is_blocked(service, route)) {
        service->calls_blocked++;
        status = ZR_STATUS_BLOCKED;
    }
    if (status == ZR_STATUS_OK && hold) {
        status = route_judge_call(service, request, route, call);
    }
    if (status == ZR_STATUS_OK && hold && call == NULL) {
        status = route_add_call(service, request, route, &call);
    }
    if (status == ZR_STATUS_OVERLOADED) {
        service->overloads++;
        return dispatch_reply(request, reply, status, RETRY_AFTER_MS, NULL);
    }
    if (status != ZR_STATUS_OK) {
        return route_refuse(service, request, status, reply);
    }
    return route_decide(service, request, route, call, reply);
}
