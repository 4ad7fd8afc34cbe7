/*
 * runtime/query/server.c: sockets, threads, TLS and limits of the HTTP server, by libmicrohttpd.
 *
 * A thread per connection: a read that waits, for a partition that is busy or for a position to be
 * reached, holds nobody else up, and the code of a read is straight. What a connection needs from one
 * request to the next stands in its link, which lives from accept to close.
 */
#include "feed.h"
#include "http.h"
#include "listen.h"
#include "routes.h"

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MEMORY_BYTES = 32 * 1024,  /* of a connection: the request line and the headers fit in */
    BODY_BYTES_MAX = 1 << 20,
    FEED_BYTES = 16 * 1024,
    FEED_END_MS = 1000,
    OVER = 16,                 /* connections above the limit that are still told so */
    PEM_BYTES_MAX = 1 << 20
};

struct leat__http_t {
    leat__site_t site;
    leat__share_t share;
    leat__listening_t at;
    struct MHD_Daemon *daemon;
    int connections_max;
    int64_t request_ms; /* leat.http.request.timeout.ms */
    pthread_t keeper;
    bool has_keeper;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct leat__link_t *links;
    int connections;
    bool stopping;
    char *certificate, *key; /* PEM */
    bool starting;
    char said[160]; /* by the library, while it starts */
};

typedef struct leat__link_t { /* one connection; its thread's alone, but for the first lines */
    struct leat__link_t *next, **at; /* under the server's lock */
    int fd;
    _Atomic int64_t until_ms; /* the client has to have done its part; 0: it is our turn */
    leat__http_t *http;
    bool over;            /* above the limit */
    bool began;           /* the headers of a request are there */
    leat__buf_t target;   /* terminated */
    leat__buf_t body;
    leat__arena_t scratch;
} link_t;

/* ---- connections ---- */

static int64_t now_ms(const leat__http_t *http)
{
    return leat__clock_steady_ms(http->site.app->worker.clock);
}

/* A request has to come whole in time, and so has a reply to be taken. */
static void their_turn(link_t *l)
{
    atomic_store(&l->until_ms, now_ms(l->http) + l->http->request_ms);
}

static link_t *open_link(leat__http_t *http, struct MHD_Connection *c)
{
    link_t *l = leat__must_alloc(sizeof *l);

    l->http = http;
    l->fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    leat__arena_init(&l->scratch);
    their_turn(l);
    pthread_mutex_lock(&http->lock);
    l->over = http->connections++ >= http->connections_max;
    l->next = http->links;
    l->at = &http->links;
    if (l->next)
        l->next->at = &l->next;
    http->links = l;
    pthread_cond_signal(&http->changed);
    pthread_mutex_unlock(&http->lock);
    return l;
}

/* Before its socket is closed. */
static void close_link(leat__http_t *http, link_t *l)
{
    pthread_mutex_lock(&http->lock);
    http->connections--;
    *l->at = l->next;
    if (l->next)
        l->next->at = l->at;
    pthread_mutex_unlock(&http->lock);
    leat__buf_release(&l->target);
    leat__buf_release(&l->body);
    leat__arena_release(&l->scratch);
    leat__free(l);
}

static void on_connection(void *user, struct MHD_Connection *c, void **context,
    enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *context = open_link(user, c);
    else
        close_link(user, *context);
}

/* Ends the connections of clients that take too long: a byte now and then does not keep one. */
static void *keep(void *user)
{
    leat__http_t *http = user;
    int64_t pause_ms = http->request_ms / 4 < 1000 ? http->request_ms / 4 : 1000;

    pthread_mutex_lock(&http->lock);
    while (!http->stopping) {
        struct timespec until = leat__deadline(pause_ms);
        int64_t now = now_ms(http);

        if (http->links)
            pthread_cond_timedwait(&http->changed, &http->lock, &until);
        else
            pthread_cond_wait(&http->changed, &http->lock);
        for (link_t *l = http->links; l; l = l->next) {
            int64_t until_ms = atomic_load(&l->until_ms);

            if (until_ms && until_ms < now)
                shutdown(l->fd, SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&http->lock);
    return NULL;
}

static link_t *link_of(struct MHD_Connection *c)
{
    return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The target as it was sent: the library takes it apart in place afterwards. */
static void *on_target(void *user, const char *target, struct MHD_Connection *c)
{
    link_t *l = link_of(c);

    (void)user;
    l->target.size = 0;
    leat__buf_put(&l->target, target, strlen(target) + 1);
    l->body.size = 0;
    l->began = false;
    return NULL;
}

static size_t leave_escaped(void *user, struct MHD_Connection *c, char *text)
{
    (void)user;
    (void)c;
    return strlen(text);
}

/* ---- a request ---- */

typedef struct stream_t { /* a feed on its way to a client */
    leat__feed_t *feed;
    link_t *link;
} stream_t;

/* Called when the client has taken what it got before. */
static ssize_t on_feed(void *user, uint64_t at, char *room, size_t size)
{
    stream_t *s = user;
    size_t got;

    (void)at;
    atomic_store(&s->link->until_ms, 0);
    got = leat__feed_read(s->feed, room, size);
    their_turn(s->link);
    return got ? (ssize_t)got : MHD_CONTENT_READER_END_OF_STREAM;
}

static void on_feed_end(void *user)
{
    stream_t *s = user;

    leat__feed_close(s->feed);
    leat__free(s);
}

static struct MHD_Response *response_of(leat__reply_t *reply, link_t *l)
{
    size_t size = reply->body.size;

    if (reply->feed) {
        stream_t *s = leat__must_alloc(sizeof *s);

        *s = (stream_t){reply->feed, l};
        leat__buf_release(&reply->body);
        reply->type = "text/event-stream";
        return MHD_create_response_from_callback(
            MHD_SIZE_UNKNOWN, FEED_BYTES, on_feed, s, on_feed_end);
    }
    if (reply->fixed.data) {
        leat__buf_release(&reply->body);
        return MHD_create_response_from_buffer(
            reply->fixed.size, (void *)(uintptr_t)reply->fixed.data, MHD_RESPMEM_PERSISTENT);
    }
    return MHD_create_response_from_buffer_with_free_callback(
        size, leat__buf_finish(&reply->body), leat__free);
}

static enum MHD_Result send_reply(struct MHD_Connection *c, leat__reply_t *reply)
{
    struct MHD_Response *response = response_of(reply, link_of(c));
    enum MHD_Result sent;
    char seconds[16];

    MHD_add_response_header(
        response, "Content-Type", reply->type ? reply->type : "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    /* what the page may do stands in itself (page.html); this cannot be said there */
    MHD_add_response_header(response, "Content-Security-Policy", "frame-ancestors 'none'");
    if (reply->allow)
        MHD_add_response_header(response, "Allow", reply->allow);
    if (reply->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (reply->retry_after_s) {
        snprintf(seconds, sizeof seconds, "%d", reply->retry_after_s);
        MHD_add_response_header(response, "Retry-After", seconds);
    }
    sent = MHD_queue_response(c, reply->status ? (unsigned)reply->status : 200, response);
    MHD_destroy_response(response);
    return sent;
}

/* Refused before its body was read, so the connection ends with it. */
static enum MHD_Result refuse(
    struct MHD_Connection *c, int status, const char *code, const char *text)
{
    leat__reply_t reply = {.retry_after_s = status == 503};

    leat__reply_error(&reply, status, code, NULL, "%s", text);
    return send_reply(c, &reply);
}

/* The reply is out: the next request may come. */
static void on_done(void *user, struct MHD_Connection *c, void **context,
    enum MHD_RequestTerminationCode how)
{
    (void)user;
    (void)context;
    (void)how;
    their_turn(link_of(c));
}

static enum MHD_Result reply_to(struct MHD_Connection *c, link_t *l, const char *method)
{
    leat__reply_t reply = {0};
    leat__request_t r = {.site = &l->http->site,
        .method = method,
        .authorization = leat_slice(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization")),
        .host = leat_slice(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host")),
        .body = {l->body.data, l->body.size},
        .scratch = &l->scratch};
    enum MHD_Result sent;

    atomic_store(&l->until_ms, 0);
    if (leat__request_parse(&r, l->target.data, &reply))
        leat__route(&r, &reply);
    sent = send_reply(c, &reply);
    their_turn(l);
    leat__arena_reset(&l->scratch);
    return sent;
}

static enum MHD_Result check_head(struct MHD_Connection *c, const link_t *l)
{
    leat_slice_t length =
        leat_slice(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length"));
    int64_t size;

    if (l->over)
        return refuse(c, 503, "busy",
            "as many connections as leat.http.connections allows are open: try again later");
    if (leat_slice_int64(&length, &size) && size > BODY_BYTES_MAX)
        return refuse(c, 413, "too_large", "a body has at most 1 MiB");
    return MHD_YES;
}

/* Called when the headers are there, then with each piece of the body, then at its end. */
static enum MHD_Result on_request(void *user, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *data, size_t *size, void **context)
{
    link_t *l = link_of(c);

    (void)user;
    (void)url;
    (void)version;
    (void)context;
    if (!l->began) {
        l->began = true;
        return check_head(c, l);
    }
    if (*size == 0)
        return reply_to(c, l, method);
    if (l->body.size + *size > BODY_BYTES_MAX)
        return MHD_NO; /* it said no length */
    leat__buf_put(&l->body, data, *size);
    *size = 0;
    return MHD_YES;
}

/* ---- start ---- */

static void on_log(void *user, const char *format, va_list args)
{
    leat__http_t *http = user;
    char text[sizeof http->said];

    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\r\n")] = '\0';
    if (http->starting)
        memcpy(http->said, text, sizeof text);
    leat__log(LEAT_LOG_DEBUG, "http", NULL, "%s", text);
}

/* [own] NULL: err. */
static char *read_pem(const char *property, const char *path, leat_error_t *err)
{
    FILE *f = fopen(path, "re");
    char *text = leat__must_alloc(PEM_BYTES_MAX + 1);
    size_t size = f ? fread(text, 1, PEM_BYTES_MAX, f) : 0;
    bool failed = !f || ferror(f);

    if (failed)
        leat__error(err, LEAT_EIO, LEAT_FATAL, property, "%.150s: %s", path, strerror(errno));
    if (f)
        fclose(f);
    if (!failed && size > 0)
        return text;
    if (!failed)
        leat__error(err, LEAT_ECONFIG, LEAT_FATAL, property, "%.150s is empty", path);
    leat__free(text);
    return NULL;
}

static int read_tls(leat__http_t *http, const leat_config_t *config, leat_error_t *err)
{
    const char *certificate = leat__config_text(config, "leat.http.certificate"),
               *key = leat__config_text(config, "leat.http.key");

    if (!*certificate && !*key)
        return 0;
    if (!*certificate || !*key)
        return leat__error(err, LEAT_ECONFIG, LEAT_FATAL,
            *key ? "leat.http.certificate" : "leat.http.key",
            "not set, but %s is: TLS needs both", *key ? "leat.http.key" : "leat.http.certificate");
    http->certificate = read_pem("leat.http.certificate", certificate, err);
    http->key = http->certificate ? read_pem("leat.http.key", key, err) : NULL;
    return http->key ? 0 : err->code;
}

static int start_daemon(leat__http_t *http, leat_error_t *err)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                     MHD_USE_ITC | MHD_USE_ERROR_LOG | (http->key ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, http->certificate}, {MHD_OPTION_HTTPS_MEM_KEY, 0, http->key},
        {MHD_OPTION_END, 0, NULL}};

    http->starting = true;
    http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, http,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, http, MHD_OPTION_LISTEN_SOCKET, http->at.fd,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped,
        NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_NOTIFY_COMPLETED, on_done, NULL,
        MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(http->connections_max + OVER), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_BYTES,
        http->key ? MHD_OPTION_ARRAY : MHD_OPTION_END, tls, MHD_OPTION_END);
    http->starting = false;
    if (http->daemon) {
        http->has_keeper = pthread_create(&http->keeper, NULL, keep, http) == 0;
        return http->has_keeper ? 0 : leat__error(err, LEAT_ENOMEM, LEAT_FATAL, "leat.http.listen",
                                          "the HTTP server cannot start a thread");
    }
    return leat__error(err, LEAT_ECONFIG, LEAT_FATAL,
        http->key ? "leat.http.certificate" : "leat.http.listen", "the HTTP server does not start: %s",
        http->said);
}

static int prepare(leat__http_t *http, const leat_config_t *config, leat_error_t *err)
{
    const char *where = leat__config_text(config, "leat.http.listen");
    int rc = leat__listen(where, &http->at, err);

    http->site.loopback = http->at.loopback;
    if (!rc && !http->at.loopback && !*http->site.token)
        rc = leat__error(err, LEAT_ECONFIG, LEAT_FATAL, "leat.http.token",
            "not set, but leat.http.listen=%.80s lets other machines in: set a token, e.g. "
            "${file:PATH}, or listen on a port of 127.0.0.1",
            where);
    return rc ? rc : read_tls(http, config, err);
}

int leat__http_listen(leat_app_t *app, leat__http_t **prepared, leat_error_t *err)
{
    leat__http_t *http;
    int rc;

    *prepared = NULL;
    if (!*leat__config_text(app->config, "leat.http.listen"))
        return 0;
    http = leat__must_alloc(sizeof *http);
    http->at.fd = -1;
    http->site = (leat__site_t){.app = app,
        .share = &http->share,
        .token = leat__config_text(app->config, "leat.http.token"),
        .rows_max = (size_t)leat__config_int(app->config, "leat.http.page.rows")};
    pthread_mutex_init(&http->lock, NULL);
    leat__cond_init(&http->changed);
    http->request_ms = leat__config_int(app->config, "leat.http.request.timeout.ms");
    http->connections_max = (int)leat__config_int(app->config, "leat.http.connections");
    rc = prepare(http, app->config, err);
    if (rc)
        leat__http_stop(http);
    else
        *prepared = http;
    return rc;
}

int leat__http_serve(leat__http_t *http, leat_error_t *err)
{
    int rc = http ? start_daemon(http, err) : 0;

    if (http && !rc)
        leat__log(LEAT_LOG_INFO, "http", NULL, "listening on port %d, %s%s", http->at.port,
            http->at.loopback ? "for this machine" : "for all machines", http->key ? ", TLS" : "");
    return rc;
}

/* Their clients are told why, if they listen. */
static void end_feeds(leat__http_t *http)
{
    struct timespec moment = {.tv_nsec = 10 * 1000000L};

    atomic_store(&http->share.stopping, true);
    for (int i = 0; atomic_load(&http->share.feeds) > 0 && i < FEED_END_MS / 10; i++)
        nanosleep(&moment, NULL);
}

void leat__http_stop(leat__http_t *http)
{
    if (!http)
        return;
    end_feeds(http);
    if (http->daemon)
        MHD_stop_daemon(http->daemon); /* joins its threads, closes the socket */
    else if (http->at.fd >= 0)
        close(http->at.fd);
    pthread_mutex_lock(&http->lock);
    http->stopping = true;
    pthread_cond_signal(&http->changed);
    pthread_mutex_unlock(&http->lock);
    if (http->has_keeper)
        pthread_join(http->keeper, NULL);
    pthread_mutex_destroy(&http->lock);
    pthread_cond_destroy(&http->changed);
    leat__free(http->certificate);
    if (http->key)
        explicit_bzero(http->key, strlen(http->key));
    leat__free(http->key);
    leat__free(http);
}

int leat__http_port(const leat__http_t *http)
{
    return http->at.port;
}
