/*
 * runtime/stdio_run.c: --embedded: lines of standard input become records of the first source topic, records of output topics
 * become lines of standard output. Everything between is the engine as it always runs, on the embedded log.
 *
 *   stdin ─▶ lines ─▶ writer ─▶ [embedded log: source topic] ─▶ app ─▶ [output topics] ─▶ reader ─▶ stdout
 *
 * Memory stays bounded: the feeder waits while too much is uncommitted, and deletes what is committed from the source topics
 * and what is printed from the output topics. Standard output carries records only.
 */
#include "stdio_run.h"

#include "base/codec.h"
#include "base/config.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "embedded/embedded.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AHEAD_MAX = 200000, PURGE_EVERY = 50000, TAKE_MAX = 1000 };

struct output {
    char *topic;
    int slot;
    int32_t partition;
    const leat_serde_t *key, *value;
    int64_t next;
};

struct run {
    leat_app_t *app;
    leat__plan_t *plan; /* a compile of its own: the app's lives only while it runs */
    leat__log_t *log;
    leat__broker_t *client;
    leat__writer_t *writer;
    leat__out_t *in;
    const leat__node_t *source;
    bool lines_are_values;
    leat__reader_t *reader;
    struct output *outputs;
    size_t output_count, output_room;
    leat__buf_t line; /* an unfinished one */
    uint64_t fed, purged_at;
    leat__arena_t scratch;
};

/* ---- set up ---- */

static const leat__node_t *first_source(const leat__plan_t *plan)
{
    for (size_t i = 0; i < plan->node_count; i++)
        if (plan->nodes[i]->kind == LEAT__SOURCE && !plan->nodes[i]->internal &&
            plan->nodes[i]->topic_count > 0)
            return plan->nodes[i];
    return NULL;
}

static bool is_source_topic(const leat__plan_t *plan, const char *topic)
{
    for (size_t i = 0; i < plan->node_count; i++)
        for (size_t k = 0; plan->nodes[i]->kind == LEAT__SOURCE && k < plan->nodes[i]->topic_count;
             k++)
            if (strcmp(plan->nodes[i]->topics[k], topic) == 0)
                return true;
    return false;
}

/* Source and sink topics, one partition a thread. */
static int make_topics(struct run *r, int32_t partitions, leat_error_t *err)
{
    const leat__plan_t *plan = r->plan;
    leat__topic_t *topics = NULL;
    size_t count = 0, room = 0;

    for (size_t i = 0; i < plan->node_count; i++)
        for (size_t k = 0; plan->nodes[i]->kind != LEAT__PROCESSOR && !plan->nodes[i]->internal &&
                           k < plan->nodes[i]->topic_count;
             k++) {
            LEAT__GROW(topics, count, room);
            topics[count++] =
                (leat__topic_t){.name = plan->nodes[i]->topics[k], .partitions = partitions};
        }
    leat__op_t *op = r->client->vt->ensure_topics(r->client, topics, count);
    leat__op_wait(op, 10000);
    int rc = op->err.code;
    if (rc != 0)
        *err = op->err;
    leat__op_free(op);
    leat__free(topics);
    return rc;
}

static int connect_input(struct run *r, leat_error_t *err)
{
    leat__writer_opts_t o = {.client_id = "stdin"};
    leat__reader_opts_t ro = {.client_id = "stdout", .read_committed = true, .tail = true};

    r->writer = r->client->vt->writer_open(r->client, &o, err);
    if (r->writer == NULL)
        return err->code;
    r->in = r->client->vt->writer_topic(r->writer, r->source->topics[0], err);
    if (r->in == NULL)
        return err->code;
    r->reader = r->client->vt->reader_open(r->client, &ro, err);
    return r->reader == NULL ? err->code : 0;
}

/* ---- out ---- */

static const leat__node_t *sink_of(const leat__plan_t *plan, const char *topic)
{
    const leat__node_t *chooser = NULL;

    for (size_t i = 0; i < plan->node_count; i++) {
        const leat__node_t *n = plan->nodes[i];
        if (n->kind != LEAT__SINK || n->internal)
            continue;
        if (n->choose_topic != NULL)
            chooser = n;
        for (size_t k = 0; k < n->topic_count; k++)
            if (strcmp(n->topics[k], topic) == 0)
                return n;
    }
    return chooser;
}

static bool known(const struct run *r, const char *topic)
{
    for (size_t i = 0; i < r->output_count; i++)
        if (strcmp(r->outputs[i].topic, topic) == 0)
            return true;
    return false;
}

/* Topics that a chooser named appear while it runs; each is read from where it ended when this run began. */
static void find_outputs(struct run *r, bool from_end)
{
    const leat__broker_vt_t *vt = r->client->vt;
    size_t prefix = strlen(r->plan->application_id);
    leat__op_t *op = vt->list_topics(r->client);
    leat_error_t err;

    leat__op_wait(op, 10000);
    for (size_t i = 0; i < op->topic_count; i++) {
        const leat__topic_t *t = &op->topics[i];
        const leat__node_t *sink = sink_of(r->plan, t->name);
        bool internal = strncmp(t->name, r->plan->application_id, prefix) == 0 &&
                        t->name[prefix] == '-' && sink != NULL && sink->choose_topic != NULL;

        if (sink == NULL || internal || known(r, t->name) ||
            (sink->choose_topic != NULL && is_source_topic(r->plan, t->name)))
            continue;
        for (int32_t p = 0; p < t->partitions; p++) {
            leat__position_t at = {.topic = t->name, .partition = p};
            leat__op_t *end =
                vt->offsets(r->client, &at, 1, from_end ? LEAT__HIGH_WATERMARK : LEAT__EARLIEST);
            leat__op_wait(end, 10000);
            int64_t offset = end->position_count > 0 ? end->positions[0].offset : 0;
            leat__op_free(end);
            LEAT__GROW(r->outputs, r->output_count, r->output_room);
            struct output *o = &r->outputs[r->output_count];
            *o = (struct output){.topic = leat__must_strdup(t->name),
                .partition = p,
                .key = sink->key,
                .value = sink->value,
                .next = offset};
            o->slot = vt->reader_add(r->reader, o->topic, p, offset, &err);
            r->output_count++;
        }
    }
    leat__op_free(op);
}

static void print_side(
    struct run *r, const leat_serde_t *serde, leat_slice_t bytes, const char *topic, bool is_key)
{
    leat__codec_env_t env = {.scratch = &r->scratch, .topic = topic, .is_key = is_key};
    const void *value;
    leat_error_t err;
    leat_slice_t text = leat_slice("null");

    if (bytes.data != NULL && leat__decode(serde, bytes, &env, &value, &err) == 0)
        text = leat__print(serde, value, &r->scratch);
    else if (bytes.data != NULL)
        text = leat__print(leat_serde_bytes(), &bytes, &r->scratch);
    fwrite(text.data, 1, text.size, stdout);
}

static bool drain(struct run *r)
{
    const leat__broker_vt_t *vt = r->client->vt;
    bool any = false;

    for (size_t i = 0; i < r->output_count; i++) {
        struct output *o = &r->outputs[i];
        leat__batch_t batch;

        if (o->slot < 0 || !vt->reader_take(r->reader, o->slot, TAKE_MAX, &batch))
            continue;
        for (size_t k = 0; k < batch.count; k++) {
            print_side(r, o->key, batch.records[k].key, o->topic, true);
            putchar('\t');
            print_side(r, o->value, batch.records[k].value, o->topic, false);
            putchar('\n');
            leat__arena_reset(&r->scratch);
        }
        any = any || batch.count > 0;
        o->next = batch.next;
        vt->reader_release(r->reader, &batch);
    }
    return any;
}

/* ---- in ---- */

static int feed_line(struct run *r, leat_slice_t line, leat_error_t *err)
{
    leat__codec_env_t env = {.scratch = &r->scratch, .topic = r->source->topics[0]};
    leat_slice_t key = {NULL, 0}, value, text = line;
    const char *tab = memchr(line.data, '\t', line.size);
    const void *typed;
    int rc = 0;

    if (!r->lines_are_values && tab != NULL && leat__serde_has_text(r->source->key)) {
        leat_slice_t before = {line.data, (size_t)(tab - line.data)};
        text = (leat_slice_t){tab + 1, line.size - before.size - 1};
        env.is_key = true;
        rc = leat__parse(r->source->key, before, &r->scratch, &typed, err);
        if (rc == 0)
            rc = leat__encode(r->source->key, typed, &env, &key, err);
        env.is_key = false;
    }
    if (rc == 0)
        rc = leat__parse(r->source->value, text, &r->scratch, &typed, err);
    if (rc == 0)
        rc = leat__encode(r->source->value, typed, &env, &value, err);
    if (rc != 0) {
        snprintf(err->where, sizeof err->where, "standard input, line %llu",
            (unsigned long long)r->fed + 1);
        return rc;
    }
    int32_t count = r->client->vt->out_partitions(r->in);
    int32_t partition =
        key.data != NULL ? leat__partition_of(key, count) : (int32_t)(r->fed % (uint64_t)count);
    do {
        rc = r->client->vt->produce(
            r->writer, r->in, partition, key, value, leat__clock_wall_ms(NULL), NULL, err);
        if (rc == LEAT_EFULL)
            r->client->vt->writer_poll(r->writer);
    } while (rc == LEAT_EFULL);
    leat__arena_reset(&r->scratch);
    r->fed++;
    return rc;
}

/* Whole lines of what was read; the rest waits for more. */
static int feed(struct run *r, bool ended, leat_error_t *err)
{
    size_t at = 0;
    int rc = 0;

    while (rc == 0 && at < r->line.size) {
        const char *start = r->line.data + at;
        const char *end = memchr(start, '\n', r->line.size - at);
        size_t size = end != NULL ? (size_t)(end - start) : r->line.size - at;

        if (end == NULL && !ended)
            break;
        at += size + (end != NULL);
        if (size > 0 && start[size - 1] == '\r')
            size--;
        rc = feed_line(r, (leat_slice_t){start, size}, err);
    }
    memmove(r->line.data, r->line.data + at, r->line.size - at);
    r->line.size -= at;
    return rc;
}

/* 1: more may come; 0: the end; negative: err */
static int read_input(struct run *r, leat_error_t *err)
{
    leat__buf_reserve(&r->line, 65536);
    ssize_t n = read(STDIN_FILENO, r->line.data + r->line.size, 65536);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 1;
    if (n < 0)
        return leat__error(err, LEAT_EIO, LEAT_FATAL, "standard input", "%s", strerror(errno));
    r->line.size += (size_t)n;
    int rc = feed(r, n == 0, err);
    return rc != 0 ? rc : n > 0;
}

/* ---- bounded memory ---- */

static void delete_below(struct run *r, const leat__position_t *p, size_t count)
{
    leat__op_t *op = r->client->vt->delete_records(r->client, p, count);

    leat__op_wait(op, 10000);
    leat__op_free(op);
}

static uint64_t purge(struct run *r)
{
    const char *topic = r->source->topics[0];
    int32_t count = r->client->vt->out_partitions(r->in);
    leat__position_t *p = leat__must_alloc(((size_t)count + r->output_count) * sizeof *p);
    uint64_t done = 0;

    for (int32_t i = 0; i < count; i++)
        p[i] = (leat__position_t){.topic = (char *)(uintptr_t)topic, .partition = i};
    leat__op_t *op = r->client->vt->committed(r->client, r->plan->application_id, p, (size_t)count);
    if (leat__op_wait(op, 1000) && op->err.code == 0) {
        for (int32_t i = 0; i < count; i++) {
            p[i].offset = op->positions[i].offset < 0 ? 0 : op->positions[i].offset;
            done += (uint64_t)p[i].offset;
        }
        delete_below(r, p, (size_t)count);
    }
    leat__op_free(op);
    for (size_t i = 0; i < r->output_count; i++)
        p[i] = (leat__position_t){.topic = r->outputs[i].topic,
            .partition = r->outputs[i].partition,
            .offset = r->outputs[i].next};
    if (r->output_count > 0)
        delete_below(r, p, r->output_count);
    leat__free(p);
    r->purged_at = r->fed;
    return done;
}

/* ---- the loop ---- */

static bool alive(const struct run *r)
{
    leat_state_t s = leat_app_state(r->app);
    return s == LEAT_STATE_REBALANCING || s == LEAT_STATE_RUNNING;
}

static int pump(struct run *r, leat_error_t *err)
{
    leat__ends_t ends = {0};
    bool reading = true;
    uint64_t done = 0, base = 0, written_before = 0;
    int rc = 0;

    written_before = purge(r); /* offsets of an earlier run in the same folder */
    base = written_before;
    while (rc == 0 && alive(r)) {
        struct pollfd p[2] = {{.fd = reading ? STDIN_FILENO : -1, .events = POLLIN},
            {.fd = leat__signals_fd(), .events = POLLIN}};
        bool ahead = base + r->fed > done + AHEAD_MAX;
        bool any = drain(r);

        if (r->fed - r->purged_at > PURGE_EVERY || ahead)
            done = purge(r);
        if (ahead)
            p[0].fd = -1;
        if (!any)
            fflush(stdout);
        poll(p, 2, any ? 0 : 5);
        r->client->vt->writer_poll(r->writer);
        if (reading && leat__signals_seen()) {
            rc = feed(r, true, err);
            reading = false;
        } else if (reading && (p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            rc = read_input(r, err);
            reading = rc > 0;
            rc = rc < 0 ? rc : 0;
        }
        if (!reading && rc == 0 && ends.of == NULL) {
            leat__op_t *op = r->client->vt->writer_flush(r->writer);
            leat__op_wait(op, 10000);
            leat__op_free(op);
            rc = leat__ends_now(r->app, &ends, err);
        } else if (!reading && rc == 0) {
            rc = leat__ends_reached(r->app, &ends, err);
            if (rc == 1)
                break;
        }
        if (!any)
            find_outputs(r, false);
    }
    leat__ends_release(&ends);
    return rc < 0 ? rc : 0;
}

static void tear_down(struct run *r)
{
    const leat__broker_vt_t *vt = r->client == NULL ? NULL : r->client->vt;

    if (r->writer != NULL) {
        leat__op_t *op = vt->writer_close(r->writer);
        leat__op_wait(op, 10000);
        leat__op_free(op);
    }
    if (r->reader != NULL)
        vt->reader_close(r->reader);
    for (size_t i = 0; i < r->output_count; i++)
        leat__free(r->outputs[i].topic);
    leat__free(r->outputs);
    leat__buf_release(&r->line);
    leat__arena_release(&r->scratch);
    leat__plan_free(r->plan);
    if (vt != NULL)
        vt->close(r->client);
    if (r->log != NULL)
        leat__log_unref(r->log);
}

static int open_log(struct run *r, const leat_config_t *config, leat_error_t *err)
{
    const char *servers = leat__config_text(config, "bootstrap.servers");
    const char *dir = servers + strlen("embedded:");

    if (*dir == '\0') {
        r->log = leat__log_open(NULL, NULL, err);
        if (r->log == NULL)
            return err->code;
        r->client = leat__embedded_client(r->log, config);
    } else {
        r->client = leat__embedded_open(config, err);
        if (r->client == NULL)
            return err->code;
        r->log = leat__log_ref(leat__embedded_log(r->client));
    }
    leat__log_auto_create(r->log, 1);
    return 0;
}

/* State of a log that dies with the process dies with it too, unless a folder was asked for. */
static char *state_for(leat_config_t *config)
{
    const char *base = getenv("TMPDIR");
    char *dir;

    if (leat__config_is_set(config, "state.dir") ||
        strcmp(leat__config_text(config, "bootstrap.servers"), "embedded:") != 0)
        return NULL;
    dir =
        leat__must_format("%s/leat-embedded-XXXXXX", base != NULL && *base != '\0' ? base : "/tmp");
    if (mkdtemp(dir) == NULL) {
        leat__free(dir);
        return NULL; /* the app says what is wrong with the folder it then uses */
    }
    leat_config_set(config, "state.dir", dir);
    return dir;
}

static int prepare(
    struct run *r, leat_topology_t *topology, leat_config_t *config, leat_error_t *err)
{
    int rc = leat_topology_check(topology, config, err);

    if (rc == 0)
        rc = leat_config_check(config, err);
    if (rc == 0)
        rc = leat__topology_compile(topology, config, &r->plan, err);
    if (rc != 0)
        return rc;
    r->source = first_source(r->plan);
    if (r->source == NULL)
        return leat__error(
            err, LEAT_ETOPOLOGY, 0, "--embedded", "the topology reads no topic by name");
    if (!leat__serde_has_text(r->source->value))
        return leat__error(err, LEAT_ESERDE, 0, r->source->topics[0],
            "--embedded reads values as text, but serde \"%s\" has no parse function",
            r->source->value->name);
    rc = open_log(r, config, err);
    if (rc == 0)
        rc = make_topics(r, (int32_t)leat__config_int(config, "num.stream.threads"), err);
    return rc == 0 ? connect_input(r, err) : rc;
}

int leat__run_on_stdio(leat_topology_t *topology, leat_config_t *config,
    const leat_app_opts_t *opts, bool lines_are_values, leat_error_t *err)
{
    struct run r = {.lines_are_values = lines_are_values};
    char *state;
    int rc;

    leat__arena_init(&r.scratch);
    leat__commit_often(config);
    if (!leat__config_is_set(config, "repartition.purge.interval.ms"))
        leat_config_set(
            config, "repartition.purge.interval.ms", "1000"); /* it all stays in memory */
    state = state_for(config);
    rc = prepare(&r, topology, config, err);
    r.app = leat_app_new(topology, config, opts);
    leat__signals_begin();
    if (rc == 0) {
        find_outputs(&r, true);
        leat__app_use(r.app, leat__embedded_client(r.log, config));
        rc = leat_app_start(r.app, err);
    }
    if (rc == 0)
        rc = pump(&r, err);
    leat_app_stop(r.app, NULL);
    if (rc == 0 && r.app->failure.code != 0) {
        *err = r.app->failure;
        rc = err->code;
    }
    if (rc == 0)
        find_outputs(&r, false);
    while (r.reader != NULL && drain(&r))
        ;
    fflush(stdout);
    leat__signals_end();
    tear_down(&r);
    leat_app_free(r.app);
    if (state != NULL)
        leat__remove_tree(state);
    leat__free(state);
    return rc;
}
