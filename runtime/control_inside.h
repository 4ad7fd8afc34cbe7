/* runtime/control_inside.h: what the files of the control thread share. */
#ifndef LEAT__RUNTIME_CONTROL_INSIDE_H
#define LEAT__RUNTIME_CONTROL_INSIDE_H

#include "base/backoff.h"
#include "control.h"
#include "control_log.h"
#include "owners.h"
#include "state_dir.h"

typedef enum leat__lead_state_t {
    LEAT__LEAD_NO,
    LEAT__LEAD_CLAIM,    /* the claim is being written */
    LEAT__LEAD_MEASURE,  /* the control topic's high watermark, taken after the claim */
    LEAT__LEAD_READ,     /* up to it */
    LEAT__LEAD_DESCRIBE, /* who is in the group */
    LEAT__LEAD_PLACED    /* published; again whenever a status changes or a fence is up */
} leat__lead_state_t;

typedef struct leat__lead_t {
    leat__lead_state_t state;
    leat__op_t *op;
    int64_t target, retry_ms;
    leat__backoff_t backoff; /* of what the broker refused in a row */
    leat__group_member_t *members;
    size_t member_count; /* as described */
    uint64_t changes;    /* log->changes that the last placement knew */
    uint64_t asked_at;   /* log->changes when the group was asked for */
    int64_t revision;
    char *published;   /* the last placement's text but for its revision */
    leat__op_t *fence; /* under way, for `fencing` */
    char **fencing;
    size_t fencing_count;
    leat__map_t fenced; /* process ids that can commit nothing any more, in this term */
    bool again;         /* compute once more */
    int64_t since_ms;   /* leads since */
    int64_t wake_ms;    /* compute once more then: who will be back has not come, a look at what warms up */
    bool buried;        /* the statuses of the gone are deleted, as far as known */
} leat__lead_t;

typedef struct leat__holding_t { /* a task that this process owns, or keeps a copy of */
    leat__task_ref_t ref;
    int thread;
    bool standby;
    bool restored, releasing;
    bool caught_up; /* standby: as it was last said; a little behind again does not count */
    int64_t lag;    /* standby: LEAT__LAG_UNKNOWN at first; else of a restore that is far from its end, 0 */
    int64_t said;   /* its class in the last status */
} leat__holding_t;

typedef struct leat__dormant_t { /* state on disk of a task that this process does not hold */
    leat__task_ref_t ref;
    int64_t lag, since_ms;
} leat__dormant_t;

typedef enum leat__control_phase_t {
    LEAT__CONTROL_FENCE,   /* this process' own ids of an earlier life */
    LEAT__CONTROL_MEASURE, /* the control topic's end */
    LEAT__CONTROL_READ,    /* up to it: incarnations, statuses */
    LEAT__CONTROL_FENCE_REST, /* ids of seats that an earlier life had beyond ours */
    LEAT__CONTROL_MEMBER,  /* in the group */
    LEAT__CONTROL_RELEASE, /* all threads have let go: said so, to be read back */
    LEAT__CONTROL_LEAVE,   /* the last records are being written */
    LEAT__CONTROL_CLOSE,   /* the member is being closed */
    LEAT__CONTROL_OVER
} leat__control_phase_t;

typedef struct leat__seat_t { /* a stream thread */
    leat__thread_t *thread;
    bool stopped; /* or failed: no more mail to it */
    bool barrier_due, lost_due;
    bool leaving, ending; /* fewer threads are wanted; it was told to stop */
    bool stuck;           /* does not come back from the program's code */
    uint64_t beat;        /* of its last step that was seen, and when */
    int64_t beat_ms;
    leat__op_t *fence;    /* stuck: of its ids, under way */
    leat__backoff_t backoff; /* of threads here that fail one after the other */
    int64_t failed_ms;       /* when the last one did; 0: none */
    int64_t replace_at_ms;   /* a fresh one is due then; -1 */
} leat__seat_t;

typedef struct leat__given_up_t { /* a task that a stuck thread had */
    leat__task_ref_t ref;
    int seat;   /* of that thread, which still has it open; -1: it came back */
    bool taken; /* a placement knows that it is not ours any more */
} leat__given_up_t;

struct leat__control_t {
    leat__worker_t *w;
    leat__control_hooks_t hooks;
    leat__control_log_t log;
    char **created;
    size_t created_count;
    pthread_t pthread;
    bool started;

    leat__control_phase_t phase;
    leat__op_t *op;
    int64_t target; /* of the first reading */
    int64_t now_ms;
    _Atomic int64_t heard_at_ms; /* steady time when the group was last heard */

    leat__seat_t *seats;
    int seat_count;
    pthread_mutex_t seats_lock; /* view against replacement */
    leat__given_up_t *given_up;
    size_t given_up_count, given_up_room;
    int threads_wanted;
    bool spread;        /* a seat is new, a copy was promoted: tasks may move to another thread */
    int64_t watched_ms; /* when seats were last looked at */

    leat__member_t *member;
    leat__membership_t *membership; /* adopted; NULL before the first and after LOST */
    leat__membership_t *next;       /* assigned, but threads still let go */
    bool next_leads, leads;
    bool settled; /* between ASSIGN and the answer to the revoke */
    int64_t epoch;
    int64_t barrier; /* number of the last one */
    bool revoking, losing;
    int64_t revoke_deadline_ms;
    int64_t rejoin_at_ms; /* fenced: joins again then, unless another process has our id; 0 */
    int64_t fenced_at_ms; /* last */
    int fenced_times;     /* each soon after the one before */

    leat__holding_t *owned; /* sorted */
    size_t owned_count, owned_room;

    leat__dormant_t *dormant; /* sorted */
    size_t dormant_count, dormant_room;
    leat__op_t *ends; /* under way: the ends of their changelogs */
    leat__local_task_t *measured;
    size_t measured_count;
    int64_t ends_at_ms, ends_began_ms; /* due then; INT64_MAX: not at all */
    int64_t look_ms;                   /* when threads are asked next how far they are */
    leat__task_view_t *views;
    size_t view_room;
    leat__tag_t *tags;
    size_t tag_count;
    uint64_t forgotten; /* of the log, as last looked at */
    int64_t obeyed;      /* offset of the placement obeyed in this generation; -1 */
    leat__owners_t *owners;   /* as of owners_at, owners_changes; under owners_lock */
    int64_t owners_at;        /* placement_offset */
    uint64_t owners_changes;  /* log.changes */
    pthread_mutex_t owners_lock;
    char *status_text;   /* the last one written */
    char *own_member_id; /* in it */
    bool running_said, running;

    leat__lead_t lead;
    bool stopping, failed, shutdown_all, paused;
    leat_error_t failure;
};

/* leader.c */
void leat__lead_begin(leat__control_t *c);
void leat__lead_end(leat__control_t *c);
bool leat__lead_step(leat__control_t *c); /* true: busy */
bool leat__lead_knows(const leat__lead_t *d, const char *process_id,
    const char *member_id); /* in the group, when it was asked */
/** leader_view.c: the placement that follows from all that is known, as if member `without` left. [own] leat__placement_release.
 *  False: a task has no owner that is there. */
bool leat__lead_compute(leat__control_t *c, leat__placement_t *p, const char *without);
/** Clean stop of the leader: give its tasks to the others before it goes. */
void leat__lead_hand_over(leat__control_t *c);

/* control_tasks.c */
leat__message_t *leat__message_about(
    leat__say_t say, const leat__task_ref_t *refs, size_t count, int64_t epoch);
void leat__control_tell(leat__control_t *c, int thread, leat__message_t *m); /* [adopt] */
void leat__control_tell_all(leat__control_t *c, leat__say_t say, int64_t number);
void leat__control_tell_membership(leat__control_t *c, int thread);
leat__holding_t *leat__control_find_owned(leat__control_t *c, leat__task_ref_t ref); /* or standby */
void leat__control_disown(leat__control_t *c, leat__task_ref_t ref);
void leat__control_disown_all(leat__control_t *c);
size_t leat__control_running_count(const leat__control_t *c); /* owned, not standbys */
void leat__control_take(leat__control_t *c, leat__holding_t *o); /* two steps: RELEASED follows */
void leat__control_obey(leat__control_t *c);
void leat__control_write_status(leat__control_t *c); /* if it changed */

/* control_copies.c */
void leat__control_copies_open(leat__control_t *c);
void leat__control_copies_free(leat__control_t *c);
bool leat__control_copies_known(const leat__control_t *c); /* those found at start have been measured */
void leat__control_copies_step(leat__control_t *c);
void leat__control_keeps(leat__control_t *c, leat__task_ref_t ref, int64_t lag); /* on disk, no longer held */
void leat__control_uses(leat__control_t *c, leat__task_ref_t ref);              /* held from now on */
void leat__control_list_copies(leat__control_t *c, leat__status_t *s); /* [own] s->copies */

/* control_seats.c */
int leat__control_seats_open(leat__control_t *c, leat_error_t *err);
void leat__control_seats_free(leat__control_t *c);
void leat__control_seats_step(leat__control_t *c);
void leat__control_thread_failed(leat__control_t *c, const leat__message_t *m);
int leat__control_choose_thread(
    const leat__control_t *c, leat__task_ref_t ref, bool standby); /* -1: none */
bool leat__control_given_up(const leat__control_t *c, leat__task_ref_t ref);
void leat__control_see_given_up(leat__control_t *c, int me); /* in the placement in force */
bool leat__control_fencing(const leat__control_t *c); /* the ids of a stuck thread */
void leat__control_list_given_up(const leat__control_t *c, leat__status_t *s);
int leat__control_able_threads(const leat__control_t *c); /* that can take tasks */

/* control_ask.c */
void leat__control_show_owners(leat__control_t *c); /* to other threads, if something has changed */

/* control_member.c */
void leat__control_join_group(leat__control_t *c);
void leat__control_member_step(leat__control_t *c); /* the group's events */
void leat__control_settle(leat__control_t *c); /* answers and adopts when the threads are ready */
void leat__control_rejoin_step(leat__control_t *c);

/* control.c */
void leat__control_fail(leat__control_t *c, const leat_error_t *err);

#endif
