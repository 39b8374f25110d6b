/*
 * policy.c - policy get, put.
 *
 * A POLICY_PUT replaces a whole record. put reads the policy in force for the scope, changes what
 * was given, and sends it against the version of that very scope, so that nobody's change is lost.
 */
#include "client/cli/catalog.h"
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "protocol/check.h"

#include <stdio.h>
#include <string.h>

#define SCOPE_OPTIONS                                                                             \
    {"zip", "zip", "ZIP", "Of a slot, with --category", 0, NULL, NULL},                           \
    {                                                                                             \
        "category", "category", "CATEGORY", "Of a category (of the whole network)", 0, NULL, NULL \
    }
#define POLICY_OPTION(option, argument, text)       \
    {                                               \
        option, NULL, argument, text, 0, NULL, NULL \
    }

const struct param policy_get_params[] = {SCOPE_OPTIONS, {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

/* One option for each field of a policy: policy_fill() stops when one is missing. */
const struct param policy_put_params[] = {
    SCOPE_OPTIONS,
    {"expected-version", "expected_version", "N", "Instead of the version just read", 0, NULL,
     NULL},
    POLICY_OPTION("qualify-ms", "MS", "Talk that makes a call chargeable; 0 charges at CONNECT"),
    POLICY_OPTION("dup-days", "DAYS", "A repeat of a charged call is free; 0 = off"),
    POLICY_OPTION("funds-grace-s", "S", "A dry primary keeps its title this long"),
    POLICY_OPTION("pause-grace-s", "S", "A paused primary keeps its title this long"),
    POLICY_OPTION("offer-window-s", "S", "0: the next in line is promoted at once"),
    POLICY_OPTION("max-call-s", "S", "A call without END is swept after this long"),
    POLICY_OPTION("overdraft-cents", "CENTS", "-1: concurrency x the dearest rate"),
    POLICY_OPTION("ring-timeout-s", "S", "10..60"),
    POLICY_OPTION("cascade-budget-s", "S", "At least attempts x (ring + 5)"),
    POLICY_OPTION("multiplier-2-bp", "BP", "Rate of rank 2, in 1/10,000"),
    POLICY_OPTION("multiplier-3-bp", "BP", "Of rank 3 and below"),
    POLICY_OPTION("max-positions", "N", "1..32; 1 = exclusive"),
    POLICY_OPTION("max-attempts", "N", "1..4"),
    POLICY_OPTION("screening-required", "yes|no", "Unscreened calls are not routed"),
    POLICY_OPTION("dup-scope", "SCOPE", "per_contractor or per_network"),
    POLICY_OPTION("funds-rule", "RULE", "slot_rate or max_rate"),
    POLICY_OPTION("duration-check", "HOW", "clip or flag talk beyond the ticket's age"),
    {"cooldown-misses", "cooldown_misses", "N", NULL, 0, NULL, NULL},
    {"cooldown-s", "cooldown_s", "S", NULL, 0, NULL, NULL},
    {"dispute-days", "dispute_days", "DAYS", NULL, 0, NULL, NULL},
    {"attestation-min", "attestation_min", "A|B|C|any",
     "STIR/SHAKEN level that callers need at least; below it they are BLOCKED", 0, NULL, NULL},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL}};

/* NETWORK, CATEGORY or SLOT, as --category and --zip say; 0 = they contradict. */
static uint8_t
scope_of(const struct cli *cli)
{
    if (cli_given(cli, "zip")) {
        return cli_given(cli, "category") ? ZR_SCOPE_SLOT : 0;
    }
    return cli_given(cli, "category") ? ZR_SCOPE_CATEGORY : ZR_SCOPE_NETWORK;
}

static enum cli_exit
scope_missing(const struct cli *cli)
{
    return cli_misused(cli, "--zip without --category: a slot is a ZIP with a category");
}

enum cli_exit
policy_get_run(struct cli *cli)
{
    struct zr_policy_get_request request = {.scope = scope_of(cli)};
    enum cli_exit exit_code;

    if (request.scope == 0) {
        return scope_missing(cli);
    }
    exit_code = fields_fill(cli, &request);
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}

/* Change the fields that were given; *given counts them. */
static enum cli_exit
policy_fill(const struct cli *cli, struct zr_policy *policy, size_t *given)
{
    *given = 0;
    for (uint16_t i = 0; i < zr_policy_shape.fields_count; i++) {
        const struct zr_field *field = &zr_policy_shape.fields[i];
        const char *expected = NULL;
        char option[64];

        if (field->row != ZR_ROW_FIELD) {
            continue;
        }
        (void)snprintf(option, sizeof option, "%s", field->name);
        for (char *c = strchr(option, '_'); c != NULL; c = strchr(c, '_')) {
            *c = '-';
        }
        if (!cli_given(cli, option)) {
            continue;
        }
        expected = fields_parse(fields_at(policy, field), field, cli_value(cli, option));
        if (expected != NULL) {
            return cli_misused(cli, "--%s %s: expected %s", option, cli_value(cli, option),
                               expected);
        }
        (*given)++;
    }
    return CLI_DONE;
}

/* Options whose values stand beside the policy: later versions added them to the request. */
static const char *const later_options[] = {"cooldown-misses", "cooldown-s", "dispute-days",
                                            "attestation-min"};

static size_t
later_given(const struct cli *cli)
{
    size_t given = 0;

    for (size_t i = 0; i < sizeof later_options / sizeof later_options[0]; i++) {
        given += cli_given(cli, later_options[i]) ? 1 : 0;
    }
    return given;
}

/* Those that were not given stay. */
static void
later_keep(const struct cli *cli, struct zr_policy_put_request *request,
           const struct zr_policy_get_reply *reply)
{
    if (!cli_given(cli, "cooldown-misses")) {
        request->cooldown_misses = reply->cooldown_misses;
    }
    if (!cli_given(cli, "cooldown-s")) {
        request->cooldown_s = reply->cooldown_s;
    }
    if (!cli_given(cli, "dispute-days")) {
        request->dispute_days = reply->dispute_days;
    }
    if (!cli_given(cli, "attestation-min")) {
        request->attestation_min = reply->attestation_min;
    }
}

/* What is in force, as the base of the change. */
static enum cli_exit
policy_read(struct cli *cli, struct zr_policy_put_request *request)
{
    const struct zr_policy_get_request question = {
        .scope = request->scope, .zip = request->zip, .category = request->category};
    struct zr_policy_get_reply reply;
    const enum cli_exit exit_code = execute_read(cli, ZR_OP_POLICY_GET, &question, &reply);

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    if (reply.policy_count != 1) {
        cli_note(cli, "the server sent no policy");
        return CLI_NOT_EXECUTED;
    }
    request->policy[0] = reply.policy[0];
    request->policy_count = 1;
    later_keep(cli, request, &reply);
    if (!cli_given(cli, "expected-version")) {
        request->expected_version = reply.own_version;
    }
    return CLI_DONE;
}

enum cli_exit
policy_put_run(struct cli *cli)
{
    struct zr_policy_put_request request = {.scope = scope_of(cli)};
    struct zr_policy trial = {0};
    enum cli_exit exit_code;
    size_t given;

    if (request.scope == 0) {
        return scope_missing(cli);
    }
    /* Once for its syntax, before anything is asked. */
    exit_code = policy_fill(cli, &trial, &given);
    if (exit_code == CLI_DONE && given + later_given(cli) == 0) {
        return cli_misused(cli, "nothing to change: give at least one value");
    }
    exit_code = exit_code == CLI_DONE ? fields_fill(cli, &request) : exit_code;
    exit_code = exit_code == CLI_DONE ? policy_read(cli, &request) : exit_code;
    exit_code = exit_code == CLI_DONE ? policy_fill(cli, &request.policy[0], &given) : exit_code;
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}
