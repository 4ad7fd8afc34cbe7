/* runtime/owners.c: see owners.h. */
#include "owners.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static leat__task_hosts_t *find(const leat__owners_t *o, leat__task_ref_t ref)
{
    size_t low = 0, high = o->task_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = leat__task_ref_compare(&o->tasks[middle].ref, &ref);

        if (order == 0)
            return &o->tasks[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const leat__task_hosts_t *leat__owners_find(const leat__owners_t *o, leat__task_ref_t ref)
{
    return find(o, ref);
}

/* What a process says of its copies, put beside the copies that were asked of it. */
static void read_lags(leat__owners_t *o, int host, const leat__status_t *s)
{
    for (size_t i = 0; i < s->copy_count; i++) {
        const leat__task_hosts_t *t = find(o, s->copies[i].ref);

        for (size_t k = 0; t != NULL && k < t->copy_count; k++)
            if (o->copies[t->first_copy + k].host == host)
                o->copies[t->first_copy + k].lag = s->copies[i].lag;
    }
}

static void list_hosts(leat__owners_t *o, const leat__control_log_t *log, const char *this_process)
{
    const leat__placement_t *p = &log->placement;

    o->hosts = leat__must_alloc((p->member_count + 1) * sizeof *o->hosts);
    for (size_t i = 0; i < p->member_count; i++) {
        const char *id = p->members[i].process_id;
        const leat__status_t *s = leat__control_log_process(log, id);

        o->hosts[o->host_count++] = (leat__host_t){.process_id = leat__must_strdup(id),
            .address = s != NULL && s->host != NULL ? leat__must_strdup(s->host) : NULL,
            .here = strcmp(id, this_process) == 0,
            .returns = s != NULL && s->state == LEAT__PROCESS_RESTARTING};
        if (s != NULL)
            read_lags(o, (int)i, s);
    }
}

static void list_tasks(leat__owners_t *o, const leat__placement_t *p)
{
    o->tasks = leat__must_alloc((p->task_count + 1) * sizeof *o->tasks);
    o->copies = leat__must_alloc((p->copy_count + 1) * sizeof *o->copies);
    for (size_t i = 0; i < p->task_count; i++) {
        const leat__placed_task_t *t = &p->tasks[i];
        leat__task_hosts_t *to = &o->tasks[o->task_count++];

        *to = (leat__task_hosts_t){
            .ref = t->ref, .owner = t->owner, .moving = t->release, .first_copy = o->copy_count};
        for (size_t k = t->first_copy; k < t->first_copy + t->copy_count; k++)
            if (p->copies[k].member >= 0)
                o->copies[o->copy_count++] =
                    (leat__host_copy_t){p->copies[k].member, LEAT__LAG_UNKNOWN};
        to->copy_count = o->copy_count - to->first_copy;
    }
}

static int by_lag(const void *a, const void *b)
{
    const leat__host_copy_t *x = a, *y = b;

    return (x->lag > y->lag) - (x->lag < y->lag);
}

leat__owners_t *leat__owners_new(const leat__control_log_t *log, const char *this_process)
{
    leat__owners_t *o = leat__must_alloc(sizeof *o);

    atomic_init(&o->holders, 1);
    list_tasks(o, &log->placement);
    list_hosts(o, log, this_process);
    for (size_t i = 0; i < o->task_count; i++)
        if (o->tasks[i].copy_count > 1)
            qsort(&o->copies[o->tasks[i].first_copy], o->tasks[i].copy_count, sizeof *o->copies,
                by_lag);
    return o;
}

void leat__owners_drop(leat__owners_t *o)
{
    if (o == NULL || atomic_fetch_sub(&o->holders, 1) != 1)
        return;
    for (size_t i = 0; i < o->host_count; i++) {
        leat__free(o->hosts[i].process_id);
        leat__free(o->hosts[i].address);
    }
    leat__free(o->hosts);
    leat__free(o->tasks);
    leat__free(o->copies);
    leat__free(o);
}

/* The assignor gives a task to who lacks least. */
int leat__owners_next(const leat__owners_t *o, const leat__task_hosts_t *t)
{
    for (size_t i = 0; i < t->copy_count; i++)
        if (o->copies[t->first_copy + i].host != t->owner)
            return o->copies[t->first_copy + i].host;
    return -1;
}
