/*
 * runtime/control_ask.c: what others may ask: which thread has a task, what the threads show, who owns what
 * in the other processes.
 */
#include "asks.h"
#include "control_inside.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>

/* The owner's seat, else a standby's; -1: none. Under seats_lock. */
static int seat_of(leat__control_t *c, leat__task_ref_t ref, bool stale)
{
    leat__task_view_t *tasks = NULL;
    size_t room = 0;
    int found = -1;
    bool owner = false;

    for (int i = 0; i < c->seat_count && !owner; i++) {
        size_t count = leat__thread_tasks(c->seats[i].thread, &tasks, &room);

        for (size_t k = 0; k < count && !owner; k++) {
            if (leat__task_ref_compare(&tasks[k].ref, &ref) != 0 || (tasks[k].standby && !stale))
                continue;
            owner = !tasks[k].standby;
            found = i;
        }
    }
    leat__free(tasks);
    return found;
}

bool leat__control_has(leat__control_t *c, leat__task_ref_t ref, bool stale)
{
    pthread_mutex_lock(&c->seats_lock);
    bool here = seat_of(c, ref, stale) >= 0;
    pthread_mutex_unlock(&c->seats_lock);
    return here;
}

bool leat__control_ask(leat__control_t *c, leat__task_ref_t ref, leat__question_t *r)
{
    pthread_mutex_lock(&c->seats_lock);
    int seat = seat_of(c, ref, true);
    if (seat >= 0)
        leat__mailbox_post(
            leat__thread_mail(c->seats[seat].thread), leat__question_message(r));
    pthread_mutex_unlock(&c->seats_lock);
    return seat >= 0;
}

int leat__control_views(leat__control_t *c, leat__thread_view_t **views)
{
    pthread_mutex_lock(&c->seats_lock);
    int count = c->seat_count;
    *views = leat__must_alloc(((size_t)count + 1) * sizeof **views);
    for (int i = 0; i < count; i++)
        leat__thread_view(c->seats[i].thread, &(*views)[i]);
    pthread_mutex_unlock(&c->seats_lock);
    return count;
}

int leat__control_tasks(leat__control_t *c, int index, leat__task_view_t **tasks, size_t *room)
{
    int count = -1;

    pthread_mutex_lock(&c->seats_lock);
    if (index < c->seat_count)
        count = (int)leat__thread_tasks(c->seats[index].thread, tasks, room);
    pthread_mutex_unlock(&c->seats_lock);
    return count;
}

void leat__control_nodes(leat__control_t *c, uint64_t *sum)
{
    pthread_mutex_lock(&c->seats_lock);
    for (int i = 0; i < c->seat_count; i++)
        leat__thread_nodes(c->seats[i].thread, sum);
    pthread_mutex_unlock(&c->seats_lock);
}

/* ---- who owns what ---- */

void leat__control_show_owners(leat__control_t *c)
{
    leat__owners_t *fresh, *old;

    if (c->log.placement_offset < 0 || (c->owners_at == c->log.placement_offset &&
                                           c->owners_changes == c->log.changes && c->owners))
        return;
    fresh = leat__owners_new(&c->log, c->w->process_id);
    c->owners_at = c->log.placement_offset;
    c->owners_changes = c->log.changes;
    pthread_mutex_lock(&c->owners_lock);
    old = c->owners;
    c->owners = fresh;
    pthread_mutex_unlock(&c->owners_lock);
    leat__owners_drop(old);
}

leat__owners_t *leat__control_owners(leat__control_t *c)
{
    pthread_mutex_lock(&c->owners_lock);
    leat__owners_t *o = c->owners;
    if (o != NULL)
        atomic_fetch_add(&o->holders, 1);
    pthread_mutex_unlock(&c->owners_lock);
    return o;
}

/* ---- the same as JSON ---- */

static const char *state_of(const leat__status_t *s)
{
    switch (s == NULL ? LEAT__PROCESS_RUNNING : s->state) {
    case LEAT__PROCESS_LEAVING:
        return "leaving";
    case LEAT__PROCESS_RESTARTING:
        return "restarting";
    case LEAT__PROCESS_SHUTDOWN:
        return "shutdown";
    case LEAT__PROCESS_RUNNING:
    default:
        return "running";
    }
}

static void put_refs(leat__buf_t *out, const leat__placement_t *p, int member, bool copies)
{
    const char *comma = "";

    for (size_t i = 0; i < p->task_count; i++) {
        const leat__placed_task_t *t = &p->tasks[i];
        bool has = !copies && t->owner == member;

        for (size_t k = 0; copies && k < t->copy_count; k++)
            has = has || p->copies[t->first_copy + k].member == member;
        if (!has)
            continue;
        leat__buf_format(out, "%s\"%d_%d\"", comma, (int)t->ref.group, (int)t->ref.partition);
        comma = ",";
    }
}

void leat__control_answer(leat__control_t *c, leat__question_t *q)
{
    const leat__placement_t *p = &c->log.placement;
    leat__buf_t *out = &q->page;

    if (c->log.placement_offset < 0) {
        leat__buf_put_text(out, "{\"generation\":null,\"workers\":[]}");
        leat__question_answer(q);
        return;
    }
    leat__buf_format(out, "{\"generation\":%d,\"revision\":%lld,\"this_process\":\"%s\",\"workers\":[",
        (int)p->generation, (long long)p->revision, c->w->process_id);
    for (size_t i = 0; i < p->member_count; i++) {
        const leat__placed_member_t *m = &p->members[i];
        const leat__status_t *s = leat__control_log_process(&c->log, m->process_id);

        leat__buf_format(out,
            "%s{\"process\":\"%s\",\"host\":\"%s\",\"threads\":%d,\"leads\":%s,\"state\":\"%s\","
            "\"tasks\":[",
            i ? "," : "", m->process_id, s && s->host ? s->host : "", m->threads,
            strcmp(m->member_id, p->leader) == 0 ? "true" : "false", state_of(s));
        put_refs(out, p, (int)i, false);
        leat__buf_put_text(out, "],\"standbys\":[");
        put_refs(out, p, (int)i, true);
        leat__buf_put_text(out, "]}");
    }
    leat__buf_put_text(out, "]}");
    leat__question_answer(q);
}
