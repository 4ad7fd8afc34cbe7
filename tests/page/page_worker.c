/*
 * page_worker: a small shop for tests/page/page.py: workers on one embedded log, fed all the time, told by lines of standard
 * input what to go through, and each ready to show its page.
 *
 *   page_worker DIR        state directories are made in DIR; ends with its input
 *
 *   restart    the first worker stops and starts again without its state, which comes back slowly (-> "started URL")
 *   hurry      no longer slowly
 *   second     starts a second worker (-> "started URL")
 *   lose       the second worker reaches the broker no more
 *
 * Slow is real: the custom store "order-index" takes its time for every record that it is given.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <leat/backend.h>
#include <leat/leat.h>

#include "base/clock.h"
#include "base/map.h"
#include "runtime/app.h"
#include "runtime/embedded/faults.h"
#include "runtime/query/http.h"

enum { PARTITIONS = 3, CUSTOMERS = 200, ORDERS = 4000, EVERY_MS = 10, AT_ONCE = 5 };

static const char token[] = "open-sesame"; /* page.py knows it */
static const char odd_customer[] = "<b>bold</b> & \"Sons\"";
static _Atomic bool slow;

typedef struct world_t {
    leat__log_t *log;
    leat__broker_t *outside;
    leat__writer_t *writer;
    const char *dir;
} world_t;

static void die(const char *what, const leat_error_t *err)
{
    fprintf(stderr, "page_worker: %s: %s\n", what, err->text);
    _exit(1);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- the topology ---- */

static int index_open(void **self, const char *dir, leat_error_t *err)
{
    (void)dir;
    (void)err;
    *self = NULL;
    return LEAT_OK;
}

static void index_apply(void *self, leat_slice_t key, leat_slice_t value)
{
    (void)self;
    (void)key;
    (void)value;
    if (atomic_load(&slow))
        pause_ms(10);
}

static void index_close(void *self)
{
    (void)self;
}

static const leat_custom_t order_index = {
    .name = "order-index", .open = index_open, .apply = index_apply, .close = index_close};

static void put_in_index(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_custom_log(
        ctx, "order-index", *(const leat_slice_t *)in->value, *(const leat_slice_t *)in->key);
}

static void take_region(leat_ctx_t *ctx, const void *order, const void *region)
{
    (void)order;
    leat_emit_value(ctx, region);
}

static void by_region(leat_ctx_t *ctx, const leat_record_t *in)
{
    leat_emit_key(ctx, in->value);
}

static void shop(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();

    leat_builder_custom_store(b, "order-index", &order_index, NULL);
    leat_stream_t *orders = leat_builder_stream(b, "orders", str, str, NULL);
    leat_table_t *customers = leat_builder_table(b, "customers", str, str,
        &(leat_source_opts_t){.store = {.name = "customers", .history_ms = LEAT_HOURS(1)}});
    leat_stream_process(
        orders, "index", put_in_index, str, str, &(leat_node_opts_t){.stores = "order-index"});
    leat_grouped_t *same_customer = leat_stream_group_by_key(orders, NULL, NULL);
    leat_grouped_count(same_customer, "orders-by-customer", NULL);
    leat_grouped_count(same_customer, "visits",
        &(leat_fold_opts_t){.window = leat_session(LEAT_SECONDS(10), 0)});
    leat_stream_t *regions =
        leat_stream_join_table(orders, customers, "with-region", take_region, str, NULL);
    leat_grouped_t *same_region = leat_stream_group_by(regions, "by-region", by_region, str, NULL);
    leat_table_t *counts = leat_grouped_count(same_region, "per-minute",
        &(leat_fold_opts_t){.window = leat_tumbling(LEAT_MINUTES(1), 0)});
    leat_table_to(counts, "orders-per-minute", NULL);
}

/* ---- its input ---- */

static void done(leat__op_t *op, const char *what)
{
    if (!leat__op_wait(op, 60000) || op->err.code)
        die(what, &op->err);
    leat__op_free(op);
}

static void make_topic(world_t *w, const char *name, const char *policy)
{
    leat__setting_t setting = {"cleanup.policy", policy};
    leat__topic_t t = {.name = (char *)(uintptr_t)name,
        .partitions = PARTITIONS,
        .replication = -1,
        .settings = &setting,
        .setting_count = 1};

    done(w->outside->vt->ensure_topics(w->outside, &t, 1), name);
}

static void put(world_t *w, const char *topic, const char *key, const char *value)
{
    leat_error_t err = {0};
    leat__out_t *out = w->outside->vt->writer_topic(w->writer, topic, &err);

    if (!out || w->outside->vt->produce(w->writer, out,
                    leat__partition_of(leat_slice(key), PARTITIONS), leat_slice(key),
                    leat_slice(value), leat__clock_wall_ms(NULL), NULL, &err))
        die(topic, &err);
}

static const char *customer_of(int number, char *room, size_t size)
{
    if (number % CUSTOMERS == 0)
        return odd_customer;
    snprintf(room, size, "customer-%03d", number % CUSTOMERS);
    return room;
}

static void put_order(world_t *w, int number)
{
    char customer[32], order[32];

    snprintf(order, sizeof order, "order-%d", number % ORDERS);
    put(w, "orders", customer_of(number, customer, sizeof customer), order);
}

static void *feed(void *world)
{
    static const char *const regions[] = {"north", "east", "south", "west"};
    world_t *w = world;
    char name[32];

    for (int i = 0; i < CUSTOMERS; i++)
        put(w, "customers", customer_of(i, name, sizeof name), regions[i % 4]);
    for (int i = 0; i < ORDERS; i++)
        put_order(w, i);
    for (int i = 0;; i += AT_ONCE) {
        for (int k = 0; k < AT_ONCE; k++)
            put_order(w, i + k);
        done(w->outside->vt->writer_flush(w->writer), "orders");
        pause_ms(EVERY_MS);
    }
    return NULL;
}

/* ---- workers ---- */

static leat_app_t *start(world_t *w, int number, leat__broker_t **broker)
{
    leat_config_t *config = leat_config_new();
    char dir[512];
    leat_error_t err;
    leat_app_t *app;

    snprintf(dir, sizeof dir, "%s/%d", w->dir, number);
    leat_config_set(config, "application.id", "shop");
    leat_config_set(config, "bootstrap.servers", "embedded:");
    leat_config_set(config, "state.dir", dir);
    leat_config_set(config, "dsl.store.backend", "memory");
    leat_config_set(config, "processing.guarantee", "exactly_once_v2");
    leat_config_set(config, "num.standby.replicas", "1");
    leat_config_set(config, "session.timeout.ms", "6000");
    leat_config_set(config, "leat.http.listen", "127.0.0.1:0");
    leat_config_set(config, "leat.http.advertised", "127.0.0.1:0");
    leat_config_set(config, "leat.http.token", token);
    app = leat_app_new(leat_topology_build(shop, config), config, NULL);
    *broker = leat__embedded_client(w->log, config);
    leat__app_use(app, *broker);
    if (leat_app_start(app, &err))
        die("start", &err);
    printf("started http://127.0.0.1:%d/\n", leat__http_port(app->http));
    fflush(stdout);
    return app;
}

int main(int argc, char **argv)
{
    world_t w = {.dir = argc > 1 ? argv[1] : "."};
    leat__broker_t *first_broker, *second_broker = NULL;
    leat_error_t err = {0};
    leat_app_t *first;
    char line[64];
    pthread_t feeder;

    leat_log_to(NULL, NULL, LEAT_LOG_WARN);
    w.log = leat__log_open(NULL, NULL, &err);
    if (!w.log)
        die("log", &err);
    w.outside = leat__embedded_client(w.log, NULL);
    w.writer = w.outside->vt->writer_open(
        w.outside, &(leat__writer_opts_t){.client_id = "shoppers"}, &err);
    if (!w.writer)
        die("writer", &err);
    make_topic(&w, "orders", "delete");
    make_topic(&w, "customers", "compact");
    make_topic(&w, "orders-per-minute", "delete");
    first = start(&w, 1, &first_broker);
    if (pthread_create(&feeder, NULL, feed, &w))
        die("thread", &err);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strcmp(line, "restart")) {
            leat_app_free(first);
            atomic_store(&slow, true);
            first = start(&w, 1, &first_broker);
        } else if (!strcmp(line, "hurry")) {
            atomic_store(&slow, false);
        } else if (!strcmp(line, "second")) {
            start(&w, 2, &second_broker);
        } else if (!strcmp(line, "lose")) {
            leat__fault_down(w.log, second_broker, true);
        }
    }
    _exit(0); /* as it is: page.py kills it at other times too */
}
