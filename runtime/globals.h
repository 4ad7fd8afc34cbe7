/*
 * runtime/globals.h: the global stores of a process: one task of their own, and how others read.
 *
 *   topic, all partitions ─▶ apply ─▶ source ─▶ processor ─▶ store ◀─ read ─ processors of tasks
 *
 * The task is made of all global sub-topologies. It is never committed and writes nothing: the
 * topics are its changelogs. One lock guards its stores: who applies a batch holds it; a task that
 * reads takes it with the first read of a record and gives it back when the record is finished
 * (leat__ctx_finish), so that what was read stays as it is until then.
 *
 *   globals.c      the task, applying, reading
 *   globals_run.c  in an app: filled before threads start, kept up to date by a thread
 */
#ifndef LEAT__RUNTIME_GLOBALS_H
#define LEAT__RUNTIME_GLOBALS_H

#include "task.h"

typedef struct leat__globals_t leat__globals_t;

LEAT_API bool leat__plan_has_globals(const leat__plan_t *p);
/** Opens stores and nodes. state [keep], open. env [copy]: send and log are never called. */
LEAT_API leat__globals_t *leat__globals_new(const leat__plan_t *p, const leat__task_env_t *env,
    leat__task_state_t *state, const char *state_dir, leat_error_t *err);
LEAT_API void leat__globals_free(leat__globals_t *g); /* nobody reads any more; state stays */
/** To look at; records come through leat__globals_apply() only. */
LEAT_API leat__task_t *leat__globals_task(leat__globals_t *g);
/**
 * Run a batch of one partition through its processor, all of it. time_ms: the partition's time,
 * kept by the caller, -1 at first. Any thread. 0, or why a record failed.
 */
LEAT_API int leat__globals_apply(leat__globals_t *g, int input, int32_t partition,
    leat__batch_t batch, int64_t *time_ms, leat_error_t *err);
void leat__globals_lock(leat__globals_t *g);
void leat__globals_unlock(leat__globals_t *g);

#endif
