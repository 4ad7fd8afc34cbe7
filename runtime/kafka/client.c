/*
 * runtime/kafka/client.c: librdkafka handles: their settings, what they say of themselves, their
 * end.
 *
 * Settings come in three layers: ours (what librdkafka.md measured), the program's (security.*,
 * sasl.*, ssl.*, and what stands behind "consumer.", "producer.", "admin."), and on top what the
 * engine's correctness rests on. Kafka's Java names are translated where librdkafka's differ.
 *
 * The library reports trouble with connections through the error callback only, long before a call
 * gives up. It is kept in the client: the last word for the texts of timeouts, and a refusal by
 * SASL or TLS as a verdict that ends every waiting call at once. A TLS handshake that fails after
 * the client once worked is taken for a broker going down. A broker that does not take this client's
 * certificate says so after the handshake (TLS 1.3): librdkafka reports a connection lost to an alert.
 */
#include "runtime/kafka/kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <time.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

enum { SAY_EVERY_MS = 10000, MAIN_SLACK_NS = 2000000, SLACK_NS = 50000 /* Linux' default */ };

/* ---- settings ---- */

/*
 * Queues: 10 000 records and 4 MB of each partition, 50 000 records to send. Twice as much costs 30
 * MB more and is no faster (5 M records of 100 B, 4 partitions, exactly once: 70 and 100 MB); half
 * as much loses a third of the rate.
 */
static const char *const ours[][3] = {
    /* use ("*": all), key, value */
    {"*", "socket.nagle.disable", "true"},
    {"*", "reconnect.backoff.ms", "50"},
    {"*", "reconnect.backoff.max.ms", "1000"},
    {"*", "log.connection.close", "false"},
    {"*", "topic.metadata.refresh.fast.interval.ms", "100"},
    {"producer", "retry.backoff.ms", "10"},
    {"producer", "linger.ms", "1"},
    {"producer", "queue.buffering.max.messages", "50000"},
    {"producer", "queue.buffering.max.kbytes", "32768"},
    {"consumer", "fetch.wait.max.ms", "200"},
    {"consumer", "fetch.error.backoff.ms", "50"},
    {"consumer", "queued.min.messages", "10000"},
    {"consumer", "queued.max.messages.kbytes", "4096"},
};

/* Java's name to librdkafka's; NULL: Java only, nothing to set. */
static const char *const java_names[][2] = {
    {"fetch.max.wait.ms", "fetch.wait.max.ms"},
    {"max.request.size", "message.max.bytes"},
    {"send.buffer.bytes", "socket.send.buffer.bytes"},
    {"receive.buffer.bytes", "socket.receive.buffer.bytes"},
    {"socket.connection.setup.timeout.max.ms", NULL},
    {"default.api.timeout.ms", NULL},
    {"max.block.ms", NULL},
    {"max.poll.records", NULL},
    {"metadata.max.idle.ms", NULL},
    {"partitioner.ignore.keys", NULL},
    {"key.serializer", NULL},
    {"value.serializer", NULL},
    {"key.deserializer", NULL},
    {"value.deserializer", NULL},
    {"interceptor.classes", NULL},
    {"metric.reporters", NULL},
    {"metrics.num.samples", NULL},
    {"metrics.recording.level", NULL},
    {"metrics.sample.window.ms", NULL},
};

/* Set by the engine: a program's value would break it. */
static const char *const taken[] = {"group.id", "enable.auto.commit", "enable.auto.offset.store",
    "isolation.level", "enable.idempotence", "transactional.id", "enable.partition.eof",
    "auto.offset.reset", "partition.assignment.strategy", "acks", "bootstrap.servers"};

static const char *const uses[] = {"admin", "consumer", "producer"};

typedef struct setting_ctx_t {
    rd_kafka_conf_t *conf;
    const char *said; /* how the program wrote it: "consumer." */
    leat_error_t *err;
    bool failed;
} setting_ctx_t;

static bool conf_set(
    rd_kafka_conf_t *conf, const char *key, const char *value, const char *said, leat_error_t *err)
{
    char text[512];

    if (rd_kafka_conf_set(conf, key, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return true;
    leat__error(err, LEAT_ECONFIG, LEAT_FATAL, key, "%s%s cannot be used: %s", said, key, text);
    return false;
}

static const char *translated(const char *key)
{
    for (size_t i = 0; i < sizeof java_names / sizeof *java_names; i++)
        if (strcmp(key, java_names[i][0]) == 0)
            return java_names[i][1];
    return key;
}

static bool is_taken(const char *key)
{
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(key, taken[i]) == 0)
            return true;
    return false;
}

static void pass_on(void *user, const char *key, const char *value)
{
    setting_ctx_t *ctx = user;
    char kbytes[32];
    const char *name = translated(key);

    if (ctx->failed || !name)
        return;
    if (is_taken(key)) {
        leat__log(LEAT_LOG_WARN, "kafka", NULL,
            "%s%s is set by leat itself; the value given is not used", ctx->said, key);
        return;
    }
    if (strcmp(key, "buffer.memory") == 0) {
        snprintf(kbytes, sizeof kbytes, "%lld", (strtoll(value, NULL, 10) + 1023) / 1024);
        name = "queue.buffering.max.kbytes";
        value = kbytes;
    }
    ctx->failed = !conf_set(ctx->conf, name, value, ctx->said, ctx->err);
}

bool leat__kconf_pass(
    rd_kafka_conf_t *conf, const leat__kbroker_t *b, const char *prefix, leat_error_t *err)
{
    setting_ctx_t ctx = {conf, prefix, err, false};

    leat__config_each(b->config, prefix, pass_on, &ctx);
    return !ctx.failed;
}

static bool pass_all(
    rd_kafka_conf_t *conf, const leat__kbroker_t *b, leat__kuse_t use, leat_error_t *err)
{
    setting_ctx_t plain = {conf, "", err, false};
    char prefix[16];

    leat__config_each_client(b->config, pass_on, &plain);
    snprintf(prefix, sizeof prefix, "%s.", uses[use]);
    return !plain.failed && leat__kconf_pass(conf, b, prefix, err);
}

bool leat__kconf_must(rd_kafka_conf_t *conf, const char *key, const char *value, leat_error_t *err)
{
    return conf_set(conf, key, value, "", err);
}

bool leat__kconf_must_int(rd_kafka_conf_t *conf, const char *key, int64_t value, leat_error_t *err)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)value);
    return conf_set(conf, key, text, "", err);
}

int64_t leat__kconf_int(const rd_kafka_conf_t *conf, const char *key, int64_t otherwise)
{
    char text[64];
    size_t size = sizeof text;

    if (rd_kafka_conf_get(conf, key, text, &size) != RD_KAFKA_CONF_OK)
        return otherwise;
    return strtoll(text, NULL, 10);
}

rd_kafka_conf_t *leat__kconf_new(
    leat__kbroker_t *b, leat__kuse_t use, const char *client_id, leat_error_t *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *servers = leat__config_text(b->config, "bootstrap.servers");
    char text[128];

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (ours[i][0][0] == '*' || strcmp(ours[i][0], uses[use]) == 0)
            rd_kafka_conf_set(conf, ours[i][1], ours[i][2], text, sizeof text);
    if (pass_all(conf, b, use, err) && leat__kconf_must(conf, "bootstrap.servers", servers, err) &&
        leat__kconf_must(conf, "client.id", client_id, err))
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

/* ---- what the library says ---- */

/* Said again by our own errors (connections that fail), or harmless (what the library retries). */
static const char *const quiet[] = {
    "CONFWARN", "ADDPARTS", "ADDOFFSETS", "TXNERR", "GETPID", "FAIL", "ERROR"};

static leat_level_t level_of(int severity, const char *facility)
{
    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
        if (strcmp(facility, quiet[i]) == 0)
            return LEAT_LOG_DEBUG;
    if (severity <= LOG_WARNING)
        return LEAT_LOG_INFO;
    return severity <= LOG_INFO ? LEAT_LOG_DEBUG : LEAT_LOG_TRACE;
}

static void on_log(const rd_kafka_t *rk, int severity, const char *facility, const char *text)
{
    leat_level_t level = level_of(severity, facility);
    char fields[160];

    if (!leat__log_on(level))
        return;
    snprintf(fields, sizeof fields, "client=%s facility=%s", rk ? rd_kafka_name(rk) : "", facility);
    leat__log(level, "kafka", fields, "%s", text);
}

static bool is_refusal(rd_kafka_resp_err_t code, const char *text, const leat__kclient_t *c)
{
    unsigned flags;

    if (code == RD_KAFKA_RESP_ERR__SSL ||
        (code == RD_KAFKA_RESP_ERR__TRANSPORT && strstr(text, "SSL alert number")))
        return !c->worked;
    return leat__kcode(code, &flags) == LEAT_EAUTH;
}

/* One line for all clients of the process: they lose the same brokers. */
static void say_trouble(rd_kafka_resp_err_t code, const char *text)
{
    static _Atomic int64_t said_ms;
    int64_t now = leat__clock_steady_ms(NULL), before = said_ms;

    if (code != RD_KAFKA_RESP_ERR__TRANSPORT && code != RD_KAFKA_RESP_ERR__RESOLVE &&
        code != RD_KAFKA_RESP_ERR__SSL && code != RD_KAFKA_RESP_ERR__AUTHENTICATION)
        return;
    if ((!before || now - before >= SAY_EVERY_MS) &&
        atomic_compare_exchange_strong(&said_ms, &before, now))
        leat__log(LEAT_LOG_WARN, "kafka", NULL, "no connection to a Kafka broker: %s", text);
}

void leat__kclient_note(leat__kclient_t *c, rd_kafka_resp_err_t code, const char *text)
{
    say_trouble(code, text);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        c->down++;
        return;
    }
    pthread_mutex_lock(&c->lock);
    snprintf(c->last, sizeof c->last, "%s", text);
    if (is_refusal(code, text, c) && !c->refused) {
        snprintf(c->refused_text, sizeof c->refused_text, "%s", text);
        c->refused = LEAT_EAUTH;
    }
    pthread_mutex_unlock(&c->lock);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    char text[LEAT__KTEXT];

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_fatal_error(rk, text, sizeof text);
        reason = text;
    }
    leat__kclient_note(opaque, (rd_kafka_resp_err_t)code, reason);
}

/* librdkafka sent a wrong nonce until 2.6.1 (its #4895); Kafka looks at it closely since 4.0. */
static const char *scram_hint(const char *text)
{
    return strstr(text, "SCRAM") && rd_kafka_version() < 0x02060100
               ? "; with Kafka 4 or newer SCRAM needs librdkafka 2.6.1 or newer"
               : "";
}

bool leat__kclient_refused(leat__kclient_t *c, const char *where, leat_error_t *err)
{
    if (!c->refused)
        return false;
    pthread_mutex_lock(&c->lock);
    leat__error(err, LEAT_EAUTH, LEAT_FATAL, where,
        "Kafka at %s refused this client: %s; check security.protocol, sasl.* and ssl.*%s",
        c->servers, c->refused_text, scram_hint(c->refused_text));
    pthread_mutex_unlock(&c->lock);
    return true;
}

/* ---- life ---- */

/*
 * librdkafka's main thread waits for its next timer in whole milliseconds, cut off, and then asks
 * the clock without a pause until the timer is due: half a millisecond of a core for every timer, the
 * most of what an idle client costs. A wait that may end two milliseconds late never ends early.
 * Records do not pass through that thread. The threads it makes, for brokers that metadata told of,
 * inherit its slack; theirs is put back, as records wait there for linger.ms.
 */
static rd_kafka_resp_err_t on_thread(
    rd_kafka_t *rk, rd_kafka_thread_type_t type, const char *name, void *opaque)
{
    (void)rk, (void)name, (void)opaque;
    prctl(PR_SET_TIMERSLACK,
        type == RD_KAFKA_THREAD_MAIN ? (unsigned long)MAIN_SLACK_NS : (unsigned long)SLACK_NS);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(
    rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *text, size_t size)
{
    (void)conf, (void)opaque, (void)text, (void)size;
    return rd_kafka_interceptor_add_on_thread_start(rk, "leat-thread", on_thread, NULL);
}

leat__kclient_t *leat__kclient_new(
    leat__kbroker_t *b, leat__kuse_t use, rd_kafka_conf_t *conf, leat_error_t *err)
{
    leat__kclient_t *c = leat__must_alloc(sizeof *c);
    size_t size = sizeof c->name;
    char text[512] = "";

    c->servers = leat__must_strdup(leat__config_text(b->config, "bootstrap.servers"));
    rd_kafka_conf_get(conf, "client.id", c->name, &size);
    pthread_mutex_init(&c->lock, NULL);
    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_interceptor_add_on_new(conf, "leat-thread", on_new, NULL);
    c->rk = rd_kafka_new(
        use == LEAT__KPRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (c->rk)
        return c;
    /* conf is not destroyed: rd_kafka_new() of 2.0.2 has freed its interceptors already, through a
     * copy, and a second time is a crash. It is lost; a client that cannot be made ends a start. */
    pthread_mutex_destroy(&c->lock);
    leat__free(c->servers);
    leat__free(c);
    leat__error(err, LEAT_ECONFIG, LEAT_FATAL, NULL, "no Kafka %s can be made: %s",
        use == LEAT__KPRODUCER ? "producer" : "consumer", text);
    return NULL;
}

typedef struct ending_t {
    leat__kclient_t *client;
    bool consumer_close;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    int refs; /* the thread's and the waiter's */
} ending_t;

static void ending_unref(ending_t *e)
{
    int left;

    pthread_mutex_lock(&e->lock);
    left = --e->refs;
    pthread_mutex_unlock(&e->lock);
    if (left)
        return;
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    leat__free(e);
}

static void *end_client(void *arg)
{
    ending_t *e = arg;
    leat__kclient_t *c = e->client;

    rd_kafka_destroy_flags(c->rk, e->consumer_close ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    pthread_mutex_destroy(&c->lock);
    leat__free(c->servers);
    leat__free(c);
    pthread_mutex_lock(&e->lock);
    e->done = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    ending_unref(e);
    return NULL;
}

static bool wait_end(ending_t *e)
{
    struct timespec until = leat__deadline(LEAT__KCLOSE_MS);
    int rc = 0;
    bool done;

    pthread_mutex_lock(&e->lock);
    while (!e->done && rc == 0)
        rc = pthread_cond_timedwait(&e->changed, &e->lock, &until);
    done = e->done;
    pthread_mutex_unlock(&e->lock);
    return done;
}

void leat__kclient_free(leat__kclient_t *c, bool consumer_close)
{
    ending_t *e;
    pthread_t thread;
    char name[sizeof c->name];

    if (!c)
        return;
    e = leat__must_alloc(sizeof *e);
    memcpy(name, c->name, sizeof name);
    *e = (ending_t){.client = c, .consumer_close = consumer_close, .refs = 2};
    pthread_mutex_init(&e->lock, NULL);
    leat__cond_init(&e->changed);
    if (pthread_create(&thread, NULL, end_client, e) != 0) {
        end_client(e);
        ending_unref(e);
        return;
    }
    pthread_detach(thread);
    if (!wait_end(e))
        leat__log(LEAT_LOG_WARN, "kafka", NULL,
            "client %s did not close within %d ms; it is left to end by itself", name,
            LEAT__KCLOSE_MS);
    ending_unref(e);
}
