/*
 * kafka_rows: a topic's rows as lines of text, for tests on a real Kafka.
 *
 *   kafka_rows put      BROKERS TOPIC text|double    lines "KEY VALUE" of stdin, to the partitions of their keys as Java
 *                                                    chooses them; double: VALUE goes as Java's 8 bytes
 *   kafka_rows get      BROKERS TOPIC                read_committed to the end: "KEY VALUE" each
 *   kafka_rows truncate BROKERS TOPIC                deletes what is there, as retention would
 * It uses librdkafka alone, nothing of leat. Topics are made by kafka_lines.
 */
#include <librdkafka/rdkafka.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 30000 };

static long failed;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "kafka_rows: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *c, const char *key, const char *value)
{
    char text[512];

    if (rd_kafka_conf_set(c, key, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        die(key, text);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *c)
{
    char text[512];
    rd_kafka_t *rk = rd_kafka_new(type, c, text, sizeof text);

    if (rk == NULL)
        die("client", text);
    return rk;
}

static rd_kafka_conf_t *conf(const char *brokers)
{
    rd_kafka_conf_t *c = rd_kafka_conf_new();

    set(c, "bootstrap.servers", brokers);
    return c;
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    failed += m->err != 0;
}

static size_t double_bytes(const char *text, char *out)
{
    double d = strtod(text, NULL);
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    for (int i = 0; i < 8; i++)
        out[i] = (char)(bits >> (56 - 8 * i));
    return 8;
}

static int put(const char *brokers, const char *topic, int is_double)
{
    rd_kafka_conf_t *c = conf(brokers);
    char line[1024];

    set(c, "enable.idempotence", "true");
    set(c, "queue.buffering.max.messages", "500000");
    set(c, "partitioner", "murmur2_random");
    rd_kafka_conf_set_dr_msg_cb(c, delivered);
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, c);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *value = strchr(line, ' '), bytes[8];

        line[strcspn(line, "\n")] = '\0';
        if (value == NULL)
            die(line, "not a line of KEY VALUE");
        *value++ = '\0';
        size_t size = is_double ? double_bytes(value, bytes) : strlen(value);
        while (rd_kafka_produce(rkt, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                   is_double ? bytes : value, size, line, strlen(line), NULL) != 0)
            rd_kafka_poll(rk, 10);
        rd_kafka_poll(rk, 0);
    }
    if (rd_kafka_flush(rk, WAIT_MS) != 0 || failed > 0)
        die(topic, "not everything was delivered");
    rd_kafka_topic_destroy(rkt);
    rd_kafka_destroy(rk);
    return 0;
}

/* All partitions of the topic, each at that offset. */
static rd_kafka_topic_partition_list_t *all_of(rd_kafka_t *rk, const char *topic, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    const struct rd_kafka_metadata *m;

    if (rd_kafka_metadata(rk, 0, rkt, &m, WAIT_MS) != 0)
        die(topic, "no metadata");
    for (int p = 0; p < m->topics[0].partition_cnt; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = offset;
    rd_kafka_metadata_destroy(m);
    rd_kafka_topic_destroy(rkt);
    return list;
}

static int get(const char *brokers, const char *topic)
{
    rd_kafka_conf_t *c = conf(brokers);

    set(c, "group.id", "kafka_rows");
    set(c, "isolation.level", "read_committed");
    set(c, "enable.partition.eof", "true");
    set(c, "enable.auto.commit", "false");
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, c);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *list = all_of(rk, topic, RD_KAFKA_OFFSET_BEGINNING);
    rd_kafka_assign(rk, list);
    for (int open = list->cnt; open > 0;) {
        rd_kafka_message_t *r = rd_kafka_consumer_poll(rk, WAIT_MS);

        if (r == NULL)
            die(topic, "nothing came for 30 s");
        if (r->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            open--;
        else if (r->err)
            die(topic, rd_kafka_message_errstr(r));
        else
            printf("%.*s %.*s\n", (int)r->key_len, (const char *)r->key, (int)r->len,
                (const char *)r->payload);
        rd_kafka_message_destroy(r);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}

static int truncate_topic(const char *brokers, const char *topic)
{
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, conf(brokers));
    rd_kafka_topic_partition_list_t *list = all_of(rk, topic, RD_KAFKA_OFFSET_END);
    rd_kafka_DeleteRecords_t *what = rd_kafka_DeleteRecords_new(list);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);

    rd_kafka_DeleteRecords(rk, &what, 1, NULL, q);
    rd_kafka_event_t *e = rd_kafka_queue_poll(q, WAIT_MS);
    if (e == NULL || rd_kafka_event_error(e))
        die(topic, e == NULL ? "no answer" : rd_kafka_event_error_string(e));
    const rd_kafka_topic_partition_list_t *done =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(e));
    for (int i = 0; i < done->cnt; i++)
        if (done->elems[i].err)
            die(topic, rd_kafka_err2str(done->elems[i].err));
    rd_kafka_event_destroy(e);
    rd_kafka_queue_destroy(q);
    rd_kafka_DeleteRecords_destroy(what);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "put") == 0)
        return put(argv[2], argv[3], strcmp(argv[4], "double") == 0);
    if (argc == 4 && strcmp(argv[1], "get") == 0)
        return get(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "truncate") == 0)
        return truncate_topic(argv[2], argv[3]);
    fprintf(stderr, "usage: kafka_rows put|get|truncate ...\n");
    return 2;
}
