/*
 * runtime/papi.c: the Processor API: nodes and stores tied together by names.
 *
 * A call is checked for what can be seen at once (missing arguments, options that were not
 * initialised), copied into the topology, and replayed into a plan when the topology is compiled.
 * Replay keeps the order of the calls. What connects a store stands behind the store and the
 * processor, as in Kafka Streams; only .stores may name what comes later. A call on a nil or failed
 * builder still adopts its user data.
 */
#include <stdio.h>
#include <string.h>
#include "papi.h"

/* ---- keeping calls ---- */

static leat__papi_call_t *add(leat_builder_t *b, leat__papi_t what, const char *name)
{
    leat__papi_call_t *call = leat__builder_alloc(b, sizeof *call);

    if (!call)
        return NULL;
    call->what = what;
    call->name = leat__builder_strdup(b, name);
    *b->topology->last_call = call;
    b->topology->last_call = &call->next;
    return call;
}

/*
 * Options must be zero where nothing was set: else they were never initialised, and .user is no
 * pointer.
 */
static void check_reserved(
    leat_builder_t *b, const char *name, void *const *reserved, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!reserved[i])
            continue;
        leat__builder_error(b, LEAT_EARGUMENT, name,
            "reserved fields of an options struct are not zero: "
            "initialise it with {0} before setting fields");
        return;
    }
}

#define CHECK_RESERVED(b, name, reserved) \
    check_reserved((b), (name), (reserved), sizeof(reserved) / sizeof(reserved)[0])

static bool require(leat_builder_t *b, const char *name, const char *what, const void *argument)
{
    if (!argument)
        leat__builder_error(b, LEAT_ENULL, name, "%s needs %s", name ? name : "a node", what);
    return argument != NULL;
}

static void copy_store_opts(
    leat_builder_t *b, const char *name, leat_store_opts_t *to, const leat_store_opts_t *from)
{
    if (!from)
        return;
    CHECK_RESERVED(b, name, from->reserved);
    *to = *from;
    to->name = leat__builder_strdup(b, from->name);
    to->changelog_config = leat__builder_strdup(b, from->changelog_config);
    to->processors = leat__builder_strdup(b, from->processors);
}

/* ---- the public calls ---- */

void leat_builder_source(leat_builder_t *b, const char *topic, const char *name,
    const leat_serde_t *key, const leat_serde_t *value, const leat_source_opts_t *opts)
{
    leat__papi_call_t *call;

    if (opts)
        leat__builder_adopt_user(b, opts->user, opts->user_free);
    if (!require(b, name, "a name", name) || !require(b, name, "a topic", topic) ||
        !require(b, name, "a serde for its key", key) ||
        !require(b, name, "a serde for its value", value))
        return;
    call = add(b, LEAT__PAPI_SOURCE, name);
    if (!call)
        return;
    call->topic = leat__builder_strdup(b, topic);
    call->key = key;
    call->value = value;
    if (opts) {
        CHECK_RESERVED(b, name, opts->reserved);
        call->source = *opts;
        call->source.name = NULL;
        call->source.store = (leat_store_opts_t){0};
    }
}

void leat_builder_processor(leat_builder_t *b, const char *parents, const char *name,
    leat_map_fn process, const leat_node_opts_t *opts)
{
    leat__papi_call_t *call;

    if (opts)
        leat__builder_adopt_user(b, opts->user, opts->user_free);
    if (!require(b, name, "a name", name) || !require(b, name, "parents", parents))
        return;
    if (!process) {
        leat__builder_error(b, LEAT_ENULL, name, "processor '%s' needs a function", name);
        return;
    }
    call = add(b, LEAT__PAPI_PROCESSOR, name);
    if (!call)
        return;
    call->list = leat__builder_strdup(b, parents);
    call->function = process;
    if (opts) {
        CHECK_RESERVED(b, name, opts->reserved);
        call->node = *opts;
        call->node.stores = leat__builder_strdup(b, opts->stores);
    }
}

static leat__papi_call_t *add_sink(leat_builder_t *b, const char *parents, const char *name,
    const leat_serde_t *key, const leat_serde_t *value, const leat_sink_opts_t *opts)
{
    leat__papi_call_t *call;

    if (opts)
        leat__builder_adopt_user(b, opts->user, opts->user_free);
    if (!require(b, name, "a name", name) || !require(b, name, "parents", parents) ||
        !require(b, name, "a serde for its key", key) ||
        !require(b, name, "a serde for its value", value))
        return NULL;
    call = add(b, LEAT__PAPI_SINK, name);
    if (!call)
        return NULL;
    call->list = leat__builder_strdup(b, parents);
    call->key = key;
    call->value = value;
    if (opts) {
        CHECK_RESERVED(b, name, opts->reserved);
        call->sink = *opts;
        call->sink.name = NULL;
        call->sink.label = leat__builder_strdup(b, opts->label);
    }
    return call;
}

void leat_builder_sink(leat_builder_t *b, const char *parents, const char *name, const char *topic,
    const leat_serde_t *key, const leat_serde_t *value, const leat_sink_opts_t *opts)
{
    leat__papi_call_t *call = add_sink(b, parents, name, key, value, opts);

    if (call && require(b, name, "a topic", topic))
        call->topic = leat__builder_strdup(b, topic);
}

void leat_builder_route(leat_builder_t *b, const char *parents, const char *name, leat_map_fn topic,
    const leat_serde_t *key, const leat_serde_t *value, const leat_sink_opts_t *opts)
{
    leat__papi_call_t *call = add_sink(b, parents, name, key, value, opts);

    if (call && !topic)
        leat__builder_error(
            b, LEAT_ENULL, name, "sink '%s' needs a function that chooses its topic", name);
    else if (call)
        call->function = topic;
}

void leat_builder_store(leat_builder_t *b, const char *name, leat_store_kind_t kind,
    const leat_serde_t *key, const leat_serde_t *value, const leat_store_opts_t *opts)
{
    leat__papi_call_t *call;

    if (!require(b, name, "a name", name))
        return;
    if (kind == LEAT_CUSTOM) {
        leat__builder_error(b, LEAT_EARGUMENT, name,
            "store '%s': leat_builder_custom_store makes custom "
            "stores",
            name);
        return;
    }
    if (!require(b, name, "a serde for its key", key) ||
        !require(b, name, "a serde for its value", value))
        return;
    call = add(b, LEAT__PAPI_STORE, name);
    if (!call)
        return;
    call->kind = kind;
    call->key = key;
    call->value = value;
    copy_store_opts(b, name, &call->store, opts);
}

void leat_builder_custom_store(
    leat_builder_t *b, const char *name, const leat_custom_t *custom, const leat_store_opts_t *opts)
{
    leat__papi_call_t *call;

    if (!require(b, name, "a name", name) || !require(b, name, "its functions", custom))
        return;
    call = add(b, LEAT__PAPI_STORE, name);
    if (!call)
        return;
    call->kind = LEAT_CUSTOM;
    call->custom = custom;
    copy_store_opts(b, name, &call->store, opts);
}

void leat_builder_connect(leat_builder_t *b, const char *processor, const char *stores)
{
    leat__papi_call_t *call;

    if (!require(b, processor, "a processor's name", processor) ||
        !require(b, processor, "the names of stores", stores))
        return;
    if (!stores[0]) {
        leat__builder_error(
            b, LEAT_ETOPOLOGY, processor, "connect: no store is named for '%s'", processor);
        return;
    }
    call = add(b, LEAT__PAPI_CONNECT, processor);
    if (call)
        call->list = leat__builder_strdup(b, stores);
}

/* ---- stores filled from a topic ---- */

static void set_fill(leat_builder_t *b, leat__papi_call_t *call, const char *name,
    const leat_fill_opts_t *opts)
{
    size_t size = strlen(name) + sizeof "-source";
    char *source = opts->source_name ? leat__builder_strdup(b, opts->source_name)
                                     : leat__builder_alloc(b, size);

    if (source && !opts->source_name)
        snprintf(source, size, "%s-source", name);
    CHECK_RESERVED(b, name, opts->reserved);
    CHECK_RESERVED(b, name, opts->node.reserved);
    call->list = source;
    call->source.timestamp = opts->timestamp;
    call->source.user = opts->node.user;
    call->source.reset = LEAT_RESET_EARLIEST;
    call->node = opts->node;
    call->node.stores = leat__builder_strdup(b, opts->node.stores);
    if (opts->store_key)
        call->store_key = opts->store_key;
    if (opts->store_value)
        call->store_value = opts->store_value;
    copy_store_opts(b, name, &call->store, &opts->store);
}

void leat__papi_fill(leat_builder_t *b, bool global, const char *topic, const char *name,
    leat_map_fn fill, leat_store_kind_t kind, const leat_serde_t *key, const leat_serde_t *value,
    const leat_fill_opts_t *opts)
{
    leat__papi_call_t *call;

    if (opts)
        leat__builder_adopt_user(b, opts->node.user, opts->node.user_free);
    if (!require(b, name, "a name", name) || !require(b, name, "a topic", topic) ||
        !require(b, name, "a name of its store (.store.name)", opts ? opts->store.name : NULL) ||
        !require(b, name, "a serde for its key", key) ||
        !require(b, name, "a serde for its value", value))
        return;
    if (!fill) {
        leat__builder_error(b, LEAT_ENULL, name, "processor '%s' needs a function", name);
        return;
    }
    call = add(b, global ? LEAT__PAPI_GLOBAL : LEAT__PAPI_READ_ONLY, name);
    if (!call)
        return;
    call->topic = leat__builder_strdup(b, topic);
    call->function = fill;
    call->kind = kind;
    call->key = call->store_key = key;
    call->value = call->store_value = value;
    set_fill(b, call, name, opts);
}

void leat_builder_read_only_store(leat_builder_t *b, const char *topic, const char *name,
    leat_map_fn fill, leat_store_kind_t kind, const leat_serde_t *key, const leat_serde_t *value,
    const leat_fill_opts_t *opts)
{
    leat__papi_fill(b, false, topic, name, fill, kind, key, value, opts);
}

/* ---- replay ---- */

/* "a,b" → names, all in one allocation of the plan. */
static const char **split(leat__plan_t *p, const char *list, size_t *count)
{
    const char *at = list, *name, **names;
    size_t size, room = 1;
    char *text;

    for (const char *c = list; *c; c++)
        room += *c == ',';
    names = leat__plan_alloc(p, room * sizeof *names + strlen(list) + room + 1);
    *count = 0;
    if (!names)
        return NULL;
    text = (char *)(names + room);
    while (leat__list_next(&at, &name, &size)) {
        names[(*count)++] = memcpy(text, name, size);
        text += size + 1;
    }
    return names;
}

static void replay_node(leat__plan_t *p, const leat__papi_call_t *call)
{
    const char **parents;
    size_t count;

    if (call->what == LEAT__PAPI_SOURCE) {
        leat__plan_source(p, call->name, call->topic, call->key, call->value, &call->source);
        return;
    }
    parents = split(p, call->list, &count);
    if (!parents)
        return;
    if (call->what == LEAT__PAPI_PROCESSOR)
        leat__plan_processor(p, call->name, parents, count, call->function, &call->node);
    else if (call->what == LEAT__PAPI_SINK)
        leat__plan_sink(p, call->name, parents, count, call->topic, call->function, call->key,
            call->value, &call->sink);
    else if (call->what == LEAT__PAPI_CONNECT)
        for (size_t i = 0; i < count; i++)
            leat__plan_connect(p, call->name, parents[i]);
}

static void replay_fill(leat__plan_t *p, const leat__papi_call_t *call)
{
    const char *parent = call->list, *store = call->store.name;
    leat__node_t *source =
        leat__plan_source(p, call->list, call->topic, call->key, call->value, &call->source);
    leat__node_t *processor =
        leat__plan_processor(p, call->name, &parent, 1, call->function, &call->node);

    if (call->what == LEAT__PAPI_GLOBAL) {
        leat__plan_global(p, source, processor, store, call->kind, call->store_key,
            call->store_value, &call->store);
        return;
    }
    if (!leat__plan_store(p, store, call->kind, call->store_key, call->store_value, &call->store,
            NULL, false))
        return;
    leat__plan_connect(p, call->name, store);
    leat__plan_source_changelog(p, store, call->topic);
}

static void replay(leat__plan_t *p, const leat__papi_call_t *call)
{
    if (call->what == LEAT__PAPI_GLOBAL || call->what == LEAT__PAPI_READ_ONLY)
        replay_fill(p, call);
    else if (call->what == LEAT__PAPI_STORE)
        leat__plan_store(
            p, call->name, call->kind, call->key, call->value, &call->store, call->custom, false);
    else
        replay_node(p, call);
}

void leat__papi_replay(const leat_topology_t *t, leat__plan_t *p)
{
    static char yes[] = "";

    for (leat__papi_call_t *call = t->calls; call && p->error.code == LEAT_OK; call = call->next) {
        bool node = call->what != LEAT__PAPI_STORE && call->what != LEAT__PAPI_CONNECT;

        if (node && !leat__map_put(&p->private_->later, call->name, yes))
            leat__plan_fail(p, LEAT_ENOMEM, "", "out of memory while compiling the topology");
    }
    p->private_->ordered = true;
    for (leat__papi_call_t *call = t->calls; call && p->error.code == LEAT_OK; call = call->next)
        replay(p, call);
    p->private_->ordered = false;
}
