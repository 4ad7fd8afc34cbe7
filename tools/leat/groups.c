/*
 * tools/leat/groups.c: groups and how far behind they are.
 *
 * The lag of a partition is its end (the high watermark, as in Kafka's own tool) less what is
 * committed; without a commit there is none. What is committed below the start points at records
 * that are gone.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- list ---- */

const cli_option_t cli_groups_list_options[] = {
    {"state", NULL, NULL, "show each group's state, too", NULL, false},
    {0},
};

static int by_group(const void *a, const void *b)
{
    const rd_kafka_ConsumerGroupListing_t *const *one = a, *const *other = b;

    return strcmp(rd_kafka_ConsumerGroupListing_group_id(*one),
        rd_kafka_ConsumerGroupListing_group_id(*other));
}

static void take_errors(cli_t *c, const rd_kafka_event_t *event)
{
    size_t count;
    const rd_kafka_error_t **errors = rd_kafka_ListConsumerGroups_result_errors(event, &count);

    for (size_t i = 0; i < count; i++)
        cli_fail_kafka(c, c->admin, rd_kafka_error_code(errors[i]),
            rd_kafka_error_string(errors[i]), NULL, "list the groups of a broker");
}

/* [own] in order of names; NULL: told */
static json_t *list_groups(cli_t *c)
{
    rd_kafka_queue_t *q = rd_kafka_queue_new(c->admin->rk);
    rd_kafka_AdminOptions_t *options = cli_admin_options(c, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS);
    const rd_kafka_ConsumerGroupListing_t **found, **all;
    rd_kafka_event_t *event;
    json_t *rows = NULL;
    size_t count;

    rd_kafka_ListConsumerGroups(c->admin->rk, options, q);
    event = cli_wait(c, q, "list the groups");
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(q);
    if (!event)
        return NULL;
    rows = json_array();
    take_errors(c, rd_kafka_event_ListConsumerGroups_result(event));
    found = rd_kafka_ListConsumerGroups_result_valid(
        rd_kafka_event_ListConsumerGroups_result(event), &count);
    all = leat__must_alloc((count + 1) * sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = found[i];
    qsort(all, count, sizeof *all, by_group);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows,
            json_pack("{s:s, s:s, s:b}", "group", rd_kafka_ConsumerGroupListing_group_id(all[i]),
                "state",
                rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupListing_state(all[i])),
                "simple", rd_kafka_ConsumerGroupListing_is_simple_consumer_group(all[i])));
    leat__free(all);
    rd_kafka_event_destroy(event);
    return rows;
}

void cli_groups_list(cli_t *c)
{
    static const cli_column_t columns[] = {
        {"GROUP", "group", false}, {"STATE", "state", false}, {0}};
    json_t *rows, *row;
    size_t i;

    if (!cli_connect(c) || !(rows = list_groups(c)))
        return;
    if (c->json) {
        cli_print_json(c, rows);
        return;
    }
    if (cli_has(c, "state"))
        cli_print_table(c, rows, columns);
    else
        json_array_foreach (rows, i, row)
            puts(json_string_value(json_object_get(row, "group")));
    json_decref(rows);
}

/* ---- describe ---- */

const cli_option_t cli_groups_describe_options[] = {
    {"group", "groups", "NAME,...", "which groups (an application's id is its group)", NULL, true},
    {"all-groups", NULL, NULL, "every group", NULL, false},
    {"members", NULL, NULL, "show the members instead of the offsets", NULL, false},
    {"summary", "state", NULL, "one line a group: its state, members and lag", NULL, false},
    {0},
};

static json_t *assignment_of(const rd_kafka_MemberDescription_t *m)
{
    const rd_kafka_topic_partition_list_t *list =
        rd_kafka_MemberAssignment_partitions(rd_kafka_MemberDescription_assignment(m));
    json_t *all = json_array();

    for (int i = 0; list && i < list->cnt; i++) {
        char *place =
            leat__must_format("%s-%d", list->elems[i].topic, (int)list->elems[i].partition);

        json_array_append_new(all, json_string(place));
        leat__free(place);
    }
    return all;
}

static json_t *members_of(const rd_kafka_ConsumerGroupDescription_t *group)
{
    json_t *all = json_array();

    for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(group); i++) {
        const rd_kafka_MemberDescription_t *m = rd_kafka_ConsumerGroupDescription_member(group, i);

        json_array_append_new(
            all, json_pack("{s:s, s:s?, s:s, s:s, s:o}", "member",
                     rd_kafka_MemberDescription_consumer_id(m), "instance",
                     rd_kafka_MemberDescription_group_instance_id(m), "client",
                     rd_kafka_MemberDescription_client_id(m), "host",
                     rd_kafka_MemberDescription_host(m), "assignment", assignment_of(m)));
    }
    return all;
}

/* The member that a partition is assigned to; NULL: nobody. */
static json_t *member_with(const json_t *members, const char *topic, int32_t partition)
{
    char *place = leat__must_format("%s-%d", topic, (int)partition);
    json_t *member, *found = NULL, *one;
    size_t i, at;

    json_array_foreach (members, i, member)
        json_array_foreach (json_object_get(member, "assignment"), at, one)
            if (strcmp(json_string_value(one), place) == 0)
                found = member;
    leat__free(place);
    return found;
}

static json_t *number_or_null(bool there, int64_t number)
{
    return there ? json_integer(number) : json_null();
}

static json_t *offset_row(
    const rd_kafka_topic_partition_t *committed, int64_t start, int64_t end, const json_t *members)
{
    bool there = committed->offset >= 0;
    json_t *member = member_with(members, committed->topic, committed->partition);
    json_t *row =
        json_pack("{s:s, s:i, s:o, s:I, s:I, s:o}", "topic", committed->topic, "partition",
            (int)committed->partition, "committed", number_or_null(there, committed->offset),
            "start", (json_int_t)start, "end", (json_int_t)end, "lag",
            number_or_null(there, end > committed->offset ? end - committed->offset : 0));

    if (there && committed->offset < start)
        json_object_set_new(row, "lost", json_integer(start - committed->offset));
    if (member)
        json_object_update(row, member);
    json_object_del(row, "assignment");
    return row;
}

/* Partitions that a member has, but nobody has committed. */
static void add_assigned(rd_kafka_topic_partition_list_t *list, const json_t *members)
{
    json_t *member, *place;
    size_t i, at;

    json_array_foreach (members, i, member)
        json_array_foreach (json_object_get(member, "assignment"), at, place) {
            const char *text = json_string_value(place), *dash = strrchr(text, '-');
            char *topic = leat__must_strndup(text, (size_t)(dash - text));
            int32_t partition = (int32_t)strtol(dash + 1, NULL, 10);

            if (!rd_kafka_topic_partition_list_find(list, topic, partition))
                rd_kafka_topic_partition_list_add(list, topic, partition)->offset =
                    RD_KAFKA_OFFSET_INVALID;
            leat__free(topic);
        }
}

/* A topic may be gone while its commits stay: such partitions are left out of the question. */
static rd_kafka_topic_partition_list_t *still_there(
    cli_t *c, const rd_kafka_topic_partition_list_t *list)
{
    const struct rd_kafka_metadata *m = cli_metadata(c, c->admin, NULL);
    rd_kafka_topic_partition_list_t *there;

    if (!m)
        return NULL;
    there = rd_kafka_topic_partition_list_new(list->cnt);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_metadata_topic_t *t = cli_topic_in(m, list->elems[i].topic);

        if (t && !t->err && list->elems[i].partition < t->partition_cnt)
            rd_kafka_topic_partition_list_add(there, t->topic, list->elems[i].partition)->offset =
                list->elems[i].offset;
    }
    rd_kafka_metadata_destroy(m);
    return there;
}

static json_t *offset_rows(
    cli_t *c, const rd_kafka_topic_partition_list_t *committed, const json_t *members)
{
    rd_kafka_topic_partition_list_t *starts = cli_offsets(c, c->admin, committed, CLI_START, NULL);
    rd_kafka_topic_partition_list_t *ends =
        starts ? cli_offsets(c, c->admin, committed, CLI_END, NULL) : NULL;
    json_t *rows = json_array();

    for (int i = 0; ends && i < committed->cnt; i++)
        json_array_append_new(rows, offset_row(&committed->elems[i], starts->elems[i].offset,
                                        ends->elems[i].offset, members));
    if (starts)
        rd_kafka_topic_partition_list_destroy(starts);
    if (ends)
        rd_kafka_topic_partition_list_destroy(ends);
    return rows;
}

static void add_offsets(cli_t *c, json_t *group, const char *name, const json_t *members)
{
    rd_kafka_topic_partition_list_t *committed = cli_committed(c, name), *there = NULL;
    int64_t lag = 0;
    json_t *rows, *row;
    size_t i;

    if (committed) {
        add_assigned(committed, members);
        rd_kafka_topic_partition_list_sort(committed, NULL, NULL);
        there = still_there(c, committed);
        rd_kafka_topic_partition_list_destroy(committed);
    }
    if (!there)
        return;
    rows = offset_rows(c, there, members);
    json_array_foreach (rows, i, row)
        lag += json_integer_value(json_object_get(row, "lag"));
    json_object_set_new(group, "lag", json_integer(lag));
    json_object_set_new(group, "offsets", rows);
    rd_kafka_topic_partition_list_destroy(there);
}

char *cli_listed_state(cli_t *c, const char *group)
{
    json_t *rows = list_groups(c), *row;
    char *state = NULL;
    size_t i;

    json_array_foreach (rows, i, row)
        if (strcmp(json_string_value(json_object_get(row, "group")), group) == 0)
            state = leat__must_strdup(json_string_value(json_object_get(row, "state")));
    json_decref(rows);
    return state;
}

/* Dead, says the broker of what is not there, and of groups that use another protocol. */
static void look_closer(cli_t *c, const char *name, json_t *group)
{
    char *state = cli_listed_state(c, name);

    if (state) {
        json_object_set_new(group, "state", json_string(state));
        cli_note(c,
            "The group %s does not use the classic protocol, the only one that librdkafka "
            "%s speaks: its members cannot be shown.",
            name, rd_kafka_version_str());
    } else if (!c->status && json_array_size(json_object_get(group, "offsets")) == 0) {
        cli_fail(
            c, CLI_NOT_FOUND, "there is no group %s (leat groups list shows what there is)", name);
    }
    leat__free(state);
}

/* [own] NULL: told */
static json_t *group_of(cli_t *c, const char *name)
{
    const rd_kafka_ConsumerGroupDescription_t *found;
    rd_kafka_event_t *event = cli_describe_group(c, name, &found);
    const rd_kafka_Node_t *coordinator;
    rd_kafka_consumer_group_state_t state;
    json_t *group, *members;

    if (!event)
        return NULL;
    state = rd_kafka_ConsumerGroupDescription_state(found);
    coordinator = rd_kafka_ConsumerGroupDescription_coordinator(found);
    members = members_of(found);
    group = json_pack("{s:s, s:s, s:s?, s:i, s:I, s:O}", "group", name, "state",
        rd_kafka_consumer_group_state_name(state), "assignor",
        rd_kafka_ConsumerGroupDescription_partition_assignor(found), "coordinator",
        coordinator ? rd_kafka_Node_id(coordinator) : -1, "member_count",
        (json_int_t)json_array_size(members), "members", members);
    add_offsets(c, group, name, members);
    if (state == RD_KAFKA_CONSUMER_GROUP_STATE_DEAD)
        look_closer(c, name, group);
    json_decref(members);
    rd_kafka_event_destroy(event);
    if (!c->status)
        return group;
    json_decref(group);
    return NULL;
}

/* ---- shown ---- */

static size_t behind(const json_t *offsets, int64_t *lost)
{
    size_t count = 0, i;
    json_t *row;

    *lost = 0;
    json_array_foreach (offsets, i, row) {
        count += json_integer_value(json_object_get(row, "lag")) > 0;
        *lost += json_integer_value(json_object_get(row, "lost"));
    }
    return count;
}

static void print_head(const cli_t *c, const json_t *group)
{
    const json_t *offsets = json_object_get(group, "offsets");
    int64_t lag = json_integer_value(json_object_get(group, "lag")), lost;
    size_t late = behind(offsets, &lost);

    printf("%sGroup: %s%s  State: %s  Members: %lld  Lag: %s%lld%s", cli_color(c->color, CLI_CYAN),
        json_string_value(json_object_get(group, "group")), cli_color(c->color, 0),
        json_string_value(json_object_get(group, "state")),
        (long long)json_integer_value(json_object_get(group, "member_count")),
        cli_color(c->color && lag, CLI_YELLOW), (long long)lag, cli_color(c->color && lag, 0));
    printf(" (%zu of %zu partitions behind)\n", late, json_array_size(offsets));
    if (lost)
        printf("%s%lld records behind its commits are gone: deleted before the group read them%s\n",
            cli_color(c->color, CLI_RED), (long long)lost, cli_color(c->color, 0));
}

static void print_group(const cli_t *c, const json_t *group)
{
    static const cli_column_t offsets[] = {{"TOPIC", "topic", false},
        {"PARTITION", "partition", true}, {"CURRENT-OFFSET", "committed", true},
        {"LOG-END-OFFSET", "end", true}, {"LAG", "lag", true}, {"CONSUMER-ID", "member", false},
        {"HOST", "host", false}, {"CLIENT-ID", "client", false}, {0}};
    static const cli_column_t members[] = {{"CONSUMER-ID", "member", false},
        {"INSTANCE-ID", "instance", false}, {"HOST", "host", false}, {"CLIENT-ID", "client", false},
        {"ASSIGNMENT", "assignment", false}, {0}};

    print_head(c, group);
    if (cli_has(c, "summary"))
        return;
    if (cli_has(c, "members"))
        cli_print_table(c, json_object_get(group, "members"), members);
    else if (json_array_size(json_object_get(group, "offsets")))
        cli_print_table(c, json_object_get(group, "offsets"), offsets);
    else
        puts("It has committed no offsets.");
}

/* A group that fails does not hide the others: the first failure's status comes back. */
static void describe(cli_t *c, const char *name, json_t *all)
{
    int before = c->status;
    json_t *group;

    c->status = CLI_OK;
    group = group_of(c, name);
    if (before)
        c->status = before;
    if (!group)
        return;
    if (!c->json) {
        if (json_array_size(all) && !cli_has(c, "summary"))
            putchar('\n');
        print_group(c, group);
    }
    json_array_append_new(all, group);
}

void cli_groups_describe(cli_t *c)
{
    static const char *const which[] = {"group", "all-groups", NULL};
    static const char *const what[] = {"members", "summary", NULL};
    json_t *all, *groups = NULL, *row;
    const char *name;
    size_t i;

    cli_at_most_one(c, which);
    cli_at_most_one(c, what);
    if (!cli_has(c, "all-groups"))
        cli_required(c, "group");
    if (!cli_connect(c))
        return;
    all = json_array();
    for (i = 0; (name = cli_text_at(c, "group", i)) != NULL; i++)
        describe(c, name, all);
    if (cli_has(c, "all-groups") && (groups = list_groups(c)) != NULL)
        json_array_foreach (groups, i, row)
            describe(c, json_string_value(json_object_get(row, "group")), all);
    json_decref(groups);
    if (c->json)
        cli_print_json(c, all);
    else
        json_decref(all);
}
