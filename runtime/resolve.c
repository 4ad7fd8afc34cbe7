/*
 * runtime/resolve.c: from partition counts of the program's topics to counts of internal topics and
 * numbers of tasks.
 *
 * A repartition topic has as many partitions as the widest topic that feeds it, unless the topology
 * fixes its count or it is joined with a topic of the program's: then as many as that one. A
 * sub-topology has one task per partition of its widest topic, and its changelogs have one
 * partition per task. Counterparts: Kafka's RepartitionTopics, CopartitionedTopicsEnforcer,
 * ChangelogTopics.
 *
 * Resolving can be repeated: it starts from what the topology fixes each time.
 */
#include <stdio.h>
#include <string.h>
#include "plan.h"

typedef struct resolving_t {
    leat__plan_t *plan;
    int32_t (*partitions)(void *user, const char *topic);
    void *user;
    leat_error_t *err;
} resolving_t;

/* A list of names for an error's text; says how many did not fit. */
typedef struct names_t {
    char text[260];
    size_t size, count, left_out;
} names_t;

static void add_name(names_t *names, const char *name, int32_t partitions)
{
    char one[300];
    int size = partitions ? snprintf(one, sizeof one, "%s%s=%d", names->count ? ", " : "", name,
                                partitions)
                          : snprintf(one, sizeof one, "%s%s", names->count ? ", " : "", name);

    names->count++;
    if (size < 0 || names->size + (size_t)size + 24 > sizeof names->text) {
        names->left_out++;
        snprintf(names->text + names->size, 24, " and %zu more", names->left_out);
        return;
    }
    if (names->left_out)
        return;
    memcpy(names->text + names->size, one, (size_t)size + 1);
    names->size += (size_t)size;
}

static leat__internal_topic_t *repartition(const leat__plan_t *p, const leat__node_t *node)
{
    return node->internal ? leat__map_get(&p->private_->repartition_of, node->topics[0]) : NULL;
}

/* ---- before anything is counted ---- */

static int check_internal(const resolving_t *r)
{
    const leat__plan_t *p = r->plan;

    for (size_t i = 0; i < p->internal_topic_count; i++) {
        const leat__internal_topic_t *topic = &p->internal_topics[i];
        leat_error_t why;

        if (!leat__name_check(topic->name, &why))
            return leat__error(r->err, LEAT_ETOPIC, 0, topic->name,
                "internal topic '%.180s' cannot be "
                "created: %.120s",
                topic->name, why.text);
        if (topic->fixed < 0)
            return leat__error(r->err, LEAT_EARGUMENT, 0, topic->name,
                "the number of partitions of '%s' "
                "must be at least 1, not %d",
                topic->name, topic->fixed);
    }
    return LEAT_OK;
}

static int check_sources(const resolving_t *r)
{
    names_t missing = {0};
    size_t sources = 0;

    for (size_t g = 0; g < r->plan->group_count; g++) {
        const leat__group_t *group = &r->plan->groups[g];

        for (size_t t = 0; t < group->topic_count; t++) {
            if (!group->sources[t]->internal && r->partitions(r->user, group->topics[t]) <= 0)
                add_name(&missing, group->topics[t], 0);
        }
    }
    for (size_t i = 0; i < r->plan->node_count; i++)
        sources += r->plan->nodes[i]->kind == LEAT__SOURCE;
    if (sources == 0)
        return leat__error(r->err, LEAT_ETOPOLOGY, 0, NULL,
            "the topology reads no topic: it needs at "
            "least one source");
    if (missing.count)
        return leat__error(r->err, LEAT_ETOPIC, 0, NULL,
            "%zu source topic%s missing: %s; create %s before "
            "starting",
            missing.count, missing.count == 1 ? " is" : "s are", missing.text,
            missing.count == 1 ? "it" : "them");
    return LEAT_OK;
}

/* ---- repartition topics ---- */

static int32_t topic_count(const resolving_t *r, const leat__group_t *group, size_t topic)
{
    const leat__internal_topic_t *internal = repartition(r->plan, group->sources[topic]);

    return internal ? internal->partitions : r->partitions(r->user, group->topics[topic]);
}

static bool feeds(
    const leat__plan_t *p, const leat__group_t *group, const leat__internal_topic_t *topic)
{
    for (size_t i = 0; i < group->node_count; i++) {
        if (group->nodes[i]->kind == LEAT__SINK && repartition(p, group->nodes[i]) == topic)
            return true;
    }
    return false;
}

/* The widest topic upstream; 0: not known yet. `partly`: let those count that are known. */
static int32_t upstream_count(
    const resolving_t *r, const leat__internal_topic_t *topic, bool partly)
{
    int32_t widest = 0;

    for (size_t g = 0; g < r->plan->group_count; g++) {
        const leat__group_t *group = &r->plan->groups[g];

        if (!feeds(r->plan, group, topic))
            continue;
        for (size_t t = 0; t < group->topic_count; t++) {
            int32_t count = topic_count(r, group, t);

            if (count == 0 && !partly)
                return 0;
            if (count > widest)
                widest = count;
        }
    }
    return widest;
}

static size_t count_some(const resolving_t *r, bool partly)
{
    size_t progress = 0;

    for (size_t i = 0; i < r->plan->internal_topic_count; i++) {
        leat__internal_topic_t *topic = &r->plan->internal_topics[i];

        if (!topic->repartition || topic->partitions > 0)
            continue;
        topic->partitions = upstream_count(r, topic, partly);
        if (topic->partitions == 0)
            continue;
        progress++;
        if (partly)
            break; /* the others may be known wholly now */
    }
    return progress;
}

static int count_repartitions(const resolving_t *r)
{
    names_t unknown = {0};

    for (size_t i = 0; i < r->plan->internal_topic_count; i++)
        r->plan->internal_topics[i].partitions = r->plan->internal_topics[i].fixed;
    while (count_some(r, false) || count_some(r, true))
        ;
    for (size_t i = 0; i < r->plan->internal_topic_count; i++) {
        const leat__internal_topic_t *topic = &r->plan->internal_topics[i];

        if (topic->repartition && topic->partitions == 0)
            add_name(&unknown, topic->name, 0);
    }
    if (unknown.count == 0)
        return LEAT_OK;
    return leat__error(r->err, LEAT_ETOPIC, 0, NULL,
        "the number of partitions cannot be derived for %s: "
        "nothing upstream has a topic; create the source topics, or topics that match their "
        "pattern",
        unknown.text);
}

/* ---- co-partitioning ---- */

static int differ(const resolving_t *r, const leat__copartition_t *c)
{
    names_t names = {0};

    for (size_t i = 0; i < c->count; i++) {
        const leat__node_t *node = c->sources[i];
        const leat__internal_topic_t *internal = repartition(r->plan, node);

        if (internal)
            add_name(&names, internal->name, internal->partitions);
        for (size_t t = 0; !internal && t < node->topic_count; t++)
            add_name(&names, node->topics[t], r->partitions(r->user, node->topics[t]));
    }
    return leat__error(r->err, LEAT_ETOPOLOGY, 0, c->sources[0]->name,
        "topics that are joined must have "
        "the same number of partitions, and these have not: %s; repartition one side",
        names.text);
}

/* What the group must have; 0: nothing fixes it, -1: contradiction. */
static int32_t demanded(const resolving_t *r, const leat__copartition_t *c)
{
    int32_t external = 0, fixed = 0;

    for (size_t i = 0; i < c->count; i++) {
        const leat__node_t *node = c->sources[i];
        const leat__internal_topic_t *internal = repartition(r->plan, node);

        if (internal && internal->fixed) {
            if (fixed && fixed != internal->fixed)
                return -1;
            fixed = internal->fixed;
        }
        for (size_t t = 0; !internal && t < node->topic_count; t++) {
            int32_t count = r->partitions(r->user, node->topics[t]);

            if (external && external != count)
                return -1;
            external = count;
        }
    }
    if (external && fixed && external != fixed)
        return -1;
    return external ? external : fixed;
}

static int copartition(const resolving_t *r, const leat__copartition_t *c)
{
    int32_t demand = demanded(r, c), count = demand;

    if (demand < 0)
        return differ(r, c);
    for (size_t i = 0; i < c->count && !demand; i++) {
        const leat__internal_topic_t *topic = repartition(r->plan, c->sources[i]);

        if (topic && topic->partitions > count)
            count = topic->partitions;
    }
    for (size_t i = 0; i < c->count; i++) {
        leat__internal_topic_t *topic = repartition(r->plan, c->sources[i]);

        if (topic)
            topic->partitions = count;
    }
    return LEAT_OK;
}

/* ---- tasks ---- */

static int count_tasks(const resolving_t *r)
{
    for (size_t g = 0; g < r->plan->group_count; g++) {
        leat__group_t *group = &r->plan->groups[g];

        if (!group->partition_counts || group->counts_room < group->topic_count) {
            group->partition_counts = leat__plan_alloc(
                r->plan, (group->topic_count + 1) * sizeof *group->partition_counts);
            group->counts_room = group->topic_count;
        }
        if (!group->partition_counts)
            return leat__error(r->err, LEAT_ENOMEM, 0, NULL, "out of memory");
        group->task_count = 0;
        for (size_t t = 0; t < group->topic_count; t++) {
            group->partition_counts[t] = topic_count(r, group, t);
            if (!group->global && group->partition_counts[t] > group->task_count)
                group->task_count = group->partition_counts[t];
        }
    }
    return LEAT_OK;
}

static void count_changelogs(const resolving_t *r)
{
    const leat__plan_t *p = r->plan;

    for (size_t i = 0; i < p->internal_topic_count; i++) {
        leat__internal_topic_t *topic = &p->internal_topics[i];

        for (size_t s = 0; !topic->repartition && s < p->store_count; s++) {
            if (p->stores[s]->changelog == topic->name && p->stores[s]->group >= 0)
                topic->partitions = p->groups[p->stores[s]->group].task_count;
        }
        if (topic->source_changelog)
            topic->partitions = r->partitions(r->user, topic->name);
    }
}

int leat__plan_resolve(leat__plan_t *p, int32_t (*partitions)(void *user, const char *topic),
    void *user, leat_error_t *err)
{
    resolving_t r = {p, partitions, user, err};
    int rc;

    leat__error_clear(err);
    if (p->error.code != LEAT_OK) {
        if (err)
            *err = p->error;
        return p->error.code;
    }
    if (p->private_->expand_error.code != LEAT_OK) {
        if (err)
            *err = p->private_->expand_error;
        return p->private_->expand_error.code;
    }
    rc = check_internal(&r);
    if (rc == LEAT_OK)
        rc = check_sources(&r);
    if (rc == LEAT_OK)
        rc = count_repartitions(&r);
    for (size_t i = 0; rc == LEAT_OK && i < p->private_->copartition_count; i++)
        rc = copartition(&r, &p->private_->copartitions[i]);
    if (rc == LEAT_OK)
        rc = count_tasks(&r);
    if (rc == LEAT_OK)
        count_changelogs(&r);
    return rc;
}

/* ---- patterns ---- */

static bool is_internal_name(const leat__plan_t *p, const char *topic)
{
    for (size_t i = 0; i < p->internal_topic_count; i++) {
        if (!p->internal_topics[i].source_changelog &&
            strcmp(p->internal_topics[i].name, topic) == 0)
            return true;
    }
    return false;
}

/* The one pattern source that reads it, of several the one that had it before. */
static leat__node_t *pattern_source(leat__plan_t *p, const char *topic)
{
    struct leat__plan_private_t *in = p->private_;
    leat__node_t *node = NULL;

    for (leat__pattern_t *pattern = in->patterns; pattern; pattern = pattern->next) {
        if (!leat__pattern_matches(&pattern->regex, topic))
            continue;
        if (!node) {
            node = pattern->node;
            continue;
        }
        if (in->expand_error.code == LEAT_OK)
            leat__error(&in->expand_error, LEAT_ETOPOLOGY, 0, pattern->node->name,
                "topic '%s' matches "
                "the patterns of two sources: '%s' of %s and '%s' of %s",
                topic, node->pattern, node->name, pattern->node->pattern, pattern->node->name);
    }
    return node;
}

static bool same_topics(const leat__node_t *node, char *const *topics, size_t count)
{
    if (node->topic_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(node->topics[i], topics[i]) != 0)
            return false;
    }
    return true;
}

static void keep_topics(leat__plan_t *p, leat__node_t *node, char *const *topics, size_t count)
{
    char **kept = leat__plan_alloc(p, (count + 1) * sizeof *kept);

    if (!kept)
        return;
    for (size_t i = 0; i < count; i++)
        kept[i] = leat__plan_strdup(p, topics[i]);
    node->topics = kept;
    node->topic_count = count;
    p->private_->topics_stale = true;
}

static void expand_node(
    leat__plan_t *p, leat__node_t *node, const char *const *topics, size_t count)
{
    char **found = leat__alloc((count + 1) * sizeof *found);
    size_t found_count = 0;

    if (!found)
        leat__plan_fail(p, LEAT_ENOMEM, "", "out of memory while expanding topic patterns");
    for (size_t i = 0; found && i < count; i++) {
        if (is_internal_name(p, topics[i]) || leat__map_get(&p->private_->source_of, topics[i]))
            continue;
        if (pattern_source(p, topics[i]) == node)
            found[found_count++] = (char *)(uintptr_t)topics[i];
    }
    if (found && !same_topics(node, found, found_count))
        keep_topics(p, node, found, found_count);
    leat__free(found);
}

void leat__plan_expand(leat__plan_t *p, const char *const *topics, size_t count)
{
    struct leat__plan_private_t *in = p->private_;

    if (p->error.code != LEAT_OK)
        return;
    leat__error_clear(&in->expand_error);
    for (leat__pattern_t *pattern = in->patterns; pattern; pattern = pattern->next)
        expand_node(p, pattern->node, topics, count);
    if (in->topics_stale)
        leat__plan_group_topics(p);
    in->topics_stale = false;
}
