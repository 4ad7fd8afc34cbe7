/* runtime/text.c: growing text with a sticky failure. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "text.h"

static bool reserve(leat__text_t *t, size_t more)
{
    size_t room = t->room ? t->room : 256;
    char *grown;

    if (t->failed || t->size + more + 1 <= t->room)
        return !t->failed;
    while (room < t->size + more + 1)
        room *= 2;
    grown = leat__realloc(t->data, room);
    if (!grown) {
        t->failed = true;
        return false;
    }
    t->data = grown;
    t->room = room;
    return true;
}

static void put_bytes(leat__text_t *t, const char *bytes, size_t size)
{
    if (!reserve(t, size))
        return;
    memcpy(t->data + t->size, bytes, size);
    t->size += size;
    t->data[t->size] = '\0';
}

void leat__text_put(leat__text_t *t, const char *text)
{
    put_bytes(t, text, strlen(text));
}

void leat__text_format(leat__text_t *t, const char *format, ...)
{
    va_list args, again;
    int size;

    va_start(args, format);
    va_copy(again, args);
    size = vsnprintf(NULL, 0, format, args);
    if (size > 0 && reserve(t, (size_t)size)) {
        vsnprintf(t->data + t->size, (size_t)size + 1, format, again);
        t->size += (size_t)size;
    }
    va_end(again);
    va_end(args);
}

void leat__text_quote(leat__text_t *t, const char *text)
{
    put_bytes(t, "\"", 1);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            put_bytes(t, (char[]){'\\', *text}, 2);
        else if ((unsigned char)*text < 0x20)
            leat__text_format(t, "\\u%04x", (unsigned char)*text);
        else
            put_bytes(t, text, 1);
    }
    put_bytes(t, "\"", 1);
}

char *leat__text_finish(leat__text_t *t)
{
    char *text = t->data;

    if (t->failed) {
        leat__free(text);
        text = NULL;
    }
    *t = (leat__text_t){0};
    return text;
}
