/*
 * store.c - transactions and rows. See store.h.
 */
#include "server/store/store.h"

#include "protocol/bytes.h"
#include "protocol/check.h"
#include "server/base/log.h"
#include "server/store/environment.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <xxhash.h>

enum { CHECKSUM_BYTES = 8, ROW_BYTES_MAX = 40960 };

/* A disk with less than this may have cut a write of ours short. */
#define DISK_FULL_BYTES (UINT64_C(16) << 20)

enum status
status_from_lmdb(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return STATUS_OK;
    case MDB_NOTFOUND:
        return STATUS_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
        return STATUS_NO_SPACE;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return STATUS_CORRUPT;
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return STATUS_FOREIGN;
    default:
        return STATUS_IO;
    }
}

const struct store_identity *
store_identity(const struct store *store)
{
    return &store->identity;
}

const struct store_head *
store_head(const struct store *store)
{
    return &store->head;
}

void
store_usage(const struct store *store, uint64_t *map_bytes, uint64_t *used_bytes)
{
    MDB_envinfo info;
    MDB_stat stats;

    CHECK(mdb_env_info(store->env, &info) == MDB_SUCCESS);
    CHECK(mdb_env_stat(store->env, &stats) == MDB_SUCCESS);
    *map_bytes = info.me_mapsize;
    *used_bytes = (uint64_t)(info.me_last_pgno + 1) * stats.ms_psize;
}

/* ---- transactions ---------------------------------------------------------------------------- */

static MDB_txn *
view_txn(const struct store_view *view)
{
    CHECK(view->txn != NULL);
    return view->txn;
}

static void
view_fail(struct store_view *view, enum status failure)
{
    if (view->failure == STATUS_OK) {
        view->failure = failure;
    }
}

enum status
store_write_begin(struct store *store, struct store_view *view)
{
    MDB_txn *txn = NULL;
    const int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    *view = (struct store_view){.store = store, .txn = txn, .writable = true};
    return status_from_lmdb(rc);
}

static void
head_put(struct store_view *view, struct store_head *head)
{
    head->txn_id = mdb_txn_id(view_txn(view));
    store_put(view, TABLE_META, "head", 4,
              (struct store_value){(const uint8_t *)head, sizeof *head});
}

static bool
disk_is_full(const struct store *store)
{
    struct statvfs disk;

    return fstatvfs(store->lock_fd, &disk) == 0 &&
           (uint64_t)disk.f_bavail * disk.f_frsize < DISK_FULL_BYTES;
}

/* LMDB trusts itself no more: the write of the meta page failed, and what stands there, nobody
 * knows (pitfalls.md 31). */
static bool
environment_is_dead(const struct store *store)
{
    MDB_txn *txn = NULL;
    const int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (rc == MDB_SUCCESS) {
        mdb_txn_abort(txn);
    }
    return rc != MDB_SUCCESS;
}

/*
 * Did a failed commit surely not happen? A full map comes before the first write. A write that
 * found the disk full, which LMDB tells as ENOSPC, or as EIO when the write was cut short
 * (pitfalls.md 29), is a data page that nothing points at yet, as long as it was not the meta page.
 * Whatever else failed, a sync above all, is never tried again (P16).
 */
static enum status
commit_failure(const struct store *store, int rc)
{
    const bool full = rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC ||
                      (rc == EIO && disk_is_full(store));

    if (full && !environment_is_dead(store)) {
        return STATUS_NO_SPACE;
    }
    log_line(LOG_LEVEL_ERROR, "commit_failed", "error=\"%s\"", mdb_strerror(rc));
    return STATUS_IO;
}

enum status
store_commit(struct store_view *view, struct store_head *head)
{
    int rc;

    CHECK(view->writable);
    head_put(view, head);
    if (view->failure != STATUS_OK) {
        store_abort(view);
        return view->failure;
    }
    /* Commit frees the transaction even when it fails. */
    rc = mdb_txn_commit(view_txn(view));
    view->txn = NULL;
    if (rc != MDB_SUCCESS) {
        return commit_failure(view->store, rc);
    }
    view->store->head = *head;
    return STATUS_OK;
}

void
store_abort(struct store_view *view)
{
    if (view->txn != NULL) {
        mdb_txn_abort(view->txn);
        view->txn = NULL;
    }
}

enum status
store_create_identity(struct store *store, MDB_txn *txn)
{
    struct store_view view = {.store = store, .txn = txn, .writable = true};
    struct store_head head = {0};

    store_identity_make(&store->identity);
    store_put(&view, TABLE_META, "identity", 8,
              (struct store_value){(const uint8_t *)&store->identity, sizeof store->identity});
    return store_commit(&view, &head);
}

void
store_keep_tables(struct store *store, MDB_txn *txn)
{
    /* A commit without a dirty page writes nothing, but keeps the handles for later ones. */
    (void)store;
    CHECK(mdb_txn_commit(txn) == MDB_SUCCESS);
}

enum status
store_read_begin(struct store *store, struct store_view *view)
{
    MDB_txn *txn = view->txn;
    int rc;

    CHECK(!view->writable);
    if (txn == NULL) {
        rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    } else {
        rc = mdb_txn_renew(txn);
    }
    *view = (struct store_view){.store = store, .txn = txn, .careful = view->careful};
    return status_from_lmdb(rc);
}

void
store_read_end(struct store_view *view)
{
    CHECK(!view->writable);
    mdb_txn_reset(view_txn(view));
}

void
store_read_close(struct store_view *view)
{
    store_abort(view);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static uint64_t
row_checksum(enum store_table table, const MDB_val *key, const void *row, size_t row_bytes)
{
    const XXH64_hash_t key_hash = XXH3_64bits_withSeed(key->mv_data, key->mv_size, table);

    return XXH3_64bits_withSeed(row, row_bytes, key_hash);
}

static bool
checksum_is_judged(const struct store_view *view, enum store_table table)
{
    return view->writable || view->careful || table == TABLE_META || table == TABLE_WALLET ||
           table == TABLE_POSTING || table == TABLE_ACCOUNT || table == TABLE_CALL ||
           table == TABLE_DISPUTE || table == TABLE_AUTOTOPUP;
}

/* Split a stored value into row and checksum; a wrong one sticks as CORRUPT. */
static bool
row_open(struct store_view *view, enum store_table table, const MDB_val *key, const MDB_val *data,
         struct store_value *value)
{
    const uint8_t *bytes = data->mv_data;
    const size_t row_bytes = data->mv_size - CHECKSUM_BYTES;

    if (data->mv_size < CHECKSUM_BYTES ||
        row_checksum(table, key, bytes, row_bytes) != zr_load_u64(bytes + row_bytes)) {
        log_line(LOG_LEVEL_ERROR, "row_corrupt", "table=%s do=\"restore a backup\"",
                 store_table_name(table));
        view_fail(view, STATUS_CORRUPT);
        return false;
    }
    *value = (struct store_value){bytes, row_bytes};
    return true;
}

bool
store_get(struct store_view *view, enum store_table table, const void *key, size_t key_bytes,
          struct store_value *value)
{
    MDB_val key_val = {key_bytes, NULL};
    MDB_val data;
    int rc;

    CHECK(table < STORE_TABLES);
    memcpy(&key_val.mv_data, &key, sizeof key); /* LMDB takes no const; it does not write. */
    rc = mdb_get(view_txn(view), view->store->dbi[table], &key_val, &data);
    if (rc == MDB_NOTFOUND) {
        return false;
    }
    if (rc != MDB_SUCCESS) {
        view_fail(view, status_from_lmdb(rc));
        return false;
    }
    if (checksum_is_judged(view, table)) {
        return row_open(view, table, &key_val, &data, value);
    }
    if (data.mv_size < CHECKSUM_BYTES) {
        view_fail(view, STATUS_CORRUPT);
        return false;
    }
    *value = (struct store_value){data.mv_data, data.mv_size - CHECKSUM_BYTES};
    return true;
}

/* False: `flags` forbid to replace the row that is there. */
static bool
row_put(struct store_view *view, enum store_table table, MDB_val key, struct store_value value,
        unsigned flags)
{
    MDB_val data = {value.bytes_count + CHECKSUM_BYTES, NULL};
    uint8_t *stored;
    int rc;

    CHECK(view->writable);
    CHECK(value.bytes_count <= ROW_BYTES_MAX);
    if (view->failure != STATUS_OK) {
        return true;
    }
    rc = mdb_put(view_txn(view), view->store->dbi[table], &key, &data, MDB_RESERVE | flags);
    if (rc == MDB_KEYEXIST) {
        return false;
    }
    if (rc != MDB_SUCCESS) {
        view_fail(view, status_from_lmdb(rc));
        return true;
    }
    stored = data.mv_data;
    if (value.bytes_count > 0) {
        memcpy(stored, value.bytes, value.bytes_count);
    }
    zr_store_u64(stored + value.bytes_count, row_checksum(table, &key, stored, value.bytes_count));
    return true;
}

void
store_put(struct store_view *view, enum store_table table, const void *key, size_t key_bytes,
          struct store_value value)
{
    MDB_val key_val = {key_bytes, NULL};

    memcpy(&key_val.mv_data, &key, sizeof key);
    CHECK(row_put(view, table, key_val, value, 0));
}

bool
store_add(struct store_view *view, enum store_table table, const void *key, size_t key_bytes,
          struct store_value value)
{
    MDB_val key_val = {key_bytes, NULL};

    memcpy(&key_val.mv_data, &key, sizeof key);
    return row_put(view, table, key_val, value, MDB_NOOVERWRITE);
}

void
store_del(struct store_view *view, enum store_table table, const void *key, size_t key_bytes)
{
    MDB_val key_val = {key_bytes, NULL};
    int rc;

    CHECK(view->writable);
    memcpy(&key_val.mv_data, &key, sizeof key);
    rc = mdb_del(view_txn(view), view->store->dbi[table], &key_val, NULL);
    if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        view_fail(view, status_from_lmdb(rc));
    }
}

bool
store_get_number(struct store_view *view, enum store_table table, uint64_t key,
                 struct store_value *value)
{
    return store_get(view, table, &key, sizeof key, value);
}

void
store_put_number(struct store_view *view, enum store_table table, uint64_t key, const void *row,
                 size_t row_bytes)
{
    store_put(view, table, &key, sizeof key, (struct store_value){row, row_bytes});
}

/* ---- walks ----------------------------------------------------------------------------------- */

static MDB_cursor *
cursor_open(struct store_view *view, enum store_table table)
{
    MDB_cursor *cursor = NULL;
    const int rc = mdb_cursor_open(view_txn(view), view->store->dbi[table], &cursor);

    if (rc != MDB_SUCCESS) {
        view_fail(view, status_from_lmdb(rc));
        return NULL;
    }
    return cursor;
}

bool
store_seek(struct store_view *view, enum store_table table, struct store_value key,
           struct store_value *found_key, struct store_value *value)
{
    MDB_cursor *cursor = cursor_open(view, table);
    MDB_val key_val = {key.bytes_count, NULL};
    MDB_val data;
    bool found = false;
    int rc;

    if (cursor == NULL) {
        return false;
    }
    memcpy(&key_val.mv_data, &key.bytes, sizeof key.bytes);
    rc = mdb_cursor_get(cursor, &key_val, &data, MDB_SET_RANGE);
    if (rc == MDB_SUCCESS) {
        *found_key = (struct store_value){key_val.mv_data, key_val.mv_size};
        found = row_open(view, table, &key_val, &data, value);
    } else if (rc != MDB_NOTFOUND) {
        view_fail(view, status_from_lmdb(rc));
    }
    mdb_cursor_close(cursor);
    return found;
}

void
store_scan(struct store_view *view, enum store_table table, store_each_fn each, void *context)
{
    MDB_cursor *cursor = cursor_open(view, table);
    struct store_value row;
    MDB_val key;
    MDB_val data;
    bool more = true;
    int rc;

    if (cursor == NULL) {
        return;
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
    while (rc == MDB_SUCCESS && more) {
        more = row_open(view, table, &key, &data, &row) &&
               each(context, (struct store_value){key.mv_data, key.mv_size}, row);
        if (more) {
            rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
        }
    }
    if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        view_fail(view, status_from_lmdb(rc));
    }
    mdb_cursor_close(cursor);
}

int
store_compare(struct store_view *view, enum store_table table, struct store_value left,
              struct store_value right)
{
    MDB_val left_val = {left.bytes_count, NULL};
    MDB_val right_val = {right.bytes_count, NULL};

    memcpy(&left_val.mv_data, &left.bytes, sizeof left.bytes);
    memcpy(&right_val.mv_data, &right.bytes, sizeof right.bytes);
    return mdb_cmp(view_txn(view), view->store->dbi[table], &left_val, &right_val);
}

bool
store_view_head(struct store_view *view, struct store_head *head)
{
    struct store_value value;

    if (!store_get(view, TABLE_META, "head", 4, &value)) {
        return false;
    }
    CHECK(value.bytes_count == sizeof *head);
    memcpy(head, value.bytes, sizeof *head);
    return true;
}

uint64_t
store_count(struct store_view *view, enum store_table table)
{
    MDB_stat stats;
    const int rc = mdb_stat(view_txn(view), view->store->dbi[table], &stats);

    if (rc != MDB_SUCCESS) {
        view_fail(view, status_from_lmdb(rc));
        return 0;
    }
    return stats.ms_entries;
}
