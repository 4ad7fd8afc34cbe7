/*
 * runtime/embedded/group.c: the group coordinator: classic protocol, eager.
 *
 *   stable --a member joins, leaves or dies--> preparing
 *   preparing --every member has answered, or was put out--> stable, generation + 1
 *
 * While preparing, the old generation still stands: offsets committed under it are accepted until
 * the last member has answered, which makes the revoke a barrier. A static member (instance id)
 * that comes back takes its old place under a new member id without a new generation; whoever had
 * that place is fenced. What the engine needs of the assignment is only who has partition 0 of the
 * first topic: as by Kafka's range assignment, the first member in the order of instance or member
 * ids. DIFFERS: a member is alive as long as it polls; there is no heartbeat thread behind its
 * back.
 */
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

leat__group_t *leat__group_get(leat__log_t *log, const char *name)
{
    leat__group_t *g = leat__map_get(&log->groups, name);

    if (g)
        return g;
    g = leat__must_alloc(sizeof *g);
    g->log = log;
    g->name = leat__must_strdup(name);
    leat__map_put(&log->groups, name, g);
    return g;
}

static void gmember_free(leat__gmember_t *gm)
{
    leat__names_free(gm->topics, gm->topic_count);
    leat__free(gm->id);
    leat__free(gm->instance_id);
    leat__free(gm->client_id);
    leat__free(gm->host);
    leat__free(gm);
}

void leat__group_free(void *group)
{
    leat__group_t *g = group;

    for (size_t i = 0; i < g->count; i++)
        gmember_free(g->members[i]);
    leat__free(g->members);
    leat__offsets_release(g);
    leat__free(g->name);
    leat__free(g);
}

/* ---- rounds ---- */

static const char *order_of(const leat__gmember_t *gm)
{
    return gm->instance_id ? gm->instance_id : gm->id;
}

static void next_generation(leat__group_t *g)
{
    g->preparing = false;
    g->generation++;
    g->leader = NULL;
    for (size_t i = 0; i < g->count; i++)
        if (!g->leader || strcmp(order_of(g->members[i]), order_of(g->leader)) < 0)
            g->leader = g->members[i];
    leat__journal_group(g);
}

static void finish_round(leat__group_t *g)
{
    if (!g->preparing)
        return;
    for (size_t i = 0; i < g->count; i++)
        if (!g->members[i]->joined)
            return;
    next_generation(g);
}

void leat__group_rebalance(leat__group_t *g)
{
    int64_t longest_ms = 0;

    if (!g->preparing) {
        g->preparing = true;
        for (size_t i = 0; i < g->count; i++) {
            leat__gmember_t *gm = g->members[i];

            gm->joined = gm->handle && leat__member_idle(gm->handle);
            if (gm->max_poll_ms > longest_ms)
                longest_ms = gm->max_poll_ms;
        }
        g->round_until_ms = leat__log_now(g->log) + longest_ms;
    }
    finish_round(g);
    leat__log_nudge(g->log);
}

void leat__group_answered(leat__group_t *g, leat__gmember_t *gm)
{
    gm->joined = true;
    finish_round(g);
}

void leat__group_remove(leat__group_t *g, leat__gmember_t *gm)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->members[i] == gm) {
            memmove(&g->members[i], &g->members[i + 1], (g->count - i - 1) * sizeof *g->members);
            g->count--;
            break;
        }
    if (g->leader == gm)
        g->leader = NULL;
    if (gm->handle)
        leat__member_removed(gm->handle);
    gmember_free(gm);
    leat__group_rebalance(g);
}

/* ---- joining ---- */

static void new_id(leat__group_t *g, leat__gmember_t *gm)
{
    const char *name = gm->instance_id ? gm->instance_id : gm->client_id ? gm->client_id : "leat";

    leat__free(gm->id);
    gm->id = leat__must_format("%s-%016llx%016llx", name,
        (unsigned long long)leat__log_random(g->log), (unsigned long long)leat__log_random(g->log));
}

/* Whether the subscription is another one; takes it over. */
static bool subscribe(leat__gmember_t *gm, const leat__member_opts_t *o)
{
    bool same = gm->topic_count == o->topic_count;

    for (size_t i = 0; same && i < o->topic_count; i++)
        same = strcmp(gm->topics[i], o->topics[i]) == 0;
    if (same)
        return false;
    leat__names_free(gm->topics, gm->topic_count);
    gm->topics = leat__names_copy(o->topics, o->topic_count);
    gm->topic_count = o->topic_count;
    return true;
}

static leat__gmember_t *by_instance(leat__group_t *g, const char *instance_id)
{
    for (size_t i = 0; instance_id && i < g->count; i++)
        if (g->members[i]->instance_id && strcmp(g->members[i]->instance_id, instance_id) == 0)
            return g->members[i];
    return NULL;
}

static leat__gmember_t *join_again(
    leat__group_t *g, leat__gmember_t *gm, leat__member_t *m, const leat__member_opts_t *o)
{
    if (gm->handle && gm->handle != m)
        leat__member_fenced(gm->handle);
    gm->handle = m;
    gm->heard_ms = leat__log_now(g->log);
    new_id(g, gm);
    if (g->preparing)
        leat__group_answered(g, gm);
    else if (subscribe(gm, o))
        leat__group_rebalance(g);
    return gm;
}

leat__gmember_t *leat__group_join(leat__group_t *g, leat__member_t *m, const leat__member_opts_t *o)
{
    leat__gmember_t *gm = by_instance(g, o->instance_id);

    if (gm)
        return join_again(g, gm, m, o);
    gm = leat__must_alloc(sizeof *gm);
    gm->instance_id = leat__strdup(o->instance_id);
    gm->client_id = leat__must_strdup(o->client_id ? o->client_id : "leat");
    gm->host = leat__must_strdup("embedded");
    gm->session_ms = o->session_timeout_ms;
    gm->max_poll_ms = o->max_poll_interval_ms;
    gm->heard_ms = leat__log_now(g->log);
    gm->handle = m;
    new_id(g, gm);
    subscribe(gm, o);
    gm->joined = true; /* it holds nothing that would have to be revoked */
    LEAT__GROW(g->members, g->count, g->room);
    g->members[g->count++] = gm;
    leat__group_rebalance(g);
    return gm;
}

static bool wants_topic(const leat__gmember_t *gm, const char *topic)
{
    for (size_t i = 0; i < gm->topic_count; i++) {
        regex_t pattern;
        bool matches;

        if (gm->topics[i][0] != '^') {
            if (strcmp(gm->topics[i], topic) == 0)
                return true;
            continue;
        }
        if (regcomp(&pattern, gm->topics[i], REG_EXTENDED | REG_NOSUB))
            continue; /* refused when the member was opened */
        matches = regexec(&pattern, topic, 0, NULL, 0) == 0;
        regfree(&pattern);
        if (matches)
            return true;
    }
    return false;
}

void leat__groups_topic_changed(leat__log_t *log, const char *topic)
{
    const char *name;
    void *value;

    for (size_t at = 0; leat__map_next(&log->groups, &at, &name, &value);) {
        leat__group_t *g = value;

        for (size_t i = 0; i < g->count; i++)
            if (wants_topic(g->members[i], topic)) {
                leat__group_rebalance(g);
                break;
            }
    }
}

/* ---- committing under a membership ---- */

static int refuse(leat_error_t *err, const leat__group_t *g, const char *why)
{
    return leat__error(err, LEAT_EBROKER, LEAT_ABORT, g->name, "offsets refused: %s", why);
}

int leat__group_check(leat__group_t *g, const leat__membership_t *m, bool in_txn, leat_error_t *err)
{
    const char *id = leat__membership_member_id(m), *instance_id = leat__membership_instance_id(m);
    int32_t generation = leat__membership_generation(m);
    leat__gmember_t *gm = by_instance(g, instance_id);

    /* PROTOCOLS.md 3: Kafka takes a made-up membership in a transaction, even while the group has
     * members. */
    if (generation < 0 && id[0] == '\0' && !instance_id && (in_txn || g->count == 0))
        return 0;
    if (gm && strcmp(gm->id, id) != 0)
        return refuse(err, g, "another process has this instance id (FENCED_INSTANCE_ID)");
    for (size_t i = 0; !gm && i < g->count; i++)
        if (strcmp(g->members[i]->id, id) == 0)
            gm = g->members[i];
    if (!gm)
        return refuse(err, g, "the group has no such member any more (UNKNOWN_MEMBER_ID)");
    if (generation != g->generation)
        return leat__error(err, LEAT_EBROKER, LEAT_ABORT, g->name,
            "offsets refused: they come from generation %d, the group is in %d "
            "(ILLEGAL_GENERATION)",
            (int)generation, (int)g->generation);
    return 0;
}

leat__membership_t *leat__group_membership(
    leat__group_t *g, int32_t generation, const char *member_id, const char *instance_id)
{
    return leat__membership_new(
        generation, member_id, instance_id, leat__must_strdup(g->name), leat__free);
}

const char *leat__membership_group(const leat__membership_t *m)
{
    return leat__membership_native(m);
}

/* ---- time ---- */

static void tick_group(leat__group_t *g, int64_t now_ms)
{
    for (size_t i = g->count; i-- > 0;) {
        leat__gmember_t *gm = g->members[i];
        bool silent = !gm->kept && now_ms - gm->heard_ms > gm->session_ms;
        bool late = g->preparing && !gm->joined && now_ms >= g->round_until_ms;

        if (!silent && !late)
            continue;
        leat__log(LEAT_LOG_INFO, "embedded", NULL, "group %s: member %s put out: %s", g->name,
            gm->id,
            silent ? "not heard of within its session timeout"
                   : "it did not answer the revoke in time");
        leat__group_remove(g, gm);
        i = g->count; /* anybody may have gone meanwhile: look at all again */
    }
}

void leat__group_tick(leat__log_t *log, int64_t now_ms)
{
    const char *name;
    void *g;

    for (size_t at = 0; leat__map_next(&log->groups, &at, &name, &g);)
        tick_group(g, now_ms);
}

/* ---- describing ---- */

static bool run_describe_group(leat__log_t *log, leat__request_t *r)
{
    leat__group_t *g = leat__map_get(&log->groups, r->group);
    size_t count = g ? g->count : 0;

    r->op->members = leat__must_alloc((count + 1) * sizeof *r->op->members);
    r->op->member_count = count;
    r->op->stable = g && !g->preparing && count > 0;
    for (size_t i = 0; i < count; i++) {
        const leat__gmember_t *gm = g->members[i];

        r->op->members[i] =
            (leat__group_member_t){leat__must_strdup(gm->id), leat__strdup(gm->instance_id),
                leat__must_strdup(gm->client_id), leat__must_strdup(gm->host)};
    }
    return true;
}

leat__op_t *leat__admin_describe_group(leat__broker_t *b, const char *group)
{
    leat__request_t *r = leat__request_new(b, LEAT__CALL_ADMIN, run_describe_group);

    r->group = leat__must_strdup(group);
    return leat__request_start(r);
}
