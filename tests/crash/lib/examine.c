/*
 * examine.c - see examine.h.
 */
#include "tests/crash/lib/examine.h"

#include "protocol/check.h"
#include "server/commit/audit.h"
#include "server/commit/recover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    READERS_MAX = 4,
    TAIL_ROWS = 4096,
    CONTRACTORS_MAX = 1024,
    UNITS_MAX = 4096,
    LOST_SHOWN_MAX = 5,
};
#define MAP_BYTES (UINT64_C(1) << 30)

struct image_store {
    struct store *store;
    struct arena arena;
    struct store_view view;
    struct executor executor;
};

const char *
verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICTS] = {"ok",     "detected", "LOST",
                                                "BROKEN", "REFUSED",  "CRASHED"};

    CHECK(verdict < VERDICTS);
    return names[verdict];
}

/* ---- acknowledged operations ----------------------------------------------------------------- */

/* What the acknowledgement names must stand in the journal, at the position that it names. */
static bool
journal_has(struct image_store *image, const struct load_ack *ack)
{
    const bool settles = ack->op == ZR_OP_QUALIFY || ack->op == ZR_OP_END;
    struct journal_entry entry;
    struct zr_header header;

    if (ack->commit_seq == 0) {
        return true; /* A refusal that names no position. */
    }
    if (!journal_read(&image->view, ack->commit_seq, &entry)) {
        return false;
    }
    zr_header_decode(&header, entry.frame);
    if (settles) { /* END after QUALIFY names the position of the charge. */
        return header.op == ZR_OP_QUALIFY || header.op == ZR_OP_END;
    }
    return header.op == ack->op &&
           (zr_operation_find(ack->op)->kind != ZR_OP_KIND_KEYED ||
            memcmp(entry.frame + ZR_HEADER_BYTES, &ack->key, sizeof ack->key) == 0);
}

static bool
claims_stand(struct state *state, const struct load_ack *ack)
{
    for (uint8_t i = 0; i < ack->slots_count; i++) {
        const struct load_slot *slot = &ack->slots[i];
        struct claim_row row;

        if (ack->status != ZR_STATUS_OK || slot->status != ZR_STATUS_OK) {
            continue;
        }
        if (!state_claim_get(state, slot->claim_id, &row) || row.contractor != ack->contractor ||
            row.zip != slot->zip || row.category != slot->category) {
            return false;
        }
    }
    return true;
}

static bool
release_stands(struct state *state, const struct load_ack *ack)
{
    struct claim_row row;

    return ack->status != ZR_STATUS_OK ||
           (state_claim_get(state, ack->claim_id, &row) && row.ended_ms != 0);
}

static bool
topup_stands(struct state *state, const struct load_ack *ack)
{
    char provider_ref[65];
    struct posting_row row;
    uint64_t transfer_id;

    load_provider_ref(provider_ref, ack->topup);
    return state_provider_ref_get(state, provider_ref, &transfer_id) &&
           transfer_id == ack->transfer_id && state_posting_get(state, transfer_id, &row) &&
           row.amount_cents == ack->amount_cents && row.contractor == ack->contractor &&
           row.kind == ZR_TRANSFER_TOPUP;
}

static bool
call_stands(struct state *state, const struct load_ack *ack)
{
    const struct call_leg_row *leg;
    struct zr_id call_ref;
    struct call_row row;

    if (ack->status != ZR_STATUS_OK) {
        return true;
    }
    if (!state_call_find(state, SERVER_TENANT, &ack->call_id, &call_ref) ||
        memcmp(&call_ref, &ack->call_ref, sizeof call_ref) != 0 ||
        !state_call_get(state, &call_ref, &row) || row.legs_count != 1) {
        return false;
    }
    leg = &row.legs[0];
    if (leg->contractor != ack->contractor || leg->connected_ms == 0) {
        return false;
    }
    return ack->op == ZR_OP_CONNECT ||
           (leg->settlement == ack->settlement && leg->amount_cents == ack->amount_cents &&
            (ack->op != ZR_OP_END || (leg->ended_ms != 0 && row.state == ZR_CALL_ENDED)));
}

static bool
ack_stands(struct image_store *image, const struct load_ack *ack)
{
    struct state *state = &image->executor.state;

    if (!journal_has(image, ack)) {
        return false;
    }
    switch (ack->op) {
    case ZR_OP_CLAIM:
        return claims_stand(state, ack);
    case ZR_OP_RELEASE:
        return release_stands(state, ack);
    case ZR_OP_TOPUP:
        return topup_stands(state, ack);
    case ZR_OP_CONNECT:
    case ZR_OP_QUALIFY:
    case ZR_OP_END:
        return call_stands(state, ack);
    default:
        return true; /* PAUSE, RESUME: a later one may have followed; the journal has it. */
    }
}

static enum verdict
acks_judge(struct image_store *image, const struct examination *examination)
{
    size_t lost = 0;

    for (size_t i = 0; i < examination->acks_count; i++) {
        const struct load_ack *ack = &examination->acks[i];

        if (!ack_stands(image, ack) && lost++ < LOST_SHOWN_MAX) {
            (void)fprintf(
                stderr, "LOST: op 0x%04X status 0x%04X at %" PRIu64 ", head at %" PRIu64 "\n",
                ack->op, ack->status, ack->commit_seq, store_head(image->store)->commit_seq);
        }
    }
    return lost == 0 ? VERDICT_OK : VERDICT_LOST;
}

/* ---- the whole state ------------------------------------------------------------------------- */

static bool
row_is_whole(void *context, struct store_value key, struct store_value row)
{
    uint64_t *rows = context;

    (void)key;
    (void)row;
    (*rows)++;
    return true;
}

/* Every row's checksum, the invariants, and a journal without holes. */
static enum verdict
state_judge(struct image_store *image)
{
    const uint64_t commit_seq = store_head(image->store)->commit_seq;
    struct state *state = &image->executor.state;
    const struct zr_audit_request all = {0};
    struct zr_audit_reply audit;
    uint64_t rows = 0;

    /* At no time: what a crash cut off in the middle is due, and fires when it is served. */
    audit_run(state, &image->executor.audit, 0, &all, &audit);
    for (unsigned table = 0; table < STORE_TABLES; table++) {
        store_scan(&image->view, (enum store_table)table, row_is_whole, &rows);
    }
    if (!audit.balanced || audit.violations != 0 || audit.postings_sum_cents != 0 ||
        audit.decisions_skipped_primary != 0 || state_failure(state) != STATUS_OK ||
        store_count(&image->view, TABLE_JOURNAL) != commit_seq) {
        (void)fprintf(stderr,
                      "BROKEN: %" PRIu64 " violations, sum %" PRId64 ", storage \"%s\", %" PRIu64
                      " journal rows of %" PRIu64 "\n",
                      audit.violations, audit.postings_sum_cents, status_name(state_failure(state)),
                      store_count(&image->view, TABLE_JOURNAL), commit_seq);
        return VERDICT_BROKEN;
    }
    return VERDICT_OK;
}

static enum verdict
replay_judge(struct image_store *image, const char *folder)
{
    struct store *into = NULL;
    enum status status = store_open(&into, &(struct store_options){.folder = folder,
                                                                   .map_bytes = MAP_BYTES,
                                                                   .readers_max = READERS_MAX,
                                                                   .create = true});

    if (status == STATUS_OK) {
        status = recover_replay(image->store, into, &image->arena);
    }
    store_close(into);
    return status == STATUS_OK ? VERDICT_OK : VERDICT_BROKEN;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* What committer_open() does; the executor must stay in our hands. */
static enum status
memory_rebuild(struct image_store *image)
{
    struct arena *arena = &image->arena;
    struct recover recover = {
        .store = image->store, .view = &image->view, .executor = &image->executor};

    arena_init(arena);
    recover.tail = tail_open(arena, TAIL_ROWS);
    recover.units = units_open(arena, UNITS_MAX);
    recover.hot = hot_open(arena, CONTRACTORS_MAX);
    image->executor.state.view = &image->view;
    image->executor.state.tail = recover.tail;
    image->executor.mac = mac_open();
    image->executor.contractors_max = CONTRACTORS_MAX;
    image->executor.audit.cascades = cascades_open(arena);
    recover.cascades = image->executor.audit.cascades;
    return recover_memory(&recover);
}

enum verdict
examine(const struct examination *examination)
{
    static struct image_store image;
    enum verdict verdict;
    enum status status;

    status = store_open(&image.store, &(struct store_options){.folder = examination->folder,
                                                              .map_bytes = MAP_BYTES,
                                                              .readers_max = READERS_MAX});
    if (status != STATUS_OK) {
        return status == STATUS_CORRUPT ? VERDICT_DETECTED : VERDICT_REFUSED;
    }
    status = memory_rebuild(&image);
    if (status == STATUS_OK) {
        status = store_write_begin(image.store, &image.view);
    }
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "BROKEN: recovery: %s\n", status_name(status));
        return VERDICT_BROKEN;
    }
    state_begin(&image.executor.state, store_head(image.store)->commit_seq + 1);
    verdict = acks_judge(&image, examination);
    if (verdict == VERDICT_OK) {
        verdict = state_judge(&image);
    }
    store_abort(&image.view);
    if (verdict == VERDICT_OK && examination->replay_folder != NULL) {
        verdict = replay_judge(&image, examination->replay_folder);
    }
    store_close(image.store);
    return verdict;
}
