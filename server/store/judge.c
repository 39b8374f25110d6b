/*
 * judge.c - is the file what its newest meta page says? Asked once, before a row is believed.
 *
 * A meta page has no checksum. When one is torn, by a disk that does not keep its promise of
 * whole sectors, LMDB takes a mixture of two commits for the newest one: a tree of rows of one
 * and a list of free pages of another, say, and the next transaction overwrites live pages. So
 * every part of the page is held against something that only the right commit has written:
 *
 *     transaction, tree of rows    the head row names the transaction that wrote it
 *     list of free pages           its newest entry is that of the same transaction: each commit
 *                                  frees the pages that it replaced
 *     last page, page counts       pages of all trees + free pages + 2 meta pages = all pages
 *
 * All of it reads the list and nothing else, whatever the database holds.
 */
#include "protocol/check.h"
#include "server/base/log.h"
#include "server/store/environment.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DBI_FREE_PAGES = 0, /* LMDB's own two tables. */
    DBI_TABLES = 1,
    META_PAGES = 2,
    FIRST_TXN = 1, /* Has replaced no page. */
};

/* The list of free pages: by transaction that freed them, a count and so many page numbers. */
struct free_list {
    size_t pages_count; /* At or above the first that was asked for. */
    size_t newest_txn;
};

/* Add one entry; false when it is none. */
static bool
free_list_add(struct free_list *list, const MDB_val *key, const MDB_val *data, size_t first)
{
    const uint8_t *words = data->mv_data;
    size_t count = 0;

    if (key->mv_size != sizeof list->newest_txn || data->mv_size < sizeof count) {
        return false;
    }
    memcpy(&list->newest_txn, key->mv_data, sizeof list->newest_txn);
    memcpy(&count, words, sizeof count);
    if (count > data->mv_size / sizeof count - 1) {
        return false;
    }
    for (size_t i = 1; i <= count; i++) {
        size_t page;

        memcpy(&page, words + i * sizeof page, sizeof page);
        list->pages_count += page >= first;
    }
    return true;
}

static enum status
free_list_read(struct free_list *list, MDB_txn *txn, size_t first)
{
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val data;
    int rc = mdb_cursor_open(txn, DBI_FREE_PAGES, &cursor);

    *list = (struct free_list){0};
    if (rc != MDB_SUCCESS) {
        return status_from_lmdb(rc);
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_FIRST);
    while (rc == MDB_SUCCESS) {
        rc = free_list_add(list, &key, &data, first) ? mdb_cursor_get(cursor, &key, &data, MDB_NEXT)
                                                     : MDB_CORRUPTED;
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? STATUS_OK : status_from_lmdb(rc);
}

/* ---- length ---------------------------------------------------------------------------------- */

static bool
missing_pages_are_free(struct store *store, size_t there, size_t wanted)
{
    struct free_list list;
    MDB_txn *txn = NULL;
    bool are_free;

    if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS) {
        return false;
    }
    are_free = free_list_read(&list, txn, there) == STATUS_OK && list.pages_count == wanted - there;
    mdb_txn_abort(txn);
    return are_free;
}

/*
 * A file that is shorter than its last page was cut off, and reading it would be a SIGBUS; unless
 * what is missing is free: LMDB does not write a page at the end of the file that a transaction
 * took and gave back before its commit. The file is made long enough to look at the list, and
 * as short as it was again when it turns out to be cut off, so that the next start sees it too.
 */
enum status
store_judge_length(struct store *store, const char *folder)
{
    char path[PATH_BYTES_MAX];
    struct stat file;
    MDB_envinfo info;
    MDB_stat stats;
    size_t wanted;
    size_t there;

    CHECK(snprintf(path, sizeof path, "%s/%s", folder, STORE_FILE) < (int)sizeof path);
    CHECK(mdb_env_info(store->env, &info) == MDB_SUCCESS);
    CHECK(mdb_env_stat(store->env, &stats) == MDB_SUCCESS);
    if (stat(path, &file) != 0) {
        return STATUS_IO;
    }
    wanted = info.me_last_pgno + 1;
    there = (size_t)file.st_size / stats.ms_psize;
    if (there >= wanted || (truncate(path, (off_t)(wanted * stats.ms_psize)) == 0 &&
                            missing_pages_are_free(store, there, wanted))) {
        return STATUS_OK;
    }
    (void)!truncate(path, file.st_size);
    log_line(LOG_LEVEL_ERROR, "store_torn",
             "file=\"%s\" error=\"shorter than its last page\" do=\"restore a backup\"", path);
    return STATUS_CORRUPT;
}

/* ---- meta page ------------------------------------------------------------------------------- */

/* Pages of every tree. */
static enum status
pages_used(struct store *store, MDB_txn *txn, size_t *pages_count)
{
    *pages_count = META_PAGES;
    for (unsigned i = 0; i < STORE_TABLES + 2; i++) {
        const MDB_dbi dbi = i < STORE_TABLES ? store->dbi[i] : i - STORE_TABLES;
        MDB_stat stats;
        const int rc = mdb_stat(txn, dbi, &stats);

        if (rc != MDB_SUCCESS) {
            return status_from_lmdb(rc);
        }
        *pages_count += stats.ms_branch_pages + stats.ms_leaf_pages + stats.ms_overflow_pages;
    }
    return STATUS_OK;
}

/* What is wrong with the newest meta page; NULL = nothing. */
static const char *
meta_fault(struct store *store, MDB_txn *txn, const MDB_envinfo *info)
{
    struct free_list list;
    size_t used = 0;

    if (info->me_last_txnid != store->head.txn_id) {
        return "the meta page is not of the last commit";
    }
    if (free_list_read(&list, txn, 0) != STATUS_OK ||
        (list.newest_txn != info->me_last_txnid && info->me_last_txnid != FIRST_TXN)) {
        return "the list of free pages is not of the last commit";
    }
    if (pages_used(store, txn, &used) != STATUS_OK ||
        used + list.pages_count != info->me_last_pgno + 1) {
        return "the pages in use and the free ones are not all pages";
    }
    return NULL;
}

enum status
store_judge_meta(struct store *store, const char *folder)
{
    MDB_envinfo info;
    MDB_txn *txn = NULL;
    const char *fault;
    const int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (rc != MDB_SUCCESS) {
        return status_from_lmdb(rc);
    }
    CHECK(mdb_env_info(store->env, &info) == MDB_SUCCESS);
    fault = meta_fault(store, txn, &info);
    mdb_txn_abort(txn);
    if (fault == NULL) {
        return STATUS_OK;
    }
    log_line(LOG_LEVEL_ERROR, "store_torn",
             "file=\"%s/" STORE_FILE "\" meta_txn=%zu head_txn=%llu error=\"%s\" "
             "do=\"restore a backup\"",
             folder, info.me_last_txnid, (unsigned long long)store->head.txn_id, fault);
    return STATUS_CORRUPT;
}
