/*
 * runtime/control_copies.c: what state this process has beside the tasks that it runs, and how far
 * it is: for the status record.
 *
 *   standby   a thread tails the changelog; the threads' views say what it lacks
 *   dormant   lies on disk, of a task that was here before; what it lacks is the changelogs' ends
 *             less the offsets in its file
 *   far       a task that this process runs, or will: most of its restore is still to do
 *
 * A status is written on change, so lags are said in classes: caught up (acceptable.recovery.lag),
 * or a power of two. Who is caught up stays so until it is clearly behind. What is said here is
 * only advice for the assignor; what is true is found out by who opens the state.
 */
#include "control_inside.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 1000, LOOK_OFTEN_MS = 100, SETTLE_MS = 1000, PATIENCE_MS = 2000, SLACK = 1000 };

static int64_t acceptable(const leat__control_t *c)
{
    return leat__config_int(c->w->config, "acceptable.recovery.lag");
}

static int64_t class_of(const leat__control_t *c, int64_t lag)
{
    int64_t class = 1;

    if (lag <= acceptable(c))
        return 0;
    if (lag >= LEAT__LAG_UNKNOWN / 2)
        return LEAT__LAG_UNKNOWN;
    while (class < lag)
        class *= 2;
    return class;
}

/* ---- on disk ---- */

static int compare_dormant(const void *a, const void *b)
{
    return leat__task_ref_compare(
        &((const leat__dormant_t *)a)->ref, &((const leat__dormant_t *)b)->ref);
}

static leat__dormant_t *find(leat__control_t *c, leat__task_ref_t ref)
{
    leat__dormant_t key = {.ref = ref};

    return c->dormant_count == 0
               ? NULL
               : bsearch(&key, c->dormant, c->dormant_count, sizeof key, compare_dormant);
}

static void add(leat__control_t *c, leat__task_ref_t ref, int64_t lag)
{
    leat__dormant_t d = {.ref = ref, .lag = lag, .since_ms = c->now_ms};
    size_t at;

    LEAT__GROW(c->dormant, c->dormant_count, c->dormant_room);
    for (at = c->dormant_count++; at > 0 && compare_dormant(&c->dormant[at - 1], &d) > 0; at--)
        c->dormant[at] = c->dormant[at - 1];
    c->dormant[at] = d;
}

static bool logged(const leat__store_spec_t *s)
{
    return s->logged || s->source_topic != NULL;
}

static bool is_stateful(const leat__control_t *c, leat__task_ref_t ref)
{
    const leat__group_t *g = &c->w->plan->groups[ref.group];

    for (size_t i = 0; i < g->store_count; i++)
        if (logged(g->stores[i]))
            return true;
    return false;
}

void leat__control_keeps(leat__control_t *c, leat__task_ref_t ref, int64_t lag)
{
    leat__dormant_t *d = find(c, ref);

    if (!is_stateful(c, ref))
        return;
    if (d == NULL)
        add(c, ref, lag);
    else
        *d = (leat__dormant_t){.ref = ref, .lag = lag, .since_ms = c->now_ms};
    if (c->ends_at_ms > c->now_ms + SETTLE_MS)
        c->ends_at_ms = c->now_ms + SETTLE_MS; /* what is really on disk */
}

void leat__control_uses(leat__control_t *c, leat__task_ref_t ref)
{
    leat__dormant_t *d = find(c, ref);

    if (d == NULL)
        return;
    size_t at = (size_t)(d - c->dormant);
    memmove(d, d + 1, (c->dormant_count - at - 1) * sizeof *d);
    c->dormant_count--;
}

static bool exists(const leat__control_t *c, const leat__local_task_t *t)
{
    return t->group >= 0 && (size_t)t->group < c->w->plan->group_count && t->partition >= 0 &&
           t->partition < c->w->plan->groups[t->group].task_count;
}

static const char *changelog_of(const leat__store_spec_t *s)
{
    return s->source_topic != NULL ? s->source_topic : s->changelog;
}

/* The ends stand in the order in which they were asked for. */
static int64_t lag_of(
    const leat__control_t *c, const leat__local_task_t *t, size_t *at, const leat__op_t *op)
{
    const leat__group_t *g = &c->w->plan->groups[t->group];
    int64_t sum = 0;
    bool known = true;

    for (size_t k = 0; k < g->store_count; k++) {
        if (!logged(g->stores[k]))
            continue;
        if (*at < op->position_count && op->positions[*at].code == 0 &&
            op->positions[*at].offset >= 0)
            sum += op->positions[*at].offset;
        else
            known = false;
        (*at)++;
    }
    if (!known)
        return LEAT__LAG_UNKNOWN;
    return sum > t->offset_sum ? sum - t->offset_sum : 0;
}

static void measured(leat__control_t *c)
{
    size_t kept = 0, at = 0;

    for (size_t i = 0; i < c->dormant_count; i++) /* what came meanwhile */
        if (c->dormant[i].since_ms >= c->ends_began_ms)
            c->dormant[kept++] = c->dormant[i];
    c->dormant_count = kept;
    for (size_t i = 0; i < c->measured_count; i++) {
        leat__task_ref_t ref = {c->measured[i].group, c->measured[i].partition};
        int64_t lag = lag_of(c, &c->measured[i], &at, c->ends);
        if (leat__control_find_owned(c, ref) == NULL && find(c, ref) == NULL)
            add(c, ref, lag);
    }
    leat__op_free(c->ends);
    c->ends = NULL;
    if (c->dormant_count > 0 && c->ends_at_ms == INT64_MAX)
        c->ends_at_ms = c->now_ms + leat__config_int(c->w->config, "probing.rebalance.interval.ms");
}

/* Asks for the ends of the changelogs of all that lies on disk and is not held. */
static void start_measuring(leat__control_t *c)
{
    leat__position_t *ends = NULL;
    size_t count = 0, room = 0, kept = 0;

    c->ends_at_ms = INT64_MAX;
    c->ends_began_ms = c->now_ms;
    leat__free(c->measured);
    c->measured = NULL;
    c->measured_count = leat__state_dir_tasks(c->w->state_dir, &c->measured);
    for (size_t i = 0; i < c->measured_count; i++) {
        leat__local_task_t *t = &c->measured[i];
        leat__task_ref_t ref = {t->group, t->partition};

        if (!exists(c, t) || leat__control_find_owned(c, ref) != NULL)
            continue;
        const leat__group_t *g = &c->w->plan->groups[t->group];
        for (size_t k = 0; k < g->store_count; k++) {
            if (!logged(g->stores[k]))
                continue;
            LEAT__GROW(ends, count, room);
            ends[count++] =
                (leat__position_t){.topic = (char *)(uintptr_t)changelog_of(g->stores[k]),
                    .partition = t->partition,
                    .offset = -1};
        }
        c->measured[kept++] = *t;
    }
    c->measured_count = kept;
    if (count > 0)
        c->ends = c->w->broker->vt->offsets(c->w->broker, ends, count, LEAT__HIGH_WATERMARK);
    else
        measured(c); /* nothing, and what was there before is gone */
    leat__free(ends);
}

bool leat__control_copies_known(const leat__control_t *c)
{
    return c->ends == NULL || leat__op_done(c->ends) || c->now_ms >= c->ends_began_ms + PATIENCE_MS;
}

/* ---- in threads ---- */

static void see_standby(const leat__control_t *c, leat__holding_t *o, const leat__task_view_t *v)
{
    int64_t near = acceptable(c);

    o->lag = v->left >= (uint64_t)LEAT__LAG_UNKNOWN ? LEAT__LAG_UNKNOWN : (int64_t)v->left;
    if (o->caught_up)
        near = near > LEAT__LAG_UNKNOWN / 4 ? near : near * 2 + SLACK;
    o->caught_up = o->lag <= near;
}

static void see_active(const leat__control_t *c, leat__holding_t *o, const leat__task_view_t *v)
{
    bool far = !v->running && !o->restored && v->left < (uint64_t)LEAT__LAG_UNKNOWN &&
               (int64_t)v->left > acceptable(c) && v->left > v->total / 2;

    o->lag = far ? (int64_t)v->left : 0;
}

/*
 * How long until the next look: often while something catches up, never if there is nothing to see.
 */
static int64_t look_again_ms(const leat__control_t *c)
{
    int64_t wait = INT64_MAX / 2;

    for (size_t i = 0; i < c->owned_count; i++) {
        const leat__holding_t *o = &c->owned[i];
        if (o->standby ? !o->caught_up : !o->restored)
            return LOOK_OFTEN_MS;
        if (o->standby)
            wait = LOOK_MS;
    }
    return wait;
}

static void look(leat__control_t *c)
{
    for (int i = 0; i < c->seat_count; i++) {
        size_t count = leat__thread_tasks(c->seats[i].thread, &c->views, &c->view_room);
        for (size_t k = 0; k < count; k++) {
            leat__holding_t *o = leat__control_find_owned(c, c->views[k].ref);
            if (o == NULL || o->thread != i || o->releasing || o->standby != c->views[k].standby)
                continue;
            if (o->standby)
                see_standby(c, o, &c->views[k]);
            else
                see_active(c, o, &c->views[k]);
        }
    }
}

void leat__control_copies_step(leat__control_t *c)
{
    if (c->ends != NULL && leat__op_done(c->ends))
        measured(c);
    if (c->ends == NULL && c->now_ms >= c->ends_at_ms && !c->losing && !c->stopping)
        start_measuring(c);
    if (c->owned_count > 0 && c->now_ms >= c->look_ms) {
        look(c);
        int64_t wait = look_again_ms(c);
        c->look_ms = c->now_ms + (wait < LOOK_MS ? wait : LOOK_MS);
    }
}

/* ---- for the status ---- */

/*
 * The class that was said last, until it is off by another one: who swings about a bound says so
 * once.
 */
static int64_t said_of(const leat__control_t *c, leat__holding_t *o)
{
    if (o->standby && o->caught_up)
        o->said = 0;
    else if (o->said <= 0 || o->said >= LEAT__LAG_UNKNOWN / 2 || o->lag <= o->said / 2 ||
             o->lag > o->said * 2)
        o->said = class_of(c, o->lag);
    return o->said;
}

static int compare_copies(const void *a, const void *b)
{
    return leat__task_ref_compare(
        &((const leat__status_copy_t *)a)->ref, &((const leat__status_copy_t *)b)->ref);
}

void leat__control_list_copies(leat__control_t *c, leat__status_t *s)
{
    s->copies = leat__must_alloc((c->owned_count + c->dormant_count + 1) * sizeof *s->copies);
    for (size_t i = 0; i < c->owned_count; i++) {
        leat__holding_t *o = &c->owned[i];
        if (o->standby || o->lag > 0)
            s->copies[s->copy_count++] =
                (leat__status_copy_t){.ref = o->ref, .lag = said_of(c, o)};
    }
    for (size_t i = 0; i < c->dormant_count; i++)
        if (leat__control_find_owned(c, c->dormant[i].ref) == NULL)
            s->copies[s->copy_count++] = (leat__status_copy_t){
                .ref = c->dormant[i].ref, .lag = class_of(c, c->dormant[i].lag)};
    qsort(s->copies, s->copy_count, sizeof *s->copies, compare_copies);
}

/* ---- life ---- */

static void take_tag(void *user, const char *name, const char *value)
{
    leat__control_t *c = user;
    size_t room = c->tag_count;

    LEAT__GROW(c->tags, c->tag_count, room);
    c->tags[c->tag_count++] =
        (leat__tag_t){.name = leat__must_strdup(name), .value = leat__must_strdup(value)};
}

static void warn_of_missing_tags(const leat__control_t *c)
{
    leat_slice_t rest = leat_slice(leat__config_text(c->w->config, "rack.aware.assignment.tags"));
    leat_slice_t name;

    while (leat_slice_token(&rest, ", ", &name)) {
        bool there = false;
        for (size_t i = 0; i < c->tag_count; i++) {
            leat_slice_t tag = leat_slice(c->tags[i].name);
            there = there || leat_slice_equal(&tag, &name);
        }
        if (!there)
            leat__log(LEAT_LOG_WARN, "control", NULL,
                "rack.aware.assignment.tags names %.*s, and client.tag.%.*s is not set here: "
                "copies of stores come here last",
                LEAT_P(&name), LEAT_P(&name));
    }
}

void leat__control_copies_open(leat__control_t *c)
{
    c->ends_at_ms = INT64_MAX;
    leat__config_each(c->w->config, "client.tag.", take_tag, c);
    warn_of_missing_tags(c);
    c->now_ms = leat__clock_steady_ms(c->w->clock);
    start_measuring(c);
}

void leat__control_copies_free(leat__control_t *c)
{
    leat__op_free(c->ends);
    leat__free(c->measured);
    leat__free(c->dormant);
    leat__free(c->views);
    for (size_t i = 0; i < c->tag_count; i++) {
        leat__free(c->tags[i].name);
        leat__free(c->tags[i].value);
    }
    leat__free(c->tags);
}
