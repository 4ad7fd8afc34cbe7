/*
 * statestore/db.h: one database of one task: families of ordered bytes, written in atomic batches.
 *
 * The family "default" holds what describes the others (leat__db_meta). Reading and writing may go
 * on from different threads at once; open, reopen, close and the making of families are the owner's
 * alone. The only implementation is db_rocksdb.c, the only file that sees RocksDB.
 */
#ifndef LEAT__STATESTORE_DB_H
#define LEAT__STATESTORE_DB_H

#include <leat/store.h>

typedef struct leat__db_t leat__db_t;
typedef struct leat__family_t leat__family_t;
typedef struct leat__batch_t leat__batch_t;
typedef struct leat__db_iter_t leat__db_iter_t;

typedef struct leat__db_opts_t {
    void *block_cache;     /* [keep] nullable */
    size_t memtable_bytes; /* of all families together; 0: default */
} leat__db_opts_t;

/**
 * Open or create path. Damaged: *damaged is set; the caller sets it aside.
 * @return 0, LEAT_EIO, LEAT_ELOCKED, LEAT_ESTORE (damaged)
 */
int leat__db_open(leat__db_t **db, const char *path, const leat__db_opts_t *opts, bool *damaged,
    leat_error_t *err);
void leat__db_close(leat__db_t *db);
/**
 * After a failed write. No iterator may be open. When it cannot be opened for writing, reads still
 * work.
 */
int leat__db_reopen(leat__db_t *db, leat_error_t *err);
bool leat__db_damaged(const leat__db_t *db); /* a read or a write met corruption */

leat__family_t *leat__db_meta(leat__db_t *db);
/* found or made */
leat__family_t *leat__db_family(leat__db_t *db, const char *name, leat_error_t *err);
int leat__db_drop(leat__db_t *db, leat__family_t *f, leat_error_t *err);
/* NULL: no more; the meta family is not there */
leat__family_t *leat__db_family_at(leat__db_t *db, size_t i);
const char *leat__family_name(const leat__family_t *f);

/** 0, 1 (no such key), LEAT_ESTORE. *value until leat__db_unpin(*pin). */
int leat__db_get(leat__db_t *db, leat__family_t *f, leat_slice_t key, leat_slice_t *value,
    void **pin, leat_error_t *err);
void leat__db_unpin(void *pin);
uint64_t leat__db_count(leat__db_t *db, leat__family_t *f);

leat__batch_t *leat__batch_new(void);
void leat__batch_free(leat__batch_t *b);
void leat__batch_put(leat__batch_t *b, leat__family_t *f, leat_slice_t key, leat_slice_t head,
    leat_slice_t value); /* the value is head + value */
void leat__batch_delete(leat__batch_t *b, leat__family_t *f, leat_slice_t key);
void leat__batch_delete_range(
    leat__batch_t *b, leat__family_t *f, leat_slice_t from, leat_slice_t until);
/** Files that hold keys of [from, until) only: for ranges that are deleted already. Best effort. */
void leat__db_delete_files(leat__db_t *db, leat__family_t *f, leat_slice_t from, leat_slice_t until);
size_t leat__batch_bytes(const leat__batch_t *b);
/** Apply and empty it. 0 or LEAT_ESTORE. */
int leat__db_write(leat__db_t *db, leat__batch_t *b, leat_error_t *err);

/**
 * Many sorted changes of one family, past the memtable and the WAL: a file that becomes part of
 * the database as a whole. Written through to the disk before it counts, so it may be ahead of
 * batches that came before it, never behind. Add in ascending order, each key once. finish frees it:
 * 0, or LEAT_ESTORE and nothing of it is there.
 */
typedef struct leat__db_file_t leat__db_file_t;
/** bytes: of keys and values that will come, about. NULL: err. */
leat__db_file_t *leat__db_file_new(
    leat__db_t *db, leat__family_t *f, size_t bytes, leat_error_t *err);
void leat__db_file_put(
    leat__db_file_t *file, leat_slice_t key, leat_slice_t head, leat_slice_t value);
void leat__db_file_delete(leat__db_file_t *file, leat_slice_t key);
int leat__db_file_finish(leat__db_file_t *file, leat_error_t *err);

/**
 * Rows of [from, until) as they are now; .data NULL: open. The slices must live as long as the
 * iterator.
 */
leat__db_iter_t *leat__db_scan(leat__db_t *db, leat__family_t *f, const leat_slice_t *from,
    const leat_slice_t *until, leat_order_t order);
/** 1: a row, until the next call; 0: the end; LEAT_ESTORE. */
int leat__db_next(leat__db_iter_t *it, leat_slice_t *key, leat_slice_t *value, leat_error_t *err);
void leat__db_end(leat__db_iter_t *it);

#endif
