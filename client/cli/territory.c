/*
 * territory.c - import zips: the whole table in as many ZIP_PUTs as it takes, all or nothing.
 *
 * Nothing is sent before every row was found good. The parts go out pipelined; the server stages
 * them and puts the table in force with the part that completes it, when the digest over all rows
 * agrees. Keys of the parts are made from one key, the import's id: asking again with --key sends
 * the same parts, and those that arrived are not done twice.
 */
#include "client/cli/families.h"
#include "client/cli/output.h"
#include "client/cli/pki_digest.h"
#include "client/cli/text.h"
#include "client/cli/zip_csv.h"
#include "protocol/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    PART_ROWS = sizeof((struct zr_zip_put_request *)0)->rows / sizeof(struct zr_zip_row),
    ROW_BYTES_MAX = 256,
    PARTS_MAX = 4096,
};

const struct param import_zips_params[] = {
    {"file", NULL, "FILE.csv[.gz]", "With a first line of column names; - is standard input",
     PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

struct import {
    struct cli *cli;
    const struct zip_table *table;
    struct zr_zip_put_request *request; /* Of the part that is made. */
    size_t parts;
    size_t submitted;
    size_t answered;
    struct zr_zip_put_reply reply; /* Of the part that flipped, else the last one. */
    int result;                    /* Of the first part that failed. */
    uint16_t detail;
    bool duplicate; /* Every part was a repeat. */
};

/* SHA-256 over the rows as they stand on the wire. */
static bool
digest_make(struct zr_hash *hash, const struct zip_table *table)
{
    struct pki_digest *digest = pki_digest_open();

    if (digest == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->rows_count; i++) {
        uint8_t bytes[ROW_BYTES_MAX];
        struct zr_builder builder;

        zr_builder_init(&builder, bytes, sizeof bytes);
        zr_zip_row_shape.put_block(&builder, &table->rows[i]);
        CHECK(!builder.failed);
        pki_digest_add(digest, bytes, builder.length);
    }
    return pki_digest_close(hash, digest);
}

static void
part_fill(struct import *import, size_t part)
{
    struct zr_zip_put_request *request = import->request;
    const size_t first = part * PART_ROWS;
    const size_t left = import->table->rows_count - first;

    CHECK(part < import->parts);
    request->part = (uint16_t)part;
    request->rows_count = (uint16_t)(left < PART_ROWS ? left : PART_ROWS);
    memcpy(request->rows, &import->table->rows[first],
           request->rows_count * sizeof request->rows[0]);
    /* The last two bytes of the key are random: each part gets its own. */
    request->op_id = import->cli->key;
    request->op_id.bytes[14] ^= (uint8_t)((part + 1) >> 8);
    request->op_id.bytes[15] ^= (uint8_t)(part + 1);
}

static void
part_done(void *context, const struct zr_completion *completion)
{
    struct import *import = context;

    import->answered++;
    if (completion->result != 0) {
        if (import->result == 0) {
            import->result = completion->result;
            import->detail = completion->detail;
        }
        return;
    }
    import->duplicate = import->duplicate && completion->duplicate != 0;
    if (!import->reply.flipped) {
        import->reply = *(const struct zr_zip_put_reply *)completion->reply;
    }
}

/* Submit parts until the client is full, all are out, or one failed. */
static void
parts_submit(struct import *import)
{
    struct zr_submission submission = {.size = sizeof submission,
                                       .op = ZR_OP_ZIP_PUT,
                                       .request = import->request,
                                       .done = part_done,
                                       .context = import};

    while (import->submitted < import->parts && import->result == 0) {
        int result;

        part_fill(import, import->submitted);
        result = zr_submit(import->cli->client, &submission);
        if (result == ZR_EFULL) {
            return;
        }
        if (result != 0) {
            import->result = result;
            return;
        }
        import->submitted++;
    }
}

static void
parts_send(struct import *import)
{
    do {
        int result;

        parts_submit(import);
        if (import->answered == import->submitted) {
            return; /* All of them, or one failed and the others ended. */
        }
        result = zr_client_process(import->cli->client, -1);
        if (result < 0) {
            import->result = import->result == 0 ? result : import->result;
            return;
        }
    } while (true);
}

/* --dry-run: what the parts have in common; the rows are in the file. */
static enum cli_exit
import_show(const struct import *import)
{
    json_t *fields =
        output_message(&import->cli->catalog, import->cli->operation->request, import->request);
    json_t *object = json_object();

    (void)json_object_set_new(object, "op", json_string("ZIP_PUT"));
    (void)json_object_update(object, fields);
    (void)json_object_del(object, "op_id");
    (void)json_object_del(object, "part");
    (void)json_object_del(object, "rows");
    output_object(import->cli, object);
    json_decref(fields);
    return CLI_DONE;
}

static enum cli_exit
import_finish(struct import *import)
{
    struct cli *cli = import->cli;
    const struct answer answer = {.operation = cli->operation,
                                  .reply = &import->reply,
                                  .result = import->result,
                                  .detail = import->detail,
                                  .duplicate = import->duplicate};
    char id[TEXT_ID_BYTES];

    text_from_id(id, &cli->key);
    (void)json_object_set_new(cli->extras, "import_id", json_string(id));
    (void)json_object_set_new(cli->extras, "rows",
                              json_integer((json_int_t)import->table->rows_count));
    (void)json_object_set_new(cli->extras, "parts", json_integer((json_int_t)import->parts));
    if (import->result == 0 && !import->reply.flipped) {
        cli_note(cli, "the server holds %u of %zu parts: nothing is in force; import again",
                 import->reply.parts_received, import->parts);
        return CLI_NOT_EXECUTED;
    }
    return execute_finish(cli, &answer);
}

static enum cli_exit
import_run(struct import *import)
{
    struct cli *cli = import->cli;
    struct zr_zip_put_request *request = import->request;
    enum cli_exit exit_code;

    import->parts = (import->table->rows_count + PART_ROWS - 1) / PART_ROWS;
    if (import->parts > PARTS_MAX) {
        return cli_misused(cli, "%zu rows are more than one import takes",
                           import->table->rows_count);
    }
    request->parts = (uint16_t)import->parts;
    request->rows_total = (uint32_t)import->table->rows_count;
    if (!digest_make(&request->digest, import->table)) {
        cli_note(cli, "cannot compute SHA-256");
        return CLI_NOT_EXECUTED;
    }
    exit_code = execute_key(cli, request);
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    request->import_id = cli->key;
    if (cli->settings.dry_run) {
        return import_show(import);
    }
    import->result = session_open(cli); /* With --key nothing connected yet. */
    if (import->result == 0) {
        parts_send(import);
    }
    return import_finish(import);
}

enum cli_exit
import_zips_run(struct cli *cli)
{
    struct zip_table table;
    struct import import = {.cli = cli, .table = &table, .duplicate = true};
    enum cli_exit exit_code = CLI_BAD_REQUEST;

    import.request = calloc(1, sizeof *import.request);
    if (import.request == NULL) {
        cli_note(cli, "out of memory");
        return CLI_NOT_EXECUTED;
    }
    if (zip_csv_read(&table, cli_value(cli, "file"))) {
        exit_code = import_run(&import);
    } else {
        cli_note(cli, "nothing was sent: fix the %zu error%s and import again", table.errors_count,
                 table.errors_count == 1 ? "" : "s");
    }
    zip_table_free(&table);
    free(import.request);
    return exit_code;
}
