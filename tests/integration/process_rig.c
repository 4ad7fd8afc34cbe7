/* tests/integration/process_rig.c: see process_rig.h. */
#include "process_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/config.h"
#include "base/log.h"

enum { STEP_MS = 5 };

static int32_t partitions_of(void *user, const char *topic)
{
    (void)topic;
    return ((rig_world_t *)user)->partitions;
}

static void on_state(void *user, bool running)
{
    ((proc_t *)user)->running = running;
}

static leat_rescue_t on_thread_failed(void *user, const leat_error_t *err)
{
    proc_t *p = user;

    (void)err;
    p->failures++;
    return p->rescue;
}

static void on_failed(void *user, const leat_error_t *err)
{
    ((proc_t *)user)->failure = *err;
}

static void on_stopped(void *user)
{
    ((proc_t *)user)->over = true;
}

static void make_topics(proc_t *p)
{
    char *control = leat__control_topic(RIG_APP);

    rig_topic(p->world, control, 1, "compact");
    leat__free(control);
    for (size_t i = 0; i < p->plan->internal_topic_count; i++) {
        const leat__internal_topic_t *t = &p->plan->internal_topics[i];

        if (!t->source_changelog)
            rig_topic(p->world, t->name, t->partitions, t->repartition ? "delete" : "compact");
    }
}

static void plan(proc_t *p, int threads)
{
    rig_world_t *w = p->world;
    leat_error_t err = {0};
    char count[12];

    snprintf(count, sizeof count, "%d", threads);
    p->config = leat_config_new();
    for (size_t i = 0; i < w->setting_count; i++)
        leat_config_set(p->config, w->settings[i][0], w->settings[i][1]);
    leat_config_set(p->config, "num.stream.threads", count);
    if (leat_config_check(p->config, &err))
        fail_msg("%s: %s", err.where, err.text);
    p->topology = leat_topology_build(w->build, p->config);
    if (leat__topology_compile(p->topology, p->config, &p->plan, &err) ||
        leat__plan_resolve(p->plan, partitions_of, w, &err))
        fail_msg("%s: %s", err.where, err.text);
    make_topics(p);
}

proc_t *proc_start(procs_t *all, const char *name, int threads)
{
    leat__control_hooks_t hooks = {.state = on_state,
        .thread_failed = on_thread_failed,
        .failed = on_failed,
        .stopped = on_stopped};
    proc_t *p = leat__must_alloc(sizeof *p);
    leat_error_t err = {0};

    p->world = all->world;
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->dir, sizeof p->dir, "%s/%s", p->world->dir, name);
    plan(p, threads);
    p->broker = leat__embedded_client(p->world->log, NULL);
    p->worker = (leat__worker_t){.config = p->config,
        .broker = p->broker,
        .plan = p->plan,
        .clock = &p->world->clock,
        .opts = &p->opts,
        .application_id = (char *)(uintptr_t)RIG_APP,
        .process_id = p->name,
        .state_dir = p->dir,
        .exactly_once =
            !strcmp(leat__config_text(p->config, "processing.guarantee"), "exactly_once_v2"),
        .thread_count = threads};
    leat__mailbox_init(&p->worker.control);
    hooks.user = p;
    p->control = leat__control_new(&p->worker, &hooks, 0, NULL, 0, &err);
    if (!p->control)
        fail_msg("%s: %s", err.where, err.text);
    assert_true(all->count < PROC_MAX);
    all->of[all->count++] = p;
    return p;
}

static void step(proc_t *p)
{
    if (p->frozen || p->over)
        return;
    leat__control_step(p->control);
    for (int i = 0; !p->over && i < p->control->seat_count; i++)
        if (!p->frozen_threads[i])
            leat__thread_step(p->control->seats[i].thread);
}

void procs_step(procs_t *all)
{
    leat__log_tick(all->world->log);
    for (size_t i = 0; i < all->count; i++)
        step(all->of[i]);
    all->world->clock.steady_ms += STEP_MS;
    all->world->clock.wall_ms += STEP_MS;
}

void procs_run(procs_t *all, int64_t ms)
{
    for (int64_t until = all->world->clock.steady_ms + ms; all->world->clock.steady_ms < until;)
        procs_step(all);
}

void procs_fail(const procs_t *all, const char *condition, const char *file, int line)
{
    for (size_t i = 0; i < all->count; i++) {
        const proc_t *p = all->of[i];

        print_error("process %s: phase %d, %d seats, %zu tasks owned, %zu run, running %d%s%s\n",
            p->name, (int)p->control->phase, p->control->seat_count, p->control->owned_count,
            proc_tasks(p, -1), p->running, p->failure.code ? ", failed: " : "", p->failure.text);
    }
    print_error("%s:%d: it never comes true: %s\n", file, line, condition);
    fail();
}

static void free_process(procs_t *all, proc_t *p)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->of[i] == p)
            all->of[i] = all->of[--all->count];
    leat__control_free(p->control);
    leat__mailbox_release(&p->worker.control);
    p->broker->vt->close(p->broker);
    leat__plan_free(p->plan);
    leat_topology_free(p->topology);
    leat_config_free(p->config);
    leat__free(p);
}

void proc_stop(procs_t *all, proc_t *p)
{
    leat__control_stop(p->control);
    procs_until(all, 60000, p->over);
    free_process(all, p);
}

void proc_crash(procs_t *all, proc_t *p)
{
    free_process(all, p);
}

void procs_end(procs_t *all)
{
    while (all->count)
        proc_stop(all, all->of[0]);
}

size_t proc_tasks(const proc_t *p, int thread)
{
    size_t count = 0;

    for (int i = 0; i < p->control->seat_count; i++)
        for (size_t k = 0; (thread < 0 || thread == i) && !p->control->seats[i].stuck &&
                           k < p->control->seats[i].thread->task_count;
             k++)
            count += p->control->seats[i].thread->tasks[k]->phase == LEAT__PHASE_RUNNING;
    return count;
}

bool procs_all_run(const procs_t *all, size_t tasks)
{
    size_t count = 0;

    for (size_t i = 0; i < all->count; i++)
        count += proc_tasks(all->of[i], -1);
    assert_true(count <= tasks);
    return count == tasks;
}

static bool runs(const proc_t *p, leat__task_ref_t ref)
{
    for (int i = 0; i < p->control->seat_count; i++)
        for (size_t k = 0; !p->control->seats[i].stuck && k < p->control->seats[i].thread->task_count;
             k++) {
            const leat__owned_t *o = p->control->seats[i].thread->tasks[k];

            if (o->phase == LEAT__PHASE_RUNNING && leat__task_ref_compare(&o->ref, &ref) == 0)
                return true;
        }
    return false;
}

bool procs_overlap(const procs_t *all)
{
    for (int32_t p = 0; p < all->world->partitions; p++) {
        int count = 0;

        for (size_t i = 0; i < all->count; i++)
            count += runs(all->of[i], (leat__task_ref_t){0, p});
        if (count > 1)
            return true;
    }
    return false;
}

bool procs_have_read(procs_t *all, int64_t each)
{
    for (int32_t p = 0; p < all->world->partitions; p++)
        if (rig_committed(all->world, "in", p) < each)
            return false;
    return true;
}
