/*
 * tests/bench/failover_records.c: what failover.py and soak.py need from outside: a steady load, and
 * how long each partition of an output was silent for its readers. librdkafka alone.
 *
 *   failover-records create BROKERS PARTITIONS TOPIC...
 *   failover-records load   BROKERS TOPIC RATE KEYS [SECONDS]
 *       until SIGTERM: record i has the key number i % KEYS, in the partition where Kafka's own
 *       partitioner puts it: so a task's output is in its own partition
 *   failover-records watch  BROKERS TOPIC
 *       read_committed, from the end on, until SIGTERM: a line for each 20 ms in which something
 *       came: <epoch ms> <records of partition 0> <of partition 1> ...
 *
 * Silence is measured where it hurts: when a reader with read_committed gets to see the records,
 * not when they were appended.
 */
#include <librdkafka/rdkafka.h>

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTITIONS_MAX = 256, SLICE_MS = 20, WAIT_MS = 20000 };

static volatile sig_atomic_t over;

static void on_signal(int number)
{
    (void)number;
    over = 1;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "failover-records: %s: %s\n", what, why);
    exit(1);
}

static int64_t now_ms(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
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

/* ---- create ---- */

static int create(const char *brokers, int partitions, int count, char **topics)
{
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, brokers, NULL);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_event_t *e;
    size_t made = 0;
    char text[512];

    for (int i = 0; i < count; i++) {
        rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topics[i], partitions, 1, text, sizeof text);

        rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
        e = rd_kafka_queue_poll(q, WAIT_MS);
        if (!e || rd_kafka_event_error(e))
            die(topics[i], e ? rd_kafka_event_error_string(e) : "no answer");
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e), &made);
        if (rd_kafka_topic_result_error(results[0]))
            die(topics[i], rd_kafka_err2str(rd_kafka_topic_result_error(results[0])));
        rd_kafka_event_destroy(e);
        rd_kafka_NewTopic_destroy(t);
    }
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
    return 0;
}

/* ---- load ---- */

static void produce(rd_kafka_t *rk, const char *topic, long number)
{
    char key[20];
    rd_kafka_resp_err_t err;

    snprintf(key, sizeof key, "k%011ld", number);
    do {
        err = __extension__ rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, strlen(key)),
            RD_KAFKA_V_VALUE(key, strlen(key)), RD_KAFKA_V_END);
        rd_kafka_poll(rk, err ? 10 : 0);
    } while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (err)
        die(topic, rd_kafka_err2str(err));
}

static int load(const char *brokers, const char *topic, long rate, long keys, long seconds)
{
    static const char *const pairs[] = {"enable.idempotence", "true", "linger.ms", "5",
        "partitioner", "murmur2", NULL};
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, brokers, pairs);
    int64_t began_ms = now_ms(CLOCK_MONOTONIC);
    struct timespec pause = {0, 2000000};
    long sent = 0;

    while (!over && (seconds == 0 || sent < rate * seconds)) {
        long due = (long)((now_ms(CLOCK_MONOTONIC) - began_ms) * rate / 1000);

        for (; sent < due; sent++)
            produce(rk, topic, sent % keys);
        rd_kafka_poll(rk, 0);
        nanosleep(&pause, NULL);
    }
    if (rd_kafka_flush(rk, WAIT_MS) != 0 || refused)
        die(topic, "not everything was delivered");
    printf("%ld\n", sent);
    rd_kafka_destroy(rk);
    return 0;
}

/* ---- watch ---- */

static rd_kafka_topic_partition_list_t *from_the_end(rd_kafka_t *rk, const char *topic)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    const struct rd_kafka_metadata *m;

    if (rd_kafka_metadata(rk, 0, rkt, &m, WAIT_MS) != 0)
        die(topic, "no metadata");
    for (int i = 0; i < m->topics[0].partition_cnt && i < PARTITIONS_MAX; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_metadata_destroy(m);
    rd_kafka_topic_destroy(rkt);
    return list;
}

static int watch(const char *brokers, const char *topic)
{
    static const char *const pairs[] = {"group.id", "failover-records", "isolation.level",
        "read_committed", "enable.auto.commit", "false", "fetch.wait.max.ms", "10", NULL};
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, brokers, pairs);
    rd_kafka_topic_partition_list_t *list = from_the_end(rk, topic);
    long counts[PARTITIONS_MAX] = {0};
    int64_t slice = 0;
    bool any = false;

    rd_kafka_poll_set_consumer(rk);
    rd_kafka_assign(rk, list);
    while (!over) {
        rd_kafka_message_t *r = rd_kafka_consumer_poll(rk, SLICE_MS);
        int64_t now = now_ms(CLOCK_REALTIME);

        if (any && now / SLICE_MS != slice) {
            printf("%lld", (long long)(slice * SLICE_MS));
            for (int i = 0; i < list->cnt; i++)
                printf(" %ld", counts[i]);
            putchar('\n');
            fflush(stdout);
            memset(counts, 0, sizeof counts);
            any = false;
        }
        slice = now / SLICE_MS;
        if (r && !r->err && r->partition < PARTITIONS_MAX) {
            counts[r->partition]++;
            any = true;
        }
        if (r)
            rd_kafka_message_destroy(r);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    if (argc > 4 && strcmp(argv[1], "create") == 0)
        return create(argv[2], atoi(argv[3]), argc - 4, argv + 4);
    if ((argc == 6 || argc == 7) && strcmp(argv[1], "load") == 0)
        return load(argv[2], argv[3], atol(argv[4]), atol(argv[5]), argc == 7 ? atol(argv[6]) : 0);
    if (argc == 4 && strcmp(argv[1], "watch") == 0)
        return watch(argv[2], argv[3]);
    fprintf(stderr, "usage: failover-records create|load|watch ...\n");
    return 2;
}
