/*
 * runtime/thread_inside.h: the inside of a stream thread, shared by the files that make one up.
 *
 *    thread.c    life of the thread: step, wait, view
 *    thread_view.c  what it shows to others
 *    mail.c      what the control thread says, and when it is answered
 *    life.c      life of a task in it: asked for, restored, run, closed
 *    starts.c    where a task starts to read
 *    feed.c      records and punctuations: reader → tasks, in slices; budgets between records
 *    output.c    tasks → writer: targets, transactions begun at the first output
 *    commit.c    one commit or abort or change of writers at a time
 *    gaps.c      at least once: a stranger's records in our changelogs are logged over
 *    restore.c   changelog → backend, beside the tasks that run
 *    restorer.c  the client that reads changelogs, open while it is needed
 *    standby.c   tasks that only follow their changelogs
 *    keep.c      checkpoints, eviction, purge of repartition topics
 *    asks.c      questions of other threads about the stores
 *
 * Invariant: nothing of it is touched by another thread but the mailbox and, under its lock, the
 * view.
 */
#ifndef LEAT__RUNTIME_THREAD_INSIDE_H
#define LEAT__RUNTIME_THREAD_INSIDE_H

#include <stdatomic.h>

#include "asks.h"
#include "base/backoff.h"
#include "base/map.h"
#include "base/mem.h"
#include "worker.h"

#define LEAT__STEP_RECORDS 1000 /* processed between two looks at mail and clock */
#define LEAT__AGAIN_MS 100      /* until what only this process keeps from being done is tried again */
#define LEAT__PROGRESS_MS 10000 /* between two lines of the log about restores */

/* Where a sink or a store writes: the topic as each of the thread's writers sees it. */
struct leat__target_t {
    char *topic;
    leat__out_t *out[2];
};

typedef struct leat__lane_t { /* a partition that a task reads */
    const char *topic;        /* [keep: plan] */
    const leat__node_t *source;
    bool present;              /* the topic is wide enough to have the task's partition */
    bool fresh;                /* chosen as start and not committed yet */
    int slot;                  /* in the thread's reader; -1 */
    int64_t committed;         /* where an abort goes back to; LEAT__OFFSET_NONE: not known */
    int64_t committed_time_ms; /* partition time that was committed with it */
    int64_t purged;            /* deleted below, repartition topics */
    bool lost;                 /* its position is out of range: to be placed anew */
    leat__op_t *reset;         /* asks where */
} leat__lane_t;

typedef struct leat__changelog_t { /* a store's way to and from its changelog */
    leat__store_t *store;
    const leat__store_spec_t *spec;
    const char *topic;           /* NULL: not logged */
    leat__target_t *target;      /* NULL: not looked up yet */
    bool wrote;                  /* since the last commit */
    int slot;                    /* in the restore reader; -1 */
    int64_t low, start, at, end; /* log start; replay from, position, high watermark */
    uint64_t records;
    int64_t since_ms;
    bool restored;
} leat__changelog_t;

typedef enum leat__phase_t { /* drawn in life.c */
    LEAT__PHASE_CREATED,
    LEAT__PHASE_ASKING,    /* committed offsets */
    LEAT__PHASE_MEASURING, /* ends of the changelogs */
    LEAT__PHASE_RESOLVING, /* starts of partitions without committed offset */
    LEAT__PHASE_PLACING,   /* those starts are being committed */
    LEAT__PHASE_RESTORING,
    LEAT__PHASE_STANDBY, /* follows its changelogs: standby.c */
    LEAT__PHASE_RUNNING,
    LEAT__PHASE_CLOSING,  /* closed, its last checkpoint is being written */
    LEAT__PHASE_DRAINING, /* closed dirty, a checkpoint under way must end first */
    LEAT__PHASE_GONE
} leat__phase_t;

typedef struct leat__owned_t { /* a task of this thread */
    leat__thread_t *thread;
    leat__task_ref_t ref;
    const leat__group_t *group;
    char id[32];
    char *dir;
    int lock; /* of the folder, while the state is open; -1 */
    leat__phase_t phase;
    bool standby;         /* a copy is kept; nothing runs */
    bool again;           /* after DRAINING: start over */
    bool in_commit;       /* its positions are in the commit under way */
    bool last_checkpoint; /* CLOSING: begun, or not due */
    bool taken;           /* to be given back after the next commit */
    leat__task_t *task;
    leat__task_state_t *state;
    leat__lane_t *inputs;
    size_t input_count;
    leat__progress_t progress; /* as committed when the task was given */
    leat__changelog_t *stores;
    size_t store_count;
    leat__op_t *ops[3];
    int64_t retry_at_ms;
    int64_t unanswered_since_ms, doubt_since_ms; /* -1: none */
    int64_t asked_since_ms; /* for committed offsets; -1: not, or they were told */
    int64_t pending_said_at_ms; /* that they are late is said (again) then */
    leat__backoff_t backoff;                     /* while unanswered */
    leat__frozen_t *frozen;
    _Atomic int frozen_result;
    int64_t checkpoint_retry_ms;
    int64_t checkpoint_backoff_ms;
    leat__asks_t asks;
    int64_t age_max_ms;
    uint64_t replayed; /* changelog records, since it was given */
    uint64_t rate_replayed; /* at rate_at_ms */
    int64_t rate_at_ms;
    double rate; /* per second, lately */

    /* a standby */
    int64_t asked_ms, measured_ms; /* wall: of the ends that are asked for, that are known */
    int64_t ask_at_ms;             /* for new ends */
    bool aged;                     /* those of measured_ms were reached */
    int64_t age_ms;                /* wall: what is written says that it is as new as this */
    int64_t behind;                /* promoted: what it lacked then; -1: it is no standby's state */
} leat__owned_t;

typedef enum leat__commit_state_t { /* drawn in commit.c */
    LEAT__COMMIT_IDLE,
    LEAT__COMMIT_FLUSH,
    LEAT__COMMIT_GAPS,
    LEAT__COMMIT_ASKED,
    LEAT__COMMIT_OFFSETS,
    LEAT__COMMIT_END,
    LEAT__COMMIT_ABORT_FLUSH,
    LEAT__COMMIT_ABORT,
    LEAT__COMMIT_CLOSE_WRITERS,
    LEAT__COMMIT_OPEN_WRITERS,
    LEAT__COMMIT_INIT
} leat__commit_state_t;

typedef struct leat__commit_t {
    leat__commit_state_t state;
    leat__op_t *op, *op2;        /* op2: of the second writer */
    int64_t began_ms;            /* steady */
    const leat__op_t *watched;   /* pending, in that state, since then */
    leat__commit_state_t watched_state;
    int64_t watched_since_ms;
    int64_t retry_at_ms;         /* an operation is started again then; -1 */
    leat__position_t *positions; /* topic: [keep: plan]; metadata: own */
    size_t count, room;
    int64_t epoch;
    int gap_rounds;
    bool gap_logged; /* something to flush since the last look */
    leat__reader_t *gap_reader;
    int gap_slot;
    size_t gap_task, gap_store;
    int64_t gap_end;
} leat__commit_t;

struct leat__thread_t {
    leat__worker_t *w;
    const leat__broker_vt_t *vt;
    leat__broker_t *b;
    int index;
    char name[32]; /* for the log: "thread=0" */
    leat__mailbox_t mail;
    pthread_t pthread;
    bool started, over;
    _Atomic uint64_t beat; /* steps */
    _Atomic bool given_up; /* by the control thread, while the program's code kept this one */

    /* settings */
    bool exactly_once, read_committed;
    int64_t call_max_ms; /* a call of a writer that has not ended by then never will */
    int64_t commit_interval_ms, transaction_timeout_ms, task_timeout_ms, session_timeout_ms;
    int64_t checkpoint_interval_ms, purge_interval_ms, poll_ms;
    size_t queue_records, queue_bytes, cache_bytes, buffer_bytes; /* per input, per input; shares */

    /* what the control thread said */
    leat__membership_t *membership;
    int64_t epoch;
    bool held;       /* between BARRIER_DONE and MEMBERSHIP: no commits */
    int64_t barrier; /* asked for and not answered; -1 */
    bool lost, stop, paused;
    int64_t stop_since_ms;
    leat__message_t *waiting, **waiting_last; /* behind a MEMBERSHIP that cannot be adopted yet */
    leat__message_t *takes;                   /* RELEASED is due when their tasks are gone */
    bool failing;
    leat_error_t failure;

    /* time */
    int64_t now_ms, wall_ms;  /* steady, wall: of this step */
    int64_t work_since_ms;    /* first uncommitted work; -1 */
    int64_t trouble_since_ms; /* first abort or change of writers since a commit; -1 */
    int64_t rest_until_ms;    /* no processing before: backoff after trouble */
    leat__backoff_t backoff;  /* of commits and writers, since a commit */
    int64_t purge_at_ms, view_at_ms, keep_at_ms;
    bool commit_wanted, busy;
    bool full, crowded;        /* waits for the background writer; should write now */
    size_t room_bytes;         /* entries beyond it end a slice */
    bool waits_for_membership; /* its transaction had to be given up in the pause */

    /* tasks */
    leat__owned_t **tasks;
    size_t task_count, task_room, turn;
    size_t restore_turn; /* the task to begin with */
    bool beside;         /* restores and standbys are beside tasks that run */
    leat__budget_t budget;
    bool overshot; /* said once */
    leat__task_counts_t closed; /* tasks that are no more */
    uint64_t *closed_nodes;     /* their records by node, as in the plan */

    /* in and out */
    leat__reader_t *reader;
    leat__reader_t *restorer;      /* NULL: nothing to restore for some time */
    pthread_mutex_t restorer_lock; /* of the pointer, against those who wake it */
    int64_t restorer_used_ms;
    leat__writer_t *writers[2];
    int writer_count, active;
    bool transaction; /* begun, not ended */
    int64_t transaction_since_ms;
    leat_error_t output_error; /* sticky until the transaction ends */
    leat__map_t targets;
    leat__commit_t commit;
    int fenced_in_row;
    bool renewed; /* lost: the ids are, or are being, initialised anew */
    leat__op_t *purge;

    pthread_mutex_t view_lock;
    leat__thread_view_t view;
    leat__task_view_t *task_views;
    size_t task_view_count, task_view_room;
    uint64_t *node_views; /* records by node, of tasks that are and that were */
    int64_t progress_at_ms; /* of restores, into the log */
    uint64_t commits, aborts, processed;
};

/* thread.c */
void leat__thread_share(leat__thread_t *t, int threads); /* its part of cache and buffers */
void leat__thread_fail(leat__thread_t *t, const leat_error_t *err); /* the first one counts */
void leat__thread_say(leat__thread_t *t, leat__message_t *m);       /* [adopt] to control */

/* thread_view.c */
void leat__view_show(leat__thread_t *t);

/* mail.c */
void leat__mail_take(leat__thread_t *t);
/* answers what can be answered now */
void leat__mail_settle(leat__thread_t *t);
void leat__mail_release(leat__thread_t *t);

/* thread.c */
/* with the task's name */
leat_error_t leat__thread_error(const leat__owned_t *o, const leat_error_t *err);

/* life.c */
leat__owned_t *leat__owned_new(leat__thread_t *t, leat__task_ref_t ref);
void leat__owned_free(leat__owned_t *o);
void leat__owned_step(leat__owned_t *o);
/* on the way anew, with the stores that are open */
void leat__owned_again(leat__owned_t *o);
void leat__owned_close(leat__owned_t *o); /* clean: committed before; ends in GONE */
/* dirty: state as last checkpointed; again: from CREATED */
void leat__owned_drop(leat__owned_t *o, bool again);
/* its local state could not be read: what was computed is void, and so is the state */
bool leat__owned_broken(const leat__owned_t *o);
/* after an abort: to the committed positions */
void leat__owned_rewind(leat__owned_t *o);
void leat__life_measure(leat__owned_t *o); /* where the changelogs begin and end */
void leat__life_run(leat__owned_t *o); /* restored: open and process */

/* starts.c */
void leat__starts_ask(leat__owned_t *o);  /* committed offsets of its inputs */
void leat__starts_wait(leat__owned_t *o); /* for them; says so when they are late */
bool leat__starts_take(leat__owned_t *o); /* false: asked again later, or failed */
/* ends of changelogs are known; false as above */
bool leat__starts_measured(leat__owned_t *o);
/* asks for starts, or goes on if all are known */
void leat__starts_resolve(leat__owned_t *o);
bool leat__starts_resolved(leat__owned_t *o);
/* out of range while running: step by step */
void leat__starts_lost(leat__owned_t *o, leat__lane_t *in);
/* again, or fail */
void leat__starts_refused(leat__owned_t *o, const leat_error_t *err, const char *what);
/* positions as bytes */
void leat__token_write(const leat__owned_t *o, leat__buf_t *out, bool current);
bool leat__token_reached(const leat__owned_t *o, leat_slice_t token);

/* feed.c */
void leat__feed(leat__thread_t *t);
void leat__process(leat__thread_t *t);
int64_t leat__feed_wait_ms(const leat__thread_t *t);

/* output.c */
extern const leat__task_env_t leat__thread_env; /* user: the leat__owned_t */
int leat__output_begin(leat__thread_t *t, leat_error_t *err);
leat__target_t *leat__output_target(leat__thread_t *t, const char *topic, leat_error_t *err);
leat__out_t *leat__output_out(leat__thread_t *t, leat__target_t *target, leat_error_t *err);
int leat__output_log(leat__owned_t *o, size_t store, leat_slice_t key, leat_slice_t value,
    int64_t time_ms, const leat_headers_t *headers, leat_error_t *err);
/* the writers are closed: handles are void */
void leat__output_forget(leat__thread_t *t);
/* a refused record or a sticky error */
bool leat__output_failed(leat__thread_t *t, leat_error_t *err);

/* commit.c */
void leat__commit_open(leat__thread_t *t); /* the first writers */
void leat__commit_start(leat__thread_t *t);
void leat__commit_step(leat__thread_t *t);
void leat__commit_abort(leat__thread_t *t);
void leat__commit_trouble(leat__thread_t *t, const leat__owned_t *o, const leat_error_t *err);
void leat__commit_answer(leat__thread_t *t, leat__op_t *op); /* [adopt] COMMITTING came */
bool leat__commit_idle(const leat__thread_t *t);
bool leat__commit_has_work(const leat__thread_t *t);
/* at least once: may buffers become records? */
bool leat__commit_heard(const leat__thread_t *t);
void leat__commit_flush_early(leat__thread_t *t, leat__owned_t *o);
/* nothing of ours is in doubt or it is being made anew */
bool leat__commit_quiet(const leat__thread_t *t);
bool leat__commit_close(leat__thread_t *t);   /* the writers; true: they are closed */
/** Like a crash: the tasks are dropped, the next start finds out what was committed. */
void leat__commit_give_up(leat__thread_t *t);
/**
 * Of a lost member, which was fenced or will be: its ids are initialised anew before it says that it
 * let go (PROTOCOLS.md 7 (c)), so that nothing of before can be committed and no fence is met later.
 * True: done.
 */
bool leat__commit_renew(leat__thread_t *t);
void leat__commit_release(leat__thread_t *t); /* the thread is dropped */

/* gaps.c: 1: all closed, 0: at it, -1: trouble said */
int leat__gaps_step(leat__thread_t *t);
void leat__gaps_end(leat__thread_t *t);

/* restorer.c */
/* what changelogs are read with; opened if need be */
leat__reader_t *leat__restorer(leat__thread_t *t, leat_error_t *err);
void leat__restorer_rest(leat__thread_t *t); /* closes it when it was not needed for long */
void leat__restorer_wake(leat__thread_t *t); /* from any thread */
void leat__restorer_close(leat__thread_t *t);

/* restore.c */
void leat__restore_begin(leat__owned_t *o);
void leat__restore_step(leat__thread_t *t);
/* event: of those that were being read */
void leat__restore_stop(leat__owned_t *o, leat_restore_event_t event);
uint64_t leat__restore_left(const leat__owned_t *o);

/* standby.c */
void leat__standby_begin(leat__owned_t *o); /* its stores are open */
void leat__standby_step(leat__owned_t *o);
void leat__standby_promote(leat__owned_t *o);
uint64_t leat__standby_left(const leat__owned_t *o); /* to the ends as last seen */

/* keep.c */
void leat__keep_step(leat__thread_t *t);
/* begin one if there is something to write */
void leat__keep_checkpoint(leat__owned_t *o, int64_t wall_ms);
/* ends a finished one; false: still being written */
bool leat__keep_checkpoint_done(leat__owned_t *o);
void leat__keep_note(const leat__owned_t *o); /* the file "offsets" of the task's folder */
void leat__keep_room(leat__thread_t *t); /* evict; sets t->full */
void leat__keep_purge(leat__thread_t *t);

/* Small things. */

/* Is what has failed since then to be tried again? task.timeout.ms = 0: no. */
static inline bool leat__patient(const leat__thread_t *t, int64_t since_ms)
{
    return t->task_timeout_ms > 0 && t->now_ms - since_ms <= t->task_timeout_ms;
}
static inline leat__position_t leat__place(const char *topic, int32_t partition, int64_t offset)
{
    return (leat__position_t){
        .topic = (char *)(uintptr_t)topic, .partition = partition, .offset = offset};
}
static inline void leat__op_drop(leat__op_t **op)
{
    leat__op_free(*op);
    *op = NULL;
}

#endif
