/*
 * runtime/topology.c: filling a plan: source, processor and sink nodes, stores, internal topics.
 *
 * Counterpart: the add... methods of Kafka's InternalTopologyBuilder, and its rules: a parent
 * stands before its children, names are unique, a topic is read by one source node only.
 * Connections of processors and stores are only noted here and made when the plan is finished
 * (finish.c), because names of stores may be given before the stores themselves.
 *
 * Invariant: plan->nodes is in topological order, since a node can only name parents that stand
 * before it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "plan.h"

typedef struct leat__block_t {
    struct leat__block_t *next;
    _Alignas(16) char data[];
} block_t;

/* ---- memory ---- */

void *leat__plan_alloc(leat__plan_t *p, size_t size)
{
    block_t *block = leat__alloc(sizeof *block + size);

    if (!block) {
        leat__plan_fail(p, LEAT_ENOMEM, "", "out of memory while compiling the topology");
        return NULL;
    }
    block->next = p->private_->blocks;
    p->private_->blocks = block;
    return block->data;
}

char *leat__plan_join(leat__plan_t *p, const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *text = leat__plan_alloc(p, size);

    if (text)
        snprintf(text, size, "%s%s%s", a, b, c);
    return text;
}

char *leat__plan_strdup(leat__plan_t *p, const char *text)
{
    return text ? leat__plan_join(p, text, "", "") : NULL;
}

static char *copy(leat__plan_t *p, const char *bytes, size_t size)
{
    char *text = leat__plan_alloc(p, size + 1);

    if (text)
        memcpy(text, bytes, size);
    return text;
}

void *leat__plan_grow(leat__plan_t *p, void *array, size_t count, size_t size)
{
    size_t room = count < 4 ? 4 : count * 2;
    void *grown;

    if (count > 0 && (count < 4 || (count & (count - 1)) != 0))
        return array;
    grown = leat__plan_alloc(p, room * size);
    if (grown && count > 0)
        memcpy(grown, array, count * size);
    return grown;
}

leat__plan_t *leat__plan_new(const leat_config_t *config)
{
    leat__plan_t *p = leat__alloc(sizeof *p);
    const char *id = config ? leat__config_text(config, "application.id") : "";

    if (!p)
        return NULL;
    p->private_ = leat__alloc(sizeof *p->private_);
    if (!p->private_) {
        leat__free(p);
        return NULL;
    }
    p->private_->last_pattern = &p->private_->patterns;
    p->private_->config = config;
    p->application_id = leat__plan_strdup(p, id[0] ? id : "app");
    return p;
}

void leat__plan_free(leat__plan_t *p)
{
    struct leat__plan_private_t *in;

    if (!p)
        return;
    in = p->private_;
    for (leat__pattern_t *pattern = in->patterns; pattern; pattern = pattern->next)
        regfree(&pattern->regex);
    leat__map_release(&in->node_of, NULL);
    leat__map_release(&in->store_of, NULL);
    leat__map_release(&in->source_of, NULL);
    leat__map_release(&in->repartition_of, NULL);
    leat__map_release(&in->later, NULL);
    for (block_t *block = in->blocks, *next; block; block = next) {
        next = block->next;
        leat__free(block);
    }
    leat__free(in);
    leat__free(p);
}

void leat__plan_fail(leat__plan_t *p, int code, const char *where, const char *format, ...)
{
    leat_error_t fresh = {.code = (leat_code_t)code};
    va_list args;

    snprintf(fresh.where, sizeof fresh.where, "%s", where ? where : "");
    va_start(args, format);
    vsnprintf(fresh.text, sizeof fresh.text, format, args);
    va_end(args);
    leat__error_keep(&p->error, &fresh);
}

static void put(leat__plan_t *p, leat__map_t *map, const char *key, void *value)
{
    if (!leat__map_put(map, key, value))
        leat__plan_fail(p, LEAT_ENOMEM, "", "out of memory while compiling the topology");
}

static bool failed(const leat__plan_t *p)
{
    return p->error.code != LEAT_OK;
}

/* ---- sub-topologies: union-find over nodes ---- */

size_t leat__plan_root(leat__plan_t *p, size_t node)
{
    size_t *root = p->private_->root;

    while (root[node] != node) {
        root[node] = root[root[node]];
        node = root[node];
    }
    return node;
}

void leat__plan_unite(leat__plan_t *p, size_t a, size_t b)
{
    p->private_->root[leat__plan_root(p, a)] = leat__plan_root(p, b);
}

/* ---- nodes ---- */

static bool check_name(leat__plan_t *p, const char *what, const char *name)
{
    if (!name)
        leat__plan_fail(p, LEAT_ENULL, what, "a %s needs a name", what);
    else if (!name[0])
        leat__plan_fail(p, LEAT_ETOPOLOGY, what, "the name of a %s must not be empty", what);
    else if (strchr(name, ','))
        leat__plan_fail(p, LEAT_ETOPOLOGY, name, "the name of a %s must not hold a comma", what);
    return !failed(p);
}

static leat__node_t *node_new(leat__plan_t *p, leat__node_kind_t kind, const char *name)
{
    struct leat__plan_private_t *in = p->private_;
    leat__node_t *node;
    void *root;

    if (failed(p) || !check_name(p, "node", name))
        return NULL;
    if (leat__map_get(&in->node_of, name)) {
        leat__plan_fail(p, LEAT_ETOPOLOGY, name,
            "there is a node '%s' already: give one of the two "
            "another name",
            name);
        return NULL;
    }
    node = leat__plan_alloc(p, sizeof *node);
    root = leat__plan_grow(p, in->root, p->node_count, sizeof *in->root);
    if (!node || !root)
        return NULL;
    in->root = root;
    in->root[p->node_count] = p->node_count;
    *node = (leat__node_t){.kind = kind, .index = p->node_count, .group = -1};
    node->name = leat__plan_strdup(p, name);
    LEAT__PLAN_PUSH(p, p->nodes, p->node_count, node);
    put(p, &in->node_of, name, node);
    return failed(p) ? NULL : node;
}

static leat__node_t *find_parent(leat__plan_t *p, const leat__node_t *child, const char *name)
{
    leat__node_t *parent = name ? leat__map_get(&p->private_->node_of, name) : NULL;

    if (!name || !name[0])
        leat__plan_fail(p, name ? LEAT_ETOPOLOGY : LEAT_ENULL, child->name,
            "node '%s' has a parent without a name", child->name);
    else if (parent == child)
        leat__plan_fail(p, LEAT_ETOPOLOGY, child->name, "node '%s' is its own parent", child->name);
    else if (!parent && leat__map_get(&p->private_->later, name))
        leat__plan_fail(p, LEAT_ETOPOLOGY, child->name,
            "parent '%s' of node '%s' is added only later: "
            "parents come before their children, and there are no cycles",
            name, child->name);
    else if (!parent)
        leat__plan_fail(p, LEAT_ETOPOLOGY, child->name, "parent '%s' of node '%s' is unknown", name,
            child->name);
    else if (parent->kind == LEAT__SINK)
        leat__plan_fail(p, LEAT_ETOPOLOGY, child->name,
            "sink '%s' cannot be the parent of '%s': a "
            "sink has no children",
            name, child->name);
    return failed(p) ? NULL : parent;
}

static bool attach(leat__plan_t *p, leat__node_t *node, const char *const *parents, size_t count)
{
    if (count == 0)
        leat__plan_fail(p, LEAT_ETOPOLOGY, node->name, "node '%s' has no parent", node->name);
    for (size_t i = 0; i < count && !failed(p); i++) {
        leat__node_t *parent = find_parent(p, node, parents[i]);

        if (!parent)
            return false;
        LEAT__PLAN_PUSH(p, node->parents, node->parent_count, parent);
        LEAT__PLAN_PUSH(p, parent->children, parent->child_count, node);
        leat__plan_unite(p, node->index, parent->index);
    }
    return !failed(p);
}

static bool set_serdes(
    leat__plan_t *p, leat__node_t *node, const leat_serde_t *key, const leat_serde_t *value)
{
    if (!key || !value)
        leat__plan_fail(p, LEAT_ENULL, node->name, "node '%s' needs a serde for its %s", node->name,
            key ? "value" : "key");
    node->key = key;
    node->value = value;
    return !failed(p);
}

/* ---- sources ---- */

static void register_topic(leat__plan_t *p, leat__node_t *node, char *topic)
{
    struct leat__plan_private_t *in = p->private_;
    const leat__node_t *other = leat__map_get(&in->source_of, topic);

    if (other) {
        leat__plan_fail(p, LEAT_ETOPOLOGY, node->name,
            "topic '%s' is already read by source '%s': one "
            "topic can be read in one way only",
            topic, other->name);
        return;
    }
    for (leat__pattern_t *pattern = in->patterns; pattern; pattern = pattern->next) {
        if (!leat__pattern_matches(&pattern->regex, topic))
            continue;
        leat__plan_fail(p, LEAT_ETOPOLOGY, node->name,
            "topic '%s' matches the pattern '%s', which "
            "source '%s' reads",
            topic, pattern->node->pattern, pattern->node->name);
        return;
    }
    put(p, &in->source_of, topic, node);
    LEAT__PLAN_PUSH(p, node->topics, node->topic_count, topic);
}

static void read_topics(leat__plan_t *p, leat__node_t *node, const char *topics)
{
    const char *name;
    size_t size;

    while (leat__list_next(&topics, &name, &size) && !failed(p)) {
        char *topic = size ? copy(p, name, size) : NULL;

        if (topic)
            register_topic(p, node, topic);
        else
            leat__plan_fail(p, LEAT_ETOPOLOGY, node->name, "source '%s' has a topic without a name",
                node->name);
    }
    if (node->topic_count == 0 && !failed(p))
        leat__plan_fail(p, LEAT_ETOPOLOGY, node->name, "source '%s' has no topic", node->name);
}

static void read_pattern(leat__plan_t *p, leat__node_t *node, const char *text)
{
    struct leat__plan_private_t *in = p->private_;
    leat__pattern_t *pattern = leat__plan_alloc(p, sizeof *pattern);
    leat_error_t err;
    const char *topic;

    if (!pattern)
        return;
    if (leat__pattern_compile(&pattern->regex, text, &err) != LEAT_OK) {
        leat__plan_fail(p, err.code, node->name, "%s", err.text);
        return;
    }
    node->pattern = leat__plan_strdup(p, text);
    pattern->node = node;
    *in->last_pattern = pattern;
    in->last_pattern = &pattern->next;
    for (size_t at = 0; leat__map_next(&in->source_of, &at, &topic, NULL);) {
        if (leat__pattern_matches(&pattern->regex, topic))
            leat__plan_fail(p, LEAT_ETOPOLOGY, node->name,
                "the pattern '%s' matches topic '%s', which "
                "another source reads",
                text, topic);
    }
}

leat__node_t *leat__plan_source(leat__plan_t *p, const char *name, const char *topic,
    const leat_serde_t *key, const leat_serde_t *value, const leat_source_opts_t *opts)
{
    leat__node_t *node = node_new(p, LEAT__SOURCE, name);

    if (!node || !set_serdes(p, node, key, value))
        return NULL;
    if (!topic)
        leat__plan_fail(p, LEAT_ENULL, name, "source '%s' needs a topic", name);
    else if (topic[0] == '^')
        read_pattern(p, node, topic + 1);
    else
        read_topics(p, node, topic);
    node->timestamp = opts && opts->timestamp ? opts->timestamp : leat_timestamp_record;
    if (opts) {
        node->reset = opts->reset;
        node->reset_back_ms = opts->reset_back_ms;
        node->user = opts->user;
    }
    if (node->reset_back_ms < 0)
        leat__plan_fail(p, LEAT_EARGUMENT, name, "reset_back_ms of source '%s' is negative", name);
    return failed(p) ? NULL : node;
}

/* ---- processors, sinks ---- */

static void connect_list(leat__plan_t *p, const char *list, const char *other, bool list_of_stores)
{
    const char *name;
    size_t size;

    while (leat__list_next(&list, &name, &size) && !failed(p)) {
        const char *text = copy(p, name, size);

        if (text && list_of_stores)
            leat__plan_connect(p, other, text);
        else if (text)
            leat__plan_connect(p, text, other);
    }
}

/* .stores of a node may name what is added after it. */
static void connect_later(leat__plan_t *p, const char *stores, const char *processor)
{
    bool ordered = p->private_->ordered;

    p->private_->ordered = false;
    connect_list(p, stores, processor, true);
    p->private_->ordered = ordered;
}

leat__node_t *leat__plan_processor(leat__plan_t *p, const char *name, const char *const *parents,
    size_t parent_count, leat_map_fn process, const leat_node_opts_t *opts)
{
    leat__node_t *node = node_new(p, LEAT__PROCESSOR, name);

    if (!node || !attach(p, node, parents, parent_count))
        return NULL;
    if (!process)
        leat__plan_fail(p, LEAT_ENULL, name, "processor '%s' needs a function", name);
    node->process = process;
    if (opts) {
        node->open = opts->open;
        node->close = opts->close;
        node->local_size = opts->local_size;
        node->user = opts->user;
        connect_later(p, opts->stores, node->name);
    }
    return failed(p) ? NULL : node;
}

leat__node_t *leat__plan_sink(leat__plan_t *p, const char *name, const char *const *parents,
    size_t parent_count, const char *topic, leat_map_fn choose_topic, const leat_serde_t *key,
    const leat_serde_t *value, const leat_sink_opts_t *opts)
{
    leat__node_t *node = node_new(p, LEAT__SINK, name);

    if (!node || !attach(p, node, parents, parent_count))
        return NULL;
    if (!topic && !choose_topic)
        leat__plan_fail(
            p, LEAT_ENULL, name, "sink '%s' needs a topic, or a function that chooses one", name);
    else if (topic && (!topic[0] || strchr(topic, ',')))
        leat__plan_fail(p, LEAT_ETOPOLOGY, name, "sink '%s' writes to exactly one topic, not '%s'",
            name, topic);
    else if (topic)
        LEAT__PLAN_PUSH(p, node->topics, node->topic_count, leat__plan_strdup(p, topic));
    node->choose_topic = topic ? NULL : choose_topic;
    node->chooser = leat__plan_strdup(p, opts && opts->label ? opts->label : "function");
    if (opts) {
        node->partition = opts->partition;
        node->user = opts->user;
    }
    set_serdes(p, node, opts && opts->key_serde ? opts->key_serde : key,
        opts && opts->value_serde ? opts->value_serde : value);
    return failed(p) ? NULL : node;
}

/* ---- stores ---- */

static void check_times(leat__plan_t *p, const leat__store_spec_t *s)
{
    const leat_store_opts_t *o = &s->opts;

    if (s->kind == LEAT_VERSIONS && o->history_ms < 0)
        leat__plan_fail(p, LEAT_EARGUMENT, s->name,
            "versioned store '%s': history_ms must not be negative (%lld)", s->name,
            (long long)o->history_ms);
    else if (leat__store_has_retention(s->kind) && o->retention_ms < 0)
        leat__plan_fail(p, LEAT_EARGUMENT, s->name,
            "store '%s': retention_ms must not be negative (%lld)", s->name,
            (long long)o->retention_ms);
    else if (leat__store_has_retention(s->kind) && s->kind != LEAT_SESSIONS &&
             o->window_size_ms < 0)
        leat__plan_fail(p, LEAT_EARGUMENT, s->name,
            "window store '%s': window_size_ms must not be negative (%lld)", s->name,
            (long long)o->window_size_ms);
    else if (leat__store_has_retention(s->kind) && s->kind != LEAT_SESSIONS &&
             o->window_size_ms > o->retention_ms)
        leat__plan_fail(p, LEAT_EARGUMENT, s->name,
            "window store '%s': it must keep windows (retention_ms %lld) at least as long as they are "
            "(window_size_ms %lld)",
            s->name, (long long)o->retention_ms, (long long)o->window_size_ms);
    else if (o->ttl_ms < 0 || (o->ttl_ms && s->kind != LEAT_TIMESTAMPED_KV))
        leat__plan_fail(p, LEAT_EARGUMENT, s->name, "store '%s': .ttl_ms %s", s->name,
            o->ttl_ms < 0 ? "must not be negative"
                          : "is for timestamped key-value stores (tables, LEAT_TIMESTAMPED_KV): "
                            "windows, sessions and versions have .retention_ms or .history_ms, "
                            "and a plain row has no time to grow old by");
    else if (s->kind != LEAT_KV && s->kind != LEAT_TIMESTAMPED_KV && s->kind != LEAT_CUSTOM &&
             o->backend == leat_backend_lru())
        leat__plan_fail(p, LEAT_EARGUMENT, s->name,
            "store '%s': leat_backend_lru() keeps key-value stores only", s->name);
}

static void check_store(leat__plan_t *p, const leat__store_spec_t *s)
{
    if (s->kind < LEAT_KV || s->kind > LEAT_CUSTOM)
        leat__plan_fail(p, LEAT_EARGUMENT, s->name, "store '%s' is of no known kind (%d)", s->name,
            (int)s->kind);
    else if (s->kind == LEAT_CUSTOM ? !s->custom : !s->key || !s->value)
        leat__plan_fail(p, LEAT_ENULL, s->name, "store '%s' needs %s", s->name,
            s->kind == LEAT_CUSTOM ? "its functions" : "serdes for key and value");
    else if (s->opts.backend == leat_backend_lru() && s->opts.entries_max == 0)
        leat__plan_fail(p, LEAT_EARGUMENT, s->name,
            "store '%s' forgets what was used least recently, "
            "and needs entries_max",
            s->name);
    else
        check_times(p, s);
}

static void set_store_opts(
    leat__plan_t *p, leat__store_spec_t *s, const leat_store_opts_t *opts, bool cached_by_default)
{
    bool cache_off = p->private_->config &&
                     leat__config_int(p->private_->config, "statestore.cache.max.bytes") == 0;

    if (opts)
        s->opts = *opts;
    s->opts.name = s->name;
    s->opts.changelog_config = leat__plan_strdup(p, s->opts.changelog_config);
    s->opts.processors = NULL;
    s->logged = s->opts.changelog != LEAT_OFF;
    s->cached = s->opts.cache == LEAT_DEFAULT ? cached_by_default : s->opts.cache == LEAT_ON;
    if (cache_off || s->kind == LEAT_CUSTOM || s->kind == LEAT_VERSIONS || s->opts.duplicates)
        s->cached = false; /* a cache keeps the last of several, these keep all */
}

static bool same_store(const leat__store_spec_t *s, leat_store_kind_t kind, const leat_serde_t *key,
    const leat_serde_t *value, const leat_store_opts_t *opts)
{
    return opts && s->given == opts && s->kind == kind && s->key == key && s->value == value;
}

leat__store_spec_t *leat__plan_store(leat__plan_t *p, const char *name, leat_store_kind_t kind,
    const leat_serde_t *key, const leat_serde_t *value, const leat_store_opts_t *opts,
    const leat_custom_t *custom, bool cached_by_default)
{
    struct leat__plan_private_t *in = p->private_;
    leat__store_spec_t *s;

    if (failed(p) || !check_name(p, "store", name))
        return NULL;
    s = leat__map_get(&in->store_of, name);
    if (s && same_store(s, kind, key, value, opts))
        return s;
    if (s) {
        leat__plan_fail(p, LEAT_ETOPOLOGY, name, "there is another store '%s' already", name);
        return NULL;
    }
    s = leat__plan_alloc(p, sizeof *s);
    if (!s)
        return NULL;
    *s = (leat__store_spec_t){
        .kind = kind, .key = key, .value = value, .custom = custom, .given = opts, .group = -1};
    s->name = leat__plan_strdup(p, name);
    set_store_opts(p, s, opts, cached_by_default);
    if (failed(p))
        return NULL;
    check_store(p, s);
    LEAT__PLAN_PUSH(p, p->stores, p->store_count, s);
    put(p, &in->store_of, name, s);
    if (opts)
        connect_list(p, opts->processors, s->name, false);
    return failed(p) ? NULL : s;
}

leat__store_spec_t *leat__plan_global(leat__plan_t *p, leat__node_t *source,
    leat__node_t *processor, const char *store, leat_store_kind_t kind, const leat_serde_t *key,
    const leat_serde_t *value, const leat_store_opts_t *opts)
{
    leat__store_spec_t *s;

    if (!source || !processor)
        return NULL;
    s = leat__plan_store(p, store, kind, key, value, opts, NULL, false);
    if (!s)
        return NULL;
    if (s->opts.ttl_ms)
        leat__plan_fail(p, LEAT_EARGUMENT, s->name,
            "global store '%s': its rows do not grow old, since it has no stream time: leave "
            ".ttl_ms out",
            s->name);
    source->global = processor->global = s->global = true;
    s->logged = s->cached = false;
    leat__plan_connect(p, processor->name, s->name);
    return failed(p) ? NULL : s;
}

/* The order of calls that Kafka Streams asks for. */
static void check_added(leat__plan_t *p, const leat__connection_t *c)
{
    if (!leat__map_get(&p->private_->store_of, c->store))
        leat__plan_fail(p, LEAT_ETOPOLOGY, c->processor,
            "store '%s' is to be connected to '%s', but is not added yet: nobody adds it before",
            c->store, c->processor);
    else if (!leat__map_get(&p->private_->node_of, c->processor))
        leat__plan_fail(p, LEAT_ETOPOLOGY, c->store,
            "store '%s' is to be connected to '%s', which is not added yet: no processor of that "
            "name stands before",
            c->store, c->processor);
}

void leat__plan_connect(leat__plan_t *p, const char *processor, const char *store)
{
    struct leat__plan_private_t *in = p->private_;
    leat__connection_t connection;

    if (failed(p))
        return;
    if (!processor || !store) {
        leat__plan_fail(p, LEAT_ENULL, processor ? processor : store,
            "connect needs a processor and a "
            "store");
        return;
    }
    connection.processor = leat__plan_strdup(p, processor);
    connection.store = leat__plan_strdup(p, store);
    if (!failed(p) && in->ordered)
        check_added(p, &connection);
    LEAT__PLAN_PUSH(p, in->connections, in->connection_count, connection);
}

/* ---- internal topics, co-partitioning ---- */

void leat__plan_repartition_topic(leat__plan_t *p, const char *name, int32_t partitions)
{
    leat__internal_topic_t *topic;

    if (failed(p) || leat__map_get(&p->private_->repartition_of, name))
        return;
    topic = leat__plan_alloc(p, sizeof *topic);
    if (!topic)
        return;
    topic->repartition = true;
    topic->fixed = partitions;
    topic->name = leat__plan_join(p, p->application_id, "-", name);
    put(p, &p->private_->repartition_of, name, topic);
}

void leat__plan_copartition(leat__plan_t *p, const char *const *source_nodes, size_t count)
{
    struct leat__plan_private_t *in = p->private_;
    leat__copartition_t group = {0};

    for (size_t i = 0; i < count && !failed(p); i++) {
        char *name = leat__plan_strdup(p, source_nodes[i]);

        LEAT__PLAN_PUSH(p, group.names, group.count, name);
    }
    if (!failed(p))
        LEAT__PLAN_PUSH(p, in->copartitions, in->copartition_count, group);
}

void leat__plan_source_changelog(leat__plan_t *p, const char *store, const char *topic)
{
    leat__store_spec_t *s = failed(p) ? NULL : leat__map_get(&p->private_->store_of, store);

    if (!s)
        return;
    if (s->source_topic)
        leat__plan_fail(p, LEAT_ETOPOLOGY, store,
            "store '%s' already has topic '%s' as its changelog", store, s->source_topic);
    else
        s->source_topic = leat__plan_strdup(p, topic);
}

void leat__plan_generated(leat__plan_t *p, const char *what, const char *name)
{
    struct leat__plan_private_t *in = p->private_;
    leat__generated_t generated = {what, NULL};

    if (failed(p))
        return;
    generated.name = leat__plan_strdup(p, name);
    LEAT__PLAN_PUSH(p, in->generated, in->generated_count, generated);
}

/* ---- finding ---- */

leat__store_spec_t *leat__plan_find_store(const leat__plan_t *p, const char *name)
{
    return leat__map_get(&p->private_->store_of, name);
}

leat__node_t *leat__plan_find_node(const leat__plan_t *p, const char *name)
{
    return leat__map_get(&p->private_->node_of, name);
}

leat__node_t *leat__plan_source_of(const leat__plan_t *p, const char *topic)
{
    const struct leat__plan_private_t *in = p->private_;
    size_t size = strlen(p->application_id);
    leat__node_t *node = leat__map_get(&in->source_of, topic);

    if (node && !node->internal)
        return node;
    if (strncmp(topic, p->application_id, size) == 0 && topic[size] == '-') {
        node = leat__map_get(&in->source_of, topic + size + 1);
        if (node && node->internal)
            return node;
    }
    for (const leat__pattern_t *pattern = in->patterns; pattern; pattern = pattern->next) {
        if (leat__pattern_matches(&pattern->regex, topic))
            return pattern->node;
    }
    return NULL;
}
