/* tests/integration/http_kit.c: see http_kit.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http_kit.h"

enum { WAIT_MS = 60000 };

void http_free(http_reply_t *r)
{
    leat__free(r->headers);
    leat__free(r->body);
    *r = (http_reply_t){0};
}

int http_connect(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a))
        fail_msg("nobody listens on port %d", port);
    return fd;
}

bool http_write(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* Some more bytes; false: the end, or nothing came. */
static bool more(int fd, leat__buf_t *in)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char room[16384];
    ssize_t got = poll(&p, 1, WAIT_MS) == 1 ? recv(fd, room, sizeof room, 0) : -1;

    if (got <= 0)
        return false;
    leat__buf_put(in, room, (size_t)got);
    return true;
}

static const char *header_of(const char *headers, const char *name)
{
    for (const char *at = strstr(headers, "\r\n"); at; at = strstr(at + 2, "\r\n"))
        if (strncasecmp(at + 2, name, strlen(name)) == 0 && at[2 + strlen(name)] == ':')
            return at + 3 + strlen(name);
    return NULL;
}

http_reply_t http_read(int fd)
{
    http_reply_t r = {0};
    leat__buf_t in = {0};
    const char *end, *length;
    size_t head;

    while (!(end = in.size ? strstr(leat__buf_text(&in), "\r\n\r\n") : NULL))
        if (!more(fd, &in)) {
            leat__buf_release(&in);
            return r;
        }
    head = (size_t)(end - in.data);
    r.headers = leat__must_strndup(in.data, head);
    length = header_of(r.headers, "Content-Length");
    r.size = length ? (size_t)strtoull(length, NULL, 10) : SIZE_MAX;
    while (in.size - head - 4 < r.size && more(fd, &in))
        continue;
    if (r.size == SIZE_MAX)
        r.size = in.size - head - 4;
    if (in.size - head - 4 >= r.size) {
        r.body = leat__must_strndup(in.data + head + 4, r.size);
        r.status = atoi(r.headers + strcspn(r.headers, " "));
    }
    leat__buf_release(&in);
    return r;
}

bool http_ended(int fd)
{
    leat__buf_t in = {0};
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (more(fd, &in))
        continue;
    leat__buf_release(&in);
    return poll(&p, 1, 0) == 1;
}

http_reply_t http_ask(int port, const char *target, const char *token, const char *body)
{
    int fd = http_connect(port);
    leat__buf_t out = {0};
    http_reply_t r;

    leat__buf_format(&out, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n",
        body ? "POST" : "GET", target);
    if (token)
        leat__buf_format(&out, "Authorization: Bearer %s\r\n", token);
    if (body)
        leat__buf_format(&out, "Content-Length: %zu\r\n", strlen(body));
    leat__buf_format(&out, "\r\n%s", body ? body : "");
    http_write(fd, out.data, out.size);
    leat__buf_release(&out);
    r = http_read(fd);
    close(fd);
    return r;
}
