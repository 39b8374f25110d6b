/*
 * environment.h - what the files of store/ share and nobody else sees.
 */
#ifndef ZR_ENVIRONMENT_H
#define ZR_ENVIRONMENT_H

#include "server/store/store.h"

#include <lmdb.h>

enum { PATH_BYTES_MAX = 4096 };
#define STORE_FILE "zipring.mdb"

struct store {
    MDB_env *env;
    MDB_dbi dbi[STORE_TABLES];
    int lock_fd;
    uint64_t map_bytes;
    struct store_identity identity;
    struct store_head head;
};

/* The operating failure that an LMDB code stands for. */
enum status status_from_lmdb(int rc);

/* Fresh identity: random environment id and keys. */
void store_identity_make(struct store_identity *identity);

/* Finish the table-opening transaction of a new database with its identity and first head. */
MUST_USE enum status store_create_identity(struct store *store, MDB_txn *txn);

/* CORRUPT: the file lacks pages that are in use. Before anything but the meta pages is read. */
MUST_USE enum status store_judge_length(struct store *store, const char *folder);

/* CORRUPT: the meta page is not of the commit that wrote store->head. After the head was read. */
MUST_USE enum status store_judge_meta(struct store *store, const char *folder);

/* Finish it in an existing one without a new transaction id. */
void store_keep_tables(struct store *store, MDB_txn *txn);

#endif
