/*
 * runtime/task_dir.c: the folder of one task, seen from outside of its database.
 *
 *    <task id>/.lock     held (flock) while a task has its state open; its time is the last use
 *    <task id>/offsets   "1", then a changelog and its next offset a line
 *    <task id>.deleted/  unused for long, being deleted
 *
 * A folder is in use if its lock is held: a fact of the system, true between threads as between
 * processes, over crashes, and with nothing to keep in step. Whoever deletes a folder holds its lock;
 * so who waited for it looks again whether the file that it locked is still the one at that path.
 */
#include "state_dir.h"

#include "base/buf.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "statestore/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAMAGED "rocksdb.bad-"
#define DELETED ".deleted" /* ends the name of a folder that is being deleted */

enum { OFFSETS_BYTES_MAX = 1 << 20 };

/* ---- the lock ---- */

static int failed(leat_error_t *err, const char *path, const char *doing)
{
    int why = errno;
    bool full = why == ENOSPC || why == EDQUOT;

    return leat__error(err, LEAT_EIO, full ? LEAT_RETRIABLE : 0, path, "%s: %s: %s", doing,
        strerror(why),
        full ? "make room; it goes on by itself"
             : "set state.dir to a directory that this process may write");
}

static bool still_there(int lock, const char *path)
{
    struct stat held, now;

    return fstat(lock, &held) == 0 && stat(path, &now) == 0 && held.st_ino == now.st_ino &&
           held.st_dev == now.st_dev;
}

static int take_lock(const char *path, int lock, leat_error_t *err)
{
    if (lock < 0)
        return failed(err, path, "open the task's lock");
    if (flock(lock, LOCK_EX | LOCK_NB) != 0 || !still_there(lock, path))
        return leat__error(err, LEAT_ELOCKED, LEAT_RETRIABLE, path,
            "another thread or process has this task's state open, or is deleting it");
    futimens(lock, NULL);
    return 0;
}

int leat__task_dir_lock(const char *dir, int *lock, leat_error_t *err)
{
    char *path = leat__must_format("%s/.lock", dir);
    int rc = leat__disk_make(dir, err);

    *lock = rc ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (!rc)
        rc = take_lock(path, *lock, err);
    if (rc && *lock >= 0) {
        close(*lock);
        *lock = -1;
    }
    leat__free(path);
    return rc;
}

void leat__task_dir_unlock(int *lock)
{
    if (*lock < 0)
        return;
    futimens(*lock, NULL);
    close(*lock);
    *lock = -1;
}

/* ---- the file "offsets" ---- */

static bool write_all(const char *path, const leat__buf_t *text)
{
    int f = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool well = f >= 0 && write(f, text->data, text->size) == (ssize_t)text->size;

    return f >= 0 && close(f) == 0 && well;
}

void leat__task_dir_note(const char *dir, const leat__task_offset_t *offsets, size_t count)
{
    char *path = leat__must_format("%s/offsets", dir), *fresh = leat__must_format("%s.new", path);
    leat__buf_t text = {0};

    leat__buf_put_text(&text, "1\n"); /* format */
    for (size_t i = 0; i < count; i++)
        leat__buf_format(&text, "%s %" PRId64 "\n", offsets[i].topic, offsets[i].next);
    if (count ? !write_all(fresh, &text) || rename(fresh, path) != 0
              : unlink(path) != 0 && errno != ENOENT)
        leat__log(
            LEAT_LOG_DEBUG, "state", NULL, "%s: cannot be written: %s", path, strerror(errno));
    leat__buf_release(&text);
    leat__free(fresh);
    leat__free(path);
}

static char *read_all(const char *path)
{
    char *text = leat__must_alloc(OFFSETS_BYTES_MAX + 1);
    int f = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = f >= 0 ? read(f, text, OFFSETS_BYTES_MAX) : -1;

    if (f >= 0)
        close(f);
    if (size >= 0) {
        text[size] = '\0';
        return text;
    }
    leat__free(text);
    return NULL;
}

/* Lines that are none are passed over: the number only weighs placements. */
static bool read_sum(const char *dir, const char *task, int64_t *sum)
{
    char *path = leat__must_format("%s/%s/offsets", dir, task), *rest = NULL;
    char *text = read_all(path);
    bool known = text && !strncmp(text, "1\n", 2);

    *sum = 0;
    for (char *line = known ? strtok_r(text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *blank = strrchr(line, ' ');
        int64_t next = blank ? strtoll(blank + 1, NULL, 10) : 0;

        if (next > 0 && next <= INT64_MAX - *sum)
            *sum += next;
    }
    leat__free(text);
    leat__free(path);
    return known;
}

/* ---- all tasks of a process's folder ---- */

static const char *read_number(const char *text, int32_t *number)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);

    *number = (int32_t)n;
    return end != text && n >= 0 && n <= INT32_MAX ? end : NULL;
}

static bool is_task(const char *name, leat__local_task_t *task)
{
    const char *at = read_number(name, &task->group);

    return at && *at == '_' && (at = read_number(at + 1, &task->partition)) && !*at;
}

size_t leat__state_dir_tasks(const char *dir, leat__local_task_t **out)
{
    DIR *d = dir ? opendir(dir) : NULL;
    leat__local_task_t task;
    size_t count = 0, room = 0;

    *out = NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!is_task(e->d_name, &task) || !read_sum(dir, e->d_name, &task.offset_sum))
            continue;
        LEAT__GROW(*out, count, room);
        (*out)[count++] = task;
    }
    if (d)
        closedir(d);
    return count;
}

static int64_t used_ms(int lock)
{
    struct stat s;

    return fstat(lock, &s) == 0 ? (int64_t)s.st_mtim.tv_sec * 1000 + s.st_mtim.tv_nsec / 1000000
                                : INT64_MAX;
}

/* Moved away in one go first, so that nobody ever opens half a state. */
static bool delete_folder(const char *path)
{
    char *away = leat__must_format("%s" DELETED, path);
    bool gone = rename(path, away) == 0 && leat__remove_tree(away) == 0;

    if (gone)
        leat__log(LEAT_LOG_INFO, "state", NULL,
            "%s: deleted: this process has not used it for state.cleanup.delay.ms", path);
    else
        leat__log(LEAT_LOG_WARN, "state", NULL, "%s: unused, but it cannot be deleted: %s", path,
            strerror(errno));
    leat__free(away);
    return gone;
}

static bool expire(const char *path, int64_t before_ms)
{
    char *file = leat__must_format("%s/.lock", path);
    int lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    bool gone = lock >= 0 && used_ms(lock) < before_ms && flock(lock, LOCK_EX | LOCK_NB) == 0 &&
                still_there(lock, file) && used_ms(lock) < before_ms && delete_folder(path);

    if (lock >= 0)
        close(lock);
    leat__free(file);
    return gone;
}

/* What statestore set aside as damaged, "rocksdb.bad-<wall ms>": it was worth a look, for so long. */
static void drop_damaged(const char *path, int64_t before_ms)
{
    DIR *d = opendir(path);

    for (struct dirent *e; d && (e = readdir(d));) {
        char *child;

        if (strncmp(e->d_name, DAMAGED, sizeof DAMAGED - 1) != 0 ||
            strtoll(e->d_name + sizeof DAMAGED - 1, NULL, 10) >= before_ms)
            continue;
        child = leat__must_format("%s/%s", path, e->d_name);
        if (leat__remove_tree(child) == 0)
            leat__log(LEAT_LOG_INFO, "state", NULL,
                "%s: deleted: it was set aside longer than state.cleanup.delay.ms ago", child);
        leat__free(child);
    }
    if (d)
        closedir(d);
}

/* Of a deletion that a crash cut short. */
static bool is_deleted(const char *name)
{
    size_t size = strlen(name), tail = sizeof DELETED - 1;

    return size > tail && !strcmp(name + size - tail, DELETED);
}

size_t leat__state_dir_expire(const char *dir, int64_t before_ms)
{
    DIR *d = dir ? opendir(dir) : NULL;
    leat__local_task_t task;
    size_t count = 0;

    for (struct dirent *e; d && (e = readdir(d));) {
        char *path = leat__must_format("%s/%s", dir, e->d_name);

        if (is_deleted(e->d_name))
            leat__remove_tree(path);
        else if (is_task(e->d_name, &task) && expire(path, before_ms))
            count++;
        else if (is_task(e->d_name, &task))
            drop_damaged(path, before_ms);
        leat__free(path);
    }
    if (d)
        closedir(d);
    return count;
}
