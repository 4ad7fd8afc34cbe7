/*
 * tools/leat/topics_describe.c: what a topic is: its partitions with leaders, copies and offsets,
 * and the settings that differ from the broker's.
 */
#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

const cli_option_t cli_topics_describe_options[] = {
    {"topic", "topics", "NAME,...", "which topics; without: all but Kafka's own", NULL, true},
    {"all-configs", NULL, NULL, "show the settings at their defaults, too", NULL, false},
    {0},
};

static json_t *brokers(const int32_t *ids, int count)
{
    json_t *list = json_array();

    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_integer(ids[i]));
    return list;
}

static json_t *partition_row(const rd_kafka_metadata_partition_t *p, int64_t start, int64_t end)
{
    return json_pack("{s:i, s:i, s:o, s:o, s:I, s:I, s:I}", "partition", (int)p->id, "leader",
        (int)p->leader, "replicas", brokers(p->replicas, p->replica_cnt), "isr",
        brokers(p->isrs, p->isr_cnt), "start", (json_int_t)start, "end", (json_int_t)end, "records",
        (json_int_t)(end - start));
}

static int64_t offset_in(
    const rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition)
{
    const rd_kafka_topic_partition_t *one = rd_kafka_topic_partition_list_find(
        (rd_kafka_topic_partition_list_t *)(uintptr_t)list, topic, partition);

    return one ? one->offset : -1;
}

static json_t *partition_rows(cli_t *c, const rd_kafka_metadata_topic_t *t)
{
    rd_kafka_topic_partition_list_t *of = rd_kafka_topic_partition_list_new(t->partition_cnt),
                                    *starts, *ends = NULL;
    json_t *rows = json_array();

    for (int i = 0; i < t->partition_cnt; i++)
        rd_kafka_topic_partition_list_add(of, t->topic, t->partitions[i].id);
    starts = cli_offsets(c, c->admin, of, CLI_START, NULL);
    if (starts)
        ends = cli_offsets(c, c->admin, of, CLI_END, NULL);
    for (int32_t i = 0; ends && i < t->partition_cnt; i++) /* in order of their numbers */
        for (int at = 0; at < t->partition_cnt; at++)
            if (t->partitions[at].id == i)
                json_array_append_new(
                    rows, partition_row(&t->partitions[at], offset_in(starts, t->topic, i),
                              offset_in(ends, t->topic, i)));
    rd_kafka_topic_partition_list_destroy(of);
    if (starts)
        rd_kafka_topic_partition_list_destroy(starts);
    if (ends)
        rd_kafka_topic_partition_list_destroy(ends);
    return rows;
}

static bool is_shown(const cli_t *c, const rd_kafka_ConfigEntry_t *e)
{
    return rd_kafka_ConfigEntry_source(e) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG ||
           cli_has(c, "all-configs");
}

static json_t *take_configs(cli_t *c, rd_kafka_event_t *event)
{
    size_t count, entry_count;
    const rd_kafka_ConfigResource_t **found = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    const rd_kafka_ConfigEntry_t **entries;
    json_t *configs = json_object();

    if (count && rd_kafka_ConfigResource_error(found[0])) {
        cli_fail_kafka(c, c->admin, rd_kafka_ConfigResource_error(found[0]),
            rd_kafka_ConfigResource_error_string(found[0]), rd_kafka_ConfigResource_name(found[0]),
            "read the topic's settings");
        return configs;
    }
    entries = count ? rd_kafka_ConfigResource_configs(found[0], &entry_count) : NULL;
    for (size_t i = 0; entries && i < entry_count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);

        if (is_shown(c, entries[i]))
            json_object_set_new(configs, rd_kafka_ConfigEntry_name(entries[i]),
                value ? json_string(value) : json_null());
    }
    return configs;
}

static json_t *configs_of(cli_t *c, const char *topic)
{
    rd_kafka_ConfigResource_t *asked = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->admin->rk);
    rd_kafka_AdminOptions_t *options = cli_admin_options(c, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_event_t *event;
    json_t *configs = NULL;

    rd_kafka_DescribeConfigs(c->admin->rk, &asked, 1, options, q);
    event = cli_wait(c, q, "read the topic's settings");
    if (event) {
        configs = take_configs(c, event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(q);
    rd_kafka_ConfigResource_destroy(asked);
    return configs ? configs : json_object();
}

static json_t *topic_of(cli_t *c, const rd_kafka_metadata_topic_t *t)
{
    json_t *rows = partition_rows(c, t);

    return json_pack("{s:s, s:i, s:i, s:o, s:o}", "name", t->topic, "partition_count",
        t->partition_cnt, "replication_factor", t->partition_cnt ? t->partitions[0].replica_cnt : 0,
        "config", configs_of(c, t->topic), "partitions", rows);
}

static void print_topic(const cli_t *c, const json_t *topic)
{
    static const cli_column_t columns[] = {{"PARTITION", "partition", true},
        {"LEADER", "leader", true}, {"REPLICAS", "replicas", false}, {"ISR", "isr", false},
        {"START", "start", true}, {"END", "end", true}, {"RECORDS", "records", true}, {0}};
    json_t *configs = json_object_get(topic, "config"), *value;
    const char *key, *between = "  Configs: ";

    printf("%sTopic: %s%s  PartitionCount: %lld  ReplicationFactor: %lld",
        cli_color(c->color, CLI_CYAN), json_string_value(json_object_get(topic, "name")),
        cli_color(c->color, 0),
        (long long)json_integer_value(json_object_get(topic, "partition_count")),
        (long long)json_integer_value(json_object_get(topic, "replication_factor")));
    json_object_foreach (configs, key, value) {
        printf("%s%s=%s", between, key, json_is_string(value) ? json_string_value(value) : "");
        between = ",";
    }
    putchar('\n');
    cli_print_table(c, json_object_get(topic, "partitions"), columns);
}

static void describe(cli_t *c, const struct rd_kafka_metadata *m, const char *name, json_t *all)
{
    const rd_kafka_metadata_topic_t *t = cli_topic_in(m, name);

    if (!t || t->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        cli_fail(
            c, CLI_NOT_FOUND, "there is no topic %s (leat topics list shows what there is)", name);
    else if (t->err)
        cli_fail_kafka(c, c->admin, t->err, NULL, name, "look at the topic");
    else
        json_array_append_new(all, topic_of(c, t));
}

/* A topic that we may not see in the list says why when asked for by its name. */
static void describe_named(cli_t *c, json_t *all)
{
    const struct rd_kafka_metadata *m;
    const char *name;

    for (size_t i = 0; (name = cli_text_at(c, "topic", i)) != NULL; i++) {
        m = cli_metadata(c, c->admin, name);
        if (!m)
            return;
        describe(c, m, name, all);
        rd_kafka_metadata_destroy(m);
    }
}

static void describe_all(cli_t *c, json_t *all)
{
    const struct rd_kafka_metadata *m = cli_metadata(c, c->admin, NULL);

    for (int i = 0; m && i < m->topic_cnt; i++)
        if (strncmp(m->topics[i].topic, "__", 2) != 0)
            describe(c, m, m->topics[i].topic, all);
    if (m)
        rd_kafka_metadata_destroy(m);
}

void cli_topics_describe(cli_t *c)
{
    json_t *all, *topic;
    size_t i;

    if (!cli_connect(c))
        return;
    all = json_array();
    if (cli_has(c, "topic"))
        describe_named(c, all);
    else
        describe_all(c, all);
    if (c->json) {
        cli_print_json(c, all);
        return;
    }
    json_array_foreach (all, i, topic) {
        if (i)
            putchar('\n');
        print_topic(c, topic);
    }
    json_decref(all);
}
