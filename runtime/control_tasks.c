/*
 * runtime/control_tasks.c: what the control thread tells its stream threads: placements obeyed, and the status that answers them.
 *
 * Ownership starts when a placement gives a task and ends only when its thread said RELEASED (or LOST_DONE): it survives
 * rebalances. A placement is obeyed only while settled, and only if generation and own member id stand in it (PROTOCOLS.md 7).
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

leat__holding_t *leat__control_find_owned(leat__control_t *c, leat__task_ref_t ref)
{
    for (size_t i = 0; i < c->owned_count; i++)
        if (leat__task_ref_compare(&c->owned[i].ref, &ref) == 0)
            return &c->owned[i];
    return NULL;
}

void leat__control_disown(leat__control_t *c, leat__task_ref_t ref)
{
    leat__holding_t *o = leat__control_find_owned(c, ref);

    if (o != NULL)
        *o = c->owned[--c->owned_count];
}

/* The thread with fewest tasks of that sub-topology, then with fewest at all. */
static int choose_thread(const leat__control_t *c, leat__task_ref_t ref)
{
    int best = -1;
    size_t best_group = 0, best_all = 0;

    for (int i = 0; i < c->seat_count; i++) {
        size_t group = 0, all = 0;
        if (c->seats[i].stopped)
            continue;
        for (size_t k = 0; k < c->owned_count; k++) {
            all += c->owned[k].thread == i;
            group += c->owned[k].thread == i && c->owned[k].ref.group == ref.group;
        }
        if (best < 0 || group < best_group || (group == best_group && all < best_all)) {
            best = i;
            best_group = group;
            best_all = all;
        }
    }
    return best;
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

static void give(leat__control_t *c, leat__task_ref_t ref)
{
    int thread = choose_thread(c, ref);

    if (thread < 0)
        return;
    LEAT__GROW(c->owned, c->owned_count, c->owned_room);
    c->owned[c->owned_count++] = (leat__holding_t){.ref = ref, .thread = thread};
    leat__control_tell(c, thread, leat__message_about(LEAT__SAY_GIVE, &ref, 1, c->epoch));
}

static void take(leat__control_t *c, leat__holding_t *o, const leat__placement_t *p)
{
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

void leat__control_obey(leat__control_t *c)
{
    const leat__placement_t *p = &c->log.placement;

    if (c->stopping || !placement_counts(c) || c->obeyed == c->log.placement_offset)
        return;
    int me = leat__placement_member(p, leat__membership_member_id(c->membership));
    for (size_t i = 0; i < p->task_count; i++) {
        const leat__placed_task_t *t = &p->tasks[i];
        leat__holding_t *o = leat__control_find_owned(c, t->ref);

        if (t->owner == me && !t->release) {
            if (o == NULL && ref_exists(c, t->ref))
                give(c, t->ref);
            else if (o == NULL)
                leat__log(LEAT_LOG_ERROR, "control", NULL,
                    "task %d_%d is not in this program's topology: do all processes run the same "
                    "version?",
                    t->ref.group, t->ref.partition);
        } else if (o != NULL && !o->releasing) {
            if (t->owner != me)
                leat__log(LEAT_LOG_ERROR, "control", NULL,
                    "task %d_%d is placed elsewhere without having been asked for: letting go",
                    t->ref.group, t->ref.partition);
            take(c, o, p);
        }
    }
    c->obeyed = c->log.placement_offset;
    leat__log(LEAT_LOG_INFO, "control", NULL, "placement %d.%" PRId64 " obeyed: %zu tasks here",
        p->generation, p->revision, c->owned_count);
}

/* ---- status ---- */

void leat__control_write_status(leat__control_t *c)
{
    const leat__placement_t *p = &c->log.placement;
    leat__status_t s = {.process_id = c->w->process_id, .threads = c->w->thread_count};
    leat__buf_t text = {0};

    if (c->membership == NULL)
        return;
    s.member_id = (char *)(uintptr_t)leat__membership_member_id(c->membership);
    s.state = c->shutdown_all ? LEAT__PROCESS_SHUTDOWN
              : c->stopping   ? LEAT__PROCESS_LEAVING
                              : LEAT__PROCESS_RUNNING;
    s.held = leat__must_alloc((c->owned_count + 1) * sizeof *s.held);
    for (size_t i = 0; i < c->owned_count; i++)
        s.held[s.held_count++] = c->owned[i].ref;
    qsort(s.held, s.held_count, sizeof *s.held, leat__task_ref_compare);
    if (c->obeyed >= 0 && c->obeyed == c->log.placement_offset) {
        int me = leat__placement_member(p, s.member_id);
        s.released = leat__must_alloc((p->task_count + 1) * sizeof *s.released);
        for (size_t i = 0; i < p->task_count; i++)
            if (p->tasks[i].owner == me && p->tasks[i].release &&
                leat__control_find_owned(c, p->tasks[i].ref) == NULL)
                s.released[s.released_count++] = p->tasks[i].ref;
        if (s.released_count > 0) {
            s.released_generation = p->generation;
            s.released_revision = p->revision;
        }
    }
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
    leat__free(s.released);
}
