/*
 * base/serde_composed.c: serdes made of other serdes: windowed keys and lists. Heap objects of the
 * builder that made them.
 *
 *   windowed  {key}{start 8}            end = start + the window's size, cut at INT64_MAX
 *   session   {key}{end 8}{start 8}
 *   list      {0}{nulls 4}{index 4}*{count 4}{element}*      elements of a fixed size
 *             {1}{count 4}({size 4, -1: null}{element})*     all others
 *
 * The lists are those of Kafka's ListSerializer (constant and variable size strategy).
 */
#include "codec_inside.h"
#include "mem.h"

#include <stdio.h>
#include <string.h>

typedef struct composed_t {
    leat_serde_t serde; /* first: the public face */
    const leat_serde_t *inner;
    int64_t size_ms;
    bool session;
    char name[64];
} composed_t;

static const composed_t *composed_of(const leat_codec_t *c)
{
    return c->serde->user;
}

static size_t bytes_left(const leat_codec_t *c)
{
    return (size_t)(c->in_end - c->in);
}

/* ---- windowed keys ---- */

static void windowed_encode(leat_codec_t *c, const void *value)
{
    const composed_t *own = composed_of(c);
    const leat_windowed_t *windowed = value;

    leat_codec_inner(c, own->inner, windowed->key);
    if (own->session)
        leat_codec_put_int64(c, windowed->end_ms);
    leat_codec_put_int64(c, windowed->start_ms);
}

static void windowed_decode(leat_codec_t *c, void *room)
{
    const composed_t *own = composed_of(c);
    leat_windowed_t *windowed = room;
    size_t tail = own->session ? 16 : 8;

    if (bytes_left(c) < tail) {
        leat_codec_fail(c, "takes at least %zu bytes, got %zu", tail, bytes_left(c));
        return;
    }
    windowed->key = leat_codec_take_inner(c, own->inner, bytes_left(c) - tail);
    if (own->session)
        windowed->end_ms = leat_codec_take_int64(c);
    windowed->start_ms = leat_codec_take_int64(c);
    if (!own->session)
        windowed->end_ms = windowed->start_ms > INT64_MAX - own->size_ms
                               ? INT64_MAX
                               : windowed->start_ms + own->size_ms;
}

static void windowed_print(leat_codec_t *c, const void *value)
{
    const leat_windowed_t *windowed = value;
    char text[64];

    leat_codec_put(c, "[", 1);
    leat__codec_print(c, composed_of(c)->inner, windowed->key);
    snprintf(text, sizeof text, "@%lld/%lld]", (long long)windowed->start_ms,
        (long long)windowed->end_ms);
    leat__codec_put_text(c, text);
}

/* The last byte c in text, or -1. */
static ptrdiff_t last_of(leat_slice_t text, char c)
{
    for (size_t i = text.size; i > 0; i--)
        if (text.data[i - 1] == c)
            return (ptrdiff_t)(i - 1);
    return -1;
}

static void windowed_parse(leat_codec_t *c, void *room)
{
    leat_slice_t text = leat_codec_take_rest(c), start, end;
    ptrdiff_t at = last_of(text, '@'), slash = last_of(text, '/');
    leat_windowed_t *windowed = room;
    leat_error_t err;

    if (at < 1 || slash < at || text.data[0] != '[' || text.data[text.size - 1] != ']') {
        leat_codec_fail(c, "a windowed key is written [KEY@START/END]");
        return;
    }
    start = (leat_slice_t){text.data + at + 1, (size_t)(slash - at - 1)};
    end = (leat_slice_t){text.data + slash + 1, text.size - 2 - (size_t)slash};
    if (!leat_slice_int64(&start, &windowed->start_ms) ||
        !leat_slice_int64(&end, &windowed->end_ms)) {
        leat_codec_fail(c, "START and END of [KEY@START/END] are milliseconds");
        return;
    }
    text = (leat_slice_t){text.data + 1, (size_t)at - 1};
    if (leat__parse(composed_of(c)->inner, text, c->env->scratch, &windowed->key, &err))
        leat_codec_fail(c, "%s", err.text);
}

/* ---- lists ---- */

enum { FIXED_SIZE = 0, VARIABLE_SIZE = 1 }; /* Kafka's SerializationStrategy */

static size_t fixed_size(const leat_serde_t *element)
{
    leat__builtin_t kind = leat__builtin_of(element);

    return kind == LEAT__NOT_BUILTIN ? 0 : leat__builtin_size(kind);
}

static void list_put_nulls(leat_codec_t *c, const leat_list_t *list)
{
    int32_t nulls = 0;

    for (size_t i = 0; i < list->count; i++)
        nulls += !list->items[i];
    leat_codec_put_int32(c, nulls);
    for (size_t i = 0; i < list->count; i++)
        if (!list->items[i])
            leat_codec_put_int32(c, (int32_t)i);
}

static void list_put_element(leat_codec_t *c, const leat_serde_t *element, const void *item)
{
    size_t at = c->out_size;

    if (!item) {
        leat_codec_put_int32(c, -1);
        return;
    }
    leat_codec_put_int32(c, 0);
    leat_codec_inner(c, element, item);
    if (!c->failed)
        leat__store_be32(c->out + at, (uint32_t)(c->out_size - at - 4));
}

static void list_encode(leat_codec_t *c, const void *value)
{
    const leat_serde_t *element = composed_of(c)->inner;
    const leat_list_t *list = value;
    bool fixed = fixed_size(element) > 0;

    if (list->count > INT32_MAX) {
        leat_codec_fail(c, "more than 2^31 elements");
        return;
    }
    leat_codec_put_int8(c, fixed ? FIXED_SIZE : VARIABLE_SIZE);
    if (fixed)
        list_put_nulls(c, list);
    leat_codec_put_int32(c, (int32_t)list->count);
    for (size_t i = 0; i < list->count && !c->failed; i++) {
        if (!fixed)
            list_put_element(c, element, list->items[i]);
        else if (list->items[i])
            leat_codec_inner(c, element, list->items[i]);
    }
}

/*
 * A count of things that are at least `each` bytes long, so that a broken one asks for no memory.
 */
static size_t take_count(leat_codec_t *c, size_t each, const char *what)
{
    int32_t count = leat_codec_take_int32(c);

    if (c->failed)
        return 0;
    if (count < 0 || (size_t)count > bytes_left(c) / each) {
        leat_codec_fail(
            c, "%d %s do not fit into the %zu bytes left", (int)count, what, bytes_left(c));
        return 0;
    }
    return (size_t)count;
}

/* The indexes of the nulls, as they were written: ascending. */
static const int32_t *list_take_nulls(leat_codec_t *c, size_t *count)
{
    int32_t *nulls;

    *count = take_count(c, 4, "nulls");
    nulls = leat_codec_scratch(c, (*count + 1) * sizeof *nulls);
    for (size_t i = 0; i < *count; i++) {
        nulls[i] = leat_codec_take_int32(c);
        if (nulls[i] < 0 || (i > 0 && nulls[i] <= nulls[i - 1])) {
            leat_codec_fail(c, "the places of the nulls are not ascending");
            *count = 0;
        }
    }
    return nulls;
}

static void list_take_fixed(leat_codec_t *c, leat_list_t *list)
{
    const leat_serde_t *element = composed_of(c)->inner;
    size_t size = fixed_size(element), nulls_count, nulls_at = 0;
    const int32_t *nulls;
    const void **items;
    int32_t count;

    if (size == 0) {
        leat_codec_fail(
            c, "a list of fixed-size elements, but %s has no fixed size", element->name);
        return;
    }
    nulls = list_take_nulls(c, &nulls_count);
    count = leat_codec_take_int32(c);
    if (c->failed || count < 0 || (size_t)count < nulls_count ||
        ((size_t)count - nulls_count) * size != bytes_left(c)) {
        leat_codec_fail(c, "%d elements of %zu bytes with %zu nulls are not in %zu bytes",
            (int)count, size, nulls_count, bytes_left(c));
        return;
    }
    items = leat_codec_scratch(c, ((size_t)count + 1) * sizeof *items);
    for (size_t i = 0; i < (size_t)count && !c->failed; i++) {
        if (nulls_at < nulls_count && (size_t)nulls[nulls_at] == i)
            nulls_at++;
        else
            items[i] = leat_codec_take_inner(c, element, size);
    }
    *list = (leat_list_t){items, (size_t)count};
}

static void list_take_variable(leat_codec_t *c, leat_list_t *list)
{
    const leat_serde_t *element = composed_of(c)->inner;
    size_t count = take_count(c, 4, "elements");
    const void **items = leat_codec_scratch(c, (count + 1) * sizeof *items);

    for (size_t i = 0; i < count && !c->failed; i++) {
        int32_t size = leat_codec_take_int32(c);

        if (size < -1)
            leat_codec_fail(c, "element %zu has the length %d", i, (int)size);
        else if (size >= 0)
            items[i] = leat_codec_take_inner(c, element, (size_t)size);
    }
    *list = (leat_list_t){items, count};
}

static void list_decode(leat_codec_t *c, void *room)
{
    int8_t form = leat_codec_take_int8(c);

    if (form == FIXED_SIZE)
        list_take_fixed(c, room);
    else if (form == VARIABLE_SIZE)
        list_take_variable(c, room);
    else
        leat_codec_fail(c, "a list starts with 0 or 1, not %d", (int)form);
}

static void list_print(leat_codec_t *c, const void *value)
{
    const leat_list_t *list = value;

    leat_codec_put(c, "[", 1);
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            leat_codec_put(c, ", ", 2);
        leat__codec_print(c, composed_of(c)->inner, list->items[i]);
    }
    leat_codec_put(c, "]", 1);
}

/* ---- making them ---- */

static composed_t *composed_new(const leat_serde_t *inner, const char *kind, size_t size)
{
    composed_t *own = leat__alloc(sizeof *own);

    if (!own)
        return NULL;
    snprintf(own->name, sizeof own->name, "%s(%s)", kind, inner->name);
    own->inner = inner;
    own->serde = (leat_serde_t){.name = own->name, .size = size, .user = own};
    return own;
}

leat_serde_t *leat__serde_windowed_new(const leat_serde_t *key, int64_t size_ms, bool session)
{
    composed_t *own =
        composed_new(key, session ? "session-windowed" : "windowed", sizeof(leat_windowed_t));

    if (!own)
        return NULL;
    own->size_ms = size_ms;
    own->session = session;
    own->serde.encode = windowed_encode;
    own->serde.decode = windowed_decode;
    own->serde.print = windowed_print;
    own->serde.parse = windowed_parse;
    return &own->serde;
}

leat_serde_t *leat__serde_list_new(const leat_serde_t *element)
{
    composed_t *own = composed_new(element, "list", sizeof(leat_list_t));

    if (!own)
        return NULL;
    own->serde.encode = list_encode;
    own->serde.decode = list_decode;
    own->serde.print = list_print;
    return &own->serde;
}

void leat__serde_free(leat_serde_t *s)
{
    leat__free(s);
}

const leat_serde_t *leat__serde_inner(const leat_serde_t *s)
{
    return s->encode == windowed_encode ? ((const composed_t *)s->user)->inner : NULL;
}

bool leat__serde_is_session(const leat_serde_t *s)
{
    return s->encode == windowed_encode && ((const composed_t *)s->user)->session;
}
