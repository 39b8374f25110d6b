/*
 * call.c - route, next, connect, qualify, keepalive, end, decline, call, explain.
 *
 * A call id is text of the switch's own: a UUID as it is, else the first 16 bytes of its SHA-256.
 * JSON echoes the text given, so that a script finds its call again.
 */
#include "client/cli/families.h"
#include "client/cli/fields.h"
#include "client/cli/text.h"
#include "protocol/check.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    FLAG_ADDRESS_CONFIRMED = 1u << 0,
    FLAG_HOLD = 1u << 1,
    FLAG_EXPLAIN = 1u << 2,
    SCREENING_ALL = 7,
};

#define END_OF_OPTIONS                        \
    {                                         \
        NULL, NULL, NULL, NULL, 0, NULL, NULL \
    }
#define TICKET_OPTION                                                                           \
    {                                                                                           \
        "ticket", "ticket", "TICKET", "As route or next printed it", PARAM_REQUIRED, NULL, NULL \
    }

const struct param route_params[] = {
    {"zip", NULL, "ZIP[,ZIP...]", "1 to 4 ZIPs where the caller may be",
     PARAM_REQUIRED | PARAM_LIST, "zips", NULL},
    {"category", "category", "CATEGORY", "Name or number", PARAM_REQUIRED, NULL, NULL},
    {"caller", NULL, "+NUMBER|withheld", "Who calls", PARAM_REQUIRED, NULL, NULL},
    {"call-id", NULL, "ID", "The switch's name for the call (a random one)", 0, "call", NULL},
    {"query", NULL, NULL, "Only ask: no lease, no record, a ticket that connects nothing", 0, NULL,
     NULL},
    {"explain", NULL, NULL, "List who was passed over, and why", 0, NULL, NULL},
    {"address-confirmed", NULL, NULL, "The caller confirmed the address", 0, NULL, NULL},
    {"want", "want", "1..4", "Candidates in the ticket (4)", 0, NULL, "4"},
    {"screening", NULL, "LIST", "location,service,ready, or all, or none (none)", 0, NULL, "none"},
    {"attestation", "attestation", "A|B|C", "STIR/SHAKEN level of the caller's number", 0, NULL,
     NULL},
    {"campaign", "campaign", "N", "Campaign number", 0, NULL, NULL},
    END_OF_OPTIONS};

const struct param next_params[] = {
    TICKET_OPTION,
    {"index", "index", "N", NULL, PARAM_REQUIRED, NULL, NULL},
    {"outcome", "outcome", "OUTCOME",
     "no_answer, busy, declined, forwarded, voicemail, failed, caller_cancelled", PARAM_REQUIRED,
     NULL, NULL},
    {"ring-ms", "ring_ms", "MS", NULL, 0, NULL, NULL},
    {"explain", "explain", NULL, "List who was passed over, and why", 0, NULL, NULL},
    {"call-id", NULL, "ID", "Echoed under --json", 0, "call", NULL},
    END_OF_OPTIONS};

const struct param connect_params[] = {TICKET_OPTION,
                                       {"index", "index", "N", NULL, PARAM_REQUIRED, NULL, NULL},
                                       {"answered-at", "answered_at_ms", "TIME",
                                        "Log clock: Unix ms, UTC text or now (now)", 0, NULL, NULL},
                                       END_OF_OPTIONS};

const struct param qualify_params[] = {
    {"call", "call_id", "ID", "The switch's name for the call", PARAM_REQUIRED, "call-id", NULL},
    {"talk-ms", "talk_ms", "MS", NULL, PARAM_REQUIRED, NULL, NULL},
    END_OF_OPTIONS};

const struct param end_params[] = {
    {"call", "call_id", "ID", "The switch's name for the call", PARAM_REQUIRED, "call-id", NULL},
    {"talk-ms", "talk_ms", "MS", "How long both legs were up (0)", 0, NULL, "0"},
    {"index", "index", "N", "Attempt (the connected leg; none: the caller gave up)", 0, NULL,
     "255"},
    {"ticket", "ticket", "TICKET", "When no connect came before", 0, NULL, NULL},
    {"answered-at", "answered_at_ms", "TIME", "With --ticket: when it was answered", 0, NULL, NULL},
    {"cause", "cause", "Q850", NULL, 0, NULL, NULL},
    {"who-hung-up", "who_hung_up", "WHO", "caller, contractor, network or unknown (unknown)", 0,
     NULL, "UNKNOWN"},
    {"voicemail", "voicemail", NULL, "A machine answered", 0, NULL, NULL},
    {"caller-stays", "caller_stays", NULL, "The caller is still there: the cascade goes on", 0,
     NULL, NULL},
    END_OF_OPTIONS};

const struct param decline_params[] = {
    {"ref", "call_ref", "CALL_REF", "Of the event CALL_OFFERED", PARAM_REQUIRED | PARAM_POSITIONAL,
     "call-ref", NULL},
    {"contractor", "contractor", "CONTRACTOR", "Whose phone rings", PARAM_REQUIRED, NULL, NULL},
    END_OF_OPTIONS};

/* Of call and explain. */
const struct param call_params[] = {
    {"id", NULL, "ID", "The switch's name for the call", PARAM_POSITIONAL, "call-id", NULL},
    {"ref", NULL, "UUID", "The server's name for it (call_ref)", 0, "call-ref", NULL},
    END_OF_OPTIONS};

static void
call_echo(struct cli *cli, const char *text)
{
    (void)json_object_set_new(cli->extras, "call_id", json_string(text));
}

/* ---- route ------------------------------------------------------------------------------- */

static enum cli_exit
caller_fill(const struct cli *cli, struct zr_route_request *request)
{
    const char *text = cli_value(cli, "caller");

    request->caller_kind = ZR_CALLER_PLAIN;
    if (strcasecmp(text, "withheld") == 0 || strcasecmp(text, "anonymous") == 0) {
        request->caller_kind = ZR_CALLER_WITHHELD;
        return CLI_DONE;
    }
    return text_to_e164(&request->caller, text)
               ? CLI_DONE
               : cli_misused(cli,
                             "--caller %s: expected an E.164 number, such as +17135550100, or "
                             "withheld",
                             text);
}

/* "location,ready" is 1 | 4. A number stands for itself. */
static enum cli_exit
screening_fill(const struct cli *cli, struct zr_route_request *request)
{
    static const char *const names[] = {"location", "service", "ready"};
    const char *list = cli_value(cli, "screening");
    uint64_t bits;

    if (strcmp(list, "all") == 0) {
        request->screening = SCREENING_ALL;
        return CLI_DONE;
    }
    if (strcmp(list, "none") == 0) {
        return CLI_DONE;
    }
    if (text_to_unsigned(&bits, list, SCREENING_ALL)) {
        request->screening = (uint8_t)bits;
        return CLI_DONE;
    }
    while (list != NULL) {
        const size_t length = strcspn(list, ",");
        size_t bit = 0;

        while (bit < 3 &&
               (strlen(names[bit]) != length || strncmp(names[bit], list, length) != 0)) {
            bit++;
        }
        if (bit == 3) {
            return cli_misused(
                cli, "--screening %s: expected location, service, ready, all or none", list);
        }
        request->screening |= (uint8_t)(1u << bit);
        list = list[length] == ',' ? list + length + 1 : NULL;
    }
    return CLI_DONE;
}

static enum cli_exit
route_call_id_fill(struct cli *cli, struct zr_route_request *request)
{
    const char *text = cli_value(cli, "call-id");
    char made[TEXT_ID_BYTES];

    if (text == NULL) {
        if (!text_random_id(&request->call_id)) {
            cli_note(cli, "no random bytes for a call id; give --call-id");
            return CLI_NOT_EXECUTED;
        }
        text_from_id(made, &request->call_id);
        text = made;
    }
    text_to_call_id(&request->call_id, text);
    call_echo(cli, text);
    return CLI_DONE;
}

enum cli_exit
route_run(struct cli *cli)
{
    struct zr_route_request request = {0};
    size_t zips_count = 0;
    enum cli_exit exit_code = fields_parse_zips(cli, "zip", request.zips, ZR_ZIPS_MAX, &zips_count);

    request.zips_count = (uint8_t)zips_count;
    request.flags = (uint8_t)((cli_given(cli, "address-confirmed") ? FLAG_ADDRESS_CONFIRMED : 0) |
                              (cli_given(cli, "query") ? 0 : FLAG_HOLD) |
                              (cli_given(cli, "explain") ? FLAG_EXPLAIN : 0));
    exit_code = exit_code == CLI_DONE ? caller_fill(cli, &request) : exit_code;
    exit_code = exit_code == CLI_DONE ? screening_fill(cli, &request) : exit_code;
    exit_code = exit_code == CLI_DONE ? route_call_id_fill(cli, &request) : exit_code;
    exit_code = exit_code == CLI_DONE ? fields_fill(cli, &request) : exit_code;
    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}

/* ---- the others -------------------------------------------------------------------------- */

enum cli_exit
next_run(struct cli *cli)
{
    /* The request carries no call id, only the ticket: the caller of this tool knows it. */
    if (cli_given(cli, "call-id")) {
        call_echo(cli, cli_value(cli, "call-id"));
    }
    return execute_simple(cli);
}

/* qualify, keepalive and end. */
enum cli_exit
reported_call_run(struct cli *cli)
{
    call_echo(cli, cli_value(cli, "call"));
    return execute_simple(cli);
}

/*
 * --id is the switch's name for SWITCH and CALLCENTER. The other roles know calls by the server's
 * name only, so for them a UUID is that one.
 */
static enum cli_exit
call_name_fill(struct cli *cli, struct zr_id *call_id, struct zr_id *call_ref)
{
    const char *id = cli_value(cli, "id");
    const char *ref = cli_value(cli, "ref");
    const struct zr_hello_reply *hello = zr_client_hello(cli->client);
    const uint8_t role = hello != NULL ? hello->role : ZR_ROLE_SWITCH;
    const bool by_id = role == ZR_ROLE_SWITCH || role == ZR_ROLE_CALLCENTER;

    if (ref == NULL && !by_id) {
        ref = id;
    }
    if (ref == NULL) {
        text_to_call_id(call_id, id);
        call_echo(cli, id);
        return CLI_DONE;
    }
    return text_to_id(call_ref, ref)
               ? CLI_DONE
               : cli_misused(cli, "%s: this role names a call by its call_ref, a UUID", ref);
}

/* Which name it is depends on the role, and HELLO tells that: connect first. */
static enum cli_exit
call_name_read(struct cli *cli, struct zr_id *call_id, struct zr_id *call_ref)
{
    struct answer unsent = {.operation = cli->operation};

    if (cli_given(cli, "id") == cli_given(cli, "ref")) {
        return cli_misused(cli, "name the call either by --id or by --ref");
    }
    if (cli_given(cli, "ref")) {
        cli->roles &= (uint16_t) ~(1u << ZR_ROLE_SWITCH | 1u << ZR_ROLE_CALLCENTER);
    }
    unsent.result = session_open(cli);
    return unsent.result == 0 ? call_name_fill(cli, call_id, call_ref)
                              : execute_finish(cli, &unsent);
}

enum cli_exit
call_show_run(struct cli *cli)
{
    struct zr_call_get_request request = {0};
    const enum cli_exit exit_code = call_name_read(cli, &request.call_id, &request.call_ref);

    return exit_code == CLI_DONE ? execute_request(cli, &request) : exit_code;
}

/* Every decision of the call, in the order in which they were made. */
enum cli_exit
explain_run(struct cli *cli)
{
    struct zr_explain_request request = {0};
    struct zr_explain_reply reply = {0};
    struct answer answer = {.operation = cli->operation, .request = &request};
    enum cli_exit exit_code = call_name_read(cli, &request.call_id, &request.call_ref);

    while (exit_code == CLI_DONE) {
        session_call(cli, &answer, &reply);
        exit_code = execute_finish(cli, &answer);
        if (exit_code != CLI_DONE || ++request.place >= reply.decisions) {
            break;
        }
        if (!cli->settings.json) {
            (void)putchar('\n');
        }
    }
    return exit_code;
}
