/*
 * commands.c - the table of commands.
 *
 * A new operation is a row here, a table of options and, when its rules need more than filling
 * fields, a handler in its family's file.
 */
#include "client/cli/families.h"
#include "protocol/check.h"

#include <string.h>

enum { CHANGES = COMMAND_CHANGES, ADMIN = COMMAND_ADMIN };

static const struct command commands[] = {
    {"ping", NULL, ZR_OP_PING, 0, no_params, ping_run, "Ask whether the server answers"},
    {"import", "zips", ZR_OP_ZIP_PUT, CHANGES, import_zips_params, import_zips_run,
     "Load the ZIP table from a file, all or nothing"},
    {"category", "add", ZR_OP_CATEGORY_PUT, CHANGES, category_add_params, category_add_run,
     "Make a category with its rate"},
    {"category", "put", ZR_OP_CATEGORY_PUT, CHANGES, category_put_params, category_put_run,
     "Change a category: rate, name, where it is offered"},
    {"category", "list", ZR_OP_CATEGORY_LIST, 0, no_params, execute_list, "List the categories"},
    {"contractor", "add", ZR_OP_CONTRACTOR_PUT, CHANGES, contractor_add_params, contractor_add_run,
     "Make a contractor (PENDING until approved)"},
    {"contractor", "show", ZR_OP_CONTRACTOR_GET, 0, contractor_show_params, contractor_show_run,
     "Show a contractor"},
    {"contractor", "list", ZR_OP_CONTRACTOR_LIST, 0, no_params, execute_list,
     "List the contractors"},
    {"contractor", "status", ZR_OP_CONTRACTOR_STATUS, CHANGES, contractor_status_params,
     contractor_status_run, "Approve, suspend or close a contractor"},
    {"contractor", "hours", ZR_OP_SCHEDULE_PUT, CHANGES, contractor_hours_params,
     contractor_hours_run, "Show or change when it takes calls"},
    {"contractor", "schedule", ZR_OP_SCHEDULE_PUT, CHANGES, contractor_hours_params,
     contractor_hours_run, "The same"},
    {"contractor", "caps", ZR_OP_CAPS_PUT, CHANGES, contractor_caps_params, contractor_caps_run,
     "Show or change its limits on calls and money"},
    {"contractor", "dest", ZR_OP_DEST_PUT, CHANGES, contractor_dest_params, contractor_dest_run,
     "Show or change where it is rung"},
    {"contractor", "filters", ZR_OP_FILTERS_PUT, CHANGES, contractor_filters_params,
     contractor_filters_run, "Show or change whose calls it takes"},
    {"claim", "show", ZR_OP_CLAIM_GET, 0, claim_show_params, execute_simple,
     "Show a claim, what stands against it, and until when"},
    {"claim", NULL, ZR_OP_CLAIM, CHANGES, claim_params, claim_run,
     "Claim slots: each ZIP with each category"},
    {"release", NULL, ZR_OP_RELEASE, CHANGES, release_params, execute_simple, "End a claim"},
    {"pause", NULL, ZR_OP_PAUSE, CHANGES, pause_params, pause_run,
     "Pause a claim or a whole contractor"},
    {"resume", NULL, ZR_OP_RESUME, CHANGES, resume_params, pause_run,
     "Resume a claim or a whole contractor"},
    {"claims", NULL, ZR_OP_CLAIMS_LIST, 0, claims_params, claims_run, "List claims"},
    {"slot", NULL, ZR_OP_SLOT_GET, 0, slot_params, slot_run, "Show who holds a slot"},
    {"offer", "accept", ZR_OP_OFFER_REPLY, CHANGES, offer_params, offer_run,
     "Take the title that is offered"},
    {"offer", "decline", ZR_OP_OFFER_REPLY, CHANGES, offer_params, offer_run,
     "Leave it to the next; the claim keeps its place"},
    {"waitlist", "join", ZR_OP_WAITLIST_JOIN, CHANGES, waitlist_params, execute_simple,
     "Wait for a position of a slot that is full"},
    {"waitlist", "leave", ZR_OP_WAITLIST_LEAVE, CHANGES, waitlist_params, execute_simple,
     "Give up the place, or what is reserved"},
    {"route", NULL, ZR_OP_ROUTE, CHANGES, route_params, route_run, "Who is rung for a call"},
    {"next", NULL, ZR_OP_ROUTE_NEXT, CHANGES, next_params, next_run,
     "The next candidate after an attempt that ended"},
    {"connect", NULL, ZR_OP_CONNECT, CHANGES, connect_params, execute_simple,
     "Report that a candidate answered"},
    {"qualify", NULL, ZR_OP_QUALIFY, CHANGES, qualify_params, reported_call_run,
     "Report talk time of a call that goes on"},
    {"keepalive", NULL, ZR_OP_KEEPALIVE, CHANGES, qualify_params, reported_call_run,
     "Report that a call is still up"},
    {"end", NULL, ZR_OP_END, CHANGES, end_params, reported_call_run, "Report the end of a call"},
    {"call", NULL, ZR_OP_CALL_GET, 0, call_params, call_show_run, "Show a call and its legs"},
    {"explain", NULL, ZR_OP_EXPLAIN, 0, call_params, explain_run,
     "Show every decision of a call as it was made"},
    {"decline", NULL, ZR_OP_DECLINE, CHANGES, decline_params, execute_simple,
     "Pass on a call while the phone rings"},
    {"wallet", "topup", ZR_OP_TOPUP, CHANGES, wallet_topup_params, execute_simple,
     "Credit a wallet, once per provider reference"},
    {"wallet", "show", ZR_OP_WALLET_GET, 0, wallet_contractor_params, execute_simple,
     "Show a wallet"},
    {"wallet", "ledger", ZR_OP_LEDGER_LIST, 0, wallet_contractor_params, execute_list,
     "List a wallet's postings, newest first"},
    {"wallet", "autotopup", ZR_OP_AUTOTOPUP_PUT, CHANGES, wallet_autotopup_params,
     wallet_autotopup_run, "Show or change the automatic top-up"},
    {"wallet", "topup-result", ZR_OP_TOPUP_RESULT, CHANGES, wallet_result_params, wallet_result_run,
     "Report what became of an automatic top-up"},
    {"wallet", "reverse", ZR_OP_TOPUP_REVERSED, CHANGES, wallet_reverse_params, execute_simple,
     "Take back a top-up that the provider took back"},
    {"wallet", "adjust", ZR_OP_ADJUST, CHANGES, wallet_adjust_params, execute_simple,
     "Post by hand; a second administrator approves"},
    {"dispute", "open", ZR_OP_DISPUTE_OPEN, CHANGES, dispute_open_params, execute_simple,
     "Dispute a charge"},
    {"dispute", "resolve", ZR_OP_DISPUTE_RESOLVE, CHANGES, dispute_resolve_params, execute_simple,
     "Credit it, in part or whole, or uphold it (0)"},
    {"dispute", "show", ZR_OP_DISPUTE_GET, 0, dispute_show_params, execute_simple,
     "Show what became of it"},
    {"map", NULL, ZR_OP_AVAILABILITY, 0, map_params, map_run, "Show where titles are free"},
    {"watch", NULL, ZR_OP_EVENTS_SUBSCRIBE, ADMIN, watch_params, watch_run,
     "Print events, or the map's changes, as they happen"},
    {"policy", "get", ZR_OP_POLICY_GET, ADMIN, policy_get_params, policy_get_run,
     "Show the policy in force"},
    {"policy", "put", ZR_OP_POLICY_PUT, CHANGES | ADMIN, policy_put_params, policy_put_run,
     "Change the values given, keep the others"},
    {"principal", "add", ZR_OP_PRINCIPAL_PUT, CHANGES | ADMIN, principal_add_params, principal_run,
     "Give a certificate's key a role"},
    {"principal", "revoke", ZR_OP_PRINCIPAL_REVOKE, CHANGES | ADMIN, principal_revoke_params,
     principal_run, "Take it away"},
    {"suppress", "add", ZR_OP_SUPPRESS_PUT, CHANGES | ADMIN, suppress_params, suppress_run,
     "Block a caller in the whole network"},
    {"suppress", "remove", ZR_OP_SUPPRESS_PUT, CHANGES | ADMIN, suppress_params, suppress_run,
     "Let that caller through again"},
    {"clock", "advance", ZR_OP_CLOCK_ADVANCE, CHANGES, clock_params, execute_simple,
     "Move the log clock (bench mode, manual clock)"},
    {"admin", "ping", ZR_OP_PING, ADMIN, no_params, ping_run, "Ask whether the server answers"},
    {"admin", "stats", ZR_OP_SERVER_STATS, ADMIN, no_params, execute_simple, "Show its counters"},
    {"admin", "key-rotate", ZR_OP_KEY_ROTATE, CHANGES | ADMIN, no_params, execute_simple,
     "Sign tickets with a new key; old ones stay good"},
    {"admin", "audit", ZR_OP_AUDIT, ADMIN, audit_params, execute_simple,
     "Check every invariant over the whole state"},
    {"admin", "state-hash", ZR_OP_STATE_HASH, ADMIN, no_params, execute_simple,
     "Hash of the whole state"},
    {"dev", "cert", 0, CHANGES, dev_cert_params, dev_cert_run,
     "Issue another certificate from a dev folder's CA"},
    {"dev", NULL, 0, CHANGES, dev_params, dev_run,
     "Make a throw-away CA, certificates and a server"},
};

enum { COMMANDS_COUNT = sizeof commands / sizeof commands[0] };

const struct command *
commands_table(size_t *commands_count)
{
    CHECK(commands_count != NULL);
    *commands_count = COMMANDS_COUNT;
    return commands;
}

const struct command *
command_find(int argc, char **argv, int *words)
{
    CHECK(argc >= 1);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        const struct command *command = &commands[i];

        if (strcmp(command->name, argv[0]) != 0) {
            continue;
        }
        if (command->subcommand == NULL) {
            *words = 1;
            return command;
        }
        if (argc > 1 && strcmp(command->subcommand, argv[1]) == 0) {
            *words = 2;
            return command;
        }
    }
    return NULL;
}
