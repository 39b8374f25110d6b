/*
 * domain_titles.c - see domain_titles.h.
 */
#include "tests/lib/domain_titles.h"

#include "protocol/check.h"
#include "server/domain/condition.h"

/* ---- commands ---------------------------------------------------------------------------- */

uint64_t
dt_claim(struct domain_world *world, uint32_t contractor)
{
    const struct zr_claim_result *result = dw_claim(world, contractor);

    assert_int_equal(result->status, ZR_STATUS_OK);
    return result->claim_id;
}

struct dt_cascade
dt_cascade(struct domain_world *world, int count)
{
    struct dt_cascade cascade = {{0}, {0}};

    CHECK(count <= DT_CASCADE_MAX);
    for (int i = 0; i < count; i++) {
        cascade.contractors[i] = dw_contractor(world, DT_MONEY);
        cascade.claims[i] = dt_claim(world, cascade.contractors[i]);
    }
    return cascade;
}

struct dt_cascade
dt_pair(struct domain_world *world, int64_t cents)
{
    struct dt_cascade cascade = {{0}, {0}};

    cascade.contractors[0] = dw_contractor(world, cents);
    cascade.claims[0] = dt_claim(world, cascade.contractors[0]);
    cascade.contractors[1] = dw_contractor(world, DT_MONEY);
    cascade.claims[1] = dt_claim(world, cascade.contractors[1]);
    return cascade;
}

uint16_t
dt_release(struct domain_world *world, uint64_t claim_id, uint8_t when)
{
    const struct zr_release_request request = {.claim_id = claim_id, .when = when};

    return dw_run(world, dw_portal, ZR_OP_RELEASE, &request);
}

uint16_t
dt_pause(struct domain_world *world, uint64_t claim_id, uint32_t contractor)
{
    const struct zr_pause_request request = {.claim_id = claim_id, .contractor = contractor};

    return dw_run(world, dw_portal, ZR_OP_PAUSE, &request);
}

uint16_t
dt_resume(struct domain_world *world, uint64_t claim_id, uint32_t contractor)
{
    const struct zr_resume_request request = {.claim_id = claim_id, .contractor = contractor};

    return dw_run(world, dw_portal, ZR_OP_RESUME, &request);
}

uint16_t
dt_answer(struct domain_world *world, uint64_t offer_id, bool accept)
{
    const struct zr_offer_reply_request request = {.offer_id = offer_id, .accept = accept};

    return dw_run(world, dw_portal, ZR_OP_OFFER_REPLY, &request);
}

uint16_t
dt_join(struct domain_world *world, uint32_t contractor)
{
    const struct zr_waitlist_request request = {
        .contractor = contractor, .zip = DW_ZIP, .category = DW_CATEGORY};

    return dw_run(world, dw_portal, ZR_OP_WAITLIST_JOIN, &request);
}

uint16_t
dt_leave(struct domain_world *world, uint32_t contractor)
{
    const struct zr_waitlist_request request = {
        .contractor = contractor, .zip = DW_ZIP, .category = DW_CATEGORY};

    return dw_run(world, dw_portal, ZR_OP_WAITLIST_LEAVE, &request);
}

void
dt_set_licence(struct domain_world *world, uint32_t contractor, uint64_t expires_ms)
{
    const struct zr_contractor_status_request request = {.licence_expires_ms = expires_ms,
                                                         .contractor = contractor,
                                                         .contractor_status =
                                                             ZR_CONTRACTOR_APPROVED};

    assert_int_equal(dw_run(world, dw_admin, ZR_OP_CONTRACTOR_STATUS, &request), ZR_STATUS_OK);
}

/* ---- rows -------------------------------------------------------------------------------- */

struct claim_row
dt_claim_row(struct domain_world *world, uint64_t claim_id)
{
    struct claim_row row = {0};

    assert_true(state_claim_get(&world->state, claim_id, &row));
    return row;
}

struct contractor_row
dt_contractor_row(struct domain_world *world, uint32_t contractor)
{
    struct contractor_row row = {0};

    assert_true(state_contractor_get(&world->state, contractor, &row));
    return row;
}

struct offer_row
dt_offer_row(struct domain_world *world, uint64_t offer_id)
{
    struct offer_row row = {0};

    assert_true(state_offer_get(&world->state, offer_id, &row));
    return row;
}

uint16_t
dt_rank(struct domain_world *world, uint64_t claim_id)
{
    const struct claim_row claim = dt_claim_row(world, claim_id);
    struct slot_row slot;
    int index;

    state_slot_get(&world->state, claim.zip, claim.category, &slot);
    index = slot_find_claim(&slot, claim_id);
    return index == SLOT_NO_CLAIM ? 0 : slot_rank(&slot, index);
}

uint32_t
dt_offered_to(struct domain_world *world)
{
    const struct slot_row slot = dw_slot(world);

    return slot.offer_id == 0 ? 0 : dt_offer_row(world, slot.offer_id).contractor;
}

uint8_t
dt_conditions(struct domain_world *world, uint64_t claim_id)
{
    const struct claim_row claim = dt_claim_row(world, claim_id);
    const struct contractor_row contractor = dt_contractor_row(world, claim.contractor);
    uint64_t deadline_ms;

    return condition_bits(&claim, &contractor, &deadline_ms);
}

uint8_t
dt_state(struct domain_world *world, uint64_t claim_id)
{
    return dt_claim_row(world, claim_id).state;
}

/* ---- events ------------------------------------------------------------------------------ */

uint64_t
dt_mark(struct domain_world *world)
{
    return state_counter_now(&world->state, COUNTER_EVENT);
}

unsigned
dt_count(struct domain_world *world, uint64_t mark, uint8_t type)
{
    const uint64_t newest = dt_mark(world);
    struct event_row event;
    unsigned count = 0;

    for (uint64_t seq = mark + 1; seq <= newest; seq++) {
        assert_true(state_event_get(&world->state, seq, &event));
        count += event.type == type;
    }
    return count;
}

struct event_row
dt_last(struct domain_world *world, uint64_t mark, uint8_t type)
{
    struct event_row event = {0};

    for (uint64_t seq = dt_mark(world); seq > mark; seq--) {
        assert_true(state_event_get(&world->state, seq, &event));
        if (event.type == type) {
            return event;
        }
    }
    fail_msg("no event of type %u", type);
    return event;
}

void
dt_assert_forfeited(struct domain_world *world, uint64_t mark, uint64_t claim_id, uint8_t condition)
{
    const struct event_row event = dt_last(world, mark, ZR_EVENT_FORFEITED);

    assert_int_equal(dt_state(world, claim_id), ZR_CLAIM_FORFEITED);
    assert_int_equal(event.claim_id, claim_id);
    assert_int_equal(event.code, condition);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_FORFEITED), 1);
    assert_int_equal(dt_count(world, mark, ZR_EVENT_SLOT_OPENED), 1);
}
