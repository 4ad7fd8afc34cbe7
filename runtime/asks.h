/*
 * runtime/asks.h: questions of other threads about the stores of a stream thread's tasks.
 *
 *    query.c (any thread)                              asks.c (the task's thread)
 *    leat__question_new ─▶ leat__question_post ──mail──▶ leat__asks_serve: a page of rows
 *    leat__question_wait ◀────────────────────────────── leat__question_answer
 *
 * Nothing of a store is shared: the thread that owns it answers between two slices of records, a
 * page at a time, and keeps a cursor for the rest, a snapshot as of when it was opened. A request
 * has two holders, who asks and the mail; whoever lets go last frees it, so that who is tired of
 * waiting can leave.
 */
#ifndef LEAT__RUNTIME_ASKS_H
#define LEAT__RUNTIME_ASKS_H

#include "statestore/ask.h"
#include "worker.h"

typedef enum leat__question_what_t {
    LEAT__QUESTION_OPEN,
    LEAT__QUESTION_MORE,
    LEAT__QUESTION_CLOSE,
    LEAT__QUESTION_WORKERS /* to the control thread: who owns what, as JSON in the page */
} leat__question_what_t;

typedef struct leat__question_t {
    leat__question_what_t what;
    leat__task_ref_t ref;
    char *store;     /* [own] OPEN */
    leat__ask_t ask; /* OPEN; its texts stand in `texts` */
    leat__buf_t texts;
    bool stale;      /* OPEN: standbys and restoring tasks may answer */
    bool once;       /* OPEN: no cursor is kept for the next page; the answer has a mark (ask.h) */
    char *at_least;  /* [own] OPEN: a position (leat_query_position); NULL: any */
    uint64_t cursor; /* MORE, CLOSE; the answer: 0 when no row is left */

    /* the answer */
    leat_error_t err;
    leat__buf_t page;
    leat__buf_t position; /* of the task's inputs, as leat_query_position() gives it */
    int64_t lag;          /* changelog records that the state is behind */
    bool more;            /* once: the next page begins behind the mark */
    leat__buf_t mark;

    pthread_mutex_t lock;
    pthread_cond_t done_changed;
    bool done;
    _Atomic int holders;
} leat__question_t;

leat__question_t *leat__question_new(leat__question_what_t what, leat__task_ref_t ref);
void leat__question_set_ask(leat__question_t *r, const char *store, const leat__ask_t *ask); /* [copy] */
/** A message that holds it; freed unread, it is answered with LEAT_EMOVED. */
leat__message_t *leat__question_message(leat__question_t *r);
bool leat__question_wait(leat__question_t *r, int64_t timeout_ms); /* true: answered */
void leat__question_answer(leat__question_t *r); /* by who had it from the mail: lets go of it */
void leat__question_drop(leat__question_t *r);   /* by who asked */

/* ---- where the stores are ---- */

/** On the stream thread; answers it. */
void leat__asks_serve(leat__thread_t *t, leat__question_t *r);

/** Answers of which pages are left, of one task; nobody else's but its thread's, or under its lock. */
typedef struct leat__asked_t leat__asked_t;
typedef struct leat__asks_t {
    leat__asked_t *first;
    uint64_t last; /* number of the last cursor */
} leat__asks_t;
/** The rows of r from s (NULL: not there), without answering yet. name: of the task, for errors. */
void leat__asks_turn(
    leat__asks_t *asks, leat__store_t *s, const char *name, int64_t now_ms, leat__question_t *r);
void leat__asks_cut(leat__asks_t *asks);                  /* before the stores close */
void leat__asks_keep(leat__asks_t *asks, int64_t now_ms); /* what nobody reads on is given up */

#endif
