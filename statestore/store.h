/*
 * statestore/store.h: one store of one task, as bytes: the write buffer over a backend.
 *
 *  put ─▶ DIRTY ─flush─▶ LOGGED ─committed─▶ COMMITTED ─checkpoint─▶ FROZEN ─written─▶ CLEAN
 *           │              │                               get (read cache) ─────────────▲ │
 *           └────abort─────┴─▶ the last committed version                          evict ◀─┘
 *
 * The owner of all of it is the task's thread; only a frozen batch (immutable) is written by the
 * checkpointer's thread. Forwarding and logging reach the world through the two hooks that runtime
 * hands down (leat__store_hooks_t). Nothing here knows topics, brokers or processors.
 */
#ifndef LEAT__STATESTORE_STORE_H
#define LEAT__STATESTORE_STORE_H

#include <leat/store.h>
#include <leat/backend.h>
#include "base/arena.h"
#include "base/headers.h"

typedef struct leat__store_t leat__store_t;
typedef struct leat__task_state_t leat__task_state_t;   /* all stores of one task */
typedef struct leat__frozen_t leat__frozen_t;           /* a checkpoint on its way */

/**
 * Bytes held by all write buffers of one stream thread; looked at between input records only
 * (PROTOCOLS.md 17).
 */
typedef struct leat__budget_t {
    size_t cached_dirty_bytes; /* DIRTY entries of cached stores: statestore.cache.max.bytes */
    size_t dirty_bytes;        /* DIRTY + LOGGED of all stores */
    size_t frozen_bytes;       /* COMMITTED + FROZEN: a checkpoint makes them clean */
    size_t entry_bytes;        /* everything, clean ones included */
    size_t restore_bytes;      /* set by the thread: frozen_bytes at which a restore writes; 0: default */
} leat__budget_t;

typedef struct leat__change_view_t {
    leat_slice_t key;
    const leat_slice_t *value;     /* NULL: deleted */
    const leat_slice_t *old_value; /* of the last forward; only if wants_old, else NULL */
    int64_t time_ms;               /* of the last write; timestamped stores: the value's time */
    int64_t old_time_ms;
    const leat_headers_t *headers; /* of the record that wrote it last; may be NULL */
} leat__change_view_t;

/** Runtime's side. Called on the task's thread from put (uncached: log if log_each) and from
 * flush. */
typedef struct leat__store_hooks_t {
    /* One changelog record. NULL: the store has no changelog. value is the changelog's form (plain,
     * without time). */
    void (*log)(void *user, leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
        int64_t time_ms, const leat_headers_t *headers);
    void *user;
    void (*dropped)(void *user, leat__store_t *s); /* a put was refused: older than what is retained; may be NULL */
} leat__store_hooks_t;

typedef struct leat__store_def_t {
    const char *name;              /* [copy] */
    leat_store_kind_t kind;        /* windows, sessions, versions: by the verbs of windows.h */
    const leat_backend_t *backend; /* [keep] never NULL */
    const leat_custom_t *custom;   /* LEAT_CUSTOM */
    bool cached;                   /* forwards and logs at flush only, last value wins */
    bool logged;                   /* has a changelog (or a source topic that serves as one) */
    /* the changelog is a source topic: restored from it, never written */
    bool source_logged;
    /* uncached: one changelog record per put, as Kafka Streams does (test driver); else coalesced
     * at flush */
    bool log_each;
    uint64_t entries_max;          /* leat_backend_lru() */
    bool by_time;                  /* windows, sessions: rows in order of time, whatever the backend: emit on close */
    leat_store_opts_t opts;        /* as given; .retention_ms, .window_size_ms, .history_ms, .duplicates, .ttl_ms count here */
    const int64_t *clock_ms;       /* [keep] the task's stream time: what .opts.ttl_ms is measured by */
    leat__store_hooks_t hooks;
} leat__store_def_t;

/** Stands in the backend beside the data it describes, per store (PROTOCOLS.md 5, 9). */
typedef struct leat__store_meta_t {
    /* offset to replay from; -1: nothing known, replay all into an emptied store */
    int64_t changelog_next;
    int64_t observed_ms;      /* store's observed time; -1 */
    uint64_t incarnation;     /* of the changelog topic */
    int64_t wall_ms;          /* when the checkpoint was made */
    uint32_t seq;             /* stores with duplicates: number of the last put */
} leat__store_meta_t;

/* ---- the stores of a task ---- */

typedef struct leat__task_state_opts_t {
    /* the task's directory, created if needed; NULL: no disk, memory backends only */
    const char *dir;
    leat__budget_t *budget;        /* [keep] the thread's */
    /* from leat__block_cache_new, shared by the process; may be NULL */
    void *block_cache;
    size_t memtable_bytes;         /* of this task's database; 0: default */
    int64_t wall_ms;               /* now */
    /* older local state of a store with a changelog is not believed: "nothing known"; 0: any age */
    int64_t age_max_ms;
} leat__task_state_opts_t;

/**
 * Open or create; unreadable or corrupt local state is set aside (DIR/rocksdb becomes
 * DIR/rocksdb.bad-<wall_ms>), said in the log, and made anew.
 * @return 0, LEAT_EIO, LEAT_ESTORE
 */
LEAT_API int leat__task_state_open(
    leat__task_state_t **state, const leat__task_state_opts_t *opts, leat_error_t *err);
/* drops what is not checkpointed; waits for a running checkpoint */
LEAT_API void leat__task_state_close(leat__task_state_t *state);
/* [keep: state] */
leat__store_t *leat__store_open(
    leat__task_state_t *state, const leat__store_def_t *def, leat_error_t *err);
/* all stores are there: column families of stores that are gone are dropped */
void leat__task_state_opened(leat__task_state_t *state);

void *leat__block_cache_new(size_t bytes);
void leat__block_cache_free(void *cache);

/* ---- bytes in, bytes out ---- */

/**
 * False: none. *value and *time_ms borrowed until the next call on the store. time_ms may be NULL;
 * -1 where there is none.
 */
bool leat__store_get(leat__store_t *s, leat_slice_t key, leat_slice_t *value, int64_t *time_ms);
/** value NULL deletes. headers [borrow] are kept (cloned) only by cached stores. */
void leat__store_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms,
    const leat_headers_t *headers);
uint64_t leat__store_count(leat__store_t *s); /* an estimate */

typedef struct leat__cursor_t leat__cursor_t;
/**
 * [from, to], both inclusive; .data NULL is an open end. Sees the store as it is now, whatever is
 * put while it is open.
 */
LEAT_API leat__cursor_t *leat__store_range(
    leat__store_t *s, leat_slice_t from, leat_slice_t to, leat_order_t order);
leat__cursor_t *leat__store_prefix(leat__store_t *s, leat_slice_t prefix, leat_order_t order);
LEAT_API bool leat__cursor_next(
    leat__cursor_t *c, leat_slice_t *key, leat_slice_t *value, int64_t *time_ms);
LEAT_API void leat__cursor_close(leat__cursor_t *c);

/* ---- flush, commit, abort (the task calls them for its stores in topological order) ---- */

/**
 * Cached stores forward and log each DIRTY entry in order of last write; uncached ones log what is
 * not logged yet.
 */
void leat__store_flush(leat__store_t *s);
/**
 * The second pass of a commit (PROTOCOLS.md 22): logs what a later store's flush made dirty again;
 * the next flush forwards it.
 */
void leat__store_flush_rest(leat__store_t *s);
/**
 * What flush forwards of a cached store; set when the node that owns the store is opened. fn NULL:
 * nobody listens.
 */
void leat__store_on_flush(leat__store_t *s,
    void (*fn)(void *user, leat__store_t *s, const leat__change_view_t *change), void *user,
    bool wants_old);
bool leat__store_cached(const leat__store_t *s);
/* the changelog's offset up to which the backend has it all; -1: none, or it ends with the process */
int64_t leat__store_saved(const leat__store_t *s);
const char *leat__store_name(const leat__store_t *s);
LEAT_API leat_store_kind_t leat__store_kind(const leat__store_t *s);
/* LEAT_CUSTOM: what .open gave; else NULL */
void *leat__store_custom_self(const leat__store_t *s);
/**
 * A read of the backend failed since open: nothing the task computed may be committed. err: the
 * first failure.
 */
bool leat__store_failed(const leat__store_t *s, leat_error_t *err);
/* anything since the last committed/abort */
bool leat__store_dirty(const leat__store_t *s);
/**
 * After a successful commit: LOGGED becomes COMMITTED, DIRTY too where nothing is to be logged;
 * what is still to be logged is in no transaction and stays dirty. changelog_next: offset after the
 * last record logged (-1: unchanged).
 */
void leat__store_committed(leat__store_t *s, int64_t changelog_next);
void leat__store_abort(leat__store_t *s);                /* back to the last committed version */
/* empty, buffer and backend, meta gone: before a replay from the beginning */
void leat__store_clear(leat__store_t *s);
/* of the backend + what has been committed since */
leat__store_meta_t leat__store_meta(const leat__store_t *s);
void leat__store_set_meta(leat__store_t *s, uint64_t incarnation, int64_t observed_ms);

/* ---- restore: past the changelog ---- */

typedef struct leat__restore_record_t {
    leat_slice_t key;
    leat_slice_t value;  /* .data NULL: tombstone */
    int64_t time_ms;
} leat__restore_record_t;
/**
 * A batch from the changelog; next is the offset after its last record. Keys must not be NULL
 * (skipped, counted by the caller). It is gathered in the buffer, as if it were committed, for the
 * checkpoints to write; where these fall behind, it is written here, by restore_bytes.
 */
int leat__store_restore(leat__store_t *s, const leat__restore_record_t *records, size_t count,
    int64_t next, leat_error_t *err);
/**
 * The end that the changelog has at this moment is reached: before the first read of the store.
 * The next checkpoint says that it is as new as its changelog. 0 or LEAT_ESTORE (may be called
 * again).
 */
int leat__store_restored(leat__store_t *s, leat_error_t *err);
/** Of one that is restored without an end: is what it holds older than the time of the next checkpoint? */
void leat__store_set_behind(leat__store_t *s, bool behind);

/* ---- checkpoint ---- */

/** Freeze what is committed. NULL: nothing to write, or one is under way. */
LEAT_API leat__frozen_t *leat__checkpoint_begin(leat__task_state_t *state, int64_t wall_ms);
/**
 * Write it: any thread, one at a time per task; meta of each store stands in the last batch. 0 or
 * LEAT_ESTORE (full disk: may be tried again).
 */
LEAT_API int leat__checkpoint_write(leat__frozen_t *f, leat_error_t *err);
/**
 * What was written becomes clean, `most` entries of it, so that no thread stands still for long: on
 * the task's thread, before leat__checkpoint_end, which does what is left. True: nothing is.
 */
bool leat__checkpoint_thaw(leat__frozen_t *f, size_t most);
/**
 * Back on the task's thread: ok: FROZEN becomes CLEAN; else everything stays as it was, to be
 * frozen again later. Frees f.
 */
LEAT_API void leat__checkpoint_end(leat__frozen_t *f, bool ok);
bool leat__checkpoint_due(const leat__task_state_t *state, int64_t wall_ms, int64_t interval_ms,
    size_t bytes, int64_t records);
/** Let clean entries go, least recently used first, until `bytes` are free. Returns what was
 * freed. */
size_t leat__task_state_evict(leat__task_state_t *state, size_t bytes);

/* ---- stores without changelog under exactly once (PROTOCOLS.md 20) ---- */

/**
 * Write their dirty entries to the WAL as prepared, tagged with an opaque token (the offsets about
 * to be committed). No-op if there are none.
 */
int leat__task_state_prepare(leat__task_state_t *state, leat_slice_t token, leat_error_t *err);
/** After open: the token of a prepared part that was not yet checkpointed. False: none. */
bool leat__task_state_prepared(leat__task_state_t *state, leat_slice_t *token);
int leat__task_state_resolve(leat__task_state_t *state, bool apply, leat_error_t *err);

/* ---- a small key-value of the task itself (input offsets seen, format version) ---- */
/* with the next checkpoint's batch */
int leat__task_state_note(
    leat__task_state_t *state, const char *name, leat_slice_t value, leat_error_t *err);
/* as of open or last note */
bool leat__task_state_noted(leat__task_state_t *state, const char *name, leat_slice_t *value);

#endif
