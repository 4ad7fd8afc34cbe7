/*
 * runtime/testing/driver_out.c: the topics of a driver and what was written to them.
 *
 * A topic's types are those of the sink that writes it, of the store whose changelog it is, or of
 * the source that reads it. A record that was read stays until the next read of its topic.
 */
#include "driver.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/config.h"

#include <string.h>

/* ---- records ---- */

static leat_slice_t put_slice(char **room, leat_slice_t s)
{
    leat_slice_t copy = {s.data ? *room : NULL, s.size};

    if (s.data && s.size)
        memcpy(*room, s.data, s.size);
    *room += s.size;
    return copy;
}

leat__kept_t *leat__driver_keep(
    leat_slice_t key, leat_slice_t value, int64_t time_ms, const leat_headers_t *headers)
{
    leat__kept_t *kept = leat__must_alloc(sizeof *kept + key.size + value.size + 1);
    char *room = (char *)(kept + 1);

    kept->raw.key = put_slice(&room, key);
    kept->raw.value = put_slice(&room, value);
    kept->raw.time_ms = time_ms;
    kept->headers = leat__headers_clone(headers);
    return kept;
}

void leat__driver_kept_free(leat__kept_t *kept)
{
    if (!kept)
        return;
    leat__free(kept->headers);
    leat__free(kept);
}

static void list_free(leat__kept_t *kept)
{
    while (kept) {
        leat__kept_t *next = kept->next;

        leat__driver_kept_free(kept);
        kept = next;
    }
}

/* ---- topics ---- */

leat__target_t *leat__driver_topic(leat_test_t *t, const char *name)
{
    leat__target_t *topic = leat__map_get(&t->topics, name);

    if (topic)
        return topic;
    topic = leat__must_alloc(sizeof *topic);
    topic->name = leat__must_strdup(name);
    topic->last = &topic->first;
    leat__arena_init(&topic->arena);
    LEAT_ASSERT(leat__map_put(&t->topics, name, topic));
    leat__driver_serdes(t, topic);
    return topic;
}

static void topic_free(void *value)
{
    leat__target_t *topic = value;

    list_free(topic->first);
    leat__driver_kept_free(topic->lent);
    leat__arena_release(&topic->arena);
    leat__free(topic->name);
    leat__free(topic);
}

void leat__driver_topics_free(leat_test_t *t)
{
    list_free(t->produced);
    leat__map_release(&t->topics, topic_free);
    leat__free(t->names);
}

static bool writes(const leat__plan_t *plan, const leat__node_t *node, const char *topic)
{
    size_t size = strlen(plan->application_id);

    if (node->kind != LEAT__SINK || node->topic_count == 0)
        return false;
    if (!node->internal)
        return strcmp(node->topics[0], topic) == 0;
    return strncmp(topic, plan->application_id, size) == 0 && topic[size] == '-' &&
           strcmp(node->topics[0], topic + size + 1) == 0;
}

static void set(leat__target_t *topic, const leat_serde_t *key, const leat_serde_t *value)
{
    topic->key = key;
    topic->value = value;
}

void leat__driver_serdes(leat_test_t *t, leat__target_t *topic)
{
    const leat__plan_t *plan = t->plan;
    const leat__node_t *source;

    if (strcmp(leat__config_text(t->config, "errors.dead.letter.queue.topic.name"), topic->name) ==
        0) {
        set(topic, leat_serde_bytes(), leat_serde_bytes());
        return;
    }
    for (size_t i = 0; plan && i < plan->node_count; i++)
        if (writes(plan, plan->nodes[i], topic->name)) {
            set(topic, plan->nodes[i]->key, plan->nodes[i]->value);
            return;
        }
    for (size_t i = 0; plan && i < plan->store_count; i++)
        if (strcmp(plan->stores[i]->changelog, topic->name) == 0 && plan->stores[i]->key) {
            set(topic, plan->stores[i]->key, plan->stores[i]->value);
            return;
        }
    source = plan ? leat__plan_source_of(plan, topic->name) : NULL;
    if (source)
        set(topic, source->key, source->value);
}

size_t leat_test_pending(const leat_test_t *t, const char *topic)
{
    const leat__target_t *found = leat__map_get(&t->topics, topic);

    return found ? found->count : 0;
}

const char *leat_test_topics(const leat_test_t *t)
{
    leat_test_t *room = (leat_test_t *)(uintptr_t)t; /* only the text that is given out changes */
    leat__buf_t buf = {0};

    for (const leat__target_t *topic = t->written; topic; topic = topic->next) {
        leat__buf_put_text(&buf, buf.size ? "," : "");
        leat__buf_put_text(&buf, topic->name);
    }
    leat__free(room->names);
    room->names = leat__buf_finish(&buf);
    return t->names;
}

/* ---- reading ---- */

/* The next record of a topic, now lent. NULL: none. */
static leat__target_t *next_record(leat_test_t *t, const char *name)
{
    leat__target_t *topic = leat__map_get(&t->topics, name);

    if (!topic || !topic->first)
        return NULL;
    leat__arena_reset(&topic->arena);
    leat__driver_kept_free(topic->lent);
    topic->lent = topic->first;
    topic->first = topic->lent->next;
    if (!topic->first)
        topic->last = &topic->first;
    topic->count--;
    topic->record =
        (leat_record_t){.time_ms = topic->lent->raw.time_ms, .headers = topic->lent->headers};
    return topic;
}

static bool decode(leat_test_t *t, leat__target_t *topic, bool is_key, const void **part)
{
    const leat_serde_t *serde = is_key ? topic->key : topic->value;
    const leat_slice_t *bytes = is_key ? &topic->lent->raw.key : &topic->lent->raw.value;
    leat__codec_env_t env = {&topic->arena, topic->name, is_key, topic->lent->headers};
    leat_error_t err;

    *part = NULL;
    if (!bytes->data)
        return true;
    if (!serde)
        leat__error(&err, LEAT_ETYPE, 0, topic->name,
            "the topology does not say the types of this"
            " topic: read it with leat_test_read_bytes()");
    else if (leat__decode(serde, *bytes, &env, part, &err) == LEAT_OK)
        return true;
    leat__driver_fail(t, &err);
    return false;
}

static leat__target_t *next_decoded(leat_test_t *t, const char *name)
{
    leat__target_t *topic = next_record(t, name);

    if (!topic || !decode(t, topic, true, &topic->record.key) ||
        !decode(t, topic, false, &topic->record.value))
        return NULL;
    return topic;
}

const leat_record_t *leat_test_read(leat_test_t *t, const char *topic)
{
    leat__target_t *found = next_decoded(t, topic);

    return found ? &found->record : NULL;
}

const leat_record_t *leat_test_read_bytes(leat_test_t *t, const char *topic)
{
    leat__target_t *found = next_record(t, topic);

    if (!found)
        return NULL;
    found->record.key = found->lent->raw.key.data ? &found->lent->raw.key : NULL;
    found->record.value = found->lent->raw.value.data ? &found->lent->raw.value : NULL;
    return &found->record;
}

const char *leat_test_read_text(leat_test_t *t, const char *topic)
{
    leat__target_t *found = next_decoded(t, topic);
    leat__buf_t buf = {0};
    leat_slice_t key, value;
    char *text;

    if (!found)
        return NULL;
    key = leat__print(found->key, found->record.key, &found->arena);
    value = leat__print(found->value, found->record.value, &found->arena);
    leat__buf_put(&buf, key.data, key.size);
    leat__buf_put_text(&buf, "=");
    leat__buf_put(&buf, value.data, value.size);
    leat__buf_format(&buf, "@%lld", (long long)found->record.time_ms);
    text = leat__arena_copy(&found->arena, buf.data, buf.size);
    leat__buf_release(&buf);
    return text;
}
