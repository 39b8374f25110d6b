/*
 * report.c - what was refused, where, and what to do next, on stderr; and the exit code of it.
 *
 * Never silent: every end but "done" says its name, its class, the field where there is one, the
 * library's sentence, and for an unknown outcome the very option that makes asking again safe.
 */
#include "client/cli/cli.h"
#include "client/cli/fields.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdio.h>
#include <string.h>

/* ---- classes ----------------------------------------------------------------------------- */

/* The status class that a transport result amounts to. */
static uint8_t
transport_class(int result)
{
    switch ((enum zr_error_code)result) {
    case ZR_EINVAL:
        return ZR_CLASS_BAD_REQUEST;
    case ZR_ETIMEDOUT:
    case ZR_EDISCONNECTED:
    case ZR_EFULL:
    case ZR_ENOMEM:
    case ZR_ECANCELED:
        return ZR_CLASS_NOT_EXECUTED;
    case ZR_EUNKNOWN:
        return ZR_CLASS_UNKNOWN;
    case ZR_EAUTH:
        return ZR_CLASS_DENIED;
    case ZR_ETLS:
    case ZR_EPROTO:
    case ZR_EVERSION:
        return ZR_CLASS_PROTOCOL;
    }
    return ZR_CLASS_PROTOCOL;
}

static uint8_t
result_class(int result)
{
    return result < 0 ? transport_class(result) : zr_status_class((uint16_t)result);
}

const char *
report_class_name(int result)
{
    return zr_status_class_name(result_class(result));
}

static enum cli_exit
class_exit(uint8_t status_class)
{
    switch ((enum zr_status_class)status_class) {
    case ZR_CLASS_DONE:
        return CLI_DONE;
    case ZR_CLASS_BAD_REQUEST:
        return CLI_BAD_REQUEST;
    case ZR_CLASS_REFUSED:
        return CLI_REFUSED;
    case ZR_CLASS_NOT_EXECUTED:
    case ZR_CLASS_PROTOCOL:
        return CLI_NOT_EXECUTED;
    case ZR_CLASS_UNKNOWN:
        return CLI_OUTCOME_UNKNOWN;
    case ZR_CLASS_DENIED:
        return CLI_DENIED;
    }
    return CLI_NOT_EXECUTED;
}

/* ---- the sentence ------------------------------------------------------------------------ */

/* The option that fills a field, NULL when none does. */
static const struct param *
param_of(const struct cli *cli, const char *field)
{
    for (const struct param *param = cli->command->params; param->option != NULL; param++) {
        if (param->field != NULL && strcmp(param->field, field) == 0) {
            return param;
        }
    }
    return NULL;
}

/* "field "zip" (--zip): five digits as a number; " */
static void
say_where(const struct cli *cli, const struct answer *answer)
{
    const struct zr_field *field = zr_shape_field_at(answer->operation->request, answer->detail);
    const struct param *param;

    if (answer->detail == 0) {
        return;
    }
    if (field == NULL || field->name == NULL) {
        (void)fprintf(stderr, "at byte %u of the request: ", answer->detail);
        return;
    }
    param = answer->operation == cli->operation ? param_of(cli, field->name) : NULL;
    (void)fprintf(stderr, "field \"%s\"", field->name);
    if (param != NULL) {
        (void)fprintf(stderr, " (--%s)", param->option);
    }
    if (*field->doc != '\0') {
        (void)fprintf(stderr, ", %s", field->doc);
    }
    (void)fputs(": ", stderr);
}

/* How to ask again without doing it twice. */
static void
say_retry(const struct cli *cli, const struct answer *answer)
{
    const struct zr_field *version = fields_find(answer->operation->request, "expected_version");
    char key[TEXT_ID_BYTES];

    if (answer->operation->kind != ZR_OP_KIND_KEYED || text_id_is_zero(&cli->key)) {
        (void)fputs("  To ask again: the same command; it is executed at most once.\n", stderr);
        return;
    }
    text_from_id(key, &cli->key);
    (void)fprintf(stderr, "  To ask again: the same command with --key %s", key);
    if (version != NULL && answer->request != NULL) {
        (void)fprintf(stderr, " --expected-version %u",
                      *(const uint32_t *)fields_at_const(answer->request, version));
    }
    (void)fputs("; it is executed at most once.\n", stderr);
}

enum cli_exit
report_answer(const struct cli *cli, const struct answer *answer)
{
    const uint8_t status_class = result_class(answer->result);
    const char *name = zr_result_name(answer->result);
    const struct command *command = cli->command;

    CHECK(answer->operation != NULL);
    if (status_class == ZR_CLASS_DONE) {
        return CLI_DONE;
    }
    (void)fflush(stdout);
    (void)fprintf(stderr, "zipring %s%s%s: ", command->name, command->subcommand != NULL ? " " : "",
                  command->subcommand != NULL ? command->subcommand : "");
    if (name != NULL) {
        (void)fprintf(stderr, "%s (%s): ", name, report_class_name(answer->result));
    } else {
        (void)fprintf(stderr, "status 0x%04X (%s): ", (unsigned)answer->result,
                      report_class_name(answer->result));
    }
    if (status_class == ZR_CLASS_BAD_REQUEST && answer->result > 0) {
        say_where(cli, answer);
    }
    if (answer->result < 0 && cli->failure[0] != '\0') {
        (void)fprintf(stderr, "%s: ", cli->failure);
    }
    (void)fprintf(stderr, "%s\n", zr_result_text(answer->result));
    if (status_class == ZR_CLASS_NOT_EXECUTED && answer->result > 0 && answer->detail > 0) {
        (void)fprintf(stderr, "  Retry after %u ms.\n", answer->detail);
    }
    if (status_class == ZR_CLASS_UNKNOWN) {
        say_retry(cli, answer);
    }
    return class_exit(status_class);
}
