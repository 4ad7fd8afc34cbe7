/*
 * runtime/placement.h: who owns which task: a pure function, and the records of the control topic that carry its answer.
 *
 * The control topic "<app>-leat-control-changelog" is compacted and holds whole states, never deltas (PROTOCOLS.md 28):
 *
 *   claim             who leads: generation and member id; written before a leader's first placement
 *   placement         generation, revision, leader; members; per task: the owner, and whether it must release
 *   status/<process>  member id, threads, state, tasks held, and the answer `released` to a placement's revision
 *   incarnation/<t>   a random number of internal topic t's making (PROTOCOLS.md 9)
 *
 * Values are lines of words, readable with any consumer.
 */
#ifndef LEAT__RUNTIME_PLACEMENT_H
#define LEAT__RUNTIME_PLACEMENT_H

#include "base/buf.h"
#include "worker.h"

typedef struct leat__claim_t {
    int32_t generation;
    char *member_id;
} leat__claim_t;

typedef struct leat__placed_member_t {
    char *member_id, *process_id;
    int threads;
} leat__placed_member_t;

typedef struct leat__placed_task_t {
    leat__task_ref_t ref;
    int owner;    /* index in members; -1: nobody yet */
    bool release; /* the owner is asked to let go */
} leat__placed_task_t;

typedef struct leat__placement_t {
    int32_t generation;
    int64_t revision;
    char *leader; /* member id */
    leat__placed_member_t *members;
    size_t member_count;
    leat__placed_task_t *tasks;
    size_t task_count; /* sorted by group, partition */
} leat__placement_t;

typedef enum leat__process_state_t {
    LEAT__PROCESS_RUNNING,
    LEAT__PROCESS_LEAVING,
    LEAT__PROCESS_SHUTDOWN /* asks all to stop */
} leat__process_state_t;

typedef struct leat__status_t {
    char *process_id, *member_id;
    int threads;
    leat__process_state_t state;
    leat__task_ref_t *held;
    size_t held_count;
    int32_t released_generation;
    int64_t released_revision; /* 0: no answer */
    leat__task_ref_t *released;
    size_t released_count;
} leat__status_t;

void leat__claim_encode(const leat__claim_t *c, leat__buf_t *out);
void leat__placement_encode(const leat__placement_t *p, leat__buf_t *out);
void leat__status_encode(const leat__status_t *s, leat__buf_t *out);
/* False: not readable (another version, damaged). What is read is [own]. */
bool leat__claim_decode(leat_slice_t text, leat__claim_t *c);
bool leat__placement_decode(leat_slice_t text, leat__placement_t *p);
bool leat__status_decode(leat_slice_t text, const char *process_id, leat__status_t *s);
void leat__claim_release(leat__claim_t *c);
void leat__placement_release(leat__placement_t *p);
void leat__status_release(leat__status_t *s);
int leat__task_ref_compare(const void *a, const void *b);
const leat__placed_task_t *leat__placement_find(const leat__placement_t *p, leat__task_ref_t ref);
int leat__placement_member(const leat__placement_t *p, const char *member_id); /* -1 */

/**
 * Where tasks should be: each task once, every member's share in proportion to its threads (differing by at most one), each
 * sub-topology spread too, and as many as possible where `current` has them.
 *
 * @param threads  of each member; 0: takes none
 * @param refs     sorted
 * @param current  member that has the task or its local state; -1 nobody
 * @param target   [out] per task; -1 only if no member takes any
 */
void leat__place(const int *threads, size_t member_count, const leat__task_ref_t *refs,
    size_t task_count, const int *current, int *target);

#endif
