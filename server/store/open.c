/*
 * open.c - opening an environment and refusing what is not ours. See store.h.
 */
#include "protocol/check.h"
#include "server/base/log.h"
#include "server/store/environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define STORE_MAGIC UINT64_C(0x314749524E50495A)

static const struct {
    const char *name;
    unsigned flags;
    enum store_kind kind;
} tables[STORE_TABLES] = {
#define KEY_NUMBER                   MDB_INTEGERKEY
#define KEY_BYTES                    0
#define TABLE(NAME, name, key, kind) {#name, KEY_##key, STORE_KIND_##kind},
#include "server/store/tables.def"
#undef TABLE
};

const char *
store_table_name(enum store_table table)
{
    CHECK(table < STORE_TABLES);
    return tables[table].name;
}

enum store_kind
store_table_kind(enum store_table table)
{
    CHECK(table < STORE_TABLES);
    return tables[table].kind;
}

/* File systems without the locks and syncs that LMDB stands on (pitfalls.md 34). */
static bool
folder_is_local(const char *folder)
{
    static const unsigned long remote[] = {0x6969 /* NFS */, 0x65735546 /* FUSE */,
                                           0xFF534D42 /* CIFS */, 0xFE534D42 /* SMB2 */,
                                           0x01021997 /* 9P */};
    struct statfs fs;

    if (statfs(folder, &fs) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++) {
        if ((unsigned long)fs.f_type == remote[i]) {
            return false;
        }
    }
    return true;
}

/* One server per folder: a lock that dies with its process. */
static enum status
folder_lock(struct store *store, const char *folder)
{
    char path[PATH_BYTES_MAX];

    CHECK(snprintf(path, sizeof path, "%s/lock", folder) < (int)sizeof path);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0) {
        log_line(LOG_LEVEL_ERROR, "store_open", "file=\"%s\" error=\"%s\" do=\"check the folder\"",
                 path, strerrordesc_np(errno));
        return STATUS_INVALID;
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        log_line(LOG_LEVEL_ERROR, "store_in_use",
                 "folder=\"%s\" do=\"another zipringd serves it: stop that one, or use another "
                 "folder\"",
                 folder);
        return STATUS_IN_USE;
    }
    return STATUS_OK;
}

static enum status
environment_open(struct store *store, const struct store_options *options)
{
    char path[PATH_BYTES_MAX];
    const char *step = "create";
    int rc = mdb_env_create(&store->env);

    CHECK(snprintf(path, sizeof path, "%s/%s", options->folder, STORE_FILE) < (int)sizeof path);
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_set_mapsize(store->env, options->map_bytes);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_set_maxdbs(store->env, STORE_TABLES);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_set_maxreaders(store->env, options->readers_max + 1);
    }
    if (rc == MDB_SUCCESS) {
        step = "open";
        rc = mdb_env_open(store->env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD, 0600);
    }
    if (rc != MDB_SUCCESS) {
        log_line(LOG_LEVEL_ERROR, "store_open",
                 "file=\"%s\" step=%s error=\"%s\" do=\"is it a Zipring database? a damaged one is "
                 "restored from a backup\"",
                 path, step, mdb_strerror(rc));
        return rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH ? STATUS_FOREIGN
                                                               : status_from_lmdb(rc);
    }
    return STATUS_OK;
}

static enum status
tables_open(struct store *store, bool create)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (rc != MDB_SUCCESS) {
        return status_from_lmdb(rc);
    }
    for (unsigned i = 0; i < STORE_TABLES; i++) {
        rc = mdb_dbi_open(txn, tables[i].name, tables[i].flags | (create ? MDB_CREATE : 0u),
                          &store->dbi[i]);
        if (rc != MDB_SUCCESS) {
            mdb_txn_abort(txn);
            log_line(LOG_LEVEL_ERROR, "store_foreign",
                     "table=%s error=\"%s\" do=\"this is no Zipring database of this version\"",
                     tables[i].name, mdb_strerror(rc));
            return STATUS_FOREIGN;
        }
    }
    if (!create) {
        /* The tables exist: nothing was written, and the head row must stay the newest commit's. */
        store_keep_tables(store, txn);
        return STATUS_OK;
    }
    return store_create_identity(store, txn);
}

static enum status
identity_judge(struct store *store)
{
    struct store_view view = {0};
    struct store_value value;
    enum status status = store_read_begin(store, &view);

    if (status != STATUS_OK) {
        return status;
    }
    status = STATUS_FOREIGN;
    if (store_get(&view, TABLE_META, "identity", 8, &value) &&
        value.bytes_count == sizeof store->identity) {
        memcpy(&store->identity, value.bytes, sizeof store->identity);
        if (store->identity.magic == STORE_MAGIC && store->identity.schema == STORE_SCHEMA &&
            store_get(&view, TABLE_META, "head", 4, &value) &&
            value.bytes_count == sizeof store->head) {
            memcpy(&store->head, value.bytes, sizeof store->head);
            status = STATUS_OK;
        }
    }
    if (view.failure != STATUS_OK) {
        status = view.failure; /* Ours, but damaged. */
    } else if (status != STATUS_OK) {
        log_line(LOG_LEVEL_ERROR, "store_foreign",
                 "schema=%u known=%d do=\"foreign, newer or unfinished: use the zipringd that made "
                 "it, or `zipringd init` a new folder\"",
                 store->identity.schema, STORE_SCHEMA);
    }
    store_read_close(&view);
    return status;
}

void
store_identity_make(struct store_identity *identity)
{
    *identity = (struct store_identity){.magic = STORE_MAGIC, .schema = STORE_SCHEMA};
    random_fill(&identity->environment, sizeof identity->environment);
    random_fill(identity->ticket_keys[0], MAC_KEY_BYTES);
    identity->ticket_key_ids[0] = 1;
    identity->ticket_keys_count = 1;
    random_fill(identity->caller_key, sizeof identity->caller_key);
}

/* Nothing in it but a lock, which an init that failed may have left. */
static bool
folder_is_empty(const char *folder)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    bool empty = entries != NULL;

    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet.
    while (empty && (entry = readdir(entries)) != NULL) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strcmp(entry->d_name, "lock") == 0;
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return empty;
}

/* init: an empty folder, or none yet. */
static enum status
folder_prepare(const char *folder, bool create)
{
    char path[PATH_BYTES_MAX];
    const bool fits = snprintf(path, sizeof path, "%s/%s", folder, STORE_FILE) < (int)sizeof path;

    if (!fits || (create && mkdir(folder, 0700) != 0 && errno != EEXIST)) {
        log_line(LOG_LEVEL_ERROR, "store_folder", "folder=\"%s\" error=\"%s\"", folder,
                 fits ? strerrordesc_np(errno) : "name too long");
        return STATUS_INVALID;
    }
    if (create == (access(path, F_OK) == 0)) {
        log_line(LOG_LEVEL_ERROR, "store_folder", "file=\"%s\" error=\"%s\"", path,
                 create ? "there is a database already; init wants an empty folder"
                        : "no database here; make one with `zipringd init --data`");
        return create ? STATUS_FOREIGN : STATUS_NOT_FOUND;
    }
    if (create && !folder_is_empty(folder)) {
        log_line(LOG_LEVEL_ERROR, "store_folder", "folder=\"%s\" error=\"%s\"", folder,
                 "there are other files already; init wants an empty folder");
        return STATUS_FOREIGN;
    }
    if (!folder_is_local(folder)) {
        log_line(LOG_LEVEL_ERROR, "store_folder",
                 "folder=\"%s\" error=\"not on a local file system\" do=\"LMDB needs local disks\"",
                 folder);
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}

enum status
store_open(struct store **store, const struct store_options *options)
{
    struct store *opened;
    enum status status = folder_prepare(options->folder, options->create);

    if (status != STATUS_OK) {
        return status;
    }
    opened = calloc(1, sizeof *opened);
    CHECK(opened != NULL);
    opened->lock_fd = -1;
    status = folder_lock(opened, options->folder);
    if (status == STATUS_OK) {
        status = environment_open(opened, options);
    }
    if (status == STATUS_OK && !options->create) {
        status = store_judge_length(opened, options->folder);
    }
    if (status == STATUS_OK) {
        status = tables_open(opened, options->create);
    }
    if (status == STATUS_OK) {
        status = identity_judge(opened);
    }
    if (status == STATUS_OK) {
        status = store_judge_meta(opened, options->folder);
    }
    if (status != STATUS_OK) {
        store_close(opened);
        return status;
    }
    opened->map_bytes = options->map_bytes;
    *store = opened;
    return STATUS_OK;
}

void
store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    if (store->env != NULL) {
        mdb_env_close(store->env);
    }
    if (store->lock_fd >= 0) {
        (void)close(store->lock_fd);
    }
    free(store);
}
