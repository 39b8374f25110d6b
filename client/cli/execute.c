/*
 * execute.c - the way of every request: filled, keyed, sent or shown, printed, judged.
 */
#include "client/cli/catalog.h"
#include "client/cli/cli.h"
#include "client/cli/fields.h"
#include "client/cli/output.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdlib.h>
#include <string.h>

static bool
is_dry(const struct cli *cli)
{
    return cli->settings.dry_run && (cli->command->flags & COMMAND_CHANGES) != 0;
}

enum cli_exit
execute_key(struct cli *cli, void *request)
{
    const struct zr_field *field = fields_find(cli->operation->request, "op_id");
    int result;

    if (field == NULL) {
        return cli->settings.op_key == NULL
                   ? CLI_DONE
                   : cli_misused(cli,
                                 "--key: this command is keyed by what it names, not by a key");
    }
    if (cli->settings.op_key != NULL) {
        if (!text_to_id(&cli->key, cli->settings.op_key)) {
            return cli_misused(cli, "--key %s: expected a UUID", cli->settings.op_key);
        }
    } else if (!is_dry(cli) && text_id_is_zero(&cli->key)) {
        result = session_open(cli);
        result = result == 0 ? zr_client_make_key(cli->client, &cli->key) : result;
        if (result != 0) {
            const struct answer answer = {
                .operation = cli->operation, .request = request, .result = result};

            return execute_finish(cli, &answer);
        }
    }
    memcpy(fields_at(request, field), &cli->key, sizeof cli->key);
    return CLI_DONE;
}

/* True when the reply says something: most refusals carry a body of zeros. */
static bool
reply_is_filled(const struct answer *answer)
{
    const uint8_t *bytes = answer->reply;

    if (bytes == NULL || answer->result < 0) {
        return false;
    }
    for (size_t i = 0; i < answer->operation->reply->struct_bytes; i++) {
        if (bytes[i] != 0) {
            return true;
        }
    }
    return false;
}

enum cli_exit
execute_finish(struct cli *cli, const struct answer *answer)
{
    const bool filled = reply_is_filled(answer);

    if (filled && output_needs_catalog(answer->operation->reply)) {
        catalog_load(cli);
    }
    if (answer->result == 0 || filled || cli->settings.json) {
        output_answer(cli, answer);
    }
    return report_answer(cli, answer);
}

enum cli_exit
execute_request(struct cli *cli, void *request)
{
    struct answer answer = {.operation = cli->operation, .request = request};
    enum cli_exit exit_code;
    void *reply;

    CHECK(cli->operation != NULL);
    exit_code = execute_key(cli, request);
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    if (is_dry(cli)) {
        output_request(cli, cli->operation, request);
        return CLI_DONE;
    }
    reply = calloc(1, cli->operation->reply->struct_bytes);
    if (reply == NULL) {
        cli_note(cli, "out of memory");
        return CLI_NOT_EXECUTED;
    }
    session_call(cli, &answer, reply);
    exit_code = execute_finish(cli, &answer);
    free(reply);
    return exit_code;
}

enum cli_exit
execute_read(struct cli *cli, uint16_t op, const void *request, void *reply)
{
    struct answer answer = {.operation = zr_operation_find(op), .request = request};

    CHECK(answer.operation != NULL);
    session_call(cli, &answer, reply);
    if (answer.result == 0) {
        return CLI_DONE;
    }
    answer.reply = NULL; /* Its fields are not those of the command's own reply. */
    return execute_finish(cli, &answer);
}

enum cli_exit
execute_simple(struct cli *cli)
{
    void *request = calloc(1, cli->operation->request->struct_bytes);
    enum cli_exit exit_code;

    if (request == NULL) {
        cli_note(cli, "out of memory");
        return CLI_NOT_EXECUTED;
    }
    exit_code = fields_fill(cli, request);
    if (exit_code == CLI_DONE) {
        exit_code = execute_request(cli, request);
    }
    free(request);
    return exit_code;
}

/* ---- lists ------------------------------------------------------------------------------- */

/* The request's cursor: "after" where the list ascends, "before" where the newest comes first. */
static const struct zr_field *
cursor_field(const struct zr_shape *shape)
{
    const struct zr_field *after = fields_find(shape, "after");

    return after != NULL ? after : fields_find(shape, "before");
}

/* Carry the reply's cursor into the request; false at the end of the list. */
static bool
cursor_move(const struct zr_operation *operation, void *request, const void *reply)
{
    static const uint8_t zero[8];
    const struct zr_field *cursor = cursor_field(operation->request);
    const struct zr_field *next = fields_find(operation->reply, "next");

    CHECK(cursor != NULL);
    CHECK(next != NULL);
    CHECK(cursor->type->bytes == next->type->bytes);
    memcpy(fields_at(request, cursor), fields_at_const(reply, next), next->type->bytes);
    return memcmp(fields_at_const(reply, next), zero, next->type->bytes) != 0;
}

static enum cli_exit
pages_run(struct cli *cli, void *request, void *reply)
{
    struct answer answer = {.operation = cli->operation, .request = request};

    if (output_needs_catalog(cli->operation->reply) && cli->operation->op != ZR_OP_CATEGORY_LIST) {
        catalog_load(cli);
    }
    do {
        session_call(cli, &answer, reply);
        if (answer.result != 0) {
            return execute_finish(cli, &answer);
        }
        if (cli->operation->op == ZR_OP_CATEGORY_LIST) {
            catalog_learn_page(&cli->catalog, reply);
        }
        output_page(cli, &answer);
    } while (cursor_move(cli->operation, request, reply));
    output_list_end(cli);
    return CLI_DONE;
}

enum cli_exit
execute_list(struct cli *cli)
{
    void *request = calloc(1, cli->operation->request->struct_bytes);
    void *reply = calloc(1, cli->operation->reply->struct_bytes);
    enum cli_exit exit_code = CLI_NOT_EXECUTED;

    if (request == NULL || reply == NULL) {
        cli_note(cli, "out of memory");
    } else {
        exit_code = fields_fill(cli, request);
        if (exit_code == CLI_DONE) {
            exit_code = pages_run(cli, request, reply);
        }
    }
    free(request);
    free(reply);
    return exit_code;
}
