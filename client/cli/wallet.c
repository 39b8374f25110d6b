/*
 * wallet.c - wallet topup, show, ledger, autotopup, topup-result, reverse, adjust; dispute.
 *
 * Most of them need no more than their fields. A top-up has no key: its provider reference credits
 * once, for ever (I14), and so does the attempt of an automatic one. Asking again is safe.
 */
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "client/cli/profile.h"
#include "protocol/check.h"

#include <stdio.h>
#include <string.h>

enum {
    METHODS_MAX =
        sizeof((struct zr_autotopup_put_request *)0)->methods / sizeof(struct zr_topup_method),
};

const struct param wallet_topup_params[] = {
    PROFILE_CONTRACTOR,
    {"amount-cents", "amount_cents", "CENTS", "At least 2500", PARAM_REQUIRED, NULL, NULL},
    {"ref", "provider_ref", "TEXT", NULL, PARAM_REQUIRED, "provider-ref", NULL},
    PROFILE_END};

const struct param wallet_contractor_params[] = {PROFILE_CONTRACTOR, PROFILE_END};

const struct param wallet_reverse_params[] = {
    PROFILE_CONTRACTOR,
    {"amount-cents", "amount_cents", "CENTS", "As it was credited", PARAM_REQUIRED, NULL, NULL},
    {"ref", "provider_ref", "TEXT", "Of the top-up that the provider took back", PARAM_REQUIRED,
     "provider-ref", NULL},
    PROFILE_END};

const struct param wallet_autotopup_params[] = {
    PROFILE_CONTRACTOR,
    {"threshold-cents", "threshold_cents", "CENTS", NULL, 0, NULL, NULL},
    {"amount-cents", "amount_cents", "CENTS", NULL, 0, NULL, NULL},
    {"monthly-max-cents", "monthly_max_cents", "CENTS", NULL, 0, NULL, NULL},
    {"method", NULL, "TOKEN[,TOKEN...]", "The payments client's tokens, in the order of trying",
     PARAM_LIST, "methods", NULL},
    {"enabled", "enabled", "yes|no", "yes also starts again after DISABLED", 0, NULL, NULL},
    PROFILE_VERSION,
    PROFILE_END};

const struct param wallet_result_params[] = {
    {"attempt-id", "attempt_id", "ATTEMPT_ID", "Of the event TOPUP_REQUESTED",
     PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
    {"ok", "ok", NULL, "The provider took the money", 0, NULL, NULL},
    {"failed", NULL, NULL, "It did not", 0, NULL, NULL},
    {"ref", "provider_ref", "TEXT", "With --ok: the payment's own reference", 0, "provider-ref",
     NULL},
    {"reason", "reason", "TEXT", NULL, 0, NULL, NULL},
    PROFILE_END};

const struct param wallet_adjust_params[] = {
    {"debit", "debit", "ACCOUNT", "MAIN, CREDIT, REFUNDS, PROMO, WRITE_OFF ...", PARAM_REQUIRED,
     NULL, NULL},
    {"credit", "credit", "ACCOUNT", "The other side", PARAM_REQUIRED, NULL, NULL},
    {"amount-cents", "amount_cents", "CENTS", NULL, PARAM_REQUIRED, NULL, NULL},
    {"reason", "reason", "TEXT", NULL, PARAM_REQUIRED, NULL, NULL},
    {"contractor", "contractor", "CONTRACTOR", "Whose MAIN or CREDIT it is", 0, NULL, NULL},
    {"link", "link", "CALL_REF", NULL, 0, NULL, NULL},
    {"approves", "approves", "ADJUST_ID", "Post another administrator's; the rest repeats it", 0,
     NULL, NULL},
    PROFILE_END};

#define DISPUTE_CHARGE                                                                          \
    {"ref",                                                                                     \
     "call_ref",                                                                                \
     "CALL_REF",                                                                                \
     "The call that was charged",                                                               \
     PARAM_REQUIRED | PARAM_POSITIONAL,                                                         \
     "call-ref",                                                                                \
     NULL},                                                                                     \
    {                                                                                           \
        "contractor", "contractor", "CONTRACTOR", "Who was charged", PARAM_REQUIRED, NULL, NULL \
    }

const struct param dispute_open_params[] = {
    DISPUTE_CHARGE,
    {"reason", "reason", "REASON",
     "duplicate, voicemail, short, wrong_area, wrong_service, spam or other", PARAM_REQUIRED, NULL,
     NULL},
    {"note", "note", "TEXT", NULL, 0, NULL, NULL},
    PROFILE_END};

const struct param dispute_resolve_params[] = {
    DISPUTE_CHARGE,
    {"credit-cents", "credit_cents", "CENTS", NULL, PARAM_REQUIRED, NULL, NULL},
    PROFILE_END};

const struct param dispute_show_params[] = {DISPUTE_CHARGE, PROFILE_END};

/* ---- automatic top-up -------------------------------------------------------------------- */

static enum cli_exit
methods_fill(const struct cli *cli, struct zr_autotopup_put_request *request)
{
    const char *list = profile_list(cli, "method");
    const struct zr_field *field = fields_find(&zr_topup_method_shape, "method");
    char item[64];

    CHECK(field != NULL);
    request->methods_count = 0;
    while (profile_take_item(item, sizeof item, &list)) {
        const char *expected;

        if (request->methods_count == METHODS_MAX) {
            return cli_misused(cli, "--method: more than %d", METHODS_MAX);
        }
        expected = fields_parse(request->methods[request->methods_count++].method, field, item);
        if (expected != NULL) {
            return cli_misused(cli, "--method %s: expected %s", item, expected);
        }
    }
    return CLI_DONE;
}

static enum cli_exit
autotopup_fill(struct cli *cli, struct zr_autotopup_put_request *request)
{
    const enum cli_exit exit_code =
        cli_given(cli, "method") ? methods_fill(cli, request) : CLI_DONE;

    return exit_code == CLI_DONE ? fields_fill(cli, request) : exit_code;
}

enum cli_exit
wallet_autotopup_run(struct cli *cli)
{
    struct zr_autotopup_put_request request = {0};
    struct zr_autotopup_get_reply record;
    enum cli_exit exit_code;

    if (profile_is_shown(cli)) {
        return profile_show(cli, ZR_OP_AUTOTOPUP_GET);
    }
    exit_code = autotopup_fill(cli, &request);
    exit_code = exit_code == CLI_DONE ? profile_read(cli, ZR_OP_AUTOTOPUP_GET, &record) : exit_code;
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    request = (struct zr_autotopup_put_request){
        .expected_version = record.version,
        .threshold_cents = record.threshold_cents,
        .amount_cents = record.amount_cents,
        .monthly_max_cents = record.monthly_max_cents,
        /* One that was never put is made to work; one that was switched off stays so. */
        .enabled = record.version == 0 || record.state != ZR_TOPUP_STATE_DISABLED,
        .methods_count = record.methods_count};
    memcpy(request.methods, record.methods, sizeof request.methods);
    exit_code = autotopup_fill(cli, &request);
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}

enum cli_exit
wallet_result_run(struct cli *cli)
{
    if (cli_given(cli, "ok") == cli_given(cli, "failed")) {
        return cli_misused(cli, "say either --ok or --failed");
    }
    if (cli_given(cli, "ok") != cli_given(cli, "ref")) {
        return cli_misused(cli, "--ok goes with --ref: the payment's own reference");
    }
    return execute_simple(cli);
}
