/*
 * runtime/state_dir.c: the folder of one process. Its lock is the first fence against two processes with one identity; the
 * group's static member id is the second, for file systems that do not honour locks (PROTOCOLS.md 14).
 */
#include "state_dir.h"

#include "base/config.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

void leat__random_id(char room[40])
{
    unsigned char b[16];

    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        uint64_t now = (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)room;
        memset(b, 0, sizeof b);
        memcpy(b, &now, sizeof now);
    }
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(room, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
        b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
        b[15]);
}

static int make_folders(const char *path, leat_error_t *err)
{
    char *copy = leat__must_strdup(path);
    int rc = 0;

    for (char *at = copy + 1; rc == 0; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            rc = leat__error(err, LEAT_EIO, LEAT_FATAL, "state.dir",
                "cannot make the folder %s: %s; set state.dir to one that this user may write",
                copy, strerror(errno));
        *at = end;
        if (end == '\0')
            break;
    }
    leat__free(copy);
    return rc;
}

/* Takes the lock and writes the pid into it, for the message that a second process prints. */
static int take_lock(leat__state_dir_t *d, leat_error_t *err)
{
    char path[PATH_MAX], holder[32] = "";

    snprintf(path, sizeof path, "%s/.lock", d->path);
    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (d->lock < 0)
        return leat__error(err, LEAT_EIO, LEAT_FATAL, "state.dir",
            "cannot write %s: %s; set state.dir to a folder that this user may write", path,
            strerror(errno));
    if (flock(d->lock, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = read(d->lock, holder, sizeof holder - 1);
        holder[n > 0 ? strcspn(holder, "\n") : 0] = '\0';
        close(d->lock);
        d->lock = -1;
        return leat__error(err, LEAT_ELOCKED, LEAT_FATAL, "state.dir",
            "%s is in use by another process%s%s: stop it, or give this one a state.dir of its own",
            d->path, holder[0] ? ", pid " : "", holder);
    }
    int size = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    if (ftruncate(d->lock, 0) != 0 || pwrite(d->lock, holder, (size_t)size, 0) != size)
        return leat__error(
            err, LEAT_EIO, LEAT_FATAL, "state.dir", "cannot write %s: %s", path, strerror(errno));
    return 0;
}

static bool id_looks_right(const char *id)
{
    return strlen(id) == 36 && strspn(id, "0123456789abcdef-") == 36;
}

static int find_process_id(leat__state_dir_t *d, leat_error_t *err)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    FILE *f;

    snprintf(path, sizeof path, "%s/process.id", d->path);
    f = fopen(path, "re");
    if (f != NULL) {
        if (fgets(d->process_id, sizeof d->process_id, f) == NULL)
            d->process_id[0] = '\0';
        d->process_id[strcspn(d->process_id, "\n")] = '\0';
        fclose(f);
        if (id_looks_right(d->process_id))
            return 0;
        leat__log(
            LEAT_LOG_WARN, "state", NULL, "%s is not readable: this process gets a new id", path);
    }
    leat__random_id(d->process_id);
    snprintf(fresh, sizeof fresh, "%s/process.id.new", d->path);
    f = fopen(fresh, "we");
    if (f == NULL || fprintf(f, "%s\n", d->process_id) < 0 || fflush(f) != 0 ||
        fsync(fileno(f)) != 0) {
        int rc = leat__error(
            err, LEAT_EIO, LEAT_FATAL, "state.dir", "cannot write %s: %s", fresh, strerror(errno));
        if (f != NULL)
            fclose(f);
        return rc;
    }
    fclose(f);
    if (rename(fresh, path) != 0)
        return leat__error(
            err, LEAT_EIO, LEAT_FATAL, "state.dir", "cannot write %s: %s", path, strerror(errno));
    return 0;
}

int leat__state_dir_open(leat__state_dir_t *d, const leat_config_t *config, leat_error_t *err)
{
    int rc;

    d->lock = -1;
    d->path = leat__must_format("%s/%s.leat", leat__config_text(config, "state.dir"),
        leat__config_text(config, "application.id"));
    rc = make_folders(d->path, err);
    if (rc == 0)
        rc = take_lock(d, err);
    if (rc == 0)
        rc = find_process_id(d, err);
    if (rc != 0)
        leat__state_dir_close(d);
    return rc;
}

void leat__state_dir_close(leat__state_dir_t *d)
{
    if (d->lock >= 0)
        close(d->lock);
    d->lock = -1;
    leat__free(d->path);
    d->path = NULL;
}

int leat__state_dir_clean(leat__state_dir_t *d, leat_error_t *err)
{
    DIR *dir = opendir(d->path);
    struct dirent *e;
    int rc = 0;

    if (dir == NULL)
        return leat__error(
            err, LEAT_EIO, 0, "state.dir", "cannot read %s: %s", d->path, strerror(errno));
    while (rc == 0 && (e = readdir(dir)) != NULL) {
        char path[PATH_MAX];

        if (e->d_name[0] == '.' || strcmp(e->d_name, "process.id") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", d->path, e->d_name);
        if (leat__remove_tree(path) != 0)
            rc = leat__error(
                err, LEAT_EIO, 0, "state.dir", "cannot remove %s: %s", path, strerror(errno));
    }
    closedir(dir);
    return rc;
}
