/* dsl/suppress_row.c: the bytes of suppress.h; vectors in tests/conformance/formats. */
#include <string.h>
#include "base/buf.h"
#include "base/headers.h"
#include "suppress.h"

enum { MISSING = -1, SAME = -2 };

static bool same(leat_slice_t a, leat_slice_t b)
{
    return a.data && b.data && leat_slice_equal(&a, &b);
}

/* ---- writing ---- */

static char *put_number(char *at, int32_t number)
{
    leat__store_be32(at, (uint32_t)number);
    return at + 4;
}

static char *put_time(char *at, int64_t number)
{
    leat__store_be64(at, (uint64_t)number);
    return at + 8;
}

static char *put_text(char *at, leat_slice_t text)
{
    at = put_number(at, text.data ? (int32_t)text.size : MISSING);
    if (text.size)
        memcpy(at, text.data, text.size);
    return at + text.size;
}

static leat_slice_t name_of(const leat_header_t *h)
{
    return (leat_slice_t){h->name, strlen(h->name)};
}

static size_t size_of(const leat__waiting_t *w)
{
    size_t size = 8 + 8 + 4 + w->topic.size + 4 + 4 + 3 * 4 + w->prior.size + w->old.size +
                  w->now.size + 8;

    for (size_t i = 0; i < leat_headers_count(w->headers); i++) {
        const leat_header_t *h = leat_headers_at(w->headers, i);

        size += 4 + strlen(h->name) + 4 + h->value.size;
    }
    return size;
}

leat_slice_t leat__waiting_write(const leat__waiting_t *w, leat__arena_t *scratch)
{
    char *bytes = leat__arena_alloc(scratch, size_of(w)), *at = bytes;

    at = put_time(at, w->time_ms);
    at = put_time(at, w->offset);
    at = put_text(at, w->topic);
    at = put_number(at, w->partition);
    at = put_number(at, (int32_t)leat_headers_count(w->headers));
    for (size_t i = 0; i < leat_headers_count(w->headers); i++) {
        at = put_text(at, name_of(leat_headers_at(w->headers, i)));
        at = put_text(at, leat_headers_at(w->headers, i)->value);
    }
    at = put_text(at, w->prior);
    at = same(w->prior, w->old) ? put_number(at, SAME) : put_text(at, w->old);
    at = put_text(at, w->now);
    at = put_time(at, w->waits_ms);
    return (leat_slice_t){bytes, (size_t)(at - bytes)};
}

/* ---- reading ---- */

static bool take_number(leat_slice_t *rest, int32_t *number)
{
    if (rest->size < 4)
        return false;
    *number = (int32_t)leat__load_be32(rest->data);
    *rest = (leat_slice_t){rest->data + 4, rest->size - 4};
    return true;
}

static bool take_time(leat_slice_t *rest, int64_t *number)
{
    if (rest->size < 8)
        return false;
    *number = (int64_t)leat__load_be64(rest->data);
    *rest = (leat_slice_t){rest->data + 8, rest->size - 8};
    return true;
}

/* *length: as written. */
static bool take_text(leat_slice_t *rest, leat_slice_t *text, int32_t *length)
{
    if (!take_number(rest, length) || *length < SAME ||
        (*length > 0 && (size_t)*length > rest->size))
        return false;
    *text = (leat_slice_t){NULL, 0};
    if (*length < 0)
        return true;
    *text = (leat_slice_t){rest->data, (size_t)*length};
    *rest = (leat_slice_t){rest->data + *length, rest->size - (size_t)*length};
    return true;
}

/* sizes: names and values together. scratch NULL: only that. */
static bool take_headers(
    leat_slice_t *rest, const leat_headers_t **headers, leat__arena_t *scratch, size_t *sizes)
{
    int32_t count, length;
    leat_header_t *list = NULL;

    if (!take_number(rest, &count) || count < MISSING)
        return false;
    if (count == MISSING) /* as old releases wrote for none */
        count = 0;
    if ((size_t)count > rest->size / 8)
        return false;
    if (scratch && count)
        list = leat__arena_alloc(scratch, (size_t)count * sizeof *list);
    for (int32_t i = 0; i < count; i++) {
        leat_slice_t name, value;

        if (!take_text(rest, &name, &length) || length < 0 || !take_text(rest, &value, &length) ||
            length < MISSING)
            return false;
        *sizes += name.size + value.size;
        if (list)
            list[i] = (leat_header_t){leat__arena_copy(scratch, name.data, name.size), value};
    }
    *headers = list ? leat__headers_new(scratch, list, (size_t)count) : NULL;
    return true;
}

static bool take_context(
    leat_slice_t *rest, leat__waiting_t *w, leat__arena_t *scratch, size_t *sizes)
{
    int32_t length;

    return take_time(rest, &w->time_ms) && take_time(rest, &w->offset) &&
           take_text(rest, &w->topic, &length) && length >= MISSING &&
           take_number(rest, &w->partition) && take_headers(rest, &w->headers, scratch, sizes);
}

static bool take_all(leat_slice_t rest, leat__waiting_t *w, leat__arena_t *scratch, size_t *sizes)
{
    int32_t length;

    if (!take_context(&rest, w, scratch, sizes) || !take_text(&rest, &w->prior, &length) ||
        length < MISSING ||
        !take_text(&rest, &w->old, &length))
        return false;
    if (length == SAME)
        w->old = w->prior;
    else
        *sizes += w->old.size;
    *sizes += w->topic.size + w->prior.size;
    if (!take_text(&rest, &w->now, &length) || length < MISSING)
        return false;
    *sizes += w->now.size;
    return take_time(&rest, &w->waits_ms) && rest.size == 0;
}

bool leat__waiting_read(leat_slice_t bytes, leat__waiting_t *w, leat__arena_t *scratch)
{
    size_t sizes = 0;

    return take_all(bytes, w, scratch, &sizes);
}

void leat__waiting_measure(leat_slice_t key, leat_slice_t row, int64_t *waits_ms, size_t *bytes)
{
    enum { WAITS = 8, TIME = 8, OFFSET = 8, PARTITION = 4 };
    leat__waiting_t w;
    size_t sizes = 0;

    *waits_ms = take_all(row, &w, NULL, &sizes) ? w.waits_ms : INT64_MIN;
    *bytes = WAITS + key.size + TIME + OFFSET + PARTITION + sizes;
}

/* ---- older versions ---- */

/* {old}{new}, to the end of rest */
static bool take_change(leat_slice_t rest, leat__waiting_t *w)
{
    int32_t length;

    return take_text(&rest, &w->old, &length) && length >= MISSING &&
           take_text(&rest, &w->now, &length) && length >= MISSING && rest.size == 0;
}

/* {length 4}{change} */
static bool take_sized_change(leat_slice_t *rest, leat__waiting_t *w)
{
    leat_slice_t change;
    int32_t length;

    return take_text(rest, &change, &length) && length >= 0 && take_change(change, w);
}

/* {waits at 8}{change}; the place is that of the changelog record */
static bool read_0(const leat__logged_t *logged, leat__waiting_t *w)
{
    leat_slice_t rest = logged->value;

    w->time_ms = logged->time_ms;
    w->offset = logged->offset;
    w->topic = leat_slice(logged->topic);
    w->partition = logged->partition;
    w->headers = logged->headers;
    return take_time(&rest, &w->waits_ms) && take_change(rest, w);
}

/* {waits at 8}{context}{length 4}{change} */
static bool read_1(leat_slice_t rest, leat__waiting_t *w, leat__arena_t *scratch)
{
    size_t sizes = 0;

    return take_time(&rest, &w->waits_ms) && take_context(&rest, w, scratch, &sizes) &&
           take_sized_change(&rest, w) && rest.size == 0;
}

/* {context}{length 4}{change}{prior}{waits at 8} */
static bool read_2(leat_slice_t rest, leat__waiting_t *w, leat__arena_t *scratch)
{
    size_t sizes = 0;
    int32_t length;

    return take_context(&rest, w, scratch, &sizes) && take_sized_change(&rest, w) &&
           take_text(&rest, &w->prior, &length) && length >= MISSING &&
           take_time(&rest, &w->waits_ms) && rest.size == 0;
}

/* Versions 0 and 1 do not say what was before: what the row says that waits already. */
static void find_prior(const leat__logged_t *logged, leat__waiting_t *w)
{
    leat__waiting_t now;

    w->prior = w->old;
    if (logged->now.data && leat__waiting_read(logged->now, &now, NULL) && now.prior.data)
        w->prior = now.prior;
}

bool leat__waiting_upgrade(const leat__logged_t *logged, leat__arena_t *scratch, leat_slice_t *row)
{
    leat__waiting_t w = {.headers = NULL};
    bool well = false;

    if (logged->version == 0)
        well = read_0(logged, &w);
    else if (logged->version == 1)
        well = read_1(logged->value, &w, scratch);
    else if (logged->version == 2) /* releases 2.4.0 to 2.5.0 wrote what is version 3 now */
        well = read_2(logged->value, &w, scratch) || leat__waiting_read(logged->value, &w, scratch);
    if (!well)
        return false;
    if (logged->version < 2)
        find_prior(logged, &w);
    *row = leat__waiting_write(&w, scratch);
    return true;
}
