/*
 * runtime/embedded/datafile.c: the records of a partition on disk: one file per segment, written as
 * the segment is filled.
 *
 *   head  head size 1 | kind 1 | producer 4 | first offset 8 | wall time 8 | records 4
 *   body  the records (pack.c)
 *
 * A file's name says partition, first offset and generation. Compaction writes new files of the
 * next generation beside the old ones and then removes these; a crash in between leaves both, and
 * loading takes, offset by offset, the higher generation: files are read in order of first offset,
 * higher generations first, and offsets that were read already are passed over. That mixes old and
 * new freely, since what compaction drops is superseded by what stays. Decided, sealed segments may
 * leave memory and are read again from their file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

enum {
    HEAD_SIZE = 26,
    PATH_SIZE = 4500,
    OPEN_FILES_MAX = 256,
    FRAME_RECORDS = 1000,
    LOOK_EVERY = 16
};
enum { KIND_RECORDS = 0, KIND_COMMIT = 1, KIND_ABORT = 2 };

static void path_of(char *room, const leat__part_t *p, int64_t base, uint32_t generation)
{
    char dir[PATH_SIZE - 100];

    leat__path_topic(dir, sizeof dir, p->log->disk, p->topic);
    snprintf(room, PATH_SIZE, "%s/%d-%020" PRId64 "-%u.log", dir, (int)p->number, base,
        (unsigned)generation);
}

static leat_slice_t put_head(
    char *room, int kind, uint32_t pid, int64_t offset, int64_t now_ms, uint32_t count)
{
    room[0] = HEAD_SIZE;
    room[1] = (char)kind;
    leat__store_be32(room + 2, pid);
    leat__store_be64(room + 6, (uint64_t)offset);
    leat__store_be64(room + 14, (uint64_t)now_ms);
    leat__store_be32(room + 22, count);
    return (leat_slice_t){room, HEAD_SIZE};
}

/* ---- open files ---- */

static void close_active(leat__part_t *p)
{
    if (p->active_fd < 0)
        return;
    close(p->active_fd);
    p->active_fd = -1;
    p->log->disk->open_files--;
}

void leat__disk_close_part(leat__part_t *p)
{
    if (p->log->disk)
        close_active(p);
}

static void close_all(leat__log_t *log)
{
    const char *name;
    void *value;

    for (size_t at = 0; leat__map_next(&log->topics, &at, &name, &value);)
        for (int32_t i = 0; i < ((leat__etopic_t *)value)->part_count; i++)
            close_active(((leat__etopic_t *)value)->parts[i]);
}

static int file_of(leat__part_t *p, const leat__seg_t *s, char *path)
{
    char dir[PATH_SIZE - 100];

    path_of(path, p, s->file_base, s->file_number);
    if (p->active_fd >= 0 && p->active_base == s->file_base)
        return p->active_fd;
    close_active(p);
    if (p->log->disk->open_files >= OPEN_FILES_MAX)
        close_all(p->log);
    leat__path_topic(dir, sizeof dir, p->log->disk, p->topic);
    mkdir(dir, 0777); /* there already, or the open below says why not */
    p->active_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    p->active_base = s->file_base;
    if (p->active_fd >= 0)
        p->log->disk->open_files++;
    return p->active_fd;
}

static void write_frame(leat__part_t *p, leat__seg_t *s, leat_slice_t head, leat_slice_t body)
{
    char path[PATH_SIZE];
    int fd = file_of(p, s, path);

    s->file_size += leat__disk_write_frame(p->log, path, fd, s->file_size, head, body);
}

void leat__disk_append(leat__part_t *p, leat__seg_t *s, int64_t base, uint32_t pid,
    const char *bytes, size_t size, uint32_t count)
{
    char head[HEAD_SIZE];

    if (!p->log->disk)
        return;
    write_frame(p, s, put_head(head, KIND_RECORDS, pid, base, leat__log_wall(p->log), count),
        (leat_slice_t){bytes, size});
}

void leat__disk_marker(leat__part_t *p, uint32_t pid, bool commit, int64_t offset)
{
    char head[HEAD_SIZE];

    if (!p->log->disk)
        return;
    write_frame(p, leat__part_tail(p),
        put_head(head, commit ? KIND_COMMIT : KIND_ABORT, pid, offset, leat__log_wall(p->log), 0),
        (leat_slice_t){"", 0});
}

void leat__disk_drop_seg(leat__part_t *p, leat__seg_t *s)
{
    char path[PATH_SIZE];

    if (!p->log->disk || p->deleted)
        return;
    if (p->active_base == s->file_base)
        close_active(p);
    path_of(path, p, s->file_base, s->file_number);
    unlink(path);
}

void leat__disk_remove_dir(const char *dir)
{
    DIR *d = opendir(dir);

    for (struct dirent *e; d && (e = readdir(d));) {
        char *path = leat__must_format("%s/%s", dir, e->d_name);

        if (e->d_name[0] != '.')
            unlink(path);
        leat__free(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

void leat__disk_topic_deleted(leat__etopic_t *t)
{
    char dir[PATH_SIZE];

    if (!t->log->disk)
        return;
    for (int32_t i = 0; i < t->part_count; i++)
        close_active(t->parts[i]);
    leat__path_topic(dir, sizeof dir, t->log->disk, t);
    leat__disk_forget(t->log, dir);
    leat__disk_remove_dir(dir);
}

/* ---- compaction ---- */

typedef struct frames_t {
    leat__log_t *log;
    const char *path;
    int fd;
    size_t size;
    leat__pack_t pack;
    int64_t base, appended_ms;
} frames_t;

static void flush_frame(frames_t *f)
{
    char head[HEAD_SIZE];

    if (f->pack.count == 0)
        return;
    f->size += leat__disk_write_frame(f->log, f->path, f->fd, f->size,
        put_head(head, KIND_RECORDS, LEAT__NO_PRODUCER, f->base, f->appended_ms, f->pack.count),
        (leat_slice_t){f->pack.bytes.data, f->pack.bytes.size});
    f->pack.bytes.size = 0;
    f->pack.count = 0;
}

static void write_whole(leat__part_t *p, leat__seg_t *s)
{
    char path[PATH_SIZE];
    frames_t f = {.log = p->log, .path = path};

    path_of(path, p, s->file_base, s->file_number);
    f.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    for (uint32_t k = 0; k < s->count; k++) {
        const leat__raw_t *raw = &s->raws[k];

        if (f.pack.count && (f.pack.count == FRAME_RECORDS || f.appended_ms != s->appended[k] ||
                                raw->offset - f.base > INT32_MAX))
            flush_frame(&f);
        if (f.pack.count == 0) {
            f.base = raw->offset;
            f.appended_ms = s->appended[k];
        }
        leat__pack_put_raw(&f.pack, (uint32_t)(raw->offset - f.base), raw);
    }
    flush_frame(&f);
    s->file_size = f.size;
    leat__buf_release(&f.pack.bytes);
    if (f.fd >= 0)
        close(f.fd);
}

void leat__disk_replace(leat__part_t *p, leat__seg_t *const *old, size_t old_count,
    leat__seg_t *const *fresh, size_t fresh_count)
{
    uint32_t generation = 0;

    if (!p->log->disk)
        return;
    for (size_t i = 0; i < old_count; i++)
        if (old[i]->file_number >= generation)
            generation = old[i]->file_number + 1;
    for (size_t i = 0; i < fresh_count; i++) {
        fresh[i]->file_number = generation;
        write_whole(p, fresh[i]);
    }
    if (leat__disk_stuck(p->log))
        return; /* the old files stay: they hold more than the new ones, never less */
    for (size_t i = 0; i < old_count; i++)
        leat__disk_drop_seg(p, old[i]);
}

/* ---- leaving memory and coming back ---- */

static bool may_leave(const leat__part_t *p, const leat__seg_t *s)
{
    return s->raws && s->sealed && s->end <= p->stable && s->count &&
           atomic_load_explicit(&s->refs, memory_order_acquire) == 1;
}

static void leave(leat__part_t *p, leat__seg_t *s)
{
    p->memory_bytes -= leat__seg_memory(s);
    leat__free(s->raws);
    leat__free(s->owners);
    leat__free(s->data);
    leat__free(s->appended);
    s->raws = NULL;
    s->owners = NULL;
    s->data = NULL;
    s->appended = NULL;
    p->memory_bytes += leat__seg_memory(s);
}

static size_t resident(leat__log_t *log)
{
    const char *name;
    void *value;
    size_t bytes = 0;

    for (size_t at = 0; leat__map_next(&log->topics, &at, &name, &value);)
        for (int32_t i = 0; i < ((leat__etopic_t *)value)->part_count; i++)
            bytes += ((leat__etopic_t *)value)->parts[i]->memory_bytes;
    return bytes;
}

/* Oldest first, partition by partition: what is read next is near the ends. */
void leat__disk_evict(leat__log_t *log)
{
    const char *name;
    void *value;
    size_t bytes;

    if (!log->disk || log->disk->unwritten || log->cleaning ||
        (bytes = resident(log)) <= log->disk->resident_max)
        return;
    for (size_t at = 0; leat__map_next(&log->topics, &at, &name, &value);)
        for (int32_t i = 0; i < ((leat__etopic_t *)value)->part_count; i++) {
            leat__part_t *p = ((leat__etopic_t *)value)->parts[i];

            for (size_t k = 0; k < p->seg_count && bytes > log->disk->resident_max / 4 * 3; k++) {
                size_t before = p->memory_bytes;

                if (may_leave(p, p->segs[k]))
                    leave(p, p->segs[k]);
                bytes -= before - p->memory_bytes;
            }
        }
}

void leat__disk_grown(leat__log_t *log)
{
    if (!log->disk || log->disk->loading || ++log->disk->grown < LOOK_EVERY)
        return;
    log->disk->grown = 0;
    leat__disk_evict(log);
}

typedef struct file_frame_t {
    int kind;
    uint32_t pid, count;
    int64_t offset, time_ms;
    leat_slice_t body;
} file_frame_t;

static bool next_frame(leat_slice_t file, size_t *at, file_frame_t *f)
{
    leat_slice_t payload;
    size_t start = *at;

    if (!leat__frame_next(file, at, &payload))
        return false;
    if (payload.size < HEAD_SIZE || payload.data[0] != HEAD_SIZE) {
        *at = start;
        return false;
    }
    f->kind = payload.data[1];
    f->pid = leat__load_be32(payload.data + 2);
    f->offset = (int64_t)leat__load_be64(payload.data + 6);
    f->time_ms = (int64_t)leat__load_be64(payload.data + 14);
    f->count = leat__load_be32(payload.data + 22);
    f->body = (leat_slice_t){payload.data + HEAD_SIZE, payload.size - HEAD_SIZE};
    return true;
}

static void refill(leat__seg_t *s, leat_slice_t file)
{
    file_frame_t f;
    leat__raw_t raw;
    int64_t base = s->base, end = s->end;
    uint32_t count = s->count;

    s->count = 0;
    s->size = 0;
    for (size_t at = 0; next_frame(file, &at, &f);)
        for (const char *p = f.body.data, *stop = p + f.body.size;
             f.kind == KIND_RECORDS && leat__pack_next(&p, stop, f.offset, &raw);)
            if (raw.offset >= base && raw.offset < end && s->count < count &&
                leat__seg_fits(s, &raw))
                leat__seg_add(s, &raw, LEAT__NO_PRODUCER, f.time_ms);
    s->end = end;
}

int leat__disk_read_seg(leat__part_t *p, leat__seg_t *s)
{
    char path[PATH_SIZE];
    leat__buf_t bytes = {0};
    uint32_t count = s->count;
    leat_error_t err;
    int rc;

    leat__disk_grown(p->log);
    path_of(path, p, s->file_base, s->file_number);
    rc = leat__file_read(path, &bytes, &err);
    if (rc == 0) {
        p->memory_bytes -= leat__seg_memory(s);
        s->room = s->count;
        s->size_room = s->size;
        s->raws = leat__must_alloc((s->room + 1) * sizeof *s->raws);
        s->owners = leat__must_alloc((s->room + 1) * sizeof *s->owners);
        s->data = leat__must_alloc(s->size_room + 1);
        if (p->topic->compact)
            s->appended = leat__must_alloc((s->room + 1) * sizeof *s->appended);
        s->sealed = false; /* for adding */
        refill(s, (leat_slice_t){bytes.data, bytes.size});
        s->sealed = true;
        p->memory_bytes += leat__seg_memory(s);
        if (s->count != count)
            rc = leat__error(&err, LEAT_EIO, 0, path,
                "%s holds %u records, not %u: it was changed or damaged", path, s->count, count);
    }
    leat__buf_release(&bytes);
    if (rc)
        leat__log(LEAT_LOG_ERROR, "embedded", NULL, "%s", err.text);
    return rc;
}

/* ---- loading ---- */

typedef struct found_t {
    int32_t partition;
    int64_t base;
    uint32_t generation;
} found_t;

static int by_place(const void *a, const void *b)
{
    const found_t *x = a, *y = b;

    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    if (x->base != y->base)
        return x->base < y->base ? -1 : 1;
    return x->generation > y->generation ? -1 : x->generation < y->generation;
}

static found_t *find_files(const leat__etopic_t *t, size_t *count)
{
    char dir[PATH_SIZE];
    found_t *found = NULL;
    size_t room = 0;
    DIR *d;

    *count = 0;
    leat__path_topic(dir, sizeof dir, t->log->disk, t);
    d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        found_t f;

        if (sscanf(e->d_name, "%" SCNd32 "-%" SCNd64 "-%" SCNu32 ".log", &f.partition, &f.base,
                &f.generation) != 3 ||
            f.partition < 0 || f.partition >= t->part_count)
            continue;
        LEAT__GROW(found, *count, room);
        found[(*count)++] = f;
    }
    if (d)
        closedir(d);
    if (*count)
        qsort(found, *count, sizeof *found, by_place);
    return found;
}

static void load_frame(leat__part_t *p, const file_frame_t *f)
{
    leat__raw_t raw;

    if (f->kind != KIND_RECORDS) {
        if (f->offset < p->next)
            return;
        p->next = f->offset;
        leat__part_apply_marker(p, f->pid, f->kind == KIND_COMMIT);
        return;
    }
    for (const char *at = f->body.data, *end = at + f->body.size;
         leat__pack_next(&at, end, f->offset, &raw);) {
        if (raw.offset < p->next)
            continue;
        if (f->pid != LEAT__NO_PRODUCER)
            leat__part_open_txn(p, f->pid, raw.offset);
        leat__part_add_raw(p, &raw, f->pid, f->time_ms);
    }
}

/* Records and bytes of the file, and how much of it is whole. */
static size_t measure(leat_slice_t file, uint32_t *count, size_t *size)
{
    file_frame_t f;
    leat__raw_t raw;
    size_t at = 0;

    *count = 0;
    *size = 0;
    while (next_frame(file, &at, &f))
        for (const char *p = f.body.data, *end = p + f.body.size;
             f.kind == KIND_RECORDS && leat__pack_next(&p, end, f.offset, &raw);) {
            (*count)++;
            *size += leat__raw_bytes(&raw);
        }
    return at;
}

static int load_file(leat__part_t *p, const found_t *f, bool last, leat_error_t *err)
{
    char path[PATH_SIZE];
    leat__buf_t bytes = {0};
    leat_slice_t file;
    file_frame_t frame;
    leat__seg_t *s;
    uint32_t count;
    size_t size, whole;
    int rc;

    path_of(path, p, f->base, f->generation);
    rc = leat__file_read(path, &bytes, err);
    if (rc)
        goto out;
    file = (leat_slice_t){bytes.data, bytes.size};
    whole = measure(file, &count, &size);
    if (whole < file.size && !last) {
        rc = leat__error(err, LEAT_EIO, LEAT_FATAL, path,
            "%s is damaged at byte %zu: bring it back from a copy, or delete the topic's folder",
            path, whole);
        goto out;
    }
    if (whole < file.size) {
        leat__log(LEAT_LOG_WARN, "embedded", NULL, "%s: torn end cut: %zu bytes", path,
            file.size - whole);
        if (truncate(path, (off_t)whole))
            rc = leat__error(
                err, LEAT_EIO, LEAT_FATAL, path, "cannot cut %s: %s", path, strerror(errno));
    }
    file.size = whole;
    if (f->base > p->next)
        p->next = f->base;
    s = leat__seg_new(
        p->next, (last ? 1024 : 1) + count, (last ? 64 << 10 : 0) + size, p->topic->compact);
    s->file_base = f->base;
    s->file_number = f->generation;
    s->file_size = whole;
    leat__part_push_seg(p, s);
    for (size_t at = 0; next_frame(file, &at, &frame);)
        load_frame(p, &frame);
    s->sealed = !last;
out:
    leat__buf_release(&bytes);
    return rc;
}

/* A file left over from a compaction, with nothing in it that was not read already. */
static void drop_if_shadowed(leat__part_t *p, const found_t *f, const found_t *before)
{
    leat__seg_t *s = p->segs[p->seg_count - 1];

    if (before->partition != f->partition || before->base != f->base || s->count)
        return;
    p->seg_count--;
    p->memory_bytes -= leat__seg_memory(s);
    leat__disk_drop_seg(p, s);
    leat__seg_unref(s);
}

static void finish_load(leat__part_t *p)
{
    size_t drop = 0;

    if (p->next < p->end_known)
        p->next = p->end_known;
    if (p->next < p->log_start)
        p->next = p->log_start;
    while (drop < p->seg_count && p->segs[drop]->end <= p->log_start && p->segs[drop]->sealed)
        drop++;
    if (drop)
        leat__part_drop_first(p, drop);
    leat__part_update_stable(p);
}

int leat__disk_load_topic(leat__etopic_t *t, leat_error_t *err)
{
    size_t count;
    found_t *found = find_files(t, &count);
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        bool last = i + 1 == count || found[i + 1].partition != found[i].partition;

        rc = load_file(t->parts[found[i].partition], &found[i], last, err);
        if (rc == 0 && i > 0)
            drop_if_shadowed(t->parts[found[i].partition], &found[i], &found[i - 1]);
    }
    for (int32_t i = 0; i < t->part_count; i++)
        finish_load(t->parts[i]);
    leat__free(found);
    return rc;
}
