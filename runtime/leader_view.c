/*
 * runtime/leader_view.c: from what the leader knows to a placement: the control topic, who is in
 * the group, what is fenced, go into the assignor; what it says comes out as the two steps in which
 * live tasks move.
 *
 * A task is taken from (a) who released it for the revision that asked, (b) a process absent from
 * the group, after its transactional ids were initialised anew, (c) a process present under another
 * member id, once its new status says so (PROTOCOLS.md 7, 12); never from one that said it will be
 * back, before its time is over (13). Until then the placement names the old owner, and the new one
 * keeps its copy.
 *
 * Everything is looked up by index or map: O(tasks x members) is left to the assignor's loops.
 */
#include "control_inside.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A member of the placement before, as it stands now. */
struct earlier {
    int same;        /* its number now; -1 */
    int reborn;      /* present under another member id: its number now; -1 */
    int absent_at;   /* listed in the new placement though it is not present; -1: not yet */
    bool waited_for; /* gone, but not long enough or not fenced */
    bool kept;
};

struct view {
    leat__control_t *c;
    leat__placement_t *p;
    const leat__placement_t *before;
    size_t present; /* the first members of p; behind them absent owners */
    const leat__status_t **statuses;
    leat__assign_member_t *members;
    const char **tag_values;
    struct earlier *earlier;
    size_t *group_start;
    leat__assign_task_t *tasks;
    size_t task_count;
    const leat__placed_task_t **placed; /* in the placement before; NULL: it is new */
    leat__assign_copy_t *copies;
    leat__assign_t in;
};

/* ---- who is there ---- */

static bool in_group(const leat__lead_t *d, const char *process_id, const char *member_id)
{
    for (size_t i = 0; i < d->member_count; i++) {
        const leat__group_member_t *m = &d->members[i];
        if (strcmp(m->member_id, member_id) == 0 ||
            (m->instance_id != NULL && strcmp(m->instance_id, process_id) == 0))
            return true;
    }
    return false;
}

bool leat__lead_knows(const leat__lead_t *d, const char *process_id, const char *member_id)
{
    return in_group(d, process_id, member_id);
}

static void *number_of(size_t i)
{
    return (void *)(uintptr_t)(i + 1);
}

static int number_at(const leat__map_t *map, const char *key)
{
    return (int)(uintptr_t)leat__map_get(map, key) - 1;
}

static void add_member(leat__placement_t *p, const char *member_id, const char *process_id)
{
    leat__placed_member_t *m = &p->members[p->member_count++];

    m->member_id = leat__must_strdup(member_id);
    m->process_id = leat__must_strdup(process_id);
}

/* The members that can be told apart: in the group, and their status says who they are. */
static void list_members(struct view *v, const char *without, leat__map_t *by_member)
{
    const leat__lead_t *d = &v->c->lead;
    leat__map_t statuses = {0};
    const char *key;
    void *value;

    for (size_t i = 0; leat__map_next(&v->c->log.statuses, &i, &key, &value);)
        leat__map_put(&statuses, ((leat__status_t *)value)->member_id, value);
    v->p->members =
        leat__must_alloc((d->member_count + v->before->member_count + 1) * sizeof *v->p->members);
    v->statuses = leat__must_alloc((d->member_count + 1) * sizeof *v->statuses);
    for (size_t i = 0; i < d->member_count; i++) {
        const leat__status_t *s = leat__map_get(&statuses, d->members[i].member_id);
        if (s == NULL)
            continue;
        bool takes = s->state == LEAT__PROCESS_RUNNING &&
                     (without == NULL || strcmp(without, s->member_id) != 0);
        add_member(v->p, s->member_id, s->process_id);
        v->p->members[v->present].threads = takes && s->threads > 0 ? s->threads : 0;
        leat__map_put(by_member, s->member_id, number_of(v->present));
        v->statuses[v->present++] = s;
    }
    leat__map_release(&statuses, NULL);
}

static const char *tag_value(const leat__status_t *s, leat_slice_t name)
{
    for (size_t i = 0; i < s->tag_count; i++) {
        leat_slice_t tag = leat_slice(s->tags[i].name);
        if (leat_slice_equal(&name, &tag))
            return s->tags[i].value;
    }
    return NULL;
}

static void list_tags(struct view *v)
{
    const char *text = leat__config_text(v->c->w->config, "rack.aware.assignment.tags");
    leat_slice_t rest = leat_slice(text), name;

    v->members = leat__must_alloc((v->present + 1) * sizeof *v->members);
    while (leat_slice_token(&rest, ", ", &name))
        v->in.tag_count++;
    v->tag_values = leat__must_alloc((v->present * v->in.tag_count + 1) * sizeof *v->tag_values);
    for (size_t m = 0; m < v->present; m++) {
        const char **values = &v->tag_values[m * v->in.tag_count];
        size_t k = 0;

        rest = leat_slice(text);
        while (leat_slice_token(&rest, ", ", &name))
            values[k++] = tag_value(v->statuses[m], name);
        v->members[m] =
            (leat__assign_member_t){.threads = v->p->members[m].threads, .tags = values};
    }
}

/* It said that it will be back, and its time is not over. */
static bool is_kept(const struct view *v, const leat__placed_member_t *m)
{
    const leat__status_t *s = leat__control_log_process(&v->c->log, m->process_id);

    return s != NULL && s->state == LEAT__PROCESS_RESTARTING &&
           strcmp(s->member_id, m->member_id) == 0 && v->c->now_ms < s->kept_until_ms;
}

static void look_back(struct view *v, const leat__map_t *by_member)
{
    leat__map_t by_process = {0};

    for (size_t m = 0; m < v->present; m++)
        leat__map_put(&by_process, v->p->members[m].process_id, number_of(m));
    v->earlier = leat__must_alloc((v->before->member_count + 1) * sizeof *v->earlier);
    for (size_t i = 0; i < v->before->member_count; i++) {
        const leat__placed_member_t *m = &v->before->members[i];
        struct earlier *e = &v->earlier[i];

        e->same = number_at(by_member, m->member_id);
        e->reborn = e->same >= 0 ? -1 : number_at(&by_process, m->process_id);
        e->absent_at = -1;
        e->kept = e->reborn < 0 && is_kept(v, m);
        e->waited_for = e->same < 0 && e->reborn < 0 && !e->kept &&
                        (in_group(&v->c->lead, m->process_id, m->member_id) ||
                            (v->c->w->exactly_once &&
                                leat__map_get(&v->c->lead.fenced, m->process_id) == NULL));
        if (e->kept) {
            const leat__status_t *s = leat__control_log_process(&v->c->log, m->process_id);
            if (s->kept_until_ms < v->c->lead.wake_ms)
                v->c->lead.wake_ms = s->kept_until_ms;
        }
    }
    leat__map_release(&by_process, NULL);
}

/* ---- tasks ---- */

static bool is_stateful(const leat__group_t *g)
{
    for (size_t i = 0; i < g->store_count; i++)
        if (g->stores[i]->logged || g->stores[i]->source_topic != NULL)
            return true;
    return false;
}

static void list_tasks(struct view *v)
{
    const leat__plan_t *plan = v->c->w->plan;
    size_t at = 0;

    v->group_start = leat__must_alloc((plan->group_count + 1) * sizeof *v->group_start);
    for (size_t g = 0; g < plan->group_count; g++) {
        v->group_start[g] = v->task_count;
        v->task_count += (size_t)plan->groups[g].task_count;
    }
    v->group_start[plan->group_count] = v->task_count;
    v->tasks = leat__must_alloc((v->task_count + 1) * sizeof *v->tasks);
    v->placed = leat__must_alloc((v->task_count + 1) * sizeof *v->placed);
    for (size_t g = 0; g < plan->group_count; g++) {
        bool stateful = is_stateful(&plan->groups[g]);
        for (int32_t i = 0; i < plan->groups[g].task_count; i++)
            v->tasks[at++] = (leat__assign_task_t){.ref = {(int32_t)g, i},
                .stateful = stateful,
                .holder = -1,
                .previous = -1,
                .barred = -1};
    }
}

/* Its index; task_count: the program has no such task. */
static size_t index_of(const struct view *v, leat__task_ref_t ref)
{
    const leat__plan_t *plan = v->c->w->plan;

    if (ref.group < 0 || (size_t)ref.group >= plan->group_count || ref.partition < 0 ||
        ref.partition >= plan->groups[ref.group].task_count)
        return v->task_count;
    return v->group_start[ref.group] + (size_t)ref.partition;
}

static bool lists(const leat__task_ref_t *refs, size_t count, leat__task_ref_t ref)
{
    return count > 0 && bsearch(&ref, refs, count, sizeof *refs, leat__task_ref_compare) != NULL;
}

static bool has_released(const struct view *v, const leat__status_t *s, leat__task_ref_t ref)
{
    if (lists(s->given_up, s->given_up_count, ref))
        return true; /* fenced by its own process before it said so (PROTOCOLS.md 7 c) */
    if (s->state != LEAT__PROCESS_RUNNING)
        return !lists(s->held, s->held_count, ref);
    return s->released_generation == v->before->generation &&
           s->released_revision == v->before->revision &&
           lists(s->released, s->released_count, ref);
}

/* From the placement before; then from the statuses, for what it does not say. */
static void find_holders(struct view *v)
{
    for (size_t i = 0; v->c->log.placement_offset >= 0 && i < v->before->task_count; i++) {
        const leat__placed_task_t *t = &v->before->tasks[i];
        size_t at = index_of(v, t->ref);
        if (at == v->task_count)
            continue;
        v->placed[at] = t;
        if (t->owner < 0)
            continue;
        const struct earlier *e = &v->earlier[t->owner];
        v->tasks[at].kept = e->kept;
        if (e->same >= 0 && !e->kept && !has_released(v, v->statuses[e->same], t->ref))
            v->tasks[at].holder = e->same;
        v->tasks[at].previous = e->reborn;
    }
    for (size_t m = 0; m < v->present; m++)
        for (size_t i = 0; i < v->statuses[m]->given_up_count; i++) {
            size_t at = index_of(v, v->statuses[m]->given_up[i]);
            if (at < v->task_count)
                v->tasks[at].barred = (int)m; /* a thread that is stuck still has it open */
        }
    for (size_t m = 0; m < v->present; m++)
        for (size_t i = 0; i < v->statuses[m]->held_count; i++) {
            size_t at = index_of(v, v->statuses[m]->held[i]);
            if (at == v->task_count || v->tasks[at].holder >= 0 || v->tasks[at].kept)
                continue;
            const leat__placed_task_t *t = v->placed[at];
            if (t == NULL || t->owner < 0 || !v->earlier[t->owner].waited_for)
                v->tasks[at].holder = (int)m;
        }
}

/* Member m has a copy of task t: what it says, or just what it was asked for. */
struct have {
    size_t task;
    leat__assign_copy_t copy;
};

static int by_task_and_member(const void *a, const void *b)
{
    const struct have *x = a, *y = b;

    if (x->task != y->task)
        return x->task < y->task ? -1 : 1;
    if (x->copy.member != y->copy.member)
        return x->copy.member - y->copy.member;
    return (int)x->copy.live - (int)y->copy.live;
}

static size_t list_haves(const struct view *v, struct have *list)
{
    size_t count = 0;

    for (size_t m = 0; m < v->present; m++)
        for (size_t i = 0; i < v->statuses[m]->copy_count; i++) {
            const leat__status_copy_t *c = &v->statuses[m]->copies[i];
            size_t at = index_of(v, c->ref);
            if (at < v->task_count)
                list[count++] = (struct have){at, {.member = (int)m, .lag = c->lag}};
        }
    for (size_t t = 0; t < v->task_count; t++)
        for (size_t i = 0; v->placed[t] != NULL && i < v->placed[t]->copy_count; i++) {
            int asked = v->before->copies[v->placed[t]->first_copy + i].member;
            int m = asked < 0 ? -1 : v->earlier[asked].same;
            if (m >= 0)
                list[count++] =
                    (struct have){t, {.member = m, .live = true, .lag = LEAT__LAG_UNKNOWN}};
        }
    qsort(list, count, sizeof *list, by_task_and_member);
    return count;
}

static void find_copies(struct view *v)
{
    size_t room = v->before->copy_count + 1, count, kept = 0;
    struct have *list;

    for (size_t m = 0; m < v->present; m++)
        room += v->statuses[m]->copy_count;
    list = leat__must_alloc(room * sizeof *list);
    v->copies = leat__must_alloc(room * sizeof *v->copies);
    count = list_haves(v, list);
    for (size_t i = 0; i < count; i++) {
        leat__assign_task_t *t = &v->tasks[list[i].task];
        leat__assign_copy_t *last = t->copy_count > 0 ? &v->copies[kept - 1] : NULL;

        if (list[i].copy.member == t->holder) {
            if (!list[i].copy.live)
                t->holder_lag = list[i].copy.lag;
        } else if (last != NULL && last->member == list[i].copy.member) {
            last->live = last->live || list[i].copy.live; /* it says itself how far it is */
        } else {
            if (t->copy_count++ == 0)
                t->copies = &v->copies[kept];
            v->copies[kept++] = list[i].copy;
        }
    }
    leat__free(list);
}

/* ---- the answer ---- */

static int absent_member(struct view *v, int earlier)
{
    struct earlier *e = &v->earlier[earlier];

    if (e->same >= 0)
        return e->same;
    if (e->absent_at < 0) {
        e->absent_at = (int)v->p->member_count;
        add_member(
            v->p, v->before->members[earlier].member_id, v->before->members[earlier].process_id);
    }
    return e->absent_at;
}

static bool is_live(const leat__assign_task_t *t, int member)
{
    for (size_t i = 0; i < t->copy_count; i++)
        if (t->copies[i].member == member)
            return t->copies[i].live;
    return false;
}

/* The copies; and the next owner keeps its own until it is given the task. */
static void write_copies(struct view *v, const leat__assignment_t *a, size_t t, size_t *room)
{
    leat__placement_t *p = v->p;
    leat__placed_task_t *to = &p->tasks[t];
    int next = a->owners[t];

    to->first_copy = p->copy_count;
    for (size_t i = a->first[t]; i < a->first[t + 1]; i++) {
        if (a->copies[i].member == to->owner)
            continue;
        LEAT__GROW(p->copies, p->copy_count, *room);
        p->copies[p->copy_count++] = a->copies[i];
    }
    if (next >= 0 && next != to->owner && is_live(&v->tasks[t], next)) {
        LEAT__GROW(p->copies, p->copy_count, *room);
        p->copies[p->copy_count++] = (leat__assigned_copy_t){.member = next, .warming = true};
    }
    to->copy_count = p->copy_count - to->first_copy;
}

/* True: all tasks are with somebody who is there, or who will be. */
static bool write_tasks(struct view *v, const leat__assignment_t *a)
{
    leat__placement_t *p = v->p;
    size_t copy_room = 0;
    bool settled = true;

    p->tasks = leat__must_alloc((v->task_count + 1) * sizeof *p->tasks);
    for (size_t t = 0; t < v->task_count; t++) {
        leat__placed_task_t *to = &p->tasks[p->task_count++];
        const leat__assign_task_t *task = &v->tasks[t];
        int before = v->placed[t] == NULL ? -1 : v->placed[t]->owner;

        to->ref = task->ref;
        if (before >= 0 && (task->kept || v->earlier[before].waited_for)) {
            to->owner = absent_member(v, before);
        } else if (task->holder >= 0) {
            to->owner = task->holder;
            to->release = a->owners[t] >= 0 && a->owners[t] != to->owner;
        } else {
            to->owner = a->owners[t];
        }
        settled = settled && (task->kept || task->holder >= 0);
        write_copies(v, a, t, &copy_room);
    }
    return settled;
}

static void close_view(struct view *v)
{
    leat__free(v->statuses);
    leat__free(v->members);
    leat__free(v->tag_values);
    leat__free(v->earlier);
    leat__free(v->group_start);
    leat__free(v->tasks);
    leat__free(v->placed);
    leat__free(v->copies);
}

bool leat__lead_compute(leat__control_t *c, leat__placement_t *p, const char *without)
{
    const leat_config_t *config = c->w->config;
    struct view v = {.c = c, .p = p, .before = &c->log.placement};
    leat__map_t by_member = {0};
    leat__assignment_t a;

    memset(p, 0, sizeof *p);
    p->generation = leat__membership_generation(c->membership);
    p->leader = leat__must_strdup(leat__membership_member_id(c->membership));
    c->lead.wake_ms = INT64_MAX;
    list_members(&v, without, &by_member);
    list_tags(&v);
    look_back(&v, &by_member);
    list_tasks(&v);
    find_holders(&v);
    find_copies(&v);
    v.in.members = v.members;
    v.in.member_count = v.present;
    v.in.tasks = v.tasks;
    v.in.task_count = v.task_count;
    v.in.standbys = (int)leat__config_int(config, "num.standby.replicas");
    v.in.warmups = (int)leat__config_int(config, "max.warmup.replicas");
    v.in.acceptable_lag = leat__config_int(config, "acceptable.recovery.lag");
    leat__assign(&v.in, &a);
    bool settled = write_tasks(&v, &a);
    if (a.probing) {
        int64_t probe_ms = c->now_ms + leat__config_int(config, "probing.rebalance.interval.ms");
        c->lead.wake_ms = probe_ms < c->lead.wake_ms ? probe_ms : c->lead.wake_ms;
    }
    leat__assignment_release(&a);
    leat__map_release(&by_member, NULL);
    close_view(&v);
    return settled;
}
