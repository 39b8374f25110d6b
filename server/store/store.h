/*
 * store.h - the only place that knows LMDB: environment, tables, transactions, checksums.
 *
 * One process, one environment, one writer (the committer), readers per worker. Durability is
 * LMDB's default: the data are synced, then the meta page is written and synced. Nothing here
 * trades that away; a row is on disk when store_commit() says OK, and not before.
 *
 * What LMDB does not check, this does: each row carries XXH3-64 over table, key and row, and the
 * id of the transaction is stored in a row of each commit, because a torn meta page (which has
 * no checksum) would otherwise bring back an older tree without a word (pitfalls.md 32, 33).
 *
 * Failures stick to the view that met them (store_view.failure); see domain/state.h for why.
 */
#ifndef ZR_STORE_H
#define ZR_STORE_H

#include "server/base/arena.h"
#include "server/base/mac.h"
#include "server/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum store_table {
#define TABLE(NAME, name, key, kind) TABLE_##NAME,
#include "server/store/tables.def"
#undef TABLE
    STORE_TABLES,
};

enum store_kind { STORE_KIND_RULE, STORE_KIND_FOLDED, STORE_KIND_LOG, STORE_KIND_SIDE };

enum { STORE_KEY_BYTES_MAX = 64, STORE_COUNTERS_MAX = 16, STORE_SCHEMA = 3 };

/* What makes this database this network's. Written once, by init. */
struct store_identity {
    uint64_t magic;
    uint32_t schema;
    uint32_t reserved;
    uint64_t environment;
    uint8_t ticket_keys[2][MAC_KEY_BYTES];
    uint8_t ticket_key_ids[2];
    uint8_t ticket_keys_count;
    uint8_t reserved2[5];
    uint8_t caller_key[MAC_KEY_BYTES]; /* Callers are stored as a keyed hash only. */
};

/* What every commit writes anew. */
struct store_head {
    uint64_t txn_id;     /* Of the transaction that wrote it: finds a torn meta page. */
    uint64_t commit_seq; /* Last journaled command. */
    uint64_t log_ms;     /* Its log time, or a later one. */
    uint64_t fold_seq;   /* Every touch up to here is in its table. */
    uint64_t boots;      /* Times that a server served from it. */
    uint64_t alive_ms;   /* The log clock at that commit: an outage begins here (M2). */
    uint64_t counters[STORE_COUNTERS_MAX];
    uint8_t journal_hash[SHA256_BYTES]; /* Of the last journal row. */
};

struct store;

struct store_options {
    const char *folder;
    uint64_t map_bytes;
    uint32_t readers_max;
    bool create; /* init: the folder must be empty or missing. */
};

/*
 * Open the environment and judge what is there. IN_USE: another server has the folder. FOREIGN:
 * not ours, or a newer schema. CORRUPT: torn. UNSUPPORTED: a network or FUSE file system. Logs
 * what is wrong and what to do.
 */
MUST_USE enum status store_open(struct store **store, const struct store_options *options);
void store_close(struct store *store);

const struct store_identity *store_identity(const struct store *store);
/* As of the last commit. Committer's thread, or before threads start. */
const struct store_head *store_head(const struct store *store);

/* Bytes of the map, and of it in use. Any thread. */
void store_usage(const struct store *store, uint64_t *map_bytes, uint64_t *used_bytes);

/* ---- views ----------------------------------------------------------------------------------- */

/* One transaction as its user sees it: the write transaction, or a worker's snapshot. */
struct store_view {
    struct store *store;
    void *txn; /* MDB_txn, NULL while none is open. */
    bool writable;
    bool careful;        /* A snapshot in which every checksum is judged. */
    enum status failure; /* Sticky: the first thing that went wrong. */
};

struct store_value {
    const uint8_t *bytes; /* In the map: dies at the next write or the view's end. */
    size_t bytes_count;
};

/* The one write transaction. */
MUST_USE enum status store_write_begin(struct store *store, struct store_view *view);
/* Make it durable, with `head` in it. NO_SPACE: nothing happened. IO: unknown, stop serving. */
MUST_USE enum status store_commit(struct store_view *view, struct store_head *head);
void store_abort(struct store_view *view);

/* A snapshot of the last commit; begin is cheap after the first (renewed). End before waiting: as
 * long as it is open no page that a commit replaces is used again, so the file grows. Another
 * thread may take it over, since a snapshot belongs to its view and not to a thread. */
MUST_USE enum status store_read_begin(struct store *store, struct store_view *view);
void store_read_end(struct store_view *view);
void store_read_close(struct store_view *view);

/* False when there is no such row. In the writer and in a careful snapshot every checksum is
 * judged; in the others those of money tables and of META. */
bool store_get(struct store_view *view, enum store_table table, const void *key, size_t key_bytes,
               struct store_value *value);
void store_put(struct store_view *view, enum store_table table, const void *key, size_t key_bytes,
               struct store_value value);
/* The same where there is no such row yet. False: there is one, and it stays as it is. A view that
 * failed takes nothing and says true. */
bool store_add(struct store_view *view, enum store_table table, const void *key, size_t key_bytes,
               struct store_value value);
void store_del(struct store_view *view, enum store_table table, const void *key, size_t key_bytes);

/* Number-keyed twins. */
bool store_get_number(struct store_view *view, enum store_table table, uint64_t key,
                      struct store_value *value);
void store_put_number(struct store_view *view, enum store_table table, uint64_t key,
                      const void *row, size_t row_bytes);

/* The first row whose key is >= (key, key_bytes); *found_key points into the map. */
bool store_seek(struct store_view *view, enum store_table table, struct store_value key,
                struct store_value *found_key, struct store_value *value);

/* Walk a table in key order; `each` returns false to stop. Checks every checksum. */
typedef bool (*store_each_fn)(void *context, struct store_value key, struct store_value row);
void store_scan(struct store_view *view, enum store_table table, store_each_fn each, void *context);

/* Which of two keys comes first in that table: below, at or above 0. */
int store_compare(struct store_view *view, enum store_table table, struct store_value left,
                  struct store_value right);

/* The head as of the view. False: the view has failed. */
bool store_view_head(struct store_view *view, struct store_head *head);

/* Rows in a table; 0 when the view has failed. */
uint64_t store_count(struct store_view *view, enum store_table table);

/* Name and kind of a table. */
const char *store_table_name(enum store_table table);
enum store_kind store_table_kind(enum store_table table);

#endif
