/*
 * runtime/assignor.h: who should own which task, and who keeps copies of its state: a pure
 * function.
 *
 * It knows members by number and time not at all: the leader asks it again whenever something has
 * changed (leader_view.c), and its answer moves a task only when that costs little. As Kafka
 * Streams' HighAvailabilityTaskAssignor (KIP-441), with the tags of KIP-708:
 *
 *   ideal    every member's share in proportion to its threads, sub-topologies spread too, as much
 *            as possible left in place
 *   owner    the ideal one, if its state is caught up or nobody else's is; else who is caught up,
 *            and the ideal one warms up
 *   standby  the copies asked for: never where the task runs, on different tags if there are,
 *            spread evenly
 */
#ifndef LEAT__RUNTIME_ASSIGNOR_H
#define LEAT__RUNTIME_ASSIGNOR_H

#include "worker.h"

#define LEAT__LAG_NONE INT64_MAX          /* no state there */
#define LEAT__LAG_UNKNOWN (INT64_MAX - 1) /* some, but nobody has counted what it lacks */

typedef struct leat__assign_member_t { /* a process */
    int threads;                       /* 0: takes nothing */
    const char *const *tags;           /* one per tag that counts; NULL: it does not say */
} leat__assign_member_t;

typedef struct leat__assign_copy_t { /* state of a task on a member that does not hold it */
    int member;
    bool live;   /* tails the changelog: a standby or warm-up of the last placement */
    int64_t lag; /* changelog records that it lacks */
} leat__assign_copy_t;

typedef struct leat__assign_task_t {
    leat__task_ref_t ref;
    bool stateful;      /* has stores with changelogs */
    bool kept;          /* its owner will be back: neither moved nor counted */
    int holder;         /* member that owns it; -1 */
    int64_t holder_lag; /* far from running: what it still has to replay; else 0 */
    int previous;       /* without holder: member that had it last; -1 */
    int barred;         /* member that cannot take it; -1 */
    const leat__assign_copy_t *copies;
    size_t copy_count; /* at most one a member */
} leat__assign_task_t;

typedef struct leat__assign_t {
    const leat__assign_member_t *members;
    size_t member_count;
    const leat__assign_task_t *tasks; /* sorted by ref */
    size_t task_count;
    size_t tag_count;
    int standbys;           /* num.standby.replicas */
    int warmups;            /* max.warmup.replicas */
    int64_t acceptable_lag; /* acceptable.recovery.lag; INT64_MAX: everybody counts as caught up */
} leat__assign_t;

typedef struct leat__assigned_copy_t {
    int member;
    bool warming; /* beyond the number of standbys, until it has caught up */
} leat__assigned_copy_t;

typedef struct leat__assignment_t {
    int *owners; /* per task; -1: nobody takes any, or it is kept */
    leat__assigned_copy_t *copies;
    size_t copy_count, copy_room;
    size_t *first; /* the copies of task t are [first[t], first[t + 1]) */
    bool probing;  /* something waits until a copy has caught up: ask again then */
} leat__assignment_t;

void leat__assign(const leat__assign_t *in, leat__assignment_t *out); /* out [own] */
void leat__assignment_release(leat__assignment_t *a);

/* ---- between assignor.c and assignor_copies.c ---- */

typedef struct leat__assign_work_t {
    const leat__assign_t *in;
    leat__assignment_t *out;
    size_t threads, groups;
    size_t *group_of;   /* per task */
    size_t *group_first; /* its tasks are [group_first[g], group_first[g + 1]) */
    size_t *group_size;  /* those that are shared out */
    size_t *quota, *count;
    size_t *in_group; /* member x group */
    int *ideal;
    int64_t *lag; /* per member, of the task that is looked at */
    int budget;   /* warm-ups that may still begin */
} leat__assign_work_t;

/** Shares of `count` in proportion to threads, differing from the exact ones by less than one; what is left over after
 *  rounding goes to those who hold most, so that a balanced state stays as it is. */
void leat__assign_quotas(const leat__assign_t *in, size_t count, const size_t *held, size_t *quota);
bool leat__assign_caught_up(const leat__assign_t *in, int64_t lag);
void leat__assign_lags(leat__assign_work_t *w, size_t t);   /* w->lag is filled for task t */
void leat__assign_unlags(leat__assign_work_t *w, size_t t); /* and emptied again */
void leat__assign_copies(leat__assign_work_t *w);           /* owners are known */

#endif
