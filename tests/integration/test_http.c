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
#include <poll.h>
#include <sys/socket.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/map.h"
#include "base/mem.h"
#include "http_kit.h"
#include "http_rig.h"
#include "runtime/query/http.h"

enum { IN = HTTP_PARTITIONS, KEYS = HTTP_KEYS };
#define TOKEN HTTP_TOKEN

static void open_world(rig_world_t *w)
{
    http_world_open(w);
    rig_world_set(w, "leat.http.listen", "127.0.0.1:0");
    rig_world_set(w, "leat.http.token", TOKEN);
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
    char *at = http_position(w), target[300];
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
    http_fill(&w);
    app = http_start(&w);
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
    app = http_start(&w);
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

/* ---- what no client would send ---- */

static http_reply_t send_raw(int port, const char *bytes, size_t size)
{
    int fd = http_connect(port);
    http_reply_t r;

    http_write(fd, bytes, size);
    shutdown(fd, SHUT_WR);
    r = http_read(fd);
    close(fd);
    return r;
}

static void gives(int port, int status, const char *request)
{
    http_reply_t r = send_raw(port, request, strlen(request));

    if (r.status != status)
        fail_msg("%.60s: %d instead of %d", request, r.status, status);
    http_free(&r);
}

static void huge(int port, int status, const char *before, char filler, size_t size, const char *after)
{
    leat__buf_t out = {0};
    http_reply_t r;

    leat__buf_put_text(&out, before);
    for (size_t i = 0; i < size; i++)
        leat__buf_put(&out, &filler, 1);
    leat__buf_put_text(&out, after);
    r = send_raw(port, out.data, out.size);
    if (r.status != status && r.status != 0) /* it may be cut while it is being sent */
        fail_msg("%.60s and %zu bytes: %d instead of %d", before, size, r.status, status);
    http_free(&r);
    leat__buf_release(&out);
}

static void test_broken_and_huge_requests(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    int port;

    (void)state;
    http_world_open(&w); /* no token */
    rig_world_set(&w, "leat.http.listen", "0");
    app = http_start(&w);
    port = leat__http_port(app->http);
    gives(port, 200, "GET /v1/stores HTTP/1.1\r\nHost: localhost\r\n\r\n");
    gives(port, 200, "GET /v1/stores HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
    gives(port, 200, "GET /v1/stores HTTP/1.0\r\n\r\n");
    gives(port, 403, "GET /v1/stores HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    gives(port, 403, "GET /v1/stores HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n");
    gives(port, 405, "DELETE /v1/stores HTTP/1.1\r\nHost: localhost\r\n\r\n");
    gives(port, 400, "GET /v1/stores?limit=%zz HTTP/1.0\r\n\r\n");
    gives(port, 0, "GET\r\n\r\n");
    gives(port, 0, "\r\n");
    huge(port, 414, "GET /v1/stores/", 'x', 100000, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    huge(port, 431, "GET /v1/stores HTTP/1.1\r\nHost: localhost\r\nX: ", 'x', 100000, "\r\n\r\n");
    huge(port, 413, "POST /v1/stores/counts/get HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                    "4000000\r\n\r\n", ' ', 4000000, "");
    gives(port, 200, "GET /health/live HTTP/1.0\r\n\r\n");
    leat_app_free(app);
    rig_world_close(&w);
}

/* A byte now and then does not keep a connection. */
static void test_slow_clients_are_cut_off(void **state)
{
    rig_world_t w;
    leat_app_t *app;
    int idle, slow;

    (void)state;
    http_world_open(&w);
    rig_world_set(&w, "leat.http.listen", "0");
    rig_world_set(&w, "leat.http.request.timeout.ms", "300");
    app = http_start(&w);
    idle = http_connect(leat__http_port(app->http));
    slow = http_connect(leat__http_port(app->http));
    for (int i = 0; i < 6000 && http_write(slow, "G", 1); i++)
        usleep(10000);
    assert_true(http_ended(slow));
    assert_true(http_ended(idle));
    close(idle);
    close(slow);
    leat_app_free(app);
    rig_world_close(&w);
}

static void test_too_many_connections_are_told(void **state)
{
    int fds[4], busy = 0;
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    http_world_open(&w);
    rig_world_set(&w, "leat.http.listen", "0");
    rig_world_set(&w, "leat.http.connections", "3");
    app = http_start(&w);
    for (int i = 0; i < 4; i++) {
        static const char request[] = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
        http_reply_t r;

        fds[i] = http_connect(leat__http_port(app->http));
        http_write(fds[i], request, sizeof request - 1);
        r = http_read(fds[i]);
        assert_int_equal(r.status, i < 3 ? 200 : 503);
        busy += strstr(r.headers, "Retry-After: 1") != NULL;
        http_free(&r);
    }
    assert_int_equal(busy, 1);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    leat_app_free(app);
    rig_world_close(&w);
}

/* ---- TLS ---- */

/* What a client that trusts the certificate is told; "" when the two do not come together. */
static void ask_by_tls(int port, const char *folder, char *room, size_t size)
{
    char *command = leat__must_format(
        "printf 'GET /health/live HTTP/1.0\\r\\n\\r\\n' | timeout 60 openssl s_client -quiet "
        "-verify_return_error -CAfile %s/c.pem -connect 127.0.0.1:%d 2>/dev/null", folder, port);
    FILE *f = popen(command, "r");
    size_t got = f ? fread(room, 1, size - 1, f) : 0;

    room[got] = '\0';
    if (f)
        pclose(f);
    leat__free(command);
}

static void test_tls(void **state)
{
    char certificate[120], key[120], reply[2000];
    rig_world_t w;
    leat_app_t *app;
    char *command;

    (void)state;
    http_world_open(&w);
    command = leat__must_format("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
                                "-nodes -keyout %s/k.pem -out %s/c.pem -days 2 -subj /CN=localhost "
                                "2>/dev/null", w.dir, w.dir);
    assert_int_equal(system(command), 0);
    leat__free(command);
    snprintf(certificate, sizeof certificate, "%s/c.pem", w.dir);
    snprintf(key, sizeof key, "%s/k.pem", w.dir);
    rig_world_set(&w, "leat.http.listen", "0");
    rig_world_set(&w, "leat.http.certificate", certificate);
    rig_world_set(&w, "leat.http.key", key);
    app = http_start(&w);
    ask_by_tls(leat__http_port(app->http), w.dir, reply, sizeof reply);
    assert_non_null(strstr(reply, "{\"state\":\"RUNNING\"}"));
    gives(leat__http_port(app->http), 0, "GET /health/live HTTP/1.0\r\n\r\n");
    leat_app_free(app);
    rig_world_close(&w);
}

/* ---- changes of a store ---- */

/* Waits until the text has come; what came is kept in `in`. */
static void comes(int fd, leat__buf_t *in, const char *text)
{
    char room[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (!in->size || !strstr(leat__buf_text(in), text)) {
        ssize_t got = poll(&p, 1, 60000) == 1 ? recv(fd, room, sizeof room, 0) : 0;

        if (got <= 0)
            fail_msg("'%s' did not come: %s", text, in->size ? leat__buf_text(in) : "nothing");
        leat__buf_put(in, room, (size_t)got);
    }
}

static int open_feed(leat_app_t *app, const char *store, leat__buf_t *in)
{
    int fd = http_connect(leat__http_port(app->http));
    char request[200];

    snprintf(request, sizeof request, "GET /v1/stores/%s/changes HTTP/1.1\r\nHost: localhost\r\n"
                                      "Authorization: Bearer " TOKEN "\r\n\r\n", store);
    http_write(fd, request, strlen(request));
    comes(fd, in, "text/event-stream");
    comes(fd, in, ":\n\n");
    return fd;
}

static void test_changes_are_told(void **state)
{
    leat__buf_t counts = {0}, minutes = {0};
    int fd, other;
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    open_world(&w);
    app = http_start(&w);
    fd = open_feed(app, "counts", &counts);
    other = open_feed(app, "per-minute", &minutes);
    rig_write(&w, "in", 1, "apple", "x", 60007);
    comes(fd, &counts, "event: change\ndata: {\"key\":\"apple\",\"value\":1,\"timestamp\":60007,"
                       "\"partition\":1}\n\n");
    comes(other, &minutes, "data: {\"key\":\"apple\",\"value\":1,\"window\":{\"start\":60000,"
                           "\"end\":120000},");
    rig_write(&w, "in", 1, "apple", "x", 60008);
    comes(fd, &counts, "{\"key\":\"apple\",\"value\":2,");
    has_code(app, 404, "/v1/stores/nothing/changes", "unknown_store");
    leat_app_free(app); /* ends the feeds, and says so */
    comes(fd, &counts, "event: end\ndata: {\"error\":{\"code\":\"state_invalid\"");
    assert_true(http_ended(fd));
    close(fd);
    close(other);
    leat__buf_release(&counts);
    leat__buf_release(&minutes);
    rig_world_close(&w);
}

/* ---- settings ---- */

static void refuses(const char *const settings[][2], const char *where, const char *text)
{
    rig_world_t w;
    leat_error_t err;
    leat_app_t *app;

    http_world_open(&w);
    for (size_t i = 0; settings[i][0]; i++)
        rig_world_set(&w, settings[i][0], settings[i][1]);
    app = http_new_app(&w);
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
    static const char *const bad_pem[][2] = {{"leat.http.listen", "0"},
        {"leat.http.certificate", "/etc/passwd"}, {"leat.http.key", "/etc/passwd"}, {NULL, NULL}};
    static const char *const no_host[][2] = {{"leat.http.listen", "no such host:80"}, {NULL, NULL}};
    char taken[16];
    const char *const same[][2] = {{"leat.http.listen", taken}, {NULL, NULL}};
    rig_world_t w;
    leat_app_t *app;

    (void)state;
    refuses(beyond, "leat.http.token", "lets other machines in");
    refuses(no_key, "leat.http.key", "TLS needs both");
    refuses(no_file, "leat.http.certificate", "No such file");
    refuses(bad_pem, "leat.http.certificate", "the HTTP server does not start");
    refuses(no_host, "leat.http.listen", "no address");
    open_world(&w);
    app = http_start(&w);
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
        cmocka_unit_test(test_broken_and_huge_requests),
        cmocka_unit_test(test_slow_clients_are_cut_off),
        cmocka_unit_test(test_too_many_connections_are_told),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_changes_are_told),
        cmocka_unit_test(test_unfit_settings_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
