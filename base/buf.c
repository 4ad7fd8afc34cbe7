/*
 * base/buf.c: a growing run of bytes, doubling. One byte more than asked for is always there, so
 * that the text form needs no further memory.
 */
#include "buf.h"
#include "log.h"
#include "mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ROOM_FIRST = 64 };

void leat__buf_release(leat__buf_t *b)
{
    leat__free(b->data);
    *b = (leat__buf_t){0};
}

void leat__buf_reserve(leat__buf_t *b, size_t more)
{
    size_t room = b->room ? b->room : ROOM_FIRST;

    LEAT_ASSERT(more < SIZE_MAX / 4 && b->size < SIZE_MAX / 4);
    if (b->data && b->size + more < b->room)
        return;
    while (room <= b->size + more)
        room *= 2;
    b->data = leat__must_realloc(b->data, room);
    b->room = room;
}

void leat__buf_put(leat__buf_t *b, const void *bytes, size_t size)
{
    leat__buf_reserve(b, size);
    if (size)
        memcpy(b->data + b->size, bytes, size);
    b->size += size;
}

void leat__buf_put_text(leat__buf_t *b, const char *text)
{
    leat__buf_put(b, text, strlen(text));
}

void leat__buf_format(leat__buf_t *b, const char *format, ...)
{
    va_list args;
    int size;

    leat__buf_reserve(b, ROOM_FIRST);
    va_start(args, format);
    size = vsnprintf(b->data + b->size, b->room - b->size, format, args);
    va_end(args);
    LEAT_ASSERT(size >= 0);
    if ((size_t)size >= b->room - b->size) {
        leat__buf_reserve(b, (size_t)size);
        va_start(args, format);
        vsnprintf(b->data + b->size, b->room - b->size, format, args);
        va_end(args);
    }
    b->size += (size_t)size;
}

const char *leat__buf_text(leat__buf_t *b)
{
    leat__buf_reserve(b, 0);
    b->data[b->size] = '\0';
    return b->data;
}

char *leat__buf_finish(leat__buf_t *b)
{
    char *text;

    leat__buf_text(b);
    text = b->data;
    *b = (leat__buf_t){0};
    return text;
}
