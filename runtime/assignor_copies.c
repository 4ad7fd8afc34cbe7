/*
 * runtime/assignor_copies.c: the copies of an assignment (assignor.h): standbys, and what warms up.
 *
 * First the members that should keep copies in the end, seen from the ideal owners; then what that
 * means now. A copy that is caught up goes only when its replacement is, and a task's ideal owner
 * warms up while another runs it: both within the warm-ups allowed, those under way first, so that
 * what has begun is finished.
 */
#include "assignor.h"

#include "base/mem.h"

#include <string.h>

struct copies {
    leat__assign_work_t *w;
    size_t width; /* copies a task has at most in the end */
    int *targets; /* task x width; -1: none */
    size_t *quota, *count;
    bool *warms;   /* per task: its ideal owner may warm up */
    size_t *swaps; /* per task: so many copies may be doubled until the new one is caught up */
};

/*
 * One task as it is looked at: who keeps a copy, and which of them are new while an old one is
 * good.
 */
struct now {
    int *keep;
    size_t count;
    bool warm_wanted; /* the ideal owner is not among them */
    int *fresh;       /* among keep, not caught up, those under way first */
    size_t fresh_count;
    int *old; /* caught up, not among keep */
    size_t old_count;
};

static bool takes(const leat__assign_work_t *w, int m)
{
    return m >= 0 && w->in->members[m].threads > 0;
}

static bool among(const int *list, size_t count, int m)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == m)
            return true;
    return false;
}

static const char *tag_of(const leat__assign_work_t *w, int m, size_t k)
{
    const char *const *tags = w->in->members[m].tags;

    return tags == NULL ? NULL : tags[k];
}

/*
 * How many tags of m do not differ from all of the others': what a member does not say counts as
 * the same.
 */
static int clashes(const leat__assign_work_t *w, int m, const int *others, size_t count)
{
    int sum = 0;

    for (size_t k = 0; k < w->in->tag_count; k++) {
        const char *mine = tag_of(w, m, k);
        bool clash = mine == NULL;
        for (size_t i = 0; !clash && i < count; i++) {
            const char *other = others[i] < 0 ? NULL : tag_of(w, others[i], k);
            clash = other != NULL && strcmp(mine, other) == 0;
        }
        sum += clash;
    }
    return sum;
}

static const leat__assign_copy_t *copy_at(const leat__assign_task_t *task, int m)
{
    for (size_t i = 0; i < task->copy_count; i++)
        if (task->copies[i].member == m)
            return &task->copies[i];
    return NULL;
}

static bool live_at(const leat__assign_task_t *task, int m)
{
    const leat__assign_copy_t *c = copy_at(task, m);

    return c != NULL && c->live;
}

/* ---- in the end ---- */

static bool lighter(const struct copies *c, int a, int b)
{
    const leat__assign_member_t *members = c->w->in->members;
    size_t of_a = c->count[a] + c->w->count[a] + 1, of_b = c->count[b] + c->w->count[b] + 1;

    return of_a * (size_t)members[b].threads < of_b * (size_t)members[a].threads;
}

static int worth(
    const struct copies *c, const leat__assign_task_t *task, int m, const int *others, size_t count)
{
    bool caught_up = leat__assign_caught_up(c->w->in, c->w->lag[m]);
    bool live = c->w->lag[m] != LEAT__LAG_NONE && live_at(task, m);

    return clashes(c->w, m, others, count) * 8 + (c->count[m] >= c->quota[m]) * 4 +
           (live ? (caught_up ? 0 : 2) : (caught_up ? 1 : 3));
}

/*
 * The next member for a copy of the task whose lags are loaded; others[0] is its owner. -1: there
 * is none.
 */
static int choose(const struct copies *c, size_t t, const int *others, size_t count)
{
    const leat__assign_task_t *task = &c->w->in->tasks[t];
    int best = -1, best_worth = 0;

    for (int m = 0; m < (int)c->w->in->member_count; m++) {
        if (!takes(c->w, m) || m == task->barred || among(others, count, m))
            continue;
        int at = worth(c, task, m, others, count);
        if (best < 0 || at < best_worth || (at == best_worth && lighter(c, m, best))) {
            best = m;
            best_worth = at;
        }
    }
    return best;
}

static void choose_targets(struct copies *c)
{
    leat__assign_work_t *w = c->w;
    int *others = leat__must_alloc((c->width + 2) * sizeof *others);

    for (size_t t = 0; t < w->in->task_count; t++) {
        const leat__assign_task_t *task = &w->in->tasks[t];
        int *targets = &c->targets[t * c->width];

        others[0] = w->ideal[t] >= 0 ? w->ideal[t] : task->holder;
        leat__assign_lags(w, t);
        for (size_t i = 0; i < c->width; i++) {
            targets[i] = task->stateful ? choose(c, t, others, i + 1) : -1;
            if (targets[i] >= 0)
                c->count[targets[i]]++;
            others[i + 1] = targets[i];
        }
        leat__assign_unlags(w, t);
    }
    leat__free(others);
}

static void share_out(struct copies *c)
{
    leat__assign_work_t *w = c->w;
    size_t members = 0, all = 0;

    for (int m = 0; m < (int)w->in->member_count; m++)
        members += takes(w, m);
    c->width = (size_t)(w->in->standbys > 0 ? w->in->standbys : 0);
    if (c->width > members)
        c->width = members;
    for (size_t t = 0; t < w->in->task_count; t++) {
        const leat__assign_task_t *task = &w->in->tasks[t];
        size_t others = members - (takes(w, w->ideal[t]) ? 1 : 0);
        if (task->stateful)
            all += c->width < others ? c->width : others;
        for (size_t i = 0; i < task->copy_count; i++)
            c->count[task->copies[i].member] += task->copies[i].live;
    }
    leat__assign_quotas(w->in, all, c->count, c->quota);
    memset(c->count, 0, w->in->member_count * sizeof *c->count);
}

/* ---- now ---- */

static void sort_in(const leat__assign_task_t *task, struct now *n, int m)
{
    size_t at = n->fresh_count++;

    if (live_at(task, m)) /* few: moved to the front by swapping */
        for (size_t i = 0; i < at; i++)
            if (!live_at(task, n->fresh[i])) {
                n->fresh[at] = n->fresh[i];
                at = i;
                break;
            }
    n->fresh[at] = m;
}

static void look_at(const struct copies *c, size_t t, struct now *n)
{
    const leat__assign_work_t *w = c->w;
    const leat__assign_task_t *task = &w->in->tasks[t];
    const int *targets = &c->targets[t * c->width];
    int owner = w->out->owners[t], ideal = w->ideal[t];

    n->count = n->fresh_count = n->old_count = 0;
    n->warm_wanted = owner != ideal && task->stateful;
    for (size_t i = 0; i < c->width; i++) {
        if (targets[i] < 0)
            continue;
        bool swap = targets[i] == owner && owner != ideal; /* the two will change places */
        n->keep[n->count++] = swap ? ideal : targets[i];
        n->warm_wanted = n->warm_wanted && !swap;
    }
    for (size_t i = 0; i < n->count; i++) {
        const leat__assign_copy_t *copy = copy_at(task, n->keep[i]);
        if (!leat__assign_caught_up(w->in, copy == NULL ? LEAT__LAG_NONE : copy->lag))
            sort_in(task, n, n->keep[i]);
    }
    for (size_t i = 0; i < task->copy_count; i++) {
        const leat__assign_copy_t *copy = &task->copies[i];
        if (copy->live && leat__assign_caught_up(w->in, copy->lag) && takes(w, copy->member) &&
            copy->member != owner && !among(n->keep, n->count, copy->member))
            n->old[n->old_count++] = copy->member;
    }
}

/* Warm-ups for what has begun, or for the rest. */
static void spend(struct copies *c, struct now *n, bool begun)
{
    leat__assign_work_t *w = c->w;

    for (size_t t = 0; t < w->in->task_count && w->budget > 0; t++) {
        const leat__assign_task_t *task = &w->in->tasks[t];
        if (!task->stateful)
            continue;
        look_at(c, t, n);
        if (n->warm_wanted && !c->warms[t] && (!begun || live_at(task, w->ideal[t]))) {
            c->warms[t] = true;
            w->budget--;
        }
        while (w->budget > 0 && c->swaps[t] < n->fresh_count && c->swaps[t] < n->old_count &&
               (!begun || live_at(task, n->fresh[c->swaps[t]]))) {
            c->swaps[t]++;
            w->budget--;
        }
    }
}

static void add(leat__assignment_t *out, int member, bool warming)
{
    LEAT__GROW(out->copies, out->copy_count, out->copy_room);
    out->copies[out->copy_count++] = (leat__assigned_copy_t){.member = member, .warming = warming};
}

static void write_down(struct copies *c, size_t t, struct now *n)
{
    leat__assignment_t *out = c->w->out;
    size_t pairs;

    look_at(c, t, n);
    pairs = n->fresh_count < n->old_count ? n->fresh_count : n->old_count;
    for (size_t i = 0; i < n->count; i++) {
        bool waits = false; /* for a warm-up to become free: the old one stays meanwhile */
        for (size_t k = c->swaps[t]; k < pairs; k++)
            waits = waits || n->fresh[k] == n->keep[i];
        if (!waits)
            add(out, n->keep[i], false);
    }
    for (size_t k = 0; k < pairs; k++)
        add(out, n->old[k], k < c->swaps[t]);
    if (c->warms[t])
        add(out, c->w->ideal[t], true);
    out->probing = out->probing || pairs > 0;
}

void leat__assign_copies(leat__assign_work_t *w)
{
    size_t n = w->in->task_count, members = w->in->member_count;
    struct copies c = {.w = w};
    struct now now = {0};

    c.quota = leat__must_alloc((members + 1) * sizeof *c.quota);
    c.count = leat__must_alloc((members + 1) * sizeof *c.count);
    c.warms = leat__must_alloc((n + 1) * sizeof *c.warms);
    c.swaps = leat__must_alloc((n + 1) * sizeof *c.swaps);
    share_out(&c);
    c.targets = leat__must_alloc((n * c.width + 1) * sizeof *c.targets);
    now.keep = leat__must_alloc((members + c.width + 1) * sizeof *now.keep);
    now.fresh = leat__must_alloc((members + c.width + 1) * sizeof *now.fresh);
    now.old = leat__must_alloc((members + c.width + 1) * sizeof *now.old);
    choose_targets(&c);
    spend(&c, &now, true);
    spend(&c, &now, false);
    for (size_t t = 0; t < n; t++) {
        w->out->first[t] = w->out->copy_count;
        if (w->in->tasks[t].stateful)
            write_down(&c, t, &now);
    }
    w->out->first[n] = w->out->copy_count;
    leat__free(now.keep);
    leat__free(now.fresh);
    leat__free(now.old);
    leat__free(c.quota);
    leat__free(c.count);
    leat__free(c.warms);
    leat__free(c.swaps);
    leat__free(c.targets);
}
