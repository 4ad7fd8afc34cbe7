/*
 * tools/leat/topics.c: topics listed, created and deleted.
 *
 * Settings of topics that exist are never changed: librdkafka 2.0.2 can only replace all of them
 * at once, which resets what is not named.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* ---- list ---- */

const cli_option_t cli_topics_list_options[] = {
    {"topic", "topics", "NAME,...", "only these", NULL, true},
    {"exclude-internal", NULL, NULL, "leave out Kafka's own topics (__...)", NULL, false},
    {0},
};

static int by_name(const void *a, const void *b)
{
    const json_t *const *one = a, *const *other = b;

    return strcmp(json_string_value(json_object_get(*one, "name")),
        json_string_value(json_object_get(*other, "name")));
}

static json_t *sorted(json_t *rows)
{
    size_t count = json_array_size(rows);
    json_t **all = leat__must_alloc((count + 1) * sizeof(json_t *)), *result = json_array();

    for (size_t i = 0; i < count; i++)
        all[i] = json_array_get(rows, i);
    qsort(all, count, sizeof(json_t *), by_name);
    for (size_t i = 0; i < count; i++)
        json_array_append(result, all[i]);
    leat__free(all);
    json_decref(rows);
    return result;
}

static bool is_wanted(const cli_t *c, const char *name)
{
    const char *wanted;

    if (cli_has(c, "exclude-internal") && strncmp(name, "__", 2) == 0)
        return false;
    if (!cli_has(c, "topic"))
        return true;
    for (size_t i = 0; (wanted = cli_text_at(c, "topic", i)) != NULL; i++)
        if (strcmp(wanted, name) == 0)
            return true;
    return false;
}

static json_t *list_rows(cli_t *c, const struct rd_kafka_metadata *m)
{
    json_t *rows = json_array();

    for (int i = 0; i < m->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *t = &m->topics[i];

        if (is_wanted(c, t->topic))
            json_array_append_new(rows,
                json_pack("{s:s, s:i, s:i}", "name", t->topic, "partitions", t->partition_cnt,
                    "replication_factor", t->partition_cnt ? t->partitions[0].replica_cnt : 0));
    }
    return sorted(rows);
}

void cli_topics_list(cli_t *c)
{
    const struct rd_kafka_metadata *m;
    const char *wanted;
    json_t *rows;

    if (!cli_connect(c) || !(m = cli_metadata(c, c->admin, NULL)))
        return;
    for (size_t i = 0; (wanted = cli_text_at(c, "topic", i)) != NULL; i++)
        if (!cli_topic_in(m, wanted))
            cli_fail(c, CLI_NOT_FOUND, "there is no topic %s", wanted);
    rows = list_rows(c, m);
    rd_kafka_metadata_destroy(m);
    if (c->json) {
        cli_print_json(c, rows);
        return;
    }
    for (size_t i = 0; i < json_array_size(rows); i++)
        puts(json_string_value(json_object_get(json_array_get(rows, i), "name")));
    json_decref(rows);
}

/* ---- create ---- */

const cli_option_t cli_topics_create_options[] = {
    {"topic", "topics", "NAME,...", "what to create", NULL, true},
    {"partitions", NULL, "N", "how many partitions (the broker's default)", NULL, false},
    {"replication-factor", NULL, "N", "how many copies of each (the broker's default)", NULL,
        false},
    {"config", NULL, "NAME=VALUE",
        "a setting of the topic, as cleanup.policy=compact; may be given again; without = it is a "
        "file, like --command-config",
        NULL, true},
    {"if-not-exists", NULL, NULL, "a topic that is there already is fine", NULL, false},
    {0},
};

static rd_kafka_NewTopic_t *new_topic(cli_t *c, const char *name)
{
    char text[256];
    const char *pair;
    int partitions = (int)cli_int(c, "partitions", 1, 100000, -1);
    int replicas = (int)cli_int(c, "replication-factor", 1, 1000, -1);
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(name, partitions, replicas, text, sizeof text);

    if (!t)
        cli_usage(c, "topic '%s' cannot be asked for: %s", name, text);
    for (size_t i = 0; t && (pair = cli_text_at(c, "config", i)) != NULL; i++) {
        const char *equals = strchr(pair, '=');
        char *key = equals ? leat__must_strndup(pair, (size_t)(equals - pair)) : NULL;

        if (key && !*key)
            cli_usage(c, "--config takes NAME=VALUE, not '%s'", pair);
        else if (key)
            rd_kafka_NewTopic_set_config(t, key, equals + 1);
        leat__free(key);
    }
    return t;
}

static void take_created(cli_t *c, rd_kafka_event_t *event, json_t *rows)
{
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);

    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        const char *name = rd_kafka_topic_result_name(results[i]);
        bool exists = code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;

        if (code && !(exists && cli_has(c, "if-not-exists")))
            cli_fail_kafka(c, c->admin, code, rd_kafka_topic_result_error_string(results[i]), name,
                "create the topic");
        else
            json_array_append_new(rows, json_pack("{s:s, s:b}", "name", name, "created", !exists));
    }
}

/* A topic that was just created can be used when its partitions have leaders: about 0.1 s. */
static void wait_usable(cli_t *c, const json_t *rows)
{
    int64_t until_ms = leat__clock_steady_ms(NULL) + c->timeout_ms;

    for (size_t i = 0; i < json_array_size(rows) && !c->status; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(rows, i), "name"));
        bool usable = false;

        while (!usable && !c->status && leat__clock_steady_ms(NULL) < until_ms) {
            const struct rd_kafka_metadata *m = cli_metadata(c, c->admin, name);
            const rd_kafka_metadata_topic_t *t = m ? cli_topic_in(m, name) : NULL;

            usable = t && !t->err && t->partition_cnt > 0;
            for (int p = 0; usable && p < t->partition_cnt; p++)
                usable = t->partitions[p].leader >= 0;
            if (m)
                rd_kafka_metadata_destroy(m);
            if (!usable)
                cli_pause(20);
        }
        if (!usable && !c->status)
            cli_fail(c, CLI_NO_ANSWER,
                "topic %s is created, but its partitions have no leaders yet", name);
    }
}

static void create(cli_t *c, rd_kafka_NewTopic_t **asked, size_t count)
{
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->admin->rk);
    rd_kafka_AdminOptions_t *options = cli_admin_options(c, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    json_t *rows = json_array();
    rd_kafka_event_t *event;
    size_t i;
    json_t *row;

    rd_kafka_CreateTopics(c->admin->rk, asked, count, options, q);
    event = cli_wait(c, q, "create topics");
    if (event) {
        take_created(c, event, rows);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(q);
    wait_usable(c, rows);
    if (c->json) {
        cli_print_json(c, rows);
        return;
    }
    json_array_foreach (rows, i, row)
        printf("%s topic %s\n",
            json_is_true(json_object_get(row, "created")) ? "created" : "there is already",
            json_string_value(json_object_get(row, "name")));
    json_decref(rows);
}

void cli_topics_create(cli_t *c)
{
    size_t count = cli_count(c, "topic"), made = 0;
    rd_kafka_NewTopic_t **asked = leat__must_alloc((count + 1) * sizeof *asked);

    cli_required(c, "topic");
    while (!c->status && made < count) {
        asked[made] = new_topic(c, cli_text_at(c, "topic", made));
        made += asked[made] != NULL;
    }
    if (!c->status && cli_connect(c))
        create(c, asked, count);
    rd_kafka_NewTopic_destroy_array(asked, made);
    leat__free(asked);
}

/* ---- delete ---- */

const cli_option_t cli_topics_delete_options[] = {
    {"topic", "topics", "NAME,...", "what to delete, with all its records", NULL, true},
    {"if-exists", NULL, NULL, "a topic that is not there is fine", NULL, false},
    {0},
};

/* All or none: one wrong name, and nothing is deleted. */
static bool all_there(cli_t *c)
{
    const struct rd_kafka_metadata *m = cli_metadata(c, c->admin, NULL);
    const char *name;

    for (size_t i = 0; m && (name = cli_text_at(c, "topic", i)) != NULL; i++)
        if (!cli_topic_in(m, name) && !cli_has(c, "if-exists"))
            cli_fail(c, CLI_NOT_FOUND, "there is no topic %s; nothing is deleted", name);
    if (m)
        rd_kafka_metadata_destroy(m);
    return !c->status;
}

void cli_topics_delete(cli_t *c)
{
    size_t count = cli_count(c, "topic");
    const char **names = leat__must_alloc((count + 1) * sizeof *names);

    cli_required(c, "topic");
    for (size_t i = 0; i < count; i++)
        names[i] = cli_text_at(c, "topic", i);
    if (!c->status && cli_connect(c) && all_there(c)) {
        cli_delete_topics(c, names, count, cli_has(c, "if-exists"));
        if (!c->status && c->json)
            cli_print_json(c, json_pack("{s:I}", "deleted", (json_int_t)count));
        else if (!c->status)
            for (size_t i = 0; i < count; i++)
                printf("deleted topic %s\n", names[i]);
    }
    leat__free(names);
}
