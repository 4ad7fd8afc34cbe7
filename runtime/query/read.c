/* runtime/query/read.c: see read.h. */
#include "read.h"

#include "base/base64.h"
#include "base/json_value.h"
#include "base/log.h"
#include "row_json.h"

enum { TIMEOUT_MS = 10000, TIMEOUT_MS_MAX = 60000 };
static const char key_formats[] = "text,json,base64";

static const leat__store_spec_t *find_spec(const leat__plan_t *plan, leat_slice_t name)
{
    for (size_t g = 0; g < plan->group_count; g++)
        for (size_t i = 0; i < plan->groups[g].store_count; i++)
            if (leat_slice_is(&name, plan->groups[g].stores[i]->name))
                return plan->groups[g].stores[i];
    return NULL;
}

bool leat__read_begin_any(leat__read_t *read, leat__request_t *r, leat__reply_t *reply)
{
    *read = (leat__read_t){.r = r,
        .spec = find_spec(r->site->app->plan, r->parts[2]),
        .opts = {.routed = true, .timeout_ms = TIMEOUT_MS}};
    if (read->spec)
        return leat__request_choice(r, "key_format", key_formats, &read->key_format, reply);
    leat__reply_error(reply, 404, leat_error_name(LEAT_EUNKNOWN), "store",
        "no store has that name: /v1/stores lists them");
    return false;
}

static bool fits(const leat__read_t *read, leat__verb_t verb, leat__reply_t *reply)
{
    if (leat__store_has_rows(read->spec) && leat__ask_fits(verb, read->spec->kind))
        return true;
    leat__reply_error(reply, 409, leat_error_name(LEAT_ETYPE), "store",
        "this path is for stores of another kind: it is a %s store",
        leat__store_kind_name(read->spec));
    return false;
}

bool leat__read_begin(
    leat__read_t *read, leat__request_t *r, leat__verb_t verb, leat__reply_t *reply)
{
    int isolation = LEAT_ISOLATION_COMMITTED;

    if (!leat__read_begin_any(read, r, reply) || !fits(read, verb, reply) ||
        !leat__request_choice(r, "isolation", "committed,latest", &isolation, reply) ||
        !leat__request_bool(r, "stale", &read->opts.stale, reply) ||
        !leat__request_bool(r, "routed", &read->opts.routed, reply) ||
        !leat__request_text(r, "partitions", &read->opts.partitions, reply) ||
        !leat__request_text(r, "at_least", &read->opts.at_least, reply) ||
        !leat__request_int(r, "timeout_ms", 1, TIMEOUT_MS_MAX, &read->opts.timeout_ms, reply))
        return false;
    read->opts.isolation = (leat_isolation_t)isolation;
    return true;
}

bool leat__read_key(leat__read_t *read, const char *what, leat_slice_t text, leat_slice_t *bytes,
    leat__reply_t *reply)
{
    leat__arena_t *scratch = read->r->scratch;
    const leat_serde_t *s = read->spec->key;
    leat__codec_env_t env = {.scratch = scratch, .topic = read->spec->changelog, .is_key = true};
    const void *key = NULL;
    leat_error_t err = {.code = LEAT_OK};
    static const char *const names[] = {"text", "json", "base64"};

    if (read->key_format == LEAT__KEY_BASE64) {
        if (leat__base64_take(text, scratch, bytes))
            return true;
        leat__error(&err, LEAT_ESERDE, 0, NULL, "it is no base64");
    } else if (read->key_format == LEAT__KEY_JSON) {
        leat__json_take(s, text, scratch, &key, &err);
    } else {
        leat__parse(s, text, scratch, &key, &err);
    }
    if (err.code == LEAT_OK && leat__encode(s, key, &env, bytes, &err) == 0)
        return true;
    leat__reply_error(reply, 400, leat_error_name(LEAT_ESERDE), what, "a key written as %s: %s",
        names[read->key_format], err.text);
    return false;
}

bool leat__read_open(leat__read_t *read, leat__reply_t *reply)
{
    if (!leat__request_all_known(read->r, reply))
        return false;
    read->q = leat_query_open(read->r->site->app, &read->opts);
    return true;
}

bool leat__read_point(leat__read_t *read, const leat__ask_t *ask, leat__window_row_t *row)
{
    leat__remote_t *remote = leat__query_remote(read->q, read->spec->name);
    leat__arena_t *scratch = read->r->scratch;
    leat__rows_t *rows;
    bool found;

    if (!remote)
        return false;
    rows = remote->open(remote, ask);
    found = remote->next(rows, row);
    if (found) {
        row->key = ask->from;
        row->value.data = leat__arena_copy(scratch, row->value.data, row->value.size);
    }
    remote->close(rows);
    return found;
}

void leat__read_put_state(const leat__read_t *read, leat__reply_t *reply)
{
    leat__buf_format(&reply->body, ",\"position\":\"%s\",\"lag\":%lld}",
        leat_query_position(read->q), (long long)leat_query_lag(read->q));
}

void leat__read_end(leat__read_t *read, leat__reply_t *reply)
{
    leat_error_t err;

    if (leat_query_close(read->q, &err))
        leat__reply_failure(reply, &err);
}
