/*
 * runtime/gaps.c: at least once: a stranger's records among ours in a changelog
 * (PROTOCOLS.md 8 ii).
 *
 *    flushed ──▶ delivery offsets show a gap? ──no──▶ done
 *       ▲           │ yes
 *       └── log our own value of each key in [gap, end) again
 *
 * A process that slept through the loss of its tasks may wake and write old values into their
 * changelogs: nothing fences it without transactions. The owner sees it, since offsets that are
 * not its own then stand between its acknowledged ones. Logging its own value of the keys there
 * makes the newest record of each key right again, and so a later restore.
 */
#include "base/log.h"
#include "thread_inside.h"

enum { BATCH = 1000 };

void leat__gaps_end(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;

    if (c->gap_reader)
        t->vt->reader_close(c->gap_reader);
    c->gap_reader = NULL;
    c->gap_task = c->gap_store = 0;
}

static int gaps_failed(leat__thread_t *t, const leat__owned_t *o, leat_error_t *err)
{
    err->flags |= LEAT_RETRIABLE;
    leat__gaps_end(t);
    leat__commit_trouble(t, o, err);
    return -1;
}

static int open_gap(leat__thread_t *t, leat__owned_t *o, leat__changelog_t *store, int64_t gap)
{
    leat__commit_t *c = &t->commit;
    leat__reader_opts_t opts = {
        .client_id = t->w->application_id, .settings = "restore.consumer.", .tail = true};
    leat_error_t err;

    leat__log(LEAT_LOG_WARN, "commit", o->id,
        "another process wrote to %s-%d at offset %lld: logging our own values over it",
        store->topic, (int)o->ref.partition, (long long)gap);
    c->gap_end = t->vt->out_delivered(store->target->out[t->active], o->ref.partition);
    c->gap_reader = t->vt->reader_open(t->b, &opts, &err);
    if (!c->gap_reader)
        return gaps_failed(t, o, &err);
    c->gap_slot = t->vt->reader_add(c->gap_reader, store->topic, o->ref.partition, gap, &err);
    return c->gap_slot < 0 ? gaps_failed(t, o, &err) : 0;
}

static int log_over(leat__owned_t *o, size_t index, const leat__batch_t *batch, leat_error_t *err)
{
    leat__changelog_t *store = &o->stores[index];
    int64_t end = o->thread->commit.gap_end;
    int rc = 0;

    for (size_t i = 0; !rc && i < batch->count && batch->records[i].offset < end; i++) {
        const leat__raw_t *raw = &batch->records[i];
        leat_slice_t value = {0};
        int64_t time_ms = -1;

        if (!raw->key.data)
            continue;
        if (!leat__store_get_logged(store->store, raw->key, raw->time_ms, &value, &time_ms))
            value = (leat_slice_t){0};
        rc = leat__output_log(
            o, index, raw->key, value, time_ms >= 0 ? time_ms : raw->time_ms, NULL, err);
    }
    return rc;
}

/* 1: this gap is read to its end. */
static int read_gap(leat__thread_t *t, leat__owned_t *o, size_t index)
{
    leat__commit_t *c = &t->commit;
    leat__batch_t batch;
    leat_error_t err;
    int64_t next;
    int rc;

    if (!t->vt->reader_take(c->gap_reader, c->gap_slot, BATCH, &batch))
        return 0;
    t->busy = true;
    next = batch.next;
    rc = batch.code ? 0 : log_over(o, index, &batch, &err);
    if (batch.code)
        next = c->gap_end; /* compacted or deleted meanwhile: nothing is left to log over */
    t->vt->reader_release(c->gap_reader, &batch);
    if (rc)
        return gaps_failed(t, o, &err);
    if (next < c->gap_end)
        return 0;
    t->vt->reader_close(c->gap_reader);
    c->gap_reader = NULL;
    return 1;
}

static int64_t next_gap(leat__thread_t *t, leat__owned_t *o, leat__changelog_t *store)
{
    if (o->phase != LEAT__PHASE_RUNNING || !store->target || !store->target->out[t->active])
        return -1;
    return t->vt->out_gap(store->target->out[t->active], o->ref.partition);
}

int leat__gaps_step(leat__thread_t *t)
{
    leat__commit_t *c = &t->commit;

    for (; c->gap_task < t->task_count; c->gap_task++, c->gap_store = 0) {
        leat__owned_t *o = t->tasks[c->gap_task];

        for (; c->gap_store < o->store_count; c->gap_store++) {
            leat__changelog_t *store = &o->stores[c->gap_store];

            if (!c->gap_reader) {
                int64_t gap = next_gap(t, o, store);

                if (gap < 0)
                    continue;
                if (open_gap(t, o, store, gap))
                    return -1;
            }
            switch (read_gap(t, o, c->gap_store)) {
            case 0:
                return 0;
            case 1:
                c->gap_logged = true;
                break;
            default:
                return -1;
            }
        }
    }
    c->gap_task = c->gap_store = 0;
    return 1;
}
