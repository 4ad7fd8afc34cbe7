/* tests/conformance/pair.c: two-value functions of FORMAT.md, 3.4. */
#include <stdlib.h>
#include <string.h>
#include "conformance.h"

#define PAIRS(X)                                                                                   \
    X(concat)                                                                                      \
    X(pair) X(with_key) X(first) X(last) X(null) X(null_if_equal) X(sum) X(sub) X(sum_zero_null)   \
        X(sub_zero_null) X(max) X(min) X(count) X(uncount) X(sum_lengths) X(remove) X(fail_if)

typedef enum pair_kind_t {
#define PAIR(name) PAIR_##name,
    PAIRS(PAIR)
#undef PAIR
        PAIR_end
} pair_kind_t;

static const char *const names[] = {
#define PAIR(name) #name,
    PAIRS(PAIR)
#undef PAIR
};

struct pair_t {
    pair_kind_t kind;
    char *text;
    leat_slice_t argument;
};

pair_t *pair_new(run_t *r, const char *text)
{
    pair_t *p;
    char *argument;

    if (!text)
        return NULL;
    p = need(sizeof *p);
    p->text = need_text(text);
    argument = strchr(p->text, ':');
    if (argument)
        *argument++ = '\0';
    p->argument = leat_slice(argument ? argument : "");
    while (p->kind < PAIR_end && strcmp(names[p->kind], p->text) != 0)
        p->kind++;
    if (p->kind == PAIR_end)
        unsupported(r, "function %s", p->text);
    return p;
}

void pair_free(pair_t *p)
{
    if (!p)
        return;
    free(p->text);
    free(p);
}

static bool wrong(leat_ctx_t *ctx, const pair_t *p, const value_t *v)
{
    leat_fail(ctx, LEAT_ETYPE, "%s of a value of type %s", names[p->kind], v->type->name);
    return false;
}

static value_t text3(run_t *r, leat_ctx_t *ctx, leat_slice_t a, leat_slice_t b, leat_slice_t c)
{
    char *text = leat_scratch(ctx, a.size + b.size + c.size + 1);

    memcpy(text, a.data, a.size);
    memcpy(text + a.size, b.data, b.size);
    memcpy(text + a.size + b.size, c.data, c.size);
    return text_value(r, (leat_slice_t){text, a.size + b.size + c.size});
}

static bool of_texts(
    run_t *r, leat_ctx_t *ctx, const pair_t *p, value_t key, value_t a, value_t b, value_t *result)
{
    leat_slice_t left = p->kind == PAIR_concat && !a.type ? leat_slice("") : text_of(ctx, &a);
    leat_slice_t right = text_of(ctx, &b);

    if (p->kind == PAIR_null_if_equal && leat_slice_equal(&left, &right))
        *result = (value_t){0};
    else
        *result = text3(r, ctx, left, p->argument, right);
    if (p->kind == PAIR_with_key)
        *result = text3(r, ctx, text_of(ctx, &key), p->argument, result->text);
    return true;
}

/* As Java's: a double makes all of it one, then an int64 does. STRING: not for numbers. */
static kind_t wider(kind_t a, kind_t b)
{
    bool numbers = (a == INT32 || a == INT64 || a == DOUBLE) &&
                   (b == INT32 || b == INT64 || b == DOUBLE);

    if (!numbers)
        return STRING;
    if (a == DOUBLE || b == DOUBLE)
        return DOUBLE;
    return a == INT64 || b == INT64 ? INT64 : INT32;
}

static double real(const value_t *v)
{
    return v->type && v->type->kind == DOUBLE ? v->real : (double)v->number;
}

static bool calculate(
    run_t *r, leat_ctx_t *ctx, const pair_t *p, value_t a, value_t b, value_t *result)
{
    bool minus = p->kind == PAIR_sub || p->kind == PAIR_sub_zero_null;
    uint64_t x = (uint64_t)a.number, y = (uint64_t)b.number;
    kind_t kind = wider(a.type ? a.type->kind : b.type->kind, b.type->kind);

    if (kind != DOUBLE && kind != INT64 && kind != INT32)
        return wrong(ctx, p, &b);
    if (kind == DOUBLE)
        *result = real_value(r, minus ? real(&a) - real(&b) : real(&a) + real(&b));
    else
        *result = number_value(r, kind, (int64_t)(minus ? x - y : x + y));
    return true;
}

static bool of_numbers(
    run_t *r, leat_ctx_t *ctx, const pair_t *p, value_t a, value_t b, value_t *result)
{
    bool plus = p->kind == PAIR_sum || p->kind == PAIR_sum_zero_null;

    if (!b.type)
        *result = a;
    else if (!a.type && plus)
        *result = b;
    else if (!calculate(r, ctx, p, a, b, result))
        return false;
    if ((p->kind == PAIR_sum_zero_null || p->kind == PAIR_sub_zero_null) && result->type &&
        (result->type->kind == DOUBLE
                ? !(result->real < 0 || result->real > 0) && result->real == result->real
                : result->number == 0))
        *result = (value_t){0};
    return true;
}

/* Doubles as Java's Double.compare: -0 before 0, NaN last. */
static int order(const value_t *a, const value_t *b)
{
    uint64_t x, y;

    if (a->type->kind == STRING || a->type->kind == BYTES)
        return leat_slice_compare(&a->text, &b->text);
    if (a->type->kind != DOUBLE)
        return a->number < b->number ? -1 : a->number > b->number;
    if (a->real < b->real || a->real > b->real)
        return a->real < b->real ? -1 : 1;
    memcpy(&x, &a->real, sizeof x);
    memcpy(&y, &b->real, sizeof y);
    return (int64_t)x < (int64_t)y ? -1 : (int64_t)x > (int64_t)y;
}

static bool count(run_t *r, leat_ctx_t *ctx, const pair_t *p, value_t a, value_t b, value_t *result)
{
    int64_t more = p->kind == PAIR_count ? 1 : -1;

    if (p->kind == PAIR_sum_lengths)
        more = (int64_t)text_of(ctx, &b).size;
    if (a.type && a.type->kind != INT64)
        return wrong(ctx, p, &a);
    *result = number_value(r, INT64, (int64_t)((uint64_t)a.number + (uint64_t)more));
    return true;
}

static bool without(
    run_t *r, leat_ctx_t *ctx, const pair_t *p, value_t a, value_t b, value_t *result)
{
    value_t part;
    const char *at;
    size_t before;

    *result = a;
    if (!a.type)
        return true;
    if (a.type->kind != STRING)
        return wrong(ctx, p, &a);
    part = text3(r, ctx, p->argument, text_of(ctx, &b), leat_slice(""));
    at = part.text.size ? memmem(a.text.data, a.text.size, part.text.data, part.text.size)
                        : a.text.data;
    if (!at)
        return true;
    before = (size_t)(at - a.text.data);
    *result = text3(r, ctx, (leat_slice_t){a.text.data, before}, leat_slice(""),
        (leat_slice_t){at + part.text.size, a.text.size - before - part.text.size});
    return true;
}

static bool fail_if(leat_ctx_t *ctx, const pair_t *p, value_t b, value_t *result)
{
    leat_slice_t text = text_of(ctx, &b);

    *result = b;
    if (!leat_slice_equal(&text, &p->argument))
        return true;
    leat_fail(ctx, LEAT_EUSER, "fail_if %.*s", LEAT_P(&p->argument));
    return false;
}

bool pair_eval(
    run_t *r, leat_ctx_t *ctx, const pair_t *p, value_t key, value_t a, value_t b, value_t *result)
{
    switch (p->kind) {
    case PAIR_first:
        *result = a;
        return true;
    case PAIR_last:
        *result = b;
        return true;
    case PAIR_null:
        *result = (value_t){0};
        return true;
    case PAIR_max:
    case PAIR_min:
        if (!a.type || !b.type)
            *result = a.type ? a : b;
        else if (p->kind == PAIR_max)
            *result = order(&a, &b) >= 0 ? a : b;
        else
            *result = order(&a, &b) <= 0 ? a : b;
        return true;
    case PAIR_count:
    case PAIR_uncount:
    case PAIR_sum_lengths:
        return count(r, ctx, p, a, b, result);
    case PAIR_remove:
        return without(r, ctx, p, a, b, result);
    case PAIR_fail_if:
        return fail_if(ctx, p, b, result);
    case PAIR_sum:
    case PAIR_sub:
    case PAIR_sum_zero_null:
    case PAIR_sub_zero_null:
        return of_numbers(r, ctx, p, a, b, result);
    default:
        return of_texts(r, ctx, p, key, a, b, result);
    }
}
