/*
 * tests/unit/test_kafka_client.c: the parts of the Kafka seam that need no broker.
 *
 * Goal: what the program sets reaches librdkafka under its name there, what the engine rests on
 * cannot be set away, a bad value is named; errors have the class that decides what the engine does
 * next; jobs run in order, and each op ends once.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/kafka/reader.h"

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

/* ---- settings ---- */

static leat__kbroker_t *open_with(const char *key, const char *value, leat_config_t **config)
{
    leat_error_t err;

    *config = leat_config_new();
    leat_config_set(*config, "application.id", "unit");
    leat_config_set(*config, "bootstrap.servers", "127.0.0.1:1");
    if (key)
        leat_config_set(*config, key, value);
    return (leat__kbroker_t *)leat__kafka_open(*config, &err);
}

static void close_with(leat__kbroker_t *b, leat_config_t *config)
{
    b->base.vt->close(&b->base);
    leat_config_free(config);
}

/* What librdkafka got for name, when the program said key=value. */
static const char *arrives(leat__kuse_t use, const char *key, const char *value, const char *name)
{
    static char text[200];
    size_t size = sizeof text;
    leat_config_t *config;
    leat__kbroker_t *b = open_with(key, value, &config);
    leat_error_t err;
    rd_kafka_conf_t *conf = leat__kconf_new(b, use, "unit", &err);

    text[0] = '\0';
    if (!conf)
        fail_msg("%s", err.text);
    assert_int_equal(rd_kafka_conf_get(conf, name, text, &size), RD_KAFKA_CONF_OK);
    rd_kafka_conf_destroy(conf);
    close_with(b, config);
    return text;
}

static void test_conf_program_goes_before_ours(void **state)
{
    (void)state;
    assert_string_equal(arrives(LEAT__KPRODUCER, NULL, NULL, "linger.ms"), "1");
    assert_string_equal(arrives(LEAT__KPRODUCER, "producer.linger.ms", "7", "linger.ms"), "7");
    assert_string_equal(
        arrives(LEAT__KCONSUMER, "consumer.queued.min.messages", "99", "queued.min.messages"),
        "99");
    assert_string_equal(arrives(LEAT__KCONSUMER, NULL, NULL, "socket.nagle.disable"), "true");
}

static void test_conf_java_names_are_translated(void **state)
{
    (void)state;
    assert_string_equal(
        arrives(LEAT__KCONSUMER, "consumer.fetch.max.wait.ms", "33", "fetch.wait.max.ms"), "33");
    assert_string_equal(
        arrives(LEAT__KPRODUCER, "producer.buffer.memory", "1048576", "queue.buffering.max.kbytes"),
        "1024");
    assert_string_equal(
        arrives(LEAT__KPRODUCER, "producer.max.request.size", "2000000", "message.max.bytes"),
        "2000000");
    assert_string_equal(arrives(LEAT__KCONSUMER, "consumer.max.poll.records", "5", "client.id"),
        "unit"); /* Java only */
    assert_string_equal(
        arrives(LEAT__KADMIN, "security.protocol", "SASL_SSL", "security.protocol"), "sasl_ssl");
    assert_string_equal(
        arrives(LEAT__KADMIN, "request.timeout.ms", "12345", "socket.timeout.ms"), "12345");
}

static void test_conf_what_exactness_rests_on_is_kept(void **state)
{
    leat_config_t *config;
    leat__kbroker_t *b = open_with("producer.enable.idempotence", "false", &config);
    leat__writer_opts_t o = {
        .client_id = "unit", .transactional_id = "unit-t", .transaction_timeout_ms = 5000};
    leat_error_t err;
    leat__writer_t *w =
        b->base.vt->writer_open(&b->base, &o, &err); /* librdkafka would refuse that pair */
    leat__op_t *op;

    (void)state;
    if (!w)
        fail_msg("%s", err.text);
    op = b->base.vt->writer_close(w);
    assert_true(leat__op_wait(op, 20000));
    leat__op_free(op);
    close_with(b, config);
    assert_string_equal(
        arrives(LEAT__KCONSUMER, "consumer.group.id", "other", "client.id"), "unit");
}

static void test_conf_bad_value_names_the_property(void **state)
{
    leat_config_t *config;
    leat__kbroker_t *b = open_with("producer.linger.ms", "soon", &config);
    leat_error_t err;

    (void)state;
    assert_null(leat__kconf_new(b, LEAT__KPRODUCER, "unit", &err));
    assert_int_equal(err.code, LEAT_ECONFIG);
    assert_non_null(strstr(err.text, "producer.linger.ms"));
    close_with(b, config);
    b = open_with("producer.no.such.property", "1", &config);
    assert_null(leat__kconf_new(b, LEAT__KPRODUCER, "unit", &err));
    assert_int_equal(err.code, LEAT_ECONFIG);
    assert_non_null(strstr(err.text, "producer.no.such.property"));
    close_with(b, config);
}

/* The settings of one kind of reader are looked at by that kind alone, and go before "consumer.". */
static void test_conf_readers_have_settings_of_their_kind(void **state)
{
    leat_config_t *config;
    leat__kbroker_t *b = open_with("restore.consumer.fetch.min.bytes", "many", &config);
    leat__reader_opts_t o = {.client_id = "unit", .settings = "restore.consumer."};
    leat_error_t err;
    leat__reader_t *r;

    (void)state;
    assert_null(b->base.vt->reader_open(&b->base, &o, &err));
    assert_int_equal(err.code, LEAT_ECONFIG);
    assert_non_null(strstr(err.text, "restore.consumer.fetch.min.bytes"));
    o.settings = "main.consumer.";
    r = b->base.vt->reader_open(&b->base, &o, &err);
    if (!r)
        fail_msg("%s", err.text);
    b->base.vt->reader_close(r);
    close_with(b, config);
}

/* What one partition of a reader of so many may have queued. */
static int64_t queue_of(size_t partitions, const char *key, const char *value, int64_t *fetch)
{
    leat_config_t *config;
    leat__kbroker_t *b = open_with(key, value, &config);
    leat__reader_opts_t o = {.client_id = "unit", .partitions = partitions};
    leat_error_t err;
    leat__reader_t *r = b->base.vt->reader_open(&b->base, &o, &err);
    int64_t bytes;

    if (!r)
        fail_msg("%s", err.text);
    bytes = r->queue_bytes;
    *fetch = leat__kconf_int(rd_kafka_conf(r->client->rk), "fetch.max.bytes", -1);
    b->base.vt->reader_close(r);
    close_with(b, config);
    return bytes;
}

static void test_reader_of_many_partitions_has_no_more_memory(void **state)
{
    const int64_t mb = 1024 * 1024;
    int64_t fetch;

    (void)state;
    assert_int_equal(queue_of(0, NULL, NULL, &fetch), 4 * mb);
    assert_int_equal(queue_of(4, NULL, NULL, &fetch), 4 * mb);
    for (size_t n = 5; n <= 256; n *= 2) {
        assert_true(queue_of(n, NULL, NULL, &fetch) * (int64_t)n <= 16 * mb);
        assert_int_equal(fetch, 4 * mb);
    }
    assert_int_equal(queue_of(100000, NULL, NULL, &fetch), mb / 16); /* something, always */
    assert_int_equal(
        queue_of(8, "consumer.queued.max.messages.kbytes", "512", &fetch), mb / 4);
    assert_int_equal(fetch, 1000000); /* a record must fit: message.max.bytes */
    assert_int_equal(queue_of(8, "consumer.fetch.max.bytes", "2000000", &fetch), 2 * mb);
    assert_int_equal(fetch, 2000000);
}

/* ---- threads ---- */

/* What stands in /proc/self/task/<thread>/<file>. */
static void read_thread(const char *thread, const char *file, char *text, int size)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "/proc/self/task/%s/%s", thread, file);
    text[0] = '\0';
    f = fopen(path, "r");
    if (!f)
        return;
    if (!fgets(text, size, f))
        text[0] = '\0';
    fclose(f);
}

/* Slack of a thread in ns; -1: it is gone, or the kernel does not say. */
static long slack_of(const char *thread)
{
    char path[300], text[64] = "";
    FILE *f;

    snprintf(path, sizeof path, "/proc/%s/timerslack_ns", thread);
    f = fopen(path, "r");
    if (!f || !fgets(text, sizeof text, f))
        text[0] = '\0';
    if (f)
        fclose(f);
    return text[0] ? strtol(text, NULL, 10) : -1;
}

/* Of librdkafka's threads: main ones with slack, others without, and those that are not so (yet). */
static void count_slack(int *mains, int *others, int *wrong)
{
    DIR *threads = opendir("/proc/self/task");
    struct dirent *entry;

    assert_non_null(threads);
    *mains = *others = *wrong = 0;
    while ((entry = readdir(threads))) {
        char name[64];
        bool is_main;

        read_thread(entry->d_name, "comm", name, sizeof name);
        if (strncmp(name, "rdk:", 4) != 0)
            continue;
        is_main = strcmp(name, "rdk:main\n") == 0;
        if (slack_of(entry->d_name) != (is_main ? 2000000 : 50000))
            ++*wrong;
        else
            ++*(is_main ? mains : others);
    }
    closedir(threads);
}

/*
 * librdkafka's main threads must not ask the clock in a loop, and the threads that one of them makes
 * must not be late for it (client.c): here the test's own thread is the one with slack.
 */
static void test_main_threads_alone_have_slack(void **state)
{
    leat_config_t *config;
    leat__kbroker_t *b;
    leat_error_t err;
    leat__reader_t *r;
    int mains, others, wrong;

    (void)state;
    if (slack_of("self") < 0)
        skip(); /* a kernel that does not say it */
    prctl(PR_SET_TIMERSLACK, 2000000UL);
    b = open_with(NULL, NULL, &config);
    r = b->base.vt->reader_open(&b->base, &(leat__reader_opts_t){.client_id = "unit"}, &err);
    prctl(PR_SET_TIMERSLACK, 50000UL);
    assert_non_null(r);
    count_slack(&mains, &others, &wrong);
    for (int i = 0; i < 6000 && (mains != 1 || others == 0 || wrong); i++) { /* as they start */
        sleep_ms(10);
        count_slack(&mains, &others, &wrong);
    }
    assert_int_equal(mains, 1);
    assert_true(others > 0);
    assert_int_equal(wrong, 0);
    b->base.vt->reader_close(r);
    close_with(b, config);
}

/* ---- errors ---- */

static void test_error_classes_decide_what_follows(void **state)
{
    static const struct {
        rd_kafka_resp_err_t code;
        int leat;
        unsigned flags;
    } cases[] = {
        {RD_KAFKA_RESP_ERR_NO_ERROR, 0, 0},
        {RD_KAFKA_RESP_ERR__TIMED_OUT, LEAT_EBROKER, LEAT_RETRIABLE},
        {RD_KAFKA_RESP_ERR__TRANSPORT, LEAT_EBROKER, LEAT_RETRIABLE},
        {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, LEAT_EBROKER, LEAT_RETRIABLE},
        {RD_KAFKA_RESP_ERR__FENCED, LEAT_EFENCED, 0},
        {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, LEAT_EBROKER, LEAT_ABORT},
        {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, LEAT_EBROKER, LEAT_ABORT},
        {RD_KAFKA_RESP_ERR__AUTHENTICATION, LEAT_EAUTH, LEAT_FATAL},
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, LEAT_EAUTH, LEAT_FATAL},
        {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, LEAT_ETOPIC, 0},
        {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, LEAT_ETOPIC, 0},
        {RD_KAFKA_RESP_ERR_INVALID_RECORD, LEAT_EARGUMENT, 0},
        {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, LEAT_ECONFIG, LEAT_FATAL},
        {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, LEAT_EBROKER, LEAT_RETRIABLE},
    };
    unsigned flags;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(leat__kcode(cases[i].code, &flags), cases[i].leat);
        assert_int_equal(flags, cases[i].flags);
    }
}

/* ---- helper threads ---- */

typedef struct numbered_t {
    leat__kjob_t job;
    int number;
    long wait_ms;
} numbered_t;

static _Atomic int done_count, released_count;
static int order[100];

static void run_numbered(leat__kjob_t *job)
{
    numbered_t *n = (numbered_t *)job;

    sleep_ms(n->wait_ms);
    order[done_count++] = n->number;
}

static void release_numbered(leat__kjob_t *job)
{
    released_count++;
    leat__free(job);
}

static leat__op_t *post(leat__kworker_t *w, int number, long wait_ms, bool always)
{
    numbered_t *n = leat__must_alloc(sizeof *n);
    leat__op_t *op = leat__op_new();

    n->job = (leat__kjob_t){
        .op = op, .run = run_numbered, .release = release_numbered, .always = always};
    n->number = number;
    n->wait_ms = wait_ms;
    leat__kworker_post(w, &n->job);
    return op;
}

static void test_worker_of_one_thread_keeps_order(void **state)
{
    leat__kworker_t *w = leat__kworker_new(1);
    leat__op_t *last = NULL;

    (void)state;
    done_count = released_count = 0;
    for (int i = 0; i < 100; i++) {
        leat__op_free(last); /* dropped before it is done: nobody minds */
        last = post(w, i, 0, false);
    }
    assert_true(leat__op_wait(last, 5000));
    assert_int_equal(last->err.code, 0);
    leat__op_free(last);
    leat__kworker_free(w);
    assert_int_equal(done_count, 100);
    assert_int_equal(released_count, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(order[i], i);
}

static void test_worker_of_many_threads_does_not_queue(void **state)
{
    leat__kworker_t *w = leat__kworker_new(4);
    int64_t began = leat__clock_steady_ms(NULL);
    leat__op_t *ops[4];

    (void)state;
    done_count = 0;
    for (int i = 0; i < 4; i++)
        ops[i] = post(w, i, 300, false);
    for (int i = 0; i < 4; i++) {
        assert_true(leat__op_wait(ops[i], 5000));
        leat__op_free(ops[i]);
    }
    assert_true(leat__clock_steady_ms(NULL) - began < 1000);
    leat__kworker_free(w);
}

static void test_worker_closing_answers_what_waits(void **state)
{
    leat__kworker_t *w = leat__kworker_new(1);
    leat__op_t *running, *waiting, *needed;

    (void)state;
    done_count = released_count = 0;
    running = post(w, 1, 200, false);
    waiting = post(w, 2, 0, false);
    needed = post(w, 3, 0, true);
    sleep_ms(50);
    leat__kworker_free(w);
    assert_true(leat__op_done(running) && leat__op_done(waiting) && leat__op_done(needed));
    assert_int_equal(running->err.code, 0);
    assert_int_equal(waiting->err.code, LEAT_ESTATE);
    assert_int_equal(needed->err.code, 0);
    assert_int_equal(done_count, 2);
    assert_int_equal(released_count, 3);
    leat__op_free(running);
    leat__op_free(waiting);
    leat__op_free(needed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conf_program_goes_before_ours),
        cmocka_unit_test(test_conf_java_names_are_translated),
        cmocka_unit_test(test_conf_what_exactness_rests_on_is_kept),
        cmocka_unit_test(test_conf_bad_value_names_the_property),
        cmocka_unit_test(test_conf_readers_have_settings_of_their_kind),
        cmocka_unit_test(test_reader_of_many_partitions_has_no_more_memory),
        cmocka_unit_test(test_main_threads_alone_have_slack),
        cmocka_unit_test(test_error_classes_decide_what_follows),
        cmocka_unit_test(test_worker_of_one_thread_keeps_order),
        cmocka_unit_test(test_worker_of_many_threads_does_not_queue),
        cmocka_unit_test(test_worker_closing_answers_what_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
