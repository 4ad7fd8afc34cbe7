/*
 * runtime/query_inside.h: what the files of a query share.
 *
 *   query.c        leat/query.h: options, handles of stores, what was read
 *   query_owner.c  who has a key
 *   query_rows.c   one read of a store: its partitions asked, their rows merged
 */
#ifndef LEAT__RUNTIME_QUERY_INSIDE_H
#define LEAT__RUNTIME_QUERY_INSIDE_H

#include <leat/query.h>

#include "app.h"
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
    bool committed, stale, all;
    int32_t *partitions; /* unless all */
    size_t partition_count;
    char *at_least;
    int64_t timeout_ms;
    leat_error_t failure;
    leat__query_store_t *handles;
    leat__buf_t position;
    int64_t lag;
    int32_t partition; /* of the row handed out last */
};

/* The first failure is kept. */
void leat__query_fail(leat_query_t *q, const leat_error_t *err);
/* A store by name, whatever its kind. NULL: failed, and said. */
leat__query_store_t *leat__query_store(leat_query_t *q, const char *name);

/* query_owner.c: [own: leat__owners_drop]; NULL: not known */
struct leat__owners_t *leat__query_owners(const leat_query_t *q);

/* query_rows.c: a read of a store, for leat__remote_t */
leat__rows_t *leat__query_rows(leat__remote_t *remote, const leat__ask_t *ask);
bool leat__query_next(leat__rows_t *rows, leat__window_row_t *row);
void leat__query_end(leat__rows_t *rows);

#endif
