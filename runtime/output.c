/*
 * runtime/output.c: what a task says to the world: the thread's side of leat__task_env_t.
 *
 *    sink ──send──┐                            ┌─ writer a
 *                 ├──▶ target (topic) ──▶ out ─┤
 *    store ─log───┘                            └─ writer b
 *
 * Under exactly once a transaction is begun at the first record.
 *
 * An error that belongs to the transaction or the writer rather than to one record is kept until
 * the transaction has ended: a bad-record policy may let a record go, it may not let a commit pass
 * that lacks what a task has said.
 */
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "thread_inside.h"

int leat__output_begin(leat__thread_t *t, leat_error_t *err)
{
    int rc;

    if (t->transaction || !t->exactly_once)
        return 0;
    rc = t->vt->writer_begin(t->writers[t->active], err);
    if (rc)
        return rc;
    t->transaction = true;
    t->transaction_since_ms = leat__clock_steady_ms(t->w->clock);
    return 0;
}

leat__target_t *leat__output_target(leat__thread_t *t, const char *topic, leat_error_t *err)
{
    leat__target_t *target = leat__map_get(&t->targets, topic);

    if (target)
        return target;
    target = leat__must_alloc(sizeof *target);
    target->topic = leat__must_strdup(topic);
    if (!leat__output_out(t, target, err)) {
        leat__free(target->topic);
        leat__free(target);
        return NULL;
    }
    LEAT_ASSERT(leat__map_put(&t->targets, topic, target)); /* else: no memory for a name */
    return target;
}

leat__out_t *leat__output_out(leat__thread_t *t, leat__target_t *target, leat_error_t *err)
{
    leat__out_t **out = &target->out[t->active];

    if (*out)
        return *out;
    if (!t->writers[t->active]) {
        leat__error(err, LEAT_EBROKER, LEAT_RETRIABLE | LEAT_ABORT, target->topic,
            "there is no writer now: it is being made anew");
        return NULL;
    }
    *out = t->vt->writer_topic(t->writers[t->active], target->topic, err);
    return *out;
}

void leat__output_forget(leat__thread_t *t)
{
    const char *topic;
    void *value;

    for (size_t i = 0; leat__map_next(&t->targets, &i, &topic, &value);) {
        leat__target_t *target = value;

        target->out[0] = target->out[1] = NULL;
    }
    t->transaction = false;
    leat__error_clear(&t->output_error);
}

/*
 * The writer's room is used up: serve it until there is some, but not beyond what its transaction
 * may last.
 */
static int produce_patiently(leat__thread_t *t, leat__out_t *out, int32_t partition,
    leat_slice_t key, leat_slice_t value, int64_t time_ms, const leat_headers_t *headers,
    leat_error_t *err)
{
    int64_t until = leat__clock_steady_ms(NULL) + t->transaction_timeout_ms / 2;
    int rc;

    do {
        t->vt->writer_poll(t->writers[t->active]);
        rc = t->vt->produce(
            t->writers[t->active], out, partition, key, value, time_ms, headers, err);
    } while (rc == LEAT_EFULL && leat__clock_steady_ms(NULL) < until);
    if (rc == LEAT_EFULL)
        err->flags |= LEAT_ABORT;
    return rc;
}

static int produce(leat__thread_t *t, leat__target_t *target, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    leat__out_t *out = target->out[t->active];
    int rc;

    if (t->output_error.code) {
        *err = t->output_error;
        return err->code;
    }
    if (t->exactly_once && !t->transaction && (rc = leat__output_begin(t, err)))
        goto failed;
    if (!out && !(out = leat__output_out(t, target, err))) {
        rc = err->code;
        goto failed;
    }
    rc = t->vt->produce(t->writers[t->active], out, partition, key, value, time_ms, headers, err);
    if (!rc)
        return 0;
    if (rc == LEAT_EFULL)
        rc = produce_patiently(t, out, partition, key, value, time_ms, headers, err);
    if (!rc)
        return 0;
failed:
    if (rc == LEAT_EFENCED || (err->flags & (LEAT_ABORT | LEAT_FATAL | LEAT_RETRIABLE)))
        t->output_error = *err;
    return rc;
}

int leat__output_log(leat__owned_t *o, size_t store, leat_slice_t key, leat_slice_t value,
    int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    leat__changelog_t *c = &o->stores[store];
    leat_error_t room;
    int rc;

    if (!c->topic || c->spec->source_topic)
        return 0;
    if (!err)
        err = &room;
    if (!key.data)
        return leat__error(err, LEAT_ENULL, 0, c->spec->name,
            "an entry without key cannot be logged to %s: give every entry a key", c->topic);
    if (!c->target && !(c->target = leat__output_target(o->thread, c->topic, err))) {
        o->thread->output_error = *err; /* state that cannot be logged must not be committed */
        return err->code;
    }
    if (time_ms < 0) /* a buffer's: as a producer stamps what has no time */
        time_ms = o->thread->wall_ms;
    rc = produce(o->thread, c->target, o->ref.partition, key, value, time_ms, headers, err);
    if (rc) {
        if (!o->thread->output_error.code)
            o->thread->output_error = *err;
        return rc;
    }
    c->wrote = true;
    return 0;
}

static bool is_changelog(const leat__thread_t *t, const char *topic)
{
    for (size_t i = 0; i < t->task_count; i++)
        for (size_t k = 0; k < t->tasks[i]->store_count; k++)
            if (t->tasks[i]->stores[k].topic && !strcmp(t->tasks[i]->stores[k].topic, topic))
                return true;
    return false;
}

/*
 * A record of a sink that the broker refused for good may be let go, if the program says so and no
 * transaction is spoiled by it. State is never let go.
 */
static bool may_let_go(const leat__thread_t *t, const leat__failure_t *f)
{
    return !t->exactly_once && !(f->err.flags & (LEAT_RETRIABLE | LEAT_ABORT | LEAT_FATAL)) &&
           f->err.code != LEAT_ETIMEOUT && f->err.code != LEAT_EFENCED &&
           !strcmp(leat__config_text(t->w->config, "production.exception.handler"), "continue") &&
           !is_changelog(t, f->topic);
}

bool leat__output_failed(leat__thread_t *t, leat_error_t *err)
{
    leat__failure_t f;
    bool failed = false;

    if (t->writers[t->active])
        t->vt->writer_poll(t->writers[t->active]);
    while (t->writers[t->active] && t->vt->writer_failure(t->writers[t->active], &f)) {
        leat__log(LEAT_LOG_WARN, "thread", t->name, "a record to %s-%d was refused: %s", f.topic,
            (int)f.partition, f.err.text);
        if (may_let_go(t, &f)) {
            t->closed.dropped++;
            continue;
        }
        if (!failed)
            *err = f.err;
        failed = true;
    }
    if (t->output_error.code) {
        *err = t->output_error;
        failed = true;
    }
    return failed;
}

/* ---- leat__task_env_t; user is the task as its thread owns it ---- */

static leat__target_t *env_target(void *user, const char *topic, leat_error_t *err)
{
    return leat__output_target(((leat__owned_t *)user)->thread, topic, err);
}

static int32_t env_partitions(void *user, leat__target_t *target)
{
    leat__thread_t *t = ((leat__owned_t *)user)->thread;
    leat_error_t err;
    leat__out_t *out = leat__output_out(t, target, &err);

    return out ? t->vt->out_partitions(out) : 0;
}

static int env_send(void *user, leat__target_t *target, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    return produce(
        ((leat__owned_t *)user)->thread, target, partition, key, value, time_ms, headers, err);
}

static int env_log(void *user, leat__task_t *task, size_t store, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    (void)task;
    return leat__output_log(user, store, key, value, time_ms, headers, err);
}

static const leat_headers_t *env_headers(
    void *user, int input, const leat__raw_t *raw, leat__arena_t *scratch)
{
    leat__thread_t *t = ((leat__owned_t *)user)->thread;

    (void)input;
    return t->vt->reader_headers(t->reader, raw, scratch);
}

static void env_release(void *user, int input, leat__batch_t *batch)
{
    leat__thread_t *t = ((leat__owned_t *)user)->thread;

    (void)input;
    t->vt->reader_release(t->reader, batch);
}

static leat_verdict_t env_bad_record(void *user, const leat_bad_record_t *bad)
{
    const leat_app_opts_t *opts = ((leat__owned_t *)user)->thread->w->opts;

    return opts->on_bad_record(opts->user, bad);
}

static void env_commit_wanted(void *user)
{
    ((leat__owned_t *)user)->thread->commit_wanted = true;
}

const leat__task_env_t leat__thread_env = {
    .target = env_target,
    .partitions = env_partitions,
    .send = env_send,
    .log = env_log,
    .headers = env_headers,
    .release = env_release,
    .on_bad_record = env_bad_record,
    .commit_wanted = env_commit_wanted,
};
