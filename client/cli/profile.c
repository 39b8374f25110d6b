/*
 * profile.c - contractor caps, dest, filters; and what all commands of profile.h share.
 */
#include "client/cli/profile.h"

#include "client/cli/bits.h"
#include "client/cli/catalog.h"
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdio.h>
#include <string.h>

enum {
    CAPS_MAX = sizeof((struct zr_caps_put_request *)0)->caps / sizeof(struct zr_cap),
    PHONES_MAX = sizeof((struct zr_dest_put_request *)0)->phones / sizeof(struct zr_phone),
    BLOCKED_MAX = sizeof((struct zr_filters_put_request *)0)->blocked / sizeof(struct zr_phone),
    PARTNERS_MAX = sizeof((struct zr_filters_put_request *)0)->partners / sizeof(struct zr_partner),
    PARTNERS_ALL = 0,
    PARTNERS_ONLY = 1,
    PARTNERS_BUT = 2,
    MODE_PHONE = 1,
    ITEM_BYTES = 48,
};

const struct param contractor_caps_params[] = {
    PROFILE_CONTRACTOR,
    {"cap", NULL, "WINDOW:MEASURE=N",
     "hour, day, month or total : calls, connects or spend (cents) = most; or none", PARAM_LIST,
     NULL, NULL},
    {"add", NULL, NULL, "Keep the caps that are there", 0, NULL, NULL},
    {"spacing-s", "spacing_s", "S", NULL, 0, NULL, NULL},
    PROFILE_VERSION,
    PROFILE_END};

const struct param contractor_dest_params[] = {
    PROFILE_CONTRACTOR,
    {"phone", NULL, "+NUMBER[,+NUMBER...]", "1 to 4 own destinations, in hunt order", PARAM_LIST,
     "phones", NULL},
    {"mode", NULL, "MODE[,MODE...]", "phone, app, sms: how calls may be delivered", PARAM_LIST,
     "modes", NULL},
    {"down", NULL, "+NUMBER[,+NUMBER...]", "Those out of order; or none", PARAM_LIST, NULL, NULL},
    PROFILE_VERSION,
    PROFILE_END};

const struct param contractor_filters_params[] = {
    PROFILE_CONTRACTOR,
    {"block", NULL, "+NUMBER[,+NUMBER...]", "Callers that it does not take; or none", PARAM_LIST,
     NULL, NULL},
    {"allow-tenant", NULL, "N[,N...]", "Only these may route to it; none = every one may",
     PARAM_LIST, NULL, NULL},
    {"deny-tenant", NULL, "N[,N...]", "All but these may route to it", PARAM_LIST, NULL, NULL},
    {"add", NULL, NULL, "Keep the callers and tenants that are there", 0, NULL, NULL},
    {"attestation", "attestation_min", "A|B|C|any", "STIR/SHAKEN level that callers need at least",
     0, NULL, NULL},
    {"no-duplicates", "no_duplicates", NULL, NULL, 0, NULL, NULL},
    {"duplicates", NULL, NULL, "Put them through again", 0, NULL, NULL},
    PROFILE_VERSION,
    PROFILE_END};

/* ---- shared ------------------------------------------------------------------------------ */

bool
profile_is_shown(const struct cli *cli)
{
    for (const struct param *param = cli->command->params; param->option != NULL; param++) {
        if (strcmp(param->option, "contractor") != 0 && cli_given(cli, param->option)) {
            return false;
        }
    }
    return true;
}

enum cli_exit
profile_show(struct cli *cli, uint16_t op)
{
    struct zr_profile_get_request request = {0};
    enum cli_exit exit_code;

    cli->operation = zr_operation_find(op);
    CHECK(cli->operation != NULL);
    CHECK(cli->operation->request == &zr_profile_get_request_shape);
    cli->roles = cli->operation->roles;
    exit_code = catalog_contractor(cli, cli_value(cli, "contractor"), &request.contractor);
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}

/* What is read needs its number, --dry-run or not. */
static enum cli_exit
contractor_find(struct cli *cli, uint32_t *number)
{
    const bool dry = cli->settings.dry_run;
    enum cli_exit exit_code;

    cli->settings.dry_run = false;
    exit_code = catalog_contractor(cli, cli_value(cli, "contractor"), number);
    cli->settings.dry_run = dry;
    return exit_code;
}

enum cli_exit
profile_read(struct cli *cli, uint16_t op, void *reply)
{
    struct zr_profile_get_request request = {0};
    const enum cli_exit exit_code = contractor_find(cli, &request.contractor);

    return exit_code == CLI_DONE ? execute_read(cli, op, &request, reply) : exit_code;
}

bool
profile_take_item(char *item, size_t item_bytes, const char **list)
{
    int length;

    if (*list == NULL) {
        return false;
    }
    length = (int)strcspn(*list, ",");
    /* What does not fit is longer than anything that could be meant, and is no item when cut. */
    (void)snprintf(item, item_bytes, "%.*s", length, *list);
    *list = (*list)[length] == ',' ? *list + length + 1 : NULL;
    return true;
}

const char *
profile_list(const struct cli *cli, const char *option)
{
    const char *list = cli_value(cli, option);

    CHECK(list != NULL);
    return strcmp(list, "none") == 0 ? NULL : list;
}

/* ---- caps -------------------------------------------------------------------------------- */

/* "day:connects=10" */
static bool
cap_parse(struct zr_cap *cap, char item[ITEM_BYTES])
{
    char *measure = strchr(item, ':');
    char *limit = measure != NULL ? strchr(measure, '=') : NULL;

    if (limit == NULL) {
        return false;
    }
    *measure++ = '\0';
    *limit++ = '\0';
    *cap = (struct zr_cap){0};
    return text_to_enum(&cap->window, item, zr_type_cap_window.values) &&
           text_to_enum(&cap->measure, measure, zr_type_cap_measure.values) &&
           text_to_unsigned(&cap->limit, limit, INT64_MAX);
}

/* Where that window and measure stand, or the first free place. */
static struct zr_cap *
cap_place(struct zr_caps_put_request *request, const struct zr_cap *cap)
{
    for (uint16_t i = 0; i < request->caps_count; i++) {
        if (request->caps[i].window == cap->window && request->caps[i].measure == cap->measure) {
            return &request->caps[i];
        }
    }
    CHECK(request->caps_count < CAPS_MAX); /* Every window with every measure. */
    return &request->caps[request->caps_count++];
}

static enum cli_exit
caps_fill(struct cli *cli, struct zr_caps_put_request *request)
{
    const char *list = cli_given(cli, "cap") ? profile_list(cli, "cap") : NULL;
    char item[ITEM_BYTES];
    struct zr_cap cap;

    if (cli_given(cli, "cap") && !cli_given(cli, "add")) {
        request->caps_count = 0;
    }
    while (profile_take_item(item, sizeof item, &list)) {
        if (!cap_parse(&cap, item)) {
            return cli_misused(cli,
                               "--cap %s: expected WINDOW:MEASURE=N, such as day:connects=10 or "
                               "month:spend=50000 (cents), or none",
                               cli_value(cli, "cap"));
        }
        *cap_place(request, &cap) = cap;
    }
    return fields_fill(cli, request);
}

enum cli_exit
contractor_caps_run(struct cli *cli)
{
    struct zr_caps_put_request request = {0};
    struct zr_caps_get_reply record;
    enum cli_exit exit_code;

    if (profile_is_shown(cli)) {
        return profile_show(cli, ZR_OP_CAPS_GET);
    }
    exit_code = caps_fill(cli, &request);
    exit_code = exit_code == CLI_DONE ? profile_read(cli, ZR_OP_CAPS_GET, &record) : exit_code;
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    request = (struct zr_caps_put_request){.expected_version = record.version,
                                           .spacing_s = record.spacing_s};
    for (uint16_t i = 0; i < record.caps_count; i++) {
        record.caps[i].used = 0; /* The server counts. */
        *cap_place(&request, &record.caps[i]) = record.caps[i];
    }
    exit_code = caps_fill(cli, &request);
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}

/* ---- destinations ------------------------------------------------------------------------ */

/* An option's numbers; --add has been dealt with. CLI_DONE or reported. */
static enum cli_exit
numbers_add(const struct cli *cli, const char *option, struct zr_phone *phones, uint16_t *count,
            uint16_t max)
{
    const char *list = profile_list(cli, option);
    char item[ITEM_BYTES];

    while (profile_take_item(item, sizeof item, &list)) {
        uint64_t number;

        if (!text_to_e164(&number, item)) {
            return cli_misused(cli, "--%s %s: expected an E.164 number, such as +17135550100",
                               option, item);
        }
        if (*count == max) {
            return cli_misused(cli, "--%s: more than %u numbers", option, max);
        }
        phones[(*count)++].phone = number;
    }
    return CLI_DONE;
}

static enum cli_exit
modes_fill(const struct cli *cli, struct zr_dest_put_request *request)
{
    const char *list = cli_value(cli, "mode");
    char item[ITEM_BYTES];

    request->modes = 0;
    while (profile_take_item(item, sizeof item, &list)) {
        const int bit = bits_find(bits_names("modes"), item);

        if (bit < 0) {
            return cli_misused(cli, "--mode %s: expected phone, app or sms", item);
        }
        request->modes |= (uint8_t)(1u << bit);
    }
    return CLI_DONE;
}

/* Bits of the numbers that are down: each must be one of the contractor's. */
static enum cli_exit
down_fill(const struct cli *cli, struct zr_dest_put_request *request)
{
    struct zr_phone down[PHONES_MAX];
    uint16_t down_count = 0;
    const enum cli_exit exit_code = numbers_add(cli, "down", down, &down_count, PHONES_MAX);

    request->phones_down = 0;
    for (uint16_t i = 0; exit_code == CLI_DONE && i < down_count; i++) {
        uint16_t at = 0;

        while (at < request->phones_count && request->phones[at].phone != down[i].phone) {
            at++;
        }
        if (at == request->phones_count) {
            return cli_misused(cli, "--down +%llu: not one of its numbers",
                               (unsigned long long)down[i].phone);
        }
        request->phones_down |= (uint8_t)(1u << at);
    }
    return exit_code;
}

static enum cli_exit
dest_fill(struct cli *cli, struct zr_dest_put_request *request)
{
    enum cli_exit exit_code = CLI_DONE;

    if (cli_given(cli, "phone")) {
        request->phones_count = 0;
        request->phones_down = 0; /* Its bits were of the numbers before. */
        exit_code = numbers_add(cli, "phone", request->phones, &request->phones_count, PHONES_MAX);
    }
    if (exit_code == CLI_DONE && cli_given(cli, "mode")) {
        exit_code = modes_fill(cli, request);
    }
    if (exit_code == CLI_DONE && cli_given(cli, "down")) {
        exit_code = down_fill(cli, request);
    }
    return exit_code == CLI_DONE ? fields_fill(cli, request) : exit_code;
}

/* Destinations stand in the contractor's record. */
static enum cli_exit
dest_read(struct cli *cli, struct zr_dest_put_request *request)
{
    struct zr_contractor_get_request question = {0};
    struct zr_contractor_get_reply record;
    enum cli_exit exit_code = contractor_find(cli, &question.contractor);

    if (exit_code == CLI_DONE) {
        exit_code = execute_read(cli, ZR_OP_CONTRACTOR_GET, &question, &record);
    }
    if (exit_code == CLI_DONE) {
        request->expected_version = record.version;
        request->modes = record.modes != 0 ? record.modes : MODE_PHONE;
        request->phones_down = record.phones_down;
        request->phones_count = record.phones_count;
        memcpy(request->phones, record.phones, sizeof request->phones);
    }
    return exit_code;
}

static enum cli_exit
dest_show(struct cli *cli)
{
    cli->operation = zr_operation_find(ZR_OP_CONTRACTOR_GET);
    CHECK(cli->operation != NULL);
    cli->roles = cli->operation->roles;
    return contractor_show_run(cli);
}

enum cli_exit
contractor_dest_run(struct cli *cli)
{
    struct zr_dest_put_request request = {0};
    enum cli_exit exit_code;

    if (profile_is_shown(cli)) {
        return dest_show(cli);
    }
    exit_code = dest_read(cli, &request);
    exit_code = exit_code == CLI_DONE ? dest_fill(cli, &request) : exit_code;
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}

/* ---- filters ----------------------------------------------------------------------------- */

static enum cli_exit
partners_fill(const struct cli *cli, struct zr_filters_put_request *request)
{
    const char *option = cli_given(cli, "allow-tenant") ? "allow-tenant" : "deny-tenant";
    const uint8_t rule = cli_given(cli, "allow-tenant") ? PARTNERS_ONLY : PARTNERS_BUT;
    const char *list = profile_list(cli, option);
    char item[ITEM_BYTES];

    if (!cli_given(cli, "add") || request->partners_rule != rule) {
        request->partners_count = 0;
    }
    request->partners_rule = list != NULL ? rule : PARTNERS_ALL;
    while (profile_take_item(item, sizeof item, &list)) {
        uint64_t tenant;

        if (!text_to_unsigned(&tenant, item, UINT32_MAX)) {
            return cli_misused(cli, "--%s %s: expected a tenant's number, or none", option, item);
        }
        if (request->partners_count == PARTNERS_MAX) {
            return cli_misused(cli, "--%s: more than %d tenants", option, PARTNERS_MAX);
        }
        request->partners[request->partners_count++].tenant = (uint32_t)tenant;
    }
    return CLI_DONE;
}

static enum cli_exit
filters_fill(struct cli *cli, struct zr_filters_put_request *request)
{
    enum cli_exit exit_code = CLI_DONE;

    if (cli_given(cli, "allow-tenant") && cli_given(cli, "deny-tenant")) {
        return cli_misused(cli, "--allow-tenant and --deny-tenant contradict each other");
    }
    if (cli_given(cli, "duplicates")) {
        request->no_duplicates = false;
    }
    if (cli_given(cli, "block")) {
        if (!cli_given(cli, "add")) {
            request->blocked_count = 0;
        }
        exit_code =
            numbers_add(cli, "block", request->blocked, &request->blocked_count, BLOCKED_MAX);
    }
    if (exit_code == CLI_DONE &&
        (cli_given(cli, "allow-tenant") || cli_given(cli, "deny-tenant"))) {
        exit_code = partners_fill(cli, request);
    }
    return exit_code == CLI_DONE ? fields_fill(cli, request) : exit_code;
}

enum cli_exit
contractor_filters_run(struct cli *cli)
{
    struct zr_filters_put_request request = {0};
    struct zr_filters_get_reply record;
    enum cli_exit exit_code;

    if (profile_is_shown(cli)) {
        return profile_show(cli, ZR_OP_FILTERS_GET);
    }
    exit_code = filters_fill(cli, &request);
    exit_code = exit_code == CLI_DONE ? profile_read(cli, ZR_OP_FILTERS_GET, &record) : exit_code;
    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    request = (struct zr_filters_put_request){.expected_version = record.version,
                                              .attestation_min = record.attestation_min,
                                              .no_duplicates = record.no_duplicates,
                                              .partners_rule = record.partners_rule,
                                              .blocked_count = record.blocked_count,
                                              .partners_count = record.partners_count};
    memcpy(request.blocked, record.blocked, sizeof request.blocked);
    memcpy(request.partners, record.partners, sizeof request.partners);
    exit_code = filters_fill(cli, &request);
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}
