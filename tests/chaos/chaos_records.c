/*
 * chaos-records: the load of a chaos round, whose answer is known, and the judge of what came out. librdkafka alone, no leat.
 *
 *   chaos-records create BROKERS TOPIC...
 *   chaos-records load   BROKERS PREFIX NAMES RECORDS RATE          RATE a second into P-in-NAME for each of NAMES (a,b)
 *   chaos-records ask    BROKERS PREFIX NAMES                       one record into each partition of P-ask-NAME
 *   chaos-records wait   BROKERS PREFIX NAMES RECORDS SECONDS KIND  until P-KIND-NAME holds the whole answer
 *   chaos-records verify BROKERS PREFIX NAMES RECORDS eos|alo APP   outputs, changelogs and local states against the answer
 *
 * Record i of join meets a fact of its key: P-facts-join has version 0 of all before the first record, and a new one (i + 1) of
 * some key beside each record i. What a key's records met, in their order, must never grow older.
 *
 * Record i has the value "i" and the key i % CHAOS_KEYS; it is in group i % CHAOS_GROUPS. So what a fold must have seen of a
 * key in the end is known without remembering anything: bits 0 .. n-1, and under exactly once the count n.
 */
#include <librdkafka/rdkafka.h>

#include "chaos.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAMES_MAX = 8, VALUE_MAX = 1024, SAID_MAX = 40, PATIENCE_MS = 300000 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "chaos-records: %s: %s\n", what, why);
    exit(2);
}

static void set(rd_kafka_conf_t *c, const char *key, const char *value)
{
    char text[512];

    if (rd_kafka_conf_set(c, key, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        die(key, text);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *c, const char *brokers)
{
    char text[512];
    rd_kafka_t *rk;

    set(c, "bootstrap.servers", brokers);
    set(c, "reconnect.backoff.max.ms", "500"); /* the broker is killed on purpose */
    rk = rd_kafka_new(type, c, text, sizeof text);
    if (rk == NULL)
        die("client", text);
    return rk;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- names and the answer ---- */

struct names {
    char list[NAMES_MAX][40];
    int count;
};

static struct names names_of(const char *text)
{
    struct names n = {.count = 0};
    char *copy = strdup(text), *rest = NULL;

    for (char *word = strtok_r(copy, ",", &rest); word && n.count < NAMES_MAX;
         word = strtok_r(NULL, ",", &rest))
        snprintf(n.list[n.count++], sizeof n.list[0], "%s", word);
    free(copy);
    return n;
}

static int keys_of(const char *name)
{
    return strcmp(name, "repartition") == 0 ? CHAOS_GROUPS : CHAOS_KEYS;
}

/* How many of the records have this key. */
static int64_t answer(long records, int keys, int key)
{
    return records / keys + (key < records % keys);
}

struct value {
    int64_t count, bits, top; /* bits: how many are set; top: the highest of them + 1 */
    int size;                 /* 0: none */
    char bytes[VALUE_MAX];
};

static bool read_value(struct value *v, const char *bytes, size_t size)
{
    memset(v, 0, sizeof *v);
    if (size < CHAOS_HEAD || size > VALUE_MAX)
        return false;
    memcpy(v->bytes, bytes, size);
    v->size = (int)size;
    v->count = chaos_count(bytes);
    for (int i = CHAOS_HEAD; i < v->size; i++)
        for (int k = 0; k < 8; k++)
            if (bytes[i] >> k & 1) {
                v->bits++;
                v->top = (i - CHAOS_HEAD) * 8 + k + 1;
            }
    return true;
}

static bool whole(const struct value *v, int64_t n)
{
    return v->size != 0 && v->bits == n && v->top == n && v->count >= n;
}

/* ---- complaints ---- */

static int complaints;

static void complain(
    const char *topic, const char *key, const char *format, long long a, long long b)
{
    char text[200];

    if (complaints++ >= SAID_MAX)
        return;
    snprintf(text, sizeof text, format, a, b);
    printf("WRONG %s %s: %s\n", topic, key, text);
}

/* ---- create ---- */

static int create(const char *brokers, int count, char **topics)
{
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), brokers);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_NewTopic_t **fresh = calloc((size_t)count, sizeof *fresh);
    size_t made = 0;
    char text[512];

    for (int i = 0; i < count; i++)
        fresh[i] = rd_kafka_NewTopic_new(topics[i], CHAOS_PARTITIONS, 1, text, sizeof text);
    rd_kafka_CreateTopics(rk, fresh, (size_t)count, NULL, q);
    rd_kafka_event_t *e = rd_kafka_queue_poll(q, PATIENCE_MS);
    if (e == NULL || rd_kafka_event_error(e))
        die("create", e == NULL ? "no answer" : rd_kafka_event_error_string(e));
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e), &made);
    for (size_t i = 0; i < made; i++)
        if (rd_kafka_topic_result_error(results[i]))
            die(rd_kafka_topic_result_name(results[i]),
                rd_kafka_err2str(rd_kafka_topic_result_error(results[i])));
    rd_kafka_event_destroy(e);
    rd_kafka_NewTopic_destroy_array(fresh, (size_t)count);
    free(fresh);
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
    return 0;
}

/* ---- load, ask ---- */

static long refused;

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (m->err && refused++ == 0)
        fprintf(stderr, "chaos-records: refused: %s\n", rd_kafka_err2str(m->err));
}

static rd_kafka_t *producer(const char *brokers)
{
    rd_kafka_conf_t *c = rd_kafka_conf_new();

    set(c, "enable.idempotence",
        "true"); /* the load itself must be exact, over a broker that dies */
    set(c, "max.in.flight.requests.per.connection", "1"); /* 2.0.2 loses step over it sometimes */
    set(c, "message.timeout.ms", "0");
    set(c, "linger.ms", "5");
    rd_kafka_conf_set_dr_msg_cb(c, delivered);
    return client(RD_KAFKA_PRODUCER, c, brokers);
}

static void produce(
    rd_kafka_t *rk, const char *topic, int partition, const char *key, const char *value)
{
    rd_kafka_resp_err_t err;

    do {
        err = __extension__ rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
            RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY((void *)(uintptr_t)key, strlen(key)),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)), RD_KAFKA_V_END);
        rd_kafka_poll(rk, err ? 10 : 0);
    } while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (err)
        die(topic, rd_kafka_err2str(err));
}

static void deliver_all(rd_kafka_t *rk)
{
    if (rd_kafka_flush(rk, PATIENCE_MS) != 0 || refused > 0)
        die("load", "not everything was delivered");
    rd_kafka_destroy(rk);
}

static void produce_keyed(
    rd_kafka_t *rk, const char *prefix, const char *kind, const char *name, long key, long value)
{
    char topic[200], key_text[20], text[20];

    snprintf(topic, sizeof topic, "%s-%s-%s", prefix, kind, name);
    snprintf(key_text, sizeof key_text, "k%04ld", key);
    snprintf(text, sizeof text, "%ld", value);
    produce(rk, topic, (int)(key % CHAOS_PARTITIONS), key_text, text);
}

static bool is_join(const char *name)
{
    return strcmp(name, "join") == 0;
}

static void load_first_facts(rd_kafka_t *rk, const char *prefix, const struct names *names)
{
    for (int k = 0; k < names->count; k++)
        for (long key = 0; is_join(names->list[k]) && key < CHAOS_KEYS; key++)
            produce_keyed(rk, prefix, "facts", names->list[k], key, 0);
    if (rd_kafka_flush(rk, PATIENCE_MS) != 0)
        die("load", "the facts were not delivered");
}

static int load(
    const char *brokers, const char *prefix, const struct names *names, long records, long rate)
{
    rd_kafka_t *rk = producer(brokers);
    int64_t began_ms;

    load_first_facts(rk, prefix, names);
    began_ms = now_ms();
    for (long i = 0; i < records; i++) {
        while ((now_ms() - began_ms) * rate < i * 1000)
            rd_kafka_poll(rk, 5);
        for (int k = 0; k < names->count; k++) {
            produce_keyed(rk, prefix, "in", names->list[k], i % CHAOS_KEYS, i);
            if (is_join(names->list[k]))
                produce_keyed(rk, prefix, "facts", names->list[k], i * 5 % CHAOS_KEYS, i + 1);
        }
    }
    deliver_all(rk);
    return 0;
}

static int ask(const char *brokers, const char *prefix, const struct names *names)
{
    rd_kafka_t *rk = producer(brokers);
    char topic[200];

    for (int k = 0; k < names->count; k++) {
        snprintf(topic, sizeof topic, "%s-ask-%s", prefix, names->list[k]);
        for (int i = 0; i < CHAOS_PARTITIONS; i++)
            produce(rk, topic, i, "ask", "ask");
    }
    deliver_all(rk);
    return 0;
}

/* ---- reading ---- */

/* False: seen enough. */
typedef bool (*record_fn)(
    void *user, const char *topic, int key, const char *key_text, const char *value, size_t size);

static rd_kafka_t *consumer(const char *brokers, const char *const *topics, int count, int *open)
{
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(count * CHAOS_PARTITIONS);

    set(c, "group.id", "chaos-records");
    set(c, "isolation.level", "read_committed");
    set(c, "enable.partition.eof", "true");
    set(c, "enable.auto.commit", "false");
    set(c, "fetch.wait.max.ms", "50");
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, c, brokers);
    rd_kafka_poll_set_consumer(rk);
    for (int t = 0; t < count; t++)
        for (int i = 0; i < CHAOS_PARTITIONS; i++)
            rd_kafka_topic_partition_list_add(list, topics[t], i)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
    *open = list->cnt;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return rk;
}

static void see(const rd_kafka_message_t *r, record_fn fn, void *user, bool *on)
{
    char key[40] = "";

    if (r->key == NULL || r->key_len < 2 || r->key_len >= sizeof key)
        die(rd_kafka_topic_name(r->rkt), "a record with a strange key");
    memcpy(key, r->key, r->key_len);
    *on = fn(user, rd_kafka_topic_name(r->rkt), atoi(key + 1), key, r->payload, r->len);
}

/* To the end of all, or (tail) until fn has seen enough or the time is up. True: that was so. */
static bool read_topics(const char *brokers, const char *const *topics, int count, record_fn fn,
    void *user, int64_t until_ms)
{
    int open = 0;
    bool on = true, tail = until_ms >= 0;
    rd_kafka_t *rk = consumer(brokers, topics, count, &open);

    for (int64_t heard_ms = now_ms(); on && (tail ? now_ms() < until_ms : open > 0);) {
        rd_kafka_message_t *r = rd_kafka_consumer_poll(rk, 200);
        if (r == NULL) {
            if (!tail && now_ms() - heard_ms > PATIENCE_MS)
                die(topics[0], "nothing came for five minutes");
            continue;
        }
        heard_ms = now_ms();
        if (r->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            open--;
        else if (!r->err)
            see(r, fn, user, &on);
        else if (!tail && r->err != RD_KAFKA_RESP_ERR__TRANSPORT &&
                 r->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
            die(topics[0], rd_kafka_message_errstr(r));
        rd_kafka_message_destroy(r);
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return !on;
}

/* ---- wait ---- */

struct waiting {
    struct names names;
    const char *prefix, *kind;
    long records;
    bool *done[NAMES_MAX];
    long missing;
};

static bool on_waited(
    void *user, const char *topic, int key, const char *key_text, const char *value, size_t size)
{
    struct waiting *w = user;
    char name[200];
    struct value v;

    (void)key_text;
    for (int i = 0; i < w->names.count; i++) {
        int keys = keys_of(w->names.list[i]);
        snprintf(name, sizeof name, "%s-%s-%s", w->prefix, w->kind, w->names.list[i]);
        if (strcmp(name, topic) != 0 || key < 0 || key >= keys || w->done[i][key] ||
            value == NULL || !read_value(&v, value, size) ||
            !whole(&v, answer(w->records, keys, key)))
            continue;
        w->done[i][key] = true;
        w->missing--;
    }
    return w->missing > 0;
}

static int wait_for(const char *brokers, struct waiting *w, long seconds)
{
    char text[NAMES_MAX][200];
    const char *topics[NAMES_MAX];
    bool well;

    for (int i = 0; i < w->names.count; i++) {
        snprintf(text[i], sizeof text[i], "%s-%s-%s", w->prefix, w->kind, w->names.list[i]);
        topics[i] = text[i];
        w->done[i] = calloc((size_t)keys_of(w->names.list[i]), sizeof(bool));
        w->missing += keys_of(w->names.list[i]);
    }
    well = read_topics(brokers, topics, w->names.count, on_waited, w, now_ms() + seconds * 1000);
    for (int i = 0; i < w->names.count; i++) {
        int some = 0;
        for (int k = 0; k < keys_of(w->names.list[i]); k++)
            if (!w->done[i][k] && some++ < 8)
                printf("MISSING %s %d (partition %d of the input if it is a key)\n", topics[i], k,
                    k % CHAOS_PARTITIONS);
        free(w->done[i]);
    }
    if (!well)
        printf("after %ld s %ld keys of %s have not their whole answer\n", seconds, w->missing,
            w->kind);
    return well ? 0 : 1;
}

/* ---- verify ---- */

struct table {
    const char *topic;
    int keys;
    bool eos, every, outputs; /* every: each update is there; outputs: as they follow each other */
    long records;
    struct value *last;
    bool *was_whole;
    long *seen;
};

static bool on_value(
    void *user, const char *topic, int key, const char *key_text, const char *bytes, size_t size)
{
    struct table *t = user;
    int64_t n = key >= 0 && key < t->keys ? answer(t->records, t->keys, key) : 0;
    struct value v;

    if (n == 0 || bytes == NULL || !read_value(&v, bytes, size)) {
        complain(topic, key_text, "a strange record: size %lld, answer %lld", (long long)size,
            (long long)n);
        return true;
    }
    const struct value *before = &t->last[key];
    if (v.top > n)
        complain(topic, key_text, "saw record %lld of %lld", v.top, n);
    if (t->eos && v.count != v.bits)
        complain(topic, key_text, "count %lld of %lld records", v.count, v.bits);
    if (t->eos && t->outputs && v.count <= before->count)
        complain(topic, key_text, "count %lld after %lld", v.count, before->count);
    if (t->eos && t->outputs && t->every && (v.count != before->count + 1 || v.top != v.count))
        complain(topic, key_text, "count %lld is not the next after %lld", v.count, before->count);
    t->was_whole[key] = t->was_whole[key] || whole(&v, n);
    t->seen[key]++;
    t->last[key] = v;
    return true;
}

static void read_table(const char *brokers, struct table *t)
{
    t->last = calloc((size_t)t->keys, sizeof *t->last);
    t->was_whole = calloc((size_t)t->keys, sizeof *t->was_whole);
    t->seen = calloc((size_t)t->keys, sizeof *t->seen);
    read_topics(brokers, &t->topic, 1, on_value, t, -1);
    for (int k = 0; k < t->keys; k++) {
        int64_t n = answer(t->records, t->keys, k);
        char key[20];

        snprintf(key, sizeof key, "#%d", k);
        if (n > 0 && t->eos && (t->last[k].count != n || t->last[k].bits != n))
            complain(t->topic, key, "ends with count %lld, not %lld", t->last[k].count, n);
        if (n > 0 && !t->was_whole[k])
            complain(t->topic, key, "lost: only %lld of %lld records", t->last[k].bits, n);
    }
}

static void free_table(struct table *t)
{
    free(t->last);
    free(t->was_whole);
    free(t->seen);
}

static void compare(const struct table *a, const struct table *b)
{
    char key[20];

    for (int k = 0; k < a->keys; k++) {
        const struct value *x = &a->last[k], *y = &b->last[k];
        snprintf(key, sizeof key, "#%d", k);
        if (x->size != y->size || memcmp(x->bytes, y->bytes, (size_t)x->size) != 0) {
            complain(a->topic, key, "count %lld here, but %lld in the topic named next", x->count,
                y->count);
            complain(b->topic, key, "it is that one (%lld, %lld bits)", y->count, y->bits);
        }
    }
}

/* What join sent on under exactly once: of each key record after record, each with a fact not older than the last. */
struct joined {
    long next[CHAOS_KEYS], version[CHAOS_KEYS], count;
};

static bool on_joined(
    void *user, const char *topic, int key, const char *key_text, const char *value, size_t size)
{
    struct joined *j = user;
    char text[60];
    long number = -1, version = -1;

    snprintf(text, sizeof text, "%.*s", (int)size, value ? value : "");
    if (key < 0 || key >= CHAOS_KEYS || sscanf(text, "%ld %ld", &number, &version) != 2) {
        complain(topic, key_text, "a strange record: size %lld", (long long)size, 0);
        return true;
    }
    if (number != key + j->next[key] * CHAOS_KEYS)
        complain(topic, key_text, "record %lld where %lld is the next", number,
            key + j->next[key] * CHAOS_KEYS);
    if (version < j->version[key])
        complain(topic, key_text, "met version %lld of its fact after %lld", version,
            j->version[key]);
    j->next[key] = number / CHAOS_KEYS + 1;
    j->version[key] = version;
    j->count++;
    return true;
}

static void verify_joined(const char *brokers, const char *prefix, long records)
{
    struct joined *j = calloc(1, sizeof *j);
    char topic[200];
    const char *topics[] = {topic};
    long newest = 0;

    snprintf(topic, sizeof topic, "%s-joined-join", prefix);
    read_topics(brokers, topics, 1, on_joined, j, -1);
    for (int k = 0; k < CHAOS_KEYS; k++)
        if (j->version[k] > newest)
            newest = j->version[k];
    if (j->count != records)
        complain(topic, "all", "%lld records joined of %lld", j->count, records);
    if (newest == 0)
        complain(topic, "all", "no fact but the first ones was ever met", 0, 0);
    printf("joined: %ld records, newest fact %ld of %ld\n", j->count, newest, records);
    free(j);
}

static void verify_one(const char *brokers, const char *prefix, const char *name, long records,
    bool eos, const char *app)
{
    char out[200], log[200], state[200];
    struct table outputs = {.topic = out,
        .keys = keys_of(name),
        .eos = eos,
        .outputs = true,
        .every = strcmp(name, "repartition") != 0,
        .records = records};
    struct table changelog = {
        .topic = log, .keys = keys_of(name), .eos = eos, .outputs = true, .records = records};
    struct table local = {.topic = state, .keys = keys_of(name), .eos = eos, .records = records};
    long written = 0;

    snprintf(out, sizeof out, "%s-out-%s", prefix, name);
    snprintf(log, sizeof log, "%s-%s-sums-changelog", app, name);
    snprintf(state, sizeof state, "%s-state-%s", prefix, name);
    read_table(brokers, &outputs);
    read_table(brokers, &changelog);
    read_table(brokers, &local);
    compare(&local, &changelog);
    if (eos)
        compare(&outputs, &changelog);
    for (int k = 0; k < outputs.keys; k++) {
        written += outputs.seen[k];
        if (eos && local.seen[k] != 1)
            complain(state, "rows", "key %lld was shown %lld times", k, local.seen[k]);
    }
    printf("%s: %d keys, %ld outputs\n", name, outputs.keys, written);
    free_table(&outputs);
    free_table(&changelog);
    free_table(&local);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    setvbuf(stdout, NULL, _IOLBF, 8192);
    if (argc >= 4 && strcmp(what, "create") == 0)
        return create(argv[2], argc - 3, argv + 3);
    struct names names = names_of(argc > 4 ? argv[4] : "");
    if (argc == 7 && strcmp(what, "load") == 0)
        return load(argv[2], argv[3], &names, atol(argv[5]), atol(argv[6]));
    if (argc == 5 && strcmp(what, "ask") == 0)
        return ask(argv[2], argv[3], &names);
    if (argc == 8 && strcmp(what, "wait") == 0) {
        struct waiting w = {
            .names = names, .prefix = argv[3], .kind = argv[7], .records = atol(argv[5])};
        return wait_for(argv[2], &w, atol(argv[6]));
    }
    if (argc == 8 && strcmp(what, "verify") == 0) {
        for (int i = 0; i < names.count; i++)
            verify_one(argv[2], argv[3], names.list[i], atol(argv[5]), strcmp(argv[6], "eos") == 0,
                argv[7]);
        for (int i = 0; i < names.count; i++)
            if (is_join(names.list[i]) && strcmp(argv[6], "eos") == 0)
                verify_joined(argv[2], argv[3], atol(argv[5]));
        if (complaints > 0)
            printf("%d complaints\n", complaints);
        return complaints > 0;
    }
    fprintf(stderr, "usage: chaos-records create|load|ask|wait|verify ... (see the file's head)\n");
    return 2;
}
