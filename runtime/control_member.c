/*
 * runtime/control_member.c: the process in its group.
 *
 *   ASSIGNED(g) ──▶ settled: MEMBERSHIP to all threads, status written, placements of g obeyed
 *   REVOKED     ──▶ BARRIER to all threads; answered when all have committed, or after transaction.timeout.ms/4
 *   LOST        ──▶ LOST to all threads; answered when all have let go: then the process joins as a new member
 *   fenced      ──▶ as LOST, and a new join after REJOIN_MS unless a double shows itself in the control topic
 */
#include "control_inside.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

enum { REJOIN_MS = 2000, FENCED_MAX = 3, FENCED_APART_MS = 300000 };

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
        leat__control_tell_membership(c, i);
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
        c->seats[i].lost_due = !c->seats[i].stopped && !c->seats[i].stuck;
    leat__control_tell_all(c, LEAT__SAY_LOST, 0);
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
        c->seats[i].barrier_due = !c->seats[i].stopped && !c->seats[i].stuck;
    leat__control_tell_all(c, LEAT__SAY_BARRIER, c->barrier);
}

/* Another live process writes statuses under our process id: the state directory was copied, or is shared. */
static bool has_double(const leat__control_t *c)
{
    const leat__status_t *s = leat__control_log_process(&c->log, c->w->process_id);

    return s != NULL && c->own_member_id != NULL && c->log.next > c->target &&
           strcmp(s->member_id, c->own_member_id) != 0;
}

/* A fenced static member need not have a double: a coordinator that dies between its answer to a join and the record of it, or
 * carries out a join that was given up, holds a member id that nobody has. So it lets go, waits long enough for a double to show
 * itself in the control topic, and joins again (PROTOCOLS.md 14). A double with a state directory of its own does not show
 * itself; that one is known by fencing again and again. */
static void fenced(leat__control_t *c, const leat_error_t *err)
{
    leat__log(LEAT_LOG_WARN, "control", NULL,
        "%s, or an outage of the broker left it there: letting go, and joining again if nobody "
        "else shows up",
        err->text);
    c->fenced_times = c->now_ms - c->fenced_at_ms < FENCED_APART_MS ? c->fenced_times + 1 : 1;
    c->fenced_at_ms = c->now_ms;
    c->rejoin_at_ms = c->now_ms + REJOIN_MS;
    lose(c);
    leat__membership_unref(c->next);
    c->next = NULL;
    leat__op_free(c->op);
    c->op = c->w->broker->vt->member_close(c->member, false);
    c->member = NULL;
}

void leat__control_member_step(leat__control_t *c)
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
                lose(
                    c); /* another life in the group: what was held under the old one is not ours */
            break;
        case LEAT__MEMBER_REVOKED:
            revoke(c);
            break;
        case LEAT__MEMBER_LOST:
            lose(c);
            break;
        case LEAT__MEMBER_FAILED:
            if (e.err.code == LEAT_EFENCED)
                fenced(c, &e.err);
            else
                leat__control_fail(c, &e.err);
            break;
        case LEAT__MEMBER_NOTHING:
            break;
        }
    }
    if (c->member != NULL)
        atomic_store(
            &c->heard_at_ms, c->now_ms - (int64_t)c->w->broker->vt->member_heard_ms(c->member));
}

void leat__control_settle(leat__control_t *c)
{
    if (c->losing && all_let_go(c)) {
        c->losing = false;
        leat__control_disown_all(c);
        leat__membership_unref(c->membership);
        c->membership = NULL;
        if (c->next == NULL && c->member != NULL)
            c->w->broker->vt->member_answer_revoke(c->member);
    }
    if (c->revoking && (barrier_passed(c) || c->now_ms >= c->revoke_deadline_ms)) {
        if (!barrier_passed(c))
            leat__log(LEAT_LOG_WARN, "control", NULL,
                "a thread did not commit within transaction.timeout.ms/4: going on without it, its "
                "commit will be refused");
        c->revoking = false;
        c->w->broker->vt->member_answer_revoke(c->member);
    }
    if (c->next != NULL && !c->losing && !c->revoking)
        adopt(c);
}

/* ---- joining ---- */

/* [keep: c] What makes this process the same to the group after a restart. */
static const char *instance_id(const leat__control_t *c)
{
    const char *set = leat__config_text(c->w->config, "group.instance.id");

    return set[0] != '\0' ? set : c->w->process_id;
}

void leat__control_join_group(leat__control_t *c)
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
    leat__member_opts_t o = {
        .group = c->w->application_id,
        .instance_id = instance_id(c),
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

void leat__control_rejoin_step(leat__control_t *c)
{
    leat_error_t err;

    if (c->stopping || c->losing || c->now_ms < c->rejoin_at_ms ||
        (c->op != NULL && !leat__op_done(c->op)))
        return;
    leat__op_free(c->op);
    c->op = NULL;
    c->rejoin_at_ms = 0;
    if (!has_double(c) && c->fenced_times < FENCED_MAX) {
        leat__control_join_group(c);
        return;
    }
    leat__error(&err, LEAT_EFENCED, LEAT_FATAL, c->w->application_id,
        "another live process has this one's identity (group.instance.id %s): the state directory "
        "was copied or is shared, or both were given this group.instance.id. Each process needs "
        "its own: stop one, or start it with an empty state directory",
        instance_id(c));
    leat__control_fail(c, &err);
}
