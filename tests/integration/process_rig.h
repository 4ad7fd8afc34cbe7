/*
 * tests/integration/process_rig.h: whole processes stepped by hand: control thread and stream threads, several of them on one
 * embedded log, under a clock that the test moves (thread_rig.h has the world and one thread with a stand-in for control).
 *
 * A thread that is frozen is not stepped, as if it were in the program's code; a frozen process gets no step at all (SIGSTOP).
 */
#ifndef LEAT__TESTS_PROCESS_RIG_H
#define LEAT__TESTS_PROCESS_RIG_H

#include "runtime/control_inside.h"
#include "thread_rig.h"

enum { PROC_MAX = 4, PROC_THREADS_MAX = 8 };

typedef struct proc_t {
    rig_world_t *world;
    char name[20], dir[96];
    leat__broker_t *broker;
    leat_config_t *config;
    leat_topology_t *topology;
    leat__plan_t *plan;
    leat__worker_t worker;
    leat_app_opts_t opts;
    leat__control_t *control;
    leat_rescue_t rescue; /* what the program says to a failed thread */
    bool frozen, frozen_threads[PROC_THREADS_MAX];
    bool running, over;
    int failures; /* of threads */
    leat_error_t failure; /* of the process */
} proc_t;

typedef struct procs_t {
    rig_world_t *world;
    proc_t *of[PROC_MAX];
    size_t count;
} procs_t;

proc_t *proc_start(procs_t *all, const char *name, int threads);
void procs_step(procs_t *all); /* everything not frozen once, then the clock moves by 5 ms */
void procs_run(procs_t *all, int64_t ms);
/* Fails the test if it does not come true within that much of the world's time. */
#define procs_until(all, ms, condition)                                                            \
    do {                                                                                           \
        int64_t end_ = (all)->world->clock.steady_ms + (ms);                                       \
        while (!(condition) && (all)->world->clock.steady_ms < end_)                               \
            procs_step(all);                                                                       \
        if (!(condition))                                                                          \
            procs_fail(all, #condition, __FILE__, __LINE__);                                       \
    } while (0)
void procs_fail(const procs_t *all, const char *condition, const char *file, int line);
void proc_stop(procs_t *all, proc_t *p);  /* clean; freed */
void proc_crash(procs_t *all, proc_t *p); /* freed without a word */
void procs_end(procs_t *all);             /* stops all that are left */
size_t proc_tasks(const proc_t *p, int thread); /* that it runs; thread -1: of all */
bool procs_all_run(const procs_t *all, size_t tasks); /* so many tasks run in all of them together, none twice */
bool procs_overlap(const procs_t *all); /* a task runs in two of them */
bool procs_have_read(procs_t *all, int64_t each); /* each input partition is committed up to there */

#endif
