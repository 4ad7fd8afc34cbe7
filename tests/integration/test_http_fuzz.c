/*
 * Goal: no request makes the server crash, hang, or answer with anything but its own replies. Method:
 * targets, bodies and paging tokens put together at random from what the interface knows, and changed at
 * random, are answered by the handlers without a socket; each reply must have a status of docs/HTTP.md,
 * and JSON where it says JSON. Then garbage is sent to the socket.
 *
 * LEAT_FUZZ_SECONDS=3600 makes it go on for an hour; LEAT_FUZZ_SEED=N begins elsewhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "http_kit.h"
#include "http_rig.h"
#include "runtime/query/feed.h"
#include "runtime/query/http.h"
#include "runtime/query/place.h"
#include "runtime/query/routes.h"

static uint64_t seed = 1;
static rig_world_t world;
static leat_app_t *app;
static char tokens[16][400]; /* that the server has given; the last ones */
static size_t token_count;

static uint32_t any(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

static const char *const words[] = {"/", "/v1", "/v1/stores", "/v1/stores/counts", "/v1/stores/prices",
    "/v1/stores/per-minute", "/v1/stores/visits", "/keys", "/keys/k007", "/get", "/count", "/owner/k007", "/changes",
    "/windows", "/windows/k007", "/sessions", "/sessions/k007", "/versions/apple", "/health/live",
    "/metrics", "/v1/tasks", "/v1/workers", "/v1/nodes", "/v1/topology", "/v1/openapi.json", "/..", "//",
    "%", "%00", "%2", "%2F", "%ff", "?", "&", "=", "+", "#", "from=", "to=", "from=k01", "to=k05",
    "from=-9223372036854775808", "to=9223372036854775807", "prefix=k", "prefix=%ff", "order=desc",
    "order=asc", "limit=1", "limit=7", "limit=1000", "limit=0", "limit=99999999999999999999",
    "key_format=json", "key_format=base64", "key_format=text", "%22k007%22", "azAwNw", "isolation=latest",
    "isolation=committed", "stale=true", "partitions=0", "partitions=0,1,2", "partitions=7",
    "partitions=,", "as_of=2500", "from_key=k0", "to_key=k1", "format=dot", "format=text", "page=", "{}",
    "[", "\"", "\\", "\x7f", "\xc3\xa4", "0", "1", "-1", "1e9"};

static void put_token(leat__buf_t *out)
{
    if (token_count)
        leat__buf_put_text(out, tokens[any((uint32_t)(token_count < 16 ? token_count : 16))]);
}

/* What a client could mean, or nearly. */
static void make_target(leat__buf_t *out)
{
    static const char *const stores[] = {"counts", "per-minute", "visits", "prices"};
    static const char *const paths[] = {"keys", "keys/k007", "windows", "windows/k007", "sessions",
        "sessions/k007", "versions/apple", "count", "owner/k007", "get"};
    const uint32_t parameters = any(5);

    if (any(2)) {
        leat__buf_format(out, "/v1/stores/%s/%s", stores[any(4)], paths[any(10)]);
    } else {
        for (uint32_t i = any(6) + 1; i > 0; i--)
            leat__buf_put_text(out, words[any(33)]);
    }
    for (uint32_t i = 0; i < parameters; i++) {
        leat__buf_put_text(out, i ? "&" : "?");
        if (any(4) == 0) {
            leat__buf_put_text(out, "page=");
            put_token(out);
        } else {
            leat__buf_put_text(out, words[37 + any(sizeof words / sizeof *words - 37)]);
        }
    }
}

static void change(leat__buf_t *b)
{
    for (uint32_t i = any(4); i > 0 && b->size > 1; i--) {
        size_t at = 1 + any((uint32_t)b->size - 1);

        switch (any(3)) {
        case 0:
            b->data[at] = (char)(1 + any(255));
            break;
        case 1:
            b->size = at;
            break;
        default: {
            leat__buf_t twice = {0};

            leat__buf_put(&twice, b->data, at);
            leat__buf_put(&twice, b->data + at / 2, b->size - at / 2);
            leat__buf_release(b);
            *b = twice;
        }
        }
    }
}

static void make_body(leat__buf_t *out)
{
    static const char *const parts[] = {"{\"keys\":[", "\"k007\"", ",", "7", "null", "]}", "[", "{", "}",
        "{\"base64\":\"azAwNw==\"}", "\"\\u0000\"", "1e400", "\xff", "{\"keys\":[\"k001\",\"k002\"]}"};

    for (uint32_t i = any(6); i > 0; i--)
        leat__buf_put_text(out, parts[any(sizeof parts / sizeof *parts)]);
}

static void keep_token(const json_t *json)
{
    const char *next = json_string_value(json_object_get(json, "next"));

    if (next && strlen(next) < sizeof tokens[0])
        strcpy(tokens[token_count++ % 16], next);
}

static bool is_known(int status)
{
    static const int known[] = {0, 200, 400, 404, 405, 409, 410, 413, 421, 503, 504};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == status)
            return true;
    return false;
}

static void check_reply(const char *target, leat__reply_t *reply)
{
    json_t *json;

    if (!is_known(reply->status))
        fail_msg("%s: %d: %.*s", target, reply->status, (int)reply->body.size, reply->body.data);
    if (reply->type || reply->fixed.data)
        return;
    json = json_loadb(reply->body.data, reply->body.size, JSON_ALLOW_NUL, NULL);
    if (!json)
        json = json_loadb(reply->body.data, reply->body.size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    if (!json)
        fail_msg("%s: no JSON: %.*s", target, (int)reply->body.size, reply->body.data);
    keep_token(json);
    json_decref(json);
}

static void ask(const char *method, const char *target, leat_slice_t body)
{
    leat__share_t share = {0};
    leat__site_t site = {.app = app, .token = "", .rows_max = 1000, .share = &share};
    leat__reply_t reply = {0};
    leat__arena_t scratch;
    leat__request_t r = {.site = &site, .method = method, .body = body, .scratch = &scratch};

    leat__arena_init(&scratch);
    if (leat__request_parse(&r, target, &reply))
        leat__route(&r, &reply);
    if (reply.feed)
        leat__feed_close(reply.feed);
    else
        check_reply(target, &reply);
    leat__arena_release(&scratch);
    leat__buf_release(&reply.body);
}

static void one_request(void)
{
    static const char *const methods[] = {"GET", "GET", "GET", "HEAD", "POST", "PUT"};
    leat__buf_t target = {0}, body = {0};

    make_target(&target);
    if (any(3) == 0)
        change(&target);
    make_body(&body);
    if (any(4) == 0)
        change(&body);
    leat__buf_put(&target, "", 1);
    ask(methods[any(6)], target.data, (leat_slice_t){body.data, body.size});
    leat__buf_release(&target);
    leat__buf_release(&body);
}

/* A token whose check is right and whose place is made up: as of a store that has changed, or forged. */
static void one_place(void)
{
    static const struct {
        const char *target, *store;
        leat__verb_t verb;
    } reads[] = {{"/v1/stores/counts/keys?order=asc&page=", "counts", LEAT__ASK_RANGE},
        {"/v1/stores/counts/keys?order=desc&page=", "counts", LEAT__ASK_RANGE},
        {"/v1/stores/per-minute/windows?order=asc&page=", "per-minute", LEAT__ASK_WINDOWS},
        {"/v1/stores/per-minute/windows?order=desc&page=", "per-minute", LEAT__ASK_WINDOWS},
        {"/v1/stores/visits/sessions?order=asc&page=", "visits", LEAT__ASK_SESSIONS}};
    static const char *const keys[] = {"", "k007", "k0", "\xff\xff", "a/b c", "zzz"};
    static const int64_t times[] = {0, 1000, 60000, -1, INT64_MIN, INT64_MAX};
    const uint32_t which = any(5);
    leat__ask_t read = {.verb = reads[which].verb,
        .order = strstr(reads[which].target, "desc") ? LEAT_DESCENDING : LEAT_ASCENDING,
        .from_ms = INT64_MIN,
        .to_ms = INT64_MAX};
    leat__place_t place = {.key = leat_slice(keys[any(6)]),
        .start_ms = times[any(6)],
        .end_ms = times[any(6)],
        .partition = (int32_t)any(5) - 1,
        .same = any(3) ? any(3) : UINT32_MAX};
    leat__buf_t target = {0};

    leat__buf_put_text(&target, reads[which].target);
    leat__place_put(&target, reads[which].store, &read, &place);
    leat__buf_put(&target, "", 1);
    ask("GET", target.data, (leat_slice_t){NULL, 0});
    leat__buf_release(&target);
}

/* What is left of the time that was asked for; without one, `count` rounds. */
static bool goes_on(time_t began, long round, long count)
{
    const char *seconds = getenv("LEAT_FUZZ_SECONDS");

    return seconds ? time(NULL) - began < atol(seconds) : round < count;
}

static void test_requests_at_random(void **state)
{
    time_t began = time(NULL);
    long i = 0;

    (void)state;
    for (; goes_on(began, i, 20000); i++)
        if (i % 10)
            one_request();
        else
            one_place();
    print_message("%ld requests, %zu tokens given, seed %llu\n", i, token_count,
        (unsigned long long)seed);
    assert_true(token_count > 0);
}

static void test_garbage_on_the_socket(void **state)
{
    int port = leat__http_port(app->http);

    (void)state;
    for (int i = 0; i < 200; i++) {
        int fd = http_connect(port);
        leat__buf_t out = {0};

        if (any(2))
            leat__buf_put_text(&out, "GET /v1/stores HTTP/1.1\r\nHost: localhost\r\n");
        for (uint32_t k = any(200); k > 0; k--) {
            char c = (char)any(256);
            leat__buf_put(&out, &c, 1);
        }
        if (any(2))
            leat__buf_put_text(&out, "\r\n\r\n");
        http_write(fd, out.data ? out.data : "", out.size);
        leat__buf_release(&out);
        close(fd);
    }
    http_reply_t r = http_ask(port, "/health/live", NULL, NULL);
    assert_int_equal(r.status, 200);
    http_free(&r);
}

static int open_all(void **state)
{
    const char *from = getenv("LEAT_FUZZ_SEED");

    (void)state;
    seed = from ? strtoull(from, NULL, 10) * 2 + 1 : 1;
    http_world_open(&world);
    rig_world_set(&world, "leat.http.listen", "127.0.0.1:0");
    rig_world_set(&world, "dsl.store.backend", "memory");
    http_fill(&world);
    app = http_start(&world);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    leat_app_free(app);
    rig_world_close(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_at_random),
        cmocka_unit_test(test_garbage_on_the_socket),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
