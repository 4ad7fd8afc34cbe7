/*
 * runtime/embedded/disk.c: embedded:DIR: the directory, its lock, and frames in files.
 *
 *   DIR/lock                                   held with flock as long as a process uses the log
 *   DIR/journal                                topics, transactions, offsets, groups (journal.c)
 *   DIR/topics/NUMBER-NAME/PARTITION-BASE-GENERATION.log   records and markers (datafile.c)
 *
 *   frame = payload size 4 | check 4 | payload
 *
 * Nothing is synced: a killed process loses nothing, since the system has the bytes; a torn end
 * (power cut) is found by size and check and cut. When the disk is full or failing, what was to be
 * written is kept in order, the log stands still for its clients as a broker that is away, and
 * everything is written again from time to time: then it goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

enum { FRAME_HEAD = 8 };

typedef struct leat__unwritten_t {
    struct leat__unwritten_t *next;
    char *path;
    size_t at;
    leat__buf_t bytes;
} leat__unwritten_t;

void leat__path_topic(char *room, size_t size, const leat__disk_t *d, const leat__etopic_t *t)
{
    snprintf(room, size, "%s/topics/%u-%.200s", d->dir, (unsigned)t->number, t->name);
}

/* ---- the lock ---- */

static int lock_dir(leat__disk_t *d, leat_error_t *err)
{
    char *path = leat__must_format("%s/lock", d->dir), who[32] = "";
    int rc = 0;

    d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (d->lock_fd < 0) {
        rc = leat__error(
            err, LEAT_EIO, LEAT_FATAL, d->dir, "cannot open %s: %s", path, strerror(errno));
    } else if (flock(d->lock_fd, LOCK_EX | LOCK_NB)) {
        ssize_t size = pread(d->lock_fd, who, sizeof who - 1, 0);

        who[size > 0 ? size : 0] = '\0';
        rc = leat__error(err, LEAT_ELOCKED, LEAT_FATAL, d->dir,
            "the log in %s is in use by process %s: stop it, or name another directory", d->dir,
            who[0] ? who : "(unknown)");
    } else {
        int size = snprintf(who, sizeof who, "%ld", (long)getpid());

        if (ftruncate(d->lock_fd, 0) || pwrite(d->lock_fd, who, (size_t)size, 0) != size)
            rc = leat__error(
                err, LEAT_EIO, LEAT_FATAL, d->dir, "cannot write %s: %s", path, strerror(errno));
    }
    leat__free(path);
    return rc;
}

static void disk_free(leat__disk_t *d)
{
    while (d->unwritten) {
        leat__unwritten_t *first = d->unwritten;

        d->unwritten = first->next;
        leat__buf_release(&first->bytes);
        leat__free(first->path);
        leat__free(first);
    }
    if (d->journal_fd >= 0)
        close(d->journal_fd);
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    leat__free(d->dir);
    leat__free(d);
}

leat__disk_t *leat__disk_open(leat__log_t *log, const char *dir, leat_error_t *err)
{
    leat__disk_t *d = leat__must_alloc(sizeof *d);
    char *topics = leat__must_format("%s/topics", dir);
    int rc;

    (void)log;
    d->dir = leat__must_strdup(dir);
    d->lock_fd = d->journal_fd = -1;
    d->unwritten_end = &d->unwritten;
    d->resident_max = (size_t)256 << 20;
    rc = lock_dir(d, err);
    if (rc == 0 && mkdir(topics, 0777) && errno != EEXIST)
        rc = leat__error(
            err, LEAT_EIO, LEAT_FATAL, dir, "cannot make %s: %s", topics, strerror(errno));
    leat__free(topics);
    if (rc == 0)
        return d;
    disk_free(d);
    return NULL;
}

void leat__disk_close(leat__log_t *log)
{
    if (!log->disk)
        return;
    leat__disk_retry(log);
    if (log->disk->unwritten)
        leat__log(LEAT_LOG_ERROR, "embedded", NULL,
            "the log in %s is closed with bytes that could not be written: its last changes are "
            "lost",
            log->disk->dir);
    disk_free(log->disk);
    log->disk = NULL;
}

/* ---- writing ---- */

static bool write_all(int fd, const struct iovec *parts, int count, size_t at)
{
    size_t want = 0;
    ssize_t got;

    for (int i = 0; i < count; i++)
        want += parts[i].iov_len;
    do
        got = pwritev(fd, parts, count, (off_t)at);
    while (got < 0 && errno == EINTR);
    if (got >= 0 && (size_t)got < want)
        errno = ENOSPC;
    return got >= 0 &&
           (size_t)got == want; /* a part that was written is written over at the retry */
}

static void keep(
    leat__log_t *log, const char *path, size_t at, const struct iovec *parts, int count)
{
    leat__disk_t *d = log->disk;
    leat__unwritten_t *u = leat__must_alloc(sizeof *u);

    if (!d->unwritten)
        leat__log(LEAT_LOG_ERROR, "embedded", NULL,
            "cannot write %s: %s; the log stands still until it can", path, strerror(errno));
    u->path = leat__must_strdup(path);
    u->at = at;
    for (int i = 0; i < count; i++)
        leat__buf_put(&u->bytes, parts[i].iov_base, parts[i].iov_len);
    *d->unwritten_end = u;
    d->unwritten_end = &u->next;
}

size_t leat__disk_write_frame(
    leat__log_t *log, const char *path, int fd, size_t at, leat_slice_t head, leat_slice_t body)
{
    char frame[FRAME_HEAD];
    struct iovec parts[3] = {{frame, sizeof frame}, {(void *)(uintptr_t)head.data, head.size},
        {(void *)(uintptr_t)body.data, body.size}};

    leat__store_be32(frame, (uint32_t)(head.size + body.size));
    leat__store_be32(
        frame + 4, leat__murmur2(head.data, head.size) ^ leat__murmur2(body.data, body.size));
    if (log->disk->unwritten || !write_all(fd, parts, 3, at))
        keep(log, path, at, parts, 3);
    return FRAME_HEAD + head.size + body.size;
}

bool leat__disk_stuck(const leat__log_t *log)
{
    return log->disk && log->disk->unwritten;
}

static bool write_again(const leat__unwritten_t *u)
{
    struct iovec part = {u->bytes.data, u->bytes.size};
    int fd = open(u->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    bool well = fd >= 0 && write_all(fd, &part, 1, u->at);

    if (fd >= 0)
        close(fd);
    return well;
}

void leat__disk_retry(leat__log_t *log)
{
    leat__disk_t *d = log->disk;

    if (!d || !d->unwritten)
        return;
    while (d->unwritten && write_again(d->unwritten)) {
        leat__unwritten_t *first = d->unwritten;

        d->unwritten = first->next;
        leat__buf_release(&first->bytes);
        leat__free(first->path);
        leat__free(first);
    }
    if (d->unwritten)
        return;
    d->unwritten_end = &d->unwritten;
    leat__log(LEAT_LOG_INFO, "embedded", NULL, "%s can be written again: going on", d->dir);
    leat__requests_run(log);
}

void leat__disk_forget(leat__log_t *log, const char *path)
{
    leat__disk_t *d = log->disk;
    size_t size = strlen(path);

    d->unwritten_end = &d->unwritten;
    while (*d->unwritten_end) {
        leat__unwritten_t *u = *d->unwritten_end;

        if (strncmp(u->path, path, size) != 0 || (u->path[size] != '/' && u->path[size] != '\0')) {
            d->unwritten_end = &u->next;
            continue;
        }
        *d->unwritten_end = u->next;
        leat__buf_release(&u->bytes);
        leat__free(u->path);
        leat__free(u);
    }
}

/* ---- reading ---- */

/* The head and the body are checked apart, and where the body begins is told by the payload's first
 * byte. */
static size_t head_size(leat_slice_t payload)
{
    size_t size = payload.size ? (unsigned char)payload.data[0] : 0;

    return size < payload.size ? size : payload.size;
}

bool leat__frame_next(leat_slice_t file, size_t *at, leat_slice_t *payload)
{
    size_t left = file.size - *at, size, head;
    const char *p = file.data + *at;

    if (left < FRAME_HEAD)
        return false;
    size = leat__load_be32(p);
    if (size == 0 || size > left - FRAME_HEAD)
        return false;
    *payload = (leat_slice_t){p + FRAME_HEAD, size};
    head = head_size(*payload);
    if (leat__load_be32(p + 4) !=
        (leat__murmur2(payload->data, head) ^ leat__murmur2(payload->data + head, size - head)))
        return false;
    *at += FRAME_HEAD + size;
    return true;
}

int leat__file_read(const char *path, leat__buf_t *bytes, leat_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    struct stat st;

    bytes->size = 0;
    if (fd < 0 || fstat(fd, &st)) {
        rc = leat__error(
            err, LEAT_EIO, LEAT_FATAL, path, "cannot read %s: %s", path, strerror(errno));
        goto out;
    }
    leat__buf_reserve(bytes, (size_t)st.st_size + 1);
    while (bytes->size < (size_t)st.st_size) {
        ssize_t got = read(fd, bytes->data + bytes->size, (size_t)st.st_size - bytes->size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            rc = leat__error(
                err, LEAT_EIO, LEAT_FATAL, path, "cannot read %s: %s", path, strerror(errno));
        if (got <= 0)
            break;
        bytes->size += (size_t)got;
    }
out:
    if (fd >= 0)
        close(fd);
    return rc;
}
