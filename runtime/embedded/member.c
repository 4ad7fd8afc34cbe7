/*
 * runtime/embedded/member.c: membership of a group as its process sees it: what leat__member_poll
 * tells, and when.
 *
 *   IDLE --poll: joins--> WAITING --round over: ASSIGNED--> ACTIVE
 *   ACTIVE --others come or go: REVOKED--> TOLD --answer--> WAITING
 *   put out by the group, seen at the next poll: LOST --> TOLD --answer--> IDLE
 *   its instance id taken by another process: FAILED, for good
 *
 * The membership given out with ASSIGNED is a snapshot: the thread that adopted it commits under
 * it, whatever happened since, and the group judges.
 */
#include <regex.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

typedef enum member_state_t { IDLE, WAITING, ACTIVE, TOLD, FAILED } member_state_t;

struct leat__member_t {
    leat__client_t *client;
    leat__group_t *group;
    leat__gmember_t *gm; /* NULL: not in the group */
    leat__member_opts_t opts;
    char **topics;
    member_state_t state;
    bool told_lost;
    bool fenced;
    leat__membership_t *membership;
    int64_t heard_us;
};

bool leat__member_idle(const leat__member_t *m)
{
    return m->state == WAITING || m->state == IDLE;
}

void leat__member_removed(leat__member_t *m)
{
    m->gm = NULL;
}

void leat__member_fenced(leat__member_t *m)
{
    m->gm = NULL;
    m->fenced = true;
}

/* ---- open, close ---- */

static int check_opts(const leat__member_opts_t *o, leat_error_t *err)
{
    if (!o->group || !*o->group || o->topic_count == 0)
        return leat__error(err, LEAT_EARGUMENT, LEAT_FATAL, o->group,
            "a member needs a group and at least one topic");
    for (size_t i = 0; i < o->topic_count; i++) {
        regex_t pattern;

        if (o->topics[i][0] != '^')
            continue;
        if (regcomp(&pattern, o->topics[i], REG_EXTENDED | REG_NOSUB))
            return leat__error(err, LEAT_EARGUMENT, LEAT_FATAL, o->topics[i],
                "this topic pattern is no regular expression");
        regfree(&pattern);
    }
    return 0;
}

leat__member_t *leat__member_open(
    leat__broker_t *b, const leat__member_opts_t *o, leat_error_t *err)
{
    leat__client_t *client = leat__client_of(b);
    leat__member_t *m;

    if (check_opts(o, err))
        return NULL;
    leat__error_clear(err);
    m = leat__must_alloc(sizeof *m);
    m->client = client;
    m->opts = *o;
    m->opts.group = leat__must_strdup(o->group);
    m->opts.instance_id = leat__strdup(o->instance_id);
    m->opts.client_id = leat__must_strdup(o->client_id ? o->client_id : "leat");
    m->topics = leat__names_copy(o->topics, o->topic_count);
    m->opts.topics = (const char *const *)m->topics;
    leat__log_enter(client->log);
    m->group = leat__group_get(client->log, o->group);
    m->heard_us = leat__clock_steady_us(client->log->clock);
    leat__log_leave(client->log);
    return m;
}

static void member_free(leat__member_t *m)
{
    leat__free((void *)(uintptr_t)m->opts.group);
    leat__free((void *)(uintptr_t)m->opts.instance_id);
    leat__free((void *)(uintptr_t)m->opts.client_id);
    leat__names_free(m->topics, m->opts.topic_count);
    leat__membership_unref(m->membership);
    leat__free(m);
}

static bool run_closed(leat__log_t *log, leat__request_t *r)
{
    (void)log;
    (void)r;
    return true;
}

/* Leaving is one message, sent at once; if the log is away it is not heard and the session ends by
 * itself. */
leat__op_t *leat__member_close(leat__member_t *m, bool leave)
{
    leat__client_t *client = m->client;
    leat__request_t *r = leat__request_new(&client->base, LEAT__CALL_CLOSE, run_closed);

    r->unbound = true;
    leat__log_enter(client->log);
    if (m->gm) {
        m->gm->handle = NULL;
        if (leave && !leat__client_down(client))
            leat__group_remove(m->group, m->gm);
    }
    leat__log_leave(client->log);
    member_free(m);
    return leat__request_start(r);
}

/* ---- polling ---- */

static bool missing_topic(leat__member_t *m, leat_error_t *err)
{
    for (size_t i = 0; i < m->opts.topic_count; i++) {
        const char *topic = m->topics[i];

        if (topic[0] == '^' || leat__topic_find(m->client->log, topic))
            continue;
        leat__error(err, LEAT_ETOPIC, LEAT_FATAL, topic,
            "group %s cannot be joined: topic %s does not exist; create it first", m->opts.group,
            topic);
        return true;
    }
    return false;
}

static leat__member_what_t assigned(leat__member_t *m, leat__member_event_t *e)
{
    leat__membership_unref(m->membership);
    m->membership =
        leat__group_membership(m->group, m->group->generation, m->gm->id, m->gm->instance_id);
    m->state = ACTIVE;
    e->membership = leat__membership_ref(m->membership);
    e->leads = m->group->leader == m->gm;
    return LEAT__MEMBER_ASSIGNED;
}

static leat__member_what_t lost(leat__member_t *m)
{
    m->state = TOLD;
    m->told_lost = true;
    return LEAT__MEMBER_LOST;
}

static leat__member_what_t poll_active(leat__member_t *m)
{
    if (!m->gm)
        return lost(m);
    if (!m->group->preparing || m->gm->joined)
        return LEAT__MEMBER_NOTHING;
    m->state = TOLD;
    m->told_lost = false;
    return LEAT__MEMBER_REVOKED;
}

static leat__member_what_t poll_joining(leat__member_t *m, leat__member_event_t *e)
{
    if (!m->gm) {
        if (missing_topic(m, &e->err)) {
            m->state = FAILED;
            return LEAT__MEMBER_FAILED;
        }
        m->state = WAITING;
        m->gm = leat__group_join(m->group, m, &m->opts);
    }
    if (m->group->preparing && !m->gm->joined)
        leat__group_answered(m->group, m->gm);
    return m->group->preparing ? LEAT__MEMBER_NOTHING : assigned(m, e);
}

static leat__member_what_t poll_fenced(leat__member_t *m, leat__member_event_t *e)
{
    m->state = FAILED;
    leat__error(&e->err, LEAT_EFENCED, LEAT_FATAL, m->opts.group,
        "the group has another member with this one's identity (group.instance.id %s)",
        m->opts.instance_id);
    return LEAT__MEMBER_FAILED;
}

static leat__member_what_t poll(leat__member_t *m, leat__member_event_t *e)
{
    leat__log_t *log = m->client->log;

    if (m->state == FAILED)
        return LEAT__MEMBER_NOTHING;
    if (leat__client_down(m->client)) {
        int64_t silent_ms = (leat__clock_steady_us(log->clock) - m->heard_us) / 1000;

        if (m->state != ACTIVE || silent_ms <= m->opts.session_timeout_ms)
            return LEAT__MEMBER_NOTHING;
        if (m->gm) /* its old place stays until its session ends there too */
            m->gm->handle = NULL;
        m->gm = NULL;
        return lost(m);
    }
    m->heard_us = leat__clock_steady_us(log->clock);
    if (m->gm)
        m->gm->heard_ms = leat__log_now(log);
    if (m->fenced)
        return poll_fenced(m, e);
    switch (m->state) {
    case ACTIVE:
        return poll_active(m);
    case TOLD:
        return m->gm || m->told_lost ? LEAT__MEMBER_NOTHING : lost(m);
    default:
        return poll_joining(m, e);
    }
}

leat__member_what_t leat__member_poll(leat__member_t *m, leat__member_event_t *e)
{
    memset(e, 0, sizeof *e);
    leat__log_enter(m->client->log);
    e->what = poll(m, e);
    leat__log_leave(m->client->log);
    return e->what;
}

void leat__member_answer_revoke(leat__member_t *m)
{
    leat__log_enter(m->client->log);
    if (m->state == TOLD) {
        m->state = m->gm ? WAITING : IDLE;
        leat__membership_unref(m->membership);
        m->membership = NULL;
        if (m->gm && m->group->preparing)
            leat__group_answered(m->group, m->gm);
    }
    leat__log_leave(m->client->log);
}

double leat__member_heard_ms(leat__member_t *m)
{
    double heard_ms;

    leat__log_enter(m->client->log);
    heard_ms = (double)(leat__clock_steady_us(m->client->log->clock) - m->heard_us) / 1000.0;
    leat__log_leave(m->client->log);
    return heard_ms;
}

/* ---- committing, at least once ---- */

static bool run_member_commit(leat__log_t *log, leat__request_t *r)
{
    leat__group_t *g = leat__group_get(log, r->group);

    if (leat__group_check(g, r->under, false, &r->op->err))
        return true;
    for (size_t i = 0; i < r->count; i++)
        leat__offset_put(g, &r->positions[i], LEAT__NO_PRODUCER, log->next_seq++);
    return true;
}

static bool run_over(leat__log_t *log, leat__request_t *r)
{
    (void)log;
    leat__error(&r->op->err, LEAT_EBROKER, LEAT_ABORT, r->group,
        "offsets dropped: the membership they were made under is over");
    return true;
}

static bool still(const leat__member_t *m, const leat__membership_t *under)
{
    return m->membership && under &&
           leat__membership_generation(m->membership) == leat__membership_generation(under) &&
           strcmp(leat__membership_member_id(m->membership), leat__membership_member_id(under)) ==
               0;
}

leat__op_t *leat__member_commit(
    leat__member_t *m, leat__membership_t *under, const leat__position_t *p, size_t count)
{
    leat__request_t *r = leat__request_new(
        &m->client->base, LEAT__CALL_MEMBER_COMMIT, still(m, under) ? run_member_commit : run_over);

    r->group = leat__must_strdup(m->opts.group);
    r->under = leat__membership_ref(under);
    r->positions = leat__positions_copy(p, count);
    r->count = count;
    return leat__request_start(r);
}
