/*
 * tools/leat/produce.c: lines of standard input or a file into a topic.
 *
 * A record counts when the broker has acknowledged it; what it refused is told with its line. The
 * partition of a key is the one that Kafka's Java clients choose (murmur2), so that records meet
 * those of other programs. Without acks=all there is no idempotence, and no order after an error.
 */
#include "produce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

static const char no_key[] =
    "Broker: the record was refused; a topic with cleanup.policy=compact takes none without a key";

enum { POLL_MS = 100, TOLD_MAX = 10, DELIVERY_MS = 30000 };

const cli_option_t cli_produce_options[] = {
    {"topic", NULL, "NAME", "where the records go", NULL, false},
    {"file", NULL, "PATH", "read lines from there (standard input)", NULL, false},
    {"key-separator", NULL, "TEXT",
        "a line is KEY, this text and VALUE; \\t is a TAB. Without it records have no key", NULL,
        false},
    {"key", NULL, "KEY", "the key of every record", NULL, false},
    {"value", NULL, "VALUE", "one record with this value; nothing is read", NULL, false},
    {"tombstone", NULL, NULL, "one record with no value, which deletes --key; nothing is read",
        NULL, false},
    {"null-marker", NULL, "TEXT", "a key or value that is this text stands for none at all", NULL,
        false},
    {"key-format", NULL, "FORMAT", "how keys become bytes (string)", NULL, false},
    {"value-format", NULL, "FORMAT", "how values become bytes (string)", NULL, false},
    {"header", NULL, "NAME=VALUE", "a header of every record; may be given again", NULL, true},
    {"parse-headers", NULL, NULL, "a line begins with NAME:VALUE,NAME:VALUE and a TAB", NULL,
        false},
    {"from-json", NULL, NULL, "lines are as consume --json writes them", NULL, false},
    {"partition", NULL, "N", "the partition of every record (the key decides)", NULL, false},
    {"timestamp", NULL, "TIME", "the time of every record (now)", NULL, false},
    {"acks", "request-required-acks", "all|1|0", "whose acknowledgement counts (all)", "all -1 1 0",
        false},
    {"compression-codec", "compression", "NAME", "how batches are compressed (none)",
        "none gzip snappy lz4 zstd", false},
    {"skip-bad", NULL, NULL, "go on after a line that is no record; the exit status stays 1", NULL,
        false},
    {"producer-property", NULL, "NAME=VALUE", "a property of the producer (--set producer.NAME)",
        NULL, true},
    {0},
};

typedef struct produce_t {
    cli_t *cli;
    const char *topic;
    leat__kclient_t *client;
    rd_kafka_topic_t *handle;
    cli_lines_t lines;
    cli_progress_t progress;
    int64_t bytes;
    uint64_t line, sent, delivered, failed, bad;
} produce_t;

/* ---- delivery ---- */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *client)
{
    produce_t *p = rd_kafka_topic_opaque(m->rkt);
    char where[64];

    (void)rk;
    if (!m->err) {
        p->delivered++;
        return;
    }
    if (p->failed++ >= TOLD_MAX)
        return;
    snprintf(where, sizeof where, "line %llu", (unsigned long long)(uintptr_t)m->_private);
    cli_fail_kafka(p->cli, client, m->err,
        m->err == RD_KAFKA_RESP_ERR_INVALID_RECORD && !m->key ? no_key : NULL, where,
        "deliver the record");
}

static rd_kafka_headers_t *headers_of(const cli_record_t *r)
{
    rd_kafka_headers_t *headers = r->header_count ? rd_kafka_headers_new(r->header_count) : NULL;

    for (size_t i = 0; i < r->header_count; i++)
        rd_kafka_header_add(headers, r->headers[i].name, -1, r->headers[i].value.data,
            (ssize_t)r->headers[i].value.size);
    return headers;
}

static rd_kafka_resp_err_t try_send(produce_t *p, const cli_record_t *r)
{
    rd_kafka_headers_t *headers = headers_of(r);
    rd_kafka_vu_t parts[] = {{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = p->handle},
        {.vtype = RD_KAFKA_VTYPE_PARTITION,
            .u.i32 = r->partition >= 0 ? r->partition : RD_KAFKA_PARTITION_UA},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)r->key.data, r->key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)r->value.data, r->value.size}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = r->time_ms >= 0 ? r->time_ms : 0},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)p->line},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers}};
    rd_kafka_error_t *error =
        rd_kafka_produceva(p->client->rk, parts, sizeof parts / sizeof *parts - (headers ? 0 : 1));
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;

    if (error)
        rd_kafka_error_destroy(error);
    if (code && headers)
        rd_kafka_headers_destroy(headers); /* taken over only when the record was */
    return code;
}

static void send_record(produce_t *p, const cli_record_t *r)
{
    rd_kafka_resp_err_t code;
    char where[64];

    while ((code = try_send(p, r)) == RD_KAFKA_RESP_ERR__QUEUE_FULL && !cli_stop_wanted())
        rd_kafka_poll(p->client->rk, POLL_MS);
    rd_kafka_poll(p->client->rk, 0);
    p->sent += !code;
    if (!code || code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return;
    p->failed++;
    snprintf(where, sizeof where, "line %llu", (unsigned long long)p->line);
    cli_fail_kafka(p->cli, p->client, code, NULL, where, "send the record");
}

/* ---- input ---- */

static void bad_line(produce_t *p, const leat_error_t *err)
{
    if (p->bad++ < TOLD_MAX)
        cli_fail(p->cli, CLI_FAILED, "line %llu is no record: %s", (unsigned long long)p->line,
            err->text);
}

/* False: read no more. */
static bool take_line(produce_t *p, char *text, size_t size)
{
    cli_record_t r;
    leat_error_t err;

    p->line++;
    p->bytes += (int64_t)size;
    if (size && text[size - 1] == '\n')
        size--;
    if (size && text[size - 1] == '\r')
        size--;
    if (p->lines.json && !size)
        return true;
    if (cli_lines_take(&p->lines, (leat_slice_t){text, size}, &r, &err)) {
        send_record(p, &r);
    } else {
        bad_line(p, &err);
        if (!cli_has(p->cli, "skip-bad"))
            return false;
    }
    cli_progress(p->cli, &p->progress, p->progress.total ? p->bytes : (int64_t)p->sent);
    return !cli_stop_wanted() && p->failed < TOLD_MAX;
}

static void read_lines(produce_t *p, FILE *from)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t size;
    struct stat st;
    bool sized = fstat(fileno(from), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;

    cli_progress_begin(p->cli, &p->progress, sized ? "bytes read" : "records sent",
        sized ? (int64_t)st.st_size : 0, !isatty(fileno(from)));
    if (isatty(fileno(from)))
        cli_note(p->cli, "One record a line; Ctrl-D ends.");
    while ((size = getline(&text, &room, from)) >= 0 && take_line(p, text, (size_t)size))
        ;
    if (ferror(from) && !cli_stop_wanted())
        cli_fail(p->cli, CLI_FAILED, "cannot read on behind line %llu: %s",
            (unsigned long long)p->line, strerror(errno));
    free(text);
    cli_progress_end(p->cli, &p->progress, p->progress.total ? p->bytes : (int64_t)p->sent);
}

static void read_input(produce_t *p)
{
    const char *path = cli_text(p->cli, "file", NULL);
    FILE *from = path ? fopen(path, "rb") : stdin;

    if (!from) {
        cli_fail(p->cli, CLI_USAGE, "cannot read %s: %s", path, strerror(errno));
        return;
    }
    read_lines(p, from);
    if (path)
        fclose(from);
}

static void send_single(produce_t *p, const char *value)
{
    cli_record_t r;
    leat_error_t err;

    p->line = 1;
    if (cli_lines_single(&p->lines, value, value == NULL, &r, &err))
        send_record(p, &r);
    else
        cli_fail(p->cli, CLI_USAGE, "%s", err.text);
}

/* ---- the verb ---- */

static void check_options(cli_t *c)
{
    static const char *const sources[] = {"file", "value", "tombstone", NULL};
    static const char *const keys[] = {"key", "key-separator", "from-json", NULL};
    static const char *const forms[] = {"parse-headers", "from-json", NULL};

    cli_required(c, "topic");
    cli_at_most_one(c, sources);
    cli_at_most_one(c, keys);
    cli_at_most_one(c, forms);
    if (cli_has(c, "tombstone") && !cli_has(c, "key"))
        cli_usage(c, "--tombstone needs the --key that it deletes");
}

static bool check_topic(produce_t *p)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    bool ok = cli_add_partitions(p->cli, p->cli->admin, list, p->topic);

    if (ok && p->lines.partition >= list->cnt) {
        cli_fail(p->cli, CLI_NOT_FOUND, "topic %s has the partitions 0 to %d, no partition %d",
            p->topic, list->cnt - 1, (int)p->lines.partition);
        ok = false;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return ok;
}

static bool open_producer(produce_t *p)
{
    const char *acks = cli_text(p->cli, "acks", "all");
    bool all = strcmp(acks, "all") == 0 || strcmp(acks, "-1") == 0;
    char delivery_ms[24];
    const char *settings[] = {"partitioner", "murmur2_random", "acks", acks, "enable.idempotence",
        all ? "true" : "false", "compression.type", cli_text(p->cli, "compression-codec", "none"),
        "message.timeout.ms", delivery_ms, NULL};
    rd_kafka_topic_conf_t *conf;

    snprintf(delivery_ms, sizeof delivery_ms, "%lld",
        (long long)(cli_has(p->cli, "timeout") ? p->cli->timeout_ms : DELIVERY_MS));
    p->client = cli_client(p->cli, LEAT__KPRODUCER, settings, on_delivery);
    if (!p->client)
        return false;
    conf = rd_kafka_default_topic_conf_dup(p->client->rk);
    rd_kafka_topic_conf_set_opaque(conf, p);
    p->handle = rd_kafka_topic_new(p->client->rk, p->topic, conf);
    return p->handle != NULL;
}

/* message.timeout.ms ends the wait at the latest. */
static void wait_delivered(produce_t *p)
{
    while (rd_kafka_outq_len(p->client->rk) > 0)
        rd_kafka_flush(p->client->rk, POLL_MS);
}

static void summary(const produce_t *p)
{
    uint64_t failed = p->failed + p->bad;

    if (p->cli->json)
        cli_print_json(p->cli, json_pack("{s:s, s:I, s:I}", "topic", p->topic, "delivered",
                                   (json_int_t)p->delivered, "failed", (json_int_t)failed));
    else if (failed)
        cli_note(p->cli, "%llu record%s delivered to %s, %llu failed",
            (unsigned long long)p->delivered, p->delivered == 1 ? "" : "s", p->topic,
            (unsigned long long)failed);
    else
        cli_note(p->cli, "%llu record%s delivered to %s", (unsigned long long)p->delivered,
            p->delivered == 1 ? "" : "s", p->topic);
}

static void run(produce_t *p)
{
    cli_t *c = p->cli;

    if (cli_has(c, "value"))
        send_single(p, cli_text(c, "value", ""));
    else if (cli_has(c, "tombstone"))
        send_single(p, NULL);
    else
        read_input(p);
    wait_delivered(p);
    summary(p);
}

void cli_produce(cli_t *c)
{
    produce_t p = {.cli = c};

    check_options(c);
    p.topic = cli_text(c, "topic", "");
    cli_lines_init(c, &p.lines);
    if (cli_connect(c) && check_topic(&p) && open_producer(&p)) {
        cli_stop_begin();
        run(&p);
    }
    if (p.handle)
        rd_kafka_topic_destroy(p.handle);
    leat__kclient_free(p.client, false);
    cli_lines_release(&p.lines);
}
