/*
 * runtime/thread.c: a stream thread: its life, and one step of it.
 *
 *            GIVE
 *    new ──▶ WORKING: mail ─▶ commit ─▶ tasks ─▶ restore ─▶ keep ─▶ feed, process ─▶ commit due? ─┐
 *               ▲     (commit.c: IDLE, FLUSH ... INIT; life.c: each task's own way)               │
 *               ├── held (barrier answered): processes, commits nothing until MEMBERSHIP ◀────────┤
 *               ├── lost: aborts, closes all, says LOST_DONE ◀────────────────────────────────────┤
 *               └─────────────────────────────────────────────────────────────────────────────────┤
 *    over ◀── STOPPED ◀── all closed ◀── commit ◀── STOP ◀────────────────────────────────────────┤
 *    over ◀── FAILED ◀── all dropped ◀── abort ◀── failure ◀──────────────────────────────────────┘
 *
 * A step never waits: what takes time is an operation that later steps look at. So the same code is
 * run by a pthread and, step by step, by tests and the simulator under a clock of theirs. No record
 * is processed while a commit is under way (a transaction must not get records behind its offsets);
 * restoring tasks and mail go on.
 */
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "thread_inside.h"

enum { CALL_SLACK_MS = 10000, OPERATION_MS = 10, RESTORE_MS = 20, RESTORE_BESIDE_MS = 2, TAIL_MS = 100, FULL_MS = 5 };

void leat__transactional_id(char *room, size_t size, const char *application_id,
    const char *process_id, int thread, char which)
{
    snprintf(room, size, "%s-%s-%d-%c", application_id, process_id, thread, which);
}

void leat__thread_say(leat__thread_t *t, leat__message_t *m)
{
    m->from = t->index;
    leat__mailbox_post(&t->w->control, m);
}

void leat__thread_fail(leat__thread_t *t, const leat_error_t *err)
{
    t->busy = true;
    if (t->failing)
        return;
    t->failing = true;
    t->failure = *err;
    leat__log(LEAT_LOG_ERROR, "thread", t->name, "fails: %s: %s (%s)", err->where, err->text,
        leat_error_name(err->code));
}

leat_error_t leat__thread_error(const leat__owned_t *o, const leat_error_t *err)
{
    leat_error_t named = *err;

    if (!strstr(err->where, o->id))
        snprintf(named.where, sizeof named.where, "task %s%s%.120s", o->id,
            err->where[0] ? ": " : "", err->where);
    return named;
}

/* ---- made ---- */

void leat__thread_share(leat__thread_t *t, int threads)
{
    const leat_config_t *c = t->w->config;
    size_t shares = threads > 0 ? (size_t)threads : 1;

    t->cache_bytes = (size_t)leat__config_int(c, "statestore.cache.max.bytes") / shares;
    t->buffer_bytes = (size_t)leat__config_int(c, "statestore.buffer.max.bytes") / shares;
    t->budget.restore_bytes = t->buffer_bytes / 2; /* the rest is for tasks that run */
    t->room_bytes = t->buffer_bytes;
}

static void read_settings(leat__thread_t *t)
{
    const leat_config_t *c = t->w->config;

    t->exactly_once = t->w->exactly_once;
    t->read_committed = t->exactly_once ||
                        !strcmp(leat__config_text(c, "consumer.isolation.level"), "read_committed");
    t->commit_interval_ms = leat__config_int(c, "commit.interval.ms");
    t->transaction_timeout_ms = leat__config_int(c, "transaction.timeout.ms");
    t->call_max_ms = leat__config_int(c, "default.api.timeout.ms");
    if (t->call_max_ms < 2 * t->transaction_timeout_ms)
        t->call_max_ms = 2 * t->transaction_timeout_ms;
    t->call_max_ms += CALL_SLACK_MS;
    t->task_timeout_ms = leat__config_int(c, "task.timeout.ms");
    t->session_timeout_ms = leat__config_int(c, "session.timeout.ms");
    t->checkpoint_interval_ms = leat__config_int(c, "statestore.checkpoint.interval.ms");
    t->purge_interval_ms = leat__config_int(c, "repartition.purge.interval.ms");
    t->poll_ms = leat__config_int(c, "poll.ms");
    if (t->poll_ms > leat__config_int(c, "max.poll.interval.ms") / 4) /* nobody shall take it for stuck */
        t->poll_ms = leat__config_int(c, "max.poll.interval.ms") / 4;
    t->queue_records = (size_t)leat__config_int(c, "buffered.records.per.partition");
    t->queue_bytes = (size_t)32 * 1024 * 1024;
    t->backoff = leat__backoff(c, t->w->process_id, t->index);
    leat__thread_share(t, t->w->thread_count);
    /* Two writers take turns where one would wait for its markers (librdkafka.md I, row 2). */
    t->writer_count = t->exactly_once && t->commit_interval_ms < 50 ? 2 : 1;
}

static void wake(void *user)
{
    leat__thread_t *t = user;

    t->vt->reader_wake(t->reader);
    leat__restorer_wake(t);
}

/* A thread's part of all there are, as if this process were alone. */
static size_t input_partitions(const leat__worker_t *w)
{
    size_t threads = w->thread_count > 0 ? (size_t)w->thread_count : 1, all = 0;

    for (size_t g = 0; g < w->plan->group_count; g++)
        for (size_t i = 0; !w->plan->groups[g].global && i < w->plan->groups[g].topic_count; i++)
            all += (size_t)w->plan->groups[g].partition_counts[i];
    return (all + threads - 1) / threads;
}

static leat__reader_t *open_reader(leat__thread_t *t, leat_error_t *err)
{
    char client[512];
    leat__reader_opts_t opts = {.client_id = client,
        .group = t->w->application_id,
        .settings = "main.consumer.",
        .partitions = input_partitions(t->w),
        .read_committed = t->read_committed};

    snprintf(client, sizeof client, "%s-%d-reader", t->w->application_id, t->index);
    return t->vt->reader_open(t->b, &opts, err);
}

leat__thread_t *leat__thread_new(leat__worker_t *w, int index, leat_error_t *err)
{
    leat__thread_t *t = leat__must_alloc(sizeof *t);

    t->w = w;
    t->b = w->broker;
    t->vt = w->broker->vt;
    t->index = index;
    snprintf(t->name, sizeof t->name, "thread=%d", index);
    read_settings(t);
    t->barrier = t->work_since_ms = t->trouble_since_ms = t->commit.retry_at_ms = -1;
    t->waiting_last = &t->waiting;
    t->now_ms = leat__clock_steady_ms(w->clock);
    t->purge_at_ms = t->now_ms + t->purge_interval_ms;
    t->progress_at_ms = t->now_ms + LEAT__PROGRESS_MS;
    leat__mailbox_init(&t->mail);
    pthread_mutex_init(&t->view_lock, NULL);
    pthread_mutex_init(&t->restorer_lock, NULL);
    t->view = (leat__thread_view_t){.index = index, .threads = 1};
    t->closed_nodes = leat__must_alloc((w->plan->node_count + 1) * sizeof *t->closed_nodes);
    t->node_views = leat__must_alloc((w->plan->node_count + 1) * sizeof *t->node_views);
    t->reader = open_reader(t, err);
    if (!t->reader || !leat__restorer(t, err)) {
        leat__thread_free(t);
        return NULL;
    }
    t->mail.wake = wake;
    t->mail.wake_user = t;
    leat__commit_open(t);
    return t;
}

leat__mailbox_t *leat__thread_mail(leat__thread_t *t)
{
    return &t->mail;
}

static void free_target(void *target)
{
    leat__free(((leat__target_t *)target)->topic);
    leat__free(target);
}

void leat__thread_free(leat__thread_t *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->task_count; i++)
        leat__owned_free(t->tasks[i]);
    leat__free(t->tasks);
    leat__free(t->task_views);
    leat__free(t->closed_nodes);
    leat__free(t->node_views);
    leat__commit_release(t);
    leat__op_drop(&t->purge);
    t->mail.wake = NULL;
    leat__restorer_close(t);
    if (t->reader)
        t->vt->reader_close(t->reader);
    leat__mail_release(t);
    leat__mailbox_release(&t->mail);
    leat__membership_unref(t->membership);
    leat__map_release(&t->targets, free_target);
    pthread_mutex_destroy(&t->view_lock);
    pthread_mutex_destroy(&t->restorer_lock);
    leat__free(t);
}

/* ---- seen by the control thread ---- */

uint64_t leat__thread_beat(const leat__thread_t *t)
{
    return atomic_load_explicit(&t->beat, memory_order_relaxed);
}

void leat__thread_give_up(leat__thread_t *t)
{
    atomic_store(&t->given_up, true);
    pthread_mutex_lock(&t->view_lock);
    t->view.threads = 0;
    pthread_mutex_unlock(&t->view_lock);
}

/* ---- a step ---- */

static bool over_dirty(const leat__thread_t *t)
{
    return t->budget.dirty_bytes > t->buffer_bytes / 2;
}

static bool allowed(const leat__thread_t *t)
{
    return t->membership && (!t->held || t->stop) && !t->lost && !t->failing;
}

/* Tasks to be given back are committed and closed before anything else is processed. */
static bool any_taken(const leat__thread_t *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->taken && t->tasks[i]->phase < LEAT__PHASE_CLOSING)
            return true;
    return false;
}

static bool may_process(const leat__thread_t *t)
{
    return leat__commit_idle(t) && t->membership && t->barrier < 0 && !t->stop && !t->lost &&
           !t->failing && !t->paused && !t->full && !t->waits_for_membership && !any_taken(t) &&
           t->now_ms >= t->rest_until_ms && !(t->held && over_dirty(t));
}

static bool any_placing(const leat__thread_t *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->phase == LEAT__PHASE_PLACING)
            return true;
    return false;
}

static bool half_over(const leat__thread_t *t)
{
    return t->transaction && t->now_ms - t->transaction_since_ms > t->transaction_timeout_ms / 2;
}

static bool commit_due(leat__thread_t *t)
{
    if (!t->stop && any_placing(t))
        return true;
    if (t->work_since_ms >= 0 && t->now_ms - t->work_since_ms >= t->commit_interval_ms)
        return true;
    if (t->commit_wanted || t->barrier >= 0 || t->stop || t->full || over_dirty(t) || any_taken(t))
        return leat__commit_has_work(t);
    return half_over(t);
}

static void commit_if_due(leat__thread_t *t)
{
    if (!leat__commit_idle(t) || t->failing)
        return;
    if (allowed(t) && t->now_ms >= t->commit.retry_at_ms) {
        if (commit_due(t))
            leat__commit_start(t);
        else
            t->commit_wanted = false;
    } else if (half_over(t) && !t->lost) { /* PROTOCOLS.md 15 */
        leat__log(LEAT_LOG_INFO, "commit", t->name,
            "no commit is allowed before the group is settled: the open transaction is given up");
        t->waits_for_membership = true;
        leat__commit_abort(t);
    }
}

static int64_t earlier(int64_t wait, int64_t at, int64_t now)
{
    int64_t left = at - now > 1 ? at - now : 1;

    return left < wait ? left : wait;
}

static int64_t wait_ms(const leat__thread_t *t)
{
    int64_t wait = leat__feed_wait_ms(t);

    if (t->work_since_ms >= 0)
        wait = earlier(wait, t->work_since_ms + t->commit_interval_ms, t->now_ms);
    if (t->rest_until_ms > t->now_ms)
        wait = earlier(wait, t->rest_until_ms, t->now_ms);
    if (!leat__commit_idle(t))
        wait = earlier(wait, t->now_ms + OPERATION_MS, t->now_ms);
    if (t->full)
        wait = earlier(wait, t->now_ms + FULL_MS, t->now_ms);
    for (size_t i = 0; i < t->task_count; i++) {
        leat__phase_t phase = t->tasks[i]->phase;

        if (phase == LEAT__PHASE_STANDBY)
            wait = earlier(wait, t->now_ms + TAIL_MS, t->now_ms);
        else if (phase != LEAT__PHASE_RUNNING)
            return earlier(wait, t->now_ms + OPERATION_MS, t->now_ms);
    }
    return wait;
}

int64_t leat__thread_step(leat__thread_t *t)
{
    if (t->over)
        return -1;
    t->now_ms = leat__clock_steady_ms(t->w->clock);
    t->wall_ms = leat__clock_wall_ms(t->w->clock);
    t->busy = false;
    atomic_fetch_add_explicit(&t->beat, 1, memory_order_relaxed);
    leat__mail_take(t);
    leat__commit_step(t);
    for (size_t i = 0; i < t->task_count && !t->failing; i++)
        leat__owned_step(t->tasks[i]);
    for (size_t i = 0; i < t->task_count && t->failing; i++)
        if (t->tasks[i]->phase >= LEAT__PHASE_CLOSING)
            leat__owned_step(t->tasks[i]);
    leat__restore_step(t);
    leat__keep_step(t);
    leat__mail_settle(t);
    if (!t->over && may_process(t)) {
        leat__feed(t);
        leat__process(t);
    }
    commit_if_due(t);
    if (t->over || t->now_ms >= t->view_at_ms)
        leat__view_show(t);
    if (t->over)
        return -1;
    return t->busy ? 0 : wait_ms(t);
}

/* ---- waiting, and a pthread that does nothing else ---- */

void leat__thread_wait(leat__thread_t *t, int64_t ms)
{
    bool runs = false, restores = false, follows = false;

    if (t->over || ms <= 0)
        return;
    if (t->commit.op && !leat__op_done(t->commit.op)) {
        leat__op_wait(t->commit.op, ms < OPERATION_MS ? ms : OPERATION_MS);
        return;
    }
    for (size_t i = 0; i < t->task_count; i++) {
        leat__owned_t *o = t->tasks[i];

        if (o->ops[0] && !leat__op_done(o->ops[0])) {
            leat__op_wait(o->ops[0], ms < RESTORE_BESIDE_MS ? ms : RESTORE_BESIDE_MS);
            return;
        }
        runs = runs || o->phase == LEAT__PHASE_RUNNING;
        restores = restores || o->phase == LEAT__PHASE_RESTORING;
        follows = follows || o->phase == LEAT__PHASE_STANDBY;
    }
    runs = runs && may_process(t); /* or records that are there already must not wake it */
    if (runs)
        t->vt->reader_wait(t->reader, restores && ms > RESTORE_BESIDE_MS ? RESTORE_BESIDE_MS : ms);
    else if ((restores || follows) && t->restorer && !t->paused)
        t->vt->reader_wait(t->restorer, restores && ms > RESTORE_MS ? RESTORE_MS : ms);
    else
        leat__mailbox_wait(&t->mail, ms);
}

static void *run(void *user)
{
    leat__thread_t *t = user;
    int64_t wait;

    while ((wait = leat__thread_step(t)) >= 0)
        leat__thread_wait(t, wait);
    return NULL;
}

int leat__thread_start(leat__thread_t *t, leat_error_t *err)
{
    int rc;

    if (t->w->clock && t->w->clock->manual)
        return 0; /* stepped by whoever moves the clock */
    rc = pthread_create(&t->pthread, NULL, run, t);
    if (rc)
        return leat__error(err, LEAT_EFAILED, LEAT_FATAL, t->name,
            "the system gave no thread (%s): lower num.stream.threads or raise the process' limit",
            strerror(rc));
    t->started = true;
    return 0;
}

void leat__thread_join(leat__thread_t *t)
{
    if (t->started)
        pthread_join(t->pthread, NULL);
    t->started = false;
}
