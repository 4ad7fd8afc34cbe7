/* runtime/query/routes.c: see routes.h. */
#include "routes.h"

#include <string.h>
#include <strings.h>

const leat__route_t leat__routes[] = {
    {"GET", "/", true, leat__answer_page_html},
    {"GET", "/health/live", true, leat__answer_live},
    {"GET", "/health/ready", true, leat__answer_ready},
    {"GET", "/metrics", false, leat__answer_metrics},
    {"GET", "/v1/openapi.json", false, leat__answer_openapi},
    {"GET", "/v1/topology", false, leat__answer_topology},
    {"GET", "/v1/tasks", false, leat__answer_tasks},
    {"GET", "/v1/nodes", false, leat__answer_nodes},
    {"GET", "/v1/workers", false, leat__answer_workers},
    {"GET", "/v1/stores", false, leat__answer_stores},
    {"GET", "/v1/stores/{store}/keys", false, leat__answer_keys},
    {"GET", "/v1/stores/{store}/keys/{key}", false, leat__answer_key},
    {"POST", "/v1/stores/{store}/get", false, leat__answer_get},
    {"GET", "/v1/stores/{store}/count", false, leat__answer_count},
    {"GET", "/v1/stores/{store}/changes", false, leat__answer_changes},
    {"GET", "/v1/stores/{store}/owner/{key}", false, leat__answer_owner},
    {"GET", "/v1/stores/{store}/windows", false, leat__answer_windows},
    {"GET", "/v1/stores/{store}/windows/{key}", false, leat__answer_windows_of},
    {"GET", "/v1/stores/{store}/sessions", false, leat__answer_sessions},
    {"GET", "/v1/stores/{store}/sessions/{key}", false, leat__answer_sessions_of},
    {"GET", "/v1/stores/{store}/versions/{key}", false, leat__answer_versions},
    {"POST", "/v1/internal/ask", false, leat__answer_ask},
};
const size_t leat__route_count = sizeof leat__routes / sizeof *leat__routes;

static bool matches(const leat__route_t *route, const leat__request_t *r)
{
    const char *at = route->path;
    size_t i = 0;

    for (; *at && at[1]; i++) {
        size_t size = strcspn(++at, "/");

        if (i == r->part_count || r->parts[i].size == 0 ||
            (*at != '{' &&
                (r->parts[i].size != size || memcmp(r->parts[i].data, at, size) != 0)))
            return false;
        at += size;
    }
    return i == r->part_count;
}

static bool has_method(const leat__route_t *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* Takes as long for each wrong token of the right length. */
static bool has_token(const leat__request_t *r)
{
    static const char scheme[] = "Bearer ";
    const size_t size = strlen(r->site->token), start = sizeof scheme - 1;
    unsigned char differs = 0;

    if (size == 0)
        return true;
    if (r->authorization.size != start + size ||
        strncasecmp(r->authorization.data, scheme, start) != 0)
        return false;
    for (size_t i = 0; i < size; i++)
        differs |= (unsigned char)(r->authorization.data[start + i] ^ r->site->token[i]);
    return differs == 0;
}

/* A page from anywhere, open in a browser of this machine, could have its own name point here: without a
 * token the name must be one of this machine's. */
static bool is_asked_by_name(const leat__request_t *r)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    leat_slice_t host = r->host;

    if (!host.data || *r->site->token || !r->site->loopback)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = strlen(names[i]);

        if (host.size >= size && strncasecmp(host.data, names[i], size) == 0 &&
            (host.size == size || host.data[size] == ':'))
            return true;
    }
    return false;
}

static void answer(const leat__route_t *route, leat__request_t *r, leat__reply_t *reply)
{
    if (!is_asked_by_name(r))
        leat__reply_error(reply, 403, "forbidden", "Host",
            "without leat.http.token this worker is asked as localhost, 127.0.0.1 or [::1] only");
    else if (route->open || has_token(r))
        route->answer(r, reply);
    else
        leat__reply_error(reply, 401, "unauthorized", NULL,
            "this path needs the header \"Authorization: Bearer TOKEN\" with the token of "
            "leat.http.token");
}

void leat__route(leat__request_t *r, leat__reply_t *reply)
{
    const leat__route_t *other = NULL;

    for (size_t i = 0; i < leat__route_count; i++) {
        const leat__route_t *route = &leat__routes[i];

        if (!matches(route, r))
            continue;
        if (has_method(route, r->method)) {
            answer(route, r, reply);
            return;
        }
        other = route;
    }
    if (other) {
        leat__reply_error(reply, 405, "method_not_allowed", NULL, "this path takes %s, not %.20s",
            other->method, r->method);
        reply->allow = other->method;
    } else {
        leat__reply_error(reply, 404, "not_found", "path", "there is no such path: docs/HTTP.md lists "
            "them");
    }
}
