/*
 * runtime/kafka/waker.c: keeps librdkafka's fetcher from stalling (librdkafka.md, Part I, row 3).
 *
 * A fetcher that found a partition's queue above its limit looks again only when its broker thread
 * has something else to do, at worst a second later; draining the queue does not tell it. Any
 * request to that broker does. So a thread asks for the end offset of one partition of each leader
 * when the reader says that a queue which was full runs low, at most every WAKE_MS. No lag, no full
 * queue, no kick: then the thread sleeps. Versions with fetch.queue.backoff.ms need none of it.
 *
 * A partition that was just assigned has the same trouble: its first fetch waits for the broker
 * thread, a second in one of two runs. So each assignment is followed by a few requests on their
 * own, at growing distances.
 */
#include "runtime/kafka/reader.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { WAKE_MS = 5, ASK_MS = 500, LEADERS_MAX_AGE_MS = 10000 };

static const int64_t after_start_ms[] = {1, 4, 10, 30, 100, 300};
enum { STARTS = sizeof after_start_ms / sizeof *after_start_ms };

struct leat__kwaker_t {
    leat__kclient_t *client;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    rd_kafka_topic_partition_list_t *all; /* what the reader reads */
    bool stale;                           /* the list of leaders is */
    size_t start;                         /* next of after_start_ms; STARTS: none */
    int64_t started_ms;
    bool kicked, closing;
    _Atomic int64_t kicked_ms;
};

/* One partition per leader. [own] NULL: not to be had now. */
static rd_kafka_topic_partition_list_t *leaders(
    leat__kwaker_t *w, const rd_kafka_topic_partition_list_t *all)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_partition_list_t *chosen;

    if (rd_kafka_metadata(w->client->rk, 0, NULL, &metadata, ASK_MS))
        return NULL;
    chosen = rd_kafka_topic_partition_list_new(metadata->broker_cnt);
    for (int b = 0; b < metadata->broker_cnt; b++) {
        bool found = false;

        for (int t = 0; t < metadata->topic_cnt && !found; t++) {
            const rd_kafka_metadata_topic_t *topic = &metadata->topics[t];

            for (int p = 0; p < topic->partition_cnt && !found; p++) {
                found = topic->partitions[p].leader == metadata->brokers[b].id &&
                        rd_kafka_topic_partition_list_find(
                            (rd_kafka_topic_partition_list_t *)(uintptr_t)all, topic->topic,
                            topic->partitions[p].id);
                if (found)
                    rd_kafka_topic_partition_list_add(
                        chosen, topic->topic, topic->partitions[p].id);
            }
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return chosen;
}

/* True: the next request after an assignment is due; else waits for it, or for a kick. Locked. */
static bool start_due(leat__kwaker_t *w)
{
    int64_t left;
    struct timespec until;

    if (w->start == STARTS) {
        pthread_cond_wait(&w->changed, &w->lock);
        return false;
    }
    left = w->started_ms + after_start_ms[w->start] - leat__clock_steady_ms(NULL);
    if (left <= 0) {
        w->start++;
        return true;
    }
    until = leat__deadline(left);
    pthread_cond_timedwait(&w->changed, &w->lock, &until);
    return false;
}

/* Waits for a kick. False: closing. fresh: a copy of the list when it changed. */
static bool next_kick(leat__kwaker_t *w, rd_kafka_topic_partition_list_t **fresh)
{
    bool closing;

    pthread_mutex_lock(&w->lock);
    while (!w->kicked && !w->closing)
        w->kicked = start_due(w) || w->kicked;
    w->kicked = false;
    closing = w->closing;
    *fresh = w->stale ? rd_kafka_topic_partition_list_copy(w->all) : NULL;
    w->stale = false;
    pthread_mutex_unlock(&w->lock);
    return !closing;
}

static bool ask(leat__kwaker_t *w, rd_kafka_topic_partition_list_t *chosen)
{
    for (int i = 0; i < chosen->cnt; i++)
        chosen->elems[i].offset = RD_KAFKA_OFFSET_END;
    return chosen->cnt > 0 &&
           rd_kafka_offsets_for_times(w->client->rk, chosen, ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void *wake(void *arg)
{
    leat__kwaker_t *w = arg;
    rd_kafka_topic_partition_list_t *all = NULL, *chosen = NULL, *fresh;
    int64_t chosen_ms = 0;

    pthread_setname_np(pthread_self(), "leat-waker");
    while (next_kick(w, &fresh)) {
        int64_t now = leat__clock_steady_ms(NULL);

        if (fresh) {
            if (all)
                rd_kafka_topic_partition_list_destroy(all);
            all = fresh;
        }
        if (fresh || !chosen || now - chosen_ms > LEADERS_MAX_AGE_MS) {
            if (chosen)
                rd_kafka_topic_partition_list_destroy(chosen);
            chosen = leaders(w, all);
            chosen_ms = now;
        }
        if (chosen && !ask(w, chosen))
            chosen_ms = 0;
    }
    if (fresh)
        rd_kafka_topic_partition_list_destroy(fresh);
    if (all)
        rd_kafka_topic_partition_list_destroy(all);
    if (chosen)
        rd_kafka_topic_partition_list_destroy(chosen);
    return NULL;
}

leat__kwaker_t *leat__kwaker_new(leat__kclient_t *c)
{
    leat__kwaker_t *w = leat__must_alloc(sizeof *w);

    w->client = c;
    w->stale = true;
    w->start = STARTS;
    w->all = rd_kafka_topic_partition_list_new(8);
    pthread_mutex_init(&w->lock, NULL);
    leat__cond_init(&w->changed);
    if (pthread_create(&w->thread, NULL, wake, w) == 0)
        return w;
    leat__log(
        LEAT_LOG_WARN, "kafka", NULL, "no thread to keep the fetcher awake: reading may be slow");
    rd_kafka_topic_partition_list_destroy(w->all);
    leat__free(w);
    return NULL;
}

void leat__kwaker_free(leat__kwaker_t *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    rd_kafka_topic_partition_list_destroy(w->all);
    leat__free(w);
}

static void started(leat__kwaker_t *w)
{
    w->start = 0;
    w->started_ms = leat__clock_steady_ms(NULL);
    pthread_cond_signal(&w->changed);
}

void leat__kwaker_restart(leat__kwaker_t *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    started(w);
    pthread_mutex_unlock(&w->lock);
}

void leat__kwaker_add(leat__kwaker_t *w, const char *topic, int32_t partition)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    rd_kafka_topic_partition_list_add(w->all, topic, partition);
    w->stale = true;
    started(w);
    pthread_mutex_unlock(&w->lock);
}

void leat__kwaker_remove(leat__kwaker_t *w, const char *topic, int32_t partition)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    rd_kafka_topic_partition_list_del(w->all, topic, partition);
    w->stale = true;
    pthread_mutex_unlock(&w->lock);
}

void leat__kwaker_kick(leat__kwaker_t *w)
{
    int64_t now;

    if (!w)
        return;
    now = leat__clock_steady_ms(NULL);
    if (now - w->kicked_ms < WAKE_MS)
        return;
    w->kicked_ms = now;
    pthread_mutex_lock(&w->lock);
    w->kicked = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}
