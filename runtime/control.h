/*
 * runtime/control.h: the control thread of a process: membership, placement, who of its stream threads owns what.
 */
#ifndef LEAT__RUNTIME_CONTROL_H
#define LEAT__RUNTIME_CONTROL_H

#include "asks.h"

/** What the app wants to hear; called on the control thread. */
typedef struct leat__control_hooks_t {
    void (*state)(void *user, bool running); /* RUNNING or REBALANCING */
    leat_rescue_t (*thread_failed)(void *user, const leat_error_t *err);
    void (*failed)(
        void *user, const leat_error_t *err); /* for good; the control thread stops everything */
    void (*stopped)(void *user);              /* all threads are gone, the group is left */
    void *user;
} leat__control_hooks_t;

/** created: internal topics that this process has just made (their incarnation is renewed). Texts copied. */
leat__control_t *leat__control_new(leat__worker_t *w, const leat__control_hooks_t *hooks,
    int64_t log_start, const char *const *created, size_t created_count, leat_error_t *err);
int64_t leat__control_step(leat__control_t *c); /* ms it may wait for mail; -1: it is over */
int leat__control_start(leat__control_t *c, leat_error_t *err);
void leat__control_join(leat__control_t *c);
void leat__control_free(leat__control_t *c);
/** Any thread: ask for a clean stop. */
void leat__control_stop(leat__control_t *c);
void leat__control_pause(leat__control_t *c, bool pause);
/** Any thread: a thread of this process that has the task, a standby only if stale. */
bool leat__control_has(leat__control_t *c, leat__task_ref_t ref, bool stale);
/** Any thread: the request goes to the task's thread (the owner, else a standby). False: not here. */
bool leat__control_ask(leat__control_t *c, leat__task_ref_t ref, leat__question_t *r);
/** Any thread: who has which task [own: leat__owners_drop]; NULL: no placement is known yet. */
struct leat__owners_t *leat__control_owners(leat__control_t *c);
/** Any thread: so many stream threads from now on. It gets there by itself, a task at a time. */
void leat__control_set_threads(leat__control_t *c, int count);
/** On the control thread: the workers and their tasks as this process knows them; answers q. */
void leat__control_answer(leat__control_t *c, leat__question_t *q);
/** Any thread: each thread's view [own: leat__free]; returns how many. */
int leat__control_views(leat__control_t *c, leat__thread_view_t **views);
/** Any thread: the tasks of the index-th thread, as leat__thread_tasks; -1: there is none. */
int leat__control_tasks(
    leat__control_t *c, int index, leat__task_view_t **tasks, size_t *room);
/** Any thread: adds to sum[i] the records that all threads gave the i-th node of the plan. */
void leat__control_nodes(leat__control_t *c, uint64_t *sum);
/** Counts of all threads, summed. Any thread. */
void leat__control_view(leat__control_t *c, leat__thread_view_t *sum);

#endif
