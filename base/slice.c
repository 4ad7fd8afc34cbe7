/* base/slice.c: text and bytes by pointer and size. The numbers in slices are in number.c. */
#include <leat/base.h>

#include <string.h>

leat_slice_t leat_slice(const char *text)
{
    return (leat_slice_t){text, text ? strlen(text) : 0};
}

bool leat_slice_is(const leat_slice_t *s, const char *text)
{
    size_t size;

    if (!s || !text)
        return false;
    size = strlen(text);
    return s->size == size && (size == 0 || memcmp(s->data, text, size) == 0);
}

bool leat_slice_equal(const leat_slice_t *a, const leat_slice_t *b)
{
    if (!a || !b)
        return a == b;
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

int leat_slice_compare(const leat_slice_t *a, const leat_slice_t *b)
{
    size_t common;
    int order;

    if (!a || !b)
        return (a != NULL) - (b != NULL);
    common = a->size < b->size ? a->size : b->size;
    order = common ? memcmp(a->data, b->data, common) : 0;
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

static bool is_separator(char c, const char *separators)
{
    unsigned char byte = (unsigned char)c;

    if (separators)
        return byte != 0 && strchr(separators, c) != NULL;
    return !(byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
             (byte >= 'A' && byte <= 'Z'));
}

bool leat_slice_token(leat_slice_t *rest, const char *separators, leat_slice_t *token)
{
    const char *at = rest->data ? rest->data : "", *end = at + rest->size;

    while (at < end && is_separator(*at, separators))
        at++;
    token->data = at;
    while (at < end && !is_separator(*at, separators))
        at++;
    token->size = (size_t)(at - token->data);
    *rest = (leat_slice_t){at, (size_t)(end - at)};
    return token->size > 0;
}

size_t leat_slice_copy(const leat_slice_t *s, char *room, size_t size)
{
    size_t all = s ? s->size : 0, fits;

    if (size == 0)
        return all;
    fits = all < size ? all : size - 1;
    if (fits)
        memcpy(room, s->data, fits);
    room[fits] = '\0';
    return all;
}
