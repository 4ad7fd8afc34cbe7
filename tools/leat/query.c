/*
 * tools/leat/query.c: the rows of a worker's store: by key, range, prefix, window, session,
 * version; and its changes as they come.
 *
 * What the options say becomes a path of the worker's HTTP API; which one depends on the kind of
 * the store, which is asked for first. Pages are asked for one after the other and shown as they come,
 * so that a store of any size passes through. query_print.c shows rows.
 */
#include "query.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { PAGE_ROWS = 100, SERVER_MS_MAX = 60000 }; /* what the worker does by itself, and its most */

const cli_option_t cli_query_options[] = {
    {"store", NULL, "NAME", "whose rows; leat describe WORKER --stores lists them", NULL, false},
    {"key", NULL, "KEY", "this key; may be given again", NULL, true},
    {"from", NULL, "KEY", "keys from this one on", NULL, false},
    {"to", NULL, "KEY", "keys up to and with this one", NULL, false},
    {"prefix", NULL, "TEXT", "keys that begin with it", NULL, false},
    {"from-time", NULL, "TIME", "windows, sessions, versions from then on", NULL, false},
    {"to-time", NULL, "TIME", "windows, sessions, versions up to then", NULL, false},
    {"as-of", NULL, "TIME", "the version that was valid then", NULL, false},
    {"order", NULL, "ORDER", "asc (default) or desc, by key", "asc desc", false},
    {"limit", NULL, "N", "stop after so many rows", NULL, false},
    {"page", NULL, "TOKEN", "go on where --limit has stopped", NULL, false},
    {"count", NULL, NULL, "only how many rows there are, approximately", NULL, false},
    {"owner", NULL, NULL, "only which worker has the key", NULL, false},
    {"watch", NULL, NULL, "changes as they come, until Ctrl-C or --limit", NULL, false},
    {"latest", NULL, NULL, "what the processors see now, not yet committed", NULL, false},
    {"stale", NULL, NULL, "copies and restoring tasks may answer, too", NULL, false},
    {"at-least", NULL, "POSITION", "wait until this is in: orders-0@43,...", NULL, false},
    {"partition", "partitions", "N,...", "only these partitions", NULL, true},
    {"local", NULL, NULL, "only what this worker has itself", NULL, false},
    {"key-format", NULL, "NAME", "what the keys given are: text (default), json or base64",
        "text json base64", false},
    {0},
};

typedef struct query_t {
    cli_t *cli;
    cli_worker_t *worker;
    cli_rows_t rows;
    const char *store;
    int64_t limit;
} query_t;

/* ---- paths ---- */

static void put_time(query_t *k, leat__buf_t *path, const char *name, const char *option)
{
    char text[32];

    if (!cli_has(k->cli, option))
        return;
    snprintf(text, sizeof text, "%lld", (long long)cli_time(k->cli, option, 0));
    cli_put_parameter(path, name, text);
}

static void put_number(leat__buf_t *path, const char *name, int64_t number)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)number);
    cli_put_parameter(path, name, text);
}

/* "/v1/stores/NAME/what/key", key NULL: without. */
static void put_path(const query_t *k, leat__buf_t *path, const char *what, const char *key)
{
    leat__buf_put_text(path, "/v1/stores/");
    cli_put_part(path, k->store);
    leat__buf_format(path, "/%s", what);
    if (!key)
        return;
    leat__buf_put_text(path, "/");
    cli_put_part(path, key);
}

/* What all reads understand. The worker gives up first, so that it can say why. */
static void put_how(query_t *k, leat__buf_t *path)
{
    cli_t *c = k->cli;
    leat__buf_t partitions = {0};
    int64_t ms = c->timeout_ms - c->timeout_ms / 10;

    for (size_t i = 0; i < cli_count(c, "partition"); i++)
        leat__buf_format(&partitions, "%s%s", i ? "," : "", cli_text_at(c, "partition", i));
    if (cli_has(c, "partition"))
        cli_put_parameter(path, "partitions", leat__buf_text(&partitions));
    leat__buf_release(&partitions);
    cli_put_parameter(path, "isolation", cli_has(c, "latest") ? "latest" : NULL);
    cli_put_parameter(path, "stale", cli_has(c, "stale") ? "true" : NULL);
    cli_put_parameter(path, "routed", cli_has(c, "local") ? "false" : NULL);
    cli_put_parameter(path, "at_least", cli_text(c, "at-least", NULL));
    cli_put_parameter(path, "key_format", cli_text(c, "key-format", NULL));
    put_number(path, "timeout_ms", ms < SERVER_MS_MAX ? ms : SERVER_MS_MAX);
}

/* ---- pages ---- */

/* Shows the rows of an answer; *page: [own] the next one's token, NULL: that was all. */
static void take_rows(query_t *k, json_t *answer, char **page)
{
    const json_t *rows = json_object_get(answer, "rows"),
                 *next = json_object_get(answer, "next");

    leat__free(*page);
    *page = leat__must_strdup(json_string_value(next));
    cli_rows_envelope(&k->rows, answer);
    for (size_t i = 0; i < json_array_size(rows); i++)
        cli_rows_put(&k->rows, json_array_get(rows, i));
}

static bool enough(const query_t *k)
{
    return k->limit >= 0 && k->rows.count >= k->limit;
}

static void tell_more(const query_t *k, const char *page)
{
    if (page && enough(k) && !k->cli->json)
        cli_note(k->cli, "there are more rows: --page %s", page);
}

/* path: without page and limit. */
static void read_pages(query_t *k, const char *path)
{
    char *page = leat__must_strdup(cli_text(k->cli, "page", NULL));
    json_t *answer;

    do {
        leat__buf_t full = {0};

        leat__buf_put_text(&full, path);
        if (k->limit >= 0 && k->limit - k->rows.count < PAGE_ROWS)
            put_number(&full, "limit", k->limit - k->rows.count);
        cli_put_parameter(&full, "page", page);
        answer = cli_worker_ask(k->worker, leat__buf_text(&full), NULL);
        leat__buf_release(&full);
        if (answer)
            take_rows(k, answer, &page);
        json_decref(answer);
    } while (page && answer && !enough(k) && !cli_stop_wanted() && cli_flush(k->cli));
    tell_more(k, page);
    leat__free(page);
}

/* One row, or that there is none, which does not keep the next key from being asked for. */
static void read_one(query_t *k, const char *path, const char *key)
{
    cli_answer_t answer;

    if (cli_worker_try(k->worker, path, NULL, &answer)) {
        cli_rows_envelope(&k->rows, answer.json);
        cli_rows_put(&k->rows, answer.json);
    } else {
        cli_fail(k->cli, answer.status, "%s: %s", key, answer.text);
    }
    json_decref(answer.json);
}

/* ---- one kind of store each ---- */

static void range(query_t *k)
{
    leat__buf_t path = {0};

    put_path(k, &path, "keys", NULL);
    put_how(k, &path);
    cli_put_parameter(&path, "from", cli_text(k->cli, "from", NULL));
    cli_put_parameter(&path, "to", cli_text(k->cli, "to", NULL));
    cli_put_parameter(&path, "prefix", cli_text(k->cli, "prefix", NULL));
    cli_put_parameter(&path, "order", cli_text(k->cli, "order", NULL));
    read_pages(k, leat__buf_text(&path));
    leat__buf_release(&path);
}

static bool go_on(const query_t *k)
{
    return (!k->cli->status || k->cli->status == CLI_NOT_FOUND) && !enough(k) && !cli_stop_wanted();
}

/* The key's row, or of a versioned store the version of a time. */
static void read_each(query_t *k, const char *what)
{
    const char *key;

    for (size_t i = 0; (key = cli_text_at(k->cli, "key", i)) != NULL && go_on(k); i++) {
        leat__buf_t path = {0};

        put_path(k, &path, what, key);
        put_how(k, &path);
        put_time(k, &path, "as_of", "as-of");
        read_one(k, leat__buf_text(&path), key);
        leat__buf_release(&path);
    }
}

/* Of one key, or of all in a range of keys for key NULL. */
static void read_times(query_t *k, const char *what, const char *key)
{
    leat__buf_t path = {0};

    put_path(k, &path, what, key);
    put_how(k, &path);
    put_time(k, &path, "from", "from-time");
    put_time(k, &path, "to", "to-time");
    cli_put_parameter(&path, "order", cli_text(k->cli, "order", NULL));
    if (!key) {
        cli_put_parameter(&path, "from_key", cli_text(k->cli, "from", NULL));
        cli_put_parameter(&path, "to_key", cli_text(k->cli, "to", NULL));
    }
    read_pages(k, leat__buf_text(&path));
    leat__buf_release(&path);
}

static void read_timed(query_t *k, const char *what)
{
    const char *key;

    if (!cli_has(k->cli, "key"))
        read_times(k, what, NULL);
    for (size_t i = 0; (key = cli_text_at(k->cli, "key", i)) != NULL && go_on(k); i++)
        read_times(k, what, key);
}

/* ---- not rows ---- */

static void count(query_t *k)
{
    leat__buf_t path = {0};
    json_t *answer;

    put_path(k, &path, "count", NULL);
    put_how(k, &path);
    answer = cli_worker_ask(k->worker, leat__buf_text(&path), NULL);
    if (answer && !k->cli->json)
        printf("%lld\n", (long long)json_integer_value(json_object_get(answer, "approximate")));
    else if (answer)
        cli_print_json(k->cli, json_incref(answer));
    json_decref(answer);
    leat__buf_release(&path);
}

static void owner(query_t *k)
{
    static const cli_column_t columns[] = {{"KEY", "asked", false},
        {"PARTITION", "partition", true}, {"OWNER", "owner", false},
        {"STANDBYS", "standbys", false}, {"HERE", "here", false}, {0}};
    json_t *rows = json_array(), *answer;

    for (size_t i = 0; i < cli_count(k->cli, "key") && !k->cli->status; i++) {
        const char *key = cli_text_at(k->cli, "key", i);
        leat__buf_t path = {0};

        put_path(k, &path, "owner", key);
        cli_put_parameter(&path, "key_format", cli_text(k->cli, "key-format", NULL));
        answer = cli_worker_ask(k->worker, leat__buf_text(&path), NULL);
        json_object_set_new(answer, "asked", json_string(key));
        json_array_append_new(rows, answer);
        leat__buf_release(&path);
    }
    if (k->cli->json && !k->cli->status)
        cli_print_json(k->cli, json_incref(rows));
    else if (!k->cli->status)
        cli_print_table(k->cli, rows, columns);
    json_decref(rows);
}

static bool take_change(void *user, const char *event, const char *data)
{
    query_t *k = user;
    json_t *row = json_loads(data, 0, NULL);
    const char *text = json_string_value(json_object_get(json_object_get(row, "error"), "text"));

    if (strcmp(event, "change") == 0 && row)
        cli_rows_put(&k->rows, row);
    else if (text)
        cli_fail(k->cli, CLI_NO_ANSWER, "%s", text);
    json_decref(row);
    return cli_flush(k->cli) && !k->cli->status && !enough(k);
}

static void watch(query_t *k)
{
    leat__buf_t path = {0};

    put_path(k, &path, "changes", NULL);
    cli_worker_follow(k->worker, leat__buf_text(&path), take_change, k);
    leat__buf_release(&path);
}

/* ---- the verb ---- */

/* [own] what the worker says about the store; NULL: told. */
static json_t *find_store(query_t *k)
{
    json_t *all = cli_worker_ask(k->worker, "/v1/stores", NULL), *found = NULL, *store;
    const char *names[64], *nearest;
    size_t i, count_known = 0;

    json_array_foreach(all, i, store) {
        const char *name = json_string_value(json_object_get(store, "name"));

        if (name && strcmp(name, k->store) == 0)
            found = json_incref(store);
        if (name && count_known < sizeof names / sizeof *names)
            names[count_known++] = name;
    }
    nearest = cli_nearest(k->store, names, count_known);
    if (all && !found)
        cli_fail(k->cli, CLI_NOT_FOUND,
            "%s has no store %s%s%s%s (leat describe %s --stores lists them)",
            cli_worker_name(k->worker), k->store, nearest ? "; did you mean " : "",
            nearest ? nearest : "", nearest ? "?" : "", cli_worker_name(k->worker));
    json_decref(all);
    return found;
}

static void check_options(query_t *k)
{
    static const char *const kinds[] = {"count", "owner", "watch", NULL};
    static const char *const reads[] = {"key", "prefix", "page", NULL};
    static const char *const ranges[] = {"key", "from", NULL}, *const ends[] = {"key", "to", NULL};
    static const char *const times[] = {"as-of", "from-time", NULL};
    static const char *const prefix_from[] = {"prefix", "from", NULL};
    static const char *const prefix_to[] = {"prefix", "to", NULL};
    cli_t *c = k->cli;

    k->store = cli_required(c, "store");
    k->limit = cli_int(c, "limit", 1, INT64_MAX, -1);
    cli_at_most_one(c, kinds);
    cli_at_most_one(c, reads);
    cli_at_most_one(c, ranges);
    cli_at_most_one(c, ends);
    cli_at_most_one(c, times);
    cli_at_most_one(c, prefix_from);
    cli_at_most_one(c, prefix_to);
    cli_time(c, "from-time", 0);
    cli_time(c, "to-time", 0);
    cli_time(c, "as-of", 0);
    if (cli_has(c, "owner") && !cli_has(c, "key"))
        cli_usage(c, "--owner needs --key: whose owner?");
}

static void read_versions(query_t *k)
{
    if (!cli_has(k->cli, "key"))
        cli_usage(k->cli, "%s is a versioned store, which is read by --key", k->store);
    else if (cli_has(k->cli, "from-time") || cli_has(k->cli, "to-time"))
        read_timed(k, "versions");
    else
        read_each(k, "versions");
}

static void read_rows(query_t *k, const char *kind)
{
    if (strcmp(kind, "window") == 0)
        read_timed(k, "windows");
    else if (strcmp(kind, "session") == 0)
        read_timed(k, "sessions");
    else if (strcmp(kind, "versioned") == 0)
        read_versions(k);
    else if (cli_has(k->cli, "key"))
        read_each(k, "keys");
    else
        range(k);
}

void cli_query(cli_t *c)
{
    query_t k = {.cli = c};
    json_t *store;

    check_options(&k);
    cli_stop_begin();
    k.worker = cli_worker_open(c, NULL, c->timeout_ms);
    store = k.worker ? find_store(&k) : NULL;
    if (store) {
        const char *kind = json_string_value(json_object_get(store, "kind"));

        if (cli_has(c, "count"))
            count(&k);
        else if (cli_has(c, "owner"))
            owner(&k);
        else {
            cli_rows_begin(&k.rows, c, kind ? kind : "");
            if (cli_has(c, "watch"))
                watch(&k);
            else
                read_rows(&k, kind ? kind : "");
            cli_rows_end(&k.rows);
        }
    }
    json_decref(store);
    cli_worker_close(k.worker);
}
