/*
 * tools/leat/reset.c: an application back to where it began: what Kafka's
 * kafka-streams-application-reset does, for leat's applications and Kafka Streams'.
 *
 * The plan is made (reset_plan.c) and shown, and carried out unless --dry-run: offsets first, then
 * the internal topics. A member that lives would go on with its old state, so the reset refuses
 * while the group has any. librdkafka cannot remove members from a group as Java's --force does;
 * here --force waits until they are gone: who was killed, or is a static member that stopped, goes
 * when its session times out.
 */
#include "reset.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum { LOOK_EVERY_MS = 500, SAY_EVERY_MS = 5000 };

const cli_option_t cli_reset_options[] = {
    {"application-id", "application", "ID", "the application, which is its group", NULL, false},
    {"input-topics", NULL, "NAME,...", "topics to read again, from --to-... (earliest)", NULL,
        true},
    {"intermediate-topics", NULL, "NAME,...", "topics that it writes and reads: to their ends",
        NULL, true},
    {"internal-topics", NULL, "NAME,...", "delete only these of its internal topics", NULL, true},
    {"to-earliest", NULL, NULL, "input topics to their first record", NULL, false},
    {"to-latest", NULL, NULL, "input topics to their end", NULL, false},
    {"to-offset", NULL, "N", "input topics to this offset", NULL, false},
    {"to-datetime", NULL, "TIME", "input topics to the first record at or behind that time", NULL,
        false},
    {"by-duration", NULL, "TIME", "input topics back by so long from now", NULL, false},
    {"shift-by", NULL, "N", "input topics so many records on; back if negative", NULL, false},
    {"from-file", NULL, "PATH", "input topics to what the lines TOPIC,PARTITION,OFFSET say", NULL,
        false},
    {"dry-run", NULL, NULL, "show what would be done, and do nothing", NULL, false},
    {"force", NULL, NULL, "wait until the members of the group are gone, then go on", NULL, false},
    {"wait", NULL, "TIME", "how long --force waits (1m)", NULL, false},
    {0},
};

/* ---- members ---- */

/* A group of another protocol looks dead, but is in the list with its state. */
static int count_unseen(cli_t *c, const char *group, char **names)
{
    char *state = cli_listed_state(c, group);
    bool lives = state && strcmp(state, "Empty") != 0 && strcmp(state, "Dead") != 0;

    leat__free(state);
    if (lives) {
        leat__free(*names);
        *names = leat__must_strdup("at least one, of another protocol than the classic one");
    }
    return lives;
}

/* How many; -1: told. *names: [own] who. */
static int count_members(cli_t *c, const char *group, char **names)
{
    const rd_kafka_ConsumerGroupDescription_t *found;
    rd_kafka_event_t *event = cli_describe_group(c, group, &found);
    char *all = leat__must_strdup("");
    size_t count;

    *names = NULL;
    if (!event) {
        leat__free(all);
        return -1;
    }
    count = rd_kafka_ConsumerGroupDescription_member_count(found);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_MemberDescription_t *m = rd_kafka_ConsumerGroupDescription_member(found, i);
        char *more = leat__must_format("%s%s%s (%s)", all, i ? ", " : "",
            rd_kafka_MemberDescription_client_id(m), rd_kafka_MemberDescription_host(m));

        leat__free(all);
        all = more;
    }
    *names = all;
    if (rd_kafka_ConsumerGroupDescription_state(found) == RD_KAFKA_CONSUMER_GROUP_STATE_DEAD)
        count = (size_t)count_unseen(c, group, names);
    rd_kafka_event_destroy(event);
    return (int)count;
}

static void refuse(cli_t *c, const char *group, int count, const char *names)
{
    cli_fail(c, CLI_FAILED,
        "the group %s has %d active member%s: %s. Stop all processes of the application. One that "
        "was killed, or a static member (leat's default) that was stopped, stays until its session "
        "times out: wait, or give --force, which waits for up to --wait",
        group, count, count == 1 ? "" : "s", names);
}

/* Until there are none, the time is over, or somebody presses Ctrl-C. */
static int wait_for_none(cli_t *c, const char *group, int count, int64_t wait_ms, char **names)
{
    int64_t now = leat__clock_steady_ms(NULL), until_ms = now + wait_ms, said_ms = 0;

    while (count > 0 && now < until_ms && !cli_stop_wanted()) {
        if (!said_ms || now - said_ms >= SAY_EVERY_MS) {
            cli_note(c, "waiting for %d member%s to go: %s", count, count == 1 ? "" : "s", *names);
            said_ms = now;
        }
        cli_pause(LOOK_EVERY_MS);
        leat__free(*names);
        count = count_members(c, group, names);
        now = leat__clock_steady_ms(NULL);
    }
    return count;
}

static bool nobody_there(cli_t *c, const char *group)
{
    int64_t wait_ms = cli_duration(c, "wait", 60000);
    char *names;
    int count = count_members(c, group, &names);

    if (count > 0 && cli_has(c, "force") && !cli_has(c, "dry-run"))
        count = wait_for_none(c, group, count, wait_ms, &names);
    if (count > 0 && cli_has(c, "dry-run"))
        cli_note(c, "the group has %d active member%s now: a real run would %s", count,
            count == 1 ? "" : "s", cli_has(c, "force") ? "wait for them to go" : "refuse");
    else if (count > 0)
        refuse(c, group, count, names);
    leat__free(names);
    return !c->status;
}

/* ---- shown ---- */

static json_t *number_or_null(int64_t offset)
{
    return offset >= 0 ? json_integer(offset) : json_null();
}

static json_t *offsets_of(const cli_plan_t *plan)
{
    json_t *rows = json_array();

    for (int i = 0; plan->before && i < plan->after->cnt; i++)
        json_array_append_new(
            rows, json_pack("{s:s, s:i, s:o, s:o, s:s}", "topic", plan->after->elems[i].topic,
                      "partition", (int)plan->after->elems[i].partition, "from",
                      number_or_null(plan->before->elems[i].offset), "to",
                      number_or_null(plan->after->elems[i].offset), "why", plan->why[i]));
    return rows;
}

static json_t *internal_of(const cli_plan_t *plan)
{
    json_t *names = json_array();

    for (size_t i = 0; i < plan->internal_count; i++)
        json_array_append_new(names, json_string(plan->internal[i]));
    return names;
}

static void show(cli_t *c, const cli_plan_t *plan)
{
    static const cli_column_t columns[] = {{"TOPIC", "topic", false},
        {"PARTITION", "partition", true}, {"FROM", "from", true}, {"TO", "to", true},
        {"WHY", "why", false}, {0}};
    bool dry = cli_has(c, "dry-run");
    json_t *rows = offsets_of(plan);

    printf("%s%s%s\n", cli_color(c->color, CLI_CYAN),
        dry ? "Dry run: this is what would be done." : "This is what is done:",
        cli_color(c->color, 0));
    if (json_array_size(rows)) {
        printf("Offsets of group %s:\n", plan->application);
        cli_print_table(c, rows, columns);
    } else {
        puts("No input or intermediate topics: offsets stay.");
    }
    if (plan->internal_count)
        puts("Internal topics deleted:");
    else
        puts("There are no internal topics.");
    for (size_t i = 0; i < plan->internal_count; i++)
        printf("  %s\n", plan->internal[i]);
    json_decref(rows);
}

static void show_json(cli_t *c, const cli_plan_t *plan)
{
    cli_print_json(c,
        json_pack("{s:s, s:b, s:b, s:o, s:o, s:O}", "application_id", plan->application, "dry_run",
            cli_has(c, "dry-run"), "done", !cli_has(c, "dry-run") && !c->status, "offsets",
            offsets_of(plan), "deleted", internal_of(plan), "not_found", plan->not_found));
}

/* ---- done ---- */

static void take_altered(cli_t *c, const cli_plan_t *plan, rd_kafka_event_t *event)
{
    size_t count;
    const rd_kafka_group_result_t **results = rd_kafka_AlterConsumerGroupOffsets_result_groups(
        rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count);
    const rd_kafka_error_t *error = count ? rd_kafka_group_result_error(results[0]) : NULL;
    const rd_kafka_topic_partition_list_t *list =
        count ? rd_kafka_group_result_partitions(results[0]) : NULL;

    if (error)
        cli_fail_kafka(c, c->admin, rd_kafka_error_code(error), rd_kafka_error_string(error),
            plan->application, "set the group's offsets");
    for (int i = 0; list && i < list->cnt; i++) {
        char place[LEAT__KTEXT];

        snprintf(place, sizeof place, "%s-%d", list->elems[i].topic, (int)list->elems[i].partition);
        if (list->elems[i].err)
            cli_fail_kafka(c, c->admin, list->elems[i].err, NULL, place, "set the group's offset");
    }
}

/* Partitions that have and get no offset stay out of it. */
static rd_kafka_topic_partition_list_t *to_set(const cli_plan_t *plan)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(plan->after->cnt);

    for (int i = 0; i < plan->after->cnt; i++)
        if (plan->after->elems[i].offset >= 0)
            rd_kafka_topic_partition_list_add(
                list, plan->after->elems[i].topic, plan->after->elems[i].partition)
                ->offset = plan->after->elems[i].offset;
    return list;
}

static void set_offsets(cli_t *c, const cli_plan_t *plan)
{
    rd_kafka_topic_partition_list_t *list = to_set(plan);
    rd_kafka_AlterConsumerGroupOffsets_t *ask;
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *q;
    rd_kafka_event_t *event;

    if (list->cnt) {
        ask = rd_kafka_AlterConsumerGroupOffsets_new(plan->application, list);
        options = cli_admin_options(c, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
        q = rd_kafka_queue_new(c->admin->rk);
        rd_kafka_AlterConsumerGroupOffsets(c->admin->rk, &ask, 1, options, q);
        event = cli_wait(c, q, "set the group's offsets");
        if (event) {
            take_altered(c, plan, event);
            rd_kafka_event_destroy(event);
        }
        rd_kafka_queue_destroy(q);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_AlterConsumerGroupOffsets_destroy(ask);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

/* What was missing was told and is no reason to stop: its status comes back at the end. */
static void carry_out(cli_t *c, const cli_plan_t *plan)
{
    int missing = c->status;

    c->status = CLI_OK;
    set_offsets(c, plan);
    if (!c->status && plan->internal_count)
        cli_delete_topics(c, (const char *const *)plan->internal, plan->internal_count, true);
    if (!c->status)
        cli_note(c,
            "Done. Before the application starts again, remove its local state on each "
            "machine: the folder %s.leat (Kafka Streams: %s) in its state.dir.",
            plan->application, plan->application);
    if (!c->status)
        c->status = missing;
}

static void check_options(cli_t *c)
{
    static const char *const targets[] = {"to-earliest", "to-latest", "to-offset", "to-datetime",
        "by-duration", "shift-by", "from-file", NULL};

    cli_required(c, "application-id");
    cli_at_most_one(c, targets);
    for (size_t i = 0; targets[i]; i++)
        if (cli_has(c, targets[i]) && !cli_has(c, "input-topics"))
            cli_usage(c, "--%s says where --input-topics shall go; which are they?", targets[i]);
    cli_int(c, "to-offset", 0, INT64_MAX, 0);
    cli_int(c, "shift-by", INT32_MIN, INT32_MAX, 0);
    cli_time(c, "to-datetime", 0);
    cli_duration(c, "by-duration", 0);
    cli_duration(c, "wait", 0);
}

void cli_reset(cli_t *c)
{
    cli_plan_t plan = {0};

    check_options(c);
    plan.application = cli_text(c, "application-id", "");
    cli_stop_begin();
    if (cli_connect(c) && nobody_there(c, plan.application) && cli_plan_make(c, &plan)) {
        if (!c->json)
            show(c, &plan);
        if (!cli_has(c, "dry-run"))
            carry_out(c, &plan);
        if (c->json)
            show_json(c, &plan);
    }
    cli_plan_release(&plan);
}
