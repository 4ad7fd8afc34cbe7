/*
 * runtime/app_topics.c: what must be there before a thread starts: source topics exist, the plan is resolved by their partition
 * counts, internal topics exist with the right counts; settings of theirs that would lose state are said.
 *
 * A broker that does not answer is tried again until leat.start.timeout.ms; everything else that is wrong is said at once.
 */
#include "app.h"

#include "base/backoff.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "control_log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MS = 500, SETTINGS_MS = 10000 };

static bool called_off(const leat_app_t *app)
{
    return app->until_signal && leat__signals_seen();
}

int leat__app_op(leat_app_t *app, int64_t deadline_ms,
    leat__op_t *(*start)(leat_app_t *app, void *user), void *user, leat__op_t **done,
    leat_error_t *err)
{
    leat__backoff_t backoff =
        leat__backoff(app->config, app->worker.application_id, (int)getpid());
    int64_t said_ms = 0;

    leat__error_clear(err);
    for (;;) {
        leat__op_t *op = start(app, user);
        bool answered = false;

        while (!(answered = leat__op_wait(op, ANSWER_MS)) && !called_off(app) &&
               leat__clock_steady_ms(NULL) < deadline_ms)
            ;
        if (answered && op->err.code == 0) {
            *done = op;
            return 0;
        }
        if (answered)
            *err = op->err;
        else if (err->code == 0) /* else the reason of the try before says more */
            leat__error(err, LEAT_EBROKER, LEAT_RETRIABLE, "bootstrap.servers", "no answer from %s",
                leat__config_text(app->config, "bootstrap.servers"));
        leat__op_free(op);
        int64_t now = leat__clock_steady_ms(NULL);
        if ((err->flags & LEAT_RETRIABLE) == 0 || now >= deadline_ms || called_off(app))
            return err->code;
        if (now - said_ms > 2000) {
            leat__log(LEAT_LOG_WARN, "app", NULL, "%s; trying again", err->text);
            said_ms = now;
        }
        leat__op_t *pause = leat__op_new(); /* nobody completes it: a wait */
        leat__op_wait(pause, leat__backoff_next_ms(&backoff));
        leat__op_free(pause);
        leat__op_free(pause);
    }
}

struct names {
    const char **names;
    size_t count;
};

static leat__op_t *describe(leat_app_t *app, void *user)
{
    const struct names *n = user;
    return app->broker->vt->describe_topics(app->broker, n->names, n->count, false);
}

static leat__op_t *list(leat_app_t *app, void *user)
{
    (void)user;
    return app->broker->vt->list_topics(app->broker);
}

static int32_t count_of(void *user, const char *topic)
{
    const leat__op_t *op = user;

    for (size_t i = 0; i < op->topic_count; i++)
        if (strcmp(op->topics[i].name, topic) == 0)
            return op->topics[i].partitions;
    return 0;
}

static bool has_pattern(const leat__plan_t *plan)
{
    for (size_t i = 0; i < plan->node_count; i++)
        if (plan->nodes[i]->kind == LEAT__SOURCE && plan->nodes[i]->pattern != NULL)
            return true;
    return false;
}

static void expand(leat__plan_t *plan, const leat__op_t *listed)
{
    const char **names = leat__must_alloc((listed->topic_count + 1) * sizeof *names);

    for (size_t i = 0; i < listed->topic_count; i++)
        names[i] = listed->topics[i].name;
    leat__plan_expand(plan, names, listed->topic_count);
    leat__free(names);
}

/* A topic that this client may not see is not a missing one. */
static int check_seen(const leat__op_t *op, leat_error_t *err)
{
    for (size_t i = 0; i < op->topic_count; i++) {
        const leat__topic_t *t = &op->topics[i];

        if (t->code == LEAT_EAUTH)
            return leat__error(err, LEAT_EAUTH, LEAT_FATAL, t->name,
                "cannot be read: %s; the principal of this client lacks that right",
                t->error != NULL ? t->error : leat_error_text(LEAT_EAUTH));
    }
    return 0;
}

static int resolve(leat_app_t *app, int64_t deadline_ms, leat_error_t *err)
{
    leat__plan_t *plan = app->plan;
    struct names n = {0};
    leat__op_t *op = NULL;
    size_t room = 0;
    int rc;

    if (has_pattern(plan)) {
        rc = leat__app_op(app, deadline_ms, list, NULL, &op, err);
        if (rc != 0)
            return rc;
        expand(plan, op);
    } else {
        for (size_t g = 0; g < plan->group_count; g++)
            for (size_t i = 0; i < plan->groups[g].topic_count; i++)
                if (!plan->groups[g].sources[i]->internal) {
                    LEAT__GROW(n.names, n.count, room);
                    n.names[n.count++] = plan->groups[g].topics[i];
                }
        rc = leat__app_op(app, deadline_ms, describe, &n, &op, err);
        leat__free(n.names);
        if (rc != 0)
            return rc;
        rc = check_seen(op, err);
    }
    if (rc == 0)
        rc = leat__plan_resolve(plan, count_of, op, err);
    leat__op_free(op);
    return rc;
}

struct wanted {
    leat__topic_t *topics;
    size_t count;
};

static leat__op_t *ensure(leat_app_t *app, void *user)
{
    const struct wanted *w = user;
    return app->broker->vt->ensure_topics(app->broker, w->topics, w->count);
}

/* An existing internal topic must have the partitions that the topology needs: state would be read from the wrong one else. */
static int check_made(
    leat_app_t *app, const struct wanted *w, const leat__op_t *op, leat_error_t *err)
{
    for (size_t i = 0; i < op->topic_count; i++) {
        const leat__topic_t *t = &op->topics[i];

        if (t->code != 0)
            return leat__error(err, t->code, LEAT_FATAL, t->name, "cannot be created: %s",
                t->error != NULL ? t->error : leat_error_text(t->code));
        for (size_t k = 0; k < w->count; k++)
            if (strcmp(w->topics[k].name, t->name) == 0 && t->partitions > 0 &&
                t->partitions != w->topics[k].partitions)
                return leat__error(err, LEAT_ETOPIC, LEAT_FATAL, t->name,
                    "has %d partitions, but the topology needs %d: were the input topics widened? "
                    "Delete the "
                    "application's internal topics and reset it",
                    t->partitions, w->topics[k].partitions);
        if (t->created) {
            app->created[app->created_count++] = leat__must_strdup(t->name);
            leat__log(LEAT_LOG_INFO, "app", NULL, "created topic %s with %d partitions", t->name,
                t->partitions);
        }
    }
    return 0;
}

/* ---- settings of topics that were there already ---- */

static leat__op_t *describe_settings(leat_app_t *app, void *user)
{
    const struct names *n = user;
    return app->broker->vt->describe_topics(app->broker, n->names, n->count, true);
}

static const char *setting(const leat__topic_t *t, const char *key)
{
    for (size_t i = 0; i < t->setting_count; i++)
        if (strcmp(t->settings[i].key, key) == 0)
            return t->settings[i].value;
    return NULL;
}

static bool has_policy(const char *list, const char *word)
{
    leat_slice_t rest = leat_slice(list), part, wanted = leat_slice(word);

    while (leat_slice_token(&rest, ", ", &part))
        if (leat_slice_equal(&part, &wanted))
            return true;
    return false;
}

static void say_setting(const leat__topic_t *found, const char *key, const char *is,
    const char *wanted, const char *what)
{
    leat__log(LEAT_LOG_WARN, "app", NULL,
        "topic %s has %s=%s, wanted is %s: %s. Change it with kafka-configs --alter --topic %s "
        "--add-config %s=%s",
        found->name, key, is, wanted, what, found->name, key, wanted);
}

/* -1 is for ever. */
static bool is_shorter(const char *is, const char *wanted)
{
    long long a = strtoll(is, NULL, 10), b = strtoll(wanted, NULL, 10);

    return a >= 0 && (b < 0 || a < b);
}

/* What keeps records too short loses state; what keeps them too long only costs. Not ours to change: said, not refused. */
static void compare_settings(const leat__topic_t *found, const leat__topic_t *wanted)
{
    const char *is = setting(found, "cleanup.policy"), *should = setting(wanted, "cleanup.policy");
    bool deletes = is != NULL && has_policy(is, "delete");

    if (is != NULL && should != NULL) {
        if (deletes && !has_policy(should, "delete"))
            say_setting(found, "cleanup.policy", is, should,
                "it deletes records that a restore needs, state is lost then");
        else if (has_policy(should, "compact") && !has_policy(is, "compact"))
            say_setting(found, "cleanup.policy", is, should,
                "overwritten values stay, it grows and restores take longer");
        else if (has_policy(is, "compact") && !has_policy(should, "compact"))
            say_setting(found, "cleanup.policy", is, should,
                "it drops records of equal keys before they are processed");
    }
    is = setting(found, "retention.ms");
    should = setting(wanted, "retention.ms");
    if (deletes && is != NULL && should != NULL && is_shorter(is, should))
        say_setting(found, "retention.ms", is, should, "records go before they are of no use");
    is = setting(found, "min.compaction.lag.ms");
    should = setting(wanted, "min.compaction.lag.ms");
    if (is != NULL && should != NULL && is_shorter(is, should))
        say_setting(found, "min.compaction.lag.ms", is, should,
            "versions go while they may still be asked for");
}

static void check_settings(leat_app_t *app, const struct wanted *w)
{
    struct names n = {.names = leat__must_alloc((w->count + 1) * sizeof *n.names)};
    leat__op_t *op = NULL;
    leat_error_t err;

    for (size_t i = 0; i < w->count; i++) {
        bool made = false;

        for (size_t k = 0; k < app->created_count; k++)
            made = made || strcmp(app->created[k], w->topics[i].name) == 0;
        if (!made)
            n.names[n.count++] = w->topics[i].name;
    }
    if (n.count > 0 && leat__app_op(app, leat__clock_steady_ms(NULL) + SETTINGS_MS,
                           describe_settings, &n, &op, &err) != 0)
        leat__log(LEAT_LOG_INFO, "app", NULL, "settings of internal topics were not checked: %s",
            err.text);
    for (size_t i = 0; op != NULL && i < op->topic_count; i++)
        for (size_t k = 0; k < w->count; k++)
            if (strcmp(op->topics[i].name, w->topics[k].name) == 0)
                compare_settings(&op->topics[i], &w->topics[k]);
    leat__op_free(op);
    leat__free(n.names);
}

static leat__op_t *earliest(leat_app_t *app, void *user)
{
    leat__position_t p = {.topic = user, .partition = 0};
    return app->broker->vt->offsets(app->broker, &p, 1, LEAT__EARLIEST);
}

static int make_internal_topics(leat_app_t *app, int64_t deadline_ms, leat_error_t *err)
{
    static leat__setting_t control_settings[] = {
        {"cleanup.policy", "compact"}, {"segment.ms", "600000"}, {"segment.bytes", "1048576"}};
    const leat__plan_t *plan = app->plan;
    int32_t replication = (int32_t)leat__config_int(app->config, "replication.factor");
    struct wanted w = {
        .topics = leat__must_alloc((plan->internal_topic_count + 1) * sizeof *w.topics)};
    char *control = leat__control_topic(app->worker.application_id);
    leat__op_t *op = NULL;
    int rc;

    w.topics[w.count++] = (leat__topic_t){.name = control,
        .partitions = 1,
        .replication = replication,
        .settings = control_settings,
        .setting_count = sizeof control_settings / sizeof *control_settings};
    for (size_t i = 0; i < plan->internal_topic_count; i++) {
        const leat__internal_topic_t *t = &plan->internal_topics[i];
        if (!t->source_changelog)
            w.topics[w.count++] = (leat__topic_t){.name = t->name,
                .partitions = t->partitions,
                .replication = replication,
                .settings = t->settings,
                .setting_count = t->setting_count};
    }
    app->created = leat__must_alloc((w.count + 1) * sizeof *app->created);
    rc = leat__app_op(app, deadline_ms, ensure, &w, &op, err);
    if (rc == 0)
        rc = check_made(app, &w, op, err);
    leat__op_free(op);
    op = NULL;
    if (rc == 0)
        check_settings(app, &w);
    if (rc == 0)
        rc = leat__app_op(app, deadline_ms, earliest, control, &op, err);
    if (rc == 0)
        app->log_start = op->position_count > 0 ? op->positions[0].offset : 0;
    leat__op_free(op);
    leat__free(w.topics);
    leat__free(control);
    return rc;
}

int leat__app_topics(leat_app_t *app, leat_error_t *err)
{
    int64_t deadline_ms =
        leat__clock_steady_ms(NULL) + leat__config_int(app->config, "leat.start.timeout.ms");
    int rc = resolve(app, deadline_ms, err);

    return rc != 0 ? rc : make_internal_topics(app, deadline_ms, err);
}
