/* tests/conformance/papi.c: Processor API steps of FORMAT.md, section 6; stores of 4.2. */
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

typedef struct node_t { /* what a node passes on */
    const type_t *key, *value;
} node_t;

static void remember(run_t *r, const char *name, const type_t *key, const type_t *value)
{
    node_t *node = need(sizeof *node);

    *node = (node_t){key, value};
    add(&r->steps, name, node);
}

/* Of the parents: the first one whose output is known. */
static node_t input_of(run_t *r, const char *parents)
{
    const type_t *string = type_of(r, "string");
    node_t found = {string, string};
    char *list = need_text(parents), *at = list, *name;

    while ((name = strsep(&at, ","))) {
        const node_t *node = find(r->steps, name);

        if (!node)
            continue;
        found.key = node->key ? node->key : found.key;
        found.value = node->value ? node->value : found.value;
        break;
    }
    free(list);
    return found;
}

static void add_source(run_t *r, const json_t *step)
{
    const type_t *key = type_of(r, get_text(step, "key", NULL)),
                 *value = type_of(r, get_text(step, "value", NULL));
    const char *name = get_text(step, "name", NULL),
               *pattern_text = get_text(step, "pattern", NULL);
    char *topics = get_list(step, json_object_get(step, "topics") ? "topics" : "topic");
    char *pattern = pattern_text ? need_format("^%s", pattern_text) : NULL;
    leat_source_opts_t opts = {0};

    if (key && value) {
        set_timestamp(r, step, &opts, key, value);
        remember_topics(r, step, key, value);
        leat_builder_source(
            r->builder, pattern ? pattern : topics, name, key->serde, value->serde, &opts);
        remember(r, name, key, value);
    }
    free(topics);
    free(pattern);
}

static void add_processor(run_t *r, const json_t *step)
{
    const char *name = get_text(step, "name", NULL);
    char *parents = get_list(step, "parents");
    node_t in = input_of(r, parents);
    processor_t p;

    if (processor_make(r, name, step, in.key, in.value, NULL, NULL, &p)) {
        leat_builder_processor(r->builder, parents, name, p.process, &p.opts);
        remember(r, name, p.key_out, p.value_out);
    }
    free(parents);
}

static void run_topic(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t topic;

    if (expr_eval(op->run, ctx, op->first, op_key(op, in), op_value(op, in), &topic))
        leat_emit_topic(ctx, topic.type ? &topic.text : NULL);
}

static void add_sink(run_t *r, const json_t *step)
{
    const char *name = get_text(step, "name", NULL), *topic = get_text(step, "topic", NULL);
    const type_t *key = type_of(r, get_text(step, "key", NULL)),
                 *value = type_of(r, get_text(step, "value", NULL));
    char *parents = get_list(step, "parents");
    node_t in = input_of(r, parents);
    leat_sink_opts_t opts = {.label = "topic_fn"};

    if (key && value && (key->kind != in.key->kind || value->kind != in.value->kind)) {
        unsupported(r, "a sink of another type than its parent's");
    } else if (key && value && topic) {
        leat_builder_sink(r->builder, parents, name, topic, key->serde, value->serde, &opts);
    } else if (key && value) {
        op_t *op = op_new(r, name, key, value);

        op->first = expr_new(r, get_text(step, "topic_fn", "value"));
        opts.user = op;
        opts.user_free = op_free;
        leat_builder_route(r->builder, parents, name, run_topic, key->serde, value->serde, &opts);
    }
    free(parents);
}

static void connect(run_t *r, const json_t *step)
{
    char *stores = get_list(step, "stores");

    leat_builder_connect(r->builder, get_text(step, "processor", NULL), stores);
    free(stores);
}

/* ---- stores ---- */

void remember_store(
    run_t *r, const char *name, const type_t *key, const type_t *value, const char *kind)
{
    store_t *store = need(sizeof *store);
    bool versioned = strcmp(kind, "versioned") == 0;

    *store = (store_t){key, value, versioned || strncmp(kind, "timestamped", 11) == 0,
        versioned                       ? 'v'
        : strstr(kind, "window")        ? 'w'
        : strcmp(kind, "session") == 0 ? 's'
                                        : 'k'};
    add(&r->stores, name, store);
}

bool store_options(run_t *r, const json_t *store, leat_store_opts_t *opts)
{
    const char *type = get_text(store, "type", "");
    bool lru = strcmp(type, "lru") == 0 || strcmp(get_text(store, "kind", ""), "lru") == 0;

    *opts = (leat_store_opts_t){.name = get_text(store, "name", NULL)};
    if (strcmp(type, "in_memory") == 0)
        opts->backend = leat_backend_memory();
    else if (strcmp(type, "rocksdb") == 0)
        opts->backend = leat_backend_rocksdb();
    else if (lru)
        opts->backend = leat_backend_lru();
    opts->entries_max = (uint64_t)get_int(store, "max", 0);
    if (json_object_get(store, "caching"))
        opts->cache = get_bool(store, "caching", true) ? LEAT_ON : LEAT_OFF;
    if (json_object_get(store, "logging"))
        opts->changelog = get_bool(store, "logging", true) ? LEAT_ON : LEAT_OFF;
    opts->history_ms = get_int(store, "history_ms", 0);
    opts->retention_ms = get_int(store, "retention_ms", 0);
    opts->window_size_ms = get_int(store, "size_ms", 0);
    opts->duplicates = get_bool(store, "duplicates", false);
    return !r->unsupported;
}

/* 0: unknown */
static leat_store_kind_t kind_of(const char *name)
{
    static const struct {
        const char *name;
        leat_store_kind_t kind;
    } kinds[] = {{"kv", LEAT_KV}, {"lru", LEAT_KV}, {"timestamped_kv", LEAT_TIMESTAMPED_KV},
        {"versioned", LEAT_VERSIONS}, {"window", LEAT_WINDOWS},
        {"timestamped_window", LEAT_TIMESTAMPED_WINDOWS}, {"session", LEAT_SESSIONS}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return (leat_store_kind_t)0;
}

/* Over several keys, the order of windows and what of them is still seen are the backend's own, in Kafka
 * Streams too: what the scenario says of RocksDB is then asked of RocksDB only. */
static bool asks_for_order(const run_t *r)
{
    const json_t *topology = json_object_get(r->scenario, "topology");

    for (size_t i = 0; i < json_array_size(topology); i++) {
        const json_t *processor = json_object_get(json_array_get(topology, i), "processor");
        const char *query = get_text(processor, "query", "");

        if (strstr(query, "all") || strstr(query, "range"))
            return true;
    }
    return false;
}

void build_store(run_t *r, const json_t *step)
{
    const json_t *store = json_object_get(step, "store");
    const char *kind = get_text(store, "kind", "kv"), *name = get_text(store, "name", NULL);
    const type_t *key = type_of(r, get_text(store, "key", NULL)),
                 *value = type_of(r, get_text(store, "value", NULL));
    leat_store_kind_t made = kind_of(kind);
    char *processors = get_list(step, "processors");
    leat_store_opts_t opts;

    if (!made) {
        unsupported(r, "%s store", kind);
    } else if (key && value && store_options(r, store, &opts)) {
        if (!opts.backend && made != LEAT_KV && made != LEAT_TIMESTAMPED_KV && asks_for_order(r))
            opts.backend = leat_backend_rocksdb();
        if (!opts.backend && json_object_get(json_object_get(r->scenario, "config"), "store"))
            opts.backend = leat_backend_rocksdb(); /* that setting is for the stores of the DSL */
        opts.name = NULL;
        opts.processors = processors;
        remember_store(r, name, key, value, kind);
        leat_builder_store(r->builder, name, made, key->serde, value->serde, &opts);
    }
    free(processors);
}

/* ---- stores filled from a topic ---- */

void build_filled(run_t *r, const json_t *step, const char *id, const char *name)
{
    const json_t *store = json_object_get(step, "store");
    const type_t *key = type_of(r, get_text(step, "key", NULL)),
                 *value = type_of(r, get_text(step, "value", NULL)),
                 *store_key = type_of(r, get_text(store, "key", NULL)),
                 *store_value = type_of(r, get_text(store, "value", NULL));
    const char *kind = get_text(store, "kind", "kv"), *topic = get_text(step, "topic", NULL);
    leat_source_opts_t source = {0};
    leat_fill_opts_t opts = {.source_name = get_text(step, "source", NULL)};
    processor_t p;

    if (!kind_of(kind))
        unsupported(r, "%s store", kind);
    if (r->unsupported || !key || !value || !store_key || !store_value ||
        !store_options(r, store, &opts.store))
        return;
    remember_store(r, opts.store.name, store_key, store_value, kind);
    set_timestamp(r, step, &source, key, value);
    if (source.user)
        unsupported(r, "a time function of such a store");
    else if (processor_make(r, id, step, key, value, key, value, &p)) {
        remember_topics(r, step, key, value);
        opts.timestamp = source.timestamp;
        opts.store_key = store_key->serde;
        opts.store_value = store_value->serde;
        opts.node = p.opts;
        (strcmp(get_text(step, "op", ""), "add_read_only_store") == 0
                ? leat_builder_read_only_store
                : leat_builder_global_store)(r->builder, topic, name, p.process, kind_of(kind),
            key->serde, value->serde, &opts);
    }
}

/* ---- all steps ---- */

/* Processors know the types of their stores, which may be added after them. */
static void see_stores(run_t *r, const json_t *topology)
{
    for (size_t i = 0; i < json_array_size(topology); i++) {
        const json_t *store = json_object_get(json_array_get(topology, i), "store");
        const char *name = get_text(store, "name", NULL);
        const type_t *key = type_of(r, get_text(store, "key", NULL));
        const type_t *value = type_of(r, get_text(store, "value", NULL));

        if (name && key && value)
            remember_store(r, name, key, value, get_text(store, "kind", ""));
    }
}

void build_papi(run_t *r, const json_t *topology)
{
    see_stores(r, topology);
    for (size_t i = 0; i < json_array_size(topology) && !r->unsupported; i++) {
        const json_t *step = json_array_get(topology, i);
        const char *op = get_text(step, "op", "");

        if (strcmp(op, "add_source") == 0)
            add_source(r, step);
        else if (strcmp(op, "add_processor") == 0)
            add_processor(r, step);
        else if (strcmp(op, "add_sink") == 0)
            add_sink(r, step);
        else if (strcmp(op, "add_state_store") == 0)
            build_store(r, step);
        else if (strcmp(op, "connect") == 0)
            connect(r, step);
        else if (strcmp(op, "add_global_store") == 0 || strcmp(op, "add_read_only_store") == 0)
            build_filled(r, step, get_text(step, "name", ""), get_text(step, "name", NULL));
        else
            unsupported(r, "%s", op);
    }
}
