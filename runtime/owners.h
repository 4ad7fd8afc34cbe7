/*
 * runtime/owners.h: which process has which task, in the whole application, as this process knows
 * it.
 *
 *   control topic ─▶ control thread ─▶ leat__owners_t, made anew on a change ─▶ any thread
 *
 * What was made is never changed, so whoever holds it reads it without a lock. It may be behind:
 * who asks an owner by it is told so by that owner, and looks again.
 */
#ifndef LEAT__RUNTIME_OWNERS_H
#define LEAT__RUNTIME_OWNERS_H

#include "control_log.h"

typedef struct leat__host_t { /* a process */
    char *process_id;
    char *address; /* leat.http.advertised; NULL: it says none */
    bool here;
    bool returns; /* it restarts, and its tasks are kept for it */
} leat__host_t;

typedef struct leat__host_copy_t {
    int host;
    int64_t lag; /* in classes (control_copies.c); LEAT__LAG_UNKNOWN */
} leat__host_copy_t;

typedef struct leat__task_hosts_t {
    leat__task_ref_t ref;
    int owner;   /* index in hosts; -1: nobody */
    bool moving; /* the owner is asked to let go */
    size_t first_copy, copy_count; /* in copies: who lacks least first */
} leat__task_hosts_t;

typedef struct leat__owners_t {
    leat__host_t *hosts;
    size_t host_count;
    leat__task_hosts_t *tasks; /* sorted by ref */
    size_t task_count;
    leat__host_copy_t *copies;
    size_t copy_count;
    _Atomic int holders;
} leat__owners_t;

/** [own: leat__owners_drop] From what the log says now; the control thread's. */
leat__owners_t *leat__owners_new(const leat__control_log_t *log, const char *this_process);
void leat__owners_drop(leat__owners_t *o); /* NULL: nothing */
const leat__task_hosts_t *leat__owners_find(const leat__owners_t *o, leat__task_ref_t ref);
/** Who will have the task when its owner lets go, or dies; -1: not known. */
int leat__owners_next(const leat__owners_t *o, const leat__task_hosts_t *t);

#endif
