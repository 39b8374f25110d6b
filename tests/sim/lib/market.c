/*
 * market.c - the metro on its first day: ZIPs, categories, and contractors with their wishes.
 *
 * Houston, because most of its contractors share one zone whose clocks change; beside it some
 * ZIPs of zones with other laws: Phoenix and Puerto Rico, whose clocks never change, and half a
 * dozen that change at other instants of UTC.
 */
#include "protocol/check.h"
#include "server/domain/pricing.h"
#include "tests/sim/lib/sim.h"

#include <stdio.h>
#include <string.h>

static const uint32_t houston[] = {
    77002, 77003, 77004, 77005, 77006, 77007, 77008, 77009, 77011, 77012, 77014, 77015, 77016,
    77017, 77018, 77019, 77020, 77021, 77022, 77023, 77024, 77025, 77027, 77029, 77030, 77031,
    77033, 77034, 77035, 77036, 77040, 77041, 77042, 77043, 77044, 77045, 77047, 77048, 77049,
    77051, 77053, 77054, 77055, 77056, 77057, 77058, 77059, 77061, 77062, 77063, 77064, 77065,
    77066, 77067, 77069, 77070, 77071, 77072, 77073, 77074, 77075, 77076,
};
enum { HOUSTON = sizeof houston / sizeof houston[0], HOUSTON_WEIGHT = 12, ELSEWHERE_WEIGHT = 14 };

static const struct sim_zip elsewhere[] = {
    {901, 0, "America/Puerto_Rico", "PR", "San Juan"},
    {10001, 0, "America/New_York", "NY", "New York"},
    {46204, 0, "America/Indiana/Indianapolis", "IN", "Indianapolis"},
    {77581, 0, "America/Chicago", "TX", "Pearland"},
    {79901, 0, "America/Denver", "TX", "El Paso"},
    {80202, 0, "America/Denver", "CO", "Denver"},
    {85001, 0, "America/Phoenix", "AZ", "Phoenix"},
    {85004, 0, "America/Phoenix", "AZ", "Phoenix"},
    {90001, 0, "America/Los_Angeles", "CA", "Los Angeles"},
    {96813, 0, "Pacific/Honolulu", "HI", "Honolulu"},
    {99501, 0, "America/Anchorage", "AK", "Anchorage"},
};
enum { ELSEWHERE = sizeof elsewhere / sizeof elsewhere[0] };

_Static_assert(HOUSTON + ELSEWHERE <= SIM_ZIPS_MAX, "room for the ZIPs");

/* ---- territory ------------------------------------------------------------------------------- */

static void
zips_fill(struct sim *sim)
{
    uint32_t next = 0;

    /* Both lists ascend, and so must an import. */
    for (uint32_t i = 0; i < HOUSTON + ELSEWHERE; i++) {
        const uint32_t taken = i - next;
        struct sim_zip *zip = &sim->zips[i];

        if (next < ELSEWHERE && (taken == HOUSTON || elsewhere[next].zip < houston[taken])) {
            *zip = elsewhere[next++];
            zip->weight = ELSEWHERE_WEIGHT;
        } else {
            *zip = (struct sim_zip){houston[taken], 0, "America/Chicago", "TX", "Houston"};
            zip->weight = (uint32_t)sim_between(sim, 1, 2 * HOUSTON_WEIGHT);
        }
        sim->weight_total += zip->weight;
    }
    sim->zips_count = HOUSTON + ELSEWHERE;
}

static void
zips_digest(struct sim *sim, struct zr_zip_put_request *request)
{
    uint8_t bytes[256];
    struct zr_builder builder;

    sha256_start(sim->engine.mac);
    for (uint16_t i = 0; i < request->rows_count; i++) {
        zr_builder_init(&builder, bytes, sizeof bytes);
        zr_zip_row_shape.put_block(&builder, &request->rows[i]);
        CHECK(!builder.failed);
        sha256_add(sim->engine.mac, bytes, builder.length);
    }
    sha256_finish(sim->engine.mac, request->digest.bytes);
}

static void
zips_import(struct sim *sim)
{
    static struct zr_zip_put_request request;

    request = (struct zr_zip_put_request){.op_id = engine_key(&sim->engine),
                                          .import_id = engine_id(&sim->engine),
                                          .rows_total = sim->zips_count,
                                          .parts = 1,
                                          .rows_count = (uint16_t)sim->zips_count};
    for (uint32_t i = 0; i < sim->zips_count; i++) {
        struct zr_zip_row *row = &request.rows[i];

        *row = (struct zr_zip_row){.zip = sim->zips[i].zip, .population = 30000, .claimable = true};
        (void)snprintf(row->state, sizeof row->state, "%s", sim->zips[i].state);
        (void)snprintf(row->timezone, sizeof row->timezone, "%s", sim->zips[i].zone);
        (void)snprintf(row->city, sizeof row->city, "%s", sim->zips[i].city);
    }
    zips_digest(sim, &request);
    sim_require_ok(sim, sim_send(sim, &sim_admin, ZR_OP_ZIP_PUT, &request), "ZIP_PUT");
    sim_require(sim, sim->engine.reply.zip_put_reply.flipped, "the import flips", 0);
}

static void
categories_put(struct sim *sim)
{
    static const char *const names[SIM_CATEGORIES] = {"plumbing",   "roofing", "hvac",
                                                      "electrical", "garage",  "locksmith"};

    for (int i = 0; i < SIM_CATEGORIES; i++) {
        struct zr_category_put_request request = {.op_id = engine_key(&sim->engine),
                                                  .rate_cents = 1200 + 400 * i,
                                                  .offered = true,
                                                  .zips_action = ZR_ZIPS_EVERYWHERE};

        (void)snprintf(request.name, sizeof request.name, "%s", names[i]);
        sim_require_ok(sim, sim_send(sim, &sim_admin, ZR_OP_CATEGORY_PUT, &request),
                       "CATEGORY_PUT");
        CHECK(sim->engine.reply.category_put_reply.category == i + 1);
    }
}

/* ---- wishes ---------------------------------------------------------------------------------- */

void
market_send_hours(struct sim *sim, struct sim_contractor *contractor)
{
    struct zr_schedule_put_request request = {.op_id = engine_key(&sim->engine),
                                              .contractor = contractor->number};
    struct schedule_row row = {.version = 0};

    hours_prune(&contractor->hours, sim_now(sim));
    hours_to_wire(&contractor->hours, &request);
    (void)state_schedule_get(sim_state(sim), contractor->number, &row);
    request.expected_version = row.version;
    sim_require_ok(sim, sim_send(sim, &sim_portal, ZR_OP_SCHEDULE_PUT, &request), "SCHEDULE_PUT");
    contractor->hours.is_sent = true;
}

/* Shops of five kinds: at any time, by day, long days, at night, and those who never said. */
static void
hours_draw(struct sim *sim, struct sim_contractor *contractor)
{
    static const struct hours_interval days[] = {{32, 68}, {28, 76}, {24, 88}};
    struct hours *hours = &contractor->hours;
    const uint64_t shape = sim_below(sim, 10);

    hours->zone = sim->zips[contractor->home].zone;
    hours->always = shape == 0;
    for (int day = 0; day < 7 && shape > 0; day++) {
        if (shape <= 2) { /* The night shift: it works through the hour that is missing or twice. */
            hours->week[day][0] = (struct hours_interval){0, 14};
            hours->week[day][1] = (struct hours_interval){72, 96};
        } else if (day < 5 || shape > 5) {
            hours->week[day][0] = days[shape % 3];
        } else if (day == 5) {
            hours->week[day][0] = (struct hours_interval){36, 52};
        }
    }
    if (shape != 9) {
        market_send_hours(sim, contractor);
    }
}

static void
cap_add(struct zr_caps_put_request *request, enum zr_cap_window window, enum zr_cap_measure measure,
        int64_t limit)
{
    request->caps[request->caps_count++] = (struct zr_cap){
        .limit = (uint64_t)limit, .window = (uint8_t)window, .measure = (uint8_t)measure};
}

void
market_send_caps(struct sim *sim, struct sim_contractor *contractor)
{
    struct zr_caps_put_request request = {.op_id = engine_key(&sim->engine),
                                          .contractor = contractor->number};
    struct caps_row row = {.version = 0};
    struct tm local;

    contractor->day_calls_max = sim_chance(sim, 600) ? (int64_t)sim_between(sim, 1, 6) : -1;
    contractor->day_spend_max = sim_chance(sim, 400) ? (int64_t)sim_between(sim, 3000, 12000) : -1;
    if (contractor->day_calls_max >= 0) {
        cap_add(&request, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_CALLS, contractor->day_calls_max);
    }
    if (contractor->day_spend_max >= 0) {
        cap_add(&request, ZR_CAP_WINDOW_DAY, ZR_CAP_MEASURE_SPEND, contractor->day_spend_max);
    }
    if (sim_chance(sim, 300)) {
        cap_add(&request, ZR_CAP_WINDOW_MONTH, ZR_CAP_MEASURE_CONNECTS,
                (int64_t)sim_between(sim, 10, 60));
    }
    if (sim_chance(sim, 300)) {
        cap_add(&request, ZR_CAP_WINDOW_HOUR, ZR_CAP_MEASURE_CALLS, 2);
    }
    request.spacing_s = sim_chance(sim, 400) ? (uint32_t)sim_between(sim, 60, 1200) : 0;
    (void)state_caps_get(sim_state(sim), contractor->number, &row);
    request.expected_version = row.version;
    sim_require_ok(sim, sim_send(sim, &sim_portal, ZR_OP_CAPS_PUT, &request), "CAPS_PUT");
    hours_local(&local, hours_zone(&contractor->hours, sim_now(sim)), sim_now(sim));
    contractor->caps_date = hours_date(&local);
}

static void
filters_send(struct sim *sim, const struct sim_contractor *contractor)
{
    struct zr_filters_put_request request = {.op_id = engine_key(&sim->engine),
                                             .contractor = contractor->number,
                                             .attestation_min = (uint8_t)sim_below(sim, 4),
                                             .no_duplicates = sim_chance(sim, 500)};

    if (sim_chance(sim, 300)) {
        request.partners_rule = (uint8_t)sim_between(sim, 1, 2);
        request.partners[request.partners_count++].tenant = sim_switches[0].tenant;
    }
    sim_require_ok(sim, sim_send(sim, &sim_portal, ZR_OP_FILTERS_PUT, &request), "FILTERS_PUT");
}

void
market_send_autotopup(struct sim *sim, struct sim_contractor *contractor)
{
    struct zr_autotopup_put_request request = {
        .op_id = engine_key(&sim->engine),
        .threshold_cents = (int64_t)sim_between(sim, 2000, 6000),
        .amount_cents = (int64_t)sim_between(sim, 3, 10) * 2500,
        .contractor = contractor->number,
        .enabled = true};
    struct autotopup_row row = {.version = 0};
    const uint64_t methods = sim_between(sim, 1, 3);

    if (sim_chance(sim, 400)) {
        request.monthly_max_cents = request.amount_cents * (int64_t)sim_between(sim, 1, 4);
    }
    for (uint64_t i = 0; i < methods; i++) {
        (void)snprintf(request.methods[request.methods_count++].method,
                       sizeof request.methods[0].method, "card-%u-%u", contractor->number,
                       (unsigned)i);
    }
    contractor->topup_month_max = request.monthly_max_cents;
    (void)state_autotopup_get(sim_state(sim), contractor->number, &row);
    request.expected_version = row.version;
    sim_require_ok(sim, sim_send(sim, &sim_portal, ZR_OP_AUTOTOPUP_PUT, &request), "AUTOTOPUP_PUT");
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* Most claims are near home; the table ascends by ZIP, so neighbours stand side by side. */
static uint32_t
zip_near(struct sim *sim, uint32_t home)
{
    uint32_t index = home + (uint32_t)sim_below(sim, 9);

    index = index < 4 ? 0 : index - 4;
    return index < sim->zips_count ? index : home;
}

static void
wait_for(struct sim *sim, const struct sim_contractor *contractor, const struct zr_slot_key *key)
{
    const struct zr_waitlist_request request = {.op_id = engine_key(&sim->engine),
                                                .contractor = contractor->number,
                                                .zip = key->zip,
                                                .category = key->category};
    const uint16_t status = sim_send(sim, &sim_portal, ZR_OP_WAITLIST_JOIN, &request);

    sim_require_ok(sim, status, "WAITLIST_JOIN of a full slot");
    sim->counts.waits++;
}

static void
claim_slot(struct sim *sim, const struct sim_contractor *contractor, const struct zr_slot_key *key)
{
    struct zr_claim_request request = {.op_id = engine_key(&sim->engine),
                                       .contractor = contractor->number,
                                       .accept_backup = sim_chance(sim, 900),
                                       .slots = {*key},
                                       .slots_count = 1,
                                       .lapse = sim_chance(sim, 40)};
    const uint16_t status = sim_send(sim, &sim_portal, ZR_OP_CLAIM, &request);
    const bool is_full =
        status == ZR_STATUS_SLOT_FULL || (status == ZR_STATUS_SLOT_TAKEN && request.accept_backup);

    sim->counts.claims += status == ZR_STATUS_OK;
    if (is_full && sim_chance(sim, 500)) {
        wait_for(sim, contractor, key);
    }
}

void
market_claim(struct sim *sim, struct sim_contractor *contractor, uint32_t count)
{
    /* A shop has a trade or two. */
    const uint16_t trade = (uint16_t)(1 + contractor->number % SIM_CATEGORIES);

    for (uint32_t i = 0; i < count; i++) {
        const struct zr_slot_key key = {
            .zip = sim->zips[zip_near(sim, contractor->home)].zip,
            .category =
                sim_chance(sim, 800) ? trade : (uint16_t)sim_between(sim, 1, SIM_CATEGORIES),
        };

        claim_slot(sim, contractor, &key);
    }
}

/* ---- contractors ----------------------------------------------------------------------------- */

static void
contractor_admit(struct sim *sim, struct sim_contractor *contractor)
{
    struct zr_contractor_put_request put = {.op_id = engine_key(&sim->engine),
                                            .contractor_id = engine_id(&sim->engine),
                                            .office_zip = sim->zips[contractor->home].zip,
                                            .size_class = (uint8_t)sim_between(sim, 1, 3),
                                            .name = "a shop",
                                            .phones_count = (uint16_t)sim_between(sim, 1, 2)};
    struct zr_contractor_status_request approve = {.contractor_status = ZR_CONTRACTOR_APPROVED};

    put.phones[0].phone = 12815550000 + sim->engine.serial;
    put.phones[1].phone = 17135550000 + sim->engine.serial;
    sim_require_ok(sim, sim_send(sim, &sim_portal, ZR_OP_CONTRACTOR_PUT, &put), "CONTRACTOR_PUT");
    contractor->number = sim->engine.reply.contractor_put_reply.contractor;
    CHECK(contractor->number < ENGINE_CONTRACTORS_MAX);
    sim->index_of[contractor->number] = (uint32_t)(contractor - sim->contractors);
    approve.op_id = engine_key(&sim->engine);
    approve.contractor = contractor->number;
    if (sim_chance(sim, 200)) {
        approve.licence_expires_ms = sim_now(sim) + sim_between(sim, 20, 340) * SIM_DAY_MS;
    }
    sim_require_ok(sim, sim_send(sim, &sim_admin, ZR_OP_CONTRACTOR_STATUS, &approve),
                   "CONTRACTOR_STATUS");
}

static void
contractor_open(struct sim *sim, struct sim_contractor *contractor)
{
    *contractor = (struct sim_contractor){
        .home = (uint32_t)sim_below(sim, sim->zips_count),
        .wants = (uint32_t)sim_between(sim, 1, SIM_CLAIMS_MAX),
        .answer_permille = (uint16_t)sim_between(sim, 350, 950),
        .pay_permille = (uint16_t)(sim_chance(sim, 150) ? 400 : 970),
        .care_permille = (uint16_t)sim_between(sim, 300, 980),
        .with_autotopup = sim_chance(sim, 550),
        .day_calls_max = -1,
        .day_spend_max = -1,
    };
    contractor_admit(sim, contractor);
    hours_draw(sim, contractor);
    if (sim_chance(sim, 350)) {
        market_send_caps(sim, contractor);
    }
    if (sim_chance(sim, 200)) {
        filters_send(sim, contractor);
    }
}

void
market_open(struct sim *sim)
{
    zips_fill(sim);
    zips_import(sim);
    categories_put(sim);
    operator_plan_year(sim);
    for (uint32_t i = 0; i < SIM_CONTRACTORS; i++) {
        contractor_open(sim, &sim->contractors[i]);
        if (sim->contractors[i].with_autotopup) {
            market_send_autotopup(sim, &sim->contractors[i]);
        }
        if (!sim->contractors[i].with_autotopup || sim_chance(sim, 500)) {
            money_plan_topup(sim, i);
        }
    }
    /* First come, first primary: nobody claims everything before the others have begun. */
    for (uint32_t round = 0; round < SIM_CLAIMS_MAX; round++) {
        for (uint32_t i = 0; i < SIM_CONTRACTORS; i++) {
            if (round < sim->contractors[i].wants) {
                market_claim(sim, &sim->contractors[i], 1);
            }
        }
    }
    engine_commit(&sim->engine);
    inbox_read(sim);
}
