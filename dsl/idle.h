/*
 * dsl/idle.h: an operator's own time, when its input has run dry (.idle_close_ms).
 *
 *   last record ─────── idle_close_ms ───────┤  from here on time goes on as the clock does,
 *   time t                                   │  counted from the last record: t + clock since then
 *
 * Beyond Kafka Streams, where time never moves without records. A record that comes after all is
 * judged by the time that has been reached, so it may be late; what has gone on does not come again.
 */
#ifndef LEAT__DSL_IDLE_H
#define LEAT__DSL_IDLE_H

#include "runtime/ctx.h"

typedef struct leat__idle_t {
    int64_t close_ms; /* 0: never */
    int64_t wall_ms;  /* the clock at the last record */
    int64_t time_ms;  /* the operator's time then; -1: no record yet */
} leat__idle_t;

/** In open: fn is called every now and then. */
void leat__idle_open(leat_ctx_t *ctx, leat__idle_t *idle, int64_t close_ms, leat_map_fn fn);
/** In fn. True: *observed_ms, the operator's time, has moved. */
bool leat__idle_moves(leat_ctx_t *ctx, const leat__idle_t *idle, int64_t *observed_ms);

/** At each record. */
static inline void leat__idle_record(leat_ctx_t *ctx, leat__idle_t *idle, int64_t observed_ms)
{
    if (!idle->close_ms)
        return;
    idle->wall_ms = leat_wall_ms(ctx);
    idle->time_ms = observed_ms;
}

#endif
