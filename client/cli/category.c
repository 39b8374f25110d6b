/*
 * category.c - category add, put.
 *
 * More ZIPs than one request holds go out as several: the first one sets the list, the others add
 * to it, each against the version that the one before it made. With --key the keys of all are made
 * from that one, so asking again with it repeats the same requests.
 */
#include "client/cli/catalog.h"
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "client/cli/output.h"
#include "protocol/check.h"

#include <stdlib.h>
#include <string.h>

enum { ZIPS_MAX = 100000 };

#define ZIP_OPTION(text)                                            \
    {                                                               \
        "zip", NULL, "ZIP[,ZIP...]", text, PARAM_LIST, "zips", NULL \
    }

const struct param category_add_params[] = {
    {"name", "name", "NAME", NULL, PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
    {"rate-cents", "rate_cents", "CENTS", NULL, PARAM_REQUIRED, NULL, NULL},
    {"number", "category", "N", NULL, 0, NULL, NULL},
    {"offered", "offered", "yes|no", "no withdraws it everywhere (yes)", 0, NULL, "yes"},
    ZIP_OPTION("Offer it in these ZIPs only (everywhere)"),
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

const struct param category_put_params[] = {
    {"category", NULL, "CATEGORY", "Name or number", PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
    {"name", "name", "NAME", "A new name", 0, NULL, NULL},
    {"rate-cents", "rate_cents", "CENTS", NULL, 0, NULL, NULL},
    {"offered", "offered", "yes|no", NULL, 0, NULL, NULL},
    ZIP_OPTION("Offer it in these ZIPs only; with --add, in these too"),
    {"add", NULL, NULL, "Add the ZIPs to those where it is offered", 0, NULL, NULL},
    {"everywhere", NULL, NULL, "Offer it in every claimable ZIP", 0, NULL, NULL},
    {"expected-version", "expected_version", "N", "Instead of the version just read", 0, NULL,
     NULL},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

/* The last two bytes of a UUID are random: each request of a series gets its own. */
static void
key_step(struct zr_id *key, const struct zr_id *base, uint32_t step)
{
    *key = *base;
    key->bytes[14] ^= (uint8_t)(step >> 8);
    key->bytes[15] ^= (uint8_t)step;
}

/* One request of a series; the reply of the last one is what people see. */
static enum cli_exit
request_send(struct cli *cli, struct zr_category_put_request *request, bool last)
{
    struct zr_category_put_reply reply = {0};
    struct answer answer = {.operation = cli->operation, .request = request};

    if (cli->settings.dry_run) {
        output_request(cli, cli->operation, request);
        return CLI_DONE;
    }
    session_call(cli, &answer, &reply);
    if (answer.result != 0 || last) {
        return execute_finish(cli, &answer);
    }
    request->expected_version = reply.version;
    request->category = reply.category;
    return CLI_DONE;
}

/* Send `request` for all `zips`; none = as it stands. */
static enum cli_exit
requests_send(struct cli *cli, struct zr_category_put_request *request, const uint32_t *zips,
              size_t zips_count)
{
    const size_t chunk_max = sizeof request->zips / sizeof request->zips[0];
    enum cli_exit exit_code = execute_key(cli, request);
    size_t sent = 0;
    uint32_t step = 0;

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    do {
        const size_t left = zips_count - sent;
        const size_t count = left < chunk_max ? left : chunk_max;

        for (size_t i = 0; i < count; i++) {
            request->zips[i].zip = zips[sent + i];
        }
        request->zips_count = (uint16_t)count;
        sent += count;
        key_step(&request->op_id, &cli->key, step++);
        exit_code = request_send(cli, request, sent == zips_count);
        request->zips_action = ZR_ZIPS_ADD;
    } while (exit_code == CLI_DONE && sent < zips_count);
    return exit_code;
}

/* Read --zip, when given, and send. */
static enum cli_exit
zips_send(struct cli *cli, struct zr_category_put_request *request)
{
    enum cli_exit exit_code = CLI_DONE;
    size_t zips_count = 0;
    uint32_t *zips;

    if (!cli_given(cli, "zip")) {
        return requests_send(cli, request, NULL, 0);
    }
    zips = calloc(ZIPS_MAX, sizeof *zips);
    if (zips == NULL) {
        cli_note(cli, "out of memory");
        return CLI_NOT_EXECUTED;
    }
    exit_code = fields_parse_zips(cli, "zip", zips, ZIPS_MAX, &zips_count);
    if (exit_code == CLI_DONE) {
        exit_code = requests_send(cli, request, zips, zips_count);
    }
    free(zips);
    return exit_code;
}

enum cli_exit
category_add_run(struct cli *cli)
{
    struct zr_category_put_request request = {0};
    const enum cli_exit exit_code = fields_fill(cli, &request);

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    request.zips_action = cli_given(cli, "zip") ? ZR_ZIPS_ONLY : ZR_ZIPS_EVERYWHERE;
    return zips_send(cli, &request);
}

/* Where it is offered after a put that names no ZIPs: where it was. ADD of nothing says so. */
static uint8_t
action_of(const struct cli *cli, const struct zr_category_row *row)
{
    if (cli_given(cli, "zip")) {
        return cli_given(cli, "add") ? ZR_ZIPS_ADD : ZR_ZIPS_ONLY;
    }
    return cli_given(cli, "everywhere") || row->everywhere ? ZR_ZIPS_EVERYWHERE : ZR_ZIPS_ADD;
}

enum cli_exit
category_put_run(struct cli *cli)
{
    struct zr_category_put_request request = {0};
    struct zr_category_row row;
    enum cli_exit exit_code;

    if (cli_given(cli, "zip") && cli_given(cli, "everywhere")) {
        return cli_misused(cli, "--zip and --everywhere contradict each other");
    }
    if (cli_given(cli, "add") && !cli_given(cli, "zip")) {
        return cli_misused(cli, "--add needs --zip");
    }
    exit_code = catalog_read_row(cli, cli_value(cli, "category"), &row);
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    /* What is not given stays as it was read. */
    request.category = row.category;
    request.rate_cents = row.rate_cents;
    request.offered = row.offered;
    request.expected_version = row.version;
    memcpy(request.name, row.name, sizeof request.name);
    request.zips_action = action_of(cli, &row);
    exit_code = fields_fill(cli, &request);
    return exit_code == CLI_DONE ? zips_send(cli, &request) : exit_code;
}
