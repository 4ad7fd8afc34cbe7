/*
 * base/config.c: the configuration object: names to checked texts, and the first error.
 *
 * Setting never fails at the call: an unknown name, a bad value or a lack of memory is kept (the
 * first; others are counted and logged) and reported by leat_config_check or by whoever takes
 * the object. Without memory for the object itself a static one stands in, which knows nothing
 * but that error.
 */
#include "config_inside.h"
#include "log.h"
#include "mem.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TAGS_MAX = 5, TAG_NAME_MAX = 20, TAG_VALUE_MAX = 30, MEMORY_MIN_BYTES = 16 * 1024 * 1024 };

/* Shared by all threads, never written. */
static leat_config_t nil = {
    .error = {.code = LEAT_ENOMEM, .where = "config", .text = "no memory for the configuration"}};

leat_config_t *leat_config_new(void)
{
    leat_config_t *c = leat__alloc(sizeof *c);

    return c ? c : &nil;
}

void leat_config_free(leat_config_t *c)
{
    if (!c || c == &nil)
        return;
    leat__map_release(&c->values, leat__free);
    leat__free(c);
}

void leat__config_fail(leat_config_t *c, const leat_error_t *err)
{
    if (c && c != &nil)
        leat__error_keep(&c->error, err);
}

/* ---- setting ---- */

/* Put value, which is adopted. */
static void put(leat_config_t *c, const char *where, const char *key, char *value)
{
    char *old = leat__map_get(&c->values, key);
    leat_error_t err;

    if (leat__map_put(&c->values, key, value)) {
        leat__free(old);
        return;
    }
    leat__free(value);
    leat__error(&err, LEAT_ENOMEM, 0, where, "no memory to keep %s", key);
    leat__config_fail(c, &err);
}

static int unknown(const char *where, const char *key, leat_error_t *err)
{
    const char *nearest = leat__property_nearest(key);

    if (nearest)
        return leat__error(err, LEAT_ECONFIG, 0, where,
            "there is no property '%s'; did you mean %s? (a program's own options start with "
            "program.)",
            key, nearest);
    return leat__error(err, LEAT_ECONFIG, 0, where,
        "there is no property '%s': docs/CONFIGURATION.md lists all; a program's own options start "
        "with program.",
        key);
}

/* A tag of this process: few and short, they go to all other processes. */
static int check_tag(const leat_config_t *c, const char *where, const char *key, const char *value,
    leat_error_t *err)
{
    const char *name = key + strlen("client.tag."), *other;
    size_t tags = 0;

    for (size_t i = 0; leat__map_next(&c->values, &i, &other, NULL);)
        tags +=
            strncmp(other, "client.tag.", strlen("client.tag.")) == 0 && strcmp(other, key) != 0;
    if (tags >= TAGS_MAX)
        return leat__error(err, LEAT_ECONFIG, 0, where, "%s: at most %d tags", key, TAGS_MAX);
    if (strlen(name) > TAG_NAME_MAX || strlen(value) > TAG_VALUE_MAX)
        return leat__error(err, LEAT_ECONFIG, 0, where,
            "%s: a tag's name has up to %d, its value up to %d characters", key, TAG_NAME_MAX,
            TAG_VALUE_MAX);
    return 0;
}

static void warn_no_effect(const leat__property_t *p, const char *value)
{
    const char *why = p->kind == LEAT__P_IGNORED ? p->sentence : p->no_effect;

    if (why && (p->kind == LEAT__P_IGNORED || strcmp(value, leat__property_initial(p, false)) != 0))
        leat__log(LEAT_LOG_WARN, "config", NULL, "%s has no effect: %s", p->name, why);
}

/* Whether key may have value; *row is its row, NULL for what only has a prefix. */
static int check(const leat_config_t *c, const char *where, const char *key, char *value,
    const char *raw, const leat__property_t **row, leat_error_t *err)
{
    const leat__property_prefix_t *prefix;

    *row = leat__property_find(key);
    if (*row)
        return leat__property_check(*row, value, raw, where, err);
    prefix = leat__property_prefix_of(key);
    if (!prefix)
        return unknown(where, key, err);
    return strcmp(prefix->prefix, "client.tag.") == 0 ? check_tag(c, where, key, value, err) : 0;
}

void leat__config_set_at(leat_config_t *c, const char *where, const char *key, const char *raw)
{
    const leat__property_t *row;
    leat_error_t err;
    char *value = leat__config_resolve(raw, where, &err);

    if (!value || check(c, where, key, value, raw, &row, &err)) {
        leat__config_fail(c, &err);
        leat__free(value);
        return;
    }
    if (row)
        warn_no_effect(row, value);
    put(c, where, row ? row->name : key, value);
}

void leat_config_set(leat_config_t *c, const char *key, const char *value)
{
    const leat__property_t *row;
    leat_error_t err;

    if (!c || c == &nil)
        return;
    if (!key || !*key) {
        leat__error(&err, LEAT_ENULL, 0, "config", "leat_config_set without a property's name");
        leat__config_fail(c, &err);
        return;
    }
    if (value) {
        leat__config_set_at(c, key, key, value);
        return;
    }
    row = leat__property_find(key);
    if (!row && !leat__property_prefix_of(key)) {
        unknown(key, key, &err);
        leat__config_fail(c, &err);
        return;
    }
    leat__free(leat__map_remove(&c->values, row ? row->name : key));
}

leat_config_t *leat__config_clone(const leat_config_t *c)
{
    leat_config_t *copy = leat_config_new();
    const char *key;
    void *value;

    if (!c || copy == &nil)
        return copy;
    copy->error = c->error;
    for (size_t i = 0; leat__map_next(&c->values, &i, &key, &value);) {
        char *text = leat__strdup(value);
        leat_error_t err;

        if (text) {
            put(copy, key, key, text);
            continue;
        }
        leat__error(&err, LEAT_ENOMEM, 0, key, "no memory to copy the configuration");
        leat__config_fail(copy, &err);
        break;
    }
    return copy;
}

/* ---- reading ---- */

static const char *set_value(const leat_config_t *c, const char *key)
{
    return c ? leat__map_get(&c->values, key) : NULL;
}

static bool is_exactly_once(const leat_config_t *c)
{
    const char *value = set_value(c, "processing.guarantee");

    return value && strcmp(value, "exactly_once_v2") == 0;
}

const char *leat__config_text(const leat_config_t *c, const char *key)
{
    const leat__property_t *row = leat__property_find(key);
    const char *value = set_value(c, row ? row->name : key);

    if (value)
        return value;
    return row ? leat__property_initial(row, is_exactly_once(c)) : "";
}

const char *leat_config_get(const leat_config_t *c, const char *key)
{
    return key ? leat__config_text(c, key) : "";
}

int64_t leat__config_int(const leat_config_t *c, const char *key)
{
    leat_slice_t text = leat_slice(leat__config_text(c, key));
    int64_t number = 0;

    if (strcasecmp(text.data, "true") == 0)
        return 1;
    return leat_slice_int64(&text, &number) ? number : 0;
}

bool leat__config_is_set(const leat_config_t *c, const char *key)
{
    const leat__property_t *row = leat__property_find(key);

    return set_value(c, row ? row->name : key) != NULL;
}

void leat__config_each(
    const leat_config_t *c, const char *prefix, leat__config_each_fn fn, void *user)
{
    size_t size = strlen(prefix);
    const char *key;
    void *value;

    if (!c)
        return;
    for (size_t i = 0; leat__map_next(&c->values, &i, &key, &value);)
        if (strncmp(key, prefix, size) == 0)
            fn(user, key + size, value);
}

void leat__config_each_client(const leat_config_t *c, leat__config_each_fn fn, void *user)
{
    const char *key;
    void *value;

    if (!c)
        return;
    for (size_t i = 0; leat__map_next(&c->values, &i, &key, &value);) {
        const leat__property_t *row = leat__property_find(key);
        const leat__property_prefix_t *prefix = leat__property_prefix_of(key);

        if (row && row->client)
            fn(user, row->client, value);
        else if (!row && prefix && prefix->client)
            fn(user, key, value);
    }
}

bool leat__config_is_secret(const char *key)
{
    static const char *const ends[] = {"password", "secret", "http.token", "ssl.key.pem",
        "sasl.jaas.config"};
    size_t size = strlen(key);

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t end = strlen(ends[i]);

        if (size >= end && strcasecmp(key + size - end, ends[i]) == 0)
            return strncmp(key, "program.", strlen("program.")) != 0;
    }
    return false;
}

const leat_error_t *leat__config_error(const leat_config_t *c)
{
    static const leat_error_t none = {.code = LEAT_OK};

    return c ? &c->error : &none;
}

/* ---- properties against each other ---- */

static int check_times(const leat_config_t *c, leat_error_t *err)
{
    int64_t commit_ms = leat__config_int(c, "commit.interval.ms");
    int64_t transaction_ms = leat__config_int(c, "transaction.timeout.ms");
    int64_t session_ms = leat__config_int(c, "session.timeout.ms");
    int64_t heartbeat_ms = leat__config_int(c, "heartbeat.interval.ms");
    int64_t poll_ms = leat__config_int(c, "max.poll.interval.ms");

    if (is_exactly_once(c) && commit_ms > transaction_ms)
        return leat__error(err, LEAT_ECONFIG, 0, "commit.interval.ms",
            "commit.interval.ms %lld is more than transaction.timeout.ms %lld: each transaction "
            "would "
            "time out before its commit; make the first smaller (100 is usual) or the second "
            "larger",
            (long long)commit_ms, (long long)transaction_ms);
    if (heartbeat_ms >= session_ms)
        return leat__error(err, LEAT_ECONFIG, 0, "heartbeat.interval.ms",
            "heartbeat.interval.ms %lld must be less than session.timeout.ms %lld, a third at most",
            (long long)heartbeat_ms, (long long)session_ms);
    if (poll_ms < session_ms)
        return leat__error(err, LEAT_ECONFIG, 0, "max.poll.interval.ms",
            "max.poll.interval.ms %lld must not be less than session.timeout.ms %lld",
            (long long)poll_ms, (long long)session_ms);
    return 0;
}

static int check_handlers(const leat_config_t *c, leat_error_t *err)
{
    static const char *const handlers[] = {"deserialization.exception.handler",
        "processing.exception.handler", "production.exception.handler"};

    if (*leat__config_text(c, "errors.dead.letter.queue.topic.name"))
        return 0;
    if (leat__config_int(c, "errors.dead.letter.queue.drops"))
        return leat__error(err, LEAT_ECONFIG, 0, "errors.dead.letter.queue.drops",
            "errors.dead.letter.queue.drops is true, but errors.dead.letter.queue.topic.name names "
            "no topic");
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (strcmp(leat__config_text(c, handlers[i]), "dead_letter") == 0)
            return leat__error(err, LEAT_ECONFIG, 0, handlers[i],
                "%s is dead_letter, but errors.dead.letter.queue.topic.name names no topic",
                handlers[i]);
    return 0;
}

int leat_config_check(const leat_config_t *c, leat_error_t *err)
{
    int64_t memory_bytes = leat__config_int(c, "memory.max.bytes");
    int code;

    leat__error_clear(err);
    if (leat__config_error(c)->code) {
        if (err)
            *err = *leat__config_error(c);
        return leat__config_error(c)->code;
    }
    if (memory_bytes > 0 && memory_bytes < MEMORY_MIN_BYTES)
        return leat__error(err, LEAT_ECONFIG, 0, "memory.max.bytes",
            "memory.max.bytes is %lld; allowed: 0 (no common bound), or %d and more",
            (long long)memory_bytes, MEMORY_MIN_BYTES);
    code = check_times(c, err);
    return code ? code : check_handlers(c, err);
}
