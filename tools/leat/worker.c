/*
 * tools/leat/worker.c: a running worker, asked over HTTP with libcurl.
 *
 * One connection, kept for all questions. A question gives up after --timeout, or at Ctrl-C. What
 * the worker refuses it says itself, as JSON: {"error": {"code", "text"}}; what is no such answer
 * at all is told as what it is, since the address may be that of something else. The token goes
 * into a header and nowhere else.
 */
#include "worker.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/mem.h"

enum { ANSWER_MAX = 256 << 20, EVENT_MAX = 16 << 20, TOKEN_MAX = 4096 };

struct cli_worker_t {
    cli_t *cli;
    CURL *curl;
    struct curl_slist *headers;
    char *url; /* without a slash at the end */
    const char *name;
    int64_t timeout_ms;
    char why[CURL_ERROR_SIZE];
};

typedef struct exchange_t {
    leat__buf_t body;
    bool too_large;
    cli_event_fn fn; /* of a stream of events */
    void *user;
    char *event;
    bool enough;
    CURL *curl;
} exchange_t;

/* ---- where, and with what ---- */

/* "8080", "host:8080", "https://host:8080/". */
static char *url_of(const char *worker, bool tls)
{
    const char *scheme = strstr(worker, "://") ? "" : tls ? "https://" : "http://";
    bool port_only = worker[strspn(worker, "0123456789")] == '\0';
    char *url = leat__must_format("%s%s%s", scheme, port_only ? "localhost:" : "", worker);

    for (size_t size = strlen(url); size && url[size - 1] == '/'; size--)
        url[size - 1] = '\0';
    return url;
}

/* [own] The token; NULL: there is none, or told. */
static char *token_of(cli_t *c)
{
    const char *path = cli_text(c, "token-file", NULL), *kept = getenv("LEAT_HTTP_TOKEN"),
               *own = leat__config_text(c->config, "leat.http.token");
    char text[TOKEN_MAX];
    FILE *file;
    size_t size;

    if (!path)
        return kept && *kept ? leat__must_strdup(kept) : *own ? leat__must_strdup(own) : NULL;
    file = fopen(path, "r");
    size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[size] = '\0';
    text[strcspn(text, " \t\r\n")] = '\0';
    if (*text)
        return leat__must_strdup(text);
    cli_usage(c, "--token-file %s %s", path, file ? "is empty" : "cannot be read");
    return NULL;
}

static void add_token(cli_worker_t *w)
{
    char *token = token_of(w->cli), *header;

    if (!token)
        return;
    header = leat__must_format("Authorization: Bearer %s", token);
    w->headers = curl_slist_append(w->headers, header);
    leat__free(header);
    leat__free(token);
}

static int stop_if_wanted(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)user;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return cli_stop_wanted();
}

/* --verbose: what the client says, not the headers, one of which is the token. */
static int say(CURL *curl, curl_infotype type, char *text, size_t size, void *user)
{
    (void)curl;
    (void)user;
    if (type == CURLINFO_TEXT)
        fwrite(text, 1, size, stderr);
    return 0;
}

/* A proxy of the environment is for the world outside; workers are inside. */
static void set_options(cli_worker_t *w)
{
    const char *ca = cli_text(w->cli, "ca", NULL);

    w->headers = curl_slist_append(w->headers, "Content-Type: application/json");
    curl_easy_setopt(w->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(w->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(w->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(w->curl, CURLOPT_ERRORBUFFER, w->why);
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, w->headers);
    curl_easy_setopt(w->curl, CURLOPT_XFERINFOFUNCTION, stop_if_wanted);
    curl_easy_setopt(w->curl, CURLOPT_NOPROGRESS, 0L);
    if (ca)
        curl_easy_setopt(w->curl, CURLOPT_CAINFO, ca);
    if (cli_has(w->cli, "verbose"))
        curl_easy_setopt(w->curl, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(w->curl, CURLOPT_DEBUGFUNCTION, say);
}

cli_worker_t *cli_worker_open(cli_t *c, const char *worker, int64_t timeout_ms)
{
    cli_worker_t *w;

    if (!c->config && !c->status)
        cli_load_config(c);
    if (c->status)
        return NULL;
    worker = worker ? worker
                    : cli_text(c, "worker", leat__config_text(c->config, "leat.http.listen"));
    if (!*worker) {
        cli_usage(c, "say which worker: --worker HOST:PORT, or leat.http.listen in --config FILE "
                     "or in the file that LEAT_CONFIG names");
        return NULL;
    }
    w = leat__must_alloc(sizeof *w);
    w->cli = c;
    w->timeout_ms = timeout_ms;
    w->url = url_of(worker, cli_has(c, "ca"));
    w->name = strstr(w->url, "://") + 3;
    w->curl = curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : curl_easy_init();
    if (!w->curl) {
        cli_fail(c, CLI_FAILED, "libcurl cannot begin");
    } else {
        add_token(w);
        set_options(w);
    }
    if (!c->status)
        return w;
    cli_worker_close(w);
    return NULL;
}

void cli_worker_close(cli_worker_t *w)
{
    if (!w)
        return;
    curl_easy_cleanup(w->curl);
    curl_slist_free_all(w->headers);
    curl_global_cleanup();
    leat__free(w->url);
    leat__free(w);
}

const char *cli_worker_name(const cli_worker_t *w)
{
    return w->name;
}

/* ---- paths ---- */

void cli_put_part(leat__buf_t *path, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *text; text++) {
        if (strchr(plain, *text))
            leat__buf_put(path, text, 1);
        else
            leat__buf_format(path, "%%%02X", (unsigned)(unsigned char)*text);
    }
}

void cli_put_parameter(leat__buf_t *path, const char *name, const char *value)
{
    if (!value)
        return;
    leat__buf_format(path, "%c%s=", strchr(leat__buf_text(path), '?') ? '&' : '?', name);
    cli_put_part(path, value);
}

/* ---- failures ---- */

static bool fails(cli_answer_t *a, int status, const char *format, ...) LEAT_PRINTF(3, 4);
static bool fails(cli_answer_t *a, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(a->text, sizeof a->text, format, args);
    va_end(args);
    a->status = status;
    return false;
}

static bool failed_to_talk(const cli_worker_t *w, CURLcode code, cli_answer_t *a)
{
    const char *why = w->why[0] ? w->why : curl_easy_strerror(code);

    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        return fails(a, CLI_FAILED, "stopped");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return fails(a, CLI_NO_ANSWER,
            "%s: %s: does a worker with leat.http.listen run there?", w->name, why);
    case CURLE_OPERATION_TIMEDOUT:
        return fails(a, CLI_NO_ANSWER, "%s: no answer in %lld ms (--timeout)", w->name,
            (long long)w->timeout_ms);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return fails(a, CLI_REFUSED, "%s: %s: --ca FILE names who signed its certificate", w->name,
            why);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return fails(a, CLI_USAGE, "--worker takes HOST:PORT or a URL of http or https: %s", why);
    default:
        return fails(a, CLI_NO_ANSWER, "%s: %s", w->name, why);
    }
}

static int status_of(long http)
{
    switch (http) {
    case 401:
    case 403:
        return CLI_REFUSED;
    case 404:
        return CLI_NOT_FOUND;
    case 400:
        return CLI_USAGE;
    case 429:
    case 503:
    case 504:
        return CLI_NO_ANSWER;
    default:
        return CLI_FAILED;
    }
}

/* A refusal in the worker's words. */
static bool refused(const cli_worker_t *w, long http, const json_t *json, cli_answer_t *a)
{
    const json_t *error = json_object_get(json, "error");
    const char *text = json_string_value(json_object_get(error, "text")),
               *owner = json_string_value(json_object_get(error, "owner"));

    if (http == 401)
        return fails(a, CLI_REFUSED,
            "%s refused the token: --token-file FILE or the variable LEAT_HTTP_TOKEN gives it",
            w->name);
    if (!text)
        return fails(a, status_of(http),
            "%s answered with HTTP status %ld and no reason: is that a worker's leat.http.listen?",
            w->name, http);
    return fails(
        a, status_of(http), "%s%s%s", text, owner ? "; it is at " : "", owner ? owner : "");
}

/* ---- questions ---- */

static size_t take_body(char *data, size_t one, size_t size, void *user)
{
    exchange_t *x = user;

    (void)one;
    x->too_large = x->body.size + size > ANSWER_MAX;
    if (x->too_large)
        return 0;
    leat__buf_put(&x->body, data, size);
    return size;
}

static CURLcode perform(cli_worker_t *w, const char *path, const json_t *body, exchange_t *x)
{
    char *url = leat__must_format("%s%s", w->url, path),
         *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    CURLcode code;

    w->why[0] = '\0';
    curl_easy_setopt(w->curl, CURLOPT_URL, url);
    curl_easy_setopt(w->curl, CURLOPT_HTTPGET, 1L);
    if (text)
        curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, text);
    curl_easy_setopt(w->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)w->timeout_ms);
    curl_easy_setopt(w->curl, CURLOPT_TIMEOUT_MS, x->fn ? 0L : (long)w->timeout_ms);
    curl_easy_setopt(w->curl, CURLOPT_WRITEDATA, x);
    code = curl_easy_perform(w->curl);
    free(text);
    leat__free(url);
    return code;
}

static long http_status(const cli_worker_t *w)
{
    long http = 0;

    curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &http);
    return http;
}

static bool ask_once(cli_worker_t *w, const char *path, const json_t *body, exchange_t *x,
    cli_answer_t *a)
{
    CURLcode code;

    curl_easy_setopt(w->curl, CURLOPT_WRITEFUNCTION, take_body);
    code = perform(w, path, body, x);
    if (x->too_large)
        return fails(a, CLI_FAILED, "%s: an answer of more than %d MiB", w->name, ANSWER_MAX >> 20);
    return code ? failed_to_talk(w, code, a) : true;
}

bool cli_worker_try(cli_worker_t *w, const char *path, const json_t *body, cli_answer_t *answer)
{
    exchange_t x = {.curl = w->curl};
    json_error_t err;
    json_t *json = NULL;

    *answer = (cli_answer_t){.json = NULL};
    if (ask_once(w, path, body, &x, answer)) {
        long http = http_status(w);

        json = json_loadb(x.body.data ? x.body.data : "", x.body.size, JSON_DECODE_ANY, &err);
        if (http < 200 || http > 299)
            refused(w, http, json, answer);
        else if (json)
            answer->json = json_incref(json);
        else
            fails(answer, CLI_FAILED,
                "%s answered with what is no JSON (%s): is that a worker's leat.http.listen?",
                w->name, err.text);
    }
    json_decref(json);
    leat__buf_release(&x.body);
    return answer->json != NULL;
}

json_t *cli_worker_ask(cli_worker_t *w, const char *path, const json_t *body)
{
    cli_answer_t answer;

    if (!cli_worker_try(w, path, body, &answer))
        cli_fail(w->cli, answer.status, "%s", answer.text);
    return answer.json;
}

char *cli_worker_text(cli_worker_t *w, const char *path)
{
    exchange_t x = {.curl = w->curl};
    cli_answer_t a = {.json = NULL};
    long http;
    json_t *json;

    if (ask_once(w, path, NULL, &x, &a)) {
        http = http_status(w);
        if (http == 200)
            return leat__buf_finish(&x.body);
        json = json_loadb(x.body.data ? x.body.data : "", x.body.size, 0, NULL);
        refused(w, http, json, &a);
        json_decref(json);
    }
    cli_fail(w->cli, a.status, "%s", a.text);
    leat__buf_release(&x.body);
    return NULL;
}

/* ---- streams of events (text/event-stream) ---- */

static bool value_of(char *line, const char *name, char **value)
{
    size_t size = strlen(name);

    if (strncmp(line, name, size) != 0 || line[size] != ':')
        return false;
    *value = line + size + 1 + (line[size + 1] == ' ');
    return true;
}

/* A line: "event: NAME" names the data that follows; the end of an event forgets the name. The
 * worker's data is always one line. */
static void take_line(exchange_t *x, char *line)
{
    char *value;

    if (value_of(line, "event", &value)) {
        leat__free(x->event);
        x->event = leat__must_strdup(value);
    } else if (value_of(line, "data", &value)) {
        x->enough = !x->fn(x->user, x->event ? x->event : "message", value);
    } else if (!*line) {
        leat__free(x->event);
        x->event = NULL;
    }
}

static size_t take_events(char *data, size_t one, size_t size, void *user)
{
    exchange_t *x = user;
    char *at, *end;
    long http = 0;

    (void)one;
    leat__buf_put(&x->body, data, size);
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &http);
    if (http != 200)
        return x->body.size < EVENT_MAX ? size : 0;
    at = x->body.data;
    while (!x->enough && (end = memchr(at, '\n', x->body.size - (size_t)(at - x->body.data)))) {
        *end = '\0';
        if (end > at && end[-1] == '\r')
            end[-1] = '\0';
        take_line(x, at);
        at = end + 1;
    }
    x->body.size -= (size_t)(at - x->body.data);
    memmove(x->body.data, at, x->body.size);
    x->too_large = x->body.size > EVENT_MAX;
    return x->enough || x->too_large ? 0 : size;
}

static void tell_end(cli_worker_t *w, const exchange_t *x, CURLcode code)
{
    cli_answer_t a = {.json = NULL};
    long http = http_status(w);

    if (x->too_large) {
        fails(&a, CLI_FAILED, "%s: an event of more than %d MiB", w->name, EVENT_MAX >> 20);
    } else if (http && http != 200) {
        json_t *json = json_loadb(x->body.data ? x->body.data : "", x->body.size, 0, NULL);

        refused(w, http, json, &a);
        json_decref(json);
    } else if (code) {
        failed_to_talk(w, code, &a);
    } else {
        fails(&a, CLI_NO_ANSWER, "%s ended the feed", w->name);
    }
    cli_fail(w->cli, a.status, "%s", a.text);
}

void cli_worker_follow(cli_worker_t *w, const char *path, cli_event_fn fn, void *user)
{
    exchange_t x = {.fn = fn, .user = user, .curl = w->curl};
    CURLcode code;

    curl_easy_setopt(w->curl, CURLOPT_WRITEFUNCTION, take_events);
    code = perform(w, path, NULL, &x);
    if (!x.enough && !cli_stop_wanted() && !w->cli->status)
        tell_end(w, &x, code);
    leat__free(x.event);
    leat__buf_release(&x.body);
}
