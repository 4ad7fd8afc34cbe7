/*
 * runtime/control.c: the control thread: it keeps the process in the group, obeys placements, and never makes a waiting call.
 *
 *   FENCE ─▶ MEASURE ─▶ READ ─▶ MEMBER ──stop──▶ RELEASE ─▶ LEAVE ─▶ CLOSE ─▶ OVER
 *
 *   in MEMBER:   ASSIGNED(g) ──▶ settled: MEMBERSHIP to all threads, status written, placements of g obeyed
 *                REVOKED     ──▶ BARRIER to all threads; answered when all have committed, or after transaction.timeout.ms/4
 *                LOST        ──▶ LOST to all threads; answered when all have let go: then the process joins as a new member
 *                fenced      ──▶ as LOST, and a new join after REJOIN_MS unless a double shows itself in the control topic
 *
 * Ownership starts when a placement gives a task and ends only when its thread said RELEASED (or LOST_DONE): it survives
 * rebalances. A placement is obeyed only while settled, and only if generation and own member id stand in it (PROTOCOLS.md 7).
 */
#include "control_inside.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MS = 20, BUSY_MS = 1, POLL_MS = 50, REJOIN_MS = 2000 };

/* ---- threads ---- */

static void tell(leat__control_t *c, int thread, leat__message_t *m)
{
    if (c->seats[thread].stopped) {
        leat__message_free(m);
        return;
    }
    leat__mailbox_post(leat__thread_mail(c->seats[thread].thread), m);
}

static void tell_all(leat__control_t *c, leat__say_t say, int64_t number)
{
    for (int i = 0; i < c->seat_count; i++) {
        leat__message_t *m = leat__message_new(say);
        m->from = -1;
        m->number = number;
        tell(c, i, m);
    }
}

static leat__holding_t *find_owned(leat__control_t *c, leat__task_ref_t ref)
{
    for (size_t i = 0; i < c->owned_count; i++)
        if (leat__task_ref_compare(&c->owned[i].ref, &ref) == 0)
            return &c->owned[i];
    return NULL;
}

static void disown(leat__control_t *c, leat__task_ref_t ref)
{
    leat__holding_t *o = find_owned(c, ref);

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

static leat__message_t *about(leat__say_t say, const leat__task_ref_t *refs, size_t count, int64_t epoch)
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

static void tell_membership(leat__control_t *c, int thread)
{
    leat__message_t *m = about(LEAT__SAY_MEMBERSHIP, NULL, 0, c->epoch);

    m->membership = leat__membership_ref(c->membership);
    m->tasks = leat__must_alloc((c->owned_count + 1) * sizeof *m->tasks);
    for (size_t i = 0; i < c->owned_count; i++)
        if (c->owned[i].thread == thread)
            m->tasks[m->task_count++] = c->owned[i].ref;
    tell(c, thread, m);
}

static void give(leat__control_t *c, leat__task_ref_t ref)
{
    int thread = choose_thread(c, ref);

    if (thread < 0)
        return;
    LEAT__GROW(c->owned, c->owned_count, c->owned_room);
    c->owned[c->owned_count++] = (leat__holding_t){ .ref = ref, .thread = thread };
    tell(c, thread, about(LEAT__SAY_GIVE, &ref, 1, c->epoch));
}

static void take(leat__control_t *c, leat__holding_t *o, const leat__placement_t *p)
{
    leat__message_t *m = about(LEAT__SAY_TAKE, &o->ref, 1, c->epoch);

    m->generation = p->generation;
    m->number = p->revision;
    o->releasing = true;
    tell(c, o->thread, m);
}

/* ---- obeying ---- */

static bool placement_counts(const leat__control_t *c)
{
    const leat__control_log_t *l = &c->log;

    return c->settled && c->membership != NULL && l->placement_offset >= 0 &&
        l->placement.generation == leat__membership_generation(c->membership) && l->claim.member_id != NULL &&
        l->claim.generation == l->placement.generation && strcmp(l->claim.member_id, l->placement.leader) == 0 &&
        leat__placement_member(&l->placement, leat__membership_member_id(c->membership)) >= 0;
}

static bool ref_exists(const leat__control_t *c, leat__task_ref_t ref)
{
    return ref.group >= 0 && (size_t)ref.group < c->w->plan->group_count && ref.partition >= 0 &&
        ref.partition < c->w->plan->groups[ref.group].task_count;
}

static void obey(leat__control_t *c)
{
    const leat__placement_t *p = &c->log.placement;

    if (c->stopping || !placement_counts(c) || c->obeyed == c->log.placement_offset)
        return;
    int me = leat__placement_member(p, leat__membership_member_id(c->membership));
    for (size_t i = 0; i < p->task_count; i++) {
        const leat__placed_task_t *t = &p->tasks[i];
        leat__holding_t *o = find_owned(c, t->ref);

        if (t->owner == me && !t->release) {
            if (o == NULL && ref_exists(c, t->ref))
                give(c, t->ref);
            else if (o == NULL)
                leat__log(LEAT_LOG_ERROR, "control", NULL,
                    "task %d_%d is not in this program's topology: do all processes run the same version?",
                    t->ref.group, t->ref.partition);
        } else if (o != NULL && !o->releasing) {
            if (t->owner != me)
                leat__log(LEAT_LOG_ERROR, "control", NULL,
                    "task %d_%d is placed elsewhere without having been asked for: letting go", t->ref.group,
                    t->ref.partition);
            take(c, o, p);
        }
    }
    c->obeyed = c->log.placement_offset;
    leat__log(LEAT_LOG_INFO, "control", NULL, "placement %d.%" PRId64 " obeyed: %zu tasks here", p->generation,
        p->revision, c->owned_count);
}

/* ---- status ---- */

static void write_status(leat__control_t *c)
{
    const leat__placement_t *p = &c->log.placement;
    leat__status_t s = { .process_id = c->w->process_id, .threads = c->w->thread_count };
    leat__buf_t text = { 0 };

    if (c->membership == NULL)
        return;
    s.member_id = (char *)(uintptr_t)leat__membership_member_id(c->membership);
    s.state = c->shutdown_all ? LEAT__PROCESS_SHUTDOWN : c->stopping ? LEAT__PROCESS_LEAVING : LEAT__PROCESS_RUNNING;
    s.held = leat__must_alloc((c->owned_count + 1) * sizeof *s.held);
    for (size_t i = 0; i < c->owned_count; i++)
        s.held[s.held_count++] = c->owned[i].ref;
    qsort(s.held, s.held_count, sizeof *s.held, leat__task_ref_compare);
    if (c->obeyed >= 0 && c->obeyed == c->log.placement_offset) {
        int me = leat__placement_member(p, s.member_id);
        s.released = leat__must_alloc((p->task_count + 1) * sizeof *s.released);
        for (size_t i = 0; i < p->task_count; i++)
            if (p->tasks[i].owner == me && p->tasks[i].release && find_owned(c, p->tasks[i].ref) == NULL)
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

/* ---- membership ---- */

static bool all_let_go(const leat__control_t *c)
{
    for (int i = 0; i < c->seat_count; i++)
        if (c->seats[i].lost_due)
            return false;
    return true;
}

static bool barrier_passed(const leat__control_t *c)
{
    for (int i = 0; i < c->seat_count; i++)
        if (c->seats[i].barrier_due)
            return false;
    return true;
}

static void adopt(leat__control_t *c)
{
    leat__membership_t *before = c->membership;

    c->membership = c->next;
    c->next = NULL;
    if (before == NULL ||
        strcmp(leat__membership_member_id(before), leat__membership_member_id(c->membership)) != 0)
        c->epoch++;
    leat__membership_unref(before);
    c->settled = true;
    c->leads = c->next_leads;
    c->obeyed = -1;
    leat__log(LEAT_LOG_INFO, "control", NULL, "generation %d, member %s%s",
        leat__membership_generation(c->membership), leat__membership_member_id(c->membership),
        c->leads ? ", leads" : "");
    for (int i = 0; i < c->seat_count; i++)
        tell_membership(c, i);
    if (c->leads)
        leat__lead_begin(c);
}

static void lose(leat__control_t *c)
{
    if (c->losing)
        return;
    leat__log(LEAT_LOG_WARN, "control", NULL,
        "membership lost: its tasks may run elsewhere already; aborting and joining again");
    leat__lead_end(c);
    c->settled = false;
    c->revoking = false;
    c->losing = true;
    for (int i = 0; i < c->seat_count; i++)
        c->seats[i].lost_due = !c->seats[i].stopped;
    tell_all(c, LEAT__SAY_LOST, 0);
}

static void revoke(leat__control_t *c)
{
    int64_t share = leat__config_int(c->w->config, "transaction.timeout.ms") / 4;

    leat__lead_end(c);
    c->settled = false;
    c->revoking = true;
    c->revoke_deadline_ms = c->now_ms + share;
    c->barrier++;
    for (int i = 0; i < c->seat_count; i++)
        c->seats[i].barrier_due = !c->seats[i].stopped;
    tell_all(c, LEAT__SAY_BARRIER, c->barrier);
}

/* Another live process writes statuses under our process id: the state directory was copied, or is shared. */
static bool has_double(const leat__control_t *c)
{
    const leat__status_t *s = leat__control_log_process(&c->log, c->w->process_id);

    return s != NULL && c->own_member_id != NULL && c->log.next > c->target &&
        strcmp(s->member_id, c->own_member_id) != 0;
}

/* A fenced static member need not have a double: a join that was sent twice, over a broker that went away, does it too. So it
 * lets go, waits long enough for a double to show itself in the control topic, and joins again (PROTOCOLS.md 14). */
static void fenced(leat__control_t *c, const leat_error_t *err)
{
    leat__log(LEAT_LOG_WARN, "control", NULL, "%s: letting go, and joining again if nobody else shows up", err->text);
    c->fenced = *err;
    c->rejoin_at_ms = c->now_ms + REJOIN_MS;
    lose(c);
    leat__membership_unref(c->next);
    c->next = NULL;
    leat__op_free(c->op);
    c->op = c->w->broker->vt->member_close(c->member, false);
    c->member = NULL;
}

static void member_step(leat__control_t *c)
{
    leat__member_event_t e;

    while (c->member != NULL && memset(&e, 0, sizeof e) != NULL &&
        c->w->broker->vt->member_poll(c->member, &e) != LEAT__MEMBER_NOTHING) {
        switch (e.what) {
        case LEAT__MEMBER_ASSIGNED:
            leat__membership_unref(c->next);
            c->next = e.membership;
            c->next_leads = e.leads;
            if (c->membership != NULL && strcmp(leat__membership_member_id(c->membership),
                                             leat__membership_member_id(c->next)) != 0)
                lose(c); /* another life in the group: what was held under the old one is not ours */
            break;
        case LEAT__MEMBER_REVOKED:
            revoke(c);
            break;
        case LEAT__MEMBER_LOST:
            lose(c);
            break;
        case LEAT__MEMBER_FAILED:
            if (e.err.code == LEAT_EFENCED && !c->stopping)
                fenced(c, &e.err);
            else
                leat__control_fail(c, &e.err);
            break;
        case LEAT__MEMBER_NOTHING:
            break;
        }
    }
    if (c->member != NULL)
        atomic_store(&c->heard_at_ms, c->now_ms - (int64_t)c->w->broker->vt->member_heard_ms(c->member));
}

static void settle(leat__control_t *c)
{
    if (c->losing && all_let_go(c)) {
        c->losing = false;
        c->owned_count = 0;
        leat__membership_unref(c->membership);
        c->membership = NULL;
        if (c->next == NULL && c->member != NULL)
            c->w->broker->vt->member_answer_revoke(c->member);
    }
    if (c->revoking && (barrier_passed(c) || c->now_ms >= c->revoke_deadline_ms)) {
        if (!barrier_passed(c))
            leat__log(LEAT_LOG_WARN, "control", NULL,
                "a thread did not commit within transaction.timeout.ms/4: going on without it, its commit will be refused");
        c->revoking = false;
        c->w->broker->vt->member_answer_revoke(c->member);
    }
    if (c->next != NULL && !c->losing && !c->revoking)
        adopt(c);
}

/* ---- mail ---- */

static void commit_for(leat__control_t *c, leat__message_t *m)
{
    leat__message_t *answer = leat__message_new(LEAT__SAY_COMMITTING);

    answer->from = -1;
    answer->number = m->number;
    answer->epoch = m->epoch;
    if (c->membership != NULL && m->epoch == c->epoch && !c->losing && (c->settled || c->revoking))
        answer->op = c->w->broker->vt->member_commit(c->member, c->membership, m->positions, m->position_count);
    tell(c, m->from, answer);
}

static void replace_thread(leat__control_t *c, int i)
{
    leat_error_t err;
    leat__thread_t *fresh = leat__thread_new(c->w, i, &err);

    if (fresh == NULL || leat__thread_start(fresh, &err) != 0) {
        leat__thread_free(fresh);
        leat__control_fail(c, &err);
        return;
    }
    pthread_mutex_lock(&c->seats_lock);
    leat__thread_t *old = c->seats[i].thread;
    c->seats[i] = (leat__seat_t){ .thread = fresh };
    pthread_mutex_unlock(&c->seats_lock);
    leat__thread_join(old);
    leat__thread_free(old);
    if (c->membership != NULL)
        tell_membership(c, i);
    for (size_t k = 0; k < c->owned_count; k++)
        if (c->owned[k].thread == i) {
            c->owned[k].restored = false;
            tell(c, i, about(LEAT__SAY_GIVE, &c->owned[k].ref, 1, c->epoch));
        }
}

static void thread_failed(leat__control_t *c, const leat__message_t *m)
{
    leat__seat_t *seat = &c->seats[m->from];
    leat_rescue_t rescue = LEAT_SHUTDOWN_CLIENT;

    seat->stopped = true;
    seat->barrier_due = seat->lost_due = false;
    leat__log(LEAT_LOG_ERROR, "control", NULL, "thread %d failed: %s: %s", m->from, m->err.where, m->err.text);
    if (c->hooks.thread_failed != NULL && !c->stopping)
        rescue = c->hooks.thread_failed(c->hooks.user, &m->err);
    if (rescue == LEAT_REPLACE_THREAD && !c->stopping) {
        replace_thread(c, m->from);
        return;
    }
    for (size_t k = c->owned_count; k > 0; k--)
        if (c->owned[k - 1].thread == m->from)
            c->owned[k - 1] = c->owned[--c->owned_count];
    c->shutdown_all = c->shutdown_all || rescue == LEAT_SHUTDOWN_APPLICATION;
    leat__control_fail(c, &m->err);
}

static void handle(leat__control_t *c, leat__message_t *m)
{
    leat__holding_t *o;

    switch (m->say) {
    case LEAT__SAY_BARRIER_DONE:
        if (m->number == c->barrier)
            c->seats[m->from].barrier_due = false;
        break;
    case LEAT__SAY_LOST_DONE:
        c->seats[m->from].lost_due = false;
        break;
    case LEAT__SAY_RELEASED:
        for (size_t i = 0; i < m->task_count; i++)
            disown(c, m->tasks[i]);
        c->obeyed = -1; /* the placement in force may have changed its mind meanwhile */
        break;
    case LEAT__SAY_RESTORED:
        for (size_t i = 0; i < m->task_count; i++)
            if ((o = find_owned(c, m->tasks[i])) != NULL)
                o->restored = true;
        break;
    case LEAT__SAY_COMMIT:
        commit_for(c, m);
        break;
    case LEAT__SAY_FAILED:
        thread_failed(c, m);
        break;
    case LEAT__SAY_STOPPED:
        c->seats[m->from].stopped = true;
        c->seats[m->from].barrier_due = c->seats[m->from].lost_due = false;
        break;
    case LEAT__SAY_STOP:
        c->stopping = true;
        tell_all(c, LEAT__SAY_STOP, 0);
        break;
    case LEAT__SAY_PAUSE:
    case LEAT__SAY_RESUME:
        tell_all(c, m->say, 0);
        break;
    default:
        LEAT_ASSERT(!"a message for the control thread");
    }
    leat__message_free(m);
}

void leat__control_fail(leat__control_t *c, const leat_error_t *err)
{
    if (!c->failed) {
        c->failed = true;
        c->failure = *err;
        if (c->hooks.failed != NULL)
            c->hooks.failed(c->hooks.user, err);
    }
    if (!c->stopping) {
        c->stopping = true;
        tell_all(c, LEAT__SAY_STOP, 0);
    }
}

/* ---- phases ---- */

static void start_fencing(leat__control_t *c)
{
    char (*ids)[600] = leat__must_alloc((size_t)c->w->thread_count * 2 * sizeof *ids);
    const char **list = leat__must_alloc((size_t)c->w->thread_count * 2 * sizeof *list);
    size_t count = 0;

    for (int i = 0; i < c->w->thread_count; i++)
        for (char which = 'a'; which <= 'b'; which++) {
            leat__transactional_id(ids[count], sizeof *ids, c->w->application_id, c->w->process_id, i, which);
            list[count] = ids[count];
            count++;
        }
    c->op = c->w->broker->vt->fence(c->w->broker, list, count);
    leat__free(ids);
    leat__free(list);
}

static void start_measuring(leat__control_t *c)
{
    leat__position_t p = { .topic = c->log.topic, .partition = 0 };

    c->op = c->w->broker->vt->offsets(c->w->broker, &p, 1, LEAT__HIGH_WATERMARK);
}

static bool op_over(leat__control_t *c, leat_error_t *err)
{
    if (c->op != NULL && !leat__op_done(c->op))
        return false;
    *err = c->op == NULL ? (leat_error_t){ .code = LEAT_OK } : c->op->err;
    return true;
}

static void join_group(leat__control_t *c)
{
    const leat_config_t *config = c->w->config;
    const leat__plan_t *plan = c->w->plan;
    const char **topics;
    size_t count = 1, room = 2;
    leat_error_t err;

    for (size_t g = 0; g < plan->group_count; g++)
        room += plan->groups[g].topic_count;
    topics = leat__must_alloc(room * sizeof *topics);
    topics[0] = c->log.topic;
    for (size_t g = 0; g < plan->group_count; g++)
        for (size_t i = 0; !plan->groups[g].global && i < plan->groups[g].topic_count; i++)
            topics[count++] = plan->groups[g].topics[i];
    const char *instance = leat__config_text(config, "group.instance.id");
    leat__member_opts_t o = {
        .group = c->w->application_id,
        .instance_id = instance[0] != '\0' ? instance : c->w->process_id,
        .client_id = c->w->application_id,
        .topics = topics,
        .topic_count = count,
        .session_timeout_ms = leat__config_int(config, "session.timeout.ms"),
        .heartbeat_interval_ms = leat__config_int(config, "heartbeat.interval.ms"),
        .max_poll_interval_ms = leat__config_int(config, "max.poll.interval.ms"),
    };
    if (strcmp(leat__config_text(config, "group.membership"), "dynamic") == 0)
        o.instance_id = NULL;
    c->member = c->w->broker->vt->member_open(c->w->broker, &o, &err);
    leat__free(topics);
    if (c->member == NULL)
        leat__control_fail(c, &err);
    c->phase = LEAT__CONTROL_MEMBER;
}

static void rejoin_step(leat__control_t *c)
{
    if (c->stopping || c->losing || c->now_ms < c->rejoin_at_ms || (c->op != NULL && !leat__op_done(c->op)))
        return;
    leat__op_free(c->op);
    c->op = NULL;
    c->rejoin_at_ms = 0;
    if (has_double(c))
        leat__control_fail(c, &c->fenced);
    else
        join_group(c);
}

static void renew_incarnations(leat__control_t *c)
{
    for (size_t i = 0; i < c->created_count; i++)
        leat__control_log_incarnate(&c->log, c->created[i]);
    for (size_t i = 0; i < c->w->plan->internal_topic_count; i++) {
        const leat__internal_topic_t *t = &c->w->plan->internal_topics[i];
        bool made = false;

        for (size_t k = 0; k < c->created_count; k++)
            made = made || strcmp(c->created[k], t->name) == 0;
        if (!t->repartition && !t->source_changelog && !made &&
            leat__control_log_incarnation(&c->log, t->name) == 0)
            leat__control_log_incarnate(&c->log, t->name);
    }
}

static bool starting_step(leat__control_t *c)
{
    leat_error_t err;

    if (c->stopping) {
        leat__op_free(c->op);
        c->op = NULL;
        for (int i = 0; c->phase < LEAT__CONTROL_READ && i < c->seat_count; i++)
            c->seats[i].stopped = true; /* never started */
        c->phase = LEAT__CONTROL_MEMBER;
        return true;
    }
    leat__control_log_poll(&c->log);
    if (c->phase == LEAT__CONTROL_READ) {
        if (c->log.next < c->target)
            return true;
        renew_incarnations(c);
        join_group(c);
        return true;
    }
    if (!op_over(c, &err))
        return true;
    if (err.code != 0 && c->phase == LEAT__CONTROL_MEASURE && (err.flags & LEAT_RETRIABLE) == 0) {
        leat__control_fail(c, &err);
    } else if (err.code != 0 && c->phase == LEAT__CONTROL_FENCE && err.code != LEAT_EFENCED &&
        (err.flags & LEAT_RETRIABLE) == 0) {
        leat__control_fail(c, &err);
    } else if (err.code != 0 && err.code != LEAT_EFENCED) {
        leat__op_free(c->op);
        if (c->phase == LEAT__CONTROL_FENCE)
            start_fencing(c);
        else
            start_measuring(c);
        return true;
    } else if (c->phase == LEAT__CONTROL_FENCE) {
        leat__op_free(c->op);
        start_measuring(c);
        c->phase = LEAT__CONTROL_MEASURE;
    } else {
        c->target = c->op->position_count > 0 ? c->op->positions[0].offset : 0;
        leat__op_free(c->op);
        c->op = NULL;
        c->phase = LEAT__CONTROL_READ;
        for (int i = 0; i < c->seat_count; i++)
            if (leat__thread_start(c->seats[i].thread, &err) != 0)
                leat__control_fail(c, &err);
    }
    return true;
}

static bool threads_stopped(const leat__control_t *c)
{
    for (int i = 0; i < c->seat_count; i++)
        if (!c->seats[i].stopped)
            return false;
    return true;
}

static void leave_step(leat__control_t *c)
{
    if (c->phase == LEAT__CONTROL_MEMBER) {
        c->owned_count = 0;
        if (c->member != NULL)
            write_status(c);
        c->phase = LEAT__CONTROL_RELEASE;
        c->target = c->now_ms + 5000;
    }
    if (c->phase == LEAT__CONTROL_RELEASE) {
        const leat__status_t *own;

        leat__control_log_poll(&c->log); /* frees statuses that newer ones take the place of */
        own = leat__control_log_process(&c->log, c->w->process_id);
        if (c->status_text != NULL && (own == NULL || own->state == LEAT__PROCESS_RUNNING) &&
            c->now_ms < c->target)
            return;
        if (c->settled && c->leads)
            leat__lead_hand_over(c);
        leat__lead_end(c);
        c->phase = LEAT__CONTROL_LEAVE;
    }
    if (c->phase == LEAT__CONTROL_LEAVE) {
        leat__control_log_poll(&c->log);
        if (!leat__control_log_written(&c->log) && c->now_ms < c->target)
            return;
        bool dynamic = strcmp(leat__config_text(c->w->config, "group.membership"), "dynamic") == 0;
        if (c->member != NULL) {
            leat__op_free(c->op);
            c->op = c->w->broker->vt->member_close(c->member, dynamic);
        }
        c->member = NULL;
        c->phase = LEAT__CONTROL_CLOSE;
        c->target = c->now_ms + 10000;
    }
    if (c->phase == LEAT__CONTROL_CLOSE && (c->op == NULL || leat__op_done(c->op) || c->now_ms >= c->target)) {
        leat__op_free(c->op);
        c->op = NULL;
        c->phase = LEAT__CONTROL_OVER;
        if (c->hooks.stopped != NULL)
            c->hooks.stopped(c->hooks.user);
    }
}

static void report(leat__control_t *c)
{
    bool running = c->settled && c->obeyed >= 0 && c->obeyed == c->log.placement_offset && !c->stopping;

    for (size_t i = 0; running && i < c->owned_count; i++)
        running = c->owned[i].restored && !c->owned[i].releasing;
    if (c->running_said && running == c->running)
        return;
    c->running_said = true;
    c->running = running;
    if (c->hooks.state != NULL && !c->stopping)
        c->hooks.state(c->hooks.user, running);
}

/* Another process asks all of them to stop. */
static void hear_shutdown(leat__control_t *c)
{
    const char *key;
    void *value;

    for (size_t i = 0; leat__map_next(&c->log.statuses, &i, &key, &value);) {
        const leat__status_t *s = value;
        leat_error_t err;

        if (s->state != LEAT__PROCESS_SHUTDOWN || strcmp(key, c->w->process_id) == 0 || c->stopping ||
            leat__placement_member(&c->log.placement, s->member_id) < 0)
            continue;
        leat__error(&err, LEAT_EFAILED, LEAT_FATAL, "application", "process %s asked all processes to stop", key);
        leat__control_fail(c, &err);
    }
}

int64_t leat__control_step(leat__control_t *c)
{
    leat__message_t *m;
    bool busy = false;

    c->now_ms = leat__clock_steady_ms(c->w->clock);
    while ((m = leat__mailbox_take(&c->w->control, 0)) != NULL)
        handle(c, m);
    if (c->phase < LEAT__CONTROL_MEMBER)
        return starting_step(c) ? BUSY_MS : IDLE_MS;
    if (c->phase == LEAT__CONTROL_MEMBER) {
        busy = leat__control_log_poll(&c->log);
        if (c->log.failure.code != 0)
            leat__control_fail(c, &c->log.failure);
        if (c->member != NULL)
            member_step(c);
        settle(c);
        if (c->rejoin_at_ms != 0)
            rejoin_step(c);
        hear_shutdown(c);
        obey(c);
        write_status(c);
        busy = leat__lead_step(c) || busy || !c->settled || !c->running;
        report(c);
    }
    if (c->stopping && threads_stopped(c) && (!c->revoking || c->member == NULL))
        leave_step(c);
    if (c->phase == LEAT__CONTROL_OVER)
        return -1;
    return busy || c->stopping ? BUSY_MS * 2 : IDLE_MS;
}

/* ---- life ---- */

static uint64_t incarnation_of(void *user, const char *topic)
{
    leat__control_t *c = user;

    return leat__control_log_incarnation(&c->log, topic);
}

static double heard_ms(void *user)
{
    leat__control_t *c = user;

    return (double)(leat__clock_steady_ms(c->w->clock) - atomic_load(&c->heard_at_ms));
}

leat__control_t *leat__control_new(leat__worker_t *w, const leat__control_hooks_t *hooks, int64_t log_start,
    const char *const *created, size_t created_count, leat_error_t *err)
{
    leat__control_t *c = leat__must_alloc(sizeof *c);

    c->w = w;
    c->hooks = *hooks;
    c->obeyed = -1;
    pthread_mutex_init(&c->seats_lock, NULL);
    if (leat__control_log_open(&c->log, w->broker, w->application_id, log_start, err) != 0) {
        pthread_mutex_destroy(&c->seats_lock);
        leat__free(c);
        return NULL;
    }
    w->incarnation = incarnation_of;
    w->incarnation_user = c;
    w->heard_ms = heard_ms;
    w->heard_user = c;
    atomic_store(&c->heard_at_ms, leat__clock_steady_ms(w->clock));
    c->created = leat__must_alloc((created_count + 1) * sizeof *c->created);
    for (size_t i = 0; i < created_count; i++)
        c->created[c->created_count++] = leat__must_strdup(created[i]);
    c->seats = leat__must_alloc((size_t)w->thread_count * sizeof *c->seats);
    for (int i = 0; i < w->thread_count; i++) {
        c->seats[i].thread = leat__thread_new(w, i, err);
        if (c->seats[i].thread == NULL) {
            leat__control_free(c);
            return NULL;
        }
        c->seat_count++;
    }
    if (w->exactly_once) {
        start_fencing(c);
        c->phase = LEAT__CONTROL_FENCE;
    } else {
        start_measuring(c);
        c->phase = LEAT__CONTROL_MEASURE;
    }
    return c;
}

static void *run(void *user)
{
    leat__control_t *c = user;
    int64_t wait;

    while ((wait = leat__control_step(c)) >= 0) {
        leat__message_t *m = leat__mailbox_take(&c->w->control, wait < POLL_MS ? wait : POLL_MS);
        if (m != NULL)
            handle(c, m);
    }
    return NULL;
}

int leat__control_start(leat__control_t *c, leat_error_t *err)
{
    if (pthread_create(&c->pthread, NULL, run, c) != 0)
        return leat__error(err, LEAT_EFAILED, LEAT_FATAL, "control thread", "cannot be started");
    c->started = true;
    return 0;
}

void leat__control_join(leat__control_t *c)
{
    if (c->started)
        pthread_join(c->pthread, NULL);
    c->started = false;
}

void leat__control_free(leat__control_t *c)
{
    if (c == NULL)
        return;
    leat__control_join(c);
    for (int i = 0; i < c->seat_count; i++) {
        leat__thread_join(c->seats[i].thread);
        leat__thread_free(c->seats[i].thread);
    }
    leat__lead_end(c);
    if (c->member != NULL) {
        leat__op_t *op = c->w->broker->vt->member_close(c->member, false);
        leat__op_wait(op, 5000);
        leat__op_free(op);
    }
    leat__op_free(c->op);
    leat__membership_unref(c->membership);
    leat__membership_unref(c->next);
    leat__map_release(&c->lead.fenced, NULL);
    leat__free(c->lead.published);
    leat__control_log_close(&c->log);
    for (size_t i = 0; i < c->created_count; i++)
        leat__free(c->created[i]);
    leat__free(c->created);
    leat__free(c->owned);
    leat__free(c->status_text);
    leat__free(c->own_member_id);
    leat__free(c->seats);
    pthread_mutex_destroy(&c->seats_lock);
    leat__free(c);
}

void leat__control_stop(leat__control_t *c)
{
    leat__mailbox_post(&c->w->control, leat__message_new(LEAT__SAY_STOP));
}

void leat__control_pause(leat__control_t *c, bool pause)
{
    leat__mailbox_post(&c->w->control, leat__message_new(pause ? LEAT__SAY_PAUSE : LEAT__SAY_RESUME));
}

void leat__control_view(leat__control_t *c, leat__thread_view_t *sum)
{
    memset(sum, 0, sizeof *sum);
    pthread_mutex_lock(&c->seats_lock);
    for (int i = 0; i < c->seat_count; i++) {
        leat__thread_view_t v;
        leat__thread_view(c->seats[i].thread, &v);
        sum->counts.records += v.counts.records;
        sum->counts.dropped += v.counts.dropped;
        sum->counts.forwarded += v.counts.forwarded;
        sum->counts.sent += v.counts.sent;
        sum->counts.punctuations += v.counts.punctuations;
        sum->counts.forced += v.counts.forced;
        sum->task_count += v.task_count;
        sum->restoring_count += v.restoring_count;
        sum->restore_left += v.restore_left;
        sum->commits += v.commits;
        sum->aborts += v.aborts;
    }
    pthread_mutex_unlock(&c->seats_lock);
}
