/*
 * runtime/keep.c: what a thread does beside its records: checkpoints, room in the buffers,
 * repartition topics cleared.
 *
 *    due, or room wanted ──▶ frozen ──background writer──▶ written ──▶ clean, may be evicted
 *                                          └── failed (full disk): kept; again after 1 s, 2 s ... 30 s
 *                                              (PROTOCOLS.md 18)
 *
 * Checkpoints are apart from commits and hold only what is committed. A thread that has no room
 * waits here, between two steps and with no transaction open, and goes on answering messages (17).
 */
#include <stdio.h>

#include "base/log.h"
#include "state_dir.h"
#include "thread_inside.h"

enum { CHECKPOINT_RECORDS = 2000000, BACKOFF_MS = 1000, BACKOFF_MAX_MS = 30000, PAUSE_MS = 50, THAW_STEP = 16384 };

/* ---- checkpoints ---- */

void leat__keep_checkpoint(leat__owned_t *o, int64_t wall_ms)
{
    leat__thread_t *t = o->thread;

    if (!o->state || o->frozen)
        return;
    o->frozen = leat__checkpoint_begin(o->state, wall_ms);
    if (!o->frozen)
        return;
    atomic_store(&o->frozen_result, 0);
    if (t->w->checkpointer) {
        leat__checkpointer_submit(t->w->checkpointer, o->frozen, &o->frozen_result);
    } else { /* a thread that is stepped by hand */
        leat_error_t err;
        int rc = leat__checkpoint_write(o->frozen, &err);

        if (rc)
            leat__log(LEAT_LOG_WARN, "checkpoint", err.where, "%s", err.text);
        atomic_store(&o->frozen_result, rc ? -1 : 1);
    }
}

void leat__keep_note(const leat__owned_t *o)
{
    leat__task_offset_t *offsets = leat__must_alloc((o->store_count + 1) * sizeof *offsets);
    size_t count = 0;

    for (size_t i = 0; i < o->store_count; i++) {
        const leat__changelog_t *c = &o->stores[i];
        int64_t next = c->topic ? leat__store_saved(c->store) : -1;

        if (next >= 0)
            offsets[count++] = (leat__task_offset_t){c->topic, next};
    }
    if (o->lock >= 0)
        leat__task_dir_note(o->dir, offsets, count);
    leat__free(offsets);
}

bool leat__keep_checkpoint_done(leat__owned_t *o)
{
    int result;

    if (!o->frozen)
        return true;
    result = atomic_load_explicit(&o->frozen_result, memory_order_acquire);
    if (!result)
        return false;
    if (result > 0 && !leat__checkpoint_thaw(o->frozen, THAW_STEP)) {
        o->thread->busy = true;
        o->thread->keep_at_ms = o->thread->now_ms;
        return false;
    }
    leat__checkpoint_end(o->frozen, result > 0);
    o->frozen = NULL;
    o->thread->busy = true;
    if (result > 0) {
        o->checkpoint_backoff_ms = 0;
        leat__keep_note(o);
        return true;
    }
    o->checkpoint_backoff_ms = o->checkpoint_backoff_ms ? o->checkpoint_backoff_ms * 2 : BACKOFF_MS;
    if (o->checkpoint_backoff_ms > BACKOFF_MAX_MS)
        o->checkpoint_backoff_ms = BACKOFF_MAX_MS;
    o->checkpoint_retry_ms = o->thread->now_ms + o->checkpoint_backoff_ms;
    leat__log(LEAT_LOG_ERROR, "checkpoint", o->id,
        "the state could not be written to %s; nothing is lost, it is kept in memory and tried "
        "again in %lld ms: is the disk full?",
        o->dir ? o->dir : "", (long long)o->checkpoint_backoff_ms);
    return true;
}

static bool due(const leat__owned_t *o, size_t bytes)
{
    const leat__thread_t *t = o->thread;

    return t->now_ms >= o->checkpoint_retry_ms &&
           (t->full || t->crowded ||
               leat__checkpoint_due(
                   o->state, t->wall_ms, t->checkpoint_interval_ms, bytes, CHECKPOINT_RECORDS));
}

void leat__keep_step(leat__thread_t *t)
{
    size_t bytes = t->buffer_bytes / 4;

    if (t->budget.entry_bytes > t->room_bytes || t->full)
        leat__keep_room(t);
    if (t->now_ms < t->keep_at_ms && !t->full && !t->crowded)
        return;
    t->keep_at_ms = t->now_ms + PAUSE_MS;
    for (size_t i = 0; i < t->task_count; i++) {
        leat__owned_t *o = t->tasks[i];

        if ((o->phase != LEAT__PHASE_RUNNING && o->phase != LEAT__PHASE_RESTORING &&
                o->phase != LEAT__PHASE_STANDBY) ||
            !o->state)
            continue;
        if (leat__keep_checkpoint_done(o) && due(o, bytes))
            leat__keep_checkpoint(o, t->wall_ms);
    }
}

/* ---- room ---- */

static void evict(leat__thread_t *t, size_t bytes)
{
    for (size_t i = 0; i < t->task_count && bytes; i++) {
        leat__owned_t *o = t->tasks[(t->turn + i) % t->task_count];
        size_t freed = o->state ? leat__task_state_evict(o->state, bytes) : 0;

        bytes -= freed < bytes ? freed : bytes;
    }
}

/*
 * What is clean leaves; what is not is made clean by a checkpoint. Entries that can do neither (a
 * store in memory) may hold more than the budget for good: then one looks again only after some
 * growth, not after each record.
 */
void leat__keep_room(leat__thread_t *t)
{
    leat__budget_t *b = &t->budget;
    size_t some = t->buffer_bytes / 16, least = t->buffer_bytes / 10 * 9;
    size_t kept = b->dirty_bytes + b->frozen_bytes; /* without what the tables take */
    bool was_full = t->full;

    if (b->entry_bytes > t->buffer_bytes)
        evict(t, b->entry_bytes - least);
    t->crowded = b->entry_bytes > t->buffer_bytes && b->frozen_bytes > some;
    t->room_bytes =
        b->entry_bytes + some > t->buffer_bytes ? b->entry_bytes + some : t->buffer_bytes;
    t->full = kept > t->buffer_bytes ||
              (kept > t->buffer_bytes / 2 && b->entry_bytes > t->buffer_bytes + 2 * some);
    if (t->full && !was_full)
        leat__log(LEAT_LOG_DEBUG, "thread", t->name,
            "waits for the background writer: %zu bytes in buffers, %zu allowed", b->entry_bytes,
            t->buffer_bytes);
    if (b->dirty_bytes > t->buffer_bytes && !t->overshot) {
        t->overshot = true;
        leat__log(LEAT_LOG_WARN, "thread", t->name,
            "one record changed more state (%zu bytes) than the thread's share of "
            "statestore.buffer.max.bytes (%zu): it is committed at once, but memory was exceeded",
            b->dirty_bytes, t->buffer_bytes);
    }
}

/* ---- repartition topics ---- */

static void purge_ended(leat__thread_t *t)
{
    if (!t->purge || !leat__op_done(t->purge))
        return;
    if (t->purge->err.code)
        leat__log(
            LEAT_LOG_DEBUG, "thread", t->name, "records were not deleted: %s", t->purge->err.text);
    leat__op_drop(&t->purge);
}

/*
 * After a commit that succeeded, and below what it committed: nobody needs these any more
 * (PROTOCOLS.md 24).
 */
void leat__keep_purge(leat__thread_t *t)
{
    leat__position_t *below = NULL;
    size_t count = 0, room = 0;

    purge_ended(t);
    if (t->purge || t->now_ms < t->purge_at_ms)
        return;
    t->purge_at_ms = t->now_ms + t->purge_interval_ms;
    for (size_t i = 0; i < t->task_count; i++) {
        leat__owned_t *o = t->tasks[i];

        for (size_t k = 0; o->phase == LEAT__PHASE_RUNNING && k < o->input_count; k++) {
            leat__lane_t *in = &o->inputs[k];

            if (!in->present || !in->source->internal || in->committed <= in->purged)
                continue;
            LEAT__GROW(below, count, room);
            below[count++] = leat__place(in->topic, o->ref.partition, in->committed);
            in->purged = in->committed;
        }
    }
    if (count)
        t->purge = t->vt->delete_records(t->b, below, count);
    leat__free(below);
}
