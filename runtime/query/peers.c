/*
 * runtime/query/peers.c: see peers.h; by libcurl, seen by no other file.
 *
 * A line is a multi handle: its connections outlive its calls. Whoever waits for one call drives all
 * of its line. A connection that was closed while it waited is noticed by curl, which opens another.
 */
#include "runtime/peers.h"

#include <curl/curl.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    LINES_KEPT = 16,       /* that wait for a query */
    CONNECTIONS_KEPT = 16, /* of a line */
    CONNECT_MS = 2000,
    ANSWER_BYTES_MAX = 256 << 20 /* a page is 64 KiB and a row, and a row may be large */
};

struct leat__line_t {
    leat__line_t *next;
    const leat__peers_t *peers;
    CURLM *multi;
    struct curl_slist *headers;
};

struct leat__peers_t {
    const char *token, *ca; /* the configuration's */
    pthread_mutex_t lock;
    leat__line_t *first;
    size_t count;
};

struct leat__call_t {
    leat__line_t *line;
    CURL *easy;
    char *url, *host; /* [own] */
    leat__buf_t body, answer;
    bool over;
    CURLcode result;
    char said[CURL_ERROR_SIZE];
};

/* ---- lines ---- */

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

leat__peers_t *leat__peers_new(const leat_config_t *config)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    leat__peers_t *p = leat__must_alloc(sizeof *p);

    pthread_once(&once, init_curl);
    p->token = leat__config_text(config, "leat.http.token");
    p->ca = leat__config_text(config, "leat.http.ca");
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

static void free_line(leat__line_t *l)
{
    curl_multi_cleanup(l->multi);
    curl_slist_free_all(l->headers);
    leat__free(l);
}

void leat__peers_free(leat__peers_t *p)
{
    if (!p)
        return;
    while (p->first) {
        leat__line_t *l = p->first;

        p->first = l->next;
        free_line(l);
    }
    pthread_mutex_destroy(&p->lock);
    leat__free(p);
}

static void add_header(leat__line_t *l, const char *text)
{
    l->headers = curl_slist_append(l->headers, text);
    LEAT_ASSERT(l->headers != NULL);
}

static leat__line_t *new_line(const leat__peers_t *p)
{
    leat__line_t *l = leat__must_alloc(sizeof *l);

    l->peers = p;
    l->multi = curl_multi_init();
    LEAT_ASSERT(l->multi != NULL);
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    add_header(l, "Content-Type: application/octet-stream");
    add_header(l, "Expect:");
    if (*p->token) {
        char *text = leat__must_format("Authorization: Bearer %s", p->token);

        add_header(l, text);
        leat__free(text);
    }
    return l;
}

leat__line_t *leat__peers_lend(leat__peers_t *p)
{
    pthread_mutex_lock(&p->lock);
    leat__line_t *l = p->first;
    if (l) {
        p->first = l->next;
        p->count--;
    }
    pthread_mutex_unlock(&p->lock);
    return l ? l : new_line(p);
}

void leat__peers_take_back(leat__peers_t *p, leat__line_t *line)
{
    if (!line)
        return;
    pthread_mutex_lock(&p->lock);
    bool keep = p->count < LINES_KEPT;
    if (keep) {
        line->next = p->first;
        p->first = line;
        p->count++;
    }
    pthread_mutex_unlock(&p->lock);
    if (!keep)
        free_line(line);
}

/* ---- calls ---- */

static size_t on_answer(char *bytes, size_t size, size_t count, void *user)
{
    leat__call_t *c = user;

    (void)size; /* it is 1 */
    if (c->answer.size + count > ANSWER_BYTES_MAX)
        return 0;
    leat__buf_put(&c->answer, bytes, count);
    return count;
}

static void set_options(leat__call_t *c, int64_t timeout_ms)
{
    const leat__peers_t *p = c->line->peers;
    CURL *e = c->easy;

    curl_easy_setopt(e, CURLOPT_URL, c->url);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, c->body.data);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.size);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->line->headers);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(e, CURLOPT_PRIVATE, c);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->said);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(timeout_ms > 0 ? timeout_ms : 1));
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* workers reach each other, whatever the environment says */
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (*p->ca)
        curl_easy_setopt(e, CURLOPT_CAINFO, p->ca);
}

leat__call_t *leat__line_ask(
    leat__line_t *l, const char *host, leat__buf_t *body, int64_t timeout_ms)
{
    leat__call_t *c = leat__must_alloc(sizeof *c);
    bool has_scheme = strncmp(host, "https://", 8) == 0;

    c->line = l;
    c->body = *body;
    *body = (leat__buf_t){0};
    c->host = leat__must_strdup(host);
    c->url = leat__must_format("%s%s/v1/internal/ask", has_scheme ? "" : "http://", host);
    c->easy = curl_easy_init();
    LEAT_ASSERT(c->easy != NULL);
    set_options(c, timeout_ms);
    LEAT_ASSERT(curl_multi_add_handle(l->multi, c->easy) == CURLM_OK);
    int running;
    curl_multi_perform(l->multi, &running); /* it is on its way while others are begun */
    return c;
}

static void collect(leat__line_t *l)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(l->multi, &left))) {
        char *user = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &user);
        leat__call_t *c = (leat__call_t *)(void *)user;
        c->over = true;
        c->result = m->data.result;
    }
}

bool leat__call_wait(leat__call_t *c, int64_t timeout_ms)
{
    int64_t until_ms = leat__clock_steady_ms(NULL) + timeout_ms, left_ms = timeout_ms;
    int running;

    for (;;) {
        curl_multi_perform(c->line->multi, &running);
        collect(c->line);
        if (c->over || left_ms <= 0)
            return c->over;
        curl_multi_poll(c->line->multi, NULL, 0, left_ms < 1000 ? (int)left_ms : 1000, NULL);
        left_ms = until_ms - leat__clock_steady_ms(NULL);
    }
}

static int unreachable(const leat__call_t *c, leat_error_t *err)
{
    const char *why = c->said[0] ? c->said : curl_easy_strerror(c->result);

    if (c->result == CURLE_PEER_FAILED_VERIFICATION || c->result == CURLE_SSL_CACERT_BADFILE)
        return leat__error(err, LEAT_EAUTH, 0, c->host,
            "%s: leat.http.ca names the PEM file of the authority that other workers are trusted by",
            why);
    if (c->result == CURLE_OPERATION_TIMEDOUT)
        return leat__error(err, LEAT_ETIMEOUT, LEAT_RETRIABLE, c->host, "%s", why);
    if (c->result == CURLE_WRITE_ERROR)
        return leat__error(err, LEAT_EFAILED, 0, c->host, "the answer is larger than %d MiB",
            (int)(ANSWER_BYTES_MAX >> 20));
    return leat__error(err, LEAT_EMOVED, LEAT_RETRIABLE, c->host, "%s", why);
}

int leat__call_answer(leat__call_t *c, leat_slice_t *body, leat_error_t *err)
{
    long status = 0;

    if (c->result != CURLE_OK)
        return unreachable(c, err);
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    *body = (leat_slice_t){c->answer.data, c->answer.size};
    switch (status) {
    case 200:
        return 0;
    case 401:
        return leat__error(err, LEAT_EAUTH, 0, c->host,
            "it refused our token: all workers of an application have the same leat.http.token");
    case 429:
    case 503:
        return leat__error(err, LEAT_ETIMEOUT, LEAT_RETRIABLE, c->host,
            "it is busy: leat.http.connections is how many it serves at once");
    default:
        return leat__error(err, LEAT_EFAILED, 0, c->host,
            "it answers questions of other workers with status %ld: is it a worker of the same "
            "version?",
            status);
    }
}

void leat__call_end(leat__call_t *c)
{
    if (!c)
        return;
    curl_multi_remove_handle(c->line->multi, c->easy);
    curl_easy_cleanup(c->easy);
    leat__buf_release(&c->body);
    leat__buf_release(&c->answer);
    leat__free(c->url);
    leat__free(c->host);
    leat__free(c);
}
