/*
 * session.c - the connection of one run: opened at the first request, one request at a time.
 */
#include "client/cli/cli.h"
#include "protocol/check.h"

#include <stdio.h>
#include <string.h>

enum {
    TIMEOUT_MS_DEFAULT = 5000,
    INFLIGHT_MAX = 64, /* An import keeps this many parts on their way. */
};

static uint32_t
timeout_ms(const struct cli *cli)
{
    return cli->settings.timeout_ms != 0 ? cli->settings.timeout_ms : TIMEOUT_MS_DEFAULT;
}

/* Keep what the library last met, for report.c. */
static void
failure_note(struct cli *cli)
{
    struct zr_error error = ZR_ERROR_INIT;

    if (cli->client == NULL) {
        return;
    }
    zr_client_last_error(cli->client, &error);
    if (error.text[0] != '\0') {
        (void)snprintf(cli->failure, sizeof cli->failure, "%s%s%s", error.endpoint,
                       error.endpoint[0] != '\0' ? ": " : "", error.text);
    }
}

static int
client_open(struct cli *cli, const struct endpoint_settings *endpoint)
{
    struct zr_options options = ZR_OPTIONS_INIT;
    struct zr_error error = ZR_ERROR_INIT;
    int result;

    options.uri = endpoint->uri;
    options.cert_file = endpoint->cert;
    options.key_file = endpoint->key_file;
    options.ca_file = endpoint->ca;
    options.build = "zipring " ZR_VERSION_TEXT;
    options.inflight_max = INFLIGHT_MAX;
    options.request_timeout_ms = timeout_ms(cli);
    options.client_kind = ZR_CLIENT_CLI;
    result = zr_client_open(&cli->client, &options, &error);
    if (result != 0) {
        cli->client = NULL;
        (void)snprintf(cli->failure, sizeof cli->failure, "%s", error.text);
    }
    return result;
}

int
session_open(struct cli *cli)
{
    struct endpoint_settings endpoint;
    int result;

    if (cli->client != NULL) {
        return 0;
    }
    if (!settings_resolve(&endpoint, &cli->settings, cli->roles,
                          (cli->command->flags & COMMAND_ADMIN) != 0, cli->failure)) {
        return ZR_EINVAL;
    }
    result = client_open(cli, &endpoint);
    if (result != 0) {
        return result;
    }
    result = zr_client_wait_ready(cli->client, timeout_ms(cli));
    if (result != 0) {
        failure_note(cli);
        session_close(cli);
    }
    return result;
}

void
session_close(struct cli *cli)
{
    zr_client_close(cli->client);
    cli->client = NULL;
}

void
session_call(struct cli *cli, struct answer *answer, void *reply)
{
    struct zr_call_info info = {0};

    CHECK(answer->operation != NULL);
    CHECK(reply != NULL);
    cli->failure[0] = '\0';
    answer->reply = reply;
    answer->result = session_open(cli);
    if (answer->result != 0) {
        return;
    }
    answer->result =
        zr_call(cli->client, (uint16_t)answer->operation->op, answer->request, reply, 0, &info);
    answer->detail = info.detail;
    answer->duplicate = info.duplicate != 0;
    answer->rtt_ns = info.rtt_ns;
    if (answer->result < 0) {
        failure_note(cli);
    }
}
