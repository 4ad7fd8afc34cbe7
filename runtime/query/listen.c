/* runtime/query/listen.c: see listen.h. */
#include "listen.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_ROOM = 256 };

/* The host without brackets; the port behind the last colon. */
static const char *split(const char *where, char host[HOST_ROOM])
{
    const char *colon = strrchr(where, ':');
    leat_slice_t s = {where, colon ? (size_t)(colon - where) : 0};

    if (!colon) {
        strcpy(host, "127.0.0.1");
        return where;
    }
    if (s.size > 2 && s.data[0] == '[' && s.data[s.size - 1] == ']')
        s = (leat_slice_t){s.data + 1, s.size - 2};
    leat_slice_copy(&s, host, HOST_ROOM);
    return colon + 1;
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    return a->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static int port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t size = sizeof a;

    if (getsockname(fd, (struct sockaddr *)&a, &size))
        return -1;
    return ntohs(a.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&a)->sin6_port
                                         : ((const struct sockaddr_in *)&a)->sin_port);
}

static int open_socket(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, saved;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int leat__listen(const char *where, leat__listening_t *l, leat_error_t *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *found;
    char host[HOST_ROOM];
    const char *port = split(where, host);
    int rc = getaddrinfo(host, port, &hints, &found);

    if (rc)
        return leat__error(err, LEAT_ECONFIG, LEAT_FATAL, "leat.http.listen",
            "'%.80s': no address: %s", where, gai_strerror(rc));
    l->fd = open_socket(found);
    l->loopback = is_loopback(found->ai_addr);
    rc = l->fd < 0 ? errno : 0;
    freeaddrinfo(found);
    if (rc)
        return leat__error(err, LEAT_EIO, LEAT_FATAL, "leat.http.listen",
            "cannot listen on %.80s: %s: choose another port, or 0 for any that is free", where,
            strerror(rc));
    l->port = port_of(l->fd);
    return 0;
}
