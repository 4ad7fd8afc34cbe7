/*
 * runtime/state_dir.h: the folder of one process: <state.dir>/<application.id>.leat
 *
 *   .lock         held (flock) while the process runs: a second process is told so, by name and pid
 *   process.id    a uuid: who this process is to the group, over restarts (PROTOCOLS.md 13)
 *   <task id>/    one folder per task (statestore)
 *
 * Never Kafka Streams' own folder: that one deletes what it does not know (PROTOCOLS.md 27).
 */
#ifndef LEAT__RUNTIME_STATE_DIR_H
#define LEAT__RUNTIME_STATE_DIR_H

#include <leat/config.h>

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

#endif
