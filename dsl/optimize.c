/*
 * dsl/optimize.c: topology.optimization: a graph with fewer topics and stores that does the same.
 *
 *   reuse.ktable.source.topics   the topic a table is read from is its store's changelog too
 *   merge.repartition.topics     one repartition topic behind an operator that changes keys, in the
 *                                place of one in front of each fold or join further down
 *   single.store.self.join       a stream joined with itself keeps its records once
 *
 *   map ─▶ filter ─▶ [r1] ─▶ count              map ─▶ [r1] ─▶ filter ─▶ count
 *    └───▶ [r2] ─▶ join                  becomes        └────▶ join
 *
 * A topic is moved up only past operators that change neither key nor value. The walks and their
 * order are those of Kafka Streams' InternalStreamsBuilder, since the name of the first topic
 * stays.
 *
 * DIFFERS: Kafka Streams moves a topic also past operators whose result has another type than what
 * they get (joins with a global table, processValues) and then fails on the first record. Here
 * such a topic stays where it is.
 */
#include <string.h>
#include "base/config.h"
#include "compile.h"
#include "repartition.h"
#include "rows.h"

typedef struct
    entry_t { /* a part that changes keys, and the topics that may move behind it */
    leat__part_t *key;
    leat__part_t **topics;
    size_t count;
} entry_t;

typedef struct entries_t {
    entry_t *all;
    size_t count;
} entries_t;

/* ---- the property ---- */

static bool wanted(const leat__compiling_t *c, const char *rule)
{
    const char *text = c->config ? leat__config_text(c->config, "topology.optimization") : "";
    size_t size = strlen(rule);

    if (strcmp(text, "all") == 0)
        return true;
    for (const char *at = text; (at = strstr(at, rule)); at += size) {
        bool starts = at == text || strchr(", ", at[-1]),
             ends = !at[size] || strchr(", ", at[size]);

        if (starts && ends)
            return true;
    }
    return false;
}

/* ---- walking up ---- */

typedef bool (*match_fn)(const leat__part_t *part, const leat__part_t *other);

static bool changes(const leat__part_t *part, const leat__part_t *other)
{
    (void)other;
    return part->rekeys || part->revalues;
}

static bool rekeys(const leat__part_t *part, const leat__part_t *other)
{
    (void)other;
    return part->rekeys;
}

static bool is_child(const leat__part_t *part, const leat__part_t *other)
{
    for (size_t i = 0; i < part->from_count; i++) {
        if (part->from[i] == other)
            return true;
    }
    return false;
}

/* The last parent has the last word, unless one matches itself: as Kafka Streams finds it. */
static leat__part_t *find_up(leat__part_t *part, match_fn match, const leat__part_t *other)
{
    leat__part_t *found = NULL;

    if (match(part, other))
        return part;
    for (size_t i = 0; i < part->from_count; i++) {
        if (match(part->from[i], other))
            return part->from[i];
        found = find_up(part->from[i], match, other);
    }
    return found;
}

/* ---- which topics may move behind which part ---- */

static entry_t *entry_of(entries_t *e, const leat__part_t *key)
{
    for (size_t i = 0; i < e->count; i++) {
        if (e->all[i].key == key)
            return &e->all[i];
    }
    return NULL;
}

static bool has_topic(const entry_t *entry, const leat__part_t *topic)
{
    for (size_t i = 0; i < entry->count; i++) {
        if (entry->topics[i] == topic)
            return true;
    }
    return false;
}

static bool same_types(const leat__part_t *key, const leat__part_t *topic)
{
    const leat__repartition_t *r = (const leat__repartition_t *)topic;

    return key->out_key == r->key && key->out_value == r->value;
}

static bool new_entry(leat__compiling_t *c, entries_t *e, leat__part_t *key)
{
    leat__part_t **topics = leat__plan_alloc(c->plan, (c->count + 1) * sizeof(leat__part_t *));

    if (topics)
        e->all[e->count++] = (entry_t){key, topics, 0};
    return topics != NULL;
}

static void note_topic(entries_t *e, leat__part_t *topic)
{
    leat__part_t *key = find_up(topic, rekeys, NULL);
    entry_t *entry = key && find_up(topic, changes, NULL) == key ? entry_of(e, key) : NULL;

    if (entry && same_types(key, topic))
        entry->topics[entry->count++] = topic;
}

/* Do all topics of the entry lie behind the merge, and the merge behind the entry's part? */
static bool all_behind(const entry_t *entry, leat__part_t *merge)
{
    for (size_t i = 0; i < entry->count; i++) {
        if (!find_up(entry->topics[i], is_child, merge))
            return false;
    }
    return find_up(merge, is_child, entry->key) != NULL;
}

/* Topics behind a merge of streams of which some were re-keyed: one behind the merge. */
static void note_merge(leat__compiling_t *c, entries_t *e, leat__part_t *merge, bool *gone)
{
    size_t before = e->count;
    entry_t *own;

    if (!new_entry(c, e, merge))
        return;
    own = &e->all[before];
    for (size_t i = 0; i < before; i++) {
        const entry_t *entry = &e->all[i];

        if (!entry->key->rekeys || !all_behind(entry, merge))
            continue;
        gone[i] = true;
        for (size_t t = 0; t < entry->count; t++) {
            if (!has_topic(own, entry->topics[t]) && same_types(merge, entry->topics[t]))
                own->topics[own->count++] = entry->topics[t];
        }
    }
}

static leat__part_t **by_number(leat__compiling_t *c)
{
    leat__part_t **parts =
        leat__plan_alloc(c->plan, (c->graph->part_count + 1) * sizeof(leat__part_t *));

    for (size_t i = 0; parts && i < c->count; i++)
        parts[c->parts[i]->number] = c->parts[i];
    return parts;
}

static void find_topics(leat__compiling_t *c, entries_t *e)
{
    size_t room = 2 * c->graph->part_count + 1;
    leat__part_t **parts = by_number(c);
    bool *gone = leat__plan_alloc(c->plan, room * sizeof *gone);

    e->all = leat__plan_alloc(c->plan, room * sizeof *e->all);
    if (!parts || !gone || !e->all)
        return;
    for (size_t i = 0; i < c->graph->part_count; i++) {
        if (parts[i]->rekeys && !new_entry(c, e, parts[i]))
            return;
        if (parts[i]->optimizable)
            note_topic(e, parts[i]);
    }
    for (size_t i = 0; i < c->graph->part_count; i++) {
        if (parts[i]->merges)
            note_merge(c, e, parts[i], gone);
    }
    for (size_t i = 0; i < e->count; i++) {
        if (gone[i])
            e->all[i].count = 0;
    }
}

/* ---- moving ---- */

/* The children of a topic's part become its parents' children. */
static void take_out(leat__compiling_t *c, leat__part_t *topic)
{
    for (size_t i = 0; i < c->count; i++) {
        leat__part_t *child = c->parts[i];

        if (!is_child(child, topic))
            continue;
        for (size_t p = 0; p < topic->from_count; p++)
            leat__compiling_replace(c, child, NULL, topic->from[p]);
        leat__compiling_replace(c, child, topic, NULL);
    }
    topic->from_count = 0;
    topic->written = true;
}

static void move_topics(leat__compiling_t *c, const entry_t *entry)
{
    leat__repartition_t *one =
        leat__repartition_merged(c->plan, (const leat__repartition_t *)entry->topics[0]);

    if (!one)
        return;
    for (size_t i = 0; i < entry->count; i++) {
        leat__part_t *child = find_up(entry->topics[i], is_child, entry->key);

        if (child)
            leat__compiling_replace(c, child, entry->key, &one->part);
        take_out(c, entry->topics[i]);
    }
    leat__compiling_replace(c, &one->part, NULL, entry->key);
    leat__compiling_insert(c, &one->part, entry->key);
}

static void merge_topics(leat__compiling_t *c)
{
    entries_t e = {NULL, 0};

    find_topics(c, &e);
    for (size_t i = 0; i < e.count; i++) {
        if (e.all[i].count)
            move_topics(c, &e.all[i]);
    }
}

/* ---- the other rules ---- */

static void join_self(leat__compiling_t *c)
{
    for (size_t i = 0; i < c->count; i++) {
        leat__part_t *join = c->parts[i];

        if (!join->windows[0] || join->from_count != 1)
            continue;
        join->self_join = true;
        join->windows[1]->written = true;
    }
}

static bool is_there(const leat__compiling_t *c, const leat__part_t *part)
{
    return part->source_rows && part->source_rows->materialized && c->plan->error.code == LEAT_OK;
}

void leat__optimize(leat__compiling_t *c)
{
    if (wanted(c, "merge.repartition.topics"))
        merge_topics(c);
    if (wanted(c, "single.store.self.join"))
        join_self(c);
}

void leat__optimize_stores(leat__compiling_t *c)
{
    if (!wanted(c, "reuse.ktable.source.topics"))
        return;
    for (size_t i = 0; i < c->count; i++) {
        if (is_there(c, c->parts[i]))
            leat__plan_source_changelog(
                c->plan, c->parts[i]->source_rows->store, c->parts[i]->topics);
    }
}
