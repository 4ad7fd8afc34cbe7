/*
 * runtime/text.h: text that grows, without aborting when memory is out: the writer of descriptions.
 */
#ifndef LEAT__RUNTIME_TEXT_H
#define LEAT__RUNTIME_TEXT_H

#include <leat/base.h>

typedef struct leat__text_t {
    char *data; /* terminated; NULL while empty */
    size_t size, room;
    bool failed; /* no memory: sticky */
} leat__text_t;

void leat__text_put(leat__text_t *t, const char *text);
void leat__text_format(leat__text_t *t, const char *format, ...) LEAT_PRINTF(2, 3);
void leat__text_quote(leat__text_t *t, const char *text); /* as a JSON string; DOT reads it too */
/** [own: leat__free] NULL after a failure. */
char *leat__text_finish(leat__text_t *t);

#endif
