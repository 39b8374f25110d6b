/*
 * contractor.c - contractor add, show, status.
 */
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "client/cli/pki_digest.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdio.h>
#include <string.h>

const struct param contractor_add_params[] = {
    {"name", "name", "NAME", NULL, PARAM_REQUIRED, NULL, NULL},
    {"phone", NULL, "+NUMBER[,+NUMBER...]", "1 to 4 own destinations, in hunt order",
     PARAM_REQUIRED | PARAM_LIST, "phones", NULL},
    {"office-zip", "office_zip", "ZIP", "Where the office is", PARAM_REQUIRED, NULL, NULL},
    {"size", "size_class", "SINGLE|MULTI|REGIONAL", "Of the shop (SINGLE)", 0, NULL, "SINGLE"},
    {"max-concurrency", "max_concurrency", "N", NULL, 0, NULL, NULL},
    {"has-dispatch", "has_dispatch", NULL, "It uses dispatch software", 0, NULL, NULL},
    {"contractor-id", "contractor_id", "UUID", "Its 128-bit id (made from the key)", 0, NULL, NULL},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

const struct param contractor_show_params[] = {{"contractor", NULL, "CONTRACTOR",
                                                "Its number or its UUID",
                                                PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
                                               {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

const struct param contractor_status_params[] = {
    {"contractor", "contractor", "CONTRACTOR", "Its number or its UUID",
     PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
    {"status", "contractor_status", "STATUS",
     "PENDING, APPROVED, SUSPENDED, CLOSING or CLOSED (final)", PARAM_REQUIRED | PARAM_POSITIONAL,
     NULL, NULL},
    {"licence-expires", "licence_expires_ms", "TIME",
     "When its licence ends, 0 = never (what it was)", 0, NULL, NULL},
    {"expected-version", "expected_version", "N", "Instead of the version just read", 0, NULL,
     NULL},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

/* ---- add --------------------------------------------------------------------------------- */

static enum cli_exit
phones_fill(const struct cli *cli, struct zr_contractor_put_request *request)
{
    const size_t phones_max = sizeof request->phones / sizeof request->phones[0];
    const char *list = cli_value(cli, "phone");

    while (list != NULL) {
        const int length = (int)strcspn(list, ",");
        uint64_t phone;
        char text[24];

        if (request->phones_count == phones_max) {
            return cli_misused(cli, "--phone: more than %zu numbers", phones_max);
        }
        (void)snprintf(text, sizeof text, "%.*s", length, list);
        if (!text_to_e164(&phone, text)) {
            return cli_misused(cli, "--phone %.*s: expected an E.164 number, such as +17135550100",
                               length, list);
        }
        request->phones[request->phones_count++].phone = phone;
        list = list[length] == ',' ? list + length + 1 : NULL;
    }
    return CLI_DONE;
}

/*
 * An id made from the key, so that asking again with that key sends the same body. It has the form
 * of a UUID of version 8: made by a rule of its own.
 */
static void
id_from_key(struct zr_id *id, const struct zr_id *key)
{
    static const char label[] = "contractor_id";
    uint8_t input[sizeof key->bytes + sizeof label];
    struct zr_hash digest;

    memcpy(input, key->bytes, sizeof key->bytes);
    memcpy(input + sizeof key->bytes, label, sizeof label);
    pki_sha256(&digest, input, sizeof input);
    memcpy(id->bytes, digest.bytes, sizeof id->bytes);
    id->bytes[6] = (uint8_t)((id->bytes[6] & 0x0F) | 0x80);
    id->bytes[8] = (uint8_t)((id->bytes[8] & 0x3F) | 0x80);
}

enum cli_exit
contractor_add_run(struct cli *cli)
{
    struct zr_contractor_put_request request = {0};
    enum cli_exit exit_code = fields_fill(cli, &request);
    char id[TEXT_ID_BYTES];

    exit_code = exit_code == CLI_DONE ? phones_fill(cli, &request) : exit_code;
    exit_code = exit_code == CLI_DONE ? execute_key(cli, &request) : exit_code;
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    if (text_id_is_zero(&request.contractor_id) && !text_id_is_zero(&cli->key)) {
        id_from_key(&request.contractor_id, &cli->key);
    }
    /* The reply names the number only. A dry run without a key has no id yet, and shows none. */
    if (!text_id_is_zero(&request.contractor_id)) {
        text_from_id(id, &request.contractor_id);
        (void)json_object_set_new(cli->extras, "contractor_id", json_string(id));
    }
    return execute_request(cli, &request);
}

/* ---- show, status ------------------------------------------------------------------------ */

enum cli_exit
contractor_show_run(struct cli *cli)
{
    struct zr_contractor_get_request request = {0};
    const char *text = cli_value(cli, "contractor");
    uint64_t number;

    if (text_to_unsigned(&number, text, UINT32_MAX)) {
        request.contractor = (uint32_t)number;
    } else if (!text_to_id(&request.contractor_id, text)) {
        return cli_misused(cli, "contractor \"%s\": expected its number or its UUID", text);
    }
    return execute_request(cli, &request);
}

/* The licence goes with the status: what is not given has to be sent as it stands. */
static enum cli_exit
licence_keep(struct cli *cli, struct zr_contractor_status_request *request)
{
    const struct zr_contractor_get_request question = {.contractor = request->contractor};
    struct zr_contractor_get_reply record;
    const enum cli_exit exit_code = execute_read(cli, ZR_OP_CONTRACTOR_GET, &question, &record);

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    request->licence_expires_ms = record.licence_expires_ms;
    if (!cli_given(cli, "expected-version")) {
        request->expected_version = record.version;
    }
    return CLI_DONE;
}

enum cli_exit
contractor_status_run(struct cli *cli)
{
    struct zr_contractor_status_request request = {0};
    enum cli_exit exit_code = fields_fill(cli, &request);

    if (exit_code == CLI_DONE && !cli_given(cli, "licence-expires") && !cli->settings.dry_run) {
        exit_code = licence_keep(cli, &request);
    }
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}
