/*
 * runtime/feed.c: records from the reader to the tasks, and the slices in which they are processed.
 *
 *    reader ──batch──▶ task's queue (bounded) ──▶ step, step, step ... ──▶ punctuations
 *
 * A slice ends after LEAT__STEP_RECORDS records, so that mail, clock and commits are looked at
 * every few milliseconds at most; the wall clock is read once per slice. Budgets are looked at
 * after each record and never inside one (PROTOCOLS.md 17): a store over its cache's share is
 * flushed early, dirty entries over half the buffer's share end the slice with a commit.
 */
#include <stdio.h>

#include "base/config.h"
#include "base/log.h"
#include "thread_inside.h"

enum { TAKE_RECORDS = 1000, TASK_RECORDS = 500, SLICE_MS = 5, LOOK_RECORDS = 64 };

/* How far a slice has come; the clock is looked at more seldom while records are fast. */
typedef struct slice_t {
    int left, until_look, stride;
    int64_t end_ms;
} slice_t;

/* ---- feeding ---- */

static void out_of_range(leat__owned_t *o, leat__lane_t *in, const leat__batch_t *batch)
{
    leat__thread_t *t = o->thread;
    leat_error_t err;
    char where[200];

    if (batch->code == LEAT_ETOPIC) {
        in->lost = true;
        return;
    }
    snprintf(where, sizeof where, "%s-%d", in->topic, (int)o->ref.partition);
    leat__error(&err, batch->code, LEAT_FATAL, where, "%s cannot be read: %s", where,
        leat_error_text(batch->code));
    leat__thread_fail(t, &err);
}

static void feed_input(leat__owned_t *o, int index)
{
    leat__thread_t *t = o->thread;
    leat__lane_t *in = &o->inputs[index];
    leat__batch_t batch;

    if (!in->present)
        return;
    if (in->lost) {
        if (!leat__task_queued(o->task, index))
            leat__starts_lost(o, in);
        return;
    }
    while (leat__task_queued(o->task, index) < t->queue_records &&
           leat__task_queued_bytes(o->task, index) < t->queue_bytes &&
           t->vt->reader_take(t->reader, in->slot, TAKE_RECORDS, &batch)) {
        bool at_end = batch.at_end;

        t->busy = true;
        if (batch.code) {
            out_of_range(o, in, &batch);
            t->vt->reader_release(t->reader, &batch);
            return;
        }
        leat__task_feed(o->task, index, batch);
        leat__task_set_at_end(o->task, index, at_end);
        if (t->work_since_ms < 0 && leat__task_touched(o->task))
            /* the position moved past markers: the lag shall read 0 */
            t->work_since_ms = t->now_ms;
    }
}

void leat__feed(leat__thread_t *t)
{
    for (size_t i = 0; i < t->task_count; i++) {
        leat__owned_t *o = t->tasks[i];

        for (int k = 0; o->phase == LEAT__PHASE_RUNNING && k < (int)o->input_count; k++)
            feed_input(o, k);
    }
}

/* ---- processing ---- */

static bool over_cache(const leat__thread_t *t)
{
    return t->budget.cached_dirty_bytes > t->cache_bytes;
}

static bool over_dirty(const leat__thread_t *t)
{
    return t->budget.dirty_bytes > t->buffer_bytes / 2;
}

static void worked(leat__thread_t *t)
{
    if (t->work_since_ms < 0)
        t->work_since_ms = t->now_ms;
}

static bool time_is_up(const leat__thread_t *t, slice_t *slice)
{
    int64_t now;

    if (--slice->until_look > 0)
        return false;
    now = leat__clock_steady_ms(t->w->clock);
    if (now >= slice->end_ms)
        slice->left = 0;
    slice->stride = now > slice->end_ms - SLICE_MS ? 1 : slice->stride * 2;
    if (slice->stride > LOOK_RECORDS)
        slice->stride = LOOK_RECORDS;
    slice->until_look = slice->stride;
    return slice->left == 0;
}

/* Between two records. False: the slice is over. */
static bool goes_on(leat__thread_t *t, leat__owned_t *o, slice_t *slice)
{
    if (over_cache(t))
        leat__commit_flush_early(t, o);
    if (over_dirty(t))
        t->commit_wanted = true;
    return leat__commit_idle(t) && !t->failing && !t->commit_wanted &&
           t->budget.entry_bytes <= t->room_bytes && !time_is_up(t, slice);
}

/* False: the slice is over for the whole thread. */
static bool process_task(leat__thread_t *t, leat__owned_t *o, slice_t *slice)
{
    leat_error_t err = {0};
    bool well = true;
    int rc = 0, done = 0;

    while (well && done < TASK_RECORDS && slice->left > 0 &&
           (rc = leat__task_step(o->task, &err)) == 1) {
        done++;
        slice->left--;
        t->processed++;
        well = goes_on(t, o, slice);
    }
    if (done)
        worked(t);
    if (rc < 0)
        leat__commit_trouble(t, o, &err);
    return well && rc >= 0;
}

static bool punctuate(leat__thread_t *t, leat__owned_t *o)
{
    leat_error_t err = {0};
    int ran = 0;

    if (leat__task_next_punctuation_ms(o->task) <= t->wall_ms)
        ran = leat__task_punctuate(o->task, LEAT_WALL_TIME, &err);
    if (ran < 0) {
        leat__commit_trouble(t, o, &err);
        return false;
    }
    if (ran > 0)
        worked(t);
    return true;
}

void leat__process(leat__thread_t *t)
{
    slice_t slice = {
        .left = LEAT__STEP_RECORDS, .until_look = 1, .stride = 1, .end_ms = t->now_ms + SLICE_MS};
    uint64_t before = t->processed;

    for (size_t i = 0; i < t->task_count; i++) {
        leat__owned_t *o = t->tasks[(t->turn + i) % t->task_count];

        if (o->phase != LEAT__PHASE_RUNNING)
            continue;
        leat__task_set_wall(o->task, t->wall_ms);
        if (!process_task(t, o, &slice) || !punctuate(t, o))
            break;
    }
    if (t->processed == before)
        return;
    t->busy = true;
    t->turn = (t->turn + 1) % t->task_count;
    if (t->writers[t->active] && leat__commit_idle(t))
        t->vt->writer_poll(t->writers[t->active]);
}

/* How long the tasks may be left alone. */
int64_t leat__feed_wait_ms(const leat__thread_t *t)
{
    int64_t wait = t->poll_ms;

    for (size_t i = 0; i < t->task_count; i++) {
        const leat__owned_t *o = t->tasks[i];
        int64_t tick;

        if (o->phase != LEAT__PHASE_RUNNING)
            continue;
        tick = leat__task_next_punctuation_ms(o->task);
        if (tick != INT64_MAX && tick - t->wall_ms < wait)
            wait = tick - t->wall_ms;
        for (int k = 0; k < (int)o->input_count; k++)
            if (wait > 10 && leat__task_queued(o->task, k))
                wait = 10; /* held back by max.task.idle.ms */
    }
    return wait > 1 ? wait : 1;
}
