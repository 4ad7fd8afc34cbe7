/*
 * runtime/restorer.c: the client with which a stream thread reads changelogs: open while a task
 * needs it, closed when none has for some time.
 *
 *    thread made ──▶ open ──no task restores or follows for REST_MS──▶ closed
 *                     ▲                                                  │
 *                     └────────── a task with stores is given ───────────┘
 *
 * A client costs threads and a connection, and CPU while nothing happens; most threads never
 * restore again once they run. It is opened as soon as a task begins its way, so that it is connected
 * by the time the ends of the changelogs are known. The first one is opened with the thread: what is wrong
 * with its settings shows at the start.
 */
#include <stdio.h>

#include "thread_inside.h"

enum { REST_MS = 10000 };

/* A thread's part of all changelogs there are, as if this process were alone. */
static size_t changelog_partitions(const leat__worker_t *w)
{
    size_t threads = w->thread_count > 0 ? (size_t)w->thread_count : 1, all = 0;

    for (size_t g = 0; g < w->plan->group_count; g++)
        if (!w->plan->groups[g].global)
            all += w->plan->groups[g].store_count * (size_t)w->plan->groups[g].task_count;
    return (all + threads - 1) / threads;
}

leat__reader_t *leat__restorer(leat__thread_t *t, leat_error_t *err)
{
    char client[512];
    leat__reader_opts_t opts = {.client_id = client,
        .group = t->w->application_id,
        .settings = "restore.consumer.",
        .partitions = changelog_partitions(t->w),
        .read_committed = true,
        .tail = true};
    leat__reader_t *fresh;

    t->restorer_used_ms = t->now_ms;
    if (t->restorer)
        return t->restorer;
    snprintf(client, sizeof client, "%s-%d-restore", t->w->application_id, t->index);
    fresh = t->vt->reader_open(t->b, &opts, err);
    pthread_mutex_lock(&t->restorer_lock);
    t->restorer = fresh;
    pthread_mutex_unlock(&t->restorer_lock);
    return fresh;
}

void leat__restorer_close(leat__thread_t *t)
{
    leat__reader_t *old = t->restorer;

    pthread_mutex_lock(&t->restorer_lock);
    t->restorer = NULL;
    pthread_mutex_unlock(&t->restorer_lock);
    if (old)
        t->vt->reader_close(old);
}

static bool needed(const leat__thread_t *t)
{
    for (size_t i = 0; i < t->task_count; i++)
        if (t->tasks[i]->phase <= LEAT__PHASE_STANDBY)
            return true;
    return false;
}

void leat__restorer_rest(leat__thread_t *t)
{
    if (!t->restorer)
        return;
    if (needed(t))
        t->restorer_used_ms = t->now_ms;
    else if (t->now_ms - t->restorer_used_ms >= REST_MS)
        leat__restorer_close(t);
}

void leat__restorer_wake(leat__thread_t *t)
{
    pthread_mutex_lock(&t->restorer_lock);
    if (t->restorer)
        t->vt->reader_wake(t->restorer);
    pthread_mutex_unlock(&t->restorer_lock);
}
