/*
 * base/json_value.h: values of a program's types as JSON, by their serdes, for people and programs
 * that read state from outside.
 *
 *   string                              a string
 *   int32, int64, float, double         a number
 *   json, LEAT_SERDE_JSON and _BINARY   what they are
 *   windowed keys                       {"key":...,"start":MS,"end":MS}
 *   another serde with .print           its text, as a string
 *   any other, and bytes                {"base64":"..."}
 *
 * What JSON has no form for keeps one that is told apart: text that is not UTF-8 is {"base64":"..."}
 * too, and numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity".
 */
#ifndef LEAT__BASE_JSON_VALUE_H
#define LEAT__BASE_JSON_VALUE_H

#include "codec.h"

/** Append it. value NULL: null. Never fails. */
void leat__json_put(
    leat__buf_t *out, const leat_serde_t *s, const void *value, leat__arena_t *scratch);
void leat__json_put_text(leat__buf_t *out, leat_slice_t text); /* a string's form */

/** A value from its JSON form, [borrow: scratch]. 0, or LEAT_ESERDE with err->text saying why. */
int leat__json_take(const leat_serde_t *s, leat_slice_t json, leat__arena_t *scratch,
    const void **value, leat_error_t *err);

#endif
