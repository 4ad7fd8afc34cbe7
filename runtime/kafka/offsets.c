/*
 * runtime/kafka/offsets.c: offsets of partitions, committed offsets of groups, and fencing of
 * transactional ids.
 *
 * All offsets come from one ListOffsets call per broker (rd_kafka_offsets_for_times, whose times -2
 * and -1 stand for the two ends). The end depends on the asking client: one that reads committed
 * gets the stable end, one that does not the high watermark.
 *
 * committed() must not answer while another transaction's offsets are pending: librdkafka then
 * returns a timeout with partitions that look fine (librdkafka.md, section 3), so only its return
 * code counts, and the call is repeated.
 */
#include "runtime/kafka/admin.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    OFFSETS_MS = 1000,
    COMMITTED_MS = 1000,
    TIME_EARLIEST = -2,
    TIME_END = -1,
    FENCE_MS = 1000,
    FENCE_AT_ONCE = 8
};

rd_kafka_topic_partition_list_t *leat__klist(
    const leat__position_t *p, size_t count, bool with_offsets)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

    for (size_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *one =
            rd_kafka_topic_partition_list_add(list, p[i].topic, p[i].partition);

        if (!with_offsets)
            continue;
        one->offset = p[i].offset;
        if (p[i].metadata) {
            one->metadata = strdup(p[i].metadata); /* the list frees it with free() */
            one->metadata_size = one->metadata ? strlen(p[i].metadata) : 0;
        }
    }
    return list;
}

void leat__kplace(char *room, size_t size, const char *topic, int32_t partition)
{
    snprintf(room, size, "%s-%d", topic, (int)partition);
}

/* ---- ends and times ---- */

static int64_t time_of(const leat__kask_t *ask, const leat__position_t *p)
{
    if (ask->where == LEAT__AT_TIME)
        return p->offset;
    return ask->where == LEAT__EARLIEST ? TIME_EARLIEST : TIME_END;
}

/* The error of one partition that asking again may cure; 0: none. */
static rd_kafka_resp_err_t passing(const rd_kafka_topic_partition_list_t *list)
{
    unsigned flags;

    for (int i = 0; i < list->cnt; i++) {
        leat__kcode(list->elems[i].err, &flags);
        if (flags & LEAT_RETRIABLE)
            return list->elems[i].err;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Fills list's offsets and errors. False: the op's err says why. */
static bool list_offsets(
    const leat__kask_t *ask, leat__kclient_t *c, rd_kafka_topic_partition_list_t *list)
{
    leat__kpatience_t patience = leat__kpatience(ask, c);
    rd_kafka_topic_partition_list_t *answer = NULL;
    rd_kafka_resp_err_t code;
    unsigned flags;

    for (;;) {
        if (answer)
            rd_kafka_topic_partition_list_destroy(answer);
        answer = rd_kafka_topic_partition_list_copy(list);
        code = rd_kafka_offsets_for_times(c->rk, answer, OFFSETS_MS);
        if (!code)
            code = passing(answer);
        leat__kcode(code, &flags);
        if (!(flags & LEAT_RETRIABLE))
            break;
        if (leat__kgive_up(ask, c, &patience, "read offsets")) {
            rd_kafka_topic_partition_list_destroy(answer);
            return false;
        }
    }
    if (!code)
        c->worked = 1;
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *one = rd_kafka_topic_partition_list_find(
            answer, list->elems[i].topic, list->elems[i].partition);

        list->elems[i].offset = one ? one->offset : RD_KAFKA_OFFSET_INVALID;
        list->elems[i].err = one && one->err ? one->err : code;
    }
    rd_kafka_topic_partition_list_destroy(answer);
    return true;
}

/* Behind the last record of that time: the end. */
static bool ends_for_none(
    const leat__kask_t *ask, leat__kclient_t *c, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *ends = rd_kafka_topic_partition_list_new(list->cnt);
    bool ok = true;

    for (int i = 0; i < list->cnt; i++)
        if (!list->elems[i].err && list->elems[i].offset < 0)
            rd_kafka_topic_partition_list_add(ends, list->elems[i].topic, list->elems[i].partition)
                ->offset = TIME_END;
    if (ends->cnt)
        ok = list_offsets(ask, c, ends);
    for (int i = 0; ok && i < ends->cnt; i++) {
        rd_kafka_topic_partition_t *one = rd_kafka_topic_partition_list_find(
            list, ends->elems[i].topic, ends->elems[i].partition);

        one->offset = ends->elems[i].offset;
        one->err = ends->elems[i].err;
    }
    rd_kafka_topic_partition_list_destroy(ends);
    return ok;
}

/* Results in the order asked for; the first partition's error becomes the op's. */
static void take_positions(const leat__kask_t *ask, leat__kclient_t *c,
    const rd_kafka_topic_partition_list_t *list, const char *what)
{
    leat__op_t *op = ask->job.op;
    unsigned flags;

    op->positions = leat__positions_copy(ask->positions, ask->position_count);
    op->position_count = ask->position_count;
    for (size_t i = 0; i < op->position_count; i++) {
        leat__position_t *p = &op->positions[i];
        const rd_kafka_topic_partition_t *one = &list->elems[i];
        char place[LEAT__KTEXT];

        p->offset = one->offset >= 0 ? one->offset : LEAT__OFFSET_NONE;
        leat__free(p->metadata);
        p->metadata =
            one->metadata_size ? leat__must_strndup(one->metadata, one->metadata_size) : NULL;
        p->code = leat__kcode(one->err, &flags);
        leat__kplace(place, sizeof place, p->topic, p->partition);
        if (one->err && !op->err.code)
            leat__kerror(&op->err, c, one->err, NULL, place, what);
    }
}

static void run_offsets(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;
    leat_error_t *err = &job->op->err;
    leat__kclient_t *c = ask->where == LEAT__STABLE_END ? leat__kbroker_stable(ask->broker, err)
                                                        : leat__kbroker_admin(ask->broker, err);
    rd_kafka_topic_partition_list_t *list;

    if (!c || !ask->position_count)
        return;
    list = leat__klist(ask->positions, ask->position_count, false);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = time_of(ask, &ask->positions[i]);
    if (list_offsets(ask, c, list) && (ask->where != LEAT__AT_TIME || ends_for_none(ask, c, list)))
        take_positions(ask, c, list, "read the offset");
    rd_kafka_topic_partition_list_destroy(list);
}

leat__op_t *leat__koffsets(
    leat__broker_t *b, const leat__position_t *of, size_t count, leat__where_t where)
{
    leat__kask_t *ask = leat__kask_new(b, run_offsets);

    ask->positions = leat__positions_copy(of, count);
    ask->position_count = count;
    ask->where = where;
    return leat__kask_post(ask);
}

/* ---- committed ---- */

static void run_committed(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;
    leat__kclient_t *c = leat__kbroker_group(ask->broker, ask->text, &job->op->err);
    leat__kpatience_t patience;
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t code;
    unsigned flags;

    if (!c || !ask->position_count)
        return;
    patience = leat__kpatience(ask, c);
    for (;;) {
        if (list)
            rd_kafka_topic_partition_list_destroy(list);
        list = leat__klist(ask->positions, ask->position_count, false);
        code = rd_kafka_committed(c->rk, list, COMMITTED_MS);
        if (!code)
            code = passing(list);
        leat__kcode(code, &flags);
        if (!(flags & LEAT_RETRIABLE))
            break;
        if (leat__kgive_up(
                ask, c, &patience, "read the group's committed offsets (are some pending?)"))
            goto out;
    }
    if (code) {
        leat__kerror(&job->op->err, c, code, NULL, ask->text, "read the group's committed offsets");
        goto out;
    }
    c->worked = 1;
    take_positions(ask, c, list, "read the committed offset");
out:
    rd_kafka_topic_partition_list_destroy(list);
}

leat__op_t *leat__kcommitted(
    leat__broker_t *b, const char *group, const leat__position_t *of, size_t count)
{
    leat__kask_t *ask = leat__kask_new(b, run_committed);

    ask->text = leat__must_strdup(group);
    ask->positions = leat__positions_copy(of, count);
    ask->position_count = count;
    return leat__kask_post(ask);
}

/* ---- fencing ---- */

typedef struct fence_t {
    const leat__kask_t *ask;
    const char *id;
    leat_error_t err;
    pthread_t thread;
    bool threaded;
} fence_t;

static leat__kclient_t *fencing_client(const fence_t *f, leat_error_t *err)
{
    char name[96];
    rd_kafka_conf_t *conf;

    snprintf(name, sizeof name, "%.60s-fence-%d",
        leat__config_text(f->ask->broker->config, "application.id"), f->ask->broker->made++);
    conf = leat__kconf_new(f->ask->broker, LEAT__KPRODUCER, name, err);
    if (!conf)
        return NULL;
    if (!leat__kconf_must(conf, "transactional.id", f->id, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return leat__kclient_new(f->ask->broker, LEAT__KPRODUCER, conf, err);
}

static bool fence_over(
    const fence_t *f, leat__kclient_t *c, const leat__kpatience_t *patience, leat_error_t *err)
{
    rd_kafka_poll(c->rk, 0);
    return leat__kjob_unwanted(&f->ask->job) || leat__kclient_refused(c, f->id, err) ||
           leat__clock_steady_ms(NULL) >= patience->until_ms;
}

/* Being fenced ourselves is as good: somebody initialised the id after its old owner. */
static void *fence_one(void *arg)
{
    fence_t *f = arg;
    leat__kclient_t *c = fencing_client(f, &f->err);
    leat__kpatience_t patience;

    if (!c)
        return NULL;
    patience = leat__kpatience(f->ask, c);
    do {
        rd_kafka_error_t *e = rd_kafka_init_transactions(c->rk, FENCE_MS);

        if (e &&
            (rd_kafka_error_code(e) == RD_KAFKA_RESP_ERR__FENCED || rd_kafka_error_is_fatal(e)) &&
            rd_kafka_error_code(e) != RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED) {
            rd_kafka_error_destroy(e);
            e = NULL;
        }
        leat__kerror_txn(&f->err, c, e, f->id, "fence the transactional id");
    } while ((f->err.flags & LEAT_RETRIABLE) && !fence_over(f, c, &patience, &f->err));
    leat__kclient_free(c, false);
    return NULL;
}

static void run_fence(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;
    fence_t some[FENCE_AT_ONCE];
    size_t count;

    for (size_t from = 0; from < ask->name_count && !leat__kjob_unwanted(job); from += count) {
        count = ask->name_count - from < FENCE_AT_ONCE ? ask->name_count - from : FENCE_AT_ONCE;
        for (size_t i = 0; i < count; i++) {
            some[i] = (fence_t){.ask = ask, .id = ask->names[from + i]};
            some[i].threaded = pthread_create(&some[i].thread, NULL, fence_one, &some[i]) == 0;
            if (!some[i].threaded)
                fence_one(&some[i]);
        }
        for (size_t i = 0; i < count; i++) {
            if (some[i].threaded)
                pthread_join(some[i].thread, NULL);
            if (some[i].err.code && !job->op->err.code)
                job->op->err = some[i].err;
        }
    }
}

leat__op_t *leat__kfence(leat__broker_t *b, const char *const *transactional_ids, size_t count)
{
    leat__kask_t *ask = leat__kask_new(b, run_fence);

    leat__kask_names(ask, transactional_ids, count);
    return leat__kask_post(ask);
}
