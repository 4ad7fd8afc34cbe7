/*
 * runtime/control.c: the control thread: it keeps the process in the group, obeys placements, and never makes a waiting call.
 *
 *   FENCE ─▶ MEASURE ─▶ READ ─▶ MEMBER ──stop──▶ RELEASE ─▶ LEAVE ─▶ CLOSE ─▶ OVER
 *
 * Here are its mail, its phases and its life; control_member.c has the group's events, control_tasks.c the placements,
 * leader.c what only the leader does.
 */
#include "control_inside.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MS = 20, BUSY_MS = 1, POLL_MS = 50 };

/* ---- mail ---- */

static void commit_for(leat__control_t *c, leat__message_t *m)
{
    leat__message_t *answer = leat__message_new(LEAT__SAY_COMMITTING);

    answer->from = -1;
    answer->number = m->number;
    answer->epoch = m->epoch;
    if (c->membership != NULL && m->epoch == c->epoch && !c->losing &&
        (c->settled || c->revoking) && !c->seats[m->from].stuck)
        answer->op = c->w->broker->vt->member_commit(
            c->member, c->membership, m->positions, m->position_count);
    leat__control_tell(c, m->from, answer);
}

static void handle(leat__control_t *c, leat__message_t *m)
{
    leat__holding_t *o;

    if (m->from >= 0 && c->seats[m->from].stuck && m->say != LEAT__SAY_COMMIT &&
        m->say != LEAT__SAY_FAILED && m->say != LEAT__SAY_STOPPED) {
        leat__message_free(m); /* of tasks that it has no more */
        return;
    }
    switch (m->say) {
    case LEAT__SAY_BARRIER_DONE:
        if (m->number == c->barrier)
            c->seats[m->from].barrier_due = false;
        break;
    case LEAT__SAY_LOST_DONE:
        c->seats[m->from].lost_due = false;
        break;
    case LEAT__SAY_RELEASED:
        for (size_t i = 0; i < m->task_count; i++)
            leat__control_disown(c, m->tasks[i]);
        c->obeyed = -1; /* the placement in force may have changed its mind meanwhile */
        break;
    case LEAT__SAY_RESTORED:
        for (size_t i = 0; i < m->task_count; i++)
            if ((o = leat__control_find_owned(c, m->tasks[i])) != NULL) {
                o->restored = true;
                o->lag = 0;
            }
        break;
    case LEAT__SAY_COMMIT:
        commit_for(c, m);
        break;
    case LEAT__SAY_FAILED:
        leat__control_thread_failed(c, m);
        break;
    case LEAT__SAY_STOPPED:
        c->seats[m->from].stopped = true;
        c->seats[m->from].barrier_due = c->seats[m->from].lost_due = false;
        break;
    case LEAT__SAY_STOP:
        c->stopping = true;
        leat__control_tell_all(c, LEAT__SAY_STOP, 0);
        break;
    case LEAT__SAY_ASK:
        leat__control_answer(c, m->question);
        m->question = NULL;
        break;
    case LEAT__SAY_PAUSE:
    case LEAT__SAY_RESUME:
        c->paused = m->say == LEAT__SAY_PAUSE;
        leat__control_tell_all(c, m->say, 0);
        break;
    case LEAT__SAY_SHARES:
        c->threads_wanted = (int)m->number;
        break;
    default:
        LEAT_ASSERT(false && "a message for the control thread");
    }
    leat__message_free(m);
}

void leat__control_fail(leat__control_t *c, const leat_error_t *err)
{
    if (!c->failed) {
        c->failed = true;
        c->failure = *err;
        if (c->hooks.failed != NULL)
            c->hooks.failed(c->hooks.user, err);
    }
    if (!c->stopping) {
        c->stopping = true;
        leat__control_tell_all(c, LEAT__SAY_STOP, 0);
    }
}

/* ---- phases ---- */

/* Our own ids, of seats from..until-1. */
static void start_fencing(leat__control_t *c, int from, int until)
{
    size_t room = (size_t)(until - from) * 2 + 1;
    char(*ids)[600] = leat__must_alloc(room * sizeof *ids);
    const char **list = leat__must_alloc(room * sizeof *list);
    size_t count = 0;

    for (int i = from; i < until; i++)
        for (char which = 'a'; which <= 'b'; which++) {
            leat__transactional_id(
                ids[count], sizeof *ids, c->w->application_id, c->w->process_id, i, which);
            list[count] = ids[count];
            count++;
        }
    c->op = c->w->broker->vt->fence(c->w->broker, list, count);
    leat__free(ids);
    leat__free(list);
}

static void start_measuring(leat__control_t *c)
{
    leat__position_t p = {.topic = c->log.topic, .partition = 0};

    c->op = c->w->broker->vt->offsets(c->w->broker, &p, 1, LEAT__HIGH_WATERMARK);
}

static bool op_over(leat__control_t *c, leat_error_t *err)
{
    if (c->op != NULL && !leat__op_done(c->op))
        return false;
    *err = c->op == NULL ? (leat_error_t){.code = LEAT_OK} : c->op->err;
    return true;
}

static void renew_incarnations(leat__control_t *c)
{
    for (size_t i = 0; i < c->created_count; i++)
        leat__control_log_incarnate(&c->log, c->created[i]);
    for (size_t i = 0; i < c->w->plan->internal_topic_count; i++) {
        const leat__internal_topic_t *t = &c->w->plan->internal_topics[i];
        bool made = false;

        for (size_t k = 0; k < c->created_count; k++)
            made = made || strcmp(c->created[k], t->name) == 0;
        if (!t->repartition && !t->source_changelog && !made &&
            leat__control_log_incarnation(&c->log, t->name) == 0)
            leat__control_log_incarnate(&c->log, t->name);
    }
}

/* An earlier life may have had more threads than this one begins with. */
static int earlier_seats(const leat__control_t *c)
{
    const leat__status_t *s = leat__control_log_process(&c->log, c->w->process_id);

    return s == NULL ? 0 : s->seats;
}

static bool fences(const leat__control_t *c)
{
    return c->phase == LEAT__CONTROL_FENCE || c->phase == LEAT__CONTROL_FENCE_REST;
}

static bool starting_step(leat__control_t *c)
{
    leat_error_t err;

    if (c->stopping) {
        leat__op_free(c->op);
        c->op = NULL;
        for (int i = 0; c->phase < LEAT__CONTROL_READ && i < c->seat_count; i++)
            c->seats[i].stopped = true; /* never started */
        c->phase = LEAT__CONTROL_MEMBER;
        return true;
    }
    leat__control_log_poll(&c->log);
    if (c->phase == LEAT__CONTROL_READ) {
        if (c->log.next < c->target || !leat__control_copies_known(c))
            return true;
        leat__control_copies_step(c);
        renew_incarnations(c);
        if (c->w->exactly_once && earlier_seats(c) > c->seat_count) {
            start_fencing(c, c->seat_count, earlier_seats(c));
            c->phase = LEAT__CONTROL_FENCE_REST;
        } else {
            leat__control_join_group(c);
        }
        return true;
    }
    if (!op_over(c, &err))
        return true;
    if (err.code != 0 && c->phase == LEAT__CONTROL_MEASURE && (err.flags & LEAT_RETRIABLE) == 0) {
        leat__control_fail(c, &err);
    } else if (err.code != 0 && fences(c) && err.code != LEAT_EFENCED &&
               (err.flags & LEAT_RETRIABLE) == 0) {
        leat__control_fail(c, &err);
    } else if (err.code != 0 && err.code != LEAT_EFENCED) {
        leat__op_free(c->op);
        if (c->phase == LEAT__CONTROL_FENCE)
            start_fencing(c, 0, c->seat_count);
        else if (c->phase == LEAT__CONTROL_FENCE_REST)
            start_fencing(c, c->seat_count, earlier_seats(c));
        else
            start_measuring(c);
        return true;
    } else if (c->phase == LEAT__CONTROL_FENCE_REST) {
        leat__op_free(c->op);
        c->op = NULL;
        leat__control_join_group(c);
    } else if (c->phase == LEAT__CONTROL_FENCE) {
        leat__op_free(c->op);
        start_measuring(c);
        c->phase = LEAT__CONTROL_MEASURE;
    } else {
        c->target = c->op->position_count > 0 ? c->op->positions[0].offset : 0;
        leat__op_free(c->op);
        c->op = NULL;
        c->phase = LEAT__CONTROL_READ;
        for (int i = 0; i < c->seat_count; i++)
            if (leat__thread_start(c->seats[i].thread, &err) != 0)
                leat__control_fail(c, &err);
    }
    return true;
}

/* A stuck one holds up the end of the app, not the leaving of the group: its tasks were given up. */
static bool threads_stopped(const leat__control_t *c, bool stuck_too)
{
    for (int i = 0; i < c->seat_count; i++)
        if (!c->seats[i].stopped && (stuck_too || !c->seats[i].stuck))
            return false;
    return true;
}

static void leave_step(leat__control_t *c)
{
    if (c->phase == LEAT__CONTROL_MEMBER) {
        leat__control_disown_all(c);
        if (c->member != NULL)
            leat__control_write_status(c);
        c->phase = LEAT__CONTROL_RELEASE;
        c->target = c->now_ms + 5000;
    }
    if (c->phase == LEAT__CONTROL_RELEASE) {
        leat__control_log_poll(&c->log); /* first: it replaces what statuses there are */
        const leat__status_t *own = leat__control_log_process(&c->log, c->w->process_id);

        /* an earlier status, from when it began to stop, still holds tasks */
        if (c->status_text != NULL &&
            (own == NULL || own->state == LEAT__PROCESS_RUNNING || own->held_count > 0) &&
            c->now_ms < c->target)
            return;
        if (c->settled && c->leads)
            leat__lead_hand_over(c);
        leat__lead_end(c);
        c->phase = LEAT__CONTROL_LEAVE;
    }
    if (c->phase == LEAT__CONTROL_LEAVE) {
        leat__control_log_poll(&c->log);
        if (!leat__control_log_written(&c->log) && c->now_ms < c->target)
            return;
        bool dynamic = strcmp(leat__config_text(c->w->config, "group.membership"), "dynamic") == 0;
        if (c->member != NULL) {
            leat__op_free(c->op);
            c->op = c->w->broker->vt->member_close(c->member, dynamic);
        }
        c->member = NULL;
        c->phase = LEAT__CONTROL_CLOSE;
        c->target = c->now_ms + 10000;
    }
    if (c->phase == LEAT__CONTROL_CLOSE && threads_stopped(c, true) &&
        (c->op == NULL || leat__op_done(c->op) || c->now_ms >= c->target)) {
        leat__op_free(c->op);
        c->op = NULL;
        c->phase = LEAT__CONTROL_OVER;
        if (c->hooks.stopped != NULL)
            c->hooks.stopped(c->hooks.user);
    }
}

/* Everybody's tasks have somebody who works on them: not just "none are mine" while the dead are waited for. */
static bool all_placed(const leat__placement_t *p)
{
    for (size_t i = 0; i < p->task_count; i++)
        if (p->tasks[i].owner < 0 || p->members[p->tasks[i].owner].threads == 0)
            return false;
    return true;
}

static void report(leat__control_t *c)
{
    bool running = c->settled && c->obeyed >= 0 && c->obeyed == c->log.placement_offset &&
                   !c->stopping &&
                   (leat__control_running_count(c) > 0 || all_placed(&c->log.placement));

    for (size_t i = 0; running && i < c->owned_count; i++)
        running = c->owned[i].standby || (c->owned[i].restored && !c->owned[i].releasing);
    if (c->running_said && running == c->running)
        return;
    c->running_said = true;
    c->running = running;
    if (c->hooks.state != NULL && !c->stopping)
        c->hooks.state(c->hooks.user, running);
}

/* Another process asks all of them to stop. */
static void hear_shutdown(leat__control_t *c)
{
    const char *key;
    void *value;

    for (size_t i = 0; leat__map_next(&c->log.statuses, &i, &key, &value);) {
        const leat__status_t *s = value;
        leat_error_t err;

        if (s->state != LEAT__PROCESS_SHUTDOWN || strcmp(key, c->w->process_id) == 0 ||
            c->stopping || leat__placement_member(&c->log.placement, s->member_id) < 0)
            continue;
        leat__error(&err, LEAT_EFAILED, LEAT_FATAL, "application",
            "process %s asked all processes to stop", key);
        leat__control_fail(c, &err);
    }
}

int64_t leat__control_step(leat__control_t *c)
{
    leat__message_t *m;
    bool busy = false;

    c->now_ms = leat__clock_steady_ms(c->w->clock);
    while ((m = leat__mailbox_take(&c->w->control, 0)) != NULL)
        handle(c, m);
    if (c->phase < LEAT__CONTROL_MEMBER)
        return starting_step(c) ? BUSY_MS : IDLE_MS;
    if (c->phase == LEAT__CONTROL_MEMBER) {
        busy = leat__control_log_poll(&c->log);
        if (c->log.failure.code != 0)
            leat__control_fail(c, &c->log.failure);
        if (c->member != NULL)
            leat__control_member_step(c);
        leat__control_settle(c);
        if (c->rejoin_at_ms != 0)
            leat__control_rejoin_step(c);
        hear_shutdown(c);
        leat__control_seats_step(c);
        leat__control_obey(c);
        leat__control_copies_step(c);
        leat__control_write_status(c);
        leat__control_show_owners(c);
        busy = leat__lead_step(c) || busy || !c->settled || !c->running;
        report(c);
    }
    if (c->stopping && (c->owned_count == 0 || threads_stopped(c, false)) &&
        (!c->revoking || c->member == NULL))
        leave_step(c);
    if (c->phase == LEAT__CONTROL_OVER)
        return -1;
    return busy || c->stopping ? BUSY_MS * 2 : c->settled ? POLL_MS : IDLE_MS;
}

/* ---- life ---- */

static uint64_t incarnation_of(void *user, const char *topic)
{
    leat__control_t *c = user;

    return leat__control_log_incarnation(&c->log, topic);
}

static double heard_ms(void *user)
{
    leat__control_t *c = user;

    return (double)(leat__clock_steady_ms(c->w->clock) - atomic_load(&c->heard_at_ms));
}

leat__control_t *leat__control_new(leat__worker_t *w, const leat__control_hooks_t *hooks,
    int64_t log_start, const char *const *created, size_t created_count, leat_error_t *err)
{
    leat__control_t *c = leat__must_alloc(sizeof *c);

    c->w = w;
    c->hooks = *hooks;
    c->obeyed = -1;
    c->lead.backoff = leat__backoff(w->config, w->process_id, -1);
    pthread_mutex_init(&c->seats_lock, NULL);
    pthread_mutex_init(&c->owners_lock, NULL);
    if (leat__control_log_open(&c->log, w->broker, w->application_id, log_start, err) != 0) {
        pthread_mutex_destroy(&c->seats_lock);
        pthread_mutex_destroy(&c->owners_lock);
        leat__free(c);
        return NULL;
    }
    w->incarnation = incarnation_of;
    w->incarnation_user = c;
    w->heard_ms = heard_ms;
    w->heard_user = c;
    atomic_store(&c->heard_at_ms, leat__clock_steady_ms(w->clock));
    c->created = leat__must_alloc((created_count + 1) * sizeof *c->created);
    for (size_t i = 0; i < created_count; i++)
        c->created[c->created_count++] = leat__must_strdup(created[i]);
    if (leat__control_seats_open(c, err) != 0) {
        leat__control_free(c);
        return NULL;
    }
    leat__control_copies_open(c);
    if (w->exactly_once) {
        start_fencing(c, 0, c->seat_count);
        c->phase = LEAT__CONTROL_FENCE;
    } else {
        start_measuring(c);
        c->phase = LEAT__CONTROL_MEASURE;
    }
    return c;
}

static void *run(void *user)
{
    leat__control_t *c = user;
    int64_t wait;

    while ((wait = leat__control_step(c)) >= 0) {
        leat__message_t *m = leat__mailbox_take(&c->w->control, wait < POLL_MS ? wait : POLL_MS);
        if (m != NULL)
            handle(c, m);
    }
    return NULL;
}

int leat__control_start(leat__control_t *c, leat_error_t *err)
{
    if (pthread_create(&c->pthread, NULL, run, c) != 0)
        return leat__error(err, LEAT_EFAILED, LEAT_FATAL, "control thread", "cannot be started");
    c->started = true;
    return 0;
}

void leat__control_join(leat__control_t *c)
{
    if (c->started)
        pthread_join(c->pthread, NULL);
    c->started = false;
}

void leat__control_free(leat__control_t *c)
{
    if (c == NULL)
        return;
    leat__control_join(c);
    leat__control_seats_free(c);
    leat__lead_end(c);
    if (c->member != NULL) {
        leat__op_t *op = c->w->broker->vt->member_close(c->member, false);
        leat__op_wait(op, 5000);
        leat__op_free(op);
    }
    leat__op_free(c->op);
    leat__membership_unref(c->membership);
    leat__membership_unref(c->next);
    leat__map_release(&c->lead.fenced, NULL);
    leat__free(c->lead.published);
    leat__control_log_close(&c->log);
    for (size_t i = 0; i < c->created_count; i++)
        leat__free(c->created[i]);
    leat__free(c->created);
    leat__control_copies_free(c);
    leat__free(c->owned);
    leat__free(c->status_text);
    leat__free(c->own_member_id);
    leat__owners_drop(c->owners);
    pthread_mutex_destroy(&c->seats_lock);
    pthread_mutex_destroy(&c->owners_lock);
    leat__free(c);
}

void leat__control_stop(leat__control_t *c)
{
    leat__mailbox_post(&c->w->control, leat__message_new(LEAT__SAY_STOP));
}

void leat__control_pause(leat__control_t *c, bool pause)
{
    leat__mailbox_post(
        &c->w->control, leat__message_new(pause ? LEAT__SAY_PAUSE : LEAT__SAY_RESUME));
}

void leat__control_set_threads(leat__control_t *c, int count)
{
    leat__message_t *m = leat__message_new(LEAT__SAY_SHARES);

    m->number = count;
    leat__mailbox_post(&c->w->control, m);
}

void leat__control_view(leat__control_t *c, leat__thread_view_t *sum)
{
    memset(sum, 0, sizeof *sum);
    pthread_mutex_lock(&c->seats_lock);
    for (int i = 0; i < c->seat_count; i++) {
        leat__thread_view_t v;
        leat__thread_view(c->seats[i].thread, &v);
        leat__task_counts_add(&sum->counts, &v.counts);
        sum->task_count += v.task_count;
        sum->restoring_count += v.restoring_count;
        sum->restore_left += v.restore_left;
        sum->restore_rate += v.restore_rate;
        sum->standby_count += v.standby_count;
        sum->standby_left += v.standby_left;
        sum->lag += v.lag;
        sum->commits += v.commits;
        sum->aborts += v.aborts;
        sum->threads += v.threads;
    }
    pthread_mutex_unlock(&c->seats_lock);
}
