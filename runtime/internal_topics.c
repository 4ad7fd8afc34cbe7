/*
 * runtime/internal_topics.c: repartition topics and changelogs with Kafka Streams' names and
 * settings.
 *
 * Settings come in three layers, the later wins: Kafka Streams' own, the "topic." properties, and
 * for a changelog what the store's changelog_config says ("retention.ms=86400000;
 * min.insync.replicas=2").
 */
#include <stdio.h>
#include <string.h>
#include "plan.h"

typedef struct filling_t {
    leat__plan_t *plan;
    leat__internal_topic_t *topic;
} filling_t;

static void set(void *user, const char *key, const char *value)
{
    filling_t *f = user;
    leat__internal_topic_t *topic = f->topic;
    leat__setting_t setting;

    for (size_t i = 0; i < topic->setting_count; i++) {
        if (strcmp(topic->settings[i].key, key) == 0) {
            topic->settings[i].value = leat__plan_strdup(f->plan, value);
            return;
        }
    }
    setting.key = leat__plan_strdup(f->plan, key);
    setting.value = leat__plan_strdup(f->plan, value);
    if (setting.key && setting.value)
        LEAT__PLAN_PUSH(f->plan, topic->settings, topic->setting_count, setting);
}

static void set_common(filling_t *f)
{
    set(f, "message.timestamp.type", "CreateTime");
    if (f->plan->private_->config)
        leat__config_each(f->plan->private_->config, "topic.", set, f);
}

static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && strchr(" \t\n", end[-1]))
        *--end = '\0';
    return text + strspn(text, " \t\n");
}

/* "key=value; key=value", as the program wrote it. */
static void set_own(filling_t *f, const leat__store_spec_t *s)
{
    char *rest = leat__plan_strdup(f->plan, s->opts.changelog_config), *part;

    while (rest && (part = strsep(&rest, ";"))) {
        char *value = strchr(part, '='), *key;

        if (value)
            *value++ = '\0';
        key = trim(part);
        if (!value && !key[0])
            continue; /* a ";" at the end */
        if (!value || !key[0]) {
            leat__plan_fail(f->plan, LEAT_EARGUMENT, s->name,
                "changelog_config of store '%s': '%s' is "
                "no setting; write \"retention.ms=86400000; min.insync.replicas=2\"",
                s->name, key);
            return;
        }
        set(f, key, trim(value));
    }
}

static void add_repartition(leat__plan_t *p, leat__internal_topic_t *topic)
{
    filling_t f = {p, topic};

    set(&f, "cleanup.policy", "delete");
    set(&f, "retention.ms", "-1");
    set(&f, "segment.bytes", "52428800");
    set_common(&f);
    LEAT__PLAN_PUSH(p, p->internal_topics, p->internal_topic_count, *topic);
}

static bool is_set(const leat__internal_topic_t *topic, const char *key)
{
    for (size_t i = 0; i < topic->setting_count; i++)
        if (strcmp(topic->settings[i].key, key) == 0)
            return true;
    return false;
}

/* "topic." properties lose against this one, changelog_config does not. */
static void set_span(filling_t *f, const char *key, int64_t span_ms, int64_t more_ms)
{
    char text[24];

    span_ms = span_ms > INT64_MAX - more_ms ? INT64_MAX : span_ms + more_ms;
    snprintf(text, sizeof text, "%lld", (long long)span_ms);
    set(f, key, text);
}

/* Its changelog may forget what is old: windows and sessions, and rows with a time to live. */
static bool expires(const leat__store_spec_t *s)
{
    return leat__store_has_retention(s->kind) || s->opts.ttl_ms > 0;
}

/* How long a changelog keeps what its store no longer retains: a clock may be wrong. */
static void set_kind(filling_t *f, const leat__store_spec_t *s)
{
    const leat_config_t *config = f->plan->private_->config;
    const char *additional = "windowstore.changelog.additional.retention.ms";
    leat__internal_topic_t own = {0};
    filling_t given = {f->plan, &own};

    set_own(&given, s);
    if (s->kind == LEAT_VERSIONS && !is_set(&own, "min.compaction.lag.ms"))
        set_span(f, "min.compaction.lag.ms", s->opts.history_ms, 86400000);
    else if (expires(s) && !is_set(&own, "retention.ms"))
        set_span(f, "retention.ms", s->opts.ttl_ms ? s->opts.ttl_ms : s->opts.retention_ms,
            config ? leat__config_int(config, additional) : 86400000);
}

static void add_changelog(leat__plan_t *p, leat__store_spec_t *s)
{
    leat__internal_topic_t topic = {.source_changelog = s->source_topic != NULL};
    filling_t f = {p, &topic};

    s->changelog = s->source_topic ? s->source_topic : leat__plan_strdup(p, "");
    if (s->logged && !s->source_topic && s->changelog) {
        char *base = leat__plan_join(p, "-", s->name, "-changelog");

        s->changelog = base ? leat__plan_join(p, p->application_id, base, "") : NULL;
    }
    if (!s->owner || !s->changelog || !s->changelog[0])
        return; /* a store that no processor uses is never opened, and has no topic */
    topic.name = s->changelog;
    if (!topic.source_changelog) {
        set(&f, "cleanup.policy",
            s->delete_only || s->opts.duplicates   ? "delete"
            : expires(s)                         ? "compact,delete"
                                                 : "compact");
        set_common(&f);
        set_own(&f, s);
        set_kind(&f, s);
    }
    s->settings = topic.settings;
    s->setting_count = topic.setting_count;
    LEAT__PLAN_PUSH(p, p->internal_topics, p->internal_topic_count, topic);
}

/* The map led to topics in the making: let it lead to the finished ones. */
static void repoint(leat__plan_t *p)
{
    size_t prefix = strlen(p->application_id) + 1;

    for (size_t i = 0; i < p->internal_topic_count; i++) {
        leat__internal_topic_t *topic = &p->internal_topics[i];

        if (topic->repartition)
            leat__map_put(&p->private_->repartition_of, topic->name + prefix, topic);
    }
}

void leat__plan_internal_topics(leat__plan_t *p)
{
    void *topic;

    for (size_t at = 0; leat__map_next(&p->private_->repartition_of, &at, NULL, &topic);)
        add_repartition(p, topic);
    for (size_t i = 0; i < p->store_count; i++)
        add_changelog(p, p->stores[i]);
    repoint(p);
}
