/*
 * runtime/testing/driver.c: making a driver, and its loop.
 *
 * While records are queued: one step of the task (which also runs due stream-time punctuations), a
 * commit, then what was produced is taken in order of production: noted as output, and queued
 * again where the topology reads that topic. Everything is committed after each record, so a cache
 * only merges updates within one record.
 */
#include "driver.h"
#include "base/config.h"
#include "base/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- errors ---- */

int leat__driver_fail(leat_test_t *t, const leat_error_t *err)
{
    leat__error_keep(&t->failure, err);
    return t->failure.code;
}

int leat_test_failure(const leat_test_t *t, leat_error_t *err)
{
    if (err)
        *err = t->failure;
    return t->failure.code;
}

static void on_store_fail(leat__owner_t *o, int code, const char *text)
{
    leat_error_t err;

    _Static_assert(offsetof(leat_test_t, owner) == 0, "the owner is the driver's first member");
    leat__error(&err, code, 0, "store", "%s", text);
    leat__driver_fail((leat_test_t *)(void *)o, &err);
}

/* ---- what the task says ---- */

static leat__target_t *on_target(void *user, const char *topic, leat_error_t *err)
{
    leat__error_clear(err);
    return leat__driver_topic(user, topic);
}

static int32_t on_partitions(void *user, leat__target_t *topic)
{
    (void)user, (void)topic;
    return 1;
}

static void produced(leat_test_t *t, leat__target_t *topic, leat__kept_t *kept)
{
    kept->topic = topic;
    *t->produced_last = kept;
    t->produced_last = &kept->next;
}

static int on_send(void *user, leat__target_t *topic, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    leat_test_t *t = user;
    const leat__node_t *node = leat__task_node(t->task);

    (void)partition;
    leat__error_clear(err);
    if (!topic->key && node && node->kind == LEAT__SINK) {
        topic->key = node->key;
        topic->value = node->value;
    }
    produced(t, topic, leat__driver_keep(key, value, time_ms, headers));
    return LEAT_OK;
}

static int on_log(void *user, leat__task_t *task, size_t store, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    leat_test_t *t = user;
    const leat__store_spec_t *spec = leat__task_store_spec(task, store);

    leat__error_clear(err);
    produced(
        t, leat__driver_topic(t, spec->changelog), leat__driver_keep(key, value, time_ms, headers));
    return LEAT_OK;
}

static const leat_headers_t *on_headers(
    void *user, int input, const leat__raw_t *raw, leat__arena_t *scratch)
{
    (void)user, (void)input, (void)scratch;
    return ((leat__kept_t *)raw->native)->headers;
}

static void on_release(void *user, int input, leat__batch_t *batch)
{
    (void)user, (void)input;
    leat__driver_kept_free(batch->native);
}

static leat_verdict_t on_bad_record(void *user, const leat_bad_record_t *bad)
{
    leat_test_t *t = user;

    return t->opts.on_bad_record(t->opts.user, bad);
}

/* ---- the loop ---- */

bool leat__driver_enqueue(leat_test_t *t, const char *topic, leat__kept_t *kept)
{
    const leat__node_t *source = leat__plan_source_of(t->plan, topic);
    size_t count = leat__task_input_count(t->task), i = 0;

    if (source && source->global)
        return leat__driver_globals_take(t, source, kept);
    while (i < count &&
           (leat__task_input_source(t->task, (int)i) != source ||
               (!source->pattern && strcmp(leat__task_input_topic(t->task, (int)i), topic) != 0)))
        i++;
    if (!source || i == count) {
        leat__driver_kept_free(kept);
        return false;
    }
    kept->raw.offset = t->offsets[i]++;
    kept->raw.native = kept;
    leat__task_feed_as(t->task, (int)i,
        (leat__batch_t){.records = &kept->raw,
            .count = 1,
            .bytes = kept->raw.key.size + kept->raw.value.size,
            .next = kept->raw.offset + 1,
            .at_end = true,
            .native = kept},
        leat__driver_topic(t, topic)->name);
    return true;
}

static void take_output(leat_test_t *t, leat__kept_t *kept)
{
    leat__target_t *topic = kept->topic;

    kept->next = NULL;
    leat__driver_enqueue(t, topic->name,
        leat__driver_keep(kept->raw.key, kept->raw.value, kept->raw.time_ms, kept->headers));
    if (!topic->written) {
        topic->written = true;
        *t->written_last = topic;
        t->written_last = &topic->next;
    }
    *topic->last = kept;
    topic->last = &kept->next;
    topic->count++;
}

void leat__driver_capture(leat_test_t *t)
{
    leat__kept_t *kept = t->produced, *next;

    t->produced = NULL;
    t->produced_last = &t->produced;
    for (; kept; kept = next) {
        next = kept->next;
        take_output(t, kept);
    }
}

static int checkpoint(leat_test_t *t)
{
    leat__frozen_t *frozen = leat__checkpoint_begin(t->state, t->clock.wall_ms);
    leat_error_t err;
    int code;

    if (!frozen)
        return LEAT_OK;
    code = leat__checkpoint_write(frozen, &err);
    leat__checkpoint_end(frozen, code == LEAT_OK);
    return code == LEAT_OK ? LEAT_OK : leat__driver_fail(t, &err);
}

int leat__driver_commit(leat_test_t *t)
{
    enum { CHECKPOINT_EVERY = 256 }; /* so that stores are really read from their backends too */
    leat_error_t err;

    if (leat__task_flush(t->task, &err) != LEAT_OK)
        return leat__driver_fail(t, &err);
    leat__task_committed(t->task, NULL);
    return ++t->commits % CHECKPOINT_EVERY == 0 ? checkpoint(t) : LEAT_OK;
}

void leat__driver_run(leat_test_t *t)
{
    leat_error_t err;
    int rc = 1;

    do {
        leat__driver_capture(t);
        while (t->failure.code == LEAT_OK && (rc = leat__task_step(t->task, &err)) > 0)
            if (leat__driver_commit(t) == LEAT_OK)
                leat__driver_capture(t);
    } while (rc == 0 && t->failure.code == LEAT_OK && t->produced); /* a dead letter of no step */
    if (rc < 0)
        leat__driver_fail(t, &err);
}

int leat__driver_begin(leat_test_t *t)
{
    if (t->failure.code == LEAT_OK) {
        leat__owner_finish(&t->owner);
        leat__arena_reset(&t->scratch);
        t->owner.time_ms = t->clock.wall_ms;
    }
    return t->failure.code;
}

/* ---- making ---- */

static int32_t one_partition(void *user, const char *topic)
{
    (void)user, (void)topic;
    return 1;
}

static bool is_persistent(const leat_test_t *t, const leat__store_spec_t *spec)
{
    if (spec->kind == LEAT_CUSTOM)
        return true;
    if (spec->opts.backend)
        return spec->opts.backend->persistent;
    return strcmp(leat__config_text(t->config, "dsl.store.backend"), "memory") != 0;
}

static int make_dir(leat_test_t *t, leat_error_t *err)
{
    const char *base = getenv("TMPDIR");
    bool needed = false;

    for (size_t i = 0; i < t->plan->store_count; i++)
        needed = needed || is_persistent(t, t->plan->stores[i]);
    t->dir = leat__must_format("%s/leat-test-XXXXXX", base && *base ? base : "/tmp");
    t->persistent = needed;
    if (mkdtemp(t->dir))
        return LEAT_OK;
    leat__error(err, LEAT_EIO, 0, t->dir,
        "a temporary directory for the stores cannot be made: %s"
        " (set TMPDIR to a place that can be written)",
        strerror(errno));
    leat__free(t->dir);
    t->dir = NULL;
    return err->code;
}

static int open_task(leat_test_t *t, leat_error_t *err)
{
    leat__task_env_t env = {.config = t->config,
        .clock = &t->clock,
        .user = t,
        .target = on_target,
        .partitions = on_partitions,
        .send = on_send,
        .log = on_log,
        .headers = on_headers,
        .release = on_release,
        .on_bad_record = t->opts.on_bad_record ? on_bad_record : NULL};
    const leat__group_t **groups = leat__must_alloc((t->plan->group_count + 1) * sizeof *groups);
    leat__task_state_opts_t state = {
        .dir = t->dir, .budget = &t->budget, .wall_ms = t->clock.wall_ms};
    leat__task_opts_t opts = {.plan = t->plan,
        .groups = groups,
        .env = &env,
        .log_each = true,
        .pattern_inputs = true,
        .state_dir = t->dir};
    int code = leat__task_state_open(&t->state, &state, err);

    for (size_t g = 0; g < t->plan->group_count; g++)
        if (!t->plan->groups[g].global)
            groups[opts.group_count++] = &t->plan->groups[g];
    if (code == LEAT_OK)
        code = leat__driver_globals_open(t, &env, err);
    if (code == LEAT_OK) {
        opts.state = t->state;
        opts.globals = t->globals;
        t->task = leat__task_new(&opts, err);
        code = t->task ? LEAT_OK : err->code;
    }
    leat__free(groups);
    if (code != LEAT_OK)
        return code;
    t->offsets = leat__must_alloc((leat__task_input_count(t->task) + 1) * sizeof *t->offsets);
    t->stores = leat__must_alloc((leat__driver_store_count(t) + 1) * sizeof *t->stores);
    for (size_t i = 0; i < leat__task_input_count(t->task); i++)
        leat__task_set_at_end(t->task, (int)i, true);
    leat__task_set_wall(t->task, t->clock.wall_ms);
    return leat__task_open(t->task, err);
}

/* Topics that a pattern matches come with their records: none is there to derive a count from. */
static void count_repartitions(leat__plan_t *plan)
{
    for (size_t i = 0; i < plan->internal_topic_count; i++) {
        leat__internal_topic_t *topic = &plan->internal_topics[i];

        if (topic->repartition && topic->fixed == 0)
            topic->fixed = 1;
    }
}

static int build(leat_test_t *t, leat_error_t *err)
{
    int code;

    if (!leat__config_is_set(t->config, "application.id"))
        leat_config_set(t->config, "application.id", "app");
    if ((code = leat_config_check(t->config, err)) != LEAT_OK ||
        (code = leat__topology_compile(t->topology, t->config, &t->plan, err)) != LEAT_OK)
        return code;
    if ((code = leat__plan_resolve(t->plan, one_partition, NULL, err)) == LEAT_ETOPIC) {
        count_repartitions(t->plan);
        code = leat__plan_resolve(t->plan, one_partition, NULL, err);
    }
    if (code != LEAT_OK || (code = make_dir(t, err)) != LEAT_OK)
        return code;
    return open_task(t, err);
}

leat_test_t *leat_test_new(
    leat_topology_t *topology, leat_config_t *config, const leat_test_opts_t *opts)
{
    leat_test_t *t = leat__must_alloc(sizeof *t);
    leat_error_t err;

    t->topology = topology;
    t->config = config ? config : leat_config_new();
    if (opts)
        t->opts = *opts;
    t->clock = (leat__clock_t){true, t->opts.start_wall_ms, t->opts.start_wall_ms};
    t->written_last = &t->written;
    t->produced_last = &t->produced;
    leat__arena_init(&t->scratch);
    t->owner =
        (leat__owner_t){.fail = on_store_fail, .scratch = &t->scratch, .time_ms = t->clock.wall_ms};
    if (build(t, &err) != LEAT_OK)
        leat__driver_fail(t, &err);
    return t;
}

void leat_test_free(leat_test_t *t)
{
    if (!t)
        return;
    leat__driver_state_free(t);
    leat__task_close(t->task);
    if (t->state)
        leat__task_state_close(t->state);
    leat__driver_globals_close(t);
    leat__driver_topics_free(t);
    if (t->dir)
        leat__remove_tree(t->dir);
    leat__arena_release(&t->scratch);
    leat__plan_free(t->plan);
    leat_topology_free(t->topology);
    leat_config_free(t->config);
    leat__free(t->offsets);
    leat__free(t->dir);
    leat__free(t);
}
