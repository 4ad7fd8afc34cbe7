/*
 * kafka_lines: what a test of word-count on a real Kafka needs from outside: topics, a text with a known answer, the counts.
 *
 *   kafka_lines create BROKERS TOPIC PARTITIONS
 *   kafka_lines load   BROKERS TOPIC LINES SEED EXPECTED    lines of 10 words, skewed; EXPECTED gets "WORD COUNT", sorted
 *   kafka_lines counts BROKERS TOPIC GOT                    reads with read_committed to the end; the last count per word;
 *                                                           prints how many records there were and how often a count went down
 *   kafka_lines version                                     librdkafka's
 * It uses librdkafka alone, nothing of leat.
 */
#include <librdkafka/rdkafka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 20000, PER_LINE = 10 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "kafka_lines: %s: %s\n", what, why);
    exit(1);
}

static rd_kafka_conf_t *conf(const char *brokers)
{
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    char text[512];

    if (rd_kafka_conf_set(c, "bootstrap.servers", brokers, text, sizeof text) != RD_KAFKA_CONF_OK)
        die(brokers, text);
    return c;
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

static int create(const char *brokers, const char *topic, int partitions)
{
    char text[512];
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, conf(brokers));
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, partitions, 1, text, sizeof text);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_event_t *e;
    size_t count = 0;

    rd_kafka_CreateTopics(rk, &t, 1, NULL, q);
    e = rd_kafka_queue_poll(q, 20000);
    if (e == NULL || rd_kafka_event_error(e))
        die(topic, e == NULL ? "no answer" : rd_kafka_event_error_string(e));
    const rd_kafka_topic_result_t **made =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e), &count);
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(made[0]);
    if (err && err != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        die(topic, rd_kafka_err2str(err));
    rd_kafka_event_destroy(e);
    rd_kafka_NewTopic_destroy(t);
    for (int i = 0; i < 200; i++) { /* until it can be written to */
        const struct rd_kafka_metadata *m;
        rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
        int known = 0;
        if (rd_kafka_metadata(rk, 0, rkt, &m, 1000) == 0) {
            known = m->topics[0].partition_cnt == partitions && m->topics[0].partitions[0].leader >= 0;
            rd_kafka_metadata_destroy(m);
        }
        rd_kafka_topic_destroy(rkt);
        if (known)
            break;
    }
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
    return 0;
}

static uint64_t random_next(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Skewed: the product of two uniform numbers prefers small ones. */
static unsigned random_word(uint64_t *s)
{
    double a = (double)(random_next(s) >> 11) / 9007199254740992.0;
    double b = (double)(random_next(s) >> 11) / 9007199254740992.0;
    return (unsigned)(a * b * b * WORDS);
}

static long failed;

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    failed += m->err != 0;
}

static void write_counts(const char *path, const long long *counts)
{
    FILE *f = fopen(path, "w");

    if (f == NULL)
        die(path, "cannot be written");
    for (unsigned w = 0; w < WORDS; w++)
        if (counts[w] != 0)
            fprintf(f, "w%05u %lld\n", w, counts[w]);
    fclose(f);
}

static int load(const char *brokers, const char *topic, long lines, uint64_t seed, const char *expected)
{
    static long long counts[WORDS];
    rd_kafka_conf_t *c = conf(brokers);

    set(c, "enable.idempotence", "true");
    set(c, "linger.ms", "20");
    set(c, "queue.buffering.max.messages", "500000");
    rd_kafka_conf_set_dr_msg_cb(c, delivered);
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, c);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    for (long i = 0; i < lines; i++) {
        char line[PER_LINE * 8 + 1];
        int size = 0;
        for (int k = 0; k < PER_LINE; k++) {
            unsigned w = random_word(&seed);
            counts[w]++;
            size += snprintf(line + size, sizeof line - (size_t)size, "%s%05u", k == 0 ? "W" : i % 2 ? " w" : ",w", w);
        }
        while (rd_kafka_produce(rkt, (int32_t)(i % 4), RD_KAFKA_MSG_F_COPY, line, (size_t)size, NULL, 0, NULL) != 0)
            rd_kafka_poll(rk, 10);
        if (i % 1000 == 0)
            rd_kafka_poll(rk, 0);
    }
    if (rd_kafka_flush(rk, 60000) != 0 || failed > 0)
        die(topic, "not everything was delivered");
    write_counts(expected, counts);
    rd_kafka_topic_destroy(rkt);
    rd_kafka_destroy(rk);
    return 0;
}

static int read_counts(const char *brokers, const char *topic, const char *got)
{
    static long long counts[WORDS];
    rd_kafka_conf_t *c = conf(brokers);
    const struct rd_kafka_metadata *m;
    long records = 0, down = 0, strange = 0;
    int open = 0;

    set(c, "group.id", "kafka_lines");
    set(c, "isolation.level", "read_committed");
    set(c, "enable.partition.eof", "true");
    set(c, "enable.auto.commit", "false");
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, c);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    if (rd_kafka_metadata(rk, 0, rkt, &m, 20000) != 0)
        die(topic, "no metadata");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (open = 0; open < m->topics[0].partition_cnt; open++)
        rd_kafka_topic_partition_list_add(list, topic, open)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_metadata_destroy(m);
    rd_kafka_assign(rk, list);
    while (open > 0) {
        rd_kafka_message_t *r = rd_kafka_consumer_poll(rk, 30000);
        if (r == NULL)
            die(topic, "nothing came for 30 s");
        if (r->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            open--;
        } else if (r->err) {
            die(topic, rd_kafka_message_errstr(r));
        } else if (r->key_len == 6 && r->len == 8) {
            char key[8] = "";
            long long count = 0;
            memcpy(key, r->key, 6);
            for (size_t i = 0; i < 8; i++)
                count = count << 8 | ((unsigned char *)r->payload)[i];
            unsigned w = (unsigned)atoi(key + 1) % WORDS;
            down += count <= counts[w];
            counts[w] = count;
            records++;
        } else {
            strange++;
        }
        rd_kafka_message_destroy(r);
    }
    write_counts(got, counts);
    printf("records %ld down %ld strange %ld\n", records, down, strange);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_topic_destroy(rkt);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "create") == 0)
        return create(argv[2], argv[3], atoi(argv[4]));
    if (argc == 7 && strcmp(argv[1], "load") == 0)
        return load(argv[2], argv[3], atol(argv[4]), strtoull(argv[5], NULL, 10), argv[6]);
    if (argc == 5 && strcmp(argv[1], "counts") == 0)
        return read_counts(argv[2], argv[3], argv[4]);
    if (argc == 2 && strcmp(argv[1], "version") == 0)
        return puts(rd_kafka_version_str()) < 0;
    fprintf(stderr, "usage: kafka_lines create|load|counts ...\n");
    return 2;
}
