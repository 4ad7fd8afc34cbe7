/*
 * runtime/embedded/topic.c: topics: names, counts, settings, and the admin calls about them.
 *
 * Nothing is made by being written to or read: a topic that was not created is LEAT_ETOPIC.
 * Settings are Kafka's, by Kafka's names, and kept as given; the ones that the log obeys are
 * checked and parsed when the topic is made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

enum { NAME_MAX_SIZE = 249, PARTITIONS_MAX = 100000 };

static const leat__setting_t defaults[] = {
    {"cleanup.policy", "delete"},
    {"retention.ms", "604800000"},
    {"retention.bytes", "-1"},
    {"delete.retention.ms", "86400000"},
    {"max.message.bytes", "1048588"},
    {"message.timestamp.type", "CreateTime"},
};
enum { DEFAULT_COUNT = sizeof defaults / sizeof defaults[0] };

leat__etopic_t *leat__topic_find(leat__log_t *log, const char *name)
{
    return leat__map_get(&log->topics, name);
}

leat__part_t *leat__part_find(leat__log_t *log, const char *topic, int32_t partition)
{
    leat__etopic_t *t = leat__topic_find(log, topic);

    return t && partition >= 0 && partition < t->part_count ? t->parts[partition] : NULL;
}

/* ---- making ---- */

static int check_name(const char *name, leat_error_t *err)
{
    size_t size = strlen(name);

    if (size == 0 || size > NAME_MAX_SIZE || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return leat__error(err, LEAT_ETOPIC, LEAT_FATAL, name,
            "a topic name has 1 to %d characters and is not . or ..", NAME_MAX_SIZE);
    for (const char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c))
            return leat__error(err, LEAT_ETOPIC, LEAT_FATAL, name,
                "a topic name holds letters, digits, '.', '_' and '-' only, not '%c'", *c);
    return 0;
}

static const char *setting(const leat__etopic_t *t, const char *key)
{
    const char *value = leat__map_get(&t->settings, key);

    for (size_t i = 0; !value && i < DEFAULT_COUNT; i++)
        if (strcmp(defaults[i].key, key) == 0)
            value = defaults[i].value;
    return value;
}

static int number_setting(
    const leat__etopic_t *t, const char *key, int64_t *number, leat_error_t *err)
{
    leat_slice_t text = leat_slice(setting(t, key));

    if (leat_slice_int64(&text, number) && *number >= -1)
        return 0;
    return leat__error(err, LEAT_ETOPIC, LEAT_FATAL, t->name,
        "%s is '%s': give a whole number, -1 for no limit", key, text.data);
}

static int policy_setting(leat__etopic_t *t, leat_error_t *err)
{
    const char *policy = setting(t, "cleanup.policy");
    leat_slice_t rest = leat_slice(policy), word;

    while (leat_slice_token(&rest, ", ", &word)) {
        if (leat_slice_is(&word, "compact"))
            t->compact = true;
        else if (leat_slice_is(&word, "delete"))
            t->expire = true;
        else
            return leat__error(err, LEAT_ETOPIC, LEAT_FATAL, t->name,
                "cleanup.policy is '%s': give compact, delete or compact,delete", policy);
    }
    return 0;
}

static int read_settings(leat__etopic_t *t, leat_error_t *err)
{
    int rc = policy_setting(t, err);

    if (rc == 0)
        rc = number_setting(t, "retention.ms", &t->retention_ms, err);
    if (rc == 0)
        rc = number_setting(t, "retention.bytes", &t->retention_bytes, err);
    if (rc == 0)
        rc = number_setting(t, "delete.retention.ms", &t->delete_retention_ms, err);
    if (rc == 0)
        rc = number_setting(t, "max.message.bytes", &t->message_bytes_max, err);
    return rc;
}

void leat__topic_free(leat__etopic_t *t)
{
    if (!t)
        return;
    for (int32_t i = 0; i < t->part_count; i++) {
        t->parts[i]->deleted = true;
        t->parts[i]->topic = NULL;
        leat__part_unref(t->parts[i]);
    }
    leat__free(t->parts);
    leat__map_release(&t->settings, leat__free);
    leat__free(t->name);
    leat__free(t);
}

int leat__topic_create(
    leat__log_t *log, const leat__topic_t *want, uint32_t number, leat_error_t *err)
{
    int32_t count = want->partitions < 0 ? 1 : want->partitions;
    leat__etopic_t *t;
    int rc = check_name(want->name, err);

    if (rc)
        return rc;
    if (count < 1 || count > PARTITIONS_MAX)
        return leat__error(err, LEAT_ETOPIC, LEAT_FATAL, want->name, "%d partitions: give 1 to %d",
            (int)want->partitions, PARTITIONS_MAX);
    t = leat__must_alloc(sizeof *t);
    t->log = log;
    t->name = leat__must_strdup(want->name);
    for (size_t i = 0; i < want->setting_count; i++) {
        char *old = leat__map_remove(&t->settings, want->settings[i].key);

        leat__free(old);
        leat__map_put(
            &t->settings, want->settings[i].key, leat__must_strdup(want->settings[i].value));
    }
    rc = read_settings(t, err);
    if (rc) {
        leat__topic_free(t);
        return rc;
    }
    t->number = number ? number : log->next_topic++;
    t->parts = leat__must_alloc((size_t)count * sizeof *t->parts);
    for (; t->part_count < count; t->part_count++)
        t->parts[t->part_count] = leat__part_new(t, t->part_count);
    leat__map_put(&log->topics, t->name, t);
    leat__journal_topic(t, false);
    leat__groups_topic_changed(log, t->name);
    return 0;
}

void leat__topic_delete(leat__log_t *log, leat__etopic_t *t)
{
    char *name = leat__must_strdup(t->name);

    leat__map_remove(&log->topics, t->name);
    leat__journal_topic(t, true);
    for (int32_t i = 0; i < t->part_count; i++) {
        t->parts[i]->deleted = true;
        leat__part_changed(t->parts[i]);
    }
    leat__disk_topic_deleted(t);
    leat__topic_free(t);
    leat__groups_topic_changed(log, name);
    leat__free(name);
}

/* ---- admin ---- */

static void describe_settings(const leat__etopic_t *t, leat__topic_t *out)
{
    const char *key;
    void *value;
    size_t at = 0;

    out->settings = leat__must_alloc((DEFAULT_COUNT + t->settings.count) * sizeof *out->settings);
    for (size_t i = 0; i < DEFAULT_COUNT; i++)
        if (!leat__map_get(&t->settings, defaults[i].key))
            out->settings[out->setting_count++] = (leat__setting_t){
                leat__must_strdup(defaults[i].key), leat__must_strdup(defaults[i].value)};
    while (leat__map_next(&t->settings, &at, &key, &value))
        out->settings[out->setting_count++] =
            (leat__setting_t){leat__must_strdup(key), leat__must_strdup(value)};
}

static void describe(const leat__etopic_t *t, leat__topic_t *out, bool settings)
{
    out->partitions = t->part_count;
    out->replication = 1;
    if (settings)
        describe_settings(t, out);
}

static bool run_describe(leat__log_t *log, leat__request_t *r)
{
    r->op->topics = leat__must_alloc((r->count ? r->count : 1) * sizeof *r->op->topics);
    r->op->topic_count = r->count;
    for (size_t i = 0; i < r->count; i++) {
        leat__etopic_t *t = leat__topic_find(log, r->names[i]);

        r->op->topics[i].name = leat__must_strdup(r->names[i]);
        if (t)
            describe(t, &r->op->topics[i], r->flag);
    }
    return true;
}

leat__op_t *leat__admin_describe(
    leat__broker_t *b, const char *const *names, size_t count, bool settings)
{
    leat__request_t *r = leat__request_new(b, LEAT__CALL_ADMIN, run_describe);

    r->names = leat__names_copy(names, count);
    r->count = count;
    r->flag = settings;
    return leat__request_start(r);
}

static bool run_list(leat__log_t *log, leat__request_t *r)
{
    const char *name;
    void *t;
    size_t at = 0;

    r->op->topics = leat__must_alloc((log->topics.count + 1) * sizeof *r->op->topics);
    while (leat__map_next(&log->topics, &at, &name, &t)) {
        leat__topic_t *out = &r->op->topics[r->op->topic_count++];

        out->name = leat__must_strdup(name);
        describe(t, out, false);
    }
    return true;
}

leat__op_t *leat__admin_list(leat__broker_t *b)
{
    return leat__request_start(leat__request_new(b, LEAT__CALL_ADMIN, run_list));
}

/* Per topic, and the first of them is the operation's own error. */
static void fail_topic(leat__op_t *op, leat__topic_t *out, const leat_error_t *err)
{
    out->code = err->code;
    out->error = leat__must_strdup(err->text);
    if (op->err.code == 0)
        op->err = *err;
    else
        op->err.others++;
}

/* An existing topic is fine as it is: the caller sees its count and judges. */
static void ensure(leat__log_t *log, leat__op_t *op, const leat__topic_t *want, leat__topic_t *out)
{
    leat_error_t err;

    out->name = leat__must_strdup(want->name);
    if (!leat__topic_find(log, want->name)) {
        if (leat__topic_create(log, want, 0, &err)) {
            fail_topic(op, out, &err);
            return;
        }
        out->created = true;
    }
    describe(leat__topic_find(log, want->name), out, false);
}

static bool run_ensure(leat__log_t *log, leat__request_t *r)
{
    r->op->topics = leat__must_alloc((r->count ? r->count : 1) * sizeof *r->op->topics);
    r->op->topic_count = r->count;
    for (size_t i = 0; i < r->count; i++)
        ensure(log, r->op, &r->topics[i], &r->op->topics[i]);
    return true;
}

leat__op_t *leat__admin_ensure(leat__broker_t *b, const leat__topic_t *topics, size_t count)
{
    leat__request_t *r = leat__request_new(b, LEAT__CALL_ADMIN, run_ensure);

    r->topics = leat__topics_copy(topics, count);
    r->count = count;
    return leat__request_start(r);
}

static bool run_delete(leat__log_t *log, leat__request_t *r)
{
    r->op->topics = leat__must_alloc((r->count ? r->count : 1) * sizeof *r->op->topics);
    r->op->topic_count = r->count;
    for (size_t i = 0; i < r->count; i++) {
        leat__etopic_t *t = leat__topic_find(log, r->names[i]);

        r->op->topics[i].name = leat__must_strdup(r->names[i]);
        if (t) {
            leat__topic_delete(log, t);
        } else {
            leat_error_t err;

            leat__error(&err, LEAT_ETOPIC, 0, r->names[i], "topic %s does not exist", r->names[i]);
            fail_topic(r->op, &r->op->topics[i], &err);
        }
    }
    return true;
}

leat__op_t *leat__admin_delete(leat__broker_t *b, const char *const *names, size_t count)
{
    leat__request_t *r = leat__request_new(b, LEAT__CALL_ADMIN, run_delete);

    r->names = leat__names_copy(names, count);
    r->count = count;
    return leat__request_start(r);
}

static void fail_position(leat__op_t *op, leat__position_t *p, const char *why)
{
    p->code = LEAT_ETOPIC;
    if (op->err.code)
        op->err.others++;
    else
        leat__error(
            &op->err, LEAT_ETOPIC, 0, p->topic, "%s-%d: %s", p->topic, (int)p->partition, why);
}

/* offset -1: everything. The answer's offset is the partition's new start. */
static void delete_records(leat__log_t *log, leat__op_t *op, leat__position_t *below)
{
    leat__part_t *p = leat__part_find(log, below->topic, below->partition);

    if (!p) {
        fail_position(op, below, "there is no such partition");
        return;
    }
    if (below->offset > p->next || below->offset < -1) {
        fail_position(op, below, "records cannot be deleted below an offset past the end");
        return;
    }
    leat__part_delete_below(p, below->offset == -1 ? p->next : below->offset);
    below->offset = p->log_start;
    below->code = 0;
}

static bool run_delete_records(leat__log_t *log, leat__request_t *r)
{
    r->op->positions = leat__positions_copy(r->positions, r->count);
    r->op->position_count = r->count;
    for (size_t i = 0; i < r->count; i++)
        delete_records(log, r->op, &r->op->positions[i]);
    return true;
}

leat__op_t *leat__admin_delete_records(
    leat__broker_t *b, const leat__position_t *below, size_t count)
{
    leat__request_t *r = leat__request_new(b, LEAT__CALL_ADMIN, run_delete_records);

    r->positions = leat__positions_copy(below, count);
    r->count = count;
    return leat__request_start(r);
}

static int64_t offset_where(leat__part_t *p, leat__where_t where, int64_t time_ms)
{
    switch (where) {
    case LEAT__EARLIEST:
        return p->log_start;
    case LEAT__STABLE_END:
        return p->stable;
    case LEAT__HIGH_WATERMARK:
        return p->next;
    case LEAT__AT_TIME:
        return leat__part_at_time(p, time_ms);
    }
    return p->next;
}

static bool run_offsets(leat__log_t *log, leat__request_t *r)
{
    r->op->positions = leat__positions_copy(r->positions, r->count);
    r->op->position_count = r->count;
    for (size_t i = 0; i < r->count; i++) {
        leat__position_t *at = &r->op->positions[i];
        leat__part_t *p = leat__part_find(log, at->topic, at->partition);

        at->code = 0;
        if (!p)
            fail_position(r->op, at, "there is no such partition");
        at->offset = p ? offset_where(p, r->where, at->offset) : LEAT__OFFSET_NONE;
    }
    return true;
}

leat__op_t *leat__admin_offsets(
    leat__broker_t *b, const leat__position_t *of, size_t count, leat__where_t where)
{
    leat__request_t *r = leat__request_new(b, LEAT__CALL_OFFSETS, run_offsets);

    r->positions = leat__positions_copy(of, count);
    r->count = count;
    r->where = where;
    return leat__request_start(r);
}
