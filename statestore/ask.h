/*
 * statestore/ask.h: every read of a store as one question and the rows that answer it, as bytes.
 *
 *   leat_kv_get, leat_windows_fetch, ... ─▶ leat__ask_t ─▶ (the thread that owns the store) ─▶ rows
 *
 * The typed verbs of a handle whose store belongs to another thread (leat/query.h) become questions;
 * whoever carries them over is a leat__remote_t. The other end, on the owner's thread, answers
 * with leat__answer_*: the rows are those of the moment when it was opened.
 *
 * An answer may be left after any row and gone on with later by another one, even in another
 * process: the mark behind a row is the place in the order of the store where it stands.
 */
#ifndef LEAT__STATESTORE_ASK_H
#define LEAT__STATESTORE_ASK_H

#include "base/buf.h"
#include "statestore/windows.h"

typedef enum leat__verb_t {
    LEAT__ASK_GET,     /* from */
    LEAT__ASK_RANGE,   /* from, to; key-value */
    LEAT__ASK_PREFIX,  /* from */
    LEAT__ASK_WINDOW,  /* from, from_ms: start */
    LEAT__ASK_WINDOWS, /* from, to; start in [from_ms, to_ms] */
    LEAT__ASK_SESSION, /* from, from_ms: start, to_ms: end */
    LEAT__ASK_SESSIONS, /* from, to; ends at from_ms or later, starts at to_ms or earlier */
    LEAT__ASK_VERSION, /* from: the latest */
    LEAT__ASK_AS_OF,   /* from, from_ms */
    LEAT__ASK_HISTORY, /* from; valid in [from_ms, to_ms] */
    LEAT__ASK_COUNT    /* a row whose start_ms is the number */
} leat__verb_t;

typedef struct leat__ask_t {
    leat__verb_t verb;
    bool committed;        /* as of the last commit, never rolled back */
    leat_order_t order;
    leat_slice_t from, to; /* .data NULL: an open end */
    int64_t from_ms, to_ms;
    leat_slice_t mark;     /* only what lies behind it; .data NULL: all. Not for points */
} leat__ask_t;

/** The kind of store that a verb is for; key-value and timestamped ones are one. */
bool leat__ask_fits(leat__verb_t verb, leat_store_kind_t kind);
/** At most one row comes. */
static inline bool leat__ask_is_point(leat__verb_t verb)
{
    return verb == LEAT__ASK_GET || verb == LEAT__ASK_WINDOW || verb == LEAT__ASK_SESSION ||
           verb == LEAT__ASK_VERSION || verb == LEAT__ASK_AS_OF || verb == LEAT__ASK_COUNT;
}

/** It cannot be asked without `from`. */
static inline bool leat__ask_needs_key(leat__verb_t verb)
{
    return verb != LEAT__ASK_RANGE && verb != LEAT__ASK_WINDOWS && verb != LEAT__ASK_SESSIONS &&
           verb != LEAT__ASK_COUNT;
}

/* ---- on the thread that owns the store ---- */

typedef struct leat__answer_t leat__answer_t;
/** ask: copied, texts included. The store must stay open until it is closed. */
leat__answer_t *leat__answer_open(leat__store_t *s, const leat__ask_t *ask);
bool leat__answer_next(leat__answer_t *a, leat__window_row_t *row); /* row: until the next call */
void leat__answer_close(leat__answer_t *a);                         /* NULL: nothing */

/**
 * Rows as bytes, up to about `bytes` of them (one at least). False: that was all.
 * Read back with leat__page_next, which takes a row off the front.
 */
bool leat__answer_page(leat__answer_t *a, size_t bytes, leat__buf_t *page);
bool leat__page_next(leat_slice_t *page, leat__window_row_t *row); /* false too: what is left is no row */
void leat__answer_mark(const leat__answer_t *a, leat__buf_t *mark); /* after a row, before the next */

/* ---- on the thread that asks ---- */

typedef struct leat__remote_t leat__remote_t;
typedef struct leat__rows_t leat__rows_t;
struct leat__remote_t {
    /* [own: close] never NULL; what goes wrong is said to the owner of the handle */
    leat__rows_t *(*open)(leat__remote_t *r, const leat__ask_t *ask);
    bool (*next)(leat__rows_t *rows, leat__window_row_t *row); /* row: until the next call */
    void (*close)(leat__rows_t *rows);
    const char *name; /* of the store */
    leat_store_kind_t kind;
};

#endif
