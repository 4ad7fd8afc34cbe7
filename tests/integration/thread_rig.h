/*
 * tests/integration/thread_rig.h: stream threads stepped by hand, on the embedded log, under a
 * clock that the test moves.
 *
 * A world holds what survives a process: the log, the state directory, the clock. A process is one
 * worker with one stream thread and, in place of the control thread, this file: a member of the
 * group that gives all tasks to its thread, commits for it, and remembers what the thread said. A
 * crash is: drop the thread without stopping it.
 */
#ifndef LEAT__TESTS_THREAD_RIG_H
#define LEAT__TESTS_THREAD_RIG_H

#include <leat/leat.h>
#include "runtime/embedded/embedded.h"
#include "runtime/embedded/faults.h"
#include "runtime/thread_inside.h"

#define RIG_APP "app"

typedef struct rig_world_t {
    leat__clock_t clock;
    leat__log_t *log;
    leat__broker_t *outside; /* the test's own client */
    leat__writer_t *writer;
    char dir[64];
    leat_build_fn build;
    int32_t partitions;
    const char *settings[16][2];
    size_t setting_count;
    bool static_member;
    bool real; /* threads of their own, the real clock, a background writer */
    void (*adjust)(leat__plan_t *plan); /* after compile, before resolve */
} rig_world_t;

typedef struct rig_t { /* one process */
    rig_world_t *world;
    leat__broker_t *broker;
    leat_config_t *config;
    leat_topology_t *topology;
    leat__plan_t *plan;
    leat__worker_t worker;
    leat_app_opts_t opts;
    leat__member_t *member;
    leat__membership_t *membership;
    int64_t epoch;
    leat__thread_t *thread;
    bool given, refuse_commits, hold_commits;
    int restored, released, stopped, failed, barriers, lost, commits_asked;
    int64_t last_barrier;
    leat__message_t *kept; /* a COMMIT that is not answered yet */
    leat_error_t failure;
    uint64_t incarnation;
    double heard_ms;
    uint64_t replayed; /* by on_restore, of tasks that were to run */
    int events[2][4];  /* of on_restore: of active tasks, of standbys */
    int64_t began;     /* offset of the last START */
    bool copies;       /* keeps standbys of all tasks, and is given no task by itself */
    char instance[32], dir[96];
} rig_t;

void rig_world_open(rig_world_t *w, leat_build_fn build, int32_t partitions, const char *guarantee);
void rig_world_open_real(
    rig_world_t *w, leat_build_fn build, int32_t partitions, const char *guarantee);
void rig_world_set(rig_world_t *w, const char *key, const char *value);
void rig_world_close(rig_world_t *w);
void rig_topic(rig_world_t *w, const char *topic, int32_t partitions, const char *policy);

/* A record from outside; value NULL: a tombstone. */
void rig_write(rig_world_t *w, const char *topic, int32_t partition, const char *key,
    const char *value, int64_t time_ms);

typedef struct rig_record_t {
    char key[64], value[64]; /* value of 8 bytes: as a number */
    bool null_value;
    int64_t number, offset, time_ms;
    int32_t partition;
} rig_record_t;
/* All records of a topic, partition by partition. */
size_t rig_read(rig_world_t *w, const char *topic, int32_t partitions, bool committed,
    rig_record_t *room, size_t max);
int64_t rig_offset(rig_world_t *w, const char *topic, int32_t partition, leat__where_t where);
int64_t rig_committed(rig_world_t *w, const char *topic, int32_t partition);

rig_t *rig_start(rig_world_t *w, int index);
/* Another process, with a state directory of its own; it is in no group before rig_join(). */
rig_t *rig_start_other(rig_world_t *w, int number);
void rig_join(rig_t *r);
/* one step of everything, then the clock moves by 5 ms; real: 1 ms is slept */
void rig_step(rig_t *r);
void rig_steps(rig_t *r, int count);
bool rig_until(rig_t *r, bool (*done)(rig_t *r), int steps_max);
bool rig_failed(rig_t *r);
/* until all input is committed; fails the test if it never is */
void rig_settle(rig_t *r);
void rig_crash(rig_t *r); /* no commit, no checkpoint; transactions stay open */
void rig_stop(rig_t *r);  /* clean */
void rig_say(rig_t *r, leat__message_t *m);
void rig_give_all(rig_t *r);
void rig_tell(rig_t *r, leat__say_t say); /* about all tasks */
void rig_keep_copies(rig_t *r);           /* standbys of all tasks */
void rig_rejoin(rig_t *r); /* the group is lost and joined anew */
bool rig_runs(rig_t *r);
leat__owned_t *rig_task(rig_t *r, const char *id);
/* The value of a key of store 0 in a task, -1: none. */
int64_t rig_count(rig_t *r, const char *task, const char *key);

/* in ─▶ out, nothing kept */
void rig_build_copy(leat_builder_t *b);
/* in ─▶ count ─▶ out: how often each key was seen; the store "counts" */
void rig_build_count(leat_builder_t *b);

#endif
