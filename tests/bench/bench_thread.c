/*
 * tests/bench/bench_thread.c: a stream thread on the embedded log: what the engine costs with no
 * network.
 *
 *   bench_thread [w1|w3|restore] [at_least_once|exactly_once_v2] [RECORDS] [KEYS] [PROPERTY VALUE]...
 *
 * w1: upper-cases 100-byte values. w3: counts by key into a logged RocksDB store and emits each
 * count (KEYS keys). restore: w3, then the state directory is emptied and another thread restores
 * the store from its changelog; its figures are printed too. One partition, one thread. Prints records/s and CPU of the stream thread
 * alone (the checkpointer's is apart), as key=value.
 */
#include <leat/leat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "runtime/embedded/embedded.h"
#include "runtime/thread_inside.h"

typedef struct bench_t {
    leat_config_t *config;
    leat__log_t *log;
    leat__broker_t *broker;
    leat__plan_t *plan;
    leat__worker_t worker;
    leat__thread_t *thread;
    leat__member_t *member;
    leat__membership_t *membership;
    char dir[64];
    bool stopped;
} bench_t;

static void die(const char *what, const leat_error_t *err)
{
    fprintf(stderr, "bench_thread: %s: %s: %s\n", what, err->where, err->text);
    exit(1);
}

static double cpu_s(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- topologies ---- */

static void uppers(leat_ctx_t *ctx, const leat_record_t *in)
{
    const leat_slice_t *value = in->value;
    char *text = leat_scratch(ctx, value->size);

    for (size_t i = 0; i < value->size; i++)
        text[i] = value->data[i] >= 'a' && value->data[i] <= 'z'
                      ? (char)(value->data[i] - 'a' + 'A')
                      : value->data[i];
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

static leat_topology_t *topology(bool counting)
{
    const leat_serde_t *str = leat_serde_string();
    leat_builder_t *b = leat_builder_new();

    leat_builder_source(b, "in", "source", str, str, NULL);
    if (counting) {
        leat_builder_processor(b, "source", "node", counts, &(leat_node_opts_t){.stores = "seen"});
        leat_builder_store(b, "seen", LEAT_KV, str, leat_serde_int64(), NULL);
    } else {
        leat_builder_processor(b, "source", "node", uppers, NULL);
    }
    leat_builder_sink(b, "node", "sink", "out", str, counting ? leat_serde_int64() : str, NULL);
    return leat_builder_finish(b);
}

static int32_t one_partition(void *user, const char *topic)
{
    (void)user, (void)topic;
    return 1;
}

/* ---- the log, filled ---- */

static void finish(leat__op_t *op, const char *what)
{
    leat__op_wait(op, 60000);
    if (op->err.code)
        die(what, &op->err);
    leat__op_free(op);
}

static void make_topic(bench_t *b, const char *name, bool compact)
{
    leat__setting_t setting = {"cleanup.policy", compact ? "compact" : "delete"};
    leat__topic_t t = {.name = (char *)(uintptr_t)name,
        .partitions = 1,
        .replication = -1,
        .settings = &setting,
        .setting_count = 1};

    finish(b->broker->vt->ensure_topics(b->broker, &t, 1), name);
}

static void fill(bench_t *b, long records, long keys)
{
    const leat__broker_vt_t *vt = b->broker->vt;
    leat_error_t err;
    leat__writer_t *w =
        vt->writer_open(b->broker, &(leat__writer_opts_t){.client_id = "fill"}, &err);
    leat__out_t *out = vt->writer_topic(w, "in", &err);
    char key[32], value[101];

    memset(value, 'v', sizeof value);
    for (long i = 0; i < records; i++) {
        unsigned long k = (unsigned long)i * 2654435761UL % (unsigned long)keys;

        snprintf(key, sizeof key, "%016lx", k);
        if (vt->produce(w, out, 0, (leat_slice_t){key, 16}, (leat_slice_t){value, 100},
                1700000000000 + i, NULL, &err))
            die("produce", &err);
        if (i % 10000 == 0)
            vt->writer_poll(w);
    }
    finish(vt->writer_flush(w), "flush");
    finish(vt->writer_close(w), "close");
}

/* ---- in place of the control thread ---- */

static void give(bench_t *b)
{
    leat__message_t *m = leat__message_new(LEAT__SAY_MEMBERSHIP);

    m->membership = leat__membership_ref(b->membership);
    leat__mailbox_post(leat__thread_mail(b->thread), m);
    m = leat__message_new(LEAT__SAY_GIVE);
    m->tasks = leat__must_alloc(sizeof *m->tasks);
    m->task_count = 1;
    leat__mailbox_post(leat__thread_mail(b->thread), m);
}

static void poll_member(bench_t *b)
{
    leat__member_event_t e = {0};

    if (b->broker->vt->member_poll(b->member, &e) != LEAT__MEMBER_ASSIGNED)
        return;
    b->membership = e.membership;
    give(b);
}

static void hear(bench_t *b)
{
    leat__message_t *m, *answer;

    while ((m = leat__mailbox_take(&b->worker.control, 0))) {
        if (m->say == LEAT__SAY_COMMIT) {
            answer = leat__message_new(LEAT__SAY_COMMITTING);
            answer->op = b->broker->vt->member_commit(
                b->member, b->membership, m->positions, m->position_count);
            leat__mailbox_post(leat__thread_mail(b->thread), answer);
        }
        if (m->say == LEAT__SAY_FAILED)
            die("the thread failed", &m->err);
        b->stopped = b->stopped || m->say == LEAT__SAY_STOPPED;
        leat__message_free(m);
    }
}

static void open_all(bench_t *b, bool counting, const char *guarantee, char **settings)
{
    static const char *const topics[] = {"bench-control", "in"};
    leat__member_opts_t member = {.group = "bench",
        .client_id = "bench",
        .topics = topics,
        .topic_count = 2,
        .session_timeout_ms = 10000,
        .heartbeat_interval_ms = 200,
        .max_poll_interval_ms = 600000};
    leat_topology_t *t = topology(counting);
    leat_error_t err;

    b->config = leat_config_new();
    leat_config_set(b->config, "application.id", "bench");
    leat_config_set(b->config, "bootstrap.servers", "embedded:");
    leat_config_set(b->config, "processing.guarantee", guarantee);
    leat_config_set(b->config, "commit.interval.ms", "100");
    for (; settings[0] && settings[1]; settings += 2)
        leat_config_set(b->config, settings[0], settings[1]);
    if (leat_config_check(b->config, &err))
        die("configuration", &err);
    b->log = leat__log_open(NULL, NULL, &err);
    b->broker = leat__embedded_client(b->log, b->config);
    snprintf(b->dir, sizeof b->dir, "/tmp/leat-bench-XXXXXX");
    if (!mkdtemp(b->dir) || leat__topology_compile(t, b->config, &b->plan, &err) ||
        leat__plan_resolve(b->plan, one_partition, NULL, &err))
        die("topology", &err);
    make_topic(b, "bench-control", true);
    make_topic(b, "in", false);
    make_topic(b, "out", false);
    for (size_t i = 0; i < b->plan->internal_topic_count; i++)
        make_topic(b, b->plan->internal_topics[i].name, true);
    b->worker = (leat__worker_t){.config = b->config,
        .broker = b->broker,
        .plan = b->plan,
        .application_id = (char *)(uintptr_t) "bench",
        .process_id = (char *)(uintptr_t) "one",
        .state_dir = b->dir,
        .exactly_once = !strcmp(guarantee, "exactly_once_v2"),
        .thread_count = 1,
        .block_cache = leat__block_cache_new(8 << 20),
        .checkpointer = leat__checkpointer_start()};
    leat__mailbox_init(&b->worker.control);
    b->thread = leat__thread_new(&b->worker, 0, &err);
    b->member = b->thread ? b->broker->vt->member_open(b->broker, &member, &err) : NULL;
    if (!b->member)
        die("start", &err);
}

static uint64_t done(bench_t *b)
{
    return b->thread->task_count && b->thread->tasks[0]->task
               ? leat__task_counts(b->thread->tasks[0]->task)->records
               : 0;
}

static void turn(bench_t *b)
{
    static int64_t polled;
    int64_t wait = leat__thread_step(b->thread), now = leat__clock_steady_ms(NULL);

    hear(b);
    if (wait > 0)
        leat__thread_wait(b->thread, wait < 5 ? wait : 5);
    if (now - polled >= 20) {
        polled = now;
        poll_member(b);
    }
}

static void stop_thread(bench_t *b)
{
    b->stopped = false;
    leat__mailbox_post(leat__thread_mail(b->thread), leat__message_new(LEAT__SAY_STOP));
    while (!b->stopped)
        turn(b);
}

static void empty_dir(const bench_t *b)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf %s", b->dir);
    if (system(command))
        exit(1);
}

/* A thread that has nothing, and the changelog that the one before it wrote. */
static void restore(bench_t *b)
{
    const char *topic = b->plan->internal_topics[0].name;
    leat_error_t err;
    leat__position_t end = {.topic = (char *)(uintptr_t)topic};
    double cpu, all, steady;
    leat__op_t *op = b->broker->vt->offsets(b->broker, &end, 1, LEAT__HIGH_WATERMARK);

    leat__op_wait(op, 60000);
    int64_t records = op->positions[0].offset;
    leat__op_free(op);
    empty_dir(b);
    leat__thread_free(b->thread);
    b->thread = leat__thread_new(&b->worker, 0, &err);
    if (!b->thread)
        die("restore", &err);
    give(b);
    cpu = cpu_s(CLOCK_THREAD_CPUTIME_ID);
    all = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
    steady = cpu_s(CLOCK_MONOTONIC);
    while (!b->thread->task_count || b->thread->tasks[0]->phase != LEAT__PHASE_RUNNING)
        turn(b);
    cpu = cpu_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
    all = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - all;
    steady = cpu_s(CLOCK_MONOTONIC) - steady;
    printf("workload=restore records=%lld records_per_s=%.0f thread_cpu_us=%.3f process_cpu_us=%.3f\n",
        (long long)records, (double)records / steady, cpu * 1e6 / (double)records,
        all * 1e6 / (double)records);
    stop_thread(b);
}

int main(int argc, char **argv)
{
    const char *guarantee = argc > 2 ? argv[2] : "exactly_once_v2";
    bool again = argc > 1 && !strcmp(argv[1], "restore");
    bool counting = again || (argc > 1 && !strcmp(argv[1], "w3"));
    long records = argc > 3 ? atol(argv[3]) : 2000000, keys = argc > 4 ? atol(argv[4]) : 1000000;
    bench_t b = {0};
    double cpu, all, steady;
    struct rusage usage;

    leat_log_to(NULL, NULL, LEAT_LOG_WARN);
    open_all(&b, counting, guarantee, argc > 5 ? argv + 5 : argv + argc);
    fill(&b, records, keys);
    while (!done(&b))
        turn(&b);
    cpu = cpu_s(CLOCK_THREAD_CPUTIME_ID);
    all = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
    steady = cpu_s(CLOCK_MONOTONIC);
    while (done(&b) < (uint64_t)records || leat__commit_has_work(b.thread))
        turn(&b);
    cpu = cpu_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
    all = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - all;
    steady = cpu_s(CLOCK_MONOTONIC) - steady;
    getrusage(RUSAGE_SELF, &usage);
    printf("workload=%s guarantee=%s records=%ld records_per_s=%.0f thread_cpu_us=%.3f "
           "process_cpu_us=%.3f "
           "commits=%llu buffer_mb=%zu rss_mb=%ld\n",
        counting ? "w3" : "w1", guarantee, records, (double)records / steady,
        cpu * 1e6 / (double)records, all * 1e6 / (double)records,
        (unsigned long long)b.thread->commits, b.thread->budget.entry_bytes >> 20,
        usage.ru_maxrss / 1024);
    stop_thread(&b);
    if (again)
        restore(&b);
    empty_dir(&b);
    return 0;
}
