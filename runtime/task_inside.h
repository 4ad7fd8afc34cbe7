/*
 * runtime/task_inside.h: what the files that make up a task share.
 *
 *   task.c        making, opening, closing; one step; flush, committed, abort
 *   input.c       a FIFO of batches per input; heads with their times; which input is next
 *   node.c        running processors, forwarding, calls of the program's functions
 *   sink.c        topic, bytes, partition
 *   bad_record.c  what becomes of a failure: policy, dead letters
 *   timers.c      punctuation
 *   task_store.c  a node's stores, what flush forwards, changelog records
 *   progress.c    how far operators are: numbers that are committed with the offsets
 *   ctx.c         the rest of leat/ctx.h
 *
 * Failures. ctx->failure is the current one, ctx->failed says that its verdict was to fail. Every
 * function that may fail sets it and returns; everything that would send a record on looks at
 * leat__ok() first. A processor is a boundary: a failure of its own is judged when it returns
 * (Kafka's ProcessorNode); sources and sinks are none, so a sink's failure is its parent's.
 */
#ifndef LEAT__RUNTIME_TASK_INSIDE_H
#define LEAT__RUNTIME_TASK_INSIDE_H

#include "base/map.h"
#include "heap.h"
#include "task.h"

typedef struct leat__input_t leat__input_t;
typedef struct leat__task_store_t leat__task_store_t;

/* A topic that a sink has written to. */
typedef struct leat__outlet_t {
    char *topic;
    leat__target_t *target;
    int32_t partitions;
} leat__outlet_t;

struct leat__live_t {
    void (*run)(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record); /* NULL: a source */
    const leat__node_t *node;
    uint64_t records; /* that it was given */
    leat__live_t **children;
    size_t child_count;
    leat__task_store_t **stores;
    size_t store_count;
    void *local;
    bool opened;
    int64_t warned_ms; /* last drop that was logged, and why */
    const char *warned_why;

    /* sources */
    bool decode_key, decode_value; /* false: nothing downstream looks at it */

    /* sinks */
    const leat__outlet_t *outlet; /* the last one */
    leat__map_t outlets;          /* topic → leat__outlet_t */
};

struct leat__task_store_t {
    const leat__store_spec_t *spec;
    leat__store_t *store;
    leat_kv_t *kv; /* of these four one, as the kind is; LEAT_CUSTOM: none */
    leat_windows_t *windows;
    leat_sessions_t *sessions;
    leat_versions_t *versions;
    leat_headers_t *log_headers; /* of its changelog's values; NULL: none */
    leat__task_t *task;
    size_t index;
    bool cached;
    leat__live_t *flush_node; /* registered by leat__on_flush */
    leat__flush_fn flush;
};

/* A global store that this task reads. */
typedef struct leat__seen_t {
    struct leat__seen_t *next;
    leat__task_store_t store;
} leat__seen_t;

typedef struct leat__queued_t {
    leat__batch_t batch;
    size_t at;         /* next record */
    const char *topic; /* of a pattern's input; else the input's */
} leat__queued_t;

struct leat__input_t {
    leat__live_t *source;
    const char *topic;
    int index;

    leat__queued_t *batches;   /* a ring */
    size_t first, count, room; /* room: a power of two */
    size_t records, bytes;     /* waiting */

    int64_t position, partition_time_ms;
    int64_t idle_until_ms; /* -1: not waiting */
    bool at_end;
    bool absent;  /* its topic has no such partition: nothing ever comes */
    bool pending; /* in task->pending: its head is to be found */

    bool has_head;
    const leat__raw_t *raw; /* the head's */
    leat__record_t head;    /* decoded; time chosen */
    leat_meta_t meta;
    leat__arena_t arena; /* of the head */
};

struct leat_timer_t {
    leat_timer_t *next; /* in task->timers or task->timers_free */
    leat__live_t *node;
    leat_map_fn fn;
    int64_t interval_ms, at_ms;
    leat_clock_t clock;
    bool cancelled;
};

struct leat_metric_t {
    leat_metric_t *next;
    char *name;
    const char *node;
    _Atomic int64_t value;
};

struct leat__task_t {
    leat_ctx_t ctx;
    leat__task_env_t env;
    const leat__plan_t *plan;
    char id[24];
    char *state_dir;
    int32_t partition;

    leat__live_t *nodes; /* parents before children */
    size_t node_count;
    leat__live_t **links; /* room of all children lists */
    leat__task_store_t *stores;
    size_t store_count;
    leat__task_store_t **store_links;

    leat__input_t *inputs;
    size_t input_count, present_count;
    leat__heap_t ready;      /* inputs that have a head, by its time */
    leat__input_t **pending; /* inputs whose head is to be found, in order of arrival */
    size_t pending_count;
    int64_t idle_ms; /* max.task.idle.ms */

    leat__heap_t due[2];  /* by leat_clock_t */
    leat_timer_t *timers; /* all */
    leat_timer_t *timers_free;

    const leat__raw_t *raw; /* the record being worked on; NULL in ticks and flush */
    leat__task_counts_t counts;
    bool touched, opened;
    leat_metric_t *metrics;
    leat__progress_t progress, committed_progress;

    struct leat__globals_t *globals; /* NULL: none */
    leat__owner_t reader;            /* of handles of global stores: they are read only */
    leat__seen_t *seen;
    bool reads_globals; /* their lock is held until the record is finished */

    leat_verdict_t policy[LEAT_STAGE_SEND + 1];
    const char *dead_letter_topic; /* NULL: none */
    leat__target_t *dead_letter;
    bool letters_for_drops;
    bool global;      /* fills the global stores; it writes to no topic */
    bool global_asks; /* processing.exception.handler.global.enabled */
    int64_t patience_ms; /* task.timeout.ms */
};

#define LEAT__LIKELY(x) __builtin_expect(!!(x), 1)

static inline bool leat__going(const leat_ctx_t *ctx)
{
    return LEAT__LIKELY(ctx->failure.code == LEAT_OK && !ctx->failed);
}

/* ---- failing: bad_record.c ---- */

/* The current call fails; the first failure is kept. */
void leat__ctx_fail(leat_ctx_t *ctx, int code, const char *format, ...) LEAT_PRINTF(3, 4);
void leat__ctx_fail_error(
    leat_ctx_t *ctx, const leat_error_t *err); /* where is added if it is empty */
/* Whatever follows, the task stops: the current failure is its last one. */
void leat__ctx_give_up(leat_ctx_t *ctx);
/* Decide about ctx->failure. True: it is cleared, the record is dropped. False: the task fails. */
bool leat__judge(leat_ctx_t *ctx, leat_stage_t stage);
leat_verdict_t leat__verdict(leat_ctx_t *ctx, leat_stage_t stage);
void leat__policy_init(leat__task_t *t);

/* ---- node.c, sink.c ---- */

void leat__run_processor(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record);
void leat__run_sink(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record);
void leat__sink_release(leat__live_t *live);
/* A source's record to its children; ctx->node is the source. */
void leat__run_source(leat_ctx_t *ctx, leat__live_t *live, leat__record_t *record);
extern const leat__record_t leat__no_record;
/* Run a node's open or close. Emissions fail the call (open) or do nothing (close). */
void leat__run_task_fn(leat_ctx_t *ctx, leat__live_t *live, leat_task_fn fn, bool closing);
void leat__run_tick(leat_ctx_t *ctx, leat__live_t *live, leat_map_fn fn, leat__record_t *tick);
/* To a topic by the partition rule; record bytes known. */
void leat__send(leat_ctx_t *ctx, leat__target_t *target, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers);

/* ---- input.c ---- */

int leat__inputs_new(leat__task_t *t, const leat__task_opts_t *o, leat_error_t *err);
void leat__inputs_release(leat__task_t *t);
void leat__inputs_drop(leat__task_t *t);                      /* queues only */
void leat__inputs_find_heads(leat__task_t *t);                /* of the pending ones */
bool leat__inputs_ready(leat__task_t *t);                     /* max.task.idle.ms */
void leat__input_next(leat__task_t *t, leat__input_t *input); /* the head is done */

/* ---- timers.c ---- */

int leat__timers_run(leat__task_t *t, leat_clock_t clock, int64_t now_ms);
void leat__timers_release(leat__task_t *t);

/* ---- task_store.c ---- */

int leat__task_stores_open(leat__task_t *t, const leat__task_opts_t *o, leat_error_t *err);
void leat__task_stores_release(leat__task_t *t);
/* The typed handle of s->store, for an owner; and its end. */
void leat__task_store_handle(leat__task_store_t *s, leat__owner_t *owner);
void leat__task_store_release(leat__task_store_t *s);

/* ---- globals.c ---- */

leat__task_store_t *leat__globals_seen(leat__task_t *t, const leat__store_spec_t *spec);
void leat__globals_leave(leat__task_t *t);
void leat__globals_forget(leat__task_t *t);

/* ---- progress.c ---- */

void leat__progress_committed(leat__task_t *t);
void leat__progress_abort(leat__task_t *t);

/* Between two records, ticks or flushed entries. */
static inline void leat__ctx_finish(leat_ctx_t *ctx)
{
    if (ctx->owner.iterators)
        leat__owner_finish(&ctx->owner);
    if (ctx->task->reads_globals)
        leat__globals_leave(ctx->task);
    leat__arena_reset(&ctx->scratch);
}

#endif
