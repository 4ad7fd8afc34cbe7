/*
 * runtime/worker.h: what the threads of one process share, and the messages between the control thread and the stream threads.
 *
 *          control thread (control.c)                         stream threads (thread.c), 1..n
 *    member, placement, internal topics   ──GIVE, TAKE──▶    reader, writer(s), tasks
 *    at-least-once commits                ◀──RELEASED───     commit.c, restore.c
 *
 * A task has exactly one owner at a time. Messages are small heap blocks in bounded mailboxes; the receiver frees them.
 * Every thread body is step(now): it never waits but in the seam's reader_wait / op_wait with the time that step returned.
 */
#ifndef LEAT__RUNTIME_WORKER_H
#define LEAT__RUNTIME_WORKER_H

#include <pthread.h>
#include "broker.h"
#include "task.h"

typedef struct leat__thread_t leat__thread_t;
typedef struct leat__control_t leat__control_t;

typedef struct leat__task_ref_t { int32_t group, partition; } leat__task_ref_t; /* "0_3" */

typedef enum leat__say_t {
    /* control → thread */
    LEAT__SAY_GIVE,        /* tasks: yours from now on (restore, then run); epoch */
    LEAT__SAY_GIVE_STANDBY, /* tasks: keep a copy of their state: tail the changelogs, process nothing. A later GIVE to the
                               same thread promotes: only the rest is replayed */
    LEAT__SAY_TAKE,        /* tasks: commit, close, answer RELEASED with the same revision; standbys too */
    LEAT__SAY_MEMBERSHIP,  /* membership, epoch; tasks: the ones you keep, standbys too. Adopt between two transactions;
                               commits are allowed again */
    LEAT__SAY_BARRIER,     /* number: commit now, answer BARRIER_DONE, then no commit until MEMBERSHIP */
    LEAT__SAY_LOST,        /* membership is gone: abort, close all tasks, standbys too (state kept), answer LOST_DONE */
    LEAT__SAY_COMMITTING,  /* op: of your COMMIT request, to wait for; NULL: dropped, its epoch is over */
    LEAT__SAY_PAUSE, LEAT__SAY_RESUME,
    LEAT__SAY_ASK,         /* request: answer it (asks.h); from any thread */
    LEAT__SAY_SHARES,      /* number: threads that share cache and write buffers from now on. To control: how many are wanted */
    LEAT__SAY_STOP,        /* commit, close, answer STOPPED, end */
    /* thread → control */
    LEAT__SAY_BARRIER_DONE, LEAT__SAY_RELEASED, LEAT__SAY_LOST_DONE,
    LEAT__SAY_RESTORED,    /* tasks: processing now */
    LEAT__SAY_COMMIT,      /* at least once: positions, epoch under which they were made */
    LEAT__SAY_FAILED,      /* err: thread is over, its tasks are closed; the program decides (on_thread_failure) */
    LEAT__SAY_STOPPED
} leat__say_t;

typedef struct leat__message_t {
    struct leat__message_t *next;
    leat__say_t say;
    int from;                        /* thread index, -1 control */
    int64_t number;                  /* barrier number; TAKE, RELEASED: the placement's revision */
    int32_t generation;              /* TAKE, RELEASED: with the revision */
    int64_t epoch;                   /* count of joins under a new member id */
    leat__membership_t *membership;  /* counted */
    leat__task_ref_t *tasks; size_t task_count;
    leat__position_t *positions; size_t position_count;
    leat__op_t *op;
    struct leat__question_t *question; /* ASK; freed unread: answered with LEAT_EMOVED */
    leat_error_t err;
} leat__message_t;
leat__message_t *leat__message_new(leat__say_t say);
void leat__message_free(leat__message_t *m);

typedef struct leat__mailbox_t {
    pthread_mutex_t lock;
    pthread_cond_t more;
    leat__message_t *first, **last;
    size_t count;
    void (*wake)(void *); void *wake_user; /* called after a post, without the lock */
} leat__mailbox_t;
void leat__mailbox_init(leat__mailbox_t *m);
void leat__mailbox_release(leat__mailbox_t *m);
void leat__mailbox_post(leat__mailbox_t *m, leat__message_t *message); /* [adopt] any thread */
leat__message_t *leat__mailbox_take(leat__mailbox_t *m, int64_t wait_ms); /* [own] NULL: nothing came */
void leat__mailbox_wait(leat__mailbox_t *m, int64_t wait_ms);          /* until something is there */

/** Constant after start; shared by all threads of an app. */
typedef struct leat__worker_t {
    const leat_config_t *config;
    leat__broker_t *broker;
    leat__plan_t *plan;                  /* resolved */
    const leat__clock_t *clock;
    const leat_app_opts_t *opts;
    char *application_id, *process_id;   /* process id: uuid kept in the state directory */
    char *state_dir;                     /* <state.dir>/<application.id>.leat */
    char *advertised;                    /* where other processes reach this one by HTTP; NULL: nowhere */
    bool exactly_once;
    bool shows_restores;                 /* how they get on is on a terminal, and not in the log */
    _Atomic int thread_count;            /* seats; changed by the control thread alone */
    void *block_cache;
    struct leat__globals_t *globals;     /* the process's global stores; NULL: none */
    struct leat__checkpointer_t *checkpointer;
    leat__mailbox_t control;             /* the control thread's mail */
    /* random number of the changelog topic's making (PROTOCOLS.md 9); 0: unknown. Any thread. */
    uint64_t (*incarnation)(void *user, const char *topic);
    void *incarnation_user;
    /* ms since the group was heard (PROTOCOLS.md 8 i). Any thread. */
    double (*heard_ms)(void *user); void *heard_user;
} leat__worker_t;

/* ---- stream threads: thread.c, commit.c, restore.c ---- */

/** What a thread shows to others: copied under its lock now and then (once a second, and on changes). */
typedef struct leat__thread_view_t {
    int index;
    bool running;                        /* all its tasks process */
    leat__task_counts_t counts;          /* summed over tasks, also closed ones */
    size_t task_count, restoring_count;
    uint64_t restore_left;               /* changelog records still to replay, as far as known */
    double restore_rate;                 /* replayed per second by tasks that restore */
    size_t standby_count;                /* not among task_count */
    uint64_t standby_left;               /* changelog records that standbys are behind */
    uint64_t lag;                        /* input records still to process, as far as known */
    uint64_t commits, aborts;
    size_t threads;                      /* of a sum: how many are alive */
} leat__thread_view_t;

/** One task of a thread, as it was when the view was last copied. */
typedef struct leat__task_view_t {
    leat__task_ref_t ref;
    bool standby;    /* tails its changelogs */
    bool running;    /* processes */
    uint64_t left;   /* changelog records still to replay: 0 when running; a standby's distance to the ends as last seen;
                        UINT64_MAX: not known yet */
    uint64_t total;  /* records between where the replay began and its ends */
    double rate;     /* records replayed per second */
    uint64_t records; /* processed since the task was given */
    uint64_t lag;    /* input records still to process, up to the ends as last seen; UINT64_MAX: not known yet */
} leat__task_view_t;

leat__thread_t *leat__thread_new(leat__worker_t *w, int index, leat_error_t *err);
leat__mailbox_t *leat__thread_mail(leat__thread_t *t);
/** One step; returns how long it may wait for mail or records (ms, 0: call again at once, -1: it is over). */
int64_t leat__thread_step(leat__thread_t *t);
void leat__thread_wait(leat__thread_t *t, int64_t ms);
int leat__thread_start(leat__thread_t *t, leat_error_t *err); /* a pthread that loops step and wait */
void leat__thread_join(leat__thread_t *t);
void leat__thread_free(leat__thread_t *t);
void leat__thread_view(leat__thread_t *t, leat__thread_view_t *view); /* any thread */
uint64_t leat__thread_beat(const leat__thread_t *t);          /* any thread: changes with each step */
/** Any thread: its tasks go elsewhere while it is in the program's code: from now on it commits and logs nothing. LOST follows. */
void leat__thread_give_up(leat__thread_t *t);
/** Adds to sum[i] the records that the i-th node of the plan was given. Any thread. */
void leat__thread_nodes(leat__thread_t *t, uint64_t *sum);
/** Copies the tasks into *tasks, which grows as needed (room: its capacity); returns how many. Any thread. */
size_t leat__thread_tasks(leat__thread_t *t, leat__task_view_t **tasks, size_t *room);

/** Transactional ids of a thread: "<app>-<process id>-<thread>-a" and "-b". */
void leat__transactional_id(char *room, size_t size, const char *application_id, const char *process_id, int thread, char which);

/* Background writer of frozen state: one thread per process. */
struct leat__checkpointer_t *leat__checkpointer_start(void);
/** From now on delete the folders of tasks in a process's folder [copy] that nobody used for delay_ms; once. */
void leat__checkpointer_clean(struct leat__checkpointer_t *c, const char *dir, int64_t delay_ms);
void leat__checkpointer_stop(struct leat__checkpointer_t *c);
void leat__checkpointer_submit(struct leat__checkpointer_t *c, leat__frozen_t *f, _Atomic int *result); /* 1 ok, -1 failed when done */

#endif
