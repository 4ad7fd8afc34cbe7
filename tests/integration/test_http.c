/*
 * The HTTP server on an app that runs on the embedded log: what each path gives, who may ask, and what
 * it does with requests that no client would send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/map.h"
#include "base/mem.h"
#include "http_kit.h"
#include "runtime/app.h"
#include "runtime/query/http.h"
#include "thread_rig.h"

enum { IN = 3, KEYS = 100 };
#define TOKEN "open-sesame"

static leat_app_t *new_app(rig_world_t *w)
{
    leat_config_t *config = leat_config_new();
    leat_app_t *app;

    for (size_t i = 0; i < w->setting_count; i++)
        leat_config_set(config, w->settings[i][0], w->settings[i][1]);
    leat_config_set(config, "state.dir", w->dir);
    app = leat_app_new(leat_topology_build(w->build, config), config, NULL);
    leat__app_use(app, leat__embedded_client(w->log, config));
    return app;
}

static leat_app_t *start(rig_world_t *w)
{
    leat_app_t *app = new_app(w);
    leat_error_t err;

    if (leat_app_start(app, &err) || leat_app_wait(app, LEAT_STATE_RUNNING, 60000, &err))
        fail_msg("%s: %s", err.where, err.text);
    return app;
}

static void build(leat_builder_t *b)
{
    const leat_serde_t *str = leat_serde_string();
    leat_stream_t *in = leat_builder_stream(b, "in", str, str, NULL);
    leat_grouped_t *same = leat_stream_group_by_key(in, NULL, NULL);

    leat_grouped_count(same, "counts", NULL);
    leat_grouped_count(same, "per-minute",
        &(leat_fold_opts_t){.window = leat_tumbling(LEAT_MINUTES(1), 0)});
    leat_grouped_count(same, "visits", &(leat_fold_opts_t){.window = leat_session(1000, 0)});
    leat_builder_table(b, "prices", str, str,
        &(leat_source_opts_t){.store = {.name = "prices", .history_ms = LEAT_HOURS(1)}});
}

static void fill_in(rig_world_t *w)
{
    char key[16];

    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        rig_write(w, "in", leat__partition_of(leat_slice(key), IN), key, "x", 1000);
    }
    rig_write(w, "in", leat__partition_of(leat_slice("a/b c"), IN), "a/b c", "x", 2000);
    for (int minute = 1; minute < 6; minute++)
        rig_write(w, "in", leat__partition_of(leat_slice("k007"), IN), "k007", "x",
            minute * 60000 + 7);
    for (int price = 1; price < 4; price++)
        rig_write(w, "prices", leat__partition_of(leat_slice("apple"), IN), "apple",
            price == 1 ? "1" : price == 2 ? "2" : "3", price * 1000);
}

static void open_world(rig_world_t *w)
{
    rig_world_open_real(w, build, IN, "exactly_once_v2");
    rig_topic(w, "prices", IN, "compact");
    rig_world_set(w, "leat.http.listen", "127.0.0.1:0");
    rig_world_set(w, "leat.http.token", TOKEN);
}

/* Every write so far, as a position. */
static char *position(rig_world_t *w)
{
    leat__buf_t out = {0};

    for (int32_t p = 0; p < IN; p++)
        leat__buf_format(&out, "%sin-%d@%lld,prices-%d@%lld", p ? "," : "", (int)p,
            (long long)rig_offset(w, "in", p, LEAT__HIGH_WATERMARK), (int)p,
            (long long)rig_offset(w, "prices", p, LEAT__HIGH_WATERMARK));
    return leat__buf_finish(&out);
}

/* The body, when the status is as expected. */
static json_t *get(leat_app_t *app, int status, const char *target)
{
    http_reply_t r = http_ask(leat__http_port(app->http), target, TOKEN, NULL);
    json_t *json;

    if (r.status != status)
        fail_msg("%s: %d instead of %d: %s", target, r.status, status, r.body ? r.body : "no reply");
    json = json_loads(r.body, JSON_DECODE_ANY, NULL);
    if (!json)
        fail_msg("%s: no JSON: %s", target, r.body);
    http_free(&r);
    return json;
}

static void has_code(leat_app_t *app, int status, const char *target, const char *code)
{
    json_t *json = get(app, status, target);

    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "error"), "code")), code);
    json_decref(json);
}

static void contains(leat_app_t *app, const char *target, const char *text)
{
    http_reply_t r = http_ask(leat__http_port(app->http), target, TOKEN, NULL);

    assert_int_equal(r.status, 200);
    if (!strstr(r.body, text))
        fail_msg("%s: '%s' is not in %s", target, text, r.body);
    http_free(&r);
}

/* ---- what each path gives ---- */

static void reports(leat_app_t *app)
{
    json_t *json = get(app, 200, "/health/ready");

    assert_string_equal(json_string_value(json_object_get(json, "state")), "RUNNING");
    json_decref(json);
    contains(app, "/", "<!doctype html>");
    contains(app, "/health/live", "RUNNING");
    contains(app, "/metrics", "# TYPE leat_records_total counter");
    contains(app, "/v1/topology", "\"sub_topologies\"");
    contains(app, "/v1/topology?format=text", "Topologies:");
    contains(app, "/v1/topology?format=dot", "digraph");
    contains(app, "/v1/tasks", "\"task\":\"0_0\"");
    contains(app, "/v1/workers", "\"workers\":[{");
    has_code(app, 400, "/v1/topology?format=xml", "argument_invalid");
    has_code(app, 400, "/v1/tasks?colour=red", "argument_invalid");
    has_code(app, 400, "/v1/tasks?colour=%zz", "argument_invalid");
}

static void one_key(rig_world_t *w, leat_app_t *app)
{
    char *at = position(w), target[300];
    json_t *json;

    snprintf(target, sizeof target, "/v1/stores/counts/keys/k007?at_least=%s", at);
    json = get(app, 200, target);
    assert_string_equal(json_string_value(json_object_get(json, "key")), "k007");
    assert_int_equal(json_integer_value(json_object_get(json, "value")), 6);
    assert_int_equal(json_integer_value(json_object_get(json, "timestamp")), 300007);
    assert_int_equal(json_integer_value(json_object_get(json, "partition")),
        leat__partition_of(leat_slice("k007"), IN));
    assert_int_equal(json_integer_value(json_object_get(json, "lag")), 0);
    assert_non_null(strstr(json_string_value(json_object_get(json, "position")), "in-"));
    json_decref(json);
    snprintf(target, sizeof target, "/v1/stores/counts/keys/a%%2Fb%%20c?at_least=%s", at);
    json_decref(get(app, 200, target));
    json_decref(get(app, 200, "/v1/stores/counts/keys/%22k007%22?key_format=json"));
    json_decref(get(app, 200, "/v1/stores/counts/keys/azAwNw?key_format=base64"));
    has_code(app, 404, "/v1/stores/counts/keys/nobody", "not_found");
    has_code(app, 400, "/v1/stores/counts/keys/k007?key_format=json", "serialization_failed");
    has_code(app, 400, "/v1/stores/counts/keys/%%", "argument_invalid");
    has_code(app, 400, "/v1/stores/counts/keys/k007?partitions=x", "argument_invalid");
    has_code(app, 504, "/v1/stores/counts/keys/k007?at_least=in-0@99999&partitions=0&timeout_ms=100",
        "not_up_to_bound");
    has_code(app, 409, "/v1/stores/per-minute/keys/k007", "type_mismatch");
    leat__free(at);
}

static void stores(leat_app_t *app)
{
    json_t *json = get(app, 200, "/v1/stores"), *counts = json_array_get(json, 0);

    assert_int_equal(json_array_size(json), 4);
    assert_string_equal(json_string_value(json_object_get(counts, "name")), "counts");
    assert_string_equal(json_string_value(json_object_get(counts, "kind")), "key-value");
    assert_string_equal(json_string_value(json_object_get(counts, "value")), "int64");
    assert_int_equal(json_array_size(json_object_get(counts, "partitions")), IN);
    json_decref(json);
    contains(app, "/v1/stores/per-minute/owner/k007", "\"here\":true,\"owner\":null,\"standbys\":[]}");
    has_code(app, 404, "/v1/stores/nothing/keys/k", "unknown_store");
    has_code(app, 404, "/v1/stores/..%2F..%2Fetc%2Fpasswd/keys/k", "unknown_store");
    has_code(app, 404, "/v1/stores/%2e%2e/keys/k", "unknown_store");
    has_code(app, 404, "/v1/stores/counts%00/keys/k", "unknown_store");
    has_code(app, 404, "/v1/../etc/passwd", "not_found");
    has_code(app, 404, "/v1//stores", "not_found");
}

/* The keys of all pages, "a b c". */
static void pages(leat_app_t *app, const char *target, size_t limit, const char *first,
    const char *last, size_t count)
{
    char *next = NULL, *url;
    const char *seen = "", *begin = NULL;
    json_t *json = NULL, *rows;
    size_t total = 0;

    do {
        url = leat__must_format("%s%slimit=%zu%s%s", target, strchr(target, '?') ? "&" : "?", limit,
            next ? "&page=" : "", next ? next : "");
        leat__free(next);
        json_decref(json);
        json = get(app, 200, url);
        leat__free(url);
        rows = json_object_get(json, "rows");
        assert_true(json_array_size(rows) <= limit);
        total += json_array_size(rows);
        if (json_array_size(rows)) {
            seen = json_string_value(json_object_get(
                json_array_get(rows, json_array_size(rows) - 1), "key"));
            if (!begin) {
                begin = json_string_value(json_object_get(json_array_get(rows, 0), "key"));
                assert_string_equal(begin, first);
            }
        }
        next = leat__must_format("%s", json_string_value(json_object_get(json, "next"))
                                           ? json_string_value(json_object_get(json, "next"))
                                           : "");
    } while (*next);
    if (total != count || strcmp(seen, last))
        fail_msg("%s: %zu rows up to %s, not %zu up to %s", target, total, seen, count, last);
    leat__free(next);
    json_decref(json);
}

static void ranges(leat_app_t *app)
{
    for (size_t limit = 1; limit < 1000; limit = limit * 7 + 1) {
        pages(app, "/v1/stores/counts/keys", limit, "a/b c", "k099", KEYS + 1);
        pages(app, "/v1/stores/counts/keys?order=desc", limit, "k099", "a/b c", KEYS + 1);
        pages(app, "/v1/stores/counts/keys?from=k010&to=k019", limit, "k010", "k019", 10);
        pages(app, "/v1/stores/counts/keys?from=k010&to=k019&order=desc", limit, "k019", "k010", 10);
        pages(app, "/v1/stores/counts/keys?prefix=k05", limit, "k050", "k059", 10);
        pages(app, "/v1/stores/counts/keys?prefix=k05&order=desc", limit, "k059", "k050", 10);
        pages(app, "/v1/stores/per-minute/windows/k007", limit, "k007", "k007", 6);
        pages(app, "/v1/stores/per-minute/windows/k007?from=60000&to=120000", limit, "k007", "k007", 2);
        pages(app, "/v1/stores/per-minute/windows?from_key=k007&to_key=k007", limit, "k007", "k007", 6);
        pages(app, "/v1/stores/visits/sessions/k007?order=desc", limit, "k007", "k007", 6);
        pages(app, "/v1/stores/prices/versions/apple?from=0", limit, "apple", "apple", 3);
    }
    has_code(app, 400, "/v1/stores/counts/keys?limit=0", "argument_invalid");
    has_code(app, 400, "/v1/stores/counts/keys?limit=1001", "argument_invalid");
    has_code(app, 400, "/v1/stores/counts/keys?prefix=k&from=k", "argument_invalid");
    has_code(app, 409, "/v1/stores/counts/windows", "type_mismatch");
    has_code(app, 409, "/v1/stores/counts/sessions/k007", "type_mismatch");
    has_code(app, 409, "/v1/stores/counts/versions/k007", "type_mismatch");
}

/* Rows of several keys, over three partitions: each once. */
static void all_windows(leat_app_t *app)
{
    json_t *json = get(app, 200, "/v1/stores/per-minute/windows?limit=1000"),
           *rows = json_object_get(json, "rows"), *window;

    assert_int_equal(json_array_size(rows), KEYS + 1 + 5);
    window = json_object_get(json_array_get(rows, 0), "window");
    assert_int_equal(json_integer_value(json_object_get(window, "end")) -
                         json_integer_value(json_object_get(window, "start")), 60000);
    json_decref(json);
    json = get(app, 200, "/v1/stores/visits/sessions?limit=1000");
    assert_int_equal(json_array_size(json_object_get(json, "rows")), KEYS + 1 + 5);
    json_decref(json);
}

static void versions(leat_app_t *app)
{
    json_t *json = get(app, 200, "/v1/stores/prices/versions/apple");

    assert_string_equal(json_string_value(json_object_get(json, "value")), "3");
    assert_true(json_is_null(json_object_get(json, "to")));
    json_decref(json);
    json = get(app, 200, "/v1/stores/prices/versions/apple?as_of=2500");
    assert_string_equal(json_string_value(json_object_get(json, "value")), "2");
    assert_int_equal(json_integer_value(json_object_get(json, "to")), 3000);
    json_decref(json);
    has_code(app, 404, "/v1/stores/prices/versions/apple?as_of=500", "not_found");
    has_code(app, 404, "/v1/stores/prices/versions/pear", "not_found");
}

/* A token of another read, cut, changed in any place, or made up, is refused. */
static void tokens(leat_app_t *app)
{
    json_t *json = get(app, 200, "/v1/stores/counts/keys?limit=1&from=a"), *error;
    char token[200], url[400];
    size_t size;

    snprintf(token, sizeof token, "%s", json_string_value(json_object_get(json, "next")));
    json_decref(json);
    size = strlen(token);
    snprintf(url, sizeof url, "/v1/stores/counts/keys?from=a&page=%s", token);
    json_decref(get(app, 200, url));
    snprintf(url, sizeof url, "/v1/stores/counts/keys?from=b&page=%s", token);
    has_code(app, 400, url, "argument_invalid");
    snprintf(url, sizeof url, "/v1/stores/counts/keys?from=a&order=desc&page=%s", token);
    has_code(app, 400, url, "argument_invalid");
    for (size_t i = 0; i < size - 1; i++) { /* the last letter has bits that say nothing */
        char c = token[i];

        token[i] = c == 'A' ? 'B' : 'A';
        snprintf(url, sizeof url, "/v1/stores/counts/keys?from=a&page=%s", token);
        error = get(app, 400, url);
        json_decref(error);
        token[i] = c;
        snprintf(url, sizeof url, "/v1/stores/counts/keys?from=a&page=%.*s", (int)i, token);
        error = get(app, 400, url);
        json_decref(error);
    }
}

/* ---- several keys, and how many ---- */

static void multi_get(leat_app_t *app, const char *body, int status, const char *text)
{
    http_reply_t r =
        http_ask(leat__http_port(app->http), "/v1/stores/counts/get", TOKEN, body);

    if (r.status != status || !strstr(r.body, text))
        fail_msg("%s: %d %s", body, r.status, r.body);
    http_free(&r);
}

static void several(leat_app_t *app)
{
    multi_get(app, "{\"keys\":[\"k007\",\"nobody\",\"k008\"]}", 200, "},null,{\"key\":\"k008\"");
    multi_get(app, "{\"keys\":[]}", 200, "{\"rows\":[]");
    multi_get(app, "{\"keys\":[7]}", 400, "serialization_failed");
    multi_get(app, "{\"keys\":7}", 400, "argument_invalid");
    multi_get(app, "[", 400, "argument_invalid");
    multi_get(app, "", 400, "argument_invalid");
    contains(app, "/v1/stores/counts/count", "{\"approximate\":");
    has_code(app, 405, "/v1/stores/counts/get", "method_not_allowed");
}

static void test_every_path(void **state)
{
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    open_world(&w);
    fill_in(&w);
    app = start(&w);
    reports(app);
    one_key(&w, app);
    stores(app);
    ranges(app);
    all_windows(app);
    versions(app);
    tokens(app);
    several(app);
    leat_app_free(app);
    rig_world_close(&w);
}

/* ---- who may ask ---- */

static int status_with(leat_app_t *app, const char *target, const char *token)
{
    http_reply_t r = http_ask(leat__http_port(app->http), target, token, NULL);
    int status = r.status;

    if (status == 401)
        assert_non_null(strstr(r.headers, "WWW-Authenticate: Bearer"));
    http_free(&r);
    return status;
}

static void test_the_token_is_asked_for(void **state)
{
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    open_world(&w);
    app = start(&w);
    assert_int_equal(status_with(app, "/v1/stores", TOKEN), 200);
    assert_int_equal(status_with(app, "/v1/stores", NULL), 401);
    assert_int_equal(status_with(app, "/v1/stores", ""), 401);
    assert_int_equal(status_with(app, "/v1/stores", "open-sesamE"), 401);
    assert_int_equal(status_with(app, "/v1/stores", TOKEN "x"), 401);
    assert_int_equal(status_with(app, "/metrics", NULL), 401);
    assert_int_equal(status_with(app, "/health/live", NULL), 200);
    assert_int_equal(status_with(app, "/", NULL), 200);
    leat_app_free(app);
    rig_world_close(&w);
}

/* ---- settings ---- */

static void refuses(const char *const settings[][2], const char *where, const char *text)
{
    rig_world_t w;
    leat_error_t err;
    leat_app_t *app;

    rig_world_open_real(&w, build, IN, "exactly_once_v2");
    rig_topic(&w, "prices", IN, "compact");
    for (size_t i = 0; settings[i][0]; i++)
        rig_world_set(&w, settings[i][0], settings[i][1]);
    app = new_app(&w);
    assert_int_not_equal(leat_app_start(app, &err), 0);
    assert_string_equal(err.where, where);
    if (!strstr(err.text, text))
        fail_msg("'%s' is not in: %s", text, err.text);
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_unfit_settings_are_refused(void **state)
{
    static const char *const beyond[][2] = {{"leat.http.listen", "0.0.0.0:0"}, {NULL, NULL}};
    static const char *const no_key[][2] = {
        {"leat.http.listen", "0"}, {"leat.http.certificate", "/dev/null"}, {NULL, NULL}};
    static const char *const no_file[][2] = {{"leat.http.listen", "0"},
        {"leat.http.certificate", "/nowhere/c.pem"}, {"leat.http.key", "/nowhere/k.pem"}, {NULL, NULL}};
    static const char *const no_host[][2] = {{"leat.http.listen", "no such host:80"}, {NULL, NULL}};
    char taken[16];
    const char *const same[][2] = {{"leat.http.listen", taken}, {NULL, NULL}};
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    refuses(beyond, "leat.http.token", "lets other machines in");
    refuses(no_key, "leat.http.key", "TLS needs both");
    refuses(no_file, "leat.http.certificate", "No such file");
    refuses(no_host, "leat.http.listen", "no address");
    open_world(&w);
    app = start(&w);
    snprintf(taken, sizeof taken, "%d", leat__http_port(app->http));
    refuses(same, "leat.http.listen", "in use");
    leat_app_free(app);
    rig_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_path),
        cmocka_unit_test(test_the_token_is_asked_for),
        cmocka_unit_test(test_unfit_settings_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
