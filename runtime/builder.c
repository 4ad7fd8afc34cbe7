/*
 * runtime/builder.c: the builder and the topology it becomes.
 *
 *   leat_builder_t ──finish──▶ leat_topology_t ──compile(config)──▶ leat__plan_t
 *
 * Calls of the Processor API are kept as a list (papi.c) and replayed into a plan after the DSL's
 * graph, as often as the topology is compiled. Everything that the program hands over belongs to
 * the topology from the first call on; a builder is only the topology under construction.
 *
 * Errors are sticky: the first one is kept, later ones are counted and logged. Without memory the
 * static nil builder and nil topology stand in; they carry LEAT_ENOMEM and absorb everything, but
 * still adopt: what is handed to them is freed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/codec.h"
#include "papi.h"

static const leat_topology_t nil_topology = {
    .error = {.code = LEAT_ENOMEM, .text = "out of memory while building the topology"},
};
static const leat_builder_t nil_builder = {.topology = (leat_topology_t *)(uintptr_t)&nil_topology};

static leat_builder_t *nil(void)
{
    return (leat_builder_t *)(uintptr_t)&nil_builder; /* never written to */
}

bool leat__builder_is_nil(const leat_builder_t *b)
{
    return !b || b == &nil_builder;
}

bool leat__builder_failed(const leat_builder_t *b)
{
    return leat__builder_is_nil(b) || b->topology->error.code != LEAT_OK;
}

const leat_config_t *leat__builder_config(const leat_builder_t *b)
{
    return leat__builder_is_nil(b) ? NULL : b->config;
}

/* ---- errors ---- */

static void keep_error(
    leat_builder_t *b, int code, const char *where, const char *format, va_list args)
{
    leat_error_t fresh = {.code = (leat_code_t)(code < 0 ? code : LEAT_EFAILED)};

    if (leat__builder_is_nil(b))
        return;
    snprintf(fresh.where, sizeof fresh.where, "%s", where ? where : "");
    vsnprintf(fresh.text, sizeof fresh.text, format, args);
    leat__error_keep(&b->topology->error, &fresh);
}

void leat__builder_error(leat_builder_t *b, int code, const char *where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    keep_error(b, code, where, format, args);
    va_end(args);
}

void leat_builder_fail(leat_builder_t *b, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    keep_error(b, code, NULL, format, args);
    va_end(args);
}

/* ---- memory and ownership ---- */

void *leat__builder_alloc(leat_builder_t *b, size_t size)
{
    leat__kept_t *kept;

    if (leat__builder_is_nil(b))
        return NULL;
    kept = leat__alloc(sizeof *kept + size);
    if (!kept) {
        leat__builder_error(b, LEAT_ENOMEM, NULL, "out of memory while building the topology");
        return NULL;
    }
    kept->next = b->topology->kept;
    b->topology->kept = kept;
    return kept->data;
}

char *leat__builder_strdup(leat_builder_t *b, const char *text)
{
    char *copy = text ? leat__builder_alloc(b, strlen(text) + 1) : NULL;

    return copy ? strcpy(copy, text) : NULL;
}

void *leat_builder_adopt(leat_builder_t *b, void *object, void (*object_free)(void *object))
{
    leat__adopted_t *adopted;

    if (!object_free)
        return object;
    adopted = leat__builder_alloc(b, sizeof *adopted);
    if (!adopted) {
        object_free(object);
        return NULL;
    }
    *adopted = (leat__adopted_t){b->topology->adopted, object, object_free};
    b->topology->adopted = adopted;
    return object;
}

void leat__builder_adopt_user(leat_builder_t *b, void *user, void (*user_free)(void *user))
{
    leat_builder_adopt(b, user, user_free);
}

static void free_serde(void *serde)
{
    leat__serde_free(serde);
}

/* A made serde; a stand-in after an error, so that nobody sees NULL. */
static const leat_serde_t *adopt_serde(leat_builder_t *b, leat_serde_t *serde)
{
    if (!serde)
        leat__builder_error(b, LEAT_ENOMEM, NULL, "out of memory while building the topology");
    else
        serde = leat_builder_adopt(b, serde, free_serde);
    return serde ? serde : leat_serde_bytes();
}

const leat_serde_t *leat_serde_windowed(leat_builder_t *b, const leat_serde_t *key, int64_t size_ms)
{
    if (!key)
        leat__builder_error(b, LEAT_ENULL, NULL, "leat_serde_windowed needs the serde of the key");
    else if (size_ms <= 0)
        leat__builder_error(b, LEAT_EARGUMENT, NULL, "the size of a window must be at least 1 ms");
    else
        return adopt_serde(b, leat__serde_windowed_new(key, size_ms, false));
    return leat_serde_bytes();
}

const leat_serde_t *leat_serde_session_windowed(leat_builder_t *b, const leat_serde_t *key)
{
    if (key)
        return adopt_serde(b, leat__serde_windowed_new(key, 0, true));
    leat__builder_error(b, LEAT_ENULL, NULL, "leat_serde_session_windowed needs the key's serde");
    return leat_serde_bytes();
}

const leat_serde_t *leat_serde_list(leat_builder_t *b, const leat_serde_t *element)
{
    if (element)
        return adopt_serde(b, leat__serde_list_new(element));
    leat__builder_error(b, LEAT_ENULL, NULL, "leat_serde_list needs the serde of its elements");
    return leat_serde_bytes();
}

/* ---- the DSL's slot ---- */

void *leat__builder_dsl(
    leat_builder_t *b, void *(*make)(leat_builder_t *b), const leat__dsl_hooks_t *hooks)
{
    leat_topology_t *t;

    if (leat__builder_is_nil(b))
        return NULL;
    t = b->topology;
    if (!t->dsl) {
        t->dsl = make(b);
        t->dsl_hooks = hooks;
    }
    if (!t->dsl)
        leat__builder_error(b, LEAT_ENOMEM, NULL, "out of memory while building the topology");
    return t->dsl;
}

/* ---- life ---- */

leat_builder_t *leat_builder_new(void)
{
    leat_builder_t *b = leat__alloc(sizeof *b);

    if (!b)
        return nil();
    b->topology = leat__alloc(sizeof *b->topology);
    if (!b->topology) {
        leat__free(b);
        return nil();
    }
    b->topology->last_call = &b->topology->calls;
    return b;
}

leat_topology_t *leat_builder_finish(leat_builder_t *b)
{
    leat_topology_t *t;

    if (leat__builder_is_nil(b))
        return nil()->topology;
    t = b->topology;
    leat__free(b);
    return t;
}

void leat_builder_free(leat_builder_t *b)
{
    if (!leat__builder_is_nil(b))
        leat_topology_free(leat_builder_finish(b));
}

void leat_topology_free(leat_topology_t *t)
{
    if (!t || t == &nil_topology)
        return;
    if (t->dsl)
        t->dsl_hooks->free(t->dsl);
    for (leat__adopted_t *adopted = t->adopted; adopted; adopted = adopted->next)
        adopted->free_fn(adopted->object);
    for (leat__kept_t *kept = t->kept, *next; kept; kept = next) {
        next = kept->next;
        leat__free(kept);
    }
    leat__free(t->text);
    leat__free(t);
}

leat_topology_t *leat_topology_build(leat_build_fn build, const leat_config_t *config)
{
    leat_builder_t *b = leat_builder_new();

    if (!leat__builder_is_nil(b))
        b->config = config;
    if (build)
        build(b);
    else
        leat__builder_error(
            b, LEAT_ENULL, NULL, "leat_topology_build needs a function that builds");
    return leat_builder_finish(b);
}

const char *leat_builder_setting(leat_builder_t *b, const char *property)
{
    const leat_config_t *config = leat__builder_config(b);
    const char *value = config && property ? leat_config_get(config, property) : NULL;

    return value ? value : "";
}

/* ---- the product ---- */

int leat__topology_compile(
    leat_topology_t *t, const leat_config_t *config, leat__plan_t **plan, leat_error_t *err)
{
    leat__plan_t *p = leat__plan_new(config);

    *plan = p;
    leat__error_clear(err);
    if (!p)
        return leat__error(err, LEAT_ENOMEM, 0, NULL, "out of memory while compiling the topology");
    if (t->error.code != LEAT_OK)
        p->error = t->error;
    if (t->dsl && p->error.code == LEAT_OK)
        t->dsl_hooks->compile(t->dsl, p, config);
    leat__papi_replay(t, p);
    if (p->error.code == LEAT_OK)
        leat__plan_finish(p);
    if (err)
        *err = p->error;
    return p->error.code;
}

int leat_topology_check(const leat_topology_t *t, const leat_config_t *config, leat_error_t *err)
{
    leat__plan_t *plan;
    int rc = leat__topology_compile((leat_topology_t *)(uintptr_t)t, config, &plan, err);

    leat__plan_free(plan);
    return rc;
}

const char *leat_topology_describe(
    leat_topology_t *t, const leat_config_t *config, leat_format_t format)
{
    leat__plan_t *plan;
    char *text = NULL;

    if (t == &nil_topology)
        return "";
    if (leat__topology_compile(t, config, &plan, NULL) == LEAT_OK)
        text = leat__plan_text(plan, format);
    leat__plan_free(plan);
    leat__free(t->text);
    t->text = text;
    return text ? text : "";
}
