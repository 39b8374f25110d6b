/*
 * map.c - map: where titles are free, by ZIP, by 3-digit prefix or as counts of the country.
 *
 * A ZIP's colour is GREEN while every offered category is free, YELLOW while some are, RED when
 * none is, GREY where nothing is offered (R42). Lens PRIMARY asks for titles, ANY for positions.
 * The country in one category is counted from AVAILABILITY; all categories together come as the
 * map itself, two bits for each ZIP number.
 */
#include "client/cli/catalog.h"
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "client/cli/human.h"
#include "client/cli/output.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ZIPS_MAX = 1024,
    PAGE_ZIPS = sizeof((struct zr_availability_request *)0)->zips / sizeof(struct zr_zip_key),
    ZIP3_ALL = 65535,
    COLOURS = 5, /* By enum zr_map_colour; 0 is none. */
};

const struct param map_params[] = {
    {"zip", NULL, "ZIP[,ZIP...]", "These", PARAM_LIST | PARAM_POSITIONAL, "zips", NULL},
    {"zip3", NULL, "NNN", "Those that begin with these three digits", 0, NULL, NULL},
    {"category", "category", "CATEGORY", "Judged by this one alone (by all)", 0, NULL, NULL},
    {"lens", NULL, "primary|any", "Titles, or any position (primary)", 0, NULL, "primary"},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

struct map {
    struct cli *cli;
    json_t *rows; /* Without --json: for one table. Owned. */
    uint64_t version;
    uint32_t colours[COLOURS];
    uint8_t lens;
    bool counts_only;
};

/* ---- what is printed --------------------------------------------------------------------- */

static uint8_t
colour_of(const struct map *map, const struct zr_zip_availability *zip)
{
    return map->lens == ZR_MAP_LENS_ANY ? zip->colour_any : zip->colour_primary;
}

static unsigned
categories_count(const struct zr_hash *set)
{
    unsigned count = 0;

    for (size_t i = 0; i < sizeof set->bytes; i++) {
        for (unsigned bits = set->bytes[i]; bits != 0; bits &= bits - 1) {
            count++;
        }
    }
    return count;
}

/* "77002 YELLOW 3 of 24": the categories themselves are for --json. */
static json_t *
row_json(const struct map *map, const struct zr_zip_availability *zip)
{
    const char *colour = zr_map_colour_name(colour_of(map, zip));
    const struct zr_hash *taken = map->lens == ZR_MAP_LENS_ANY ? &zip->full : &zip->taken;
    char digits[16];

    (void)snprintf(digits, sizeof digits, "%05u", zip->zip);
    return json_pack(
        "{s:s, s:s, s:o}", "zip", digits, "colour", colour != NULL ? colour : "?",
        map->lens == ZR_MAP_LENS_ANY ? "full" : "taken",
        json_sprintf("%u of %u", categories_count(taken), categories_count(&zip->offered)));
}

static void
page_take(struct map *map, const struct answer *answer, const struct zr_availability_reply *page)
{
    map->version = map->version == 0 ? page->version : map->version;
    for (uint16_t i = 0; i < page->zips_count; i++) {
        const uint8_t colour = colour_of(map, &page->zips[i]);

        map->colours[colour < COLOURS ? colour : 0]++;
        if (!map->counts_only && !map->cli->settings.json) {
            (void)json_array_append_new(map->rows, row_json(map, &page->zips[i]));
        }
    }
    if (!map->counts_only && map->cli->settings.json) {
        output_page(map->cli, answer);
    }
}

/* How many ZIPs have which colour; ZIPs where nothing is offered are not counted. */
static void
counts_print(struct map *map)
{
    static const uint8_t shown[] = {ZR_MAP_COLOUR_GREEN, ZR_MAP_COLOUR_YELLOW, ZR_MAP_COLOUR_RED};
    json_t *colours = json_object();

    for (size_t i = 0; i < sizeof shown; i++) {
        (void)json_object_set_new(colours, zr_map_colour_name(shown[i]),
                                  json_integer(map->colours[shown[i]]));
    }
    output_object(map->cli, json_pack("{s:s, s:s, s:b, s:I, s:s, s:o}", "status", "OK", "class",
                                      "done", "duplicate", 0, "version", (json_int_t)map->version,
                                      "lens", zr_map_lens_name(map->lens), "colours", colours));
}

/* ---- what is asked ----------------------------------------------------------------------- */

/* Pages of one request; a list of ZIPs has one. */
static enum cli_exit
pages_read(struct map *map, struct zr_availability_request *request)
{
    struct zr_availability_reply reply = {0};
    struct answer answer = {.operation = map->cli->operation, .request = request};

    do {
        session_call(map->cli, &answer, &reply);
        if (answer.result != 0) {
            return execute_finish(map->cli, &answer);
        }
        page_take(map, &answer, &reply);
        request->after = reply.next;
    } while (reply.next != 0);
    return CLI_DONE;
}

static enum cli_exit
list_read(struct map *map, struct zr_availability_request *request)
{
    uint32_t zips[ZIPS_MAX];
    size_t zips_count = 0;
    enum cli_exit exit_code = fields_parse_zips(map->cli, "zip", zips, ZIPS_MAX, &zips_count);

    for (size_t from = 0; from < zips_count && exit_code == CLI_DONE; from += PAGE_ZIPS) {
        const size_t left = zips_count - from;

        request->after = 0;
        request->zips_count = (uint16_t)(left < PAGE_ZIPS ? left : PAGE_ZIPS);
        for (uint16_t i = 0; i < request->zips_count; i++) {
            request->zips[i].zip = zips[from + i];
        }
        exit_code = pages_read(map, request);
    }
    return exit_code;
}

/* The colours of a page: wire numbers are the enumeration's, less one. */
static void
snapshot_take(struct map *map, const struct zr_map_snapshot_reply *page)
{
    map->version = map->version == 0 ? page->version : map->version;
    for (size_t i = 0; i < (size_t)page->colours_length * 4; i++) {
        map->colours[(page->colours[i / 4] >> i % 4 * 2 & 3) + ZR_MAP_COLOUR_GREY]++;
    }
}

static enum cli_exit
snapshot_read(struct map *map)
{
    struct zr_map_snapshot_request request = {.lens = map->lens};
    struct zr_map_snapshot_reply reply = {0};

    do {
        const enum cli_exit exit_code =
            execute_read(map->cli, ZR_OP_MAP_SNAPSHOT, &request, &reply);

        if (exit_code != CLI_DONE) {
            return exit_code;
        }
        snapshot_take(map, &reply);
        request.from = reply.next;
    } while (reply.next != 0);
    return CLI_DONE;
}

static enum cli_exit
map_read(struct map *map, struct zr_availability_request *request)
{
    struct cli *cli = map->cli;
    const char *zip3 = cli_value(cli, "zip3");
    uint64_t prefix = ZIP3_ALL;

    if (zip3 != NULL && (strlen(zip3) != 3 || !text_to_unsigned(&prefix, zip3, 999))) {
        return cli_misused(cli, "--zip3 %s: expected three digits, such as 770", zip3);
    }
    request->zip3 = (uint16_t)prefix;
    if (cli_given(cli, "zip")) {
        return list_read(map, request);
    }
    return zip3 == NULL && request->category == 0 ? snapshot_read(map) : pages_read(map, request);
}

enum cli_exit
map_run(struct cli *cli)
{
    struct map map = {.cli = cli, .counts_only = !cli_given(cli, "zip") && !cli_given(cli, "zip3")};
    struct zr_availability_request request = {0};
    enum cli_exit exit_code;

    if (cli_given(cli, "zip") && cli_given(cli, "zip3")) {
        return cli_misused(cli, "--zip and --zip3 contradict each other");
    }
    if (!text_to_enum(&map.lens, cli_value(cli, "lens"), zr_type_map_lens.values)) {
        return cli_misused(cli, "--lens %s: expected primary or any", cli_value(cli, "lens"));
    }
    exit_code = fields_fill(cli, &request);
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    if (cli->settings.json && !map.counts_only) {
        catalog_load(cli);
    }
    map.rows = json_array();
    exit_code = map_read(&map, &request);
    if (exit_code == CLI_DONE && map.counts_only) {
        counts_print(&map);
    } else if (exit_code == CLI_DONE && !cli->settings.json) {
        human_print_table(map.rows);
    }
    json_decref(map.rows);
    return exit_code;
}
