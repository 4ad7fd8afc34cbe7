/*
 * runtime/embedded/journal.c: what the log knows besides records, as a file of changes: topics,
 * where partitions start, transactions, committed and pending offsets, generations of groups.
 *
 * A change is journaled before its consequences are written (a transaction is decided here, then
 * its markers follow in the partitions), so loading can finish what a killed process began: decided
 * transactions get their missing markers, open ones stay open until their timeout or until their id
 * is initialised. Members are not kept: their processes are dead, since the directory was locked by
 * the one that used it. When the journal has grown it is replaced by one that says the same in as
 * few words as possible: written beside it, then renamed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtime/embedded/internal.h"

enum { REWRITE_BYTES_MIN = 1 << 20, REWRITE_GROWTH = 4 };

typedef enum kind_t {
    TOPIC = 'T',
    TOPIC_GONE = 'D',
    LOG_START = 'S',
    TXN = 'X',
    OFFSET = 'O',
    OFFSETS_END = 'E',
    GROUP = 'G',
    FORGET = 'F'
} kind_t;

/* ---- writing ---- */

static void put_u32(leat__buf_t *b, uint32_t v)
{
    char bytes[4];

    leat__store_be32(bytes, v);
    leat__buf_put(b, bytes, sizeof bytes);
}

static void put_i64(leat__buf_t *b, int64_t v)
{
    char bytes[8];

    leat__store_be64(bytes, (uint64_t)v);
    leat__buf_put(b, bytes, sizeof bytes);
}

/* A text with its terminator, so that the reader may point into the file; size 0: none. */
static void put_text(leat__buf_t *b, const char *text)
{
    put_u32(b, text ? (uint32_t)strlen(text) + 1 : 0);
    if (text)
        leat__buf_put(b, text, strlen(text) + 1);
}

static void begin(leat__buf_t *b, kind_t kind)
{
    char letter = (char)kind;

    leat__buf_put(b, &letter, 1);
}

static char *journal_path(const leat__disk_t *d, const char *suffix)
{
    return leat__must_format("%s/journal%s", d->dir, suffix);
}

static void rewrite(leat__log_t *log);

static void write_entry(leat__log_t *log, const leat__buf_t *b)
{
    leat__disk_t *d = log->disk;
    char *path = journal_path(d, "");

    d->journal_size += leat__disk_write_frame(log, path, d->journal_fd, d->journal_size,
        (leat_slice_t){"\1", 1}, (leat_slice_t){b->data, b->size});
    leat__free(path);
}

static void put_entry(leat__log_t *log, leat__buf_t *b)
{
    leat__disk_t *d = log->disk;

    write_entry(log, b);
    leat__buf_release(b);
    if (d->journal_size > REWRITE_BYTES_MIN &&
        d->journal_size > d->snapshot_size * REWRITE_GROWTH && !leat__disk_stuck(log))
        rewrite(log);
}

static bool journaled(const leat__log_t *log)
{
    return log->disk && !log->disk->loading;
}

static void topic_entry(leat__buf_t *b, const leat__etopic_t *t)
{
    const char *key;
    void *value;

    begin(b, TOPIC);
    put_u32(b, t->number);
    put_text(b, t->name);
    put_u32(b, (uint32_t)t->part_count);
    put_u32(b, (uint32_t)t->settings.count);
    for (size_t at = 0; leat__map_next(&t->settings, &at, &key, &value);) {
        put_text(b, key);
        put_text(b, value);
    }
}

void leat__journal_topic(leat__etopic_t *t, bool deleted)
{
    leat__buf_t b = {0};

    if (!journaled(t->log))
        return;
    if (deleted) {
        begin(&b, TOPIC_GONE);
        put_text(&b, t->name);
    } else {
        topic_entry(&b, t);
    }
    put_entry(t->log, &b);
}

static void log_start_entry(leat__buf_t *b, const leat__part_t *p)
{
    begin(b, LOG_START);
    put_text(b, p->topic_name);
    put_u32(b, (uint32_t)p->number);
    put_i64(b, p->log_start);
    put_i64(b, p->next);
}

void leat__journal_log_start(leat__part_t *p)
{
    leat__buf_t b = {0};

    if (!journaled(p->log) || p->deleted)
        return;
    log_start_entry(&b, p);
    put_entry(p->log, &b);
}

static void txn_entry(leat__buf_t *b, const leat__txn_t *t)
{
    begin(b, TXN);
    put_text(b, t->id);
    put_u32(b, t->pid);
    put_u32(b, (uint32_t)t->epoch);
    put_u32(b, (uint32_t)t->state);
    put_u32(b, t->last_committed);
    put_i64(b, t->timeout_ms);
}

void leat__journal_txn(leat__log_t *log, const leat__txn_t *t)
{
    leat__buf_t b = {0};

    if (!journaled(log))
        return;
    txn_entry(&b, t);
    put_entry(log, &b);
}

static void offset_entry(
    leat__buf_t *b, const leat__group_t *g, const leat__position_t *p, uint32_t pid, uint64_t seq)
{
    begin(b, OFFSET);
    put_text(b, g->name);
    put_text(b, p->topic);
    put_u32(b, (uint32_t)p->partition);
    put_i64(b, p->offset);
    put_text(b, p->metadata);
    put_u32(b, pid);
    put_i64(b, (int64_t)seq);
}

void leat__journal_offset(leat__group_t *g, const leat__position_t *p, uint32_t pid, uint64_t seq)
{
    leat__buf_t b = {0};

    if (!journaled(g->log))
        return;
    offset_entry(&b, g, p, pid, seq);
    put_entry(g->log, &b);
}

void leat__journal_offsets_end(leat__log_t *log, uint32_t pid, bool commit)
{
    leat__buf_t b = {0};

    if (!journaled(log))
        return;
    begin(&b, OFFSETS_END);
    put_u32(&b, pid);
    put_u32(&b, commit);
    put_entry(log, &b);
}

static void group_entry(leat__buf_t *b, const leat__group_t *g)
{
    begin(b, GROUP);
    put_text(b, g->name);
    put_u32(b, (uint32_t)g->generation);
}

void leat__journal_group(leat__group_t *g)
{
    leat__buf_t b = {0};

    if (!journaled(g->log))
        return;
    group_entry(&b, g);
    put_entry(g->log, &b);
}

void leat__journal_forget(leat__group_t *g)
{
    leat__buf_t b = {0};

    if (!journaled(g->log))
        return;
    begin(&b, FORGET);
    put_text(&b, g->name);
    put_entry(g->log, &b);
}

/* ---- the whole of it ---- */

static void flush_entry(leat__log_t *log, leat__buf_t *b)
{
    write_entry(log, b);
    b->size = 0;
}

static void write_offset(
    void *user, leat__group_t *g, const leat__position_t *p, uint32_t pid, uint64_t seq)
{
    leat__buf_t *b = user;

    offset_entry(b, g, p, pid, seq);
    flush_entry(g->log, b);
}

static void write_all(leat__log_t *log)
{
    leat__buf_t b = {0};
    const char *name;
    void *value;

    for (size_t at = 0; leat__map_next(&log->topics, &at, &name, &value);) {
        leat__etopic_t *t = value;

        topic_entry(&b, t);
        flush_entry(log, &b);
        for (int32_t i = 0; i < t->part_count; i++)
            if (t->parts[i]->log_start || t->parts[i]->next) {
                log_start_entry(&b, t->parts[i]);
                flush_entry(log, &b);
            }
    }
    for (size_t at = 0; leat__map_next(&log->txns, &at, &name, &value);) {
        txn_entry(&b, value);
        flush_entry(log, &b);
    }
    for (size_t at = 0; leat__map_next(&log->groups, &at, &name, &value);) {
        group_entry(&b, value);
        flush_entry(log, &b);
        leat__offsets_each(value, write_offset, &b);
    }
    leat__buf_release(&b);
}

static void rewrite(leat__log_t *log)
{
    leat__disk_t *d = log->disk;
    char *path = journal_path(d, ""), *fresh = journal_path(d, ".new");
    int old = d->journal_fd;
    size_t old_size = d->journal_size;
    int fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd >= 0) {
        d->journal_fd = fd;
        d->journal_size = 0;
        write_all(log);
    }
    if (fd >= 0 && !leat__disk_stuck(log) && rename(fresh, path) == 0) {
        d->snapshot_size = d->journal_size;
        if (old >= 0)
            close(old);
    } else { /* no room: the old one goes on, and is enough */
        if (fd >= 0)
            close(fd);
        d->journal_fd = old;
        d->journal_size = old_size;
        d->snapshot_size = old_size; /* not again until it has grown much more */
        leat__disk_forget(log, path);
        unlink(fresh);
    }
    leat__free(path);
    leat__free(fresh);
}

/* ---- reading ---- */

typedef struct entry_t {
    const char *at, *end;
    bool bad;
} entry_t;

static uint32_t take_u32(entry_t *e)
{
    uint32_t v;

    if (e->end - e->at < 4) {
        e->bad = true;
        return 0;
    }
    v = leat__load_be32(e->at);
    e->at += 4;
    return v;
}

static int64_t take_i64(entry_t *e)
{
    int64_t v;

    if (e->end - e->at < 8) {
        e->bad = true;
        return 0;
    }
    v = (int64_t)leat__load_be64(e->at);
    e->at += 8;
    return v;
}

static const char *take_text(entry_t *e)
{
    uint32_t size = take_u32(e);
    const char *text = e->at;

    if (e->bad || size == 0)
        return NULL;
    if (size > (size_t)(e->end - e->at) || text[size - 1] != '\0') {
        e->bad = true;
        return NULL;
    }
    e->at += size;
    return text;
}

static void load_topic(leat__log_t *log, entry_t *e)
{
    leat__topic_t t = {0};
    uint32_t number = take_u32(e), count;
    leat_error_t err;

    t.name = (char *)(uintptr_t)take_text(e);
    t.partitions = (int32_t)take_u32(e);
    count = take_u32(e);
    if (e->bad || !t.name || count > 10000)
        return;
    t.settings = leat__must_alloc((count + 1) * sizeof *t.settings);
    for (; t.setting_count < count && !e->bad; t.setting_count++) {
        t.settings[t.setting_count].key = take_text(e);
        t.settings[t.setting_count].value = take_text(e);
        e->bad |= !t.settings[t.setting_count].key || !t.settings[t.setting_count].value;
    }
    if (!e->bad && !leat__topic_find(log, t.name) && leat__topic_create(log, &t, number, &err))
        leat__log(LEAT_LOG_ERROR, "embedded", NULL, "topic %s is left out: %s", t.name, err.text);
    if (number >= log->next_topic)
        log->next_topic = number + 1;
    leat__free(t.settings);
}

static void load_log_start(leat__log_t *log, entry_t *e)
{
    const char *topic = take_text(e);
    int32_t partition = (int32_t)take_u32(e);
    int64_t start = take_i64(e), end = take_i64(e);
    leat__part_t *p = e->bad || !topic ? NULL : leat__part_find(log, topic, partition);

    if (!p)
        return;
    p->log_start = start;
    p->end_known = end;
}

static void load_txn(leat__log_t *log, entry_t *e)
{
    const char *id = take_text(e);
    uint32_t pid = take_u32(e), epoch = take_u32(e), state = take_u32(e), committed = take_u32(e);
    int64_t timeout_ms = take_i64(e);
    leat__txn_t *t;

    if (e->bad || !id || state > TXN_ABORTING)
        return;
    t = leat__txn_get(log, id);
    t->pid = pid;
    t->epoch = (int32_t)epoch;
    t->state = (leat__txn_state_t)state;
    t->last_committed = committed != 0;
    t->timeout_ms = timeout_ms;
    if (pid >= log->next_pid)
        log->next_pid = pid + 1;
}

static void load_offset(leat__log_t *log, entry_t *e)
{
    const char *group = take_text(e), *topic = take_text(e), *metadata;
    leat__position_t p = {.partition = (int32_t)take_u32(e)};
    uint32_t pid;
    int64_t seq;

    p.offset = take_i64(e);
    metadata = take_text(e);
    pid = take_u32(e);
    seq = take_i64(e);
    if (e->bad || !group || !topic)
        return;
    p.topic = (char *)(uintptr_t)topic;
    p.metadata = (char *)(uintptr_t)metadata;
    leat__offset_put(leat__group_get(log, group), &p, pid, (uint64_t)seq);
    if ((uint64_t)seq >= log->next_seq)
        log->next_seq = (uint64_t)seq + 1;
}

static void load_entry(leat__log_t *log, leat_slice_t payload)
{
    entry_t e = {payload.data + 2, payload.data + payload.size, false};
    kind_t kind = payload.size > 1 ? (kind_t)payload.data[1] : TOPIC_GONE;
    const char *name;
    uint32_t pid;
    void *value;

    switch (kind) {
    case TOPIC:
        load_topic(log, &e);
        break;
    case LOG_START:
        load_log_start(log, &e);
        break;
    case TXN:
        load_txn(log, &e);
        break;
    case OFFSET:
        load_offset(log, &e);
        break;
    case TOPIC_GONE:
        name = payload.size > 1 ? take_text(&e) : NULL;
        value = name ? leat__topic_find(log, name) : NULL;
        if (value)
            leat__topic_delete(log, value);
        break;
    case OFFSETS_END:
        pid = take_u32(&e);
        leat__offsets_end(log, pid, take_u32(&e) != 0);
        break;
    case GROUP:
        name = take_text(&e);
        if (name)
            leat__group_get(log, name)->generation = (int32_t)take_u32(&e);
        break;
    case FORGET:
        name = take_text(&e);
        if (name)
            leat__offsets_forget(leat__group_get(log, name));
        break;
    default:
        e.bad = true;
    }
    if (e.bad)
        leat__log(LEAT_LOG_ERROR, "embedded", NULL,
            "an entry of the journal in %s is not understood; left out", log->disk->dir);
}

static int load_journal(leat__log_t *log, leat_error_t *err)
{
    char *path = journal_path(log->disk, "");
    leat__buf_t bytes = {0};
    leat_slice_t payload;
    size_t at = 0;
    int rc = access(path, F_OK) == 0 ? leat__file_read(path, &bytes, err) : 0;

    while (rc == 0 && leat__frame_next((leat_slice_t){bytes.data, bytes.size}, &at, &payload))
        load_entry(log, payload);
    if (rc == 0 && at < bytes.size)
        leat__log(
            LEAT_LOG_WARN, "embedded", NULL, "%s: torn end cut: %zu bytes", path, bytes.size - at);
    leat__buf_release(&bytes);
    leat__free(path);
    return rc;
}

/* ---- putting it together ---- */

static bool known_dir(leat__log_t *log, const char *dir)
{
    const char *name;
    void *value;
    char path[4500];

    for (size_t at = 0; leat__map_next(&log->topics, &at, &name, &value);) {
        leat__path_topic(path, sizeof path, log->disk, value);
        if (strcmp(path, dir) == 0)
            return true;
    }
    return false;
}

/* Of topics that were deleted just before the process died. */
static void remove_strays(leat__log_t *log)
{
    char *topics = leat__must_format("%s/topics", log->disk->dir);
    DIR *d = opendir(topics);

    for (struct dirent *e; d && (e = readdir(d));) {
        char *dir = leat__must_format("%s/%s", topics, e->d_name);

        if (e->d_name[0] != '.' && !known_dir(log, dir))
            leat__disk_remove_dir(dir);
        leat__free(dir);
    }
    if (d)
        closedir(d);
    leat__free(topics);
}

static void find_open_parts(leat__log_t *log)
{
    const char *name;
    void *value;

    for (size_t at = 0; leat__map_next(&log->topics, &at, &name, &value);)
        for (int32_t i = 0; i < ((leat__etopic_t *)value)->part_count; i++) {
            leat__part_t *p = ((leat__etopic_t *)value)->parts[i];

            for (size_t k = p->open_count; k-- > 0;) {
                leat__txn_t *t = leat__txn_by_pid(log, p->open[k].pid);

                if (t && t->state != TXN_EMPTY)
                    leat__txn_add(log, t, p);
                else /* its marker was cut off with a torn end */
                    leat__part_marker(p, p->open[k].pid, t && t->last_committed);
            }
        }
}

static void resume_txns(leat__log_t *log)
{
    const char *name;
    void *value;

    for (size_t at = 0; leat__map_next(&log->txns, &at, &name, &value);) {
        leat__txn_t *t = value;

        t->offsets = leat__offsets_have_pending(log, t->pid);
        t->until_ms = leat__log_now(log) + t->timeout_ms;
        leat__txn_write_markers(log, t);
    }
}

int leat__disk_load(leat__log_t *log, leat_error_t *err)
{
    leat__disk_t *d = log->disk;
    const char *name;
    void *value;
    int rc;

    d->loading = true;
    rc = load_journal(log, err);
    for (size_t at = 0; rc == 0 && leat__map_next(&log->topics, &at, &name, &value);)
        rc = leat__disk_load_topic(value, err);
    d->loading = false;
    if (rc)
        return rc;
    remove_strays(log);
    rewrite(log);
    if (d->journal_fd < 0)
        return leat__error(err, LEAT_EIO, LEAT_FATAL, d->dir, "cannot write %s/journal: %s", d->dir,
            strerror(errno));
    find_open_parts(log);
    resume_txns(log);
    return 0;
}
