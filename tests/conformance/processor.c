/* tests/conformance/processor.c: the processors of FORMAT.md, section 5. */
#include <string.h>
#include "conformance.h"

typedef struct local_t { /* of buffer and tick */
    leat_timer_t *timer;
    int64_t fired;
} local_t;

static void emit_value(leat_ctx_t *ctx, const leat_record_t *in, const op_t *op, value_t value)
{
    value_t key = op_key(op, in);

    op_emit(ctx, op, in, &key, &value);
}

static leat_kv_t *store_of(leat_ctx_t *ctx, const op_t *op)
{
    return leat_kv(ctx, get_text(op->spec, "store", ""));
}

/*
 * A processor of Kafka Streams asks for its store when it is opened: a wrong name fails at the
 * start.
 */
static void open_store(leat_ctx_t *ctx)
{
    const op_t *op = leat_user(ctx);
    const char *name = get_text(op->spec, "store", "");

    if (op->store->kind == 'w')
        leat_windows(ctx, name);
    else if (op->store->kind == 's')
        leat_sessions(ctx, name);
    else if (op->store->kind == 'v')
        leat_versions(ctx, name);
    else
        leat_kv(ctx, name);
}

/* ---- without stores ---- */

static void pass(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static void swallow(leat_ctx_t *ctx, const leat_record_t *in)
{
    (void)ctx;
    (void)in;
}

static void map(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t key = op_key(op, in), value = op_value(op, in), new_key, new_value;

    if (expr_eval(op->run, ctx, op->first, key, value, &new_key) &&
        expr_eval(op->run, ctx, op->second, key, value, &new_value))
        op_emit(ctx, op, in, &new_key, &new_value);
}

static void shift_time(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    leat_record_t out = *in;

    out.time_ms += get_int(op->spec, "ms", 0);
    leat_emit_record(ctx, &out);
}

static void add_header(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    leat_slice_t value = leat_slice(get_text(op->spec, "value", ""));
    leat_record_t out = *in;

    out.headers = leat_headers_with(ctx, in->headers, get_text(op->spec, "header", ""), &value);
    leat_emit_record(ctx, &out);
}

static void drop_header(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    leat_record_t out = *in;

    out.headers = leat_headers_without(ctx, in->headers, get_text(op->spec, "header", ""));
    leat_emit_record(ctx, &out);
}

static void show_headers(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    leat_slice_t text = leat_slice("");

    for (size_t i = 0; i < leat_headers_count(in->headers); i++) {
        const leat_header_t *header = leat_headers_at(in->headers, i);
        leat_slice_t value = header->value.data ? header->value : leat_slice("null");

        text = *leat_text(ctx, "%.*s%s=%.*s;", LEAT_P(&text), header->name, LEAT_P(&value));
    }
    emit_value(ctx, in, op, text_value(op->run, text));
}

static void fan_out(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t value = op_value(op, in);
    leat_slice_t text = text_of(ctx, &value);

    for (int64_t i = 0; i < get_int(op->spec, "n", 0); i++)
        emit_value(ctx, in, op,
            text_value(op->run, *leat_text(ctx, "%.*s#%lld", LEAT_P(&text), (long long)i)));
}

static void route(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    bool yes = predicate_eval(op->run, ctx, op->first, op_key(op, in), op_value(op, in));

    leat_emit_to(ctx, get_text(op->spec, yes ? "then" : "otherwise", ""), in);
}

static void meta(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    const leat_meta_t *m = leat_meta(ctx);
    leat_slice_t at =
        m ? *leat_text(ctx, "%s/%d/%lld", m->topic, m->partition, (long long)m->offset)
          : leat_slice("null/-1/-1"); /* Kafka Streams' record of a punctuation */

    emit_value(ctx, in, op,
        text_value(
            op->run, *leat_text(ctx, "%.*s/%lld/%lld", LEAT_P(&at),
                         (long long)leat_stream_time_ms(ctx), (long long)leat_wall_ms(ctx))));
}

/* ---- with stores ---- */

static void dedup(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *store = store_of(ctx, leat_user(ctx));

    if (in->key && leat_kv_get(store, in->key))
        return;
    if (in->key)
        leat_kv_put(store, in->key, in->value);
    leat_emit_record(ctx, in);
}

static void running_sum(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    leat_kv_t *store = store_of(ctx, op);
    value_t before = value_copy(ctx, value_of(op->store->value, leat_kv_get(store, in->key))), sum;
    bool failed;
    const void *c;

    if (!pair_eval(op->run, ctx, op->add, op_key(op, in), before, op_value(op, in), &sum))
        return;
    c = c_of(ctx, op->store->value, &sum, &failed);
    if (failed)
        return;
    leat_kv_put(store, in->key, c);
    emit_value(ctx, in, op, sum);
}

static void previous(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    leat_kv_t *store = store_of(ctx, op);
    value_t before = value_copy(ctx, value_of(op->store->value, leat_kv_get(store, in->key)));

    leat_kv_put(store, in->key, in->value);
    emit_value(ctx, in, op, before);
}

static void store_put(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    const char *name = get_text(op->spec, "store", "");

    if (op->store->kind == 'w')
        leat_windows_put(leat_windows(ctx, name), in->key, in->value, in->time_ms);
    else if (op->store->kind == 's')
        leat_sessions_put(
            leat_sessions(ctx, name), in->key, in->value, in->time_ms, in->time_ms);
    else if (op->store->kind == 'v')
        leat_versions_put(leat_versions(ctx, name), in->key, in->value, in->time_ms);
    else
        leat_kv_put(leat_kv(ctx, name), in->key, in->value);
}

static void store_delete(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    const leat_row_t *row;
    const void *old;

    if (op->store->kind == 'v') {
        row = leat_versions_delete(
            leat_versions(ctx, get_text(op->spec, "store", "")), in->key, in->time_ms);
        old = row ? row->value : NULL;
    } else {
        old = leat_kv_delete(store_of(ctx, op), in->key);
    }
    emit_value(ctx, in, op, value_copy(ctx, value_of(op->store->value, old)));
}

static void put_if_absent(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);

    emit_value(ctx, in, op,
        value_copy(ctx, value_of(op->store->value,
                            leat_kv_put_if_absent(store_of(ctx, op), in->key, in->value))));
}

static leat_slice_t found(leat_ctx_t *ctx, const op_t *op, const leat_row_t *row)
{
    value_t value;
    leat_slice_t text;

    if (!row)
        return leat_slice("null");
    value = value_of(op->store->value, row->value);
    text = text_of(ctx, &value);
    if (op->store->timestamped)
        return *leat_text(ctx, "%.*s@%lld", LEAT_P(&text), (long long)row->time_ms);
    return *leat_text(ctx, "%.*s", LEAT_P(&text));
}

/* In a store of whatever kind. */
static const leat_row_t *find_row(
    leat_ctx_t *ctx, const op_t *op, const void *key, int64_t time_ms)
{
    const char *name = get_text(op->spec, "store", "");
    leat_row_t *row;
    const void *value;

    if (op->store->kind == 'w')
        return leat_windows_row(leat_windows(ctx, name), key, time_ms);
    if (op->store->kind == 'v')
        return json_object_get(op->spec, "as_of_minus")
                   ? leat_versions_as_of(leat_versions(ctx, name), key,
                         time_ms - get_int(op->spec, "as_of_minus", 0))
                   : leat_versions_get(leat_versions(ctx, name), key);
    if (op->store->kind == 'k')
        return leat_kv_row(store_of(ctx, op), key);
    value = leat_sessions_get(leat_sessions(ctx, name), key, time_ms, time_ms);
    if (!value)
        return NULL;
    row = leat_scratch(ctx, sizeof *row);
    row->value = value;
    return row;
}

static void lookup(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t key = op_key(op, in), value = op_value(op, in), wanted;
    leat_slice_t text = text_of(ctx, &value), got = leat_slice("null");
    const void *c;
    bool failed;

    if (!expr_eval(op->run, ctx, op->first, key, value, &wanted))
        return;
    c = c_of(ctx, op->store->key, &wanted, &failed);
    if (failed)
        return;
    if (c)
        got = found(ctx, op, find_row(ctx, op, c, in->time_ms));
    emit_value(ctx, in, op,
        text_value(op->run, *leat_text(ctx, "%.*s+%.*s", LEAT_P(&text), LEAT_P(&got))));
}

typedef struct entry_t {
    struct entry_t *next;
    value_t key, value;
} entry_t;

static leat_iter_t *scan_windows(leat_ctx_t *ctx, const op_t *op, const leat_record_t *in,
    const leat_slice_t *from, const leat_slice_t *to)
{
    leat_windows_t *store = leat_windows(ctx, get_text(op->spec, "store", ""));
    const char *query = get_text(op->spec, "query", "all");
    leat_order_t order = strncmp(query, "backward", 8) == 0 ? LEAT_DESCENDING : LEAT_ASCENDING;
    int64_t from_ms = in->time_ms - get_int(op->spec, "before_ms", 0);
    int64_t to_ms = in->time_ms + get_int(op->spec, "after_ms", 0);

    if (strcmp(query, "fetch") == 0 || strcmp(query, "backward_fetch") == 0)
        return leat_windows_fetch(store, in->key, from_ms, to_ms, order);
    if (strcmp(query, "all") == 0 || strcmp(query, "backward_all") == 0)
        return leat_windows_range(store, NULL, NULL, INT64_MIN, INT64_MAX, order);
    return leat_windows_range(store, from, to, from_ms, to_ms, order);
}

static leat_iter_t *scan_sessions(leat_ctx_t *ctx, const op_t *op, const leat_record_t *in,
    const leat_slice_t *from, const leat_slice_t *to)
{
    leat_sessions_t *store = leat_sessions(ctx, get_text(op->spec, "store", ""));
    const char *query = get_text(op->spec, "query", "fetch");
    leat_order_t order = strncmp(query, "backward", 8) == 0 ? LEAT_DESCENDING : LEAT_ASCENDING;

    if (strcmp(query, "find") == 0)
        return leat_sessions_find(store, in->key, in->key,
            in->time_ms - get_int(op->spec, "before_ms", 0),
            in->time_ms + get_int(op->spec, "after_ms", 0), order);
    if (strcmp(query, "fetch_range") == 0)
        return leat_sessions_find(store, from, to, 0, INT64_MAX, order);
    return leat_sessions_find(store, in->key, in->key, 0, INT64_MAX, order);
}

static leat_iter_t *open_scan(leat_ctx_t *ctx, const op_t *op, const leat_record_t *in)
{
    leat_kv_t *store;
    const char *query = get_text(op->spec, "query", "all");
    const char *from_text = get_text(op->spec, "from", NULL),
               *to_text = get_text(op->spec, "to", NULL);
    leat_slice_t from = leat_slice(from_text), to = leat_slice(to_text);
    leat_order_t order = strncmp(query, "reverse", 7) == 0 ? LEAT_DESCENDING : LEAT_ASCENDING;

    if (op->store->kind == 'w')
        return scan_windows(ctx, op, in, from_text ? &from : NULL, to_text ? &to : NULL);
    if (op->store->kind == 's')
        return scan_sessions(ctx, op, in, from_text ? &from : NULL, to_text ? &to : NULL);
    store = store_of(ctx, op);
    if (strcmp(query, "prefix") == 0)
        return leat_kv_prefix(store, &from, order);
    if (strstr(query, "range"))
        return leat_kv_range(store, from_text ? &from : NULL, to_text ? &to : NULL, order);
    return leat_kv_range(store, NULL, NULL, order);
}

/* Windows and sessions say which they are. */
static leat_slice_t shown(
    leat_ctx_t *ctx, const op_t *op, const leat_row_t *row, value_t key)
{
    const char *query = get_text(op->spec, "query", "all");
    leat_slice_t text = found(ctx, op, row), name;

    if (op->store->kind != 'w' && op->store->kind != 's')
        return text;
    if (op->store->kind == 'w' &&
        (strcmp(query, "fetch") == 0 || strcmp(query, "backward_fetch") == 0))
        return *leat_text(ctx, "%lld:%.*s", (long long)row->start_ms, LEAT_P(&text));
    name = text_of(ctx, &key);
    return *leat_text(ctx, "[%.*s@%lld/%lld]:%.*s", LEAT_P(&name), (long long)row->start_ms,
        (long long)row->end_ms, LEAT_P(&text));
}

/* All entries, read before anything is forwarded. */
static entry_t *read_all(leat_ctx_t *ctx, const op_t *op, leat_iter_t *it, bool show)
{
    entry_t *first = NULL, **last = &first;
    const leat_row_t *row;

    while ((row = leat_iter_next(it))) {
        entry_t *entry = leat_scratch(ctx, sizeof *entry);

        entry->key = value_copy(ctx, value_of(op->store->key, row->key));
        entry->value = show ? text_value(op->run, shown(ctx, op, row, entry->key))
                            : value_copy(ctx, value_of(op->store->value, row->value));
        *last = entry;
        last = &entry->next;
    }
    return first;
}

static void scan(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);

    for (entry_t *entry = read_all(ctx, op, open_scan(ctx, op, in), true); entry; entry = entry->next)
        op_emit(ctx, op, in, &entry->key, &entry->value);
}

/* ---- with timers ---- */

static void fired(leat_ctx_t *ctx, const op_t *op)
{
    local_t *local = leat_local(ctx);

    if (++local->fired == get_int(op->spec, "cancel_after", -1))
        leat_cancel(ctx, local->timer);
}

static void buffer_tick(leat_ctx_t *ctx, const leat_record_t *tick)
{
    const op_t *op = leat_user(ctx);
    leat_kv_t *store = store_of(ctx, op);
    bool failed;

    call_punctuate(op, tick->time_ms);
    for (entry_t *entry =
             read_all(ctx, op, leat_kv_range(store, NULL, NULL, LEAT_ASCENDING), false);
         entry; entry = entry->next) {
        op_emit(ctx, op, tick, &entry->key, &entry->value);
        if (get_bool(op->spec, "clear", false))
            leat_kv_delete(store, c_of(ctx, op->store->key, &entry->key, &failed));
    }
    fired(ctx, op);
}

static void tick_tick(leat_ctx_t *ctx, const leat_record_t *tick)
{
    const op_t *op = leat_user(ctx);
    value_t key = text_value(op->run, leat_slice("tick"));
    value_t value = text_value(op->run, *leat_text(ctx, "%lld", (long long)tick->time_ms));

    call_punctuate(op, tick->time_ms);
    op_emit(ctx, op, tick, &key, &value);
    fired(ctx, op);
}

static void open_timer(leat_ctx_t *ctx)
{
    const op_t *op = leat_user(ctx);
    local_t *local = leat_local(ctx);
    bool wall = strcmp(get_text(op->spec, "clock", ""), "wall") == 0;

    if (op->store)
        open_store(ctx);
    local->timer = leat_schedule(ctx, get_int(op->spec, "interval_ms", 0),
        wall ? LEAT_WALL_TIME : LEAT_STREAM_TIME, op->store ? buffer_tick : tick_tick);
}

/* ---- the table ---- */

enum { TEXT = 1, STORE = 2, TIMER = 4, STORED = 8 };

static const struct known_t {
    const char *name;
    leat_map_fn process;
    unsigned flags; /* TEXT: the value becomes a string. STORED: it becomes what the store holds */
} known[] = {
    {"pass", pass, 0},
    {"sink", swallow, 0},
    {"map", map, 0},
    {"shift_time", shift_time, 0},
    {"add_header", add_header, 0},
    {"drop_header", drop_header, 0},
    {"show_headers", show_headers, TEXT},
    {"fan_out", fan_out, TEXT},
    {"route", route, 0},
    {"meta", meta, TEXT},
    {"dedup", dedup, STORE},
    {"running_sum", running_sum, STORE | STORED},
    {"previous", previous, STORE | STORED},
    {"store_put", store_put, STORE},
    {"store_delete", store_delete, STORE | STORED},
    {"put_if_absent", put_if_absent, STORE | STORED},
    {"lookup", lookup, STORE | TEXT},
    {"scan", scan, STORE | TEXT},
    {"buffer", store_put, STORE | TIMER | STORED},
    {"tick", pass, TIMER},
};

static const store_t *wanted_store(
    run_t *r, const json_t *spec, const type_t *key, const type_t *value)
{
    const char *name = get_text(spec, "store", "");

    if (!find(r->stores, name)) /* an error that leat has to find */
        remember_store(r, name, key, value, "kv");
    return find(r->stores, name);
}

static const type_t *derive(run_t *r, const struct known_t *k, const op_t *op, bool of_key)
{
    if (k->process == map) { /* a null tells no type: the one before stays */
        const type_t *made = expr_type(r, of_key ? op->first : op->second, op->key, op->value);

        return made ? made : of_key ? op->key : op->value;
    }
    if (of_key)
        return k->process == scan || (k->flags & STORE && k->flags & TIMER) ? op->store->key
                                                                            : op->key;
    return k->flags & TEXT     ? type_of(r, "string")
           : k->flags & STORED ? op->store->value
                               : op->value;
}

bool processor_make(run_t *r, const char *id, const json_t *step, const type_t *key,
    const type_t *value, const type_t *key_out, const type_t *value_out, processor_t *p)
{
    const json_t *spec = json_object_get(step, "processor");
    const char *name = get_text(spec, "name", "");
    const struct known_t *k = known, *end = known + sizeof known / sizeof *known;
    op_t *op;

    while (k < end && strcmp(k->name, name) != 0)
        k++;
    if (k == end) {
        unsupported(r, "processor %s", name);
        return false;
    }
    op = op_new(r, id, key, value);
    op->spec = spec;
    op->first = k->process == route ? predicate_new(r, get_text(spec, "when", "true"))
                                    : expr_new(r, get_text(spec, "key_fn", "key"));
    op->second = expr_new(r, get_text(spec, "value_fn", "value"));
    op->add = k->process == running_sum ? pair_new(r, "sum") : NULL;
    op->store = k->flags & STORE ? wanted_store(r, spec, key, value) : NULL;
    op->key_out = key_out ? key_out : derive(r, k, op, true);
    op->value_out = value_out ? value_out : derive(r, k, op, false);
    *p = (processor_t){.process = k->process, .key_out = op->key_out, .value_out = op->value_out};
    p->opts = (leat_node_opts_t){.user = op, .user_free = op_free};
    if (k->flags & TIMER)
        p->opts.local_size = sizeof(local_t);
    p->opts.open = k->flags & TIMER ? open_timer : k->flags & STORE ? open_store : NULL;
    return true;
}
