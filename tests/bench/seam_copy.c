/*
 * tests/bench/seam_copy.c: w1 (SPEC.md) on the bare broker seam: what the seam costs beside a
 * hand-written librdkafka loop (raw/raw.c), before any engine is put on top. Takes the same
 * arguments; -x batch=N is the size of a take.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "runtime/broker.h"

enum { PARTITIONS_MAX = 64 };

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static const char *arg(int count, char **args, const char *key, const char *otherwise)
{
    size_t size = strlen(key);

    for (int i = 1; i < count; i++)
        if (strncmp(args[i], key, size) == 0 && args[i][size] == '=')
            return args[i] + size + 1;
    return otherwise;
}

static void die(const char *what, const leat_error_t *err)
{
    fprintf(stderr, "seam_copy: %s: %s: %s\n", what, leat_error_name(err->code), err->text);
    exit(1);
}

static void must(const char *what, leat__op_t *op)
{
    leat__op_wait(op, 60000);
    if (op->err.code)
        die(what, &op->err);
    leat__op_free(op);
}

typedef struct copy_t {
    leat__broker_t *b;
    leat__member_t *member;
    leat__membership_t *membership;
    leat__reader_t *reader;
    leat__writer_t *writer;
    leat__out_t *out;
    leat__position_t at[PARTITIONS_MAX];
    int slots[PARTITIONS_MAX], count;
    size_t batch;
    bool eos, dirty;
    char *upper;
    size_t upper_room;
} copy_t;

static void commit(copy_t *c)
{
    const leat__broker_vt_t *vt = c->b->vt;
    leat_error_t err;

    if (c->eos) {
        must("offsets", vt->writer_send_offsets(c->writer, c->at, (size_t)c->count, c->membership));
        must("commit", vt->writer_commit(c->writer));
        if (vt->writer_begin(c->writer, &err))
            die("begin", &err);
    } else {
        must("flush", vt->writer_flush(c->writer));
        must("commit", vt->member_commit(c->member, c->membership, c->at, (size_t)c->count));
    }
    c->dirty = false;
}

static void copy_batch(copy_t *c, const leat__batch_t *batch)
{
    const leat__broker_vt_t *vt = c->b->vt;
    leat_error_t err;
    int rc;

    for (size_t i = 0; i < batch->count; i++) {
        const leat__raw_t *raw = &batch->records[i];
        leat_slice_t value = {c->upper, raw->value.size};
        leat_slice_t key = raw->key;

        if (raw->value.size > c->upper_room) {
            c->upper_room = raw->value.size * 2;
            c->upper = leat__must_realloc(c->upper, c->upper_room);
            value.data = c->upper;
        }
        for (size_t n = 0; n < raw->value.size; n++) {
            char ch = raw->value.data[n];

            c->upper[n] = (char)(ch - ((ch >= 'a' && ch <= 'z') << 5));
        }
        while ((rc = vt->produce(c->writer, c->out, -1, key, value, raw->time_ms, NULL, &err)) ==
               LEAT_EFULL)
            vt->writer_poll(c->writer);
        if (rc)
            die("produce", &err);
    }
    c->dirty |= batch->count > 0;
}

static void join_group(copy_t *c, const char *group, const char *topic)
{
    const leat__broker_vt_t *vt = c->b->vt;
    leat__member_opts_t o = {.group = group,
        .client_id = "copy",
        .topics = &topic,
        .topic_count = 1,
        .session_timeout_ms = 10000,
        .heartbeat_interval_ms = 200,
        .max_poll_interval_ms = 300000};
    leat__member_event_t e;
    leat_error_t err;

    c->member = vt->member_open(c->b, &o, &err);
    if (!c->member)
        die("join", &err);
    while (!c->membership && !stopped) {
        if (vt->member_poll(c->member, &e) == LEAT__MEMBER_ASSIGNED)
            c->membership = e.membership;
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

static void open_all(copy_t *c, int count, char **args)
{
    const leat__broker_vt_t *vt = c->b->vt;
    const char *app = arg(count, args, "app", "copy"), *in = arg(count, args, "in", "in-w1");
    leat__reader_opts_t ro = {.client_id = "copy-reader", .group = app, .read_committed = c->eos};
    leat__writer_opts_t wo = {.client_id = "copy-writer",
        .transactional_id = c->eos ? app : NULL,
        .transaction_timeout_ms = 10000};
    leat_error_t err;

    join_group(c, app, in);
    c->reader = vt->reader_open(c->b, &ro, &err);
    if (!c->reader)
        die("reader", &err);
    c->writer = vt->writer_open(c->b, &wo, &err);
    if (!c->writer)
        die("writer", &err);
    if (c->eos)
        must("init", vt->writer_init(c->writer));
    c->out = vt->writer_topic(c->writer, arg(count, args, "out", "copy-out"), &err);
    if (!c->out)
        die("output topic", &err);
    if (c->eos && vt->writer_begin(c->writer, &err))
        die("begin", &err);
    c->count = atoi(arg(count, args, "partitions", "4"));
    for (int i = 0; i < c->count; i++) {
        c->at[i] = (leat__position_t){.topic = leat__must_strdup(in), .partition = i};
        c->slots[i] = vt->reader_add(c->reader, in, i, 0, &err);
        if (c->slots[i] < 0)
            die("partition", &err);
    }
}

static void run(copy_t *c, int64_t interval_ms)
{
    const leat__broker_vt_t *vt = c->b->vt;
    int64_t committed_ms = leat__clock_steady_ms(NULL), polled_ms = 0, now;
    leat__batch_t batch;
    leat__member_event_t e;

    while (!stopped) {
        bool any = false;

        for (int i = 0; i < c->count; i++) {
            if (!vt->reader_take(c->reader, c->slots[i], c->batch, &batch))
                continue;
            any = true;
            copy_batch(c, &batch);
            c->at[i].offset = batch.next;
            vt->reader_release(c->reader, &batch);
        }
        vt->writer_poll(c->writer);
        now = leat__clock_steady_ms(NULL);
        if (now - polled_ms >= 50) {
            vt->member_poll(c->member, &e);
            polled_ms = now;
        }
        if (now - committed_ms >= interval_ms) {
            if (c->dirty)
                commit(c);
            committed_ms = leat__clock_steady_ms(NULL);
        }
        if (!any)
            vt->reader_wait(c->reader, c->dirty ? 5 : 20);
    }
}

int main(int count, char **args)
{
    copy_t c = {0};
    leat_config_t *config = leat_config_new();
    leat_error_t err;

    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    leat_config_set(config, "application.id", arg(count, args, "app", "copy"));
    leat_config_set(config, "bootstrap.servers", arg(count, args, "brokers", "127.0.0.1:9092"));
    for (int i = 1; i < count; i++) { /* consumer.NAME=VALUE, producer.NAME=VALUE */
        char *equals = strchr(args[i], '=');
        bool passed =
            strncmp(args[i], "consumer.", 9) == 0 || strncmp(args[i], "producer.", 9) == 0;

        if (!equals || !passed)
            continue;
        *equals = 0;
        leat_config_set(config, args[i], equals + 1);
        *equals = '=';
    }
    c.eos = strcmp(arg(count, args, "guarantee", "alo"), "eos") == 0;
    c.batch = (size_t)atoi(arg(count, args, "batch", "1000"));
    c.b = leat__kafka_open(config, &err);
    if (!c.b)
        die("open", &err);
    open_all(&c, count, args);
    printf("STATE RUNNING %lld\n", (long long)leat__clock_wall_ms(NULL));
    fflush(stdout);
    run(&c, atoi(arg(count, args, "commit", "1000")));
    if (c.eos)
        must("abort", c.b->vt->writer_abort(c.writer));
    else
        commit(&c);
    must("close", c.b->vt->writer_close(c.writer));
    c.b->vt->reader_close(c.reader);
    leat__membership_unref(c.membership);
    must("leave", c.b->vt->member_close(c.member, true));
    c.b->vt->close(c.b);
    for (int i = 0; i < c.count; i++)
        leat__free(c.at[i].topic);
    leat__free(c.upper);
    leat_config_free(config);
    return 0;
}
