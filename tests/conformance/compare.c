/*
 * tests/conformance/compare.c: what was observed against what is expected (FORMAT.md, 8 and 9).
 * What leat does is first put into the expectation's own JSON form, without what is for people;
 * then two JSON values are compared.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

/* ---- description ---- */

void compare_describe(run_t *r, const char *text)
{
    const json_t *lines = json_object_get(r->expected, "describe");
    char *copy = need_text(text), *at = copy;

    for (size_t i = 0; lines && (at || i < json_array_size(lines)); i++) {
        const char *got = at ? strsep(&at, "\n") : NULL;
        const char *wanted = json_string_value(json_array_get(lines, i));

        if (got && wanted && strcmp(got, wanted) == 0)
            continue;
        differ(r, "describe, line %zu: \"%s\", expected \"%s\"", i + 1, got ? got : "(end)",
            wanted ? wanted : "(end)");
        break;
    }
    free(copy);
}

/* ---- internal topics ---- */

static void compare_settings(run_t *r, const char *topic, const json_t *got, json_t *wanted)
{
    const char *key;
    json_t *value;

    json_object_foreach(wanted, key, value)
    {
        const char *have = json_string_value(json_object_get(got, key));

        if (!have || strcmp(have, json_string_value(value)) != 0)
            differ(r, "internal topic %s: %s is %s, expected %s", topic, key,
                have ? have : "not set", json_string_value(value));
    }
    json_object_foreach((json_t *)(uintptr_t)got, key, value)
    {
        if (!json_object_get(wanted, key))
            differ(r, "internal topic %s: %s=%s is not expected", topic, key,
                json_string_value(value));
    }
}

/* Of a pattern, Kafka Streams knows no topic before the start, and then names no changelogs either. */
static bool reads_pattern(const run_t *r)
{
    for (const named_t *list = r->topics; list; list = list->next) {
        if (((const topic_t *)list->item)->pattern)
            return true;
    }
    return false;
}

static void compare_topic(run_t *r, const json_t *got, const json_t *wanted)
{
    const char *name = get_text(got, "name", ""), *kind = get_text(got, "kind", "");
    int64_t have = get_int(got, "partitions", 0), need_count = get_int(wanted, "partitions", 0);

    if (!wanted && reads_pattern(r))
        return;
    if (!wanted) {
        differ(r, "internal topic %s (%s) is not expected", name, kind);
        return;
    }
    if (strcmp(kind, get_text(wanted, "kind", "")) != 0)
        differ(
            r, "internal topic %s: a %s, expected a %s", name, kind, get_text(wanted, "kind", ""));
    if (have != need_count)
        differ(r, "internal topic %s: partitions %lld, expected %lld", name, (long long)have,
            (long long)need_count);
    compare_settings(r, name, json_object_get(got, "settings"), json_object_get(wanted, "config"));
}

void compare_internal(run_t *r, const char *json)
{
    json_t *root = json_loads(json, 0, NULL), *topics = json_object_get(root, "internal_topics");
    json_t *wanted = json_object_get(r->expected, "internal_topics"), *seen = json_object(), *value;
    const char *key;

    if (!root)
        differ(r, "the JSON description is not readable");
    for (size_t i = 0; wanted && i < json_array_size(topics); i++) {
        json_t *topic = json_array_get(topics, i);

        compare_topic(r, topic, json_object_get(wanted, get_text(topic, "name", "")));
        json_object_set_new(seen, get_text(topic, "name", ""), json_true());
    }
    json_object_foreach(wanted, key, value)
    {
        if (root && !json_object_get(seen, key))
            differ(r, "internal topic %s is missing", key);
    }
    json_decref(seen);
    json_decref(root);
}

/* ---- records ---- */

static json_t *headers_json(const leat_headers_t *headers)
{
    json_t *list = json_array();

    for (size_t i = 0; i < leat_headers_count(headers); i++) {
        const leat_header_t *header = leat_headers_at(headers, i);
        json_t *pair = json_array();

        json_array_append_new(pair, json_string(header->name));
        json_array_append_new(pair, hex_json(header->value.data ? &header->value : NULL));
        json_array_append_new(list, pair);
    }
    return list;
}

static json_t *record_json(const leat_record_t *record)
{
    json_t *json = json_object();

    json_object_set_new(json, "k", hex_json(record->key));
    json_object_set_new(json, "v", hex_json(record->value));
    json_object_set_new(
        json, "ts", record->time_ms < 0 ? json_null() : json_integer(record->time_ms));
    if (leat_headers_count(record->headers))
        json_object_set_new(json, "h", headers_json(record->headers));
    return json;
}

/* A buffer writes what changed in no useful order: by key, equal ones as they came. */
static void sort_untimed(json_t *list)
{
    for (size_t i = 1; i < json_array_size(list); i++) {
        json_t *record = json_incref(json_array_get(list, i));
        const char *key = get_text(record, "k", "");
        size_t at = i;

        while (at > 0 && strcmp(get_text(json_array_get(list, at - 1), "k", ""), key) > 0)
            at--;
        json_array_remove(list, i);
        json_array_insert_new(list, at, record);
    }
}

static json_t *read_topics(run_t *r)
{
    char *topics = need_text(leat_test_topics(r->test)), *at = topics, *topic;
    json_t *out = json_object();

    while ((topic = strsep(&at, ","))) {
        const leat_record_t *record;
        json_t *list = NULL;

        while (*topic && (record = leat_test_read_bytes(r->test, topic))) {
            if (!list)
                json_object_set_new(out, topic, list = json_array());
            json_array_append_new(list, record_json(record));
        }
        if (list && json_is_null(json_object_get(json_array_get(list, 0), "ts")))
            sort_untimed(list);
    }
    free(topics);
    return out;
}

json_t *observe_event(run_t *r, double *dropped)
{
    json_t *event = json_object();
    double now = leat_test_metric(r->test, "dropped-records-total");

    json_object_set_new(event, "out", read_topics(r));
    if (json_array_size(r->calls))
        json_object_set_new(event, "calls", json_copy(r->calls));
    json_array_clear(r->calls);
    if (isnan(now))
        now = 0;
    if (now > *dropped)
        json_object_set_new(event, "dropped", json_integer((json_int_t)(now - *dropped)));
    *dropped = now;
    return event;
}

/* ---- comparing JSON ---- */

static char *dump(const json_t *json)
{
    return json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : need_text("nothing");
}

/* The fields that count; others ("key", "value") are for people. */
static bool same_record(const json_t *got, const json_t *wanted)
{
    static const char *const fields[] = {"k", "v", "ts", "h", "id", "punctuate", "start", "end"};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const json_t *a = json_object_get(got, fields[i]), *b = json_object_get(wanted, fields[i]);

        if (a != b && !json_equal(a, b))
            return false;
    }
    return true;
}

static void compare_lists(run_t *r, const char *what, const json_t *got, const json_t *wanted)
{
    size_t count = json_array_size(got), most = json_array_size(wanted);

    for (size_t i = 0; i < count || i < most; i++) {
        const json_t *a = json_array_get(got, i), *b = json_array_get(wanted, i);
        char *have, *want;

        if (a && b && same_record(a, b))
            continue;
        have = dump(a);
        want = dump(b);
        differ(r, "%s, record %zu: %s, expected %s", what, i, have, want);
        free(have);
        free(want);
        return;
    }
}

static void compare_topics(run_t *r, size_t index, json_t *got, json_t *wanted)
{
    const char *topic;
    json_t *list;

    json_object_foreach(wanted, topic, list)
    {
        char *what = need_format("event %zu, topic %s", index, topic);

        compare_lists(r, what, json_object_get(got, topic), list);
        free(what);
    }
    json_object_foreach(got, topic, list)
    {
        char *what = need_format("event %zu, topic %s", index, topic);

        if (!json_object_get(wanted, topic))
            compare_lists(r, what, list, NULL);
        free(what);
    }
}

bool may_drop_more(const run_t *r)
{
    return r->joins_streams && r->backend && strcmp(r->backend, "memory") == 0;
}

/*
 * Windows in memory forget each for itself, those on RocksDB by segment, in Kafka Streams too. So a
 * join whose answer is of RocksDB may refuse a late record here that was kept there: once a side.
 */
static bool is_dropped_right(const run_t *r, int64_t got, int64_t expected)
{
    return got == expected || (may_drop_more(r) && got > expected && got <= expected + 2);
}

void compare_event(run_t *r, size_t index, const json_t *got, const json_t *expected)
{
    char *what = need_format("event %zu, calls", index);

    compare_topics(r, index, json_object_get(got, "out"), json_object_get(expected, "out"));
    compare_lists(r, what, json_object_get(got, "calls"), json_object_get(expected, "calls"));
    free(what);
    if (!is_dropped_right(r, get_int(got, "dropped", 0), get_int(expected, "dropped", 0)))
        differ(r, "event %zu: %lld dropped, expected %lld", index,
            (long long)get_int(got, "dropped", 0), (long long)get_int(expected, "dropped", 0));
}

/* ---- stores ---- */

static int64_t get_be64(const char *bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < 8; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return (int64_t)number;
}

/* {key}{start 8}{number 4}; sessions {key}{end 8}{start 8}; versions {key}{from 8}{to 8} */
static void split_key(const char *kind, leat_slice_t key, json_t *entry)
{
    bool window = strstr(kind, "window") != NULL, session = strcmp(kind, "session") == 0;
    size_t tail = window ? 12 : 16;
    leat_slice_t plain = {key.data, key.size - tail};
    int64_t first = get_be64(key.data + plain.size), second;

    json_object_set_new(entry, "k", hex_json(&plain));
    if (window) {
        json_object_set_new(entry, "start", json_integer(first));
        return;
    }
    second = get_be64(key.data + plain.size + 8);
    json_object_set_new(entry, session ? "start" : "from", json_integer(session ? second : first));
    if (session)
        json_object_set_new(entry, "end", json_integer(first));
    else
        json_object_set_new(entry, "to", second == INT64_MAX ? json_null() : json_integer(second));
}

static int by_field(const json_t *a, const json_t *b, const char *field)
{
    int64_t x = get_int(a, field, 0), y = get_int(b, field, 0);

    return (x > y) - (x < y);
}

static int by_key(const json_t *a, const json_t *b)
{
    return strcmp(get_text(a, "k", ""), get_text(b, "k", "")); /* hex sorts as the bytes do */
}

static bool versions_of_one(const json_t *a, const json_t *b)
{
    return json_object_get(a, "from") && by_key(a, b) == 0;
}

static int in_order(const json_t *a, const json_t *b)
{
    int way;

    if (json_object_get(a, "from"))
        return (way = by_key(a, b)) ? way : by_field(a, b, "from");
    if ((way = by_field(a, b, "start")) || (way = by_field(a, b, "end")))
        return way;
    return by_key(a, b);
}

/* As FORMAT.md has them: windows by start, end, key; stable, so that duplicates stay in their order. */
static json_t *sorted(json_t *list)
{
    json_t *out = json_array();

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *entry = json_array_get(list, i);
        size_t at = json_array_size(out);

        while (at > 0 && in_order(json_array_get(out, at - 1), entry) > 0)
            at--;
        json_array_insert(out, at, entry);
    }
    json_decref(list);
    return out;
}

/* One entry per key, with all its versions. */
static json_t *by_versions(json_t *list)
{
    json_t *out = json_array(), *versions = NULL;

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *row = json_array_get(list, i), *entry, *version = json_object();

        if (!versions || !versions_of_one(json_array_get(list, i - 1), row)) {
            entry = json_object();
            json_object_set(entry, "k", json_object_get(row, "k"));
            json_object_set_new(entry, "versions", versions = json_array());
            json_array_append_new(out, entry);
        }
        json_object_set(version, "v", json_object_get(row, "v"));
        json_object_set(version, "from", json_object_get(row, "from"));
        json_object_set(version, "to", json_object_get(row, "to"));
        json_array_append_new(versions, version);
    }
    json_decref(list);
    return out;
}

/* What an outer join keeps without a match: lists {1}{items 4}({length 4}{item})…, shown by item. */
static bool has_lists(const char *name)
{
    return strstr(name, "KSTREAM-OUTERSHARED-") || strstr(name, "-shared-join-store");
}

static void add_items(json_t *list, leat_slice_t key, leat_slice_t value)
{
    for (size_t at = 5; at + 4 <= value.size;) {
        uint64_t size = (uint64_t)get_be64(value.data + at - 4) & UINT32_MAX;
        json_t *entry = json_object();
        leat_slice_t item = {value.data + at + 4, (size_t)size};

        if (at + 4 + size > value.size) /* damaged: as it is */
            item = value;
        json_object_set_new(entry, "k", hex_json(&key));
        json_object_set_new(entry, "v", hex_json(&item));
        json_array_append_new(list, entry);
        at += 4 + (size_t)size;
    }
}

static json_t *read_store(run_t *r, const char *name, const char *kind)
{
    bool plain = strcmp(kind, "kv") == 0 || strcmp(kind, "timestamped_kv") == 0 ||
                 strcmp(kind, "buffer") == 0;
    bool timestamped = strncmp(kind, "timestamped", 11) == 0;
    json_t *list = json_array();
    leat_slice_t key, value;
    int64_t time_ms;

    for (size_t at = 0; leat_test_store_bytes(r->test, name, &at, &key, &value, &time_ms);) {
        json_t *entry;

        if (plain && has_lists(name)) {
            add_items(list, key, value);
            continue;
        }
        entry = json_object();
        if (plain)
            json_object_set_new(entry, "k", hex_json(&key));
        else
            split_key(kind, key, entry);
        json_object_set_new(entry, "v", hex_json(&value));
        if (timestamped)
            json_object_set_new(entry, "ts", json_integer(time_ms));
        json_array_append_new(list, entry);
    }
    if (!plain)
        list = sorted(list);
    return strcmp(kind, "versioned") == 0 ? by_versions(list) : list;
}

/* Of a buffer only how much waits. */
static void compare_count(run_t *r, const char *name, int64_t wanted)
{
    leat_slice_t key, value;
    int64_t time_ms;
    size_t at = 0;

    while (leat_test_store_bytes(r->test, name, &at, &key, &value, &time_ms))
        continue;
    if ((int64_t)at != wanted)
        differ(r, "store %s: %zu records, expected %lld", name, at, (long long)wanted);
}

/* Plain windows in memory: Kafka Streams shows their start as their time. */
static bool has_times(const json_t *entries)
{
    return json_object_get(json_array_get(entries, 0), "ts") != NULL;
}

static void add_times(json_t *entries)
{
    for (size_t i = 0; i < json_array_size(entries); i++) {
        json_t *entry = json_array_get(entries, i);

        json_object_set(entry, "ts", json_object_get(entry, "start"));
    }
}

/*
 * The oracle lists versions of the keys that it saw in the changelog: of a table whose source topic
 * serves as one it lists none.
 */
static bool is_unlisted(const json_t *wanted)
{
    return strcmp(get_text(wanted, "kind", ""), "versioned") == 0 &&
           json_array_size(json_object_get(wanted, "entries")) == 0;
}

static void compare_store(run_t *r, const json_t *store, const json_t *wanted)
{
    const char *name = get_text(store, "name", ""), *kind = get_text(store, "kind", "");
    char *what = need_format("store %s", name);
    json_t *got;

    if (!wanted) {
        differ(r, "store %s (%s) is not expected", name, kind);
    } else if (strcmp(kind, get_text(wanted, "kind", "")) != 0) {
        differ(r, "store %s: %s, expected %s", name, kind, get_text(wanted, "kind", ""));
    } else if (strcmp(kind, "buffer") == 0) {
        compare_count(r, name, get_int(wanted, "records", -1));
    } else if (!get_bool(wanted, "unreadable", false) && !is_unlisted(wanted)) {
        got = read_store(r, name, kind);
        if (strcmp(kind, "window") == 0 && has_times(json_object_get(wanted, "entries")))
            add_times(got);
        if (strcmp(kind, "buffer") == 0 &&
            (json_int_t)json_array_size(got) != get_int(wanted, "records", 0))
            differ(r, "store %s: %zu records, expected %lld", name, json_array_size(got),
                (long long)get_int(wanted, "records", 0));
        if (strcmp(kind, "buffer") == 0)
            json_array_clear(got);
        compare_lists(r, what, got, json_object_get(wanted, "entries"));
        json_decref(got);
    }
    free(what);
}

void compare_stores(run_t *r, const char *json)
{
    json_t *root = json_loads(json, 0, NULL), *groups = json_object_get(root, "sub_topologies");
    json_t *wanted = json_object_get(r->expected, "stores"), *seen = json_object(), *value;
    const char *key;

    for (size_t g = 0; wanted && g < json_array_size(groups); g++) {
        json_t *stores = json_object_get(json_array_get(groups, g), "stores");

        for (size_t i = 0; i < json_array_size(stores); i++) {
            json_t *store = json_array_get(stores, i);

            compare_store(r, store, json_object_get(wanted, get_text(store, "name", "")));
            json_object_set_new(seen, get_text(store, "name", ""), json_true());
        }
    }
    json_object_foreach(wanted, key, value)
    {
        if (!json_object_get(seen, key))
            differ(r, "store %s is missing", key);
    }
    json_decref(seen);
    json_decref(root);
}
