/*
 * statestore/inside.h: the parts of one store and of one task's state that the files of this folder
 * share.
 *
 *   table ──▶ entry { key, inline value } ──▶ versions { current, forwarded, committed }
 *                                             only while they differ
 *
 * An entry's address never changes while it lives. Its inline value is the current one unless
 * MOVED: then versions->current is. LOCKED: somebody reads the inline value (a checkpoint on its
 * own thread, a forward under way), so a write goes to a block instead. Blocks are counted by the
 * owner's thread alone and written in place only while nobody else holds them; so what a checkpoint
 * reads never changes under it.
 *
 * Of the version pointers, NULL means "as the backend has it", or "none" where there is no backend
 * beneath (resident stores: memory, least recently used). An entry is clean if it has none of
 * PENDING.
 */
#ifndef LEAT__STATESTORE_INSIDE_H
#define LEAT__STATESTORE_INSIDE_H

#include "base/buf.h"
#include "statestore/pool.h"
#include "statestore/store.h"

#include <pthread.h>
#include <string.h>

/* ---- values and entries ---- */

#define LEAT__ABSENT UINT32_MAX /* the size of "there is no value" */

typedef struct leat__block_t {
    uint32_t refs;
    uint32_t size;
    uint32_t room;
    int64_t time_ms;
    char bytes[];
} leat__block_t;

/* Versions of which only presence is known; never counted, never freed. */
extern leat__block_t leat__block_none, leat__block_some;

typedef struct leat__versions_t {
    leat__block_t *current;   /* if MOVED */
    leat__block_t *forwarded; /* cached stores: what the listener saw last */
    leat__block_t *committed; /* what an abort goes back to */
    leat_headers_t *headers;  /* of the last write; cached stores */
} leat__versions_t;

enum {
    LEAT__UNFORWARDED = 1, /* the listener has not seen the current value */
    LEAT__UNLOGGED = 2,    /* the changelog has not */
    LEAT__UNCOMMITTED = 4, /* differs from the committed version: on the list `open` */
    LEAT__AHEAD = 8,       /* the committed version is not yet in the backend */
    LEAT__LISTED = 16,     /* on the list `committed`: goes into the next checkpoint */
    LEAT__FROZEN = 32,     /* part of the checkpoint under way */
    LEAT__LOCKED = 64,     /* the inline value must not change */
    LEAT__MOVED = 128,     /* the current value is versions->current */
    LEAT__QUEUED = 256,    /* on the list `dirty` */
    LEAT__OWED = 512,      /* committed and logged, yet still to be forwarded */
    LEAT__USED = 1024,     /* since the clock's hand came by */
    LEAT__PENDING = LEAT__UNFORWARDED | LEAT__UNLOGGED | LEAT__UNCOMMITTED | LEAT__AHEAD |
                    LEAT__FROZEN | LEAT__LOCKED,
};

typedef struct leat__entry_t {
    leat__versions_t *versions;
    int64_t time_ms; /* of the inline value, as are size and room */
    uint32_t hash;
    uint32_t key_size;
    uint32_t size;
    uint32_t room;
    uint32_t at; /* place on the list `dirty` */
    uint32_t flags;
    char bytes[]; /* key, then the inline value */
} leat__entry_t;

/* Stands before the entries of a least-recently-used store. */
typedef struct leat__link_t {
    leat__entry_t *older, *newer;
} leat__link_t;

typedef struct leat__list_t {
    leat__entry_t **at;
    size_t count, room;
} leat__list_t;

typedef struct leat__view_t { /* a value as it is read */
    const char *data;
    uint32_t size;
    int64_t time_ms;
} leat__view_t;

/* ---- a store ---- */

typedef struct leat__family_t leat__family_t; /* a column family: db.h */
typedef struct leat__db_t leat__db_t;
typedef struct leat__order_t leat__order_t;
typedef struct leat__runs_t leat__runs_t;
typedef struct leat__custom_state_t leat__custom_state_t;

/* How the keys of a store lie in its table and backend: shape.h. */
typedef enum leat__shape_t {
    LEAT__PLAIN,    /* key-value: the key as it is */
    LEAT__SEGMENTS, /* windows, sessions: by segment of time, then key */
    LEAT__TIMES,    /* the same in memory: by time, then key */
    LEAT__HISTORY,  /* versions: older ones by segment of the time they end at */
} leat__shape_t;

struct leat__store_t {
    leat__task_state_t *state;
    char *name;
    leat_store_kind_t kind;
    const leat_backend_t *backend;
    leat__shape_t shape;
    bool sessions, duplicates;
    bool indexed; /* LEAT__SEGMENTS: a second row per window, by time, without value */
    int64_t retention_ms, segment_ms, window_ms;
    int64_t observed_ms;  /* greatest time put; meta has the committed one */
    int64_t reach_ms;     /* no row has a greater time; never goes back */
    int64_t whole_ms;     /* LEAT__SEGMENTS: the table has every row from this time on */
    int64_t back_ms, back_before_ms; /* how far back reads went since the last checkpoint; before that */
    int64_t cold_ms;      /* reads do not go back to what was before it */
    uint32_t seq;         /* of the last put; stores with duplicates */
    int64_t ttl_ms;       /* ttl.h; 0: rows live for ever */
    const int64_t *clock_ms;
    int64_t clock_committed_ms;
    leat__buf_t swept;    /* the checkpoint's: where its next look at the backend begins */
    uint64_t forgotten;   /* rows below this point (first 8 bytes) are gone from the backend */
    leat__buf_t key_room, world_room, flush_room, value_room;
    bool cached, resident, timestamped, log_each, lru;
    bool logged;          /* a commit needs the entries logged, by hooks.log */
    bool has_changelog;   /* as the definition says, so nothing is prepared */
    bool vacant;          /* the backend is known to hold nothing */
    bool restoring;       /* not at its changelog's end: checkpoints leave its age as it was */
    struct leat__filters_t *filter; /* of all keys in it; NULL: it was not empty when it was opened */
    bool flushing;
    bool as_committed; /* while a query of isolation `committed` reads: ask.c */
    leat_slice_t behind; /* while a question opens its cursor: only rows behind this one */
    leat__store_hooks_t hooks;
    void (*flush_fn)(void *user, leat__store_t *s, const leat__change_view_t *change);
    void *flush_user;
    bool wants_old;

    /* beneath: one of these, none if resident */
    leat__family_t *family;
    void *backend_self;
    leat__custom_state_t *custom; /* LEAT_CUSTOM: no table at all */

    /* the table: tagged pointers, 0 is free; linear probing, backward shift */
    uint64_t *slots;
    size_t mask, count;
    size_t live; /* entries whose current value is there */
    size_t hand; /* of the clock: evict.c */
    size_t round_steps, round_gone; /* in this time round */
    int pressure; /* 0: cold windows leave, 8: all */
    bool barren;  /* it went round in vain, and nothing has become clean since */
    leat__entry_t *last;
    leat__list_t dirty;     /* in order of last write; what is not QUEUED at its place is stale */
    size_t queued;
    leat__list_t open;      /* UNCOMMITTED */
    leat__list_t committed; /* LISTED */
    leat__entry_t *oldest, *newest; /* least recently used stores */
    uint64_t entries_max;
    leat__order_t *order; /* from the first range over several keys on */
    leat__runs_t *runs;   /* windows, sessions: from the first look at one key on */
    struct leat__window_cursor_t *spare; /* a closed one, for the next */
    leat__pool_t pool;

    leat__store_meta_t meta;    /* as of the last commit */
    leat__store_meta_t written; /* as the backend has it */
    /* committed records since the last checkpoint, for leat__checkpoint_due */
    uint64_t logged_count;

    leat_slice_t pinned; /* what the last get from beneath borrowed */
    void *pin;
};

/* ---- a task ---- */

typedef struct leat__note_t {
    char *name;
    char *bytes;
    size_t size;
    bool fresh; /* not yet in the backend */
} leat__note_t;

struct leat__task_state_t {
    char *dir; /* NULL: none */
    leat__db_t *db;
    leat__budget_t *budget;
    leat__budget_t own_budget; /* where none is given */
    int64_t age_max_ms;
    int64_t opened_ms;     /* wall clock at open */
    int64_t checkpoint_ms; /* wall clock of the last one */
    int64_t retry_ms;      /* no checkpoint before: the last ones failed */
    unsigned failures;     /* in a row */
    size_t memtable_bytes;
    void *block_cache;
    leat__store_t **stores;
    size_t count, room;
    size_t evict_at; /* the store to begin with */
    leat__note_t *notes;
    size_t note_count, note_room;
    leat__frozen_t *frozen;
    size_t cursors; /* open ones: the database cannot be reopened */
    bool reopen;    /* a write failed: close and open again before the next */
    bool failed;    /* a read failed: nothing here can be trusted */
    leat_error_t failure;

    uint64_t part;       /* number of the last prepared part; 0: none */
    bool part_undecided; /* found at open, until it is resolved */
    bool part_stale;     /* its transaction was aborted */
    char *token;         /* of an undecided part */
    size_t token_size;
};

/* ---- buffer.c: the table and the versions of an entry ---- */

leat__entry_t *leat__entry_find(const leat__store_t *s, leat_slice_t key, uint32_t hash);
leat__entry_t *leat__entry_add(
    leat__store_t *s, leat_slice_t key, uint32_t hash, size_t value_size);
void leat__entry_remove(leat__store_t *s, leat__entry_t *e);
uint32_t leat__entry_hash(leat_slice_t key);
void leat__entry_set(
    leat__store_t *s, leat__entry_t *e, const leat_slice_t *value, int64_t time_ms);
/* adopts one count */
void leat__entry_take(leat__store_t *s, leat__entry_t *e, leat__block_t *block);
void leat__entry_tidy(leat__store_t *s, leat__entry_t *e); /* versions go if they say nothing */
void leat__entry_unlock(leat__store_t *s, leat__entry_t *e);
void leat__entry_flags(leat__store_t *s, leat__entry_t *e, uint32_t clear, uint32_t set);
leat__versions_t *leat__entry_versions(leat__store_t *s, leat__entry_t *e);
void leat__block_drop(leat__store_t *s, leat__block_t **block);
/* the current one; a count more */
leat__block_t *leat__block_of(leat__store_t *s, leat__entry_t *e);
leat__block_t *leat__block_new(leat__store_t *s, leat__view_t value);
void leat__headers_drop(leat__store_t *s, leat_headers_t **headers);
void leat__headers_charge(leat__store_t *s, const leat_headers_t *headers);
void leat__list_push(leat__store_t *s, leat__list_t *list, leat__entry_t *e);
void leat__buffer_drop(leat__store_t *s); /* every entry, table, index */
/* newest if it has a value, else off the list */
void leat__lru_use(leat__store_t *s, leat__entry_t *e);
void leat__lru_unlink(leat__store_t *s, leat__entry_t *e);
void leat__entry_enqueue(leat__store_t *s, leat__entry_t *e); /* to the end of `dirty` */
void leat__entry_open(leat__store_t *s, leat__entry_t *e);    /* UNCOMMITTED from now on */

/* For tests: every invariant, asserted; and what the store adds to the budget by its entries'
 * states. */
void leat__store_check(const leat__store_t *s);
void leat__store_account(const leat__store_t *s, leat__budget_t *budget);

static inline leat_slice_t leat__entry_key(const leat__entry_t *e)
{
    return (leat_slice_t){e->bytes, e->key_size};
}

static inline leat__link_t *leat__entry_link(leat__entry_t *e)
{
    return (leat__link_t *)(void *)e - 1;
}

static inline leat__view_t leat__entry_inline(const leat__entry_t *e)
{
    return (leat__view_t){e->bytes + e->key_size, e->size, e->time_ms};
}

static inline leat__view_t leat__block_view(const leat__block_t *b)
{
    return (leat__view_t){b->bytes, b->size, b->time_ms};
}

static inline leat__view_t leat__entry_view(const leat__entry_t *e)
{
    return e->flags & LEAT__MOVED ? leat__block_view(e->versions->current) : leat__entry_inline(e);
}

/* What a read sees of an entry. False: the backend has it (only of uncommitted ones, read as committed). */
static inline bool leat__entry_seen(
    const leat__store_t *s, const leat__entry_t *e, leat__view_t *view)
{
    if (!s->as_committed || !(e->flags & LEAT__UNCOMMITTED)) {
        *view = leat__entry_view(e);
        return true;
    }
    const leat__block_t *kept = e->versions ? e->versions->committed : NULL;
    *view = kept && kept != &leat__block_none ? leat__block_view(kept)
                                              : (leat__view_t){"", LEAT__ABSENT, -1};
    return kept || s->resident;
}

static inline leat__entry_t *leat__slot_entry(uint64_t slot)
{
    return (leat__entry_t *)(uintptr_t)(slot & UINT64_C(0xffffffffffff));
}

static inline void leat__charge(leat__store_t *s, size_t bytes)
{
    if (!s->resident)
        s->state->budget->entry_bytes += bytes;
}

static inline void leat__uncharge(leat__store_t *s, size_t bytes)
{
    if (!s->resident)
        s->state->budget->entry_bytes -= bytes;
}

static inline int leat__bytes_compare(leat_slice_t a, leat_slice_t b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int way = size ? memcmp(a.data, b.data, size) : 0;
    return way ? way : (a.size > b.size) - (a.size < b.size);
}

/* ---- store.c: what the kinds of stores share ---- */

/* Without logging; keys as the table has them. heard: the flush listener is told. logged: so is the changelog. */
void leat__put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms,
    const leat_headers_t *headers, bool heard, bool logged);
void leat__log_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms,
    const leat_headers_t *headers); /* one changelog record, now */

/* ---- cursor.c ---- */

/* key: of the windows looked for; .data NULL: of several keys. here: the table has all rows of the
 * range */
leat__cursor_t *leat__cursor_open(leat__store_t *s, leat_slice_t key, leat_slice_t from,
    leat_slice_t until, leat_order_t order, bool here);

/* ---- beneath.c: the backend of a store, whichever it is ---- */

/** False: none (or a failure, kept in the state). *value is pinned until the next call. */
bool leat__beneath_get(leat__store_t *s, leat_slice_t key, leat__view_t *value);
void leat__beneath_unpin(leat__store_t *s);
typedef struct leat__scan_t leat__scan_t;
leat__scan_t *leat__beneath_scan(
    leat__store_t *s, leat_slice_t from, leat_slice_t until, leat_order_t order);
bool leat__beneath_next(leat__scan_t *scan, leat_slice_t *key, leat__view_t *value);
void leat__beneath_end(leat__scan_t *scan);
uint64_t leat__beneath_count(leat__store_t *s);
int leat__beneath_clear(leat__store_t *s, leat_error_t *err);
int leat__beneath_forget(leat__store_t *s, uint64_t dead); /* a backend of the program's: rows below go */
int leat__beneath_open(leat__store_t *s, const leat__store_def_t *def, leat_error_t *err);
void leat__beneath_close(leat__store_t *s);
void leat__state_fail(leat__task_state_t *state, const leat_error_t *err);

enum { LEAT__META_BYTES = 37, LEAT__META_BYTES_1 = 33 /* version 1: without seq */ };
void leat__meta_encode(const leat__store_meta_t *meta, char bytes[LEAT__META_BYTES]);
bool leat__meta_decode(leat_slice_t bytes, leat__store_meta_t *meta);

/* ---- restore.c ---- */

/** As leat__store_restore, with keys as the table has them. */
int leat__restore_rows(leat__store_t *s, const leat__restore_record_t *records, size_t count,
    int64_t next, leat_error_t *err);

/** All that was gathered goes to the backend now; the end of a restore. */
int leat__restore_write(leat__store_t *s, leat_error_t *err);

/* ---- evict.c ---- */

void leat__store_shed(leat__store_t *s);      /* all clean entries go */
void leat__store_shed_cold(leat__store_t *s); /* windows that reads do not go back to, some of them */

/* ---- versioned.c ---- */

/* A put that is not logged; what it returns is leat__versioned_put's. */
int64_t leat__versioned_apply(
    leat__store_t *s, leat_slice_t key, const leat_slice_t *value, int64_t time_ms);

/* ---- order.c: entries by key ---- */

leat__order_t *leat__order_new(leat__store_t *s); /* of all entries there are */
void leat__order_free(leat__order_t *o);
void leat__order_add(leat__order_t *o, leat__entry_t *e);
void leat__order_remove(leat__order_t *o, leat__entry_t *e);
typedef struct leat__order_node_t leat__order_node_t;
const leat__order_node_t *leat__order_seek(const leat__order_t *o, leat_slice_t from); /* >= from */
leat__entry_t *leat__order_entry(const leat__order_node_t *n);
const leat__order_node_t *leat__order_next(const leat__order_node_t *n);
bool leat__order_below(const leat__order_t *o, const leat__entry_t *e, leat_slice_t place);
int leat__order_compare(const leat__order_t *o, const leat__entry_t *a, const leat__entry_t *b);

/* ---- runs.c: windows and sessions of one key, in order of their row keys ---- */

typedef struct leat__run_at_t { /* a place in a run; good until a row comes or goes */
    const struct leat__run_list_t *list;
    leat__entry_t *one;
    uint32_t piece, row;
} leat__run_at_t;

leat__runs_t *leat__runs_new(leat__store_t *s); /* of all entries there are */
void leat__runs_free(leat__runs_t *r);
void leat__runs_add(leat__runs_t *r, leat__entry_t *e);
void leat__runs_remove(leat__runs_t *r, const leat__entry_t *e);
/* Before the first row of `key` that is not below row_key. */
leat__run_at_t leat__runs_seek(const leat__runs_t *r, leat_slice_t key, leat_slice_t row_key);
leat__entry_t *leat__run_next(leat__run_at_t *at); /* NULL: no more */
void leat__runs_check(const leat__runs_t *r); /* for tests: every invariant, asserted */

/* ---- custom.c: LEAT_CUSTOM ---- */

int leat__custom_open(leat__store_t *s, const leat__store_def_t *def, leat_error_t *err);
void leat__custom_close(leat__store_t *s);
void leat__custom_put(leat__store_t *s, leat_slice_t key, const leat_slice_t *value,
    int64_t time_ms, const leat_headers_t *headers);
void leat__custom_committed(leat__store_t *s);
void leat__custom_abort(leat__store_t *s);
bool leat__custom_dirty(const leat__store_t *s);
int leat__custom_clear(leat__store_t *s, leat_error_t *err);
void leat__custom_apply(leat__store_t *s, const leat__restore_record_t *records, size_t count);

/* ---- checkpoint.c ---- */

/**
 * No checkpoint reads or writes this store any more (waits for a write under way; cancels one not
 * begun).
 */
void leat__checkpoint_settle(leat__task_state_t *state);
/** What one store has committed goes to its backend now: restores. */
int leat__checkpoint_store(leat__store_t *s, leat_error_t *err);

/** After a failed write, before the next one: close and open the database. Nothing to do: 0. */
int leat__state_recover(leat__task_state_t *state, leat_error_t *err);

/* ---- beneath.c, for ttl.c ---- */

/** Of the backend's rows from s->swept on, `most` are looked at; those with a time before
 * `before_ms` are deleted. On the checkpoint's thread. */
int leat__beneath_sweep(leat__store_t *s, int64_t before_ms, size_t most, leat_error_t *err);

/* ---- prepare.c ---- */

/* at open: is there a part */
int leat__prepare_found(leat__task_state_t *state, leat_error_t *err);
void leat__prepare_aborted(leat__store_t *s);
/* parts up to this one are settled */
uint64_t leat__prepare_decided(const leat__task_state_t *state);
/* In a checkpoint's last batch: parts up to `last` say nothing any more. */
struct leat__batch_t;
void leat__prepare_forget(struct leat__batch_t *b, leat__family_t *meta, uint64_t last);

#endif
