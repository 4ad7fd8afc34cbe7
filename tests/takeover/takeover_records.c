/*
 * takeover-records: the load of the takeover test, and the judge of its counts. librdkafka alone.
 *
 *   takeover-records create BROKERS
 *   takeover-records load BROKERS KEYS PHASE BASE-MS
 *   takeover-records wait BROKERS KEYS PHASE BASE-MS SECONDS
 *
 * Each phase (1, 2, 3) has one record of each key, in the hour from BASE-MS; from the second on, keys
 * with odd numbers fall into the hour after it. So after phase P each key has been counted P times, by
 * the hour P times or 1 and P - 1 times. wait reads both outputs with read_committed until each last
 * count is that; a count that is not above the one before it, or above the answer, is wrong at once.
 */
#include <librdkafka/rdkafka.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTITIONS = 4, HOUR_MS = 3600 * 1000, KEY_BYTES = 8, WAIT_MS = 60000, SAID_MAX = 10 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "takeover-records: %s: %s\n", what, why);
    exit(2);
}

static long refused;

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    refused += m->err != 0;
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *brokers, const char *const *pairs)
{
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    char text[512];
    rd_kafka_t *rk;

    if (rd_kafka_conf_set(c, "bootstrap.servers", brokers, text, sizeof text) != RD_KAFKA_CONF_OK)
        die(brokers, text);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(c, delivered);
    for (; pairs && *pairs; pairs += 2)
        if (rd_kafka_conf_set(c, pairs[0], pairs[1], text, sizeof text) != RD_KAFKA_CONF_OK)
            die(pairs[0], text);
    rk = rd_kafka_new(type, c, text, sizeof text);
    if (!rk)
        die("client", text);
    return rk;
}

static int create(const char *brokers)
{
    static const char *const topics[] = {"events", "counts-out", "hours-out"};
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, brokers, NULL);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    char text[512];

    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topics[i], PARTITIONS, 1, text, sizeof text);
        rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
        rd_kafka_event_t *e = rd_kafka_queue_poll(q, WAIT_MS);

        if (!e || rd_kafka_event_error(e))
            die(topics[i], e ? rd_kafka_event_error_string(e) : "no answer");
        rd_kafka_event_destroy(e);
        rd_kafka_NewTopic_destroy(t);
    }
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
    return 0;
}

static int64_t hour_of(long number, int phase)
{
    return number % 2 == 1 && phase > 1;
}

static int load(const char *brokers, long keys, int phase, int64_t base_ms)
{
    static const char *const pairs[] = {"enable.idempotence", "true", "linger.ms", "20",
        "queue.buffering.max.messages", "200000", NULL};
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, brokers, pairs);

    for (long i = 0; i < keys; i++) {
        char value[24];
        rd_kafka_resp_err_t err;
        int64_t at_ms = base_ms + hour_of(i, phase) * HOUR_MS + i % 1000;

        snprintf(value, sizeof value, "k%07ld", i);
        do {
            err = __extension__ rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("events"),
                RD_KAFKA_V_PARTITION((int32_t)(i % PARTITIONS)),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, KEY_BYTES),
                RD_KAFKA_V_TIMESTAMP(at_ms), RD_KAFKA_V_END);
            rd_kafka_poll(rk, err ? 10 : 0);
        } while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL);
        if (err)
            die("events", rd_kafka_err2str(err));
    }
    if (rd_kafka_flush(rk, WAIT_MS) != 0 || refused)
        die("events", "not everything was delivered");
    rd_kafka_destroy(rk);
    return 0;
}

/* ---- the judge ---- */

struct judge {
    long keys;
    int phase;
    int64_t base_ms;
    signed char *last[3]; /* of each key: the count, the first hour's, the second's */
    long left, wrong, records;
};

/* What the count of that kind must be in the end; 0: there is none. */
static int answer(const struct judge *j, int kind, long number)
{
    if (kind == 0)
        return j->phase;
    if (number % 2 == 0)
        return kind == 1 ? j->phase : 0;
    return kind == 1 ? 1 : j->phase - 1;
}

static void wrong(struct judge *j, const char *topic, const char *what, long a, long b)
{
    if (j->wrong++ < SAID_MAX)
        printf("WRONG %s: %s %ld %ld\n", topic, what, a, b);
}

static int64_t number_of(const void *bytes)
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++)
        n = n << 8 | ((const unsigned char *)bytes)[i];
    return (int64_t)n;
}

static void see(struct judge *j, const rd_kafka_message_t *r)
{
    const char *topic = rd_kafka_topic_name(r->rkt);
    bool hours = strcmp(topic, "hours-out") == 0;
    char key[KEY_BYTES + 1] = "";

    j->records++;
    if (r->len != 8 || r->key_len != (hours ? KEY_BYTES + 8u : KEY_BYTES)) {
        wrong(j, topic, "a record of a strange size:", (long)r->key_len, (long)r->len);
        return;
    }
    memcpy(key, r->key, KEY_BYTES);
    long number = atol(key + 1), count = (long)number_of(r->payload);
    int64_t hour =
        hours ? (number_of((const char *)r->key + KEY_BYTES) - j->base_ms) / HOUR_MS : -1;
    int kind = (int)hour + 1;

    if (number < 0 || number >= j->keys || kind < 0 || kind > 2) {
        wrong(j, topic, "a strange key or window:", number, (long)hour);
        return;
    }
    signed char *last = &j->last[kind][number];
    if (count <= *last || count > answer(j, kind, number))
        wrong(j, topic, "counts follow each other:", *last, count);
    else if (count == answer(j, kind, number))
        j->left--;
    *last = (signed char)count;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_for(
    const char *brokers, long keys, int phase, int64_t base_ms, long seconds)
{
    static const char *const pairs[] = {"group.id", "takeover-records", "isolation.level",
        "read_committed", "enable.auto.commit", "false", NULL};
    static const char *const topics[] = {"counts-out", "hours-out"};
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, brokers, pairs);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(2 * PARTITIONS);
    struct judge j = {.keys = keys, .phase = phase, .base_ms = base_ms};
    int64_t end_ms = now_ms() + seconds * 1000, quiet_ms = -1;

    for (int kind = 0; kind < 3; kind++) {
        j.last[kind] = calloc((size_t)keys, 1);
        for (long i = 0; i < keys; i++)
            j.left += answer(&j, kind, i) > 0;
    }
    for (int i = 0; i < 2 * PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(list, topics[i / PARTITIONS], i % PARTITIONS)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_assign(rk, list);
    /* a second longer than it takes: nothing may come after the answer */
    while (j.wrong == 0 && now_ms() < end_ms && (quiet_ms < 0 || now_ms() < quiet_ms)) {
        rd_kafka_message_t *r = rd_kafka_consumer_poll(rk, 100);

        if (r && !r->err)
            see(&j, r);
        if (r)
            rd_kafka_message_destroy(r);
        if (j.left == 0 && quiet_ms < 0)
            quiet_ms = now_ms() + 1000;
    }
    printf("%ld records, %ld counts missing, %ld wrong\n", j.records, j.left, j.wrong);
    for (int kind = 0; kind < 3; kind++)
        free(j.last[kind]);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return j.left != 0 || j.wrong != 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "create") == 0)
        return create(argv[2]);
    if (argc == 6 && strcmp(argv[1], "load") == 0)
        return load(argv[2], atol(argv[3]), atoi(argv[4]), atoll(argv[5]));
    if (argc == 7 && strcmp(argv[1], "wait") == 0)
        return wait_for(argv[2], atol(argv[3]), atoi(argv[4]), atoll(argv[5]), atol(argv[6]));
    fprintf(stderr, "usage: takeover-records create|load|wait ... (see the file's head)\n");
    return 2;
}
