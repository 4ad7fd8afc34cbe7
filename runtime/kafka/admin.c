/*
 * runtime/kafka/admin.c: topics and groups: describe, list, create, delete, purge.
 *
 * Topics are looked up in one metadata answer of all topics; names that are not in it are asked for
 * one by one, since a cluster with access control leaves out what may not be seen and only a
 * question by name says why. The client does not create topics by asking. Settings of existing
 * topics are never changed: 2.0.2's AlterConfigs resets what it does not name (librdkafka.md, Part
 * I, row 6).
 *
 * ensure_topics is done when every partition has a leader in the broker's answer (R7).
 */
#include "runtime/kafka/admin.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { SEEN_EVERY_MS = 20, CREATE_WAIT_MS = 10000, NEVER_MS = 3600 * 1000 };

static leat__op_t *op_of(const leat__kask_t *ask)
{
    return ask->job.op;
}

/* The client of an ask; NULL: the op's err is filled. */
static leat__kclient_t *admin_of(const leat__kask_t *ask)
{
    return leat__kbroker_admin(ask->broker, &op_of(ask)->err);
}

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

/* ---- looking ---- */

static const rd_kafka_metadata_topic_t *seek_topic(
    const struct rd_kafka_metadata *all, const char *name)
{
    for (int i = 0; i < all->topic_cnt; i++)
        if (strcmp(all->topics[i].topic, name) == 0)
            return &all->topics[i];
    return NULL;
}

static void topic_fail(leat__topic_t *topic, rd_kafka_resp_err_t code, const char *text)
{
    unsigned flags;

    topic->code = leat__kcode(code, &flags);
    leat__free(topic->error);
    topic->error = leat__must_format("%s", text && text[0] ? text : rd_kafka_err2str(code));
}

static bool is_unknown(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

static void topic_from(leat__topic_t *topic, const rd_kafka_metadata_topic_t *seen)
{
    if (seen->err && seen->err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        if (!is_unknown(seen->err))
            topic_fail(topic, seen->err, NULL);
        return;
    }
    topic->partitions = seen->partition_cnt;
    topic->replication = seen->partition_cnt > 0 ? seen->partitions[0].replica_cnt : -1;
}

static bool look_up(
    const leat__kask_t *ask, leat__kclient_t *c, leat__topic_t *topics, size_t count)
{
    const struct rd_kafka_metadata *all = leat__kask_metadata(ask, c, NULL), *one;
    const rd_kafka_metadata_topic_t *seen;

    if (!all)
        return false;
    for (size_t i = 0; i < count; i++) {
        topics[i].partitions = 0;
        seen = seek_topic(all, topics[i].name);
        if (seen) {
            topic_from(&topics[i], seen);
            continue;
        }
        one = leat__kask_metadata(ask, c, topics[i].name);
        if (!one) {
            rd_kafka_metadata_destroy(all);
            return false;
        }
        seen = seek_topic(one, topics[i].name);
        if (seen)
            topic_from(&topics[i], seen);
        rd_kafka_metadata_destroy(one);
    }
    rd_kafka_metadata_destroy(all);
    return true;
}

static void take_settings(leat__topic_t *topic, const rd_kafka_ConfigResource_t *resource)
{
    size_t count, room = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);

    for (size_t i = 0; i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);

        LEAT__GROW(topic->settings, topic->setting_count, room);
        topic->settings[topic->setting_count++] =
            (leat__setting_t){leat__must_strdup(rd_kafka_ConfigEntry_name(entries[i])),
                leat__must_strdup(value ? value : "")};
    }
}

static bool read_settings(
    const leat__kask_t *ask, leat__kclient_t *c, leat__topic_t *topics, size_t count)
{
    rd_kafka_ConfigResource_t **asked = leat__must_alloc((count + 1) * sizeof *asked);
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->rk);
    rd_kafka_AdminOptions_t *options = leat__kask_options(c, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_event_t *event = NULL;
    const rd_kafka_ConfigResource_t **found;
    size_t asked_count = 0, found_count = 0;

    for (size_t i = 0; i < count; i++)
        if (topics[i].partitions > 0)
            asked[asked_count++] =
                rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[i].name);
    if (asked_count) {
        rd_kafka_DescribeConfigs(c->rk, asked, asked_count, options, q);
        event = leat__kask_result(ask, c, q, "read the topics' settings");
    }
    found = event ? rd_kafka_DescribeConfigs_result_resources(
                        rd_kafka_event_DescribeConfigs_result(event), &found_count)
                  : NULL;
    for (size_t f = 0; f < found_count; f++) {
        for (size_t i = 0; i < count; i++) {
            if (strcmp(topics[i].name, rd_kafka_ConfigResource_name(found[f])) != 0 ||
                topics[i].setting_count)
                continue;
            if (rd_kafka_ConfigResource_error(found[f]))
                topic_fail(&topics[i], rd_kafka_ConfigResource_error(found[f]),
                    rd_kafka_ConfigResource_error_string(found[f]));
            else
                take_settings(&topics[i], found[f]);
        }
    }
    rd_kafka_ConfigResource_destroy_array(asked, asked_count);
    leat__free(asked);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(q);
    return event || !asked_count;
}

static leat__topic_t *named_topics(char *const *names, size_t count)
{
    leat__topic_t *topics = leat__must_alloc((count ? count : 1) * sizeof *topics);

    for (size_t i = 0; i < count; i++) {
        topics[i].name = leat__must_strdup(names[i]);
        topics[i].replication = -1;
    }
    return topics;
}

static void run_describe(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;
    leat__op_t *op = op_of(ask);
    leat__kclient_t *c = admin_of(ask);

    if (!c)
        return;
    op->topics = named_topics(ask->names, ask->name_count);
    op->topic_count = ask->name_count;
    if (look_up(ask, c, op->topics, op->topic_count) && ask->settings)
        read_settings(ask, c, op->topics, op->topic_count);
}

leat__op_t *leat__kadmin_describe_topics(
    leat__broker_t *b, const char *const *names, size_t count, bool settings)
{
    leat__kask_t *ask = leat__kask_new(b, run_describe);

    leat__kask_names(ask, names, count);
    ask->settings = settings;
    return leat__kask_post(ask);
}

static void run_list(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;
    leat__op_t *op = op_of(ask);
    leat__kclient_t *c = admin_of(ask);
    const struct rd_kafka_metadata *all = c ? leat__kask_metadata(ask, c, NULL) : NULL;

    if (!all)
        return;
    op->topics = leat__must_alloc(((size_t)all->topic_cnt + 1) * sizeof *op->topics);
    for (int i = 0; i < all->topic_cnt; i++) {
        leat__topic_t *topic = &op->topics[op->topic_count++];

        topic->name = leat__must_strdup(all->topics[i].topic);
        topic_from(topic, &all->topics[i]);
    }
    rd_kafka_metadata_destroy(all);
}

leat__op_t *leat__kadmin_list_topics(leat__broker_t *b)
{
    return leat__kask_post(leat__kask_new(b, run_list));
}

/* ---- creating ---- */

static rd_kafka_NewTopic_t *new_topic(const leat__topic_t *topic, char *text, size_t size)
{
    rd_kafka_NewTopic_t *t =
        rd_kafka_NewTopic_new(topic->name, topic->partitions, topic->replication, text, size);

    for (size_t i = 0; t && i < topic->setting_count; i++)
        rd_kafka_NewTopic_set_config(t, topic->settings[i].key, topic->settings[i].value);
    return t;
}

static leat__topic_t *topic_named(leat__topic_t *topics, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(topics[i].name, name) == 0)
            return &topics[i];
    return NULL;
}

static void take_created(leat__op_t *op, rd_kafka_event_t *event)
{
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);

    for (size_t i = 0; i < count; i++) {
        leat__topic_t *topic =
            topic_named(op->topics, op->topic_count, rd_kafka_topic_result_name(results[i]));
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);

        if (!topic)
            continue;
        topic->created = code == RD_KAFKA_RESP_ERR_NO_ERROR;
        if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            topic_fail(topic, code, rd_kafka_topic_result_error_string(results[i]));
    }
}

/* Asks for those of op->topics that do not exist. False: the op failed as a whole. */
static bool create_missing(const leat__kask_t *ask, leat__kclient_t *c)
{
    leat__op_t *op = op_of(ask);
    rd_kafka_NewTopic_t **asked = leat__must_alloc((ask->topic_count + 1) * sizeof *asked);
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->rk);
    rd_kafka_AdminOptions_t *options = leat__kask_options(c, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_event_t *event = NULL;
    size_t count = 0;
    char text[256];

    rd_kafka_AdminOptions_set_operation_timeout(options, CREATE_WAIT_MS, text, sizeof text);
    for (size_t i = 0; i < ask->topic_count; i++) {
        if (op->topics[i].partitions > 0 || op->topics[i].code)
            continue;
        asked[count] = new_topic(&ask->topics[i], text, sizeof text);
        if (asked[count])
            count++;
        else
            topic_fail(&op->topics[i], RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, text);
    }
    if (count) {
        rd_kafka_CreateTopics(c->rk, asked, count, options, q);
        event = leat__kask_result(ask, c, q, "create topics");
        if (event)
            take_created(op, event);
    }
    rd_kafka_NewTopic_destroy_array(asked, count);
    leat__free(asked);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(q);
    return event || !count;
}

/* The first wanted topic that cannot be used yet; NULL: all can. */
static const char *not_usable(const struct rd_kafka_metadata *all, leat__op_t *op)
{
    for (size_t i = 0; i < op->topic_count; i++) {
        const rd_kafka_metadata_topic_t *seen = seek_topic(all, op->topics[i].name);

        if (op->topics[i].code)
            continue;
        if (!seen || seen->err || seen->partition_cnt == 0)
            return op->topics[i].name;
        for (int p = 0; p < seen->partition_cnt; p++)
            if (seen->partitions[p].leader < 0)
                return op->topics[i].name;
        topic_from(&op->topics[i], seen);
    }
    return NULL;
}

static void wait_usable(const leat__kask_t *ask, leat__kclient_t *c)
{
    leat__op_t *op = op_of(ask);
    leat__kpatience_t patience = leat__kpatience(ask, c);
    const struct rd_kafka_metadata *all;
    char what[LEAT__KTEXT];
    const char *name;

    for (;;) {
        all = leat__kask_metadata(ask, c, NULL);
        if (!all)
            return;
        name = not_usable(all, op);
        if (name)
            snprintf(what, sizeof what, "see a leader for each partition of topic %s", name);
        rd_kafka_metadata_destroy(all);
        if (!name || leat__kgive_up(ask, c, &patience, what))
            return;
        sleep_ms(SEEN_EVERY_MS);
    }
}

static void run_ensure(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;
    leat__op_t *op = op_of(ask);
    leat__kclient_t *c = admin_of(ask);

    if (!c)
        return;
    op->topics = leat__must_alloc((ask->topic_count ? ask->topic_count : 1) * sizeof *op->topics);
    op->topic_count = ask->topic_count;
    for (size_t i = 0; i < ask->topic_count; i++)
        op->topics[i].name = leat__must_strdup(ask->topics[i].name);
    if (!look_up(ask, c, op->topics, op->topic_count) || !create_missing(ask, c))
        return;
    wait_usable(ask, c);
    for (size_t i = 0; i < op->topic_count; i++)
        if (op->topics[i].code && !op->err.code)
            leat__error(&op->err, op->topics[i].code, 0, op->topics[i].name,
                "topic %s cannot be created: %s", op->topics[i].name, op->topics[i].error);
}

leat__op_t *leat__kadmin_ensure_topics(leat__broker_t *b, const leat__topic_t *topics, size_t count)
{
    leat__kask_t *ask = leat__kask_new(b, run_ensure);

    ask->topics = leat__must_alloc((count ? count : 1) * sizeof *ask->topics);
    ask->topic_count = count;
    for (size_t i = 0; i < count; i++) {
        leat__topic_t *copy = &ask->topics[i];

        copy->name = leat__must_strdup(topics[i].name);
        copy->partitions = topics[i].partitions > 0 ? topics[i].partitions : -1;
        copy->replication = topics[i].replication > 0 ? topics[i].replication : -1;
        copy->setting_count = topics[i].setting_count;
        copy->settings = leat__must_alloc((copy->setting_count + 1) * sizeof *copy->settings);
        for (size_t s = 0; s < copy->setting_count; s++)
            copy->settings[s] = (leat__setting_t){leat__must_strdup(topics[i].settings[s].key),
                leat__must_strdup(topics[i].settings[s].value)};
    }
    return leat__kask_post(ask);
}

/* ---- deleting ---- */

static void run_delete(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;
    leat__op_t *op = op_of(ask);
    leat__kclient_t *c = admin_of(ask);
    rd_kafka_DeleteTopic_t **asked;
    rd_kafka_queue_t *q;
    rd_kafka_event_t *event;
    const rd_kafka_topic_result_t **results;
    size_t count;

    if (!c || !ask->name_count)
        return;
    asked = leat__must_alloc(ask->name_count * sizeof *asked);
    q = rd_kafka_queue_new(c->rk);
    for (size_t i = 0; i < ask->name_count; i++)
        asked[i] = rd_kafka_DeleteTopic_new(ask->names[i]);
    rd_kafka_DeleteTopics(c->rk, asked, ask->name_count, NULL, q);
    event = leat__kask_result(ask, c, q, "delete topics");
    results = event ? rd_kafka_DeleteTopics_result_topics(
                          rd_kafka_event_DeleteTopics_result(event), &count)
                    : NULL;
    for (size_t i = 0; results && i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);

        if (code && !is_unknown(code) && !op->err.code)
            leat__kerror(&op->err, c, code, rd_kafka_topic_result_error_string(results[i]),
                rd_kafka_topic_result_name(results[i]), "delete the topic");
    }
    rd_kafka_DeleteTopic_destroy_array(asked, ask->name_count);
    leat__free(asked);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(q);
}

leat__op_t *leat__kadmin_delete_topics(leat__broker_t *b, const char *const *names, size_t count)
{
    leat__kask_t *ask = leat__kask_new(b, run_delete);

    leat__kask_names(ask, names, count);
    return leat__kask_post(ask);
}

static void run_delete_records(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;
    leat__op_t *op = op_of(ask);
    leat__kclient_t *c = admin_of(ask);
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_DeleteRecords_t *asked;
    rd_kafka_queue_t *q;
    rd_kafka_event_t *event;
    const rd_kafka_topic_partition_list_t *results;
    unsigned flags;

    if (!c || !ask->position_count)
        return;
    list = leat__klist(ask->positions, ask->position_count, true);
    asked = rd_kafka_DeleteRecords_new(list);
    q = rd_kafka_queue_new(c->rk);
    rd_kafka_DeleteRecords(c->rk, &asked, 1, NULL, q);
    event = leat__kask_result(ask, c, q, "delete records");
    results =
        event ? rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event))
              : NULL;
    op->positions = leat__positions_copy(ask->positions, ask->position_count);
    op->position_count = ask->position_count;
    for (int i = 0; results && i < results->cnt; i++) {
        const rd_kafka_topic_partition_t *one = &results->elems[i];
        char place[LEAT__KTEXT];

        leat__kplace(place, sizeof place, one->topic, one->partition);
        for (size_t p = 0; p < op->position_count; p++)
            if (op->positions[p].partition == one->partition &&
                strcmp(op->positions[p].topic, one->topic) == 0)
                op->positions[p].code = leat__kcode(one->err, &flags);
        if (one->err && !op->err.code)
            leat__kerror(&op->err, c, one->err, NULL, place, "delete records");
    }
    rd_kafka_DeleteRecords_destroy(asked);
    rd_kafka_topic_partition_list_destroy(list);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(q);
}

leat__op_t *leat__kadmin_delete_records(
    leat__broker_t *b, const leat__position_t *below, size_t count)
{
    leat__kask_t *ask = leat__kask_new(b, run_delete_records);

    ask->positions = leat__positions_copy(below, count);
    ask->position_count = count;
    return leat__kask_post(ask);
}

/* ---- groups ---- */

static char *text_or_null(const char *text)
{
    return text && text[0] ? leat__must_strdup(text) : NULL;
}

static void take_group(
    leat__op_t *op, leat__kclient_t *c, const rd_kafka_ConsumerGroupDescription_t *g)
{
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(g);
    size_t count = rd_kafka_ConsumerGroupDescription_member_count(g);

    if (error) {
        leat__kerror(&op->err, c, rd_kafka_error_code(error), rd_kafka_error_string(error),
            rd_kafka_ConsumerGroupDescription_group_id(g), "describe the group");
        return;
    }
    op->stable = rd_kafka_ConsumerGroupDescription_state(g) == RD_KAFKA_CONSUMER_GROUP_STATE_STABLE;
    op->members = leat__must_alloc((count + 1) * sizeof *op->members);
    op->member_count = count;
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_MemberDescription_t *m = rd_kafka_ConsumerGroupDescription_member(g, i);

        op->members[i].member_id = leat__must_strdup(rd_kafka_MemberDescription_consumer_id(m));
        op->members[i].instance_id = text_or_null(rd_kafka_MemberDescription_group_instance_id(m));
        op->members[i].client_id = leat__must_strdup(rd_kafka_MemberDescription_client_id(m));
        op->members[i].host = leat__must_strdup(rd_kafka_MemberDescription_host(m));
    }
}

/*
 * On a client of its own, closed with the answer, or without one. A call for a group's coordinator
 * that times out while the coordinator is sought stays in librdkafka 2.0.2, and the process aborts
 * in it once the broker is back (rd_kafka_coord_req_fail takes one reference too many); closing the
 * client ends it well. So the library's own time limit is one that is never reached.
 */
static void run_group(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;
    leat__kclient_t *c = leat__kbroker_own(ask->broker, "group", &op_of(ask)->err);
    const char *groups[1] = {ask->text};
    rd_kafka_AdminOptions_t *options;
    char text[128];
    const rd_kafka_ConsumerGroupDescription_t **found;
    rd_kafka_queue_t *q;
    rd_kafka_event_t *event;
    size_t count = 0;

    if (!c)
        return;
    q = rd_kafka_queue_new(c->rk);
    options = leat__kask_options(c, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_AdminOptions_set_request_timeout(options, NEVER_MS, text, sizeof text);
    rd_kafka_DescribeConsumerGroups(c->rk, groups, 1, options, q);
    rd_kafka_AdminOptions_destroy(options);
    event = leat__kask_result(ask, c, q, "describe the group");
    found = event ? rd_kafka_DescribeConsumerGroups_result_groups(
                        rd_kafka_event_DescribeConsumerGroups_result(event), &count)
                  : NULL;
    if (found && count)
        take_group(op_of(ask), c, found[0]);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(q);
    leat__kclient_free(c, false);
}

leat__op_t *leat__kadmin_describe_group(leat__broker_t *b, const char *group)
{
    leat__kask_t *ask = leat__kask_new(b, run_group);

    ask->text = leat__must_strdup(group);
    return leat__kask_post(ask);
}
