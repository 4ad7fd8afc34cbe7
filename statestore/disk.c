/* statestore/disk.c: directories: making, setting aside, removing. */
#include "statestore/disk.h"

#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int failed(leat_error_t *err, const char *path, const char *doing, const char *advice)
{
    int why = errno;
    if (why == ENOSPC || why == EDQUOT)
        return leat__error(err, LEAT_EIO, LEAT_RETRIABLE, path,
            "%s: the disk is full (%s): make room; it goes on by itself", doing, strerror(why));
    return leat__error(err, LEAT_EIO, 0, path, "%s: %s%s", doing, strerror(why), advice);
}

int leat__disk_make(const char *path, leat_error_t *err)
{
    char *copy = leat__must_strdup(path);
    int code = 0;
    for (char *at = copy + 1;; at++) {
        if (*at != '/' && *at)
            continue;
        char keep = *at;
        *at = 0;
        bool made = mkdir(copy, 0777) == 0 || errno == EEXIST;
        *at = keep;
        if (!made && !keep) {
            code = failed(err, path, "make the state directory",
                ": set state.dir to a directory that this process may write");
            break;
        }
        if (!keep)
            break;
    }
    leat__free(copy);
    if (!code && access(path, W_OK | X_OK) != 0)
        code = failed(err, path, "write to the state directory",
            ": set state.dir to a directory that this process may write");
    return code;
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char *child = leat__must_format("%s/%s", path, d->d_name);
        if (unlink(child) != 0 && (errno == EISDIR || errno == EPERM))
            remove_tree(child);
        leat__free(child);
    }
    if (dir)
        closedir(dir);
    if (rmdir(path) != 0)
        leat__log(LEAT_LOG_WARN, "store", NULL, "%s: cannot be removed: %s", path, strerror(errno));
}

/* path.bad-* of before. */
static void remove_older(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent =
        slash ? leat__must_strndup(path, (size_t)(slash - path)) : leat__must_strdup(".");
    char *prefix = leat__must_format("%s.bad-", slash ? slash + 1 : path);
    DIR *dir = opendir(*parent ? parent : "/");
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (strncmp(d->d_name, prefix, strlen(prefix)) != 0)
            continue;
        char *child = leat__must_format("%s/%s", parent, d->d_name);
        remove_tree(child);
        leat__free(child);
    }
    if (dir)
        closedir(dir);
    leat__free(parent);
    leat__free(prefix);
}

int leat__disk_set_aside(const char *path, int64_t wall_ms, leat_error_t *err)
{
    remove_older(path);
    char *target = leat__must_format("%s.bad-%" PRId64, path, wall_ms);
    int code = rename(path, target) == 0 || errno == ENOENT
                   ? 0
                   : failed(err, path, "set the local state aside", ": remove it by hand");
    if (!code)
        leat__log(LEAT_LOG_WARN, "store", NULL,
            "%s: set aside as %s; the stores are rebuilt from their changelogs", path, target);
    leat__free(target);
    return code;
}

int leat__disk_room(const char *path, size_t bytes, leat_error_t *err)
{
    struct statvfs fs;
    const char *slash = strrchr(path, '/');
    int rc = statvfs(path, &fs);
    if (rc != 0 && slash) { /* not made yet */
        char *parent = leat__must_strndup(path, (size_t)(slash - path));
        rc = statvfs(*parent ? parent : "/", &fs);
        leat__free(parent);
    }
    if (rc != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= bytes)
        return 0;
    return leat__error(err, LEAT_ESTORE, LEAT_RETRIABLE, path,
        "the disk is full (%" PRIu64 " bytes are free, %zu are needed): make room; it goes on by "
        "itself",
        (uint64_t)fs.f_bavail * fs.f_frsize, bytes);
}
