/*
 * runtime/query.c: leat/query.h: reads by threads of the program; options, and handles of stores.
 *
 * A handle is one of store.h over a remote (statestore/ask.h), which query_rows.c carries over to
 * the threads that own the store's partitions.
 */
#include "query_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { TIMEOUT_MS = 30000 };

void leat__query_fail(leat_query_t *q, const leat_error_t *err)
{
    if (!q->failure.code)
        q->failure = *err;
}

static void on_fail(leat__owner_t *o, int code, const char *text)
{
    leat_query_t *q = (leat_query_t *)(void *)((char *)o - offsetof(leat_query_t, owner));
    leat_error_t err;

    leat__error(&err, code, 0, "query", "%s", text);
    leat__query_fail(q, &err);
}

static void bad_option(leat_query_t *q, const char *option, const char *value, const char *form)
{
    leat_error_t err;

    leat__error(&err, LEAT_EARGUMENT, 0, "query", ".%s is \"%s\": it must be like %s", option, value,
        form);
    leat__query_fail(q, &err);
}

static void read_partitions(leat_query_t *q, const char *text)
{
    size_t room = 0;
    const char *at = text;

    for (;;) {
        char *end;
        long n = strtol(at, &end, 10);

        if (end == at || n < 0 || n > INT32_MAX || (*end != ',' && *end != '\0')) {
            bad_option(q, "partitions", text, "\"0,3\"");
            return;
        }
        LEAT__GROW(q->partitions, q->partition_count, room);
        q->partitions[q->partition_count++] = (int32_t)n;
        if (*end == '\0')
            return;
        at = end + 1;
    }
}

/* topic-partition@offset, and more behind commas. */
static bool is_position(const char *text)
{
    while (*text) {
        size_t size = strcspn(text, ",");
        const char *at = memchr(text, '@', size);

        if (!at || at == text || strspn(at + 1, "0123456789") != (size_t)(text + size - at - 1) ||
            at + 1 == text + size)
            return false;
        text += size + (text[size] == ',');
    }
    return true;
}

/* A build without HTTP asks nobody else. */
static void check_routed(leat_query_t *q)
{
#ifndef LEAT_WITH_HTTP
    leat_error_t err;

    if (!q->routed)
        return;
    leat__error(&err, LEAT_EUNSUPPORTED, 0, "query",
        ".routed: this build of leat asks no other processes: build it with -DLEAT_WITH_HTTP=ON");
    leat__query_fail(q, &err);
#else
    (void)q;
#endif
}

leat_query_t *leat_query_open(leat_app_t *app, const leat_query_opts_t *opts)
{
    static const leat_query_opts_t defaults;
    leat_query_t *q = leat__must_alloc(sizeof *q);

    opts = opts ? opts : &defaults;
    q->app = app;
    leat__arena_init(&q->scratch);
    q->owner = (leat__owner_t){.fail = on_fail, .scratch = &q->scratch, .read_only = true};
    q->committed = opts->isolation == LEAT_ISOLATION_COMMITTED;
    q->stale = opts->stale;
    q->routed = opts->routed;
    q->all = opts->partitions == NULL;
    q->timeout_ms = opts->timeout_ms > 0 ? opts->timeout_ms : TIMEOUT_MS;
    if (opts->partitions)
        read_partitions(q, opts->partitions);
    if (opts->at_least && !is_position(opts->at_least))
        bad_option(q, "at_least", opts->at_least, "\"orders-0@43,orders-1@18\"");
    q->at_least = opts->at_least ? leat__must_strdup(opts->at_least) : NULL;
    check_routed(q);
    return q;
}

int leat_query_close(leat_query_t *q, leat_error_t *err)
{
    int code = q->failure.code;

    if (err)
        *err = q->failure;
    leat__owner_finish(&q->owner);
    while (q->handles) {
        leat__query_store_t *h = q->handles;

        q->handles = h->next;
        leat__kv_free(h->kv);
        leat__windows_free(h->windows);
        leat__sessions_free(h->sessions);
        leat__versions_free(h->versions);
        leat__free(h);
    }
    leat__peers_take_back(q->app->peers, q->line);
    leat__arena_release(&q->scratch);
    leat__buf_release(&q->position);
    leat__free(q->partitions);
    leat__free(q->at_least);
    leat__free(q);
    return code;
}

static bool runs(leat_query_t *q)
{
    leat_state_t state = leat_app_state(q->app);
    leat_error_t err;

    if (q->failure.code)
        return false;
    if (state == LEAT_STATE_RUNNING || state == LEAT_STATE_REBALANCING)
        return true;
    leat__error(&err, LEAT_ESTATE, 0, "query",
        "the app does not run: start it, and wait until it is in LEAT_STATE_RUNNING");
    leat__query_fail(q, &err);
    return false;
}

static const leat__group_t *group_of(const leat__plan_t *plan, const leat__store_spec_t *spec)
{
    for (size_t g = 0; g < plan->group_count; g++)
        for (size_t i = 0; i < plan->groups[g].store_count; i++)
            if (plan->groups[g].stores[i] == spec)
                return &plan->groups[g];
    return NULL;
}

const leat__store_spec_t *leat__query_spec(const leat__plan_t *plan, const char *name)
{
    for (size_t i = 0; i < plan->store_count; i++)
        if (!strcmp(plan->stores[i]->name, name) && group_of(plan, plan->stores[i]))
            return plan->stores[i];
    return NULL;
}

leat__query_store_t *leat__query_store(leat_query_t *q, const char *name)
{
    const leat__store_spec_t *spec;
    leat_error_t err;
    leat__query_store_t *h;

    if (!runs(q))
        return NULL;
    spec = leat__query_spec(q->app->plan, name);
    if (!spec) {
        leat__error(&err, LEAT_EUNKNOWN, 0, "query",
            "no store is named \"%s\": leat_topology_describe() lists them", name);
        leat__query_fail(q, &err);
        return NULL;
    }
    for (h = q->handles; h; h = h->next)
        if (h->spec == spec)
            return h;
    h = leat__must_alloc(sizeof *h);
    h->q = q;
    h->spec = spec;
    h->group = group_of(q->app->plan, spec);
    h->remote = (leat__remote_t){.open = leat__query_rows,
        .next = leat__query_next,
        .close = leat__query_end,
        .name = spec->name,
        .kind = spec->kind};
    h->next = q->handles;
    q->handles = h;
    return h;
}

/* NULL: failed, and said. */
static leat__query_store_t *open_store(
    leat_query_t *q, const char *name, leat__verb_t verb, const char *what)
{
    leat__query_store_t *h = leat__query_store(q, name);
    leat_error_t err;

    if (!h || leat__ask_fits(verb, h->spec->kind))
        return h;
    leat__error(&err, LEAT_ETYPE, 0, "query", "store %s is not a %s", name, what);
    leat__query_fail(q, &err);
    return NULL;
}

const leat_kv_t *leat_query_kv(leat_query_t *q, const char *store)
{
    leat__query_store_t *h = open_store(q, store, LEAT__ASK_GET, "key-value store");

    if (!h)
        return leat__kv_nil(&q->owner);
    if (!h->kv)
        h->kv = leat__kv_remote(
            &h->remote, h->spec->key, h->spec->value, h->spec->changelog, &q->owner);
    return h->kv;
}

const leat_windows_t *leat_query_windows(leat_query_t *q, const char *store)
{
    leat__query_store_t *h = open_store(q, store, LEAT__ASK_WINDOW, "window store");

    if (!h)
        return leat__windows_nil(&q->owner);
    if (!h->windows)
        h->windows = leat__windows_remote(
            &h->remote, h->spec->key, h->spec->value, h->spec->changelog, &q->owner);
    return h->windows;
}

const leat_sessions_t *leat_query_sessions(leat_query_t *q, const char *store)
{
    leat__query_store_t *h = open_store(q, store, LEAT__ASK_SESSION, "session store");

    if (!h)
        return leat__sessions_nil(&q->owner);
    if (!h->sessions)
        h->sessions = leat__sessions_remote(
            &h->remote, h->spec->key, h->spec->value, h->spec->changelog, &q->owner);
    return h->sessions;
}

const leat_versions_t *leat_query_versions(leat_query_t *q, const char *store)
{
    leat__query_store_t *h = open_store(q, store, LEAT__ASK_VERSION, "versioned store");

    if (!h)
        return leat__versions_nil(&q->owner);
    if (!h->versions)
        h->versions = leat__versions_remote(
            &h->remote, h->spec->key, h->spec->value, h->spec->changelog, &q->owner);
    return h->versions;
}

const char *leat_query_position(const leat_query_t *q)
{
    return leat__buf_text((leat__buf_t *)(uintptr_t)&q->position);
}

int64_t leat_query_lag(const leat_query_t *q)
{
    return q->lag;
}

int32_t leat__query_partition(const leat_query_t *q)
{
    return q->partition;
}

leat__remote_t *leat__query_remote(leat_query_t *q, const char *store)
{
    leat__query_store_t *h = leat__query_store(q, store);

    return h ? &h->remote : NULL;
}
