/*
 * tools/leat/reset_plan.c: what a reset would do, by the rules of Kafka's
 * kafka-streams-application-reset (StreamsResetter).
 *
 *   input topics         to earliest, or where the option says, moved into what the topic has
 *   intermediate topics  to the end
 *   internal topics      deleted: <application>-...-changelog, -repartition, and those of
 *                        foreign-key joins; leat's control topic is one of them by its name
 *
 * A partition without a commit is shifted from its end, as by the Java tool. DIFFERS: partitions
 * that --from-file does not name stay where they are; a group that does not exist is no error.
 */
#include "reset.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* ...<middle><digits>-topic, with something before */
static bool is_numbered(const char *topic, const char *middle)
{
    const char *at = strstr(topic, middle);
    size_t digits;

    if (!at || at == topic)
        return false;
    at += strlen(middle);
    digits = strspn(at, "0123456789");
    return digits > 0 && strcmp(at + digits, "-topic") == 0;
}

bool cli_is_internal(const char *topic, const char *application)
{
    static const char *const ends[] = {"-changelog", "-repartition",
        "-subscription-registration-topic", "-subscription-response-topic"};
    size_t size = strlen(application);

    if (strncmp(topic, application, size) != 0 || topic[size] != '-')
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(topic, ends[i]))
            return true;
    return is_numbered(topic, "-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-") ||
           is_numbered(topic, "-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-");
}

int64_t cli_clamp(int64_t offset, int64_t start, int64_t end)
{
    return offset >= end ? end : offset > start ? offset : start;
}

/* ---- which partitions ---- */

static bool is_named(const cli_t *c, const char *option, const char *topic)
{
    const char *name;

    for (size_t i = 0; (name = cli_text_at(c, option, i)) != NULL; i++)
        if (strcmp(name, topic) == 0)
            return true;
    return false;
}

static void add_topics(cli_t *c, cli_plan_t *plan, const struct rd_kafka_metadata *m,
    const char *option, rd_kafka_topic_partition_list_t *list)
{
    const rd_kafka_metadata_topic_t *t;
    const char *name;

    for (size_t i = 0; (name = cli_text_at(c, option, i)) != NULL; i++) {
        t = cli_topic_in(m, name);
        if (!t || t->err) {
            cli_fail(c, CLI_NOT_FOUND, "there is no topic %s (--%s); it is left out", name, option);
            json_array_append_new(plan->not_found, json_string(name));
            continue;
        }
        for (int p = 0; p < t->partition_cnt; p++)
            if (!rd_kafka_topic_partition_list_find(list, name, t->partitions[p].id))
                rd_kafka_topic_partition_list_add(list, name, t->partitions[p].id);
    }
}

static void add_internal(cli_t *c, cli_plan_t *plan, const struct rd_kafka_metadata *m)
{
    plan->internal = leat__must_alloc(((size_t)m->topic_cnt + 1) * sizeof *plan->internal);
    for (int i = 0; i < m->topic_cnt; i++) {
        const char *name = m->topics[i].topic;

        if (cli_is_internal(name, plan->application) && !is_named(c, "input-topics", name) &&
            !is_named(c, "intermediate-topics", name) &&
            (!cli_has(c, "internal-topics") || is_named(c, "internal-topics", name)))
            plan->internal[plan->internal_count++] = leat__must_strdup(name);
    }
}

/* Only topics that would be deleted anyway may be named. */
static void check_internal(cli_t *c, const cli_plan_t *plan)
{
    const char *name;

    for (size_t i = 0; (name = cli_text_at(c, "internal-topics", i)) != NULL; i++) {
        bool found = false;

        for (size_t at = 0; at < plan->internal_count; at++)
            found = found || strcmp(plan->internal[at], name) == 0;
        if (!found)
            cli_usage(c,
                "%s is no internal topic of %s; a --dry-run without --internal-topics "
                "lists them",
                name, plan->application);
    }
}

/* ---- where to ---- */

typedef struct ends_t {
    rd_kafka_topic_partition_list_t *starts, *ends;
} ends_t;

static void move_to(cli_plan_t *plan, const ends_t *e, int i, int64_t offset, const char *why)
{
    int64_t start = e->starts->elems[i].offset, end = e->ends->elems[i].offset;
    int64_t inside = cli_clamp(offset, start, end);

    plan->after->elems[i].offset = inside;
    plan->why[i] = inside == offset ? why : inside == end ? "end, there is no more" : "start";
}

/* TOPIC,PARTITION,OFFSET */
static bool parse_row(
    const char *line, char *topic, size_t size, int64_t *partition, int64_t *offset)
{
    const char *comma = strchr(line, ','), *second = comma ? strchr(comma + 1, ',') : NULL;
    leat_slice_t number, last;

    if (!second || comma == line || (size_t)(comma - line) >= size || strchr(second + 1, ','))
        return false;
    memcpy(topic, line, (size_t)(comma - line));
    topic[comma - line] = '\0';
    number = (leat_slice_t){comma + 1, (size_t)(second - comma - 1)};
    last = leat_slice(second + 1);
    return leat_slice_int64(&number, partition) && leat_slice_int64(&last, offset) &&
           *partition >= 0 && *partition <= INT32_MAX;
}

static int index_of(
    const rd_kafka_topic_partition_list_t *list, const char *topic, int64_t partition)
{
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].partition == partition && strcmp(list->elems[i].topic, topic) == 0)
            return i;
    return -1;
}

static void take_row(cli_t *c, cli_plan_t *plan, const ends_t *e, int number, char *line)
{
    char topic[256];
    int64_t partition, offset;
    int i;

    line[strcspn(line, "\r\n")] = '\0';
    if (!*line)
        return;
    if (!parse_row(line, topic, sizeof topic, &partition, &offset)) {
        cli_usage(c, "line %d of --from-file is not TOPIC,PARTITION,OFFSET: %s", number, line);
        return;
    }
    i = index_of(plan->after, topic, partition);
    if (i < 0 || !is_named(c, "input-topics", topic))
        cli_usage(c, "line %d of --from-file: %s-%lld is no partition of --input-topics", number,
            topic, (long long)partition);
    else
        move_to(plan, e, i, offset, "file");
}

/* Partitions that the file does not name stay where they are. */
static void move_by_file(cli_t *c, cli_plan_t *plan, const ends_t *e)
{
    const char *path = cli_text(c, "from-file", "");
    FILE *file = fopen(path, "r");
    char line[512];

    if (!file) {
        cli_usage(c, "cannot read %s: %s", path, strerror(errno));
        return;
    }
    for (int number = 1; !c->status && fgets(line, sizeof line, file); number++)
        take_row(c, plan, e, number, line);
    fclose(file);
}

static void move_to_time(cli_t *c, cli_plan_t *plan, int64_t time_ms)
{
    bool *past = leat__must_alloc(((size_t)plan->after->cnt + 1) * sizeof *past);
    rd_kafka_topic_partition_list_t *at =
        cli_offsets(c, c->admin, plan->after, time_ms > 0 ? time_ms : 0, past);

    for (int i = 0; at && i < at->cnt; i++) {
        plan->after->elems[i].offset = at->elems[i].offset;
        plan->why[i] = past[i] ? "end, nothing is that young" : "time";
    }
    if (at)
        rd_kafka_topic_partition_list_destroy(at);
    leat__free(past);
}

static void move_one(cli_t *c, cli_plan_t *plan, const ends_t *e, int i)
{
    int64_t start = e->starts->elems[i].offset, end = e->ends->elems[i].offset;
    int64_t before = plan->before->elems[i].offset;

    if (cli_has(c, "to-offset"))
        move_to(plan, e, i, cli_int(c, "to-offset", 0, INT64_MAX, 0), "offset");
    else if (cli_has(c, "shift-by"))
        move_to(plan, e, i,
            (before >= 0 ? before : end) + cli_int(c, "shift-by", INT32_MIN, INT32_MAX, 0),
            "shifted");
    else if (cli_has(c, "to-latest"))
        move_to(plan, e, i, end, "latest");
    else
        move_to(plan, e, i, start, "earliest");
}

static void move_inputs(cli_t *c, cli_plan_t *plan, const ends_t *e)
{
    int64_t now = leat__clock_wall_ms(NULL);

    if (cli_has(c, "from-file"))
        move_by_file(c, plan, e);
    else if (cli_has(c, "to-datetime"))
        move_to_time(c, plan, cli_time(c, "to-datetime", 0));
    else if (cli_has(c, "by-duration"))
        move_to_time(c, plan, now - cli_duration(c, "by-duration", 0));
    else
        for (int i = 0; i < plan->after->cnt; i++)
            move_one(c, plan, e, i);
}

/* Also over what a time has said of all partitions: intermediate topics go to their ends. */
static void move_intermediate(cli_t *c, cli_plan_t *plan, const ends_t *e)
{
    for (int i = 0; i < plan->after->cnt; i++)
        if (!is_named(c, "input-topics", plan->after->elems[i].topic))
            move_to(plan, e, i, e->ends->elems[i].offset, "end");
}

static void take_committed(cli_t *c, cli_plan_t *plan)
{
    rd_kafka_topic_partition_list_t *committed = cli_committed(c, plan->application);

    plan->before = rd_kafka_topic_partition_list_copy(plan->after);
    for (int i = 0; committed && i < plan->before->cnt; i++) {
        rd_kafka_topic_partition_t *one = &plan->before->elems[i];
        const rd_kafka_topic_partition_t *found =
            rd_kafka_topic_partition_list_find(committed, one->topic, one->partition);

        one->offset = found ? found->offset : RD_KAFKA_OFFSET_INVALID;
        plan->after->elems[i].offset = one->offset;
        plan->why[i] = "stays";
    }
    if (committed)
        rd_kafka_topic_partition_list_destroy(committed);
}

static void move_all(cli_t *c, cli_plan_t *plan)
{
    ends_t e = {NULL, NULL};

    plan->why = leat__must_alloc(((size_t)plan->after->cnt + 1) * sizeof *plan->why);
    e.starts = cli_offsets(c, c->admin, plan->after, CLI_START, NULL);
    e.ends = e.starts ? cli_offsets(c, c->admin, plan->after, CLI_END, NULL) : NULL;
    if (e.ends) {
        take_committed(c, plan);
        move_inputs(c, plan, &e);
        move_intermediate(c, plan, &e);
        rd_kafka_topic_partition_list_destroy(e.ends);
    }
    if (e.starts)
        rd_kafka_topic_partition_list_destroy(e.starts);
}

bool cli_plan_make(cli_t *c, cli_plan_t *plan)
{
    const struct rd_kafka_metadata *m = cli_metadata(c, c->admin, NULL);
    int missing;

    if (!m)
        return false;
    plan->after = rd_kafka_topic_partition_list_new(16);
    plan->not_found = json_array();
    add_topics(c, plan, m, "input-topics", plan->after);
    add_topics(c, plan, m, "intermediate-topics", plan->after);
    add_internal(c, plan, m);
    rd_kafka_metadata_destroy(m);
    missing = c->status; /* topics that are not there do not stop the rest, as in Kafka's tool */
    c->status = CLI_OK;
    check_internal(c, plan);
    if (!c->status && plan->after->cnt)
        move_all(c, plan);
    if (c->status)
        return false;
    c->status = missing;
    return true;
}

void cli_plan_release(cli_plan_t *plan)
{
    if (plan->before)
        rd_kafka_topic_partition_list_destroy(plan->before);
    if (plan->after)
        rd_kafka_topic_partition_list_destroy(plan->after);
    leat__free(plan->why);
    for (size_t i = 0; i < plan->internal_count; i++)
        leat__free(plan->internal[i]);
    leat__free(plan->internal);
    json_decref(plan->not_found);
}
