/* runtime/query/feed.c: see feed.h. */
#include "feed.h"

#include "base/log.h"
#include "base/mem.h"
#include "row_json.h"

#include <stdatomic.h>
#include <string.h>

enum { FEEDS_MAX = 16, ENDS_MS = 10000, WAIT_MS = 200, QUIET_MS = 15000, BATCH = 500,
    QUEUE_BYTES = 1 << 20 };

typedef struct source_t {
    int slot;
    int32_t partition;
} source_t;

struct leat__feed_t {
    const leat__site_t *site;
    const leat__store_spec_t *spec;
    const leat__broker_vt_t *vt;
    leat__reader_t *reader;
    source_t *sources;
    size_t count, turn;
    leat__buf_t out; /* events not yet taken, from `taken` on */
    size_t taken;
    int64_t said_ms;
    bool over;
    leat__arena_t scratch;
};

/* ---- a record as a row ---- */

/* Numbers stand behind the key (statestore/windows.h). False: the record is none of the store's. */
static bool split(const leat__store_spec_t *spec, leat_slice_t bytes, leat__window_row_t *row)
{
    const bool sessions = spec->kind == LEAT_SESSIONS;
    const size_t tail = sessions ? 16 : 12;
    const char *at;

    row->key = bytes;
    if (spec->kind == LEAT_VERSIONS) {
        row->start_ms = row->time_ms;
        row->end_ms = INT64_MAX;
        return true;
    }
    if (!leat__store_has_retention(spec->kind))
        return true;
    if (bytes.size < tail)
        return false;
    row->key.size -= tail;
    at = bytes.data + row->key.size;
    row->start_ms = (int64_t)leat__load_be64(sessions ? at + 8 : at);
    if (sessions)
        row->end_ms = (int64_t)leat__load_be64(at);
    else
        row->end_ms = row->start_ms > INT64_MAX - spec->opts.window_size_ms
                          ? INT64_MAX
                          : row->start_ms + spec->opts.window_size_ms;
    return true;
}

static void put_event(leat__feed_t *f, const leat__raw_t *raw, int32_t partition)
{
    leat__window_row_t row = {.value = raw->value, .time_ms = raw->time_ms};

    if (!raw->key.data || !split(f->spec, raw->key, &row))
        return;
    leat__buf_put_text(&f->out, "event: change\ndata: ");
    leat__row_json_put(&f->out, f->spec, &row, partition, &f->scratch);
    leat__buf_put_text(&f->out, "}\n\n");
    leat__arena_reset(&f->scratch);
}

static void put_end(leat__feed_t *f, const char *code, const char *text)
{
    leat__buf_format(&f->out,
        "event: end\ndata: {\"error\":{\"code\":\"%s\",\"text\":\"%s\"}}\n\n", code, text);
    f->over = true;
}

/* ---- reading ---- */

static bool take(leat__feed_t *f, const source_t *s)
{
    leat__batch_t batch;
    int code;

    if (!f->vt->reader_take(f->reader, s->slot, BATCH, &batch))
        return false;
    code = batch.code;
    for (size_t i = 0; i < batch.count; i++)
        put_event(f, &batch.records[i], s->partition);
    f->vt->reader_release(f->reader, &batch);
    if (code)
        put_end(f, leat_error_name(code),
            code == LEAT_ETOPIC ? "this feed fell so far behind that Kafka has deleted what comes next: "
                                  "read the store, then open it again"
                                : "the changelog cannot be read");
    return true;
}

static int64_t now_ms(const leat__feed_t *f)
{
    return leat__clock_steady_ms(f->site->app->worker.clock);
}

/* Until there is something to send. */
static void fill(leat__feed_t *f)
{
    f->out.size = f->taken = 0;
    while (f->out.size == 0 && !f->over) {
        for (size_t i = 0; i < f->count && f->out.size == 0; i++)
            take(f, &f->sources[f->turn++ % f->count]);
        if (f->out.size)
            break;
        if (atomic_load(&f->site->share->stopping))
            put_end(f, "state_invalid", "this worker stops");
        else if (now_ms(f) - f->said_ms > QUIET_MS)
            leat__buf_put_text(&f->out, ":\n\n");
        else
            f->vt->reader_wait(f->reader, WAIT_MS);
    }
    f->said_ms = now_ms(f);
}

size_t leat__feed_read(leat__feed_t *f, char *room, size_t size)
{
    if (f->taken == f->out.size && !f->over)
        fill(f);
    if (size > f->out.size - f->taken)
        size = f->out.size - f->taken;
    memcpy(room, f->out.data + f->taken, size);
    f->taken += size;
    return size;
}

/* ---- opening ---- */

/* From the ends as they are now. */
static int add_sources(leat__feed_t *f, const char *topic, leat_error_t *err)
{
    leat__broker_t *b = f->site->app->broker;
    leat__position_t *ends = leat__must_alloc((f->count + 1) * sizeof *ends);
    leat__op_t *op;
    int rc = 0;

    for (size_t i = 0; i < f->count; i++)
        ends[i] = (leat__position_t){
            .topic = (char *)(uintptr_t)topic, .partition = (int32_t)i};
    op = f->vt->offsets(b, ends, f->count, LEAT__STABLE_END);
    if (!leat__op_wait(op, ENDS_MS))
        rc = leat__error(err, LEAT_ETIMEOUT, LEAT_RETRIABLE, topic, "its ends are not known in time");
    else if (op->err.code)
        rc = (*err = op->err).code;
    for (size_t i = 0; rc == 0 && i < op->position_count; i++) {
        f->sources[i].partition = op->positions[i].partition;
        f->sources[i].slot = f->vt->reader_add(
            f->reader, topic, op->positions[i].partition, op->positions[i].offset, err);
        if (f->sources[i].slot < 0)
            rc = err->code;
    }
    leat__op_free(op);
    leat__free(ends);
    return rc;
}

static const char *topic_of(const leat__store_spec_t *spec, const leat__group_t *group)
{
    if (group->global)
        return group->topics[0];
    if (spec->source_topic)
        return spec->source_topic;
    return spec->changelog && *spec->changelog ? spec->changelog : NULL;
}

static int open_reader(leat__feed_t *f, const char *topic, leat_error_t *err)
{
    leat__reader_opts_t o = {.client_id = "feed",
        .read_committed = true,
        .tail = true,
        .queue_bytes = QUEUE_BYTES};

    f->reader = f->vt->reader_open(f->site->app->broker, &o, err);
    return f->reader ? add_sources(f, topic, err) : err->code;
}

leat__feed_t *leat__feed_open(const leat__site_t *site, const leat__store_spec_t *spec,
    const leat__group_t *group, leat__reply_t *reply)
{
    const char *topic = topic_of(spec, group);
    leat__feed_t *f;
    leat_error_t err;

    if (!topic) {
        leat__reply_error(reply, 409, leat_error_name(LEAT_ETYPE), "store",
            "it has no changelog, so nobody is told of its changes");
        return NULL;
    }
    f = leat__must_alloc(sizeof *f);
    f->site = site;
    f->spec = spec;
    f->vt = site->app->broker->vt;
    f->count = (size_t)(group->global ? group->partition_counts[0] : group->task_count);
    f->sources = leat__must_alloc((f->count + 1) * sizeof *f->sources);
    leat__arena_init(&f->scratch);
    if (atomic_fetch_add(&site->share->feeds, 1) >= FEEDS_MAX) {
        leat__reply_error(reply, 503, "busy", NULL, "this worker has %d feeds: try again later",
            (int)FEEDS_MAX);
    } else if (open_reader(f, topic, &err)) {
        leat__reply_failure(reply, &err);
    } else {
        f->said_ms = now_ms(f);
        leat__buf_put_text(&f->out, ":\n\n"); /* the client knows at once that it is on */
        return f;
    }
    leat__feed_close(f);
    return NULL;
}

void leat__feed_close(leat__feed_t *f)
{
    if (f->reader)
        f->vt->reader_close(f->reader);
    atomic_fetch_sub(&f->site->share->feeds, 1);
    leat__arena_release(&f->scratch);
    leat__buf_release(&f->out);
    leat__free(f->sources);
    leat__free(f);
}
