/* dsl/join_table.h: a stream joined with a table: what the join and its buffer share. */
#ifndef LEAT__DSL_JOIN_TABLE_H
#define LEAT__DSL_JOIN_TABLE_H

#include "rows.h"
#include "stream_join.h"

typedef struct leat__table_join_t {
    leat__joiner_t joiner;
    const leat__rows_t *right;
    bool keeps; /* a left join */

    /* what waits; buffer NULL: nothing does */
    const char *buffer;
    int64_t grace_ms;
    const leat_serde_t *key, *value; /* of the stream */
    leat_store_opts_t opts;          /* of the buffer's store */
} leat__table_join_t;

/** False: dropped, for what it lacks. */
bool leat__table_join_takes(
    leat_ctx_t *ctx, const leat__table_join_t *op, const leat_record_t *in);
void leat__table_join_record(
    leat_ctx_t *ctx, const leat__table_join_t *op, const leat_record_t *in);

/* ---- join_buffer.c: the node of a join whose records wait ---- */

void leat__join_buffer_open(leat_ctx_t *ctx);
void leat__join_buffer_close(leat_ctx_t *ctx);
void leat__join_buffer_process(leat_ctx_t *ctx, const leat_record_t *in);
size_t leat__join_buffer_local_size(void);

#endif
