/*
 * tools/leat/consume.c: records of topics to standard output, until the end, a count or Ctrl-C.
 *
 * Without --group every partition is read by itself from where the options say; nothing is
 * committed and no group is touched. With --group this is a member like any other: it shares the
 * partitions and commits what it has shown. Only committed records are shown unless
 * --isolation-level says otherwise (Kafka's own tool shows the aborted ones, too).
 */
#include "consume.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { WAIT_MS = 200 };

const cli_option_t cli_consume_options[] = {
    {"topic", "topics", "NAME,...", "what to read", NULL, true},
    {"from-beginning", NULL, NULL, "from the first record (with --group: if it has no commit)",
        NULL, false},
    {"from-time", NULL, "TIME", "from the first record at or behind that time", NULL, false},
    {"offset", NULL, "N|earliest|latest", "from that offset; -N: that many before the end", NULL,
        false},
    {"partition", "partitions", "N,...", "only these partitions", NULL, true},
    {"max-messages", "count", "N", "stop after so many records", NULL, false},
    {"to-end", NULL, NULL, "stop at the end, as it is when the program starts", NULL, false},
    {"timeout-ms", NULL, "TIME", "stop when nothing came for so long", NULL, false},
    {"group", NULL, "NAME", "read as a member of this group, and commit", NULL, false},
    {"isolation-level", NULL, "LEVEL", "read_committed (default) or read_uncommitted",
        "read_committed read_uncommitted", false},
    {"key-format", "key-deserializer", "FORMAT", "what the bytes of keys are (auto)", NULL, false},
    {"value-format", "value-deserializer", "FORMAT", "what the bytes of values are (auto)", NULL,
        false},
    {"columns", "print", "NAME,...",
        "of topic, time, partition, offset, key, value, headers (time,partition,offset,key,value)",
        NULL, true},
    {"raw", NULL, NULL, "write text as it is, control bytes and all", NULL, false},
    {"null-marker", NULL, "TEXT", "what to show for no key or no value (null)", NULL, false},
    {"consumer-property", NULL, "NAME=VALUE", "a property of the consumer (--set consumer.NAME)",
        NULL, true},
    {0},
};

typedef struct consume_t {
    cli_t *cli;
    cli_printer_t printer;
    leat__kclient_t *client;
    rd_kafka_queue_t *queue;                    /* without a group */
    rd_kafka_topic_partition_list_t *at, *ends; /* without a group: where each begins and ends */
    bool *done;
    int left; /* partitions that are not done */
    const char *group;
    bool to_end;
    int64_t count_max, idle_max_ms, heard_ms;
    int64_t shown;
    cli_progress_t progress;
} consume_t;

/* ---- where to begin ---- */

static bool wanted_partition(const cli_t *c, int32_t partition)
{
    const char *text;

    if (!cli_has(c, "partition"))
        return true;
    for (size_t i = 0; (text = cli_text_at(c, "partition", i)) != NULL; i++) {
        leat_slice_t slice = leat_slice(text);
        int64_t number;

        if (leat_slice_int64(&slice, &number) && number == partition)
            return true;
    }
    return false;
}

static void check_partitions(cli_t *c)
{
    const char *text;

    for (size_t i = 0; (text = cli_text_at(c, "partition", i)) != NULL; i++) {
        leat_slice_t slice = leat_slice(text);
        int64_t number;

        if (!leat_slice_int64(&slice, &number) || number < 0 || number > INT32_MAX)
            cli_usage(c, "--partition takes numbers from 0 on, not '%s'", text);
    }
}

/* All partitions of the topics that are wanted; NULL: told. */
static rd_kafka_topic_partition_list_t *partitions(cli_t *c)
{
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(16),
                                    *some = rd_kafka_topic_partition_list_new(16);
    const char *topic;

    for (size_t i = 0; (topic = cli_text_at(c, "topic", i)) != NULL; i++)
        cli_add_partitions(c, c->admin, all, topic);
    for (int i = 0; i < all->cnt; i++)
        if (wanted_partition(c, all->elems[i].partition) &&
            !rd_kafka_topic_partition_list_find(some, all->elems[i].topic, all->elems[i].partition))
            rd_kafka_topic_partition_list_add(some, all->elems[i].topic, all->elems[i].partition);
    rd_kafka_topic_partition_list_destroy(all);
    if (!c->status && some->cnt < (int)cli_count(c, "partition"))
        cli_fail(c, CLI_NOT_FOUND,
            "%d of the partitions asked for exist: leat topics describe %s shows which", some->cnt,
            cli_text(c, "topic", ""));
    if (!c->status)
        return some;
    rd_kafka_topic_partition_list_destroy(some);
    return NULL;
}

/* --offset N within what the partition has. */
static void place_offset(consume_t *k, rd_kafka_topic_partition_list_t *starts, int64_t offset)
{
    k->at = rd_kafka_topic_partition_list_copy(starts);
    for (int i = 0; i < starts->cnt; i++) {
        int64_t start = starts->elems[i].offset, end = k->ends->elems[i].offset;

        if (offset >= 0 && (offset < start || offset > end))
            cli_fail(k->cli, CLI_NOT_FOUND, "%s-%d has the offsets from %lld up to %lld, not %lld",
                starts->elems[i].topic, (int)starts->elems[i].partition, (long long)start,
                (long long)end, (long long)offset);
        k->at->elems[i].offset = offset >= 0 ? offset : end + offset > start ? end + offset : start;
    }
}

static void place_by_offset(
    consume_t *k, const rd_kafka_topic_partition_list_t *list, const char *text)
{
    leat_slice_t slice = leat_slice(text);
    rd_kafka_topic_partition_list_t *starts;
    int64_t number;

    if (leat_slice_int64(&slice, &number)) {
        starts = cli_offsets(k->cli, k->client, list, CLI_START, NULL);
        if (starts)
            place_offset(k, starts, number);
        if (starts)
            rd_kafka_topic_partition_list_destroy(starts);
    } else {
        k->at = cli_offsets(
            k->cli, k->client, list, strcmp(text, "earliest") == 0 ? CLI_START : CLI_END, NULL);
    }
}

/* The ends are those for our isolation level: up to there all can be read now. */
static bool place(consume_t *k)
{
    cli_t *c = k->cli;
    rd_kafka_topic_partition_list_t *list = partitions(c);

    if (!list)
        return false;
    k->ends = cli_offsets(c, k->client, list, CLI_END, NULL);
    if (!k->ends)
        ;
    else if (cli_has(c, "offset"))
        place_by_offset(k, list, cli_text(c, "offset", ""));
    else
        k->at = cli_offsets(c, k->client, list,
            cli_has(c, "from-time")        ? cli_time(c, "from-time", 0)
            : cli_has(c, "from-beginning") ? CLI_START
                                           : CLI_END,
            NULL);
    rd_kafka_topic_partition_list_destroy(list);
    return k->at != NULL && !c->status;
}

static void check_offset(cli_t *c)
{
    const char *text = cli_text(c, "offset", NULL);
    leat_slice_t slice = leat_slice(text);
    int64_t number;

    if (text && strcmp(text, "earliest") != 0 && strcmp(text, "latest") != 0 &&
        !leat_slice_int64(&slice, &number))
        cli_usage(c, "--offset takes a number, earliest or latest, not '%s'", text);
}

static void check_options(cli_t *c)
{
    static const char *const starts[] = {"from-beginning", "from-time", "offset", NULL};
    static const char *const group_or_time[] = {"group", "from-time", NULL};
    static const char *const group_or_offset[] = {"group", "offset", NULL};
    static const char *const group_or_partition[] = {"group", "partition", NULL};

    cli_required(c, "topic");
    cli_at_most_one(c, starts);
    cli_at_most_one(c, group_or_time);
    cli_at_most_one(c, group_or_offset);
    cli_at_most_one(c, group_or_partition);
    cli_time(c, "from-time", 0);
    check_offset(c);
    check_partitions(c);
}

/* ---- reading ---- */

static int find(const consume_t *k, const rd_kafka_message_t *m)
{
    const char *topic = rd_kafka_topic_name(m->rkt);

    for (int i = 0; i < k->at->cnt; i++)
        if (k->at->elems[i].partition == m->partition && strcmp(k->at->elems[i].topic, topic) == 0)
            return i;
    return -1;
}

static void set_done(consume_t *k, int i)
{
    if (i < 0 || k->done[i])
        return;
    k->done[i] = true;
    k->left--;
}

/* next: the offset that would come next from this partition. */
static void reached(consume_t *k, const rd_kafka_message_t *m, int64_t next)
{
    int i = k->to_end && k->at ? find(k, m) : -1;

    if (i >= 0 && next >= k->ends->elems[i].offset)
        set_done(k, i);
}

static void start_partitions(consume_t *k)
{
    k->queue = rd_kafka_queue_new(k->client->rk);
    k->done = leat__must_alloc((size_t)k->at->cnt * sizeof *k->done);
    k->left = k->at->cnt;
    for (int i = 0; i < k->at->cnt; i++) {
        const rd_kafka_topic_partition_t *one = &k->at->elems[i];
        rd_kafka_topic_t *topic = rd_kafka_topic_new(k->client->rk, one->topic, NULL);

        if (k->to_end && one->offset >= k->ends->elems[i].offset)
            set_done(k, i);
        else if (rd_kafka_consume_start_queue(topic, one->partition, one->offset, k->queue))
            cli_fail_kafka(
                k->cli, k->client, rd_kafka_last_error(), NULL, one->topic, "start reading");
        /* the topic is kept until stop_partitions: each start holds one of its references */
    }
}

static void stop_partitions(consume_t *k)
{
    for (int i = 0; k->done && i < k->at->cnt; i++) {
        rd_kafka_topic_t *topic = rd_kafka_topic_new(k->client->rk, k->at->elems[i].topic, NULL);

        rd_kafka_consume_stop(topic, k->at->elems[i].partition);
        rd_kafka_topic_destroy(topic);
        rd_kafka_topic_destroy(topic); /* that of start_partitions */
    }
}

static bool start_group(consume_t *k)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(4);
    rd_kafka_resp_err_t code;
    const char *topic;

    for (size_t i = 0; (topic = cli_text_at(k->cli, "topic", i)) != NULL; i++)
        rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_poll_set_consumer(k->client->rk);
    code = rd_kafka_subscribe(k->client->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if (code)
        cli_fail_kafka(k->cli, k->client, code, NULL, k->group, "subscribe");
    return !code;
}

/* A group's member is at the end when every partition that it has is. */
static void group_at_end(consume_t *k, const rd_kafka_message_t *m)
{
    rd_kafka_topic_partition_list_t *mine = NULL;

    if (!k->at)
        k->at = rd_kafka_topic_partition_list_new(16);
    if (!rd_kafka_topic_partition_list_find(k->at, rd_kafka_topic_name(m->rkt), m->partition))
        rd_kafka_topic_partition_list_add(k->at, rd_kafka_topic_name(m->rkt), m->partition);
    if (rd_kafka_assignment(k->client->rk, &mine) || !mine)
        return;
    k->left = 0;
    for (int i = 0; i < mine->cnt; i++)
        k->left += !rd_kafka_topic_partition_list_find(
            k->at, mine->elems[i].topic, mine->elems[i].partition);
    rd_kafka_topic_partition_list_destroy(mine);
}

static void take_event(consume_t *k, const rd_kafka_message_t *m)
{
    unsigned flags;

    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (k->group && k->to_end)
            group_at_end(k, m);
        else if (!k->group)
            reached(k, m, m->offset);
        return;
    }
    leat__kcode(m->err, &flags);
    if (!(flags & LEAT_RETRIABLE))
        cli_fail_kafka(k->cli, k->client, m->err, rd_kafka_message_errstr(m), NULL, "read on");
}

static bool take(consume_t *k, int wait_ms)
{
    rd_kafka_message_t *m = k->group ? rd_kafka_consumer_poll(k->client->rk, wait_ms)
                                     : rd_kafka_consume_queue(k->queue, wait_ms);

    if (!m)
        return false;
    if (m->err) {
        take_event(k, m);
    } else {
        k->client->worked = 1;
        if (!k->at || k->group || !k->to_end || m->offset < k->ends->elems[find(k, m)].offset) {
            cli_print_record(&k->printer, m);
            k->shown++;
        }
        if (!k->group)
            reached(k, m, m->offset + 1);
        k->heard_ms = leat__clock_steady_ms(NULL);
    }
    rd_kafka_message_destroy(m);
    return true;
}

static bool is_over(const consume_t *k)
{
    return k->cli->status || cli_stop_wanted() || (k->to_end && k->left == 0) ||
           (k->count_max >= 0 && k->shown >= k->count_max) ||
           (k->idle_max_ms >= 0 && leat__clock_steady_ms(NULL) - k->heard_ms >= k->idle_max_ms);
}

/* What was printed goes out before we wait. */
static bool wait_more(consume_t *k)
{
    leat_error_t err;
    int wait_ms = k->idle_max_ms >= 0 && k->idle_max_ms < WAIT_MS ? (int)k->idle_max_ms : WAIT_MS;

    if (!cli_flush(k->cli))
        return false;
    if (!k->group)
        rd_kafka_poll(k->client->rk, 0);
    if (leat__kclient_refused(k->client, NULL, &err)) {
        cli_fail(k->cli, CLI_REFUSED, "%s", err.text);
        return false;
    }
    take(k, wait_ms);
    return true;
}

static void read_on(consume_t *k)
{
    int64_t since_poll = 0;

    k->heard_ms = leat__clock_steady_ms(NULL);
    while (!is_over(k)) {
        if (!take(k, 0) && !wait_more(k))
            return;
        if (since_poll++ % 1000 == 0)
            cli_progress(k->cli, &k->progress, k->shown);
    }
}

/* ---- the verb ---- */

static bool open_consumer(consume_t *k)
{
    cli_t *c = k->cli;
    const char *settings[] = {"isolation.level", cli_text(c, "isolation-level", "read_committed"),
        "enable.partition.eof", "true", "allow.auto.create.topics", "false", "auto.offset.reset",
        k->group ? cli_has(c, "from-beginning") ? "earliest" : "latest" : "error",
        "queued.min.messages", "200000", "queued.max.messages.kbytes", "65536",
        k->group ? "group.id" : NULL, k->group, NULL};

    k->client = cli_client(c, LEAT__KCONSUMER, settings, NULL);
    return k->client != NULL;
}

static bool begin(consume_t *k)
{
    rd_kafka_topic_partition_list_t *list;
    int64_t total = 0;

    if (k->group) { /* a topic that is not there is told now, not waited for */
        list = partitions(k->cli);
        if (list)
            rd_kafka_topic_partition_list_destroy(list);
        k->left = -1;
        cli_progress_begin(k->cli, &k->progress, "records", 0, false);
        return list && start_group(k);
    }
    if (!place(k))
        return false;
    for (int i = 0; k->to_end && i < k->at->cnt; i++)
        total += k->ends->elems[i].offset - k->at->elems[i].offset;
    cli_progress_begin(k->cli, &k->progress, "records", total, false);
    start_partitions(k);
    return !k->cli->status;
}

static void end(consume_t *k)
{
    cli_t *c = k->cli;

    cli_progress_end(c, &k->progress, k->shown);
    cli_flush(c);
    if (k->printer.unreadable)
        cli_fail(c, CLI_FAILED,
            "keys or values not of their format (shown as bytes): %llu; the first: %s",
            (unsigned long long)k->printer.unreadable, k->printer.why.text);
    cli_note(c, "%lld record%s", (long long)k->shown, k->shown == 1 ? "" : "s");
}

static void release(consume_t *k)
{
    if (k->group && k->client)
        rd_kafka_consumer_close(k->client->rk); /* commits, and leaves the group */
    else if (k->client)
        stop_partitions(k);
    if (k->queue)
        rd_kafka_queue_destroy(k->queue);
    leat__kclient_free(k->client, false);
    if (k->at)
        rd_kafka_topic_partition_list_destroy(k->at);
    if (k->ends)
        rd_kafka_topic_partition_list_destroy(k->ends);
    leat__free(k->done);
    cli_printer_release(&k->printer);
}

void cli_consume(cli_t *c)
{
    consume_t k = {.cli = c, .group = cli_text(c, "group", NULL), .to_end = cli_has(c, "to-end")};

    check_options(c);
    k.count_max = cli_int(c, "max-messages", 0, INT64_MAX, -1);
    k.idle_max_ms = cli_duration(c, "timeout-ms", -1);
    cli_printer_init(c, &k.printer);
    cli_stop_begin();
    if (cli_connect(c) && open_consumer(&k) && begin(&k)) {
        cli_print_head(&k.printer);
        read_on(&k);
        end(&k);
    }
    release(&k);
}
