/*
 * runtime/thread_view.c: what a stream thread shows of itself: a copy under a lock, once a second and
 * on changes; and how its restores get on, as a line in the log now and then.
 *
 * Rates are of the last second or so, half of each number being the one before: steady to look at,
 * and quick to follow.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "thread_inside.h"

enum { VIEW_MS = 1000, RATE_MS = 500 };

/* ---- tasks ---- */

static void take_rate(leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    int64_t ms = t->now_ms - o->rate_at_ms;
    double rate;

    if (ms < RATE_MS)
        return;
    rate = (double)(o->replayed - o->rate_replayed) * 1000 / (double)ms;
    o->rate = o->rate > 0 ? (o->rate + rate) / 2 : rate;
    o->rate_replayed = o->replayed;
    o->rate_at_ms = t->now_ms;
}

static uint64_t total_of(const leat__owned_t *o)
{
    uint64_t total = 0;

    for (size_t i = 0; i < o->store_count; i++)
        if (o->stores[i].topic && o->stores[i].end > o->stores[i].start)
            total += (uint64_t)(o->stores[i].end - o->stores[i].start);
    return total;
}

/* Up to the ends that the last fetches saw. */
static uint64_t lag_of(const leat__owned_t *o)
{
    leat__thread_t *t = o->thread;
    uint64_t lag = 0;

    for (size_t i = 0; i < o->input_count; i++) {
        const leat__lane_t *in = &o->inputs[i];
        int64_t end, position;

        if (!in->present)
            continue;
        end = t->vt->reader_high_watermark(t->reader, in->slot);
        position = leat__task_position(o->task, (int)i);
        if (end < 0)
            return UINT64_MAX;
        lag += end > position ? (uint64_t)(end - position) : 0;
    }
    return lag;
}

static leat__task_view_t view_of(const leat__owned_t *o)
{
    leat__task_view_t v = {
        .ref = o->ref, .standby = o->standby, .running = o->phase == LEAT__PHASE_RUNNING};

    v.lag = v.running ? lag_of(o) : UINT64_MAX;
    v.records = v.running ? leat__task_counts(o->task)->records : 0;
    if (o->phase == LEAT__PHASE_RESTORING || o->phase == LEAT__PHASE_STANDBY) {
        v.left = o->standby ? leat__standby_left(o) : leat__restore_left(o);
        v.total = total_of(o);
        v.rate = o->rate;
    } else if (!v.running) {
        v.left = UINT64_MAX;
    }
    return v;
}

/* ---- progress in the log ---- */

static void log_progress(leat__thread_t *t, const leat__thread_view_t *view, uint64_t total)
{
    char when[40] = "";

    if (!view->restoring_count || t->w->shows_restores) {
        t->progress_at_ms = t->now_ms + LEAT__PROGRESS_MS;
        return;
    }
    if (t->now_ms < t->progress_at_ms)
        return;
    t->progress_at_ms = t->now_ms + LEAT__PROGRESS_MS;
    if (view->restore_rate >= 1)
        snprintf(when, sizeof when, ", about %.0f s to go",
            ceil((double)view->restore_left / view->restore_rate));
    leat__log(LEAT_LOG_INFO, "restore", t->name,
        "%zu of %zu tasks restore their state: %llu of %llu records left, %.0f/s%s%s",
        view->restoring_count, view->task_count, (unsigned long long)view->restore_left,
        (unsigned long long)total, view->restore_rate, when, t->paused ? " (paused)" : "");
}

/* ---- the copy ---- */

void leat__view_show(leat__thread_t *t)
{
    leat__thread_view_t view = {.index = t->index,
        .running = !t->over && !t->failing,
        .threads = !t->over && !t->failing && !atomic_load(&t->given_up),
        .counts = t->closed,
        .commits = t->commits,
        .aborts = t->aborts};
    uint64_t total = 0;

    pthread_mutex_lock(&t->view_lock);
    if (t->task_view_room < t->task_count) {
        t->task_view_room = t->task_room;
        t->task_views = leat__must_realloc(t->task_views, t->task_room * sizeof *t->task_views);
    }
    t->task_view_count = t->task_count;
    memcpy(t->node_views, t->closed_nodes, t->w->plan->node_count * sizeof *t->node_views);
    for (size_t i = 0; i < t->task_count; i++) {
        leat__owned_t *o = t->tasks[i];
        leat__task_view_t *v = &t->task_views[i];

        take_rate(o);
        leat__asks_keep(&o->asks, t->now_ms);
        *v = view_of(o);
        if (o->task) {
            leat__task_counts_add(&view.counts, leat__task_counts(o->task));
            leat__task_node_counts_add(t->node_views, o->task);
        }
        if (o->standby) {
            view.standby_count++;
            view.standby_left += v->left != UINT64_MAX ? v->left : 0;
            continue;
        }
        view.task_count++;
        view.running = view.running && v->running;
        view.restoring_count += o->phase < LEAT__PHASE_RUNNING;
        view.restore_left += v->left != UINT64_MAX ? v->left : 0;
        view.restore_rate += v->rate;
        view.lag += v->lag != UINT64_MAX ? v->lag : 0;
        total += v->total;
    }
    t->view = view;
    pthread_mutex_unlock(&t->view_lock);
    log_progress(t, &view, total);
    t->view_at_ms = t->now_ms + VIEW_MS;
}

void leat__thread_view(leat__thread_t *t, leat__thread_view_t *view)
{
    pthread_mutex_lock(&t->view_lock);
    *view = t->view;
    pthread_mutex_unlock(&t->view_lock);
}

void leat__thread_nodes(leat__thread_t *t, uint64_t *sum)
{
    pthread_mutex_lock(&t->view_lock);
    for (size_t i = 0; i < t->w->plan->node_count; i++)
        sum[i] += t->node_views[i];
    pthread_mutex_unlock(&t->view_lock);
}

size_t leat__thread_tasks(leat__thread_t *t, leat__task_view_t **tasks, size_t *room)
{
    size_t count;

    pthread_mutex_lock(&t->view_lock);
    count = t->task_view_count;
    if (*room < count) {
        *tasks = leat__must_realloc(*tasks, count * sizeof **tasks);
        *room = count;
    }
    if (count)
        memcpy(*tasks, t->task_views, count * sizeof **tasks);
    pthread_mutex_unlock(&t->view_lock);
    return count;
}
