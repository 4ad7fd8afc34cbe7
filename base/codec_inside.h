/* base/codec_inside.h: what the files of the codec and the serdes share. For base alone. */
#ifndef LEAT__BASE_CODEC_INSIDE_H
#define LEAT__BASE_CODEC_INSIDE_H

#include "codec.h"

/* The built-in serdes stand in one array, so that an address tells the kind. */
typedef enum leat__builtin_t {
    LEAT__STRING,
    LEAT__BYTES,
    LEAT__INT32,
    LEAT__INT64,
    LEAT__FLOAT,
    LEAT__DOUBLE,
    LEAT__BUILTIN_COUNT,
    LEAT__NOT_BUILTIN = LEAT__BUILTIN_COUNT
} leat__builtin_t;

extern const leat_serde_t leat__builtins[LEAT__BUILTIN_COUNT];

static inline leat__builtin_t leat__builtin_of(const leat_serde_t *s)
{
    uintptr_t distance = (uintptr_t)s - (uintptr_t)leat__builtins;

    return distance < sizeof leat__builtins ? (leat__builtin_t)(distance / sizeof *s)
                                            : LEAT__NOT_BUILTIN;
}

/* One for both ways: encode and print fill out, decode and parse eat in. On the caller's stack. */
struct leat_codec_t {
    const leat__codec_env_t *env;
    const leat_serde_t *serde; /* whose function runs */
    char *out;                 /* in scratch */
    size_t out_size, out_room;
    const char *in, *in_end;
    size_t in_size; /* all of it, for messages */
    void *value;    /* leat_codec_value() */
    bool taking;    /* decode or parse */
    bool failed;
    leat_error_t *err; /* never NULL */
};

/* Numbers as the built-in serdes write and read them; decode fails with a wrong size. */
size_t leat__builtin_encode(leat__builtin_t kind, const void *value, char bytes[8]);
size_t leat__builtin_size(leat__builtin_t kind); /* 0: any */
int leat__builtin_decode(leat__builtin_t kind, leat_slice_t bytes, leat__arena_t *scratch,
    const void **value, leat_error_t *err);
leat_slice_t leat__builtin_print(leat__builtin_t kind, const void *value, leat__arena_t *scratch);
int leat__builtin_parse(leat__builtin_t kind, leat_slice_t text, leat__arena_t *scratch,
    const void **value, leat_error_t *err);

/* Append the value's text. */
void leat__codec_print(leat_codec_t *c, const leat_serde_t *s, const void *value);
void leat__codec_put_text(leat_codec_t *c, const char *text);

/* The parts of JSON text that both JSON serdes write. */
void leat__json_put_string(leat_codec_t *c, const char *text, size_t size);
void leat__json_put_int(leat_codec_t *c, int64_t number);
void leat__json_put_real(leat_codec_t *c, double number);

#endif
