/*
 * runtime/testing/driver.h: the inside of leat_test_t.
 *
 *   driver.c      making; the loop: process, commit, take what was produced, feed back
 *   driver_in.c   pipes: by value, bytes and text; the clock
 *   driver_out.c  topics: what was written to them; reads by value, bytes and text
 *   driver_state.c stores and metrics
 *   driver_global.c global stores
 *
 * One task runs all sub-topologies together; every topic has one partition (conformance/FORMAT.md,
 * 7).
 */
#ifndef LEAT__RUNTIME_TESTING_DRIVER_H
#define LEAT__RUNTIME_TESTING_DRIVER_H

#include <leat/testing.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "runtime/globals.h"

/* A record that a topic holds, or one on its way in. One block with its bytes. */
typedef struct leat__kept_t {
    struct leat__kept_t *next;
    leat__raw_t raw;
    leat_headers_t *headers;
    leat__target_t *topic;
} leat__kept_t;

struct leat__target_t {   /* a topic */
    leat__target_t *next; /* in order of the first write */
    char *name;
    const leat_serde_t *key, *value;
    leat__kept_t *first, **last;
    size_t count;
    leat__kept_t *lent;  /* the record read last */
    leat__arena_t arena; /* of its decoded form */
    leat_record_t record;
    bool written;
};

struct leat_test_t {
    leat__owner_t owner;   /* of the store handles given out */
    leat__arena_t scratch; /* since the last pipe */
    leat_topology_t *topology;
    leat_config_t *config;
    leat_test_opts_t opts;
    leat__plan_t *plan;
    leat__task_state_t *state;
    leat__task_t *task;
    leat__task_state_t *global_state;
    leat__globals_t *globals; /* NULL: none */
    int64_t *global_times_ms; /* of their inputs; and their next offsets */
    int64_t *global_offsets;
    leat__budget_t budget;
    leat__clock_t clock;
    char *dir;       /* temporary, removed at the end */
    bool persistent; /* some store needs a disk */
    leat_error_t failure;
    uint64_t commits;

    leat__map_t topics; /* name → leat__target_t */
    leat__target_t *written, **written_last;
    leat__kept_t *produced, **produced_last; /* since the last capture */
    int64_t *offsets;                        /* next, per input */
    void **stores; /* handles given out, by index: leat_kv_t and its like */
    char *names;                             /* leat_test_topics() */

    leat__cursor_t *cursor; /* of leat_test_store_bytes(): one of them */
    leat__window_cursor_t *windows;
    leat__buf_t row_key;
    size_t cursor_at;
};

leat__target_t *leat__driver_topic(leat_test_t *t, const char *name); /* never NULL */
leat__kept_t *leat__driver_keep(
    leat_slice_t key, leat_slice_t value, int64_t time_ms, const leat_headers_t *headers);
void leat__driver_kept_free(leat__kept_t *kept);
/* Queue a record for the source that reads a topic [adopt]. False: nobody reads it. */
bool leat__driver_enqueue(leat_test_t *t, const char *topic, leat__kept_t *kept);
void leat__driver_run(leat_test_t *t);
/* driver_global.c: global stores, which are filled at once */
int leat__driver_globals_open(
    leat_test_t *t, const leat__task_env_t *env, leat_error_t *err);
void leat__driver_globals_close(leat_test_t *t);
bool leat__driver_globals_take(leat_test_t *t, const leat__node_t *source, leat__kept_t *kept);
/* Stores of the task, then the global ones. */
size_t leat__driver_store_count(const leat_test_t *t);
const leat__store_spec_t *leat__driver_store_spec(const leat_test_t *t, size_t i);
leat__store_t *leat__driver_store(const leat_test_t *t, size_t i);
int leat__driver_commit(leat_test_t *t);
void leat__driver_capture(leat_test_t *t);
int leat__driver_fail(leat_test_t *t, const leat_error_t *err);
int leat__driver_begin(leat_test_t *t); /* a call that changes something: 0 or the failure kept */
void leat__driver_serdes(leat_test_t *t, leat__target_t *topic);
void leat__driver_topics_free(leat_test_t *t);
void leat__driver_state_free(leat_test_t *t);

#endif
