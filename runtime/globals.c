/* runtime/globals.c: the task of the global stores; other tasks' way to them. */
#include "globals.h"
#include "task_inside.h"
#include "base/mem.h"

#include <pthread.h>

struct leat__globals_t {
    pthread_mutex_t lock;
    leat__task_t *task;
    int64_t *next; /* of each store: how many batches it has seen, for its meta */
    int64_t applied;
};

/* ---- the task ---- */

bool leat__plan_has_globals(const leat__plan_t *p)
{
    for (size_t i = 0; i < p->group_count; i++)
        if (p->groups[i].global)
            return true;
    return false;
}

static leat__task_t *task_new(const leat__plan_t *p, const leat__task_env_t *env,
    leat__task_state_t *state, const char *state_dir, leat_error_t *err)
{
    const leat__group_t **groups = leat__must_alloc((p->group_count + 1) * sizeof *groups);
    leat__task_opts_t opts = {
        .plan = p, .groups = groups, .env = env, .state = state, .state_dir = state_dir};
    leat__task_t *t;

    for (size_t i = 0; i < p->group_count; i++)
        if (p->groups[i].global)
            groups[opts.group_count++] = &p->groups[i];
    t = leat__task_new(&opts, err);
    leat__free(groups);
    return t;
}

leat__globals_t *leat__globals_new(const leat__plan_t *p, const leat__task_env_t *env,
    leat__task_state_t *state, const char *state_dir, leat_error_t *err)
{
    leat__globals_t *g = leat__must_alloc(sizeof *g);

    pthread_mutex_init(&g->lock, NULL);
    g->task = task_new(p, env, state, state_dir, err);
    if (g->task)
        g->next = leat__must_alloc((g->task->store_count + 1) * sizeof *g->next);
    if (!g->task || leat__task_open(g->task, err) != LEAT_OK) {
        leat__globals_free(g);
        return NULL;
    }
    return g;
}

void leat__globals_free(leat__globals_t *g)
{
    if (!g)
        return;
    leat__task_close(g->task);
    pthread_mutex_destroy(&g->lock);
    leat__free(g->next);
    leat__free(g);
}

leat__task_t *leat__globals_task(leat__globals_t *g)
{
    return g->task;
}

void leat__globals_lock(leat__globals_t *g)
{
    pthread_mutex_lock(&g->lock);
}

void leat__globals_unlock(leat__globals_t *g)
{
    pthread_mutex_unlock(&g->lock);
}

/* One input stands for all partitions of its topic, one after the other. */
static int apply(
    leat__globals_t *g, int input, leat__batch_t batch, int64_t *time_ms, leat_error_t *err)
{
    leat__task_t *t = g->task;
    int rc;

    batch.at_end = true;
    leat__task_set_position(t, input, batch.count ? batch.records[0].offset : batch.next, *time_ms);
    leat__task_feed(t, input, batch);
    while ((rc = leat__task_step(t, err)) > 0)
        continue;
    if (rc == 0)
        rc = leat__task_flush(t, err);
    *time_ms = leat__task_partition_time(t, input);
    g->applied++;
    for (size_t i = 0; i < t->store_count; i++)
        g->next[i] = g->applied;
    if (rc == 0)
        leat__task_committed(t, g->next);
    return rc;
}

int leat__globals_apply(leat__globals_t *g, int input, int32_t partition, leat__batch_t batch,
    int64_t *time_ms, leat_error_t *err)
{
    int rc;

    leat__globals_lock(g);
    g->task->partition = partition;
    leat__task_set_wall(g->task, leat__clock_wall_ms(g->task->env.clock));
    for (size_t i = 0; i < g->task->input_count; i++)
        leat__task_set_at_end(g->task, (int)i, true);
    rc = apply(g, input, batch, time_ms, err);
    leat__globals_unlock(g);
    return rc;
}

/* ---- reading ---- */

static leat__task_t *task_of(leat__owner_t *o)
{
    return (leat__task_t *)(void *)((char *)o - offsetof(leat__task_t, reader));
}

static void reader_fail(leat__owner_t *o, int code, const char *text)
{
    leat__ctx_fail(&task_of(o)->ctx, code, "%s", text);
}

static void enter(leat__owner_t *o)
{
    leat__task_t *t = task_of(o);

    if (!t->reads_globals)
        leat__globals_lock(t->globals);
    t->reads_globals = true;
}

void leat__globals_leave(leat__task_t *t)
{
    leat__owner_finish(&t->reader);
    t->reads_globals = false;
    leat__globals_unlock(t->globals);
}

static leat__store_t *store_of(const leat__globals_t *g, const leat__store_spec_t *spec)
{
    for (size_t i = 0; i < g->task->store_count; i++)
        if (g->task->stores[i].spec == spec)
            return g->task->stores[i].store;
    return NULL;
}

leat__task_store_t *leat__globals_seen(leat__task_t *t, const leat__store_spec_t *spec)
{
    leat__seen_t *seen = t->seen;

    while (seen && seen->store.spec != spec)
        seen = seen->next;
    if (seen)
        return &seen->store;
    t->reader.fail = reader_fail;
    t->reader.enter = enter;
    t->reader.read_only = true;
    t->reader.scratch = &t->ctx.scratch;
    seen = leat__must_alloc(sizeof *seen);
    seen->next = t->seen;
    seen->store =
        (leat__task_store_t){.spec = spec, .store = store_of(t->globals, spec), .task = t};
    leat__task_store_handle(&seen->store, &t->reader);
    t->seen = seen;
    return &seen->store;
}

void leat__globals_forget(leat__task_t *t)
{
    for (leat__seen_t *seen = t->seen, *next; seen; seen = next) {
        next = seen->next;
        leat__task_store_release(&seen->store);
        leat__free(seen);
    }
    t->seen = NULL;
}
