/*
 * sync.c - blocking calls, made of the non-blocking ones.
 *
 * Nothing here can wait for ever: a request ends by its deadline at the latest, and the others
 * count their own time. Callbacks of other requests run meanwhile.
 */
#include "client/client.h"
#include "protocol/check.h"

#include <limits.h>
#include <string.h>

/* What a blocking call waits for; stands on its stack. */
struct call {
    void *reply;
    struct zr_call_info info;
    int result;
    bool ended;
};

static void
call_done(void *context, const struct zr_completion *completion)
{
    struct call *const call = context;
    const struct zr_operation *const operation = zr_operation_find(completion->op);

    CHECK(!call->ended);
    CHECK(operation != NULL);

    call->ended = true;
    call->result = completion->result;
    call->info.detail = completion->detail;
    call->info.duplicate = completion->duplicate;
    call->info.key = completion->key;
    if (completion->answered_ns > completion->sent_ns && completion->sent_ns != 0) {
        call->info.rtt_ns = completion->answered_ns - completion->sent_ns;
    }
    if (completion->reply != NULL && call->reply != NULL) {
        memcpy(call->reply, completion->reply, operation->reply->struct_bytes);
    }
}

int
// NOLINTNEXTLINE(readability-function-size): the parameters are zipring.h's.
zr_call(struct zr_client *client, uint16_t op, const void *request, void *reply,
        uint32_t timeout_ms, struct zr_call_info *info)
{
    struct call call = {.reply = reply};
    const struct zr_submission submission = {
        .size = sizeof submission,
        .op = op,
        .request = request,
        .timeout_ms = timeout_ms,
        .done = call_done,
        .context = &call,
    };
    int result;

    if (client == NULL || client->running) {
        return ZR_EINVAL;
    }
    result = zrc_client_submit(client, &submission);
    if (result != 0) {
        return result;
    }
    while (!call.ended) {
        (void)zr_client_process(client, -1);
    }
    if (info != NULL) {
        *info = call.info;
    }
    return call.result;
}

/* What is left until `end_ns`, for zr_client_process; 0 = over. */
static int
left_ms(uint64_t end_ns)
{
    const uint64_t now_ns = zrc_now_ns();
    uint64_t left;

    if (now_ns >= end_ns) {
        return 0;
    }
    left = (end_ns - now_ns + ZRC_NS_PER_MS - 1) / ZRC_NS_PER_MS;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int
zr_client_wait_ready(struct zr_client *client, uint32_t timeout_ms)
{
    uint64_t end_ns;
    int left = 0;

    if (client == NULL || client->running || !zrc_client_is_ours(client)) {
        return ZR_EINVAL;
    }
    end_ns = zrc_now_ns() + timeout_ms * ZRC_NS_PER_MS;
    do {
        (void)zr_client_process(client, left);
        if (client->core.session == ZRC_SESSION_READY) {
            return 0;
        }
        if (client->final != 0) {
            return client->final;
        }
        left = left_ms(end_ns);
    } while (left > 0);
    return client->error.result != 0 ? client->error.result : ZR_EDISCONNECTED;
}

int
zr_client_flush(struct zr_client *client, uint32_t timeout_ms)
{
    uint64_t end_ns;
    int left = 0;

    if (client == NULL || client->running || !zrc_client_is_ours(client)) {
        return ZR_EINVAL;
    }
    end_ns = zrc_now_ns() + timeout_ms * ZRC_NS_PER_MS;
    while (zrc_core_pending(&client->core) > 0) {
        (void)zr_client_process(client, left);
        left = left_ms(end_ns);
        if (left == 0 && zrc_core_pending(&client->core) > 0) {
            return ZR_ETIMEDOUT;
        }
    }
    return client->final;
}
