/*
 * compare_map.c - the map (M2, R11, R42, E20, E21): what AVAILABILITY and MAP_SNAPSHOT say of every
 * ZIP, and a map that nobody reads again, held from its pages and from every change since.
 *
 * The hard idea: a change is right if whoever applies it holds the map that is. So the map is read
 * once, when the run begins, each change is applied in its order, and after every step what is held
 * must be the model's. A second one comes back now and then from an older version, and must be
 * told exactly what the first was told behind it.
 */
#include "protocol/check.h"
#include "tests/model/lib/session.h"

#include <inttypes.h>
#include <string.h>

enum {
    LENSES = 2, /* In the order of enum zr_map_lens. */
    PASSES_MAX = 300,
    PASS_MS = 100,
    KEPT_DAYS = 35,
    STEP_DAYS = 20, /* A step goes no further: a change is at most so much older than heard. */
    BACK_DAYS = KEPT_DAYS - STEP_DAYS,
    BACK_CHANGES = 64, /* The second one comes back from one of so many. */
};

/* ---- what must be said -------------------------------------------------------------------------
 */

static uint8_t
colour_of(int offered, int taken)
{
    if (offered == 0) {
        return ZR_MAP_COLOUR_GREY;
    }
    if (taken == 0) {
        return ZR_MAP_COLOUR_GREEN;
    }
    return taken == offered ? ZR_MAP_COLOUR_RED : ZR_MAP_COLOUR_YELLOW;
}

static void
bit_set(struct zr_hash *bits, uint16_t category)
{
    bits->bytes[category / 8] = (uint8_t)(bits->bytes[category / 8] | 1U << category % 8);
}

/* A place in the table of ZIPs, -1 = it is not in there. */
static int
place_of(uint32_t zip)
{
    for (int i = 0; i < WORLD_ZIPS; i++) {
        if (world_zips[i].zip == zip) {
            return i;
        }
    }
    return -1;
}

/* The ZIP as AVAILABILITY shows it; of one category, or (0) of all. */
static struct zr_zip_availability
row_of(const struct session *session, uint32_t zip, uint16_t category)
{
    const struct model *model = session->model;
    const uint16_t spare = session->world.plumbing;
    const int place = place_of(zip);
    struct zr_zip_availability row = {.zip = zip};
    int offered = 0;
    int taken = 0;
    int full = 0;

    for (int c = 0; c < MODEL_CATEGORIES && place >= 0 && world_zips[place].claimable; c++) {
        const uint16_t number = model->slots[c].category;
        const int slot = model_slot_at(model, zip, number);

        if (category != 0 && category != number) {
            continue;
        }
        offered++;
        bit_set(&row.offered, number);
        if (slot >= 0 && model_is_taken(model, slot)) {
            taken++;
            bit_set(&row.taken, number);
        }
        if (slot >= 0 && model_is_full(model, slot)) {
            full++;
            bit_set(&row.full, number);
        }
    }
    if ((category == 0 || category == spare) && place >= 0 && session->map.spare[place]) {
        offered++;
        bit_set(&row.offered, spare);
    }
    row.colour_primary = colour_of(offered, taken);
    row.colour_any = colour_of(offered, full);
    return row;
}

/* ---- AVAILABILITY ------------------------------------------------------------------------------
 */

static void
row_compare(struct session *session, const struct zr_zip_availability *expected,
            const struct zr_zip_availability *got)
{
    const int zip = (int)expected->zip;

    (void)compare_row(session, "ZIP", zip, zip, got->zip);
    (void)compare_row(session, "colour", zip, expected->colour_primary, got->colour_primary);
    (void)compare_row(session, "colour of positions", zip, expected->colour_any, got->colour_any);
    (void)compare_row(session, "offered", zip, 0,
                      memcmp(&expected->offered, &got->offered, sizeof got->offered));
    (void)compare_row(session, "taken", zip, 0,
                      memcmp(&expected->taken, &got->taken, sizeof got->taken));
    (void)compare_row(session, "full", zip, 0,
                      memcmp(&expected->full, &got->full, sizeof got->full));
}

/* The k-th question: some ZIPs in some order, those of three digits, or (seldom: it is a long look)
 * the whole country. */
static struct zr_availability_request
question_of(const struct session *session, int k)
{
    const struct world *world = &session->world;
    const uint16_t categories[] = {0,
                                   session->model->slots[0].category,
                                   0,
                                   session->model->slots[1].category,
                                   world->plumbing, /* Nobody's, offered here and there. */
                                   session->model->slots[2].category};
    struct zr_availability_request request = {.category = categories[k / 3 % 6]};
    const struct zr_zip_row *zip = &world_zips[k / 18 % WORLD_ZIPS];

    if (k % 3 == 0 || k % 12 == 4) {
        request.zips_count = (uint16_t)(1 + k % WORLD_ZIPS);
        for (int i = 0; i < request.zips_count; i++) {
            request.zips[i].zip = world_zips[(k / 3 + 5 * i) % WORLD_ZIPS].zip;
        }
        return request;
    }
    request.zip3 = k % 12 != 2 ? (uint16_t)(zip->zip / 100) : UINT16_MAX;
    request.after = k / 18 % 2 == 0 ? 0 : zip->zip;
    return request;
}

static void
availability_judge(struct session *session, int index, const void *answer)
{
    const struct zr_availability_reply *reply = answer;
    const struct zr_availability_request asked = question_of(session, index);
    struct zr_zip_availability row;
    int count = 0;

    for (int i = 0; i < (asked.zips_count != 0 ? asked.zips_count : WORLD_ZIPS); i++) {
        const uint32_t zip = asked.zips_count != 0 ? asked.zips[i].zip : world_zips[i].zip;
        const bool is_in_range =
            zip > asked.after && (asked.zip3 == UINT16_MAX || zip / 100 == asked.zip3);

        if ((asked.zips_count != 0 || is_in_range) && count < reply->zips_count) {
            row = row_of(session, zip, asked.category);
            row_compare(session, &row, &reply->zips[count]);
        }
        count += asked.zips_count != 0 || is_in_range;
    }
    (void)session_same(session, "ZIPs of AVAILABILITY", count, reply->zips_count);
    (void)session_same(session, "next of AVAILABILITY", 0, reply->next);
    session->map.seen = reply->version > session->map.seen ? reply->version : session->map.seen;
}

static void
availability_read(struct session *session, uint32_t k)
{
    const struct zr_availability_request request = question_of(session, (int)k);

    compare_read(session, ZR_OP_AVAILABILITY, &request, (int)k, availability_judge);
}

/* ---- MAP_SNAPSHOT ------------------------------------------------------------------------------
 */

/* The two bits of this ZIP number: 0 GREY ... 3 RED. */
static int
colour_in(const struct zr_map_snapshot_reply *page, uint32_t zip)
{
    const uint32_t place = zip - page->from;

    return ZR_MAP_COLOUR_GREY + (page->colours[place / 4] >> place % 4 * 2 & 3);
}

static bool
is_in(const struct zr_map_snapshot_reply *page, uint32_t zip)
{
    return zip >= page->from && zip - page->from < 4U * page->colours_length;
}

/* Everything in it: what is in no table is GREY. */
static void
page_compare(struct session *session, const struct zr_map_snapshot_request *asked,
             const struct zr_map_snapshot_reply *page)
{
    int coloured = 0;

    (void)session_same(session, "map from", asked->from, page->from);
    for (int i = 0; i < WORLD_ZIPS; i++) {
        const struct zr_zip_availability row = row_of(session, world_zips[i].zip, 0);
        const int colour = asked->lens == ZR_MAP_LENS_PRIMARY ? row.colour_primary : row.colour_any;

        if (is_in(page, row.zip)) {
            (void)compare_row(session, "colour on the map", (int)row.zip, colour,
                              colour_in(page, row.zip));
            coloured += colour != ZR_MAP_COLOUR_GREY;
        }
    }
    for (int i = 0; i < page->colours_length; i++) {
        for (int shift = 0; shift < 8; shift += 2) {
            coloured -= (page->colours[i] >> shift & 3) != 0;
        }
    }
    (void)session_same(session, "coloured on the map", 0, coloured);
    session->map.seen = page->version > session->map.seen ? page->version : session->map.seen;
}

static struct zr_map_snapshot_request
page_of(int k)
{
    return (struct zr_map_snapshot_request){
        .from = world_zips[k / 2 % WORLD_ZIPS].zip - (uint32_t)(k / 2 % 7),
        .lens = k % 2 == 0 ? ZR_MAP_LENS_PRIMARY : ZR_MAP_LENS_ANY};
}

static void
page_judge(struct session *session, int index, const void *answer)
{
    const struct zr_map_snapshot_request asked = page_of(index);

    page_compare(session, &asked, answer);
}

static void
page_read(struct session *session, uint32_t k)
{
    const struct zr_map_snapshot_request request = page_of((int)k);

    compare_read(session, ZR_OP_MAP_SNAPSHOT, &request, (int)k, page_judge);
}

/* All pages, as one who has none. */
static void
pages_walk(struct session *session, struct zr_client *client, uint8_t lens)
{
    struct zr_map_snapshot_request request = {.lens = lens};
    static struct zr_map_snapshot_reply page;
    uint32_t end = 0;

    do {
        (void)session_same(session, "MAP_SNAPSHOT status", 0,
                           zr_map_snapshot(client, &request, &page));
        page_compare(session, &request, &page);
        end = page.from + 4U * page.colours_length;
        (void)session_same(session, "next of the map", page.next == 0 ? 0 : end, page.next);
        request.from = page.next;
    } while (page.next != 0 && !session->differs);
    (void)session_same(session, "the map ends behind every ZIP", 1, end > 99999);
}

void
compare_map_some(struct session *session, uint32_t k)
{
    if (k % 4 == 3) {
        page_read(session, k / 4);
    } else {
        availability_read(session, k / 4 * 3 + k % 4);
    }
}

void
compare_map_all(struct session *session)
{
    struct zr_client *const clients[] = {session->world.carrier, session->contractor,
                                         session->portal2, session->payments2};
    const uint64_t k = session->model->stamp;
    const struct zr_availability_request unknown = {
        .zips = {{.zip = WORLD_NEW_YORK}, {.zip = WORLD_UNKNOWN}}, .zips_count = 2};
    static struct zr_availability_reply reply;

    for (uint32_t i = 0; i < 3; i++) {
        availability_read(session, i);
    }
    compare_reads_finish(session);
    pages_walk(session, clients[k / 2 % 4], k % 2 == 0 ? ZR_MAP_LENS_PRIMARY : ZR_MAP_LENS_ANY);
    (void)session_same(session, "AVAILABILITY status", ZR_STATUS_UNKNOWN_ZIP,
                       zr_availability(clients[k / 2 % 4], &unknown, &reply));
}

/* ---- the map that is held ----------------------------------------------------------------------
 */

void
compare_map_offer(struct session *session, const bool *spare)
{
    struct session_map *map = &session->map;

    map->spare_moved = map->spare_moved || memcmp(map->spare, spare, sizeof map->spare) != 0;
    memcpy(map->spare, spare, sizeof map->spare);
}

/* Read it: the beginning, or what "many ZIPs changed" asks for. */
static void
map_read(struct session *session)
{
    struct session_map *map = &session->map;
    struct zr_availability_request request = {.zips_count = MODEL_ZIPS};
    static struct zr_availability_reply reply;

    for (int z = 0; z < MODEL_ZIPS; z++) {
        request.zips[z].zip = session->model->slots[z * MODEL_CATEGORIES].zip;
    }
    (void)session_same(session, "AVAILABILITY status", 0,
                       zr_availability(session->world.auditor, &request, &reply));
    for (int z = 0; z < MODEL_ZIPS; z++) {
        const struct zr_zip_availability *row = &reply.zips[z];

        map->colours[z][0] = row->colour_primary;
        map->colours[z][1] = row->colour_any;
        for (int c = 0; c < MODEL_CATEGORIES; c++) {
            const int slot = z * MODEL_CATEGORIES + c;
            const uint16_t category = session->model->slots[slot].category;

            map->taken[slot] = row->taken.bytes[category / 8] >> category % 8 & 1;
            map->full[slot] = row->full.bytes[category / 8] >> category % 8 & 1;
        }
    }
    map->is_old = false;
}

void
compare_map_open(struct session *session)
{
    map_read(session);
}

void
compare_map_change(struct session *session, const struct zr_map_change *change)
{
    struct session_map *map = &session->map;
    const int slot = model_slot_at(session->model, change->zip, change->category);

    map->changes[map->changes_count++ % SESSION_CHANGES] =
        (struct session_change){.change = *change, .time_ms = session->model->now_ms};
    if (change->zip == 0) {
        map->is_old = true;
        return;
    }
    if (slot < 0) {
        session_differ(session, "change of the map at", 0, change->zip);
        return;
    }
    if (map->taken[slot] == change->taken && map->full[slot] == change->full && !map->is_old) {
        session_differ(session, "change of the map that changes nothing", 0, slot);
    }
    map->taken[slot] = change->taken;
    map->full[slot] = change->full;
    map->colours[session->model->slots[slot].zip_index][0] = change->colour_primary;
    map->colours[session->model->slots[slot].zip_index][1] = change->colour_any;
}

/* Each slot is looked at once: this is done at every step. */
static void
zip_held_compare(struct session *session, int z)
{
    const struct model *model = session->model;
    const struct session_map *map = &session->map;
    const int zip = (int)model->slots[z * MODEL_CATEGORIES].zip;
    const int offered = MODEL_CATEGORIES + map->spare[place_of((uint32_t)zip)];
    int taken = 0;
    int full = 0;

    for (int i = z * MODEL_CATEGORIES; i < (z + 1) * MODEL_CATEGORIES; i++) {
        const bool is_taken = model_is_taken(model, i);
        const bool is_full = model_is_full(model, i);

        (void)compare_row(session, "held taken", i, is_taken, map->taken[i]);
        (void)compare_row(session, "held full", i, is_full, map->full[i]);
        taken += is_taken;
        full += is_full;
    }
    (void)compare_row(session, "colour held", zip, colour_of(offered, taken), map->colours[z][0]);
    (void)compare_row(session, "colour of positions held", zip, colour_of(offered, full),
                      map->colours[z][1]);
}

void
compare_map(struct session *session)
{
    struct session_map *map = &session->map;

    if (map->is_old) {
        map_read(session);
    } else if (map->spare_moved) {
        session_differ(session, "a change of many ZIPs told", 1, 0);
    }
    map->spare_moved = false;
    for (int z = 0; z < MODEL_ZIPS && !session->differs; z++) {
        zip_held_compare(session, z);
    }
    /* A version is a number of what was told, and of nothing that is still to come. */
    (void)session_same(session, "version of the map", 1, map->seen <= session->heard.base);
}

/* ---- one who comes back (E21) ------------------------------------------------------------------
 */

static void
back_heard(void *context, int result, const struct zr_map_change *change)
{
    struct session *session = context;
    struct session_back *back = &session->map.back;

    if (change == NULL) {
        back->stream.over = result;
        return;
    }
    if (back->count < SESSION_CHANGES) {
        back->changes[back->count++] = *change;
    }
}

/* From one of the newest changes, if it is young enough to be kept. */
static void
back_begin(struct session *session)
{
    struct session_map *map = &session->map;
    const uint32_t most = map->changes_count < BACK_CHANGES ? map->changes_count : BACK_CHANGES;
    const struct session_change *from;
    struct zr_map_subscribe_request request;

    map->back.follows = false;
    if (most == 0) {
        return;
    }
    map->back.place = map->changes_count - 1 - (uint32_t)(session->model->stamp % most);
    from = &map->changes[map->back.place++ % SESSION_CHANGES];
    if (session->model->now_ms > from->time_ms + BACK_DAYS * MODEL_DAY_MS) {
        return;
    }
    map->back.stream = (struct session_stream){from->change.version, from->time_ms, 0};
    map->back.count = 0;
    map->back.follows = true;
    request.version = from->change.version;
    CHECK(zr_subscribe_map(session->world.auditor, &request, back_heard, session) == 0);
}

/* All but the colours: these are of the ZIP as it is when the change is told. */
static bool
change_is_same(const struct zr_map_change *a, const struct zr_map_change *b)
{
    return a->version == b->version && a->zip == b->zip && a->category == b->category &&
           a->taken == b->taken && a->full == b->full;
}

/* So those that come with the last change of a ZIP are the ZIP's still. */
static void
back_colours_judge(struct session *session)
{
    const struct session_back *back = &session->map.back;

    for (int z = 0; z < MODEL_ZIPS; z++) {
        const uint32_t zip = session->model->slots[z * MODEL_CATEGORIES].zip;
        const struct zr_zip_availability row = row_of(session, zip, 0);
        const struct zr_map_change *last = NULL;

        for (uint32_t i = 0; i < back->count; i++) {
            last = back->changes[i].zip == zip ? &back->changes[i] : last;
            last = back->changes[i].zip == 0 ? NULL : last; /* It has another by now. */
        }
        if (last != NULL) {
            (void)compare_row(session, "last colour told of", (int)zip, row.colour_primary,
                              last->colour_primary);
            (void)compare_row(session, "last colour of positions told of", (int)zip, row.colour_any,
                              last->colour_any);
        }
    }
}

static void
back_judge(struct session *session)
{
    const struct session_map *map = &session->map;
    const uint32_t expected = map->changes_count - map->back.place;

    (void)session_same(session, "one who came back to the map", 0, map->back.stream.over);
    (void)session_same(session, "changes told to one who came back", expected, map->back.count);
    for (uint32_t i = 0; i < expected && !session->differs; i++) {
        const struct session_change *first = &map->changes[(map->back.place + i) % SESSION_CHANGES];

        (void)session_same(session, "change told to one who came back", 1,
                           change_is_same(&first->change, &map->back.changes[i]));
    }
    back_colours_judge(session);
}

/* The time of the newest change that it heard, which may have been an old one. */
static uint64_t
back_heard_ms(const struct session_map *map)
{
    const uint32_t heard = map->back.place + map->back.count;
    const uint32_t behind = heard < map->changes_count ? heard : map->changes_count;

    return map->changes[(behind - 1) % SESSION_CHANGES].time_ms;
}

void
compare_map_back(struct session *session)
{
    struct session_map *map = &session->map;
    struct zr_client *client = session->world.auditor;

    CHECK(!map->back.follows || map->changes_count - map->back.place < SESSION_CHANGES);
    for (int pass = 0; map->back.follows && map->back.stream.over == 0 && pass < PASSES_MAX &&
                       map->back.count < map->changes_count - map->back.place;
         pass++) {
        (void)zr_client_process(client, PASS_MS);
    }
    /* Quiet for so long that a restart finds its version gone (compare_events.c). */
    if (map->back.stream.over == ZR_STATUS_CURSOR_TOO_OLD &&
        session->model->now_ms > back_heard_ms(map) + BACK_DAYS * MODEL_DAY_MS) {
        map->back.follows = false;
    }
    if (map->back.follows) {
        back_judge(session);
    }
    (void)zr_unsubscribe(client, ZR_OP_MAP_SUBSCRIBE);
    if (!session->differs) {
        back_begin(session);
    }
}
