/*
 * tests/conformance/function.c: expressions, predicates and lists of FORMAT.md, 3.1 to 3.3.
 *
 * An expression is a row of stages. A predicate or list is the same with a last stage of another
 * kind.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

#define STAGES(X)                                                                                  \
    X(value)                                                                                       \
    X(key) X(null) X(const) X(const_int32) X(const_int64) X(text) X(with_key) X(or_else) X(upper)  \
        X(lower) X(reverse) X(append) X(prepend) X(first_char) X(drop_first) X(length) X(field)    \
            X(parse_int64) X(to_int32) X(to_int64) X(to_double) X(add) X(mul) X(negate) X(mod)     \
                X(window_key) X(window_start) X(window_end) X(fail_if) X(true) X(false) X(is_null) \
                    X(not_null) X(even) X(odd) X(gt) X(lt) X(equals) X(starts_with) X(contains)    \
                        X(longer_than) X(none) X(repeat) X(split_words) X(chars)

typedef enum stage_kind_t {
#define STAGE(name) STAGE_##name,
    STAGES(STAGE)
#undef STAGE
        STAGE_count
} stage_kind_t;

static const char *const names[] = {
#define STAGE(name) #name,
    STAGES(STAGE)
#undef STAGE
};

typedef struct stage_t {
    stage_kind_t kind;
    leat_slice_t text; /* the argument */
    int64_t number;    /* of it */
} stage_t;

struct expr_t {
    char *text; /* cut into pieces */
    stage_t *stages;
    size_t count;
};

/* ---- reading ---- */

static bool read_stage(run_t *r, char *text, stage_kind_t first, stage_kind_t last, stage_t *stage)
{
    char *argument = strchr(text, ':');

    if (argument)
        *argument++ = '\0';
    for (stage_kind_t kind = first; kind <= last; kind++) {
        if (strcmp(text, names[kind]) != 0)
            continue;
        *stage = (stage_t){.kind = kind, .text = leat_slice(argument ? argument : "")};
        stage->number = argument ? strtoll(argument, NULL, 10) : 0;
        return true;
    }
    unsupported(r, "function %s", text);
    return false;
}

/* All stages are expressions but the last, which is first_last or later. */
static expr_t *read(run_t *r, const char *text, stage_kind_t first_last, stage_kind_t last_last)
{
    expr_t *e;
    char *at;
    size_t count = 1;

    if (!text)
        return NULL;
    for (const char *c = text; *c; c++)
        count += *c == '|';
    e = need(sizeof *e);
    e->text = at = need_text(text);
    e->stages = need(count * sizeof *e->stages);
    while (at && !r->unsupported) {
        char *stage = strsep(&at, "|");
        bool last = !at;

        if (read_stage(r, stage, last ? first_last : STAGE_value, last ? last_last : STAGE_fail_if,
                &e->stages[e->count]))
            e->count++;
    }
    return e;
}

expr_t *expr_new(run_t *r, const char *text)
{
    return read(r, text, STAGE_value, STAGE_fail_if);
}

expr_t *predicate_new(run_t *r, const char *text)
{
    return read(r, text, STAGE_true, STAGE_longer_than);
}

expr_t *list_new(run_t *r, const char *text)
{
    return read(r, text, STAGE_none, STAGE_chars);
}

void expr_free(expr_t *e)
{
    if (!e)
        return;
    free(e->text);
    free(e->stages);
    free(e);
}

/* ---- stages ---- */

static bool wrong(leat_ctx_t *ctx, const stage_t *s, const value_t *v)
{
    leat_fail(ctx, LEAT_ETYPE, "%s of a value of type %s", names[s->kind], v->type->name);
    return false;
}

static bool is_number(const value_t *v)
{
    return v->type->kind == INT32 || v->type->kind == INT64 || v->type->kind == DOUBLE;
}

static leat_slice_t join(leat_ctx_t *ctx, leat_slice_t a, leat_slice_t b)
{
    char *text = leat_scratch(ctx, a.size + b.size + 1);

    memcpy(text, a.data, a.size);
    memcpy(text + a.size, b.data, b.size);
    return (leat_slice_t){text, a.size + b.size};
}

static leat_slice_t map_bytes(leat_ctx_t *ctx, leat_slice_t in, stage_kind_t kind)
{
    char *text = leat_scratch(ctx, in.size + 1);

    for (size_t i = 0; i < in.size; i++) {
        char c = in.data[i];

        if (kind == STAGE_reverse)
            c = in.data[in.size - 1 - i];
        else if (kind == STAGE_upper && c >= 'a' && c <= 'z')
            c = (char)(c - 32);
        else if (kind == STAGE_lower && c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        text[i] = c;
    }
    return (leat_slice_t){text, in.size};
}

static value_t field(run_t *r, leat_slice_t in, int64_t index)
{
    const char *at = in.data, *end = in.data + in.size, *comma;

    for (;; at = comma + 1) {
        comma = at < end ? memchr(at, ',', (size_t)(end - at)) : NULL;
        if (index-- == 0)
            break;
        if (!comma)
            return (value_t){0};
    }
    if (!comma)
        comma = end;
    return comma > at ? text_value(r, (leat_slice_t){at, (size_t)(comma - at)}) : (value_t){0};
}

static value_t parse(run_t *r, leat_slice_t in)
{
    size_t sign = in.size && in.data[0] == '-';
    int64_t number;

    if (in.size == sign || in.size - sign > 19)
        return (value_t){0};
    for (size_t i = sign; i < in.size; i++) {
        if (in.data[i] < '0' || in.data[i] > '9')
            return (value_t){0};
    }
    return leat_slice_int64(&in, &number) ? number_value(r, INT64, number) : (value_t){0};
}

static bool of_string(run_t *r, leat_ctx_t *ctx, const stage_t *s, value_t *v)
{
    leat_slice_t in = v->text;

    if (v->type->kind != STRING)
        return wrong(ctx, s, v);
    switch (s->kind) {
    case STAGE_append:
        *v = text_value(r, join(ctx, in, s->text));
        break;
    case STAGE_prepend:
        *v = text_value(r, join(ctx, s->text, in));
        break;
    case STAGE_first_char:
        *v = in.size ? text_value(r, (leat_slice_t){in.data, 1}) : (value_t){0};
        break;
    case STAGE_drop_first:
        *v = text_value(r, in.size ? (leat_slice_t){in.data + 1, in.size - 1} : in);
        break;
    case STAGE_length:
        *v = number_value(r, INT64, (int64_t)in.size);
        break;
    case STAGE_field:
        *v = field(r, in, s->number);
        break;
    case STAGE_parse_int64:
        *v = parse(r, in);
        break;
    default:
        *v = text_value(r, map_bytes(ctx, in, s->kind));
        break;
    }
    return true;
}

/* Java's casts of a double: NaN is 0, the rest saturates. */
static int64_t truncate_to(double real, int64_t least, int64_t most)
{
    if (isnan(real))
        return 0;
    return real <= (double)least ? least : real >= (double)most ? most : (int64_t)real;
}

static void convert(run_t *r, stage_kind_t kind, value_t *v)
{
    bool real = v->type->kind == DOUBLE;

    if (kind == STAGE_to_double)
        *v = real_value(r, real ? v->real : (double)v->number);
    else if (kind == STAGE_to_int32)
        *v = number_value(r, INT32, real ? truncate_to(v->real, INT32_MIN, INT32_MAX) : v->number);
    else
        *v = number_value(r, INT64, real ? truncate_to(v->real, INT64_MIN, INT64_MAX) : v->number);
}

static bool of_number(run_t *r, leat_ctx_t *ctx, const stage_t *s, value_t *v)
{
    uint64_t a = (uint64_t)v->number, b = (uint64_t)s->number;
    double x = v->real, y = (double)s->number;

    if (!is_number(v))
        return wrong(ctx, s, v);
    if (s->kind == STAGE_to_int32 || s->kind == STAGE_to_int64 || s->kind == STAGE_to_double) {
        convert(r, s->kind, v);
        return true;
    }
    if (v->type->kind == DOUBLE && s->kind != STAGE_mod) {
        *v = real_value(r, s->kind == STAGE_add ? x + y : s->kind == STAGE_mul ? x * y : 0 - x);
        return true;
    }
    if (s->kind == STAGE_mod) {
        if (v->type->kind == DOUBLE)
            return wrong(ctx, s, v);
        *v = number_value(r, v->type->kind, s->number == -1 ? 0 : v->number % s->number);
        return true;
    }
    a = s->kind == STAGE_add ? a + b : s->kind == STAGE_mul ? a * b : 0 - a;
    *v = number_value(r, v->type->kind, (int64_t)a);
    return true;
}

static bool of_window(run_t *r, leat_ctx_t *ctx, const stage_t *s, value_t *v)
{
    if (!v->type->inner)
        return wrong(ctx, s, v);
    if (s->kind == STAGE_window_key)
        *v = value_of(v->type->inner, v->window.key);
    else
        *v = number_value(
            r, INT64, s->kind == STAGE_window_start ? v->window.start_ms : v->window.end_ms);
    return true;
}

static bool total(run_t *r, leat_ctx_t *ctx, const stage_t *s, value_t key, value_t *v)
{
    switch (s->kind) {
    case STAGE_value:
        return true;
    case STAGE_key:
        *v = key;
        return true;
    case STAGE_null:
        *v = (value_t){0};
        return true;
    case STAGE_const:
        *v = text_value(r, s->text);
        return true;
    case STAGE_const_int32:
    case STAGE_const_int64:
        *v = number_value(r, s->kind == STAGE_const_int32 ? INT32 : INT64, s->number);
        return true;
    case STAGE_text:
        *v = text_value(r, text_of(ctx, v));
        return true;
    case STAGE_with_key:
        *v = text_value(r, join(ctx, join(ctx, text_of(ctx, &key), s->text), text_of(ctx, v)));
        return true;
    case STAGE_or_else:
        if (!v->type)
            *v = text_value(r, s->text);
        return true;
    default:
        return false;
    }
}

static bool apply(run_t *r, leat_ctx_t *ctx, const stage_t *s, value_t key, value_t *v)
{
    leat_slice_t text;

    if (total(r, ctx, s, key, v) || !v->type)
        return true;
    if (s->kind >= STAGE_upper && s->kind <= STAGE_parse_int64)
        return of_string(r, ctx, s, v);
    if (s->kind >= STAGE_to_int32 && s->kind <= STAGE_mod)
        return of_number(r, ctx, s, v);
    if (s->kind >= STAGE_window_key && s->kind <= STAGE_window_end)
        return of_window(r, ctx, s, v);
    text = text_of(ctx, v);
    if (!leat_slice_equal(&text, &s->text))
        return true;
    leat_fail(ctx, LEAT_EUSER, "fail_if %.*s", LEAT_P(&s->text));
    return false;
}

static bool apply_all(
    run_t *r, leat_ctx_t *ctx, const expr_t *e, size_t count, value_t key, value_t *v)
{
    for (size_t i = 0; i < count; i++) {
        if (!apply(r, ctx, &e->stages[i], key, v))
            return false;
    }
    return true;
}

bool expr_eval(
    run_t *r, leat_ctx_t *ctx, const expr_t *e, value_t key, value_t value, value_t *result)
{
    *result = value;
    return apply_all(r, ctx, e, e->count, key, result);
}

/* ---- predicates ---- */

static bool test_text(leat_ctx_t *ctx, const stage_t *s, const value_t *v)
{
    leat_slice_t text = s->kind == STAGE_equals ? text_of(ctx, v) : v->text;

    if (s->kind == STAGE_equals)
        return leat_slice_equal(&text, &s->text);
    if (v->type->kind != STRING)
        return wrong(ctx, s, v);
    if (s->kind == STAGE_longer_than)
        return text.size > (size_t)s->number;
    if (s->kind == STAGE_starts_with)
        return text.size >= s->text.size && memcmp(text.data, s->text.data, s->text.size) == 0;
    return s->text.size == 0 || memmem(text.data, text.size, s->text.data, s->text.size);
}

static bool test_number(leat_ctx_t *ctx, const stage_t *s, const value_t *v)
{
    int64_t number;

    if (!is_number(v))
        return wrong(ctx, s, v);
    number = v->type->kind == DOUBLE ? truncate_to(v->real, INT64_MIN, INT64_MAX) : v->number;
    switch (s->kind) {
    case STAGE_even:
        return number % 2 == 0;
    case STAGE_odd:
        return number % 2 != 0;
    case STAGE_gt:
        return number > s->number;
    default:
        return number < s->number;
    }
}

bool predicate_eval(run_t *r, leat_ctx_t *ctx, const expr_t *e, value_t key, value_t value)
{
    const stage_t *last = &e->stages[e->count - 1];

    if (!apply_all(r, ctx, e, e->count - 1, key, &value))
        return false;
    switch (last->kind) {
    case STAGE_true:
        return true;
    case STAGE_false:
        return false;
    case STAGE_is_null:
        return !value.type;
    case STAGE_not_null:
        return value.type;
    default:
        break;
    }
    if (!value.type)
        return false;
    if (last->kind >= STAGE_even && last->kind <= STAGE_lt)
        return test_number(ctx, last, &value);
    return test_text(ctx, last, &value);
}

/* ---- lists ---- */

static void each_piece(run_t *r, leat_ctx_t *ctx, const op_t *op, const leat_record_t *in,
    element_fn each, const stage_t *s, leat_slice_t text)
{
    leat_slice_t piece;

    if (s->kind == STAGE_chars) {
        for (size_t i = 0; i < text.size; i++)
            each(ctx, op, in, text_value(r, (leat_slice_t){text.data + i, 1}));
        return;
    }
    while (leat_slice_token(&text, " ", &piece))
        each(ctx, op, in, text_value(r, piece));
}

void list_eval(run_t *r, leat_ctx_t *ctx, const op_t *op, const leat_record_t *in, element_fn each)
{
    const expr_t *e = op->list;
    const stage_t *last = &e->stages[e->count - 1];
    value_t v = op_value(op, in);

    if (!apply_all(r, ctx, e, e->count - 1, op_key(op, in), &v) || last->kind == STAGE_none)
        return;
    if (last->kind == STAGE_repeat) {
        for (int64_t i = 0; i < last->number; i++)
            each(ctx, op, in, v);
    } else if (v.type && v.type->kind != STRING) {
        wrong(ctx, last, &v);
    } else if (v.type) {
        each_piece(r, ctx, op, in, each, last, v.text);
    }
}

/* ---- types ---- */

static const type_t *stage_type(run_t *r, stage_kind_t kind, const type_t *key, const type_t *in)
{
    switch (kind) {
    case STAGE_value:
    case STAGE_add:
    case STAGE_mul:
    case STAGE_negate:
    case STAGE_mod:
    case STAGE_fail_if:
        return in;
    case STAGE_key:
        return key;
    case STAGE_null:
        return NULL;
    case STAGE_or_else:
        return in ? in : type_of(r, "string");
    case STAGE_const_int32:
    case STAGE_to_int32:
        return type_of(r, "int32");
    case STAGE_const_int64:
    case STAGE_length:
    case STAGE_parse_int64:
    case STAGE_to_int64:
    case STAGE_window_start:
    case STAGE_window_end:
        return type_of(r, "int64");
    case STAGE_to_double:
        return type_of(r, "double");
    case STAGE_window_key:
        return in ? in->inner : NULL;
    default:
        return type_of(r, "string");
    }
}

const type_t *expr_type(run_t *r, const expr_t *e, const type_t *key, const type_t *value)
{
    for (size_t i = 0; e && i < e->count; i++)
        value = stage_type(r, e->stages[i].kind, key, value);
    return value;
}
