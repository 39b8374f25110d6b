/*
 * principal.c - principal add, revoke.
 *
 * A principal is a public key: the SHA-256 of a certificate's SubjectPublicKeyInfo. It is taken
 * from the certificate (--cert, which after these two commands means that file; the connection's
 * own stands before the command) or given as it is.
 */
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "client/cli/pki.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#define KEY_OPTIONS                                                                         \
    {"cert", NULL, "FILE", "The certificate whose key it is, PEM", 0, NULL, NULL},          \
    {                                                                                       \
        "key-hash", "key_hash", "HEX", "SHA-256 of its SubjectPublicKeyInfo", 0, NULL, NULL \
    }

const struct param principal_add_params[] = {
    {"role", "role", "ROLE",
     "switch, callcenter, portal, contractor, payments, admin, auditor or bench", PARAM_REQUIRED,
     NULL, NULL},
    {"tenant", "tenant", "N", NULL, PARAM_REQUIRED, NULL, NULL},
    {"name", "name", "TEXT", NULL, 0, NULL, NULL},
    {"contractor", "contractor", "CONTRACTOR", "Of the role contractor", 0, NULL, NULL},
    {"expected-version", "expected_version", "N", NULL, 0, NULL, NULL},
    KEY_OPTIONS,
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

const struct param principal_revoke_params[] = {KEY_OPTIONS,
                                                {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

/* Both requests carry the hash under the same name. */
static enum cli_exit
key_hash_fill(const struct cli *cli, void *request)
{
    const struct zr_field *field = fields_find(cli->operation->request, "key_hash");
    char error[PKI_ERROR_BYTES];

    CHECK(field != NULL);
    if (cli_given(cli, "cert") == cli_given(cli, "key-hash")) {
        return cli_misused(cli, "name the key either by --cert or by --key-hash");
    }
    if (cli_given(cli, "cert") &&
        !pki_key_hash(fields_at(request, field), cli_value(cli, "cert"), error)) {
        return cli_misused(cli, "--cert: %s", error);
    }
    return CLI_DONE;
}

static void
key_hash_echo(struct cli *cli, const void *request)
{
    const struct zr_field *field = fields_find(cli->operation->request, "key_hash");
    char text[TEXT_HASH_BYTES];

    text_from_hash(text, fields_at_const(request, field));
    (void)json_object_set_new(cli->extras, "key_hash", json_string(text));
}

enum cli_exit
principal_run(struct cli *cli)
{
    union {
        struct zr_principal_put_request put;
        struct zr_principal_revoke_request revoke;
    } request = {0};
    enum cli_exit exit_code = key_hash_fill(cli, &request);

    exit_code = exit_code == CLI_DONE ? fields_fill(cli, &request) : exit_code;
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    key_hash_echo(cli, &request);
    return execute_request(cli, &request);
}
