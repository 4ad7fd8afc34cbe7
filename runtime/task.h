/*
 * runtime/task.h: one task: a sub-topology at work on one partition of each of its topics.
 *
 * A task knows no broker: records are fed in as batches, and everything it says goes through
 * leat__task_env_t. The stream thread and the test driver are its two owners. One thread at a
 * time; nothing in it is shared.
 *
 *    feed ─▶ queue per input ─▶ step: head with the smallest time ─▶ source ─▶ nodes, depth first
 *    flush ─▶ (commit by the owner) ─▶ committed | abort
 *
 * libleat_testing is a library of its own and needs these from inside libleat, so they are
 * exported (LEAT_API) although private: from base the arena, buf, map, mem and error calls it
 * uses, encode, decode, print, parse, headers_new/_clone, config_text/_is_set; from statestore
 * kv_new/_free/_nil, owner_finish, task_state_open/_close, store_range, cursor_next/_close,
 * checkpoint_begin/_write/_end; leat__topology_compile, plan_free/_resolve/_source_of; and the
 * task calls marked below. Nobody else may count on them.
 */
#ifndef LEAT__RUNTIME_TASK_H
#define LEAT__RUNTIME_TASK_H

#include "broker.h"
#include "ctx.h"
#include "topology.h"

typedef struct leat__target_t leat__target_t; /* a topic to write to: the owner's handle */

typedef struct leat__task_env_t {
    const leat_config_t *config;
    const leat__clock_t *clock; /* NULL: real */
    void *user;                 /* the owner */
    /* topic → handle, kept by the task; NULL: err says why (LEAT_ETOPIC) */
    leat__target_t *(*target)(void *user, const char *topic, leat_error_t *err);
    int32_t (*partitions)(void *user, leat__target_t *t);
    /* partition -1: no key and no partitioner. 0, or an error that fails the record or, by its
     * flags, the transaction */
    int (*send)(void *user, leat__target_t *t, int32_t partition, leat_slice_t key,
        leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err);
    /* a changelog record of store s (index in group->stores); headers are NULL today */
    int (*log)(void *user, leat__task_t *task, size_t store, leat_slice_t key, leat_slice_t value,
        int64_t time_ms, const leat_headers_t *headers, leat_error_t *err);
    /* NULL: no record has headers */
    const leat_headers_t *(*headers)(
        void *user, int input, const leat__raw_t *raw, leat__arena_t *scratch);
    /* all of it was processed or dropped */
    void (*release)(void *user, int input, leat__batch_t *batch);
    /* NULL: by the properties */
    leat_verdict_t (*on_bad_record)(void *user, const leat_bad_record_t *bad);
    /* leat_commit() was called; may be NULL */
    void (*commit_wanted)(void *user);
} leat__task_env_t;

typedef struct leat__task_opts_t {
    const leat__plan_t *plan;           /* [keep] */
    const leat__group_t *const *groups; /* [copy] threads: one; the test driver: all in one task */
    size_t group_count;
    int32_t partition;
    const leat__task_env_t *env; /* [copy] */
    leat__task_state_t *state;   /* [keep] open; the task opens its stores in it */
    bool log_each;               /* changelog record per put of uncached stores (test driver) */
    struct leat__globals_t *globals; /* [keep] the process's global stores; NULL: none */
    bool pattern_inputs;         /* an input per pattern, not per topic found (test driver) */
    const char *state_dir;       /* leat_state_dir() */
} leat__task_opts_t;

/** Plain counters of a task; read by others when the thread publishes a copy. */
typedef struct leat__task_counts_t {
    uint64_t records, dropped, forwarded, sent, punctuations, forced;
} leat__task_counts_t;

/** Opens the stores (for restore), not the nodes. err: LEAT_ESTORE, LEAT_EIO, LEAT_ETOPOLOGY. */
LEAT_API leat__task_t *leat__task_new(const leat__task_opts_t *o, leat_error_t *err);
/** After restore: opens every node. */
LEAT_API int leat__task_open(leat__task_t *t, leat_error_t *err);
/** Runs the nodes' close (no emissions), releases batches, frees t; state stays the owner's. */
LEAT_API void leat__task_close(leat__task_t *t);

LEAT_API size_t leat__task_input_count(const leat__task_t *t);
LEAT_API const char *leat__task_input_topic(const leat__task_t *t, int input);
LEAT_API const leat__node_t *leat__task_input_source(const leat__task_t *t, int input);
int leat__task_input_of(const leat__task_t *t, const char *topic);   /* -1: none */
LEAT_API const leat__node_t *leat__task_node(const leat__task_t *t); /* that runs; NULL: none */
/** Stores in flush order, which is topological. */
LEAT_API size_t leat__task_store_count(const leat__task_t *t);
LEAT_API const leat__store_spec_t *leat__task_store_spec(const leat__task_t *t, size_t i);
LEAT_API leat__store_t *leat__task_store(const leat__task_t *t, size_t i);
LEAT_API const leat__task_counts_t *leat__task_counts(const leat__task_t *t);
void leat__task_counts_add(leat__task_counts_t *sum, const leat__task_counts_t *more);
/** Adds to sum[index of the node in the plan] the records that each node was given. */
void leat__task_node_counts_add(uint64_t *sum, const leat__task_t *t);
/** The index-th metric of the program's (leat_metric), in any order; false: no more. */
LEAT_API bool leat__task_metric(
    const leat__task_t *t, size_t index, const char **node, const char **name, int64_t *value);

/* ---- records ---- */

/** [adopt] Records below the input's position are skipped. */
void leat__task_feed(leat__task_t *t, int input, leat__batch_t batch);
/** topic [keep]: which one it was, of a pattern's input. */
LEAT_API void leat__task_feed_as(
    leat__task_t *t, int input, leat__batch_t batch, const char *topic);
size_t leat__task_queued(const leat__task_t *t, int input); /* records waiting */
size_t leat__task_queued_bytes(const leat__task_t *t, int input);
/** Known to have nothing more to fetch; each fed batch says it too. */
LEAT_API void leat__task_set_at_end(leat__task_t *t, int input, bool at_end);
/** 1: a record was processed. 0: nothing may run now (empty, or waiting by max.task.idle.ms).
 *  Negative: failed for good, err. */
LEAT_API int leat__task_step(leat__task_t *t, leat_error_t *err);
/** Due punctuations of a clock; the number that ran, or negative. step looks at stream time too. */
LEAT_API int leat__task_punctuate(leat__task_t *t, leat_clock_t clock, leat_error_t *err);
int64_t leat__task_next_punctuation_ms(const leat__task_t *t); /* wall clock; INT64_MAX: none */
LEAT_API void leat__task_set_wall(leat__task_t *t, int64_t wall_ms); /* once per batch */

/* ---- positions and time ---- */

/** At start, after abort. Drops the queue. */
void leat__task_set_position(leat__task_t *t, int input, int64_t offset, int64_t partition_time_ms);
/** Next offset to process; past skipped markers when the queue is empty. */
int64_t leat__task_position(const leat__task_t *t, int input);
int64_t leat__task_partition_time(const leat__task_t *t, int input);
int64_t leat__task_stream_time(const leat__task_t *t);
/** Wrote, punctuated or moved since committed or abort: must be in the commit. */
bool leat__task_touched(const leat__task_t *t);

/* ---- commit ---- */

/** Every store in topological order: forwards and changelog records. */
LEAT_API int leat__task_flush(leat__task_t *t, leat_error_t *err);
/** next[i]: changelog offset after the last record of store i; -1, or next NULL: unchanged. */
LEAT_API void leat__task_committed(leat__task_t *t, const int64_t *next);
/** Stores back to the last committed version, queues dropped, nodes closed and opened again
 *  (PROTOCOLS.md 6). Positions: set them after. */
int leat__task_abort(leat__task_t *t, leat_error_t *err);

/* ---- progress: how far operators are, by name; kept beside the committed offsets ---- */

typedef struct leat__progress_t {
    struct leat__progress_entry_t {
        char *name;
        int64_t value;
    } *at;
    size_t count;
} leat__progress_t;

void leat__progress_release(leat__progress_t *p);
/** The greater one stays. */
void leat__progress_merge(leat__progress_t *p, const char *name, size_t size, int64_t value);
const leat__progress_t *leat__task_progress(const leat__task_t *t);
/** [copy] What was committed: before the task is opened. */
void leat__task_set_progress(leat__task_t *t, const leat__progress_t *p);

/** Metadata of a committed offset as Kafka Streams writes it: base64 of {2, partition time 8,
 *  progress}. [own] progress NULL: none. */
char *leat__commit_metadata(int64_t partition_time_ms, const leat__progress_t *progress);
int64_t leat__commit_metadata_time(const char *metadata); /* -1: none or unreadable */
/** Merge what stands in the metadata; of unreadable ones nothing. */
void leat__commit_metadata_progress(const char *metadata, leat__progress_t *progress);

#endif
