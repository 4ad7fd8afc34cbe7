/*
 * tools/leat/connect.c: from options to a client of Kafka, and waiting for its answers.
 *
 * The properties are those of every leat program (docs/CONFIGURATION.md) with the same rules for
 * secrets, and the client is made and its errors are told by the engine's own code
 * (runtime/kafka/client.c, error.c). A call gives up when its time is over, when security refused
 * us, or when no broker at all could be reached for two seconds: an operator shall not wait for
 * what is plainly down.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/mem.h"

enum { SLICE_MS = 100, DOWN_MS = 2000 };

/* ---- the configuration ---- */

static void set_pair(cli_t *c, const char *prefix, const char *pair, const char *option)
{
    const char *equals = strchr(pair, '=');
    char *key;

    if (!equals || equals == pair) {
        cli_usage(c, "--%s takes NAME=VALUE, not '%s'", option, pair);
        return;
    }
    key = leat__must_format("%s%.*s", prefix, (int)(equals - pair), pair);
    leat_config_set(c->config, key, equals + 1);
    leat__free(key);
}

static void set_pairs(cli_t *c, const char *option, const char *prefix)
{
    for (size_t i = 0; i < cli_count(c, option); i++)
        set_pair(c, prefix, cli_text_at(c, option, i), option);
}

/* --config NAME=VALUE is a topic's setting where topics are created (see topics.c). */
static bool is_file(const char *value)
{
    return strchr(value, '=') == NULL;
}

void cli_load_config(cli_t *c)
{
    const char *file = getenv("LEAT_CONFIG"), *servers = cli_text(c, "bootstrap-server", NULL);
    const leat_error_t *err;

    c->config = leat_config_new();
    if (file && *file)
        leat_config_load(c->config, file);
    for (size_t i = 0; i < cli_count(c, "command-config"); i++)
        leat_config_load(c->config, cli_text_at(c, "command-config", i));
    for (size_t i = 0; i < cli_count(c, "config"); i++)
        if (is_file(cli_text_at(c, "config", i)))
            leat_config_load(c->config, cli_text_at(c, "config", i));
    if (servers)
        leat_config_set(c->config, "bootstrap.servers", servers);
    set_pairs(c, "set", "");
    set_pairs(c, "producer-property", "producer.");
    set_pairs(c, "consumer-property", "consumer.");
    err = leat__config_error(c->config);
    if (err->code)
        cli_usage(c, "%s%s%s", err->where, err->where[0] ? ": " : "", err->text);
}

static void check_servers(cli_t *c)
{
    const char *servers = leat__config_text(c->config, "bootstrap.servers");

    if (!*servers)
        cli_usage(c, "say where Kafka is: --bootstrap-server HOST:PORT, or bootstrap.servers in "
                     "--config FILE or in the file that LEAT_CONFIG names");
    else if (strncmp(servers, "embedded:", 9) == 0)
        cli_usage(c, "bootstrap.servers=%s is a log inside a program; leat asks a Kafka", servers);
}

bool cli_connect(cli_t *c)
{
    static const char *const settings[] = {"isolation.level", "read_uncommitted",
        "allow.auto.create.topics", "false", "auto.offset.reset", "error", NULL};

    if (c->status)
        return false;
    cli_load_config(c);
    if (!c->status)
        check_servers(c);
    if (c->status)
        return false;
    c->broker.config = c->config;
    c->admin = cli_client(c, LEAT__KADMIN, settings, NULL);
    return c->admin != NULL;
}

leat__kclient_t *cli_client(
    cli_t *c, leat__kuse_t use, const char *const *settings, cli_delivery_fn delivered)
{
    leat_error_t err;
    leat__kclient_t *client = NULL;
    const char *id = leat__config_text(c->config, "client.id");
    rd_kafka_conf_t *conf = leat__kconf_new(&c->broker, use, *id ? id : "leat-cli", &err);
    bool set = conf != NULL;

    for (; set && *settings; settings += 2)
        set = leat__kconf_must(conf, settings[0], settings[1], &err);
    if (set && delivered)
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    if (set)
        client = leat__kclient_new(&c->broker, use, conf, &err);
    else if (conf)
        rd_kafka_conf_destroy(conf);
    if (!client)
        cli_fail(c, CLI_USAGE, "%s%s%s", err.where, err.where[0] ? ": " : "", err.text);
    return client;
}

/* ---- failures ---- */

static int status_of(rd_kafka_resp_err_t code)
{
    unsigned flags;

    switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
        return CLI_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        return CLI_NO_ANSWER;
    default:
        return leat__kcode(code, &flags) == LEAT_EAUTH ? CLI_REFUSED : CLI_FAILED;
    }
}

void cli_fail_kafka(cli_t *c, leat__kclient_t *client, rd_kafka_resp_err_t code, const char *text,
    const char *where, const char *what)
{
    leat_error_t err;
    int leat = leat__kerror(&err, client, code, text, where, what);

    cli_fail(c, leat == LEAT_EAUTH ? CLI_REFUSED : status_of(code), "%s%s%s", err.where,
        err.where[0] ? ": " : "", err.text);
}

/* ---- waiting ---- */

typedef struct patience_t {
    int64_t began_ms, until_ms;
    int downs;
} patience_t;

static patience_t patience(const cli_t *c, const leat__kclient_t *client)
{
    int64_t now = leat__clock_steady_ms(NULL);

    return (patience_t){now, now + c->timeout_ms, client->down};
}

/* True, and told: no use in waiting on. */
static bool give_up(cli_t *c, leat__kclient_t *client, const patience_t *p, const char *what)
{
    int64_t now = leat__clock_steady_ms(NULL);

    rd_kafka_poll(client->rk, 0);
    if (cli_stop_wanted()) {
        cli_fail(c, CLI_FAILED, "stopped");
        return true;
    }
    if (!client->refused && now < p->until_ms &&
        (client->down == p->downs || now < p->began_ms + DOWN_MS))
        return false;
    cli_fail_kafka(c, client, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, NULL, what);
    return true;
}

rd_kafka_AdminOptions_t *cli_admin_options(cli_t *c, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(c->admin->rk, op);
    char text[128];

    rd_kafka_AdminOptions_set_request_timeout(
        options, (int)c->timeout_ms + SLICE_MS, text, sizeof text);
    return options;
}

rd_kafka_event_t *cli_wait(cli_t *c, rd_kafka_queue_t *q, const char *what)
{
    patience_t p = patience(c, c->admin);
    rd_kafka_event_t *event;

    while (!(event = rd_kafka_queue_poll(q, SLICE_MS)))
        if (give_up(c, c->admin, &p, what))
            return NULL;
    if (!rd_kafka_event_error(event)) {
        c->admin->worked = 1;
        return event;
    }
    cli_fail_kafka(
        c, c->admin, rd_kafka_event_error(event), rd_kafka_event_error_string(event), NULL, what);
    rd_kafka_event_destroy(event);
    return NULL;
}

/* Whether asking again may help: the answer that counts is the last one. */
static bool passing(rd_kafka_resp_err_t code)
{
    unsigned flags;

    leat__kcode(code, &flags);
    return (flags & LEAT_RETRIABLE) != 0;
}

const struct rd_kafka_metadata *cli_metadata(cli_t *c, leat__kclient_t *client, const char *topic)
{
    patience_t p = patience(c, client);
    rd_kafka_topic_t *handle = topic ? rd_kafka_topic_new(client->rk, topic, NULL) : NULL;
    const struct rd_kafka_metadata *found = NULL;
    rd_kafka_resp_err_t code;

    for (;;) {
        code = rd_kafka_metadata(client->rk, topic == NULL, handle, &found, 5 * SLICE_MS);
        if (!code || !passing(code) || give_up(c, client, &p, "ask for topics"))
            break;
    }
    if (!code)
        client->worked = 1;
    else if (!passing(code))
        cli_fail_kafka(c, client, code, NULL, topic, "ask for topics");
    if (handle)
        rd_kafka_topic_destroy(handle);
    return code ? NULL : found;
}

static rd_kafka_resp_err_t first_passing(const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        if (passing(list->elems[i].err))
            return list->elems[i].err;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Offsets of the times that stand in list, into *answer [own]. False: told. */
static bool ask_offsets(cli_t *c, leat__kclient_t *client,
    const rd_kafka_topic_partition_list_t *list, rd_kafka_topic_partition_list_t **answer)
{
    patience_t p = patience(c, client);
    rd_kafka_resp_err_t code;
    bool failed;

    *answer = NULL;
    for (;;) {
        if (*answer)
            rd_kafka_topic_partition_list_destroy(*answer);
        *answer = rd_kafka_topic_partition_list_copy(list);
        code = rd_kafka_offsets_for_times(client->rk, *answer, 5 * SLICE_MS);
        if (!code)
            code = first_passing(*answer);
        if (!passing(code) || give_up(c, client, &p, "read offsets"))
            break;
    }
    failed = code != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!code)
        client->worked = 1;
    else if (!passing(code))
        cli_fail_kafka(c, client, code, NULL, NULL, "read offsets");
    for (int i = 0; !failed && i < (*answer)->cnt; i++) {
        rd_kafka_topic_partition_t *one = &(*answer)->elems[i];
        char place[LEAT__KTEXT];

        snprintf(place, sizeof place, "%s-%d", one->topic, (int)one->partition);
        failed = one->err != RD_KAFKA_RESP_ERR_NO_ERROR;
        if (failed)
            cli_fail_kafka(c, client, one->err, NULL, place, "read the offset");
    }
    if (failed) {
        rd_kafka_topic_partition_list_destroy(*answer);
        *answer = NULL;
    }
    return *answer != NULL;
}

/* The answer of librdkafka is in another order than the question. */
static void take_answer(rd_kafka_topic_partition_list_t *list, rd_kafka_topic_partition_list_t *of)
{
    for (int i = 0; i < of->cnt; i++) {
        rd_kafka_topic_partition_t *one =
            rd_kafka_topic_partition_list_find(list, of->elems[i].topic, of->elems[i].partition);

        if (one)
            one->offset = of->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(of);
}

/* Behind the last record of that time: the end. */
static bool ends_for_none(
    cli_t *c, leat__kclient_t *client, rd_kafka_topic_partition_list_t *list, bool *past)
{
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(list->cnt), *answer;
    bool ok = true;

    for (int i = 0; i < list->cnt; i++) {
        if (past)
            past[i] = list->elems[i].offset < 0;
        if (list->elems[i].offset < 0)
            rd_kafka_topic_partition_list_add(ends, list->elems[i].topic, list->elems[i].partition)
                ->offset = CLI_END;
    }
    if (ends->cnt) {
        ok = ask_offsets(c, client, ends, &answer);
        if (ok)
            take_answer(list, answer);
    }
    rd_kafka_topic_partition_list_destroy(ends);
    return ok;
}

rd_kafka_topic_partition_list_t *cli_offsets(cli_t *c, leat__kclient_t *client,
    const rd_kafka_topic_partition_list_t *of, int64_t time_ms, bool *past)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(of), *answer;
    bool ok = true;

    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = time_ms;
        list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    if (list->cnt) {
        ok = ask_offsets(c, client, list, &answer);
        if (ok) {
            take_answer(list, answer);
            ok = ends_for_none(c, client, list, past);
        }
    }
    if (ok)
        return list;
    rd_kafka_topic_partition_list_destroy(list);
    return NULL;
}
