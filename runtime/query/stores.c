/* runtime/query/stores.c: which stores there are, which of their partitions are here, what changes, who has a
 * key. */
#include "base/json_value.h"
#include "base/log.h"
#include "feed.h"
#include "read.h"
#include "routes.h"
#include "row_json.h"

#include <string.h>

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
        group->global ? "true" : "false", spec->changelog ? spec->changelog : "",
        group->global ? 1 : (int)group->task_count);
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

/* ---- what changes ---- */

static const leat__group_t *group_of(const leat__plan_t *plan, const leat__store_spec_t *spec)
{
    for (size_t g = 0; g < plan->group_count; g++)
        for (size_t i = 0; i < plan->groups[g].store_count; i++)
            if (plan->groups[g].stores[i] == spec)
                return &plan->groups[g];
    return NULL; /* never: it came from there */
}

void leat__answer_changes(leat__request_t *r, leat__reply_t *reply)
{
    leat__read_t read;

    if (!leat__read_begin_any(&read, r, reply) || !leat__request_all_known(r, reply))
        return;
    if (leat__store_has_rows(read.spec))
        reply->feed = leat__feed_open(
            r->site, read.spec, group_of(r->site->app->plan, read.spec), reply);
    else
        leat__reply_error(reply, 409, leat_error_name(LEAT_ETYPE), "store",
            "what this store holds is for its processors only: it has no rows to read");
}

/* ---- who has a key ---- */

static void put_standbys(leat__reply_t *reply, const char *list)
{
    const char *comma = "";

    for (const char *at = list; *at;) {
        size_t size = strcspn(at, ",");

        leat__buf_put_text(&reply->body, comma);
        leat__json_put_text(&reply->body, (leat_slice_t){at, size});
        at += size + (at[size] == ',');
        comma = ",";
    }
}

static void put_owner(leat__reply_t *reply, const leat_owner_t *owner)
{
    leat__buf_format(&reply->body, "{\"partition\":%d,\"here\":%s,\"owner\":", (int)owner->partition,
        owner->here ? "true" : "false");
    if (*owner->host)
        leat__json_put_text(&reply->body, leat_slice(owner->host));
    else
        leat__buf_put_text(&reply->body, "null");
    leat__buf_put_text(&reply->body, ",\"standbys\":[");
    put_standbys(reply, owner->standbys);
    leat__buf_put_text(&reply->body, "]}");
}

void leat__answer_owner(leat__request_t *r, leat__reply_t *reply)
{
    leat__codec_env_t env = {.scratch = r->scratch, .topic = "", .is_key = true};
    const void *key = NULL;
    leat_owner_t owner;
    leat_error_t err;
    leat__read_t read;
    leat_slice_t bytes;

    if (!leat__read_begin_any(&read, r, reply) ||
        !leat__read_key(&read, "key", r->parts[4], &bytes, reply))
        return;
    if (leat__decode(read.spec->key, bytes, &env, &key, &err)) {
        leat__reply_failure(reply, &err);
        return;
    }
    if (!leat__read_open(&read, reply))
        return;
    if (leat_query_owner(read.q, read.spec->name, key, &owner) == 0)
        put_owner(reply, &owner);
    leat__read_end(&read, reply);
}
