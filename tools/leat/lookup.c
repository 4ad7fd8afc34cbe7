/* tools/leat/lookup.c: what several verbs ask of a broker: partitions, groups, deletions. */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

const rd_kafka_metadata_topic_t *cli_topic_in(const struct rd_kafka_metadata *all, const char *name)
{
    for (int i = 0; i < all->topic_cnt; i++)
        if (strcmp(all->topics[i].topic, name) == 0)
            return &all->topics[i];
    return NULL;
}

static bool is_unknown(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

bool cli_add_partitions(
    cli_t *c, leat__kclient_t *client, rd_kafka_topic_partition_list_t *list, const char *topic)
{
    const struct rd_kafka_metadata *m = cli_metadata(c, client, topic);
    const rd_kafka_metadata_topic_t *found = m ? cli_topic_in(m, topic) : NULL;
    bool ok = found && !found->err && found->partition_cnt > 0;

    for (int i = 0; ok && i < found->partition_cnt; i++)
        rd_kafka_topic_partition_list_add(list, topic, found->partitions[i].id);
    if (m && (!found || is_unknown(found->err)))
        cli_fail(
            c, CLI_NOT_FOUND, "there is no topic %s (leat topics list shows what there is)", topic);
    else if (m && !ok)
        cli_fail_kafka(c, client, found->err ? found->err : RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
            NULL, topic, "look at the topic");
    if (m)
        rd_kafka_metadata_destroy(m);
    return ok;
}

/* ---- groups ---- */

/* The answer's only group: [borrow: event]; NULL: told. */
static const rd_kafka_group_result_t *only_group(
    cli_t *c, const rd_kafka_group_result_t **results, size_t count, const char *group)
{
    const rd_kafka_error_t *error = count == 1 ? rd_kafka_group_result_error(results[0]) : NULL;

    if (error)
        cli_fail_kafka(c, c->admin, rd_kafka_error_code(error), rd_kafka_error_string(error), group,
            "read the group's committed offsets");
    return count == 1 && !error ? results[0] : NULL;
}

rd_kafka_topic_partition_list_t *cli_committed(cli_t *c, const char *group)
{
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->admin->rk);
    rd_kafka_ListConsumerGroupOffsets_t *ask = rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
    rd_kafka_AdminOptions_t *options =
        cli_admin_options(c, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_topic_partition_list_t *list = NULL;
    const rd_kafka_group_result_t **results, *one;
    rd_kafka_event_t *event;
    size_t count;

    rd_kafka_ListConsumerGroupOffsets(c->admin->rk, &ask, 1, options, q);
    event = cli_wait(c, q, "read the group's committed offsets");
    if (event) {
        results = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
        one = only_group(c, results, count, group);
        if (one)
            list = rd_kafka_topic_partition_list_copy(rd_kafka_group_result_partitions(one));
        rd_kafka_event_destroy(event);
    }
    if (list)
        rd_kafka_topic_partition_list_sort(list, NULL, NULL);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(ask);
    rd_kafka_queue_destroy(q);
    return list;
}

rd_kafka_event_t *cli_describe_group(
    cli_t *c, const char *name, const rd_kafka_ConsumerGroupDescription_t **group)
{
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->admin->rk);
    rd_kafka_AdminOptions_t *options =
        cli_admin_options(c, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    const rd_kafka_ConsumerGroupDescription_t **groups = NULL;
    const rd_kafka_error_t *error;
    rd_kafka_event_t *event;
    size_t count = 0;

    rd_kafka_DescribeConsumerGroups(c->admin->rk, &name, 1, options, q);
    event = cli_wait(c, q, "describe the group");
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(q);
    if (!event)
        return NULL;
    groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    error = count ? rd_kafka_ConsumerGroupDescription_error(groups[0]) : NULL;
    if (count && !error) {
        *group = groups[0];
        return event;
    }
    cli_fail_kafka(c, c->admin,
        error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND,
        error ? rd_kafka_error_string(error) : NULL, name, "describe the group");
    rd_kafka_event_destroy(event);
    return NULL;
}

/* ---- topics deleted ---- */

static void take_deleted(cli_t *c, rd_kafka_event_t *event, bool missing_is_fine)
{
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);

    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        const char *name = rd_kafka_topic_result_name(results[i]);

        if (is_unknown(code) && !missing_is_fine)
            cli_fail(c, CLI_NOT_FOUND, "there is no topic %s", name);
        else if (code && !is_unknown(code))
            cli_fail_kafka(c, c->admin, code, rd_kafka_topic_result_error_string(results[i]), name,
                "delete the topic");
    }
}

/* Done is when the broker does not know them any more: then they can be created again. */
static void wait_gone(cli_t *c, const char *const *names, size_t count)
{
    int64_t until_ms = leat__clock_steady_ms(NULL) + c->timeout_ms;
    const struct rd_kafka_metadata *m;
    bool gone = false;

    while (!gone && leat__clock_steady_ms(NULL) < until_ms &&
           (m = cli_metadata(c, c->admin, NULL)) != NULL) {
        gone = true;
        for (size_t i = 0; gone && i < count; i++)
            gone = !cli_topic_in(m, names[i]);
        rd_kafka_metadata_destroy(m);
        if (!gone)
            cli_pause(20);
    }
}

void cli_delete_topics(cli_t *c, const char *const *names, size_t count, bool missing_is_fine)
{
    enum { AT_ONCE = 100 };
    rd_kafka_DeleteTopic_t *asked[AT_ONCE];
    cli_progress_t progress;
    size_t done = 0;

    cli_progress_begin(c, &progress, "topics deleted", (int64_t)count, true);
    while (done < count) {
        rd_kafka_queue_t *q = rd_kafka_queue_new(c->admin->rk);
        rd_kafka_AdminOptions_t *options = cli_admin_options(c, RD_KAFKA_ADMIN_OP_DELETETOPICS);
        size_t some = count - done < AT_ONCE ? count - done : AT_ONCE;
        rd_kafka_event_t *event;

        for (size_t i = 0; i < some; i++)
            asked[i] = rd_kafka_DeleteTopic_new(names[done + i]);
        rd_kafka_DeleteTopics(c->admin->rk, asked, some, options, q);
        event = cli_wait(c, q, "delete topics");
        if (event) {
            take_deleted(c, event, missing_is_fine);
            rd_kafka_event_destroy(event);
        }
        rd_kafka_DeleteTopic_destroy_array(asked, some);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_queue_destroy(q);
        if (!event)
            break;
        done += some;
        cli_progress(c, &progress, (int64_t)done);
    }
    cli_progress_end(c, &progress, (int64_t)done);
    if (!c->status)
        wait_gone(c, names, count);
}

void cli_pause(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}
