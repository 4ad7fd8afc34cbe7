/*
 * runtime/query_inside.h: what the files of a query share.
 *
 *   query.c        leat/query.h: options, handles of stores, what was read
 *   query_owner.c  who has a key
 *   query_rows.c   one read of a store: its partitions asked, their rows merged
 *   query_part.c   one partition asked: here, or in the process that has it
 */
#ifndef LEAT__RUNTIME_QUERY_INSIDE_H
#define LEAT__RUNTIME_QUERY_INSIDE_H

#include <leat/query.h>

#include "app.h"
#include "owners.h"
#include "peers.h"
#include "statestore/ask.h"
#include "statestore/typed.h"

typedef struct leat__query_store_t {
    struct leat__query_store_t *next;
    leat__remote_t remote;
    leat_query_t *q;
    const leat__store_spec_t *spec;
    const leat__group_t *group;
    leat_kv_t *kv; /* of these one */
    leat_windows_t *windows;
    leat_sessions_t *sessions;
    leat_versions_t *versions;
} leat__query_store_t;

struct leat_query_t {
    leat_app_t *app;
    leat__owner_t owner;
    leat__arena_t scratch;
    bool committed, stale, routed, all;
    int32_t *partitions; /* unless all */
    size_t partition_count;
    char *at_least;
    int64_t timeout_ms;
    leat_error_t failure;
    leat__query_store_t *handles;
    leat__buf_t position;
    int64_t lag;
    int32_t partition; /* of the row handed out last */
    leat__line_t *line; /* to other processes; NULL: not needed so far */
};

typedef struct leat__query_part_t { /* one partition of a read */
    leat__task_ref_t ref;
    leat__question_t *r;    /* the one whose page is being read, or that is on its way */
    leat__call_t *call;     /* r is on its way to another process */
    leat__owners_t *owners; /* routed: as they were at the beginning of the round */
    size_t turn;            /* of this round: 0, its owner; then who has a copy */
    bool absent;            /* nobody here has the task, or whoever has it cannot be asked */
    bool silent;            /* whoever has it cannot be reached */
    bool elsewhere;         /* answered by another process: the next page begins behind a mark */
    leat_slice_t rest;      /* of the page */
    leat__window_row_t row;
    bool has_row;
} leat__query_part_t;


/* The first failure is kept. */
void leat__query_fail(leat_query_t *q, const leat_error_t *err);
const leat__store_spec_t *leat__query_spec(const leat__plan_t *plan, const char *name); /* NULL: none */
/* A store by name, whatever its kind. NULL: failed, and said. */
leat__query_store_t *leat__query_store(leat_query_t *q, const char *name);

/* query_owner.c: [own: leat__owners_drop]; NULL: not known */
leat__owners_t *leat__query_owners(const leat_query_t *q);

/* query_part.c */
bool leat__query_has(const leat_query_t *q, leat__task_ref_t ref, bool stale); /* in this process */
bool leat__query_may_ask(const leat_query_t *q, leat__task_ref_t ref); /* here, or on its way here */
void leat__query_part_open(
    leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p, const leat__ask_t *ask);
/* Waits for the page that is on its way. NULL: p->rest has it; else why not. */
const leat_error_t *leat__query_part_take(
    leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p);
bool leat__query_part_more(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p); /* false: that was all */
void leat__query_part_end(leat_query_t *q, const leat__query_store_t *h, leat__query_part_t *p);

/* query_rows.c: a read of a store, for leat__remote_t */
leat__rows_t *leat__query_rows(leat__remote_t *remote, const leat__ask_t *ask);
bool leat__query_next(leat__rows_t *rows, leat__window_row_t *row);
void leat__query_end(leat__rows_t *rows);

#endif
