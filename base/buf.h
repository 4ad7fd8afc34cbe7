/* base/buf.h: a growing run of bytes. Also for building text. */
#ifndef LEAT__BASE_BUF_H
#define LEAT__BASE_BUF_H

#include <leat/base.h>

typedef struct leat__buf_t {
    char *data;
    size_t size, room;
} leat__buf_t;

LEAT_API void leat__buf_release(leat__buf_t *b);
void leat__buf_reserve(leat__buf_t *b, size_t more);
LEAT_API void leat__buf_put(leat__buf_t *b, const void *bytes, size_t size);
LEAT_API void leat__buf_put_text(leat__buf_t *b, const char *text);
LEAT_API void leat__buf_format(leat__buf_t *b, const char *format, ...) LEAT_PRINTF(2, 3);
const char *leat__buf_text(leat__buf_t *b); /* terminated; not counted in size */
LEAT_API char *leat__buf_finish(
    leat__buf_t *b); /* [own] terminated text (leat__free), the buffer is empty then */

static inline void leat__store_be32(void *p, uint32_t v)
{
    unsigned char *b = (unsigned char *)p;
    b[0] = (unsigned char)(v >> 24);
    b[1] = (unsigned char)(v >> 16);
    b[2] = (unsigned char)(v >> 8);
    b[3] = (unsigned char)v;
}
static inline void leat__store_be64(void *p, uint64_t v)
{
    leat__store_be32(p, (uint32_t)(v >> 32));
    leat__store_be32((unsigned char *)p + 4, (uint32_t)v);
}
static inline uint32_t leat__load_be32(const void *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static inline uint64_t leat__load_be64(const void *p)
{
    return (uint64_t)leat__load_be32(p) << 32 | leat__load_be32((const unsigned char *)p + 4);
}

#endif
