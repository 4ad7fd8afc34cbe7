/*
 * runtime/control_tasks.c: what the control thread tells its stream threads: placements obeyed, and
 * the status that answers them.
 *
 * Ownership starts when a placement gives a task and ends only when its thread said RELEASED (or
 * LOST_DONE): it survives rebalances. A placement is obeyed only while settled, and only if
 * generation and own member id stand in it (PROTOCOLS.md 7).
 */
#include "control_inside.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- threads ---- */

void leat__control_tell(leat__control_t *c, int thread, leat__message_t *m)
{
    if (c->seats[thread].stopped) {
        leat__message_free(m);
        return;
    }
    leat__mailbox_post(leat__thread_mail(c->seats[thread].thread), m);
}

void leat__control_tell_all(leat__control_t *c, leat__say_t say, int64_t number)
{
    for (int i = 0; i < c->seat_count; i++) {
        leat__message_t *m = leat__message_new(say);
        m->from = -1;
        m->number = number;
        leat__control_tell(c, i, m);
    }
}

static int compare_holdings(const void *a, const void *b)
{
    return leat__task_ref_compare(
        &((const leat__holding_t *)a)->ref, &((const leat__holding_t *)b)->ref);
}

leat__holding_t *leat__control_find_owned(leat__control_t *c, leat__task_ref_t ref)
{
    leat__holding_t key = {.ref = ref};

    return c->owned_count == 0
               ? NULL
               : bsearch(&key, c->owned, c->owned_count, sizeof key, compare_holdings);
}

/* Its state stays on disk: as far as it was. */
void leat__control_disown(leat__control_t *c, leat__task_ref_t ref)
{
    leat__holding_t *o = leat__control_find_owned(c, ref);

    if (o == NULL)
        return;
    int64_t lag = o->standby && o->caught_up ? 0 : o->lag;
    size_t at = (size_t)(o - c->owned);
    memmove(o, o + 1, (c->owned_count - at - 1) * sizeof *o);
    c->owned_count--;
    leat__control_keeps(c, ref, lag);
}

void leat__control_disown_all(leat__control_t *c)
{
    while (c->owned_count > 0)
        leat__control_disown(c, c->owned[c->owned_count - 1].ref);
}

size_t leat__control_running_count(const leat__control_t *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->owned_count; i++)
        count += !c->owned[i].standby;
    return count;
}

leat__message_t *leat__message_about(
    leat__say_t say, const leat__task_ref_t *refs, size_t count, int64_t epoch)
{
    leat__message_t *m = leat__message_new(say);

    m->from = -1;
    m->epoch = epoch;
    m->task_count = count;
    if (count > 0) {
        m->tasks = leat__must_alloc(count * sizeof *m->tasks);
        memcpy(m->tasks, refs, count * sizeof *refs);
    }
    return m;
}

void leat__control_tell_membership(leat__control_t *c, int thread)
{
    leat__message_t *m = leat__message_about(LEAT__SAY_MEMBERSHIP, NULL, 0, c->epoch);

    m->membership = leat__membership_ref(c->membership);
    m->tasks = leat__must_alloc((c->owned_count + 1) * sizeof *m->tasks);
    for (size_t i = 0; i < c->owned_count; i++)
        if (c->owned[i].thread == thread)
            m->tasks[m->task_count++] = c->owned[i].ref;
    leat__control_tell(c, thread, m);
}

static void tell_of(leat__control_t *c, const leat__holding_t *o)
{
    leat__say_t say = o->standby ? LEAT__SAY_GIVE_STANDBY : LEAT__SAY_GIVE;

    leat__control_tell(c, o->thread, leat__message_about(say, &o->ref, 1, c->epoch));
}

static void give(leat__control_t *c, leat__task_ref_t ref, bool standby)
{
    leat__holding_t o = {.ref = ref,
        .thread = leat__control_choose_thread(c, ref, standby),
        .standby = standby,
        .lag = standby ? LEAT__LAG_UNKNOWN : 0};
    size_t at;

    if (o.thread < 0 || leat__control_given_up(c, ref))
        return; /* later: when there is a thread, when the one that is stuck has closed it */
    LEAT__GROW(c->owned, c->owned_count, c->owned_room);
    for (at = c->owned_count++; at > 0 && compare_holdings(&c->owned[at - 1], &o) > 0; at--)
        c->owned[at] = c->owned[at - 1];
    c->owned[at] = o;
    c->look_ms = 0;
    leat__control_uses(c, ref);
    tell_of(c, &o);
}

/* The thread that keeps the copy runs the task from now on: it has the stores open. */
static void promote(leat__control_t *c, leat__holding_t *o)
{
    c->spread = true; /* that thread may have enough to do */
    o->standby = o->caught_up = false;
    o->lag = 0;
    tell_of(c, o);
}

void leat__control_take(leat__control_t *c, leat__holding_t *o)
{
    const leat__placement_t *p = &c->log.placement;
    leat__message_t *m = leat__message_about(LEAT__SAY_TAKE, &o->ref, 1, c->epoch);

    m->generation = p->generation;
    m->number = p->revision;
    o->releasing = true;
    leat__control_tell(c, o->thread, m);
}

/* ---- obeying ---- */

static bool placement_counts(const leat__control_t *c)
{
    const leat__control_log_t *l = &c->log;

    return c->settled && c->membership != NULL && l->placement_offset >= 0 &&
           l->placement.generation == leat__membership_generation(c->membership) &&
           l->claim.member_id != NULL && l->claim.generation == l->placement.generation &&
           strcmp(l->claim.member_id, l->placement.leader) == 0 &&
           leat__placement_member(&l->placement, leat__membership_member_id(c->membership)) >= 0;
}

static bool ref_exists(const leat__control_t *c, leat__task_ref_t ref)
{
    return ref.group >= 0 && (size_t)ref.group < c->w->plan->group_count && ref.partition >= 0 &&
           ref.partition < c->w->plan->groups[ref.group].task_count;
}

enum role { NOTHING, KEEPS_COPY, OWNS };

static enum role role_of(const leat__placement_t *p, const leat__placed_task_t *t, int me)
{
    if (t->owner == me)
        return t->release ? NOTHING : OWNS;
    for (size_t i = t->first_copy; i < t->first_copy + t->copy_count; i++)
        if (p->copies[i].member == me)
            return KEEPS_COPY;
    return NOTHING;
}

/* Towards the role that a placement gives; what is being released is looked at again when it is. */
static void follow(leat__control_t *c, const leat__placed_task_t *t, enum role role, bool mine)
{
    leat__holding_t *o = leat__control_find_owned(c, t->ref);

    if (o == NULL) {
        if (role != NOTHING)
            give(c, t->ref, role == KEEPS_COPY);
    } else if (o->releasing || (role == OWNS && !o->standby) ||
               (role == KEEPS_COPY && o->standby)) {
        return;
    } else if (role == OWNS) {
        promote(c, o);
    } else {
        if (!mine && !o->standby)
            leat__log(LEAT_LOG_ERROR, "control", NULL,
                "task %d_%d is placed elsewhere without having been asked for: letting go",
                t->ref.group, t->ref.partition);
        leat__control_take(c, o);
    }
}

void leat__control_obey(leat__control_t *c)
{
    const leat__placement_t *p = &c->log.placement;

    if (c->stopping || !placement_counts(c) || c->obeyed == c->log.placement_offset)
        return;
    int me = leat__placement_member(p, leat__membership_member_id(c->membership));
    leat__control_see_given_up(c, me);
    for (size_t i = 0; i < p->task_count; i++) {
        const leat__placed_task_t *t = &p->tasks[i];
        enum role role = role_of(p, t, me);

        if (ref_exists(c, t->ref))
            follow(c, t, role, t->owner == me);
        else if (role != NOTHING)
            leat__log(LEAT_LOG_ERROR, "control", NULL,
                "task %d_%d is not in this program's topology: do all processes run the same "
                "version?",
                t->ref.group, t->ref.partition);
    }
    c->obeyed = c->log.placement_offset;
    size_t running = leat__control_running_count(c);
    leat__log(LEAT_LOG_INFO, "control", NULL,
        "placement %d.%" PRId64 " obeyed: %zu tasks here, %zu copies of others", p->generation,
        p->revision, running, c->owned_count - running);
}

/* ---- status ---- */

static leat__process_state_t state_of(const leat__control_t *c, int64_t *restart_ms)
{
    bool dynamic = strcmp(leat__config_text(c->w->config, "group.membership"), "dynamic") == 0;

    *restart_ms = dynamic ? 0 : leat__config_int(c->w->config, "leat.restart.delay.ms");
    if (c->shutdown_all)
        return LEAT__PROCESS_SHUTDOWN;
    if (!c->stopping)
        return LEAT__PROCESS_RUNNING;
    return *restart_ms > 0 && !c->failed ? LEAT__PROCESS_RESTARTING : LEAT__PROCESS_LEAVING;
}

/* Tasks that the placement in force asked to release, and that are released. */
static void list_released(leat__control_t *c, leat__status_t *s)
{
    const leat__placement_t *p = &c->log.placement;
    int me = leat__placement_member(p, s->member_id);

    s->released = leat__must_alloc((p->task_count + 1) * sizeof *s->released);
    for (size_t i = 0; i < p->task_count; i++) {
        if (p->tasks[i].owner != me || !p->tasks[i].release)
            continue;
        const leat__holding_t *o = leat__control_find_owned(c, p->tasks[i].ref);
        if (o == NULL || o->standby)
            s->released[s->released_count++] = p->tasks[i].ref;
    }
    if (s->released_count > 0) {
        s->released_generation = p->generation;
        s->released_revision = p->revision;
    }
}

/* A leader took this process for gone: it says again that it is not. */
static void say_again_if_forgotten(leat__control_t *c)
{
    if (c->forgotten == c->log.forgotten)
        return;
    c->forgotten = c->log.forgotten;
    if (leat__control_log_process(&c->log, c->w->process_id) == NULL) {
        leat__free(c->status_text);
        c->status_text = NULL;
    }
}

void leat__control_write_status(leat__control_t *c)
{
    leat__status_t s = {.process_id = c->w->process_id,
        .host = c->w->advertised,
        .threads = leat__control_able_threads(c),
        .seats = c->seat_count,
        .tags = c->tags,
        .tag_count = c->tag_count};
    leat__buf_t text = {0};

    if (c->membership == NULL || leat__control_fencing(c))
        return;
    say_again_if_forgotten(c);
    s.member_id = (char *)(uintptr_t)leat__membership_member_id(c->membership);
    s.state = state_of(c, &s.restart_ms);
    s.held = leat__must_alloc((c->owned_count + 1) * sizeof *s.held);
    for (size_t i = 0; i < c->owned_count; i++)
        if (!c->owned[i].standby)
            s.held[s.held_count++] = c->owned[i].ref;
    leat__control_list_given_up(c, &s);
    leat__control_list_copies(c, &s);
    if (c->obeyed >= 0 && c->obeyed == c->log.placement_offset)
        list_released(c, &s);
    leat__status_encode(&s, &text);
    if (c->status_text == NULL || strcmp(c->status_text, leat__buf_text(&text)) != 0) {
        leat__control_log_status(&c->log, &s);
        leat__free(c->status_text);
        c->status_text = leat__must_strdup(leat__buf_text(&text));
        leat__free(c->own_member_id);
        c->own_member_id = leat__must_strdup(s.member_id);
    }
    leat__buf_release(&text);
    leat__free(s.held);
    leat__free(s.given_up);
    leat__free(s.copies);
    leat__free(s.released);
}
