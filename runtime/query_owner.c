/*
 * runtime/query_owner.c: who has a key: its partition by Kafka's partitioner, its process by the
 * placement.
 */
#include "query_inside.h"

#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

static const char *kept(leat_query_t *q, const char *text)
{
    return text ? leat__arena_copy(&q->scratch, text, strlen(text) + 1) : "";
}

static const char *list_standbys(
    leat_query_t *q, const leat__owners_t *o, const leat__task_hosts_t *t)
{
    leat__buf_t list = {0};

    for (size_t i = 0; i < t->copy_count; i++) {
        const char *address = o->hosts[o->copies[t->first_copy + i].host].address;

        if (address)
            leat__buf_format(&list, "%s%s", list.size ? "," : "", address);
    }
    const char *text = kept(q, leat__buf_text(&list));
    leat__buf_release(&list);
    return text;
}

static void describe(leat_query_t *q, const leat__owners_t *o, leat__task_ref_t ref,
    leat_owner_t *owner)
{
    const leat__task_hosts_t *t = o ? leat__owners_find(o, ref) : NULL;

    if (!t)
        return;
    owner->here = t->owner >= 0 && o->hosts[t->owner].here;
    owner->host = t->owner < 0 ? "" : kept(q, o->hosts[t->owner].address);
    owner->standbys = list_standbys(q, o, t);
}

leat__owners_t *leat__query_owners(const leat_query_t *q)
{
    leat__owners_t *o = NULL;

    pthread_mutex_lock(&q->app->lock);
    if (q->app->control != NULL)
        o = leat__control_owners(q->app->control);
    pthread_mutex_unlock(&q->app->lock);
    return o;
}

static bool encode_key(
    leat_query_t *q, const leat__query_store_t *h, const void *key, leat_slice_t *bytes)
{
    leat__codec_env_t env = {&q->scratch, h->spec->changelog, true, NULL};
    leat_error_t err;

    if (!key)
        leat__error(&err, LEAT_ENULL, 0, h->spec->name, "the key must not be NULL");
    else if (!leat__encode(h->spec->key, key, &env, bytes, &err))
        return true;
    leat__query_fail(q, &err);
    return false;
}

int leat_query_owner(leat_query_t *q, const char *store, const void *key, leat_owner_t *owner)
{
    const leat__query_store_t *h = leat__query_store(q, store);
    leat_slice_t bytes;

    *owner = (leat_owner_t){.partition = -1, .host = "", .standbys = ""};
    if (!h || !encode_key(q, h, key, &bytes))
        return q->failure.code;
    if (h->group->global) {
        owner->partition = 0;
        owner->here = true;
        owner->host = kept(q, q->app->worker.advertised);
        return 0;
    }
    owner->partition = leat__partition_of(bytes, h->group->task_count);
    leat__owners_t *o = leat__query_owners(q);
    describe(q, o, (leat__task_ref_t){(int32_t)h->group->id, owner->partition}, owner);
    leat__owners_drop(o);
    return 0;
}
