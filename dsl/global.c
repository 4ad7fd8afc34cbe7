/*
 * dsl/global.c: tables and stores of which every process has all: read from a topic, all its
 * partitions, outside of any task; and streams joined with such tables.
 *
 * A global table is a store, its source and the processor of other tables (table_source.c). It has
 * no changelog and sends nothing on. Joining asks it for the row of a key that a function emits,
 * as the row is at that moment: there is no order in time between a stream and a global table.
 */
#include "runtime/papi.h"
#include "stream_join.h"
#include "table.h"

/* ---- source, processor, store: one part ---- */

typedef struct global_part_t {
    leat__part_t part; /* its name is the source's */
    const char *processor, *store;
    leat_store_kind_t kind;
    const leat_serde_t *store_key, *store_value;
    leat_map_fn fill;
    const leat__rows_t *rows; /* NULL: the program's own store */
    leat_source_opts_t source;
    leat_node_opts_t node;
    leat_store_opts_t opts;
} global_part_t;

static void write_global(
    const leat__part_t *part, leat__plan_t *plan, const char *const *parents, size_t parent_count)
{
    const global_part_t *g = (const global_part_t *)part;
    leat__node_t *source, *processor;

    (void)parents;
    (void)parent_count;
    source = leat__plan_source(plan, part->name, part->topics, part->key, part->value, &g->source);
    processor = leat__plan_processor(plan, g->processor, &part->name, 1, g->fill, &g->node);
    if (processor)
        processor->operator_ = g->rows;
    leat__plan_global(
        plan, source, processor, g->store, g->kind, g->store_key, g->store_value, &g->opts);
}

static bool one_topic(leat__graph_t *g, const char *call, const char *topic)
{
    for (const char *at = topic; *at; at++) {
        if (*at != ',' && topic[0] != '^')
            continue;
        leat__builder_error(g->builder, LEAT_EARGUMENT, topic,
            "%s: it is filled from exactly one topic, not from '%s'", call, topic);
        return false;
    }
    return true;
}

static bool fit(leat__graph_t *g, const char *call, const char *topic, const leat_serde_t *key,
    const leat_serde_t *value)
{
    return leat__need(g, call, topic, topic != NULL, "the topic") &&
           leat__need(g, call, topic, key != NULL, "the serde of its keys") &&
           leat__need(g, call, topic, value != NULL, "the serde of its values") &&
           one_topic(g, call, topic);
}

/* Source and processor take their numbers here. NULL: recorded. */
static global_part_t *part_new(leat__graph_t *g, const char *topic, const char *given,
    const leat_serde_t *key, const leat_serde_t *value)
{
    global_part_t *p = leat__builder_alloc(g->builder, sizeof *p);
    const char *source, *processor;

    if (!p)
        return NULL;
    source = leat__graph_suffixed(g, given, "-source", "KSTREAM-SOURCE-");
    processor = leat__graph_name(g, given, "KTABLE-SOURCE-");
    p->part = (leat__part_t){.name = source,
        .write = write_global,
        .reads_topic = true,
        .topics = leat__builder_strdup(g->builder, topic),
        .key = key,
        .value = value};
    p->processor = processor;
    return source && processor && p->part.topics ? p : NULL;
}

/* ---- global tables ---- */

static bool not_versioned(leat__graph_t *g, const char *topic, const leat_source_opts_t *opts)
{
    bool versioned = opts && opts->store.history_ms != 0;

    if (versioned)
        leat__builder_error(g->builder, LEAT_ETOPOLOGY, topic,
            "leat_builder_global: a global table cannot be versioned: leave .store.history_ms out");
    return !versioned;
}

static leat_global_t *global_new(leat__graph_t *g, const char *topic, const leat_serde_t *key,
    const leat_serde_t *value, const leat_source_opts_t *opts)
{
    const char *prefix = leat__graph_join(g, topic, "-", ""), *given = opts ? opts->name : NULL;
    leat__rows_t *r = leat__builder_alloc(g->builder, sizeof *r);
    leat_global_t *t = leat__builder_alloc(g->builder, sizeof *t);
    global_part_t *p;

    if (!prefix || !r || !t)
        return leat__nil_global(g);
    *r = (leat__rows_t){.key = key, .value = value};
    if (!leat__rows_init(r, g, "leat_builder_global", LEAT__ROWS_SOURCE, opts ? &opts->store : NULL,
            given, prefix))
        return leat__nil_global(g);
    r->materialized = true;
    p = part_new(g, topic, given, key, value);
    if (!p)
        return leat__nil_global(g);
    p->rows = r;
    p->store = r->store;
    p->kind = LEAT_TIMESTAMPED_KV;
    p->store_key = key;
    p->store_value = value;
    p->fill = leat__table_source_process;
    p->opts = r->opts;
    if (opts) {
        p->source.timestamp = opts->timestamp;
        p->source.user = opts->user;
    }
    leat__rows_node(r, &p->node);
    leat__graph_add(g, &p->part);
    *t = (leat_global_t){.graph = g, .key = key, .value = value, .rows = r};
    return t;
}

leat_global_t *leat_builder_global(leat_builder_t *b, const char *topic, const leat_serde_t *key,
    const leat_serde_t *value, const leat_source_opts_t *opts)
{
    static const char call[] = "leat_builder_global";
    leat__graph_t *g = leat__graph_of(b);

    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    if (!g || !fit(g, call, topic, key, value) || !LEAT__RESERVED_ZERO(g, call, opts) ||
        !not_versioned(g, topic, opts))
        return leat__nil_global(g);
    return global_new(g, topic, key, value, opts);
}

const char *leat_global_store(const leat_global_t *t)
{
    return t->nil ? NULL : t->rows->store;
}

/* ---- stores that the program fills ---- */

static void set_fill(
    global_part_t *p, leat_map_fn fill, leat_store_kind_t kind, const leat_fill_opts_t *opts)
{
    p->fill = fill;
    p->kind = kind;
    p->store_key = opts->store_key ? opts->store_key : p->part.key;
    p->store_value = opts->store_value ? opts->store_value : p->part.value;
    p->opts = opts->store;
    p->source.timestamp = opts->timestamp;
    p->source.user = opts->node.user;
}

static void add_store(leat__graph_t *g, const char *topic, const char *name, leat_map_fn fill,
    leat_store_kind_t kind, const leat_serde_t *key, const leat_serde_t *value,
    const leat_fill_opts_t *opts)
{
    global_part_t *p = part_new(g, topic, name, key, value);

    if (!p)
        return;
    set_fill(p, fill, kind, opts);
    p->store = leat__builder_strdup(g->builder, opts->store.name);
    if (p->store && leat__copy_node(g, "leat_builder_global_store", &opts->node, &p->node))
        leat__graph_add(g, &p->part);
}

void leat_builder_global_store(leat_builder_t *b, const char *topic, const char *name,
    leat_map_fn fill, leat_store_kind_t kind, const leat_serde_t *key, const leat_serde_t *value,
    const leat_fill_opts_t *opts)
{
    static const char call[] = "leat_builder_global_store";
    leat__graph_t *g;

    if (name && opts && opts->source_name) { /* the Processor API's: in the order of its calls */
        leat__papi_fill(b, true, topic, name, fill, kind, key, value, opts);
        return;
    }
    g = leat__graph_of(b);
    if (opts)
        leat__adopt_node(g, &opts->node);
    if (g && leat__need(g, call, name, fill != NULL, "the function that fills it") &&
        leat__need(
            g, call, name, opts && opts->store.name, "the name of the store (.store.name)") &&
        fit(g, call, topic, key, value) && LEAT__RESERVED_ZERO(g, call, opts))
        add_store(g, topic, name, fill, kind, key, value, opts);
}

/* ---- streams joined with global tables ---- */

typedef struct global_join_t {
    leat__joiner_t joiner;
    leat_map_fn key;
    const leat__rows_t *rows;
    bool keeps; /* a left join: records without a row stay */
} global_join_t;

typedef struct asking_t {
    const global_join_t *op;
    const leat_record_t *in;
} asking_t;

static void with_row(leat_ctx_t *ctx, void *data, const void *value, int64_t time_ms)
{
    const asking_t *a = data;

    (void)time_ms;
    if (value || a->op->keeps)
        leat__joiner_run(ctx, &a->op->joiner, a->in, a->in->value, value);
}

static void emit_key(leat_ctx_t *ctx, leat__call_t *call, leat__emit_t how,
    const leat_record_t *out, const char *child)
{
    asking_t *a = call->data;
    const leat_record_t row = {out->key, NULL, a->in->time_ms, a->in->headers};

    (void)how;
    (void)child;
    if (out->key)
        leat__rows_view(ctx, a->op->rows, &row, with_row, a);
    else if (a->op->keeps)
        with_row(ctx, a, NULL, -1);
    else
        leat__drop(ctx, "null join key");
}

static void join_process(leat_ctx_t *ctx, const leat_record_t *in)
{
    const global_join_t *op = leat__operator(ctx);
    asking_t a = {op, in};
    leat__call_t call = {.user = op->joiner.user,
        .in = in,
        .emit = emit_key,
        .allowed = LEAT__EMIT_KEY,
        .count_max = 1,
        .data = &a};

    if (!in->value) {
        leat__drop(ctx, "null value");
        return;
    }
    leat__call_map(ctx, &call, op->key, in);
    leat__call_check_one(ctx, &call);
}

static bool fit_join(leat_stream_t *left, leat_global_t *right, const char *name, leat_map_fn key,
    leat_combine_fn fn, const leat_serde_t *value, const leat_join_opts_t *opts)
{
    static const char call[] = "leat_stream_join_global";
    leat__graph_t *g = left->graph;

    if (!leat__same_builder(g, right->graph, call) || left->nil || right->nil)
        return false;
    if (opts && opts->kind == LEAT_OUTER) {
        leat__builder_error(g->builder, LEAT_EARGUMENT, name ? name : call,
            "%s: an outer join with a table does not exist: take LEAT_INNER or LEAT_LEFT", call);
        return false;
    }
    return leat__need(g, call, name, key != NULL, "the function that emits the table's key") &&
           leat__join_fits(left, call, name, fn, value, opts);
}

leat_stream_t *leat_stream_join_global(leat_stream_t *left, leat_global_t *right, const char *name,
    leat_map_fn key, leat_combine_fn fn, const leat_serde_t *value, const leat_join_opts_t *opts)
{
    static const leat__operator_t o = {
        "leat_stream_join_global", "KSTREAM-LEFTJOIN-", join_process, false, false};
    leat__graph_t *g = left->graph;
    global_join_t *op;
    leat_stream_t *out;

    if (opts)
        leat__adopt(g, opts->user, opts->user_free);
    if (!fit_join(left, right, name, key, fn, value, opts))
        return leat__nil_stream(g);
    op = leat__builder_alloc(g->builder, sizeof *op);
    if (op)
        *op = (global_join_t){.joiner = {fn, opts ? opts->user : NULL},
            .key = key,
            .rows = right->rows,
            .keeps = opts && opts->kind == LEAT_LEFT};
    out = leat__stream_step(left, &o, name, op, left->key, value, NULL);
    if (!out->nil)
        out->part->takes_null_keys = op->keeps;
    return out;
}
