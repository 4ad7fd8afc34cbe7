/*
 * runtime/testing/driver_in.c: records in, by value, bytes and text, with the serdes of the source
 * that reads the topic; and the wall clock.
 */
#include "driver.h"
#include "base/codec.h"

#include <string.h>

static int refuse(leat_test_t *t, int code, const char *topic, const char *text)
{
    leat_error_t err;

    leat__error(&err, code, 0, topic, "%s", text);
    return leat__driver_fail(t, &err);
}

static int pipe(leat_test_t *t, const char *topic, leat_slice_t key, leat_slice_t value,
    int64_t time_ms, const leat_headers_t *headers)
{
    if (!leat__driver_enqueue(t, topic, leat__driver_keep(key, value, time_ms, headers)))
        return refuse(t, LEAT_ETOPIC, topic, "no source of the topology reads this topic");
    leat__driver_run(t);
    return t->failure.code;
}

/* The source whose serdes a piped record has; NULL: the failure is kept. */
static const leat__node_t *source_of(leat_test_t *t, const char *topic)
{
    const leat__node_t *source;

    if (leat__driver_begin(t) != LEAT_OK)
        return NULL;
    source = leat__plan_source_of(t->plan, topic);
    if (!source)
        refuse(t, LEAT_ETOPIC, topic, "no source of the topology reads this topic");
    return source;
}

static int encode(leat_test_t *t, const leat_serde_t *serde, const void *part, const char *topic,
    bool is_key, const leat_headers_t *headers, leat_slice_t *bytes)
{
    leat__codec_env_t env = {&t->scratch, topic, is_key, headers};
    leat_error_t err;

    *bytes = (leat_slice_t){NULL, 0};
    if (!part || leat__encode(serde, part, &env, bytes, &err) == LEAT_OK)
        return LEAT_OK;
    return leat__driver_fail(t, &err);
}

int leat_test_pipe_record(leat_test_t *t, const char *topic, const leat_record_t *in)
{
    const leat__node_t *source = source_of(t, topic);
    leat_slice_t key, value;

    if (!source || encode(t, source->key, in->key, topic, true, in->headers, &key) != LEAT_OK ||
        encode(t, source->value, in->value, topic, false, in->headers, &value) != LEAT_OK)
        return t->failure.code;
    return pipe(t, topic, key, value, in->time_ms, in->headers);
}

int leat_test_pipe(
    leat_test_t *t, const char *topic, const void *key, const void *value, int64_t time_ms)
{
    return leat_test_pipe_record(t, topic, &(leat_record_t){key, value, time_ms, NULL});
}

int leat_test_pipe_bytes(leat_test_t *t, const char *topic, const leat_slice_t *key,
    const leat_slice_t *value, int64_t time_ms, const leat_header_t *headers, size_t header_count)
{
    const leat_slice_t none = {NULL, 0};

    if (leat__driver_begin(t) != LEAT_OK)
        return t->failure.code;
    return pipe(t, topic, key ? *key : none, value ? *value : none, time_ms,
        leat__headers_new(&t->scratch, headers, header_count));
}

static int parse(leat_test_t *t, const leat_serde_t *serde, const char *text, const void **part)
{
    leat_error_t err;

    *part = NULL;
    if (!text || leat__parse(serde, leat_slice(text), &t->scratch, part, &err) == LEAT_OK)
        return LEAT_OK;
    return leat__driver_fail(t, &err);
}

int leat_test_pipe_text(
    leat_test_t *t, const char *topic, const char *key, const char *value, int64_t time_ms)
{
    const leat__node_t *source = source_of(t, topic);
    leat_record_t in = {.time_ms = time_ms};
    leat_slice_t key_bytes, value_bytes;

    if (!source || parse(t, source->key, key, &in.key) != LEAT_OK ||
        parse(t, source->value, value, &in.value) != LEAT_OK ||
        encode(t, source->key, in.key, topic, true, NULL, &key_bytes) != LEAT_OK ||
        encode(t, source->value, in.value, topic, false, NULL, &value_bytes) != LEAT_OK)
        return t->failure.code;
    return pipe(t, topic, key_bytes, value_bytes, time_ms, NULL);
}

int leat_test_advance_ms(leat_test_t *t, int64_t wall_ms)
{
    leat_error_t err;

    if (leat__driver_begin(t) != LEAT_OK)
        return t->failure.code;
    if (wall_ms < 0)
        return refuse(t, LEAT_EARGUMENT, "leat_test_advance_ms", "the clock cannot go back");
    t->clock.wall_ms += wall_ms;
    t->clock.steady_ms += wall_ms;
    t->owner.time_ms = t->clock.wall_ms;
    leat__task_set_wall(t->task, t->clock.wall_ms);
    if (leat__task_punctuate(t->task, LEAT_WALL_TIME, &err) < 0)
        return leat__driver_fail(t, &err);
    if (leat__driver_commit(t) == LEAT_OK)
        leat__driver_run(t);
    return t->failure.code;
}
