/*
 * claim.c - claim, claim show, release, pause, resume, claims, slot, offer, waitlist.
 */
#include "client/cli/catalog.h"
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "protocol/check.h"

#include <stdio.h>
#include <string.h>

enum { SLOTS_MAX = sizeof((struct zr_claim_request *)0)->slots / sizeof(struct zr_slot_key) };

#define END_OF_OPTIONS                        \
    {                                         \
        NULL, NULL, NULL, NULL, 0, NULL, NULL \
    }

const struct param claim_params[] = {
    {"contractor", "contractor", "CONTRACTOR", "Its number or its UUID", PARAM_REQUIRED, NULL,
     NULL},
    {"category", NULL, "CATEGORY[,CATEGORY...]", "Name or number", PARAM_REQUIRED | PARAM_LIST,
     NULL, NULL},
    {"zip", NULL, "ZIP[,ZIP...]", "ZIPs to claim it in; 64 slots at most",
     PARAM_REQUIRED | PARAM_LIST, "zips", NULL},
    {"accept-backup", "accept_backup", NULL, "Join as a backup where the slot has a primary", 0,
     NULL, NULL},
    {"all-or-none", "all_or_none", NULL, "Claim every slot or none", 0, NULL, NULL},
    {"lapse", "lapse", NULL, "Do not renew: they end with their first month", 0, NULL, NULL},
    END_OF_OPTIONS};

const struct param claim_show_params[] = {{"claim-id", "claim_id", "CLAIM_ID",
                                           "As claim or claims printed it",
                                           PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
                                          END_OF_OPTIONS};

const struct param release_params[] = {
    {"claim-id", "claim_id", "CLAIM_ID", "As claim or claims printed it",
     PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
    {"at", "when", "WHEN", "now, or period-end: it routes on until then (now)", 0, "when", "NOW"},
    END_OF_OPTIONS};

const struct param pause_params[] = {
    {"claim-id", "claim_id", "CLAIM_ID", "Pause this claim only", PARAM_POSITIONAL, NULL, NULL},
    {"contractor", "contractor", "CONTRACTOR", "Pause all of it", 0, NULL, NULL},
    {"until", "until_ms", "TIME", NULL, 0, NULL, NULL},
    {"reason", "reason", "TEXT", NULL, 0, NULL, NULL},
    END_OF_OPTIONS};

const struct param resume_params[] = {
    {"claim-id", "claim_id", "CLAIM_ID", "Resume this claim only", PARAM_POSITIONAL, NULL, NULL},
    {"contractor", "contractor", "CONTRACTOR", "Resume all of it", 0, NULL, NULL},
    END_OF_OPTIONS};

const struct param claims_params[] = {{"contractor", "contractor", "CONTRACTOR",
                                       "Of this one (everybody's: ADMIN, AUDITOR)",
                                       PARAM_POSITIONAL, NULL, NULL},
                                      {"ended", "ended", NULL, "Ended ones too", 0, NULL, NULL},
                                      END_OF_OPTIONS};

const struct param slot_params[] = {
    {"zip", "zip", "ZIP", "Five digits", PARAM_REQUIRED, NULL, NULL},
    {"category", "category", "CATEGORY", "Name or number", PARAM_REQUIRED, NULL, NULL},
    END_OF_OPTIONS};

const struct param offer_params[] = {{"offer-id", "offer_id", "OFFER_ID",
                                      "As claim show, slot or watch printed it",
                                      PARAM_REQUIRED | PARAM_POSITIONAL, NULL, NULL},
                                     END_OF_OPTIONS};

const struct param waitlist_params[] = {
    {"contractor", "contractor", "CONTRACTOR", "Its number or its UUID", PARAM_REQUIRED, NULL,
     NULL},
    {"zip", "zip", "ZIP", "Five digits", PARAM_REQUIRED, NULL, NULL},
    {"category", "category", "CATEGORY", "Name or number", PARAM_REQUIRED, NULL, NULL},
    END_OF_OPTIONS};

/* ---- claim ------------------------------------------------------------------------------- */

/* One category with every ZIP. */
static enum cli_exit
slots_add(const struct cli *cli, struct zr_claim_request *request, uint16_t category,
          const uint32_t *zips, size_t zips_count)
{
    if (request->slots_count + zips_count > SLOTS_MAX) {
        return cli_misused(cli, "more than %d slots: claim them in parts", SLOTS_MAX);
    }
    for (size_t i = 0; i < zips_count; i++) {
        request->slots[request->slots_count++] =
            (struct zr_slot_key){.zip = zips[i], .category = category};
    }
    return CLI_DONE;
}

/* Each category of the list with each ZIP: what --category and --zip mean together. */
static enum cli_exit
slots_fill(struct cli *cli, struct zr_claim_request *request)
{
    const char *list = cli_value(cli, "category");
    uint32_t zips[SLOTS_MAX];
    size_t zips_count = 0;
    enum cli_exit exit_code = fields_parse_zips(cli, "zip", zips, SLOTS_MAX, &zips_count);

    while (list != NULL && exit_code == CLI_DONE) {
        const int length = (int)strcspn(list, ",");
        uint16_t category = 0;
        char name[64];

        (void)snprintf(name, sizeof name, "%.*s", length, list);
        exit_code = catalog_category(cli, name, &category);
        if (exit_code == CLI_DONE) {
            exit_code = slots_add(cli, request, category, zips, zips_count);
        }
        list = list[length] == ',' ? list + length + 1 : NULL;
    }
    return exit_code;
}

enum cli_exit
claim_run(struct cli *cli)
{
    struct zr_claim_request request = {0};
    enum cli_exit exit_code = slots_fill(cli, &request);

    exit_code = exit_code == CLI_DONE ? fields_fill(cli, &request) : exit_code;
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}

/* ---- the others -------------------------------------------------------------------------- */

/* pause and resume: a claim or a contractor, not both and not neither. */
enum cli_exit
pause_run(struct cli *cli)
{
    if (cli_given(cli, "claim-id") == cli_given(cli, "contractor")) {
        return cli_misused(cli, "name either a claim (--claim-id) or a whole --contractor");
    }
    return execute_simple(cli);
}

enum cli_exit
claims_run(struct cli *cli)
{
    /* Everybody's claims are for these two; a dev folder's certificate is picked from them. */
    if (!cli_given(cli, "contractor") && cli->settings.role == NULL) {
        cli->roles &= 1u << ZR_ROLE_ADMIN | 1u << ZR_ROLE_AUDITOR;
    }
    return execute_list(cli);
}

/* The pending offer as one object (ecosystem.md): who has it is told by its seq. */
static json_t *
offer_json(const struct zr_slot_get_reply *slot)
{
    char id[24];

    if (slot->offer_seq == 0) {
        return json_null();
    }
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)slot->offer_id);
    return json_pack(
        "{s:o, s:I, s:I}", "offer_id", slot->offer_id != 0 ? json_string(id) : json_null(), "seq",
        (json_int_t)slot->offer_seq, "deadline_ms", (json_int_t)slot->offer_deadline_ms);
}

enum cli_exit
slot_run(struct cli *cli)
{
    struct zr_slot_get_request request = {0};
    struct zr_slot_get_reply reply = {0};
    struct answer answer = {.operation = cli->operation, .request = &request};
    const enum cli_exit exit_code = fields_fill(cli, &request);

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    session_call(cli, &answer, &reply);
    (void)json_object_set_new(cli->extras, "offer", offer_json(&reply));
    return execute_finish(cli, &answer);
}

enum cli_exit
offer_run(struct cli *cli)
{
    struct zr_offer_reply_request request = {.accept =
                                                 strcmp(cli->command->subcommand, "accept") == 0};
    const enum cli_exit exit_code = fields_fill(cli, &request);

    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}
