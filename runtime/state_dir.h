/*
 * runtime/state_dir.h: the folder of one process: <state.dir>/<application.id>.leat
 *
 *   .lock         held (flock) while the process runs: a second process is told so, by name and pid
 *   process.id    a uuid: who this process is to the group, over restarts (PROTOCOLS.md 13)
 *   <task id>/    one folder per task: .lock, offsets (task_dir.c), rocksdb (statestore)
 *
 * Never Kafka Streams' own folder: that one deletes what it does not know (PROTOCOLS.md 27).
 */
#ifndef LEAT__RUNTIME_STATE_DIR_H
#define LEAT__RUNTIME_STATE_DIR_H

#include <leat/config.h>
#include <stddef.h>
#include <stdint.h>

typedef struct leat__state_dir_t {
    char *path;
    char process_id[40];
    int lock; /* file descriptor; -1: not held */
} leat__state_dir_t;

/** Make, lock, read or make the process id. LEAT_EIO, LEAT_ELOCKED name the folder and say what to do. */
int leat__state_dir_open(leat__state_dir_t *d, const leat_config_t *config, leat_error_t *err);
void leat__state_dir_close(leat__state_dir_t *d);
/** Remove everything in it but the lock and the process id. */
int leat__state_dir_clean(leat__state_dir_t *d, leat_error_t *err);
void leat__random_id(char room[40]);

/* ---- the folder of a task: task_dir.c. Any thread; who holds its lock may write in it. ---- */

/**
 * Make the folder and take its lock, which no other thread or process shares. *lock: -1 on failure.
 * LEAT_ELOCKED (retriable): held, or just being deleted; LEAT_EIO, retriable if the disk is full.
 */
int leat__task_dir_lock(const char *dir, int *lock, leat_error_t *err);
/** Let go, and remember when; *lock -1 is fine. */
void leat__task_dir_unlock(int *lock);

typedef struct leat__task_offset_t {
    const char *topic; /* a changelog */
    int64_t next;      /* the state holds all before it */
} leat__task_offset_t;
/**
 * How far the state in the folder is, for the placement and for people: the file "offsets", replaced
 * as a whole. Nothing relies on it: what counts stands beside the data. count 0 removes it. A failure
 * is only logged.
 */
void leat__task_dir_note(const char *dir, const leat__task_offset_t *offsets, size_t count);

typedef struct leat__local_task_t {
    int32_t group, partition;
    int64_t offset_sum; /* of its file "offsets" */
} leat__local_task_t;
/**
 * The tasks whose state lies in a process's folder, in no order; those without the file "offsets" are
 * left out. *out [own] leat__free(); NULL if there are none.
 */
size_t leat__state_dir_tasks(const char *dir, leat__local_task_t **out);
/** Delete the folders of tasks that nobody holds or held since before_ms (wall clock), and what was set
 *  aside in others before then; says so in the log. Returns how many folders. */
size_t leat__state_dir_expire(const char *dir, int64_t before_ms);

#endif
