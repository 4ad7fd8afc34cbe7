/*
 * tests/conformance/scenario.c: one scenario from its JSON to a verdict: configuration, topology,
 * events, closures.
 *
 * Stages as the expectation names them: "build" is the configuration's and the topology's check,
 * "start" the making of the driver, "event" a record or an advance of the clock.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <regex.h>
#include "conformance.h"

/* ---- memory ---- */

void *need(size_t size)
{
    void *memory = calloc(1, size ? size : 1);

    if (!memory) {
        fputs("leat-conformance: out of memory\n", stderr);
        exit(3);
    }
    return memory;
}

char *need_text(const char *text)
{
    return strcpy(need(strlen(text) + 1), text);
}

static char *need_vformat(const char *format, va_list args)
{
    va_list again;
    char *text;
    int size;

    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = need((size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, args);
    return text;
}

char *need_format(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = need_vformat(format, args);
    va_end(args);
    return text;
}

/* ---- what a run collects ---- */

void unsupported(run_t *r, const char *format, ...)
{
    va_list args;

    if (r->unsupported)
        return;
    va_start(args, format);
    r->unsupported = need_vformat(format, args);
    va_end(args);
}

void differ(run_t *r, const char *format, ...)
{
    char *line, *all;
    va_list args;

    va_start(args, format);
    line = need_vformat(format, args);
    va_end(args);
    all = need_format(
        "%s%s%s", r->differences ? r->differences : "", r->differences ? "\n" : "", line);
    free(line);
    free(r->differences);
    r->differences = all;
    r->difference_count++;
}

void *find(const named_t *list, const char *name)
{
    for (; list; list = list->next) {
        if (strcmp(list->name, name) == 0)
            return list->item;
    }
    return NULL;
}

void add(named_t **list, const char *name, void *item)
{
    named_t *named = need(sizeof *named);

    *named = (named_t){*list, need_text(name ? name : ""), item};
    *list = named;
}

static void free_list(named_t *list)
{
    for (named_t *next; list; list = next) {
        next = list->next;
        free((char *)(uintptr_t)list->name);
        free(list->item);
        free(list);
    }
}

/* ---- fields ---- */

const char *get_text(const json_t *step, const char *field, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(step, field));

    return text ? text : otherwise;
}

int64_t get_int(const json_t *step, const char *field, int64_t otherwise)
{
    const json_t *value = json_object_get(step, field);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool get_bool(const json_t *step, const char *field, bool otherwise)
{
    const json_t *value = json_object_get(step, field);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

char *get_list(const json_t *step, const char *field)
{
    const json_t *value = json_object_get(step, field);
    char *list = NULL;

    if (json_is_string(value))
        return need_text(json_string_value(value));
    if (!json_is_array(value))
        return NULL;
    list = need_text("");
    for (size_t i = 0; i < json_array_size(value); i++) {
        char *longer =
            need_format("%s%s%s", list, i ? "," : "", json_string_value(json_array_get(value, i)));

        free(list);
        list = longer;
    }
    return list;
}

/* ---- closures ---- */

op_t *op_new(run_t *r, const char *id, const type_t *key, const type_t *value)
{
    op_t *op = need(sizeof *op);

    *op = (op_t){.run = r,
        .id = need_text(id ? id : ""),
        .key = key,
        .value = value,
        .key_out = key,
        .value_out = value};
    r->ops++;
    return op;
}

void op_free(void *closure)
{
    op_t *op = closure;

    op->run->ops--;
    expr_free(op->first);
    expr_free(op->second);
    expr_free(op->list);
    pair_free(op->add);
    pair_free(op->subtract);
    pair_free(op->merge);
    free(op->init);
    free(op->id);
    free(op->count_store);
    free(op);
}

value_t op_key(const op_t *op, const leat_record_t *in)
{
    return value_of(op->key, in->key);
}

value_t op_value(const op_t *op, const leat_record_t *in)
{
    return value_of(op->value, in->value);
}

void op_emit(leat_ctx_t *ctx, const op_t *op, const leat_record_t *like, const value_t *key,
    const value_t *value)
{
    leat_record_t out = *like;
    bool failed;

    out.key = c_of(ctx, op->key_out, key, &failed);
    if (failed)
        return;
    out.value = c_of(ctx, op->value_out, value, &failed);
    if (!failed)
        leat_emit_record(ctx, &out);
}

void call_record(const op_t *op, const leat_record_t *in)
{
    json_t *call = json_object();

    json_object_set_new(call, "id", json_string(op->id));
    json_object_set_new(call, "k", wire_json(op->key, in->key));
    json_object_set_new(call, "v", wire_json(op->value, in->value));
    json_array_append_new(op->run->calls, call);
}

void call_punctuate(const op_t *op, int64_t time_ms)
{
    json_t *call = json_object();

    json_object_set_new(call, "id", json_string(op->id));
    json_object_set_new(call, "punctuate", json_integer(time_ms));
    json_array_append_new(op->run->calls, call);
}

/* ---- time ---- */

static int64_t time_of_value(leat_ctx_t *ctx, const leat_record_t *in)
{
    const op_t *op = leat_user(ctx);
    value_t result;

    if (!expr_eval(op->run, ctx, op->first, op_key(op, in), op_value(op, in), &result))
        return -1;
    return result.type ? result.number : in->time_ms;
}

void set_timestamp(
    run_t *r, const json_t *step, leat_source_opts_t *opts, const type_t *key, const type_t *value)
{
    const char *name = get_text(step, "timestamp", "record"), *reset = get_text(step, "reset", "");
    op_t *op;

    opts->reset = strcmp(reset, "earliest") == 0 ? LEAT_RESET_EARLIEST
                  : strcmp(reset, "latest") == 0 ? LEAT_RESET_LATEST
                                                 : LEAT_RESET_DEFAULT;
    if (strcmp(name, "skip_invalid") == 0) {
        opts->timestamp = leat_timestamp_skip_invalid;
    } else if (strcmp(name, "partition_time") == 0) {
        opts->timestamp = leat_timestamp_partition;
    } else if (strncmp(name, "value:", 6) == 0) {
        op = op_new(r, "timestamp", key, value);
        op->first = expr_new(r, name + 6);
        opts->timestamp = time_of_value;
        opts->user = op;
        opts->user_free = op_free;
    } else if (strcmp(name, "record") != 0) {
        unsupported(r, "timestamp %s", name);
    }
}

/* ---- topics and their types ---- */

static void remember_topic(
    run_t *r, const char *name, bool pattern, const type_t *key, const type_t *value)
{
    topic_t *topic = need(sizeof *topic);

    add(&r->topics, name, topic);
    *topic = (topic_t){pattern ? r->topics->name : NULL, key, value};
}

void remember_topics(run_t *r, const json_t *step, const type_t *key, const type_t *value)
{
    const json_t *topics = json_object_get(step, "topics");

    if (get_text(step, "pattern", NULL))
        remember_topic(r, get_text(step, "pattern", NULL), true, key, value);
    if (get_text(step, "topic", NULL))
        remember_topic(r, get_text(step, "topic", NULL), false, key, value);
    for (size_t i = 0; i < json_array_size(topics); i++)
        remember_topic(r, json_string_value(json_array_get(topics, i)), false, key, value);
}

static bool matches(const char *pattern, const char *name)
{
    char *whole = need_format("^(%s)$", pattern);
    regex_t regex;
    bool yes = regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB) == 0;

    free(whole);
    if (yes) {
        yes = regexec(&regex, name, 0, NULL, 0) == 0;
        regfree(&regex);
    }
    return yes;
}

const topic_t *topic_of(const run_t *r, const char *name)
{
    for (const named_t *named = r->topics; named; named = named->next) {
        const topic_t *topic = named->item;

        if (topic->pattern ? matches(topic->pattern, name) : strcmp(named->name, name) == 0)
            return topic;
    }
    return NULL;
}

/* ---- configuration ---- */

static void set_number(leat_config_t *c, const char *key, int64_t number)
{
    char *text = need_format("%lld", (long long)number);

    leat_config_set(c, key, text);
    free(text);
}

static leat_config_t *make_config(run_t *r)
{
    const json_t *config = json_object_get(r->scenario, "config");
    const char *store = get_text(config, "store", r->backend ? r->backend : "rocksdb");
    const char *optimization = get_text(config, "optimization", "none");
    leat_config_t *c = leat_config_new();

    leat_config_set(c, "application.id", get_text(config, "application_id", "app"));
    leat_config_set(c, "bootstrap.servers", "embedded:");
    leat_config_set(c, "dsl.store.backend", strcmp(store, "in_memory") == 0 ? "memory" : store);
    leat_config_set(c, "topology.optimization", optimization);
    set_number(c, "statestore.cache.max.bytes", get_int(config, "cache_bytes", 0));
    set_number(c, "emit.interval.ms", get_int(config, "emit_interval_ms", 0));
    if (get_bool(config, "require_names", false))
        leat_config_set(c, "ensure.explicit.internal.resource.naming", "true");
    leat_config_set(
        c, "deserialization.exception.handler", get_text(config, "on_bad_input", "fail"));
    leat_config_set(c, "processing.exception.handler", get_text(config, "on_failure", "fail"));
    return c;
}

/* ---- errors ---- */

/* True: the run is over, as expected or not. */
static bool failed_at(run_t *r, const char *stage, size_t event, int rc, const leat_error_t *err)
{
    const json_t *wanted = json_object_get(r->expected, "error");
    bool here = wanted && strcmp(get_text(wanted, "stage", ""), stage) == 0 &&
                (strcmp(stage, "event") != 0 || get_int(wanted, "event", -1) == (int64_t)event);
    char *place = strcmp(stage, "event") == 0 ? need_format("event %zu", event) : need_text(stage);

    if (rc != LEAT_OK && !here)
        differ(r, "%s: fails with %s (%s: %s), expected %s", place, leat_error_name(rc), err->where,
            err->text, wanted ? "another failure" : "success");
    else if (rc != LEAT_OK && strcmp(leat_error_name(rc), get_text(wanted, "error", "")) != 0)
        differ(r, "%s: fails with %s (%s: %s), expected %s", place, leat_error_name(rc), err->where,
            err->text, get_text(wanted, "error", ""));
    else if (rc == LEAT_OK && here)
        differ(r, "%s: succeeds, expected %s (%s)", place, get_text(wanted, "error", ""),
            get_text(wanted, "text", ""));
    free(place);
    return rc != LEAT_OK || here;
}

/* ---- events ---- */

static int pipe_record(run_t *r, const json_t *event)
{
    const char *name = get_text(event, "topic", "");
    const topic_t *topic = topic_of(r, name);
    const json_t *headers = json_object_get(event, "headers");
    size_t count = json_array_size(headers);
    leat_header_t *list = need((count + 1) * sizeof *list);
    leat_slice_t key, value;
    bool has_key, has_value;
    int rc;

    if (!topic) {
        unsupported(r, "input of topic %s, which no step reads", name);
        free(list);
        return LEAT_OK;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(headers, i);

        list[i].name = json_string_value(json_array_get(pair, 0));
        list[i].value = leat_slice(json_string_value(json_array_get(pair, 1)));
    }
    has_key = bytes_of_json(r, topic->key, json_object_get(event, "key"), &key);
    has_value = bytes_of_json(r, topic->value, json_object_get(event, "value"), &value);
    rc = leat_test_pipe_bytes(r->test, name, has_key ? &key : NULL, has_value ? &value : NULL,
        get_int(event, "ts", 0), list, count);
    free((char *)(uintptr_t)key.data);
    free((char *)(uintptr_t)value.data);
    free(list);
    return rc;
}

static bool run_event(
    run_t *r, size_t index, const json_t *event, const json_t *wanted, double *dropped)
{
    leat_error_t err = {0};
    json_t *got;
    int rc;

    if (json_object_get(event, "advance_wall_ms"))
        rc = leat_test_advance_ms(r->test, get_int(event, "advance_wall_ms", 0));
    else
        rc = pipe_record(r, event);
    if (rc != LEAT_OK)
        leat_test_failure(r->test, &err);
    if (failed_at(r, "event", index, rc, &err) || r->unsupported)
        return false;
    got = observe_event(r, dropped);
    compare_event(r, index, got, wanted);
    json_decref(got);
    return true;
}

static void run_events(run_t *r, const char *description)
{
    const json_t *input = json_object_get(r->scenario, "input");
    const json_t *events = json_object_get(r->expected, "events");
    double dropped = 0;

    for (size_t i = 0; i < json_array_size(input); i++) {
        if (!run_event(r, i, json_array_get(input, i), json_array_get(events, i), &dropped))
            return;
    }
    if ((int64_t)dropped != get_int(r->expected, "dropped", 0) && !may_drop_more(r))
        differ(r, "dropped: %.0f, expected %lld", dropped,
            (long long)get_int(r->expected, "dropped", 0));
    compare_stores(r, description);
}

/* ---- the whole ---- */

static void build(run_t *r)
{
    const json_t *topology = json_object_get(r->scenario, "topology");
    const char *first = get_text(json_array_get(topology, 0), "op", "");

    if (r->unsupported)
        return;
    if (strncmp(first, "add_", 4) == 0)
        build_papi(r, topology);
    else
        build_dsl(r, topology);
}

static int check(const leat_topology_t *t, const leat_config_t *config, leat_error_t *err)
{
    int rc = leat_config_check(config, err);

    return rc == LEAT_OK ? leat_topology_check(t, config, err) : rc;
}

/* The topology is adopted. */
static void run_topology(run_t *r, leat_topology_t *t)
{
    leat_config_t *config = make_config(r);
    leat_test_opts_t opts = {
        .start_wall_ms = get_int(json_object_get(r->scenario, "config"), "start_wall_ms", 0)};
    char *description;
    leat_error_t err;
    int rc = check(t, config, &err);

    if (failed_at(r, "build", 0, rc, &err)) {
        leat_topology_free(t);
        leat_config_free(config);
        return;
    }
    compare_describe(r, leat_topology_describe(t, config, LEAT_FORMAT_TEXT));
    description = need_text(leat_topology_describe(t, config, LEAT_FORMAT_JSON));
    compare_internal(r, description);
    r->calls = json_array();
    r->test = leat_test_new(t, config, &opts);
    rc = leat_test_failure(r->test, &err);
    if (!failed_at(r, "start", 0, rc, &err))
        run_events(r, description);
    leat_test_free(r->test);
    json_decref(r->calls);
    free(description);
}

static void release(run_t *r)
{
    free_list(r->stores);
    free_list(r->steps);
    free_list(r->topics);
    for (type_t *type = r->types, *next; type; type = next) {
        next = type->next;
        free(type->name);
        free(type);
    }
}

verdict_t run_scenario(json_t *scenario, json_t *expected, const char *backend, char **text)
{
    run_t r = {.scenario = scenario, .expected = expected, .backend = backend};

    r.builder = leat_builder_new();
    build(&r);
    if (r.unsupported)
        leat_builder_free(r.builder);
    else
        run_topology(&r, leat_builder_finish(r.builder));
    if (r.ops != 0)
        differ(&r, "%d closures were not freed exactly once", r.ops);
    release(&r);
    *text = r.unsupported && r.ops == 0 ? r.unsupported : r.differences;
    if (r.unsupported && *text != r.unsupported)
        free(r.unsupported);
    if (*text && *text == r.unsupported) {
        free(r.differences);
        return VERDICT_UNSUPPORTED;
    }
    if (!r.differences)
        return VERDICT_OK;
    return json_object_get(scenario, "quirk") ? VERDICT_DEVIATES : VERDICT_FAIL;
}
