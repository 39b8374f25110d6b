/*
 * demo_check.c - see demo.h: the books of the server against what the client added up itself.
 */
#include "bench/demo.h"
#include "bench/pipeline.h"
#include "protocol/check.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum { AUDIT_TIMEOUT_MS = 120000, WALLETS_WINDOW = 64, WALLETS_SHOWN = 5 };

bool
demo_audit(struct demo *demo, struct zr_audit_reply *reply, struct fault *fault)
{
    const struct zr_empty request = {0};
    const int rc =
        zr_call(demo->clients[DEMO_AUDITOR], ZR_OP_AUDIT, &request, reply, AUDIT_TIMEOUT_MS, NULL);

    if (rc != 0) {
        return fault_set(fault, rc < 0 ? BENCH_EXIT_TRANSPORT : BENCH_EXIT_FAILED, "AUDIT: %s",
                         zr_result_text(rc));
    }
    return true;
}

static void
wallet_fill(void *context, uint32_t index, void *request)
{
    const struct demo *demo = context;
    struct zr_wallet_get_request *get = request;

    get->contractor = demo->world.contractors[index].number;
}

static bool
wallet_take(void *context, uint32_t index, const struct zr_completion *completion)
{
    struct demo *demo = context;
    const struct world_contractor *contractor = &demo->world.contractors[index];
    const struct zr_wallet_get_reply *wallet = completion->reply;
    int64_t charged;

    if (!pipeline_accept_ok(completion)) {
        return false;
    }
    charged = demo->charged[contractor->number];
    if (wallet->posted_cents == contractor->topup_cents - charged && wallet->held_cents == 0) {
        return true;
    }
    if (demo->wallets_wrong++ < WALLETS_SHOWN) {
        (void)fprintf(stderr,
                      "contractor %" PRIu32 ": posted %" PRId64 " + held %" PRId64
                      " cents, but topped up %" PRId64 " and charged %" PRId64 "\n",
                      contractor->number, wallet->posted_cents, wallet->held_cents,
                      contractor->topup_cents, charged);
    }
    return true;
}

bool
demo_check_wallets(struct demo *demo, struct fault *fault)
{
    const struct pipeline pipeline = {
        .op = ZR_OP_WALLET_GET,
        .count = demo->world.contractors_count,
        .window = WALLETS_WINDOW,
        .fill = wallet_fill,
        .take = wallet_take,
        .context = demo,
    };

    CHECK(demo->charged != NULL);
    return pipeline_run(demo->clients[DEMO_AUDITOR], &pipeline, fault);
}
