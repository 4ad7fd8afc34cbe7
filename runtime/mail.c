/*
 * runtime/mail.c: what the control thread says to a stream thread, and when it is answered.
 *
 *    BARRIER ──▶ commit ──▶ BARRIER_DONE, held: processes, commits nothing until MEMBERSHIP
 *    TAKE    ──▶ commit ──▶ close, last checkpoint ──▶ RELEASED; of a standby: close ──▶ RELEASED
 *    STOP    ──▶ commit ──▶ RELEASED (all) ──▶ close all, close writers ──▶ STOPPED, over
 *    LOST    ──▶ abort  ──▶ close all ──▶ ids initialised anew ──▶ LOST_DONE
 *    failure ──▶ abort  ──▶ drop all, close writers ──▶ FAILED, over
 *
 * Mail is read in every step, also while operations are pending; what cannot be done yet is
 * remembered. A membership is adopted only between two commits, and under an open transaction only
 * if that transaction is all of kept tasks under an unchanged member id (then ownership never
 * ended, PROTOCOLS.md 7, and the old generation could commit it no more); in every other case the
 * transaction is aborted first (2). Messages that came behind it wait for it, in their order.
 */
#include <string.h>

#include "base/log.h"
#include "thread_inside.h"

/* ---- membership ---- */

static bool among(const leat__message_t *m, const leat__owned_t *o)
{
    for (size_t i = 0; i < m->task_count; i++)
        if (m->tasks[i].group == o->ref.group && m->tasks[i].partition == o->ref.partition)
            return true;
    return false;
}

static bool same_member(const leat__thread_t *t, const leat__message_t *m)
{
    return t->membership && m->membership &&
           !strcmp(leat__membership_member_id(t->membership),
               leat__membership_member_id(m->membership));
}

static bool survives(const leat__thread_t *t, const leat__message_t *m)
{
    if (!t->transaction)
        return true;
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->phase == LEAT__PHASE_RUNNING && leat__task_touched(t->tasks[i]->task) &&
            !among(m, t->tasks[i]))
            return false;
    return same_member(t, m);
}

static bool adopt(leat__thread_t *t, leat__message_t *m)
{
    if (!leat__commit_quiet(t))
        return false;
    if (!survives(t, m)) {
        leat__commit_abort(t);
        if (!leat__commit_quiet(t))
            return false;
    }
    for (size_t i = 0; i < t->task_count; i++)
        if (!among(m, t->tasks[i]))
            leat__owned_close(t->tasks[i]);
    leat__membership_unref(t->membership);
    t->membership = leat__membership_ref(m->membership);
    t->epoch = m->epoch;
    t->held = t->waits_for_membership = false;
    t->barrier = -1;
    t->commit.retry_at_ms = leat__commit_idle(t) ? -1 : t->commit.retry_at_ms;
    t->busy = true;
    return true;
}

/* ---- tasks ---- */

static bool is(const leat__owned_t *o, leat__task_ref_t ref)
{
    return o->ref.group == ref.group && o->ref.partition == ref.partition;
}

static bool goes(const leat__owned_t *o)
{
    return o->taken || o->phase == LEAT__PHASE_CLOSING || o->phase == LEAT__PHASE_GONE ||
           (o->phase == LEAT__PHASE_DRAINING && !o->again);
}

/* The one that stays; others of that name are on their way out. */
static leat__owned_t *find(const leat__thread_t *t, leat__task_ref_t ref)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (is(t->tasks[i], ref) && !goes(t->tasks[i]))
            return t->tasks[i];
    return NULL;
}

static void share_queues(leat__thread_t *t)
{
    size_t inputs = 1;

    for (size_t i = 0; i < t->task_count; i++)
        inputs += t->tasks[i]->standby ? 0 : t->tasks[i]->input_count;
    t->queue_bytes = (size_t)32 * 1024 * 1024 / inputs;
    if (t->queue_bytes < 256 * 1024)
        t->queue_bytes = 256 * 1024;
}

static void give(leat__thread_t *t, const leat__message_t *m)
{
    bool standby = m->say == LEAT__SAY_GIVE_STANDBY;

    for (size_t i = 0; i < m->task_count; i++) {
        leat__owned_t *o = find(t, m->tasks[i]);
        leat_error_t err;

        if (o) {
            if (o->standby && !standby)
                leat__standby_promote(o);
            continue; /* an active one is a better copy than any */
        }
        o = leat__owned_new(t, m->tasks[i]); /* the old one may still close: see waits_for_twin */
        if (!o) {
            leat__error(&err, LEAT_ETOPOLOGY, LEAT_FATAL, t->name,
                "task %d_%d is not in this program's topology: all members of a group must run the "
                "same one",
                (int)m->tasks[i].group, (int)m->tasks[i].partition);
            leat__thread_fail(t, &err);
            return;
        }
        o->standby = standby;
        LEAT__GROW(t->tasks, t->task_count, t->task_room);
        t->tasks[t->task_count++] = o;
    }
    if (m->membership && !t->membership)
        t->membership = leat__membership_ref(m->membership);
    t->epoch = m->epoch > t->epoch ? m->epoch : t->epoch;
    share_queues(t);
}

static void take(leat__thread_t *t, leat__message_t *m)
{
    for (size_t i = 0; i < m->task_count; i++) {
        leat__owned_t *o = find(t, m->tasks[i]);

        if (!o)
            continue;
        o->taken = true;
        if (o->standby)
            leat__owned_close(o); /* no commit has to be waited for */
    }
    m->next = t->takes;
    t->takes = m;
}

/* ---- reading ---- */

static void forget_waiting(leat__thread_t *t)
{
    while (t->waiting) {
        leat__message_t *next = t->waiting->next;

        leat__message_free(t->waiting);
        t->waiting = next;
    }
    t->waiting_last = &t->waiting;
}

static void lost(leat__thread_t *t)
{
    forget_waiting(t); /* all of it was said to a member that is no more */
    while (t->takes) {
        leat__message_t *next = t->takes->next;

        leat__message_free(t->takes);
        t->takes = next;
    }
    t->lost = true;
}

static bool in_order(leat__say_t say)
{
    return say == LEAT__SAY_GIVE || say == LEAT__SAY_GIVE_STANDBY || say == LEAT__SAY_TAKE ||
           say == LEAT__SAY_MEMBERSHIP || say == LEAT__SAY_BARRIER;
}

/* False: not yet. True: done with, and freed or kept. */
static bool read_message(leat__thread_t *t, leat__message_t *m)
{
    switch (m->say) {
    case LEAT__SAY_GIVE:
    case LEAT__SAY_GIVE_STANDBY:
        give(t, m);
        break;
    case LEAT__SAY_TAKE:
        take(t, m);
        return true;
    case LEAT__SAY_MEMBERSHIP:
        if (!adopt(t, m))
            return false;
        break;
    case LEAT__SAY_BARRIER:
        t->barrier = m->number;
        break;
    case LEAT__SAY_LOST:
        lost(t);
        break;
    case LEAT__SAY_COMMITTING:
        leat__commit_answer(t, m->op);
        m->op = NULL;
        break;
    case LEAT__SAY_PAUSE:
    case LEAT__SAY_RESUME:
        t->paused = m->say == LEAT__SAY_PAUSE;
        break;
    case LEAT__SAY_ASK:
        leat__asks_serve(t, m->question);
        m->question = NULL;
        break;
    case LEAT__SAY_SHARES:
        leat__thread_share(t, (int)m->number);
        break;
    case LEAT__SAY_STOP:
        if (!t->stop)
            t->stop_since_ms = t->now_ms;
        t->stop = true;
        break;
    default:
        leat__log(LEAT_LOG_ERROR, "thread", t->name, "a message that is not for threads: %d",
            (int)m->say);
        break;
    }
    leat__message_free(m);
    return true;
}

static void read_waiting(leat__thread_t *t)
{
    while (t->waiting && !t->lost) {
        leat__message_t *m = t->waiting, *next = m->next;

        if (!read_message(t, m))
            return;
        t->waiting = next;
        if (!next)
            t->waiting_last = &t->waiting;
    }
}

void leat__mail_take(leat__thread_t *t)
{
    leat__message_t *m;

    read_waiting(t);
    while ((m = leat__mailbox_take(&t->mail, 0))) {
        t->busy = true;
        if (!(in_order(m->say) && (t->waiting || t->lost)) && read_message(t, m))
            continue;
        *t->waiting_last = m;
        t->waiting_last = &m->next;
    }
}

void leat__mail_release(leat__thread_t *t)
{
    forget_waiting(t);
    while (t->takes) {
        leat__message_t *next = t->takes->next;

        leat__message_free(t->takes);
        t->takes = next;
    }
}

/* ---- answering ---- */

static void answer(leat__thread_t *t, leat__say_t say)
{
    leat__thread_say(t, leat__message_new(say));
}

static void bury(leat__thread_t *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->task_count; i++) {
        if (t->tasks[i]->phase == LEAT__PHASE_GONE)
            leat__owned_free(t->tasks[i]);
        else
            t->tasks[kept++] = t->tasks[i];
    }
    if (kept != t->task_count)
        t->view_at_ms = 0;
    t->task_count = kept;
    t->turn = kept ? t->turn % kept : 0;
}

static void close_tasks(leat__thread_t *t, bool only_taken)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->taken || !only_taken)
            leat__owned_close(t->tasks[i]);
}

static void end(leat__thread_t *t, leat__message_t *m)
{
    leat__thread_say(t, m);
    t->over = true;
}

static void settle_failure(leat__thread_t *t)
{
    leat__message_t *m;

    if (!leat__commit_quiet(t))
        return;
    if (t->transaction && leat__commit_idle(t)) {
        leat__commit_abort(t);
        return;
    }
    for (size_t i = 0; i < t->task_count; i++)
        leat__owned_drop(t->tasks[i], false);
    if (t->task_count || !leat__commit_close(t))
        return;
    m = leat__message_new(LEAT__SAY_FAILED);
    m->err = t->failure;
    end(t, m);
}

static void settle_loss(leat__thread_t *t)
{
    if (!leat__commit_quiet(t))
        return;
    if (t->transaction && leat__commit_idle(t)) {
        leat__commit_abort(t);
        return;
    }
    close_tasks(t, false);
    if (t->task_count || !leat__commit_renew(t))
        return;
    leat__membership_unref(t->membership);
    t->membership = NULL;
    t->lost = t->held = t->waits_for_membership = t->renewed = false;
    t->barrier = -1;
    t->work_since_ms = -1;
    answer(t, LEAT__SAY_LOST_DONE);
    read_waiting(t);
}

/*
 * A stop commits; what cannot be committed in the time of a transaction is left to the next start.
 */
static bool stop_gives_up(leat__thread_t *t)
{
    if (t->membership && t->now_ms - t->stop_since_ms <= t->transaction_timeout_ms)
        return false;
    leat__log(LEAT_LOG_WARN, "thread", t->name,
        "stops without its last commit; the work since the one before will be done again");
    return true;
}

/* What was committed is anybody's: the checkpoints, and closing the writers, are this process' own business. */
static void release_all(leat__thread_t *t)
{
    leat__message_t *m = leat__message_new(LEAT__SAY_RELEASED);

    m->tasks = leat__must_alloc((t->task_count + 1) * sizeof *m->tasks);
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->phase < LEAT__PHASE_CLOSING)
            m->tasks[m->task_count++] = t->tasks[i]->ref;
    if (m->task_count)
        leat__thread_say(t, m);
    else
        leat__message_free(m);
}

static void settle_stop(leat__thread_t *t)
{
    if (!leat__commit_quiet(t))
        return;
    if (leat__commit_has_work(t)) {
        if (!stop_gives_up(t))
            return;
        if (t->transaction && leat__commit_idle(t)) {
            leat__commit_abort(t);
            return;
        }
    }
    release_all(t);
    close_tasks(t, false);
    if (t->task_count || !leat__commit_close(t))
        return;
    end(t, leat__message_new(LEAT__SAY_STOPPED));
}

/* One that was given since then only waits for that. */
static bool all_gone(const leat__thread_t *t, const leat__message_t *m)
{
    for (size_t i = 0; i < m->task_count; i++)
        for (size_t k = 0; k < t->task_count; k++)
            if (is(t->tasks[k], m->tasks[i]) && goes(t->tasks[k]))
                return false;
    return true;
}

static void settle_takes(leat__thread_t *t)
{
    leat__message_t **m = &t->takes;

    if (leat__commit_idle(t) && !leat__commit_has_work(t))
        close_tasks(t, true);
    while (*m) {
        leat__message_t *done = *m;

        if (!all_gone(t, done)) {
            m = &done->next;
            continue;
        }
        *m = done->next;
        done->say = LEAT__SAY_RELEASED;
        leat__thread_say(t, done);
    }
}

static void settle_barrier(leat__thread_t *t)
{
    leat__message_t *m;

    if (t->barrier < 0 || !leat__commit_quiet(t) || leat__commit_has_work(t))
        return;
    m = leat__message_new(LEAT__SAY_BARRIER_DONE);
    m->number = t->barrier;
    t->barrier = -1;
    t->held = true;
    leat__thread_say(t, m);
}

void leat__mail_settle(leat__thread_t *t)
{
    bury(t);
    if (t->stop && !leat__commit_quiet(t) &&
        t->now_ms - t->stop_since_ms > t->transaction_timeout_ms)
        leat__commit_give_up(t); /* the broker is away: a stop does not wait until it is back */
    if (t->failing)
        settle_failure(t);
    else if (t->lost)
        settle_loss(t);
    else if (t->stop)
        settle_stop(t);
    if (t->failing || t->lost || t->over)
        return;
    if (t->takes)
        settle_takes(t);
    settle_barrier(t);
}
