/*
 * runtime/restore.c: changelog → backend, beside the tasks that already run.
 *
 *    local state fits its changelog? ──no──▶ emptied, from the log's start
 *          │ yes: from the offset of the last checkpoint
 *          ▼
 *    read_committed batches ──▶ straight into the backend ──▶ position ≥ high watermark ──▶ RUNNING
 *
 * The target is the high watermark taken after `committed` had answered, not the stable end: a
 * transaction whose offsets are committed may not have its markers in the changelog yet, and its
 * records count (PROTOCOLS.md 1). So it is waited for, however long it takes; fencing the dead
 * writer is the leader's work. A source topic that serves as changelog is replayed to the
 * committed offset only (23). Fits means: same making of the topic, offset inside it, young enough
 * (9). A standby begins in the same way and has no end (standby.c).
 */
#include <stdio.h>

#include "base/log.h"
#include "thread_inside.h"

enum { BATCH = 1000, BATCHES_ALONE = 32, BATCHES_BESIDE = 2, ALONE_MS = 50, BESIDE_MS = 5 };

static void tell(const leat__owned_t *o, const leat__changelog_t *c, leat_restore_event_t event)
{
    const leat_app_opts_t *opts = o->thread->w->opts;
    leat_restore_t progress = {.event = event,
        .standby = o->standby,
        .store = c->spec->name,
        .topic = c->topic,
        .partition = o->ref.partition,
        .start = c->start,
        .at = c->at,
        .end = c->end};

    if (opts && opts->on_restore)
        opts->on_restore(opts->user, &progress);
}

static void ended(leat__owned_t *o, leat__changelog_t *c)
{
    leat__thread_t *t = o->thread;
    int64_t ms = leat__clock_steady_ms(t->w->clock) - c->since_ms;

    if (c->slot >= 0)
        t->vt->reader_remove(t->restorer, c->slot);
    c->slot = -1;
    c->restored = true;
    leat__log(LEAT_LOG_INFO, "restore", o->id,
        "restored %llu records of %s from offset %lld to %lld in %lld ms (%llu/s)",
        (unsigned long long)c->records, c->spec->name, (long long)c->start, (long long)c->end,
        (long long)ms, (unsigned long long)(c->records * 1000 / (uint64_t)(ms > 0 ? ms : 1)));
    tell(o, c, LEAT_RESTORE_END);
}

/* NULL: the local state may stay. */
static const char *misfit(const leat__changelog_t *c, const leat__store_meta_t *meta, uint64_t made)
{
    if (made && meta->incarnation && made != meta->incarnation)
        return "the changelog was deleted and made anew";
    if (meta->changelog_next < c->low)
        return "it is older than the changelog's first record";
    if (meta->changelog_next > c->end)
        return "it is ahead of the changelog's end";
    return NULL;
}

static int64_t committed_of(const leat__owned_t *o, const char *topic)
{
    int input = leat__task_input_of(o->task, topic);

    return input >= 0 && o->inputs[input].committed > 0 ? o->inputs[input].committed : 0;
}

/* Before anything reads it. */
static bool end_store(leat__owned_t *o, leat__changelog_t *c)
{
    leat_error_t err;

    if (leat__store_restored(c->store, &err)) {
        leat__starts_refused(o, &err, "restoring");
        return false;
    }
    ended(o, c);
    return true;
}

static bool begin_store(leat__owned_t *o, leat__changelog_t *c)
{
    leat__thread_t *t = o->thread;
    leat__store_meta_t meta = leat__store_meta(c->store);
    uint64_t made = t->w->incarnation ? t->w->incarnation(t->w->incarnation_user, c->topic) : 0;
    const char *why = meta.changelog_next >= 0 ? misfit(c, &meta, made) : NULL;
    leat_error_t err;

    if (c->spec->source_topic && committed_of(o, c->topic) < c->end)
        c->end = committed_of(o, c->topic);
    if (why)
        leat__log(LEAT_LOG_WARN, "restore", o->id,
            "local state of %s (offset %lld) does not fit %s [%lld, %lld]: %s; rebuilding it",
            c->spec->name, (long long)meta.changelog_next, c->topic, (long long)c->low,
            (long long)c->end, why);
    if (why || meta.changelog_next < 0)
        leat__store_clear(c->store);
    if (leat__store_failed(c->store, &err)) { /* not emptied: a full disk, which passes */
        leat__starts_refused(o, &err, "emptying the local state");
        return false;
    }
    c->start = why || meta.changelog_next < 0 ? c->low : meta.changelog_next;
    leat__store_set_meta(c->store,
        made  ? made
        : why ? 0
              : meta.incarnation,
        why ? -1 : meta.observed_ms);
    c->at = c->start;
    c->records = 0;
    c->since_ms = leat__clock_steady_ms(t->w->clock);
    tell(o, c, LEAT_RESTORE_START);
    c->restored = false;
    if (c->at >= c->end && !o->standby)
        return end_store(o, c);
    leat__store_restore(c->store, NULL, 0, c->at, &err); /* from here on it is behind */
    if (leat__restorer(t, &err))
        c->slot = t->vt->reader_add(t->restorer, c->topic, o->ref.partition, c->at, &err);
    if (c->slot < 0)
        leat__starts_refused(o, &err, "reading the changelog");
    return c->slot >= 0;
}

static void run_if_restored(leat__owned_t *o)
{
    for (size_t i = 0; i < o->store_count; i++)
        if (!o->stores[i].restored)
            return;
    leat__keep_note(o);
    leat__life_run(o);
    leat__keep_checkpoint(o,
        o->thread->wall_ms); /* what is still in the buffer only: a kill now should not cost it */
}

void leat__restore_begin(leat__owned_t *o)
{
    o->phase = o->standby ? LEAT__PHASE_STANDBY : LEAT__PHASE_RESTORING;
    o->thread->busy = true;
    for (size_t i = 0; i < o->store_count; i++) {
        leat__changelog_t *c = &o->stores[i];

        if (!c->topic) {
            c->restored = true;
        } else if (!begin_store(o, c)) {
            leat__owned_drop(o, true); /* what failed once stays failed until it is opened anew */
            return;
        }
    }
    leat__keep_note(o); /* nothing of a store that was emptied */
    if (!o->standby)
        run_if_restored(o);
}

void leat__restore_stop(leat__owned_t *o, leat_restore_event_t event)
{
    for (size_t i = 0; i < o->store_count; i++) {
        leat__changelog_t *c = &o->stores[i];

        if (c->slot < 0)
            continue;
        o->thread->vt->reader_remove(o->thread->restorer, c->slot);
        c->slot = -1;
        tell(o, c, event);
    }
}

uint64_t leat__restore_left(const leat__owned_t *o)
{
    uint64_t left = 0;

    for (size_t i = 0; i < o->store_count && o->phase == LEAT__PHASE_RESTORING; i++)
        if (!o->stores[i].restored && o->stores[i].end > o->stores[i].at)
            left += (uint64_t)(o->stores[i].end - o->stores[i].at);
    return left;
}

/* ---- records ---- */

/* Rows to be, gathered from a batch. */
typedef struct rows_t {
    leat__restore_record_t records[BATCH];
    size_t count;
    leat__arena_t scratch; /* of what older versions became */
} rows_t;

static bool put_rows(leat__owned_t *o, leat__changelog_t *c, rows_t *rows, int64_t next)
{
    leat_error_t err;

    if (leat__store_restore(c->store, rows->records, rows->count, next, &err) ||
        leat__store_failed(c->store, &err)) { /* some kinds read before they write */
        leat__starts_refused(o, &err, "restoring");
        return false;
    }
    c->records += rows->count;
    o->replayed += rows->count;
    rows->count = 0;
    leat__arena_reset(&rows->scratch);
    return true;
}

static int version_of(const leat_headers_t *headers)
{
    const leat_slice_t *version = leat_headers_get(headers, "v");

    return !version ? 0 : version->size == 1 ? version->data[0] : -1;
}

static bool refuse_row(leat__owned_t *o, const leat__changelog_t *c, const leat__logged_t *logged)
{
    leat_error_t err;

    leat__error(&err, LEAT_ESTORE, LEAT_FATAL, c->topic,
        "offset %lld, header v = %d: not a record of this store: another program wrote to its"
        " changelog, or it is damaged; reset the application, or give the store another name",
        (long long)logged->offset, logged->version);
    leat__starts_refused(o, &err, "restoring");
    return false;
}

/* Of a changelog whose records carry a version. What came before is put first: it may be needed. */
static bool upgrade(leat__owned_t *o, leat__changelog_t *c, const leat__raw_t *raw, rows_t *rows)
{
    leat__thread_t *t = o->thread;
    leat__restore_record_t *row = &rows->records[0];
    leat__logged_t logged = {.value = raw->value,
        .topic = c->topic,
        .partition = o->ref.partition,
        .offset = raw->offset,
        .time_ms = raw->time_ms};

    logged.headers = t->vt->reader_headers(t->restorer, raw, &rows->scratch);
    logged.version = version_of(logged.headers);
    if (logged.version == c->spec->log_version)
        return true;
    if (!put_rows(o, c, rows, raw->offset))
        return false;
    logged.headers = t->vt->reader_headers(t->restorer, raw, &rows->scratch);
    leat__store_get(c->store, raw->key, &logged.now, NULL);
    *row = (leat__restore_record_t){raw->key, raw->value, raw->time_ms};
    if (c->spec->log_upgrade(&logged, &rows->scratch, &row->value))
        return true;
    return refuse_row(o, c, &logged);
}

static bool gather(leat__owned_t *o, leat__changelog_t *c, const leat__raw_t *raw, rows_t *rows)
{
    if (!raw->key.data) /* no entry of a map */
        return true;
    rows->records[rows->count] = (leat__restore_record_t){raw->key, raw->value, raw->time_ms};
    if (c->spec->log_upgrade && raw->value.data && !upgrade(o, c, raw, rows))
        return false;
    rows->count++;
    return true;
}

static bool apply(leat__owned_t *o, leat__changelog_t *c, const leat__batch_t *batch)
{
    rows_t rows;
    size_t at = 0;
    bool well = true;

    rows.count = 0;
    leat__arena_init(&rows.scratch);
    do {
        while (well && at < batch->count && rows.count < BATCH)
            well = gather(o, c, &batch->records[at++], &rows);
        well = well && put_rows(o, c, &rows,
                           at < batch->count ? batch->records[at].offset : batch->next);
    } while (well && at < batch->count);
    leat__arena_release(&rows.scratch);
    if (well)
        c->at = batch->next;
    return well;
}

/*
 * The part of a batch that lies before the end: a source topic goes on behind the committed
 * offset.
 */
static bool cut(const leat__changelog_t *c, leat__batch_t *batch)
{
    if (!c->spec->source_topic || batch->next <= c->end)
        return false;
    while (batch->count && batch->records[batch->count - 1].offset >= c->end)
        batch->count--;
    batch->next = c->end;
    return true;
}

/* A standby of a source topic waits there for the group's next commit. */
static bool at_limit(const leat__owned_t *o, const leat__changelog_t *c)
{
    return o->standby && c->spec->source_topic && c->at >= c->end;
}

/*
 * The background writer is behind. Taking more would make this thread write or wait; that is fine
 * where it has nothing else to do.
 */
static bool held_back(const leat__owned_t *o)
{
    const leat__thread_t *t = o->thread;

    return t->beside && o->frozen &&
           t->budget.frozen_bytes > t->budget.restore_bytes - t->budget.restore_bytes / 8;
}

static bool take(leat__owned_t *o, leat__changelog_t *c)
{
    leat__thread_t *t = o->thread;
    leat__batch_t batch, part;
    leat_error_t err;
    bool well = true, beyond = false;

    if (at_limit(o, c) || held_back(o) || !t->vt->reader_take(t->restorer, c->slot, BATCH, &batch))
        return false;
    t->busy = true;
    if (batch.code) {
        leat__error(&err, batch.code, batch.code == LEAT_EAUTH ? LEAT_FATAL : LEAT_RETRIABLE,
            c->topic, "offset %lld cannot be read: %s", (long long)c->at,
            leat_error_text(batch.code));
        leat__starts_refused(o, &err, "reading the changelog");
        well = false;
    } else {
        part = batch;
        beyond = cut(c, &part);
        well = apply(o, c, &part);
    }
    t->vt->reader_release(t->restorer, &batch);
    if (!well) {
        leat__owned_drop(o, true); /* measured anew: what does not fit by then is rebuilt */
        return false;
    }
    o->unanswered_since_ms = -1;
    if (beyond && o->standby)
        t->vt->reader_seek(t->restorer, c->slot, c->at);
    if (c->at < c->end || o->standby)
        tell(o, c, LEAT_RESTORE_BATCH);
    else if (!end_store(o, c))
        leat__owned_drop(o, true);
    return c->slot >= 0;
}

static bool anything_runs(const leat__thread_t *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->phase == LEAT__PHASE_RUNNING)
            return true;
    return false;
}

static bool time_is_up(const leat__thread_t *t, int64_t until_ms)
{
    return leat__clock_steady_ms(t->w->clock) >= until_ms;
}

static void step_task(leat__owned_t *o, int batches, int64_t until_ms)
{
    leat__phase_t phase = o->phase;

    for (size_t k = 0; k < o->store_count && o->phase == phase; k++)
        for (int n = 0; n < batches && o->stores[k].slot >= 0 && take(o, &o->stores[k]); n++)
            if (time_is_up(o->thread, until_ms))
                return;
    if (o->phase == LEAT__PHASE_RESTORING)
        run_if_restored(o);
}

/* In turns: who was not reached before the time was up begins the next time. */
static bool step_all(leat__thread_t *t, leat__phase_t phase, int batches, int64_t until_ms)
{
    size_t count = t->task_count, from = count ? t->restore_turn % count : 0;

    for (size_t i = 0; i < count; i++) {
        leat__owned_t *o = t->tasks[(from + i) % count];

        if (o->phase != phase)
            continue;
        step_task(o, batches, until_ms);
        if (time_is_up(t, until_ms)) {
            t->restore_turn = (from + i + 1) % count;
            return false;
        }
    }
    return true;
}

/* Records that wait for running tasks come after a few ms of this; standbys come last of all. */
void leat__restore_step(leat__thread_t *t)
{
    int batches;
    int64_t until_ms;

    t->beside = anything_runs(t);
    batches = t->beside ? BATCHES_BESIDE : BATCHES_ALONE;
    until_ms = leat__clock_steady_ms(t->w->clock) + (t->beside ? BESIDE_MS : ALONE_MS);

    if (!t->paused && step_all(t, LEAT__PHASE_RESTORING, batches, until_ms))
        step_all(t, LEAT__PHASE_STANDBY, batches, until_ms);
    leat__restorer_rest(t);
}
