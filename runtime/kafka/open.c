/*
 * runtime/kafka/open.c: the broker object: its vtable and the clients that its admin calls share.
 *
 * Nothing connects here: clients are made when first needed, so opening never waits and a wrong
 * address shows in the first call's error.
 */
#include "runtime/kafka/kafka.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

enum { API_MS = 30000 };

int64_t leat__kbroker_api_ms(const leat__kbroker_t *b)
{
    int64_t ms = leat__config_is_set(b->config, "default.api.timeout.ms")
                     ? leat__config_int(b->config, "default.api.timeout.ms")
                     : 0;

    return ms > 0 ? ms : API_MS;
}

static leat__kclient_t *consumer(
    leat__kbroker_t *b, const char *kind, const char *group, bool committed, leat_error_t *err)
{
    char name[96];
    rd_kafka_conf_t *conf;

    snprintf(name, sizeof name, "%.60s-%s-%d", leat__config_text(b->config, "application.id"), kind,
        b->made++);
    conf = leat__kconf_new(b, LEAT__KADMIN, name, err);
    if (!conf)
        return NULL;
    if ((!group || leat__kconf_must(conf, "group.id", group, err)) &&
        leat__kconf_must(conf, "enable.auto.commit", "false", err) &&
        leat__kconf_must(
            conf, "isolation.level", committed ? "read_committed" : "read_uncommitted", err))
        return leat__kclient_new(b, LEAT__KADMIN, conf, err);
    rd_kafka_conf_destroy(conf);
    return NULL;
}

leat__kclient_t *leat__kbroker_admin(leat__kbroker_t *b, leat_error_t *err)
{
    leat__kclient_t *c;

    pthread_mutex_lock(&b->lock);
    if (!b->admin)
        b->admin = consumer(b, "admin", NULL, false, err);
    c = b->admin;
    pthread_mutex_unlock(&b->lock);
    return c;
}

leat__kclient_t *leat__kbroker_own(leat__kbroker_t *b, const char *kind, leat_error_t *err)
{
    return consumer(b, kind, NULL, false, err);
}

leat__kclient_t *leat__kbroker_stable(leat__kbroker_t *b, leat_error_t *err)
{
    leat__kclient_t *c;

    pthread_mutex_lock(&b->lock);
    if (!b->stable)
        b->stable = consumer(b, "stable", NULL, true, err);
    c = b->stable;
    pthread_mutex_unlock(&b->lock);
    return c;
}

leat__kclient_t *leat__kbroker_group(leat__kbroker_t *b, const char *group, leat_error_t *err)
{
    struct leat__kgroup_t *g;
    leat__kclient_t *c = NULL;

    pthread_mutex_lock(&b->lock);
    for (g = b->groups; g && strcmp(g->group, group) != 0; g = g->next)
        ;
    if (g) {
        c = g->client;
    } else if ((c = consumer(b, "committed", group, true, err))) {
        g = leat__must_alloc(sizeof *g);
        *g = (struct leat__kgroup_t){b->groups, leat__must_strdup(group), c};
        b->groups = g;
    }
    pthread_mutex_unlock(&b->lock);
    return c;
}

static void kafka_close(leat__broker_t *base)
{
    leat__kbroker_t *b = (leat__kbroker_t *)base;

    leat__kworker_free(b->pool);
    leat__kclient_free(b->admin, false);
    leat__kclient_free(b->stable, false);
    while (b->groups) {
        struct leat__kgroup_t *g = b->groups;

        b->groups = g->next;
        leat__kclient_free(g->client, false);
        leat__free(g->group);
        leat__free(g);
    }
    pthread_mutex_destroy(&b->lock);
    leat__free(b);
}

static leat__clock_t *kafka_clock(leat__broker_t *b)
{
    (void)b;
    return NULL;
}

static const leat__broker_vt_t kafka_vt = {
    .name = "kafka",
    .close = kafka_close,
    .clock = kafka_clock,
    .describe_topics = leat__kadmin_describe_topics,
    .list_topics = leat__kadmin_list_topics,
    .ensure_topics = leat__kadmin_ensure_topics,
    .delete_topics = leat__kadmin_delete_topics,
    .delete_records = leat__kadmin_delete_records,
    .describe_group = leat__kadmin_describe_group,
    .offsets = leat__koffsets,
    .committed = leat__kcommitted,
    .fence = leat__kfence,
    .member_open = leat__kmember_open,
    .member_poll = leat__kmember_poll,
    .member_answer_revoke = leat__kmember_answer_revoke,
    .member_commit = leat__kmember_commit,
    .member_close = leat__kmember_close,
    .member_heard_ms = leat__kmember_heard_ms,
    .reader_open = leat__kreader_open,
    .reader_close = leat__kreader_close,
    .reader_add = leat__kreader_add,
    .reader_remove = leat__kreader_remove,
    .reader_seek = leat__kreader_seek,
    .reader_take = leat__kreader_take,
    .reader_release = leat__kreader_release,
    .reader_headers = leat__kreader_headers,
    .reader_wait = leat__kreader_wait,
    .reader_wake = leat__kreader_wake,
    .reader_high_watermark = leat__kreader_high_watermark,
    .writer_open = leat__kwriter_open,
    .writer_close = leat__kwriter_close,
    .writer_init = leat__kwriter_init,
    .writer_begin = leat__kwriter_begin,
    .writer_topic = leat__kwriter_topic,
    .out_partitions = leat__kout_partitions,
    .produce = leat__kproduce,
    .writer_poll = leat__kwriter_poll,
    .writer_failure = leat__kwriter_failure,
    .out_delivered = leat__kout_delivered,
    .out_gap = leat__kout_gap,
    .writer_flush = leat__kwriter_flush,
    .writer_send_offsets = leat__kwriter_send_offsets,
    .writer_commit = leat__kwriter_commit,
    .writer_abort = leat__kwriter_abort,
};

leat__broker_t *leat__kafka_open(const leat_config_t *config, leat_error_t *err)
{
    leat__kbroker_t *b;

    if (!leat__config_text(config, "bootstrap.servers")[0]) {
        leat__error(err, LEAT_ECONFIG, LEAT_FATAL, "bootstrap.servers",
            "bootstrap.servers is empty: give host:port of a Kafka broker, or \"embedded:\" for "
            "none");
        return NULL;
    }
    b = leat__must_alloc(sizeof *b);
    b->base.vt = &kafka_vt;
    b->config = config;
    pthread_mutex_init(&b->lock, NULL);
    b->pool = leat__kworker_new(LEAT__KPOOL_THREADS);
    leat__error_clear(err);
    return &b->base;
}
