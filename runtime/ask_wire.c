/* runtime/ask_wire.c: see ask_wire.h. */
#include "ask_wire.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum {
    VERSION = 1,
    COMMITTED = 1, STALE = 2, HAS_FROM = 4, HAS_TO = 8, HAS_MARK = 16, HAS_POSITION = 32,
    QUESTION_FLAGS = 63,
    MORE = 1,
    TIMEOUT_MS_MAX = 3600000
};

/* ---- putting ---- */

static void put_8(leat__buf_t *out, int value)
{
    char byte = (char)value;

    leat__buf_put(out, &byte, 1);
}

static void put_32(leat__buf_t *out, int64_t value)
{
    char bytes[4];

    leat__store_be32(bytes, (uint32_t)value);
    leat__buf_put(out, bytes, sizeof bytes);
}

static void put_64(leat__buf_t *out, int64_t value)
{
    char bytes[8];

    leat__store_be64(bytes, (uint64_t)value);
    leat__buf_put(out, bytes, sizeof bytes);
}

static void put_bytes(leat__buf_t *out, leat_slice_t bytes)
{
    put_32(out, (int64_t)bytes.size);
    leat__buf_put(out, bytes.data, bytes.size);
}

static leat_slice_t slice_of(const leat__buf_t *b)
{
    return (leat_slice_t){b->data, b->size};
}

/* ---- taking ---- */

typedef struct taker_t {
    const char *at;
    size_t left;
    bool bad;
} taker_t;

static const char *take(taker_t *t, size_t size)
{
    static const char nothing[8];
    const char *bytes = t->at;

    if (t->bad || size > t->left) {
        t->bad = true;
        return nothing;
    }
    t->at += size;
    t->left -= size;
    return bytes;
}

static int take_8(taker_t *t, int most)
{
    int value = (unsigned char)*take(t, 1);

    t->bad = t->bad || value > most;
    return value;
}

static int32_t take_32(taker_t *t)
{
    return (int32_t)leat__load_be32(take(t, 4));
}

static int64_t take_64(taker_t *t)
{
    return (int64_t)leat__load_be64(take(t, 8));
}

static leat_slice_t take_bytes(taker_t *t)
{
    size_t size = leat__load_be32(take(t, 4));
    const char *bytes = take(t, size);

    return (leat_slice_t){bytes, t->bad ? 0 : size};
}

/* Without zero bytes, as texts here are. */
static leat_slice_t take_text(taker_t *t)
{
    leat_slice_t text = take_bytes(t);

    t->bad = t->bad || (text.size && memchr(text.data, 0, text.size));
    return text;
}

static void take_head(taker_t *t, const char *kind)
{
    t->bad = memcmp(take(t, 2), kind, 2) != 0 || t->bad;
    t->bad = take_8(t, 255) != VERSION || t->bad;
}

/* ---- questions ---- */

void leat__wire_put_question(leat__buf_t *out, const char *application, const char *process,
    const leat__question_t *r, int64_t timeout_ms)
{
    const leat__ask_t *ask = &r->ask;
    int flags = (ask->committed ? COMMITTED : 0) | (r->stale ? STALE : 0) |
                (ask->from.data ? HAS_FROM : 0) | (ask->to.data ? HAS_TO : 0) |
                (ask->mark.data ? HAS_MARK : 0) | (r->at_least ? HAS_POSITION : 0);

    leat__buf_put_text(out, "LQ");
    put_8(out, VERSION);
    put_bytes(out, leat_slice(application));
    put_bytes(out, leat_slice(process));
    put_32(out, r->ref.group);
    put_32(out, r->ref.partition);
    put_bytes(out, leat_slice(r->store));
    put_8(out, (int)ask->verb);
    put_8(out, ask->order == LEAT_DESCENDING);
    put_8(out, flags);
    put_64(out, ask->from_ms);
    put_64(out, ask->to_ms);
    put_bytes(out, ask->from);
    put_bytes(out, ask->to);
    put_bytes(out, ask->mark);
    put_bytes(out, leat_slice(r->at_least));
    put_32(out, timeout_ms < TIMEOUT_MS_MAX ? timeout_ms : TIMEOUT_MS_MAX);
}

static leat_slice_t only_if(leat_slice_t bytes, bool there)
{
    return there ? bytes : (leat_slice_t){NULL, 0};
}

bool leat__wire_take_question(leat_slice_t bytes, leat__wire_question_t *q)
{
    taker_t t = {bytes.data, bytes.size, false};
    leat__task_ref_t ref;
    leat__ask_t ask = {0};

    take_head(&t, "LQ");
    q->application = take_text(&t);
    q->process = take_text(&t);
    ref.group = take_32(&t);
    ref.partition = take_32(&t);
    leat_slice_t store = take_text(&t);
    ask.verb = (leat__verb_t)take_8(&t, LEAT__ASK_COUNT);
    ask.order = take_8(&t, 1) ? LEAT_DESCENDING : LEAT_ASCENDING;
    int flags = take_8(&t, QUESTION_FLAGS);
    ask.from_ms = take_64(&t);
    ask.to_ms = take_64(&t);
    ask.from = only_if(take_bytes(&t), flags & HAS_FROM);
    ask.to = only_if(take_bytes(&t), flags & HAS_TO);
    ask.mark = only_if(take_bytes(&t), flags & HAS_MARK);
    leat_slice_t at_least = take_text(&t);
    q->timeout_ms = take_32(&t);
    if (t.bad || t.left > 0 || q->timeout_ms < 0 || (leat__ask_needs_key(ask.verb) && !ask.from.data))
        return false;
    ask.committed = flags & COMMITTED;
    q->question = leat__question_new(LEAT__QUESTION_OPEN, ref);
    q->question->once = true;
    q->question->stale = flags & STALE;
    char *name = leat__must_strndup(store.data, store.size);
    leat__question_set_ask(q->question, name, &ask);
    leat__free(name);
    if (flags & HAS_POSITION)
        q->question->at_least = leat__must_strndup(at_least.data, at_least.size);
    return true;
}

/* ---- answers ---- */

void leat__wire_put_answer(leat__buf_t *out, const leat__question_t *r)
{
    leat__buf_put_text(out, "LA");
    put_8(out, VERSION);
    put_32(out, r->err.code);
    put_32(out, r->err.flags);
    put_bytes(out, leat_slice(r->err.code ? r->err.where : ""));
    put_bytes(out, leat_slice(r->err.code ? r->err.text : ""));
    put_64(out, r->lag);
    put_bytes(out, slice_of(&r->position));
    put_8(out, r->more ? MORE : 0);
    put_bytes(out, slice_of(&r->mark));
    put_bytes(out, slice_of(&r->page));
}

/* A whole number of rows. */
static bool is_page(leat_slice_t page)
{
    leat__window_row_t row;

    while (leat__page_next(&page, &row))
        continue;
    return page.size == 0;
}

static leat__buf_t copy(leat_slice_t bytes)
{
    leat__buf_t b = {0};

    leat__buf_reserve(&b, bytes.size + 1);
    leat__buf_put(&b, bytes.data, bytes.size);
    return b;
}

bool leat__wire_take_answer(leat_slice_t bytes, leat__question_t *r)
{
    taker_t t = {bytes.data, bytes.size, false};

    take_head(&t, "LA");
    int code = take_32(&t);
    unsigned flags = (unsigned)take_32(&t);
    leat_slice_t where = take_text(&t), text = take_text(&t);
    int64_t lag = take_64(&t);
    leat_slice_t position = take_text(&t);
    bool more = take_8(&t, MORE);
    leat_slice_t mark = take_bytes(&t), page = take_bytes(&t);
    if (t.bad || t.left > 0 || code > 0 || lag < 0 || !is_page(page) || (more && page.size == 0))
        return false;
    if (code) {
        char place[sizeof r->err.where], said[sizeof r->err.text];

        leat_slice_copy(&where, place, sizeof place);
        leat_slice_copy(&text, said, sizeof said);
        leat__error(&r->err, code, flags, place, "%s", said);
    }
    r->lag = lag;
    r->more = more;
    r->position = copy(position);
    r->mark = copy(mark);
    r->page = copy(page);
    return true;
}
