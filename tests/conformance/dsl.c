/* tests/conformance/dsl.c: DSL steps of FORMAT.md, section 4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

typedef enum result_t { STREAM, TABLE, GROUPED, GLOBAL } result_t;

typedef struct step_t {
    result_t kind;
    void *handle;
    const type_t *key, *value;
} step_t;

typedef struct building_t { /* one step */
    run_t *run;
    const json_t *step;
    const char *op, *id, *as;
    const step_t *from;
    const type_t *key, *value; /* of the result: stated, or inherited */
    const type_t *stated_value;
} building_t;

typedef leat_predicate_fn predicate_t;

/* ---- functions ---- */

static void run_map(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t key = op_key(op, in), value = op_value(op, in), new_key, new_value;

    if (expr_eval(op->run, ctx, op->first, key, value, &new_key) &&
        expr_eval(op->run, ctx, op->second, key, value, &new_value))
        op_emit(ctx, op, in, &new_key, &new_value);
}

/* map of tables, for group_by: emits key and value only */
static void run_group(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t key = op_key(op, in), value = op_value(op, in), new_key, new_value;
    const void *k, *v;
    bool failed;

    if (!expr_eval(op->run, ctx, op->first, key, value, &new_key) ||
        !expr_eval(op->run, ctx, op->second, key, value, &new_value))
        return;
    k = c_of(ctx, op->key_out, &new_key, &failed);
    v = failed ? NULL : c_of(ctx, op->value_out, &new_value, &failed);
    if (!failed)
        leat_emit(ctx, k, v);
}

static void run_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t result;
    const void *c;
    bool failed;

    if (!expr_eval(op->run, ctx, op->second, op_key(op, in), op_value(op, in), &result))
        return;
    c = c_of(ctx, op->value_out, &result, &failed);
    if (!failed)
        leat_emit_value(ctx, c);
}

static void run_key(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t result;
    const void *c;
    bool failed;

    if (!expr_eval(op->run, ctx, op->first, op_key(op, in), op_value(op, in), &result))
        return;
    c = c_of(ctx, op->key_out, &result, &failed);
    if (!failed)
        leat_emit_key(ctx, c);
}

static void run_transform(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t result;
    const void *c;
    bool failed;

    if (!expr_eval(op->run, ctx, op->second, op_key(op, in), op_value(op, in), &result))
        return;
    if (op->count_store) {
        leat_kv_t *store = leat_kv(ctx, op->count_store);
        const int64_t *before = leat_kv_get(store, in->key);
        int64_t count = before ? *before + 1 : 1;
        leat_slice_t text = text_of(ctx, &result);

        leat_kv_put(store, in->key, &count);
        result = text_value(op->run, *leat_text(ctx, "%.*s#%lld", LEAT_P(&text), (long long)count));
    }
    c = c_of(ctx, op->value_out, &result, &failed);
    if (!failed)
        leat_emit_value(ctx, c);
}

static bool run_test(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);

    return predicate_eval(op->run, ctx, op->first, op_key(op, in), op_value(op, in));
}

static void run_peek(leat_ctx_t *ctx, const leat_record_t *in)
{
    call_record(leat_user(ctx), in);
}

static void emit_element(leat_ctx_t *ctx, const op_t *op, const leat_record_t *in, value_t element)
{
    value_t key = op_key(op, in), new_key, new_value;

    if (expr_eval(op->run, ctx, op->first, key, element, &new_key) &&
        expr_eval(op->run, ctx, op->second, key, element, &new_value))
        op_emit(ctx, op, in, &new_key, &new_value);
}

static void run_flat_map(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);

    list_eval(op->run, ctx, op, in, emit_element);
}

static void emit_element_value(
    leat_ctx_t *ctx, const op_t *op, const leat_record_t *in, value_t element)
{
    bool failed;
    const void *c = c_of(ctx, op->value_out, &element, &failed);

    (void)in;
    if (!failed)
        leat_emit_value(ctx, c);
}

static void run_flat_map_values(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);

    list_eval(op->run, ctx, op, in, emit_element_value);
}

static void run_topic(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t topic;

    if (!expr_eval(op->run, ctx, op->first, op_key(op, in), op_value(op, in), &topic))
        return;
    leat_emit_topic(ctx, topic.type ? &topic.text : NULL);
}

static void fold(
    leat_ctx_t *ctx, const op_t *op, const pair_t *fn, const void *a, const void *b, value_t key)
{
    value_t result;
    const void *c;
    bool failed;

    if (!pair_eval(
            op->run, ctx, fn, key, value_of(op->value_out, a), value_of(op->value, b), &result))
        return;
    c = c_of(ctx, op->value_out, &result, &failed);
    if (!failed)
        leat_emit_value(ctx, c);
}

static void run_fold(leat_ctx_t *ctx, const void *a, const void *b)
{
    const op_t *op = leat_user(ctx);

    fold(ctx, op, op->add, a, b, value_of(op->key, leat_key(ctx)));
}

static void run_merge(leat_ctx_t *ctx, const void *a, const void *b)
{
    const op_t *op = leat_user(ctx);
    value_t result;
    const void *c;
    bool failed;

    if (!pair_eval(op->run, ctx, op->merge, value_of(op->key, leat_key(ctx)),
            value_of(op->value_out, a), value_of(op->value_out, b), &result))
        return;
    c = c_of(ctx, op->value_out, &result, &failed);
    if (!failed)
        leat_emit_value(ctx, c);
}

static void run_subtract(leat_ctx_t *ctx, const void *a, const void *b)
{
    const op_t *op = leat_user(ctx);

    fold(ctx, op, op->subtract, a, b, value_of(op->key, leat_key(ctx)));
}

static void run_reduce(leat_ctx_t *ctx, const void *a, const void *b)
{
    const op_t *op = leat_user(ctx);

    fold(ctx, op, op->add, a, b, (value_t){0});
}

static void run_reduce_subtract(leat_ctx_t *ctx, const void *a, const void *b)
{
    const op_t *op = leat_user(ctx);

    fold(ctx, op, op->subtract, a, b, (value_t){0});
}

/* ---- steps ---- */

static void result(building_t *b, const char *id, result_t kind, void *handle)
{
    step_t *s = need(sizeof *s);

    *s = (step_t){kind, handle, b->key, b->value};
    add(&b->run->steps, id, s);
}

static op_t *op_of(building_t *b)
{
    op_t *op = op_new(b->run, b->id, b->from->key, b->from->value);

    op->key_out = b->key;
    op->value_out = b->value;
    return op;
}

static const char *text(const building_t *b, const char *field, const char *otherwise)
{
    return get_text(b->step, field, otherwise);
}

static leat_node_opts_t node(op_t *op)
{
    return (leat_node_opts_t){.user = op, .user_free = op_free};
}

static void need_from(building_t *b, result_t kind)
{
    if (!b->from || b->from->kind != kind)
        unsupported(b->run, "%s of such a step", b->op);
}

/* Options of a table operator's store. */
static leat_store_opts_t table_store(building_t *b)
{
    const json_t *store = json_object_get(b->step, "store");
    leat_store_opts_t opts = {0};

    if (!store)
        return opts;
    store_options(b->run, store, &opts);
    opts.materialize = true;
    if (!opts.name)
        opts.name = LEAT_AUTO;
    else
        remember_store(b->run, opts.name, b->key, b->value,
            opts.history_ms ? "versioned" : "timestamped_kv");
    return opts;
}

/* Of a source, filter, map or foreign-key join: only a name keeps its rows, whatever else is said. */
static leat_store_opts_t derived_store(building_t *b)
{
    leat_store_opts_t opts = table_store(b);

    opts.materialize = false;
    return opts;
}

/* Of a step that has a store in any case. */
static leat_store_opts_t kept_store(building_t *b)
{
    leat_store_opts_t opts = table_store(b);

    opts.materialize = false;
    if (!opts.name && b->as)
        opts.name = LEAT_AUTO;
    return opts;
}

static void build_source(building_t *b)
{
    char *topics = get_list(b->step, json_object_get(b->step, "topics") ? "topics" : "topic"),
         *pattern = NULL;
    leat_source_opts_t opts = {.name = b->as};

    if (text(b, "pattern", NULL))
        pattern = need_format("^%s", text(b, "pattern", NULL));
    set_timestamp(b->run, b->step, &opts, b->key, b->value);
    remember_topics(b->run, b->step, b->key, b->value);
    if (strcmp(b->op, "global_table") == 0) {
        opts.store = table_store(b);
        opts.store.materialize = false;
        if (!opts.store.name)
            opts.store.name = LEAT_AUTO;
        result(b, b->id, GLOBAL,
            leat_builder_global(b->run->builder, topics, b->key->serde, b->value->serde, &opts));
    } else if (strcmp(b->op, "stream") == 0) {
        result(b, b->id, STREAM,
            leat_builder_stream(b->run->builder, pattern ? pattern : topics, b->key->serde,
                b->value->serde, &opts));
    } else {
        opts.store = derived_store(b);
        if (!opts.store.name)
            opts.store.name = LEAT_AUTO;
        result(b, b->id, TABLE,
            leat_builder_table(b->run->builder, topics, b->key->serde, b->value->serde, &opts));
    }
    free(topics);
    free(pattern);
}

static void build_filter(building_t *b)
{
    bool not = strcmp(b->op, "filter_not") == 0;
    op_t *op = op_of(b);
    leat_node_opts_t opts = node(op);
    leat_table_opts_t table = {.user = op, .user_free = op_free};

    op->first = predicate_new(b->run, text(b, "fn", "true"));
    if (b->from->kind == STREAM) {
        result(b, b->id, STREAM,
            (not ? leat_stream_filter_not : leat_stream_filter)(
                b->from->handle, b->as, run_test, &opts));
        return;
    }
    table.store = derived_store(b);
    result(b, b->id, TABLE,
        (not ? leat_table_filter_not : leat_table_filter)(
            b->from->handle, b->as, run_test, &table));
}

static void build_select_key(building_t *b)
{
    op_t *op = op_of(b);
    leat_node_opts_t opts = node(op);

    op->first = expr_new(b->run, text(b, "fn", "key"));
    result(b, b->id, STREAM,
        leat_stream_select_key(b->from->handle, b->as, run_key, b->key->serde, &opts));
}

static void build_map(building_t *b)
{
    op_t *op = op_of(b);
    leat_node_opts_t opts = node(op);

    op->first = expr_new(b->run, text(b, "key_fn", "key"));
    op->second = expr_new(b->run, text(b, "value_fn", "value"));
    result(b, b->id, STREAM,
        leat_stream_map(b->from->handle, b->as, run_map, b->key->serde, b->value->serde, &opts));
}

static void build_map_values(building_t *b)
{
    op_t *op = op_of(b);
    leat_node_opts_t opts = node(op);
    leat_table_opts_t table = {.user = op, .user_free = op_free};

    op->second = expr_new(b->run, text(b, "fn", "value"));
    if (b->from->kind == STREAM) {
        result(b, b->id, STREAM,
            leat_stream_map_values(b->from->handle, b->as, run_value, b->value->serde, &opts));
        return;
    }
    table.store = derived_store(b);
    result(b, b->id, TABLE,
        leat_table_map_values(b->from->handle, b->as, run_value, b->value->serde, &table));
}

static void build_transform_values(building_t *b)
{
    op_t *op = op_of(b);
    leat_table_opts_t opts = {.user = op, .user_free = op_free};
    char *stores = get_list(b->step, "stores");

    op->second = expr_new(b->run, text(b, "fn", "value"));
    op->count_store = text(b, "count_store", NULL) ? need_text(text(b, "count_store", NULL)) : NULL;
    opts.store = derived_store(b);
    opts.stores = stores;
    result(b, b->id, TABLE,
        leat_table_transform_values(b->from->handle, b->as, run_transform, b->value->serde, &opts));
    free(stores);
}

static void build_flat_map(building_t *b)
{
    op_t *op = op_of(b);
    leat_node_opts_t opts = node(op);

    op->list = list_new(b->run, text(b, "fn", "none"));
    op->first = expr_new(b->run, text(b, "key_fn", "key"));
    op->second = expr_new(b->run, text(b, "value_fn", "value"));
    if (strcmp(b->op, "flat_map") == 0)
        result(b, b->id, STREAM,
            leat_stream_flat_map(
                b->from->handle, b->as, run_flat_map, b->key->serde, b->value->serde, &opts));
    else
        result(b, b->id, STREAM,
            leat_stream_flat_map_values(
                b->from->handle, b->as, run_flat_map_values, b->value->serde, &opts));
}

static void build_peek(building_t *b)
{
    leat_node_opts_t opts = node(op_of(b));

    if (strcmp(b->op, "peek") == 0)
        result(b, b->id, STREAM, leat_stream_peek(b->from->handle, b->as, run_peek, &opts));
    else
        leat_stream_for_each(b->from->handle, b->as, run_peek, &opts);
}

static void build_split(building_t *b)
{
    const json_t *list = json_object_get(b->step, "branches"),
                 *rest = json_object_get(b->step, "default");
    size_t count = json_array_size(list) + (rest != NULL);
    leat_branch_t *branches = need((count + 1) * sizeof *branches);

    for (size_t i = 0; i < count; i++) {
        const json_t *branch = i < json_array_size(list) ? json_array_get(list, i) : rest;

        branches[i].name = get_text(branch, "as", NULL);
        if (branch != rest) {
            op_t *op = op_of(b);

            op->first = predicate_new(b->run, get_text(branch, "when", "true"));
            branches[i].when = run_test;
            branches[i].user = op;
            branches[i].user_free = op_free;
        }
    }
    leat_stream_split(b->from->handle, b->as, branches, count, NULL);
    for (size_t i = 0; i < count; i++)
        result(b, get_text(i < json_array_size(list) ? json_array_get(list, i) : rest, "id", ""),
            STREAM, branches[i].stream);
    free(branches);
}

static void build_merge(building_t *b)
{
    const step_t *with = find(b->run->steps, text(b, "with", ""));

    if (with)
        result(b, b->id, STREAM, leat_stream_merge(b->from->handle, with->handle, b->as, NULL));
    else
        unsupported(b->run, "merge with an unknown step");
}

static void build_process(building_t *b)
{
    bool values = strcmp(b->op, "process_values") == 0;
    char *stores = get_list(b->step, "stores");
    processor_t p;

    if (processor_make(
            b->run, b->id, b->step, b->from->key, b->from->value, b->key, b->value, &p)) {
        p.opts.stores = stores;
        result(b, b->id, STREAM,
            values ? leat_stream_process_values(
                         b->from->handle, b->as, p.process, b->value->serde, &p.opts)
                   : leat_stream_process(b->from->handle, b->as, p.process, b->key->serde,
                         b->value->serde, &p.opts));
    }
    free(stores);
}

static void build_to(building_t *b)
{
    const char *topic = text(b, "topic", NULL);
    leat_sink_opts_t opts = {.name = b->as, .label = "topic_fn"};
    op_t *op;

    if (topic) {
        leat_stream_to(b->from->handle, topic, &opts);
        return;
    }
    op = op_of(b);
    op->first = expr_new(b->run, text(b, "topic_fn", "value"));
    opts.user = op;
    opts.user_free = op_free;
    leat_stream_route(b->from->handle, run_topic, &opts);
}

static void build_repartition(building_t *b)
{
    leat_repartition_opts_t opts = {0};

    if (json_object_get(b->step, "partitions")) {
        opts.partitions = (int32_t)get_int(b->step, "partitions", 0);
        if (opts.partitions == 0)
            opts.partitions = -1; /* 0 is leat's default; what is meant here is a count below 1 */
    }
    result(b, b->id, STREAM, leat_stream_repartition(b->from->handle, b->as, &opts));
}

static void build_to_table(building_t *b)
{
    leat_store_opts_t opts = kept_store(b);

    result(b, b->id, TABLE, leat_stream_to_table(b->from->handle, b->as, &opts));
}

static void build_to_stream(building_t *b)
{
    leat_to_stream_opts_t opts = {0};
    const char *fn = text(b, "fn", NULL);

    if (fn) {
        op_t *op = op_of(b);

        op->first = expr_new(b->run, fn);
        opts = (leat_to_stream_opts_t){
            .key = run_key, .key_serde = b->key->serde, .user = op, .user_free = op_free};
    }
    result(b, b->id, STREAM, leat_table_to_stream(b->from->handle, b->as, &opts));
}

static void build_group_by(building_t *b)
{
    op_t *op = op_of(b);
    leat_node_opts_t opts = node(op);

    if (b->from->kind == STREAM) {
        op->first = expr_new(b->run, text(b, "fn", "key"));
        result(b, b->id, GROUPED,
            leat_stream_group_by(b->from->handle, b->as, run_key, b->key->serde, &opts));
        return;
    }
    op->first = expr_new(b->run, text(b, "key_fn", "key"));
    op->second = expr_new(b->run, text(b, "value_fn", "value"));
    result(b, b->id, GROUPED,
        leat_table_group_by(
            b->from->handle, b->as, run_group, b->key->serde, b->value->serde, &opts));
}

static void build_group_by_key(building_t *b)
{
    result(b, b->id, GROUPED, leat_stream_group_by_key(b->from->handle, b->as, NULL));
}

static leat_window_t window_of(const json_t *w)
{
    const char *type = get_text(w, "type", "");
    int64_t grace_ms = get_int(w, "grace", 0);

    if (strcmp(type, "tumbling") == 0)
        return leat_tumbling(get_int(w, "size", 0), grace_ms);
    if (strcmp(type, "hopping") == 0)
        return leat_hopping(get_int(w, "size", 0), get_int(w, "advance", 0), grace_ms);
    if (strcmp(type, "sliding") == 0)
        return leat_sliding(get_int(w, "diff", 0), grace_ms);
    if (strcmp(type, "session") == 0)
        return leat_session(get_int(w, "gap", 0), grace_ms);
    return leat_unlimited(get_int(w, "start", 0));
}

/* The result's keys are windows, then. */
static void fold_window(building_t *b, leat_fold_opts_t *opts)
{
    const json_t *w = json_object_get(b->step, "window");
    char *type;

    if (!w)
        return;
    opts->window = window_of(w);
    opts->emit =
        strcmp(text(b, "emit", "update"), "close") == 0 ? LEAT_EMIT_ON_CLOSE : LEAT_EMIT_UPDATES;
    if (opts->window.type == LEAT_WINDOW_SESSION)
        type = need_format("session_windowed:%s", b->key->name);
    else
        type = need_format("time_windowed:%s:%lld", b->key->name,
            opts->window.type == LEAT_WINDOW_UNLIMITED ? (long long)INT64_MAX
                                                       : (long long)opts->window.size_ms);
    b->key = type_of(b->run, type);
    free(type);
}

static void build_fold(building_t *b)
{
    bool count = strcmp(b->op, "count") == 0, reduce = strcmp(b->op, "reduce") == 0;
    leat_fold_opts_t opts = {0};
    op_t *op;

    if (count)
        b->value = type_of(b->run, "int64");
    opts.store = kept_store(b);
    fold_window(b, &opts);
    if (count) {
        result(b, b->id, TABLE, leat_grouped_count(b->from->handle, b->as, &opts));
        return;
    }
    op = op_of(b);
    op->add = pair_new(b->run, text(b, "fn", text(b, "add", "last")));
    op->subtract = pair_new(b->run, text(b, "subtract", NULL));
    if (op->subtract)
        opts.subtract = reduce ? run_reduce_subtract : run_subtract;
    if (json_object_get(b->step, "merge")) {
        op->merge = pair_new(b->run, text(b, "merge", "last"));
        opts.merge = run_merge;
    }
    opts.user = op;
    opts.user_free = op_free;
    if (!reduce)
        opts.init = op->init = c_of_json(b->run, op, b->value, json_object_get(b->step, "init"));
    result(b, b->id, TABLE,
        reduce ? leat_grouped_reduce(b->from->handle, b->as, run_reduce, &opts)
               : leat_grouped_aggregate(b->from->handle, b->as, run_fold, b->value->serde, &opts));
}

static void build_cogroup(building_t *b)
{
    const json_t *list = json_object_get(b->step, "parts"), *part;
    leat_part_t *parts = need((json_array_size(list) + 1) * sizeof *parts);
    const type_t *key = NULL;
    leat_fold_opts_t opts = {0};
    op_t *all;
    size_t i;

    json_array_foreach(list, i, part)
    {
        const step_t *from = find(b->run->steps, get_text(part, "from", ""));
        op_t *op;

        if (!from || from->kind != GROUPED) {
            unsupported(b->run, "cogroup of such steps");
            break;
        }
        op = op_new(b->run, b->id, from->key, from->value);
        op->add = pair_new(b->run, get_text(part, "fn", "last"));
        op->value_out = b->value;
        key = i ? key : from->key;
        parts[i] = (leat_part_t){from->handle, run_fold, op, op_free};
    }
    if (!b->run->unsupported) {
        b->key = key;
        all = op_new(b->run, b->id, key, b->value);
        all->value_out = b->value;
        opts.user = all;
        opts.user_free = op_free;
        opts.init = all->init = c_of_json(b->run, all, b->value, json_object_get(b->step, "init"));
        if (json_object_get(b->step, "merge")) {
            all->merge = pair_new(b->run, text(b, "merge", "last"));
            opts.merge = run_merge;
        }
        opts.store = kept_store(b);
        fold_window(b, &opts);
        result(b, b->id, TABLE,
            leat_grouped_cogroup(parts, json_array_size(list), b->as, b->value->serde, &opts));
    }
    free(parts);
}

/* ---- joins ---- */

static void join(leat_ctx_t *ctx, const void *a, const void *b, value_t key)
{
    const op_t *op = leat_user(ctx);
    value_t result;
    const void *c;
    bool failed;

    if (!pair_eval(op->run, ctx, op->add, key, value_of(op->value, a), value_of(op->other, b),
            &result))
        return;
    c = c_of(ctx, op->value_out, &result, &failed);
    if (!failed)
        leat_emit_value(ctx, c);
}

static void run_table_join(leat_ctx_t *ctx, const void *a, const void *b)
{
    join(ctx, a, b, (value_t){0});
}

/* kind, function and its types; others add what their joins have besides */
static leat_join_opts_t join_opts(building_t *b, const step_t *with)
{
    const char *kind = text(b, "kind", "inner");
    op_t *op = op_of(b);

    op->add = pair_new(b->run, text(b, "fn", "pair:,"));
    op->other = with->value;
    return (leat_join_opts_t){.user = op,
        .user_free = op_free,
        .kind = strcmp(kind, "left") == 0    ? LEAT_LEFT
                : strcmp(kind, "outer") == 0 ? LEAT_OUTER
                                             : LEAT_INNER};
}

static void join_tables(building_t *b, const step_t *with)
{
    leat_join_opts_t opts = join_opts(b, with);

    opts.store = table_store(b);
    result(b, b->id, TABLE,
        leat_table_join(
            b->from->handle, with->handle, b->as, run_table_join, b->value->serde, &opts));
}

/* emits the right table's key */
static void run_foreign_key(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t result;
    const void *c;
    bool failed;

    if (!expr_eval(op->run, ctx, op->first, op_key(op, in), op_value(op, in), &result))
        return;
    c = c_of(ctx, op->other_key, &result, &failed);
    if (!failed)
        leat_emit_key(ctx, c);
}

static void join_foreign(building_t *b, const step_t *with)
{
    leat_join_opts_t opts = join_opts(b, with);
    op_t *op = opts.user;

    op->first = expr_new(b->run, text(b, "foreign_key", "value"));
    op->other_key = with->key;
    opts.store = derived_store(b);
    if (!opts.store.name)
        opts.store.name = LEAT_AUTO;
    result(b, b->id, TABLE,
        leat_table_join_foreign(b->from->handle, with->handle, b->as, run_foreign_key,
            run_table_join, b->value->serde, &opts));
}

static void run_stream_join(leat_ctx_t *ctx, const void *a, const void *b)
{
    const op_t *op = leat_user(ctx);

    join(ctx, a, b, value_of(op->key, leat_key(ctx)));
}

static int64_t or_zero(int64_t number)
{
    return number == 0 ? LEAT_ZERO : number;
}

static void join_stream_table(building_t *b, const step_t *with)
{
    leat_join_opts_t opts = join_opts(b, with);

    if (json_object_get(b->step, "grace"))
        opts.grace_ms = or_zero(get_int(b->step, "grace", 0));
    result(b, b->id, STREAM,
        leat_stream_join_table(
            b->from->handle, with->handle, b->as, run_stream_join, b->value->serde, &opts));
}

static void join_streams(building_t *b, const step_t *with)
{
    leat_join_opts_t opts = join_opts(b, with);
    const json_t *window = json_object_get(b->step, "window");

    b->run->joins_streams = true;
    opts.store.name = text(b, "store_name", NULL);
    if (!opts.store.name && b->as)
        opts.store.name = LEAT_AUTO;
    if (strcmp(text(b, "store_type", ""), "in_memory") == 0)
        opts.store.backend = leat_backend_memory();
    opts.store.changelog = get_bool(b->step, "logging", true) ? LEAT_DEFAULT : LEAT_OFF;
    result(b, b->id, STREAM,
        leat_stream_join(b->from->handle, with->handle, b->as, run_stream_join, b->value->serde,
            leat_between(get_int(window, "before", 0), get_int(window, "after", 0),
                get_int(window, "grace", 0)),
            &opts));
}

static void join_global(building_t *b, const step_t *with)
{
    leat_join_opts_t opts = join_opts(b, with);
    op_t *op = opts.user;

    op->first = expr_new(b->run, text(b, "key_fn", "key"));
    op->other_key = with->key;
    result(b, b->id, STREAM,
        leat_stream_join_global(b->from->handle, with->handle, b->as, run_foreign_key,
            run_stream_join, b->value->serde, &opts));
}

static void build_join(building_t *b)
{
    const step_t *with = find(b->run->steps, text(b, "with", ""));

    if (!with)
        unsupported(b->run, "join with an unknown step");
    else if (b->from->kind == TABLE && with->kind == TABLE)
        (text(b, "foreign_key", NULL) ? join_foreign : join_tables)(b, with);
    else if (b->from->kind == STREAM && with->kind == TABLE)
        join_stream_table(b, with);
    else if (b->from->kind == STREAM && with->kind == GLOBAL)
        join_global(b, with);
    else if (b->from->kind == STREAM && with->kind == STREAM)
        join_streams(b, with);
    else
        unsupported(b->run, "join of such steps");
}

static int64_t limit(const building_t *b, const char *field)
{
    int64_t given = get_int(b->step, field, 0);

    return json_object_get(b->step, field) && given == 0 ? LEAT_ZERO : given;
}

static void build_suppress(building_t *b)
{
    bool close = strcmp(text(b, "until", ""), "window_close") == 0;
    leat_suppress_opts_t opts = {.records_max = limit(b, "max_records"),
        .bytes_max = limit(b, "max_bytes"),
        .fail_when_full = strcmp(text(b, "when_full", "emit"), "shutdown") == 0,
        .changelog = get_bool(b->step, "logging", true) ? LEAT_DEFAULT : LEAT_OFF};

    result(b, b->id, TABLE,
        leat_table_suppress(b->from->handle, b->as,
            close ? LEAT_UNTIL_WINDOW_CLOSES : get_int(b->step, "ms", 0), &opts));
}

/* ---- the table of steps ---- */

static const struct known_t {
    const char *op;
    void (*build)(building_t *b);
    int from; /* result_t of its input; -1: none, -2: a stream or a table, -3: says so itself */
} known[] = {
    {"stream", build_source, -1},
    {"table", build_source, -1},
    {"global_table", build_source, -1},
    {"filter", build_filter, -2},
    {"filter_not", build_filter, -2},
    {"select_key", build_select_key, STREAM},
    {"map", build_map, STREAM},
    {"map_values", build_map_values, -2},
    {"transform_values", build_transform_values, TABLE},
    {"flat_map", build_flat_map, STREAM},
    {"flat_map_values", build_flat_map, STREAM},
    {"peek", build_peek, STREAM},
    {"for_each", build_peek, STREAM},
    {"split", build_split, STREAM},
    {"merge", build_merge, STREAM},
    {"process", build_process, STREAM},
    {"process_values", build_process, STREAM},
    {"to", build_to, STREAM},
    {"repartition", build_repartition, STREAM},
    {"to_table", build_to_table, STREAM},
    {"to_stream", build_to_stream, TABLE},
    {"group_by", build_group_by, -2},
    {"group_by_key", build_group_by_key, STREAM},
    {"suppress", build_suppress, TABLE},
    {"count", build_fold, GROUPED},
    {"reduce", build_fold, GROUPED},
    {"aggregate", build_fold, GROUPED},
    {"cogroup", build_cogroup, -3},
    {"join", build_join, -2},
};

static void build_step(building_t *b)
{
    const struct known_t *k = known, *end = known + sizeof known / sizeof *known;

    if (strcmp(b->op, "state_store") == 0) {
        build_store(b->run, b->step);
        return;
    }
    if (strcmp(b->op, "global_store") == 0) {
        build_filled(b->run, b->step, b->id, b->as);
        return;
    }
    while (k < end && strcmp(k->op, b->op) != 0)
        k++;
    if (k == end) {
        unsupported(b->run, "%s", b->op);
        return;
    }
    if (k->from >= 0)
        need_from(b, (result_t)k->from);
    else if (k->from == -2 && (!b->from || b->from->kind == GROUPED))
        need_from(b, STREAM);
    if (k->from == -1 && (!b->key || !b->value))
        unsupported(b->run, "a source without types");
    if (!b->run->unsupported)
        k->build(b);
}

void build_dsl(run_t *r, const json_t *topology)
{
    char *last = NULL;

    for (size_t i = 0; i < json_array_size(topology) && !r->unsupported; i++) {
        const json_t *step = json_array_get(topology, i);
        char *id = json_object_get(step, "id") ? need_text(get_text(step, "id", ""))
                                               : need_format("step-%zu", i);
        building_t b = {.run = r, .step = step, .op = get_text(step, "op", ""), .id = id};
        const named_t *before = r->steps;

        b.as = get_text(step, "as", NULL);
        b.from = find(r->steps, get_text(step, "from", last ? last : ""));
        b.stated_value = type_of(r, get_text(step, "value", NULL));
        b.key = type_of(r, get_text(step, "key", NULL));
        if (!b.key && b.from)
            b.key = b.from->key;
        b.value = b.stated_value ? b.stated_value : b.from ? b.from->value : NULL;
        build_step(&b);
        if (r->steps != before && strcmp(b.op, "split") != 0) {
            free(last);
            last = need_text(id);
        }
        free(id);
    }
    free(last);
}
