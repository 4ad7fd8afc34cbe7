/*
 * runtime/placement.h: the records of the control topic: who leads, who owns which task, how each
 * process is.
 *
 * The control topic "<app>-leat-control-changelog" is compacted and holds whole states, never
 * deltas (PROTOCOLS.md 28):
 *
 *   claim             who leads: generation and member id; written before a leader's first
 *                     placement
 *   placement         generation, revision, leader; members; per task: the owner, whether it must
 *                     release, who keeps copies
 *   status/<process>  member id, threads, host, tags, state, tasks held, tasks given up, copies
 *                     of others' state and how far they are, and the answer `released` to a
 *                     placement's revision; written on change, not on time
 *   incarnation/<t>   a random number of internal topic t's making (PROTOCOLS.md 9)
 *
 * Values are lines of words, readable with any consumer.
 */
#ifndef LEAT__RUNTIME_PLACEMENT_H
#define LEAT__RUNTIME_PLACEMENT_H

#include "assignor.h"
#include "base/buf.h"

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
    size_t first_copy, copy_count; /* in copies: members that keep a copy of its state */
} leat__placed_task_t;

typedef struct leat__placement_t {
    int32_t generation;
    int64_t revision;
    char *leader; /* member id */
    leat__placed_member_t *members;
    size_t member_count;
    leat__placed_task_t *tasks;
    size_t task_count; /* sorted by group, partition */
    leat__assigned_copy_t *copies;
    size_t copy_count;
} leat__placement_t;

typedef enum leat__process_state_t {
    LEAT__PROCESS_RUNNING,
    LEAT__PROCESS_LEAVING,
    LEAT__PROCESS_SHUTDOWN,  /* asks all to stop */
    LEAT__PROCESS_RESTARTING /* will be back: its tasks are kept for it */
} leat__process_state_t;

/* State of a task that this process has and does not run; or will run, and is far from ready. */
typedef struct leat__status_copy_t {
    leat__task_ref_t ref;
    int64_t lag; /* changelog records that it lacks, roughly; 0: caught up; LEAT__LAG_UNKNOWN */
} leat__status_copy_t;

typedef struct leat__tag_t {
    char *name, *value;
} leat__tag_t;

typedef struct leat__status_t {
    char *process_id, *member_id;
    char *host;  /* leat.http.advertised; NULL: none */
    int threads; /* that take tasks */
    int seats;   /* threads have ids below it: what a fence must cover */
    leat__process_state_t state;
    int64_t restart_ms; /* restarting: how long to wait for it */
    leat__tag_t *tags;
    size_t tag_count;
    leat__task_ref_t *held;
    size_t held_count; /* sorted */
    leat__status_copy_t *copies;
    size_t copy_count;
    leat__task_ref_t *given_up; /* sorted; a stuck thread has them open, and can commit nothing */
    size_t given_up_count;
    int32_t released_generation;
    int64_t released_revision; /* 0: no answer */
    leat__task_ref_t *released;
    size_t released_count; /* sorted */
    /* set by the reader of the log: */
    int64_t kept_until_ms; /* restarting: steady time of this process */
    uint64_t seen;         /* which of the changes this one was */
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

#endif
