/*
 * tests/bench/bench_task.c: what a record costs inside a task, with nothing around it: no broker,
 * sends that only count.
 *
 *   bench_task [RECORDS]     prints ns per record of a pass-through, a map and a count
 *
 * Budgets: map 150 ns, count 400 ns (release build, one core to itself).
 */
#include "base/log.h"
#include "base/mem.h"
#include "runtime/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000, KEYS = 10000 };

struct leat__target_t {
    int nothing;
};
static struct leat__target_t target;
static uint64_t sent_bytes;
static leat__raw_t records[BATCH];

static leat__target_t *on_target(void *user, const char *topic, leat_error_t *err)
{
    (void)user, (void)topic, (void)err;
    return &target;
}

static int32_t on_partitions(void *user, leat__target_t *t)
{
    (void)user, (void)t;
    return 4;
}

static int on_send(void *user, leat__target_t *t, int32_t partition, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    (void)user, (void)t, (void)partition, (void)time_ms, (void)headers, (void)err;
    sent_bytes += key.size + value.size;
    return 0;
}

static int on_log(void *user, leat__task_t *task, size_t store, leat_slice_t key,
    leat_slice_t value, int64_t time_ms, const leat_headers_t *headers, leat_error_t *err)
{
    (void)user, (void)task, (void)store, (void)time_ms, (void)headers, (void)err;
    sent_bytes += key.size + value.size;
    return 0;
}

static void passes(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_record(ctx, in);
}

static void uppers(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;
    char *text = leat_scratch(ctx, value->size);

    for (size_t i = 0; i < value->size; i++) {
        char c = value->data[i];

        text[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    leat_emit_value(ctx, &(leat_slice_t){text, value->size});
}

static void counts(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_kv_t *seen = leat_kv(ctx, "seen");
    const int64_t *before = leat_kv_get(seen, in->key);
    int64_t now = before ? *before + 1 : 1;

    leat_kv_put(seen, in->key, &now);
    leat_emit_value(ctx, &now);
}

static leat_topology_t *topology(leat_map_fn fn, bool store)
{
    const leat_serde_t *s = leat_serde_string();
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "in", "source", s, s, NULL);
    leat_builder_processor(b, "source", "proc", fn, NULL);
    leat_builder_sink(b, "proc", "sink", "out", s, store ? leat_serde_int64() : s, NULL);
    if (store)
        leat_builder_store(b, "seen", LEAT_KV, s, leat_serde_int64(),
            &(leat_store_opts_t){.backend = leat_backend_memory(), .processors = "proc"});
    return leat_builder_finish(b);
}

static int32_t four(void *user, const char *topic)
{
    (void)user, (void)topic;
    return 4;
}

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void check(int code, const leat_error_t *err)
{
    if (code == LEAT_OK)
        return;
    fprintf(stderr, "bench_task: %s: %s\n", err->where, err->text);
    exit(1);
}

static void feed(leat__task_t *task, int64_t from)
{
    for (int i = 0; i < BATCH; i++)
        records[i].offset = from + i;
    leat__task_feed(task, 0,
        (leat__batch_t){.records = records,
            .count = BATCH,
            .bytes = BATCH * 32,
            .next = from + BATCH,
            .at_end = true});
}

static void measure(const char *name, leat_topology_t *t, long count)
{
    static const leat__task_env_t nothing = {
        .target = on_target, .partitions = on_partitions, .send = on_send, .log = on_log};
    leat_config_t *config = leat_config_new();
    leat__task_env_t env = nothing;
    leat__budget_t budget = {0};
    leat__task_state_t *state;
    const leat__group_t *group;
    leat__plan_t *plan;
    leat__task_t *task;
    leat_error_t err;
    double start;

    leat_config_set(config, "application.id", "bench");
    check(leat__topology_compile(t, config, &plan, &err), &err);
    check(leat__plan_resolve(plan, four, NULL, &err), &err);
    check(leat__task_state_open(&state, &(leat__task_state_opts_t){.budget = &budget}, &err), &err);
    env.config = config;
    group = &plan->groups[0];
    task = leat__task_new(
        &(leat__task_opts_t){
            .plan = plan, .groups = &group, .group_count = 1, .env = &env, .state = state},
        &err);
    check(task ? leat__task_open(task, &err) : err.code, &err);
    start = now_s();
    for (long done = 0; done < count; done += BATCH) {
        feed(task, done);
        while (leat__task_step(task, &err) > 0)
            ;
        if (done % (100 * BATCH) == 0) {
            check(leat__task_flush(task, &err), &err);
            leat__task_committed(task, NULL);
        }
    }
    printf("%-8s %7.1f ns per record (%llu sent)\n", name, (now_s() - start) * 1e9 / (double)count,
        (unsigned long long)leat__task_counts(task)->sent);
    leat__task_close(task);
    leat__task_state_close(state);
    leat__plan_free(plan);
    leat_topology_free(t);
    leat_config_free(config);
}

int main(int argc, char **argv)
{
    static char keys[BATCH][16];
    long count = argc > 1 ? atol(argv[1]) : 5000000;

    srand(1);
    for (int i = 0; i < BATCH; i++) {
        snprintf(keys[i], sizeof keys[i], "key%05d", rand() % KEYS);
        records[i] = (leat__raw_t){
            .key = {keys[i], strlen(keys[i])}, .value = {"the quick brown fox", 19}, .time_ms = i};
    }
    measure("pass", topology(passes, false), count);
    measure("upper", topology(uppers, false), count);
    measure("count", topology(counts, true), count);
    return 0;
}
