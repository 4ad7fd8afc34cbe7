/*
 * runtime/globals_run.c: the global stores of a running app.
 *
 *    start ─▶ positions: noted with the last checkpoint, if they fit the topics; else from their
 *             start, into an emptied store
 *          ─▶ read all partitions up to the high watermark of now, on the thread of the start
 *          ─▶ a thread of its own: applies what comes, checkpoints; then control and stream threads
 *    stop  ─▶ stream threads have ended ─▶ the thread ends ─▶ a last checkpoint
 *
 * The offsets are the process's own, not the group's, and stand in the same batch of a checkpoint
 * as the data (PROTOCOLS.md 19, 23). A store that keeps nothing over a restart, or whose state is
 * older than half a day (tombstones may be gone from its topic by then, 9), is filled from the
 * start of its topic.
 */
#include "app.h"
#include "globals.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { BATCH = 500, WAIT_MS = 100, KEPT_BYTES = 32 << 20, RECORDS_DUE = 100000 };

typedef struct source_t { /* one partition of a global topic */
    const char *topic;
    int input;
    int32_t partition;
    leat__store_t *store; /* that it fills */
    int slot;
    int64_t low, end; /* at start */
    int64_t next, time_ms;
} source_t;

struct leat__globals_run_t {
    leat_app_t *app;
    const leat__broker_vt_t *vt;
    leat__budget_t budget;
    leat__task_state_t *state;
    leat__globals_t *globals;
    leat__asks_t asks; /* under the globals' lock */
    leat__reader_t *reader;
    source_t *sources;
    size_t source_count;
    pthread_t thread;
    bool running;
    _Atomic bool stop;
};
typedef struct leat__globals_run_t run_t;

/* ---- the task's surroundings ---- */

static const leat_headers_t *on_headers(
    void *user, int input, const leat__raw_t *raw, leat__arena_t *scratch)
{
    run_t *g = user;

    (void)input;
    return g->vt->reader_headers(g->reader, raw, scratch);
}

static void on_release(void *user, int input, leat__batch_t *batch)
{
    run_t *g = user;

    (void)input;
    g->vt->reader_release(g->reader, batch);
}

/* What a global processor emits goes nowhere; only a dead letter could ask. */
static leat__target_t *no_target(void *user, const char *topic, leat_error_t *err)
{
    (void)user;
    leat__error(err, LEAT_EUNSUPPORTED, 0, topic,
        "what fills a global store writes to no topic, dead letters included");
    return NULL;
}

static leat_verdict_t on_bad_record(void *user, const leat_bad_record_t *bad)
{
    run_t *g = user;
    const leat_app_opts_t *opts = &g->app->opts;

    return opts->on_bad_record(opts->user, bad);
}

/* ---- positions ---- */

static void note_name(const source_t *s, char *room, size_t size)
{
    snprintf(room, size, "global %s %d", s->topic, (int)s->partition);
}

static int64_t noted(run_t *g, const source_t *s)
{
    char name[300];
    leat_slice_t bytes;
    int64_t next = -1;

    note_name(s, name, sizeof name);
    if (leat__store_meta(s->store).changelog_next >= 0 &&
        leat__task_state_noted(g->state, name, &bytes) && bytes.size == sizeof next)
        memcpy(&next, bytes.data, sizeof next);
    return next;
}

/* A store has one topic: if one of its partitions does not fit, all of it is read again. */
static void rebuild(run_t *g, const source_t *unfit)
{
    bool was_there = leat__store_meta(unfit->store).changelog_next >= 0;

    if (was_there)
        leat__log(LEAT_LOG_WARN, "global", NULL,
            "the local state of %s does not fit its topic: filling %s anew", unfit->topic,
            leat__store_name(unfit->store));
    leat__store_clear(unfit->store);
    for (size_t i = 0; i < g->source_count; i++)
        if (g->sources[i].input == unfit->input)
            g->sources[i].next = g->sources[i].low;
}

static void choose_positions(run_t *g)
{
    for (size_t i = 0; i < g->source_count; i++)
        g->sources[i].next = noted(g, &g->sources[i]);
    for (size_t i = 0; i < g->source_count; i++) {
        const source_t *s = &g->sources[i];

        if (s->next < s->low || s->next > s->end)
            rebuild(g, s);
    }
}

static leat__op_t *ask(leat_app_t *app, const run_t *g, leat__where_t where)
{
    leat__position_t *of = leat__must_alloc((g->source_count + 1) * sizeof *of);
    leat__op_t *op;

    for (size_t i = 0; i < g->source_count; i++)
        of[i] = (leat__position_t){
            .topic = (char *)(uintptr_t)g->sources[i].topic, .partition = g->sources[i].partition};
    op = app->broker->vt->offsets(app->broker, of, g->source_count, where);
    leat__free(of);
    return op;
}

static leat__op_t *ask_low(leat_app_t *app, void *user)
{
    return ask(app, user, LEAT__EARLIEST);
}

static leat__op_t *ask_end(leat_app_t *app, void *user)
{
    return ask(app, user, LEAT__HIGH_WATERMARK);
}

static int64_t answer(const leat__op_t *op, const source_t *s)
{
    for (size_t i = 0; i < op->position_count; i++)
        if (op->positions[i].partition == s->partition &&
            strcmp(op->positions[i].topic, s->topic) == 0)
            return op->positions[i].offset;
    return 0;
}

static int find_ends(run_t *g, leat_error_t *err)
{
    int64_t deadline_ms =
        leat__clock_steady_ms(NULL) + leat__config_int(g->app->config, "leat.start.timeout.ms");
    leat__op_t *low = NULL, *end = NULL;
    int rc = leat__app_op(g->app, deadline_ms, ask_low, g, &low, err);

    if (rc == 0)
        rc = leat__app_op(g->app, deadline_ms, ask_end, g, &end, err);
    for (size_t i = 0; rc == 0 && i < g->source_count; i++) {
        g->sources[i].low = answer(low, &g->sources[i]);
        g->sources[i].end = answer(end, &g->sources[i]);
    }
    leat__op_free(low);
    leat__op_free(end);
    return rc;
}

/* ---- records ---- */

static int refused(const source_t *s, int code, leat_error_t *err)
{
    return leat__error(err, code, LEAT_FATAL, s->topic,
        "offset %lld of partition %d, which a global store is filled from, cannot be read: %s%s",
        (long long)s->next, (int)s->partition, leat_error_text(code),
        code == LEAT_ETOPIC ? " (if its records were deleted: the next start fills the store anew)"
                            : "");
}

/* 1: something was there; 0: nothing; negative: err. */
static int take(run_t *g, source_t *s, leat_error_t *err)
{
    leat__batch_t batch;
    int64_t next;
    int code;

    if (!g->vt->reader_take(g->reader, s->slot, BATCH, &batch))
        return 0;
    next = batch.next;
    code = batch.code;
    if (code || batch.count == 0) {
        g->vt->reader_release(g->reader, &batch);
        if (code)
            return refused(s, code, err);
    } else if (leat__globals_apply(g->globals, s->input, s->partition, batch, &s->time_ms, err)) {
        return err->code;
    }
    s->next = next;
    return 1;
}

static int take_all(run_t *g, leat_error_t *err)
{
    int took = 0;

    for (size_t i = 0; i < g->source_count; i++) {
        int rc = take(g, &g->sources[i], err);

        if (rc < 0)
            return rc;
        took |= rc;
    }
    leat__globals_lock(g->globals);
    if (g->budget.entry_bytes > KEPT_BYTES)
        leat__task_state_evict(g->state, g->budget.entry_bytes - KEPT_BYTES / 2);
    leat__globals_unlock(g->globals);
    return took;
}

/* ---- checkpoints ---- */

static leat__frozen_t *begin_checkpoint(run_t *g, int64_t wall_ms)
{
    char name[300];
    leat_error_t err;

    for (size_t i = 0; i < g->source_count; i++) {
        const source_t *s = &g->sources[i];

        note_name(s, name, sizeof name);
        if (leat__task_state_note(
                g->state, name, (leat_slice_t){(const char *)&s->next, sizeof s->next}, &err))
            return NULL;
    }
    return leat__checkpoint_begin(g->state, wall_ms);
}

static void checkpoint(run_t *g, bool always)
{
    int64_t wall_ms = leat__clock_wall_ms(g->app->worker.clock);
    int64_t interval_ms = leat__config_int(g->app->config, "statestore.checkpoint.interval.ms");
    leat__frozen_t *frozen = NULL;
    leat_error_t err;
    int rc;

    leat__globals_lock(g->globals);
    if (always || leat__checkpoint_due(g->state, wall_ms, interval_ms, KEPT_BYTES / 2, RECORDS_DUE))
        frozen = begin_checkpoint(g, wall_ms);
    leat__globals_unlock(g->globals);
    if (!frozen)
        return;
    rc = leat__checkpoint_write(frozen, &err);
    if (rc)
        leat__log(LEAT_LOG_WARN, "global", NULL, "the checkpoint failed and is tried again: %s",
            err.text);
    leat__globals_lock(g->globals);
    leat__checkpoint_end(frozen, rc == 0);
    leat__globals_unlock(g->globals);
}

/* ---- filling, then following ---- */

static int64_t left(const run_t *g)
{
    int64_t sum = 0;

    for (size_t i = 0; i < g->source_count; i++)
        if (g->sources[i].end > g->sources[i].next)
            sum += g->sources[i].end - g->sources[i].next;
    return sum;
}

static int fill(run_t *g, leat_error_t *err)
{
    int64_t began_ms = leat__clock_steady_ms(NULL), first = left(g), said_ms = began_ms;

    while (left(g) > 0) {
        int rc = take_all(g, err);
        int64_t now_ms = leat__clock_steady_ms(NULL);

        if (rc < 0)
            return rc;
        if (rc == 0)
            g->vt->reader_wait(g->reader, WAIT_MS);
        if (now_ms - said_ms > 5000) {
            leat__log(LEAT_LOG_INFO, "global", NULL, "filling the global stores: %lld records left",
                (long long)left(g));
            said_ms = now_ms;
        }
        checkpoint(g, false);
    }
    leat__log(LEAT_LOG_INFO, "global", NULL, "global stores filled: %lld offsets in %lld ms",
        (long long)first, (long long)(leat__clock_steady_ms(NULL) - began_ms));
    return 0;
}

static void *body(void *user)
{
    run_t *g = user;
    leat_error_t err;

    while (!g->stop) {
        int rc = take_all(g, &err);

        if (rc < 0) {
            leat__app_fail(g->app, &err);
            break;
        }
        checkpoint(g, false);
        if (rc == 0)
            g->vt->reader_wait(g->reader, WAIT_MS);
    }
    return NULL;
}

/* ---- making ---- */

static int open_stores(run_t *g, leat_error_t *err)
{
    const leat_app_t *app = g->app;
    char *dir = leat__must_format("%s/global", app->worker.state_dir);
    leat__task_state_opts_t state = {.dir = dir,
        .budget = &g->budget,
        .block_cache = app->worker.block_cache,
        .wall_ms = leat__clock_wall_ms(app->worker.clock),
        .age_max_ms = LEAT_HOURS(12)};
    leat__task_env_t env = {.config = app->config,
        .clock = app->worker.clock,
        .user = g,
        .target = no_target,
        .headers = on_headers,
        .release = on_release,
        .on_bad_record = app->opts.on_bad_record ? on_bad_record : NULL};
    int rc = leat__task_state_open(&g->state, &state, err);

    if (rc == 0)
        g->globals = leat__globals_new(app->plan, &env, g->state, app->worker.state_dir, err);
    leat__free(dir);
    return rc == 0 && !g->globals ? err->code : rc;
}

static int open_reader(run_t *g, leat_error_t *err)
{
    char *client = leat__must_format("%s-global", g->app->worker.application_id);
    leat__reader_opts_t o = {
        .client_id = client, .settings = "global.consumer.", .read_committed = true, .tail = true};

    g->reader = g->vt->reader_open(g->app->broker, &o, err);
    leat__free(client);
    return g->reader ? 0 : err->code;
}

/* The store that the node behind a source fills. */
static leat__store_t *store_of(leat__task_t *t, const leat__node_t *source)
{
    const leat__store_spec_t *spec = source->children[0]->stores[0];

    for (size_t i = 0; i < leat__task_store_count(t); i++)
        if (leat__task_store_spec(t, i) == spec)
            return leat__task_store(t, i);
    return NULL;
}

static void list_group(run_t *g, const leat__group_t *group)
{
    leat__task_t *t = leat__globals_task(g->globals);

    for (size_t i = 0; i < group->topic_count; i++)
        for (int32_t p = 0; p < group->partition_counts[i]; p++)
            g->sources[g->source_count++] = (source_t){.topic = group->topics[i],
                .input = leat__task_input_of(t, group->topics[i]),
                .partition = p,
                .store = store_of(t, group->sources[i]),
                .slot = -1,
                .time_ms = -1};
}

static void list_sources(run_t *g)
{
    const leat__plan_t *plan = g->app->plan;
    size_t room = 0;

    for (size_t i = 0; i < plan->group_count; i++)
        for (size_t k = 0; plan->groups[i].global && k < plan->groups[i].topic_count; k++)
            room += (size_t)plan->groups[i].partition_counts[k];
    g->sources = leat__must_alloc((room + 1) * sizeof *g->sources);
    for (size_t i = 0; i < plan->group_count; i++)
        if (plan->groups[i].global)
            list_group(g, &plan->groups[i]);
}

static int read_sources(run_t *g, leat_error_t *err)
{
    for (size_t i = 0; i < g->source_count; i++) {
        source_t *s = &g->sources[i];

        s->slot = g->vt->reader_add(g->reader, s->topic, s->partition, s->next, err);
        if (s->slot < 0)
            return err->code;
    }
    return 0;
}

static int follow(run_t *g, leat_error_t *err)
{
    if (pthread_create(&g->thread, NULL, body, g) != 0)
        return leat__error(err, LEAT_EIO, 0, "global", "no thread can be started");
    pthread_mutex_lock(&g->app->globals_lock);
    g->running = true;
    pthread_mutex_unlock(&g->app->globals_lock);
    return 0;
}

int leat__globals_start(leat_app_t *app, leat_error_t *err)
{
    run_t *g;
    int rc;

    if (!leat__plan_has_globals(app->plan))
        return 0;
    g = leat__must_alloc(sizeof *g);
    g->app = app;
    g->vt = app->broker->vt;
    pthread_mutex_lock(&app->globals_lock);
    app->globals = g;
    pthread_mutex_unlock(&app->globals_lock);
    rc = open_stores(g, err);
    if (rc == 0)
        rc = open_reader(g, err);
    if (rc == 0) {
        list_sources(g);
        rc = find_ends(g, err);
    }
    if (rc == 0) {
        choose_positions(g);
        rc = read_sources(g, err);
    }
    if (rc == 0)
        rc = fill(g, err);
    if (rc == 0)
        rc = follow(g, err);
    app->worker.globals = rc == 0 ? g->globals : NULL;
    return rc;
}

bool leat__globals_serve(leat_app_t *app, leat__question_t *r)
{
    run_t *g;

    pthread_mutex_lock(&app->globals_lock);
    g = app->globals;
    if (g && !g->running) {
        g = NULL; /* being filled */
    } else if (g) {
        leat__store_t *s = NULL;
        leat__task_t *t = leat__globals_task(g->globals);

        leat__globals_lock(g->globals);
        for (size_t i = 0; r->store && i < leat__task_store_count(t); i++)
            if (!strcmp(leat__task_store_spec(t, i)->name, r->store))
                s = leat__task_store(t, i);
        leat__asks_keep(&g->asks, leat__clock_steady_ms(app->worker.clock));
        leat__asks_turn(&g->asks, s, "global", leat__clock_steady_ms(app->worker.clock), r);
        leat__globals_unlock(g->globals);
    }
    pthread_mutex_unlock(&app->globals_lock);
    if (!g)
        return false;
    r->done = true; /* by the asker itself */
    return true;
}

void leat__globals_stop(leat_app_t *app)
{
    run_t *g;

    pthread_mutex_lock(&app->globals_lock);
    g = app->globals;
    app->globals = NULL;
    if (g)
        leat__asks_cut(&g->asks);
    pthread_mutex_unlock(&app->globals_lock);
    if (!g)
        return;
    g->stop = true;
    if (g->running) {
        g->vt->reader_wake(g->reader);
        pthread_join(g->thread, NULL);
        checkpoint(g, true);
    }
    leat__globals_free(g->globals);
    if (g->state)
        leat__task_state_close(g->state);
    if (g->reader)
        g->vt->reader_close(g->reader);
    leat__free(g->sources);
    leat__free(g);
}
