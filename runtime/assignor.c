/*
 * runtime/assignor.c: the owners of an assignment (assignor.h).
 *
 *   start     each task where it is, or where its state is best
 *   shed      who has too many, in all or of one sub-topology, gives up those that move most cheaply
 *   fill      what is free goes to who has room, first to where its state is
 *   exchange  two for two, where a sub-topology still crowds on one member
 *   settle    a task whose state is not ready at its ideal owner stays with who is ready
 *
 * O(tasks x members) in plain loops over small arrays. What is balanced already is shed nowhere, so
 * it stays as it is.
 */
#include "assignor.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

bool leat__assign_caught_up(const leat__assign_t *in, int64_t lag)
{
    return lag <= in->acceptable_lag;
}

void leat__assign_lags(leat__assign_work_t *w, size_t t)
{
    const leat__assign_task_t *task = &w->in->tasks[t];

    for (size_t i = 0; i < task->copy_count; i++)
        w->lag[task->copies[i].member] = task->copies[i].lag;
    if (task->holder >= 0)
        w->lag[task->holder] = task->holder_lag;
}

void leat__assign_unlags(leat__assign_work_t *w, size_t t)
{
    const leat__assign_task_t *task = &w->in->tasks[t];

    for (size_t i = 0; i < task->copy_count; i++)
        w->lag[task->copies[i].member] = LEAT__LAG_NONE;
    if (task->holder >= 0)
        w->lag[task->holder] = LEAT__LAG_NONE;
}

static size_t threads_at(const leat__assign_t *in, size_t m)
{
    return (size_t)in->members[m].threads;
}

static bool takes(const leat__assign_t *in, int m)
{
    return m >= 0 && in->members[m].threads > 0;
}

static bool can_take(const leat__assign_t *in, const leat__assign_task_t *task, int m)
{
    return takes(in, m) && m != task->barred;
}

void leat__assign_quotas(const leat__assign_t *in, size_t count, const size_t *held, size_t *quota)
{
    size_t all = 0, given = 0;

    for (size_t m = 0; m < in->member_count; m++)
        all += threads_at(in, m);
    for (size_t m = 0; m < in->member_count; m++) {
        quota[m] = all > 0 ? count * threads_at(in, m) / all : 0;
        given += quota[m];
    }
    while (all > 0 && given < count) {
        size_t best = in->member_count;
        for (size_t m = 0; m < in->member_count; m++) {
            if (quota[m] * all >= count * threads_at(in, m))
                continue; /* has its exact share, or more already */
            if (best == in->member_count || held[m] + quota[best] > held[best] + quota[m])
                best = m;
        }
        LEAT_ASSERT(best < in->member_count); /* the remainders sum up to what is missing */
        quota[best]++;
        given++;
    }
}

static size_t share(const leat__assign_work_t *w, size_t g, size_t m, bool rounded_up)
{
    size_t exact = w->group_size[g] * threads_at(w->in, m);

    return (exact + (rounded_up ? w->threads - 1 : 0)) / w->threads;
}

static size_t *of_group(leat__assign_work_t *w, size_t m, size_t g)
{
    return &w->in_group[m * w->groups + g];
}

static void put(leat__assign_work_t *w, size_t t, int m)
{
    w->ideal[t] = m;
    w->count[m]++;
    (*of_group(w, (size_t)m, w->group_of[t]))++;
}

static void shed(leat__assign_work_t *w, size_t t)
{
    size_t m = (size_t)w->ideal[t];

    w->count[m]--;
    (*of_group(w, m, w->group_of[t]))--;
    w->ideal[t] = -1;
}

/* Less work per thread, if it got one more. */
static bool lighter(const leat__assign_work_t *w, int a, int b)
{
    return (w->count[a] + 1) * threads_at(w->in, (size_t)b) <
           (w->count[b] + 1) * threads_at(w->in, (size_t)a);
}

/*
 * Of the copies that can take over the lightest caught up one, or with caught_up false the one that
 * lacks least; -1.
 */
static int best_copy(const leat__assign_work_t *w, const leat__assign_task_t *task, bool caught_up)
{
    const leat__assign_copy_t *best = NULL;

    for (size_t i = 0; i < task->copy_count; i++) {
        const leat__assign_copy_t *c = &task->copies[i];
        if (!can_take(w->in, task, c->member) || c->lag == LEAT__LAG_NONE ||
            (caught_up && !leat__assign_caught_up(w->in, c->lag)))
            continue;
        if (best == NULL || (caught_up ? lighter(w, c->member, best->member) : c->lag < best->lag))
            best = c;
    }
    return best == NULL ? -1 : best->member;
}

static int start_of(leat__assign_work_t *w, size_t t)
{
    const leat__assign_task_t *task = &w->in->tasks[t];
    bool was_here = can_take(w->in, task, task->previous);
    int at;

    if (takes(w->in, task->holder))
        return task->holder;
    if (!task->stateful)
        return was_here ? task->previous : -1;
    for (size_t i = 0; was_here && i < task->copy_count; i++)
        if (task->copies[i].member == task->previous &&
            leat__assign_caught_up(w->in, task->copies[i].lag))
            return task->previous;
    at = best_copy(w, task, true);
    if (at < 0)
        at = best_copy(w, task, false);
    return at < 0 && was_here ? task->previous : at;
}

/* ---- shedding ---- */

struct candidate {
    size_t task;
    int cost;
};

/*
 * What it costs to move a task away: little where somebody with room has its state already, or
 * there is none.
 */
static int cost_of_leaving(const leat__assign_work_t *w, size_t t)
{
    const leat__assign_task_t *task = &w->in->tasks[t];
    int cost = task->stateful ? 3 : 1;

    for (size_t i = 0; i < task->copy_count; i++) {
        const leat__assign_copy_t *c = &task->copies[i];
        if (c->member == w->ideal[t] || !can_take(w->in, task, c->member) ||
            w->count[c->member] >= w->quota[c->member])
            continue;
        if (leat__assign_caught_up(w->in, c->lag))
            return 0;
        if (c->live)
            cost = 2;
    }
    return cost;
}

static int cheaper(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->cost != y->cost)
        return x->cost - y->cost;
    return (x->task > y->task) - (x->task < y->task);
}

static bool too_many(leat__assign_work_t *w, size_t m, size_t g, int round)
{
    if (round == 0)
        return *of_group(w, m, g) > share(w, g, m, true);
    if (w->count[m] <= w->quota[m])
        return false;
    return round == 2 || *of_group(w, m, g) > share(w, g, m, false);
}

/*
 * Three times over the list, cheapest first: groups above their share; too many in all, from groups
 * that have more than their rounded down share; too many in all.
 */
static void shed_from(leat__assign_work_t *w, size_t m, struct candidate *list, size_t count)
{
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < count; i++)
            if (w->ideal[list[i].task] == (int)m &&
                too_many(w, m, w->group_of[list[i].task], round))
                shed(w, list[i].task);
}

static bool sheds(leat__assign_work_t *w, size_t m)
{
    if (w->count[m] > w->quota[m])
        return true;
    for (size_t g = 0; g < w->groups; g++)
        if (too_many(w, m, g, 0))
            return true;
    return false;
}

static void shed_all(leat__assign_work_t *w)
{
    size_t n = w->in->task_count, members = w->in->member_count;
    struct candidate *list = leat__must_alloc((n + 1) * sizeof *list);
    size_t *end = leat__must_alloc((members + 1) * sizeof *end), at = 0;

    for (size_t m = 0; m < members; m++)
        end[m] = at += w->count[m];
    for (size_t t = n; t > 0; t--)
        if (w->ideal[t - 1] >= 0)
            list[--end[w->ideal[t - 1]]].task = t - 1;
    end[members] = at;
    for (size_t m = 0; m < members; m++) { /* end[m] is where m's tasks begin by now */
        size_t mine = end[m + 1] - end[m];
        if (!sheds(w, m))
            continue;
        for (size_t i = end[m]; i < end[m + 1]; i++)
            list[i].cost = cost_of_leaving(w, list[i].task);
        qsort(&list[end[m]], mine, sizeof *list, cheaper);
        shed_from(w, m, &list[end[m]], mine);
    }
    leat__free(end);
    leat__free(list);
}

/* ---- filling ---- */

/* How ready member m is for the task whose lags are loaded: less is better. */
static int readiness(const leat__assign_work_t *w, const leat__assign_task_t *task, size_t m)
{
    if (!task->stateful)
        return (int)m == task->holder || (int)m == task->previous ? 0 : 3;
    if (w->lag[m] != LEAT__LAG_NONE)
        return leat__assign_caught_up(w->in, w->lag[m]) ? 0 : 1;
    return (int)m == task->previous ? 2 : 3;
}

static long standing(leat__assign_work_t *w, size_t t, size_t m)
{
    size_t g = w->group_of[t], have = *of_group(w, m, g);
    long above = have >= share(w, g, m, true) ? 2 : have >= share(w, g, m, false) ? 1 : 0;

    return above * 4 + readiness(w, &w->in->tasks[t], m);
}

/* The best member with room; crowded: one without room will do. */
static int roomiest(leat__assign_work_t *w, size_t t, bool crowded)
{
    int best = -1;
    long best_standing = 0;

    for (size_t m = 0; m < w->in->member_count; m++) {
        if (!can_take(w->in, &w->in->tasks[t], (int)m) || (!crowded && w->count[m] >= w->quota[m]))
            continue;
        long at = standing(w, t, m);
        if (best < 0 || at < best_standing || (at == best_standing && lighter(w, (int)m, best))) {
            best = (int)m;
            best_standing = at;
        }
    }
    return best;
}

/* Somebody with room is that ready for it. */
static int best_readiness(leat__assign_work_t *w, size_t t)
{
    int best = 3;

    for (size_t m = 0; m < w->in->member_count; m++)
        if (takes(w->in, (int)m) && w->count[m] < w->quota[m]) {
            int r = readiness(w, &w->in->tasks[t], m);
            best = r < best ? r : best;
        }
    return best;
}

/* First those that find their state somewhere, so that others do not take the room there. */
static void fill_all(leat__assign_work_t *w)
{
    for (int ready = 0; ready <= 3; ready++)
        for (size_t t = 0; t < w->in->task_count; t++) {
            if (w->ideal[t] >= 0 || w->in->tasks[t].kept)
                continue;
            leat__assign_lags(w, t);
            int m = ready == 3 || best_readiness(w, t) <= ready ? roomiest(w, t, false) : -1;
            if (m < 0 && ready == 3) /* the only room is where it may not go */
                m = roomiest(w, t, true);
            leat__assign_unlags(w, t);
            if (m >= 0)
                put(w, t, m);
        }
}

/* ---- exchanging ---- */

/* How far a member is from its share of a sub-topology, beyond what rounding explains. */
static size_t off(leat__assign_work_t *w, size_t m, size_t g, int more)
{
    size_t have = *of_group(w, m, g) + (size_t)more, least = share(w, g, m, false),
           most = share(w, g, m, true);

    return have > most ? have - most : have < least ? least - have : 0;
}

/*
 * By how much an exchange (one of group give from m to k, one of group take back) brings both
 * nearer to their shares.
 */
static int gain(leat__assign_work_t *w, size_t m, size_t give, size_t k, size_t take)
{
    size_t before, after;

    if (*of_group(w, m, give) == 0 || *of_group(w, k, take) == 0)
        return 0;
    before = off(w, m, give, 0) + off(w, k, give, 0) + off(w, m, take, 0) + off(w, k, take, 0);
    after = off(w, m, give, -1) + off(w, k, give, 1) + off(w, m, take, 1) + off(w, k, take, -1);
    return (int)before - (int)after;
}

/* Of m's tasks in a group the one that goes to k most cheaply. */
static size_t cheapest(leat__assign_work_t *w, size_t m, size_t g, size_t k)
{
    size_t best = w->in->task_count;
    int best_cost = 0;

    for (size_t t = w->group_first[g]; t < w->group_first[g + 1]; t++) {
        if (w->ideal[t] != (int)m || w->in->tasks[t].barred == (int)k)
            continue;
        leat__assign_lags(w, t);
        int cost = readiness(w, &w->in->tasks[t], k) + (w->in->tasks[t].holder == (int)m ? 4 : 0);
        leat__assign_unlags(w, t);
        if (best == w->in->task_count || cost < best_cost) {
            best = t;
            best_cost = cost;
        }
    }
    return best;
}

static void move(leat__assign_work_t *w, size_t t, size_t to)
{
    shed(w, t);
    put(w, t, (int)to);
}

/* The best exchange that mends what is off between member m and group g. */
static bool exchange(leat__assign_work_t *w, size_t m, size_t g)
{
    bool over = *of_group(w, m, g) > share(w, g, m, true);
    size_t with = 0, other = 0;
    int best = 0;

    for (size_t k = 0; k < w->in->member_count; k++)
        for (size_t h = 0; k != m && takes(w->in, (int)k) && h < w->groups; h++) {
            int by = h == g ? 0 : over ? gain(w, m, g, k, h) : gain(w, k, g, m, h);
            if (by > best) {
                best = by;
                with = k;
                other = h;
            }
        }
    if (best == 0)
        return false;
    size_t away = cheapest(w, m, over ? g : other, with);
    size_t back = cheapest(w, with, over ? other : g, m);
    if (away == w->in->task_count || back == w->in->task_count)
        return false; /* those that may not go there */
    move(w, away, with);
    move(w, back, m);
    return true;
}

/*
 * Totals are right by now; a sub-topology may still crowd on one member. Each exchange lessens what
 * is off, so it ends.
 */
static void exchange_all(leat__assign_work_t *w)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t m = 0; m < w->in->member_count; m++)
            for (size_t g = 0; takes(w->in, (int)m) && g < w->groups; g++)
                while (off(w, m, g, 0) > 0 && exchange(w, m, g))
                    again = true;
    }
}

/* ---- settling ---- */

/* Who shall own a stateful task now, given where it should be in the end. */
static int owner_now(leat__assign_work_t *w, size_t t)
{
    const leat__assign_task_t *task = &w->in->tasks[t];
    int ideal = w->ideal[t], at;

    if (!task->stateful || leat__assign_caught_up(w->in, w->lag[ideal]))
        return ideal;
    if (takes(w->in, task->holder) && leat__assign_caught_up(w->in, task->holder_lag))
        return task->holder;
    at = best_copy(w, task, true);
    if (at < 0 && !takes(w->in, task->holder)) {
        at = best_copy(w, task, false);
        if (at >= 0 && w->lag[at] >= w->lag[ideal])
            at = ideal;
    }
    return at < 0 ? ideal : at;
}

static void settle(leat__assign_work_t *w)
{
    for (size_t t = 0; t < w->in->task_count; t++) {
        w->out->owners[t] = w->ideal[t];
        if (w->ideal[t] < 0)
            continue;
        leat__assign_lags(w, t);
        int at = owner_now(w, t);
        leat__assign_unlags(w, t);
        if (at != w->ideal[t]) {
            w->count[w->ideal[t]]--;
            w->count[at]++;
            w->out->owners[t] = at;
            w->out->probing = true;
        }
    }
}

/* ---- all of it ---- */

static void open_work(leat__assign_work_t *w)
{
    const leat__assign_t *in = w->in;
    size_t n = in->task_count, members = in->member_count;

    w->group_of = leat__must_alloc((n + 1) * sizeof *w->group_of);
    w->group_size = leat__must_alloc((n + 1) * sizeof *w->group_size);
    w->group_first = leat__must_alloc((n + 1) * sizeof *w->group_first);
    for (size_t t = 0; t < n; t++) {
        if (t == 0 || in->tasks[t].ref.group != in->tasks[t - 1].ref.group)
            w->group_first[w->groups++] = t;
        w->group_of[t] = w->groups - 1;
        w->group_size[w->groups - 1] += !in->tasks[t].kept;
    }
    w->group_first[w->groups] = n;
    w->quota = leat__must_alloc((members + 1) * sizeof *w->quota);
    w->count = leat__must_alloc((members + 1) * sizeof *w->count);
    w->in_group = leat__must_alloc((members * w->groups + 1) * sizeof *w->in_group);
    w->ideal = leat__must_alloc((n + 1) * sizeof *w->ideal);
    w->lag = leat__must_alloc((members + 1) * sizeof *w->lag);
    for (size_t m = 0; m < members; m++) {
        w->lag[m] = LEAT__LAG_NONE;
        w->threads += threads_at(in, m);
    }
    w->budget = in->warmups;
    w->out->owners = leat__must_alloc((n + 1) * sizeof *w->out->owners);
    w->out->first = leat__must_alloc((n + 2) * sizeof *w->out->first);
}

static void close_work(leat__assign_work_t *w)
{
    leat__free(w->group_of);
    leat__free(w->group_size);
    leat__free(w->group_first);
    leat__free(w->quota);
    leat__free(w->count);
    leat__free(w->in_group);
    leat__free(w->ideal);
    leat__free(w->lag);
}

static void find_ideal(leat__assign_work_t *w)
{
    size_t shared_out = 0;

    for (size_t t = 0; t < w->in->task_count; t++) {
        bool kept = w->in->tasks[t].kept;
        int at = kept || w->threads == 0 ? -1 : start_of(w, t);
        w->ideal[t] = -1;
        shared_out += !kept;
        if (at >= 0)
            put(w, t, at);
    }
    if (w->threads == 0)
        return;
    leat__assign_quotas(w->in, shared_out, w->count, w->quota);
    shed_all(w);
    fill_all(w);
    exchange_all(w);
}

void leat__assign(const leat__assign_t *in, leat__assignment_t *out)
{
    leat__assign_work_t w = {.in = in, .out = out};

    memset(out, 0, sizeof *out);
    open_work(&w);
    find_ideal(&w);
    settle(&w);
    leat__assign_copies(&w);
    close_work(&w);
}

void leat__assignment_release(leat__assignment_t *a)
{
    leat__free(a->owners);
    leat__free(a->copies);
    leat__free(a->first);
    memset(a, 0, sizeof *a);
}
