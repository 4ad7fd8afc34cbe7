/* runtime/query/points.c: reads that look a key up: one, several, a version; and how many keys there are. */
#include "base/json_value.h"
#include "base/log.h"
#include "read.h"
#include "routes.h"
#include "row_json.h"

#include <leat/json.h>

#include <jansson.h>
#include <string.h>

/* The row, or that there is none. */
static void answer_point(leat__read_t *read, const leat__ask_t *ask, leat__reply_t *reply)
{
    leat__window_row_t row;

    if (!leat__read_open(read, reply))
        return;
    if (leat__read_point(read, ask, &row)) {
        leat__row_json_put(&reply->body, read->spec, &row, leat__query_partition(read->q),
            read->r->scratch);
        leat__read_put_state(read, reply);
    } else {
        leat__reply_error(reply, 404, "not_found", "key",
            ask->verb == LEAT__ASK_AS_OF ? "the key had no value then" : "the store has no such key");
    }
    leat__read_end(read, reply);
}

void leat__answer_key(leat__request_t *r, leat__reply_t *reply)
{
    leat__ask_t ask = {.verb = LEAT__ASK_GET};
    leat__read_t read;

    if (leat__read_begin(&read, r, ask.verb, reply) &&
        leat__read_key(&read, "key", r->parts[4], &ask.from, reply))
        answer_point(&read, &ask, reply);
}

void leat__answer_versions(leat__request_t *r, leat__reply_t *reply)
{
    leat__ask_t ask = {.verb = LEAT__ASK_VERSION, .from_ms = INT64_MIN};
    leat__read_t read;

    if (leat__request_find(r, "from") || leat__request_find(r, "to")) {
        leat__answer_history(r, reply);
        return;
    }
    if (!leat__read_begin(&read, r, ask.verb, reply) ||
        !leat__request_int(r, "as_of", 0, INT64_MAX, &ask.from_ms, reply) ||
        !leat__read_key(&read, "key", r->parts[4], &ask.from, reply))
        return;
    if (ask.from_ms != INT64_MIN)
        ask.verb = LEAT__ASK_AS_OF;
    answer_point(&read, &ask, reply);
}

void leat__answer_count(leat__request_t *r, leat__reply_t *reply)
{
    leat__ask_t ask = {.verb = LEAT__ASK_COUNT};
    leat__window_row_t row = {0};
    leat__read_t read;

    if (!leat__read_begin(&read, r, ask.verb, reply) || !leat__read_open(&read, reply))
        return;
    leat__read_point(&read, &ask, &row);
    leat__buf_format(&reply->body, "{\"approximate\":%lld", (long long)row.start_ms);
    leat__read_put_state(&read, reply);
    leat__read_end(&read, reply);
}

/* ---- several keys at once ---- */

static void refuse_body(leat__reply_t *reply, const char *why)
{
    leat__reply_error(reply, 400, leat_error_name(LEAT_EARGUMENT), "body",
        "%s: {\"keys\":[KEY,...]} with the keys as JSON is wanted", why);
}

/* The bytes of a key, as its JSON says. */
static bool key_of(leat__read_t *read, const json_t *json, leat_slice_t *bytes, leat__reply_t *reply)
{
    leat__codec_env_t env = {.scratch = read->r->scratch};
    leat_error_t err;
    leat_slice_t text;

    if (leat__encode(leat_serde_json(), json, &env, &text, &err) == 0)
        return leat__read_key(read, "keys", text, bytes, reply);
    refuse_body(reply, err.text);
    return false;
}

static void put_rows(leat__read_t *read, const leat_slice_t *keys, size_t count, leat__reply_t *reply)
{
    leat__buf_put_text(&reply->body, "{\"rows\":[");
    for (size_t i = 0; i < count; i++) {
        leat__ask_t ask = {.verb = LEAT__ASK_GET, .from = keys[i]};
        leat__window_row_t row;

        leat__buf_put_text(&reply->body, i ? "," : "");
        if (leat__read_point(read, &ask, &row)) {
            leat__row_json_put(&reply->body, read->spec, &row, leat__query_partition(read->q),
                read->r->scratch);
            leat__buf_put_text(&reply->body, "}");
        } else {
            leat__buf_put_text(&reply->body, "null");
        }
    }
    leat__buf_put_text(&reply->body, "]");
    leat__read_put_state(read, reply);
}

static void get_all(leat__read_t *read, const json_t *list, leat__reply_t *reply)
{
    size_t count = json_array_size(list);
    leat_slice_t *keys = leat__arena_alloc(read->r->scratch, (count + 1) * sizeof *keys);

    if (count > read->r->site->rows_max) {
        leat__reply_error(reply, 413, "too_large", "keys",
            "%zu keys: at most %zu at once (leat.http.page.rows)", count, read->r->site->rows_max);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!key_of(read, json_array_get(list, i), &keys[i], reply))
            return;
    if (!leat__read_open(read, reply))
        return;
    put_rows(read, keys, count, reply);
    leat__read_end(read, reply);
}

void leat__answer_get(leat__request_t *r, leat__reply_t *reply)
{
    json_error_t where;
    leat__read_t read;
    json_t *body, *list;

    if (!leat__read_begin(&read, r, LEAT__ASK_GET, reply))
        return;
    read.key_format = LEAT__KEY_JSON;
    body = json_loadb(r->body.data ? r->body.data : "", r->body.size, JSON_ALLOW_NUL, &where);
    list = json_object_get(body, "keys");
    if (!body)
        refuse_body(reply, "no JSON");
    else if (!json_is_array(list))
        refuse_body(reply, "no list of keys");
    else
        get_all(&read, list, reply);
    json_decref(body);
}
