/*
 * runtime/query/stores.c: reads of stores over HTTP: what is asked for becomes a leat/query.h read, what
 * comes back JSON (row_json.c). A request is a query, and takes one thread as long as it lasts.
 */
#include "routes.h"
#include "row_json.h"

#include "base/log.h"

#include <string.h>

enum { TIMEOUT_MS = 10000, TIMEOUT_MS_MAX = 60000 };

/* ---- the list ---- */

static bool is_here(leat_app_t *app, const leat__group_t *group, int32_t partition)
{
    leat__task_ref_t ref = {.group = (int32_t)group->id, .partition = partition};

    pthread_mutex_lock(&app->lock);
    bool here = app->control != NULL && leat__control_has(app->control, ref, false);
    pthread_mutex_unlock(&app->lock);
    return here;
}

static void put_store(leat__reply_t *reply, leat_app_t *app, const leat__store_spec_t *spec,
    const leat__group_t *group)
{
    const char *comma = "";

    leat__buf_put_text(&reply->body, "{");
    leat__reply_put_field(reply, "name", leat_slice(spec->name));
    leat__buf_format(&reply->body, ",\"kind\":\"%s\",", leat__store_kind_name(spec));
    leat__reply_put_field(reply, "key", leat_slice(spec->key ? spec->key->name : ""));
    leat__buf_put_text(&reply->body, ",");
    leat__reply_put_field(reply, "value", leat_slice(spec->value ? spec->value->name : ""));
    leat__buf_format(&reply->body, ",\"global\":%s,\"changelog\":\"%s\",\"partition_count\":%d,"
        "\"partitions\":[",
        group->global ? "true" : "false", spec->changelog ? spec->changelog : "", group->global ? 1 : (int)group->task_count);
    if (group->global)
        leat__buf_put_text(&reply->body, "0");
    for (int32_t i = 0; !group->global && i < group->task_count; i++) {
        if (!is_here(app, group, i))
            continue;
        leat__buf_format(&reply->body, "%s%d", comma, (int)i);
        comma = ",";
    }
    leat__buf_put_text(&reply->body, "]}");
}

void leat__answer_stores(leat__request_t *r, leat__reply_t *reply)
{
    const leat__plan_t *plan = r->site->app->plan;
    const char *comma = "";

    if (!leat__request_all_known(r, reply))
        return;
    leat__buf_put_text(&reply->body, "[");
    for (size_t g = 0; g < plan->group_count; g++)
        for (size_t i = 0; i < plan->groups[g].store_count; i++) {
            leat__buf_put_text(&reply->body, comma);
            put_store(reply, r->site->app, plan->groups[g].stores[i], &plan->groups[g]);
            comma = ",";
        }
    leat__buf_put_text(&reply->body, "]");
}

/* ---- one read ---- */

typedef struct read_t {
    const leat__store_spec_t *spec;
    int key_format; /* of key_formats */
    leat_query_opts_t opts;
    leat_query_t *q;
} read_t;

static const char key_formats[] = "text,json,base64";
enum { KEY_TEXT, KEY_JSON, KEY_BASE64 };

static const leat__store_spec_t *find_spec(const leat__plan_t *plan, leat_slice_t name)
{
    for (size_t g = 0; g < plan->group_count; g++)
        for (size_t i = 0; i < plan->groups[g].store_count; i++)
            if (leat_slice_is(&name, plan->groups[g].stores[i]->name))
                return plan->groups[g].stores[i];
    return NULL;
}

/* The store of the path, and what all reads may say about how to read. */
static bool begin(leat__request_t *r, read_t *read, leat__reply_t *reply)
{
    int isolation = LEAT_ISOLATION_COMMITTED;

    *read = (read_t){.spec = find_spec(r->site->app->plan, r->parts[2]),
        .opts = {.timeout_ms = TIMEOUT_MS}};
    if (!read->spec) {
        leat__reply_error(reply, 404, leat_error_name(LEAT_EUNKNOWN), "store",
            "no store has that name: /v1/stores lists them");
        return false;
    }
    if (!leat__store_has_rows(read->spec)) {
        leat__reply_error(reply, 409, leat_error_name(LEAT_ETYPE), "store",
            "what this store holds is for its processors only: it has no rows to read");
        return false;
    }
    if (!leat__request_choice(r, "isolation", "committed,latest", &isolation, reply) ||
        !leat__request_bool(r, "stale", &read->opts.stale, reply) ||
        !leat__request_text(r, "partitions", &read->opts.partitions, reply) ||
        !leat__request_text(r, "at_least", &read->opts.at_least, reply) ||
        !leat__request_int(r, "timeout_ms", 1, TIMEOUT_MS_MAX, &read->opts.timeout_ms, reply) ||
        !leat__request_choice(r, "key_format", key_formats, &read->key_format, reply))
        return false;
    read->opts.isolation = (leat_isolation_t)isolation;
    return true;
}

/* A key as the path or a parameter has it. */
static bool take_key(leat__request_t *r, const read_t *read, const char *what, leat_slice_t text,
    const void **key, leat__reply_t *reply)
{
    const leat_serde_t *s = read->spec->key;
    leat__codec_env_t env = {.scratch = r->scratch, .topic = "", .is_key = true};
    leat_error_t err = {.code = LEAT_OK};
    leat_slice_t bytes;

    if (read->key_format == KEY_JSON)
        leat__json_take(s, text, r->scratch, key, &err);
    else if (read->key_format == KEY_TEXT)
        leat__parse(s, text, r->scratch, key, &err);
    else if (leat__base64_take(text, r->scratch, &bytes))
        leat__decode(s, bytes, &env, key, &err);
    else
        leat__error(&err, LEAT_ESERDE, 0, NULL, "it is no base64");
    if (!err.code)
        return true;
    leat__reply_error(reply, 400, leat_error_name(LEAT_ESERDE), what, "key as %s: %s",
        read->key_format == KEY_TEXT ? "text" : read->key_format == KEY_JSON ? "json" : "base64",
        err.text);
    return false;
}

/* What the rows stand for: the last members of an object. */
static void put_state(const read_t *read, leat__reply_t *reply)
{
    leat__buf_format(&reply->body, ",\"position\":\"%s\",\"lag\":%lld}",
        leat_query_position(read->q), (long long)leat_query_lag(read->q));
}

/* A failure of the query goes over whatever was said. */
static void end(read_t *read, leat__reply_t *reply)
{
    leat_error_t err;

    if (leat_query_close(read->q, &err))
        leat__reply_failure(reply, &err);
}

/* ---- one key ---- */

void leat__answer_key(leat__request_t *r, leat__reply_t *reply)
{
    read_t read;
    const void *key;
    const leat_row_t *row;

    if (!begin(r, &read, reply) || !leat__request_all_known(r, reply) ||
        !take_key(r, &read, "key", r->parts[4], &key, reply))
        return;
    read.q = leat_query_open(r->site->app, &read.opts);
    row = leat_kv_row(leat_query_kv(read.q, read.spec->name), key);
    if (row) {
        leat__row_json_put(&reply->body, read.spec, row, leat__query_partition(read.q), r->scratch);
        put_state(&read, reply);
    } else {
        leat__reply_error(reply, 404, "not_found", "key", "the store has no such key");
    }
    end(&read, reply);
}
