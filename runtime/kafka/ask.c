/*
 * runtime/kafka/ask.c: the frame of every admin job: its arguments' copies, and how long it waits.
 *
 * A job gives up when nobody wants the answer, when security refused the client, when the time of
 * an API call is over, or, sooner, when every broker was found down and two seconds have passed:
 * then the caller can say so and try again.
 */
#include "runtime/kafka/admin.h"

#include <string.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

enum { SLICE_MS = 100, DOWN_MS = 2000, METADATA_MS = 500 };

static void ask_release(leat__kjob_t *job)
{
    leat__kask_t *ask = (leat__kask_t *)job;

    for (size_t i = 0; i < ask->name_count; i++)
        leat__free(ask->names[i]);
    leat__free(ask->names);
    for (size_t i = 0; i < ask->topic_count; i++) {
        for (size_t s = 0; s < ask->topics[i].setting_count; s++) {
            leat__free((void *)(uintptr_t)ask->topics[i].settings[s].key);
            leat__free((void *)(uintptr_t)ask->topics[i].settings[s].value);
        }
        leat__free(ask->topics[i].settings);
        leat__free(ask->topics[i].name);
    }
    leat__free(ask->topics);
    leat__positions_free(ask->positions, ask->position_count);
    leat__free(ask->text);
    leat__free(ask);
}

leat__kask_t *leat__kask_new(leat__broker_t *b, void (*run)(leat__kjob_t *job))
{
    leat__kask_t *ask = leat__must_alloc(sizeof *ask);

    ask->broker = (leat__kbroker_t *)b;
    ask->job.run = run;
    ask->job.release = ask_release;
    ask->job.op = leat__op_new();
    return ask;
}

void leat__kask_names(leat__kask_t *ask, const char *const *names, size_t count)
{
    ask->names = leat__must_alloc((count ? count : 1) * sizeof *ask->names);
    ask->name_count = count;
    for (size_t i = 0; i < count; i++)
        ask->names[i] = leat__must_strdup(names[i]);
}

leat__op_t *leat__kask_post(leat__kask_t *ask)
{
    leat__op_t *op = ask->job.op;

    leat__kworker_post(ask->broker->pool, &ask->job);
    return op;
}

leat__kpatience_t leat__kpatience(const leat__kask_t *ask, leat__kclient_t *c)
{
    int64_t now = leat__clock_steady_ms(NULL);

    return (leat__kpatience_t){now, now + leat__kbroker_api_ms(ask->broker), c->down};
}

bool leat__kgive_up(
    const leat__kask_t *ask, leat__kclient_t *c, const leat__kpatience_t *p, const char *what)
{
    int64_t now = leat__clock_steady_ms(NULL);
    leat_error_t *err = &ask->job.op->err;

    rd_kafka_poll(c->rk, 0);
    if (leat__kjob_unwanted(&ask->job)) {
        leat__error(
            err, LEAT_ESTATE, 0, NULL, "could not %s: the answer is not wanted any more", what);
        return true;
    }
    if (leat__kclient_refused(c, NULL, err))
        return true;
    if (now < p->until_ms && (c->down == p->downs || now < p->began_ms + DOWN_MS))
        return false;
    leat__kerror(err, c, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, NULL, what);
    return true;
}

rd_kafka_AdminOptions_t *leat__kask_options(leat__kclient_t *c, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(c->rk, op);
    char text[128];

    rd_kafka_AdminOptions_set_request_timeout(options, 30000, text, sizeof text);
    return options;
}

rd_kafka_event_t *leat__kask_result(
    const leat__kask_t *ask, leat__kclient_t *c, rd_kafka_queue_t *q, const char *what)
{
    leat__kpatience_t patience = leat__kpatience(ask, c);
    leat_error_t *err = &ask->job.op->err;
    rd_kafka_event_t *event;

    while (!(event = rd_kafka_queue_poll(q, SLICE_MS)))
        if (leat__kgive_up(ask, c, &patience, what))
            return NULL;
    if (!rd_kafka_event_error(event)) {
        c->worked = 1;
        return event;
    }
    leat__kerror(
        err, c, rd_kafka_event_error(event), rd_kafka_event_error_string(event), NULL, what);
    rd_kafka_event_destroy(event);
    return NULL;
}

const struct rd_kafka_metadata *leat__kask_metadata(
    const leat__kask_t *ask, leat__kclient_t *c, const char *topic)
{
    leat__kpatience_t patience = leat__kpatience(ask, c);
    rd_kafka_topic_t *handle = topic ? rd_kafka_topic_new(c->rk, topic, NULL) : NULL;
    const struct rd_kafka_metadata *found = NULL;
    rd_kafka_resp_err_t code;
    unsigned flags;

    for (;;) {
        code = rd_kafka_metadata(c->rk, topic == NULL, handle, &found, METADATA_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            c->worked = 1;
            break;
        }
        leat__kcode(code, &flags);
        if (!(flags & LEAT_RETRIABLE)) {
            leat__kerror(&ask->job.op->err, c, code, NULL, topic, "read the topics' metadata");
            break;
        }
        if (leat__kgive_up(ask, c, &patience, "read the topics' metadata"))
            break;
    }
    if (handle)
        rd_kafka_topic_destroy(handle);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? found : NULL;
}
