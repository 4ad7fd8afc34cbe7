/* dsl/table.h: what the files of the table operators share. */
#ifndef LEAT__DSL_TABLE_H
#define LEAT__DSL_TABLE_H

#include "rows.h"

/** The processor of tables read from a topic or a stream: keep the row, send the change. */
void leat__table_source_process(leat_ctx_t *ctx, const leat_record_t *in);

/** A function of the program in a table operator, and the rows it makes. rows comes first. */
typedef struct leat__row_fn_t {
    leat__rows_t rows;
    leat_map_fn map;
    leat_predicate_fn test;
    bool passes; /* filter: the answer that lets a row pass */
    bool nulls;  /* transform_values: called for deleted rows too */
    void *user;
} leat__row_fn_t;

void leat__adopt_table(leat__graph_t *g, const leat_table_opts_t *opts);
/** Adopts; NULL: nil upstream, or recorded. there: the function was given. */
leat__row_fn_t *leat__row_fn_new(leat_table_t *in, const char *call, const char *name, bool there,
    const leat_serde_t *value, const leat_table_opts_t *opts);
/** Name, node, handle; .store decided before. */
leat_table_t *leat__row_fn_add(leat_table_t *in, leat__row_fn_t *op, const char *call,
    const char *name, const char *prefix, leat_map_fn process, const leat_table_opts_t *opts);

#endif
