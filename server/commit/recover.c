/*
 * recover.c - see recover.h.
 */
#include "server/commit/recover.h"

#include "protocol/check.h"
#include "server/base/log.h"
#include "server/commit/audit.h"
#include "server/commit/profiles.h"
#include "server/domain/policy.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { FOLD_ROWS_A_COMMIT = 8192, REPLAY_TAIL_ROWS = 262144, REPLAY_BATCH = 512 };

/* A connected leg is at most this much younger than its call_ref: ticket life and a margin. */
#define CONNECT_AFTER_ROUTE_MS (UINT64_C(3600) * 1000)

/* ---- start ----------------------------------------------------------------------------------- */

/* Fold and commit, and begin the next transaction. Every touch up to `seq` has been put into the
 * tail; of later ones the head must not say that they are in their tables. */
static enum status
fold_and_commit(const struct recover *recover, uint64_t seq)
{
    struct executor *executor = recover->executor;
    enum status status;

    (void)tail_fold(recover->tail, recover->view, FOLD_ROWS_A_COMMIT);
    executor->head.fold_seq = tail_folded_to(recover->tail, seq);
    memcpy(executor->head.counters, executor->state.counters, sizeof executor->state.counters);
    status = store_commit(recover->view, &executor->head);
    if (status == STATUS_OK) {
        tail_batch_done(recover->tail);
        status = store_write_begin(recover->store, recover->view);
    }
    return status;
}

/* The images of one journal row, into the tail; folded first when it is full. */
static enum status
tail_restore(const struct recover *recover, uint64_t seq)
{
    struct journal_entry entry;

    if (tail_room(recover->tail) < STATE_IMAGES_MAX) {
        const enum status status = fold_and_commit(recover, seq - 1);

        if (status != STATUS_OK) {
            return status;
        }
    }
    if (!journal_read(recover->view, seq, &entry)) {
        log_line(LOG_LEVEL_ERROR, "journal_hole", "seq=%llu do=\"restore a backup\"",
                 (unsigned long long)seq);
        return STATUS_CORRUPT;
    }
    return journal_restore_images(recover->tail, seq, &entry) ? STATUS_OK : STATUS_CORRUPT;
}

/* Images of every row since the oldest unfolded touch, in order, into their tables. */
static enum status
tail_rebuild(const struct recover *recover)
{
    const struct store_head head = recover->executor->head;
    enum status status = STATUS_OK;

    for (uint64_t seq = head.fold_seq + 1; seq <= head.commit_seq && status == STATUS_OK; seq++) {
        status = tail_restore(recover, seq);
    }
    while (status == STATUS_OK) {
        const bool folded = tail_count(recover->tail) == 0;

        /* Once more when nothing is left: the boot is counted by a commit of its own. */
        status = fold_and_commit(recover, head.commit_seq);
        if (folded) {
            break;
        }
    }
    return status;
}

/* The newest row must be the one that the head knows: the chain ends there. */
static enum status
journal_judge(const struct recover *recover)
{
    const struct executor *executor = recover->executor;
    uint8_t hash[SHA256_BYTES];

    if (executor->head.commit_seq == 0) {
        return STATUS_OK;
    }
    if (!journal_hash(recover->view, executor->mac, executor->head.commit_seq, hash) ||
        memcmp(hash, executor->head.journal_hash, sizeof hash) != 0) {
        log_line(LOG_LEVEL_ERROR, "journal_end", "seq=%llu do=\"restore a backup\"",
                 (unsigned long long)executor->head.commit_seq);
        return STATUS_CORRUPT;
    }
    return STATUS_OK;
}

struct filling {
    const struct recover *recover;
    uint64_t now_ms;
    uint32_t max_call_s; /* The longest of all policies. */
    bool too_small;      /* contractors_max is below what the database has. */
};

static bool
fill_contractor(void *context, struct store_value key, struct store_value row)
{
    struct filling *filling = context;
    struct hot *hot = filling->recover->hot;
    struct executor *executor = filling->recover->executor;
    const struct profile_reader reader = {executor->mac,
                                          store_identity(filling->recover->store)->caller_key};
    struct hot_change change = {.with_rows = true, .with_profile = true};
    struct contractor_row contractor;
    struct wallet_row wallet;
    uint64_t number;

    CHECK(row.bytes_count == sizeof contractor);
    memcpy(&number, key.bytes, sizeof number);
    memcpy(&contractor, row.bytes, sizeof contractor);
    if (number >= hot_contractors_max(hot)) {
        log_line(LOG_LEVEL_ERROR, "too_many_contractors",
                 "contractor=%llu do=\"raise contractors_max\"", (unsigned long long)number);
        filling->too_small = true;
        return false;
    }
    change.contractor = (uint32_t)number;
    state_wallet_get(&executor->state, change.contractor, &wallet);
    hot_rows_of(&change.rows, &contractor, &wallet);
    profile_read(&change.profile, &reader, &executor->state, change.contractor, &contractor);
    hot_publish(hot, &change);
    return true;
}

static bool
fill_slot(void *context, struct store_value key, struct store_value row)
{
    const struct filling *filling = context;
    struct slot_row slot = {0};
    uint64_t number;

    CHECK(row.bytes_count <= sizeof slot);
    memcpy(&number, key.bytes, sizeof number);
    memcpy(&slot, row.bytes, row.bytes_count);
    cascades_publish(filling->recover->cascades, (uint32_t)(number >> 16), (uint16_t)number, &slot);
    return true;
}

static void
fill_call_units(const struct filling *filling, const struct zr_id *call_ref,
                const struct call_row *call)
{
    for (int i = 0; i < call->legs_count; i++) {
        const struct call_leg_row *leg = &call->legs[i];
        const enum unit_ttl ttl =
            (leg->flags & LEG_KEEPALIVE) != 0 ? UNIT_TTL_SHORT : UNIT_TTL_LONG;

        if (leg->connected_ms == 0 || leg->ended_ms != 0 ||
            units_expiry_ms(ttl, leg->seen_ms) <= filling->now_ms) {
            continue;
        }
        if (units_add(filling->recover->units, call_ref, leg->contractor, ttl, leg->seen_ms)) {
            hot_publish(filling->recover->hot,
                        &(struct hot_change){.contractor = leg->contractor, .units = 1});
        }
    }
}

/* A call that no END closes is swept after max_call, whatever signs of life it gives. */
static bool
fill_call_max(void *context, struct store_value key, struct store_value row)
{
    struct filling *filling = context;
    struct policy_row policy;

    (void)key;
    CHECK(row.bytes_count == sizeof policy);
    memcpy(&policy, row.bytes, sizeof policy);
    if (policy.max_call_s > filling->max_call_s) {
        filling->max_call_s = policy.max_call_s;
    }
    return true;
}

/* Calls stand in the order of their issue, so only the newest part of the table is walked: as far
 * back as a leg that gives signs of life may have been connected. */
static void
fill_units(const struct filling *filling)
{
    const struct recover *recover = filling->recover;
    const uint64_t window_ms = (uint64_t)filling->max_call_s * 1000 + CONNECT_AFTER_ROUTE_MS;
    const uint64_t from_ms = filling->now_ms > window_ms ? filling->now_ms - window_ms : 0;
    const uint64_t from_be = htobe64(from_ms);
    struct zr_id call_ref = {{0}};
    struct store_value key;
    struct store_value value;
    struct call_row call;

    memcpy(call_ref.bytes, &from_be, sizeof from_be);
    while (store_seek(recover->view, TABLE_CALL,
                      (struct store_value){call_ref.bytes, sizeof call_ref.bytes}, &key, &value) &&
           key.bytes_count == sizeof call_ref) {
        memcpy(&call_ref, key.bytes, sizeof call_ref);
        if (state_call_get(&recover->executor->state, &call_ref, &call)) {
            fill_call_units(filling, &call_ref, &call);
        }
        /* The next key: one higher in the last byte, carried. */
        for (int i = sizeof call_ref.bytes - 1; i >= 0 && ++call_ref.bytes[i] == 0; i--) {
        }
    }
}

enum status
recover_memory(const struct recover *recover)
{
    struct executor *executor = recover->executor;
    struct filling filling = {.recover = recover, .max_call_s = policy_default.max_call_s};
    enum status status = store_write_begin(recover->store, recover->view);

    if (status != STATUS_OK) {
        return status;
    }
    executor->head = *store_head(recover->store);
    executor->head.boots++;
    memcpy(executor->state.counters, executor->head.counters, sizeof executor->state.counters);
    /* Where the clock goes on: what was told survives a restart, even where no timer fired. */
    filling.now_ms = executor->head.log_ms > executor->head.alive_ms ? executor->head.log_ms
                                                                     : executor->head.alive_ms;
    status = journal_judge(recover);
    if (status == STATUS_OK) {
        status = tail_rebuild(recover);
    }
    if (status == STATUS_OK) {
        store_scan(recover->view, TABLE_CONTRACTOR, fill_contractor, &filling);
        store_scan(recover->view, TABLE_SLOT, fill_slot, &filling);
        store_scan(recover->view, TABLE_POLICY, fill_call_max, &filling);
        fill_units(&filling);
        units_sort(recover->units);
        status = state_failure(&executor->state);
    }
    if (status == STATUS_OK && filling.too_small) {
        status = STATUS_INVALID;
    }
    store_abort(recover->view);
    return status;
}

/* ---- replay ---------------------------------------------------------------------------------- */

struct replay {
    struct store_view from;
    struct recover into;
    struct executor executor;
    struct store_view view;
};

/*
 * Executing the row again must write it again, to the byte: its place in the chain, its request,
 * the images that recovery would have used. So every row is proven by itself, the last one too.
 */
static bool
replay_row_is_same(struct replay *replay, uint64_t seq)
{
    uint8_t hash[SHA256_BYTES];

    if (journal_hash(&replay->from, replay->executor.mac, seq, hash) &&
        memcmp(hash, replay->executor.head.journal_hash, sizeof hash) == 0) {
        return true;
    }
    log_line(LOG_LEVEL_ERROR, "replay_chain", "seq=%llu error=\"the row was altered\"",
             (unsigned long long)seq);
    return false;
}

static enum status
replay_commands(struct replay *replay, uint64_t last_seq)
{
    struct journal_entry entry;
    enum status status = STATUS_OK;

    for (uint64_t seq = 1; seq <= last_seq && status == STATUS_OK; seq++) {
        if (!journal_read(&replay->from, seq, &entry)) {
            log_line(LOG_LEVEL_ERROR, "replay_truncated", "seq=%llu of=%llu",
                     (unsigned long long)seq, (unsigned long long)last_seq);
            return STATUS_CORRUPT;
        }
        if (!execute_replay(&replay->executor, &entry, seq)) {
            log_line(LOG_LEVEL_ERROR, "replay_differs", "seq=%llu op=0x%04x",
                     (unsigned long long)seq, entry.frame[4] | entry.frame[5] << 8);
            return STATUS_CORRUPT;
        }
        if (!replay_row_is_same(replay, seq)) {
            return STATUS_CORRUPT;
        }
        if (seq % REPLAY_BATCH == 0 || tail_room(replay->into.tail) < 4 * STATE_IMAGES_MAX) {
            status = fold_and_commit(&replay->into, replay->executor.head.commit_seq);
        }
    }
    while (status == STATUS_OK) {
        const bool folded = tail_count(replay->into.tail) == 0;

        status = fold_and_commit(&replay->into, replay->executor.head.commit_seq);
        if (folded) {
            break;
        }
    }
    return status;
}

static void
hash_of_view(struct store_view *view, struct tail *tail, struct mac *mac,
             struct zr_state_hash_reply *reply)
{
    static const struct audit_scope alone;
    struct state state = {.view = view, .tail = tail, .seq = 1};

    audit_state_hash(&state, &alone, mac, reply);
}

static void
hash_print(const char *what, uint64_t seq, const struct zr_hash *hash)
{
    char text[2 * sizeof hash->bytes + 1];

    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        static const char digits[] = "0123456789abcdef";

        text[2 * i] = digits[hash->bytes[i] >> 4];
        text[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    text[2 * sizeof hash->bytes] = '\0';
    log_line(LOG_LEVEL_INFO, "state_hash", "of=%s commit_seq=%llu hash=%s", what,
             (unsigned long long)seq, text);
}

enum status
recover_replay(struct store *from, struct store *into, struct arena *arena)
{
    struct replay *replay = arena_take(arena, sizeof *replay, "replay");
    struct zr_state_hash_reply original = {0};
    struct zr_state_hash_reply replayed = {0};
    const uint64_t last_seq = store_head(from)->commit_seq;
    enum status status;

    if (store_head(from)->fold_seq != last_seq) {
        log_line(LOG_LEVEL_ERROR, "replay_unfolded",
                 "do=\"the database was not closed cleanly: serve it once, then replay\"");
        return STATUS_INVALID;
    }
    replay->executor = (struct executor){.state = {.view = &replay->view}, .mac = mac_open()};
    replay->into = (struct recover){.store = into,
                                    .view = &replay->view,
                                    .executor = &replay->executor,
                                    .tail = tail_open(arena, REPLAY_TAIL_ROWS)};
    replay->executor.state.tail = replay->into.tail;
    replay->executor.head.alive_ms = store_head(from)->alive_ms;
    status = store_read_begin(from, &replay->from);
    if (status == STATUS_OK) {
        status = store_write_begin(into, &replay->view);
    }
    if (status == STATUS_OK) {
        status = replay_commands(replay, last_seq);
    }
    if (status == STATUS_OK) {
        hash_of_view(&replay->from, replay->into.tail, replay->executor.mac, &original);
        hash_of_view(&replay->view, replay->into.tail, replay->executor.mac, &replayed);
        hash_print("original", last_seq, &original.hash);
        hash_print("replayed", last_seq, &replayed.hash);
        status = memcmp(&original.hash, &replayed.hash, sizeof original.hash) == 0 ? STATUS_OK
                                                                                   : STATUS_CORRUPT;
    }
    store_abort(&replay->view);
    store_read_close(&replay->from);
    mac_close(replay->executor.mac);
    return status;
}
